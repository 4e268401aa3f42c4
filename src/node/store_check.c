/* store_check.c -- see store_check.h.
 *
 * The file is opened read-only and without locks; the caller sees to it that no node runs. When there is a log, SQLite
 * would make an index for it in a file of its own: in exclusive mode it makes one in memory, and it is told not to
 * empty the log when it closes. Without a log the file is declared immutable, so that none is begun. */
#include "node/store_check.h"

#include "node/store_db.h"

#include <sqlite3.h>
#include <stdio.h>

#define FILE_NAME "moth.db"
#define URI_BYTES 4200

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("/._-~", c);
}

/* "file:", the path with all but plain characters as %XX, and the parameters. */
static int write_uri(const char *home, bool has_log, char out[URI_BYTES])
{
    static const char parameters[] = "/" FILE_NAME "?mode=ro&vfs=unix-none", immutable[] = "&immutable=1";
    size_t used = (size_t)snprintf(out, URI_BYTES, "file:");
    for (; *home; home++) {
        if (used + 3 + sizeof parameters + sizeof immutable > URI_BYTES) return MOTH_EIO;
        if (is_plain(*home)) out[used++] = *home;
        else used += (size_t)snprintf(out + used, 4, "%%%02X", (unsigned char)*home);
    }
    snprintf(out + used, URI_BYTES - used, "%s%s", parameters, has_log ? "" : immutable);
    return 0;
}

static int open_to_read(const char *home, bool has_log, sqlite3 **out)
{
    char uri[URI_BYTES];
    int rc = write_uri(home, has_log, uri);
    if (rc < 0) return rc;
    rc = db_error(sqlite3_open_v2(uri, out, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL));
    if (rc < 0) return rc;
    sqlite3_db_config(*out, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(*out, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(*out, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return db_run(*out, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;");
}

static int check_pages(sqlite3 *c)
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(c, "PRAGMA integrity_check(1)", -1, &q, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(q);
    const char *verdict = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : NULL;
    bool is_well = verdict && strcmp(verdict, "ok") == 0;
    sqlite3_finalize(q);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) return db_error(rc);
    return is_well ? 0 : MOTH_EDAMAGED;
}

static int read_facts(sqlite3 *c, struct store_facts *out)
{
    int64_t clean = 0;
    int rc = db_get(c, "SELECT clean FROM meta", &clean);
    out->was_clean = clean != 0;
    if (rc == 0) rc = db_get(c, "SELECT count(*) FROM schedule_messages WHERE state < 4", &out->waiting);
    if (rc == 0) rc = db_get(c, "SELECT count(*) FROM inbox", &out->arrived);
    if (rc == 0) rc = db_get(c, "SELECT count(*) FROM peers", &out->peers);
    return rc == MOTH_ENOT_FOUND ? MOTH_EDAMAGED : rc;
}

static int check_all(sqlite3 *c, struct store_facts *out)
{
    bool empty = false;
    int rc = db_get(c, "PRAGMA user_version", &out->version);
    if (rc == 0) rc = db_check_version(c, &empty);
    if (rc == 0) rc = check_pages(c);
    return rc == 0 && !empty ? read_facts(c, out) : rc;
}

int store_check(const char *home, bool has_log, struct store_facts *out)
{
    sqlite3 *c = NULL;
    *out = (struct store_facts){.newest = db_newest_version(), .was_clean = true};
    int rc = open_to_read(home, has_log, &c);
    if (rc == 0) rc = check_all(c, out);
    sqlite3_close(c);
    return rc;
}
