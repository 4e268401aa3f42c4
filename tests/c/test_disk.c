/* test_disk.c -- the imagined disk: what it keeps, what it forgets, and that SQLite on it keeps its promises.
 *
 * Some tests speak to the file system as SQLite does, call by call (`raw_…`). The others run a scripted workload on
 * a real database and break the disk at every call of it, one after the other. A row is promised when its COMMIT
 * returned; a promised row must be there whatever happened, and each transaction is there whole or not at all. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "node/store_disk.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME "imagined"
#define PATH "/home/moth.db"
#define ROWS 16
#define SEEDS 3
#define SECTOR 512

/* --- files, call by call --- */

static sqlite3_file *raw_try_open(const char *path, int flags, int expected)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NAME);
    sqlite3_file *file = mem_new((size_t)vfs->szOsFile);
    assert_int_equal(vfs->xOpen(vfs, path, file, SQLITE_OPEN_READWRITE | flags, NULL), expected);
    if (file->pMethods) return file;
    free(file);
    return NULL;
}

static sqlite3_file *raw_open(const char *path)
{
    return raw_try_open(path, SQLITE_OPEN_CREATE, SQLITE_OK);
}

static void raw_close(sqlite3_file *file)
{
    assert_int_equal(file->pMethods->xClose(file), SQLITE_OK);
    free(file);
}

static int raw_try_write(sqlite3_file *file, char letter, int bytes, int offset)
{
    char data[8 * SECTOR];
    assert_true((size_t)bytes <= sizeof data);
    memset(data, letter, sizeof data);
    return file->pMethods->xWrite(file, data, bytes, offset);
}

static void raw_write(sqlite3_file *file, char letter, int bytes, int offset)
{
    assert_int_equal(raw_try_write(file, letter, bytes, offset), SQLITE_OK);
}

static void raw_sync(sqlite3_file *file)
{
    assert_int_equal(file->pMethods->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_OK);
}

static int raw_bytes(sqlite3_file *file)
{
    sqlite3_int64 bytes;
    assert_int_equal(file->pMethods->xFileSize(file, &bytes), SQLITE_OK);
    return (int)bytes;
}

/* The letter of the sector; it is whole, however torn the file. */
static char raw_sector(sqlite3_file *file, int sector)
{
    char data[SECTOR];
    assert_int_equal(file->pMethods->xRead(file, data, SECTOR, (sqlite3_int64)sector * SECTOR), SQLITE_OK);
    for (int i = 1; i < SECTOR; i++) assert_int_equal(data[i], data[0]);
    return data[0];
}

static bool raw_exists(const char *path)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NAME);
    int there;
    assert_int_equal(vfs->xAccess(vfs, path, SQLITE_ACCESS_EXISTS, &there), SQLITE_OK);
    return there;
}

static int raw_delete(const char *path, int sync)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NAME);
    return vfs->xDelete(vfs, path, sync);
}

/* A file of one kind of letter, synced. */
static sqlite3_file *raw_make(const char *path, char letter, int bytes)
{
    sqlite3_file *file = raw_open(path);
    raw_write(file, letter, bytes, 0);
    raw_sync(file);
    return file;
}

static sqlite3_file *raw_power_loss(struct disk *disk, sqlite3_file *file)
{
    disk_cut(disk);
    raw_close(file);
    disk_restore(disk, true);
    return raw_try_open("a", 0, SQLITE_OK);
}

static int set_up(void **state)
{
    *state = disk_new(NAME, 1);
    return 0;
}

static int tear_down(void **state)
{
    disk_free(*state);
    return 0;
}

static void test_disk_reads_what_was_written_and_zeroes_beyond(void **state)
{
    char data[8] = "xxxxxxx";
    (void)state;
    sqlite3_file *file = raw_open("a");

    raw_write(file, 'A', 3, 2);
    assert_int_equal(file->pMethods->xRead(file, data, 4, 0), SQLITE_OK);
    assert_memory_equal(data, "\0\0AA", 4);
    assert_int_equal(file->pMethods->xRead(file, data, 7, 3), SQLITE_IOERR_SHORT_READ);
    assert_memory_equal(data, "AA\0\0\0\0\0", 7);
    assert_int_equal(file->pMethods->xRead(file, data, 7, 30000), SQLITE_IOERR_SHORT_READ);
    assert_memory_equal(data, "\0\0\0\0\0\0\0", 7);
    assert_int_equal(raw_bytes(file), 5);
    raw_close(file);
}

static void test_disk_has_zeroes_where_a_file_was_shortened_and_grew_again(void **state)
{
    char data[8];
    (void)state;
    sqlite3_file *file = raw_open("a");

    raw_write(file, 'A', 8, 0);
    assert_int_equal(file->pMethods->xTruncate(file, 2), SQLITE_OK);
    assert_int_equal(raw_bytes(file), 2);
    raw_write(file, 'B', 1, 7);
    assert_int_equal(file->pMethods->xRead(file, data, 8, 0), SQLITE_OK);
    assert_memory_equal(data, "AA\0\0\0\0\0B", 8);
    raw_close(file);
}

static void test_disk_opens_only_what_is_there_unless_asked_to_make_it(void **state)
{
    (void)state;
    assert_null(raw_try_open("a", 0, SQLITE_CANTOPEN));
    assert_false(raw_exists("a"));
    raw_close(raw_open("a"));
    assert_true(raw_exists("a"));
    raw_close(raw_try_open("a", 0, SQLITE_OK));
    assert_null(raw_try_open("a", SQLITE_OPEN_CREATE | SQLITE_OPEN_EXCLUSIVE, SQLITE_CANTOPEN));
}

static void test_disk_says_no_such_file_when_there_is_nothing_to_delete(void **state)
{
    (void)state;
    assert_int_equal(raw_delete("a", 0), SQLITE_IOERR_DELETE_NOENT);
}

static void test_disk_lets_a_deleted_file_live_while_it_is_open(void **state)
{
    struct disk *disk = *state;
    sqlite3_file *file = raw_make("a", 'A', SECTOR);

    assert_int_equal(raw_delete("a", 1), SQLITE_OK);
    assert_false(raw_exists("a"));
    assert_int_equal(raw_sector(file, 0), 'A');
    assert_int_equal(disk_bytes(disk), SECTOR);
    raw_close(file);
    assert_int_equal(disk_bytes(disk), 0);
}

