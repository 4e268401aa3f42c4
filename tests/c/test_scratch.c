/* test_scratch.c -- folders for a while (script/scratch.h): what can be put into them, and that removing one removes
 * nothing else. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "moth/types.h"
#include "script/scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 1024

static char place[64];
static struct scratch s;

static int set_up(void **state)
{
    (void)state;
    snprintf(place, sizeof place, "/tmp/moth-scratch.XXXXXX");
    if (!mkdtemp(place)) return -1;
    setenv("TMPDIR", place, 1);
    return scratch_open(&s);
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(&s);
    return rmdir(place); /* nothing is left over */
}

static const char *path_of(const char *name)
{
    static char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", s.path, name);
    return path;
}

static const char *end_of(const char *name, size_t most)
{
    static char text[64];
    size_t bytes = 0;
    assert_int_equal(scratch_read_end(&s, name, text, most, &bytes), 0);
    text[bytes] = '\0';
    return text;
}

static mode_t mode_of(const char *path)
{
    struct stat about;
    assert_int_equal(lstat(path, &about), 0);
    return about.st_mode & 0777;
}

static void test_scratch_lies_in_tmpdir_for_its_owner_alone(void **state)
{
    (void)state;
    assert_int_equal(strncmp(s.path, place, strlen(place)), 0);
    assert_int_equal(mode_of(s.path), 0700);
    assert_int_equal(scratch_make(&s, "ana"), 0);
    assert_int_equal(scratch_make(&s, "ana"), 0);
    assert_int_equal(mode_of(path_of("ana")), 0700);
    assert_int_equal(scratch_write(&s, "ana/x", "y", 1), 0);
    assert_int_equal(mode_of(path_of("ana/x")), 0600);
}

static void test_scratch_keeps_what_is_written(void **state)
{
    (void)state;
    assert_int_equal(scratch_make(&s, "ana"), 0);
    assert_int_equal(scratch_write(&s, "file", "a long text", 11), 0);
    assert_int_equal(scratch_write(&s, "file", "short", 5), 0);
    assert_int_equal(scratch_write(&s, "ana/file", "other", 5), 0);
    assert_string_equal(end_of("file", 60), "short");
    assert_string_equal(end_of("file", 2), "rt");
    assert_string_equal(end_of("ana/file", 60), "other");
    size_t bytes;
    char text[8];
    assert_int_equal(scratch_read_end(&s, "none", text, sizeof text, &bytes), MOTH_ENOT_FOUND);
    assert_int_equal(scratch_write(&s, "nowhere/file", "x", 1), MOTH_ENOT_FOUND);
}

static void test_scratch_takes_no_name_that_leads_out(void **state)
{
    static const char *const names[] = {"", ".", "..", "../x", "ana/..", "/etc/x", "ana/", "ana/b/c", "ana//b"};
    (void)state;
    scratch_make(&s, "ana");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(scratch_make(&s, names[i]), MOTH_EARGUMENT);
        assert_int_equal(scratch_write(&s, names[i], "x", 1), MOTH_EARGUMENT);
    }
}

static void test_scratch_follows_no_link(void **state)
{
    char target[PATH_BYTES];
    size_t bytes;
    (void)state;
    snprintf(target, sizeof target, "%s/target", place);
    close(open(target, O_WRONLY | O_CREAT, 0600));
    assert_int_equal(symlink(target, path_of("file")), 0);
    assert_int_equal(symlink(place, path_of("folder")), 0);
    assert_true(scratch_write(&s, "file", "x", 1) < 0);
    assert_true(scratch_write(&s, "folder/target", "x", 1) < 0);
    assert_true(scratch_read_end(&s, "file", target, 1, &bytes) < 0);
    scratch_remove(&s);
    snprintf(target, sizeof target, "%s/target", place);
    struct stat about;
    assert_int_equal(stat(target, &about), 0); /* the link went, not what it leads to */
    assert_int_equal(about.st_size, 0);
    assert_int_equal(unlink(target), 0);
}

static void test_scratch_goes_with_all_that_is_in_it(void **state)
{
    char path[PATH_BYTES];
    (void)state;
    snprintf(path, sizeof path, "%s", s.path);
    for (int depth = 0; depth < 20; depth++) {
        size_t used = strlen(path);
        snprintf(path + used, sizeof path - used, "/d");
        assert_int_equal(mkdir(path, 0700), 0);
    }
    scratch_write(&s, "d/file", "x", 1);
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    scratch_remove(&s);
    assert_int_equal(access(s.path, F_OK), -1);
    scratch_remove(&s);
    assert_int_equal(scratch_write(&s, "x", "x", 1), MOTH_EIO);
}

static void test_scratch_says_when_there_is_no_place_for_it(void **state)
{
    char path[1024];
    struct scratch other;
    (void)state;
    setenv("TMPDIR", "/nowhere", 1);
    assert_int_equal(scratch_open(&other), MOTH_ENOT_FOUND);
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    setenv("TMPDIR", path, 1);
    assert_int_equal(scratch_open(&other), MOTH_EIO);
    unsetenv("TMPDIR");
    assert_int_equal(scratch_open(&other), 0);
    assert_int_equal(strncmp(other.path, "/tmp/", 5), 0);
    scratch_remove(&other);
}

#define SCRATCH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_scratch_lies_in_tmpdir_for_its_owner_alone),
        SCRATCH_TEST(test_scratch_keeps_what_is_written),
        SCRATCH_TEST(test_scratch_takes_no_name_that_leads_out),
        SCRATCH_TEST(test_scratch_follows_no_link),
        SCRATCH_TEST(test_scratch_goes_with_all_that_is_in_it),
        SCRATCH_TEST(test_scratch_says_when_there_is_no_place_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
