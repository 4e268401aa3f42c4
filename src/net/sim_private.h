/* sim_private.h -- what sim.c and sim_conn.c share: the machines, what is under way between them, and the queue.
 *
 * sim.c has the clock, the queue and the ways; sim_conn.c what a machine sees of it: transports and connections. A
 * connection is a pair of ends. Bytes sent at one end lie in the other's inbox until they arrive; what lies there
 * beyond a window counts as queued at the sender, so a receiver that pauses is felt. Ends are freed when no event in
 * the queue points to them any more. */
#ifndef NET_SIM_PRIVATE_H
#define NET_SIM_PRIVATE_H

#include "net/sim.h"

struct chunk {
    struct chunk *next;
    uint64_t at_us;
    size_t bytes;
    uint8_t data[];
};

struct sim_conn {
    struct conn base; /* first */
    struct endpoint *at;
    struct endpoint *other; /* the machine at the far end, NULL until known */
    struct sim_conn *peer;  /* NULL: it is gone */
    struct sim_conn *before, *after;
    struct chunk *inbox, **inbox_end;
    size_t inbox_bytes;
    uint64_t dialled_us;
    uint64_t last_us;   /* when the last chunk, or the far end's close, arrives: later ones never overtake */
    int reason;         /* of its close, 0 while it lives */
    unsigned held;      /* events that point here, and one while it lives */
    bool paused, ended; /* ended: the far end closed, known once the inbox is empty */
    bool was_full, told_low; /* something was queued; it was told that little is left */
};

struct wire { /* one transport of a machine */
    struct moth_transport base; /* first */
    struct endpoint *at;
    struct wire *after;  /* of those beside the machine's own */
    uint16_t port;       /* 0: not listening */
    bool loopback;       /* listens to its own machine only */
    bool ended;          /* one beside the own: it goes with its last connection */
    unsigned conns;      /* that are not yet freed */
};

struct endpoint {
    struct wire own;
    struct wire *beside; /* owned: those that have not ended */
    struct sim *sim;
    unsigned index;
    bool frozen;
    struct sim_conn *conns; /* that live, of all its transports */
    struct event *waiting;  /* owned: what came due while it was frozen, in that order */
    size_t waiting_count, waiting_capacity;
};

enum event_kind { EVENT_CALL, EVENT_OPEN, EVENT_ACCEPT, EVENT_BYTES, EVENT_DRAINED, EVENT_CLOSED };

struct event {
    uint64_t at_us, age;
    enum event_kind kind;
    unsigned index;
    struct sim_conn *conn;
    void (*fn)(void *argument, uint64_t number);
    void *argument;
    uint64_t number;
};

struct way {
    uint32_t latency_us, jitter_us;
    bool cut, silent;
};

struct sim {
    uint64_t now_us, age, random, hash, bytes;
    unsigned count;
    struct endpoint *endpoints;
    struct way *ways; /* count x count, symmetric */
    struct event *heap;
    size_t heap_count, heap_capacity;
};

/* sim.c */
struct way *sim_way(const struct sim *s, unsigned a, unsigned b);
uint64_t sim_arrival_us(struct sim *s, unsigned a, unsigned b); /* of what is sent now */
void sim_trace(struct sim *s, const struct sim_conn *c, const struct chunk *chunk);

/* The event holds the connection; the last one, its close, takes over the hold that it had for being alive. */
void sim_push_conn(struct sim_conn *c, enum event_kind kind, uint64_t at_us);

/* sim_conn.c */
void sim_wire_init(struct wire *w, struct endpoint *at);
void sim_conn_event(const struct event *e); /* any but EVENT_CALL */
void sim_conn_break(struct sim_conn *c);    /* both ends see it close */
void sim_conn_look_again(struct sim_conn *c);
void sim_conn_release(struct sim_conn *c);
void sim_conn_free(struct sim_conn *c);

#endif
