/* test_carry.c -- mail for somebody who is away, left with others: who is asked, what they keep and for how long, and
 * what they and the recipient refuse from members that lie.
 *
 * The usual three, unless a test draws others:
 *
 *   ana --- bob --- eva     eva is away; ana leaves a copy with bob, who saw eva last
 */
#include "kit.h"

#include "node/store_disk.h"

#define ANA 0
#define BOB 1
#define EVA 2
#define KIM 3
#define JOE 4
#define DAN 5
#define MS 1000u

static struct kit *line(uint64_t seed, struct moth_id *eva)
{
    struct kit *k = kit_row(seed, 3);
    *eva = *kit_id(k, EVA);
    lab_run(k->lab, 40 * SECOND); /* the address books are saved by then */
    return k;
}

static struct kit *line_without_eva(uint64_t seed, struct moth_id *eva)
{
    struct kit *k = line(seed, eva);
    lab_kill(k->lab, EVA);
    lab_run(k->lab, 5 * SECOND);
    return k;
}

/* `count` nodes and the links between them, two letters each: "01 12" is a line of three. */
static struct kit *drawn(uint64_t seed, unsigned count, const char *links, const struct moth_config *bob)
{
    struct kit *k = kit_new(seed, 8);
    for (unsigned i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        assert_int_equal(lab_start(k->lab, i, name, i == BOB ? bob : NULL), 0);
    }
    for (const char *at = links; *at; at += at[2] ? 3 : 2)
        kit_link(k, (unsigned)(at[1] - '0'), (unsigned)(at[0] - '0'));
    kit_settle(k, count, 10 * SECOND);
    lab_run(k->lab, 40 * SECOND);
    return k;
}

static void leaves(struct kit *k, unsigned machine)
{
    lab_kill(k->lab, machine);
    lab_run(k->lab, 5 * SECOND);
}

static size_t carried(const struct kit *k, unsigned machine)
{
    return kit_status(k, machine).carried;
}

/* How much `at` keeps for one recipient. Receipts on their way back are carried, too. */
static unsigned carried_for(const struct kit *k, unsigned at, const struct moth_id *to)
{
    const struct box *b = boxes_box(&kit_node(k, at)->boxes, to);
    return b ? b->count : 0;
}

static struct moth_sent sent_of(const struct kit *k, uint64_t id)
{
    struct moth_sent sent;
    assert_int_equal(moth_message_get(kit_node(k, ANA), id, &sent), 0);
    return sent;
}

static int send_for(struct kit *k, const struct moth_id *to, const char *text, uint32_t ttl_s, uint64_t *id)
{
    struct moth_payload payload = {.encoding = MOTH_TEXT, .data = text, .bytes = strlen(text)};
    struct moth_send_options options = {.ttl_s = ttl_s};
    int rc = moth_send(kit_node(k, ANA), to, &payload, &options, id);
    lab_turn(k->lab, ANA);
    return rc;
}

/* --- the whole way --- */

static void test_a_carrier_hands_over_and_the_sender_learns_of_it_when_it_comes_back(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(1, &eva);
    uint64_t id;
    (void)state;
    assert_int_equal(kit_send(k, ANA, &eva, "m1", &id), 0);
    assert_true(kit_wait_state(k, ANA, id, MOTH_CARRIED, SECOND));
    assert_int_equal(carried(k, BOB), 1);
    leaves(k, ANA);
    kit_start(k, EVA, NULL);
    kit_link(k, EVA, BOB);
    assert_true(kit_wait_messages(k, EVA, 1, 5 * SECOND));
    lab_run(k->lab, SECOND);
    leaves(k, EVA); /* her receipt for ana is with bob */
    kit_start(k, ANA, NULL);
    assert_int_equal(kit_state(k, ANA, id), MOTH_CARRIED);
    kit_link(k, ANA, BOB);
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, 10 * SECOND));
    lab_run(k->lab, SECOND);
    kit_assert_row(k, EVA, 1, 1);
    assert_int_equal(carried(k, BOB), 0);
    assert_int_equal(kit_status(k, BOB).handed_over, 2);
    assert_int_equal(kit_status(k, BOB).mail, 0); /* what is carried is not one's own */
    kit_free(k);
}

static void test_ten_messages_are_handed_over_once_and_in_order(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(2, &eva);
    (void)state;
    kit_send_row(k, ANA, &eva, 1, 10);
    lab_run(k->lab, SECOND);
    assert_int_equal(k->states[MOTH_CARRIED], 10);
    leaves(k, ANA);
    kit_start(k, EVA, NULL);
    kit_link(k, EVA, BOB);
    assert_true(kit_wait_messages(k, EVA, 10, 5 * SECOND));
    kit_start(k, ANA, NULL);
    kit_link(k, ANA, BOB);
    lab_run(k->lab, 20 * SECOND);
    kit_assert_row(k, EVA, 1, 10);
    assert_int_equal(k->states[MOTH_DELIVERED], 10);
    assert_int_equal(kit_status(k, ANA).mail, 0);
    assert_int_equal(carried(k, BOB), 0);
    kit_free(k);
}

static void test_who_carries_is_told_and_known_after_a_restart(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(3, &eva);
    uint64_t id;
    (void)state;
    assert_int_equal(kit_send(k, ANA, &eva, "m1", &id), 0);
    assert_true(kit_wait_state(k, ANA, id, MOTH_CARRIED, SECOND));
    lab_run(k->lab, SECOND);
    for (int i = 0; i < 2; i++) {
        struct moth_sent sent = sent_of(k, id);
        assert_int_equal(sent.state, MOTH_CARRIED);
        assert_true(id_equal(&sent.by, kit_id(k, BOB)));
        assert_string_equal(sent.by_name, "n1");
        assert_int_equal(sent.carriers, 1);
        kit_restart(k, ANA);
    }
    kit_link(k, ANA, BOB);
    lab_run(k->lab, 20 * SECOND);
    assert_int_equal(carried(k, BOB), 1); /* nobody is asked twice */
    assert_int_equal(kit_status(k, ANA).deposits_made, 0);
    kit_free(k);
}

/* bob has it, ana's disk does not: had ana said "carried", a kill would make it a message that never was. */
static void test_a_message_stays_pending_until_its_own_commit_whoever_carries_it(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(4, &eva);
    struct disk *disk = lab_disk(k->lab, ANA);
    uint64_t id;
    (void)state;
    disk_fail_at(disk, disk_calls(disk) + 1, true);
    assert_int_equal(kit_send(k, ANA, &eva, "m1", &id), 0);
    lab_run(k->lab, 20 * SECOND);
    assert_int_equal(kit_state(k, ANA, id), MOTH_PENDING);
    assert_int_equal(k->states[MOTH_CARRIED], 0);
    disk_heal(disk);
    assert_true(kit_wait_state(k, ANA, id, MOTH_CARRIED, 20 * SECOND));
    kit_free(k);
}

