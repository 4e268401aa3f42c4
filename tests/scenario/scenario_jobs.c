/* scenario_jobs.c -- the program as a job of an interactive shell: stopped, brought back, sent to the background,
 * ended; and the terminal afterwards as it was before.
 *
 *   ana --- eva     ana is started by a bash in a terminal, eva is a pipe */
#include "folder.h"
#include "job.h"
#include "patience.h"
#include "tmux.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct process *eva;
static struct tmux *sh;

static void start_bash(void)
{
    tmux_set("PS1=sh# ");
    sh = tmux_start("bash", TMUX_COLUMNS, TMUX_ROWS,
                    (const char *const[]){"bash", "--norc", "--noprofile", "--noediting", "-i", NULL});
    tmux_expect(sh, "^sh#$", PROCESS_SOON_MS);
}

static void start_moth(void)
{
    tmux_line(sh, "clear; %s --home %s --name ana --listen 127.0.0.1:0 --connect %s",
              getenv("MOTH") ? getenv("MOTH") : "build/moth", folder_new_path("ana"), process_address(eva));
    process_expect(eva, "^* ana is linked (", 2 * PROCESS_SOON_MS);
    tmux_expect(sh, "^* eva is linked (", PROCESS_SOON_MS);
    tmux_expect(sh, "^ana>$", PROCESS_SOON_MS);
}

static void start_both(void)
{
    eva = process_node("eva", NULL, NULL);
    start_bash();
    start_moth();
}

/* Bash reads the terminal again. */
static void expect_shell(void)
{
    int64_t end_ms = patience_deadline(PROCESS_SOON_MS);
    while (job_foreground(tmux_pid(sh)) != tmux_pid(sh)) {
        if (patience_now_ms() >= end_ms) fail_msg("the shell is not back:\n%s", tmux_screen(sh));
        process_listen(20);
    }
}

static void test_ctrl_z_and_fg_bring_back_what_was_typed(void **state)
{
    (void)state;
    start_both();
    tmux_type(sh, "= 'typed");
    tmux_expect(sh, "^ana> = 'typed$", PROCESS_SOON_MS);
    tmux_key(sh, "C-z");
    tmux_expect(sh, "Stopped", PROCESS_SOON_MS);
    tmux_line(sh, "echo $((40 + 2))"); /* the terminal is bash's, and echoes */
    tmux_expect(sh, "^42$", PROCESS_SOON_MS);
    process_say(eva, "send ana while away");
    tmux_line(sh, "fg");
    tmux_expect(sh, "^[00:00:00] eva: while away$", 2 * PROCESS_SOON_MS);
    tmux_expect_tail(sh, "ana> = 'typed", PROCESS_SOON_MS);
    tmux_type(sh, "'");
    tmux_key(sh, "Enter");
    tmux_expect_tail(sh, "ana> = 'typed'\ntyped\nana>", PROCESS_SOON_MS);
}

/* Once more and once more: nothing is left over that a second time would trip over. */
static void test_it_can_be_stopped_again_and_again(void **state)
{
    (void)state;
    start_both();
    for (int i = 0; i < 5; i++) {
        char rows[64];
        tmux_key(sh, "C-z");
        expect_shell();
        tmux_line(sh, "fg");
        tmux_line(sh, "= 'round ' .. %d", i);
        snprintf(rows, sizeof rows, "round %d\nana>", i);
        tmux_expect_tail(sh, rows, PROCESS_SOON_MS);
    }
}

/* In the background it may neither read the terminal nor change its modes, and must not stop for it. */
static void test_in_the_background_it_goes_on_answering(void **state)
{
    (void)state;
    start_both();
    tmux_type(sh, "= 'typed");
    tmux_key(sh, "C-z");
    expect_shell();
    tmux_line(sh, "bg");
    expect_shell();
    for (int i = 0; i < 3; i++) {
        process_say(eva, "= node:send('ana', 'in the background'):wait('delivered', 20)");
        process_expect(eva, "^true$", 4 * PROCESS_SOON_MS);
    }
    tmux_line(sh, "clear; jobs");
    tmux_expect(sh, "^[1]+ Running ", PROCESS_SOON_MS);
    tmux_line(sh, "fg");
    tmux_expect_tail(sh, "ana> = 'typed", 2 * PROCESS_SOON_MS);
    tmux_type(sh, "'");
    tmux_key(sh, "Enter");
    tmux_expect(sh, "^typed$", PROCESS_SOON_MS);
}

