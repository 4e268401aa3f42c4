/* store.c -- writes gathered into groups, and what is done when the disk fails; see store.h.
 *
 * One job at a time is with the worker: the first writes of the queue, which stay in the queue until the job tells that
 * they are committed. A commit that failed on the disk is never simply tried again: the database is closed and opened,
 * which replays its log, and the same writes follow. */
#include "node/store.h"

#include "base/mem.h"
#include "node/store_db.h"

#include <stdlib.h>

#define BALLAST "ballast"
#define RETRY_US 5000000u
#define RETRY_LOCKED_US 1000000u
#define DAY_MS 86400000u
#define CLOCK_US 3600000000u /* how often the clock is written when nothing else is */
#define PRUNE_ROWS 256
#define COUNT_ALL 7u
#define WAITING_MAX (64u << 20) /* bytes that may wait for a commit */

static const uint64_t never = UINT64_MAX;

struct store_job {
    struct store *store; /* NULL: the store was closed meanwhile */
    const struct moth_host *host;
    struct store_db *db;
    struct store_write *first; /* borrowed from the store's queue; owned when the store is closed */
    unsigned count;
    struct store_totals totals;
    uint64_t ballast_bytes;
    bool reopen, want_ballast, has_ballast, spent;
    int rc;
};

/* --- the clock --- */

static uint64_t now_us(const struct store *s)
{
    return s->host->now_us(s->host->context);
}

uint64_t store_clock_ms(const struct store *s)
{
    return s->clock_ms + (now_us(s) - s->opened_us) / 1000;
}

int64_t store_day(const struct store *s)
{
    return (int64_t)(store_clock_ms(s) / DAY_MS);
}

static void set_clock(struct store *s, const struct store_totals *read)
{
    int64_t gap_ms = (int64_t)s->host->wall_ms(s->host->context) - read->wall_ms;
    if (read->wall_ms == 0 || gap_ms < 0) gap_ms = 0;
    if (gap_ms > (int64_t)DAY_MS) gap_ms = DAY_MS;
    s->opened_us = s->group_began_us = now_us(s);
    s->clock_ms = (uint64_t)(read->clock_ms + gap_ms);
    s->expired_day = 0;
}

static struct store_totals totals(const struct store *s)
{
    return (struct store_totals){.clock_ms = (int64_t)store_clock_ms(s),
                                 .wall_ms = (int64_t)s->host->wall_ms(s->host->context),
                                 .inbox_history = s->inbox_history, .sent_history = s->sent_history,
                                 .delivered_count = s->delivered_count};
}

/* --- writes --- */

struct store_write *store_write_new(enum store_kind kind, const int64_t *numbers, unsigned number_count,
                                    const struct slice *blobs, unsigned blob_count)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < blob_count; i++) bytes += blobs[i].data ? blobs[i].bytes : 0;
    struct store_write *w = mem_new(sizeof *w + bytes);
    uint8_t *at = (uint8_t *)(w + 1);
    w->kind = kind;
    w->bytes = sizeof *w + bytes;
    for (unsigned i = 0; i < number_count; i++) w->numbers[i] = numbers[i];
    for (unsigned i = 0; i < blob_count; i++) {
        if (!blobs[i].data) continue;
        w->blobs[i] = slice_of(at, blobs[i].bytes);
        at = put_bytes(at, blobs[i].data, blobs[i].bytes);
    }
    return w;
}

/* What must not be on the disk without the rest of its row. */
static bool is_bound(enum store_kind kind)
{
    return kind == STORE_INBOX_STATE || kind == STORE_KV || kind == STORE_KV_DROP || kind == STORE_JOB ||
           kind == STORE_JOB_DROP;
}

static void end_row(struct store *s)
{
    if (s->row > 0) s->last->with_next = false;
    s->row = 0;
    s->row_is_bound = false;
}

/* A row that only sends may end, and go on as another. */
static void join(struct store *s, struct store_write *w)
{
    s->row_is_bound = s->row_is_bound || is_bound(w->kind);
    if (s->row >= STORE_ROW_MAX && !s->row_is_bound) end_row(s);
    w->with_next = true;
    s->row++;
}

void store_join(struct store *s, bool join)
{
    if (!join) end_row(s);
    s->joining = join;
}

