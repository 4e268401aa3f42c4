/* noise.c -- walks the tokens of a Noise pattern, see noise.h.
 *
 * A pattern is a row of a table: for each message the tokens that are sent or mixed, in order. One loop walks
 * them for the writer, one for the reader; both end in the same few steps, so the two ends cannot drift apart
 * unnoticed: whatever one has seen and the other has not shows as a tag that does not hold.
 *
 * What the specification calls SymmetricState and CipherState lies flat in struct noise_handshake:
 *
 *   hash          covers all that both ends know in common; it is the associated data of each encryption
 *   chaining_key  takes in each shared secret; the next keys come out of it
 *   key, nonce    encrypt the next static key or payload; until has_key these travel in the clear
 *
 * Lengths are checked before a message changes anything, so no token looks past the end. */
#include "proto/noise.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define MESSAGES_MAX 3
#define TOKENS_MAX 5

/* In ee, es, se and ss the initiator's key comes first: es is its ephemeral with the responder's static key. */
enum token { END, E, S, EE, ES, SE, SS, PSK };

struct noise_pattern {
    const char *name;
    bool initiator_known, responder_known; /* its static key is known to the other end beforehand */
    unsigned psks, messages;
    enum token tokens[MESSAGES_MAX][TOKENS_MAX + 1];
};

#define SUITE "_25519_ChaChaPoly_SHA256"

static const struct noise_pattern patterns[] = {
    {"Noise_N" SUITE, false, true, 0, 1, {{E, ES}}},
    {"Noise_K" SUITE, true, true, 0, 1, {{E, ES, SS}}},
    {"Noise_X" SUITE, false, true, 0, 1, {{E, ES, S, SS}}},
    {"Noise_Npsk0" SUITE, false, true, 1, 1, {{PSK, E, ES}}},
    {"Noise_Kpsk0" SUITE, true, true, 1, 1, {{PSK, E, ES, SS}}},
    {"Noise_Xpsk1" SUITE, false, true, 1, 1, {{E, ES, S, SS, PSK}}},
    {"Noise_XX" SUITE, false, false, 0, 3, {{E}, {E, EE, S, ES}, {S, SE}}},
    {"Noise_XXpsk0" SUITE, false, false, 1, 3, {{PSK, E}, {E, EE, S, ES}, {S, SE}}},
    {"Noise_XXpsk3" SUITE, false, false, 1, 3, {{E}, {E, EE, S, ES}, {S, SE, PSK}}},
    {"Noise_XXpsk0+psk3" SUITE, false, false, 2, 3, {{PSK, E}, {E, EE, S, ES}, {S, SE, PSK}}},
};

const struct noise_pattern *noise_pattern_find(const char *name)
{
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (strcmp(patterns[i].name, name) == 0) return &patterns[i];
    return NULL;
}

static void mix_hash(struct noise_handshake *h, struct slice data)
{
    crypto_sha256_pair(slice_of(h->hash, 32), data, h->hash);
}

static void set_key(struct noise_handshake *h, const uint8_t key[32])
{
    memcpy(h->key, key, 32);
    h->nonce = 0;
    h->has_key = true;
}

static void mix_key(struct noise_handshake *h, const uint8_t material[32])
{
    uint8_t out[2][32];
    crypto_hkdf(h->chaining_key, slice_of(material, 32), out, 2);
    memcpy(h->chaining_key, out[0], 32);
    set_key(h, out[1]);
    crypto_wipe(out, sizeof out);
}

static void mix_psk(struct noise_handshake *h)
{
    uint8_t out[3][32];
    crypto_hkdf(h->chaining_key, slice_of(h->psks[h->psk_used++], 32), out, 3);
    memcpy(h->chaining_key, out[0], 32);
    mix_hash(h, slice_of(out[1], 32));
    set_key(h, out[2]);
    crypto_wipe(out, sizeof out);
}

/* An ephemeral key also counts as key material where a psk is in play: it makes each key fresh (section 9.2). */
static void mix_ephemeral(struct noise_handshake *h, const uint8_t public_key[32])
{
    mix_hash(h, slice_of(public_key, 32));
    if (h->pattern->psks > 0) mix_key(h, public_key);
}

