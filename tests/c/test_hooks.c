/* test_hooks.c -- what a node's owner may veto: links, what is passed on, what is delivered; and that nothing else
 * happens while one is asked.
 *
 *   ana --- bob --- eva     bob has the hooks */
#include "kit.h"

#define ANA 0
#define BOB 1
#define EVA 2

/* What the hooks were told, and what they say. */
static struct {
    struct kit *kit;
    bool yes;
    unsigned accepts, forwards, delivers;
    struct moth_id peer;
    char name[64], address[MOTH_ADDRESS_TEXT_BYTES];
    bool inbound;
    struct moth_forward forward;
    struct moth_message message; /* name, type and data are not valid any more */
    char text[32];
    void (*during)(struct kit *k);
} asked;

static bool answer(void)
{
    if (asked.during) asked.during(asked.kit);
    return asked.yes;
}

static bool on_accept(void *owner, const struct moth_id *peer, const char *name, const char *address, bool inbound)
{
    assert_ptr_equal(owner, &asked);
    asked.accepts++;
    asked.peer = *peer;
    asked.inbound = inbound;
    snprintf(asked.name, sizeof asked.name, "%s", name);
    snprintf(asked.address, sizeof asked.address, "%s", address);
    return answer();
}

static bool on_forward(void *owner, const struct moth_forward *message)
{
    assert_ptr_equal(owner, &asked);
    asked.forwards++;
    asked.forward = *message;
    return answer();
}

static bool on_deliver(void *owner, const struct moth_message *message)
{
    assert_ptr_equal(owner, &asked);
    asked.delivers++;
    asked.message = *message;
    snprintf(asked.text, sizeof asked.text, "%.*s", (int)message->bytes, (const char *)message->data);
    return answer();
}

static const struct moth_hooks accept_hook = {.accept = on_accept}, forward_hook = {.forward = on_forward},
                               deliver_hook = {.deliver = on_deliver};

static void hook(struct kit *k, unsigned machine, const struct moth_hooks *hooks, bool yes)
{
    memset(&asked, 0, sizeof asked);
    asked.kit = k;
    asked.yes = yes;
    moth_set_hooks(kit_node(k, machine), hooks, &asked);
}

/* Bob's hooks say `yes` or no. */
static struct kit *row(uint64_t seed, const struct moth_hooks *hooks, bool yes)
{
    struct kit *k = kit_row(seed, 3);
    lab_run(k->lab, 40 * SECOND); /* the address books are saved by then */
    hook(k, BOB, hooks, yes);
    return k;
}

static uint64_t vetoes(const struct kit *k, unsigned machine)
{
    return kit_discarded(k, machine, MOTH_EVETOED);
}

/* --- accept --- */

static struct kit *strangers(uint64_t seed, bool yes)
{
    struct kit *k = kit_new(seed, 3);
    kit_start(k, ANA, NULL);
    kit_start(k, BOB, NULL);
    hook(k, BOB, &accept_hook, yes);
    return k;
}

static void test_a_link_that_is_accepted_comes_up(void **state)
{
    struct kit *k = strangers(1, true);
    char address[MOTH_ADDRESS_TEXT_BYTES];
    (void)state;
    kit_link(k, ANA, BOB);
    lab_address(ANA, address);
    assert_int_equal(asked.accepts, 1);
    assert_true(id_equal(&asked.peer, kit_id(k, ANA)));
    assert_true(asked.inbound);
    assert_string_equal(asked.address, address); /* where she listens */
    assert_int_equal(strlen(asked.name), 8); /* nobody told hers yet */
    assert_int_equal(vetoes(k, BOB), 0);
    kit_free(k);
}

