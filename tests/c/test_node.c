/* test_node.c -- what a node promises its neighbours and its owner, on an imaginary wire. */
#include "kit.h"

static struct kit *ring(uint64_t seed, unsigned count)
{
    struct kit *k = kit_row(seed, count);
    kit_link(k, 0, count - 1);
    kit_settle(k, count, 10 * SECOND);
    return k;
}

/* --- the way --- */

/* ana --- bob --- eva */
static void test_the_middle_one_relays(void **state)
{
    struct kit *k = kit_row(1, 3);
    (void)state;
    assert_int_equal(kit_send(k, 0, kit_id(k, 2), "hello", NULL), 0);
    lab_run(k->lab, SECOND / 10);
    assert_int_equal(k->messages[2], 1);
    assert_string_equal(k->texts[0], "hello");
    assert_string_equal(k->last_name, "n0");
    assert_int_equal(k->last_hops, 2);
    assert_int_equal(kit_status(k, 1).messages_relayed, 2); /* the message and its receipt */
    assert_int_equal(k->states[MOTH_DELIVERED], 1);
    assert_null(kit_session(k, 0, 2));
    kit_free(k);
}

/*   0 - 1 - 2          cut 0 - 1: 1 is reached the long way */
/*    \- 4 - 3 -/                                            */
static void test_the_next_message_takes_the_long_way_within_a_second(void **state)
{
    struct kit *k = ring(2, 5);
    (void)state;
    assert_true(kit_wait_hops(k, 0, 1, 1, SECOND));
    lab_cut(k->lab, 0, 1, false);
    lab_run(k->lab, 2000); /* the close travels */
    assert_int_equal(kit_send(k, 0, kit_id(k, 1), "long", NULL), 0);
    assert_true(kit_wait_messages(k, 1, 1, SECOND));
    assert_int_equal(k->last_hops, 4);
    kit_free(k);
}

static void test_mail_in_flight_follows_when_the_way_dies(void **state)
{
    struct kit *k = ring(3, 5);
    (void)state;
    lab_cut(k->lab, 0, 1, true); /* nobody is told */
    assert_int_equal(kit_send(k, 0, kit_id(k, 1), "late", NULL), 0);
    assert_true(kit_wait_messages(k, 1, 1, 4 * SECOND)); /* once silence has been noticed */
    assert_int_equal(k->messages[1], 1);
    lab_join(k->lab, 0, 1);
    lab_run(k->lab, 20 * SECOND);
    assert_int_equal(k->messages[1], 1);
    kit_free(k);
}

static void test_a_killed_middle_leaves_the_routes_within_a_second(void **state)
{
    struct kit *k = kit_row(4, 3);
    struct moth_id bob = *kit_id(k, 1);
    struct moth_peer known;
    (void)state;
    lab_kill(k->lab, 1);
    lab_run(k->lab, SECOND);
    assert_int_equal(router_hops(kit_node(k, 0)->router, &bob), ROUTER_UNREACHABLE);
    assert_int_equal(router_hops(kit_node(k, 0)->router, kit_id(k, 2)), ROUTER_UNREACHABLE);
    assert_int_equal(moth_peer_get(kit_node(k, 0), &bob, &known), 0);
    assert_string_equal(known.name, "n1");
    assert_false(known.reachable);
    kit_free(k);
}

static void test_a_frozen_middle_leaves_the_routes_within_three_seconds(void **state)
{
    struct kit *k = kit_row(5, 3);
    (void)state;
    lab_run(k->lab, 3 * SECOND);
    lab_freeze(k->lab, 1, true);
    assert_true(kit_wait_hops(k, 0, 1, ROUTER_UNREACHABLE, 3 * SECOND));
    lab_run(k->lab, 20 * SECOND);
    lab_freeze(k->lab, 1, false);
    assert_true(kit_wait_hops(k, 0, 2, 2, 60 * SECOND)); /* redialled, and back */
    kit_free(k);
}

static void test_a_node_that_was_stopped_itself_reads_before_it_judges(void **state)
{
    struct kit *k = kit_row(6, 2);
    (void)state;
    lab_run(k->lab, 3 * SECOND);
    unsigned downs = k->events[0][MOTH_EVENT_LINK_DOWN];
    lab_freeze(k->lab, 0, true);
    lab_run(k->lab, 2 * SECOND); /* less than the other end's patience */
    lab_freeze(k->lab, 0, false);
    lab_run(k->lab, 3 * SECOND);
    assert_int_equal(k->events[0][MOTH_EVENT_LINK_DOWN], downs);
    kit_free(k);
}

static void test_a_route_longer_than_ten_hops_works(void **state)
{
    struct kit *k = kit_row(7, 16);
    (void)state;
    assert_int_equal(kit_send(k, 0, kit_id(k, 15), "far", NULL), 0);
    assert_true(kit_wait_messages(k, 15, 1, SECOND));
    assert_int_equal(k->last_hops, 15);
    kit_free(k);
}

/* ana and eva know each other only through bob; when he is gone the learned address is dialled. */
static void test_no_route_but_a_known_address_means_dial_it(void **state)
{
    struct kit *k = kit_row(8, 3);
    (void)state;
    lab_kill(k->lab, 1);
    lab_run(k->lab, SECOND);
    assert_null(kit_session(k, 0, 2));
    assert_int_equal(kit_send(k, 0, kit_id(k, 2), "direct", NULL), 0);
    assert_true(kit_wait_messages(k, 2, 1, SECOND));
    assert_int_equal(k->last_hops, 1);
    kit_free(k);
}

