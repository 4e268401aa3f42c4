/* interrupt.c -- the handlers in front, see interrupt.h. They run on any thread, so what they touch is atomic. */
#include "script/interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static const int numbers[] = {SIGINT, SIGTERM};

#define NUMBER_COUNT (sizeof numbers / sizeof *numbers)

static struct sigaction before[NUMBER_COUNT];
static atomic_uint count;
static unsigned serial;      /* of the dispatches */
static atomic_uint running;  /* the one that runs; 0: none */
static atomic_uint stopping; /* the one in which a SIGINT came; 0: none */

static void on_signal(int number, siginfo_t *info, void *context)
{
    const struct sigaction *next = &before[number == SIGTERM];
    unsigned current = number == SIGINT ? running : 0;
    count++;
    if (current != 0) stopping = current;
    if (next->sa_flags & SA_SIGINFO) next->sa_sigaction(number, info, context);
    else next->sa_handler(number);
}

static bool has_handler(const struct sigaction *action)
{
    if (action->sa_flags & SA_SIGINFO) return action->sa_sigaction != on_signal;
    return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

void interrupt_watch(void)
{
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        struct sigaction now;
        if (sigaction(numbers[i], NULL, &now) < 0 || !has_handler(&now)) continue;
        before[i] = now;
        now.sa_sigaction = on_signal;
        now.sa_flags |= SA_SIGINFO;
        sigaction(numbers[i], &now, NULL);
    }
}

/* Others may have come in front of us. */
void interrupt_unwatch(void)
{
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        struct sigaction now;
        if (sigaction(numbers[i], NULL, &now) < 0) continue;
        if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_signal) sigaction(numbers[i], &before[i], NULL);
    }
}

unsigned interrupt_count(void)
{
    return count;
}

void interrupt_begin(void)
{
    if (++serial == 0) serial = 1;
    atomic_store_explicit(&running, serial, memory_order_relaxed);
}

void interrupt_end(void)
{
    atomic_store_explicit(&running, 0, memory_order_relaxed);
}

bool interrupt_take(void)
{
    unsigned current = running;
    return current != 0 && atomic_compare_exchange_strong(&stopping, &current, 0);
}
