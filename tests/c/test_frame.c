/* test_frame.c -- the splitting of streams: where frames end, however the stream is cut, and what is refused when. */
#include "proto/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define LINE_MAX_BYTES 8u

static const uint8_t three_frames[] = "\0\0\5\1hello" "\0\0\0\7" "\0\0\2\0\0\1";
#define THREE_BYTES (sizeof three_frames - 1)
#define THREE_TEXT "1:hello|7:|0:\\0\1|"

/* Takes all frames there are and appends them to `text` as "kind:body|", zero bytes as "\0". Returns the last
 * answer. */
static int drain(struct frame_decoder *d, char *text)
{
    struct frame f;
    int rc;
    while ((rc = frame_next(d, &f)) == 1) {
        text += strlen(text);
        text += sprintf(text, "%u:", (unsigned)f.kind);
        for (size_t i = 0; i < f.body.bytes; i++)
            text += f.body.data[i] ? sprintf(text, "%c", f.body.data[i]) : sprintf(text, "\\0");
        strcpy(text, "|");
    }
    return rc;
}

static int feed(struct frame_decoder *d, const void *data, size_t bytes, char *text)
{
    uint8_t chunk[256];
    memcpy(chunk, data, bytes);
    frame_feed(d, (struct span){.data = chunk, .bytes = bytes});
    int rc = drain(d, text);
    memset(chunk, 0xee, sizeof chunk); /* a decoder that still looks at the chunk will see it */
    return rc;
}

/* Feeds `data` in chunks of `step` bytes. */
static int feed_in_steps(struct frame_decoder *d, const void *data, size_t bytes, size_t step, char *text)
{
    int rc = 0;
    for (size_t at = 0; at < bytes && rc == 0; at += step)
        rc = feed(d, (const uint8_t *)data + at, bytes - at < step ? bytes - at : step, text);
    return rc;
}

static void test_frame_header_is_length_and_kind(void **state)
{
    uint8_t header[FRAME_HEADER_BYTES];
    (void)state;
    frame_put_header(header, FRAME_GOODBYE, 0x012345);
    assert_memory_equal(header, "\x01\x23\x45\x09", 4);
    frame_put_header(header, FRAME_MESSAGE, FRAME_BODY_MAX);
    assert_memory_equal(header, "\x10\x00\x00\x01", 4);
}

static void test_frame_whole_frames_are_handed_out_in_place(void **state)
{
    struct frame_decoder d;
    struct frame f;
    uint8_t chunk[THREE_BYTES];
    (void)state;

    memcpy(chunk, three_frames, THREE_BYTES);
    frame_decoder_init(&d, FRAME_LENGTH, FRAME_BODY_MAX);
    frame_feed(&d, (struct span){.data = chunk, .bytes = sizeof chunk});
    assert_int_equal(frame_next(&d, &f), 1);
    assert_ptr_equal(f.body.data, chunk + 4);
    assert_int_equal(f.body.bytes, 5);
    assert_int_equal(frame_next(&d, &f), 1);
    assert_int_equal(f.body.bytes, 0);
    assert_int_equal(frame_next(&d, &f), 1);
    assert_ptr_equal(f.body.data, chunk + 17);
    assert_int_equal(frame_next(&d, &f), 0);
    assert_null(d.partial.data);
    frame_decoder_fini(&d);
}

static void test_frame_cuts_do_not_change_the_frames(void **state)
{
    (void)state;
    for (size_t step = 1; step <= THREE_BYTES; step++) {
        struct frame_decoder d;
        char text[64] = "";
        frame_decoder_init(&d, FRAME_LENGTH, FRAME_BODY_MAX);
        assert_int_equal(feed_in_steps(&d, three_frames, THREE_BYTES, step, text), 0);
        assert_string_equal(text, THREE_TEXT);
        frame_decoder_fini(&d);
    }
}

static void test_frame_after_a_cut_one_is_in_place_again(void **state)
{
    struct frame_decoder d;
    struct frame f;
    uint8_t chunk[THREE_BYTES];
    char text[8] = "";
    (void)state;

    frame_decoder_init(&d, FRAME_LENGTH, FRAME_BODY_MAX);
    assert_int_equal(feed(&d, three_frames, 6, text), 0);
    memcpy(chunk, three_frames + 6, THREE_BYTES - 6);
    frame_feed(&d, (struct span){.data = chunk, .bytes = THREE_BYTES - 6});
    assert_int_equal(frame_next(&d, &f), 1);
    assert_memory_equal(f.body.data, "hello", 5);
    assert_int_equal(frame_next(&d, &f), 1);
    assert_ptr_equal(f.body.data, chunk + 7);
    frame_decoder_fini(&d);
}

