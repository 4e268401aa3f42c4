/* replay.h -- a session as a guide shows it, done for real: is what the guide says what the program prints?
 *
 * Of the text, the blocks that start with "```console" count. In them, a line `$ COMMAND` is for a shell. A command
 * that starts moth with a prompt (`moth ...`, `build/moth ...`, `make run ARGS="..."`) gets a terminal of its own;
 * any other is run, and must print the lines below it, all of them. Commands of other programs than moth are not run:
 * what they do is not moth's. `ana> LINE`, also `ana to eva> LINE` and `...> LINE`, is typed into the terminal of ana:
 * the latest one that was started, or whom that name meant before. All other lines are what that terminal must show
 * from there on, in this order; what a block starts with, before any input, may be shown by whichever terminal. What
 * people did not ask for (lines that start with `* ` or a time in brackets) may stand in between, and empty lines.
 * `...` alone is any number of lines; how lines are compared stands in likeness.h.
 *
 * Files in /tmp are files in the test's own folder. */
#ifndef SCENARIO_REPLAY_H
#define SCENARIO_REPLAY_H

#include <stdbool.h>
#include <stddef.h>

/* How many console blocks a text has. */
size_t replay_blocks(const char *text);

/* False: `why` says at which line of the text the program does something else, and what. */
bool replay_run(const char *text, char *why, size_t capacity);

#endif
