/* test_holds.c -- durable messages that outlive the callback which got them: held until they are handled, over power
 * cuts; mail that pauses; and what a message says of itself: that a program wrote it, and which way it came.
 *
 *   ana --- bob     bob's handlers hold what is listed in `held` */
#include "kit.h"

#define ANA 0
#define BOB 1
#define EVA 2
#define MS 1000u

/* What handlers do with messages, and what they saw. */
static struct {
    const char *held;       /* texts to hold, " a b " or "*" for all */
    bool handle_at_once;    /* in the same callback */
    bool pause_after;       /* the first message pauses all mail */
    int handled;            /* what that said */
    struct moth_message last[8]; /* by machine; name, type, data and path are not valid any more */
    bool has_path[8];
    uint8_t path[8][MOTH_HOPS_MAX * 8];
} handler;

static bool is_held(const struct moth_message *m)
{
    char word[40];
    if (!handler.held) return false;
    snprintf(word, sizeof word, " %.*s ", (int)m->bytes, (const char *)m->data);
    return strcmp(handler.held, "*") == 0 || strstr(handler.held, word) != NULL;
}

static void handle(struct kit *k, unsigned machine, const struct moth_event *e)
{
    const struct moth_message *m = e->message;
    if (e->kind != MOTH_EVENT_MESSAGE) return;
    handler.last[machine] = *m;
    handler.has_path[machine] = m->path != NULL;
    if (m->path) memcpy(handler.path[machine], m->path, m->path_hops * 8);
    if (machine == BOB && is_held(m)) moth_hold(kit_node(k, BOB), m);
    if (handler.handle_at_once) handler.handled = moth_handled(kit_node(k, machine), &m->from, m->id);
    if (handler.pause_after) moth_pause_mail(kit_node(k, machine), true);
}

static struct kit *row_with(uint64_t seed, unsigned count, const char *held)
{
    struct kit *k = kit_row(seed, count);
    memset(&handler, 0, sizeof handler);
    handler.held = held;
    k->also = handle;
    lab_run(k->lab, 40 * SECOND); /* the address books are saved by then */
    return k;
}

static struct kit *pair(uint64_t seed, const char *held)
{
    return row_with(seed, 2, held);
}

static uint64_t deliver(struct kit *k, const char *text)
{
    uint64_t id;
    assert_int_equal(kit_send(k, ANA, kit_id(k, BOB), text, &id), 0);
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, 10 * SECOND));
    lab_run(k->lab, 10 * MS);
    return id;
}

static int handled(struct kit *k, uint64_t id)
{
    int rc = moth_handled(kit_node(k, BOB), kit_id(k, ANA), id);
    lab_turn(k->lab, BOB);
    return rc;
}

static void restart_bob(struct kit *k)
{
    kit_restart(k, BOB);
    lab_run(k->lab, SECOND);
}

static size_t waiting(const struct kit *k)
{
    return kit_status(k, BOB).inbox;
}

/* --- held and handled --- */

static void test_a_held_message_is_open_until_it_is_handled(void **state)
{
    struct kit *k = pair(1, " work ");
    uint64_t id = deliver(k, "work"); /* the receipt speaks of the disk, not of handlers */
    (void)state;
    lab_run(k->lab, 60 * SECOND);
    assert_int_equal(k->messages[BOB], 1);
    assert_int_equal(waiting(k), 1);
    assert_int_equal(handled(k, id), 0);
    assert_int_equal(waiting(k), 0);
    assert_int_equal(kit_status(k, BOB).inbox_bytes, 0);
    assert_int_equal(handled(k, id), MOTH_ENOT_FOUND);
    kit_free(k);
}

static void test_what_was_not_held_is_handled_when_its_callback_returns(void **state)
{
    struct kit *k = pair(2, NULL);
    uint64_t id = deliver(k, "chat");
    (void)state;
    assert_int_equal(waiting(k), 0);
    assert_int_equal(handled(k, id), MOTH_ENOT_FOUND);
    kit_free(k);
}

