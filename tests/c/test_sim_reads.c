/* test_sim_reads.c -- how the imaginary wire gives what it carried: slowly, in small pieces or large ones; and what is
 * shown of it from outside. */
#include "sim_kit.h"

#define DAY_US (86400ull * SECOND_US)

/* --- slow readers --- */

static void test_sim_a_slow_machine_takes_in_no_more_than_its_rate(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    sim_read_rate(sim, 1, 1000);
    uint64_t start_us = sim_now_us(sim) + SIM_LATENCY_US;
    for (int i = 0; i < 20; i++) send_bytes(a, block, 100);
    for (int i = 0; i < 20; i++) {
        run_us(SECOND_US / 10);
        assert_true(buf_bytes(&b->received) <= (sim_now_us(sim) - start_us) / 1000);
    }
    run_us(SIM_LATENCY_US);
    assert_int_equal(buf_bytes(&b->received), 2000);
    assert_true(b->heard_us - start_us == 2 * SECOND_US);
}

static void test_sim_a_long_write_trickles_into_a_slow_machine(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    sim_read_rate(sim, 1, 10000);
    send_bytes(a, block, 100000);
    run_us(SIM_LATENCY_US);
    for (unsigned s = 1; s <= 10; s++) {
        run_us(SECOND_US);
        size_t got = buf_bytes(&b->received);
        assert_true(got <= s * 10000 && got + SIM_SEGMENT_BYTES > s * 10000);
    }
    assert_int_equal(buf_bytes(&b->received), 100000);
}

static void test_sim_a_slow_machine_is_felt_by_the_sender(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    sim_read_rate(sim, 1, WINDOW_BYTES);
    for (int i = 0; i < 32; i++) send_bytes(a, block, sizeof block / 16);
    run_us(SIM_LATENCY_US + SECOND_US / 2);
    assert_in_range(queued(a), WINDOW_BYTES / 2, WINDOW_BYTES / 2 + SIM_SEGMENT_BYTES - 1);
    assert_int_equal(a->drained, 0);
    run_us(SECOND_US / 2);
    assert_int_equal(queued(a), 0);
    run_us(0);
    assert_int_equal(a->drained, 2);
}

static void test_sim_a_slow_machine_reads_its_connections_in_turn(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = must_connect(2, 1);
    sim_read_rate(sim, 1, 1000);
    for (int i = 0; i < 100; i++) send_bytes(a, block, 100);
    run_us(SECOND_US);
    uint64_t sent_us = sim_now_us(sim);
    send_text(b, "do not forget me");
    run_us(DAY_US);
    assert_true(last_end(1)->heard_us - sent_us < SECOND_US / 4);
    assert_int_equal(buf_bytes(&machines[1].ends[0].received), 10000);
}

static void test_sim_a_machine_is_slow_for_itself_only(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1), *c = must_connect(0, 2);
    sim_read_rate(sim, 1, 1);
    assert_true(takes_us(b, a) == SIM_LATENCY_US);
    assert_true(takes_us(c, last_end(2)) == SIM_LATENCY_US);
    assert_true(takes_us(a, b) == SIM_LATENCY_US + SECOND_US);
}

static void test_sim_a_machine_that_is_slow_no_longer_takes_all_in_at_once(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    sim_read_rate(sim, 1, 1);
    send_bytes(a, block, 1000);
    send_bytes(a, block, 1000);
    run_us(SECOND_US);
    assert_int_equal(buf_bytes(&b->received), 0);
    sim_read_rate(sim, 1, 0);
    run_us(0);
    assert_int_equal(buf_bytes(&b->received), 2000);
    run_us(DAY_US); /* what had been planned for the slow one does no harm */
    assert_int_equal(b->chunks, 2);
}

static void test_sim_a_machine_that_reads_faster_now_begins_again(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    sim_read_rate(sim, 1, 1);
    send_bytes(a, block, 1000);
    run_us(SECOND_US);
    sim_read_rate(sim, 1, 1000);
    run_us(SECOND_US);
    assert_int_equal(buf_bytes(&last_end(1)->received), 1000);
}

