/* crypto.c -- libcrypto's primitives behind plain functions, see crypto.h.
 *
 * Algorithms are fetched by name once and kept for good: a fetch costs more than hashing a short message. A call that
 * fails only when memory or the library itself is broken ends the process, as an allocation does (mem.h); what a
 * peer's bytes can cause -- a weak key, a tag or a signature that does not hold -- is returned. Secrets on the stack
 * are wiped, libcrypto wipes its own. */
#include "base/crypto.h"

#include "base/mem.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define NONCE_BYTES 12
#define SCRYPT_MEMORY_MAX (256u << 20) /* bytes; N = 2^17 with r = 8 takes a little over 128 MiB */

/* Written once, read by every thread. */
static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static EVP_MD *sha256;
static EVP_MAC *hmac;
static EVP_CIPHER *chacha20_poly1305;

static void must(bool succeeded)
{
    if (succeeded) return;
    fputs("moth: libcrypto failed\n", stderr);
    abort();
}

static void fetch_algorithms(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    chacha20_poly1305 = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    must(sha256 && hmac && chacha20_poly1305);
}

static void need_algorithms(void)
{
    must(CRYPTO_THREAD_run_once(&once, fetch_algorithms) == 1);
}

void crypto_sha256(struct slice data, uint8_t out[32])
{
    crypto_sha256_pair(data, slice_of(NULL, 0), out);
}

void crypto_sha256_pair(struct slice a, struct slice b, uint8_t out[32])
{
    need_algorithms();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    must(ctx && EVP_DigestInit_ex2(ctx, sha256, NULL) == 1);
    must(EVP_DigestUpdate(ctx, a.data, a.bytes) == 1 && EVP_DigestUpdate(ctx, b.data, b.bytes) == 1);
    must(EVP_DigestFinal_ex(ctx, out, NULL) == 1);
    EVP_MD_CTX_free(ctx);
}

void crypto_hmac(struct slice key, struct slice data, uint8_t out[32])
{
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    static const uint8_t empty[1]; /* to libcrypto a NULL key means "as before" */
    need_algorithms();
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);
    must(ctx && EVP_MAC_init(ctx, key.data ? key.data : empty, key.bytes, parameters) == 1);
    must(EVP_MAC_update(ctx, data.data, data.bytes) == 1);
    must(EVP_MAC_final(ctx, out, NULL, CRYPTO_HASH_BYTES) == 1);
    EVP_MAC_CTX_free(ctx);
}

/* Output i is the HMAC, under a key made of the material, of output i - 1 followed by the byte i. */
void crypto_hkdf(const uint8_t chaining_key[32], struct slice material, uint8_t out[][32], unsigned count)
{
    uint8_t key[32], input[33];
    size_t before = 0;
    assert(count >= 1 && count <= 3);
    crypto_hmac(slice_of(chaining_key, 32), material, key);
    for (unsigned i = 0; i < count; i++) {
        input[before] = (uint8_t)(i + 1);
        crypto_hmac(slice_of(key, 32), slice_of(input, before + 1), out[i]);
        memcpy(input, out[i], 32);
        before = 32;
    }
    crypto_wipe(key, sizeof key);
    crypto_wipe(input, sizeof input);
}

static EVP_PKEY *secret_key(const char *algorithm, const uint8_t secret[32])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, algorithm, NULL, secret, CRYPTO_KEY_BYTES);
    must(key != NULL);
    return key;
}

static EVP_PKEY *public_key_of(const char *algorithm, const uint8_t bytes[32])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(NULL, algorithm, NULL, bytes, CRYPTO_KEY_BYTES);
    must(key != NULL);
    return key;
}

static void derive_public(const char *algorithm, const uint8_t secret[32], uint8_t out[32])
{
    size_t bytes = CRYPTO_KEY_BYTES;
    EVP_PKEY *key = secret_key(algorithm, secret);
    must(EVP_PKEY_get_raw_public_key(key, out, &bytes) == 1);
    EVP_PKEY_free(key);
}

void crypto_x25519_public(const uint8_t secret[32], uint8_t out[32])
{
    derive_public("X25519", secret, out);
}

