/* runtime.c -- the Lua state of runtime.h: what is opened, what is taken away, and how C gets in. */
#include "script/runtime.h"

#include "base/log.h"
#include "base/mem.h"
#include "script/clock.h"
#include "script/columns.h"
#include "script/dispatch.h"
#include "script/duration.h"
#include "script/files.h"
#include "script/guard.h"
#include "script/json.h"
#include "script/lua_sources.h"
#include "script/ordered.h"
#include "script/sandbox.h"
#include "script/source.h"

#include <lauxlib.h>
#include <lualib.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define PATH_BYTES 1024
#define GC_PAUSE 150 /* percent: a cycle begins when half as much again is in use; at 200 a link takes 1.2 KiB more */
#define GC_STEP 200  /* percent, for each percent of new memory: Lua's own is 100 */

struct runtime {
    const struct moth_host *host, *clock; /* borrowed */
    lua_State *L;
    struct guard *guard; /* owned */
    int tick, events; /* references to the scheduler's functions, or LUA_NOREF */
    uint64_t next_us; /* when it is to be called at the latest */
    bool was_full;    /* the last turn had no time for tasks */
    bool every_turn;  /* it waits for something only a turn can bring */
};

struct runtime *runtime_of(lua_State *L)
{
    struct runtime *r;
    memcpy(&r, lua_getextraspace(L), sizeof r);
    return r;
}

struct guard *runtime_guard(struct runtime *r)
{
    return r->guard;
}

/* --- errors --- */

/* The host takes single lines; a traceback is many, indented by tabs. */
static void log_lines(const struct moth_host *host, enum moth_log_level level, const char *text)
{
    while (*text) {
        size_t tabs = strspn(text, "\t"), bytes = strcspn(text += tabs, "\n");
        log_write(host, level, "%s%.*s", tabs ? "  " : "", (int)bytes, text);
        text += bytes;
        if (*text == '\n') text++;
    }
}

/* moth.traceback(error [, coroutine]) -> text */
static int l_traceback(lua_State *L)
{
    lua_State *other = lua_tothread(L, 2);
    const char *why = ordered_tolstring(L, 1, NULL);
    luaL_traceback(L, other ? other : L, why, other ? 0 : 1);
    return 1;
}

int runtime_call(struct runtime *r, lua_CFunction function, void *argument)
{
    lua_State *L = r->L;
    int top = lua_gettop(L), rc = 0;
    if (!lua_checkstack(L, LUA_MINSTACK)) return MOTH_EIO;
    bool was_lowered = guard_lift(r->guard); /* what C asks us is not the script's doing */
    lua_pushcfunction(L, l_traceback);
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, argument);
    if (lua_pcall(L, 1, 0, top + 1) != LUA_OK) {
        const char *why = lua_tostring(L, -1);
        log_lines(r->host, MOTH_LOG_ERROR, why ? why : "an error in Lua without a message");
        rc = MOTH_EIO;
    }
    guard_lower(r->guard, was_lowered);
    lua_settop(L, top);
    return rc;
}

/* --- the scheduler's tick --- */

static int call_tick(lua_State *L)
{
    struct runtime *r = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, r->tick);
    lua_pushinteger(L, (lua_Integer)r->host->now_us(r->host->context));
    lua_call(L, 1, 2);
    if (lua_isinteger(L, -2)) {
        uint64_t next_us = (uint64_t)lua_tointeger(L, -2);
        if (next_us < r->next_us) r->next_us = next_us;
    }
    r->every_turn = lua_toboolean(L, -1);
    return 0;
}

static int call_events(lua_State *L)
{
    struct runtime *r = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, r->events);
    lua_call(L, 0, 1);
    r->was_full = lua_toboolean(L, -1);
    return 0;
}

uint64_t runtime_tick(struct runtime *r)
{
    bool due = r->every_turn || r->next_us <= r->host->now_us(r->host->context);
    if (!due || r->tick == LUA_NOREF) return r->next_us;
    r->next_us = UINT64_MAX;
    r->every_turn = false;
    bool was_full = r->was_full; /* events used up a turn: this one is for tasks */
    r->was_full = false;
    if (r->events != LUA_NOREF && !was_full) runtime_call(r, call_events, r);
    if (!r->was_full) runtime_call(r, call_tick, r);
    if (was_full || r->was_full) runtime_wake(r);
    return r->next_us;
}

void runtime_wake(struct runtime *r)
{
    r->next_us = 0;
}

const struct moth_host *runtime_host(const struct runtime *r)
{
    return r->host;
}

void runtime_set_clock(struct runtime *r, const struct moth_host *host)
{
    r->clock = host ? host : r->host;
}

uint64_t runtime_wall_ms(const struct runtime *r)
{
    return r->clock->wall_ms(r->clock->context);
}

