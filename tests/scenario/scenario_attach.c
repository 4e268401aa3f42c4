/* scenario_attach.c -- shells that come and go at a node that stays: several at once, killed, rude, uninvited.
 *
 *   attached shells --- ana --- eva     ana is a daemon (moth run), the shells sit at terminals, eva is a pipe */
#include "attach.h"
#include "bots.h"
#include "folder.h"
#include "guest.h"
#include "once.h"
#include "patience.h"
#include "tmux.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_GROWTH_KIB (512 * 1024) /* the checker keeps what was freed for a while */
#else
#define MEMORY_GROWTH_KIB (32 * 1024)
#endif
#define NOBODY 65534
#define MANY 40 /* more than LOCAL_PEERS_MAX */

static struct process *ana, *eva;
static char home[512];

static void start_ana(void)
{
    ana = PROCESS_START("ana", "run", "--home", home, "--name", "ana", "--listen", "127.0.0.1:0", "--connect",
                        process_address(eva));
    process_expect_banner(ana);
    process_expect(eva, "^* ana is linked (", 2 * PROCESS_SOON_MS);
}

static void start_both(void)
{
    eva = process_node("eva", NULL, NULL);
    snprintf(home, sizeof home, "%s", folder_new_path("ana"));
    start_ana();
}

static struct tmux *attach(const char *label)
{
    struct tmux *t = TMUX_MOTH(label, "attach", "--home", home);
    tmux_expect(t, "^ana>$", 2 * PROCESS_SOON_MS);
    return t;
}

/* The node still does what a node does. */
static void expect_unharmed(void)
{
    process_say(eva, "= node:send('ana', 'check'):wait('delivered', 20)");
    process_expect(eva, "^true$", 4 * PROCESS_SOON_MS);
    assert_int_equal(ONCE_MOTH("do", "--home", home, "send", "eva", "unharmed"), 0);
    process_expect(eva, "] ana: unharmed$", PROCESS_SOON_MS);
}

/* --- several shells --- */

static void test_two_shells_see_the_same_message(void **state)
{
    (void)state;
    start_both();
    struct tmux *one = attach("one"), *two = attach("two");
    process_say(eva, "send ana for both");
    tmux_expect(one, "^[00:00:00] eva: for both$", PROCESS_SOON_MS);
    tmux_expect(two, "^[00:00:00] eva: for both$", PROCESS_SOON_MS);
    tmux_line(one, "= 'only here'");
    tmux_expect_tail(one, "only here\nana>", PROCESS_SOON_MS);
    tmux_line(two, "= 'over there'");
    tmux_expect_tail(two, "over there\nana>", PROCESS_SOON_MS);
    tmux_expect_none(two, "only here");
}

static void test_names_of_one_shell_are_not_those_of_another(void **state)
{
    (void)state;
    start_both();
    struct tmux *one = attach("one"), *two = attach("two");
    tmux_line(one, "count = 7");
    tmux_line(one, "= count");
    tmux_expect_tail(one, "7\nana>", PROCESS_SOON_MS);
    tmux_line(two, "= count");
    tmux_expect(two, "undefined global 'count'", PROCESS_SOON_MS);
}

static void test_a_killed_shell_is_noticed_by_nobody(void **state)
{
    (void)state;
    start_both();
    struct tmux *one = attach("one"), *two = attach("two");
    tmux_type(two, "= 'half");
    tmux_signal(one, SIGKILL);
    while (tmux_is_running(one)) process_listen(20);
    process_say(eva, "send ana goes on");
    tmux_expect_tail(two, "[00:00:00] eva: goes on\nana> = 'half", PROCESS_SOON_MS);
    tmux_type(two, "'");
    tmux_key(two, "Enter");
    tmux_expect_tail(two, "half\nana>", PROCESS_SOON_MS);
    struct tmux *three = attach("three");
    process_say(eva, "send ana for two and three");
    tmux_expect(two, "^[00:00:00] eva: for two and three$", PROCESS_SOON_MS);
    tmux_expect(three, "^[00:00:00] eva: for two and three$", PROCESS_SOON_MS);
    expect_unharmed();
}

