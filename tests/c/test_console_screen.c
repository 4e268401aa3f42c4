/* test_console_screen.c -- the console as a whole, on an imagined screen: the line being typed, and what is said above
 * it, byte for byte as a terminal shows them. Its parts are tested in test_console.c. */
#include "console_kit.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

static struct kit *k;

static int set_up(void **state)
{
    (void)state;
    k = kit_new(24, 60, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (k) kit_free(k);
    k = NULL;
    return 0;
}

static void again(unsigned rows, unsigned columns, const char *history)
{
    kit_free(k);
    k = kit_new(rows, columns, history);
}

static void resize(unsigned rows, unsigned columns)
{
    KIT_UNTIL(k, !k->is_raw || kit_shows(k, "ana>"));
    kit_size(k, rows, columns);
    console_resize(k->console);
    kit_turn(k);
}

/* --- terminals and settings of other kinds --- */

static void test_settings_of_the_user_are_kept(void **state)
{
    (void)state;
    static const char settings[] = "set editing-mode vi\nset bell-style audible\nset blink-matching-paren on\n"
                                   "\"\\C-t\": \"list\"\n";
    char path[] = "/tmp/moth-inputrc-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, settings, sizeof settings - 1), sizeof settings - 1);
    close(fd);
    setenv("INPUTRC", path, 1);
    k = kit_new(24, 60, NULL);
    unlink(path);
    SKIP_PLAIN();
    kit_type(k, "k)c\033");
    KIT_UNTIL(k, kit_shows(k, "ana> k)c") && k->screen.column == 7);
    kit_type(k, "0ra\r\024\r");
    KIT_UNTIL(k, k->line_count == 2);
    assert_string_equal(k->lines[0], "a)c");
    assert_string_equal(k->lines[1], "list");
}

static void test_a_dumb_terminal_gets_no_escape_sequences(void **state)
{
    (void)state;
    setenv("TERM", "dumb", 1);
    k = kit_new(24, 60, NULL);
    assert_false(console_has_colour(k->console));
    kit_say(k, "said\n", 0);
    KIT_UNTIL(k, kit_has_row(k, "said"));
    kit_type(k, k->is_raw ? "list\r" : "list\n");
    KIT_UNTIL(k, k->line_count == 1);
    kit_close_console(k);
    assert_null(strchr(k->raw, '\033'));
}

/* --- lines --- */

static void test_a_typed_line_is_entered(void **state)
{
    (void)state;
    kit_type(k, k->is_raw ? "list\r" : "list\n");
    KIT_UNTIL(k, k->line_count == 1);
    assert_string_equal(k->lines[0], "list");
    assert_int_equal(k->ends, 0);
    KIT_UNTIL(k, kit_shows(k, "ana> list|ana>"));
}

static void test_nothing_is_shown_before_the_first_prompt(void **state)
{
    (void)state;
    kit_free(k);
    k = mem_new(sizeof *k);
    kit_terminal(k, 24, 60);
    assert_int_equal(kit_open_console(k, NULL), 0);
    console_write(k->console);
    assert_false(console_wants_to_read(k->console));
    kit_first_prompt(k);
    KIT_UNTIL(k, kit_shows(k, "ana>"));
    assert_int_equal(k->screen.row, 0);
}

static void test_a_control_d_on_an_empty_line_is_the_end(void **state)
{
    (void)state;
    KIT_UNTIL(k, kit_shows(k, "ana>"));
    kit_type(k, "\004");
    KIT_UNTIL(k, k->ends == 1);
    assert_int_equal(k->line_count, 0);
}

static void test_a_control_d_in_a_line_is_not_the_end(void **state)
{
    (void)state;
    SKIP_PLAIN();
    kit_type(k, "ab\001\004\r");
    KIT_UNTIL(k, k->line_count == 1);
    assert_string_equal(k->lines[0], "b");
    assert_int_equal(k->ends, 0);
}

static void test_a_terminal_that_is_gone_is_the_end_once(void **state)
{
    (void)state;
    KIT_UNTIL(k, kit_shows(k, "ana>"));
    close(k->master);
    k->master = -1;
    while (k->ends == 0) kit_serve(k);
    kit_serve(k);
    assert_int_equal(k->ends, 1);
    assert_false(console_wants_to_read(k->console));
    assert_false(console_wants_to_write(k->console));
}

static void test_an_entered_line_disappears_when_it_is_to_be_erased(void **state)
{
    (void)state;
    SKIP_PLAIN();
    console_erase_entered(k->console, true);
    kit_say(k, "above\n", 0);
    kit_type(k, "hello eva\r");
    KIT_UNTIL(k, k->line_count == 1);
    KIT_UNTIL(k, kit_shows(k, "above|ana>"));
}

static void test_an_erased_line_of_several_rows_leaves_nothing(void **state)
{
    (void)state;
    SKIP_PLAIN();
    console_erase_entered(k->console, true);
    kit_say(k, "above\n", 0);
    for (int i = 0; i < 15; i++) kit_type(k, "0123456789");
    KIT_UNTIL(k, k->screen.row >= 3);
    kit_type(k, "\r");
    KIT_UNTIL(k, k->line_count == 1);
    KIT_UNTIL(k, kit_shows(k, "above|ana>"));
    assert_int_equal(strlen(k->lines[0]), 150);
}

static void test_another_prompt_keeps_what_is_typed(void **state)
{
    (void)state;
    SKIP_PLAIN();
    kit_type(k, "half");
    KIT_UNTIL(k, kit_shows(k, "ana> half"));
    console_prompt(k->console, "\033[1mana to eva>\033[0m ");
    KIT_UNTIL(k, kit_shows(k, "ana to eva> half"));
    assert_int_equal(k->screen.column, strlen("ana to eva> half"));
}

/* --- what is said --- */

static void test_what_is_said_stands_above_what_is_typed(void **state)
{
    (void)state;
    SKIP_PLAIN();
    kit_type(k, "half a li");
    KIT_UNTIL(k, kit_shows(k, "ana> half a li"));
    kit_say(k, "[14:03:12] eva: hello\n[14:03:13] eva: you?\n", 0);
    KIT_UNTIL(k, kit_shows(k, "[14:03:12] eva: hello|[14:03:13] eva: you?|ana> half a li"));
    kit_type(k, "ne\r");
    KIT_UNTIL(k, k->line_count == 1);
    assert_string_equal(k->lines[0], "half a line");
}

static void test_the_cursor_stays_where_it_was_in_the_line(void **state)
{
    (void)state;
    SKIP_PLAIN();
    kit_type(k, "abc\001");
    KIT_UNTIL(k, kit_shows(k, "ana> abc") && k->screen.column == 5);
    kit_say(k, "said\n", 0);
    KIT_UNTIL(k, kit_shows(k, "said|ana> abc"));
    assert_int_equal(k->screen.column, 5);
}

static void test_a_wrapped_line_is_not_disturbed(void **state)
{
    (void)state;
    SKIP_PLAIN();
    resize(12, 40);
    kit_type(k, "one two three four five six seven eight nine ten eleven");
    KIT_UNTIL(k, kit_shows(k, "ana> one two three four five six seven e|ight nine ten eleven"));
    for (int i = 0; i < 30; i++) {
        kit_say(k, "said\n", 0);
        kit_turn(k);
    }
    KIT_UNTIL(k, kit_shows(k, "said|said|said|ana> one two three four five six seven e|ight nine ten eleven"));
    kit_type(k, "\r");
    KIT_UNTIL(k, k->line_count == 1);
    assert_string_equal(k->lines[0], "one two three four five six seven eight nine ten eleven");
}

static void test_a_line_that_ends_at_the_edge_is_not_disturbed(void **state)
{
    (void)state;
    SKIP_PLAIN();
    resize(12, 40);
    kit_type(k, "01234567890123456789012345678901234"); /* 35, and 5 of the prompt */
    KIT_UNTIL(k, kit_has_row(k, "ana> 01234567890123456789012345678901234"));
    kit_say(k, "said\n", 0);
    KIT_UNTIL(k, kit_has_row(k, "said"));
    kit_type(k, "x");
    KIT_UNTIL(k, kit_shows(k, "said|ana> 01234567890123456789012345678901234|x"));
}

static void test_wide_characters_are_not_disturbed(void **state)
{
    (void)state;
    SKIP_PLAIN();
    resize(12, 40);
    kit_type(k, "日本語日本語日本語日本語日本語日本語日本語");
    KIT_UNTIL(k, kit_shows(k, "ana> 日本語日本語日本語日本語日本語日本|語日本語"));
    kit_say(k, "eva: こんにちは\n", 0);
    KIT_UNTIL(k, kit_shows(k, "eva: こんにちは|ana> 日本語日本語日本語日本語日本語日本|語日本語"));
    kit_type(k, "\177\r");
    KIT_UNTIL(k, k->line_count == 1);
    assert_string_equal(k->lines[0], "日本語日本語日本語日本語日本語日本語日本");
}

static void test_a_character_in_pieces_is_one(void **state)
{
    (void)state;
    kit_type(k, "a\xe2\x82");
    for (int i = 0; i < 3; i++) kit_turn(k);
    kit_type(k, k->is_raw ? "\xac" "b\r" : "\xac" "b\n");
    KIT_UNTIL(k, k->line_count == 1);
    assert_string_equal(k->lines[0], "a€b");
}

static void test_a_line_as_wide_as_the_screen_takes_one_row(void **state)
{
    (void)state;
    SKIP_PLAIN();
    resize(12, 40);
    kit_say(k, "0123456789012345678901234567890123456789\nnext\n", 0);
    KIT_UNTIL(k, kit_shows(k, "0123456789012345678901234567890123456789|next|ana>"));
}

static void test_two_thousand_lines_a_second_leave_typing_quick(void **state)
{
    (void)state;
    SKIP_PLAIN();
    char line[40], typed[128] = "ana> ";
    int64_t slowest_ms = 0;
    KIT_UNTIL(k, kit_shows(k, "ana>"));
    for (int i = 0; i < 40; i++) {
        for (int n = 0; n < 50; n++) {
            snprintf(line, sizeof line, "[14:03:12] eva: message %d\n", i * 50 + n);
            kit_say(k, line, 0);
        }
        int64_t start_ms = kit_now_ms();
        kit_type(k, "x");
        strcat(typed, "x");
        KIT_UNTIL(k, strcmp(kit_row(k, 0), typed) == 0);
        if (kit_now_ms() - start_ms > slowest_ms) slowest_ms = kit_now_ms() - start_ms;
    }
    KIT_UNTIL(k, !console_wants_to_write(k->console) && kit_has_row(k, "[14:03:12] eva: message 1999"));
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(line, sizeof line, "[14:03:12] eva: message %u", i);
        assert_string_equal(screen_row(&k->screen, i), line);
    }
    if (slowest_ms > 100) print_message("warning: a key took %d ms\n", (int)slowest_ms);
    assert_true(slowest_ms < 2000);
}

