/* test_home.c -- the home folder: made and locked, files whole or not at all, and everything that is refused.
 *
 * What only another process or another user can show is done in a forked child, which answers with its exit status. */
#include "base/home.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_BYTES 256
#define NOBODY 65534
#define NOT_POSSIBLE (-100) /* what a child answers that may not do here what it should */

static char folder[PATH_BYTES]; /* this test's own, gone after it */

static const char *path_of(const char *name)
{
    static char path[2 * PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* --- the disk: what is synced, and when --- */

static struct {
    unsigned count, fail_at;             /* the call that fails, from 1; 0: none */
    bool of_folder[4], name_is_there[4]; /* call by call */
} syncs;

int fsync(int fd)
{
    struct stat s;
    unsigned call = syncs.count++;
    if (call < 4) {
        syncs.of_folder[call] = fstat(fd, &s) == 0 && S_ISDIR(s.st_mode);
        syncs.name_is_there[call] = access(path_of("home/name"), F_OK) == 0;
    }
    if (syncs.count != syncs.fail_at) return (int)syscall(SYS_fsync, fd);
    errno = EIO;
    return -1;
}

/* --- the stage --- */

static int set_up(void **state)
{
    (void)state;
    memset(&syncs, 0, sizeof syncs);
    strcpy(folder, "/tmp/moth-test-XXXXXX");
    return mkdtemp(folder) && chmod(folder, 0755) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[PATH_BYTES + 16];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static unsigned mode_of(const char *path)
{
    struct stat s;
    assert_int_equal(lstat(path, &s), 0);
    return s.st_mode & 07777;
}

static void must_open(struct home *h)
{
    assert_int_equal(home_open(h, path_of("home")), 0);
}

static void must_write(const struct home *h, const char *name, const char *text)
{
    assert_int_equal(home_write(h, name, slice_text(text)), 0);
}

static void assert_holds(const struct home *h, const char *name, const char *text)
{
    char data[64];
    size_t bytes = 0;
    assert_int_equal(home_read(h, name, data, sizeof data, &bytes), 0);
    assert_int_equal(bytes, strlen(text));
    assert_memory_equal(data, text, bytes);
}

static int count_entries(const char *path)
{
    DIR *d = opendir(path);
    int count = 0;
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d));) count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

/* What a child works on; its parent has the lock. */
static struct home unlocked_home(void)
{
    static char path[PATH_BYTES + 8];
    snprintf(path, sizeof path, "%s/home", folder);
    return (struct home){.path = path, .lock_fd = -1};
}

/* Runs `act` in a child and returns what it returned, as an exit status: the absolute value of an error. */
static int in_child(int (*act)(void))
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(-act());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

/* --- opening --- */

static void test_home_makes_the_folder_and_its_parents_for_the_owner_only(void **state)
{
    struct home h;
    (void)state;
    assert_int_equal(home_open(&h, path_of("a/b/c")), 0);
    assert_int_equal(mode_of(path_of("a")), 0700);
    assert_int_equal(mode_of(path_of("a/b/c")), 0700);
    assert_int_equal(mode_of(path_of("a/b/c/lock")), 0600);
    home_close(&h);
}

static void test_home_opens_a_folder_that_is_there_with_what_it_holds(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "kept", "still here");
    home_close(&h);
    must_open(&h);
    assert_holds(&h, "kept", "still here");
    home_close(&h);
}

static void test_home_takes_a_path_that_ends_in_a_slash(void **state)
{
    struct home h;
    (void)state;
    assert_int_equal(home_open(&h, path_of("home//")), 0);
    must_write(&h, "kept", "x");
    assert_holds(&h, "kept", "x");
    home_close(&h);
}

static void test_home_refuses_a_second_opening_in_the_same_process(void **state)
{
    struct home h, second;
    (void)state;
    must_open(&h);
    assert_int_equal(home_open(&second, path_of("home")), MOTH_EIN_USE);
    home_close(&h);
}

static int open_home(void)
{
    struct home h;
    int rc = home_open(&h, path_of("home"));
    if (rc == 0) home_close(&h);
    return rc;
}

static void test_home_refuses_another_process_until_it_is_closed(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    assert_int_equal(in_child(open_home), MOTH_EIN_USE);
    home_close(&h);
    assert_int_equal(in_child(open_home), 0);
}

static int hold_home(void)
{
    static struct home h;
    return home_open(&h, path_of("home")); /* and is gone without closing it */
}

static void test_home_is_free_again_when_its_process_is_gone(void **state)
{
    struct home h;
    (void)state;
    assert_int_equal(in_child(hold_home), 0);
    must_open(&h);
    home_close(&h);
}

static void test_home_refuses_a_path_that_is_a_file(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "file", "x");
    home_close(&h);
    assert_int_equal(home_open(&h, path_of("home/file")), MOTH_EIO);
    assert_int_equal(home_open(&h, path_of("home/file/below")), MOTH_EIO);
}

