/* recent.c -- the sorted window of recent.h. */
#include "node/recent.h"

#include "base/mem.h"

#include <stdlib.h>

struct recent_ids *recent_new(size_t max)
{
    struct recent_ids *r = mem_new(sizeof *r);
    r->max = max;
    return r;
}

void recent_free(struct recent_ids *r)
{
    if (r) free(r->ids);
    free(r);
}

/* The place of the first id that is not below `id`. */
static size_t place_of(const struct recent_ids *r, uint64_t id)
{
    size_t low = 0, high = r->count;
    if (high > 0 && r->ids[high - 1] < id) return high;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (r->ids[middle] < id) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* How many go when a full set takes one more: an eighth at once, so that moving is rare. */
static size_t spill(const struct recent_ids *r)
{
    return r->max / 8 + 1;
}

int recent_check(const struct recent_ids *r, uint64_t id)
{
    if (id <= r->floor) return MOTH_ETOO_OLD;
    size_t at = place_of(r, id);
    if (at < r->count && r->ids[at] == id) return MOTH_EDUPLICATE;
    return r->count == r->max && at < spill(r) ? MOTH_ETOO_OLD : 0; /* the floor would rise over it */
}

void recent_raise(struct recent_ids *r, size_t keep)
{
    if (r->count <= keep) return;
    size_t gone = r->count - keep;
    r->floor = r->ids[gone - 1];
    memmove(r->ids, r->ids + gone, keep * sizeof *r->ids);
    r->count = keep;
}

static void make_room(struct recent_ids *r)
{
    if (r->count == r->max) recent_raise(r, r->max - spill(r));
    if (r->count < r->capacity) return;
    r->capacity = r->capacity ? r->capacity * 2 : 16;
    if (r->capacity > r->max) r->capacity = r->max;
    r->ids = mem_resize(r->ids, r->capacity, sizeof *r->ids);
}

int recent_add(struct recent_ids *r, uint64_t id)
{
    int rc = recent_check(r, id);
    if (rc < 0) return rc;
    make_room(r);
    size_t at = place_of(r, id);
    memmove(r->ids + at + 1, r->ids + at, (r->count - at) * sizeof *r->ids);
    r->ids[at] = id;
    r->count++;
    return 0;
}