static void test_a_carrier_that_restarts_still_hands_over(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(5, &eva);
    (void)state;
    kit_send_row(k, ANA, &eva, 1, 3);
    lab_run(k->lab, SECOND);
    leaves(k, ANA);
    kit_restart(k, BOB);
    assert_int_equal(carried(k, BOB), 3);
    kit_restart(k, BOB);
    kit_start(k, EVA, NULL);
    kit_link(k, EVA, BOB);
    assert_true(kit_wait_messages(k, EVA, 3, 5 * SECOND));
    kit_assert_row(k, EVA, 1, 3);
    lab_run(k->lab, SECOND);
    assert_int_equal(carried_for(k, BOB, &eva), 0);
    kit_restart(k, BOB); /* forgotten on the disk, too */
    assert_int_equal(carried_for(k, BOB, &eva), 0);
    kit_free(k);
}

/* Nobody ever told this carrier who ana is but her deposit; it dies in the middle of handing over. */
static void test_a_carrier_killed_while_it_hands_over_loses_and_repeats_nothing(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(6, &eva);
    (void)state;
    kit_send_row(k, ANA, &eva, 1, 20);
    lab_run(k->lab, SECOND);
    leaves(k, ANA);
    kit_start(k, EVA, NULL);
    for (unsigned i = 0; i < 8; i++) {
        lab_connect(k->lab, EVA, BOB);
        lab_run(k->lab, 6 * MS + i * 700);
        kit_restart(k, BOB);
    }
    kit_link(k, EVA, BOB);
    lab_run(k->lab, 30 * SECOND);
    kit_assert_row(k, EVA, 1, 20);
    assert_int_equal(carried_for(k, BOB, &eva), 0);
    kit_free(k);
}

static void test_a_deposit_waits_for_no_dial(void **state)
{
    struct moth_id eva;
    struct kit *k = line(7, &eva);
    uint64_t id;
    (void)state;
    assert_true(peers_find(&kit_node(k, ANA)->peers, &eva)->facts->address_count > 0);
    lab_cut(k->lab, ANA, EVA, true); /* whoever dials there hears nothing for seconds */
    leaves(k, EVA);
    uint64_t dials = kit_status(k, ANA).dials;
    assert_int_equal(kit_send(k, ANA, &eva, "m1", &id), 0);
    assert_true(kit_wait_state(k, ANA, id, MOTH_CARRIED, 100 * MS));
    assert_int_equal(kit_status(k, ANA).dials, dials + 1);
    kit_free(k);
}

/* More than a carrier is asked for at a time: the rest follows as its receipts come. */
static void test_a_thousand_messages_find_their_carrier_a_part_at_a_time(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(8, &eva);
    (void)state;
    kit_send_row(k, ANA, &eva, 1, 1000);
    assert_in_range(boxes_box(&kit_node(k, ANA)->boxes, kit_id(k, BOB))->count, 1, 256);
    lab_run(k->lab, 60 * SECOND);
    assert_int_equal(k->states[MOTH_CARRIED], 1000);
    leaves(k, ANA);
    kit_start(k, EVA, NULL);
    kit_link(k, EVA, BOB);
    assert_true(kit_wait_messages(k, EVA, 1000, 60 * SECOND));
    kit_assert_row(k, EVA, 1, 1000);
    lab_run(k->lab, 5 * SECOND);
    assert_int_equal(carried_for(k, BOB, &eva), 0);
    kit_free(k);
}

/* --- who is asked --- */

/*         bob
 *        /    \
 *   ana --kim-- eva
 *        \    /
 *         joe          */
static void test_no_more_than_two_carry(void **state)
{
    struct kit *k = drawn(124, 5, "01 03 04 12 32 42", NULL);
    struct moth_id eva = *kit_id(k, EVA);
    uint64_t id;
    (void)state;
    leaves(k, EVA);
    assert_int_equal(kit_send(k, ANA, &eva, "m1", &id), 0);
    lab_run(k->lab, 60 * SECOND);
    assert_int_equal(carried(k, BOB) + carried(k, KIM) + carried(k, JOE), 2);
    assert_int_equal(sent_of(k, id).carriers, 2);
    kit_restart(k, ANA);
    kit_link(k, ANA, BOB);
    kit_link(k, ANA, KIM);
    kit_link(k, ANA, JOE);
    lab_run(k->lab, 60 * SECOND);
    assert_int_equal(carried(k, BOB) + carried(k, KIM) + carried(k, JOE), 2);
    kit_free(k);
}

/*                .-- kim --.
 *   ana --- bob <--- joe ---> eva      kim and joe are asked, and cut off before they answer;
 *                '-- dan --'           dan is asked in their place. Later they are back.       */
static void test_no_more_than_two_carry_though_some_were_out_of_reach_for_a_while(void **state)
{
    struct kit *k = drawn(11, 7, "01 13 14 15 16 32 42 52 62", NULL);
    struct moth_id eva = *kit_id(k, EVA);
    uint64_t id;
    (void)state;
    lab_latency(k->lab, ANA, BOB, 50 * MS, 0);
    leaves(k, EVA);
    assert_int_equal(kit_send(k, ANA, &eva, "m1", &id), 0);
    lab_run(k->lab, 20 * MS);
    unsigned asked[2] = {0}, count = 0;
    for (unsigned i = KIM; i <= 6; i++)
        if (boxes_box(&kit_node(k, ANA)->boxes, kit_id(k, i))) asked[count++ % 2] = i;
    assert_int_equal(count, 2);
    for (int i = 0; i < 2; i++) lab_partition(k->lab, asked[i], 1, true);
    lab_run(k->lab, 60 * SECOND);
    assert_int_equal(sent_of(k, id).carriers, 2);
    for (int i = 0; i < 2; i++) lab_partition(k->lab, asked[i], 1, false);
    kit_link(k, asked[0], BOB);
    kit_link(k, asked[1], BOB);
    lab_run(k->lab, 60 * SECOND);
    size_t sum = carried(k, KIM) + carried(k, JOE) + carried(k, DAN) + carried(k, 6);
    assert_int_equal(sum, 2);
    assert_int_equal(sent_of(k, id).carriers, 2);
    kit_free(k);
}

/*   kim --- ana --- bob --- eva     eva was seen with bob: kim is not asked */
static void test_who_saw_the_recipient_last_is_asked_first_also_after_a_restart(void **state)
{
    struct kit *k = drawn(12, 4, "30 01 12", NULL);
    struct moth_id eva = *kit_id(k, EVA);
    uint64_t id;
    (void)state;
    leaves(k, EVA);
    assert_int_equal(kit_send(k, ANA, &eva, "m1", &id), 0);
    lab_run(k->lab, 20 * SECOND);
    assert_int_equal(carried(k, BOB), 1);
    assert_int_equal(carried(k, KIM), 0);
    kit_restart(k, ANA);
    kit_link(k, ANA, BOB); /* before kim: while bob is out of reach, kim is better than nobody */
    kit_link(k, ANA, KIM);
    lab_run(k->lab, SECOND);
    assert_int_equal(kit_send(k, ANA, &eva, "m2", &id), 0);
    lab_run(k->lab, 20 * SECOND);
    assert_int_equal(carried(k, BOB), 2);
    assert_int_equal(carried(k, KIM), 0);
    kit_free(k);
}

