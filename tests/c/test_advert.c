/* test_advert.c -- adverts and the addresses in them: the layout, every refusal, scopes, and addresses as text. */
#include "base/id.h"
#include "proto/advert.h"
#include "proto/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t seed[32] = {3};
static const struct address home = {.family = 4, .ip = {192, 168, 1, 2}, .port = 6684};
static const struct address away = {.family = 6, .ip = {0x20, 0x01, 0x0d, 0xb8, [15] = 9}, .port = 443};

/* Offsets inside the sample, behind the fixed 88 bytes: name "ana", two addresses, two neighbours. */
enum {
    NAME_AT = 88,
    ADDRESSES_AT = 92,
    NEIGHBOURS_AT = 119,
    FIRST_AT = 121,
    SECOND_AT = 139,
    SIGNATURE_AT = 157,
    END = 221
};

static struct advert sample(void)
{
    struct advert a = {.caps = 0x80000001, .boot = 0x1112131415161718, .seq = 65537, .lifetime_s = 600, .name = "ana",
                       .address_count = 2, .addresses = {home, away}, .neighbour_count = 2,
                       .neighbours = {{{{0xee}}, 7}, {{{0x0b}}, 300}}};
    crypto_ed25519_public(seed, a.ed25519_key);
    envelope_id_of_key(a.ed25519_key, &a.origin);
    memset(a.x25519_key, 0x25, sizeof a.x25519_key);
    return a;
}

static struct slice encode(const struct advert *a, uint8_t out[ADVERT_BYTES_MAX])
{
    return slice_of(out, advert_encode(a, seed, out));
}

/* Decodes the sample with the bytes at `at` replaced. */
static int decode_changed(size_t at, const void *with, size_t bytes)
{
    uint8_t out[ADVERT_BYTES_MAX];
    struct advert a = sample(), b;
    struct slice s = encode(&a, out);
    memcpy(out + at, with, bytes);
    return advert_decode(s, &b);
}

static void test_advert_fields_lie_at_their_offsets(void **state)
{
    uint8_t out[ADVERT_BYTES_MAX];
    struct advert a = sample();
    (void)state;
    assert_int_equal(encode(&a, out).bytes, END);
    assert_memory_equal(out, "\x80\0\0\1" "\x11\x12\x13\x14\x15\x16\x17\x18" "\0\0\0\0\0\1\0\1" "\0\0\2\x58", 24);
    assert_memory_equal(out + 24, a.ed25519_key, 32);
    assert_memory_equal(out + 56, a.x25519_key, 32);
    assert_memory_equal(out + NAME_AT, "\3ana", 4);
    assert_memory_equal(out + ADDRESSES_AT, "\2\4\xc0\xa8\1\2\x1a\x1c\6\x20\1\x0d\xb8", 13);
    assert_memory_equal(out + NEIGHBOURS_AT - 3, "\x09\x01\xbb\0\2", 5);
}

static void test_advert_neighbours_are_written_in_ascending_order(void **state)
{
    uint8_t out[ADVERT_BYTES_MAX];
    struct advert a = sample(), b;
    (void)state;
    assert_int_equal(advert_decode(encode(&a, out), &b), 0);
    assert_int_equal(b.neighbours[0].id.bytes[0], 0x0b);
    assert_int_equal(b.neighbours[0].cost, 300);
    assert_int_equal(b.neighbours[1].id.bytes[0], 0xee);
    assert_int_equal(b.neighbours[1].cost, 7);
    assert_int_equal(a.neighbours[0].id.bytes[0], 0xee); /* the caller's list is left alone */
}

static void test_advert_decodes_to_what_was_encoded(void **state)
{
    uint8_t out[ADVERT_BYTES_MAX];
    struct advert a = sample(), b;
    (void)state;
    assert_int_equal(advert_decode(encode(&a, out), &b), 0);
    assert_int_equal(b.caps, a.caps);
    assert_int_equal(b.boot, a.boot);
    assert_int_equal(b.seq, a.seq);
    assert_int_equal(b.lifetime_s, a.lifetime_s);
    assert_true(id_equal(&b.origin, &a.origin));
    assert_memory_equal(b.ed25519_key, a.ed25519_key, 32);
    assert_memory_equal(b.x25519_key, a.x25519_key, 32);
    assert_string_equal(b.name, "ana");
    assert_int_equal(b.address_count, 2);
    assert_true(address_equal(&b.addresses[0], &home));
    assert_true(address_equal(&b.addresses[1], &away));
    assert_int_equal(b.neighbour_count, 2);
}

