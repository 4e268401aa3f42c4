/* store_db.c -- opening the database: hardened, migrated, and checked when the last end was unclean.
 *
 * A damaged file is never written again: what can be read of it goes into a new one (store_salvage.c), and then it is
 * moved aside with its log. Ids that are 64 bits wide elsewhere stay below 2^63 here. */
#include "node/store_db.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_NAME "moth.db"
#define DRAFT_NAME "moth.db.draft"       /* of what could be read of a damaged one */
#define SALVAGED_NAME "moth.db.salvaged" /* the same, whole: it only has to take the place */
#define DB_ASIDE_BYTES sizeof ((struct store_report *)0)->aside
#define APPLICATION "0x6d6f7468" /* "moth" */
#define BUSY_MS 1000
#define PATH_BYTES 4200

/* Each step makes the next version. One that has been released is never changed: a new one follows. */
static const char *const migrations[] = {
    /* 1: mail, and who it is for */
    "CREATE TABLE meta ("
    " only INTEGER PRIMARY KEY CHECK (only = 1), clean INTEGER NOT NULL, clock_ms INTEGER NOT NULL,"
    " wall_ms INTEGER NOT NULL, inbox_history INTEGER NOT NULL, sent_history INTEGER NOT NULL,"
    " delivered_count INTEGER NOT NULL);"
    "INSERT INTO meta VALUES (1, 1, 0, 0, 0, 0, 0);"
    /* floor: ids of theirs at or below it are no longer known one by one */
    "CREATE TABLE peers ("
    " peer INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, kept INTEGER NOT NULL, seen_ms INTEGER NOT NULL,"
    " floor INTEGER NOT NULL, about BLOB NOT NULL, advert BLOB);"
    "CREATE TABLE offline_messages ("
    " id INTEGER PRIMARY KEY, peer INTEGER NOT NULL, kind INTEGER NOT NULL, flags INTEGER NOT NULL,"
    " ttl_s INTEGER NOT NULL, retries INTEGER NOT NULL, accepted_ms INTEGER NOT NULL, sent_ms INTEGER NOT NULL,"
    " source INTEGER NOT NULL, inner_id INTEGER NOT NULL, data_bytes INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " body BLOB NOT NULL);"
    "CREATE INDEX offline_messages_of ON offline_messages (peer, id) WHERE kind = 1;"
    "CREATE TABLE schedule_messages ("
    " id INTEGER PRIMARY KEY REFERENCES offline_messages ON DELETE CASCADE, last_tried INTEGER NOT NULL,"
    " retry_count INTEGER NOT NULL, silences INTEGER NOT NULL, next_try INTEGER NOT NULL,"
    " expiry_time INTEGER NOT NULL, state INTEGER NOT NULL,"
    " reason INTEGER NOT NULL, changed_ms INTEGER NOT NULL, carriers BLOB);"
    "CREATE INDEX schedule_messages_waiting ON schedule_messages (id) WHERE state < 4;"
    "CREATE TABLE inbox ("
    " row INTEGER PRIMARY KEY, peer INTEGER NOT NULL, id INTEGER NOT NULL, flags INTEGER NOT NULL,"
    " hops INTEGER NOT NULL, received_ms INTEGER NOT NULL, state INTEGER NOT NULL, starts INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, body BLOB NOT NULL);"
    "CREATE INDEX inbox_of ON inbox (peer, row);"
    "CREATE INDEX inbox_open ON inbox (row) WHERE state <> 1;"
    "CREATE TABLE delivered ("
    " peer INTEGER NOT NULL, id INTEGER NOT NULL, day INTEGER NOT NULL, PRIMARY KEY (peer, id)) WITHOUT ROWID;",
    /* 2: what scripts keep */
    "CREATE TABLE script_data ("
    " space TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (space, key)) WITHOUT ROWID;"
    "CREATE TABLE script_jobs ("
    " job INTEGER PRIMARY KEY, due_ms INTEGER NOT NULL, name TEXT NOT NULL, arguments BLOB NOT NULL);"
    "CREATE INDEX script_jobs_due ON script_jobs (due_ms);",
};

int64_t db_newest_version(void)
{
    return (int64_t)(sizeof migrations / sizeof migrations[0]);
}

int db_error(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return 0;
    case SQLITE_FULL: return MOTH_ENO_SPACE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return MOTH_EIN_USE;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN: return MOTH_EPERMISSION;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return MOTH_EDAMAGED;
    default: return MOTH_EIO;
    }
}

int db_run(struct sqlite3 *c, const char *sql)
{
    return db_error(sqlite3_exec(c, sql, NULL, NULL, NULL));
}

int db_get(struct sqlite3 *c, const char *sql, int64_t *out)
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(c, sql, -1, &q, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) *out = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return rc == SQLITE_DONE ? MOTH_ENOT_FOUND : db_error(rc);
}

/* --- one connection --- */

