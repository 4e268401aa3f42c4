/* lab.h -- many nodes, one imaginary wire, one virtual clock.
 *
 * The nodes are the real ones; only their host and transport are imagined (net/sim.h). Machines are numbered from 0;
 * each keeps its home files over kills and restarts. The same seed and the same calls give the same run, which lab_hash
 * proves. The virtual calendar starts on 2030-01-01. */
#ifndef NODE_LAB_H
#define NODE_LAB_H

#include "moth/node.h"
#include "net/sim.h"

struct disk;
struct lab;

struct lab *lab_new(uint64_t seed, unsigned machines_max);
void lab_free(struct lab *lab);

/* All events of all nodes, as they happen; NULL: nobody listens. */
void lab_on_event(struct lab *lab, void (*on_event)(void *owner, unsigned machine, const struct moth_event *event),
                  void *owner);

/* Starts a node named `name` on a machine, listening. `config` NULL: defaults. Returns what moth_node_open does. */
int lab_start(struct lab *lab, unsigned machine, const char *name, const struct moth_config *config);
/* The same without its first turn: lab_turn begins it. */
int lab_open(struct lab *lab, unsigned machine, const char *name, const struct moth_config *config);

/* As a power cut: no goodbye, memory gone; of what was not synced to the disk, whatever chance leaves. */
void lab_kill(struct lab *lab, unsigned machine);

/* Ends its process in good order. */
void lab_close(struct lab *lab, unsigned machine);
struct moth_node *lab_node(struct lab *lab, unsigned machine); /* NULL: not running */
const struct moth_id *lab_id(const struct lab *lab, unsigned machine); /* of what ran there last; zero: nothing yet */
void lab_address(unsigned machine, char out[MOTH_ADDRESS_TEXT_BYTES]);
int lab_connect(struct lab *lab, unsigned from, unsigned to);

/* The wire, see net/sim.h: the ways between two machines, in both directions ... */
struct sim *lab_sim(struct lab *lab);
void lab_latency(struct lab *lab, unsigned a, unsigned b, uint32_t latency_us, uint32_t jitter_us);
void lab_cut(struct lab *lab, unsigned a, unsigned b, bool silent);
void lab_join(struct lab *lab, unsigned a, unsigned b);
void lab_partition(struct lab *lab, unsigned first, unsigned count, bool cut); /* these from all others, or back */
/* ... in one, ... */
void lab_way(struct lab *lab, unsigned from, unsigned to, const struct sim_way_options *options);
void lab_cut_one_way(struct lab *lab, unsigned from, unsigned to); /* silently; lab_join ends it */
/* ... all of them ... */
void lab_default_way(struct lab *lab, const struct sim_way_options *options);
void lab_split(struct lab *lab, size_t most_bytes);
void lab_merge(struct lab *lab, bool merge);
/* ... and how a machine takes it in. */
void lab_freeze(struct lab *lab, unsigned machine, bool frozen);
void lab_read_rate(struct lab *lab, unsigned machine, uint64_t bytes_per_s);
/* What goes over it. */
void lab_on_delivery(struct lab *lab, void (*on_delivery)(void *owner, const struct sim_delivery *delivery),
                     void *owner);
uint64_t lab_wire_events(struct lab *lab); /* that ran on it so far */

/* What may go wrong in a machine: its clock, its disk, its memory. */
void lab_clock(struct lab *lab, unsigned machine, int64_t offset_ms);
struct disk *lab_disk(struct lab *lab, unsigned machine); /* its database: store_disk.h plants failures there */
void lab_fail_writes(struct lab *lab, unsigned machine, bool fail);
#define LAB_DISK_US 1000u
void lab_slow_disk(struct lab *lab, unsigned machine, uint64_t us); /* what each job of its worker takes */
const struct moth_host *lab_host(const struct lab *lab, unsigned machine); /* its clock and its disk; borrowed */
struct moth_transport *lab_transport(const struct lab *lab, unsigned machine);
int64_t lab_clock_of(const struct lab *lab, unsigned machine);      /* the offset that lab_clock set, ms */
/* adverts it should pass on and does not */
void lab_lose_updates(struct lab *lab, unsigned machine, unsigned per_mille);
void lab_copy_files(struct lab *lab, unsigned from, unsigned to); /* its whole home, key included */

/* A node that was called directly (moth_send ...) does what follows from it. */
void lab_turn(struct lab *lab, unsigned machine);

unsigned lab_count(const struct lab *lab); /* of machines there may be */

/* How many links a message passes at least from each machine to `to`, over those links that both their ends have, for
 * `count` machines; LAB_NO_WAY where there is no way. */
#define LAB_NO_WAY UINT32_MAX
void lab_distances(struct lab *lab, unsigned to, unsigned count, uint32_t *out);

/* The links that both their ends have, a < b, at most `capacity` of them; returns how many there are. */
struct lab_edge {
    unsigned a, b;
};
size_t lab_edges(struct lab *lab, unsigned count, struct lab_edge *out, size_t capacity);

/* Whether each route of each node that runs is as long as the shortest way over the links that both their ends have, and
 * there is none to those that do not run; else who errs, and about whom. */
bool lab_routes_are_true(struct lab *lab, unsigned *who, unsigned *whom);

/* Whether a link that a node wants can come about and has not: the other one runs, too, nothing is cut between them,
 * and it was not tried in vain since then. */
bool lab_is_dialling(struct lab *lab, uint64_t since_us);

/* Time. */
#define LAB_CALENDAR_MS 1893456000000u /* 2030-01-01 00:00:00 UTC: when it begins */
#define LAB_START_US 1000000u /* what lab_now_us says then */
uint64_t lab_now_us(const struct lab *lab);
void lab_run(struct lab *lab, uint64_t us);
/* The next event, if it is due by then, and what follows from it. False: there was none, the clock stands there. */
bool lab_step(struct lab *lab, uint64_t until_us);
bool lab_run_until(struct lab *lab, bool (*holds)(struct lab *lab, void *argument), void *argument, uint64_t limit_us);
uint64_t lab_hash(const struct lab *lab); /* over every delivery on the wire and every event so far */

#endif
