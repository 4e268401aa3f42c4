/* mail.c -- how our messages travel: sent, retried, given to carriers, expired.
 *
 * Durable mail waits in the box of its recipient until their receipt; a window of it is in flight. What is in flight is
 * called back and sent again when the way to the recipient changes, and after a silence that doubles each time.
 * Without a way nothing counts as a retry, and carriers are asked (carry.c). A message is sent without waiting for its
 * commit. */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

#define SILENCE_US 2000000u      /* after which what is in flight is sent again */
#define SILENCE_MAX_US 60000000u
#define AWAY_US 5000000u         /* how often a recipient without a way is tried to be dialled */
#define HINT_US 250000u
#define EXPIRY_PAUSE_US 1000000u /* all mail is looked at, so not for every single message */

static const uint64_t never = UINT64_MAX;

static int transmit(struct moth_node *n, struct outgoing *m)
{
    struct envelope head = {.kind = m->kind, .flags = m->flags, .ttl_s = m->ttl_s, .id = m->id,
                            .age_s = mail_age_s(n, m)};
    int rc = mail_body(n, m);
    if (rc == 0) rc = route_seal(n, m->to, &head, slice_of(m->body, m->body_bytes));
    if (m->committed && mail_memory_is_full(n)) outgoing_drop_body(&n->boxes, m);
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

/* The only way to say when a box is to be looked at: mail_tick walks the boxes only when one is due. */
static void retry_at(struct moth_node *n, struct box *b, uint64_t at_us)
{
    b->retry_us = at_us;
    if (at_us < n->mail_due_us) n->mail_due_us = at_us;
    node_due(n, at_us);
}

static void wait_for_receipt(struct moth_node *n, struct box *b)
{
    uint32_t random;
    if (b->backoff_us == 0) b->backoff_us = SILENCE_US;
    n->host->random(n->host->context, &random, sizeof random);
    retry_at(n, b, node_now_us(n) + b->backoff_us + b->backoff_us / 4 * random / UINT32_MAX);
}

/* It cannot be sent, now or ever. */
static bool is_hopeless(struct moth_node *n, struct outgoing *m)
{
    if (m->retries > 0 && m->silences > m->retries) {
        mail_end(n, m, MOTH_EXPIRED, MOTH_ERETRIES);
        return true;
    }
    int rc = mail_body(n, m);
    if (rc != MOTH_EDAMAGED && rc != MOTH_ENOT_FOUND) return false;
    mail_end(n, m, MOTH_LOST, MOTH_EDAMAGED);
    return true;
}

void mail_look_again(struct moth_node *n, struct box *b)
{
    retry_at(n, b, node_now_us(n) + AWAY_US);
}

/* `b` may be gone afterwards: carriers are sent to, and who is told of a failed dial may end messages. */
static void wait_for_way(struct moth_node *n, struct box *b)
{
    struct peer *to = b->to;
    mail_look_again(n, b); /* and no retry */
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
            if (b->retry_us == 0) mail_look_again(n, b); /* a slow link drains and calls earlier */
            return;
        }
        note_sent(n, b, m);
#ifdef PLANT_CARRIER_FORGETS
        if (m->kind == ENVELOPE_HANDOVER) mail_drop(n, m);
#endif
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

static void expire_box(struct moth_node *n, const struct moth_id *to, uint64_t clock_ms)
{
    struct box *b = boxes_box(&n->boxes, to);
    for (struct outgoing *m = b ? b->first : NULL, *after; m; m = after) {
        after = m->after;
        if (mail_end_ms(m) > clock_ms) mail_watch_expiry(n, m);
        else mail_end(n, m, MOTH_EXPIRED, MOTH_EEXPIRED);
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

static void tick_boxes(struct moth_node *n, uint64_t now_us)
{
    size_t count;
    struct moth_id *ids = boxes_ids(&n->boxes, &count);
    n->mail_due_us = never; /* a box that was looked at may be due anew because of a later one */
    for (size_t i = 0; i < count; i++) {
        uint64_t at = box_tick(n, &ids[i], now_us);
        if (at < n->mail_due_us) n->mail_due_us = at;
    }
    free(ids);
}

uint64_t mail_tick(struct moth_node *n, uint64_t now_us)
{
    if (n->mail_expiry_us <= now_us) expire_mail(n);
    if (n->carry_due) carry_all(n);
    if (n->mail_due_us <= now_us) tick_boxes(n, now_us);
    return n->mail_expiry_us < n->mail_due_us ? n->mail_expiry_us : n->mail_due_us;
}

/* --- receipts and hints --- */

void mail_take_receipt(struct moth_node *n, struct peer *from, uint64_t id, int reason)
{
    struct outgoing *m = boxes_find(&n->boxes, id);
    if (!m) {
        int rc = reason == 0 ? mail_end_late(n, from, id) : MOTH_EDUPLICATE;
        if (rc < 0) node_discard(n, rc);
        return;
    }
    if (m->to != from) {
        node_discard(n, MOTH_EMISDIRECTED);
        return;
    }
    if (reason == 0) mail_end(n, m, MOTH_DELIVERED, 0);
    else mail_end(n, m, reason == MOTH_ETOO_OLD || reason == MOTH_EEXPIRED ? MOTH_EXPIRED : MOTH_REFUSED, reason);
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
    retry_at(n, b, soon);
}

/* --- turns --- */

static void deliver_light(struct moth_node *n, struct outgoing *m)
{
    struct envelope e = {.kind = m->kind, .flags = m->flags, .src = n->identity.id, .id = m->id};
    struct envelope_body body;
    uint8_t *plain = m->body;
    int rc = envelope_body_decode(m->flags, slice_of(plain, m->body_bytes), &body);
    n->boxes.memory_bytes -= m->body_bytes; /* the message goes before its handlers are called */
    m->body = NULL;
    boxes_remove(&n->boxes, m);
    if (rc == 0) rc = inbox_admit(n, &e, &body, 0);
    if (rc == 0) inbox_deliver(n, &e, &body, 0);
    else node_discard(n, rc);
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
    if (m && m->to == n->self) mail_end(n, m, MOTH_DELIVERED, 0);
}

void mail_turn(struct moth_node *n)
{
    if (n->self->mail > 0) deliver_to_self(n);
    if (n->told_count > 0) mail_tell_states(n);
    if (buf_bytes(&n->scratch) == 0 && n->scratch.capacity > 65536) buf_fini(&n->scratch);
}

void mail_close(struct moth_node *n)
{
    buf_fini(&n->scratch);
    free(n->told);
}
