/* topology.c -- adverts of others: how every node comes to know the whole map.
 *
 * Each origin signs its own list of neighbours and numbers it; newer replaces older. A number is compared before a
 * signature is checked, and a signature checked before anything is charged, stored or passed on. How adverts reach the
 * neighbours is sync.c's business; the one we sign ourselves is own.c's.
 *
 *   NETWORK_UPDATE   0  4  age_s (not signed)
 *                    4  n  the advert
 */
#include "node/hub.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#define KEPT_US 86400000000u /* after expiry */
#define NODES_PER_ADVERT 4u  /* the map holds so many ids for each advert that the table may hold */

static const uint64_t never = UINT64_MAX;

struct origin *topology_find(const struct moth_node *n, const struct moth_id *id)
{
    const struct peer *p = peers_find(&n->peers, id);
    return p ? p->origin : NULL;
}

/* --- the table --- */

static uint64_t hash_of(const struct origin *o)
{
    return reading_hash(o->advert, &o->peer->id, o->version);
}

static void forget_deferred(struct origin *o)
{
    if (o->deferred) pool_drop(o->deferred->advert);
    free(o->deferred);
    o->deferred = NULL;
}

static void unroute(struct moth_node *n, struct origin *o)
{
    if (!o->routed) return;
    o->routed = false;
    n->topology.table_hash ^= hash_of(o);
    if (o->peer == n->self) return; /* what our links are we know first-hand */
    router_remove(n->router, &o->peer->id);
    n->map_changed = true;
}

static void drop_origin(struct moth_node *n, struct origin *o)
{
    struct topology *t = &n->topology;
    for (struct link *l = n->links.first; l; l = l->after)
        if (session_of(l)) sync_clear_pending(session_of(l), o->slot);
    unroute(n, o);
    o->peer->held--;
    o->peer->origin = NULL;
    t->slots[o->slot] = NULL;
    t->count--;
    pool_drop(o->advert);
    forget_deferred(o);
    free(o);
}

/* Somebody whose advert helps nobody now: expired, else unreachable. */
static struct origin *find_useless(const struct moth_node *n)
{
    struct origin *unreachable = NULL;
    for (unsigned i = 0; i < n->topology.slot_count; i++) {
        struct origin *o = n->topology.slots[i];
        if (!o || o->peer == n->self) continue;
        if (!o->routed) return o;
        if (!unreachable && router_hops(n->router, &o->peer->id) == ROUTER_UNREACHABLE) unreachable = o;
    }
    return unreachable;
}

struct origin *topology_add(struct moth_node *n, const struct moth_id *id)
{
    struct topology *t = &n->topology;
    struct peer *p = peers_get(&n->peers, id, true);
    if (p && t->count >= t->slot_max) {
        struct origin *useless = find_useless(n);
        if (!useless) return NULL;
        drop_origin(n, useless);
    }
    if (!p) return NULL;
    unsigned slot = t->count < t->slot_count ? 0 : t->slot_count;
    while (slot < t->slot_count && t->slots[slot]) slot++;
    if (slot == t->slot_count) {
        t->slots = mem_resize(t->slots, ++t->slot_count, sizeof *t->slots);
    }
    struct origin *o = mem_new(sizeof *o);
    o->peer = p;
    p->origin = o;
    p->held++;
    o->slot = slot;
    t->slots[slot] = o;
    t->count++;
    return o;
}

static void learn(struct moth_node *n, struct peer *p, const struct advert *a, enum address_scope scope)
{
    char name[PEER_DISPLAY_BYTES];
    bool taken = peer_learn(&n->peers, p, a);
    book_learn_near(n, p, a);
    book_touch(n, p);
    for (unsigned i = 0; i < a->address_count; i++)
        if (!peer_add_address(&n->peers, p, &a->addresses[i], scope, false)) node_discard(n, MOTH_EBAD_ADDRESS);
    if (!taken || !node_may_note(n)) return;
    peer_display(p, name);
    node_note(n, "another node calls itself %s too; it shows as %s and gets no mail sent to %s", a->name, name,
              a->name);
}

/* Puts an advert in its place in the table. One past its lifetime is kept, unrouted, for what its number says. */
static void place(struct moth_node *n, struct origin *o, struct pooled *advert, uint32_t age_s)
{
    struct topology *t = &n->topology;
    const struct advert *a = reading_of(advert);
    unroute(n, o);
    pool_drop(o->advert);
    o->advert = pool_hold(advert);
    o->version = (struct version){a->seq, a->boot};
    o->age_s = age_s;
    o->taken_us = node_now_us(n);
    o->expires_us = o->taken_us + (age_s < a->lifetime_s ? (uint64_t)(a->lifetime_s - age_s) * 1000000 : 0);
    o->routed = age_s < a->lifetime_s;
    if (o->routed) t->table_hash ^= hash_of(o);
    if (o->expires_us < t->expiry_us) t->expiry_us = o->expires_us;
    node_due(n, t->expiry_us);
}

