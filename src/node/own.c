/* own.c -- the advert we sign: when it is made anew, and what to do about one in our name that we did not make.
 *
 * Each start has a boot of its own and numbers that rise. A number above ours under our key is an echo of an earlier
 * life, and we speak above it; heard twice within a minute it is another process with our key, and of two voices for
 * one id one must fall silent. */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

#define LIFETIME_S 7200u
#define REFRESH_US 2400000000u /* a third of the lifetime */
#define DEBOUNCE_US 20000u     /* several links coming up at once make one advert */
#define SEQ_JUMP 65536u
#define ECHO_WINDOW_US 60000000u

void own_links_changed(struct moth_node *n)
{
    struct topology *t = &n->topology;
    n->map_changed = n->links_changed = true;
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

/* Signed, held by the caller. */
static struct pooled *make_advert(struct moth_node *n, uint64_t seq)
{
    struct advert *a = mem_new(sizeof *a);
    uint8_t *bytes = mem_new(ADVERT_BYTES_MAX);
    a->seq = seq;
    a->boot = n->boot;
    a->lifetime_s = LIFETIME_S;
    memcpy(a->ed25519_key, n->identity.ed25519_public, 32);
    memcpy(a->x25519_key, n->identity.x25519_public, 32);
    memcpy(a->name, n->name, sizeof a->name);
    a->address_count = n->advertised_count;
    a->addresses[0] = n->advertised;
    list_neighbours(n, a);
    struct pooled *p = pool_take(n->host->pool, slice_of(bytes, advert_encode(a, n->identity.seed, bytes)));
    free(bytes);
    free(a);
    return p;
}

int own_advertise(struct moth_node *n)
{
    struct topology *t = &n->topology;
    uint64_t seq;
    int rc = reserve_next_seq(&n->reserve, &seq);
    if (rc < 0) return rc;
    struct pooled *advert = make_advert(n, seq);
    struct origin *o = topology_find(n, &n->identity.id);
    topology_adopt(n, o ? o : topology_add(n, &n->identity.id), advert, 0, NULL, ADDRESS_PUBLIC);
    reading_end(advert);
    t->own_changed = false;
    t->refresh_us = node_now_us(n) + REFRESH_US;
    return 0;
}

uint64_t own_tick(struct moth_node *n, uint64_t now_us)
{
    struct topology *t = &n->topology;
    if (t->cloned) return UINT64_MAX;
    if (!t->own_changed && t->refresh_us > now_us) return t->refresh_us;
    if (t->own_changed && t->own_due_us > now_us) return t->own_due_us;
    if (!bucket_take(&t->own_bucket, ORIGIN_PER_SECOND, ORIGIN_BURST, now_us))
        return t->own_due_us = bucket_ready_us(&t->own_bucket, ORIGIN_PER_SECOND, ORIGIN_BURST);
    if (own_advertise(n) == 0) return t->refresh_us;
    t->own_changed = true; /* the number is not reserved yet: soon */
    return t->own_due_us = now_us + DEBOUNCE_US;
}

/* We are silent: the other process speaks for this id, and our table says so too, or it would never agree with
 * others'. */
static void follow_clone(struct moth_node *n, struct pooled *advert, struct version theirs, uint32_t age_s)
{
    struct origin *own = topology_find(n, &n->identity.id);
    if (!own || !version_is_newer(theirs, own->version)) return;
    if (age_s < reading_of(advert)->lifetime_s) topology_adopt(n, own, advert, age_s, NULL, ADDRESS_PUBLIC);
}

static void fall_silent(struct session *s)
{
    s->node->topology.cloned = true;
    node_discard_from(s, MOTH_ECLONED);
    node_note(s->node, "another node runs with this node's key: this one advertises itself no more; "
                       "give each its own home folder and start again");
}

static void speak_above(struct moth_node *n, uint64_t seq)
{
    struct topology *t = &n->topology;
    reserve_raise_seq(&n->reserve, seq < UINT64_MAX - 2 * SEQ_JUMP ? seq + SEQ_JUMP : seq);
    t->own_changed = true;
    t->own_due_us = node_now_us(n);
    node_due(n, t->own_due_us);
}

static void take_echo(struct session *s, struct pooled *advert, struct version theirs, uint32_t age_s)
{
    struct topology *t = &s->node->topology;
    uint64_t now = node_now_us(s->node);
    if (!t->cloned) {
        t->echoes = t->echoes > 0 && now - t->last_echo_us < ECHO_WINDOW_US ? t->echoes + 1 : 1;
        t->last_echo_us = now;
        if (t->echoes >= 2) fall_silent(s);
    }
    if (t->cloned) follow_clone(s->node, advert, theirs, age_s);
    else speak_above(s->node, theirs.seq);
}

/* An advert in our name that we did not make: of an earlier life, or of another process with our key. */
int own_on_echo(struct session *s, struct slice bytes, struct version theirs, uint32_t age_s)
{
    struct moth_node *n = s->node;
    struct pooled *advert;
    const struct origin *own = topology_find(n, &n->identity.id);
    struct version ours = {n->reserve.last_seq, n->boot};
    if (n->topology.cloned) {
        if (!own || !version_is_newer(theirs, own->version)) return 0;
    } else if (theirs.boot == ours.boot || !version_is_newer(theirs, ours)) return 0;
    int rc = reading_begin(n->host->pool, bytes, &advert);
    if (rc < 0) return rc;
    take_echo(s, advert, theirs, age_s);
    reading_end(advert);
    return 0;
}
