/* tcp.c -- the transport over TCP and libuv (with loop.c the only place that knows uv).
 *
 * A send goes to the kernel at once; only what the kernel does not take is copied and left to uv_write. All connections
 * read into one buffer, which the receiver empties before it returns: an idle connection owns no buffers. Nagle is off,
 * for the link above gathers. Handles are freed in their close callback and nowhere else. */
#include "net/uv_private.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define READ_BUFFER_BYTES (256u << 10)
#define BACKLOG 511

struct tcp_conn {
    struct conn base; /* first */
    uv_tcp_t handle;
    struct tcp_conn *before, *after;
    size_t queued;
    int reason;    /* why it closes; 0 while it lives */
    unsigned held; /* uv handles and requests that still point here */
    bool paused;
};

struct dial {
    uv_getaddrinfo_t lookup;
    uv_connect_t connect;
    struct tcp_conn *conn;  /* borrowed: `held` keeps it */
    struct addrinfo *found; /* owned */
    struct addrinfo *next;  /* of those found, the first not yet tried; borrowed */
};

struct pending_write {
    uv_write_t request;
    struct tcp_conn *conn; /* borrowed: `held` keeps it */
    size_t bytes;
    uint8_t data[];
};

int uv_error(int status)
{
    switch (status) {
    case 0: return 0;
    case UV_ECONNREFUSED: return MOTH_EREFUSED;
    case UV_ETIMEDOUT: return MOTH_ETIMEOUT;
    case UV_EADDRINUSE: return MOTH_EIN_USE;
    case UV_EACCES:
    case UV_EPERM: return MOTH_EPERMISSION;
    case UV_ENETUNREACH:
    case UV_EHOSTUNREACH:
    case UV_EADDRNOTAVAIL: return MOTH_EUNREACHABLE;
    case UV_EOF:
    case UV_ECONNRESET:
    case UV_EPIPE:
    case UV_ECONNABORTED: return MOTH_ECLOSED;
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
    case UV_EAI_FAMILY: return MOTH_ENO_HOST;
    case UV_EINVAL:
    case UV_EAFNOSUPPORT: return MOTH_EBAD_ADDRESS;
    default: return MOTH_EIO;
    }
}

static struct tcp_transport *transport_of(struct moth_transport *t)
{
    return (struct tcp_transport *)t;
}

static struct tcp_conn *tcp_of(const struct conn *c)
{
    return (struct tcp_conn *)(uintptr_t)c;
}

/* --- the life of a connection --- */

static void free_if_over(struct tcp_transport *t)
{
    if (t->ended && !t->conns) free(t);
}

static struct tcp_conn *conn_new(struct tcp_transport *t, bool inbound)
{
    struct tcp_conn *c = mem_new(sizeof *c);
    c->base.transport = &t->base;
    c->base.inbound = inbound;
    c->held = 1;
    c->after = t->conns;
    if (t->conns) t->conns->before = c;
    t->conns = c;
    uv_tcp_init(t->loop, &c->handle);
    c->handle.data = c;
    return c;
}

/* Drops one reference; the last one tells the owner and frees. */
static void conn_release(struct tcp_conn *c)
{
    struct tcp_transport *t = transport_of(c->base.transport);
    if (--c->held > 0) return;
    if (!t->ended) t->base.events->on_closed(t->base.owner, &c->base, c->reason);
    if (c->before) c->before->after = c->after;
    else t->conns = c->after;
    if (c->after) c->after->before = c->before;
    free(c);
    free_if_over(t);
}

static void on_handle_closed(uv_handle_t *handle)
{
    conn_release(handle->data);
}

static void tcp_close(struct conn *base, int reason)
{
    struct tcp_conn *c = tcp_of(base);
    assert(reason < 0);
    if (c->reason != 0) return;
    c->reason = reason;
    c->base.open = false;
    if (!uv_is_closing((uv_handle_t *)&c->handle)) uv_close((uv_handle_t *)&c->handle, on_handle_closed);
}