void store_write(struct store *s, struct store_write *w)
{
    if (s->joining) join(s, w);
    if (s->last) s->last->after = w;
    else s->first = w;
    if (!s->first_us) s->first_us = now_us(s);
    s->last = w;
    s->waiting++;
    s->waiting_bytes += w->bytes;
}

static void forget_write(struct store *s)
{
    struct store_write *w = s->first;
    s->first = w->after;
    if (!s->first) s->last = NULL;
    s->waiting--;
    s->waiting_bytes -= w->bytes;
    free(w);
}

/* A write is told while it is still the first, so that what it causes comes after all that was there. */
static void settle_writes(struct store *s, unsigned count)
{
    s->commits++;
    s->operations += count;
    for (; count > 0; count--) {
        if (s->first->done) s->first->done(s->owner, s->first);
        forget_write(s);
    }
    s->first_us = s->first ? now_us(s) : 0;
}

static int room_in_memory(const struct store *s)
{
    return s->waiting_bytes + s->gathered_bytes > WAITING_MAX ? MOTH_ESLOW : 0;
}

int store_room(const struct store *s)
{
    return s->reason < 0 ? MOTH_ESTORE : room_in_memory(s);
}

int store_room_to_end(const struct store *s)
{
    return s->reason == MOTH_ENO_SPACE ? room_in_memory(s) : store_room(s);
}

bool store_is_idle(const struct store *s)
{
    return !s->job && !s->first;
}

void store_doubt(struct store *s)
{
    s->doubt = true;
}

bool store_may_read(const struct store *s)
{
    return !(s->job && s->job->reopen) && s->db->reader;
}

/* --- jobs --- */

int store_give_up_ballast(const struct moth_host *host)
{
    return host->file_move(host->context, BALLAST, NULL);
}

/* On a full disk the ballast makes room for what opening writes. */
static int open_with_ballast(struct store_db *db, bool damaged, struct store_report *report, bool *spent)
{
    int rc = db_open(db, damaged, report);
    if (rc != MOTH_ENO_SPACE || store_give_up_ballast(db->host) < 0) return rc;
    *spent = true;
    return db_open(db, damaged, report);
}

static void run_group(struct store_job *j)
{
    j->rc = db_commit(j->db, j->first, j->count, &j->totals);
    if (j->rc != MOTH_ENO_SPACE || store_give_up_ballast(j->host) < 0) return;
    j->spent = true;
    j->rc = db_commit(j->db, j->first, j->count, &j->totals);
}

static void job_run(void *context)
{
    struct store_job *j = context;
    j->rc = 0;
    if (j->reopen) {
        db_close(j->db, NULL);
        j->rc = open_with_ballast(j->db, false, NULL, &j->spent);
    }
    if (j->rc == 0) run_group(j);
    if (j->rc == 0 && j->want_ballast && !j->spent)
        j->has_ballast = j->host->file_fill(j->host->context, BALLAST, j->ballast_bytes) == 0;
}

static void set_condition(struct store *s, int reason)
{
    bool changed = reason != s->reason;
    uint64_t pause = reason == MOTH_EIN_USE ? RETRY_LOCKED_US : RETRY_US;
    s->retry_us = reason < 0 ? now_us(s) + pause : 0;
    s->reason = reason;
    if (changed) s->on_condition(s->owner, reason);
}

static void take_result(struct store *s, const struct store_job *j)
{
    s->ballast_spent = (s->ballast_spent || j->spent) && !j->has_ballast;
    if (j->rc == 0) settle_writes(s, j->count);
    else s->recount = COUNT_ALL;
    set_condition(s, j->rc < 0 ? j->rc : s->ballast_spent ? MOTH_ENO_SPACE : 0);
}

static void free_writes(struct store_write *w)
{
    while (w) {
        struct store_write *after = w->after;
        free(w);
        w = after;
    }
}

static void job_done(void *context)
{
    struct store_job *j = context;
    if (j->store) {
        j->store->job = NULL;
        take_result(j->store, j);
    } else {
        db_close(j->db, NULL);
        free_writes(j->first);
        free(j->db);
    }
    free(j);
}

/* Those that may be committed: not a row that has not ended. */
static size_t ready(const struct store *s)
{
    return s->waiting - s->row;
}

