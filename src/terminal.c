/* terminal.c -- see terminal.h.
 *
 * The console is told what is said and shows it once per turn; it is asked what to watch for after everything that may
 * have changed it. */
#include "terminal.h"

#include "base/mem.h"
#include "cli/console.h"
#include "net/watch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define LOOK_US 500000 /* in the background: whether it is in front again, of which nobody tells */

struct terminal {
    struct console *console;
    struct watch *watch;
    struct signal_watch *signals;
    struct session *session; /* NULL: over */
    bool is_held;
};

/* --- the front of the session --- */

static void front_say(void *front, enum shell_stream stream, const char *text, size_t bytes, uint32_t tag)
{
    struct terminal *t = front;
    (void)stream;
    console_print(t->console, text, bytes, tag);
}

static void front_amend(void *front, uint32_t tag, struct moth_bytes line, struct moth_bytes other)
{
    struct terminal *t = front;
    console_amend(t->console, tag, line.data, line.bytes, other.data, other.bytes);
}

static void front_prompt(void *front, const char *text)
{
    struct terminal *t = front;
    console_prompt(t->console, text);
}

static void front_hold(void *front, bool on)
{
    struct terminal *t = front;
    t->is_held = on;
}

static void front_chat(void *front, bool on)
{
    struct terminal *t = front;
    console_erase_entered(t->console, on);
}

static void front_finish(void *front, int status)
{
    struct terminal *t = front;
    (void)status; /* the node ends, too, and says so itself */
    t->session = NULL;
}

static const struct shell_front functions = {front_say,  front_amend, front_prompt,
                                             front_hold, front_chat,  front_finish};

/* --- the console --- */

static void on_line(void *owner, const char *text, size_t bytes)
{
    struct terminal *t = owner;
    if (!t->session) return;
    if (text) session_line(t->session, text, bytes);
    else session_finish(t->session, 0);
}

static void on_word(void *context, const char *word, size_t bytes)
{
    console_offer(context, word, bytes);
}

static void on_complete(void *owner, struct console *c, const char *line, size_t bytes, size_t start)
{
    struct terminal *t = owner;
    if (t->session) session_complete(t->session, line, bytes, start, on_word, c);
}

static void on_ready(void *owner, bool readable, bool writable)
{
    struct terminal *t = owner;
    if (readable) console_read(t->console);
    if (writable) console_write(t->console);
}

static void on_signal(void *owner, int number)
{
    struct terminal *t = owner;
    if (number == SIGTSTP) console_suspend(t->console);
    if (number == SIGCONT) console_continue(t->console);
    if (number != SIGTSTP) console_resize(t->console); /* it may have changed while the process was stopped */
    if (t->session) session_resize(t->session, console_width(t->console));
}

void terminal_interrupt(struct terminal *t)
{
    bool had_text = console_interrupt(t->console);
    if (t->session) session_interrupt(t->session, had_text);
}

uint64_t terminal_tick(struct terminal *t, uint64_t now_us)
{
    bool is_away = console_is_away(t->console);
    if (is_away) console_continue(t->console);
    console_write(t->console);
    watch_for(t->watch, console_wants_to_read(t->console) && !t->is_held, console_wants_to_write(t->console));
    return is_away ? now_us + LOOK_US : UINT64_MAX;
}

/* --- opening and closing --- */

bool terminal_is_there(void)
{
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && ttyname(STDIN_FILENO);
}

static int watch_it(struct terminal *t, struct moth_loop *loop)
{
    static const int numbers[] = {SIGWINCH, SIGTSTP, SIGCONT, 0};
    int rc = watch_new(loop, console_fd(t->console), on_ready, t, &t->watch);
    if (rc == 0) t->signals = signal_watch_new(loop, numbers, on_signal, t);
    return rc;
}

static int enter(struct terminal *t, struct shell *shell, struct shell_terms *terms)
{
    terms->is_terminal = true;
    terms->width = console_width(t->console);
    terms->has_colour = terms->has_colour && console_has_colour(t->console);
    t->session = shell_enter(shell, &functions, t, terms);
    return t->session ? 0 : MOTH_EIO;
}

int terminal_open(struct moth_loop *loop, struct shell *shell, const char *history, struct shell_terms *terms,
                  struct terminal **out)
{
    struct terminal *t = mem_new(sizeof *t);
    struct console_setup setup = {.fd = open(ttyname(STDIN_FILENO), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC),
                                  .history = history, .on_line = on_line, .on_complete = on_complete, .owner = t};
    int rc = setup.fd < 0 ? MOTH_EIO : console_open(&setup, &t->console);
    if (rc == 0) rc = watch_it(t, loop);
    if (rc == 0) rc = enter(t, shell, terms);
    if (rc == 0) *out = t;
    else terminal_close(t);
    return rc;
}

void terminal_close(struct terminal *t)
{
    if (!t) return;
    watch_free(t->watch);
    signal_watch_free(t->signals);
    console_close(t->console);
    free(t);
}
