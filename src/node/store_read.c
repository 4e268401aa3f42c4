/* store_read.c -- what the node's thread asks of the database. */
#include "node/store_db.h"

#include "base/id.h"
#include "base/mem.h"
#include "node/peers.h"

#include <sqlite3.h>
#include <stdlib.h>

#define RECEIVED "SELECT 0, p.id, m.id, received_ms, flags, state, 0, body FROM inbox m CROSS JOIN peers p USING (peer)"
#define SENT                                                                                                           \
    "SELECT 1, p.id, m.id, sent_ms, flags, state, reason, body FROM offline_messages m"                                \
    " CROSS JOIN schedule_messages USING (id) CROSS JOIN peers p USING (peer) WHERE kind = 1"

static const char *const sql[QUERY_COUNT] = {
    [QUERY_BODY] = "SELECT body FROM offline_messages WHERE id = ?1",
    [QUERY_INBOX_BODY] = "SELECT body FROM inbox WHERE row = ?1",
    [QUERY_PEER_ROW] = "SELECT peer FROM peers WHERE id = ?1",
    [QUERY_FLOOR] = "SELECT floor FROM peers WHERE peer = ?1",
    [QUERY_TOP] = "SELECT coalesce(max(id), 0) FROM delivered WHERE peer = ?1",
    [QUERY_DELIVERED] = "SELECT 1 FROM delivered WHERE peer = ?1 AND id = ?2",
    [QUERY_ENDED] = "SELECT p.id, state, reason, changed_ms, sent_ms, retry_count, data_bytes FROM offline_messages m"
                    " JOIN schedule_messages USING (id) JOIN peers p USING (peer) WHERE m.id = ?1 AND kind = 1",
    [QUERY_HISTORY_IN] = RECEIVED " ORDER BY row DESC",
    [QUERY_HISTORY_OUT] = SENT " ORDER BY m.id DESC",
    [QUERY_HISTORY_IN_OF] = RECEIVED " WHERE m.peer = ?1 ORDER BY row DESC",
    [QUERY_HISTORY_OUT_OF] = SENT " AND m.peer = ?1 ORDER BY m.id DESC",
    [QUERY_KV] = "SELECT key, value FROM script_data WHERE space = ?1 AND key >= ?2 ORDER BY key",
    [QUERY_KV_ONE] = "SELECT value FROM script_data WHERE space = ?1 AND key = ?2",
    [QUERY_KV_BYTES] = "SELECT length(value) FROM script_data WHERE space = ?1 AND key = ?2",
    [QUERY_JOBS] = "SELECT job, due_ms, name, arguments FROM script_jobs ORDER BY due_ms, job",
    [QUERY_JOB] = "SELECT arguments FROM script_jobs WHERE job = ?1",
};

/* The statement, ready to be bound; NULL: it cannot be asked now. Whoever takes it resets it. */
static sqlite3_stmt *ask(const struct store *s, enum store_query query)
{
    sqlite3_stmt **q = &s->db->queries[query];
    if (!store_may_read(s)) return NULL;
    if (!*q && sqlite3_prepare_v3(s->db->reader, sql[query], -1, SQLITE_PREPARE_PERSISTENT, q, NULL) != SQLITE_OK)
        return NULL;
    return *q;
}

static int answer(int rc)
{
    if (rc == SQLITE_ROW) return 0;
    if (rc == SQLITE_DONE) return MOTH_ENOT_FOUND;
    return db_error(rc) == MOTH_EDAMAGED ? MOTH_EDAMAGED : MOTH_ESTORE;
}

/* The number in the first row, for up to two numbers asked with. */
static int ask_number(const struct store *s, enum store_query query, int64_t a, int64_t b, int64_t *out)
{
    sqlite3_stmt *q = ask(s, query);
    if (!q) return MOTH_ESTORE;
    sqlite3_bind_int64(q, 1, a);
    sqlite3_bind_int64(q, 2, b); /* not every query has it */
    int rc = answer(sqlite3_step(q));
    if (rc == 0) *out = sqlite3_column_int64(q, 0);
    sqlite3_reset(q);
    return rc;
}

static struct slice column_slice(sqlite3_stmt *q, int column)
{
    const uint8_t *data = sqlite3_column_blob(q, column);
    return slice_of(data, data ? (size_t)sqlite3_column_bytes(q, column) : 0);
}

static int ask_body(const struct store *s, enum store_query query, int64_t key, size_t bytes, uint8_t **out)
{
    sqlite3_stmt *q = ask(s, query);
    if (!q) return MOTH_ESTORE;
    sqlite3_bind_int64(q, 1, key);
    int rc = answer(sqlite3_step(q));
    struct slice body = rc == 0 ? column_slice(q, 0) : slice_of(NULL, 0);
    if (rc == 0 && body.bytes != bytes) rc = MOTH_EDAMAGED;
    if (rc == 0) *out = mem_copy(body.data, bytes);
    sqlite3_reset(q);
    return rc;
}

