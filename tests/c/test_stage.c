/* test_stage.c -- runs of lab files, one after the other in this process: what they come to, and that the same file and
 * seed give the same run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "script/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];
static char why[STAGE_WHY_BYTES];
static char printed[4096];
static struct stage *stage;

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/moth-stage-XXXXXX.lua");
    int fd = mkstemps(path, 4);
    if (fd < 0) return -1;
    close(fd);
    printed[0] = '\0';
    stage = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stage_close(stage);
    return unlink(path);
}

static void on_print(void *owner, const char *text, size_t bytes)
{
    size_t used = strlen(printed);
    (void)owner;
    if (used + bytes < sizeof printed) memcpy(printed + used, text, bytes + 1);
    printed[used + bytes] = '\0';
}

static struct stage *open_seed(const char *text, uint64_t seed)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    struct stage_setup setup = {.file = path, .seed = seed, .print = on_print};
    stage_close(stage);
    stage = stage_open(&setup, why);
    return stage;
}

static struct stage_result run(const char *text, uint64_t seed)
{
    if (!open_seed(text, seed)) fail_msg("%s", why);
    return stage_run(stage, 0);
}

static void expect_failure(const char *text, const char *what)
{
    struct stage_result r = run(text, 1);
    assert_false(r.has_passed);
    assert_non_null(r.text);
    if (!strstr(r.text, what)) fail_msg("\"%s\" does not say \"%s\"", r.text, what);
}

static void expect_refusal(const char *text, const char *what)
{
    assert_null(open_seed(text, 1));
    if (!strstr(why, what)) fail_msg("\"%s\" does not say \"%s\"", why, what);
}

/* --- what there is in a file --- */

static void test_a_file_lists_its_labs_and_tests(void **state)
{
    (void)state;
    assert_non_null(open_seed("lab('one', {seeds = 7}, print) test('two', print) lab('three', {mode = 'process'}, print)",
                              1));
    assert_int_equal(stage_count(stage), 3);
    assert_string_equal(stage_entry(stage, 0).name, "one");
    assert_int_equal(stage_entry(stage, 0).seeds, 7);
    assert_int_equal(stage_entry(stage, 1).seeds, 1);
    assert_false(stage_entry(stage, 1).is_real);
    assert_true(stage_entry(stage, 2).is_real);
}

static void test_files_that_are_no_lab_files_are_refused(void **state)
{
    (void)state;
    expect_refusal("print 'hello'", "there is no lab(name, fn) and no test(name, fn) in it");
    expect_refusal("lab('x'", "expected");
    expect_refusal("lab('x', print) lab('x', print)", "there is a \"x\" already");
    expect_refusal("lab(1, print)", "string expected");
    expect_refusal("lab('x', {sedes = 1}, print)", "lab has no option sedes");
    expect_refusal("lab('x', {seeds = 0}, print)", "seeds is a whole number from 1");
    expect_refusal("lab('x', {mode = 'fast'}, print)", "mode is \"sim\" or \"process\"");
    expect_refusal("node:send('x')", "undefined global 'node'");
}

/* --- runs --- */

#define LINE "lab('line', function(net) local a, b, c = net:line('ana', 'bob', 'eva'):nodes() net:settle() "

static void test_a_message_goes_over_a_relay(void **state)
{
    (void)state;
    struct stage_result r = run(LINE "local m = a:send('eva', 'hello') assert(m:wait('delivered', '5s')) "
                                     "print(m.state, net:max_deliveries()) end)", 1);
    assert_true(r.has_passed);
    assert_null(r.text);
    assert_string_equal(printed, "delivered  1\n");
    assert_in_range(r.virtual_us, 2000000, 8000000);
    assert_true(r.events > 50);
}

static void test_what_outlives_a_kill_does(void **state)
{
    (void)state;
    struct stage_result r = run(LINE "local got = 0 c:hear('^hi$', function() got = got + 1 return 'yes' end) c:kill() "
        "local m = a:send(c, 'hi') net:run('3s') assert(m.state ~= 'delivered') c:restart() "
        "assert(m:wait('delivered', '30s')) net:run(1) assert(got == 1) end)", 1);
    if (!r.has_passed) fail_msg("%s", r.text);
}

static void test_an_expectation_that_is_not_met_says_where_when_and_how_to_see_it(void **state)
{
    (void)state;
    static const char text[] = LINE "net:expect(false, 'eva is sad') end)";
    expect_failure(text, "eva is sad");
    expect_failure(text, "s of virtual time, with seed 1\n");
    expect_failure(text, "the last events of eva:\n");
    expect_failure(text, "eva      link to bob up");
    expect_failure(text, "again: moth lab --seed 1 --only line /tmp/moth-stage-");
}

static void test_whoever_waits_for_ever_is_told(void **state)
{
    (void)state;
    expect_failure("lab('x', {limit = '10s'}, function(net) net:run('1h') end)", "did not end within 10 s");
}

static void test_rules_are_looked_at_after_every_event(void **state)
{
    (void)state;
    expect_failure(LINE "net:never('bob is gone', function() return #a:links() == 0 end) net:at('1s', function() b:kill() "
                        "end) net:run('1m') end)", "never: bob is gone is so");
}

static void test_an_error_anywhere_in_the_file_fails_the_run(void **state)
{
    (void)state;
    expect_failure(LINE "net:at('1s', function() error('in passing') end) net:run('1m') end)", "in passing");
    expect_failure(LINE "b:on('message', function() error('in a handler') end) a:send(b, 'x') net:run('1m') end)",
                   "in a handler");
}

/* --- the same again --- */

#define STORM "lab('storm', function(net) local g = net:random(12, {degree = 3, latency = {latency = '5ms', spread = " \
    "'4ms', kind = 'normal', jitter = '1ms'}}) net:split(100) net:settle() for i = 1, 20 do local n = " \
    "g[math.random(#g)] if n.is_running then n:kill() else n:restart() end g[1 + i % 12]:send(g[12], 'm' .. i) " \
    "net:run(math.random()) end end)"

static void test_a_run_is_the_same_again_and_another_with_another_seed(void **state)
{
    (void)state;
    struct stage_result first = run(STORM, 5);
    uint64_t hash = first.hash, events = first.events;
    if (!first.has_passed) fail_msg("%s", first.text);
    struct stage_result second = run(STORM, 5);
    assert_true(second.hash == hash && second.events == events);
    assert_true(run(STORM, 6).hash != hash);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_file_lists_its_labs_and_tests),
        TEST(test_files_that_are_no_lab_files_are_refused),
        TEST(test_a_message_goes_over_a_relay),
        TEST(test_what_outlives_a_kill_does),
        TEST(test_an_expectation_that_is_not_met_says_where_when_and_how_to_see_it),
        TEST(test_whoever_waits_for_ever_is_told),
        TEST(test_rules_are_looked_at_after_every_event),
        TEST(test_an_error_anywhere_in_the_file_fails_the_run),
        TEST(test_a_run_is_the_same_again_and_another_with_another_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
