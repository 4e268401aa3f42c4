/* mail.c -- our own messages: accepted, committed, sent, retried, ended.
 *
 * Durable mail waits in the box of its recipient until their receipt; a window of it is in flight. What is in flight is
 * called back and sent again when the way to the recipient changes, and after a silence that doubles each time. Without
 * a way nothing counts as a retry, and carriers are asked (carry.c). It is sent without waiting for its commit, but is
 * `pending` until then. State changes are told at the end of the turn. */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

#define SILENCE_US 2000000u      /* after which what is in flight is sent again */
#define SILENCE_MAX_US 60000000u
#define AWAY_US 5000000u         /* how often a recipient without a way is tried to be dialled */
#define HINT_US 250000u
#define EXPIRY_PAUSE_US 1000000u /* all mail is looked at, so not for every single message */
#define LATE_PER_SECOND 50u      /* receipts for what only the disk knows */
#define LATE_BURST 256u

static const uint64_t never = UINT64_MAX;

static uint64_t wall_ms(const struct moth_node *n)
{
    return n->host->wall_ms(n->host->context);
}

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
static void tell_all_states(struct moth_node *n)
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
    m->changed_ms = wall_ms(n);
    if (m->kind != ENVELOPE_DATA || m->light) return; /* nobody's business but ours */
    node_fill_sent(n, m, &sent);
    tell_state(n, &sent);
}

/* --- on the disk --- */

static uint64_t end_ms(const struct outgoing *m)
{
    return m->accepted_ms + (uint64_t)m->ttl_s * 1000;
}

static bool memory_is_full(const struct moth_node *n)
{
    return n->boxes.memory_bytes > n->limits[MOTH_LIMIT_MAIL_MEMORY];
}

static bool outgoing_is_carried(const struct outgoing *m)
{
    for (unsigned i = 0; i < m->carrier_count; i++)
        if (m->carriers[i].custody == CUSTODY_TAKEN) return true;
    return false;
}

static void on_committed(void *owner, const struct store_write *w)
{
    struct moth_node *n = owner;
    struct outgoing *m = boxes_find(&n->boxes, (uint64_t)w->numbers[0]);
    if (!m) return; /* it ended meanwhile */
    m->committed = true;
    if (m->kind == ENVELOPE_HANDOVER) n->counts.deposits_taken++;
    if (m->state == MOTH_PENDING) {
        bool carried = outgoing_is_carried(m);
        mail_set_state(n, m, carried ? MOTH_CARRIED : m->tries > 0 ? MOTH_SENT : MOTH_QUEUED, 0);
        if (carried) mail_write_state(n, m);
    }
    if (!m->in_flight && memory_is_full(n)) outgoing_drop_body(&n->boxes, m);
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
    uint64_t now_us = node_now_us(n), next_ms = b && b->retry_us > now_us ? (b->retry_us - now_us) / 1000 : 0;
    int64_t numbers[] = {(int64_t)m->id, (int64_t)wall_ms(n), m->tries, (int64_t)(wall_ms(n) + next_ms), m->state,
                         m->reason, (int64_t)m->changed_ms, m->silences};
    store_write(&n->store, store_write_new(STORE_MESSAGE_STATE, numbers, 8, &blob, 1));
}

void mail_drop(struct moth_node *n, struct outgoing *m)
{
    int64_t id = (int64_t)m->id;
    store_write(&n->store, store_write_new(STORE_MESSAGE_DROP, &id, 1, NULL, 0));
    boxes_remove(&n->boxes, m);
}

/* The end of a message. What we carried or asked others to carry leaves no trace. */
static void end_message(struct moth_node *n, struct outgoing *m, enum moth_state state, int reason)
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
    boxes_remove(&n->boxes, m);
}

int moth_cancel(struct moth_node *n, uint64_t id)
{
    struct outgoing *m = boxes_find(&n->boxes, id);
    if (!m || m->kind != ENVELOPE_DATA || m->light) return MOTH_ENOT_FOUND;
    end_message(n, m, MOTH_CANCELLED, MOTH_ECANCELLED);
    return 0;
}

/* --- boxes --- */

int mail_body(struct moth_node *n, struct outgoing *m)
{
    uint8_t *body;
    if (m->body) return 0;
    int rc = store_body(&n->store, m->id, m->body_bytes, &body);
    if (rc == 0) outgoing_set_body(&n->boxes, m, body);
    return rc;
}

