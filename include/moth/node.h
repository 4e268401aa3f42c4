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
    MOTH_LIMIT_DELIVERED_IDS,
    MOTH_LIMIT_LIGHT_IDS,
    MOTH_LIMIT_KNOWN_PEERS,
    MOTH_LIMIT_WANTED_LINKS,
    MOTH_LIMIT_NOTICES_PER_SECOND,
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
    uint64_t limits[MOTH_LIMIT_COUNT]; /* 0: the default */
};

/* Opens a node: reads or makes its identity (file "identity" of the host's home), listens. Everything is copied; `host`
 * and `transport` are borrowed until moth_node_close. MOTH_EBLOCKED: listening beyond loopback without key or `open`;
 * MOTH_EIN_USE: the port; MOTH_EIO: the home. */
struct moth_event;
typedef void (*moth_on_event)(void *owner, const struct moth_event *event);
int moth_node_open(const struct moth_config *config, const struct moth_host *host, struct moth_transport *transport,
                   moth_on_event on_event, void *owner, struct moth_node **out);

/* From now on nothing new is accepted. Keep ticking until moth_node_is_quiet or patience ends, then close. */
void moth_node_leave(struct moth_node *node);
/* nothing is being written, no mail is on its way to a reachable peer */
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
};

struct moth_send_options {
    uint32_t ttl_s;   /* 0: 7 days; at most 30 days */
    uint32_t retries; /* 0: no limit */
    uint64_t re;      /* the message this answers; 0: none */
};

enum moth_state {
    MOTH_PENDING, MOTH_QUEUED, MOTH_SENT, MOTH_CARRIED, MOTH_DELIVERED,
    MOTH_EXPIRED, MOTH_REFUSED, MOTH_CANCELLED, MOTH_LOST
};
const char *moth_state_name(enum moth_state state);

/* Sends and keeps trying until the recipient's receipt, expiry or the end of this process (memory only: nothing here is
 * promised yet). `options` may be NULL. The id, unique for this node for ever, goes to `*id`. To oneself is fine.
 * MOTH_EFULL: too much mail waits; MOTH_EARGUMENT: type, ttl. */
int moth_send(struct moth_node *node, const struct moth_id *to, const struct moth_payload *payload,
              const struct moth_send_options *options, uint64_t *id);

/* Sends once, light: no memory, no receipt. `to` NULL: to everyone (signed broadcast). MOTH_EUNREACHABLE, MOTH_ESLOW,
 * MOTH_ERATE say at once that it did not go; later drops are only counted where they happen. */
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
};

struct moth_sent { /* a message of ours */
    uint64_t id;
    struct moth_id to;
    char name[MOTH_NAME_MAX + 1 + 9]; /* of the recipient, for display */
    enum moth_state state;
    int reason;             /* MOTH_OK or why */
    uint64_t changed_ms;    /* since 1970 */
    unsigned tries;
    size_t bytes;
};
int moth_message_get(const struct moth_node *node, uint64_t id, struct moth_sent *out); /* MOTH_ENOT_FOUND */
size_t moth_mail_list(const struct moth_node *node, struct moth_sent *out, size_t capacity); /* not ended, by id */

/* Links. connect keeps a link to the address until disconnect: redials with backoff. It returns at once; the events
 * tell. */
int moth_connect(struct moth_node *node, const char *address); /* MOTH_EBAD_ADDRESS, MOTH_EFULL */
int moth_disconnect(struct moth_node *node, const struct moth_id *peer); /* MOTH_ENOT_LINKED: nothing to end */
int moth_disconnect_address(struct moth_node *node, const char *address); /* stops wanting it; MOTH_ENOT_FOUND */

/* PEER as people write it: a name, a full id, or at least 4 digits of one. MOTH_EUNKNOWN_PEER, MOTH_EAMBIGUOUS. */
int moth_resolve(const struct moth_node *node, const char *peer, struct moth_id *out);

struct moth_peer { /* somebody known */
    struct moth_id id;
    char name[MOTH_NAME_MAX + 1 + 9]; /* for display */
    char address[MOTH_ADDRESS_TEXT_BYTES]; /* of the link, else the best known, else "" */
    bool linked, inbound, reachable;
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
    uint64_t messages_sent, messages_received, messages_relayed, messages_delivered;
    uint64_t broadcasts_relayed, adverts_in, adverts_out, recomputes, handshakes, dials;
    uint64_t discarded[MOTH_ERROR_COUNT];
    size_t links, handshaking, peers, reachable, mail, mail_bytes, queued_bytes, queued_bytes_most, control_bytes_most;
    uint64_t limits[MOTH_LIMIT_COUNT];
};
void moth_status(const struct moth_node *node, struct moth_status *out);

/* Events. A peer can only ever cause MESSAGE with contents of its choice. */
enum moth_event_kind {
    MOTH_EVENT_MESSAGE,   /* message */
    MOTH_EVENT_LINK_UP,   /* peer, name, address, inbound */
    MOTH_EVENT_LINK_DOWN, /* the same, and reason */
    MOTH_EVENT_PEER_UP,   /* peer, name, hops, via: reachable by any way */
    MOTH_EVENT_PEER_DOWN, /* peer, name */
    MOTH_EVENT_ROUTE,     /* peer, name, via, old, hops */
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
