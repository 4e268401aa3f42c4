/* test_program.c -- shell.h for the program around the sessions: how it starts and speaks without any, which lines of
 * the log it shows, and how it keeps its small files, also on a disk that takes its time. */
#include "session_kit.h"

#define FLOOD_LINES 20000 /* of the log, in one turn: more than it keeps */

static int set_up(void **state)
{
    (void)state;
    if (open_node() < 0) return -1;
    return open_shell((struct shell_setup){0});
}

static int set_up_bare(void **state)
{
    (void)state;
    return open_node();
}

static int tear_down(void **state)
{
    (void)state;
    front_fini(&one);
    front_fini(&two);
    return close_node();
}

/* --- the log --- */

static void test_the_log_goes_to_terminals_that_want_it(void **state)
{
    (void)state;
    enter(&one, (struct shell_terms){.is_terminal = true, .width = 60, .log = "info"});
    enter(&two, guest);
    shell_log(shell, MOTH_LOG_DEBUG, "too small");
    shell_log(shell, MOTH_LOG_INFO, "just right");
    shell_log(shell, MOTH_LOG_ERROR, "large");
    until_said(one_says, "large\n");
    assert_true(has(&one.answers, "just right\n"));
    assert_false(has(&one.answers, "too small"));
    assert_false(has(&two.answers, "large"));
    type(&one, "set log error");
    type(&one, "='set'");
    until_said(one_says, "set\n");
    shell_log(shell, MOTH_LOG_WARN, "not now");
    turns(2);
    assert_false(has(&one.answers, "not now"));
}

static void test_a_flood_of_the_log_is_bounded(void **state)
{
    char text[32];
    (void)state;
    enter(&one, terminal);
    for (int i = 0; i < FLOOD_LINES; i++) {
        snprintf(text, sizeof text, "line number %d", i);
        shell_log(shell, MOTH_LOG_WARN, text);
    }
    until_said(one_says, "line number 0\n");
    assert_in_range(one.says, 1000, FLOOD_LINES - 1);
    shell_log(shell, MOTH_LOG_WARN, "later");
    until_said(one_says, "later\n");
}

static void test_a_log_line_without_a_terminal_is_nobodys(void **state)
{
    (void)state;
    shell_log(shell, MOTH_LOG_ERROR, "x");
    enter(&one, guest);
    shell_log(shell, MOTH_LOG_ERROR, "x");
    turns(3);
    assert_int_equal(buf_bytes(&spoken), 0);
    assert_int_equal(one.says, 0);
}

/* --- the program: its start, scripts, files of the home folder --- */

