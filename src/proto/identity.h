/* identity.h -- who a node is: one seed of 32 bytes, and everything that follows from it.
 *
 * The Ed25519 key signs adverts and broadcasts and its hash is the id. The X25519 key, for links and sealed messages,
 * derives from the same seed and is vouched for by a signature: id, Ed25519 key, proof and X25519 key belong together
 * for ever, a new key is a new id. */
#ifndef PROTO_IDENTITY_H
#define PROTO_IDENTITY_H

#include "base/crypto.h"

struct identity {
    uint8_t seed[32], ed25519_public[32];
    uint8_t x25519_secret[32], x25519_public[32];
    uint8_t proof[CRYPTO_SIGNATURE_BYTES]; /* our signature over x25519_public */
    struct moth_id id;
};

void identity_from_seed(struct identity *out, const uint8_t seed[32]);
void identity_wipe(struct identity *who);

/* Checks what somebody else presents, and names them. MOTH_EFORGED. */
int identity_check(const uint8_t ed25519_public[32], const uint8_t x25519_public[32],
                   const uint8_t proof[CRYPTO_SIGNATURE_BYTES], struct moth_id *id);

#endif
