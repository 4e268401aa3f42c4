/* test_keys.c -- keys for sealing end to end, and how long they are kept.
 *
 * Ana seals for bob and bob opens. The clock stands until a test moves it; randomness is a counter, so each ephemeral
 * key differs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/keys.h"

#include <stdlib.h>

struct world {
    struct moth_host host;
    uint64_t now_us, drawn;
    struct identity ana, bob;
    struct keys ana_keys, bob_keys;
};

static uint64_t now_us(void *context)
{
    return ((struct world *)context)->now_us;
}

static void draw(void *context, void *out, size_t bytes)
{
    struct world *w = context;
    memset(out, 0, bytes);
    put_uint(out, ++w->drawn, 8);
}

static struct identity identity_of(uint8_t first)
{
    struct identity who;
    uint8_t seed[32] = {first};
    identity_from_seed(&who, seed);
    return who;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->host = (struct moth_host){.context = w, .now_us = now_us, .random = draw};
    w->ana = identity_of('a');
    w->bob = identity_of('b');
    keys_init(&w->ana_keys, &w->host, &w->ana, 1);
    keys_init(&w->bob_keys, &w->host, &w->bob, 2);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    keys_fini(&w->ana_keys);
    keys_fini(&w->bob_keys);
    free(w);
    return 0;
}

struct sealed {
    uint8_t epk[32], bytes[5 + CRYPTO_TAG_BYTES];
};

static void seal(struct aead *key, struct sealed *out)
{
    aead_seal(key, 9, slice_of(NULL, 0), slice_text("hello"), out->bytes);
}

/* As bob does when a key has opened something. */
static struct aead *proven_key(struct world *w, const uint8_t epk[32])
{
    struct aead *key;
    assert_int_equal(keys_from(&w->bob_keys, &w->ana.id, w->ana.x25519_public, epk, &key), 0);
    keys_proven(&w->bob_keys, &w->ana.id, epk);
    return key;
}

static int open_sealed(struct aead *key, const struct sealed *s)
{
    uint8_t plain[5];
    int rc = aead_open(key, 9, slice_of(NULL, 0), slice_of(s->bytes, sizeof s->bytes), plain);
    if (rc == 0) assert_memory_equal(plain, "hello", 5);
    return rc;
}

/* Ana seals for bob; the key's address is returned, to see whether it was made anew. */
static struct aead *ana_seals(struct world *w, struct sealed *out)
{
    struct aead *key;
    assert_int_equal(keys_to(&w->ana_keys, &w->bob.id, w->bob.x25519_public, out->epk, &key), 0);
    seal(key, out);
    return key;
}

static int bob_opens(struct world *w, const struct identity *from, const struct sealed *s)
{
    struct aead *key;
    assert_int_equal(keys_from(&w->bob_keys, &from->id, from->x25519_public, s->epk, &key), 0);
    int rc = open_sealed(key, s);
    if (rc == 0) keys_proven(&w->bob_keys, &from->id, s->epk);
    return rc;
}

static void key_of_the_sender_opens_at_the_receiver(void **state)
{
    struct world *w = *state;
    struct sealed s;
    ana_seals(w, &s);
    assert_int_equal(bob_opens(w, &w->ana, &s), 0);
}

static void key_for_bob_opens_nothing_elsewhere(void **state)
{
    struct world *w = *state;
    struct identity eva = identity_of('e');
    struct keys eva_keys;
    struct aead *key;
    struct sealed s;
    ana_seals(w, &s);
    keys_init(&eva_keys, &w->host, &eva, 3);
    assert_int_equal(keys_from(&eva_keys, &w->ana.id, w->ana.x25519_public, s.epk, &key), 0);
    assert_int_equal(open_sealed(key, &s), MOTH_EFORGED);
    keys_fini(&eva_keys);
}

static void key_of_ana_does_not_open_in_the_name_of_another(void **state)
{
    struct world *w = *state;
    struct identity eva = identity_of('e');
    struct sealed s;
    ana_seals(w, &s);
    assert_int_equal(bob_opens(w, &eva, &s), MOTH_EFORGED);
    assert_int_equal(bob_opens(w, &w->ana, &s), 0);
}

static void key_for_a_recipient_is_made_once(void **state)
{
    struct world *w = *state;
    struct sealed first, second;
    struct aead *key = ana_seals(w, &first);
    assert_ptr_equal(ana_seals(w, &second), key);
    assert_memory_equal(first.epk, second.epk, 32);
    assert_int_equal(w->drawn, 1);
    assert_int_equal(w->ana_keys.sending.count, 1);
}