uint32_t mail_age_s(const struct moth_node *n, const struct outgoing *m)
{
    uint64_t now_ms = store_clock_ms(&n->store);
    return now_ms > m->accepted_ms ? (uint32_t)((now_ms - m->accepted_ms) / 1000) : 0;
}

static int transmit(struct moth_node *n, struct outgoing *m)
{
    struct envelope head = {.kind = m->kind, .flags = m->flags, .ttl_s = m->ttl_s, .id = m->id,
                            .age_s = mail_age_s(n, m)};
    int rc = mail_body(n, m);
    if (rc == 0) rc = route_seal(n, m->to, &head, slice_of(m->body, m->body_bytes));
    if (m->committed && memory_is_full(n)) outgoing_drop_body(&n->boxes, m);
    return rc;
}

/* Everything in flight counts as not sent. */
static void call_back(struct moth_node *n, struct box *b, bool after_silence)
{
    for (struct outgoing *m = b->first; m && b->in_flight > 0; m = m->after) {
        if (!m->in_flight) continue;
        m->in_flight = false;
        b->in_flight--;
        m->silences += after_silence;
        if (after_silence && m->committed && m->kind == ENVELOPE_DATA && store_may_promise(&n->store))
            mail_write_state(n, m);
    }
    b->hinted = false;
    b->next_send = b->first;
    b->retry_us = 0;
}

static void wait_for_receipt(struct moth_node *n, struct box *b)
{
    uint32_t random;
    if (b->backoff_us == 0) b->backoff_us = SILENCE_US;
    n->host->random(n->host->context, &random, sizeof random);
    b->retry_us = node_now_us(n) + b->backoff_us + b->backoff_us / 4 * random / UINT32_MAX;
    node_due(n, b->retry_us);
}

/* It cannot be sent, now or ever. */
static bool is_hopeless(struct moth_node *n, struct outgoing *m)
{
    if (m->retries > 0 && m->silences > m->retries) {
        end_message(n, m, MOTH_EXPIRED, MOTH_ERETRIES);
        return true;
    }
    int rc = mail_body(n, m);
    if (rc != MOTH_EDAMAGED && rc != MOTH_ENOT_FOUND) return false;
    end_message(n, m, MOTH_LOST, MOTH_EDAMAGED);
    return true;
}

static void look_again(struct moth_node *n, struct box *b)
{
    b->retry_us = node_now_us(n) + AWAY_US;
    node_due(n, b->retry_us);
}

/* `b` may be gone afterwards: carriers are sent to, and who is told of a failed dial may end messages. */
static void wait_for_way(struct moth_node *n, struct box *b)
{
    struct peer *to = b->to;
    look_again(n, b); /* and no retry */
    carry_box(n, b);
    dial_peer(n, to);
}

static void note_sent(struct moth_node *n, struct box *b, struct outgoing *m)
{
    b->in_flight++;
    m->in_flight = true;
    m->tries++;
    n->counts.messages_sent++;
    while (b->next_send && b->next_send->in_flight) b->next_send = b->next_send->after;
    if (b->retry_us == 0) wait_for_receipt(n, b);
    if (m->state == MOTH_QUEUED) mail_set_state(n, m, MOTH_SENT, 0);
}

/* Sends what the window allows, in order of ids. Boxes are found anew each time round, for an end may take one away. */
void mail_pump(struct moth_node *n, const struct moth_id *to)
{
    struct box *b;
    while ((b = boxes_box(&n->boxes, to)) && b->next_send && b->in_flight < n->limits[MOTH_LIMIT_IN_FLIGHT]) {
        struct outgoing *m = b->next_send;
        if (b->to == n->self) return; /* the turn delivers those */
        if (router_hops(n->router, to) == ROUTER_UNREACHABLE) {
            wait_for_way(n, b);
            return;
        }
        if (is_hopeless(n, m)) continue;
        if (transmit(n, m) < 0) {
            if (b->retry_us == 0) look_again(n, b); /* a slow link drains and calls earlier */
            return;
        }
        note_sent(n, b, m);
    }
}

