/* test_envelope.c -- messages as bytes: the layout, what a view refuses, who can open, what a relay changes. */
#include "base/id.h"
#include "proto/envelope.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define FRAME_MAX 512

static const uint8_t key_bytes[32] = {7}, seed[32] = {9}, network_key[32] = {5};
static const struct moth_id ana = {{0xa1, 2, 3, 4, 5, 6, 7, 8, 9}}, eva = {{0xe1, 2, 3}}, bob = {{0xb0, 1, 1, 1}};

/* One message, one broadcast, as they lie on the wire. */
struct sample {
    struct aead *key;
    struct envelope head;
    struct envelope_body body;
    uint8_t plain[FRAME_MAX], frame[FRAME_MAX];
    size_t plain_bytes, frame_bytes;
};

static struct envelope_body hello(void)
{
    return (struct envelope_body){.encoding = ENCODING_TEXT, .type = slice_text("chat.line"), .re = 0x1122334455667788,
                                  .sent_ms = 1700000000123, .data = slice_text("hello")};
}

static void make_message(struct sample *s, uint8_t flags)
{
    *s = (struct sample){.key = aead_new(key_bytes), .body = hello()};
    s->head = (struct envelope){.hop_limit = 10, .age_s = 0x01020304, .kind = ENVELOPE_DATA, .flags = flags,
                                .ttl_s = 604800, .src = ana, .dst = eva, .id = 0x0102030405060708};
    memset(s->head.epk, 0xee, sizeof s->head.epk);
    s->plain_bytes = envelope_body_encode(flags, &s->body, s->plain);
    s->frame_bytes = envelope_seal(&s->head, slice_of(s->plain, s->plain_bytes), s->key, s->frame);
}

static void make_broadcast(struct sample *s)
{
    uint8_t derived[32];
    *s = (struct sample){.body = hello()};
    s->head = (struct envelope){.hop_limit = 10, .kind = ENVELOPE_LIGHT, .ttl_s = 60, .id = 77};
    crypto_ed25519_public(seed, s->head.epk);
    envelope_id_of_key(s->head.epk, &s->head.src);
    envelope_broadcast_key(network_key, &s->head.src, derived);
    s->key = aead_new(derived);
    s->plain_bytes = envelope_body_encode(0, &s->body, s->plain);
    s->frame_bytes = envelope_broadcast_seal(&s->head, slice_of(s->plain, s->plain_bytes), s->key, seed, s->frame);
}

static struct slice frame_of(const struct sample *s)
{
    return slice_of(s->frame, s->frame_bytes);
}

/* Views a message (or broadcast) whose byte `at` was replaced. */
static int view_changed(bool broadcast, size_t at, uint8_t value)
{
    struct sample s;
    struct envelope e;
    if (broadcast) make_broadcast(&s);
    else make_message(&s, 0);
    s.frame[at] = value;
    aead_free(s.key);
    return envelope_view(frame_of(&s), broadcast, &e);
}

static void assert_text(struct slice s, const char *text)
{
    assert_int_equal(s.bytes, strlen(text));
    assert_memory_equal(s.data, text, s.bytes);
}

static void test_envelope_fields_lie_at_their_offsets(void **state)
{
    struct sample s;
    (void)state;
    make_message(&s, ENVELOPE_HAS_RE);
    assert_memory_equal(s.frame, "\x0a\x00\x01\x02\x03\x04\x01\x02\x00\x09\x3a\x80", 12);
    assert_memory_equal(s.frame + 12, ana.bytes, 16);
    assert_memory_equal(s.frame + 28, eva.bytes, 16);
    assert_memory_equal(s.frame + 44, "\1\2\3\4\5\6\7\x08", 8);
    assert_memory_equal(s.frame + 52, s.head.epk, 32);
    assert_int_equal(s.frame_bytes, 84 + s.plain_bytes + 16);
    aead_free(s.key);
}

