/* test_base.c -- the ground: readers that cannot run over, the byte queue, text made safe, errors with words. */
#include "base/base.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_base_numbers_are_big_endian(void **state)
{
    uint8_t out[8];
    (void)state;
    assert_ptr_equal(put_uint(out, 0x0102030405060708, 8), out + 8);
    assert_memory_equal(out, "\1\2\3\4\5\6\7\x08", 8);
    assert_ptr_equal(put_uint(out, 0xaabbcc, 3), out + 3);
    assert_memory_equal(out, "\xaa\xbb\xcc\4", 4);
    assert_true(get_uint(out, 3) == 0xaabbcc);
}

static void test_base_numbers_of_every_width_go_there_and_back(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 8; n++) {
        uint8_t out[8];
        uint64_t value = UINT64_MAX >> (64 - 8 * n) ^ 0x5a;
        put_uint(out, value, n);
        assert_true(get_uint(out, n) == value);
    }
}

static void test_base_put_bytes_of_nothing_touches_nothing(void **state)
{
    uint8_t out[1] = {7};
    (void)state;
    assert_ptr_equal(put_bytes(out, NULL, 0), out);
    assert_ptr_equal(put_bytes(out, "x", 1), out + 1);
    assert_int_equal(out[0], 'x');
}

static void test_base_slices_are_equal_by_content(void **state)
{
    (void)state;
    assert_true(slice_equal(slice_text("abc"), slice_of("abcd", 3)));
    assert_false(slice_equal(slice_text("abc"), slice_text("abd")));
    assert_false(slice_equal(slice_text("abc"), slice_text("ab")));
    assert_true(slice_equal(slice_of(NULL, 0), slice_text("")));
}

static void test_base_reader_takes_fields_in_order(void **state)
{
    uint8_t copy[2];
    struct reader r = reader_of(slice_of("\1\2\3xyrest", 9));
    (void)state;
    assert_int_equal(read_uint(&r, 1), 1);
    assert_int_equal(read_uint(&r, 2), 0x0203);
    read_copy(&r, copy, 2);
    assert_memory_equal(copy, "xy", 2);
    assert_int_equal(reader_left(&r), 4);
    assert_memory_equal(read_raw(&r, 4), "rest", 4);
    assert_true(reader_finished(&r));
}

static void test_base_reader_fails_past_the_end_and_stays_failed(void **state)
{
    struct reader r = reader_of(slice_of("abc", 3));
    (void)state;
    assert_int_equal(read_uint(&r, 4), 0);
    assert_true(r.failed);
    assert_int_equal(reader_left(&r), 0);
    assert_null(read_raw(&r, 1)); /* though a byte would be there */
    assert_int_equal(read_uint(&r, 1), 0);
    assert_false(reader_finished(&r));
}

static void test_base_reader_zeroes_copies_once_it_failed(void **state)
{
    uint8_t copy[4] = {1, 2, 3, 4};
    struct reader r = reader_of(slice_of("abc", 3));
    (void)state;
    read_copy(&r, copy, 4);
    assert_memory_equal(copy, "\0\0\0\0", 4);
}

static void test_base_reader_refuses_sizes_beyond_memory(void **state)
{
    struct reader r = reader_of(slice_of("abc", 3));
    (void)state;
    assert_null(read_raw(&r, SIZE_MAX));
    assert_true(r.failed);
}

static void test_base_reader_of_a_null_slice_is_empty_not_failed(void **state)
{
    struct reader r = reader_of(slice_of(NULL, 0));
    (void)state;
    assert_true(reader_finished(&r));
    assert_non_null(read_raw(&r, 0));
    assert_null(read_raw(&r, 1));
    assert_false(reader_finished(&r));
}

static void test_base_reader_with_bytes_left_is_not_finished(void **state)
{
    struct reader r = reader_of(slice_of("ab", 2));
    (void)state;
    read_uint(&r, 1);
    assert_false(reader_finished(&r));
    read_uint(&r, 1);
    assert_true(reader_finished(&r));
}

static void test_buf_empty_holds_no_memory(void **state)
{
    struct buf b = {0};
    (void)state;
    assert_int_equal(buf_bytes(&b), 0);
    assert_null(buf_span(&b).data);
    buf_add(&b, "", 0);
    assert_null(b.data);
    buf_add(&b, "abc", 3);
    buf_consume(&b, 3);
    assert_null(b.data);
    assert_int_equal(b.capacity, 0);
}