void mail_route_changed(struct moth_node *n, const struct moth_id *to)
{
    struct box *b = boxes_box(&n->boxes, to);
    n->carry_due = n->carry_anew = true; /* somebody may carry who could not before, or no more */
    if (!b || b->to == n->self) return;
    call_back(n, b, false);
    b->backoff_us = 0;
    mail_pump(n, to);
}

void mail_drained(struct moth_node *n)
{
    size_t count;
    struct moth_id *ids = boxes_ids(&n->boxes, &count);
    for (size_t i = 0; i < count; i++) mail_pump(n, &ids[i]);
    free(ids);
}

static uint64_t box_tick(struct moth_node *n, const struct moth_id *to, uint64_t now_us)
{
    struct box *b = boxes_box(&n->boxes, to);
    if (!b || b->retry_us == 0 || b->to == n->self) return never;
    if (b->retry_us > now_us) return b->retry_us;
    bool silence = b->in_flight > 0 && !b->hinted;
    if (silence) b->backoff_us = b->backoff_us * 2 < SILENCE_MAX_US ? b->backoff_us * 2 : SILENCE_MAX_US;
    call_back(n, b, silence);
    mail_pump(n, to);
    b = boxes_box(&n->boxes, to);
    return b && b->retry_us > 0 ? b->retry_us : never;
}

/* --- expiry --- */

void mail_watch_expiry(struct moth_node *n, const struct outgoing *m)
{
    uint64_t clock_ms = store_clock_ms(&n->store), end = end_ms(m);
    uint64_t due_us = node_now_us(n) + (end > clock_ms ? (end - clock_ms) * 1000 : 0);
    if (due_us < n->mail_expiry_us) n->mail_expiry_us = due_us;
    node_due(n, n->mail_expiry_us);
}

static void expire_box(struct moth_node *n, const struct moth_id *to, uint64_t clock_ms)
{
    struct box *b = boxes_box(&n->boxes, to);
    for (struct outgoing *m = b ? b->first : NULL, *after; m; m = after) {
        after = m->after;
        if (end_ms(m) > clock_ms) mail_watch_expiry(n, m);
        else end_message(n, m, MOTH_EXPIRED, MOTH_EEXPIRED);
    }
}

static void expire_mail(struct moth_node *n)
{
    uint64_t clock_ms = store_clock_ms(&n->store);
    size_t count;
    struct moth_id *ids = boxes_ids(&n->boxes, &count);
    uint64_t soon = node_now_us(n) + EXPIRY_PAUSE_US;
    n->mail_expiry_us = never;
    for (size_t i = 0; i < count; i++) expire_box(n, &ids[i], clock_ms);
    free(ids);
    if (n->mail_expiry_us < soon) n->mail_expiry_us = soon;
}

uint64_t mail_tick(struct moth_node *n, uint64_t now_us)
{
    if (n->mail_expiry_us <= now_us) expire_mail(n);
    if (n->carry_due) carry_all(n);
    uint64_t due = n->mail_expiry_us;
    size_t count;
    struct moth_id *ids = boxes_ids(&n->boxes, &count);
    for (size_t i = 0; i < count; i++) {
        uint64_t at = box_tick(n, &ids[i], now_us);
        if (at < due) due = at;
    }
    free(ids);
    return due;
}

/* --- receipts and hints --- */

/* It had expired here, and arrived all the same. */
static int end_late(struct moth_node *n, const struct peer *from, uint64_t id)
{
    struct moth_sent sent;
    if (!boxes_ended(&n->boxes, id, &sent) && !bucket_take(&n->late_receipts, LATE_PER_SECOND, LATE_BURST,
                                                           node_now_us(n)))
        return MOTH_ERATE;
    int rc = moth_message_get(n, id, &sent);
    if (rc < 0) return rc;
    if (!id_equal(&sent.to, &from->id)) return MOTH_EMISDIRECTED;
    if (sent.state != MOTH_EXPIRED) return MOTH_EDUPLICATE;
    int64_t numbers[] = {(int64_t)id, (int64_t)wall_ms(n)};
    store_write(&n->store, store_write_new(STORE_MESSAGE_LATE, numbers, 2, NULL, 0));
    boxes_end_late(&n->boxes, id, wall_ms(n));
    n->counts.messages_delivered++;
    sent.state = MOTH_DELIVERED;
    sent.reason = 0;
    sent.changed_ms = wall_ms(n);
    tell_state(n, &sent);
    return 0;
}

