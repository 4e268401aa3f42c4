/* boxes.h -- all messages of ours that have not ended, in memory: a box for each recipient, in the order of sending.
 *
 * Beside what the user sends there are two kinds the node makes itself (carry.c): deposits, which ask somebody to keep
 * a copy, and hand-overs, which are what we keep for others. What a box holds is on the disk or about to be (store.h);
 * here are heads and, as far as there is room, bodies. Also the last ends, so that their states can be asked for. */
#ifndef NODE_BOXES_H
#define NODE_BOXES_H

#include "base/id.h"
#include "moth/node.h"

struct peer;

#define CARRIERS_MAX 4

enum custody { CUSTODY_ASKED, CUSTODY_TAKEN, CUSTODY_REFUSED };

struct carrier { /* somebody who was asked to keep a copy */
    struct moth_id id;
    enum custody custody;
    uint64_t deposit; /* while asked: the message that asks */
    int reason;       /* why they refused */
};

struct outgoing { /* a message of ours, from its acceptance to its end */
    struct outgoing *before, *after; /* in the box of its recipient, in the order of sending */
    uint64_t id;
    struct peer *to; /* borrowed: a peer with mail is not forgotten */
    uint8_t kind, flags; /* of the envelope: data, deposit or hand-over; a light one to ourselves */
    uint32_t ttl_s, retries, tries;
    uint32_t silences;      /* how often its receipt was waited for in vain: what `retries` limits */
    uint64_t accepted_ms;   /* by the store's clock, which counts its age */
    uint64_t sent_ms, changed_ms; /* since 1970 */
    enum moth_state state;
    int reason;
    bool in_flight;      /* sent since the box was last called back */
    bool light;          /* to ourselves, sent once: no state, no receipt */
    bool committed;      /* it is on the disk */
    bool taken;          /* to ourselves: the inbox has it and waits for its commit */
    struct peer *source; /* borrowed and held; hand-overs: whose envelope is inside */
    uint64_t inner_id;   /* deposits and hand-overs: the message inside */
    struct carrier *carriers; /* owned; NULL: nobody was asked */
    unsigned carrier_count;
    size_t body_bytes, data_bytes;
    uint8_t *body; /* owned: the plain body, as it is sealed every time; NULL: only on the disk */
};

struct box { /* all mail for one recipient */
    struct box *before, *after;
    struct peer *to; /* borrowed */
    struct outgoing *first, *last;
    struct outgoing *next_send;    /* the first not in flight; NULL: all are */
    struct outgoing *next_deposit; /* the first nobody may have been asked to carry yet; NULL: all were looked at */
    unsigned in_flight;
    unsigned count;
    uint64_t deposit_again_us; /* when to look for carriers that did not answer */
    uint64_t retry_us;   /* when silence makes us send again; 0: nothing in flight */
    uint64_t backoff_us;
    uint64_t hint_us;    /* until then another hint changes nothing */
    bool hinted;         /* retry_us was brought forward by a hint: that is no silence */
};

struct boxes {
    struct box *first;
    struct id_map box_of;     /* recipient to box */
    struct id_map message_of; /* message id, as a key, to outgoing */
    struct id_map carried_of; /* source and inner id, as a key, to hand-over */
    struct outgoing *unwritten, *last_unwritten; /* owned: ended before their commit, for the history */
    struct ended *ended;      /* owned: a ring of the last ends */
    struct id_map ended_of;   /* message id, as a key, to its end */
    size_t ended_at;
    size_t mail_count, mail_bytes;       /* what the user sent */
    size_t carried_count, carried_bytes; /* what we keep for others */
    size_t memory_bytes;                 /* of bodies */
};

void boxes_init(struct boxes *b, uint64_t seed);
void boxes_fini(struct boxes *b);

/* `body` is copied. */
struct outgoing *outgoing_new(uint64_t id, struct peer *to, uint8_t kind, struct slice body);
void outgoing_free(struct outgoing *m); /* one that is in no box */
void outgoing_drop_body(struct boxes *b, struct outgoing *m); /* it is on the disk */
void outgoing_set_body(struct boxes *b, struct outgoing *m, uint8_t *body); /* owned from here on */

/* Puts a new message, owned from here on, at the end of its box; a hand-over before later ones of the same source. */
void boxes_put(struct boxes *b, struct outgoing *m);
struct outgoing *boxes_find(const struct boxes *b, uint64_t id); /* NULL: unknown or ended */
struct outgoing *boxes_find_carried(const struct boxes *b, const struct moth_id *source, uint64_t inner_id);
struct box *boxes_box(const struct boxes *b, const struct moth_id *to); /* NULL: nothing for them */
/* Recipients of all boxes, for who walks them while ends take some away; the array is the caller's to free. */
struct moth_id *boxes_ids(const struct boxes *b, size_t *count);
void boxes_remove(struct boxes *b, struct outgoing *m); /* frees it, and its box when it was the last */

/* The same, but it is kept until boxes_written: the disk does not know it yet. */
void boxes_retire(struct boxes *b, struct outgoing *m);
void boxes_written(struct boxes *b, uint64_t id); /* unknown is fine */

/* The last ends of what the user sent. */
void boxes_remember_end(struct boxes *b, const struct outgoing *m);
bool boxes_ended(const struct boxes *b, uint64_t id, struct moth_sent *out); /* without `name` */
bool boxes_end_late(struct boxes *b, uint64_t id, uint64_t now_ms); /* expired or lost becomes delivered */

#define CARRIER_BYTES (MOTH_ID_BYTES + 2)
size_t carriers_encode(const struct outgoing *m, uint8_t *out); /* those who answered; CARRIER_BYTES each */
void carriers_decode(struct outgoing *m, struct slice bytes);
unsigned outgoing_holders(const struct outgoing *m); /* how many hold a copy */
struct carrier *outgoing_carrier(struct outgoing *m, const struct moth_id *id); /* NULL: was not asked */
struct carrier *outgoing_add_carrier(struct outgoing *m, const struct moth_id *id, enum custody custody,
                                     uint64_t deposit); /* NULL: too many were asked */

#endif
