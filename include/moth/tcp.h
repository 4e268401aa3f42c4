/* tcp.h -- plain TCP for programs beside a node, on the same loop: servers and streams.
 *
 * It goes over the node's transport, so what is written with it runs on real sockets and in the lab's virtual time
 * alike. There are no callbacks but one: something happened. The owner then asks, outside of it, what (moth_tcp_next),
 * and reads, accepts or writes at its leisure. What came waits here: a stream with MOTH_STREAM_READ_MAX bytes unread
 * reads no more from the network until half of them are taken. When the other end closes, both directions are closed;
 * what came before can still be read. */
#ifndef MOTH_TCP_H
#define MOTH_TCP_H

#include "types.h"

#define MOTH_TCP_STREAMS_MAX 256u          /* of one moth_tcp */
#define MOTH_TCP_SERVERS_MAX 64u           /* of one moth_tcp */
#define MOTH_TCP_QUEUED_MAX (64u << 20)    /* bytes that wait to be sent, of all slow streams of one moth_tcp */
#define MOTH_STREAM_READ_MAX (1u << 20)    /* bytes that wait to be read */
#define MOTH_STREAM_WRITE_MAX (8u << 20)   /* bytes that wait to be sent */
#define MOTH_STREAM_WRITE_LOW (64u << 10)  /* below it, whoever writes much may go on */

struct moth_transport;
struct moth_tcp;
struct moth_server;
struct moth_stream;

struct moth_tcp_setup {
    struct moth_transport *transport; /* borrowed until moth_tcp_close (moth_loop_transport) */
    bool beyond;                      /* may others than this machine connect? */
    void (*on_news)(void *owner);     /* moth_tcp_next has something to tell. May call nothing of this header */
    void *owner;
};

struct moth_tcp *moth_tcp_open(const struct moth_tcp_setup *setup);

/* Ends all streams and servers, and frees them. Before the transport ends; NULL is fine. */
void moth_tcp_close(struct moth_tcp *t);

/* What has news: one of the two is not NULL, and comes once until it has more. False: that was all.
 *   server: somebody connected
 *   stream: it opened, bytes came, it ended, or what was written has gone down to MOTH_STREAM_WRITE_LOW */
bool moth_tcp_next(struct moth_tcp *t, struct moth_server **server, struct moth_stream **stream);

/* Listens on "HOST:PORT"; port 0 picks any. MOTH_EBLOCKED: beyond this machine, and `beyond` is false; MOTH_EFULL;
 * MOTH_EBAD_ADDRESS, MOTH_ENO_HOST, MOTH_EIN_USE, MOTH_EPERMISSION, MOTH_EIO. A name is looked up at once, which may
 * take its time. */
int moth_tcp_listen(struct moth_tcp *t, const char *address, struct moth_server **out);
const char *moth_server_address(const struct moth_server *s);
struct moth_stream *moth_server_accept(struct moth_server *s); /* the next one; NULL: nobody waits */

/* Listens no more, and frees it. Streams that were accepted stay; whoever waits to be accepted is closed. */
void moth_server_close(struct moth_server *s);

/* Starts a connection; how it went comes as news. MOTH_EFULL. */
int moth_tcp_connect(struct moth_tcp *t, const char *address, struct moth_stream **out);

/* 0: it is open; MOTH_EBUSY: it is being opened; else why it ended: MOTH_ECLOSED, or what went wrong. */
int moth_stream_state(const struct moth_stream *s);
const char *moth_stream_address(const struct moth_stream *s); /* of the other end; "none" until it is open */

/* What came and was not taken yet: borrowed until the next call for this stream, or the next turn. */
const void *moth_stream_bytes(const struct moth_stream *s, size_t *bytes);
void moth_stream_take(struct moth_stream *s, size_t bytes); /* drops from the front */

/* Sends bytes, copied. MOTH_EFULL: with what waits already, these are above MOTH_STREAM_WRITE_MAX, or all above
 * MOTH_TCP_QUEUED_MAX; none was taken. MOTH_EBUSY: it is being opened; or why it ended. */
int moth_stream_write(struct moth_stream *s, const void *data, size_t bytes);
size_t moth_stream_queued(const struct moth_stream *s); /* bytes written that the system has not yet taken */

/* Ends it and frees it; what was written is still sent, as far as the other end takes it. */
void moth_stream_close(struct moth_stream *s);

void *moth_stream_user(const struct moth_stream *s); /* the owner's, NULL until set */
void moth_stream_set_user(struct moth_stream *s, void *user);

#endif
