/* router.h -- a map of any network: who is linked to whom, and who is next on the shortest way to anyone.
 *
 * What moth's nodes find their ways with, for maps of your own. A way has as few hops as possible; on a tie the way
 * that was used before stays, and between new ways the one over the smaller id wins: equal histories give equal
 * answers. Costs are kept for a later metric and do not count yet. Nothing here does I/O or knows a clock. */
#ifndef MOTH_ROUTER_H
#define MOTH_ROUTER_H

#include "types.h"

#define MOTH_ROUTER_NODES_MAX 4096u  /* of one map, ourselves included */
#define MOTH_ROUTER_LINKS_MAX 16384u /* of one map */

struct moth_router;

struct moth_route {
    struct moth_id id, next; /* next: the neighbour to hand it to */
    unsigned hops;
};

/* A map with only ourselves in it. `seed`: unpredictable when others choose the ids. */
struct moth_router *moth_router_new(const struct moth_id *me, uint64_t seed);
void moth_router_free(struct moth_router *r); /* NULL is fine */

/* Links work both ways. A link that is there gets the new cost. MOTH_ESELF: both ends are the same; MOTH_EFULL: so many
 * nodes or links are in the map. */
int moth_router_link(struct moth_router *r, const struct moth_id *a, const struct moth_id *b, uint16_t cost);
int moth_router_unlink(struct moth_router *r, const struct moth_id *a, const struct moth_id *b); /* MOTH_ENOT_FOUND */

/* Ends all links of `id`; who has none is no longer in the map. MOTH_ENOT_FOUND: it was not there. */
int moth_router_remove(struct moth_router *r, const struct moth_id *id);

bool moth_router_has(const struct moth_router *r, const struct moth_id *id); /* ourselves, or it has a link */

/* MOTH_ENOT_FOUND: not in the map; MOTH_EUNREACHABLE: no way leads there; MOTH_ESELF. */
int moth_router_next_hop(struct moth_router *r, const struct moth_id *to, struct moth_id *out);

/* The nodes from us to `to`, both included: returns how many, 0 without a way; writes at most `capacity`. */
size_t moth_router_path(struct moth_router *r, const struct moth_id *to, struct moth_id *out, size_t capacity);

/* All other nodes that can be reached, ascending by id: returns how many, writes at most `capacity`. */
size_t moth_router_routes(struct moth_router *r, struct moth_route *out, size_t capacity);

/* An id for a text that is none, so that maps can be drawn of names: the same text has the same id everywhere. */
void moth_id_of_text(const void *text, size_t bytes, struct moth_id *out);

#endif