static void key_from_a_sender_is_made_once_an_epk(void **state)
{
    struct world *w = *state;
    struct sealed s;
    ana_seals(w, &s);
    struct aead *first = proven_key(w, s.epk);
    assert_ptr_equal(first, proven_key(w, s.epk));
    s.epk[0] ^= 1;
    assert_ptr_not_equal(first, proven_key(w, s.epk));
    assert_int_equal(w->bob_keys.receiving.count, 2);
    assert_int_equal(w->bob_keys.unproven.count, 0);
}

static void invented_epks_push_out_no_key_that_has_opened_something(void **state)
{
    struct world *w = *state;
    struct aead *key;
    struct sealed s;
    uint8_t epk[32] = {9};
    ana_seals(w, &s);
    struct aead *good = proven_key(w, s.epk);
    for (unsigned n = 0; n < KEYS_BURST - 1; n++) {
        put_uint(epk + 1, n, 4);
        assert_int_equal(keys_from(&w->bob_keys, &w->ana.id, w->ana.x25519_public, epk, &key), 0);
    }
    assert_int_equal(w->bob_keys.unproven.count, KEYS_UNPROVEN_MAX);
    put_uint(epk + 1, KEYS_BURST, 4);
    assert_int_equal(keys_from(&w->bob_keys, &w->ana.id, w->ana.x25519_public, epk, &key), MOTH_ERATE);
    assert_ptr_equal(proven_key(w, s.epk), good);
}

static void each_recipient_has_an_ephemeral_key_of_its_own(void **state)
{
    struct world *w = *state;
    struct identity eva = identity_of('e');
    struct aead *key;
    struct sealed s;
    uint8_t epk[32];
    ana_seals(w, &s);
    assert_int_equal(keys_to(&w->ana_keys, &eva.id, eva.x25519_public, epk, &key), 0);
    assert_memory_not_equal(epk, s.epk, 32);
}

static void key_for_sending_lives_an_hour(void **state)
{
    struct world *w = *state;
    struct sealed first, last, next;
    w->now_us = 5;
    ana_seals(w, &first);
    w->now_us = 5 + KEY_LIFE_US - 1;
    ana_seals(w, &last);
    assert_memory_equal(first.epk, last.epk, 32);
    w->now_us = 5 + KEY_LIFE_US;
    ana_seals(w, &next);
    assert_memory_not_equal(first.epk, next.epk, 32);
    assert_int_equal(w->ana_keys.sending.count, 1);
}

static void key_opens_however_late_its_envelope_comes(void **state)
{
    struct world *w = *state;
    struct sealed s;
    ana_seals(w, &s);
    w->now_us = 30ull * 24 * KEY_LIFE_US;
    assert_int_equal(bob_opens(w, &w->ana, &s), 0);
    w->now_us *= 2;
    assert_int_equal(bob_opens(w, &w->ana, &s), 0);
}

static void keys_whose_hour_is_over_all_go_at_the_next_use(void **state)
{
    struct world *w = *state;
    struct aead *key;
    struct sealed s;
    uint8_t epk[32];
    for (uint8_t i = 0; i < 5; i++) {
        struct identity to = identity_of(i);
        assert_int_equal(keys_to(&w->ana_keys, &to.id, to.x25519_public, epk, &key), 0);
    }
    w->now_us = KEY_LIFE_US / 2;
    ana_seals(w, &s);
    assert_int_equal(w->ana_keys.sending.count, 6);
    w->now_us = KEY_LIFE_US;
    ana_seals(w, &s);
    assert_int_equal(w->ana_keys.sending.count, 1);
    assert_int_equal(w->ana_keys.sending.map.count, 1);
}

static const uint8_t weak[32];

static void key_to_a_weak_key_is_refused(void **state)
{
    struct world *w = *state;
    struct aead *key;
    uint8_t epk[32];
    assert_int_equal(keys_to(&w->ana_keys, &w->bob.id, weak, epk, &key), MOTH_EFORGED);
    assert_int_equal(w->ana_keys.sending.count, 0);
}

static void key_from_a_weak_key_is_refused(void **state)
{
    struct world *w = *state;
    struct aead *key;
    struct sealed s;
    ana_seals(w, &s);
    assert_int_equal(keys_from(&w->bob_keys, &w->ana.id, weak, s.epk, &key), MOTH_EFORGED);
    assert_int_equal(keys_from(&w->bob_keys, &w->ana.id, w->ana.x25519_public, weak, &key), MOTH_EFORGED);
    assert_int_equal(w->bob_keys.receiving.count, 0);
}

static struct moth_id numbered(unsigned n)
{
    struct moth_id id = {{0}};
    put_uint(id.bytes, n, 4);
    return id;
}