/* --- keys that lead elsewhere --- */

static void test_a_lone_escape_stops_nothing(void **state)
{
    (void)state;
    SKIP_PLAIN();
    kit_type(k, "abc\033");
    KIT_UNTIL(k, kit_shows(k, "ana> abc"));
    int64_t start_ms = kit_now_ms();
    kit_serve(k);
    kit_say(k, "said\n", 0);
    KIT_UNTIL(k, kit_shows(k, "said|ana> abc"));
    if (kit_now_ms() - start_ms > 100) print_message("warning: it took %d ms\n", (int)(kit_now_ms() - start_ms));
    assert_true(kit_now_ms() - start_ms < 2000);
    kit_type(k, "b\r"); /* ESC b: a word back */
    KIT_UNTIL(k, k->line_count == 1);
    assert_string_equal(k->lines[0], "abc");
}

static void test_an_arrow_in_pieces_is_an_arrow(void **state)
{
    (void)state;
    SKIP_PLAIN();
    static const char *const pieces[] = {"ab", "\033", "[", "D", "x\r"};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        kit_type(k, pieces[i]);
        for (int turn = 0; turn < 2; turn++) kit_turn(k);
    }
    KIT_UNTIL(k, k->line_count == 1);
    assert_string_equal(k->lines[0], "axb");
}

