/* sandbox.c -- see sandbox.h. Nearly all of it stands in front of Lua's own function, which it keeps as its upvalue. */
#include "script/sandbox.h"

#include "script/guard.h"
#include "script/pattern.h"
#include "script/runtime.h"

#include <lauxlib.h>
#include <lualib.h>

#include <limits.h>
#include <string.h>

#define PLACES_MAX 1000000  /* that one call of the table library touches: some 20 ms */
#define ARGUMENTS_MAX 1000  /* of string.format */
#define QUOTED_BYTES_MAX ((size_t)1 << 20)

/* Calls the upvalue with all arguments. */
static int pass_on(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* --- string --- */

/* Fills `bytes` bytes with a pattern that stands at their beginning already. */
static void fill(char *out, size_t pattern_bytes, size_t bytes)
{
    for (size_t done = pattern_bytes; done < bytes;) {
        size_t n = done < bytes - done ? done : bytes - done;
        memcpy(out + done, out, n);
        done += n;
    }
}

/* string.rep(s, n [, sep]) */
static int l_rep(lua_State *L)
{
    size_t bytes, between;
    const char *text = luaL_checklstring(L, 1, &bytes);
    lua_Integer n = luaL_checkinteger(L, 2);
    const char *separator = luaL_optlstring(L, 3, "", &between);
    if (n <= 0 || bytes + between == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if (bytes + between > INT_MAX / (size_t)n) return luaL_error(L, "resulting string too large");
    size_t total = (bytes + between) * (size_t)n - between;
    luaL_Buffer buffer;
    char *out = luaL_buffinitsize(L, &buffer, total + between);
    memcpy(out, text, bytes);
    memcpy(out + bytes, separator, between);
    fill(out, bytes + between, total + between);
    luaL_pushresultsize(&buffer, total);
    return 1;
}

static size_t text_bytes(lua_State *L, int from, int to)
{
    size_t total = 0;
    for (int i = from; i <= to; i++)
        if (lua_type(L, i) == LUA_TSTRING) total += lua_rawlen(L, i);
    return total;
}

/* string.format(format, ...) */
static int l_format(lua_State *L)
{
    size_t bytes;
    const char *format = luaL_checklstring(L, 1, &bytes);
    int top = lua_gettop(L);
    if (top > ARGUMENTS_MAX) return luaL_error(L, "string.format takes at most %d arguments", ARGUMENTS_MAX);
    if (memmem(format, bytes, "%q", 2) && text_bytes(L, 2, top) > QUOTED_BYTES_MAX)
        return luaL_error(L, "%%q takes at most 1 MiB of text");
    return pass_on(L);
}

/* --- table --- */

static bool has_length(lua_State *L, int at)
{
    if (lua_type(L, at) == LUA_TTABLE) return true;
    if (luaL_getmetafield(L, at, "__len") == LUA_TNIL) return false;
    lua_pop(L, 1);
    return true;
}

static void check_places(lua_State *L, lua_Integer from, lua_Integer to)
{
    if (from <= to && (lua_Unsigned)to - (lua_Unsigned)from >= PLACES_MAX)
        luaL_error(L, "more than %d places of a table at once", PLACES_MAX);
}

/* table.insert(t, [at,] value) */
static int l_insert(lua_State *L)
{
    if (lua_gettop(L) == 3 && has_length(L, 1)) check_places(L, luaL_checkinteger(L, 2), luaL_len(L, 1));
    return pass_on(L);
}

/* table.remove(t [, at]) */
static int l_remove(lua_State *L)
{
    if (lua_gettop(L) >= 2 && has_length(L, 1)) check_places(L, luaL_checkinteger(L, 2), luaL_len(L, 1));
    return pass_on(L);
}

/* table.move(from, first, last, at [, to]) */
static int l_move(lua_State *L)
{
    check_places(L, luaL_checkinteger(L, 2), luaL_checkinteger(L, 3));
    return pass_on(L);
}

/* table.concat(t [, separator [, first [, last]]]) */
static int l_concat(lua_State *L)
{
    if (lua_gettop(L) > 4 || !has_length(L, 1)) return pass_on(L);
    lua_settop(L, 4);
    if (lua_isnil(L, 4)) {
        lua_pushinteger(L, luaL_len(L, 1));
        lua_replace(L, 4);
    }
    check_places(L, luaL_optinteger(L, 3, 1), luaL_checkinteger(L, 4));
    return pass_on(L);
}

static int l_less(lua_State *L)
{
    lua_pushboolean(L, lua_compare(L, 1, 2, LUA_OPLT));
    return 1;
}

/* table.sort(t [, less]): the guard stops calls, but no comparison that is none */
static int l_sort(lua_State *L)
{
    if (lua_isnoneornil(L, 2)) {
        lua_settop(L, 1);
        lua_pushcfunction(L, l_less);
    }
    return pass_on(L);
}

/* --- base --- */

/* xpcall(fn, handler, ...), from here on: the handler's result is on top */
static int finish_handler(lua_State *L, int status, lua_KContext context)
{
    (void)status, (void)context;
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

static int finish_xpcall(lua_State *L, int status, lua_KContext context)
{
    if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L) - (int)context;
    lua_pushvalue(L, 2);
    lua_insert(L, -2);
    return finish_handler(L, lua_pcallk(L, 1, 1, 0, 0, finish_handler), 0);
}

/* xpcall(fn, handler, ...): the stack is unwound when the handler runs */
static int l_xpcall(lua_State *L)
{
    int arguments = lua_gettop(L) - 2;
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2);
    return finish_xpcall(L, lua_pcallk(L, arguments, LUA_MULTRET, 0, 2, finish_xpcall), 2);
}

/* setmetatable(t, metatable) */
static int l_setmetatable(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TTABLE) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "a script's metatable has no __gc, which nothing could stop; use <close>");
        lua_pop(L, 1);
    }
    return pass_on(L);
}