static void test_home_refuses_an_empty_path(void **state)
{
    struct home h;
    (void)state;
    assert_int_equal(home_open(&h, ""), MOTH_EIO);
}

static void test_home_refuses_a_path_longer_than_the_system_takes(void **state)
{
    static char path[PATH_MAX + 1];
    struct home h;
    (void)state;
    memset(path, '/', PATH_MAX);
    assert_int_equal(home_open(&h, path), MOTH_EIO);
    path[PATH_MAX - 2] = '\0'; /* fits, but with "/lock" it does not */
    assert_int_equal(home_open(&h, path), MOTH_EIO);
}

static void test_home_refuses_a_symlink_that_leads_nowhere(void **state)
{
    struct home h;
    (void)state;
    assert_int_equal(symlink("nowhere", path_of("home")), 0);
    assert_int_equal(home_open(&h, path_of("home")), MOTH_EIO);
}

static void test_home_refuses_a_lock_that_is_a_symlink(void **state)
{
    struct home h;
    (void)state;
    assert_int_equal(mkdir(path_of("home"), 0700), 0);
    assert_int_equal(symlink("elsewhere", path_of("home/lock")), 0);
    assert_int_equal(home_open(&h, path_of("home")), MOTH_EIO);
    assert_int_not_equal(access(path_of("home/elsewhere"), F_OK), 0);
}

/* Somebody without rights here, whoever runs the tests. */
static int become_nobody(void)
{
    return geteuid() != 0 || (setgid(NOBODY) == 0 && setuid(NOBODY) == 0) ? 0 : NOT_POSSIBLE;
}

static int open_as_nobody(void)
{
    int rc = become_nobody();
    return rc < 0 ? rc : open_home();
}

static void test_home_refuses_a_place_where_nothing_may_be_made(void **state)
{
    (void)state;
    assert_int_equal(chmod(folder, 0555), 0);
    assert_int_equal(in_child(open_as_nobody), MOTH_EPERMISSION);
    assert_int_equal(chmod(folder, 0755), 0);
}

static void test_home_refuses_a_folder_that_may_not_be_entered(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path_of("home"), 0), 0);
    assert_int_equal(in_child(open_as_nobody), MOTH_EPERMISSION);
}

/* --- writing --- */

static void test_home_writes_files_for_the_owner_only(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    mode_t old = umask(0);
    must_write(&h, "secret", "x");
    umask(old);
    assert_int_equal(mode_of(path_of("home/secret")), 0600);
    home_close(&h);
}

static void test_home_narrows_the_rights_of_a_file_it_replaces(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "secret", "old");
    assert_int_equal(chmod(path_of("home/secret"), 0644), 0);
    must_write(&h, "secret", "new");
    assert_int_equal(mode_of(path_of("home/secret")), 0600);
    home_close(&h);
}

static void test_home_replaces_a_file_whole_by_a_shorter_one(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "a longer text");
    must_write(&h, "name", "short");
    assert_holds(&h, "name", "short");
    must_write(&h, "name", "");
    assert_holds(&h, "name", "");
    assert_int_equal(count_entries(path_of("home")), 2); /* the file and the lock */
    home_close(&h);
}

static void test_home_never_changes_a_file_that_somebody_reads(void **state)
{
    struct home h;
    char seen[8];
    (void)state;
    must_open(&h);
    must_write(&h, "name", "old");
    int fd = open(path_of("home/name"), O_RDONLY);
    must_write(&h, "name", "newer");
    assert_int_equal(read(fd, seen, sizeof seen), 3);
    assert_memory_equal(seen, "old", 3);
    close(fd);
    home_close(&h);
}

static void test_home_writes_over_what_a_crash_left_behind(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "old");
    must_write(&h, "name.new", "half a fi");
    must_write(&h, "name", "new");
    assert_holds(&h, "name", "new");
    assert_int_not_equal(access(path_of("home/name.new"), F_OK), 0);
    home_close(&h);
}

/* No file may grow beyond ten bytes. */
static int limit_files(void)
{
    struct rlimit ten = {.rlim_cur = 10, .rlim_max = 10};
    signal(SIGXFSZ, SIG_IGN);
    return setrlimit(RLIMIT_FSIZE, &ten) == 0 ? 0 : NOT_POSSIBLE;
}

static int write_beyond_the_limit(void)
{
    struct home h = unlocked_home();
    int rc = limit_files();
    return rc < 0 ? rc : home_write(&h, "name", slice_text("longer than ten bytes"));
}

static void test_home_leaves_the_old_file_when_the_new_one_does_not_fit(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "old");
    assert_int_equal(in_child(write_beyond_the_limit), MOTH_ENO_SPACE);
    assert_holds(&h, "name", "old");
    assert_int_equal(count_entries(path_of("home")), 2);
    home_close(&h);
}

static void test_home_syncs_the_file_before_it_has_its_name_and_the_folder_after(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "new");
    assert_int_equal(syncs.count, 2);
    assert_true(!syncs.of_folder[0] && !syncs.name_is_there[0]);
    assert_true(syncs.of_folder[1] && syncs.name_is_there[1]);
    home_close(&h);
}

