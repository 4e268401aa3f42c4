/* node.h -- one moth node: server, client and router at once.
 *
 * A node lives on one thread. Its owner gives it a configuration, a host (host.h) and a transport (loop.h makes real
 * ones), receives events through one callback, and calls moth_node_tick when it asks for it. Calls go down, events go
 * up: from inside the callback every function here may be called but moth_node_close and moth_node_tick. Strings and
 * arrays in events are borrowed until the callback returns. Functions return 0 or a negative MOTH_E… unless they say
 * otherwise; listings return how many entries there are and write at most `capacity` of them. */
#ifndef MOTH_NODE_H
#define MOTH_NODE_H

#include "host.h"
#include "types.h"

struct moth_node;
struct moth_transport; /* real: loop.h; imagined: the lab */

#define MOTH_DEFAULT_PORT 6684
#define MOTH_TYPE_MAX 64        /* bytes of a message's type */
#define MOTH_DATA_MAX 1000000   /* bytes of a message's data */
#define MOTH_HOPS_MAX 64

/* Limits: every bound the node keeps, its value, and what happens there. */
enum moth_limit {
    MOTH_LIMIT_FRAME_BYTES, /* this and the next are part of the wire: configuration does not change them */
    MOTH_LIMIT_DATA_BYTES,
    MOTH_LIMIT_HANDSHAKE_MS,
    MOTH_LIMIT_UNAUTHENTICATED,
    MOTH_LIMIT_UNAUTHENTICATED_PER_ADDRESS,
    MOTH_LIMIT_LINKS,
    MOTH_LIMIT_LINK_QUEUE_BYTES,
    MOTH_LIMIT_LINK_SLOW_BYTES,
    MOTH_LIMIT_LINK_CONTROL_BYTES,
    MOTH_LIMIT_PAUSE_MS,
    MOTH_LIMIT_ADVERTS,
    MOTH_LIMIT_ADVERTS_PER_SECOND,
    MOTH_LIMIT_HOPS,
    MOTH_LIMIT_SEEN,
    MOTH_LIMIT_BROADCASTS_PER_SECOND,
    MOTH_LIMIT_IN_FLIGHT,
    MOTH_LIMIT_MAIL_COUNT,
    MOTH_LIMIT_MAIL_BYTES,
    MOTH_LIMIT_MAIL_MEMORY,
    MOTH_LIMIT_CARRIED_COUNT,
    MOTH_LIMIT_CARRIED_BYTES,
    MOTH_LIMIT_CARRIED_PER_DEPOSITOR,
    MOTH_LIMIT_INBOX_PER_SENDER,
    MOTH_LIMIT_INBOX_BYTES,
    MOTH_LIMIT_HISTORY_BYTES,
    MOTH_LIMIT_BALLAST_BYTES,
    MOTH_LIMIT_GROUP,
    MOTH_LIMIT_GROUP_MS,
    MOTH_LIMIT_DELIVERED_DAYS,
    MOTH_LIMIT_DELIVERED_IDS,
    MOTH_LIMIT_LIGHT_IDS,
    MOTH_LIMIT_KNOWN_PEERS,
    MOTH_LIMIT_WANTED_LINKS,
    MOTH_LIMIT_NOTICES_PER_SECOND,
    MOTH_LIMIT_SCRIPT_DATA_BYTES,
    MOTH_LIMIT_JOBS,
    MOTH_LIMIT_COUNT
};

struct moth_limit_info {
    /* static: "link_queue", "bytes", "more for that link is dropped, reason slow" */
    const char *name, *unit, *behaviour;
    uint64_t value;                      /* the default */
};
const struct moth_limit_info *moth_limit_info(enum moth_limit limit);

struct moth_config {
    const char *name;         /* 1 to 32 of [A-Za-z0-9._-], not only hex digits; MOTH_EBAD_NAME */
    const char *listen;       /* "HOST:PORT"; port 0 picks any; NULL: do not listen */
    bool listen_next_free;    /* the port is taken: try the following ones, at most 100 */
    const char *advertise;    /* "HOST:PORT" numeric, "none", or NULL: the listen address where others can reach it */
    bool has_network_key;     /* without: the well-known open key, and listening on loopback only unless `open` */
    uint8_t network_key[32];
    bool open;
    bool only_wanted;  /* dial only what moth_connect names, never an address that was learned from others */
    uint32_t ttl_s;    /* of messages that do not say; 0: 7 days; at most 30 days */
    uint32_t retries;  /* of messages that do not say; 0: no limit */
    uint64_t limits[MOTH_LIMIT_COUNT]; /* 0: the default */
};

