/* test_requests.c -- requests and what answers them: sent once, told once, never kept. Who waits for an answer, and how
 * long, is nobody's business on this floor.
 *
 *   0 --- 1 --- 2     0 asks, 2 serves; 1 is in between */
#include "kit.h"

#define ASKER 0
#define RELAY 1
#define SERVER 2

/* What came last, by machine; `serve`: a request is answered with its own data. */
static struct {
    struct moth_message last[4]; /* its name, type and data are not valid any more */
    char type[4][MOTH_TYPE_MAX + 1], data[4][32];
    bool serve;
    int answered;
} heard;

static void answer(struct kit *k, unsigned machine, const struct moth_message *m)
{
    struct moth_payload payload = {.encoding = m->encoding, .type = "ok", .data = m->data, .bytes = m->bytes,
                                   .is_auto = true};
    heard.answered = moth_answer(kit_node(k, machine), &m->from, m->id, &payload);
}

static void listen_to(struct kit *k, unsigned machine, const struct moth_event *e)
{
    if (e->kind != MOTH_EVENT_REQUEST && e->kind != MOTH_EVENT_REPLY) return;
    heard.last[machine] = *e->message;
    snprintf(heard.type[machine], sizeof heard.type[machine], "%s", e->message->type);
    snprintf(heard.data[machine], sizeof heard.data[machine], "%.*s", (int)e->message->bytes,
             (const char *)e->message->data);
    if (e->kind == MOTH_EVENT_REQUEST && heard.serve) answer(k, machine, e->message);
}

static struct kit *row(uint64_t seed)
{
    struct kit *k = kit_row(seed, 3);
    memset(&heard, 0, sizeof heard);
    heard.serve = true;
    k->also = listen_to;
    return k;
}

static int ask(struct kit *k, unsigned from, const struct moth_id *to, const char *service, uint64_t *id)
{
    struct moth_payload payload = {.encoding = MOTH_TEXT, .type = service, .data = "1+1", .bytes = 3};
    int rc = moth_request(kit_node(k, from), to, &payload, id);
    lab_turn(k->lab, from);
    return rc;
}

static unsigned requests(const struct kit *k, unsigned machine)
{
    return k->events[machine][MOTH_EVENT_REQUEST];
}

static unsigned replies(const struct kit *k, unsigned machine)
{
    return k->events[machine][MOTH_EVENT_REPLY];
}

/* --- there and back --- */

static void test_a_request_over_a_relay_is_answered(void **state)
{
    struct kit *k = row(1);
    uint64_t id = 0;
    (void)state;
    assert_int_equal(ask(k, ASKER, kit_id(k, SERVER), "sum", &id), 0);
    lab_run(k->lab, SECOND);
    assert_int_equal(requests(k, SERVER), 1);
    assert_string_equal(heard.type[SERVER], "sum");
    assert_string_equal(heard.data[SERVER], "1+1");
    assert_int_equal(heard.last[SERVER].id, id);
    assert_int_equal(heard.last[SERVER].re, 0);
    assert_int_equal(heard.last[SERVER].hops, 2);
    assert_int_equal(replies(k, ASKER), 1);
    assert_string_equal(heard.type[ASKER], "ok");
    assert_string_equal(heard.data[ASKER], "1+1");
    assert_int_equal(heard.last[ASKER].re, id);
    assert_true(id_equal(&heard.last[ASKER].from, kit_id(k, SERVER)));
    assert_int_equal(requests(k, RELAY) + replies(k, RELAY), 0);
    kit_free(k);
}

static void test_requests_and_replies_are_no_messages_and_not_durable(void **state)
{
    struct kit *k = row(2);
    uint64_t id;
    (void)state;
    ask(k, ASKER, kit_id(k, SERVER), "sum", &id);
    lab_run(k->lab, SECOND);
    assert_int_equal(replies(k, ASKER), 1);
    assert_int_equal(k->text_count, 0);
    assert_false(heard.last[SERVER].durable || heard.last[ASKER].durable);
    assert_false(heard.last[SERVER].broadcast || heard.last[ASKER].broadcast);
    assert_int_equal(kit_state(k, ASKER, id), -1);
    assert_int_equal(kit_status(k, ASKER).mail, 0);
    assert_int_equal(kit_status(k, SERVER).inbox, 0);
    assert_int_equal(kit_status(k, ASKER).messages_delivered, 0);
    kit_free(k);
}