static void test_a_search_goes_on_while_things_are_said(void **state)
{
    (void)state;
    SKIP_PLAIN();
    kit_type(k, "send eva hello\rlist\r");
    KIT_UNTIL(k, k->line_count == 2);
    kit_type(k, "\022eva");
    KIT_UNTIL(k, kit_shows(k, "(reverse-i-search)`eva': send eva hello"));
    kit_say(k, "said\n", 0);
    KIT_UNTIL(k, kit_shows(k, "said|(reverse-i-search)`eva': send eva hello"));
    kit_type(k, "\r");
    KIT_UNTIL(k, k->line_count == 3);
    assert_string_equal(k->lines[2], "send eva hello");
}

static void test_an_interrupt_ends_a_search(void **state)
{
    (void)state;
    SKIP_PLAIN();
    kit_type(k, "list\r\022li");
    KIT_UNTIL(k, kit_shows(k, "(reverse-i-search)`li': list"));
    assert_true(console_interrupt(k->console));
    KIT_UNTIL(k, kit_shows(k, "ana>"));
    kit_type(k, "x\r");
    KIT_UNTIL(k, k->line_count == 2);
    assert_string_equal(k->lines[1], "x");
}

static void test_five_pasted_lines_are_one(void **state)
{
    (void)state;
    SKIP_PLAIN();
    KIT_UNTIL(k, strstr(k->raw, "\033[?2004h") && kit_shows(k, "ana>"));
    kit_type(k, "\033[200~one\rtwo\rthree\rfour\rfive\033[201~");
    KIT_UNTIL(k, kit_shows(k, "ana> one|two|three|four|five"));
    kit_say(k, "said\n", 0);
    KIT_UNTIL(k, kit_shows(k, "said|ana> one|two|three|four|five"));
    assert_int_equal(k->line_count, 0);
    kit_type(k, "\r");
    KIT_UNTIL(k, k->line_count == 1);
    assert_string_equal(k->lines[0], "one\ntwo\nthree\nfour\nfive");
}

