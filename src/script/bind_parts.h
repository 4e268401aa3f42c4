/* bind_parts.h -- the primitives frame, router and store for Lua (bind_parts.c and bind_store.c have the signatures).
 *
 * What a script makes of them lives in C's memory, which Lua's limit does not see: so there are bounds of their own,
 * for all scripts together. */
#ifndef SCRIPT_BIND_PARTS_H
#define SCRIPT_BIND_PARTS_H

#include "moth/host.h"

#include <lauxlib.h>

/* Pushes {frame =, router =, store =}, tables of functions; returns 1. `host` is borrowed until the state is closed.
 * May raise a Lua error. */
int bind_parts_open(lua_State *L, const struct moth_host *host);

/* bind_store.c: pushes the table `store`. */
int bind_store_open(lua_State *L, const struct moth_host *host);

/* Makes the class `name` with its methods; `gc` ends an object. */
void bind_make_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc, lua_CFunction tostring);

#endif
