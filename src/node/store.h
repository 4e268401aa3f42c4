/* store.h -- the database of a node, as the node's thread sees it.
 *
 * Writes are gathered and committed in groups on a worker, so this thread never waits for a disk; whoever needs the
 * promise is called back once the group is synced. The order of writes is kept, and each may be repeated: a group whose
 * commit failed half-way is run again after the database was opened anew. Reads go through a connection of their own
 * and see what was committed; what waits is known to those who wrote it (boxes.h, inbox.c), who answer for it.
 *
 * When the disk is full, broken, read-only or locked, `reason` says so: writes wait, nothing new may be promised, and
 * every few seconds it is tried again. A ballast file is given up when the disk is full, so that what ends can still be
 * written; only when it is back, promises begin again.
 *
 * Some writes belong together: what is written between store_join(s, true) and store_join(s, false) is a row, which is
 * committed whole or not at all, whatever the size of a group.
 *
 * The store's clock counts the time the node lived, in ms; time switched off counts as the wall clock's gap, between
 * nothing and a day. Ages and expiry go by it, whatever happens to the calendar. */
#ifndef NODE_STORE_H
#define NODE_STORE_H

#include "base/base.h"
#include "moth/node.h"

struct peer;
struct store_db;
struct store_job;

/* Every write there is; its numbers and blobs are listed beside its SQL in store_write.c. */
enum store_kind {
    STORE_MARK, /* writes nothing: who must know when all before is committed */
    STORE_PEER,
    STORE_MESSAGE,
    STORE_MESSAGE_STATE,
    STORE_MESSAGE_LATE,
    STORE_MESSAGE_DROP,
    STORE_INBOX,
    STORE_INBOX_STARTS,
    STORE_INBOX_STATE,
    STORE_PRUNE_INBOX,
    STORE_PRUNE_SENT,
    STORE_EXPIRE_DELIVERED,
    STORE_TRIM_DELIVERED,
    STORE_PRUNE_PEERS,
    STORE_COUNT_INBOX,
    STORE_COUNT_SENT,
    STORE_COUNT_DELIVERED,
    STORE_KV,
    STORE_KV_DROP,
    STORE_JOB,
    STORE_JOB_DROP,
    STORE_KINDS
};

#define STORE_NUMBERS 12
#define STORE_BLOBS 8

struct store_write {
    struct store_write *after;
    enum store_kind kind;
    int64_t numbers[STORE_NUMBERS];  /* parameters ?1 to ?12 */
    struct slice blobs[STORE_BLOBS]; /* ?13 to ?20, in the memory behind; data NULL: NULL */
    void (*done)(void *owner, const struct store_write *w); /* once committed, on the node's thread; NULL: nobody */
    void *subject;                   /* for `done` */
    int64_t result;                  /* the sum of the first column of the rows it returned */
    size_t bytes;
    bool with_next; /* committed together with the one behind it */
};

/* `owner` is the node's, for `done` and `on_condition`: 0, or why nothing can be promised now. */
struct store {
    const struct moth_host *host; /* borrowed */
    void *owner;
    void (*on_condition)(void *owner, int reason);
    struct store_db *db;     /* owned; while a job runs, the worker's */
    struct store_job *job;   /* NULL: none */
    struct store_write *first, *last; /* owned: not committed yet */
    size_t waiting, waiting_bytes;
    size_t gathered_bytes;   /* of what will be written at the end of a row (data.c); counts as waiting */
    size_t row;              /* how many of the last ones are a row that has not ended */
    bool joining, row_is_bound; /* bound: nothing of it may go before the rest */
    uint64_t first_us;       /* since when the first one waits */
    uint64_t group, group_us, group_began_us, ballast_bytes;
    int reason;
    bool ballast_spent;
    uint64_t retry_us, opened_us, clock_ms; /* clock_ms: at opened_us */
    int64_t last_peer_row, last_inbox_row, peer_count;
    int64_t inbox_history, sent_history; /* bytes of handled and of ended messages */
    int64_t delivered_count;
    uint64_t inbox_history_max, sent_history_max, delivered_max, delivered_days;
    int64_t expired_day;     /* ids up to that day are gone */
    unsigned epoch;          /* counts how often floors may have risen */
    bool doubt;              /* a read found damage: open anew and check */
    bool pruning, hurry;     /* hurry: the next group begins at once */
    unsigned recount;        /* a bit for each figure that is to be counted anew, see forget_old */
    uint64_t commits, operations;
};

struct store_setup {
    bool damaged; /* what it holds could not be loaded: it is set aside without further question */
    const struct moth_host *host;
    const uint64_t *limits;
    void *owner;
    void (*on_condition)(void *owner, int reason);
};

/* What happened to a database that was damaged; `aside` "" when it was not. */
struct store_report {
    char aside[64]; /* the file's new name in the home folder */
    bool was_empty; /* there was no database */
    int64_t peers, messages; /* how many of each could be read */
};

/* Blocks. MOTH_EIN_USE: another program holds it; MOTH_ENEWER, MOTH_ENO_SPACE, MOTH_EPERMISSION, MOTH_EIO. */
int store_open(struct store *s, const struct store_setup *setup, struct store_report *report);

