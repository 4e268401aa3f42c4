/* test_lab.c -- a hundred nodes on one imaginary wire: whatever happens to the network, in the end everyone's routes
 * are the truth, no queue has passed its limit, and it goes quiet. */
#include "kit.h"

#include <time.h>

#define NODES 100
#define CLONE 100 /* a spare machine */
#define OLD 101   /* keeps old files */

static unsigned chance(uint64_t *state, unsigned below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*state >> 33) % below;
}

static void boot(struct kit *k, uint64_t seed, unsigned nodes)
{
    uint64_t state = seed;
    for (unsigned i = 0; i < nodes; i++) kit_start(k, i, NULL);
    for (unsigned i = 1; i < nodes; i++) {
        /* each half is a tree with some chords; node nodes/2 is the only bridge to the first half */
        unsigned half = i < nodes / 2 ? 0 : nodes / 2;
        if (i > half) lab_connect(k->lab, i, half + chance(&state, i - half));
        if (i > half + 2) lab_connect(k->lab, i, half + chance(&state, i - half));
    }
    lab_connect(k->lab, nodes / 2, 0);
}

static void assert_queues_kept_their_limits(const struct kit *k, unsigned nodes)
{
    for (unsigned i = 0; i < nodes; i++) {
        if (!kit_node(k, i)) continue;
        struct moth_status status = kit_status(k, i);
        assert_true(status.queued_bytes_most <= status.limits[MOTH_LIMIT_LINK_QUEUE_BYTES]);
        assert_true(status.control_bytes_most <= status.limits[MOTH_LIMIT_LINK_CONTROL_BYTES]);
    }
}

static void assert_it_goes_quiet(struct kit *k, unsigned nodes)
{
    lab_run(k->lab, 30 * SECOND);
    uint64_t before = kit_adverts(k, nodes);
    lab_run(k->lab, 120 * SECOND);
    assert_int_equal(kit_adverts(k, nodes), before);
}

static void flap_the_bridge(struct kit *k, unsigned nodes)
{
    for (int i = 0; i < 6; i++) {
        lab_cut(k->lab, 0, nodes / 2, i % 2 == 1);
        lab_run(k->lab, (i + 1) * SECOND / 2);
        lab_join(k->lab, 0, nodes / 2);
        lab_run(k->lab, SECOND);
    }
    kit_settle(k, nodes, 60 * SECOND);
}

/* The first half can reach the second: redialling after a long cut takes its time. */
static bool is_whole(struct lab *lab, void *argument)
{
    const struct kit_question *q = argument;
    (void)lab;
    return router_hops(kit_node(q->kit, 0)->router, kit_id(q->kit, q->count - 1)) != ROUTER_UNREACHABLE;
}

static void part_and_merge_the_halves(struct kit *k, unsigned nodes)
{
    lab_partition(k->lab, 0, nodes / 2, true);
    kit_settle(k, nodes, 30 * SECOND);
    assert_int_equal(router_hops(kit_node(k, 0)->router, kit_id(k, nodes - 1)), ROUTER_UNREACHABLE);
    lab_kill(k->lab, 1);          /* changes that the other half does not see */
    lab_kill(k->lab, nodes - 2);
    lab_run(k->lab, 10 * SECOND);
    kit_start(k, 1, NULL);
    kit_start(k, nodes - 2, NULL);
    lab_connect(k->lab, 1, 0);
    lab_connect(k->lab, nodes - 2, nodes / 2);
    lab_partition(k->lab, 0, nodes / 2, false);
    assert_true(lab_run_until(k->lab, is_whole, &(struct kit_question){.kit = k, .count = nodes}, 60 * SECOND));
    kit_settle(k, nodes, 60 * SECOND);
}

static void lose_updates(struct kit *k, unsigned nodes)
{
    for (unsigned i = 0; i < nodes; i += 3) lab_lose_updates(k->lab, i, 400);
    for (unsigned i = 0; i < 4; i++) {
        lab_cut(k->lab, 0, nodes / 2, false);
        lab_run(k->lab, SECOND);
        lab_join(k->lab, 0, nodes / 2);
        lab_run(k->lab, SECOND);
    }
    for (unsigned i = 0; i < nodes; i += 3) lab_lose_updates(k->lab, i, 0);
    kit_settle(k, nodes, 60 * SECOND);
}

