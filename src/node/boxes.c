/* boxes.c -- messages of ours in memory, see boxes.h. */
#include "node/boxes.h"

#include "base/mem.h"
#include "node/peers.h"
#include "proto/envelope.h"

#include <stdlib.h>

#define ENDED_MAX 4096u
#define PLACE_STEPS_MAX 256 /* further back a late deposit is not put */

struct ended {
    uint64_t id, changed_ms, sent_ms;
    struct moth_id to;
    enum moth_state state;
    int reason;
    unsigned tries;
    size_t bytes;
};

void boxes_init(struct boxes *b, uint64_t seed)
{
    *b = (struct boxes){0};
    id_map_init(&b->box_of, seed);
    id_map_init(&b->message_of, seed);
    id_map_init(&b->carried_of, seed);
    id_map_init(&b->ended_of, seed);
}

/* --- messages --- */

struct outgoing *outgoing_new(uint64_t id, struct peer *to, uint8_t kind, struct slice body)
{
    struct outgoing *m = mem_new(sizeof *m);
    m->id = id;
    m->to = to;
    m->kind = kind;
    m->body_bytes = body.bytes;
    if (body.data) m->body = mem_copy(body.data, body.bytes);
    return m;
}

void outgoing_free(struct outgoing *m)
{
    free(m->carriers);
    free(m->body);
    free(m);
}

void outgoing_drop_body(struct boxes *b, struct outgoing *m)
{
    if (m->body) b->memory_bytes -= m->body_bytes;
    free(m->body);
    m->body = NULL;
}

void outgoing_set_body(struct boxes *b, struct outgoing *m, uint8_t *body)
{
    m->body = body;
    b->memory_bytes += m->body_bytes;
}

unsigned outgoing_holders(const struct outgoing *m)
{
    unsigned count = 0;
    for (unsigned i = 0; i < m->carrier_count; i++) count += m->carriers[i].custody == CUSTODY_TAKEN;
    return count;
}

struct carrier *outgoing_carrier(struct outgoing *m, const struct moth_id *id)
{
    for (unsigned i = 0; i < m->carrier_count; i++)
        if (id_equal(&m->carriers[i].id, id)) return &m->carriers[i];
    return NULL;
}

struct carrier *outgoing_add_carrier(struct outgoing *m, const struct moth_id *id, enum custody custody,
                                     uint64_t deposit)
{
    if (m->carrier_count == CARRIERS_MAX) return NULL;
    if (!m->carriers) m->carriers = mem_array(CARRIERS_MAX, sizeof *m->carriers);
    m->carriers[m->carrier_count] = (struct carrier){.id = *id, .custody = custody, .deposit = deposit};
    return &m->carriers[m->carrier_count++];
}

static uint8_t *put_carrier(uint8_t *at, const struct carrier *c)
{
    at = put_uint(put_id(at, &c->id), c->custody, 1);
    return put_uint(at, (uint64_t)-c->reason, 1);
}

size_t carriers_encode(const struct outgoing *m, uint8_t *out)
{
    uint8_t *at = out;
    for (unsigned i = 0; i < m->carrier_count; i++)
        if (m->carriers[i].custody != CUSTODY_ASKED)
            at = put_carrier(at, &m->carriers[i]);
    return (size_t)(at - out);
}

void carriers_decode(struct outgoing *m, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    struct moth_id id;
    while (reader_left(&r) >= CARRIER_BYTES) {
        read_id(&r, &id);
        enum custody custody = read_uint(&r, 1) == CUSTODY_TAKEN ? CUSTODY_TAKEN : CUSTODY_REFUSED;
        struct carrier *c = outgoing_add_carrier(m, &id, custody, 0);
        int reason = -(int)read_uint(&r, 1);
        if (c) c->reason = reason;
    }
}

/* --- boxes --- */

static struct moth_id id_key(uint64_t id)
{
    struct moth_id key = {{0}};
    put_uint(key.bytes, id, 8);
    return key;
}

