/* attach.c -- the client of attach.h: a terminal, or standard streams, here; the shell itself over there.
 *
 * One loop over three descriptors: what is typed, the socket, the signals. Completion alone waits for an answer, for a
 * moment, for the line editor wants it at once. */
#include "attach.h"

#include "base/buf.h"
#include "base/mem.h"
#include "cli/console.h"
#include "fail.h"
#include "moth/frame.h"
#include "pipes.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define COMPLETE_MS 1000
#define LOOK_MS 500 /* whether it is in front again */
#define READ_BYTES 65536
#define LINE_BYTES_MAX (MOTH_FRAME_MAX - 1)
#define STATUS_SIGNAL 128

struct client {
    const struct options *o;
    struct console *console; /* NULL: standard streams */
    struct pipes pipes;
    struct moth_frame_decoder *frames, *lines; /* lines: of standard input, when that is no terminal */
    int socket, signals;
    int status;       /* once it is over */
    char why[256];    /* and why, "" when that is no news */
    bool is_over, is_held, input_ended, awaits_words;
};

/* --- to the node --- */

/* Called from within the console, too, which is closed later. */
static void end(struct client *c, int status, const char *why)
{
    if (c->is_over) return;
    c->is_over = true;
    c->status = status;
    snprintf(c->why, sizeof c->why, "%s", why ? why : "");
}

static void send_all(struct client *c, const uint8_t *data, size_t bytes)
{
    while (bytes > 0 && !c->is_over) {
        ssize_t n = send(c->socket, data, bytes, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            end(c, EXIT_FAILURE, "the node has ended");
            return;
        }
        data += n;
        bytes -= (size_t)n;
    }
}

static void send_frame(struct client *c, enum attach_kind kind, struct slice head, struct slice body)
{
    struct buf frame = {0};
    uint8_t start[5];
    put_uint(put_uint(start, 1 + head.bytes + body.bytes, 4), kind, 1);
    buf_add(&frame, start, sizeof start);
    buf_add(&frame, head.data, head.bytes);
    buf_add(&frame, body.data, body.bytes);
    send_all(c, buf_span(&frame).data, buf_bytes(&frame));
    buf_fini(&frame);
}

static void send_line(struct client *c, const char *text, size_t bytes)
{
    static const char too_long[] = "a line is longer than 1 MiB: it was left out\n";
    if (bytes <= LINE_BYTES_MAX) send_frame(c, ATTACH_LINE, slice_of(text, bytes), slice_of(NULL, 0));
    else if (c->console) console_print(c->console, too_long, sizeof too_long - 1, 0);
    else end(c, EXIT_FAILURE, "a line is longer than 1 MiB");
}

static void send_hello(struct client *c, unsigned flags, unsigned width)
{
    char *folder = getcwd(NULL, 0);
    uint8_t head[4];
    put_uint(put_uint(put_uint(head, ATTACH_VERSION, 1), flags, 1), width, 2);
    send_frame(c, ATTACH_HELLO, slice_of(head, sizeof head), folder ? slice_text(folder) : slice_of(NULL, 0));
    free(folder);
}

/* --- from the node --- */

static void say(struct client *c, int fd, struct reader text, uint32_t tag)
{
    size_t bytes = reader_left(&text);
    if (c->console) console_print(c->console, (const char *)text.at, bytes, tag);
    else if (!pipes_write(&c->pipes, fd, (const char *)text.at, bytes)) end(c, EXIT_FAILURE, NULL);
}

static void amend(struct client *c, struct reader body)
{
    uint32_t tag = (uint32_t)read_uint(&body, 4);
    size_t bytes = (size_t)read_uint(&body, 4);
    const uint8_t *line = read_raw(&body, bytes);
    if (!line) return;
    const char *other = (const char *)body.at;
    if (c->console) console_amend(c->console, tag, (const char *)line, bytes, other, reader_left(&body));
    else say(c, STDOUT_FILENO, body, 0);
}

static void set_prompt(struct client *c, struct reader body)
{
    char prompt[256];
    size_t bytes = reader_left(&body);
    if (!c->console || bytes >= sizeof prompt) return;
    read_copy(&body, prompt, bytes);
    prompt[bytes] = '\0';
    console_prompt(c->console, prompt);
}

static void offer_words(struct client *c, struct reader body)
{
    const char *at = (const char *)body.at, *stop = at + reader_left(&body), *next;
    if (!c->awaits_words) return; /* an answer that came too late */
    c->awaits_words = false;
    for (; at < stop && (next = memchr(at, '\n', (size_t)(stop - at))); at = next + 1)
        console_offer(c->console, at, (size_t)(next - at));
}

static void say_bye(struct client *c, struct reader body)
{
    char why[256];
    int status = (int)read_uint(&body, 1);
    size_t bytes = reader_left(&body) < sizeof why ? reader_left(&body) : sizeof why - 1;
    read_copy(&body, why, bytes);
    why[bytes] = '\0';
    end(c, status, why);
}

