/* seen.c -- two generations of broadcast ids, see seen.h.
 *
 * Each generation is open addressing without removal: it fills up, serves on as the old one, and is wiped to become the
 * young one again. One byte per slot, drawn from the hash, says whether the slot is taken and turns away nearly every
 * stranger before its key is read. Senders choose their ids freely, so the hash stirs in the seed before anything else
 * and every bit of the key reaches every slot bit. */
#include "proto/seen.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define SLOTS_MIN 8u
#define TAKEN 0x80u

struct key {
    struct moth_id src;
    uint64_t id;
};

struct generation {
    struct key *keys;
    uint8_t *tags;   /* 0: the slot is free; else TAKEN and seven bits of the hash */
    size_t capacity; /* zero or a power of two */
    size_t count;
};

struct seen {
    struct generation young, old;
    size_t generation_max;
    uint64_t seed;
};

static uint64_t stir(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9fb21c651e98df25u;
    h = (h ^ (h >> 32)) * 0xd1342543de82ef95u;
    return h ^ (h >> 32);
}

static uint64_t hash(const struct seen *s, const struct key *key)
{
    uint64_t h = stir(s->seed, get_uint(key->src.bytes, 8));
    h = stir(h, get_uint(key->src.bytes + 8, 8));
    return stir(stir(h, key->id), s->seed);
}

static uint8_t tag_of(uint64_t h)
{
    return (uint8_t)(TAKEN | h >> 57);
}

static bool key_equal(const struct key *a, const struct key *b)
{
    return a->id == b->id && memcmp(&a->src, &b->src, sizeof a->src) == 0;
}

/* Where the key is, or the free slot where it would go. */
static size_t find_slot(const struct generation *g, const struct key *key, uint64_t h)
{
    size_t mask = g->capacity - 1, at = (size_t)h & mask;
    while (g->tags[at] && (g->tags[at] != tag_of(h) || !key_equal(&g->keys[at], key))) at = (at + 1) & mask;
    return at;
}

static bool generation_has(const struct generation *g, const struct key *key, uint64_t h)
{
    return g->count > 0 && g->tags[find_slot(g, key, h)] != 0;
}

static void put(struct generation *g, const struct key *key, uint64_t h)
{
    size_t at = find_slot(g, key, h);
    g->keys[at] = *key;
    g->tags[at] = tag_of(h);
    g->count++;
}

static void generation_fini(struct generation *g)
{
    free(g->keys);
    free(g->tags);
}

static void grow(const struct seen *s, struct generation *g)
{
    struct generation old = *g;
    g->capacity = old.capacity ? old.capacity * 2 : SLOTS_MIN;
    g->keys = mem_array(g->capacity, sizeof *g->keys);
    g->tags = mem_array(g->capacity, sizeof *g->tags);
    g->count = 0;
    for (size_t i = 0; i < old.capacity; i++)
        if (old.tags[i]) put(g, &old.keys[i], hash(s, &old.keys[i]));
    generation_fini(&old);
}

/* The memory of the forgotten generation serves the new one: what grew once need not grow again. */
static void turn_generation(struct seen *s)
{
    struct generation forgotten = s->old;
    s->old = s->young;
    s->young = forgotten;
    s->young.count = 0;
    if (s->young.capacity > 0) memset(s->young.tags, 0, s->young.capacity);
}

struct seen *seen_new(size_t generation_max, uint64_t seed)
{
    struct seen *s = mem_new(sizeof *s);
    assert(generation_max > 0);
    s->generation_max = generation_max;
    s->seed = seed;
    return s;
}

void seen_free(struct seen *s)
{
    if (!s) return;
    generation_fini(&s->young);
    generation_fini(&s->old);
    free(s);
}

bool seen_add(struct seen *s, const struct moth_id *src, uint64_t id)
{
    struct key key = {.src = *src, .id = id};
    uint64_t h = hash(s, &key);

    if (generation_has(&s->young, &key, h) || generation_has(&s->old, &key, h)) return false;
    if ((s->young.count + 1) * 4 > s->young.capacity * 3) grow(s, &s->young);
    put(&s->young, &key, h);
    if (s->young.count == s->generation_max) turn_generation(s);
    return true;
}

bool seen_has(const struct seen *s, const struct moth_id *src, uint64_t id)
{
    struct key key = {.src = *src, .id = id};
    uint64_t h = hash(s, &key);
    return generation_has(&s->young, &key, h) || generation_has(&s->old, &key, h);
}

size_t seen_count(const struct seen *s)
{
    return s->young.count + s->old.count;
}
