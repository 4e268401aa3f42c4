/* router_graph.h -- who claims whom, in numbers: the router's memory, private to it.
 *
 * Every id in the map gets an index, so that searching walks flat arrays and never hashes. Each vertex keeps the
 * claims of its node in one array whose first `mutual` entries are claimed back by the other end: whoever wants only
 * links that both ends confirm stops there and asks nobody. Adding and removing keep it so. An index is used again once
 * graph_drop gave it back; when to do that is the router's decision, for its tables speak in indices too. */
#ifndef PROTO_ROUTER_GRAPH_H
#define PROTO_ROUTER_GRAPH_H

#include "base/id.h"

#define GRAPH_NONE UINT32_MAX

struct claim {
    uint32_t to;
    uint16_t cost;
};

struct vertex {
    struct claim *claims; /* owned; NULL when there are none */
    uint32_t count, mutual, capacity;
    uint32_t named;  /* how many others claim this one */
    uint32_t listed; /* while a list is compared: one more than the place in it; of a free vertex: the next free one */
};

struct graph {
    uint32_t *slots; /* open addressing by id: the index plus one; 0: free */
    uint32_t slot_count, count;
    uint64_t seed;
    struct moth_id *ids;
    struct vertex *vertices;
    uint32_t used, capacity; /* entries of the two arrays above */
    uint32_t free;           /* the first index to use again, or GRAPH_NONE */
};

void graph_init(struct graph *g, uint64_t seed);
void graph_fini(struct graph *g);

uint32_t graph_find(const struct graph *g, const struct moth_id *id); /* GRAPH_NONE: not there */
uint32_t graph_take(struct graph *g, const struct moth_id *id);       /* finds it or makes room for it */

/* Nothing is claimed by it or of it: it may be dropped, and its index given to another. */
bool graph_is_idle(const struct graph *g, uint32_t v);
void graph_drop(struct graph *g, uint32_t v);

/* Where in the claims of `from` the one about `to` stands, or GRAPH_NONE. */
uint32_t graph_position(const struct graph *g, uint32_t from, uint32_t to);

/* Adds a claim that is not there yet; true when `to` claims `from` as well. */
bool graph_add(struct graph *g, uint32_t from, uint32_t to, uint16_t cost);

/* Removes the claim at position `at`. What fills the gap comes from behind it, so walking backwards misses none. */
void graph_remove(struct graph *g, uint32_t from, uint32_t at);

#endif
