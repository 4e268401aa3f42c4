/* streams.c -- servers and streams for programs, include/moth/tcp.h, over any transport.
 *
 * Each server has a transport of its own beside the node's, and all dialled streams share one. Events of transports
 * only write down what happened: bytes go to the stream's buffer, and whoever has news joins the end of one queue. The
 * owner takes them from there in its own time, so nothing here ever calls it with something half done.
 *
 * A stream that its owner closed lives on, unseen, while the other end still takes what was written. Such streams give
 * way first when there are too many. */
#include "moth/tcp.h"

#include "base/buf.h"
#include "base/mem.h"
#include "net/transport.h"

#include <assert.h>
#include <stdlib.h>

#define CHUNK_BYTES (256u << 10) /* of one send: what waits to be read is bounded only as finely as it comes */

struct news { /* a place in the queue */
    struct news *before, *after;
    struct moth_server *server; /* one of the two, borrowed */
    struct moth_stream *stream;
    bool is_queued;
};

struct moth_server { /* or what dialled streams belong to */
    struct news news;
    struct moth_server *after;
    struct moth_tcp *tcp;             /* borrowed */
    struct moth_transport *transport; /* owned */
    struct moth_stream *first, *last; /* not accepted yet */
    char address[MOTH_ADDRESS_TEXT_BYTES];
    unsigned streams; /* that point here */
    bool is_closed;
};

struct moth_stream {
    struct news news;
    struct moth_stream *before, *after;
    struct moth_stream *after_waiting; /* of those not accepted yet */
    struct moth_server *server;        /* borrowed: it goes after its streams */
    struct conn *conn;                 /* the transport's; NULL: it ended */
    struct buf in;
    char address[MOTH_ADDRESS_TEXT_BYTES];
    int state; /* as moth_stream_state says it */
    bool is_paused, is_waiting, is_closed; /* waiting: to be accepted; its owner does not know it yet */
    void *user; /* the owner's */
};

struct moth_tcp {
    struct moth_tcp_setup setup;
    struct moth_server *servers; /* owned: all, the one that dials too */
    struct moth_server *dialler; /* borrowed */
    struct moth_stream *streams; /* owned: all */
    struct news *first, *last;
    unsigned server_count, stream_count;
};

/* --- news --- */

static void news_add(struct moth_tcp *t, struct news *n)
{
    if (n->is_queued) return;
    n->is_queued = true;
    n->before = t->last;
    n->after = NULL;
    if (t->last) t->last->after = n;
    else t->first = n;
    t->last = n;
    if (t->first == n) t->setup.on_news(t->setup.owner);
}

static void news_remove(struct moth_tcp *t, struct news *n)
{
    if (!n->is_queued) return;
    n->is_queued = false;
    if (n->before) n->before->after = n->after;
    else t->first = n->after;
    if (n->after) n->after->before = n->before;
    else t->last = n->before;
}

bool moth_tcp_next(struct moth_tcp *t, struct moth_server **server, struct moth_stream **stream)
{
    struct news *n = t->first;
    if (!n) return false;
    news_remove(t, n);
    *server = n->server;
    *stream = n->stream;
    return true;
}

static void tell(struct moth_stream *s)
{
    if (!s->is_waiting && !s->is_closed) news_add(s->server->tcp, &s->news);
}

/* --- how streams and servers come and go --- */

static const struct transport_ops *ops_of(const struct moth_stream *s)
{
    return s->server->transport->ops;
}

static struct moth_stream *stream_new(struct moth_server *server, int state)
{
    struct moth_tcp *t = server->tcp;
    struct moth_stream *s = mem_new(sizeof *s);
    *s = (struct moth_stream){.server = server, .after = t->streams, .state = state, .address = "none"};
    s->news.stream = s;
    if (t->streams) t->streams->before = s;
    t->streams = s;
    t->stream_count++;
    server->streams++;
    return s;
}

static void server_free(struct moth_server *server)
{
    struct moth_server **at = &server->tcp->servers;
    while (*at != server) at = &(*at)->after;
    *at = server->after;
    server->transport->ops->free(server->transport);
    free(server);
}

