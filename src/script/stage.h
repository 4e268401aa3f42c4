/* stage.h -- one run of a lab file: a Lua state, and the network that its script plays with.
 *
 * Time is that of the lab, all chance comes from the seed, so a run is a pure function of the file, the seed and this
 * program; but for those whose nodes are real processes. What a run is like is written in Lua (lua/moth/lab.lua); here
 * is the loop that turns between the wire and the scripts, and in stage_lab.c what Lua may do to the network. */
#ifndef SCRIPT_STAGE_H
#define SCRIPT_STAGE_H

#include "base/base.h"

#include <stdio.h>

#define STAGE_MACHINES_MAX 4096

struct stage;

struct stage_setup {
    const char *file;
    uint64_t seed;
    /* What the script prints, whole lines, safe for a terminal. NULL: nobody reads it. */
    void (*print)(void *owner, const char *text, size_t bytes);
    void *owner;
    FILE *trace; /* borrowed; NULL: none. See lab_record.h */
    bool is_real; /* for an entry with processes and sockets: time passes by itself */
};

/* Loads the file and finds what there is to run. NULL: it cannot; the reason is in `why`. */
#define STAGE_WHY_BYTES 4096
struct stage *stage_open(const struct stage_setup *setup, char why[STAGE_WHY_BYTES]);
void stage_close(struct stage *s);

struct stage_entry { /* one lab() or test() */
    const char *name; /* borrowed from the stage */
    unsigned seeds;   /* how many it asks for */
    bool is_real;     /* with processes and sockets */
};
size_t stage_count(const struct stage *s);
struct stage_entry stage_entry(const struct stage *s, size_t index);

struct stage_result {
    bool has_passed;
    char *text;          /* owned by the stage; what went wrong, lines for people; NULL: nothing to say */
    uint64_t hash;       /* over everything that happened */
    uint64_t virtual_us, events;
};

/* Runs one of them, once in the life of a stage. A lab file that loops for ever is ended by a signal, and the process
 * with it: its own code has no budget, for to start a thousand nodes takes a while. */
#define STAGE_SPIN_SECONDS 120 /* of processor time */
#define STAGE_SPIN_SIGNAL SIGVTALRM
struct stage_result stage_run(struct stage *s, size_t index);

#endif
