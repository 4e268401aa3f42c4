/* mail.c -- our own messages: accepted, sent, retried, ended.
 *
 * Durable mail waits in the box of its recipient until their receipt; a window of it is in flight. What is in flight is
 * called back and sent again when the way to the recipient changes, and after a silence that doubles each time. Without
 * a way nothing counts as a retry. State changes are told at the end of the turn. */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

#define TTL_S 604800u
#define TTL_MAX_S 2592000u
#define SILENCE_US 2000000u      /* after which what is in flight is sent again */
#define SILENCE_MAX_US 60000000u
#define AWAY_US 5000000u         /* how often a recipient without a way is tried to be dialled */
#define HINT_US 250000u

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

static void mark(struct moth_node *n, struct outgoing *m, enum moth_state state, int reason, struct moth_sent *sent)
{
    m->state = state;
    m->reason = reason;
    m->changed_ms = wall_ms(n);
    node_fill_sent(m, sent);
}

static void set_state(struct moth_node *n, struct outgoing *m, enum moth_state state, int reason)
{
    struct moth_sent sent;
    mark(n, m, state, reason, &sent);
    tell_state(n, &sent);
}

/* The end of a message. */
static void end_message(struct moth_node *n, struct outgoing *m, enum moth_state state, int reason)
{
    struct moth_sent sent;
    mark(n, m, state, reason, &sent);
    store_end(&n->store, m);
    if (state == MOTH_DELIVERED) n->counts.messages_delivered++;
    else node_discard(n, reason);
    tell_state(n, &sent);
}

/* --- boxes --- */

static int transmit(struct moth_node *n, struct outgoing *m)
{
    struct envelope head = {.kind = ENVELOPE_DATA, .flags = m->flags, .ttl_s = m->ttl_s, .id = m->id,
                            .age_s = (uint32_t)((node_now_us(n) - m->accepted_us) / 1000000)};
    return route_seal(n, m->to, &head, slice_of(m->body, m->body_bytes));
}

