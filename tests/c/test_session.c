/* test_session.c -- shell.h as the program uses it: sessions that come, are told things and end, each by itself, and
 * the few ways out of the shell. What the commands say is the Lua specs' business. */
#include "session_kit.h"

static int set_up(void **state)
{
    (void)state;
    if (open_node() < 0) return -1;
    return open_shell((struct shell_setup){0});
}

static int tear_down(void **state)
{
    (void)state;
    front_fini(&one);
    front_fini(&two);
    return close_node();
}

/* --- lines and answers --- */

static void test_a_line_is_answered_by_its_own_session(void **state)
{
    (void)state;
    enter(&one, pipes);
    enter(&two, guest);
    type(&one, "='for ' .. 'one'");
    type(&two, "='for ' .. 'two'");
    until_said(one_says, "for one\n");
    until_said(two_says, "for two\n");
    assert_false(has(&one.answers, "for two"));
    assert_false(has(&two.answers, "for one"));
}

static void test_lines_run_in_order_one_after_the_other(void **state)
{
    (void)state;
    enter(&one, pipes);
    type(&one, "task.sleep('20ms') print('first')");
    type(&one, "print('second')");
    session_line(one.session, "print('third')\nprint('fourth')", 30);
    until_said(one_says, "fourth\n");
    assert_true(has(&one.answers, "first\nsecond\nthird\nfourth\n"));
}

static void test_a_line_may_hold_any_byte(void **state)
{
    (void)state;
    enter(&one, pipes);
    session_line(one.session, "='a\0\033[2Jb'", 10);
    until_said(one_says, "a\\");
    assert_null(memchr(buf_span(&one.answers).data, '\033', buf_bytes(&one.answers)));
    assert_null(memchr(buf_span(&one.answers).data, '\0', buf_bytes(&one.answers)));
}

static void test_a_failure_in_a_pipe_goes_to_the_other_stream_with_its_line(void **state)
{
    (void)state;
    enter(&one, pipes);
    type(&one, "=1");
    type(&one, "error('broken')");
    until_said(one_complains, "line 2: broken\n");
    assert_false(has(&one.answers, "broken"));
}

static void test_a_terminal_gets_its_failures_where_answers_are(void **state)
{
    (void)state;
    enter(&one, terminal);
    type(&one, "error('broken')");
    until_said(one_says, "broken\n");
    assert_int_equal(buf_bytes(&one.complaints), 0);
}

static void test_only_a_terminal_gets_a_prompt(void **state)
{
    (void)state;
    enter(&one, terminal);
    enter(&two, pipes);
    assert_true(has(&one.prompts, "ana> \n"));
    type(&one, "x = {");
    type(&two, "x = {");
    type(&two, "}");
    type(&two, "=1 + 1");
    until_said(two_says, "2\n");
    turns(2);
    assert_true(has(&one.prompts, "...> \n"));
    assert_int_equal(buf_bytes(&two.prompts), 0);
}

static void test_each_session_has_names_of_its_own(void **state)
{
    (void)state;
    enter(&one, pipes);
    enter(&two, guest);
    type(&one, "mine = 'of one'");
    type(&one, "=mine");
    until_said(one_says, "of one\n");
    type(&two, "print(rawget(_ENV, 'mine'))");
    until_said(two_says, "nil\n");
}

static void test_a_session_that_works_asks_for_no_more_lines(void **state)
{
    (void)state;
    enter(&one, pipes);
    until(one_is_free);
    type(&one, "task.sleep('20ms')");
    assert_true(one.is_held);
    until(one_is_free);
}

static void test_one_command_in_json_says_one_value_and_ends(void **state)
{
    (void)state;
    enter(&one, (struct shell_terms){.is_remote = true, .is_single = true, .is_json = true});
    type(&one, "={1, 2, 'three'}");
    until(one_is_over);
    assert_int_equal(one.status, 0);
    assert_true(slice_equal(span_slice(buf_span(&one.answers)), slice_text("[1,2,\"three\"]\n")));
    assert_int_equal(quits, 0);
}

