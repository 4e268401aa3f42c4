/* store_write.c -- the SQL of every write, and the transaction that runs a group of them.
 *
 * Each may be repeated without harm, for a commit that failed may have happened all the same: rows are put whole under
 * their own key, never used again, states are set and not counted up. */
#include "node/store_db.h"

#include <sqlite3.h>

static const char *const sql[STORE_KINDS][STATEMENTS_MAX] = {
    [STORE_MARK] = {NULL},
    /* 1 row, 2 kept, 3 seen_ms; 13 id, 14 about, 15 advert or NULL for the one that is there; gives a 1 for a new
     * row */
    [STORE_PEER] = {"INSERT INTO peers (peer, id, kept, seen_ms, floor, about, advert)"
                    " VALUES (?1, ?13, ?2, ?3, 0, ?14, ?15) ON CONFLICT DO NOTHING RETURNING 1",
                    "UPDATE peers SET kept = ?2, seen_ms = ?3, about = ?14, advert = coalesce(?15, advert)"
                    " WHERE peer = ?1"},
    /* 1 id, 2 peer, 3 kind, 4 flags, 5 ttl_s, 6 retries, 7 accepted_ms, 8 sent_ms, 9 source, 10 inner_id,
     * 11 data_bytes, 12 bytes; 13 body */
    [STORE_MESSAGE] = {"INSERT OR IGNORE INTO offline_messages"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                       "INSERT OR IGNORE INTO schedule_messages"
                       " VALUES (?1, 0, 0, 0, 0, ?7 + ?5 * 1000, 1, 0, ?8, NULL)"},
    /* 1 id, 2 last_tried, 3 retry_count, 4 next_try, 5 state, 6 reason, 7 changed_ms, 8 silences; 13 carriers */
    [STORE_MESSAGE_STATE] = {"UPDATE schedule_messages SET last_tried = ?2, retry_count = ?3, silences = ?8,"
                             " next_try = ?4,"
                             " state = ?5, reason = ?6, changed_ms = ?7, carriers = ?13 WHERE id = ?1"},
    /* 1 id, 2 changed_ms: expired or lost, and delivered all the same */
    [STORE_MESSAGE_LATE] = {"UPDATE schedule_messages SET state = 4, reason = 0, changed_ms = ?2"
                            " WHERE id = ?1 AND state IN (5, 8)"},
    /* 1 id */
    [STORE_MESSAGE_DROP] = {"DELETE FROM offline_messages WHERE id = ?1"},
    /* 1 row, 2 peer, 3 id, 4 flags, 5 hops, 6 received_ms, 7 state, 8 starts, 9 bytes, 10 day; 13 body */
    [STORE_INBOX] = {"INSERT OR IGNORE INTO inbox VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?13)",
                     "INSERT OR IGNORE INTO delivered VALUES (?2, ?3, ?10)"},
    /* 1 row, 2 starts */
    [STORE_INBOX_STARTS] = {"UPDATE inbox SET starts = ?2 WHERE row = ?1"},
    /* 1 row, 2 state */
    [STORE_INBOX_STATE] = {"UPDATE inbox SET state = ?2 WHERE row = ?1"},
    /* 1 how many at most, 2 how many bytes at least; gives the bytes that went */
    [STORE_PRUNE_INBOX] = {"DELETE FROM inbox WHERE row IN (SELECT row FROM (SELECT row, sum(bytes) OVER"
                           " (ORDER BY row ROWS UNBOUNDED PRECEDING) - bytes AS before FROM"
                           " (SELECT row, bytes FROM inbox WHERE state <> 0 ORDER BY row LIMIT ?1)) WHERE before < ?2)"
                           " RETURNING bytes"},
    [STORE_PRUNE_SENT] = {"DELETE FROM offline_messages WHERE id IN (SELECT id FROM (SELECT id, sum(bytes) OVER"
                          " (ORDER BY id ROWS UNBOUNDED PRECEDING) - bytes AS before FROM"
                          " (SELECT id, bytes FROM schedule_messages JOIN offline_messages USING (id)"
                          " WHERE state >= 4 ORDER BY id LIMIT ?1)) WHERE before < ?2) RETURNING bytes"},
    /* 1 day: ids up to then; gives a 1 for each that went */
    [STORE_EXPIRE_DELIVERED] = {"UPDATE peers SET floor = max(floor, coalesce((SELECT max(id) FROM delivered"
                                " WHERE delivered.peer = peers.peer AND day <= ?1), 0))",
                                "DELETE FROM delivered WHERE id <="
                                " (SELECT floor FROM peers WHERE peers.peer = delivered.peer) RETURNING 1"},
    /* half of what the largest source has */
    [STORE_TRIM_DELIVERED] = {"WITH largest (peer, half) AS (SELECT peer, (count(*) + 1) / 2 FROM delivered"
                              " GROUP BY peer ORDER BY count(*) DESC LIMIT 1)"
                              " UPDATE peers SET floor = (SELECT id FROM"
                              " (SELECT id, row_number() OVER (ORDER BY id) AS place FROM delivered"
                              " WHERE peer = (SELECT peer FROM largest)) WHERE place = (SELECT half FROM largest))"
                              " WHERE peer = (SELECT peer FROM largest)",
                              "DELETE FROM delivered WHERE id <="
                              " (SELECT floor FROM peers WHERE peers.peer = delivered.peer) RETURNING 1"},
    /* 1 how many of whom nothing is kept, those not seen for longest first, 2 a time before which floors do not matter
     * any more; gives a 1 for each that went */
    [STORE_PRUNE_PEERS] = {"DELETE FROM peers WHERE peer IN (SELECT peer FROM peers p WHERE kept = 0"
                           " AND (floor = 0 OR seen_ms < ?2)"
                           " AND NOT EXISTS (SELECT 1 FROM delivered d WHERE d.peer = p.peer)"
                           " AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.peer = p.peer)"
                           " AND NOT EXISTS (SELECT 1 FROM offline_messages m WHERE m.peer = p.peer AND kind = 1)"
                           " AND peer NOT IN (SELECT m.peer FROM schedule_messages"
                           " JOIN offline_messages m USING (id) WHERE state < 4)"
                           " AND peer NOT IN (SELECT source FROM schedule_messages"
                           " JOIN offline_messages USING (id) WHERE state < 4)"
                           " ORDER BY seen_ms LIMIT ?1) RETURNING 1"},
    /* what the totals should say */
    [STORE_COUNT_INBOX] = {"SELECT sum(bytes) FROM inbox WHERE state <> 0"},
    [STORE_COUNT_SENT] = {"SELECT sum(bytes) FROM offline_messages JOIN schedule_messages USING (id) WHERE state >= 4"},
    [STORE_COUNT_DELIVERED] = {"SELECT count(*) FROM delivered"},
    /* 13 space, 14 key, 15 value */
    [STORE_KV] = {"INSERT OR REPLACE INTO script_data VALUES (?13, ?14, ?15)"},
    [STORE_KV_DROP] = {"DELETE FROM script_data WHERE space = ?13 AND key = ?14"},
    /* 1 job, 2 due_ms; 13 name, 14 arguments */
    [STORE_JOB] = {"INSERT OR REPLACE INTO script_jobs VALUES (?1, ?2, ?13, ?14)"},
    [STORE_JOB_DROP] = {"DELETE FROM script_jobs WHERE job = ?1"},
};

