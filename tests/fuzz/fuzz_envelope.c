/* fuzz_envelope.c -- what bytes from a stranger, and a message someone tampered with on its way, must never do.
 *
 * The first byte chooses what the rest is: a frame to view, patch and open; a plain body; or a message to seal whose
 * authenticated part is then damaged. */
#include "base/id.h"
#include "base/mem.h"
#include "proto/envelope.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key_bytes[32] = {1, 2, 3}, seed[32] = {4, 5, 6};
static const struct moth_id me = {{0x77, 1, 2, 3, 4, 5, 6, 7, 8}};

static struct aead *shared_key(void)
{
    static struct aead *key;
    if (!key) key = aead_new(key_bytes);
    return key;
}

/* Every slice lies inside the frame, in order, and together they are all of it. */
static void check_view(const struct envelope *e, struct slice frame, bool broadcast)
{
    assert(e->sealed.data == frame.data + ENVELOPE_HEAD_BYTES && e->sealed.bytes >= CRYPTO_TAG_BYTES);
    assert(e->signature.bytes == (broadcast ? 64u : 0u) && e->hops <= ENVELOPE_HOPS_MAX);
    assert(e->path.bytes == (e->flags & ENVELOPE_HAS_PATH ? e->hops * 8u : 0u));
    assert(ENVELOPE_HEAD_BYTES + e->sealed.bytes + e->signature.bytes + e->path.bytes == frame.bytes);
}

static void check_patch(const struct envelope *before, struct slice frame, bool broadcast)
{
    struct envelope after;
    uint8_t *copy = mem_new(frame.bytes + ENVELOPE_PATH_BYTES);
    memcpy(copy, frame.data, frame.bytes);
    size_t more = envelope_patch((struct span){.data = copy, .bytes = frame.bytes}, 12345, &me, copy + frame.bytes);
    int rc = envelope_view(slice_of(copy, frame.bytes + more), broadcast, &after);

    assert(rc == (before->hops == ENVELOPE_HOPS_MAX ? MOTH_EHOP_LIMIT : 0));
    if (rc == 0) {
        assert(after.hops == before->hops + 1 && after.hop_limit == before->hop_limit - 1 && after.age_s == 12345);
        assert(memcmp(copy + ENVELOPE_FIXED_AT, frame.data + ENVELOPE_FIXED_AT, ENVELOPE_FIXED_BYTES) == 0);
        assert(slice_equal(after.sealed, before->sealed) && slice_equal(after.signature, before->signature));
        assert(slice_equal(slice_of(after.path.data, before->path.bytes), before->path));
        assert(envelope_path_has(&after, &me) == (more > 0));
    }
    free(copy);
}

static void fuzz_frame_body(struct slice frame, bool broadcast)
{
    struct envelope e;
    struct envelope_body body;
    if (envelope_view(frame, broadcast, &e) < 0) return;
    check_view(&e, frame, broadcast);
    if (e.hop_limit > 0 && !envelope_path_has(&e, &me)) check_patch(&e, frame, broadcast);

    uint8_t *plain = mem_new(e.sealed.bytes);
    assert(envelope_open(&e, frame, shared_key(), plain, &body) == MOTH_EFORGED);
    if (broadcast) assert(envelope_broadcast_verify(&e, frame) == MOTH_EFORGED);
    free(plain);
}

/* What decodes encodes to the same bytes. */
static void fuzz_body(struct slice plain, uint8_t flags)
{
    struct envelope_body body;
    if (envelope_body_decode(flags, plain, &body) < 0) return;
    uint8_t *again = mem_new(plain.bytes);
    assert(slice_equal(slice_of(again, envelope_body_encode(flags, &body, again)), plain));
    free(again);
}

static struct envelope read_head(struct reader *r, bool broadcast)
{
    struct envelope head = {.hop_limit = 10, .kind = ENVELOPE_LIGHT};
    if (!broadcast) head.kind = (uint8_t)(1 + read_uint(r, 1) % ENVELOPE_HANDOVER);
    head.flags = read_uint(r, 1) & 7;
    head.ttl_s = (uint32_t)read_uint(r, 4);
    head.id = read_uint(r, 8);
    read_copy(r, head.epk, sizeof head.epk);
    if (!broadcast) read_id(r, &head.dst);
    if (!broadcast) head.dst.bytes[0] |= 1;
    head.src = me;
    if (broadcast) {
        crypto_ed25519_public(seed, head.epk);
        envelope_id_of_key(head.epk, &head.src);
    }
    return head;
}

static void check_tampered(struct slice frame, bool broadcast, uint8_t *plain)
{
    struct envelope e;
    struct envelope_body body;
    if (envelope_view(frame, broadcast, &e) < 0) return;
    assert(envelope_open(&e, frame, shared_key(), plain, &body) == MOTH_EFORGED);
    if (broadcast) assert(envelope_broadcast_verify(&e, frame) == MOTH_EFORGED);
}

static void check_opens(const struct envelope *head, struct slice frame, bool broadcast, uint8_t *plain,
                        struct slice data)
{
    struct envelope e;
    struct envelope_body body;
    assert(envelope_view(frame, broadcast, &e) == 0);
    assert(e.kind == head->kind && e.flags == head->flags && e.ttl_s == head->ttl_s && e.id == head->id);
    assert(id_equal(&e.src, &head->src) && id_equal(&e.dst, &head->dst));
    assert(envelope_open(&e, frame, shared_key(), plain, &body) == 0 && slice_equal(body.data, data));
    if (broadcast) assert(envelope_broadcast_verify(&e, frame) == 0);
}

/* Seals a message of the rest of the input, opens it, damages one byte of what is authenticated, and fails to. */
static void fuzz_tampering(struct reader r, bool broadcast)
{
    size_t at = (size_t)read_uint(&r, 2);
    uint8_t damage = (uint8_t)read_uint(&r, 1);
    struct envelope head = read_head(&r, broadcast);
    if (r.failed || damage == 0) return;
    struct slice data = slice_of(r.at, reader_left(&r));
    struct envelope_body body = {.encoding = ENCODING_BYTES, .type = slice_text("fuzz"), .data = data};

    uint8_t *plain = mem_new(data.bytes + ENVELOPE_BODY_OVERHEAD_MAX);
    size_t plain_bytes = envelope_body_encode(head.flags, &body, plain);
    uint8_t *frame = mem_new(envelope_bytes(&head, &body, broadcast));
    size_t bytes = broadcast ? envelope_broadcast_seal(&head, slice_of(plain, plain_bytes), shared_key(), seed, frame)
                             : envelope_seal(&head, slice_of(plain, plain_bytes), shared_key(), frame);
    assert(bytes == envelope_bytes(&head, &body, broadcast));
    check_opens(&head, slice_of(frame, bytes), broadcast, plain, data);

    size_t authenticated = bytes - ENVELOPE_FIXED_AT - (broadcast ? CRYPTO_SIGNATURE_BYTES : 0);
    frame[ENVELOPE_FIXED_AT + at % authenticated] ^= damage;
    check_tampered(slice_of(frame, bytes), broadcast, plain);
    free(frame);
    free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    struct slice rest = slice_of(data + 1, size - 1);
    switch (data[0] % 6) {
    case 0: fuzz_frame_body(rest, false); break;
    case 1: fuzz_frame_body(rest, true); break;
    case 2: fuzz_body(rest, 0); break;
    case 3: fuzz_body(rest, ENVELOPE_HAS_RE); break;
    case 4: fuzz_tampering(reader_of(rest), false); break;
    case 5: fuzz_tampering(reader_of(rest), true); break;
    }
    return 0;
}
