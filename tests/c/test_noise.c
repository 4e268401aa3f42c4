/* test_noise.c -- handshakes against published and own vectors, and everything that must not open.
 *
 * Both vector files become the same thing, a run of named texts: JSON's keys and values in the order they stand, with
 * a name repeated where JSON has a list. A handshake holds no pointer of its own, so a copy of the struct is a copy
 * of the reader: hundreds of broken messages are tried against one state. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proto/noise.h"

#include <stdio.h>
#include <stdlib.h>

#define PUBLISHED_VECTORS "../shared/noise-vectors.json"
#define OWN_VECTORS "tests/vectors/noise.txt"
#define SUITE "_25519_ChaChaPoly_SHA256"
#define MESSAGE_ROOM (NOISE_MESSAGE_MAX + 1)

#define FIELDS_MAX 64

struct vector {
    struct {
        const char *name, *text; /* borrowed from the file */
    } fields[FIELDS_MAX];
    size_t count;
};

static void add_field(struct vector *v, const char *name, const char *text)
{
    assert_true(v->count < FIELDS_MAX);
    v->fields[v->count].name = name;
    v->fields[v->count++].text = text;
}

/* The nth text of that name, or NULL. */
static const char *text_of(const struct vector *v, const char *name, unsigned nth)
{
    for (size_t i = 0; i < v->count; i++)
        if (strcmp(v->fields[i].name, name) == 0 && nth-- == 0) return v->fields[i].text;
    return NULL;
}

/* Text as bytes that live until eight calls later. */
static struct slice unhex(const char *hex)
{
    static uint8_t rooms[8][1024];
    static unsigned next;
    uint8_t *out = rooms[next++ % 8];
    size_t n = strlen(hex) / 2;
    assert_true(n <= sizeof rooms[0] && strlen(hex) % 2 == 0);
    for (size_t i = 0; i < n; i++) {
        unsigned value;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
        out[i] = (uint8_t)value;
    }
    return slice_of(out, n);
}

static struct slice bytes_of(const struct vector *v, const char *name, unsigned nth)
{
    const char *hex = text_of(v, name, nth);
    if (!hex) fail_msg("the vector lacks %s", name);
    return unhex(hex);
}

/* Copies a key of 32 bytes to `room`; NULL when the vector has none. */
static const uint8_t *key_of(const struct vector *v, const char *name, unsigned nth, uint8_t room[32])
{
    const char *hex = text_of(v, name, nth);
    if (!hex) return NULL;
    assert_int_equal(strlen(hex), 64);
    return memcpy(room, unhex(hex).data, 32);
}

/* The whole file with a closing zero, to be freed; NULL when it cannot be opened. */
static char *load(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t used = 0, capacity = 1u << 20;
    if (!file) return NULL;
    char *text = mem_new(capacity);
    used = fread(text, 1, capacity - 1, file);
    assert_true(used < capacity - 1);
    fclose(file);
    return text;
}

/* The text between the quote at `*at` and the next, which becomes a zero; `*at` moves behind it. */
static const char *json_string(char **at)
{
    char *start = *at + 1, *end = strchr(start, '"');
    assert_non_null(end);
    *end = '\0';
    *at = end + 1;
    assert_null(strchr(start, '\\'));
    return start;
}

/* Reads on to the end of the next object that lies in the outermost list; false at the end of the text. */
static bool json_next(char **at, struct vector *v)
{
    const char *name = "";
    int depth = 0;
    v->count = 0;
    while (**at) {
        if (**at == '"') {
            const char *text = json_string(at);
            if (**at == ':') name = text;
            else add_field(v, name, text);
            continue;
        }
        depth += (**at == '{') - (**at == '}');
        if (*(*at)++ == '}' && depth == 0) return true;
    }
    return false;
}

/* The next block of "name = hex" lines; false at the end of the text. */
static bool block_next(char **at, struct vector *v)
{
    v->count = 0;
    while (**at) {
        char *line = *at, *end = strchr(line, '\n'), *equals;
        assert_non_null(end);
        *end = '\0';
        *at = end + 1;
        if (*line == '\0' && v->count > 0) return true;
        if (*line == '\0' || *line == '#') continue;
        assert_non_null(equals = strstr(line, " ="));
        *equals = '\0';
        add_field(v, line, equals + 2 + (equals[2] == ' '));
    }
    return v->count > 0;
}

struct ends {
    struct noise_handshake initiator, responder;
};

/* A secret key made of the byte n, from 1 to 15. */
static const uint8_t *key(uint8_t n)
{
    static uint8_t keys[16][32];
    return memset(keys[n], n, 32);
}

static const uint8_t *public_key(uint8_t n)
{
    static uint8_t keys[16][32];
    crypto_x25519_public(key(n), keys[n]);
    return keys[n];
}

enum { INITIATOR_STATIC = 1, INITIATOR_EPHEMERAL, RESPONDER_STATIC, RESPONDER_EPHEMERAL, FIRST_PSK, SECOND_PSK, OTHER };

static struct noise_setup setup_of(const char *name, bool initiator)
{
    const struct noise_pattern *pattern = noise_pattern_find(name);
    assert_non_null(pattern);
    return (struct noise_setup){
        .pattern = pattern, .initiator = initiator, .prologue = slice_text("moth"),
        .static_secret = key(initiator ? INITIATOR_STATIC : RESPONDER_STATIC),
        .ephemeral_secret = key(initiator ? INITIATOR_EPHEMERAL : RESPONDER_EPHEMERAL),
        .remote_static = public_key(initiator ? RESPONDER_STATIC : INITIATOR_STATIC),
        .psks = {key(FIRST_PSK), key(SECOND_PSK)}};
}

