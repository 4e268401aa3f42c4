/* duration.h -- DUR as scripts write it: seconds as a number, or a text like "250ms", "1.5s", "1h30m". */
#ifndef SCRIPT_DURATION_H
#define SCRIPT_DURATION_H

#include <stdbool.h>

/* One or more numbers with a unit each (ms, s, m, h, d); a bare number is seconds. False: `text` is none. */
bool duration_parse(const char *text, double *seconds);

#endif