static void test_a_link_that_came_in_and_is_vetoed_is_closed_and_leaves_no_trace(void **state)
{
    struct kit *k = strangers(2, false);
    struct moth_peer peer;
    (void)state;
    assert_int_equal(lab_connect(k->lab, ANA, BOB), 0);
    lab_run(k->lab, SECOND / 5);
    assert_false(kit_linked(k, ANA, BOB));
    assert_int_equal(k->events[BOB][MOTH_EVENT_LINK_UP], 0);
    assert_int_equal(kit_status(k, BOB).links, 0);
    assert_int_equal(moth_peer_get(kit_node(k, BOB), kit_id(k, ANA), &peer), MOTH_EUNKNOWN_PEER);
    assert_int_equal(vetoes(k, BOB), 1);
    kit_free(k);
}

static void test_a_link_that_we_dialled_and_veto_is_told_and_dialled_again(void **state)
{
    struct kit *k = strangers(3, false);
    (void)state;
    assert_int_equal(lab_connect(k->lab, BOB, ANA), 0);
    lab_run(k->lab, 20 * SECOND);
    assert_false(asked.inbound);
    assert_true(asked.accepts > 1);
    assert_int_equal(k->events[BOB][MOTH_EVENT_DIAL], 1);
    assert_int_equal(k->last_reason[BOB][MOTH_EVENT_DIAL], MOTH_EVETOED);
    asked.yes = true;
    lab_run(k->lab, 60 * SECOND);
    assert_true(kit_linked(k, ANA, BOB));
    kit_free(k);
}

static void test_links_that_are_up_stay_when_a_hook_comes(void **state)
{
    struct kit *k = row(4, &accept_hook, false);
    (void)state;
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(asked.accepts, 0);
    assert_true(kit_linked(k, ANA, BOB));
    kit_free(k);
}

/* --- forward --- */

static void test_what_is_forwarded_is_described(void **state)
{
    struct kit *k = row(5, &forward_hook, true);
    uint64_t id;
    (void)state;
    assert_int_equal(kit_send(k, ANA, kit_id(k, EVA), "hello", &id), 0);
    lab_run(k->lab, 1500);
    assert_int_equal(asked.forward.id, id);
    assert_true(id_equal(&asked.forward.from, kit_id(k, ANA)));
    assert_true(id_equal(&asked.forward.to, kit_id(k, EVA)));
    assert_true(asked.forward.durable);
    assert_in_range(asked.forward.bytes, ENVELOPE_HEAD_BYTES + 5, 200);
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, SECOND));
    assert_int_equal(asked.forwards, 2); /* and its receipt */
    assert_int_equal(vetoes(k, BOB), 0);
    kit_free(k);
}

static void test_a_durable_message_that_is_not_forwarded_waits_for_its_sender_to_try_again(void **state)
{
    struct kit *k = row(6, &forward_hook, false);
    uint64_t id;
    (void)state;
    assert_int_equal(kit_send(k, ANA, kit_id(k, EVA), "hello", &id), 0);
    lab_run(k->lab, 30 * SECOND);
    assert_int_equal(k->messages[EVA], 0);
    assert_true(asked.forwards > 1);
    assert_int_equal(vetoes(k, BOB), asked.forwards);
    assert_int_equal(kit_status(k, BOB).messages_relayed, 0);
    asked.yes = true;
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, 120 * SECOND));
    assert_int_equal(k->messages[EVA], 1);
    kit_free(k);
}

static void test_the_sender_of_what_is_not_forwarded_gets_a_hint(void **state)
{
    struct kit *k = row(7, &forward_hook, false);
    (void)state;
    assert_int_equal(kit_send(k, ANA, kit_id(k, EVA), "hello", NULL), 0);
    lab_run(k->lab, SECOND); /* before the first silence ends */
    assert_int_equal(asked.forwards, 2);
    kit_free(k);
}

static void test_a_light_message_that_is_not_forwarded_is_lost(void **state)
{
    struct kit *k = row(8, &forward_hook, false);
    (void)state;
    assert_int_equal(kit_emit(k, ANA, kit_id(k, EVA), "hello"), 0);
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(asked.forwards, 1);
    assert_false(asked.forward.durable);
    assert_int_equal(vetoes(k, BOB), 1);
    assert_int_equal(k->messages[EVA], 0);
    kit_free(k);
}

