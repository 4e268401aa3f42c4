/* test_sim.c -- the imaginary wire: order, time, cuts, frozen machines, back-pressure, and that a run repeats. What the
 * ways can be stands in test_sim_ways.c, how things are given in test_sim_reads.c. */
#include "sim_kit.h"

/* --- connecting --- */

static void test_sim_a_dial_opens_both_ends_and_each_knows_the_other(void **state)
{
    struct address there, here;
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    sim_address(1, PORT, &there);
    sim_address(0, b->conn->remote.port, &here);
    assert_true(address_equal(&a->conn->remote, &there));
    assert_true(address_equal(&b->conn->remote, &here));
    assert_true(!a->conn->inbound && b->conn->inbound);
}

static void test_sim_addresses_are_machines_of_their_own(void **state)
{
    struct address a;
    char text[MOTH_ADDRESS_TEXT_BYTES];
    (void)state;
    sim_address(0, 7, &a);
    address_format(&a, text);
    assert_string_equal(text, "10.0.0.1:7");
    sim_address(256, 7, &a);
    address_format(&a, text);
    assert_string_equal(text, "10.0.1.1:7");
}

static void test_sim_a_dial_takes_a_round_trip(void **state)
{
    (void)state;
    set_latency(0, 1, 30000, 0);
    uint64_t start_us = sim_now_us(sim);
    struct end *a = must_connect(0, 1);
    assert_true(last_end(1)->opened_us - start_us == 30000);
    assert_true(a->opened_us - start_us == 60000);
}

static void test_sim_a_machine_can_dial_itself(void **state)
{
    (void)state;
    struct end *a = dial(0, 0);
    run_us(SECOND_US);
    struct end *b = last_end(0);
    assert_ptr_not_equal(a, b);
    send_text(a, "to myself");
    close_end(a, MOTH_EGOODBYE);
    run_us(SECOND_US);
    assert_received(b, "to myself");
    assert_ended(a, MOTH_EGOODBYE);
    assert_ended(b, MOTH_ECLOSED);
}

static void test_sim_a_dial_is_refused_where_nobody_listens(void **state)
{
    (void)state;
    struct end *a = dial_address(0, "10.0.0.2:9");
    run_us(SECOND_US);
    assert_ended(a, MOTH_EREFUSED);
    assert_int_equal(a->opened, 0);
    assert_int_equal(machines[1].count, 0);
}

static void test_sim_a_dial_to_no_machine_is_unreachable(void **state)
{
    static const char *const nowhere[] = {"10.0.0.4:6684", "10.0.0.0:6684", "11.0.0.2:6684", "[fe80::1]:6684"};
    (void)state;
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++) {
        struct end *a = dial_address(0, nowhere[i]);
        run_us(SECOND_US);
        assert_ended(a, MOTH_EUNREACHABLE);
    }
}

static void test_sim_a_dial_to_no_address_is_refused_as_such(void **state)
{
    (void)state;
    struct end *a = dial_address(0, "bob");
    run_us(SECOND_US);
    assert_ended(a, MOTH_EBAD_ADDRESS);
}

static void test_sim_a_dial_over_an_open_cut_fails_at_once(void **state)
{
    (void)state;
    sim_cut(sim, 0, 1, SIM_CUT_OPEN);
    struct end *a = dial(0, 1);
    run_us(SIM_LATENCY_US);
    assert_ended(a, MOTH_EUNREACHABLE);
}

static void assert_times_out(struct end *a, uint64_t start_us)
{
    run_us(5 * SECOND_US);
    assert_ended(a, MOTH_ETIMEOUT);
    assert_true(a->closed_us - start_us == 3 * SECOND_US);
    assert_int_equal(machines[1].count, 0);
}

static void test_sim_a_dial_over_a_silent_cut_times_out(void **state)
{
    (void)state;
    sim_cut(sim, 1, 0, SIM_CUT_SILENT);
    assert_times_out(dial(0, 1), sim_now_us(sim));
}

static void test_sim_a_dial_times_out_that_is_cut_silently_under_way(void **state)
{
    (void)state;
    uint64_t start_us = sim_now_us(sim);
    struct end *a = dial(0, 1);
    run_us(SIM_LATENCY_US / 2);
    sim_cut(sim, 0, 1, SIM_CUT_SILENT);
    assert_times_out(a, start_us);
}

