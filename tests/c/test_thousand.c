/* test_thousand.c -- many nodes in one process: they find each other soon, in little memory, and tell each other
 * nothing twice without need. Three hundred stand for the thousand of bench_lab. */
#include "kit.h"

#include "base/pool.h"

#include <malloc.h>

#define MANY 300u

static uint64_t sequence;

static unsigned chance(unsigned below)
{
    sequence = sequence * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(sequence >> 33) % below;
}

/* A ring, and from each node one chord: four links each, on average. */
static struct lab *boot(unsigned nodes)
{
    struct lab *lab = lab_new(7, nodes);
    char name[16];
    sequence = 7;
    for (unsigned i = 0; i < nodes; i++) {
        snprintf(name, sizeof name, "n%u", i);
        assert_int_equal(lab_start(lab, i, name, NULL), 0);
    }
    for (unsigned i = 0; i < nodes; i++) {
        lab_connect(lab, i, (i + 1) % nodes);
        lab_connect(lab, i, chance(nodes));
    }
    return lab;
}

static bool knows_all(struct lab *lab, void *argument)
{
    unsigned nodes = *(unsigned *)argument;
    for (unsigned i = 0; i < nodes; i++)
        if (router_routes(lab_node(lab, i)->router, NULL, 0) != nodes - 1) return false;
    return true;
}

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void test_hundreds_of_nodes_find_each_other_in_seconds_and_in_little_memory(void **state)
{
    unsigned nodes = MANY;
    size_t before = heap_bytes();
    (void)state;
    struct lab *lab = boot(nodes);
    assert_true(lab_run_until(lab, knows_all, &nodes, 4 * SECOND));
    lab_run(lab, 6 * SECOND); /* by then all is saved */
    assert_true(knows_all(lab, &nodes));
    /* sanitizers count none */
    assert_in_range(heap_bytes() - before, 0, nodes * (120000 + nodes * 800));
    lab_free(lab);
}

static bool knows_of_the_cut(struct lab *lab, void *argument)
{
    const struct moth_id *a = moth_node_id(lab_node(lab, 0)), *b = moth_node_id(lab_node(lab, 1));
    unsigned nodes = *(unsigned *)argument;
    for (unsigned i = 0; i < nodes; i++) {
        struct router_edge edges[2 * MANY];
        size_t count = router_edges(lab_node(lab, i)->router, edges, 2 * MANY);
        for (size_t e = 0; e < count; e++)
            if ((id_equal(&edges[e].a, a) && id_equal(&edges[e].b, b)) ||
                (id_equal(&edges[e].a, b) && id_equal(&edges[e].b, a)))
                return false;
    }
    return knows_all(lab, argument);
}

static void test_a_cut_is_known_everywhere_within_a_second(void **state)
{
    unsigned nodes = 60;
    (void)state;
    struct lab *lab = boot(nodes);
    assert_true(lab_run_until(lab, knows_all, &nodes, 4 * SECOND));
    lab_run(lab, 3 * SECOND);
    assert_false(knows_of_the_cut(lab, &nodes));
    lab_cut(lab, 0, 1, false);
    assert_true(lab_run_until(lab, knows_of_the_cut, &nodes, SECOND));
    lab_free(lab);
}

/* All hold one advert of each, and what they know of each other. */
static void test_nodes_of_one_lab_hold_each_advert_once(void **state)
{
    unsigned nodes = 60;
    (void)state;
    struct lab *lab = boot(nodes);
    assert_true(lab_run_until(lab, knows_all, &nodes, 4 * SECOND));
    lab_run(lab, 3 * SECOND);
    for (unsigned i = 0; i < nodes; i++) {
        const struct moth_id *id = moth_node_id(lab_node(lab, i));
        const struct pooled *own = topology_find(lab_node(lab, i), id)->advert;
        for (unsigned j = 0; j < nodes; j++) assert_ptr_equal(topology_find(lab_node(lab, j), id)->advert, own);
    }
    lab_free(lab);
}

/* Two nodes that tell each other the same at the same moment owe each other nothing more. */
static void test_an_advert_is_not_sent_back_to_whom_it_is_known_from(void **state)
{
    struct kit *k = kit_new(3, 3);
    (void)state;
    for (unsigned i = 0; i < 3; i++) kit_start(k, i, NULL);
    for (unsigned i = 0; i < 3; i++) lab_connect(k->lab, i, (i + 1) % 3);
    lab_run(k->lab, 5 * SECOND);
    struct session *s = peers_find(&kit_node(k, 0)->peers, kit_id(k, 1))->session;
    struct origin *o = topology_find(kit_node(k, 0), kit_id(k, 2));
    uint8_t frame[ADVERT_BYTES_MAX + 4] = {0};
    memcpy(frame + 4, o->advert->bytes, o->advert->size);
    sync_set_pending(s, o);
    assert_int_equal(topology_on_update(s, slice_of(frame, 4 + o->advert->size)), 0); /* they have it */
    assert_int_equal(s->pending_count, 0);
    kit_free(k);
}

