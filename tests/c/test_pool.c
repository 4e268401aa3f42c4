/* test_pool.c -- bytes held once by many, and what is known of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/pool.h"

#include <stdlib.h>

static void test_pool_holds_equal_bytes_once(void **state)
{
    struct moth_pool *pool = pool_new();
    char text[] = "the same bytes";
    struct pooled *a = pool_take(pool, slice_text("the same bytes")), *b = pool_take(pool, slice_text(text));
    (void)state;
    assert_ptr_equal(a, b);
    assert_int_equal(a->holders, 2);
    assert_int_equal(pool_count(pool), 1);
    pool_drop(a);
    pool_drop(b);
    pool_free(pool);
}

static void test_pool_tells_other_bytes_apart(void **state)
{
    struct moth_pool *pool = pool_new();
    static const uint8_t zeros[24];
    struct pooled *all[25];
    (void)state;
    for (size_t n = 0; n <= 24; n++) all[n] = pool_take(pool, slice_of(zeros, n)); /* only their lengths differ */
    assert_int_equal(pool_count(pool), 25);
    for (size_t n = 0; n <= 24; n++) {
        assert_int_equal(all[n]->size, n);
        pool_drop(all[n]);
    }
    pool_free(pool);
}

static void test_pool_finds_only_what_somebody_holds(void **state)
{
    struct moth_pool *pool = pool_new();
    struct slice bytes = slice_text("an advert");
    (void)state;
    assert_null(pool_find(pool, bytes));
    struct pooled *p = pool_take(pool, bytes);
    assert_ptr_equal(pool_find(pool, bytes), p);
    assert_null(pool_find(pool, slice_text("an Advert")));
    pool_drop(p);
    assert_null(pool_find(pool, bytes));
    pool_free(pool);
}

static void test_pool_keeps_what_is_known_of_the_bytes_until_nobody_holds_them(void **state)
{
    struct moth_pool *pool = pool_new();
    struct pooled *p = pool_take(pool, slice_text("bytes"));
    (void)state;
    p->memo = mem_text("their signature holds");
    struct pooled *again = pool_take(pool, slice_text("bytes"));
    pool_drop(p);
    assert_string_equal(again->memo, "their signature holds");
    pool_drop(again);
    again = pool_take(pool, slice_text("bytes"));
    assert_null(again->memo);
    pool_drop(again);
    pool_free(pool);
}

static void test_without_a_pool_nobody_shares(void **state)
{
    struct pooled *a = pool_take(NULL, slice_text("bytes")), *b = pool_take(NULL, slice_text("bytes"));
    (void)state;
    assert_ptr_not_equal(a, b);
    assert_null(pool_find(NULL, slice_text("bytes")));
    assert_null(pool_scratch(NULL, 100));
    pool_drop(pool_hold(a));
    assert_memory_equal(a->bytes, "bytes", 5);
    pool_drop(a);
    pool_drop(b);
    pool_drop(NULL);
    pool_free(NULL);
}

/* It grows several times, and things leave it in another order than they came. */
static void test_pool_finds_each_of_many(void **state)
{
    enum { COUNT = 3000 };
    struct moth_pool *pool = pool_new();
    struct pooled **all = mem_array(COUNT, sizeof(struct pooled *));
    (void)state;
    for (uint32_t i = 0; i < COUNT; i++) all[i] = pool_take(pool, slice_of(&i, sizeof i));
    for (uint32_t i = 0; i < COUNT; i += 3) pool_drop(all[i]);
    assert_int_equal(pool_count(pool), COUNT - COUNT / 3);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_ptr_equal(pool_find(pool, slice_of(&i, sizeof i)), i % 3 == 0 ? NULL : all[i]);
    for (uint32_t i = 0; i < COUNT; i++)
        if (i % 3 != 0) pool_drop(all[i]);
    free(all);
    pool_free(pool);
}

static void test_pool_lends_one_scratch_that_grows(void **state)
{
    struct moth_pool *pool = pool_new();
    (void)state;
    uint8_t *small = pool_scratch(pool, 10);
    assert_ptr_equal(pool_scratch(pool, 5), small);
    uint8_t *large = pool_scratch(pool, 100000);
    large[99999] = 1;
    assert_ptr_equal(pool_scratch(pool, 100), large);
    pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_holds_equal_bytes_once),
        cmocka_unit_test(test_pool_tells_other_bytes_apart),
        cmocka_unit_test(test_pool_finds_only_what_somebody_holds),
        cmocka_unit_test(test_pool_keeps_what_is_known_of_the_bytes_until_nobody_holds_them),
        cmocka_unit_test(test_without_a_pool_nobody_shares),
        cmocka_unit_test(test_pool_finds_each_of_many),
        cmocka_unit_test(test_pool_lends_one_scratch_that_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
