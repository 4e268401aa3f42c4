/* test_notify.c -- what a service manager hears, at a real socket. */
#include "notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[64], path[96];
static int manager; /* its end */

/* A name that begins with @ has no file. */
static void listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, name, strlen(name));
    if (name[0] == '@') address.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(manager >= 0);
    assert_int_equal(bind(manager, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
}

static void expect_heard(const char *expected)
{
    char heard[64];
    ssize_t n = recv(manager, heard, sizeof heard, 0);
    if (!expected) {
        assert_int_equal(n, -1);
        return;
    }
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(heard, expected, strlen(expected));
}

static int set_up(void **state)
{
    (void)state;
    manager = -1;
    snprintf(folder, sizeof folder, "/tmp/moth-notify-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/socket", folder);
    return unsetenv("NOTIFY_SOCKET");
}

static int tear_down(void **state)
{
    (void)state;
    if (manager >= 0) close(manager);
    unlink(path);
    return rmdir(folder);
}

static void test_ready_and_stopping_arrive_as_one_datagram_each(void **state)
{
    (void)state;
    listen_at(path);
    notify_ready();
    expect_heard("READY=1");
    expect_heard(NULL);
    notify_stopping();
    expect_heard("STOPPING=1");
}

static void test_a_name_without_a_file_is_understood(void **state)
{
    char name[64];
    (void)state;
    snprintf(name, sizeof name, "@moth-notify-%ld", (long)getpid());
    listen_at(name);
    notify_ready();
    expect_heard("READY=1");
}

static void test_without_the_variable_nothing_is_sent(void **state)
{
    (void)state;
    listen_at(path);
    unsetenv("NOTIFY_SOCKET");
    notify_ready();
    expect_heard(NULL);
}

static void test_a_variable_that_names_no_socket_is_ignored(void **state)
{
    char long_name[200];
    (void)state;
    listen_at(path);
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[0] = '/';
    long_name[sizeof long_name - 1] = '\0';
    const char *const names[] = {"", "/", "@", "relative", "vsock:2:1", long_name, "/no/such/folder/socket"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        notify_ready();
        expect_heard(NULL);
    }
}

static void test_a_manager_that_is_gone_or_does_not_read_holds_nobody_up(void **state)
{
    (void)state;
    listen_at(path);
    for (int i = 0; i < 2000; i++) notify_ready(); /* more than a socket keeps */
    close(manager);
    manager = -1;
    notify_stopping();
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_ready_and_stopping_arrive_as_one_datagram_each),
        TEST(test_a_name_without_a_file_is_understood),
        TEST(test_without_the_variable_nothing_is_sent),
        TEST(test_a_variable_that_names_no_socket_is_ignored),
        TEST(test_a_manager_that_is_gone_or_does_not_read_holds_nobody_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
