/* lab.h -- many nodes, one imaginary wire, one virtual clock.
 *
 * The nodes are the real ones; only their host and transport are imagined (net/sim.h). Machines are numbered from 0;
 * each keeps its home files over kills and restarts. The same seed and the same calls give the same run, which lab_hash
 * proves. The virtual calendar starts on 2030-01-01. */
#ifndef NODE_LAB_H
#define NODE_LAB_H

#include "moth/node.h"

struct disk;
struct lab;

struct lab *lab_new(uint64_t seed, unsigned machines_max);
void lab_free(struct lab *lab);

/* All events of all nodes, as they happen; NULL: nobody listens. */
void lab_on_event(struct lab *lab, void (*on_event)(void *owner, unsigned machine, const struct moth_event *event),
                  void *owner);

/* Starts a node named `name` on a machine, listening. `config` NULL: defaults. Returns what moth_node_open does. */
int lab_start(struct lab *lab, unsigned machine, const char *name, const struct moth_config *config);
/* As a power cut: no goodbye, memory gone; of what was not synced to the disk, whatever chance leaves. */
void lab_kill(struct lab *lab, unsigned machine);

/* Ends its process in good order. */
void lab_close(struct lab *lab, unsigned machine);
struct moth_node *lab_node(struct lab *lab, unsigned machine); /* NULL: not running */
void lab_address(unsigned machine, char out[MOTH_ADDRESS_TEXT_BYTES]);
int lab_connect(struct lab *lab, unsigned from, unsigned to);

/* The wire between two machines, see net/sim.h. */
void lab_latency(struct lab *lab, unsigned a, unsigned b, uint32_t latency_us, uint32_t jitter_us);
void lab_cut(struct lab *lab, unsigned a, unsigned b, bool silent);
void lab_join(struct lab *lab, unsigned a, unsigned b);
void lab_partition(struct lab *lab, unsigned first, unsigned count, bool cut); /* these from all others, or back */
void lab_freeze(struct lab *lab, unsigned machine, bool frozen);

/* What may go wrong in a machine: its clock, its disk, its memory. */
void lab_clock(struct lab *lab, unsigned machine, int64_t offset_ms);
struct disk *lab_disk(struct lab *lab, unsigned machine); /* its database: store_disk.h plants failures there */
void lab_fail_writes(struct lab *lab, unsigned machine, bool fail);
/* adverts it should pass on and does not */
void lab_lose_updates(struct lab *lab, unsigned machine, unsigned per_mille);
void lab_copy_files(struct lab *lab, unsigned from, unsigned to); /* its whole home, key included */

/* A node that was called directly (moth_send ...) does what follows from it. */
void lab_turn(struct lab *lab, unsigned machine);

/* Time. */
uint64_t lab_now_us(const struct lab *lab);
void lab_run(struct lab *lab, uint64_t us);
bool lab_run_until(struct lab *lab, bool (*holds)(struct lab *lab, void *argument), void *argument, uint64_t limit_us);
uint64_t lab_hash(const struct lab *lab); /* over every delivery on the wire and every event so far */

#endif
