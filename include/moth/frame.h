/* frame.h -- where one packet ends and the next begins, for protocols of your own over a stream of bytes.
 *
 *   MOTH_FRAME_LENGTH   four bytes, big-endian: how many follow; then these
 *   MOTH_FRAME_LINE     bytes up to "\n"; a "\r" before it is dropped
 *
 * A decoder takes what came, cut anywhere, and gives whole frames. It holds at most one unfinished frame, and memory
 * grows with what has arrived, not with what a length announces. */
#ifndef MOTH_FRAME_H
#define MOTH_FRAME_H

#include "types.h"

#define MOTH_FRAME_MAX (1u << 20) /* bytes of a frame or a line, without its length or its end */
#define MOTH_FRAME_EXTRA 4        /* an encoded frame is at most that much longer */

enum moth_frame_mode { MOTH_FRAME_LENGTH, MOTH_FRAME_LINE };

struct moth_frame_decoder;

struct moth_frame {
    const void *data; /* borrowed until the next call */
    size_t bytes;
};

/* Frames above `max_bytes` are refused; 0, or more than MOTH_FRAME_MAX: MOTH_FRAME_MAX. */
struct moth_frame_decoder *moth_frame_decoder_new(enum moth_frame_mode mode, size_t max_bytes);
void moth_frame_decoder_free(struct moth_frame_decoder *d); /* NULL is fine */

/* Gives it more bytes, borrowed until moth_frame_decoder_next returned 0 or an error: feed again only then. */
void moth_frame_decoder_feed(struct moth_frame_decoder *d, const void *data, size_t bytes);

/* 1: `*out` is the next frame; 0: more bytes are needed. MOTH_ETOO_BIG: nobody can say where the next frame begins, so
 * the decoder is at its end and says so for ever. */
int moth_frame_decoder_next(struct moth_frame_decoder *d, struct moth_frame *out);

size_t moth_frame_decoder_held(const struct moth_frame_decoder *d); /* bytes of memory of the unfinished frame */

/* Writes the frame of `bytes` bytes to `out`, which takes MOTH_FRAME_EXTRA more; the two do not overlap. Returns how
 * many were written; MOTH_ETOO_BIG: above MOTH_FRAME_MAX; MOTH_EARGUMENT: no line, for it has "\n" in it or "\r" at its
 * end. */
int moth_frame_encode(enum moth_frame_mode mode, const void *data, size_t bytes, void *out);

#endif
