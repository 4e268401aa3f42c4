/* store_disk.c -- the imagined disk of store_disk.h: a folder of files behind SQLite's file system interface.
 *
 * The folder is synced by a delete that asks for it and by the first sync of a new file, because SQLite's own file
 * systems do so then. What the host does (disk_move, disk_fill) is synced at once.
 *
 * The call at which the power goes still takes place, unsynced, for a drive may have done all, some or nothing of it.
 * A killed process (disk_restore without `lose`) loses nothing, but what it had not synced is still unsynced.
 *
 * Handles opened before a disk_restore belong to a machine that is no more: whatever they ask fails, but for closing.
 * A connection is best closed before the restore, since its deletes come by name and cannot be told from new ones.
 *
 * A write touches only its own bytes, even when torn: that is what SQLite calls powersafe overwrite, and no more than
 * that is claimed. SQLite seeds its generator once for the whole process, and only from its default file system, so a
 * disk seeds it on the side; runs repeat as long as their disks are made in the same order. */
#include "node/store_disk.h"

#include "base/mem.h"
#include "net/sim.h"
#include "node/store_disk_folder.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdlib.h>

#define PATH_BYTES_MAX 512
#define PAGE_BYTES 4096u
#define PAGE_KIND_BIT 0x10u     /* in a page's first byte; no kind of page has it */
#define NOON_MS 211813488000000 /* of the first of January 2000, in SQLite's milliseconds since 4714 BC */

struct disk {
    sqlite3_vfs vfs;
    char *name; /* owned */
    struct disk_folder folder;
    uint64_t random, calls, limit_bytes;
    uint64_t fail_at, cut_at; /* 0: none */
    uint64_t life;            /* counts restores, so that handles of an earlier machine are known */
    bool fail_after, off;
};

struct handle {
    sqlite3_file base; /* first */
    struct disk *disk; /* borrowed */
    struct disk_entry *entry;
    uint64_t life;
    bool deletes; /* the file goes when the handle is closed */
};

/* --- failures --- */

/* A call begins: it is counted, and refused if so planned. If the power goes in it, it still takes place (`off` says
 * so), and the caller then returns an error all the same. */
static bool begins(struct disk *disk)
{
    bool refused = disk->off;
    disk->calls++;
    if (disk->calls == disk->cut_at) disk->off = true;
    if (disk->calls == disk->fail_at || (disk->fail_after && disk->calls > disk->fail_at)) refused = true;
    return !refused;
}

static bool begins_on(const struct handle *h)
{
    return begins(h->disk) && h->life == h->disk->life;
}

/* For what is not counted: the power is off, or everything fails since some call. */
static bool is_dead(const struct disk *disk)
{
    return disk->off || (disk->fail_after && disk->calls >= disk->fail_at);
}

/* What the call returns that has just taken place. */
static int outcome(const struct disk *disk, int error)
{
    return disk->off ? error : SQLITE_OK;
}

/* --- open files, as SQLite calls them --- */

