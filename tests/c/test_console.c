/* test_console.c -- the parts of the console that need no line editor: what is shown, what was typed, what was typed
 * before, words in columns. The whole is tested at real terminals (scenario_console, scenario_person). */
#include "cli/console_history.h"
#include "cli/console_out.h"
#include "cli/console_typed.h"
#include "cli/console_words.h"

#include <fcntl.h>
#include <locale.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COLUMNS 40
#define REACH 20
#define ALL SIZE_MAX

/* --- what is shown --- */

static struct output out;

static int tear_down(void **state)
{
    (void)state;
    output_fini(&out);
    out = (struct output){0};
    return 0;
}

static void say(const char *text, uint32_t tag)
{
    output_print(&out, slice_text(text), tag);
}

static void change(uint32_t tag, const char *line, const char *other)
{
    output_amend(&out, tag, slice_text(line), slice_text(other));
}

static void expect_shown(const char *text)
{
    struct span queue;
    output_take(&out, ALL, COLUMNS, REACH);
    queue = buf_span(&out.queue);
    assert_int_equal(queue.bytes, strlen(text));
    assert_memory_equal(queue.data, text, queue.bytes);
    buf_consume(&out.queue, queue.bytes);
}

static void test_lines_are_shown_in_order(void **state)
{
    (void)state;
    say("one\ntwo\n", 0);
    say("three\n", 0);
    assert_true(output_has_waiting(&out));
    expect_shown("one\ntwo\nthree\n");
    assert_false(output_has_waiting(&out));
    assert_int_equal(out.rows, 3);
}

static void test_a_line_is_changed_where_it_stands(void **state)
{
    (void)state;
    say("hi  (waiting)\n", 7);
    say("below\n", 0);
    change(7, "hi  (delivered)", "* delivered\n");
    expect_shown("hi  (waiting)\nbelow\n\033[2A\r\033[Khi  (delivered)\r\033[2B");
}

static void test_a_line_that_left_the_screen_is_said_again_in_another_form(void **state)
{
    (void)state;
    say("hi\n", 7);
    for (int i = 0; i < REACH; i++) say("more\n", 0);
    output_take(&out, ALL, COLUMNS, REACH);
    buf_consume(&out.queue, buf_bytes(&out.queue));
    change(7, "hi  (delivered)", "* delivered: hi\n");
    expect_shown("* delivered: hi\n");
}

static void test_a_line_nobody_can_find_any_more_is_said_again(void **state)
{
    (void)state;
    say("hi\n", 7);
    expect_shown("hi\n");
    output_forget(&out);
    change(7, "changed", "other\n");
    change(8, "never said", "");
    expect_shown("other\n");
}

static void test_a_line_wider_than_the_terminal_makes_rows_uncertain(void **state)
{
    (void)state;
    char wide[COLUMNS + 3];
    memset(wide, 'x', sizeof wide);
    memcpy(wide + COLUMNS + 1, "\n", 2);
    say("hi\n", 7);
    say(wide, 0);
    output_take(&out, ALL, COLUMNS, REACH);
    buf_consume(&out.queue, buf_bytes(&out.queue));
    change(7, "changed", "other\n");
    expect_shown("other\n");
}

static void test_a_change_that_would_not_fit_its_row_is_said_below(void **state)
{
    (void)state;
    say("hi\n", 7);
    change(7, "a line that is longer than forty columns wide", "other\n");
    expect_shown("hi\nother\n");
}

static void test_only_the_newest_tags_are_known(void **state)
{
    (void)state;
    for (uint32_t tag = 1; tag <= OUTPUT_TAGS + 1; tag++) say("line\n", tag);
    output_take(&out, ALL, COLUMNS, 1000);
    buf_consume(&out.queue, buf_bytes(&out.queue));
    change(1, "x", "old\n");
    expect_shown("old\n");
}

