/* buf.h -- a byte queue: bytes go in at the end and leave at the front.
 *
 * An empty buf holds no memory, so an idle link costs nothing here. The front is reclaimed only when it is worth a
 * move. Bounds are the caller's: a buf grows as far as it is told to. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/base.h"

struct buf {
    uint8_t *data; /* owned; NULL when empty */
    size_t start, end, capacity;
};

static inline size_t buf_bytes(const struct buf *b)
{
    return b->end - b->start;
}

static inline struct span buf_span(const struct buf *b)
{
    return (struct span){.data = b->data ? b->data + b->start : NULL, .bytes = b->end - b->start};
}

/* Room for `bytes` more at the end; the caller fills it and then calls buf_grow. Valid until the next call. */
uint8_t *buf_reserve(struct buf *b, size_t bytes);
void buf_grow(struct buf *b, size_t bytes);

void buf_add(struct buf *b, const void *data, size_t bytes);
void buf_consume(struct buf *b, size_t bytes); /* drops from the front; frees the memory when nothing is left */
void buf_fini(struct buf *b);

#endif
