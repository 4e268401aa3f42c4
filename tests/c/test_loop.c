/* test_loop.c -- the real world of a node: turns and timers, the host's functions, lines of standard input, signals.
 *
 * Nothing sleeps and hopes: a loop runs until a condition holds, and a deadline far beyond any honest duration turns a
 * hang into a failure. Callbacks only write down; the tests judge outside of them. */
#include "moth/loop.h"

#include "base/buf.h"
#include "net/transport.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_US 30000000u
#define PATH_BYTES 64

static char folder[PATH_BYTES], home[PATH_BYTES + 8];
static struct moth_loop *loop;
static const struct moth_host *host;
static int saved_stdin;

static void open_loop(void)
{
    assert_int_equal(moth_loop_open(home, &loop), 0);
    host = moth_loop_host(loop);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/moth-test-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(home, sizeof home, "%s/home", folder);
    saved_stdin = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    open_loop();
    return 0;
}

static int tear_down(void **state)
{
    char command[PATH_BYTES + 16];
    (void)state;
    moth_loop_close(loop);
    loop = NULL;
    dup2(saved_stdin, STDIN_FILENO);
    close(saved_stdin);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static uint64_t now_us(void)
{
    return host->now_us(host->context);
}

/* --- running until something holds --- */

static bool (*wanted)(void);
static uint64_t deadline_us;

static uint64_t look(void *owner)
{
    (void)owner;
    if (wanted() || now_us() >= deadline_us) moth_loop_stop(loop);
    return deadline_us;
}

static void run_until(bool (*holds)(void))
{
    wanted = holds;
    deadline_us = now_us() + DEADLINE_US;
    moth_loop_run(loop, look, NULL);
    assert_true(holds());
}

static bool worked;

static void do_nothing(void *job)
{
    (void)job;
}

static void note_worked(void *job)
{
    (void)job;
    worked = true;
}

static bool has_worked(void)
{
    return worked;
}

/* Lets the loop take in all that is there by now: work goes through the same queue of the kernel's events. */
static void run_some_turns(void)
{
    for (int i = 0; i < 5; i++) {
        worked = false;
        host->work(host->context, do_nothing, note_worked, NULL);
        run_until(has_worked);
    }
}

/* --- opening and closing --- */

static void test_loop_refuses_a_home_that_is_in_use(void **state)
{
    struct moth_loop *second = NULL;
    (void)state;
    assert_int_equal(moth_loop_open(home, &second), MOTH_EIN_USE);
    assert_null(second);
}

static void test_loop_gives_the_home_free_when_it_closes(void **state)
{
    (void)state;
    moth_loop_close(loop);
    open_loop();
}

static void test_loop_refuses_a_home_that_cannot_be(void **state)
{
    struct moth_loop *second = NULL;
    (void)state;
    assert_int_equal(moth_loop_open("/dev/null/home", &second), MOTH_EIO);
    assert_null(second);
}

static int count_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int count = 0;
    assert_non_null(d);
    while (readdir(d)) count++;
    closedir(d);
    return count;
}

