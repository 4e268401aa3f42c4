/* store_disk_image.c -- pieces of a file, packed; see store_disk_image.h.
 *
 *   a page   |header|pointers|0 0 0 0 0 ...|row: header, id, |about|, |advert|row ...
 *   packed   parts: where zeros are, where pooled values are; then all else in one row
 *
 * A page of the database has just been a page of its log, and stays there until the log begins anew: what is left of a
 * page is pooled too when it is much. */
#include "node/store_disk_image.h"

#include "base/mem.h"

#include <stdlib.h>

#define PAGE_BYTES 4096u
#define LEAF_OF_A_TABLE 13 /* the first byte of such a page, in SQLite's format */
#define LEAF_HEADER_BYTES 8
#define VALUE_LEAST 48u /* shorter ones are not worth their place in the pool */
#define ZEROS_LEAST 32u
#define REST_LEAST 256u /* likewise */
#define PARTS_MAX 128u

struct part {
    uint32_t at, bytes;
    struct pooled *shared; /* held; NULL: zeros */
};

struct packed {
    uint32_t part_count, rest_bytes;
    struct pooled *rest; /* held; NULL: the rest follows the parts */
    struct part parts[]; /* ascending */
};

struct piece {
    size_t offset;
    uint32_t bytes;
    struct packed *packed; /* owned */
};

/* --- where values and zeros are --- */

struct parts {
    struct part list[PARTS_MAX];
    uint32_t count;
};

static void add_part(struct parts *all, size_t at, size_t bytes)
{
    if (all->count < PARTS_MAX) all->list[all->count++] = (struct part){.at = (uint32_t)at, .bytes = (uint32_t)bytes};
}

/* SQLite's numbers: seven bits a byte, the most significant first, eight in a ninth. */
static uint64_t read_varint(struct reader *r)
{
    uint64_t value = 0;
    for (int i = 0; i < 9; i++) {
        uint64_t byte = read_uint(r, 1);
        if (i == 8) return value << 8 | byte;
        value = value << 7 | (byte & 0x7f);
        if (byte < 0x80) break;
    }
    return value;
}

static size_t bytes_of_serial(uint64_t type)
{
    static const uint8_t fixed[12] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
    return type < 12 ? fixed[type] : (size_t)((type - 12) / 2);
}

static void find_in_cell(struct slice page, size_t start, struct parts *all)
{
    struct reader r = reader_of(slice_of(page.data + start, page.bytes - start));
    read_varint(&r); /* bytes of the row */
    read_varint(&r); /* its number */
    struct reader types = r;
    uint64_t head_bytes = read_varint(&types);
    if (types.failed || head_bytes > reader_left(&r)) return;
    const uint8_t *values = r.at + head_bytes, *end = page.data + page.bytes;
    for (const uint8_t *value = values; types.at < values;) {
        size_t bytes = bytes_of_serial(read_varint(&types));
        if (types.failed || bytes > (size_t)(end - value)) return;
        if (bytes >= VALUE_LEAST) add_part(all, (size_t)(value - page.data), bytes);
        value += bytes;
    }
}

static int compare_parts(const void *a, const void *b)
{
    const struct part *p = a, *q = b;
    return (p->at > q->at) - (p->at < q->at);
}

/* Rows may lie in any order, and what is no page of SQLite's may look as if they overlapped. */
static void put_in_order(struct parts *all)
{
    uint32_t count = all->count, end = 0;
    qsort(all->list, count, sizeof *all->list, compare_parts);
    all->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct part p = all->list[i];
        if (p.at < end) continue;
        all->list[all->count++] = p;
        end = p.at + p.bytes;
    }
}

static void find_values(struct slice page, struct parts *all)
{
    if (page.bytes != PAGE_BYTES || page.data[0] != LEAF_OF_A_TABLE) return;
    size_t count = (size_t)get_uint(page.data + 3, 2), most = (PAGE_BYTES - LEAF_HEADER_BYTES) / 2;
    for (size_t i = 0; i < count && i < most && all->count < PARTS_MAX / 2; i++) {
        size_t start = (size_t)get_uint(page.data + LEAF_HEADER_BYTES + 2 * i, 2);
        if (start < PAGE_BYTES) find_in_cell(page, start, all);
    }
    put_in_order(all);
}

