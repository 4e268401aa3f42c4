/* scenario_console.c -- the screen of somebody who types while others write: what is typed stays, whole and in its
 * place, and all else stands above it, each line where it belongs.
 *
 *   ana --- eva     ana sits at a terminal, eva is a pipe
 *
 * Screens are compared row by row from a mark on; anything a redraw leaves behind would show. */
#include "tmux.h"

#include <stdio.h>
#include <string.h>

#define WIDE "漢" /* two columns */
#define EMPTY_PROMPT "ana>"

static struct process *eva;
static struct tmux *ana;

static const char *repeat(const char *text, int times)
{
    static char many[4][2048];
    static unsigned given;
    char *out = many[given++ % 4];
    out[0] = '\0';
    while (times-- > 0) strcat(out, text);
    return out;
}

/* Both, linked; what comes on ana's screen from here on is known to the letter. */
static void meet(int columns)
{
    eva = process_node("eva", NULL, NULL);
    ana = tmux_narrow_node(columns, "ana", NULL, "--connect", process_address(eva), NULL);
    process_expect(eva, "^* ana is linked (", 2 * PROCESS_SOON_MS);
    tmux_expect(ana, "^* eva is linked (", PROCESS_SOON_MS);
    tmux_line(ana, "= 'mark'");
    tmux_expect_tail(ana, "ana> = 'mark'\nmark\n" EMPTY_PROMPT, PROCESS_SOON_MS);
}

/* The screen below the mark. */
static void expect_below(const char *rows)
{
    char tail[8192];
    snprintf(tail, sizeof tail, "mark\n%s", rows);
    tmux_expect_tail(ana, tail, PROCESS_SOON_MS);
}

static void send_from_eva(const char *text)
{
    process_say(eva, "send ana %s", text);
}

/* --- typing --- */

static void test_what_is_typed_stays_while_messages_arrive(void **state)
{
    (void)state;
    meet(80);
    tmux_type(ana, "send eva hel");
    expect_below("ana> send eva hel");
    send_from_eva("one");
    expect_below("[00:00:00] eva: one\nana> send eva hel");
    tmux_expect_cursor(ana, 17, 0, PROCESS_SOON_MS);
    tmux_type(ana, "lo");
    send_from_eva("two");
    expect_below("[00:00:00] eva: one\n[00:00:00] eva: two\nana> send eva hello");
    tmux_key(ana, "Enter");
    process_expect(eva, "] ana: hello$", PROCESS_SOON_MS);
    tmux_expect(ana, "^to eva: *(id ", PROCESS_SOON_MS);
}

static void test_a_line_longer_than_the_terminal_keeps_its_form(void **state)
{
    (void)state;
    char rows[1024], line[256];
    meet(80);
    snprintf(line, sizeof line, "= '%s", repeat("x", 150));
    tmux_type(ana, line);
    snprintf(rows, sizeof rows, "ana> = '%s\n%s", repeat("x", 72), repeat("x", 78));
    expect_below(rows);
    tmux_expect_cursor(ana, 78, 0, PROCESS_SOON_MS);
    send_from_eva("one");
    send_from_eva("two");
    snprintf(rows, sizeof rows, "[00:00:00] eva: one\n[00:00:00] eva: two\nana> = '%s\n%s", repeat("x", 72),
             repeat("x", 78));
    expect_below(rows);
    tmux_expect_cursor(ana, 78, 0, PROCESS_SOON_MS);
    tmux_type(ana, "yyyy"); /* over the edge */
    snprintf(rows, sizeof rows, "eva: two\nana> = '%s\n%syy\nyy", repeat("x", 72), repeat("x", 78));
    tmux_expect_tail(ana, strchr(rows, '\n') + 1, PROCESS_SOON_MS);
    tmux_type(ana, "'");
    tmux_key(ana, "Enter");
    snprintf(rows, sizeof rows, "ana> = '%s\n%syy\nyy'\n%s\n  %syyyy\n" EMPTY_PROMPT, repeat("x", 72), repeat("x", 78),
             repeat("x", 80), repeat("x", 70));
    tmux_expect_tail(ana, rows, PROCESS_SOON_MS);
}