/* Commits what waits, if that is possible now, and ends; blocks. With a group under way, that one is finished by its
 * worker and the rest is lost. `clean` false: the next opening checks it. */
void store_close(struct store *s, bool clean);

int store_give_up_ballast(const struct moth_host *host); /* MOTH_ENOT_FOUND: it is given up already */
uint64_t store_clock_ms(const struct store *s);
int64_t store_day(const struct store *s); /* of that clock */

static inline bool store_may_promise(const struct store *s)
{
    return s->reason == 0;
}

/* May something new be written and promised? 0; MOTH_ESTORE: the disk cannot; MOTH_ESLOW: too much waits already. */
int store_room(const struct store *s);
int store_room_to_end(const struct store *s); /* the same for what takes something away: a full disk takes it, too */

/* Writes. The blobs are copied. */
struct store_write *store_write_new(enum store_kind kind, const int64_t *numbers, unsigned number_count,
                                    const struct slice *blobs, unsigned blob_count);
void store_write(struct store *s, struct store_write *w); /* owned from here on */
/* From `join` true to false all writes are one row. Of more than STORE_ROW_MAX of them the first ones may go earlier,
 * until there is one among them that says what a program has done: data, a job, an arrival's state. */
#define STORE_ROW_MAX 1024
void store_join(struct store *s, bool join);
void store_abandon_row(struct store *s); /* what was written since joining began never was; nobody is called */
bool store_is_idle(const struct store *s);
void store_doubt(struct store *s); /* a read said MOTH_EDAMAGED: promises stop until it was checked */

/* Starts a group if one is due. Returns when it wants to be called again. */
uint64_t store_tick(struct store *s, uint64_t now_us);
void store_rest(const struct store *s); /* drops what is cached of an imagined disk, which is in memory anyway */

/* Reads, on the node's thread. MOTH_ENOT_FOUND; MOTH_ESTORE: not now; MOTH_EDAMAGED: never. */
/* a body of exactly `bytes`, owned by the caller */
int store_body(const struct store *s, uint64_t id, size_t bytes, uint8_t **out);
int store_inbox_body(const struct store *s, int64_t row, size_t bytes, uint8_t **out);
int store_peer_row(const struct store *s, const struct moth_id *id, int64_t *row);

/* Was (peer, id) delivered before? 0: no, MOTH_EDUPLICATE, MOTH_ETOO_OLD: below what is remembered. Knows nothing of
 * writes that wait. */
int store_delivered(const struct store *s, struct peer *p, uint64_t id);

/* A message of ours, ended or not, without `name`. */
int store_ended(const struct store *s, uint64_t id, struct moth_sent *out);

/* What opening finds. Each calls back for each row, in order; slices are borrowed. */
struct stored_peer {
    int64_t row;
    struct moth_id id;
    struct slice about, advert;
};
struct stored_message {
    uint64_t id;
    struct moth_id to, source; /* source: zero when there is none */
    unsigned kind, flags, tries, silences;
    uint32_t ttl_s, retries;
    uint64_t accepted_ms, sent_ms, changed_ms, inner_id;
    enum moth_state state;
    size_t bytes, data_bytes;
    struct slice carriers;
};
struct stored_arrival {
    int64_t row;
    struct moth_id from;
    uint64_t id;
    unsigned flags, hops, starts, state;
    uint64_t received_ms;
    size_t bytes;
};
int store_load_peers(const struct store *s, size_t most, void (*each)(void *owner, const struct stored_peer *p));
int store_load_messages(const struct store *s, void (*each)(void *owner, const struct stored_message *m));
int store_load_arrivals(const struct store *s, void (*each)(void *owner, const struct stored_arrival *a));

/* The newest first, until `each` says no. `peer_row` 0: of anybody. */
struct stored_text {
    bool is_ours;
    struct moth_id peer;
    uint64_t id, time_ms;
    unsigned flags, state;   /* enum moth_state, or enum arrival_state */
    int reason;
    struct slice body;
};
int store_history(const struct store *s, int64_t peer_row, bool (*each)(void *context, const struct stored_text *t),
                  void *context);

/* States of an arrival in the database. */
enum arrival_state { ARRIVAL_NEW, ARRIVAL_HANDLED, ARRIVAL_SET_ASIDE };

/* Data of scripts: ordered keys with values in named spaces; jobs that are due at a time. As with all reads, what
 * `take` and `each` are given is borrowed, and they may call nothing of the store. */
int store_script_bytes(const struct store *s, uint64_t *out); /* of names, keys, values and arguments; reads them all */
int store_kv_bytes(const struct store *s, struct slice space, struct slice key, size_t *out); /* of a value */
int store_kv(const struct store *s, struct slice space, struct slice key,
             void (*take)(void *context, struct slice value), void *context);
int store_job_arguments(const struct store *s, int64_t job, void (*take)(void *context, struct slice arguments),
                        void *context);
int store_kv_each(const struct store *s, struct slice space, struct slice from_key,
                  bool (*each)(void *context, struct slice key, struct slice value), void *context);
int store_job_each(const struct store *s, bool (*each)(void *context, int64_t job, uint64_t due_ms, struct slice name,
                                                 struct slice arguments), void *context);

#endif
