/* console.c -- console.h over GNU readline's callback interface: the door to it.
 *
 * Readline writes into a stream of ours that ends in the queue, so it never waits for the terminal, and reads through a
 * function of ours, so it never waits for a key but in the midst of one. Once per turn the line being typed is taken
 * off the screen, what was said is put there, and the line comes back below it: one write for all of it. */
#include "cli/console_private.h"

#include "base/mem.h"
#include "cli/console_history.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#define KEY_MS 100           /* for the rest of a key, or of a paste */
#define ESCAPE_MS "20"       /* for what may follow a lone Escape, where it has a meaning of its own */
#define PREFIX_MS 250        /* after which it is no longer the beginning of a longer key */
#define LINE_BYTES_MAX (2 << 20) /* a paste of the largest size fits */
#define TAKE_BYTES 65536     /* shown at a time: a key that is pressed meanwhile is not far behind */
#define QUEUE_BYTES_MAX 262144 /* no more is read or shown while the terminal has so much to take */
#define DRAIN_MS 500
#define WIDTH_MIN 20

struct console *console_the;

static bool is_known_terminal(void)
{
    const char *term = getenv("TERM");
    return term && *term && strcmp(term, "dumb") != 0;
}

/* --- the two streams --- */

static ssize_t write_out(void *cookie, const char *bytes, size_t count)
{
    struct console *c = cookie;
    output_add(&c->output, bytes, count);
    return (ssize_t)count;
}

static int input_is_there(void)
{
    struct console *c = console_the;
    if (buf_bytes(&c->typed.input) == 0) typed_fill(&c->typed, c->fd);
    return buf_bytes(&c->typed.input) > 0;
}

/* Called by readline, which wants a key, or in the midst of one its rest. */
static int get_key(FILE *in)
{
    struct console *c = console_the;
    struct pollfd terminal = {.fd = c->fd, .events = POLLIN};
    (void)in;
    if (!input_is_there() && !c->typed.is_gone && poll(&terminal, 1, KEY_MS) > 0) typed_fill(&c->typed, c->fd);
    int byte = typed_take(&c->typed);
    return byte < 0 ? EOF : byte;
}

/* --- showing --- */

static int rows_of_screen(void)
{
    int rows, columns;
    rl_get_screen_size(&rows, &columns);
    return rows;
}

unsigned console_width(const struct console *c)
{
    int rows, columns;
    (void)c;
    rl_get_screen_size(&rows, &columns);
    return columns < WIDTH_MIN ? WIDTH_MIN : (unsigned)columns;
}

/* How many rows above the line being typed are surely on the screen. */
static unsigned reach(const struct console *c)
{
    unsigned columns = output_columns(slice_text(rl_line_buffer ? rl_line_buffer : "")), used = 2;
    columns += rl_prompt ? output_columns(slice_text(rl_prompt)) : 0;
    used += columns / console_width(c);
    for (const char *at = rl_line_buffer; at && (at = strchr(at, '\n')); at++) used++;
    unsigned rows = (unsigned)rows_of_screen();
    return rows > used ? rows - used : 0;
}

static bool is_editing(const struct console *c)
{
    return c->has_handler && !c->is_away && !c->ended;
}

static void take_waiting(struct console *c)
{
    if (!output_has_waiting(&c->output) || buf_bytes(&c->output.queue) > 0) return;
    if (is_editing(c)) {
        rl_clear_visible_line();
        fflush(c->out);
    }
    output_take(&c->output, TAKE_BYTES, console_width(c), is_editing(c) && is_known_terminal() ? reach(c) : 0);
    if (is_editing(c)) {
        rl_on_new_line();
        rl_redisplay();
        fflush(c->out);
    }
}