static void test_sim_a_slow_machine_reads_no_faster_what_is_merged(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    sim_merge(sim, true);
    sim_read_rate(sim, 1, 1000);
    send_bytes(a, block, 100);
    run_us(SIM_LATENCY_US);
    send_bytes(a, block, 500);
    send_bytes(a, block, 500);
    run_us(SECOND_US / 10);
    assert_int_equal(buf_bytes(&b->received), 100);
    run_us(SECOND_US);
    assert_int_equal(buf_bytes(&b->received), 1100);
    assert_int_equal(b->chunks, 2);
}

static void test_sim_a_slow_machine_reads_nothing_while_it_pauses(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    sim_read_rate(sim, 1, 100);
    pause_end(b, true);
    send_text(a, "words");
    run_us(10 * SECOND_US);
    assert_received(b, "");
    pause_end(b, false);
    run_us(SECOND_US);
    assert_received(b, "words");
}

static void test_sim_a_slow_machine_notices_a_close_after_all_that_was_said(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    sim_read_rate(sim, 1, 10);
    send_text(a, "last ");
    send_text(a, "words");
    close_end(a, MOTH_EGOODBYE);
    run_us(SECOND_US);
    assert_int_equal(b->closed, 0);
    run_us(SIM_LATENCY_US);
    assert_received(b, "last words");
    assert_ended(b, MOTH_ECLOSED);
}

/* --- pieces --- */

static unsigned longest_bytes, pieces;
static struct sim_delivery last_delivery;

static void note_delivery(void *owner, const struct sim_delivery *d)
{
    assert_ptr_equal(owner, &pieces);
    pieces++;
    if (d->bytes > longest_bytes) longest_bytes = (unsigned)d->bytes;
    last_delivery = *d;
}

static void watch_deliveries(void)
{
    longest_bytes = pieces = 0;
    sim_on_delivery(sim, note_delivery, &pieces);
}

static void test_sim_what_is_split_arrives_in_pieces_and_whole(void **state)
{
    uint8_t words[1000];
    (void)state;
    for (size_t i = 0; i < sizeof words; i++) words[i] = (uint8_t)(i * i >> 3);
    struct end *a = must_connect(0, 1), *b = last_end(1);
    watch_deliveries();
    sim_split(sim, 9);
    send_bytes(a, words, sizeof words);
    run_us(SECOND_US);
    assert_int_equal(buf_bytes(&b->received), sizeof words);
    assert_memory_equal(buf_span(&b->received).data, words, sizeof words);
    assert_int_equal(longest_bytes, 9);
    assert_int_equal(b->chunks, pieces);
    assert_in_range(pieces, 170, 240); /* five bytes a piece */
    sim_split(sim, 0);
    send_bytes(a, words, sizeof words);
    run_us(SECOND_US);
    assert_int_equal(last_delivery.bytes, sizeof words);
}

static void test_sim_a_split_by_one_brings_each_byte_alone(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    sim_split(sim, 1);
    send_text(a, "seven..");
    run_us(SECOND_US);
    assert_received(last_end(1), "seven..");
    assert_int_equal(last_end(1)->chunks, 7);
}

static void test_sim_what_arrives_at_the_same_time_is_merged(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    sim_merge(sim, true);
    send_text(a, "one ");
    send_text(a, "two ");
    send_text(a, "three ");
    run_us(SIM_LATENCY_US / 2);
    send_text(a, "later");
    run_us(SIM_LATENCY_US / 2);
    assert_received(b, "one two three ");
    assert_int_equal(b->chunks, 1);
    run_us(SECOND_US);
    assert_received(b, "one two three later");
    assert_int_equal(b->chunks, 2);
    sim_merge(sim, false);
    send_text(a, "!");
    send_text(a, "!");
    run_us(SECOND_US);
    assert_int_equal(b->chunks, 4);
}

