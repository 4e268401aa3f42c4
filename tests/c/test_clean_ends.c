/* test_clean_ends.c -- a process that ends in good order: what it had begun and not ended never was, and what it had not
 * yet given to anybody is given by the next one, however often that happens. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "data_kit.h"

static struct kit *the_kit;

static void hold_all(struct kit *k, unsigned machine, const struct moth_event *event)
{
    (void)k;
    if (event->kind == MOTH_EVENT_MESSAGE) moth_hold(kit_node(the_kit, machine), event->message);
}

static struct kit *one(uint64_t seed)
{
    the_kit = data_kit(seed, NULL);
    the_kit->also = hold_all;
    return the_kit;
}

static void run_again(struct kit *k)
{
    lab_close(k->lab, ANA);
    assert_int_equal(lab_start(k->lab, ANA, "n0", NULL), 0);
}

static uint64_t send_to_oneself(struct kit *k)
{
    uint64_t id;
    assert_int_equal(kit_send(k, ANA, kit_id(k, ANA), "work", &id), 0);
    return id;
}

static void test_a_batch_that_had_not_ended_never_was(void **state)
{
    struct kit *k = one(2);
    struct seen seen;
    uint64_t id = send_to_oneself(k);
    (void)state;
    lab_turn(k->lab, ANA);
    lab_run(k->lab, SECOND);
    assert_int_equal(k->messages[ANA], 1);
    moth_begin(node(k));
    put(k, "space", "done", "yes");
    assert_int_equal(moth_handled(node(k), kit_id(k, ANA), id), 0);
    run_again(k);
    lab_run(k->lab, SECOND);
    assert_int_equal(get(k, "space", "done", &seen), MOTH_ENOT_FOUND);
    assert_int_equal(k->messages[ANA], 2); /* neither was it handled */
    kit_free(k);
}

static void test_a_message_held_over_many_clean_ends_is_not_set_aside(void **state)
{
    struct kit *k = one(3);
    (void)state;
    send_to_oneself(k);
    lab_turn(k->lab, ANA);
    lab_run(k->lab, SECOND);
    for (size_t runs = 2; runs <= 6; runs++) {
        run_again(k);
        lab_run(k->lab, SECOND);
        assert_int_equal(k->messages[ANA], runs);
    }
    assert_int_equal(kit_status(k, ANA).set_aside, 0);
    kit_free(k);
}

static void test_a_message_that_nobody_was_given_is_not_set_aside(void **state)
{
    struct kit *k = one(4);
    (void)state;
    send_to_oneself(k);
    moth_pause_mail(node(k), true);
    lab_turn(k->lab, ANA);
    lab_run(k->lab, SECOND);
    for (int runs = 0; runs < 5; runs++) {
        run_again(k);
        moth_node_tick(node(k)); /* its next start is being counted */
        moth_pause_mail(node(k), true);
        lab_run(k->lab, SECOND);
    }
    assert_int_equal(k->messages[ANA], 0);
    assert_int_equal(kit_status(k, ANA).set_aside, 0);
    moth_pause_mail(node(k), false);
    lab_turn(k->lab, ANA);
    lab_run(k->lab, SECOND);
    assert_int_equal(k->messages[ANA], 1);
    kit_free(k);
}

static void test_what_is_sent_to_oneself_has_a_bound(void **state)
{
    static char big[MOTH_DATA_MAX];
    struct kit *k = one(5);
    struct moth_payload payload = {.encoding = MOTH_BYTES, .data = big, .bytes = sizeof big};
    uint64_t limit = kit_status(k, ANA).limits[MOTH_LIMIT_MAIL_MEMORY];
    unsigned sent = 0;
    (void)state;
    while (sent < 1000 && moth_emit(node(k), kit_id(k, ANA), &payload) == 0) sent++;
    assert_true(sent > 0 && sent <= limit / sizeof big);
    assert_int_equal(moth_emit(node(k), kit_id(k, ANA), &payload), MOTH_EFULL);
    lab_turn(k->lab, ANA);
    lab_run(k->lab, SECOND);
    assert_int_equal(moth_emit(node(k), kit_id(k, ANA), &payload), 0);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_batch_that_had_not_ended_never_was),
        cmocka_unit_test(test_a_message_held_over_many_clean_ends_is_not_set_aside),
        cmocka_unit_test(test_a_message_that_nobody_was_given_is_not_set_aside),
        cmocka_unit_test(test_what_is_sent_to_oneself_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