static const char *path_of(const char *name)
{
    static char path[2 * PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", home, name);
    return path;
}

static void assert_private_file(const char *name, off_t bytes)
{
    struct stat s;
    assert_int_equal(lstat(path_of(name), &s), 0);
    assert_true(S_ISREG(s.st_mode));
    assert_int_equal(s.st_mode & 07777, 0600);
    assert_int_equal(s.st_size, bytes);
}

static void test_loop_makes_a_place_for_the_database_that_only_the_owner_may_read(void **state)
{
    (void)state;
    moth_loop_close(loop);
    assert_int_equal(unlink(path_of("moth.db")), 0);
    mode_t old = umask(0);
    open_loop();
    umask(old);
    assert_private_file("moth.db", 0);
}

static void test_loop_leaves_a_database_that_is_there(void **state)
{
    (void)state;
    assert_int_equal(host->file_write(host->context, "moth.db", "content", 7), 0);
    moth_loop_close(loop);
    open_loop();
    assert_private_file("moth.db", 7);
}

static void test_loop_refuses_a_home_without_a_place_for_the_database(void **state)
{
    struct moth_loop *second = NULL;
    (void)state;
    moth_loop_close(loop);
    assert_int_equal(unlink(path_of("moth.db")), 0);
    assert_int_equal(symlink("elsewhere", path_of("moth.db")), 0);
    int before = count_descriptors();
    assert_int_equal(moth_loop_open(home, &second), MOTH_EIO);
    assert_null(second);
    assert_int_equal(count_descriptors(), before);
    assert_int_not_equal(access(path_of("elsewhere"), F_OK), 0);
    assert_int_equal(unlink(path_of("moth.db")), 0);
    open_loop(); /* and the lock is free */
}

static sem_t looking_up, answered;

/* Stands in for the library's: a resolver that answers when the test lets it. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    (void)node;
    (void)service;
    (void)hints;
    (void)found;
    sem_post(&looking_up);
    sem_wait(&answered);
    return EAI_NONAME;
}

static void ignore_close(void *owner, struct conn *c, int reason)
{
    (void)owner;
    (void)c;
    (void)reason;
}

static void test_loop_closing_does_not_wait_for_a_resolver(void **state)
{
    static const struct transport_events events = {.on_closed = ignore_close};
    static struct moth_loop *volatile left; /* keeps what stays in the sight of the sanitizer */
    struct moth_transport *t = moth_loop_transport(loop);
    (void)state;
    sem_init(&looking_up, 0, 0);
    sem_init(&answered, 0, 0);
    t->events = &events;
    t->ops->dial(t, "slow.test:1", NULL);
    sem_wait(&looking_up);
    left = loop;
    loop = NULL;
    assert_int_equal(moth_loop_close(left), MOTH_ETIMEOUT);
    open_loop(); /* the home is free */
    sem_post(&answered);
}

static void test_loop_closing_nothing_is_fine(void **state)
{
    (void)state;
    moth_loop_close(NULL);
}

static void test_loop_leaves_no_file_open(void **state)
{
    struct moth_loop *second;
    (void)state;
    run_some_turns(); /* threads and what libuv opens once */
    moth_loop_close(loop);
    int before = count_descriptors();
    for (int i = 0; i < 3; i++) {
        open_loop();
        assert_int_equal(moth_loop_open(home, &second), MOTH_EIN_USE);
        run_some_turns();
        moth_loop_close(loop);
    }
    loop = NULL;
    assert_int_equal(count_descriptors(), before);
}

/* Only whoever handles SIGPIPE hears of it. */
static void (*disposition_after_opening(void (*before)(int)))(int)
{
    struct sigaction now;
    moth_loop_close(loop);
    signal(SIGPIPE, before);
    open_loop();
    sigaction(SIGPIPE, NULL, &now);
    return now.sa_handler;
}

static void handle(int number)
{
    (void)number;
}

static void test_loop_ignores_broken_pipes_unless_they_are_handled(void **state)
{
    (void)state;
    assert_true(disposition_after_opening(SIG_DFL) == SIG_IGN);
    assert_true(disposition_after_opening(SIG_IGN) == SIG_IGN);
    assert_true(disposition_after_opening(handle) == handle);
    signal(SIGPIPE, SIG_DFL);
}

/* --- turns --- */

#define WAIT_US 20000u

static struct {
    unsigned turns, dues;
    uint64_t due_us;
} clockwork;

static uint64_t tick(void *owner)
{
    uint64_t now = now_us();
    assert_ptr_equal(owner, &clockwork);
    clockwork.turns++;
    if (now >= clockwork.due_us) {
        clockwork.dues++;
        clockwork.due_us = now + WAIT_US;
    }
    if (clockwork.dues > 5 || now > deadline_us) moth_loop_stop(loop);
    return clockwork.due_us;
}

static void test_loop_turns_when_asked_and_sleeps_between(void **state)
{
    (void)state;
    memset(&clockwork, 0, sizeof clockwork);
    uint64_t start_us = now_us();
    deadline_us = start_us + DEADLINE_US;
    moth_loop_run(loop, tick, &clockwork);
    assert_int_equal(clockwork.dues, 6); /* one at once, five after a wait */
    assert_true(now_us() - start_us >= 5 * WAIT_US);
    assert_true(clockwork.turns <= 3 * 6); /* a millisecond's rounding may wake it early, but it never spins */
}

