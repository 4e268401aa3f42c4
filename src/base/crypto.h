/* crypto.h -- the door to libcrypto: primitives only, everything above is built from these.
 *
 * X25519 (RFC 7748), Ed25519 (RFC 8032), ChaCha20-Poly1305 (RFC 8439), SHA-256, HMAC and HKDF (RFC 2104, 5869),
 * scrypt (RFC 7914). Nothing here draws random numbers: keys come in as arguments, so callers stay repeatable. */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include "base/base.h"

#define CRYPTO_KEY_BYTES 32
#define CRYPTO_HASH_BYTES 32
#define CRYPTO_TAG_BYTES 16
#define CRYPTO_SIGNATURE_BYTES 64

void crypto_sha256(struct slice data, uint8_t out[32]);
void crypto_sha256_pair(struct slice a, struct slice b, uint8_t out[32]); /* over a followed by b */
void crypto_hmac(struct slice key, struct slice data, uint8_t out[32]);   /* HMAC-SHA256 */

/* The HKDF of the Noise specification (section 4.3): `count` (1 to 3) outputs of 32 bytes from a chaining key. */
void crypto_hkdf(const uint8_t chaining_key[32], struct slice material, uint8_t out[][32], unsigned count);

void crypto_x25519_public(const uint8_t secret[32], uint8_t out[32]);
/* MOTH_EFORGED: a weak key */
int crypto_x25519(const uint8_t secret[32], const uint8_t public_key[32], uint8_t out[32]);

void crypto_ed25519_public(const uint8_t seed[32], uint8_t out[32]);

/* Signs `label` followed by `data`: a signature made for one purpose never serves another. */
void crypto_sign(const uint8_t seed[32], const char *label, struct slice data, uint8_t out[64]);
int crypto_verify(const uint8_t public_key[32], const char *label, struct slice data, const uint8_t signature[64]);

/* A ChaCha20-Poly1305 key that is used often; the context is reused. */
struct aead;
struct aead *aead_new(const uint8_t key[32]);
void aead_free(struct aead *a); /* wipes the key; NULL is fine */

/* The nonce is 4 zero bytes and `nonce` little-endian, as in Noise. `out` may be `in.data`; it takes in.bytes + 16. */
void aead_seal(struct aead *a, uint64_t nonce, struct slice ad, struct slice in, uint8_t *out);
int aead_open(struct aead *a, uint64_t nonce, struct slice ad, struct slice in, uint8_t *out); /* MOTH_EFORGED */

/* N = 2^17, r = 8, p = 1: about half a second and 128 MiB. MOTH_EIO when the memory is not to be had. */
int crypto_scrypt(struct slice passphrase, struct slice salt, uint8_t out[32]);

/* Bytes as letters, digits, - and _: base64 in the alphabet for URLs, without padding (RFC 4648, section 5). The same
 * bytes have one text only. */
#define CRYPTO_BASE64_CHARACTERS(bytes) (((bytes) * 4 + 2) / 3)
void crypto_base64_encode(struct slice data, char *out); /* exactly that many characters, without a closing zero */
/* How many bytes goes to `*bytes`. MOTH_EMALFORMED: no such text; MOTH_ETOO_BIG: more than `capacity` bytes. */
int crypto_base64_decode(struct slice text, uint8_t *out, size_t capacity, size_t *bytes);

bool crypto_equal(const void *a, const void *b, size_t bytes); /* in constant time */
void crypto_wipe(void *secret, size_t bytes);                  /* not optimised away */

#endif