/* Closes when a callback of the owner returned an error. */
static void settle(struct tcp_conn *c, int rc)
{
    if (rc < 0) tcp_close(&c->base, rc);
}

/* --- reading --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct tcp_conn *c = handle->data;
    (void)suggested;
    *buf = uv_buf_init((char *)transport_of(c->base.transport)->main->read_buffer, READ_BUFFER_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct tcp_conn *c = stream->data;
    struct moth_transport *t = c->base.transport;
    if (n == 0 || c->reason != 0) return;
    if (n < 0) {
        tcp_close(&c->base, uv_error((int)n));
        return;
    }
    settle(c, t->events->on_bytes(t->owner, &c->base, (struct span){(uint8_t *)buf->base, (size_t)n}));
}

static void tcp_pause(struct conn *base, bool pause)
{
    struct tcp_conn *c = tcp_of(base);
    if (c->reason != 0 || c->paused == pause) return;
    c->paused = pause;
    if (pause) uv_read_stop((uv_stream_t *)&c->handle);
    else uv_read_start((uv_stream_t *)&c->handle, on_alloc, on_read);
}

/* --- opening --- */

static void address_from_sockaddr(const struct sockaddr *sa, struct address *out)
{
    *out = (struct address){0};
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
        out->family = 4;
        memcpy(out->ip, &in->sin_addr, 4);
        out->port = ntohs(in->sin_port);
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
        out->family = 6;
        memcpy(out->ip, &in6->sin6_addr, 16);
        out->port = ntohs(in6->sin6_port);
    }
}

static void conn_opened(struct tcp_conn *c)
{
    struct moth_transport *t = c->base.transport;
    struct sockaddr_storage name;
    int length = sizeof name;
    if (uv_tcp_getpeername(&c->handle, (struct sockaddr *)&name, &length) < 0) {
        tcp_close(&c->base, MOTH_ECLOSED);
        return;
    }
    address_from_sockaddr((struct sockaddr *)&name, &c->base.remote);
    uv_tcp_nodelay(&c->handle, 1);
    c->base.open = true;
    settle(c, t->events->on_open(t->owner, &c->base));
    if (c->reason == 0 && !c->paused) uv_read_start((uv_stream_t *)&c->handle, on_alloc, on_read);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct tcp_transport *t = listener->data;
    if (status < 0) return; /* the kernel ran out of something; the dialler will try again */
    struct tcp_conn *c = conn_new(t, true);
    if (uv_accept(listener, (uv_stream_t *)&c->handle) < 0) tcp_close(&c->base, MOTH_ECLOSED);
    else conn_opened(c);
}

static void dial_end(struct dial *dial, int status)
{
    struct tcp_conn *c = dial->conn;
    uv_freeaddrinfo(dial->found);
    free(dial);
    if (status < 0) tcp_close(&c->base, uv_error(status));
    else if (c->reason == 0) conn_opened(c);
    conn_release(c);
}

static void dial_next(struct dial *dial);

/* A socket that failed to connect is of no further use: the next address gets a fresh one. */
static void on_given_up(uv_handle_t *handle)
{
    struct dial *dial = handle->data;
    struct tcp_conn *c = dial->conn;
    uv_tcp_init(handle->loop, &c->handle);
    c->handle.data = c;
    if (c->reason == 0) {
        dial_next(dial);
    } else {
        uv_close((uv_handle_t *)&c->handle, on_handle_closed);
        dial_end(dial, UV_ECANCELED);
    }
}

static void on_connected(uv_connect_t *request, int status)
{
    struct dial *dial = request->data;
    struct tcp_conn *c = dial->conn;
    if (status == 0 || c->reason != 0 || !dial->next) {
        dial_end(dial, status);
    } else {
        c->handle.data = dial;
        uv_close((uv_handle_t *)&c->handle, on_given_up);
    }
}