void console_write(struct console *c)
{
    fflush(c->out);
    do {
        take_waiting(c);
        if (output_write(&c->output, c->fd) < 0) return; /* it is gone: reading will tell */
    } while (output_has_waiting(&c->output) && buf_bytes(&c->output.queue) == 0);
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

/* --- lines --- */

static void remember(struct console *c, const char *line)
{
    HIST_ENTRY *last = history_length > 0 ? history_get(history_base + history_length - 1) : NULL;
    if (!history_wants(line) || (last && strcmp(last->line, line) == 0)) return;
    add_history(line);
    if (c->history) history_append(c->history, line);
}

static void stop_editing(struct console *c)
{
    if (c->has_handler) rl_callback_handler_remove();
    c->has_handler = false;
    fflush(c->out);
}

static void on_end(struct console *c)
{
    c->ended = true;
    stop_editing(c); /* where it ends pastes, readline ends the line, too */
    if (!is_known_terminal()) output_add(&c->output, "\n", 1);
    c->setup.on_line(c->setup.owner, NULL, 0);
}

static void on_entered(char *line)
{
    struct console *c = console_the;
    if (!line) {
        on_end(c);
        return;
    }
    remember(c, line);
    c->setup.on_line(c->setup.owner, line, strlen(line));
    rl_free(line);
}

/* In a talk the entered line is said again in another form; commands stay as they were typed. */
static bool is_erased(const struct console *c)
{
    bool is_command = rl_line_buffer[0] == '/' && rl_line_buffer[1] != '/';
    return c->erases && !is_command && rl_end > 0;
}

static int accept_line(int count, int key)
{
    struct console *c = console_the;
    if (!is_erased(c)) {
        output_forget(&c->output);
        return rl_newline(count, key);
    }
    rl_clear_visible_line();
    fflush(c->out);
    size_t bytes = buf_bytes(&c->output.queue);
    int rc = rl_newline(count, key);
    fflush(c->out);
    c->output.queue.end -= buf_bytes(&c->output.queue) - bytes; /* the end of a line that is not there any more */
    return rc;
}

static int clear_screen(int count, int key)
{
    output_forget(&console_the->output);
    return rl_clear_screen(count, key);
}

static void say_here(struct console *c, const char *text)
{
    console_print(c, text, strlen(text), 0);
}

/* As it is, but that line ends are ends of lines, and without what a terminal could obey that the editor shows as it is
 * (U+0080 to U+009F). What a search or a half key had begun is over. */
static void insert_paste(struct slice paste)
{
    char *text = mem_new(paste.bytes + 1), *to = text;
    for (size_t i = 0; i < paste.bytes; i++) {
        bool is_c1 = paste.data[i] == 0xc2 && i + 1 < paste.bytes && paste.data[i + 1] < 0xa0;
        if (is_c1) i++;
        else if (paste.data[i] != '\0') *to++ = paste.data[i] == '\r' ? '\n' : (char)paste.data[i];
    }
    rl_callback_sigcleanup();
    rl_insert_text(text);
    rl_redisplay();
    free(text);
}

static void drop_line(struct console *c)
{
    rl_callback_sigcleanup();
    rl_replace_line("", 1);
    rl_point = 0;
    rl_redisplay();
    say_here(c, "(the line grew beyond 2 MiB: it was dropped)\n");
}

/* One key, or one paste. False: the rest of one, or another, has to come first. */
static bool take_key(struct console *c)
{
    struct slice paste;
    switch (typed_next(&c->typed, &paste)) {
    case TYPED_NONE:
        if (c->typed.is_gone) rl_callback_read_char(); /* finds the end */
        return false;
    case TYPED_BYTE: rl_callback_read_char(); break;
    case TYPED_PASTE: insert_paste(paste); break;
    case TYPED_LOST_PASTE: say_here(c, "(a paste was left out: it was interrupted, or is larger than 1 MiB)\n"); break;
    }
    if (rl_end > LINE_BYTES_MAX) drop_line(c);
    return true;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void console_read(struct console *c)
{
    int64_t now = now_ms();
    if (!is_editing(c)) return;
    if (RL_ISSTATE(RL_STATE_MULTIKEY) && now - c->key_ms > PREFIX_MS) rl_callback_sigcleanup();
    c->key_ms = now;
    typed_fill(&c->typed, c->fd);
    while (is_editing(c) && take_key(c)) continue;
    fflush(c->out);
}

void console_prompt(struct console *c, const char *prompt)
{
    if (c->ended) return;
    if (!c->has_handler) {
        c->has_handler = true;
        if (!c->is_away) rl_callback_handler_install(prompt, on_entered);
        else rl_set_prompt(prompt);
    } else if (RL_ISSTATE(RL_STATE_DONE | RL_STATE_ISEARCH | RL_STATE_NSEARCH) || c->is_away) {
        rl_set_prompt(prompt); /* the new line comes by itself: on_entered runs, or something is being searched */
    } else {
        rl_clear_visible_line();
        rl_set_prompt(prompt);
        rl_on_new_line();
        rl_redisplay();
    }
    fflush(c->out);
}

void console_erase_entered(struct console *c, bool on)
{
    c->erases = on;
}

bool console_interrupt(struct console *c)
{
    if (!is_editing(c)) return false;
    bool had_text = typed_drop(&c->typed) || rl_end > 0 || RL_ISSTATE(RL_STATE_ISEARCH | RL_STATE_NSEARCH);
    rl_callback_sigcleanup();
    rl_point = rl_end;
    rl_redisplay();
    if (had_text) fputs("^C\n", c->out);
    output_forget(&c->output);
    rl_replace_line("", 1);
    using_history();
    if (had_text) rl_on_new_line();
    rl_redisplay();
    fflush(c->out);
    return had_text;
}

/* --- stopping, going on, sizes --- */

static bool is_in_front(const struct console *c)
{
    pid_t group = tcgetpgrp(c->fd);
    return group < 0 || group == getpgrp(); /* a terminal that controls nobody is ours */
}

static void drain(struct console *c, int ms)
{
    struct pollfd terminal = {.fd = c->fd, .events = POLLOUT};
    fflush(c->out);
    while (output_write(&c->output, c->fd) == 0 && buf_bytes(&c->output.queue) > 0)
        if (poll(&terminal, 1, ms) <= 0) return;
}

void console_suspend(struct console *c)
{
    if (is_editing(c)) {
        rl_callback_sigcleanup();
        rl_deprep_terminal();
        output_add(&c->output, "\n", 1);
        drain(c, DRAIN_MS);
    }
    c->is_away = true;
    output_forget(&c->output);
    raise(SIGSTOP);
}

void console_continue(struct console *c)
{
    if (!is_in_front(c)) {
        c->is_away = true; /* who was put there while it ran still has the terminal prepared; it is another's now */
        return;
    }
    if (!c->is_away) return;
    c->is_away = false;
    output_forget(&c->output);
    if (!c->has_handler || c->ended) return;
    if (!RL_ISSTATE(RL_STATE_CALLBACK)) { /* it began in the background */
        char *prompt = mem_text(rl_prompt ? rl_prompt : "");
        rl_callback_handler_install(prompt, on_entered);
        free(prompt);
    } else {
        rl_prep_term_function(1);
        rl_on_new_line();
        rl_redisplay();
    }
    fflush(c->out);
}

bool console_is_away(const struct console *c)
{
    return c->is_away;
}

void console_resize(struct console *c)
{
    output_forget(&c->output);
    if (is_editing(c)) rl_resize_terminal();
    fflush(c->out);
}

/* --- opening and closing --- */

static void load_entry(const char *entry)
{
    add_history(entry);
}

bool console_has_colour(const struct console *c)
{
    const char *no = getenv("NO_COLOR");
    (void)c;
    return is_known_terminal() && (!no || !*no);
}

static void bind_keys(void)
{
    static const char *const maps[] = {"emacs-standard", "vi-insert", "vi-command"};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        Keymap map = rl_get_keymap_by_name(maps[i]);
        rl_bind_key_in_map('\r', accept_line, map);
        rl_bind_key_in_map('\n', accept_line, map);
        rl_bind_key_in_map('L' & 0x1f, clear_screen, map);
    }
}

/* What was typed before a signal is not lost. */
static void prepare_terminal(int meta)
{
    struct termios modes;
    rl_prep_terminal(meta);
    if (tcgetattr(console_the->fd, &modes) < 0) return;
    modes.c_lflag |= NOFLSH;
    tcsetattr(console_the->fd, TCSANOW, &modes);
}

static void set_up_readline(struct console *c)
{
    rl_readline_name = "moth";
    rl_instream = c->in;
    rl_outstream = c->out;
    rl_getc_function = get_key;
    rl_prep_term_function = prepare_terminal;
    rl_input_available_hook = input_is_there;
    rl_catch_signals = 0;
    rl_catch_sigwinch = 0;
    rl_change_environment = 0;
    console_set_up_completion();
    rl_initialize();
    rl_variable_bind("enable-bracketed-paste", is_known_terminal() ? "on" : "off");
    rl_variable_bind("keyseq-timeout", ESCAPE_MS);
    rl_variable_bind("bell-style", "none"); /* it would go around the queue */
    rl_variable_bind("enable-meta-key", "off");
    rl_variable_bind("colored-completion-prefix", "off");
    bind_keys();
}

static FILE *open_out(struct console *c)
{
    cookie_io_functions_t functions = {.write = write_out};
    return fopencookie(c, "w", functions);
}

int console_open(const struct console_setup *setup, struct console **out)
{
    struct console *c = mem_new(sizeof *c);
    c->setup = *setup;
    c->fd = setup->fd;
    if (console_the || tcgetattr(c->fd, &c->before) < 0) {
        close(c->fd);
        free(c);
        return MOTH_EIO;
    }
    console_the = c;
    int in = dup(c->fd);
    c->in = in < 0 ? NULL : fdopen(in, "r");
    c->out = open_out(c);
    if (!c->in || !c->out) abort(); /* no memory, or no descriptors */
    c->history = mem_text(setup->history);
    c->is_away = !is_in_front(c);
    set_up_readline(c);
    using_history();
    stifle_history(HISTORY_ENTRIES_MAX);
    if (c->history) history_load(c->history, load_entry);
    *out = c;
    return 0;
}

void console_close(struct console *c)
{
    if (!c) return;
    bool shows_line = is_editing(c);
    if (shows_line && rl_end == 0) rl_clear_visible_line();
    take_waiting(c);
    if (shows_line) {
        if (rl_end == 0) rl_clear_visible_line();
        else output_add(&c->output, "\n", 1);
        rl_callback_handler_remove();
    }
    fflush(c->out);
    while (output_has_waiting(&c->output)) output_take(&c->output, SIZE_MAX, console_width(c), 0);
    drain(c, DRAIN_MS);
    if (is_in_front(c)) tcsetattr(c->fd, TCSADRAIN, &c->before);
    fclose(c->in);
    fclose(c->out);
    close(c->fd);
    output_fini(&c->output);
    typed_fini(&c->typed);
    console_forget_offers(c);
    clear_history();
    free(c->history);
    console_the = NULL;
    free(c);
}

int console_fd(const struct console *c)
{
    return c->fd;
}

bool console_wants_to_read(const struct console *c)
{
    return is_editing(c) && buf_bytes(&c->output.queue) < QUEUE_BYTES_MAX;
}

bool console_wants_to_write(const struct console *c)
{
    return buf_bytes(&c->output.queue) > 0 || output_has_waiting(&c->output);
}
