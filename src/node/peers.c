/* peers.c -- the address book of peers.h.
 *
 * Names are found through a second map whose keys are hashes of names; the names themselves are compared, so a
 * collision makes at worst a name that cannot be pinned. */
#include "node/peers.h"

#include "base/crypto.h"
#include "base/mem.h"
#include "node/recent.h"

#include <stdio.h>
#include <stdlib.h>

void peers_init(struct peers *all, size_t max, uint64_t seed)
{
    *all = (struct peers){.max = max};
    id_map_init(&all->by_id, seed);
    id_map_init(&all->by_name, seed);
    id_map_init(&all->by_alias, seed);
}

static void peer_free(struct peer *p)
{
    recent_free(p->light);
    free(p);
}

void peers_fini(struct peers *all)
{
    struct moth_id id;
    void *value;
    for (size_t at = 0; id_map_next(&all->by_id, &at, &id, &value);) peer_free(value);
    id_map_fini(&all->by_id);
    id_map_fini(&all->by_name);
    id_map_fini(&all->by_alias);
}

struct peer *peers_find(const struct peers *all, const struct moth_id *id)
{
    return id_map_find(&all->by_id, id);
}

/* --- names --- */

static struct moth_id name_key(const char *name)
{
    struct moth_id key;
    uint8_t hash[CRYPTO_HASH_BYTES];
    crypto_sha256(slice_text(name), hash);
    memcpy(key.bytes, hash, sizeof key.bytes);
    return key;
}

static bool has_name(const struct peer *p, const char *name)
{
    for (unsigned i = 0; i < p->name_count; i++)
        if (strcmp(p->names[i], name) == 0) return true;
    return false;
}

static struct peer *find_name(const struct peers *all, const char *name)
{
    struct moth_id key = name_key(name);
    struct peer *p = id_map_find(&all->by_name, &key);
    return p && has_name(p, name) ? p : NULL;
}

bool name_is_pinnable(const char *name)
{
    size_t n = strlen(name);
    return advert_name_is_valid(slice_of(name, n)) && !(n >= 4 && strspn(name, "0123456789abcdefABCDEF") == n);
}

bool peer_pin_name(struct peers *all, struct peer *p, const char *name)
{
    struct moth_id key = name_key(name);
    if (has_name(p, name)) return true;
    if (!name_is_pinnable(name) || p->name_count == PEER_NAMES_MAX || id_map_find(&all->by_name, &key)) return false;
    memcpy(p->names[p->name_count++], name, strlen(name) + 1);
    id_map_put(&all->by_name, &key, p);
    return true;
}

static struct peer *find_alias(const struct peers *all, const char *alias)
{
    struct moth_id key = name_key(alias);
    struct peer *p = id_map_find(&all->by_alias, &key);
    return p && strcmp(p->alias, alias) == 0 ? p : NULL;
}

int peer_set_alias(struct peers *all, struct peer *p, const char *alias)
{
    struct moth_id old = name_key(p->alias), key = name_key(alias ? alias : "");
    bool some = alias && alias[0] != '\0';
    if (some && !name_is_pinnable(alias)) return MOTH_EBAD_NAME;
    struct peer *other = some ? id_map_find(&all->by_alias, &key) : NULL;
    if (other && other != p) return MOTH_EIN_USE;
    if (p->alias[0] != '\0') id_map_remove(&all->by_alias, &old);
    p->alias[0] = '\0';
    if (!some) return 0;
    memcpy(p->alias, alias, strlen(alias) + 1);
    id_map_put(&all->by_alias, &key, p);
    return 0;
}

void peer_display(const struct peer *p, char out[PEER_DISPLAY_BYTES])
{
    char id8[ID_SHORT_BYTES];
    id_format_short(&p->id, id8);
    if (p->alias[0] != '\0') memcpy(out, p->alias, sizeof p->alias);
    else if (p->claimed[0] == '\0') memcpy(out, id8, sizeof id8);
    else if (has_name(p, p->claimed)) memcpy(out, p->claimed, strlen(p->claimed) + 1);
    else snprintf(out, PEER_DISPLAY_BYTES, "%s~%s", p->claimed, id8);
}