static void test_one_command_that_fails_ends_with_1(void **state)
{
    (void)state;
    enter(&one, (struct shell_terms){.is_remote = true, .is_single = true});
    type(&one, "lsit");
    until(one_is_over);
    assert_int_equal(one.status, 1);
    assert_true(has(&one.complaints, "lsit"));
}

/* Its words may come from anywhere: from a message, from a file. */
static void test_one_command_is_one_whatever_its_words_hold(void **state)
{
    (void)state;
    enter(&one, (struct shell_terms){.is_remote = true, .is_single = true});
    type(&one, "send ana hello\nstop");
    until(one_is_over);
    assert_int_equal(one.status, 0);
    enter(&two, guest);
    type(&two, "print(node:history()[1].data)");
    until_said(two_says, "hello\nstop\n");
    assert_int_equal(quits, 0);
}

static void test_one_command_that_is_only_a_piece_of_lua_fails(void **state)
{
    (void)state;
    enter(&one, (struct shell_terms){.is_remote = true, .is_single = true, .is_json = true});
    type(&one, "x = {");
    until(one_is_over);
    assert_int_equal(one.status, 1);
    assert_true(has(&one.answers, "\"error\""));
    assert_int_equal(one.says, 1);
}

static void test_one_command_that_the_end_of_the_node_overtakes_fails(void **state)
{
    (void)state;
    enter(&one, (struct shell_terms){.is_remote = true, .is_single = true});
    type(&one, "task.sleep(600)");
    shell_end(shell, 0);
    enter(&two, (struct shell_terms){.is_remote = true, .is_single = true});
    type(&two, "list");
    until(has_quit);
    assert_int_equal(quit_status, 0);
    assert_true(one.is_over && two.is_over);
    assert_int_equal(one.status, 1);
    assert_int_equal(two.status, 1);
    assert_true(has(&one.complaints, "the node ends"));
}

static void test_stop_as_the_one_command_succeeds(void **state)
{
    (void)state;
    enter(&one, (struct shell_terms){.is_remote = true, .is_single = true});
    type(&one, "stop");
    until(has_quit);
    assert_int_equal(one.status, 0);
    assert_int_equal(buf_bytes(&one.complaints), 0);
}

/* --- ends --- */

static void test_the_end_of_a_guests_input_ends_the_guest_alone(void **state)
{
    (void)state;
    enter(&one, guest);
    enter(&two, guest);
    type(&one, "task.sleep('20ms') print('done')");
    session_finish(one.session, 0);
    until(one_is_over);
    assert_true(has(&one.answers, "done\n"));
    assert_int_equal(one.status, 0);
    assert_int_equal(quits, 0);
    type(&two, "='still here'");
    until_said(two_says, "still here\n");
}

static void test_the_end_of_a_guests_input_tells_whether_a_line_failed(void **state)
{
    (void)state;
    enter(&one, guest);
    type(&one, "error('x')");
    session_finish(one.session, 0);
    until(one_is_over);
    assert_int_equal(one.status, 1);
}

static void test_the_end_of_the_programs_own_input_ends_the_program(void **state)
{
    (void)state;
    enter(&one, pipes);
    enter(&two, guests_terminal);
    session_finish(one.session, 0);
    until(has_quit);
    assert_int_equal(quit_status, 0);
    assert_true(one.is_over && two.is_over);
    assert_int_equal(one.ends + two.ends, 2);
    assert_true(has(&two.answers, "the node has ended\n"));
}

static void test_an_input_that_breaks_off_says_why(void **state)
{
    (void)state;
    enter(&one, pipes);
    session_finish(one.session, MOTH_ETOO_BIG);
    until(has_quit);
    assert_int_equal(quit_status, 1);
    assert_true(has(&one.complaints, moth_error_text(MOTH_ETOO_BIG)));
}

