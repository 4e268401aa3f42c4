/* reading.h -- an advert while it is looked at: decoded and checked once for all who share a pool.
 *
 * A node that is alone decodes an advert when it takes it in and keeps only the bytes. In a pool the decoded advert
 * stays with the bytes, and that it is there says that the signature holds. */
#ifndef NODE_READING_H
#define NODE_READING_H

#include "base/pool.h"
#include "proto/advert.h"

/* Which advert of an origin is newer. The boot decides only between two processes that run with one key and count
 * alike. */
struct version {
    uint64_t seq, boot;
};

bool version_is_newer(struct version a, struct version b);

/* What decides whether a full look is worth it. MOTH_EMALFORMED. */
int reading_peek(const struct moth_pool *pool, struct slice bytes, struct moth_id *origin, struct version *version);

/* Checks form and signature. MOTH_EMALFORMED, MOTH_EFORGED; else `*out` is held: reading_end. */
int reading_begin(struct moth_pool *pool, struct slice bytes, struct pooled **out);

/* What is written in an advert that was checked, or made here. Borrowed until reading_end; of its neighbours there are
 * no more in memory than it has. */
const struct advert *reading_of(struct pooled *p);
void reading_end(struct pooled *p); /* drops it */

/* Its part of the hash over a table of adverts. */
uint64_t reading_hash(struct pooled *p, const struct moth_id *origin, struct version version);

#endif