/*   ana --- kim     bob --- eva     bob is out of reach: kim is better than nobody */
static void test_ones_own_neighbours_are_asked_when_the_last_known_ones_are_out_of_reach(void **state)
{
    struct kit *k = drawn(13, 4, "30 01 12", NULL);
    struct moth_id eva = *kit_id(k, EVA);
    uint64_t id;
    (void)state;
    lab_partition(k->lab, BOB, 2, true); /* bob and eva from ana and kim */
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(kit_send(k, ANA, &eva, "m1", &id), 0);
    assert_true(kit_wait_state(k, ANA, id, MOTH_CARRIED, SECOND));
    assert_int_equal(carried(k, KIM), 1);
    lab_cut(k->lab, KIM, ANA, false); /* kim meets eva */
    lab_run(k->lab, 5 * SECOND);
    lab_join(k->lab, KIM, EVA);
    kit_link(k, KIM, EVA);
    assert_true(kit_wait_messages(k, EVA, 1, 10 * SECOND));
    kit_assert_row(k, EVA, 1, 1);
    kit_free(k);
}

/*   ana --- bob --- eva
 *     \______________/          ana herself meets her later, and both carriers too
 *     \-- kim --- eva                                                          */
static void test_copies_of_two_carriers_and_of_the_sender_are_shown_once(void **state)
{
    struct kit *k = drawn(14, 4, "01 03 12 32", NULL);
    struct moth_id eva = *kit_id(k, EVA);
    (void)state;
    leaves(k, EVA);
    kit_send_row(k, ANA, &eva, 1, 5);
    lab_run(k->lab, SECOND);
    assert_int_equal(carried(k, BOB) + carried(k, KIM), 10);
    kit_start(k, EVA, NULL);
    lab_connect(k->lab, EVA, BOB);
    lab_connect(k->lab, EVA, KIM);
    lab_connect(k->lab, EVA, ANA);
    assert_true(kit_wait_messages(k, EVA, 5, 5 * SECOND));
    lab_run(k->lab, 60 * SECOND);
    for (unsigned i = 1; i <= 5; i++) {
        char text[16];
        snprintf(text, sizeof text, "m%u", i);
        assert_int_equal(kit_shown(k, EVA, text), 1);
    }
    assert_int_equal(k->states[MOTH_DELIVERED], 5);
    assert_int_equal(kit_status(k, ANA).mail, 0);
    assert_int_equal(carried(k, BOB) + carried(k, KIM), 0);
    kit_free(k);
}

/*   ana --- bob --- kim     bob asks nobody to keep what he keeps for ana, nor his receipts for it */
static void test_deposits_handovers_and_receipts_for_them_are_never_deposited(void **state)
{
    struct kit *k = drawn(15, 4, "01 12 13", NULL);
    struct moth_id eva = *kit_id(k, EVA), bob = *kit_id(k, BOB);
    uint64_t id;
    (void)state;
    lab_latency(k->lab, ANA, BOB, 50 * MS, 0);
    leaves(k, EVA);
    assert_int_equal(kit_send(k, ANA, &eva, "m1", &id), 0);
    lab_run(k->lab, 51 * MS);
    lab_cut(k->lab, ANA, BOB, false); /* before bob's receipt for the deposit could leave */
    lab_run(k->lab, 60 * SECOND);
    assert_int_equal(carried(k, BOB), 1);
    assert_int_equal(kit_status(k, BOB).deposits_made, 0);
    assert_int_equal(carried(k, KIM), 0);
    kit_link(k, KIM, ANA); /* ana still has the deposit for bob, and somebody else to ask */
    lab_run(k->lab, 100 * MS);
    lab_cut(k->lab, KIM, BOB, false);
    lab_run(k->lab, 60 * SECOND);
    assert_null(boxes_box(&kit_node(k, KIM)->boxes, &bob));
    kit_free(k);
}

/* --- quotas --- */

static void check_quota(uint64_t seed, enum moth_limit limit, uint64_t value)
{
    struct moth_config config = {.open = true};
    config.limits[limit] = value;
    struct kit *k = drawn(seed, 3, "01 12", &config);
    struct moth_id eva = *kit_id(k, EVA);
    uint64_t first, second;
    leaves(k, EVA);
    assert_int_equal(kit_send(k, ANA, &eva, "m1", &first), 0);
    assert_true(kit_wait_state(k, ANA, first, MOTH_CARRIED, SECOND));
    assert_int_equal(kit_send(k, ANA, &eva, "m2", &second), 0);
    lab_run(k->lab, 20 * SECOND);
    assert_int_equal(kit_state(k, ANA, second), MOTH_QUEUED); /* only its deposit has ended */
    assert_int_equal(sent_of(k, second).carriers, 0);
    assert_int_equal(kit_state(k, ANA, first), MOTH_CARRIED);
    assert_true(kit_discarded(k, BOB, MOTH_EFULL) > 0);
    assert_int_equal(kit_discarded(k, ANA, MOTH_EFULL), 1); /* the reason reached the sender */
    assert_int_equal(sent_of(k, second).refusal, MOTH_EFULL);
    kit_restart(k, ANA);
    assert_int_equal(sent_of(k, second).refusal, MOTH_EFULL);
    assert_int_equal(carried(k, BOB), 1);
    assert_null(boxes_box(&kit_node(k, ANA)->boxes, kit_id(k, BOB)));
    kit_start(k, EVA, NULL);
    kit_link(k, EVA, BOB);
    assert_true(kit_wait_state(k, ANA, second, MOTH_DELIVERED, 20 * SECOND));
    assert_int_equal(kit_state(k, ANA, first), MOTH_DELIVERED);
    assert_int_equal(kit_shown(k, EVA, "m1"), 1);
    assert_int_equal(kit_shown(k, EVA, "m2"), 1);
    kit_free(k);
}

static void test_a_carrier_refuses_above_its_count(void **state)
{
    (void)state;
    check_quota(20, MOTH_LIMIT_CARRIED_COUNT, 1);
}

static void test_a_carrier_refuses_above_its_bytes(void **state)
{
    (void)state;
    check_quota(21, MOTH_LIMIT_CARRIED_BYTES, 500);
}

static void test_a_carrier_refuses_above_the_bytes_of_one_depositor(void **state)
{
    (void)state;
    check_quota(22, MOTH_LIMIT_CARRIED_PER_DEPOSITOR, 500);
}