static void test_envelope_authenticates_bytes_6_to_84_with_its_id_as_nonce(void **state)
{
    struct sample s;
    uint8_t sealed[FRAME_MAX];
    (void)state;
    make_message(&s, 0);
    aead_seal(s.key, 0x0102030405060708, slice_of(s.frame + 6, 78), slice_of(s.plain, s.plain_bytes), sealed);
    assert_memory_equal(s.frame + 84, sealed, s.plain_bytes + 16);
    aead_free(s.key);
}

static void test_envelope_body_lies_as_documented(void **state)
{
    struct sample s;
    (void)state;
    make_message(&s, ENVELOPE_HAS_RE);
    assert_memory_equal(s.plain, "\x01\x09" "chat.line" "\x11\x22\x33\x44\x55\x66\x77\x88"
                        "\0\0\x01\x8b\xcf\xe5\x68\x7b" "hello", 32);
    assert_int_equal(s.plain_bytes, 32);
    aead_free(s.key);
}

static void test_envelope_bytes_foretells_the_size(void **state)
{
    struct sample s;
    (void)state;
    make_message(&s, ENVELOPE_HAS_RE);
    assert_int_equal(envelope_bytes(&s.head, &s.body, false), s.frame_bytes);
    aead_free(s.key);
    make_message(&s, 0);
    assert_int_equal(envelope_bytes(&s.head, &s.body, false), s.frame_bytes);
    aead_free(s.key);
    make_broadcast(&s);
    assert_int_equal(envelope_bytes(&s.head, &s.body, true), s.frame_bytes);
    aead_free(s.key);
}

static void test_envelope_sealing_twice_gives_the_same_bytes(void **state)
{
    struct sample a, b;
    (void)state;
    make_message(&a, ENVELOPE_HAS_RE);
    make_message(&b, ENVELOPE_HAS_RE);
    assert_int_equal(a.frame_bytes, b.frame_bytes);
    assert_memory_equal(a.frame, b.frame, a.frame_bytes);
    aead_free(a.key);
    aead_free(b.key);
}

static void test_envelope_view_reads_every_field(void **state)
{
    struct sample s;
    struct envelope e;
    (void)state;
    make_message(&s, ENVELOPE_HAS_PATH | ENVELOPE_HAS_RE);
    assert_int_equal(envelope_view(frame_of(&s), false, &e), 0);
    assert_int_equal(e.hop_limit, 10);
    assert_int_equal(e.hops, 0);
    assert_int_equal(e.age_s, 0x01020304);
    assert_int_equal(e.kind, ENVELOPE_DATA);
    assert_int_equal(e.flags, ENVELOPE_HAS_PATH | ENVELOPE_HAS_RE);
    assert_int_equal(e.ttl_s, 604800);
    assert_true(id_equal(&e.src, &ana));
    assert_true(id_equal(&e.dst, &eva));
    assert_int_equal(e.id, 0x0102030405060708);
    assert_memory_equal(e.epk, s.head.epk, 32);
    assert_ptr_equal(e.sealed.data, s.frame + 84);
    assert_int_equal(e.sealed.bytes, s.plain_bytes + 16);
    assert_int_equal(e.signature.bytes, 0);
    assert_int_equal(e.path.bytes, 0);
    aead_free(s.key);
}

static void test_envelope_says_that_a_program_answers(void **state)
{
    struct sample s;
    struct envelope e;
    struct envelope_body body;
    uint8_t plain[FRAME_MAX];
    (void)state;
    make_message(&s, ENVELOPE_IS_AUTO);
    assert_int_equal(s.frame[7], 4);
    assert_int_equal(envelope_view(frame_of(&s), false, &e), 0);
    assert_int_equal(e.flags, ENVELOPE_IS_AUTO);
    assert_int_equal(envelope_open(&e, frame_of(&s), s.key, plain, &body), 0);
    s.frame[7] = 0; /* nobody on the way may take it away */
    assert_int_equal(envelope_open(&e, frame_of(&s), s.key, plain, &body), MOTH_EFORGED);
    aead_free(s.key);
}