static uint64_t stop_at_once(void *owner)
{
    ++*(int *)owner;
    moth_loop_stop(loop);
    return UINT64_MAX;
}

static void test_loop_runs_again_after_a_stop(void **state)
{
    int turns = 0;
    (void)state;
    for (int i = 0; i < 3; i++) moth_loop_run(loop, stop_at_once, &turns);
    assert_int_equal(turns, 3);
}

static bool asleep_for_ever_woken;

static uint64_t sleep_for_ever(void *owner)
{
    (void)owner;
    if (worked) {
        asleep_for_ever_woken = true;
        moth_loop_stop(loop);
    }
    return UINT64_MAX;
}

static void test_loop_sleeps_for_ever_until_something_happens(void **state)
{
    (void)state;
    worked = asleep_for_ever_woken = false;
    host->work(host->context, do_nothing, note_worked, NULL);
    moth_loop_run(loop, sleep_for_ever, NULL);
    assert_true(asleep_for_ever_woken);
}

static void test_loop_closes_whole_after_a_stop_that_nobody_heard(void **state)
{
    (void)state;
    moth_loop_stop(loop); /* tear_down closes it, and the sanitizer counts */
}

/* --- the host --- */

static void test_loop_host_files_are_there_whole_after_a_restart(void **state)
{
    char data[16];
    size_t bytes = 0;
    (void)state;
    assert_int_equal(host->file_write(host->context, "name", "content", 7), 0);
    moth_loop_close(loop);
    open_loop();
    assert_int_equal(host->file_read(host->context, "name", data, sizeof data, &bytes), 0);
    assert_int_equal(bytes, 7);
    assert_memory_equal(data, "content", 7);
}

static void test_loop_host_says_what_is_wrong_with_a_file(void **state)
{
    char data[4];
    size_t bytes;
    (void)state;
    assert_int_equal(host->file_read(host->context, "name", data, sizeof data, &bytes), MOTH_ENOT_FOUND);
    assert_int_equal(host->file_write(host->context, "name", "content", 7), 0);
    assert_int_equal(host->file_read(host->context, "name", data, sizeof data, &bytes), MOTH_ETOO_BIG);
}

static void test_loop_host_moves_and_removes_files(void **state)
{
    (void)state;
    assert_int_equal(host->file_write(host->context, "name", "content", 7), 0);
    assert_int_equal(host->file_move(host->context, "name", "to"), 0);
    assert_private_file("to", 7);
    assert_int_equal(host->file_move(host->context, "name", NULL), MOTH_ENOT_FOUND);
    assert_int_equal(host->file_move(host->context, "to", NULL), 0);
    assert_int_not_equal(access(path_of("to"), F_OK), 0);
}

static void test_loop_host_fills_a_file(void **state)
{
    (void)state;
    assert_int_equal(host->file_fill(host->context, "name", 10000), 0);
    assert_private_file("name", 10000);
    assert_int_equal(mkdir(path_of("folder"), 0700), 0);
    assert_int_equal(host->file_fill(host->context, "folder", 10000), MOTH_EIO);
}

static void test_loop_host_says_where_home_is_and_that_its_disk_is_real(void **state)
{
    (void)state;
    assert_string_equal(host->home, home);
    assert_null(host->vfs);
}

static struct job {
    pthread_t ran_on, done_on;
    bool ran, done, calling;
} jobs[100];

static void run_job(void *job)
{
    struct job *j = job;
    j->ran_on = pthread_self();
    j->ran = true;
}

static void job_done(void *job)
{
    struct job *j = job;
    j->done_on = pthread_self();
    j->done = j->ran && !j->calling;
}

static bool all_jobs_are_done(void)
{
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
        if (!jobs[i].done) return false;
    return true;
}

static void start_jobs(void)
{
    memset(jobs, 0, sizeof jobs);
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        jobs[i].calling = true;
        host->work(host->context, run_job, job_done, &jobs[i]);
        assert_false(jobs[i].done);
        jobs[i].calling = false;
    }
}

