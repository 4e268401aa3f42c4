/* buf.c -- the byte queue of buf.h. */
#include "base/buf.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

uint8_t *buf_reserve(struct buf *b, size_t bytes)
{
    if (b->capacity - b->end >= bytes && b->data) return b->data + b->end;
    size_t held = buf_bytes(b);
    /* moving back is cheap: less than half is in use */
    if (b->start >= held && b->capacity - held >= bytes && b->data) {
        memmove(b->data, b->data + b->start, held);
    } else {
        size_t capacity = b->capacity ? b->capacity : 256;
        while (capacity - held < bytes) capacity *= 2;
        uint8_t *data = mem_resize(NULL, capacity, 1);
        if (held > 0) memcpy(data, b->data + b->start, held);
        free(b->data);
        b->data = data;
        b->capacity = capacity;
    }
    b->start = 0;
    b->end = held;
    return b->data + b->end;
}

void buf_grow(struct buf *b, size_t bytes)
{
    assert(bytes <= b->capacity - b->end);
    b->end += bytes;
}

void buf_add(struct buf *b, const void *data, size_t bytes)
{
    if (bytes == 0) return;
    memcpy(buf_reserve(b, bytes), data, bytes);
    b->end += bytes;
}

void buf_consume(struct buf *b, size_t bytes)
{
    assert(bytes <= buf_bytes(b));
    b->start += bytes;
    if (b->start == b->end) buf_fini(b);
}

void buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}