static void test_envelope_opens_to_what_was_sealed(void **state)
{
    struct sample s;
    struct envelope e;
    struct envelope_body body;
    uint8_t plain[FRAME_MAX];
    (void)state;
    make_message(&s, ENVELOPE_HAS_RE);
    assert_int_equal(envelope_view(frame_of(&s), false, &e), 0);
    assert_int_equal(envelope_open(&e, frame_of(&s), s.key, plain, &body), 0);
    assert_int_equal(body.encoding, ENCODING_TEXT);
    assert_text(body.type, "chat.line");
    assert_int_equal(body.re, 0x1122334455667788);
    assert_int_equal(body.sent_ms, 1700000000123);
    assert_text(body.data, "hello");
    aead_free(s.key);
}

static void test_envelope_changed_anywhere_authenticated_does_not_open(void **state)
{
    struct sample s;
    struct envelope e;
    struct envelope_body body;
    uint8_t plain[FRAME_MAX];
    (void)state;
    make_message(&s, 0);
    for (size_t at = ENVELOPE_FIXED_AT; at < s.frame_bytes; at++) {
        s.frame[at] ^= 1;
        int rc = envelope_view(frame_of(&s), false, &e);
        if (rc == 0) assert_int_equal(envelope_open(&e, frame_of(&s), s.key, plain, &body), MOTH_EFORGED);
        else assert_int_equal(rc, MOTH_EUNKNOWN_KIND); /* kind 1 became 0: refused even earlier */
        s.frame[at] ^= 1;
    }
    aead_free(s.key);
}

static void test_envelope_does_not_open_with_another_key(void **state)
{
    struct sample s;
    struct envelope e;
    struct envelope_body body;
    uint8_t plain[FRAME_MAX], other[32] = {8};
    (void)state;
    make_message(&s, 0);
    struct aead *wrong = aead_new(other);
    assert_int_equal(envelope_view(frame_of(&s), false, &e), 0);
    assert_int_equal(envelope_open(&e, frame_of(&s), wrong, plain, &body), MOTH_EFORGED);
    aead_free(wrong);
    aead_free(s.key);
}

static void test_envelope_sealed_nonsense_is_malformed(void **state)
{
    struct sample s;
    struct envelope e;
    struct envelope_body body;
    uint8_t plain[FRAME_MAX];
    (void)state;
    make_message(&s, 0);
    s.frame_bytes = envelope_seal(&s.head, slice_of(s.plain, 0), s.key, s.frame);
    assert_int_equal(envelope_view(frame_of(&s), false, &e), 0);
    assert_int_equal(envelope_open(&e, frame_of(&s), s.key, plain, &body), MOTH_EMALFORMED);
    aead_free(s.key);
}

static void test_envelope_shorter_than_head_and_tag_is_malformed(void **state)
{
    struct sample s;
    struct envelope e;
    (void)state;
    make_message(&s, 0);
    for (size_t bytes = 0; bytes < ENVELOPE_HEAD_BYTES + CRYPTO_TAG_BYTES; bytes++)
        assert_int_equal(envelope_view(slice_of(s.frame, bytes), false, &e), MOTH_EMALFORMED);
    assert_int_equal(envelope_view(slice_of(s.frame, ENVELOPE_HEAD_BYTES + CRYPTO_TAG_BYTES), false, &e), 0);
    aead_free(s.key);
}

static void test_envelope_broadcast_without_room_for_its_signature_is_malformed(void **state)
{
    struct sample s;
    struct envelope e;
    (void)state;
    make_broadcast(&s);
    size_t least = ENVELOPE_HEAD_BYTES + CRYPTO_TAG_BYTES + CRYPTO_SIGNATURE_BYTES;
    assert_int_equal(envelope_view(slice_of(s.frame, least - 1), true, &e), MOTH_EMALFORMED);
    assert_int_equal(envelope_view(slice_of(s.frame, least), true, &e), 0);
    aead_free(s.key);
}

