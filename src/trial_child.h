/* trial_child.h -- one run in a process of its own, and the pipe through which it speaks. */
#ifndef TRIAL_CHILD_H
#define TRIAL_CHILD_H

#include "base/buf.h"

#include <stdio.h>
#include <sys/types.h>

struct trial_order { /* what is to be run */
    const char *file; /* borrowed */
    size_t index;     /* of the entry in it */
    uint64_t seed;
    bool is_real;
    FILE *trace;      /* borrowed; NULL: none */
};

struct trial_outcome {
    bool has_result; /* else the process died before */
    bool has_passed;
    uint64_t hash, virtual_us, events;
    struct buf text; /* what went wrong */
};

struct child {
    pid_t pid;       /* 0: none runs */
    int fd;          /* of the pipe */
    struct buf in;   /* what of a frame has come */
    struct buf said; /* what it printed and nobody has taken yet */
    struct trial_outcome outcome;
};

/* 0, or a negative MOTH_E…: the system has no more processes or files. */
int child_start(struct child *c, const struct trial_order *order);

/* Reads what has come. True: that was all, it has ended, and `outcome` tells how. */
bool child_read(struct child *c);
void child_fini(struct child *c);

/* Asks it to end, and sees to it that it does; what it had to say is lost. */
void child_stop(struct child *c);

#endif
