/* query.c -- what can be asked of a node: peers, paths, mail, figures. Nothing here changes anything. */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

int moth_resolve(const struct moth_node *n, const char *text, struct moth_id *out)
{
    struct peer *p;
    int rc = peers_resolve(&n->peers, text, &p);
    if (rc == 0) *out = p->id;
    return rc;
}

static void fill_address(const struct peer *p, char out[MOTH_ADDRESS_TEXT_BYTES])
{
    out[0] = '\0';
    if (p->session) memcpy(out, p->session->address, MOTH_ADDRESS_TEXT_BYTES);
    else if (p->facts->address_count > 0) address_format(&p->facts->addresses[0].address, out);
}

static void fill_peer(const struct moth_node *n, const struct peer *p, struct moth_peer *out)
{
    const struct moth_id *next = router_next_hop(n->router, &p->id);
    *out = (struct moth_peer){.id = p->id, .linked = p->session != NULL, .reachable = next != NULL, .rtt_us = -1,
                              .is_aliased = p->facts->alias[0] != '\0', .is_blocked = p->blocked};
    memcpy(out->claimed, p->facts->claimed, sizeof out->claimed);
    peer_display(p, out->name);
    fill_address(p, out->address);
    if (p->session) {
        out->inbound = p->session->link->inbound;
        out->rtt_us = p->session->rtt_us;
    }
    if (!next) return;
    out->via = *next;
    out->hops = router_hops(n->router, &p->id);
}

size_t moth_peers(const struct moth_node *n, struct moth_peer *out, size_t capacity)
{
    size_t known, count = 0;
    struct peer **list = peers_sorted(&n->peers, &known);
    for (size_t i = 0; i < known; i++) {
        if (list[i] == n->self) continue;
        if (count < capacity) fill_peer(n, list[i], &out[count]);
        count++;
    }
    free(list);
    return count;
}

int moth_peer_get(const struct moth_node *n, const struct moth_id *id, struct moth_peer *out)
{
    const struct peer *p = peers_find(&n->peers, id);
    if (!p) return MOTH_EUNKNOWN_PEER;
    fill_peer(n, p, out);
    return 0;
}

size_t moth_path(const struct moth_node *n, const struct moth_id *to, struct moth_id *out, size_t capacity)
{
    return router_path(n->router, to, out, capacity);
}

size_t moth_edges(const struct moth_node *n, struct moth_edge *out, size_t capacity)
{
    size_t count = router_edges(n->router, NULL, 0);
    struct router_edge *edges = mem_array(count, sizeof *edges);
    router_edges(n->router, edges, count);
    for (size_t i = 0; i < count && i < capacity; i++) out[i] = (struct moth_edge){edges[i].a, edges[i].b};
    free(edges);
    return count;
}

bool moth_is_synced(const struct moth_node *n, const struct moth_id *id)
{
    const struct peer *p = peers_find(&n->peers, id);
    return p && p->session && p->session->synced && !n->map_changed;
}

/* --- mail --- */

const char *moth_state_name(enum moth_state state)
{
    static const char *const names[] = {"pending", "queued", "sent", "carried", "delivered",
                                        "expired", "refused", "cancelled", "lost"};
    return (unsigned)state < sizeof names / sizeof names[0] ? names[state] : "unknown";
}

static void fill_carrier(const struct moth_node *n, const struct outgoing *m, struct moth_sent *out)
{
    for (unsigned i = m->carrier_count; i-- > 0;) {
        if (m->carriers[i].reason < 0) out->refusal = m->carriers[i].reason;
        if (m->carriers[i].custody != CUSTODY_TAKEN) continue;
        const struct peer *p = peers_find(&n->peers, &m->carriers[i].id);
        out->by = m->carriers[i].id;
        out->carriers++;
        if (p) peer_display(p, out->by_name);
    }
}