/* Claims about ids that never advertise must not fill memory: when the map is full only those count whose other end has
 * an advert too. No edge counts without both, so little is lost. */
static void map_known_neighbours(struct moth_node *n, const struct moth_id *origin, const struct advert *a)
{
    struct neighbour *list = mem_array(a->neighbour_count, sizeof *list);
    unsigned count = 0;
    for (unsigned i = 0; i < a->neighbour_count; i++) {
        if (topology_find(n, &a->neighbours[i].id)) list[count++] = a->neighbours[i];
        else node_discard(n, MOTH_EFULL);
    }
    router_set_neighbours(n->router, origin, list, count);
    free(list);
}

/* What an advert claims goes into the map. */
static void map_neighbours(struct moth_node *n, const struct moth_id *origin, const struct advert *a)
{
    size_t room = NODES_PER_ADVERT * (size_t)n->topology.slot_max;
    bool full = router_count(n->router) + a->neighbour_count > room;
    if (full) map_known_neighbours(n, origin, a);
    else router_set_neighbours(n->router, origin, a->neighbours, a->neighbour_count);
    n->map_changed = true;
}

void topology_adopt(struct moth_node *n, struct origin *o, struct pooled *advert, uint32_t age_s,
                    const struct session *from, enum address_scope scope)
{
    const struct advert *a = reading_of(advert);
    place(n, o, advert, age_s);
    if (o->peer != n->self && o->routed) {
        map_neighbours(n, &o->peer->id, a);
        learn(n, o->peer, a, scope);
        session_up(n, o->peer);
    }
    sync_flood(n, o, from);
}

/* --- adverts of others --- */

/* Of somebody who was met already it can only be older than what is known; the address may be new. */
static void learn_again(struct moth_node *n, struct peer *p, const struct advert *a, enum address_scope scope)
{
    for (unsigned i = 0; i < a->address_count; i++)
        peer_add_address(&n->peers, p, &a->addresses[i], scope, false);
    book_touch(n, p);
}

int topology_introduce(struct moth_node *n, struct slice bytes, enum address_scope scope)
{
    struct pooled *advert;
    int rc = reading_begin(n->host->pool, bytes, &advert);
    if (rc < 0) return rc;
    const struct advert *a = reading_of(advert);
    struct peer *p = peers_get(&n->peers, &a->origin, true);
    if (p && p->facts->claimed[0] != '\0') learn_again(n, p, a, scope);
    else if (p) learn(n, p, a, scope);
    reading_end(advert);
    return p ? 0 : MOTH_EFULL;
}

static void defer(struct origin *o, const struct session *from, struct pooled *advert, struct version v, uint32_t age_s)
{
    struct moth_node *n = from->node;
    forget_deferred(o);
    o->deferred = mem_new(sizeof *o->deferred);
    *o->deferred = (struct deferred){.advert = pool_hold(advert), .version = v, .scope = session_scope(from),
                                     .age_s = age_s, .at_us = node_now_us(n)};
    uint64_t ready = bucket_ready_us(&o->bucket, ORIGIN_PER_SECOND, ORIGIN_BURST);
    if (ready < n->topology.deferred_us) n->topology.deferred_us = ready;
    node_due(n, ready);
}

/* Newer than what we have, and checked: taken now or, when its origin is too busy, a little later. */
static void take_checked(struct session *s, struct pooled *advert, uint32_t age_s)
{
    struct moth_node *n = s->node;
    const struct advert *a = reading_of(advert);
    struct version v = {a->seq, a->boot};
    struct origin *o = topology_find(n, &a->origin);
    if (age_s >= a->lifetime_s && (!o || !version_is_newer(v, o->version))) {
        node_discard(n, MOTH_ESTALE);
        return;
    }
    if (!o) o = topology_add(n, &a->origin);
    if (!o) {
        node_discard_from(s, MOTH_EFULL);
        return;
    }
    n->counts.adverts_in++;
    if (bucket_take(&o->bucket, ORIGIN_PER_SECOND, ORIGIN_BURST, node_now_us(n)))
        topology_adopt(n, o, advert, age_s, s, session_scope(s));
    else defer(o, s, advert, v, age_s);
}

static int take(struct session *s, struct slice bytes, uint32_t age_s)
{
    struct pooled *advert;
    int rc = reading_begin(s->node->host->pool, bytes, &advert);
    if (rc < 0) return rc;
    take_checked(s, advert, age_s);
    reading_end(advert);
    return 0;
}

/* The age is not signed: somebody may have passed on as expired what is not. A younger copy sets that right. */
static bool revives(const struct origin *o, struct version v)
{
    return !o->routed && !version_is_newer(o->version, v) && !o->deferred;
}