static void test_a_paste_in_pieces_is_one_and_blocks_nothing(void **state)
{
    (void)state;
    SKIP_PLAIN();
    kit_type(k, "\033[200~one\r");
    for (int i = 0; i < 3; i++) kit_turn(k);
    kit_say(k, "said\n", 0);
    KIT_UNTIL(k, kit_has_row(k, "said"));
    kit_type(k, "two\033[20");
    for (int i = 0; i < 3; i++) kit_turn(k);
    assert_int_equal(k->line_count, 0);
    kit_type(k, "1~\r");
    KIT_UNTIL(k, k->line_count == 1);
    assert_string_equal(k->lines[0], "one\ntwo");
}

static void test_a_large_paste_is_whole(void **state)
{
    (void)state;
    SKIP_PLAIN();
    enum { BYTES = 30000 };
    kit_type(k, "\033[200~");
    for (int i = 0; i < BYTES / 100; i++) {
        kit_type(k, "01234567890123456789012345678901234567890123456789"
                    "01234567890123456789012345678901234567890123456789");
        kit_turn(k);
    }
    kit_type(k, "\033[201~\r");
    KIT_UNTIL(k, k->line_count == 1);
    assert_int_equal(strlen(k->lines[0]), BYTES);
}

/* --- completion --- */

static void test_a_command_stays_when_messages_are_erased(void **state)
{
    (void)state;
    SKIP_PLAIN();
    console_erase_entered(k->console, true);
    kit_type(k, "/list\r");
    KIT_UNTIL(k, k->line_count == 1);
    KIT_UNTIL(k, kit_shows(k, "ana> /list|ana>"));
    kit_type(k, "//list\r");
    KIT_UNTIL(k, k->line_count == 2);
    KIT_UNTIL(k, kit_shows(k, "ana> /list|ana>"));
}

static void test_a_single_word_is_completed(void **state)
{
    (void)state;
    SKIP_PLAIN();
    static const char *const words[] = {"send", "list", "node.peers", "node:", NULL};
    k->words = words;
    kit_type(k, "se\teva");
    KIT_UNTIL(k, kit_shows(k, "ana> send eva"));
    kit_type(k, "\025=node.p\tx");
    KIT_UNTIL(k, kit_shows(k, "ana> =node.peers x"));
    kit_type(k, "\025=(node:\tx");
    KIT_UNTIL(k, kit_shows(k, "ana> =(node:x"));
}

static void test_several_words_are_listed_above(void **state)
{
    (void)state;
    SKIP_PLAIN();
    static const char *const words[] = {"boris", "bob", "bo\033[2Jx", "bonnie", NULL};
    k->words = words;
    kit_say(k, "above\n", 0);
    kit_type(k, "send b\t\t\t"); /* the first ones may only add what they have in common */
    KIT_UNTIL(k, kit_shows(k, "ana> send bo") && strstr(kit_row(k, 1), "bonnie"));
    assert_non_null(strstr(kit_row(k, 1), "bob"));
    assert_true(kit_has_row(k, "above"));
    assert_null(strstr(k->raw, "\033[2J"));
}

