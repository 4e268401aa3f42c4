/* noise.h -- the Noise handshakes as numbered pure steps, and the records that follow.
 *
 * The Noise Protocol Framework, revision 34 (noiseprotocol.org), over 25519, ChaChaPoly and SHA256. A handshake knows
 * no socket, clock or random source: keys and messages come in as bytes, messages go out as bytes. One small
 * interpreter walks a pattern's tokens, so that the published vectors of XX, XXpsk3, N, K, X ... exercise the very
 * code that runs XXpsk0, the pattern of moth's links.
 *
 * A link's record on the wire:
 *
 *   offset  size  meaning
 *        0     2  bytes that follow: ciphertext and tag, from 17 to NOISE_RECORD_MAX + 16
 *        2     n  ciphertext
 *      2+n    16  tag
 */
#ifndef PROTO_NOISE_H
#define PROTO_NOISE_H

#include "base/crypto.h"

#define NOISE_MESSAGE_MAX 65535
#define NOISE_RECORD_MAX 16384 /* plaintext bytes in one record of a link */
#define NOISE_RECORD_OVERHEAD (2 + CRYPTO_TAG_BYTES)

struct noise_pattern;

/* Looks a pattern up by its full name, "Noise_XXpsk0_25519_ChaChaPoly_SHA256"; NULL when it is not implemented. */
const struct noise_pattern *noise_pattern_find(const char *name);

struct noise_setup {
    const struct noise_pattern *pattern;
    bool initiator;
    struct slice prologue;
    const uint8_t *static_secret;    /* 32 bytes, borrowed for the call; NULL where the pattern needs none */
    const uint8_t *ephemeral_secret; /* 32 bytes, fresh from the host's randomness */
    const uint8_t *remote_static;    /* public; NULL unless the pattern knows it beforehand */
    const uint8_t *psks[2];          /* in the order the pattern uses them; NULL beyond */
};

struct noise_handshake {
    const struct noise_pattern *pattern;
    bool initiator;
    unsigned step;     /* messages done so far: message 0, 1, 2 ... */
    unsigned psk_used;
    uint8_t chaining_key[32], hash[32], key[32];
    bool has_key, has_remote_static, has_remote_ephemeral;
    uint64_t nonce;
    uint8_t static_secret[32], static_public[32], ephemeral_secret[32], ephemeral_public[32];
    uint8_t remote_static[32], remote_ephemeral[32];
    uint8_t psks[2][32];
};

/* Copies all keys. MOTH_EARGUMENT when the pattern needs a key that `setup` lacks. */
int noise_begin(struct noise_handshake *h, const struct noise_setup *setup);
void noise_wipe(struct noise_handshake *h);

bool noise_my_turn(const struct noise_handshake *h); /* true: write the next message, false: read it (or done) */
bool noise_is_done(const struct noise_handshake *h);

/* Exact bytes of handshake message `step` carrying `payload_bytes`, so that a reader knows what to wait for. */
size_t noise_message_bytes(const struct noise_pattern *p, unsigned step, size_t payload_bytes);

/* The next message. `out` holds at least noise_message_bytes(...). MOTH_EFORGED: the remote key is weak. */
int noise_write(struct noise_handshake *h, struct slice payload, uint8_t *out, size_t *out_bytes);

/* Reads the next message. `payload` takes at least message.bytes. MOTH_EMALFORMED: too short or too long; MOTH_EFORGED:
 * a tag does not hold or a key is weak. After an error only noise_wipe may follow. */
int noise_read(struct noise_handshake *h, struct slice message, uint8_t *payload, size_t *payload_bytes);

/* One direction of transport: a key and a counter. */
struct noise_cipher {
    struct aead *aead;
    uint64_t nonce;
};

/* Once done: the two directions. One-way patterns use only the first message's direction. Wipes `h` but for hash and
 * remote_static, which identify the link. */
void noise_split(struct noise_handshake *h, struct noise_cipher *send, struct noise_cipher *receive);
void noise_cipher_fini(struct noise_cipher *c);

/* Plain transport messages, as in the specification: `out` takes in.bytes + 16 (seal) or in.bytes - 16 (open, which may
 * be in place). noise_open: MOTH_EMALFORMED when shorter than a tag, MOTH_EFORGED. */
void noise_seal(struct noise_cipher *c, struct slice in, uint8_t *out);
int noise_open(struct noise_cipher *c, struct slice in, uint8_t *out);

/* One record: writes in.bytes (1 to NOISE_RECORD_MAX) + NOISE_RECORD_OVERHEAD bytes to `out`; returns that count. */
size_t noise_record_seal(struct noise_cipher *c, struct slice in, uint8_t *out);

/* Looks at the start of `wire`. 1: a record was opened in place, `*plain` points into `wire`, `*used` bytes are done
 * with. 0: `*used` (the whole record's bytes, or 2 while even the length is missing) are needed. MOTH_EMALFORMED: a
 * length that cannot be; MOTH_EFORGED. */
int noise_record_next(struct noise_cipher *c, struct span wire, struct span *plain, size_t *used);

/* The shared key of two static keys and one ephemeral, in the manner of Noise_K: the state after tokens e, es, ss,
 * hashed with `label`. The sender gives its secrets, the recipient its own; both get the same 32 bytes. MOTH_EFORGED:
 * weak key. */
int noise_k_send_key(const char *label, const uint8_t static_secret[32], const uint8_t ephemeral_secret[32],
                     const uint8_t remote_static[32], uint8_t out[32]);
int noise_k_receive_key(const char *label, const uint8_t static_secret[32], const uint8_t remote_ephemeral[32],
                        const uint8_t remote_static[32], uint8_t out[32]);

#endif
