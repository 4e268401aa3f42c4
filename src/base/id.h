/* id.h -- node ids: comparing, writing and finding them, and a map from ids to pointers.
 *
 * The map is open addressing with a seed, so that ids chosen by an attacker do not pile up in one place. Iterating
 * follows the slots: callers that need a repeatable order sort. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/base.h"

static inline bool id_equal(const struct moth_id *a, const struct moth_id *b)
{
    return memcmp(a->bytes, b->bytes, MOTH_ID_BYTES) == 0;
}

static inline int id_compare(const struct moth_id *a, const struct moth_id *b)
{
    return memcmp(a->bytes, b->bytes, MOTH_ID_BYTES);
}

static inline bool id_is_zero(const struct moth_id *id)
{
    static const struct moth_id zero;
    return id_equal(id, &zero);
}

static inline void read_id(struct reader *r, struct moth_id *out)
{
    read_copy(r, out->bytes, MOTH_ID_BYTES);
}

static inline uint8_t *put_id(uint8_t *at, const struct moth_id *id)
{
    return put_bytes(at, id->bytes, MOTH_ID_BYTES);
}

/* A key for what an id and a number name together. Others give the same one: compare in full what is found by it. */
static inline struct moth_id id_with(const struct moth_id *id, uint64_t number)
{
    struct moth_id key = *id;
    put_uint(key.bytes + 8, get_uint(id->bytes + 8, 8) ^ number, 8);
    return key;
}

/* The first 8 hex digits and a zero: how people see an id. */
#define ID_SHORT_BYTES 9
void id_format_short(const struct moth_id *id, char out[ID_SHORT_BYTES]);

/* True when the hex digits `text` are a prefix of `id` (any case, 1 to 32 digits, nothing else). */
bool id_has_prefix(const struct moth_id *id, const char *text);

struct id_map {
    struct id_map_slot {
        struct moth_id id;
        void *value; /* NULL: the slot is free */
    } *slots;
    size_t capacity; /* zero or a power of two */
    size_t count;
    uint64_t seed;
};

void id_map_init(struct id_map *map, uint64_t seed);
void id_map_fini(struct id_map *map); /* values are the caller's */
void *id_map_find(const struct id_map *map, const struct moth_id *id); /* NULL: not there */
void id_map_put(struct id_map *map, const struct moth_id *id, void *value); /* replaces; value is not NULL */
void id_map_remove(struct id_map *map, const struct moth_id *id); /* absent is fine */

/* Walks all entries: start with *at = 0; false at the end. The map must not change meanwhile. */
bool id_map_next(const struct id_map *map, size_t *at, struct moth_id *id, void **value);

#endif