static void test_others_are_told_while_one_is_held(void **state)
{
    struct kit *k = pair(3, " m1 m3 ");
    (void)state;
    kit_send_row(k, ANA, kit_id(k, BOB), 1, 4);
    lab_run(k->lab, SECOND);
    kit_assert_row(k, BOB, 1, 4);
    assert_int_equal(waiting(k), 2);
    kit_free(k);
}

static void test_held_messages_are_handled_in_any_order(void **state)
{
    struct kit *k = pair(4, "*");
    uint64_t ids[3] = {deliver(k, "a"), deliver(k, "b"), deliver(k, "c")};
    (void)state;
    assert_int_equal(handled(k, ids[1]), 0);
    assert_int_equal(handled(k, ids[2]), 0);
    assert_int_equal(handled(k, ids[0]), 0);
    lab_run(k->lab, SECOND);
    restart_bob(k);
    assert_int_equal(k->messages[BOB], 3);
    kit_free(k);
}

static void test_only_its_sender_and_id_together_find_a_held_message(void **state)
{
    struct kit *k = pair(5, "*");
    uint64_t id = deliver(k, "a");
    (void)state;
    assert_int_equal(moth_handled(kit_node(k, BOB), kit_id(k, BOB), id), MOTH_ENOT_FOUND);
    assert_int_equal(handled(k, id + 1), MOTH_ENOT_FOUND);
    assert_int_equal(handled(k, id), 0);
    kit_free(k);
}

/* As if it had come from somebody who is not there. */
static void take_from(struct kit *k, struct peer *from, uint64_t id, const char *text)
{
    uint8_t plain[256];
    struct envelope_body body = {.type = slice_text("text"), .data = slice_text(text)};
    struct envelope e = {.kind = ENVELOPE_DATA, .ttl_s = 60, .src = from->id, .id = id};
    size_t bytes = envelope_body_encode(0, &body, plain);
    assert_int_equal(inbox_take(kit_node(k, BOB), from, &e, &body, slice_of(plain, bytes)), 0);
    lab_turn(k->lab, BOB);
    lab_run(k->lab, SECOND);
}

/* Two senders whose ids were ground until their first halves agree can make two messages share a key. */
static void test_held_messages_with_one_key_are_told_apart(void **state)
{
    struct kit *k = pair(6, "*");
    struct moth_node *n = kit_node(k, BOB);
    uint64_t id = deliver(k, "a");
    struct moth_id twin = *kit_id(k, ANA);
    (void)state;
    twin.bytes[15] ^= 1;
    take_from(k, peers_get(&n->peers, &twin, true), id ^ 1, "b");
    assert_int_equal(waiting(k), 2);
    assert_int_equal(n->open.count, 1);
    assert_int_equal(handled(k, id), 0);
    assert_int_equal(handled(k, id), MOTH_ENOT_FOUND);
    assert_int_equal(moth_handled(n, &twin, id ^ 1), 0);
    assert_int_equal(moth_handled(n, &twin, id ^ 1), MOTH_ENOT_FOUND);
    assert_int_equal(n->open.count, 0);
    kit_free(k);
}

static void test_a_message_handled_in_its_own_callback_is_handled(void **state)
{
    struct kit *k = pair(7, "*");
    (void)state;
    handler.handle_at_once = true;
    deliver(k, "a");
    assert_int_equal(handler.handled, 0);
    assert_int_equal(waiting(k), 0);
    lab_run(k->lab, SECOND);
    restart_bob(k);
    assert_int_equal(k->messages[BOB], 1);
    kit_free(k);
}

static void test_a_message_that_is_not_held_is_not_open_in_its_callback(void **state)
{
    struct kit *k = pair(8, NULL);
    (void)state;
    handler.handle_at_once = true;
    deliver(k, "a");
    assert_int_equal(handler.handled, MOTH_ENOT_FOUND);
    kit_free(k);
}

