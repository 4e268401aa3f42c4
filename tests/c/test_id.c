/* test_id.c -- node ids: as text, in order, and as keys of a map.
 *
 * The map is checked against a plain array under random coming and going, for removal moves entries about. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/id.h"

#define TEXT "0123456789abcdef00ff7f80deadbeef"

static const struct moth_id sample = {
    .bytes = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x00, 0xff, 0x7f, 0x80, 0xde, 0xad, 0xbe, 0xef}};

static void id_is_written_as_32_hex_digits(void **state)
{
    char text[MOTH_ID_TEXT_BYTES];
    (void)state;
    moth_id_format(&sample, text);
    assert_string_equal(text, TEXT);
}

static void id_is_shown_by_its_first_8_digits(void **state)
{
    char text[ID_SHORT_BYTES];
    (void)state;
    id_format_short(&sample, text);
    assert_string_equal(text, "01234567");
}

static void id_is_read_back_from_its_text(void **state)
{
    struct moth_id id;
    (void)state;
    assert_int_equal(moth_id_parse(TEXT, 32, &id), 0);
    assert_true(id_equal(&id, &sample));
}

static void id_is_read_in_any_case_and_without_a_closing_zero(void **state)
{
    struct moth_id id;
    (void)state;
    assert_int_equal(moth_id_parse("0123456789ABCDEF00Ff7F80dEaDbEeFxyz", 32, &id), 0);
    assert_true(id_equal(&id, &sample));
}

static void assert_not_an_id(const char *text, size_t bytes)
{
    struct moth_id id = sample;
    assert_int_equal(moth_id_parse(text, bytes, &id), MOTH_EMALFORMED);
    assert_true(id_equal(&id, &sample));
}

static void id_text_that_is_too_short_is_refused(void **state)
{
    (void)state;
    assert_not_an_id(TEXT, 31);
    assert_not_an_id("", 0);
}

static void id_text_that_is_too_long_is_refused(void **state)
{
    (void)state;
    assert_not_an_id(TEXT "0", 33);
}

static void id_text_with_another_letter_is_refused_wherever_it_stands(void **state)
{
    static const char others[] = {'g', 'G', '/', ':', '@', '`', ' ', '\0', '\xe9'};
    (void)state;
    for (size_t at = 0; at < 32; at++)
        for (size_t i = 0; i < sizeof others; i++) {
            char text[33] = TEXT;
            text[at] = others[i];
            assert_not_an_id(text, 32);
        }
}

static void id_prefix_of_every_length_is_recognised(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 32; n++) {
        char text[33] = TEXT;
        text[n] = '\0';
        assert_true(id_has_prefix(&sample, text));
    }
    assert_true(id_has_prefix(&sample, "0123456789aBCd"));
}

static void id_prefix_with_one_other_digit_is_none(void **state)
{
    (void)state;
    for (size_t at = 0; at < 32; at++) {
        char text[33] = TEXT;
        text[at] = text[at] == '5' ? '6' : '5';
        assert_false(id_has_prefix(&sample, text));
    }
}

static void id_prefix_is_never_empty(void **state)
{
    (void)state;
    assert_false(id_has_prefix(&sample, ""));
}

static void id_prefix_is_never_longer_than_the_id(void **state)
{
    (void)state;
    assert_false(id_has_prefix(&sample, TEXT "0"));
}

static void id_prefix_has_nothing_but_hex_digits(void **state)
{
    (void)state;
    assert_false(id_has_prefix(&sample, "0x01"));
    assert_false(id_has_prefix(&sample, "01g"));
    assert_false(id_has_prefix(&sample, " 01"));
}

static void id_order_is_that_of_the_bytes(void **state)
{
    struct moth_id low = {.bytes = {0x7f, 0xff}}, high = {.bytes = {0x80, 0x00}};
    (void)state;
    assert_true(id_compare(&low, &high) < 0);
    assert_true(id_compare(&high, &low) > 0);
    assert_int_equal(id_compare(&low, &low), 0);
    assert_false(id_equal(&low, &high));
}

static void id_zero_has_every_byte_zero(void **state)
{
    struct moth_id id = {{0}};
    (void)state;
    assert_true(id_is_zero(&id));
    id.bytes[15] = 1;
    assert_false(id_is_zero(&id));
}

static void id_is_16_bytes_on_the_wire(void **state)
{
    uint8_t wire[MOTH_ID_BYTES] = {0};
    struct reader r = reader_of(slice_of(wire, sizeof wire));
    struct moth_id id, next;
    (void)state;
    assert_ptr_equal(put_id(wire, &sample), wire + 16);
    read_id(&r, &id);
    assert_true(id_equal(&id, &sample));
    assert_true(reader_finished(&r));
    read_id(&r, &next);
    assert_true(id_is_zero(&next));
    assert_true(r.failed);
}

static void *value_of(size_t n)
{
    return (void *)(uintptr_t)n;
}

static void id_map_finds_nothing_while_empty(void **state)
{
    struct id_map map;
    struct moth_id id;
    void *value;
    size_t at = 0;
    (void)state;
    id_map_init(&map, 1);
    assert_null(id_map_find(&map, &sample));
    id_map_remove(&map, &sample);
    assert_false(id_map_next(&map, &at, &id, &value));
    assert_int_equal(map.count, 0);
    id_map_fini(&map);
}

static void id_map_finds_what_was_put(void **state)
{
    struct id_map map;
    struct moth_id other = {{1}};
    (void)state;
    id_map_init(&map, 1);
    id_map_put(&map, &sample, value_of(7));
    assert_ptr_equal(id_map_find(&map, &sample), value_of(7));
    assert_null(id_map_find(&map, &other));
    id_map_fini(&map);
}

static void id_map_put_replaces(void **state)
{
    struct id_map map;
    (void)state;
    id_map_init(&map, 1);
    id_map_put(&map, &sample, value_of(7));
    id_map_put(&map, &sample, value_of(8));
    assert_ptr_equal(id_map_find(&map, &sample), value_of(8));
    assert_int_equal(map.count, 1);
    id_map_fini(&map);
}

static void id_map_forgets_what_was_removed(void **state)
{
    struct id_map map;
    struct moth_id other = {{1}};
    (void)state;
    id_map_init(&map, 1);
    id_map_put(&map, &sample, value_of(7));
    id_map_remove(&map, &other);
    assert_int_equal(map.count, 1);
    id_map_remove(&map, &sample);
    assert_null(id_map_find(&map, &sample));
    assert_int_equal(map.count, 0);
    id_map_fini(&map);
}

static void id_map_takes_zero_for_an_id_like_any_other(void **state)
{
    struct id_map map;
    struct moth_id id = {{0}};
    (void)state;
    id_map_init(&map, 0);
    assert_null(id_map_find(&map, &id));
    id_map_put(&map, &id, value_of(1));
    assert_ptr_equal(id_map_find(&map, &id), value_of(1));
    id_map_fini(&map);
}

static void id_map_is_usable_again_after_fini(void **state)
{
    struct id_map map;
    (void)state;
    id_map_init(&map, 1);
    id_map_put(&map, &sample, value_of(7));
    id_map_fini(&map);
    assert_null(id_map_find(&map, &sample));
    id_map_put(&map, &sample, value_of(8));
    assert_ptr_equal(id_map_find(&map, &sample), value_of(8));
    id_map_fini(&map);
}

#define MEMBERS 300

static struct moth_id member(size_t n)
{
    struct moth_id id = {{0}};
    put_uint(id.bytes + 7, n, 2);
    return id;
}

static void id_map_next_visits_everyone_once(void **state)
{
    struct id_map map;
    bool visited[MEMBERS] = {false};
    struct moth_id id;
    void *value;
    size_t count = 0, at = 0;
    (void)state;
    id_map_init(&map, 5);
    for (size_t n = 0; n < MEMBERS; n++) {
        id = member(n);
        id_map_put(&map, &id, value_of(n + 1));
    }
    for (; id_map_next(&map, &at, &id, &value); count++) {
        size_t n = (uintptr_t)value - 1;
        struct moth_id expected = member(n);
        assert_true(id_equal(&id, &expected));
        assert_false(visited[n]);
        visited[n] = true;
    }
    assert_int_equal(count, MEMBERS);
    id_map_fini(&map);
}

static void assert_map_holds(const struct id_map *map, const size_t values[MEMBERS])
{
    size_t count = 0;
    for (size_t n = 0; n < MEMBERS; n++) {
        struct moth_id id = member(n);
        assert_ptr_equal(id_map_find(map, &id), value_of(values[n]));
        count += values[n] != 0;
    }
    assert_int_equal(map->count, count);
}

static void id_map_agrees_with_an_array_whatever_happens(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct id_map map;
        size_t values[MEMBERS] = {0};
        uint64_t random = seed;
        id_map_init(&map, seed);
        for (size_t step = 1; step < 4000; step++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            size_t n = (random >> 40) % MEMBERS;
            struct moth_id id = member(n);
            values[n] = random >> 63 ? step : 0;
            if (values[n]) id_map_put(&map, &id, value_of(step));
            else id_map_remove(&map, &id);
            if (step % 100 == 0) assert_map_holds(&map, values);
        }
        id_map_fini(&map);
    }
}

/* Filling and emptying for ever must neither grow the map nor slow it down: no slot stays taken by the dead. */
static void id_map_does_not_grow_when_members_come_and_go(void **state)
{
    struct id_map map;
    (void)state;
    id_map_init(&map, 9);
    for (size_t n = 0; n < 60000; n++) {
        struct moth_id in = member(n), out = member(n - 10);
        id_map_put(&map, &in, value_of(1));
        if (n >= 10) id_map_remove(&map, &out);
    }
    assert_int_equal(map.count, 10);
    assert_in_range(map.capacity, 1, 16);
    id_map_fini(&map);
}

