/* ticks.c -- see ticks.h. */
#include "script/ticks.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#define TICK_NS (TICK_MS * 1000000LL)
#define TIMER_SIGNAL (SIGRTMIN + 3)

#if defined(__SANITIZE_THREAD__)
#define HAS_SIGNALS false
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_SIGNALS false
#endif
#endif
#ifndef HAS_SIGNALS
#define HAS_SIGNALS true
#endif

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* Several at once are counted, and told once. */
static void on_timer(int number, siginfo_t *info, void *context)
{
    int error = errno;
    (void)number, (void)context;
    if (info->si_code == SI_TIMER) {
        const struct ticks *t = info->si_value.sival_ptr;
        t->report(t->owner, 1 + info->si_overrun);
    }
    errno = error;
}

static bool start(struct ticks *t)
{
    struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = TIMER_SIGNAL,
                             .sigev_value.sival_ptr = t};
    struct itimerspec every = {.it_interval.tv_nsec = TICK_NS, .it_value.tv_nsec = TICK_NS};
    event.sigev_notify_thread_id = gettid();
    sigemptyset(&action.sa_mask);
    if (!HAS_SIGNALS || sigaction(TIMER_SIGNAL, &action, NULL) < 0) return false;
    if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &t->timer) < 0) return false;
    if (timer_settime(t->timer, 0, &every, NULL) == 0) return true;
    timer_delete(t->timer);
    return false;
}

void ticks_open(struct ticks *t, void (*report)(void *owner, int count), void *owner)
{
    *t = (struct ticks){.report = report, .owner = owner};
    t->has_timer = start(t);
}

/* A signal that is on its way arrives before timer_delete returns: it is for this thread. */
void ticks_close(struct ticks *t)
{
    if (t->has_timer) timer_delete(t->timer);
    t->has_timer = false;
}

bool ticks_can_count(void)
{
    return HAS_SIGNALS;
}

static int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void ticks_begin(struct ticks *t)
{
    t->looked_ns = clock_ns();
}

void ticks_look(struct ticks *t)
{
    int64_t count = (clock_ns() - t->looked_ns) / TICK_NS;
    if (count == 0) return;
    t->looked_ns += count * TICK_NS;
    t->report(t->owner, (int)count);
}
