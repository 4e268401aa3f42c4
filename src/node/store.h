/* store.h -- what a node keeps: mail on its way, ids already delivered, and two numbers that must never repeat.
 *
 * In this version mail and delivered ids live in memory, bounded; nothing here is a promise yet, and whoever closes the
 * node is told how much is lost. The two numbers are on disk already: message ids and advert numbers are handed out
 * only below a ceiling that was written and synced before (file "reserve" beside the key), so that no restart, clock or
 * lost database ever makes one twice. The ceiling is raised ahead of need, off the loop's thread.
 *
 * The file: "moth reserve 1\n", then id ceiling u64, advert ceiling u64, and the first 8 bytes of the SHA-256 over all
 * before. */
#ifndef NODE_STORE_H
#define NODE_STORE_H

#include "base/id.h"
#include "moth/node.h"
#include "node/recent.h"

struct peer;
struct peers;

struct outgoing { /* a message of ours, from its acceptance to its end */
    struct outgoing *before, *after; /* in the box of its recipient, ascending by id */
    uint64_t id;
    struct peer *to; /* borrowed: a peer with mail is not forgotten */
    uint8_t flags;
    uint32_t ttl_s, retries, tries;
    uint32_t silences; /* how often its receipt was waited for in vain: what `retries` limits */
    uint64_t accepted_us, changed_ms;
    enum moth_state state;
    int reason;
    bool in_flight; /* sent since the box was last called back */
    bool light;     /* to ourselves, from emit: no state, no receipt */
    size_t body_bytes, data_bytes;
    uint8_t body[]; /* the plain body, as it is sealed every time */
};

struct box { /* all mail for one recipient */
    struct box *before, *after;
    struct peer *to; /* borrowed */
    struct outgoing *first, *last;
    struct outgoing *next_send; /* the first not in flight; NULL: all are */
    unsigned in_flight;
    uint64_t retry_us;   /* when silence makes us send again; 0: nothing in flight */
    uint64_t backoff_us;
    uint64_t hint_us;    /* until then another hint changes nothing */
    bool hinted;         /* retry_us was brought forward by a hint: that is no silence */
};

struct reservation; /* a write of the reserve file that is under way */

struct store {
    const struct moth_host *host; /* borrowed */
    struct box *boxes;
    struct id_map box_of;      /* recipient to box */
    struct id_map message_of;  /* message id, as a key, to outgoing */
    struct ended *ended;       /* ring of the last ends, so that their states can be asked for */
    size_t ended_at;
    size_t mail_count, mail_bytes, mail_max, mail_bytes_max;
    size_t delivered_max, light_max;
    uint64_t last_id, id_ceiling, last_seq, seq_ceiling;
    struct reservation *writing; /* NULL: none */
    bool wanted;                 /* a ceiling came near in use: raise it */
    bool failing;                /* the last write of the file failed: said once, tried again with pauses */
    uint64_t retry_us;
};

/* Reads and raises the reserved numbers; blocks. MOTH_EIO, MOTH_EPERMISSION; MOTH_EMALFORMED: the file is damaged. */
int store_open(struct store *s, const struct moth_host *host, const uint64_t limits[MOTH_LIMIT_COUNT], uint64_t seed);
void store_close(struct store *s); /* frees everything; a write under way ends by itself */

/* Numbers. MOTH_EIO: the ceiling is reached and cannot be raised now. */
int store_next_id(struct store *s, uint64_t *id);
int store_next_seq(struct store *s, uint64_t *seq);
void store_raise_seq(struct store *s, uint64_t at_least); /* later numbers are above `at_least`, once it is on disk */

/* Raises ceilings that have come near. Returns when it wants to be called again, UINT64_MAX: after the next use. */
uint64_t store_tick(struct store *s, uint64_t now_us);

/* Mail. Puts a new message (allocated with outgoing_new, owned by the store from here on) at the end of its box.
 * MOTH_EFULL. */
struct outgoing *outgoing_new(uint64_t id, struct peer *to, struct slice body);
int store_put(struct store *s, struct outgoing *m);
struct outgoing *store_find(const struct store *s, uint64_t id); /* NULL: unknown or ended */
struct box *store_box(const struct store *s, const struct moth_id *to); /* NULL: nothing for them */
/* remembers its end and frees it, and its box when it was the last */
void store_end(struct store *s, struct outgoing *m);
/* expired becomes delivered */
bool store_end_late(struct store *s, uint64_t id, const struct peer *from, uint64_t now_ms);
bool store_ended(const struct store *s, uint64_t id, struct moth_sent *out); /* one of the last ends, without `name` */

/* Delivered ids, a set for each source; light ones likewise. 0, MOTH_EDUPLICATE or MOTH_ETOO_OLD. */
int store_delivered_add(struct store *s, struct peers *all, struct peer *from, uint64_t id);
int store_light_add(struct store *s, struct peer *from, uint64_t id);

#endif
