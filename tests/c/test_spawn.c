/* test_spawn.c -- programs that a process starts (net/spawn.h): what they get, how their end is told, and that none
 * outlives us, however we end. The programs are shells. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_BYTES 64
#define TEXT_BYTES 4096
#define DEADLINE_US 60000000u

static char folder[PATH_BYTES], home[PATH_BYTES + 8], log_path[PATH_BYTES + 8];
static struct moth_loop *loop;
static struct spawns *all;
static unsigned ends;
static struct spawn *last;
static bool frees; /* whoever ends is freed when that is told */

static void on_ended(void *owner, struct spawn *s)
{
    assert_ptr_equal(owner, &ends);
    ends++;
    last = s;
    if (frees) spawn_free(s);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/moth-spawn.XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(home, sizeof home, "%s/home", folder);
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* orphans become ours */
    ends = 0;
    last = NULL;
    frees = false;
    if (moth_loop_open(home, &loop) < 0) return -1;
    all = spawns_new(loop, on_ended, &ends);
    return 0;
}

static int tear_down(void **state)
{
    char command[PATH_BYTES + 16];
    (void)state;
    spawns_free(all);
    moth_loop_close(loop);
    bool has_children = waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) == 0 && !has_children ? 0 : -1;
}

/* --- running the loop --- */

static uint64_t now_us(void)
{
    const struct moth_host *host = moth_loop_host(loop);
    return host->now_us(host->context);
}

static unsigned wanted_ends;
static uint64_t until_us;

static uint64_t on_turn(void *owner)
{
    (void)owner;
    if (ends >= wanted_ends || now_us() >= until_us) moth_loop_stop(loop);
    return until_us;
}

static void run(unsigned wanted, uint64_t most_us)
{
    wanted_ends = wanted;
    until_us = now_us() + most_us;
    moth_loop_run(loop, on_turn, NULL);
}

static void run_until_ended(unsigned wanted)
{
    run(wanted, DEADLINE_US);
    assert_int_equal(ends, wanted);
}

/* --- shells --- */

static struct spawn *start(const char *text, const char *const *env)
{
    const char *argv[] = {"sh", "-c", text, NULL};
    struct spawn_setup setup = {.program = "/bin/sh", .argv = argv, .env = env, .log = log_path};
    struct spawn *s = NULL;
    assert_int_equal(spawn_start(all, &setup, &folder, &s), 0);
    assert_ptr_equal(spawn_user(s), &folder);
    return s;
}

static const char *said(void)
{
    static char text[TEXT_BYTES];
    FILE *f = fopen(log_path, "r");
    size_t bytes = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    text[bytes] = '\0';
    return text;
}

static void assert_end(struct spawn *s, bool was_killed, int number)
{
    struct spawn_end end;
    assert_true(spawn_has_ended(s, &end));
    assert_int_equal(end.was_killed, was_killed);
    assert_int_equal(end.number, number);
}

/* Waits until a shell has said this. */
static void await(const char *text)
{
    for (int i = 0; i < 6000 && !strstr(said(), text); i++) run(UINT32_MAX, 10000);
    assert_non_null(strstr(said(), text));
}

/* --- what it gets --- */

static void test_spawn_tells_the_end_once_and_how_it_was(void **state)
{
    (void)state;
    struct spawn *s = start("exit 7", NULL);
    struct spawn_end end;
    assert_true(spawn_pid(s) > 0);
    run_until_ended(1);
    assert_ptr_equal(last, s);
    assert_end(s, false, 7);
    run(2, 50000);
    assert_int_equal(ends, 1);
    assert_int_equal(spawn_signal(s, SIGKILL), MOTH_ENOT_FOUND);
    struct spawn *other = start("exec sleep 1000", NULL);
    assert_false(spawn_has_ended(other, &end));
    assert_int_equal(spawn_signal(other, SIGKILL), 0);
    run_until_ended(2);
    assert_end(other, true, SIGKILL);
}

