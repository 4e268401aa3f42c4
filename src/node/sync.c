/* sync.c -- what each neighbour still has to be told of the table of adverts, and whether its table equals ours.
 *
 * On each link the adverts still to be sent are a set of bits, one for each origin: a burst of changes by one origin
 * costs one advert there, and no queue grows past the number of nodes. What was lost all the same is found by
 * comparing: digests at the start of a link, and a hash of the table in every ping.
 *
 *   NETWORK_DIGEST   0   1  flags: 1 an answer, no digest is wanted back
 *                    1  32  origin 16, seq 8, boot 8, for each advert
 */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

#define MISMATCH_US 5000000u
#define MISMATCH_APART_US 500000u
#define DIGEST_PAUSE_US 2000000u
#define DIGEST_ENTRY_BYTES 32u
#define DIGEST_ENTRIES_MAX 16384u
#define DIGESTS_PER_SECOND 1u
#define DIGESTS_BURST 8u
#define GROUPS_PER_SECOND 20u
#define CONTROL_ROOM (256u << 10)

/* --- what is still to be sent on a link --- */

static bool has_bit(const struct session *s, unsigned slot)
{
    return s->pending && (s->pending[slot / 8] >> slot % 8 & 1);
}

void sync_set_pending(struct session *s, const struct origin *o)
{
    if (!s->pending) s->pending = mem_new((s->node->topology.slot_max + 7) / 8);
    if (has_bit(s, o->slot)) return;
    s->pending[o->slot / 8] |= (uint8_t)(1u << o->slot % 8);
    s->pending_count++;
}

void sync_clear_pending(struct session *s, unsigned slot)
{
    if (!has_bit(s, slot)) return;
    s->pending[slot / 8] &= (uint8_t) ~(1u << slot % 8);
    if (--s->pending_count > 0) return;
    free(s->pending);
    s->pending = NULL;
}

void sync_flood(struct moth_node *n, const struct origin *o, const struct session *except)
{
    for (struct link *l = n->links.first; l; l = l->after) {
        struct session *s = session_of(l);
        if (!s || !s->peer) continue;
        if (s == except) sync_clear_pending(s, o->slot); /* an older one was still to be sent there */
        else if (!s->retired && s->peer != o->peer) sync_set_pending(s, o);
    }
}

static void send_advert(struct session *s, const struct origin *o)
{
    uint8_t age[4];
    put_uint(age, o->age_s + (node_now_us(s->node) - o->taken_us) / 1000000, 4);
    link_send(s->link, FRAME_NETWORK_UPDATE, slice_of(age, sizeof age), pooled_slice(o->advert));
    s->node->counts.adverts_out++;
}

/* Over the rate, one at a time would wake both ends for each: those of a twentieth of a second leave together. */
static uint64_t group_ready_us(const struct session *s, uint64_t per_second)
{
    uint64_t group = per_second / GROUPS_PER_SECOND;
    if (group > s->pending_count) group = s->pending_count;
    if (group == 0) group = 1;
    return bucket_ready_us(&s->adverts_out, per_second, per_second - group + 1);
}

static void send_pending(struct session *s, uint64_t now_us)
{
    struct topology *t = &s->node->topology;
    uint64_t per_second = s->node->limits[MOTH_LIMIT_ADVERTS_PER_SECOND];
    if (s->pending_count > 0 && s->adverts_us > now_us) {
        node_due(s->node, s->adverts_us);
        return;
    }
    while (s->pending_count > 0 && link_control_queued(s->link) < CONTROL_ROOM) {
        while (!has_bit(s, s->pending_at % t->slot_count)) s->pending_at++;
        unsigned slot = s->pending_at % t->slot_count;
        if (!bucket_take(&s->adverts_out, per_second, per_second, now_us)) {
            s->adverts_us = group_ready_us(s, per_second);
            node_due(s->node, s->adverts_us);
            return;
        }
        send_advert(s, t->slots[slot]);
        sync_clear_pending(s, slot);
    }
    if (link_control_queued(s->link) > s->node->counts.control_bytes_most)
        s->node->counts.control_bytes_most = link_control_queued(s->link);
    if (s->pending_count > 0 || !s->ping_after_pending) return;
    s->ping_after_pending = false;
    session_ping(s);
}

