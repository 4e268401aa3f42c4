/* store_disk_folder.h -- the names on an imagined disk: all its files, in one folder.
 *
 * Entries (a name made, a name deleted) are unsynced like bytes are, and become lasting all together when the folder is
 * synced. A file that was deleted lives on while it is open, and while a power cut may bring it back. */
#ifndef NODE_STORE_DISK_FOLDER_H
#define NODE_STORE_DISK_FOLDER_H

#include "node/store_disk_file.h"

enum disk_presence {
    DISK_THERE,
    DISK_DELETED, /* may be back when the power goes */
    DISK_NAMELESS /* deleted for good, or a temporary file: only open handles know it */
};

struct disk_entry {
    struct disk_entry *next;
    char *path; /* owned; NULL: a temporary file */
    enum disk_presence presence;
    bool lasting; /* the folder was synced since it was made */
    unsigned handles;
    struct disk_file file;
};

struct disk_folder { /* zeroed is empty */
    struct disk_entry *entries; /* owned */
    struct moth_pool *pool;     /* borrowed: where what files hold alike is held once; NULL: nowhere */
};

void disk_folder_fini(struct disk_folder *f); /* nothing is open; may be used again */

struct disk_entry *disk_folder_find(const struct disk_folder *f, const char *path); /* NULL: it is not there */
struct disk_entry *disk_folder_add(struct disk_folder *f, const char *path);
void disk_folder_release(struct disk_folder *f, struct disk_entry *e); /* one handle less; may free it */
void disk_folder_delete(struct disk_folder *f, struct disk_entry *e, bool synced);
void disk_folder_rename(struct disk_folder *f, struct disk_entry *e, const char *to); /* replaces `to`; synced */
void disk_folder_sync(struct disk_folder *f);

/* The power went: bytes, names and deletions that were not synced are there or not, as `random` will have it. */
void disk_folder_lose(struct disk_folder *f, uint64_t *random);

uint64_t disk_folder_bytes(const struct disk_folder *f); /* of all files that are there or open */
void disk_folder_copy(const struct disk_folder *from, struct disk_folder *to); /* `to` is empty; all is synced then */

#endif
