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
    else if (p->address_count > 0) address_format(&p->addresses[0].address, out);
}

static void fill_peer(const struct moth_node *n, const struct peer *p, struct moth_peer *out)
{
    const struct moth_id *next = router_next_hop(n->router, &p->id);
    *out = (struct moth_peer){.id = p->id, .linked = p->session != NULL, .reachable = next != NULL, .rtt_us = -1};
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

void node_fill_sent(const struct outgoing *m, struct moth_sent *out)
{
    *out = (struct moth_sent){.id = m->id, .to = m->to->id, .state = m->state, .reason = m->reason,
                              .changed_ms = m->changed_ms, .tries = m->tries, .bytes = m->data_bytes};
    peer_display(m->to, out->name);
}

int moth_message_get(const struct moth_node *n, uint64_t id, struct moth_sent *out)
{
    const struct outgoing *m = store_find(&n->store, id);
    if (m) {
        node_fill_sent(m, out);
        return 0;
    }
    if (!store_ended(&n->store, id, out)) return MOTH_ENOT_FOUND;
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
    for (const struct box *b = n->store.boxes; b; b = b->after)
        for (const struct outgoing *m = b->first; m; m = m->after, count++)
            if (count < capacity) node_fill_sent(m, &out[count]);
    if (capacity > 0) qsort(out, count < capacity ? count : capacity, sizeof *out, compare_sent);
    return count;
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
    out->handshakes = n->links.handshakes;
    out->peers = n->peers.by_id.count - 1;
    out->reachable = router_routes(n->router, NULL, 0);
    out->mail = n->store.mail_count;
    out->mail_bytes = n->store.mail_bytes;
    memcpy(out->limits, n->limits, sizeof out->limits);
    count_links(n, out);
}
