/* store_disk_folder.c -- the folder of store_disk_folder.h: a short list, for a database is three or four files.
 *
 * Of one path there is at most one entry that is there and one that is deleted: a file whose name was never synced
 * leaves no ghost, and a name that is synced ends the ghost of an earlier one. */
#include "node/store_disk_folder.h"

#include "base/mem.h"
#include "net/sim.h"

#include <assert.h>
#include <stdlib.h>

static void entry_free(struct disk_entry *e)
{
    assert(e->handles == 0);
    disk_file_fini(&e->file);
    free(e->path);
    free(e);
}

void disk_folder_fini(struct disk_folder *f)
{
    for (struct disk_entry *e; (e = f->entries);) {
        f->entries = e->next;
        entry_free(e);
    }
}

struct disk_entry *disk_folder_find(const struct disk_folder *f, const char *path)
{
    for (struct disk_entry *e = f->entries; e; e = e->next)
        if (e->presence == DISK_THERE && strcmp(e->path, path) == 0) return e;
    return NULL;
}

struct disk_entry *disk_folder_add(struct disk_folder *f, const char *path)
{
    struct disk_entry *e = mem_new(sizeof *e);
    e->path = mem_text(path);
    e->file.image.pool = f->pool;
    e->presence = path ? DISK_THERE : DISK_NAMELESS;
    e->next = f->entries;
    f->entries = e;
    return e;
}

/* Frees what nothing leads to any more. */
static void sweep(struct disk_folder *f)
{
    for (struct disk_entry **at = &f->entries, *e; (e = *at);) {
        if (e->presence != DISK_NAMELESS || e->handles > 0) {
            at = &e->next;
            continue;
        }
        *at = e->next;
        entry_free(e);
    }
}

void disk_folder_release(struct disk_folder *f, struct disk_entry *e)
{
    e->handles--;
    sweep(f);
}

void disk_folder_delete(struct disk_folder *f, struct disk_entry *e, bool synced)
{
    e->presence = e->lasting ? DISK_DELETED : DISK_NAMELESS;
    if (synced) disk_folder_sync(f);
    else sweep(f);
}

void disk_folder_rename(struct disk_folder *f, struct disk_entry *e, const char *to)
{
    struct disk_entry *replaced = disk_folder_find(f, to);
    if (replaced && replaced != e) replaced->presence = DISK_NAMELESS;
    free(e->path);
    e->path = mem_text(to);
    disk_folder_sync(f);
}

void disk_folder_sync(struct disk_folder *f)
{
    for (struct disk_entry *e = f->entries; e; e = e->next) {
        e->lasting = true;
        if (e->presence == DISK_DELETED) e->presence = DISK_NAMELESS;
    }
    sweep(f);
}

/* --- power loss --- */

static void lose_names(struct disk_folder *f, uint64_t *random)
{
    for (struct disk_entry *e = f->entries; e; e = e->next)
        if (e->presence == DISK_THERE && !e->lasting && sim_draw(random) % 2 == 0) e->presence = DISK_NAMELESS;
}

static void lose_deletions(struct disk_folder *f, uint64_t *random)
{
    for (struct disk_entry *e = f->entries; e; e = e->next) {
        if (e->presence != DISK_DELETED || disk_folder_find(f, e->path)) continue;
        if (sim_draw(random) % 2 == 0) e->presence = DISK_THERE;
    }
}

void disk_folder_lose(struct disk_folder *f, uint64_t *random)
{
    for (struct disk_entry *e = f->entries; e; e = e->next) disk_file_lose(&e->file, random);
    lose_names(f, random);
    lose_deletions(f, random);
    disk_folder_sync(f);
}

/* --- as a whole --- */

uint64_t disk_folder_bytes(const struct disk_folder *f)
{
    uint64_t bytes = 0;
    for (const struct disk_entry *e = f->entries; e; e = e->next)
        if (e->presence == DISK_THERE || e->handles > 0) bytes += e->file.bytes;
    return bytes;
}

void disk_folder_copy(const struct disk_folder *from, struct disk_folder *to)
{
    for (const struct disk_entry *e = from->entries; e; e = e->next)
        if (e->presence == DISK_THERE) disk_file_copy(&e->file, &disk_folder_add(to, e->path)->file);
    disk_folder_sync(to);
}