static int mix_dh(struct noise_handshake *h, enum token token)
{
    uint8_t shared[32];
    bool initiators_static = token == SE || token == SS, responders_static = token == ES || token == SS;
    bool my_static = h->initiator ? initiators_static : responders_static;
    bool their_static = h->initiator ? responders_static : initiators_static;
    int rc = crypto_x25519(my_static ? h->static_secret : h->ephemeral_secret,
                           their_static ? h->remote_static : h->remote_ephemeral, shared);
    if (rc == 0) mix_key(h, shared);
    crypto_wipe(shared, sizeof shared);
    return rc;
}

static size_t tag_bytes(const struct noise_handshake *h)
{
    return h->has_key ? CRYPTO_TAG_BYTES : 0;
}

static uint8_t *encrypt_and_hash(struct noise_handshake *h, struct slice in, uint8_t *out)
{
    size_t bytes = in.bytes + tag_bytes(h);
    if (h->has_key) {
        struct aead *aead = aead_new(h->key);
        aead_seal(aead, h->nonce++, slice_of(h->hash, 32), in, out);
        aead_free(aead);
    } else {
        put_bytes(out, in.data, in.bytes);
    }
    mix_hash(h, slice_of(out, bytes));
    return out + bytes;
}

static int decrypt_and_hash(struct noise_handshake *h, struct slice in, uint8_t *out)
{
    int rc = 0;
    if (h->has_key) {
        struct aead *aead = aead_new(h->key);
        rc = aead_open(aead, h->nonce++, slice_of(h->hash, 32), in, out);
        aead_free(aead);
    } else {
        put_bytes(out, in.data, in.bytes);
    }
    mix_hash(h, in);
    return rc;
}

/* How many times one end sends or mixes `token` in the messages it writes. */
static unsigned count_written(const struct noise_pattern *p, bool initiator, enum token token)
{
    unsigned count = 0;
    for (unsigned step = initiator ? 0 : 1; step < p->messages; step += 2)
        for (const enum token *t = p->tokens[step]; *t != END; t++) count += *t == token;
    return count;
}

static bool knows_static(const struct noise_pattern *p, bool initiator)
{
    return initiator ? p->initiator_known : p->responder_known;
}

static bool lacks_key(const struct noise_setup *s)
{
    const struct noise_pattern *p = s->pattern;
    bool uses_static = knows_static(p, s->initiator) || count_written(p, s->initiator, S) > 0;
    for (unsigned i = 0; i < p->psks; i++)
        if (!s->psks[i]) return true;
    return (uses_static && !s->static_secret) || (count_written(p, s->initiator, E) > 0 && !s->ephemeral_secret) ||
           (knows_static(p, !s->initiator) && !s->remote_static);
}

static void copy_keys(struct noise_handshake *h, const struct noise_setup *s)
{
    for (unsigned i = 0; i < h->pattern->psks; i++) memcpy(h->psks[i], s->psks[i], 32);
    if (s->static_secret) {
        memcpy(h->static_secret, s->static_secret, 32);
        crypto_x25519_public(h->static_secret, h->static_public);
    }
    if (s->ephemeral_secret) {
        memcpy(h->ephemeral_secret, s->ephemeral_secret, 32);
        crypto_x25519_public(h->ephemeral_secret, h->ephemeral_public);
    }
    if (knows_static(h->pattern, !h->initiator)) {
        memcpy(h->remote_static, s->remote_static, 32);
        h->has_remote_static = true;
    }
}

/* The pattern's name, the prologue, and the static keys known beforehand, the initiator's first. */
static void start_hash(struct noise_handshake *h, struct slice prologue)
{
    struct slice name = slice_text(h->pattern->name);
    if (name.bytes <= 32) memcpy(h->hash, name.data, name.bytes);
    else crypto_sha256(name, h->hash);
    memcpy(h->chaining_key, h->hash, 32);
    mix_hash(h, prologue);
    if (h->pattern->initiator_known) mix_hash(h, slice_of(h->initiator ? h->static_public : h->remote_static, 32));
    if (h->pattern->responder_known) mix_hash(h, slice_of(h->initiator ? h->remote_static : h->static_public, 32));
}

int noise_begin(struct noise_handshake *h, const struct noise_setup *setup)
{
    if (lacks_key(setup)) return MOTH_EARGUMENT;
    *h = (struct noise_handshake){.pattern = setup->pattern, .initiator = setup->initiator};
    copy_keys(h, setup);
    start_hash(h, setup->prologue);
    return 0;
}

void noise_wipe(struct noise_handshake *h)
{
    crypto_wipe(h, sizeof *h);
}

