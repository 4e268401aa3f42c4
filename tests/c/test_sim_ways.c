/* test_sim_ways.c -- what the ways of the imaginary wire can be: alike or not, long, uneven, narrow, cut in one
 * direction. */
#include "sim_kit.h"

/* --- one direction, and all others --- */

static void test_sim_a_way_leads_in_one_direction(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    set_way(0, 1, (struct sim_way_options){.latency_us = 70000});
    assert_true(takes_us(a, b) == 70000);
    assert_true(takes_us(b, a) == SIM_LATENCY_US);
}

static void test_sim_a_dial_goes_there_by_one_way_and_comes_back_by_the_other(void **state)
{
    (void)state;
    set_way(0, 1, (struct sim_way_options){.latency_us = 20000});
    set_way(1, 0, (struct sim_way_options){.latency_us = 300});
    uint64_t start_us = sim_now_us(sim);
    struct end *a = must_connect(0, 1);
    assert_true(last_end(1)->opened_us - start_us == 20000);
    assert_true(a->opened_us - start_us == 20300);
}

static void test_sim_what_holds_for_all_ways_holds_for_those_without_options_of_their_own(void **state)
{
    struct sim_way_options slow = {.latency_us = 50000}, slower = {.latency_us = 60000};
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1), *c = must_connect(0, 2);
    set_way(0, 1, (struct sim_way_options){.latency_us = 7});
    sim_default(sim, &slow);
    assert_true(takes_us(a, b) == 7);
    assert_true(takes_us(b, a) == 50000);
    sim_cut(sim, 0, 2, SIM_CUT_SILENT); /* a way that was cut has no options of its own for that */
    sim_join(sim, 0, 2);
    sim_default(sim, &slower);
    assert_true(takes_us(a, b) == 7);
    assert_true(takes_us(c, last_end(2)) == 60000);
}

static void test_sim_a_machine_stays_near_to_itself(void **state)
{
    struct sim_way_options far = {.latency_us = 50000, .bytes_per_s = 1};
    (void)state;
    sim_default(sim, &far);
    struct end *a = dial(0, 0);
    run_us(SECOND_US);
    assert_true(takes_us(a, last_end(0)) == SIM_LATENCY_US);
    set_way(0, 0, (struct sim_way_options){.latency_us = 3});
    assert_true(takes_us(a, last_end(0)) == 3);
}

static void test_sim_a_way_that_was_cut_in_one_direction_is_not_joined(void **state)
{
    (void)state;
    assert_true(sim_is_joined(sim, 0, 1));
    sim_cut(sim, 1, 0, SIM_CUT_ONE_WAY);
    assert_false(sim_is_joined(sim, 0, 1));
    assert_false(sim_is_joined(sim, 1, 0));
    assert_true(sim_is_joined(sim, 0, 2));
    sim_join(sim, 0, 1);
    assert_true(sim_is_joined(sim, 0, 1));
}

static void test_sim_an_address_leads_back_to_its_machine(void **state)
{
    static const unsigned some[] = {0, 1, 254, 255, 65535, 1000000};
    struct address a = {.family = 4, .ip = {127, 0, 0, 1}};
    (void)state;
    assert_true(sim_index(&a) >= 1u << 24);
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        sim_address(some[i], 7000, &a);
        assert_int_equal(sim_index(&a), some[i]);
    }
    a.family = 6;
    assert_true(sim_index(&a) >= 1u << 24);
}

/* More than the table of ways holds at first; each must be found again after it has grown. */
static void test_sim_thousands_of_ways_each_keep_their_options(void **state)
{
    enum { MANY = 4096, STEP = 37 };
    (void)state;
    stop();
    sim = sim_new(1, MANY);
    memset(machines, 0, sizeof machines);
    sim_cut(sim, 0, MANY - 1, SIM_CUT_OPEN);
    for (unsigned i = 1; i < MANY; i++) set_way(0, i, (struct sim_way_options){.latency_us = i});
    for (unsigned i = 1; i < MANY; i++) sim_cut(sim, i, MANY - i, SIM_CUT_SILENT);
    for (unsigned i = 1; i < MANY; i++) sim_join(sim, i, MANY - i);
    machines[0].transport = sim_endpoint(sim, 0);
    machines[0].transport->events = &events;
    machines[0].transport->owner = &machines[0];
    struct end *cut = dial(0, MANY - 1);
    run_us(SECOND_US);
    assert_ended(cut, MOTH_EUNREACHABLE);
    for (unsigned i = 1; i < MANY - 1; i += MANY / STEP) {
        uint64_t start_us = sim_now_us(sim);
        struct end *a = dial(0, i);
        run_us(SECOND_US);
        assert_ended(a, MOTH_EREFUSED);
        assert_true(a->closed_us - start_us == i);
    }
}