static bool is_zero_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word == 0;
}

/* A run that is long enough holds a whole word at one of the places looked at. */
static void find_zeros_between(struct slice bytes, size_t from, size_t to, struct parts *all)
{
    for (size_t at = from, start, end; at + 8 <= to; at = end + ZEROS_LEAST / 2) {
        end = start = at;
        if (!is_zero_word(bytes.data + at)) continue;
        while (start > from && bytes.data[start - 1] == 0) start--;
        while (end + 8 <= to && is_zero_word(bytes.data + end)) end += 8;
        while (end < to && bytes.data[end] == 0) end++;
        if (end - start >= ZEROS_LEAST) add_part(all, start, end - start);
    }
}

static struct parts find_parts(struct slice bytes, struct moth_pool *pool)
{
    struct parts all = {.count = 0};
    size_t at = 0;
    if (pool) find_values(bytes, &all);
    uint32_t values = all.count;
    for (uint32_t i = 0; i < values; i++) {
        struct part *p = &all.list[i];
        p->shared = pool_take(pool, slice_of(bytes.data + p->at, p->bytes));
        find_zeros_between(bytes, at, p->at, &all);
        at = p->at + p->bytes;
    }
    find_zeros_between(bytes, at, bytes.bytes, &all);
    qsort(all.list, all.count, sizeof *all.list, compare_parts);
    return all;
}

/* --- packing --- */

static const uint8_t *rest_of(const struct packed *p)
{
    return p->rest ? p->rest->bytes : (const uint8_t *)&p->parts[p->part_count];
}

/* Returns how many bytes are in no part. */
static size_t gather_rest(struct slice bytes, const struct parts *all, uint8_t *out)
{
    uint8_t *at = out;
    size_t from = 0;
    for (uint32_t i = 0; i < all->count; i++) {
        at = put_bytes(at, bytes.data + from, all->list[i].at - from);
        from = all->list[i].at + all->list[i].bytes;
    }
    return (size_t)(put_bytes(at, bytes.data + from, bytes.bytes - from) - out);
}

static struct packed *pack(struct slice bytes, struct moth_pool *pool)
{
    struct parts all = find_parts(bytes, pool);
    uint8_t *plain = mem_resize(NULL, bytes.bytes, 1);
    size_t rest = gather_rest(bytes, &all, plain);
    bool shared = pool && rest >= REST_LEAST;
    struct packed *p = mem_new(sizeof *p + all.count * sizeof *p->parts + (shared ? 0 : rest));
    p->part_count = all.count;
    p->rest_bytes = (uint32_t)rest;
    uint8_t *end = put_bytes((uint8_t *)p->parts, all.list, all.count * sizeof *p->parts);
    if (shared) p->rest = pool_take(pool, slice_of(plain, rest));
    else put_bytes(end, plain, rest);
    free(plain);
    return p;
}

static void unpack(const struct packed *p, struct span out)
{
    const uint8_t *rest = rest_of(p);
    size_t from = 0;
    for (uint32_t i = 0; i < p->part_count; i++) {
        const struct part *part = &p->parts[i];
        size_t plain = part->at - from;
        put_bytes(out.data + from, rest, plain);
        rest += plain;
        if (part->shared) put_bytes(out.data + part->at, part->shared->bytes, part->bytes);
        else memset(out.data + part->at, 0, part->bytes);
        from = part->at + part->bytes;
    }
    put_bytes(out.data + from, rest, out.bytes - from);
}

static void packed_free(struct packed *p)
{
    for (uint32_t i = 0; i < p->part_count; i++) pool_drop(p->parts[i].shared);
    pool_drop(p->rest);
    free(p);
}

static size_t packed_bytes(const struct packed *p)
{
    return sizeof *p + p->part_count * sizeof *p->parts + (p->rest ? 0 : p->rest_bytes);
}

/* --- pieces --- */

static size_t end_of(const struct piece *p)
{
    return p->offset + p->bytes;
}