static void take(struct client *c, struct slice frame)
{
    struct reader body = reader_of(frame);
    switch ((unsigned)read_uint(&body, 1)) {
    case ATTACH_SAY: {
        uint32_t tag = (uint32_t)read_uint(&body, 4);
        say(c, STDOUT_FILENO, body, tag);
        break;
    }
    case ATTACH_COMPLAIN: say(c, STDERR_FILENO, body, 0); break;
    case ATTACH_AMEND: amend(c, body); break;
    case ATTACH_PROMPT: set_prompt(c, body); break;
    case ATTACH_HOLD: c->is_held = read_uint(&body, 1) != 0; break;
    case ATTACH_CHAT:
        if (c->console) console_erase_entered(c->console, read_uint(&body, 1) != 0);
        break;
    case ATTACH_WORDS: offer_words(c, body); break;
    case ATTACH_BYE: say_bye(c, body); break;
    default: end(c, EXIT_FAILURE, "the node speaks another language: use the same moth for both");
    }
}

static void read_socket(struct client *c)
{
    static uint8_t chunk[READ_BYTES];
    struct moth_frame frame;
    ssize_t n = recv(c->socket, chunk, sizeof chunk, 0);
    if (n < 0 && errno == EINTR) return;
    if (n <= 0) {
        end(c, EXIT_FAILURE, "the node has ended, or closed this shell: 8 MiB waited for it, or too many are there");
        return;
    }
    moth_frame_decoder_feed(c->frames, chunk, (size_t)n);
    while (!c->is_over && moth_frame_decoder_next(c->frames, &frame) > 0) take(c, slice_of(frame.data, frame.bytes));
}

/* --- what is typed --- */

static void on_line(void *owner, const char *text, size_t bytes)
{
    struct client *c = owner;
    if (text) send_line(c, text, bytes);
    else send_frame(c, ATTACH_FINISH, slice_of(NULL, 0), slice_of(NULL, 0));
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_complete(void *owner, struct console *console, const char *line, size_t bytes, size_t start)
{
    struct client *c = owner;
    int64_t end_ms = now_ms() + COMPLETE_MS, left_ms;
    uint8_t head[4];
    (void)console;
    put_uint(head, start, 4);
    send_frame(c, ATTACH_COMPLETE, slice_of(head, sizeof head), slice_of(line, bytes));
    c->awaits_words = true;
    while (c->awaits_words && !c->is_over && (left_ms = end_ms - now_ms()) > 0) {
        struct pollfd node = {.fd = c->socket, .events = POLLIN};
        if (poll(&node, 1, (int)left_ms) > 0) read_socket(c);
    }
    c->awaits_words = false;
}

/* Standard input that is no terminal; one chunk at a time, while the node wants lines. */
static void read_input(struct client *c)
{
    static uint8_t chunk[READ_BYTES];
    struct moth_frame line;
    ssize_t n = read(STDIN_FILENO, chunk, sizeof chunk - 1);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
        c->input_ended = true;
        chunk[0] = '\n'; /* a last line without an end */
        n = moth_frame_decoder_held(c->lines) > 0;
    }
    int rc = 0;
    if (n > 0) moth_frame_decoder_feed(c->lines, chunk, (size_t)n);
    while (n > 0 && (rc = moth_frame_decoder_next(c->lines, &line)) > 0) send_line(c, line.data, line.bytes);
    if (rc < 0) end(c, EXIT_FAILURE, "a line is longer than 1 MiB");
    if (c->input_ended) on_line(c, NULL, 0);
}

/* --- signals --- */

static void interrupt(struct client *c, int number)
{
    uint8_t had_text;
    if (!c->console || number != SIGINT) {
        end(c, STATUS_SIGNAL + number, NULL);
        return;
    }
    had_text = console_interrupt(c->console);
    send_frame(c, ATTACH_INTERRUPT, slice_of(&had_text, 1), slice_of(NULL, 0));
}

static void resize(struct client *c)
{
    uint8_t width[2];
    console_resize(c->console);
    put_uint(width, console_width(c->console), 2);
    send_frame(c, ATTACH_RESIZE, slice_of(width, sizeof width), slice_of(NULL, 0));
}

static void read_signal(struct client *c)
{
    struct signalfd_siginfo info;
    if (read(c->signals, &info, sizeof info) != sizeof info) return;
    int number = (int)info.ssi_signo;
    if (number == SIGINT || number == SIGTERM || number == SIGHUP) {
        interrupt(c, number);
    } else if (c->console) {
        if (number == SIGTSTP) console_suspend(c->console);
        if (number == SIGCONT) console_continue(c->console);
        if (number != SIGTSTP) resize(c);
    } else if (number == SIGTSTP) {
        raise(SIGSTOP);
    }
}

