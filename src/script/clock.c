/* clock.c -- see clock.h. */
#include "script/clock.h"

#include "script/runtime.h"

#include <lauxlib.h>
#include <lualib.h>

#define DATE_FORMAT_BYTES_MAX 1000 /* nothing stops the C library on its way through */

/* --- moth.core --- */

/* moth.now() -> microseconds */
static int l_now(lua_State *L)
{
    const struct moth_host *host = runtime_host(runtime_of(L));
    lua_pushinteger(L, (lua_Integer)host->now_us(host->context));
    return 1;
}

/* moth.wall() -> seconds since 1970 */
static int l_wall(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)runtime_wall_ms(runtime_of(L)) / 1000);
    return 1;
}

void clock_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"now", l_now}, {"wall", l_wall}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}

/* --- os --- */

/* os.time([table]): the host's clock when asked for now */
static int l_time(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_pushinteger(L, (lua_Integer)(runtime_wall_ms(runtime_of(L)) / 1000));
        return 1;
    }
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

/* os.date([format [, time]]): of the host's clock unless a time is given */
static int l_date(lua_State *L)
{
    lua_settop(L, 2);
    luaL_argcheck(L, lua_type(L, 1) != LUA_TSTRING || lua_rawlen(L, 1) <= DATE_FORMAT_BYTES_MAX, 1, "too long");
    if (lua_isnil(L, 1)) {
        lua_pushliteral(L, "%c");
        lua_replace(L, 1);
    }
    if (lua_isnil(L, 2)) {
        lua_pushinteger(L, (lua_Integer)(runtime_wall_ms(runtime_of(L)) / 1000));
        lua_replace(L, 2);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 2, 1);
    return 1;
}

/* os.clock() -> seconds of the host's steady clock */
static int l_clock(lua_State *L)
{
    const struct moth_host *host = runtime_host(runtime_of(L));
    lua_pushnumber(L, (lua_Number)host->now_us(host->context) / 1e6);
    return 1;
}

/* Replaces field `name` of the table on top by `f`, which keeps the old one as its upvalue. */
static void wrap(lua_State *L, const char *name, lua_CFunction f)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, f, 1);
    lua_setfield(L, -2, name);
}

void clock_open_os(lua_State *L)
{
    static const char *const kept[] = {"time", "date", "clock", "getenv"};
    luaL_requiref(L, LUA_OSLIBNAME, luaopen_os, 1);
    lua_newtable(L);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        lua_getfield(L, -2, kept[i]);
        lua_setfield(L, -2, kept[i]);
    }
    wrap(L, "time", l_time);
    wrap(L, "date", l_date);
    wrap(L, "clock", l_clock);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, LUA_OSLIBNAME);
    lua_pop(L, 1);
    lua_setglobal(L, LUA_OSLIBNAME);
    lua_pop(L, 1);
}
