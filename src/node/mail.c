/* mail.c -- a message's life: accepted, routed, retried, receipted, ended.
 *
 * `route` is the only way out of the house, shared by own and relayed messages. Own durable mail waits in the box of its
 * recipient until their receipt; a window of it is in flight. What is in flight is called back and sent again when the
 * way to the recipient changes, and after a silence that doubles each time. Receipts owed are gathered during a turn and
 * leave together. Whatever cannot go on is counted by reason; a relay also tells the sender, who takes it as a hint.
 *
 *   NOTICE    0  16  dst: the sender of the message, who is told     receipt data: for each message
 *            16   1  hop_limit                                          0  8  id
 *            17   1  reason                                             8  1  code: 0 delivered, else a reason
 *            18  16  src: who tells
 *            34   8  id of the message
 */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

#define NOTICE_BYTES 42
#define RECEIPT_BYTES 9
#define TTL_S 604800u
#define TTL_MAX_S 2592000u
#define SILENCE_US 2000000u      /* after which what is in flight is sent again */
#define SILENCE_MAX_US 60000000u
#define AWAY_US 5000000u         /* how often a recipient without a way is tried to be dialled */
#define HINT_US 250000u
#define BROADCAST_BURST 5u

static const char receipt_type[] = "receipt";
static const uint64_t never = UINT64_MAX;

static uint64_t wall_ms(const struct moth_node *n)
{
    return n->host->wall_ms(n->host->context);
}

/* --- the way out --- */

static int next_session(const struct moth_node *n, const struct moth_id *to, struct session **out)
{
    const struct moth_id *next = router_next_hop(n->router, to);
    const struct peer *p = next ? peers_find(&n->peers, next) : NULL;
    if (!p || !p->session) return MOTH_EUNREACHABLE;
    *out = p->session;
    return 0;
}

/* Appends a message to the link of `s`, or says why not. `from` NULL: it is our own. */
static int hand_over(struct session *s, struct session *from, enum frame_kind kind, struct slice body, struct slice tail)
{
    struct moth_node *n = s->node;
    size_t queued = link_queued(s->link);
    if (s->shedding || (!from && s->link->slow)) return MOTH_ESLOW;
    if (queued + body.bytes > n->limits[MOTH_LIMIT_LINK_QUEUE_BYTES]) return MOTH_ESLOW;
    link_send(s->link, kind, body, tail);
    queued += body.bytes;
    if (queued > n->counts.queued_bytes_most) n->counts.queued_bytes_most = queued;
    if (s->link->slow) session_slow(s, from);
    return 0;
}

/* Takes somebody else's message one hop further: patched in place, copied once. */
static int relay(struct moth_node *n, struct session *from, struct span body, const struct envelope *e)
{
    struct session *s;
    uint8_t entry[ENVELOPE_PATH_BYTES];
    int rc = next_session(n, &e->dst, &s);
    if (rc < 0) return rc;
    if (e->hop_limit == 0 || e->hops >= ENVELOPE_HOPS_MAX) return MOTH_EHOP_LIMIT;
    if (s == from || id_equal(&e->src, &n->identity.id) || envelope_path_has(e, &n->identity.id)) return MOTH_ELOOP;
    size_t tail = envelope_patch(body, e->age_s, &n->identity.id, entry);
    rc = hand_over(s, from, FRAME_MESSAGE, span_slice(body), slice_of(entry, tail));
    if (rc == 0) n->counts.messages_relayed++;
    return rc;
}

/* --- notices --- */

static void send_notice(struct moth_node *n, const struct envelope *e, int reason)
{
    uint8_t body[NOTICE_BYTES], *at = put_id(body, &e->src);
    struct session *s;
    uint64_t per_second = n->limits[MOTH_LIMIT_NOTICES_PER_SECOND];
    if (e->kind == ENVELOPE_RECEIPT || next_session(n, &e->src, &s) < 0) return;
    if (!bucket_take(&n->notices, per_second, per_second, node_now_us(n))) {
        node_discard(n, MOTH_ERATE);
        return;
    }
    at = put_uint(at, ENVELOPE_HOPS_MAX, 1);
    at = put_uint(at, (uint64_t)-reason, 1);
    put_uint(put_id(at, &n->identity.id), e->id, 8);
    link_send(s->link, FRAME_NOTICE, slice_of(body, sizeof body), slice_of(NULL, 0));
}