static void test_disk_drops_temporary_files_when_they_are_closed(void **state)
{
    struct disk *disk = *state;
    sqlite3_file *nameless = raw_try_open(NULL, SQLITE_OPEN_CREATE | SQLITE_OPEN_DELETEONCLOSE, SQLITE_OK);
    sqlite3_file *named = raw_try_open("t", SQLITE_OPEN_CREATE | SQLITE_OPEN_DELETEONCLOSE, SQLITE_OK);

    raw_write(nameless, 'A', 10, 0);
    raw_write(named, 'B', 10, 0);
    assert_int_equal(disk_bytes(disk), 20);
    raw_close(nameless);
    raw_close(named);
    assert_int_equal(disk_bytes(disk), 0);
    assert_false(raw_exists("t"));
}

static void test_disk_takes_paths_of_512_bytes_and_refuses_longer_ones(void **state)
{
    char path[514], out[513];
    sqlite3_vfs *vfs = sqlite3_vfs_find(NAME);
    (void)state;

    memset(path, 'p', sizeof path);
    path[512] = 0;
    assert_int_equal(vfs->xFullPathname(vfs, path, vfs->mxPathname + 1, out), SQLITE_OK);
    assert_string_equal(out, path);
    path[512] = 'p';
    path[513] = 0;
    assert_int_equal(vfs->xFullPathname(vfs, path, vfs->mxPathname + 1, out), SQLITE_CANTOPEN);
}

static void test_disk_draws_the_same_randomness_from_the_same_seed(void **state)
{
    char first[16], second[16];
    sqlite3_vfs *vfs = sqlite3_vfs_find(NAME);

    assert_int_equal(vfs->xRandomness(vfs, sizeof first, first), sizeof first);
    disk_free(*state);
    *state = disk_new(NAME, 1);
    vfs = sqlite3_vfs_find(NAME);
    assert_int_equal(vfs->xRandomness(vfs, sizeof second, second), sizeof second);
    assert_memory_equal(first, second, sizeof first);
    assert_int_equal(vfs->xRandomness(vfs, sizeof second, second), sizeof second);
    assert_memory_not_equal(first, second, sizeof first);
}

static void test_disk_stands_at_one_time_and_never_sleeps(void **state)
{
    sqlite3_int64 now, later;
    sqlite3_vfs *vfs = sqlite3_vfs_find(NAME);
    (void)state;

    assert_int_equal(vfs->xCurrentTimeInt64(vfs, &now), SQLITE_OK);
    assert_int_equal(vfs->xSleep(vfs, 1000 * 1000000), 1000 * 1000000);
    assert_int_equal(vfs->xCurrentTimeInt64(vfs, &later), SQLITE_OK);
    assert_true(now == later);
    assert_true(now == 2451545 * INT64_C(86400000)); /* the Julian day that began at that noon */
}

/* --- power loss, call by call --- */

static void test_disk_keeps_what_was_synced(void **state)
{
    struct disk *disk = *state;
    sqlite3_file *file = raw_make("a", 'A', 8 * SECTOR);

    for (int i = 0; i < 50; i++) file = raw_power_loss(disk, file);
    for (int i = 0; i < 8; i++) assert_int_equal(raw_sector(file, i), 'A');
    assert_int_equal(raw_bytes(file), 8 * SECTOR);
    raw_close(file);
}

static void test_disk_tears_a_write_at_sectors_drops_it_or_keeps_it(void **state)
{
    struct disk *disk = *state;
    unsigned whole = 0, gone = 0, torn = 0, torn_backwards = 0;

    for (int i = 0; i < 200; i++) {
        sqlite3_file *file = raw_make("a", 'A', 8 * SECTOR);
        raw_write(file, 'B', 8 * SECTOR, 0);
        file = raw_power_loss(disk, file);
        int kept = 0;
        for (int s = 0; s < 8; s++) kept += raw_sector(file, s) == 'B';
        whole += kept == 8;
        gone += kept == 0;
        torn += kept > 0 && kept < 8;
        torn_backwards += raw_sector(file, 0) == 'A' && raw_sector(file, 7) == 'B';
        raw_close(file);
    }
    assert_true(whole > 20);
    assert_true(gone > 20);
    assert_true(torn > 10);
    assert_true(torn_backwards > 0);
}

static void test_disk_never_harms_the_bytes_beside_a_torn_write(void **state)
{
    struct disk *disk = *state;
    char data[4 * SECTOR];

    for (int i = 0; i < 100; i++) {
        sqlite3_file *file = raw_make("a", 'A', 4 * SECTOR);
        raw_write(file, 'B', 2 * SECTOR, 700);
        file = raw_power_loss(disk, file);
        assert_int_equal(file->pMethods->xRead(file, data, 4 * SECTOR, 0), SQLITE_OK);
        for (int at = 0; at < 700; at++) assert_int_equal(data[at], 'A');
        for (int at = 700 + 2 * SECTOR; at < 4 * SECTOR; at++) assert_int_equal(data[at], 'A');
        raw_close(file);
    }
}

static void test_disk_may_keep_a_later_write_and_lose_an_earlier_one(void **state)
{
    struct disk *disk = *state;
    unsigned seen[128] = {0}, only_later = 0;

    for (int i = 0; i < 400; i++) {
        sqlite3_file *file = raw_make("a", 'A', 2 * SECTOR);
        raw_write(file, 'B', SECTOR, 0);
        raw_write(file, 'C', SECTOR, 0); /* over it */
        raw_write(file, 'D', SECTOR, SECTOR);
        file = raw_power_loss(disk, file);
        seen[(unsigned char)raw_sector(file, 0)]++;
        only_later += raw_sector(file, 0) == 'A' && raw_sector(file, 1) == 'D';
        raw_close(file);
    }
    assert_true(seen['A'] > 0);
    assert_true(seen['B'] > 0);
    assert_true(seen['C'] > 0);
    assert_int_equal(seen['A'] + seen['B'] + seen['C'], 400);
    assert_true(only_later > 0);
}