static int file_close(sqlite3_file *base)
{
    struct handle *h = (struct handle *)base;
    if (h->deletes && h->entry->presence == DISK_THERE) disk_folder_delete(&h->disk->folder, h->entry, false);
    disk_folder_release(&h->disk->folder, h->entry);
    return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *out, int bytes, sqlite3_int64 offset)
{
    struct handle *h = (struct handle *)base;
    struct span span = {.data = out, .bytes = (size_t)bytes};

    if (!begins_on(h) || h->disk->off) return SQLITE_IOERR_READ;
    return disk_file_read(&h->entry->file, (size_t)offset, span) < span.bytes ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static bool has_room(const struct disk *disk, const struct disk_file *f, uint64_t end)
{
    return end <= f->bytes || disk_bytes(disk) + (end - f->bytes) <= disk->limit_bytes;
}

static int file_write(sqlite3_file *base, const void *data, int bytes, sqlite3_int64 offset)
{
    struct handle *h = (struct handle *)base;
    struct disk_file *f = &h->entry->file;

    if (!begins_on(h)) return SQLITE_IOERR_WRITE;
    if (!has_room(h->disk, f, (uint64_t)offset + (uint64_t)bytes)) return SQLITE_FULL;
    disk_file_write(f, (size_t)offset, slice_of(data, (size_t)bytes));
    return outcome(h->disk, SQLITE_IOERR_WRITE);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 bytes)
{
    struct handle *h = (struct handle *)base;
    if (!begins_on(h)) return SQLITE_IOERR_TRUNCATE;
    disk_file_shorten(&h->entry->file, (size_t)bytes);
    return outcome(h->disk, SQLITE_IOERR_TRUNCATE);
}

/* The power may go while it is at work: nothing is certain then, so nothing is done. */
static int file_sync(sqlite3_file *base, int flags)
{
    struct handle *h = (struct handle *)base;
    struct disk_entry *e = h->entry;
    (void)flags;

    if (!begins_on(h) || h->disk->off) return SQLITE_IOERR_FSYNC;
    disk_file_sync(&e->file);
    if (e->presence == DISK_THERE && !e->lasting) disk_folder_sync(&h->disk->folder);
    return SQLITE_OK;
}

static bool is_usable(const struct handle *h)
{
    return !is_dead(h->disk) && h->life == h->disk->life;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *bytes)
{
    struct handle *h = (struct handle *)base;
    if (!is_usable(h)) return SQLITE_IOERR_FSTAT;
    *bytes = (sqlite3_int64)h->entry->file.bytes;
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level)
{
    (void)level;
    return is_usable((struct handle *)base) ? SQLITE_OK : SQLITE_IOERR_LOCK;
}

static int file_unlock(sqlite3_file *base, int level)
{
    (void)base, (void)level;
    return SQLITE_OK;
}

static int file_check_reserved_lock(sqlite3_file *base, int *out)
{
    (void)base;
    *out = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int what, void *argument)
{
    (void)base, (void)what, (void)argument;
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *base)
{
    (void)base;
    return DISK_SECTOR_BYTES;
}

static int file_characteristics(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
};

/* --- the file system, as SQLite calls it --- */

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *out_flags)
{
    struct disk *disk = vfs->pAppData;
    struct handle *h = (struct handle *)base;
    struct disk_entry *e = path ? disk_folder_find(&disk->folder, path) : NULL;

    *h = (struct handle){.disk = disk, .life = disk->life, .deletes = flags & SQLITE_OPEN_DELETEONCLOSE};
    if (!begins(disk)) return SQLITE_IOERR;
    if (e ? (flags & SQLITE_OPEN_EXCLUSIVE) != 0 : !(flags & SQLITE_OPEN_CREATE)) return SQLITE_CANTOPEN;
    h->entry = e ? e : disk_folder_add(&disk->folder, path);
    h->entry->handles++;
    h->base.pMethods = &methods; /* from here on SQLite closes it, even if the open fails */
    if (out_flags) *out_flags = flags;
    return outcome(disk, SQLITE_IOERR);
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    struct disk *disk = vfs->pAppData;
    struct disk_entry *e = disk_folder_find(&disk->folder, path);

    if (!begins(disk)) return SQLITE_IOERR_DELETE;
    if (!e) return SQLITE_IOERR_DELETE_NOENT;
    disk_folder_delete(&disk->folder, e, sync && !disk->off);
    return outcome(disk, SQLITE_IOERR_DELETE);
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    struct disk *disk = vfs->pAppData;
    (void)flags;
    if (is_dead(disk)) return SQLITE_IOERR_ACCESS;
    *out = disk_folder_find(&disk->folder, path) != NULL;
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int capacity, char *out)
{
    size_t bytes = strlen(path) + 1;
    (void)vfs;
    if (bytes > (size_t)capacity) return SQLITE_CANTOPEN;
    memcpy(out, path, bytes);
    return SQLITE_OK;
}