/* Blocked, they come through a descriptor. */
static int take_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP, SIGCONT};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* --- the loop --- */

static void turn(struct client *c)
{
    bool reads = c->console ? console_wants_to_read(c->console) : !c->input_ended;
    bool writes = c->console && console_wants_to_write(c->console);
    int input = c->console ? console_fd(c->console) : STDIN_FILENO;
    short wanted = (short)((reads && !c->is_held ? POLLIN : 0) | (writes ? POLLOUT : 0));
    struct pollfd fds[] = {{.fd = c->socket, .events = POLLIN}, {.fd = c->signals, .events = POLLIN},
                           {.fd = wanted ? input : -1, .events = wanted}};
    bool is_away = c->console && console_is_away(c->console);
    if (poll(fds, sizeof fds / sizeof *fds, is_away ? LOOK_MS : -1) < 0) return;
    if (fds[1].revents) read_signal(c);
    if (fds[0].revents && !c->is_over) read_socket(c);
    if ((fds[2].revents & ~POLLOUT) && c->console && !c->is_over) console_read(c->console);
    else if (fds[2].revents && !c->console && !c->is_over) read_input(c);
    if (is_away) console_continue(c->console);
    if (c->console) console_write(c->console);
}

/* --- starting --- */

static int explain(const char *home, int error)
{
    if (error == ENOENT || error == ECONNREFUSED)
        return fail(EXIT_FAILURE, "no node runs on %s; this starts one: moth --home %s", home, home);
    if (error == EACCES) return fail(EXIT_FAILURE, "the node on %s is another user's", home);
    return fail(EXIT_FAILURE, "the node on %s cannot be reached: %s", home, strerror(error));
}

/* 0 or an errno. */
static int dial(struct client *c)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", c->o->home, ATTACH_SOCKET);
    if (n < 0 || (size_t)n >= sizeof address.sun_path) return ENAMETOOLONG;
    c->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->socket < 0) return errno;
    return connect(c->socket, (const struct sockaddr *)&address, sizeof address) < 0 ? errno : 0;
}

static unsigned width_of_output(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static bool wants_colour(const struct client *c)
{
    return strcmp(c->o->color, "off") != 0 && (console_has_colour(c->console) || strcmp(c->o->color, "on") == 0);
}

static int open_console(struct client *c)
{
    char history[OPTIONS_PATH_BYTES + 16];
    snprintf(history, sizeof history, "%s/history", c->o->home);
    struct console_setup setup = {.fd = open(ttyname(STDIN_FILENO), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC),
                                  .history = history, .on_line = on_line, .on_complete = on_complete, .owner = c};
    if (setup.fd < 0 || console_open(&setup, &c->console) < 0) {
        fail(0, "the terminal cannot be opened");
        return MOTH_EIO;
    }
    return 0;
}

/* The words of the command line as one line, as if they had been typed. */
static void send_command(struct client *c)
{
    struct buf line = {0};
    for (size_t i = 0; i < c->o->word_count; i++) {
        if (i > 0) buf_add(&line, " ", 1);
        buf_add(&line, c->o->words[i], strlen(c->o->words[i]));
    }
    send_line(c, (const char *)buf_span(&line).data, buf_bytes(&line));
    buf_fini(&line);
    c->input_ended = true;
}

static int start(struct client *c)
{
    if (c->o->program == PROGRAM_DO) {
        send_hello(c, ATTACH_IS_SINGLE | (c->o->json ? ATTACH_IS_JSON : 0), width_of_output());
        send_command(c);
    } else if (terminal_is_there()) {
        if (open_console(c) < 0) return MOTH_EIO;
        unsigned colour = wants_colour(c) ? ATTACH_HAS_COLOUR : 0;
        send_hello(c, ATTACH_IS_TERMINAL | colour, console_width(c->console));
    } else {
        send_hello(c, 0, width_of_output());
    }
    return 0;
}

int attach_run(const struct options *o)
{
    struct client c = {.o = o, .socket = -1};
    int error = dial(&c);
    if (error != 0) return explain(o->home, error);
    pipes_open(&c.pipes);
    c.frames = moth_frame_decoder_new(MOTH_FRAME_LENGTH, 0);
    c.lines = moth_frame_decoder_new(MOTH_FRAME_LINE, LINE_BYTES_MAX);
    c.signals = take_signals();
    if (start(&c) < 0) end(&c, EXIT_FAILURE, NULL);
    while (!c.is_over) turn(&c);
    console_close(c.console);
    if (*c.why) fail(0, "%s", c.why);
    pipes_close(&c.pipes);
    moth_frame_decoder_free(c.frames);
    moth_frame_decoder_free(c.lines);
    close(c.signals);
    close(c.socket);
    return c.status;
}