/* --- links --- */

static void test_connect_redials_until_disconnect(void **state)
{
    struct kit *k = kit_row(9, 2); /* n1 wants n0 */
    (void)state;
    lab_kill(k->lab, 0);
    lab_run(k->lab, 10 * SECOND);
    assert_true(k->events[1][MOTH_EVENT_DIAL] > 0);
    kit_start(k, 0, NULL);
    assert_true(kit_wait_hops(k, 1, 0, 1, 60 * SECOND));
    assert_int_equal(moth_disconnect(kit_node(k, 1), kit_id(k, 0)), 0);
    lab_turn(k->lab, 1);
    lab_run(k->lab, 120 * SECOND);
    assert_null(kit_session(k, 1, 0));
    assert_int_equal(k->last_reason[0][MOTH_EVENT_LINK_DOWN], MOTH_EGOODBYE);
    assert_int_equal(moth_disconnect(kit_node(k, 1), kit_id(k, 0)), MOTH_ENOT_LINKED);
    kit_free(k);
}

static void test_neither_end_redials_after_goodbye_until_connect(void **state)
{
    struct kit *k = kit_row(10, 2);
    (void)state;
    assert_int_equal(moth_disconnect(kit_node(k, 0), kit_id(k, 1)), 0); /* the end that did not dial */
    lab_turn(k->lab, 0);
    lab_run(k->lab, 60 * SECOND);
    assert_null(kit_session(k, 1, 0));
    assert_int_equal(kit_send(k, 1, kit_id(k, 0), "mail does not dial either", NULL), 0);
    lab_run(k->lab, 60 * SECOND);
    assert_null(kit_session(k, 1, 0));
    kit_link(k, 1, 0);
    assert_true(kit_wait_messages(k, 0, 1, SECOND));
    kit_free(k);
}

static size_t open_links(const struct moth_node *n)
{
    struct moth_status status;
    moth_status(n, &status);
    return status.links;
}

static void test_one_link_stays_however_both_dial(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct kit *k = kit_new(seed, 2);
        kit_start(k, 0, NULL);
        kit_start(k, 1, NULL);
        lab_latency(k->lab, 0, 1, 1000, 5000);
        lab_connect(k->lab, 0, 1);
        lab_run(k->lab, seed * 400);
        lab_connect(k->lab, 1, 0);
        lab_run(k->lab, 10 * SECOND);
        assert_int_equal(open_links(kit_node(k, 0)), 1);
        assert_int_equal(open_links(kit_node(k, 1)), 1);
        assert_true(kit_linked(k, 0, 1));
        assert_int_equal(k->events[0][MOTH_EVENT_LINK_UP], 1);
        assert_int_equal(k->events[0][MOTH_EVENT_LINK_DOWN], 0);
        kit_free(k);
    }
}

static void test_a_restarted_peer_takes_over_from_its_dead_link(void **state)
{
    struct kit *k = kit_row(11, 2);
    (void)state;
    lab_cut(k->lab, 0, 1, true); /* node 0 never hears of the death */
    lab_kill(k->lab, 1);
    lab_join(k->lab, 0, 1);
    kit_start(k, 1, NULL);
    kit_link(k, 1, 0);
    lab_run(k->lab, 5 * SECOND);
    assert_true(kit_linked(k, 0, 1));
    assert_int_equal(open_links(kit_node(k, 0)), 1);
    kit_free(k);
}

static void test_connecting_to_oneself_is_refused(void **state)
{
    struct kit *k = kit_new(12, 1);
    (void)state;
    kit_start(k, 0, NULL);
    lab_connect(k->lab, 0, 0);
    lab_run(k->lab, 2 * SECOND);
    assert_int_equal(k->events[0][MOTH_EVENT_DIAL], 1);
    assert_int_equal(k->last_reason[0][MOTH_EVENT_DIAL], MOTH_ESELF);
    assert_int_equal(moth_wanted(kit_node(k, 0), NULL, 0), 0); /* and not tried again */
    kit_free(k);
}

static void test_another_network_key_is_refused_and_other_links_stay(void **state)
{
    struct kit *k = kit_row(13, 2);
    struct moth_config other = {.has_network_key = true, .network_key = {1, 2, 3}};
    (void)state;
    assert_int_equal(lab_start(k->lab, 2, "stranger", &other), 0);
    lab_connect(k->lab, 2, 0);
    lab_run(k->lab, 2 * SECOND);
    assert_int_equal(k->last_reason[2][MOTH_EVENT_DIAL], MOTH_EHUNG_UP);
    assert_true(kit_discarded(k, 0, MOTH_EWRONG_NETWORK) > 0);
    assert_true(kit_linked(k, 0, 1));
    kit_free(k);
}

static void test_an_address_that_answers_with_another_key_is_refused(void **state)
{
    struct kit *k = kit_row(14, 2); /* n1 wants n0 */
    (void)state;
    lab_kill(k->lab, 0);
    lab_copy_files(k->lab, 2, 0); /* empty files: a new key */
    kit_start(k, 0, "other");
    lab_run(k->lab, 60 * SECOND);
    assert_int_equal(k->last_reason[1][MOTH_EVENT_DIAL], MOTH_EWRONG_IDENTITY);
    assert_null(kit_session(k, 1, 0));
    kit_link(k, 1, 0); /* asked for anew */
    kit_free(k);
}

