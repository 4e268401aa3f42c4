/* dispatch.c -- see dispatch.h. What ends well takes the short way; an error is told in the same budget, as the error
 * value may be one that a script made, with a __tostring that fails or does not end. */
#include "script/dispatch.h"

#include "script/guard.h"
#include "script/ordered.h"
#include "script/runtime.h"
#include "script/ticks.h"

#include <lauxlib.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define ACCOUNT_MAGIC 0x6d6f7468u
#define ASK_MS 50
#define VALUES_MAX 200 /* that a dispatch gives */
#define SLOTS (VALUES_MAX + 20) /* of the stack, for what we push */

enum { DONE, YIELD, ERROR };

static struct guard *guard_of(lua_State *L)
{
    return runtime_guard(runtime_of(L));
}

static struct guard_account *check_account(lua_State *L, int at)
{
    struct guard_account *a = lua_type(L, at) == LUA_TUSERDATA ? lua_touserdata(L, at) : NULL;
    bool is = a && lua_rawlen(L, at) == sizeof *a && a->magic == ACCOUNT_MAGIC;
    luaL_argexpected(L, is, at, "account");
    return a;
}

static lua_State *check_thread(lua_State *L, int at)
{
    lua_State *thread = lua_tothread(L, at);
    luaL_argexpected(L, thread, at, "coroutine");
    lua_Debug ar;
    bool is_active = thread == L || (lua_status(thread) == LUA_OK && lua_getstack(thread, 0, &ar));
    luaL_argcheck(L, !is_active, at, "the coroutine is running");
    return thread;
}

/* --- what went wrong --- */

static const char *word_of(enum guard_cause cause)
{
    switch (cause) {
    case GUARD_NONE: return "error";
    case GUARD_CPU: return "cpu";
    case GUARD_MEMORY: return "memory";
    case GUARD_INTERRUPT: return "interrupt";
    }
    return "error";
}

static const char *sentence_of(enum guard_cause cause)
{
    switch (cause) {
    case GUARD_NONE: break;
    case GUARD_CPU: return "it ran for too long without waiting, and was stopped";
    case GUARD_MEMORY: return "it used up the memory of the scripts, and was stopped";
    case GUARD_INTERRUPT: return "it was interrupted, and stopped";
    }
    return "";
}

static enum guard_cause count_kill(struct guard *g, struct guard_account *a)
{
    enum guard_cause cause = guard_cause(g);
    if (cause != GUARD_NONE) a->kills++;
    return cause;
}

static int l_to_text(lua_State *L)
{
    ordered_tolstring(L, 1, NULL);
    return 1;
}

/* Replaces the value on top by a text. Its __tostring is code of the script. */
static void to_text(lua_State *L, struct guard_account *a)
{
    struct guard_outer outer;
    if (lua_type(L, -1) == LUA_TSTRING) return;
    lua_pushcfunction(L, l_to_text);
    lua_insert(L, -2);
    guard_enter(L, &outer, a, L);
    int status = lua_pcall(L, 1, 1, 0);
    guard_leave(L, &outer);
    if (status == LUA_OK) return;
    lua_pop(L, 1);
    lua_pushliteral(L, "an error whose value cannot be shown");
}

/* What Lua says when the guard refuses memory; a coroutine that passes the error on writes a place before it. */
static bool is_lack_of_memory(lua_State *L)
{
    static const char end[] = "not enough memory";
    size_t bytes;
    const char *text = lua_tolstring(L, -1, &bytes);
    return bytes >= sizeof end - 1 && strcmp(text + bytes - (sizeof end - 1), end) == 0;
}

/* Replaces the error value on top by what a person is told, and returns the word for it. */
static const char *explain(lua_State *L, struct guard *g, struct guard_account *a, enum guard_cause cause)
{
    if (cause == GUARD_NONE) {
        to_text(L, a);
        return word_of(is_lack_of_memory(L) ? GUARD_MEMORY : GUARD_NONE);
    }
    const char *where = guard_where(g);
    lua_pop(L, 1);
    lua_pushfstring(L, "%s%s%s", sentence_of(cause), *where ? " at " : "", where);
    return word_of(cause);
}

