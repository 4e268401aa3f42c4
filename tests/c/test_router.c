/* test_router.c -- the map of the network.
 *
 * Nodes are letters; a letter's id starts with that letter, so `a` is smaller than `b`. We are `m`. A way is written
 * as the letters it passes: "mab" is from us over a to b. Random networks are checked against a plain search in a
 * matrix. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "proto/router.h"

#include <stdio.h>
#include <stdlib.h>

#define SEED 42u

static struct moth_id id_of(char name)
{
    return (struct moth_id){.bytes = {(uint8_t)name}};
}

static char name_of(const struct moth_id *id)
{
    return id_is_zero(id) ? '-' : (char)id->bytes[0];
}

static int set_up(void **state)
{
    struct moth_id me = id_of('m');
    *state = router_new(&me, SEED);
    return 0;
}

static int tear_down(void **state)
{
    router_free(*state);
    return 0;
}

/* "ab cd": a claims b, c claims d. */
static void claim(struct router *r, const char *pairs)
{
    for (const char *p = pairs; *p; p += p[2] ? 3 : 2) {
        struct moth_id a = id_of(p[0]), b = id_of(p[1]);
        router_link(r, &a, &b, 1);
    }
}

static void disclaim(struct router *r, const char *pairs)
{
    for (const char *p = pairs; *p; p += p[2] ? 3 : 2) {
        struct moth_id a = id_of(p[0]), b = id_of(p[1]);
        router_unlink(r, &a, &b);
    }
}

/* "ab cd": both ends claim it. */
static void link_up(struct router *r, const char *pairs)
{
    for (const char *p = pairs; *p; p += p[2] ? 3 : 2) {
        char back[] = {p[1], p[0], '\0'}, forth[] = {p[0], p[1], '\0'};
        claim(r, forth);
        claim(r, back);
    }
}

static void cut(struct router *r, const char *pairs)
{
    for (const char *p = pairs; *p; p += p[2] ? 3 : 2) {
        char back[] = {p[1], p[0], '\0'}, forth[] = {p[0], p[1], '\0'};
        disclaim(r, forth);
        disclaim(r, back);
    }
}

/* set(r, 'a', "bc"): a claims b and c and nobody else. */
static void set(struct router *r, char origin, const char *names)
{
    struct neighbour list[32];
    struct moth_id id = id_of(origin);
    unsigned count = (unsigned)strlen(names);
    for (unsigned i = 0; i < count; i++) list[i] = (struct neighbour){.id = id_of(names[i]), .cost = 1};
    router_set_neighbours(r, &id, list, count);
}

static void forget(struct router *r, char origin)
{
    struct moth_id id = id_of(origin);
    router_remove(r, &id);
}

static void assert_way(const struct router *r, const char *way)
{
    size_t nodes = strlen(way);
    struct moth_id path[32], to = id_of(way[nodes - 1]);
    char text[33] = {0};

    assert_int_equal(router_path(r, &to, path, 32), nodes);
    for (size_t i = 0; i < nodes; i++) text[i] = name_of(&path[i]);
    assert_string_equal(text, way);
    assert_int_equal(router_hops(r, &to), nodes - 1);
    assert_non_null(router_next_hop(r, &to));
    assert_int_equal(name_of(router_next_hop(r, &to)), way[1]);
}

static void assert_no_way(const struct router *r, char name)
{
    struct moth_id path[1], to = id_of(name);
    assert_int_equal(router_path(r, &to, path, 1), 0);
    assert_int_equal(router_hops(r, &to), ROUTER_UNREACHABLE);
    assert_null(router_next_hop(r, &to));
}

static void describe(const struct route *routes, size_t count, char *out)
{
    for (size_t i = 0; i < count; i++) {
        char hops = routes[i].hops == ROUTER_UNREACHABLE ? '!' : (char)('0' + routes[i].hops);
        out += sprintf(out, "%s%c>%c%c", i ? " " : "", name_of(&routes[i].id), name_of(&routes[i].next), hops);
    }
    *out = '\0';
}

/* "b>a2 c>-!": b is now two hops away over a, c is lost. */
static void assert_changes(struct router *r, const char *expected)
{
    char text[256];
    size_t count;
    bool changed = router_recompute(r);
    const struct route *changes = router_changes(r, &count);
    describe(changes, count, text);
    assert_string_equal(text, expected);
    assert_int_equal(changed, count > 0);
}

