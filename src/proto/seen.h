/* seen.h -- remembers, for a while, which broadcasts passed here.
 *
 * Flooding brings one copy per neighbour: the first counts, the rest are echoes. Ids live in two generations; when the
 * young one is full it becomes the old one and the old one is forgotten. Memory is therefore bounded whatever peers
 * send, and grows only as needed. Forgetting early costs one duplicate, never a loop: the hop limit ends those. */
#ifndef PROTO_SEEN_H
#define PROTO_SEEN_H

#include "base/base.h"

struct seen;

/* Each of the two generations holds at most `generation_max` ids, one or more. `seed` keeps chosen ids from piling up
 * in one slot. */
struct seen *seen_new(size_t generation_max, uint64_t seed);
void seen_free(struct seen *s);

/* True when (src, id) was not remembered; it is now. */
bool seen_add(struct seen *s, const struct moth_id *src, uint64_t id);
bool seen_has(const struct seen *s, const struct moth_id *src, uint64_t id);
size_t seen_count(const struct seen *s);

#endif