static void test_loop_host_works_elsewhere_and_tells_here(void **state)
{
    (void)state;
    start_jobs();
    run_until(all_jobs_are_done);
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        assert_false(pthread_equal(jobs[i].ran_on, pthread_self()));
        assert_true(pthread_equal(jobs[i].done_on, pthread_self()));
    }
}

static void test_loop_closing_finishes_the_work_under_way(void **state)
{
    (void)state;
    start_jobs();
    moth_loop_close(loop);
    loop = NULL;
    assert_true(all_jobs_are_done());
}

static void test_loop_host_clocks_run(void **state)
{
    (void)state;
    uint64_t start_us = now_us(), last_us = start_us;
    for (int i = 0; i < 1000; i++) {
        uint64_t next_us = now_us();
        assert_true(next_us >= last_us);
        last_us = next_us;
    }
    uint64_t wall_ms = host->wall_ms(host->context);
    time_t wall_s = time(NULL);
    assert_true(wall_ms / 1000 + 60 > (uint64_t)wall_s && wall_ms / 1000 < (uint64_t)wall_s + 60);
}

static void test_loop_host_random_bytes_fill_all_and_differ(void **state)
{
    static uint8_t a[100000], b[100000];
    size_t counts[256] = {0};
    (void)state;
    host->random(host->context, a, sizeof a);
    host->random(host->context, b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    for (size_t i = 0; i < sizeof a; i++) counts[a[i]]++;
    for (int i = 0; i < 256; i++) assert_true(counts[i] > 200 && counts[i] < 600);
    uint8_t kept[3] = {1, 2, 3};
    host->random(host->context, kept, 0);
    assert_memory_equal(kept, "\1\2\3", 3);
}

static char logged[64];

static void note_log(void *owner, enum moth_log_level level, const char *text)
{
    snprintf(logged, sizeof logged, "%s%d%s", (const char *)owner, (int)level, text);
}

static void test_loop_host_logs_to_whoever_asked(void **state)
{
    char owner[] = "owner ";
    (void)state;
    logged[0] = '\0';
    host->log(host->context, MOTH_LOG_ERROR, "nobody hears this");
    assert_string_equal(logged, "");
    moth_loop_on_log(loop, note_log, owner);
    host->log(host->context, MOTH_LOG_WARN, " text");
    assert_string_equal(logged, "owner 2 text");
}

/* --- signals --- */

static int signalled[2];

static void note_signal(void *owner, int number)
{
    (void)owner;
    signalled[0] = signalled[1];
    signalled[1] = number;
}

static bool got_int(void)
{
    return signalled[1] == SIGINT;
}

static bool got_term(void)
{
    return signalled[1] == SIGTERM;
}

static void test_loop_signals_come_as_events(void **state)
{
    (void)state;
    memset(signalled, 0, sizeof signalled);
    moth_loop_on_signal(loop, note_signal, NULL);
    kill(getpid(), SIGINT);
    run_until(got_int);
    kill(getpid(), SIGTERM);
    run_until(got_term);
    assert_int_equal(signalled[0], SIGINT);
}

/* --- lines --- */

static struct {
    struct buf text; /* each line with a "|" behind it, then the end's code in brackets */
    unsigned lines, ends;
    int pause_after; /* pause when so many lines came; -1: never */
    bool resume_at_once, inside, nested;
} input;

static void pause_if_due(void)
{
    if (input.pause_after < 0 || (int)input.lines != input.pause_after) return;
    moth_loop_pause_lines(loop, true);
    if (input.resume_at_once) moth_loop_pause_lines(loop, false);
}

static void on_line(void *owner, const char *line, size_t bytes, int rc)
{
    char end[16];
    assert_ptr_equal(owner, &input);
    input.nested |= input.inside;
    input.inside = true;
    if (line) {
        buf_add(&input.text, line, bytes);
        buf_add(&input.text, "|", 1);
        input.lines++;
    } else {
        buf_add(&input.text, end, (size_t)snprintf(end, sizeof end, "(%d)", rc));
        input.ends++;
    }
    pause_if_due();
    input.inside = false;
}

static bool input_has_ended(void)
{
    return input.ends > 0;
}

static int set_up_input(void **state)
{
    memset(&input, 0, sizeof input);
    input.pause_after = -1;
    return set_up(state);
}

static int tear_down_input(void **state)
{
    buf_fini(&input.text);
    return tear_down(state);
}

static void assert_input(const char *text)
{
    struct span seen = buf_span(&input.text);
    if (!slice_equal(span_slice(seen), slice_text(text)))
        fail_msg("'%.*s' instead of '%s'", (int)seen.bytes, (const char *)seen.data, text);
}

static void use_as_input(int fd)
{
    assert_true(fd > STDIN_FILENO);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
}

/* Standard input becomes a pipe with `text` in it; returns its other end. */
static int use_pipe(const char *text)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    use_as_input(ends[0]);
    return ends[1];
}

