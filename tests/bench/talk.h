/* talk.h -- two nodes that talk, one of them or both with a script, and the numbers they share with the benchmark.
 *
 * The caller goes to the listener. With a script it does what that says; without one it does as ordered: sends `goal`
 * messages of 100 bytes, light or durable, as fast as it can with at most so many that are not answered yet. Light ones
 * are answered by an "ack" with their count after every 256th, durable ones each by another. */
#ifndef BENCH_TALK_H
#define BENCH_TALK_H

#include "moth/types.h"

#include <stdatomic.h>

#define TALK_BYTES 100
#define TALK_ACK_EVERY 256u
#define TALK_SAMPLES_MAX 64u

extern const char talk_text[TALK_BYTES + 1];

struct talk_samples { /* what a script printed under one name */
    _Atomic unsigned count;
    double values[TALK_SAMPLES_MAX];
};

struct talk {
    char listener_home[600], caller_home[600];
    const char *listener_script, *caller_script; /* NULL: none */
    _Atomic unsigned port;
    struct moth_id listener;
    _Atomic bool is_reachable; /* the listener, as the caller sees it */

    bool is_durable;
    unsigned window;
    _Atomic uint64_t goal, sent, answered, delivered;
    _Atomic uint64_t begun_ns, ended_ns; /* the first sent, the last answered */
    struct talk_samples at_once, alone;
};

/* The bodies of the two processes, for measure_fork; the context is the talk. */
void talk_listener(void *talk);
void talk_caller(void *talk);

/* The count in an ack; 0: it is none. */
uint64_t talk_ack(const struct moth_event *event);

/* What a node without a script does with what it hears: counts it in `*count`, and says so. */
void talk_hear(struct moth_node *node, const struct moth_event *event, uint64_t *count);

#endif
