/* keys.c -- two caches of end-to-end keys, see keys.h. Entries stand in order of making; the oldest makes room. */
#include "node/keys.h"

#include "base/mem.h"
#include "proto/noise.h"

#include <stdlib.h>

static const char label[] = "moth envelope 1";

struct key_entry {
    struct moth_id key; /* in its map */
    struct key_entry *newer;
    uint8_t epk[32];
    uint64_t made_us;
    struct aead *aead; /* owned */
};

void keys_init(struct keys *k, const struct moth_host *host, const struct identity *identity, uint64_t seed)
{
    *k = (struct keys){.host = host, .identity = identity};
    id_map_init(&k->sending.map, seed);
    id_map_init(&k->receiving.map, seed);
    id_map_init(&k->unproven.map, seed);
}

static void drop_oldest(struct key_cache *c)
{
    struct key_entry *e = c->oldest;
    c->oldest = e->newer;
    if (!c->oldest) c->newest = NULL;
    c->count--;
    if (id_map_find(&c->map, &e->key) == e) id_map_remove(&c->map, &e->key);
    aead_free(e->aead);
    free(e);
}

static void cache_fini(struct key_cache *c)
{
    while (c->oldest) drop_oldest(c);
    id_map_fini(&c->map);
}

void keys_fini(struct keys *k)
{
    cache_fini(&k->sending);
    cache_fini(&k->receiving);
    cache_fini(&k->unproven);
}

static struct key_entry *entry_new(const struct moth_id *key, const uint8_t epk[32], const uint8_t secret[32])
{
    struct key_entry *e = mem_new(sizeof *e);
    e->key = *key;
    e->aead = aead_new(secret);
    memcpy(e->epk, epk, 32);
    return e;
}

static void add(struct key_cache *c, struct key_entry *e, size_t max)
{
    if (c->count >= max) drop_oldest(c);
    if (c->newest) c->newest->newer = e;
    else c->oldest = e;
    c->newest = e;
    c->count++;
    id_map_put(&c->map, &e->key, e);
}

/* Takes an entry out without freeing it. */
static void take_out(struct key_cache *c, struct key_entry *e)
{
    struct key_entry *before = NULL;
    for (struct key_entry *at = c->oldest; at != e; at = at->newer) before = at;
    if (before) before->newer = e->newer;
    else c->oldest = e->newer;
    if (c->newest == e) c->newest = before;
    e->newer = NULL;
    c->count--;
    if (id_map_find(&c->map, &e->key) == e) id_map_remove(&c->map, &e->key);
}

/* NULL when there is none or its hour is over; those whose hour is over go. */
static struct key_entry *find_sending(struct keys *k, const struct moth_id *to, uint64_t now_us)
{
    struct key_cache *c = &k->sending;
    while (c->oldest && now_us - c->oldest->made_us >= KEY_LIFE_US) drop_oldest(c);
    return id_map_find(&c->map, to);
}

int keys_to(struct keys *k, const struct moth_id *to, const uint8_t x25519_key[32], uint8_t epk[32], struct aead **out)
{
    uint64_t now_us = k->host->now_us(k->host->context);
    struct key_entry *e = find_sending(k, to, now_us);
    if (!e) {
        uint8_t ephemeral[32], public[32], secret[32];
        k->host->random(k->host->context, ephemeral, sizeof ephemeral);
        int rc = noise_k_send_key(label, k->identity->x25519_secret, ephemeral, x25519_key, secret);
        if (rc == 0) {
            crypto_x25519_public(ephemeral, public);
            e = entry_new(to, public, secret);
            e->made_us = now_us;
            add(&k->sending, e, KEYS_MAX);
        }
        crypto_wipe(ephemeral, sizeof ephemeral);
        crypto_wipe(secret, sizeof secret);
        if (rc < 0) return rc;
    }
    memcpy(epk, e->epk, 32);
    *out = e->aead;
    return 0;
}

static struct moth_id receiving_key(const struct moth_id *from, const uint8_t epk[32])
{
    struct moth_id key;
    for (unsigned i = 0; i < MOTH_ID_BYTES; i++) key.bytes[i] = from->bytes[i] ^ epk[i]; /* compared in full below */
    return key;
}

static struct key_entry *find_receiving(const struct key_cache *c, const struct moth_id *key, const uint8_t epk[32])
{
    struct key_entry *e = id_map_find(&c->map, key);
    return e && memcmp(e->epk, epk, 32) == 0 ? e : NULL;
}

static int make_receiving(struct keys *k, const struct moth_id *key, const uint8_t x25519_key[32],
                          const uint8_t epk[32], struct key_entry **out)
{
    uint8_t secret[32];
    if (!bucket_take(&k->made, KEYS_PER_SECOND, KEYS_BURST, k->host->now_us(k->host->context))) return MOTH_ERATE;
    int rc = noise_k_receive_key(label, k->identity->x25519_secret, epk, x25519_key, secret);
    if (rc < 0) return rc;
    *out = entry_new(key, epk, secret);
    add(&k->unproven, *out, KEYS_UNPROVEN_MAX);
    crypto_wipe(secret, sizeof secret);
    return 0;
}

int keys_from(struct keys *k, const struct moth_id *from, const uint8_t x25519_key[32], const uint8_t epk[32],
              struct aead **out)
{
    struct moth_id key = receiving_key(from, epk);
    struct key_entry *e = find_receiving(&k->receiving, &key, epk);
    if (!e) e = find_receiving(&k->unproven, &key, epk);
    int rc = e ? 0 : make_receiving(k, &key, x25519_key, epk, &e);
    if (rc == 0) *out = e->aead;
    return rc;
}

void keys_proven(struct keys *k, const struct moth_id *from, const uint8_t epk[32])
{
    struct moth_id key = receiving_key(from, epk);
    struct key_entry *e = find_receiving(&k->unproven, &key, epk);
    if (!e) return;
    take_out(&k->unproven, e);
    add(&k->receiving, e, KEYS_MAX);
}