static void test_envelope_without_room_for_its_path_is_malformed(void **state)
{
    struct sample s;
    struct envelope e;
    (void)state;
    make_message(&s, ENVELOPE_HAS_PATH);
    s.frame[1] = 2;
    size_t least = ENVELOPE_HEAD_BYTES + CRYPTO_TAG_BYTES + 2 * ENVELOPE_PATH_BYTES;
    assert_int_equal(envelope_view(slice_of(s.frame, least - 1), false, &e), MOTH_EMALFORMED);
    assert_int_equal(envelope_view(slice_of(s.frame, least), false, &e), 0);
    aead_free(s.key);
}

static void test_envelope_of_kind_0_is_unknown(void **state)
{
    (void)state;
    assert_int_equal(view_changed(false, 6, 0), MOTH_EUNKNOWN_KIND);
}

static void test_envelope_of_kind_8_is_unknown(void **state)
{
    (void)state;
    assert_int_equal(view_changed(false, 6, ENVELOPE_HANDOVER), 0);
    assert_int_equal(view_changed(false, 6, ENVELOPE_HANDOVER + 1), MOTH_EUNKNOWN_KIND);
}

static void test_envelope_with_an_unknown_flag_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(view_changed(false, 7, 7), 0);
    assert_int_equal(view_changed(false, 7, 8), MOTH_EMALFORMED);
    assert_int_equal(view_changed(false, 7, 0x80), MOTH_EMALFORMED);
}

static void test_envelope_from_nobody_is_malformed(void **state)
{
    struct sample s;
    struct envelope e;
    (void)state;
    make_message(&s, 0);
    memset(s.frame + 12, 0, 16);
    assert_int_equal(envelope_view(frame_of(&s), false, &e), MOTH_EMALFORMED);
    aead_free(s.key);
}

static void test_envelope_to_nobody_is_malformed(void **state)
{
    struct sample s;
    struct envelope e;
    (void)state;
    make_message(&s, 0);
    memset(s.frame + 28, 0, 16);
    assert_int_equal(envelope_view(frame_of(&s), false, &e), MOTH_EMALFORMED);
    aead_free(s.key);
}

static void test_envelope_broadcast_to_somebody_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(view_changed(true, 43, 1), MOTH_EMALFORMED);
}

static void test_envelope_broadcast_that_is_not_light_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(view_changed(true, 6, ENVELOPE_DATA), MOTH_EMALFORMED);
}

static void test_envelope_travelled_too_far_is_refused(void **state)
{
    (void)state;
    assert_int_equal(view_changed(false, 1, ENVELOPE_HOPS_MAX), 0);
    assert_int_equal(view_changed(false, 1, ENVELOPE_HOPS_MAX + 1), MOTH_EHOP_LIMIT);
}

static void test_envelope_any_hop_limit_is_viewed(void **state)
{
    (void)state;
    assert_int_equal(view_changed(false, 0, 0), 0);
    assert_int_equal(view_changed(false, 0, 255), 0);
}

static void test_envelope_type_is_1_to_64_of_its_alphabet(void **state)
{
    char long_type[66];
    (void)state;
    memset(long_type, 'x', sizeof long_type);
    assert_true(envelope_type_is_valid(slice_text("09._-")));
    assert_true(envelope_type_is_valid(slice_text("a.z_0-9")));
    assert_true(envelope_type_is_valid(slice_of(long_type, 64)));
    assert_false(envelope_type_is_valid(slice_of(long_type, 65)));
    assert_false(envelope_type_is_valid(slice_text("")));
    assert_false(envelope_type_is_valid(slice_text("Chat")));
    assert_false(envelope_type_is_valid(slice_text("a b")));
    assert_false(envelope_type_is_valid(slice_text("a/b")));
    assert_false(envelope_type_is_valid(slice_text("caf\xc3\xa9")));
    assert_false(envelope_type_is_valid(slice_of("a\0b", 3)));
}

