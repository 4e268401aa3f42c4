/* mail_life.c -- the life of a message of ours: kept, committed, its states written and told, its end; and what a start
 * finds of it. How it travels is mail.c's business. */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

#define LATE_PER_SECOND 50u /* receipts for what only the disk knows */
#define LATE_BURST 256u

/* --- states --- */

/* The owner hears of it at the end of the turn: whoever changes a box need not fear what a handler does to it. */
static void tell_state(struct moth_node *n, const struct moth_sent *sent)
{
    if (n->told_count == n->told_capacity) {
        n->told_capacity = n->told_capacity ? n->told_capacity * 2 : 16;
        n->told = mem_resize(n->told, n->told_capacity, sizeof *n->told);
    }
    n->told[n->told_count++] = *sent;
    node_due(n, node_now_us(n));
}

/* What handlers cause meanwhile is told in the next turn, so that a handler which answers each state cannot hold this
 * one. */
void mail_tell_states(struct moth_node *n)
{
    size_t count = n->told_count;
    for (size_t i = 0; i < count; i++) {
        struct moth_sent sent = n->told[i];
        node_emit(n, &(struct moth_event){.kind = MOTH_EVENT_STATE, .peer = sent.to, .name = sent.name,
                                          .reason = sent.reason, .sent = &sent});
    }
    n->told_count -= count;
    memmove(n->told, n->told + count, n->told_count * sizeof *n->told);
    if (n->told_count > 0) node_due(n, node_now_us(n));
}

void mail_set_state(struct moth_node *n, struct outgoing *m, enum moth_state state, int reason)
{
    struct moth_sent sent;
    m->state = state;
    m->reason = reason;
    m->changed_ms = node_wall_ms(n);
    if (m->kind != ENVELOPE_DATA || m->light) return; /* nobody's business but ours */
    node_fill_sent(n, m, &sent);
    tell_state(n, &sent);
}

/* --- on the disk --- */

uint64_t mail_end_ms(const struct outgoing *m)
{
    return m->accepted_ms + (uint64_t)m->ttl_s * 1000;
}

bool mail_memory_is_full(const struct moth_node *n)
{
    return n->boxes.memory_bytes > n->limits[MOTH_LIMIT_MAIL_MEMORY];
}

static void on_committed(void *owner, const struct store_write *w)
{
    struct moth_node *n = owner;
    struct outgoing *m = boxes_find(&n->boxes, (uint64_t)w->numbers[0]);
    if (!m) boxes_written(&n->boxes, (uint64_t)w->numbers[0]); /* it ended meanwhile */
    if (!m) return;
    m->committed = true;
    if (m->kind == ENVELOPE_HANDOVER) n->counts.deposits_taken++;
    if (m->state == MOTH_PENDING) {
        bool carried = outgoing_holders(m) > 0;
        mail_set_state(n, m, carried ? MOTH_CARRIED : m->tries > 0 ? MOTH_SENT : MOTH_QUEUED, 0);
        if (carried) mail_write_state(n, m);
    }
    if (!m->in_flight && mail_memory_is_full(n)) outgoing_drop_body(&n->boxes, m);
}

uint8_t *mail_encode(const struct envelope_body *body, size_t *bytes)
{
    uint8_t *out = mem_new(ENVELOPE_BODY_OVERHEAD_MAX + body->data.bytes);
    *bytes = envelope_body_encode(body->re ? ENVELOPE_HAS_RE : 0, body, out);
    return mem_resize(out, *bytes, 1); /* it may wait for weeks */
}

struct outgoing *mail_new(struct moth_node *n, struct peer *to, uint8_t kind, uint64_t id,
                          const struct envelope_body *body, uint32_t ttl_s)
{
    size_t bytes;
    uint8_t *plain = mail_encode(body, &bytes);
    struct outgoing *m = outgoing_new(id, to, kind, slice_of(NULL, bytes));
    m->body = plain;
    m->flags = body->re ? ENVELOPE_HAS_RE : 0;
    m->ttl_s = ttl_s;
    m->accepted_ms = store_clock_ms(&n->store);
    m->sent_ms = m->changed_ms = body->sent_ms;
    m->data_bytes = body->data.bytes;
    return m;
}

