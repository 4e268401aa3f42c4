/* lookup.c -- see lookup.h. Removal shifts the following entries back instead of leaving tombstones, so one that
 * churns never degrades. */
#include "base/lookup.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 32);
}

/* The length goes last: what differs in the high bits of the last word only spreads then, too. */
uint32_t lookup_hash(uint64_t seed, struct slice key)
{
    uint64_t h = seed;
    for (size_t at = 0; at < key.bytes; at += 8) {
        uint64_t word = 0;
        memcpy(&word, key.data + at, key.bytes - at < 8 ? key.bytes - at : 8);
        h = mix(h, word);
    }
    return (uint32_t)mix(h, key.bytes);
}

void lookup_fini(struct lookup *l)
{
    free(l->hashes);
    free(l->values);
    *l = (struct lookup){0};
}

static void put(struct lookup *l, uint32_t hash, void *value)
{
    size_t mask = l->capacity - 1, at = hash & mask;
    while (l->values[at]) at = (at + 1) & mask;
    l->hashes[at] = hash;
    l->values[at] = value;
}

static void grow(struct lookup *l)
{
    struct lookup old = *l;
    l->capacity = old.capacity ? old.capacity * 2 : 8;
    l->hashes = mem_array(l->capacity, sizeof *l->hashes);
    l->values = mem_array(l->capacity, sizeof *l->values);
    for (size_t i = 0; i < old.capacity; i++)
        if (old.values[i]) put(l, old.hashes[i], old.values[i]);
    lookup_fini(&old);
}

void lookup_add(struct lookup *l, uint32_t hash, void *value)
{
    assert(value);
    if ((l->count + 1) * 4 > l->capacity * 3) grow(l);
    put(l, hash, value);
    l->count++;
}

void *lookup_find(const struct lookup *l, uint32_t hash, size_t *at)
{
    size_t mask = l->capacity - 1;
    while (l->count > 0) {
        size_t slot = (hash + (*at)++) & mask;
        if (!l->values[slot]) break;
        if (l->hashes[slot] == hash) return l->values[slot];
    }
    return NULL;
}

static void close_hole(struct lookup *l, size_t hole)
{
    size_t mask = l->capacity - 1;
    for (size_t at = (hole + 1) & mask; l->values[at]; at = (at + 1) & mask) {
        size_t home = l->hashes[at] & mask;
        if (((at - home) & mask) < ((at - hole) & mask)) continue; /* moving it would put it before its home */
        l->hashes[hole] = l->hashes[at];
        l->values[hole] = l->values[at];
        hole = at;
    }
    l->values[hole] = NULL;
}

void lookup_remove(struct lookup *l, uint32_t hash, const void *value)
{
    size_t at = 0;
    const void *found = lookup_find(l, hash, &at);
    while (found && found != value) found = lookup_find(l, hash, &at);
    if (!found) return;
    l->count--;
    close_hole(l, (hash + at - 1) & (l->capacity - 1));
}

void *lookup_next(const struct lookup *l, size_t *at)
{
    while (*at < l->capacity) {
        void *value = l->values[(*at)++];
        if (value) return value;
    }
    return NULL;
}
