/* topology.c -- adverts in and out: how every node comes to know the whole map, and the router's only writer.
 *
 * Each origin signs its own list of neighbours and numbers it; newer replaces older. A number is compared before a
 * signature is checked, and a signature checked before anything is charged, stored or passed on. How adverts reach the
 * neighbours is sync.c's business.
 *
 *   NETWORK_UPDATE   0  4  age_s (not signed)
 *                    4  n  the advert
 */
#include "node/hub.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#define LIFETIME_S 7200u
#define REFRESH_US 2400000000u  /* a third of the lifetime */
#define KEPT_US 86400000000u    /* after expiry */
#define DEBOUNCE_US 20000u      /* several links coming up at once make one advert */
#define ORIGIN_PER_SECOND 1u
#define ORIGIN_BURST 5u
#define SEQ_JUMP 65536u
#define ECHO_WINDOW_US 60000000u
#define NODES_PER_ADVERT 4u /* the map holds so many ids for each advert that the table may hold */

static const uint64_t never = UINT64_MAX;

struct origin *topology_find(const struct moth_node *n, const struct moth_id *id)
{
    return id_map_find(&n->topology.origins, id);
}

static uint64_t entry_hash(const struct moth_id *id, struct version v)
{
    uint8_t text[16], hash[CRYPTO_HASH_BYTES];
    put_uint(put_uint(text, v.seq, 8), v.boot, 8);
    crypto_sha256_pair(slice_of(id->bytes, MOTH_ID_BYTES), slice_of(text, sizeof text), hash);
    return get_uint(hash, 8);
}

/* --- the table --- */

static void unroute(struct moth_node *n, struct origin *o)
{
    if (!o->routed) return;
    o->routed = false;
    n->topology.table_hash ^= o->hash;
    if (o->peer == n->self) return; /* what our links are we know first-hand */
    router_remove(n->router, &o->id);
    n->map_changed = true;
}

static void drop_origin(struct moth_node *n, struct origin *o)
{
    struct topology *t = &n->topology;
    for (struct link *l = n->links.first; l; l = l->after)
        if (session_of(l)) sync_clear_pending(session_of(l), o->slot);
    unroute(n, o);
    o->peer->held--;
    t->slots[o->slot] = NULL;
    id_map_remove(&t->origins, &o->id);
    free(o->bytes);
    free(o->deferred);
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
        if (!unreachable && router_hops(n->router, &o->id) == ROUTER_UNREACHABLE) unreachable = o;
    }
    return unreachable;
}

static struct origin *add_origin(struct moth_node *n, const struct moth_id *id)
{
    struct topology *t = &n->topology;
    struct peer *p = peers_get(&n->peers, id, true);
    unsigned slot = 0;
    if (p && t->origins.count >= t->slot_max) {
        struct origin *useless = find_useless(n);
        if (!useless) return NULL;
        drop_origin(n, useless);
    }
    if (!p) return NULL;
    while (slot < t->slot_count && t->slots[slot]) slot++;
    if (slot == t->slot_count) {
        t->slots = mem_resize(t->slots, ++t->slot_count, sizeof *t->slots);
    }
    struct origin *o = mem_new(sizeof *o);
    o->id = *id;
    o->peer = p;
    p->held++;
    o->slot = slot;
    t->slots[slot] = o;
    id_map_put(&t->origins, id, o);
    return o;
}

static struct origin *get_origin(struct moth_node *n, const struct moth_id *id)
{
    struct origin *o = topology_find(n, id);
    return o ? o : add_origin(n, id);
}

static void learn(struct moth_node *n, struct peer *p, const struct advert *a, enum address_scope scope)
{
    char name[PEER_DISPLAY_BYTES];
    bool taken = peer_learn(&n->peers, p, a);
    book_learn_near(p, a);
    book_touch(n, p);
    for (unsigned i = 0; i < a->address_count; i++)
        if (!peer_add_address(p, &a->addresses[i], scope, false)) node_discard(n, MOTH_EBAD_ADDRESS);
    if (!taken || !node_may_note(n)) return;
    peer_display(p, name);
    node_note(n, "another node calls itself %s too; it shows as %s and gets no mail sent to %s", a->name, name,
              a->name);
}

