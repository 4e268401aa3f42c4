/* guests.c -- see guests.h. A guest that says something else than attach.h allows is shown out. */
#include "guests.h"

#include "attach.h"
#include "base/buf.h"
#include "base/mem.h"
#include "moth/frame.h"
#include "net/local.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define STATUS_MAX 255

struct guests {
    struct shell *shell; /* borrowed */
    struct local_server *server;
};

struct guest {
    struct guests *guests;
    struct local_peer *peer; /* NULL once it is closing */
    struct moth_frame_decoder *frames;
    struct session *session; /* NULL: not yet, or over */
    bool said_hello, has_completed; /* the latter: since bytes came last */
};

/* --- to the guest --- */

static void send_frame(struct guest *g, enum attach_kind kind, struct slice head, struct slice body)
{
    struct buf frame = {0};
    size_t bytes = 1 + head.bytes + body.bytes;
    uint8_t start[5];
    if (!g->peer || bytes > MOTH_FRAME_MAX) return;
    put_uint(put_uint(start, bytes, 4), kind, 1);
    buf_add(&frame, start, sizeof start);
    buf_add(&frame, head.data, head.bytes);
    buf_add(&frame, body.data, body.bytes);
    local_send(g->peer, buf_span(&frame).data, buf_bytes(&frame));
    buf_fini(&frame);
}

static void send_byte(struct guest *g, enum attach_kind kind, unsigned value)
{
    uint8_t byte = (uint8_t)value;
    send_frame(g, kind, slice_of(&byte, 1), slice_of(NULL, 0));
}

/* As much of a text as fits a frame, up to a line end if there is one. */
static size_t piece_of(const char *text, size_t bytes)
{
    if (bytes <= ATTACH_TEXT_MAX) return bytes;
    const char *end = memrchr(text, '\n', ATTACH_TEXT_MAX);
    return end ? (size_t)(end - text) + 1 : ATTACH_TEXT_MAX;
}

static void front_say(void *front, enum shell_stream stream, const char *text, size_t bytes, uint32_t tag)
{
    uint8_t head[4];
    put_uint(head, tag, 4);
    while (bytes > 0) {
        size_t piece = piece_of(text, bytes);
        if (stream == SHELL_COMPLAINTS) send_frame(front, ATTACH_COMPLAIN, slice_of(text, piece), slice_of(NULL, 0));
        else send_frame(front, ATTACH_SAY, slice_of(head, sizeof head), slice_of(text, piece));
        text += piece;
        bytes -= piece;
    }
}

static void front_amend(void *front, uint32_t tag, struct moth_bytes line, struct moth_bytes other)
{
    struct buf head = {0};
    uint8_t numbers[8];
    put_uint(put_uint(numbers, tag, 4), line.bytes, 4);
    buf_add(&head, numbers, sizeof numbers);
    buf_add(&head, line.data, line.bytes);
    send_frame(front, ATTACH_AMEND, span_slice(buf_span(&head)), slice_of(other.data, other.bytes));
    buf_fini(&head);
}

static void front_prompt(void *front, const char *text)
{
    send_frame(front, ATTACH_PROMPT, slice_text(text), slice_of(NULL, 0));
}

static void front_hold(void *front, bool on)
{
    send_byte(front, ATTACH_HOLD, on);
}

static void front_chat(void *front, bool on)
{
    send_byte(front, ATTACH_CHAT, on);
}

/* The last words, then the door. */
static void show_out(struct guest *g, int status, const char *why)
{
    uint8_t byte = (uint8_t)(status < 0 || status > STATUS_MAX ? 1 : status);
    send_frame(g, ATTACH_BYE, slice_of(&byte, 1), slice_text(why));
    struct local_peer *peer = g->peer;
    g->peer = NULL;
    if (peer) local_close(peer);
}

static void front_finish(void *front, int status)
{
    struct guest *g = front;
    g->session = NULL;
    show_out(g, status, "");
}

static const struct shell_front functions = {front_say,  front_amend, front_prompt,
                                             front_hold, front_chat,  front_finish};

/* --- from the guest --- */

static bool take_hello(struct guest *g, struct reader body)
{
    char folder[PATH_MAX];
    unsigned version = (unsigned)read_uint(&body, 1), flags = (unsigned)read_uint(&body, 1);
    unsigned width = (unsigned)read_uint(&body, 2);
    size_t bytes = reader_left(&body);
    if (g->said_hello || (body.failed && version == ATTACH_VERSION) || bytes >= sizeof folder) return false;
    g->said_hello = true;
    if (version != ATTACH_VERSION) {
        show_out(g, 1, "the node is of another version of moth: use the same program for both");
        return true;
    }
    read_copy(&body, folder, bytes);
    folder[bytes] = '\0';
    struct shell_terms terms = {.is_remote = true, .width = width, .folder = folder,
                                .is_terminal = flags & ATTACH_IS_TERMINAL, .is_single = flags & ATTACH_IS_SINGLE,
                                .is_json = flags & ATTACH_IS_JSON, .has_colour = flags & ATTACH_HAS_COLOUR};
    g->session = shell_enter(g->guests->shell, &functions, g, &terms);
    if (!g->session) show_out(g, 1, "the shell cannot start; the node's log says why");
    return true;
}