static void test_frame_gathered_lives_until_the_next_call(void **state)
{
    struct frame_decoder d;
    struct frame f;
    uint8_t rest[] = "llo";
    char text[8] = "";
    (void)state;

    frame_decoder_init(&d, FRAME_LENGTH, FRAME_BODY_MAX);
    assert_int_equal(feed(&d, three_frames, 6, text), 0);
    frame_feed(&d, (struct span){.data = rest, .bytes = 3});
    assert_int_equal(frame_next(&d, &f), 1);
    memset(rest, 'x', sizeof rest);
    assert_memory_equal(f.body.data, "hello", 5);
    f.body.data[0] = 'j'; /* it is the reader's to change */
    assert_int_equal(frame_next(&d, &f), 0);
    assert_null(d.partial.data); /* an idle decoder costs nothing */
    frame_decoder_fini(&d);
}

static void test_frame_memory_grows_with_what_arrives_not_with_what_is_announced(void **state)
{
    struct frame_decoder d;
    char text[8] = "";
    (void)state;

    frame_decoder_init(&d, FRAME_LENGTH, FRAME_BODY_MAX);
    assert_int_equal(feed(&d, "\x10\x00\x00\x01 start", 10, text), 0);
    assert_int_equal(buf_bytes(&d.partial), 10);
    assert_in_range(d.partial.capacity, 10, 1024);
    frame_decoder_fini(&d);
}

static void test_frame_of_unknown_kind_is_the_readers_to_refuse(void **state)
{
    struct frame_decoder d;
    char text[16] = "";
    (void)state;
    frame_decoder_init(&d, FRAME_LENGTH, FRAME_BODY_MAX);
    assert_int_equal(feed(&d, "\0\0\1\xff!", 5, text), 0);
    assert_string_equal(text, "255:!|");
    frame_decoder_fini(&d);
}

static void test_frame_of_exactly_the_limit_passes(void **state)
{
    struct frame_decoder d;
    char text[16] = "";
    (void)state;
    frame_decoder_init(&d, FRAME_LENGTH, 3);
    assert_int_equal(feed(&d, "\0\0\3\1abc", 7, text), 0);
    assert_string_equal(text, "1:abc|");
    frame_decoder_fini(&d);
}

static void test_frame_above_the_limit_is_refused_before_anything_is_gathered(void **state)
{
    struct frame_decoder d;
    char text[16] = "";
    (void)state;
    frame_decoder_init(&d, FRAME_LENGTH, 3);
    assert_int_equal(feed(&d, "\0\0\4\1abcd", 8, text), MOTH_ETOO_BIG);
    assert_string_equal(text, "");
    assert_null(d.partial.data);
    frame_decoder_fini(&d);
}

static void test_frame_above_the_limit_is_refused_when_its_cut_header_is_complete(void **state)
{
    struct frame_decoder d;
    char text[16] = "";
    (void)state;
    frame_decoder_init(&d, FRAME_LENGTH, 3);
    assert_int_equal(feed(&d, "\0\0\4", 3, text), 0);
    assert_int_equal(feed(&d, "\1abcd", 5, text), MOTH_ETOO_BIG);
    assert_int_equal(buf_bytes(&d.partial), FRAME_HEADER_BYTES);
    frame_decoder_fini(&d);
}

static void test_frame_before_one_too_big_is_still_given(void **state)
{
    struct frame_decoder d;
    char text[16] = "";
    (void)state;
    frame_decoder_init(&d, FRAME_LENGTH, 3);
    assert_int_equal(feed(&d, "\0\0\1\1a\0\0\4\1", 9, text), MOTH_ETOO_BIG);
    assert_string_equal(text, "1:a|");
    frame_decoder_fini(&d);
}