static void test_disk_may_forget_a_growth(void **state)
{
    struct disk *disk = *state;
    unsigned grew = 0, stayed = 0;

    for (int i = 0; i < 100; i++) {
        sqlite3_file *file = raw_make("a", 'A', 2 * SECTOR);
        raw_write(file, 'B', SECTOR, 7 * SECTOR);
        file = raw_power_loss(disk, file);
        assert_int_equal(raw_sector(file, 1), 'A');
        grew += raw_bytes(file) == 8 * SECTOR && raw_sector(file, 6) == 0 && raw_sector(file, 7) == 'B';
        stayed += raw_bytes(file) == 2 * SECTOR;
        raw_close(file);
        raw_delete("a", 1);
    }
    assert_true(grew > 0);
    assert_true(stayed > 0);
    assert_int_equal(grew + stayed, 100);
}

static void test_disk_may_forget_a_shortening(void **state)
{
    struct disk *disk = *state;
    unsigned shortened = 0, stayed = 0;

    for (int i = 0; i < 100; i++) {
        sqlite3_file *file = raw_make("a", 'A', 4 * SECTOR);
        assert_int_equal(file->pMethods->xTruncate(file, 4 * SECTOR), SQLITE_OK);
        assert_int_equal(file->pMethods->xTruncate(file, SECTOR), SQLITE_OK);
        file = raw_power_loss(disk, file);
        shortened += raw_bytes(file) == SECTOR && raw_sector(file, 0) == 'A';
        stayed += raw_bytes(file) == 4 * SECTOR && raw_sector(file, 3) == 'A';
        raw_close(file);
    }
    assert_true(shortened > 0);
    assert_true(stayed > 0);
    assert_int_equal(shortened + stayed, 100);
}

static void test_disk_never_lengthens_by_a_shortening_whose_growth_was_lost(void **state)
{
    struct disk *disk = *state;
    char letter;

    for (int i = 0; i < 100; i++) {
        sqlite3_file *file = raw_make("a", 'A', SECTOR);
        raw_write(file, 'B', SECTOR, SECTOR);
        assert_int_equal(file->pMethods->xTruncate(file, SECTOR + 100), SQLITE_OK);
        file = raw_power_loss(disk, file);
        if (raw_bytes(file) > SECTOR) {
            assert_int_equal(file->pMethods->xRead(file, &letter, 1, SECTOR + 99), SQLITE_OK);
            assert_int_equal(letter, 'B');
        }
        raw_close(file);
        raw_delete("a", 1);
    }
}

static void test_disk_may_lose_a_file_that_was_never_synced(void **state)
{
    struct disk *disk = *state;
    unsigned there = 0;

    for (int i = 0; i < 50; i++) {
        raw_close(raw_open("a"));
        disk_cut(disk);
        disk_restore(disk, true);
        there += raw_exists("a");
        raw_delete("a", 1);
    }
    assert_true(there > 0);
    assert_true(there < 50);
}

static void test_disk_may_bring_back_a_file_deleted_without_a_sync(void **state)
{
    struct disk *disk = *state;
    unsigned back = 0;

    for (int i = 0; i < 50; i++) {
        raw_close(raw_make("a", 'A', SECTOR));
        assert_int_equal(raw_delete("a", 0), SQLITE_OK);
        assert_int_equal(disk_bytes(disk), 0);
        disk_cut(disk);
        disk_restore(disk, true);
        if (!raw_exists("a")) continue;
        sqlite3_file *file = raw_open("a");
        assert_int_equal(raw_sector(file, 0), 'A');
        raw_close(file);
        back++;
    }
    assert_true(back > 0);
    assert_true(back < 50);
}

static void test_disk_never_brings_back_a_file_deleted_with_a_sync(void **state)
{
    struct disk *disk = *state;
    for (int i = 0; i < 50; i++) {
        raw_close(raw_make("a", 'A', SECTOR));
        assert_int_equal(raw_delete("a", 1), SQLITE_OK);
        disk_cut(disk);
        disk_restore(disk, true);
        assert_false(raw_exists("a"));
    }
}

static void test_disk_ends_a_ghost_with_the_first_sync_of_a_new_file(void **state)
{
    struct disk *disk = *state;
    for (int i = 0; i < 50; i++) {
        raw_close(raw_make("a", 'A', SECTOR));
        assert_int_equal(raw_delete("a", 0), SQLITE_OK);
        raw_close(raw_make("b", 'B', SECTOR));
        disk_cut(disk);
        disk_restore(disk, true);
        assert_false(raw_exists("a"));
        assert_true(raw_exists("b"));
        assert_int_equal(raw_delete("b", 1), SQLITE_OK);
    }
}

static void test_disk_has_the_old_or_the_new_file_of_a_name_never_both(void **state)
{
    struct disk *disk = *state;
    unsigned old = 0, new = 0, none = 0;

    for (int i = 0; i < 200; i++) {
        raw_close(raw_make("a", 'A', SECTOR));
        assert_int_equal(raw_delete("a", 0), SQLITE_OK);
        raw_close(raw_open("a"));
        disk_cut(disk);
        disk_restore(disk, true);
        sqlite3_file *file = raw_exists("a") ? raw_open("a") : NULL;
        none += !file;
        old += file && raw_bytes(file) == SECTOR;
        new += file && raw_bytes(file) == 0;
        assert_int_equal(disk_bytes(disk), file ? raw_bytes(file) : 0);
        if (file) raw_close(file);
        raw_delete("a", 1);
    }
    assert_true(old > 0);
    assert_true(new > 0);
    assert_true(none > 0);
    assert_int_equal(old + new + none, 200);
}

static void test_disk_loses_nothing_with_a_killed_process_but_may_with_a_later_power_loss(void **state)
{
    struct disk *disk = *state;
    unsigned lost = 0;

    for (int i = 0; i < 50; i++) {
        sqlite3_file *file = raw_make("a", 'A', SECTOR);
        raw_write(file, 'B', SECTOR, 0);
        disk_cut(disk);
        raw_close(file);
        disk_restore(disk, false);
        file = raw_open("a");
        assert_int_equal(raw_sector(file, 0), 'B');
        file = raw_power_loss(disk, file);
        lost += raw_sector(file, 0) == 'A';
        raw_close(file);
    }
    assert_true(lost > 0);
}