/* --- resume --- */

/* The error of the thread at index 2, its value on top of its stack, becomes three results; then it is closed. */
static int fail_resume(lua_State *L, struct guard *g, struct guard_account *a, int status)
{
    lua_State *thread = lua_tothread(L, 2);
    enum guard_cause cause = count_kill(g, a);
    bool was_lowered = guard_lift(g);
    if (status > LUA_YIELD) lua_xmove(thread, L, 1);
    else lua_pushliteral(L, "too many values at once");
    lua_pushinteger(L, ERROR);
    lua_pushvalue(L, -2);
    const char *word = explain(L, g, a, cause);
    luaL_traceback(L, thread, lua_tostring(L, -1), 0);
    lua_remove(L, -2);
    lua_pushstring(L, word);
    if (status > LUA_YIELD) { /* the <close> variables want it */
        lua_pushvalue(L, -4);
        lua_xmove(L, thread, 1);
    }
    guard_lower(g, was_lowered);
    guard_bury(L, 2, cause != GUARD_NONE ? status : LUA_OK);
    return 3;
}

/* core.resume(account, thread, ...) */
static int l_resume(lua_State *L)
{
    struct guard *g = guard_of(L);
    struct guard_account *a = check_account(L, 1);
    lua_State *thread = check_thread(L, 2);
    struct guard_outer outer;
    int arguments = lua_gettop(L) - 2, results, count;
    if (!lua_checkstack(thread, arguments)) return luaL_error(L, "too many arguments to resume");
    luaL_checkstack(L, SLOTS, NULL);
    lua_xmove(L, thread, arguments);
    guard_enter(L, &outer, a, thread);
    int status = lua_resume(thread, L, arguments, &results);
    if (status <= LUA_YIELD && guard_cause(g) == GUARD_NONE && results <= VALUES_MAX) {
        lua_pushinteger(L, status == LUA_OK ? DONE : YIELD);
        lua_xmove(thread, L, results);
        count = results + 1;
    } else {
        count = fail_resume(L, g, a, status);
    }
    guard_leave(L, &outer);
    return count;
}

/* --- close --- */

static void fail_close(lua_State *L, struct guard *g, struct guard_account *a, int status)
{
    enum guard_cause cause = count_kill(g, a);
    guard_lift(g);
    lua_pushnil(L);
    if (status > LUA_YIELD) lua_xmove(lua_tothread(L, 2), L, 1);
    else lua_pushliteral(L, "too many coroutines are closed in one another");
    lua_pushstring(L, explain(L, g, a, cause));
}

/* core.close(account, thread) */
static int l_close(lua_State *L)
{
    struct guard *g = guard_of(L);
    struct guard_account *a = check_account(L, 1);
    lua_State *thread = check_thread(L, 2);
    struct guard_outer outer;
    luaL_checkstack(L, SLOTS, NULL);
    bool was_alive = lua_status(thread) <= LUA_YIELD;
    guard_enter(L, &outer, a, thread);
    int status = guard_close(L, 2);
    bool is_well = guard_cause(g) == GUARD_NONE && (status == LUA_OK || !was_alive);
    if (is_well) lua_pushboolean(L, 1);
    else fail_close(L, g, a, status);
    guard_leave(L, &outer);
    return is_well ? 1 : 3;
}

/* --- call --- */

/* Registry: the traceback of the last error in core.call. Lack of memory leaves none. */
static const char trace;

/* The message handler: shows the value later, that runs code of scripts. */
static int l_keep_trace(lua_State *L)
{
    struct guard *g = guard_of(L);
    bool was_lowered = guard_lift(g);
    luaL_traceback(L, L, NULL, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &trace);
    guard_lower(g, was_lowered);
    return 1;
}

