/* console_kit.h -- a console on a terminal whose other end is a small imagined screen: what tests of it share.
 *
 * The screen knows what a line editor uses: moving, erasing, inserting, and that a full row ends only with the next
 * character. Rows that leave it at the top are kept, so a test sees all that was ever said. */
#ifndef TESTS_CONSOLE_KIT_H
#define TESTS_CONSOLE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/console.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#define KIT_ROWS_MAX 4096
#define KIT_COLUMNS_MAX 200
#define KIT_SOON_MS 20000
#define KIT_LINES 64
#define PLENTY 65536
#define KIT_SKIPPED 77
#define KIT_TESTS 100
#define SKIP_PLAIN() do { if (!k->is_raw) _exit(KIT_SKIPPED); } while (0) /* the terminal itself edits the line */

struct screen {
    unsigned rows, columns, top; /* rows above `top` have left it */
    unsigned row, column;        /* the cursor; row counts from the first there ever was */
    bool is_full;                /* the last column was written, the cursor is still there */
    wchar_t cells[KIT_ROWS_MAX][KIT_COLUMNS_MAX]; /* 0: nothing, or the second half of a wide one */
    char pending[64];
    size_t pending_bytes;
};

struct kit {
    int master, slave;
    struct console *console;
    bool is_raw; /* each key comes at once: there is a line editor */
    struct screen screen;
    char lines[KIT_LINES][PLENTY];
    unsigned line_count, ends;
    const char *const *words;
    char raw[PLENTY]; /* the last bytes the screen got */
    size_t raw_bytes;
};

/* --- the screen --- */

static inline void screen_erase(struct screen *s, unsigned row, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) s->cells[row][i] = 0;
}

static inline void screen_next_row(struct screen *s)
{
    assert_true(s->row + 1 < KIT_ROWS_MAX);
    s->row++;
    if (s->row >= s->top + s->rows) s->top++;
}

static inline void screen_put(struct screen *s, wchar_t c)
{
    unsigned width = (unsigned)wcwidth(c);
    if (width == 0 || width > 2) return;
    if (s->is_full || s->column + width > s->columns) {
        screen_next_row(s);
        s->column = 0;
    }
    s->cells[s->row][s->column] = c;
    if (width == 2) s->cells[s->row][s->column + 1] = 0;
    s->is_full = s->column + width >= s->columns;
    s->column = s->is_full ? s->columns - 1 : s->column + width;
}

static inline void screen_shift(struct screen *s, int by)
{
    wchar_t *row = s->cells[s->row];
    unsigned n = (unsigned)abs(by), rest = s->columns - s->column;
    if (n > rest) n = rest;
    if (by > 0) wmemmove(row + s->column + n, row + s->column, rest - n);
    else wmemmove(row + s->column, row + s->column + n, rest - n);
    if (by > 0) screen_erase(s, s->row, s->column, s->column + n);
    else screen_erase(s, s->row, s->columns - n, s->columns);
}

static inline void screen_control(struct screen *s, char final, unsigned n, bool given)
{
    unsigned by = given && n > 0 ? n : 1;
    s->is_full = s->is_full && (final == 'm' || final == 'h' || final == 'l');
    switch (final) {
    case 'A': s->row = s->row - s->top > by ? s->row - by : s->top; break;
    case 'B': s->row = s->row + by < s->top + s->rows ? s->row + by : s->top + s->rows - 1; break;
    case 'C': s->column = s->column + by < s->columns ? s->column + by : s->columns - 1; break;
    case 'D': s->column = s->column > by ? s->column - by : 0; break;
    case 'G': s->column = by - 1; break;
    case 'H': s->row = s->top, s->column = 0; break;
    case 'K': screen_erase(s, s->row, n == 1 || n == 2 ? 0 : s->column, s->columns); break;
    case 'J':
        if (n == 2)
            for (unsigned row = s->top; row < s->top + s->rows; row++) screen_erase(s, row, 0, s->columns);
        if (n == 0) {
            screen_erase(s, s->row, s->column, s->columns);
            for (unsigned row = s->row + 1; row < s->top + s->rows; row++) screen_erase(s, row, 0, s->columns);
        }
        break;
    case 'P': screen_shift(s, -(int)by); break;
    case '@': screen_shift(s, (int)by); break;
    case 'm': case 'h': case 'l': break;
    default: fail_msg("the screen does not know ESC [ %u %c", n, final);
    }
}

