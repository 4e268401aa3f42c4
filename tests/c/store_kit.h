/* store_kit.h -- what tests of the database share: a host of its own for one store, and a script of writes.
 *
 * The worker is a list of one: what a tick starts waits until a test runs it (`kit_run`) and then lets it be told
 * (`kit_done`), so that any moment in between can be looked at. The disk is imagined, or a real temporary folder. Times
 * go where a test puts them.
 *
 * The script is one sequence of writes of all kinds that are not the store's own housekeeping. After any crash the
 * database must look as it does after some first part of the script, and that part must hold all that was told to be
 * committed: `script_looks` knows how each first part looks. */
#ifndef TESTS_STORE_KIT_H
#define TESTS_STORE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "node/peers.h"
#include "node/store_db.h"
#include "node/store_disk.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOME "/home"
#define MS 1000u
#define SECOND 1000000u
#define DAY_MS 86400000u
#define NOON_MS 1700000000000u
#define CONDITIONS 64

#define DEALINGS 32

struct kit {
    struct moth_host host;
    struct disk *disk;  /* owned; NULL: a real folder */
    char folder[64];
    struct store store;
    struct store_report report;
    struct dealings dealings[DEALINGS]; /* of peers that no book holds */
    unsigned dealings_count;
    uint64_t limits[MOTH_LIMIT_COUNT];
    uint64_t now_us, wall_ms;
    void (*run)(void *job), (*done)(void *job); /* work that waits; NULL: none */
    void *job;
    int conditions[CONDITIONS]; /* as they were told */
    unsigned condition_count;
    unsigned written, told;     /* writes given, and those told to be committed, in the same order */
    int64_t last_result;        /* of the last one told */
    unsigned moves, last_move;  /* files moved; last_move: after that many all fail, 0: never */
    bool damaged;               /* as the next opening is told */
};

/* --- the host --- */

static inline uint64_t kit_now_us(void *context)
{
    return ((struct kit *)context)->now_us;
}

static inline uint64_t kit_wall_ms(void *context)
{
    return ((struct kit *)context)->wall_ms;
}

static inline void kit_work(void *context, void (*run)(void *job), void (*done)(void *job), void *job)
{
    struct kit *k = context;
    assert_null(k->run);
    assert_null(k->done);
    k->run = run;
    k->done = done;
    k->job = job;
}

static inline const char *kit_path(const struct kit *k, const char *name)
{
    static char paths[4][160];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", k->host.home, name);
    return path;
}

static inline int kit_file_move(void *context, const char *name, const char *to)
{
    struct kit *k = context;
    const char *from = kit_path(k, name);
    if (k->last_move && k->moves >= k->last_move) return MOTH_EIO;
    k->moves++;
    if (k->disk) return disk_move(k->disk, from, to ? kit_path(k, to) : NULL);
    return (to ? rename(from, kit_path(k, to)) : unlink(from)) == 0 ? 0 : MOTH_ENOT_FOUND;
}

