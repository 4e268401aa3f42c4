/* pool.h -- bytes that never change, counted by their holders; where many nodes live in one process, held once for all.
 *
 * A thousand nodes of one process all keep the same thousand adverts. Given a pool, equal bytes are one object, and it
 * remembers what the first of them found out (`memo`), so the next need not. Without a pool (NULL: a node that is alone)
 * each is its taker's own copy, and nothing is remembered. What is decided about the bytes is the same either way. A
 * pool is used on one thread. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/base.h"

struct moth_pool;

struct pooled {
    struct moth_pool *pool; /* borrowed; NULL: nobody else can hold it */
    struct pooled *after;
    void *memo; /* owned, freed with the bytes; NULL: nothing is known yet */
    uint64_t hash;
    uint32_t holders, size;
    uint8_t bytes[]; /* aligned as any struct of numbers and pointers wants it */
};

struct moth_pool *pool_new(void);
void pool_free(struct moth_pool *pool); /* by then nobody holds anything of it */

/* The bytes, held once more: drop them when done. */
struct pooled *pool_take(struct moth_pool *pool, struct slice bytes);
struct pooled *pool_hold(struct pooled *p);
void pool_drop(struct pooled *p); /* NULL is fine */

/* What somebody holds already, not held for the caller; NULL: nobody does. */
struct pooled *pool_find(const struct moth_pool *pool, struct slice bytes);

/* So many bytes that anybody may write to, lost at the next call; NULL without a pool. */
uint8_t *pool_scratch(struct moth_pool *pool, size_t bytes);

size_t pool_count(const struct moth_pool *pool); /* different ones */

static inline struct slice pooled_slice(const struct pooled *p)
{
    return slice_of(p->bytes, p->size);
}

#endif
