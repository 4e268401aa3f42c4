/* doctor.h -- `moth doctor`: looks at all that a node needs, and says what helps where it is not well. */
#ifndef DOCTOR_H
#define DOCTOR_H

#include "options.h"

/* Prints a line for each thing it looked at to standard output: "ok", "warn" or "BAD", and for the last two a command
 * that helps, on a line of its own. Changes nothing. Returns the exit status: 1 when something is BAD. */
int doctor_run(const struct options *o);

#endif
