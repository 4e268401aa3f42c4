/* link.c -- from bytes to frames and back, see link.h.
 *
 * Inbound, records that lie whole in what the transport read are opened where they lie and their frames handed out in
 * place; only a record that is cut by the end of a read is gathered in `in`. Outbound, a frame that has begun is
 * finished before another queue may speak: `data_left` remembers how much of it is still to go. */
#include "net/link.h"

#include "base/mem.h"
#include "base/pool.h"
#include "net/handshake.h"

#include <assert.h>
#include <stdlib.h>

#define BATCH_RECORDS 8
#define RECORD_WIRE_BYTES (NOISE_RECORD_MAX + NOISE_RECORD_OVERHEAD)
#define SCRATCH_BYTES (BATCH_RECORDS * RECORD_WIRE_BYTES + NOISE_RECORD_MAX)
#define WIRE_BYTES (128u << 10) /* sealed bytes waiting in the connection before we hold back */

static uint64_t now_us(const struct links *all)
{
    return all->host->now_us(all->host->context);
}

/* --- the life of a link --- */

static struct link *link_new(struct links *all, bool inbound)
{
    struct link *l = mem_new(sizeof *l);
    l->all = all;
    l->inbound = inbound;
    l->state = LINK_DIALLING;
    l->since_us = l->heard_us = now_us(all);
    l->after = all->first;
    if (all->first) all->first->before = l;
    all->first = l;
    all->count++;
    frame_decoder_init(&l->frames, FRAME_LENGTH, FRAME_BODY_MAX);
    return l;
}

static void forget_dirty(struct link *l)
{
    struct link **at = &l->all->dirty;
    while (*at && *at != l) at = &(*at)->next_dirty;
    if (*at) *at = l->next_dirty;
}

static void link_free(struct link *l)
{
    if (l->dirty) forget_dirty(l);
    if (l->before) l->before->after = l->after;
    else l->all->first = l->after;
    if (l->after) l->after->before = l->before;
    l->all->count--;
    handshake_drop(l);
    noise_cipher_fini(&l->send);
    noise_cipher_fini(&l->receive);
    buf_fini(&l->in);
    buf_fini(&l->control);
    buf_fini(&l->data);
    frame_decoder_fini(&l->frames);
    free(l);
}

struct link *link_dial(struct links *all, const char *address, const struct moth_id *expected, void *user)
{
    struct link *l = link_new(all, false);
    l->user = user;
    l->has_expected = expected != NULL;
    if (expected) l->expected = *expected;
    l->conn = all->transport->ops->dial(all->transport, address, l);
    return l;
}

void link_close(struct link *l, int reason)
{
    if (l->closing) return;
    l->closing = true;
    l->all->transport->ops->close(l->conn, reason);
}

void link_finish(struct link *l, int reason)
{
    l->finishing = reason;
    link_flush(l);
}

void link_pause(struct link *l, bool pause)
{
    if (!l->closing) l->all->transport->ops->pause(l->conn, pause);
}

/* --- receiving --- */

static int take_frames(struct link *l, struct span plain)
{
    struct links *all = l->all;
    struct frame f;
    int rc = 0;
    frame_feed(&l->frames, plain);
    while (!l->closing && (rc = frame_next(&l->frames, &f)) > 0) {
        all->frames_in++;
        if ((rc = all->events->on_frame(all->owner, l, &f)) < 0) return rc;
    }
    return rc < 0 ? rc : 0;
}

/* Takes one step with the bytes at hand: a part of the handshake or a record. 1: `*used` bytes are done with;
 * 0: `*used` bytes are needed. */
static int take_step(struct link *l, struct span wire, size_t *used)
{
    struct span plain;
    int rc;
    if (l->state != LINK_OPEN) {
        *used = handshake_wants(l);
        if (wire.bytes < *used) return 0;
        rc = handshake_step(l, slice_of(wire.data, *used));
    } else {
        rc = noise_record_next(&l->receive, wire, &plain, used);
        if (rc <= 0) return rc;
        rc = take_frames(l, plain);
    }
    return rc < 0 ? rc : 1;
}

/* Completes what an earlier read left in `in`; takes from `wire` no more than that needs. */
static int finish_cut(struct link *l, struct span *wire)
{
    size_t used = 0;
    int rc;
    while ((rc = take_step(l, buf_span(&l->in), &used)) == 0) {
        size_t missing = used - buf_bytes(&l->in);
        size_t n = missing < wire->bytes ? missing : wire->bytes;
        buf_add(&l->in, wire->data, n);
        *wire = (struct span){wire->data + n, wire->bytes - n};
        if (n < missing) return 0;
    }
    if (rc > 0) buf_consume(&l->in, used);
    return rc;
}