static void test_sim_what_is_queued_on_a_way_is_not_forgotten_for_thousands_of_others(void **state)
{
    struct sim_way_options narrow = {.bytes_per_s = 1000};
    (void)state;
    struct end *a = must_connect(0, 1);
    sim_default(sim, &narrow);
    send_bytes(a, block, 1000);
    for (unsigned i = 100; i < 5000; i++) set_way(0, i, narrow);
    uint64_t start_us = sim_now_us(sim);
    send_bytes(a, block, 500);
    run_us(10 * SECOND_US);
    assert_true(last_end(1)->heard_us - start_us == SECOND_US + SECOND_US / 2);
}

static void test_sim_endpoints_stay_where_they_are_while_others_are_made(void **state)
{
    (void)state;
    struct sim *many = sim_new(1, 4096);
    struct moth_transport *first = sim_endpoint(many, 17);
    for (unsigned i = 0; i < 4096; i++) assert_non_null(sim_endpoint(many, i));
    assert_ptr_equal(sim_endpoint(many, 17), first);
    assert_ptr_not_equal(sim_endpoint(many, 18), first);
    sim_free(many);
}

static void test_sim_what_nobody_asked_for_can_be_cut_frozen_and_reset(void **state)
{
    (void)state;
    struct sim *many = sim_new(1, 9);
    sim_cut(many, 3, 4, SIM_CUT_OPEN);
    sim_join(many, 3, 4);
    sim_join(many, 5, 6);
    sim_reset(many, 7);
    sim_freeze(many, 8, true);
    assert_true(sim_events(many) == 0);
    sim_free(many);
}

/* --- uneven --- */

struct spread {
    uint64_t least_us, most_us, sum_us, square_us;
};

#define DRAWS 3000

/* Of that many times over a way; the bytes go one at a time, so none waits for another. */
static struct spread measure(struct sim_way_options options)
{
    struct spread s = {.least_us = UINT64_MAX};
    struct end *a = must_connect(0, 1), *b = last_end(1);
    set_way(0, 1, options);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t us = takes_us(a, b);
        s.least_us = us < s.least_us ? us : s.least_us;
        s.most_us = us > s.most_us ? us : s.most_us;
        s.sum_us += us;
        s.square_us += us * us;
    }
    return s;
}

static void assert_near(uint64_t value, uint64_t wanted, uint64_t by)
{
    assert_in_range(value, wanted - by, wanted + by);
}

static uint64_t variance(const struct spread *s)
{
    uint64_t mean = s->sum_us / DRAWS;
    return s->square_us / DRAWS - mean * mean;
}

static void test_sim_a_uniform_latency_fills_its_bounds_evenly(void **state)
{
    (void)state;
    struct spread s = measure((struct sim_way_options){SIM_UNIFORM, .latency_us = 50000, .spread_us = 3000});
    assert_in_range(s.least_us, 47000, 47010);
    assert_in_range(s.most_us, 52990, 53000);
    assert_near(s.sum_us / DRAWS, 50000, 100);
    assert_near(variance(&s), 3000000, 200000); /* (2 * 3000)^2 / 12 */
}

static void test_sim_a_normal_latency_has_its_mean_and_its_deviation(void **state)
{
    (void)state;
    struct spread s = measure((struct sim_way_options){SIM_NORMAL, .latency_us = 50000, .spread_us = 3000});
    assert_in_range(s.least_us, 38000, 42500); /* within four deviations, and beyond two and a half */
    assert_in_range(s.most_us, 57500, 62000);
    assert_near(s.sum_us / DRAWS, 50000, 200);
    assert_near(variance(&s), 9000000, 700000);
}

static void test_sim_a_latency_that_would_be_below_zero_is_zero(void **state)
{
    (void)state;
    struct spread s = measure((struct sim_way_options){SIM_UNIFORM, .latency_us = 100, .spread_us = 1000});
    assert_true(s.least_us == 0);
    assert_in_range(s.most_us, 1000, 1100);
}

static void test_sim_jitter_comes_on_top_of_what_is_at_least_zero(void **state)
{
    (void)state;
    struct spread s = measure((struct sim_way_options){SIM_UNIFORM, .spread_us = 1000, .jitter_us = 1000});
    assert_near(s.sum_us / DRAWS, 250 + 500, 30); /* half of them 0, the others 500, and the jitter */
}