static int decode_changed(size_t at, uint8_t value)
{
    struct sample s;
    struct envelope_body body;
    make_message(&s, 0);
    aead_free(s.key);
    s.plain[at] = value;
    return envelope_body_decode(0, slice_of(s.plain, s.plain_bytes), &body);
}

static void test_envelope_body_of_unknown_encoding_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(decode_changed(0, ENCODING_BYTES), 0);
    assert_int_equal(decode_changed(0, ENCODING_JSON), 0);
    assert_int_equal(decode_changed(0, ENCODING_JSON + 1), MOTH_EMALFORMED);
}

static void test_envelope_body_with_an_invalid_type_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(decode_changed(2, 'C'), MOTH_EMALFORMED);
}

static void test_envelope_body_without_a_type_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(decode_changed(1, 0), MOTH_EMALFORMED);
}

static void test_envelope_body_with_a_type_past_its_end_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(decode_changed(1, 64), MOTH_EMALFORMED);
}

static void test_envelope_body_cut_before_its_data_is_malformed(void **state)
{
    struct sample s;
    struct envelope_body body;
    (void)state;
    make_message(&s, ENVELOPE_HAS_RE);
    size_t least = s.plain_bytes - s.body.data.bytes;
    for (size_t bytes = 0; bytes < least; bytes++)
        assert_int_equal(envelope_body_decode(ENVELOPE_HAS_RE, slice_of(s.plain, bytes), &body), MOTH_EMALFORMED);
    assert_int_equal(envelope_body_decode(ENVELOPE_HAS_RE, slice_of(s.plain, least), &body), 0);
    assert_int_equal(body.data.bytes, 0);
    aead_free(s.key);
}

static void test_envelope_body_without_the_flag_answers_nothing(void **state)
{
    struct sample s;
    struct envelope_body body = {.re = 5};
    (void)state;
    make_message(&s, 0);
    assert_int_equal(envelope_body_decode(0, slice_of(s.plain, s.plain_bytes), &body), 0);
    assert_int_equal(body.re, 0);
    assert_int_equal(body.sent_ms, 1700000000123);
    assert_text(body.data, "hello");
    aead_free(s.key);
}

static void test_envelope_broadcast_verifies_and_opens_for_the_network(void **state)
{
    struct sample s;
    struct envelope e;
    struct envelope_body body;
    uint8_t plain[FRAME_MAX];
    (void)state;
    make_broadcast(&s);
    assert_int_equal(envelope_view(frame_of(&s), true, &e), 0);
    assert_int_equal(e.signature.bytes, 64);
    assert_int_equal(envelope_broadcast_verify(&e, frame_of(&s)), 0);
    assert_int_equal(envelope_open(&e, frame_of(&s), s.key, plain, &body), 0);
    assert_text(body.data, "hello");
    aead_free(s.key);
}

static void test_envelope_broadcast_changed_anywhere_signed_does_not_verify(void **state)
{
    struct sample s;
    struct envelope e;
    (void)state;
    make_broadcast(&s);
    for (size_t at = ENVELOPE_FIXED_AT; at < s.frame_bytes; at++) {
        s.frame[at] ^= 1;
        int rc = envelope_view(frame_of(&s), true, &e);
        if (rc == 0) assert_int_equal(envelope_broadcast_verify(&e, frame_of(&s)), MOTH_EFORGED);
        else assert_true(at == 6 || (at >= 28 && at < 44)); /* its kind and its dst */
        s.frame[at] ^= 1;
    }
    aead_free(s.key);
}

static void test_envelope_broadcast_signed_by_another_than_its_source_is_forged(void **state)
{
    struct sample s;
    struct envelope e;
    (void)state;
    make_broadcast(&s);
    s.head.src = bob; /* a true signature under a key that is not bob's */
    s.frame_bytes = envelope_broadcast_seal(&s.head, slice_of(s.plain, s.plain_bytes), s.key, seed, s.frame);
    assert_int_equal(envelope_view(frame_of(&s), true, &e), 0);
    assert_int_equal(envelope_broadcast_verify(&e, frame_of(&s)), MOTH_EFORGED);
    aead_free(s.key);
}