static int prepare(sqlite3 *c, const char *text, sqlite3_stmt **out)
{
    if (*out) return SQLITE_OK;
    return sqlite3_prepare_v3(c, text, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
}

static void bind(sqlite3_stmt *q, const struct store_write *w)
{
    int count = sqlite3_bind_parameter_count(q);
    for (int i = 0; i < count && i < STORE_NUMBERS; i++) sqlite3_bind_int64(q, i + 1, w->numbers[i]);
    for (int i = 0; i + STORE_NUMBERS < count; i++) {
        const struct slice *b = &w->blobs[i];
        if (b->data) sqlite3_bind_blob(q, i + STORE_NUMBERS + 1, b->data, (int)b->bytes, SQLITE_STATIC);
        else sqlite3_bind_null(q, i + STORE_NUMBERS + 1);
    }
}

static int run_write(struct store_db *db, struct store_write *w)
{
    w->result = 0;
    for (unsigned i = 0; i < STATEMENTS_MAX && sql[w->kind][i]; i++) {
        sqlite3_stmt **q = &db->writes[w->kind][i];
        int rc = prepare(db->writer, sql[w->kind][i], q);
        if (rc != SQLITE_OK) return rc;
        bind(*q, w);
        while ((rc = sqlite3_step(*q)) == SQLITE_ROW) w->result += sqlite3_column_int64(*q, 0);
        sqlite3_reset(*q);
        if (rc != SQLITE_DONE) return rc;
    }
    return SQLITE_OK;
}

static int run_totals(struct store_db *db, const struct store_totals *t)
{
    const int64_t numbers[] = {t->clock_ms, t->wall_ms, t->inbox_history, t->sent_history, t->delivered_count};
    int rc = prepare(db->writer, "UPDATE meta SET clock_ms = ?1, wall_ms = ?2, inbox_history = ?3, sent_history = ?4,"
                                 " delivered_count = ?5", &db->totals);
    for (int i = 0; rc == SQLITE_OK && i < 5; i++) rc = sqlite3_bind_int64(db->totals, i + 1, numbers[i]);
    if (rc != SQLITE_OK) return rc;
    rc = sqlite3_step(db->totals);
    sqlite3_reset(db->totals);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The last one's `after` is not touched: the node's thread may just be adding to it. */
static int run_writes(struct store_db *db, struct store_write *w, unsigned count)
{
    int rc = count > 0 ? run_write(db, w) : SQLITE_OK;
    for (; rc == SQLITE_OK && count > 1; count--) {
        w = w->after;
        rc = run_write(db, w);
    }
    return rc;
}

int db_commit(struct store_db *db, struct store_write *first, unsigned count, const struct store_totals *totals)
{
    int rc = sqlite3_exec(db->writer, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc != SQLITE_OK) return db_error(rc);
    rc = run_writes(db, first, count);
    if (rc == SQLITE_OK) rc = run_totals(db, totals);
    if (rc == SQLITE_OK) rc = sqlite3_exec(db->writer, "COMMIT", NULL, NULL, NULL);
    if (rc != SQLITE_OK && !sqlite3_get_autocommit(db->writer)) sqlite3_exec(db->writer, "ROLLBACK", NULL, NULL, NULL);
    return db_error(rc);
}