/*   ana --- bob --- eva --- kim     what ana has there does not count for kim */
static void test_one_depositors_bytes_are_not_anothers(void **state)
{
    struct moth_config config = {.open = true};
    config.limits[MOTH_LIMIT_CARRIED_PER_DEPOSITOR] = 500;
    struct kit *k = drawn(23, 4, "01 31 12", &config);
    struct moth_id eva = *kit_id(k, EVA);
    uint64_t id;
    (void)state;
    leaves(k, EVA);
    kit_send_row(k, ANA, &eva, 1, 2);
    lab_run(k->lab, 5 * SECOND);
    assert_int_equal(carried(k, BOB), 1);
    assert_int_equal(kit_send(k, KIM, &eva, "kim's", &id), 0);
    assert_true(kit_wait_state(k, KIM, id, MOTH_CARRIED, SECOND));
    assert_int_equal(carried(k, BOB), 2);
    kit_free(k);
}

/*        bob                    bob is full: kim and joe are asked */
static void test_another_carrier_is_asked_when_one_refuses(void **state)
{
    struct moth_config config = {.open = true};
    config.limits[MOTH_LIMIT_CARRIED_BYTES] = 1;
    struct kit *k = drawn(124, 5, "01 03 04 12 32 42", &config);
    struct moth_id eva = *kit_id(k, EVA);
    uint64_t id;
    (void)state;
    leaves(k, EVA);
    assert_int_equal(kit_send(k, ANA, &eva, "m1", &id), 0);
    lab_run(k->lab, 20 * SECOND);
    assert_true(kit_discarded(k, BOB, MOTH_EFULL) > 0);
    assert_int_equal(carried(k, BOB), 0);
    assert_int_equal(carried(k, KIM), 1);
    assert_int_equal(carried(k, JOE), 1);
    assert_int_equal(sent_of(k, id).carriers, 2);
    kit_free(k);
}

static void test_a_carrier_whose_disk_fails_keeps_and_receipts_nothing(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(25, &eva);
    struct disk *disk = lab_disk(k->lab, BOB);
    uint64_t id;
    (void)state;
    disk_fail_at(disk, disk_calls(disk) + 1, true);
    assert_int_equal(kit_send(k, ANA, &eva, "m1", &id), 0);
    lab_run(k->lab, 30 * SECOND);
    assert_int_equal(kit_state(k, ANA, id), MOTH_QUEUED);
    lab_kill(k->lab, BOB);
    disk_heal(disk);
    kit_start(k, BOB, NULL);
    assert_int_equal(carried(k, BOB), 0);
    kit_link(k, ANA, BOB);
    assert_true(kit_wait_state(k, ANA, id, MOTH_CARRIED, 20 * SECOND));
    assert_int_equal(carried(k, BOB), 1);
    kit_free(k);
}

/* --- ends of what they are for --- */

/* bob's disk fails, so the deposit stays with ana unanswered. */
static struct kit *with_open_deposit(uint64_t seed, struct moth_id *eva, uint64_t *id)
{
    struct kit *k = line_without_eva(seed, eva);
    struct disk *disk = lab_disk(k->lab, BOB);
    disk_fail_at(disk, disk_calls(disk) + 1, true);
    assert_int_equal(kit_send(k, ANA, eva, "m1", id), 0);
    lab_run(k->lab, SECOND);
    assert_non_null(boxes_box(&kit_node(k, ANA)->boxes, kit_id(k, BOB)));
    return k;
}

static void test_cancelling_drops_deposits_that_are_not_answered(void **state)
{
    struct moth_id eva, bob;
    uint64_t id;
    struct kit *k = with_open_deposit(30, &eva, &id);
    (void)state;
    bob = *kit_id(k, BOB);
    assert_int_equal(moth_cancel(kit_node(k, ANA), id), 0);
    lab_turn(k->lab, ANA);
    assert_null(boxes_box(&kit_node(k, ANA)->boxes, &bob));
    lab_run(k->lab, SECOND);
    kit_restart(k, ANA);
    assert_null(boxes_box(&kit_node(k, ANA)->boxes, &bob));
    kit_free(k);
}

static void test_delivery_drops_deposits_that_are_not_answered(void **state)
{
    struct moth_id eva, bob;
    uint64_t id;
    struct kit *k = with_open_deposit(31, &eva, &id);
    (void)state;
    bob = *kit_id(k, BOB);
    kit_start(k, EVA, NULL);
    kit_link(k, EVA, ANA);
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, 10 * SECOND));
    assert_null(boxes_box(&kit_node(k, ANA)->boxes, &bob));
    lab_run(k->lab, SECOND);
    kit_restart(k, ANA);
    assert_null(boxes_box(&kit_node(k, ANA)->boxes, &bob));
    kit_free(k);
}

static void test_expiry_drops_deposits_and_what_is_carried(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(32, &eva);
    uint64_t id;
    (void)state;
    assert_int_equal(send_for(k, &eva, "m1", 60, &id), 0);
    assert_true(kit_wait_state(k, ANA, id, MOTH_CARRIED, SECOND));
    lab_run(k->lab, 50 * SECOND);
    assert_int_equal(carried(k, BOB), 1);
    lab_run(k->lab, 11 * SECOND);
    assert_int_equal(carried(k, BOB), 0);
    assert_int_equal(kit_state(k, ANA, id), MOTH_EXPIRED);
    kit_free(k);
}

/* 40 s with ana alone, then with bob: who has held it does not matter. */
static void test_age_adds_up_over_sender_and_carrier(void **state)
{
    struct moth_id eva;
    struct kit *k = line(33, &eva);
    uint64_t id;
    (void)state;
    leaves(k, EVA);
    lab_cut(k->lab, ANA, BOB, false);
    lab_run(k->lab, 5 * SECOND);
    assert_int_equal(send_for(k, &eva, "m1", 100, &id), 0);
    lab_run(k->lab, 40 * SECOND);
    lab_join(k->lab, ANA, BOB);
    kit_link(k, ANA, BOB);
    assert_true(kit_wait_state(k, ANA, id, MOTH_CARRIED, 5 * SECOND));
    leaves(k, ANA);
    const struct box *b = boxes_box(&kit_node(k, BOB)->boxes, &eva);
    assert_non_null(b);
    assert_in_range(b->first->ttl_s, 50, 60);
    lab_run(k->lab, 20 * SECOND);
    kit_restart(k, BOB);
    lab_run(k->lab, 20 * SECOND);
    assert_int_equal(carried(k, BOB), 1);
    lab_run(k->lab, 20 * SECOND);
    assert_int_equal(carried(k, BOB), 0);
    kit_free(k);
}

/* --- made by hand --- */

struct lie {
    enum envelope_kind kind;       /* of the envelope inside */
    uint64_t id;
    struct moth_id src, dst;
    struct identity proof;
    uint32_t ttl_s, age_s;
    const char *text;
    bool flip_proof, flip_body, flip_head;
    const struct identity *sealer; /* borrowed; NULL: ana seals, whoever `src` is */
};

