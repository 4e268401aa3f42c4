/* store_disk_file.h -- the bytes of one imagined file, and what was done to them since they were last synced.
 *
 * There is one image only, the newest. Each change keeps what it overwrote; undoing them all, newest first, gives what
 * is surely on the disk, and on the way each takes up again what it had written, so that any choice of them can then
 * be done anew. To sync is to forget the changes. Bytes beyond the image are zero and take no memory, so a ballast
 * file costs nothing. */
#ifndef NODE_STORE_DISK_FILE_H
#define NODE_STORE_DISK_FILE_H

#include "node/store_disk_image.h"

#define DISK_SECTOR_BYTES 512 /* what a drive writes whole or not at all */

struct disk_change;

struct disk_file { /* zeroed is empty */
    struct image image; /* from `bytes` on it is zero */
    size_t bytes;
    struct disk_change *unsynced; /* owned; the newest first */
};

void disk_file_fini(struct disk_file *f);

/* How many of the bytes were there; the rest of `out` becomes zero. */
size_t disk_file_read(const struct disk_file *f, size_t offset, struct span out);

void disk_file_write(struct disk_file *f, size_t offset, struct slice bytes);
void disk_file_shorten(struct disk_file *f, size_t bytes); /* never lengthens */
void disk_file_sync(struct disk_file *f);

/* The power went: what was not synced is there, gone or torn, as `random` will have it; then it is synced. */
void disk_file_lose(struct disk_file *f, uint64_t *random);

void disk_file_flip(struct disk_file *f, size_t offset, uint8_t bits); /* within the file; it is no change to undo */
void disk_file_copy(const struct disk_file *from, struct disk_file *to); /* `to` is empty; then it is synced */

#endif