static void test_forwarding_asks_for_requests_and_not_for_broadcasts(void **state)
{
    struct kit *k = row(9, &forward_hook, false);
    struct moth_payload payload = {.type = "sum", .data = "", .bytes = 0};
    uint64_t id;
    (void)state;
    assert_int_equal(moth_request(kit_node(k, ANA), kit_id(k, EVA), &payload, &id), 0);
    assert_int_equal(kit_emit(k, ANA, NULL, "everyone"), 0);
    lab_run(k->lab, SECOND);
    assert_int_equal(asked.forwards, 1);
    assert_int_equal(asked.forward.id, id);
    assert_false(asked.forward.durable);
    assert_int_equal(k->events[EVA][MOTH_EVENT_REQUEST], 0);
    assert_int_equal(k->messages[EVA], 1);
    kit_free(k);
}

static void test_what_is_for_us_and_from_us_is_not_forwarded(void **state)
{
    struct kit *k = row(10, &forward_hook, false);
    uint64_t to, from;
    (void)state;
    assert_int_equal(kit_send(k, ANA, kit_id(k, BOB), "in", &to), 0);
    assert_int_equal(kit_send(k, BOB, kit_id(k, EVA), "out", &from), 0);
    assert_true(kit_wait_state(k, ANA, to, MOTH_DELIVERED, SECOND));
    assert_true(kit_wait_state(k, BOB, from, MOTH_DELIVERED, SECOND));
    assert_int_equal(asked.forwards, 0);
    kit_free(k);
}

/* --- deliver --- */

static void test_what_is_delivered_is_described(void **state)
{
    struct kit *k = row(11, &deliver_hook, true);
    struct moth_payload payload = {.encoding = MOTH_TEXT, .type = "note", .data = "hello", .bytes = 5, .is_auto = true};
    uint64_t id;
    (void)state;
    assert_int_equal(moth_send(kit_node(k, ANA), kit_id(k, BOB), &payload, NULL, &id), 0);
    lab_turn(k->lab, ANA);
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, SECOND));
    assert_int_equal(asked.delivers, 1);
    assert_string_equal(asked.text, "hello");
    assert_int_equal(asked.message.id, id);
    assert_true(id_equal(&asked.message.from, kit_id(k, ANA)));
    assert_true(asked.message.durable && asked.message.is_auto && !asked.message.broadcast);
    lab_run(k->lab, SECOND);
    assert_int_equal(k->messages[BOB], 1);
    kit_free(k);
}

static void test_a_durable_message_that_is_vetoed_is_refused(void **state)
{
    struct kit *k = row(12, &deliver_hook, false);
    uint64_t id;
    (void)state;
    assert_int_equal(kit_send(k, ANA, kit_id(k, BOB), "spam", &id), 0);
    assert_true(kit_wait_state(k, ANA, id, MOTH_REFUSED, SECOND));
    assert_int_equal(kit_reason(k, ANA, id), MOTH_EVETOED);
    lab_run(k->lab, 30 * SECOND);
    assert_int_equal(asked.delivers, 1);
    assert_int_equal(k->messages[BOB], 0);
    assert_int_equal(vetoes(k, BOB), 1);
    kit_restart(k, BOB);
    lab_run(k->lab, SECOND);
    assert_int_equal(k->messages[BOB], 0); /* it was never kept */
    kit_free(k);
}

static void test_a_light_message_that_is_vetoed_is_dropped(void **state)
{
    struct kit *k = row(13, &deliver_hook, false);
    (void)state;
    assert_int_equal(kit_emit(k, ANA, kit_id(k, BOB), "spam"), 0);
    lab_run(k->lab, SECOND);
    assert_int_equal(asked.delivers, 1);
    assert_false(asked.message.durable);
    assert_int_equal(k->messages[BOB], 0);
    assert_int_equal(vetoes(k, BOB), 1);
    kit_free(k);
}

