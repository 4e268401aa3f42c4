/* ticks.h -- the processor time of one thread, in ticks of 10 ms.
 *
 * A timer counts it and sends a signal to that thread, whose handler reports: nobody asks the clock meanwhile. Other
 * threads never see it. The price is that system calls of this thread may end with EINTR. Where there is no such timer,
 * and under ThreadSanitizer, which holds signals back, whoever wants to know has to look. */
#ifndef SCRIPT_TICKS_H
#define SCRIPT_TICKS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define TICK_MS 10

struct ticks {
    timer_t timer;
    bool has_timer;
    int64_t looked_ns; /* without a timer: what the clock said last */
    void (*report)(void *owner, int count);
    void *owner;
};

/* `report` is called on this thread, within a signal's handler when there is a timer. */
void ticks_open(struct ticks *t, void (*report)(void *owner, int count), void *owner);
void ticks_close(struct ticks *t); /* on the same thread; from then on there is no timer */

bool ticks_can_count(void); /* false: there is never a timer in this build */

/* Without a timer: count from now; report what went by since. */
void ticks_begin(struct ticks *t);
void ticks_look(struct ticks *t);

#endif
