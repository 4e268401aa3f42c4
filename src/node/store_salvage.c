/* store_salvage.c -- what can still be read of a damaged database.
 *
 * Each table is read from its beginning to where it breaks, then from its end backwards, and what lies between two
 * breaks by the keys that an index or another table still knows. What refers to something that is gone goes too: a
 * message whose recipient nobody knows cannot be sent. */
#include "node/store_db.h"

#include <sqlite3.h>
#include <stdio.h>

#define ROWS_PER_PAGE_MAX 512

static const struct {
    const char *name, *order, *backwards;
    unsigned columns;
    const char *keys; /* a query for all keys that does not read the table itself; NULL: there is none */
} tables[] = {
    {"meta", "only", "only DESC", 7, NULL},
    {"peers", "peer", "peer DESC", 7, "SELECT peer FROM peers INDEXED BY sqlite_autoindex_peers_1"},
    {"offline_messages", "id", "id DESC", 13, "SELECT id FROM schedule_messages"},
    {"schedule_messages", "id", "id DESC", 10,
     "SELECT id FROM offline_messages INDEXED BY offline_messages_of WHERE kind = 1"},
    {"inbox", "row", "row DESC", 10, "SELECT row FROM inbox INDEXED BY inbox_of"},
    {"delivered", "peer, id", "peer DESC, id DESC", 3, NULL},
    {"script_data", "space, key", "space DESC, key DESC", 3, NULL},
    {"script_jobs", "job", "job DESC", 4, NULL},
};

static const char repairs[] =
    "DELETE FROM offline_messages WHERE peer NOT IN (SELECT peer FROM peers);"
    "DELETE FROM offline_messages WHERE source <> 0 AND source NOT IN (SELECT peer FROM peers);"
    "DELETE FROM inbox WHERE peer NOT IN (SELECT peer FROM peers);"
    "DELETE FROM schedule_messages WHERE id NOT IN (SELECT id FROM offline_messages);"
    "INSERT INTO schedule_messages SELECT id, 0, 0, 0, 0, accepted_ms + ttl_s * 1000, 1, 0, sent_ms, NULL"
    " FROM offline_messages WHERE id NOT IN (SELECT id FROM schedule_messages);"
    "UPDATE meta SET clock_ms = max(clock_ms, (SELECT coalesce(max(accepted_ms), 0) FROM offline_messages));"
    "INSERT OR IGNORE INTO delivered SELECT peer, id, (SELECT clock_ms / 86400000 FROM meta) FROM inbox;"
    "UPDATE meta SET delivered_count = (SELECT count(*) FROM delivered),"
    " inbox_history = (SELECT coalesce(sum(bytes), 0) FROM inbox WHERE state <> 0),"
    " sent_history = (SELECT coalesce(sum(bytes), 0) FROM offline_messages JOIN schedule_messages USING (id)"
    " WHERE state >= 4);";

/* More rows than this cannot be: pages that point at each other would be read for ever. */
static int64_t rows_max(sqlite3 *from)
{
    int64_t pages = 0;
    db_get(from, "PRAGMA page_count", &pages);
    return pages * ROWS_PER_PAGE_MAX;
}

static int copy_row(sqlite3_stmt *from, sqlite3_stmt *to, unsigned columns)
{
    sqlite3_reset(to);
    for (unsigned i = 0; i < columns; i++) sqlite3_bind_value(to, (int)i + 1, sqlite3_column_value(from, (int)i));
    int rc = sqlite3_step(to), kind = rc & 0xff;
    bool no_row = kind == SQLITE_CONSTRAINT || kind == SQLITE_MISMATCH || kind == SQLITE_TOOBIG;
    return no_row ? 0 : db_error(rc);
}

/* Reads as far as it can be read; failing to write is a failure, and so is a disk that cannot read just now: that ends
 * a start, not a table. `*whole`: to the end. */
