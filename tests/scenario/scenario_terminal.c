/* scenario_terminal.c -- the program on standard streams that are not three well-read pipes: closed, full, shared,
 * stuck, or a terminal. */
#include "process.h"
#include "folder.h"
#include "patience.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLOSED (-1)
#define LOOK_MS 10
#define LOOKS_ALIKE 10 /* so often asleep with nothing new: it waits */

static pid_t child; /* 0: none */
static char home[512], heard[1 << 20];

/* --- one program, and what becomes of it --- */

static void become(const int fds[3], const char *const arguments[])
{
    const char *argv[16] = {getenv("MOTH") ? getenv("MOTH") : "build/moth"};
    for (size_t i = 0; arguments[i] && i < 14; i++) argv[i + 1] = arguments[i];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < 3; i++)
        if (fds[i] == CLOSED) close(i);
        else dup2(fds[i], i);
    for (int fd = 3; fd < 64; fd++) close(fd);
    signal(SIGPIPE, SIG_DFL);
    execv(argv[0], (char *const *)argv);
    _exit(127);
}

/* The descriptors are above 2 (or CLOSED) and stay open here. */
static void start(int in, int out, int err, const char *const arguments[])
{
    const int fds[3] = {in, out, err};
    child = fork();
    assert_true(child >= 0);
    if (child == 0) become(fds, arguments);
}

static void start_node(int in, int out, int err)
{
    snprintf(home, sizeof home, "%s", folder_new_path("home"));
    start(in, out, err, (const char *const[]){"--home", home, "--listen", "none", NULL});
}

static int wait_for_end(void)
{
    int64_t end_ms = patience_deadline(PROCESS_SOON_MS);
    int status;
    pid_t ended;
    while ((ended = waitpid(child, &status, WNOHANG)) == 0 && patience_now_ms() < end_ms) poll(NULL, 0, LOOK_MS);
    if (ended == 0) fail_msg("it still runs");
    child = 0;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int tear_down(void **state)
{
    if (child != 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    child = 0;
    return process_cleanup(state);
}

/* --- streams --- */

static int high(int fd)
{
    int above = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    assert_true(above >= 3);
    close(fd);
    return above;
}

static int open_path(const char *path)
{
    return high(open(path, O_RDWR));
}

static void make_pipe(int ends[2])
{
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    ends[0] = high(ends[0]);
    ends[1] = high(ends[1]);
}

static void make_terminal(int *master, int *terminal)
{
    *master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*master < 0 || grantpt(*master) < 0 || unlockpt(*master) < 0) skip();
    *terminal = open(ptsname(*master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*terminal < 0) skip();
}

static void say(int fd, const char *line, int times)
{
    for (int i = 0; i < times; i++) assert_int_equal(write(fd, line, strlen(line)), strlen(line));
}

/* All that comes until the end, or until `until`, into `heard`. */
static void hear(int fd, const char *until)
{
    int64_t end_ms = patience_deadline(PROCESS_SOON_MS), left_ms;
    size_t bytes = 0;
    ssize_t n = 1;
    heard[0] = '\0';
    while (n > 0 && bytes < sizeof heard - 1 && !(until && strstr(heard, until))) {
        struct pollfd speaker = {.fd = fd, .events = POLLIN};
        if ((left_ms = end_ms - patience_now_ms()) <= 0 || poll(&speaker, 1, (int)left_ms) == 0) fail_msg("silence");
        n = read(fd, heard + bytes, sizeof heard - 1 - bytes);
        if (n > 0) bytes += (size_t)n;
        heard[bytes] = '\0';
    }
}

static int count(const char *what)
{
    int n = 0;
    for (const char *at = heard; (at = strstr(at, what)); at += strlen(what)) n++;
    return n;
}

/* --- closed --- */

static void test_a_closed_stream_is_not_the_lock_file(void **state)
{
    (void)state;
    int nothing = open_path("/dev/null");
    char path[600];
    struct stat lock;
    for (int closed = 1; closed < 8; closed++) {
        start_node(closed & 1 ? CLOSED : nothing, closed & 2 ? CLOSED : nothing, closed & 4 ? CLOSED : nothing);
        assert_int_equal(wait_for_end(), 0);
        snprintf(path, sizeof path, "%s/lock", home);
        assert_int_equal(stat(path, &lock), 0);
        assert_int_equal(lock.st_size, 0);
    }
    close(nothing);
}

/* --- full and broken --- */

static void expect_complaint(int in, int out, const char *const arguments[])
{
    int errors[2];
    make_pipe(errors);
    if (arguments) start(in, out, errors[1], arguments);
    else start_node(in, out, errors[1]);
    close(errors[1]);
    assert_int_equal(wait_for_end(), 1);
    hear(errors[0], NULL);
    assert_int_equal(count("moth: standard output cannot be written: "), 1);
    assert_int_equal(count("\n"), 1);
    close(errors[0]);
}

static void test_a_full_output_is_an_error(void **state)
{
    (void)state;
    int full = open_path("/dev/full"), input[2];
    make_pipe(input); /* and nobody closes it */
    expect_complaint(input[0], full, NULL);
    expect_complaint(input[0], full, (const char *const[]){"--help", NULL});
    expect_complaint(input[0], full, (const char *const[]){"--version", NULL});
    close(full);
    close(input[0]);
    close(input[1]);
}

static void test_an_output_that_nobody_reads_any_more_is_an_error(void **state)
{
    (void)state;
    int input[2], output[2];
    make_pipe(input);
    make_pipe(output);
    close(output[0]);
    expect_complaint(input[0], output[1], NULL);
    close(output[1]);
    close(input[0]);
    close(input[1]);
}

static void test_an_input_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    int errors[2], nothing = open_path("/dev/null"), folder = high(open("/", O_RDONLY));
    make_pipe(errors);
    start_node(folder, nothing, errors[1]);
    close(errors[1]);
    assert_int_equal(wait_for_end(), 1);
    hear(errors[0], NULL);
    assert_int_equal(count("the input ends here"), 1);
    close(errors[0]);
    close(nothing);
    close(folder);
}

/* --- shared --- */

/* As under inetd: reading makes the socket one that does not wait, for writing too. */
static void test_input_and_output_can_be_one_socket(void **state)
{
    (void)state;
    int ends[2], small = 1, lines = 300;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    ends[1] = high(ends[1]);
    start_node(ends[1], ends[1], STDERR_FILENO);
    close(ends[1]);
    say(ends[0], "help send\n", lines);
    say(ends[0], "quit\n", 1);
    hear(ends[0], NULL);
    assert_int_equal(count("usage    send "), lines);
    assert_int_equal(wait_for_end(), 0);
    close(ends[0]);
}

/* --- stuck --- */

static bool is_asleep(void)
{
    char path[64], state = '?';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*d (%*[^)]) %c", &state), 1);
    fclose(f);
    return state == 'S';
}

