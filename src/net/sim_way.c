/* sim_way.c -- the ways of the imaginary wire: how long they take, how much they carry, and that they can be cut.
 *
 * Ways that differ from all others stand in an open-addressed table; one that no longer differs is dropped when the
 * table grows. Chance is whole numbers only, so that the same seed gives the same times whatever libm there is. */
#include "net/sim_private.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define LEAST_SLOTS 64
#define NS_PER_S 1000000000u
#define ONE_DEVIATION 65536 /* of the sum of twelve 16-bit draws */
#define DEVIATIONS_MAX 4

/* --- the table --- */

void ways_init(struct ways *ways)
{
    *ways = (struct ways){.usual = {.latency_us = SIM_LATENCY_US}, .home = {.latency_us = SIM_LATENCY_US}};
}

void ways_fini(struct ways *ways)
{
    free(ways->slots);
}

static uint64_t key_of(unsigned from, unsigned to)
{
    return ((uint64_t)from << 32 | to) + 1;
}

/* Where that way stands, or the empty slot where it would. */
static struct way *slot_of(const struct ways *ways, uint64_t key)
{
    uint64_t state = key;
    size_t at = sim_draw(&state) & (ways->capacity - 1);
    while (ways->slots[at].key != 0 && ways->slots[at].key != key) at = (at + 1) & (ways->capacity - 1);
    return &ways->slots[at];
}

static const struct way *find_way(const struct ways *ways, unsigned from, unsigned to)
{
    if (ways->capacity == 0) return NULL;
    const struct way *w = slot_of(ways, key_of(from, to));
    return w->key != 0 ? w : NULL;
}

static bool differs(const struct way *w, uint64_t now_us)
{
    return w->key != 0 && (w->own || w->state != WAY_JOINED || w->free_ns > now_us * 1000);
}

static void grow(struct ways *ways, uint64_t now_us)
{
    struct ways old = *ways;
    size_t needed = 1;
    for (size_t i = 0; i < old.capacity; i++) needed += differs(&old.slots[i], now_us);
    for (ways->capacity = LEAST_SLOTS; ways->capacity < needed * 3;) ways->capacity *= 2;
    ways->slots = mem_array(ways->capacity, sizeof *ways->slots);
    ways->count = needed - 1;
    for (size_t i = 0; i < old.capacity; i++)
        if (differs(&old.slots[i], now_us)) *slot_of(ways, old.slots[i].key) = old.slots[i];
    free(old.slots);
}

/* Valid until the next one is made. */
static struct way *make_way(struct sim *s, unsigned from, unsigned to)
{
    struct ways *ways = &s->ways;
    uint64_t key = key_of(from, to);
    if (2 * ways->count >= ways->capacity) grow(ways, s->now_us);
    struct way *w = slot_of(ways, key);
    if (w->key == 0) ways->count++;
    w->key = key;
    return w;
}

static const struct sim_way_options *options_of(const struct sim *s, unsigned from, unsigned to)
{
    const struct way *w = find_way(&s->ways, from, to);
    if (w && w->own) return &w->options;
    return from == to ? &s->ways.home : &s->ways.usual;
}

enum way_state sim_way_state(const struct sim *s, unsigned from, unsigned to)
{
    const struct way *w = find_way(&s->ways, from, to);
    return w ? w->state : WAY_JOINED;
}

void sim_default(struct sim *s, const struct sim_way_options *options)
{
    s->ways.usual = *options;
    for (size_t i = 0; i < s->ways.capacity; i++)
        if (!s->ways.slots[i].own) s->ways.slots[i].free_ns = 0;
}

void sim_way(struct sim *s, unsigned from, unsigned to, const struct sim_way_options *options)
{
    struct way *w = make_way(s, from, to);
    w->options = *options;
    w->own = true;
    w->free_ns = 0;
}

/* --- how long it takes --- */

static int64_t draw_uniform(struct sim *s, uint32_t spread_us)
{
    return (int64_t)(sim_random(s) % (2 * (uint64_t)spread_us + 1)) - spread_us;
}