static int harden(sqlite3 *c)
{
    static const struct {
        int option, value;
    } options[] = {{SQLITE_DBCONFIG_DEFENSIVE, 1},   {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                   {SQLITE_DBCONFIG_ENABLE_VIEW, 0}, {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
                   {SQLITE_DBCONFIG_DQS_DML, 0},     {SQLITE_DBCONFIG_DQS_DDL, 0}};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        sqlite3_db_config(c, options[i].option, options[i].value, NULL);
    sqlite3_extended_result_codes(c, 1);
    sqlite3_busy_timeout(c, BUSY_MS);
    return db_run(c, "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
                     "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 4194304;");
}

int db_connect(const struct moth_host *host, const char *name, struct sqlite3 **out)
{
    static const char imagined[] = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -256;"
                                   "PRAGMA wal_autocheckpoint = 64;";
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/%s", host->home, name);
    if (n < 0 || (size_t)n >= sizeof path) return MOTH_EIO;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int rc = db_error(sqlite3_open_v2(path, out, flags, host->vfs));
    if (rc == 0 && host->vfs) rc = db_run(*out, imagined); /* first: without it no log can be read there */
    if (rc == 0) rc = harden(*out);
    if (rc == 0) rc = db_run(*out, "PRAGMA journal_mode = WAL;");
    if (rc == 0) return 0;
    sqlite3_close(*out);
    *out = NULL;
    return rc;
}

/* --- versions --- */

static int migrate_to(sqlite3 *c, int64_t version)
{
    char sql[96];
    int rc = db_run(c, "BEGIN IMMEDIATE;");
    if (rc == 0) rc = db_run(c, migrations[version - 1]);
    snprintf(sql, sizeof sql, "PRAGMA application_id = " APPLICATION "; PRAGMA user_version = %" PRId64 "; COMMIT;",
             version);
    if (rc == 0) rc = db_run(c, sql);
    if (rc < 0) db_run(c, "ROLLBACK;");
    return rc;
}

int db_schema(sqlite3 *c, int64_t version)
{
    int64_t at = 0;
    int rc = db_get(c, "PRAGMA user_version", &at);
    while (rc == 0 && at < version) rc = migrate_to(c, ++at);
    return rc;
}

int db_check_version(sqlite3 *c, bool *empty)
{
    int64_t application = 0, version = 0, tables = 0;
    int rc = db_get(c, "PRAGMA application_id", &application);
    if (rc == 0) rc = db_get(c, "PRAGMA user_version", &version);
    *empty = version == 0;
    if (rc == 0) rc = db_get(c, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc < 0 || tables == 0) return rc;
    if (application != strtol(APPLICATION, NULL, 16) || version < 1) return MOTH_EDAMAGED;
    return version > db_newest_version() ? MOTH_ENEWER : 0;
}

/* --- opening --- */

/* A page that could not be read says nothing about what is on it. SQLite tells that only in words. */
static int judge(const char *verdict)
{
    if (!verdict) return MOTH_EDAMAGED;
    if (strcmp(verdict, "ok") == 0) return 0;
    bool unread = strstr(verdict, "unable to get the page") || strstr(verdict, "failed to get page");
    return unread ? MOTH_EIO : MOTH_EDAMAGED;
}

static int quick_check(sqlite3 *c)
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(c, "PRAGMA quick_check(1)", -1, &q, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(q);
    int verdict = rc == SQLITE_ROW ? judge((const char *)sqlite3_column_text(q, 0)) : 0;
    sqlite3_finalize(q);
    return rc == SQLITE_ROW ? verdict : rc == SQLITE_DONE ? MOTH_EDAMAGED : db_error(rc);
}

static int read_totals(struct store_db *db)
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(db->writer, "SELECT clock_ms, wall_ms, inbox_history, sent_history, delivered_count"
                                            " FROM meta", -1, &q, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(q);
    if (rc == SQLITE_ROW)
        db->read = (struct store_totals){sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1),
                                         sqlite3_column_int64(q, 2), sqlite3_column_int64(q, 3),
                                         sqlite3_column_int64(q, 4)};
    sqlite3_finalize(q);
    return rc == SQLITE_DONE ? MOTH_EDAMAGED : db_error(rc);
}

static int read_counters(struct store_db *db)
{
    int rc = read_totals(db);
    /* what was delivered may outlive its peer when a page is damaged: no newcomer gets that number */
    if (rc == 0) rc = db_get(db->writer, "SELECT max((SELECT coalesce(max(peer), 0) FROM peers),"
                                         " (SELECT coalesce(max(peer), 0) FROM delivered))", &db->last_peer_row);
    if (rc == 0) rc = db_get(db->writer, "SELECT coalesce(max(row), 0) FROM inbox", &db->last_inbox_row);
    if (rc == 0) rc = db_get(db->writer, "SELECT count(*) FROM peers", &db->peer_count);
    return rc;
}

static int open_writer(struct store_db *db)
{
    int64_t clean = 1;
    int rc = db_connect(db->host, FILE_NAME, &db->writer);
    if (rc == 0) rc = db_check_version(db->writer, &db->was_empty);
    if (rc == 0 && db_get(db->writer, "SELECT clean FROM meta", &clean) < 0) clean = 1; /* new: checked right below */
    db->was_unclean = clean == 0;
    if (rc == 0 && clean == 0) rc = quick_check(db->writer);
    if (rc == 0) rc = db_schema(db->writer, db_newest_version());
    if (rc == 0) rc = db_run(db->writer, "UPDATE meta SET clean = 0;");
    return rc == 0 ? read_counters(db) : rc;
}

/* --- a damaged file --- */

/* What could be read of a damaged file stands, whole and synced, under a name of its own before anything is moved: a
 * crash on the way leaves either the damaged file to be read again, or moves to be finished. MOTH_ENOT_FOUND: there
 * is nothing to finish. */
static int finish_moves(struct store_db *db, char aside[DB_ASIDE_BYTES])
{
    const struct moth_host *host = db->host;
    char log[DB_ASIDE_BYTES + 8];
    int rc = host->file_move(host->context, SALVAGED_NAME, SALVAGED_NAME);
    if (rc < 0) return rc;
    snprintf(aside, DB_ASIDE_BYTES, FILE_NAME ".damaged-%" PRIu64, host->wall_ms(host->context));
    snprintf(log, sizeof log, "%s-wal", aside);
    rc = host->file_move(host->context, FILE_NAME "-wal", log);
    if (rc == 0 || rc == MOTH_ENOT_FOUND) rc = host->file_move(host->context, FILE_NAME "-shm", NULL);
    if (rc == 0 || rc == MOTH_ENOT_FOUND) rc = host->file_move(host->context, FILE_NAME, aside);
    if (rc == 0 || rc == MOTH_ENOT_FOUND) rc = host->file_move(host->context, SALVAGED_NAME, FILE_NAME);
    return rc;
}

static int salvage(struct store_db *db)
{
    const struct moth_host *host = db->host;
    sqlite3 *into = NULL;
    sqlite3_close(db->writer);
    db->writer = NULL;
    host->file_move(host->context, DRAFT_NAME, NULL); /* of an attempt that was cut short */
    host->file_move(host->context, DRAFT_NAME "-wal", NULL);
    int rc = host->file_write(host->context, DRAFT_NAME, "", 0); /* private, before SQLite makes it otherwise */
    if (rc == 0) rc = db_connect(host, DRAFT_NAME, &into);
    if (rc == 0) rc = db_salvage(host, FILE_NAME, into);
    if (rc == 0) rc = db_run(into, "PRAGMA journal_mode = DELETE;"); /* all of it is in the one file then */
    if (sqlite3_close(into) != SQLITE_OK && rc == 0) rc = MOTH_EIO;
    return rc == 0 ? host->file_move(host->context, DRAFT_NAME, SALVAGED_NAME) : rc;
}

static int count_salvaged(struct store_db *db, struct store_report *report)
{
    int rc = db_get(db->writer, "SELECT count(*) FROM peers", &report->peers);
    if (rc < 0) return rc;
    return db_get(db->writer, "SELECT (SELECT count(*) FROM offline_messages) + (SELECT count(*) FROM inbox)",
                  &report->messages);
}

static int open_salvaged(struct store_db *db, struct store_report *report)
{
    int rc = salvage(db);
    if (rc == 0) rc = finish_moves(db, report->aside);
    if (rc == 0) rc = open_writer(db);
    return rc == 0 ? count_salvaged(db, report) : rc;
}

void db_rest(const struct store_db *db)
{
    if (db->host->vfs && db->writer) sqlite3_db_release_memory(db->writer);
}

int db_open(struct store_db *db, bool damaged, struct store_report *report)
{
    int rc = report ? finish_moves(db, report->aside) : MOTH_ENOT_FOUND;
    bool finished = rc == 0;
    if (rc == 0 || rc == MOTH_ENOT_FOUND) rc = damaged && !finished ? MOTH_EDAMAGED : open_writer(db);
    if (rc == 0 && finished) rc = count_salvaged(db, report);
    if (rc == MOTH_EDAMAGED && report) rc = open_salvaged(db, report);
    if (rc == 0 && db->host->vfs) db->reader = db->writer;
    if (rc == 0 && !db->reader) rc = db_connect(db->host, FILE_NAME, &db->reader);
    if (rc < 0) db_close(db, NULL);
    return rc;
}

static void finalize(sqlite3_stmt **list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sqlite3_finalize(list[i]);
        list[i] = NULL;
    }
}

void db_close(struct store_db *db, const struct store_totals *last)
{
    if (db->writer && last && db_commit(db, NULL, 0, last) == 0) db_run(db->writer, "UPDATE meta SET clean = 1;");
    finalize(&db->writes[0][0], sizeof db->writes / sizeof db->writes[0][0]);
    finalize(db->queries, QUERY_COUNT);
    finalize(&db->totals, 1);
    if (db->reader != db->writer) sqlite3_close(db->reader);
    sqlite3_close(db->writer);
    db->reader = db->writer = NULL;
}
