/* store_disk_image.h -- what an imagined file holds, in little memory.
 *
 * A thousand nodes of one lab keep the same thousand adverts, each in a database of its own. So a file is a list of
 * pieces as they were written (pages, and what stands between the pages of a log), and of a piece the runs of zeros take
 * no memory, and the long values in the rows of a table are pooled (base/pool.h). How SQLite lays out a page is only a
 * hint where such values may be: whatever a piece holds, reading gives back what was written. */
#ifndef NODE_STORE_DISK_IMAGE_H
#define NODE_STORE_DISK_IMAGE_H

#include "base/pool.h"

struct piece;

struct image { /* zeroed is empty: all zeros */
    struct piece *pieces; /* owned; ascending, none overlaps another */
    size_t count, capacity;
    struct moth_pool *pool; /* borrowed; NULL: nothing is shared */
};

void image_fini(struct image *m);
size_t image_end(const struct image *m); /* from there on it is zero */
void image_read(const struct image *m, size_t offset, struct span out);
void image_write(struct image *m, size_t offset, struct slice bytes);
void image_cut(struct image *m, size_t from); /* from there on it becomes zero */
void image_copy(const struct image *from, struct image *to); /* `to` is empty */
size_t image_memory(const struct image *m); /* what it takes, without what is pooled */

#endif
