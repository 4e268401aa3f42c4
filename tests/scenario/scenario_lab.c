/* scenario_lab.c -- `moth lab` from outside: what it says of runs that pass, of runs that fail and how they are seen
 * again, and of files and options that it cannot take.
 *
 * What labs can do is told by labs (tests/lab); here is only what no lab can see of itself. */
#include "labs.h"
#include "once.h"
#include "process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_BYTES 1024

/* --- what is said --- */

static void test_labs_that_pass_are_told_in_order_and_counted(void **state)
{
    (void)state;
    const char *file = labs_file("lab('slow', function(net) net:line(20) net:run('1h') end)\n"
                              "lab('quick', function() print 'hello' end)\n"
                              "test('a spec', function() end)\n");
    assert_int_equal(ONCE_MOTH("lab", file), 0);
    const char *slow = strstr(once_output(), "ok     slow  "), *quick = strstr(once_output(), "ok     quick  ");
    assert_true(slow && quick && slow < quick);
    labs_expect("s, 3600.0 s virtual\n");
    labs_expect("hello\n");
    labs_expect("ok     a spec  ");
    labs_expect_last_line("3 passed, 0 failed");
    assert_string_equal(once_error(), "");
}

static void test_several_files_are_one_run(void **state)
{
    (void)state;
    const char *one = labs_file("lab('one', function() end)\n");
    const char *other = labs_file_named("other.lua", "lab('other', function() error 'no' end)\n");
    assert_int_equal(ONCE_MOTH("lab", one, other), 1);
    labs_expect_last_line("1 passed, 1 failed");
}

static const char failing[] = "lab('no bread', function(net)\n"
                              "  net:line('ana', 'bob')\n"
                              "  net:settle()\n"
                              "  net:cut('ana', 'bob')\n"
                              "  net:expect(false, 'there is no bread')\n"
                              "end)\n";

static void test_a_failure_tells_what_where_when_and_what_happened_before(void **state)
{
    (void)state;
    assert_int_equal(ONCE_MOTH("lab", labs_file(failing)), 1);
    labs_expect("seed 1: ");
    labs_expect("lab.lua:5: there is no bread\n");
    labs_expect("s of virtual time, with seed 1\n");
    labs_expect("the last events:\n");
    labs_expect("  ana      link to bob up\n");
    labs_expect("  * cut ana bob\n");
    labs_expect("FAILED no bread  ");
    labs_expect_not("stack traceback");
    labs_expect_not("moth/");
    labs_expect_last_line("0 passed, 1 failed");
}

static void test_a_failure_names_each_place_once(void **state)
{
    (void)state;
    assert_int_equal(ONCE_MOTH("lab", labs_file(failing)), 1);
    labs_expect_not("in field");
    labs_expect_not("in the function");
    assert_int_equal(ONCE_MOTH("lab", labs_file("local function bake()\n"
                                             "  error 'no oven'\n"
                                             "end\n"
                                             "lab('bread', function()\n"
                                             "  bake()\n"
                                             "end)\n")), 1);
    labs_expect("lab.lua:2: no oven\n");
    labs_expect("lab.lua:5: in the function of the lab\n");
    labs_expect_not("in field");
}

static void test_what_is_told_does_not_depend_on_how_many_run_at_a_time(void **state)
{
    (void)state;
    const char *file = labs_file("lab('many', function(net)\n"
                                 "  print('seed ' .. net.seed)\n"
                                 "  for _ = 1, net.seed % 3 * 1000000 do end\n"
                                 "  net:expect(net.seed % 2 == 0, 'odd')\n"
                                 "end)\n");
    static const char failures[] = "failed as well: seed 7, 9, 11\n";
    char alone[8192];
    assert_int_equal(ONCE_MOTH("lab", "--seeds", "12", "--jobs", "1", file), 1);
    labs_expect(failures);
    snprintf(alone, sizeof alone, "%.*s", (int)(strstr(once_output(), failures) - once_output()), once_output());
    assert_int_equal(ONCE_MOTH("lab", "--seeds", "12", "--jobs", "5", file), 1);
    labs_expect(failures);
    assert_memory_equal(once_output(), alone, strlen(alone));
}

