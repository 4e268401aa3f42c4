/* console_plain.c -- console.h without a line editor (READLINE=0): the terminal itself edits the line and shows it.
 *
 * What is said meanwhile stands behind what is typed; the prompt comes again below it. Lines cannot be changed any more
 * once they are shown. */
#include "cli/console.h"

#include "base/mem.h"
#include "cli/console_out.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define INPUT_BYTES 4096 /* a terminal gives no longer lines */
#define DRAIN_MS 500
#define WIDTH_DEFAULT 80
#define WIDTH_MIN 20

struct console {
    struct console_setup setup;
    int fd; /* owned */
    struct output output;
    char *prompt; /* owned; NULL: none yet */
    bool is_away, ended, wants_prompt;
};

static bool is_in_front(const struct console *c)
{
    pid_t group = tcgetpgrp(c->fd);
    return group < 0 || group == getpgrp();
}

int console_open(const struct console_setup *setup, struct console **out)
{
    struct termios mode;
    if (tcgetattr(setup->fd, &mode) < 0) {
        close(setup->fd);
        return MOTH_EIO;
    }
    struct console *c = mem_new(sizeof *c);
    c->setup = *setup;
    c->fd = setup->fd;
    c->is_away = !is_in_front(c);
    *out = c;
    return 0;
}

void console_close(struct console *c)
{
    if (!c) return;
    struct pollfd terminal = {.fd = c->fd, .events = POLLOUT};
    while (output_has_waiting(&c->output)) output_take(&c->output, SIZE_MAX, console_width(c), 0);
    while (output_write(&c->output, c->fd) == 0 && buf_bytes(&c->output.queue) > 0)
        if (poll(&terminal, 1, DRAIN_MS) <= 0) break;
    close(c->fd);
    output_fini(&c->output);
    free(c->prompt);
    free(c);
}

int console_fd(const struct console *c)
{
    return c->fd;
}

bool console_wants_to_read(const struct console *c)
{
    return c->prompt && !c->is_away && !c->ended;
}

bool console_wants_to_write(const struct console *c)
{
    return buf_bytes(&c->output.queue) > 0 || output_has_waiting(&c->output);
}

/* The terminal gives whole lines; an end without a line is Ctrl-D. */
void console_read(struct console *c)
{
    char line[INPUT_BYTES];
    ssize_t n = read(c->fd, line, sizeof line);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    c->ended = n <= 0;
    c->wants_prompt = !c->ended;
    if (c->ended) c->setup.on_line(c->setup.owner, NULL, 0);
    else c->setup.on_line(c->setup.owner, line, (size_t)n - (line[n - 1] == '\n'));
}

void console_write(struct console *c)
{
    if (output_has_waiting(&c->output) && buf_bytes(&c->output.queue) == 0) {
        if (c->prompt && !c->wants_prompt) output_add(&c->output, "\n", 1);
        output_take(&c->output, SIZE_MAX, console_width(c), 0);
        c->wants_prompt = c->prompt && !c->ended;
    }
    if (c->wants_prompt) output_add(&c->output, c->prompt, strlen(c->prompt));
    c->wants_prompt = false;
    output_write(&c->output, c->fd);
}

void console_prompt(struct console *c, const char *prompt)
{
    free(c->prompt);
    c->prompt = mem_text(prompt);
    c->wants_prompt = true;
}

void console_print(struct console *c, const char *text, size_t bytes, uint32_t tag)
{
    output_print(&c->output, slice_of(text, bytes), tag);
}

void console_amend(struct console *c, uint32_t tag, const char *line, size_t bytes, const char *else_text,
                   size_t else_bytes)
{
    output_amend(&c->output, tag, slice_of(line, bytes), slice_of(else_text, else_bytes));
}

void console_erase_entered(struct console *c, bool on)
{
    (void)c, (void)on; /* the terminal has shown it already */
}

void console_offer(struct console *c, const char *word, size_t bytes)
{
    (void)c, (void)word, (void)bytes;
}

bool console_interrupt(struct console *c)
{
    tcflush(c->fd, TCIFLUSH);
    output_add(&c->output, "\n", 1);
    c->wants_prompt = c->prompt != NULL;
    return false;
}

void console_resize(struct console *c)
{
    output_forget(&c->output);
}

void console_suspend(struct console *c)
{
    c->is_away = true;
    raise(SIGSTOP);
}

void console_continue(struct console *c)
{
    bool was_away = c->is_away;
    c->is_away = !is_in_front(c);
    if (was_away && !c->is_away) c->wants_prompt = c->prompt != NULL;
}

bool console_is_away(const struct console *c)
{
    return c->is_away;
}

unsigned console_width(const struct console *c)
{
    struct winsize size;
    if (ioctl(c->fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0) return WIDTH_DEFAULT;
    return size.ws_col < WIDTH_MIN ? WIDTH_MIN : size.ws_col;
}

bool console_has_colour(const struct console *c)
{
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
    (void)c;
    return term && *term && strcmp(term, "dumb") != 0 && (!no || !*no);
}
