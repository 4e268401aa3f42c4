/* host.h -- all a node needs of the outside: time, randomness, slow work, small files, a place to complain.
 *
 * The real host is made by moth_loop_open (loop.h), the imagined one by the lab. A node never asks the operating
 * system for any of these itself, which is what lets a hundred nodes run in virtual time and repeat exactly. */
#ifndef MOTH_HOST_H
#define MOTH_HOST_H

#include "types.h"

enum moth_log_level { MOTH_LOG_DEBUG, MOTH_LOG_INFO, MOTH_LOG_WARN, MOTH_LOG_ERROR };

struct moth_host {
    void *context; /* given back to every function below */

    /* Microseconds that never go back, from any start. */
    uint64_t (*now_us)(void *context);

    /* Milliseconds since 1970, as the machine believes; may jump either way. */
    uint64_t (*wall_ms)(void *context);

    /* Fills `out` with unpredictable bytes. Cannot fail. */
    void (*random)(void *context, void *out, size_t bytes);

    /* Runs `run(job)` where blocking is allowed, then `done(job)` on the node's thread, never inside this call. */
    void (*work)(void *context, void (*run)(void *job), void (*done)(void *job), void *job);

    /* Replaces the file `name` of the home folder, whole and synced, or leaves it as it was. Blocks: call it
     * inside `work`, or before the node runs. MOTH_EIO on failure. */
    int (*file_write)(void *context, const char *name, const void *data, size_t bytes);

    /* Reads at most `capacity` bytes; the count goes to `*bytes`. MOTH_ENOT_FOUND, MOTH_ETOO_BIG or MOTH_EIO. */
    int (*file_read)(void *context, const char *name, void *data, size_t capacity, size_t *bytes);

    /* One line for people, without a line end, already safe for a terminal. */
    void (*log)(void *context, enum moth_log_level level, const char *text);
};

#endif
