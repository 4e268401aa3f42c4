/* advert.c -- writes, reads and checks adverts, see advert.h for their bytes.
 *
 * There is one way to write an advert: neighbours ascend, nothing is optional, nothing may follow the signature. What
 * decodes therefore encodes to the same bytes, and two nodes that hold the same advert hold the same hash of it.
 * Whether it is newer and whether its signature holds are asked separately: a flood of old adverts must cost no
 * verification. */
#include "proto/advert.h"

#include "base/id.h"
#include "proto/envelope.h"

#include <assert.h>
#include <stdlib.h>

static const char signature_label[] = "moth advert 1";

enum { BOOT_AT = 4, ED25519_AT = 24, FIXED_BYTES = 88 };

bool advert_name_is_valid(struct slice name)
{
    if (name.bytes < 1 || name.bytes > MOTH_NAME_MAX) return false;
    for (size_t i = 0; i < name.bytes; i++) {
        uint8_t c = name.data[i], lower = c | 0x20;
        bool is_letter = lower >= 'a' && lower <= 'z', is_digit = c >= '0' && c <= '9';
        if (!is_letter && !is_digit && c != '.' && c != '_' && c != '-') return false;
    }
    return true;
}

static int compare_neighbours(const void *a, const void *b)
{
    return id_compare(&((const struct neighbour *)a)->id, &((const struct neighbour *)b)->id);
}

static uint8_t *put_name(uint8_t *at, const char *name)
{
    struct slice s = slice_text(name);
    assert(advert_name_is_valid(s));
    at = put_uint(at, s.bytes, 1);
    return put_bytes(at, s.data, s.bytes);
}

static uint8_t *put_addresses(uint8_t *at, const struct advert *a)
{
    assert(a->address_count <= ADVERT_ADDRESSES_MAX);
    at = put_uint(at, a->address_count, 1);
    for (unsigned i = 0; i < a->address_count; i++) at = address_put(at, &a->addresses[i]);
    return at;
}

static uint8_t *put_neighbours(uint8_t *at, const struct advert *a)
{
    struct neighbour sorted[ADVERT_NEIGHBOURS_MAX];
    assert(a->neighbour_count <= ADVERT_NEIGHBOURS_MAX);
    memcpy(sorted, a->neighbours, a->neighbour_count * sizeof *sorted);
    qsort(sorted, a->neighbour_count, sizeof *sorted, compare_neighbours);

    at = put_uint(at, a->neighbour_count, 2);
    for (unsigned i = 0; i < a->neighbour_count; i++) {
        assert(sorted[i].cost > 0);
        assert(i == 0 || id_compare(&sorted[i - 1].id, &sorted[i].id) < 0);
        at = put_id(at, &sorted[i].id);
        at = put_uint(at, sorted[i].cost, 2);
    }
    return at;
}

size_t advert_encode(const struct advert *a, const uint8_t seed[32], uint8_t *out)
{
    uint8_t *at = out;
    assert(a->lifetime_s >= 1 && a->lifetime_s <= ADVERT_LIFETIME_MAX_S);
    at = put_uint(at, a->caps, 4);
    at = put_uint(at, a->boot, 8);
    at = put_uint(at, a->seq, 8);
    at = put_uint(at, a->lifetime_s, 4);
    at = put_bytes(at, a->ed25519_key, sizeof a->ed25519_key);
    at = put_bytes(at, a->x25519_key, sizeof a->x25519_key);
    at = put_name(at, a->name);
    at = put_addresses(at, a);
    at = put_neighbours(at, a);
    crypto_sign(seed, signature_label, slice_of(out, (size_t)(at - out)), at);
    return (size_t)(at - out) + CRYPTO_SIGNATURE_BYTES;
}

static int read_fixed(struct reader *r, struct advert *out)
{
    out->caps = (uint32_t)read_uint(r, 4);
    out->boot = read_uint(r, 8);
    out->seq = read_uint(r, 8);
    out->lifetime_s = (uint32_t)read_uint(r, 4);
    read_copy(r, out->ed25519_key, sizeof out->ed25519_key);
    read_copy(r, out->x25519_key, sizeof out->x25519_key);
    envelope_id_of_key(out->ed25519_key, &out->origin);
    return out->lifetime_s >= 1 && out->lifetime_s <= ADVERT_LIFETIME_MAX_S ? 0 : MOTH_EMALFORMED;
}

static int read_name(struct reader *r, struct advert *out)
{
    size_t bytes = (size_t)read_uint(r, 1);
    const uint8_t *name = read_raw(r, bytes);
    if (!name || !advert_name_is_valid(slice_of(name, bytes))) return MOTH_EMALFORMED;
    memcpy(out->name, name, bytes);
    out->name[bytes] = '\0';
    return 0;
}

static int read_addresses(struct reader *r, struct advert *out)
{
    out->address_count = (unsigned)read_uint(r, 1);
    if (out->address_count > ADVERT_ADDRESSES_MAX) return MOTH_EMALFORMED;
    for (unsigned i = 0; i < out->address_count; i++)
        if (address_read(r, &out->addresses[i]) < 0) return MOTH_EMALFORMED;
    return 0;
}

static int read_neighbours(struct reader *r, struct advert *out)
{
    out->neighbour_count = (unsigned)read_uint(r, 2);
    if (out->neighbour_count > ADVERT_NEIGHBOURS_MAX) return MOTH_EMALFORMED;
    for (unsigned i = 0; i < out->neighbour_count; i++) {
        struct neighbour *n = &out->neighbours[i];
        read_id(r, &n->id);
        n->cost = (uint16_t)read_uint(r, 2);
        if (n->cost == 0 || id_equal(&n->id, &out->origin)) return MOTH_EMALFORMED;
        if (i > 0 && compare_neighbours(n - 1, n) >= 0) return MOTH_EMALFORMED;
    }
    return 0;
}

int advert_decode(struct slice bytes, struct advert *out)
{
    struct reader r = reader_of(bytes);
    int rc;

    *out = (struct advert){0};
    if ((rc = read_fixed(&r, out)) < 0) return rc;
    if ((rc = read_name(&r, out)) < 0) return rc;
    if ((rc = read_addresses(&r, out)) < 0) return rc;
    if ((rc = read_neighbours(&r, out)) < 0) return rc;
    read_raw(&r, CRYPTO_SIGNATURE_BYTES);
    return reader_finished(&r) ? 0 : MOTH_EMALFORMED;
}

int advert_peek(struct slice bytes, struct moth_id *origin, uint64_t *boot, uint64_t *seq)
{
    if (bytes.bytes < FIXED_BYTES) return MOTH_EMALFORMED;
    struct reader r = reader_of(slice_of(bytes.data + BOOT_AT, 16));
    *boot = read_uint(&r, 8);
    *seq = read_uint(&r, 8);
    envelope_id_of_key(bytes.data + ED25519_AT, origin);
    return 0;
}

int advert_verify(struct slice bytes)
{
    size_t signed_bytes = bytes.bytes - CRYPTO_SIGNATURE_BYTES;
    assert(bytes.bytes > FIXED_BYTES + CRYPTO_SIGNATURE_BYTES);
    return crypto_verify(bytes.data + ED25519_AT, signature_label, slice_of(bytes.data, signed_bytes),
                         bytes.data + signed_bytes);
}