/* The last ones go; a job that runs has only those before them. */
void store_abandon_row(struct store *s)
{
    struct store_write **at = &s->first, *last = NULL;
    for (size_t kept = ready(s); kept > 0; kept--) {
        last = *at;
        at = &last->after;
    }
    for (const struct store_write *w = *at; w; w = w->after) s->waiting_bytes -= w->bytes;
    free_writes(*at);
    *at = NULL;
    s->last = last;
    s->waiting -= s->row;
    s->row = 0;
    s->row_is_bound = s->joining = false;
}

/* Whole rows, as many as there is room for, but one at least. */
static unsigned next_group(const struct store *s)
{
    const struct store_write *w = s->first;
    size_t count = 0, all = ready(s);
    for (size_t n = 1; n <= all && (count == 0 || n <= s->group); n++, w = w->after)
        if (!w->with_next) count = n;
    return (unsigned)count;
}

static void start_job(struct store *s, uint64_t now)
{
    struct store_job *j = mem_new(sizeof *j);
    bool broken = s->reason < 0 && s->reason != MOTH_ENO_SPACE && s->reason != MOTH_EIN_USE;
    *j = (struct store_job){.store = s, .host = s->host, .db = s->db, .first = s->first, .totals = totals(s),
                            .ballast_bytes = s->ballast_bytes, .want_ballast = s->ballast_spent};
    j->count = next_group(s);
    j->reopen = broken || !s->db->writer;
    s->group_began_us = now;
    s->hurry = false;
    s->job = j;
    s->host->work(s->host->context, job_run, job_done, j);
}

/* --- what is forgotten --- */

/* The figure that a kind of pruning or counting is about. */
static int64_t *figure_of(struct store *s, enum store_kind kind)
{
    if (kind == STORE_PRUNE_INBOX || kind == STORE_COUNT_INBOX) return &s->inbox_history;
    if (kind == STORE_PRUNE_SENT || kind == STORE_COUNT_SENT) return &s->sent_history;
    return &s->delivered_count;
}

/* What came while it waited is not in the result yet. */
static void on_counted(void *owner, const struct store_write *w)
{
    struct store *s = w->subject;
    int64_t *figure = figure_of(s, w->kind);
    (void)owner;
    *figure = w->result + (*figure - w->numbers[0]);
    s->pruning = false;
}

/* When nothing went that should have, there is nothing, and it was miscounted. Of old ids there may be none. */
static void on_pruned(void *owner, const struct store_write *w)
{
    struct store *s = w->subject;
    int64_t *figure = figure_of(s, w->kind);
    bool miscounted = w->result == 0 && w->kind != STORE_EXPIRE_DELIVERED;
    (void)owner;
    *figure = miscounted ? 0 : *figure - w->result;
    if (figure == &s->delivered_count) s->epoch++; /* floors may have risen */
    s->pruning = false;
}

static void prune(struct store *s, enum store_kind kind, int64_t number, int64_t bytes,
                  void (*done)(void *owner, const struct store_write *w))
{
    int64_t numbers[] = {number, bytes};
    struct store_write *w = store_write_new(kind, numbers, 2, NULL, 0);
    w->done = done;
    w->subject = s;
    s->pruning = true;
    store_write(s, w);
}

/* What is above the limit, and a little more, so that it is not for every message. */
static int64_t excess(int64_t bytes, uint64_t max)
{
    return bytes - (int64_t)max + (int64_t)max / 16;
}

/* After a crash, and when a group may have been run twice, the totals may be a little off. */
static void count_anew(struct store *s)
{
    for (unsigned i = 0; i < 3; i++) {
        enum store_kind kind = (enum store_kind)(STORE_COUNT_INBOX + i);
        if (!(s->recount & 1u << i)) continue;
        s->recount &= ~(1u << i);
        prune(s, kind, *figure_of(s, kind), 0, on_counted);
        return;
    }
}

/* One kind at a time, a little at a time. */
static void forget_old(struct store *s)
{
    int64_t day = store_day(s) - (int64_t)s->delivered_days - 1;
    if (s->pruning) return;
    if (s->recount) {
        count_anew(s);
    } else if (day >= 0 && day > s->expired_day) {
        s->expired_day = day;
        prune(s, STORE_EXPIRE_DELIVERED, day, 0, on_pruned);
    } else if (s->inbox_history > (int64_t)s->inbox_history_max) {
        prune(s, STORE_PRUNE_INBOX, PRUNE_ROWS, excess(s->inbox_history, s->inbox_history_max), on_pruned);
    } else if (s->sent_history > (int64_t)s->sent_history_max) {
        prune(s, STORE_PRUNE_SENT, PRUNE_ROWS, excess(s->sent_history, s->sent_history_max), on_pruned);
    } else if (s->delivered_count > (int64_t)s->delivered_max) {
        prune(s, STORE_TRIM_DELIVERED, 0, 0, on_pruned);
    }
}