static void test_a_light_message_cannot_be_held(void **state)
{
    struct kit *k = pair(9, "*");
    (void)state;
    assert_int_equal(kit_emit(k, ANA, kit_id(k, BOB), "a"), 0);
    assert_true(kit_wait_messages(k, BOB, 1, SECOND));
    assert_int_equal(waiting(k), 0);
    assert_int_equal(moth_handled(kit_node(k, BOB), kit_id(k, ANA), handler.last[BOB].id), MOTH_ENOT_FOUND);
    kit_free(k);
}

static void test_nothing_is_held_outside_of_its_callback(void **state)
{
    struct kit *k = pair(10, NULL);
    uint64_t id = deliver(k, "a");
    (void)state;
    moth_hold(kit_node(k, BOB), &handler.last[BOB]);
    deliver(k, "b");
    assert_int_equal(waiting(k), 0);
    assert_int_equal(handled(k, id), MOTH_ENOT_FOUND);
    kit_free(k);
}

static void test_a_message_to_oneself_can_be_held(void **state)
{
    struct kit *k = pair(11, "*");
    uint64_t id;
    (void)state;
    assert_int_equal(kit_send(k, BOB, kit_id(k, BOB), "note", &id), 0);
    assert_true(kit_wait_state(k, BOB, id, MOTH_DELIVERED, SECOND));
    lab_run(k->lab, 10 * MS);
    assert_int_equal(waiting(k), 1);
    assert_int_equal(moth_handled(kit_node(k, BOB), kit_id(k, BOB), id), 0);
    assert_int_equal(waiting(k), 0);
    kit_free(k);
}

/* --- over power cuts --- */

static void test_a_message_held_when_the_power_fails_comes_again_and_says_so(void **state)
{
    struct kit *k = pair(12, "*");
    uint64_t id = deliver(k, "work");
    (void)state;
    assert_false(handler.last[BOB].redelivered);
    restart_bob(k);
    assert_int_equal(k->messages[BOB], 2);
    assert_int_equal(kit_shown(k, BOB, "work"), 2);
    assert_true(handler.last[BOB].redelivered);
    assert_int_equal(handler.last[BOB].id, id);
    assert_int_equal(kit_status(k, BOB).messages_redelivered, 1);
    assert_int_equal(handled(k, id), 0);
    lab_run(k->lab, SECOND);
    restart_bob(k);
    assert_int_equal(k->messages[BOB], 2);
    kit_free(k);
}

static void test_a_message_that_was_handled_does_not_come_again(void **state)
{
    struct kit *k = pair(13, "*");
    uint64_t id = deliver(k, "work");
    (void)state;
    assert_int_equal(handled(k, id), 0);
    lab_run(k->lab, 100 * MS);
    restart_bob(k);
    assert_int_equal(k->messages[BOB], 1);
    assert_int_equal(waiting(k), 0);
    kit_free(k);
}

static void test_a_message_handled_but_not_committed_comes_again(void **state)
{
    struct kit *k = pair(14, "*");
    uint64_t id = deliver(k, "work");
    (void)state;
    lab_run(k->lab, SECOND);
    assert_int_equal(moth_handled(kit_node(k, BOB), kit_id(k, ANA), id), 0);
    restart_bob(k); /* before the mark was written */
    assert_int_equal(k->messages[BOB], 2);
    assert_true(handler.last[BOB].redelivered);
    kit_free(k);
}

static void test_the_next_one_comes_again_while_the_first_is_held_again(void **state)
{
    struct kit *k = pair(15, "*");
    (void)state;
    kit_send_row(k, ANA, kit_id(k, BOB), 1, 3);
    lab_run(k->lab, SECOND);
    restart_bob(k);
    assert_int_equal(k->messages[BOB], 6);
    for (int i = 0; i < 3; i++) assert_string_equal(k->texts[3 + i], k->texts[i]);
    assert_int_equal(waiting(k), 3);
    kit_free(k);
}