/* A line that ends exactly at the edge: the cursor is on the next row. */
static void test_a_line_that_just_fills_the_terminal_keeps_its_form(void **state)
{
    (void)state;
    char rows[512], line[128];
    meet(80);
    snprintf(line, sizeof line, "= '%s", repeat("x", 72));
    tmux_type(ana, line);
    snprintf(rows, sizeof rows, "ana> %s", line);
    expect_below(rows);
    send_from_eva("one");
    snprintf(rows, sizeof rows, "[00:00:00] eva: one\nana> %s", line);
    expect_below(rows);
    tmux_expect_cursor(ana, 0, -1, PROCESS_SOON_MS);
}

/* A wide character that has only one column left goes to the next row. */
static void test_wide_characters_keep_their_columns(void **state)
{
    (void)state;
    char rows[1024], line[512];
    meet(80);
    snprintf(line, sizeof line, "= 'x%s", repeat(WIDE, 50));
    tmux_type(ana, line);
    snprintf(rows, sizeof rows, "ana> = 'x%s\n%s", repeat(WIDE, 35), repeat(WIDE, 15));
    expect_below(rows);
    tmux_expect_cursor(ana, 30, 0, PROCESS_SOON_MS);
    send_from_eva(WIDE WIDE " one");
    snprintf(rows, sizeof rows, "[00:00:00] eva: " WIDE WIDE " one\nana> = 'x%s\n%s", repeat(WIDE, 35),
             repeat(WIDE, 15));
    expect_below(rows);
    tmux_expect_cursor(ana, 30, 0, PROCESS_SOON_MS);
    tmux_key(ana, "BSpace");
    snprintf(rows, sizeof rows, "[00:00:00] eva: " WIDE WIDE " one\nana> = 'x%s\n%s", repeat(WIDE, 35),
             repeat(WIDE, 14));
    expect_below(rows);
}

/* The cursor may stand anywhere in what is typed. */
static void test_the_cursor_stays_where_it_is(void **state)
{
    (void)state;
    char rows[512], line[256];
    meet(80);
    snprintf(line, sizeof line, "%s tail", repeat("x", 80));
    tmux_type(ana, line);
    tmux_key(ana, "Home");
    tmux_expect_cursor(ana, 5, 1, PROCESS_SOON_MS);
    send_from_eva("one");
    snprintf(rows, sizeof rows, "[00:00:00] eva: one\nana> %s\n%s tail", repeat("x", 75), repeat("x", 5));
    expect_below(rows);
    tmux_expect_cursor(ana, 5, 1, PROCESS_SOON_MS);
    tmux_type(ana, "ab");
    snprintf(rows, sizeof rows, "[00:00:00] eva: one\nana> ab%s\n%s tail", repeat("x", 73), repeat("x", 7));
    expect_below(rows);
    tmux_expect_cursor(ana, 7, 1, PROCESS_SOON_MS);
}

/* The screen is full, and what comes moves it up. */
static void test_a_full_screen_scrolls_cleanly(void **state)
{
    (void)state;
    char rows[2048] = "";
    meet(80);
    tmux_type(ana, "half a li");
    for (int i = 1; i <= 40; i++) process_say(eva, "send ana number %d", i);
    for (int i = 18; i <= 40; i++) sprintf(rows + strlen(rows), "[00:00:00] eva: number %d\n", i);
    strcat(rows, "ana> half a li");
    tmux_expect_tail(ana, rows, 2 * PROCESS_SOON_MS);
    for (int i = 1; i <= 40; i++) {
        char pattern[64];
        snprintf(pattern, sizeof pattern, "^[00:00:00] eva: number %d$", i);
        tmux_expect_ever(ana, pattern, PROCESS_SOON_MS);
    }
}

/* A message of many lines, and one that is folded. */
static void test_messages_of_many_rows_stand_whole_above_the_line(void **state)
{
    (void)state;
    char rows[1024];
    meet(80);
    tmux_type(ana, "typing");
    process_say(eva, "= node:send('ana', 'first\\nsecond\\nthird')");
    expect_below("[00:00:00] eva: first\n  second\n  third\nana> typing");
    process_say(eva, "send ana %s", repeat("x", 100));
    snprintf(rows, sizeof rows, "  third\n[00:00:00] eva: %s\n  %s\nana> typing", repeat("x", 64), repeat("x", 36));
    tmux_expect_tail(ana, rows, PROCESS_SOON_MS);
}