void node_fill_sent(const struct moth_node *n, const struct outgoing *m, struct moth_sent *out)
{
    *out = (struct moth_sent){.id = m->id, .to = m->to->id, .state = m->state, .reason = m->reason,
                              .changed_ms = m->changed_ms, .accepted_ms = m->sent_ms, .tries = m->tries,
                              .bytes = m->data_bytes};
    peer_display(m->to, out->name);
    fill_carrier(n, m, out);
    bool waits = m->state <= MOTH_CARRIED && m->to != n->self;
    if (waits && router_hops(n->router, &m->to->id) == ROUTER_UNREACHABLE) out->reason = MOTH_EUNREACHABLE;
}

/* What was ended long ago is on the disk only. */
int moth_message_get(const struct moth_node *n, uint64_t id, struct moth_sent *out)
{
    const struct outgoing *m = boxes_find(&n->boxes, id);
    if (m && m->kind == ENVELOPE_DATA) {
        node_fill_sent(n, m, out);
        return 0;
    }
    int rc = boxes_ended(&n->boxes, id, out) ? 0 : store_ended(&n->store, id, out);
    if (rc < 0) return MOTH_ENOT_FOUND;
    const struct peer *p = peers_find(&n->peers, &out->to);
    if (p) peer_display(p, out->name);
    return 0;
}

static int compare_sent(const void *a, const void *b)
{
    uint64_t p = ((const struct moth_sent *)a)->id, q = ((const struct moth_sent *)b)->id;
    return p < q ? -1 : p > q;
}

size_t moth_mail_list(const struct moth_node *n, struct moth_sent *out, size_t capacity)
{
    size_t count = 0;
    for (const struct box *b = n->boxes.first; b; b = b->after)
        for (const struct outgoing *m = b->first; m; m = m->after) {
            if (m->kind != ENVELOPE_DATA || m->light) continue;
            if (count < capacity) node_fill_sent(n, m, &out[count]);
            count++;
        }
    if (capacity > 0) qsort(out, count < capacity ? count : capacity, sizeof *out, compare_sent);
    return count;
}

/* --- history --- */

struct history {
    const struct moth_node *node;
    size_t left;
    void (*each)(void *context, const struct moth_entry *entry);
    void *context;
    uint64_t newest_id; /* those from here on were given already */
};

static bool give(struct history *h, const struct stored_text *t)
{
    char name[PEER_DISPLAY_BYTES], type[ENVELOPE_TYPE_MAX + 1];
    struct envelope_body body;
    if (envelope_body_decode((uint8_t)t->flags, t->body, &body) < 0) return true;
    peers_display(&h->node->peers, &t->peer, name);
    *put_bytes((uint8_t *)type, body.type.data, body.type.bytes) = '\0';
    h->each(h->context, &(struct moth_entry){.is_ours = t->is_ours, .peer = t->peer, .name = name, .id = t->id,
                                             .re = body.re, .time_ms = t->time_ms,
                                             .encoding = (enum moth_encoding)body.encoding, .type = type,
                                             .data = body.data.data, .bytes = body.data.bytes,
                                             .state = t->is_ours ? (enum moth_state)t->state : MOTH_DELIVERED,
                                             .reason = t->is_ours ? t->reason : 0,
                                             .is_set_aside = !t->is_ours && t->state == ARRIVAL_SET_ASIDE});
    return --h->left > 0;
}

static struct stored_text text_of(const struct outgoing *m)
{
    return (struct stored_text){.is_ours = true, .peer = m->to->id, .id = m->id, .time_ms = m->sent_ms,
                                .flags = m->flags, .state = m->state, .reason = m->reason,
                                .body = slice_of(m->body, m->body_bytes)};
}

static bool give_stored(void *context, const struct stored_text *t)
{
    struct history *h = context;
    struct moth_sent now;
    struct stored_text copy = *t;
    if (!t->is_ours) return give(h, t);
    if (t->id >= h->newest_id) return true;
    const struct outgoing *m = boxes_find(&h->node->boxes, t->id);
    if (m) node_fill_sent(h->node, m, &now);
    if (m || boxes_ended(&h->node->boxes, t->id, &now)) { /* newer than the disk knows */
        copy.state = now.state;
        copy.reason = now.reason;
    }
    return give(h, &copy);
}