static void test_buf_gives_bytes_in_the_order_they_came(void **state)
{
    struct buf b = {0};
    (void)state;
    buf_add(&b, "hello", 5);
    buf_add(&b, " moth", 5);
    buf_consume(&b, 2);
    assert_int_equal(buf_bytes(&b), 8);
    assert_memory_equal(buf_span(&b).data, "llo moth", 8);
    buf_fini(&b);
}

static void test_buf_reserve_then_grow_adds_what_was_written(void **state)
{
    struct buf b = {0};
    (void)state;
    memcpy(buf_reserve(&b, 1000), "abc", 3);
    assert_int_equal(buf_bytes(&b), 0);
    buf_grow(&b, 3);
    assert_int_equal(buf_bytes(&b), 3);
    assert_memory_equal(buf_span(&b).data, "abc", 3);
    buf_fini(&b);
}

static void test_buf_reclaims_its_front_without_growing(void **state)
{
    struct buf b = {0};
    uint8_t block[200];
    (void)state;
    memset(block, 'a', sizeof block);
    buf_add(&b, block, sizeof block);
    size_t capacity = b.capacity;
    buf_consume(&b, 150);
    memset(block, 'b', sizeof block);
    buf_add(&b, block, 150);
    assert_int_equal(b.capacity, capacity);
    assert_int_equal(b.start, 0);
    assert_int_equal(buf_bytes(&b), 200);
    assert_int_equal(buf_span(&b).data[49], 'a');
    assert_int_equal(buf_span(&b).data[50], 'b');
    buf_fini(&b);
}

static void test_buf_keeps_its_bytes_while_it_grows(void **state)
{
    struct buf b = {0};
    (void)state;
    for (unsigned i = 0; i < 10000; i++) buf_add(&b, &(uint8_t){(uint8_t)i}, 1);
    buf_consume(&b, 100);
    for (unsigned i = 0; i < 10000; i++) buf_add(&b, &(uint8_t){(uint8_t)i}, 1);
    assert_int_equal(buf_bytes(&b), 19900);
    for (size_t i = 0; i < 9900; i++) assert_int_equal(buf_span(&b).data[i], (uint8_t)(i + 100));
    for (size_t i = 0; i < 10000; i++) assert_int_equal(buf_span(&b).data[9900 + i], (uint8_t)i);
    buf_fini(&b);
    assert_null(b.data);
}

/* A long random life against a plain array. */
static void test_buf_agrees_with_a_plain_array(void **state)
{
    static uint8_t model[1 << 16];
    struct buf b = {0};
    size_t from = 0, to = 0;
    uint32_t draw = 1;
    (void)state;
    while (to + 1024 < sizeof model) {
        draw = draw * 1664525 + 1013904223;
        size_t n = (draw >> 16) % 512;
        if (draw >> 31) {
            for (size_t i = 0; i < n; i++) model[to + i] = (uint8_t)(draw >> (i % 24));
            buf_add(&b, model + to, n);
            to += n;
        } else {
            if (n > to - from) n = to - from;
            buf_consume(&b, n);
            from += n;
        }
        assert_int_equal(buf_bytes(&b), to - from);
        if (to > from) assert_memory_equal(buf_span(&b).data, model + from, to - from);
    }
    buf_fini(&b);
}

/* What text_safe makes of `bytes` bytes of `text`, with room enough. */
static const char *safe_bytes(const char *text, size_t bytes)
{
    static char out[1024];
    size_t used = text_safe(slice_of(text, bytes), out, sizeof out);
    assert_int_equal(used, strlen(out));
    return out;
}

static const char *safe(const char *text)
{
    return safe_bytes(text, strlen(text));
}

static void test_text_printable_ascii_stays(void **state)
{
    char all[96];
    (void)state;
    for (int c = 0x20; c < 0x7f; c++) all[c - 0x20] = (char)c;
    all[0x7f - 0x20] = '\0';
    assert_string_equal(safe(all), all);
    assert_string_equal(safe(""), "");
}