static void assert_edges(const struct router *r, const char *expected)
{
    struct router_edge edges[32];
    char text[128] = "", *at = text;
    size_t count = router_edges(r, edges, 32);
    for (size_t i = 0; i < count; i++)
        at += sprintf(at, "%s%c%c", i ? " " : "", name_of(&edges[i].a), name_of(&edges[i].b));
    assert_string_equal(text, expected);
}

static void router_starts_with_ourselves_alone(void **state)
{
    struct router *r = *state;
    struct moth_id me = id_of('m'), path[1];
    struct route route;

    assert_changes(r, "");
    assert_int_equal(router_count(r), 1);
    assert_int_equal(router_hops(r, &me), 0);
    assert_null(router_next_hop(r, &me));
    assert_int_equal(router_path(r, &me, path, 1), 1);
    assert_true(id_equal(&path[0], &me));
    assert_int_equal(router_routes(r, &route, 1), 0);
    assert_edges(r, "");
    assert_no_way(r, 'x');
}

/*   m --> a     a says nothing yet */
static void router_counts_our_own_link_as_soon_as_we_claim_it(void **state)
{
    struct router *r = *state;
    claim(r, "ma");
    assert_changes(r, "a>a1");
    assert_way(r, "ma");
    claim(r, "am");
    assert_changes(r, "");
}

/*   m <-- a */
static void router_does_not_believe_who_claims_us(void **state)
{
    struct router *r = *state;
    claim(r, "am");
    assert_changes(r, "");
    assert_no_way(r, 'a');
    assert_int_equal(router_count(r), 2);
}

/*   m === a --> b     then b --> a, then a takes it back */
static void router_counts_others_links_only_when_both_claim_them(void **state)
{
    struct router *r = *state;
    link_up(r, "ma");
    claim(r, "ab");
    assert_changes(r, "a>a1");
    assert_no_way(r, 'b');
    claim(r, "ba");
    assert_changes(r, "b>a2");
    disclaim(r, "ab");
    assert_changes(r, "b>-!");
}

/*   m --> a === b     a no longer claims us: we know better */
static void router_keeps_our_link_when_the_other_end_drops_its_claim(void **state)
{
    struct router *r = *state;
    link_up(r, "ma ab");
    assert_changes(r, "a>a1 b>a2");
    disclaim(r, "am");
    assert_changes(r, "");
    assert_way(r, "mab");
    disclaim(r, "ma");
    assert_changes(r, "a>-! b>-!");
}

/*   m --- d --- c --- b --- a */
static void router_walks_a_chain(void **state)
{
    struct router *r = *state;
    link_up(r, "ab bc cd dm");
    assert_changes(r, "a>d4 b>d3 c>d2 d>d1");
    assert_way(r, "mdcba");
}

/*   m --- a --- c     the direct link comes last */
/*    `----------'                                */
static void router_takes_a_shorter_way_when_it_appears(void **state)
{
    struct router *r = *state;
    link_up(r, "ma ac");
    assert_changes(r, "a>a1 c>a2");
    link_up(r, "mc");
    assert_changes(r, "c>c1");
    assert_way(r, "mc");
}

/*     ,- a -.           */
/*   m -- b -- x         */
/*     `- c -'           */
static void router_prefers_the_smaller_id_among_new_ways(void **state)
{
    static const char *orders[] = {"ma mb mc ax bx cx", "cx bx ax mc mb ma", "bx mc ax ma cx mb"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct moth_id me = id_of('m');
        struct router *r = router_new(&me, i);
        link_up(r, orders[i]);
        assert_changes(r, "a>a1 b>b1 c>c1 x>a2");
        router_free(r);
    }
}

/*     ,- a --- f -.     f and e lie next to x, and e is the smaller: */
/*   m              x    the way to x leads over b.                   */
/*     `- b --- e -'                                                  */
static void router_compares_those_who_are_a_hop_nearer(void **state)
{
    struct router *r = *state;
    link_up(r, "ma af fx mb be ex");
    assert_true(router_recompute(r));
    assert_way(r, "mbex");
}

/*     ,- a -.                            */
/*   m        x     b was there first     */
/*     `- b -'                            */
static void router_keeps_the_old_path_on_a_tie(void **state)
{
    struct router *r = *state;
    link_up(r, "mb bx");
    assert_changes(r, "b>b1 x>b2");
    link_up(r, "ma ax");
    assert_changes(r, "a>a1");
    assert_way(r, "mbx");
}