int topology_on_update(struct session *s, struct slice body)
{
    struct moth_node *n = s->node;
    struct reader r = reader_of(body);
    uint32_t age_s = (uint32_t)read_uint(&r, 4);
    struct slice bytes = slice_of(r.at, reader_left(&r));
    struct moth_id id;
    struct version v, known = {0};
    uint64_t per_second = n->limits[MOTH_LIMIT_ADVERTS_PER_SECOND];
    int rc = reading_peek(n->host->pool, bytes, &id, &v);
    if (rc < 0) return rc;
    /* Twice the burst that a sender allows itself, so that no honest one is ever over it. */
    if (!bucket_take(&s->adverts_in, per_second, 2 * per_second, node_now_us(n))) {
        node_discard_from(s, MOTH_ERATE);
        return 0;
    }
    bool ours = id_equal(&id, &n->identity.id);
    const struct origin *o = ours ? NULL : topology_find(n, &id);
    if (o) known = o->deferred && version_is_newer(o->deferred->version, o->version) ? o->deferred->version : o->version;
    if (o && !version_is_newer(v, known) && !revives(o, v)) {
        node_discard(n, version_is_newer(known, v) ? MOTH_ESTALE : MOTH_EDUPLICATE);
        if (!version_is_newer(o->version, v)) sync_clear_pending(s, o->slot);
        /* it forgot how far it had counted */
        if (version_is_newer(o->version, v) && o->peer == s->peer) sync_set_pending(s, o);
        session_up(n, s->peer);
        return 0;
    }
    return ours ? own_on_echo(s, bytes, v, age_s) : take(s, bytes, age_s);
}

static void take_deferred(struct moth_node *n, struct origin *o, uint64_t now_us)
{
    struct deferred *d = o->deferred;
    uint32_t age_s = d->age_s + (uint32_t)((now_us - d->at_us) / 1000000);
    o->deferred = NULL;
    if (version_is_newer(d->version, o->version)) topology_adopt(n, o, d->advert, age_s, NULL, d->scope);
    else node_discard(n, MOTH_ESTALE);
    reading_end(d->advert);
    free(d);
}

static uint64_t deferred_tick(struct moth_node *n, uint64_t now_us)
{
    struct topology *t = &n->topology;
    if (t->deferred_us > now_us) return t->deferred_us;
    t->deferred_us = never;
    for (unsigned i = 0; i < t->slot_count; i++) {
        struct origin *o = t->slots[i];
        if (!o || !o->deferred) continue;
        uint64_t ready = bucket_ready_us(&o->bucket, ORIGIN_PER_SECOND, ORIGIN_BURST);
        if (bucket_take(&o->bucket, ORIGIN_PER_SECOND, ORIGIN_BURST, now_us)) take_deferred(n, o, now_us);
        else if (ready < t->deferred_us) t->deferred_us = ready;
    }
    return t->deferred_us;
}

/* --- expiry --- */

static uint64_t expire(struct moth_node *n, struct origin *o, uint64_t now_us)
{
    if (o->routed && o->expires_us > now_us) return o->expires_us;
    unroute(n, o);
    if (o->expires_us + KEPT_US > now_us) return o->expires_us + KEPT_US;
    drop_origin(n, o);
    return never;
}

static uint64_t expiry_tick(struct moth_node *n, uint64_t now_us)
{
    struct topology *t = &n->topology;
    if (t->expiry_us > now_us) return t->expiry_us;
    t->expiry_us = never;
    for (unsigned i = 0; i < t->slot_count; i++) {
        struct origin *o = t->slots[i];
        if (!o || (o->peer == n->self && !t->cloned)) continue;
        uint64_t at = expire(n, o, now_us);
        if (at < t->expiry_us) t->expiry_us = at;
    }
    return t->expiry_us;
}

uint64_t topology_tick(struct moth_node *n, uint64_t now_us)
{
    uint64_t due = own_tick(n, now_us), deferred = deferred_tick(n, now_us), expiry = expiry_tick(n, now_us);
    if (deferred < due) due = deferred;
    return expiry < due ? expiry : due;
}

/* --- opening and closing --- */

int topology_open(struct moth_node *n)
{
    struct topology *t = &n->topology;
    *t = (struct topology){.slot_max = (unsigned)n->limits[MOTH_LIMIT_ADVERTS] + 1, .own_changed = true,
                           .deferred_us = never, .expiry_us = never};
    return own_advertise(n);
}

void topology_close(struct moth_node *n)
{
    struct topology *t = &n->topology;
    for (unsigned i = 0; i < t->slot_count; i++)
        if (t->slots[i]) drop_origin(n, t->slots[i]);
    free(t->slots);
}
