/* scenario_process_lab.c -- `moth lab` with mode = "process": the program starts itself again and again, and whatever
 * becomes of it, none of these is left behind. What networks of processes do is for tests/c/test_process_lab.c. */
#include "folder.h"
#include "process.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAB_MS 60000
#define COMMAND_BYTES 8192

static const char *place; /* TMPDIR of the labs */

static void make_place(void)
{
    place = folder_new_path("tmp");
    assert_int_equal(mkdir(place, 0700), 0);
}

static unsigned count_folders(void)
{
    unsigned count = 0;
    DIR *dir = opendir(place);
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir));) count += e->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* Whether that process was started with the path in its arguments. */
static bool is_of_lab(const char *pid)
{
    char path[64], arguments[COMMAND_BYTES];
    snprintf(path, sizeof path, "/proc/%.20s/cmdline", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, arguments, sizeof arguments);
    if (fd >= 0) close(fd);
    return n > 0 && memmem(arguments, (size_t)n, place, strlen(place));
}

static unsigned count_nodes(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc");
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir));)
        count += isdigit((unsigned char)e->d_name[0]) && is_of_lab(e->d_name);
    closedir(dir);
    return count;
}

static void await_no_nodes(void)
{
    for (int i = 0; i < LAB_MS / 10 && count_nodes() > 0; i++) process_listen(10);
    assert_int_equal(count_nodes(), 0);
}

/* With that TMPDIR, which is not ours: our own folder may not lie there. */
static struct process *start_there(const char *path)
{
    char before[1024];
    const char *ours = getenv("TMPDIR");
    snprintf(before, sizeof before, "%s", ours ? ours : "");
    setenv("TMPDIR", place, 1);
    struct process *lab = PROCESS_START("lab", "lab", path);
    if (ours) setenv("TMPDIR", before, 1);
    else unsetenv("TMPDIR");
    return lab;
}

static struct process *start_lab(const char *text)
{
    const char *path = folder_new_path("file.lua");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    return start_there(path);
}

static const char long_lab[] =
    "lab('long', { mode = 'process' }, function(net)\n"
    "  local ana, bob = net:line('ana', 'bob'):nodes()\n"
    "  bob:freeze()\n"
    "  print 'it runs'\n"
    "  net:run(1000)\n"
    "end)\n";

/* --- */

static void test_a_lab_of_processes_passes_and_leaves_nothing(void **state)
{
    (void)state;
    make_place();
    struct process *lab = start_lab(
        "lab('mail waits for a dead process', { mode = 'process' }, function(net)\n"
        "  local ana, bob, eva = net:line('ana', 'bob', 'eva'):nodes()\n"
        "  net:eventually(30, function() return ana:peer(eva) and ana:peer(eva).up end)\n"
        "  local got\n"
        "  eva:on('message', function(msg) got = msg.text end)\n"
        "  bob:kill()\n"
        "  local m = ana:send(eva, 'hello')\n"
        "  net:run('200ms')\n"
        "  net:expect(not got)\n"
        "  bob:restart()\n"
        "  net:expect(m:wait('delivered', 30))\n"
        "  net:eventually(5, function() return got == 'hello' end)\n"
        "end)\n");
    assert_int_equal(process_wait(lab, 2 * LAB_MS), 0);
    process_expect(lab, "*1 passed, 0 failed*", 0);
    assert_int_equal(count_nodes(), 0);
    assert_int_equal(count_folders(), 0);
}

static void test_a_lab_that_fails_leaves_nothing(void **state)
{
    (void)state;
    make_place();
    struct process *lab = start_lab(
        "lab('a failure', { mode = 'process' }, function(net)\n"
        "  local ana, bob = net:node 'ana', net:node 'bob'\n"
        "  bob:freeze()\n"
        "  net:expect(ana:peer(bob), 'they know each other')\n"
        "end)\n");
    assert_int_equal(process_wait(lab, LAB_MS), 1);
    assert_true(process_has_said(lab, "*they know each other*"));
    assert_int_equal(count_nodes(), 0);
    assert_int_equal(count_folders(), 0);
}

static void dies_with_all_nodes(int number)
{
    make_place();
    struct process *lab = start_lab(long_lab);
    process_expect(lab, "it runs", LAB_MS);
    assert_int_equal(count_nodes(), 2);
    process_signal(lab, number);
    process_wait(lab, LAB_MS);
    await_no_nodes();
}

static void test_a_lab_that_is_killed_leaves_no_process(void **state)
{
    (void)state;
    dies_with_all_nodes(SIGKILL);
}

static void test_a_lab_that_is_interrupted_leaves_no_process(void **state)
{
    (void)state;
    dies_with_all_nodes(SIGINT);
    dies_with_all_nodes(SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_a_lab_of_processes_passes_and_leaves_nothing),
        PROCESS_TEST(test_a_lab_that_fails_leaves_nothing),
        PROCESS_TEST(test_a_lab_that_is_killed_leaves_no_process),
        PROCESS_TEST(test_a_lab_that_is_interrupted_leaves_no_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
