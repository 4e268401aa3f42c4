/* test_identity.c -- who a node is.
 *
 * The keys of one seed were computed with another implementation: if they ever change, every node of the world changes
 * its id. What somebody else presents is refused when any single bit of it is wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "proto/identity.h"

#include <stdio.h>

static struct identity identity_of(uint8_t first)
{
    struct identity who;
    uint8_t seed[32];
    for (unsigned i = 0; i < 32; i++) seed[i] = (uint8_t)(first + i);
    identity_from_seed(&who, seed);
    return who;
}

static void assert_hex(const uint8_t *got, size_t bytes, const char *hex)
{
    char text[2 * CRYPTO_SIGNATURE_BYTES + 1] = "";
    for (size_t i = 0; i < bytes; i++) snprintf(text + 2 * i, 3, "%02x", got[i]);
    assert_string_equal(text, hex);
}

static int check(const struct identity *who)
{
    struct moth_id id;
    return identity_check(who->ed25519_public, who->x25519_public, who->proof, &id);
}

static void identity_derives_the_same_keys_from_a_seed_for_ever(void **state)
{
    struct identity who = identity_of(0);
    (void)state;
    assert_hex(who.seed, 32, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    assert_hex(who.ed25519_public, 32, "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
    assert_hex(who.x25519_secret, 32, "0c383c0518bbd0ee27f1e90648c0ac668e5de4253c8731013689ff9cce2fb7d7");
    assert_hex(who.x25519_public, 32, "a5a2cc57e11565cd0072cc3700e384a44281a460b36d12dd22e6da8c7844412d");
    assert_hex(who.proof, 64, "a76ad67cf47fe18b42d23618d09103140d6133686bf35ae92d7c9050879ea038"
                              "2abcb8b48633ace2fd0e1a101f705d28b25db46bc3c57c7d94cbb02ea85c5a02");
    assert_hex(who.id.bytes, MOTH_ID_BYTES, "56475aa75463474c0285df5dbf2bcab7");
}

static void identity_of_another_seed_shares_nothing(void **state)
{
    struct identity a = identity_of(0), b = identity_of(1);
    (void)state;
    assert_memory_not_equal(a.ed25519_public, b.ed25519_public, 32);
    assert_memory_not_equal(a.x25519_secret, b.x25519_secret, 32);
    assert_memory_not_equal(a.x25519_public, b.x25519_public, 32);
    assert_memory_not_equal(a.proof, b.proof, sizeof a.proof);
    assert_memory_not_equal(a.id.bytes, b.id.bytes, MOTH_ID_BYTES);
}

static void identity_signs_with_one_key_and_agrees_with_another(void **state)
{
    struct identity who = identity_of(0);
    (void)state;
    assert_memory_not_equal(who.seed, who.x25519_secret, 32);
    assert_memory_not_equal(who.ed25519_public, who.x25519_public, 32);
}

static void identity_has_the_hash_of_its_key_for_an_id(void **state)
{
    struct identity who = identity_of(7);
    uint8_t hash[CRYPTO_HASH_BYTES];
    (void)state;
    crypto_sha256(slice_of(who.ed25519_public, 32), hash);
    assert_memory_equal(who.id.bytes, hash, MOTH_ID_BYTES);
}

static void identity_check_names_who_presents_the_right_keys(void **state)
{
    struct identity who = identity_of(7);
    struct moth_id id = {{0}};
    (void)state;
    assert_int_equal(identity_check(who.ed25519_public, who.x25519_public, who.proof, &id), 0);
    assert_memory_equal(id.bytes, who.id.bytes, MOTH_ID_BYTES);
}

static void identity_check_refuses_a_proof_with_any_bit_turned(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 8 * CRYPTO_SIGNATURE_BYTES; bit++) {
        struct identity who = identity_of(7);
        who.proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(check(&who), MOTH_EFORGED);
    }
}

static void identity_check_refuses_an_x25519_key_with_any_bit_turned(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 256; bit++) {
        struct identity who = identity_of(7);
        who.x25519_public[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(check(&who), MOTH_EFORGED);
    }
}

static void identity_check_refuses_an_ed25519_key_with_any_bit_turned(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 256; bit++) {
        struct identity who = identity_of(7);
        who.ed25519_public[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(check(&who), MOTH_EFORGED);
    }
}

static void identity_check_refuses_the_proof_of_somebody_else(void **state)
{
    struct identity who = identity_of(7), other = identity_of(8);
    (void)state;
    memcpy(who.proof, other.proof, sizeof who.proof);
    assert_int_equal(check(&who), MOTH_EFORGED);
}

static void identity_check_refuses_the_x25519_key_and_proof_of_somebody_else(void **state)
{
    struct identity who = identity_of(7), other = identity_of(8);
    (void)state;
    memcpy(who.x25519_public, other.x25519_public, 32);
    memcpy(who.proof, other.proof, sizeof who.proof);
    assert_int_equal(check(&who), MOTH_EFORGED);
}

static void identity_check_refuses_a_signature_made_for_another_purpose(void **state)
{
    struct identity who = identity_of(7);
    (void)state;
    crypto_sign(who.seed, "moth advert 1", slice_of(who.x25519_public, 32), who.proof);
    assert_int_equal(check(&who), MOTH_EFORGED);
    crypto_sign(who.seed, "", slice_of(who.x25519_public, 32), who.proof);
    assert_int_equal(check(&who), MOTH_EFORGED);
}

static void identity_check_names_nobody_when_it_refuses(void **state)
{
    struct identity who = identity_of(7);
    struct moth_id id = {"untouched"};
    (void)state;
    who.proof[0] ^= 1;
    assert_int_equal(identity_check(who.ed25519_public, who.x25519_public, who.proof, &id), MOTH_EFORGED);
    assert_string_equal((const char *)id.bytes, "untouched");
}

static void identity_leaves_nothing_behind_when_wiped(void **state)
{
    static const struct identity nobody;
    struct identity who = identity_of(7);
    (void)state;
    identity_wipe(&who);
    assert_memory_equal(&who, &nobody, sizeof who);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_derives_the_same_keys_from_a_seed_for_ever),
        cmocka_unit_test(identity_of_another_seed_shares_nothing),
        cmocka_unit_test(identity_signs_with_one_key_and_agrees_with_another),
        cmocka_unit_test(identity_has_the_hash_of_its_key_for_an_id),
        cmocka_unit_test(identity_check_names_who_presents_the_right_keys),
        cmocka_unit_test(identity_check_refuses_a_proof_with_any_bit_turned),
        cmocka_unit_test(identity_check_refuses_an_x25519_key_with_any_bit_turned),
        cmocka_unit_test(identity_check_refuses_an_ed25519_key_with_any_bit_turned),
        cmocka_unit_test(identity_check_refuses_the_proof_of_somebody_else),
        cmocka_unit_test(identity_check_refuses_the_x25519_key_and_proof_of_somebody_else),
        cmocka_unit_test(identity_check_refuses_a_signature_made_for_another_purpose),
        cmocka_unit_test(identity_check_names_nobody_when_it_refuses),
        cmocka_unit_test(identity_leaves_nothing_behind_when_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