static void test_frame_empty_chunk_changes_nothing(void **state)
{
    struct frame_decoder d;
    struct frame f;
    (void)state;
    frame_decoder_init(&d, FRAME_LENGTH, 3);
    frame_feed(&d, (struct span){0});
    assert_int_equal(frame_next(&d, &f), 0);
    frame_decoder_init(&d, FRAME_LINE, 3);
    frame_feed(&d, (struct span){0});
    assert_int_equal(frame_next(&d, &f), 0);
    frame_decoder_fini(&d);
}

static void test_frame_cut_at_the_end_of_input_is_not_a_frame(void **state)
{
    struct frame_decoder d;
    char text[16] = "";
    (void)state;
    frame_decoder_init(&d, FRAME_LENGTH, 3);
    assert_int_equal(feed(&d, "\0\0\2\1a", 5, text), 0);
    frame_finish(&d);
    assert_int_equal(drain(&d, text), 0);
    assert_string_equal(text, "");
    frame_decoder_fini(&d);
}

/* Splits `input` into lines of at most LINE_MAX_BYTES, whole and in every step: all must agree. */
static int split(const char *input, bool finish, char text[64])
{
    int rc = 0;
    for (size_t step = strlen(input); step >= 1; step--) {
        struct frame_decoder d;
        char again[64] = "";
        frame_decoder_init(&d, FRAME_LINE, LINE_MAX_BYTES);
        int this_rc = feed_in_steps(&d, input, strlen(input), step, again);
        if (finish && this_rc == 0) {
            frame_finish(&d);
            this_rc = drain(&d, again);
        }
        frame_decoder_fini(&d);
        if (step == strlen(input)) {
            rc = this_rc;
            strcpy(text, again);
        }
        assert_int_equal(this_rc, rc);
        assert_string_equal(again, text);
    }
    return rc;
}

static void test_frame_line_ends_at_a_newline(void **state)
{
    char text[64];
    (void)state;
    assert_int_equal(split("one\ntwo\nthr", false, text), 0);
    assert_string_equal(text, "0:one|0:two|");
}

static void test_frame_line_loses_one_return_before_its_newline(void **state)
{
    char text[64];
    (void)state;
    assert_int_equal(split("one\r\ntwo\r\r\n\r\n", false, text), 0);
    assert_string_equal(text, "0:one|0:two\r|0:|");
}

static void test_frame_line_keeps_a_return_in_its_middle(void **state)
{
    char text[64];
    (void)state;
    assert_int_equal(split("a\rb\n", false, text), 0);
    assert_string_equal(text, "0:a\rb|");
}

static void test_frame_empty_lines_count(void **state)
{
    char text[64];
    (void)state;
    assert_int_equal(split("\n\na\n\n", false, text), 0);
    assert_string_equal(text, "0:|0:|0:a|0:|");
}

static void test_frame_line_of_exactly_the_limit_passes(void **state)
{
    char text[64];
    (void)state;
    assert_int_equal(split("12345678\n12345678\r\n", false, text), 0);
    assert_string_equal(text, "0:12345678|0:12345678|");
}

static void test_frame_line_above_the_limit_is_refused(void **state)
{
    char text[64];
    (void)state;
    assert_int_equal(split("a\n123456789\n", false, text), MOTH_ETOO_BIG);
    assert_string_equal(text, "0:a|");
}

static void test_frame_line_above_the_limit_is_refused_without_waiting_for_its_end(void **state)
{
    char text[64];
    (void)state;
    assert_int_equal(split("12345678", false, text), 0);
    assert_int_equal(split("123456789", false, text), MOTH_ETOO_BIG);
}

static void test_frame_line_at_the_limit_may_still_get_its_return(void **state)
{
    char text[64];
    (void)state;
    assert_int_equal(split("12345678\r", false, text), 0);
    assert_int_equal(split("12345678\r\r", false, text), MOTH_ETOO_BIG);
    assert_int_equal(split("12345678\rx", false, text), MOTH_ETOO_BIG);
}

static void test_frame_line_too_long_is_refused_before_its_excess_is_gathered(void **state)
{
    struct frame_decoder d;
    char text[64] = "";
    (void)state;
    frame_decoder_init(&d, FRAME_LINE, LINE_MAX_BYTES);
    assert_int_equal(feed(&d, "1234", 4, text), 0);
    assert_int_equal(feed(&d, "56789", 5, text), MOTH_ETOO_BIG);
    assert_int_equal(buf_bytes(&d.partial), 4);
    frame_decoder_fini(&d);
}

