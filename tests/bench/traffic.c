/* traffic.c -- the counters between the benchmark and its two ends. */
#include "traffic.h"

#include "measure.h"

#include <string.h>

#define PACE_NS 1000000u
#define LATE_NS 1000000u
#define STUCK_NS 10000000000u
#define POLL_US 200

/* A sender that is late catches up: what counts is the mean. */
static bool is_time(struct traffic *t, uint64_t apart_ns)
{
    uint64_t now_ns = measure_now_ns();
    if (now_ns < t->next_ns) return false;
    t->next_ns = now_ns - t->next_ns < LATE_NS ? t->next_ns + apart_ns : now_ns + apart_ns;
    return true;
}

static unsigned flood_due(struct traffic *t)
{
    uint64_t left = t->goal - t->sent;
    if (t->sent + t->burst > t->received + WINDOW || !is_time(t, t->burst_ns)) return 0;
    return left < t->burst ? (unsigned)left : t->burst;
}

unsigned traffic_due(struct traffic *t)
{
    enum phase phase = t->phase;
    switch (phase) {
    case PHASE_REST: return 0;
    case PHASE_PROBE: return is_time(t, PACE_NS);
    case PHASE_FLOOD: return t->sent < t->goal ? flood_due(t) : 0;
    case PHASE_PACED: return t->sent < t->goal && is_time(t, PACE_NS);
    }
    return 0;
}

bool traffic_is_hurried(const struct traffic *t)
{
    return t->phase == PHASE_FLOOD && t->burst_ns > 0 && t->sent < t->goal;
}

void traffic_stamp(uint8_t message[MESSAGE_BYTES])
{
    uint64_t now_ns = measure_now_ns();
    memset(message, 'm', MESSAGE_BYTES);
    memcpy(message, &now_ns, sizeof now_ns);
}

void traffic_arrived(struct traffic *t, const uint8_t *message)
{
    uint64_t left_ns;
    if (t->phase == PHASE_PACED && t->sample_count < SAMPLES_MAX) {
        memcpy(&left_ns, message, sizeof left_ns);
        t->latency_us[t->sample_count++] = (double)(measure_now_ns() - left_ns) / 1e3;
    }
    t->received++;
}

void traffic_wait(struct traffic *t, uint64_t received)
{
    uint64_t last = t->received, since_ns = measure_now_ns();
    while (t->received < received) {
        if (t->received != last) since_ns = measure_now_ns();
        last = t->received;
        if (measure_now_ns() - since_ns > STUCK_NS)
            measure_give_up("the traffic stands still: %llu sent, %llu received", (unsigned long long)t->sent,
                            (unsigned long long)last);
        measure_sleep_us(POLL_US);
    }
}

/* Probes that were under way when the first arrived are waited for, then all counts begin anew. */
void traffic_probe(struct traffic *t)
{
    t->phase = PHASE_PROBE;
    traffic_wait(t, 1);
    t->phase = PHASE_REST;
    measure_sleep_us(500000);
    t->sent = t->received = t->goal = 0;
}

void traffic_begin(struct traffic *t, enum phase phase, uint64_t count, unsigned burst, uint64_t burst_ns)
{
    t->burst_ns = burst_ns;
    t->burst = burst;
    t->goal += count;
    t->phase = phase;
}