/* Take `wire` as it came from the transport. Returns 0, or a negative MOTH_E…: the transport closes. */
static int link_feed(struct link *l, struct span wire)
{
    size_t used = 0;
    int rc = 1;
    while (!l->closing && rc > 0 && buf_bytes(&l->in) > 0) rc = finish_cut(l, &wire);
    while (!l->closing && rc > 0 && wire.bytes > 0) {
        if ((rc = take_step(l, wire, &used)) <= 0) break;
        wire = (struct span){wire.data + used, wire.bytes - used};
    }
    if (rc == 0 && !l->closing) buf_add(&l->in, wire.data, wire.bytes);
    return rc < 0 ? rc : 0;
}

/* --- events of the transport --- */

static int on_open(void *owner, struct conn *c)
{
    struct links *all = owner;
    struct link *l = c->user;
    int rc = 0;
    if (c->inbound) {
        l = link_new(all, true);
        l->conn = c;
        c->user = l;
    }
    l->state = LINK_HANDSHAKE;
    if (c->inbound) rc = all->events->on_accept(all->owner, l);
    if (rc == 0) rc = handshake_begin(l);
    return rc;
}

static int on_bytes(void *owner, struct conn *c, struct span bytes)
{
    struct links *all = owner;
    struct link *l = c->user;
    if (l->closing) return 0;
    all->bytes_in += bytes.bytes;
    l->heard_us = now_us(all);
    return link_feed(l, bytes);
}

static void note_level(struct link *l)
{
    size_t queued = link_queued(l);
    if (queued > l->all->slow_bytes) l->slow = true;
    if (!l->slow || queued >= l->all->slow_bytes / 4) return;
    l->slow = false;
    l->all->events->on_drained(l->all->owner, l);
}

static int on_drained(void *owner, struct conn *c)
{
    struct link *l = c->user;
    (void)owner;
    if (!l->closing) link_flush(l);
    return 0;
}

/* A dialled end that closes before its answer says most likely that the network keys differ: it may not say so
 * itself. */
static int reason_of(const struct link *l, int reason)
{
    return reason == MOTH_ECLOSED && l->state == LINK_HANDSHAKE && !l->inbound ? MOTH_EHUNG_UP : reason;
}

static void on_closed(void *owner, struct conn *c, int reason)
{
    struct links *all = owner;
    struct link *l = c->user;
    if (!l) return;
    l->closing = true;
    all->events->on_closed(all->owner, l, reason_of(l, reason));
    link_free(l);
}

static const struct transport_events transport_events = {
    .on_open = on_open, .on_bytes = on_bytes, .on_drained = on_drained, .on_closed = on_closed};

/* --- sending --- */

size_t link_queued(const struct link *l)
{
    return buf_bytes(&l->data) + l->all->transport->ops->queued(l->conn);
}

size_t link_control_queued(const struct link *l)
{
    return buf_bytes(&l->control);
}

size_t link_unsent(const struct link *l)
{
    struct span held = buf_span(&l->data);
    size_t count = 0;
    for (size_t at = l->data_left; at < held.bytes; count++)
        at += FRAME_HEADER_BYTES + (size_t)get_uint(held.data + at, 3);
    return count;
}

bool link_is_idle(const struct link *l)
{
    return buf_bytes(&l->control) == 0 && link_queued(l) == 0;
}

static bool is_message(enum frame_kind kind)
{
    return kind == FRAME_MESSAGE || kind == FRAME_BROADCAST;
}

void link_send(struct link *l, enum frame_kind kind, struct slice head, struct slice tail)
{
    if (l->closing || l->state != LINK_OPEN) return;
    struct buf *queue = is_message(kind) ? &l->data : &l->control;
    size_t body = head.bytes + tail.bytes;
    uint8_t *at = buf_reserve(queue, FRAME_HEADER_BYTES + body);
    frame_put_header(at, kind, body);
    put_bytes(put_bytes(at + FRAME_HEADER_BYTES, head.data, head.bytes), tail.data, tail.bytes);
    buf_grow(queue, FRAME_HEADER_BYTES + body);
    l->all->frames_out++;
    if (queue == &l->data) l->all->message_bytes_out += FRAME_HEADER_BYTES + body;
    if (!l->dirty) {
        l->dirty = true;
        l->next_dirty = l->all->dirty;
        l->all->dirty = l;
    }
    if (queue == &l->data) note_level(l);
}