bool noise_is_done(const struct noise_handshake *h)
{
    return h->step == h->pattern->messages;
}

bool noise_my_turn(const struct noise_handshake *h)
{
    return !noise_is_done(h) && (h->step % 2 == 0) == h->initiator;
}

size_t noise_message_bytes(const struct noise_pattern *p, unsigned step, size_t payload_bytes)
{
    bool has_key = false;
    size_t keys_bytes = 0;
    assert(step < p->messages);
    for (unsigned i = 0; i <= step; i++) {
        keys_bytes = 0;
        for (const enum token *t = p->tokens[i]; *t != END; t++) {
            if (*t == E || *t == S) keys_bytes += CRYPTO_KEY_BYTES;
            if (*t == S && has_key) keys_bytes += CRYPTO_TAG_BYTES;
            if (*t == E ? p->psks > 0 : *t != S) has_key = true;
        }
    }
    return keys_bytes + payload_bytes + (has_key ? (size_t)CRYPTO_TAG_BYTES : 0);
}

static int mix_secret(struct noise_handshake *h, enum token token)
{
    if (token != PSK) return mix_dh(h, token);
    mix_psk(h);
    return 0;
}

static int write_tokens(struct noise_handshake *h, uint8_t **at)
{
    int rc = 0;
    for (const enum token *t = h->pattern->tokens[h->step]; *t != END && rc == 0; t++) {
        if (*t == E) {
            *at = put_bytes(*at, h->ephemeral_public, 32);
            mix_ephemeral(h, h->ephemeral_public);
        } else if (*t == S) {
            *at = encrypt_and_hash(h, slice_of(h->static_public, 32), *at);
        } else {
            rc = mix_secret(h, *t);
        }
    }
    return rc;
}

static int read_static(struct noise_handshake *h, struct reader *r)
{
    size_t bytes = CRYPTO_KEY_BYTES + tag_bytes(h);
    int rc = decrypt_and_hash(h, slice_of(read_raw(r, bytes), bytes), h->remote_static);
    h->has_remote_static = rc == 0;
    return rc;
}

static int read_tokens(struct noise_handshake *h, struct reader *r)
{
    int rc = 0;
    for (const enum token *t = h->pattern->tokens[h->step]; *t != END && rc == 0; t++) {
        if (*t == E) {
            read_copy(r, h->remote_ephemeral, 32);
            h->has_remote_ephemeral = true;
            mix_ephemeral(h, h->remote_ephemeral);
        } else if (*t == S) {
            rc = read_static(h, r);
        } else {
            rc = mix_secret(h, *t);
        }
    }
    return rc;
}

int noise_write(struct noise_handshake *h, struct slice payload, uint8_t *out, size_t *out_bytes)
{
    uint8_t *at = out;
    int rc;
    assert(noise_my_turn(h));
    assert(noise_message_bytes(h->pattern, h->step, payload.bytes) <= NOISE_MESSAGE_MAX);
    if ((rc = write_tokens(h, &at)) < 0) return rc;
    at = encrypt_and_hash(h, payload, at);
    h->step++;
    *out_bytes = (size_t)(at - out);
    return 0;
}

int noise_read(struct noise_handshake *h, struct slice message, uint8_t *payload, size_t *payload_bytes)
{
    struct reader r = reader_of(message);
    int rc;
    assert(!noise_my_turn(h) && !noise_is_done(h));
    size_t least = noise_message_bytes(h->pattern, h->step, 0);
    if (message.bytes < least || message.bytes > NOISE_MESSAGE_MAX) return MOTH_EMALFORMED;
    if ((rc = read_tokens(h, &r)) < 0) return rc;
    if ((rc = decrypt_and_hash(h, slice_of(r.at, reader_left(&r)), payload)) < 0) return rc;
    h->step++;
    *payload_bytes = message.bytes - least;
    return 0;
}

/* The first key is the initiator's to send with, the second the responder's. */
void noise_split(struct noise_handshake *h, struct noise_cipher *send, struct noise_cipher *receive)
{
    struct noise_handshake kept = {.pattern = h->pattern, .initiator = h->initiator, .step = h->step,
                                   .has_remote_static = h->has_remote_static};
    uint8_t keys[2][32];
    assert(noise_is_done(h));
    crypto_hkdf(h->chaining_key, slice_of(NULL, 0), keys, 2);
    *send = (struct noise_cipher){.aead = aead_new(keys[h->initiator ? 0 : 1])};
    *receive = (struct noise_cipher){.aead = aead_new(keys[h->initiator ? 1 : 0])};
    crypto_wipe(keys, sizeof keys);
    memcpy(kept.hash, h->hash, 32);
    memcpy(kept.remote_static, h->remote_static, 32);
    noise_wipe(h);
    *h = kept;
}