static void test_sim_a_dial_that_is_closed_first_never_opens(void **state)
{
    (void)state;
    struct end *early = dial(0, 1), *later = dial(0, 2);
    close_end(early, MOTH_ECANCELLED);
    run_us(SIM_LATENCY_US); /* machine 2 has accepted, its answer is under way */
    close_end(later, MOTH_ECANCELLED);
    run_us(SECOND_US);
    assert_ended(early, MOTH_ECANCELLED);
    assert_ended(later, MOTH_ECANCELLED);
    assert_int_equal(early->opened + later->opened, 0);
    assert_int_equal(machines[1].count, 0);
    assert_ended(last_end(2), MOTH_ECLOSED);
}

static void test_sim_listening_refuses_what_is_no_address(void **state)
{
    struct address bound;
    (void)state;
    assert_int_equal(machines[0].transport->ops->listen(machines[0].transport, "6684", &bound), MOTH_EBAD_ADDRESS);
}

static void test_sim_listening_says_where(void **state)
{
    struct address bound, expected;
    (void)state;
    assert_int_equal(machines[1].transport->ops->listen(machines[1].transport, "0.0.0.0:0", &bound), 0);
    sim_address(1, bound.port, &expected);
    assert_true(bound.port > 0 && address_equal(&bound, &expected));
    assert_int_equal(machines[1].transport->ops->listen(machines[1].transport, "0.0.0.0:77", &bound), 0);
    assert_int_equal(bound.port, 77);
    struct end *a = dial_address(0, "10.0.0.2:77");
    run_us(SECOND_US);
    assert_int_equal(a->opened, 1);
}

static void test_sim_an_owner_can_refuse_a_connection(void **state)
{
    (void)state;
    machines[1].open_rc = MOTH_EFULL;
    struct end *a = dial(0, 1);
    run_us(SECOND_US);
    assert_ended(last_end(1), MOTH_EFULL);
    assert_int_equal(a->opened, 1); /* as the kernel's handshake would have it */
    assert_ended(a, MOTH_ECLOSED);
}

/* --- bytes --- */

static void test_sim_bytes_take_the_latency(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    set_latency(1, 0, 12345, 0);
    uint64_t sent_us = sim_now_us(sim);
    send_text(a, "x");
    run_us(SECOND_US);
    assert_true(last_end(1)->heard_us - sent_us == 12345);
    send_text(last_end(1), "y");
    run_us(12344);
    assert_received(a, "");
    run_us(1);
    assert_received(a, "y");
    assert_true(sim_bytes(sim) == 2);
}

static void test_sim_bytes_arrive_in_order_whatever_the_jitter(void **state)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz";
    (void)state;
    struct end *a = must_connect(0, 1);
    set_latency(0, 1, 1000, 50000);
    for (int i = 0; i < 26; i++) send_bytes(a, alphabet + i, 1);
    run_us(51000);
    assert_received(last_end(1), alphabet);
}

static void test_sim_bytes_are_not_overtaken_when_the_way_gets_shorter(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    set_latency(0, 1, 100000, 0);
    send_text(a, "slow ");
    set_latency(0, 1, 10, 0);
    send_text(a, "fast");
    run_us(99999);
    assert_received(last_end(1), "");
    run_us(1);
    assert_received(last_end(1), "slow fast");
}

static void test_sim_jitter_stays_below_its_bound_and_does_vary(void **state)
{
    uint64_t least = UINT64_MAX, most = 0;
    (void)state;
    struct end *a = must_connect(0, 1);
    set_latency(0, 1, 1000, 500);
    for (int i = 0; i < 100; i++) {
        uint64_t sent_us = sim_now_us(sim);
        send_text(a, "x");
        run_us(10000);
        uint64_t took_us = last_end(1)->heard_us - sent_us;
        least = took_us < least ? took_us : least;
        most = took_us > most ? took_us : most;
    }
    assert_true(least >= 1000 && most < 1500 && most - least > 300);
}

static void test_sim_an_empty_send_is_nothing(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    send_bytes(a, NULL, 0);
    run_us(SECOND_US);
    assert_int_equal(last_end(1)->chunks, 0);
}

