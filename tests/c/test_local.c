/* test_local.c -- the socket in the home folder: who gets in, what leaves in order, and how each end of it ends.
 *
 * The server writes down what it hears; the tests are its clients and judge outside of its callbacks. */
#include "net/local.h"

#include "socket_kit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NOBODY 65534
#define MANY_BYTES ((size_t)3 << 20) /* more than any socket holds by itself */

static struct local_server *server;
static struct local_peer *latest; /* the one that came last; NULL: it is gone */
static struct buf heard;          /* from all of them */
static unsigned opened, closed;
static bool closes_at_once, pauses_at_once;
static char many[MANY_BYTES];

static void on_opened(void *owner, struct local_peer *p)
{
    expect(owner == &server);
    expect(!local_user(p));
    opened++;
    latest = p;
    local_set_user(p, &opened);
    if (closes_at_once) local_close(p);
    if (pauses_at_once) local_pause(p, true);
}

static void on_bytes(void *owner, struct local_peer *p, struct slice bytes)
{
    expect(owner == &server);
    expect(local_user(p) == &opened);
    buf_add(&heard, bytes.data, bytes.bytes);
}

static void on_closed(void *owner, struct local_peer *p)
{
    expect(owner == &server);
    expect(local_user(p) == &opened);
    closed++;
    if (p == latest) latest = NULL;
}

static const struct local_ops ops = {on_opened, on_bytes, on_closed};

static int serve(void)
{
    return local_serve(loop, socket_path, &ops, &server, &server);
}

static int set_up(void **state)
{
    (void)state;
    opened = closed = 0;
    closes_at_once = pauses_at_once = false;
    latest = NULL;
    for (size_t i = 0; i < MANY_BYTES; i++) many[i] = (char)('a' + i % 23);
    if (open_folder() < 0) return -1;
    return serve();
}

static int tear_down(void **state)
{
    (void)state;
    local_stop(server);
    server = NULL;
    buf_fini(&heard);
    return close_folder();
}

/* --- conditions --- */

static unsigned wanted; /* of whatever is counted */

static bool has_opened(void)
{
    return opened == wanted;
}

static bool has_closed(void)
{
    return closed == wanted;
}

static bool has_heard(void)
{
    return buf_bytes(&heard) >= wanted;
}

static void until_opened(unsigned count)
{
    wanted = count;
    until(has_opened);
}

static void until_closed(unsigned count)
{
    wanted = count;
    until(has_closed);
}

static void until_heard(const char *text)
{
    wanted = (unsigned)strlen(text);
    until(has_heard);
    assert_true(slice_equal(span_slice(buf_span(&heard)), slice_text(text)));
}

static int connect_and_wait(void)
{
    int fd = connect_client();
    until_opened(opened + 1);
    return fd;
}

static int client;
static struct buf got;

static bool client_is_closed(void)
{
    return client_read(client, &got) == CLIENT_CLOSED;
}

static bool client_has_some(void)
{
    client_read(client, &got);
    return buf_bytes(&got) >= wanted;
}

/* --- who gets in --- */

static void test_the_socket_is_for_its_owner_alone(void **state)
{
    struct stat about;
    (void)state;
    assert_int_equal(stat(socket_path, &about), 0);
    assert_true(S_ISSOCK(about.st_mode));
    assert_int_equal(about.st_mode & 0777, 0600);
}