static void test_a_broadcast_that_is_vetoed_is_passed_on_all_the_same(void **state)
{
    struct kit *k = row(14, &deliver_hook, false);
    (void)state;
    assert_int_equal(kit_emit(k, ANA, NULL, "spam"), 0);
    lab_run(k->lab, SECOND);
    assert_true(asked.message.broadcast);
    assert_int_equal(k->messages[BOB], 0);
    assert_int_equal(k->messages[EVA], 1);
    assert_int_equal(vetoes(k, BOB), 1);
    kit_free(k);
}

static void test_a_message_to_oneself_that_is_vetoed_is_refused(void **state)
{
    struct kit *k = row(15, &deliver_hook, false);
    uint64_t first, second;
    (void)state;
    assert_int_equal(moth_send(kit_node(k, BOB), kit_id(k, BOB), &(struct moth_payload){.data = "a", .bytes = 1}, NULL,
                               &first), 0);
    assert_int_equal(kit_send(k, BOB, kit_id(k, BOB), "b", &second), 0);
    lab_run(k->lab, SECOND);
    assert_int_equal(asked.delivers, 2);
    assert_int_equal(kit_state(k, BOB, first), MOTH_REFUSED);
    assert_int_equal(kit_state(k, BOB, second), MOTH_REFUSED);
    assert_int_equal(kit_reason(k, BOB, second), MOTH_EVETOED);
    assert_int_equal(k->states[MOTH_REFUSED], 2);
    assert_int_equal(k->messages[BOB], 0);
    kit_free(k);
}

static void test_a_light_message_to_oneself_that_is_vetoed_is_dropped(void **state)
{
    struct kit *k = row(16, &deliver_hook, false);
    (void)state;
    assert_int_equal(kit_emit(k, BOB, kit_id(k, BOB), "a"), 0);
    lab_run(k->lab, SECOND);
    assert_int_equal(asked.delivers, 1);
    assert_int_equal(k->messages[BOB], 0);
    assert_int_equal(vetoes(k, BOB), 1);
    kit_free(k);
}

static void test_what_was_taken_before_is_receipted_without_asking(void **state)
{
    struct kit *k = row(17, NULL, true);
    uint64_t id;
    (void)state;
    lab_latency(k->lab, ANA, BOB, 1500000, 0); /* its receipt takes longer than a silence */
    assert_int_equal(kit_send(k, ANA, kit_id(k, BOB), "hello", &id), 0);
    assert_true(kit_wait_messages(k, BOB, 1, 5 * SECOND));
    hook(k, BOB, &deliver_hook, false);
    lab_run(k->lab, 30 * SECOND);
    struct moth_sent sent;
    assert_int_equal(moth_message_get(kit_node(k, ANA), id, &sent), 0);
    assert_true(sent.tries > 1);
    assert_int_equal(sent.state, MOTH_DELIVERED);
    assert_int_equal(asked.delivers, 0);
    kit_free(k);
}

static void test_what_is_told_again_after_a_power_cut_is_not_asked_for(void **state)
{
    struct kit *k = row(18, NULL, true);
    (void)state;
    moth_pause_mail(kit_node(k, BOB), true);
    assert_int_equal(kit_send(k, ANA, kit_id(k, BOB), "hello", NULL), 0);
    lab_run(k->lab, SECOND);
    kit_restart(k, BOB);
    hook(k, BOB, &deliver_hook, false);
    lab_run(k->lab, SECOND);
    assert_int_equal(k->messages[BOB], 1);
    assert_int_equal(asked.delivers, 0);
    kit_free(k);
}