static void keys_for_sending_are_bounded_and_the_oldest_makes_room(void **state)
{
    struct world *w = *state;
    struct aead *key;
    uint8_t first[32], second[32], again[32];
    for (unsigned n = 0; n <= KEYS_MAX; n++) {
        struct moth_id to = numbered(n);
        assert_int_equal(keys_to(&w->ana_keys, &to, w->bob.x25519_public, again, &key), 0);
        if (n < 2) memcpy(n == 0 ? first : second, again, 32);
    }
    assert_int_equal(w->ana_keys.sending.count, KEYS_MAX);
    assert_int_equal(w->ana_keys.sending.map.count, KEYS_MAX);
    struct moth_id to = numbered(1);
    assert_int_equal(keys_to(&w->ana_keys, &to, w->bob.x25519_public, again, &key), 0);
    assert_memory_equal(again, second, 32);
    to = numbered(0);
    assert_int_equal(keys_to(&w->ana_keys, &to, w->bob.x25519_public, again, &key), 0);
    assert_memory_not_equal(again, first, 32);
}

static void keys_for_receiving_are_bounded_and_a_forgotten_one_is_made_again(void **state)
{
    struct world *w = *state;
    struct sealed s;
    uint8_t epk[32] = {9};
    ana_seals(w, &s);
    assert_int_equal(bob_opens(w, &w->ana, &s), 0);
    for (unsigned n = 0; n <= KEYS_MAX; n++) {
        put_uint(epk + 1, n, 4);
        proven_key(w, epk);
    }
    assert_int_equal(w->bob_keys.receiving.count, KEYS_MAX);
    assert_int_equal(w->bob_keys.receiving.map.count, KEYS_MAX);
    assert_int_equal(bob_opens(w, &w->ana, &s), 0);
}

/* Eva knows ana's id and epk and picks her own so that both pairs look alike in the map; the rest of it she varies. */
static void collide(const struct identity *eva, const struct identity *ana, uint32_t n, struct sealed *s)
{
    for (unsigned i = 0; i < MOTH_ID_BYTES; i++) s->epk[i] ^= ana->id.bytes[i] ^ eva->id.bytes[i];
    put_uint(s->epk + MOTH_ID_BYTES, n, 4);
}

static void keys_stay_right_and_bounded_when_an_attacker_picks_colliding_epks(void **state)
{
    struct world *w = *state;
    struct identity eva = identity_of('e');
    struct sealed good;
    ana_seals(w, &good);
    for (uint32_t n = 0; n < KEYS_MAX; n++) {
        struct sealed bad = good;
        collide(&eva, &w->ana, n, &bad);
        assert_int_equal(bob_opens(w, &eva, &bad), MOTH_EFORGED);
        assert_int_equal(bob_opens(w, &w->ana, &good), 0);
        assert_true(w->bob_keys.receiving.count <= KEYS_MAX);
        assert_int_equal(w->bob_keys.receiving.map.count, 1);
    }
}

/* Envelopes under one and the same epk: whoever repeats ana's gets a key of their own all the same. */
static void key_is_told_apart_by_sender_under_one_epk(void **state)
{
    struct world *w = *state;
    struct identity eva = identity_of('e');
    struct sealed s;
    ana_seals(w, &s);
    assert_int_equal(bob_opens(w, &eva, &s), MOTH_EFORGED);
    assert_int_equal(bob_opens(w, &w->ana, &s), 0);
    assert_int_equal(w->bob_keys.receiving.map.count, 1);
    assert_int_equal(w->bob_keys.unproven.map.count, 1); /* eva's, which opened nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(key_of_the_sender_opens_at_the_receiver, set_up, tear_down),
        cmocka_unit_test_setup_teardown(key_for_bob_opens_nothing_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(key_of_ana_does_not_open_in_the_name_of_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(key_for_a_recipient_is_made_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(key_from_a_sender_is_made_once_an_epk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_recipient_has_an_ephemeral_key_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(key_for_sending_lives_an_hour, set_up, tear_down),
        cmocka_unit_test_setup_teardown(key_opens_however_late_its_envelope_comes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_whose_hour_is_over_all_go_at_the_next_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(key_to_a_weak_key_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(key_from_a_weak_key_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_for_sending_are_bounded_and_the_oldest_makes_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_for_receiving_are_bounded_and_a_forgotten_one_is_made_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(keys_stay_right_and_bounded_when_an_attacker_picks_colliding_epks, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(invented_epks_push_out_no_key_that_has_opened_something, set_up, tear_down),
        cmocka_unit_test_setup_teardown(key_is_told_apart_by_sender_under_one_epk, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