/* --- coming and going --- */

static bool may_forget(const struct peer *p)
{
    return !p->session && !p->reachable && p->mail == 0 && p->held == 0 && !p->blocked && p->alias[0] == '\0';
}

static void forget(struct peers *all, struct peer *p)
{
    for (unsigned i = 0; i < p->name_count; i++) {
        struct moth_id key = name_key(p->names[i]);
        id_map_remove(&all->by_name, &key);
    }
    id_map_remove(&all->by_id, &p->id);
    if (!p->has_keys) all->strangers--;
    peer_free(p);
}

/* Goes round the book, so that repeated forgetting does not look at the same slots again and again. */
static bool forget_one(struct peers *all, bool strangers_only)
{
    struct moth_id id;
    void *value;
    if (strangers_only && all->strangers == 0) return false; /* a long walk in vain */
    for (int round = 0; round < 2; round++, all->forget_at = 0)
        while (id_map_next(&all->by_id, &all->forget_at, &id, &value)) {
            if (!may_forget(value) || (strangers_only && ((struct peer *)value)->has_keys)) continue;
            forget(all, value);
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
    id_map_put(&all->by_id, id, p);
    all->strangers++;
    return p;
}

void peer_prove(struct peers *all, struct peer *p, const uint8_t ed25519_key[32], const uint8_t x25519_key[32])
{
    if (!p->has_keys) all->strangers--;
    p->has_keys = true;
    memcpy(p->ed25519_key, ed25519_key, 32);
    memcpy(p->x25519_key, x25519_key, 32);
}

bool peer_learn(struct peers *all, struct peer *p, const struct advert *a)
{
    peer_prove(all, p, a->ed25519_key, a->x25519_key);
    memcpy(p->claimed, a->name, sizeof p->claimed);
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
static struct known_address *place_for(struct peer *p, bool proven)
{
    struct known_address *place = NULL;
    if (p->address_count < PEER_ADDRESSES_MAX) return &p->addresses[p->address_count++];
    for (unsigned i = 0; i < p->address_count; i++) {
        struct known_address *k = &p->addresses[i];
        if (k->proven || (k->dialled_us == 0 && !proven)) continue;
        if (!place || k->dialled_us > place->dialled_us) place = k;
    }
    return place || !proven ? place : &p->addresses[0];
}

bool peer_add_address(struct peer *p, const struct address *a, enum address_scope scope_of_source, bool proven)
{
    if (!address_may_cross(a, scope_of_source)) return false;
    for (unsigned i = 0; i < p->address_count; i++) {
        if (!address_equal(&p->addresses[i].address, a)) continue;
        p->addresses[i].proven |= proven;
        return true;
    }
    struct known_address *place = place_for(p, proven);
    if (place) *place = (struct known_address){.address = *a, .proven = proven};
    return place != NULL;
}

/* --- finding by what people write --- */

static int resolve_prefix(const struct peers *all, const char *text, struct peer **out)
{
    struct moth_id id;
    void *value;
    struct peer *found = NULL;
    if (strlen(text) < 4) return MOTH_EUNKNOWN_PEER;
    if (moth_id_parse(text, strlen(text), &id) == 0) return (*out = peers_find(all, &id)) ? 0 : MOTH_EUNKNOWN_PEER;
    for (size_t at = 0; id_map_next(&all->by_id, &at, &id, &value);) {
        if (!id_has_prefix(&id, text)) continue;
        if (found) return MOTH_EAMBIGUOUS;
        found = value;
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
    size_t n = strlen(p->claimed);
    if (n != (size_t)(tilde - text) || memcmp(p->claimed, text, n) != 0) return MOTH_EUNKNOWN_PEER;
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
    struct peer **list = mem_array(all->by_id.count, sizeof *list);
    struct moth_id id;
    void *value;
    *count = 0;
    for (size_t at = 0; id_map_next(&all->by_id, &at, &id, &value);) list[(*count)++] = value;
    qsort(list, *count, sizeof *list, compare_peers);
    return list;
}
