/* fuzz_router.c -- bytes become claims of 32 nodes; after each recompute every answer must equal that of a matrix.
 *
 * The first byte of an operation says what happens, the following ones to whom. The matrix is searched level by level,
 * in order of id, which gives the tie rule for free: the first parent found is the smallest, unless the one used before
 * is among them. */
#include "proto/router.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NODES 32u
#define NOBODY NODES

struct model {
    bool claims[NODES][NODES];
    unsigned hops[NODES], parent[NODES], next[NODES];
};

/* Ascending with n, so the matrix is in order of id. We sit in the middle. */
#define ME 13u

static struct moth_id id_of(unsigned n)
{
    return (struct moth_id){.bytes = {(uint8_t)(7 * n + 1), (uint8_t)(n * n)}};
}

static bool counts(const struct model *m, unsigned a, unsigned b)
{
    return m->claims[a][b] && (m->claims[b][a] || a == ME);
}

static void forget_ways(struct model *m)
{
    for (unsigned n = 0; n < NODES; n++) {
        m->hops[n] = n == ME ? 0 : ROUTER_UNREACHABLE;
        m->parent[n] = m->next[n] = NOBODY;
    }
}

/* The way to v, `hops` long, if there is one: its parent is the old one or the first in order. */
static void reach(struct model *m, const struct model *old, unsigned v, unsigned hops)
{
    for (unsigned u = 0; u < NODES; u++) {
        if (m->hops[u] != hops - 1 || !counts(m, u, v)) continue;
        if (m->parent[v] == NOBODY || u == old->parent[v]) m->parent[v] = u;
        m->hops[v] = hops;
    }
    if (m->hops[v] == hops) m->next[v] = hops == 1 ? v : m->next[m->parent[v]];
}

static void search(struct model *m, const struct model *old)
{
    forget_ways(m);
    for (unsigned hops = 1; hops < NODES; hops++)
        for (unsigned v = 0; v < NODES; v++)
            if (m->hops[v] == ROUTER_UNREACHABLE) reach(m, old, v, hops);
}

static void check_id(const struct moth_id *id, unsigned expected)
{
    static const struct moth_id zero;
    struct moth_id wanted = expected == NOBODY ? zero : id_of(expected);
    assert(id_equal(id, &wanted));
}

static void check_answers(const struct router *r, const struct model *m, unsigned n)
{
    struct moth_id id = id_of(n), path[NODES];
    const struct moth_id *next = router_next_hop(r, &id);
    size_t nodes = router_path(r, &id, path, NODES);

    assert(router_hops(r, &id) == m->hops[n]);
    assert((next == NULL) == (m->next[n] == NOBODY));
    if (next) check_id(next, m->next[n]);
    assert(nodes == (m->hops[n] == ROUTER_UNREACHABLE ? 0 : m->hops[n] + 1));
    for (unsigned at = n; nodes > 0; at = m->parent[at]) check_id(&path[--nodes], at);
}

static void check_changes(const struct router *r, const struct model *m, const struct model *old, bool changed)
{
    size_t count, at = 0;
    const struct route *changes = router_changes(r, &count);
    for (unsigned n = 0; n < NODES; n++) {
        if (m->hops[n] == old->hops[n] && m->next[n] == old->next[n]) continue;
        assert(at < count);
        check_id(&changes[at].id, n);
        check_id(&changes[at].next, m->next[n]);
        assert(changes[at++].hops == m->hops[n]);
    }
    assert(at == count && changed == (count > 0));
}

static void check_routes(const struct router *r, const struct model *m)
{
    struct route routes[NODES];
    size_t count = router_routes(r, routes, NODES), at = 0;
    for (unsigned n = 0; n < NODES; n++) {
        if (n == ME || m->hops[n] == ROUTER_UNREACHABLE) continue;
        assert(at < count);
        check_id(&routes[at].id, n);
        check_id(&routes[at].next, m->next[n]);
        assert(routes[at++].hops == m->hops[n]);
    }
    assert(at == count);
}

static void check_edges(const struct router *r, const struct model *m)
{
    struct router_edge edges[NODES * NODES];
    size_t count = router_edges(r, edges, NODES * NODES), at = 0;
    for (unsigned a = 0; a < NODES; a++)
        for (unsigned b = a + 1; b < NODES; b++) {
            if (!counts(m, a, b) && !counts(m, b, a)) continue;
            assert(at < count);
            check_id(&edges[at].a, a);
            check_id(&edges[at++].b, b);
        }
    assert(at == count);
}

static void check_count(const struct router *r, const struct model *m)
{
    size_t known = 0;
    for (unsigned a = 0; a < NODES; a++) {
        bool is_known = a == ME;
        for (unsigned b = 0; b < NODES; b++) is_known = is_known || m->claims[a][b] || m->claims[b][a];
        known += is_known;
    }
    assert(router_count(r) == known);
}

static void recompute_and_check(struct router *r, struct model *m)
{
    struct model old = *m;
    bool changed = router_recompute(r);
    search(m, &old);
    for (unsigned n = 0; n < NODES; n++) check_answers(r, m, n);
    check_changes(r, m, &old, changed);
    check_routes(r, m);
    check_edges(r, m);
    check_count(r, m);
}

static void claim(struct router *r, struct model *m, unsigned a, unsigned b)
{
    struct moth_id from = id_of(a), to = id_of(b);
    router_link(r, &from, &to, (uint16_t)(a + b));
    m->claims[a][b] = a != b;
}

static void unclaim(struct router *r, struct model *m, unsigned a, unsigned b)
{
    struct moth_id from = id_of(a), to = id_of(b);
    router_unlink(r, &from, &to);
    m->claims[a][b] = false;
}

static void set(struct router *r, struct model *m, unsigned a, struct slice names)
{
    struct neighbour list[NODES];
    struct moth_id from = id_of(a);
    memset(m->claims[a], 0, sizeof m->claims[a]);
    for (size_t i = 0; i < names.bytes; i++) {
        unsigned b = names.data[i] % NODES;
        list[i] = (struct neighbour){.id = id_of(b), .cost = names.data[i]};
        m->claims[a][b] = a != b;
    }
    router_set_neighbours(r, &from, list, (unsigned)names.bytes);
}

static void forget(struct router *r, struct model *m, unsigned a)
{
    struct moth_id from = id_of(a);
    router_remove(r, &from);
    memset(m->claims[a], 0, sizeof m->claims[a]);
}

static void step(struct router *r, struct model *m, struct reader *in)
{
    unsigned what = (unsigned)read_uint(in, 1), a = (unsigned)read_uint(in, 1) % NODES;
    unsigned b = what % 8 < 5 ? (unsigned)read_uint(in, 1) % NODES : 0;
    size_t count = what % 8 == 5 ? what / 8 : 0;
    const uint8_t *names = read_raw(in, count);

    if (in->failed) return;
    switch (what % 8) {
    case 0: claim(r, m, a, b); break;
    case 1:
    case 2: claim(r, m, a, b); claim(r, m, b, a); break;
    case 3: unclaim(r, m, a, b); break;
    case 4: unclaim(r, m, a, b); unclaim(r, m, b, a); break;
    case 5: set(r, m, a, slice_of(names, count)); break;
    case 6: forget(r, m, a); break;
    default: recompute_and_check(r, m); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in = reader_of(slice_of(data, size));
    struct moth_id me = id_of(ME);
    struct router *r = router_new(&me, size);
    struct model m = {.hops = {0}};

    forget_ways(&m);
    while (reader_left(&in) > 0) step(r, &m, &in);
    recompute_and_check(r, &m);
    router_free(r);
    return 0;
}
