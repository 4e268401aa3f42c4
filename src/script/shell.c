/* shell.c -- the ways into lua/moth/init.lua that concern the whole program, and out of it; see shell.h. Sessions are
 * in session.c. */
#include "script/shell_private.h"

#include "base/mem.h"
#include "script/bind.h"
#include "script/bind_node.h"
#include "script/bind_parts.h"
#include "script/bind_tcp.h"
#include "script/guard.h"

#include <stdlib.h>

#define MODULE "moth"
#define LOG_BYTES_MAX 65536 /* of lines that wait for the next turn; more are left out: they are in the log elsewhere */

/* --- what Lua calls: the program --- */

static struct shell *owner_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* speak(text, is_complaint) */
static int l_speak(lua_State *L)
{
    struct shell *s = owner_of(L);
    size_t bytes;
    const char *text = luaL_checklstring(L, 1, &bytes);
    s->setup.speak(s->setup.owner, lua_toboolean(L, 2) ? SHELL_COMPLAINTS : SHELL_ANSWERS, text, bytes);
    return 0;
}

/* ready() */
static int l_ready(lua_State *L)
{
    struct shell *s = owner_of(L);
    s->setup.ready(s->setup.owner);
    return 0;
}

static const char *const level_names[] = {"debug", "info", "warn", "error", NULL};

/* hear_logs(level | nil): from now on moth.log gets lines of that level and above */
static int l_hear_logs(lua_State *L)
{
    struct shell *s = owner_of(L);
    s->hears_logs = !lua_isnoneornil(L, 1);
    if (s->hears_logs) s->level = (enum moth_log_level)luaL_checkoption(L, 1, NULL, level_names);
    return 0;
}

struct keeping { /* a file of the home folder, being written by a worker */
    struct shell *shell; /* NULL: it has gone meanwhile */
    const struct moth_host *host;
    char *name, *text; /* owned */
    size_t bytes;
    int rc;
    bool is_done;
};

static void keep_run(void *job)
{
    struct keeping *k = job;
    k->rc = k->host->file_write(k->host->context, k->name, k->text, k->bytes);
}

static void keep_free(struct keeping *k)
{
    free(k->name);
    free(k->text);
    free(k);
}

static void keep_done(void *job)
{
    struct keeping *k = job;
    k->is_done = true;
    if (k->shell) runtime_wake(k->shell->runtime);
    else keep_free(k);
}

/* keep(name, text) -> boolean: starts writing that file of the home folder, unless another one is being written */
static int l_keep(lua_State *L)
{
    struct shell *s = owner_of(L);
    const struct moth_host *host = s->setup.host;
    size_t bytes;
    const char *name = luaL_checkstring(L, 1), *text = luaL_checklstring(L, 2, &bytes);
    lua_pushboolean(L, !s->keeping);
    if (s->keeping) return 1;
    s->keeping = mem_new(sizeof *s->keeping);
    *s->keeping = (struct keeping){.shell = s, .host = host, .name = mem_text(name), .text = mem_copy(text, bytes),
                                   .bytes = bytes};
    host->work(host->context, keep_run, keep_done, s->keeping);
    return 1;
}

/* kept() -> true | nil, why, code; nothing while it is not done */
static int l_kept(lua_State *L)
{
    struct shell *s = owner_of(L);
    if (!s->keeping || !s->keeping->is_done) return 0;
    int rc = s->keeping->rc;
    keep_free(s->keeping);
    s->keeping = NULL;
    return bind_push_result(L, rc);
}

/* read_home(name) -> text | nil, why, code */
static int l_read_home(lua_State *L)
{
    const struct moth_host *host = owner_of(L)->setup.host;
    static char text[LOG_BYTES_MAX];
    size_t bytes = 0;
    int rc = host->file_read(host->context, luaL_checkstring(L, 1), text, sizeof text, &bytes);
    if (rc < 0) return bind_push_error(L, rc);
    lua_pushlstring(L, text, bytes);
    return 1;
}

/* --- what Lua is called for --- */

void shell_push_function(lua_State *L, const char *name)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, MODULE);
    lua_getfield(L, -1, name);
}

