/* receipts.c -- receipts owed to senders.
 *
 * A receipt is owed only after the commit it speaks of. Those owed to one sender are gathered during a turn and leave
 * together. Without a way, those for messages are deposited with carriers (those for deposits and hand-overs are not:
 * whoever waits for them asks again); what stays waits for a way, and is dropped with a count when too many wait: a
 * receipt is repeated when its message comes again.
 *
 *   a receipt's data, for each message   0  8  id
 *                                        8  1  code: 0 delivered, else the reason of a refusal
 */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

#define SENDERS_WAITING_MAX 1024u
#define AGAIN_US 5000000u
#define RECEIPT_TTL_S 604800u

static const char receipt_type[] = "receipt";

/* The plain body with those that `only_messages` admits. Returns its size, 0: there are none. */
static size_t encode(const struct moth_node *n, const struct receipts *r, bool only_messages, uint8_t *out)
{
    uint8_t data[RECEIPTS_MAX * RECEIPT_BYTES], *at = data;
    for (unsigned i = 0; i < r->count; i++)
        if (r->list[i].is_message || !only_messages)
            at = put_uint(put_uint(at, r->list[i].id, 8), r->list[i].code, 1);
    struct envelope_body body = {.type = slice_text(receipt_type), .sent_ms = node_wall_ms(n),
                                 .data = slice_of(data, (size_t)(at - data))};
    return at == data ? 0 : envelope_body_encode(0, &body, out);
}

/* Sends what is owed to one sender, if there is a way; else it waits for one. */
static bool send_receipts(struct moth_node *n, struct receipts *r)
{
    uint8_t plain[ENVELOPE_BODY_OVERHEAD_MAX + RECEIPTS_MAX * RECEIPT_BYTES];
    struct envelope head = {.kind = ENVELOPE_RECEIPT, .ttl_s = RECEIPT_TTL_S};
    struct session *s;
    if (route_next(n, &r->to->id, &s) < 0 || s->link->slow) return false; /* before an id is spent */
    size_t bytes = encode(n, r, false, plain);
    int rc = reserve_next_id(&n->reserve, &head.id);
    if (rc == 0) rc = route_seal(n, r->to, &head, slice_of(plain, bytes));
    if (rc == 0) r->count = 0;
    return rc == 0;
}

static void forget_messages(struct receipts *r)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < r->count; i++)
        if (!r->list[i].is_message) r->list[kept++] = r->list[i];
    r->count = kept;
}

/* No way to them: what speaks of messages is left with carriers. */
static bool deposit_receipts(struct moth_node *n, struct receipts *r)
{
    uint8_t plain[ENVELOPE_BODY_OVERHEAD_MAX + RECEIPTS_MAX * RECEIPT_BYTES];
    if (router_hops(n->router, &r->to->id) != ROUTER_UNREACHABLE) return false;
    size_t bytes = encode(n, r, true, plain);
    if (bytes == 0 || !carry_receipts(n, r->to, slice_of(plain, bytes), RECEIPT_TTL_S)) return false;
    forget_messages(r);
    return r->count == 0;
}

static void drop_receipts(struct moth_node *n, struct receipts **at)
{
    struct receipts *r = *at;
    *at = r->after;
    r->to->dealings->receipts = NULL;
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
    struct dealings *d = peer_deal(to);
    if (d->receipts) return d->receipts;
    if (n->receipts_waiting >= SENDERS_WAITING_MAX) drop_oldest_receipts(n);
    struct receipts *r = mem_new(sizeof *r);
    r->to = to;
    r->after = n->receipts;
    n->receipts = r;
    n->receipts_waiting++;
    d->receipts = r;
    to->held++;
    return r;
}

void receipts_owe(struct moth_node *n, struct peer *to, uint64_t id, int reason, bool is_message)
{
    struct receipts *r = receipts_for(n, to);
    n->receipts_due = true;
    node_due(n, node_now_us(n));
    for (unsigned i = 0; i < r->count; i++)
        if (r->list[i].id == id) return;
    if (r->count == RECEIPTS_MAX && !send_receipts(n, r)) {
        node_discard(n, MOTH_EFULL); /* it is repeated when its message comes again */
        return;
    }
    r->list[r->count].id = id;
    r->list[r->count].is_message = is_message;
    r->list[r->count++].code = (uint8_t)-reason;
}

static void on_committed(void *owner, const struct store_write *w)
{
    struct moth_node *n = owner;
    struct moth_id id;
    memcpy(id.bytes, w->blobs[0].data, MOTH_ID_BYTES);
    struct peer *to = peers_find(&n->peers, &id);
    if (to) receipts_owe(n, to, (uint64_t)w->numbers[0], 0, false);
}

void receipts_owe_after_commit(struct moth_node *n, const struct peer *to, uint64_t id)
{
    int64_t number = (int64_t)id;
    struct slice who = slice_of(to->id.bytes, MOTH_ID_BYTES);
    struct store_write *w = store_write_new(STORE_MARK, &number, 1, &who, 1);
    w->done = on_committed;
    store_write(&n->store, w);
}

void receipts_turn(struct moth_node *n)
{
    uint64_t now = node_now_us(n);
    if (!n->receipts || (!n->receipts_due && now < n->receipts_us)) return;
    n->receipts_due = false;
    n->receipts_us = now + AGAIN_US; /* whatever stands in the way now */
    for (struct receipts **at = &n->receipts; *at;) {
        if (send_receipts(n, *at) || deposit_receipts(n, *at)) drop_receipts(n, at);
        else at = &(*at)->after;
    }
    if (n->receipts) node_due(n, n->receipts_us);
}

void receipts_close(struct moth_node *n)
{
    while (n->receipts) drop_receipts(n, &n->receipts);
}

/* --- receipts that come --- */

int receipts_take(struct moth_node *n, struct peer *from, struct slice data)
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