static void test_disk_fails_every_call_while_the_power_is_off(void **state)
{
    struct disk *disk = *state;
    char data[4];
    int there;
    sqlite3_int64 bytes;
    sqlite3_file *file = raw_make("a", 'A', SECTOR);
    sqlite3_vfs *vfs = sqlite3_vfs_find(NAME);

    disk_cut(disk);
    assert_int_equal(raw_try_write(file, 'B', 1, 0), SQLITE_IOERR_WRITE);
    assert_int_equal(file->pMethods->xRead(file, data, 4, 0), SQLITE_IOERR_READ);
    assert_int_equal(file->pMethods->xSync(file, 0), SQLITE_IOERR_FSYNC);
    assert_int_equal(file->pMethods->xTruncate(file, 0), SQLITE_IOERR_TRUNCATE);
    assert_int_equal(file->pMethods->xFileSize(file, &bytes), SQLITE_IOERR_FSTAT);
    assert_int_equal(file->pMethods->xLock(file, SQLITE_LOCK_SHARED), SQLITE_IOERR_LOCK);
    assert_int_equal(vfs->xAccess(vfs, "a", SQLITE_ACCESS_EXISTS, &there), SQLITE_IOERR_ACCESS);
    assert_int_equal(raw_delete("a", 0), SQLITE_IOERR_DELETE);
    assert_null(raw_try_open("a", 0, SQLITE_IOERR));
    assert_int_equal(disk_move(disk, "a", NULL), MOTH_EIO);
    assert_int_equal(disk_fill(disk, "b", 1), MOTH_EIO);
    raw_close(file);
    disk_restore(disk, true);
    assert_int_equal(disk_bytes(disk), SECTOR);
}

static void test_disk_refuses_handles_of_an_earlier_life(void **state)
{
    struct disk *disk = *state;
    char data[4];
    sqlite3_int64 bytes;
    sqlite3_file *file = raw_make("a", 'A', SECTOR);

    disk_cut(disk);
    disk_restore(disk, false);
    assert_int_equal(raw_try_write(file, 'B', 1, 0), SQLITE_IOERR_WRITE);
    assert_int_equal(file->pMethods->xRead(file, data, 4, 0), SQLITE_IOERR_READ);
    assert_int_equal(file->pMethods->xSync(file, 0), SQLITE_IOERR_FSYNC);
    assert_int_equal(file->pMethods->xTruncate(file, 0), SQLITE_IOERR_TRUNCATE);
    assert_int_equal(file->pMethods->xFileSize(file, &bytes), SQLITE_IOERR_FSTAT);
    assert_int_equal(file->pMethods->xLock(file, SQLITE_LOCK_SHARED), SQLITE_IOERR_LOCK);
    raw_close(file);
    assert_int_equal(disk_bytes(disk), SECTOR);
}

/* --- planted failures, call by call --- */

static void test_disk_counts_open_read_write_sync_truncate_delete_and_what_fails(void **state)
{
    struct disk *disk = *state;
    char data[4];
    sqlite3_file *file = raw_open("a");

    assert_int_equal(disk_calls(disk), 1);
    raw_write(file, 'A', 4, 0);
    assert_int_equal(disk_calls(disk), 2);
    assert_int_equal(file->pMethods->xRead(file, data, 4, 0), SQLITE_OK);
    assert_int_equal(disk_calls(disk), 3);
    raw_sync(file);
    assert_int_equal(disk_calls(disk), 4);
    assert_int_equal(file->pMethods->xTruncate(file, 0), SQLITE_OK);
    assert_int_equal(disk_calls(disk), 5);
    assert_int_equal(raw_bytes(file), 0);
    assert_true(raw_exists("a"));
    assert_int_equal(raw_delete("a", 0), SQLITE_OK);
    assert_int_equal(disk_calls(disk), 6);
    disk_cut(disk);
    assert_int_equal(raw_try_write(file, 'A', 4, 0), SQLITE_IOERR_WRITE);
    assert_int_equal(disk_calls(disk), 7);
    raw_close(file);
}

static void test_disk_fails_at_one_call_only(void **state)
{
    struct disk *disk = *state;
    sqlite3_file *file = raw_make("a", 'A', 4); /* three calls */

    disk_fail_at(disk, 5, false);
    raw_write(file, 'B', 4, 0);
    assert_int_equal(raw_try_write(file, 'C', 4, 0), SQLITE_IOERR_WRITE);
    assert_int_equal(raw_bytes(file), 4);
    raw_write(file, 'D', 4, 4);
    assert_int_equal(raw_bytes(file), 8);
    raw_close(file);
}

static void test_disk_fails_from_a_call_on_until_healed(void **state)
{
    struct disk *disk = *state;
    sqlite3_file *file = raw_make("a", 'A', 4); /* three calls */

    disk_fail_at(disk, 5, true);
    raw_write(file, 'B', 4, 0);
    assert_int_equal(raw_try_write(file, 'C', 4, 0), SQLITE_IOERR_WRITE);
    assert_int_equal(raw_try_write(file, 'C', 4, 0), SQLITE_IOERR_WRITE);
    assert_int_equal(disk_move(disk, "a", "b"), MOTH_EIO);
    assert_null(raw_try_open("a", 0, SQLITE_IOERR));
    disk_heal(disk);
    raw_write(file, 'C', 4, 0);
    raw_close(file);
}

static void test_disk_leaves_writes_unsynced_when_the_sync_fails(void **state)
{
    struct disk *disk = *state;
    unsigned lost = 0;

    for (int i = 0; i < 50; i++) {
        sqlite3_file *file = raw_make("a", 'A', SECTOR);
        raw_write(file, 'B', SECTOR, 0);
        disk_fail_at(disk, disk_calls(disk) + 1, false);
        assert_int_equal(file->pMethods->xSync(file, 0), SQLITE_IOERR_FSYNC);
        file = raw_power_loss(disk, file);
        lost += raw_sector(file, 0) == 'A';
        raw_close(file);
    }
    assert_true(lost > 0);
}

static void test_disk_may_have_done_the_write_at_which_the_power_went(void **state)
{
    struct disk *disk = *state;
    unsigned done = 0;

    for (int i = 0; i < 50; i++) {
        sqlite3_file *file = raw_make("a", 'A', SECTOR);
        disk_cut_at(disk, disk_calls(disk) + 1);
        assert_int_equal(raw_try_write(file, 'B', SECTOR, 0), SQLITE_IOERR_WRITE);
        assert_int_equal(raw_try_write(file, 'C', SECTOR, 0), SQLITE_IOERR_WRITE);
        file = raw_power_loss(disk, file);
        assert_int_not_equal(raw_sector(file, 0), 'C');
        done += raw_sector(file, 0) == 'B';
        raw_close(file);
    }
    assert_true(done > 0);
    assert_true(done < 50);
}

