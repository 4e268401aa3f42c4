/* changes.c -- when the routes are brought up to date, and who hears what became different.
 *
 * A search costs in proportion to the map, and while a large one is being learned every turn brings news. So a search
 * for others' sake holds off the next one, the longer the faster they follow each other. After a calm, the first is at
 * once; so is always that for a link of our own. */
#include "node/hub.h"

#include <stdlib.h>

#define HOLD_US_PER_NODE 250u
#define HOLD_US_MAX 250000u
#define HOLD_STEPS 16u

static void tell_route(struct moth_node *n, const struct route *r)
{
    char name[PEER_DISPLAY_BYTES];
    struct peer *p = peers_get(&n->peers, &r->id, false);
    bool up = r->hops != ROUTER_UNREACHABLE;
    if (!p) return;
    bool was = p->reachable;
    struct moth_event event = {.peer = r->id, .name = name, .via = r->next, .old = r->old, .hops = up ? r->hops : 0};
    p->reachable = up;
    peer_display(p, name);
    if (up != was) {
        event.kind = up ? MOTH_EVENT_PEER_UP : MOTH_EVENT_PEER_DOWN;
        node_emit(n, &event);
    }
    event.kind = MOTH_EVENT_ROUTE;
    node_emit(n, &event);
    mail_route_changed(n, &r->id); /* gone, too: it may be dialled */
    n->receipts_due = true;
}

/* Notes how long the next one is held off, too. */
static bool may_search(struct moth_node *n, uint64_t now_us)
{
    uint64_t most = HOLD_US_PER_NODE * (uint64_t)router_count(n->router);
    if (most > HOLD_US_MAX) most = HOLD_US_MAX;
    if (!n->links_changed && now_us < n->routes_us) {
        node_due(n, n->routes_us);
        return false;
    }
    uint64_t calm_us = now_us > n->routes_us ? now_us - n->routes_us : 0;
    n->routes_hold_us = calm_us > n->routes_hold_us ? most / HOLD_STEPS : 2 * n->routes_hold_us;
    if (n->routes_hold_us > most) n->routes_hold_us = most;
    n->routes_us = now_us + n->routes_hold_us;
    return true;
}

void changes_turn(struct moth_node *n)
{
    size_t count;
    if (!n->map_changed || !may_search(n, node_now_us(n))) return;
    n->map_changed = n->links_changed = false;
    if (!router_recompute(n->router)) return;
    n->counts.recomputes++;
    struct route *changes = router_take_changes(n->router, &count);
    for (size_t i = 0; i < count; i++) tell_route(n, &changes[i]);
    free(changes);
}
