/* terminal.h -- a shell at the terminal of the node's own process: a console, watched by the loop, as the front of a
 * session. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include "moth/loop.h"
#include "script/shell.h"

struct terminal;

/* Whether standard input and output are one: otherwise a person may type, but nothing can be shown above the line. */
bool terminal_is_there(void);

/* `terms` gets what the terminal says: its width, whether it has colours. `shell` is borrowed until terminal_close.
 * MOTH_EIO: it cannot be opened, or the shell cannot start. */
int terminal_open(struct moth_loop *loop, struct shell *shell, const char *history, struct shell_terms *terms,
                  struct terminal **out);
void terminal_close(struct terminal *t); /* before moth_loop_close; NULL is fine */

void terminal_interrupt(struct terminal *t); /* SIGINT */

/* Once per turn, after shell_tick: shows what was said. Returns like that. */
uint64_t terminal_tick(struct terminal *t, uint64_t now_us);

#endif