void shell_push_list(lua_State *L, char *const *texts, size_t count)
{
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushstring(L, texts[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static int call_start(lua_State *L)
{
    static const luaL_Reg functions[] = {{"speak", l_speak}, {"ready", l_ready}, {"hear_logs", l_hear_logs},
                                         {"keep", l_keep}, {"kept", l_kept}, {"read_home", l_read_home},
                                         {NULL, NULL}};
    struct shell *s = lua_touserdata(L, 1);
    lua_getglobal(L, "require");
    lua_pushliteral(L, MODULE);
    lua_call(L, 1, 0);
    shell_push_function(L, "start");
    lua_createtable(L, 0, 8);
    lua_pushlightuserdata(L, s);
    luaL_setfuncs(L, functions, 1);
    lua_getglobal(L, "node");
    lua_setfield(L, -2, "node");
    bind_set_string(L, "home", s->setup.host->home);
    if (s->setup.folder) bind_set_string(L, "folder", s->setup.folder);
    if (s->setup.joined) bind_set_string(L, "joined", s->setup.joined);
    bind_set_boolean(L, "is_alone", s->setup.is_alone);
    bind_set_boolean(L, "has_joined_key", s->setup.has_joined_key);
    shell_push_list(L, s->setup.load, s->setup.loads);
    lua_call(L, 2, 0);
    return 0;
}

struct ending {
    struct shell *shell;
    int status;
};

static int call_end(lua_State *L)
{
    const struct ending *e = lua_touserdata(L, 1);
    shell_push_function(L, "stop");
    lua_pushinteger(L, e->status);
    lua_call(L, 1, 0);
    return 0;
}

static int call_logs(lua_State *L)
{
    struct shell *s = lua_touserdata(L, 1);
    struct span logs = buf_span(&s->logs);
    lua_pushlstring(L, (const char *)logs.data, logs.bytes);
    buf_fini(&s->logs);
    size_t bytes;
    const char *all = lua_tolstring(L, -1, &bytes);
    for (const char *at = all; at < all + bytes; at += strlen(at) + 1) {
        shell_push_function(L, "log");
        lua_pushstring(L, level_names[*at++ - '0']);
        lua_pushstring(L, at);
        lua_call(L, 2, 0);
        lua_settop(L, 2);
    }
    return 0;
}

/* --- shell.h --- */

/* Sets moth.core.parts. */
static int add_parts(lua_State *L)
{
    const struct shell *s = lua_touserdata(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "moth.core");
    bind_parts_open(L, s->setup.host);
    lua_setfield(L, -2, "parts");
    return 0;
}

/* All that Lua finds there before its first line runs. */
static bool bind_all(struct shell *s)
{
    const struct shell_setup *setup = &s->setup;
    s->binding = bind_node(s->runtime, setup->node, setup->quit, setup->owner);
    return s->binding && runtime_call(s->runtime, add_parts, s) == 0 &&
           bind_tcp(s->runtime, setup->transport, setup->beyond) == 0;
}

struct shell *shell_open(const struct shell_setup *setup)
{
    struct shell *s = mem_new(sizeof *s);
    s->setup = *setup;
    s->runtime = runtime_new(setup->host);
    if (s->runtime) guard_take_signals(runtime_guard(s->runtime));
    if (s->runtime && bind_all(s) && runtime_call(s->runtime, call_start, s) == 0) return s;
    shell_close(s);
    return NULL;
}

void shell_close(struct shell *s)
{
    if (!s) return;
    shell_hush(s);
    runtime_free(s->runtime);
    buf_fini(&s->logs);
    if (s->keeping && s->keeping->is_done) keep_free(s->keeping);
    else if (s->keeping) s->keeping->shell = NULL;
    free(s);
}

void shell_event(struct shell *s, const struct moth_event *event)
{
    bind_node_event(s->runtime, s->binding, event);
}

void shell_log(struct shell *s, enum moth_log_level level, const char *text)
{
    char mark = (char)('0' + (int)level);
    if (!s->hears_logs || level < s->level || buf_bytes(&s->logs) + strlen(text) > LOG_BYTES_MAX) return;
    buf_add(&s->logs, &mark, 1);
    buf_add(&s->logs, text, strlen(text) + 1);
    runtime_wake(s->runtime);
}

uint64_t shell_tick(struct shell *s)
{
    uint64_t next_us = runtime_tick(s->runtime);
    if (buf_bytes(&s->logs) > 0) runtime_call(s->runtime, call_logs, s);
    return next_us;
}

void shell_call_or_quit(struct shell *s, lua_CFunction function, void *argument)
{
    if (runtime_call(s->runtime, function, argument) < 0) s->setup.quit(s->setup.owner, EXIT_FAILURE);
}

void shell_end(struct shell *s, int status)
{
    struct ending ending = {.shell = s, .status = status};
    shell_call_or_quit(s, call_end, &ending);
}