/* This seed is one whose draws reach that far, in both directions. */
static void test_sim_a_normal_latency_ends_at_four_deviations(void **state)
{
    (void)state;
    stop();
    start(235);
    struct spread s = measure((struct sim_way_options){SIM_NORMAL, .latency_us = 50000, .spread_us = 3000});
    assert_true(s.least_us == 38000 && s.most_us == 62000);
}

static void test_sim_jitter_comes_on_top(void **state)
{
    (void)state;
    struct spread s = measure((struct sim_way_options){.latency_us = 5000, .jitter_us = 100});
    assert_true(s.least_us == 5000 && s.most_us == 5099);
}

/* Figures that any build must give: no floating point, no libm. */
static void test_sim_normal_latencies_are_the_same_everywhere(void **state)
{
    static const uint64_t expected_us[] = {123696, 107407, 91139, 93167, 91140, 112147};
    (void)state;
    struct end *a = must_connect(0, 1);
    set_way(0, 1, (struct sim_way_options){SIM_NORMAL, .latency_us = 100000, .spread_us = 20000});
    for (size_t i = 0; i < sizeof expected_us / sizeof *expected_us; i++)
        assert_int_equal(takes_us(a, last_end(1)), expected_us[i]);
}

static void test_sim_an_uneven_way_keeps_the_order(void **state)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz";
    (void)state;
    struct end *a = must_connect(0, 1);
    set_way(0, 1, (struct sim_way_options){SIM_NORMAL, 100000, 40000, 5000, 1000});
    for (int i = 0; i < 26; i++) send_bytes(a, alphabet + i, 1);
    run_us(SECOND_US);
    assert_received(last_end(1), alphabet);
}

/* --- narrow --- */

static void test_sim_what_is_sent_leaves_one_after_the_other_at_the_ways_rate(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    set_way(0, 1, (struct sim_way_options){.latency_us = 10, .bytes_per_s = 1000});
    send_bytes(a, block, 500);
    send_bytes(a, block, 1000);
    run_us(500009);
    assert_int_equal(buf_bytes(&b->received), 0);
    run_us(1);
    assert_int_equal(buf_bytes(&b->received), 500);
    run_us(999999);
    assert_int_equal(buf_bytes(&b->received), 500);
    run_us(1);
    assert_int_equal(buf_bytes(&b->received), 1500);
}

static void test_sim_a_long_write_trickles_over_a_narrow_way(void **state)
{
    static const uint8_t megabyte[1000000];
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    set_way(0, 1, (struct sim_way_options){.bytes_per_s = 10000});
    send_bytes(a, megabyte, sizeof megabyte);
    for (unsigned s = 1; s <= 100; s++) {
        run_us(SECOND_US);
        size_t got = buf_bytes(&b->received);
        assert_true(got <= s * 10000 && got + SIM_SEGMENT_BYTES > s * 10000);
    }
    assert_int_equal(buf_bytes(&b->received), sizeof megabyte);
}

static void test_sim_the_rate_is_shared_by_all_connections_of_that_way_only(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1), *c = must_connect(1, 0), *d = last_end(0);
    struct end *e = must_connect(0, 2);
    set_way(0, 1, (struct sim_way_options){.bytes_per_s = 1000});
    uint64_t start_us = sim_now_us(sim);
    send_bytes(a, block, 1000);
    send_bytes(d, block, 1000);
    send_text(b, "back");
    send_text(e, "aside");
    run_us(10 * SECOND_US);
    assert_true(b->heard_us - start_us == SECOND_US);
    assert_true(c->heard_us - start_us == 2 * SECOND_US);
    assert_true(a->heard_us - start_us == SIM_LATENCY_US);
    assert_true(last_end(2)->heard_us - start_us == SIM_LATENCY_US);
}

static void test_sim_a_way_that_was_idle_owes_nothing(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    set_way(0, 1, (struct sim_way_options){.bytes_per_s = 1000});
    assert_true(takes_us(a, last_end(1)) == 1000);
    assert_true(takes_us(a, last_end(1)) == 1000);
}

static void test_sim_small_pieces_are_not_rounded_away(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    set_way(0, 1, (struct sim_way_options){.bytes_per_s = 10000000});
    uint64_t start_us = sim_now_us(sim);
    for (int i = 0; i < 1000; i++) send_text(a, "x");
    run_us(SECOND_US);
    assert_true(last_end(1)->heard_us - start_us == 100);
}

static void test_sim_a_narrow_way_is_felt_by_the_sender(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    set_way(0, 1, (struct sim_way_options){.bytes_per_s = WINDOW_BYTES});
    for (int i = 0; i < 32; i++) send_bytes(a, block, sizeof block / 16);
    assert_int_equal(queued(a), WINDOW_BYTES);
    run_us(SECOND_US / 2);
    assert_int_equal(queued(a), WINDOW_BYTES / 2);
    run_us(SECOND_US);
    assert_int_equal(queued(a), 0);
    assert_int_equal(a->drained, 2);
}