static void test_a_message_held_in_three_processes_is_set_aside(void **state)
{
    struct kit *k = pair(16, "*");
    uint64_t id = deliver(k, "poison");
    (void)state;
    restart_bob(k);
    restart_bob(k);
    assert_int_equal(k->messages[BOB], 3);
    assert_int_equal(kit_status(k, BOB).set_aside, 0);
    restart_bob(k);
    assert_int_equal(k->messages[BOB], 3);
    assert_int_equal(kit_status(k, BOB).set_aside, 1);
    assert_non_null(strstr(k->notes, "set aside"));
    assert_int_equal(waiting(k), 0);
    assert_int_equal(handled(k, id), MOTH_ENOT_FOUND);
    kit_free(k);
}

static void test_what_arrives_twice_is_not_told_while_it_is_held(void **state)
{
    struct kit *k = pair(17, "*");
    uint64_t id;
    (void)state;
    lab_latency(k->lab, ANA, BOB, 1500 * MS, 0); /* slower than a silence: it is sent again */
    assert_int_equal(kit_send(k, ANA, kit_id(k, BOB), "slow", &id), 0);
    lab_run(k->lab, 30 * SECOND);
    struct moth_sent sent;
    assert_int_equal(moth_message_get(kit_node(k, ANA), id, &sent), 0);
    assert_true(sent.tries > 1);
    assert_int_equal(k->messages[BOB], 1);
    assert_int_equal(waiting(k), 1);
    kit_free(k);
}

/* --- limits --- */

static int send_bytes(struct kit *k, size_t bytes, uint64_t *id)
{
    char data[2000] = "";
    struct moth_payload payload = {.data = data, .bytes = bytes};
    int rc = moth_send(kit_node(k, ANA), kit_id(k, BOB), &payload, NULL, id);
    lab_turn(k->lab, ANA);
    return rc;
}

static void test_held_messages_count_in_the_limits(void **state)
{
    struct kit *k = kit_new(18, 4);
    struct moth_config small = {.open = true, .limits = {[MOTH_LIMIT_INBOX_PER_SENDER] = 2000}};
    uint64_t first, second;
    (void)state;
    memset(&handler, 0, sizeof handler);
    handler.held = "*";
    k->also = handle;
    kit_start(k, ANA, NULL);
    assert_int_equal(lab_start(k->lab, BOB, "n1", &small), 0);
    kit_link(k, BOB, ANA);
    kit_settle(k, 2, 10 * SECOND);
    assert_int_equal(send_bytes(k, 1500, &first), 0);
    assert_true(kit_wait_state(k, ANA, first, MOTH_DELIVERED, SECOND));
    assert_int_equal(send_bytes(k, 1500, &second), 0);
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(k->messages[BOB], 1);
    assert_true(kit_discarded(k, BOB, MOTH_EFULL) > 0);
    assert_int_equal(handled(k, first), 0);
    assert_true(kit_wait_state(k, ANA, second, MOTH_DELIVERED, 60 * SECOND));
    lab_run(k->lab, 10 * MS);
    assert_int_equal(k->messages[BOB], 2);
    kit_free(k);
}

/* --- pauses --- */

static void test_paused_mail_waits_on_the_disk_and_is_told_in_order(void **state)
{
    struct kit *k = pair(19, NULL);
    (void)state;
    moth_pause_mail(kit_node(k, BOB), true);
    kit_send_row(k, ANA, kit_id(k, BOB), 1, 5);
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(k->messages[BOB], 0);
    assert_int_equal(k->states[MOTH_DELIVERED], 5);
    assert_int_equal(waiting(k), 5);
    moth_pause_mail(kit_node(k, BOB), false);
    lab_turn(k->lab, BOB);
    kit_assert_row(k, BOB, 1, 5);
    assert_int_equal(waiting(k), 0);
    kit_free(k);
}

