/* bench_relay.c -- what relaying costs: moth, with encryption on, beside a bare relay under the same traffic.
 *
 * Both relays run all the while, each with a sender and a receiver of its own (traffic.h); the rounds take turns, so
 * that what disturbs the machine disturbs both. First processor time: seven pairs of floods. Moth's ends send and
 * receive as fast as they can; the bare relay then carries the same bursts at the same speed. A round's figure is the
 * processor time the relay used between two counts of arrived messages, divided by their number. The size of the
 * bursts decides what is seen: in bursts of 16 the relay's system calls outweigh all else and both cost the same, in
 * bursts of 256 hardly more than the work on each message is left, of which the floor has next to none: there
 * encryption alone costs more than the floor's whole message. The budget stands beside all three. Then latency:
 * messages one at a time, from before the sender seals to after the receiver opened. Printed: figure, floor, and the
 * median of the pairs' ratios. */
#include "measure.h"
#include "traffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS 7u
#define FLOOD_LEAD 20000u /* messages of a round before the clock is read */
#define FLOOD_MESSAGES 120000u
#define LATENCY_ROUNDS 4u
#define LATENCY_MESSAGES 1000u

struct road {
    struct program relay;
    struct traffic *traffic;
    pid_t sender, receiver;
};

static void take_road(struct road *r, void (*sender)(void *), void (*receiver)(void *))
{
    r->traffic = measure_shared(sizeof *r->traffic);
    r->traffic->port = r->relay.port;
    r->traffic->sender_home = strdup(measure_new_home());
    r->traffic->receiver_home = strdup(measure_new_home());
    r->receiver = measure_fork(receiver, r->traffic);
    r->sender = measure_fork(sender, r->traffic);
    traffic_probe(r->traffic);
}

static void leave_road(struct road *r)
{
    measure_end_child(r->sender);
    measure_end_child(r->receiver);
    measure_stop(&r->relay);
    free((char *)(uintptr_t)r->traffic->sender_home);
    free((char *)(uintptr_t)r->traffic->receiver_home);
}

struct flood {
    double cpu_ns;     /* of the relay, a message */
    uint64_t burst_ns; /* how far apart the bursts came */
};

static struct flood flood(struct road *r, unsigned burst, uint64_t burst_ns)
{
    struct traffic *t = r->traffic;
    uint64_t goal = t->goal + FLOOD_MESSAGES;
    traffic_begin(t, PHASE_FLOOD, FLOOD_MESSAGES, burst, burst_ns);
    traffic_wait(t, goal - FLOOD_MESSAGES + FLOOD_LEAD);
    uint64_t cpu_ns = measure_cpu_ns(&r->relay), start_ns = measure_now_ns(), first = t->received;
    traffic_wait(t, goal);
    double count = (double)(goal - first);
    cpu_ns = measure_cpu_ns(&r->relay) - cpu_ns;
    t->phase = PHASE_REST;
    return (struct flood){(double)cpu_ns / count, (uint64_t)((double)(measure_now_ns() - start_ns) / count * burst)};
}

static void measure_cpu(struct road *moth, struct road *bare, unsigned burst)
{
    double moth_ns[PAIRS], floor_ns[PAIRS], ratios[PAIRS];
    for (unsigned i = 0; i < PAIRS; i++) {
        struct flood f = flood(moth, burst, 0);
        moth_ns[i] = f.cpu_ns;
        floor_ns[i] = flood(bare, burst, f.burst_ns).cpu_ns;
        ratios[i] = moth_ns[i] / floor_ns[i];
    }
    double ratio = measure_median(ratios, PAIRS);
    printf("relay_cpu_bursts_of_%u_ns %.0f %.0f %.2f\n", burst, measure_median(moth_ns, PAIRS),
           measure_median(floor_ns, PAIRS), ratio);
}

static void pace(struct road *r)
{
    traffic_begin(r->traffic, PHASE_PACED, LATENCY_MESSAGES, 1, 0);
    traffic_wait(r->traffic, r->traffic->goal);
    r->traffic->phase = PHASE_REST;
}

static void print_latency(const char *name, double percent, struct road *moth, struct road *bare)
{
    double moth_us = measure_percentile(moth->traffic->latency_us, moth->traffic->sample_count, percent);
    double floor_us = measure_percentile(bare->traffic->latency_us, bare->traffic->sample_count, percent);
    printf("%s %.0f %.0f %.2f\n", name, moth_us, floor_us, moth_us / floor_us);
}

static void measure_latency(struct road *moth, struct road *bare)
{
    for (unsigned i = 0; i < LATENCY_ROUNDS; i++) {
        pace(bare);
        pace(moth);
    }
    print_latency("relay_p50_us", 50, moth, bare);
    print_latency("relay_p99_us", 99, moth, bare);
}

int main(int argc, char **argv)
{
    static const unsigned bursts[] = {16, 64, 256};
    (void)argc;
    struct road moth = {.relay = measure_start_moth(measure_new_home(), "relay")};
    struct road bare = {.relay = measure_start_floor(argv[0])};
    take_road(&bare, floor_sender, floor_receiver);
    take_road(&moth, moth_sender, moth_receiver);
    for (size_t i = 0; i < sizeof bursts / sizeof *bursts; i++) measure_cpu(&moth, &bare, bursts[i]);
    measure_latency(&moth, &bare);
    leave_road(&moth);
    leave_road(&bare);
    return 0;
}