static void test_quit_ends_an_attached_shell_and_not_the_node(void **state)
{
    (void)state;
    enter(&one, guests_terminal);
    type(&one, "quit");
    until(one_is_over);
    turns(3);
    assert_int_equal(quits, 0);
}

static void test_stop_ends_the_node_from_any_shell(void **state)
{
    (void)state;
    enter(&one, guest);
    enter(&two, pipes);
    type(&one, "stop");
    until(has_quit);
    assert_int_equal(quit_status, 0);
    assert_true(one.is_over && two.is_over);
}

static void test_the_program_ends_with_the_status_it_is_told(void **state)
{
    (void)state;
    enter(&one, guest);
    shell_end(shell, 3);
    shell_end(shell, 4); /* it ends already */
    until(has_quit);
    assert_int_equal(quits, 1);
    assert_int_equal(quit_status, 3);
    assert_int_equal(one.status, 3);
}

static void test_who_leaves_in_the_midst_of_a_line_is_told_nothing_more(void **state)
{
    (void)state;
    enter(&one, guest);
    enter(&two, guest);
    type(&one, "task.sleep('20ms') print('nobody hears')");
    type(&one, "print('nor this')");
    turns(2);
    unsigned says = one.says;
    session_leave(one.session);
    one.is_over = true; /* from here on each call fails the test */
    type(&two, "task.sleep('60ms') print('later')");
    until_said(two_says, "later\n");
    assert_int_equal(one.says, says);
    assert_int_equal(quits, 0);
}

static void test_what_a_session_started_is_over_with_it(void **state)
{
    (void)state;
    enter(&one, guest);
    type(&one, "task.after('20ms', function() print('late') end)");
    type(&one, "task.every('5ms', function() print('again') end)");
    until_said(one_says, "again\n");
    session_finish(one.session, 0);
    until(one_is_over);
    enter(&two, guest);
    type(&two, "task.sleep('60ms') print('later')");
    until_said(two_says, "later\n");
    assert_int_equal(one.ends, 1);
}

static void test_the_programs_own_shell_takes_the_program_along(void **state)
{
    (void)state;
    enter(&one, terminal);
    session_leave(one.session);
    one.is_over = true;
    until(has_quit);
    assert_int_equal(quit_status, 0);
}

static void test_closing_the_shell_tells_no_front(void **state)
{
    (void)state;
    enter(&one, terminal);
    enter(&two, guest);
    type(&one, "task.sleep(60)");
    type(&two, "=1");
    one.is_over = two.is_over = true;
    close_shell();
    assert_int_equal(open_shell((struct shell_setup){0}), 0);
}

/* --- Ctrl-C --- */

static void test_an_interrupt_ends_what_runs(void **state)
{
    (void)state;
    enter(&one, guests_terminal);
    type(&one, "task.sleep(600) print('never')");
    turns(2);
    session_interrupt(one.session, false);
    type(&one, "='next'");
    until_said(one_says, "next\n");
    assert_true(has(&one.answers, "cancelled\n"));
    assert_false(has(&one.answers, "never"));
    assert_false(one.is_over);
}

static void test_two_interrupts_with_nothing_to_end_end_the_shell(void **state)
{
    (void)state;
    enter(&one, guests_terminal);
    turns(2);
    session_interrupt(one.session, true); /* drops what was typed: that is all */
    session_interrupt(one.session, false);
    assert_true(has(&one.answers, "Ctrl-C again"));
    assert_false(one.is_over);
    session_interrupt(one.session, false);
    until(one_is_over);
    assert_int_equal(quits, 0);
}

static void test_an_interrupt_drops_a_piece_of_lua(void **state)
{
    (void)state;
    enter(&one, terminal);
    type(&one, "x = {");
    turns(2);
    session_interrupt(one.session, false);
    type(&one, "='next'");
    until_said(one_says, "next\n");
    assert_int_equal(quits, 0);
}

/* --- completion, width, the log --- */

static struct buf words;

static void add_word(void *context, const char *word, size_t bytes)
{
    expect(context == &words);
    buf_add(&words, word, bytes);
    buf_add(&words, "\n", 1);
}