static void begin_ends(struct ends *e, const char *name)
{
    struct noise_setup initiator = setup_of(name, true), responder = setup_of(name, false);
    assert_int_equal(noise_begin(&e->initiator, &initiator), 0);
    assert_int_equal(noise_begin(&e->responder, &responder), 0);
}

static struct noise_handshake *writer(struct ends *e)
{
    return noise_my_turn(&e->initiator) ? &e->initiator : &e->responder;
}

static struct noise_handshake *reader(struct ends *e)
{
    return noise_my_turn(&e->initiator) ? &e->responder : &e->initiator;
}

/* Writes the next message; the reader has yet to see it. The bytes live until the next call. */
static struct span write_next(struct ends *e, struct slice payload)
{
    static uint8_t message[MESSAGE_ROOM];
    struct noise_handshake *w = writer(e);
    size_t bytes = 0, announced = noise_message_bytes(w->pattern, w->step, payload.bytes);
    assert_true(noise_my_turn(w));
    assert_int_equal(noise_write(w, payload, message, &bytes), 0);
    assert_int_equal(bytes, announced);
    return (struct span){.data = message, .bytes = bytes};
}

/* What a copy of `h` says to the message. */
static int try_read(const struct noise_handshake *h, struct span message)
{
    static uint8_t payload[MESSAGE_ROOM];
    struct noise_handshake copy = *h;
    size_t bytes;
    return noise_read(&copy, span_slice(message), payload, &bytes);
}

static void exchange(struct ends *e, struct slice payload)
{
    static uint8_t out[MESSAGE_ROOM];
    struct noise_handshake *r = reader(e);
    size_t bytes = 0;
    struct span message = write_next(e, payload);
    assert_int_equal(noise_read(r, span_slice(message), out, &bytes), 0);
    assert_true(slice_equal(slice_of(out, bytes), payload));
}

static void exchange_until(struct ends *e, unsigned step)
{
    while (e->initiator.step < step) exchange(e, slice_text("a payload"));
}

struct wires {
    struct noise_cipher from_initiator, to_responder, from_responder, to_initiator;
};

static void split_ends(struct ends *e, struct wires *w)
{
    noise_split(&e->initiator, &w->from_initiator, &w->to_initiator);
    noise_split(&e->responder, &w->from_responder, &w->to_responder);
}

static void open_wires(struct wires *w)
{
    struct ends e;
    begin_ends(&e, "Noise_XXpsk0" SUITE);
    exchange_until(&e, 3);
    split_ends(&e, w);
}

static void close_wires(struct wires *w)
{
    noise_cipher_fini(&w->from_initiator);
    noise_cipher_fini(&w->to_responder);
    noise_cipher_fini(&w->from_responder);
    noise_cipher_fini(&w->to_initiator);
}

static int open_record(struct noise_cipher *c, const uint8_t *record, size_t bytes, struct span *plain)
{
    static uint8_t wire[2 * (NOISE_RECORD_MAX + NOISE_RECORD_OVERHEAD)];
    size_t used;
    memcpy(wire, record, bytes);
    return noise_record_next(c, (struct span){.data = wire, .bytes = bytes}, plain, &used);
}

static void check_message(struct noise_handshake *from, struct noise_handshake *to, struct slice payload,
                          struct slice message)
{
    uint8_t out[2048];
    size_t bytes = 0;
    assert_true(noise_my_turn(from));
    assert_false(noise_my_turn(to));
    assert_int_equal(noise_message_bytes(from->pattern, from->step, payload.bytes), message.bytes);
    assert_int_equal(noise_write(from, payload, out, &bytes), 0);
    assert_true(slice_equal(slice_of(out, bytes), message));
    assert_int_equal(noise_read(to, message, out, &bytes), 0);
    assert_true(slice_equal(slice_of(out, bytes), payload));
}

static void check_transport(struct noise_cipher *from, struct noise_cipher *to, struct slice plain, struct slice sealed)
{
    uint8_t out[2048];
    assert_int_equal(sealed.bytes, plain.bytes + CRYPTO_TAG_BYTES);
    noise_seal(from, plain, out);
    assert_true(slice_equal(slice_of(out, sealed.bytes), sealed));
    assert_int_equal(noise_open(to, sealed, out), 0);
    assert_true(slice_equal(slice_of(out, plain.bytes), plain));
}

static void begin_published(struct noise_handshake *h, const struct vector *v, bool initiator)
{
    static const char *const names[2][5] = {
        {"resp_prologue", "resp_static", "resp_ephemeral", "resp_remote_static", "resp_psks"},
        {"init_prologue", "init_static", "init_ephemeral", "init_remote_static", "init_psks"}};
    const char *const *name = names[initiator];
    uint8_t rooms[5][32];
    struct noise_setup setup = {
        .pattern = noise_pattern_find(text_of(v, "protocol_name", 0)), .initiator = initiator,
        .prologue = bytes_of(v, name[0], 0),
        .static_secret = key_of(v, name[1], 0, rooms[0]), .ephemeral_secret = key_of(v, name[2], 0, rooms[1]),
        .remote_static = key_of(v, name[3], 0, rooms[2]),
        .psks = {key_of(v, name[4], 0, rooms[3]), key_of(v, name[4], 1, rooms[4])}};
    assert_non_null(setup.pattern);
    assert_int_equal(noise_begin(h, &setup), 0);
}

static void check_hashes(const struct ends *e, const struct vector *v)
{
    assert_true(noise_is_done(&e->initiator) && noise_is_done(&e->responder));
    assert_memory_equal(e->initiator.hash, e->responder.hash, 32);
    if (text_of(v, "handshake_hash", 0))
        assert_memory_equal(e->initiator.hash, bytes_of(v, "handshake_hash", 0).data, 32);
}

