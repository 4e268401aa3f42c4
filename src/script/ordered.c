/* ordered.c -- see ordered.h. A walk sees a snapshot of the keys, taken and sorted when it begins. */
#include "script/ordered.h"

#include "script/guard.h"

#include <lauxlib.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_KEYS 1024
#define FORMAT_ARGUMENTS_MAX 250
#define NUMBER_TEXT_BYTES 32

/* Registry: the numbers of objects, weakly, and how many were given. */
static const char numbers, given;

static bool is_open(lua_State *L)
{
    bool open = lua_rawgetp(L, LUA_REGISTRYINDEX, &numbers) != LUA_TNIL;
    lua_pop(L, 1);
    return open;
}

/* --- the numbers of objects --- */

static lua_Integer number_of(lua_State *L, int index)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &numbers);
    lua_pushvalue(L, index);
    lua_rawget(L, -2);
    lua_Integer number = lua_tointeger(L, -1);
    lua_pop(L, 2);
    return number;
}

static lua_Integer give_number(lua_State *L, int index)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &given);
    lua_Integer number = lua_tointeger(L, -1) + 1;
    lua_pop(L, 1);
    lua_pushinteger(L, number);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &given);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &numbers);
    lua_pushvalue(L, index);
    lua_pushinteger(L, number);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    return number;
}

static lua_Integer number_for(lua_State *L, int index)
{
    lua_Integer number;
    index = lua_absindex(L, index);
    number = number_of(L, index);
    return number ? number : give_number(L, index);
}

/* --- texts --- */

static bool is_object(lua_State *L, int index)
{
    int type = lua_type(L, index);
    return type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TTHREAD || type == LUA_TUSERDATA ||
           type == LUA_TLIGHTUSERDATA;
}

static bool has_text_of_its_own(lua_State *L, int index)
{
    if (luaL_getmetafield(L, index, "__tostring") == LUA_TNIL) return false;
    lua_pop(L, 1);
    return true;
}

/* "table: 0x000001" */
static void push_text(lua_State *L, int index)
{
    char text[NUMBER_TEXT_BYTES];
    snprintf(text, sizeof text, ": 0x%06llx", (unsigned long long)number_for(L, index));
    const char *kind = luaL_typename(L, index);
    bool is_named = luaL_getmetafield(L, index, "__name") == LUA_TSTRING;
    if (is_named) kind = lua_tostring(L, -1);
    lua_pushfstring(L, "%s%s", kind, text);
    if (is_named) lua_remove(L, -2);
}

const char *ordered_tolstring(lua_State *L, int index, size_t *bytes)
{
    if (!is_open(L) || !is_object(L, index) || has_text_of_its_own(L, index)) return luaL_tolstring(L, index, bytes);
    push_text(L, lua_absindex(L, index));
    return lua_tolstring(L, -1, bytes);
}

/* tostring(value) */
static int l_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    ordered_tolstring(L, 1, NULL);
    return 1;
}

/* Behind the flags, the width and the precision. */
static const char *conversion_at(const char *at)
{
    return at + strspn(at, "-+ #0123456789.");
}

/* Replaces the argument by what stands for it: a text, or where its address is wanted, the number. */
static void stand_in(lua_State *L, int index, bool is_address)
{
    char text[NUMBER_TEXT_BYTES];
    if (is_address && !is_object(L, index)) {
        lua_pushliteral(L, "(null)");
    } else if (is_address) {
        snprintf(text, sizeof text, "0x%06llx", (unsigned long long)number_for(L, index));
        lua_pushstring(L, text);
    } else {
        ordered_tolstring(L, index, NULL);
    }
    lua_replace(L, index);
}

/* string.format(format, ...): with %p as %s, and objects as their texts; the original is the upvalue */
static int l_format(lua_State *L)
{
    size_t bytes;
    const char *format = luaL_checklstring(L, 1, &bytes), *end = format + bytes;
    int top = lua_gettop(L), argument = 1;
    if (top > FORMAT_ARGUMENTS_MAX) return luaL_error(L, "too many arguments to format");
    char *out = lua_newuserdatauv(L, bytes + 1, 0);
    memcpy(out, format, bytes + 1);
    for (const char *at = format; (at = memchr(at, '%', (size_t)(end - at))) && at + 1 < end; at++) {
        if (*++at == '%') continue;
        at = conversion_at(at);
        if (++argument > top || at >= end) break;
        if (*at == 'p' || (*at == 's' && is_object(L, argument))) stand_in(L, argument, *at == 'p');
        if (*at == 'p') out[at - format] = 's';
    }
    lua_pushlstring(L, out, bytes);
    lua_replace(L, 1);
    lua_settop(L, top);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, top, 1);
    return 1;
}

/* --- keys --- */

enum rank { NUMBER, TEXT, BOOLEAN, OBJECT };

struct key {
    enum rank rank;
    bool is_integer;
    lua_Integer integer; /* or the number of an object, or a boolean */
    lua_Number number;
    const char *text; /* borrowed from the table */
    size_t bytes;
    int place; /* in the list of keys as they came */
};

static struct key key_at(lua_State *L, int index)
{
    struct key k = {.rank = OBJECT};
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        k.rank = NUMBER;
        k.is_integer = lua_isinteger(L, index);
        k.integer = lua_tointeger(L, index);
        k.number = lua_tonumber(L, index);
        break;
    case LUA_TSTRING:
        k.rank = TEXT;
        k.text = lua_tolstring(L, index, &k.bytes);
        break;
    case LUA_TBOOLEAN:
        k.rank = BOOLEAN;
        k.integer = lua_toboolean(L, index);
        break;
    default: k.integer = number_of(L, lua_absindex(L, index));
    }
    return k;
}