static void test_what_does_not_fit_is_left_out_whole_and_counted(void **state)
{
    (void)state;
    static char lines[OUTPUT_LINES_MAX / 2];
    memset(lines, '\n', sizeof lines);
    output_print(&out, slice_of(lines, sizeof lines), 0);
    output_print(&out, slice_of(lines, sizeof lines), 0);
    say("one more\nand another\n", 0);
    output_take(&out, ALL, COLUMNS, REACH);
    struct span queue = buf_span(&out.queue);
    assert_true(queue.bytes > sizeof lines);
    char end[128];
    snprintf(end, sizeof end, "one more\nand another\n(%zu lines were not shown: the terminal is too slow)\n",
             sizeof lines);
    assert_memory_equal(queue.data + queue.bytes - strlen(end), end, strlen(end));
    assert_false(output_has_waiting(&out));
}

static void test_only_so_much_is_taken_at_a_time(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) say("a line of some length\n", 0);
    output_take(&out, 1000, COLUMNS, REACH);
    assert_true(buf_bytes(&out.queue) > 100 && buf_bytes(&out.queue) < 1500);
    assert_true(output_has_waiting(&out));
}

static void test_the_terminal_takes_what_it_can(void **state)
{
    (void)state;
    int ends[2];
    static char much[1 << 20];
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    output_add(&out, much, sizeof much);
    assert_int_equal(output_write(&out, ends[1]), 0);
    assert_true(buf_bytes(&out.queue) > 0 && buf_bytes(&out.queue) < sizeof much);
    close(ends[0]);
    assert_true(output_write(&out, ends[1]) < 0);
    assert_int_equal(buf_bytes(&out.queue), 0);
    close(ends[1]);
}

static void test_columns_are_those_of_the_screen(void **state)
{
    (void)state;
    assert_int_equal(output_columns(slice_text("abc")), 3);
    assert_int_equal(output_columns(slice_text("\033[1;36meva\033[0m: hi")), 7);
    assert_int_equal(output_columns(slice_text("\xff\xfe")), 2);
    if (!setlocale(LC_CTYPE, "C.UTF-8")) skip();
    assert_int_equal(output_columns(slice_text("漢字")), 4);
    assert_int_equal(output_columns(slice_text("e\xcc\x81")), 1);
}

/* --- what was typed --- */

static struct typed typed;
static int keyboard[2];

static int plug_in(void **state)
{
    (void)state;
    typed = (struct typed){0};
    return pipe2(keyboard, O_NONBLOCK);
}

static int unplug(void **state)
{
    (void)state;
    typed_fini(&typed);
    close(keyboard[0]);
    if (keyboard[1] >= 0) close(keyboard[1]);
    return 0;
}

static void type(const char *text)
{
    assert_int_equal(write(keyboard[1], text, strlen(text)), strlen(text));
    typed_fill(&typed, keyboard[0]);
}

static void expect_keys(const char *text)
{
    struct slice paste;
    for (; *text; text++) {
        assert_int_equal(typed_next(&typed, &paste), TYPED_BYTE);
        assert_int_equal(typed_take(&typed), (unsigned char)*text);
    }
    assert_int_equal(typed_next(&typed, &paste), TYPED_NONE);
}

static void expect_paste(const char *text)
{
    struct slice paste;
    assert_int_equal(typed_next(&typed, &paste), TYPED_PASTE);
    assert_int_equal(paste.bytes, strlen(text));
    assert_memory_equal(paste.data, text, paste.bytes);
}

static void test_keys_come_as_they_were_typed(void **state)
{
    (void)state;
    assert_int_equal(typed_take(&typed), -1);
    type("abc\033[A\xe6\xbc\xa2");
    expect_keys("abc\033[A\xe6\xbc\xa2");
    assert_false(typed.is_gone);
}

static void test_a_lone_escape_is_a_key(void **state)
{
    (void)state;
    type("\033");
    expect_keys("\033");
}