/* With jitter the first words of the one who was dialled can be there before the dialler has opened. */
static void test_sim_bytes_that_come_before_the_opening_wait_for_it(void **state)
{
    (void)state;
    machines[1].greeting = slice_text("welcome");
    for (int i = 0; i < 20; i++) {
        set_latency(0, 1, 1000, 500000);
        struct end *a = dial(0, 1);
        run_us(10 * SECOND_US);
        assert_int_equal(a->opened, 1);
        assert_received(a, "welcome");
    }
}

static void test_sim_a_close_that_comes_before_the_opening_waits_for_it(void **state)
{
    (void)state;
    machines[1].open_rc = MOTH_EFULL;
    for (int i = 0; i < 20; i++) {
        set_latency(0, 1, 1000, 500000);
        struct end *a = dial(0, 1);
        run_us(10 * SECOND_US);
        assert_int_equal(a->opened, 1);
        assert_ended(a, MOTH_ECLOSED);
    }
}

/* --- closing --- */

static void test_sim_bytes_sent_before_a_close_arrive(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    send_text(a, "last ");
    send_text(a, "words");
    close_end(a, MOTH_EGOODBYE);
    run_us(SECOND_US);
    assert_received(b, "last words");
    assert_ended(b, MOTH_ECLOSED);
    assert_ended(a, MOTH_EGOODBYE);
}

static void test_sim_a_close_takes_the_latency_and_its_own_end_none(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    send_text(a, "x");
    run_us(SIM_LATENCY_US / 2);
    uint64_t start_us = sim_now_us(sim);
    close_end(a, MOTH_EGOODBYE);
    run_us(SECOND_US);
    assert_true(a->closed_us == start_us);
    assert_true(b->closed_us == start_us + SIM_LATENCY_US);
}

static void test_sim_a_close_counts_once_with_its_first_reason(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    close_end(a, MOTH_EGOODBYE);
    close_end(a, MOTH_EDEAD);
    run_us(SECOND_US);
    assert_ended(a, MOTH_EGOODBYE);
}

static void test_sim_ends_that_close_at_once_each_keep_their_reason(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    send_text(a, "never read");
    close_end(a, MOTH_EGOODBYE);
    close_end(b, MOTH_EREPLACED);
    run_us(SECOND_US);
    assert_ended(a, MOTH_EGOODBYE);
    assert_ended(b, MOTH_EREPLACED);
    assert_received(b, "");
}

static void test_sim_nothing_is_taken_from_a_closed_end(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    struct conn *c = a->conn;
    close_end(a, MOTH_EGOODBYE);
    assert_false(c->open);
    send_text(a, "too late");
    pause_end(a, true);
    run_us(SECOND_US);
    assert_received(last_end(1), "");
}

static void test_sim_an_owner_closes_by_answering_with_an_error(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    machines[1].bytes_rc = MOTH_EMALFORMED;
    send_text(a, "one");
    send_text(a, "two");
    run_us(SECOND_US);
    assert_int_equal(last_end(1)->chunks, 1);
    assert_ended(last_end(1), MOTH_EMALFORMED);
    assert_ended(a, MOTH_ECLOSED);
}

/* --- back-pressure --- */

static void test_sim_a_paused_receiver_is_felt_by_the_sender(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    pause_end(b, true);
    send_bytes(a, block, sizeof block);
    assert_int_equal(queued(a), 0);
    send_bytes(a, block, 100);
    run_us(SECOND_US);
    assert_int_equal(queued(a), 100);
    assert_int_equal(b->chunks, 0);
    assert_int_equal(a->drained, 0);
    pause_end(b, false);
    run_us(SECOND_US);
    assert_int_equal(buf_bytes(&b->received), sizeof block + 100);
    assert_int_equal(a->drained, 1);
    assert_int_equal(queued(a), 0);
}

static void test_sim_draining_is_told_when_little_is_left_and_when_nothing_is(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    for (int i = 0; i < 64; i++) send_bytes(a, block, 16u << 10); /* on_drained checks what is left */
    assert_int_equal(queued(a), (1u << 20) - WINDOW_BYTES);
    run_us(SECOND_US);
    assert_int_equal(a->drained, 2);
    assert_int_equal(queued(a), 0);
}

static void test_sim_an_owner_closes_by_failing_to_go_on(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    machines[0].drained_rc = MOTH_ESLOW;
    send_bytes(a, block, sizeof block);
    send_bytes(a, block, 1);
    run_us(SECOND_US);
    assert_ended(a, MOTH_ESLOW);
}