/* --- keys that take several --- */

static void test_a_lone_escape_holds_up_nobody(void **state)
{
    (void)state;
    meet(80);
    tmux_type(ana, "send eva h");
    tmux_key(ana, "Escape");
    send_from_eva("one");
    expect_below("[00:00:00] eva: one\nana> send eva h");
    process_say(eva, "= task.sleep '1s'");
    process_say(eva, "send ana two");
    expect_below("[00:00:00] eva: one\n[00:00:00] eva: two\nana> send eva h");
    tmux_type(ana, "ello");
    expect_below("[00:00:00] eva: one\n[00:00:00] eva: two\nana> send eva hello");
}

static void test_an_arrow_key_is_one_key_though_it_starts_with_escape(void **state)
{
    (void)state;
    meet(80);
    tmux_type(ana, "ac");
    tmux_key(ana, "Left");
    tmux_type(ana, "b");
    expect_below("ana> abc");
    tmux_expect_cursor(ana, 7, 0, PROCESS_SOON_MS);
}

static void test_ctrl_r_finds_an_earlier_line_also_while_messages_arrive(void **state)
{
    (void)state;
    meet(80);
    tmux_line(ana, "= 'first'");
    tmux_line(ana, "= 'second'");
    expect_below("ana> = 'first'\nfirst\nana> = 'second'\nsecond\n" EMPTY_PROMPT);
    tmux_key(ana, "C-r");
    tmux_type(ana, "fir");
    tmux_expect_tail(ana, "second\n(reverse-i-search)`fir': = 'first'", PROCESS_SOON_MS);
    send_from_eva("one");
    tmux_expect_tail(ana, "second\n[00:00:00] eva: one\n(reverse-i-search)`fir': = 'first'", PROCESS_SOON_MS);
    tmux_type(ana, "st");
    tmux_expect_tail(ana, "[00:00:00] eva: one\n(reverse-i-search)`first': = 'first'", PROCESS_SOON_MS);
    tmux_key(ana, "Enter");
    tmux_expect_tail(ana, "[00:00:00] eva: one\nana> = 'first'\nfirst\n" EMPTY_PROMPT, PROCESS_SOON_MS);
}

/* --- pasting --- */

static void test_pasted_lines_run_in_turn(void **state)
{
    (void)state;
    meet(80);
    tmux_paste(ana, "= task.sleep(0.2), 'p1'\n= 'p2'\n= 'p3'\n= 'p4'\n= 'p5'");
    tmux_expect(ana, "= 'p5'$", PROCESS_SOON_MS);
    tmux_expect_none(ana, "^p2$"); /* nothing runs before Enter */
    tmux_key(ana, "Enter");
    tmux_expect_tail(ana, "nil  p1\np2\np3\np4\np5\n" EMPTY_PROMPT, PROCESS_SOON_MS);
}

static void test_in_talk_mode_a_paste_is_one_message(void **state)
{
    (void)state;
    meet(80);
    tmux_line(ana, "talk eva");
    tmux_expect(ana, "^ana to eva>$", PROCESS_SOON_MS);
    tmux_paste(ana, "a1\na2\n\na4\n/a5");
    tmux_key(ana, "Enter");
    process_expect(eva, "] ana: a1$", PROCESS_SOON_MS);
    static const char *const others[] = {"  a2", "  ", "  a4", "  /a5"};
    for (size_t i = 0; i < 4; i++) assert_string_equal(process_read_on(eva, PROCESS_SOON_MS), others[i]);
    process_say(eva, "= #node:history()");
    process_expect(eva, "^1$", PROCESS_SOON_MS);
    tmux_expect_tail(ana, "[00:00:00] ana: a1\n  a2\n\n  a4\n  /a5  (delivered)\nana to eva>", PROCESS_SOON_MS);
}

/* --- sizes --- */