static void test_what_a_killed_shell_had_running_ends(void **state)
{
    (void)state;
    start_both();
    struct tmux *one = attach("one");
    tmux_line(one, "task.every('20ms', function() node:send('eva', 'tick') end)");
    process_expect(eva, "] ana: tick$", PROCESS_SOON_MS);
    process_expect(eva, "] ana: tick$", PROCESS_SOON_MS);
    tmux_signal(one, SIGKILL);
    while (tmux_is_running(one)) process_listen(20);
    assert_int_equal(ONCE_MOTH("do", "--home", home, "= task.sleep(0.2)"), 0);
    process_ask(eva, "= 'after the last tick'", "^after the last tick$", PROCESS_SOON_MS);
    long long before = bots_number(eva, "#node:history()");
    process_say(eva, "= task.sleep(0.2)");
    assert_int_equal(bots_number(eva, "#node:history()"), before);
}

static void test_talking_in_one_shell_leaves_the_other_alone(void **state)
{
    (void)state;
    start_both();
    struct tmux *one = attach("one"), *two = attach("two");
    tmux_line(one, "talk eva");
    tmux_expect(one, "^ana to eva>$", PROCESS_SOON_MS);
    tmux_line(one, "hello");
    tmux_expect_tail(one, "[00:00:00] ana: hello  (delivered)\nana to eva>", PROCESS_SOON_MS);
    tmux_line(two, "= 'still Lua'");
    tmux_expect_tail(two, "still Lua\nana>", PROCESS_SOON_MS);
}

/* Completion asks the node, over there. */
static void test_tab_works_over_the_socket(void **state)
{
    (void)state;
    start_both();
    struct tmux *one = attach("one");
    tmux_type(one, "whois e");
    tmux_key(one, "Tab");
    tmux_expect_tail(one, "ana> whois eva", PROCESS_SOON_MS);
}

static void test_ctrl_c_works_over_the_socket(void **state)
{
    (void)state;
    start_both();
    struct tmux *one = attach("one");
    tmux_line(one, "= print('begun'), task.sleep(60)");
    tmux_expect(one, "^begun$", PROCESS_SOON_MS);
    tmux_key(one, "C-c");
    tmux_expect(one, "^cancelled$", PROCESS_SOON_MS);
    tmux_key(one, "C-c");
    tmux_expect(one, "^Ctrl-C again", PROCESS_SOON_MS);
    tmux_key(one, "C-c");
    tmux_expect_end(one, 0, PROCESS_SOON_MS);
    expect_unharmed();
}

/* --- while nobody looked --- */

static void test_what_arrived_unseen_is_shown_on_attach(void **state)
{
    (void)state;
    start_both();
    process_say(eva, "send ana one");
    process_say(eva, "send ana two");
    process_ask(eva, "= node:send('ana', 'three'):wait('delivered', 5)", "^true$", PROCESS_SOON_MS);
    assert_int_equal(ONCE_MOTH("do", "--home", home, "--json", "list"), 0);
    once_expect_jq(".[0].unread == 3");
    struct tmux *one = attach("one");
    tmux_expect(one, "^3 messages arrived while nobody looked", PROCESS_SOON_MS);
    tmux_expect(one, "eva: one$", PROCESS_SOON_MS);
    tmux_expect(one, "eva: three$", PROCESS_SOON_MS);
    assert_int_equal(ONCE_MOTH("do", "--home", home, "--json", "list"), 0);
    once_expect_jq(".[0].unread == 0");
    tmux_line(one, "quit");
    tmux_expect_end(one, 0, PROCESS_SOON_MS);
    struct tmux *two = attach("two");
    tmux_expect_none(two, "while nobody looked");
}

static void test_unread_survives_a_restart(void **state)
{
    (void)state;
    start_both();
    assert_int_equal(ONCE_MOTH("do", "--home", home, "id"), 0);
    process_ask(eva, "= node:send('ana', 'unseen'):wait('delivered', 5)", "^true$", PROCESS_SOON_MS);
    assert_int_equal(ONCE_MOTH("do", "--home", home, "stop"), 0);
    assert_int_equal(process_wait(ana, PROCESS_SOON_MS), 0);
    process_expect(eva, "^* ana is gone", PROCESS_SOON_MS);
    start_ana();
    struct tmux *one = attach("one");
    tmux_expect(one, "^1 message arrived while nobody looked", PROCESS_SOON_MS);
    tmux_expect(one, "eva: unseen$", PROCESS_SOON_MS);
}

/* --- its end --- */

static void test_quit_leaves_the_node_and_stop_ends_it(void **state)
{
    (void)state;
    start_both();
    struct tmux *one = attach("one"), *two = attach("two"), *three = attach("three");
    tmux_line(one, "quit");
    tmux_expect_end(one, 0, PROCESS_SOON_MS);
    tmux_key(two, "C-d");
    tmux_expect_end(two, 0, PROCESS_SOON_MS);
    expect_unharmed();
    struct tmux *four = attach("four");
    tmux_line(three, "stop");
    assert_int_equal(process_wait(ana, PROCESS_SOON_MS), 0);
    tmux_expect_end(three, 0, PROCESS_SOON_MS);
    tmux_expect_end(four, 0, PROCESS_SOON_MS);
    tmux_expect_ever(four, "the node has ended", PROCESS_SOON_MS);
}