static void test_a_pause_spends_no_starts(void **state)
{
    struct kit *k = pair(20, "*");
    (void)state;
    deliver(k, "a");
    deliver(k, "b");
    kit_restart(k, BOB); /* its first turn asks for the first one */
    moth_pause_mail(kit_node(k, BOB), true);
    lab_run(k->lab, 10 * SECOND);
    const struct arrival *first = kit_node(k, BOB)->arrivals;
    assert_int_equal(k->messages[BOB], 2);
    assert_int_equal(first->starts, 2);
    assert_int_equal(first->after->starts, 1);
    kit_free(k);
}

static void test_mail_of_earlier_runs_waits_for_the_end_of_a_pause(void **state)
{
    struct kit *k = pair(21, "*");
    uint64_t id = deliver(k, "work");
    (void)state;
    kit_restart(k, BOB);
    moth_pause_mail(kit_node(k, BOB), true);
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(k->messages[BOB], 1);
    moth_pause_mail(kit_node(k, BOB), false);
    lab_turn(k->lab, BOB);
    lab_run(k->lab, SECOND);
    assert_int_equal(k->messages[BOB], 2);
    assert_true(handler.last[BOB].redelivered);
    assert_int_equal(handled(k, id), 0);
    kit_free(k);
}

static void test_a_pause_begins_with_the_next_message(void **state)
{
    struct kit *k = pair(22, NULL);
    (void)state;
    moth_pause_mail(kit_node(k, BOB), true);
    kit_send_row(k, ANA, kit_id(k, BOB), 1, 3);
    lab_run(k->lab, SECOND);
    handler.pause_after = true;
    for (unsigned told = 1; told <= 3; told++) {
        moth_pause_mail(kit_node(k, BOB), false);
        lab_turn(k->lab, BOB);
        assert_int_equal(k->messages[BOB], told);
    }
    kit_assert_row(k, BOB, 1, 3);
    kit_free(k);
}

static void test_a_pause_holds_back_no_light_messages(void **state)
{
    struct kit *k = pair(23, NULL);
    (void)state;
    moth_pause_mail(kit_node(k, BOB), true);
    assert_int_equal(kit_emit(k, ANA, kit_id(k, BOB), "light"), 0);
    assert_true(kit_wait_messages(k, BOB, 1, SECOND));
    kit_free(k);
}

static void test_a_pause_holds_back_mail_to_oneself(void **state)
{
    struct kit *k = pair(24, NULL);
    uint64_t id;
    (void)state;
    moth_pause_mail(kit_node(k, BOB), true);
    assert_int_equal(kit_send(k, BOB, kit_id(k, BOB), "note", &id), 0);
    lab_run(k->lab, SECOND);
    assert_int_equal(kit_state(k, BOB, id), MOTH_DELIVERED);
    assert_int_equal(k->messages[BOB], 0);
    moth_pause_mail(kit_node(k, BOB), false);
    lab_turn(k->lab, BOB);
    assert_int_equal(k->messages[BOB], 1);
    kit_free(k);
}

/* --- what a program wrote --- */

static struct moth_payload by_a_program(const char *text)
{
    return (struct moth_payload){.encoding = MOTH_TEXT, .data = text, .bytes = strlen(text), .is_auto = true};
}

static void test_a_durable_message_says_that_a_program_wrote_it(void **state)
{
    struct kit *k = pair(25, NULL);
    struct moth_payload payload = by_a_program("beep");
    uint64_t id;
    (void)state;
    deliver(k, "hello");
    assert_false(handler.last[BOB].is_auto);
    assert_int_equal(moth_send(kit_node(k, ANA), kit_id(k, BOB), &payload, NULL, &id), 0);
    lab_turn(k->lab, ANA);
    assert_true(kit_wait_messages(k, BOB, 2, SECOND));
    assert_true(handler.last[BOB].is_auto);
    kit_free(k);
}