static void keep_function(lua_State *L, int *reference)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    luaL_unref(L, LUA_REGISTRYINDEX, *reference);
    lua_settop(L, 1);
    *reference = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* moth.on_tick(fn) */
static int l_on_tick(lua_State *L)
{
    keep_function(L, &runtime_of(L)->tick);
    return 0;
}

/* moth.on_events(fn) */
static int l_on_events(lua_State *L)
{
    keep_function(L, &runtime_of(L)->events);
    return 0;
}

/* moth.wake() */
static int l_wake(lua_State *L)
{
    runtime_wake(runtime_of(L));
    return 0;
}

/* --- what C adds: the table `moth` --- */

static void push_safe(lua_State *L, const char *text, size_t bytes)
{
    luaL_Buffer buffer;
    size_t capacity = bytes * 4 + 1; /* \xNN for every byte, and the zero */
    char *out = luaL_buffinitsize(L, &buffer, capacity);
    luaL_pushresultsize(&buffer, text_safe(slice_of(text, bytes), out, capacity));
}

/* moth.safe(text) -> text */
static int l_safe(lua_State *L)
{
    size_t bytes;
    const char *text = luaL_checklstring(L, 1, &bytes);
    push_safe(L, text, bytes);
    return 1;
}

/* moth.log(level, text) */
static int l_log(lua_State *L)
{
    static const char *const names[] = {"debug", "info", "warn", "error", NULL};
    static const enum moth_log_level levels[] = {MOTH_LOG_DEBUG, MOTH_LOG_INFO, MOTH_LOG_WARN, MOTH_LOG_ERROR};
    int level = luaL_checkoption(L, 1, NULL, names);
    log_lines(runtime_of(L)->host, levels[level], luaL_checkstring(L, 2));
    return 0;
}

/* moth.seconds(DUR) -> seconds | nil, why, code */
static int l_seconds(lua_State *L)
{
    double seconds;
    if (lua_type(L, 1) == LUA_TNUMBER) {
        lua_settop(L, 1);
        return 1;
    }
    if (duration_parse(luaL_checkstring(L, 1), &seconds)) {
        lua_pushnumber(L, seconds);
        return 1;
    }
    lua_pushnil(L);
    lua_pushliteral(L, "a time span is seconds or a text like 1h30m or 250ms");
    lua_pushstring(L, moth_error_code(MOTH_EARGUMENT));
    return 3;
}

/* print(...): to standard output as Lua's own, but nothing reaches the terminal raw */
static int l_print(lua_State *L)
{
    int n = lua_gettop(L);
    for (int i = 1; i <= n; i++) {
        size_t bytes;
        const char *text = ordered_tolstring(L, i, &bytes);
        push_safe(L, text, bytes);
        text = lua_tolstring(L, -1, &bytes);
        if (i > 1) fputc('\t', stdout);
        fwrite(text, 1, bytes, stdout);
        lua_pop(L, 2);
    }
    fputc('\n', stdout);
    fflush(stdout);
    return 0;
}

static const struct lua_source *find_source(const char *name)
{
    for (size_t i = 0; i < lua_source_count; i++)
        if (strcmp(lua_sources[i].name, name) == 0) return &lua_sources[i];
    return NULL;
}

/* moth.source(name) -> text | nil: a file of lua/, such as "moth/meta/node.lua", as it was built in */
static int l_source(lua_State *L)
{
    const struct lua_source *source = find_source(luaL_checkstring(L, 1));
    if (!source) return 0;
    lua_pushlstring(L, source->text, source->bytes);
    return 1;
}

static int open_core(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"safe", l_safe}, {"log", l_log}, {"wake", l_wake}, {"on_tick", l_on_tick}, {"on_events", l_on_events},
        {"traceback", l_traceback}, {"seconds", l_seconds}, {"source", l_source}, {NULL, NULL},
    };
    luaL_newlib(L, functions);
    clock_open(L);
    dispatch_open(L);
    sandbox_open(L);
    source_open(L);
    files_open(L);
    columns_open(L);
    return 1;
}

/* --- modules --- */

static bool file_is_there(const char *path)
{
    FILE *f = fopen(path, "r");
    if (f) fclose(f);
    return f != NULL;
}

/* Loads `name` ("moth/shell.lua") from the folder MOTH_LUA_PATH, else from the program; the chunk, or
 * nothing, is pushed. */
static int load_source(lua_State *L, const char *name)
{
    char path[PATH_BYTES];
    const char *folder = getenv("MOTH_LUA_PATH");
    int n = folder && *folder ? snprintf(path, sizeof path, "%s/%s", folder, name) : 0;
    if (n > 0 && n < PATH_BYTES && file_is_there(path)) {
        if (luaL_loadfilex(L, path, "t") != LUA_OK) lua_error(L);
        return 1;
    }
    const struct lua_source *source = find_source(name);
    if (!source) return 0;
    const char *chunk = lua_pushfstring(L, "@%s", name);
    if (luaL_loadbufferx(L, source->text, source->bytes, chunk, "t") != LUA_OK) lua_error(L);
    return 1;
}

