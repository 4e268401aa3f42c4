/* patience.c -- the clock and the verdicts of patience.h. */
#include "patience.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <time.h>

int64_t patience_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int patience_factor(void)
{
    const char *text = getenv("MOTH_PATIENCE");
    int patience = text ? atoi(text) : 1;
    return patience > 0 ? patience : 1;
}

int64_t patience_deadline(int ms)
{
    return patience_now_ms() + (int64_t)ms * patience_factor();
}

void patience_report(const char *what, int64_t start_ms, int aim_ms)
{
    long long spent_ms = patience_now_ms() - start_ms;
    const char *prefix = spent_ms > aim_ms ? "warning: " : "";
    print_message("%s%s after %lld ms, the aim is %d ms\n", prefix, what, spent_ms, aim_ms);
    if (spent_ms > 10LL * aim_ms * patience_factor()) fail_msg("%s after %lld ms, ten times too late", what, spent_ms);
}
