/* keys.h -- the keys that seal messages end to end, kept while they are in use.
 *
 * A sending key belongs to one recipient and lives at most an hour; a receiving key belongs to a sender and the epk its
 * envelopes carry. Both are costly to make (two X25519) and cheap to keep, so the most recent ones are cached;
 * forgetting one costs time, never a message. Anybody on the way can invent an epk, so a receiving key counts as recent
 * only once it has opened something, and only so many new ones are made a second. */
#ifndef NODE_KEYS_H
#define NODE_KEYS_H

#include "base/crypto.h"
#include "base/id.h"
#include "moth/host.h"
#include "node/bucket.h"
#include "proto/identity.h"

#define KEYS_MAX 512 /* of each direction */
#define KEYS_UNPROVEN_MAX 8
#define KEYS_PER_SECOND 500u
#define KEYS_BURST 2000u
#define KEY_LIFE_US 3600000000u

struct key_entry;

struct key_cache {
    struct id_map map;
    struct key_entry *oldest, *newest; /* owned, in order of making */
    size_t count;                      /* of the list: the map may have replaced some */
};

struct keys {
    const struct moth_host *host;         /* borrowed */
    const struct identity *identity;      /* borrowed */
    struct key_cache sending, receiving;  /* by recipient; by sender and epk */
    struct key_cache unproven;            /* receiving keys that have opened nothing yet */
    struct bucket made;
};

void keys_init(struct keys *k, const struct moth_host *host, const struct identity *identity, uint64_t seed);
void keys_fini(struct keys *k);

/* The key for sealing to `to`; its public part goes to `epk`. Borrowed until the next call. MOTH_EFORGED: a weak
 * key. */
int keys_to(struct keys *k, const struct moth_id *to, const uint8_t x25519_key[32], uint8_t epk[32], struct aead **out);

/* The key for opening what `from` sealed under `epk`. Borrowed until the next call. MOTH_EFORGED: a weak key;
 * MOTH_ERATE. */
int keys_from(struct keys *k, const struct moth_id *from, const uint8_t x25519_key[32], const uint8_t epk[32],
              struct aead **out);

/* That key has opened something. */
void keys_proven(struct keys *k, const struct moth_id *from, const uint8_t epk[32]);

#endif