static void test_a_tab_without_words_changes_nothing(void **state)
{
    (void)state;
    SKIP_PLAIN();
    kit_type(k, "REA\tx");
    KIT_UNTIL(k, kit_shows(k, "ana> REAx"));
}

/* --- lines that change --- */

static void amend(uint32_t tag, const char *line, const char *else_text)
{
    console_amend(k->console, tag, line, strlen(line), else_text, strlen(else_text));
}

static void test_a_line_changes_where_it_stands(void **state)
{
    (void)state;
    SKIP_PLAIN();
    kit_say(k, "ana: hi  (waiting)\n", 7);
    kit_say(k, "eva: oh\n", 0);
    kit_type(k, "typed");
    KIT_UNTIL(k, kit_shows(k, "ana: hi  (waiting)|eva: oh|ana> typed"));
    amend(7, "ana: hi  (delivered)", "never\n");
    KIT_UNTIL(k, kit_shows(k, "ana: hi  (delivered)|eva: oh|ana> typed"));
    assert_int_equal(k->screen.column, 10);
}

static void test_a_line_that_scrolled_away_is_said_again(void **state)
{
    (void)state;
    SKIP_PLAIN();
    resize(6, 40);
    kit_say(k, "ana: hi  (waiting)\n", 7);
    for (int i = 0; i < 6; i++) kit_say(k, "said\n", 0);
    KIT_UNTIL(k, kit_shows(k, "said|said|ana>"));
    amend(7, "ana: hi  (delivered)", "hi was delivered\n");
    KIT_UNTIL(k, kit_shows(k, "said|hi was delivered|ana>"));
    assert_true(kit_has_row(k, "ana: hi  (waiting)"));
}

static void test_a_line_that_scrolled_away_may_be_passed_over(void **state)
{
    (void)state;
    SKIP_PLAIN();
    resize(6, 40);
    kit_say(k, "ana: hi  (waiting)\n", 7);
    for (int i = 0; i < 6; i++) kit_say(k, "said\n", 0);
    amend(7, "ana: hi  (delivered)", "");
    kit_say(k, "last\n", 0);
    KIT_UNTIL(k, kit_shows(k, "said|last|ana>"));
}

static void test_after_a_cleared_screen_a_line_is_said_again(void **state)
{
    (void)state;
    SKIP_PLAIN();
    kit_say(k, "ana: hi  (waiting)\n", 7);
    KIT_UNTIL(k, kit_shows(k, "ana: hi  (waiting)|ana>"));
    kit_type(k, "\f");
    KIT_UNTIL(k, k->screen.row == k->screen.top && kit_shows(k, "ana>"));
    amend(7, "ana: hi  (delivered)", "hi was delivered\n");
    KIT_UNTIL(k, kit_shows(k, "hi was delivered|ana>"));
}

/* --- a terminal that takes nothing --- */

/* All rows above the cursor's are looked at and taken off the screen, which keeps not so many. */
static void take_rows(unsigned *shown, unsigned *left_out, unsigned *last)
{
    struct screen *s = &k->screen;
    for (unsigned row = 0; row < s->row; row++) {
        unsigned number;
        const char *text = screen_row(s, row);
        if (sscanf(text, "(%u lines were not shown", &number) == 1) {
            *left_out += number;
        } else {
            assert_int_equal(sscanf(text, "line %5u", &number), 1);
            assert_int_equal(strlen(text), strlen("line 00000"));
            assert_true(*shown == 0 || number > *last);
            *last = number;
            ++*shown;
        }
    }
    if (s->row > 0) memcpy(s->cells[0], s->cells[s->row], sizeof s->cells[0]);
    memset(s->cells[1], 0, sizeof s->cells - sizeof s->cells[0]);
    s->row = s->top = 0;
}

