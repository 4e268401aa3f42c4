/* hub.h -- the inside of a node, shared by the rooms of this floor.
 *
 * A link has a `struct session`: what this node knows about that neighbour. Rooms and their part of the state:
 *
 *   node      opening, closing, the turn, events to the owner; frames in, to whom they belong
 *   session   links coming up and going down, two links to one peer, pings, pauses
 *   dial      addresses that are wanted, redial, dialling somebody who has no route
 *   topology  adverts of others, the only writer of the map beside our own links; own: the one we sign
 *   changes   when the routes follow the map, and who hears of it
 *   invite    one line for others to join by, and joining by theirs
 *   sync      which adverts each neighbour still lacks; digests
 *   route     the way out: forwarding, sealing, notices, broadcasts
 *   send      what the user sends: checked, encoded
 *   mail      our messages: sent, retried; mail_life: kept, committed, told, ended
 *   carry     carriers: asking them, being one
 *   inbox     what arrives: opened, checked, committed, told
 *   receipts  owed to senders, and taken from recipients
 *   hooks     what the owner may veto
 *   data      what programs keep, and their batches; jobs: what they want to be done at a time
 *   book      the address book on the disk
 *   query     listings and figures
 */
#ifndef NODE_HUB_H
#define NODE_HUB_H

#include "moth/node.h"
#include "net/link.h"
#include "node/boxes.h"
#include "node/bucket.h"
#include "node/data.h"
#include "node/keys.h"
#include "node/peers.h"
#include "node/reading.h"
#include "node/recent.h"
#include "node/reserve.h"
#include "node/store.h"
#include "proto/envelope.h"
#include "proto/router.h"
#include "proto/seen.h"

struct wanted {
    struct wanted *after;
    char *address; /* owned, as the user gave it */
    bool has_peer;
    struct moth_id peer;
    struct session *session; /* borrowed: the dial or link under way, or NULL */
    uint64_t next_us, backoff_us;
    uint64_t dialled_us; /* the last time; 0: never */
    int reason;
    bool told; /* the failure was told; the next ones of the same kind are not */
};

struct session {
    struct moth_node *node;
    struct link *link;
    struct wanted *wanted; /* borrowed; NULL: nobody asked for this very link */
    struct peer *peer;     /* borrowed; NULL until ready */
    uint64_t serial;       /* later links have higher ones */
    char address[MOTH_ADDRESS_TEXT_BYTES];
    bool carried;  /* a frame came: the link really works */
    bool synced;   /* has shown our table */
    bool retired;  /* another link to the same peer took over */
    bool was_up;   /* was told to the owner as a link */
    bool shedding; /* slow for longer than a pause: messages are dropped */
    uint64_t slow_us;       /* when this slow episode began */
    struct session *paused_for; /* borrowed: the slow link for whose sake this one is not read */
    uint64_t ping_us;       /* when the next ping is due */
    uint64_t their_interval_us;
    int64_t rtt_us;         /* -1: not measured */
    uint64_t mismatch_us, digest_us; /* first of a row of differing tables; when a digest was last sent for it */
    uint8_t *pending;       /* owned; a bit for each origin whose advert is to be sent, NULL: none */
    unsigned pending_count, pending_at;
    uint64_t adverts_us;    /* none is sent before */
    bool ping_after_pending;
    struct bucket adverts_in, adverts_out, digests_in, lists_in;
};

struct deferred { /* newer, verified, waiting for the bucket */
    struct pooled *advert; /* held */
    struct version version;
    uint64_t at_us;
    uint32_t age_s;
    enum address_scope scope; /* of the link it came over */
};

struct origin { /* one advert; there may be thousands */
    struct peer *peer;     /* borrowed; it points back */
    struct pooled *advert; /* held */
    struct version version;
    uint64_t taken_us, expires_us;
    struct bucket bucket;
    struct deferred *deferred; /* owned; NULL: none */
    uint32_t age_s;            /* when taken */
    unsigned slot : 31;        /* its bit in the pending sets */
    bool routed : 1;           /* not expired: the router knows it */
};

#define ORIGIN_PER_SECOND 1u /* adverts of one origin, our own included */
#define ORIGIN_BURST 5u