/*   m --- b --- d --- x     the way over a and c is as long and smaller at every step; */
/*    `--- a --- c ---'      n only makes the router search anew.                       */
static void router_keeps_the_whole_old_path_on_a_tie(void **state)
{
    struct router *r = *state;
    link_up(r, "mb bd dx");
    assert_true(router_recompute(r));
    link_up(r, "ma ac cx ad cb mn");
    assert_true(router_recompute(r));
    assert_way(r, "mbdx");
    cut(r, "bd");
    assert_changes(r, "d>a2 x>a3");
    assert_way(r, "madx");
}

/*   m --- b --- x     b goes, a takes over; b comes back too late */
/*    `--- a ---'                                                  */
static void router_moves_to_the_other_way_and_stays_there(void **state)
{
    struct router *r = *state;
    link_up(r, "ma mb ax bx");
    assert_changes(r, "a>a1 b>b1 x>a2");
    cut(r, "ma");
    assert_changes(r, "a>b3 x>b2");
    link_up(r, "ma");
    assert_changes(r, "a>a1");
    assert_way(r, "mbx");
}

/*   m --- b --- x     cut off and back again: the old way counts no longer */
/*    `--- a ---'                                                           */
static void router_forgets_the_way_of_whom_it_lost(void **state)
{
    struct router *r = *state;
    link_up(r, "mb bx");
    assert_true(router_recompute(r));
    cut(r, "bx");
    assert_changes(r, "x>-!");
    link_up(r, "ma ax bx");
    assert_changes(r, "a>a1 x>a2");
}

/*   m --- a --- b -x- c --- d */
static void router_tells_who_is_lost_and_found_in_order(void **state)
{
    struct router *r = *state;
    link_up(r, "ma ab bc cd");
    assert_changes(r, "a>a1 b>a2 c>a3 d>a4");
    cut(r, "bc");
    assert_changes(r, "c>-! d>-!");
    assert_no_way(r, 'c');
    assert_no_way(r, 'd');
    link_up(r, "bc");
    assert_changes(r, "c>a3 d>a4");
}

static void router_tells_changes_once(void **state)
{
    struct router *r = *state;
    link_up(r, "ma");
    assert_changes(r, "a>a1");
    assert_changes(r, "");
}

static void router_tells_nothing_when_a_change_was_undone(void **state)
{
    struct router *r = *state;
    link_up(r, "ma ab");
    assert_true(router_recompute(r));
    cut(r, "ab");
    link_up(r, "ab");
    assert_changes(r, "");
}

/*   m --- a --- b     a and b each with a further link to c: nobody's way uses both */
/*          `- c -'                                                                  */
static void router_does_not_miss_an_edge_nobody_used(void **state)
{
    struct router *r = *state;
    link_up(r, "ma ab ac bc");
    assert_changes(r, "a>a1 b>a2 c>a2");
    cut(r, "bc");
    assert_changes(r, "");
    link_up(r, "bc");
    assert_changes(r, "");
    cut(r, "ac");
    assert_changes(r, "c>a3");
}

static void router_answers_from_the_last_recompute(void **state)
{
    struct router *r = *state;
    link_up(r, "ma ab");
    assert_no_way(r, 'a');
    router_recompute(r);
    cut(r, "ma ab");
    assert_way(r, "mab");
    router_recompute(r);
    assert_no_way(r, 'a');
}

static void router_set_replaces_what_was_claimed(void **state)
{
    struct router *r = *state;
    set(r, 'm', "abc");
    assert_changes(r, "a>a1 b>b1 c>c1");
    set(r, 'm', "bd");
    assert_changes(r, "a>-! c>-! d>d1");
    set(r, 'm', "");
    assert_changes(r, "b>-! d>-!");
}

static void router_set_again_in_another_order_changes_nothing(void **state)
{
    struct router *r = *state;
    set(r, 'm', "abc");
    set(r, 'a', "md");
    set(r, 'd', "a");
    assert_true(router_recompute(r));
    set(r, 'm', "cab");
    set(r, 'a', "dm");
    assert_changes(r, "");
    assert_way(r, "mad");
}

static void router_set_ignores_the_origin_and_repetitions(void **state)
{
    struct router *r = *state;
    set(r, 'm', "amaabm");
    assert_changes(r, "a>a1 b>b1");
    assert_edges(r, "am bm");
    set(r, 'm', "b");
    assert_changes(r, "a>-!");
    set(r, 'z', "zz");
    assert_int_equal(router_count(r), 2);
}

