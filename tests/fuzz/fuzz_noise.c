/* fuzz_noise.c -- what an attacker on the wire can do to a handshake and to records: nothing but end them.
 *
 * The first byte picks the game, the rest are its moves:
 *
 *   raw       the input is a handshake message to a reader at some step; only the honest message opens
 *   plain     the input is message 1 of XX, which anyone can write; what comes out is what went in, and an answer
 *             is written unless the key is weak
 *   mutated   an honest message with the input as payload is changed in one place or cut; only the unchanged opens
 *   records   the input is sealed into records and arrives in chunks of its own choosing, perhaps with one byte
 *             changed; what opens is a prefix of what was sealed, all of it if nothing was changed */
#include "base/mem.h"
#include "proto/noise.h"

#include <stdlib.h>

#define ROOM_BYTES 8192
#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
    if (!claim) abort();
}

/* Both ends before each message of the pattern: reached once, then copied. */
struct ends {
    struct noise_handshake initiator, responder;
};
static struct ends xxpsk0[4], xx[4];

static void begin(struct noise_handshake *h, const char *pattern, bool initiator)
{
    uint8_t keys[3][32];
    memset(keys[0], initiator ? 1 : 2, 32);
    memset(keys[1], initiator ? 3 : 4, 32);
    memset(keys[2], 5, 32);
    struct noise_setup setup = {.pattern = noise_pattern_find(pattern), .initiator = initiator,
                                .prologue = slice_text("fuzz"), .static_secret = keys[0],
                                .ephemeral_secret = keys[1], .psks = {keys[2]}};
    must(noise_begin(h, &setup) == 0);
}

static size_t honest_message(const struct ends *e, struct slice payload, uint8_t *out)
{
    struct noise_handshake w = noise_my_turn(&e->initiator) ? e->initiator : e->responder;
    size_t bytes, announced = noise_message_bytes(w.pattern, w.step, payload.bytes);
    must(noise_write(&w, payload, out, &bytes) == 0 && bytes == announced);
    return bytes;
}

static struct noise_handshake reader_of_next(const struct ends *e)
{
    return noise_my_turn(&e->initiator) ? e->responder : e->initiator;
}

static void exchange(struct ends *e)
{
    uint8_t message[256], payload[256];
    size_t bytes;
    bool forth = noise_my_turn(&e->initiator);
    must(noise_write(forth ? &e->initiator : &e->responder, slice_of(NULL, 0), message, &bytes) == 0);
    must(noise_read(forth ? &e->responder : &e->initiator, slice_of(message, bytes), payload, &bytes) == 0);
}

static void begin_once(struct ends steps[4], const char *pattern)
{
    if (steps[0].initiator.pattern) return;
    begin(&steps[0].initiator, pattern, true);
    begin(&steps[0].responder, pattern, false);
    for (unsigned step = 0; step < 3; step++) {
        steps[step + 1] = steps[step];
        exchange(&steps[step + 1]);
    }
}

static void play_raw(struct reader *r)
{
    uint8_t payload[ROOM_BYTES], honest[ROOM_BYTES];
    unsigned step = (unsigned)read_uint(r, 1) % 3;
    struct slice message = slice_of(r->at, reader_left(r));
    struct noise_handshake h = reader_of_next(&xxpsk0[step]);
    size_t bytes;
    if (noise_read(&h, message, payload, &bytes) != 0) return;
    must(honest_message(&xxpsk0[step], slice_of(payload, bytes), honest) == message.bytes);
    must(memcmp(honest, message.data, message.bytes) == 0);
}

static void play_plain(struct reader *r)
{
    uint8_t payload[ROOM_BYTES], answer[256];
    struct slice message = slice_of(r->at, reader_left(r));
    struct noise_handshake h = reader_of_next(&xx[0]);
    size_t bytes;
    int rc = noise_read(&h, message, payload, &bytes);
    must(rc == (message.bytes < 32 ? MOTH_EMALFORMED : 0));
    if (rc < 0) return;
    must(bytes == message.bytes - 32 && memcmp(payload, message.data + 32, bytes) == 0);
    rc = noise_write(&h, slice_of(NULL, 0), answer, &bytes);
    must(rc == MOTH_EFORGED || (rc == 0 && bytes == noise_message_bytes(h.pattern, 1, 0)));
}