static void test_sim_nothing_is_overtaken_when_the_way_gets_wider(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    set_way(0, 1, (struct sim_way_options){.bytes_per_s = 5});
    send_text(a, "slow ");
    set_way(0, 1, (struct sim_way_options){.latency_us = 1});
    send_text(a, "fast");
    close_end(a, MOTH_EGOODBYE);
    run_us(SECOND_US - 1);
    assert_received(last_end(1), "");
    run_us(1);
    assert_received(last_end(1), "slow fast");
    assert_ended(last_end(1), MOTH_ECLOSED);
}

static void test_sim_what_was_sent_before_a_new_rate_holds_up_nobody_else(void **state)
{
    struct sim_way_options narrow = {.bytes_per_s = 10}, wide = {.bytes_per_s = 1000};
    (void)state;
    struct end *a = must_connect(0, 1), *b = must_connect(0, 1), *far_b = last_end(1);
    struct end *c = must_connect(2, 0), *d = must_connect(2, 0), *far_d = last_end(0);
    set_way(0, 1, narrow);
    sim_default(sim, &narrow);
    send_bytes(a, block, 10000);
    send_bytes(c, block, 10000);
    set_way(0, 1, wide);
    sim_default(sim, &wide);
    assert_true(takes_us(b, far_b) == 1000);
    assert_true(takes_us(d, far_d) == 1000);
}

static void test_sim_a_dial_waits_for_what_is_before_it_on_the_way(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    set_way(0, 1, (struct sim_way_options){.bytes_per_s = 1000});
    send_bytes(a, block, 500);
    uint64_t start_us = sim_now_us(sim);
    must_connect(0, 1);
    assert_true(last_end(1)->opened_us - start_us == SECOND_US / 2);
}

/* --- cut in one direction --- */

static void test_sim_a_one_way_cut_holds_what_one_sends_and_not_what_the_other_does(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    sim_cut(sim, 0, 1, SIM_CUT_ONE_WAY);
    send_text(a, "held");
    send_text(b, "heard");
    run_us(100 * SECOND_US);
    assert_received(a, "heard");
    assert_received(b, "");
    sim_join(sim, 1, 0);
    run_us(0);
    assert_received(b, "held");
}

static void test_sim_a_close_comes_through_a_one_way_cut_from_the_other_side(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1), *c = must_connect(0, 1), *d = last_end(1);
    sim_cut(sim, 0, 1, SIM_CUT_ONE_WAY);
    close_end(b, MOTH_EGOODBYE);
    close_end(c, MOTH_EGOODBYE);
    run_us(100 * SECOND_US);
    assert_ended(a, MOTH_ECLOSED);
    assert_int_equal(d->closed, 0);
    sim_join(sim, 0, 1);
    run_us(0);
    assert_ended(d, MOTH_ECLOSED);
}

static void test_sim_a_dial_needs_both_ways(void **state)
{
    (void)state;
    sim_cut(sim, 0, 1, SIM_CUT_ONE_WAY);
    struct end *a = dial(0, 1), *b = dial(1, 0);
    run_us(3 * SECOND_US - 1);
    assert_int_equal(a->closed + b->closed, 0);
    run_us(1);
    assert_ended(a, MOTH_ETIMEOUT);
    assert_ended(b, MOTH_ETIMEOUT);
    sim_join(sim, 0, 1);
    must_connect(0, 1);
    must_connect(1, 0);
}

static void test_sim_two_one_way_cuts_are_two_and_one_join_ends_both(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    sim_cut(sim, 0, 1, SIM_CUT_ONE_WAY);
    sim_cut(sim, 1, 0, SIM_CUT_ONE_WAY);
    send_text(a, "there");
    send_text(b, "back");
    run_us(SECOND_US);
    assert_int_equal(a->chunks + b->chunks, 0);
    sim_join(sim, 0, 1);
    run_us(SECOND_US);
    assert_received(a, "back");
    assert_received(b, "there");
}

static void test_sim_a_later_cut_replaces_an_earlier_one(void **state)
{
    (void)state;
    sim_cut(sim, 0, 1, SIM_CUT_OPEN);
    sim_cut(sim, 0, 1, SIM_CUT_SILENT);
    struct end *a = dial(0, 1);
    run_us(SECOND_US);
    assert_int_equal(a->closed, 0);
    sim_cut(sim, 0, 1, SIM_CUT_OPEN);
    struct end *b = dial(0, 1);
    run_us(SECOND_US);
    assert_ended(b, MOTH_EUNREACHABLE);
}

