/* peers.c -- the address book of peers.h. */
#include "node/peers.h"

#include "base/mem.h"
#include "node/recent.h"

#include <stdio.h>
#include <stdlib.h>

static const struct facts nobody;

void peers_init(struct peers *all, size_t max, uint64_t seed, struct moth_pool *pool)
{
    *all = (struct peers){.max = max, .seed = seed, .pool = pool};
}

/* --- facts --- */

static struct pooled *pooled_of(const struct facts *f)
{
    return (struct pooled *)(uintptr_t)((const uint8_t *)f - offsetof(struct pooled, bytes));
}

static void drop_facts(const struct facts *f)
{
    if (f != &nobody) pool_drop(pooled_of(f));
}

/* Equal facts must be equal bytes: nothing stands behind the end of a text, or between fields. */
static void copy_facts(const struct facts *from, struct facts *to)
{
    memset(to, 0, sizeof *to);
    memcpy(to->ed25519_key, from->ed25519_key, 32);
    memcpy(to->x25519_key, from->x25519_key, 32);
    memcpy(to->claimed, from->claimed, strlen(from->claimed));
    memcpy(to->alias, from->alias, strlen(from->alias));
    to->name_count = from->name_count;
    for (unsigned i = 0; i < from->name_count; i++) memcpy(to->names[i], from->names[i], strlen(from->names[i]));
    to->address_count = from->address_count;
    for (unsigned i = 0; i < from->address_count; i++) {
        const struct known_address *a = &from->addresses[i];
        to->addresses[i].address.family = a->address.family;
        to->addresses[i].address.port = a->address.port;
        memcpy(to->addresses[i].address.ip, a->address.ip, sizeof a->address.ip);
        to->addresses[i].dialled_us = a->dialled_us;
        to->addresses[i].proven = a->proven;
    }
}

static void set_facts(struct peers *all, struct peer *p, const struct facts *f)
{
    struct facts clean;
    const struct facts *old = p->facts;
    copy_facts(f, &clean);
    p->facts = (const struct facts *)pool_take(all->pool, slice_of(&clean, sizeof clean))->bytes;
    drop_facts(old);
}

/* --- dealings --- */

const struct dealings *peer_dealings(const struct peer *p)
{
    static const struct dealings none;
    return p->dealings ? p->dealings : &none;
}

struct dealings *peer_deal(struct peer *p)
{
    if (!p->dealings) p->dealings = mem_new(sizeof *p->dealings);
    return p->dealings;
}

/* --- finding --- */

static uint32_t hash_id(const struct peers *all, const struct moth_id *id)
{
    return lookup_hash(all->seed, slice_of(id->bytes, MOTH_ID_BYTES));
}

struct peer *peers_find(const struct peers *all, const struct moth_id *id)
{
    uint32_t hash = hash_id(all, id);
    size_t at = 0;
    struct peer *p = lookup_find(&all->by_id, hash, &at);
    while (p && !id_equal(&p->id, id)) p = lookup_find(&all->by_id, hash, &at);
    return p;
}

size_t peers_count(const struct peers *all)
{
    return all->by_id.count;
}

struct peer *peers_next(const struct peers *all, size_t *at)
{
    return lookup_next(&all->by_id, at);
}

/* --- names --- */

static uint32_t hash_name(const struct peers *all, const char *name)
{
    return lookup_hash(all->seed, slice_text(name));
}

static bool has_name(const struct peer *p, const char *name)
{
    for (unsigned i = 0; i < p->facts->name_count; i++)
        if (strcmp(p->facts->names[i], name) == 0) return true;
    return false;
}

static struct peer *find_name(const struct peers *all, const char *name)
{
    uint32_t hash = hash_name(all, name);
    size_t at = 0;
    struct peer *p = lookup_find(&all->by_name, hash, &at);
    while (p && !has_name(p, name)) p = lookup_find(&all->by_name, hash, &at);
    return p;
}

bool name_is_pinnable(const char *name)
{
    size_t n = strlen(name);
    return advert_name_is_valid(slice_of(name, n)) && !(n >= 4 && strspn(name, "0123456789abcdefABCDEF") == n);
}

bool peer_pin_name(struct peers *all, struct peer *p, const char *name)
{
    struct facts f = *p->facts;
    if (has_name(p, name)) return true;
    if (!name_is_pinnable(name) || f.name_count == PEER_NAMES_MAX || find_name(all, name)) return false;
    memcpy(f.names[f.name_count++], name, strlen(name) + 1);
    set_facts(all, p, &f);
    lookup_add(&all->by_name, hash_name(all, name), p);
    return true;
}

static struct peer *find_alias(const struct peers *all, const char *alias)
{
    uint32_t hash = hash_name(all, alias);
    size_t at = 0;
    struct peer *p = lookup_find(&all->by_alias, hash, &at);
    while (p && strcmp(p->facts->alias, alias) != 0) p = lookup_find(&all->by_alias, hash, &at);
    return p;
}