/* What an honest ana would put in, for somebody she knows. */
static struct lie truth(const struct kit *k, const struct moth_id *dst)
{
    const struct moth_node *ana = kit_node(k, ANA);
    return (struct lie){.kind = ENVELOPE_DATA, .id = 1000, .src = ana->identity.id, .dst = *dst,
                        .proof = ana->identity, .ttl_s = 1000, .text = "m1"};
}

/* proof | envelope */
static size_t make_inside(struct kit *k, const struct lie *lie, uint8_t *out)
{
    struct moth_node *n = kit_node(k, ANA);
    const struct peer *to = peers_find(&n->peers, &lie->dst);
    struct envelope head = {.kind = (uint8_t)lie->kind, .ttl_s = lie->ttl_s, .age_s = lie->age_s, .src = lie->src,
                            .dst = lie->dst, .id = lie->id};
    struct envelope_body body = {.encoding = ENCODING_TEXT, .type = slice_text("text"), .data = slice_text(lie->text)};
    uint8_t plain[256], *at = out;
    struct aead *key;
    struct keys keys;
    keys_init(&keys, n->host, lie->sealer ? lie->sealer : &n->identity, 1);
    if (!to || !to->has_keys) to = peers_find(&n->peers, kit_id(k, BOB)); /* whoever: it will not be opened */
    assert_int_equal(keys_to(&keys, &to->id, to->facts->x25519_key, head.epk, &key), 0);
    at = put_bytes(put_bytes(at, lie->proof.ed25519_public, 32), lie->proof.x25519_public, 32);
    at = put_bytes(at, lie->proof.proof, CRYPTO_SIGNATURE_BYTES);
    if (lie->flip_proof) out[70] ^= 1;
    size_t bytes = envelope_seal(&head, slice_of(plain, envelope_body_encode(0, &body, plain)), key, at);
    if (lie->flip_body) at[bytes - 1] ^= 1;
    if (lie->flip_head) at[7] = 0xff;
    keys_fini(&keys);
    return 128 + bytes;
}

/* ana says to `to` what she likes, as a deposit or a hand-over of a certain age. */
static void say(struct kit *k, unsigned to, enum envelope_kind kind, uint32_t age_s, const void *data, size_t bytes)
{
    static uint64_t next_id;
    struct moth_node *n = kit_node(k, ANA);
    struct peer *p = peers_find(&n->peers, kit_id(k, to));
    struct envelope head = {.kind = (uint8_t)kind, .ttl_s = 1000, .age_s = age_s, .id = ++next_id};
    struct envelope_body body = {.type = slice_text("x"), .data = slice_of(data, bytes)};
    uint8_t *plain = mem_new(ENVELOPE_BODY_OVERHEAD_MAX + bytes);
    assert_int_equal(route_seal(n, p, &head, slice_of(plain, envelope_body_encode(0, &body, plain))), 0);
    free(plain);
    lab_turn(k->lab, ANA);
    lab_run(k->lab, 100 * MS);
}

static void say_lie(struct kit *k, unsigned to, enum envelope_kind kind, uint32_t age_s, const struct lie *lie)
{
    uint8_t data[1024];
    say(k, to, kind, age_s, data, make_inside(k, lie, data));
}

static void test_the_truth_made_by_hand_is_carried_and_handed_over(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(40, &eva);
    struct lie lie = truth(k, &eva);
    (void)state;
    say_lie(k, BOB, ENVELOPE_DEPOSIT, 0, &lie);
    assert_int_equal(carried(k, BOB), 1);
    uint64_t before = kit_discarded(k, BOB, MOTH_EDUPLICATE);
    say_lie(k, BOB, ENVELOPE_DEPOSIT, 0, &lie); /* again: it is there already */
    assert_int_equal(carried(k, BOB), 1);
    assert_int_equal(kit_discarded(k, BOB, MOTH_EDUPLICATE), before + 1);
    kit_start(k, EVA, NULL);
    kit_link(k, EVA, BOB);
    assert_true(kit_wait_messages(k, EVA, 1, 5 * SECOND));
    kit_assert_row(k, EVA, 1, 1);
    kit_free(k);
}

static void test_deposits_that_came_in_another_order_are_handed_over_in_that_of_their_ids(void **state)
{
    static const unsigned order[] = {3, 1, 5, 2, 4};
    struct moth_id eva;
    struct kit *k = line_without_eva(41, &eva);
    (void)state;
    for (int restarted = 0; restarted < 2; restarted++) {
        for (unsigned i = 0; i < 5; i++) {
            char text[16];
            unsigned number = order[i] + 5 * (unsigned)restarted;
            struct lie lie = truth(k, &eva);
            lie.id = 1000 + number;
            lie.text = text;
            snprintf(text, sizeof text, "m%u", number);
            say_lie(k, BOB, ENVELOPE_DEPOSIT, 0, &lie);
        }
        assert_int_equal(carried(k, BOB), 5);
        if (restarted) {
            kit_restart(k, BOB);
            kit_link(k, BOB, ANA);
        }
        kit_start(k, EVA, NULL);
        kit_link(k, EVA, BOB);
        assert_true(kit_wait_messages(k, EVA, 5 + 5 * (unsigned)restarted, 5 * SECOND));
        lab_run(k->lab, SECOND);
        leaves(k, EVA);
    }
    kit_assert_row(k, EVA, 1, 10);
    kit_free(k);
}

/* --- what a carrier refuses --- */

static void assert_deposit_is_refused(struct kit *k, const struct lie *lie, int reason)
{
    uint64_t before = kit_discarded(k, BOB, reason);
    say_lie(k, BOB, ENVELOPE_DEPOSIT, 0, lie);
    assert_int_equal(kit_discarded(k, BOB, reason), before + 1);
    assert_int_equal(carried(k, BOB), 0);
    assert_int_equal(kit_status(k, BOB).deposits_taken, 0);
    assert_true(kit_linked(k, ANA, BOB));
}

static void assert_bytes_are_refused(struct kit *k, unsigned to, enum envelope_kind kind, const void *data,
                                     size_t bytes, int reason)
{
    uint64_t before = kit_discarded(k, to, reason);
    say(k, to, kind, 0, data, bytes);
    assert_int_equal(kit_discarded(k, to, reason), before + 1);
    assert_int_equal(carried(k, BOB), 0);
    assert_int_equal(kit_status(k, to).messages_received, 0);
}

static void test_a_deposit_in_anothers_name_is_refused(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(50, &eva);
    struct lie lie = truth(k, &eva);
    (void)state;
    lie.src = *kit_id(k, BOB);
    assert_deposit_is_refused(k, &lie, MOTH_EMISDIRECTED);
    kit_free(k);
}

static void test_a_deposit_with_the_proof_of_somebody_else_is_refused(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(51, &eva);
    struct lie lie = truth(k, &eva);
    (void)state;
    lie.proof = kit_node(k, BOB)->identity;
    assert_deposit_is_refused(k, &lie, MOTH_EMISDIRECTED);
    kit_free(k);
}