static void test_advert_may_list_no_address_and_no_neighbour(void **state)
{
    uint8_t out[ADVERT_BYTES_MAX];
    struct advert a = sample(), b;
    (void)state;
    a.address_count = a.neighbour_count = 0;
    assert_int_equal(advert_decode(encode(&a, out), &b), 0);
    assert_int_equal(b.address_count, 0);
    assert_int_equal(b.neighbour_count, 0);
}

static struct advert largest(void)
{
    struct advert a = sample();
    memset(a.name, 'n', MOTH_NAME_MAX);
    a.address_count = ADVERT_ADDRESSES_MAX;
    for (unsigned i = 0; i < ADVERT_ADDRESSES_MAX; i++) a.addresses[i] = away;
    a.neighbour_count = ADVERT_NEIGHBOURS_MAX;
    for (unsigned i = 0; i < ADVERT_NEIGHBOURS_MAX; i++) {
        put_uint(a.neighbours[i].id.bytes, ADVERT_NEIGHBOURS_MAX - i, 2);
        a.neighbours[i].cost = 1;
    }
    return a;
}

static void test_advert_of_the_largest_size_fits_its_bound(void **state)
{
    uint8_t out[ADVERT_BYTES_MAX];
    struct advert a = largest(), b;
    (void)state;
    assert_int_equal(encode(&a, out).bytes, ADVERT_BYTES_MAX);
    assert_int_equal(advert_decode(slice_of(out, sizeof out), &b), 0);
    assert_int_equal(b.neighbour_count, ADVERT_NEIGHBOURS_MAX);
    assert_int_equal(get_uint(b.neighbours[511].id.bytes, 2), 512);
}

static void test_advert_cut_anywhere_is_malformed(void **state)
{
    uint8_t out[ADVERT_BYTES_MAX];
    struct advert a = sample(), b;
    (void)state;
    encode(&a, out);
    for (size_t bytes = 0; bytes < END; bytes++) {
        uint8_t *exact = malloc(bytes + 1); /* so that the sanitizer sees a read past the end */
        memcpy(exact, out, bytes);
        assert_int_equal(advert_decode(slice_of(exact, bytes), &b), MOTH_EMALFORMED);
        free(exact);
    }
}

static void test_advert_with_trailing_bytes_is_malformed(void **state)
{
    uint8_t out[ADVERT_BYTES_MAX] = {0};
    struct advert a = sample(), b;
    (void)state;
    struct slice s = encode(&a, out);
    assert_int_equal(advert_decode(slice_of(out, s.bytes + 1), &b), MOTH_EMALFORMED);
}

static void test_advert_of_lifetime_zero_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(decode_changed(20, "\0\0\0\0", 4), MOTH_EMALFORMED);
    assert_int_equal(decode_changed(20, "\0\0\0\1", 4), 0);
}

static void test_advert_of_more_than_a_day_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(decode_changed(20, "\0\1\x51\x80", 4), 0);
    assert_int_equal(decode_changed(20, "\0\1\x51\x81", 4), MOTH_EMALFORMED);
}

static void test_advert_with_unknown_caps_is_kept(void **state)
{
    (void)state;
    assert_int_equal(decode_changed(0, "\xff\xff\xff\xff", 4), 0);
}

static void test_advert_without_a_name_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(decode_changed(NAME_AT, "\0", 1), MOTH_EMALFORMED);
}

static void test_advert_with_a_foreign_byte_in_its_name_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(decode_changed(NAME_AT + 1, "\x1b", 1), MOTH_EMALFORMED);
}

static void test_advert_with_a_name_past_32_bytes_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(decode_changed(NAME_AT, "!nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", 34), MOTH_EMALFORMED);
}

