/* scenario_lab_again.c -- the runs of `moth lab` are processes, and each is the same in every one of them. */
#include "labs.h"
#include "once.h"
#include "patience.h"
#include "process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- processes --- */

/* A lab that takes its time, and says its number: it is in the error of a file that is no Lua. */
static struct process *start_long_lab(int *pid)
{
    const char *file = labs_file("lab('long', { limit = '9999h' }, function(net)\n"
                              "  local _, why = net:node('ana'):load('/proc/self/stat')\n"
                              "  print('run ' .. why:match \"near '(%d+)'\")\n"
                              "  net:full(30)\n"
                              "  net:run('9998h')\n"
                              "end)\n"
                              "lab('next', function() end)\n");
    struct process *p = PROCESS_START("lab", "lab", "--jobs", "1", file);
    *pid = atoi(process_expect(p, "^run *$", 2 * PROCESS_SOON_MS) + strlen("run "));
    assert_true(*pid > 1);
    return p;
}

static void test_a_run_whose_process_dies_is_a_failed_run(void **state)
{
    (void)state;
    int pid;
    struct process *p = start_long_lab(&pid);
    assert_int_equal(kill(pid, SIGKILL), 0);
    process_expect(p, "the process of the run died: Killed$", PROCESS_SOON_MS);
    process_expect(p, "again: moth lab --seed 1 --only long ", PROCESS_SOON_MS);
    process_expect(p, "^FAILED long ", PROCESS_SOON_MS);
    process_expect(p, "^ok next ", PROCESS_SOON_MS);
    process_expect(p, "^1 passed, 1 failed$", PROCESS_SOON_MS);
    assert_int_equal(process_wait(p, PROCESS_SOON_MS), 1);
}

static void test_runs_end_with_the_program(void **state)
{
    (void)state;
    int pid;
    struct process *p = start_long_lab(&pid);
    process_signal(p, SIGTERM);
    assert_int_equal(process_wait(p, PROCESS_SOON_MS), 128 + SIGTERM);
    int64_t end_ms = patience_deadline(PROCESS_SOON_MS);
    while (kill(pid, 0) == 0) {
        if (patience_now_ms() >= end_ms) fail_msg("the run goes on without anybody to tell");
        process_listen(20);
    }
}

/* --- the same again --- */

/* All that chance may touch: times, links, faults, mail, bots, the order of keys, how things print. */
static const char lively[] =
    "lab('lively', function(net)\n"
    "  local group = net:random(6, { degree = 3, script = 'tests/lab/bots/witness.lua' })\n"
    "  net:way('n1', 'n2', { latency = '20ms', spread = '10ms', kind = 'normal', jitter = '5ms' })\n"
    "  net:split(100)\n"
    "  net:settle()\n"
    "  for i = 1, 10 do\n"
    "    local a, b = group[math.random(6)], group[math.random(6)]\n"
    "    if a ~= b then net:cut(a, b, { silent = math.random() < 0.5 }) end\n"
    "    if a.is_running then a:send(group[math.random(6)], 'letter ' .. i) end\n"
    "    net:run(math.random())\n"
    "    group[math.random(6)]:restart()\n"
    "  end\n"
    "  net:heal()\n"
    "  net:run('20s')\n"
    "  for key, value in pairs { c = {}, b = print, a = 3 } do print(key, value) end\n"
    "  print(net:timeline(1000), net:measure())\n"
    "end)\n";

/* Without the lines that say how long it took. */
static char *facts_of(const char *text)
{
    char *facts = calloc(1, strlen(text) + 1), *to = facts;
    if (!facts) abort();
    for (const char *at = text; *at;) {
        size_t bytes = strcspn(at, "\n");
        bytes += at[bytes] != '\0';
        if (strncmp(at, "ok     ", 7) != 0) memcpy(to, at, bytes), to += bytes;
        at += bytes;
    }
    return facts;
}

static void test_fifty_seeds_tell_the_same_story_in_every_process(void **state)
{
    (void)state;
    const char *file = labs_file(lively);
    assert_int_equal(ONCE_MOTH("lab", "--jobs", "1", "--seeds", "50", file), 0);
    char *first = facts_of(once_output());
    assert_int_equal(ONCE_MOTH("lab", "--jobs", "1", "--seeds", "50", file), 0);
    char *second = facts_of(once_output());
    bool is_same = strcmp(first, second) == 0 && strlen(first) > 50000;
    free(first);
    free(second);
    assert_true(is_same);
}

static void test_seeds_tell_different_stories(void **state)
{
    (void)state;
    const char *file = labs_file(lively);
    assert_int_equal(ONCE_MOTH("lab", "--seed", "1", file), 0);
    char *first = facts_of(once_output());
    assert_int_equal(ONCE_MOTH("lab", "--seed", "2", file), 0);
    char *second = facts_of(once_output());
    bool is_same = strcmp(first, second) == 0;
    free(first);
    free(second);
    assert_false(is_same);
}

/* Hashes over every byte on the wire and every event. */
static void test_fifty_seeds_run_twice_are_equal(void **state)
{
    (void)state;
    assert_int_equal(ONCE_MOTH("lab", "--check-determinism", "--seeds", "50", labs_file(lively)), 0);
    labs_expect_last_line("1 passed, 0 failed");
}

static void test_where_one_is_changes_nothing(void **state)
{
    (void)state;
    const char *file = labs_file("lab('x', function()\n"
                                 "  print(os.date('%c'), os.time { year = 2031, month = 1, day = 1 })\n"
                                 "end)\n");
    assert_int_equal(setenv("TZ", "Asia/Tokyo", 1), 0);
    int status = ONCE_MOTH("lab", file);
    unsetenv("TZ");
    assert_int_equal(status, 0);
    char *first = facts_of(once_output());
    assert_int_equal(ONCE_MOTH("lab", file), 0);
    char *second = facts_of(once_output());
    bool is_same = strcmp(first, second) == 0;
    free(first);
    free(second);
    assert_true(is_same);
}

/* Two runs are two processes, and what a message says of them differs. */
static void test_the_first_difference_between_two_runs_is_told(void **state)
{
    (void)state;
    const char *file = labs_file("lab('x', function(net)\n"
                              "  local ana, bob = net:line('ana', 'bob'):nodes()\n"
                              "  net:settle()\n"
                              "  local _, why = ana:load('/proc/self/stat')\n"
                              "  ana:emit(bob, 'process', why)\n"
                              "  net:run(1)\n"
                              "end)\n");
    assert_int_equal(ONCE_MOTH("lab", file), 0);
    assert_int_equal(ONCE_MOTH("lab", "--check-determinism", file), 1);
    labs_expect("seed 1: two runs with this seed differ; what happened in both, and the first difference:\n");
    labs_expect("  both   ");
    labs_expect("  first  2.007000 s  ");
    labs_expect("  second 2.007000 s  ");
    labs_expect("  again: moth lab --seed 1 --check-determinism --only x ");
    labs_expect_last_line("0 passed, 1 failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_a_run_whose_process_dies_is_a_failed_run),
        PROCESS_TEST(test_runs_end_with_the_program),
        PROCESS_TEST(test_fifty_seeds_tell_the_same_story_in_every_process),
        PROCESS_TEST(test_seeds_tell_different_stories),
        PROCESS_TEST(test_fifty_seeds_run_twice_are_equal),
        PROCESS_TEST(test_where_one_is_changes_nothing),
        PROCESS_TEST(test_the_first_difference_between_two_runs_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