/* A hint that a message of ours did not get through: its box is tried again soon. */
static void take_notice(struct moth_node *n, uint64_t id)
{
    const struct outgoing *m = store_find(&n->store, id);
    struct box *b = m ? store_box(&n->store, &m->to->id) : NULL;
    uint64_t soon = node_now_us(n) + HINT_US;
    if (!b || b->retry_us == 0 || b->retry_us <= soon) return;
    b->retry_us = soon;
    node_due(n, soon);
}

int mail_on_notice(struct session *from, struct slice body)
{
    struct moth_node *n = from->node;
    struct reader r = reader_of(body);
    struct moth_id dst, src;
    struct session *s;
    uint8_t copy[NOTICE_BYTES];
    read_id(&r, &dst);
    unsigned hop_limit = (unsigned)read_uint(&r, 1), reason = (unsigned)read_uint(&r, 1);
    read_id(&r, &src);
    uint64_t id = read_uint(&r, 8);
    if (!reader_finished(&r) || reason == 0) return MOTH_EMALFORMED;
    if (id_equal(&dst, &n->identity.id)) {
        take_notice(n, id);
        return 0;
    }
    int rc = hop_limit == 0 ? MOTH_EHOP_LIMIT : next_session(n, &dst, &s);
    if (rc == 0 && s == from) rc = MOTH_ELOOP;
    if (rc == 0 && link_control_queued(s->link) > n->limits[MOTH_LIMIT_LINK_CONTROL_BYTES] / 2) rc = MOTH_ESLOW;
    if (rc < 0) {
        node_discard_from(from, rc);
        return 0;
    }
    memcpy(copy, body.data, sizeof copy);
    copy[MOTH_ID_BYTES]--;
    link_send(s->link, FRAME_NOTICE, slice_of(copy, sizeof copy), slice_of(NULL, 0));
    return 0;
}

/* --- sealing --- */

static uint8_t hop_limit_to(const struct moth_node *n, const struct moth_id *to)
{
    unsigned hops = router_hops(n->router, to), limit = (unsigned)n->limits[MOTH_LIMIT_HOPS];
    if (hops != ROUTER_UNREACHABLE && hops + 4 > limit) limit = hops + 4;
    return (uint8_t)(limit < ENVELOPE_HOPS_MAX ? limit : ENVELOPE_HOPS_MAX);
}

