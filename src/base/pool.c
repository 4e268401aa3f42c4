/* pool.c -- a table of chains, found by a hash of the bytes; see pool.h.
 *
 * The hash is neither seeded nor strong: who shares a pool is one program, and chains are compared in full. */
#include "base/pool.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

struct moth_pool {
    struct pooled **chains; /* owned; each held by its holders */
    size_t capacity, count; /* capacity: zero or a power of two */
    uint8_t *scratch;       /* owned */
    size_t scratch_bytes;
};

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 32);
}

static uint64_t hash_of(struct slice s)
{
    uint64_t h = s.bytes, word = 0;
    size_t at = 0;
    for (; s.bytes - at >= 8; at += 8) {
        memcpy(&word, s.data + at, 8);
        h = mix(h, word);
    }
    word = 0;
    put_bytes((uint8_t *)&word, s.data + at, s.bytes - at);
    return mix(h, word);
}

struct moth_pool *pool_new(void)
{
    return mem_new(sizeof(struct moth_pool));
}

void pool_free(struct moth_pool *pool)
{
    if (!pool) return;
    assert(pool->count == 0);
    free(pool->chains);
    free(pool->scratch);
    free(pool);
}

static struct pooled **chain_of(const struct moth_pool *pool, uint64_t hash)
{
    return &pool->chains[hash & (pool->capacity - 1)];
}

static void grow(struct moth_pool *pool)
{
    struct pooled **old = pool->chains;
    size_t count = pool->capacity;
    pool->capacity = count ? count * 2 : 64;
    pool->chains = mem_array(pool->capacity, sizeof *pool->chains);
    for (size_t i = 0; i < count; i++)
        for (struct pooled *p = old[i], *after; p; p = after) {
            struct pooled **chain = chain_of(pool, p->hash);
            after = p->after;
            p->after = *chain;
            *chain = p;
        }
    free(old);
}

static struct pooled *find(const struct moth_pool *pool, struct slice bytes, uint64_t hash)
{
    struct pooled *p = pool->count > 0 ? *chain_of(pool, hash) : NULL;
    while (p && !(p->hash == hash && slice_equal(pooled_slice(p), bytes))) p = p->after;
    return p;
}

struct pooled *pool_find(const struct moth_pool *pool, struct slice bytes)
{
    return pool ? find(pool, bytes, hash_of(bytes)) : NULL;
}

static struct pooled *pooled_new(struct slice bytes)
{
    struct pooled *p = mem_new(sizeof *p + bytes.bytes);
    assert(bytes.bytes <= UINT32_MAX);
    put_bytes(p->bytes, bytes.data, bytes.bytes);
    p->size = (uint32_t)bytes.bytes;
    p->holders = 1;
    return p;
}

struct pooled *pool_take(struct moth_pool *pool, struct slice bytes)
{
    if (!pool) return pooled_new(bytes);
    uint64_t hash = hash_of(bytes);
    struct pooled *p = find(pool, bytes, hash);
    if (p) return pool_hold(p);
    if (pool->count == pool->capacity) grow(pool);
    p = pooled_new(bytes);
    p->pool = pool;
    p->hash = hash;
    struct pooled **chain = chain_of(pool, hash);
    p->after = *chain;
    *chain = p;
    pool->count++;
    return p;
}

struct pooled *pool_hold(struct pooled *p)
{
    p->holders++;
    return p;
}

static void leave_chain(struct pooled *p)
{
    struct pooled **at = chain_of(p->pool, p->hash);
    while (*at != p) at = &(*at)->after;
    *at = p->after;
    p->pool->count--;
}

void pool_drop(struct pooled *p)
{
    if (!p || --p->holders > 0) return;
    if (p->pool) leave_chain(p);
    free(p->memo);
    free(p);
}

uint8_t *pool_scratch(struct moth_pool *pool, size_t bytes)
{
    if (!pool) return NULL;
    if (pool->scratch_bytes < bytes) {
        free(pool->scratch);
        pool->scratch = mem_resize(NULL, bytes, 1);
        pool->scratch_bytes = bytes;
    }
    return pool->scratch;
}

size_t pool_count(const struct moth_pool *pool)
{
    return pool->count;
}