static void test_home_leaves_the_old_file_when_the_new_one_is_not_synced(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "old");
    syncs.fail_at = syncs.count + 1;
    assert_int_equal(home_write(&h, "name", slice_text("new")), MOTH_EIO);
    assert_holds(&h, "name", "old");
    assert_int_equal(count_entries(path_of("home")), 2);
    home_close(&h);
}

static void test_home_promises_nothing_when_the_folder_is_not_synced(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    syncs.fail_at = 2;
    assert_int_equal(home_write(&h, "name", slice_text("new")), MOTH_EIO);
    home_close(&h);
}

#define BIG_BYTES (64u << 10)

static void write_for_ever(void)
{
    static uint8_t data[BIG_BYTES];
    struct home h = unlocked_home();
    for (uint8_t fill = 0;; fill ^= 1) {
        memset(data, fill, sizeof data);
        if (home_write(&h, "name", slice_of(data, sizeof data)) < 0) _exit(1);
    }
}

static void test_home_shows_one_whole_file_at_any_instant_of_writing(void **state)
{
    static uint8_t data[BIG_BYTES];
    struct home h;
    size_t bytes;
    (void)state;
    must_open(&h);
    assert_int_equal(home_write(&h, "name", slice_of(data, sizeof data)), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) write_for_ever();
    bool seen[2] = {false, false}, torn = false;
    for (int i = 0; i < 100 || (i < 100000 && !(seen[0] && seen[1])); i++) {
        torn |= home_read(&h, "name", data, sizeof data, &bytes) < 0 || bytes != sizeof data || data[0] > 1;
        torn |= memcmp(data, data + 1, sizeof data - 1) != 0;
        seen[data[0] & 1] = true;
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_false(torn);
    assert_true(seen[0] && seen[1]);
    assert_int_equal(home_read(&h, "name", data, sizeof data, &bytes), 0); /* killed in the middle of it */
    assert_memory_equal(data, data + 1, sizeof data - 1);
    home_close(&h);
}

static void test_home_refuses_to_write_over_a_folder(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    assert_int_equal(mkdir(path_of("home/name"), 0700), 0);
    assert_int_equal(home_write(&h, "name", slice_text("x")), MOTH_EIO);
    assert_int_equal(count_entries(path_of("home")), 2);
    home_close(&h);
}

static void test_home_refuses_to_write_a_name_too_long_for_the_system(void **state)
{
    char name[PATH_MAX];
    struct home h;
    (void)state;
    must_open(&h);
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(home_write(&h, name, slice_text("x")), MOTH_EIO);
    name[300] = '\0';
    assert_int_equal(home_write(&h, name, slice_text("x")), MOTH_EIO);
    home_close(&h);
}

static void test_home_says_when_the_folder_is_gone(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    assert_int_equal(unlink(path_of("home/lock")), 0);
    assert_int_equal(rmdir(path_of("home")), 0);
    assert_int_equal(home_write(&h, "name", slice_text("x")), MOTH_ENOT_FOUND);
    home_close(&h);
}

static void test_home_replaces_a_symlink_and_not_what_it_points_to(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "target", "untouched");
    assert_int_equal(symlink("target", path_of("home/name")), 0);
    must_write(&h, "name", "new");
    assert_holds(&h, "target", "untouched");
    assert_holds(&h, "name", "new");
    home_close(&h);
}

static int write_as_nobody(void)
{
    struct home h = unlocked_home();
    int rc = become_nobody();
    return rc < 0 ? rc : home_write(&h, "name", slice_text("x"));
}

static void test_home_says_when_it_may_not_be_written(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "old");
    assert_int_equal(chmod(path_of("home"), 0555), 0);
    assert_int_equal(in_child(write_as_nobody), MOTH_EPERMISSION);
    assert_int_equal(chmod(path_of("home"), 0700), 0);
    assert_holds(&h, "name", "old");
    home_close(&h);
}

/* --- filling --- */

#define FILL_BYTES (100u << 10)

static struct stat stat_of(const char *name)
{
    struct stat s;
    assert_int_equal(lstat(path_of(name), &s), 0);
    return s;
}

static void assert_takes(const char *name, size_t bytes)
{
    struct stat s = stat_of(name);
    assert_true(S_ISREG(s.st_mode));
    assert_int_equal(s.st_mode & 07777, 0600);
    assert_int_equal(s.st_size, bytes);
    assert_true((uint64_t)s.st_blocks * 512 >= bytes);
}

static void test_home_fills_a_file_that_takes_the_disk_for_the_owner_only(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    mode_t old = umask(0);
    assert_int_equal(home_fill(&h, "name", FILL_BYTES), 0);
    umask(old);
    assert_takes("home/name", FILL_BYTES);
    assert_int_equal(count_entries(path_of("home")), 2);
    home_close(&h);
}

