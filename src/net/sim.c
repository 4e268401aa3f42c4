/* sim.c -- the imaginary wire of sim.h: its clock, its queue of events, its ways. What happens to connections is in
 * sim_conn.c. */
#include "net/sim_private.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

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
void sim_trace(struct sim *s, const struct sim_conn *c, const struct chunk *chunk)
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

void sim_push_conn(struct sim_conn *c, enum event_kind kind, uint64_t at_us)
{
    if (kind != EVENT_CLOSED) c->held++;
    push(c->at->sim, (struct event){.at_us = at_us, .kind = kind, .index = c->at->index, .conn = c});
}

/* --- ways --- */

struct way *sim_way(const struct sim *s, unsigned a, unsigned b)
{
    return &s->ways[a < b ? a * s->count + b : b * s->count + a];
}

uint64_t sim_arrival_us(struct sim *s, unsigned a, unsigned b)
{
    const struct way *w = sim_way(s, a, b);
    return s->now_us + w->latency_us + (w->jitter_us ? sim_random(s) % w->jitter_us : 0);
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
    if (e->kind == EVENT_CALL) e->fn(e->argument, e->number);
    else sim_conn_event(e);
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

void sim_reset(struct sim *s, unsigned index)
{
    struct endpoint *e = &s->endpoints[index];
    each_conn(e, NULL, sim_conn_break);
    e->own.port = 0;
    for (struct wire *w = e->beside; w; w = w->after) w->port = 0;
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
    struct way *w = sim_way(s, a, b);
    w->latency_us = latency_us;
    w->jitter_us = jitter_us;
}

void sim_cut(struct sim *s, unsigned a, unsigned b, bool silent)
{
    struct way *w = sim_way(s, a, b);
    w->cut = !silent;
    w->silent = silent;
    if (silent) return;
    each_conn(&s->endpoints[a], &s->endpoints[b], sim_conn_break);
    each_conn(&s->endpoints[b], &s->endpoints[a], sim_conn_break);
}

void sim_join(struct sim *s, unsigned a, unsigned b)
{
    struct way *w = sim_way(s, a, b);
    w->cut = w->silent = false;
    each_conn(&s->endpoints[a], &s->endpoints[b], sim_conn_look_again);
    each_conn(&s->endpoints[b], &s->endpoints[a], sim_conn_look_again);
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

struct sim *sim_new(uint64_t seed, unsigned endpoints_max)
{
    struct sim *s = mem_new(sizeof *s);
    s->random = seed;
    s->hash = 0xcbf29ce484222325u;
    s->now_us = 1000000; /* a clock of zero would hide mistakes */
    s->count = endpoints_max;
    s->endpoints = mem_array(endpoints_max, sizeof *s->endpoints);
    s->ways = mem_array((size_t)endpoints_max * endpoints_max, sizeof *s->ways);
    for (unsigned i = 0; i < endpoints_max; i++) {
        s->endpoints[i] = (struct endpoint){.sim = s, .index = i};
        sim_wire_init(&s->endpoints[i].own, &s->endpoints[i]);
    }
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
        if (e.conn) sim_conn_release(e.conn); /* NOLINT(clang-analyzer-unix.Malloc): each event holds it once */
    }
    for (unsigned i = 0; i < s->count; i++) {
        assert(!s->endpoints[i].beside);
        each_conn(&s->endpoints[i], NULL, sim_conn_free); /* no event holds them any more */
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
    return &s->endpoints[index].own.base;
}

void sim_address(unsigned index, uint16_t port, struct address *out)
{
    *out = (struct address){.family = 4, .port = port, .ip = {10}};
    put_uint(out->ip + 1, index + 1, 3);
}
