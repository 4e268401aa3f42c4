/* overlay.c -- a skip list of names; see overlay.h. */
#include "node/overlay.h"

#include "base/mem.h"

#include <stdlib.h>

void overlay_init(struct overlay *o, uint64_t seed)
{
    *o = (struct overlay){.random = seed | 1};
}

void overlay_fini(struct overlay *o)
{
    while (o->first[0]) {
        struct overlay_entry *e = o->first[0];
        o->first[0] = e->after[0];
        free(e->staged);
        free(e);
    }
}

int overlay_compare(struct slice a, struct slice b)
{
    size_t both = a.bytes < b.bytes ? a.bytes : b.bytes;
    int order = both > 0 ? memcmp(a.data, b.data, both) : 0;
    return order != 0 ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

/* Where the first entry at or above `name` hangs, in each level; returns it. */
static struct overlay_entry *seek(const struct overlay *o, struct slice name, struct overlay_entry **ways[])
{
    struct overlay_entry *const *level = o->first, *e = NULL;
    for (unsigned i = OVERLAY_LEVELS; i-- > 0;) {
        while ((e = level[i]) && overlay_compare(e->name, name) < 0) level = e->after;
        if (ways) ways[i] = (struct overlay_entry **)&level[i];
    }
    return e;
}

struct overlay_entry *overlay_find(const struct overlay *o, struct slice name)
{
    struct overlay_entry *e = seek(o, name, NULL);
    return e && slice_equal(e->name, name) ? e : NULL;
}

struct overlay_entry *overlay_after(const struct overlay *o, struct slice name)
{
    struct overlay_entry *e = seek(o, name, NULL);
    return e && slice_equal(e->name, name) ? e->after[0] : e;
}

/* Each level has a quarter of the entries of the one below. */
static unsigned draw_levels(struct overlay *o)
{
    unsigned levels = 1;
    o->random ^= o->random << 13;
    o->random ^= o->random >> 7;
    o->random ^= o->random << 17;
    for (uint64_t bits = o->random; levels < OVERLAY_LEVELS && (bits & 3) == 0; bits >>= 2) levels++;
    return levels;
}

static struct overlay_entry *entry_new(struct slice name, unsigned levels)
{
    struct overlay_entry *e = mem_new(sizeof *e + levels * sizeof e->after[0] + name.bytes);
    uint8_t *at = (uint8_t *)&e->after[levels];
    put_bytes(at, name.data, name.bytes);
    e->name = slice_of(at, name.bytes);
    return e;
}

struct overlay_entry *overlay_add(struct overlay *o, struct slice name)
{
    struct overlay_entry **ways[OVERLAY_LEVELS], *e = seek(o, name, ways);
    if (e && slice_equal(e->name, name)) return e;
    unsigned levels = draw_levels(o);
    e = entry_new(name, levels);
    for (unsigned i = 0; i < levels; i++) {
        e->after[i] = *ways[i];
        *ways[i] = e;
    }
    return e;
}

void overlay_remove(struct overlay *o, struct overlay_entry *e)
{
    struct overlay_entry **ways[OVERLAY_LEVELS];
    seek(o, e->name, ways);
    for (unsigned i = 0; i < OVERLAY_LEVELS && *ways[i] == e; i++) *ways[i] = e->after[i];
    free(e);
}
