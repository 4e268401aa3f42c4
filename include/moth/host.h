/* host.h -- all a node needs of the outside: time, randomness, slow work, small files, a place for its database, a
 * place to complain.
 *
 * The real host is made by moth_loop_open (loop.h), the imagined one by the lab. A node never asks the operating
 * system for any of these itself, which is what lets a hundred nodes run in virtual time and repeat exactly. */
#ifndef MOTH_HOST_H
#define MOTH_HOST_H

#include "types.h"

struct moth_pool;

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

    /* Renames a file of the home folder over `to`, or removes it when `to` is NULL; synced. Blocks. MOTH_ENOT_FOUND,
     * MOTH_EPERMISSION, MOTH_ENO_SPACE, MOTH_EIO. */
    int (*file_move)(void *context, const char *name, const char *to);

    /* Makes a file that really takes `bytes` bytes of the disk, or none at all. Blocks. MOTH_ENO_SPACE, MOTH_EIO. */
    int (*file_fill)(void *context, const char *name, size_t bytes);

    /* The home folder as SQLite's file system `vfs` knows it; borrowed. The node's database "moth.db" is in there.
     * `vfs` NULL is the real one; any other is an imagined disk, used on one thread and through one connection. */
    const char *home, *vfs;

    /* Where many nodes live in one process: what they hold alike is held, and checked, once. NULL: this node is alone.
     * Borrowed; used on the nodes' one thread. */
    struct moth_pool *pool;

    /* One line for people, without a line end, already safe for a terminal. */
    void (*log)(void *context, enum moth_log_level level, const char *text);
};

#endif
