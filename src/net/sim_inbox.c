/* sim_inbox.c -- what lies between the two ends of a connection: pieces on their way, in the order they were sent.
 *
 * They are cut up when they are sent and put together when they are taken. A slow machine reads one piece of one
 * connection after the other: each begins when the last that was begun is done, so no connection waits for more than
 * one piece of each other. */
#include "net/sim_private.h"

#include "base/mem.h"

#include <stdlib.h>

#define NS_PER_US 1000u

static void append(struct sim_conn *c, struct slice bytes)
{
    struct chunk *chunk = mem_new(sizeof *chunk + bytes.bytes);
    memcpy(chunk->data, bytes.data, bytes.bytes);
    chunk->bytes = bytes.bytes;
    chunk->at_us = sim_arrival_us(c->at->sim, c->other->index, c->at->index, bytes.bytes);
    if (chunk->at_us < c->last_us) chunk->at_us = c->last_us;
    c->last_us = chunk->at_us;
    *c->inbox_end = chunk;
    c->inbox_end = &chunk->next;
    c->inbox_bytes += bytes.bytes;
    sim_push_conn(c, EVENT_BYTES, chunk->at_us);
}

/* Over a narrow way, or to a slow machine, what is long trickles in. */
static size_t piece_bytes_max(const struct sim_conn *c)
{
    bool is_narrow = sim_way_rate(c->at->sim, c->other->index, c->at->index) > 0 || c->at->read_bytes_per_s > 0;
    return is_narrow ? SIM_SEGMENT_BYTES : SIZE_MAX;
}

void sim_inbox_add(struct sim_conn *c, struct slice bytes)
{
    struct sim *s = c->at->sim;
    size_t most = piece_bytes_max(c);
    while (bytes.bytes > 0) {
        size_t n = s->split_bytes > 0 ? 1 + sim_random(s) % s->split_bytes : bytes.bytes;
        if (n > most) n = most;
        if (n > bytes.bytes) n = bytes.bytes;
        append(c, slice_of(bytes.data, n));
        bytes = slice_of(bytes.data + n, bytes.bytes - n);
    }
}

static struct chunk *unlink_first(struct sim_conn *c)
{
    struct chunk *first = c->inbox;
    c->inbox = first->next;
    if (!c->inbox) c->inbox_end = &c->inbox;
    return first;
}

void sim_inbox_free(struct sim_conn *c)
{
    while (c->inbox) free(unlink_first(c));
}

static bool is_due(const struct sim_conn *c, const struct chunk *chunk)
{
    return chunk && chunk->at_us <= c->at->sim->now_us;
}

/* How much of what is due one read would take: whole pieces, the first in any case. */
static size_t mergeable_bytes(const struct sim_conn *c)
{
    size_t bytes = c->inbox->bytes;
    for (const struct chunk *k = c->inbox->next; is_due(c, k) && bytes + k->bytes <= SIM_READ_BYTES; k = k->next)
        bytes += k->bytes;
    return bytes;
}

static void merge_due(struct sim_conn *c)
{
    size_t bytes = mergeable_bytes(c);
    if (bytes == c->inbox->bytes) return;
    struct chunk *whole = mem_new(sizeof *whole + bytes);
    whole->at_us = c->inbox->at_us;
    while (whole->bytes < bytes) {
        struct chunk *piece = unlink_first(c);
        memcpy(whole->data + whole->bytes, piece->data, piece->bytes);
        whole->bytes += piece->bytes;
        free(piece);
    }
    whole->next = c->inbox;
    c->inbox = whole;
    if (!whole->next) c->inbox_end = &whole->next;
}

static void begin_reading(struct sim_conn *c)
{
    struct endpoint *e = c->at;
    uint64_t now_ns = e->sim->now_us * 1000;
    if (e->read_free_ns + NS_PER_US <= now_ns) e->read_free_ns = now_ns; /* less is the rounding of the last one */
    e->read_free_ns += sim_takes_ns(c->inbox->bytes, e->read_bytes_per_s);
    c->read_us = (e->read_free_ns + 999) / 1000;
    sim_push_conn(c, EVENT_BYTES, c->read_us);
}

struct chunk *sim_inbox_take(struct sim_conn *c)
{
    struct sim *s = c->at->sim;
    if (!is_due(c, c->inbox)) return NULL;
    if (s->merges && c->read_us == 0) merge_due(c);
    if (c->at->read_bytes_per_s > 0 && c->read_us == 0) begin_reading(c);
    if (c->read_us > s->now_us) return NULL;
    c->read_us = 0;
    c->inbox_bytes -= c->inbox->bytes;
    return unlink_first(c);
}

void sim_inbox_reread(struct sim_conn *c)
{
    c->read_us = 0;
    sim_conn_look_again(c);
}