static int vfs_random(sqlite3_vfs *vfs, int bytes, char *out)
{
    struct disk *disk = vfs->pAppData;
    for (int i = 0; i < bytes; i++) out[i] = (char)sim_draw(&disk->random);
    return bytes;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

static int vfs_time(sqlite3_vfs *vfs, sqlite3_int64 *ms)
{
    (void)vfs;
    *ms = NOON_MS;
    return SQLITE_OK;
}

/* --- the disk --- */

struct disk *disk_new(const char *vfs_name, uint64_t seed)
{
    struct disk *disk = mem_new(sizeof *disk);
    assert(!sqlite3_vfs_find(vfs_name));
    disk->name = mem_text(vfs_name);
    disk->random = seed;
    disk->limit_bytes = UINT64_MAX;
    disk->vfs = (sqlite3_vfs){.iVersion = 2,
                              .szOsFile = sizeof(struct handle),
                              .mxPathname = PATH_BYTES_MAX,
                              .zName = disk->name,
                              .pAppData = disk,
                              .xOpen = vfs_open,
                              .xDelete = vfs_delete,
                              .xAccess = vfs_access,
                              .xFullPathname = vfs_full_path,
                              .xRandomness = vfs_random,
                              .xSleep = vfs_sleep,
                              .xCurrentTimeInt64 = vfs_time};
    sqlite3_vfs_register(&disk->vfs, 0);
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)(sim_draw(&disk->random) >> 33) | 1, NULL);
    return disk;
}

void disk_free(struct disk *disk)
{
    if (!disk) return;
    sqlite3_vfs_unregister(&disk->vfs);
    disk_folder_fini(&disk->folder);
    free(disk->name);
    free(disk);
}

void disk_share(struct disk *disk, struct moth_pool *pool)
{
    disk->folder.pool = pool;
}

const char *disk_name(const struct disk *disk)
{
    return disk->name;
}

/* --- power --- */

void disk_cut(struct disk *disk)
{
    disk->off = true;
}

void disk_restore(struct disk *disk, bool lose)
{
    disk->off = false;
    disk->life++;
    if (lose) disk_folder_lose(&disk->folder, &disk->random);
}

uint64_t disk_calls(const struct disk *disk)
{
    return disk->calls;
}

void disk_fail_at(struct disk *disk, uint64_t call, bool after)
{
    disk->fail_at = call;
    disk->fail_after = after;
}

void disk_cut_at(struct disk *disk, uint64_t call)
{
    disk->cut_at = call;
}

void disk_heal(struct disk *disk)
{
    disk->fail_at = disk->cut_at = 0;
    disk->fail_after = false;
}

/* --- space --- */

void disk_limit(struct disk *disk, uint64_t bytes)
{
    disk->limit_bytes = bytes;
}

uint64_t disk_bytes(const struct disk *disk)
{
    return disk_folder_bytes(&disk->folder);
}

/* --- files by path --- */

int disk_move(struct disk *disk, const char *path, const char *to)
{
    struct disk_entry *e = disk_folder_find(&disk->folder, path);
    if (is_dead(disk)) return MOTH_EIO;
    if (!e) return MOTH_ENOT_FOUND;

    if (to) disk_folder_rename(&disk->folder, e, to);
    else disk_folder_delete(&disk->folder, e, true);
    return 0;
}

int disk_fill(struct disk *disk, const char *path, size_t bytes)
{
    struct disk_entry *e = disk_folder_find(&disk->folder, path);
    uint64_t others = disk_bytes(disk) - (e ? e->file.bytes : 0);
    if (is_dead(disk)) return MOTH_EIO;
    if (others > disk->limit_bytes || bytes > disk->limit_bytes - others) return MOTH_ENO_SPACE;

    if (e) disk_folder_delete(&disk->folder, e, true);
    disk_folder_add(&disk->folder, path)->file.bytes = bytes;
    disk_folder_sync(&disk->folder);
    return 0;
}

void disk_copy(const struct disk *from, struct disk *to)
{
    disk_folder_fini(&to->folder);
    disk_folder_copy(&from->folder, &to->folder);
}

/* The bit says what kind of page it is: flipped, SQLite takes the page for damaged wherever it comes from. A bit of a
 * row's content would go unnoticed, SQLite has no checksums. */
int disk_damage(struct disk *disk, const char *path, unsigned every, unsigned spare)
{
    struct disk_entry *e = disk_folder_find(&disk->folder, path);
    assert(every > 0);
    if (!e) return MOTH_ENOT_FOUND;
    for (size_t at = (size_t)spare * PAGE_BYTES; at < e->file.bytes; at += (size_t)every * PAGE_BYTES)
        disk_file_flip(&e->file, at, PAGE_KIND_BIT);
    return 0;
}