static void test_a_paste_is_one_piece_however_it_arrives(void **state)
{
    (void)state;
    struct slice paste;
    static const char whole[] = "\033[200~quit\rstop\r\033[201~";
    for (size_t i = 2; i < sizeof whole - 1; i++) { /* the mark's first two bytes come together */
        char byte[] = {whole[i], '\0'};
        if (i == 2) type("\033[");
        type(byte);
        if (i < sizeof whole - 2) assert_int_equal(typed_next(&typed, &paste), TYPED_NONE);
    }
    expect_paste("quit\rstop\r");
    type("x");
    expect_keys("x");
}

static void test_keys_before_and_behind_a_paste_stay_keys(void **state)
{
    (void)state;
    type("a\033[200~b\033[201~\033[200~\033[201~c");
    struct slice paste;
    assert_int_equal(typed_next(&typed, &paste), TYPED_BYTE);
    assert_int_equal(typed_take(&typed), 'a');
    expect_paste("b");
    expect_paste("");
    expect_keys("c");
}

static void test_a_paste_that_is_too_large_is_lost_as_a_whole(void **state)
{
    (void)state;
    static char much[4096];
    struct slice paste;
    memset(much, 'x', sizeof much - 1);
    type("\033[200~");
    for (size_t bytes = 0; bytes <= TYPED_PASTE_MAX; bytes += sizeof much - 1) {
        type(much);
        assert_int_equal(typed_next(&typed, &paste), TYPED_NONE);
    }
    assert_true(buf_bytes(&typed.input) < 2 * sizeof much);
    type("stop\r\033[20");
    assert_int_equal(typed_next(&typed, &paste), TYPED_NONE);
    type("1~y");
    assert_int_equal(typed_next(&typed, &paste), TYPED_LOST_PASTE);
    expect_keys("y");
}

static void test_a_paste_may_be_dropped_before_its_end_has_come(void **state)
{
    (void)state;
    struct slice paste;
    assert_false(typed_drop(&typed));
    type("\033[200~sto");
    assert_int_equal(typed_next(&typed, &paste), TYPED_NONE);
    assert_true(typed_drop(&typed));
    type("p\r\033[201~x");
    assert_int_equal(typed_next(&typed, &paste), TYPED_LOST_PASTE);
    expect_keys("x");
}

static void test_the_end_is_noticed(void **state)
{
    (void)state;
    type("a");
    close(keyboard[1]);
    keyboard[1] = -1;
    typed_fill(&typed, keyboard[0]);
    assert_true(typed.is_gone);
    expect_keys("a");
}

/* --- what was typed before --- */

static char folder[] = "/tmp/moth-console-XXXXXX", path[64], entries[8][64];
static size_t entry_count;

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/moth-console-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/history", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void gather(const char *entry)
{
    if (entry_count < 8) snprintf(entries[entry_count], sizeof entries[0], "%s", entry);
    entry_count++;
}

static void load(void)
{
    entry_count = 0;
    history_load(path, gather);
}

static void test_what_was_entered_is_there_again(void **state)
{
    (void)state;
    load();
    assert_int_equal(entry_count, 0);
    history_append(path, "send eva hi");
    history_append(path, "two\nlines \\n");
    load();
    assert_int_equal(entry_count, 2);
    assert_string_equal(entries[0], "send eva hi");
    assert_string_equal(entries[1], "two\nlines \\n");
}

static void test_the_history_is_its_owners_alone(void **state)
{
    (void)state;
    struct stat about;
    history_append(path, "x");
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

static void test_a_damaged_history_hurts_nobody(void **state)
{
    (void)state;
    static const char damaged[] = "good\n\n\\\na\0b\nno end";
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, damaged, sizeof damaged - 1), sizeof damaged - 1);
    close(fd);
    load();
    assert_int_equal(entry_count, 3);
    assert_string_equal(entries[0], "good");
    assert_string_equal(entries[1], "\\");
    assert_string_equal(entries[2], "a");
}

