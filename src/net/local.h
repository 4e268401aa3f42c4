/* local.h -- a socket in the file system, through which other processes of the same user reach this one.
 *
 * The socket is made 0600, and whoever connects is asked for their user all the same: only this process's own user and
 * root get in. Bytes go in order and whole or not at all; a peer that does not read is given up at LOCAL_QUEUE_MAX. */
#ifndef NET_LOCAL_H
#define NET_LOCAL_H

#include "base/base.h"
#include "moth/loop.h"

#define LOCAL_PEERS_MAX 32
#define LOCAL_QUEUE_MAX (8u << 20) /* bytes that wait for one of them */

struct local_server;
struct local_peer;

struct local_ops { /* none of them may call local_stop */
    void (*opened)(void *owner, struct local_peer *p);
    void (*bytes)(void *owner, struct local_peer *p, struct slice bytes); /* borrowed during the call */
    void (*closed)(void *owner, struct local_peer *p); /* exactly once, also after local_close; `p` is gone after it */
};

/* Replaces a socket that nobody serves any more (the caller holds the lock of the home). `ops` and `owner` are borrowed
 * until local_stop. MOTH_EARGUMENT: the path is too long for a socket (107 bytes); MOTH_EPERMISSION, MOTH_EIO. */
int local_serve(struct moth_loop *loop, const char *path, const struct local_ops *ops, void *owner,
                struct local_server **out);
void local_stop(struct local_server *s); /* closes all; before moth_loop_close; NULL is fine */

/* Takes a copy. MOTH_EFULL: it reads too slowly, and is being closed; MOTH_ECLOSED: it is closing. */
int local_send(struct local_peer *p, const void *data, size_t bytes);
void local_pause(struct local_peer *p, bool pause); /* read nothing for now */
void local_close(struct local_peer *p);             /* once what was sent has left, or after a second */

void local_set_user(struct local_peer *p, void *user);
void *local_user(const struct local_peer *p); /* NULL at first */

#endif
