/* test_recent.c -- was this message here before?
 *
 * Random ids are checked against a list of all that was ever taken. The set may forget, never err: what it calls known
 * was taken, what it takes is new, and what it calls too old lies below the newest seven eighths of a full set. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/recent.h"

#include <stdlib.h>

static uint64_t random_below(uint64_t *seed, uint64_t bound)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (*seed >> 33) % bound;
}

static struct recent_ids *filled(size_t max, uint64_t first, size_t count)
{
    struct recent_ids *r = recent_new(max);
    for (size_t i = 0; i < count; i++) assert_int_equal(recent_add(r, first + i), 0);
    return r;
}

static void recent_takes_an_id_once(void **state)
{
    struct recent_ids *r = recent_new(100);
    (void)state;
    assert_int_equal(recent_add(r, 7), 0);
    assert_int_equal(recent_add(r, 7), MOTH_EDUPLICATE);
    assert_int_equal(r->count, 1);
    recent_free(r);
}

static void recent_takes_ids_in_any_order(void **state)
{
    static const uint64_t ids[] = {50, 10, 90, 70, 30, UINT64_MAX, 1};
    struct recent_ids *r = recent_new(100);
    (void)state;
    for (size_t i = 0; i < 7; i++) assert_int_equal(recent_add(r, ids[i]), 0);
    for (size_t i = 0; i < 7; i++) assert_int_equal(recent_add(r, ids[i]), MOTH_EDUPLICATE);
    recent_free(r);
}

static void recent_refuses_zero_which_is_no_id(void **state)
{
    struct recent_ids *r = recent_new(100);
    (void)state;
    assert_int_equal(recent_add(r, 0), MOTH_ETOO_OLD);
    recent_free(r);
}

static void recent_only_looks_when_asked(void **state)
{
    struct recent_ids *r = filled(8, 10, 8);
    (void)state;
    assert_int_equal(recent_check(r, 18), 0);
    assert_int_equal(recent_check(r, 18), 0);
    assert_int_equal(recent_check(r, 17), MOTH_EDUPLICATE);
    assert_int_equal(r->count, 8);
    assert_int_equal(r->floor, 0);
    recent_free(r);
}

static void recent_forgets_the_lowest_eighth_when_full(void **state)
{
    struct recent_ids *r = filled(64, 1, 64);
    (void)state;
    assert_int_equal(recent_add(r, 65), 0);
    assert_int_equal(r->count, 56);
    assert_int_equal(r->floor, 9);
    assert_int_equal(recent_add(r, 9), MOTH_ETOO_OLD);
    assert_int_equal(recent_add(r, 10), MOTH_EDUPLICATE);
    recent_free(r);
}

static void recent_refuses_what_lies_below_a_full_set_and_forgets_nothing_for_it(void **state)
{
    struct recent_ids *r = filled(64, 100, 64);
    (void)state;
    assert_int_equal(recent_add(r, 99), MOTH_ETOO_OLD);
    assert_int_equal(recent_add(r, 1), MOTH_ETOO_OLD);
    assert_int_equal(r->count, 64);
    for (uint64_t id = 100; id < 164; id++) assert_int_equal(recent_add(r, id), MOTH_EDUPLICATE);
    recent_free(r);
}

static void recent_takes_what_lies_below_a_set_with_room(void **state)
{
    struct recent_ids *r = filled(64, 100, 63);
    (void)state;
    assert_int_equal(recent_add(r, 99), 0);
    assert_int_equal(recent_add(r, 99), MOTH_EDUPLICATE);
    recent_free(r);
}

static void recent_holds_a_single_id_when_that_is_its_size(void **state)
{
    struct recent_ids *r = recent_new(1);
    (void)state;
    assert_int_equal(recent_add(r, 5), 0);
    assert_int_equal(recent_add(r, 5), MOTH_EDUPLICATE);
    assert_int_equal(recent_add(r, 4), MOTH_ETOO_OLD);
    assert_int_equal(recent_add(r, 6), 0);
    assert_int_equal(recent_add(r, 5), MOTH_ETOO_OLD);
    assert_int_equal(r->count, 1);
    recent_free(r);
}

static void recent_raised_keeps_the_newest(void **state)
{
    struct recent_ids *r = filled(64, 1, 20);
    (void)state;
    recent_raise(r, 5);
    assert_int_equal(r->count, 5);
    assert_int_equal(recent_check(r, 15), MOTH_ETOO_OLD);
    assert_int_equal(recent_check(r, 16), MOTH_EDUPLICATE);
    recent_raise(r, 6); /* nothing to do */
    assert_int_equal(r->count, 5);
    recent_free(r);
}