static void test_disk_may_not_have_done_the_sync_at_which_the_power_went(void **state)
{
    struct disk *disk = *state;
    unsigned lost = 0;

    for (int i = 0; i < 50; i++) {
        sqlite3_file *file = raw_make("a", 'A', SECTOR);
        raw_write(file, 'B', SECTOR, 0);
        disk_cut_at(disk, disk_calls(disk) + 1);
        assert_int_equal(file->pMethods->xSync(file, 0), SQLITE_IOERR_FSYNC);
        file = raw_power_loss(disk, file);
        lost += raw_sector(file, 0) == 'A';
        raw_close(file);
    }
    assert_true(lost > 0);
}

static void test_disk_may_not_have_done_the_delete_at_which_the_power_went(void **state)
{
    struct disk *disk = *state;
    unsigned back = 0;

    for (int i = 0; i < 50; i++) {
        raw_close(raw_make("a", 'A', SECTOR));
        disk_cut_at(disk, disk_calls(disk) + 1);
        assert_int_equal(raw_delete("a", 1), SQLITE_IOERR_DELETE);
        disk_restore(disk, true);
        back += raw_exists("a");
    }
    assert_true(back > 0);
    assert_true(back < 50);
}

static void test_disk_says_that_reads_truncates_and_opens_failed_when_the_power_goes_in_them(void **state)
{
    struct disk *disk = *state;
    char letter;
    sqlite3_file *file = raw_make("a", 'A', SECTOR);

    disk_cut_at(disk, disk_calls(disk) + 1);
    assert_int_equal(file->pMethods->xRead(file, &letter, 1, 0), SQLITE_IOERR_READ);
    file = raw_power_loss(disk, file);
    disk_cut_at(disk, disk_calls(disk) + 1);
    assert_int_equal(file->pMethods->xTruncate(file, 0), SQLITE_IOERR_TRUNCATE);
    file = raw_power_loss(disk, file);
    disk_cut_at(disk, disk_calls(disk) + 1);
    raw_close(raw_try_open("a", 0, SQLITE_IOERR));
    disk_restore(disk, false);
    raw_close(file);
}

/* --- files by path --- */

static void test_disk_moves_a_file_over_another_for_good(void **state)
{
    struct disk *disk = *state;
    raw_close(raw_make("a", 'A', SECTOR));
    raw_close(raw_make("b", 'B', 2 * SECTOR));

    assert_int_equal(disk_move(disk, "a", "b"), 0);
    disk_cut(disk);
    disk_restore(disk, true);
    assert_false(raw_exists("a"));
    sqlite3_file *file = raw_open("b");
    assert_int_equal(raw_bytes(file), SECTOR);
    assert_int_equal(raw_sector(file, 0), 'A');
    raw_close(file);
    assert_int_equal(disk_move(disk, "b", "b"), 0);
    assert_true(raw_exists("b"));
}

static void test_disk_removes_a_file_for_good(void **state)
{
    struct disk *disk = *state;
    raw_close(raw_make("a", 'A', SECTOR));
    assert_int_equal(disk_move(disk, "a", NULL), 0);
    disk_cut(disk);
    disk_restore(disk, true);
    assert_false(raw_exists("a"));
    assert_int_equal(disk_bytes(disk), 0);
}

static void test_disk_cannot_move_what_is_not_there(void **state)
{
    assert_int_equal(disk_move(*state, "a", "b"), MOTH_ENOT_FOUND);
    assert_int_equal(disk_move(*state, "a", NULL), MOTH_ENOT_FOUND);
}

static void test_disk_fills_space_with_a_file_of_zeroes_that_stays(void **state)
{
    struct disk *disk = *state;
    assert_int_equal(disk_fill(disk, "a", 16u << 20), 0);
    assert_int_equal(disk_bytes(disk), 16u << 20);
    assert_int_equal(disk_fill(disk, "a", 8u << 20), 0);
    assert_int_equal(disk_bytes(disk), 8u << 20);
    disk_cut(disk);
    disk_restore(disk, true);
    assert_int_equal(disk_bytes(disk), 8u << 20);

    sqlite3_file *file = raw_open("a");
    assert_int_equal(raw_sector(file, 5000), 0);
    raw_write(file, 'A', SECTOR, 3 * SECTOR);
    assert_int_equal(raw_sector(file, 3), 'A');
    assert_int_equal(raw_sector(file, 4), 0);
    assert_int_equal(file->pMethods->xTruncate(file, 2 << 20), SQLITE_OK);
    raw_sync(file);
    assert_int_equal(disk_bytes(disk), 2u << 20);
    raw_close(file);
}

static void test_disk_fills_nothing_where_there_is_no_room(void **state)
{
    struct disk *disk = *state;
    raw_close(raw_make("a", 'A', SECTOR));
    disk_limit(disk, 10 * SECTOR);
    assert_int_equal(disk_fill(disk, "b", 9 * SECTOR + 1), MOTH_ENO_SPACE);
    assert_false(raw_exists("b"));
    assert_int_equal(disk_fill(disk, "b", 9 * SECTOR), 0);
    assert_int_equal(disk_fill(disk, "b", 9 * SECTOR + 1), MOTH_ENO_SPACE);
    assert_int_equal(disk_bytes(disk), 10 * SECTOR);
    disk_limit(disk, 0);
    assert_int_equal(disk_fill(disk, "c", 1), MOTH_ENO_SPACE);
}

static void test_disk_takes_no_byte_above_its_limit_but_lets_old_ones_change(void **state)
{
    struct disk *disk = *state;
    sqlite3_file *file = raw_make("a", 'A', 2 * SECTOR);

    disk_limit(disk, 3 * SECTOR);
    raw_write(file, 'B', SECTOR, 2 * SECTOR);
    assert_int_equal(raw_try_write(file, 'C', 2, 3 * SECTOR - 1), SQLITE_FULL);
    assert_int_equal(raw_sector(file, 2), 'B');
    disk_limit(disk, 0);
    raw_write(file, 'D', SECTOR, 0);
    assert_int_equal(file->pMethods->xTruncate(file, SECTOR), SQLITE_OK);
    disk_limit(disk, UINT64_MAX);
    raw_write(file, 'E', SECTOR, 9 * SECTOR);
    raw_close(file);
}