static void write_file(const char *name, const char *text, char path[FOLDER_BYTES + 32])
{
    snprintf(path, FOLDER_BYTES + 32, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static bool home_has(const char *name, const char *text)
{
    char content[65536];
    size_t bytes;
    const struct moth_host *host = moth_loop_host(loop);
    if (host->file_read(host->context, name, content, sizeof content, &bytes) < 0) return false;
    return !text || memmem(content, bytes, text, strlen(text));
}

static bool config_is_there(void)
{
    return home_has("config.lua", NULL);
}

static void test_a_program_without_a_shell_speaks_for_itself(void **state)
{
    (void)state;
    assert_int_equal(open_shell((struct shell_setup){.is_alone = true}), 0);
    until(is_ready);
    assert_true(has(&spoken, "ana ("));
    turns(3);
    assert_int_equal(readies, 1);
}

static void test_what_a_script_prints_reaches_terminals_and_the_programs_own_output(void **state)
{
    char path[FOLDER_BYTES + 32], *load[] = {path};
    (void)state;
    write_file("hello.lua", "task.after('20ms', function() print('hello from a script') end)", path);
    assert_int_equal(open_shell((struct shell_setup){.is_alone = true, .load = load, .loads = 1}), 0);
    until(is_ready);
    enter(&one, guests_terminal);
    enter(&two, guest);
    until_said(one_says, "hello from a script\n");
    assert_true(has(&spoken, "hello from a script\n"));
    assert_false(has(&two.answers, "hello"));
}

static void test_a_script_that_is_not_there_ends_the_program(void **state)
{
    char *load[] = {"/nowhere/missing.lua"};
    (void)state;
    assert_int_equal(open_shell((struct shell_setup){.load = load, .loads = 1}), 0);
    until(has_quit);
    assert_int_equal(quit_status, 1);
    assert_int_equal(readies, 0);
    assert_true(has(&spoken, "missing.lua"));
}

static void test_lines_wait_for_the_scripts(void **state)
{
    char path[FOLDER_BYTES + 32], *load[] = {path};
    (void)state;
    write_file("hello.lua", "task.after(0, function() print('script') end)", path);
    assert_int_equal(open_shell((struct shell_setup){.load = load, .loads = 1}), 0);
    enter(&one, pipes);
    type(&one, "print('line')");
    until_said(one_says, "line\n");
    assert_int_equal(readies, 1);
}

static void test_the_first_start_leaves_a_config_behind(void **state)
{
    (void)state;
    until(config_is_there);
}

static void test_an_invitation_is_kept_for_the_next_start(void **state)
{
    (void)state;
    assert_int_equal(open_shell((struct shell_setup){.joined = "127.0.0.1:7", .has_joined_key = true}), 0);
    until(config_is_there);
    assert_true(home_has("config.lua", "127.0.0.1:7"));
    assert_true(home_has("config.lua", "network.key"));
}

/* The worker that writes the config outlives the shell it writes for. */
static void test_the_shell_may_close_while_a_file_is_written(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        close_shell();
        assert_int_equal(open_shell((struct shell_setup){0}), 0);
        turns((unsigned)i % 3);
    }
}

/* --- a disk that takes its time --- */

static struct moth_host slow; /* the loop's, but its clock can be put forward, and work waits until it is let go */
static uint64_t forward_us;
static bool lets_go;
static struct {
    void (*run)(void *job), (*done)(void *job);
    void *job;
} held; /* job NULL: none */

static uint64_t slow_now_us(void *context)
{
    const struct moth_host *host = moth_loop_host(loop);
    (void)context;
    return host->now_us(host->context) + forward_us;
}

static void let_go(void)
{
    const struct moth_host *host = moth_loop_host(loop);
    if (held.job) host->work(host->context, held.run, held.done, held.job);
    held.job = NULL;
}

static void slow_work(void *context, void (*run)(void *job), void (*done)(void *job), void *job)
{
    (void)context;
    expect(!held.job);
    held.run = run;
    held.done = done;
    held.job = job;
    if (lets_go) let_go();
}

/* However many files the first start writes. */
static bool all_is_written(void)
{
    let_go();
    return config_is_there();
}

static bool work_is_held(void)
{
    return held.job;
}

/* Its first write is under way when this returns. */
static int set_up_slow(void **state)
{
    (void)state;
    if (open_node() < 0) return -1;
    slow = *moth_loop_host(loop);
    slow.now_us = slow_now_us;
    slow.work = slow_work;
    forward_us = 0;
    lets_go = false;
    held.job = NULL;
    if (open_shell((struct shell_setup){.host = &slow}) < 0) return -1;
    return comes_true(work_is_held) ? 0 : -1;
}

static int tear_down_slow(void **state)
{
    let_go();
    return tear_down(state);
}

/* The longest that one file is waited for. */
static void wait_in_vain(void)
{
    forward_us += 3000000;
    turns(3);
}

static void test_a_file_that_could_not_be_written_is_not_said_to_be(void **state)
{
    (void)state;
    wait_in_vain();
    enter(&one, guest);
    type(&one, "save");
    turns(3);
    wait_in_vain();
    until_said(one_complains, "nothing was saved: ");
    assert_false(has(&one.answers, "kept"));
}

static void test_a_file_whose_writing_takes_too_long_is_not_said_to_be_written(void **state)
{
    (void)state;
    until(all_is_written);
    enter(&one, guest);
    type(&one, "save");
    until(work_is_held);
    wait_in_vain();
    until_said(one_complains, "nothing was saved: ");
    assert_false(has(&one.complaints, "inside moth"));
}

static void test_the_next_file_is_written_when_the_slow_one_is_done(void **state)
{
    (void)state;
    wait_in_vain();
    lets_go = true;
    let_go();
    enter(&one, guest);
    type(&one, "save");
    until_said(one_says, "kept");
    assert_true(home_has("config.lua", "light"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define SLOW(f) cmocka_unit_test_setup_teardown(f, set_up_slow, tear_down_slow)
#define BARE(f) cmocka_unit_test_setup_teardown(f, set_up_bare, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_log_goes_to_terminals_that_want_it),
        TEST(test_a_flood_of_the_log_is_bounded),
        TEST(test_a_log_line_without_a_terminal_is_nobodys),
        BARE(test_a_program_without_a_shell_speaks_for_itself),
        BARE(test_what_a_script_prints_reaches_terminals_and_the_programs_own_output),
        BARE(test_a_script_that_is_not_there_ends_the_program),
        BARE(test_lines_wait_for_the_scripts),
        TEST(test_the_first_start_leaves_a_config_behind),
        BARE(test_an_invitation_is_kept_for_the_next_start),
        TEST(test_the_shell_may_close_while_a_file_is_written),
        SLOW(test_a_file_that_could_not_be_written_is_not_said_to_be),
        SLOW(test_a_file_whose_writing_takes_too_long_is_not_said_to_be_written),
        SLOW(test_the_next_file_is_written_when_the_slow_one_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
