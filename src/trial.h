/* trial.h -- moth lab: runs the labs and tests of files, each seed in a process of its own.
 *
 * A run that crashes takes nobody along, and none knows of the ones before it. What it prints and what became of it
 * come through a pipe (trial_child.h); here is who runs when, and what people are told. */
#ifndef TRIAL_H
#define TRIAL_H

#include "options.h"

/* Returns the exit status: 1 when something failed. */
int trial_run(const struct options *o);

#endif