/* Whether the bytes that wait are a whole character or sequence; then it is done. */
static inline bool screen_take_pending(struct screen *s)
{
    const char *p = s->pending;
    size_t n = s->pending_bytes;
    if (p[0] == '\033') {
        if (n == 1) return false;
        if (p[1] != '[') return true; /* keypads and the like */
        if (n == 2 || p[n - 1] < 0x40) return false;
        screen_control(s, p[n - 1], (unsigned)strtoul(p + 2, NULL, 10), p[2] >= '0' && p[2] <= '9');
        return true;
    }
    wchar_t c;
    mbstate_t state = {0};
    size_t used = mbrtowc(&c, p, n, &state);
    if (used == (size_t)-2) return false;
    screen_put(s, used == (size_t)-1 ? L'?' : c);
    return true;
}

static inline void screen_feed(struct screen *s, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (s->pending_bytes == 0 && (uint8_t)text[i] < ' ' && text[i] != '\033') {
            if (text[i] == '\r') s->column = 0;
            else if (text[i] == '\b' && s->column > 0) s->column--;
            else if (text[i] == '\n') screen_next_row(s);
            s->is_full = false;
            continue;
        }
        assert_true(s->pending_bytes < sizeof s->pending - 1);
        s->pending[s->pending_bytes++] = text[i];
        s->pending[s->pending_bytes] = '\0';
        if (screen_take_pending(s)) s->pending_bytes = 0;
    }
}

/* The text of a row, without blanks at its end. */
static inline const char *screen_row(const struct screen *s, unsigned row)
{
    static char text[KIT_COLUMNS_MAX * 4 + 1];
    size_t used = 0, end = 0;
    for (unsigned i = 0; i < s->columns; i++) {
        wchar_t c = s->cells[row][i];
        bool is_second_half = c == 0 && i > 0 && wcwidth(s->cells[row][i - 1]) == 2;
        if (is_second_half) continue;
        if (c == 0 || c == L' ') text[used++] = ' ';
        else used += (size_t)wctomb(text + used, c);
        if (c != 0 && c != L' ') end = used;
    }
    text[end] = '\0';
    return text;
}

/* --- the console on it --- */

static inline int64_t kit_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void kit_on_line(void *owner, const char *text, size_t bytes)
{
    struct kit *k = owner;
    if (!text) {
        k->ends++;
        return;
    }
    assert_true(k->line_count < KIT_LINES && bytes < PLENTY);
    memcpy(k->lines[k->line_count++], text, bytes); /* zeroed before */
}

static inline void kit_on_complete(void *owner, struct console *c, const char *line, size_t bytes, size_t start)
{
    struct kit *k = owner;
    for (size_t i = 0; k->words && k->words[i]; i++)
        if (strncmp(k->words[i], line + start, bytes - start) == 0)
            console_offer(c, k->words[i], strlen(k->words[i]));
}

static inline void kit_size(struct kit *k, unsigned rows, unsigned columns)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    assert_int_equal(ioctl(k->master, TIOCSWINSZ, &size), 0);
    k->screen.rows = rows;
    k->screen.columns = columns;
}