static void test_a_name_that_begins_with_a_dash_can_be_asked_for_again(void **state)
{
    (void)state;
    assert_int_equal(ONCE_MOTH("lab", labs_file("lab('--x', function() error 'no' end)\n")), 1);
    labs_expect("--only=--x ");
    assert_int_equal(ONCE_MOTH("lab", "--only=--x", labs_file("lab('--x', function() error 'no' end)\n")), 1);
    labs_expect_last_line("0 passed, 1 failed");
}

static void test_a_failure_that_names_a_node_shows_its_events(void **state)
{
    (void)state;
    assert_int_equal(ONCE_MOTH("lab", labs_file("lab('x', function(net)\n"
                                             "  net:line('ana', 'bob', 'eva')\n"
                                             "  net:settle()\n"
                                             "  net:expect(false, 'eva is asleep')\n"
                                             "end)\n")), 1);
    labs_expect("the last events of eva:\n");
    labs_expect("  eva      link to bob up\n");
    labs_expect_not("  ana      link to bob up\n");
}

/* --- seeing it again --- */

/* From the first `seed` to the line before the command. */
static void keep_report(char out[LABS_SOURCE_BYTES])
{
    const char *from = strstr(once_output(), "seed "), *to = strstr(once_output(), "  again: ");
    assert_true(from && to && from < to && (size_t)(to - from) < LABS_SOURCE_BYTES);
    snprintf(out, LABS_SOURCE_BYTES, "%.*s", (int)(to - from), from);
}

/* What a person would paste, with this program in the place of `moth`. */
static int run_again(void)
{
    static const char head[] = "  again: moth ";
    char command[COMMAND_BYTES];
    const char *at = strstr(once_output(), head);
    assert_non_null(at);
    at += strlen(head);
    snprintf(command, sizeof command, "exec %s %.*s", getenv("MOTH") ? getenv("MOTH") : "build/moth",
             (int)strcspn(at, "\n"), at);
    return once_run(NULL, (const char *const[]){"sh", "-c", command, NULL});
}

/* Names are quoted, and it is the seed that failed. */
static void test_the_command_of_a_failure_repeats_it(void **state)
{
    (void)state;
    char first[LABS_SOURCE_BYTES], second[LABS_SOURCE_BYTES];
    const char *file = labs_file_named("it's a lab.lua", "lab('other', function() end)\n"
                                                 "lab([[it's $HOME; \"x\" *]], { seeds = 5 }, function(net)\n"
                                                 "  net:ring(6)\n"
                                                 "  net:run(math.random())\n"
                                                 "  net:expect(net.seed ~= 4, 'chance is ' .. math.random())\n"
                                                 "end)\n");
    assert_int_equal(ONCE_MOTH("lab", file), 1);
    labs_expect("(1 of 5 seeds)");
    keep_report(first);
    assert_true(strstr(first, "seed 4: ") && strstr(first, "chance is 0."));
    assert_int_equal(run_again(), 1);
    keep_report(second);
    assert_string_equal(first, second);
    labs_expect_last_line("0 passed, 1 failed");
}

/* --- options --- */

static const char seeded[] = "lab('seeds', { seeds = 3 }, function(net) print('<' .. net.seed .. '>') end)\n"
                             "lab('one', function(net) print('one') end)\n";

static void test_a_lab_runs_with_as_many_seeds_as_it_asks_for(void **state)
{
    (void)state;
    assert_int_equal(ONCE_MOTH("lab", labs_file(seeded)), 0);
    labs_expect("<1>\n");
    labs_expect("<2>\n");
    labs_expect("<3>\n");
    labs_expect_not("<4>");
    labs_expect("ok     seeds (3 seeds)");
    labs_expect_last_line("2 passed, 0 failed");
}

static void test_seed_and_seeds_say_which_runs_there_are(void **state)
{
    (void)state;
    const char *file = labs_file(seeded);
    assert_int_equal(ONCE_MOTH("lab", "--seed", "7", file), 0);
    labs_expect("<7>\n");
    labs_expect_not("<8>");
    assert_int_equal(ONCE_MOTH("lab", "--seeds", "2", file), 0);
    labs_expect("<2>\n");
    labs_expect_not("<3>");
    assert_int_equal(ONCE_MOTH("lab", "--seed", "40", "--seeds", "2", "--only", "seeds", file), 0);
    labs_expect("<40>\n");
    labs_expect("<41>\n");
    labs_expect_not("<42>");
    labs_expect_not("one");
    labs_expect_last_line("1 passed, 0 failed");
}

