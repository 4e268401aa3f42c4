/* router.c -- the map and the breadth-first search over it, see router.h.
 *
 * A search fills a new table of hops, parents and next hops, and reads the one before. From that it learns which way
 * was used before, to keep it on a tie, and which routes became different, so changes cost no pass of their own. The
 * parent of a node is the one before it on the way from us: the one used before if that is still a hop nearer and the
 * link between them counts, else the smallest id among those who qualify. The next hop follows from the parents. The
 * order in which claims came in decides nothing.
 *
 * What cannot matter does not make the table stale. A new edge between nodes at most one hop apart makes no way
 * shorter, and ties keep the old way; an edge that leads nobody to their parent is not missed. In a dense network most
 * news is of that kind, and costs no search.
 *
 * A node that neither claims nor is claimed leaves the map, but not before a recompute has told that it is out of
 * reach: until then ways may lead over it. */
#include "proto/router.h"

#include "base/mem.h"
#include "proto/router_graph.h"

#include <assert.h>
#include <stdlib.h>

/* Indexed by vertex, but for the queue. All bytes 0xff: out of reach, no parent, no next hop. */
struct table {
    uint16_t *hops;
    uint32_t *parent, *next;
    uint32_t *queue; /* whoever can be reached, nearest first; we ourselves lead */
    uint32_t reached;
};

struct router {
    struct graph graph;
    struct table now, before; /* before: empty but during a search */
    uint32_t capacity;        /* of their arrays */
    uint32_t me;
    bool stale;
    struct route *changes;
    size_t change_count, change_capacity;
};

static void grow_table(struct table *t, uint32_t old, uint32_t capacity)
{
    t->hops = mem_resize(t->hops, capacity, sizeof *t->hops);
    t->parent = mem_resize(t->parent, capacity, sizeof *t->parent);
    t->next = mem_resize(t->next, capacity, sizeof *t->next);
    t->queue = mem_resize(t->queue, capacity, sizeof *t->queue);
    memset(t->hops + old, 0xff, (capacity - old) * sizeof *t->hops);
    memset(t->parent + old, 0xff, (capacity - old) * sizeof *t->parent);
    memset(t->next + old, 0xff, (capacity - old) * sizeof *t->next);
}

static void free_table(struct table *t)
{
    free(t->hops);
    free(t->parent);
    free(t->next);
    free(t->queue);
}

static uint32_t vertex_of(struct router *r, const struct moth_id *id)
{
    uint32_t v = graph_take(&r->graph, id);
    if (r->capacity < r->graph.capacity) {
        grow_table(&r->now, r->capacity, r->graph.capacity);
        r->capacity = r->graph.capacity;
    }
    return v;
}

static void start_at_me(struct router *r)
{
    r->now.hops[r->me] = 0;
    r->now.next[r->me] = r->me;
    r->now.queue[0] = r->me;
    r->now.reached = 1;
}

struct router *router_new(const struct moth_id *me, uint64_t seed)
{
    struct router *r = mem_new(sizeof *r);
    graph_init(&r->graph, seed);
    r->me = vertex_of(r, me);
    start_at_me(r);
    return r;
}

void router_free(struct router *r)
{
    if (!r) return;
    graph_fini(&r->graph);
    free_table(&r->now);
    free(r->changes);
    free(r);
}

static bool is_reached(const struct router *r, uint32_t v)
{
    return r->now.hops[v] != ROUTER_UNREACHABLE;
}

static void drop_if_idle(struct router *r, uint32_t v)
{
    if (!is_reached(r, v) && graph_is_idle(&r->graph, v)) graph_drop(&r->graph, v);
}

static void add_claim(struct router *r, uint32_t from, uint32_t to, uint16_t cost)
{
    bool counts = graph_add(&r->graph, from, to, cost) || from == r->me;
    int a = r->now.hops[from], b = r->now.hops[to];
    if (counts && abs(a - b) > 1) r->stale = true;
}

/* Who stops claiming us changes nothing: our own claim is what counts. */
static void remove_claim(struct router *r, uint32_t from, uint32_t at)
{
    uint32_t to = r->graph.vertices[from].claims[at].to;
    if (to != r->me && (r->now.parent[to] == from || r->now.parent[from] == to)) r->stale = true;
    graph_remove(&r->graph, from, at);
    drop_if_idle(r, to);
}

/* Turns a list into claims, each vertex once; `listed` of each vertex leads back to its claim. */
static uint32_t resolve(struct router *r, uint32_t from, const struct neighbour *list, uint32_t count,
                        struct claim *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t to = vertex_of(r, &list[i].id);
        if (to == from || r->graph.vertices[to].listed) continue;
        out[n++] = (struct claim){.to = to, .cost = list[i].cost};
        r->graph.vertices[to].listed = n;
    }
    return n;
}