static inline void kit_terminal(struct kit *k, unsigned rows, unsigned columns)
{
    k->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (k->master < 0 || grantpt(k->master) < 0 || unlockpt(k->master) < 0) skip();
    k->slave = open(ptsname(k->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(k->slave >= 0);
    kit_size(k, rows, columns);
}

static inline int kit_open_console(struct kit *k, const char *history)
{
    struct console_setup setup = {.fd = open(ptsname(k->master), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK),
                                  .history = history, .on_line = kit_on_line, .on_complete = kit_on_complete,
                                  .owner = k};
    return console_open(&setup, &k->console);
}

static inline void kit_first_prompt(struct kit *k)
{
    struct termios modes;
    console_prompt(k->console, "ana> ");
    console_write(k->console);
    assert_int_equal(tcgetattr(k->slave, &modes), 0);
    k->is_raw = !(modes.c_lflag & ICANON);
}

static inline struct kit *kit_new(unsigned rows, unsigned columns, const char *history)
{
    struct kit *k = mem_new(sizeof *k);
    unsetenv("LC_ALL");
    unsetenv("LC_CTYPE");
    setenv("LANG", "C.UTF-8", 1);
    kit_terminal(k, rows, columns);
    assert_int_equal(kit_open_console(k, history), 0);
    kit_first_prompt(k);
    return k;
}

/* What the terminal has for the screen now. */
static inline bool kit_look(struct kit *k)
{
    char text[4096];
    ssize_t n = read(k->master, text, sizeof text);
    if (n <= 0) return false;
    screen_feed(&k->screen, text, (size_t)n);
    if (k->raw_bytes + (size_t)n >= sizeof k->raw) k->raw_bytes = 0;
    memcpy(k->raw + k->raw_bytes, text, (size_t)n);
    k->raw_bytes += (size_t)n;
    k->raw[k->raw_bytes] = '\0';
    return true;
}

static inline void kit_close_console(struct kit *k)
{
    console_close(k->console);
    k->console = NULL;
    while (kit_look(k)) continue;
}

static inline void kit_free(struct kit *k)
{
    if (k->console) kit_close_console(k);
    close(k->slave);
    if (k->master >= 0) close(k->master);
    free(k);
}

static inline void kit_serve(struct kit *k)
{
    struct pollfd fd = {.fd = console_fd(k->console), .events = POLLIN};
    if (console_wants_to_read(k->console) && poll(&fd, 1, 0) > 0) console_read(k->console);
    console_write(k->console);
}

static inline void kit_turn(struct kit *k)
{
    struct pollfd fds[] = {{.fd = console_fd(k->console), .events = POLLIN}, {.fd = k->master, .events = POLLIN}};
    if (!console_wants_to_read(k->console)) fds[0].fd = -1;
    poll(fds, 2, 5);
    kit_serve(k);
    while (kit_look(k)) continue;
}

static inline void kit_print_screen(struct kit *k)
{
    for (unsigned row = 0; row <= k->screen.row; row++) print_error("%4u|%s\n", row, screen_row(&k->screen, row));
}

/* Turns until `holds`; a test that waits for what never comes fails. */
#define KIT_UNTIL(k, holds) do { \
        int64_t end_ms_ = kit_now_ms() + KIT_SOON_MS; \
        while (!(holds)) { \
            if (kit_now_ms() > end_ms_) { \
                kit_print_screen(k); \
                fail_msg("never: %s", #holds); \
            } \
            kit_turn(k); \
        } \
    } while (0)

static inline void kit_type(struct kit *k, const char *keys)
{
    assert_int_equal(write(k->master, keys, strlen(keys)), strlen(keys));
}

static inline void kit_say(struct kit *k, const char *text, uint32_t tag)
{
    console_print(k->console, text, strlen(text), tag);
}

static inline const char *kit_row(struct kit *k, int up) /* from the cursor's row */
{
    return screen_row(&k->screen, k->screen.row - (unsigned)up);
}

/* The rows from `up` above the cursor on, joined by |. */
static inline bool kit_shows(struct kit *k, const char *rows)
{
    unsigned count = 1;
    for (const char *at = rows; (at = strchr(at, '|')); at++) count++;
    if (k->screen.row + 1 < count) return false;
    unsigned row = k->screen.row + 1 - count;
    for (const char *at = rows, *stop; count-- > 0; at = stop + 1, row++) {
        stop = strchr(at, '|');
        size_t bytes = stop ? (size_t)(stop - at) : strlen(at);
        const char *text = screen_row(&k->screen, row);
        if (strlen(text) != bytes || memcmp(text, at, bytes) != 0) return false;
        if (!stop) break;
    }
    return true;
}

static inline bool kit_has_row(struct kit *k, const char *text)
{
    for (unsigned row = 0; row < k->screen.top + k->screen.rows; row++)
        if (strcmp(screen_row(&k->screen, row), text) == 0) return true;
    return false;
}

/* --- one console a process, so one process a test --- */

static inline void kit_become(char *name, int log)
{
    char program[] = "console", *arguments[] = {program, name, NULL};
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execv("/proc/self/exe", arguments);
    _exit(127);
}

static inline void kit_print_log(int log)
{
    char text[4096];
    ssize_t n;
    for (off_t at = 0; (n = pread(log, text, sizeof text - 1, at)) > 0; at += n) {
        text[n] = '\0';
        print_error("%s", text);
    }
}

static inline void kit_run_alone(void **state)
{
    int log = memfd_create("log", MFD_CLOEXEC), status;
    pid_t child = fork();
    assert_true(log >= 0 && child >= 0);
    if (child == 0) kit_become(*state, log);
    assert_int_equal(waitpid(child, &status, 0), child);
    bool is_skipped = WIFEXITED(status) && WEXITSTATUS(status) == KIT_SKIPPED;
    if (status != 0 && !is_skipped) kit_print_log(log);
    close(log);
    if (is_skipped) skip();
    assert_int_equal(status, 0);
}

static inline int kit_run_each_alone(const struct CMUnitTest *tests, size_t count)
{
    struct CMUnitTest alone[KIT_TESTS];
    for (size_t i = 0; i < count; i++)
        alone[i] = (struct CMUnitTest){tests[i].name, kit_run_alone, NULL, NULL, (void *)tests[i].name};
    return _cmocka_run_group_tests("tests", alone, count, NULL, NULL);
}

#endif
