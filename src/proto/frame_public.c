/* frame_public.c -- the decoder of frame.h for programs: include/moth/frame.h over it. */
#include "moth/frame.h"

#include "base/mem.h"
#include "proto/frame.h"

#include <stdlib.h>

struct moth_frame_decoder {
    struct frame_decoder frames;
    int failed; /* 0, or what ended it */
};

struct moth_frame_decoder *moth_frame_decoder_new(enum moth_frame_mode mode, size_t max_bytes)
{
    struct moth_frame_decoder *d = mem_new(sizeof *d);
    if (max_bytes == 0 || max_bytes > MOTH_FRAME_MAX) max_bytes = MOTH_FRAME_MAX;
    frame_decoder_init(&d->frames, mode == MOTH_FRAME_LINE ? FRAME_LINE : FRAME_PLAIN, max_bytes);
    return d;
}

void moth_frame_decoder_free(struct moth_frame_decoder *d)
{
    if (d) frame_decoder_fini(&d->frames);
    free(d);
}

void moth_frame_decoder_feed(struct moth_frame_decoder *d, const void *data, size_t bytes)
{
    /* the decoder only hands bytes on, and here they are handed on as what they were */
    if (d->failed == 0) frame_feed(&d->frames, (struct span){(uint8_t *)(uintptr_t)data, bytes});
}

int moth_frame_decoder_next(struct moth_frame_decoder *d, struct moth_frame *out)
{
    struct frame frame;
    if (d->failed < 0) return d->failed;
    int rc = frame_next(&d->frames, &frame);
    if (rc > 0) *out = (struct moth_frame){frame.body.data, frame.body.bytes};
    if (rc >= 0) return rc;
    frame_decoder_fini(&d->frames);
    return d->failed = rc;
}

size_t moth_frame_decoder_held(const struct moth_frame_decoder *d)
{
    return d->frames.partial.capacity;
}

static int encode_line(struct slice line, uint8_t *out)
{
    if (line.bytes > 0 && (memchr(line.data, '\n', line.bytes) || line.data[line.bytes - 1] == '\r'))
        return MOTH_EARGUMENT;
    *put_bytes(out, line.data, line.bytes) = '\n';
    return (int)line.bytes + 1;
}

int moth_frame_encode(enum moth_frame_mode mode, const void *data, size_t bytes, void *out)
{
    if (bytes > MOTH_FRAME_MAX) return MOTH_ETOO_BIG;
    if (mode == MOTH_FRAME_LINE) return encode_line(slice_of(data, bytes), out);
    put_bytes(put_uint(out, bytes, MOTH_FRAME_EXTRA), data, bytes);
    return (int)bytes + MOTH_FRAME_EXTRA;
}