/* One-way patterns have one message and go on in its direction; the others alternate to the end. */
static void check_published(const struct vector *v)
{
    struct ends e;
    struct wires w;
    unsigned i = 0;
    begin_published(&e.initiator, v, true);
    begin_published(&e.responder, v, false);
    for (; !noise_is_done(&e.initiator); i++)
        check_message(writer(&e), reader(&e), bytes_of(v, "payload", i), bytes_of(v, "ciphertext", i));
    bool one_way = i == 1;
    check_hashes(&e, v);
    split_ends(&e, &w);
    assert_non_null(text_of(v, "payload", i));
    for (; text_of(v, "payload", i); i++) {
        bool forth = one_way || i % 2 == 0;
        check_transport(forth ? &w.from_initiator : &w.from_responder, forth ? &w.to_responder : &w.to_initiator,
                        bytes_of(v, "payload", i), bytes_of(v, "ciphertext", i));
    }
    close_wires(&w);
}

static void test_every_published_vector_holds_at_both_ends(void **state)
{
    (void)state;
    char *text = load(PUBLISHED_VECTORS), *at = text;
    struct vector v;
    unsigned ran = 0;
    if (!text) {
        print_message("skipped: " PUBLISHED_VECTORS " is not here\n");
        skip();
    }
    assert_non_null(at = strchr(text, '['));
    for (; json_next(&at, &v); ran++) check_published(&v);
    assert_true(ran >= 13);
    free(text);
}

static void check_own_record(struct noise_cipher *from, struct noise_cipher *to, struct slice plain,
                             struct slice record)
{
    uint8_t out[1024];
    struct span opened;
    assert_int_equal(noise_record_seal(from, plain, out), record.bytes);
    assert_memory_equal(out, record.data, record.bytes);
    assert_int_equal(open_record(to, record.data, record.bytes, &opened), 1);
    assert_true(slice_equal(span_slice(opened), plain));
}

static void begin_own(struct noise_handshake *h, const struct vector *v, bool initiator)
{
    uint8_t rooms[3][32];
    struct noise_setup setup = {
        .pattern = noise_pattern_find("Noise_XXpsk0" SUITE), .initiator = initiator,
        .prologue = bytes_of(v, "prologue", 0),
        .static_secret = key_of(v, initiator ? "initiator_static" : "responder_static", 0, rooms[0]),
        .ephemeral_secret = key_of(v, initiator ? "initiator_ephemeral" : "responder_ephemeral", 0, rooms[1]),
        .psks = {key_of(v, "psk", 0, rooms[2])}};
    assert_int_equal(noise_begin(h, &setup), 0);
}

static void check_own_handshake(const struct vector *v)
{
    struct ends e;
    struct wires w;
    begin_own(&e.initiator, v, true);
    begin_own(&e.responder, v, false);
    check_message(&e.initiator, &e.responder, bytes_of(v, "payload_1", 0), bytes_of(v, "message_1", 0));
    check_message(&e.responder, &e.initiator, bytes_of(v, "payload_2", 0), bytes_of(v, "message_2", 0));
    check_message(&e.initiator, &e.responder, bytes_of(v, "payload_3", 0), bytes_of(v, "message_3", 0));
    assert_memory_equal(e.initiator.hash, bytes_of(v, "hash", 0).data, 32);
    assert_memory_equal(e.responder.hash, bytes_of(v, "hash", 0).data, 32);
    split_ends(&e, &w);
    check_own_record(&w.from_initiator, &w.to_responder, bytes_of(v, "initiator_plain", 0),
                     bytes_of(v, "initiator_record", 0));
    check_own_record(&w.from_responder, &w.to_initiator, bytes_of(v, "responder_plain", 0),
                     bytes_of(v, "responder_record", 0));
    close_wires(&w);
}

static void check_own_k(const struct vector *v)
{
    uint8_t sender[32], ephemeral[32], recipient[32], sender_public[32], ephemeral_public[32], recipient_public[32];
    uint8_t sent[32], received[32];
    char label[256] = "";
    struct slice label_bytes = bytes_of(v, "label", 0);
    memcpy(label, label_bytes.data, label_bytes.bytes);
    crypto_x25519_public(key_of(v, "sender_static", 0, sender), sender_public);
    crypto_x25519_public(key_of(v, "sender_ephemeral", 0, ephemeral), ephemeral_public);
    crypto_x25519_public(key_of(v, "recipient_static", 0, recipient), recipient_public);
    assert_int_equal(noise_k_send_key(label, sender, ephemeral, recipient_public, sent), 0);
    assert_int_equal(noise_k_receive_key(label, recipient, ephemeral_public, sender_public, received), 0);
    assert_memory_equal(sent, bytes_of(v, "key", 0).data, 32);
    assert_memory_equal(received, sent, 32);
}

static void test_every_vector_of_our_own_holds_at_both_ends(void **state)
{
    (void)state;
    char *text = load(OWN_VECTORS), *at = text;
    struct vector v;
    unsigned handshakes = 0, ks = 0;
    assert_non_null(text);
    while (block_next(&at, &v)) {
        bool is_handshake = text_of(&v, "handshake", 0) != NULL;
        if (is_handshake) check_own_handshake(&v);
        else check_own_k(&v);
        handshakes += is_handshake;
        ks += !is_handshake;
    }
    assert_int_equal(handshakes, 4);
    assert_int_equal(ks, 3);
    free(text);
}

