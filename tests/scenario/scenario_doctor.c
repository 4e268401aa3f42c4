/* scenario_doctor.c -- moth doctor and moth config beside real nodes: before the first start, while one runs, after it
 * ended and after it was killed. What each finding looks like is for tests/c/test_doctor.c. */
#include "folder.h"
#include "process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *path_in(const char *home, const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", home, name);
    return path;
}

/* The doctor has looked, with this exit status. */
static struct process *doctor(const char *home, int status)
{
    struct process *p = PROCESS_START("doctor", "doctor", "--home", home, "--listen", "127.0.0.1:0");
    assert_int_equal(process_wait(p, 2 * PROCESS_SOON_MS), status);
    return p;
}

static void write_config(const char *home, const char *text)
{
    FILE *f = fopen(path_in(home, "config.lua"), "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path_in(home, "config.lua"), 0600), 0);
}

/* --- the doctor --- */

static void test_before_the_first_start_all_is_well(void **state)
{
    struct stat s;
    (void)state;
    const char *home = folder_new_path("fresh");
    process_expect(doctor(home, 0), "^all is well$", 0);
    assert_int_equal(stat(home, &s), -1);
}

static void test_a_node_that_runs_is_seen_and_not_disturbed(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    struct process *p = doctor(process_home(ana), 0);
    process_expect(p, "^ok node one runs on this home, and moth attach reaches it$", 0);
    process_expect(p, "^ok database held by the node that runs*", 0);
    process_ask(ana, "id", process_id8(ana), PROCESS_SOON_MS);
    process_quit(ana);
}

static void test_after_a_good_end_all_is_well(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    process_quit(ana);
    struct process *p = doctor(process_home(ana), 0);
    process_expect(p, "^ok node none runs on this home$", 0);
    process_expect(p, process_id8(ana), 0);
    process_expect(p, "^ok database whole, version *0 messages wait, 0 arrived, 0 peers known$", 0);
    process_expect(p, "^all is well$", 0);
}

static void test_after_a_kill_the_mail_is_still_there(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL), *bob = process_node("bob", NULL, NULL);
    process_connect(ana, bob);
    process_quit(bob);
    process_expect(ana, "bob is gone", PROCESS_SOON_MS);
    process_say(ana, "send bob later");
    process_expect(ana, "^to bob: queued*", PROCESS_SOON_MS);
    process_signal(ana, SIGKILL);
    process_wait(ana, PROCESS_SOON_MS);
    struct process *p = doctor(process_home(ana), 0);
    process_expect(p, "^ok database whole, *: 1 messages wait, *, 1 peers known; it was not closed in order*", 0);
    struct process *again = process_node("ana", process_home(ana), NULL);
    process_ask(again, "queue", "bob", PROCESS_SOON_MS);
    process_quit(again);
}

static void test_what_helps_helps(void **state)
{
    char command[1200];
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    process_quit(ana);
    assert_int_equal(chmod(process_home(ana), 0755), 0);
    const char *help = process_expect(doctor(process_home(ana), 1), "^ try: chmod 700 *", 0);
    snprintf(command, sizeof command, "%s", strstr(help, "chmod"));
    assert_int_equal(system(command), 0);
    process_expect(doctor(process_home(ana), 0), "^all is well$", 0);
}

/* --- config.lua --- */

static void test_a_node_starts_as_its_file_says(void **state)
{
    (void)state;
    const char *home = folder_new_path("home");
    assert_int_equal(mkdir(home, 0700), 0);
    write_config(home, "name = \"file\"\nlisten = \"none\"\nload = \"hello.lua\"\n");
    FILE *f = fopen(path_in(home, "hello.lua"), "w");
    assert_non_null(f);
    fputs("print 'hello from the home'", f);
    assert_int_equal(fclose(f), 0);
    struct process *p = PROCESS_START("file", "--home", home);
    process_expect(p, "^file (*) not listening$", PROCESS_SOON_MS);
    process_expect(p, "hello from the home", PROCESS_SOON_MS);
    process_quit(p);
    struct process *q = PROCESS_START("line", "--home", home, "--name", "line");
    process_expect(q, "^line (*) not listening$", PROCESS_SOON_MS);
    process_quit(q);
}

static void test_a_file_that_is_wrong_is_told_and_nothing_starts(void **state)
{
    (void)state;
    const char *home = folder_new_path("home");
    assert_int_equal(mkdir(home, 0700), 0);
    write_config(home, "\nlissten = \"none\"\n");
    struct process *p = PROCESS_START("wrong", "--home", home);
    assert_int_equal(process_wait(p, PROCESS_SOON_MS), 2);
    process_expect_error(p, "config.lua:2: there is no key lissten (did you mean listen?)", 0);
    assert_int_equal(access(path_in(home, "identity"), F_OK), -1);
    struct process *q = doctor(home, 1);
    process_expect(q, "^BAD config config.lua:2: there is no key lissten*", 0);
    process_expect(q, "^ try: ${EDITOR:-vi} *config.lua$", 0);
}

static void test_the_config_that_is_printed_is_a_config(void **state)
{
    char command[2400];
    const char *program = getenv("MOTH");
    (void)state;
    const char *home = folder_new_path("home");
    assert_int_equal(mkdir(home, 0700), 0);
    snprintf(command, sizeof command, "umask 077; '%s' config >'%s'", program ? program : "build/moth",
             path_in(home, "config.lua"));
    assert_int_equal(system(command), 0);
    process_expect(doctor(home, 0), "^ok config config.lua is well$", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_before_the_first_start_all_is_well),
        PROCESS_TEST(test_a_node_that_runs_is_seen_and_not_disturbed),
        PROCESS_TEST(test_after_a_good_end_all_is_well),
        PROCESS_TEST(test_after_a_kill_the_mail_is_still_there),
        PROCESS_TEST(test_what_helps_helps),
        PROCESS_TEST(test_a_node_starts_as_its_file_says),
        PROCESS_TEST(test_a_file_that_is_wrong_is_told_and_nothing_starts),
        PROCESS_TEST(test_the_config_that_is_printed_is_a_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
