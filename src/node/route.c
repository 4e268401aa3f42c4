/* route.c -- the way out of the house, and what passes through without stopping.
 *
 * route_hand_over is the only way out for messages, own or relayed: it keeps the limits of the next link. A relayed
 * frame is patched where it lies and copied once. What cannot go on is counted by reason, and its sender is told: a
 * hint that may trigger a retry, never an end. Broadcasts go to all links but their source, once, after their signature
 * held.
 *
 *   NOTICE    0  16  dst: the sender of the message, who is told
 *            16   1  hop_limit
 *            17   1  reason
 *            18  16  src: who tells
 *            34   8  id of the message
 */
#include "node/hub.h"

#define NOTICE_BYTES 42
#define BROADCAST_BURST 5u

/* --- the way out --- */

int route_next(const struct moth_node *n, const struct moth_id *to, struct session **out)
{
    const struct moth_id *next = router_next_hop(n->router, to);
    const struct peer *p = next ? peers_find(&n->peers, next) : NULL;
    if (!p || !p->session) return MOTH_EUNREACHABLE;
    *out = p->session;
    return 0;
}

/* Appends a message to the link of `s`, or says why not. `from` NULL: it is our own. */
int route_hand_over(struct session *s, struct session *from, enum frame_kind kind, struct slice body, struct slice tail)
{
    struct moth_node *n = s->node;
    size_t queued = link_queued(s->link);
    if (body.bytes + tail.bytes > FRAME_BODY_MAX) return MOTH_ETOO_BIG; /* its path has grown */
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
    int rc = route_next(n, &e->dst, &s);
    if (rc < 0) return rc;
    if (e->hop_limit == 0 || e->hops >= ENVELOPE_HOPS_MAX) return MOTH_EHOP_LIMIT;
    if (s == from || id_equal(&e->src, &n->identity.id) || envelope_path_has(e, &n->identity.id)) return MOTH_ELOOP;
    if (!hooks_forward(n, e, body.bytes)) return MOTH_EVETOED;
    size_t tail = envelope_patch(body, e->age_s, &n->identity.id, entry);
    rc = route_hand_over(s, from, FRAME_MESSAGE, span_slice(body), slice_of(entry, tail));
    if (rc == 0) n->counts.messages_relayed++;
    return rc;
}

/* --- notices --- */

static void send_notice(struct moth_node *n, const struct envelope *e, int reason)
{
    uint8_t body[NOTICE_BYTES], *at = put_id(body, &e->src);
    struct session *s;
    uint64_t per_second = n->limits[MOTH_LIMIT_NOTICES_PER_SECOND];
    if (e->kind == ENVELOPE_RECEIPT) return;
    if (route_next(n, &e->src, &s) < 0) {
        node_discard(n, MOTH_EUNREACHABLE);
        return;
    }
    if (!bucket_take(&n->notices, per_second, per_second, node_now_us(n))) {
        node_discard(n, MOTH_ERATE);
        return;
    }
    at = put_uint(at, ENVELOPE_HOPS_MAX, 1);
    at = put_uint(at, (uint64_t)-reason, 1);
    put_uint(put_id(at, &n->identity.id), e->id, 8);
    link_send(s->link, FRAME_NOTICE, slice_of(body, sizeof body), slice_of(NULL, 0));
}

