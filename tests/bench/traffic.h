/* traffic.h -- one sender, one receiver, a relay between them, and the numbers they share with the benchmark.
 *
 *   sender ---> relay ---> receiver        three processes; the middle one is measured
 *
 * The ends are children of the benchmark and do what `phase` says. FLOOD: bursts of `burst` messages, each burst one
 * write, one every `burst_ns` or as fast as the sender can, with at most 1,024 messages under way, until `goal` are
 * sent; so neither relay drops any. PACED: one message a millisecond, each stamped with its time of departure, which
 * the receiver turns into a latency. PROBE: one a millisecond until one arrives. */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include "moth/types.h"

#include <stdatomic.h>

#define MESSAGE_BYTES 128
#define BURST_MAX 256u
#define WINDOW 1024u
#define SAMPLES_MAX 16384u

enum phase { PHASE_REST, PHASE_PROBE, PHASE_FLOOD, PHASE_PACED };

struct traffic {
    unsigned port; /* of the relay */
    const char *sender_home, *receiver_home;
    _Atomic enum phase phase;
    _Atomic unsigned burst; /* at most BURST_MAX */
    _Atomic uint64_t burst_ns;
    _Atomic uint64_t goal, sent, received;
    _Atomic uint64_t sample_count;
    double latency_us[SAMPLES_MAX];
    _Atomic bool receiver_is_known;
    struct moth_id receiver;
    uint64_t next_ns; /* the sender's: when it may send again */
};

/* For the sender: how many messages may go now; whether it should ask again at once. For the receiver: one has come. */
unsigned traffic_due(struct traffic *t);
bool traffic_is_hurried(const struct traffic *t);
void traffic_stamp(uint8_t message[MESSAGE_BYTES]);
void traffic_arrived(struct traffic *t, const uint8_t *message);

/* For the benchmark. Waiting gives up when nothing arrives for ten seconds. */
void traffic_probe(struct traffic *t);
void traffic_begin(struct traffic *t, enum phase phase, uint64_t count, unsigned burst, uint64_t burst_ns);
void traffic_wait(struct traffic *t, uint64_t received);

/* The bodies of the four kinds of ends, for measure_fork; the context is the traffic. */
void moth_sender(void *traffic);
void moth_receiver(void *traffic);
void floor_sender(void *traffic);
void floor_receiver(void *traffic);

#endif