static struct box *box_for(struct boxes *all, struct peer *to)
{
    struct box *b = boxes_box(all, &to->id);
    if (b) return b;
    b = mem_new(sizeof *b);
    b->to = to;
    b->after = all->first;
    if (all->first) all->first->before = b;
    all->first = b;
    id_map_put(&all->box_of, &to->id, b);
    return b;
}

/* Deposits of one source may come in another order than they were made. Nearly always the last place is right. */
static struct outgoing *place_of(const struct box *b, const struct outgoing *m)
{
    struct outgoing *place = NULL;
    if (!m->source || m->inner_id > peer_dealings(m->source)->carried_top) return NULL;
    int steps = PLACE_STEPS_MAX;
    for (struct outgoing *at = b->last; at && steps > 0; at = at->before, steps--) {
        if (at->source != m->source) continue;
        if (at->inner_id < m->inner_id) break;
        place = at;
    }
    return place;
}

static struct outgoing *next_waiting(struct outgoing *m)
{
    while (m && m->in_flight) m = m->after;
    return m;
}

static void link_before(struct box *b, struct outgoing *m, struct outgoing *place)
{
    m->after = place;
    m->before = place ? place->before : b->last;
    if (m->before) m->before->after = m;
    else b->first = m;
    if (place) place->before = m;
    else b->last = m;
    if (b->next_send == place) b->next_send = m;
    else if (place && place->in_flight) b->next_send = next_waiting(b->first);
    if (b->next_deposit == place) b->next_deposit = m;
    b->count++;
}

static void count_in(struct boxes *all, struct outgoing *m)
{
    struct moth_id key;
    if (m->body) all->memory_bytes += m->body_bytes;
    if (m->kind == ENVELOPE_DATA && !m->light) {
        all->mail_count++;
        all->mail_bytes += m->body_bytes;
    }
    if (m->kind != ENVELOPE_HANDOVER) return;
    key = id_with(&m->source->id, m->inner_id);
    id_map_put(&all->carried_of, &key, m);
    m->source->held++;
    struct dealings *d = peer_deal(m->source);
    d->carried_bytes += m->body_bytes;
    if (m->inner_id > d->carried_top) d->carried_top = m->inner_id;
    all->carried_count++;
    all->carried_bytes += m->body_bytes;
}

static void count_out(struct boxes *all, const struct outgoing *m)
{
    struct moth_id key;
    if (m->body) all->memory_bytes -= m->body_bytes;
    if (m->kind == ENVELOPE_DATA && !m->light) {
        all->mail_count--;
        all->mail_bytes -= m->body_bytes;
    }
    if (m->kind != ENVELOPE_HANDOVER) return;
    key = id_with(&m->source->id, m->inner_id);
    if (id_map_find(&all->carried_of, &key) == m) id_map_remove(&all->carried_of, &key);
    m->source->held--;
    m->source->dealings->carried_bytes -= m->body_bytes;
    all->carried_count--;
    all->carried_bytes -= m->body_bytes;
}

void boxes_put(struct boxes *all, struct outgoing *m)
{
    struct box *b = box_for(all, m->to);
    struct moth_id key = id_key(m->id);
    link_before(b, m, place_of(b, m));
    id_map_put(&all->message_of, &key, m);
    m->to->mail++;
    count_in(all, m);
}

struct outgoing *boxes_find(const struct boxes *all, uint64_t id)
{
    struct moth_id key = id_key(id);
    return id_map_find(&all->message_of, &key);
}

struct outgoing *boxes_find_carried(const struct boxes *all, const struct moth_id *source, uint64_t inner_id)
{
    struct moth_id key = id_with(source, inner_id);
    struct outgoing *m = id_map_find(&all->carried_of, &key);
    return m && m->inner_id == inner_id && id_equal(&m->source->id, source) ? m : NULL;
}

struct box *boxes_box(const struct boxes *all, const struct moth_id *to)
{
    return id_map_find(&all->box_of, to);
}

struct moth_id *boxes_ids(const struct boxes *all, size_t *count)
{
    struct moth_id *ids = mem_array(all->box_of.count, sizeof *ids);
    *count = 0;
    for (const struct box *b = all->first; b; b = b->after) ids[(*count)++] = b->to->id;
    return ids;
}

