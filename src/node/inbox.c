/* inbox.c -- what arrives for us: opened, checked, told, receipted.
 *
 * A durable message that was here before is not shown again, but receipted again. Receipts owed to one sender are
 * gathered during a turn and leave together; without a way they wait for one, and are dropped with a count when too
 * many wait: they are repeated when their message comes again.
 *
 *   a receipt's data, for each message   0  8  id
 *                                        8  1  code: 0 delivered, else the reason of a refusal
 */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

#define RECEIPT_BYTES 9
#define SENDERS_WAITING_MAX 1024u
#define AGAIN_US 5000000u
#define RECEIPT_TTL_S 604800u

static const char receipt_type[] = "receipt";

/* --- receipts --- */

/* Sends what is owed to one sender, if there is a way; else it waits for one. */
static bool send_receipts(struct moth_node *n, struct receipts *r)
{
    uint8_t data[RECEIPTS_MAX * RECEIPT_BYTES], plain[ENVELOPE_BODY_OVERHEAD_MAX + sizeof data];
    struct envelope head = {.kind = ENVELOPE_RECEIPT, .ttl_s = RECEIPT_TTL_S};
    struct session *s;
    uint8_t *at = data;
    if (route_next(n, &r->to->id, &s) < 0 || s->link->slow) return false; /* before an id is spent */
    for (unsigned i = 0; i < r->count; i++) at = put_uint(put_uint(at, r->list[i].id, 8), r->list[i].code, 1);
    struct envelope_body body = {.type = slice_text(receipt_type), .sent_ms = n->host->wall_ms(n->host->context),
                                 .data = slice_of(data, (size_t)(at - data))};
    size_t bytes = envelope_body_encode(0, &body, plain);
    int rc = store_next_id(&n->store, &head.id);
    if (rc == 0) rc = route_seal(n, r->to, &head, slice_of(plain, bytes));
    if (rc == 0) r->count = 0;
    return rc == 0;
}

static void drop_receipts(struct moth_node *n, struct receipts **at)
{
    struct receipts *r = *at;
    *at = r->after;
    r->to->receipts = NULL;
    r->to->held--;
    n->receipts_waiting--;
    free(r);
}

/* Too many senders are away: the one that has waited longest loses its receipts. */
static void drop_oldest_receipts(struct moth_node *n)
{
    struct receipts **at = &n->receipts;
    while ((*at)->after) at = &(*at)->after;
    node_discard(n, MOTH_EFULL);
    drop_receipts(n, at);
}

static struct receipts *receipts_for(struct moth_node *n, struct peer *to)
{
    if (to->receipts) return to->receipts;
    if (n->receipts_waiting >= SENDERS_WAITING_MAX) drop_oldest_receipts(n);
    struct receipts *r = mem_new(sizeof *r);
    r->to = to;
    r->after = n->receipts;
    n->receipts = r;
    n->receipts_waiting++;
    to->receipts = r;
    to->held++;
    return r;
}

static void owe_receipt(struct moth_node *n, struct peer *to, uint64_t id, int reason)
{
    struct receipts *r = receipts_for(n, to);
    n->receipts_due = true;
    if (r->count == RECEIPTS_MAX && !send_receipts(n, r)) {
        node_discard(n, MOTH_EFULL); /* it is repeated when its message comes again */
        return;
    }
    r->list[r->count].id = id;
    r->list[r->count++].code = (uint8_t)-reason;
}

void inbox_turn(struct moth_node *n)
{
    uint64_t now = node_now_us(n);
    if (!n->receipts || (!n->receipts_due && now < n->receipts_us)) return;
    n->receipts_due = false;
    n->receipts_us = now + AGAIN_US; /* whatever stands in the way now */
    for (struct receipts **at = &n->receipts; *at;) {
        if (send_receipts(n, *at)) drop_receipts(n, at);
        else at = &(*at)->after;
    }
    if (n->receipts) node_due(n, n->receipts_us);
}

/* --- arriving --- */

static int take_receipts(struct moth_node *n, struct peer *from, struct slice data)
{
    struct reader r = reader_of(data);
    if (data.bytes == 0 || data.bytes % RECEIPT_BYTES != 0) return MOTH_EMALFORMED;
    if (data.bytes > RECEIPTS_MAX * RECEIPT_BYTES) return MOTH_ETOO_BIG;
    while (reader_left(&r) > 0) {
        uint64_t id = read_uint(&r, 8);
        mail_take_receipt(n, from, id, -(int)read_uint(&r, 1));
    }
    mail_go_on(n, from);
    return 0;
}

void inbox_deliver(struct moth_node *n, const struct envelope *e, const struct envelope_body *body, bool broadcast)
{
    char name[PEER_DISPLAY_BYTES], type[ENVELOPE_TYPE_MAX + 1];
    struct peer stranger = {.id = e->src};
    const struct peer *p = peers_find(&n->peers, &e->src);
    peer_display(p ? p : &stranger, name);
    *put_bytes((uint8_t *)type, body->type.data, body->type.bytes) = '\0';
    n->counts.messages_received++;
    struct moth_message message = {.from = e->src,
                                   .name = name,
                                   .id = e->id,
                                   .re = body->re,
                                   .sent_ms = body->sent_ms,
                                   .encoding = (enum moth_encoding)body->encoding,
                                   .type = type,
                                   .data = body->data.data,
                                   .bytes = body->data.bytes,
                                   .hops = e->hops + 1u,
                                   .durable = e->kind == ENVELOPE_DATA,
                                   .broadcast = broadcast};
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
    if (rc == 0) inbox_deliver(n, e, body, false);
    return rc;
}

static int take_light(struct moth_node *n, struct peer *from, const struct envelope *e,
                      const struct envelope_body *body)
{
    int rc = store_light_add(&n->store, from, e->id);
    if (rc == 0) inbox_deliver(n, e, body, false);
    return rc;
}

static int take_opened(struct moth_node *n, struct peer *from, const struct envelope *e,
                       const struct envelope_body *body)
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
int inbox_accept(struct moth_node *n, struct span frame, const struct envelope *e)
{
    struct envelope_body body = {0};
    struct aead *key = NULL;
    struct peer *from = peers_find(&n->peers, &e->src);
    if (from == n->self) return MOTH_ELOOP;
    if (!from || !from->has_keys) return MOTH_EUNKNOWN_SENDER;
    int rc = keys_from(&n->keys, &e->src, from->x25519_key, e->epk, &key);
    if (rc == 0) rc = envelope_open(e, span_slice(frame), key, frame.data + (e->sealed.data - frame.data), &body);
    if (rc < 0) return rc;
    keys_proven(&n->keys, &e->src, e->epk);
    return take_opened(n, from, e, &body);
}

int inbox_accept_broadcast(struct moth_node *n, struct span frame, const struct envelope *e)
{
    uint8_t secret[32];
    struct envelope_body body = {0};
    envelope_broadcast_key(n->network_key, &e->src, secret);
    struct aead *key = aead_new(secret);
    int rc = envelope_open(e, span_slice(frame), key, frame.data + (e->sealed.data - frame.data), &body);
    aead_free(key);
    crypto_wipe(secret, sizeof secret);
    if (rc == 0) inbox_deliver(n, e, &body, true);
    return rc;
}

void inbox_close(struct moth_node *n)
{
    while (n->receipts) drop_receipts(n, &n->receipts);
}