/* --- groups --- */

/* Lone writes go at once; under load a group gathers for a while. */
static uint64_t group_due(const struct store *s)
{
    if (ready(s) == 0) return s->group_began_us + CLOCK_US;
    if (ready(s) >= s->group || s->hurry) return 0;
    uint64_t by_wait = s->first_us + s->group_us, by_pause = s->group_began_us + s->group_us;
    return by_wait < by_pause ? by_wait : by_pause;
}

uint64_t store_tick(struct store *s, uint64_t now)
{
    if (s->job) return never;
    if (s->doubt && s->reason == 0) {
        set_condition(s, MOTH_EDAMAGED);
        s->retry_us = now;
    }
    s->doubt = false;
    if (s->reason < 0) {
        if (now < s->retry_us) return s->retry_us;
    } else {
        forget_old(s);
        uint64_t due = group_due(s);
        if (now < due) return due;
    }
    start_job(s, now);
    return never;
}

void store_rest(const struct store *s)
{
    if (!s->job) db_rest(s->db);
}

/* --- opening and closing --- */

static void take_limits(struct store *s, const uint64_t *limits)
{
    s->group = limits[MOTH_LIMIT_GROUP];
    s->group_us = limits[MOTH_LIMIT_GROUP_MS] * 1000;
    s->ballast_bytes = limits[MOTH_LIMIT_BALLAST_BYTES];
    s->inbox_history_max = s->sent_history_max = limits[MOTH_LIMIT_HISTORY_BYTES] / 2;
    s->delivered_max = limits[MOTH_LIMIT_DELIVERED_IDS];
    s->delivered_days = limits[MOTH_LIMIT_DELIVERED_DAYS];
}

int store_open(struct store *s, const struct store_setup *setup, struct store_report *report)
{
    *report = (struct store_report){.aside = ""};
    *s = (struct store){.host = setup->host, .owner = setup->owner, .on_condition = setup->on_condition, .epoch = 1};
    take_limits(s, setup->limits);
    s->db = mem_new(sizeof *s->db);
    s->db->host = s->host;
    int rc = open_with_ballast(s->db, setup->damaged, report, &s->ballast_spent);
    if (rc == 0) s->ballast_spent = s->host->file_fill(s->host->context, BALLAST, s->ballast_bytes) < 0;
    if (rc < 0) {
        free(s->db);
        s->db = NULL;
        return rc;
    }
    report->was_empty = s->db->was_empty;
    set_clock(s, &s->db->read);
    s->inbox_history = s->db->read.inbox_history;
    s->sent_history = s->db->read.sent_history;
    s->delivered_count = s->db->read.delivered_count;
    s->recount = s->db->was_unclean ? COUNT_ALL : 0;
    s->last_peer_row = s->db->last_peer_row;
    s->last_inbox_row = s->db->last_inbox_row;
    s->peer_count = s->db->peer_count;
    if (s->ballast_spent) s->reason = MOTH_ENO_SPACE;
    return 0;
}

/* Whoever waits for these is going away: nobody is called. A row that has not ended never was. */
static int flush(struct store *s)
{
    int rc = s->reason == MOTH_ENO_SPACE ? 0 : s->reason; /* the ballast may have made room */
    while (rc == 0 && ready(s) > 0) {
        struct store_totals t = totals(s);
        unsigned count = next_group(s);
        rc = db_commit(s->db, s->first, count, &t);
        for (; rc == 0 && count > 0; count--) forget_write(s);
    }
    return rc;
}

void store_close(struct store *s, bool clean)
{
    if (!s->db) return;
    if (s->job) {
        s->job->store = NULL; /* it closes the database, and frees the writes */
        s->db = NULL;
        return;
    }
    int rc = flush(s);
    struct store_totals last = totals(s);
    db_close(s->db, rc == 0 && clean ? &last : NULL);
    free_writes(s->first);
    free(s->db);
    s->db = NULL;
}