/* The sum of twelve uniform draws comes close to the bell, and its deviation is the whole width of one draw. */
static int64_t draw_normal(struct sim *s, uint32_t spread_us)
{
    const int64_t most = DEVIATIONS_MAX * ONE_DEVIATION;
    int64_t sum = -12 * (ONE_DEVIATION - 1) / 2;
    for (int i = 0; i < 3; i++) {
        uint64_t draw = sim_random(s);
        for (int k = 0; k < 64; k += 16) sum += (int64_t)(draw >> k & 0xffff);
    }
    if (sum > most) sum = most;
    if (sum < -most) sum = -most;
    return sum * (int64_t)spread_us / ONE_DEVIATION;
}

static int64_t draw_spread(struct sim *s, const struct sim_way_options *o)
{
    switch (o->spread) {
    case SIM_FIXED: break;
    case SIM_UNIFORM: return draw_uniform(s, o->spread_us);
    case SIM_NORMAL: return draw_normal(s, o->spread_us);
    }
    return 0;
}

static uint64_t draw_latency_us(struct sim *s, const struct sim_way_options *o)
{
    int64_t us = (int64_t)o->latency_us + draw_spread(s, o);
    if (us < 0) us = 0;
    return (uint64_t)us + (o->jitter_us ? sim_random(s) % o->jitter_us : 0);
}

uint64_t sim_takes_ns(size_t bytes, uint64_t bytes_per_s)
{
    assert(bytes <= UINT64_MAX / NS_PER_S);
    return bytes * (uint64_t)NS_PER_S / bytes_per_s;
}

/* When the last byte has left, after all that was sent over that way before. */
static uint64_t leaves_us(struct sim *s, unsigned from, unsigned to, size_t bytes, uint64_t bytes_per_s)
{
    struct way *w = make_way(s, from, to);
    uint64_t now_ns = s->now_us * 1000;
    if (w->free_ns < now_ns) w->free_ns = now_ns;
    w->free_ns += sim_takes_ns(bytes, bytes_per_s);
    return (w->free_ns + 999) / 1000;
}

uint64_t sim_way_rate(const struct sim *s, unsigned from, unsigned to)
{
    return options_of(s, from, to)->bytes_per_s;
}

uint64_t sim_arrival_us(struct sim *s, unsigned from, unsigned to, size_t bytes)
{
    struct sim_way_options o = *options_of(s, from, to);
    uint64_t left_us = o.bytes_per_s > 0 ? leaves_us(s, from, to, bytes, o.bytes_per_s) : s->now_us;
    return left_us + draw_latency_us(s, &o);
}

/* --- cuts --- */

static void each_between(struct sim *s, unsigned a, unsigned b, void (*act)(struct sim_conn *c))
{
    struct endpoint *one = s->endpoints[a], *other = s->endpoints[b];
    if (!one || !other) return;
    sim_each_conn(s, a, other, act);
    sim_each_conn(s, b, one, act);
}

static void set_both(struct sim *s, unsigned a, unsigned b, enum way_state state)
{
    make_way(s, a, b)->state = state;
    make_way(s, b, a)->state = state;
}

void sim_cut(struct sim *s, unsigned a, unsigned b, enum sim_cut_kind kind)
{
    switch (kind) {
    case SIM_CUT_OPEN:
        set_both(s, a, b, WAY_BROKEN);
        each_between(s, a, b, sim_conn_break);
        break;
    case SIM_CUT_SILENT: set_both(s, a, b, WAY_SILENT); break;
    case SIM_CUT_ONE_WAY: make_way(s, a, b)->state = WAY_SILENT; break;
    }
}

void sim_join(struct sim *s, unsigned a, unsigned b)
{
    if (find_way(&s->ways, a, b)) make_way(s, a, b)->state = WAY_JOINED;
    if (find_way(&s->ways, b, a)) make_way(s, b, a)->state = WAY_JOINED;
    each_between(s, a, b, sim_conn_look_again);
}

bool sim_is_joined(const struct sim *s, unsigned a, unsigned b)
{
    return sim_way_state(s, a, b) == WAY_JOINED && sim_way_state(s, b, a) == WAY_JOINED;
}