int store_body(const struct store *s, uint64_t id, size_t bytes, uint8_t **out)
{
    return ask_body(s, QUERY_BODY, (int64_t)id, bytes, out);
}

int store_inbox_body(const struct store *s, int64_t row, size_t bytes, uint8_t **out)
{
    return ask_body(s, QUERY_INBOX_BODY, row, bytes, out);
}

int store_peer_row(const struct store *s, const struct moth_id *id, int64_t *row)
{
    sqlite3_stmt *q = ask(s, QUERY_PEER_ROW);
    if (!q) return MOTH_ESTORE;
    sqlite3_bind_blob(q, 1, id->bytes, MOTH_ID_BYTES, SQLITE_STATIC);
    int rc = answer(sqlite3_step(q));
    if (rc == 0) *row = sqlite3_column_int64(q, 0);
    sqlite3_reset(q);
    return rc;
}

/* Ids of one source rise, so nearly always the highest one tells. */
static int learn_delivered(const struct store *s, struct peer *p)
{
    int64_t floor = 0, top = 0;
    struct dealings *d = peer_deal(p);
    if (d->delivered_epoch == s->epoch) return 0;
    int rc = p->row > 0 ? 0 : store_peer_row(s, &p->id, &p->row); /* forgotten here, perhaps, but not there */
    if (d->delivered_epoch == 0) p->unsaved = true; /* a prune may be on its way */
    if (rc == 0) rc = ask_number(s, QUERY_FLOOR, p->row, 0, &floor);
    if (rc == 0) rc = ask_number(s, QUERY_TOP, p->row, 0, &top);
    if (rc < 0 && rc != MOTH_ENOT_FOUND) return rc;
    d->delivered_floor = (uint64_t)floor;
    if ((uint64_t)top > d->delivered_top) d->delivered_top = (uint64_t)top;
    d->delivered_epoch = s->epoch;
    return 0;
}

int store_delivered(const struct store *s, struct peer *p, uint64_t id)
{
    int64_t one;
    int rc = learn_delivered(s, p);
    if (rc < 0) return rc;
    if (id <= p->dealings->delivered_floor) return MOTH_ETOO_OLD;
    if (id > p->dealings->delivered_top) return 0;
    rc = ask_number(s, QUERY_DELIVERED, p->row, (int64_t)id, &one);
    return rc == 0 ? MOTH_EDUPLICATE : rc == MOTH_ENOT_FOUND ? 0 : rc;
}

static struct moth_id column_id(sqlite3_stmt *q, int column)
{
    struct moth_id id = {{0}};
    struct slice text = column_slice(q, column);
    if (text.bytes == MOTH_ID_BYTES) memcpy(id.bytes, text.data, MOTH_ID_BYTES);
    return id;
}

int store_ended(const struct store *s, uint64_t id, struct moth_sent *out)
{
    sqlite3_stmt *q = ask(s, QUERY_ENDED);
    if (!q) return MOTH_ESTORE;
    sqlite3_bind_int64(q, 1, (int64_t)id);
    int rc = answer(sqlite3_step(q));
    if (rc == 0) {
        *out = (struct moth_sent){.id = id, .to = column_id(q, 0), .state = (enum moth_state)sqlite3_column_int(q, 1),
                                  .reason = sqlite3_column_int(q, 2),
                                  .changed_ms = (uint64_t)sqlite3_column_int64(q, 3),
                                  .accepted_ms = (uint64_t)sqlite3_column_int64(q, 4),
                                  .tries = (unsigned)sqlite3_column_int(q, 5),
                                  .bytes = (size_t)sqlite3_column_int64(q, 6)};
    }
    sqlite3_reset(q);
    return rc;
}

/* --- what opening finds --- */

static int each_row(const struct store *s, const char *text,
                    void (*give)(const struct store *s, sqlite3_stmt *q, void *each), int64_t argument, void *each)
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(s->db->reader, text, -1, &q, NULL);
    if (rc == SQLITE_OK) sqlite3_bind_int64(q, 1, argument);
    if (rc == SQLITE_OK)
        while ((rc = sqlite3_step(q)) == SQLITE_ROW) give(s, q, each);
    sqlite3_finalize(q);
    return db_error(rc);
}

static void give_peer(const struct store *s, sqlite3_stmt *q, void *each)
{
    void (*const *call)(void *, const struct stored_peer *) = each;
    struct stored_peer p = {.row = sqlite3_column_int64(q, 0), .about = column_slice(q, 2),
                            .advert = column_slice(q, 3)};
    struct slice id = column_slice(q, 1);
    if (id.bytes != MOTH_ID_BYTES) return;
    memcpy(p.id.bytes, id.data, MOTH_ID_BYTES);
    (*call)(s->owner, &p);
}