struct topology {
    struct origin **slots; /* by slot; NULL: free */
    unsigned slot_count, slot_max, count;
    uint64_t table_hash;
    bool own_changed; /* our advert must be made anew */
    uint64_t own_due_us, refresh_us, deferred_us, expiry_us; /* when each is to be looked at; UINT64_MAX: not */
    uint64_t last_echo_us;
    unsigned echoes;
    bool cloned; /* another node runs with our key: we advertise no more */
    struct bucket own_bucket;
};

#define RECEIPTS_MAX 256u /* in one message */
#define RECEIPT_BYTES 9

struct receipts { /* owed to one sender; the peer points here */
    struct receipts *after;
    struct peer *to; /* borrowed */
    unsigned count;
    struct {
        uint64_t id;
        uint8_t code;
        bool is_message; /* not a deposit, nor a hand-over */
    } list[RECEIPTS_MAX];
};

struct answers { /* without a way so far */
    struct answer *first; /* owned, in their order */
    size_t count, bytes;
};

struct arrival { /* a durable message for us, until it is handled */
    struct arrival *after;
    struct peer *from; /* borrowed and held */
    uint64_t id;
    int64_t row;
    uint8_t flags;
    unsigned hops, starts; /* starts: how often handlers were called for it */
    bool open;             /* its handler holds it */
    bool marked;           /* as handled, while its handler is running */
    bool ready;            /* committed, and this start counted: it may be told */
    bool again, asked;     /* of an earlier process; its next start is being counted */
    size_t bytes;
    uint8_t *body;       /* owned; NULL: on the disk */
    const uint8_t *path; /* borrowed from the end of body, 8 bytes a hop; NULL: none, or not known any more */
};

enum inbox_how { INBOX_BROADCAST = 1, INBOX_AGAIN = 2 };

struct moth_node {
    const struct moth_host *host;     /* borrowed */
    struct moth_transport *transport; /* borrowed */
    moth_on_event on_event;
    void *owner;
    char name[MOTH_NAME_MAX + 1];
    char address[MOTH_ADDRESS_TEXT_BYTES];
    uint64_t limits[MOTH_LIMIT_COUNT];
    struct identity identity;
    bool has_network_key; /* one of its own, not the well-known open one */
    uint8_t network_key[32];
    uint64_t boot, started_us, due_us, serial;
    uint64_t logged_us[MOTH_ERROR_COUNT]; /* when a failure of a stranger was last logged, by reason */
    bool leaving, only_wanted;

    unsigned advertised_count;
    struct address advertised;

    struct links links;
    struct peers peers;
    struct peer *self; /* borrowed from peers */
    struct wanted *wanted;
    size_t wanted_count;
    struct topology topology;
    struct router *router;
    bool map_changed;  /* the routes do not yet follow */
    bool links_changed; /* nor do they follow our own links */
    uint64_t routes_us, routes_hold_us; /* for others' links the next search is not before; how long that is */
    struct seen *seen;
    struct keys keys;
    struct reserve reserve;
    struct store store;
    struct data data;
    struct boxes boxes;
    struct arrival *arrivals, *last_arrival; /* owned, in the order in which handlers are called */
    struct id_map arriving;                  /* those not committed yet */
    struct id_map open; /* owned: those held by handlers; by their key, each points to the next of the same key */
    struct arrival *telling; /* the one whose handler is running */
    bool mail_paused;
    size_t arrived_count, arrived_bytes, set_aside;
    uint64_t book_us;                        /* when changed peers are to be saved */
    size_t book_at;                          /* the slot where saving goes on */
    int64_t book_prune_above;                /* rows: fewer are not worth another try */
    bool book_pruning;
    uint32_t ttl_s, retries;                 /* of messages that do not say */
    bool carry_due, carry_anew; /* deposits: there is room for more; all are to be looked at again */
    struct receipts *receipts;
    struct answers answers;
    uint64_t mail_expiry_us; /* when the next message of ours expires */
    uint64_t mail_due_us;    /* when the first box is to be looked at, or earlier */
    struct bucket notices, notes, log_lines;
    struct bucket introductions; /* people first heard of by a hand-over */
    struct bucket late_receipts; /* those that make us ask the disk */
    struct bucket strange_broadcasts; /* of all origins that the address book does not know */
    unsigned receipts_waiting;
    bool receipts_due; /* new ones, or a new way */
    uint64_t receipts_us; /* else, when to try again */
    struct store_report report; /* of opening; told in the first turn */
    bool damaged; /* what the database holds could not be loaded */
    bool first_turn, ticking, emitting, clone_told;
    struct moth_hooks hooks;
    void *hooks_owner;
    bool in_hook; /* whatever would change the node says MOTH_EPERMISSION */
    struct buf scratch; /* where own envelopes are sealed */
    struct moth_sent *told; /* owned: state changes that the owner is still to hear of */
    size_t told_count, told_capacity;
    struct moth_status counts;
};