static void test_disk_copies_all_files_as_they_are(void **state)
{
    struct disk *disk = *state, *other = disk_new("other", 2);
    sqlite3_file *file = raw_make("a", 'A', SECTOR);
    raw_write(file, 'B', SECTOR, 0);
    raw_close(file);
    raw_close(raw_make("gone", 'C', SECTOR));
    assert_int_equal(raw_delete("gone", 0), SQLITE_OK);
    assert_int_equal(disk_fill(disk, "ballast", 1u << 20), 0);
    assert_int_equal(disk_fill(other, "replaced", 77), 0);

    disk_copy(disk, other);
    assert_int_equal(disk_bytes(other), SECTOR + (1u << 20));
    disk_copy(other, disk);
    for (int i = 0; i < 20; i++) {
        disk_cut(disk);
        disk_restore(disk, true);
    }
    assert_int_equal(disk_bytes(disk), SECTOR + (1u << 20));
    file = raw_open("a");
    assert_int_equal(raw_sector(file, 0), 'B');
    raw_close(file);
    disk_free(other);
}

/* --- a database on it --- */

static const char *const wal = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                               "PRAGMA wal_autocheckpoint=12;";
static const char *const journal = "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA;";
static const char *const careless = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;";

struct ledger {
    unsigned tried; /* the highest row */
    bool promised[2 * ROWS + 1];
};

static int run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int64_t ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t answer = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return answer;
}

static bool is_sound(sqlite3 *db, const char *check)
{
    sqlite3_stmt *statement = NULL;
    bool sound = sqlite3_prepare_v2(db, check, -1, &statement, NULL) == SQLITE_OK &&
                 sqlite3_step(statement) == SQLITE_ROW &&
                 strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
    sqlite3_finalize(statement);
    return sound;
}

static int open_database(sqlite3 **db, const char *pragmas)
{
    int rc = sqlite3_open_v2(PATH, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NAME);
    if (rc == SQLITE_OK) rc = run(*db, pragmas);
    if (rc == SQLITE_OK)
        rc = run(*db, "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS row (n INTEGER PRIMARY KEY, body TEXT);"
                      "CREATE INDEX IF NOT EXISTS row_body ON row (body);"
                      "CREATE TABLE IF NOT EXISTS total (id INTEGER PRIMARY KEY, rows INTEGER);"
                      "INSERT OR IGNORE INTO total VALUES (1, 0); COMMIT");
    return rc;
}

/* One row and the number of all, in one transaction. Each third body takes several pages. */
static int add_row(sqlite3 *db, unsigned n)
{
    char sql[512];
    snprintf(sql, sizeof sql, "BEGIN IMMEDIATE;"
             "INSERT INTO row VALUES (%u, printf('%%.*c', %u, '%c') || %u);"
             "UPDATE total SET rows = rows + 1; COMMIT", n, n % 3 ? 80 : 6000, 'a' + n % 26, n);
    int rc = run(db, sql);
    if (!sqlite3_get_autocommit(db)) run(db, "ROLLBACK");
    return rc;
}

static int add_rows(sqlite3 *db, struct ledger *l, unsigned count, bool goes_on)
{
    int rc = SQLITE_OK;
    for (unsigned i = 0; i < count && (rc == SQLITE_OK || goes_on); i++) {
        rc = add_row(db, ++l->tried);
        l->promised[l->tried] = rc == SQLITE_OK;
    }
    return rc;
}

/* Opens the database, writes what is to be written, closes it; errors end it early, or not, with `goes_on`. */
static void work(struct ledger *l, const char *pragmas, bool goes_on)
{
    sqlite3 *db;
    if (open_database(&db, pragmas) == SQLITE_OK) add_rows(db, l, ROWS, goes_on);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static unsigned count_lost(sqlite3 *db, const struct ledger *l)
{
    unsigned lost = 0;
    for (unsigned n = 1; n <= l->tried; n++) {
        char sql[160];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM row WHERE n = %u AND body = printf('%%.*c', %u, '%c') || n", n,
                 n % 3 ? 80 : 6000, 'a' + n % 26);
        lost += l->promised[n] && ask(db, sql) != 1;
    }
    return lost;
}

static void check_promises(const struct ledger *l, const char *pragmas)
{
    sqlite3 *db;
    assert_int_equal(open_database(&db, pragmas), SQLITE_OK);
    assert_true(is_sound(db, "PRAGMA integrity_check"));
    assert_int_equal(count_lost(db, l), 0);
    assert_true(ask(db, "SELECT count(*) FROM row") == ask(db, "SELECT rows FROM total"));
    assert_true(ask(db, "SELECT coalesce(max(n), 0) FROM row") <= l->tried);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* The power goes at that call; and again, a little later, while all is being recovered. */
static bool survives_power_loss_at(uint64_t call, uint64_t seed, const char *pragmas)
{
    struct ledger l = {0};
    struct disk *disk = disk_new(NAME, seed);
    disk_cut_at(disk, call);
    work(&l, pragmas, false);
    bool reached = disk_calls(disk) >= call;

    disk_restore(disk, true);
    disk_cut_at(disk, disk_calls(disk) + 1 + (call * 7 + seed) % 40);
    work(&l, pragmas, false);
    disk_restore(disk, true);
    disk_heal(disk);
    check_promises(&l, pragmas);
    disk_free(disk);
    return reached;
}

static void survive_power_loss_at_every_call(const char *pragmas)
{
    uint64_t call = 1;
    bool reached = true;
    for (; reached; call++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) reached = survives_power_loss_at(call, seed, pragmas);
    assert_true(call > 200);
}

static void test_disk_cut_at_every_call_costs_no_promise_in_wal_mode(void **state)
{
    (void)state;
    survive_power_loss_at_every_call(wal);
}

static void test_disk_cut_at_every_call_costs_no_promise_with_a_rollback_journal(void **state)
{
    (void)state;
    survive_power_loss_at_every_call(journal);
}

/* The same harness must be able to fail: without syncs promises are lost. */
static void test_disk_makes_a_database_that_does_not_sync_lose_promises(void **state)
{
    unsigned lost = 0;
    (void)state;

    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct ledger l = {0};
        sqlite3 *db;
        struct disk *disk = disk_new(NAME, seed);
        assert_int_equal(open_database(&db, careless), SQLITE_OK);
        add_rows(db, &l, ROWS, false);
        disk_cut(disk);
        sqlite3_close(db);
        disk_restore(disk, true);
        if (open_database(&db, careless) != SQLITE_OK) lost++;
        else lost += count_lost(db, &l) > 0;
        sqlite3_close(db);
        disk_free(disk);
    }
    assert_true(lost > 5);
}