void sync_turn(struct moth_node *n, uint64_t now_us)
{
    for (struct link *l = n->links.first; l; l = l->after) {
        struct session *s = session_of(l);
        if (s && s->peer && !l->closing && (s->pending_count > 0 || s->ping_after_pending)) send_pending(s, now_us);
    }
}

void sync_gone(struct session *s)
{
    free(s->pending);
    s->pending = NULL;
    s->pending_count = 0;
}

/* --- digests --- */

static void send_digest(struct session *s, bool answer)
{
    const struct topology *t = &s->node->topology;
    uint8_t *body = mem_new(1 + (size_t)t->slot_count * DIGEST_ENTRY_BYTES), *at = put_uint(body, answer, 1);
    for (unsigned i = 0; i < t->slot_count; i++) {
        const struct origin *o = t->slots[i];
        if (o && o->routed) at = put_uint(put_uint(put_id(at, &o->peer->id), o->version.seq, 8), o->version.boot, 8);
    }
    link_send(s->link, FRAME_NETWORK_DIGEST, slice_of(body, (size_t)(at - body)), slice_of(NULL, 0));
    free(body);
}

void sync_ready(struct session *s)
{
    const struct origin *own = topology_find(s->node, &s->node->identity.id);
    if (own) send_advert(s, own);
    send_digest(s, true); /* both ends send one now: none is wanted back */
}

/* Notes what the other end has, by slot; true when it has something newer than we do. */
static bool read_digest(const struct moth_node *n, struct reader r, struct version *told)
{
    bool lacking = false;
    while (reader_left(&r) > 0) {
        struct moth_id id;
        read_id(&r, &id);
        uint64_t seq = read_uint(&r, 8);
        struct version v = {seq, read_uint(&r, 8)};
        const struct origin *o = topology_find(n, &id);
        if (o) told[o->slot] = v;
        if (!o || version_is_newer(v, o->version)) lacking = true;
    }
    return lacking;
}

/* What we have and they lack is to be sent; what they have, not any more. */
static void compare_tables(struct session *s, const struct version *told)
{
    const struct topology *t = &s->node->topology;
    for (unsigned i = 0; i < t->slot_count; i++) {
        const struct origin *o = t->slots[i];
        if (!o) continue;
        if (!version_is_newer(o->version, told[i])) sync_clear_pending(s, i);
        /* an expired one only to somebody who has an older */
        else if (o->routed || told[i].seq != 0) sync_set_pending(s, o);
    }
}

int sync_on_digest(struct session *s, struct slice body)
{
    struct moth_node *n = s->node;
    struct reader r = reader_of(body);
    uint64_t flags = read_uint(&r, 1);
    size_t left = reader_left(&r);
    if (r.failed || left % DIGEST_ENTRY_BYTES != 0 || flags > 1) return MOTH_EMALFORMED;
    if (left / DIGEST_ENTRY_BYTES > DIGEST_ENTRIES_MAX) return MOTH_ETOO_BIG;
    if (!bucket_take(&s->digests_in, DIGESTS_PER_SECOND, DIGESTS_BURST, node_now_us(n))) {
        node_discard_from(s, MOTH_ERATE);
        return 0;
    }
    struct version *told = mem_array(n->topology.slot_count, sizeof *told);
    bool lacking = read_digest(n, r, told);
    compare_tables(s, told);
    free(told);
    if (flags == 0 && lacking) send_digest(s, true);
    s->ping_after_pending = true;
    return 0;
}

void sync_compare(struct session *s, uint64_t their_hash)
{
    uint64_t now = node_now_us(s->node);
    if (their_hash == s->node->topology.table_hash) {
        s->synced = true;
        s->mismatch_us = 0;
        return;
    }
    if (s->pending_count > 0) return;
    if (s->mismatch_us == 0 || now - s->mismatch_us > MISMATCH_US) {
        s->mismatch_us = now;
        return;
    }
    if (now - s->mismatch_us < MISMATCH_APART_US || (s->digest_us != 0 && now - s->digest_us < DIGEST_PAUSE_US)) return;
    s->digest_us = now;
    s->mismatch_us = 0;
    send_digest(s, false);
}