/* With the error value on top. */
static int fail_call(lua_State *L, struct guard *g, struct guard_account *a, int status)
{
    enum guard_cause cause = count_kill(g, a);
    guard_lift(g);
    const char *word = explain(L, g, a, cause);
    lua_pushinteger(L, ERROR);
    lua_insert(L, -2);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &trace) == LUA_TSTRING && status != LUA_ERRMEM) {
        lua_pushliteral(L, "\n");
        lua_insert(L, -2);
        lua_concat(L, 3);
    } else {
        lua_pop(L, 1);
    }
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &trace);
    lua_pushstring(L, word);
    return 3;
}

static int call_for(lua_State *L, unsigned cpu_ms)
{
    struct guard *g = guard_of(L);
    struct guard_account *a = check_account(L, 1);
    struct guard_outer outer;
    luaL_checktype(L, 2, LUA_TFUNCTION);
    luaL_checkstack(L, SLOTS, NULL);
    lua_pushcfunction(L, l_keep_trace);
    lua_insert(L, 2);
    guard_enter(L, &outer, a, L);
    guard_shorten(g, cpu_ms);
    int status = lua_pcall(L, lua_gettop(L) - 3, LUA_MULTRET, 2), count = lua_gettop(L) - 1;
    if (status == LUA_OK && guard_cause(g) == GUARD_NONE) {
        lua_pushinteger(L, DONE);
        lua_replace(L, 2);
    } else {
        lua_settop(L, status == LUA_OK ? 2 : 3);
        count = fail_call(L, g, a, status);
    }
    guard_leave(L, &outer);
    return count;
}

/* core.call(account, fn, ...) */
static int l_call(lua_State *L)
{
    return call_for(L, UINT_MAX);
}

/* core.ask(account, fn, ...) */
static int l_ask(lua_State *L)
{
    return call_for(L, ASK_MS);
}

/* --- what is known --- */

/* core.account(name [, is_trusted]) */
static int l_account(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    bool is_trusted = lua_toboolean(L, 2);
    struct guard_account *a = lua_newuserdatauv(L, sizeof *a, 0);
    *a = (struct guard_account){.magic = ACCOUNT_MAGIC, .is_trusted = is_trusted};
    snprintf(a->name, sizeof a->name, "%s", name);
    lua_createtable(L, 0, 2);
    lua_pushliteral(L, "account");
    lua_setfield(L, -2, "__name");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    return 1;
}

/* core.usage(account) */
static int l_usage(lua_State *L)
{
    const struct guard_account *a = check_account(L, 1);
    lua_pushnumber(L, (lua_Number)a->ticks * TICK_MS / 1000);
    lua_pushinteger(L, (lua_Integer)a->kills);
    return 2;
}

/* core.memory() */
static int l_memory(lua_State *L)
{
    size_t limit, used = guard_memory(guard_of(L), &limit);
    lua_pushinteger(L, (lua_Integer)used);
    lua_pushinteger(L, (lua_Integer)limit);
    return 2;
}

/* core.cpu_ms() */
static int l_cpu_ms(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)guard_cpu_ms(guard_of(L)));
    return 1;
}

/* core.interrupted() */
static int l_interrupted(lua_State *L)
{
    lua_pushboolean(L, guard_took_interrupt(guard_of(L)));
    return 1;
}

void dispatch_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"account", l_account}, {"resume", l_resume}, {"close", l_close}, {"call", l_call}, {"ask", l_ask},
        {"usage", l_usage}, {"memory", l_memory}, {"cpu_ms", l_cpu_ms}, {"interrupted", l_interrupted}, {NULL, NULL},
    };
    static const char *const codes[] = {[DONE] = "DONE", [YIELD] = "YIELD", [ERROR] = "ERROR"};
    luaL_setfuncs(L, functions, 0);
    for (int code = DONE; code <= ERROR; code++) {
        lua_pushinteger(L, code);
        lua_setfield(L, -2, codes[code]);
    }
}
