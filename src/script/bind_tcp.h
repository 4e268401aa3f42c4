/* bind_tcp.h -- servers and streams for Lua (bind_tcp.c has the signature of each method; lua/moth/tcp.lua makes of
 * them what scripts see).
 *
 * Sees only the public headers: what a script can do, an embedder can do. */
#ifndef SCRIPT_BIND_TCP_H
#define SCRIPT_BIND_TCP_H

#include "moth/tcp.h"
#include "script/runtime.h"

/* Sets moth.core.tcp of `r`. `transport` is borrowed until runtime_free, which ends all connections and must come
 * before the transport ends; `beyond`: may others than this machine connect? 0, or MOTH_EIO: Lua failed (logged). */
int bind_tcp(struct runtime *r, struct moth_transport *transport, bool beyond);

/* Pushes such a table, for one of many transports; returns 1. May raise a Lua error. */
int bind_tcp_push(lua_State *L, struct moth_transport *transport, bool beyond);

#endif