void noise_cipher_fini(struct noise_cipher *c)
{
    aead_free(c->aead);
    *c = (struct noise_cipher){0};
}

/* A counter that came round would seal two messages under one nonce; at 64 bits none does. */
void noise_seal(struct noise_cipher *c, struct slice in, uint8_t *out)
{
    assert(c->nonce < UINT64_MAX);
    aead_seal(c->aead, c->nonce++, slice_of(NULL, 0), in, out);
}

int noise_open(struct noise_cipher *c, struct slice in, uint8_t *out)
{
    assert(c->nonce < UINT64_MAX);
    if (in.bytes < CRYPTO_TAG_BYTES) return MOTH_EMALFORMED;
    int rc = aead_open(c->aead, c->nonce, slice_of(NULL, 0), in, out);
    if (rc == 0) c->nonce++;
    return rc;
}

size_t noise_record_seal(struct noise_cipher *c, struct slice in, uint8_t *out)
{
    assert(in.bytes >= 1 && in.bytes <= NOISE_RECORD_MAX);
    noise_seal(c, in, put_uint(out, in.bytes + CRYPTO_TAG_BYTES, 2));
    return in.bytes + NOISE_RECORD_OVERHEAD;
}

int noise_record_next(struct noise_cipher *c, struct span wire, struct span *plain, size_t *used)
{
    *used = 2;
    if (wire.bytes < 2) return 0;
    size_t bytes = (size_t)get_uint(wire.data, 2);
    if (bytes <= CRYPTO_TAG_BYTES || bytes > NOISE_RECORD_MAX + CRYPTO_TAG_BYTES) return MOTH_EMALFORMED;
    *used = 2 + bytes;
    if (wire.bytes < *used) return 0;
    int rc = noise_open(c, slice_of(wire.data + 2, bytes), wire.data + 2);
    if (rc < 0) return rc;
    *plain = (struct span){.data = wire.data + 2, .bytes = bytes - CRYPTO_TAG_BYTES};
    return 1;
}

/* HMAC-SHA256 of the hash and the label, keyed by the chaining key. */
static void k_key(const struct noise_handshake *h, const char *label, uint8_t out[32])
{
    size_t label_bytes = strlen(label);
    uint8_t *input = mem_new(32 + label_bytes);
    put_bytes(put_bytes(input, h->hash, 32), label, label_bytes);
    crypto_hmac(slice_of(h->chaining_key, 32), slice_of(input, 32 + label_bytes), out);
    free(input);
}

/* The pattern K, with the label as its prologue; the caller's keys are all there. */
static void k_begin(struct noise_handshake *h, const char *label, bool sender, const uint8_t *static_secret,
                    const uint8_t *ephemeral_secret, const uint8_t *remote_static)
{
    int rc = noise_begin(h, &(struct noise_setup){
        .pattern = noise_pattern_find("Noise_K" SUITE), .initiator = sender, .prologue = slice_text(label),
        .static_secret = static_secret, .ephemeral_secret = ephemeral_secret, .remote_static = remote_static});
    assert(rc == 0);
    (void)rc;
}

int noise_k_send_key(const char *label, const uint8_t static_secret[32], const uint8_t ephemeral_secret[32],
                     const uint8_t remote_static[32], uint8_t out[32])
{
    struct noise_handshake h;
    uint8_t ephemeral_public[32], *at = ephemeral_public;
    k_begin(&h, label, true, static_secret, ephemeral_secret, remote_static);
    int rc = write_tokens(&h, &at);
    if (rc == 0) k_key(&h, label, out);
    noise_wipe(&h);
    return rc;
}

int noise_k_receive_key(const char *label, const uint8_t static_secret[32], const uint8_t remote_ephemeral[32],
                        const uint8_t remote_static[32], uint8_t out[32])
{
    struct noise_handshake h;
    struct reader r = reader_of(slice_of(remote_ephemeral, 32));
    k_begin(&h, label, false, static_secret, NULL, remote_static);
    int rc = read_tokens(&h, &r);
    if (rc == 0) k_key(&h, label, out);
    noise_wipe(&h);
    return rc;
}
