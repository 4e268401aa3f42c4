/* handshake.h -- the first part of a link's life, used by link.c alone. Layouts stand in link.h. */
#ifndef NET_HANDSHAKE_H
#define NET_HANDSHAKE_H

#include "net/link.h"

/* The connection is open: the dialler writes its first message. */
int handshake_begin(struct link *l);

/* The bytes the handshake waits for now. */
size_t handshake_wants(const struct link *l);

/* Takes exactly those bytes. The last step opens the link and raises on_ready. An error ends it: MOTH_EVERSION,
 * MOTH_EWRONG_NETWORK, MOTH_EFORGED, MOTH_ESELF, MOTH_ECLONED, MOTH_EWRONG_IDENTITY, or what on_ready said. */
int handshake_step(struct link *l, struct slice bytes);

void handshake_drop(struct link *l); /* wipes what is left of it */

#endif