static void test_a_light_message_says_that_a_program_wrote_it(void **state)
{
    struct kit *k = pair(26, NULL);
    struct moth_payload payload = by_a_program("beep");
    (void)state;
    assert_int_equal(moth_emit(kit_node(k, ANA), kit_id(k, BOB), &payload), 0);
    lab_turn(k->lab, ANA);
    assert_true(kit_wait_messages(k, BOB, 1, SECOND));
    assert_true(handler.last[BOB].is_auto);
    assert_int_equal(kit_emit(k, ANA, kit_id(k, BOB), "hello"), 0);
    assert_true(kit_wait_messages(k, BOB, 2, SECOND));
    assert_false(handler.last[BOB].is_auto);
    kit_free(k);
}

static void test_a_broadcast_says_that_a_program_wrote_it(void **state)
{
    struct kit *k = row_with(27, 3, NULL);
    struct moth_payload payload = by_a_program("beep");
    (void)state;
    assert_int_equal(moth_emit(kit_node(k, ANA), NULL, &payload), 0);
    lab_turn(k->lab, ANA);
    assert_true(kit_wait_messages(k, EVA, 1, SECOND));
    assert_true(handler.last[EVA].is_auto && handler.last[EVA].broadcast);
    kit_free(k);
}

static void test_messages_to_oneself_say_that_a_program_wrote_them(void **state)
{
    struct kit *k = pair(28, NULL);
    struct moth_payload payload = by_a_program("beep");
    uint64_t id;
    (void)state;
    assert_int_equal(moth_emit(kit_node(k, BOB), kit_id(k, BOB), &payload), 0);
    lab_turn(k->lab, BOB);
    assert_int_equal(k->messages[BOB], 1);
    assert_true(handler.last[BOB].is_auto && !handler.last[BOB].durable);
    assert_int_equal(moth_send(kit_node(k, BOB), kit_id(k, BOB), &payload, NULL, &id), 0);
    lab_turn(k->lab, BOB);
    assert_true(kit_wait_messages(k, BOB, 2, SECOND));
    assert_true(handler.last[BOB].is_auto && handler.last[BOB].durable);
    kit_free(k);
}

static void test_that_a_program_wrote_it_outlives_power_cuts_at_both_ends(void **state)
{
    struct kit *k = pair(29, "*");
    struct moth_payload payload = by_a_program("beep");
    struct moth_id bob = *kit_id(k, BOB);
    uint64_t id;
    (void)state;
    lab_kill(k->lab, BOB);
    lab_run(k->lab, 5 * SECOND);
    assert_int_equal(moth_send(kit_node(k, ANA), &bob, &payload, NULL, &id), 0);
    lab_turn(k->lab, ANA);
    assert_true(kit_wait_state(k, ANA, id, MOTH_QUEUED, SECOND));
    kit_restart(k, ANA);
    kit_start(k, BOB, NULL);
    kit_link(k, BOB, ANA);
    assert_true(kit_wait_messages(k, BOB, 1, 20 * SECOND));
    assert_true(handler.last[BOB].is_auto && !handler.last[BOB].redelivered);
    lab_run(k->lab, SECOND);
    restart_bob(k);
    assert_int_equal(k->messages[BOB], 2);
    assert_true(handler.last[BOB].is_auto && handler.last[BOB].redelivered);
    kit_free(k);
}

/* --- which way it came --- */

static void send_with_path(struct kit *k, const struct moth_id *to)
{
    struct moth_payload payload = {.encoding = MOTH_TEXT, .data = "which way?", .bytes = 10};
    struct moth_send_options options = {.path = true};
    uint64_t id;
    assert_int_equal(moth_send(kit_node(k, ANA), to, &payload, &options, &id), 0);
    lab_turn(k->lab, ANA);
}

