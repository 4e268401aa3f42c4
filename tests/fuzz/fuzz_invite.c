/* fuzz_invite.c -- an invitation that reads is written again as the same line, what is written reads the same, and
 * base64 has one text for the same bytes.
 *
 * The first byte chooses what the rest is: a line as it is, the bytes behind a line (whose sum is made right, so that
 * what follows it is reached), the fields of an invitation whose advert is genuine, or base64. */
#include "base/mem.h"
#include "moth/invite.h"
#include "node/hub.h"

#include <assert.h>
#include <stdlib.h>

#define PREFIX "moth1:"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t seed[32] = {1, 2, 3};

static bool is_all_zero(const struct moth_invitation *v)
{
    static const struct moth_invitation nothing;
    return memcmp(v, &nothing, sizeof nothing) == 0;
}

static void check_fields(const struct moth_invitation *v)
{
    struct moth_id origin;
    uint64_t boot, seq;
    char host[HOST_TEXT_BYTES];
    uint16_t port;
    struct slice advert = slice_of(v->advert, v->advert_bytes);
    assert(v->advert_bytes <= sizeof v->advert && advert_verify(advert) == 0);
    assert(advert_peek(advert, &origin, &boot, &seq) == 0 && id_equal(&origin, &v->id));
    assert(advert_name_is_valid(slice_text(v->name)));
    assert(memchr(v->address, '\0', sizeof v->address));
    assert(v->address[0] == '\0' ? v->reach == MOTH_REACH_NOBODY : host_port_parse(v->address, host, &port) == 0);
}

/* A copy of the line without what copying adds, as writing gives it. */
static void check_line(const char *line, const struct moth_invitation *v)
{
    static char again[MOTH_INVITATION_TEXT_BYTES];
    static struct moth_invitation read;
    const char *at = again;
    assert(moth_invitation_write(v, again, sizeof again) == 0);
    for (; *line; line++)
        if (*at && *line == *at) at++;
        else assert(strchr(" \t\r\n\v\f\"'`<>", *line));
    assert(*at == '\0');
    assert(moth_invitation_read(again, &read) == 0 && memcmp(&read, v, sizeof read) == 0);
    assert(moth_invitation_write(v, again, strlen(again)) == MOTH_ETOO_BIG);
}

static void fuzz_line(struct slice s)
{
    static struct moth_invitation v;
    char *line = mem_new(s.bytes + 1);
    put_bytes((uint8_t *)line, s.data, s.bytes);
    int rc = moth_invitation_read(line, &v);
    assert(rc <= 0 && moth_invitation_error_text(rc));
    if (rc < 0) assert(is_all_zero(&v));
    else {
        check_fields(&v);
        check_line(line, &v);
    }
    free(line);
}

static void fuzz_bytes(struct slice s)
{
    uint8_t hash[CRYPTO_HASH_BYTES], *bytes = mem_new(s.bytes + 4);
    size_t prefix = strlen(PREFIX), size = s.bytes + 4, characters = CRYPTO_BASE64_CHARACTERS(size);
    char *line = mem_new(prefix + characters);
    put_bytes(bytes, s.data, s.bytes);
    crypto_sha256_pair(slice_text("moth invitation 1"), s, hash);
    memcpy(bytes + s.bytes, hash, 4);
    memcpy(line, PREFIX, prefix);
    crypto_base64_encode(slice_of(bytes, size), line + prefix);
    fuzz_line(slice_of(line, prefix + characters));
    free(line);
    free(bytes);
}

static void make_advert(struct reader *r, struct moth_invitation *v)
{
    static struct advert a;
    a = (struct advert){.lifetime_s = 1, .seq = read_uint(r, 8), .name = "ana"};
    crypto_ed25519_public(seed, a.ed25519_key);
    a.neighbour_count = (unsigned)read_uint(r, 2) % (ADVERT_NEIGHBOURS_MAX + 1);
    for (unsigned i = 0; i < a.neighbour_count; i++) {
        put_uint(a.neighbours[i].id.bytes, i, 2);
        a.neighbours[i].cost = 1;
    }
    v->advert_bytes = advert_encode(&a, seed, v->advert);
}

/* Whether it is refused or not, no address passes that could not be dialled. */
static void fuzz_fields(struct reader r)
{
    static struct moth_invitation v, read;
    static char line[MOTH_INVITATION_TEXT_BYTES];
    memset(&v, 0, sizeof v);
    v.has_network_key = read_uint(&r, 1) & 1;
    if (v.has_network_key) read_copy(&r, v.network_key, sizeof v.network_key);
    make_advert(&r, &v);
    size_t bytes = reader_left(&r) < sizeof v.address ? reader_left(&r) : sizeof v.address;
    if (bytes > 0) memcpy(v.address, r.at, bytes);
    int rc = moth_invitation_write(&v, line, sizeof line);
    assert((rc == 0) == (memchr(v.address, '\0', sizeof v.address) != NULL));
    if (rc < 0 || moth_invitation_read(line, &read) < 0) return;
    assert(strcmp(read.address, v.address) == 0 && read.has_network_key == v.has_network_key);
    assert(memcmp(read.network_key, v.network_key, sizeof v.network_key) == 0);
    check_fields(&read);
    check_line(line, &read);
}

static void fuzz_base64(struct slice s)
{
    size_t capacity = s.bytes, bytes;
    uint8_t *out = mem_new(capacity);
    char *again = mem_new(CRYPTO_BASE64_CHARACTERS(s.bytes));
    if (crypto_base64_decode(s, out, capacity, &bytes) == 0) {
        assert(bytes <= capacity && CRYPTO_BASE64_CHARACTERS(bytes) == s.bytes);
        crypto_base64_encode(slice_of(out, bytes), again);
        assert(s.bytes == 0 || memcmp(again, s.data, s.bytes) == 0);
    }
    crypto_base64_encode(s, again);
    assert(crypto_base64_decode(slice_of(again, CRYPTO_BASE64_CHARACTERS(s.bytes)), out, capacity, &bytes) == 0);
    assert(slice_equal(slice_of(out, bytes), s));
    free(again);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    struct slice rest = slice_of(data + 1, size - 1);
    switch (data[0] % 4) {
    case 0: fuzz_line(rest); break;
    case 1: fuzz_bytes(rest); break;
    case 2: fuzz_fields(reader_of(rest)); break;
    case 3: fuzz_base64(rest); break;
    }
    return 0;
}