/* The first piece that ends behind `offset`. */
static size_t first_behind(const struct image *m, size_t offset)
{
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (end_of(&m->pieces[middle]) > offset) high = middle;
        else low = middle + 1;
    }
    return low;
}

static void make_room(struct image *m, size_t at)
{
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? m->capacity + m->capacity / 2 : 8;
        m->pieces = mem_resize(m->pieces, m->capacity, sizeof *m->pieces);
    }
    memmove(&m->pieces[at + 1], &m->pieces[at], (m->count - at) * sizeof *m->pieces);
    m->count++;
}

static struct piece piece_of(const struct image *m, size_t offset, struct slice bytes)
{
    return (struct piece){.offset = offset, .bytes = (uint32_t)bytes.bytes, .packed = pack(bytes, m->pool)};
}

/* No piece lies across `offset` then. Returns the first one behind it. */
static size_t split(struct image *m, size_t offset)
{
    size_t at = first_behind(m, offset);
    if (at == m->count || m->pieces[at].offset >= offset) return at;
    struct piece whole = m->pieces[at];
    size_t left = offset - whole.offset;
    uint8_t *bytes = mem_new(whole.bytes);
    unpack(whole.packed, (struct span){bytes, whole.bytes});
    make_room(m, at);
    m->pieces[at] = piece_of(m, whole.offset, slice_of(bytes, left));
    m->pieces[at + 1] = piece_of(m, offset, slice_of(bytes + left, whole.bytes - left));
    packed_free(whole.packed);
    free(bytes);
    return at + 1;
}

static void remove_pieces(struct image *m, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) packed_free(m->pieces[i].packed);
    if (to > from) memmove(&m->pieces[from], &m->pieces[to], (m->count - to) * sizeof *m->pieces);
    m->count -= to - from;
}

void image_fini(struct image *m)
{
    remove_pieces(m, 0, m->count);
    free(m->pieces);
    *m = (struct image){.pool = m->pool};
}

size_t image_end(const struct image *m)
{
    return m->count > 0 ? end_of(&m->pieces[m->count - 1]) : 0;
}

/* Of one piece, what lies within what is asked for. */
static void read_piece(const struct piece *p, size_t offset, struct span out)
{
    size_t from = p->offset > offset ? p->offset : offset, end = offset + out.bytes;
    if (end > end_of(p)) end = end_of(p);
    if (from == p->offset && end == end_of(p)) {
        unpack(p->packed, (struct span){out.data + (from - offset), p->bytes});
        return;
    }
    uint8_t *bytes = mem_new(p->bytes);
    unpack(p->packed, (struct span){bytes, p->bytes});
    put_bytes(out.data + (from - offset), bytes + (from - p->offset), end - from);
    free(bytes);
}

void image_read(const struct image *m, size_t offset, struct span out)
{
    if (out.bytes > 0) memset(out.data, 0, out.bytes);
    for (size_t i = first_behind(m, offset); i < m->count && m->pieces[i].offset < offset + out.bytes; i++)
        read_piece(&m->pieces[i], offset, out);
}

void image_write(struct image *m, size_t offset, struct slice bytes)
{
    if (bytes.bytes == 0) return;
    size_t from = split(m, offset), to = split(m, offset + bytes.bytes);
    remove_pieces(m, from, to);
    make_room(m, from);
    m->pieces[from] = piece_of(m, offset, bytes);
}

void image_cut(struct image *m, size_t from)
{
    size_t first = split(m, from);
    remove_pieces(m, first, m->count);
}

void image_copy(const struct image *from, struct image *to)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct piece *p = &from->pieces[i];
        uint8_t *bytes = mem_new(p->bytes);
        unpack(p->packed, (struct span){bytes, p->bytes});
        image_write(to, p->offset, slice_of(bytes, p->bytes));
        free(bytes);
    }
}

size_t image_memory(const struct image *m)
{
    size_t bytes = m->capacity * sizeof *m->pieces;
    for (size_t i = 0; i < m->count; i++) bytes += packed_bytes(m->pieces[i].packed);
    return bytes;
}