static void test_the_socket_is_for_its_owner_alone_under_any_umask(void **state)
{
    struct stat about;
    (void)state;
    local_stop(server);
    server = NULL;
    mode_t before = umask(0);
    int rc = serve();
    umask(before);
    assert_int_equal(rc, 0);
    assert_int_equal(stat(socket_path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

/* In a child of another user, who may not get to the folder by its path: its status is 0 when it was let go without a
 * byte. */
static int be_another_user(void)
{
    char byte;
    if (chdir(folder) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0) return 2;
    int fd = try_to_connect(strrchr(socket_path, '/') + 1);
    if (fd < 0) return 3;
    if (fcntl(fd, F_SETFL, 0) < 0) return 4;
    return recv(fd, &byte, 1, 0) == 0 ? 0 : 5;
}

static int child_status;
static pid_t child;

static bool child_has_ended(void)
{
    if (child != 0 && waitpid(child, &child_status, WNOHANG) == child) child = 0;
    return child == 0;
}

static void test_another_user_does_not_get_in_even_when_the_rights_would_let_them(void **state)
{
    (void)state;
    if (geteuid() != 0) skip();
    assert_int_equal(chmod(folder, 0755) | chmod(socket_path, 0666), 0);
    child = fork();
    if (child == 0) _exit(be_another_user());
    until(child_has_ended);
    assert_true(WIFEXITED(child_status));
    assert_int_equal(WEXITSTATUS(child_status), 0);
    assert_int_equal(opened, 0);
    assert_int_equal(closed, 0);
}

static void test_another_user_cannot_even_connect(void **state)
{
    (void)state;
    if (geteuid() != 0) skip();
    assert_int_equal(chmod(folder, 0755), 0);
    child = fork();
    if (child == 0) _exit(be_another_user());
    until(child_has_ended);
    assert_int_equal(WEXITSTATUS(child_status), 3);
}

static void test_one_too_many_is_shown_out_and_there_is_room_again(void **state)
{
    int fds[LOCAL_PEERS_MAX];
    (void)state;
    for (unsigned i = 0; i < LOCAL_PEERS_MAX; i++) fds[i] = connect_and_wait();
    client = connect_client();
    until(client_is_closed);
    assert_int_equal(opened, LOCAL_PEERS_MAX);
    assert_int_equal(closed, 0);
    close(client);
    close(fds[7]);
    until_closed(1);
    fds[7] = connect_and_wait();
    for (unsigned i = 0; i < LOCAL_PEERS_MAX; i++) close(fds[i]);
    until_closed(LOCAL_PEERS_MAX + 1);
}

/* --- bytes --- */

static void test_bytes_go_both_ways_in_order(void **state)
{
    (void)state;
    client = connect_and_wait();
    client_write(client, "hello ", 6);
    until_heard("hello ");
    client_write(client, "there", 5);
    until_heard("hello there");
    assert_int_equal(local_send(latest, "one", 3), 0);
    assert_int_equal(local_send(latest, "two", 3), 0);
    wanted = 6;
    until(client_has_some);
    assert_true(slice_equal(span_slice(buf_span(&got)), slice_text("onetwo")));
    buf_fini(&got);
    close(client);
    until_closed(1);
}

static void test_what_a_client_said_before_it_closed_is_heard(void **state)
{
    (void)state;
    client = connect_client();
    client_write(client, "last words", 10);
    close(client);
    until_closed(1);
    until_heard("last words");
}

static void test_one_that_is_paused_is_heard_later(void **state)
{
    (void)state;
    pauses_at_once = true;
    client = connect_client();
    client_write(client, "later", 5);
    until_opened(1);
    turns(5);
    assert_int_equal(buf_bytes(&heard), 0);
    local_pause(latest, false);
    until_heard("later");
    local_pause(latest, true);
    client_write(client, " on", 3);
    turns(5);
    until_heard("later");
    local_pause(latest, false);
    until_heard("later on");
    close(client);
    until_closed(1);
}

static void test_a_peer_that_reads_gets_more_than_the_queue_holds(void **state)
{
    (void)state;
    client = connect_and_wait();
    for (unsigned i = 1; i <= 4; i++) {
        assert_int_equal(local_send(latest, many, MANY_BYTES), 0);
        wanted = (unsigned)(i * MANY_BYTES);
        until(client_has_some);
    }
    for (unsigned i = 0; i < 4; i++) assert_memory_equal(buf_span(&got).data + i * MANY_BYTES, many, MANY_BYTES);
    buf_fini(&got);
    close(client);
    until_closed(1);
}

static void test_a_peer_that_does_not_read_is_given_up(void **state)
{
    int rc = 0;
    unsigned sends = 0;
    (void)state;
    client = connect_and_wait();
    while ((rc = local_send(latest, many, MANY_BYTES)) == 0) sends++;
    assert_int_equal(rc, MOTH_EFULL);
    assert_in_range(sends, 2, 3);
    assert_int_equal(closed, 0); /* never within a call */
    assert_int_equal(local_send(latest, "x", 1), MOTH_ECLOSED);
    until_closed(1);
    close(client);
}

static void test_sending_to_one_that_hung_up_harms_nobody(void **state)
{
    (void)state;
    client = connect_and_wait();
    close(client);
    int rc = local_send(latest, many, MANY_BYTES);
    assert_true(rc == 0 || rc == MOTH_ECLOSED);
    until_closed(1);
}

/* --- ends --- */

static void test_closing_waits_until_what_was_sent_has_left(void **state)
{
    (void)state;
    client = connect_and_wait();
    assert_int_equal(local_send(latest, many, MANY_BYTES), 0);
    local_close(latest);
    assert_int_equal(local_send(latest, "x", 1), MOTH_ECLOSED);
    local_close(latest); /* a second time is nothing */
    local_pause(latest, true);
    local_pause(latest, false);
    until(client_is_closed);
    assert_int_equal(buf_bytes(&got), MANY_BYTES);
    assert_memory_equal(buf_span(&got).data, many, MANY_BYTES);
    until_closed(1);
    buf_fini(&got);
    close(client);
}

static void test_closing_waits_a_second_at_most(void **state)
{
    (void)state;
    client = connect_and_wait();
    assert_int_equal(local_send(latest, many, MANY_BYTES), 0);
    uint64_t start_us = now_us();
    local_close(latest);
    until_closed(1);
    assert_in_range(now_us() - start_us, 900000, DEADLINE_US / 2);
    close(client);
}

static void test_a_peer_that_is_closing_is_not_heard_any_more(void **state)
{
    (void)state;
    client = connect_and_wait();
    assert_int_equal(local_send(latest, many, MANY_BYTES), 0);
    local_close(latest);
    client_write(client, "too late", 8);
    until_closed(1);
    assert_int_equal(buf_bytes(&heard), 0);
    close(client);
}

static void test_one_may_be_closed_as_it_comes(void **state)
{
    (void)state;
    closes_at_once = true;
    client = connect_client();
    until(client_is_closed);
    until_closed(1);
    assert_int_equal(opened, 1);
    close(client);
}

static void test_stopping_closes_all_who_are_there(void **state)
{
    int fds[3];
    (void)state;
    for (unsigned i = 0; i < 3; i++) fds[i] = connect_and_wait();
    local_stop(server);
    server = NULL;
    assert_int_equal(closed, 3); /* and nothing is called after it */
    assert_int_equal(access(socket_path, F_OK), -1);
    assert_int_equal(try_to_connect(socket_path), -1);
    for (unsigned i = 0; i < 3; i++) {
        client = fds[i];
        until(client_is_closed);
        close(client);
    }
    assert_int_equal(closed, 3);
}

static void test_stopping_lets_last_words_leave(void **state)
{
    (void)state;
    client = connect_and_wait();
    assert_int_equal(local_send(latest, many, MANY_BYTES), 0);
    local_stop(server);
    server = NULL;
    until(client_is_closed);
    assert_int_equal(buf_bytes(&got), MANY_BYTES);
    buf_fini(&got);
    close(client);
}

static void test_the_loop_closes_while_one_does_not_read_its_last_words(void **state)
{
    (void)state;
    client = connect_and_wait();
    assert_int_equal(local_send(latest, many, MANY_BYTES), 0);
    local_stop(server);
    server = NULL;
    assert_int_equal(moth_loop_close(loop), 0);
    assert_int_equal(moth_loop_open(folder, &loop), 0);
    assert_int_equal(closed, 1);
    close(client);
}

/* --- the path --- */

static void test_a_socket_that_nobody_serves_any_more_is_replaced(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)state;
    local_stop(server);
    server = NULL;
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
    assert_int_equal(bind(stale, (const struct sockaddr *)&address, sizeof address), 0);
    close(stale);
    assert_int_equal(access(socket_path, F_OK), 0);
    assert_int_equal(serve(), 0);
    close(connect_and_wait());
    until_closed(1);
}

static void test_a_path_too_long_for_a_socket_is_refused(void **state)
{
    char path[128];
    struct local_server *other = NULL;
    (void)state;
    int bytes = snprintf(path, sizeof path, "%s/", folder);
    memset(path + bytes, 'x', sizeof path - (size_t)bytes);
    path[108] = '\0';
    assert_int_equal(local_serve(loop, path, &ops, &server, &other), MOTH_EARGUMENT);
    assert_null(other);
    path[107] = '\0';
    assert_int_equal(local_serve(loop, path, &ops, &server, &other), 0);
    int fd = try_to_connect(path);
    assert_true(fd >= 0);
    close(fd);
    local_stop(other);
}

static void test_a_folder_that_is_not_there_is_refused(void **state)
{
    char path[FOLDER_BYTES + 32];
    struct local_server *other = NULL;
    (void)state;
    snprintf(path, sizeof path, "%s/missing/shell.sock", folder);
    int rc = local_serve(loop, path, &ops, &server, &other);
    assert_true(rc == MOTH_EIO || rc == MOTH_EPERMISSION);
    assert_null(other);
    local_stop(NULL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_socket_is_for_its_owner_alone),
        TEST(test_the_socket_is_for_its_owner_alone_under_any_umask),
        TEST(test_another_user_does_not_get_in_even_when_the_rights_would_let_them),
        TEST(test_another_user_cannot_even_connect),
        TEST(test_one_too_many_is_shown_out_and_there_is_room_again),
        TEST(test_bytes_go_both_ways_in_order),
        TEST(test_what_a_client_said_before_it_closed_is_heard),
        TEST(test_one_that_is_paused_is_heard_later),
        TEST(test_a_peer_that_reads_gets_more_than_the_queue_holds),
        TEST(test_a_peer_that_does_not_read_is_given_up),
        TEST(test_sending_to_one_that_hung_up_harms_nobody),
        TEST(test_closing_waits_until_what_was_sent_has_left),
        TEST(test_closing_waits_a_second_at_most),
        TEST(test_a_peer_that_is_closing_is_not_heard_any_more),
        TEST(test_one_may_be_closed_as_it_comes),
        TEST(test_stopping_closes_all_who_are_there),
        TEST(test_stopping_lets_last_words_leave),
        TEST(test_the_loop_closes_while_one_does_not_read_its_last_words),
        TEST(test_a_socket_that_nobody_serves_any_more_is_replaced),
        TEST(test_a_path_too_long_for_a_socket_is_refused),
        TEST(test_a_folder_that_is_not_there_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