static void test_envelope_broadcast_signature_stays_true_while_relays_patch(void **state)
{
    struct sample s;
    struct envelope e;
    uint8_t entry[8];
    (void)state;
    make_broadcast(&s);
    envelope_patch((struct span){.data = s.frame, .bytes = s.frame_bytes}, 99, &bob, entry);
    assert_int_equal(envelope_view(frame_of(&s), true, &e), 0);
    assert_int_equal(envelope_broadcast_verify(&e, frame_of(&s)), 0);
    aead_free(s.key);
}

static void test_envelope_broadcast_key_is_derived_from_network_label_and_source(void **state)
{
    uint8_t material[36], expected[1][32], key[32];
    (void)state;
    put_id(put_bytes(material, "moth broadcast key 1", 20), &ana);
    crypto_hkdf(network_key, slice_of(material, sizeof material), expected, 1);
    envelope_broadcast_key(network_key, &ana, key);
    assert_memory_equal(key, expected[0], 32);
    envelope_broadcast_key(network_key, &bob, key);
    assert_memory_not_equal(key, expected[0], 32);
    envelope_broadcast_key(key_bytes, &ana, key);
    assert_memory_not_equal(key, expected[0], 32);
}

static void test_envelope_patch_counts_the_hop_and_sets_the_age(void **state)
{
    struct sample s, before;
    uint8_t entry[8];
    (void)state;
    make_message(&s, 0);
    before = s;
    struct span frame = {.data = s.frame, .bytes = s.frame_bytes};
    assert_int_equal(envelope_patch(frame, 0x0a0b0c0d, &bob, entry), 0);
    assert_memory_equal(s.frame, "\x09\x01\x0a\x0b\x0c\x0d", 6);
    assert_memory_equal(s.frame + 6, before.frame + 6, s.frame_bytes - 6);
    aead_free(s.key);
}

static void test_envelope_patch_keeps_the_path_of_all_who_forwarded(void **state)
{
    struct sample s;
    struct envelope e;
    struct envelope_body body;
    uint8_t plain[FRAME_MAX];
    const struct moth_id relays[] = {bob, ana, bob};
    (void)state;
    make_message(&s, ENVELOPE_HAS_PATH);
    for (size_t i = 0; i < 3; i++) {
        struct span frame = {.data = s.frame, .bytes = s.frame_bytes};
        s.frame_bytes += envelope_patch(frame, 1, &relays[i], s.frame + s.frame_bytes);
    }
    assert_int_equal(envelope_view(frame_of(&s), false, &e), 0);
    assert_int_equal(e.path.bytes, 24);
    for (size_t i = 0; i < 3; i++) assert_memory_equal(e.path.data + 8 * i, relays[i].bytes, 8);
    assert_int_equal(envelope_open(&e, frame_of(&s), s.key, plain, &body), 0);
    assert_text(body.data, "hello");
    aead_free(s.key);
}

static void test_envelope_path_has_whom_it_names_and_nobody_else(void **state)
{
    struct envelope e = {0};
    uint8_t path[16];
    (void)state;
    assert_false(envelope_path_has(&e, &ana));
    put_bytes(put_bytes(path, bob.bytes, 8), ana.bytes, 8);
    e.path = slice_of(path, sizeof path);
    assert_true(envelope_path_has(&e, &bob));
    assert_true(envelope_path_has(&e, &ana));
    assert_false(envelope_path_has(&e, &eva));
}

static void test_envelope_set_hop_limit_changes_nothing_else(void **state)
{
    struct sample s, before;
    (void)state;
    make_message(&s, 0);
    before = s;
    envelope_set_hop_limit((struct span){.data = s.frame, .bytes = s.frame_bytes}, 33);
    assert_int_equal(s.frame[0], 33);
    assert_memory_equal(s.frame + 1, before.frame + 1, s.frame_bytes - 1);
    aead_free(s.key);
}

