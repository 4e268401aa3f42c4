/* envelope.c -- messages as bytes, see envelope.h for their layout.
 *
 * Three readers look at the same bytes: the sender and the recipient through seal and open, everyone in between through
 * view and patch. View checks all that can be checked without a key, so that a relay never carries what the next one
 * must refuse; open trusts nothing view has not seen. What is authenticated is the fixed part exactly as it lies in the
 * frame, never a re-encoding of what was parsed from it. */
#include "proto/envelope.h"

#include "base/id.h"

#include <assert.h>

static const char signature_label[] = "moth broadcast 1";
static const char key_label[] = "moth broadcast key 1";

enum { HOP_LIMIT_AT = 0, HOPS_AT = 1, AGE_AT = 2, FLAGS_AT = 7 };

static void read_head(const uint8_t *head, struct envelope *out)
{
    struct reader r = reader_of(slice_of(head, ENVELOPE_HEAD_BYTES));
    *out = (struct envelope){0};
    out->hop_limit = (uint8_t)read_uint(&r, 1);
    out->hops = (uint8_t)read_uint(&r, 1);
    out->age_s = (uint32_t)read_uint(&r, 4);
    out->kind = (uint8_t)read_uint(&r, 1);
    out->flags = (uint8_t)read_uint(&r, 1);
    out->ttl_s = (uint32_t)read_uint(&r, 4);
    read_id(&r, &out->src);
    read_id(&r, &out->dst);
    out->id = read_uint(&r, 8);
    read_copy(&r, out->epk, sizeof out->epk);
}

static int check_head(const struct envelope *e, bool broadcast)
{
    if (e->kind < ENVELOPE_DATA || e->kind > ENVELOPE_HANDOVER) return MOTH_EUNKNOWN_KIND;
    if (e->flags & ~(ENVELOPE_HAS_PATH | ENVELOPE_HAS_RE | ENVELOPE_IS_AUTO)) return MOTH_EMALFORMED;
    if (id_is_zero(&e->src) || id_is_zero(&e->dst) != broadcast) return MOTH_EMALFORMED;
    if (broadcast && e->kind != ENVELOPE_LIGHT) return MOTH_EMALFORMED;
    if (e->hops > ENVELOPE_HOPS_MAX) return MOTH_EHOP_LIMIT;
    return 0;
}

int envelope_view(struct slice frame_body, bool broadcast, struct envelope *out)
{
    int rc;
    if (frame_body.bytes < ENVELOPE_HEAD_BYTES) return MOTH_EMALFORMED;
    read_head(frame_body.data, out);
    if ((rc = check_head(out, broadcast)) < 0) return rc;

    size_t path_bytes = out->flags & ENVELOPE_HAS_PATH ? out->hops * ENVELOPE_PATH_BYTES : 0;
    size_t tail_bytes = path_bytes + (broadcast ? CRYPTO_SIGNATURE_BYTES : 0);
    if (frame_body.bytes < ENVELOPE_HEAD_BYTES + CRYPTO_TAG_BYTES + tail_bytes) return MOTH_EMALFORMED;

    struct reader r = reader_of(frame_body);
    read_raw(&r, ENVELOPE_HEAD_BYTES);
    size_t sealed_bytes = reader_left(&r) - tail_bytes;
    out->sealed = slice_of(read_raw(&r, sealed_bytes), sealed_bytes);
    out->signature = slice_of(read_raw(&r, tail_bytes - path_bytes), tail_bytes - path_bytes);
    out->path = slice_of(read_raw(&r, path_bytes), path_bytes);
    return 0;
}

bool envelope_type_is_valid(struct slice type)
{
    if (type.bytes < 1 || type.bytes > ENVELOPE_TYPE_MAX) return false;
    for (size_t i = 0; i < type.bytes; i++) {
        uint8_t c = type.data[i];
        bool is_letter = c >= 'a' && c <= 'z', is_digit = c >= '0' && c <= '9';
        if (!is_letter && !is_digit && c != '.' && c != '_' && c != '-') return false;
    }
    return true;
}

size_t envelope_body_bytes(uint8_t flags, const struct envelope_body *body)
{
    return 2 + body->type.bytes + (flags & ENVELOPE_HAS_RE ? 8u : 0u) + 8 + body->data.bytes;
}

size_t envelope_bytes(const struct envelope *head, const struct envelope_body *body, bool broadcast)
{
    size_t plain_bytes = envelope_body_bytes(head->flags, body);
    return ENVELOPE_HEAD_BYTES + plain_bytes + CRYPTO_TAG_BYTES + (broadcast ? CRYPTO_SIGNATURE_BYTES : 0);
}

/*   offset  size  meaning
 *        0     1  encoding
 *        1     1  length of the type, 1 to ENVELOPE_TYPE_MAX
 *        2     t  type
 *      2+t   [8]  id of the message answered (flag 2)
 *   2+t[+8]    8  sent_ms
 *  10+t[+8]    n  data, to the end */
size_t envelope_body_encode(uint8_t flags, const struct envelope_body *body, uint8_t *out)
{
    uint8_t *at = out;
    assert(body->encoding <= ENCODING_JSON && envelope_type_is_valid(body->type));
    at = put_uint(at, body->encoding, 1);
    at = put_uint(at, body->type.bytes, 1);
    at = put_bytes(at, body->type.data, body->type.bytes);
    if (flags & ENVELOPE_HAS_RE) at = put_uint(at, body->re, 8);
    at = put_uint(at, body->sent_ms, 8);
    at = put_bytes(at, body->data.data, body->data.bytes);
    return (size_t)(at - out);
}