/* Started in the background, it is a node like any other. */
static void test_it_can_be_started_in_the_background(void **state)
{
    (void)state;
    eva = process_node("eva", NULL, NULL);
    start_bash();
    tmux_line(sh, "clear; %s --home %s --name ana --listen none --connect %s &",
              getenv("MOTH") ? getenv("MOTH") : "build/moth", folder_new_path("ana"), process_address(eva));
    process_expect(eva, "^* ana is linked (", 2 * PROCESS_SOON_MS);
    process_say(eva, "= node:send('ana', 'hello'):wait('delivered', 20)");
    process_expect(eva, "^true$", 4 * PROCESS_SOON_MS);
    tmux_line(sh, "clear; jobs");
    tmux_expect(sh, "^[1]+ Running ", PROCESS_SOON_MS);
    tmux_line(sh, "fg");
    tmux_expect_tail(sh, "ana>", 2 * PROCESS_SOON_MS);
    tmux_line(sh, "= 'in front'");
    tmux_expect_tail(sh, "in front\nana>", PROCESS_SOON_MS);
}

/* --- the end --- */

/* How it ends is for `leave` to do; then the terminal's modes are compared. */
static void expect_same_modes_after(void (*leave)(void))
{
    start_bash();
    tmux_line(sh, "stty -a >%s/before", folder_path());
    expect_shell();
    start_moth();
    leave();
    tmux_line(sh, "stty -a >%s/after; echo status; cmp %s/before %s/after && echo the same", folder_path(),
              folder_path(), folder_path());
    tmux_expect(sh, "^the same$", PROCESS_SOON_MS);
}

static void leave_by_quit(void)
{
    tmux_line(sh, "quit");
    expect_shell();
    tmux_line(sh, "echo \"status $?\"");
    tmux_expect(sh, "^status 0$", PROCESS_SOON_MS);
}

static void leave_by_ctrl_d(void)
{
    tmux_key(sh, "C-d");
    expect_shell();
    tmux_line(sh, "echo \"status $?\"");
    tmux_expect(sh, "^status 0$", PROCESS_SOON_MS);
}

static void leave_by_ctrl_c(void)
{
    tmux_key(sh, "C-c");
    tmux_expect(sh, "^Ctrl-C again", PROCESS_SOON_MS);
    tmux_key(sh, "C-c");
    expect_shell();
    tmux_line(sh, "echo \"status $?\"");
    tmux_expect(sh, "^status 0$", PROCESS_SOON_MS);
}

static void leave_by_a_signal(void)
{
    tmux_type(sh, "half a line");
    tmux_expect(sh, "^ana> half a line$", PROCESS_SOON_MS);
    assert_int_equal(kill(job_foreground(tmux_pid(sh)), SIGTERM), 0);
    expect_shell();
}

static void test_every_end_leaves_the_terminal_as_it_was(void **state)
{
    (void)state;
    static void (*const ends[])(void) = {leave_by_quit, leave_by_ctrl_d, leave_by_ctrl_c, leave_by_a_signal};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        eva = process_node("eva", NULL, NULL);
        expect_same_modes_after(ends[i]);
        tmux_cleanup(NULL);
    }
}

/* The window is closed: the node says goodbye and ends. */
static void test_a_terminal_that_is_gone_ends_it(void **state)
{
    (void)state;
    eva = process_node("eva", NULL, NULL);
    struct tmux *ana = tmux_node("ana", NULL, "--connect", process_address(eva), NULL);
    process_expect(eva, "^* ana is linked (", 2 * PROCESS_SOON_MS);
    tmux_close(ana);
    process_expect(eva, "^* ana is gone: ", 2 * PROCESS_SOON_MS);
    int64_t end_ms = patience_deadline(PROCESS_SOON_MS);
    while (kill(tmux_pid(ana), 0) == 0) {
        if (patience_now_ms() >= end_ms) fail_msg("it still runs without a terminal");
        process_listen(20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TMUX_TEST(test_ctrl_z_and_fg_bring_back_what_was_typed),
        TMUX_TEST(test_it_can_be_stopped_again_and_again),
        TMUX_TEST(test_in_the_background_it_goes_on_answering),
        TMUX_TEST(test_it_can_be_started_in_the_background),
        TMUX_TEST(test_every_end_leaves_the_terminal_as_it_was),
        TMUX_TEST(test_a_terminal_that_is_gone_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