static void test_sim_a_pause_from_inside_holds_the_next_chunk_back(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    machines[1].pauses = true;
    send_text(a, "one");
    send_text(a, "two");
    run_us(SECOND_US);
    assert_received(b, "one");
    pause_end(b, false);
    run_us(SECOND_US);
    assert_received(b, "onetwo");
}

static void test_sim_reading_again_brings_nothing_early(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    send_text(a, "words");
    pause_end(b, true);
    pause_end(b, false);
    run_us(SIM_LATENCY_US - 1);
    assert_received(b, "");
    run_us(1);
    assert_received(b, "words");
}

static void test_sim_a_paused_end_does_not_notice_the_close(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    pause_end(b, true);
    send_text(a, "words");
    close_end(a, MOTH_EGOODBYE);
    run_us(10 * SECOND_US);
    assert_int_equal(b->closed, 0);
    pause_end(b, false);
    run_us(SECOND_US);
    assert_received(b, "words");
    assert_ended(b, MOTH_ECLOSED);
}

/* --- cuts --- */

static void test_sim_an_open_cut_ends_both_sides_and_what_was_under_way(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1), *c = must_connect(0, 2);
    send_text(a, "lost");
    sim_cut(sim, 1, 0, SIM_CUT_OPEN);
    run_us(0);
    assert_ended(a, MOTH_ECLOSED);
    assert_ended(b, MOTH_ECLOSED);
    assert_received(b, "");
    assert_int_equal(c->closed, 0);
}

static void test_sim_a_silent_cut_holds_bytes_until_it_is_joined(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    send_text(a, "before ");
    sim_cut(sim, 0, 1, SIM_CUT_SILENT);
    send_text(a, "during ");
    send_text(b, "back");
    run_us(100 * SECOND_US);
    assert_received(b, "");
    assert_int_equal(a->closed + b->closed, 0);
    sim_join(sim, 0, 1);
    send_text(a, "after");
    run_us(SECOND_US);
    assert_received(b, "before during after");
    assert_received(a, "back");
}

static void test_sim_a_silent_cut_holds_a_close_until_it_is_joined(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    sim_cut(sim, 0, 1, SIM_CUT_SILENT);
    send_text(a, "words");
    close_end(a, MOTH_EDEAD);
    run_us(100 * SECOND_US);
    assert_ended(a, MOTH_EDEAD);
    assert_int_equal(b->closed, 0);
    sim_join(sim, 0, 1);
    run_us(SECOND_US);
    assert_received(b, "words");
    assert_ended(b, MOTH_ECLOSED);
}

static void test_sim_a_silent_cut_can_become_an_open_one(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    sim_cut(sim, 0, 1, SIM_CUT_SILENT);
    run_us(SECOND_US);
    sim_cut(sim, 0, 1, SIM_CUT_OPEN);
    run_us(0);
    assert_ended(a, MOTH_ECLOSED);
    assert_ended(last_end(1), MOTH_ECLOSED);
}

static void test_sim_a_joined_way_can_be_dialled_again(void **state)
{
    (void)state;
    sim_cut(sim, 0, 1, SIM_CUT_OPEN);
    run_us(SECOND_US);
    sim_join(sim, 0, 1);
    must_connect(0, 1);
}

/* --- frozen machines --- */

static void test_sim_a_frozen_machine_takes_in_nothing_until_it_thaws(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    sim_freeze(sim, 1, true);
    send_text(a, "words");
    close_end(a, MOTH_EGOODBYE);
    run_us(10 * SECOND_US);
    assert_received(b, "");
    assert_int_equal(b->closed, 0);
    assert_ended(a, MOTH_EGOODBYE);
    sim_freeze(sim, 1, false);
    run_us(0);
    assert_received(b, "words");
    assert_ended(b, MOTH_ECLOSED);
}

static void test_sim_a_frozen_machine_is_never_touched(void **state)
{
    unsigned touched = MACHINES;
    (void)state;
    struct end *a = must_connect(0, 1);
    sim_freeze(sim, 1, true);
    send_text(a, "words");
    dial(2, 1);
    while (sim_step(sim, sim_now_us(sim) + SECOND_US, &touched)) assert_int_not_equal(touched, 1);
    assert_int_equal(touched, 2);
}