static void id_with_another_number_is_another_key(void **state)
{
    struct moth_id a = {{1, 2, 3}}, b = {{1, 2, 4}}, before = a;
    (void)state;
    struct moth_id key = id_with(&a, 7), same = id_with(&a, 7), other = id_with(&a, 8), others = id_with(&b, 7);
    assert_true(id_equal(&key, &same));
    assert_false(id_equal(&key, &other));
    assert_false(id_equal(&key, &others));
    assert_true(id_equal(&a, &before));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id_is_written_as_32_hex_digits),
        cmocka_unit_test(id_is_shown_by_its_first_8_digits),
        cmocka_unit_test(id_is_read_back_from_its_text),
        cmocka_unit_test(id_is_read_in_any_case_and_without_a_closing_zero),
        cmocka_unit_test(id_text_that_is_too_short_is_refused),
        cmocka_unit_test(id_text_that_is_too_long_is_refused),
        cmocka_unit_test(id_text_with_another_letter_is_refused_wherever_it_stands),
        cmocka_unit_test(id_prefix_of_every_length_is_recognised),
        cmocka_unit_test(id_prefix_with_one_other_digit_is_none),
        cmocka_unit_test(id_prefix_is_never_empty),
        cmocka_unit_test(id_prefix_is_never_longer_than_the_id),
        cmocka_unit_test(id_prefix_has_nothing_but_hex_digits),
        cmocka_unit_test(id_order_is_that_of_the_bytes),
        cmocka_unit_test(id_zero_has_every_byte_zero),
        cmocka_unit_test(id_is_16_bytes_on_the_wire),
        cmocka_unit_test(id_map_finds_nothing_while_empty),
        cmocka_unit_test(id_map_finds_what_was_put),
        cmocka_unit_test(id_map_put_replaces),
        cmocka_unit_test(id_map_forgets_what_was_removed),
        cmocka_unit_test(id_map_takes_zero_for_an_id_like_any_other),
        cmocka_unit_test(id_map_is_usable_again_after_fini),
        cmocka_unit_test(id_map_next_visits_everyone_once),
        cmocka_unit_test(id_map_agrees_with_an_array_whatever_happens),
        cmocka_unit_test(id_map_does_not_grow_when_members_come_and_go),
        cmocka_unit_test(id_with_another_number_is_another_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
