/* ordered_text.c -- see ordered.h. Objects get numbers when they are first shown or ordered, and texts show those. */
#include "script/ordered_private.h"

#include <lauxlib.h>
#include <lualib.h>

#include <stdio.h>
#include <string.h>

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

lua_Integer ordered_number_of(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &numbers);
    lua_pushvalue(L, index);
    lua_rawget(L, -2);
    lua_Integer number = lua_tointeger(L, -1);
    lua_pop(L, 2);
    return number;
}

lua_Integer ordered_give_number(lua_State *L, int index)
{
    index = lua_absindex(L, index);
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

lua_Integer ordered_number_for(lua_State *L, int index)
{
    lua_Integer number = ordered_number_of(L, index);
    return number ? number : ordered_give_number(L, index);
}

/* --- texts --- */

bool ordered_is_object(lua_State *L, int index)
{
    return lua_type(L, index) != LUA_TSTRING && lua_topointer(L, index) != NULL;
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
    snprintf(text, sizeof text, ": 0x%06llx", (unsigned long long)ordered_number_for(L, index));
    const char *kind = luaL_typename(L, index);
    bool is_named = luaL_getmetafield(L, index, "__name") == LUA_TSTRING;
    if (is_named) kind = lua_tostring(L, -1);
    lua_pushfstring(L, "%s%s", kind, text);
    if (is_named) lua_remove(L, -2);
}

const char *ordered_tolstring(lua_State *L, int index, size_t *bytes)
{
    if (!is_open(L) || !ordered_is_object(L, index) || has_text_of_its_own(L, index))
        return luaL_tolstring(L, index, bytes);
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
    if (is_address && !ordered_is_object(L, index)) {
        lua_pushliteral(L, "(null)");
    } else if (is_address) {
        snprintf(text, sizeof text, "0x%06llx", (unsigned long long)ordered_number_for(L, index));
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
    char *out = lua_newuserdatauv(L, bytes + 1, 0);
    memcpy(out, format, bytes + 1);
    for (const char *at = format; (at = memchr(at, '%', (size_t)(end - at))) && at + 1 < end; at++) {
        if (*++at == '%') continue;
        at = conversion_at(at);
        if (++argument > top || at >= end) break;
        if (*at == 'p' || (*at == 's' && ordered_is_object(L, argument))) stand_in(L, argument, *at == 'p');
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

/* --- opening --- */

void ordered_make_weak(lua_State *L, const void *key)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

/* The same under another name. */
static int l_alias(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Replaces a function of a library, if it is there, by `function`, which keeps the old one as its upvalue. */
static void replace(lua_State *L, const char *library, const char *name, lua_CFunction function)
{
    int top = lua_gettop(L);
    lua_getglobal(L, library);
    if (lua_getfield(L, -1, name) == LUA_TFUNCTION) {
        lua_pushcclosure(L, function, 1);
        lua_setfield(L, -2, name);
    }
    lua_settop(L, top);
}

void ordered_open_texts(lua_State *L)
{
    ordered_make_weak(L, &numbers);
    lua_pushcfunction(L, l_tostring);
    lua_setglobal(L, "tostring");
    replace(L, LUA_STRLIBNAME, "format", l_format);
    replace(L, LUA_MATHLIBNAME, "atan2", l_alias); /* else errors say atan or atan2, as hashes have it */
}
