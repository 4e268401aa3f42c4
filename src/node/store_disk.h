/* store_disk.h -- an imagined disk for SQLite: files in memory that forget what was not synced.
 *
 * Registers itself as an SQLite VFS of its own name. It serves one thread and, for each file, one connection (locks
 * always succeed; no shared memory, so WAL needs locking_mode=EXCLUSIVE). Every write is kept apart until its file is
 * synced: a crash may lose any of them, and tear the last ones. All randomness, including what SQLite draws, comes from
 * the seed; its clock stands still. Failures can be planted. */
#ifndef NODE_STORE_DISK_H
#define NODE_STORE_DISK_H

#include "base/pool.h"

struct disk;

struct disk *disk_new(const char *vfs_name, uint64_t seed); /* the name is copied; unique in the process */
void disk_free(struct disk *disk); /* all its files must be closed */
const char *disk_name(const struct disk *disk);
void disk_share(struct disk *disk, struct moth_pool *pool); /* many disks of one lab hold much alike; before any file */

/* Power goes: from now on every call on the disk fails, open files included. disk_restore ends that: with `lose`, each
 * write since the last sync of its file is then there, gone or torn (a part of it, at 512-byte boundaries, in any
 * combination), as chance will have it; without, all are there, as after a killed process. A file made but never
 * synced may be gone likewise, and one deleted without a synced directory may be back. */
void disk_cut(struct disk *disk);
void disk_restore(struct disk *disk, bool lose);

/* How many calls the disk has had: open, read, write, sync, truncate, delete. What fails is counted too. */
uint64_t disk_calls(const struct disk *disk);

/* The call of that number, and with `after` all that follow until disk_heal, fail with an I/O error; a failed sync
 * leaves its writes unsynced. `cut` at that call: the power goes there instead. */
void disk_fail_at(struct disk *disk, uint64_t call, bool after);
void disk_cut_at(struct disk *disk, uint64_t call);
void disk_heal(struct disk *disk);

/* Bytes of all files together: what would go above `bytes` fails as a full disk. UINT64_MAX: no limit. */
void disk_limit(struct disk *disk, uint64_t bytes);
uint64_t disk_bytes(const struct disk *disk);

/* Files by path, for the host (host.h, file_move and file_fill). `to` NULL removes. Synced at once.
 * MOTH_ENOT_FOUND; MOTH_ENO_SPACE; MOTH_EIO while the power is off or every call fails. */
int disk_move(struct disk *disk, const char *path, const char *to);
int disk_fill(struct disk *disk, const char *path, size_t bytes);
void disk_copy(const struct disk *from, struct disk *to); /* all files, as they are; `to` has none open */

/* Damages a file: flips one bit of each `every`-th page of 4,096 bytes but the first `spare` pages. */
int disk_damage(struct disk *disk, const char *path, unsigned every, unsigned spare);

#endif