static void test_envelope_id_is_the_start_of_the_hash_of_the_key(void **state)
{
    struct moth_id id;
    uint8_t hash[32];
    (void)state;
    crypto_sha256(slice_of(seed, 32), hash);
    envelope_id_of_key(seed, &id);
    assert_memory_equal(id.bytes, hash, MOTH_ID_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelope_fields_lie_at_their_offsets),
        cmocka_unit_test(test_envelope_authenticates_bytes_6_to_84_with_its_id_as_nonce),
        cmocka_unit_test(test_envelope_body_lies_as_documented),
        cmocka_unit_test(test_envelope_bytes_foretells_the_size),
        cmocka_unit_test(test_envelope_sealing_twice_gives_the_same_bytes),
        cmocka_unit_test(test_envelope_view_reads_every_field),
        cmocka_unit_test(test_envelope_says_that_a_program_answers),
        cmocka_unit_test(test_envelope_opens_to_what_was_sealed),
        cmocka_unit_test(test_envelope_changed_anywhere_authenticated_does_not_open),
        cmocka_unit_test(test_envelope_does_not_open_with_another_key),
        cmocka_unit_test(test_envelope_sealed_nonsense_is_malformed),
        cmocka_unit_test(test_envelope_shorter_than_head_and_tag_is_malformed),
        cmocka_unit_test(test_envelope_broadcast_without_room_for_its_signature_is_malformed),
        cmocka_unit_test(test_envelope_without_room_for_its_path_is_malformed),
        cmocka_unit_test(test_envelope_of_kind_0_is_unknown),
        cmocka_unit_test(test_envelope_of_kind_8_is_unknown),
        cmocka_unit_test(test_envelope_with_an_unknown_flag_is_malformed),
        cmocka_unit_test(test_envelope_from_nobody_is_malformed),
        cmocka_unit_test(test_envelope_to_nobody_is_malformed),
        cmocka_unit_test(test_envelope_broadcast_to_somebody_is_malformed),
        cmocka_unit_test(test_envelope_broadcast_that_is_not_light_is_malformed),
        cmocka_unit_test(test_envelope_travelled_too_far_is_refused),
        cmocka_unit_test(test_envelope_any_hop_limit_is_viewed),
        cmocka_unit_test(test_envelope_type_is_1_to_64_of_its_alphabet),
        cmocka_unit_test(test_envelope_body_of_unknown_encoding_is_malformed),
        cmocka_unit_test(test_envelope_body_with_an_invalid_type_is_malformed),
        cmocka_unit_test(test_envelope_body_without_a_type_is_malformed),
        cmocka_unit_test(test_envelope_body_with_a_type_past_its_end_is_malformed),
        cmocka_unit_test(test_envelope_body_cut_before_its_data_is_malformed),
        cmocka_unit_test(test_envelope_body_without_the_flag_answers_nothing),
        cmocka_unit_test(test_envelope_broadcast_verifies_and_opens_for_the_network),
        cmocka_unit_test(test_envelope_broadcast_changed_anywhere_signed_does_not_verify),
        cmocka_unit_test(test_envelope_broadcast_signed_by_another_than_its_source_is_forged),
        cmocka_unit_test(test_envelope_broadcast_signature_stays_true_while_relays_patch),
        cmocka_unit_test(test_envelope_broadcast_key_is_derived_from_network_label_and_source),
        cmocka_unit_test(test_envelope_patch_counts_the_hop_and_sets_the_age),
        cmocka_unit_test(test_envelope_patch_keeps_the_path_of_all_who_forwarded),
        cmocka_unit_test(test_envelope_path_has_whom_it_names_and_nobody_else),
        cmocka_unit_test(test_envelope_set_hop_limit_changes_nothing_else),
        cmocka_unit_test(test_envelope_id_is_the_start_of_the_hash_of_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