static void test_a_stuck_terminal_costs_whole_lines_and_says_so(void **state)
{
    (void)state;
    SKIP_PLAIN();
    char line[64];
    unsigned said = 0, shown = 0, left_out = 0, last = 0;
    KIT_UNTIL(k, kit_shows(k, "ana>"));
    for (; said < 80000; said++) {
        snprintf(line, sizeof line, "line %05u\n", said);
        kit_say(k, line, 0);
        if (said % 100 == 0) console_write(k->console);
    }
    assert_true(console_wants_to_write(k->console));
    while (console_wants_to_write(k->console) || kit_look(k)) {
        kit_turn(k);
        take_rows(&shown, &left_out, &last);
    }
    KIT_UNTIL(k, kit_shows(k, "ana>"));
    take_rows(&shown, &left_out, &last);
    assert_true(left_out > 0);
    assert_true(shown > 0);
    assert_int_equal(shown + left_out, said);
}

static void test_a_stuck_terminal_is_read_no_more(void **state)
{
    (void)state;
    SKIP_PLAIN();
    KIT_UNTIL(k, kit_shows(k, "ana>"));
    kit_type(k, "0123456789");
    for (int i = 0; i < 2000 && console_wants_to_read(k->console); i++) {
        kit_type(k, "\001\005"); /* to the start and back: the terminal is told each time */
        for (int n = 0; n < 100 && console_wants_to_read(k->console); n++) kit_serve(k);
    }
    while (console_wants_to_write(k->console)) kit_turn(k);
    assert_true(console_wants_to_read(k->console));
    kit_type(k, "\r");
    KIT_UNTIL(k, k->line_count == 1);
    assert_string_equal(k->lines[0], "0123456789");
}

/* --- signals --- */

static void test_an_interrupt_drops_the_line_and_leaves_it_above(void **state)
{
    (void)state;
    SKIP_PLAIN();
    kit_type(k, "send eva oops");
    KIT_UNTIL(k, kit_shows(k, "ana> send eva oops"));
    assert_true(console_interrupt(k->console));
    KIT_UNTIL(k, kit_shows(k, "ana> send eva oops^C|ana>"));
    assert_false(console_interrupt(k->console));
    kit_type(k, "x\r");
    KIT_UNTIL(k, k->line_count == 1);
    assert_string_equal(k->lines[0], "x");
}

static void test_a_wider_screen_is_used(void **state)
{
    (void)state;
    SKIP_PLAIN();
    kit_type(k, "short");
    kit_say(k, "said\n", 0);
    KIT_UNTIL(k, kit_shows(k, "said|ana> short"));
    kit_size(k, 30, 100);
    console_resize(k->console);
    assert_int_equal(console_width(k->console), 100);
    KIT_UNTIL(k, kit_shows(k, "said|ana> short"));
}

static void test_after_a_resize_a_line_is_said_again(void **state)
{
    (void)state;
    SKIP_PLAIN();
    kit_say(k, "ana: hi  (waiting)\n", 7);
    KIT_UNTIL(k, kit_shows(k, "ana: hi  (waiting)|ana>"));
    kit_size(k, 20, 50);
    console_resize(k->console);
    amend(7, "ana: hi  (delivered)", "hi was delivered\n");
    KIT_UNTIL(k, kit_shows(k, "hi was delivered|ana>"));
}

/* --- opening and closing --- */

static void test_what_is_no_terminal_is_refused(void **state)
{
    (void)state;
    int ends[2];
    struct console *c = NULL;
    struct console_setup setup = {.on_line = kit_on_line};
    assert_int_equal(pipe(ends), 0);
    setup.fd = ends[0];
    assert_int_equal(console_open(&setup, &c), MOTH_EIO);
    assert_null(c);
    close(ends[1]);
    fcntl(ends[0], F_GETFD) == 0 ? close(ends[0]) : 0;
}

static void test_closing_leaves_the_terminal_as_it_was(void **state)
{
    (void)state;
    struct termios before, during, after;
    kit_free(k);
    k = mem_new(sizeof *k);
    kit_terminal(k, 24, 60);
    assert_int_equal(tcgetattr(k->slave, &before), 0);
    assert_int_equal(kit_open_console(k, NULL), 0);
    kit_first_prompt(k);
    KIT_UNTIL(k, kit_shows(k, "ana>"));
    assert_int_equal(tcgetattr(k->slave, &during), 0);
    assert_true(!k->is_raw || !(during.c_lflag & (ICANON | ECHO)));
    kit_close_console(k);
    assert_int_equal(tcgetattr(k->slave, &after), 0);
    assert_int_equal(before.c_lflag, after.c_lflag);
    assert_int_equal(before.c_iflag, after.c_iflag);
    assert_int_equal(before.c_oflag, after.c_oflag);
    assert_memory_equal(before.c_cc, after.c_cc, sizeof before.c_cc);
}

