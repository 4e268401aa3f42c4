/* floor_relay.c -- the least a relay can do, to hold moth's figures against: no encryption, no routes, no limits.
 *
 *   a client sends:  own id 16 | frame | frame ...
 *   a frame:         len u16 | destination 16 | payload          len counts destination and payload, native byte order
 *
 * A frame is looked up in a hash of the connected ids and copied once, whole, into the destination's buffer; each
 * buffer is offered to the kernel once per turn of the loop. A frame for nobody is dropped. The first line tells the
 * port in the manner of moth's; it runs until it is killed. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define ID_BYTES 16
#define LENGTH_BYTES 2
#define READ_BYTES (64u << 10)
#define SLOT_BITS 12 /* far more than clients */
#define SLOTS (1u << SLOT_BITS)

struct bytes {
    char *data;
    size_t count, capacity;
};

struct client {
    uv_tcp_t handle; /* first */
    struct slot *slot;      /* NULL until it said its id */
    struct bytes in, out;   /* a cut frame; what waits for the end of the turn */
    struct bytes in_flight; /* what uv_write borrows */
    uv_write_t request;
    bool writing;
    struct client *next_dirty;
    bool dirty;
};

struct slot {
    uint8_t id[ID_BYTES];
    bool used;
    struct client *client; /* NULL: it left */
};

static uv_loop_t loop;
static struct slot slots[SLOTS];
static struct client *dirty;
static char read_buffer[READ_BYTES];

static void append(struct bytes *b, const char *data, size_t count)
{
    if (b->count + count > b->capacity) {
        b->capacity = 2 * (b->count + count);
        b->data = realloc(b->data, b->capacity);
        if (!b->data) abort();
    }
    memcpy(b->data + b->count, data, count);
    b->count += count;
}

/* The slot that holds `id`, or the free one where it would go. */
static struct slot *find_slot(const void *id)
{
    uint64_t hash;
    memcpy(&hash, id, sizeof hash);
    size_t i = (hash * 0x9e3779b97f4a7c15u) >> (64 - SLOT_BITS);
    while (slots[i].used && memcmp(slots[i].id, id, ID_BYTES) != 0) i = (i + 1) % SLOTS;
    return &slots[i];
}

static void register_client(struct client *c, const void *id)
{
    c->slot = find_slot(id);
    c->slot->used = true;
    c->slot->client = c;
    memcpy(c->slot->id, id, ID_BYTES);
}

/* --- the way through --- */

static void pass_on(const char *frame, size_t count)
{
    struct client *to = find_slot(frame + LENGTH_BYTES)->client;
    if (!to) return;
    append(&to->out, frame, count);
    if (to->dirty) return;
    to->dirty = true;
    to->next_dirty = dirty;
    dirty = to;
}

/* Returns how many of the bytes are done with. */
static size_t take_frames(struct client *c, const char *data, size_t count)
{
    size_t used = 0;
    if (!c->slot && count >= ID_BYTES) {
        register_client(c, data);
        used = ID_BYTES;
    }
    while (c->slot && count - used >= LENGTH_BYTES) {
        uint16_t length;
        memcpy(&length, data + used, sizeof length);
        if (length < ID_BYTES || count - used < LENGTH_BYTES + (size_t)length) break;
        pass_on(data + used, LENGTH_BYTES + (size_t)length);
        used += LENGTH_BYTES + (size_t)length;
    }
    return used;
}

static void on_closed(uv_handle_t *handle)
{
    struct client *c = (struct client *)handle;
    free(c->in.data);
    free(c->out.data);
    free(c->in_flight.data);
    free(c);
}

static void leave(struct client *c)
{
    if (uv_is_closing((uv_handle_t *)c)) return;
    if (c->slot) c->slot->client = NULL;
    for (struct client **at = &dirty; *at; at = &(*at)->next_dirty) {
        if (*at != c) continue;
        *at = c->next_dirty;
        break;
    }
    uv_close((uv_handle_t *)c, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle, (void)suggested;
    *buf = uv_buf_init(read_buffer, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client *c = (struct client *)stream;
    if (n < 0) {
        leave(c);
    } else if (c->in.count > 0) {
        append(&c->in, buf->base, (size_t)n);
        size_t used = take_frames(c, c->in.data, c->in.count);
        memmove(c->in.data, c->in.data + used, c->in.count -= used);
    } else {
        size_t used = take_frames(c, buf->base, (size_t)n);
        append(&c->in, buf->base + used, (size_t)n - used);
    }
}

/* --- the end of a turn --- */

static void on_written(uv_write_t *request, int status);

/* What the kernel does not take at once goes to libuv, and the next bytes gather in the other buffer meanwhile. */
static void flush(struct client *c)
{
    if (c->writing || c->out.count == 0) return;
    uv_buf_t buf = uv_buf_init(c->out.data, (unsigned)c->out.count);
    int n = uv_try_write((uv_stream_t *)c, &buf, 1);
    size_t gone = n > 0 ? (size_t)n : 0;
    struct bytes spare = c->in_flight;
    spare.count = 0;
    if (gone < c->out.count) {
        c->in_flight = c->out;
        c->writing = true;
        buf = uv_buf_init(c->out.data + gone, (unsigned)(c->out.count - gone));
        c->out = spare;
        if (uv_write(&c->request, (uv_stream_t *)c, &buf, 1, on_written) < 0) leave(c);
    }
    if (!c->writing) c->out.count = 0;
}

static void on_written(uv_write_t *request, int status)
{
    struct client *c = (struct client *)request->handle;
    c->writing = false;
    if (status == 0) flush(c);
}

static void on_turn_end(uv_prepare_t *prepare)
{
    (void)prepare;
    while (dirty) {
        struct client *c = dirty;
        dirty = c->next_dirty;
        c->dirty = false;
        flush(c);
    }
}

/* --- the start --- */

static void on_connection(uv_stream_t *listener, int status)
{
    struct client *c = calloc(1, sizeof *c);
    if (status < 0 || !c) abort();
    uv_tcp_init(&loop, &c->handle);
    if (uv_accept(listener, (uv_stream_t *)c) < 0) abort();
    uv_tcp_nodelay(&c->handle, 1);
    uv_read_start((uv_stream_t *)c, on_alloc, on_read);
}

static int start(uv_tcp_t *listener, uv_prepare_t *turn_end)
{
    struct sockaddr_in where;
    int length = sizeof where, rc = uv_loop_init(&loop);
    if (rc == 0) rc = uv_ip4_addr("127.0.0.1", 0, &where);
    if (rc == 0) rc = uv_tcp_init(&loop, listener);
    if (rc == 0) rc = uv_tcp_bind(listener, (const struct sockaddr *)&where, 0);
    if (rc == 0) rc = uv_listen((uv_stream_t *)listener, 511, on_connection);
    if (rc == 0) rc = uv_tcp_getsockname(listener, (struct sockaddr *)&where, &length);
    if (rc == 0) rc = uv_prepare_init(&loop, turn_end);
    if (rc == 0) rc = uv_prepare_start(turn_end, on_turn_end);
    if (rc == 0) printf("floor (00000000) listening on 127.0.0.1:%u\n", ntohs(where.sin_port));
    fflush(stdout);
    return rc;
}

int main(void)
{
    uv_tcp_t listener;
    uv_prepare_t turn_end;
    int rc = start(&listener, &turn_end);
    if (rc < 0) {
        fprintf(stderr, "floor_relay: %s\n", uv_strerror(rc));
        return 1;
    }
    return uv_run(&loop, UV_RUN_DEFAULT);
}