/* Seals for `to` and sends it on its way. `head` lacks addresses and key, which are put in here. */
static int seal_and_send(struct moth_node *n, struct peer *to, struct envelope *head, struct slice plain_body)
{
    struct session *s;
    struct aead *key;
    int rc = next_session(n, &to->id, &s);
    if (rc == 0 && s->link->slow) rc = MOTH_ESLOW; /* before the cost of sealing */
    if (rc == 0 && !to->has_keys) rc = MOTH_EUNREACHABLE;
    if (rc == 0) rc = keys_to(&n->keys, &to->id, to->x25519_key, head->epk, &key);
    if (rc < 0) return rc;
    head->hop_limit = hop_limit_to(n, &to->id);
    head->src = n->identity.id;
    head->dst = to->id;
    uint8_t *out = buf_reserve(&n->scratch, ENVELOPE_HEAD_BYTES + plain_body.bytes + CRYPTO_TAG_BYTES);
    size_t bytes = envelope_seal(head, plain_body, key, out);
    return hand_over(s, NULL, FRAME_MESSAGE, slice_of(out, bytes), slice_of(NULL, 0));
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

/* What handlers cause meanwhile is told in the next turn, so that a handler which answers each state cannot hold this one. */
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

static void set_state(struct moth_node *n, struct outgoing *m, enum moth_state state, int reason)
{
    struct moth_sent sent;
    m->state = state;
    m->reason = reason;
    m->changed_ms = wall_ms(n);
    node_fill_sent(m, &sent);
    tell_state(n, &sent);
}

/* The end of a message. */
static void end_message(struct moth_node *n, struct outgoing *m, enum moth_state state, int reason)
{
    struct moth_sent sent;
    m->state = state;
    m->reason = reason;
    m->changed_ms = wall_ms(n);
    node_fill_sent(m, &sent);
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
    return seal_and_send(n, m->to, &head, slice_of(m->body, m->body_bytes));
}

/* Everything in flight counts as not sent. */
static void call_back(struct box *b)
{
    for (struct outgoing *m = b->first; m && m != b->next_send; m = m->after) m->in_flight = false;
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
    if (m->retries == 0 || m->tries <= m->retries) return false;
    end_message(n, m, MOTH_EXPIRED, MOTH_ERETRIES);
    return true;
}

static void no_way(struct moth_node *n, struct box *b)
{
    b->retry_us = node_now_us(n) + AWAY_US;
    node_due(n, b->retry_us);
    dial_peer(n, b->to);
}

/* Sends what the window allows, in order of ids. Boxes are found anew each time round, for an end may take one away. */
static void pump(struct moth_node *n, const struct moth_id *to)
{
    struct box *b;
    while ((b = store_box(&n->store, to)) && b->next_send && b->in_flight < n->limits[MOTH_LIMIT_IN_FLIGHT]) {
        struct outgoing *m = b->next_send;
        if (b->to == n->self) return; /* the turn delivers those */
        if (router_hops(n->router, to) == ROUTER_UNREACHABLE) {
            no_way(n, b); /* and no retry */
            return;
        }
        if (retries_are_spent(n, m)) continue;
        if (transmit(n, m) < 0) return; /* a slow link drains and calls again */
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
    call_back(b);
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
    if (b->in_flight > 0) b->backoff_us = b->backoff_us * 2 < SILENCE_MAX_US ? b->backoff_us * 2 : SILENCE_MAX_US;
    struct moth_id to = b->to->id;
    call_back(b);
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
    int rc = seal_and_send(n, to, &head, slice_of(body, bytes));
    free(body);
    return rc;
}

static struct bucket *broadcast_bucket(struct moth_node *n, const struct moth_id *src)
{
    return &n->broadcasts[src->bytes[0] % BROADCAST_SOURCES];
}

static bool may_broadcast(struct moth_node *n, const struct moth_id *src)
{
    return bucket_take(broadcast_bucket(n, src), n->limits[MOTH_LIMIT_BROADCASTS_PER_SECOND], BROADCAST_BURST,
                       node_now_us(n));
}

/* To all links but the source. Returns how many took it. */
static size_t spread(struct moth_node *n, const struct session *from, struct slice body, struct slice tail)
{
    size_t count = 0;
    for (struct link *l = n->links.first; l; l = l->after) {
        struct session *s = session_of(l);
        if (!s || s == from || !s->peer || s->peer->session != s) continue;
        int rc = hand_over(s, NULL, FRAME_BROADCAST, body, tail);
        if (rc < 0) node_discard(n, rc);
        else count++;
    }
    return count;
}

static int emit_to_all(struct moth_node *n, const struct moth_payload *payload, uint64_t id)
{
    uint8_t secret[32];
    size_t bytes;
    if (!may_broadcast(n, &n->identity.id)) return MOTH_ERATE;
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
    return spread(n, NULL, slice_of(out, size), slice_of(NULL, 0)) > 0 ? 0 : MOTH_EUNREACHABLE;
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

/* --- receipts --- */

/* Sends what is owed to one sender, if there is a way; else it waits for one. */
static bool send_receipts(struct moth_node *n, struct receipts *r)
{
    uint8_t data[sizeof r->list / sizeof r->list[0] * RECEIPT_BYTES], plain[ENVELOPE_BODY_OVERHEAD_MAX + sizeof data];
    struct envelope head = {.kind = ENVELOPE_RECEIPT, .ttl_s = TTL_S};
    struct session *s;
    uint8_t *at = data;
    if (next_session(n, &r->to->id, &s) < 0) return false;
    for (unsigned i = 0; i < r->count; i++) at = put_uint(put_uint(at, r->list[i].id, 8), r->list[i].code, 1);
    struct envelope_body body = {.type = slice_text(receipt_type), .sent_ms = wall_ms(n),
                                 .data = slice_of(data, (size_t)(at - data))};
    size_t bytes = envelope_body_encode(0, &body, plain);
    int rc = store_next_id(&n->store, &head.id);
    if (rc == 0) rc = seal_and_send(n, r->to, &head, slice_of(plain, bytes));
    if (rc == 0) r->count = 0;
    return rc == 0;
}

static void owe_receipt(struct moth_node *n, struct peer *to, uint64_t id, int reason)
{
    struct receipts *r = to->receipts;
    if (!r) {
        r = mem_new(sizeof *r);
        r->to = to;
        r->after = n->receipts;
        n->receipts = r;
        to->receipts = r;
    }
    bool full = r->count == sizeof r->list / sizeof r->list[0];
    if (full && !send_receipts(n, r)) {
        node_discard(n, MOTH_EFULL); /* it is repeated when its message comes again */
        return;
    }
    r->list[r->count].id = id;
    r->list[r->count++].code = (uint8_t)-reason;
}

static void send_all_receipts(struct moth_node *n)
{
    for (struct receipts **at = &n->receipts; *at;) {
        struct receipts *r = *at;
        if (!send_receipts(n, r)) {
            at = &r->after;
            continue;
        }
        *at = r->after;
        r->to->receipts = NULL;
        free(r);
    }
}

static void take_receipt(struct moth_node *n, struct peer *from, uint64_t id, int reason)
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

static int take_receipts(struct moth_node *n, struct peer *from, struct slice data)
{
    struct reader r = reader_of(data);
    if (data.bytes == 0 || data.bytes % RECEIPT_BYTES != 0) return MOTH_EMALFORMED;
    while (reader_left(&r) > 0) {
        uint64_t id = read_uint(&r, 8);
        take_receipt(n, from, id, -(int)read_uint(&r, 1));
    }
    struct box *b = store_box(&n->store, &from->id);
    if (!b) return 0;
    b->backoff_us = b->retry_us = 0;
    if (b->in_flight > 0) wait_for_receipt(n, b);
    pump(n, &from->id);
    return 0;
}

/* --- arriving --- */

static void deliver(struct moth_node *n, const struct envelope *e, const struct envelope_body *body, bool broadcast)
{
    char name[PEER_DISPLAY_BYTES], type[ENVELOPE_TYPE_MAX + 1];
    struct peer stranger = {.id = e->src};
    const struct peer *p = peers_find(&n->peers, &e->src);
    peer_display(p ? p : &stranger, name);
    *put_bytes((uint8_t *)type, body->type.data, body->type.bytes) = '\0';
    n->counts.messages_received++;
    struct moth_message message = {
        .from = e->src, .name = name, .id = e->id, .re = body->re, .sent_ms = body->sent_ms,
        .encoding = (enum moth_encoding)body->encoding, .type = type, .data = body->data.data, .bytes = body->data.bytes,
        .hops = e->hops + 1u, .durable = e->kind == ENVELOPE_DATA, .broadcast = broadcast};
    node_emit(n, &(struct moth_event){.kind = MOTH_EVENT_MESSAGE, .peer = e->src, .name = name, .message = &message});
}

static int take_data(struct moth_node *n, struct peer *from, const struct envelope *e, const struct envelope_body *body)
{
    if (e->age_s > e->ttl_s) return MOTH_EEXPIRED; /* its sender ends it too */
    if (body->data.bytes > MOTH_DATA_MAX) {
        owe_receipt(n, from, e->id, MOTH_ETOO_BIG);
        return MOTH_ETOO_BIG;
    }
    int rc = store_delivered_add(&n->store, &n->peers, from, e->id);
    owe_receipt(n, from, e->id, rc == MOTH_ETOO_OLD ? rc : 0);
    if (rc == 0) deliver(n, e, body, false);
    return rc;
}

static int take_light(struct moth_node *n, struct peer *from, const struct envelope *e, const struct envelope_body *body)
{
    int rc = store_light_add(&n->store, from, e->id);
    if (rc == 0) deliver(n, e, body, false);
    return rc;
}

static int take_opened(struct moth_node *n, struct peer *from, const struct envelope *e, const struct envelope_body *body)
{
    switch ((enum envelope_kind)e->kind) {
    case ENVELOPE_DATA: return take_data(n, from, e, body);
    case ENVELOPE_LIGHT: return take_light(n, from, e, body);
    case ENVELOPE_RECEIPT: return take_receipts(n, from, body->data);
    case ENVELOPE_REQUEST:
    case ENVELOPE_REPLY:
    case ENVELOPE_DEPOSIT:
    case ENVELOPE_HANDOVER: return MOTH_EUNKNOWN_KIND; /* this version neither serves nor carries */
    }
    return MOTH_EUNKNOWN_KIND;
}

/* A message for us: opened where it lies. */
static int accept_message(struct moth_node *n, struct span frame, const struct envelope *e)
{
    struct envelope_body body;
    struct aead *key;
    struct peer *from = peers_find(&n->peers, &e->src);
    if (from == n->self) return MOTH_ELOOP;
    if (!from || !from->has_keys) return MOTH_EUNKNOWN_SENDER;
    int rc = keys_from(&n->keys, &e->src, from->x25519_key, e->epk, &key);
    if (rc == 0) rc = envelope_open(e, span_slice(frame), key, frame.data + (e->sealed.data - frame.data), &body);
    return rc < 0 ? rc : take_opened(n, from, e, &body);
}

int mail_on_message(struct session *s, struct span body)
{
    struct moth_node *n = s->node;
    struct envelope e;
    int rc = envelope_view(span_slice(body), false, &e);
    if (rc == MOTH_EMALFORMED) return rc; /* an honest neighbour checks what it passes on: the link ends */
    if (rc == 0 && id_equal(&e.dst, &n->identity.id)) {
        rc = accept_message(n, body, &e);
    } else if (rc == 0) {
        rc = relay(n, s, body, &e);
        if (rc < 0) send_notice(n, &e, rc);
    }
    if (rc < 0) node_discard_from(s, rc);
    return 0;
}

static int accept_broadcast(struct moth_node *n, struct span frame, const struct envelope *e)
{
    uint8_t secret[32];
    struct envelope_body body;
    envelope_broadcast_key(n->network_key, &e->src, secret);
    struct aead *key = aead_new(secret);
    int rc = envelope_open(e, span_slice(frame), key, frame.data + (e->sealed.data - frame.data), &body);
    aead_free(key);
    crypto_wipe(secret, sizeof secret);
    if (rc == 0) deliver(n, e, &body, true);
    return rc;
}

static int take_broadcast(struct session *s, struct span frame, const struct envelope *e)
{
    struct moth_node *n = s->node;
    uint8_t entry[ENVELOPE_PATH_BYTES];
    if (id_equal(&e->src, &n->identity.id) || seen_has(n->seen, &e->src, e->id)) return MOTH_EDUPLICATE;
    int rc = envelope_broadcast_verify(e, span_slice(frame));
    if (rc < 0) return rc;
    seen_add(n->seen, &e->src, e->id);
    if (!may_broadcast(n, &e->src)) return MOTH_ERATE;
    if (e->hop_limit == 0) node_discard(n, MOTH_EHOP_LIMIT);
    if (e->hop_limit > 0 && e->hops < ENVELOPE_HOPS_MAX) {
        size_t tail = envelope_patch(frame, e->age_s, &n->identity.id, entry);
        n->counts.broadcasts_relayed += spread(n, s, span_slice(frame), slice_of(entry, tail));
    }
    return accept_broadcast(n, frame, e);
}

int mail_on_broadcast(struct session *s, struct span frame)
{
    struct envelope e;
    int rc = envelope_view(span_slice(frame), true, &e);
    if (rc == 0) rc = take_broadcast(s, frame, &e);
    if (rc == MOTH_EMALFORMED || rc == MOTH_EFORGED) return rc; /* neighbours check before they pass on */
    if (rc < 0) node_discard_from(s, rc);
    return 0;
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
        if (rc == 0) deliver(n, &e, &body, false);
        free(copy);
    }
    if (store_box(&n->store, &n->identity.id)) node_due(n, node_now_us(n));
}

void mail_turn(struct moth_node *n)
{
    if (n->self->mail > 0) deliver_to_self(n);
    if (n->told_count > 0) tell_all_states(n);
    if (n->receipts) send_all_receipts(n);
    if (buf_bytes(&n->scratch) == 0 && n->scratch.capacity > 65536) buf_fini(&n->scratch);
}

void mail_close(struct moth_node *n)
{
    while (n->receipts) {
        struct receipts *after = n->receipts->after;
        free(n->receipts);
        n->receipts = after;
    }
    buf_fini(&n->scratch);
    free(n->told);
}
