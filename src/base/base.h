/* base.h -- the ground everything stands on: slices of bytes, numbers in network order, a reader that cannot run over.
 *
 * A slice borrows; a span borrows and may be written. All numbers on the wire are big-endian. A `struct reader`
 * remembers that it failed, so a parser reads all its fields first and asks once at the end. */
#ifndef BASE_H
#define BASE_H

#include "moth/types.h"

#include <string.h>

struct slice {
    const uint8_t *data; /* borrowed */
    size_t bytes;
};

struct span {
    uint8_t *data; /* borrowed */
    size_t bytes;
};

static inline struct slice slice_of(const void *data, size_t bytes)
{
    return (struct slice){.data = data, .bytes = bytes};
}

static inline struct slice slice_text(const char *text)
{
    return slice_of(text, strlen(text));
}

static inline struct slice span_slice(struct span s)
{
    return slice_of(s.data, s.bytes);
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.data, b.data, a.bytes) == 0);
}

/* The n low bytes of `value` (n from 1 to 8), most significant first; returns where the next field goes. */
static inline uint8_t *put_uint(uint8_t *at, uint64_t value, unsigned n)
{
    for (unsigned i = 0; i < n; i++) at[i] = (uint8_t)(value >> (8 * (n - 1 - i)));
    return at + n;
}

static inline uint8_t *put_bytes(uint8_t *at, const void *data, size_t bytes)
{
    if (bytes > 0) memcpy(at, data, bytes);
    return at + bytes;
}

static inline uint64_t get_uint(const uint8_t *at, unsigned n)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < n; i++) value = value << 8 | at[i];
    return value;
}

struct reader {
    const uint8_t *at, *end; /* borrowed */
    bool failed;             /* a field lay past the end; everything read since is zero */
};

static inline struct reader reader_of(struct slice s)
{
    static const uint8_t nothing[1];
    if (!s.data) s.data = nothing; /* C forbids even adding zero to a null pointer */
    return (struct reader){.at = s.data, .end = s.data + s.bytes, .failed = false};
}

static inline size_t reader_left(const struct reader *r)
{
    return r->failed ? 0 : (size_t)(r->end - r->at);
}

/* The next `bytes` bytes, or NULL once the reader has failed. */
static inline const uint8_t *read_raw(struct reader *r, size_t bytes)
{
    const uint8_t *at = r->at;
    if (r->failed || (size_t)(r->end - at) < bytes) {
        r->failed = true;
        return NULL;
    }
    r->at += bytes;
    return at;
}

static inline uint64_t read_uint(struct reader *r, unsigned n)
{
    const uint8_t *at = read_raw(r, n);
    return at ? get_uint(at, n) : 0;
}

/* Copies, or zeroes `out` once the reader has failed. */
static inline void read_copy(struct reader *r, void *out, size_t bytes)
{
    const uint8_t *at = read_raw(r, bytes);
    if (at) memcpy(out, at, bytes);
    else memset(out, 0, bytes);
}

/* All fields were there and nothing is left over. */
static inline bool reader_finished(const struct reader *r)
{
    return !r->failed && r->at == r->end;
}

#endif