static void test_sim_what_is_merged_fits_one_read(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    watch_deliveries();
    sim_merge(sim, true);
    for (int i = 0; i < 9; i++) send_bytes(a, block, SIM_READ_BYTES / 4);
    run_us(SECOND_US);
    assert_int_equal(b->chunks, 3);
    assert_int_equal(longest_bytes, SIM_READ_BYTES);
    send_bytes(a, block, SIM_READ_BYTES + 1); /* as it was sent */
    run_us(SECOND_US);
    assert_int_equal(longest_bytes, SIM_READ_BYTES + 1);
}

/* --- what is shown --- */

static void test_sim_each_delivery_is_shown(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1);
    watch_deliveries();
    send_text(a, "words");
    run_us(SECOND_US);
    assert_int_equal(pieces, 1);
    assert_int_equal(last_delivery.from, 0);
    assert_int_equal(last_delivery.to, 1);
    assert_int_equal(last_delivery.bytes, 5);
    assert_true(last_delivery.at_us == last_end(1)->heard_us);
    sim_on_delivery(sim, NULL, NULL);
    send_text(a, "more");
    run_us(SECOND_US);
    assert_int_equal(pieces, 1);
}

static uint64_t hash_of_text(struct end *a, const char *text)
{
    send_text(a, text);
    run_us(SECOND_US);
    return last_delivery.hash;
}

static void test_sim_a_deliverys_hash_tells_what_was_said_and_nothing_else(void **state)
{
    (void)state;
    struct end *a = must_connect(0, 1), *b = last_end(1);
    watch_deliveries();
    uint64_t hash = hash_of_text(a, "seventeen letters");
    assert_true(hash_of_text(b, "seventeen letters") == hash);
    assert_true(hash_of_text(a, "Seventeen letters") != hash);
    assert_true(hash_of_text(a, "seventeen letterz") != hash);
    assert_true(hash_of_text(a, "seventee") != hash_of_text(a, "seventef"));
    assert_true(hash_of_text(a, "x") != hash_of_text(a, "xx"));
}

static void test_sim_events_are_counted_that_ran(void **state)
{
    unsigned touched;
    (void)state;
    must_connect(0, 1);
    uint64_t before = sim_events(sim), count = 0;
    sim_freeze(sim, 2, true);
    dial(0, 2); /* its opening at machine 2 waits: it has not run */
    while (sim_step(sim, sim_now_us(sim) + SECOND_US, &touched)) count++;
    assert_true(count > 0 && sim_events(sim) - before == count);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_sim_a_slow_machine_takes_in_no_more_than_its_rate),
        TEST(test_sim_a_long_write_trickles_into_a_slow_machine),
        TEST(test_sim_a_slow_machine_is_felt_by_the_sender),
        TEST(test_sim_a_slow_machine_reads_its_connections_in_turn),
        TEST(test_sim_a_machine_is_slow_for_itself_only),
        TEST(test_sim_a_machine_that_is_slow_no_longer_takes_all_in_at_once),
        TEST(test_sim_a_machine_that_reads_faster_now_begins_again),
        TEST(test_sim_a_slow_machine_reads_no_faster_what_is_merged),
        TEST(test_sim_a_slow_machine_reads_nothing_while_it_pauses),
        TEST(test_sim_a_slow_machine_notices_a_close_after_all_that_was_said),
        TEST(test_sim_what_is_split_arrives_in_pieces_and_whole),
        TEST(test_sim_a_split_by_one_brings_each_byte_alone),
        TEST(test_sim_what_arrives_at_the_same_time_is_merged),
        TEST(test_sim_what_is_merged_fits_one_read),
        TEST(test_sim_each_delivery_is_shown),
        TEST(test_sim_a_deliverys_hash_tells_what_was_said_and_nothing_else),
        TEST(test_sim_events_are_counted_that_ran),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
