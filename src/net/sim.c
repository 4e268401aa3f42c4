/* sim.c -- the imaginary wire of sim.h.
 *
 * A connection is a pair of ends. Bytes sent at one end lie in the other's inbox until they arrive; what lies there
 * beyond a window counts as queued at the sender, so a receiver that pauses is felt. Ends are freed when no event in
 * the queue points to them any more. */
#include "net/sim.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define WINDOW_BYTES (256u << 10)
#define DIAL_TIMEOUT_US 3000000u

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
    uint64_t last_us;             /* when the last chunk, or the far end's close, arrives: later ones never overtake */
    int reason;                   /* of its close, 0 while it lives */
    unsigned held;                /* events that point here, and one while it lives */
    bool paused, was_full, ended; /* ended: the far end closed, known once the inbox is empty */
};

struct endpoint {
    struct moth_transport base; /* first */
    struct sim *sim;
    unsigned index;
    uint16_t port; /* 0: not listening */
    bool frozen;
    struct sim_conn *conns;
    struct event *waiting; /* owned: what came due while it was frozen, in that order */
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

/* --- chance and trace --- */

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t sim_draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t sim_random(struct sim *s)
{
    return sim_draw(&s->random);
}

/* FNV-1a over 64-bit words and the bytes themselves. */
static void trace(struct sim *s, const struct sim_conn *c, const struct chunk *chunk)
{
    uint64_t words[4] = {s->now_us, c->other->index, c->at->index, chunk->bytes};
    uint64_t h = s->hash;
    for (unsigned i = 0; i < 4; i++) h = (h ^ words[i]) * 0x100000001b3u;
    for (size_t i = 0; i < chunk->bytes; i++) h = (h ^ chunk->data[i]) * 0x100000001b3u;
    s->hash = h;
    s->bytes += chunk->bytes;
}

/* --- the queue of events: a binary heap --- */

static bool earlier(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->age < b->age;
}

static void push(struct sim *s, struct event e)
{
    if (s->heap_count == s->heap_capacity) {
        s->heap_capacity = s->heap_capacity ? s->heap_capacity * 2 : 256;
        s->heap = mem_resize(s->heap, s->heap_capacity, sizeof *s->heap);
    }
    e.age = s->age++;
    size_t at = s->heap_count++;
    for (; at > 0 && earlier(&e, &s->heap[(at - 1) / 2]); at = (at - 1) / 2) s->heap[at] = s->heap[(at - 1) / 2];
    s->heap[at] = e;
}

static struct event pop(struct sim *s)
{
    struct event top = s->heap[0], last = s->heap[--s->heap_count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < s->heap_count; at = child) {
        if (child + 1 < s->heap_count && earlier(&s->heap[child + 1], &s->heap[child])) child++;
        if (!earlier(&s->heap[child], &last)) break;
        s->heap[at] = s->heap[child];
    }
    s->heap[at] = last;
    return top;
}

/* The event holds the connection; the last one, its close, takes over the hold that it had for being alive. */
static void push_conn(struct sim_conn *c, enum event_kind kind, uint64_t at_us)
{
    if (kind != EVENT_CLOSED) c->held++;
    push(c->at->sim, (struct event){.at_us = at_us, .kind = kind, .index = c->at->index, .conn = c});
}

/* --- ways --- */

static struct way *way_between(const struct sim *s, unsigned a, unsigned b)
{
    return &s->ways[a < b ? a * s->count + b : b * s->count + a];
}

static uint64_t arrival_us(struct sim *s, unsigned a, unsigned b)
{
    const struct way *w = way_between(s, a, b);
    return s->now_us + w->latency_us + (w->jitter_us ? sim_random(s) % w->jitter_us : 0);
}

static bool is_silent(const struct sim_conn *c)
{
    return c->other && way_between(c->at->sim, c->at->index, c->other->index)->silent;
}

/* --- connections --- */

static struct sim_conn *conn_of(const struct conn *c)
{
    return (struct sim_conn *)(uintptr_t)c;
}

static struct sim_conn *conn_new(struct endpoint *at, struct endpoint *other, bool inbound)
{
    struct sim_conn *c = mem_new(sizeof *c);
    c->base.transport = &at->base;
    c->base.inbound = inbound;
    c->at = at;
    c->other = other;
    c->inbox_end = &c->inbox;
    c->held = 1;
    c->after = at->conns;
    if (at->conns) at->conns->before = c;
    at->conns = c;
    return c;
}

static void conn_free(struct sim_conn *c)
{
    while (c->inbox) {
        struct chunk *next = c->inbox->next;
        free(c->inbox);
        c->inbox = next;
    }
    free(c);
}

static void conn_release(struct sim_conn *c)
{
    if (--c->held == 0) conn_free(c);
}

/* Leaves the machine's list; the far end is told, after all that was sent before. */
static void conn_leave(struct sim_conn *c)
{
    if (c->before) c->before->after = c->after;
    else c->at->conns = c->after;
    if (c->after) c->after->before = c->before;
    if (!c->peer) return;
    struct sim_conn *peer = c->peer;
    peer->peer = NULL;
    peer->ended = true;
    uint64_t at_us = arrival_us(c->at->sim, c->at->index, peer->at->index);
    if (at_us > peer->last_us) peer->last_us = at_us;
    push_conn(peer, EVENT_BYTES, peer->last_us);
    c->peer = NULL;
}

static void sim_close(struct conn *base, int reason)
{
    struct sim_conn *c = conn_of(base);
    assert(reason < 0);
    if (c->reason != 0) return;
    c->reason = reason;
    c->base.open = false;
    push_conn(c, EVENT_CLOSED, c->at->sim->now_us);
    conn_leave(c);
}

static void look_again(struct sim_conn *c)
{
    push_conn(c, EVENT_BYTES, c->at->sim->now_us);
}

static void settle(struct sim_conn *c, int rc)
{
    if (rc < 0) sim_close(&c->base, rc);
}

static void sim_send(struct conn *base, struct slice bytes)
{
    struct sim_conn *c = conn_of(base), *peer = c->peer;
    if (c->reason != 0 || !peer || bytes.bytes == 0) return;
    struct chunk *chunk = mem_new(sizeof *chunk + bytes.bytes);
    memcpy(chunk->data, bytes.data, bytes.bytes);
    chunk->bytes = bytes.bytes;
    chunk->at_us = arrival_us(c->at->sim, c->at->index, peer->at->index);
    if (chunk->at_us < peer->last_us) chunk->at_us = peer->last_us;
    peer->last_us = chunk->at_us;
    *peer->inbox_end = chunk;
    peer->inbox_end = &chunk->next;
    peer->inbox_bytes += bytes.bytes;
    if (peer->inbox_bytes > WINDOW_BYTES) c->was_full = true;
    push_conn(peer, EVENT_BYTES, chunk->at_us);
}

static size_t sim_queued(const struct conn *base)
{
    const struct sim_conn *c = conn_of(base);
    return c->peer && c->peer->inbox_bytes > WINDOW_BYTES ? c->peer->inbox_bytes - WINDOW_BYTES : 0;
}

static void sim_pause(struct conn *base, bool pause)
{
    struct sim_conn *c = conn_of(base);
    if (c->reason != 0 || c->paused == pause) return;
    c->paused = pause;
    if (!pause) look_again(c);
}

static int sim_listen(struct moth_transport *t, const char *address, struct address *bound)
{
    struct endpoint *e = (struct endpoint *)t;
    char host[HOST_TEXT_BYTES];
    uint16_t port;
    int rc = host_port_parse(address, host, &port);
    if (rc < 0) return rc;
    e->port = port ? port : 6684;
    sim_address(e->index, e->port, bound);
    return 0;
}

static struct endpoint *endpoint_at(struct sim *s, const struct address *a)
{
    unsigned index = (unsigned)get_uint(a->ip + 1, 3) - 1;
    return a->family == 4 && a->ip[0] == 10 && index < s->count ? &s->endpoints[index] : NULL;
}

static struct conn *sim_dial(struct moth_transport *t, const char *address, void *user)
{
    struct endpoint *e = (struct endpoint *)t;
    struct address a = {0};
    int rc = address_parse(address, &a);
    struct endpoint *to = rc < 0 ? NULL : endpoint_at(e->sim, &a);
    struct sim_conn *c = conn_new(e, to, false);
    c->base.user = user;
    c->base.remote = a;
    c->dialled_us = e->sim->now_us;
    if (!to) sim_close(&c->base, rc < 0 ? rc : MOTH_EUNREACHABLE);
    else push_conn(c, EVENT_ACCEPT, arrival_us(e->sim, e->index, to->index));
    return &c->base;
}

/* --- what happens --- */

static void do_accept(struct sim_conn *c)
{
    struct sim *s = c->at->sim;
    const struct way *w = way_between(s, c->at->index, c->other->index);
    if (c->reason != 0) return;
    if (w->silent && s->now_us < c->dialled_us + DIAL_TIMEOUT_US) {
        push_conn(c, EVENT_ACCEPT, c->dialled_us + DIAL_TIMEOUT_US);
        return;
    }
    if (w->cut || w->silent || c->other->port != c->base.remote.port) {
        sim_close(&c->base, w->silent ? MOTH_ETIMEOUT : w->cut ? MOTH_EUNREACHABLE : MOTH_EREFUSED);
        return;
    }
    struct sim_conn *far = conn_new(c->other, c->at, true);
    far->peer = c;
    c->peer = far;
    sim_address(c->at->index, (uint16_t)(40000 + s->age % 20000), &far->base.remote);
    push_conn(far, EVENT_OPEN, s->now_us);
    push_conn(c, EVENT_OPEN, arrival_us(s, c->at->index, c->other->index));
}

static void do_open(struct sim_conn *c)
{
    struct moth_transport *t = c->base.transport;
    if (c->reason != 0) return;
    c->base.open = true;
    settle(c, t->events->on_open(t->owner, &c->base));
    look_again(c);
}

static void tell_drained(struct sim_conn *sender)
{
    if (!sender || !sender->was_full || sim_queued(&sender->base) > TRANSPORT_LOW_BYTES) return;
    sender->was_full = false;
    push_conn(sender, EVENT_DRAINED, sender->at->sim->now_us);
}

static void do_bytes(struct sim_conn *c)
{
    struct moth_transport *t = c->base.transport;
    struct sim *s = c->at->sim;
    if (!c->base.open || c->paused || is_silent(c)) return; /* opening, going on and joining come back here */
    while (c->reason == 0 && !c->paused && c->inbox && c->inbox->at_us <= s->now_us) {
        struct chunk *chunk = c->inbox;
        c->inbox = chunk->next;
        if (!c->inbox) c->inbox_end = &c->inbox;
        c->inbox_bytes -= chunk->bytes;
        trace(s, c, chunk);
        settle(c, t->events->on_bytes(t->owner, &c->base, (struct span){chunk->data, chunk->bytes}));
        free(chunk);
        tell_drained(c->peer);
    }
    if (c->reason == 0 && c->ended && !c->inbox && c->last_us <= s->now_us) sim_close(&c->base, MOTH_ECLOSED);
}

static void do_closed(struct sim_conn *c)
{
    struct moth_transport *t = c->base.transport;
    if (t->events) t->events->on_closed(t->owner, &c->base, c->reason);
}

static void do_drained(struct sim_conn *c)
{
    struct moth_transport *t = c->base.transport;
    if (c->reason == 0) settle(c, t->events->on_drained(t->owner, &c->base));
}

/* What comes due for a frozen machine waits until it thaws. */
static bool put_off(struct sim *s, const struct event *e)
{
    struct endpoint *at = &s->endpoints[e->index];
    if (!at->frozen) return false;
    if (at->waiting_count == at->waiting_capacity) {
        at->waiting_capacity = at->waiting_capacity ? at->waiting_capacity * 2 : 16;
        at->waiting = mem_resize(at->waiting, at->waiting_capacity, sizeof *at->waiting);
    }
    at->waiting[at->waiting_count++] = *e;
    return true;
}

static void run(const struct event *e)
{
    switch (e->kind) {
    case EVENT_CALL: e->fn(e->argument, e->number); return;
    case EVENT_OPEN: do_open(e->conn); break;
    case EVENT_ACCEPT: do_accept(e->conn); break;
    case EVENT_BYTES: do_bytes(e->conn); break;
    case EVENT_DRAINED: do_drained(e->conn); break;
    case EVENT_CLOSED: do_closed(e->conn); break;
    }
    conn_release(e->conn);
}

bool sim_step(struct sim *s, uint64_t until_us, unsigned *touched)
{
    while (s->heap_count > 0 && s->heap[0].at_us <= until_us) {
        struct event e = pop(s);
        if (e.at_us > s->now_us) s->now_us = e.at_us;
        if (put_off(s, &e)) continue;
        run(&e);
        *touched = e.index;
        return true;
    }
    if (s->now_us < until_us) s->now_us = until_us;
    return false;
}

/* --- what the experimenter does --- */

static void each_conn(struct endpoint *e, const struct endpoint *other, void (*act)(struct sim_conn *c))
{
    for (struct sim_conn *c = e->conns, *after; c; c = after) {
        after = c->after;
        if (!other || c->other == other) act(c);
    }
}

static void break_off(struct sim_conn *c)
{
    sim_close(&c->base, MOTH_ECLOSED);
}

void sim_reset(struct sim *s, unsigned index)
{
    each_conn(&s->endpoints[index], NULL, break_off);
    s->endpoints[index].port = 0;
    sim_freeze(s, index, false);
}

void sim_freeze(struct sim *s, unsigned index, bool frozen)
{
    struct endpoint *e = &s->endpoints[index];
    e->frozen = frozen;
    if (frozen) return;
    for (size_t i = 0; i < e->waiting_count; i++) {
        e->waiting[i].at_us = s->now_us;
        push(s, e->waiting[i]);
    }
    e->waiting_count = 0;
}

void sim_latency(struct sim *s, unsigned a, unsigned b, uint32_t latency_us, uint32_t jitter_us)
{
    struct way *w = way_between(s, a, b);
    w->latency_us = latency_us;
    w->jitter_us = jitter_us;
}

void sim_cut(struct sim *s, unsigned a, unsigned b, bool silent)
{
    struct way *w = way_between(s, a, b);
    w->cut = !silent;
    w->silent = silent;
    if (silent) return;
    each_conn(&s->endpoints[a], &s->endpoints[b], break_off);
    each_conn(&s->endpoints[b], &s->endpoints[a], break_off);
}

void sim_join(struct sim *s, unsigned a, unsigned b)
{
    struct way *w = way_between(s, a, b);
    w->cut = w->silent = false;
    each_conn(&s->endpoints[a], &s->endpoints[b], look_again);
    each_conn(&s->endpoints[b], &s->endpoints[a], look_again);
}

void sim_call(struct sim *s, unsigned index, uint64_t at_us, void (*fn)(void *argument, uint64_t number),
              void *argument, uint64_t number)
{
    push(s, (struct event){.at_us = at_us > s->now_us ? at_us : s->now_us,
                           .kind = EVENT_CALL,
                           .index = index,
                           .fn = fn,
                           .argument = argument,
                           .number = number});
}

/* --- making it --- */

static const struct transport_ops ops = {
    .listen = sim_listen,
    .dial = sim_dial,
    .send = sim_send,
    .queued = sim_queued,
    .pause = sim_pause,
    .close = sim_close,
};

struct sim *sim_new(uint64_t seed, unsigned endpoints_max)
{
    struct sim *s = mem_new(sizeof *s);
    s->random = seed;
    s->hash = 0xcbf29ce484222325u;
    s->now_us = 1000000; /* a clock of zero would hide mistakes */
    s->count = endpoints_max;
    s->endpoints = mem_array(endpoints_max, sizeof *s->endpoints);
    s->ways = mem_array((size_t)endpoints_max * endpoints_max, sizeof *s->ways);
    for (unsigned i = 0; i < endpoints_max; i++)
        s->endpoints[i] = (struct endpoint){.base = {.ops = &ops}, .sim = s, .index = i};
    for (size_t i = 0; i < (size_t)endpoints_max * endpoints_max; i++) s->ways[i].latency_us = SIM_LATENCY_US;
    return s;
}

/* Nothing runs any more: events are dropped, and with them their hold on connections. */
void sim_free(struct sim *s)
{
    if (!s) return;
    for (unsigned i = 0; i < s->count; i++) sim_freeze(s, i, false);
    while (s->heap_count > 0) {
        struct event e = pop(s);
        if (e.conn) conn_release(e.conn); /* NOLINT(clang-analyzer-unix.Malloc): each event holds it once */
    }
    for (unsigned i = 0; i < s->count; i++) {
        each_conn(&s->endpoints[i], NULL, conn_free); /* no event holds them any more */
        free(s->endpoints[i].waiting);
    }
    free(s->heap);
    free(s->ways);
    free(s->endpoints);
    free(s);
}

uint64_t sim_now_us(const struct sim *s)
{
    return s->now_us;
}

uint64_t sim_hash(const struct sim *s)
{
    return s->hash;
}

uint64_t sim_bytes(const struct sim *s)
{
    return s->bytes;
}

struct moth_transport *sim_endpoint(struct sim *s, unsigned index)
{
    return &s->endpoints[index].base;
}

void sim_address(unsigned index, uint16_t port, struct address *out)
{
    *out = (struct address){.family = 4, .port = port, .ip = {10}};
    put_uint(out->ip + 1, index + 1, 3);
}
