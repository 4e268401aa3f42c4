/* test_crypto.c -- the published vectors of every primitive behind the door, and what each of them refuses.
 *
 * scrypt's published vectors use other parameters than crypto_scrypt's fixed ones; its answers here were computed
 * with another implementation. Ed25519's vectors have no label: the empty one signs exactly the message. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crypto.h"

#include <stdio.h>

static struct slice unhex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned value;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
        out[i] = (uint8_t)value;
    }
    return slice_of(out, n);
}

static void assert_hex(const uint8_t *got, const char *hex)
{
    uint8_t wanted[512];
    struct slice s = unhex(hex, wanted);
    assert_memory_equal(got, wanted, s.bytes);
}

/* 32 bytes that count up from `first`. */
static const uint8_t *counting(uint8_t first)
{
    static uint8_t keys[8][32];
    static unsigned next;
    uint8_t *key = keys[next++ % 8];
    for (unsigned i = 0; i < 32; i++) key[i] = (uint8_t)(first + i);
    return key;
}

static void test_sha256_gives_the_published_digests(void **state)
{
    (void)state;
    uint8_t out[32];
    crypto_sha256(slice_text("abc"), out);
    assert_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypto_sha256(slice_of(NULL, 0), out);
    assert_hex(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_sha256_of_a_pair_is_that_of_both_joined_wherever_they_are_cut(void **state)
{
    (void)state;
    uint8_t out[32];
    for (size_t cut = 0; cut <= 3; cut++) {
        crypto_sha256_pair(slice_of("abc", cut), slice_of(&"abc"[cut], 3 - cut), out);
        assert_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}

static void test_hmac_follows_rfc_4231(void **state)
{
    (void)state;
    uint8_t key[131], data[64], out[32];
    memset(key, 0x0b, 20);
    crypto_hmac(slice_of(key, 20), slice_text("Hi There"), out);
    assert_hex(out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    crypto_hmac(slice_text("Jefe"), slice_text("what do ya want for nothing?"), out);
    assert_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    memset(data, 0xdd, 50);
    crypto_hmac(slice_of(key, 20), slice_of(data, 50), out);
    assert_hex(out, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    crypto_hmac(slice_of(key, 131), slice_text("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    assert_hex(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_hmac_takes_an_empty_key_and_empty_data(void **state)
{
    (void)state;
    uint8_t out[32];
    crypto_hmac(slice_of(NULL, 0), slice_of(NULL, 0), out);
    assert_hex(out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* RFC 5869, test 3: no salt (a key of zeros to HMAC) and no info, which is what Noise leaves of HKDF. */
static void test_hkdf_follows_rfc_5869(void **state)
{
    (void)state;
    uint8_t no_salt[32] = {0}, material[22], out[2][32];
    memset(material, 0x0b, sizeof material);
    crypto_hkdf(no_salt, slice_of(material, sizeof material), out, 2);
    assert_hex(out[0], "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
    assert_hex(out[1], "9d201395faa4b61a96c8");
}

static void test_hkdf_gives_the_same_first_outputs_whatever_the_count(void **state)
{
    (void)state;
    uint8_t one[1][32], two[2][32], three[3][32];
    crypto_hkdf(counting(0), slice_text("moth"), one, 1);
    crypto_hkdf(counting(0), slice_text("moth"), two, 2);
    crypto_hkdf(counting(0), slice_text("moth"), three, 3);
    assert_memory_equal(one, two, 32);
    assert_memory_equal(two, three, 64);
    assert_hex(three[0], "f8d730966cce50037ef31215b834ace57adc4eb61e5250e17452624d5eff0be2");
    assert_hex(three[2], "59cd53d94c7d6fd4d28c19cb47e799bbccd8a0480a2bd69d621f24c4e8902f1e");
}

static void test_x25519_follows_rfc_7748(void **state)
{
    (void)state;
    uint8_t secret[32], point[32], out[32];
    unhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4", secret);
    unhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c", point);
    assert_int_equal(crypto_x25519(secret, point, out), 0);
    assert_hex(out, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
}

static void test_x25519_agrees_on_the_secret_of_rfc_7748(void **state)
{
    (void)state;
    uint8_t a[32], b[32], a_public[32], b_public[32], out[32];
    const char *shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
    unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", a);
    unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", b);
    crypto_x25519_public(a, a_public);
    crypto_x25519_public(b, b_public);
    assert_hex(a_public, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    assert_hex(b_public, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    assert_int_equal(crypto_x25519(a, b_public, out), 0);
    assert_hex(out, shared);
    assert_int_equal(crypto_x25519(b, a_public, out), 0);
    assert_hex(out, shared);
}

/* Section 5.2: the result becomes the next secret, the secret the next point. */
static void test_x25519_holds_over_a_thousand_turns(void **state)
{
    (void)state;
    uint8_t secret[32] = {9}, point[32] = {9}, out[32];
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(crypto_x25519(secret, point, out), 0);
        memcpy(point, secret, 32);
        memcpy(secret, out, 32);
        if (i == 0) assert_hex(out, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }
    assert_hex(out, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

/* All points whose order divides the cofactor, and their other spellings: the shared secret would be zero. */
static void test_x25519_refuses_every_weak_key(void **state)
{
    (void)state;
    static const char *const weak[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    uint8_t point[32], out[32];
    for (size_t i = 0; i < sizeof weak / sizeof *weak; i++) {
        unhex(weak[i], point);
        assert_int_equal(crypto_x25519(counting(1), point, out), MOTH_EFORGED);
        point[31] |= 0x80; /* a bit X25519 ignores */
        assert_int_equal(crypto_x25519(counting(1), point, out), MOTH_EFORGED);
    }
}

static void check_rfc_8032(const char *seed_hex, const char *public_hex, const char *message_hex, const char *signature)
{
    uint8_t seed[32], public_key[32], message_bytes[8], out[64];
    struct slice message = unhex(message_hex, message_bytes);
    unhex(seed_hex, seed);
    crypto_ed25519_public(seed, public_key);
    assert_hex(public_key, public_hex);
    crypto_sign(seed, "", message, out);
    assert_hex(out, signature);
    assert_int_equal(crypto_verify(public_key, "", message, out), 0);
}

static void test_ed25519_follows_rfc_8032(void **state)
{
    (void)state;
    check_rfc_8032("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                   "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
                   "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555f"
                   "b8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
    check_rfc_8032("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                   "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
                   "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da08"
                   "5ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    check_rfc_8032("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                   "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
                   "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18"
                   "ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
}

static void test_a_label_is_signed_in_front_of_the_data(void **state)
{
    (void)state;
    uint8_t labelled[64], joined[64];
    crypto_sign(counting(1), "moth ", slice_text("advert"), labelled);
    crypto_sign(counting(1), "", slice_text("moth advert"), joined);
    assert_memory_equal(labelled, joined, 64);
}

static void test_a_signature_made_under_one_label_does_not_verify_under_another(void **state)
{
    (void)state;
    uint8_t public_key[32], signature[64];
    crypto_ed25519_public(counting(1), public_key);
    crypto_sign(counting(1), "moth-advert:", slice_text("data"), signature);
    assert_int_equal(crypto_verify(public_key, "moth-advert:", slice_text("data"), signature), 0);
    assert_int_equal(crypto_verify(public_key, "moth-proof:", slice_text("data"), signature), MOTH_EFORGED);
    assert_int_equal(crypto_verify(public_key, "", slice_text("data"), signature), MOTH_EFORGED);
}

static void test_a_signature_with_any_byte_changed_is_refused(void **state)
{
    (void)state;
    uint8_t public_key[32], signature[64];
    crypto_ed25519_public(counting(1), public_key);
    crypto_sign(counting(1), "moth:", slice_text("data"), signature);
    for (size_t i = 0; i < sizeof signature; i++) {
        signature[i] ^= 1;
        assert_int_equal(crypto_verify(public_key, "moth:", slice_text("data"), signature), MOTH_EFORGED);
        signature[i] ^= 1;
    }
    assert_int_equal(crypto_verify(public_key, "moth:", slice_text("data"), signature), 0);
}

static void test_a_signature_over_other_data_or_by_another_key_is_refused(void **state)
{
    (void)state;
    uint8_t public_key[32], other_key[32], signature[64];
    crypto_ed25519_public(counting(1), public_key);
    crypto_ed25519_public(counting(2), other_key);
    crypto_sign(counting(1), "moth:", slice_text("data"), signature);
    assert_int_equal(crypto_verify(public_key, "moth:", slice_text("date"), signature), MOTH_EFORGED);
    assert_int_equal(crypto_verify(public_key, "moth:", slice_of(NULL, 0), signature), MOTH_EFORGED);
    assert_int_equal(crypto_verify(other_key, "moth:", slice_text("data"), signature), MOTH_EFORGED);
}

/* RFC 8439, appendix A.5: its nonce begins with four zero bytes, as ours always do. */
#define DRAFT_KEY "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0"
#define DRAFT_NONCE 0x0807060504030201u
#define DRAFT_TEXT \
    "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or " \
    "obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as reference material " \
    "or to cite them other than as /\xe2\x80\x9cwork in progress./\xe2\x80\x9d"
#define DRAFT_SEALED \
    "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0" \
    "bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855" \
    "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e9" \
    "9040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a" \
    "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130" \
    "305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709b" \
    "eead9d67890cbb22392336fea1851f38"

static const uint8_t draft_ad[] = {0xf3, 0x33, 0x88, 0x86, 0, 0, 0, 0, 0, 0, 0x4e, 0x91};

static void test_aead_seals_as_rfc_8439_does(void **state)
{
    (void)state;
    uint8_t key[32], out[512];
    unhex(DRAFT_KEY, key);
    struct aead *a = aead_new(key);
    aead_seal(a, DRAFT_NONCE, slice_of(draft_ad, sizeof draft_ad), slice_text(DRAFT_TEXT), out);
    assert_hex(out, DRAFT_SEALED);
    aead_free(a);
}

static void test_aead_opens_what_rfc_8439_sealed(void **state)
{
    (void)state;
    uint8_t key[32], bytes[512], out[512];
    struct slice sealed = unhex(DRAFT_SEALED, bytes);
    unhex(DRAFT_KEY, key);
    struct aead *a = aead_new(key);
    assert_int_equal(aead_open(a, DRAFT_NONCE, slice_of(draft_ad, sizeof draft_ad), sealed, out), 0);
    assert_memory_equal(out, DRAFT_TEXT, strlen(DRAFT_TEXT));
    aead_free(a);
}

static void test_aead_seals_nothing_into_a_tag(void **state)
{
    (void)state;
    uint8_t out[16];
    struct aead *a = aead_new(counting(0));
    aead_seal(a, 7, slice_of(NULL, 0), slice_of(NULL, 0), out);
    assert_hex(out, "2e92aeb2bd8901ba4a3dfe80921b69d2");
    assert_int_equal(aead_open(a, 7, slice_of(NULL, 0), slice_of(out, 16), out), 0);
    aead_seal(a, 0, slice_text("moth"), slice_of(NULL, 0), out);
    assert_hex(out, "52ecf5773f82bd7168874b52c1b35923");
    assert_int_equal(aead_open(a, 0, slice_text("moth"), slice_of(out, 16), out), 0);
    aead_free(a);
}

static void test_one_aead_serves_both_directions_in_any_order_and_in_place(void **state)
{
    (void)state;
    struct aead *a = aead_new(counting(0));
    uint8_t first[5 + 16] = "first", second[6 + 16] = "second";
    aead_seal(a, 1, slice_of(NULL, 0), slice_of(first, 5), first);
    aead_seal(a, 2, slice_of(NULL, 0), slice_of(second, 6), second);
    assert_memory_not_equal(first, "first", 5);
    assert_int_equal(aead_open(a, 2, slice_of(NULL, 0), slice_of(second, sizeof second), second), 0);
    assert_int_equal(aead_open(a, 1, slice_of(NULL, 0), slice_of(first, sizeof first), first), 0);
    assert_memory_equal(first, "first", 5);
    assert_memory_equal(second, "second", 6);
    aead_seal(a, 1, slice_of(NULL, 0), slice_of(first, 5), first);
    assert_int_equal(aead_open(a, 1, slice_of(NULL, 0), slice_of(first, sizeof first), first), 0);
    assert_memory_equal(first, "first", 5);
    aead_free(a);
}

static void test_aead_refuses_every_flipped_bit_and_leaves_nothing_readable(void **state)
{
    (void)state;
    static const uint8_t zeros[4];
    struct aead *a = aead_new(counting(0));
    uint8_t sealed[20], out[4];
    aead_seal(a, 1, slice_text("ad"), slice_text("data"), sealed);
    for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memset(out, 1, sizeof out);
        assert_int_equal(aead_open(a, 1, slice_text("ad"), slice_of(sealed, sizeof sealed), out), MOTH_EFORGED);
        assert_memory_equal(out, zeros, sizeof out);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(aead_open(a, 1, slice_text("ad"), slice_of(sealed, sizeof sealed), out), 0);
    aead_free(a);
}

static void test_aead_refuses_another_nonce_associated_data_or_key(void **state)
{
    (void)state;
    struct aead *a = aead_new(counting(0)), *other = aead_new(counting(1));
    uint8_t sealed[20], out[4];
    struct slice in = slice_of(sealed, sizeof sealed);
    aead_seal(a, 1, slice_text("ad"), slice_text("data"), sealed);
    assert_int_equal(aead_open(a, 2, slice_text("ad"), in, out), MOTH_EFORGED);
    assert_int_equal(aead_open(a, 1 | 1ull << 63, slice_text("ad"), in, out), MOTH_EFORGED);
    assert_int_equal(aead_open(a, 1, slice_text("as"), in, out), MOTH_EFORGED);
    assert_int_equal(aead_open(a, 1, slice_of(NULL, 0), in, out), MOTH_EFORGED);
    assert_int_equal(aead_open(other, 1, slice_text("ad"), in, out), MOTH_EFORGED);
    aead_free(a);
    aead_free(other);
    aead_free(NULL);
}

static void test_aead_refuses_what_is_shorter_than_a_tag(void **state)
{
    (void)state;
    struct aead *a = aead_new(counting(0));
    uint8_t sealed[20], out[20];
    aead_seal(a, 1, slice_of(NULL, 0), slice_text("data"), sealed);
    for (size_t bytes = 0; bytes < sizeof sealed; bytes++)
        assert_int_equal(aead_open(a, 1, slice_of(NULL, 0), slice_of(sealed, bytes), out), MOTH_EFORGED);
    aead_free(a);
}

static void test_scrypt_gives_known_answers(void **state)
{
    (void)state;
    uint8_t out[32];
    assert_int_equal(crypto_scrypt(slice_text("correct horse"), slice_text("moth network"), out), 0);
    assert_hex(out, "ead62f4b55a7cd86a7b2afe63405f09007ddda4c7da95683feb0a480726de734");
    assert_int_equal(crypto_scrypt(slice_of(NULL, 0), slice_of(NULL, 0), out), 0);
    assert_hex(out, "675af5aa8a54e4c3199a242f745656f9d2ed66c3fcc167380ea29ca27b7c8362");
}

static int decode(const char *text, size_t capacity, uint8_t *out, size_t *bytes)
{
    return crypto_base64_decode(slice_text(text), out, capacity, bytes);
}

static void test_base64_follows_rfc_4648_without_padding(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"},
                                             {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "-_-_"}};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char text[16] = "";
        uint8_t out[16];
        size_t bytes = 99;
        crypto_base64_encode(slice_text(vectors[i][0]), text);
        assert_string_equal(text, vectors[i][1]);
        assert_int_equal(CRYPTO_BASE64_CHARACTERS(strlen(vectors[i][0])), strlen(text));
        assert_int_equal(decode(text, sizeof out, out, &bytes), 0);
        assert_int_equal(bytes, strlen(vectors[i][0]));
        assert_memory_equal(out, vectors[i][0], bytes);
    }
}

static void test_base64_refuses_other_characters_and_second_texts_for_the_same_bytes(void **state)
{
    (void)state;
    static const char *const texts[] = {"A", "AAAAA", "Zm9+", "Zm9/", "Zg==", "Zm 9v", "Zm9v\n", "Zm\xc3\xa4", "Zh", "Zm9"};
    uint8_t out[16];
    size_t bytes;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(decode(texts[i], sizeof out, out, &bytes), MOTH_EMALFORMED);
}

static void test_base64_never_passes_the_end_of_its_room(void **state)
{
    (void)state;
    uint8_t out[4] = "###";
    size_t bytes;
    assert_int_equal(decode("Zm8", 1, out, &bytes), MOTH_ETOO_BIG);
    assert_int_equal(decode("Zm8", 2, out, &bytes), 0);
    assert_memory_equal(out, "fo#", 3);
}

static void test_equal_sees_a_difference_anywhere(void **state)
{
    (void)state;
    uint8_t a[32] = {0}, b[32] = {0};
    assert_true(crypto_equal(a, b, 32));
    assert_true(crypto_equal(a, b, 0));
    for (size_t i = 0; i < 32; i++) {
        b[i] = 0x80;
        assert_false(crypto_equal(a, b, 32));
        b[i] = 0;
    }
}

static void test_wipe_leaves_zeros_and_touches_nothing_else(void **state)
{
    (void)state;
    uint8_t bytes[4] = {1, 2, 3, 4};
    crypto_wipe(bytes + 1, 2);
    assert_memory_equal(bytes, "\1\0\0\4", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256_gives_the_published_digests),
        cmocka_unit_test(test_sha256_of_a_pair_is_that_of_both_joined_wherever_they_are_cut),
        cmocka_unit_test(test_hmac_follows_rfc_4231),
        cmocka_unit_test(test_hmac_takes_an_empty_key_and_empty_data),
        cmocka_unit_test(test_hkdf_follows_rfc_5869),
        cmocka_unit_test(test_hkdf_gives_the_same_first_outputs_whatever_the_count),
        cmocka_unit_test(test_x25519_follows_rfc_7748),
        cmocka_unit_test(test_x25519_agrees_on_the_secret_of_rfc_7748),
        cmocka_unit_test(test_x25519_holds_over_a_thousand_turns),
        cmocka_unit_test(test_x25519_refuses_every_weak_key),
        cmocka_unit_test(test_ed25519_follows_rfc_8032),
        cmocka_unit_test(test_a_label_is_signed_in_front_of_the_data),
        cmocka_unit_test(test_a_signature_made_under_one_label_does_not_verify_under_another),
        cmocka_unit_test(test_a_signature_with_any_byte_changed_is_refused),
        cmocka_unit_test(test_a_signature_over_other_data_or_by_another_key_is_refused),
        cmocka_unit_test(test_aead_seals_as_rfc_8439_does),
        cmocka_unit_test(test_aead_opens_what_rfc_8439_sealed),
        cmocka_unit_test(test_aead_seals_nothing_into_a_tag),
        cmocka_unit_test(test_one_aead_serves_both_directions_in_any_order_and_in_place),
        cmocka_unit_test(test_aead_refuses_every_flipped_bit_and_leaves_nothing_readable),
        cmocka_unit_test(test_aead_refuses_another_nonce_associated_data_or_key),
        cmocka_unit_test(test_aead_refuses_what_is_shorter_than_a_tag),
        cmocka_unit_test(test_scrypt_gives_known_answers),
        cmocka_unit_test(test_base64_follows_rfc_4648_without_padding),
        cmocka_unit_test(test_base64_refuses_other_characters_and_second_texts_for_the_same_bytes),
        cmocka_unit_test(test_base64_never_passes_the_end_of_its_room),
        cmocka_unit_test(test_equal_sees_a_difference_anywhere),
        cmocka_unit_test(test_wipe_leaves_zeros_and_touches_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