/* Everything in flight counts as not sent. */
static void call_back(struct box *b, bool after_silence)
{
    for (struct outgoing *m = b->first; m && m != b->next_send; m = m->after) {
        m->silences += after_silence && m->in_flight;
        m->in_flight = false;
    }
    b->hinted = false;
    b->next_send = b->first;
    b->in_flight = 0;
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

static bool retries_are_spent(struct moth_node *n, struct outgoing *m)
{
    if (m->retries == 0 || m->silences <= m->retries) return false;
    end_message(n, m, MOTH_EXPIRED, MOTH_ERETRIES);
    return true;
}

static void look_again(struct moth_node *n, struct box *b)
{
    b->retry_us = node_now_us(n) + AWAY_US;
    node_due(n, b->retry_us);
}

/* Sends what the window allows, in order of ids. Boxes are found anew each time round, for an end may take one away. */
static void pump(struct moth_node *n, const struct moth_id *to)
{
    struct box *b;
    while ((b = store_box(&n->store, to)) && b->next_send && b->in_flight < n->limits[MOTH_LIMIT_IN_FLIGHT]) {
        struct outgoing *m = b->next_send;
        if (b->to == n->self) return; /* the turn delivers those */
        if (router_hops(n->router, to) == ROUTER_UNREACHABLE) {
            look_again(n, b); /* and no retry */
            dial_peer(n, b->to);
            return;
        }
        if (retries_are_spent(n, m)) continue;
        if (transmit(n, m) < 0) {
            if (b->retry_us == 0) look_again(n, b); /* a slow link drains and calls earlier */
            return;
        }
        b->next_send = m->after;
        b->in_flight++;
        m->in_flight = true;
        m->tries++;
        n->counts.messages_sent++;
        if (b->retry_us == 0) wait_for_receipt(n, b);
        if (m->state == MOTH_PENDING) set_state(n, m, MOTH_SENT, 0);
    }
}

void mail_route_changed(struct moth_node *n, const struct moth_id *to)
{
    struct box *b = store_box(&n->store, to);
    if (!b || b->to == n->self) return;
    call_back(b, false);
    b->backoff_us = 0;
    pump(n, to);
}

void mail_drained(struct moth_node *n)
{
    for (struct box *b = n->store.boxes, *after; b; b = after) {
        after = b->after;
        if (b->next_send) pump(n, &b->to->id);
    }
}

static uint64_t box_tick(struct moth_node *n, struct box *b, uint64_t now_us)
{
    if (b->retry_us == 0 || b->to == n->self) return never;
    if (b->retry_us > now_us) return b->retry_us;
    struct moth_id to = b->to->id;
    bool silence = b->in_flight > 0 && !b->hinted;
    if (silence) b->backoff_us = b->backoff_us * 2 < SILENCE_MAX_US ? b->backoff_us * 2 : SILENCE_MAX_US;
    call_back(b, silence);
    pump(n, &to);
    b = store_box(&n->store, &to);
    return b && b->retry_us > 0 ? b->retry_us : never;
}

static void expire_box(struct moth_node *n, struct box *b, uint64_t now_us)
{
    for (struct outgoing *m = b->first, *after; m; m = after) {
        uint64_t end_us = m->accepted_us + (uint64_t)m->ttl_s * 1000000;
        after = m->after;
        if (end_us > now_us) n->mail_expiry_us = end_us < n->mail_expiry_us ? end_us : n->mail_expiry_us;
        else end_message(n, m, MOTH_EXPIRED, MOTH_EEXPIRED);
    }
}

static void expire_mail(struct moth_node *n, uint64_t now_us)
{
    n->mail_expiry_us = never;
    for (struct box *b = n->store.boxes, *after; b; b = after) {
        after = b->after;
        expire_box(n, b, now_us);
    }
}

uint64_t mail_tick(struct moth_node *n, uint64_t now_us)
{
    if (n->mail_expiry_us <= now_us) expire_mail(n, now_us);
    uint64_t due = n->mail_expiry_us;
    for (struct box *b = n->store.boxes, *after; b; b = after) {
        after = b->after;
        uint64_t at = box_tick(n, b, now_us);
        if (at < due) due = at;
    }
    return due;
}

/* --- receipts and hints --- */

void mail_take_receipt(struct moth_node *n, struct peer *from, uint64_t id, int reason)
{
    struct moth_sent sent;
    struct outgoing *m = store_find(&n->store, id);
    if (!m && reason == 0 && store_end_late(&n->store, id, from, wall_ms(n))) {
        n->counts.messages_delivered++;
        if (moth_message_get(n, id, &sent) == 0) tell_state(n, &sent);
    }
    if (!m) return; /* told before */
    if (m->to != from) {
        node_discard(n, MOTH_EMISDIRECTED);
        return;
    }
    if (reason == 0) end_message(n, m, MOTH_DELIVERED, 0);
    else end_message(n, m, reason == MOTH_ETOO_OLD ? MOTH_EXPIRED : MOTH_REFUSED, reason);
}

/* Receipts came: silence starts anew, and the window has room. */
void mail_go_on(struct moth_node *n, const struct peer *to)
{
    struct box *b = store_box(&n->store, &to->id);
    if (!b) return;
    b->backoff_us = b->retry_us = 0;
    if (b->in_flight > 0) wait_for_receipt(n, b);
    pump(n, &to->id);
}

/* A message of ours did not get through: its box is tried again soon. */
void mail_hint(struct moth_node *n, uint64_t id)
{
    const struct outgoing *m = store_find(&n->store, id);
    struct box *b = m ? store_box(&n->store, &m->to->id) : NULL;
    uint64_t soon = node_now_us(n) + HINT_US;
    if (!b || b->in_flight == 0 || b->retry_us <= soon || soon < b->hint_us) return;
    b->hint_us = soon + b->backoff_us; /* hints are not signed: each brings forward one retry, no more */
    b->hinted = true;
    b->retry_us = soon;
    node_due(n, soon);
}

/* --- sending --- */

static int check_payload(const struct moth_payload *payload)
{
    const char *type = payload->type ? payload->type : "text";
    if (payload->bytes > MOTH_DATA_MAX) return MOTH_ETOO_BIG;
    if (!envelope_type_is_valid(slice_text(type))) return MOTH_EARGUMENT;
    if (payload->encoding > MOTH_JSON) return MOTH_EARGUMENT;
    return 0;
}

/* The plain body as it will be sealed; owned by the caller. */
static uint8_t *encode_body(struct moth_node *n, const struct moth_payload *payload, uint64_t re, size_t *bytes)
{
    struct envelope_body body = {.encoding = (uint8_t)payload->encoding, .re = re, .sent_ms = wall_ms(n),
                                 .type = slice_text(payload->type ? payload->type : "text"),
                                 .data = slice_of(payload->data, payload->bytes)};
    uint8_t *out = mem_new(ENVELOPE_BODY_OVERHEAD_MAX + payload->bytes);
    *bytes = envelope_body_encode(re ? ENVELOPE_HAS_RE : 0, &body, out);
    return out;
}

static int keep(struct moth_node *n, struct peer *to, const struct moth_payload *payload,
                const struct moth_send_options *options, uint64_t id, bool light)
{
    size_t bytes;
    uint8_t *body = encode_body(n, payload, options->re, &bytes);
    struct outgoing *m = outgoing_new(id, to, slice_of(body, bytes));
    free(body);
    m->flags = options->re ? ENVELOPE_HAS_RE : 0;
    m->ttl_s = options->ttl_s ? options->ttl_s : TTL_S;
    m->retries = options->retries;
    m->accepted_us = node_now_us(n);
    m->changed_ms = wall_ms(n);
    m->data_bytes = payload->bytes;
    m->light = light;
    int rc = store_put(&n->store, m);
    if (rc < 0) {
        free(m);
        return rc;
    }
    uint64_t end_us = m->accepted_us + (uint64_t)m->ttl_s * 1000000;
    if (end_us < n->mail_expiry_us) n->mail_expiry_us = end_us;
    node_due(n, to == n->self ? m->accepted_us : end_us);
    return 0;
}

int moth_send(struct moth_node *n, const struct moth_id *to, const struct moth_payload *payload,
              const struct moth_send_options *options, uint64_t *id)
{
    static const struct moth_send_options defaults;
    struct peer *p = peers_find(&n->peers, to);
    if (!options) options = &defaults;
    int rc = check_payload(payload);
    if (rc == 0 && n->leaving) rc = MOTH_ESHUTDOWN;
    if (rc == 0 && !p) rc = MOTH_EUNKNOWN_PEER;
    if (rc == 0 && options->ttl_s > TTL_MAX_S) rc = MOTH_EARGUMENT;
    if (rc == 0) rc = store_next_id(&n->store, id);
    if (rc == 0) rc = keep(n, p, payload, options, *id, false);
    if (rc < 0) return rc;
    pump(n, to);
    return 0;
}

static int emit_to(struct moth_node *n, struct peer *to, const struct moth_payload *payload, uint64_t id)
{
    static const struct moth_send_options none;
    if (to == n->self) return keep(n, to, payload, &none, id, true);
    size_t bytes;
    uint8_t *body = encode_body(n, payload, 0, &bytes);
    struct envelope head = {.kind = ENVELOPE_LIGHT, .ttl_s = 60, .id = id};
    int rc = route_seal(n, to, &head, slice_of(body, bytes));
    free(body);
    return rc;
}

static int emit_to_all(struct moth_node *n, const struct moth_payload *payload, uint64_t id)
{
    uint8_t secret[32];
    size_t bytes;
    if (!route_may_broadcast(n, &n->identity.id)) return MOTH_ERATE;
    struct envelope head = {.kind = ENVELOPE_LIGHT, .ttl_s = 60, .id = id, .src = n->identity.id,
                            .hop_limit = ENVELOPE_HOPS_MAX};
    memcpy(head.epk, n->identity.ed25519_public, 32);
    uint8_t *body = encode_body(n, payload, 0, &bytes);
    uint8_t *out = buf_reserve(&n->scratch, ENVELOPE_HEAD_BYTES + bytes + CRYPTO_TAG_BYTES + CRYPTO_SIGNATURE_BYTES);
    envelope_broadcast_key(n->network_key, &n->identity.id, secret);
    struct aead *key = aead_new(secret);
    size_t size = envelope_broadcast_seal(&head, slice_of(body, bytes), key, n->identity.seed, out);
    aead_free(key);
    crypto_wipe(secret, sizeof secret);
    free(body);
    return route_spread(n, NULL, slice_of(out, size), slice_of(NULL, 0)) > 0 ? 0 : MOTH_EUNREACHABLE;
}

int moth_emit(struct moth_node *n, const struct moth_id *to, const struct moth_payload *payload)
{
    uint64_t id;
    struct peer *p = to ? peers_find(&n->peers, to) : NULL;
    int rc = check_payload(payload);
    if (rc == 0 && n->leaving) rc = MOTH_ESHUTDOWN;
    if (rc == 0 && to && !p) rc = MOTH_EUNKNOWN_PEER;
    if (rc == 0) rc = store_next_id(&n->store, &id);
    if (rc == 0) rc = p ? emit_to(n, p, payload, id) : emit_to_all(n, payload, id);
    if (rc < 0) node_discard(n, rc);
    else n->counts.messages_sent++;
    return rc;
}

/* --- turns --- */

static void deliver_to_self(struct moth_node *n)
{
    struct box *b;
    size_t most = n->store.mail_count; /* what handlers send to themselves meanwhile waits for the next turn */
    while (most-- > 0 && (b = store_box(&n->store, &n->identity.id)) != NULL) {
        struct outgoing *m = b->first;
        struct envelope e = {.kind = m->light ? ENVELOPE_LIGHT : ENVELOPE_DATA, .src = n->identity.id, .id = m->id};
        struct envelope_body body;
        uint8_t *copy = put_bytes(mem_new(m->body_bytes), m->body, m->body_bytes) - m->body_bytes;
        int rc = envelope_body_decode(m->flags, slice_of(copy, m->body_bytes), &body);
        if (m->light) store_end(&n->store, m);
        else end_message(n, m, MOTH_DELIVERED, 0);
        if (rc == 0) inbox_deliver(n, &e, &body, false);
        free(copy);
    }
    if (store_box(&n->store, &n->identity.id)) node_due(n, node_now_us(n));
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
