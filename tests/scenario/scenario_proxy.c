/* scenario_proxy.c -- the bad line itself: a test that trusts it must know that it breaks what it says it breaks.
 *
 *   front --- proxy --- behind      both ends are bare sockets of this program */
#include "loopback.h"
#include "patience.h"
#include "process.h"
#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DELAY_MS 80
#define MUCH_BYTES 3000000 /* more than the line and its kernel buffers hold at once */

struct ends {
    int listener, front, behind;
    struct proxy proxy;
};

static struct ends ends = {-1, -1, -1, {0}};

static unsigned listen_behind(void)
{
    struct sockaddr_in where = loopback(0);
    socklen_t length = sizeof where;
    ends.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(ends.listener, (struct sockaddr *)&where, sizeof where), 0);
    assert_int_equal(listen(ends.listener, 8), 0);
    assert_int_equal(getsockname(ends.listener, (struct sockaddr *)&where, &length), 0);
    return ntohs(where.sin_port);
}

static int dial_proxy(void)
{
    struct sockaddr_in where = loopback(ends.proxy.port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof where), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static bool wait_for(int fd, short events, int ms)
{
    struct pollfd ready = {fd, events, 0};
    return poll(&ready, 1, ms * patience_factor()) == 1;
}

static void connect_ends(void)
{
    ends.front = dial_proxy();
    assert_true(wait_for(ends.listener, POLLIN, PROCESS_SOON_MS));
    ends.behind = accept4(ends.listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(ends.behind >= 0);
}

static int start_line(void **state)
{
    (void)state;
    ends.proxy = proxy_start(0, listen_behind());
    connect_ends();
    return 0;
}

static void hang_up(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static int end_all(void **state)
{
    hang_up(&ends.listener);
    hang_up(&ends.front);
    hang_up(&ends.behind);
    return proxy_cleanup(state);
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void expect_text(int fd, const char *text)
{
    char heard[64];
    size_t count = 0, bytes = strlen(text);
    while (count < bytes) {
        if (!wait_for(fd, POLLIN, PROCESS_SOON_MS)) fail_msg("\"%s\" did not come", text);
        ssize_t n = recv(fd, heard + count, bytes - count, 0);
        if (n <= 0) fail_msg("the line ended before \"%s\" had come", text);
        count += (size_t)n;
    }
    assert_memory_equal(heard, text, bytes);
}

static void expect_end(int fd)
{
    char byte;
    assert_true(wait_for(fd, POLLIN, PROCESS_SOON_MS));
    ssize_t n = recv(fd, &byte, 1, 0);
    assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
}

/* The answer to a second order proves that the proxy went round once after whatever was said before the first. */
static void expect_silence(int fd, enum proxy_way stalled)
{
    char byte;
    for (int i = 0; i < 2; i++) proxy_stall(&ends.proxy, stalled);
    assert_int_equal(recv(fd, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
}

/* --- pass --- */

static void test_bytes_pass_both_ways(void **state)
{
    (void)state;
    say(ends.front, "there");
    expect_text(ends.behind, "there");
    say(ends.behind, "and back");
    expect_text(ends.front, "and back");
}

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 31 + i / 256);
}

static void throw_some(const unsigned char *data, size_t *sent)
{
    ssize_t n = send(ends.front, data + *sent, MUCH_BYTES - *sent, MSG_NOSIGNAL);
    if (n < 0) assert_int_equal(errno, EAGAIN);
    if (n > 0) *sent += (size_t)n;
}

static void catch_some(const unsigned char *data, size_t *caught)
{
    static unsigned char part[65536];
    ssize_t n = recv(ends.behind, part, sizeof part, 0);
    if (n <= 0) return;
    assert_memory_equal(part, data + *caught, (size_t)n);
    *caught += (size_t)n;
}

static void test_more_than_it_can_hold_passes_unchanged(void **state)
{
    (void)state;
    unsigned char *data = malloc(MUCH_BYTES);
    size_t sent = 0, caught = 0;
    int64_t end_ms = patience_deadline(2 * PROCESS_SOON_MS);
    assert_non_null(data);
    for (size_t i = 0; i < MUCH_BYTES; i++) data[i] = byte_at(i);
    while (caught < MUCH_BYTES && patience_now_ms() < end_ms) {
        throw_some(data, &sent);
        if (wait_for(ends.behind, POLLIN, 1)) catch_some(data, &caught);
    }
    free(data);
    assert_int_equal(caught, MUCH_BYTES);
}

static void test_an_end_passes_after_the_last_byte(void **state)
{
    (void)state;
    say(ends.front, "last words");
    hang_up(&ends.front);
    expect_text(ends.behind, "last words");
    expect_end(ends.behind);
}

static void test_two_connections_do_not_mix(void **state)
{
    (void)state;
    int first = ends.front, first_behind = ends.behind;
    connect_ends();
    say(first, "one");
    say(ends.front, "two");
    expect_text(ends.behind, "two");
    expect_text(first_behind, "one");
    hang_up(&first);
    expect_end(first_behind);
    say(ends.front, "still here");
    expect_text(ends.behind, "still here");
    hang_up(&first_behind);
}

static void test_nobody_behind_ends_the_connection(void **state)
{
    (void)state;
    hang_up(&ends.listener);
    int fd = dial_proxy();
    expect_end(fd);
    hang_up(&fd);
}

/* --- cut --- */

static void test_a_cut_ends_both_sides_and_refuses_new_ones(void **state)
{
    (void)state;
    proxy_cut(&ends.proxy);
    expect_end(ends.front);
    expect_end(ends.behind);
    int fd = dial_proxy();
    expect_end(fd);
    hang_up(&fd);
    assert_false(wait_for(ends.listener, POLLIN, 0));
}

static void test_a_line_passes_again_after_a_cut(void **state)
{
    (void)state;
    proxy_cut(&ends.proxy);
    proxy_pass(&ends.proxy);
    expect_end(ends.front);
    hang_up(&ends.front);
    hang_up(&ends.behind);
    connect_ends();
    test_bytes_pass_both_ways(state);
}

/* --- stall --- */

static void test_a_stall_holds_both_ways_and_loses_nothing(void **state)
{
    (void)state;
    proxy_stall(&ends.proxy, PROXY_BOTH);
    say(ends.front, "held there");
    say(ends.behind, "held back");
    expect_silence(ends.behind, PROXY_BOTH);
    expect_silence(ends.front, PROXY_BOTH);
    proxy_pass(&ends.proxy);
    expect_text(ends.behind, "held there");
    expect_text(ends.front, "held back");
}

static void test_a_half_open_line_is_dead_there_and_alive_back(void **state)
{
    (void)state;
    proxy_stall(&ends.proxy, PROXY_THERE);
    say(ends.front, "anybody?");
    say(ends.behind, "hello");
    expect_text(ends.front, "hello");
    expect_silence(ends.behind, PROXY_THERE);
    proxy_pass(&ends.proxy);
    expect_text(ends.behind, "anybody?");
}

static void test_a_half_open_line_is_dead_back_and_alive_there(void **state)
{
    (void)state;
    proxy_stall(&ends.proxy, PROXY_BACK);
    say(ends.behind, "anybody?");
    say(ends.front, "hello");
    expect_text(ends.behind, "hello");
    expect_silence(ends.front, PROXY_BACK);
    proxy_pass(&ends.proxy);
    expect_text(ends.front, "anybody?");
}

static void test_a_stalled_line_hides_the_end_of_a_connection(void **state)
{
    (void)state;
    proxy_stall(&ends.proxy, PROXY_BOTH);
    hang_up(&ends.front);
    expect_silence(ends.behind, PROXY_BOTH);
    proxy_pass(&ends.proxy);
    expect_end(ends.behind);
}

static void test_a_stalled_line_takes_only_so_much(void **state)
{
    (void)state;
    static const char data[65536];
    size_t taken = 0;
    ssize_t n;
    proxy_stall(&ends.proxy, PROXY_THERE);
    do {
        while ((n = send(ends.front, data, sizeof data, MSG_NOSIGNAL)) > 0 && taken < 64 * MUCH_BYTES)
            taken += (size_t)n;
        proxy_stall(&ends.proxy, PROXY_THERE);
    } while (n > 0 && taken < 64 * MUCH_BYTES);
    assert_true(taken < 64 * MUCH_BYTES);
    expect_silence(ends.behind, PROXY_THERE);
}

/* --- delay --- */

static void expect_late(int from, int to, const char *text)
{
    int64_t start_ms = patience_now_ms();
    say(from, text);
    expect_text(to, text);
    assert_true(patience_now_ms() - start_ms >= DELAY_MS - 1);
}

static void test_a_delay_makes_each_way_late(void **state)
{
    (void)state;
    proxy_delay(&ends.proxy, DELAY_MS);
    expect_late(ends.front, ends.behind, "slow there");
    expect_late(ends.behind, ends.front, "slow back");
}

static void test_what_was_delayed_stays_before_what_was_not(void **state)
{
    (void)state;
    proxy_delay(&ends.proxy, DELAY_MS);
    say(ends.front, "first ");
    for (int i = 0; i < 2; i++) proxy_delay(&ends.proxy, DELAY_MS); /* it has taken the first */
    proxy_pass(&ends.proxy);
    say(ends.front, "second");
    expect_text(ends.behind, "first second");
}

static void test_a_stopped_proxy_ends_its_connections(void **state)
{
    (void)state;
    proxy_stop(&ends.proxy);
    expect_end(ends.front);
    expect_end(ends.behind);
}

#define LINE_TEST(name) cmocka_unit_test_setup_teardown(name, start_line, end_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINE_TEST(test_bytes_pass_both_ways),
        LINE_TEST(test_more_than_it_can_hold_passes_unchanged),
        LINE_TEST(test_an_end_passes_after_the_last_byte),
        LINE_TEST(test_two_connections_do_not_mix),
        LINE_TEST(test_nobody_behind_ends_the_connection),
        LINE_TEST(test_a_cut_ends_both_sides_and_refuses_new_ones),
        LINE_TEST(test_a_line_passes_again_after_a_cut),
        LINE_TEST(test_a_stall_holds_both_ways_and_loses_nothing),
        LINE_TEST(test_a_half_open_line_is_dead_there_and_alive_back),
        LINE_TEST(test_a_half_open_line_is_dead_back_and_alive_there),
        LINE_TEST(test_a_stalled_line_hides_the_end_of_a_connection),
        LINE_TEST(test_a_stalled_line_takes_only_so_much),
        LINE_TEST(test_a_delay_makes_each_way_late),
        LINE_TEST(test_what_was_delayed_stays_before_what_was_not),
        LINE_TEST(test_a_stopped_proxy_ends_its_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
