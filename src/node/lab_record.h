/* lab_record.h -- what happened in a lab: the last events as lines for people, and figures over all of them.
 *
 * It is told of every event of every node and keeps the newest 8,192; names are put in when somebody looks. Times are
 * the lab's. */
#ifndef NODE_LAB_RECORD_H
#define NODE_LAB_RECORD_H

#include "node/lab.h"

#include <stdio.h>

struct record;

struct record *record_new(struct lab *lab); /* borrowed */
void record_free(struct record *r);

void record_name(struct record *r, unsigned machine); /* its node runs: from now on its id has a name */
const char *record_name_of(const struct record *r, unsigned machine, struct moth_id *id); /* NULL: it has none yet */
void record_event(struct record *r, unsigned machine, const struct moth_event *event);
void record_note(struct record *r, const char *text); /* what the experimenter did; copied */
void record_log(struct record *r, const char *text);  /* the same, but no part of the trace: it may tell of real time */

/* What the experimenter did may move routes: figures about convergence count from the last such time. */
void record_disturbed(struct record *r);
void record_changed(struct record *r); /* mail is on its way, before any event tells of it */

/* The newest events, at most `most`, in order, as lines without an end; only those of one machine and notes, or with
 * RECORD_ALL of all. */
#define RECORD_ALL UINT32_MAX
#define RECORD_LINE_BYTES 256
void record_lines(const struct record *r, unsigned machine, size_t most,
                  void (*each)(void *context, const char *line), void *context);

struct record_figures {
    uint64_t received;          /* messages given to owners, again or not */
    uint64_t events;            /* of nodes */
    uint64_t most_deliveries;   /* of one durable message to its recipient's owner, redelivered ones aside */
    uint64_t changed_us;        /* when a link, a route or the state of mail changed last */
    uint64_t routed_us, disturbed_us; /* when a route changed last; see record_disturbed */
    uint64_t hops, shortest;    /* sums over received messages: hops they took, and would have taken at least */
};
struct record_figures record_figures(const struct record *r);

/* How long messages took, in milliseconds: the least that `per_mille` of them did not exceed; 0 without messages. */
uint64_t record_quantile_ms(struct record *r, unsigned per_mille);

/* From now on a fixed-size entry for each event and note goes to that file, borrowed; NULL: none. */
struct record_trace {
    uint64_t at_us, hash; /* of what it was about */
    uint32_t machine;     /* RECORD_ALL: a note */
    uint32_t other;       /* with bytes on the wire: who gets them; else RECORD_ALL */
    uint32_t kind;        /* of the event */
    uint32_t bytes;
};
void record_to(struct record *r, FILE *file);
void record_delivery(struct record *r, uint64_t at_us, unsigned from, unsigned to, uint64_t bytes, uint64_t hash);

const char *record_kind_name(uint32_t kind); /* "message", "link up" and so on */

#endif
