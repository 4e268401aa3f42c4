/* tmux.c -- terminals, their keys and their screens for tmux.h.
 *
 * What runs in a terminal belongs to the session that the terminal's first process leads, and is killed by that
 * session's number, whatever it started and however that was stopped. */
#include "tmux.h"
#include "folder.h"
#include "job.h"
#include "patience.h"
#include "pattern.h"
#include "tmux_server.h"

#include <ctype.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGUMENTS_MAX 96
#define VARIABLES_MAX 32
#define TERMINALS_MAX 16
#define PATH_BYTES 512
#define LOOK_MS 20

struct tmux {
    char label[64], home[PATH_BYTES], pane[16];
    pid_t pid;
    char *screen; /* what was read last */
};

static struct tmux *terminals[TERMINALS_MAX];
static size_t terminal_count;
static const char *added[VARIABLES_MAX];
static size_t added_count;

/* --- starting --- */

void tmux_set(const char *variable)
{
    if (added_count == VARIABLES_MAX) abort();
    added[added_count++] = variable;
}

static size_t append_variables(const char *out[ARGUMENTS_MAX], size_t n)
{
    static const char *const handed_on[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "MOTH_LUA_PATH"};
    static char variables[VARIABLES_MAX][PATH_BYTES];
    size_t used = 0;
    snprintf(variables[used++], PATH_BYTES, "PATH=%s", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    snprintf(variables[used++], PATH_BYTES, "HOME=%s", folder_path());
    snprintf(variables[used++], PATH_BYTES, "XDG_DATA_HOME=%s", folder_path());
    for (size_t i = 0; i < sizeof handed_on / sizeof *handed_on; i++) {
        const char *value = getenv(handed_on[i]);
        if (value) snprintf(variables[used++], PATH_BYTES, "%s=%s", handed_on[i], value);
    }
    for (size_t i = 0; i < used; i++) out[n++] = variables[i];
    for (size_t i = 0; i < added_count; i++) out[n++] = added[i];
    out[n++] = "TERM=screen-256color";
    out[n++] = "LANG=C.UTF-8";
    return n;
}

static struct tmux *add_terminal(const char *label)
{
    struct tmux *t = calloc(1, sizeof *t);
    if (!t || terminal_count == TERMINALS_MAX) abort();
    snprintf(t->label, sizeof t->label, "%s", label);
    terminals[terminal_count++] = t;
    return t;
}

/* When a program ends, tmux may drop what it said last: it looks whether there is something left to read only where a
 * pane is piped somewhere. */
static void keep_last_words(const struct tmux *t)
{
    TMUX_COMMAND("pipe-pane", "-t", t->pane, "cat >/dev/null");
}

struct tmux *tmux_start(const char *label, int columns, int rows, const char *const argv[])
{
    char width[16], height[16];
    const char *arguments[ARGUMENTS_MAX] = {
        "new-session", "-d", "-P", "-F", "#{pane_id} #{pane_pid}", "-x", width, "-y", height, "--", "env", "-i"};
    size_t n = append_variables(arguments, 12);
    int status, pid = 0;
    tmux_server_need();
    struct tmux *t = add_terminal(label);
    snprintf(width, sizeof width, "%d", columns);
    snprintf(height, sizeof height, "%d", rows);
    for (size_t i = 0; argv[i] && n < ARGUMENTS_MAX - 1; i++) arguments[n++] = argv[i];
    char *answer = tmux_server_ask(arguments, &status);
    if (status != 0 || sscanf(answer, "%15s %d", t->pane, &pid) != 2) fail_msg("%s: tmux gives no terminal", label);
    t->pid = pid;
    free(answer);
    keep_last_words(t);
    return t;
}

struct tmux *tmux_moth(const char *label, int columns, int rows, const char *const argv[])
{
    char words[1024], *rest = NULL;
    const char *arguments[ARGUMENTS_MAX];
    size_t n = 0;
    snprintf(words, sizeof words, "%s", getenv("MOTH_WRAP") ? getenv("MOTH_WRAP") : "");
    for (char *word = strtok_r(words, " ", &rest); word && n < 16; word = strtok_r(NULL, " ", &rest))
        arguments[n++] = word;
    arguments[n++] = getenv("MOTH") ? getenv("MOTH") : "build/moth";
    for (size_t i = 0; argv[i] && n < ARGUMENTS_MAX - 1; i++) arguments[n++] = argv[i];
    arguments[n] = NULL;
    return tmux_start(label, columns, rows, arguments);
}

static struct tmux *start_node(int columns, const char *name, const char *home, va_list rest)
{
    char place[PATH_BYTES], pattern[80];
    const char *argv[ARGUMENTS_MAX] = {"--home", place, "--name", name, "--listen", "127.0.0.1:0"};
    size_t n = 6;
    snprintf(place, sizeof place, "%s", home ? home : folder_new_path(name));
    while (n < ARGUMENTS_MAX - 1 && (argv[n] = va_arg(rest, const char *))) n++;
    struct tmux *t = tmux_moth(name, columns, TMUX_ROWS, argv);
    snprintf(t->home, sizeof t->home, "%s", place);
    snprintf(pattern, sizeof pattern, "^%s>$", name);
    tmux_expect(t, pattern, 2 * PROCESS_SOON_MS);
    return t;
}

struct tmux *tmux_node(const char *name, const char *home, ...)
{
    va_list rest;
    va_start(rest, home);
    struct tmux *t = start_node(TMUX_COLUMNS, name, home, rest);
    va_end(rest);
    return t;
}

struct tmux *tmux_narrow_node(int columns, const char *name, const char *home, ...)
{
    va_list rest;
    va_start(rest, home);
    struct tmux *t = start_node(columns, name, home, rest);
    va_end(rest);
    return t;
}

const char *tmux_home(const struct tmux *t)
{
    return t->home;
}

int tmux_pid(const struct tmux *t)
{
    return t->pid;
}

/* --- keys --- */

/* A word that ends with a semicolon would end tmux's command, were it not for a backslash. */
void tmux_type(struct tmux *t, const char *text)
{
    char word[8192];
    size_t bytes = strlen(text);
    bool ends = bytes > 0 && text[bytes - 1] == ';';
    snprintf(word, sizeof word, "%.*s%s", (int)(ends ? bytes - 1 : bytes), text, ends ? "\\;" : "");
    TMUX_COMMAND("send-keys", "-t", t->pane, "-l", "--", word);
}

void tmux_key(struct tmux *t, const char *key)
{
    TMUX_COMMAND("send-keys", "-t", t->pane, key);
}

void tmux_line(struct tmux *t, const char *format, ...)
{
    char text[8192];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    tmux_type(t, text);
    tmux_key(t, "Enter");
}

void tmux_paste(struct tmux *t, const char *text)
{
    TMUX_COMMAND("set-buffer", "-b", "pasted", "--", text);
    TMUX_COMMAND("paste-buffer", "-p", "-d", "-b", "pasted", "-t", t->pane);
}

void tmux_resize(struct tmux *t, int columns, int rows)
{
    char width[16], height[16];
    snprintf(width, sizeof width, "%d", columns);
    snprintf(height, sizeof height, "%d", rows);
    TMUX_COMMAND("resize-window", "-t", t->pane, "-x", width, "-y", height);
}

/* --- the screen --- */

/* Every [HH:MM:SS] as [00:00:00], and no empty rows at the end. */
static void level(char *text)
{
    static const char form[] = "[00:00:00]";
    for (char *at = text; (at = strchr(at, '[')); at++) {
        size_t i = 0;
        while (form[i] && (form[i] == '0' ? isdigit((unsigned char)at[i]) : at[i] == form[i])) i++;
        if (!form[i]) memcpy(at, form, sizeof form - 1);
    }
    size_t bytes = strlen(text);
    while (bytes > 0 && text[bytes - 1] == '\n') bytes--;
    text[bytes] = '\0';
}

static const char *keep(struct tmux *t, char *text, int status)
{
    if (status != 0) strcpy(text, ""); /* the terminal is closed */
    free(t->screen);
    t->screen = text;
    level(text);
    return text;
}

const char *tmux_screen(struct tmux *t)
{
    int status;
    char *text = TMUX_ASK(&status, "capture-pane", "-p", "-t", t->pane);
    return keep(t, text, status);
}

const char *tmux_all(struct tmux *t)
{
    int status;
    char *text = TMUX_ASK(&status, "capture-pane", "-p", "-J", "-S", "-", "-t", t->pane);
    return keep(t, text, status);
}

const char *tmux_colours(struct tmux *t)
{
    int status;
    char *text = TMUX_ASK(&status, "capture-pane", "-p", "-e", "-t", t->pane);
    return keep(t, text, status);
}

static const char *format_of(struct tmux *t, const char *format)
{
    int status;
    char *text = TMUX_ASK(&status, "display-message", "-p", "-t", t->pane, format);
    return keep(t, text, status);
}

const char *tmux_title(struct tmux *t)
{
    return format_of(t, "#{pane_title}");
}

void tmux_record(struct tmux *t, const char *path)
{
    char sink[PATH_BYTES + 16];
    snprintf(sink, sizeof sink, "exec cat >'%s'", path);
    TMUX_COMMAND("pipe-pane", "-t", t->pane, sink);
}

/* Row by row, for what cmocka prints at once is short. */
static void print_screen(struct tmux *t)
{
    char *rest = NULL;
    print_error("--- the screen of %s\n", t->label);
    tmux_screen(t);
    for (char *row = strtok_r(t->screen, "\n", &rest); row; row = strtok_r(NULL, "\n", &rest))
        print_error("| %s\n", row);
}

__attribute__((format(printf, 2, 3), noreturn)) static void fail_about(const struct tmux *t, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < terminal_count; i++) print_screen(terminals[i]);
    fail_msg("%s: %s", t->label, text);
    abort(); /* fail_msg does not return, but the compiler is not told */
}

