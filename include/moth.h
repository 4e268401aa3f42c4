/* moth.h -- the public C API of moth in one include: a peer-to-peer messaging node for your program.
 *
 * Link with libmoth.a, libuv and libcrypto; examples/embed.c is a whole program. */
#ifndef MOTH_H
#define MOTH_H

#include "moth/frame.h"
#include "moth/host.h"
#include "moth/invite.h"
#include "moth/loop.h"
#include "moth/node.h"
#include "moth/router.h"
#include "moth/store.h"
#include "moth/tcp.h"
#include "moth/types.h"

#endif