static void router_link_ignores_a_link_to_oneself(void **state)
{
    struct router *r = *state;
    claim(r, "mm aa");
    assert_changes(r, "");
    assert_int_equal(router_count(r), 1);
    assert_edges(r, "");
}

static void router_link_twice_is_unlinked_once(void **state)
{
    struct router *r = *state;
    claim(r, "ma ma");
    assert_changes(r, "a>a1");
    disclaim(r, "ma");
    assert_changes(r, "a>-!");
}

static void router_unlink_of_what_was_never_claimed_is_fine(void **state)
{
    struct router *r = *state;
    claim(r, "ma");
    router_recompute(r);
    disclaim(r, "xy mx xm am");
    assert_changes(r, "");
    assert_way(r, "ma");
    assert_int_equal(router_count(r), 2);
}

/*   m --- a --- b     a is forgotten, yet we and b still name it */
static void router_remove_keeps_whom_others_name(void **state)
{
    struct router *r = *state;
    link_up(r, "ma ab");
    router_recompute(r);
    forget(r, 'a');
    assert_changes(r, "b>-!");
    assert_way(r, "ma");
    assert_int_equal(router_count(r), 3);
}

static void router_remove_of_ourselves_drops_our_links(void **state)
{
    struct router *r = *state;
    link_up(r, "ma mb");
    router_recompute(r);
    forget(r, 'm');
    assert_changes(r, "a>-! b>-!");
    assert_int_equal(router_count(r), 3);
    forget(r, 'a');
    forget(r, 'b');
    assert_changes(r, "");
    assert_int_equal(router_count(r), 1);
}

static void router_remove_of_an_unknown_node_is_fine(void **state)
{
    struct router *r = *state;
    forget(r, 'x');
    assert_changes(r, "");
    assert_int_equal(router_count(r), 1);
}

static void router_forgets_a_stranger_with_the_last_claim(void **state)
{
    struct router *r = *state;
    claim(r, "ab ac ba");
    assert_int_equal(router_count(r), 4);
    disclaim(r, "ac");
    assert_int_equal(router_count(r), 3);
    disclaim(r, "ab");
    assert_int_equal(router_count(r), 3);
    disclaim(r, "ba");
    assert_int_equal(router_count(r), 1);
}

static void router_forgets_whom_it_could_reach_only_after_telling(void **state)
{
    struct router *r = *state;
    link_up(r, "ma");
    router_recompute(r);
    cut(r, "ma");
    assert_way(r, "ma");
    assert_changes(r, "a>-!");
    assert_int_equal(router_count(r), 1);
    link_up(r, "mb");
    assert_changes(r, "b>b1");
}

static void router_memory_follows_what_is_claimed_now(void **state)
{
    static struct neighbour list[512];
    struct router *r = *state;
    struct moth_id origin = id_of('a');
    for (unsigned round = 0; round < 200; round++) {
        unsigned count = round % 3 == 2 ? 5 : 512;
        for (unsigned i = 0; i < count; i++) {
            list[i].id = id_of('x');
            put_uint(list[i].id.bytes + 1, round * 512 + i, 8);
        }
        router_set_neighbours(r, &origin, list, count);
        assert_int_equal(router_count(r), count + 2);
    }
    forget(r, 'a');
    assert_int_equal(router_count(r), 1);
}

static void router_path_writes_no_more_than_asked_for(void **state)
{
    struct router *r = *state;
    struct moth_id path[3] = {{{0}}}, to = id_of('c');
    link_up(r, "ma ab bc");
    router_recompute(r);
    assert_int_equal(router_path(r, &to, path, 2), 4);
    assert_int_equal(name_of(&path[0]), 'm');
    assert_int_equal(name_of(&path[1]), 'a');
    assert_true(id_is_zero(&path[2]));
    assert_int_equal(router_path(r, &to, NULL, 0), 4);
}

static void router_routes_lists_all_who_can_be_reached_ascending(void **state)
{
    struct router *r = *state;
    struct route routes[8] = {{.hops = 0}};
    char text[64];
    link_up(r, "mz za ab xy");
    router_recompute(r);
    assert_int_equal(router_routes(r, routes, 8), 3);
    describe(routes, 3, text);
    assert_string_equal(text, "a>z2 b>z3 z>z1");
}

