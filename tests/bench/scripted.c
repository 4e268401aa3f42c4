/* scripted.c -- the runtime, the node's binding and lua/moth/hub.lua, put together as src/script/shell.c does. */
#include "scripted.h"

#include "measure.h"

#include "base/mem.h"
#include "script/bind_node.h"
#include "script/bind_parts.h"
#include "script/bind_tcp.h"
#include "script/runtime.h"

#include <lauxlib.h>

#include <stdlib.h>

struct scripted {
    struct scripted_setup setup;
    struct runtime *runtime; /* owned */
    struct binding *binding; /* borrowed from Lua: the node */
    unsigned to_reload, reloads;
};

/* Trusted Lua: may see everything. What it returns reloads the script. */
static const char start_text[] =
    "local name, print, done = ...\n"
    "local hub = require 'moth.hub'.new(node, print)\n"
    "local task = require 'moth.task'\n"
    "task.spawn(function()\n"
    "  local s, why = hub.scripts:load('tests/bench/scripts/' .. name .. '.lua')\n"
    "  if not s then error(why) end\n"
    "end)\n"
    "return function(count)\n"
    "  task.spawn(function()\n"
    "    for _ = 1, count do\n"
    "      assert(hub.scripts:reload(name))\n"
    "      done()\n"
    "    end\n"
    "  end)\n"
    "end\n";

static const char reload; /* registry: the function that is returned there */

static struct scripted *owner_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static int l_print(lua_State *L)
{
    struct scripted *s = owner_of(L);
    s->setup.on_print(s->setup.owner, luaL_checkstring(L, 1));
    return 0;
}

static int l_done(lua_State *L)
{
    owner_of(L)->reloads++;
    return 0;
}

/* core.resume(account, thread, ...) as it would be without a guard */
static int l_resume(lua_State *L)
{
    lua_State *thread = lua_tothread(L, 2);
    int count = lua_gettop(L) - 2, results;
    if (!lua_checkstack(thread, count)) return luaL_error(L, "too many arguments to resume");
    lua_xmove(L, thread, count);
    int status = lua_resume(thread, L, count, &results);
    if (status > LUA_YIELD || !lua_checkstack(L, results + 1)) return luaL_error(L, "a benchmark's script failed");
    lua_pushinteger(L, status == LUA_OK ? 0 : 1);
    lua_xmove(thread, L, results);
    return results + 1;
}

static void push_own(lua_State *L, struct scripted *s, lua_CFunction function)
{
    lua_pushlightuserdata(L, s);
    lua_pushcclosure(L, function, 1);
}

static int start(lua_State *L)
{
    struct scripted *s = lua_touserdata(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "moth.core");
    bind_parts_open(L, s->setup.host);
    lua_setfield(L, -2, "parts");
    if (s->setup.is_unguarded) {
        lua_pushcfunction(L, l_resume);
        lua_setfield(L, -2, "resume");
    }
    if (luaL_loadstring(L, start_text) != LUA_OK) return lua_error(L);
    lua_pushstring(L, s->setup.script);
    push_own(L, s, l_print);
    push_own(L, s, l_done);
    lua_call(L, 3, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &reload);
    return 0;
}

static int begin_reload(lua_State *L)
{
    const struct scripted *s = lua_touserdata(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &reload);
    lua_pushinteger(L, s->to_reload);
    lua_call(L, 1, 0);
    return 0;
}

/* --- scripted.h --- */

struct scripted *scripted_open(const struct scripted_setup *setup)
{
    struct scripted *s = mem_new(sizeof *s);
    s->setup = *setup;
    s->runtime = runtime_new(setup->host);
    if (!s->runtime) measure_give_up("Lua cannot start");
    s->binding = bind_node(s->runtime, setup->node, NULL, NULL);
    bool is_bound = s->binding && bind_tcp(s->runtime, setup->transport, false) == 0;
    if (!is_bound || runtime_call(s->runtime, start, s) < 0) measure_give_up("%s.lua cannot be loaded", setup->script);
    return s;
}

void scripted_close(struct scripted *s)
{
    runtime_free(s->runtime);
    free(s);
}

void scripted_event(struct scripted *s, const struct moth_event *event)
{
    bind_node_event(s->runtime, s->binding, event);
}

uint64_t scripted_tick(struct scripted *s)
{
    return runtime_tick(s->runtime);
}

void scripted_reload(struct scripted *s, unsigned count)
{
    s->to_reload = count;
    if (runtime_call(s->runtime, begin_reload, s) < 0) measure_give_up("%s.lua cannot be reloaded", s->setup.script);
}

unsigned scripted_reloads(const struct scripted *s)
{
    return s->reloads;
}