static void test_a_deposit_with_a_forged_proof_is_refused(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(52, &eva);
    struct lie lie = truth(k, &eva);
    (void)state;
    lie.proof.x25519_public[3] ^= 1; /* a key that ana's signature does not vouch for */
    assert_deposit_is_refused(k, &lie, MOTH_EFORGED);
    kit_free(k);
}

static void test_only_messages_and_receipts_are_carried(void **state)
{
    static const enum envelope_kind kinds[] = {ENVELOPE_LIGHT, ENVELOPE_REQUEST, ENVELOPE_REPLY, ENVELOPE_DEPOSIT,
                                               ENVELOPE_HANDOVER};
    struct moth_id eva;
    struct kit *k = line_without_eva(53, &eva);
    struct lie lie = truth(k, &eva);
    (void)state;
    for (int i = 0; i < 5; i++) {
        lie.kind = kinds[i];
        assert_deposit_is_refused(k, &lie, MOTH_EMISDIRECTED);
    }
    lie.kind = (enum envelope_kind)99;
    assert_deposit_is_refused(k, &lie, MOTH_EUNKNOWN_KIND);
    lie.kind = ENVELOPE_RECEIPT;
    say_lie(k, BOB, ENVELOPE_DEPOSIT, 0, &lie);
    assert_int_equal(carried(k, BOB), 1);
    kit_free(k);
}

static void test_a_deposit_for_the_carrier_or_for_the_depositor_is_refused(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(54, &eva);
    struct lie for_bob = truth(k, kit_id(k, BOB)), for_ana = truth(k, kit_id(k, ANA));
    (void)state;
    assert_deposit_is_refused(k, &for_bob, MOTH_EMISDIRECTED);
    assert_deposit_is_refused(k, &for_ana, MOTH_EMISDIRECTED);
    assert_int_equal(k->messages[BOB], 0);
    kit_free(k);
}

static void test_a_deposit_that_is_too_short_or_garbage_is_refused(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(55, &eva);
    struct lie lie = truth(k, &eva);
    uint8_t data[1024];
    size_t bytes = make_inside(k, &lie, data);
    (void)state;
    for (size_t cut = 0; cut < 128 + ENVELOPE_HEAD_BYTES + CRYPTO_TAG_BYTES; cut += 7)
        assert_bytes_are_refused(k, BOB, ENVELOPE_DEPOSIT, data, cut, MOTH_EMALFORMED);
    memset(data, 0xa5, bytes);
    uint64_t frames = kit_status(k, BOB).frames_out;
    say(k, BOB, ENVELOPE_DEPOSIT, 0, data, bytes);
    assert_int_equal(carried(k, BOB), 0);
    assert_true(kit_status(k, BOB).frames_out > frames); /* the refusal is told */
    assert_true(kit_linked(k, ANA, BOB));
    kit_free(k);
}

static void test_a_deposit_with_unknown_flags_inside_is_refused(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(56, &eva);
    struct lie lie = truth(k, &eva);
    (void)state;
    lie.flip_head = true;
    assert_deposit_is_refused(k, &lie, MOTH_EMALFORMED);
    kit_free(k);
}

static void test_a_deposit_that_is_older_than_its_time_is_refused(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(57, &eva);
    struct lie lie = truth(k, &eva);
    (void)state;
    lie.ttl_s = 100;
    lie.age_s = 100;
    assert_deposit_is_refused(k, &lie, MOTH_EEXPIRED);
    lie.age_s = 60;
    uint64_t before = kit_discarded(k, BOB, MOTH_EEXPIRED), stale = kit_discarded(k, BOB, MOTH_ESTALE);
    say_lie(k, BOB, ENVELOPE_DEPOSIT, 40, &lie); /* 60 inside, and 40 that anybody on the way may have written */
    assert_int_equal(kit_discarded(k, BOB, MOTH_ESTALE), stale + 1);
    lie.age_s = UINT32_MAX - 10;
    lie.ttl_s = MOTH_TTL_MAX_S;
    say_lie(k, BOB, ENVELOPE_DEPOSIT, 40, &lie); /* ages do not wrap */
    assert_int_equal(kit_discarded(k, BOB, MOTH_EEXPIRED), before + 1);
    assert_int_equal(carried(k, BOB), 0);
    kit_free(k);
}

static void test_a_deposit_of_somebody_blocked_is_refused(void **state)
{
    struct kit *k = drawn(58, 4, "03 31 12", NULL); /* ana --- kim --- bob --- eva */
    struct moth_id eva = *kit_id(k, EVA);
    struct lie lie = truth(k, &eva);
    (void)state;
    leaves(k, EVA);
    assert_int_equal(moth_block(kit_node(k, BOB), kit_id(k, ANA), true), 0);
    lab_turn(k->lab, BOB);
    say_lie(k, BOB, ENVELOPE_DEPOSIT, 0, &lie);
    lab_run(k->lab, SECOND);
    assert_int_equal(kit_discarded(k, BOB, MOTH_EUNWANTED), 1);
    assert_int_equal(carried(k, BOB), 0);
    kit_free(k);
}

static void test_a_deposit_lives_no_longer_than_any_message_may(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(59, &eva);
    struct lie lie = truth(k, &eva);
    (void)state;
    lie.ttl_s = UINT32_MAX; /* 136 years */
    say_lie(k, BOB, ENVELOPE_DEPOSIT, 0, &lie);
    const struct box *b = boxes_box(&kit_node(k, BOB)->boxes, &eva);
    assert_true(!b || b->first->ttl_s <= MOTH_TTL_MAX_S);
    kit_free(k);
}

/*   ana --- bob --- eva     ana invents recipients; kim, whom bob never met, must still get a link */
static void test_invented_recipients_do_not_fill_the_address_book(void **state)
{
    struct moth_config config = {.open = true};
    config.limits[MOTH_LIMIT_KNOWN_PEERS] = 20;
    struct kit *k = drawn(70, 3, "01 12", &config);
    struct lie lie = truth(k, kit_id(k, EVA));
    (void)state;
    for (uint8_t i = 0; i < 40; i++) {
        lie.dst = (struct moth_id){{9, 9, i}};
        lie.id = 1000 + i;
        say_lie(k, BOB, ENVELOPE_DEPOSIT, 0, &lie);
    }
    assert_int_equal(kit_discarded(k, BOB, MOTH_EUNKNOWN_PEER), 40);
    assert_int_equal(carried(k, BOB), 0);
    kit_start(k, KIM, NULL);
    lab_connect(k->lab, KIM, BOB);
    lab_run(k->lab, 10 * SECOND);
    assert_true(kit_linked(k, KIM, BOB));
    kit_free(k);
}

/* --- what a recipient refuses --- */

