/* guests.h -- the node's end of attach.h: whoever connects to the socket in the home folder gets a session. */
#ifndef GUESTS_H
#define GUESTS_H

#include "moth/loop.h"
#include "script/shell.h"

struct guests;

/* `shell` is borrowed until guests_close. MOTH_EARGUMENT: the path is too long for a socket; MOTH_EPERMISSION,
 * MOTH_EIO. */
int guests_open(struct moth_loop *loop, struct shell *shell, const char *home, struct guests **out);
void guests_close(struct guests *g); /* before shell_close; NULL is fine */

#endif