static void test_a_reply_says_that_a_program_wrote_it(void **state)
{
    struct kit *k = row(3);
    uint64_t id;
    (void)state;
    ask(k, ASKER, kit_id(k, SERVER), "sum", &id);
    lab_run(k->lab, SECOND);
    assert_false(heard.last[SERVER].is_auto);
    assert_true(heard.last[ASKER].is_auto);
    kit_free(k);
}

static void test_a_request_to_oneself_is_told_in_the_turn_and_answered(void **state)
{
    struct kit *k = row(4);
    struct moth_payload payload = {.encoding = MOTH_TEXT, .type = "sum", .data = "1+1", .bytes = 3, .is_auto = true};
    uint64_t id;
    (void)state;
    assert_int_equal(moth_request(kit_node(k, ASKER), kit_id(k, ASKER), &payload, &id), 0);
    assert_int_equal(requests(k, ASKER), 0); /* not from inside the call */
    assert_int_equal(kit_status(k, ASKER).mail, 0);
    assert_int_equal(kit_state(k, ASKER, id), -1);
    lab_turn(k->lab, ASKER);
    assert_int_equal(requests(k, ASKER), 1);
    assert_true(heard.last[ASKER].is_auto);
    lab_run(k->lab, SECOND);
    assert_int_equal(replies(k, ASKER), 1);
    assert_int_equal(heard.last[ASKER].re, id);
    assert_int_equal(requests(k, ASKER), 1);
    kit_free(k);
}

static void test_a_request_is_not_repeated_when_its_answer_is_lost(void **state)
{
    struct kit *k = row(5);
    uint64_t id;
    (void)state;
    heard.serve = false;
    ask(k, ASKER, kit_id(k, SERVER), "sum", &id);
    lab_run(k->lab, 120 * SECOND);
    assert_int_equal(requests(k, SERVER), 1);
    assert_int_equal(replies(k, ASKER), 0);
    kit_free(k);
}

static void test_a_request_is_gone_with_the_process_that_asked(void **state)
{
    struct kit *k = row(6);
    struct moth_payload payload = {.type = "sum", .data = "", .bytes = 0};
    uint64_t id;
    (void)state;
    assert_int_equal(moth_request(kit_node(k, ASKER), kit_id(k, ASKER), &payload, &id), 0);
    kit_restart(k, ASKER);
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(requests(k, ASKER), 0);
    kit_free(k);
}

/* --- what is refused at once --- */

static void test_a_request_to_somebody_without_a_route_is_unreachable_at_once(void **state)
{
    struct kit *k = row(7);
    struct moth_id server = *kit_id(k, SERVER);
    uint64_t id;
    (void)state;
    lab_kill(k->lab, SERVER);
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(ask(k, ASKER, &server, "sum", &id), MOTH_EUNREACHABLE);
    assert_int_equal(kit_discarded(k, ASKER, MOTH_EUNREACHABLE), 1);
    kit_start(k, SERVER, NULL);
    kit_link(k, SERVER, RELAY);
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(requests(k, SERVER), 0); /* it did not wait */
    kit_free(k);
}

/* --- answers without a way --- */

/*   0 --- 1     2     the one to be answered is away for as long */
static struct kit *away(uint64_t seed, struct moth_id *server)
{
    struct kit *k = row(seed);
    *server = *kit_id(k, SERVER);
    lab_kill(k->lab, SERVER);
    lab_run(k->lab, 10 * SECOND);
    return k;
}

static int answer_seven(struct kit *k, const struct moth_id *to, size_t bytes)
{
    static const char text[2000] = {'x'};
    struct moth_payload payload = {.type = "ok", .data = text, .bytes = bytes};
    int rc = moth_answer(kit_node(k, ASKER), to, 7, &payload);
    lab_turn(k->lab, ASKER);
    return rc;
}