static const char *const every_pattern[] = {
    "Noise_N" SUITE, "Noise_K" SUITE, "Noise_X" SUITE, "Noise_Npsk0" SUITE, "Noise_Kpsk0" SUITE, "Noise_Xpsk1" SUITE,
    "Noise_XX" SUITE, "Noise_XXpsk0" SUITE, "Noise_XXpsk3" SUITE, "Noise_XXpsk0+psk3" SUITE};
#define PATTERNS (sizeof every_pattern / sizeof *every_pattern)

static void test_every_pattern_ends_with_the_same_hash_and_working_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < PATTERNS; i++) {
        struct ends e;
        struct wires w;
        struct span plain;
        uint8_t record[4 + NOISE_RECORD_OVERHEAD];
        begin_ends(&e, every_pattern[i]);
        while (!noise_is_done(&e.initiator)) exchange(&e, slice_text("a payload"));
        assert_true(noise_is_done(&e.responder));
        assert_memory_equal(e.initiator.hash, e.responder.hash, 32);
        split_ends(&e, &w);
        noise_record_seal(&w.from_initiator, slice_text("data"), record);
        assert_int_equal(open_record(&w.to_responder, record, sizeof record, &plain), 1);
        assert_true(slice_equal(span_slice(plain), slice_text("data")));
        close_wires(&w);
    }
}

static void test_a_pattern_not_in_the_table_is_not_found(void **state)
{
    (void)state;
    static const char *const unknown[] = {"", "XX", "Noise_XX", "Noise_XXpsk1" SUITE, "Noise_XXpsk0" SUITE " ",
                                          "Noise_XXpsk0_25519_AESGCM_SHA256", "noise_xxpsk0" SUITE};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) assert_null(noise_pattern_find(unknown[i]));
}

static void test_ends_take_turns_until_they_are_done(void **state)
{
    (void)state;
    struct ends e;
    begin_ends(&e, "Noise_XXpsk0" SUITE);
    for (unsigned step = 0; step < 3; step++) {
        assert_int_equal(noise_my_turn(&e.initiator), step != 1);
        assert_int_equal(noise_my_turn(&e.responder), step == 1);
        assert_false(noise_is_done(&e.initiator) || noise_is_done(&e.responder));
        exchange(&e, slice_text("a payload"));
    }
    assert_true(noise_is_done(&e.initiator) && noise_is_done(&e.responder));
    assert_false(noise_my_turn(&e.initiator) || noise_my_turn(&e.responder));
}

static void test_each_end_learns_the_others_static_key_only_when_it_was_sent(void **state)
{
    (void)state;
    struct ends e;
    begin_ends(&e, "Noise_XXpsk0" SUITE);
    exchange_until(&e, 1);
    assert_false(e.initiator.has_remote_static || e.responder.has_remote_static);
    exchange_until(&e, 2);
    assert_true(e.initiator.has_remote_static);
    assert_memory_equal(e.initiator.remote_static, public_key(RESPONDER_STATIC), 32);
    assert_false(e.responder.has_remote_static);
    exchange_until(&e, 3);
    assert_true(e.responder.has_remote_static);
    assert_memory_equal(e.responder.remote_static, public_key(INITIATOR_STATIC), 32);
}

static void test_split_keeps_hash_and_remote_static_and_wipes_every_secret(void **state)
{
    (void)state;
    static const struct noise_handshake zeros;
    struct ends e;
    struct wires w;
    uint8_t hash[32];
    begin_ends(&e, "Noise_XXpsk0" SUITE);
    exchange_until(&e, 3);
    memcpy(hash, e.initiator.hash, 32);
    split_ends(&e, &w);
    assert_memory_equal(e.initiator.hash, hash, 32);
    assert_memory_equal(e.initiator.remote_static, public_key(RESPONDER_STATIC), 32);
    assert_true(noise_is_done(&e.initiator));
    assert_memory_equal(e.initiator.chaining_key, zeros.chaining_key, 32);
    assert_memory_equal(e.initiator.key, zeros.key, 32);
    assert_memory_equal(e.initiator.static_secret, zeros.static_secret, 32);
    assert_memory_equal(e.initiator.ephemeral_secret, zeros.ephemeral_secret, 32);
    assert_memory_equal(e.initiator.psks, zeros.psks, sizeof zeros.psks);
    close_wires(&w);
}

static void test_wipe_leaves_nothing(void **state)
{
    (void)state;
    static const struct noise_handshake zeros;
    struct ends e;
    begin_ends(&e, "Noise_XXpsk0" SUITE);
    noise_wipe(&e.initiator);
    assert_memory_equal(&e.initiator, &zeros, sizeof zeros);
}

static void assert_begins(const struct noise_setup *setup, int wanted)
{
    struct noise_handshake h;
    assert_int_equal(noise_begin(&h, setup), wanted);
}

static void test_begin_refuses_a_missing_key(void **state)
{
    (void)state;
    for (int initiator = 0; initiator <= 1; initiator++) {
        struct noise_setup s = setup_of("Noise_XXpsk0+psk3" SUITE, initiator);
        s.static_secret = NULL;
        assert_begins(&s, MOTH_EARGUMENT);
        s = setup_of("Noise_XXpsk0+psk3" SUITE, initiator);
        s.ephemeral_secret = NULL;
        assert_begins(&s, MOTH_EARGUMENT);
        s = setup_of("Noise_XXpsk0+psk3" SUITE, initiator);
        s.psks[0] = NULL;
        assert_begins(&s, MOTH_EARGUMENT);
        s = setup_of("Noise_XXpsk0+psk3" SUITE, initiator);
        s.psks[1] = NULL;
        assert_begins(&s, MOTH_EARGUMENT);
        s = setup_of("Noise_K" SUITE, initiator);
        s.remote_static = NULL;
        assert_begins(&s, MOTH_EARGUMENT);
    }
}

