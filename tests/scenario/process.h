/* process.h -- whole programs as actors of a test: started, spoken to, listened to, never left behind.
 *
 * An actor is the real moth (environment MOTH, else build/moth; MOTH_WRAP may name a program and its options to run
 * it under) with pipes for all three streams. What it says is gathered line by line; a line that met an expectation
 * is used up, so that expecting twice means two lines, and lines that come in another order than thought disturb
 * nobody. Every wait has a deadline, multiplied by MOTH_PATIENCE for slow machines and checkers. Whatever goes wrong
 * fails the running test and prints what all actors heard and said. process_cleanup, the teardown of every test,
 * kills all actors by their number and removes their homes (folder.h); actors also die with the test program.
 * Patterns are those of pattern.h. */
#ifndef SCENARIO_PROCESS_H
#define SCENARIO_PROCESS_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdbool.h>
#include <cmocka.h>

#define PROCESS_SOON_MS 5000 /* for what should be there at once, on a machine that is busy with other things */

struct process; /* owned by the harness until process_cleanup */

/* Starts the program with these arguments and nothing else; `argv` ends with NULL. `label` is its name in the
 * transcript. */
struct process *process_start(const char *label, const char *const argv[]);
#define PROCESS_START(label, ...) process_start((label), (const char *const[]){__VA_ARGS__, NULL})

/* Starts a node: --home (a fresh one if `home` is NULL), --name, --listen 127.0.0.1:0 and then the arguments up to
 * NULL, which may override. Waits for its first line. */
struct process *process_node(const char *name, const char *home, ...) __attribute__((sentinel));

/* Known once the first line was seen. */
const char *process_home(const struct process *p);    /* of process_node */
const char *process_name(const struct process *p);
const char *process_id8(const struct process *p);     /* 8 hex digits */
unsigned process_port(const struct process *p);
const char *process_address(const struct process *p); /* HOST:PORT */
int process_pid(const struct process *p);             /* 0 when it has ended */

/* Waits for the first line `NAME (id8) listening on HOST:PORT`, or `not listening`. */
void process_expect_banner(struct process *p);

/* One line for its standard input. */
void process_say(struct process *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void process_say_part(struct process *p, const char *text); /* without a line end */
void process_close_stdin(struct process *p);

/* Waits for a line on standard output (error: standard error) and uses it up. Returns the line, valid until cleanup. */
const char *process_expect(struct process *p, const char *pattern, int deadline_ms);
const char *process_expect_error(struct process *p, const char *pattern, int deadline_ms);

/* The line on standard output after the one that was used last, whatever it is. */
const char *process_read_on(struct process *p, int deadline_ms);

/* Waits until one of two actors has said such a line, on either stream. */
void process_expect_either(struct process *p, struct process *q, const char *pattern, int deadline_ms);

/* Fails if an unused line of either stream matches now or within `watch_ms`. Prefer 0 after the answer to a later
 * command. */
void process_expect_none(struct process *p, const char *pattern, int watch_ms);

/* Repeats a command until a line after it matches. For what becomes true, where process_expect is for what is said
 * once. */
const char *process_ask(struct process *p, const char *command, const char *pattern, int deadline_ms);

/* True when a line, used or not, matches. */
bool process_has_said(const struct process *p, const char *pattern);

/* Says `connect` with the other's address and waits until both are linked. */
void process_connect(struct process *p, const struct process *to);

/* Says `quit` and expects the status 0. */
void process_quit(struct process *p);

/* Its exit status, or 128 and the signal that ended it. Fails when it still runs at the deadline. */
int process_wait(struct process *p, int deadline_ms);
bool process_is_running(struct process *p);
void process_signal(struct process *p, int number);

/* Reads what all actors say for a while; for loops that wait for something else than a line. */
void process_listen(int ms);

/* The teardown of every test. */
int process_cleanup(void **state);

#define PROCESS_TEST(name) cmocka_unit_test_teardown(name, process_cleanup)

#endif