/* The first row of `screen` that matches; it is cut off there. NULL: none. */
static char *find_row(char *screen, const char *pattern, int *count)
{
    char *rest = NULL, *found = NULL;
    *count = 0;
    for (char *row = strtok_r(screen, "\n", &rest); row; row = strtok_r(NULL, "\n", &rest)) {
        if (!pattern_matches(row, pattern)) continue;
        if (!found) found = row;
        ++*count;
    }
    return found;
}

static const char *wait_for_row(struct tmux *t, const char *(*look)(struct tmux *), const char *pattern, int ms)
{
    int64_t end_ms = patience_deadline(ms);
    for (;;) {
        int count;
        look(t);
        const char *row = find_row(t->screen, pattern, &count);
        if (row) return row;
        if (patience_now_ms() >= end_ms) fail_about(t, "no row like \"%s\" within %d ms", pattern, ms);
        process_listen(LOOK_MS);
    }
}

const char *tmux_expect(struct tmux *t, const char *pattern, int deadline_ms)
{
    return wait_for_row(t, tmux_screen, pattern, deadline_ms);
}

void tmux_expect_ever(struct tmux *t, const char *pattern, int deadline_ms)
{
    wait_for_row(t, tmux_all, pattern, deadline_ms);
}

int tmux_count(struct tmux *t, const char *pattern)
{
    int count;
    tmux_screen(t);
    find_row(t->screen, pattern, &count);
    return count;
}