static void drop_box(struct boxes *all, struct box *b)
{
    if (b->before) b->before->after = b->after;
    else all->first = b->after;
    if (b->after) b->after->before = b->before;
    id_map_remove(&all->box_of, &b->to->id);
    free(b);
}

static void leave_box(struct boxes *all, struct outgoing *m)
{
    struct box *b = boxes_box(all, &m->to->id);
    if (m->before) m->before->after = m->after;
    else b->first = m->after;
    if (m->after) m->after->before = m->before;
    else b->last = m->before;
    if (b->next_send == m) b->next_send = next_waiting(m->after);
    if (b->next_deposit == m) b->next_deposit = m->after;
    if (m->in_flight) b->in_flight--;
    b->count--;
    if (!b->first) drop_box(all, b);
}

static void take_out(struct boxes *all, struct outgoing *m)
{
    struct moth_id key = id_key(m->id);
    leave_box(all, m);
    id_map_remove(&all->message_of, &key);
    m->to->mail--;
    count_out(all, m);
}

void boxes_remove(struct boxes *all, struct outgoing *m)
{
    take_out(all, m);
    outgoing_free(m);
}

void boxes_retire(struct boxes *all, struct outgoing *m)
{
    take_out(all, m);
    m->to->held++;
    m->after = NULL;
    m->before = all->last_unwritten;
    if (m->before) m->before->after = m;
    else all->unwritten = m;
    all->last_unwritten = m;
}

static void forget_unwritten(struct boxes *all, struct outgoing *m)
{
    if (m->before) m->before->after = m->after;
    else all->unwritten = m->after;
    if (m->after) m->after->before = m->before;
    else all->last_unwritten = m->before;
    m->to->held--;
    outgoing_free(m);
}

void boxes_written(struct boxes *all, uint64_t id)
{
    struct outgoing *m = all->unwritten; /* nearly always the first */
    while (m && m->id != id) m = m->after;
    if (m) forget_unwritten(all, m);
}

void boxes_fini(struct boxes *b)
{
    while (b->first) boxes_remove(b, b->first->first);
    for (struct outgoing *m = b->unwritten, *after; m; m = after) {
        after = m->after;
        outgoing_free(m);
    }
    id_map_fini(&b->box_of);
    id_map_fini(&b->message_of);
    id_map_fini(&b->carried_of);
    id_map_fini(&b->ended_of);
    free(b->ended);
}

/* --- ends --- */

void boxes_remember_end(struct boxes *all, const struct outgoing *m)
{
    if (!all->ended) all->ended = mem_array(ENDED_MAX, sizeof *all->ended);
    struct ended *e = &all->ended[all->ended_at++ % ENDED_MAX];
    struct moth_id old = id_key(e->id), key = id_key(m->id);
    if (id_map_find(&all->ended_of, &old) == e) id_map_remove(&all->ended_of, &old);
    *e = (struct ended){.id = m->id, .changed_ms = m->changed_ms, .sent_ms = m->sent_ms, .to = m->to->id,
                        .state = m->state, .reason = m->reason, .tries = m->tries, .bytes = m->data_bytes};
    id_map_put(&all->ended_of, &key, e);
}

static struct ended *find_ended(const struct boxes *all, uint64_t id)
{
    struct moth_id key = id_key(id);
    return id_map_find(&all->ended_of, &key);
}

bool boxes_end_late(struct boxes *all, uint64_t id, uint64_t now_ms)
{
    struct ended *e = find_ended(all, id);
    if (!e || (e->state != MOTH_EXPIRED && e->state != MOTH_LOST)) return false;
    e->state = MOTH_DELIVERED;
    e->reason = 0;
    e->changed_ms = now_ms;
    return true;
}

bool boxes_ended(const struct boxes *all, uint64_t id, struct moth_sent *out)
{
    const struct ended *e = find_ended(all, id);
    if (!e) return false;
    *out = (struct moth_sent){.id = e->id, .to = e->to, .state = e->state, .reason = e->reason,
                              .changed_ms = e->changed_ms, .accepted_ms = e->sent_ms, .tries = e->tries,
                              .bytes = e->bytes};
    return true;
}