static void test_an_answer_waits_for_a_way(void **state)
{
    struct moth_id server;
    struct kit *k = away(11, &server);
    (void)state;
    assert_int_equal(answer_seven(k, &server, 1), 0);
    assert_int_equal(answer_seven(k, &server, 2), 0);
    assert_int_equal(kit_discarded(k, ASKER, MOTH_EUNREACHABLE), 0);
    kit_start(k, SERVER, NULL);
    kit_link(k, SERVER, RELAY);
    lab_run(k->lab, 3 * SECOND);
    assert_int_equal(replies(k, SERVER), 2);
    assert_int_equal(heard.last[SERVER].re, 7);
    assert_int_equal(heard.last[SERVER].bytes, 2); /* in their order */
    kit_free(k);
}

static void test_an_answer_waits_for_five_seconds(void **state)
{
    struct moth_id server;
    struct kit *k = away(12, &server);
    (void)state;
    assert_int_equal(answer_seven(k, &server, 1), 0);
    lab_run(k->lab, 5 * SECOND - 1000);
    assert_int_equal(kit_discarded(k, ASKER, MOTH_EUNREACHABLE), 0);
    lab_run(k->lab, 2000);
    assert_int_equal(kit_discarded(k, ASKER, MOTH_EUNREACHABLE), 1);
    kit_start(k, SERVER, NULL);
    kit_link(k, SERVER, RELAY);
    lab_run(k->lab, 3 * SECOND);
    assert_int_equal(replies(k, SERVER), 0);
    kit_free(k);
}

static void test_a_bounded_number_of_answers_waits(void **state)
{
    struct moth_id server;
    struct kit *k = away(13, &server);
    (void)state;
    for (int i = 0; i < 256; i++) assert_int_equal(answer_seven(k, &server, 1), 0);
    assert_int_equal(answer_seven(k, &server, 1), MOTH_EUNREACHABLE);
    assert_int_equal(kit_discarded(k, ASKER, MOTH_EUNREACHABLE), 1);
    lab_run(k->lab, 6 * SECOND);
    assert_int_equal(kit_discarded(k, ASKER, MOTH_EUNREACHABLE), 257);
    assert_int_equal(answer_seven(k, &server, 1), 0); /* there is room again, and it ends with the node */
    kit_free(k);
}

static void test_a_bounded_number_of_bytes_waits(void **state)
{
    struct moth_id server;
    struct kit *k = away(14, &server);
    struct moth_payload large = {.type = "ok", .bytes = 600000};
    char *data = calloc(1, large.bytes);
    (void)state;
    large.data = data;
    assert_int_equal(moth_answer(kit_node(k, ASKER), &server, 7, &large), 0);
    assert_int_equal(moth_answer(kit_node(k, ASKER), &server, 7, &large), MOTH_EUNREACHABLE);
    assert_int_equal(answer_seven(k, &server, 1), 0);
    free(data);
    kit_free(k);
}

/*   a new link, and a request over it in the same moment: the map of the one asked follows a turn later */
static void test_who_asks_at_once_is_answered(void **state)
{
    struct kit *k = row(15);
    uint64_t id;
    (void)state;
    lab_cut(k->lab, RELAY, SERVER, true);
    lab_run(k->lab, 30 * SECOND);
    assert_int_equal(ask(k, ASKER, kit_id(k, SERVER), "sum", &id), MOTH_EUNREACHABLE);
    lab_join(k->lab, RELAY, SERVER);
    for (int ms = 0; ms < 60000 && ask(k, ASKER, kit_id(k, SERVER), "sum", &id) < 0; ms++) lab_run(k->lab, 1000);
    lab_run(k->lab, SECOND);
    assert_int_equal(requests(k, SERVER), 1);
    assert_int_equal(replies(k, ASKER), 1);
    kit_free(k);
}

static void test_a_request_to_nobody_known_is_refused(void **state)
{
    struct kit *k = row(8);
    struct moth_id nobody = {{9, 9, 9}};
    uint64_t id;
    (void)state;
    assert_int_equal(ask(k, ASKER, &nobody, "sum", &id), MOTH_EUNKNOWN_PEER);
    kit_free(k);
}

static void test_a_service_needs_a_valid_name(void **state)
{
    struct kit *k = row(9);
    uint64_t id;
    (void)state;
    assert_int_equal(ask(k, ASKER, kit_id(k, SERVER), "two words", &id), MOTH_EARGUMENT);
    assert_int_equal(ask(k, ASKER, kit_id(k, SERVER), "", &id), MOTH_EARGUMENT);
    kit_free(k);
}