static void test_the_links_limit_refuses_the_next_one(void **state)
{
    struct kit *k = kit_new(15, 5);
    struct moth_config small = {.open = true, .limits = {[MOTH_LIMIT_LINKS] = 2}};
    (void)state;
    assert_int_equal(lab_start(k->lab, 0, "hub", &small), 0);
    for (unsigned i = 1; i < 4; i++) kit_start(k, i, NULL);
    for (unsigned i = 1; i < 4; i++) {
        lab_connect(k->lab, i, 0);
        lab_run(k->lab, SECOND);
    }
    assert_int_equal(open_links(kit_node(k, 0)), 2);
    assert_true(kit_discarded(k, 0, MOTH_EFULL) > 0);
    kit_free(k);
}

static void test_a_stalled_handshake_ends_after_five_seconds(void **state)
{
    struct kit *k = kit_new(16, 2);
    (void)state;
    kit_start(k, 0, NULL);
    kit_start(k, 1, NULL);
    lab_connect(k->lab, 1, 0);
    lab_run(k->lab, 2500); /* connected, first message under way */
    lab_cut(k->lab, 0, 1, true);
    lab_run(k->lab, 4 * SECOND);
    assert_int_equal(kit_status(k, 0).handshaking, 1);
    lab_run(k->lab, 2 * SECOND);
    assert_int_equal(kit_status(k, 0).handshaking, 0);
    assert_int_equal(kit_discarded(k, 0, MOTH_ESTALLED), 1);
    kit_free(k);
}

static void test_an_address_learned_is_dialled_once_a_minute(void **state)
{
    struct kit *k = kit_row(69, 3); /* 0 knows 2's address only by hearsay */
    struct moth_id far = *kit_id(k, 2);
    (void)state;
    lab_kill(k->lab, 2);
    lab_kill(k->lab, 1);
    lab_run(k->lab, 10 * SECOND);
    uint64_t before = kit_status(k, 0).dials;
    assert_int_equal(kit_send(k, 0, &far, "x", NULL), 0);
    lab_run(k->lab, 50 * SECOND);
    assert_int_equal(kit_status(k, 0).dials, before + 1);
    lab_run(k->lab, 20 * SECOND);
    assert_int_equal(kit_status(k, 0).dials, before + 2);
    kit_free(k);
}

static void test_who_is_leaving_takes_no_new_links(void **state)
{
    struct kit *k = kit_row(110, 2);
    (void)state;
    kit_start(k, 2, NULL);
    moth_node_leave(kit_node(k, 0));
    lab_connect(k->lab, 2, 0);
    lab_run(k->lab, 5 * SECOND);
    assert_null(kit_session(k, 2, 0));
    assert_true(kit_discarded(k, 0, MOTH_ESHUTDOWN) > 0);
    kit_free(k);
}

static void test_who_has_no_room_for_a_link_says_so(void **state)
{
    struct kit *k = kit_new(111, 3);
    struct moth_config small = {.open = true, .limits = {[MOTH_LIMIT_LINKS] = 1}};
    (void)state;
    assert_int_equal(lab_start(k->lab, 0, "hub", &small), 0);
    kit_start(k, 1, NULL);
    kit_start(k, 2, NULL);
    kit_link(k, 1, 0);
    lab_connect(k->lab, 2, 0);
    lab_run(k->lab, SECOND / 4); /* before it tries again */
    assert_int_equal(k->events[2][MOTH_EVENT_DIAL], 1);
    assert_int_equal(k->last_reason[2][MOTH_EVENT_DIAL], MOTH_EPEER_FULL);
    assert_int_equal(kit_discarded(k, 0, MOTH_EFULL), 1);
    kit_free(k);
}

static void test_a_link_is_ended_by_the_address_that_shows(void **state)
{
    struct kit *k = kit_row(112, 2); /* n1 dialled: n0 shows where it listens */
    struct moth_peer shown;
    (void)state;
    assert_int_equal(moth_peer_get(kit_node(k, 0), kit_id(k, 1), &shown), 0);
    assert_string_equal(shown.address, "10.0.0.2:6684");
    assert_int_equal(moth_disconnect_address(kit_node(k, 0), "10.0.0.9:1"), MOTH_ENOT_FOUND);
    assert_int_equal(moth_disconnect_address(kit_node(k, 0), shown.address), 0);
    lab_turn(k->lab, 0);
    lab_run(k->lab, SECOND);
    assert_false(kit_linked(k, 0, 1));
    kit_free(k);
}

/* --- names and clocks --- */