/* Ana's message is handed over by bob while she is away, and eva will not have it. */
static void test_a_message_that_a_carrier_brings_can_be_vetoed(void **state)
{
    struct kit *k = row(19, NULL, true);
    struct moth_id eva = *kit_id(k, EVA);
    uint64_t id;
    (void)state;
    lab_kill(k->lab, EVA);
    lab_run(k->lab, 5 * SECOND);
    assert_int_equal(kit_send(k, ANA, &eva, "spam", &id), 0);
    assert_true(kit_wait_state(k, ANA, id, MOTH_CARRIED, 5 * SECOND));
    lab_kill(k->lab, ANA);
    lab_run(k->lab, 5 * SECOND);
    kit_start(k, EVA, NULL);
    hook(k, EVA, &deliver_hook, false);
    kit_link(k, EVA, BOB);
    lab_run(k->lab, 20 * SECOND);
    assert_int_equal(asked.delivers, 1);
    assert_string_equal(asked.text, "spam");
    assert_int_equal(k->messages[EVA], 0);
    kit_start(k, ANA, NULL);
    kit_link(k, ANA, BOB);
    assert_true(kit_wait_state(k, ANA, id, MOTH_REFUSED, 30 * SECOND));
    assert_int_equal(kit_reason(k, ANA, id), MOTH_EVETOED);
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(kit_status(k, BOB).carried, 0);
    kit_free(k);
}

static void test_requests_and_replies_are_delivered_without_asking(void **state)
{
    struct kit *k = row(20, &deliver_hook, false);
    struct moth_payload payload = {.type = "sum", .data = "", .bytes = 0};
    uint64_t id;
    (void)state;
    assert_int_equal(moth_request(kit_node(k, ANA), kit_id(k, BOB), &payload, &id), 0);
    assert_int_equal(moth_request(kit_node(k, BOB), kit_id(k, BOB), &payload, &id), 0);
    assert_int_equal(moth_answer(kit_node(k, ANA), kit_id(k, BOB), 7, &payload), 0);
    lab_turn(k->lab, ANA);
    lab_turn(k->lab, BOB);
    lab_run(k->lab, SECOND);
    assert_int_equal(k->events[BOB][MOTH_EVENT_REQUEST], 2);
    assert_int_equal(k->events[BOB][MOTH_EVENT_REPLY], 1);
    assert_int_equal(asked.delivers, 0);
    kit_free(k);
}

/* --- while one is asked --- */

static void change_everything(struct kit *k)
{
    struct moth_node *n = kit_node(k, BOB);
    const struct moth_id *ana = kit_id(k, ANA);
    struct moth_payload payload = {.type = "sum", .data = "", .bytes = 0};
    uint64_t id;
    assert_int_equal(moth_send(n, ana, &payload, NULL, &id), MOTH_EPERMISSION);
    assert_int_equal(moth_emit(n, ana, &payload), MOTH_EPERMISSION);
    assert_int_equal(moth_emit(n, NULL, &payload), MOTH_EPERMISSION);
    assert_int_equal(moth_request(n, ana, &payload, &id), MOTH_EPERMISSION);
    assert_int_equal(moth_answer(n, ana, 7, &payload), MOTH_EPERMISSION);
    assert_int_equal(moth_cancel(n, 7), MOTH_EPERMISSION);
    assert_int_equal(moth_handled(n, ana, 7), MOTH_EPERMISSION);
    assert_int_equal(moth_connect(n, "10.0.0.7:1"), MOTH_EPERMISSION);
    assert_int_equal(moth_disconnect(n, ana), MOTH_EPERMISSION);
    assert_int_equal(moth_disconnect_address(n, "10.0.0.7:1"), MOTH_EPERMISSION);
    assert_int_equal(moth_alias(n, ana, "anna"), MOTH_EPERMISSION);
    assert_int_equal(moth_block(n, ana, true), MOTH_EPERMISSION);
}

static void test_a_deliver_hook_may_ask_and_not_change(void **state)
{
    struct kit *k = row(21, &deliver_hook, true);
    uint64_t id;
    (void)state;
    asked.during = change_everything;
    assert_int_equal(kit_send(k, ANA, kit_id(k, BOB), "hello", &id), 0);
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, SECOND));
    assert_int_equal(asked.delivers, 1);
    assert_int_equal(kit_send(k, BOB, kit_id(k, ANA), "afterwards", &id), 0);
    kit_free(k);
}