int peer_set_alias(struct peers *all, struct peer *p, const char *alias)
{
    struct facts f = *p->facts;
    bool some = alias && alias[0] != '\0';
    if (some && !name_is_pinnable(alias)) return MOTH_EBAD_NAME;
    const struct peer *other = some ? find_alias(all, alias) : NULL;
    if (other) return other == p ? 0 : MOTH_EIN_USE;
    if (f.alias[0] != '\0') lookup_remove(&all->by_alias, hash_name(all, f.alias), p);
    f.alias[0] = '\0';
    if (some) {
        memcpy(f.alias, alias, strlen(alias) + 1);
        lookup_add(&all->by_alias, hash_name(all, alias), p);
    }
    set_facts(all, p, &f);
    return 0;
}

void peer_claim(struct peers *all, struct peer *p, const char *name)
{
    struct facts f = *p->facts;
    memcpy(f.claimed, name, strlen(name) + 1);
    set_facts(all, p, &f);
}

void peer_display(const struct peer *p, char out[PEER_DISPLAY_BYTES])
{
    const struct facts *f = p->facts;
    char id8[ID_SHORT_BYTES];
    id_format_short(&p->id, id8);
    if (f->alias[0] != '\0') memcpy(out, f->alias, sizeof f->alias);
    else if (f->claimed[0] == '\0') memcpy(out, id8, sizeof id8);
    else if (has_name(p, f->claimed)) memcpy(out, f->claimed, strlen(f->claimed) + 1);
    else snprintf(out, PEER_DISPLAY_BYTES, "%s~%s", f->claimed, id8);
}

void peers_display(const struct peers *all, const struct moth_id *id, char out[PEER_DISPLAY_BYTES])
{
    const struct peer stranger = {.id = *id, .facts = &nobody}, *p = peers_find(all, id);
    peer_display(p ? p : &stranger, out);
}

/* --- coming and going --- */

static void peer_free(struct peer *p)
{
    drop_facts(p->facts);
    pool_drop(p->near);
    if (p->dealings) recent_free(p->dealings->light);
    free(p->dealings);
    free(p);
}

void peers_fini(struct peers *all)
{
    struct peer *p;
    for (size_t at = 0; (p = peers_next(all, &at));) peer_free(p);
    lookup_fini(&all->by_id);
    lookup_fini(&all->by_name);
    lookup_fini(&all->by_alias);
}

static bool may_forget(const struct peer *p)
{
    return !p->session && !p->reachable && p->mail == 0 && p->held == 0 && !p->blocked && p->facts->alias[0] == '\0';
}

static void forget(struct peers *all, struct peer *p)
{
    for (unsigned i = 0; i < p->facts->name_count; i++)
        lookup_remove(&all->by_name, hash_name(all, p->facts->names[i]), p);
    lookup_remove(&all->by_id, hash_id(all, &p->id), p);
    if (!p->has_keys) all->strangers--;
    peer_free(p);
}

/* Goes round the book, so that repeated forgetting does not look at the same slots again and again. */
static bool forget_one(struct peers *all, bool strangers_only)
{
    struct peer *p;
    if (strangers_only && all->strangers == 0) return false; /* a long walk in vain */
    for (int round = 0; round < 2; round++, all->forget_at = 0)
        while ((p = peers_next(all, &all->forget_at))) {
            if (!may_forget(p) || (strangers_only && p->has_keys)) continue;
            forget(all, p);
            return true;
        }
    return false;
}

struct peer *peers_get(struct peers *all, const struct moth_id *id, bool proven)
{
    struct peer *p = peers_find(all, id);
    if (p) return p;
    bool full = all->by_id.count >= all->max;
    if (full && !forget_one(all, true) && !(proven && forget_one(all, false))) return NULL;
    p = mem_new(sizeof *p);
    p->id = *id;
    p->facts = &nobody;
    lookup_add(&all->by_id, hash_id(all, id), p);
    all->strangers++;
    return p;
}

void peer_prove(struct peers *all, struct peer *p, const uint8_t ed25519_key[32], const uint8_t x25519_key[32])
{
    struct facts f = *p->facts;
    if (!p->has_keys) all->strangers--;
    else if (memcmp(f.ed25519_key, ed25519_key, 32) == 0 && memcmp(f.x25519_key, x25519_key, 32) == 0) return;
    p->has_keys = true;
    memcpy(f.ed25519_key, ed25519_key, 32);
    memcpy(f.x25519_key, x25519_key, 32);
    set_facts(all, p, &f);
}

bool peer_learn(struct peers *all, struct peer *p, const struct advert *a)
{
    peer_prove(all, p, a->ed25519_key, a->x25519_key);
    if (strcmp(p->facts->claimed, a->name) != 0) peer_claim(all, p, a->name);
    if (peer_pin_name(all, p, a->name) || !find_name(all, a->name) || p->name_told) return false;
    p->name_told = true;
    return true;
}