static void test_the_first_id_seen_with_a_name_keeps_it(void **state)
{
    struct kit *k = kit_new(17, 3);
    struct moth_id first, found;
    struct moth_peer second;
    (void)state;
    kit_start(k, 0, "ana");
    kit_start(k, 1, "bob");
    kit_start(k, 2, "bob");
    kit_link(k, 1, 0);
    first = *kit_id(k, 1);
    kit_link(k, 2, 0);
    lab_run(k->lab, SECOND);
    assert_non_null(strstr(k->notes, "0: another node calls itself bob too"));
    assert_int_equal(moth_peer_get(kit_node(k, 0), kit_id(k, 2), &second), 0);
    assert_memory_equal(second.name, "bob~", 4);
    assert_int_equal(moth_resolve(kit_node(k, 0), "bob", &found), 0);
    assert_true(id_equal(&found, &first));
    lab_kill(k->lab, 1);
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(moth_resolve(kit_node(k, 0), "bob", &found), 0); /* not inherited */
    assert_true(id_equal(&found, &first));
    assert_int_equal(moth_resolve(kit_node(k, 0), second.name, &found), 0);
    assert_true(id_equal(&found, kit_id(k, 2)));
    kit_free(k);
}

static void test_nobody_takes_our_own_name(void **state)
{
    struct kit *k = kit_new(18, 2);
    struct moth_id found;
    (void)state;
    kit_start(k, 0, "ana");
    kit_start(k, 1, "ana");
    kit_link(k, 1, 0);
    assert_int_equal(moth_resolve(kit_node(k, 0), "ana", &found), 0);
    assert_true(id_equal(&found, kit_id(k, 0)));
    kit_free(k);
}

static void test_a_clock_far_off_is_said_once(void **state)
{
    struct kit *k = kit_new(19, 2);
    (void)state;
    kit_start(k, 0, "ana");
    lab_clock(k->lab, 1, 3 * 3600 * 1000);
    kit_start(k, 1, "bob");
    kit_link(k, 1, 0);
    lab_run(k->lab, 10 * SECOND);
    assert_non_null(strstr(k->notes, "0: the clock of bob is 3 h 0 min ahead of ours"));
    assert_non_null(strstr(k->notes, "1: the clock of ana is 3 h 0 min behind ours"));
    assert_int_equal(k->events[0][MOTH_EVENT_NOTE], 1);
    kit_free(k);
}

static void test_two_nodes_with_one_key_that_meet_are_told(void **state)
{
    struct kit *k = kit_new(20, 2);
    (void)state;
    kit_start(k, 0, "ana");
    lab_copy_files(k->lab, 0, 1);
    kit_start(k, 1, "ana");
    lab_connect(k->lab, 1, 0);
    lab_run(k->lab, 2 * SECOND);
    assert_int_equal(k->last_reason[1][MOTH_EVENT_DIAL], MOTH_ECLONED);
    assert_non_null(strstr(k->notes, "0: another node runs with this node's key"));
    kit_free(k);
}

/* ana and her copy know the same numbers and count in step: only their boots differ.   ana -- bob -- copy */
static void test_two_nodes_with_one_key_behind_a_neighbour_are_told(void **state)
{
    struct kit *k = kit_new(34, 3);
    (void)state;
    kit_start(k, 0, "bob");
    kit_start(k, 1, "ana");
    lab_copy_files(k->lab, 1, 2);
    lab_kill(k->lab, 1);
    kit_start(k, 1, "ana");
    kit_start(k, 2, "ana");
    lab_connect(k->lab, 1, 0);
    lab_run(k->lab, SECOND);
    lab_connect(k->lab, 2, 0);
    lab_run(k->lab, 15 * SECOND);
    assert_non_null(strstr(k->notes, "runs with this node's key"));
    unsigned ups = k->events[1][MOTH_EVENT_LINK_UP];
    lab_run(k->lab, 60 * SECOND);
    assert_true(k->events[1][MOTH_EVENT_LINK_UP] < ups + 6); /* the two do not chase each other for ever */
    kit_free(k);
}

static void test_bad_names_are_refused_at_the_start(void **state)
{
    static const char *const bad[] = {"", "a b", "caf\xc3\xa9", "deadbeef", "0123",
                                      "123456789012345678901234567890123", "a/b", "\x1b[2J"};
    struct kit *k = kit_new(21, 1);
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(lab_start(k->lab, 0, bad[i], NULL), MOTH_EBAD_NAME);
    assert_int_equal(lab_start(k->lab, 0, "abc", NULL), 0); /* three digits are no id */
    kit_free(k);
}

static void test_listening_beyond_loopback_needs_a_key_or_open(void **state)
{
    struct kit *k = kit_new(22, 1);
    struct moth_config config = {.listen = "10.0.0.1:6684"};
    (void)state;
    assert_int_equal(lab_start(k->lab, 0, "ana", &config), MOTH_EBLOCKED);
    config.listen = "0.0.0.0:0";
    assert_int_equal(lab_start(k->lab, 0, "ana", &config), MOTH_EBLOCKED);
    config.has_network_key = true;
    assert_int_equal(lab_start(k->lab, 0, "ana", &config), 0);
    kit_free(k);
}

/* --- mail --- */

static void test_a_thousand_messages_arrive_in_order(void **state)
{
    struct kit *k = kit_row(23, 3);
    (void)state;
    for (int i = 0; i < 1000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        assert_int_equal(kit_send(k, 0, kit_id(k, 2), text, NULL), 0);
    }
    assert_true(kit_wait_messages(k, 2, 1000, 10 * SECOND));
    lab_run(k->lab, SECOND);
    for (int i = 0; i < 1000; i++) assert_int_equal(atoi(k->texts[i]), i);
    assert_int_equal(k->states[MOTH_DELIVERED], 1000);
    assert_int_equal(kit_status(k, 0).mail, 0);
    kit_free(k);
}