static void test_closing_leaves_the_cursor_on_a_line_of_its_own(void **state)
{
    (void)state;
    SKIP_PLAIN();
    kit_type(k, "half");
    kit_say(k, "said\n", 0);
    KIT_UNTIL(k, kit_shows(k, "said|ana> half"));
    kit_say(k, "bye\n", 0);
    kit_close_console(k);
    assert_true(kit_has_row(k, "bye"));
    assert_string_equal(kit_row(k, 0), "");
    assert_int_equal(k->screen.column, 0);
    assert_non_null(strstr(k->raw, "\033[?2004l"));
}

static void test_closing_does_not_wait_for_a_stuck_terminal(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) kit_say(k, "a line that nobody takes\n", 0);
    console_write(k->console);
    int64_t start_ms = kit_now_ms();
    console_close(k->console);
    k->console = NULL;
    assert_true(kit_now_ms() - start_ms < 5000);
}

static void test_no_colour_where_it_is_not_wanted(void **state)
{
    (void)state;
    unsetenv("NO_COLOR");
    assert_true(console_has_colour(k->console));
    setenv("NO_COLOR", "", 1);
    assert_true(console_has_colour(k->console));
    setenv("NO_COLOR", "1", 1);
    assert_false(console_has_colour(k->console));
    unsetenv("NO_COLOR");
}

/* --- in the background --- */

static void become_session(int master)
{
    setsid();
    int terminal = open(ptsname(master), O_RDWR);
    if (terminal < 0 || ioctl(terminal, TIOCSCTTY, 0) < 0) _exit(10);
}

/* In a group of its own, which is not in front before `go` says so. */
static void live_in_background(struct kit *kit, int go)
{
    struct termios before, after;
    char byte;
    setpgid(0, 0);
    tcgetattr(kit->slave, &before);
    if (kit_open_console(kit, NULL) < 0 || !console_is_away(kit->console)) _exit(11);
    console_prompt(kit->console, "ana> ");
    kit_say(kit, "from behind\n", 0);
    console_write(kit->console);
    tcgetattr(kit->slave, &after);
    if (before.c_lflag != after.c_lflag || console_wants_to_read(kit->console)) _exit(12);
    if (read(go, &byte, 1) != 1) _exit(13);
    console_continue(kit->console);
    if (console_is_away(kit->console)) _exit(14);
    tcgetattr(kit->slave, &after);
    if (k->is_raw && (after.c_lflag & ICANON)) _exit(15);
    console_write(kit->console);
    _exit(0);
}

static int bring_to_front(struct kit *kit)
{
    int go[2], status;
    become_session(kit->master);
    if (pipe(go) < 0) _exit(16);
    pid_t child = fork();
    if (child == 0) live_in_background(kit, go[0]);
    int64_t end_ms = kit_now_ms() + KIT_SOON_MS;
    while (!kit_has_row(kit, "from behind") && kit_now_ms() < end_ms) kit_look(kit);
    if (kit->is_raw && strstr(kit->raw, "ana>")) _exit(17);
    signal(SIGTTOU, SIG_IGN);
    if (tcsetpgrp(kit->slave, child) < 0 || write(go[1], "", 1) != 1) _exit(18);
    if (waitpid(child, &status, 0) != child) _exit(19);
    while (!kit_has_row(kit, "ana>") && kit_now_ms() < end_ms) kit_look(kit);
    if (!kit_has_row(kit, "ana>")) _exit(20);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 21);
}

static void test_in_the_background_it_prints_and_touches_nothing(void **state)
{
    (void)state;
    kit_close_console(k);
    memset(&k->screen.cells, 0, sizeof k->screen.cells);
    k->raw_bytes = 0;
    k->raw[0] = '\0';
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) bring_to_front(k);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- what was typed before --- */

static char history[64];

static void read_history(char *text, size_t room)
{
    int fd = open(history, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, text, room - 1);
    text[n > 0 ? n : 0] = '\0';
    close(fd);
}