/* --- addresses --- */

bool address_may_cross(const struct address *a, enum address_scope scope_of_link)
{
    switch (address_scope(a)) {
    case ADDRESS_LOOPBACK: return scope_of_link == ADDRESS_LOOPBACK;
    case ADDRESS_PRIVATE: return scope_of_link == ADDRESS_LOOPBACK || scope_of_link == ADDRESS_PRIVATE;
    case ADDRESS_PUBLIC: return true;
    case ADDRESS_UNUSABLE: return false;
    }
    return false;
}

/* With all places taken: the one that was tried last, and in vain. Untried ones, and at worst the first, make room only
 * for a proven one. */
static struct known_address *place_for(struct facts *f, bool proven)
{
    struct known_address *place = NULL;
    if (f->address_count < PEER_ADDRESSES_MAX) return &f->addresses[f->address_count++];
    for (unsigned i = 0; i < f->address_count; i++) {
        struct known_address *k = &f->addresses[i];
        if (k->proven || (k->dialled_us == 0 && !proven)) continue;
        if (!place || k->dialled_us > place->dialled_us) place = k;
    }
    return place || !proven ? place : &f->addresses[0];
}

static struct known_address *find_address(struct facts *f, const struct address *a)
{
    for (unsigned i = 0; i < f->address_count; i++)
        if (address_equal(&f->addresses[i].address, a)) return &f->addresses[i];
    return NULL;
}

bool peer_add_address(struct peers *all, struct peer *p, const struct address *a, enum address_scope scope_of_source,
                      bool proven)
{
    if (!address_may_cross(a, scope_of_source)) return false;
    struct facts f = *p->facts;
    struct known_address *k = find_address(&f, a);
    if (k && (k->proven || !proven)) return true;
    if (k) {
        k->proven = true;
    } else {
        k = place_for(&f, proven);
        if (!k) return false;
        *k = (struct known_address){.address = *a, .proven = proven};
    }
    set_facts(all, p, &f);
    return true;
}

void peer_dialled(struct peers *all, struct peer *p, unsigned at, uint64_t now_us)
{
    struct facts f = *p->facts;
    f.addresses[at].dialled_us = now_us;
    set_facts(all, p, &f);
}

void peer_forget_address(struct peers *all, struct peer *p, const struct address *a)
{
    struct facts f = *p->facts;
    struct known_address *k = find_address(&f, a);
    if (!k) return;
    *k = f.addresses[--f.address_count];
    set_facts(all, p, &f);
}

/* --- finding by what people write --- */

static int resolve_prefix(const struct peers *all, const char *text, struct peer **out)
{
    struct moth_id id;
    struct peer *p, *found = NULL;
    if (strlen(text) < 4) return MOTH_EUNKNOWN_PEER;
    if (moth_id_parse(text, strlen(text), &id) == 0) return (*out = peers_find(all, &id)) ? 0 : MOTH_EUNKNOWN_PEER;
    for (size_t at = 0; (p = peers_next(all, &at));) {
        if (!id_has_prefix(&p->id, text)) continue;
        if (found) return MOTH_EAMBIGUOUS;
        found = p;
    }
    if (!found) return MOTH_EUNKNOWN_PEER;
    *out = found;
    return 0;
}

int peers_resolve(const struct peers *all, const char *text, struct peer **out)
{
    const char *tilde = strchr(text, '~');
    struct peer *p = find_alias(all, text);
    if (!p) p = find_name(all, text);
    if (p) {
        *out = p;
        return 0;
    }
    if (!tilde) return resolve_prefix(all, text, out);
    int rc = resolve_prefix(all, tilde + 1, &p); /* "name~id8", as it is shown */
    if (rc < 0) return rc;
    size_t n = strlen(p->facts->claimed);
    if (n != (size_t)(tilde - text) || memcmp(p->facts->claimed, text, n) != 0) return MOTH_EUNKNOWN_PEER;
    *out = p;
    return 0;
}

static int compare_peers(const void *a, const void *b)
{
    const struct peer *p = *(struct peer *const *)a, *q = *(struct peer *const *)b;
    char name_p[PEER_DISPLAY_BYTES], name_q[PEER_DISPLAY_BYTES];
    peer_display(p, name_p);
    peer_display(q, name_q);
    int order = strcmp(name_p, name_q);
    return order ? order : id_compare(&p->id, &q->id);
}

struct peer **peers_sorted(const struct peers *all, size_t *count)
{
    struct peer **list = mem_array(all->by_id.count, sizeof *list), *p;
    *count = 0;
    for (size_t at = 0; (p = peers_next(all, &at));) list[(*count)++] = p;
    qsort(list, *count, sizeof *list, compare_peers);
    return list;
}