static void test_mail_waits_for_who_is_away_and_arrives_once_in_order(void **state)
{
    struct kit *k = kit_row(24, 3);
    struct moth_id eva = *kit_id(k, 2);
    (void)state;
    lab_kill(k->lab, 2);
    lab_run(k->lab, SECOND);
    for (int i = 0; i < 10; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        assert_int_equal(kit_send(k, 0, &eva, text, NULL), 0);
    }
    lab_run(k->lab, 30 * SECOND);
    assert_int_equal(kit_status(k, 0).mail, 10);
    kit_start(k, 2, NULL);
    lab_connect(k->lab, 2, 1);
    assert_true(kit_wait_messages(k, 2, 10, 10 * SECOND));
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(k->messages[2], 10);
    for (int i = 0; i < 10; i++) assert_int_equal(atoi(k->texts[i]), i);
    kit_free(k);
}

static void test_no_more_than_the_window_is_in_flight(void **state)
{
    struct kit *k = kit_row(25, 2);
    (void)state;
    lab_cut(k->lab, 0, 1, true);
    for (int i = 0; i < 600; i++) assert_int_equal(kit_send(k, 0, kit_id(k, 1), "x", NULL), 0);
    lab_run(k->lab, 100000); /* their commits */
    assert_int_equal(k->states[MOTH_SENT], 256);
    lab_join(k->lab, 0, 1);
    assert_true(kit_wait_messages(k, 1, 600, 5 * SECOND));
    kit_free(k);
}

static void test_a_message_expires_when_its_time_is_over(void **state)
{
    struct kit *k = kit_row(26, 2);
    struct moth_id bob = *kit_id(k, 1);
    struct moth_payload payload = {.encoding = MOTH_TEXT, .data = "x", .bytes = 1};
    struct moth_sent sent;
    uint64_t id;
    (void)state;
    lab_kill(k->lab, 1);
    lab_run(k->lab, SECOND);
    assert_int_equal(moth_send(kit_node(k, 0), &bob, &payload, &(struct moth_send_options){.ttl_s = 20}, &id), 0);
    lab_turn(k->lab, 0);
    lab_run(k->lab, 19 * SECOND);
    assert_int_equal(moth_message_get(kit_node(k, 0), id, &sent), 0);
    assert_int_equal(sent.state, MOTH_QUEUED);
    lab_run(k->lab, 2 * SECOND);
    assert_int_equal(moth_message_get(kit_node(k, 0), id, &sent), 0);
    assert_int_equal(sent.state, MOTH_EXPIRED);
    assert_int_equal(sent.reason, MOTH_EEXPIRED);
    assert_string_equal(sent.name, "n1");
    kit_free(k);
}

static void test_spent_retries_end_a_message(void **state)
{
    struct kit *k = kit_row(27, 2);
    struct moth_payload payload = {.encoding = MOTH_TEXT, .data = "x", .bytes = 1};
    struct moth_sent sent;
    uint64_t id;
    (void)state;
    lab_freeze(k->lab, 1, true); /* alive for two and a half seconds still */
    assert_int_equal(moth_send(kit_node(k, 0), kit_id(k, 1), &payload, &(struct moth_send_options){.retries = 1}, &id),
                     0);
    lab_turn(k->lab, 0);
    lab_run(k->lab, 60 * SECOND);
    assert_int_equal(moth_message_get(kit_node(k, 0), id, &sent), 0);
    assert_int_equal(sent.state, MOTH_SENT); /* time without a route is no retry */
    lab_freeze(k->lab, 1, false);
    lab_run(k->lab, 60 * SECOND);
    assert_int_equal(moth_message_get(kit_node(k, 0), id, &sent), 0);
    assert_true(sent.state == MOTH_DELIVERED || (sent.state == MOTH_EXPIRED && sent.reason == MOTH_ERETRIES));
    kit_free(k);
}

static void test_bad_sends_are_refused_and_change_nothing(void **state)
{
    struct kit *k = kit_row(28, 2);
    struct moth_node *n = kit_node(k, 0);
    uint8_t *big = mem_new(MOTH_DATA_MAX + 1);
    struct moth_payload payload = {.data = big, .bytes = MOTH_DATA_MAX + 1};
    struct moth_id nobody = {{1, 2, 3}};
    uint64_t id = 77;
    (void)state;
    assert_int_equal(moth_send(n, kit_id(k, 1), &payload, NULL, &id), MOTH_ETOO_BIG);
    payload.bytes = 1;
    assert_int_equal(moth_send(n, &nobody, &payload, NULL, &id), MOTH_EUNKNOWN_PEER);
    assert_int_equal(moth_emit(n, &nobody, &payload), MOTH_EUNKNOWN_PEER);
    payload.type = "Not A Type";
    assert_int_equal(moth_send(n, kit_id(k, 1), &payload, NULL, &id), MOTH_EARGUMENT);
    payload.type = NULL;
    assert_int_equal(moth_send(n, kit_id(k, 1), &payload, &(struct moth_send_options){.ttl_s = 2592001}, &id),
                     MOTH_EARGUMENT);
    assert_int_equal(moth_connect(n, "nonsense"), MOTH_EBAD_ADDRESS);
    assert_int_equal(moth_connect(n, "10.0.0.1:0"), MOTH_EBAD_ADDRESS);
    assert_int_equal(kit_status(k, 0).mail, 0);
    payload.bytes = MOTH_DATA_MAX;
    assert_int_equal(moth_send(n, kit_id(k, 1), &payload, NULL, &id), 0); /* the largest one goes */
    lab_turn(k->lab, 0);
    assert_true(kit_wait_messages(k, 1, 1, 5 * SECOND));
    free(big);
    kit_free(k);
}