int crypto_x25519(const uint8_t secret[32], const uint8_t public_key[32], uint8_t out[32])
{
    size_t bytes = CRYPTO_KEY_BYTES;
    EVP_PKEY *mine = secret_key("X25519", secret), *theirs = public_key_of("X25519", public_key);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, mine, NULL);
    must(ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer_ex(ctx, theirs, 0) == 1);
    int rc = EVP_PKEY_derive(ctx, out, &bytes) == 1 ? 0 : MOTH_EFORGED; /* it fails when the result is all zero */
    if (rc < 0) ERR_clear_error();
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(theirs);
    EVP_PKEY_free(mine);
    return rc;
}

void crypto_ed25519_public(const uint8_t seed[32], uint8_t out[32])
{
    derive_public("ED25519", seed, out);
}

/* Ed25519 reads its input twice, so libcrypto wants it in one piece. The caller frees `data`. */
static struct span join_label(const char *label, struct slice data)
{
    size_t label_bytes = strlen(label), bytes = label_bytes + data.bytes;
    uint8_t *joined = mem_new(bytes);
    put_bytes(put_bytes(joined, label, label_bytes), data.data, data.bytes);
    return (struct span){.data = joined, .bytes = bytes};
}

void crypto_sign(const uint8_t seed[32], const char *label, struct slice data, uint8_t out[64])
{
    size_t bytes = CRYPTO_SIGNATURE_BYTES;
    EVP_PKEY *key = secret_key("ED25519", seed);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct span joined = join_label(label, data);
    must(ctx && EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) == 1);
    must(EVP_DigestSign(ctx, out, &bytes, joined.data, joined.bytes) == 1);
    free(joined.data);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
}

int crypto_verify(const uint8_t public_key[32], const char *label, struct slice data, const uint8_t signature[64])
{
    EVP_PKEY *key = public_key_of("ED25519", public_key);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct span joined = join_label(label, data);
    must(ctx && EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) == 1);
    bool holds = EVP_DigestVerify(ctx, signature, CRYPTO_SIGNATURE_BYTES, joined.data, joined.bytes) == 1;
    if (!holds) ERR_clear_error();
    free(joined.data);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return holds ? 0 : MOTH_EFORGED;
}

/* The context holds the expanded key, about a kilobyte; a message sets its nonce only. */
struct aead {
    EVP_CIPHER_CTX *ctx; /* owned */
};

struct aead *aead_new(const uint8_t key[32])
{
    need_algorithms();
    struct aead *a = mem_new(sizeof *a);
    a->ctx = EVP_CIPHER_CTX_new();
    must(a->ctx && EVP_CipherInit_ex2(a->ctx, chacha20_poly1305, key, NULL, 1, NULL) == 1);
    return a;
}

void aead_free(struct aead *a)
{
    if (!a) return;
    EVP_CIPHER_CTX_free(a->ctx);
    free(a);
}

/* Sets direction and nonce, and takes the associated data. */
static void start_message(struct aead *a, bool seal, uint64_t nonce, struct slice ad)
{
    uint8_t iv[NONCE_BYTES] = {0};
    int n;
    assert(ad.bytes <= INT_MAX);
    for (unsigned i = 0; i < 8; i++) iv[4 + i] = (uint8_t)(nonce >> (8 * i));
    must(EVP_CipherInit_ex2(a->ctx, NULL, NULL, iv, seal, NULL) == 1);
    if (ad.bytes > 0) must(EVP_CipherUpdate(a->ctx, NULL, &n, ad.data, (int)ad.bytes) == 1);
}

static void pass_data(struct aead *a, const uint8_t *in, size_t bytes, uint8_t *out)
{
    int n;
    assert(bytes <= INT_MAX);
    if (bytes > 0) must(EVP_CipherUpdate(a->ctx, out, &n, in, (int)bytes) == 1);
}

void aead_seal(struct aead *a, uint64_t nonce, struct slice ad, struct slice in, uint8_t *out)
{
    uint8_t *tag = out + in.bytes;
    int n;
    start_message(a, true, nonce, ad);
    pass_data(a, in.data, in.bytes, out);
    must(EVP_CipherFinal_ex(a->ctx, tag, &n) == 1);
    must(EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG_BYTES, tag) == 1);
}