/* Opens a node: reads or makes its identity (file "identity" of the host's home), listens. Everything is copied; `host`
 * and `transport` are borrowed until moth_node_close. Reads the database of the home folder, which may take seconds
 * after a crash: it is checked then. A damaged one is set aside, named in a note, and what can be read of it is kept.
 * MOTH_EBLOCKED: listening beyond loopback without key or `open`; MOTH_EIN_USE: the port; MOTH_ESTORE: another program
 * holds the database; MOTH_ENEWER: the database; MOTH_ENO_SPACE, MOTH_EIO, MOTH_EPERMISSION: the home. */
struct moth_event;
typedef void (*moth_on_event)(void *owner, const struct moth_event *event);
int moth_node_open(const struct moth_config *config, const struct moth_host *host, struct moth_transport *transport,
                   moth_on_event on_event, void *owner, struct moth_node **out);

/* From now on nothing new is accepted. Keep ticking until moth_node_is_quiet or patience ends, then close. */
void moth_node_leave(struct moth_node *node);
/* nothing is being written or waits to be committed, no mail is on its way to a reachable peer */
bool moth_node_is_quiet(const struct moth_node *node);

/* Says goodbye to all links and frees all. Connections end with the transport, which must be closed (moth_loop_close)
 * after the node. */
void moth_node_close(struct moth_node *node);

/* Does what is due and sends what has been gathered. Call it once per turn of the loop, after other events, and at the
 * time it returns: microseconds of host->now_us, at least one more turn away. */
uint64_t moth_node_tick(struct moth_node *node);

/* Who we are. */
const struct moth_id *moth_node_id(const struct moth_node *node);
const char *moth_node_name(const struct moth_node *node);
const char *moth_node_address(const struct moth_node *node); /* "127.0.0.1:6684", or "" when not listening */

/* Messages. */
enum moth_encoding { MOTH_BYTES = 0, MOTH_TEXT = 1, MOTH_JSON = 2 };

struct moth_payload {
    enum moth_encoding encoding;
    const char *type; /* [a-z0-9._-]{1,64}; NULL: "text" */
    const void *data;
    size_t bytes; /* at most MOTH_DATA_MAX: MOTH_ETOO_BIG */
    bool is_auto; /* a program answers, not a person: no program should answer it */
};

#define MOTH_TTL_MAX_S 2592000u /* 30 days */
#define MOTH_RETRIES_UNLIMITED UINT32_MAX

struct moth_send_options {
    uint32_t ttl_s;   /* 0: as configured; at most 30 days */
    uint32_t retries; /* 0: as configured; how often its receipt may be waited for in vain while there is a route */
    uint64_t re;      /* the message this answers; 0: none */
    bool path;        /* whoever relays it writes its name on it */
};

/* In this order; from DELIVERED on a message has ended. PENDING: not on disk yet. QUEUED: committed. SENT: also on its
 * way. CARRIED: somebody else has committed it too. LOST: the process ended, or the disk failed, before the promise. */
enum moth_state {
    MOTH_PENDING, MOTH_QUEUED, MOTH_SENT, MOTH_CARRIED, MOTH_DELIVERED,
    MOTH_EXPIRED, MOTH_REFUSED, MOTH_CANCELLED, MOTH_LOST
};
const char *moth_state_name(enum moth_state state);

/* Sends, durable: returns at once, PENDING; a STATE event tells QUEUED once it is committed to the disk. From then on
 * it is kept, over restarts, and tried until the recipient's receipt or expiry; with no route it is deposited with up
 * to two carriers. `options` may be NULL. The id, unique for this node for ever, goes to `*id`. To oneself is fine.
 * MOTH_EFULL: too much mail waits; MOTH_EARGUMENT: type, ttl; MOTH_ESTORE: the disk cannot be written now;
 * MOTH_EUNWANTED: that peer is blocked. */
int moth_send(struct moth_node *node, const struct moth_id *to, const struct moth_payload *payload,
              const struct moth_send_options *options, uint64_t *id);

/* Ends a message of ours that has not ended: CANCELLED. What is under way or carried may arrive all the same.
 * MOTH_ENOT_FOUND: no such message waits; MOTH_ESTORE: it could not be written, and would come back. */
int moth_cancel(struct moth_node *node, uint64_t id);

/* Sends once, light: no memory, no receipt. `to` NULL: to everyone (signed broadcast). MOTH_EUNREACHABLE, MOTH_ESLOW,
 * MOTH_ERATE say at once that it did not go, MOTH_EFULL that too much waits for ourselves; later drops are only counted
 * where they happen. */
int moth_emit(struct moth_node *node, const struct moth_id *to, const struct moth_payload *payload);