static void test_full_mail_refuses_the_next_send(void **state)
{
    struct kit *k = kit_new(29, 2);
    struct moth_config small = {.open = true, .limits = {[MOTH_LIMIT_MAIL_COUNT] = 3}};
    (void)state;
    assert_int_equal(lab_start(k->lab, 0, "n0", &small), 0);
    kit_start(k, 1, NULL);
    kit_link(k, 0, 1);
    struct moth_id bob = *kit_id(k, 1);
    lab_kill(k->lab, 1);
    for (int i = 0; i < 3; i++) assert_int_equal(kit_send(k, 0, &bob, "x", NULL), 0);
    assert_int_equal(kit_send(k, 0, &bob, "x", NULL), MOTH_EFULL);
    kit_free(k);
}

static void test_a_message_to_oneself_arrives_and_is_delivered(void **state)
{
    struct kit *k = kit_new(30, 1);
    (void)state;
    kit_start(k, 0, "ana");
    assert_int_equal(kit_send(k, 0, kit_id(k, 0), "me", NULL), 0);
    assert_int_equal(kit_emit(k, 0, kit_id(k, 0), "light"), 0);
    lab_run(k->lab, SECOND);
    assert_int_equal(k->messages[0], 2);
    assert_string_equal(k->last_name, "ana");
    assert_int_equal(k->states[MOTH_DELIVERED], 1);
    assert_int_equal(kit_status(k, 0).mail, 0);
    kit_free(k);
}

static void test_emit_says_at_once_when_there_is_no_way(void **state)
{
    struct kit *k = kit_row(31, 2);
    struct moth_id bob = *kit_id(k, 1);
    (void)state;
    assert_int_equal(kit_emit(k, 0, &bob, "light"), 0);
    assert_true(kit_wait_messages(k, 1, 1, SECOND));
    lab_kill(k->lab, 1);
    lab_run(k->lab, SECOND);
    uint64_t before = kit_discarded(k, 0, MOTH_EUNREACHABLE);
    assert_int_equal(kit_emit(k, 0, &bob, "light"), MOTH_EUNREACHABLE);
    assert_int_equal(kit_discarded(k, 0, MOTH_EUNREACHABLE), before + 1);
    kit_free(k);
}

/* A ring, so that copies come from both sides. */
static void test_a_broadcast_reaches_everyone_once(void **state)
{
    struct kit *k = ring(32, 6);
    (void)state;
    assert_int_equal(kit_emit(k, 0, NULL, "all"), 0);
    lab_run(k->lab, SECOND);
    assert_int_equal(k->messages[0], 0);
    for (unsigned i = 1; i < 6; i++) assert_int_equal(k->messages[i], 1);
    kit_free(k);
}

static void test_broadcasts_above_the_rate_are_refused(void **state)
{
    struct kit *k = kit_row(33, 2);
    (void)state;
    for (int i = 0; i < 5; i++) assert_int_equal(kit_emit(k, 0, NULL, "x"), 0);
    assert_int_equal(kit_emit(k, 0, NULL, "x"), MOTH_ERATE);
    lab_run(k->lab, SECOND);
    assert_int_equal(k->messages[1], 5);
    assert_int_equal(kit_emit(k, 0, NULL, "x"), 0);
    kit_free(k);
}

/* --- slow links --- */

/* 0 floods 2 through 1; 2 does not read. */
static void test_a_slow_link_sheds_within_its_limits_and_recovers(void **state)
{
    enum { size = 60000 };
    struct kit *k = kit_row(61, 3);
    uint8_t *data = mem_new(size);
    struct moth_payload payload = {.data = data, .bytes = size};
    unsigned refused = 0;
    (void)state;
    lab_freeze(k->lab, 2, true);
    for (int i = 0; i < 2000; i++) {
        refused += moth_emit(kit_node(k, 0), kit_id(k, 2), &payload) == MOTH_ESLOW;
        lab_turn(k->lab, 0);
        lab_run(k->lab, 1000);
    }
    struct moth_status relay = kit_status(k, 1);
    assert_true(relay.queued_bytes_most <= relay.limits[MOTH_LIMIT_LINK_QUEUE_BYTES]);
    assert_true(relay.discarded[-MOTH_ESLOW] > 0 || refused > 0);
    assert_true(kit_linked(k, 0, 1)); /* the feeding link was paused, not lost */
    lab_freeze(k->lab, 2, false);
    lab_run(k->lab, 40 * SECOND);
    unsigned before = k->messages[2];
    assert_int_equal(kit_send(k, 0, kit_id(k, 2), "after", NULL), 0);
    assert_true(kit_wait_messages(k, 2, before + 1, 5 * SECOND));
    free(data);
    kit_free(k);
}

/* --- handlers that act --- */

