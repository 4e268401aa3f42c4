/* envelope.h -- one message as bytes.
 *
 *   offset  size  meaning
 *        0     1  hop_limit: hops it may still take          \
 *        1     1  hops: hops it has taken                     } every hop rewrites these
 *        2     4  age_s: seconds since it was accepted       /
 *        6     1  kind (enum envelope_kind)                  \
 *        7     1  flags: 1 path, 2 re, 4 auto                 |
 *        8     4  ttl_s                                       |
 *       12    16  src                                         } authenticated end to end
 *       28    16  dst, zero for a broadcast                   |
 *       44     8  id                                          |
 *       52    32  epk; in a broadcast the origin's Ed25519   /
 *       84     n  sealed body: enc u8 | type_len u8 | type | [re u64] | sent_ms u64 | data, then its tag of 16
 *     84+n  [64]  broadcast only: the origin's signature over bytes 6 to 84+n
 *     84+n  8*hops  path (flag 1): the first 8 bytes of the id of each node that forwarded it, in order
 *
 * What a relay reads lies at fixed offsets; what it changes is outside the authenticated part, and the path stands at
 * the end, so forwarding is one copy. Keys come in ready-made; which key belongs to whom is the node's business. */
#ifndef PROTO_ENVELOPE_H
#define PROTO_ENVELOPE_H

#include "base/crypto.h"

#define ENVELOPE_HEAD_BYTES 84
#define ENVELOPE_FIXED_AT 6
#define ENVELOPE_FIXED_BYTES (ENVELOPE_HEAD_BYTES - ENVELOPE_FIXED_AT)
#define ENVELOPE_DATA_MAX 1000000u
#define ENVELOPE_TYPE_MAX 64u
#define ENVELOPE_HOPS_MAX 64u
#define ENVELOPE_PATH_BYTES 8u /* a hop */
#define ENVELOPE_BODY_OVERHEAD_MAX (2 + ENVELOPE_TYPE_MAX + 8 + 8 + CRYPTO_TAG_BYTES)

enum envelope_kind {
    ENVELOPE_DATA = 1,
    ENVELOPE_LIGHT = 2,
    ENVELOPE_REQUEST = 3,
    ENVELOPE_REPLY = 4,
    ENVELOPE_RECEIPT = 5,
    ENVELOPE_DEPOSIT = 6,
    ENVELOPE_HANDOVER = 7
};

enum envelope_flag { ENVELOPE_HAS_PATH = 1, ENVELOPE_HAS_RE = 2, ENVELOPE_IS_AUTO = 4 };
enum envelope_encoding { ENCODING_BYTES = 0, ENCODING_TEXT = 1, ENCODING_JSON = 2 };

/* A parsed head, and slices into the frame it was parsed from. */
struct envelope {
    uint8_t hop_limit, hops;
    uint32_t age_s;
    uint8_t kind, flags;
    uint32_t ttl_s;
    struct moth_id src, dst;
    uint64_t id;
    uint8_t epk[32];
    struct slice sealed;    /* borrowed: body ciphertext and tag */
    struct slice signature; /* borrowed: broadcasts only, else empty */
    struct slice path;      /* borrowed */
};

/* What the two ends see inside. */
struct envelope_body {
    uint8_t encoding;
    struct slice type; /* borrowed; matches [a-z0-9._-]{1,64} */
    uint64_t re;       /* meaningful with ENVELOPE_HAS_RE */
    uint64_t sent_ms;  /* since 1970, by the sender's clock */
    struct slice data; /* borrowed */
};

/* Checks every field of a MESSAGE (`broadcast` false) or BROADCAST body. MOTH_EMALFORMED (short, no room for a path of
 * 8 x hops, unknown flags, a zero src, dst zero without or non-zero with `broadcast`, a broadcast that is not light),
 * MOTH_EUNKNOWN_KIND, MOTH_EHOP_LIMIT (hops above ENVELOPE_HOPS_MAX). Nothing is decrypted. */
int envelope_view(struct slice frame_body, bool broadcast, struct envelope *out);

bool envelope_type_is_valid(struct slice type);

/* The bytes of the plain body: what the limits of mail count. */
size_t envelope_body_bytes(uint8_t flags, const struct envelope_body *body);

/* The bytes a sealed message takes as a frame body, without a path. */
size_t envelope_bytes(const struct envelope *head, const struct envelope_body *body, bool broadcast);

/* Writes the plain body's bytes (without tag) to `out`; returns the count. What is stored when a message is
 * accepted. */
size_t envelope_body_encode(uint8_t flags, const struct envelope_body *body, uint8_t *out);
int envelope_body_decode(uint8_t flags, struct slice plain, struct envelope_body *out); /* MOTH_EMALFORMED */

/* Writes head and sealed `plain_body` to `out` (ENVELOPE_HEAD_BYTES + plain_body.bytes + 16). `head->hops` is 0.
 * Returns the count. The same inputs give the same bytes. */
size_t envelope_seal(const struct envelope *head, struct slice plain_body, struct aead *key, uint8_t *out);

/* Opens `e->sealed`: writes the plain body to `out` (e->sealed.bytes - 16), which `body` then borrows. `frame_body` is
 * what `e` was parsed from. MOTH_EFORGED, or MOTH_EMALFORMED when the sender sealed nonsense. */
int envelope_open(const struct envelope *e, struct slice frame_body, struct aead *key, uint8_t *out,
                  struct envelope_body *body);

/* Broadcasts: the key anyone in the network derives for one origin; seal adds the signature (+64 bytes), with head->epk
 * set to the origin's Ed25519 key. verify checks that src is the hash of epk (MOTH_EFORGED) and the signature over what
 * `frame_body` holds. */
void envelope_broadcast_key(const uint8_t network_key[32], const struct moth_id *src, uint8_t out[32]);
size_t envelope_broadcast_seal(const struct envelope *head, struct slice plain_body, struct aead *key,
                               const uint8_t seed[32], uint8_t *out);
int envelope_broadcast_verify(const struct envelope *e, struct slice frame_body);

/* What a relay does to the bytes it forwards, in place: one hop more, one hop fewer left (the caller has seen that
 * hop_limit is above 0), and `age_s` as the new age. The path entry, if the message keeps a path, goes to `path_entry`
 * (8 bytes) to be appended behind the body: returns how many bytes to append (0 or 8). */
size_t envelope_patch(struct span frame_body, uint32_t age_s, const struct moth_id *me,
                      uint8_t path_entry[ENVELOPE_PATH_BYTES]);
void envelope_set_hop_limit(struct span frame_body, uint8_t hop_limit);

/* True when the path of `e` names `id`. */
bool envelope_path_has(const struct envelope *e, const struct moth_id *id);

/* The id that belongs to an Ed25519 public key: the first 16 bytes of its SHA-256. */
void envelope_id_of_key(const uint8_t ed25519_public[32], struct moth_id *out);

#endif
