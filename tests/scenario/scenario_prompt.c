/* scenario_prompt.c -- Lua and the commands about scripts, as lines of a pipe.
 *
 * A line that waits holds back the lines behind it and nothing else. What a script prints goes to standard output,
 * what it logs to standard error. */
#include "bots.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* --- =EXPR --- */

static void test_an_expression_prints_its_values(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    process_say(ana, "= 1 + 1");
    process_expect(ana, "^2$", PROCESS_SOON_MS);
    process_say(ana, "=nil, 'two words', { 1, 2, key = 'v' }");
    process_expect(ana, "^nil two words { 1, 2, key = \"v\" }$", PROCESS_SOON_MS);
    process_say(ana, "= node.name");
    process_expect(ana, "^ana$", PROCESS_SOON_MS);
}

static void test_a_statement_works_and_its_names_stay(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    process_say(ana, "= count = 40");
    process_say(ana, "= for i = 1, 2 do count = count + 1 end");
    process_say(ana, "= count");
    process_expect(ana, "^42$", PROCESS_SOON_MS);
    process_quit(ana);
}

static void test_an_error_names_its_line_and_makes_the_status_1(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    process_say(ana, "id");
    process_say(ana, "= error('x')");
    process_expect_error(ana, "^line 2: *x$", PROCESS_SOON_MS);
    process_say(ana, "= 1 + )");
    process_expect_error(ana, "^line 3: *unexpected symbol near ", PROCESS_SOON_MS);
    process_say(ana, "= nodee.id");
    process_expect_error(ana, "^line 4: *undefined global 'nodee'; did you mean node?$", PROCESS_SOON_MS);
    process_say(ana, "= while true do end");
    process_expect_error(ana, "^line 5: it ran for too long", 2 * PROCESS_SOON_MS);
    process_say(ana, "= 2 + 2");
    process_expect(ana, "^4$", PROCESS_SOON_MS);
    process_say(ana, "quit");
    assert_int_equal(process_wait(ana, PROCESS_SOON_MS), 1);
}

/*   ana --- bob     bob takes his time to answer, and writes meanwhile */
static void test_a_line_that_waits_holds_back_lines_but_no_messages(void **state)
{
    (void)state;
    const char *script = bots_write("slow", "node:serve('slow', function(_, request)\n"
                                            "  node:send(request.from, 'meanwhile'):wait 'delivered'\n"
                                            "  return 'the value'\nend)\n");
    struct process *bob = bots_node("bob", script), *ana = bots_friend("ana", bob);
    process_say(ana, "= node:request('bob', 'slow', {})");
    process_say(ana, "= 'the next line'");
    process_expect(ana, "] bob: meanwhile$", PROCESS_SOON_MS);
    assert_string_equal(process_read_on(ana, PROCESS_SOON_MS), "the value");
    assert_string_equal(process_read_on(ana, PROCESS_SOON_MS), "the next line");
}

static void test_a_signal_ends_a_line_that_would_wait_for_ever(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    process_say(ana, "= print 'waiting' task.sleep '30d'");
    process_expect(ana, "^waiting$", PROCESS_SOON_MS);
    process_signal(ana, SIGINT);
    assert_int_equal(process_wait(ana, PROCESS_SOON_MS), 0);
}

/* --- the commands --- */

static const char ticking[] = "print(script.name .. ' begins')\n"
                              "task.every('10ms', function() print 'tick' end)\n"
                              "node:hear('^hi$', function() return 'hi yourself' end)\n";

/* Between this answer and that of a later command it ticks no more. */
static void expect_silence(struct process *p)
{
    const char *line;
    process_say(p, "= 'from here on'");
    process_expect(p, "^from here on$", PROCESS_SOON_MS);
    process_say(p, "= task.sleep '50ms', 'to here'");
    while (!strstr(line = process_read_on(p, PROCESS_SOON_MS), "to here"))
        if (strcmp(line, "tick") == 0) fail_msg("it still ticks");
}

