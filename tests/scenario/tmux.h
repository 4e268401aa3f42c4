/* tmux.h -- a person's terminal: the program in it, keys into it, and what the screen shows.
 *
 * Terminals are panes of a tmux server that belongs to the running test: no configuration, its socket in the test's
 * folder (folder.h), started with the first terminal, killed with all sessions in it at teardown; it dies with the
 * test program, too. Without tmux a test that asks for a terminal is skipped. The program's environment is nothing
 * but what stands in tmux.c and what tmux_set added.
 *
 * A screen is text: rows without the blanks at their ends, without the empty rows below, every time of day as
 * [00:00:00], so that a test can say exactly how it should look. Every wait has a deadline, multiplied by
 * MOTH_PATIENCE; whatever goes wrong prints all screens and fails the test. Patterns are those of pattern.h, but a
 * screen that is given whole is compared letter by letter. */
#ifndef SCENARIO_TMUX_H
#define SCENARIO_TMUX_H

#include "process.h"

#define TMUX_COLUMNS 80
#define TMUX_ROWS 24

struct tmux; /* one terminal; owned by the kit until tmux_cleanup */

/* One more variable, NAME=VALUE, for the terminals that are started from now on. */
void tmux_set(const char *variable);

/* Runs a command (the program under test: tmux_moth) in a terminal of that size. */
struct tmux *tmux_start(const char *label, int columns, int rows, const char *const argv[]);
struct tmux *tmux_moth(const char *label, int columns, int rows, const char *const argv[]);
#define TMUX_MOTH(label, ...) tmux_moth((label), TMUX_COLUMNS, TMUX_ROWS, (const char *const[]){__VA_ARGS__, NULL})

/* A node with --home (a fresh one if `home` is NULL), --name, --listen 127.0.0.1:0 and then the arguments up to NULL.
 * Waits for its prompt. */
struct tmux *tmux_node(const char *name, const char *home, ...) __attribute__((sentinel));
struct tmux *tmux_narrow_node(int columns, const char *name, const char *home, ...) __attribute__((sentinel));

const char *tmux_home(const struct tmux *t); /* of tmux_node */
int tmux_pid(const struct tmux *t);          /* of the command, which leads its session */

/* --- keys --- */

void tmux_type(struct tmux *t, const char *text); /* as it is */
void tmux_key(struct tmux *t, const char *key);   /* by tmux's names: Enter, Escape, C-r, Up, Tab */
void tmux_line(struct tmux *t, const char *format, ...) __attribute__((format(printf, 2, 3))); /* and Enter */
void tmux_paste(struct tmux *t, const char *text); /* bracketed when the program asked for it */
void tmux_resize(struct tmux *t, int columns, int rows);

/* --- the screen --- */

/* What it shows now, rows ended by line ends; valid until the next call about this terminal. */
const char *tmux_screen(struct tmux *t);
const char *tmux_all(struct tmux *t);     /* with what has left it at the top; wrapped lines are one */
const char *tmux_colours(struct tmux *t); /* with the escape sequences of colours */
const char *tmux_title(struct tmux *t);

/* From now on all bytes that come for the screen are written into this file, too. */
void tmux_record(struct tmux *t, const char *path);

/* Waits for a row that matches. Returns it, valid like a screen. */
const char *tmux_expect(struct tmux *t, const char *pattern, int deadline_ms);

/* The same among all lines that were ever shown. */
void tmux_expect_ever(struct tmux *t, const char *pattern, int deadline_ms);

/* Waits until the last rows are exactly these, separated by line ends. */
void tmux_expect_tail(struct tmux *t, const char *rows, int deadline_ms);

/* Waits until the cursor stands behind that many columns, so many rows above the last one that is not empty. */
void tmux_expect_cursor(struct tmux *t, int column, int above, int deadline_ms);

/* Fails if a row matches now. */
void tmux_expect_none(struct tmux *t, const char *pattern);

/* How many rows match now. */
int tmux_count(struct tmux *t, const char *pattern);

/* How many rows, of all that were ever shown, are the rest of a line that did not fit. */
int tmux_wraps(struct tmux *t);

/* --- the end --- */

/* Waits until the command has ended, with this status; its last screen stays. */
void tmux_expect_end(struct tmux *t, int status, int deadline_ms);
bool tmux_is_running(struct tmux *t);

/* A signal for the command alone, not for what it started. */
void tmux_signal(struct tmux *t, int number);

/* Closes the terminal, as one closes a window. */
void tmux_close(struct tmux *t);

/* The teardown of every test; that of process.h as well. */
int tmux_cleanup(void **state);

#define TMUX_TEST(name) cmocka_unit_test_teardown(name, tmux_cleanup)

#endif
