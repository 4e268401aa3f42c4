/* sim.c -- the imaginary wire of sim.h: its clock, its queue of events, its machines. What happens to connections is in
 * sim_conn.c, to the ways in sim_way.c. */
#include "net/sim_private.h"

#include "base/mem.h"

#include <assert.h>
#include <limits.h>
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

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static uint64_t hash_of(const uint8_t *data, size_t bytes)
{
    uint64_t hash = bytes, word = 0;
    for (; bytes >= sizeof word; data += sizeof word, bytes -= sizeof word) {
        memcpy(&word, data, sizeof word);
        hash = mix(hash, word);
    }
    return bytes > 0 ? mix(hash, get_uint(data, (unsigned)bytes)) : hash;
}

void sim_trace(struct sim *s, const struct sim_conn *c, const struct chunk *chunk)
{
    struct sim_delivery d = {.at_us = s->now_us,
                             .from = c->other->index,
                             .to = c->at->index,
                             .bytes = chunk->bytes,
                             .hash = hash_of(chunk->data, chunk->bytes)};
    s->hash = mix(mix(mix(s->hash, d.at_us), (uint64_t)d.from << 32 | d.to), d.hash);
    s->bytes += d.bytes;
    if (s->on_delivery) s->on_delivery(s->owner, &d);
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

/* --- machines --- */

struct endpoint *sim_machine(struct sim *s, unsigned index)
{
    assert(index < s->count);
    if (!s->endpoints[index]) {
        struct endpoint *e = mem_new(sizeof *e);
        *e = (struct endpoint){.sim = s, .index = index};
        sim_wire_init(&e->own, e);
        s->endpoints[index] = e;
    }
    return s->endpoints[index];
}

/* What comes due for a frozen machine waits until it thaws. */
static bool put_off(struct sim *s, const struct event *e)
{
    struct endpoint *at = s->endpoints[e->index];
    if (!at || !at->frozen) return false;
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
        s->events++;
        run(&e);
        *touched = e.index;
        return true;
    }
    if (s->now_us < until_us) s->now_us = until_us;
    return false;
}

/* --- what the experimenter does --- */

void sim_each_conn(struct sim *s, unsigned index, const struct endpoint *other, void (*act)(struct sim_conn *c))
{
    for (struct sim_conn *c = sim_machine(s, index)->conns, *after; c; c = after) {
        after = c->after;
        if (!other || c->other == other) act(c);
    }
}

void sim_reset(struct sim *s, unsigned index)
{
    struct endpoint *e = s->endpoints[index];
    if (!e) return;
    sim_each_conn(s, index, NULL, sim_conn_break);
    e->own.port = 0;
    for (struct wire *w = e->beside; w; w = w->after) w->port = 0;
    sim_freeze(s, index, false);
}

void sim_freeze(struct sim *s, unsigned index, bool frozen)
{
    struct endpoint *e = sim_machine(s, index);
    e->frozen = frozen;
    if (frozen) return;
    for (size_t i = 0; i < e->waiting_count; i++) {
        e->waiting[i].at_us = s->now_us;
        push(s, e->waiting[i]);
    }
    e->waiting_count = 0;
}

void sim_read_rate(struct sim *s, unsigned index, uint64_t bytes_per_s)
{
    struct endpoint *e = sim_machine(s, index);
    e->read_bytes_per_s = bytes_per_s;
    e->read_free_ns = 0;
    sim_each_conn(s, index, NULL, sim_inbox_reread);
}

void sim_split(struct sim *s, size_t most_bytes)
{
    s->split_bytes = most_bytes;
}

void sim_merge(struct sim *s, bool merge)
{
    s->merges = merge;
}

void sim_on_delivery(struct sim *s, void (*on_delivery)(void *owner, const struct sim_delivery *delivery), void *owner)
{
    s->on_delivery = on_delivery;
    s->owner = owner;
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
    s->endpoints = mem_array(endpoints_max, sizeof(struct endpoint *));
    ways_init(&s->ways);
    return s;
}

static void free_machine(struct sim *s, unsigned index)
{
    struct endpoint *e = s->endpoints[index];
    if (!e) return;
    assert(!e->beside);
    sim_each_conn(s, index, NULL, sim_conn_free); /* no event holds them any more */
    free(e->waiting);
    free(e);
}

/* Nothing runs any more: events are dropped, and with them their hold on connections. */
void sim_free(struct sim *s)
{
    if (!s) return;
    for (unsigned i = 0; i < s->count; i++)
        if (s->endpoints[i]) sim_freeze(s, i, false);
    while (s->heap_count > 0) {
        struct event e = pop(s);
        if (e.conn) sim_conn_release(e.conn); /* NOLINT(clang-analyzer-unix.Malloc): each event holds it once */
    }
    for (unsigned i = 0; i < s->count; i++) free_machine(s, i);
    ways_fini(&s->ways);
    free(s->heap);
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

uint64_t sim_events(const struct sim *s)
{
    return s->events;
}

struct moth_transport *sim_endpoint(struct sim *s, unsigned index)
{
    return &sim_machine(s, index)->own.base;
}

void sim_address(unsigned index, uint16_t port, struct address *out)
{
    *out = (struct address){.family = 4, .port = port, .ip = {10}};
    put_uint(out->ip + 1, index + 1, 3);
}

unsigned sim_index(const struct address *a)
{
    if (a->family != 4 || a->ip[0] != 10) return UINT_MAX;
    return ((unsigned)a->ip[1] << 16 | (unsigned)a->ip[2] << 8 | a->ip[3]) - 1;
}
