/* link.h -- one neighbour: a version byte, a Noise handshake, then frames in sealed records over one connection.
 *
 * A `struct links` is all of a node's links on one transport. Frames to send are gathered as plain bytes, control
 * frames apart and first; link_flush seals them, up to 16 KiB a record, into one write at the end of the loop's turn.
 * What the connection has not yet taken stays plain here, so control frames overtake waiting messages up to the last
 * moment.
 *
 *   dialler:   version | message 1                          message 3 | records ...
 *   listener:                      version | message 2                  records ...
 *
 * The payload of messages 2 and 3:
 *
 *   offset  size  meaning
 *        0    32  Ed25519 identity key
 *       32    64  its proof over the Noise static key (identity.h)
 *       96     8  boot: random at each start of the node
 *      104     2  the port it listens on, 0 for none
 */
#ifndef NET_LINK_H
#define NET_LINK_H

#include "moth/host.h"
#include "net/transport.h"
#include "base/id.h"
#include "proto/frame.h"
#include "proto/identity.h"
#include "proto/noise.h"

#define LINK_VERSION 1

struct link;

struct link_events {
    /* A connection came in, before anything was read. An error closes it. */
    int (*on_accept)(void *owner, struct link *l);
    int (*on_ready)(void *owner, struct link *l);                  /* the handshake is done; an error closes */
    int (*on_frame)(void *owner, struct link *l, struct frame *f); /* an error closes, with that reason */
    void (*on_drained)(void *owner, struct link *l);               /* no longer slow */
    void (*on_closed)(void *owner, struct link *l, int reason);    /* the link is freed after this returns */
};

struct links {
    struct moth_transport *transport; /* borrowed */
    const struct moth_host *host;     /* borrowed */
    const struct identity *identity;  /* borrowed */
    const struct link_events *events; /* borrowed */
    void *owner;
    uint8_t network_key[32];
    uint64_t boot;
    uint16_t listen_port;
    size_t slow_bytes;  /* a link is slow above this, until below a quarter of it */
    struct link *first; /* all links, newest first */
    struct link *dirty; /* those with something new to send */
    size_t count;
    uint8_t *scratch; /* owned: where records are sealed; NULL: the host's pool has a place */
    uint64_t bytes_in, bytes_out, frames_in, frames_out, handshakes;
    uint64_t message_bytes_out; /* of frames with messages, plain: the rest of bytes_out is what it costs */
};

enum link_state { LINK_DIALLING, LINK_HANDSHAKE, LINK_OPEN };

struct link {
    struct links *all;
    struct link *before, *after, *next_dirty;
    struct conn *conn; /* owned by the transport until on_closed */
    void *user;        /* the node's */
    enum link_state state;
    bool inbound, closing, dirty;
    int finishing; /* a reason: close once everything is written; 0: no */
    bool version_seen;
    bool slow;         /* the queue rose over slow_bytes and has not fallen below a quarter of it */
    uint64_t since_us; /* when this state began */
    uint64_t heard_us; /* when bytes last came */
    bool has_expected;
    struct moth_id expected; /* who must answer, when has_expected */
    struct moth_id peer;     /* from here on valid once open */
    uint8_t ed25519_key[32], x25519_key[32];
    uint64_t boot;
    uint16_t listen_port;
    struct noise_handshake *handshake; /* owned; NULL once open */
    struct noise_cipher send, receive;
    struct buf in; /* a cut record or handshake message */
    struct frame_decoder frames;
    struct buf control, data; /* plain frames to send */
    size_t data_left;         /* bytes still to go of the data frame that has begun */
};

void links_init(struct links *all, struct moth_transport *transport, const struct moth_host *host,
                const struct identity *identity, const uint8_t network_key[32], uint64_t boot,
                const struct link_events *events, void *owner);
void links_fini(struct links *all); /* frees every link without events; connections end with the transport */

/* Dials; failure comes as on_closed. `expected` NULL: whoever answers. */
struct link *link_dial(struct links *all, const char *address, const struct moth_id *expected, void *user);

/* Queues a frame whose body is `head` followed by `tail`. Limits are the caller's. */
void link_send(struct link *l, enum frame_kind kind, struct slice head, struct slice tail);

/* Seals and writes what is queued, as far as the connection takes it: on one link, or on all that have something
 * new. */
void link_flush(struct link *l);
void links_flush(struct links *all);

size_t link_queued(const struct link *l);         /* bytes of messages not yet taken by the kernel */
size_t link_control_queued(const struct link *l); /* bytes of control frames waiting here */
size_t link_unsent(const struct link *l);         /* messages of which nothing has left */
bool link_is_idle(const struct link *l);          /* nothing waits anywhere */

void link_pause(struct link *l, bool pause);

/* Ends it at once; on_closed follows later. No event comes in between. */
void link_close(struct link *l, int reason);

/* Ends it once everything queued is written. */
void link_finish(struct link *l, int reason);

#endif