/* Puts an advert in its place in the table. One past its lifetime is kept, unrouted, for what its number says. */
static void place(struct moth_node *n, struct origin *o, struct slice bytes, const struct advert *a, uint32_t age_s)
{
    struct topology *t = &n->topology;
    uint8_t *copy = mem_copy(bytes.data, bytes.bytes);
    free(o->bytes);
    unroute(n, o);
    o->bytes = copy;
    o->size = bytes.bytes;
    o->version = (struct version){a->seq, a->boot};
    o->age_s = age_s;
    o->taken_us = node_now_us(n);
    o->expires_us = o->taken_us + (age_s < a->lifetime_s ? (uint64_t)(a->lifetime_s - age_s) * 1000000 : 0);
    o->hash = entry_hash(&o->id, o->version);
    o->routed = age_s < a->lifetime_s;
    if (o->routed) t->table_hash ^= o->hash;
    if (o->expires_us < t->expiry_us) t->expiry_us = o->expires_us;
    node_due(n, t->expiry_us);
}

/* What an advert claims goes into the map. Claims about ids that never advertise must not fill memory: when the map is
 * full only those count whose other end has an advert too. No edge counts without both, so little is lost. */
static void map_neighbours(struct moth_node *n, const struct moth_id *origin, const struct advert *a)
{
    struct neighbour *list = mem_array(a->neighbour_count, sizeof *list);
    size_t room = NODES_PER_ADVERT * (size_t)n->topology.slot_max;
    bool full = router_count(n->router) + a->neighbour_count > room;
    unsigned count = 0;
    for (unsigned i = 0; i < a->neighbour_count; i++) {
        if (!full || topology_find(n, &a->neighbours[i].id)) list[count++] = a->neighbours[i];
        else node_discard(n, MOTH_EFULL);
    }
    router_set_neighbours(n->router, origin, list, count);
    n->map_changed = true;
    free(list);
}

/* Takes over an advert: the table, the map, the address book, and on to all links but its source (NULL: it is our own,
 * or speaks for us). `scope` is that of the link it came over. */
static void adopt(struct moth_node *n, struct origin *o, struct slice bytes, const struct advert *a, uint32_t age_s,
                  const struct session *from, enum address_scope scope)
{
    place(n, o, bytes, a, age_s);
    if (o->peer != n->self && o->routed) {
        map_neighbours(n, &o->id, a);
        learn(n, o->peer, a, scope);
        session_up(n, o->peer);
    }
    sync_flood(n, o, from);
}

/* --- our own advert --- */

void topology_links_changed(struct moth_node *n)
{
    struct topology *t = &n->topology;
    n->map_changed = true;
    if (!t->own_changed) t->own_due_us = node_now_us(n) + DEBOUNCE_US;
    t->own_changed = true;
    node_due(n, t->own_due_us);
}

static void list_neighbours(const struct moth_node *n, struct advert *a)
{
    for (const struct link *l = n->links.first; l && a->neighbour_count < ADVERT_NEIGHBOURS_MAX; l = l->after) {
        const struct session *s = session_of(l);
        if (s && s->peer && s->peer->session == s && s->peer->linked)
            a->neighbours[a->neighbour_count++] = (struct neighbour){.id = s->peer->id, .cost = 1};
    }
}

static int advertise(struct moth_node *n)
{
    struct topology *t = &n->topology;
    struct advert *a = mem_new(sizeof *a);
    uint8_t *bytes = mem_new(ADVERT_BYTES_MAX);
    int rc = reserve_next_seq(&n->reserve, &a->seq);
    if (rc == 0) {
        a->boot = n->boot;
        a->lifetime_s = LIFETIME_S;
        memcpy(a->ed25519_key, n->identity.ed25519_public, 32);
        memcpy(a->x25519_key, n->identity.x25519_public, 32);
        memcpy(a->name, n->name, sizeof a->name);
        a->address_count = n->advertised_count;
        a->addresses[0] = n->advertised;
        list_neighbours(n, a);
        size_t size = advert_encode(a, n->identity.seed, bytes);
        adopt(n, get_origin(n, &n->identity.id), slice_of(bytes, size), a, 0, NULL, ADDRESS_PUBLIC);
        t->own_changed = false;
        t->refresh_us = node_now_us(n) + REFRESH_US;
    }
    free(bytes);
    free(a);
    return rc;
}