/* collectgarbage(["count" | "collect" | "step"]) */
static int l_collectgarbage(lua_State *L)
{
    static const char *const names[] = {"collect", "count", "step", NULL};
    int choice = luaL_checkoption(L, 1, "collect", names);
    if (choice == 0) {
        lua_pushinteger(L, lua_gc(L, LUA_GCCOLLECT));
    } else if (choice == 1) {
        lua_pushnumber(L, lua_gc(L, LUA_GCCOUNT) + (lua_Number)lua_gc(L, LUA_GCCOUNTB) / 1024);
    } else {
        lua_pushboolean(L, lua_gc(L, LUA_GCSTEP, 0));
    }
    return 1;
}

/* --- coroutine --- */

static lua_State *check_thread(lua_State *L, int at)
{
    lua_State *thread = lua_tothread(L, at);
    luaL_argexpected(L, thread, at, "coroutine");
    return thread;
}

static bool is_stopped(lua_State *L)
{
    return guard_cause(runtime_guard(runtime_of(L))) != GUARD_NONE;
}

static bool is_active(lua_State *L, lua_State *thread)
{
    lua_Debug ar;
    return thread == L || (lua_status(thread) == LUA_OK && lua_getstack(thread, 0, &ar));
}

/* The error value of `thread` goes on top, and stays there for its <close> variables. */
static int take_error(lua_State *L, lua_State *thread, bool was_dead)
{
    lua_xmove(thread, L, 1);
    if (was_dead || lua_status(thread) <= LUA_YIELD) return -1;
    lua_pushvalue(L, -1);
    lua_xmove(L, thread, 1);
    return -1;
}

/* Resumes the thread at index `at` with as many arguments from the top. Returns how many results are on top, or -1: the
 * error value is. When the dispatch is being stopped, it does not return. */
static int resume(lua_State *L, int at, int arguments)
{
    lua_State *thread = lua_tothread(L, at);
    bool was_dead = lua_status(thread) > LUA_YIELD;
    int results;
    if (is_active(L, thread)) {
        lua_pushliteral(L, "cannot resume non-suspended coroutine");
        return -1;
    }
    if (!lua_checkstack(thread, arguments)) return luaL_error(L, "too many arguments to resume");
    lua_xmove(L, thread, arguments);
    int status = guard_run(L, thread, arguments, &results);
    if (is_stopped(L)) {
        guard_bury(L, at, status);
        return guard_stop(L);
    }
    if (status > LUA_YIELD) return take_error(L, thread, was_dead);
    if (!lua_checkstack(L, results + 1)) return luaL_error(L, "too many results to resume");
    lua_xmove(thread, L, results);
    return results;
}

/* coroutine.resume(thread, ...) */
static int l_resume(lua_State *L)
{
    check_thread(L, 1);
    int results = resume(L, 1, lua_gettop(L) - 1);
    lua_pushboolean(L, results >= 0);
    if (results < 0) results = 1;
    lua_insert(L, -(results + 1));
    return results + 1;
}