static void test_text_every_control_byte_is_escaped(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 0x100; c = c == 0x1f ? 0x7f : c + 1) {
        char byte = (char)c, expected[8];
        sprintf(expected, "\\x%02x", c);
        assert_string_equal(safe_bytes(&byte, 1), expected); /* above 0x7f: a lone byte is broken UTF-8 */
    }
}

static void test_text_escape_sequences_lose_their_power(void **state)
{
    (void)state;
    assert_string_equal(safe("\x1b[2J\x1b]0;title\a"), "\\x1b[2J\\x1b]0;title\\x07");
    assert_string_equal(safe("two\r\nlines\ttab"), "two\\x0d\\x0alines\\x09tab");
}

static void test_text_utf8_stays(void **state)
{
    static const char *const texts[] = {"\xc2\xa0", "\xc3\xa9t\xc3\xa9", "\xdf\xbf", "\xe0\xa0\x80", "\xe2\x82\xac",
                                        "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf0\x90\x80\x80",
                                        "\xf0\x9f\xa6\x8b", "\xf4\x8f\xbf\xbf"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_string_equal(safe(texts[i]), texts[i]);
}

static void test_text_c1_controls_are_escaped(void **state)
{
    (void)state;
    assert_string_equal(safe("\xc2\x80"), "\\xc2\\x80");
    assert_string_equal(safe("\xc2\x9b" "31m"), "\\xc2\\x9b31m");
    assert_string_equal(safe("\xc2\x9f"), "\\xc2\\x9f");
}

static void test_text_invisible_characters_are_escaped(void **state)
{
    static const char *const texts[] = {"\xd8\x9c", "\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xa8", "\xe2\x80\xa9",
                                        "\xef\xbb\xbf", "\xf3\xa0\x80\x80", "\xf3\xa0\x81\xbf"};
    static const char *const kept[] = {"\xd8\x9b", "\xe2\x80\x8d", "\xe2\x80\x90", "\xf3\xa0\x82\x80"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_int_equal(strncmp(safe(texts[i]), "\\x", 2), 0);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) assert_string_equal(safe(kept[i]), kept[i]);
}

static void test_text_overlong_forms_are_escaped(void **state)
{
    (void)state;
    assert_string_equal(safe("\xc0\xaf"), "\\xc0\\xaf");
    assert_string_equal(safe("\xc1\xbf"), "\\xc1\\xbf");
    assert_string_equal(safe("\xe0\x9f\xbf"), "\\xe0\\x9f\\xbf");
    assert_string_equal(safe("\xf0\x8f\xbf\xbf"), "\\xf0\\x8f\\xbf\\xbf");
}

static void test_text_surrogates_and_beyond_unicode_are_escaped(void **state)
{
    (void)state;
    assert_string_equal(safe("\xed\xa0\x80"), "\\xed\\xa0\\x80");
    assert_string_equal(safe("\xed\xbf\xbf"), "\\xed\\xbf\\xbf");
    assert_string_equal(safe("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
    assert_string_equal(safe("\xf5\x80\x80\x80"), "\\xf5\\x80\\x80\\x80");
    assert_string_equal(safe("\xff\xfe"), "\\xff\\xfe");
}

static void test_text_broken_utf8_is_escaped_up_to_the_next_good_byte(void **state)
{
    (void)state;
    assert_string_equal(safe("\xe2\x82z"), "\\xe2\\x82z");
    assert_string_equal(safe("\xe2z\xac"), "\\xe2z\\xac");
    assert_string_equal(safe("\xc3\xc3\xa9"), "\\xc3\xc3\xa9");
    assert_string_equal(safe("\xa9"), "\\xa9");
    assert_string_equal(safe("\xf0\x9f\xa6"), "\\xf0\\x9f\\xa6");
}

static void test_text_cut_character_at_the_end_is_not_read_past(void **state)
{
    char *exact = malloc(2); /* so that the sanitizer sees a read past the end */
    (void)state;
    memcpy(exact, "\xe2\x82", 2);
    assert_string_equal(safe_bytes(exact, 2), "\\xe2\\x82");
    free(exact);
}

static void test_text_direction_changes_are_escaped(void **state)
{
    (void)state;
    for (unsigned last = 0xaa; last <= 0xae; last++) {
        char text[4] = {(char)0xe2, (char)0x80, (char)last}, expected[16];
        sprintf(expected, "\\xe2\\x80\\x%02x", last);
        assert_string_equal(safe(text), expected);
    }
    for (unsigned last = 0xa6; last <= 0xa9; last++) {
        char text[4] = {(char)0xe2, (char)0x81, (char)last}, expected[16];
        sprintf(expected, "\\xe2\\x81\\x%02x", last);
        assert_string_equal(safe(text), expected);
    }
    assert_string_equal(safe("\xe2\x80\xaf"), "\xe2\x80\xaf"); /* U+202F and U+2065 are neighbours of the ranges */
    assert_string_equal(safe("\xe2\x81\xa5"), "\xe2\x81\xa5");
}

static void test_text_is_cut_at_the_capacity_and_always_closed(void **state)
{
    char out[16];
    (void)state;
    memset(out, '#', sizeof out);
    assert_int_equal(text_safe(slice_text("abcdef"), out, 4), 3);
    assert_memory_equal(out, "abc\0#", 5);
    assert_int_equal(text_safe(slice_text("abc"), out, 4), 3);
    assert_int_equal(text_safe(slice_text("abc"), out, 1), 0);
    assert_int_equal(out[0], '\0');
}

static void test_text_without_capacity_writes_nothing(void **state)
{
    char out[1] = {'#'};
    (void)state;
    assert_int_equal(text_safe(slice_text("abc"), out, 0), 0);
    assert_int_equal(out[0], '#');
}

static void test_text_is_never_cut_inside_an_escape_or_a_character(void **state)
{
    char out[16];
    (void)state;
    for (size_t capacity = 2; capacity <= 5; capacity++) {
        assert_int_equal(text_safe(slice_text("a\n"), out, capacity), 1);
        assert_string_equal(out, "a");
    }
    assert_int_equal(text_safe(slice_text("a\n"), out, 6), 5);
    assert_string_equal(out, "a\\x0a");
    assert_int_equal(text_safe(slice_text("\xe2\x82\xac"), out, 3), 0);
    assert_int_equal(text_safe(slice_text("\xe2\x82\xac"), out, 4), 3);
}

struct heard {
    enum moth_log_level level;
    char text[LOG_LINE_BYTES];
};

static void hear(void *context, enum moth_log_level level, const char *text)
{
    struct heard *heard = context;
    heard->level = level;
    snprintf(heard->text, sizeof heard->text, "%s", text);
}

static void test_log_formats_one_safe_line(void **state)
{
    struct heard heard = {0};
    struct moth_host host = {.context = &heard, .log = hear};
    (void)state;
    log_write(&host, MOTH_LOG_WARN, "%s said %d\n", "e\x1b[1mva", 7);
    assert_int_equal(heard.level, MOTH_LOG_WARN);
    assert_string_equal(heard.text, "e\\x1b[1mva said 7\\x0a");
}

static void test_log_line_has_a_bounded_length(void **state)
{
    struct heard heard = {0};
    struct moth_host host = {.context = &heard, .log = hear};
    char text[2 * LOG_LINE_BYTES];
    (void)state;
    memset(text, '\n', sizeof text);
    text[sizeof text - 1] = '\0';
    log_write(&host, MOTH_LOG_INFO, "%s", text);
    assert_in_range(strlen(heard.text), LOG_LINE_BYTES - 4, LOG_LINE_BYTES - 1);
}

static void test_errors_all_have_a_text_and_a_code(void **state)
{
    (void)state;
    for (int rc = 0; rc > -MOTH_ERROR_COUNT; rc--) {
        assert_non_null(moth_error_text(rc));
        assert_non_null(moth_error_code(rc));
        assert_true(strlen(moth_error_text(rc)) > 0);
        assert_true(strlen(moth_error_code(rc)) > 0);
        assert_string_not_equal(moth_error_code(rc), "unknown");
    }
}

static void test_errors_all_have_a_code_of_their_own(void **state)
{
    (void)state;
    for (int a = 0; a > -MOTH_ERROR_COUNT; a--)
        for (int b = a - 1; b > -MOTH_ERROR_COUNT; b--) {
            assert_string_not_equal(moth_error_code(a), moth_error_code(b));
            assert_string_not_equal(moth_error_text(a), moth_error_text(b));
        }
}

static void test_errors_codes_are_words_for_programs(void **state)
{
    (void)state;
    for (int rc = 0; rc > -MOTH_ERROR_COUNT; rc--)
        assert_int_equal(strspn(moth_error_code(rc), "abcdefghijklmnopqrstuvwxyz_"), strlen(moth_error_code(rc)));
    assert_string_equal(moth_error_code(MOTH_OK), "ok");
    assert_string_equal(moth_error_code(MOTH_EMALFORMED), "malformed");
    assert_string_equal(moth_error_code(MOTH_EUNREACHABLE), "unreachable");
    assert_string_equal(moth_error_code(MOTH_ESHUTDOWN), "shutdown");
}

static void test_errors_accept_any_number(void **state)
{
    static const int foreign[] = {1, 1000000, -MOTH_ERROR_COUNT, INT32_MIN, INT32_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        assert_string_equal(moth_error_code(foreign[i]), "unknown");
        assert_true(strlen(moth_error_text(foreign[i])) > 0);
    }
}

static void test_a_copy_is_the_same_bytes_elsewhere(void **state)
{
    char text[] = "abc";
    (void)state;
    char *copy = mem_copy(text, sizeof text), *none = mem_copy(NULL, 0);
    text[0] = 'x';
    assert_string_equal(copy, "abc");
    assert_non_null(none);
    free(copy);
    free(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_numbers_are_big_endian),
        cmocka_unit_test(test_base_numbers_of_every_width_go_there_and_back),
        cmocka_unit_test(test_base_put_bytes_of_nothing_touches_nothing),
        cmocka_unit_test(test_base_slices_are_equal_by_content),
        cmocka_unit_test(test_base_reader_takes_fields_in_order),
        cmocka_unit_test(test_base_reader_fails_past_the_end_and_stays_failed),
        cmocka_unit_test(test_base_reader_zeroes_copies_once_it_failed),
        cmocka_unit_test(test_base_reader_refuses_sizes_beyond_memory),
        cmocka_unit_test(test_base_reader_of_a_null_slice_is_empty_not_failed),
        cmocka_unit_test(test_base_reader_with_bytes_left_is_not_finished),
        cmocka_unit_test(test_buf_empty_holds_no_memory),
        cmocka_unit_test(test_buf_gives_bytes_in_the_order_they_came),
        cmocka_unit_test(test_buf_reserve_then_grow_adds_what_was_written),
        cmocka_unit_test(test_buf_reclaims_its_front_without_growing),
        cmocka_unit_test(test_buf_keeps_its_bytes_while_it_grows),
        cmocka_unit_test(test_buf_agrees_with_a_plain_array),
        cmocka_unit_test(test_text_printable_ascii_stays),
        cmocka_unit_test(test_text_every_control_byte_is_escaped),
        cmocka_unit_test(test_text_escape_sequences_lose_their_power),
        cmocka_unit_test(test_text_utf8_stays),
        cmocka_unit_test(test_text_c1_controls_are_escaped),
        cmocka_unit_test(test_text_invisible_characters_are_escaped),
        cmocka_unit_test(test_text_overlong_forms_are_escaped),
        cmocka_unit_test(test_text_surrogates_and_beyond_unicode_are_escaped),
        cmocka_unit_test(test_text_broken_utf8_is_escaped_up_to_the_next_good_byte),
        cmocka_unit_test(test_text_cut_character_at_the_end_is_not_read_past),
        cmocka_unit_test(test_text_direction_changes_are_escaped),
        cmocka_unit_test(test_text_is_cut_at_the_capacity_and_always_closed),
        cmocka_unit_test(test_text_without_capacity_writes_nothing),
        cmocka_unit_test(test_text_is_never_cut_inside_an_escape_or_a_character),
        cmocka_unit_test(test_log_formats_one_safe_line),
        cmocka_unit_test(test_log_line_has_a_bounded_length),
        cmocka_unit_test(test_errors_all_have_a_text_and_a_code),
        cmocka_unit_test(test_errors_all_have_a_code_of_their_own),
        cmocka_unit_test(test_errors_codes_are_words_for_programs),
        cmocka_unit_test(test_errors_accept_any_number),
        cmocka_unit_test(test_a_copy_is_the_same_bytes_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