static void test_a_request_that_is_too_big_is_refused(void **state)
{
    struct kit *k = row(10);
    uint8_t *data = mem_new(MOTH_DATA_MAX + 1);
    struct moth_payload payload = {.type = "sum", .data = data, .bytes = MOTH_DATA_MAX + 1};
    uint64_t id;
    (void)state;
    assert_int_equal(moth_request(kit_node(k, ASKER), kit_id(k, SERVER), &payload, &id), MOTH_ETOO_BIG);
    free(data);
    kit_free(k);
}

static void test_an_answer_to_no_request_is_refused(void **state)
{
    struct kit *k = row(11);
    struct moth_payload payload = {.type = "ok", .data = "", .bytes = 0};
    (void)state;
    assert_int_equal(moth_answer(kit_node(k, SERVER), kit_id(k, ASKER), 0, &payload), MOTH_EARGUMENT);
    kit_free(k);
}

static void test_a_node_that_leaves_asks_nobody(void **state)
{
    struct kit *k = row(12);
    struct moth_payload payload = {.type = "sum", .data = "", .bytes = 0};
    uint64_t id;
    (void)state;
    moth_node_leave(kit_node(k, ASKER));
    assert_int_equal(moth_request(kit_node(k, ASKER), kit_id(k, SERVER), &payload, &id), MOTH_ESHUTDOWN);
    kit_free(k);
}

static void test_a_blocked_peer_is_neither_asked_nor_heard(void **state)
{
    struct kit *k = row(13);
    uint64_t id;
    (void)state;
    assert_int_equal(moth_block(kit_node(k, SERVER), kit_id(k, ASKER), true), 0);
    assert_int_equal(ask(k, ASKER, kit_id(k, SERVER), "sum", &id), 0);
    lab_run(k->lab, SECOND);
    assert_int_equal(requests(k, SERVER), 0);
    assert_int_equal(kit_discarded(k, SERVER, MOTH_EUNWANTED), 1);
    assert_int_equal(ask(k, SERVER, kit_id(k, ASKER), "sum", &id), MOTH_EUNWANTED);
    kit_free(k);
}

/* --- what others may try --- */

/* Sends RELAY a request or reply of ASKER with the given head and body. */
static size_t craft(struct kit *k, enum envelope_kind kind, uint8_t flags, uint64_t re, uint8_t *out)
{
    struct moth_node *n = kit_node(k, ASKER);
    const struct peer *p = peers_find(&n->peers, kit_id(k, RELAY));
    struct envelope head = {.hop_limit = 5, .kind = (uint8_t)kind, .flags = flags, .ttl_s = 60, .id = 1000,
                            .src = n->identity.id, .dst = p->id};
    struct envelope_body body = {.type = slice_text("sum"), .re = re, .data = slice_text("crafted")};
    uint8_t plain[256];
    struct aead *key;
    assert_int_equal(keys_to(&n->keys, &p->id, p->facts->x25519_key, head.epk, &key), 0);
    size_t bytes = envelope_body_encode(flags, &body, plain);
    return envelope_seal(&head, slice_of(plain, bytes), key, out);
}

static void push(struct kit *k, enum frame_kind kind, const uint8_t *frame, size_t bytes)
{
    link_send(kit_session(k, ASKER, RELAY)->link, kind, slice_of(frame, bytes), slice_of(NULL, 0));
    lab_turn(k->lab, ASKER);
    lab_run(k->lab, SECOND / 10);
}

static void test_a_replayed_request_is_told_once(void **state)
{
    struct kit *k = row(14);
    uint8_t frame[512];
    size_t bytes = craft(k, ENVELOPE_REQUEST, 0, 0, frame);
    uint8_t again[512];
    (void)state;
    memcpy(again, frame, bytes);
    push(k, FRAME_MESSAGE, frame, bytes);
    uint64_t before = kit_discarded(k, RELAY, MOTH_EDUPLICATE);
    push(k, FRAME_MESSAGE, again, bytes);
    assert_int_equal(requests(k, RELAY), 1);
    assert_int_equal(replies(k, ASKER), 1);
    assert_int_equal(kit_discarded(k, RELAY, MOTH_EDUPLICATE), before + 1);
    kit_free(k);
}

