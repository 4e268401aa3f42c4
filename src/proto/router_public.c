/* router_public.c -- the router of router.h for programs: include/moth/router.h over it.
 *
 * A link is two claims, one of each end. Beside the router stands who is in the map, with how many links, and which
 * links there are: that bounds the map before the router takes anything in. Links are known by a hash over both ends,
 * the smaller first. */
#include "moth/router.h"

#include "base/crypto.h"
#include "base/mem.h"
#include "proto/router.h"

#include <stdlib.h>

static const char name_label[] = "moth name ";

struct member {
    unsigned links;
};

struct moth_router {
    struct router *router; /* owned */
    struct moth_id me;
    struct id_map members; /* of struct member, owned: who has a link */
    struct id_map links;   /* which pairs there are; the value says only that */
};

struct moth_router *moth_router_new(const struct moth_id *me, uint64_t seed)
{
    struct moth_router *r = mem_new(sizeof *r);
    r->router = router_new(me, seed);
    r->me = *me;
    id_map_init(&r->members, seed);
    id_map_init(&r->links, seed);
    return r;
}

void moth_router_free(struct moth_router *r)
{
    struct moth_id id;
    void *member;
    if (!r) return;
    for (size_t at = 0; id_map_next(&r->members, &at, &id, &member);) free(member);
    id_map_fini(&r->members);
    id_map_fini(&r->links);
    router_free(r->router);
    free(r);
}

static struct moth_id key_of(const struct moth_id *a, const struct moth_id *b)
{
    struct moth_id key;
    uint8_t hash[CRYPTO_HASH_BYTES];
    bool in_order = id_compare(a, b) < 0;
    crypto_sha256_pair(slice_of(in_order ? a : b, sizeof *a), slice_of(in_order ? b : a, sizeof *b), hash);
    memcpy(key.bytes, hash, sizeof key.bytes);
    return key;
}

/* --- links --- */

static bool is_new(const struct moth_router *r, const struct moth_id *id)
{
    return !id_equal(id, &r->me) && !id_map_find(&r->members, id);
}

static void count_up(struct moth_router *r, const struct moth_id *id)
{
    struct member *m = id_map_find(&r->members, id);
    if (!m) id_map_put(&r->members, id, m = mem_new(sizeof *m));
    m->links++;
}

static void count_down(struct moth_router *r, const struct moth_id *id)
{
    struct member *m = id_map_find(&r->members, id);
    if (--m->links > 0) return;
    id_map_remove(&r->members, id);
    free(m);
}

static size_t member_count(const struct moth_router *r)
{
    return r->members.count + !id_map_find(&r->members, &r->me);
}

int moth_router_link(struct moth_router *r, const struct moth_id *a, const struct moth_id *b, uint16_t cost)
{
    struct moth_id key = key_of(a, b);
    if (id_equal(a, b)) return MOTH_ESELF;
    if (!id_map_find(&r->links, &key)) {
        if (r->links.count >= MOTH_ROUTER_LINKS_MAX) return MOTH_EFULL;
        if (member_count(r) + is_new(r, a) + is_new(r, b) > MOTH_ROUTER_NODES_MAX) return MOTH_EFULL;
        id_map_put(&r->links, &key, r);
        count_up(r, a);
        count_up(r, b);
    }
    router_link(r->router, a, b, cost);
    router_link(r->router, b, a, cost);
    return 0;
}

int moth_router_unlink(struct moth_router *r, const struct moth_id *a, const struct moth_id *b)
{
    struct moth_id key = key_of(a, b);
    if (!id_map_find(&r->links, &key)) return MOTH_ENOT_FOUND;
    id_map_remove(&r->links, &key);
    count_down(r, a);
    count_down(r, b);
    router_unlink(r->router, a, b);
    router_unlink(r->router, b, a);
    return 0;
}

int moth_router_remove(struct moth_router *r, const struct moth_id *id)
{
    if (!id_map_find(&r->members, id)) return MOTH_ENOT_FOUND;
    size_t count = router_edges(r->router, NULL, 0);
    struct router_edge *edges = mem_array(count, sizeof *edges);
    router_edges(r->router, edges, count);
    for (size_t i = 0; i < count; i++)
        if (id_equal(&edges[i].a, id) || id_equal(&edges[i].b, id)) moth_router_unlink(r, &edges[i].a, &edges[i].b);
    free(edges);
    return 0;
}

bool moth_router_has(const struct moth_router *r, const struct moth_id *id)
{
    return !is_new(r, id);
}

/* --- ways --- */

int moth_router_next_hop(struct moth_router *r, const struct moth_id *to, struct moth_id *out)
{
    if (id_equal(to, &r->me)) return MOTH_ESELF;
    if (is_new(r, to)) return MOTH_ENOT_FOUND;
    router_recompute(r->router);
    const struct moth_id *next = router_next_hop(r->router, to);
    if (!next) return MOTH_EUNREACHABLE;
    *out = *next;
    return 0;
}

size_t moth_router_path(struct moth_router *r, const struct moth_id *to, struct moth_id *out, size_t capacity)
{
    router_recompute(r->router);
    return router_path(r->router, to, out, capacity);
}

size_t moth_router_routes(struct moth_router *r, struct moth_route *out, size_t capacity)
{
    router_recompute(r->router);
    size_t count = router_routes(r->router, NULL, 0), wanted = count < capacity ? count : capacity;
    struct route *routes = mem_array(count, sizeof *routes);
    router_routes(r->router, routes, count);
    for (size_t i = 0; i < wanted; i++)
        out[i] = (struct moth_route){routes[i].id, routes[i].next, routes[i].hops};
    free(routes);
    return count;
}

void moth_id_of_text(const void *text, size_t bytes, struct moth_id *out)
{
    uint8_t hash[CRYPTO_HASH_BYTES];
    crypto_sha256_pair(slice_text(name_label), slice_of(text, bytes), hash);
    memcpy(out->bytes, hash, sizeof out->bytes);
}
