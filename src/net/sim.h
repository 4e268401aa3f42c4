/* sim.h -- an imaginary wire: many transports, one virtual clock, one seed.
 *
 * Everything that happens is an event in one queue ordered by time and then by age, and all chance comes from the seed,
 * so the same calls give the same run, byte for byte. Each endpoint is a machine with an address of its own, 10.x.y.z.
 *
 * A way leads from one machine to another, the way back is a way of its own. All ways are alike until told otherwise,
 * and only those that differ take memory, as only machines do that somebody asked for. A way has a latency and may have
 * a rate; connections over it never reorder what they carry. It can be cut: openly (both ends see their connections
 * close, dials fail at once) or silently (bytes and closes wait for the way to be joined, dials time out), as a dead
 * router would have it. */
#ifndef NET_SIM_H
#define NET_SIM_H

#include "net/transport.h"

struct sim;

/* At most `endpoints_max` machines. */
struct sim *sim_new(uint64_t seed, unsigned endpoints_max);
void sim_free(struct sim *s);

uint64_t sim_now_us(const struct sim *s);
uint64_t sim_random(struct sim *s);       /* the wire's own chance */
uint64_t sim_draw(uint64_t *state);       /* the next number of a stream of one's own */
uint64_t sim_hash(const struct sim *s);   /* over every delivery so far: when, from whom, to whom, what */
uint64_t sim_bytes(const struct sim *s);  /* delivered so far, all together */
uint64_t sim_events(const struct sim *s); /* that ran so far */

/* The transport of machine `index`; valid until sim_free. Its address is sim_address(index). */
struct moth_transport *sim_endpoint(struct sim *s, unsigned index);
void sim_address(unsigned index, uint16_t port, struct address *out);
unsigned sim_index(const struct address *a); /* whose that is; at least endpoints_max: nobody's */

/* Ends all its connections and stops listening, as a killed process does. */
void sim_reset(struct sim *s, unsigned index);

/* A frozen machine takes in nothing and its calls (sim_call) wait, as under SIGSTOP. */
void sim_freeze(struct sim *s, unsigned index, bool frozen);

/* A machine takes in no more than so much, of all its connections together and each in its turn; 0: all that comes.
 * What it has not taken in yet lies in the window, where senders feel it as they feel a pause. */
void sim_read_rate(struct sim *s, unsigned index, uint64_t bytes_per_s);

/* --- ways --- */

#define SIM_LATENCY_US 1000 /* the latency of every way until set otherwise */

enum sim_spread {
    SIM_FIXED,   /* latency_us */
    SIM_UNIFORM, /* latency_us -+ spread_us, all alike */
    SIM_NORMAL,  /* spread_us is the standard deviation; never further off than four of them */
};

struct sim_way_options {
    enum sim_spread spread;
    uint32_t latency_us, spread_us; /* what comes out below 0 is 0 */
    uint32_t jitter_us;             /* on top: from 0 to less than this, all alike */
    uint64_t bytes_per_s;           /* of all its connections together, first come first served; 0: no limit */
};

/* What holds for all ways but those set by sim_way, and but that of a machine to itself. What was sent before arrives
 * when it would have anyway, and only what follows on the same connection waits for it. */
void sim_default(struct sim *s, const struct sim_way_options *options);
void sim_way(struct sim *s, unsigned from, unsigned to, const struct sim_way_options *options);

enum sim_cut_kind {
    SIM_CUT_OPEN,    /* both ways: connections close at both ends, dials fail at once */
    SIM_CUT_SILENT,  /* both ways: bytes and closes wait until they are joined, dials time out */
    SIM_CUT_ONE_WAY, /* silently from a to b only; what b sends still reaches a, but a dial needs both ways */
};

/* A later cut replaces an earlier one of the same way. */
void sim_cut(struct sim *s, unsigned a, unsigned b, enum sim_cut_kind kind);
void sim_join(struct sim *s, unsigned a, unsigned b); /* both ways */
bool sim_is_joined(const struct sim *s, unsigned a, unsigned b); /* neither way is cut */

/* --- pieces --- */

/* Where there is a rate, what is sent arrives in pieces of at most so many bytes, as packets would. */
#define SIM_SEGMENT_BYTES 1448u

/* What is sent from now on arrives in pieces of 1 to `most_bytes`, as chance has it, each an on_bytes of its own; 0: as
 * it was sent. */
void sim_split(struct sim *s, size_t most_bytes);

/* What has arrived by the same time comes in one on_bytes, as far as SIM_READ_BYTES reach, as TCP would have it. */
#define SIM_READ_BYTES 65536u
void sim_merge(struct sim *s, bool merge);

/* --- time --- */

/* Calls `fn(argument, number)` at a time, on behalf of machine `index`. */
void sim_call(struct sim *s, unsigned index, uint64_t at_us, void (*fn)(void *argument, uint64_t number),
              void *argument, uint64_t number);

/* Runs the next event if it is due by `until_us` and moves the clock to it; false: nothing was due, the clock stands at
 * `until_us`. `*touched` is the machine that the event was for. */
bool sim_step(struct sim *s, uint64_t until_us, unsigned *touched);

/* --- what is seen from outside --- */

struct sim_delivery {
    uint64_t at_us;
    unsigned from, to;
    size_t bytes;
    uint64_t hash; /* of what they say */
};

/* Each delivery is shown, just before its receiver has it; `on_delivery` NULL: no longer. */
void sim_on_delivery(struct sim *s, void (*on_delivery)(void *owner, const struct sim_delivery *delivery), void *owner);

#endif
