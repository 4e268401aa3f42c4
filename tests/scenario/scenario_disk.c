/* scenario_disk.c -- a disk that is really full: a small tmpfs of this process's own, where one can be mounted.
 *
 * The node says so, promises nothing new, keeps relaying and keeps what it promised; when there is room again it goes
 * on by itself. */
#include "folder.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK "size=20m" /* 16 MiB of ballast, and a little */
#define PATH_BYTES 256
#define SENDS_MAX 20000

static char disk[PATH_BYTES]; /* where it is mounted; "" when it cannot be */

static int mount_disk(void **state)
{
    (void)state;
    snprintf(disk, sizeof disk, "%s", folder_new_path("disk"));
    if (mkdir(disk, 0700) < 0 || unshare(CLONE_NEWNS) < 0 || mount("", "/", "", MS_REC | MS_PRIVATE, "") < 0 ||
        mount("tmpfs", disk, "tmpfs", 0, DISK) < 0)
        disk[0] = '\0';
    return 0;
}

static int unmount_disk(void **state)
{
    (void)state;
    if (disk[0] != '\0') umount2(disk, MNT_DETACH);
    return 0;
}

static void need_disk(void)
{
    if (disk[0] != '\0') return;
    print_message("no disk can be mounted here\n");
    skip();
}

static const char *on_disk(const char *name)
{
    static char path[2][PATH_BYTES + 32];
    static unsigned next;
    char *out = path[next++ % 2];
    snprintf(out, sizeof path[0], "%s/%s", disk, name);
    return out;
}

/* Takes all the room that is left, to the last byte. */
static void fill_disk(void)
{
    static const char zeros[65536];
    int fd = open(on_disk("filler"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    for (size_t bytes = sizeof zeros; bytes > 0;)
        if (write(fd, zeros, bytes) < 0) bytes = errno == EINTR ? bytes : bytes / 2;
    close(fd);
}

static void make_room(void)
{
    assert_int_equal(unlink(on_disk("filler")), 0);
}

/* What was written before leaves room in files that are there: it may take some messages until it shows. */
static unsigned send_until_refused(struct process *from, const char *to)
{
    for (unsigned i = 0; i < SENDS_MAX; i++) {
        process_say(from, "send %s number %u. %0512d", to, i, 0);
        process_listen(1);
        if (process_has_said(from, "cannot be written now")) return i;
        fill_disk();
    }
    fail_msg("a full disk refuses nothing");
    return 0;
}

/*   bob --- ana --- eva     the disk of ana, in the middle, is full */
static void test_a_full_disk_refuses_keeps_relaying_and_recovers(void **state)
{
    (void)state;
    need_disk();
    struct process *ana = process_node("ana", on_disk("ana"), NULL), *bob = process_node("bob", NULL, NULL);
    struct process *eva = process_node("eva", NULL, NULL);
    process_connect(bob, ana);
    process_connect(eva, ana);
    process_ask(bob, "list", "^eva ???????? 2 ana ", PROCESS_SOON_MS);
    process_ask(eva, "list", "^bob ???????? 2 ana ", PROCESS_SOON_MS);
    fill_disk();
    send_until_refused(ana, "bob");
    process_expect(ana, "^* the disk is full", PROCESS_SOON_MS);
    fill_disk(); /* what the ballast gave back, too */
    process_say(bob, "send eva through");
    process_expect(eva, "] bob: through$", PROCESS_SOON_MS);
    process_say(bob, "send ana wait");
    process_expect(bob, "^to ana: sent", PROCESS_SOON_MS);
    process_ask(bob, "queue", "^???????????????? ana sent ", PROCESS_SOON_MS);
    process_expect_none(ana, "bob: wait", 0);
    make_room();
    process_expect(ana, "^* the database can be written again", 3 * PROCESS_SOON_MS);
    process_expect(ana, "] bob: wait$", 3 * PROCESS_SOON_MS);
    process_say(ana, "send bob again");
    process_expect(bob, "] ana: again$", 3 * PROCESS_SOON_MS);
    process_ask(ana, "queue", "^nothing waiting$", 3 * PROCESS_SOON_MS);
}

/* What was queued before the disk was full is sent after it, and after a kill in between. */
static void test_what_was_promised_survives_a_full_disk_and_a_kill(void **state)
{
    (void)state;
    need_disk();
    struct process *ana = process_node("ana", on_disk("ana"), NULL), *eva = process_node("eva", NULL, NULL);
    process_connect(ana, eva);
    process_ask(ana, "list", "^eva ???????? 1 ", PROCESS_SOON_MS);
    process_quit(eva);
    process_expect(ana, "^* eva is gone", PROCESS_SOON_MS);
    process_say(ana, "send eva promised");
    process_expect(ana, "^to eva: queued", PROCESS_SOON_MS);
    fill_disk();
    send_until_refused(ana, "eva");
    fill_disk();
    process_signal(ana, SIGKILL);
    process_wait(ana, PROCESS_SOON_MS);
    make_room();
    ana = process_node("ana", on_disk("ana"), NULL);
    eva = process_node("eva", process_home(eva), "--connect", process_address(ana), NULL);
    process_expect(eva, "] ana: promised$", 2 * PROCESS_SOON_MS);
}

static void test_a_start_on_a_full_disk_gives_up_the_ballast_or_says_why_not(void **state)
{
    (void)state;
    need_disk();
    struct process *ana = process_node("ana", on_disk("ana"), NULL);
    process_quit(ana);
    fill_disk();
    ana = process_node("ana", on_disk("ana"), NULL);
    process_expect(ana, "^* the disk is full", PROCESS_SOON_MS);
    make_room();
    process_expect(ana, "^* the database can be written again", 3 * PROCESS_SOON_MS);
    process_quit(ana);
}

static void test_a_first_start_on_a_full_disk_is_refused_with_a_sentence(void **state)
{
    (void)state;
    need_disk();
    fill_disk();
    struct process *ana = PROCESS_START("ana", "--home", on_disk("ana"), "--name", "ana", "--listen", "127.0.0.1:0");
    process_expect_error(ana, "is full; free some space", PROCESS_SOON_MS);
    assert_int_equal(process_wait(ana, PROCESS_SOON_MS), 1);
}

/* Actors go first: they hold files on the disk. */
static int clean_up(void **state)
{
    int rc = process_cleanup(state);
    return rc | unmount_disk(state);
}

#define DISK_TEST(name) cmocka_unit_test_setup_teardown(name, mount_disk, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISK_TEST(test_a_full_disk_refuses_keeps_relaying_and_recovers),
        DISK_TEST(test_what_was_promised_survives_a_full_disk_and_a_kill),
        DISK_TEST(test_a_start_on_a_full_disk_gives_up_the_ballast_or_says_why_not),
        DISK_TEST(test_a_first_start_on_a_full_disk_is_refused_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
