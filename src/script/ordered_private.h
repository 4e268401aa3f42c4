/* ordered_private.h -- what ordered.c and ordered_*.c share: objects and their serial numbers, which begin with 1. */
#ifndef SCRIPT_ORDERED_PRIVATE_H
#define SCRIPT_ORDERED_PRIVATE_H

#include "script/ordered.h"

#include <stdbool.h>

/* True: it would print as an address. Texts do not, nor does the null of JSON. */
bool ordered_is_object(lua_State *L, int index);

lua_Integer ordered_number_of(lua_State *L, int index); /* 0: it has none yet */
lua_Integer ordered_give_number(lua_State *L, int index);
lua_Integer ordered_number_for(lua_State *L, int index); /* which it has from now on */

/* A table with weak keys, in the registry. */
void ordered_make_weak(lua_State *L, const void *key);

/* The part of ordered_open that is about texts. */
void ordered_open_texts(lua_State *L);

/* ... and about table.sort. */
void ordered_open_sort(lua_State *L);

#endif