static uint64_t own_tick(struct moth_node *n, uint64_t now_us)
{
    struct topology *t = &n->topology;
    if (t->cloned) return never;
    if (!t->own_changed && t->refresh_us > now_us) return t->refresh_us;
    if (t->own_changed && t->own_due_us > now_us) return t->own_due_us;
    if (!bucket_take(&t->own_bucket, ORIGIN_PER_SECOND, ORIGIN_BURST, now_us))
        return t->own_due_us = bucket_ready_us(&t->own_bucket, ORIGIN_PER_SECOND, ORIGIN_BURST);
    if (advertise(n) == 0) return t->refresh_us;
    t->own_changed = true; /* the number is not reserved yet: soon */
    return t->own_due_us = now_us + DEBOUNCE_US;
}

static int check_advert(struct slice bytes, struct advert *out)
{
    int rc = advert_decode(bytes, out);
    return rc < 0 ? rc : advert_verify(bytes);
}

/* We are silent: the other process speaks for this id, and our table says so too, or it would never agree with
 * others'. */
static int follow_clone(struct session *s, struct slice bytes, struct version theirs, uint32_t age_s, struct advert *a)
{
    struct origin *own = topology_find(s->node, &s->node->identity.id);
    if (!own || !version_is_newer(theirs, own->version)) return 0;
    int rc = check_advert(bytes, a);
    if (rc == 0 && age_s < a->lifetime_s) adopt(s->node, own, bytes, a, age_s, NULL, ADDRESS_PUBLIC);
    return rc;
}

/* An advert in our name that we did not make: of an earlier life, or of another process with our key. */
static int on_echo(struct session *s, struct slice bytes, struct version theirs, uint32_t age_s, struct advert *a)
{
    struct moth_node *n = s->node;
    struct topology *t = &n->topology;
    uint64_t now = node_now_us(n);
    struct version ours = {n->reserve.last_seq, n->boot};
    if (t->cloned) return follow_clone(s, bytes, theirs, age_s, a);
    if (theirs.boot == ours.boot || !version_is_newer(theirs, ours)) return 0;
    int rc = check_advert(bytes, a);
    if (rc < 0) return rc;
    t->echoes = t->echoes > 0 && now - t->last_echo_us < ECHO_WINDOW_US ? t->echoes + 1 : 1;
    t->last_echo_us = now;
    if (t->echoes >= 2) {
        t->cloned = true;
        node_discard_from(s, MOTH_ECLONED);
        node_note(n, "another node runs with this node's key: this one advertises itself no more; "
                     "give each its own home folder and start again");
        return follow_clone(s, bytes, theirs, age_s, a);
    }
    reserve_raise_seq(&n->reserve, theirs.seq < UINT64_MAX - 2 * SEQ_JUMP ? theirs.seq + SEQ_JUMP : theirs.seq);
    t->own_changed = true;
    t->own_due_us = now;
    node_due(n, now);
    return 0;
}

/* --- adverts of others --- */

/* Of somebody who was met already it can only be older than what is known; the address may be new. */
static void learn_again(struct moth_node *n, struct peer *p, const struct advert *a, enum address_scope scope)
{
    for (unsigned i = 0; i < a->address_count; i++) peer_add_address(p, &a->addresses[i], scope, false);
    book_touch(n, p);
}

int topology_introduce(struct moth_node *n, struct slice bytes, enum address_scope scope)
{
    struct advert *a = mem_new(sizeof *a);
    struct peer *p = NULL;
    int rc = check_advert(bytes, a);
    if (rc == 0) p = peers_get(&n->peers, &a->origin, true);
    if (rc == 0 && !p) rc = MOTH_EFULL;
    if (rc == 0 && p->claimed[0] != '\0') learn_again(n, p, a, scope);
    else if (rc == 0) learn(n, p, a, scope);
    free(a);
    return rc;
}