static void test_frame_last_line_without_newline_is_given_once_at_the_end(void **state)
{
    char text[64];
    (void)state;
    assert_int_equal(split("one\ntwo", true, text), 0);
    assert_string_equal(text, "0:one|0:two|");
}

static void test_frame_end_after_a_newline_gives_no_line(void **state)
{
    char text[64];
    (void)state;
    assert_int_equal(split("one\n", true, text), 0);
    assert_string_equal(text, "0:one|");
}

static void test_frame_end_is_a_line_end_for_the_return_before_it(void **state)
{
    char text[64];
    (void)state;
    assert_int_equal(split("one\r", true, text), 0);
    assert_string_equal(text, "0:one|");
}

static void test_frame_end_told_before_draining_still_gives_all_lines(void **state)
{
    struct frame_decoder d;
    uint8_t chunk[] = "one\ntwo\nend";
    char text[64] = "";
    (void)state;
    frame_decoder_init(&d, FRAME_LINE, LINE_MAX_BYTES);
    frame_feed(&d, (struct span){.data = chunk, .bytes = sizeof chunk - 1});
    frame_finish(&d);
    assert_int_equal(drain(&d, text), 0);
    assert_string_equal(text, "0:one|0:two|0:end|");
    frame_decoder_fini(&d);
}

static void test_frame_whole_lines_are_handed_out_in_place(void **state)
{
    struct frame_decoder d;
    struct frame f;
    uint8_t chunk[] = "one\r\ntwo\n";
    (void)state;
    frame_decoder_init(&d, FRAME_LINE, LINE_MAX_BYTES);
    frame_feed(&d, (struct span){.data = chunk, .bytes = sizeof chunk - 1});
    assert_int_equal(frame_next(&d, &f), 1);
    assert_ptr_equal(f.body.data, chunk);
    assert_int_equal(f.body.bytes, 3);
    assert_int_equal(frame_next(&d, &f), 1);
    assert_ptr_equal(f.body.data, chunk + 5);
    frame_decoder_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_header_is_length_and_kind),
        cmocka_unit_test(test_frame_whole_frames_are_handed_out_in_place),
        cmocka_unit_test(test_frame_cuts_do_not_change_the_frames),
        cmocka_unit_test(test_frame_after_a_cut_one_is_in_place_again),
        cmocka_unit_test(test_frame_gathered_lives_until_the_next_call),
        cmocka_unit_test(test_frame_memory_grows_with_what_arrives_not_with_what_is_announced),
        cmocka_unit_test(test_frame_of_unknown_kind_is_the_readers_to_refuse),
        cmocka_unit_test(test_frame_of_exactly_the_limit_passes),
        cmocka_unit_test(test_frame_above_the_limit_is_refused_before_anything_is_gathered),
        cmocka_unit_test(test_frame_above_the_limit_is_refused_when_its_cut_header_is_complete),
        cmocka_unit_test(test_frame_before_one_too_big_is_still_given),
        cmocka_unit_test(test_frame_empty_chunk_changes_nothing),
        cmocka_unit_test(test_frame_cut_at_the_end_of_input_is_not_a_frame),
        cmocka_unit_test(test_frame_line_ends_at_a_newline),
        cmocka_unit_test(test_frame_line_loses_one_return_before_its_newline),
        cmocka_unit_test(test_frame_line_keeps_a_return_in_its_middle),
        cmocka_unit_test(test_frame_empty_lines_count),
        cmocka_unit_test(test_frame_line_of_exactly_the_limit_passes),
        cmocka_unit_test(test_frame_line_above_the_limit_is_refused),
        cmocka_unit_test(test_frame_line_above_the_limit_is_refused_without_waiting_for_its_end),
        cmocka_unit_test(test_frame_line_at_the_limit_may_still_get_its_return),
        cmocka_unit_test(test_frame_line_too_long_is_refused_before_its_excess_is_gathered),
        cmocka_unit_test(test_frame_last_line_without_newline_is_given_once_at_the_end),
        cmocka_unit_test(test_frame_end_after_a_newline_gives_no_line),
        cmocka_unit_test(test_frame_end_is_a_line_end_for_the_return_before_it),
        cmocka_unit_test(test_frame_end_told_before_draining_still_gives_all_lines),
        cmocka_unit_test(test_frame_whole_lines_are_handed_out_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