/* The kernel shakes hands for a process that is stopped; what is said meanwhile is there when it wakes. */
static void test_sim_a_frozen_machine_is_connected_to_and_hears_all_later(void **state)
{
    (void)state;
    sim_freeze(sim, 1, true);
    struct end *a = dial(0, 1);
    run_us(SECOND_US);
    assert_int_equal(a->opened, 1);
    assert_int_equal(machines[1].count, 0);
    send_text(a, "hello");
    run_us(SECOND_US + 3333);
    sim_freeze(sim, 1, false);
    run_us(SECOND_US);
    assert_int_equal(last_end(1)->opened, 1);
    assert_received(last_end(1), "hello");
}

static char called[64];

static void note_call(void *argument, uint64_t number)
{
    size_t n = strlen(called);
    assert_ptr_equal(argument, called);
    called[n] = (char)number;
    called[n + 1] = '\0';
}

static void call_at(unsigned index, uint64_t in_us, char letter)
{
    sim_call(sim, index, sim_now_us(sim) + in_us, note_call, called, (uint64_t)letter);
}

static void test_sim_calls_come_by_time_and_then_by_age(void **state)
{
    (void)state;
    called[0] = '\0';
    call_at(0, 300, 'd');
    call_at(1, 100, 'b');
    call_at(2, 100, 'c');
    call_at(0, 0, 'a');
    run_us(99);
    assert_string_equal(called, "a");
    run_us(1);
    assert_string_equal(called, "abc");
    run_us(SECOND_US);
    assert_string_equal(called, "abcd");
}

static void test_sim_many_calls_leave_the_queue_in_order(void **state)
{
    (void)state;
    uint64_t last_us = 0, start_us = sim_now_us(sim);
    unsigned touched, count = 0;
    for (int i = 0; i < 5000; i++) {
        called[0] = '\0';
        call_at(0, sim_random(sim) % 1000, 'x');
    }
    while (sim_step(sim, start_us + 1000, &touched)) {
        assert_true(sim_now_us(sim) >= last_us);
        last_us = sim_now_us(sim);
        called[0] = '\0';
        count++;
    }
    assert_int_equal(count, 5000);
}

static void test_sim_a_call_in_the_past_comes_now(void **state)
{
    (void)state;
    called[0] = '\0';
    uint64_t now_us = sim_now_us(sim);
    sim_call(sim, 0, now_us - 1000, note_call, called, 'x');
    run_us(0);
    assert_string_equal(called, "x");
    assert_true(sim_now_us(sim) == now_us);
}

static void test_sim_calls_of_a_frozen_machine_wait_and_keep_their_order(void **state)
{
    (void)state;
    called[0] = '\0';
    sim_freeze(sim, 1, true);
    call_at(1, 5000, 'a');
    call_at(1, 12000, 'b');
    call_at(0, 13000, '-');
    call_at(1, 14000, 'c');
    run_us(28000);
    assert_string_equal(called, "-");
    sim_freeze(sim, 1, false);
    run_us(0);
    assert_string_equal(called, "-abc");
}

/* --- killed machines --- */

static void test_sim_a_reset_ends_all_of_a_machine_and_its_peers_see_it(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1), *c = must_connect(1, 2), *d = last_end(2);
    send_text(b, "last words");
    sim_reset(sim, 1);
    run_us(SECOND_US);
    assert_received(a, "last words");
    assert_ended(a, MOTH_ECLOSED);
    assert_ended(b, MOTH_ECLOSED);
    assert_ended(c, MOTH_ECLOSED);
    assert_ended(d, MOTH_ECLOSED);
    struct end *again = dial(0, 1);
    run_us(SECOND_US);
    assert_ended(again, MOTH_EREFUSED);
}

static void test_sim_a_reset_ends_what_is_under_way(void **state)
{
    (void)state;
    struct end *bytes = must_connect(0, 1), *out = dial(1, 2), *in = dial(2, 1);
    send_text(bytes, "never read");
    sim_reset(sim, 1);
    run_us(SECOND_US);
    assert_ended(out, MOTH_ECLOSED);
    assert_ended(in, MOTH_EREFUSED);
    assert_int_equal(machines[2].count, 1); /* its own dial: the other never reached it */
    assert_ended(bytes, MOTH_ECLOSED);
    assert_received(&machines[1].ends[0], "");
}