static void keep_only_listed(struct router *r, uint32_t from, const struct claim *wanted)
{
    for (uint32_t at = r->graph.vertices[from].count; at-- > 0;) {
        struct claim *claim = &r->graph.vertices[from].claims[at];
        uint32_t *listed = &r->graph.vertices[claim->to].listed;
        if (*listed) {
            claim->cost = wanted[*listed - 1].cost;
            *listed = 0;
        } else {
            remove_claim(r, from, at);
        }
    }
}

static void add_still_listed(struct router *r, uint32_t from, const struct claim *wanted, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *listed = &r->graph.vertices[wanted[i].to].listed;
        if (*listed) add_claim(r, from, wanted[i].to, wanted[i].cost);
        *listed = 0;
    }
}

void router_set_neighbours(struct router *r, const struct moth_id *origin, const struct neighbour *list,
                           unsigned count)
{
    struct claim *wanted = mem_array(count, sizeof *wanted);
    uint32_t from = vertex_of(r, origin);
    uint32_t n = resolve(r, from, list, count, wanted);
    keep_only_listed(r, from, wanted);
    add_still_listed(r, from, wanted, n);
    drop_if_idle(r, from);
    free(wanted);
}

void router_link(struct router *r, const struct moth_id *origin, const struct moth_id *neighbour, uint16_t cost)
{
    if (id_equal(origin, neighbour)) return;
    uint32_t from = vertex_of(r, origin), to = vertex_of(r, neighbour);
    uint32_t at = graph_position(&r->graph, from, to);
    if (at == GRAPH_NONE) add_claim(r, from, to, cost);
    else r->graph.vertices[from].claims[at].cost = cost;
}

void router_unlink(struct router *r, const struct moth_id *origin, const struct moth_id *neighbour)
{
    uint32_t from = graph_find(&r->graph, origin), to = graph_find(&r->graph, neighbour);
    if (from == GRAPH_NONE || to == GRAPH_NONE) return;
    uint32_t at = graph_position(&r->graph, from, to);
    if (at == GRAPH_NONE) return;
    remove_claim(r, from, at);
    drop_if_idle(r, from);
}

void router_remove(struct router *r, const struct moth_id *origin)
{
    router_set_neighbours(r, origin, NULL, 0);
}

static void add_change(struct router *r, uint32_t v, struct route route)
{
    uint32_t old = r->before.next[v];
    if (old != GRAPH_NONE) route.old = r->graph.ids[old];
    if (r->change_count == r->change_capacity) {
        r->change_capacity = r->change_capacity ? r->change_capacity * 2 : 16;
        r->changes = mem_resize(r->changes, r->change_capacity, sizeof *r->changes);
    }
    r->changes[r->change_count++] = route;
}

static struct route route_to(const struct router *r, uint32_t v)
{
    return (struct route){.id = r->graph.ids[v], .next = r->graph.ids[r->now.next[v]], .hops = r->now.hops[v]};
}

/* Its parent is final by now: all who could be it were visited, being nearer. */
static void settle(struct router *r, uint32_t v)
{
    uint32_t parent = r->now.parent[v];
    uint32_t next = parent == r->me ? v : r->now.next[parent];
    r->now.next[v] = next;
    if (next != r->before.next[v] || r->now.hops[v] != r->before.hops[v]) add_change(r, v, route_to(r, v));
}

static bool is_better_parent(const struct router *r, uint32_t v, uint32_t candidate)
{
    uint32_t used = r->before.parent[v], current = r->now.parent[v];
    if (candidate == used || current == used) return candidate == used;
    return id_compare(&r->graph.ids[candidate], &r->graph.ids[current]) < 0;
}

static void offer_as_parent(struct router *r, uint32_t u)
{
    struct table *now = &r->now;
    const struct vertex *vertex = &r->graph.vertices[u];
    uint32_t count = u == r->me ? vertex->count : vertex->mutual;
    uint16_t hops = (uint16_t)(now->hops[u] + 1);

    if (hops == ROUTER_UNREACHABLE) return; /* farther than can be told */
    for (uint32_t i = 0; i < count; i++) {
        uint32_t v = vertex->claims[i].to;
        if (now->hops[v] == ROUTER_UNREACHABLE) {
            now->hops[v] = hops;
            now->parent[v] = u;
            now->queue[now->reached++] = v;
        } else if (now->hops[v] == hops && is_better_parent(r, v, u)) {
            now->parent[v] = u;
        }
    }
}

static void search(struct router *r)
{
    start_at_me(r);
    offer_as_parent(r, r->me);
    for (uint32_t i = 1; i < r->now.reached; i++) {
        settle(r, r->now.queue[i]);
        offer_as_parent(r, r->now.queue[i]);
    }
}

