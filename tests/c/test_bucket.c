/* test_bucket.c -- a burst at once, then a steady rate.
 *
 * Random use is checked against the bucket of the textbooks: credit in microseconds that grows with time up to the
 * whole burst, and each token costs its share of a second. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/bucket.h"

#define SECOND 1000000u

static const uint64_t starts[] = {0, 1, 999, SECOND, 1700000000000000u, UINT64_MAX / 2, UINT64_MAX - 3600ull * SECOND};
#define STARTS (sizeof starts / sizeof *starts)

static uint64_t random_below(uint64_t *seed, uint64_t bound)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (*seed >> 33) % bound;
}

static unsigned take_all(struct bucket *b, uint64_t per_second, uint64_t burst, uint64_t now_us)
{
    unsigned count = 0;
    while (bucket_take(b, per_second, burst, now_us)) count++;
    return count;
}

static void bucket_of_all_zero_is_full_at_any_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < STARTS; i++) {
        struct bucket b = {0};
        assert_int_equal(take_all(&b, 5, 20, starts[i]), 20);
    }
}

static void bucket_with_a_burst_of_one_gives_one_token_a_period(void **state)
{
    (void)state;
    for (size_t i = 0; i < STARTS; i++) {
        struct bucket b = {0};
        assert_true(bucket_take(&b, 4, 1, starts[i]));
        assert_false(bucket_take(&b, 4, 1, starts[i] + SECOND / 4 - 1));
        assert_true(bucket_take(&b, 4, 1, starts[i] + SECOND / 4));
        assert_false(bucket_take(&b, 4, 1, starts[i] + SECOND / 4));
    }
}

static void bucket_gives_the_burst_and_then_the_rate(void **state)
{
    (void)state;
    for (size_t i = 0; i < STARTS; i++) {
        struct bucket b = {0};
        unsigned count = 0;
        for (uint64_t ms = 0; ms < 10000; ms++) count += bucket_take(&b, 5, 20, starts[i] + ms * 1000);
        assert_int_equal(count, 20 + 49); /* the fiftieth comes with the tenth second */
    }
}

static void bucket_refills_one_token_at_a_time(void **state)
{
    struct bucket b = {0};
    (void)state;
    take_all(&b, 10, 5, 0);
    assert_int_equal(take_all(&b, 10, 5, SECOND / 10), 1);
    assert_int_equal(take_all(&b, 10, 5, 3 * SECOND / 10), 2);
}

static void bucket_never_holds_more_than_its_burst(void **state)
{
    struct bucket b = {0};
    (void)state;
    assert_int_equal(take_all(&b, 10, 5, 0), 5);
    assert_int_equal(take_all(&b, 10, 5, 86400ull * 365 * SECOND), 5);
}

static void bucket_charges_nothing_for_a_refusal(void **state)
{
    struct bucket b = {0};
    (void)state;
    take_all(&b, 10, 5, 0);
    for (unsigned i = 0; i < 1000; i++) assert_false(bucket_take(&b, 10, 5, SECOND / 10 - 1));
    assert_true(bucket_take(&b, 10, 5, SECOND / 10));
}

static void bucket_tells_exactly_when_the_next_token_is_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < STARTS; i++) {
        struct bucket b = {0};
        take_all(&b, 7, 3, starts[i]);
        uint64_t ready = bucket_ready_us(&b, 7, 3);
        assert_true(ready > starts[i]);
        assert_false(bucket_take(&b, 7, 3, ready - 1));
        assert_true(bucket_take(&b, 7, 3, ready));
    }
}

static void bucket_is_ready_in_the_past_while_it_holds_tokens(void **state)
{
    struct bucket b = {0};
    (void)state;
    assert_int_equal(bucket_ready_us(&b, 5, 20), 0);
    assert_true(bucket_take(&b, 5, 20, 10 * SECOND));
    assert_true(bucket_ready_us(&b, 5, 20) <= 10 * SECOND);
}

static void bucket_with_more_than_a_million_a_second_knows_no_bound(void **state)
{
    struct bucket b = {0};
    (void)state;
    for (unsigned i = 0; i < 1000; i++) assert_true(bucket_take(&b, SECOND + 1, 1, 77));
}

static void bucket_agrees_with_counted_credit(void **state)
{
    static const struct {
        uint64_t per_second, burst;
    } sorts[] = {{1, 5}, {5, 20}, {100, 100}, {200, 400}, {3, 1}, {1000000, 10}};
    uint64_t seed = 1;
    (void)state;
    for (size_t i = 0; i < sizeof sorts / sizeof *sorts * STARTS; i++) {
        uint64_t per_second = sorts[i / STARTS].per_second, burst = sorts[i / STARTS].burst, now = starts[i % STARTS];
        uint64_t price = SECOND / per_second, credit = burst * price;
        struct bucket b = {0};
        for (unsigned turn = 0; turn < 1000; turn++) {
            uint64_t step = random_below(&seed, 4) == 0 ? random_below(&seed, 3 * price) : 0;
            now += step;
            credit = credit + step > burst * price ? burst * price : credit + step;
            assert_int_equal(bucket_take(&b, per_second, burst, now), credit >= price);
            if (credit >= price) credit -= price;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bucket_of_all_zero_is_full_at_any_time),
        cmocka_unit_test(bucket_with_a_burst_of_one_gives_one_token_a_period),
        cmocka_unit_test(bucket_gives_the_burst_and_then_the_rate),
        cmocka_unit_test(bucket_refills_one_token_at_a_time),
        cmocka_unit_test(bucket_never_holds_more_than_its_burst),
        cmocka_unit_test(bucket_charges_nothing_for_a_refusal),
        cmocka_unit_test(bucket_tells_exactly_when_the_next_token_is_there),
        cmocka_unit_test(bucket_is_ready_in_the_past_while_it_holds_tokens),
        cmocka_unit_test(bucket_with_more_than_a_million_a_second_knows_no_bound),
        cmocka_unit_test(bucket_agrees_with_counted_credit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