static void test_home_syncs_what_it_fills_before_it_has_its_name_and_the_folder_after(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    assert_int_equal(home_fill(&h, "name", FILL_BYTES), 0);
    assert_int_equal(syncs.count, 2);
    assert_true(!syncs.of_folder[0] && !syncs.name_is_there[0]);
    assert_true(syncs.of_folder[1] && syncs.name_is_there[1]);
    home_close(&h);
}

static void test_home_keeps_a_file_that_takes_the_bytes_already(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    assert_int_equal(home_fill(&h, "name", FILL_BYTES), 0);
    ino_t first = stat_of("home/name").st_ino;
    assert_int_equal(home_fill(&h, "name", FILL_BYTES), 0);
    assert_int_equal(stat_of("home/name").st_ino, first);
    assert_int_equal(syncs.count, 2); /* the first time's */
    home_close(&h);
}

static void test_home_fills_anew_what_has_the_size_but_not_the_blocks(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "");
    assert_int_equal(truncate(path_of("home/name"), FILL_BYTES), 0);
    assert_int_equal(home_fill(&h, "name", FILL_BYTES), 0);
    assert_takes("home/name", FILL_BYTES);
    home_close(&h);
}

static void test_home_fills_anew_what_is_larger_or_smaller(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    for (size_t bytes = FILL_BYTES - 1; bytes <= FILL_BYTES + 1; bytes += 2) {
        assert_int_equal(home_fill(&h, "name", bytes), 0);
        assert_int_equal(home_fill(&h, "name", FILL_BYTES), 0);
        assert_takes("home/name", FILL_BYTES);
    }
    home_close(&h);
}

static void test_home_fills_in_place_of_a_symlink_and_not_what_it_points_to(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    assert_int_equal(home_fill(&h, "target", FILL_BYTES), 0);
    assert_int_equal(symlink("target", path_of("home/name")), 0);
    assert_int_equal(home_fill(&h, "name", FILL_BYTES), 0);
    assert_takes("home/name", FILL_BYTES);
    assert_takes("home/target", FILL_BYTES);
    home_close(&h);
}

static void test_home_fills_over_what_a_crash_left_behind(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "name.new", "half a fi");
    assert_int_equal(home_fill(&h, "name", FILL_BYTES), 0);
    assert_takes("home/name", FILL_BYTES);
    assert_int_equal(count_entries(path_of("home")), 2);
    home_close(&h);
}

static int fill_beyond_the_limit(void)
{
    struct home h = unlocked_home();
    int rc = limit_files();
    return rc < 0 ? rc : home_fill(&h, "name", FILL_BYTES);
}

static void test_home_leaves_nothing_behind_of_a_filling_that_does_not_fit(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    assert_int_equal(in_child(fill_beyond_the_limit), MOTH_ENO_SPACE);
    assert_int_equal(count_entries(path_of("home")), 1); /* the lock */
    must_write(&h, "name", "old");
    assert_int_equal(in_child(fill_beyond_the_limit), MOTH_ENO_SPACE);
    assert_holds(&h, "name", "old");
    home_close(&h);
}

static void test_home_leaves_nothing_behind_of_a_filling_that_is_not_synced(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    syncs.fail_at = 1;
    assert_int_equal(home_fill(&h, "name", FILL_BYTES), MOTH_EIO);
    assert_int_equal(count_entries(path_of("home")), 1);
    home_close(&h);
}

static void test_home_refuses_to_fill_a_folder(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    assert_int_equal(mkdir(path_of("home/name"), 0700), 0);
    assert_int_equal(home_fill(&h, "name", FILL_BYTES), MOTH_EIO);
    assert_int_equal(count_entries(path_of("home")), 2);
    home_close(&h);
}

static void test_home_refuses_to_fill_more_than_a_file_can_be(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    assert_int_equal(home_fill(&h, "name", SIZE_MAX), MOTH_EIO);
    assert_int_equal(count_entries(path_of("home")), 1);
    home_close(&h);
}

static int fill_as_nobody(void)
{
    struct home h = unlocked_home();
    int rc = become_nobody();
    return rc < 0 ? rc : home_fill(&h, "name", FILL_BYTES);
}

static void test_home_says_when_it_may_not_be_filled(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    assert_int_equal(chmod(path_of("home"), 0555), 0);
    assert_int_equal(in_child(fill_as_nobody), MOTH_EPERMISSION);
    assert_int_equal(chmod(path_of("home"), 0700), 0);
    home_close(&h);
}

/* --- a disk that is really full --- */

/* A disk of 64 KiB and eight files in place of the home, seen by this process only. */
static int mount_small_disk(void)
{
    const char *path = path_of("home");
    if (unshare(CLONE_NEWNS) < 0 || mount("", "/", "", MS_REC | MS_PRIVATE, "") < 0) return NOT_POSSIBLE;
    return mount("tmpfs", path, "tmpfs", 0, "size=64k,nr_inodes=8") < 0 ? NOT_POSSIBLE : 0;
}