static inline uint64_t node_now_us(const struct moth_node *n)
{
    return n->host->now_us(n->host->context);
}

static inline uint64_t node_wall_ms(const struct moth_node *n)
{
    return n->host->wall_ms(n->host->context);
}

static inline struct session *session_of(const struct link *l)
{
    return l->user;
}

/* Something is to be done at `at_us` at the latest. */
static inline void node_due(struct moth_node *n, uint64_t at_us)
{
    if (at_us < n->due_us) n->due_us = at_us;
}

/* node.c */
bool node_may_note(struct moth_node *n); /* for notes that others can cause as often as they like */
void node_emit(struct moth_node *n, const struct moth_event *event);
void node_note(struct moth_node *n, const char *format, ...) __attribute__((format(printf, 2, 3)));
void node_fill_sent(const struct moth_node *n, const struct outgoing *m, struct moth_sent *out);
void node_discard(struct moth_node *n, int reason); /* counts one dropped or refused thing */
void node_discard_from(struct session *s, int reason); /* and logs it, once a peer or a minute */

/* changes.c */
void changes_turn(struct moth_node *n); /* the routes follow the map, if it may be searched now */

/* session.c */
extern const struct link_events session_events;
struct session *session_new(struct moth_node *n, struct link *l);
/* s is slow after taking a message from `from` (NULL: our own) */
void session_slow(struct session *s, struct session *from);
uint64_t sessions_tick(struct moth_node *n, uint64_t now_us);
void session_ping(struct session *s);
int session_on_ping(struct session *s, struct slice body);
int session_on_pong(struct session *s, struct slice body);
int session_on_goodbye(struct session *s, struct slice body);
void session_goodbye(struct session *s, bool part); /* part: neither end redials */
/* a link counts, once, when a frame came and the advert is known */
void session_up(struct moth_node *n, struct peer *p);
enum address_scope session_scope(const struct session *s);

/* dial.c */
uint64_t dial_tick(struct moth_node *n, uint64_t now_us);
void dial_ready(struct session *s);
void dial_up(struct session *s); /* the link counts: earlier failures are history */
void dial_closed(struct session *s, int reason);
/* keeps a link to that address; `only` NULL: to whoever answers there. As moth_connect */
int dial_want(struct moth_node *n, const char *address, const struct moth_id *only);
bool dial_peer(struct moth_node *n, struct peer *p); /* no route: try a learned address, if one may be tried now */
void dial_part(struct moth_node *n, struct peer *p); /* forget that links to them are wanted */
int peer_list_take(struct session *s, struct slice body);
void peer_list_send(struct session *s);

/* topology.c */
int topology_open(struct moth_node *n);
void topology_close(struct moth_node *n);
/* Takes over an advert: the table, the map, the address book, and on to all links but its source (NULL: it is our own,
 * or speaks for us). `scope` is that of the link it came over. */
void topology_adopt(struct moth_node *n, struct origin *o, struct pooled *advert, uint32_t age_s,
                    const struct session *from, enum address_scope scope);
struct origin *topology_add(struct moth_node *n, const struct moth_id *id); /* NULL: the table is full */
int topology_on_update(struct session *s, struct slice body);
uint64_t topology_tick(struct moth_node *n, uint64_t now_us);
/* Learns from an advert that came by hand: how old it is nobody knows, so it stays out of the table. `scope` is that of
 * the address it came with. MOTH_EMALFORMED, MOTH_EFORGED, MOTH_EFULL. */
