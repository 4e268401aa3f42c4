/* test_pattern_bounds.c -- where Lua's own patterns would run for ever, ours end with a sentence; and who polls them
 * can end them sooner. The polls are also the measure of the work: a clock would measure the machine. */
#include "pattern_kit.h"

#define CALL_POLLS 101 /* 10 million steps, and one left over from before */

static unsigned polls_of(const char *expression)
{
    polls = 0;
    answer(ours, expression);
    return polls;
}

static void expect_too_long(const char *expression)
{
    polls = 0;
    const char *text = answer(ours, expression);
    if (!strstr(text, "pattern takes too long on this text; make it simpler or the text shorter"))
        fail_msg("%s\ngave %.200s", expression, text);
    assert_in_range(polls, CALL_POLLS - 2, CALL_POLLS + 2);
}

static void test_a_pattern_that_doubles_its_work_ends(void **state)
{
    (void)state;
    expect_too_long("(('a'):rep(30)):find(('a?'):rep(30) .. ('a'):rep(31))");
    expect_too_long("(('a'):rep(40)):match('^' .. ('a?'):rep(40) .. ('a'):rep(40))");
    expect_too_long("(('a'):rep(60)):find(('.-'):rep(20) .. 'x')");
    expect_too_long("(('a'):rep(60)):find(('.*'):rep(20) .. 'x')");
    expect_too_long("(('a'):rep(60)):find(('[ab]+'):rep(20) .. 'x')");
    expect_too_long("(('a'):rep(60)):match(('(a*)'):rep(20) .. 'x')");
    expect_too_long("(('a'):rep(60)):gsub(('.-'):rep(20) .. 'x', '')");
    expect_too_long("(('a'):rep(60)):gsub(('a?'):rep(30) .. ('a'):rep(31) .. 'x', print)");
    expect_too_long("all(('a'):rep(60), ('.-'):rep(20) .. 'x')");
}

static void test_what_is_quadratic_ends(void **state)
{
    (void)state;
    polls_allowed = 1000;
    expect_too_long("(('('):rep(9000)):gsub('%b()', '')");
    expect_too_long("(('a'):rep(9000)):find('a*b')");
    expect_too_long("(('a'):rep(9000)):find('(a-)b')");
    expect_too_long("(('a'):rep(9000) .. 'b'):find('[' .. ('x'):rep(9000) .. ']')");
    expect_too_long("(('a'):rep(9000)):find('[' .. ('x'):rep(9000) .. ']')");
    expect_too_long("(('a'):rep(9000)):find('[a' .. ('x'):rep(9000) .. ']b')");
    expect_too_long("(('a'):rep(9000)):find('%f[' .. ('x'):rep(9000) .. ']')");
    expect_too_long("(('a'):rep(9000)):find(('a'):rep(4500) .. '()b')");
    expect_too_long("(('a'):rep(3000)):find('(.*).-%1b')");
}

static void test_a_replacement_of_nothing_ends(void **state)
{
    (void)state;
    expect_too_long("(('a'):rep(10000)):gsub('(b*)a', ('%1'):rep(10000))");
}

static void test_one_turn_of_a_gmatch_ends(void **state)
{
    (void)state;
    expect_too_long("string.gmatch(('a'):rep(9000), 'a*b')()");
}

static void test_a_long_text_has_more_steps(void **state)
{
    (void)state;
    expect("(function() local t, n = ('word '):rep(800000):gsub('(%w+)(%s+)', '%2%1') return #t, n end)()",
        "true, integer 4000000, integer 800000");
    assert_in_range(polls, 2 * CALL_POLLS, 4 * CALL_POLLS); /* two calls: one to compare, one for its answer */
}

static void test_a_plain_search_is_linear(void **state)
{
    (void)state;
    assert_string_equal(answer(ours, "(('a'):rep(1000000)):find(('a'):rep(500000) .. 'b')"), "true, nil");
    assert_in_range(polls_of("(('a'):rep(3000000)):find('aab', 1, true)"), 20, 60);
}

static void test_what_a_capture_repeats_is_counted(void **state)
{
    (void)state;
    unsigned once = polls_of("(('a'):rep(100000) .. 'b' .. ('a'):rep(5000000)):find('^(a+)b')");
    unsigned often = polls_of("(('a'):rep(100000) .. 'b' .. ('a'):rep(5000000)):find('^(a+)b' .. ('%1'):rep(50))");
    assert_in_range(often - once, 2, 4); /* 50 times 100,000 bytes, sixteen in a step */
}

static void test_small_calls_together_are_polled(void **state)
{
    (void)state;
    polls_of("(('a'):rep(3000000)):find('b')"); /* begins anew */
    assert_int_equal(polls_of("('a'):find('b+')"), 0);
    assert_in_range(polls_of("(function() for _ = 1, 1000 do (('a'):rep(1000)):find('b+') end end)()"), 10, 30);
}

static void test_each_call_of_a_replacement_is_polled(void **state)
{
    (void)state;
    assert_in_range(polls_of("('aaa'):gsub('a', string.upper)"), 3, 4);
    assert_in_range(polls_of("('aaa'):gsub('a', {a = 'x'})"), 3, 4);
    assert_in_range(polls_of("('aaa'):gsub('a', '%0')"), 0, 1);
}

static void test_a_poll_may_end_the_call(void **state)
{
    (void)state;
    polls_allowed = 1;
    assert_non_null(strstr(answer(ours, "(('a'):rep(9000)):find('a*b')"), "interrupted"));
    assert_int_equal(polls, 2);
}

static void test_after_an_error_the_next_call_is_polled(void **state)
{
    (void)state;
    polls_of("('a'):find('[')");
    assert_int_equal(polls_of("('a'):find('b+')"), 1);
    assert_int_equal(polls_of("('a'):find('b+')"), 0);
}

static void test_nobody_need_poll(void **state)
{
    (void)state;
    pattern_set_poll(NULL);
    const char *text = answer(ours, "(('a'):rep(9000)):find('a*b')");
    assert_non_null(strstr(text, "pattern takes too long"));
    assert_int_equal(polls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PATTERN(test_a_pattern_that_doubles_its_work_ends),
        PATTERN(test_what_is_quadratic_ends),
        PATTERN(test_a_replacement_of_nothing_ends),
        PATTERN(test_one_turn_of_a_gmatch_ends),
        PATTERN(test_a_long_text_has_more_steps),
        PATTERN(test_a_plain_search_is_linear),
        PATTERN(test_what_a_capture_repeats_is_counted),
        PATTERN(test_small_calls_together_are_polled),
        PATTERN(test_each_call_of_a_replacement_is_polled),
        PATTERN(test_a_poll_may_end_the_call),
        PATTERN(test_after_an_error_the_next_call_is_polled),
        PATTERN(test_nobody_need_poll),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
