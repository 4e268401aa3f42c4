/* sim_conn.c -- the imaginary wire as a machine sees it: its transports, and the life of a connection.
 *
 * A machine has one transport of its own and any number beside it, each with a port; one that listens on loopback is
 * found by its own machine only. */
#include "net/sim_private.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define WINDOW_BYTES (256u << 10)
#define DIAL_TIMEOUT_US 3000000u
#define NODE_PORT 6684
#define FREE_PORT 49152 /* where looking for a free one begins */

/* Nothing comes from the far end. */
static bool is_silent(const struct sim_conn *c)
{
    return c->other && sim_way_state(c->at->sim, c->other->index, c->at->index) == WAY_SILENT;
}

/* --- connections --- */

static struct sim_conn *conn_of(const struct conn *c)
{
    return (struct sim_conn *)(uintptr_t)c;
}

static struct wire *wire_of(const struct conn *c)
{
    return (struct wire *)c->transport;
}

static struct sim_conn *conn_new(struct wire *wire, struct endpoint *other, bool inbound)
{
    struct sim_conn *c = mem_new(sizeof *c);
    struct endpoint *at = wire->at;
    c->base.transport = &wire->base;
    c->base.inbound = inbound;
    c->at = at;
    c->other = other;
    c->inbox_end = &c->inbox;
    c->held = 1;
    c->after = at->conns;
    if (at->conns) at->conns->before = c;
    at->conns = c;
    wire->conns++;
    return c;
}

static void free_if_over(struct wire *w)
{
    if (w->ended && w->conns == 0) free(w);
}

void sim_conn_free(struct sim_conn *c)
{
    struct wire *wire = wire_of(&c->base);
    sim_inbox_free(c);
    free(c);
    wire->conns--;
    free_if_over(wire);
}

void sim_conn_release(struct sim_conn *c)
{
    if (--c->held == 0) sim_conn_free(c);
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
    uint64_t at_us = sim_arrival_us(c->at->sim, c->at->index, peer->at->index, 0);
    if (at_us > peer->last_us) peer->last_us = at_us;
    sim_push_conn(peer, EVENT_BYTES, peer->last_us);
    c->peer = NULL;
}

static void sim_close(struct conn *base, int reason)
{
    struct sim_conn *c = conn_of(base);
    assert(reason < 0);
    if (c->reason != 0) return;
    c->reason = reason;
    c->base.open = false;
    sim_push_conn(c, EVENT_CLOSED, c->at->sim->now_us);
    conn_leave(c);
}

void sim_conn_look_again(struct sim_conn *c)
{
    sim_push_conn(c, EVENT_BYTES, c->at->sim->now_us);
}

void sim_conn_break(struct sim_conn *c)
{
    sim_close(&c->base, MOTH_ECLOSED);
}

static void settle(struct sim_conn *c, int rc)
{
    if (rc < 0) sim_close(&c->base, rc);
}

static size_t sim_queued(const struct conn *base)
{
    const struct sim_conn *c = conn_of(base);
    return c->peer && c->peer->inbox_bytes > WINDOW_BYTES ? c->peer->inbox_bytes - WINDOW_BYTES : 0;
}

static void sim_send(struct conn *base, struct slice bytes)
{
    struct sim_conn *c = conn_of(base), *peer = c->peer;
    if (c->reason != 0 || !peer || bytes.bytes == 0) return;
    sim_inbox_add(peer, bytes);
    if (sim_queued(base) > 0) c->was_full = true;
    if (sim_queued(base) > TRANSPORT_LOW_BYTES) c->told_low = false;
}

static void sim_pause(struct conn *base, bool pause)
{
    struct sim_conn *c = conn_of(base);
    if (c->reason != 0 || c->paused == pause) return;
    c->paused = pause;
    if (!pause) sim_conn_look_again(c);
}

/* --- listening and dialling --- */

static struct wire *next_wire(struct endpoint *e, struct wire *w)
{
    return w == &e->own ? e->beside : w->after;
}

