/* trial_trace.h -- two traces of the same run (record_trace of node/lab_record.h, one after the other), compared. */
#ifndef TRIAL_TRACE_H
#define TRIAL_TRACE_H

#include "base/buf.h"

#include <stdio.h>

bool trace_is_same(FILE *one, FILE *other);

/* Adds what differs first, and what came just before, as lines. */
void trace_tell_difference(FILE *one, FILE *other, struct buf *out);

#endif