static void complete(const char *line, size_t start)
{
    buf_fini(&words);
    session_complete(one.session, line, strlen(line), start, add_word, &words);
}

static void test_words_are_offered_and_nothing_runs(void **state)
{
    (void)state;
    enter(&one, terminal);
    complete("hel", 0);
    assert_true(has(&words, "help"));
    type(&one, "fish = {fin = setmetatable({}, {__index = function() print('ran') end})}");
    type(&one, "='done'");
    until_said(one_says, "done\n");
    complete("=fish.f", 1);
    assert_true(has(&words, "fish.fin"));
    complete("=fish.fin.x", 1);
    turns(2);
    assert_false(has(&one.answers, "ran"));
    complete("zzzz", 0);
    assert_int_equal(buf_bytes(&words), 0);
    complete("", 0);
    buf_fini(&words);
}

static void test_a_terminal_may_change_its_width(void **state)
{
    (void)state;
    enter(&one, guests_terminal);
    session_resize(one.session, 30);
    type(&one, "=('word '):rep(12)");
    until_said(one_says, "word");
    turns(2);
    const char *at = memmem(buf_span(&one.answers).data, buf_bytes(&one.answers), "word", 4);
    assert_non_null(at);
    const uint8_t *answers_end = buf_span(&one.answers).data + buf_bytes(&one.answers);
    const char *end = memchr(at, '\n', (size_t)((const char *)answers_end - at));
    assert_non_null(end);
    assert_in_range(end - at, 1, 30);
}

static void test_a_width_of_nothing_is_survived(void **state)
{
    (void)state;
    enter(&one, guests_terminal);
    for (unsigned width = 0; width < 4; width++) {
        session_resize(one.session, width);
        type(&one, "=('word '):rep(12)");
        type(&one, "list");
        type(&one, "help");
    }
    type(&one, "='end'");
    until_said(one_says, "d");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_line_is_answered_by_its_own_session),
        TEST(test_lines_run_in_order_one_after_the_other),
        TEST(test_a_line_may_hold_any_byte),
        TEST(test_a_failure_in_a_pipe_goes_to_the_other_stream_with_its_line),
        TEST(test_a_terminal_gets_its_failures_where_answers_are),
        TEST(test_only_a_terminal_gets_a_prompt),
        TEST(test_each_session_has_names_of_its_own),
        TEST(test_a_session_that_works_asks_for_no_more_lines),
        TEST(test_one_command_in_json_says_one_value_and_ends),
        TEST(test_one_command_that_fails_ends_with_1),
        TEST(test_one_command_is_one_whatever_its_words_hold),
        TEST(test_one_command_that_is_only_a_piece_of_lua_fails),
        TEST(test_one_command_that_the_end_of_the_node_overtakes_fails),
        TEST(test_stop_as_the_one_command_succeeds),
        TEST(test_the_end_of_a_guests_input_ends_the_guest_alone),
        TEST(test_the_end_of_a_guests_input_tells_whether_a_line_failed),
        TEST(test_the_end_of_the_programs_own_input_ends_the_program),
        TEST(test_an_input_that_breaks_off_says_why),
        TEST(test_quit_ends_an_attached_shell_and_not_the_node),
        TEST(test_stop_ends_the_node_from_any_shell),
        TEST(test_the_program_ends_with_the_status_it_is_told),
        TEST(test_who_leaves_in_the_midst_of_a_line_is_told_nothing_more),
        TEST(test_what_a_session_started_is_over_with_it),
        TEST(test_the_programs_own_shell_takes_the_program_along),
        TEST(test_closing_the_shell_tells_no_front),
        TEST(test_an_interrupt_ends_what_runs),
        TEST(test_two_interrupts_with_nothing_to_end_end_the_shell),
        TEST(test_an_interrupt_drops_a_piece_of_lua),
        TEST(test_words_are_offered_and_nothing_runs),
        TEST(test_a_terminal_may_change_its_width),
        TEST(test_a_width_of_nothing_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