static void use_closed_pipe(const char *text)
{
    close(use_pipe(text));
}

static int use_file(const void *data, size_t bytes)
{
    int fd = open(folder, O_RDWR | O_TMPFILE, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, bytes), bytes);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    use_as_input(fd);
    return STDIN_FILENO;
}

static void read_lines(size_t max_bytes)
{
    assert_int_equal(moth_loop_read_lines(loop, max_bytes, on_line, &input), 0);
}

static void read_all(size_t max_bytes)
{
    read_lines(max_bytes);
    run_until(input_has_ended);
    run_some_turns();
    assert_int_equal(input.ends, 1);
}

static void test_loop_reads_lines_of_a_pipe(void **state)
{
    (void)state;
    use_closed_pipe("one\ntwo\r\n\nlast");
    read_all(100);
    assert_input("one|two||last|(0)");
}

static void test_loop_reads_lines_of_a_file(void **state)
{
    (void)state;
    use_file("one\ntwo\r\n\nlast\n", 15);
    read_all(100);
    assert_input("one|two||last|(0)");
}

static void test_loop_reads_a_file_on_from_where_it_stands(void **state)
{
    (void)state;
    use_file("skipped\nread\n", 13);
    assert_int_equal(lseek(STDIN_FILENO, 8, SEEK_SET), 8);
    read_all(100);
    assert_input("read|(0)");
}

static void test_loop_reads_a_file_of_many_chunks(void **state)
{
    struct buf text = {0};
    (void)state;
    for (int i = 0; i < 5000; i++) {
        char line[32];
        buf_add(&text, line, (size_t)snprintf(line, sizeof line, "line %d\n", i));
    }
    use_file(buf_span(&text).data, buf_bytes(&text));
    read_all(100);
    for (size_t i = 0; i < buf_bytes(&text); i++)
        if (text.data[i] == '\n') text.data[i] = '|';
    buf_add(&text, "(0)", 4);
    assert_input((const char *)text.data);
    assert_int_equal(input.lines, 5000);
    buf_fini(&text);
}

static void test_loop_reads_nothing_from_nothing(void **state)
{
    (void)state;
    use_as_input(open("/dev/null", O_RDONLY));
    read_all(100);
    assert_input("(0)");
}

static void test_loop_reads_nothing_when_there_is_no_input(void **state)
{
    (void)state;
    close(STDIN_FILENO);
    read_all(100);
    assert_input("(0)");
}

static void test_loop_ends_the_input_at_a_line_too_long(void **state)
{
    char text[16];
    (void)state;
    use_closed_pipe("12345\n123456\n1\n");
    read_all(5);
    snprintf(text, sizeof text, "12345|(%d)", MOTH_ETOO_BIG);
    assert_input(text);
}

static void test_loop_ends_the_input_at_a_line_without_end(void **state)
{
    char text[16];
    (void)state;
    int writer = use_pipe("123456");
    read_all(5);
    snprintf(text, sizeof text, "(%d)", MOTH_ETOO_BIG);
    assert_input(text);
    close(writer);
}

static bool one_line_came(void)
{
    return input.lines == 1;
}

static void test_loop_waits_for_the_rest_of_a_line(void **state)
{
    (void)state;
    int writer = use_pipe("he");
    read_lines(100);
    run_some_turns();
    assert_input("");
    assert_int_equal(write(writer, "llo\n", 4), 4);
    run_until(one_line_came);
    assert_input("hello|");
    close(writer);
    run_until(input_has_ended);
    assert_input("hello|(0)");
}