struct moth_message { /* received */
    struct moth_id from;
    const char *name; /* for display: "bob", "bob~1f2e3d4c" or "1f2e3d4c" */
    uint64_t id, re, sent_ms;
    enum moth_encoding encoding;
    const char *type;
    const uint8_t *data;
    size_t bytes;
    unsigned hops;
    bool durable, broadcast;
    bool redelivered; /* it may have been given before, to a process that ended before it was marked as handled */
    bool is_auto;     /* see moth_payload */
    /* the first 8 bytes of the id of each relay, in order; NULL: not asked for, redelivered, or a carrier's copy */
    const uint8_t *path;
    size_t path_hops;
};

/* A durable message is handled when the callback that got its event returns. Called in there, this keeps it open until
 * moth_handled: a process that ends before is given it again. What is open counts as not handled in the limits. */
void moth_hold(struct moth_node *node, const struct moth_message *message);
int moth_handled(struct moth_node *node, const struct moth_id *from, uint64_t id); /* MOTH_ENOT_FOUND: not open */

/* While paused no durable message is given; they wait on the disk, and those of earlier runs with them. */
void moth_pause_mail(struct moth_node *node, bool pause);

/* Requests: light messages to a service, by name, and what it answers. The type is the name of the service; the answer
 * comes as a REPLY event with `re` the id of the request, its type a word of the service's own choice. Nobody waits on
 * this floor: whoever asks decides how long. Both may be lost. Errors as of moth_emit; `request` 0: MOTH_EARGUMENT. An
 * answer that has no way (the other end's map may be ahead of ours) waits for one in memory, 5 s at most. */
int moth_request(struct moth_node *node, const struct moth_id *to, const struct moth_payload *payload, uint64_t *id);
int moth_answer(struct moth_node *node, const struct moth_id *to, uint64_t request,
                const struct moth_payload *payload);

/* Hooks are asked at once, in the middle of other work: they may ask but change nothing, and whatever would change the
 * node says MOTH_EPERMISSION. False vetoes, with reason MOTH_EVETOED: accept: the link is closed, and dialled again if
 * wanted; forward: the message is dropped and its sender gets a hint; deliver: a durable message is refused, a light
 * one dropped. Broadcasts are passed on all the same; requests and replies are delivered without asking. Each may be
 * NULL. */
struct moth_forward {
    struct moth_id from, to;
    uint64_t id;
    size_t bytes; /* as it lies on the wire */
    bool durable; /* false: sent once, and lost now */
};
struct moth_hooks {
    bool (*accept)(void *owner, const struct moth_id *peer, const char *name, const char *address, bool inbound);
    bool (*forward)(void *owner, const struct moth_forward *message);
    bool (*deliver)(void *owner, const struct moth_message *message);
};
void moth_set_hooks(struct moth_node *node, const struct moth_hooks *hooks, void *owner); /* copied; NULL: none */

/* Counts something that the owner itself drops, by reason, for the status. */
void moth_count_discard(struct moth_node *node, int reason);

/* Data of programs: ordered keys with values, in spaces by name, kept on the disk. Between moth_begin and moth_commit
 * writes are gathered: they, what is sent meanwhile and what is marked as handled come to the disk in one commit, or
 * not at all (of more than 1,024 sends the first ones may come earlier). moth_discard forgets the data and jobs that
 * were gathered; what was sent is sent, and what was marked as handled stays so. Begin, then commit or discard, all in
 * one turn; to begin once more, or to end what has not begun, changes nothing. Reads see what was written before.
 * Without begin every write stands for itself. */
#define MOTH_SPACE_MAX 64      /* bytes of the name of a space */
#define MOTH_KEY_MAX 256       /* bytes of a key */
#define MOTH_VALUE_MAX 1000000 /* bytes of a value */
void moth_begin(struct moth_node *node);
void moth_commit(struct moth_node *node);
void moth_discard(struct moth_node *node);

struct moth_bytes {
    const void *data; /* NULL: none */
    size_t bytes;
};
/* `value->data` NULL: the key is taken away. MOTH_EARGUMENT: space or key; MOTH_ETOO_BIG; MOTH_EFULL: all spaces
 * together have reached their limit; MOTH_ESTORE, MOTH_ESLOW: the disk cannot take it now. */
int moth_data_put(struct moth_node *node, const char *space, const struct moth_bytes *key,
                  const struct moth_bytes *value);
/* The value goes to `take`, borrowed; as all that is called so, it may call nothing of the node. MOTH_EARGUMENT: space
 * or key; MOTH_ENOT_FOUND; MOTH_ESTORE. */