/* With `after` all calls from that one on fail, else only that one. Then all is well again, or the power goes, too. */
static bool survives_failure_at(uint64_t call, bool after, bool lose)
{
    struct ledger l = {0};
    struct disk *disk = disk_new(NAME, call);
    disk_fail_at(disk, call, after);
    work(&l, wal, true);
    bool reached = disk_calls(disk) >= call;

    disk_heal(disk);
    if (lose) disk_restore(disk, true);
    check_promises(&l, wal);
    work(&l, wal, false);
    assert_true(l.promised[l.tried]);
    check_promises(&l, wal);
    disk_free(disk);
    return reached;
}

static void survive_failures_at_every_call(bool after)
{
    uint64_t call = 1;
    while (survives_failure_at(call, after, false) && survives_failure_at(call, after, true)) call++;
    assert_true(call > 200);
}

static void test_disk_failing_once_at_every_call_costs_no_promise(void **state)
{
    (void)state;
    survive_failures_at_every_call(false);
}

static void test_disk_failing_from_every_call_on_costs_no_promise(void **state)
{
    (void)state;
    survive_failures_at_every_call(true);
}

static void test_disk_loses_no_row_of_a_killed_process(void **state)
{
    struct disk *disk = *state;
    struct ledger l = {0};
    sqlite3 *db;

    assert_int_equal(open_database(&db, careless), SQLITE_OK);
    assert_int_equal(add_rows(db, &l, ROWS, false), SQLITE_OK);
    disk_cut(disk);
    assert_int_equal(add_row(db, ROWS + 1) & 0xff, SQLITE_IOERR);
    sqlite3_close(db);
    disk_restore(disk, false);
    check_promises(&l, careless);
}

static void test_disk_full_is_said_and_ends_with_more_room(void **state)
{
    struct disk *disk = *state;
    struct ledger l = {0};
    sqlite3 *db;

    assert_int_equal(open_database(&db, wal), SQLITE_OK);
    assert_int_equal(add_rows(db, &l, 5, false), SQLITE_OK);
    disk_limit(disk, disk_bytes(disk) + 20000);
    assert_int_equal(add_rows(db, &l, ROWS, false), SQLITE_FULL);
    assert_true(disk_bytes(disk) > 0);
    disk_limit(disk, UINT64_MAX);
    assert_int_equal(add_rows(db, &l, 5, false), SQLITE_OK);
    sqlite3_close(db);
    check_promises(&l, wal);
}

static void test_disk_full_at_every_size_costs_no_promise(void **state)
{
    (void)state;
    for (uint64_t bytes = 0; bytes < 200000; bytes += 1500) {
        struct ledger l = {0};
        struct disk *disk = disk_new(NAME, bytes);
        disk_limit(disk, bytes);
        work(&l, wal, true);
        disk_restore(disk, true);
        disk_limit(disk, UINT64_MAX);
        check_promises(&l, wal);
        disk_free(disk);
    }
}

static bool passes_quick_check(void)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open_v2(PATH, &db, SQLITE_OPEN_READWRITE, NAME), SQLITE_OK);
    assert_int_equal(run(db, "PRAGMA locking_mode=EXCLUSIVE"), SQLITE_OK);
    bool sound = is_sound(db, "PRAGMA quick_check");
    sqlite3_close(db);
    return sound;
}

static void test_disk_damage_is_found_by_a_quick_check(void **state)
{
    struct disk *disk = *state;
    sqlite3 *db;
    struct ledger l = {0};

    work(&l, wal, false);
    assert_true(passes_quick_check());
    assert_int_equal(disk_damage(disk, PATH, 3, 2), 0);
    assert_false(passes_quick_check());

    assert_int_equal(disk_damage(disk, PATH, 1000, 0), 0);
    assert_int_equal(open_database(&db, wal), SQLITE_NOTADB);
    sqlite3_close(db);
}

static void test_disk_damage_flips_one_bit_of_each_page_meant(void **state)
{
    struct disk *disk = *state;
    char data[6 * 4096];
    sqlite3_file *file = raw_open("a");
    for (int page = 0; page < 6; page++) raw_write(file, 'A', 4096, page * 4096);
    raw_sync(file);

    assert_int_equal(disk_damage(disk, "b", 1, 0), MOTH_ENOT_FOUND);
    assert_int_equal(disk_damage(disk, "a", 2, 1), 0);
    assert_int_equal(file->pMethods->xRead(file, data, sizeof data, 0), SQLITE_OK);
    for (int page = 0; page < 6; page++) {
        int bits = 0;
        for (int i = 0; i < 4096; i++) bits += __builtin_popcount((unsigned)(data[page * 4096 + i] ^ 'A'));
        assert_int_equal(bits, page % 2);
    }
    raw_close(file);
}

static void test_disk_carries_temporary_files_of_sqlite(void **state)
{
    struct disk *disk = *state;
    sqlite3 *db;

    assert_int_equal(open_database(&db, wal), SQLITE_OK);
    uint64_t before = disk_bytes(disk);
    assert_int_equal(run(db, "PRAGMA temp_store=FILE; CREATE TEMP TABLE many (x); PRAGMA temp.cache_size=2;"
                             "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 3000)"
                             "INSERT INTO many SELECT hex(zeroblob(100)) || i FROM c"), SQLITE_OK);
    assert_true(disk_bytes(disk) > before + 100000);
    assert_int_equal(ask(db, "SELECT count(DISTINCT x) FROM many"), 3000);
    sqlite3_close(db);
    assert_true(disk_bytes(disk) < 100000);
}