/* Who listens on that port; `near`: as their own machine sees it. */
static struct wire *listener_at(struct endpoint *e, uint16_t port, bool near)
{
    for (struct wire *w = &e->own; w; w = next_wire(e, w))
        if (w->port == port && (near || !w->loopback)) return w;
    return NULL;
}

static uint16_t free_port(struct endpoint *e, const struct wire *w)
{
    uint16_t port = FREE_PORT;
    if (w == &e->own && !listener_at(e, NODE_PORT, true)) return NODE_PORT;
    while (listener_at(e, port, true)) port++;
    return port;
}

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static void set_address(const struct endpoint *e, bool loopback, uint16_t port, struct address *out)
{
    sim_address(e->index, port, out);
    if (loopback) memcpy(out->ip, (const uint8_t[]){127, 0, 0, 1}, 4);
}

static int sim_listen(struct moth_transport *t, const char *address, struct address *bound)
{
    struct wire *w = (struct wire *)t;
    char host[HOST_TEXT_BYTES];
    uint16_t port;
    int rc = address ? host_port_parse(address, host, &port) : 0;
    if (rc < 0) return rc;
    w->port = 0;
    if (!address) return 0;
    if (port && listener_at(w->at, port, true)) return MOTH_EIN_USE;
    w->port = port ? port : free_port(w->at, w);
    w->loopback = is_loopback(host);
    set_address(w->at, w->loopback, w->port, bound);
    return 0;
}

static struct endpoint *endpoint_at(struct sim *s, const struct address *a)
{
    unsigned index = (unsigned)get_uint(a->ip + 1, 3) - 1;
    return a->family == 4 && a->ip[0] == 10 && index < s->count ? sim_machine(s, index) : NULL;
}

/* Where an address leads: a number, or our own machine; there are no other names. */
static int find_machine(struct endpoint *from, const char *address, struct address *out, struct endpoint **machine)
{
    char host[HOST_TEXT_BYTES];
    uint16_t port;
    if (host_port_parse(address, host, &port) == 0 && port && is_loopback(host)) {
        set_address(from, true, port, out);
        *machine = from;
        return 0;
    }
    int rc = address_parse(address, out);
    *machine = rc < 0 ? NULL : endpoint_at(from->sim, out);
    return rc == 0 && !*machine ? MOTH_EUNREACHABLE : rc;
}

static struct conn *sim_dial(struct moth_transport *t, const char *address, void *user)
{
    struct wire *w = (struct wire *)t;
    struct endpoint *e = w->at, *to;
    struct address a = {0};
    int rc = find_machine(e, address, &a, &to);
    struct sim_conn *c = conn_new(w, to, false);
    c->base.user = user;
    c->base.remote = a;
    c->dialled_us = e->sim->now_us;
    if (rc < 0) sim_close(&c->base, rc);
    else sim_push_conn(c, EVENT_ACCEPT, sim_arrival_us(e->sim, e->index, to->index, 0));
    return &c->base;
}

/* --- what happens --- */

/* Whether no word comes through in one of the two directions: then the dial waits until its time is over, and ends. */
static bool hangs(struct sim_conn *c, enum event_kind kind)
{
    const struct sim *s = c->at->sim;
    uint64_t limit_us = c->dialled_us + DIAL_TIMEOUT_US;
    if (!is_silent(c) && sim_way_state(s, c->at->index, c->other->index) != WAY_SILENT) return false;
    if (s->now_us < limit_us) sim_push_conn(c, kind, limit_us);
    else sim_close(&c->base, MOTH_ETIMEOUT);
    return true;
}

static void meet(struct sim_conn *c, struct wire *listener)
{
    struct sim *s = c->at->sim;
    struct sim_conn *far = conn_new(listener, c->at, true);
    far->peer = c;
    c->peer = far;
    set_address(c->at, c->at == c->other, (uint16_t)(40000 + s->age % 20000), &far->base.remote);
    sim_push_conn(far, EVENT_OPEN, s->now_us);
    sim_push_conn(c, EVENT_OPEN, sim_arrival_us(s, c->other->index, c->at->index, 0));
}

