/* console_out.c -- see console_out.h. What waits is a row of records: kind, tag, two lengths, two texts. */
#include "cli/console_out.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <wchar.h>

enum kind { PRINT, AMEND };

struct record {
    enum kind kind;
    uint32_t tag;
    size_t first, second; /* bytes of what follows: the lines; or the line, and what is said instead */
};

#define SEQUENCE_BYTES 32

void output_fini(struct output *o)
{
    buf_fini(&o->queue);
    buf_fini(&o->waiting);
}

void output_add(struct output *o, const void *bytes, size_t count)
{
    buf_add(&o->queue, bytes, count);
}

/* --- what waits --- */

static uint64_t count_lines(struct slice text)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < text.bytes; i++) lines += text.data[i] == '\n';
    return lines;
}

static void wait_for_room(struct output *o, struct record head, struct slice first, struct slice second)
{
    if (buf_bytes(&o->waiting) + sizeof head + first.bytes + second.bytes > OUTPUT_LINES_MAX) {
        o->left_out += count_lines(head.kind == PRINT ? first : second);
        return;
    }
    buf_add(&o->waiting, &head, sizeof head);
    buf_add(&o->waiting, first.data, first.bytes);
    buf_add(&o->waiting, second.data, second.bytes);
}

void output_print(struct output *o, struct slice lines, uint32_t tag)
{
    struct record head = {.kind = PRINT, .tag = tag, .first = lines.bytes};
    if (lines.bytes > 0) wait_for_room(o, head, lines, slice_of(NULL, 0));
}

void output_amend(struct output *o, uint32_t tag, struct slice line, struct slice other)
{
    struct record head = {.kind = AMEND, .tag = tag, .first = line.bytes, .second = other.bytes};
    wait_for_room(o, head, line, other);
}

bool output_has_waiting(const struct output *o)
{
    return buf_bytes(&o->waiting) > 0 || o->left_out > 0;
}

/* --- widths --- */

/* Behind an escape sequence for colours that starts at `at`; 0: there is none. */
static size_t skip_colour(struct slice text, size_t at)
{
    if (at + 1 >= text.bytes || text.data[at] != '\033' || text.data[at + 1] != '[') return 0;
    for (at += 2; at < text.bytes; at++)
        if (text.data[at] >= '@' && text.data[at] <= '~') return at + 1;
    return 0;
}

unsigned output_columns(struct slice text)
{
    mbstate_t state = {0};
    unsigned columns = 0;
    for (size_t at = 0, next; at < text.bytes; at = next) {
        wchar_t c;
        if ((next = skip_colour(text, at)) > 0) continue;
        size_t bytes = mbrtowc(&c, (const char *)text.data + at, text.bytes - at, &state);
        bool is_valid = bytes != (size_t)-1 && bytes != (size_t)-2 && bytes > 0;
        int width = is_valid ? wcwidth(c) : 1;
        if (!is_valid) state = (mbstate_t){0};
        next = at + (is_valid ? bytes : 1);
        columns += width > 0 ? (unsigned)width : 0;
    }
    return columns;
}

/* --- showing --- */

void output_forget(struct output *o)
{
    memset(o->tags, 0, sizeof o->tags);
}

static struct output_tag *find_tag(struct output *o, uint32_t tag)
{
    for (size_t i = 0; tag != 0 && i < OUTPUT_TAGS; i++)
        if (o->tags[i].tag == tag) return &o->tags[i];
    return NULL;
}

static void name_row(struct output *o, uint32_t tag)
{
    o->tags[o->tag_at] = (struct output_tag){.tag = tag, .row = o->rows};
    o->tag_at = (o->tag_at + 1) % OUTPUT_TAGS;
}

/* A line that is wider than the terminal takes rows that nobody counts. */
static void show_line(struct output *o, struct slice line, unsigned columns)
{
    if (line.bytes > columns && output_columns(line) > columns) output_forget(o);
    output_add(o, line.data, line.bytes);
    output_add(o, "\n", 1);
    o->rows++;
}

static void show_lines(struct output *o, struct slice text, unsigned columns)
{
    while (text.bytes > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.bytes);
        size_t bytes = end ? (size_t)(end - text.data) : text.bytes, used = end ? bytes + 1 : bytes;
        show_line(o, slice_of(text.data, bytes), columns);
        text = slice_of(text.data + used, text.bytes - used);
    }
}

static void rewrite(struct output *o, struct slice line, unsigned above)
{
    char sequence[SEQUENCE_BYTES];
    int n = snprintf(sequence, sizeof sequence, "\033[%uA\r\033[K", above);
    output_add(o, sequence, (size_t)n);
    output_add(o, line.data, line.bytes);
    n = snprintf(sequence, sizeof sequence, "\r\033[%uB", above);
    output_add(o, sequence, (size_t)n);
}

static void change_line(struct output *o, const struct record *r, struct slice line, struct slice other,
                        unsigned columns, unsigned reach)
{
    const struct output_tag *known = find_tag(o, r->tag);
    uint64_t above = known ? o->rows - known->row + 1 : 0;
    if (known && above <= reach && output_columns(line) <= columns) rewrite(o, line, (unsigned)above);
    else show_lines(o, other, columns);
}

static void show_record(struct output *o, const struct record *r, const uint8_t *at, unsigned columns, unsigned reach)
{
    struct slice first = slice_of(at, r->first), second = slice_of(at + r->first, r->second);
    if (r->kind == AMEND) {
        change_line(o, r, first, second, columns, reach);
        return;
    }
    show_lines(o, first, columns);
    if (r->tag != 0) name_row(o, r->tag);
}

static void confess(struct output *o)
{
    char line[96];
    int n = snprintf(line, sizeof line, "(%llu lines were not shown: the terminal is too slow)",
                     (unsigned long long)o->left_out);
    show_line(o, slice_of(line, (size_t)n), (unsigned)n);
    o->left_out = 0;
    output_forget(o);
}

void output_take(struct output *o, size_t max, unsigned columns, unsigned reach)
{
    size_t taken = 0;
    while (buf_bytes(&o->waiting) > 0 && taken < max) {
        struct record r;
        struct span waiting = buf_span(&o->waiting);
        memcpy(&r, waiting.data, sizeof r);
        size_t bytes = sizeof r + r.first + r.second;
        show_record(o, &r, waiting.data + sizeof r, columns, reach);
        buf_consume(&o->waiting, bytes);
        taken += bytes;
    }
    if (buf_bytes(&o->waiting) == 0 && o->left_out > 0) confess(o);
}

int output_write(struct output *o, int fd)
{
    while (buf_bytes(&o->queue) > 0) {
        struct span bytes = buf_span(&o->queue);
        ssize_t n = write(fd, bytes.data, bytes.bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return 0;
        if (n < 0) {
            int error = errno;
            buf_consume(&o->queue, bytes.bytes);
            return -error;
        }
        buf_consume(&o->queue, (size_t)n);
    }
    return 0;
}