int topology_introduce(struct moth_node *n, struct slice bytes, enum address_scope scope);
struct origin *topology_find(const struct moth_node *n, const struct moth_id *id); /* NULL: no advert of theirs */

/* own.c */
void own_links_changed(struct moth_node *n); /* after the router was told */
int own_advertise(struct moth_node *n);
int own_on_echo(struct session *s, struct slice bytes, struct version theirs, uint32_t age_s);
uint64_t own_tick(struct moth_node *n, uint64_t now_us);

/* sync.c */
void sync_ready(struct session *s); /* a link is ready: tell it our advert and digest */
void sync_gone(struct session *s);
void sync_set_pending(struct session *s, const struct origin *o);
void sync_clear_pending(struct session *s, unsigned slot);
void sync_flood(struct moth_node *n, const struct origin *o, const struct session *except);
int sync_on_digest(struct session *s, struct slice body);
void sync_compare(struct session *s, uint64_t their_hash); /* a ping or pong showed their table */
void sync_turn(struct moth_node *n, uint64_t now_us); /* sends what is pending, as far as there is room */

/* route.c */
int route_next(const struct moth_node *n, const struct moth_id *to, struct session **out); /* MOTH_EUNREACHABLE */
int route_hand_over(struct session *s, struct session *from, enum frame_kind kind, struct slice body,
                    struct slice tail);
int route_seal(struct moth_node *n, struct peer *to, struct envelope *head, struct slice plain_body);
size_t route_spread(struct moth_node *n, const struct session *from, struct slice body, struct slice tail);
bool route_may_broadcast(struct moth_node *n, const struct moth_id *src);
int route_on_message(struct session *s, struct span body);
int route_on_broadcast(struct session *s, struct span body);
int route_on_notice(struct session *s, struct slice body);

/* answers.c */
/* It waits for a way; the slice is copied. MOTH_EUNREACHABLE: too many wait already. */
int answers_keep(struct moth_node *n, struct peer *to, const struct envelope *head, struct slice plain);
void answers_turn(struct moth_node *n, uint64_t now_us);
void answers_close(struct moth_node *n);

/* mail_life.c */
int mail_load(struct moth_node *n);
uint8_t *mail_encode(const struct envelope_body *body, size_t *bytes); /* as it will be sealed; the caller's to free */
struct outgoing *mail_new(struct moth_node *n, struct peer *to, uint8_t kind, uint64_t id,
                          const struct envelope_body *body, uint32_t ttl_s); /* in no box yet */
int mail_keep(struct moth_node *n, struct outgoing *m); /* owned from here on, unless MOTH_ESTORE */
void mail_set_state(struct moth_node *n, struct outgoing *m, enum moth_state state, int reason);
void mail_write_state(struct moth_node *n, const struct outgoing *m);
void mail_tell_states(struct moth_node *n);
void mail_end(struct moth_node *n, struct outgoing *m, enum moth_state state, int reason);
int mail_end_late(struct moth_node *n, const struct peer *from, uint64_t id); /* a receipt for what has ended here */
void mail_drop(struct moth_node *n, struct outgoing *m); /* without a trace */
int mail_body(struct moth_node *n, struct outgoing *m);  /* sees that the body is in memory */
bool mail_memory_is_full(const struct moth_node *n);
uint32_t mail_age_s(const struct moth_node *n, const struct outgoing *m);
uint64_t mail_end_ms(const struct outgoing *m);          /* when it expires, by the store's clock */
void mail_watch_expiry(struct moth_node *n, const struct outgoing *m);

