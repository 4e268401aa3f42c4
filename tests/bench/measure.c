/* measure.c -- the clocks, processes and statistics of measure.h. */
#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIRST_LINE_MS 10000
#define OUTPUT_BYTES (1 << 20)
#define PATH_BYTES 512

static char folder[PATH_BYTES];
static pid_t folder_owner;

void measure_give_up(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

/* --- time and numbers --- */

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) < 0) measure_give_up("the clock of a program cannot be read: %s", strerror(errno));
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t measure_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

void measure_sleep_us(unsigned us)
{
    struct timespec t = {us / 1000000, (long)(us % 1000000) * 1000};
    nanosleep(&t, NULL);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double measure_percentile(double *values, size_t count, double percent)
{
    qsort(values, count, sizeof *values, compare);
    return values[(size_t)((double)(count - 1) * percent / 100)];
}

double measure_median(double *values, size_t count)
{
    return measure_percentile(values, count, 50);
}

/* --- programs --- */

static void become(const char *const argv[], const int in[2], const int out[2])
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(in[0], 0);
    dup2(out[1], 1);
    execv(argv[0], (char *const *)argv);
    dprintf(2, "cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* The time ends when the first byte of the line is here; the port stands after its last colon. */
static void read_first_line(struct program *p)
{
    char line[256] = "";
    size_t count = 0;
    struct pollfd ready = {p->output, POLLIN, 0};
    while (!strchr(line, '\n') && count < sizeof line - 1) {
        if (poll(&ready, 1, FIRST_LINE_MS) <= 0) measure_give_up("a program says nothing");
        ssize_t n = read(p->output, line + count, sizeof line - 1 - count);
        if (n <= 0) measure_give_up("a program ended without a first line");
        if (count == 0) p->start_ns = measure_now_ns() - p->start_ns;
        line[count += (size_t)n] = '\0';
    }
    const char *end = strchr(line, '\n'), *colon = end;
    while (colon && colon > line && *colon != ':') colon--;
    p->port = colon ? (unsigned)atoi(colon + 1) : 0;
    if (p->port == 0) measure_give_up("no port in \"%s\"", line);
}

static struct program start(const char *const argv[])
{
    struct program p = {.start_ns = measure_now_ns()};
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0) measure_give_up("pipe: %s", strerror(errno));
    p.pid = fork();
    if (p.pid < 0) measure_give_up("fork: %s", strerror(errno));
    if (p.pid == 0) become(argv, in, out);
    close(in[0]);
    close(out[1]);
    p.input = in[1];
    p.output = out[0];
    fcntl(p.output, F_SETPIPE_SZ, OUTPUT_BYTES); /* nobody reads on: what it says must not stop it */
    read_first_line(&p);
    return p;
}

struct program measure_start_moth(const char *home, const char *name)
{
    const char *moth = getenv("MOTH") ? getenv("MOTH") : "build/moth";
    return start((const char *const[]){moth, "--home", home, "--name", name, "--listen", "127.0.0.1:0", NULL});
}

struct program measure_start_floor(const char *benchmark)
{
    char copy[PATH_BYTES], path[PATH_BYTES + 16];
    snprintf(copy, sizeof copy, "%s", benchmark);
    snprintf(path, sizeof path, "%s/floor_relay", dirname(copy));
    return start((const char *const[]){path, NULL});
}

void measure_stop(struct program *p)
{
    measure_end_child(p->pid);
    close(p->input);
    close(p->output);
}

uint64_t measure_cpu_ns(const struct program *p)
{
    clockid_t clock;
    if (clock_getcpuclockid(p->pid, &clock) != 0) measure_give_up("a program ended before its time");
    return clock_ns(clock);
}

uint64_t measure_private_bytes(const struct program *p)
{
    char path[64], line[256];
    unsigned long long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)p->pid);
    FILE *file = fopen(path, "r");
    if (!file) measure_give_up("%s: %s", path, strerror(errno));
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "RssAnon: %llu kB", &kib) == 1) break;
    fclose(file);
    return kib * 1024;
}

/* --- homes and children --- */

static int remove_entry(const char *path, const struct stat *s, int kind, struct FTW *place)
{
    (void)s, (void)kind, (void)place;
    remove(path);
    return 0;
}

static void remove_folder(void)
{
    if (getpid() == folder_owner) nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *measure_new_home(void)
{
    static char path[PATH_BYTES + 16];
    static unsigned given;
    const char *base = getenv("TMPDIR");
    if (folder[0] == '\0') {
        snprintf(folder, sizeof folder, "%s/moth-bench-XXXXXX", base && *base ? base : "/tmp");
        if (!mkdtemp(folder)) measure_give_up("%s: %s", folder, strerror(errno));
        folder_owner = getpid();
        atexit(remove_folder);
    }
    snprintf(path, sizeof path, "%s/%u", folder, given++);
    return path;
}

pid_t measure_fork(void (*body)(void *context), void *context)
{
    pid_t pid = fork();
    if (pid < 0) measure_give_up("fork: %s", strerror(errno));
    if (pid > 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    body(context);
    _exit(0);
}

void measure_end_child(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

void *measure_shared(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) measure_give_up("mmap: %s", strerror(errno));
    return memory;
}