/* A carrier cannot look inside: it keeps what it is given, until the recipient says that it is nothing. */
static void test_what_cannot_be_opened_is_refused_and_the_carrier_forgets_it(void **state)
{
    struct moth_id eva;
    struct kit *k = line_without_eva(60, &eva);
    struct lie lie = truth(k, &eva);
    (void)state;
    lie.flip_body = true;
    say_lie(k, BOB, ENVELOPE_DEPOSIT, 0, &lie);
    assert_int_equal(carried(k, BOB), 1);
    kit_start(k, EVA, NULL);
    kit_link(k, EVA, BOB);
    lab_run(k->lab, 5 * SECOND);
    assert_int_equal(k->messages[EVA], 0);
    assert_true(kit_discarded(k, EVA, MOTH_EFORGED) >= 1);
    assert_int_equal(carried(k, BOB), 0);
    assert_int_equal(kit_status(k, BOB).handed_over, 0);
    kit_restart(k, BOB);
    assert_int_equal(carried(k, BOB), 0);
    kit_free(k);
}

static void assert_handover_is_refused(struct kit *k, const struct lie *lie, int reason)
{
    uint64_t before = kit_discarded(k, BOB, reason), frames = kit_status(k, BOB).frames_out;
    say_lie(k, BOB, ENVELOPE_HANDOVER, 0, lie);
    assert_int_equal(kit_discarded(k, BOB, reason), before + 1);
    assert_int_equal(k->messages[BOB], 0);
    assert_true(kit_status(k, BOB).frames_out > frames); /* the carrier is told to forget it */
}

static void test_a_handover_in_the_name_of_another_is_refused(void **state)
{
    struct moth_id eva;
    struct kit *k = line(61, &eva);
    struct lie lie = truth(k, kit_id(k, BOB));
    (void)state;
    lie.src = eva;
    assert_handover_is_refused(k, &lie, MOTH_EMISDIRECTED); /* ana's proof does not name eva */
    lie.proof = kit_node(k, EVA)->identity;
    assert_handover_is_refused(k, &lie, MOTH_EFORGED); /* eva's does, but she did not seal it */
    kit_free(k);
}

static void test_a_handover_with_a_forged_proof_of_a_stranger_is_refused(void **state)
{
    struct moth_id eva;
    struct kit *k = line(62, &eva);
    struct lie lie = truth(k, kit_id(k, BOB));
    uint8_t seed[32] = {42};
    (void)state;
    identity_from_seed(&lie.proof, seed);
    lie.src = lie.proof.id;
    lie.flip_proof = true;
    assert_handover_is_refused(k, &lie, MOTH_EFORGED);
    assert_null(peers_find(&kit_node(k, BOB)->peers, &lie.src));
    kit_free(k);
}

static void test_a_handover_for_somebody_else_or_from_ourselves_is_refused(void **state)
{
    struct moth_id eva;
    struct kit *k = line(63, &eva);
    struct lie for_eva = truth(k, &eva), from_bob = truth(k, kit_id(k, BOB));
    (void)state;
    assert_handover_is_refused(k, &for_eva, MOTH_EMISDIRECTED);
    from_bob.src = *kit_id(k, BOB);
    from_bob.proof = kit_node(k, BOB)->identity;
    assert_handover_is_refused(k, &from_bob, MOTH_EMISDIRECTED);
    kit_free(k);
}

static void test_a_handover_of_anything_but_messages_and_receipts_is_refused(void **state)
{
    static const enum envelope_kind kinds[] = {ENVELOPE_LIGHT, ENVELOPE_REQUEST, ENVELOPE_DEPOSIT, ENVELOPE_HANDOVER};
    struct moth_id eva;
    struct kit *k = line(64, &eva);
    struct lie lie = truth(k, kit_id(k, BOB));
    (void)state;
    for (int i = 0; i < 4; i++) {
        lie.kind = kinds[i];
        assert_handover_is_refused(k, &lie, MOTH_EMISDIRECTED);
    }
    lie.kind = ENVELOPE_RECEIPT; /* whose text is no receipt */
    assert_handover_is_refused(k, &lie, MOTH_EMALFORMED);
    kit_free(k);
}

static void test_a_handover_that_is_too_short_or_garbage_is_refused(void **state)
{
    struct moth_id eva;
    struct kit *k = line(65, &eva);
    struct lie lie = truth(k, kit_id(k, BOB));
    uint8_t data[1024];
    size_t bytes = make_inside(k, &lie, data);
    (void)state;
    for (size_t cut = 0; cut < 128 + ENVELOPE_HEAD_BYTES + CRYPTO_TAG_BYTES; cut += 7)
        assert_bytes_are_refused(k, BOB, ENVELOPE_HANDOVER, data, cut, MOTH_EMALFORMED);
    memset(data, 0xa5, bytes);
    say(k, BOB, ENVELOPE_HANDOVER, 0, data, bytes);
    assert_int_equal(k->messages[BOB], 0);
    assert_true(kit_linked(k, ANA, BOB));
    kit_free(k);
}

static void test_a_handover_counts_the_age_of_all_who_held_it(void **state)
{
    struct moth_id eva;
    struct kit *k = line(66, &eva);
    struct lie lie = truth(k, kit_id(k, BOB));
    (void)state;
    lie.ttl_s = 100;
    lie.age_s = 60;
    uint64_t before = kit_discarded(k, BOB, MOTH_ESTALE);
    say_lie(k, BOB, ENVELOPE_HANDOVER, 50, &lie);
    assert_int_equal(kit_discarded(k, BOB, MOTH_ESTALE), before + 1);
    assert_int_equal(k->messages[BOB], 0);
    say_lie(k, BOB, ENVELOPE_HANDOVER, 30, &lie);
    kit_assert_row(k, BOB, 1, 1);
    kit_free(k);
}

static void test_a_handover_that_comes_twice_is_shown_once(void **state)
{
    struct moth_id eva;
    struct kit *k = line(67, &eva);
    struct lie lie = truth(k, kit_id(k, BOB));
    (void)state;
    for (int i = 0; i < 3; i++) say_lie(k, BOB, ENVELOPE_HANDOVER, 0, &lie);
    kit_restart(k, BOB);
    kit_link(k, ANA, BOB);
    say_lie(k, BOB, ENVELOPE_HANDOVER, 0, &lie);
    kit_assert_row(k, BOB, 1, 1);
    kit_free(k);
}

/* eva never met ana: the proof alone tells her ana's keys. */
static void test_the_proof_introduces_a_sender_that_the_recipient_never_met(void **state)
{
    struct moth_id eva;
    struct kit *k = kit_new(68, 4);
    uint64_t id;
    (void)state;
    kit_start(k, BOB, NULL);
    kit_start(k, EVA, NULL);
    kit_link(k, EVA, BOB);
    kit_settle(k, 3, 10 * SECOND);
    eva = *kit_id(k, EVA);
    lab_run(k->lab, 40 * SECOND);
    leaves(k, EVA);
    kit_start(k, ANA, NULL);
    kit_link(k, ANA, BOB);
    lab_run(k->lab, SECOND);
    assert_int_equal(kit_send(k, ANA, &eva, "m1", &id), 0);
    assert_true(kit_wait_state(k, ANA, id, MOTH_CARRIED, 5 * SECOND));
    leaves(k, ANA);
    kit_start(k, EVA, NULL);
    kit_link(k, EVA, BOB);
    assert_true(kit_wait_messages(k, EVA, 1, 5 * SECOND));
    lab_run(k->lab, SECOND);
    kit_start(k, ANA, NULL);
    kit_link(k, ANA, BOB);
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, 10 * SECOND));
    kit_free(k);
}