static void disconnect_at_once(struct kit *k, unsigned machine, const struct moth_event *e)
{
    if (e->kind == MOTH_EVENT_MESSAGE) moth_disconnect(kit_node(k, machine), &e->peer);
}

static void test_a_handler_may_disconnect_the_sender(void **state)
{
    struct kit *k = kit_row(62, 3);
    (void)state;
    k->also = disconnect_at_once;
    for (int i = 0; i < 20; i++) kit_send(k, 0, kit_id(k, 1), "x", NULL);
    lab_run(k->lab, 5 * SECOND);
    assert_null(kit_session(k, 1, 0));
    assert_true(kit_linked(k, 1, 2));
    kit_free(k);
}

static void answer_everything(struct kit *k, unsigned machine, const struct moth_event *e)
{
    struct moth_payload payload = {.encoding = MOTH_TEXT, .data = "again", .bytes = 5};
    uint64_t id;
    if (e->kind == MOTH_EVENT_MESSAGE && k->text_count < 200)
        moth_send(kit_node(k, machine), &e->peer, &payload, NULL, &id);
    if (e->kind == MOTH_EVENT_LINK_DOWN) moth_connect(kit_node(k, machine), e->address);
}

static void test_handlers_may_send_and_connect(void **state)
{
    struct kit *k = kit_row(63, 3);
    (void)state;
    k->also = answer_everything;
    kit_send(k, 0, kit_id(k, 2), "start", NULL);
    kit_send(k, 1, kit_id(k, 1), "self", NULL);
    lab_run(k->lab, 5 * SECOND);
    assert_true(k->text_count >= 200);
    lab_kill(k->lab, 1);
    lab_run(k->lab, 5 * SECOND);
    kit_free(k);
}

static void dial_on_loss(struct kit *k, unsigned machine, const struct moth_event *e)
{
    struct moth_payload payload = {.encoding = MOTH_TEXT, .data = "lost", .bytes = 4};
    uint64_t id;
    if (e->kind == MOTH_EVENT_LINK_DOWN && machine == 0) moth_send(kit_node(k, 0), &e->peer, &payload, NULL, &id);
}

/* The link's end is told before the routes follow: a send from that very handler must still lead to a dial. */
static void test_a_send_while_a_link_goes_down_is_dialled(void **state)
{
    struct kit *k = kit_row(67, 2); /* n1 dialled; n0 knows its address */
    (void)state;
    moth_disconnect_address(kit_node(k, 1), "10.0.0.1:6684");
    lab_turn(k->lab, 1);
    lab_run(k->lab, 5 * SECOND);
    kit_link(k, 1, 0);
    lab_run(k->lab, SECOND);
    k->also = dial_on_loss;
    lab_kill(k->lab, 1);
    lab_run(k->lab, 3 * SECOND);
    kit_start(k, 1, NULL);
    assert_true(kit_wait_messages(k, 1, 1, 120 * SECOND));
    kit_free(k);
}

static void test_disconnect_ends_a_dial_under_way(void **state)
{
    struct kit *k = kit_row(68, 2);
    struct moth_id zero = *kit_id(k, 0);
    (void)state;
    lab_kill(k->lab, 0);
    lab_cut(k->lab, 0, 1, true); /* dials hang */
    lab_run(k->lab, 5 * SECOND);
    kit_start(k, 0, NULL);
    lab_run_until(k->lab, kit_ask_linked, &(struct kit_question){.kit = k, .a = 0, .b = 1}, SECOND);
    lab_join(k->lab, 0, 1);
    assert_int_equal(moth_disconnect(kit_node(k, 1), &zero), 0);
    lab_turn(k->lab, 1);
    lab_run(k->lab, 60 * SECOND);
    assert_false(kit_linked(k, 0, 1));
    kit_free(k);
}

/* Two names of one address, dialled at once: the ends may see the two links in different orders. */
static void test_two_links_by_one_dialler_leave_one(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct kit *k = kit_new(seed, 2);
        kit_start(k, 0, NULL);
        kit_start(k, 1, NULL);
        lab_latency(k->lab, 0, 1, 1000, 30000);
        assert_int_equal(moth_connect(kit_node(k, 0), "10.0.0.2:6684"), 0);
        assert_int_equal(moth_connect(kit_node(k, 0), "10.0.0.2:06684"), 0);
        lab_turn(k->lab, 0);
        lab_run(k->lab, 10 * SECOND);
        assert_true(kit_linked(k, 0, 1));
        assert_int_equal(open_links(kit_node(k, 0)), 1);
        assert_int_equal(k->events[0][MOTH_EVENT_LINK_DOWN], 0);
        assert_int_equal(k->events[1][MOTH_EVENT_LINK_DOWN], 0);
        kit_free(k);
    }
}

/* --- the disk --- */

static void test_a_failing_disk_stops_new_ids_only_when_the_reserve_is_used_up(void **state)
{
    struct kit *k = kit_row(64, 2);
    (void)state;
    lab_fail_writes(k->lab, 0, true);
    for (int i = 0; i < 120; i++) {
        assert_int_equal(kit_send(k, 0, kit_id(k, 1), "x", NULL), 0); /* ids go on below the ceiling */
        lab_run(k->lab, SECOND);
    }
    assert_true(kit_node(k, 0)->reserve.failing);
    lab_fail_writes(k->lab, 0, false);
    lab_run(k->lab, 10 * SECOND);
    kit_send(k, 0, kit_id(k, 1), "x", NULL);
    lab_run(k->lab, 10 * SECOND);
    assert_false(kit_node(k, 0)->reserve.failing);
    assert_int_equal(k->messages[1], 121);
    kit_free(k);
}

