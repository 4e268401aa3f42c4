/* fuzz_guests.c -- arbitrary bytes from a guest, cut anywhere, against sessions that answer in every way they may.
 *
 * There is no loop and no Lua: the socket and the shell that guests.c calls are here, and hold it to its word. Whatever
 * comes: the shell is called only between a sound HELLO and the end of the session, a session that the guest left
 * behind is left once, the guest gets whole frames of the node's kinds and nothing behind BYE, each COMPLETE has one
 * WORDS, and who is shown out is told why.
 *
 * Input: a first byte (how the shell behaves), then pieces, each a byte of length and so many bytes. A length of 0 is
 * the hangup. */
#include "attach.h"
#include "base/mem.h"
#include "guests.h"
#include "moth/frame.h"
#include "net/local.h"

#include <limits.h>
#include <stdlib.h>

#define FULL_ONE_IN 16 /* sends, where the guest reads too slowly */
#define SAY_BYTES ((size_t)3 << 20)

struct local_peer {
    void *user;
    struct moth_frame_decoder *frames; /* what it is sent */
    unsigned sends, words;
    bool is_closing, has_bye;
};

struct session {
    const struct shell_front *does;
    void *front;
    bool is_terminal, is_over;
};

static const struct local_ops *ops;
static void *owner;
static struct session session;
static unsigned enters, completes;
static bool refuses, is_slow, is_talkative; /* how the shell behaves */
static bool is_taking;                      /* bytes of the guest: the shell may be called */

static void expect(bool holds)
{
    if (!holds) abort();
}

/* --- the socket --- */

int local_serve(struct moth_loop *loop, const char *path, const struct local_ops *functions, void *their_owner,
                struct local_server **out)
{
    (void)loop;
    expect(strcmp(path, "/home/shell.sock") == 0);
    ops = functions;
    owner = their_owner;
    *out = NULL;
    return 0;
}

void local_stop(struct local_server *s)
{
    (void)s;
}

void local_set_user(struct local_peer *p, void *user)
{
    p->user = user;
}

void *local_user(const struct local_peer *p)
{
    return p->user;
}

void local_close(struct local_peer *p)
{
    expect(p->has_bye || is_slow);
    p->is_closing = true;
}

static void check_frame(struct local_peer *p, struct reader body)
{
    unsigned kind = (unsigned)read_uint(&body, 1);
    expect(kind >= ATTACH_SAY && kind <= ATTACH_BYE && !p->has_bye);
    if (kind == ATTACH_SAY) read_uint(&body, 4);
    if (kind == ATTACH_AMEND) {
        read_uint(&body, 4);
        read_raw(&body, (size_t)read_uint(&body, 4));
    }
    if (kind == ATTACH_HOLD || kind == ATTACH_CHAT) expect(read_uint(&body, 1) <= 1 && reader_finished(&body));
    if (kind == ATTACH_BYE) read_uint(&body, 1);
    if (kind == ATTACH_BYE) p->has_bye = true;
    if (kind == ATTACH_WORDS) expect(reader_left(&body) == 0 || body.end[-1] == '\n');
    p->words += kind == ATTACH_WORDS;
    expect(!body.failed);
}

int local_send(struct local_peer *p, const void *data, size_t bytes)
{
    struct moth_frame frame;
    expect(bytes >= 5 && bytes <= MOTH_FRAME_MAX + MOTH_FRAME_EXTRA);
    if (p->is_closing) return MOTH_ECLOSED;
    if (is_slow && ++p->sends % FULL_ONE_IN == 0) {
        p->is_closing = true;
        return MOTH_EFULL;
    }
    moth_frame_decoder_feed(p->frames, data, bytes);
    expect(moth_frame_decoder_next(p->frames, &frame) == 1 && frame.bytes == bytes - 4);
    check_frame(p, reader_of(slice_of(frame.data, frame.bytes)));
    expect(moth_frame_decoder_next(p->frames, &frame) == 0);
    return 0;
}

/* --- the shell --- */

struct session *shell_enter(struct shell *s, const struct shell_front *functions, void *front,
                            const struct shell_terms *terms)
{
    (void)s;
    expect(is_taking && enters++ == 0 && terms->is_remote && terms->width <= UINT16_MAX);
    expect(terms->folder && strlen(terms->folder) < PATH_MAX && !terms->log && terms->connects == 0);
    if (refuses) return NULL;
    session = (struct session){.does = functions, .front = front, .is_terminal = terms->is_terminal};
    if (is_talkative) functions->say(front, SHELL_ANSWERS, "hello\n", 6, 0);
    functions->prompt(front, "ana> ");
    return &session;
}