/* A new message: to its box and to the disk. MOTH_ESTORE. */
int mail_keep(struct moth_node *n, struct outgoing *m)
{
    int64_t to = book_row(n, m->to), source = m->source ? book_row(n, m->source) : 0;
    if (to == 0 || (m->source && source == 0)) return MOTH_ESTORE;
    int64_t numbers[] = {(int64_t)m->id, to, m->kind, m->flags, m->ttl_s, m->retries, (int64_t)m->accepted_ms,
                         (int64_t)m->sent_ms, source, (int64_t)m->inner_id, (int64_t)m->data_bytes,
                         (int64_t)m->body_bytes};
    struct slice body = slice_of(m->body, m->body_bytes);
    struct store_write *w = store_write_new(STORE_MESSAGE, numbers, 12, &body, 1);
    w->done = on_committed;
    store_write(&n->store, w);
    boxes_put(&n->boxes, m);
    mail_watch_expiry(n, m);
    return 0;
}

void mail_write_state(struct moth_node *n, const struct outgoing *m)
{
    uint8_t carriers[CARRIERS_MAX * CARRIER_BYTES];
    struct slice blob = slice_of(carriers, carriers_encode(m, carriers));
    const struct box *b = boxes_box(&n->boxes, &m->to->id);
    uint64_t now_us = node_now_us(n), now_ms = node_wall_ms(n);
    uint64_t next_ms = now_ms + (b && b->retry_us > now_us ? (b->retry_us - now_us) / 1000 : 0);
    int64_t numbers[] = {(int64_t)m->id, (int64_t)now_ms, m->tries, (int64_t)next_ms, m->state, m->reason,
                         (int64_t)m->changed_ms, m->silences};
    store_write(&n->store, store_write_new(STORE_MESSAGE_STATE, numbers, 8, &blob, 1));
}

void mail_drop(struct moth_node *n, struct outgoing *m)
{
    int64_t id = (int64_t)m->id;
    store_write(&n->store, store_write_new(STORE_MESSAGE_DROP, &id, 1, NULL, 0));
    boxes_remove(&n->boxes, m);
}

/* The end of a message. What we carried or asked others to carry leaves no trace. */
void mail_end(struct moth_node *n, struct outgoing *m, enum moth_state state, int reason)
{
    if (m->kind == ENVELOPE_DEPOSIT) {
        carry_deposit_ended(n, m, state == MOTH_DELIVERED ? 0 : reason);
        return;
    }
    if (state == MOTH_DELIVERED) n->counts.messages_delivered += m->kind == ENVELOPE_DATA;
    else node_discard(n, reason);
    if (m->kind == ENVELOPE_HANDOVER) {
        n->counts.handed_over += state == MOTH_DELIVERED;
        mail_drop(n, m);
        return;
    }
    carry_drop_deposits(n, m);
    mail_set_state(n, m, state, reason);
    if (!m->light) {
        mail_write_state(n, m);
        boxes_remember_end(&n->boxes, m);
        n->store.sent_history += (int64_t)m->body_bytes;
    }
    if (m->light || m->committed) boxes_remove(&n->boxes, m);
    else boxes_retire(&n->boxes, m);
}

int moth_cancel(struct moth_node *n, uint64_t id)
{
    struct outgoing *m = boxes_find(&n->boxes, id);
    if (n->in_hook) return MOTH_EPERMISSION;
    if (!m || m->kind != ENVELOPE_DATA || m->light) return MOTH_ENOT_FOUND;
    if (!store_may_promise(&n->store)) return MOTH_ESTORE;
    mail_end(n, m, MOTH_CANCELLED, MOTH_ECANCELLED);
    return 0;
}

