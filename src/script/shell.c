/* shell.c -- the way into lua/moth/init.lua, and out of it to the standard streams; see shell.h. */
#include "script/shell.h"

#include "base/mem.h"
#include "script/bind_node.h"
#include "script/bind_parts.h"
#include "script/bind_tcp.h"
#include "script/guard.h"
#include "script/interrupt.h"
#include "script/runtime.h"

#include <lauxlib.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULE "moth"

struct shell {
    struct shell_setup setup;
    struct runtime *runtime; /* owned */
    struct binding *binding; /* borrowed from Lua: the node */
    bool is_busy;
    int stream[STDERR_FILENO + 1];   /* by descriptor: where to write; a terminal opened anew is ours to close */
    bool is_mute[STDERR_FILENO + 1]; /* by descriptor: what is said there is dropped */
};

/* --- what Lua calls --- */

static struct shell *owner_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* Signals wake poll, but not a write that waits, for libuv asks for restarts. PIPE_BUF bytes go into a pipe without
 * waiting once poll says so; a terminal may wait all the same, so it is opened anew, as one that does not. */
static int stream_open(int fd)
{
    const char *name = isatty(fd) ? ttyname(fd) : NULL;
    int anew = name ? open(name, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -1;
    return anew < 0 ? fd : anew;
}

/* 0 or an errno; EINTR: a person sent a signal while nobody read. The descriptor may not wait at all when it is a
 * terminal or shares a socket with standard input. */
static int write_all(int fd, const char *text, size_t bytes)
{
    struct pollfd reader = {.fd = fd, .events = POLLOUT};
    unsigned signals = interrupt_count();
    while (bytes > 0) {
        int ready = poll(&reader, 1, -1);
        if (ready < 0 && errno == EINTR && signals == interrupt_count()) continue; /* the guard's timer */
        if (ready < 0) return errno;
        ssize_t n = write(fd, text, bytes < PIPE_BUF ? bytes : PIPE_BUF);
        if (n < 0 && errno != EAGAIN) return errno;
        if (n < 0) continue;
        text += n;
        bytes -= (size_t)n;
    }
    return 0;
}

static int write_to(lua_State *L, int fd)
{
    struct shell *s = owner_of(L);
    size_t bytes;
    const char *text = luaL_checklstring(L, 1, &bytes);
    int error = s->is_mute[fd] ? 0 : write_all(s->stream[fd], text, bytes);
    if (error == 0) return 0;
    s->is_mute[fd] = true;
    if (error == EINTR || fd != STDOUT_FILENO) return 0;
    fprintf(stderr, "moth: standard output cannot be written: %s\n", strerror(error));
    s->setup.quit(s->setup.owner, EXIT_FAILURE);
    return 0;
}

/* write(text) */
static int l_write(lua_State *L)
{
    return write_to(L, STDOUT_FILENO);
}

/* complain(text) */
static int l_complain(lua_State *L)
{
    return write_to(L, STDERR_FILENO);
}

/* hold(on) */
static int l_hold(lua_State *L)
{
    owner_of(L)->is_busy = lua_toboolean(L, 1);
    return 0;
}

/* --- what Lua is called for --- */

/* Leaves the function `name` of the module on the stack. */
static void push_function(lua_State *L, const char *name)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, MODULE);
    lua_getfield(L, -1, name);
}

static void push_options(lua_State *L, struct shell *s)
{
    static const luaL_Reg functions[] = {{"write", l_write}, {"complain", l_complain}, {"hold", l_hold}, {NULL, NULL}};
    lua_createtable(L, 0, 5);
    lua_pushlightuserdata(L, s);
    luaL_setfuncs(L, functions, 1);
    lua_getglobal(L, "node");
    lua_setfield(L, -2, "node");
    lua_pushboolean(L, s->setup.is_terminal);
    lua_setfield(L, -2, "is_terminal");
}

static void push_list(lua_State *L, char *const *texts, size_t count)
{
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushstring(L, texts[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static int call_start(lua_State *L)
{
    struct shell *s = lua_touserdata(L, 1);
    lua_getglobal(L, "require");
    lua_pushliteral(L, MODULE);
    lua_call(L, 1, 0);
    push_function(L, "start");
    push_options(L, s);
    push_list(L, s->setup.connect, s->setup.connects);
    push_list(L, s->setup.load, s->setup.loads);
    lua_call(L, 3, 0);
    return 0;
}

struct line {
    const char *text; /* borrowed; NULL: the end */
    size_t bytes;
    int rc;
};

static int call_line(lua_State *L)
{
    const struct line *line = lua_touserdata(L, 1);
    push_function(L, line->text ? "line" : "finish");
    if (line->text) lua_pushlstring(L, line->text, line->bytes);
    else if (line->rc < 0) lua_pushstring(L, moth_error_text(line->rc));
    else lua_pushnil(L);
    lua_call(L, 1, 0);
    return 0;
}

static int call_interrupt(lua_State *L)
{
    bool *ends = lua_touserdata(L, 1);
    push_function(L, "interrupt");
    lua_call(L, 0, 1);
    *ends = lua_toboolean(L, -1);
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
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) s->stream[fd] = stream_open(fd);
    s->runtime = runtime_new(setup->host);
    if (s->runtime) guard_take_signals(runtime_guard(s->runtime));
    if (s->runtime && bind_all(s) && runtime_call(s->runtime, call_start, s) == 0) return s;
    shell_close(s);
    return NULL;
}

void shell_close(struct shell *s)
{
    if (!s) return;
    runtime_free(s->runtime);
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (s->stream[fd] != fd) close(s->stream[fd]);
    free(s);
}

void shell_event(struct shell *s, const struct moth_event *event)
{
    bind_node_event(s->runtime, s->binding, event);
}

/* Whatever goes wrong here would leave a process that cannot be told to end. */
static void call_or_quit(struct shell *s, lua_CFunction function, void *argument)
{
    if (runtime_call(s->runtime, function, argument) < 0) s->setup.quit(s->setup.owner, EXIT_FAILURE);
}

void shell_line(struct shell *s, const char *line, size_t bytes, int rc)
{
    struct line l = {.text = line, .bytes = bytes, .rc = rc};
    call_or_quit(s, call_line, &l);
}

bool shell_interrupt(struct shell *s)
{
    bool ends = true;
    call_or_quit(s, call_interrupt, &ends);
    return ends;
}

bool shell_is_busy(const struct shell *s)
{
    return s->is_busy;
}

uint64_t shell_tick(struct shell *s)
{
    return runtime_tick(s->runtime);
}