/* Message 1 of XX carries no tag: a change in it is noticed only by the next reader. */
static void play_mutated(struct reader *r)
{
    uint8_t message[ROOM_BYTES], opened[ROOM_BYTES];
    unsigned choice = (unsigned)read_uint(r, 1), step = choice % 3;
    size_t where = (size_t)read_uint(r, 2), cut = (size_t)read_uint(r, 1), bytes, opened_bytes;
    uint8_t flip = (uint8_t)read_uint(r, 1);
    const struct ends *e = choice & 0x80 && step > 0 ? &xx[step] : &xxpsk0[step];
    struct slice payload = slice_of(r->at, reader_left(r));
    struct noise_handshake h = reader_of_next(e);
    bytes = honest_message(e, payload, message);
    message[where % bytes] ^= flip;
    if (cut > bytes) cut = bytes;
    int rc = noise_read(&h, slice_of(message, bytes - cut), opened, &opened_bytes);
    must((rc == 0) == (flip == 0 && cut == 0));
    if (rc == 0) must(slice_equal(payload, slice_of(opened, opened_bytes)));
}

/* Seals `plain` in pieces whose sizes come from `sizes`; returns the bytes on the wire. */
static size_t seal_records(struct noise_cipher *c, struct slice plain, struct slice sizes, uint8_t *wire)
{
    size_t used = 0;
    for (size_t i = 0; plain.bytes > 0; i++) {
        size_t piece = sizes.bytes > 0 ? sizes.data[i % sizes.bytes] * 8u + 1 : plain.bytes;
        if (piece > plain.bytes) piece = plain.bytes;
        used += noise_record_seal(c, slice_of(plain.data, piece), wire + used);
        plain = slice_of(plain.data + piece, plain.bytes - piece);
    }
    return used;
}

/* Opens what is complete at the start of `wire`, checks it against `plain` and drops it from both. */
static int open_records(struct noise_cipher *c, struct span *wire, struct slice *plain)
{
    struct span opened;
    size_t used;
    int rc;
    while ((rc = noise_record_next(c, *wire, &opened, &used)) == 1) {
        must(used == opened.bytes + NOISE_RECORD_OVERHEAD && used <= wire->bytes);
        must(opened.bytes <= plain->bytes && memcmp(opened.data, plain->data, opened.bytes) == 0);
        *wire = (struct span){.data = wire->data + used, .bytes = wire->bytes - used};
        *plain = slice_of(plain->data + opened.bytes, plain->bytes - opened.bytes);
    }
    must(rc != 0 || used > wire->bytes);
    return rc;
}

/* Lets `arrived` grow in chunks until all `bytes` of the wire are there, or an error. */
static int feed_chunks(struct noise_cipher *c, uint8_t *wire, size_t bytes, struct slice sizes, struct slice *plain)
{
    struct span arrived = {.data = wire, .bytes = 0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && arrived.data + arrived.bytes < wire + bytes; i++) {
        size_t chunk = sizes.bytes > 0 ? sizes.data[sizes.bytes - 1 - i % sizes.bytes] * 3u + 1 : bytes;
        size_t left = (size_t)(wire + bytes - arrived.data) - arrived.bytes;
        arrived.bytes += chunk < left ? chunk : left;
        rc = open_records(c, &arrived, plain);
    }
    return rc;
}

static void play_records(struct reader *r)
{
    struct noise_cipher send, receive, unused[2];
    struct ends e = xxpsk0[3];
    size_t where = (size_t)read_uint(r, 2), sizes_bytes = (size_t)read_uint(r, 1) % 16;
    uint8_t flip = (uint8_t)read_uint(r, 1);
    if (sizes_bytes > reader_left(r)) sizes_bytes = reader_left(r);
    struct slice sizes = slice_of(read_raw(r, sizes_bytes), sizes_bytes), plain = slice_of(r->at, reader_left(r));
    uint8_t *wire = mem_new(plain.bytes * (1 + NOISE_RECORD_OVERHEAD));
    noise_split(&e.initiator, &send, &unused[0]);
    noise_split(&e.responder, &unused[1], &receive);
    size_t bytes = seal_records(&send, plain, sizes, wire);
    if (bytes > 0) wire[where % bytes] ^= flip;
    int rc = feed_chunks(&receive, wire, bytes, sizes, &plain);
    if (flip == 0) must(rc == 0 && plain.bytes == 0);
    else must(bytes == 0 || plain.bytes > 0);
    noise_cipher_fini(&send);
    noise_cipher_fini(&receive);
    noise_cipher_fini(&unused[0]);
    noise_cipher_fini(&unused[1]);
    free(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const games[])(struct reader *) = {play_raw, play_plain, play_mutated, play_records};
    struct reader r = reader_of(slice_of(data, size < INPUT_MAX ? size : INPUT_MAX));
    begin_once(xxpsk0, "Noise_XXpsk0_25519_ChaChaPoly_SHA256");
    begin_once(xx, "Noise_XX_25519_ChaChaPoly_SHA256");
    unsigned game = (unsigned)read_uint(&r, 1) % 4;
    games[game](&r);
    return 0;
}