static void test_only_names_one_that_there_is(void **state)
{
    (void)state;
    const char *file = labs_file(seeded);
    assert_int_equal(ONCE_MOTH("lab", "--only", "one", file), 0);
    labs_expect_last_line("1 passed, 0 failed");
    assert_int_equal(ONCE_MOTH("lab", "--only", "two", file), 1);
    labs_expect_error("there is no lab and no test named two");
}

static void test_more_jobs_give_the_same_results(void **state)
{
    (void)state;
    const char *file = labs_file("for i = 1, 6 do\n"
                              "  lab('lab ' .. i, function(net) net:ring(i) net:run('1m') print('end of ' .. i) end)\n"
                              "end\n");
    static const char *const jobs[] = {"1", "4", "64"};
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        assert_int_equal(ONCE_MOTH("lab", "--jobs", jobs[i], file), 0);
        const char *at = once_output();
        for (int k = 1; k <= 6; k++) {
            char end[64];
            snprintf(end, sizeof end, "end of %d\nok     lab %d  ", k, k);
            at = strstr(at, end);
            if (!at) fail_msg("'%s' is not in its place in:\n%s", end, once_output());
        }
        labs_expect_last_line("6 passed, 0 failed");
    }
}

/* --- what cannot be run --- */

struct refusal {
    const char *text, *why;
};

static void test_a_file_that_is_no_lab_is_told_where_and_why(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {"lab('x', function(net) net:run(1 end)", "lab.lua:1: ')' expected near 'end'"},
        {"local x = 1\n", "there is no lab(name, fn) and no test(name, fn) in it"},
        {"", "there is no lab(name, fn) and no test(name, fn) in it"},
        {"lab(7, function() end)", "lab.lua:1: bad argument #1 to lab (string expected, got number)"},
        {"lab('x', {}, 7)", "lab.lua:1: bad argument #3 to lab (function expected, got number)"},
        {"lab('x', { speed = 1 }, function() end)", "lab has no option speed; there are seeds, mode, "},
        {"lab('x', { seeds = 0 }, function() end)", "seeds is a whole number from 1 to "},
        {"lab('x', { mode = 'real' }, function() end)", "mode is \"sim\" or \"process\""},
        {"lab('x', { limit = 'soon' }, function() end)", "limit: "},
        {"test('x', function() end) lab('x', function() end)", "there is a \"x\" already: give each a name of its own"},
        {"\n\nlap('x', function() end)", "lab.lua:3: undefined global 'lap'; did you mean lab?"},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        assert_int_equal(ONCE_MOTH("lab", labs_file(refusals[i].text)), 1);
        labs_expect_error(refusals[i].why);
        assert_string_equal(once_output(), "");
    }
}

static void test_one_file_that_is_no_lab_keeps_the_others_from_running(void **state)
{
    (void)state;
    const char *good = labs_file("lab('good', function() end)\n"), *bad = labs_file_named("bad.lua", "lab(");
    assert_int_equal(ONCE_MOTH("lab", good, bad), 1);
    labs_expect_error("bad.lua:1: ");
    assert_string_equal(once_output(), "");
    assert_int_equal(ONCE_MOTH("lab", good, "nobody.lua"), 1);
    labs_expect_error("nobody.lua: there is no such thing");
}

static void test_what_the_command_line_cannot_say_is_refused(void **state)
{
    (void)state;
    static const char *const refusals[][3] = {
        {"--colour", NULL, "there is no option --colour"},
        {"--seeds", "0", "--seeds got 0, which is no whole number from 1 to "},
        {"--seed", "x", "--seed got x, which is no whole number"},
        {"--jobs", "65", "--jobs got 65, which is no whole number from 1 to 64"},
        {"--only", NULL, "--only needs a value"},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        assert_int_equal(ONCE_MOTH("lab", refusals[i][0], refusals[i][1]), 2);
        labs_expect_error(refusals[i][2]);
    }
    assert_int_equal(ONCE_MOTH("lab"), 2);
    labs_expect_error("lab needs a file");
}

/* --- runs that go wrong --- */

