/* frame.h -- where one packet ends and the next begins.
 *
 *   offset  size  meaning
 *        0     3  length of the body, at most FRAME_BODY_MAX
 *        3     1  kind (enum frame_kind)
 *        4     n  body
 *
 * The decoder takes chunks as they come, cut anywhere, and gives whole frames. A frame that lies whole inside a
 * chunk is handed out in place, without a copy; only what a chunk's end cuts in two is gathered. The same decoder
 * splits lines ("\n", a "\r" before it dropped) for piped commands and line protocols, and frames without a kind (a
 * length of four bytes, then the body) for what scripts make of it. */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include "base/buf.h"

#define FRAME_HEADER_BYTES 4
#define FRAME_BODY_MAX (1u << 20)

enum frame_kind {
    FRAME_MESSAGE = 1,
    FRAME_BROADCAST = 2,
    FRAME_NETWORK_UPDATE = 3,
    FRAME_NETWORK_DIGEST = 4,
    FRAME_PEER_LIST = 5,
    FRAME_NOTICE = 6,
    FRAME_PING = 7,
    FRAME_PONG = 8,
    FRAME_GOODBYE = 9
};

enum frame_mode { FRAME_LENGTH, FRAME_LINE, FRAME_PLAIN };

struct frame {
    uint8_t kind;     /* as it came: an unknown kind is the reader's to refuse; 0 in other modes */
    struct span body; /* borrowed from the chunk or the decoder until the next call; may be written */
};

struct frame_decoder {
    enum frame_mode mode;
    size_t max_bytes;   /* of a body or a line */
    struct span chunk;  /* borrowed: what frame_feed gave and frame_next has not yet taken */
    struct buf partial; /* the gathered start of a cut frame */
    bool handed_out;    /* `partial` is the frame last given; freed by the next call */
    bool at_end;        /* the input ended: the rest is a last line */
};

void frame_decoder_init(struct frame_decoder *d, enum frame_mode mode, size_t max_bytes);
void frame_decoder_fini(struct frame_decoder *d);

/* Gives the decoder more bytes; they are borrowed until frame_next returns 0 or an error. Only then feed again. */
void frame_feed(struct frame_decoder *d, struct span chunk);

/* Line mode: the input is over, an unfinished last line counts as a line. */
void frame_finish(struct frame_decoder *d);

/* 1: `*out` is the next frame. 0: more bytes are needed. MOTH_ETOO_BIG: a body or line above max_bytes, found as soon
 * as its length is known and before anything is gathered for it; the decoder is then of no further use. */
int frame_next(struct frame_decoder *d, struct frame *out);

/* Writes the header of a body of `body_bytes` (at most FRAME_BODY_MAX). */
void frame_put_header(uint8_t out[FRAME_HEADER_BYTES], enum frame_kind kind, size_t body_bytes);

#endif