static void test_advert_with_five_addresses_is_malformed(void **state)
{
    struct advert a = sample(), b;
    uint8_t out[ADVERT_BYTES_MAX], *fifth = out + ADDRESSES_AT + 1 + 4 * 7;
    (void)state;
    a.address_count = ADVERT_ADDRESSES_MAX;
    for (unsigned i = 0; i < ADVERT_ADDRESSES_MAX; i++) a.addresses[i] = home;
    size_t bytes = encode(&a, out).bytes;
    out[ADDRESSES_AT] = 5;
    memmove(fifth + 7, fifth, (size_t)(out + bytes - fifth));
    address_put(fifth, &home);
    assert_int_equal(advert_decode(slice_of(out, bytes + 7), &b), MOTH_EMALFORMED);
}

static void test_advert_with_an_address_of_unknown_family_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(decode_changed(ADDRESSES_AT + 1, "\5", 1), MOTH_EMALFORMED);
}

static void test_advert_with_an_address_of_port_zero_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(decode_changed(ADDRESSES_AT + 6, "\0\0", 2), MOTH_EMALFORMED);
}

static void test_advert_with_513_neighbours_is_malformed(void **state)
{
    struct advert a = largest(), b;
    uint8_t out[ADVERT_BYTES_MAX + 18];
    size_t count_at = ADVERT_BYTES_MAX - 64 - 512 * 18 - 2;
    (void)state;
    encode(&a, out);
    put_uint(out + count_at, 513, 2);
    memset(out + ADVERT_BYTES_MAX - 64, 0xfe, 64 + 18);
    assert_int_equal(advert_decode(slice_of(out, sizeof out), &b), MOTH_EMALFORMED);
}

static void test_advert_with_descending_neighbours_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(decode_changed(FIRST_AT, "\xef", 1), MOTH_EMALFORMED);
}

static void test_advert_naming_a_neighbour_twice_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(decode_changed(FIRST_AT, "\xee", 1), MOTH_EMALFORMED);
}

static void test_advert_naming_its_origin_as_neighbour_is_malformed(void **state)
{
    struct advert a = sample();
    (void)state;
    const struct moth_id low = {{0}};
    assert_int_equal(decode_changed(FIRST_AT, &low, sizeof low), 0);
    a.neighbour_count = 1;
    a.neighbours[0].id = a.origin;
    uint8_t out[ADVERT_BYTES_MAX];
    struct advert b;
    assert_int_equal(advert_decode(encode(&a, out), &b), MOTH_EMALFORMED);
}

static void test_advert_with_a_cost_of_zero_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(decode_changed(SECOND_AT + 16, "\0\0", 2), MOTH_EMALFORMED);
}

static void test_advert_peek_agrees_with_decode(void **state)
{
    uint8_t out[ADVERT_BYTES_MAX];
    struct advert a = sample();
    struct moth_id origin;
    uint64_t boot, seq;
    (void)state;
    assert_int_equal(advert_peek(encode(&a, out), &origin, &boot, &seq), 0);
    assert_true(id_equal(&origin, &a.origin));
    assert_int_equal(boot, a.boot);
    assert_int_equal(seq, a.seq);
}

static void test_advert_peek_refuses_what_is_too_short(void **state)
{
    uint8_t out[ADVERT_BYTES_MAX];
    struct advert a = sample();
    struct moth_id origin;
    uint64_t boot, seq;
    (void)state;
    encode(&a, out);
    assert_int_equal(advert_peek(slice_of(out, 0), &origin, &boot, &seq), MOTH_EMALFORMED);
    assert_int_equal(advert_peek(slice_of(out, 87), &origin, &boot, &seq), MOTH_EMALFORMED);
    assert_int_equal(advert_peek(slice_of(out, 88), &origin, &boot, &seq), 0);
}

static void test_advert_verifies_as_it_was_signed_and_not_changed(void **state)
{
    uint8_t out[ADVERT_BYTES_MAX];
    struct advert a = sample();
    (void)state;
    struct slice s = encode(&a, out);
    assert_int_equal(advert_verify(s), 0);
    for (size_t at = 0; at < s.bytes; at++) {
        out[at] ^= 1;
        assert_int_equal(advert_verify(s), MOTH_EFORGED);
        out[at] ^= 1;
    }
}

