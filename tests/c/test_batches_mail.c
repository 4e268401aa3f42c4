/* test_batches_mail.c -- messages in the batches of programs: what is sent and what is marked as handled comes to the
 * disk with the data, or not at all. */
#include "data_kit.h"

#define LETTERS 5
#define COPIES 6 /* of what is counted: more than a group */

static uint64_t held[LETTERS]; /* ids of bob's */
static unsigned held_count;

static void hold(struct kit *k, unsigned machine, const struct moth_event *e)
{
    if (machine != ANA || e->kind != MOTH_EVENT_MESSAGE) return;
    moth_hold(kit_node(k, ANA), e->message);
    if (held_count < LETTERS) held[held_count++] = e->message->id;
}

/* ana holds five messages of bob's, who is gone */
static struct kit *with_letters(uint64_t seed, struct moth_id *bob)
{
    struct moth_config config = small_groups();
    struct kit *k = data_kit(seed, &config);
    held_count = 0;
    k->also = hold;
    kit_start(k, BOB, NULL);
    kit_link(k, BOB, ANA);
    kit_settle(k, 2, 10 * SECOND);
    *bob = *kit_id(k, BOB);
    kit_send_row(k, BOB, kit_id(k, ANA), 1, LETTERS);
    assert_true(kit_wait_messages(k, ANA, LETTERS, 5 * SECOND));
    lab_run(k->lab, 40 * SECOND); /* the address books are saved by then */
    lab_kill(k->lab, BOB);
    lab_run(k->lab, 5 * SECOND);
    assert_int_equal(held_count, LETTERS);
    return k;
}

static int handle(struct kit *k, const struct moth_id *bob, unsigned i)
{
    return moth_handled(node(k), bob, held[i]);
}

static int count(struct kit *k, unsigned n)
{
    char text[8], key[8];
    int rc = 0;
    snprintf(text, sizeof text, "%u", n);
    for (unsigned i = 0; rc == 0 && i < COPIES; i++) {
        snprintf(key, sizeof key, "n%u", i);
        rc = put(k, "s", key, text);
    }
    return rc;
}

/* A message is counted, answered and handled, in one order or another. */
static void work_on(struct kit *k, const struct moth_id *bob, unsigned i)
{
    int rc = 0;
    moth_begin(node(k));
    for (unsigned step = 0; rc == 0 && step < 3; step++) {
        unsigned what = (i + step) % 3;
        rc = what == 0 ? count(k, i + 1) : what == 1 ? send(k, bob) : handle(k, bob, i);
    }
    if (rc == 0) moth_commit(node(k));
    else moth_discard(node(k));
    lab_turn(k->lab, ANA);
    lab_run(k->lab, 2 * MS);
}

static void assert_all_agree(struct kit *k)
{
    struct seen seen;
    unsigned n = get(k, "s", "n0", &seen) == 0 ? (unsigned)atoi(seen.value) : 0;
    for (unsigned i = 1; n > 0 && i < COPIES; i++) {
        char key[8];
        snprintf(key, sizeof key, "n%u", i);
        assert_int_equal(get(k, "s", key, &seen), 0);
        assert_int_equal(atoi(seen.value), n);
    }
    assert_int_equal(kit_status(k, ANA).inbox, LETTERS - n);
    assert_int_equal(kit_status(k, ANA).mail, n);
}

static bool lose_power_between_letters(uint64_t call)
{
    struct moth_config config = small_groups();
    struct moth_id bob;
    struct kit *k = with_letters(call, &bob);
    uint64_t at = disk_calls(data_disk(k)) + call;
    disk_cut_at(data_disk(k), at);
    for (unsigned i = 0; i < LETTERS && disk_calls(data_disk(k)) < at; i++) work_on(k, &bob, i);
    bool reached = disk_calls(data_disk(k)) >= at;
    disk_heal(data_disk(k));
    restart(k, &config);
    assert_all_agree(k);
    kit_free(k);
    return reached;
}

static void test_a_message_is_handled_counted_and_answered_or_none_of_it(void **state)
{
    uint64_t call = 1;
    (void)state;
    while (lose_power_between_letters(call)) call++;
    assert_true(call > 15);
}

static void test_marks_and_sends_of_a_discarded_batch_stay(void **state)
{
    struct moth_config config = small_groups();
    struct moth_id bob;
    struct kit *k = with_letters(1, &bob);
    (void)state;
    moth_begin(node(k));
    put(k, "s", "handled", "1");
    assert_int_equal(handle(k, &bob, 0), 0);
    assert_int_equal(send(k, &bob), 0);
    moth_discard(node(k));
    assert_int_equal(handle(k, &bob, 0), MOTH_ENOT_FOUND);
    data_settled(k);
    restart(k, &config);
    assert_value(k, "s", "handled", NULL);
    assert_int_equal(kit_status(k, ANA).inbox, LETTERS - 1);
    assert_int_equal(kit_status(k, ANA).mail, 1);
    kit_free(k);
}

/* In the very callback that tells the message. */
static void handle_at_once(struct kit *k, unsigned machine, const struct moth_event *e)
{
    if (machine != ANA || e->kind != MOTH_EVENT_MESSAGE) return;
    size_t waiting = kit_status(k, ANA).writes_waiting;
    moth_hold(node(k), e->message);
    moth_begin(node(k));
    put(k, "s", "k", "v");
    assert_int_equal(moth_handled(node(k), &e->message->from, e->message->id), 0);
    assert_int_equal(moth_handled(node(k), &e->message->from, e->message->id), MOTH_ENOT_FOUND);
    moth_hold(node(k), e->message); /* too late */
    moth_commit(node(k));
    assert_int_equal(kit_status(k, ANA).writes_waiting, waiting + 2);
}

static void test_a_message_handled_in_its_own_event_is_in_the_batch_too(void **state)
{
    struct kit *k = data_kit(1, NULL);
    (void)state;
    k->also = handle_at_once;
    assert_int_equal(kit_send(k, ANA, kit_id(k, ANA), "x", NULL), 0);
    data_settled(k);
    assert_int_equal(k->messages[ANA], 1);
    assert_int_equal(kit_status(k, ANA).inbox, 0);
    uint64_t history = kit_status(k, ANA).history_bytes;
    restart(k, NULL);
    lab_run(k->lab, SECOND);
    assert_int_equal(k->messages[ANA], 1);
    assert_int_equal(kit_status(k, ANA).history_bytes, history); /* counted anew: it was marked once */
    kit_free(k);
}

static void test_more_sends_than_the_most_may_go_before_the_data(void **state)
{
    struct moth_id bob;
    struct kit *k = with_letters(1, &bob);
    (void)state;
    moth_begin(node(k));
    for (unsigned i = 0; i < STORE_ROW_MAX + 1; i++) assert_int_equal(send(k, &bob), 0);
    put(k, "s", "k", "v");
    moth_commit(node(k));
    lab_turn(k->lab, ANA);
    lab_run(k->lab, MS + MS / 2); /* one commit */
    assert_in_range(kit_status(k, ANA).writes_waiting, 2, 5);
    data_settled(k);
    assert_int_equal(kit_status(k, ANA).mail, STORE_ROW_MAX + 1);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_is_handled_counted_and_answered_or_none_of_it),
        cmocka_unit_test(test_marks_and_sends_of_a_discarded_batch_stay),
        cmocka_unit_test(test_a_message_handled_in_its_own_event_is_in_the_batch_too),
        cmocka_unit_test(test_more_sends_than_the_most_may_go_before_the_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