static void do_accept(struct sim_conn *c)
{
    if (c->reason != 0 || hangs(c, EVENT_ACCEPT)) return;
    struct wire *listener = listener_at(c->other, c->base.remote.port, c->other == c->at);
    if (sim_way_state(c->at->sim, c->at->index, c->other->index) == WAY_BROKEN) sim_close(&c->base, MOTH_EUNREACHABLE);
    else if (!listener) sim_close(&c->base, MOTH_EREFUSED);
    else meet(c, listener);
}

static void do_open(struct sim_conn *c)
{
    struct moth_transport *t = c->base.transport;
    if (c->reason != 0 || (!c->base.inbound && hangs(c, EVENT_OPEN))) return;
    c->base.open = true;
    settle(c, t->events->on_open(t->owner, &c->base));
    sim_conn_look_again(c);
}

/* Once when little is left, and once when nothing is. */
static void tell_drained(struct sim_conn *sender)
{
    if (!sender || !sender->was_full) return;
    size_t queued = sim_queued(&sender->base);
    if (queued > 0 && (queued > TRANSPORT_LOW_BYTES || sender->told_low)) return;
    sender->told_low = sender->was_full = queued > 0;
    sim_push_conn(sender, EVENT_DRAINED, sender->at->sim->now_us);
}

static void do_bytes(struct sim_conn *c)
{
    struct moth_transport *t = c->base.transport;
    struct sim *s = c->at->sim;
    if (!c->base.open || c->paused || is_silent(c)) return; /* opening, going on and joining come back here */
    for (struct chunk *chunk; c->reason == 0 && !c->paused && (chunk = sim_inbox_take(c));) {
        sim_trace(s, c, chunk);
        settle(c, t->events->on_bytes(t->owner, &c->base, (struct span){chunk->data, chunk->bytes}));
        free(chunk);
        tell_drained(c->peer);
    }
    if (c->reason == 0 && c->ended && !c->inbox && c->last_us <= s->now_us) sim_close(&c->base, MOTH_ECLOSED);
}

static void do_closed(struct sim_conn *c)
{
    struct moth_transport *t = c->base.transport;
    if (t->events && !wire_of(&c->base)->ended) t->events->on_closed(t->owner, &c->base, c->reason);
}

static void do_drained(struct sim_conn *c)
{
    struct moth_transport *t = c->base.transport;
    if (c->reason == 0) settle(c, t->events->on_drained(t->owner, &c->base));
}

void sim_conn_event(const struct event *e)
{
    switch (e->kind) {
    case EVENT_CALL: return;
    case EVENT_OPEN: do_open(e->conn); break;
    case EVENT_ACCEPT: do_accept(e->conn); break;
    case EVENT_BYTES: do_bytes(e->conn); break;
    case EVENT_DRAINED: do_drained(e->conn); break;
    case EVENT_CLOSED: do_closed(e->conn); break;
    }
    sim_conn_release(e->conn);
}

/* --- many on one machine --- */

static struct moth_transport *sim_beside(struct moth_transport *t)
{
    struct endpoint *e = ((struct wire *)t)->at;
    struct wire *w = mem_new(sizeof *w);
    sim_wire_init(w, e);
    w->after = e->beside;
    e->beside = w;
    return &w->base;
}

static void leave_machine(struct wire *w)
{
    struct wire **at = &w->at->beside;
    while (*at != w) at = &(*at)->after;
    *at = w->after;
}

static void sim_wire_free(struct moth_transport *t)
{
    struct wire *w = (struct wire *)t;
    assert(w != &w->at->own && !w->ended);
    leave_machine(w);
    w->ended = true;
    for (struct sim_conn *c = w->at->conns, *after; c; c = after) {
        after = c->after;
        if (c->base.transport == t) sim_close(&c->base, MOTH_ESHUTDOWN);
    }
    free_if_over(w);
}

static const struct transport_ops ops = {
    .listen = sim_listen,
    .dial = sim_dial,
    .send = sim_send,
    .queued = sim_queued,
    .pause = sim_pause,
    .close = sim_close,
    .beside = sim_beside,
    .free = sim_wire_free,
};

void sim_wire_init(struct wire *w, struct endpoint *at)
{
    *w = (struct wire){.base = {.ops = &ops}, .at = at};
}