static void test_a_forward_hook_may_ask_and_not_change(void **state)
{
    struct kit *k = row(22, &forward_hook, true);
    (void)state;
    asked.during = change_everything;
    assert_int_equal(kit_emit(k, ANA, kit_id(k, EVA), "hello"), 0);
    assert_true(kit_wait_messages(k, EVA, 1, SECOND));
    assert_int_equal(asked.forwards, 1);
    assert_int_equal(kit_emit(k, BOB, kit_id(k, EVA), "afterwards"), 0);
    kit_free(k);
}

static void test_an_accept_hook_may_ask_and_not_change(void **state)
{
    struct kit *k = strangers(23, true);
    (void)state;
    asked.during = change_everything;
    kit_link(k, ANA, BOB);
    kit_settle(k, 2, 10 * SECOND);
    assert_int_equal(asked.accepts, 1);
    assert_int_equal(kit_emit(k, BOB, kit_id(k, ANA), "afterwards"), 0);
    kit_free(k);
}

static void test_hooks_that_are_taken_away_are_not_asked(void **state)
{
    struct kit *k = row(24, &deliver_hook, false);
    uint64_t id;
    (void)state;
    moth_set_hooks(kit_node(k, BOB), NULL, NULL);
    assert_int_equal(kit_send(k, ANA, kit_id(k, BOB), "hello", &id), 0);
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, SECOND));
    assert_int_equal(asked.delivers, 0);
    kit_free(k);
}

static void test_what_the_owner_drops_is_counted_by_reason(void **state)
{
    struct kit *k = row(25, NULL, true);
    (void)state;
    moth_count_discard(kit_node(k, BOB), MOTH_EBUSY);
    moth_count_discard(kit_node(k, BOB), MOTH_EBUSY);
    assert_int_equal(kit_discarded(k, BOB, MOTH_EBUSY), 2);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_link_that_is_accepted_comes_up),
        cmocka_unit_test(test_a_link_that_came_in_and_is_vetoed_is_closed_and_leaves_no_trace),
        cmocka_unit_test(test_a_link_that_we_dialled_and_veto_is_told_and_dialled_again),
        cmocka_unit_test(test_links_that_are_up_stay_when_a_hook_comes),
        cmocka_unit_test(test_what_is_forwarded_is_described),
        cmocka_unit_test(test_a_durable_message_that_is_not_forwarded_waits_for_its_sender_to_try_again),
        cmocka_unit_test(test_the_sender_of_what_is_not_forwarded_gets_a_hint),
        cmocka_unit_test(test_a_light_message_that_is_not_forwarded_is_lost),
        cmocka_unit_test(test_forwarding_asks_for_requests_and_not_for_broadcasts),
        cmocka_unit_test(test_what_is_for_us_and_from_us_is_not_forwarded),
        cmocka_unit_test(test_what_is_delivered_is_described),
        cmocka_unit_test(test_a_durable_message_that_is_vetoed_is_refused),
        cmocka_unit_test(test_a_light_message_that_is_vetoed_is_dropped),
        cmocka_unit_test(test_a_broadcast_that_is_vetoed_is_passed_on_all_the_same),
        cmocka_unit_test(test_a_message_to_oneself_that_is_vetoed_is_refused),
        cmocka_unit_test(test_a_light_message_to_oneself_that_is_vetoed_is_dropped),
        cmocka_unit_test(test_what_was_taken_before_is_receipted_without_asking),
        cmocka_unit_test(test_what_is_told_again_after_a_power_cut_is_not_asked_for),
        cmocka_unit_test(test_a_message_that_a_carrier_brings_can_be_vetoed),
        cmocka_unit_test(test_requests_and_replies_are_delivered_without_asking),
        cmocka_unit_test(test_a_deliver_hook_may_ask_and_not_change),
        cmocka_unit_test(test_a_forward_hook_may_ask_and_not_change),
        cmocka_unit_test(test_an_accept_hook_may_ask_and_not_change),
        cmocka_unit_test(test_hooks_that_are_taken_away_are_not_asked),
        cmocka_unit_test(test_what_the_owner_drops_is_counted_by_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