/* Beyond the rate, what waits leaves in groups: the link is not woken for each. */
static void test_adverts_over_the_rate_leave_in_groups(void **state)
{
    struct kit *k = kit_new(3, 3);
    (void)state;
    for (unsigned i = 0; i < 3; i++) kit_start(k, i, NULL);
    for (unsigned i = 0; i < 3; i++) lab_connect(k->lab, i, (i + 1) % 3);
    lab_run(k->lab, 5 * SECOND);
    struct moth_node *n = kit_node(k, 0);
    struct session *s = peers_find(&n->peers, kit_id(k, 1))->session;
    uint64_t now = lab_now_us(k->lab), second = SECOND, out = n->counts.adverts_out;
    s->adverts_out.full_us = now + second; /* the burst is used up */
    for (unsigned i = 0; i < n->topology.slot_count; i++) sync_set_pending(s, n->topology.slots[i]);
    sync_turn(n, now);
    sync_turn(n, now + 6000); /* one could leave */
    sync_turn(n, now + 11000);
    assert_int_equal(n->counts.adverts_out, out);
    sync_turn(n, now + 15000);
    assert_int_equal(n->counts.adverts_out, out + 3);
    kit_free(k);
}

static void add_node(struct moth_node *n, const struct moth_id *at, uint8_t number)
{
    struct moth_id id = {{number, 1}};
    router_link(n->router, at, &id, 1);
    router_link(n->router, &id, at, 1);
    n->map_changed = true;
}

/* The map of a lone node, which knows somebody whose neighbours are drawn here. */
static void test_a_burst_of_news_is_searched_a_few_times_and_all_of_it_in_the_end(void **state)
{
    struct kit *k = kit_new(3, 2);
    (void)state;
    for (unsigned i = 0; i < 2; i++) kit_start(k, i, NULL);
    lab_connect(k->lab, 0, 1);
    lab_run(k->lab, 5 * SECOND);
    struct moth_node *n = kit_node(k, 0);
    uint64_t before = n->counts.recomputes;
    for (uint8_t i = 0; i < 200; i++) {
        add_node(n, kit_id(k, 1), i);
        lab_turn(k->lab, 0);
        if (i == 0) assert_int_equal(n->counts.recomputes, before + 1); /* after a calm, at once */
        lab_run(k->lab, 1000);
    }
    assert_in_range(n->counts.recomputes, before + 5, before + 60);
    lab_run(k->lab, 250000);
    assert_int_equal(router_routes(n->router, NULL, 0), 201);
    assert_false(n->map_changed);
    kit_free(k);
}

static void test_a_link_of_our_own_is_searched_for_at_once(void **state)
{
    struct kit *k = kit_new(3, 2);
    (void)state;
    for (unsigned i = 0; i < 2; i++) kit_start(k, i, NULL);
    lab_connect(k->lab, 0, 1);
    lab_run(k->lab, 5 * SECOND);
    struct moth_node *n = kit_node(k, 0);
    for (uint8_t i = 0; i < 200; i++) add_node(n, kit_id(k, 1), i);
    lab_turn(k->lab, 0);
    add_node(n, kit_id(k, 1), 200);
    lab_turn(k->lab, 0);
    assert_true(n->map_changed); /* it waits */
    lab_cut(k->lab, 0, 1, false);
    lab_run(k->lab, 1);
    assert_int_equal(router_routes(n->router, NULL, 0), 0);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hundreds_of_nodes_find_each_other_in_seconds_and_in_little_memory),
        cmocka_unit_test(test_a_cut_is_known_everywhere_within_a_second),
        cmocka_unit_test(test_nodes_of_one_lab_hold_each_advert_once),
        cmocka_unit_test(test_an_advert_is_not_sent_back_to_whom_it_is_known_from),
        cmocka_unit_test(test_adverts_over_the_rate_leave_in_groups),
        cmocka_unit_test(test_a_burst_of_news_is_searched_a_few_times_and_all_of_it_in_the_end),
        cmocka_unit_test(test_a_link_of_our_own_is_searched_for_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