/* Closes the thread at index `at`. False: its error value is on top. */
static bool close_thread(lua_State *L, int at)
{
    lua_State *thread = lua_tothread(L, at);
    int status = guard_close(L, at);
    if (is_stopped(L)) guard_stop(L);
    if (status == LUA_OK) return true;
    if (status < 0) lua_pushliteral(L, "too many coroutines are closed in one another");
    else lua_xmove(thread, L, 1);
    return false;
}

/* coroutine.close(thread) */
static int l_close(lua_State *L)
{
    lua_State *thread = check_thread(L, 1);
    if (is_active(L, thread)) return luaL_error(L, "cannot close a coroutine that runs");
    bool is_well = close_thread(L, 1);
    lua_pushboolean(L, is_well);
    if (is_well) return 1;
    lua_insert(L, -2);
    return 2;
}

/* The function that coroutine.wrap returns; its upvalue is the thread. */
static int l_wrapped(lua_State *L)
{
    lua_State *thread = lua_tothread(L, lua_upvalueindex(1));
    int results = resume(L, lua_upvalueindex(1), lua_gettop(L));
    if (results >= 0) return results;
    if (lua_status(thread) > LUA_YIELD && !close_thread(L, lua_upvalueindex(1))) lua_remove(L, -2);
    if (lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

/* coroutine.wrap(fn) */
static int l_wrap(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *thread = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, thread, 1);
    lua_pushcclosure(L, l_wrapped, 1);
    return 1;
}

/* --- the libraries of a script --- */

static const luaL_Reg own_functions[] = {
    {"xpcall", l_xpcall}, {"collectgarbage", l_collectgarbage}, {NULL, NULL},
};

static const char *const base_names[] = {
    "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget", "rawlen", "rawset",
    "select", "tonumber", "tostring", "type", "_VERSION",
};

static const char *const library_names[] = {
    LUA_STRLIBNAME, LUA_TABLIBNAME, LUA_MATHLIBNAME, LUA_UTF8LIBNAME, LUA_COLIBNAME, LUA_OSLIBNAME,
};

/* Pushes a copy of the table on top. */
static void push_copy(lua_State *L)
{
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, -3) != 0;) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
}

/* core.libraries() */
static int l_libraries(lua_State *L)
{
    lua_newtable(L);
    for (size_t i = 0; i < sizeof base_names / sizeof *base_names; i++) {
        lua_getglobal(L, base_names[i]);
        lua_setfield(L, -2, base_names[i]);
    }
    for (size_t i = 0; i < sizeof library_names / sizeof *library_names; i++) {
        lua_getglobal(L, library_names[i]);
        push_copy(L);
        lua_setfield(L, -3, library_names[i]);
        lua_pop(L, 1);
    }
    luaL_setfuncs(L, own_functions, 0);
    lua_getglobal(L, "setmetatable");
    lua_pushcclosure(L, l_setmetatable, 1);
    lua_setfield(L, -2, "setmetatable");
    return 1;
}

/* Puts `functions` in front of those of the library. */
static void replace(lua_State *L, const char *library, const luaL_Reg *functions)
{
    lua_getglobal(L, library);
    for (; functions->name; functions++) {
        lua_getfield(L, -1, functions->name);
        lua_pushcclosure(L, functions->func, 1);
        lua_setfield(L, -2, functions->name);
    }
    lua_pop(L, 1);
}

/* A text has methods, which is one more way to the string library. */
static void open_string(lua_State *L)
{
    lua_getglobal(L, LUA_STRLIBNAME);
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    pattern_open(L);
    pattern_set_poll(guard_check);
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}

void sandbox_open(lua_State *L)
{
    static const luaL_Reg string[] = {{"rep", l_rep}, {"format", l_format}, {NULL, NULL}};
    static const luaL_Reg table[] = {{"insert", l_insert}, {"remove", l_remove}, {"move", l_move}, {"concat", l_concat},
                                     {"sort", l_sort}, {NULL, NULL}};
    static const luaL_Reg coroutine[] = {{"resume", l_resume}, {"close", l_close}, {"wrap", l_wrap}, {NULL, NULL}};
    replace(L, LUA_STRLIBNAME, string);
    replace(L, LUA_TABLIBNAME, table);
    replace(L, LUA_COLIBNAME, coroutine);
    open_string(L);
    lua_pushcfunction(L, l_libraries);
    lua_setfield(L, -2, "libraries");
}
