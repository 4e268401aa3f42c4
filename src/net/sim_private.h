/* sim_private.h -- what the files of the imaginary wire share: the machines, what is under way between them, the queue.
 *
 * sim.c has the clock, the queue and the machines; sim_way.c the ways between them; sim_conn.c what a machine sees of
 * it, transports and connections; sim_inbox.c what lies between the two ends of a connection. Bytes sent at one end lie
 * in the other's inbox until they arrive; what lies there beyond a window counts as queued at the sender, so a receiver
 * that pauses is felt. Ends are freed when no event in the queue points to them any more. */
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
    struct chunk *inbox, **inbox_end; /* owned */
    size_t inbox_bytes;
    uint64_t dialled_us;
    uint64_t last_us;        /* when the last chunk, or the far end's close, arrives: later ones never overtake */
    uint64_t read_us;        /* when a slow machine has taken in the first chunk; 0: it has not begun */
    int reason;              /* of its close, 0 while it lives */
    unsigned held;           /* events that point here, and one while it lives */
    bool paused, ended;      /* ended: the far end closed, known once the inbox is empty */
    bool was_full, told_low; /* something was queued; it was told that little is left */
};

struct wire {                   /* one transport of a machine */
    struct moth_transport base; /* first */
    struct endpoint *at;
    struct wire *after; /* of those beside the machine's own */
    uint16_t port;      /* 0: not listening */
    bool loopback;      /* listens to its own machine only */
    bool ended;         /* one beside the own: it goes with its last connection */
    unsigned conns;     /* that are not yet freed */
};

struct endpoint {
    struct wire own;
    struct wire *beside; /* owned: those that have not ended */
    struct sim *sim;
    unsigned index;
    bool frozen;
    uint64_t read_bytes_per_s, read_free_ns; /* how fast it takes in, and when it has nothing to do; 0: no limit */
    struct sim_conn *conns;                  /* that live, of all its transports */
    struct event *waiting;                   /* owned: what came due while it was frozen, in that order */
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

enum way_state { WAY_JOINED, WAY_BROKEN, WAY_SILENT };

struct way {
    uint64_t key; /* of both machines, never 0; 0: an empty slot */
    struct sim_way_options options;
    bool own; /* it has options of its own; else those of all others hold */
    enum way_state state;
    uint64_t free_ns; /* when all that was sent has left, if there is a rate */
};

struct ways {
    struct way *slots; /* owned */
    size_t count, capacity;
    struct sim_way_options usual, home; /* of all that have none of their own; home: from a machine to itself */
};

struct sim {
    uint64_t now_us, age, random, hash, bytes, events;
    unsigned count;
    struct endpoint **endpoints; /* owned, as each of them; NULL: nobody asked for it yet */
    struct ways ways;
    size_t split_bytes; /* 0: not at all */
    bool merges;
    struct event *heap;
    size_t heap_count, heap_capacity;
    void (*on_delivery)(void *owner, const struct sim_delivery *delivery);
    void *owner;
};

/* sim.c */
struct endpoint *sim_machine(struct sim *s, unsigned index); /* made when first asked for */
void sim_trace(struct sim *s, const struct sim_conn *c, const struct chunk *chunk);

/* The living connections of machine `index`, with one other or, if that is NULL, with all. */
void sim_each_conn(struct sim *s, unsigned index, const struct endpoint *other, void (*act)(struct sim_conn *c));

/* The event holds the connection; the last one, its close, takes over the hold that it had for being alive. */
void sim_push_conn(struct sim_conn *c, enum event_kind kind, uint64_t at_us);

/* sim_way.c */
void ways_init(struct ways *ways);
void ways_fini(struct ways *ways);
enum way_state sim_way_state(const struct sim *s, unsigned from, unsigned to);
uint64_t sim_arrival_us(struct sim *s, unsigned from, unsigned to, size_t bytes); /* of what is sent now */
uint64_t sim_takes_ns(size_t bytes, uint64_t bytes_per_s);
uint64_t sim_way_rate(const struct sim *s, unsigned from, unsigned to); /* 0: no limit */

/* sim_conn.c */
void sim_wire_init(struct wire *w, struct endpoint *at);
void sim_conn_event(const struct event *e); /* any but EVENT_CALL */
void sim_conn_break(struct sim_conn *c);    /* both ends see it close */
void sim_conn_look_again(struct sim_conn *c);
void sim_conn_release(struct sim_conn *c);
void sim_conn_free(struct sim_conn *c);

/* sim_inbox.c */
void sim_inbox_add(struct sim_conn *c, struct slice bytes); /* what the far end sends now */
struct chunk *sim_inbox_take(struct sim_conn *c);           /* what was read by now, or NULL; free with free() */
void sim_inbox_free(struct sim_conn *c);
void sim_inbox_reread(struct sim_conn *c); /* its machine's rate is another one now */

#endif
