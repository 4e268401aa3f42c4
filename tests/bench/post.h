/* post.h -- two nodes with durable mail between them, and the numbers they share with the benchmark.
 *
 *   sender ---> receiver        directly, or with a relay between them
 *
 * Both are children of the benchmark. The sender listens, or goes to the relay of `port`; the receiver goes where the
 * sender is, so that it may leave and return. The sender does as ordered: durable messages go one every `apart_ns`, or
 * as fast as it can with at most POST_WINDOW that are not answered yet (promised or delivered, whichever is awaited).
 * Light ones go one a millisecond, each stamped with its time of departure, which the receiver turns into a latency. */
#ifndef BENCH_POST_H
#define BENCH_POST_H

#include "moth/types.h"

#include <stdatomic.h>

#define POST_BYTES 100
#define POST_WINDOW 2048u
#define POST_SAMPLES_MAX 4096u

enum post_answer { POST_PROMISED, POST_DELIVERED, POST_ANSWERS };

struct post {
    _Atomic unsigned port; /* of the relay, or 0: where the sender will listen */
    char sender_home[600], receiver_home[600];
    struct moth_id receiver;
    _Atomic bool receiver_is_known;
    _Atomic bool is_ready;     /* the sender: `port` can be used */
    _Atomic bool is_reachable; /* the receiver, as the sender sees it */

    _Atomic enum post_answer awaited;
    _Atomic uint64_t apart_ns, goal, light_goal;

    _Atomic uint64_t sent, answers[POST_ANSWERS], light_sent, sample_count;
    _Atomic uint64_t begun_ns;                  /* first sent since it was zero */
    _Atomic uint64_t answered_ns[POST_ANSWERS]; /* the last answer */
    _Atomic uint64_t linked_ns;                 /* the last link came up */
    double latency_us[POST_SAMPLES_MAX];
};

/* The bodies of the two ends, for measure_fork; the context is the post. */
void post_sender(void *post);
void post_receiver(void *post);

/* The floor: the statements that accept a message, in groups, in a bare loop on a database that moth made. For
 * measure_fork; the context is this. */
struct bare_store {
    char home[600];
    uint64_t count;
    _Atomic uint64_t took_ns; /* 0: not done */
};
void bare_store_run(void *bare);

#endif
