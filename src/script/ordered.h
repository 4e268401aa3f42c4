/* ordered.h -- the same order and the same texts every time: what Lua leaves to chance, decided.
 *
 * A run of a lab is to be a function of its script and its seed. Lua breaks that where hashes and addresses show:
 * `pairs` and `next` go in the order of hashes, and tables, functions, threads and userdata print as addresses. After
 * ordered_open they go in the order of keys - numbers, texts by their bytes, false and true, objects - and objects have
 * serial numbers, given when they are first shown or ordered. Several keys that are objects without a number have no
 * order that repeats: that is an error. table.sort, which takes pivots from a clock, leaves equal elements in their
 * order. */
#ifndef SCRIPT_ORDERED_H
#define SCRIPT_ORDERED_H

#include <lua.h>

/* Replaces `pairs`, `next`, `tostring`, string.format and table.sort in a state of which nothing holds them yet. */
void ordered_open(lua_State *L);

/* luaL_tolstring; where ordered_open was called, with a number instead of an address. */
const char *ordered_tolstring(lua_State *L, int index, size_t *bytes);

#endif
