/* test_seen.c -- which broadcasts already passed here.
 *
 * What lies within one generation of the newest must be remembered, what lies two generations back must be forgotten;
 * in between both answers are right, and the tests pin down the one we chose: a generation goes as a whole. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "proto/seen.h"

static const struct moth_id ana = {.bytes = "ana"}, bob = {.bytes = "bob"}, zero;

static void seen_remembers_nothing_at_first(void **state)
{
    struct seen *s = seen_new(100, 1);
    (void)state;
    assert_false(seen_has(s, &ana, 1));
    assert_int_equal(seen_count(s), 0);
    seen_free(s);
}

static void seen_counts_the_first_copy_and_no_echo(void **state)
{
    struct seen *s = seen_new(100, 1);
    (void)state;
    assert_true(seen_add(s, &ana, 1));
    assert_true(seen_has(s, &ana, 1));
    assert_false(seen_add(s, &ana, 1));
    assert_int_equal(seen_count(s), 1);
    seen_free(s);
}

static void seen_tells_sources_apart(void **state)
{
    struct seen *s = seen_new(100, 1);
    (void)state;
    assert_true(seen_add(s, &ana, 1));
    assert_false(seen_has(s, &bob, 1));
    assert_true(seen_add(s, &bob, 1));
    assert_int_equal(seen_count(s), 2);
    seen_free(s);
}

static void seen_tells_ids_apart(void **state)
{
    struct seen *s = seen_new(100, 1);
    (void)state;
    assert_true(seen_add(s, &ana, 1));
    assert_false(seen_has(s, &ana, 2));
    assert_true(seen_add(s, &ana, UINT64_MAX));
    assert_int_equal(seen_count(s), 2);
    seen_free(s);
}

static void seen_takes_zero_for_an_id_like_any_other(void **state)
{
    struct seen *s = seen_new(100, 0);
    (void)state;
    assert_false(seen_has(s, &zero, 0));
    assert_true(seen_add(s, &zero, 0));
    assert_false(seen_add(s, &zero, 0));
    assert_int_equal(seen_count(s), 1);
    seen_free(s);
}

static void seen_only_looks_when_asked(void **state)
{
    struct seen *s = seen_new(100, 1);
    (void)state;
    assert_false(seen_has(s, &ana, 1));
    assert_false(seen_has(s, &ana, 1));
    assert_true(seen_add(s, &ana, 1));
    seen_free(s);
}

static void seen_remembers_across_a_turn_of_generations(void **state)
{
    struct seen *s = seen_new(10, 1);
    (void)state;
    for (uint64_t id = 0; id < 15; id++) assert_true(seen_add(s, &ana, id));
    for (uint64_t id = 0; id < 15; id++) assert_false(seen_add(s, &ana, id));
    assert_int_equal(seen_count(s), 15);
    seen_free(s);
}

static void seen_forgets_the_older_generation_as_a_whole(void **state)
{
    struct seen *s = seen_new(10, 1);
    (void)state;
    for (uint64_t id = 0; id < 20; id++) assert_true(seen_add(s, &ana, id));
    assert_int_equal(seen_count(s), 10);
    for (uint64_t id = 0; id < 10; id++) assert_false(seen_has(s, &ana, id));
    for (uint64_t id = 10; id < 20; id++) assert_true(seen_has(s, &ana, id));
    assert_true(seen_add(s, &ana, 0));
    seen_free(s);
}

static void seen_works_with_the_smallest_generation(void **state)
{
    struct seen *s = seen_new(1, 1);
    (void)state;
    assert_true(seen_add(s, &ana, 1));
    assert_false(seen_add(s, &ana, 1));
    assert_true(seen_add(s, &ana, 2));
    assert_false(seen_has(s, &ana, 1));
    assert_int_equal(seen_count(s), 1);
    seen_free(s);
}

static void seen_never_holds_more_than_two_generations(void **state)
{
    struct seen *s = seen_new(100, 1);
    (void)state;
    for (uint64_t id = 0; id < 5000; id++) {
        assert_true(seen_add(s, &ana, id));
        assert_in_range(seen_count(s), 1, 199);
        assert_true(seen_has(s, &ana, id < 99 ? 0 : id - 99));
        if (id >= 200) assert_false(seen_has(s, &ana, id - 200));
    }
    seen_free(s);
}

static void seen_answers_the_same_under_any_seed(void **state)
{
    (void)state;
    for (uint64_t seed = 2; seed < 50; seed++) {
        struct seen *one = seen_new(64, 1), *two = seen_new(64, seed * 0x9e3779b97f4a7c15u);
        for (uint64_t i = 0; i < 1000; i++) {
            const struct moth_id *src = i % 3 ? &ana : &bob;
            assert_int_equal(seen_add(two, src, i * i % 397), seen_add(one, src, i * i % 397));
            assert_int_equal(seen_count(two), seen_count(one));
        }
        seen_free(two);
        seen_free(one);
    }
}

/* Ids that differ only in their highest bits, or only in one byte of the source, must not share a slot: a pile of
 * 100,000 would need five thousand million steps. */
static void seen_is_not_slowed_by_chosen_ids(void **state)
{
    struct seen *s = seen_new(1000000, 99);
    (void)state;
    for (uint64_t i = 0; i < 100000; i++) {
        struct moth_id src = {.bytes = "chosen"};
        assert_true(seen_add(s, &ana, i << 44));
        put_uint(src.bytes + 8, i << 44, 8);
        assert_true(seen_add(s, &src, 0));
        put_uint(src.bytes + 8, i, 8);
        if (i > 0) assert_true(seen_add(s, &src, 0));
    }
    assert_int_equal(seen_count(s), 299999);
    seen_free(s);
}

static void seen_free_of_nothing_is_fine(void **state)
{
    (void)state;
    seen_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seen_remembers_nothing_at_first),
        cmocka_unit_test(seen_counts_the_first_copy_and_no_echo),
        cmocka_unit_test(seen_tells_sources_apart),
        cmocka_unit_test(seen_tells_ids_apart),
        cmocka_unit_test(seen_takes_zero_for_an_id_like_any_other),
        cmocka_unit_test(seen_only_looks_when_asked),
        cmocka_unit_test(seen_remembers_across_a_turn_of_generations),
        cmocka_unit_test(seen_forgets_the_older_generation_as_a_whole),
        cmocka_unit_test(seen_works_with_the_smallest_generation),
        cmocka_unit_test(seen_never_holds_more_than_two_generations),
        cmocka_unit_test(seen_answers_the_same_under_any_seed),
        cmocka_unit_test(seen_is_not_slowed_by_chosen_ids),
        cmocka_unit_test(seen_free_of_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
