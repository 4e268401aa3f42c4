/* once.h -- a program that is run once and waited for: its status, what it printed, and that read as JSON.
 *
 * For `moth do`, `moth doctor` and the like; who stays is an actor of process.h or tmux.h, and those are listened to
 * meanwhile. The environment is the test's own; the end comes by itself or at a deadline, which fails the test. */
#ifndef SCENARIO_ONCE_H
#define SCENARIO_ONCE_H

/* Runs a program, found in PATH, whose standard input is that file (NULL: empty). Returns its exit status, or 128 and
 * the signal that ended it. */
int once_run(const char *input, const char *const argv[]);

/* The program under test, MOTH, with these arguments. */
int once_moth(const char *const arguments[]);
#define ONCE_MOTH(...) once_moth((const char *const[]){__VA_ARGS__, NULL})

/* What the last one printed; valid until the next. */
const char *once_output(void);
const char *once_error(void);

/* That output through `jq -r FILTER`, without the last line end; valid until the next call. Fails the test when it is
 * no JSON, or the filter's answer is false or null; skips it without jq. Asking again asks about the same output. */
const char *once_jq(const char *filter);

/* Whether the output is the one JSON value that the filter says yes to. */
void once_expect_jq(const char *filter);

#endif