static void test_begin_takes_a_setup_without_the_keys_its_pattern_has_no_use_for(void **state)
{
    (void)state;
    struct noise_setup s = setup_of("Noise_XX" SUITE, true);
    s.remote_static = s.psks[0] = s.psks[1] = NULL;
    assert_begins(&s, 0);
    s = setup_of("Noise_N" SUITE, true);
    s.static_secret = NULL;
    assert_begins(&s, 0);
    s = setup_of("Noise_N" SUITE, false);
    s.ephemeral_secret = s.remote_static = NULL;
    assert_begins(&s, 0);
    s = setup_of("Noise_XXpsk0" SUITE, true);
    s.psks[1] = NULL;
    assert_begins(&s, 0);
}

/* Also the bit of an ephemeral key that X25519 ignores: the hash sees it. */
static void check_flips(unsigned step)
{
    static const uint8_t flips[] = {0x01, 0x10, 0x80, 0xff};
    struct ends e;
    begin_ends(&e, "Noise_XXpsk0" SUITE);
    exchange_until(&e, step);
    const struct noise_handshake *r = reader(&e);
    struct span message = write_next(&e, slice_text("a payload"));
    for (size_t i = 0; i < message.bytes * sizeof flips; i++) {
        message.data[i / sizeof flips] ^= flips[i % sizeof flips];
        assert_int_equal(try_read(r, message), MOTH_EFORGED);
        message.data[i / sizeof flips] ^= flips[i % sizeof flips];
    }
    assert_int_equal(try_read(r, message), 0);
}

static void test_message_1_with_any_byte_changed_is_refused(void **state)
{
    (void)state;
    check_flips(0);
}

static void test_message_2_with_any_byte_changed_is_refused(void **state)
{
    (void)state;
    check_flips(1);
}

static void test_message_3_with_any_byte_changed_is_refused(void **state)
{
    (void)state;
    check_flips(2);
}

static void test_a_static_key_that_does_not_open_counts_as_unknown(void **state)
{
    (void)state;
    struct ends e;
    uint8_t payload[256];
    size_t bytes;
    begin_ends(&e, "Noise_XXpsk0" SUITE);
    exchange_until(&e, 1);
    struct span message = write_next(&e, slice_of(NULL, 0));
    message.data[CRYPTO_KEY_BYTES] ^= 1;
    assert_int_equal(noise_read(&e.initiator, span_slice(message), payload, &bytes), MOTH_EFORGED);
    assert_false(e.initiator.has_remote_static);
}

static void test_a_truncated_message_is_refused_at_every_length(void **state)
{
    (void)state;
    for (unsigned step = 0; step < 3; step++) {
        struct ends e;
        begin_ends(&e, "Noise_XXpsk0" SUITE);
        exchange_until(&e, step);
        const struct noise_handshake *r = reader(&e);
        struct span message = write_next(&e, slice_text("a payload"));
        size_t least = noise_message_bytes(r->pattern, step, 0);
        for (size_t bytes = 0; bytes < message.bytes; bytes++)
            assert_int_equal(try_read(r, (struct span){.data = message.data, .bytes = bytes}),
                             bytes < least ? MOTH_EMALFORMED : MOTH_EFORGED);
    }
}

static void test_a_message_with_bytes_added_is_refused(void **state)
{
    (void)state;
    for (unsigned step = 0; step < 3; step++) {
        struct ends e;
        begin_ends(&e, "Noise_XXpsk0" SUITE);
        exchange_until(&e, step);
        const struct noise_handshake *r = reader(&e);
        struct span message = write_next(&e, slice_text("a payload"));
        message.data[message.bytes++] = 0;
        assert_int_equal(try_read(r, message), MOTH_EFORGED);
    }
}

static void test_the_largest_message_passes_and_one_byte_more_is_malformed(void **state)
{
    (void)state;
    static uint8_t payload[NOISE_MESSAGE_MAX];
    struct ends e;
    begin_ends(&e, "Noise_XXpsk0" SUITE);
    struct span message = write_next(&e, slice_of(payload, NOISE_MESSAGE_MAX - 48));
    assert_int_equal(message.bytes, NOISE_MESSAGE_MAX);
    assert_int_equal(try_read(&e.responder, message), 0);
    message.bytes++;
    assert_int_equal(try_read(&e.responder, message), MOTH_EMALFORMED);
}

static void test_another_psk_is_refused_at_message_1(void **state)
{
    (void)state;
    struct noise_setup stranger = setup_of("Noise_XXpsk0" SUITE, false);
    struct ends e;
    begin_ends(&e, "Noise_XXpsk0" SUITE);
    stranger.psks[0] = key(OTHER);
    assert_int_equal(noise_begin(&e.responder, &stranger), 0);
    const struct noise_handshake *r = &e.responder;
    assert_int_equal(try_read(r, write_next(&e, slice_of(NULL, 0))), MOTH_EFORGED);
}

static void test_another_second_psk_is_refused_at_message_3(void **state)
{
    (void)state;
    struct noise_setup stranger = setup_of("Noise_XXpsk0+psk3" SUITE, false);
    struct ends e;
    begin_ends(&e, "Noise_XXpsk0+psk3" SUITE);
    stranger.psks[1] = key(OTHER);
    assert_int_equal(noise_begin(&e.responder, &stranger), 0);
    exchange_until(&e, 2);
    const struct noise_handshake *r = &e.responder;
    assert_int_equal(try_read(r, write_next(&e, slice_of(NULL, 0))), MOTH_EFORGED);
}