static void defer(struct origin *o, struct session *from, struct slice bytes, struct version v, uint32_t age_s)
{
    struct moth_node *n = from->node;
    o->deferred = mem_resize(o->deferred, bytes.bytes, 1);
    memcpy(o->deferred, bytes.data, bytes.bytes);
    o->deferred_size = bytes.bytes;
    o->deferred_version = v;
    o->deferred_scope = session_scope(from);
    o->deferred_age_s = age_s;
    o->deferred_us = node_now_us(n);
    uint64_t ready = bucket_ready_us(&o->bucket, ORIGIN_PER_SECOND, ORIGIN_BURST);
    if (ready < n->topology.deferred_us) n->topology.deferred_us = ready;
    node_due(n, ready);
}

/* Newer than what we have: check it, then take it now or, when its origin is too busy, a little later. */
static int take(struct session *s, struct slice bytes, uint32_t age_s, struct advert *a)
{
    struct moth_node *n = s->node;
    int rc = check_advert(bytes, a);
    if (rc < 0) return rc;
    struct origin *o = topology_find(n, &a->origin);
    bool expired = age_s >= a->lifetime_s;
    if (expired && (!o || !version_is_newer((struct version){a->seq, a->boot}, o->version))) {
        node_discard(n, MOTH_ESTALE);
        return 0;
    }
    if (!o) o = add_origin(n, &a->origin);
    if (!o) {
        node_discard_from(s, MOTH_EFULL);
        return 0;
    }
    n->counts.adverts_in++;
    if (bucket_take(&o->bucket, ORIGIN_PER_SECOND, ORIGIN_BURST, node_now_us(n)))
        adopt(n, o, bytes, a, age_s, s, session_scope(s));
    else defer(o, s, bytes, (struct version){a->seq, a->boot}, age_s);
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
    int rc = advert_peek(bytes, &id, &v.boot, &v.seq);
    if (rc < 0) return rc;
    /* Twice the burst that a sender allows itself, so that no honest one is ever over it. */
    if (!bucket_take(&s->adverts_in, per_second, 2 * per_second, node_now_us(n))) {
        node_discard_from(s, MOTH_ERATE);
        return 0;
    }
    bool ours = id_equal(&id, &n->identity.id);
    const struct origin *o = ours ? NULL : topology_find(n, &id);
    if (o) known = o->deferred && version_is_newer(o->deferred_version, o->version) ? o->deferred_version : o->version;
    if (o && !version_is_newer(v, known) && !revives(o, v)) {
        node_discard(n, version_is_newer(known, v) ? MOTH_ESTALE : MOTH_EDUPLICATE);
        /* it forgot how far it had counted */
        if (version_is_newer(o->version, v) && o->peer == s->peer) sync_set_pending(s, o);
        session_up(n, s->peer);
        return 0;
    }
    struct advert *a = mem_new(sizeof *a);
    rc = ours ? on_echo(s, bytes, v, age_s, a) : take(s, bytes, age_s, a);
    free(a);
    return rc;
}

static void take_deferred(struct moth_node *n, struct origin *o, uint64_t now_us)
{
    struct advert *a = mem_new(sizeof *a);
    uint8_t *bytes = o->deferred;
    uint32_t age_s = o->deferred_age_s + (uint32_t)((now_us - o->deferred_us) / 1000000);
    o->deferred = NULL;
    int rc = advert_decode(slice_of(bytes, o->deferred_size), a);
    if (rc == 0 && version_is_newer(o->deferred_version, o->version))
        adopt(n, o, slice_of(bytes, o->deferred_size), a, age_s, NULL, o->deferred_scope);
    else node_discard(n, MOTH_ESTALE);
    free(bytes);
    free(a);
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
    id_map_init(&t->origins, n->boot);
    return advertise(n);
}

void topology_close(struct moth_node *n)
{
    struct topology *t = &n->topology;
    for (unsigned i = 0; i < t->slot_count; i++)
        if (t->slots[i]) drop_origin(n, t->slots[i]);
    id_map_fini(&t->origins);
    free(t->slots);
}