/* mail.c */
void mail_close(struct moth_node *n);
void mail_pump(struct moth_node *n, const struct moth_id *to);
void mail_look_again(struct moth_node *n, struct box *b); /* in a while */
void mail_route_changed(struct moth_node *n, const struct moth_id *to);
void mail_drained(struct moth_node *n);
void mail_hint(struct moth_node *n, uint64_t id); /* somebody on the way says it did not get through */
void mail_take_receipt(struct moth_node *n, struct peer *from, uint64_t id, int reason);
void mail_own_taken(struct moth_node *n, uint64_t id); /* the inbox has committed what we sent to ourselves */
void mail_go_on(struct moth_node *n, const struct peer *to); /* after receipts from them */
void mail_turn(struct moth_node *n); /* messages to ourselves, and states to tell */
uint64_t mail_tick(struct moth_node *n, uint64_t now_us);

/* carry.c */
void carry_box(struct moth_node *n, struct box *b); /* no way to its recipient: asks carriers, a part at a time */
void carry_all(struct moth_node *n);
/* receipts for somebody away; false: nobody can be asked now */
bool carry_receipts(struct moth_node *n, struct peer *to, struct slice plain, uint32_t ttl_s);
void carry_deposit_ended(struct moth_node *n, struct outgoing *deposit, int reason);
void carry_drop_deposits(struct moth_node *n, struct outgoing *m); /* what they were for has ended */
int carry_take_deposit(struct moth_node *n, struct peer *from, const struct envelope *e, struct slice data);
int carry_take_handover(struct moth_node *n, struct peer *from, const struct envelope *e, struct span data);

/* receipts.c */
void receipts_owe(struct moth_node *n, struct peer *to, uint64_t id, int reason, bool is_message);
/* for a deposit or a hand-over, once all that was written before is committed */
void receipts_owe_after_commit(struct moth_node *n, const struct peer *to, uint64_t id);
int receipts_take(struct moth_node *n, struct peer *from, struct slice data);
void receipts_turn(struct moth_node *n); /* those gathered in this turn leave */
void receipts_close(struct moth_node *n);

/* inbox.c */
int inbox_load(struct moth_node *n);
int inbox_accept(struct moth_node *n, struct span frame, const struct envelope *e); /* opens `frame` in place */
int inbox_accept_broadcast(struct moth_node *n, struct span frame, const struct envelope *e);
int inbox_take(struct moth_node *n, struct peer *from, const struct envelope *e, const struct envelope_body *body,
               struct slice plain);
int inbox_take_own(struct moth_node *n, struct outgoing *m);
void inbox_turn(struct moth_node *n);
void inbox_leave(struct moth_node *n); /* before the store closes */
void inbox_close(struct moth_node *n);

/* inbox_tell.c */
/* 0; MOTH_EVETOED: a hook would not have it */
int inbox_admit(struct moth_node *n, const struct envelope *e, const struct envelope_body *body, unsigned how);
void inbox_deliver(struct moth_node *n, const struct envelope *e, const struct envelope_body *body, unsigned how);

/* hooks.c: true where there is no hook */
bool hooks_accept(struct session *s);
bool hooks_forward(struct moth_node *n, const struct envelope *e, size_t bytes);
bool hooks_deliver(struct moth_node *n, const struct moth_message *message);

/* data.c */
int data_load(struct moth_node *n);
void data_close(struct moth_node *n);
bool data_word_is_valid(const char *word); /* the name of a space, or of a job */
bool data_fits(const struct moth_node *n, uint64_t bytes); /* so many more */
void data_gathered(struct moth_node *n, const struct store_write *w); /* it will be written at the end */
void data_settle(struct moth_node *n);        /* something is staged: written now, unless it was begun */
int data_answer(struct moth_node *n, int rc); /* what a read of the store said, as programs hear it */

/* jobs.c */
int jobs_load(struct moth_node *n);
void jobs_close(struct moth_node *n);
size_t jobs_count(const struct moth_node *n);
void jobs_write_staged(struct moth_node *n);
void jobs_forget_staged(struct moth_node *n);

/* book.c */
int book_load(struct moth_node *n);
int64_t book_row(struct moth_node *n, struct peer *p); /* written before whatever is written next; 0: not now */
void book_touch(struct moth_node *n, struct peer *p);  /* learned something that is worth keeping */
void book_learn_near(struct moth_node *n, struct peer *p, const struct advert *a);
uint64_t book_tick(struct moth_node *n, uint64_t now_us);

#endif