static void recent_raised_to_nothing_refuses_all_it_held(void **state)
{
    struct recent_ids *r = filled(64, 1, 20);
    (void)state;
    recent_raise(r, 0);
    assert_int_equal(r->count, 0);
    assert_int_equal(recent_add(r, 20), MOTH_ETOO_OLD);
    assert_int_equal(recent_add(r, 21), 0);
    recent_free(r);
}

static void recent_frees_nothing_gladly(void **state)
{
    (void)state;
    recent_free(NULL);
}

#define RANGE 3000u

/* How many ids above `id` were taken. */
static size_t taken_above(const bool taken[RANGE], uint64_t id)
{
    size_t count = 0;
    for (uint64_t i = id + 1; i < RANGE; i++) count += taken[i];
    return count;
}

static void assert_sorted(const struct recent_ids *r)
{
    assert_true(r->count <= r->max && r->capacity <= r->max);
    for (size_t i = 0; i < r->count; i++) assert_true(r->ids[i] > (i ? r->ids[i - 1] : r->floor));
}

static void try_one(struct recent_ids *r, bool taken[RANGE], uint64_t id)
{
    int foreseen = recent_check(r, id), rc = recent_add(r, id);
    assert_int_equal(foreseen, rc);
    if (rc == 0) assert_false(taken[id]);
    if (rc == MOTH_EDUPLICATE) assert_true(taken[id]);
    if (rc == MOTH_ETOO_OLD) assert_true(id == 0 || taken_above(taken, id) >= r->max - r->max / 8 - 1);
    if (rc == 0) taken[id] = true;
    assert_sorted(r);
}

/* Ids near a mark that rises, as from a network that reorders; now and then from anywhere. */
static void random_walk(size_t max, uint64_t seed)
{
    bool taken[RANGE] = {false};
    struct recent_ids *r = recent_new(max);
    for (unsigned turn = 0; turn < 4000; turn++) {
        uint64_t mark = 1 + (uint64_t)turn * (RANGE - 100) / 4000;
        uint64_t id = random_below(&seed, 10) == 0 ? random_below(&seed, RANGE) : mark + random_below(&seed, 99);
        try_one(r, taken, id);
    }
    recent_free(r);
}

static void recent_agrees_with_a_list_of_all_that_was_taken(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 7, 8, 9, 16, 17, 33, 64, 100, 1024, 5000};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) random_walk(sizes[i], i + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recent_takes_an_id_once),
        cmocka_unit_test(recent_takes_ids_in_any_order),
        cmocka_unit_test(recent_refuses_zero_which_is_no_id),
        cmocka_unit_test(recent_only_looks_when_asked),
        cmocka_unit_test(recent_forgets_the_lowest_eighth_when_full),
        cmocka_unit_test(recent_refuses_what_lies_below_a_full_set_and_forgets_nothing_for_it),
        cmocka_unit_test(recent_takes_what_lies_below_a_set_with_room),
        cmocka_unit_test(recent_holds_a_single_id_when_that_is_its_size),
        cmocka_unit_test(recent_raised_keeps_the_newest),
        cmocka_unit_test(recent_raised_to_nothing_refuses_all_it_held),
        cmocka_unit_test(recent_frees_nothing_gladly),
        cmocka_unit_test(recent_agrees_with_a_list_of_all_that_was_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