/* A node that restarts from an old copy of its home counts below what it has already said. */
static void restart_with_an_old_number(struct kit *k, unsigned nodes)
{
    lab_kill(k->lab, 9);
    kit_start(k, 9, NULL);
    lab_connect(k->lab, 9, 0);
    kit_settle(k, nodes, 60 * SECOND);
    uint64_t before = kit_node(k, 9)->reserve.last_seq;
    lab_kill(k->lab, 9);
    lab_copy_files(k->lab, OLD, 9);
    kit_start(k, 9, NULL);
    assert_true(kit_node(k, 9)->reserve.last_seq <= before);
    lab_connect(k->lab, 9, 0);
    kit_settle(k, nodes, 60 * SECOND);
    assert_true(kit_node(k, 9)->reserve.last_seq >= before + 65536);
}

static void run_a_clone(struct kit *k, unsigned nodes)
{
    lab_copy_files(k->lab, 7, CLONE);
    kit_start(k, CLONE, "n7");
    lab_connect(k->lab, CLONE, nodes - 1);
    lab_run(k->lab, 30 * SECOND);
    assert_non_null(strstr(k->notes, "runs with this node's key"));
    assert_true(kit_node(k, 7)->topology.cloned || kit_node(k, CLONE)->topology.cloned);
    assert_it_goes_quiet(k, nodes); /* one has fallen silent, and nobody argues about it */
    lab_kill(k->lab, CLONE);
    lab_kill(k->lab, 7);
    lab_run(k->lab, 5 * SECOND);
    kit_start(k, 7, NULL);
    lab_connect(k->lab, 7, 0);
    kit_settle(k, nodes, 60 * SECOND);
}

static uint64_t live(uint64_t seed, unsigned nodes)
{
    struct kit *k = kit_new(seed, NODES + 2);
    boot(k, seed, nodes);
    lab_copy_files(k->lab, 9, OLD);
    kit_settle(k, nodes, 60 * SECOND);
    flap_the_bridge(k, nodes);
    part_and_merge_the_halves(k, nodes);
    lose_updates(k, nodes);
    restart_with_an_old_number(k, nodes);
    run_a_clone(k, nodes);
    assert_it_goes_quiet(k, nodes);
    assert_true(kit_routes_are_true(k, nodes, true));
    assert_queues_kept_their_limits(k, nodes);
    uint64_t hash = lab_hash(k->lab);
    print_message("%u nodes, seed %llu: %llu virtual s, trace %016llx\n", nodes, (unsigned long long)seed,
                  (unsigned long long)(lab_now_us(k->lab) / SECOND), (unsigned long long)hash);
    kit_free(k);
    return hash;
}

static void test_a_hundred_nodes_live_through_everything(void **state)
{
    (void)state;
    live(1, NODES);
}

static void test_the_same_seed_gives_the_same_run_and_another_does_not(void **state)
{
    (void)state;
    uint64_t first = live(2, 20);
    assert_true(live(2, 20) == first);
    assert_true(live(3, 20) != first);
}

/* All messages between random pairs arrive once, whatever the network does meanwhile. */
static void test_mail_arrives_once_through_a_network_that_changes(void **state)
{
    enum { nodes = 12, mails = 200 };
    struct kit *k = kit_new(7, nodes);
    uint64_t dice = 7;
    (void)state;
    boot(k, 7, nodes);
    kit_settle(k, nodes, 60 * SECOND);
    for (int i = 0; i < mails; i++) {
        char text[16];
        unsigned from = chance(&dice, nodes), to = chance(&dice, nodes), a = chance(&dice, nodes),
                 b = chance(&dice, nodes);
        snprintf(text, sizeof text, "%d", i);
        assert_int_equal(kit_send(k, from, kit_id(k, to), text, NULL), 0);
        if (a != b && i % 4 == 0) lab_cut(k->lab, a, b, chance(&dice, 2));
        if (a != b && i % 4 == 2)
            for (unsigned c = 0; c < nodes; c++)
                for (unsigned d = 0; d < c; d++) lab_join(k->lab, c, d);
        lab_run(k->lab, chance(&dice, 300000));
    }
    for (unsigned c = 0; c < nodes; c++)
        for (unsigned d = 0; d < c; d++) lab_join(k->lab, c, d);
    lab_run(k->lab, 120 * SECOND);
    unsigned copies[mails] = {0};
    for (unsigned i = 0; i < k->text_count; i++) copies[atoi(k->texts[i])]++;
    for (int i = 0; i < mails; i++) assert_int_equal(copies[i], 1);
    assert_int_equal(k->states[MOTH_DELIVERED], mails);
    kit_free(k);
}