struct words {
    struct buf text;
};

static void add_word(void *context, const char *word, size_t bytes)
{
    struct words *words = context;
    if (buf_bytes(&words->text) + bytes + 1 > ATTACH_TEXT_MAX || memchr(word, '\n', bytes)) return;
    buf_add(&words->text, word, bytes);
    buf_add(&words->text, "\n", 1);
}

/* Whoever asks for many at once gets words for the first: a person waits for each answer. */
static bool take_complete(struct guest *g, struct reader body)
{
    struct words words = {{0}};
    size_t start = (size_t)read_uint(&body, 4), bytes = reader_left(&body);
    const char *line = (const char *)body.at;
    if (body.failed || start > bytes) return false;
    if (!g->has_completed) session_complete(g->session, line, bytes, start, add_word, &words);
    g->has_completed = true;
    send_frame(g, ATTACH_WORDS, span_slice(buf_span(&words.text)), slice_of(NULL, 0));
    buf_fini(&words.text);
    return true;
}

static bool take_number(struct guest *g, enum attach_kind kind, struct reader body)
{
    unsigned number = (unsigned)read_uint(&body, kind == ATTACH_RESIZE ? 2 : 1);
    if (!reader_finished(&body)) return false;
    if (kind == ATTACH_RESIZE) session_resize(g->session, number);
    else session_interrupt(g->session, number != 0);
    return true;
}

/* False: nothing that a guest may say now. */
static bool take(struct guest *g, struct slice frame)
{
    struct reader body = reader_of(frame);
    unsigned kind = (unsigned)read_uint(&body, 1);
    if (kind == ATTACH_HELLO) return take_hello(g, body);
    if (!g->said_hello) return false;
    if (!g->session) return true; /* it is over: what was said meanwhile is for nobody */
    switch (kind) {
    case ATTACH_LINE: session_line(g->session, (const char *)body.at, reader_left(&body)); return true;
    case ATTACH_FINISH: session_finish(g->session, 0); return reader_finished(&body);
    case ATTACH_INTERRUPT: return take_number(g, ATTACH_INTERRUPT, body);
    case ATTACH_RESIZE: return take_number(g, ATTACH_RESIZE, body);
    case ATTACH_COMPLETE: return take_complete(g, body);
    default: return false;
    }
}

static void on_opened(void *owner, struct local_peer *p)
{
    struct guest *g = mem_new(sizeof *g);
    *g = (struct guest){.guests = owner, .peer = p, .frames = moth_frame_decoder_new(MOTH_FRAME_LENGTH, 0)};
    local_set_user(p, g);
}

static void on_bytes(void *owner, struct local_peer *p, struct slice bytes)
{
    struct guest *g = local_user(p);
    struct moth_frame frame;
    int rc;
    (void)owner;
    g->has_completed = false;
    moth_frame_decoder_feed(g->frames, bytes.data, bytes.bytes);
    while ((rc = moth_frame_decoder_next(g->frames, &frame)) > 0)
        if (g->peer && !take(g, slice_of(frame.data, frame.bytes))) show_out(g, 1, "the node did not understand this");
    if (rc < 0) show_out(g, 1, "the node did not understand this");
}

static void free_guest(struct guest *g)
{
    if (g->session) session_leave(g->session);
    moth_frame_decoder_free(g->frames);
    free(g);
}

static void on_closed(void *owner, struct local_peer *p)
{
    (void)owner;
    free_guest(local_user(p));
}

static const struct local_ops ops = {on_opened, on_bytes, on_closed};

/* --- guests.h --- */

int guests_open(struct moth_loop *loop, struct shell *shell, const char *home, struct guests **out)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", home, ATTACH_SOCKET);
    if (n < 0 || (size_t)n >= sizeof path) return MOTH_EARGUMENT;
    struct guests *g = mem_new(sizeof *g);
    g->shell = shell;
    int rc = local_serve(loop, path, &ops, g, &g->server);
    if (rc == 0) *out = g;
    else free(g);
    return rc;
}

void guests_close(struct guests *g)
{
    if (!g) return;
    local_stop(g->server);
    free(g);
}