static void router_routes_writes_no_more_than_asked_for(void **state)
{
    struct router *r = *state;
    struct route routes[3] = {{.hops = 0}};
    char text[64];
    link_up(r, "mz za ab");
    router_recompute(r);
    assert_int_equal(router_routes(r, NULL, 0), 3);
    assert_int_equal(router_routes(r, routes, 2), 3);
    describe(routes, 2, text);
    assert_string_equal(text, "a>z2 b>z3");
    assert_true(id_is_zero(&routes[2].id));
}

/*   z === m --> a === b --> c     x --> m     p === q, an island */
static void router_edges_lists_what_counts_ascending(void **state)
{
    struct router *r = *state;
    struct router_edge edges[2] = {{.a = {{0}}}};
    link_up(r, "zm ab qp");
    claim(r, "ma bc xm");
    assert_edges(r, "ab am mz pq");
    assert_int_equal(router_edges(r, NULL, 0), 4);
    assert_int_equal(router_edges(r, edges, 1), 4);
    assert_int_equal(name_of(&edges[0].b), 'b');
    assert_true(id_is_zero(&edges[1].a));
}

static struct moth_id id_of_number(uint64_t n)
{
    struct moth_id id = id_of('n');
    put_uint(id.bytes + 1, n, 8);
    return id;
}

/*   0 --- 1 --- 2 --- ... --- 65,535 --- 65,536     a number of 16 bits counts the hops */
static void router_cannot_reach_farther_than_it_counts(void **state)
{
    struct moth_id me = id_of_number(0), last = id_of_number(65534), beyond = id_of_number(65535);
    struct router *r = router_new(&me, SEED);
    (void)state;
    for (uint64_t n = 0; n < 65536; n++) {
        struct moth_id a = id_of_number(n), b = id_of_number(n + 1);
        router_link(r, &a, &b, 1);
        router_link(r, &b, &a, 1);
    }
    assert_true(router_recompute(r));
    assert_int_equal(router_hops(r, &last), 65534);
    assert_int_equal(router_hops(r, &beyond), ROUTER_UNREACHABLE);
    assert_null(router_next_hop(r, &beyond));
    router_free(r);
}

static void router_free_of_nothing_is_fine(void **state)
{
    (void)state;
    router_free(NULL);
}

/* A network in a matrix, searched in the plainest way. Places in it are unrelated to the order of ids. */
#define NODES 24

struct model {
    struct moth_id ids[NODES]; /* the first is us */
    bool claims[NODES][NODES];
    unsigned hops[NODES];
    size_t parent[NODES]; /* NODES: none */
    size_t next[NODES];
};