static void check_pausing(void)
{
    input.pause_after = 1;
    read_lines(100);
    run_until(one_line_came);
    run_some_turns();
    assert_input("one|");
    moth_loop_pause_lines(loop, true); /* again: nothing changes */
    input.pause_after = 2;
    moth_loop_pause_lines(loop, false);
    run_some_turns();
    assert_input("one|two|");
    moth_loop_pause_lines(loop, false);
    run_until(input_has_ended);
    assert_input("one|two|three|(0)");
}

static void test_loop_a_pause_holds_a_pipe_back(void **state)
{
    (void)state;
    use_closed_pipe("one\ntwo\nthree");
    check_pausing();
}

static void test_loop_a_pause_holds_a_file_back(void **state)
{
    (void)state;
    use_file("one\ntwo\nthree", 13);
    check_pausing();
}

static void test_loop_a_pause_holds_even_the_end_back(void **state)
{
    (void)state;
    input.pause_after = 1;
    use_closed_pipe("one\n");
    read_lines(100);
    run_some_turns();
    assert_input("one|");
    moth_loop_pause_lines(loop, false);
    run_until(input_has_ended);
    assert_input("one|(0)");
}

static void test_loop_a_pause_can_come_first(void **state)
{
    (void)state;
    use_closed_pipe("one\n");
    moth_loop_pause_lines(loop, true);
    read_lines(100);
    run_some_turns();
    assert_input("");
    moth_loop_pause_lines(loop, false);
    run_until(input_has_ended);
    assert_input("one|(0)");
}

static void test_loop_a_pause_can_end_inside_the_line_that_began_it(void **state)
{
    (void)state;
    input.pause_after = 1;
    input.resume_at_once = true;
    use_closed_pipe("one\ntwo\n");
    read_all(100);
    assert_input("one|two|(0)");
    assert_false(input.nested);
}

static void test_loop_a_pause_holds_back_what_is_written_during_it(void **state)
{
    (void)state;
    input.pause_after = 1;
    int writer = use_pipe("one\ntwo\n");
    read_lines(100);
    run_until(one_line_came);
    assert_int_equal(write(writer, "three\n", 6), 6);
    run_some_turns();
    assert_input("one|");
    input.pause_after = -1;
    moth_loop_pause_lines(loop, false);
    close(writer);
    run_until(input_has_ended);
    assert_input("one|two|three|(0)");
}

static void test_loop_closes_while_it_waits_for_lines(void **state)
{
    (void)state;
    int writer = use_pipe("one\nunfinished");
    read_lines(100);
    run_until(one_line_came);
    close(writer); /* tear_down closes the loop, and the sanitizer counts */
}

static void test_loop_closes_while_it_reads_a_file(void **state)
{
    (void)state;
    use_file("one\ntwo\n", 8);
    read_lines(100);
    moth_loop_close(loop);
    loop = NULL;
    assert_input("");
}

static void test_loop_closes_with_lines_held_back(void **state)
{
    (void)state;
    input.pause_after = 1;
    use_closed_pipe("one\ntwo\n");
    read_lines(100);
    run_until(one_line_came);
    moth_loop_close(loop);
    loop = NULL;
    assert_input("one|");
}

static void test_loop_leaves_a_pipe_as_it_found_it(void **state)
{
    (void)state;
    int writer = use_pipe("one\n");
    read_lines(100);
    run_until(one_line_came);
    moth_loop_close(loop);
    loop = NULL;
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, 0); /* and it is still open */
    assert_int_equal(write(writer, "x", 1), 1);
    char next = ' ';
    assert_int_equal(read(STDIN_FILENO, &next, 1), 1);
    assert_int_equal(next, 'x');
    close(writer);
}

static void test_loop_reads_lines_of_a_terminal_and_keeps_it_blocking(void **state)
{
    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) skip();
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    if (terminal < 0) skip();
    use_as_input(terminal);
    if (!ttyname(STDIN_FILENO)) skip();
    assert_int_equal(write(master, "typed\n", 6), 6);
    read_lines(100);
    run_until(one_line_came);
    assert_input("typed|");
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, 0);
    close(master);
}