void mail_take_receipt(struct moth_node *n, struct peer *from, uint64_t id, int reason)
{
    struct outgoing *m = boxes_find(&n->boxes, id);
    if (!m) {
        int rc = reason == 0 ? end_late(n, from, id) : MOTH_EDUPLICATE;
        if (rc < 0) node_discard(n, rc);
        return;
    }
    if (m->to != from) {
        node_discard(n, MOTH_EMISDIRECTED);
        return;
    }
    if (reason == 0) end_message(n, m, MOTH_DELIVERED, 0);
    else end_message(n, m, reason == MOTH_ETOO_OLD || reason == MOTH_EEXPIRED ? MOTH_EXPIRED : MOTH_REFUSED, reason);
}

/* Receipts came: silence starts anew, and the window has room. */
void mail_go_on(struct moth_node *n, const struct peer *to)
{
    struct box *b = boxes_box(&n->boxes, &to->id);
    if (!b) return;
    b->backoff_us = b->retry_us = 0;
    if (b->in_flight > 0) wait_for_receipt(n, b);
    mail_pump(n, &to->id);
}

/* A message of ours did not get through: its box is tried again soon. */
void mail_hint(struct moth_node *n, uint64_t id)
{
    const struct outgoing *m = boxes_find(&n->boxes, id);
    struct box *b = m ? boxes_box(&n->boxes, &m->to->id) : NULL;
    uint64_t soon = node_now_us(n) + HINT_US;
    if (!b || b->in_flight == 0 || b->retry_us <= soon || soon < b->hint_us) return;
    b->hint_us = soon + b->backoff_us; /* hints are not signed: each brings forward one retry, no more */
    b->hinted = true;
    b->retry_us = soon;
    node_due(n, soon);
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
    look_again(n, boxes_box(&n->boxes, &to->id)); /* they may be dialled, or others asked */
}

int mail_load(struct moth_node *n)
{
    return store_load_messages(&n->store, load_one);
}

/* --- turns --- */

static void deliver_light(struct moth_node *n, struct outgoing *m)
{
    struct envelope e = {.kind = ENVELOPE_LIGHT, .src = n->identity.id, .id = m->id};
    struct envelope_body body;
    uint8_t *plain = m->body;
    int rc = envelope_body_decode(m->flags, slice_of(plain, m->body_bytes), &body);
    n->boxes.memory_bytes -= m->body_bytes; /* the message goes before its handlers are called */
    m->body = NULL;
    boxes_remove(&n->boxes, m);
    if (rc == 0) inbox_deliver(n, &e, &body, 0);
    free(plain);
}

/* What we send to ourselves: light mail at once, durable mail through the inbox, which ends it with its commit. */
static void deliver_to_self(struct moth_node *n)
{
    struct box *b = boxes_box(&n->boxes, &n->identity.id);
    struct outgoing *last = b ? b->last : NULL; /* what handlers send to themselves meanwhile waits for the next turn */
    uint64_t last_id = last ? last->id : 0;
    for (struct outgoing *m = b ? b->first : NULL; m && m->id <= last_id;) {
        struct outgoing *light = m->light ? m : NULL, *after = m->after;
        if (!light && !m->taken && mail_body(n, m) == 0 && inbox_take_own(n, m) == 0) m->taken = true;
        m = after;
        if (!light) continue;
        uint64_t next_id = m ? m->id : 0;
        deliver_light(n, light); /* its handlers may end what comes next */
        b = boxes_box(&n->boxes, &n->identity.id);
        m = next_id && b ? b->first : NULL;
        while (m && m->id < next_id) m = m->after;
    }
}

void mail_own_taken(struct moth_node *n, uint64_t id)
{
    struct outgoing *m = boxes_find(&n->boxes, id);
    if (m && m->to == n->self) end_message(n, m, MOTH_DELIVERED, 0);
}

void mail_turn(struct moth_node *n)
{
    if (n->self->mail > 0) deliver_to_self(n);
    if (n->told_count > 0) tell_all_states(n);
    if (buf_bytes(&n->scratch) == 0 && n->scratch.capacity > 65536) buf_fini(&n->scratch);
}

void mail_close(struct moth_node *n)
{
    buf_fini(&n->scratch);
    free(n->told);
}