static void dial_next(struct dial *dial)
{
    const struct addrinfo *at = dial->next;
    dial->next = at->ai_next;
    int rc = uv_tcp_connect(&dial->connect, &dial->conn->handle, at->ai_addr, on_connected);
    if (rc < 0) on_connected(&dial->connect, rc);
}

/* "localhost" is often two addresses of which one listens. */
static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct dial *dial = request->data;
    transport_of(dial->conn->base.transport)->main->lookups--;
    dial->found = dial->next = found;
    if (status == 0 && dial->conn->reason == 0) dial_next(dial);
    else dial_end(dial, status < 0 ? status : UV_ECANCELED);
}

/* A numeric address needs no resolver, and must not wait for one that hangs. False: it is a name. */
static bool dial_number(struct dial *dial, const char *host, uint16_t port)
{
    struct sockaddr_in6 in6;
    struct sockaddr_in in;
    const struct sockaddr *at = (const struct sockaddr *)&in;
    if (uv_ip4_addr(host, port, &in) < 0) {
        if (uv_ip6_addr(host, port, &in6) < 0) return false;
        at = (const struct sockaddr *)&in6;
    }
    int rc = uv_tcp_connect(&dial->connect, &dial->conn->handle, at, on_connected);
    if (rc < 0) dial_end(dial, rc);
    return true;
}

static struct conn *tcp_dial(struct moth_transport *base, const char *address, void *user)
{
    static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct tcp_transport *t = transport_of(base);
    struct tcp_conn *c = conn_new(t, false);
    char host[HOST_TEXT_BYTES], service[8];
    uint16_t port;
    c->base.user = user;
    int rc = host_port_parse(address, host, &port);
    if (rc < 0) {
        tcp_close(&c->base, rc);
        return &c->base;
    }
    snprintf(service, sizeof service, "%u", port);
    struct dial *dial = mem_new(sizeof *dial);
    dial->conn = c;
    dial->lookup.data = dial->connect.data = dial;
    c->held++;
    if (dial_number(dial, host, port)) return &c->base;
    rc = uv_getaddrinfo(t->loop, &dial->lookup, on_looked_up, host, service, &hints);
    if (rc == 0) {
        t->main->lookups++;
    } else {
        free(dial);
        c->held--;
        tcp_close(&c->base, uv_error(rc));
    }
    return &c->base;
}

/* --- writing --- */

static void on_written(uv_write_t *request, int status)
{
    struct pending_write *w = request->data;
    struct tcp_conn *c = w->conn;
    struct moth_transport *t = c->base.transport;
    c->queued -= w->bytes;
    free(w);
    if (status < 0) {
        tcp_close(&c->base, uv_error(status));
    } else if (c->reason == 0 && c->queued <= TRANSPORT_LOW_BYTES) {
        settle(c, t->events->on_drained(t->owner, &c->base));
    }
    conn_release(c);
}

static void write_later(struct tcp_conn *c, struct slice rest)
{
    struct pending_write *w = mem_new(sizeof *w + rest.bytes);
    w->conn = c;
    w->bytes = rest.bytes;
    w->request.data = w;
    memcpy(w->data, rest.data, rest.bytes);
    uv_buf_t buf = uv_buf_init((char *)w->data, (unsigned)rest.bytes);
    int rc = uv_write(&w->request, (uv_stream_t *)&c->handle, &buf, 1, on_written);
    if (rc < 0) {
        free(w);
        tcp_close(&c->base, uv_error(rc));
        return;
    }
    c->held++;
    c->queued += rest.bytes;
}

static void tcp_send(struct conn *base, struct slice bytes)
{
    struct tcp_conn *c = tcp_of(base);
    if (c->reason != 0 || bytes.bytes == 0) return;
    assert(bytes.bytes <= INT32_MAX);
    if (c->queued == 0) {
        uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned)bytes.bytes);
        int n = uv_try_write((uv_stream_t *)&c->handle, &buf, 1);
        if (n < 0 && n != UV_EAGAIN) {
            tcp_close(base, uv_error(n));
            return;
        }
        if (n > 0) bytes = slice_of(bytes.data + n, bytes.bytes - (size_t)n);
    }
    if (bytes.bytes > 0) write_later(c, bytes);
}

