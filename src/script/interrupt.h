/* interrupt.h -- a person's SIGINT and SIGTERM, seen before those who handle them.
 *
 * The loop is told of a signal only when it turns again, which an endless script keeps it from. So we stand in front of
 * its handlers, count, remember during which dispatch a SIGINT came, and call them. A dispatch that ended by itself is
 * not to be stopped any more: then the signal was for the loop alone. */
#ifndef SCRIPT_INTERRUPT_H
#define SCRIPT_INTERRUPT_H

#include <stdbool.h>

/* Handlers that are installed later do not call us. A signal that nobody handles stays as it is. */
void interrupt_watch(void);
void interrupt_unwatch(void);

/* How many signals came. Whoever waits in a system call tells them by that from those of the guard's timer. */
unsigned interrupt_count(void);

void interrupt_begin(void); /* of a dispatch */
void interrupt_end(void);
bool interrupt_take(void); /* true once: the dispatch that runs is to be stopped. Fit for a handler. */

#endif