static void test_a_killed_node_ends_its_shells(void **state)
{
    (void)state;
    start_both();
    struct tmux *one = attach("one");
    bots_kill(ana);
    tmux_expect_end(one, 1, PROCESS_SOON_MS);
    tmux_expect_ever(one, "the node has ended", PROCESS_SOON_MS);
}

static void test_attaching_works_without_a_terminal(void **state)
{
    (void)state;
    start_both();
    const char *path = folder_new_path("lines");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("= 1 + 1\nsend eva from a pipe\n= 'the end'", file);
    fclose(file);
    const char *moth = getenv("MOTH") ? getenv("MOTH") : "build/moth";
    assert_int_equal(once_run(path, (const char *const[]){moth, "attach", "--home", home, NULL}), 0);
    assert_int_equal(strncmp(once_output(), "2\nto eva: ", 10), 0);
    assert_non_null(strstr(once_output(), "\nthe end\n"));
    process_expect(eva, "] ana: from a pipe$", PROCESS_SOON_MS);
}

/* --- who may not come in --- */

static void test_the_socket_is_the_owners_alone(void **state)
{
    (void)state;
    char path[600];
    struct stat found;
    start_both();
    snprintf(path, sizeof path, "%s/%s", home, ATTACH_SOCKET);
    assert_int_equal(stat(path, &found), 0);
    assert_true(S_ISSOCK(found.st_mode));
    assert_int_equal(found.st_mode & 07777, 0600);
}

/* As another user, from within the folder: 0 is the end of file that a guest gets who is shown out, 1 a connection
 * that the system refused, 2 an answer. Ends by an alarm when nothing comes. */
static void be_nobody(void)
{
    static const uint8_t hello[] = {0, 0, 0, 5, ATTACH_HELLO, ATTACH_VERSION, 0, 0, 80};
    uint8_t byte;
    alarm(5);
    if (chdir(home) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0) _exit(99);
    int fd = guest_connect(".");
    if (fd < 0) _exit(fd == -EACCES ? 1 : 98);
    if (send(fd, hello, sizeof hello, MSG_NOSIGNAL) < 0) _exit(0);
    _exit(recv(fd, &byte, 1, 0) > 0 ? 2 : 0);
}

