/* store_part.c -- the store for programs, include/moth/store.h: small, and with nobody's thread but the caller's.
 *
 * It opens as the node's database does (store_db.c) and is then locked against other openers, so that counts kept in
 * memory stay true. What is asked of a body of thousands of messages, how many and how big, stands in the schedule and
 * not beside the bodies: counting reads no body. After a write that failed nobody knows what of it is on the disk, so
 * both are counted anew before the next one. */
#include "moth/store.h"

#include "base/mem.h"
#include "node/store_db.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define APPLICATION 0x6d6f7061 /* "mopa" */
#define VERSION 1
#define FILE_NAME_BYTES (MOTH_STORE_NAME_MAX + 8)

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE offline_messages (id INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL);"
    "CREATE TABLE schedule_messages ("
    " id INTEGER PRIMARY KEY REFERENCES offline_messages ON DELETE CASCADE, recipient TEXT NOT NULL,"
    " bytes INTEGER NOT NULL, put_time INTEGER NOT NULL, expiry_time INTEGER NOT NULL,"
    " last_tried INTEGER NOT NULL DEFAULT 0, retry_count INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX schedule_messages_of ON schedule_messages (recipient, id);"
    "CREATE INDEX schedule_messages_until ON schedule_messages (expiry_time) WHERE expiry_time > 0;"
    "PRAGMA application_id = 0x6d6f7061; PRAGMA user_version = 1;"
    "COMMIT;";

enum statement { PUT_BODY, PUT_SCHEDULE, GET, BODY, DROP, PENDING, PENDING_OF, TRIED, EXPIRE, STATEMENTS };

#define FIELDS "id, recipient, bytes, put_time, expiry_time, last_tried, retry_count"

static const char *const texts[STATEMENTS] = {
    [PUT_BODY] = "INSERT INTO offline_messages (body) VALUES (?1)",
    [PUT_SCHEDULE] = "INSERT INTO schedule_messages (id, recipient, bytes, put_time, expiry_time)"
                     " VALUES (?1, ?2, ?3, ?4, ?5)",
    [GET] = "SELECT " FIELDS " FROM schedule_messages WHERE id = ?1",
    [BODY] = "SELECT body FROM offline_messages WHERE id = ?1",
    [DROP] = "DELETE FROM offline_messages WHERE id = ?1",
    [PENDING] = "SELECT " FIELDS " FROM schedule_messages ORDER BY id LIMIT ?1",
    [PENDING_OF] = "SELECT " FIELDS " FROM schedule_messages WHERE recipient = ?2 ORDER BY id LIMIT ?1",
    [TRIED] = "UPDATE schedule_messages SET retry_count = retry_count + 1, last_tried = ?2 WHERE id = ?1",
    [EXPIRE] = "DELETE FROM offline_messages WHERE id IN"
               " (SELECT id FROM schedule_messages WHERE expiry_time > 0 AND expiry_time <= ?1)",
};

struct moth_store {
    const struct moth_host *host; /* borrowed */
    sqlite3 *db;                  /* owned, and so are the statements */
    sqlite3_stmt *statements[STATEMENTS];
    int64_t count, bytes; /* of all messages */
    bool is_counted;
};

/* --- opening --- */

static bool is_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t bytes = strlen(name);
    return bytes >= 1 && bytes <= MOTH_STORE_NAME_MAX && strspn(name, allowed) == bytes &&
           strcasecmp(name, "moth") != 0; /* the node's own */
}

/* SQLite would make the file as wide as the umask allows. On an imagined disk there is nobody else. */
static int make_private(const struct moth_host *host, const char *file)
{
    char byte;
    size_t bytes;
    if (host->vfs) return 0;
    int rc = host->file_read(host->context, file, &byte, sizeof byte, &bytes);
    if (rc == MOTH_ENOT_FOUND) return host->file_write(host->context, file, "", 0);
    return rc == MOTH_ETOO_BIG ? 0 : rc;
}

/* A file without tables is new; else it must be a store. */
static int check_version(sqlite3 *db)
{
    int64_t application = 0, version = 0, tables = 0;
    int rc = db_get(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc == 0) rc = db_get(db, "PRAGMA application_id", &application);
    if (rc == 0) rc = db_get(db, "PRAGMA user_version", &version);
    if (rc < 0) return rc;
    if (tables == 0) return db_run(db, schema);
    if (application != APPLICATION || version < VERSION) return MOTH_EDAMAGED;
    return version > VERSION ? MOTH_ENEWER : 0;
}

