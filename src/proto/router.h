/* router.h -- the map of the network: who is whose neighbour, and who is next on the shortest way to anyone.
 *
 * Each node claims a list of neighbours. A link between two others counts only when both claim it; a link of our own
 * counts as soon as we claim it, for we know it first-hand. Breadth-first search from ourselves gives the distance and
 * the next hop to everyone. On a tie the way that was used before is kept; between new ways the smaller id wins: a node
 * is reached over the smallest id among those a hop nearer. So equal histories give equal tables. Costs are kept for a
 * later metric and do not count yet. The router returns facts; what to do about them is decided by its caller. */
#ifndef PROTO_ROUTER_H
#define PROTO_ROUTER_H

#include "base/id.h"
#include "proto/advert.h"

#define ROUTER_UNREACHABLE 0xffffu

struct router;

struct route {
    struct moth_id id, next; /* next: the neighbour to hand it to; zero without a way */
    struct moth_id old;      /* in changes: what `next` was before */
    uint16_t hops;           /* ROUTER_UNREACHABLE: without a way, or farther than can be counted */
};

struct router_edge {
    struct moth_id a, b; /* a < b */
};

struct router *router_new(const struct moth_id *me, uint64_t seed);
void router_free(struct router *r);

/* Replaces what `origin` claims. Entries naming the origin itself and repetitions are ignored; order is of no
 * importance. */
void router_set_neighbours(struct router *r, const struct moth_id *origin, const struct neighbour *list,
                           unsigned count);

/* Adds or removes one claim; cost of an existing claim is replaced. */
void router_link(struct router *r, const struct moth_id *origin, const struct moth_id *neighbour, uint16_t cost);
void router_unlink(struct router *r, const struct moth_id *origin, const struct moth_id *neighbour);

/* Forgets the claims of `origin`. It stays in the map as long as others name it. Removing `me` drops our own links. */
void router_remove(struct router *r, const struct moth_id *origin);

/* Brings the table up to date if anything changed; cheap otherwise. Returns true when some route is new, gone or other
 * than before; `router_changes` then lists those, ascending by id. The questions about ways answer from the last
 * recompute, router_edges and router_count from the claims as they are. */
bool router_recompute(struct router *r);
const struct route *router_changes(const struct router *r, size_t *count); /* borrowed until the next recompute */
struct route *router_take_changes(struct router *r, size_t *count); /* the same, the caller's to free; NULL: none */

/* Next_hop: NULL when there is no way (or id is ours); borrowed until the router changes. Hops: ROUTER_UNREACHABLE
 * without a way, 0 for ourselves. */
const struct moth_id *router_next_hop(const struct router *r, const struct moth_id *to);
unsigned router_hops(const struct router *r, const struct moth_id *to);

/* The nodes from us to `to`, both included: returns how many, 0 without a way; writes at most `capacity`. */
size_t router_path(const struct router *r, const struct moth_id *to, struct moth_id *out, size_t capacity);

/* All other nodes that can be reached, ascending by id: returns how many there are, writes at most `capacity`. */
size_t router_routes(const struct router *r, struct route *out, size_t capacity);

/* All edges that count, ascending: returns how many there are, writes at most `capacity`. */
size_t router_edges(const struct router *r, struct router_edge *out, size_t capacity);

size_t router_count(const struct router *r); /* nodes in the map, ourselves included */

#endif