/* Runs `act` on a small disk, where that can be had. */
static void assert_on_small_disk(int (*act)(void), int wanted)
{
    struct home h;
    must_open(&h);
    int rc = in_child(act);
    home_close(&h);
    if (rc == NOT_POSSIBLE) {
        print_message("no disk can be mounted here\n");
        skip();
    }
    assert_int_equal(rc, wanted);
}

static int write_too_much(void)
{
    static uint8_t data[FILL_BYTES];
    struct home h = unlocked_home();
    char old[8];
    size_t bytes = 0;
    int rc = mount_small_disk();
    if (rc == 0) rc = home_write(&h, "name", slice_text("old"));
    if (rc < 0) return rc;
    rc = home_write(&h, "name", slice_of(data, sizeof data));
    bool kept = home_read(&h, "name", old, sizeof old, &bytes) == 0 && bytes == 3 && memcmp(old, "old", 3) == 0;
    return kept && count_entries(path_of("home")) == 1 ? rc : MOTH_ELOST;
}

static void test_home_leaves_the_old_file_when_the_disk_is_full(void **state)
{
    (void)state;
    assert_on_small_disk(write_too_much, MOTH_ENO_SPACE);
}

static int fill_too_much(void)
{
    struct home h = unlocked_home();
    int rc = mount_small_disk();
    if (rc < 0) return rc;
    rc = home_fill(&h, "name", FILL_BYTES);
    return count_entries(path_of("home")) == 0 ? rc : MOTH_EFULL;
}

static void test_home_leaves_nothing_behind_when_the_disk_is_full(void **state)
{
    (void)state;
    assert_on_small_disk(fill_too_much, MOTH_ENO_SPACE);
}

static int write_beside_a_filling(void)
{
    static uint8_t data[FILL_BYTES / 4];
    struct home h = unlocked_home();
    int rc = mount_small_disk();
    if (rc == 0) rc = home_fill(&h, "ballast", 48u << 10);
    if (rc < 0) return rc;
    if (home_write(&h, "name", slice_of(data, sizeof data)) != MOTH_ENO_SPACE) return MOTH_EFULL;
    rc = home_move(&h, "ballast", NULL);
    return rc < 0 ? rc : home_write(&h, "name", slice_of(data, sizeof data));
}

static void test_home_has_room_again_when_a_filling_is_removed(void **state)
{
    (void)state;
    assert_on_small_disk(write_beside_a_filling, 0);
}

static int touch_too_many(void)
{
    char name[] = "0";
    struct home h = unlocked_home();
    int rc = mount_small_disk();
    for (; rc == 0 && name[0] <= '8'; name[0]++) rc = home_touch(&h, name);
    return rc;
}

static void test_home_says_when_the_disk_takes_no_more_files(void **state)
{
    (void)state;
    assert_on_small_disk(touch_too_many, MOTH_ENO_SPACE);
}

/* --- touching --- */

static void test_home_touches_an_empty_file_for_the_owner_only(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    mode_t old = umask(0);
    assert_int_equal(home_touch(&h, "name"), 0);
    umask(old);
    assert_int_equal(mode_of(path_of("home/name")), 0600);
    assert_holds(&h, "name", "");
    assert_int_equal(syncs.count, 1);
    assert_true(syncs.of_folder[0] && syncs.name_is_there[0]);
    home_close(&h);
}

static void test_home_touches_nothing_of_a_file_that_is_there(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "kept");
    assert_int_equal(chmod(path_of("home/name"), 0640), 0);
    assert_int_equal(home_touch(&h, "name"), 0);
    assert_int_equal(mode_of(path_of("home/name")), 0640);
    assert_holds(&h, "name", "kept");
    home_close(&h);
}

static int touch_under_a_lock(void)
{
    struct home h = unlocked_home();
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path_of("home/name"), O_RDWR);
    return fd < 0 || fcntl(fd, F_SETLK, &all) < 0 || home_touch(&h, "name") < 0 ? NOT_POSSIBLE : 0;
}

/* The parent of the process with the lock looks from outside while that one still runs. */
static int look_at_a_lock(void)
{
    int told[2], status = 0;
    char byte = 0;
    if (pipe(told) < 0) return NOT_POSSIBLE;
    pid_t child = fork();
    if (child == 0) {
        byte = touch_under_a_lock() == 0;
        _exit(write(told[1], &byte, 1) == 1 ? pause() : 1);
    }
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool locked = read(told[0], &byte, 1) == 1 && byte == 1;
    int fd = open(path_of("home/name"), O_RDWR);
    locked = locked && fcntl(fd, F_SETLK, &all) < 0;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return locked ? 0 : MOTH_EIO;
}

static void test_home_touching_leaves_the_locks_on_a_file(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "x");
    assert_int_equal(in_child(look_at_a_lock), 0);
    home_close(&h);
}