static void test_disk_moves_a_database_and_a_copy_of_it_lives_on(void **state)
{
    struct ledger l = {0};
    struct disk *disk = *state, *other = disk_new("other", 2);

    work(&l, wal, false);
    disk_copy(disk, other);
    assert_int_equal(disk_move(disk, PATH, "/home/aside"), 0);
    sqlite3 *db;
    assert_int_equal(open_database(&db, wal), SQLITE_OK);
    assert_int_equal(ask(db, "SELECT count(*) FROM row"), 0);
    sqlite3_close(db);
    disk_copy(other, disk);
    check_promises(&l, wal);
    disk_free(other);
}

/* --- again and again --- */

/* FNV-1a over the bytes of a file; 0 when it is not there. */
static uint64_t hash_file(const char *path)
{
    uint64_t h = 0xcbf29ce484222325u;
    char data[SECTOR];
    if (!raw_exists(path)) return 0;
    sqlite3_file *file = raw_try_open(path, 0, SQLITE_OK);
    for (int at = 0; at < raw_bytes(file); at += SECTOR) {
        file->pMethods->xRead(file, data, SECTOR, at);
        for (int i = 0; i < SECTOR; i++) h = (h ^ (unsigned char)data[i]) * 0x100000001b3u;
    }
    raw_close(file);
    return h;
}

struct trace {
    uint64_t calls, database, log;
};

static struct trace trace_of(uint64_t seed)
{
    struct trace t;
    struct ledger l = {0};
    struct disk *disk = disk_new(NAME, seed);
    disk_cut_at(disk, 150);
    work(&l, wal, false);
    disk_restore(disk, true);
    t.calls = disk_calls(disk);
    t.database = hash_file(PATH);
    t.log = hash_file(PATH "-wal");
    disk_free(disk);
    return t;
}

static void test_disk_repeats_itself_to_the_byte_for_the_same_seed(void **state)
{
    unsigned others = 0;
    (void)state;

    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct trace a = trace_of(seed), b = trace_of(seed), c = trace_of(seed + 1);
        assert_true(a.calls == b.calls);
        assert_true(a.database == b.database);
        assert_true(a.log == b.log);
        others += a.log != c.log;
    }
    assert_true(others > 5);
}

#define DISK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISK(test_disk_reads_what_was_written_and_zeroes_beyond),
        DISK(test_disk_has_zeroes_where_a_file_was_shortened_and_grew_again),
        DISK(test_disk_opens_only_what_is_there_unless_asked_to_make_it),
        DISK(test_disk_says_no_such_file_when_there_is_nothing_to_delete),
        DISK(test_disk_lets_a_deleted_file_live_while_it_is_open),
        DISK(test_disk_drops_temporary_files_when_they_are_closed),
        DISK(test_disk_takes_paths_of_512_bytes_and_refuses_longer_ones),
        DISK(test_disk_draws_the_same_randomness_from_the_same_seed),
        DISK(test_disk_stands_at_one_time_and_never_sleeps),
        DISK(test_disk_keeps_what_was_synced),
        DISK(test_disk_tears_a_write_at_sectors_drops_it_or_keeps_it),
        DISK(test_disk_never_harms_the_bytes_beside_a_torn_write),
        DISK(test_disk_may_keep_a_later_write_and_lose_an_earlier_one),
        DISK(test_disk_may_forget_a_growth),
        DISK(test_disk_may_forget_a_shortening),
        DISK(test_disk_never_lengthens_by_a_shortening_whose_growth_was_lost),
        DISK(test_disk_may_lose_a_file_that_was_never_synced),
        DISK(test_disk_may_bring_back_a_file_deleted_without_a_sync),
        DISK(test_disk_never_brings_back_a_file_deleted_with_a_sync),
        DISK(test_disk_ends_a_ghost_with_the_first_sync_of_a_new_file),
        DISK(test_disk_has_the_old_or_the_new_file_of_a_name_never_both),
        DISK(test_disk_loses_nothing_with_a_killed_process_but_may_with_a_later_power_loss),
        DISK(test_disk_fails_every_call_while_the_power_is_off),
        DISK(test_disk_refuses_handles_of_an_earlier_life),
        DISK(test_disk_counts_open_read_write_sync_truncate_delete_and_what_fails),
        DISK(test_disk_fails_at_one_call_only),
        DISK(test_disk_fails_from_a_call_on_until_healed),
        DISK(test_disk_leaves_writes_unsynced_when_the_sync_fails),
        DISK(test_disk_may_have_done_the_write_at_which_the_power_went),
        DISK(test_disk_may_not_have_done_the_sync_at_which_the_power_went),
        DISK(test_disk_may_not_have_done_the_delete_at_which_the_power_went),
        DISK(test_disk_says_that_reads_truncates_and_opens_failed_when_the_power_goes_in_them),
        DISK(test_disk_moves_a_file_over_another_for_good),
        DISK(test_disk_removes_a_file_for_good),
        DISK(test_disk_cannot_move_what_is_not_there),
        DISK(test_disk_fills_space_with_a_file_of_zeroes_that_stays),
        DISK(test_disk_fills_nothing_where_there_is_no_room),
        DISK(test_disk_takes_no_byte_above_its_limit_but_lets_old_ones_change),
        DISK(test_disk_copies_all_files_as_they_are),
        cmocka_unit_test(test_disk_cut_at_every_call_costs_no_promise_in_wal_mode),
        cmocka_unit_test(test_disk_cut_at_every_call_costs_no_promise_with_a_rollback_journal),
        cmocka_unit_test(test_disk_makes_a_database_that_does_not_sync_lose_promises),
        cmocka_unit_test(test_disk_failing_once_at_every_call_costs_no_promise),
        cmocka_unit_test(test_disk_failing_from_every_call_on_costs_no_promise),
        DISK(test_disk_loses_no_row_of_a_killed_process),
        DISK(test_disk_full_is_said_and_ends_with_more_room),
        cmocka_unit_test(test_disk_full_at_every_size_costs_no_promise),
        DISK(test_disk_damage_is_found_by_a_quick_check),
        DISK(test_disk_damage_flips_one_bit_of_each_page_meant),
        DISK(test_disk_carries_temporary_files_of_sqlite),
        DISK(test_disk_moves_a_database_and_a_copy_of_it_lives_on),
        cmocka_unit_test(test_disk_repeats_itself_to_the_byte_for_the_same_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
