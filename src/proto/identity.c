/* identity.c -- keys from a seed, see identity.h. */
#include "proto/identity.h"

#include "proto/envelope.h"

static const char proof_label[] = "moth key proof 1";
static const char derive_label[] = "moth x25519 key 1";

void identity_from_seed(struct identity *out, const uint8_t seed[32])
{
    memcpy(out->seed, seed, 32);
    crypto_ed25519_public(seed, out->ed25519_public);
    crypto_hmac(slice_of(seed, 32), slice_text(derive_label), out->x25519_secret);
    crypto_x25519_public(out->x25519_secret, out->x25519_public);
    crypto_sign(seed, proof_label, slice_of(out->x25519_public, 32), out->proof);
    envelope_id_of_key(out->ed25519_public, &out->id);
}

void identity_wipe(struct identity *who)
{
    crypto_wipe(who, sizeof *who);
}

int identity_check(const uint8_t ed25519_public[32], const uint8_t x25519_public[32],
                   const uint8_t proof[CRYPTO_SIGNATURE_BYTES], struct moth_id *id)
{
    int rc = crypto_verify(ed25519_public, proof_label, slice_of(x25519_public, 32), proof);
    if (rc == 0) envelope_id_of_key(ed25519_public, id);
    return rc;
}