/* Moves up to `room` bytes of messages to `at` and keeps count of where frames end. */
static size_t take_data(struct link *l, uint8_t *at, size_t room)
{
    struct span held = buf_span(&l->data);
    size_t n = held.bytes < room ? held.bytes : room, walked = l->data_left;
    while (walked < n) walked += FRAME_HEADER_BYTES + (size_t)get_uint(held.data + walked, 3);
    l->data_left = walked - n;
    put_bytes(at, held.data, n);
    buf_consume(&l->data, n);
    return n;
}

/* Fills a record's plain bytes: control first, unless a message has begun and must be finished. */
static size_t fill_record(struct link *l, uint8_t *at)
{
    size_t n = 0, room = NOISE_RECORD_MAX;
    if (l->data_left > 0) n = take_data(l, at, l->data_left < room ? l->data_left : room);
    size_t control = buf_bytes(&l->control);
    if (l->data_left == 0 && control > 0 && n < room) {
        if (control > room - n) control = room - n;
        put_bytes(at + n, buf_span(&l->control).data, control);
        buf_consume(&l->control, control);
        n += control;
    }
    if (l->data_left == 0 && buf_bytes(&l->control) == 0 && n < room) n += take_data(l, at + n, room - n);
    return n;
}

static size_t seal_batch(struct link *l, uint8_t *out)
{
    uint8_t *plain = out + BATCH_RECORDS * RECORD_WIRE_BYTES; /* the last part of the scratch */
    size_t used = 0;
    for (unsigned i = 0; i < BATCH_RECORDS; i++) {
        size_t n = fill_record(l, plain);
        if (n == 0) break;
        used += noise_record_seal(&l->send, slice_of(plain, n), out + used);
    }
    return used;
}

void link_flush(struct link *l)
{
    struct links *all = l->all;
    const struct transport_ops *ops = all->transport->ops;
    if (l->closing) return;
    while (l->state == LINK_OPEN && l->conn->open && ops->queued(l->conn) < WIRE_BYTES) {
        uint8_t *scratch = all->scratch ? all->scratch : pool_scratch(all->host->pool, SCRATCH_BYTES);
        size_t n = seal_batch(l, scratch);
        if (n == 0) break;
        all->bytes_out += n;
        ops->send(l->conn, slice_of(scratch, n));
    }
    note_level(l);
    if (l->finishing && link_is_idle(l)) link_close(l, l->finishing);
}

void links_flush(struct links *all)
{
    while (all->dirty) {
        struct link *l = all->dirty;
        all->dirty = l->next_dirty;
        l->dirty = false;
        link_flush(l);
    }
}

void links_init(struct links *all, struct moth_transport *transport, const struct moth_host *host,
                const struct identity *identity, const uint8_t network_key[32], uint64_t boot,
                const struct link_events *events, void *owner)
{
    *all = (struct links){.transport = transport,
                          .host = host,
                          .identity = identity,
                          .boot = boot,
                          .events = events,
                          .owner = owner,
                          .slow_bytes = 1u << 20};
    memcpy(all->network_key, network_key, 32);
    if (!host->pool) all->scratch = mem_new(SCRATCH_BYTES);
    transport->events = &transport_events;
    transport->owner = all;
}

static int nobody_open(void *owner, struct conn *c)
{
    (void)owner, (void)c;
    return MOTH_ESHUTDOWN;
}

static int nobody_bytes(void *owner, struct conn *c, struct span bytes)
{
    (void)owner, (void)c, (void)bytes;
    return MOTH_ESHUTDOWN;
}

static void nobody_closed(void *owner, struct conn *c, int reason)
{
    (void)owner, (void)c, (void)reason;
}

static const struct transport_events nobody = {
    .on_open = nobody_open, .on_bytes = nobody_bytes, .on_drained = nobody_open, .on_closed = nobody_closed};

void links_fini(struct links *all)
{
    for (struct link *l = all->first, *after; l; l = after) {
        after = l->after;
        link_close(l, MOTH_ESHUTDOWN);
        l->conn->user = NULL;
        link_free(l);
    }
    all->transport->events = &nobody;
    free(all->scratch);
    crypto_wipe(all->network_key, sizeof all->network_key);
}