int moth_data_get(struct moth_node *node, const char *space, const struct moth_bytes *key,
                  void (*take)(void *context, const struct moth_bytes *value), void *context);
/* The first key after `key` (NULL: the first of all), in the order of bytes. Both are borrowed. MOTH_ENOT_FOUND: there
 * is none; MOTH_EARGUMENT, MOTH_ESTORE. */
int moth_data_next(struct moth_node *node, const char *space, const struct moth_bytes *key,
                   void (*take)(void *context, const struct moth_bytes *key, const struct moth_bytes *value),
                   void *context);

/* Jobs: something to be done at a time, kept on the disk until it is dropped. Whoever put them watches the clock.
 * Errors as of moth_data_put. */
struct moth_job {
    uint64_t id, due_ms; /* due: since 1970 */
    const char *name;    /* [A-Za-z0-9._-]{1,64} */
    struct moth_bytes arguments; /* at most MOTH_VALUE_MAX */
};
int moth_job_put(struct moth_node *node, const struct moth_job *job, uint64_t *id); /* job->id is not read */
int moth_job_drop(struct moth_node *node, uint64_t id);                             /* MOTH_ENOT_FOUND */
size_t moth_jobs(const struct moth_node *node, struct moth_job *out, size_t capacity); /* by id; without arguments */
int moth_job_get(struct moth_node *node, uint64_t id, void (*take)(void *context, const struct moth_job *job),
                 void *context);

struct moth_sent { /* a message of ours */
    uint64_t id;
    struct moth_id to;
    char name[MOTH_NAME_MAX + 1 + 9]; /* of the recipient, for display */
    enum moth_state state;
    int reason;             /* MOTH_OK or why; waiting without a way to go: MOTH_EUNREACHABLE */
    uint64_t changed_ms;    /* since 1970: when it came into this state */
    uint64_t accepted_ms;   /* since 1970 */
    unsigned tries;         /* how often it was sent */
    unsigned carriers;      /* how many hold a copy */
    struct moth_id by;      /* with CARRIED: the first of them */
    char by_name[MOTH_NAME_MAX + 1 + 9];
    int refusal;            /* MOTH_OK, or why somebody would not carry it */
    size_t bytes;
};
int moth_message_get(const struct moth_node *node, uint64_t id, struct moth_sent *out); /* MOTH_ENOT_FOUND */
size_t moth_mail_list(const struct moth_node *node, struct moth_sent *out, size_t capacity); /* not ended, by id */

struct moth_entry { /* of the history: a durable message sent or received */
    bool is_ours;
    struct moth_id peer;
    const char *name; /* of the peer, for display */
    uint64_t id, re, time_ms; /* time: when accepted here, since 1970 */
    enum moth_encoding encoding;
    const char *type;
    const uint8_t *data;
    size_t bytes;
    enum moth_state state; /* ours only */
    int reason;            /* ours only */
    bool is_set_aside;     /* received: it ended this program three times, so no handler gets it any more */
};

/* The newest `count` messages exchanged with `peer` (NULL: with anybody), the newest first. `each` may call nothing of
 * the node; what it is given is borrowed. MOTH_ESTORE: the database cannot be read now. */
int moth_history(const struct moth_node *node, const struct moth_id *peer, size_t count,
                 void (*each)(void *context, const struct moth_entry *entry), void *context);

/* Links. connect keeps a link to the address until disconnect: redials with backoff. It returns at once; the events
 * tell. */
int moth_connect(struct moth_node *node, const char *address); /* MOTH_EBAD_ADDRESS, MOTH_EFULL */
int moth_disconnect(struct moth_node *node, const struct moth_id *peer); /* MOTH_ENOT_LINKED: nothing to end */
int moth_disconnect_address(struct moth_node *node, const char *address); /* stops wanting it; MOTH_ENOT_FOUND */

/* PEER as people write it: an alias, a name, a full id, or at least 4 digits of one. MOTH_EUNKNOWN_PEER,
 * MOTH_EAMBIGUOUS. */
int moth_resolve(const struct moth_node *node, const char *peer, struct moth_id *out);

/* Names a peer for its owner: wins over every other name and never follows to a new key. `alias` NULL takes it away.
 * MOTH_EUNKNOWN_PEER, MOTH_EBAD_NAME; MOTH_EIN_USE: another peer has that alias, or it is our own name; MOTH_ESTORE:
 * it would be forgotten. */
int moth_alias(struct moth_node *node, const struct moth_id *peer, const char *alias);

/* A blocked peer gets no link, and what it sends us is refused; it is still relayed for. MOTH_EUNKNOWN_PEER;
 * MOTH_ESELF; MOTH_ESTORE: it would be forgotten. */