static void test_a_resize_keeps_a_short_line(void **state)
{
    (void)state;
    meet(80);
    tmux_type(ana, "send eva hello");
    expect_below("ana> send eva hello");
    tmux_resize(ana, 60, 24);
    expect_below("ana> send eva hello");
    send_from_eva("one");
    expect_below("[00:00:00] eva: one\nana> send eva hello");
    tmux_resize(ana, 80, 24);
    send_from_eva("two");
    expect_below("[00:00:00] eva: one\n[00:00:00] eva: two\nana> send eva hello");
    tmux_expect_cursor(ana, 19, 0, PROCESS_SOON_MS);
}

static void test_a_resize_keeps_a_line_of_two_rows(void **state)
{
    (void)state;
    char rows[512];
    meet(80);
    tmux_type(ana, repeat("x", 100));
    snprintf(rows, sizeof rows, "ana> %s\n%s", repeat("x", 75), repeat("x", 25));
    expect_below(rows);
    tmux_resize(ana, 60, 24);
    snprintf(rows, sizeof rows, "ana> %s\n%s", repeat("x", 55), repeat("x", 45));
    expect_below(rows);
    send_from_eva("one");
    snprintf(rows, sizeof rows, "[00:00:00] eva: one\nana> %s\n%s", repeat("x", 55), repeat("x", 45));
    expect_below(rows);
    tmux_resize(ana, 80, 24);
    snprintf(rows, sizeof rows, "[00:00:00] eva: one\nana> %s\n%s", repeat("x", 75), repeat("x", 25));
    expect_below(rows);
    tmux_expect_cursor(ana, 25, 0, PROCESS_SOON_MS);
}

static void test_everything_fits_forty_columns(void **state)
{
    (void)state;
    static const char *const commands[] = {"list",  "status", "help",    "routes", "id",        "queue", "history",
                                           "graph", "top",    "scripts", "alias",  "whois eva", "set",   "help send"};
    meet(40);
    send_from_eva("a message that takes more than the forty columns there are, and then some");
    tmux_expect(ana, "eva: a message that", PROCESS_SOON_MS);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char end[64];
        tmux_line(ana, "%s", commands[i]);
        tmux_line(ana, "= 'end ' .. %zu", i);
        snprintf(end, sizeof end, "end %zu\n" EMPTY_PROMPT, i);
        tmux_expect_tail(ana, end, PROCESS_SOON_MS);
        if (tmux_wraps(ana) > 0) fail_msg("%s does not fit 40 columns:\n%s", commands[i], tmux_screen(ana));
    }
}

/* --- colours --- */

static void test_there_are_colours_unless_no_color_is_set(void **state)
{
    (void)state;
    meet(80);
    send_from_eva("one");
    expect_below("[00:00:00] eva: one\n" EMPTY_PROMPT);
    assert_non_null(strstr(tmux_colours(ana), "\033["));
    tmux_cleanup(NULL);
    tmux_set("NO_COLOR=1");
    meet(80);
    send_from_eva("one");
    tmux_line(ana, "= error('wrong')");
    tmux_expect(ana, "wrong", PROCESS_SOON_MS);
    assert_null(strstr(tmux_colours(ana), "\033["));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TMUX_TEST(test_what_is_typed_stays_while_messages_arrive),
        TMUX_TEST(test_a_line_longer_than_the_terminal_keeps_its_form),
        TMUX_TEST(test_a_line_that_just_fills_the_terminal_keeps_its_form),
        TMUX_TEST(test_wide_characters_keep_their_columns),
        TMUX_TEST(test_the_cursor_stays_where_it_is),
        TMUX_TEST(test_a_full_screen_scrolls_cleanly),
        TMUX_TEST(test_messages_of_many_rows_stand_whole_above_the_line),
        TMUX_TEST(test_a_lone_escape_holds_up_nobody),
        TMUX_TEST(test_an_arrow_key_is_one_key_though_it_starts_with_escape),
        TMUX_TEST(test_ctrl_r_finds_an_earlier_line_also_while_messages_arrive),
        TMUX_TEST(test_pasted_lines_run_in_turn),
        TMUX_TEST(test_in_talk_mode_a_paste_is_one_message),
        TMUX_TEST(test_a_resize_keeps_a_short_line),
        TMUX_TEST(test_a_resize_keeps_a_line_of_two_rows),
        TMUX_TEST(test_everything_fits_forty_columns),
        TMUX_TEST(test_there_are_colours_unless_no_color_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