/* A closed server goes with its last stream. */
static void stream_free(struct moth_stream *s)
{
    struct moth_server *server = s->server;
    struct moth_tcp *t = server->tcp;
    news_remove(t, &s->news);
    if (s->before) s->before->after = s->after;
    else t->streams = s->after;
    if (s->after) s->after->before = s->before;
    buf_fini(&s->in);
    t->stream_count--;
    free(s);
    if (--server->streams == 0 && server->is_closed) server_free(server);
}

/* May there be one more? One that is only finishing gives way. */
static bool end_a_finishing_one(struct moth_tcp *t)
{
    for (struct moth_stream *s = t->streams; s; s = s->after) {
        if (!s->is_closed || !s->conn->open) continue;
        ops_of(s)->close(s->conn, MOTH_ECLOSED);
        return true;
    }
    return false;
}

static bool make_room(struct moth_tcp *t)
{
    return t->stream_count < MOTH_TCP_STREAMS_MAX || end_a_finishing_one(t);
}

/* --- events of the transports --- */

static void add_waiting(struct moth_server *server, struct moth_stream *s)
{
    if (server->last) server->last->after_waiting = s;
    else server->first = s;
    server->last = s;
    s->is_waiting = true;
    news_add(server->tcp, &server->news);
}

static int on_open(void *owner, struct conn *c)
{
    struct moth_server *server = owner;
    if (c->inbound && !make_room(server->tcp)) return MOTH_EFULL;
    struct moth_stream *s = c->inbound ? stream_new(server, 0) : c->user;
    s->state = 0;
    s->conn = c;
    c->user = s;
    address_format(&c->remote, s->address);
    if (c->inbound) add_waiting(server, s);
    else tell(s);
    return 0;
}

static int on_bytes(void *owner, struct conn *c, struct span bytes)
{
    struct moth_stream *s = c->user;
    (void)owner;
    if (s->is_closed) return 0;
    buf_add(&s->in, bytes.data, bytes.bytes);
    s->is_paused = buf_bytes(&s->in) >= MOTH_STREAM_READ_MAX;
    if (s->is_paused) ops_of(s)->pause(c, true);
    tell(s);
    return 0;
}

static int on_drained(void *owner, struct conn *c)
{
    struct moth_stream *s = c->user;
    (void)owner;
    tell(s);
    return s->is_closed && ops_of(s)->queued(c) == 0 ? MOTH_ECLOSED : 0;
}

static void on_closed(void *owner, struct conn *c, int reason)
{
    struct moth_stream *s = c->user;
    (void)owner;
    if (!s) return; /* there was no room for it */
    s->state = reason;
    s->conn = NULL;
    if (s->is_closed) stream_free(s);
    else tell(s);
}

static const struct transport_events events = {
    .on_open = on_open, .on_bytes = on_bytes, .on_drained = on_drained, .on_closed = on_closed};

/* --- opening and closing --- */

static struct moth_server *server_new(struct moth_tcp *t)
{
    struct moth_transport *main = t->setup.transport;
    struct moth_server *server = mem_new(sizeof *server);
    *server = (struct moth_server){.tcp = t, .after = t->servers, .transport = main->ops->beside(main)};
    server->news.server = server;
    server->transport->events = &events;
    server->transport->owner = server;
    t->servers = server;
    return server;
}

struct moth_tcp *moth_tcp_open(const struct moth_tcp_setup *setup)
{
    struct moth_tcp *t = mem_new(sizeof *t);
    t->setup = *setup;
    t->dialler = server_new(t);
    return t;
}

void moth_tcp_close(struct moth_tcp *t)
{
    if (!t) return;
    for (struct moth_stream *s = t->streams, *after; s; s = after) {
        after = s->after;
        stream_free(s);
    }
    while (t->servers) server_free(t->servers);
    free(t);
}

/* --- servers --- */

/* What a name means is known only when it listens; until the loop goes on, nobody is let in. */
static int listen_at(struct moth_server *server, const char *address)
{
    struct address bound;
    int rc = server->transport->ops->listen(server->transport, address, &bound);
    if (rc < 0) return rc;
    if (!server->tcp->setup.beyond && address_scope(&bound) != ADDRESS_LOOPBACK) return MOTH_EBLOCKED;
    address_format(&bound, server->address);
    return 0;
}

int moth_tcp_listen(struct moth_tcp *t, const char *address, struct moth_server **out)
{
    if (t->server_count >= MOTH_TCP_SERVERS_MAX) return MOTH_EFULL;
    struct moth_server *server = server_new(t);
    int rc = listen_at(server, address);
    if (rc < 0) {
        server_free(server);
        return rc;
    }
    t->server_count++;
    *out = server;
    return 0;
}

