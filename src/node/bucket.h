/* bucket.h -- a token bucket: a burst at once, then a steady rate.
 *
 * It keeps one moment, as the generic cell rate algorithm does (ITU-T I.371): when the bucket will be full again. That
 * may lie at most `burst` tokens ahead of now. All zero is a full bucket. */
#ifndef NODE_BUCKET_H
#define NODE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    uint64_t full_us;
};

/* When the next token is there: in the past when it is there already. */
static inline uint64_t bucket_ready_us(const struct bucket *b, uint64_t per_second, uint64_t burst)
{
    uint64_t ahead_us = (burst - 1) * (1000000 / per_second);
    return b->full_us > ahead_us ? b->full_us - ahead_us : 0;
}

/* Takes one token; false when there is none. */
static inline bool bucket_take(struct bucket *b, uint64_t per_second, uint64_t burst, uint64_t now_us)
{
    if (bucket_ready_us(b, per_second, burst) > now_us) return false;
    if (b->full_us < now_us) b->full_us = now_us;
    b->full_us += 1000000 / per_second;
    return true;
}

#endif
