/* transport.h -- the contract between a link and whatever carries its bytes: TCP or the imaginary wire.
 *
 * Down: listen, dial, send, pause, close. Up: open, bytes, drained, closed. A connection ends in exactly one on_closed,
 * whoever ended it; until then the struct conn is valid, after it gone. No callback closes its own caller: it returns
 * an error and the transport closes. transport_close may be called at any time; on_closed follows later, never inside
 * the call. The loop or the machine has one transport, which is the node's; whoever else listens and dials makes one
 * beside it. */
#ifndef NET_TRANSPORT_H
#define NET_TRANSPORT_H

#include "proto/advert.h"

struct moth_transport;

struct conn {                         /* the part that all transports share; each puts it first in its own struct */
    struct moth_transport *transport; /* borrowed */
    void *user;                       /* the link's; set by dial or by on_open */
    struct address remote;            /* family 0 until open */
    bool inbound;
    bool open; /* from on_open until it begins to close, for whatever reason */
};

struct transport_events {
    /* An inbound connection was accepted or a dial succeeded. The receiver of an inbound one sets c->user. An error
     * closes. */
    int (*on_open)(void *owner, struct conn *c);

    /* Bytes came. Borrowed until return, and may be overwritten by the receiver. An error closes with that reason. */
    int (*on_bytes)(void *owner, struct conn *c, struct span bytes);

    /* Some of what was queued has gone, and TRANSPORT_LOW_BYTES or less are left; the last one comes when nothing is.
     * An error closes. */
    int (*on_drained)(void *owner, struct conn *c);

    /* The end: MOTH_ECLOSED and friends from the other side, an error from one of the above, or the reason given to
     * close. */
    void (*on_closed)(void *owner, struct conn *c, int reason);
};

#define TRANSPORT_LOW_BYTES (64u << 10)

struct transport_ops {
    /* Listens on "HOST:PORT" instead of where it did; where to goes to `*bound`. `address` NULL: nowhere any more.
     * MOTH_EBAD_ADDRESS, MOTH_ENO_HOST, MOTH_EIN_USE, MOTH_EPERMISSION, MOTH_EIO. */
    int (*listen)(struct moth_transport *t, const char *address, struct address *bound);

    /* Starts a connection; names are resolved. Failure comes as on_closed. */
    struct conn *(*dial)(struct moth_transport *t, const char *address, void *user);

    /* Takes all bytes: what cannot go at once is copied and queued. Errors come later as on_closed. */
    void (*send)(struct conn *c, struct slice bytes);
    size_t (*queued)(const struct conn *c);

    /* Stops and starts reading. A paused connection still notices nothing of its end until it reads again. */
    void (*pause)(struct conn *c, bool pause);

    void (*close)(struct conn *c, int reason); /* the first reason counts; closing twice is fine */

    /* Another transport on the same loop or machine, with a listener, connections and events of its own; the caller
     * sets events and owner. */
    struct moth_transport *(*beside)(struct moth_transport *t);

    /* Ends a transport that `beside` made, its listener and its connections; no event comes any more. All of them end
     * before the one they are beside. */
    void (*free)(struct moth_transport *t);
};

struct moth_transport {
    const struct transport_ops *ops;
    const struct transport_events *events; /* borrowed; set by the owner */
    void *owner;                           /* borrowed; given to the events */
};

/* "HOST:PORT" or "[V6]:PORT" taken apart; port 0 to 65535. `host` takes 256 bytes. MOTH_EBAD_ADDRESS. */
#define HOST_TEXT_BYTES 256
int host_port_parse(const char *text, char host[HOST_TEXT_BYTES], uint16_t *port);

#endif
