/* fuzz_frame.c -- a stream gives the same frames however it is cut, in both modes, and nothing above the limit.
 *
 * The first byte chooses mode, limit and whether the end is told; the next four seed the cuts; the rest is the stream.
 * Each chunk is its own allocation, freed once the decoder may no longer look at it. */
#include "base/mem.h"
#include "proto/frame.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct setup {
    enum frame_mode mode;
    size_t max_bytes;
    bool finish;
};

/* All frames of a stream, written one after the other, and the last answer. */
struct result {
    struct buf frames;
    unsigned count;
    int rc;
};

static void drain(struct frame_decoder *d, struct result *result)
{
    struct frame f;
    while ((result->rc = frame_next(d, &f)) == 1) {
        uint8_t header[5];
        assert(f.body.bytes <= d->max_bytes);
        put_uint(put_uint(header, f.kind, 1), f.body.bytes, 4);
        buf_add(&result->frames, header, sizeof header);
        buf_add(&result->frames, f.body.data, f.body.bytes);
        if (f.body.bytes > 0) memset(f.body.data, 0xee, f.body.bytes); /* it may be written */
        result->count++;
    }
    assert(result->rc == 0 || result->rc == MOTH_ETOO_BIG);
    assert(d->partial.capacity <= 256 || d->partial.capacity < 2 * (buf_bytes(&d->partial) + 1));
}

static void feed(struct frame_decoder *d, const uint8_t *data, size_t bytes, struct result *result)
{
    uint8_t *chunk = mem_new(bytes);
    memcpy(chunk, data, bytes);
    frame_feed(d, (struct span){.data = chunk, .bytes = bytes});
    drain(d, result);
    free(chunk);
}

/* In chunks of 1 to `max_step` bytes, drawn from `seed`; whole when `max_step` is 0. */
static struct result split(struct setup setup, struct slice stream, size_t max_step, uint32_t seed)
{
    struct frame_decoder d;
    struct result result = {0};
    frame_decoder_init(&d, setup.mode, setup.max_bytes);
    for (size_t at = 0, step; at < stream.bytes && result.rc == 0; at += step) {
        seed = seed * 1664525 + 1013904223;
        step = max_step > 0 ? 1 + (seed >> 8) % max_step : stream.bytes;
        if (step > stream.bytes - at) step = stream.bytes - at;
        feed(&d, stream.data + at, step, &result);
    }
    if (setup.finish && result.rc == 0) {
        frame_finish(&d);
        drain(&d, &result);
    }
    frame_decoder_fini(&d);
    return result;
}

static void check_same(const struct result *a, const struct result *b)
{
    assert(a->rc == b->rc && a->count == b->count);
    assert(slice_equal(span_slice(buf_span(&a->frames)), span_slice(buf_span(&b->frames))));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 5) return 0;
    size_t limit = data[0] >> 2;
    struct setup setup = {.mode = data[0] & 1 ? FRAME_LINE : FRAME_LENGTH,
                          .max_bytes = limit == 63 ? FRAME_BODY_MAX : limit,
                          .finish = data[0] & 2};
    struct slice stream = slice_of(data + 5, size - 5);
    uint32_t seed = (uint32_t)get_uint(data + 1, 4);

    struct result whole = split(setup, stream, 0, seed);
    for (size_t max_step = 1; max_step < 600; max_step *= 4) {
        struct result cut = split(setup, stream, max_step, seed);
        check_same(&whole, &cut);
        buf_fini(&cut.frames);
    }
    buf_fini(&whole.frames);
    return 0;
}