/* The only searcher of `require`: "moth.shell" is moth/shell.lua, "moth" is moth/init.lua. */
static int l_searcher(lua_State *L)
{
    const char *module = luaL_gsub(L, luaL_checkstring(L, 1), ".", "/");
    const char *file = lua_pushfstring(L, "%s.lua", module);
    if (load_source(L, file)) return 1;
    if (load_source(L, lua_pushfstring(L, "%s/init.lua", module))) return 1;
    lua_pushfstring(L, "moth has no Lua module '%s'", lua_tostring(L, 1));
    return 1;
}

static void open_require(lua_State *L)
{
    luaL_requiref(L, LUA_LOADLIBNAME, luaopen_package, 1);
    lua_createtable(L, 1, 0);
    lua_pushcfunction(L, l_searcher);
    lua_rawseti(L, -2, 1);
    lua_setfield(L, -2, "searchers");
    lua_pop(L, 1);
    lua_pushnil(L); /* loadlib opens any file as code */
    lua_setglobal(L, LUA_LOADLIBNAME);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushnil(L);
    lua_setfield(L, -2, LUA_LOADLIBNAME);
    lua_pop(L, 1);
}

/* --- the sandbox --- */

/* load(chunk [, name [, mode [, env]]]): the mode is always "t", edited bytecode crashes the process */
static int l_load(lua_State *L)
{
    if (lua_gettop(L) < 3) lua_settop(L, 3);
    lua_pushliteral(L, "t");
    lua_replace(L, 3);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Replaces field `name` of the table on top by `f`, which keeps the old one as its upvalue. */
static void wrap(lua_State *L, const char *name, lua_CFunction f)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, f, 1);
    lua_setfield(L, -2, name);
}

static void open_base(lua_State *L)
{
    static const char *const taken[] = {"dofile", "loadfile"};
    luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, taken[i]);
    }
    wrap(L, "load", l_load);
    wrap(L, "print", l_print);
    lua_pop(L, 1);
}

static void open_libraries(lua_State *L)
{
    static const luaL_Reg libraries[] = {
        {LUA_STRLIBNAME, luaopen_string}, {LUA_TABLIBNAME, luaopen_table}, {LUA_MATHLIBNAME, luaopen_math},
        {LUA_UTF8LIBNAME, luaopen_utf8}, {LUA_COLIBNAME, luaopen_coroutine},
    };
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
        lua_pop(L, 1);
    }
}

/* math.random draws what the host gives: repeatable in a simulation, unpredictable outside. */
static void seed_random(lua_State *L)
{
    const struct moth_host *host = runtime_of(L)->host;
    lua_Integer seed[2];
    host->random(host->context, seed, sizeof seed);
    lua_getglobal(L, LUA_MATHLIBNAME);
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, seed[0]);
    lua_pushinteger(L, seed[1]);
    lua_call(L, 2, 0);
    lua_pop(L, 1);
}

static int set_up(lua_State *L)
{
    lua_gc(L, LUA_GCINC, GC_PAUSE, GC_STEP, 0);
    open_base(L);
    open_libraries(L);
    clock_open_os(L);
    open_require(L);
    seed_random(L);
    luaL_requiref(L, "moth.json", json_open, 0);
    json_set_poll(guard_check);
    luaL_requiref(L, "moth.core", open_core, 0);
    lua_setglobal(L, "moth");
    return 0;
}

/* An error outside of every protected call: our mistake. */
static int on_panic(lua_State *L)
{
    const char *why = lua_tostring(L, -1);
    fprintf(stderr, "moth: an error in Lua that nobody catches: %s\n", why ? why : "without a message");
    abort();
}

struct runtime *runtime_new(const struct moth_host *host)
{
    struct runtime *r = mem_new(sizeof *r);
    *r = (struct runtime){.host = host, .clock = host, .guard = guard_new(host), .tick = LUA_NOREF, .events = LUA_NOREF,
                          .next_us = UINT64_MAX};
    r->L = lua_newstate(guard_allocate, r->guard);
    if (r->L) lua_atpanic(r->L, on_panic);
    if (r->L) memcpy(lua_getextraspace(r->L), &r, sizeof r);
    if (r->L && runtime_call(r, set_up, NULL) == 0) return r;
    runtime_free(r);
    return NULL;
}

void runtime_free(struct runtime *r)
{
    if (!r) return;
    if (r->L) lua_close(r->L);
    guard_free(r->guard);
    free(r);
}