static void test_another_prologue_is_refused_at_message_1(void **state)
{
    (void)state;
    struct noise_setup other = setup_of("Noise_XXpsk0" SUITE, false);
    struct ends e;
    begin_ends(&e, "Noise_XXpsk0" SUITE);
    other.prologue = slice_text("moths");
    assert_int_equal(noise_begin(&e.responder, &other), 0);
    const struct noise_handshake *r = &e.responder;
    assert_int_equal(try_read(r, write_next(&e, slice_of(NULL, 0))), MOTH_EFORGED);
}

static void test_another_pattern_is_refused_at_message_1(void **state)
{
    (void)state;
    struct noise_setup other = setup_of("Noise_XXpsk0+psk3" SUITE, false);
    struct ends e;
    begin_ends(&e, "Noise_XXpsk0" SUITE);
    assert_int_equal(noise_begin(&e.responder, &other), 0);
    const struct noise_handshake *r = &e.responder;
    assert_int_equal(try_read(r, write_next(&e, slice_of(NULL, 0))), MOTH_EFORGED);
}

static void test_a_message_is_refused_by_another_recipient(void **state)
{
    (void)state;
    struct noise_setup other = setup_of("Noise_X" SUITE, false);
    struct ends e;
    begin_ends(&e, "Noise_X" SUITE);
    other.static_secret = key(OTHER);
    assert_int_equal(noise_begin(&e.responder, &other), 0);
    const struct noise_handshake *r = &e.responder;
    assert_int_equal(try_read(r, write_next(&e, slice_of(NULL, 0))), MOTH_EFORGED);
}

/* Points of low order: zero, one, and the two of order eight. */
static const uint8_t weak_keys[][32] = {
    {0},
    {1},
    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
     0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
     0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
};
#define WEAK_KEYS (sizeof weak_keys / sizeof *weak_keys)

/* The responder answers a weak ephemeral key with an error, not with a message. */
static void test_a_weak_ephemeral_key_of_the_initiator_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEAK_KEYS; i++) {
        uint8_t out[256];
        size_t bytes;
        struct ends e;
        begin_ends(&e, "Noise_XXpsk0" SUITE);
        memcpy(e.initiator.ephemeral_public, weak_keys[i], 32);
        exchange_until(&e, 1);
        assert_int_equal(noise_write(&e.responder, slice_of(NULL, 0), out, &bytes), MOTH_EFORGED);
    }
}

static void test_a_weak_ephemeral_key_of_the_responder_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEAK_KEYS; i++) {
        struct ends e;
        begin_ends(&e, "Noise_XXpsk0" SUITE);
        exchange_until(&e, 1);
        memcpy(e.responder.ephemeral_public, weak_keys[i], 32);
        const struct noise_handshake *r = &e.initiator;
        assert_int_equal(try_read(r, write_next(&e, slice_of(NULL, 0))), MOTH_EFORGED);
    }
}

static void test_a_weak_static_key_that_arrives_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEAK_KEYS; i++) {
        struct ends e;
        begin_ends(&e, "Noise_X" SUITE);
        memcpy(e.initiator.static_public, weak_keys[i], 32);
        const struct noise_handshake *r = &e.responder;
        assert_int_equal(try_read(r, write_next(&e, slice_of(NULL, 0))), MOTH_EFORGED);
    }
}

static void test_nothing_is_written_to_a_weak_static_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEAK_KEYS; i++) {
        struct noise_setup setup = setup_of("Noise_N" SUITE, true);
        struct noise_handshake h;
        uint8_t out[256];
        size_t bytes;
        setup.remote_static = weak_keys[i];
        assert_int_equal(noise_begin(&h, &setup), 0);
        assert_int_equal(noise_write(&h, slice_of(NULL, 0), out, &bytes), MOTH_EFORGED);
    }
}

static void test_the_two_directions_have_different_keys(void **state)
{
    (void)state;
    struct wires w;
    uint8_t forth[4 + 16], back[4 + 16], out[4];
    open_wires(&w);
    noise_seal(&w.from_initiator, slice_text("data"), forth);
    noise_seal(&w.from_responder, slice_text("data"), back);
    assert_memory_not_equal(forth, back, sizeof forth);
    assert_int_equal(noise_open(&w.to_initiator, slice_of(forth, sizeof forth), out), MOTH_EFORGED);
    assert_int_equal(noise_open(&w.to_responder, slice_of(back, sizeof back), out), MOTH_EFORGED);
    assert_int_equal(noise_open(&w.to_responder, slice_of(forth, sizeof forth), out), 0);
    assert_int_equal(noise_open(&w.to_initiator, slice_of(back, sizeof back), out), 0);
    close_wires(&w);
}

static void test_a_transport_message_shorter_than_a_tag_is_malformed(void **state)
{
    (void)state;
    struct wires w;
    uint8_t sealed[16], out[1];
    open_wires(&w);
    noise_seal(&w.from_initiator, slice_of(NULL, 0), sealed);
    for (size_t bytes = 0; bytes < 16; bytes++)
        assert_int_equal(noise_open(&w.to_responder, slice_of(sealed, bytes), out), MOTH_EMALFORMED);
    assert_int_equal(noise_open(&w.to_responder, slice_of(sealed, 16), out), 0);
    close_wires(&w);
}