static void test_sim_a_reset_thaws_and_forgets_no_call(void **state)
{
    (void)state;
    called[0] = '\0';
    sim_freeze(sim, 1, true);
    call_at(1, 0, 'a');
    run_us(SECOND_US);
    sim_reset(sim, 1);
    run_us(0);
    assert_string_equal(called, "a");
}

static void test_sim_everything_can_be_freed_while_all_is_under_way(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1), *c = must_connect(1, 2);
    pause_end(b, true);
    send_bytes(a, block, sizeof block);
    send_bytes(a, block, sizeof block);
    sim_freeze(sim, 2, true);
    send_text(c, "into the ice");
    dial(0, 2);
    call_at(2, 10, 'x');
    run_us(SIM_LATENCY_US * 2);
    dial(0, 1);
    run_us(SIM_LATENCY_US);
    dial(0, 1);
    close_end(c, MOTH_EGOODBYE);
    sim_cut(sim, 0, 1, SIM_CUT_SILENT);
    close_end(a, MOTH_EGOODBYE); /* tear_down frees it all, and the sanitizer counts */
}

static void test_sim_free_takes_nothing(void **state)
{
    (void)state;
    sim_free(NULL);
}

/* --- the same again --- */

/* A busy second: all machines talk to all, over ways that jitter. */
static uint64_t hash_of_a_run(uint64_t seed, unsigned speaker)
{
    start(seed);
    for (unsigned i = 0; i < MACHINES; i++)
        for (unsigned k = 0; k < i; k++) {
            set_latency(i, k, 1000, 2000);
            dial(i, k);
        }
    run_us(SECOND_US);
    for (int round = 0; round < 20; round++) {
        for (unsigned i = 0; i < machines[speaker].count; i++) send_text(&machines[speaker].ends[i], "round");
        run_us(1000);
    }
    run_us(SECOND_US);
    uint64_t hash = sim_hash(sim);
    stop();
    return hash;
}

static void test_sim_the_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    assert_true(hash_of_a_run(7, 0) == hash_of_a_run(7, 0));
    assert_true(hash_of_a_run(7, 0) != hash_of_a_run(8, 0));
    assert_true(hash_of_a_run(7, 0) != hash_of_a_run(7, 1));
}

/* Machine `from` says `text` to `to`, nothing else happens. */
static uint64_t hash_of_a_word(unsigned from, unsigned to, const char *text, uint32_t latency_us)
{
    start(1);
    set_latency(from, to, latency_us, 0);
    send_text(must_connect(from, to), text);
    run_us(SECOND_US);
    uint64_t hash = sim_hash(sim);
    stop();
    return hash;
}

static void test_sim_the_hash_tells_when_from_whom_to_whom_and_what(void **state)
{
    (void)state;
    uint64_t hash = hash_of_a_word(0, 2, "word", 1000);
    assert_true(hash == hash_of_a_word(0, 2, "word", 1000));
    assert_true(hash != hash_of_a_word(0, 2, "word", 1001));
    assert_true(hash != hash_of_a_word(1, 2, "word", 1000));
    assert_true(hash != hash_of_a_word(0, 1, "word", 1000));
    assert_true(hash != hash_of_a_word(0, 2, "worm", 1000));
    assert_true(hash != hash_of_a_word(0, 2, "words", 1000));
}

/* --- many transports on one machine --- */

static struct machine side; /* beside machine 0's own */

static struct moth_transport *beside(unsigned index)
{
    struct moth_transport *t = machines[index].transport->ops->beside(machines[index].transport);
    side = (struct machine){.transport = t};
    t->events = &events;
    t->owner = &side;
    return t;
}

static int listen_beside(const char *address, struct address *bound)
{
    return side.transport->ops->listen(side.transport, address, bound);
}

static void free_beside(void)
{
    inside_call = true;
    side.transport->ops->free(side.transport);
    inside_call = false;
}

static void forget_beside(void)
{
    for (unsigned k = 0; k < side.count; k++) buf_fini(&side.ends[k].received);
}