static void test_a_replayed_reply_is_told_once(void **state)
{
    struct kit *k = row(15);
    uint8_t frame[512];
    size_t bytes = craft(k, ENVELOPE_REPLY, ENVELOPE_HAS_RE, 77, frame);
    (void)state;
    push(k, FRAME_MESSAGE, frame, bytes);
    push(k, FRAME_MESSAGE, frame, bytes);
    assert_int_equal(replies(k, RELAY), 1);
    assert_int_equal(heard.last[RELAY].re, 77);
    kit_free(k);
}

static void assert_reply_is_malformed(struct kit *k, uint8_t flags)
{
    uint8_t frame[512];
    size_t bytes = craft(k, ENVELOPE_REPLY, flags, 0, frame);
    push(k, FRAME_MESSAGE, frame, bytes);
    assert_int_equal(replies(k, RELAY), 0);
    assert_int_equal(kit_discarded(k, RELAY, MOTH_EMALFORMED), 1);
    assert_true(kit_linked(k, ASKER, RELAY)); /* who relays it cannot see that */
    kit_free(k);
}

static void test_a_reply_to_nothing_is_malformed(void **state)
{
    (void)state;
    assert_reply_is_malformed(row(16), 0);
}

static void test_a_reply_to_message_zero_is_malformed(void **state)
{
    (void)state;
    assert_reply_is_malformed(row(17), ENVELOPE_HAS_RE);
}

static void assert_broadcast_ends_the_link(struct kit *k, enum envelope_kind kind)
{
    uint8_t frame[512];
    size_t bytes = craft(k, kind, ENVELOPE_HAS_RE, 5, frame);
    memset(frame + 28, 0, MOTH_ID_BYTES); /* to everyone */
    push(k, FRAME_BROADCAST, frame, bytes + CRYPTO_SIGNATURE_BYTES);
    assert_int_equal(requests(k, RELAY) + replies(k, RELAY), 0);
    assert_int_equal(k->last_reason[RELAY][MOTH_EVENT_LINK_DOWN], MOTH_EMALFORMED);
    kit_free(k);
}

static void test_a_request_to_everyone_is_malformed(void **state)
{
    (void)state;
    assert_broadcast_ends_the_link(row(18), ENVELOPE_REQUEST);
}

static void test_a_reply_to_everyone_is_malformed(void **state)
{
    (void)state;
    assert_broadcast_ends_the_link(row(19), ENVELOPE_REPLY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_over_a_relay_is_answered),
        cmocka_unit_test(test_requests_and_replies_are_no_messages_and_not_durable),
        cmocka_unit_test(test_a_reply_says_that_a_program_wrote_it),
        cmocka_unit_test(test_a_request_to_oneself_is_told_in_the_turn_and_answered),
        cmocka_unit_test(test_a_request_is_not_repeated_when_its_answer_is_lost),
        cmocka_unit_test(test_a_request_is_gone_with_the_process_that_asked),
        cmocka_unit_test(test_a_request_to_somebody_without_a_route_is_unreachable_at_once),
        cmocka_unit_test(test_an_answer_waits_for_a_way),
        cmocka_unit_test(test_an_answer_waits_for_five_seconds),
        cmocka_unit_test(test_a_bounded_number_of_answers_waits),
        cmocka_unit_test(test_a_bounded_number_of_bytes_waits),
        cmocka_unit_test(test_who_asks_at_once_is_answered),
        cmocka_unit_test(test_a_request_to_nobody_known_is_refused),
        cmocka_unit_test(test_a_service_needs_a_valid_name),
        cmocka_unit_test(test_a_request_that_is_too_big_is_refused),
        cmocka_unit_test(test_an_answer_to_no_request_is_refused),
        cmocka_unit_test(test_a_node_that_leaves_asks_nobody),
        cmocka_unit_test(test_a_blocked_peer_is_neither_asked_nor_heard),
        cmocka_unit_test(test_a_replayed_request_is_told_once),
        cmocka_unit_test(test_a_replayed_reply_is_told_once),
        cmocka_unit_test(test_a_reply_to_nothing_is_malformed),
        cmocka_unit_test(test_a_reply_to_message_zero_is_malformed),
        cmocka_unit_test(test_a_request_to_everyone_is_malformed),
        cmocka_unit_test(test_a_reply_to_everyone_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