static void test_home_refuses_to_touch_a_symlink(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "target", "x");
    assert_int_equal(symlink("target", path_of("home/name")), 0);
    assert_int_equal(symlink("nothing", path_of("home/astray")), 0);
    assert_int_equal(home_touch(&h, "name"), MOTH_EIO);
    assert_int_equal(home_touch(&h, "astray"), MOTH_EIO);
    assert_int_not_equal(access(path_of("home/nothing"), F_OK), 0);
    home_close(&h);
}

static void test_home_refuses_to_touch_a_folder(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    assert_int_equal(mkdir(path_of("home/name"), 0700), 0);
    assert_int_equal(home_touch(&h, "name"), MOTH_EIO);
    home_close(&h);
}

static int touch_as_nobody(void)
{
    struct home h = unlocked_home();
    int rc = become_nobody();
    return rc < 0 ? rc : home_touch(&h, "name");
}

static void test_home_says_when_it_may_not_be_touched(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    assert_int_equal(chmod(path_of("home"), 0555), 0);
    assert_int_equal(in_child(touch_as_nobody), MOTH_EPERMISSION);
    assert_int_equal(chmod(path_of("home"), 0700), 0);
    home_close(&h);
}

static void test_home_promises_no_touched_file_when_the_folder_is_not_synced(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    syncs.fail_at = 1;
    assert_int_equal(home_touch(&h, "name"), MOTH_EIO);
    home_close(&h);
}

/* --- moving --- */

static void test_home_moves_a_file_over_another(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "new");
    must_write(&h, "to", "old");
    assert_int_equal(home_move(&h, "name", "to"), 0);
    assert_holds(&h, "to", "new");
    assert_int_equal(count_entries(path_of("home")), 2);
    home_close(&h);
}

static void test_home_moves_a_file_to_a_free_name(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "x");
    assert_int_equal(home_move(&h, "name", "to"), 0);
    assert_holds(&h, "to", "x");
    assert_int_not_equal(access(path_of("home/name"), F_OK), 0);
    home_close(&h);
}

static void test_home_removes_a_file_that_moves_nowhere(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "x");
    assert_int_equal(home_move(&h, "name", NULL), 0);
    assert_int_equal(count_entries(path_of("home")), 1);
    home_close(&h);
}

static void test_home_moves_and_removes_a_symlink_and_not_what_it_points_to(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "target", "untouched");
    assert_int_equal(symlink("target", path_of("home/name")), 0);
    assert_int_equal(home_move(&h, "name", "to"), 0);
    assert_true(S_ISLNK(stat_of("home/to").st_mode));
    assert_int_equal(home_move(&h, "to", NULL), 0);
    assert_holds(&h, "target", "untouched");
    assert_int_equal(count_entries(path_of("home")), 2);
    home_close(&h);
}

static void test_home_syncs_the_folder_after_each_move(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "to", "x");
    assert_int_equal(home_move(&h, "to", "name"), 0);
    assert_int_equal(home_move(&h, "name", NULL), 0);
    assert_int_equal(syncs.count, 4); /* two are the writing's */
    assert_true(syncs.of_folder[2] && syncs.name_is_there[2]);
    assert_true(syncs.of_folder[3] && !syncs.name_is_there[3]);
    home_close(&h);
}

static void test_home_promises_no_move_when_the_folder_is_not_synced(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "x");
    syncs.fail_at = 3;
    assert_int_equal(home_move(&h, "name", "to"), MOTH_EIO);
    syncs.fail_at = 4;
    assert_int_equal(home_move(&h, "to", NULL), MOTH_EIO);
    home_close(&h);
}

static void test_home_moves_nothing_that_is_not_there(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "to", "kept");
    assert_int_equal(home_move(&h, "name", "to"), MOTH_ENOT_FOUND);
    assert_int_equal(home_move(&h, "name", NULL), MOTH_ENOT_FOUND);
    assert_holds(&h, "to", "kept");
    home_close(&h);
}

static void test_home_refuses_to_move_over_or_remove_a_folder(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "kept");
    assert_int_equal(mkdir(path_of("home/folder"), 0700), 0);
    assert_int_equal(home_move(&h, "name", "folder"), MOTH_EIO);
    assert_int_equal(home_move(&h, "folder", NULL), MOTH_EIO);
    assert_holds(&h, "name", "kept");
    assert_int_equal(count_entries(path_of("home")), 3);
    home_close(&h);
}

static int move_as_nobody(void)
{
    struct home h = unlocked_home();
    int rc = become_nobody();
    return rc < 0 ? rc : home_move(&h, "name", "to");
}

static int remove_as_nobody(void)
{
    struct home h = unlocked_home();
    int rc = become_nobody();
    return rc < 0 ? rc : home_move(&h, "name", NULL);
}

static void test_home_says_when_nothing_may_be_moved(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "kept");
    assert_int_equal(chmod(path_of("home"), 0555), 0);
    assert_int_equal(in_child(move_as_nobody), MOTH_EPERMISSION);
    assert_int_equal(in_child(remove_as_nobody), MOTH_EPERMISSION);
    assert_int_equal(chmod(path_of("home"), 0700), 0);
    assert_holds(&h, "name", "kept");
    home_close(&h);
}