int envelope_body_decode(uint8_t flags, struct slice plain, struct envelope_body *out)
{
    struct reader r = reader_of(plain);
    out->encoding = (uint8_t)read_uint(&r, 1);
    out->type.bytes = (size_t)read_uint(&r, 1);
    out->type.data = read_raw(&r, out->type.bytes);
    out->re = flags & ENVELOPE_HAS_RE ? read_uint(&r, 8) : 0;
    out->sent_ms = read_uint(&r, 8);
    out->data = slice_of(r.at, reader_left(&r));
    if (r.failed || out->encoding > ENCODING_JSON || !envelope_type_is_valid(out->type)) return MOTH_EMALFORMED;
    return 0;
}

static uint8_t *put_head(uint8_t *at, const struct envelope *head)
{
    at = put_uint(at, head->hop_limit, 1);
    at = put_uint(at, head->hops, 1);
    at = put_uint(at, head->age_s, 4);
    at = put_uint(at, head->kind, 1);
    at = put_uint(at, head->flags, 1);
    at = put_uint(at, head->ttl_s, 4);
    at = put_id(at, &head->src);
    at = put_id(at, &head->dst);
    at = put_uint(at, head->id, 8);
    return put_bytes(at, head->epk, sizeof head->epk);
}

size_t envelope_seal(const struct envelope *head, struct slice plain_body, struct aead *key, uint8_t *out)
{
    assert(head->hops == 0);
    uint8_t *body = put_head(out, head);
    aead_seal(key, head->id, slice_of(out + ENVELOPE_FIXED_AT, ENVELOPE_FIXED_BYTES), plain_body, body);
    return ENVELOPE_HEAD_BYTES + plain_body.bytes + CRYPTO_TAG_BYTES;
}

int envelope_open(const struct envelope *e, struct slice frame_body, struct aead *key, uint8_t *out,
                  struct envelope_body *body)
{
    assert(e->sealed.data == frame_body.data + ENVELOPE_HEAD_BYTES);
    struct slice fixed = slice_of(frame_body.data + ENVELOPE_FIXED_AT, ENVELOPE_FIXED_BYTES);
    int rc = aead_open(key, e->id, fixed, e->sealed, out);
    if (rc < 0) return rc;
    return envelope_body_decode(e->flags, slice_of(out, e->sealed.bytes - CRYPTO_TAG_BYTES), body);
}

void envelope_broadcast_key(const uint8_t network_key[32], const struct moth_id *src, uint8_t out[32])
{
    uint8_t material[sizeof key_label - 1 + MOTH_ID_BYTES];
    put_id(put_bytes(material, key_label, sizeof key_label - 1), src);
    crypto_hkdf(network_key, slice_of(material, sizeof material), (uint8_t(*)[32])out, 1);
}

size_t envelope_broadcast_seal(const struct envelope *head, struct slice plain_body, struct aead *key,
                               const uint8_t seed[32], uint8_t *out)
{
    size_t bytes = envelope_seal(head, plain_body, key, out);
    crypto_sign(seed, signature_label, slice_of(out + ENVELOPE_FIXED_AT, bytes - ENVELOPE_FIXED_AT), out + bytes);
    return bytes + CRYPTO_SIGNATURE_BYTES;
}

int envelope_broadcast_verify(const struct envelope *e, struct slice frame_body)
{
    struct moth_id origin;
    assert(e->sealed.data == frame_body.data + ENVELOPE_HEAD_BYTES && e->signature.bytes == CRYPTO_SIGNATURE_BYTES);
    envelope_id_of_key(e->epk, &origin);
    if (!id_equal(&origin, &e->src)) return MOTH_EFORGED;
    struct slice covered = slice_of(frame_body.data + ENVELOPE_FIXED_AT, ENVELOPE_FIXED_BYTES + e->sealed.bytes);
    return crypto_verify(e->epk, signature_label, covered, e->signature.data);
}

size_t envelope_patch(struct span frame_body, uint32_t age_s, const struct moth_id *me,
                      uint8_t path_entry[ENVELOPE_PATH_BYTES])
{
    uint8_t *head = frame_body.data;
    assert(frame_body.bytes >= ENVELOPE_HEAD_BYTES);
    assert(head[HOP_LIMIT_AT] > 0 && head[HOPS_AT] <= ENVELOPE_HOPS_MAX);
    head[HOP_LIMIT_AT]--;
    head[HOPS_AT]++;
    put_uint(head + AGE_AT, age_s, 4);
    if (!(head[FLAGS_AT] & ENVELOPE_HAS_PATH)) return 0;
    memcpy(path_entry, me->bytes, ENVELOPE_PATH_BYTES);
    return ENVELOPE_PATH_BYTES;
}

void envelope_set_hop_limit(struct span frame_body, uint8_t hop_limit)
{
    assert(frame_body.bytes >= ENVELOPE_HEAD_BYTES);
    frame_body.data[HOP_LIMIT_AT] = hop_limit;
}

bool envelope_path_has(const struct envelope *e, const struct moth_id *id)
{
    for (size_t at = 0; at < e->path.bytes; at += ENVELOPE_PATH_BYTES)
        if (memcmp(e->path.data + at, id->bytes, ENVELOPE_PATH_BYTES) == 0) return true;
    return false;
}

void envelope_id_of_key(const uint8_t ed25519_public[32], struct moth_id *out)
{
    uint8_t hash[CRYPTO_HASH_BYTES];
    crypto_sha256(slice_of(ed25519_public, 32), hash);
    memcpy(out->bytes, hash, MOTH_ID_BYTES);
}