static uint64_t draw(uint64_t *random)
{
    uint64_t z = *random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void model_init(struct model *m, uint64_t *random)
{
    *m = (struct model){.hops = {0}};
    for (size_t i = 0; i < NODES; i++) {
        put_uint(put_uint(m->ids[i].bytes, draw(random), 8), i, 8);
        m->hops[i] = i == 0 ? 0 : ROUTER_UNREACHABLE;
        m->parent[i] = m->next[i] = NODES;
    }
}

static bool model_counts(const struct model *m, size_t a, size_t b)
{
    return m->claims[a][b] && (m->claims[b][a] || a == 0);
}

static void model_measure(struct model *m)
{
    for (size_t i = 1; i < NODES; i++) m->hops[i] = ROUTER_UNREACHABLE;
    for (unsigned hops = 0; hops < NODES; hops++)
        for (size_t a = 0; a < NODES; a++)
            for (size_t b = 0; b < NODES; b++)
                if (m->hops[a] == hops && m->hops[b] == ROUTER_UNREACHABLE && model_counts(m, a, b))
                    m->hops[b] = hops + 1;
}

static bool model_may_be_parent(const struct model *m, size_t parent, size_t of)
{
    return parent != NODES && m->hops[of] != ROUTER_UNREACHABLE && m->hops[parent] + 1 == m->hops[of] &&
           model_counts(m, parent, of);
}

static size_t model_parent(const struct model *m, size_t of)
{
    size_t best = NODES;
    if (model_may_be_parent(m, m->parent[of], of)) return m->parent[of];
    for (size_t i = 0; i < NODES; i++)
        if (model_may_be_parent(m, i, of) && (best == NODES || id_compare(&m->ids[i], &m->ids[best]) < 0)) best = i;
    return best;
}

static size_t model_next(const struct model *m, size_t to)
{
    if (to == 0 || m->hops[to] == ROUTER_UNREACHABLE) return NODES;
    while (m->hops[to] > 1) to = m->parent[to];
    return to;
}

/* Every question about one node, and whether it stands among the changes. */
static void assert_same_route(const struct router *r, const struct model *m, size_t to)
{
    struct moth_id path[NODES];
    size_t nodes = m->hops[to] == ROUTER_UNREACHABLE ? 0 : m->hops[to] + 1;
    const struct moth_id *next = router_next_hop(r, &m->ids[to]);

    assert_int_equal(router_hops(r, &m->ids[to]), m->hops[to]);
    assert_int_equal(router_path(r, &m->ids[to], path, NODES), nodes);
    for (size_t at = to; nodes > 0; at = m->parent[at]) assert_true(id_equal(&path[--nodes], &m->ids[at]));
    if (m->next[to] == NODES) assert_null(next);
    else assert_true(next && id_equal(next, &m->ids[m->next[to]]));
}

static const struct route *find_change(const struct router *r, const struct moth_id *id)
{
    size_t count;
    const struct route *changes = router_changes(r, &count);
    for (size_t i = 0; i < count; i++)
        if (id_equal(&changes[i].id, id)) return &changes[i];
    return NULL;
}

static size_t assert_same_change(const struct router *r, const struct model *m, const struct model *old, size_t to)
{
    const struct route *change = find_change(r, &m->ids[to]);
    bool expected = m->hops[to] != old->hops[to] || m->next[to] != old->next[to];
    assert_int_equal(change != NULL, expected);
    if (!change) return 0;
    assert_int_equal(change->hops, m->hops[to]);
    if (m->next[to] == NODES) assert_true(id_is_zero(&change->next));
    else assert_true(id_equal(&change->next, &m->ids[m->next[to]]));
    if (old->next[to] == NODES) assert_true(id_is_zero(&change->old));
    else assert_true(id_equal(&change->old, &m->ids[old->next[to]]));
    return 1;
}

static void recompute_both(struct router *r, struct model *m)
{
    struct model old = *m;
    size_t changes = 0, count;
    bool changed = router_recompute(r);

    model_measure(m);
    for (size_t i = 1; i < NODES; i++) m->parent[i] = model_parent(m, i);
    for (size_t i = 1; i < NODES; i++) m->next[i] = model_next(m, i);
    for (size_t i = 0; i < NODES; i++) {
        assert_same_route(r, m, i);
        changes += assert_same_change(r, m, &old, i);
    }
    const struct route *list = router_changes(r, &count);
    assert_int_equal(count, changes);
    assert_int_equal(changed, changes > 0);
    for (size_t i = 1; i < count; i++) assert_true(id_compare(&list[i - 1].id, &list[i].id) < 0);
}

static void set_both(struct router *r, struct model *m, size_t origin, uint64_t *random)
{
    struct neighbour list[8];
    unsigned count = (unsigned)(draw(random) % 8);
    memset(m->claims[origin], 0, sizeof m->claims[origin]);
    for (unsigned i = 0; i < count; i++) {
        size_t to = draw(random) % NODES;
        list[i] = (struct neighbour){.id = m->ids[to], .cost = (uint16_t)draw(random)};
        m->claims[origin][to] = to != origin;
    }
    router_set_neighbours(r, &m->ids[origin], list, count);
}

static void change_both(struct router *r, struct model *m, uint64_t *random)
{
    size_t a = draw(random) % NODES, b = draw(random) % NODES, what = draw(random) % 16;
    if (what == 0) {
        router_remove(r, &m->ids[a]);
        memset(m->claims[a], 0, sizeof m->claims[a]);
    } else if (what < 4) {
        set_both(r, m, a, random);
    } else if (what < 8) {
        router_unlink(r, &m->ids[a], &m->ids[b]);
        m->claims[a][b] = false;
    } else {
        router_link(r, &m->ids[a], &m->ids[b], 1);
        m->claims[a][b] = a != b;
        if (what < 12) return;
        router_link(r, &m->ids[b], &m->ids[a], 1);
        m->claims[b][a] = a != b;
    }
}

static size_t model_edges(const struct model *m)
{
    size_t count = 0;
    for (size_t a = 0; a < NODES; a++)
        for (size_t b = a + 1; b < NODES; b++) count += model_counts(m, a, b);
    return count;
}

static size_t model_count(const struct model *m)
{
    size_t count = 1;
    for (size_t a = 1; a < NODES; a++) {
        bool known = false;
        for (size_t b = 0; b < NODES; b++) known = known || m->claims[a][b] || m->claims[b][a];
        count += known;
    }
    return count;
}

static void router_agrees_with_a_plain_search_whatever_happens(void **state)
{
    uint64_t random = 7;
    (void)state;
    for (int network = 0; network < 200; network++) {
        struct model m;
        model_init(&m, &random);
        struct router *r = router_new(&m.ids[0], draw(&random));
        for (int step = 0; step < 150; step++) {
            change_both(r, &m, &random);
            if (draw(&random) % 3) recompute_both(r, &m);
        }
        recompute_both(r, &m);
        assert_int_equal(router_edges(r, NULL, 0), model_edges(&m));
        assert_int_equal(router_count(r), model_count(&m));
        router_free(r);
    }
}

/* Both get the same claims, one of them backwards and with another seed. */
static void router_does_not_care_about_the_order_of_claims(void **state)
{
    uint64_t random = 11;
    (void)state;
    for (int network = 0; network < 50; network++) {
        struct model m;
        model_init(&m, &random);
        struct router *one = router_new(&m.ids[0], 1), *two = router_new(&m.ids[0], 2);
        for (size_t i = 0; i < 120; i++) m.claims[draw(&random) % NODES][draw(&random) % NODES] = true;
        for (size_t a = 0; a < NODES; a++) m.claims[a][a] = false;
        for (size_t i = 0, last = NODES * NODES - 1; i <= last; i++) {
            size_t a = i / NODES, b = i % NODES, c = (last - i) / NODES, d = (last - i) % NODES;
            if (m.claims[a][b]) router_link(one, &m.ids[a], &m.ids[b], 1);
            if (m.claims[c][d]) router_link(two, &m.ids[c], &m.ids[d], 1);
        }
        struct model copy = m;
        recompute_both(one, &m);
        recompute_both(two, &copy);
        router_free(one);
        router_free(two);
    }
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(router_starts_with_ourselves_alone),
        test(router_counts_our_own_link_as_soon_as_we_claim_it),
        test(router_does_not_believe_who_claims_us),
        test(router_counts_others_links_only_when_both_claim_them),
        test(router_keeps_our_link_when_the_other_end_drops_its_claim),
        test(router_walks_a_chain),
        test(router_takes_a_shorter_way_when_it_appears),
        test(router_prefers_the_smaller_id_among_new_ways),
        test(router_compares_those_who_are_a_hop_nearer),
        test(router_keeps_the_old_path_on_a_tie),
        test(router_keeps_the_whole_old_path_on_a_tie),
        test(router_moves_to_the_other_way_and_stays_there),
        test(router_forgets_the_way_of_whom_it_lost),
        test(router_tells_who_is_lost_and_found_in_order),
        test(router_tells_changes_once),
        test(router_tells_nothing_when_a_change_was_undone),
        test(router_does_not_miss_an_edge_nobody_used),
        test(router_answers_from_the_last_recompute),
        test(router_set_replaces_what_was_claimed),
        test(router_set_again_in_another_order_changes_nothing),
        test(router_set_ignores_the_origin_and_repetitions),
        test(router_link_ignores_a_link_to_oneself),
        test(router_link_twice_is_unlinked_once),
        test(router_unlink_of_what_was_never_claimed_is_fine),
        test(router_remove_keeps_whom_others_name),
        test(router_remove_of_ourselves_drops_our_links),
        test(router_remove_of_an_unknown_node_is_fine),
        test(router_forgets_a_stranger_with_the_last_claim),
        test(router_forgets_whom_it_could_reach_only_after_telling),
        test(router_memory_follows_what_is_claimed_now),
        test(router_path_writes_no_more_than_asked_for),
        test(router_routes_lists_all_who_can_be_reached_ascending),
        test(router_routes_writes_no_more_than_asked_for),
        test(router_edges_lists_what_counts_ascending),
        cmocka_unit_test(router_cannot_reach_farther_than_it_counts),
        cmocka_unit_test(router_free_of_nothing_is_fine),
        cmocka_unit_test(router_agrees_with_a_plain_search_whatever_happens),
        cmocka_unit_test(router_does_not_care_about_the_order_of_claims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
