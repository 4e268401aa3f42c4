/* fuzz_advert.c -- what decodes encodes to the same bytes, what is encoded decodes, and addresses survive as text.
 *
 * The first byte chooses what the rest is: an advert as bytes, fields to make an advert of, an address as text, or an
 * address as bytes. */
#include "base/id.h"
#include "base/mem.h"
#include "proto/advert.h"
#include "proto/envelope.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t seed[32] = {1, 2, 3};

static void check_bounds(const struct advert *a)
{
    assert(a->address_count <= ADVERT_ADDRESSES_MAX && a->neighbour_count <= ADVERT_NEIGHBOURS_MAX);
    assert(a->lifetime_s >= 1 && a->lifetime_s <= ADVERT_LIFETIME_MAX_S);
    assert(advert_name_is_valid(slice_text(a->name)));
    for (unsigned i = 0; i < a->address_count; i++) assert(a->addresses[i].port > 0);
    for (unsigned i = 0; i < a->neighbour_count; i++) {
        const struct neighbour *n = &a->neighbours[i];
        assert(n->cost > 0 && !id_equal(&n->id, &a->origin));
        assert(i == 0 || id_compare(&n[-1].id, &n->id) < 0);
    }
}

static void check_peek(struct slice bytes, const struct advert *a)
{
    struct moth_id origin;
    uint64_t boot, seq;
    assert(advert_peek(bytes, &origin, &boot, &seq) == 0);
    assert(id_equal(&origin, &a->origin) && boot == a->boot && seq == a->seq);
}

static void fuzz_bytes(struct slice bytes)
{
    struct advert a;
    struct moth_id origin;
    uint64_t boot, seq;
    uint8_t again[ADVERT_BYTES_MAX];
    int peeked = advert_peek(bytes, &origin, &boot, &seq);
    if (advert_decode(bytes, &a) < 0) return;

    assert(peeked == 0 && bytes.bytes <= ADVERT_BYTES_MAX);
    check_bounds(&a);
    check_peek(bytes, &a);
    assert(advert_encode(&a, seed, again) == bytes.bytes);
    assert(memcmp(again, bytes.data, bytes.bytes - CRYPTO_SIGNATURE_BYTES) == 0);
    assert(advert_verify(bytes) == MOTH_EFORGED || memcmp(again, bytes.data, bytes.bytes) == 0);
}

static void read_name(struct reader *r, struct advert *a)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t bytes = 1 + (size_t)read_uint(r, 1) % MOTH_NAME_MAX;
    for (size_t i = 0; i < bytes; i++) a->name[i] = letters[read_uint(r, 1) % (sizeof letters - 1)];
}

static void read_addresses(struct reader *r, struct advert *a)
{
    a->address_count = (unsigned)read_uint(r, 1) % (ADVERT_ADDRESSES_MAX + 1);
    for (unsigned i = 0; i < a->address_count; i++) {
        struct address *address = &a->addresses[i];
        *address = (struct address){.family = read_uint(r, 1) & 1 ? 4 : 6, .port = (uint16_t)(read_uint(r, 2) | 1)};
        read_copy(r, address->ip, address->family == 4 ? 4 : 16);
    }
}

/* Ids descend: the first two bytes count down, so that encoding has something to sort. */
static void read_neighbours(struct reader *r, struct advert *a)
{
    a->neighbour_count = (unsigned)read_uint(r, 2) % (ADVERT_NEIGHBOURS_MAX + 1);
    for (unsigned i = 0; i < a->neighbour_count; i++) {
        struct neighbour *n = &a->neighbours[i];
        put_uint(n->id.bytes, a->neighbour_count - i, 2);
        read_copy(r, n->id.bytes + 2, MOTH_ID_BYTES - 2);
        n->cost = (uint16_t)(read_uint(r, 2) | 1);
    }
}

static void read_advert(struct reader *r, struct advert *a)
{
    *a = (struct advert){.caps = (uint32_t)read_uint(r, 4), .boot = read_uint(r, 8), .seq = read_uint(r, 8)};
    a->lifetime_s = 1 + (uint32_t)read_uint(r, 4) % ADVERT_LIFETIME_MAX_S;
    crypto_ed25519_public(seed, a->ed25519_key);
    envelope_id_of_key(a->ed25519_key, &a->origin);
    read_copy(r, a->x25519_key, sizeof a->x25519_key);
    read_name(r, a);
    read_addresses(r, a);
    read_neighbours(r, a);
}

static void check_same(const struct advert *a, const struct advert *b)
{
    assert(a->caps == b->caps && a->boot == b->boot && a->seq == b->seq && a->lifetime_s == b->lifetime_s);
    assert(id_equal(&a->origin, &b->origin) && strcmp(a->name, b->name) == 0);
    assert(memcmp(a->x25519_key, b->x25519_key, 32) == 0);
    assert(a->address_count == b->address_count && a->neighbour_count == b->neighbour_count);
    for (unsigned i = 0; i < a->address_count; i++) assert(address_equal(&a->addresses[i], &b->addresses[i]));
    for (unsigned i = 0, last = a->neighbour_count; i < last; i++) {
        const struct neighbour *n = &a->neighbours[i], *m = &b->neighbours[last - 1 - i];
        assert(id_equal(&n->id, &m->id) && n->cost == m->cost);
    }
}

static void fuzz_fields(struct reader r)
{
    struct advert a, b;
    uint8_t out[ADVERT_BYTES_MAX];
    read_advert(&r, &a);
    size_t bytes = advert_encode(&a, seed, out);
    uint8_t *exact = mem_new(bytes);
    memcpy(exact, out, bytes);

    assert(advert_decode(slice_of(exact, bytes), &b) == 0);
    check_same(&a, &b);
    fuzz_bytes(slice_of(exact, bytes));
    assert(advert_verify(slice_of(exact, bytes)) == 0);
    assert(advert_decode(slice_of(exact, bytes - 1), &b) == MOTH_EMALFORMED);
    free(exact);
}

static void check_text(const struct address *a)
{
    char text[MOTH_ADDRESS_TEXT_BYTES];
    struct address b;
    address_format(a, text);
    assert(address_parse(text, &b) == 0 && address_equal(a, &b));
    assert(address_scope(a) == address_scope(&b));
}

static void fuzz_text(struct slice s)
{
    struct address a;
    char *text = mem_new(s.bytes + 1);
    put_bytes((uint8_t *)text, s.data, s.bytes);
    if (address_parse(text, &a) == 0) check_text(&a);
    free(text);
}

static void fuzz_address(struct slice s)
{
    struct reader r = reader_of(s);
    struct address a;
    uint8_t out[ADDRESS_BYTES_MAX];
    if (address_read(&r, &a) < 0) return;
    size_t bytes = (size_t)(address_put(out, &a) - out);
    assert(bytes == address_bytes(&a) && bytes == s.bytes - reader_left(&r));
    assert(memcmp(out, s.data, bytes) == 0);
    check_text(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    struct slice rest = slice_of(data + 1, size - 1);
    switch (data[0] % 4) {
    case 0: fuzz_bytes(rest); break;
    case 1: fuzz_fields(reader_of(rest)); break;
    case 2: fuzz_text(rest); break;
    case 3: fuzz_address(rest); break;
    }
    return 0;
}
