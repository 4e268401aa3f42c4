/* lookup.h -- finds things by a hash of the key that they carry themselves.
 *
 * Open addressing, twelve bytes a slot: for tables that are many and large. The hash is seeded, so that keys chosen by
 * an attacker do not pile up in one place. Whoever looks compares the keys of what comes under one hash. Walking
 * follows the slots: callers that need a repeatable order sort. */
#ifndef BASE_LOOKUP_H
#define BASE_LOOKUP_H

#include "base/base.h"

struct lookup { /* zeroed is empty */
    uint32_t *hashes;
    void **values;   /* the caller's; NULL: the slot is free */
    size_t capacity; /* zero or a power of two */
    size_t count;
};

uint32_t lookup_hash(uint64_t seed, struct slice key);

void lookup_fini(struct lookup *l);
void lookup_add(struct lookup *l, uint32_t hash, void *value); /* it is not there yet, under this hash */
void lookup_remove(struct lookup *l, uint32_t hash, const void *value); /* absent is fine */

/* One after the other, all that came under `hash`: start with *at = 0; NULL at the end. */
void *lookup_find(const struct lookup *l, uint32_t hash, size_t *at);

/* Walks all: start with *at = 0; NULL at the end. The table must not change meanwhile. */
void *lookup_next(const struct lookup *l, size_t *at);

#endif