static void test_sim_one_beside_listens_and_dials_for_itself(void **state)
{
    struct address bound;
    (void)state;
    beside(0);
    assert_int_equal(listen_beside("10.0.0.1:7000", &bound), 0);
    struct end *a = dial_address(1, "10.0.0.1:7000"), *b = new_end(&side);
    b->conn = side.transport->ops->dial(side.transport, "10.0.0.3:6684", b);
    run_us(SECOND_US);
    assert_int_equal(a->opened, 1);
    assert_int_equal(b->opened, 1);
    assert_int_equal(side.count, 2);
    assert_int_equal(machines[0].count, 0);
    assert_ptr_equal(b->conn->transport, side.transport);
    free_beside();
    forget_beside();
}

static void test_sim_a_port_is_one_transports_only(void **state)
{
    struct address bound;
    (void)state;
    beside(0);
    assert_int_equal(listen_beside("10.0.0.1:6684", &bound), MOTH_EIN_USE);
    assert_int_equal(listen_beside("10.0.0.1:0", &bound), 0);
    uint16_t first = bound.port;
    assert_int_not_equal(first, PORT);
    assert_int_equal(listen_beside("10.0.0.1:0", &bound), 0);
    assert_int_equal(bound.port, first); /* its own is free again */
    struct moth_transport *own = machines[0].transport;
    assert_int_equal(own->ops->listen(own, "10.0.0.1:0", &bound), 0);
    assert_int_equal(bound.port, PORT);
    free_beside();
}

static void test_sim_who_listens_on_loopback_is_found_by_its_machine_only(void **state)
{
    struct address bound;
    (void)state;
    beside(0);
    assert_int_equal(listen_beside("127.0.0.1:7000", &bound), 0);
    assert_int_equal(address_scope(&bound), ADDRESS_LOOPBACK);
    struct end *near = dial_address(0, "localhost:7000"), *far = dial_address(1, "10.0.0.1:7000");
    struct end *own = dial_address(1, "127.0.0.1:7000");
    run_us(SECOND_US);
    assert_int_equal(near->opened, 1);
    assert_int_equal(address_scope(&side.ends[0].conn->remote), ADDRESS_LOOPBACK);
    assert_ended(far, MOTH_EREFUSED);
    assert_ended(own, MOTH_EREFUSED);
    free_beside();
    forget_beside();
}

static void test_sim_listening_nowhere_is_found_by_nobody(void **state)
{
    struct address bound;
    (void)state;
    beside(0);
    assert_int_equal(listen_beside("10.0.0.1:7000", &bound), 0);
    assert_int_equal(listen_beside(NULL, &bound), 0);
    struct end *a = dial_address(1, "10.0.0.1:7000");
    run_us(SECOND_US);
    assert_ended(a, MOTH_EREFUSED);
    free_beside();
}

static void test_sim_freeing_one_beside_ends_its_connections_without_an_event(void **state)
{
    struct address bound;
    (void)state;
    beside(0);
    assert_int_equal(listen_beside("10.0.0.1:7000", &bound), 0);
    struct end *own = must_connect(0, 1), *a = dial_address(1, "10.0.0.1:7000"), *b = new_end(&side);
    run_us(SECOND_US);
    b->conn = side.transport->ops->dial(side.transport, "10.0.0.3:6684", b);
    send_text(a, "never heard");
    run_us(SIM_LATENCY_US / 2);
    free_beside();
    run_us(SECOND_US);
    assert_ended(a, MOTH_ECLOSED);
    assert_int_equal(side.count, 2);
    for (unsigned i = 0; i < side.count; i++) assert_int_equal(side.ends[i].closed, 0);
    assert_int_equal(own->closed, 0);
    forget_beside();
}

static void test_sim_one_beside_is_freed_at_the_end_whatever_is_under_way(void **state)
{
    (void)state;
    beside(0);
    struct end *b = new_end(&side);
    b->conn = side.transport->ops->dial(side.transport, "10.0.0.3:6684", b);
    free_beside();
    beside(1);
    free_beside();
}

