/* test_overlay.c -- names in order: against a plain sorted list, through many random changes. */
#include "node/overlay.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#define NAMES 700
#define STEPS 20000

static struct overlay overlay;
static bool there[NAMES]; /* the model, by number */
static char names[NAMES][4];

static int set_up(void **state)
{
    (void)state;
    overlay_init(&overlay, 77);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    overlay_fini(&overlay);
    return 0;
}

static struct overlay_entry *add(const char *name)
{
    return overlay_add(&overlay, slice_text(name));
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof names[0]);
}

static void make_names(void)
{
    for (unsigned i = 0; i < NAMES; i++) {
        unsigned bytes = 1 + i % 3, number = i / 3;
        memset(names[i], 0, sizeof names[i]);
        for (unsigned b = 0; b < bytes; b++, number /= 7) names[i][b] = (char)('a' + number % 7);
    }
    qsort(names, NAMES, sizeof names[0], compare);
}

static void test_an_empty_overlay_finds_nothing(void **state)
{
    (void)state;
    assert_null(overlay_find(&overlay, slice_text("a")));
    assert_null(overlay_after(&overlay, slice_text("")));
}

static void test_a_name_is_kept_once(void **state)
{
    (void)state;
    struct overlay_entry *e = add("name");
    assert_ptr_equal(add("name"), e);
    assert_ptr_equal(overlay_find(&overlay, slice_text("name")), e);
    assert_null(overlay_find(&overlay, slice_text("nam")));
    assert_null(overlay_find(&overlay, slice_text("names")));
    overlay_remove(&overlay, e);
    assert_null(overlay_find(&overlay, slice_text("name")));
}

static void test_the_order_is_that_of_bytes_and_shorter_names_come_first(void **state)
{
    static const char *const sorted[] = {"A", "a", "aa", "ab", "b", "\xff", "\xff\x01"};
    (void)state;
    for (unsigned i = 7; i-- > 0;) add(sorted[i]);
    const struct overlay_entry *e = overlay_after(&overlay, slice_text(""));
    for (unsigned i = 0; i < 7; i++, e = e->after[0]) assert_true(slice_equal(e->name, slice_text(sorted[i])));
    assert_null(e);
    assert_true(overlay_compare(slice_text("a"), slice_text("a")) == 0);
}

static void test_after_is_above_whether_the_name_is_there_or_not(void **state)
{
    (void)state;
    struct overlay_entry *b = add("b"), *d = add("d");
    assert_ptr_equal(overlay_after(&overlay, slice_text("a")), b);
    assert_ptr_equal(overlay_after(&overlay, slice_text("b")), d);
    assert_ptr_equal(overlay_after(&overlay, slice_text("c")), d);
    assert_null(overlay_after(&overlay, slice_text("d")));
}

static void check_all(void)
{
    const struct overlay_entry *e = overlay_after(&overlay, slice_of("", 0));
    for (unsigned i = 0; i < NAMES; i++) {
        if (!there[i]) continue;
        assert_non_null(e);
        assert_true(overlay_compare(e->name, slice_text(names[i])) == 0);
        e = e->after[0];
    }
    assert_null(e);
}

static void test_many_changes_leave_what_a_sorted_list_has(void **state)
{
    uint64_t random = 5;
    (void)state;
    make_names();
    for (unsigned step = 0; step < STEPS; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        unsigned i = (unsigned)(random >> 33) % NAMES;
        if (i > 0 && memcmp(names[i], names[i - 1], sizeof names[i]) == 0) continue; /* once is enough */
        struct overlay_entry *e = overlay_find(&overlay, slice_text(names[i]));
        assert_int_equal(e != NULL, there[i]);
        if (e) overlay_remove(&overlay, e);
        else add(names[i]);
        there[i] = !there[i];
        if (step % 500 == 0) check_all();
    }
    check_all();
}

static void test_what_is_staged_goes_with_the_overlay(void **state)
{
    (void)state;
    add("a")->staged = mem_new(8); /* freed by tear_down */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_empty_overlay_finds_nothing),
        TEST(test_a_name_is_kept_once),
        TEST(test_the_order_is_that_of_bytes_and_shorter_names_come_first),
        TEST(test_after_is_above_whether_the_name_is_there_or_not),
        TEST(test_many_changes_leave_what_a_sorted_list_has),
        TEST(test_what_is_staged_goes_with_the_overlay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