static void test_spawn_adds_both_streams_to_the_log_and_reads_nothing(void **state)
{
    struct stat about;
    (void)state;
    start("echo out; echo error >&2; cat; echo end", NULL);
    run_until_ended(1);
    assert_string_equal(said(), "out\nerror\nend\n");
    start("echo more", NULL);
    run_until_ended(2);
    assert_string_equal(said(), "out\nerror\nend\nmore\n");
    assert_int_equal(stat(log_path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

static void test_spawn_adds_to_the_environment_and_replaces_in_it(void **state)
{
    static const char *const env[] = {"MOTH_SPAWN_A=new", "MOTH_SPAWN_C=", NULL};
    (void)state;
    setenv("MOTH_SPAWN_A", "old", 1);
    setenv("MOTH_SPAWN_B", "kept", 1);
    start("env | grep '^MOTH_SPAWN' | sort", env);
    run_until_ended(1);
    assert_string_equal(said(), "MOTH_SPAWN_A=new\nMOTH_SPAWN_B=kept\nMOTH_SPAWN_C=\n");
}

static void test_spawn_gives_no_descriptor_but_the_three(void **state)
{
    int open_one = open("/dev/null", O_RDONLY), other = fcntl(open_one, F_DUPFD, 100);
    (void)state;
    start("exec ls /proc/self/fd", NULL);
    run_until_ended(1);
    close(open_one);
    close(other);
    assert_string_equal(said(), "0\n1\n2\n3\n"); /* with 3 it reads that folder */
}

#define OF_THE_C_LIBRARY ((1ull << 31) | (1ull << 32)) /* signals 32 and 33, which it lets nobody set */

static unsigned long long mask(const char *name)
{
    unsigned long long bits = 0;
    const char *at = strstr(said(), name);
    if (!at || sscanf(at + strlen(name), "%llx", &bits) != 1) fail_msg("it said: %s", said());
    return bits & ~OF_THE_C_LIBRARY;
}

static void test_spawn_leaves_it_no_signal_blocked_or_ignored(void **state)
{
    (void)state;
    signal(SIGUSR1, SIG_IGN);
    start("grep -E '^Sig(Blk|Ign)' /proc/self/status", NULL);
    run_until_ended(1);
    signal(SIGUSR1, SIG_DFL);
    assert_int_equal(mask("SigBlk:"), 0);
    assert_int_equal(mask("SigIgn:"), 0);
}

static void test_spawn_has_a_group_of_its_own(void **state)
{
    (void)state;
    struct spawn *s = start("exec sleep 1000", NULL);
    assert_int_equal(getpgid(spawn_pid(s)), spawn_pid(s));
}

static void test_spawn_runs_ourselves_when_no_program_is_named(void **state)
{
    const char *argv[] = {"us", "say", NULL};
    struct spawn_setup setup = {.argv = argv, .log = log_path};
    struct spawn *s;
    (void)state;
    assert_int_equal(spawn_start(all, &setup, NULL, &s), 0);
    run_until_ended(1);
    assert_string_equal(said(), "it is us\n");
}

/* --- what fails --- */

static int try(const char *program, const char *log)
{
    const char *argv[] = {"x", NULL};
    struct spawn_setup setup = {.program = program, .argv = argv, .log = log};
    struct spawn *s;
    return spawn_start(all, &setup, NULL, &s);
}

static void test_spawn_says_that_there_is_no_such_program(void **state)
{
    (void)state;
    assert_int_equal(try("/nowhere/x", log_path), MOTH_ENOT_FOUND);
    assert_int_equal(try("/etc/passwd", log_path), MOTH_EPERMISSION);
    assert_int_equal(try("/dev/null/x", log_path), MOTH_ENOT_FOUND);
    run(1, 20000);
    assert_int_equal(ends, 0);
}

static void test_spawn_says_that_the_log_cannot_be_written(void **state)
{
    char path[PATH_BYTES + 8];
    (void)state;
    assert_int_equal(try("/bin/true", "/nowhere/log"), MOTH_ENOT_FOUND);
    snprintf(path, sizeof path, "%s/link", folder);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(try("/bin/true", path), MOTH_EIO);
}

static void test_spawn_starts_no_more_than_the_limit(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SPAWNS_MAX; i++) assert_int_equal(try("/bin/true", log_path), 0);
    assert_int_equal(try("/bin/true", log_path), MOTH_EFULL);
    frees = true;
    run_until_ended(SPAWNS_MAX);
    assert_int_equal(try("/bin/true", log_path), 0);
}

/* --- ends --- */

static void test_spawn_a_stop_is_no_end(void **state)
{
    (void)state;
    struct spawn *s = start("echo begun; exec sleep 1000", NULL);
    await("begun");
    assert_int_equal(spawn_signal(s, SIGSTOP), 0);
    run(1, 100000);
    assert_int_equal(ends, 0);
    assert_int_equal(spawn_signal(s, SIGKILL), 0);
    run_until_ended(1);
    assert_end(s, true, SIGKILL);
}

static void test_spawn_free_kills_and_tells_nobody(void **state)
{
    (void)state;
    struct spawn *s = start("trap '' TERM; (echo begun; sleep 1000); true", NULL);
    int pid = spawn_pid(s);
    await("begun");
    spawn_free(s);
    assert_int_equal(kill(pid, 0), -1);
    while (waitpid(-pid, NULL, 0) > 0) continue; /* unless their own parent was quicker */
    assert_int_equal(kill(-pid, 0), -1);         /* what it had started is gone, too */
    run(1, 20000);
    assert_int_equal(ends, 0);
    spawn_free(NULL);
    spawns_free(NULL);
}

static void test_spawn_many_ends_at_once_are_all_told(void **state)
{
    struct spawn *s[20];
    (void)state;
    frees = true;
    for (int i = 0; i < 20; i++) s[i] = start("exec sleep 1000", NULL);
    for (int i = 0; i < 20; i++) spawn_signal(s[i], SIGKILL);
    run_until_ended(20);
}

/* Has a shell, writes its number, and waits for death. */
static void be_a_lab(int out, bool is_stopped)
{
    if (moth_loop_open(home, &loop) < 0) _exit(1);
    all = spawns_new(loop, on_ended, &ends);
    struct spawn *s = start("trap '' HUP INT TERM; exec sleep 1000", NULL);
    int pid = spawn_pid(s);
    if (is_stopped) spawn_signal(s, SIGSTOP);
    if (write(out, &pid, sizeof pid) != sizeof pid) _exit(1);
    for (;;) pause();
}

static void assert_dies_with_us(int number, bool is_stopped)
{
    int pipes[2], pid = 0, status;
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    pid_t lab = fork();
    if (lab == 0) be_a_lab(pipes[1], is_stopped);
    assert_int_equal(read(pipes[0], &pid, sizeof pid), sizeof pid);
    kill(lab, number);
    assert_int_equal(waitpid(lab, &status, 0), lab);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(pipes[0]);
    close(pipes[1]);
}

static void test_spawn_dies_with_whoever_started_it(void **state)
{
    (void)state;
    spawns_free(all);
    moth_loop_close(loop); /* its home is for the others */
    assert_dies_with_us(SIGKILL, false);
    assert_dies_with_us(SIGINT, false);
    assert_dies_with_us(SIGKILL, true);
    assert_int_equal(moth_loop_open(home, &loop), 0);
    all = spawns_new(loop, on_ended, &ends);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_spawn_tells_the_end_once_and_how_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spawn_adds_both_streams_to_the_log_and_reads_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spawn_adds_to_the_environment_and_replaces_in_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spawn_gives_no_descriptor_but_the_three, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spawn_leaves_it_no_signal_blocked_or_ignored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spawn_has_a_group_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spawn_runs_ourselves_when_no_program_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spawn_says_that_there_is_no_such_program, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spawn_says_that_the_log_cannot_be_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spawn_starts_no_more_than_the_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spawn_a_stop_is_no_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spawn_free_kills_and_tells_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spawn_many_ends_at_once_are_all_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spawn_dies_with_whoever_started_it, set_up, tear_down),
    };
    if (argc > 1) return puts(strcmp(argv[1], "say") == 0 ? "it is us" : argv[1]) < 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