static void test_home_refuses_names_too_long_for_the_system_however_they_are_used(void **state)
{
    char name[PATH_MAX];
    struct home h;
    (void)state;
    must_open(&h);
    memset(name, 'n', sizeof name);
    for (int i = 0; i < 2; i++) {
        name[i == 0 ? PATH_MAX - 1 : 300] = '\0'; /* a path too long; a name too long */
        assert_int_equal(home_fill(&h, name, 1), MOTH_EIO);
        assert_int_equal(home_touch(&h, name), MOTH_EIO);
        assert_int_equal(home_move(&h, name, NULL), MOTH_EIO);
        assert_int_equal(home_move(&h, "lock", name), MOTH_EIO);
    }
    assert_int_equal(count_entries(path_of("home")), 1);
    home_close(&h);
}

/* --- reading --- */

static void test_home_reads_nothing_that_is_not_there(void **state)
{
    struct home h;
    char data[8];
    size_t bytes;
    (void)state;
    must_open(&h);
    assert_int_equal(home_read(&h, "name", data, sizeof data, &bytes), MOTH_ENOT_FOUND);
    home_close(&h);
}

static void test_home_reads_a_file_that_just_fits(void **state)
{
    struct home h;
    char data[4];
    size_t bytes = 0;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "four");
    assert_int_equal(home_read(&h, "name", data, sizeof data, &bytes), 0);
    assert_int_equal(bytes, 4);
    assert_memory_equal(data, "four", 4);
    must_write(&h, "name", "");
    assert_int_equal(home_read(&h, "name", NULL, 0, &bytes), 0);
    assert_int_equal(bytes, 0);
    home_close(&h);
}

static void test_home_refuses_to_read_a_file_one_byte_too_big(void **state)
{
    struct home h;
    char data[4];
    size_t bytes;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "fives");
    assert_int_equal(home_read(&h, "name", data, sizeof data, &bytes), MOTH_ETOO_BIG);
    assert_int_equal(home_read(&h, "name", NULL, 0, &bytes), MOTH_ETOO_BIG);
    home_close(&h);
}

static void test_home_refuses_to_read_through_a_symlink(void **state)
{
    struct home h;
    char data[8];
    size_t bytes;
    (void)state;
    must_open(&h);
    must_write(&h, "target", "x");
    assert_int_equal(symlink("target", path_of("home/name")), 0);
    assert_int_equal(home_read(&h, "name", data, sizeof data, &bytes), MOTH_EIO);
    home_close(&h);
}

static void test_home_refuses_to_read_a_folder(void **state)
{
    struct home h;
    char data[8];
    size_t bytes;
    (void)state;
    must_open(&h);
    assert_int_equal(mkdir(path_of("home/name"), 0700), 0);
    assert_int_equal(home_read(&h, "name", data, sizeof data, &bytes), MOTH_EIO);
    home_close(&h);
}

static int read_as_nobody(void)
{
    struct home h = unlocked_home();
    char data[8];
    size_t bytes;
    int rc = become_nobody();
    return rc < 0 ? rc : home_read(&h, "name", data, sizeof data, &bytes);
}

static void test_home_says_when_a_file_may_not_be_read(void **state)
{
    struct home h;
    (void)state;
    must_open(&h);
    must_write(&h, "name", "x");
    assert_int_equal(chmod(path_of("home"), 0755), 0);
    assert_int_equal(chmod(path_of("home/name"), 0), 0);
    assert_int_equal(in_child(read_as_nobody), MOTH_EPERMISSION);
    home_close(&h);
}

static int count_descriptors(void)
{
    return count_entries("/proc/self/fd");
}