static void test_a_lab_that_waits_for_ever_ends_at_its_limit(void **state)
{
    (void)state;
    assert_int_equal(ONCE_MOTH("lab", labs_file("lab('x', { limit = '90s' }, function(net)\n"
                                             "  local ana = net:node('ana')\n"
                                             "  task.spawn(function() while true do net:run(1) end end):join()\n"
                                             "end)\n")), 1);
    labs_expect("it did not end within 1 min 30 s: does something wait for what never comes?");
    labs_expect("at 90.000000 s of virtual time");
    labs_expect("s, 90.0 s virtual\n");
}

/* Where and when it is stopped depends on how fast this machine is: nothing after that could be repeated. */
static void test_a_bot_that_loops_for_ever_fails_the_run(void **state)
{
    (void)state;
    char text[LABS_SOURCE_BYTES];
    const char *bot = labs_file_named("loop.lua", "node:hear('go', function() while true do end end)\n");
    snprintf(text, sizeof text, "lab('x', function(net)\n"
                                "  local ana = net:node('ana', { script = '%s' })\n"
                                "  ana:send(ana, 'go')\n"
                                "  net:run(9)\n"
                                "end)\n", bot);
    assert_int_equal(ONCE_MOTH("lab", labs_file(text)), 1);
    labs_expect("loop on ana was stopped: it ran for too long without waiting");
    labs_expect("loop.lua:1");
    labs_expect_last_line("0 passed, 1 failed");
}

static void test_whatever_a_lab_starts_can_fail_it(void **state)
{
    (void)state;
    static const struct refusal failures[] = {
        {"net:at(1, function() error 'oh' end) net:run(2)", "oh\n"},
        {"task.spawn(function() error 'oh' end) net:run(2)", "oh\n"},
        {"local a = net:node('a') a:on('message', function() error 'oh' end) a:send(a, 'x') net:run(1)", "oh\n"},
        {"net:always('the sun shines', function() return net:measure().virtual_s < 2, 'it rains' end)\n"
         "net:line(3) net:run(9)", "always: the sun shines does not hold, it rains\n"},
        {"net:never('it rains', function() return net:measure().virtual_s > 2 end) net:line(3) net:run(9)",
         "never: it rains is so\n"},
        {"net:never('it rains', function() return true end)", "never: it rains is so\n"},
        {"net:node('ana', { script = 'nobody.lua' }) net:run(1)", "ana cannot load nobody.lua: "},
    };
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        char text[LABS_SOURCE_BYTES];
        snprintf(text, sizeof text, "lab('x', function(net)\n%s\nend)\n", failures[i].text);
        assert_int_equal(ONCE_MOTH("lab", labs_file(text)), 1);
        labs_expect(failures[i].why);
        labs_expect_last_line("0 passed, 1 failed");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_labs_that_pass_are_told_in_order_and_counted),
        PROCESS_TEST(test_several_files_are_one_run),
        PROCESS_TEST(test_a_failure_tells_what_where_when_and_what_happened_before),
        PROCESS_TEST(test_a_failure_names_each_place_once),
        PROCESS_TEST(test_what_is_told_does_not_depend_on_how_many_run_at_a_time),
        PROCESS_TEST(test_a_name_that_begins_with_a_dash_can_be_asked_for_again),
        PROCESS_TEST(test_a_failure_that_names_a_node_shows_its_events),
        PROCESS_TEST(test_the_command_of_a_failure_repeats_it),
        PROCESS_TEST(test_a_lab_runs_with_as_many_seeds_as_it_asks_for),
        PROCESS_TEST(test_seed_and_seeds_say_which_runs_there_are),
        PROCESS_TEST(test_only_names_one_that_there_is),
        PROCESS_TEST(test_more_jobs_give_the_same_results),
        PROCESS_TEST(test_a_file_that_is_no_lab_is_told_where_and_why),
        PROCESS_TEST(test_one_file_that_is_no_lab_keeps_the_others_from_running),
        PROCESS_TEST(test_what_the_command_line_cannot_say_is_refused),
        PROCESS_TEST(test_a_lab_that_waits_for_ever_ends_at_its_limit),
        PROCESS_TEST(test_a_bot_that_loops_for_ever_fails_the_run),
        PROCESS_TEST(test_whatever_a_lab_starts_can_fail_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
