/* test_watch.c -- descriptors and signals that somebody else reads: told when there is something, and not a moment
 * longer than they asked for. */
#include "net/watch.h"

#include "socket_kit.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>

static struct watch *watch;
static struct signal_watch *signals;
static int ends[2]; /* of a pair of sockets: ours, which is watched, and theirs; -1: closed */
static unsigned readable_calls, writable_calls, signal_calls[NSIG];
static bool reads, rests, ends_itself; /* what on_ready does about it */

static void on_ready(void *owner, bool readable, bool writable)
{
    char chunk[64];
    expect(owner == &watch);
    readable_calls += readable;
    writable_calls += writable;
    if (readable && reads) (void)!read(ends[0], chunk, sizeof chunk);
    if (rests) watch_for(watch, false, false);
    if (!ends_itself) return;
    watch_free(watch);
    watch = NULL;
}

static void on_signal(void *owner, int number)
{
    expect(owner == &signals);
    signal_calls[number]++;
    if (!ends_itself) return;
    signal_watch_free(signals);
    signals = NULL;
}

static int set_up(void **state)
{
    (void)state;
    readable_calls = writable_calls = 0;
    memset(signal_calls, 0, sizeof signal_calls);
    reads = true;
    rests = ends_itself = false;
    if (open_folder() < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) return -1;
    return watch_new(loop, ends[0], on_ready, &watch, &watch);
}

static int tear_down(void **state)
{
    (void)state;
    watch_free(watch);
    signal_watch_free(signals);
    watch = NULL;
    signals = NULL;
    int rc = close_folder();
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0) close(ends[i]);
    return rc;
}

static bool was_readable(void)
{
    return readable_calls > 0;
}

static bool was_writable(void)
{
    return writable_calls > 0;
}

static void say_something(void)
{
    assert_int_equal(write(ends[1], "x", 1), 1);
}

/* --- descriptors --- */

static void test_a_watch_rests_until_it_is_asked(void **state)
{
    (void)state;
    say_something();
    turns(5);
    assert_int_equal(readable_calls + writable_calls, 0);
}

static void test_input_is_told_as_long_as_it_is_there(void **state)
{
    (void)state;
    watch_for(watch, true, false);
    turns(5);
    assert_int_equal(readable_calls, 0);
    say_something();
    until(was_readable);
    turns(5);
    assert_int_equal(readable_calls, 1);
    reads = false;
    say_something();
    turns(5);
    assert_true(readable_calls > 2);
    assert_int_equal(writable_calls, 0);
}

static void test_room_is_told_only_when_there_is_some(void **state)
{
    char chunk[65536] = {0};
    (void)state;
    while (write(ends[0], chunk, sizeof chunk) > 0) continue;
    watch_for(watch, false, true);
    turns(5);
    assert_int_equal(writable_calls, 0);
    while (read(ends[1], chunk, sizeof chunk) > 0) continue;
    until(was_writable);
    assert_int_equal(readable_calls, 0);
}

static void test_one_may_watch_for_both(void **state)
{
    (void)state;
    say_something();
    watch_for(watch, true, true);
    until(was_readable);
    until(was_writable);
}

static void test_one_that_rests_is_told_nothing(void **state)
{
    (void)state;
    reads = false;
    rests = true;
    say_something();
    watch_for(watch, true, false);
    until(was_readable);
    turns(5);
    assert_int_equal(readable_calls, 1);
    watch_for(watch, true, false);
    turns(5);
    assert_int_equal(readable_calls, 2);
}

static void test_the_end_is_something_to_read(void **state)
{
    (void)state;
    watch_for(watch, true, false);
    close(ends[1]);
    ends[1] = -1;
    until(was_readable);
}

/* The program must not run in circles around a terminal that is gone, nor miss that it is. */
static void test_a_terminal_that_hangs_up_is_something_to_read(void **state)
{
    int above, below;
    (void)state;
    if (openpty(&above, &below, NULL, NULL, NULL) < 0) skip();
    watch_free(watch);
    close(ends[0]);
    ends[0] = below;
    assert_int_equal(watch_new(loop, below, on_ready, &watch, &watch), 0);
    watch_for(watch, true, false);
    close(above);
    until(was_readable);
}