/* The write is what takes the lock. */
static int lock(sqlite3 *db)
{
    return db_run(db, "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT;");
}

static int count(struct moth_store *s)
{
    int rc = s->is_counted ? 0 : db_get(s->db, "SELECT count(*) FROM schedule_messages", &s->count);
    if (rc == 0 && !s->is_counted)
        rc = db_get(s->db, "SELECT coalesce(sum(bytes), 0) FROM schedule_messages", &s->bytes);
    s->is_counted = rc == 0;
    return rc;
}

static int prepare(struct moth_store *s)
{
    for (int i = 0; i < STATEMENTS; i++) {
        int rc = db_error(sqlite3_prepare_v3(s->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL));
        if (rc < 0) return rc;
    }
    return 0;
}

int moth_store_open(const struct moth_host *host, const char *name, struct moth_store **out)
{
    char file[FILE_NAME_BYTES];
    if (!is_name(name)) return MOTH_EBAD_NAME;
    snprintf(file, sizeof file, "%s.db", name);
    struct moth_store *s = mem_new(sizeof *s);
    s->host = host;
    int rc = make_private(host, file);
    if (rc == 0) rc = db_connect(host, file, &s->db);
    if (rc == 0) rc = lock(s->db);
    if (rc == 0) rc = check_version(s->db);
    if (rc == 0) rc = prepare(s);
    if (rc == 0) rc = count(s);
    if (rc == 0) *out = s;
    else moth_store_close(s);
    return rc;
}

void moth_store_close(struct moth_store *s)
{
    if (!s) return;
    for (int i = 0; i < STATEMENTS; i++) sqlite3_finalize(s->statements[i]);
    sqlite3_close(s->db);
    free(s);
}

/* --- statements --- */

/* The row it gives is there until `done`. 1: there is one; 0: none. */
static int step(sqlite3_stmt *q)
{
    int rc = sqlite3_step(q);
    return rc == SQLITE_ROW ? 1 : db_error(rc);
}

static int done(sqlite3_stmt *q, int rc)
{
    sqlite3_reset(q);
    sqlite3_clear_bindings(q); /* of what was borrowed */
    return rc;
}

static sqlite3_stmt *with_id(struct moth_store *s, enum statement which, uint64_t id)
{
    sqlite3_bind_int64(s->statements[which], 1, (int64_t)id);
    return s->statements[which];
}

static int write_row(sqlite3_stmt *q)
{
    return done(q, step(q));
}

/* Ends the transaction, well or not; what failed half-way has to be counted anew. */
static int end_transaction(struct moth_store *s, int rc)
{
    if (rc == 0) rc = db_run(s->db, "COMMIT;");
    if (rc == 0) return 0;
    db_run(s->db, "ROLLBACK;");
    s->is_counted = false;
    return rc;
}

/* --- writing --- */

static int put_body(struct moth_store *s, struct slice body, int64_t *id)
{
    sqlite3_stmt *q = s->statements[PUT_BODY];
    sqlite3_bind_blob64(q, 1, body.bytes > 0 ? (const void *)body.data : "", body.bytes, SQLITE_STATIC);
    int rc = write_row(q);
    *id = sqlite3_last_insert_rowid(s->db);
    return rc;
}

static int put_schedule(struct moth_store *s, const char *to, size_t bytes, uint64_t ttl_ms, int64_t id)
{
    uint64_t now_ms = s->host->wall_ms(s->host->context);
    uint64_t until_ms = ttl_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + ttl_ms;
    sqlite3_stmt *q = with_id(s, PUT_SCHEDULE, (uint64_t)id);
    sqlite3_bind_text(q, 2, to, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 3, (int64_t)bytes);
    sqlite3_bind_int64(q, 4, (int64_t)now_ms);
    sqlite3_bind_int64(q, 5, ttl_ms > 0 ? (int64_t)until_ms : 0);
    return write_row(q);
}

static int room_for(struct moth_store *s, const char *to, size_t bytes)
{
    size_t to_bytes = strlen(to);
    if (to_bytes == 0 || to_bytes > MOTH_STORE_TO_MAX) return MOTH_EARGUMENT;
    if (bytes > MOTH_STORE_DATA_MAX) return MOTH_ETOO_BIG;
    int rc = count(s);
    if (rc < 0) return rc;
    bool full = s->count >= MOTH_STORE_COUNT_MAX || s->bytes + (int64_t)bytes > (int64_t)MOTH_STORE_BYTES_MAX;
    return full ? MOTH_EFULL : 0;
}