static int compare_newest(const void *a, const void *b)
{
    uint64_t p = (*(struct outgoing *const *)a)->id, q = (*(struct outgoing *const *)b)->id;
    return p < q ? 1 : p > q ? -1 : 0;
}

/* Messages that are in no database yet; `peer` NULL: to anybody. Writes up to `capacity` to `out`, returns how many
 * there are. */
static size_t list_uncommitted(const struct boxes *all, const struct moth_id *peer, const struct outgoing **out,
                               size_t capacity)
{
    size_t count = 0;
    for (const struct outgoing *m = all->unwritten; m; m = m->after) {
        if (peer && !id_equal(&m->to->id, peer)) continue;
        if (count < capacity) out[count] = m;
        count++;
    }
    for (const struct box *b = all->first; b; b = b->after)
        for (const struct outgoing *m = b->last; m && !m->committed; m = m->before) {
            if (m->kind != ENVELOPE_DATA || m->light || (peer && !id_equal(&b->to->id, peer))) continue;
            if (count < capacity) out[count] = m;
            count++;
        }
    return count;
}

/* What is not committed yet is newer than all that is. False: no more is asked for. */
static bool give_uncommitted(struct history *h, const struct moth_id *peer)
{
    bool more = true;
    size_t count = list_uncommitted(&h->node->boxes, peer, NULL, 0);
    const struct outgoing **list = mem_array(count, sizeof *list);
    list_uncommitted(&h->node->boxes, peer, list, count);
    qsort(list, count, sizeof *list, compare_newest);
    for (size_t i = 0; more && i < count; i++) {
        struct stored_text t = text_of(list[i]);
        h->newest_id = list[i]->id;
        more = give(h, &t);
    }
    free(list);
    return more;
}

int moth_history(const struct moth_node *n, const struct moth_id *peer, size_t count,
                 void (*each)(void *context, const struct moth_entry *entry), void *context)
{
    struct history h = {.node = n, .left = count, .each = each, .context = context, .newest_id = UINT64_MAX};
    const struct peer *p = peer ? peers_find(&n->peers, peer) : NULL;
    int64_t row = p ? p->row : 0;
    if (count == 0) return 0;
    if (peer && row == 0) {
        int rc = store_peer_row(&n->store, peer, &row);
        if (rc < 0) return rc == MOTH_ENOT_FOUND ? 0 : rc;
    }
    if (!give_uncommitted(&h, peer)) return 0;
    return store_history(&n->store, row, give_stored, &h);
}

/* --- figures --- */

static void count_links(const struct moth_node *n, struct moth_status *out)
{
    for (const struct link *l = n->links.first; l; l = l->after) {
        if (l->state == LINK_OPEN) out->links++;
        else out->handshaking++;
        out->queued_bytes += link_queued(l) + link_control_queued(l);
    }
}

void moth_status(const struct moth_node *n, struct moth_status *out)
{
    *out = n->counts;
    out->uptime_ms = (node_now_us(n) - n->started_us) / 1000;
    out->frames_in = n->links.frames_in;
    out->frames_out = n->links.frames_out;
    out->bytes_in = n->links.bytes_in;
    out->bytes_out = n->links.bytes_out;
    out->message_bytes_out = n->links.message_bytes_out;
    out->handshakes = n->links.handshakes;
    out->peers = peers_count(&n->peers) - 1;
    out->reachable = router_routes(n->router, NULL, 0);
    out->mail = n->boxes.mail_count;
    out->mail_bytes = n->boxes.mail_bytes;
    out->carried = n->boxes.carried_count;
    out->carried_bytes = n->boxes.carried_bytes;
    out->inbox = n->arrived_count;
    out->inbox_bytes = n->arrived_bytes;
    out->set_aside = n->set_aside;
    out->history_bytes = (uint64_t)(n->store.inbox_history + n->store.sent_history);
    out->script_data_bytes = n->data.bytes;
    out->jobs = jobs_count(n);
    out->writes_waiting = n->store.waiting;
    out->store_reason = n->store.reason;
    out->commits = n->store.commits;
    out->commit_operations = n->store.operations;
    memcpy(out->limits, n->limits, sizeof out->limits);
    count_links(n, out);
}
