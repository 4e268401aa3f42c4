/* test_lookup.c -- things found by a hash of the key they carry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/lookup.h"
#include "base/mem.h"

#include <stdlib.h>

#define THINGS 2000

static const char *find(const struct lookup *l, uint32_t hash, const char *text)
{
    size_t at = 0;
    const char *found = lookup_find(l, hash, &at);
    while (found && strcmp(found, text) != 0) found = lookup_find(l, hash, &at);
    return found;
}

static void test_nothing_is_found_in_an_empty_one(void **state)
{
    struct lookup l = {0};
    size_t at = 0;
    (void)state;
    assert_null(lookup_find(&l, 7, &at));
    at = 0;
    assert_null(lookup_next(&l, &at));
    lookup_remove(&l, 7, "a");
    assert_int_equal(l.count, 0);
    lookup_fini(&l);
}

static void test_all_that_came_under_one_hash_are_found(void **state)
{
    struct lookup l = {0};
    char a[] = "a", b[] = "b", c[] = "c";
    (void)state;
    lookup_add(&l, 7, a);
    lookup_add(&l, 7, b);
    lookup_add(&l, 15, c); /* its home is the same place */
    assert_ptr_equal(find(&l, 7, "a"), a);
    assert_ptr_equal(find(&l, 7, "b"), b);
    assert_null(find(&l, 7, "c"));
    assert_ptr_equal(find(&l, 15, "c"), c);
    lookup_fini(&l);
}

static void test_removing_one_hides_none_of_its_hash(void **state)
{
    struct lookup l = {0};
    char a[] = "a", b[] = "b", c[] = "c";
    (void)state;
    lookup_add(&l, 7, a);
    lookup_add(&l, 15, c);
    lookup_add(&l, 7, b);
    lookup_remove(&l, 7, a);
    assert_null(find(&l, 7, "a"));
    assert_ptr_equal(find(&l, 7, "b"), b);
    assert_ptr_equal(find(&l, 15, "c"), c);
    assert_int_equal(l.count, 2);
    lookup_remove(&l, 7, c); /* not under this hash */
    assert_int_equal(l.count, 2);
    lookup_fini(&l);
}

/* Many share few hashes; each third one leaves. */
static void test_each_of_many_is_found_until_it_is_removed(void **state)
{
    struct lookup l = {0};
    static char things[THINGS];
    size_t at, seen = 0;
    (void)state;
    for (uint32_t i = 0; i < THINGS; i++) lookup_add(&l, i * 2654435761u % 300, &things[i]);
    for (uint32_t i = 0; i < THINGS; i += 3) lookup_remove(&l, i * 2654435761u % 300, &things[i]);
    for (uint32_t i = 0; i < THINGS; i++) {
        uint32_t hash = i * 2654435761u % 300;
        at = 0;
        const void *found = lookup_find(&l, hash, &at);
        while (found && found != &things[i]) found = lookup_find(&l, hash, &at);
        assert_ptr_equal(found, i % 3 == 0 ? NULL : &things[i]);
    }
    for (at = 0; lookup_next(&l, &at);) seen++;
    assert_int_equal(seen, l.count);
    assert_int_equal(seen, THINGS - (THINGS + 2) / 3);
    lookup_fini(&l);
}

/* Keys that differ in few bits, at either end, must not crowd in few places of a small table. */
static void test_keys_that_are_nearly_alike_spread(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 16; at++) {
        unsigned used[64] = {0}, most = 0;
        uint8_t key[16] = "just the same 1";
        for (unsigned i = 0; i < 256; i++) {
            key[at] = (uint8_t)i;
            unsigned *place = &used[lookup_hash(42, slice_of(key, sizeof key)) % 64];
            if (++*place > most) most = *place;
        }
        assert_true(most <= 16); /* 4 each, were it even */
    }
}

static void test_the_hash_depends_on_seed_and_length(void **state)
{
    static const uint8_t zeros[16];
    (void)state;
    assert_int_not_equal(lookup_hash(1, slice_of(zeros, 8)), lookup_hash(2, slice_of(zeros, 8)));
    assert_int_not_equal(lookup_hash(1, slice_of(zeros, 7)), lookup_hash(1, slice_of(zeros, 8)));
    assert_int_equal(lookup_hash(1, slice_of(zeros, 8)), lookup_hash(1, slice_of(zeros, 8)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_found_in_an_empty_one),
        cmocka_unit_test(test_all_that_came_under_one_hash_are_found),
        cmocka_unit_test(test_removing_one_hides_none_of_its_hash),
        cmocka_unit_test(test_each_of_many_is_found_until_it_is_removed),
        cmocka_unit_test(test_keys_that_are_nearly_alike_spread),
        cmocka_unit_test(test_the_hash_depends_on_seed_and_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