int moth_store_put(struct moth_store *s, const char *to, const void *data, size_t bytes, uint64_t ttl_ms,
                   uint64_t *id)
{
    int64_t row = 0;
    int rc = room_for(s, to, bytes);
    if (rc == 0) rc = db_run(s->db, "BEGIN IMMEDIATE;");
    if (rc < 0) return rc;
    rc = put_body(s, slice_of(data, bytes), &row);
    if (rc == 0) rc = put_schedule(s, to, bytes, ttl_ms, row);
    if ((rc = end_transaction(s, rc)) < 0) return rc;
    s->count++;
    s->bytes += (int64_t)bytes;
    *id = (uint64_t)row;
    return 0;
}

/* One statement that changes rows; how many is told. */
static int change(struct moth_store *s, sqlite3_stmt *q, size_t *changed)
{
    int rc = write_row(q);
    if (rc < 0) s->is_counted = false;
    *changed = rc == 0 ? (size_t)sqlite3_changes(s->db) : 0;
    return rc;
}

int moth_store_delete(struct moth_store *s, uint64_t id)
{
    struct moth_stored m;
    size_t changed;
    int rc = moth_store_get(s, id, &m);
    if (rc == 0) rc = change(s, with_id(s, DROP, id), &changed);
    if (rc < 0) return rc;
    s->count--;
    s->bytes -= (int64_t)m.bytes;
    return 0;
}

int moth_store_tried(struct moth_store *s, uint64_t id)
{
    size_t changed;
    sqlite3_bind_int64(s->statements[TRIED], 2, (int64_t)s->host->wall_ms(s->host->context));
    int rc = change(s, with_id(s, TRIED, id), &changed);
    return rc == 0 && changed == 0 ? MOTH_ENOT_FOUND : rc;
}

int moth_store_expire(struct moth_store *s, uint64_t now_ms, size_t *changed)
{
    int rc = change(s, with_id(s, EXPIRE, now_ms > INT64_MAX ? INT64_MAX : now_ms), changed);
    if (*changed > 0) s->is_counted = false;
    return rc;
}

/* --- reading --- */

static void read_row(sqlite3_stmt *q, struct moth_stored *out)
{
    const char *to = (const char *)sqlite3_column_text(q, 1);
    *out = (struct moth_stored){.id = (uint64_t)sqlite3_column_int64(q, 0),
                                .bytes = (size_t)sqlite3_column_int64(q, 2),
                                .time_ms = (uint64_t)sqlite3_column_int64(q, 3),
                                .expires_ms = (uint64_t)sqlite3_column_int64(q, 4),
                                .tried_ms = (uint64_t)sqlite3_column_int64(q, 5),
                                .tries = (unsigned)sqlite3_column_int64(q, 6)};
    snprintf(out->to, sizeof out->to, "%s", to ? to : "");
}

int moth_store_get(struct moth_store *s, uint64_t id, struct moth_stored *out)
{
    sqlite3_stmt *q = with_id(s, GET, id);
    int rc = step(q);
    if (rc > 0) read_row(q, out);
    if (rc > 0 && out->bytes > MOTH_STORE_DATA_MAX) rc = MOTH_EDAMAGED;
    return done(q, rc > 0 ? 0 : rc == 0 ? MOTH_ENOT_FOUND : rc);
}

/* A body of another length than its schedule says was changed by somebody else. */
static int copy_body(sqlite3_stmt *q, void *out, size_t bytes)
{
    const void *body = sqlite3_column_blob(q, 0);
    if ((size_t)sqlite3_column_bytes(q, 0) != bytes) return MOTH_EDAMAGED;
    if (bytes > 0 && !body) return MOTH_EIO;
    put_bytes(out, body, bytes);
    return 0;
}

int moth_store_data(struct moth_store *s, uint64_t id, void *out, size_t bytes)
{
    sqlite3_stmt *q = with_id(s, BODY, id);
    int rc = step(q);
    return done(q, rc > 0 ? copy_body(q, out, bytes) : rc == 0 ? MOTH_ENOT_FOUND : rc);
}

int moth_store_pending(struct moth_store *s, const char *to, struct moth_stored *out, size_t capacity, size_t *found)
{
    sqlite3_stmt *q = s->statements[to ? PENDING_OF : PENDING];
    int rc = 0;
    sqlite3_bind_int64(q, 1, (int64_t)capacity);
    if (to) sqlite3_bind_text(q, 2, to, -1, SQLITE_STATIC);
    for (*found = 0; *found < capacity && (rc = step(q)) > 0; ++*found) read_row(q, &out[*found]);
    return done(q, rc < 0 ? rc : 0);
}