/* ana hands over mail of people whom nobody knows, more of them than bob wants to meet at once: the rest is not
 * answered, so an honest carrier would come again; and those whom he knows are not held up. */
static void test_handovers_of_strangers_introduce_only_so_many_at_once(void **state)
{
    enum { burst = 200, strangers = 300, a_second = 20 };
    struct moth_id eva;
    struct kit *k = line(69, &eva);
    uint8_t data[1024], seed[32] = {0x55}, plain[1024];
    struct lie lie = truth(k, kit_id(k, BOB));
    struct moth_node *n = kit_node(k, ANA);
    struct peer *bob = peers_find(&n->peers, kit_id(k, BOB));
    size_t known = kit_node(k, BOB)->peers.by_id.count;
    uint64_t began_us = lab_now_us(k->lab);
    (void)state;
    for (uint64_t i = 0; i < strangers; i++) {
        put_uint(seed + 1, i, 8);
        identity_from_seed(&lie.proof, seed);
        lie.src = lie.proof.id;
        lie.sealer = &lie.proof;
        struct envelope head = {.kind = ENVELOPE_HANDOVER, .ttl_s = 1000, .id = 5000 + i};
        struct envelope_body body = {.type = slice_text("x"), .data = slice_of(data, make_inside(k, &lie, data))};
        assert_int_equal(route_seal(n, bob, &head, slice_of(plain, envelope_body_encode(0, &body, plain))), 0);
    }
    lab_turn(k->lab, ANA);
    lab_run(k->lab, 500 * MS);
    size_t met = kit_node(k, BOB)->peers.by_id.count - known;
    assert_in_range(met, burst, burst + a_second * (1 + (lab_now_us(k->lab) - began_us) / SECOND));
    assert_int_equal(k->messages[BOB], met);
    assert_int_equal(kit_discarded(k, BOB, MOTH_ESTORE), strangers - met);
    lie = truth(k, kit_id(k, BOB));
    say_lie(k, BOB, ENVELOPE_HANDOVER, 0, &lie);
    assert_int_equal(k->messages[BOB], met + 1);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_carrier_hands_over_and_the_sender_learns_of_it_when_it_comes_back),
        cmocka_unit_test(test_ten_messages_are_handed_over_once_and_in_order),
        cmocka_unit_test(test_who_carries_is_told_and_known_after_a_restart),
        cmocka_unit_test(test_a_message_stays_pending_until_its_own_commit_whoever_carries_it),
        cmocka_unit_test(test_a_carrier_that_restarts_still_hands_over),
        cmocka_unit_test(test_a_carrier_killed_while_it_hands_over_loses_and_repeats_nothing),
        cmocka_unit_test(test_a_deposit_waits_for_no_dial),
        cmocka_unit_test(test_a_thousand_messages_find_their_carrier_a_part_at_a_time),
        cmocka_unit_test(test_no_more_than_two_carry),
        cmocka_unit_test(test_no_more_than_two_carry_though_some_were_out_of_reach_for_a_while),
        cmocka_unit_test(test_who_saw_the_recipient_last_is_asked_first_also_after_a_restart),
        cmocka_unit_test(test_ones_own_neighbours_are_asked_when_the_last_known_ones_are_out_of_reach),
        cmocka_unit_test(test_copies_of_two_carriers_and_of_the_sender_are_shown_once),
        cmocka_unit_test(test_deposits_handovers_and_receipts_for_them_are_never_deposited),
        cmocka_unit_test(test_a_carrier_refuses_above_its_count),
        cmocka_unit_test(test_a_carrier_refuses_above_its_bytes),
        cmocka_unit_test(test_a_carrier_refuses_above_the_bytes_of_one_depositor),
        cmocka_unit_test(test_one_depositors_bytes_are_not_anothers),
        cmocka_unit_test(test_another_carrier_is_asked_when_one_refuses),
        cmocka_unit_test(test_a_carrier_whose_disk_fails_keeps_and_receipts_nothing),
        cmocka_unit_test(test_cancelling_drops_deposits_that_are_not_answered),
        cmocka_unit_test(test_delivery_drops_deposits_that_are_not_answered),
        cmocka_unit_test(test_expiry_drops_deposits_and_what_is_carried),
        cmocka_unit_test(test_age_adds_up_over_sender_and_carrier),
        cmocka_unit_test(test_the_truth_made_by_hand_is_carried_and_handed_over),
        cmocka_unit_test(test_deposits_that_came_in_another_order_are_handed_over_in_that_of_their_ids),
        cmocka_unit_test(test_a_deposit_in_anothers_name_is_refused),
        cmocka_unit_test(test_a_deposit_with_the_proof_of_somebody_else_is_refused),
        cmocka_unit_test(test_a_deposit_with_a_forged_proof_is_refused),
        cmocka_unit_test(test_only_messages_and_receipts_are_carried),
        cmocka_unit_test(test_a_deposit_for_the_carrier_or_for_the_depositor_is_refused),
        cmocka_unit_test(test_a_deposit_that_is_too_short_or_garbage_is_refused),
        cmocka_unit_test(test_a_deposit_with_unknown_flags_inside_is_refused),
        cmocka_unit_test(test_a_deposit_that_is_older_than_its_time_is_refused),
        cmocka_unit_test(test_a_deposit_of_somebody_blocked_is_refused),
        cmocka_unit_test(test_a_deposit_lives_no_longer_than_any_message_may),
        cmocka_unit_test(test_invented_recipients_do_not_fill_the_address_book),
        cmocka_unit_test(test_what_cannot_be_opened_is_refused_and_the_carrier_forgets_it),
        cmocka_unit_test(test_a_handover_in_the_name_of_another_is_refused),
        cmocka_unit_test(test_a_handover_with_a_forged_proof_of_a_stranger_is_refused),
        cmocka_unit_test(test_a_handover_for_somebody_else_or_from_ourselves_is_refused),
        cmocka_unit_test(test_a_handover_of_anything_but_messages_and_receipts_is_refused),
        cmocka_unit_test(test_a_handover_that_is_too_short_or_garbage_is_refused),
        cmocka_unit_test(test_a_handover_counts_the_age_of_all_who_held_it),
        cmocka_unit_test(test_a_handover_that_comes_twice_is_shown_once),
        cmocka_unit_test(test_the_proof_introduces_a_sender_that_the_recipient_never_met),
        cmocka_unit_test(test_handovers_of_strangers_introduce_only_so_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
