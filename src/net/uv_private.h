/* uv_private.h -- what tcp.c and the loop*.c share: they are the door to libuv. */
#ifndef NET_UV_PRIVATE_H
#define NET_UV_PRIVATE_H

#include "net/transport.h"

#include <uv.h>

struct moth_loop;

struct tcp_transport {
    struct moth_transport base; /* first */
    struct tcp_transport *main; /* the loop's own, which has what all share; borrowed */
    uv_loop_t *loop;            /* borrowed */
    uv_tcp_t *listener;         /* owned by the loop until its close callback */
    struct tcp_conn *conns;     /* all that are not yet freed, doubly linked */
    bool ended;                 /* one beside the main one: it goes with its last connection */
    unsigned beside;            /* of the main one: how many others have not ended */
    unsigned lookups;           /* of the main one: of names, under way on other threads */
    uint8_t *read_buffer;       /* of the main one: owned; one for all: reads are handled at once */
};

void tcp_init(struct tcp_transport *t, uv_loop_t *loop);
void tcp_stop(struct tcp_transport *t); /* starts closing everything; run the loop until it is done, then tcp_fini */
void tcp_fini(struct tcp_transport *t);

uv_loop_t *loop_uv(struct moth_loop *loop);

int uv_error(int status); /* libuv's code as ours */

#endif