const char *moth_server_address(const struct moth_server *server)
{
    return server->address;
}

struct moth_stream *moth_server_accept(struct moth_server *server)
{
    struct moth_stream *s = server->first;
    if (!s) return NULL;
    server->first = s->after_waiting;
    if (!server->first) server->last = NULL;
    s->is_waiting = false;
    if (buf_bytes(&s->in) > 0 || s->state < 0) tell(s);
    return s;
}

void moth_server_close(struct moth_server *server)
{
    struct moth_tcp *t = server->tcp;
    struct address none;
    server->transport->ops->listen(server->transport, NULL, &none);
    for (struct moth_stream *s; (s = moth_server_accept(server));) moth_stream_close(s);
    news_remove(t, &server->news);
    t->server_count--;
    server->is_closed = true;
    if (server->streams == 0) server_free(server);
}

/* --- streams --- */

int moth_tcp_connect(struct moth_tcp *t, const char *address, struct moth_stream **out)
{
    if (!make_room(t)) return MOTH_EFULL;
    struct moth_transport *transport = t->dialler->transport;
    struct moth_stream *s = stream_new(t->dialler, MOTH_EBUSY);
    s->conn = transport->ops->dial(transport, address, s);
    *out = s;
    return 0;
}

int moth_stream_state(const struct moth_stream *s)
{
    return s->state;
}

const char *moth_stream_address(const struct moth_stream *s)
{
    return s->address;
}

const void *moth_stream_bytes(const struct moth_stream *s, size_t *bytes)
{
    struct span in = buf_span(&s->in);
    *bytes = in.bytes;
    return in.data;
}

void moth_stream_take(struct moth_stream *s, size_t bytes)
{
    assert(bytes <= buf_bytes(&s->in));
    buf_consume(&s->in, bytes);
    if (!s->is_paused || buf_bytes(&s->in) > MOTH_STREAM_READ_MAX / 2) return;
    s->is_paused = false;
    if (s->conn) ops_of(s)->pause(s->conn, false);
}

static size_t queued_by_all(const struct moth_tcp *t)
{
    size_t bytes = 0;
    for (const struct moth_stream *s = t->streams; s; s = s->after)
        if (s->conn && s->conn->open) bytes += moth_stream_queued(s);
    return bytes;
}

static bool fits(const struct moth_stream *s, size_t bytes)
{
    size_t queued = moth_stream_queued(s);
    if (bytes > MOTH_STREAM_WRITE_MAX || queued > MOTH_STREAM_WRITE_MAX - bytes) return false;
    return queued + bytes <= MOTH_STREAM_WRITE_LOW || queued_by_all(s->server->tcp) + bytes <= MOTH_TCP_QUEUED_MAX;
}

int moth_stream_write(struct moth_stream *s, const void *data, size_t bytes)
{
    if (s->state < 0) return s->state;
    if (!s->conn->open) return MOTH_ECLOSED;
    if (!fits(s, bytes) && !(end_a_finishing_one(s->server->tcp) && fits(s, bytes))) return MOTH_EFULL;
    for (size_t at = 0, n; at < bytes; at += n) {
        n = bytes - at < CHUNK_BYTES ? bytes - at : CHUNK_BYTES;
        ops_of(s)->send(s->conn, slice_of((const uint8_t *)data + at, n));
    }
    return 0;
}

size_t moth_stream_queued(const struct moth_stream *s)
{
    return s->conn ? ops_of(s)->queued(s->conn) : 0;
}

void moth_stream_close(struct moth_stream *s)
{
    news_remove(s->server->tcp, &s->news);
    if (!s->conn) {
        stream_free(s);
        return;
    }
    s->is_closed = true;
    buf_fini(&s->in);
    if (s->is_paused) ops_of(s)->pause(s->conn, false); /* or its end goes unnoticed */
    if (moth_stream_queued(s) == 0) ops_of(s)->close(s->conn, MOTH_ECLOSED);
}

void *moth_stream_user(const struct moth_stream *s)
{
    return s->user;
}

void moth_stream_set_user(struct moth_stream *s, void *user)
{
    s->user = user;
}
