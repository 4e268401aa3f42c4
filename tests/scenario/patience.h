/* patience.h -- how long a test waits, and what it thinks of how long something took.
 *
 * Deadlines are for a quick machine. MOTH_PATIENCE multiplies all of them, for slow machines and for checkers that
 * slow the program down. */
#ifndef SCENARIO_PATIENCE_H
#define SCENARIO_PATIENCE_H

#include <stdint.h>

int64_t patience_now_ms(void);
int patience_factor(void);
int64_t patience_deadline(int ms); /* the moment `ms` from now, multiplied */

/* Prints how long something took since `start_ms` beside its aim, as a warning when that is missed; fails at ten
 * times the aim, for a busy machine proves nothing. */
void patience_report(const char *what, int64_t start_ms, int aim_ms);

#endif
