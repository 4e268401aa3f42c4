/* json.c -- the functions of json.h, and the door to cjson: how it is set up, called, and what is made of its answers.
 *
 * The instance is ours alone and known to nobody else. It keeps what it parses in memory that Lua does not know of, and
 * would lose it when Lua runs out of memory in the midst of it: so before it parses we make sure that there is enough.
 * Its own last check of the tokens' order is all that is left to go wrong. */
#include "script/json.h"

#include "script/json_parts.h"

#include <lauxlib.h>
#include <lua-cjson.h>

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Registry: what json_open made, an array. */
static const char parts;
enum part { PART_DECODE = 1, PART_ENCODE, PART_ARRAY };

/* Pushes it and returns its index. */
static int push_part(lua_State *L, enum part part)
{
    int type = lua_rawgetp(L, LUA_REGISTRYINDEX, &parts);
    assert(type == LUA_TTABLE);
    (void)type;
    lua_rawgeti(L, -1, part);
    lua_remove(L, -2);
    return lua_gettop(L);
}

/* --- cjson --- */

/* The function on top of the stack and its argument; one value, or an error, takes their place. */
static int call_with_point(lua_State *L)
{
    struct json_locale locale = json_enter_locale();
    int status = lua_pcall(L, 1, 1, 0);
    json_leave_locale(locale);
    return status;
}

/* Lua's own error when there is not so much: asking for it as an object collects first. */
static void make_room(lua_State *L, size_t bytes)
{
    void *owner, *block;
    lua_Alloc allocate = lua_getallocf(L, &owner);
    if ((block = allocate(owner, NULL, 0, bytes))) {
        allocate(owner, block, bytes, 0);
        return;
    }
    lua_newuserdatauv(L, bytes, 0);
    lua_pop(L, 1);
    lua_gc(L, LUA_GCCOLLECT, 0);
}

/* The string at `index`, parsed. */
static int parse(lua_State *L, int decode, int index)
{
    lua_pushvalue(L, decode);
    lua_pushvalue(L, index);
    int status = call_with_point(L);
    return status == LUA_OK || status == LUA_ERRRUN ? status : lua_error(L);
}

/* cjson's "Expected value but found T_ARR_END at character 3" in words. */
static void push_syntax_error(lua_State *L, const char *theirs)
{
    static const struct {
        const char *name, *words;
    } tokens[] = {
        {"T_OBJ_BEGIN", "{"}, {"T_OBJ_END", "}"}, {"T_ARR_BEGIN", "["}, {"T_ARR_END", "]"}, {"T_STRING", "a string"},
        {"T_NUMBER", "a number"}, {"T_BOOLEAN", "true or false"}, {"T_NULL", "null"}, {"T_COLON", "a colon"},
        {"T_COMMA", "a comma"}, {"T_END", "the end"},
    };
    lua_pushfstring(L, "not JSON: %c%s", tolower((unsigned char)*theirs), theirs + 1);
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        luaL_gsub(L, lua_tostring(L, -1), tokens[i].name, tokens[i].words);
        lua_remove(L, -2);
    }
}

/* Pushes what the string at `index` says, placeholders in place of what was taken out; or a sentence. Only the text
 * as it was knows where it is wrong. */
static bool parse_scanned(lua_State *L, int index, struct json_scan *scan)
{
    int decode = push_part(L, PART_DECODE);
    if (scan->is_taken) lua_pushlstring(L, scan->text.bytes, scan->text.used);
    else lua_pushvalue(L, index);
    make_room(L, scan->room_bytes);
    if (parse(L, decode, lua_gettop(L)) == LUA_OK) return true;
    int status = scan->is_taken ? parse(L, decode, index) : LUA_ERRRUN;
    assert(status == LUA_ERRRUN);
    (void)status;
    push_syntax_error(L, lua_tostring(L, -1));
    return false;
}

/* --- the walk --- */

static void restore_table(lua_State *L, int t, int taken, int array);

/* True: another value has taken the place of the one on top of the stack. */
static bool restore(lua_State *L, int taken, int array)
{
    int type = lua_type(L, -1);
    if (type == LUA_TTABLE) restore_table(L, lua_gettop(L), taken, array);
    if (type != LUA_TNUMBER) return false;
    lua_Number value = lua_tonumber(L, -1);
    if (value != floor(value)) return false;
    lua_pop(L, 1);
    if (value > JSON_PLACE) lua_rawgeti(L, taken, (lua_Integer)(value - JSON_PLACE));
    else lua_pushinteger(L, (lua_Integer)value);
    return true;
}

