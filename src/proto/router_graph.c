/* router_graph.c -- indices for ids and arrays of claims, see router_graph.h.
 *
 * A claim is found by walking one node's list: lists are short (512 at most from the wire) and lie in one piece. */
#include "proto/router_graph.h"

#include "base/lookup.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define CLAIMS_MIN 4u

void graph_init(struct graph *g, uint64_t seed)
{
    *g = (struct graph){.free = GRAPH_NONE, .seed = seed};
}

void graph_fini(struct graph *g)
{
    for (uint32_t v = 0; v < g->used; v++) free(g->vertices[v].claims);
    free(g->vertices);
    free(g->ids);
    free(g->slots);
}

static uint32_t home_of(const struct graph *g, const struct moth_id *id)
{
    return lookup_hash(g->seed, slice_of(id->bytes, MOTH_ID_BYTES)) & (g->slot_count - 1);
}

/* Where the id is, or the free slot where it belongs. */
static uint32_t slot_of(const struct graph *g, const struct moth_id *id)
{
    uint32_t at = home_of(g, id);
    while (g->slots[at] && !id_equal(&g->ids[g->slots[at] - 1], id)) at = (at + 1) & (g->slot_count - 1);
    return at;
}

uint32_t graph_find(const struct graph *g, const struct moth_id *id)
{
    uint32_t v = g->count > 0 ? g->slots[slot_of(g, id)] : 0;
    return v ? v - 1 : GRAPH_NONE;
}

static void grow_slots(struct graph *g)
{
    uint32_t *old = g->slots, count = g->slot_count;
    g->slot_count = count ? count * 2 : 8;
    g->slots = mem_array(g->slot_count, sizeof *g->slots);
    for (uint32_t i = 0; i < count; i++)
        if (old[i]) g->slots[slot_of(g, &g->ids[old[i] - 1])] = old[i];
    free(old);
}

static void index_id(struct graph *g, uint32_t v)
{
    if ((g->count + 1) * 4 > g->slot_count * 3) grow_slots(g);
    g->slots[slot_of(g, &g->ids[v])] = v + 1;
    g->count++;
}

/* Those behind move up, so that no search ends before them. */
static void close_slot(struct graph *g, uint32_t hole)
{
    uint32_t mask = g->slot_count - 1;
    for (uint32_t at = (hole + 1) & mask; g->slots[at]; at = (at + 1) & mask) {
        uint32_t home = home_of(g, &g->ids[g->slots[at] - 1]);
        if (((at - home) & mask) < ((at - hole) & mask)) continue; /* moving it would put it before its home */
        g->slots[hole] = g->slots[at];
        hole = at;
    }
    g->slots[hole] = 0;
    g->count--;
}

static uint32_t free_index(struct graph *g)
{
    uint32_t v = g->free;
    if (v != GRAPH_NONE) {
        g->free = g->vertices[v].listed;
        return v;
    }
    if (g->used == g->capacity) {
        g->capacity = g->capacity ? g->capacity * 2 : 8;
        g->ids = mem_resize(g->ids, g->capacity, sizeof *g->ids);
        g->vertices = mem_resize(g->vertices, g->capacity, sizeof *g->vertices);
    }
    return g->used++;
}

uint32_t graph_take(struct graph *g, const struct moth_id *id)
{
    uint32_t v = graph_find(g, id);
    if (v != GRAPH_NONE) return v;
    v = free_index(g);
    g->ids[v] = *id;
    g->vertices[v] = (struct vertex){0};
    index_id(g, v);
    return v;
}

bool graph_is_idle(const struct graph *g, uint32_t v)
{
    return g->vertices[v].count == 0 && g->vertices[v].named == 0;
}

void graph_drop(struct graph *g, uint32_t v)
{
    assert(graph_is_idle(g, v));
    close_slot(g, slot_of(g, &g->ids[v]));
    g->vertices[v].listed = g->free;
    g->free = v;
}

uint32_t graph_position(const struct graph *g, uint32_t from, uint32_t to)
{
    const struct vertex *v = &g->vertices[from];
    for (uint32_t at = 0; at < v->count; at++)
        if (v->claims[at].to == to) return at;
    return GRAPH_NONE;
}

static void swap(struct vertex *v, uint32_t a, uint32_t b)
{
    struct claim kept = v->claims[a];
    v->claims[a] = v->claims[b];
    v->claims[b] = kept;
}

static void resize(struct vertex *v, uint32_t capacity)
{
    v->claims = mem_resize(v->claims, capacity, sizeof *v->claims);
    v->capacity = capacity;
}

/* Memory follows what is claimed now, not what once was. */
static void shrink(struct vertex *v)
{
    if (v->count == 0) {
        free(v->claims);
        v->claims = NULL;
        v->capacity = 0;
    } else if (v->capacity > CLAIMS_MIN && v->count <= v->capacity / 4) {
        resize(v, v->capacity / 2);
    }
}

bool graph_add(struct graph *g, uint32_t from, uint32_t to, uint16_t cost)
{
    struct vertex *near = &g->vertices[from], *far = &g->vertices[to];
    uint32_t back = graph_position(g, to, from);

    assert(from != to);
    if (near->count == near->capacity) resize(near, near->capacity ? near->capacity + near->capacity / 2 : CLAIMS_MIN);
    near->claims[near->count++] = (struct claim){.to = to, .cost = cost};
    far->named++;
    if (back == GRAPH_NONE) return false;
    swap(near, near->count - 1, near->mutual++);
    swap(far, back, far->mutual++);
    return true;
}

void graph_remove(struct graph *g, uint32_t from, uint32_t at)
{
    struct vertex *near = &g->vertices[from], *far = &g->vertices[near->claims[at].to];
    if (at < near->mutual) {
        swap(far, graph_position(g, near->claims[at].to, from), --far->mutual);
        swap(near, at, --near->mutual);
        at = near->mutual;
    }
    near->claims[at] = near->claims[--near->count];
    far->named--;
    shrink(near);
}