/* Those with mail, an alias or a block first: they must be there whatever the limit is. */
int store_load_peers(const struct store *s, size_t most, void (*each)(void *owner, const struct stored_peer *p))
{
    return each_row(s, "SELECT peer, id, about, advert FROM peers ORDER BY (kept <> 0 OR peer IN"
                       " (SELECT peer FROM offline_messages JOIN schedule_messages USING (id) WHERE state < 4 UNION"
                       " SELECT source FROM offline_messages JOIN schedule_messages USING (id) WHERE state < 4 UNION"
                       " SELECT peer FROM inbox WHERE state <> 1)) DESC, seen_ms DESC LIMIT ?1", give_peer,
                    (int64_t)most, &each);
}

static void give_message(const struct store *s, sqlite3_stmt *q, void *each)
{
    void (*const *call)(void *, const struct stored_message *) = each;
    struct stored_message m = {.id = (uint64_t)sqlite3_column_int64(q, 0),
                               .to = column_id(q, 1),
                               .kind = (unsigned)sqlite3_column_int(q, 2),
                               .flags = (unsigned)sqlite3_column_int(q, 3),
                               .ttl_s = (uint32_t)sqlite3_column_int64(q, 4),
                               .retries = (uint32_t)sqlite3_column_int64(q, 5),
                               .accepted_ms = (uint64_t)sqlite3_column_int64(q, 6),
                               .sent_ms = (uint64_t)sqlite3_column_int64(q, 7),
                               .source = column_id(q, 8),
                               .inner_id = (uint64_t)sqlite3_column_int64(q, 9),
                               .data_bytes = (size_t)sqlite3_column_int64(q, 10),
                               .bytes = (size_t)sqlite3_column_int64(q, 11),
                               .tries = (unsigned)sqlite3_column_int(q, 12),
                               .state = (enum moth_state)sqlite3_column_int(q, 13),
                               .changed_ms = (uint64_t)sqlite3_column_int64(q, 14),
                               .carriers = column_slice(q, 15),
                               .silences = (unsigned)sqlite3_column_int(q, 16)};
    (*call)(s->owner, &m);
}

int store_load_messages(const struct store *s, void (*each)(void *owner, const struct stored_message *m))
{
    return each_row(s, "SELECT m.id, p.id, kind, flags, ttl_s, retries, accepted_ms, sent_ms, f.id, inner_id,"
                       " data_bytes, bytes, retry_count, state, changed_ms, carriers, silences FROM schedule_messages"
                       " CROSS JOIN offline_messages m USING (id) CROSS JOIN peers p USING (peer)"
                       " LEFT JOIN peers f ON f.peer = m.source WHERE state < 4 ORDER BY m.id", give_message, 0, &each);
}

static void give_arrival(const struct store *s, sqlite3_stmt *q, void *each)
{
    void (*const *call)(void *, const struct stored_arrival *) = each;
    struct stored_arrival a = {.row = sqlite3_column_int64(q, 0),
                               .from = column_id(q, 1),
                               .id = (uint64_t)sqlite3_column_int64(q, 2),
                               .flags = (unsigned)sqlite3_column_int(q, 3),
                               .hops = (unsigned)sqlite3_column_int(q, 4),
                               .received_ms = (uint64_t)sqlite3_column_int64(q, 5),
                               .state = (unsigned)sqlite3_column_int(q, 6),
                               .starts = (unsigned)sqlite3_column_int(q, 7),
                               .bytes = (size_t)sqlite3_column_int64(q, 8)};
    (*call)(s->owner, &a);
}

int store_load_arrivals(const struct store *s, void (*each)(void *owner, const struct stored_arrival *a))
{
    return each_row(s, "SELECT row, p.id, m.id, flags, hops, received_ms, state, starts, bytes FROM inbox m"
                       " CROSS JOIN peers p USING (peer) WHERE state <> 1 ORDER BY row", give_arrival, 0, &each);
}

/* --- history --- */

static bool step(sqlite3_stmt *q, int *rc, struct stored_text *out)
{
    if (*rc < 0 || !q || sqlite3_step(q) != SQLITE_ROW) return false;
    *out = (struct stored_text){.is_ours = sqlite3_column_int(q, 0) != 0,
                                .peer = column_id(q, 1),
                                .id = (uint64_t)sqlite3_column_int64(q, 2),
                                .time_ms = (uint64_t)sqlite3_column_int64(q, 3),
                                .flags = (unsigned)sqlite3_column_int(q, 4),
                                .state = (unsigned)sqlite3_column_int(q, 5),
                                .reason = sqlite3_column_int(q, 6),
                                .body = column_slice(q, 7)};
    return true;
}

