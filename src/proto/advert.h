/* advert.h -- "these are my neighbours", signed, as bytes.
 *
 *   offset  size  meaning
 *        0     4  caps: what the origin can do; unknown bits are kept and ignored
 *        4     8  boot: random, new at every start of the origin
 *       12     8  seq: newer replaces older
 *       20     4  lifetime_s, 1 to ADVERT_LIFETIME_MAX_S
 *       24    32  ed25519 key; its hash is the origin's id
 *       56    32  x25519 key
 *       88   1+n  name: length, bytes (1 to 32 of [A-Za-z0-9._-])
 *              1  number of addresses, at most 4; each as in address.h
 *              2  number of neighbours n, at most 512
 *         18 x n  neighbour id 16, cost u16 (at least 1); ids ascending, none twice, none the origin
 *             64  Ed25519 signature over all before it
 *
 * Only the origin speaks of its own links. Sequence numbers are compared before signatures are checked: the order of
 * the two is the caller's, so parsing and verifying are separate. */
#ifndef PROTO_ADVERT_H
#define PROTO_ADVERT_H

#include "base/crypto.h"
#include "proto/address.h"

#define ADVERT_ADDRESSES_MAX 4u
#define ADVERT_NEIGHBOURS_MAX 512u
#define ADVERT_LIFETIME_MAX_S 86400u
#define ADVERT_BYTES_MAX \
    (88 + 1 + MOTH_NAME_MAX + 1 + ADVERT_ADDRESSES_MAX * ADDRESS_BYTES_MAX + 2 + ADVERT_NEIGHBOURS_MAX * 18 + 64)

struct neighbour {
    struct moth_id id;
    uint16_t cost;
};

struct advert {
    uint32_t caps;
    uint64_t boot, seq;
    uint32_t lifetime_s;
    struct moth_id origin; /* derived from ed25519_key */
    uint8_t ed25519_key[32], x25519_key[32];
    char name[MOTH_NAME_MAX + 1];
    unsigned address_count;
    struct address addresses[ADVERT_ADDRESSES_MAX];
    unsigned neighbour_count;
    struct neighbour neighbours[ADVERT_NEIGHBOURS_MAX];
};

bool advert_name_is_valid(struct slice name); /* 1 to 32 of [A-Za-z0-9._-] */

/* Signs and writes at most ADVERT_BYTES_MAX bytes; returns the count. Neighbours are written in ascending order of id
 * whatever their order in `a`. `a->origin` is not written. */
size_t advert_encode(const struct advert *a, const uint8_t seed[32], uint8_t *out);

/* Checks the form and every bound; the signature is not checked. MOTH_EMALFORMED. */
int advert_decode(struct slice bytes, struct advert *out);

/* Reads only what decides whether a full look is worth it. MOTH_EMALFORMED when too short. */
int advert_peek(struct slice bytes, struct moth_id *origin, uint64_t *boot, uint64_t *seq);

int advert_verify(struct slice bytes); /* MOTH_EFORGED. `bytes` has passed advert_decode. */

#endif
