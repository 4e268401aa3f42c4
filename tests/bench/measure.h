/* measure.h -- what all benchmarks share: clocks, medians, and programs to watch.
 *
 * A program under watch is started with pipes for standard input and output, says its first line in moth's manner,
 * and is killed when the benchmark ends. Its processor time is asked of the kernel with nanoseconds, all its threads
 * together. A benchmark that cannot do its work says so on standard error and ends; it prints no figure then. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

uint64_t measure_now_ns(void);
void measure_sleep_us(unsigned us);

/* Sorts. `percent` from 0 to 100. */
double measure_percentile(double *values, size_t count, double percent);
double measure_median(double *values, size_t count);

struct program {
    pid_t pid;
    unsigned port;
    int input, output;
    uint64_t start_ns; /* from before fork to the first line */
};

/* The programs of this benchmark: moth is in MOTH, or build/moth; the floor stands beside the benchmark itself. */
struct program measure_start_moth(const char *home, const char *name);
struct program measure_start_floor(const char *benchmark);
void measure_stop(struct program *p);

uint64_t measure_cpu_ns(const struct program *p);
uint64_t measure_private_bytes(const struct program *p); /* RssAnon */

/* A folder for the homes of this benchmark, removed at its end, and a new path in it. */
const char *measure_new_home(void);

/* A child that runs `body(context)` and then ends; it is killed with this process. */
pid_t measure_fork(void (*body)(void *context), void *context);
void measure_end_child(pid_t pid);

/* Zeroed memory that children share. */
void *measure_shared(size_t bytes);

__attribute__((format(printf, 1, 2), noreturn)) void measure_give_up(const char *format, ...);

#endif