static void test_advert_signature_carries_its_own_label(void **state)
{
    uint8_t out[ADVERT_BYTES_MAX];
    struct advert a = sample();
    (void)state;
    struct slice s = encode(&a, out), covered = slice_of(out, SIGNATURE_AT);
    assert_int_equal(crypto_verify(a.ed25519_key, "moth advert 1", covered, out + SIGNATURE_AT), 0);
    crypto_sign(seed, "moth broadcast 1", covered, out + SIGNATURE_AT);
    assert_int_equal(advert_verify(s), MOTH_EFORGED);
}

static void test_advert_name_is_1_to_32_of_its_alphabet(void **state)
{
    (void)state;
    assert_true(advert_name_is_valid(slice_text("azAZ09._-")));
    assert_true(advert_name_is_valid(slice_text("n")));
    assert_true(advert_name_is_valid(slice_text("12345678901234567890123456789012")));
    assert_false(advert_name_is_valid(slice_text("123456789012345678901234567890123")));
    assert_false(advert_name_is_valid(slice_text("")));
    const char *foreign = " /:@[`{~\x01\x7f\x80\xc1\xe1\xff";
    for (const char *c = foreign; *c; c++) assert_false(advert_name_is_valid(slice_of(c, 1)));
    assert_false(advert_name_is_valid(slice_of("\0", 1)));
}

static struct address parsed(const char *text)
{
    struct address a = {0};
    assert_int_equal(address_parse(text, &a), 0);
    return a;
}

static void test_address_travels_in_7_or_19_bytes(void **state)
{
    uint8_t out[ADDRESS_BYTES_MAX];
    (void)state;
    assert_int_equal(address_bytes(&home), 7);
    assert_int_equal(address_put(out, &home) - out, 7);
    assert_memory_equal(out, "\4\xc0\xa8\1\2\x1a\x1c", 7);
    assert_int_equal(address_bytes(&away), 19);
    assert_int_equal(address_put(out, &away) - out, 19);
    assert_memory_equal(out, "\6\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09\1\xbb", 19);
}

static void test_address_cut_anywhere_is_malformed(void **state)
{
    uint8_t out[ADDRESS_BYTES_MAX];
    struct address a;
    (void)state;
    address_put(out, &away);
    for (size_t bytes = 0; bytes < sizeof out; bytes++) {
        struct reader r = reader_of(slice_of(out, bytes));
        assert_int_equal(address_read(&r, &a), MOTH_EMALFORMED);
    }
    struct reader r = reader_of(slice_of(out, sizeof out));
    assert_int_equal(address_read(&r, &a), 0);
    assert_true(reader_finished(&r));
}

static void test_address_equal_looks_at_family_ip_and_port(void **state)
{
    struct address a = home;
    (void)state;
    assert_true(address_equal(&a, &home));
    a.port++;
    assert_false(address_equal(&a, &home));
    a = home;
    a.ip[3]++;
    assert_false(address_equal(&a, &home));
    a = home;
    a.family = 6;
    assert_false(address_equal(&a, &home));
}