static void test_a_message_over_two_relays_names_both_in_order(void **state)
{
    struct kit *k = row_with(30, 4, NULL);
    (void)state;
    send_with_path(k, kit_id(k, 3));
    assert_true(kit_wait_messages(k, 3, 1, SECOND));
    assert_int_equal(handler.last[3].hops, 3);
    assert_int_equal(handler.last[3].path_hops, 2);
    assert_memory_equal(handler.path[3], kit_id(k, 1)->bytes, 8);
    assert_memory_equal(handler.path[3] + 8, kit_id(k, 2)->bytes, 8);
    assert_int_equal(kit_discarded(k, 1, MOTH_ELOOP) + kit_discarded(k, 2, MOTH_ELOOP), 0);
    kit_free(k);
}

static void test_a_message_that_was_not_asked_to_has_no_path(void **state)
{
    struct kit *k = row_with(31, 4, NULL);
    (void)state;
    assert_int_equal(kit_send(k, ANA, kit_id(k, 3), "hello", NULL), 0);
    assert_true(kit_wait_messages(k, 3, 1, SECOND));
    assert_int_equal(handler.last[3].hops, 3);
    assert_false(handler.has_path[3]);
    assert_int_equal(handler.last[3].path_hops, 0);
    kit_free(k);
}

static void test_a_message_from_a_neighbour_has_an_empty_path(void **state)
{
    struct kit *k = pair(32, NULL);
    (void)state;
    send_with_path(k, kit_id(k, BOB));
    assert_true(kit_wait_messages(k, BOB, 1, SECOND));
    assert_true(handler.has_path[BOB]);
    assert_int_equal(handler.last[BOB].path_hops, 0);
    kit_free(k);
}

static void test_a_message_to_oneself_has_an_empty_path(void **state)
{
    struct kit *k = pair(33, NULL);
    (void)state;
    send_with_path(k, kit_id(k, ANA));
    assert_true(kit_wait_messages(k, ANA, 1, SECOND));
    assert_true(handler.has_path[ANA]);
    assert_int_equal(handler.last[ANA].path_hops, 0);
    kit_free(k);
}

static void test_that_a_path_is_asked_for_outlives_a_power_cut(void **state)
{
    struct kit *k = pair(34, NULL);
    struct moth_id bob = *kit_id(k, BOB);
    (void)state;
    lab_kill(k->lab, BOB);
    lab_run(k->lab, 5 * SECOND);
    send_with_path(k, &bob);
    lab_run(k->lab, SECOND);
    kit_restart(k, ANA);
    kit_start(k, BOB, NULL);
    kit_link(k, BOB, ANA);
    assert_true(kit_wait_messages(k, BOB, 1, 20 * SECOND));
    assert_true(handler.has_path[BOB]);
    kit_free(k);
}

static void test_a_message_told_again_does_not_know_its_path_any_more(void **state)
{
    struct kit *k = pair(35, "*");
    (void)state;
    send_with_path(k, kit_id(k, BOB));
    assert_true(kit_wait_messages(k, BOB, 1, SECOND));
    lab_run(k->lab, SECOND);
    restart_bob(k);
    assert_int_equal(k->messages[BOB], 2);
    assert_true(handler.last[BOB].redelivered);
    assert_false(handler.has_path[BOB]);
    assert_int_equal(handler.last[BOB].path_hops, 0);
    kit_free(k);
}

static void test_a_copy_from_a_carrier_does_not_know_its_path(void **state)
{
    struct kit *k = row_with(36, 3, NULL);
    struct moth_id eva = *kit_id(k, EVA);
    (void)state;
    lab_kill(k->lab, EVA);
    lab_run(k->lab, 5 * SECOND);
    send_with_path(k, &eva);
    lab_run(k->lab, 5 * SECOND);
    assert_int_equal(kit_status(k, BOB).carried, 1);
    lab_kill(k->lab, ANA);
    kit_start(k, EVA, NULL);
    kit_link(k, EVA, BOB);
    assert_true(kit_wait_messages(k, EVA, 1, 30 * SECOND));
    assert_false(handler.has_path[EVA]);
    kit_free(k);
}