static void check_call(const struct session *s)
{
    expect(is_taking && s == &session && s->does && !s->is_over);
}

static void end(struct session *s, int status)
{
    s->is_over = true;
    s->does->finish(s->front, status);
}

static void flood(const struct session *s, bool has_lines)
{
    char *text = mem_new(SAY_BYTES);
    memset(text, 'x', SAY_BYTES);
    for (size_t i = 79; has_lines && i < SAY_BYTES; i += 80) text[i] = '\n';
    text[SAY_BYTES - 1] = '\n';
    s->does->say(s->front, has_lines ? SHELL_ANSWERS : SHELL_COMPLAINTS, text, SAY_BYTES, 7);
    struct moth_bytes line = {.data = text, .bytes = SAY_BYTES}, none = {.data = NULL, .bytes = 0};
    s->does->amend(s->front, 7, line, none);
    free(text);
}

/* Its first letter says what comes of it. */
void session_line(struct session *s, const char *text, size_t bytes)
{
    struct moth_bytes line = {.data = text, .bytes = bytes};
    check_call(s);
    switch (bytes > 0 ? text[0] : ' ') {
    case 'q': end(s, text[bytes - 1]); break;
    case 's': s->does->say(s->front, SHELL_ANSWERS, text, bytes, 1); break;
    case 'e': s->does->say(s->front, SHELL_COMPLAINTS, text, bytes, 0); break;
    case 'a': s->does->amend(s->front, 1, line, line); break;
    case 'h': s->does->hold(s->front, bytes % 2); break;
    case 'c': s->does->chat(s->front, bytes % 2); break;
    case 'f': flood(s, bytes % 2); break;
    default: break;
    }
}

void session_finish(struct session *s, int rc)
{
    check_call(s);
    expect(rc == 0);
    end(s, 0);
}

void session_interrupt(struct session *s, bool had_text)
{
    check_call(s);
    if (!had_text && !s->is_terminal) end(s, -1);
}

void session_resize(struct session *s, unsigned width)
{
    check_call(s);
    expect(width <= UINT16_MAX);
}

void session_complete(struct session *s, const char *line, size_t bytes, size_t start,
                      void (*each)(void *context, const char *word, size_t bytes), void *context)
{
    check_call(s);
    expect(start <= bytes);
    completes++;
    for (size_t i = start; i < bytes; i++) each(context, line + i, bytes - i);
    if (!is_talkative) return;
    char *word = mem_new(ATTACH_TEXT_MAX);
    memset(word, 'w', ATTACH_TEXT_MAX);
    each(context, word, ATTACH_TEXT_MAX);
    each(context, word, ATTACH_TEXT_MAX - 1);
    free(word);
}

void session_leave(struct session *s)
{
    expect(s == &session && s->does && !s->is_over);
    s->is_over = true;
}

/* --- a guest --- */

/* The rest of the pieces, until one hangs up or is shown out. */
static void talk(struct local_peer *p, struct reader *in)
{
    while (reader_left(in) > 0 && !p->is_closing) {
        size_t bytes = (size_t)read_uint(in, 1), left = reader_left(in);
        if (bytes == 0) return;
        if (bytes > left) bytes = left;
        is_taking = true;
        uint8_t *piece = mem_copy(in->at, bytes); /* so that a read beyond its end is found */
        ops->bytes(owner, p, slice_of(piece, bytes));
        free(piece);
        is_taking = false;
        read_raw(in, bytes);
        expect(p->words == completes || p->is_closing);
        expect(p->has_bye == p->is_closing || is_slow);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct local_peer peer = {.frames = moth_frame_decoder_new(MOTH_FRAME_LENGTH, 0)};
    struct reader in = reader_of(slice_of(data, size));
    struct guests *guests;
    unsigned manner = (unsigned)read_uint(&in, 1);
    refuses = manner & 1;
    is_slow = manner & 2;
    is_talkative = manner & 4;
    session = (struct session){0};
    enters = completes = 0;
    expect(guests_open(NULL, NULL, "/home", &guests) == 0);
    ops->opened(owner, &peer);
    talk(&peer, &in);
    ops->closed(owner, &peer);
    expect(!session.does || session.is_over);
    guests_close(guests);
    moth_frame_decoder_free(peer.frames);
    return 0;
}
