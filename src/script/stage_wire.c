/* stage_wire.c -- what the Lua of a run may do to the wire between machines; part of moth.core.lab, see stage_lab.c. */
#include "script/stage_private.h"

#include <lauxlib.h>

/* cut(a, b, "open" | "silent" | "oneway") */
static int l_cut(lua_State *L)
{
    static const char *const kinds[] = {"open", "silent", "oneway", NULL};
    struct lab *lab = stage_of(L)->lab;
    unsigned a = stage_check_machine(L, 1), b = stage_check_machine(L, 2);
    int kind = luaL_checkoption(L, 3, NULL, kinds);
    if (kind == 2) lab_cut_one_way(lab, a, b);
    else lab_cut(lab, a, b, kind == 1);
    return 0;
}

/* join(a, b) */
static int l_join(lua_State *L)
{
    lab_join(stage_of(L)->lab, stage_check_machine(L, 1), stage_check_machine(L, 2));
    return 0;
}

static uint32_t field_us(lua_State *L, int index, const char *key)
{
    lua_getfield(L, index, key);
    uint64_t us = stage_check_us(L, lua_gettop(L));
    lua_pop(L, 1);
    return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/* {kind = "fixed" | "uniform" | "normal", latency, spread, jitter, rate} */
static struct sim_way_options check_way(lua_State *L, int index)
{
    static const char *const kinds[] = {
        [SIM_FIXED] = "fixed", [SIM_UNIFORM] = "uniform", [SIM_NORMAL] = "normal", NULL};
    luaL_checktype(L, index, LUA_TTABLE);
    lua_getfield(L, index, "kind");
    return (struct sim_way_options){.spread = (enum sim_spread)luaL_checkoption(L, lua_gettop(L), NULL, kinds),
                                    .latency_us = field_us(L, index, "latency"),
                                    .spread_us = field_us(L, index, "spread"),
                                    .jitter_us = field_us(L, index, "jitter"),
                                    .bytes_per_s = stage_field_number(L, index, "rate")};
}

/* way(from, to, way) */
static int l_way(lua_State *L)
{
    struct sim_way_options options = check_way(L, 3);
    lab_way(stage_of(L)->lab, stage_check_machine(L, 1), stage_check_machine(L, 2), &options);
    return 0;
}

/* default_way(way): what all others are like */
static int l_default_way(lua_State *L)
{
    struct sim_way_options options = check_way(L, 1);
    lab_default_way(stage_of(L)->lab, &options);
    return 0;
}

/* read_rate(machine, bytes a second): 0: all that comes */
static int l_read_rate(lua_State *L)
{
    lua_Integer rate = luaL_checkinteger(L, 2);
    luaL_argcheck(L, rate >= 0, 2, "a number of bytes expected");
    lab_read_rate(stage_of(L)->lab, stage_check_machine(L, 1), (uint64_t)rate);
    return 0;
}

/* split(most): bytes arrive in pieces of at most so many, 0: as they were sent; merge(on): what is there at the same
 * time comes at once */
static int l_split(lua_State *L)
{
    lua_Integer most = luaL_checkinteger(L, 1);
    luaL_argcheck(L, most >= 0, 1, "a number of bytes expected");
    lab_split(stage_of(L)->lab, (size_t)most);
    return 0;
}

static int l_merge(lua_State *L)
{
    lab_merge(stage_of(L)->lab, lua_toboolean(L, 1));
    return 0;
}

void stage_wire_open(lua_State *L, struct stage *s)
{
    static const luaL_Reg functions[] = {
        {"cut", l_cut}, {"join", l_join}, {"way", l_way}, {"default_way", l_default_way}, {"read_rate", l_read_rate},
        {"split", l_split}, {"merge", l_merge}, {NULL, NULL},
    };
    lua_pushlightuserdata(L, s);
    luaL_setfuncs(L, functions, 1);
}