static size_t tcp_queued(const struct conn *c)
{
    return tcp_of(c)->queued;
}

/* --- listening --- */

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void stop_listening(struct tcp_transport *t)
{
    if (t->listener) uv_close((uv_handle_t *)t->listener, free_handle);
    t->listener = NULL;
}

static int bound_address(const uv_tcp_t *listener, struct address *out)
{
    struct sockaddr_storage name;
    int length = sizeof name;
    int rc = uv_tcp_getsockname(listener, (struct sockaddr *)&name, &length);
    if (rc == 0) address_from_sockaddr((struct sockaddr *)&name, out);
    return rc;
}

static int listen_at(struct tcp_transport *t, const struct sockaddr *where, struct address *bound)
{
    uv_tcp_t *listener = mem_new(sizeof *listener);
    int rc = uv_tcp_init(t->loop, listener);
    if (rc < 0) {
        free(listener);
        return uv_error(rc);
    }
    listener->data = t;
    rc = uv_tcp_bind(listener, where, 0);
    if (rc == 0) rc = uv_listen((uv_stream_t *)listener, BACKLOG, on_connection);
    if (rc == 0) rc = bound_address(listener, bound);
    if (rc == 0) t->listener = listener;
    else uv_close((uv_handle_t *)listener, free_handle);
    return uv_error(rc);
}

static int tcp_listen(struct moth_transport *base, const char *address, struct address *bound)
{
    static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct tcp_transport *t = transport_of(base);
    char host[HOST_TEXT_BYTES], service[8];
    uint16_t port;
    uv_getaddrinfo_t lookup;
    if (!address) {
        stop_listening(t);
        return 0;
    }
    int rc = host_port_parse(address, host, &port);
    if (rc < 0) return rc;
    stop_listening(t);
    snprintf(service, sizeof service, "%u", port);
    rc = uv_getaddrinfo(t->loop, &lookup, NULL, host, service, &hints);
    if (rc < 0) return uv_error(rc);
    rc = listen_at(t, lookup.addrinfo->ai_addr, bound);
    uv_freeaddrinfo(lookup.addrinfo);
    return rc;
}

/* --- many on one loop --- */

static struct moth_transport *tcp_beside(struct moth_transport *base)
{
    struct tcp_transport *t = mem_new(sizeof *t), *main = transport_of(base)->main;
    *t = (struct tcp_transport){.base = {.ops = base->ops}, .main = main, .loop = main->loop};
    main->beside++;
    return &t->base;
}

static void end_all(struct tcp_transport *t)
{
    stop_listening(t);
    for (struct tcp_conn *c = t->conns; c; c = c->after) tcp_close(&c->base, MOTH_ESHUTDOWN);
}

static void tcp_free(struct moth_transport *base)
{
    struct tcp_transport *t = transport_of(base);
    assert(t != t->main && !t->ended);
    t->main->beside--;
    t->ended = true;
    end_all(t);
    free_if_over(t);
}

static const struct transport_ops ops = {
    .listen = tcp_listen,
    .dial = tcp_dial,
    .send = tcp_send,
    .queued = tcp_queued,
    .pause = tcp_pause,
    .close = tcp_close,
    .beside = tcp_beside,
    .free = tcp_free,
};

void tcp_init(struct tcp_transport *t, uv_loop_t *loop)
{
    *t = (struct tcp_transport){.base = {.ops = &ops}, .main = t, .loop = loop};
    t->read_buffer = mem_new(READ_BUFFER_BYTES);
}

void tcp_stop(struct tcp_transport *t)
{
    assert(t->beside == 0);
    end_all(t);
}

void tcp_fini(struct tcp_transport *t)
{
    free(t->read_buffer);
}
