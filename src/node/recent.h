/* recent.h -- the newest ids of one source: was this message here before?
 *
 * A sorted array of at most `max` ids. Ids of a source rise, so adding is nearly always at the end. When it is full the
 * lowest id goes and the floor rises over it: what is at or below the floor can no longer be told and is refused. */
#ifndef NODE_RECENT_H
#define NODE_RECENT_H

#include "base/base.h"

struct recent_ids {
    uint64_t *ids; /* owned, ascending */
    size_t count, capacity, max;
    uint64_t floor;
};

struct recent_ids *recent_new(size_t max);
void recent_free(struct recent_ids *r); /* NULL is fine */

/* 0: new, and remembered now. MOTH_EDUPLICATE: known. MOTH_ETOO_OLD: at or below the floor. */
int recent_add(struct recent_ids *r, uint64_t id);
int recent_check(const struct recent_ids *r, uint64_t id); /* the same answers, without remembering */

void recent_raise(struct recent_ids *r, size_t keep); /* forgets all but the newest `keep` */

#endif