int aead_open(struct aead *a, uint64_t nonce, struct slice ad, struct slice in, uint8_t *out)
{
    uint8_t tag[CRYPTO_TAG_BYTES], nothing[1];
    int n;
    if (in.bytes < CRYPTO_TAG_BYTES) return MOTH_EFORGED;
    size_t bytes = in.bytes - CRYPTO_TAG_BYTES;
    memcpy(tag, in.data + bytes, sizeof tag);
    start_message(a, false, nonce, ad);
    must(EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_SET_TAG, CRYPTO_TAG_BYTES, tag) == 1);
    pass_data(a, in.data, bytes, out);
    if (EVP_CipherFinal_ex(a->ctx, nothing, &n) == 1) return 0;
    if (bytes > 0) memset(out, 0, bytes); /* what nobody vouches for is not left for anyone to read */
    return MOTH_EFORGED;
}

int crypto_scrypt(struct slice passphrase, struct slice salt, uint8_t out[32])
{
    int done = EVP_PBE_scrypt((const char *)passphrase.data, passphrase.bytes, salt.data, salt.bytes, 1u << 17, 8, 1,
                              SCRYPT_MEMORY_MAX, out, CRYPTO_KEY_BYTES);
    if (done != 1) ERR_clear_error();
    return done == 1 ? 0 : MOTH_EIO;
}

/* libcrypto knows the other alphabet, with + and /. */
static char to_url(unsigned char c)
{
    return c == '+' ? '-' : c == '/' ? '_' : (char)c;
}

static bool from_url(uint8_t c, unsigned char *out)
{
    uint8_t lower = c | 0x20;
    *out = c == '-' ? '+' : c == '_' ? '/' : c;
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

void crypto_base64_encode(struct slice data, char *out)
{
    unsigned char group[5];
    for (size_t at = 0; at < data.bytes; at += 3) {
        size_t n = data.bytes - at < 3 ? data.bytes - at : 3;
        must(EVP_EncodeBlock(group, data.data + at, (int)n) == 4);
        for (size_t i = 0; i <= n; i++) *out++ = to_url(group[i]);
    }
    crypto_wipe(group, sizeof group);
}

/* 2 to 4 characters to 1 to 3 bytes. No encoder leaves bits behind them: other texts would mean the same bytes. */
static int decode_group(struct slice text, uint8_t out[3])
{
    unsigned char group[4] = {'A', 'A', 'A', 'A'};
    for (size_t i = 0; i < text.bytes; i++)
        if (!from_url(text.data[i], &group[i])) return MOTH_EMALFORMED;
    must(EVP_DecodeBlock(out, group, sizeof group) == 3);
    crypto_wipe(group, sizeof group);
    for (size_t i = text.bytes - 1; i < 3; i++)
        if (out[i] != 0) return MOTH_EMALFORMED;
    return 0;
}

int crypto_base64_decode(struct slice text, uint8_t *out, size_t capacity, size_t *bytes)
{
    uint8_t group[3];
    int rc = 0;
    if (text.bytes % 4 == 1) return MOTH_EMALFORMED;
    if (text.bytes / 4 * 3 + text.bytes % 4 * 3 / 4 > capacity) return MOTH_ETOO_BIG;
    *bytes = 0;
    for (size_t at = 0; rc == 0 && at < text.bytes; at += 4) {
        size_t n = text.bytes - at < 4 ? text.bytes - at : 4;
        rc = decode_group(slice_of(text.data + at, n), group);
        if (rc == 0) memcpy(out + *bytes, group, n - 1);
        *bytes += n - 1;
    }
    crypto_wipe(group, sizeof group);
    return rc;
}

bool crypto_equal(const void *a, const void *b, size_t bytes)
{
    return CRYPTO_memcmp(a, b, bytes) == 0;
}

void crypto_wipe(void *secret, size_t bytes)
{
    OPENSSL_cleanse(secret, bytes);
}