/* In an object all keys are strings, and in an array null is something. */
static void restore_table(lua_State *L, int t, int taken, int array)
{
    bool is_array = lua_rawgeti(L, t, 1) != LUA_TNIL;
    lua_pop(L, 1);
    for (size_t i = 1, count = is_array ? lua_rawlen(L, t) : 0; i <= count; i++) {
        lua_rawgeti(L, t, (lua_Integer)i);
        if (restore(L, taken, array)) lua_rawseti(L, t, (lua_Integer)i);
        else lua_pop(L, 1);
    }
    if (is_array) {
        lua_pushvalue(L, array);
        lua_setmetatable(L, t);
        return;
    }
    lua_pushnil(L);
    while (lua_next(L, t)) {
        if (restore(L, taken, array)) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, t);
        } else {
            lua_pop(L, 1);
        }
    }
}

/* --- both ways --- */

/* Leaves one value above `top`, the topmost. */
static int keep_one(lua_State *L, int top, int rc)
{
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
    return rc;
}

static int encode(lua_State *L, int index)
{
    int top = lua_gettop(L);
    luaL_checkstack(L, LUA_MINSTACK, "JSON");
    index = lua_absindex(L, index);
    lua_pushnil(L);
    int escape = push_part(L, PART_ENCODE);
    return keep_one(L, top, json_write(L, index, escape, push_part(L, PART_ARRAY)));
}

/* The string at `index`, which is absolute. Neither cjson nor the walk has more than four values a level on the stack,
 * so it does not grow while cjson parses. */
static int decode(lua_State *L, int index)
{
    int top = lua_gettop(L);
    struct json_scan scan;
    luaL_checkstack(L, (JSON_DEPTH_MAX + 1) * 4 + 2 * LUA_MINSTACK, "JSON");
    if (lua_rawlen(L, index) > JSON_BYTES_MAX) {
        lua_pushfstring(L, "this JSON is longer than %d bytes", JSON_BYTES_MAX);
        return MOTH_ETOO_BIG;
    }
    lua_pushnil(L);
    int array = push_part(L, PART_ARRAY);
    if (!json_scan(L, index, array, &scan)) return keep_one(L, top, MOTH_EARGUMENT);
    if (!parse_scanned(L, index, &scan)) return keep_one(L, top, MOTH_EARGUMENT);
    if (scan.has_numbers || scan.has_arrays) restore(L, scan.taken, array);
    if (lua_islightuserdata(L, -1)) lua_pushnil(L);
    return keep_one(L, top, 0);
}

bool json_push_encoded(lua_State *L, int index)
{
    return encode(L, index) == 0;
}

bool json_push_decoded(lua_State *L, const char *text, size_t bytes)
{
    lua_pushlstring(L, text, bytes <= JSON_BYTES_MAX ? bytes : JSON_BYTES_MAX + 1);
    int rc = decode(L, lua_gettop(L));
    lua_remove(L, -2);
    return rc == 0;
}

/* --- json.* --- */

/* The value on top of the stack, or what takes the place of one. */
static int push_result(lua_State *L, int rc)
{
    if (rc == 0) return 1;
    lua_pushnil(L);
    lua_insert(L, -2);
    lua_pushstring(L, moth_error_code(rc));
    return 3;
}

/* json.encode(v) -> text | nil, why, code */
static int l_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    return push_result(L, encode(L, 1));
}

/* json.decode(text) -> v | nil, why, code */
static int l_decode(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TSTRING);
    return push_result(L, decode(L, 1));
}

/* json.array([t]) -> t, marked as an array */
static int l_array(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    int array = push_part(L, PART_ARRAY);
    bool is_free = !lua_getmetatable(L, 1) || lua_rawequal(L, -1, array);
    luaL_argcheck(L, is_free, 1, "it has a metatable of its own");
    lua_pushvalue(L, array);
    lua_setmetatable(L, 1);
    lua_settop(L, 1);
    return 1;
}

/* The part of cjson's table on top of the stack becomes one of the table below it. */
static void keep_part(lua_State *L, const char *name, enum part part)
{
    lua_getfield(L, -1, name);
    lua_rawseti(L, -3, part);
}

static int open_cjson(lua_State *L)
{
    luaopen_cjson(L);
    lua_getfield(L, -1, "decode_max_depth");
    lua_pushinteger(L, JSON_DEPTH_MAX);
    lua_call(L, 1, 0);
    lua_getfield(L, -1, "decode_invalid_numbers");
    lua_pushboolean(L, 0);
    lua_call(L, 1, 0);
    return 1;
}

static void keep_parts(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, open_cjson);
    lua_pushnil(L);
    if (call_with_point(L) != LUA_OK) lua_error(L); /* it looks at the locale once */
    keep_part(L, "decode", PART_DECODE);
    keep_part(L, "encode", PART_ENCODE);
    lua_pop(L, 1);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "json.array");
    lua_setfield(L, -2, "__metatable");
    lua_rawseti(L, -2, PART_ARRAY);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &parts);
}

int json_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"encode", l_encode}, {"decode", l_decode}, {"array", l_array}, {NULL, NULL}};
    keep_parts(L);
    luaL_newlib(L, functions);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    return 1;
}

void json_set_poll(void (*poll)(lua_State *L))
{
    json_write_set_poll(poll);
}