static void test_load_and_unload_begin_and_end_a_script(void **state)
{
    (void)state;
    struct process *bob = process_node("bob", NULL, NULL);
    process_say(bob, "scripts");
    process_expect(bob, "^no scripts; this runs one: load FILE$", PROCESS_SOON_MS);
    process_say(bob, "load %s", bots_write("ticking", ticking));
    process_expect(bob, "^ticking begins$", PROCESS_SOON_MS);
    process_expect(bob, "^ticking is running$", PROCESS_SOON_MS);
    process_expect(bob, "^tick$", PROCESS_SOON_MS);
    process_say(bob, "scripts");
    process_expect(bob, "^ticking running 1 1 0 *ticking.lua$", PROCESS_SOON_MS);
    process_say(bob, "top");
    process_expect(bob, "^ticking 0.0? s 1 0 0$", PROCESS_SOON_MS);
    process_expect(bob, "^memory of all scripts and the shell: *iB of 64.0 MiB$", PROCESS_SOON_MS);
    process_say(bob, "unload ticking");
    process_expect(bob, "^ticking is unloaded$", PROCESS_SOON_MS);
    expect_silence(bob);
    process_say(bob, "scripts");
    process_expect(bob, "^no scripts", PROCESS_SOON_MS);
    process_quit(bob);
}

static void test_kill_parks_a_script_until_it_is_reloaded(void **state)
{
    (void)state;
    struct process *bob = bots_node("bob", bots_write("ticking", ticking));
    process_expect(bob, "^tick$", PROCESS_SOON_MS);
    process_say(bob, "kill ticking");
    process_expect(bob, "^ticking is stopped; 'reload ticking' starts it again$", PROCESS_SOON_MS);
    expect_silence(bob);
    process_say(bob, "send bob hi");
    process_say(bob, "scripts");
    process_expect(bob, "^ticking parked 0 0 0 ", PROCESS_SOON_MS);
    process_expect(bob, "^ticking is parked: it was killed$", PROCESS_SOON_MS);
    process_say(bob, "reload ticking");
    process_expect(bob, "^ticking is running anew$", PROCESS_SOON_MS);
    process_expect_none(bob, "hi yourself", 0);
    process_say(bob, "send bob hi");
    process_expect(bob, "] bob: hi yourself$", PROCESS_SOON_MS);
}

static void test_scripts_that_are_not_there_are_named(void **state)
{
    (void)state;
    struct process *bob = process_node("bob", NULL, NULL);
    process_say(bob, "load missing.lua");
    process_expect_error(bob, "^line 1: cannot load missing.lua: ", PROCESS_SOON_MS);
    static const char *const commands[] = {"reload", "unload", "kill"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char pattern[64];
        process_say(bob, "%s nobody", commands[i]);
        snprintf(pattern, sizeof pattern, "^line %zu: *no script nobody is loaded$", i + 2);
        process_expect_error(bob, pattern, PROCESS_SOON_MS);
    }
    process_say(bob, "load %s", bots_write("twice", ""));
    process_say(bob, "load %s", bots_write("twice", ""));
    process_expect_error(bob, "^line 6: *twice is loaded already; 'reload twice'", PROCESS_SOON_MS);
}

/* An error tells where it was, who started that, and which script it is; the others go on. */
static void test_an_error_of_a_script_is_logged_and_counted(void **state)
{
    (void)state;
    const char *faulty = bots_write("faulty", "node:hear('^oops$', function()\n  local none\n"
                                                "  return none.field\nend)\n");
    const char *chatty = bots_write("chatty", "node:on('error', function(e) print(e.script .. ' failed') end)\n"
                                              "log.warn('take care', 7)\n");
    struct process *bob = process_node("bob", NULL, "--load", faulty, "--load", chatty, NULL);
    process_expect_error(bob, "chatty: take care 7$", PROCESS_SOON_MS);
    process_say(bob, "send bob oops");
    process_expect(bob, "^faulty failed$", PROCESS_SOON_MS);
    process_expect_error(bob, "faulty: *faulty.lua:3: attempt to index a nil value (local 'none')", PROCESS_SOON_MS);
    process_expect_error(bob, "started at *faulty.lua:1", PROCESS_SOON_MS);
    process_say(bob, "scripts");
    process_expect(bob, "^faulty running 1 0 1 ", PROCESS_SOON_MS);
    process_expect(bob, "^chatty running 1 0 0 ", PROCESS_SOON_MS);
    process_expect(bob, "^faulty: last error: ", PROCESS_SOON_MS);
}