static int copy_rows(sqlite3 *from, sqlite3_stmt *to, size_t table, bool backwards, bool *whole)
{
    char sql[128];
    sqlite3_stmt *rows = NULL;
    int rc = 0, read;
    snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY %s", tables[table].name,
             backwards ? tables[table].backwards : tables[table].order);
    read = sqlite3_prepare_v2(from, sql, -1, &rows, NULL);
    if (read == SQLITE_OK && (unsigned)sqlite3_column_count(rows) != tables[table].columns) read = SQLITE_CORRUPT;
    for (int64_t left = rows_max(from); read == SQLITE_OK && rc == 0 && left > 0; left--) {
        if (sqlite3_step(rows) != SQLITE_ROW) break;
        rc = copy_row(rows, to, tables[table].columns);
    }
    int end = sqlite3_finalize(rows);
    *whole = end == SQLITE_OK && read == SQLITE_OK;
    return rc == 0 && db_error(end) == MOTH_EIO ? MOTH_EIO : rc;
}

/* One row after the other, by key: those on broken pages are passed over. */
static int copy_by_keys(sqlite3 *from, sqlite3_stmt *to, size_t table)
{
    char sql[128];
    sqlite3_stmt *keys = NULL, *row = NULL;
    int rc = 0;
    snprintf(sql, sizeof sql, "SELECT * FROM %s WHERE %s = ?1", tables[table].name, tables[table].order);
    bool may = sqlite3_prepare_v2(from, tables[table].keys, -1, &keys, NULL) == SQLITE_OK &&
               sqlite3_prepare_v2(from, sql, -1, &row, NULL) == SQLITE_OK;
    for (int64_t left = rows_max(from); may && rc == 0 && left > 0 && sqlite3_step(keys) == SQLITE_ROW; left--) {
        sqlite3_reset(row);
        sqlite3_bind_int64(row, 1, sqlite3_column_int64(keys, 0));
        int found = sqlite3_step(row);
        if (found == SQLITE_ROW) rc = copy_row(row, to, tables[table].columns);
        else if (db_error(found) == MOTH_EIO) rc = MOTH_EIO;
    }
    sqlite3_finalize(keys);
    sqlite3_finalize(row);
    return rc;
}

static int copy_table(sqlite3 *from, sqlite3 *into, size_t table)
{
    char sql[128];
    sqlite3_stmt *to = NULL;
    bool whole;
    int n = snprintf(sql, sizeof sql, "INSERT OR %s INTO %s VALUES (?", table == 0 ? "REPLACE" : "IGNORE",
                     tables[table].name);
    for (unsigned i = 1; i < tables[table].columns; i++) n += snprintf(sql + n, sizeof sql - (size_t)n, ", ?");
    snprintf(sql + n, sizeof sql - (size_t)n, ")");
    if (sqlite3_prepare_v2(into, sql, -1, &to, NULL) != SQLITE_OK) return 0; /* a table of a later version */
    int rc = copy_rows(from, to, table, false, &whole);
    bool broken = rc == 0 && !whole;
    if (broken) rc = copy_rows(from, to, table, true, &whole);
    if (broken && rc == 0 && tables[table].keys) rc = copy_by_keys(from, to, table);
    sqlite3_finalize(to);
    return rc;
}

static int copy_all(sqlite3 *from, sqlite3 *into)
{
    int rc = db_run(into, "PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE;");
    for (size_t i = 0; rc == 0 && i < sizeof tables / sizeof tables[0]; i++) rc = copy_table(from, into, i);
    if (rc == 0) rc = db_run(into, repairs);
    if (rc == 0) rc = db_run(into, "COMMIT;");
    else db_run(into, "ROLLBACK;");
    db_run(into, "PRAGMA foreign_keys = ON;");
    return rc;
}

/* 0: nothing can be read, not even of which version it is. */
static int64_t version_of(sqlite3 *c)
{
    int64_t version = 0;
    if (db_get(c, "PRAGMA user_version", &version) < 0 || version < 1) return 0;
    return version <= db_newest_version() ? version : 0;
}

int db_salvage(const struct moth_host *host, const char *name, struct sqlite3 *into)
{
    sqlite3 *from = NULL;
    int64_t version = db_connect(host, name, &from) == 0 ? version_of(from) : 0;
    int rc = db_schema(into, version > 0 ? version : db_newest_version());
    if (rc == 0 && version > 0) rc = copy_all(from, into);
    sqlite3_close(from);
    return rc == 0 ? db_schema(into, db_newest_version()) : rc;
}