static void test_records_open_in_place_one_after_the_other(void **state)
{
    (void)state;
    static uint8_t wire[3 * NOISE_RECORD_MAX], data[NOISE_RECORD_MAX];
    static const size_t sizes[] = {1, NOISE_RECORD_MAX, 100};
    struct span rest = {.data = wire, .bytes = 0}, plain;
    struct wires w;
    size_t used;
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 7);
    open_wires(&w);
    for (size_t i = 0; i < 3; i++) {
        size_t bytes = noise_record_seal(&w.from_initiator, slice_of(data, sizes[i]), wire + rest.bytes);
        assert_int_equal(bytes, sizes[i] + NOISE_RECORD_OVERHEAD);
        rest.bytes += bytes;
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(noise_record_next(&w.to_responder, rest, &plain, &used), 1);
        assert_ptr_equal(plain.data, rest.data + 2);
        assert_true(slice_equal(span_slice(plain), slice_of(data, sizes[i])));
        rest = (struct span){.data = rest.data + used, .bytes = rest.bytes - used};
    }
    assert_int_equal(rest.bytes, 0);
    close_wires(&w);
}

static void test_a_partial_record_tells_how_many_bytes_are_needed(void **state)
{
    (void)state;
    uint8_t record[300 + NOISE_RECORD_OVERHEAD], data[300] = {1};
    struct span plain;
    struct wires w;
    size_t used = 0;
    open_wires(&w);
    noise_record_seal(&w.from_initiator, slice_of(data, sizeof data), record);
    for (size_t bytes = 0; bytes < sizeof record; bytes++) {
        struct span wire = {.data = record, .bytes = bytes};
        assert_int_equal(noise_record_next(&w.to_responder, wire, &plain, &used), 0);
        assert_int_equal(used, bytes < 2 ? 2 : sizeof record);
    }
    struct span wire = {.data = record, .bytes = sizeof record};
    assert_int_equal(noise_record_next(&w.to_responder, wire, &plain, &used), 1);
    close_wires(&w);
}

/* Two bytes are enough to tell. */
static void test_a_record_length_that_cannot_be_is_malformed_at_once(void **state)
{
    (void)state;
    static const size_t impossible[] = {0, 1, 16, NOISE_RECORD_MAX + 17, 0xffff};
    static const size_t possible[] = {17, NOISE_RECORD_MAX + 16};
    uint8_t length[2];
    struct span wire = {.data = length, .bytes = 2}, plain;
    struct noise_cipher untouched = {0};
    size_t used;
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        put_uint(length, impossible[i], 2);
        assert_int_equal(noise_record_next(&untouched, wire, &plain, &used), MOTH_EMALFORMED);
    }
    for (size_t i = 0; i < sizeof possible / sizeof *possible; i++) {
        put_uint(length, possible[i], 2);
        assert_int_equal(noise_record_next(&untouched, wire, &plain, &used), 0);
        assert_int_equal(used, 2 + possible[i]);
    }
}

/* The changed record is followed by a good one, so that a changed length finds bytes to take in. */
static void test_no_record_opens_after_any_byte_of_one_was_changed(void **state)
{
    (void)state;
    static const uint8_t flips[] = {0x01, 0x02, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff};
    uint8_t records[2 * (40 + NOISE_RECORD_OVERHEAD)], data[40] = {1, 2, 3};
    size_t first = sizeof records / 2;
    struct wires w;
    struct span plain;
    open_wires(&w);
    noise_record_seal(&w.from_initiator, slice_of(data, sizeof data), records);
    noise_record_seal(&w.from_initiator, slice_of(data, sizeof data), records + first);
    for (size_t i = 0; i < first * sizeof flips; i++) {
        struct noise_cipher receive = w.to_responder;
        records[i / sizeof flips] ^= flips[i % sizeof flips];
        assert_true(open_record(&receive, records, sizeof records, &plain) <= 0);
        assert_int_equal(open_record(&receive, records + first, first, &plain), MOTH_EFORGED);
        records[i / sizeof flips] ^= flips[i % sizeof flips];
    }
    assert_int_equal(open_record(&w.to_responder, records, sizeof records, &plain), 1);
    close_wires(&w);
}

static void test_a_replayed_record_is_refused(void **state)
{
    (void)state;
    uint8_t record[4 + NOISE_RECORD_OVERHEAD];
    struct wires w;
    struct span plain;
    open_wires(&w);
    noise_record_seal(&w.from_initiator, slice_text("data"), record);
    assert_int_equal(open_record(&w.to_responder, record, sizeof record, &plain), 1);
    assert_int_equal(open_record(&w.to_responder, record, sizeof record, &plain), MOTH_EFORGED);
    close_wires(&w);
}

static void test_a_reordered_record_is_refused(void **state)
{
    (void)state;
    uint8_t first[4 + NOISE_RECORD_OVERHEAD], second[4 + NOISE_RECORD_OVERHEAD];
    struct wires w;
    struct span plain;
    open_wires(&w);
    noise_record_seal(&w.from_initiator, slice_text("data"), first);
    noise_record_seal(&w.from_initiator, slice_text("data"), second);
    assert_int_equal(open_record(&w.to_responder, second, sizeof second, &plain), MOTH_EFORGED);
    assert_int_equal(open_record(&w.to_responder, first, sizeof first, &plain), 1);
    assert_int_equal(open_record(&w.to_responder, second, sizeof second, &plain), 1);
    close_wires(&w);
}

static void test_a_record_reflected_to_its_sender_is_refused(void **state)
{
    (void)state;
    uint8_t record[4 + NOISE_RECORD_OVERHEAD];
    struct wires w;
    struct span plain;
    open_wires(&w);
    noise_record_seal(&w.from_initiator, slice_text("data"), record);
    assert_int_equal(open_record(&w.to_initiator, record, sizeof record, &plain), MOTH_EFORGED);
    close_wires(&w);
}

static void k_send(const char *label, uint8_t sender, uint8_t ephemeral, uint8_t recipient, uint8_t out[32])
{
    assert_int_equal(noise_k_send_key(label, key(sender), key(ephemeral), public_key(recipient), out), 0);
}