static void test_a_watch_may_end_itself(void **state)
{
    (void)state;
    ends_itself = true;
    say_something();
    watch_for(watch, true, true);
    until(was_readable);
    turns(5);
    assert_int_equal(readable_calls, 1);
    watch_free(NULL);
}

static void test_the_descriptor_stays_open(void **state)
{
    (void)state;
    watch_for(watch, true, true);
    watch_free(watch);
    watch = NULL;
    turns(2);
    assert_true(fcntl(ends[0], F_GETFD) >= 0);
    assert_int_equal(watch_new(loop, ends[0], on_ready, &watch, &watch), 0); /* and can be watched again */
}

static void test_a_plain_file_cannot_be_watched(void **state)
{
    struct watch *none = NULL;
    FILE *file = tmpfile();
    (void)state;
    assert_non_null(file);
    assert_int_equal(watch_new(loop, fileno(file), on_ready, &watch, &none), MOTH_EIO);
    assert_null(none);
    fclose(file);
}

/* --- signals --- */

static bool heard_window(void)
{
    return signal_calls[SIGWINCH] > 0;
}

static bool heard_both(void)
{
    return signal_calls[SIGWINCH] > 0 && signal_calls[SIGCONT] > 0;
}

static const int numbers[] = {SIGWINCH, SIGCONT, 0, SIGUSR1};

static void test_signals_are_told_up_to_the_zero(void **state)
{
    (void)state;
    void (*before)(int) = signal(SIGUSR1, SIG_IGN);
    signals = signal_watch_new(loop, numbers, on_signal, &signals);
    raise(SIGUSR1);
    raise(SIGWINCH);
    raise(SIGCONT);
    until(heard_both);
    assert_int_equal(signal_calls[SIGWINCH], 1);
    assert_int_equal(signal_calls[SIGUSR1], 0);
    signal(SIGUSR1, before);
}

static void test_a_signal_that_is_watched_has_no_other_effect(void **state)
{
    static const int fatal[] = {SIGUSR2, SIGWINCH, 0};
    (void)state;
    signals = signal_watch_new(loop, fatal, on_signal, &signals);
    raise(SIGUSR2);
    raise(SIGWINCH);
    until(heard_window);
    assert_int_equal(signal_calls[SIGUSR2], 1);
}

static void test_a_signal_watch_may_end_itself(void **state)
{
    (void)state;
    ends_itself = true;
    signals = signal_watch_new(loop, numbers, on_signal, &signals);
    raise(SIGWINCH);
    until(heard_window);
    raise(SIGWINCH);
    turns(5);
    assert_int_equal(signal_calls[SIGWINCH], 1);
    signal_watch_free(NULL);
}

static void test_two_may_watch_the_same_signal(void **state)
{
    (void)state;
    signals = signal_watch_new(loop, numbers, on_signal, &signals);
    struct signal_watch *other = signal_watch_new(loop, numbers, on_signal, &signals);
    raise(SIGWINCH);
    until(heard_window);
    turns(5);
    assert_int_equal(signal_calls[SIGWINCH], 2);
    signal_watch_free(other);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_watch_rests_until_it_is_asked),
        TEST(test_input_is_told_as_long_as_it_is_there),
        TEST(test_room_is_told_only_when_there_is_some),
        TEST(test_one_may_watch_for_both),
        TEST(test_one_that_rests_is_told_nothing),
        TEST(test_the_end_is_something_to_read),
        TEST(test_a_terminal_that_hangs_up_is_something_to_read),
        TEST(test_a_watch_may_end_itself),
        TEST(test_the_descriptor_stays_open),
        TEST(test_a_plain_file_cannot_be_watched),
        TEST(test_signals_are_told_up_to_the_zero),
        TEST(test_a_signal_that_is_watched_has_no_other_effect),
        TEST(test_a_signal_watch_may_end_itself),
        TEST(test_two_may_watch_the_same_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