int route_on_notice(struct session *from, struct slice body)
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
        mail_hint(n, id);
        return 0;
    }
    int rc = hop_limit == 0 ? MOTH_EHOP_LIMIT : route_next(n, &dst, &s);
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
int route_seal(struct moth_node *n, struct peer *to, struct envelope *head, struct slice plain_body)
{
    struct session *s;
    struct aead *key;
    int rc = route_next(n, &to->id, &s);
    if (rc == 0 && s->link->slow) rc = MOTH_ESLOW; /* before the cost of sealing */
    if (rc == 0 && !to->has_keys) rc = MOTH_EUNREACHABLE;
    if (rc == 0) rc = keys_to(&n->keys, &to->id, to->facts->x25519_key, head->epk, &key);
    if (rc < 0) return rc;
    head->hop_limit = hop_limit_to(n, &to->id);
    head->src = n->identity.id;
    head->dst = to->id;
    uint8_t *out = buf_reserve(&n->scratch, ENVELOPE_HEAD_BYTES + plain_body.bytes + CRYPTO_TAG_BYTES);
    size_t bytes = envelope_seal(head, plain_body, key, out);
    return route_hand_over(s, NULL, FRAME_MESSAGE, slice_of(out, bytes), slice_of(NULL, 0));
}

/* --- messages and broadcasts that come in --- */

int route_on_message(struct session *s, struct span body)
{
    struct moth_node *n = s->node;
    struct envelope e;
    int rc = envelope_view(span_slice(body), false, &e);
    if (rc == MOTH_EMALFORMED) return rc; /* an honest neighbour checks what it passes on: the link ends */
    if (rc == 0 && id_equal(&e.dst, &n->identity.id)) {
        rc = inbox_accept(n, body, &e);
    } else if (rc == 0) {
        rc = relay(n, s, body, &e);
        if (rc < 0) send_notice(n, &e, rc);
    }
    if (rc < 0) node_discard_from(s, rc);
    return 0;
}

static struct bucket *broadcast_bucket(struct moth_node *n, const struct moth_id *src)
{
    struct peer *p = peers_find(&n->peers, src);
    return p ? &peer_deal(p)->broadcasts : &n->strange_broadcasts;
}

bool route_may_broadcast(struct moth_node *n, const struct moth_id *src)
{
    return bucket_take(broadcast_bucket(n, src), n->limits[MOTH_LIMIT_BROADCASTS_PER_SECOND], BROADCAST_BURST,
                       node_now_us(n));
}

/* To all links but the source. Returns how many took it. */
size_t route_spread(struct moth_node *n, const struct session *from, struct slice body, struct slice tail)
{
    size_t count = 0;
    for (struct link *l = n->links.first; l; l = l->after) {
        struct session *s = session_of(l);
        if (!s || s == from || !s->peer || s->peer->session != s) continue;
        int rc = route_hand_over(s, NULL, FRAME_BROADCAST, body, tail);
        if (rc < 0) node_discard(n, rc);
        else count++;
    }
    return count;
}

static int take_broadcast(struct session *s, struct span frame, const struct envelope *e)
{
    struct moth_node *n = s->node;
    uint8_t entry[ENVELOPE_PATH_BYTES];
    if (id_equal(&e->src, &n->identity.id) || seen_has(n->seen, &e->src, e->id)) return MOTH_EDUPLICATE;
    int rc = envelope_broadcast_verify(e, span_slice(frame));
    if (rc < 0) return rc;
    seen_add(n->seen, &e->src, e->id);
    if (!route_may_broadcast(n, &e->src)) return MOTH_ERATE;
    if (e->hop_limit == 0) node_discard(n, MOTH_EHOP_LIMIT);
    if (e->hop_limit > 0 && e->hops < ENVELOPE_HOPS_MAX) {
        size_t tail = envelope_patch(frame, e->age_s, &n->identity.id, entry);
        n->counts.broadcasts_relayed += route_spread(n, s, span_slice(frame), slice_of(entry, tail));
    }
    return inbox_accept_broadcast(n, frame, e);
}

int route_on_broadcast(struct session *s, struct span frame)
{
    struct envelope e;
    int rc = envelope_view(span_slice(frame), true, &e);
    if (rc == 0) rc = take_broadcast(s, frame, &e);
    if (rc == MOTH_EMALFORMED || rc == MOTH_EFORGED) return rc; /* neighbours check before they pass on */
    if (rc < 0) node_discard_from(s, rc);
    return 0;
}