/* One thing that happens to a network, by chance. */
static void something_happens(struct kit *k, uint64_t *dice, unsigned nodes)
{
    unsigned a = chance(dice, nodes), b = chance(dice, nodes);
    switch (chance(dice, 8)) {
    case 0: lab_kill(k->lab, a); break;
    case 1: lab_freeze(k->lab, a, true); break;
    case 2: lab_freeze(k->lab, a, false); break;
    case 3:
        if (a != b) lab_cut(k->lab, a, b, chance(dice, 2));
        break;
    case 4:
        if (a != b) lab_join(k->lab, a, b);
        break;
    case 5:
        if (kit_node(k, a) && kit_session(k, a, b)) moth_disconnect(kit_node(k, a), kit_id(k, b));
        break;
    case 6:
        if (kit_node(k, a) && kit_node(k, b)) kit_emit(k, a, NULL, "all");
        break;
    default:
        if (!kit_node(k, a)) kit_start(k, a, NULL);
        if (a != b) lab_connect(k->lab, a, b);
        break;
    }
    lab_run(k->lab, chance(dice, SECOND));
}

static void everything_is_put_right(struct kit *k, unsigned nodes)
{
    for (unsigned a = 0; a < nodes; a++) lab_freeze(k->lab, a, false);
    for (unsigned a = 0; a < nodes; a++)
        for (unsigned b = 0; b < a; b++) lab_join(k->lab, a, b);
    for (unsigned a = 0; a < nodes; a++)
        if (!kit_node(k, a)) kit_start(k, a, NULL);
    for (unsigned a = 1; a < nodes; a++) lab_connect(k->lab, a, a - 1);
    lab_run(k->lab, 120 * SECOND);
}

/* Kills, freezes, cuts, disconnects, dials, in any order: when all is put right, links stay, routes are true, nobody
 * advertises, and no peer is held by somebody who is gone. */
static void test_whatever_happened_the_network_comes_to_rest(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint64_t dice = seed;
        unsigned nodes = 3 + chance(&dice, 7), ups = 0;
        struct kit *k = kit_new(seed, nodes);
        for (unsigned a = 0; a < nodes; a++) kit_start(k, a, NULL);
        for (int i = 0; i < 60; i++) something_happens(k, &dice, nodes);
        everything_is_put_right(k, nodes);
        for (unsigned a = 0; a < nodes; a++) ups += k->events[a][MOTH_EVENT_LINK_UP];
        uint64_t adverts = kit_adverts(k, nodes);
        lab_run(k->lab, 60 * SECOND);
        assert_true(kit_routes_are_true(k, nodes, true));
        assert_int_not_equal(router_hops(kit_node(k, 0)->router, kit_id(k, nodes - 1)), ROUTER_UNREACHABLE);
        assert_int_equal(kit_adverts(k, nodes), adverts);
        for (unsigned a = 0; a < nodes; a++) ups -= k->events[a][MOTH_EVENT_LINK_UP];
        assert_int_equal(ups, 0);
        kit_free(k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_hundred_nodes_live_through_everything),
        cmocka_unit_test(test_the_same_seed_gives_the_same_run_and_another_does_not),
        cmocka_unit_test(test_mail_arrives_once_through_a_network_that_changes),
        cmocka_unit_test(test_whatever_happened_the_network_comes_to_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