static void wait_until_stuck(int output)
{
    int64_t end_ms = patience_deadline(PROCESS_SOON_MS);
    int before = 0, now = 0;
    for (int alike = 0; alike < LOOKS_ALIKE; alike = is_asleep() && now > 0 && now == before ? alike + 1 : 0) {
        assert_true(patience_now_ms() < end_ms);
        before = now;
        assert_int_equal(ioctl(output, FIONREAD, &now), 0);
        poll(NULL, 0, LOOK_MS);
    }
}

/* A terminal may have room again just when the signal comes; then the next signal counts, as for somebody who presses
 * Ctrl-C twice. */
static int insist(void)
{
    int64_t end_ms = patience_deadline(PROCESS_SOON_MS);
    siginfo_t info = {0};
    while (info.si_pid == 0 && patience_now_ms() < end_ms) {
        kill(child, SIGTERM);
        poll(NULL, 0, 10 * LOOK_MS);
        waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT);
    }
    return wait_for_end();
}

static void expect_signal_ends_it(int reader, int writer)
{
    int input[2];
    make_pipe(input);
    say(input[1], "help\n", 1000);
    start_node(input[0], writer, STDERR_FILENO);
    wait_until_stuck(reader);
    assert_int_equal(insist(), 0);
    close(input[0]);
    close(input[1]);
    close(reader);
    close(writer);
}

static void test_a_signal_ends_it_though_nobody_reads_its_output(void **state)
{
    (void)state;
    int output[2];
    make_pipe(output);
    expect_signal_ends_it(output[0], output[1]);
}

static void test_a_signal_ends_it_though_its_terminal_is_stuck(void **state)
{
    (void)state;
    int master, terminal;
    make_terminal(&master, &terminal);
    expect_signal_ends_it(master, terminal);
}

/* An input of this kind is read by another thread, which nobody can call back. */
static void test_a_signal_ends_it_though_its_input_never_answers(void **state)
{
    (void)state;
    int silent = eventfd(0, EFD_CLOEXEC), output[2];
    make_pipe(output);
    start_node(silent, output[1], STDERR_FILENO);
    hear(output[0], "not listening\n");
    kill(child, SIGTERM);
    assert_int_equal(wait_for_end(), 0);
    close(silent);
    close(output[0]);
    close(output[1]);
}

/* --- what others on the machine see --- */

static void test_a_passphrase_is_wiped_from_the_arguments(void **state)
{
    (void)state;
    char path[64], arguments[4096];
    int input[2], output[2];
    make_pipe(input);
    make_pipe(output);
    snprintf(home, sizeof home, "%s", folder_new_path("home"));
    start(input[0], output[1], STDERR_FILENO,
          (const char *const[]){"--home", home, "--listen", "none", "--network", "open sesame", NULL});
    hear(output[0], "not listening\n");
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)child);
    int fd = open(path, O_RDONLY);
    ssize_t bytes = read(fd, arguments, sizeof arguments);
    assert_true(bytes > 0);
    assert_non_null(memmem(arguments, (size_t)bytes, "--network", 9));
    assert_null(memmem(arguments, (size_t)bytes, "sesame", 6));
    close(fd);
    close(input[1]);
    assert_int_equal(wait_for_end(), 0);
    close(input[0]);
    close(output[0]);
    close(output[1]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_closed_stream_is_not_the_lock_file),
        TEST(test_a_full_output_is_an_error),
        TEST(test_an_output_that_nobody_reads_any_more_is_an_error),
        TEST(test_an_input_that_cannot_be_read_is_an_error),
        TEST(test_input_and_output_can_be_one_socket),
        TEST(test_a_signal_ends_it_though_nobody_reads_its_output),
        TEST(test_a_signal_ends_it_though_its_terminal_is_stuck),
        TEST(test_a_signal_ends_it_though_its_input_never_answers),
        TEST(test_a_passphrase_is_wiped_from_the_arguments),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