static void test_address_scope_knows_the_edges_of_every_range(void **state)
{
    static const struct {
        const char *text;
        enum address_scope scope;
    } cases[] = {
        {"0.0.0.0:1", ADDRESS_UNUSABLE}, {"0.255.255.255:1", ADDRESS_UNUSABLE}, {"1.0.0.0:1", ADDRESS_PUBLIC},
        {"9.255.255.255:1", ADDRESS_PUBLIC}, {"10.0.0.0:1", ADDRESS_PRIVATE}, {"10.255.255.255:1", ADDRESS_PRIVATE},
        {"11.0.0.0:1", ADDRESS_PUBLIC}, {"100.63.255.255:1", ADDRESS_PUBLIC}, {"100.64.0.0:1", ADDRESS_PRIVATE},
        {"100.127.255.255:1", ADDRESS_PRIVATE}, {"100.128.0.0:1", ADDRESS_PUBLIC},
        {"126.255.255.255:1", ADDRESS_PUBLIC}, {"127.0.0.1:1", ADDRESS_LOOPBACK},
        {"127.255.255.255:1", ADDRESS_LOOPBACK}, {"128.0.0.0:1", ADDRESS_PUBLIC},
        {"169.253.255.255:1", ADDRESS_PUBLIC}, {"169.254.0.0:1", ADDRESS_PRIVATE},
        {"169.254.255.255:1", ADDRESS_PRIVATE}, {"169.255.0.0:1", ADDRESS_PUBLIC},
        {"172.15.255.255:1", ADDRESS_PUBLIC}, {"172.16.0.0:1", ADDRESS_PRIVATE},
        {"172.31.255.255:1", ADDRESS_PRIVATE}, {"172.32.0.0:1", ADDRESS_PUBLIC},
        {"192.167.255.255:1", ADDRESS_PUBLIC}, {"192.168.0.0:1", ADDRESS_PRIVATE},
        {"192.168.255.255:1", ADDRESS_PRIVATE}, {"192.169.0.0:1", ADDRESS_PUBLIC},
        {"223.255.255.255:1", ADDRESS_PUBLIC}, {"224.0.0.0:1", ADDRESS_UNUSABLE}, {"239.1.2.3:1", ADDRESS_UNUSABLE},
        {"240.0.0.0:1", ADDRESS_UNUSABLE}, {"255.255.255.255:1", ADDRESS_UNUSABLE}, {"[::]:1", ADDRESS_UNUSABLE},
        {"[::1]:1", ADDRESS_LOOPBACK}, {"[::2]:1", ADDRESS_PUBLIC}, {"[2001:db8::1]:1", ADDRESS_PUBLIC},
        {"[fbff::1]:1", ADDRESS_PUBLIC}, {"[fc00::1]:1", ADDRESS_PRIVATE}, {"[fdff:ffff::1]:1", ADDRESS_PRIVATE},
        {"[fe00::1]:1", ADDRESS_PUBLIC}, {"[fe7f::1]:1", ADDRESS_PUBLIC}, {"[fe80::1]:1", ADDRESS_PRIVATE},
        {"[febf::1]:1", ADDRESS_PRIVATE}, {"[fec0::1]:1", ADDRESS_PUBLIC}, {"[ff02::1]:1", ADDRESS_UNUSABLE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address a = parsed(cases[i].text);
        if (address_scope(&a) != cases[i].scope) fail_msg("%s has scope %d", cases[i].text, (int)address_scope(&a));
    }
}

static void test_address_scope_is_not_fooled_by_mapped_addresses(void **state)
{
    struct address a = parsed("[::ffff:127.0.0.1]:1");
    (void)state;
    assert_int_equal(address_scope(&a), ADDRESS_LOOPBACK);
    a = parsed("[::ffff:192.168.1.1]:1");
    assert_int_equal(address_scope(&a), ADDRESS_PRIVATE);
    a = parsed("[::ffff:0.0.0.0]:1");
    assert_int_equal(address_scope(&a), ADDRESS_UNUSABLE);
    a = parsed("[::ffff:8.8.8.8]:1");
    assert_int_equal(address_scope(&a), ADDRESS_PUBLIC);
}

static void test_address_without_a_family_is_unusable(void **state)
{
    const struct address none = {0};
    char text[MOTH_ADDRESS_TEXT_BYTES];
    (void)state;
    assert_int_equal(address_scope(&none), ADDRESS_UNUSABLE);
    address_format(&none, text);
    assert_string_equal(text, "none");
}

static void test_address_text_goes_there_and_back(void **state)
{
    static const char *const texts[] = {"127.0.0.1:6684", "[::1]:6684", "255.255.255.255:65535", "[2001:db8::9]:443",
                                        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[::ffff:1.2.3.4]:1"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[MOTH_ADDRESS_TEXT_BYTES];
        struct address a = parsed(texts[i]);
        address_format(&a, text);
        assert_string_equal(text, texts[i]);
    }
}

static void test_address_parse_fills_what_the_wire_carries(void **state)
{
    struct address a = parsed("192.168.1.2:6684");
    (void)state;
    assert_memory_equal(&a.ip, home.ip, 16);
    assert_true(address_equal(&a, &home));
    a = parsed("[2001:db8::9]:443");
    assert_true(address_equal(&a, &away));
}

static void test_address_parse_refuses_what_is_no_numeric_address(void **state)
{
    static const char *const texts[] = {
        "", ":", "[", "]", "[]", "[]:1", "]:1", "[:1", "1.2.3.4", "1.2.3.4:", "1.2.3.4:0",
        "1.2.3.4:65536", "1.2.3.4:65537",
        "1.2.3.4:99999999999999999999", "1.2.3.4:4294967297", "1.2.3.4:-1", "1.2.3.4:+1", "1.2.3.4: 1", "1.2.3.4:1 ",
        "1.2.3.4:1x", " 1.2.3.4:1", "1.2.3:1", "1.2.3.4.5:1", "1.2.3.256:1", "01.2.3.4:1", "localhost:1",
        "example.org:443", "::1:6684", "[::1]", "[::1]6684", "[::1]x:1", "[::1:6684", "::1]:6684", "[1.2.3.4]:1",
        "[fe80::1%eth0]:1", "[::g]:1", "[[::1]]:1", "[2001:db8:0000:0000:0000:0000:0000:0000:0000:0000:0001]:1"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct address a = home;
        if (address_parse(texts[i], &a) != MOTH_EBAD_ADDRESS) fail_msg("\"%s\" was accepted", texts[i]);
        assert_true(address_equal(&a, &home)); /* untouched */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_advert_fields_lie_at_their_offsets),
        cmocka_unit_test(test_advert_neighbours_are_written_in_ascending_order),
        cmocka_unit_test(test_advert_decodes_to_what_was_encoded),
        cmocka_unit_test(test_advert_may_list_no_address_and_no_neighbour),
        cmocka_unit_test(test_advert_of_the_largest_size_fits_its_bound),
        cmocka_unit_test(test_advert_cut_anywhere_is_malformed),
        cmocka_unit_test(test_advert_with_trailing_bytes_is_malformed),
        cmocka_unit_test(test_advert_of_lifetime_zero_is_malformed),
        cmocka_unit_test(test_advert_of_more_than_a_day_is_malformed),
        cmocka_unit_test(test_advert_with_unknown_caps_is_kept),
        cmocka_unit_test(test_advert_without_a_name_is_malformed),
        cmocka_unit_test(test_advert_with_a_foreign_byte_in_its_name_is_malformed),
        cmocka_unit_test(test_advert_with_a_name_past_32_bytes_is_malformed),
        cmocka_unit_test(test_advert_with_five_addresses_is_malformed),
        cmocka_unit_test(test_advert_with_an_address_of_unknown_family_is_malformed),
        cmocka_unit_test(test_advert_with_an_address_of_port_zero_is_malformed),
        cmocka_unit_test(test_advert_with_513_neighbours_is_malformed),
        cmocka_unit_test(test_advert_with_descending_neighbours_is_malformed),
        cmocka_unit_test(test_advert_naming_a_neighbour_twice_is_malformed),
        cmocka_unit_test(test_advert_naming_its_origin_as_neighbour_is_malformed),
        cmocka_unit_test(test_advert_with_a_cost_of_zero_is_malformed),
        cmocka_unit_test(test_advert_peek_agrees_with_decode),
        cmocka_unit_test(test_advert_peek_refuses_what_is_too_short),
        cmocka_unit_test(test_advert_verifies_as_it_was_signed_and_not_changed),
        cmocka_unit_test(test_advert_signature_carries_its_own_label),
        cmocka_unit_test(test_advert_name_is_1_to_32_of_its_alphabet),
        cmocka_unit_test(test_address_travels_in_7_or_19_bytes),
        cmocka_unit_test(test_address_cut_anywhere_is_malformed),
        cmocka_unit_test(test_address_equal_looks_at_family_ip_and_port),
        cmocka_unit_test(test_address_scope_knows_the_edges_of_every_range),
        cmocka_unit_test(test_address_scope_is_not_fooled_by_mapped_addresses),
        cmocka_unit_test(test_address_without_a_family_is_unusable),
        cmocka_unit_test(test_address_text_goes_there_and_back),
        cmocka_unit_test(test_address_parse_fills_what_the_wire_carries),
        cmocka_unit_test(test_address_parse_refuses_what_is_no_numeric_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
