/* overlay.h -- what programs wrote and the disk does not know yet, by space and key, in the order of bytes.
 *
 * A read asks here first: what is staged (written since moth_begin), else what waits for its commit; what is in neither
 * is as the disk says. It is a skip list: found, put and taken out in a few steps however many wait, and walked in
 * order beside the rows of the database. A name is a space, a zero byte and a key; as no space has a zero byte in it,
 * the names of one space stand together. */
#ifndef NODE_OVERLAY_H
#define NODE_OVERLAY_H

#include "base/base.h"

#define OVERLAY_LEVELS 12

struct store_write;

struct overlay_entry {
    struct overlay_entry *next_staged; /* data.c's list */
    struct store_write *staged;        /* owned; NULL: none */
    struct store_write *waiting;       /* borrowed: the newest one in the store's queue, NULL: none */
    unsigned waiting_count;            /* how many are there */
    struct slice name;                 /* in the memory behind */
    struct overlay_entry *after[];     /* by level */
};

struct overlay {
    struct overlay_entry *first[OVERLAY_LEVELS];
    uint64_t random; /* never zero */
};

void overlay_init(struct overlay *o, uint64_t seed);
void overlay_fini(struct overlay *o); /* frees what is staged, too */
int overlay_compare(struct slice a, struct slice b);
struct overlay_entry *overlay_find(const struct overlay *o, struct slice name); /* NULL: none */
struct overlay_entry *overlay_after(const struct overlay *o, struct slice name); /* the first one above; NULL: none */
struct overlay_entry *overlay_add(struct overlay *o, struct slice name); /* the one that is there, or a new one */
void overlay_remove(struct overlay *o, struct overlay_entry *e);         /* freed */

#endif