static void begin_table(struct router *r)
{
    r->before = r->now;
    r->now = (struct table){0};
    grow_table(&r->now, 0, r->capacity);
}

static void forget_table_before(struct router *r)
{
    free_table(&r->before);
    r->before = (struct table){0};
}

struct route *router_take_changes(struct router *r, size_t *count)
{
    struct route *changes = r->changes;
    *count = r->change_count;
    r->changes = NULL;
    r->change_count = r->change_capacity = 0;
    return changes;
}

static void forget_changes(struct router *r)
{
    size_t count;
    free(router_take_changes(r, &count));
}

static void report_lost(struct router *r)
{
    for (uint32_t i = 1; i < r->before.reached; i++) {
        uint32_t v = r->before.queue[i];
        if (is_reached(r, v)) continue;
        add_change(r, v, (struct route){.id = r->graph.ids[v], .hops = ROUTER_UNREACHABLE});
    }
    for (uint32_t i = 1; i < r->before.reached; i++) drop_if_idle(r, r->before.queue[i]);
}

static int compare_routes(const void *a, const void *b)
{
    return id_compare(&((const struct route *)a)->id, &((const struct route *)b)->id);
}

bool router_recompute(struct router *r)
{
    forget_changes(r);
    if (!r->stale) return false;
    r->stale = false;
    begin_table(r);
    search(r);
    report_lost(r);
    forget_table_before(r);
    if (r->change_count > 0) qsort(r->changes, r->change_count, sizeof *r->changes, compare_routes);
    return r->change_count > 0;
}

const struct route *router_changes(const struct router *r, size_t *count)
{
    *count = r->change_count;
    return r->changes;
}

const struct moth_id *router_next_hop(const struct router *r, const struct moth_id *to)
{
    uint32_t v = graph_find(&r->graph, to);
    if (v == GRAPH_NONE || v == r->me || !is_reached(r, v)) return NULL;
    return &r->graph.ids[r->now.next[v]];
}

unsigned router_hops(const struct router *r, const struct moth_id *to)
{
    uint32_t v = graph_find(&r->graph, to);
    return v == GRAPH_NONE ? ROUTER_UNREACHABLE : r->now.hops[v];
}

size_t router_path(const struct router *r, const struct moth_id *to, struct moth_id *out, size_t capacity)
{
    unsigned hops = router_hops(r, to);
    if (hops == ROUTER_UNREACHABLE) return 0;
    uint32_t v = graph_find(&r->graph, to);
    for (size_t at = hops; v != GRAPH_NONE; v = r->now.parent[v], at--)
        if (at < capacity) out[at] = r->graph.ids[v];
    return (size_t)hops + 1;
}

size_t router_routes(const struct router *r, struct route *out, size_t capacity)
{
    size_t count = r->now.reached - 1;
    if (capacity == 0 || count == 0) return count;
    struct route *all = mem_array(count, sizeof *all);
    for (size_t i = 0; i < count; i++) all[i] = route_to(r, r->now.queue[i + 1]);
    qsort(all, count, sizeof *all, compare_routes);
    memcpy(out, all, (count < capacity ? count : capacity) * sizeof *all);
    free(all);
    return count;
}

static int compare_edges(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct router_edge));
}

/* Every edge is listed at one of its ends: ours at us, whoever else claims it; the others at the smaller id. */
static size_t edges_at(const struct router *r, uint32_t v, struct router_edge *out)
{
    const struct vertex *vertex = &r->graph.vertices[v];
    const struct moth_id *id = &r->graph.ids[v];
    size_t n = 0;
    for (uint32_t i = 0; i < (v == r->me ? vertex->count : vertex->mutual); i++) {
        const struct moth_id *other = &r->graph.ids[vertex->claims[i].to];
        bool ascending = id_compare(id, other) < 0;
        if (v != r->me && (vertex->claims[i].to == r->me || !ascending)) continue;
        out[n++] = ascending ? (struct router_edge){*id, *other} : (struct router_edge){*other, *id};
    }
    return n;
}

static size_t edges_bound(const struct router *r)
{
    size_t bound = r->graph.vertices[r->me].count;
    for (uint32_t v = 0; v < r->graph.used; v++) bound += r->graph.vertices[v].mutual;
    return bound;
}

size_t router_edges(const struct router *r, struct router_edge *out, size_t capacity)
{
    struct router_edge *all = mem_array(edges_bound(r), sizeof *all);
    size_t count = 0;
    for (uint32_t v = 0; v < r->graph.used; v++) count += edges_at(r, v, all + count);
    qsort(all, count, sizeof *all, compare_edges);
    if (capacity > 0) memcpy(out, all, (count < capacity ? count : capacity) * sizeof *all);
    free(all);
    return count;
}

size_t router_count(const struct router *r)
{
    return r->graph.count;
}