/* --- --load --- */

static void expect_no_start(const char *name, const char *text, const char *why)
{
    char pattern[128];
    struct process *p = process_node("eva", NULL, "--load", bots_write(name, text), NULL);
    assert_int_equal(process_wait(p, PROCESS_SOON_MS), 1);
    snprintf(pattern, sizeof pattern, "^moth: cannot load *%s.lua: *%s", name, why);
    process_expect_error(p, pattern, PROCESS_SOON_MS);
}

static void test_a_script_that_cannot_be_loaded_ends_the_program(void **state)
{
    (void)state;
    expect_no_start("syntax", "local = 1", "syntax.lua:1: <name> expected near '='");
    expect_no_start("failing", "\nerror 'not today'", "failing.lua:2: not today");
    struct process *p = process_node("eva", NULL, "--load", "no/such/file.lua", NULL);
    assert_int_equal(process_wait(p, PROCESS_SOON_MS), 1);
    process_expect_error(p, "^moth: cannot load no/such/file.lua: ", PROCESS_SOON_MS);
}

static void test_scripts_hear_in_the_order_in_which_they_were_loaded(void **state)
{
    (void)state;
    const char *first = bots_write("first", "node:hear('^a', function() return 'first' end)\n");
    const char *second = bots_write("second", "node:hear('.', function() return 'second' end)\n");
    struct process *bob = process_node("bob", NULL, "--load", first, "--load", second, NULL);
    process_say(bob, "send bob a word");
    process_expect(bob, "] bob: first$", PROCESS_SOON_MS);
    process_say(bob, "send bob word");
    process_expect(bob, "] bob: second$", PROCESS_SOON_MS);
}

/* The one who knows what to do with it is loaded last, after one that takes its time. */
static void test_a_message_of_before_waits_until_all_scripts_run(void **state)
{
    (void)state;
    const char *holding = bots_write("knows", "node:hear('^keep$', function() print 'kept' task.sleep '1h' end)\n");
    struct process *bob = bots_node("bob", holding);
    process_say(bob, "send bob keep");
    process_expect(bob, "^kept$", PROCESS_SOON_MS);
    bots_kill(bob);
    const char *slow = bots_write("slow", "task.sleep '200ms'\nprint 'slow is ready'\n");
    bots_write("knows", "node:hear('^keep$', function(m) print('again: ' .. tostring(m.redelivered)) end)\n");
    bob = process_node("bob", process_home(bob), "--load", slow, "--load", holding, NULL);
    process_expect(bob, "^slow is ready$", PROCESS_SOON_MS);
    process_expect(bob, "^[??:??:??] bob (again): keep$", PROCESS_SOON_MS);
    assert_string_equal(process_read_on(bob, PROCESS_SOON_MS), "again: true");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_an_expression_prints_its_values),
        PROCESS_TEST(test_a_statement_works_and_its_names_stay),
        PROCESS_TEST(test_an_error_names_its_line_and_makes_the_status_1),
        PROCESS_TEST(test_a_line_that_waits_holds_back_lines_but_no_messages),
        PROCESS_TEST(test_a_signal_ends_a_line_that_would_wait_for_ever),
        PROCESS_TEST(test_load_and_unload_begin_and_end_a_script),
        PROCESS_TEST(test_kill_parks_a_script_until_it_is_reloaded),
        PROCESS_TEST(test_scripts_that_are_not_there_are_named),
        PROCESS_TEST(test_an_error_of_a_script_is_logged_and_counted),
        PROCESS_TEST(test_a_script_that_cannot_be_loaded_ends_the_program),
        PROCESS_TEST(test_scripts_hear_in_the_order_in_which_they_were_loaded),
        PROCESS_TEST(test_a_message_of_before_waits_until_all_scripts_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