int moth_block(struct moth_node *node, const struct moth_id *peer, bool block);

struct moth_peer { /* somebody known */
    struct moth_id id;
    char name[MOTH_NAME_MAX + 1 + 9]; /* for display */
    char address[MOTH_ADDRESS_TEXT_BYTES]; /* of the link, else the best known, else "" */
    char claimed[MOTH_NAME_MAX + 1];  /* what it calls itself; "" when unknown */
    bool linked, inbound, reachable, is_aliased, is_blocked;
    unsigned hops;      /* 0: unreachable */
    struct moth_id via; /* the next hop, when reachable */
    int64_t rtt_us;     /* of the link; -1: not measured */
};
size_t moth_peers(const struct moth_node *node, struct moth_peer *out, size_t capacity); /* all known, by name */
/* MOTH_EUNKNOWN_PEER */
int moth_peer_get(const struct moth_node *node, const struct moth_id *id, struct moth_peer *out);
/* us ... to */
size_t moth_path(const struct moth_node *node, const struct moth_id *to, struct moth_id *out, size_t capacity);

struct moth_wanted { /* an address that connect keeps a link to */
    char address[MOTH_ADDRESS_TEXT_BYTES * 5];
    bool linked, has_peer;
    struct moth_id peer;
    int reason;           /* of the last failure */
    uint64_t retry_in_ms; /* 0: now, or linked */
};
size_t moth_wanted(const struct moth_node *node, struct moth_wanted *out, size_t capacity);

struct moth_edge {
    struct moth_id a, b;
};
size_t moth_edges(const struct moth_node *node, struct moth_edge *out, size_t capacity); /* the network as seen here */

/* True when the link to `peer` has shown the same table of adverts as ours since it came up, and the routes follow
 * it. */
bool moth_is_synced(const struct moth_node *node, const struct moth_id *peer);

/* Figures. Counters only grow. `discarded` is indexed by the absolute value of the reason. */
struct moth_status {
    uint64_t uptime_ms;
    uint64_t frames_in, frames_out, bytes_in, bytes_out;
    uint64_t message_bytes_out; /* of bytes_out: frames with messages; the rest keeps the network together */
    uint64_t messages_sent, messages_received, messages_relayed, messages_delivered;
    uint64_t broadcasts_relayed, adverts_in, adverts_out, recomputes, handshakes, dials;
    uint64_t discarded[MOTH_ERROR_COUNT];
    uint64_t messages_redelivered, deposits_made, deposits_taken, handed_over, commits, commit_operations;
    size_t links, handshaking, peers, reachable, mail, mail_bytes, queued_bytes, queued_bytes_most, control_bytes_most;
    size_t carried, carried_bytes;          /* for others */
    size_t inbox, inbox_bytes, set_aside;   /* not handled yet; given up because they ended this program */
    uint64_t history_bytes;                 /* handled and ended messages on the disk */
    uint64_t script_data_bytes;             /* spaces, keys and values; names and arguments of jobs */
    size_t jobs;
    size_t writes_waiting;                  /* operations that are not committed yet */
    int store_reason;                       /* MOTH_OK, or why nothing new is promised now */
    uint64_t limits[MOTH_LIMIT_COUNT];
};
void moth_status(const struct moth_node *node, struct moth_status *out);

/* Events. A peer can only ever cause MESSAGE, REQUEST and REPLY with contents of its choice. */
enum moth_event_kind {
    MOTH_EVENT_MESSAGE,   /* message */
    MOTH_EVENT_REQUEST,   /* message: moth_answer answers it */
    MOTH_EVENT_REPLY,     /* message: `re` is the request of ours that it answers */
    MOTH_EVENT_LINK_UP,   /* peer, name, address, inbound */
    MOTH_EVENT_LINK_DOWN, /* the same, and reason */
    MOTH_EVENT_PEER_UP,   /* peer, name, hops, via: reachable by any way */
    MOTH_EVENT_PEER_DOWN, /* peer, name */
    MOTH_EVENT_ROUTE,     /* peer, name, via, old, hops; via and old are zero where there is no way */
    MOTH_EVENT_STATE,     /* sent */
    MOTH_EVENT_DIAL,      /* address, reason: a connect that failed; it is tried again */
    MOTH_EVENT_NOTE       /* text: a sentence the user should read, safe for a terminal */
};

struct moth_event {
    enum moth_event_kind kind;
    struct moth_id peer, via, old;
    const char *name, *address, *text;
    bool inbound;
    int reason;
    unsigned hops;
    const struct moth_message *message;
    const struct moth_sent *sent;
};

#endif
