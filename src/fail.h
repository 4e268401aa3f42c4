/* fail.h -- why the program cannot do what was asked, as a sentence on standard error. */
#ifndef FAIL_H
#define FAIL_H

#include "options.h"

#define STATUS_USAGE 2

/* "moth: " and the sentence. Returns `status`. */
int fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What moth_node_open refused; returns the exit status. */
int fail_to_start(const struct options *o, int rc);

#endif