static void test_sim_a_reset_stops_those_beside_too(void **state)
{
    struct address bound;
    (void)state;
    beside(1);
    assert_int_equal(listen_beside("10.0.0.2:7000", &bound), 0);
    sim_reset(sim, 1);
    struct end *a = dial_address(0, "10.0.0.2:7000");
    run_us(SECOND_US);
    assert_ended(a, MOTH_EREFUSED);
    free_beside();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_sim_a_dial_opens_both_ends_and_each_knows_the_other),
        TEST(test_sim_addresses_are_machines_of_their_own),
        TEST(test_sim_a_dial_takes_a_round_trip),
        TEST(test_sim_a_machine_can_dial_itself),
        TEST(test_sim_a_dial_is_refused_where_nobody_listens),
        TEST(test_sim_a_dial_to_no_machine_is_unreachable),
        TEST(test_sim_a_dial_to_no_address_is_refused_as_such),
        TEST(test_sim_a_dial_over_an_open_cut_fails_at_once),
        TEST(test_sim_a_dial_over_a_silent_cut_times_out),
        TEST(test_sim_a_dial_times_out_that_is_cut_silently_under_way),
        TEST(test_sim_a_dial_that_is_closed_first_never_opens),
        TEST(test_sim_listening_refuses_what_is_no_address),
        TEST(test_sim_listening_says_where),
        TEST(test_sim_an_owner_can_refuse_a_connection),
        TEST(test_sim_bytes_take_the_latency),
        TEST(test_sim_bytes_arrive_in_order_whatever_the_jitter),
        TEST(test_sim_bytes_are_not_overtaken_when_the_way_gets_shorter),
        TEST(test_sim_jitter_stays_below_its_bound_and_does_vary),
        TEST(test_sim_an_empty_send_is_nothing),
        TEST(test_sim_bytes_that_come_before_the_opening_wait_for_it),
        TEST(test_sim_a_close_that_comes_before_the_opening_waits_for_it),
        TEST(test_sim_bytes_sent_before_a_close_arrive),
        TEST(test_sim_a_close_takes_the_latency_and_its_own_end_none),
        TEST(test_sim_a_close_counts_once_with_its_first_reason),
        TEST(test_sim_ends_that_close_at_once_each_keep_their_reason),
        TEST(test_sim_nothing_is_taken_from_a_closed_end),
        TEST(test_sim_an_owner_closes_by_answering_with_an_error),
        TEST(test_sim_a_paused_receiver_is_felt_by_the_sender),
        TEST(test_sim_draining_is_told_when_little_is_left_and_when_nothing_is),
        TEST(test_sim_an_owner_closes_by_failing_to_go_on),
        TEST(test_sim_a_pause_from_inside_holds_the_next_chunk_back),
        TEST(test_sim_reading_again_brings_nothing_early),
        TEST(test_sim_a_paused_end_does_not_notice_the_close),
        TEST(test_sim_an_open_cut_ends_both_sides_and_what_was_under_way),
        TEST(test_sim_a_silent_cut_holds_bytes_until_it_is_joined),
        TEST(test_sim_a_silent_cut_holds_a_close_until_it_is_joined),
        TEST(test_sim_a_silent_cut_can_become_an_open_one),
        TEST(test_sim_a_joined_way_can_be_dialled_again),
        TEST(test_sim_a_frozen_machine_takes_in_nothing_until_it_thaws),
        TEST(test_sim_a_frozen_machine_is_never_touched),
        TEST(test_sim_a_frozen_machine_is_connected_to_and_hears_all_later),
        TEST(test_sim_calls_come_by_time_and_then_by_age),
        TEST(test_sim_many_calls_leave_the_queue_in_order),
        TEST(test_sim_a_call_in_the_past_comes_now),
        TEST(test_sim_calls_of_a_frozen_machine_wait_and_keep_their_order),
        TEST(test_sim_a_reset_ends_all_of_a_machine_and_its_peers_see_it),
        TEST(test_sim_a_reset_ends_what_is_under_way),
        TEST(test_sim_a_reset_thaws_and_forgets_no_call),
        TEST(test_sim_one_beside_listens_and_dials_for_itself),
        TEST(test_sim_a_port_is_one_transports_only),
        TEST(test_sim_who_listens_on_loopback_is_found_by_its_machine_only),
        TEST(test_sim_listening_nowhere_is_found_by_nobody),
        TEST(test_sim_freeing_one_beside_ends_its_connections_without_an_event),
        TEST(test_sim_one_beside_is_freed_at_the_end_whatever_is_under_way),
        TEST(test_sim_a_reset_stops_those_beside_too),
        TEST(test_sim_everything_can_be_freed_while_all_is_under_way),
        cmocka_unit_test(test_sim_free_takes_nothing),
        cmocka_unit_test(test_sim_the_same_seed_gives_the_same_run),
        cmocka_unit_test(test_sim_the_hash_tells_when_from_whom_to_whom_and_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