int store_history(const struct store *s, int64_t peer_row, bool (*each)(void *context, const struct stored_text *t),
                  void *context)
{
    sqlite3_stmt *in = ask(s, peer_row ? QUERY_HISTORY_IN_OF : QUERY_HISTORY_IN);
    sqlite3_stmt *out = ask(s, peer_row ? QUERY_HISTORY_OUT_OF : QUERY_HISTORY_OUT);
    struct stored_text received, sent;
    int rc = in && out ? 0 : MOTH_ESTORE;
    if (rc == 0 && peer_row) {
        sqlite3_bind_int64(in, 1, peer_row);
        sqlite3_bind_int64(out, 1, peer_row);
    }
    bool has_in = step(in, &rc, &received), has_out = step(out, &rc, &sent), more = true;
    while (more && (has_in || has_out)) {
        bool ours = !has_in || (has_out && sent.time_ms >= received.time_ms);
        more = each(context, ours ? &sent : &received);
        if (ours) has_out = step(out, &rc, &sent);
        else has_in = step(in, &rc, &received);
    }
    if (in) sqlite3_reset(in);
    if (out) sqlite3_reset(out);
    return rc;
}

/* --- data of scripts --- */

int store_script_bytes(const struct store *s, uint64_t *out)
{
    int64_t data = 0, jobs = 0;
    int rc = db_get(s->db->reader, "SELECT coalesce(sum(length(space) + length(key) + length(value)), 0)"
                                   " FROM script_data", &data);
    if (rc == 0) rc = db_get(s->db->reader, "SELECT coalesce(sum(length(name) + length(arguments)), 0)"
                                            " FROM script_jobs", &jobs);
    *out = (uint64_t)(data + jobs);
    return rc;
}

/* The statement, bound to a space and a key in it. */
static sqlite3_stmt *ask_kv(const struct store *s, enum store_query query, struct slice space, struct slice key)
{
    sqlite3_stmt *q = ask(s, query);
    if (!q) return NULL;
    sqlite3_bind_blob(q, 1, space.data, (int)space.bytes, SQLITE_STATIC);
    sqlite3_bind_blob64(q, 2, key.data ? (const void *)key.data : "", key.bytes, SQLITE_STATIC);
    return q;
}

int store_kv_bytes(const struct store *s, struct slice space, struct slice key, size_t *out)
{
    sqlite3_stmt *q = ask_kv(s, QUERY_KV_BYTES, space, key);
    if (!q) return MOTH_ESTORE;
    int rc = answer(sqlite3_step(q));
    if (rc == 0) *out = (size_t)sqlite3_column_int64(q, 0);
    sqlite3_reset(q);
    return rc;
}

/* The blob in the first row. */
static int take_blob(sqlite3_stmt *q, void (*take)(void *context, struct slice blob), void *context)
{
    if (!q) return MOTH_ESTORE;
    int rc = answer(sqlite3_step(q));
    if (rc == 0) take(context, column_slice(q, 0));
    sqlite3_reset(q);
    return rc;
}

int store_kv(const struct store *s, struct slice space, struct slice key,
             void (*take)(void *context, struct slice value), void *context)
{
    return take_blob(ask_kv(s, QUERY_KV_ONE, space, key), take, context);
}

int store_job_arguments(const struct store *s, int64_t job, void (*take)(void *context, struct slice arguments),
                        void *context)
{
    sqlite3_stmt *q = ask(s, QUERY_JOB);
    if (q) sqlite3_bind_int64(q, 1, job);
    return take_blob(q, take, context);
}

int store_kv_each(const struct store *s, struct slice space, struct slice from_key,
                  bool (*each)(void *context, struct slice key, struct slice value), void *context)
{
    sqlite3_stmt *q = ask_kv(s, QUERY_KV, space, from_key);
    if (!q) return MOTH_ESTORE;
    int rc;
    while ((rc = sqlite3_step(q)) == SQLITE_ROW && each(context, column_slice(q, 0), column_slice(q, 1))) continue;
    sqlite3_reset(q);
    return db_error(rc);
}

int store_job_each(const struct store *s, bool (*each)(void *context, int64_t job, uint64_t due_ms, struct slice name,
                                                 struct slice arguments), void *context)
{
    sqlite3_stmt *q = ask(s, QUERY_JOBS);
    int rc;
    if (!q) return MOTH_ESTORE;
    while ((rc = sqlite3_step(q)) == SQLITE_ROW &&
           each(context, sqlite3_column_int64(q, 0), (uint64_t)sqlite3_column_int64(q, 1), column_slice(q, 2),
                column_slice(q, 3)))
        continue;
    sqlite3_reset(q);
    return db_error(rc);
}
