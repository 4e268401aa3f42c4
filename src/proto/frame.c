/* frame.c -- cuts a stream of bytes into frames or lines, see frame.h.
 *
 *   chunk | frame | frame | fra |   chunk | me | frame | frame |
 *           place   place   `---gathered---'   place   place
 *
 * `partial` takes from a chunk exactly what its own frame lacks, so it never holds more than one frame, everything
 * behind a cut frame is handed out in place again, and memory grows with what has arrived, not with what a header
 * announces. Sizes are checked before any byte of a body or line is moved. */
#include "proto/frame.h"

#include <assert.h>

enum { KIND_AT = 3, LENGTH_BYTES = 3, PLAIN_LENGTH_BYTES = 4 };

void frame_decoder_init(struct frame_decoder *d, enum frame_mode mode, size_t max_bytes)
{
    *d = (struct frame_decoder){.mode = mode, .max_bytes = max_bytes};
}

void frame_decoder_fini(struct frame_decoder *d)
{
    buf_fini(&d->partial);
    *d = (struct frame_decoder){0};
}

void frame_feed(struct frame_decoder *d, struct span chunk)
{
    assert(d->chunk.bytes == 0);
    d->chunk = chunk;
}

void frame_finish(struct frame_decoder *d)
{
    d->at_end = true;
}

static uint8_t *take(struct span *from, size_t bytes)
{
    uint8_t *front = from->data;
    from->data += bytes;
    from->bytes -= bytes;
    return front;
}

/* Moves bytes of the chunk until `partial` holds `wanted`. False: the chunk was too short for that. */
static bool gather(struct frame_decoder *d, size_t wanted)
{
    size_t held = buf_bytes(&d->partial), missing = wanted > held ? wanted - held : 0;
    size_t bytes = missing < d->chunk.bytes ? missing : d->chunk.bytes;
    if (bytes > 0) buf_add(&d->partial, take(&d->chunk, bytes), bytes);
    return bytes == missing;
}

static int give(struct frame *out, uint8_t kind, uint8_t *body, size_t bytes)
{
    *out = (struct frame){.kind = kind, .body = {.data = body, .bytes = bytes}};
    return 1;
}

static int give_framed(const struct frame_decoder *d, struct frame *out, uint8_t *start, size_t bytes)
{
    uint8_t kind = d->mode == FRAME_PLAIN ? 0 : start[KIND_AT];
    return give(out, kind, start + FRAME_HEADER_BYTES, bytes - FRAME_HEADER_BYTES);
}

static int next_framed(struct frame_decoder *d, struct frame *out)
{
    bool in_place = buf_bytes(&d->partial) == 0 && d->chunk.bytes >= FRAME_HEADER_BYTES;
    if (!in_place && !gather(d, FRAME_HEADER_BYTES)) return 0;

    const uint8_t *header = in_place ? d->chunk.data : buf_span(&d->partial).data;
    size_t body_bytes = (size_t)get_uint(header, d->mode == FRAME_PLAIN ? PLAIN_LENGTH_BYTES : LENGTH_BYTES);
    size_t bytes = FRAME_HEADER_BYTES + body_bytes;
    if (body_bytes > d->max_bytes) return MOTH_ETOO_BIG;

    if (in_place && d->chunk.bytes >= bytes) return give_framed(d, out, take(&d->chunk, bytes), bytes);
    if (!gather(d, bytes)) return 0;
    d->handed_out = true;
    return give_framed(d, out, buf_span(&d->partial).data, bytes);
}

/* The length of the line gathered so far plus `here` bytes of the chunk. A "\r" at its end may still turn out to belong
 * to a line end, so it does not count yet. */
static size_t line_bytes(const struct frame_decoder *d, size_t here)
{
    struct span gathered = buf_span(&d->partial);
    if (gathered.bytes + here == 0) return 0;
    uint8_t last = here > 0 ? d->chunk.data[here - 1] : gathered.data[gathered.bytes - 1];
    return gathered.bytes + here - (last == '\r');
}

static int next_line(struct frame_decoder *d, struct frame *out)
{
    const uint8_t *newline = d->chunk.bytes > 0 ? memchr(d->chunk.data, '\n', d->chunk.bytes) : NULL;
    size_t here = newline ? (size_t)(newline - d->chunk.data) : d->chunk.bytes;
    size_t bytes = line_bytes(d, here), gathered = buf_bytes(&d->partial);
    if (bytes > d->max_bytes) return MOTH_ETOO_BIG;

    if (newline && gathered == 0) return give(out, 0, take(&d->chunk, here + 1), bytes);
    gather(d, gathered + here + (newline ? 1 : 0));
    if (!newline && (!d->at_end || buf_bytes(&d->partial) == 0)) return 0;
    d->handed_out = true;
    return give(out, 0, buf_span(&d->partial).data, bytes);
}

int frame_next(struct frame_decoder *d, struct frame *out)
{
    if (d->handed_out) buf_fini(&d->partial);
    d->handed_out = false;
    return d->mode == FRAME_LINE ? next_line(d, out) : next_framed(d, out);
}

void frame_put_header(uint8_t out[FRAME_HEADER_BYTES], enum frame_kind kind, size_t body_bytes)
{
    assert(body_bytes <= FRAME_BODY_MAX);
    put_uint(put_uint(out, body_bytes, LENGTH_BYTES), (uint64_t)kind, 1);
}