static int sign(bool is_less, bool is_greater)
{
    return is_greater - is_less;
}

/* A float that is a key is no whole number within reach of integers, so rounding never makes two keys equal but beyond
 * 2^53, where the integer is compared with the float as Lua does it: by the float's floor. */
static int compare_mixed(lua_Integer integer, lua_Number number)
{
    if (number >= 9223372036854775808.0) return -1;
    if (number < -9223372036854775808.0) return 1;
    lua_Integer whole = (lua_Integer)number; /* towards zero */
    if (integer != whole) return sign(integer < whole, integer > whole);
    return sign((lua_Number)whole < number, (lua_Number)whole > number);
}

static int compare_numbers(const struct key *a, const struct key *b)
{
    if (a->is_integer && b->is_integer) return sign(a->integer < b->integer, a->integer > b->integer);
    if (a->is_integer) return compare_mixed(a->integer, b->number);
    if (b->is_integer) return -compare_mixed(b->integer, a->number);
    return sign(a->number < b->number, a->number > b->number);
}

static int compare_texts(const struct key *a, const struct key *b)
{
    int order = memcmp(a->text, b->text, a->bytes < b->bytes ? a->bytes : b->bytes);
    return order ? order : sign(a->bytes < b->bytes, a->bytes > b->bytes);
}

static int compare(const void *one, const void *other)
{
    const struct key *a = one, *b = other;
    if (a->rank != b->rank) return sign(a->rank < b->rank, a->rank > b->rank);
    switch (a->rank) {
    case NUMBER: return compare_numbers(a, b);
    case TEXT: return compare_texts(a, b);
    case BOOLEAN:
    case OBJECT: break;
    }
    return sign(a->integer < b->integer, a->integer > b->integer);
}

static int refuse(lua_State *L)
{
    return luaL_error(L, "several keys of this table are objects, which have no order that is the same in every run "
                         "of a lab: use names or numbers as keys");
}

/* One object without a number gets the next; several could get them in any order. */
static void number_object(lua_State *L, int index, struct key *k, bool *has_new)
{
    if (k->rank != OBJECT || k->integer != 0) return;
    if (*has_new) refuse(L);
    *has_new = true;
    k->integer = number_for(L, index);
}

/* --- pairs --- */

static lua_Integer count_keys(lua_State *L, int table)
{
    lua_Integer count = 0;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
        if (++count % POLL_KEYS == 0) guard_check(L);
    return count;
}

/* Leaves the keys of the table in order, as a list. */
static void push_keys(lua_State *L, int table)
{
    lua_Integer count = count_keys(L, table), at = 0;
    bool has_new = false;
    lua_createtable(L, (int)count, 0);
    struct key *keys = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *keys, 0);
    int list = lua_gettop(L) - 1;
    for (lua_pushnil(L); lua_next(L, table); at++) {
        lua_pop(L, 1);
        keys[at] = key_at(L, -1);
        number_object(L, -1, &keys[at], &has_new);
        keys[at].place = (int)at + 1;
        lua_pushvalue(L, -1);
        lua_rawseti(L, list, at + 1);
    }
    qsort(keys, (size_t)count, sizeof *keys, compare);
    lua_createtable(L, (int)count, 0);
    for (at = 0; at < count; at++) {
        lua_rawgeti(L, list, keys[at].place);
        lua_rawseti(L, -2, at + 1);
    }
    lua_replace(L, list);
    lua_settop(L, list);
}

/* What pairs returns: (table, key) -> the next key and its value; the upvalues are the keys and the place among them */
static int l_step(lua_State *L)
{
    lua_Integer place = lua_tointeger(L, lua_upvalueindex(2));
    lua_settop(L, 1);
    for (;;) {
        if (lua_rawgeti(L, lua_upvalueindex(1), ++place) == LUA_TNIL) return 1;
        lua_pushvalue(L, -1);
        if (lua_rawget(L, 1) != LUA_TNIL) break; /* else it was taken away meanwhile */
        lua_settop(L, 1);
    }
    lua_pushinteger(L, place);
    lua_replace(L, lua_upvalueindex(2));
    return 2;
}

/* pairs(table) */
static int l_pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(L, 1);
        lua_call(L, 1, 3);
        return 3;
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    push_keys(L, 1);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, l_step, 2);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* --- next --- */

/* next(table [, key]): the one after it in the order, be it still there or not */
static int l_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    bool has_start = !lua_isnil(L, 2), has_best = false, has_new = false;
    struct key start = {0}, best = {0};
    lua_Integer seen = 0;
    if (has_start) {
        start = key_at(L, 2);
        number_object(L, 2, &start, &has_new);
        has_new = false;
    }
    lua_pushnil(L); /* 3: the best so far */
    for (lua_pushnil(L); lua_next(L, 1);) {
        lua_pop(L, 1);
        if (++seen % POLL_KEYS == 0) guard_check(L);
        struct key k = key_at(L, -1);
        number_object(L, -1, &k, &has_new);
        if ((has_start && compare(&k, &start) <= 0) || (has_best && compare(&k, &best) >= 0)) continue;
        best = k;
        has_best = true;
        lua_copy(L, -1, 3);
    }
    if (!has_best) return 1; /* nil */
    lua_pushvalue(L, 3);
    lua_rawget(L, 1);
    return 2;
}

/* --- opening --- */

void ordered_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"pairs", l_pairs}, {"next", l_next}, {"tostring", l_tostring}, {NULL, NULL}};
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &numbers);
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    lua_getfield(L, -1, "string");
    lua_getfield(L, -1, "format");
    lua_pushcclosure(L, l_format, 1);
    lua_setfield(L, -2, "format");
    lua_pop(L, 2);
}