static void test_a_large_message_takes_its_path_along(void **state)
{
    struct kit *k = row_with(37, 4, NULL);
    uint8_t *data = mem_new(MOTH_DATA_MAX);
    struct moth_payload payload = {.data = data, .bytes = MOTH_DATA_MAX};
    struct moth_send_options options = {.path = true};
    uint64_t id;
    (void)state;
    assert_int_equal(moth_send(kit_node(k, ANA), kit_id(k, 3), &payload, &options, &id), 0);
    lab_turn(k->lab, ANA);
    assert_true(kit_wait_messages(k, 3, 1, 30 * SECOND));
    assert_int_equal(handler.last[3].bytes, MOTH_DATA_MAX);
    assert_int_equal(handler.last[3].path_hops, 2);
    free(data);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_held_message_is_open_until_it_is_handled),
        cmocka_unit_test(test_what_was_not_held_is_handled_when_its_callback_returns),
        cmocka_unit_test(test_others_are_told_while_one_is_held),
        cmocka_unit_test(test_held_messages_are_handled_in_any_order),
        cmocka_unit_test(test_only_its_sender_and_id_together_find_a_held_message),
        cmocka_unit_test(test_held_messages_with_one_key_are_told_apart),
        cmocka_unit_test(test_a_message_handled_in_its_own_callback_is_handled),
        cmocka_unit_test(test_a_message_that_is_not_held_is_not_open_in_its_callback),
        cmocka_unit_test(test_a_light_message_cannot_be_held),
        cmocka_unit_test(test_nothing_is_held_outside_of_its_callback),
        cmocka_unit_test(test_a_message_to_oneself_can_be_held),
        cmocka_unit_test(test_a_message_held_when_the_power_fails_comes_again_and_says_so),
        cmocka_unit_test(test_a_message_that_was_handled_does_not_come_again),
        cmocka_unit_test(test_a_message_handled_but_not_committed_comes_again),
        cmocka_unit_test(test_the_next_one_comes_again_while_the_first_is_held_again),
        cmocka_unit_test(test_a_message_held_in_three_processes_is_set_aside),
        cmocka_unit_test(test_what_arrives_twice_is_not_told_while_it_is_held),
        cmocka_unit_test(test_held_messages_count_in_the_limits),
        cmocka_unit_test(test_paused_mail_waits_on_the_disk_and_is_told_in_order),
        cmocka_unit_test(test_a_pause_spends_no_starts),
        cmocka_unit_test(test_mail_of_earlier_runs_waits_for_the_end_of_a_pause),
        cmocka_unit_test(test_a_pause_begins_with_the_next_message),
        cmocka_unit_test(test_a_pause_holds_back_no_light_messages),
        cmocka_unit_test(test_a_pause_holds_back_mail_to_oneself),
        cmocka_unit_test(test_a_durable_message_says_that_a_program_wrote_it),
        cmocka_unit_test(test_a_light_message_says_that_a_program_wrote_it),
        cmocka_unit_test(test_a_broadcast_says_that_a_program_wrote_it),
        cmocka_unit_test(test_messages_to_oneself_say_that_a_program_wrote_them),
        cmocka_unit_test(test_that_a_program_wrote_it_outlives_power_cuts_at_both_ends),
        cmocka_unit_test(test_a_message_over_two_relays_names_both_in_order),
        cmocka_unit_test(test_a_message_that_was_not_asked_to_has_no_path),
        cmocka_unit_test(test_a_message_from_a_neighbour_has_an_empty_path),
        cmocka_unit_test(test_a_message_to_oneself_has_an_empty_path),
        cmocka_unit_test(test_that_a_path_is_asked_for_outlives_a_power_cut),
        cmocka_unit_test(test_a_message_told_again_does_not_know_its_path_any_more),
        cmocka_unit_test(test_a_copy_from_a_carrier_does_not_know_its_path),
        cmocka_unit_test(test_a_large_message_takes_its_path_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