static void test_home_leaves_no_file_open_whatever_fails(void **state)
{
    struct home h, second;
    char data[1];
    size_t bytes;
    (void)state;
    int before = count_descriptors();
    must_open(&h);
    assert_int_equal(home_open(&second, path_of("home")), MOTH_EIN_USE);
    must_write(&h, "name", "two");
    assert_int_equal(home_read(&h, "name", data, sizeof data, &bytes), MOTH_ETOO_BIG);
    assert_int_equal(mkdir(path_of("home/folder"), 0700), 0);
    assert_int_equal(home_write(&h, "folder", slice_text("x")), MOTH_EIO);
    assert_int_equal(home_fill(&h, "folder", FILL_BYTES), MOTH_EIO);
    assert_int_equal(home_touch(&h, "folder"), MOTH_EIO);
    assert_int_equal(home_touch(&h, "empty"), 0);
    assert_int_equal(home_fill(&h, "filled", FILL_BYTES), 0);
    assert_int_equal(home_move(&h, "filled", NULL), 0);
    home_close(&h);
    assert_int_equal(count_descriptors(), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_home_makes_the_folder_and_its_parents_for_the_owner_only),
        TEST(test_home_opens_a_folder_that_is_there_with_what_it_holds),
        TEST(test_home_takes_a_path_that_ends_in_a_slash),
        TEST(test_home_refuses_a_second_opening_in_the_same_process),
        TEST(test_home_refuses_another_process_until_it_is_closed),
        TEST(test_home_is_free_again_when_its_process_is_gone),
        TEST(test_home_refuses_a_path_that_is_a_file),
        TEST(test_home_refuses_an_empty_path),
        TEST(test_home_refuses_a_path_longer_than_the_system_takes),
        TEST(test_home_refuses_a_symlink_that_leads_nowhere),
        TEST(test_home_refuses_a_lock_that_is_a_symlink),
        TEST(test_home_refuses_a_place_where_nothing_may_be_made),
        TEST(test_home_refuses_a_folder_that_may_not_be_entered),
        TEST(test_home_writes_files_for_the_owner_only),
        TEST(test_home_narrows_the_rights_of_a_file_it_replaces),
        TEST(test_home_replaces_a_file_whole_by_a_shorter_one),
        TEST(test_home_never_changes_a_file_that_somebody_reads),
        TEST(test_home_writes_over_what_a_crash_left_behind),
        TEST(test_home_leaves_the_old_file_when_the_new_one_does_not_fit),
        TEST(test_home_syncs_the_file_before_it_has_its_name_and_the_folder_after),
        TEST(test_home_leaves_the_old_file_when_the_new_one_is_not_synced),
        TEST(test_home_promises_nothing_when_the_folder_is_not_synced),
        TEST(test_home_shows_one_whole_file_at_any_instant_of_writing),
        TEST(test_home_refuses_to_write_over_a_folder),
        TEST(test_home_refuses_to_write_a_name_too_long_for_the_system),
        TEST(test_home_says_when_the_folder_is_gone),
        TEST(test_home_replaces_a_symlink_and_not_what_it_points_to),
        TEST(test_home_says_when_it_may_not_be_written),
        TEST(test_home_fills_a_file_that_takes_the_disk_for_the_owner_only),
        TEST(test_home_syncs_what_it_fills_before_it_has_its_name_and_the_folder_after),
        TEST(test_home_keeps_a_file_that_takes_the_bytes_already),
        TEST(test_home_fills_anew_what_has_the_size_but_not_the_blocks),
        TEST(test_home_fills_anew_what_is_larger_or_smaller),
        TEST(test_home_fills_in_place_of_a_symlink_and_not_what_it_points_to),
        TEST(test_home_fills_over_what_a_crash_left_behind),
        TEST(test_home_leaves_nothing_behind_of_a_filling_that_does_not_fit),
        TEST(test_home_leaves_nothing_behind_of_a_filling_that_is_not_synced),
        TEST(test_home_refuses_to_fill_a_folder),
        TEST(test_home_refuses_to_fill_more_than_a_file_can_be),
        TEST(test_home_says_when_it_may_not_be_filled),
        TEST(test_home_leaves_the_old_file_when_the_disk_is_full),
        TEST(test_home_leaves_nothing_behind_when_the_disk_is_full),
        TEST(test_home_has_room_again_when_a_filling_is_removed),
        TEST(test_home_says_when_the_disk_takes_no_more_files),
        TEST(test_home_touches_an_empty_file_for_the_owner_only),
        TEST(test_home_touches_nothing_of_a_file_that_is_there),
        TEST(test_home_touching_leaves_the_locks_on_a_file),
        TEST(test_home_refuses_to_touch_a_symlink),
        TEST(test_home_refuses_to_touch_a_folder),
        TEST(test_home_says_when_it_may_not_be_touched),
        TEST(test_home_promises_no_touched_file_when_the_folder_is_not_synced),
        TEST(test_home_moves_a_file_over_another),
        TEST(test_home_moves_a_file_to_a_free_name),
        TEST(test_home_removes_a_file_that_moves_nowhere),
        TEST(test_home_moves_and_removes_a_symlink_and_not_what_it_points_to),
        TEST(test_home_syncs_the_folder_after_each_move),
        TEST(test_home_promises_no_move_when_the_folder_is_not_synced),
        TEST(test_home_moves_nothing_that_is_not_there),
        TEST(test_home_refuses_to_move_over_or_remove_a_folder),
        TEST(test_home_says_when_nothing_may_be_moved),
        TEST(test_home_refuses_names_too_long_for_the_system_however_they_are_used),
        TEST(test_home_reads_nothing_that_is_not_there),
        TEST(test_home_reads_a_file_that_just_fits),
        TEST(test_home_refuses_to_read_a_file_one_byte_too_big),
        TEST(test_home_refuses_to_read_through_a_symlink),
        TEST(test_home_refuses_to_read_a_folder),
        TEST(test_home_says_when_a_file_may_not_be_read),
        TEST(test_home_leaves_no_file_open_whatever_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