static inline int kit_file_fill(void *context, const char *name, size_t bytes)
{
    struct kit *k = context;
    if (k->disk) return disk_fill(k->disk, kit_path(k, name), bytes);
    int fd = open(kit_path(k, name), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    int rc = fd >= 0 && posix_fallocate(fd, 0, (off_t)bytes) == 0 ? 0 : MOTH_ENO_SPACE;
    if (fd >= 0) close(fd);
    return rc;
}

static inline int kit_file_write(void *context, const char *name, const void *data, size_t bytes)
{
    struct kit *k = context;
    assert_int_equal(bytes, 0); /* whatever else a database needs, SQLite writes it */
    if (k->disk) return disk_fill(k->disk, kit_path(k, name), 0);
    int fd = open(kit_path(k, name), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (fd >= 0) close(fd);
    (void)data;
    return fd >= 0 ? 0 : MOTH_EIO;
}

static inline void kit_log(void *context, enum moth_log_level level, const char *text)
{
    (void)context, (void)level, (void)text;
}

static inline void kit_on_condition(void *owner, int reason)
{
    struct kit *k = owner;
    assert_true(k->condition_count < CONDITIONS);
    if (k->condition_count > 0) assert_int_not_equal(k->conditions[k->condition_count - 1], reason);
    assert_int_equal(k->store.reason, reason);
    k->conditions[k->condition_count++] = reason;
}

/* --- coming and going --- */

static inline struct kit *kit_new(const char *home, const char *vfs)
{
    struct kit *k = mem_new(sizeof *k);
    k->host = (struct moth_host){.context = k, .now_us = kit_now_us, .wall_ms = kit_wall_ms, .work = kit_work,
                                 .file_write = kit_file_write, .file_move = kit_file_move,
                                 .file_fill = kit_file_fill, .home = home, .vfs = vfs, .log = kit_log};
    for (int i = 0; i < MOTH_LIMIT_COUNT; i++) k->limits[i] = moth_limit_info((enum moth_limit)i)->value;
    k->limits[MOTH_LIMIT_BALLAST_BYTES] = 65536;
    k->now_us = 77 * (uint64_t)SECOND;
    k->wall_ms = NOON_MS;
    return k;
}

/* Of a name of its own: a test that fails leaves its disk behind. */
static inline struct disk *kit_disk(uint64_t seed)
{
    static unsigned count;
    char name[32];
    snprintf(name, sizeof name, "imagined-%u", count++);
    return disk_new(name, seed);
}

static inline struct kit *kit_on_disk(uint64_t seed)
{
    struct kit *k = kit_new(HOME, NULL);
    k->disk = kit_disk(seed);
    k->host.vfs = disk_name(k->disk);
    return k;
}

static inline struct kit *kit_in_folder(void)
{
    char folder[] = "/tmp/test-store-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct kit *k = kit_new(NULL, NULL);
    memcpy(k->folder, folder, sizeof folder);
    k->host.home = k->folder;
    return k;
}

static inline int kit_try_open(struct kit *k)
{
    struct store_setup setup = {.damaged = k->damaged, .host = &k->host, .limits = k->limits, .owner = k,
                                .on_condition = kit_on_condition};
    k->condition_count = 0;
    return store_open(&k->store, &setup, &k->report);
}

static inline void kit_open(struct kit *k)
{
    assert_int_equal(kit_try_open(k), 0);
    assert_string_equal(k->report.aside, "");
}

static inline void kit_run(struct kit *k)
{
    assert_non_null(k->run);
    k->run(k->job);
    k->run = NULL;
}

static inline void kit_done(struct kit *k)
{
    void (*done)(void *job) = k->done;
    assert_null(k->run);
    assert_non_null(done);
    k->done = NULL;
    done(k->job);
}

static inline uint64_t kit_tick(struct kit *k)
{
    return store_tick(&k->store, k->now_us);
}

static inline void kit_pass(struct kit *k, uint64_t us)
{
    k->now_us += us;
    k->wall_ms += us / MS;
}

/* A tick, and what it starts is finished at once. */
static inline void kit_turn(struct kit *k)
{
    kit_tick(k);
    if (k->run) kit_run(k);
    if (k->done) kit_done(k);
}

/* All that waits is committed. */
static inline void kit_commit(struct kit *k)
{
    do {
        kit_pass(k, 10 * MS);
        kit_turn(k);
        assert_int_equal(k->store.reason, 0);
    } while (!store_is_idle(&k->store) || k->store.pruning);
}

static inline void kit_close(struct kit *k)
{
    store_close(&k->store, true);
}

/* The process dies: nothing more is written, and all that was is there. */
static inline void kit_kill(struct kit *k)
{
    disk_cut(k->disk);
    if (k->run) kit_run(k);
    if (k->done) kit_done(k);
    kit_close(k);
    disk_restore(k->disk, false);
    k->written = k->told;
}

static inline void kit_reopen(struct kit *k)
{
    kit_close(k);
    kit_open(k);
}

static inline void kit_remove_folder(const struct kit *k)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", k->folder);
    assert_int_equal(system(command), 0);
}

static inline void kit_free(struct kit *k)
{
    assert_null(k->done);
    kit_close(k);
    if (k->folder[0]) kit_remove_folder(k);
    disk_free(k->disk);
    free(k);
}

/* --- writes --- */

static inline void kit_told(void *owner, const struct store_write *w)
{
    struct kit *k = owner;
    assert_int_equal((uintptr_t)w->subject, k->told); /* in the order they were given */
    k->told++;
    k->last_result = w->result;
    if (w->kind == STORE_INBOX) k->store.delivered_count++;
}

static inline void kit_write(struct kit *k, struct store_write *w)
{
    w->done = kit_told;
    w->subject = (void *)(uintptr_t)k->written++;
    store_write(&k->store, w);
}

static inline struct moth_id kit_id(uint64_t row)
{
    struct moth_id id = {{0}};
    put_uint(id.bytes, row, 8);
    return id;
}

static inline struct store_write *write_peer(int64_t row, int64_t kept, int64_t seen_ms, const char *about,
                                             const char *advert)
{
    struct moth_id id = kit_id((uint64_t)row);
    struct slice blobs[] = {slice_of(id.bytes, MOTH_ID_BYTES), slice_text(about),
                            advert ? slice_text(advert) : slice_of(NULL, 0)};
    return store_write_new(STORE_PEER, (int64_t[]){row, kept, seen_ms}, 3, blobs, 3);
}

static inline struct store_write *write_message(int64_t id, int64_t peer, const char *body)
{
    struct slice blob = slice_text(body);
    int64_t bytes = (int64_t)blob.bytes;
    return store_write_new(STORE_MESSAGE, (int64_t[]){id, peer, 1, 2, 3600, 5, 1000 + id, NOON_MS + id, 0, 0, bytes,
                                                      bytes}, 12, &blob, 1);
}

static inline struct store_write *write_state(int64_t id, enum moth_state state, int reason, const char *carriers)
{
    struct slice blob = carriers ? slice_text(carriers) : slice_of(NULL, 0);
    return store_write_new(STORE_MESSAGE_STATE, (int64_t[]){id, 11, 3, 22, state, reason, NOON_MS + 7, 4}, 8, &blob, 1);
}

static inline struct store_write *write_arrival(int64_t row, int64_t peer, int64_t id, int64_t day, const char *body)
{
    struct slice blob = slice_text(body);
    return store_write_new(STORE_INBOX, (int64_t[]){row, peer, id, 2, 3, NOON_MS + row, ARRIVAL_NEW, 1,
                                                    (int64_t)blob.bytes, day}, 10, &blob, 1);
}

static inline struct store_write *write_pair(enum store_kind kind, int64_t a, int64_t b)
{
    return store_write_new(kind, (int64_t[]){a, b}, 2, NULL, 0);
}

static inline struct store_write *write_kv(enum store_kind kind, const char *space, const char *key, const char *value)
{
    struct slice blobs[] = {slice_text(space), slice_text(key), slice_text(value)};
    return store_write_new(kind, NULL, 0, blobs, 3);
}

static inline struct store_write *write_job(int64_t job, int64_t due_ms, const char *name)
{
    struct slice blobs[] = {slice_text(name), slice_text("arguments")};
    return store_write_new(STORE_JOB, (int64_t[]){job, due_ms}, 2, blobs, 2);
}

/* --- peers and what they delivered --- */

static inline struct peer peer_of(int64_t row)
{
    return (struct peer){.row = row, .id = kit_id((uint64_t)row)};
}

static inline struct dealings *deal(struct kit *k, struct peer *p)
{
    assert_true(p->dealings || k->dealings_count < DEALINGS);
    if (!p->dealings) p->dealings = &k->dealings[k->dealings_count++];
    return p->dealings;
}

/* As inbox.c does. */
static inline void deliver(struct kit *k, struct peer *p, uint64_t id)
{
    int64_t day = (int64_t)(store_clock_ms(&k->store) / DAY_MS);
    kit_write(k, write_arrival(++k->store.last_inbox_row, p->row, (int64_t)id, day, "x"));
    if (id > deal(k, p)->delivered_top) p->dealings->delivered_top = id;
}

static inline int delivered(struct kit *k, struct peer *p, uint64_t id)
{
    deal(k, p);
    return store_delivered(&k->store, p, id);
}

static inline void know(struct kit *k, int64_t peers)
{
    for (int64_t row = 1; row <= peers; row++) kit_write(k, write_peer(row, 0, 0, "about", NULL));
    kit_commit(k);
}

/* --- looking into the database --- */

static inline int64_t kit_ask(const struct kit *k, const char *sql)
{
    int64_t answer = 0;
    assert_int_equal(db_get(k->store.db->reader, sql, &answer), 0);
    return answer;
}

static inline int64_t kit_count(const struct kit *k, const char *table)
{
    char sql[64];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    return kit_ask(k, sql);
}

static inline void kit_check_integrity(const struct kit *k)
{
    assert_int_equal(kit_ask(k, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    assert_int_equal(kit_ask(k, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

/* Eight bytes at a time, for there are many looks. */
static inline uint64_t look_on(uint64_t look, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    for (; bytes > 0; at += bytes < 8 ? bytes : 8, bytes -= bytes < 8 ? bytes : 8) {
        uint64_t word = 0;
        memcpy(&word, at, bytes < 8 ? bytes : 8);
        look = (look ^ word) * 0x9e3779b97f4a7c15u;
        look ^= look >> 29;
    }
    return look;
}

static inline uint64_t look_at(sqlite3 *c, const char *sql, uint64_t look)
{
    sqlite3_stmt *q = NULL;
    assert_int_equal(sqlite3_prepare_v2(c, sql, -1, &q, NULL), SQLITE_OK);
    while (sqlite3_step(q) == SQLITE_ROW)
        for (int column = 0; column < sqlite3_column_count(q); column++) {
            int type = sqlite3_column_type(q, column);
            const void *value = sqlite3_column_blob(q, column);
            look = look_on(look, &type, sizeof type);
            look = look_on(look, value, (size_t)sqlite3_column_bytes(q, column));
        }
    assert_int_equal(sqlite3_finalize(q), SQLITE_OK);
    return look;
}

/* A hash over all rows but those of `meta`, which every group touches. */
static inline uint64_t kit_look(const struct kit *k)
{
    static const char *const all[] = {
        "SELECT 1, * FROM peers ORDER BY peer", "SELECT 2, * FROM offline_messages ORDER BY id",
        "SELECT 3, * FROM schedule_messages ORDER BY id", "SELECT 4, * FROM inbox ORDER BY row",
        "SELECT 5, * FROM delivered ORDER BY peer, id", "SELECT 6, * FROM script_data ORDER BY space, key",
        "SELECT 7, * FROM script_jobs ORDER BY job"};
    uint64_t look = 0xcbf29ce484222325u;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) look = look_at(k->store.db->reader, all[i], look);
    return look;
}

/* --- the script --- */

#define SCRIPT_ROUNDS 8
#define SCRIPT_STEPS 14
#define SCRIPT_WRITES (SCRIPT_ROUNDS * SCRIPT_STEPS)

static inline struct store_write *script_message(int64_t id, int64_t peer)
{
    char body[6000];
    size_t bytes = id % 3 == 0 ? sizeof body - 1 : 60; /* some take several pages */
    memset(body, 'a' + (char)(id % 26), bytes);
    body[bytes] = '\0';
    return write_message(id, peer, body);
}

static inline struct store_write *script_write(unsigned number)
{
    int64_t round = number / SCRIPT_STEPS + 1, id = 10 * round;
    char key[16];
    snprintf(key, sizeof key, "key-%d", (int)round);
    switch (number % SCRIPT_STEPS) {
    case 0: return write_peer(round, round % 2, NOON_MS + round, "about", round % 3 ? "advert" : NULL);
    case 1: return script_message(id, round);
    case 2: return script_message(id + 1, round);
    case 3: return write_state(id, MOTH_SENT, 0, "carriers");
    case 4: return write_arrival(round, round, 1000 * round, round, "arrived");
    case 5: return write_pair(STORE_INBOX_STARTS, round, 2);
    case 6: return write_kv(STORE_KV, "space", key, "value");
    case 7: return write_job(round, 1000 - round, "name");
    case 8: return write_state(id, MOTH_EXPIRED, MOTH_EEXPIRED, NULL);
    case 9: return write_pair(STORE_MESSAGE_LATE, id, NOON_MS + 9);
    case 10: return write_pair(STORE_INBOX_STATE, round, ARRIVAL_HANDLED);
    case 11: return write_pair(STORE_MESSAGE_DROP, round > 1 ? id - 10 : 0, 0);
    case 12: return round % 2 ? write_kv(STORE_KV_DROP, "space", key, "") : write_pair(STORE_JOB_DROP, round - 1, 0);
    default: return write_pair(STORE_MARK, 0, 0);
    }
}

/* looks[n]: after the first n writes. */
static inline void script_looks(uint64_t looks[SCRIPT_WRITES + 1])
{
    struct kit *k = kit_on_disk(1);
    kit_open(k);
    looks[0] = kit_look(k);
    for (unsigned i = 0; i < SCRIPT_WRITES; i++) {
        kit_write(k, script_write(i));
        kit_commit(k);
        looks[i + 1] = kit_look(k);
    }
    kit_free(k);
}

#endif