int mail_body(struct moth_node *n, struct outgoing *m)
{
    uint8_t *body;
    if (m->body) return 0;
    int rc = store_body(&n->store, m->id, m->body_bytes, &body);
    if (rc == MOTH_EDAMAGED) store_doubt(&n->store);
    if (rc == 0) outgoing_set_body(&n->boxes, m, body);
    return rc;
}

uint32_t mail_age_s(const struct moth_node *n, const struct outgoing *m)
{
    uint64_t now_ms = store_clock_ms(&n->store);
    return now_ms > m->accepted_ms ? (uint32_t)((now_ms - m->accepted_ms) / 1000) : 0;
}

void mail_watch_expiry(struct moth_node *n, const struct outgoing *m)
{
    uint64_t clock_ms = store_clock_ms(&n->store), end = mail_end_ms(m);
    uint64_t due_us = node_now_us(n) + (end > clock_ms ? (end - clock_ms) * 1000 : 0);
    if (due_us < n->mail_expiry_us) n->mail_expiry_us = due_us;
    node_due(n, n->mail_expiry_us);
}

/* It had expired here, and arrived all the same. */
int mail_end_late(struct moth_node *n, const struct peer *from, uint64_t id)
{
    struct moth_sent sent;
    if (!boxes_ended(&n->boxes, id, &sent) && !bucket_take(&n->late_receipts, LATE_PER_SECOND, LATE_BURST,
                                                           node_now_us(n)))
        return MOTH_ERATE;
    int rc = moth_message_get(n, id, &sent);
    if (rc < 0) return rc;
    if (!id_equal(&sent.to, &from->id)) return MOTH_EMISDIRECTED;
    if (sent.state != MOTH_EXPIRED && sent.state != MOTH_LOST) return MOTH_EDUPLICATE;
    int64_t numbers[] = {(int64_t)id, (int64_t)node_wall_ms(n)};
    store_write(&n->store, store_write_new(STORE_MESSAGE_LATE, numbers, 2, NULL, 0));
    boxes_end_late(&n->boxes, id, node_wall_ms(n));
    n->counts.messages_delivered++;
    sent.state = MOTH_DELIVERED;
    sent.reason = 0;
    sent.changed_ms = node_wall_ms(n);
    tell_state(n, &sent);
    return 0;
}

/* --- after a start --- */

static void load_one(void *owner, const struct stored_message *stored)
{
    struct moth_node *n = owner;
    struct peer *to = peers_find(&n->peers, &stored->to), *source = peers_find(&n->peers, &stored->source);
    if (!to || (stored->kind == ENVELOPE_HANDOVER && !source)) {
        node_discard(n, MOTH_EUNKNOWN_PEER);
        return;
    }
    struct outgoing *m = outgoing_new(stored->id, to, (uint8_t)stored->kind, slice_of(NULL, stored->bytes));
    m->flags = (uint8_t)stored->flags;
    m->ttl_s = stored->ttl_s;
    m->retries = stored->retries;
    m->tries = stored->tries;
    m->accepted_ms = stored->accepted_ms;
    m->sent_ms = stored->sent_ms;
    m->changed_ms = stored->changed_ms;
    m->silences = stored->silences;
    m->state = stored->state == MOTH_CARRIED ? MOTH_CARRIED : MOTH_QUEUED;
    m->committed = true;
    m->source = source;
    m->inner_id = stored->inner_id;
    m->data_bytes = stored->data_bytes;
    carriers_decode(m, stored->carriers);
    boxes_put(&n->boxes, m);
    mail_watch_expiry(n, m);
    struct outgoing *inner = m->kind == ENVELOPE_DEPOSIT ? boxes_find(&n->boxes, m->inner_id) : NULL;
    if (inner) outgoing_add_carrier(inner, &to->id, CUSTODY_ASKED, m->id); /* it was accepted before */
    mail_look_again(n, boxes_box(&n->boxes, &to->id)); /* they may be dialled, or others asked */
}

int mail_load(struct moth_node *n)
{
    return store_load_messages(&n->store, load_one);
}