static void test_entered_lines_are_in_the_file_at_once(void **state)
{
    (void)state;
    SKIP_PLAIN();
    char text[256];
    struct stat about;
    snprintf(history, sizeof history, "/tmp/moth-history-%d", (int)getpid());
    unlink(history);
    again(24, 60, history);
    kit_type(k, "list\rlist\r  \r\033[200~a\rb\\n\033[201~\r");
    KIT_UNTIL(k, k->line_count == 4);
    read_history(text, sizeof text);
    assert_string_equal(text, "list\na\\nb\\\\n\n");
    assert_int_equal(stat(history, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    again(24, 60, history);
    kit_type(k, "\020\r\020\020\r");
    KIT_UNTIL(k, k->line_count == 2);
    assert_string_equal(k->lines[0], "a\nb\\n");
    assert_string_equal(k->lines[1], "list");
    unlink(history);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_UNPREPARED(name) cmocka_unit_test_teardown(name, tear_down)

static const struct CMUnitTest tests[] = {
    TEST_UNPREPARED(test_settings_of_the_user_are_kept),
    TEST_UNPREPARED(test_a_dumb_terminal_gets_no_escape_sequences),
    TEST(test_a_typed_line_is_entered),
    TEST(test_nothing_is_shown_before_the_first_prompt),
    TEST(test_a_control_d_on_an_empty_line_is_the_end),
    TEST(test_a_control_d_in_a_line_is_not_the_end),
    TEST(test_a_terminal_that_is_gone_is_the_end_once),
    TEST(test_an_entered_line_disappears_when_it_is_to_be_erased),
    TEST(test_a_command_stays_when_messages_are_erased),
    TEST(test_an_erased_line_of_several_rows_leaves_nothing),
    TEST(test_another_prompt_keeps_what_is_typed),
    TEST(test_what_is_said_stands_above_what_is_typed),
    TEST(test_the_cursor_stays_where_it_was_in_the_line),
    TEST(test_a_wrapped_line_is_not_disturbed),
    TEST(test_a_line_that_ends_at_the_edge_is_not_disturbed),
    TEST(test_wide_characters_are_not_disturbed),
    TEST(test_a_character_in_pieces_is_one),
    TEST(test_a_line_as_wide_as_the_screen_takes_one_row),
    TEST(test_two_thousand_lines_a_second_leave_typing_quick),
    TEST(test_a_lone_escape_stops_nothing),
    TEST(test_an_arrow_in_pieces_is_an_arrow),
    TEST(test_a_search_goes_on_while_things_are_said),
    TEST(test_an_interrupt_ends_a_search),
    TEST(test_five_pasted_lines_are_one),
    TEST(test_a_paste_in_pieces_is_one_and_blocks_nothing),
    TEST(test_a_large_paste_is_whole),
    TEST(test_a_single_word_is_completed),
    TEST(test_several_words_are_listed_above),
    TEST(test_a_tab_without_words_changes_nothing),
    TEST(test_a_line_changes_where_it_stands),
    TEST(test_a_line_that_scrolled_away_is_said_again),
    TEST(test_a_line_that_scrolled_away_may_be_passed_over),
    TEST(test_after_a_cleared_screen_a_line_is_said_again),
    TEST(test_a_stuck_terminal_costs_whole_lines_and_says_so),
    TEST(test_a_stuck_terminal_is_read_no_more),
    TEST(test_an_interrupt_drops_the_line_and_leaves_it_above),
    TEST(test_a_wider_screen_is_used),
    TEST(test_after_a_resize_a_line_is_said_again),
    TEST(test_what_is_no_terminal_is_refused),
    TEST(test_closing_leaves_the_terminal_as_it_was),
    TEST(test_closing_leaves_the_cursor_on_a_line_of_its_own),
    TEST(test_closing_does_not_wait_for_a_stuck_terminal),
    TEST(test_no_colour_where_it_is_not_wanted),
    TEST(test_in_the_background_it_prints_and_touches_nothing),
    TEST(test_entered_lines_are_in_the_file_at_once),
};

int main(int argc, char **argv)
{
    setenv("TERM", "xterm", 1);
    setenv("INPUTRC", "/dev/null", 1);
    if (argc < 2) return kit_run_each_alone(tests, sizeof tests / sizeof *tests);
    cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
