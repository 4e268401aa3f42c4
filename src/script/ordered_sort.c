/* ordered_sort.c -- table.sort with one order for elements that are equal: the one they had.
 *
 * Lua's own takes its pivots from a clock once there are more than a hundred elements. This merges rows, each twice
 * as long as those before, from one table into another; the caller's is written at the end, so an error leaves it
 * alone. */
#include "script/ordered_private.h"

#include "script/guard.h"

#include <lauxlib.h>

#include <limits.h>

#define POLL_ELEMENTS 1024

enum { LIST = 1, LESS, FROM, TO }; /* on the stack; LESS nil: as < has it */

/* Of the last two values, which go. */
static bool is_less(lua_State *L)
{
    bool less;
    if (lua_isnil(L, LESS)) {
        less = lua_compare(L, -2, -1, LUA_OPLT);
    } else {
        lua_pushvalue(L, LESS);
        lua_insert(L, -3);
        lua_call(L, 2, 1);
        lua_pushnil(L); /* two to go in both cases */
        less = lua_toboolean(L, -2);
    }
    lua_pop(L, 2);
    return less;
}

static bool takes_right(lua_State *L, lua_Integer left, lua_Integer middle, lua_Integer right, lua_Integer end)
{
    if (right == end || left == middle) return left == middle;
    lua_rawgeti(L, FROM, right);
    lua_rawgeti(L, FROM, left);
    return is_less(L);
}

static void merge(lua_State *L, lua_Integer left, lua_Integer middle, lua_Integer end)
{
    lua_Integer right = middle;
    for (lua_Integer at = left; at < end; at++) {
        bool take_right = takes_right(L, left, middle, right, end);
        if (at % POLL_ELEMENTS == 0) guard_check(L);
        lua_rawgeti(L, FROM, take_right ? right++ : left++);
        lua_rawseti(L, TO, at);
    }
}

static lua_Integer at_most(lua_Integer place, lua_Integer end)
{
    return place < end ? place : end;
}

/* Afterwards the sorted elements are in FROM. */
static void sort(lua_State *L, lua_Integer end)
{
    for (lua_Integer width = 1; width < end - 1; width *= 2) {
        for (lua_Integer at = 1; at < end; at += 2 * width)
            merge(L, at, at_most(at + width, end), at_most(at + 2 * width, end));
        lua_pushvalue(L, FROM);
        lua_copy(L, TO, FROM);
        lua_replace(L, TO);
    }
}

/* table.sort(list [, less]) */
static int l_sort(lua_State *L)
{
    luaL_checkany(L, LIST);
    lua_settop(L, LESS);
    if (luaL_getmetafield(L, LIST, "__index") == LUA_TNIL) luaL_checktype(L, LIST, LUA_TTABLE);
    lua_Integer count = luaL_len(L, LIST);
    luaL_argcheck(L, count < INT_MAX, LIST, "array too big");
    if (!lua_isnil(L, LESS)) luaL_checktype(L, LESS, LUA_TFUNCTION);
    lua_settop(L, LESS);
    if (count < 2) return 0;
    lua_createtable(L, (int)count, 0);
    lua_createtable(L, (int)count, 0);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(L, LIST, i);
        lua_rawseti(L, FROM, i);
    }
    sort(L, count + 1);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, FROM, i);
        lua_seti(L, LIST, i);
    }
    return 0;
}

void ordered_open_sort(lua_State *L)
{
    static const luaL_Reg functions[] = {{"sort", l_sort}, {NULL, NULL}};
    lua_getglobal(L, "table");
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