void tmux_expect_none(struct tmux *t, const char *pattern)
{
    if (tmux_count(t, pattern) > 0) fail_about(t, "a row like \"%s\", which must not be", pattern);
}

/* Whether the screen ends with these rows; from the start of a row on. */
static bool ends_with(const char *screen, const char *rows)
{
    size_t bytes = strlen(screen), wanted = strlen(rows);
    if (wanted > bytes || strcmp(screen + bytes - wanted, rows) != 0) return false;
    return wanted == bytes || screen[bytes - wanted - 1] == '\n';
}

void tmux_expect_tail(struct tmux *t, const char *rows, int deadline_ms)
{
    int64_t end_ms = patience_deadline(deadline_ms);
    while (!ends_with(tmux_screen(t), rows)) {
        if (patience_now_ms() >= end_ms) fail_about(t, "within %d ms its last rows never were\n%s", deadline_ms, rows);
        process_listen(LOOK_MS);
    }
}

static int count_rows(const char *screen)
{
    int rows = 1;
    for (; *screen; screen++) rows += *screen == '\n';
    return rows;
}

void tmux_expect_cursor(struct tmux *t, int column, int above, int deadline_ms)
{
    int64_t end_ms = patience_deadline(deadline_ms);
    for (;;) {
        int x = -1, y = -1, row = count_rows(tmux_screen(t)) - 1 - above;
        sscanf(format_of(t, "#{cursor_x} #{cursor_y}"), "%d %d", &x, &y);
        if (x == column && y == row) return;
        if (patience_now_ms() >= end_ms)
            fail_about(t, "the cursor is in column %d of row %d, not in column %d of row %d", x, y, column, row);
        process_listen(LOOK_MS);
    }
}

int tmux_wraps(struct tmux *t)
{
    int status;
    char *rows = TMUX_ASK(&status, "capture-pane", "-p", "-S", "-", "-t", t->pane);
    int count = count_rows(keep(t, rows, status));
    return count - count_rows(tmux_all(t));
}

/* --- the end --- */

bool tmux_is_running(struct tmux *t)
{
    return strcmp(format_of(t, "#{pane_dead}"), "1") != 0;
}

/* How it ended, "" while nobody knows: tmux sees that the terminal is left before it learns of the status. */
static const char *end_of(struct tmux *t)
{
    return format_of(t, "#{?pane_dead,#{pane_dead_status}#{?pane_dead_signal,signal #{pane_dead_signal},},}");
}

void tmux_expect_end(struct tmux *t, int status, int deadline_ms)
{
    int64_t end_ms = patience_deadline(deadline_ms);
    char wanted[16];
    snprintf(wanted, sizeof wanted, "%d", status);
    while (*end_of(t) == '\0') {
        if (patience_now_ms() >= end_ms) fail_about(t, "it still runs after %d ms", deadline_ms);
        tmux_server_nudge();
        process_listen(LOOK_MS);
    }
    if (strcmp(end_of(t), wanted) != 0) fail_about(t, "it ended with status %s, not %s", end_of(t), wanted);
}

void tmux_signal(struct tmux *t, int number)
{
    if (!tmux_is_running(t)) fail_about(t, "it has ended already");
    kill(t->pid, number);
}

void tmux_close(struct tmux *t)
{
    TMUX_COMMAND("kill-pane", "-t", t->pane);
}

static void end_terminal(struct tmux *t)
{
    int64_t end_ms = patience_deadline(PROCESS_SOON_MS);
    while (job_kill_session(t->pid) > 0 && patience_now_ms() < end_ms) poll(NULL, 0, LOOK_MS);
    free(t->screen);
    free(t);
}

int tmux_cleanup(void **state)
{
    while (terminal_count > 0) end_terminal(terminals[--terminal_count]);
    tmux_server_end();
    added_count = 0;
    return process_cleanup(state);
}