static void test_sim_a_dial_opens_late_that_was_held_and_joined_in_time(void **state)
{
    (void)state;
    sim_cut(sim, 0, 1, SIM_CUT_SILENT);
    struct end *a = dial(0, 1);
    run_us(SECOND_US);
    sim_join(sim, 0, 1);
    run_us(3 * SECOND_US);
    assert_int_equal(a->opened, 1);
    assert_int_equal(last_end(1)->opened, 1);
}

/* The far end has accepted, and its answer never comes: it learns only later that it talked to nobody. */
static void test_sim_a_dial_times_out_whose_answer_is_held(void **state)
{
    (void)state;
    struct end *a = dial(0, 1);
    run_us(SIM_LATENCY_US);
    sim_cut(sim, 1, 0, SIM_CUT_ONE_WAY);
    run_us(3 * SECOND_US);
    assert_ended(a, MOTH_ETIMEOUT);
    assert_int_equal(a->opened, 0);
    assert_ended(last_end(1), MOTH_ECLOSED); /* that way is open */
}

static void test_sim_an_answer_that_is_held_and_joined_in_time_opens_the_dial(void **state)
{
    (void)state;
    machines[1].greeting = slice_text("welcome");
    struct end *a = dial(0, 1);
    run_us(SIM_LATENCY_US);
    sim_cut(sim, 1, 0, SIM_CUT_ONE_WAY);
    run_us(SECOND_US);
    sim_join(sim, 0, 1);
    run_us(3 * SECOND_US);
    assert_int_equal(a->opened, 1);
    assert_received(a, "welcome");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_sim_a_way_leads_in_one_direction),
        TEST(test_sim_a_dial_goes_there_by_one_way_and_comes_back_by_the_other),
        TEST(test_sim_what_holds_for_all_ways_holds_for_those_without_options_of_their_own),
        TEST(test_sim_a_machine_stays_near_to_itself),
        TEST(test_sim_a_way_that_was_cut_in_one_direction_is_not_joined),
        TEST(test_sim_an_address_leads_back_to_its_machine),
        TEST(test_sim_thousands_of_ways_each_keep_their_options),
        TEST(test_sim_what_is_queued_on_a_way_is_not_forgotten_for_thousands_of_others),
        TEST(test_sim_endpoints_stay_where_they_are_while_others_are_made),
        TEST(test_sim_what_nobody_asked_for_can_be_cut_frozen_and_reset),
        TEST(test_sim_a_uniform_latency_fills_its_bounds_evenly),
        TEST(test_sim_a_normal_latency_has_its_mean_and_its_deviation),
        TEST(test_sim_a_latency_that_would_be_below_zero_is_zero),
        TEST(test_sim_jitter_comes_on_top_of_what_is_at_least_zero),
        TEST(test_sim_a_normal_latency_ends_at_four_deviations),
        TEST(test_sim_jitter_comes_on_top),
        TEST(test_sim_normal_latencies_are_the_same_everywhere),
        TEST(test_sim_an_uneven_way_keeps_the_order),
        TEST(test_sim_what_is_sent_leaves_one_after_the_other_at_the_ways_rate),
        TEST(test_sim_a_long_write_trickles_over_a_narrow_way),
        TEST(test_sim_the_rate_is_shared_by_all_connections_of_that_way_only),
        TEST(test_sim_a_way_that_was_idle_owes_nothing),
        TEST(test_sim_small_pieces_are_not_rounded_away),
        TEST(test_sim_a_narrow_way_is_felt_by_the_sender),
        TEST(test_sim_nothing_is_overtaken_when_the_way_gets_wider),
        TEST(test_sim_what_was_sent_before_a_new_rate_holds_up_nobody_else),
        TEST(test_sim_a_dial_waits_for_what_is_before_it_on_the_way),
        TEST(test_sim_a_one_way_cut_holds_what_one_sends_and_not_what_the_other_does),
        TEST(test_sim_a_close_comes_through_a_one_way_cut_from_the_other_side),
        TEST(test_sim_a_dial_needs_both_ways),
        TEST(test_sim_two_one_way_cuts_are_two_and_one_join_ends_both),
        TEST(test_sim_a_later_cut_replaces_an_earlier_one),
        TEST(test_sim_a_dial_opens_late_that_was_held_and_joined_in_time),
        TEST(test_sim_a_dial_times_out_whose_answer_is_held),
        TEST(test_sim_an_answer_that_is_held_and_joined_in_time_opens_the_dial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