static void test_a_history_that_grew_too_long_is_cut_to_its_end(void **state)
{
    (void)state;
    struct stat about;
    FILE *f = fopen(path, "w");
    for (size_t i = 0; i < HISTORY_FILE_MAX / 10 + 1000; i++) fprintf(f, "%09zu\n", i);
    fclose(f);
    load();
    assert_int_equal(entry_count, HISTORY_ENTRIES_MAX);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_size, HISTORY_ENTRIES_MAX * 10);
}

static void test_secrets_and_blanks_are_not_remembered(void **state)
{
    (void)state;
    assert_true(history_wants("send eva hi"));
    assert_false(history_wants(""));
    assert_false(history_wants(" \n\t"));
    assert_false(history_wants(" send eva a secret"));
    assert_false(history_wants("join moth1:AQAPMTI3"));
}

/* --- words --- */

static void test_words_of_commands_and_of_lua_are_told_apart(void **state)
{
    (void)state;
    assert_true(words_are_of_command("send ev"));
    assert_true(words_are_of_command("  /send ev"));
    assert_false(words_are_of_command("sen"));
    assert_false(words_are_of_command("send = 3"));
    assert_false(words_are_of_command("send ('a"));
    assert_false(words_are_of_command("= node:se"));
    assert_false(words_are_of_command("print(x, y"));
}

static void test_words_stand_in_columns(void **state)
{
    (void)state;
    const char *words[] = {"a", "bb", "ccc", "d", "e"};
    struct buf text = {0};
    words_in_columns(words, 5, 12, &text);
    static const char wide[] = "a    d\nbb   e\nccc\n";
    assert_int_equal(buf_bytes(&text), sizeof wide - 1);
    assert_memory_equal(buf_span(&text).data, wide, sizeof wide - 1);
    buf_fini(&text);
    words_in_columns(words, 5, 2, &text);
    static const char narrow[] = "a\nbb\nccc\nd\ne\n";
    assert_memory_equal(buf_span(&text).data, narrow, sizeof narrow - 1);
    buf_fini(&text);
}

#define SHOWN(name) cmocka_unit_test_teardown(name, tear_down)
#define TYPED(name) cmocka_unit_test_setup_teardown(name, plug_in, unplug)
#define KEPT(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        SHOWN(test_lines_are_shown_in_order),
        SHOWN(test_a_line_is_changed_where_it_stands),
        SHOWN(test_a_line_that_left_the_screen_is_said_again_in_another_form),
        SHOWN(test_a_line_nobody_can_find_any_more_is_said_again),
        SHOWN(test_a_line_wider_than_the_terminal_makes_rows_uncertain),
        SHOWN(test_a_change_that_would_not_fit_its_row_is_said_below),
        SHOWN(test_only_the_newest_tags_are_known),
        SHOWN(test_what_does_not_fit_is_left_out_whole_and_counted),
        SHOWN(test_only_so_much_is_taken_at_a_time),
        SHOWN(test_the_terminal_takes_what_it_can),
        SHOWN(test_columns_are_those_of_the_screen),
        TYPED(test_keys_come_as_they_were_typed),
        TYPED(test_a_lone_escape_is_a_key),
        TYPED(test_a_paste_is_one_piece_however_it_arrives),
        TYPED(test_keys_before_and_behind_a_paste_stay_keys),
        TYPED(test_a_paste_that_is_too_large_is_lost_as_a_whole),
        TYPED(test_a_paste_may_be_dropped_before_its_end_has_come),
        TYPED(test_the_end_is_noticed),
        KEPT(test_what_was_entered_is_there_again),
        KEPT(test_the_history_is_its_owners_alone),
        KEPT(test_a_damaged_history_hurts_nobody),
        KEPT(test_a_history_that_grew_too_long_is_cut_to_its_end),
        cmocka_unit_test(test_secrets_and_blanks_are_not_remembered),
        cmocka_unit_test(test_words_of_commands_and_of_lua_are_told_apart),
        cmocka_unit_test(test_words_stand_in_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
