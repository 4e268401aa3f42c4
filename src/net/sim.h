/* sim.h -- an imaginary wire: many transports, one virtual clock, one seed.
 *
 * Everything that happens is an event in one queue ordered by time and then by age, and all chance comes from the seed,
 * so the same calls give the same run, byte for byte. Each endpoint is a machine with an address of its own, 10.x.y.z.
 * Between two endpoints there is a latency, and the way can be cut: openly (both ends see their connections close,
 * dials fail at once) or silently (bytes and closes wait for the way to be joined, dials time out), as a dead router
 * would have it. */
#ifndef NET_SIM_H
#define NET_SIM_H

#include "net/transport.h"

struct sim;

/* At most `endpoints_max` machines. */
struct sim *sim_new(uint64_t seed, unsigned endpoints_max);
void sim_free(struct sim *s);

uint64_t sim_now_us(const struct sim *s);
uint64_t sim_random(struct sim *s);      /* the wire's own chance */
uint64_t sim_draw(uint64_t *state); /* the next number of a stream of one's own */
uint64_t sim_hash(const struct sim *s);  /* over every delivery so far: when, from whom, to whom, what */
uint64_t sim_bytes(const struct sim *s); /* delivered so far, all together */

/* The transport of machine `index`; valid until sim_free. Its address is sim_address(index). */
struct moth_transport *sim_endpoint(struct sim *s, unsigned index);
void sim_address(unsigned index, uint16_t port, struct address *out);

/* Ends all its connections and stops listening, as a killed process does. */
void sim_reset(struct sim *s, unsigned index);

/* A frozen machine takes in nothing and its calls (sim_call) wait, as under SIGSTOP. */
void sim_freeze(struct sim *s, unsigned index, bool frozen);

#define SIM_LATENCY_US 1000 /* the latency of every way until set otherwise */
void sim_latency(struct sim *s, unsigned a, unsigned b, uint32_t latency_us, uint32_t jitter_us);
void sim_cut(struct sim *s, unsigned a, unsigned b, bool silent);
void sim_join(struct sim *s, unsigned a, unsigned b);

/* Calls `fn(argument, number)` at a time, on behalf of machine `index`. */
void sim_call(struct sim *s, unsigned index, uint64_t at_us, void (*fn)(void *argument, uint64_t number),
              void *argument, uint64_t number);

/* Runs the next event if it is due by `until_us` and moves the clock to it; false: nothing was due, the clock stands at
 * `until_us`. `*touched` is the machine that the event was for. */
bool sim_step(struct sim *s, uint64_t until_us, unsigned *touched);

#endif