/* The terminal of a shell in which somebody became another user. */
static void test_loop_reads_a_terminal_that_it_may_not_open(void **state)
{
    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (geteuid() != 0 || master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) skip();
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    if (terminal < 0) skip();
    use_as_input(terminal);
    assert_int_equal(write(master, "typed\n\4", 7), 7);
    assert_int_equal(seteuid(65534), 0);
    int rc = moth_loop_read_lines(loop, 100, on_line, &input);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(rc, 0);
    run_until(input_has_ended);
    assert_input("typed|(0)");
    close(master);
}

static void test_loop_tells_when_the_input_cannot_be_read(void **state)
{
    char end[16];
    (void)state;
    use_as_input(open("/", O_RDONLY));
    read_all(100);
    snprintf(end, sizeof end, "(%d)", MOTH_EIO);
    assert_input(end);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define INPUT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_input, tear_down_input)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_loop_refuses_a_home_that_is_in_use),
        TEST(test_loop_gives_the_home_free_when_it_closes),
        TEST(test_loop_refuses_a_home_that_cannot_be),
        TEST(test_loop_makes_a_place_for_the_database_that_only_the_owner_may_read),
        TEST(test_loop_leaves_a_database_that_is_there),
        TEST(test_loop_refuses_a_home_without_a_place_for_the_database),
        TEST(test_loop_closing_does_not_wait_for_a_resolver),
        TEST(test_loop_closing_nothing_is_fine),
        TEST(test_loop_leaves_no_file_open),
        TEST(test_loop_ignores_broken_pipes_unless_they_are_handled),
        TEST(test_loop_turns_when_asked_and_sleeps_between),
        TEST(test_loop_runs_again_after_a_stop),
        TEST(test_loop_sleeps_for_ever_until_something_happens),
        TEST(test_loop_closes_whole_after_a_stop_that_nobody_heard),
        TEST(test_loop_host_files_are_there_whole_after_a_restart),
        TEST(test_loop_host_says_what_is_wrong_with_a_file),
        TEST(test_loop_host_moves_and_removes_files),
        TEST(test_loop_host_fills_a_file),
        TEST(test_loop_host_says_where_home_is_and_that_its_disk_is_real),
        TEST(test_loop_host_works_elsewhere_and_tells_here),
        TEST(test_loop_closing_finishes_the_work_under_way),
        TEST(test_loop_host_clocks_run),
        TEST(test_loop_host_random_bytes_fill_all_and_differ),
        TEST(test_loop_host_logs_to_whoever_asked),
        TEST(test_loop_signals_come_as_events),
        INPUT_TEST(test_loop_reads_lines_of_a_pipe),
        INPUT_TEST(test_loop_reads_lines_of_a_file),
        INPUT_TEST(test_loop_reads_a_file_on_from_where_it_stands),
        INPUT_TEST(test_loop_reads_a_file_of_many_chunks),
        INPUT_TEST(test_loop_reads_nothing_from_nothing),
        INPUT_TEST(test_loop_reads_nothing_when_there_is_no_input),
        INPUT_TEST(test_loop_ends_the_input_at_a_line_too_long),
        INPUT_TEST(test_loop_ends_the_input_at_a_line_without_end),
        INPUT_TEST(test_loop_waits_for_the_rest_of_a_line),
        INPUT_TEST(test_loop_a_pause_holds_a_pipe_back),
        INPUT_TEST(test_loop_a_pause_holds_a_file_back),
        INPUT_TEST(test_loop_a_pause_holds_even_the_end_back),
        INPUT_TEST(test_loop_a_pause_can_come_first),
        INPUT_TEST(test_loop_a_pause_can_end_inside_the_line_that_began_it),
        INPUT_TEST(test_loop_a_pause_holds_back_what_is_written_during_it),
        INPUT_TEST(test_loop_closes_while_it_waits_for_lines),
        INPUT_TEST(test_loop_closes_while_it_reads_a_file),
        INPUT_TEST(test_loop_closes_with_lines_held_back),
        INPUT_TEST(test_loop_leaves_a_pipe_as_it_found_it),
        INPUT_TEST(test_loop_reads_lines_of_a_terminal_and_keeps_it_blocking),
        INPUT_TEST(test_loop_reads_a_terminal_that_it_may_not_open),
        INPUT_TEST(test_loop_tells_when_the_input_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