static void test_sender_and_recipient_of_k_find_the_same_key(void **state)
{
    (void)state;
    uint8_t sent[32], received[32];
    k_send("label", 1, 2, 3, sent);
    assert_int_equal(noise_k_receive_key("label", key(3), public_key(2), public_key(1), received), 0);
    assert_memory_equal(sent, received, 32);
}

static void test_the_key_of_k_differs_when_any_input_does(void **state)
{
    (void)state;
    uint8_t keys[6][32];
    k_send("label", 1, 2, 3, keys[0]);
    k_send("babel", 1, 2, 3, keys[1]);
    k_send("", 1, 2, 3, keys[2]);
    k_send("label", 4, 2, 3, keys[3]);
    k_send("label", 1, 4, 3, keys[4]);
    k_send("label", 1, 2, 4, keys[5]);
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < i; j++) assert_memory_not_equal(keys[i], keys[j], 32);
}

static void test_a_recipient_of_k_with_any_input_changed_finds_another_key(void **state)
{
    (void)state;
    uint8_t sent[32], received[32];
    k_send("label", 1, 2, 3, sent);
    assert_int_equal(noise_k_receive_key("babel", key(3), public_key(2), public_key(1), received), 0);
    assert_memory_not_equal(sent, received, 32);
    assert_int_equal(noise_k_receive_key("label", key(4), public_key(2), public_key(1), received), 0);
    assert_memory_not_equal(sent, received, 32);
    assert_int_equal(noise_k_receive_key("label", key(3), public_key(4), public_key(1), received), 0);
    assert_memory_not_equal(sent, received, 32);
    assert_int_equal(noise_k_receive_key("label", key(3), public_key(2), public_key(4), received), 0);
    assert_memory_not_equal(sent, received, 32);
}

/* Nothing is written either: half a key agreement is no key. */
static void test_k_refuses_weak_keys(void **state)
{
    (void)state;
    static const uint8_t zeros[32];
    uint8_t out[32] = {0};
    for (size_t i = 0; i < WEAK_KEYS; i++) {
        const uint8_t *weak = weak_keys[i];
        assert_int_equal(noise_k_send_key("label", key(1), key(2), weak, out), MOTH_EFORGED);
        assert_int_equal(noise_k_receive_key("label", key(3), weak, public_key(1), out), MOTH_EFORGED);
        assert_int_equal(noise_k_receive_key("label", key(3), public_key(2), weak, out), MOTH_EFORGED);
        assert_memory_equal(out, zeros, 32);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_published_vector_holds_at_both_ends),
        cmocka_unit_test(test_every_vector_of_our_own_holds_at_both_ends),
        cmocka_unit_test(test_every_pattern_ends_with_the_same_hash_and_working_keys),
        cmocka_unit_test(test_a_pattern_not_in_the_table_is_not_found),
        cmocka_unit_test(test_ends_take_turns_until_they_are_done),
        cmocka_unit_test(test_each_end_learns_the_others_static_key_only_when_it_was_sent),
        cmocka_unit_test(test_split_keeps_hash_and_remote_static_and_wipes_every_secret),
        cmocka_unit_test(test_wipe_leaves_nothing),
        cmocka_unit_test(test_begin_refuses_a_missing_key),
        cmocka_unit_test(test_begin_takes_a_setup_without_the_keys_its_pattern_has_no_use_for),
        cmocka_unit_test(test_message_1_with_any_byte_changed_is_refused),
        cmocka_unit_test(test_message_2_with_any_byte_changed_is_refused),
        cmocka_unit_test(test_message_3_with_any_byte_changed_is_refused),
        cmocka_unit_test(test_a_static_key_that_does_not_open_counts_as_unknown),
        cmocka_unit_test(test_a_truncated_message_is_refused_at_every_length),
        cmocka_unit_test(test_a_message_with_bytes_added_is_refused),
        cmocka_unit_test(test_the_largest_message_passes_and_one_byte_more_is_malformed),
        cmocka_unit_test(test_another_psk_is_refused_at_message_1),
        cmocka_unit_test(test_another_second_psk_is_refused_at_message_3),
        cmocka_unit_test(test_another_prologue_is_refused_at_message_1),
        cmocka_unit_test(test_another_pattern_is_refused_at_message_1),
        cmocka_unit_test(test_a_message_is_refused_by_another_recipient),
        cmocka_unit_test(test_a_weak_ephemeral_key_of_the_initiator_is_refused),
        cmocka_unit_test(test_a_weak_ephemeral_key_of_the_responder_is_refused),
        cmocka_unit_test(test_a_weak_static_key_that_arrives_is_refused),
        cmocka_unit_test(test_nothing_is_written_to_a_weak_static_key),
        cmocka_unit_test(test_the_two_directions_have_different_keys),
        cmocka_unit_test(test_a_transport_message_shorter_than_a_tag_is_malformed),
        cmocka_unit_test(test_records_open_in_place_one_after_the_other),
        cmocka_unit_test(test_a_partial_record_tells_how_many_bytes_are_needed),
        cmocka_unit_test(test_a_record_length_that_cannot_be_is_malformed_at_once),
        cmocka_unit_test(test_no_record_opens_after_any_byte_of_one_was_changed),
        cmocka_unit_test(test_a_replayed_record_is_refused),
        cmocka_unit_test(test_a_reordered_record_is_refused),
        cmocka_unit_test(test_a_record_reflected_to_its_sender_is_refused),
        cmocka_unit_test(test_sender_and_recipient_of_k_find_the_same_key),
        cmocka_unit_test(test_the_key_of_k_differs_when_any_input_does),
        cmocka_unit_test(test_a_recipient_of_k_with_any_input_changed_finds_another_key),
        cmocka_unit_test(test_k_refuses_weak_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