static int try_as_nobody(void)
{
    pid_t child = fork();
    int status;
    assert_true(child >= 0);
    if (child == 0) be_nobody();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Even where somebody was careless with the modes. */
static void test_another_user_gets_nowhere(void **state)
{
    (void)state;
    char path[600];
    if (geteuid() != 0) skip();
    start_both();
    assert_int_equal(try_as_nobody(), 1);
    snprintf(path, sizeof path, "%s/%s", home, ATTACH_SOCKET);
    assert_int_equal(chmod(home, 0711), 0);
    assert_int_equal(try_as_nobody(), 1);
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(try_as_nobody(), 0);
    expect_unharmed();
}

/* --- who does not behave --- */

static int enter(void)
{
    int fd = guest_connect(home);
    assert_true(fd >= 0);
    return fd;
}

static void expect_shown_out(const void *bytes, size_t count)
{
    int fd = enter();
    guest_send(fd, bytes, count);
    guest_expect_end(fd);
    guest_close(fd);
}
#define SHOWN_OUT(text) expect_shown_out((text), sizeof(text) - 1)

static void test_who_speaks_nonsense_is_shown_out(void **state)
{
    (void)state;
    start_both();
    struct tmux *one = attach("one");
    SHOWN_OUT("GET / HTTP/1.1\r\nHost: moth\r\n\r\n");
    SHOWN_OUT("\xff\xff\xff\xff");                         /* a frame of 4 GiB */
    SHOWN_OUT("\0\0\0\0");                                 /* an empty one */
    SHOWN_OUT("\0\0\0\3\2id");                             /* a line before hello */
    SHOWN_OUT("\0\0\0\2\1\1");                             /* half a hello */
    SHOWN_OUT("\0\0\0\1\101");                             /* what only the node says */
    SHOWN_OUT("\0\0\0\5\1\1\0\0\120\0\0\0\5\1\1\0\0\120"); /* hello, hello */
    SHOWN_OUT("\0\0\0\5\1\1\0\0\120\0\0\0\1\7");           /* an unknown kind */
    SHOWN_OUT("\0\0\0\5\1\1\0\0\120\0\0\0\5\6\0\0\0\11");  /* completing behind the end of a line */
    tmux_line(one, "= 'unmoved'");
    tmux_expect_tail(one, "unmoved\nana>", PROCESS_SOON_MS);
    expect_unharmed();
}

static void test_another_version_is_told_so(void **state)
{
    (void)state;
    start_both();
    int fd = enter();
    guest_say_hello(fd, ATTACH_VERSION + 1, 0);
    assert_non_null(strstr(guest_expect(fd, ATTACH_BYE) + 1, "version"));
    guest_expect_end(fd);
    guest_close(fd);
}

static void test_half_a_frame_holds_up_nobody(void **state)
{
    (void)state;
    start_both();
    int silent = enter(), half = enter(), hasty = enter();
    assert_true(guest_send(half, "\0\0\0", 3));
    guest_say_hello(hasty, ATTACH_VERSION, ATTACH_IS_TERMINAL);
    guest_send(hasty, "\0\0\1\0\2half a line", 16);
    expect_unharmed();
    guest_close(hasty);
    guest_close(half);
    expect_unharmed();
    guest_close(silent);
}

/* It asks on and on, and takes no answer. */
static void test_who_never_reads_is_given_up(void **state)
{
    (void)state;
    start_both();
    struct tmux *one = attach("one");
    static const char noisy[] = "print(('x'):rep(100000))";
    long before_kib = bots_memory_kib(ana);
    int fd = enter();
    bool is_open = guest_say_hello(fd, ATTACH_VERSION, ATTACH_IS_TERMINAL);
    for (int i = 0; i < 200 && is_open; i++) is_open = guest_send_frame(fd, ATTACH_LINE, noisy, sizeof noisy - 1);
    int64_t end_ms = patience_deadline(4 * PROCESS_SOON_MS);
    while (guest_send_frame(fd, ATTACH_RESIZE, "\0\120", 2)) {
        if (patience_now_ms() >= end_ms) fail_msg("nobody gives up a guest that does not read");
        process_listen(20);
    }
    guest_close(fd);
    tmux_line(one, "= 'unmoved'");
    tmux_expect_tail(one, "unmoved\nana>", PROCESS_SOON_MS);
    expect_unharmed();
    assert_true(bots_memory_kib(ana) < before_kib + MEMORY_GROWTH_KIB);
}

static void test_too_many_guests_are_refused_and_the_rest_served(void **state)
{
    (void)state;
    start_both();
    struct tmux *one = attach("one");
    int fds[MANY];
    for (int i = 0; i < MANY; i++) fds[i] = enter();
    tmux_line(one, "= 'unmoved'");
    tmux_expect_tail(one, "unmoved\nana>", PROCESS_SOON_MS);
    guest_expect_end(fds[MANY - 1]);
    for (int i = 0; i < MANY; i++) guest_close(fds[i]);
    process_ask(eva, "= node:send('ana', 'x'):wait('delivered', 5)", "^true$", 2 * PROCESS_SOON_MS);
    expect_unharmed();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TMUX_TEST(test_two_shells_see_the_same_message),
        TMUX_TEST(test_names_of_one_shell_are_not_those_of_another),
        TMUX_TEST(test_a_killed_shell_is_noticed_by_nobody),
        TMUX_TEST(test_what_a_killed_shell_had_running_ends),
        TMUX_TEST(test_talking_in_one_shell_leaves_the_other_alone),
        TMUX_TEST(test_tab_works_over_the_socket),
        TMUX_TEST(test_ctrl_c_works_over_the_socket),
        TMUX_TEST(test_what_arrived_unseen_is_shown_on_attach),
        TMUX_TEST(test_unread_survives_a_restart),
        TMUX_TEST(test_quit_leaves_the_node_and_stop_ends_it),
        TMUX_TEST(test_a_killed_node_ends_its_shells),
        TMUX_TEST(test_attaching_works_without_a_terminal),
        TMUX_TEST(test_the_socket_is_the_owners_alone),
        TMUX_TEST(test_another_user_gets_nowhere),
        TMUX_TEST(test_who_speaks_nonsense_is_shown_out),
        TMUX_TEST(test_another_version_is_told_so),
        TMUX_TEST(test_half_a_frame_holds_up_nobody),
        TMUX_TEST(test_who_never_reads_is_given_up),
        TMUX_TEST(test_too_many_guests_are_refused_and_the_rest_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