static void test_a_home_that_cannot_be_written_is_refused(void **state)
{
    struct kit *k = kit_new(65, 1);
    (void)state;
    lab_fail_writes(k->lab, 0, true);
    assert_int_equal(lab_start(k->lab, 0, "ana", NULL), MOTH_EIO);
    kit_free(k);
}

static void test_leaving_says_goodbye_and_waits_for_what_is_written(void **state)
{
    struct kit *k = kit_row(66, 2);
    (void)state;
    kit_send(k, 0, kit_id(k, 1), "last", NULL);
    moth_node_leave(kit_node(k, 0));
    assert_false(moth_node_is_quiet(kit_node(k, 0)));
    struct moth_payload payload = {.data = "x", .bytes = 1};
    uint64_t id;
    assert_int_equal(moth_send(kit_node(k, 0), kit_id(k, 1), &payload, NULL, &id), MOTH_ESHUTDOWN);
    lab_run(k->lab, SECOND);
    assert_true(moth_node_is_quiet(kit_node(k, 0)));
    assert_int_equal(k->messages[1], 1);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_middle_one_relays),
        cmocka_unit_test(test_the_next_message_takes_the_long_way_within_a_second),
        cmocka_unit_test(test_mail_in_flight_follows_when_the_way_dies),
        cmocka_unit_test(test_a_killed_middle_leaves_the_routes_within_a_second),
        cmocka_unit_test(test_a_frozen_middle_leaves_the_routes_within_three_seconds),
        cmocka_unit_test(test_a_node_that_was_stopped_itself_reads_before_it_judges),
        cmocka_unit_test(test_a_route_longer_than_ten_hops_works),
        cmocka_unit_test(test_no_route_but_a_known_address_means_dial_it),
        cmocka_unit_test(test_connect_redials_until_disconnect),
        cmocka_unit_test(test_neither_end_redials_after_goodbye_until_connect),
        cmocka_unit_test(test_one_link_stays_however_both_dial),
        cmocka_unit_test(test_a_restarted_peer_takes_over_from_its_dead_link),
        cmocka_unit_test(test_connecting_to_oneself_is_refused),
        cmocka_unit_test(test_another_network_key_is_refused_and_other_links_stay),
        cmocka_unit_test(test_an_address_that_answers_with_another_key_is_refused),
        cmocka_unit_test(test_the_links_limit_refuses_the_next_one),
        cmocka_unit_test(test_a_stalled_handshake_ends_after_five_seconds),
        cmocka_unit_test(test_an_address_learned_is_dialled_once_a_minute),
        cmocka_unit_test(test_who_is_leaving_takes_no_new_links),
        cmocka_unit_test(test_who_has_no_room_for_a_link_says_so),
        cmocka_unit_test(test_a_link_is_ended_by_the_address_that_shows),
        cmocka_unit_test(test_the_first_id_seen_with_a_name_keeps_it),
        cmocka_unit_test(test_nobody_takes_our_own_name),
        cmocka_unit_test(test_a_clock_far_off_is_said_once),
        cmocka_unit_test(test_two_nodes_with_one_key_that_meet_are_told),
        cmocka_unit_test(test_two_nodes_with_one_key_behind_a_neighbour_are_told),
        cmocka_unit_test(test_bad_names_are_refused_at_the_start),
        cmocka_unit_test(test_listening_beyond_loopback_needs_a_key_or_open),
        cmocka_unit_test(test_a_thousand_messages_arrive_in_order),
        cmocka_unit_test(test_mail_waits_for_who_is_away_and_arrives_once_in_order),
        cmocka_unit_test(test_no_more_than_the_window_is_in_flight),
        cmocka_unit_test(test_a_message_expires_when_its_time_is_over),
        cmocka_unit_test(test_spent_retries_end_a_message),
        cmocka_unit_test(test_bad_sends_are_refused_and_change_nothing),
        cmocka_unit_test(test_full_mail_refuses_the_next_send),
        cmocka_unit_test(test_a_message_to_oneself_arrives_and_is_delivered),
        cmocka_unit_test(test_emit_says_at_once_when_there_is_no_way),
        cmocka_unit_test(test_a_broadcast_reaches_everyone_once),
        cmocka_unit_test(test_broadcasts_above_the_rate_are_refused),
        cmocka_unit_test(test_a_slow_link_sheds_within_its_limits_and_recovers),
        cmocka_unit_test(test_a_handler_may_disconnect_the_sender),
        cmocka_unit_test(test_handlers_may_send_and_connect),
        cmocka_unit_test(test_a_send_while_a_link_goes_down_is_dialled),
        cmocka_unit_test(test_disconnect_ends_a_dial_under_way),
        cmocka_unit_test(test_two_links_by_one_dialler_leave_one),
        cmocka_unit_test(test_a_failing_disk_stops_new_ids_only_when_the_reserve_is_used_up),
        cmocka_unit_test(test_a_home_that_cannot_be_written_is_refused),
        cmocka_unit_test(test_leaving_says_goodbye_and_waits_for_what_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
