/* bind_tcp.c -- servers and streams, raw: nothing here waits.
 *
 * What happened comes from core.tcp.next(), called at the end of a turn; a wake of the runtime says that there is
 * something. An object that nobody in Lua holds any more is closed when it is collected. */
#include "script/bind_tcp.h"

#include "script/bind.h"
#include "script/bind_parts.h"

#include <string.h>

#define OBJECTS "moth.tcp.objects"    /* where the registry keeps servers and streams by their addresses, weakly */
#define STREAM "moth.tcp.stream"
#define SERVER "moth.tcp.server"
#define LINE_BYTES_MAX (64u << 10)    /* unless given */

struct tcp {
    struct moth_tcp *all; /* owned; NULL: Lua ends */
};

struct stream {
    struct tcp *tcp;            /* borrowed */
    struct moth_stream *stream; /* owned; NULL: closed */
};

struct server {
    struct tcp *tcp;            /* borrowed */
    struct moth_server *server; /* owned; NULL: closed */
};

/* That of the function which is called; the registry keeps it for as long as Lua is there. */
static struct tcp *tcp_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* --- objects by what they stand for --- */

/* The object on top of the stack stands for `key`. */
static void remember(lua_State *L, const void *key)
{
    lua_getfield(L, LUA_REGISTRYINDEX, OBJECTS);
    lua_pushvalue(L, -2);
    lua_rawsetp(L, -2, key);
    lua_pop(L, 1);
}

static void forget(lua_State *L, const void *key)
{
    lua_getfield(L, LUA_REGISTRYINDEX, OBJECTS);
    lua_pushnil(L);
    lua_rawsetp(L, -2, key);
    lua_pop(L, 1);
}

/* False: it is about to be collected, and nothing is pushed. */
static bool push_object(lua_State *L, const void *key)
{
    lua_getfield(L, LUA_REGISTRYINDEX, OBJECTS);
    bool found = lua_rawgetp(L, -1, key) == LUA_TUSERDATA;
    lua_remove(L, -2);
    if (!found) lua_pop(L, 1);
    return found;
}

static int push_closed(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "the connection is closed");
    lua_pushstring(L, moth_error_code(MOTH_ECLOSED));
    return 3;
}

/* --- streams: opening and closing --- */

static struct stream *check_stream(lua_State *L)
{
    return luaL_checkudata(L, 1, STREAM);
}

/* An empty one first: Lua may fail here, and then there is nothing to lose. */
static struct stream *push_stream(lua_State *L, struct tcp *tcp)
{
    struct stream *s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (struct stream){.tcp = tcp};
    luaL_setmetatable(L, STREAM);
    return s;
}

/* core.tcp.connect(address) -> stream | nil, why, code; it opens or ends later */
static int l_connect(lua_State *L)
{
    const char *address = bind_check_word(L, 1);
    if (!address) return bind_push_error(L, MOTH_EBAD_ADDRESS);
    struct stream *s = push_stream(L, tcp_of(L));
    int rc = moth_tcp_connect(s->tcp->all, address, &s->stream);
    if (rc < 0) return bind_push_error(L, rc);
    remember(L, s->stream);
    return 1;
}

static void close_stream(lua_State *L, struct stream *s)
{
    struct moth_stream *stream = s->stream;
    s->stream = NULL;
    if (!stream || !s->tcp->all) return;
    forget(L, stream);
    moth_stream_close(stream);
}

/* stream:close(); a second time is fine */
static int l_stream_close(lua_State *L)
{
    close_stream(L, check_stream(L));
    return 0;
}

static int l_stream_tostring(lua_State *L)
{
    check_stream(L);
    lua_pushliteral(L, STREAM);
    return 1;
}

/* stream:address() -> "HOST:PORT" of the other end, "none" until it is open */
static int l_stream_address(lua_State *L)
{
    struct stream *s = check_stream(L);
    lua_pushstring(L, s->stream ? moth_stream_address(s->stream) : "none");
    return 1;
}

/* stream:state() -> "opening" | "open" | nil, why, code */
static int l_stream_state(lua_State *L)
{
    struct stream *s = check_stream(L);
    if (!s->stream) return push_closed(L);
    int state = moth_stream_state(s->stream);
    if (state < 0 && state != MOTH_EBUSY) return bind_push_error(L, state);
    lua_pushstring(L, state == 0 ? "open" : "opening");
    return 1;
}

/* --- streams: reading and writing --- */

static bool has_ended(const struct stream *s)
{
    int state = moth_stream_state(s->stream);
    return state < 0 && state != MOTH_EBUSY;
}

static void push_taken(lua_State *L, struct stream *s, const char *data, size_t shown, size_t taken)
{
    lua_pushlstring(L, data, shown);
    moth_stream_take(s->stream, taken);
}

/* stream:take(least, most) -> bytes | nil: less than `least` are there and more may come */
static int l_stream_take(lua_State *L)
{
    struct stream *s = check_stream(L);
    lua_Integer least = luaL_checkinteger(L, 2), most = luaL_checkinteger(L, 3);
    size_t bytes = 0;
    const char *data = s->stream ? moth_stream_bytes(s->stream, &bytes) : NULL;
    if (bytes == 0 || ((lua_Integer)bytes < least && !has_ended(s))) return 0;
    if ((lua_Integer)bytes > most) bytes = (size_t)most;
    push_taken(L, s, data, bytes, bytes);
    return 1;
}

static size_t without_return(const char *line, size_t bytes)
{
    return bytes > 0 && line[bytes - 1] == '\r' ? bytes - 1 : bytes;
}

/* stream:take_line([max]) -> line without its end | nil: no whole line is there | nil, why, code: too_big; at the end
 * what is left is a line */
static int l_stream_take_line(lua_State *L)
{
    struct stream *s = check_stream(L);
    lua_Integer max = luaL_optinteger(L, 2, LINE_BYTES_MAX);
    size_t bytes = 0;
    const char *data = s->stream ? moth_stream_bytes(s->stream, &bytes) : NULL;
    if (bytes == 0) return 0;
    const char *end = memchr(data, '\n', bytes);
    size_t line = end ? (size_t)(end - data) : bytes, shown = end ? without_return(data, line) : line;
    if ((lua_Integer)without_return(data, line) > max) return bind_push_error(L, MOTH_ETOO_BIG);
    if (!end && !has_ended(s)) return 0;
    push_taken(L, s, data, shown, end ? line + 1 : line);
    return 1;
}

/* stream:write(bytes) -> true | nil, why, code: full, busy (it is being opened), or why it ended */
static int l_stream_write(lua_State *L)
{
    struct stream *s = check_stream(L);
    size_t bytes;
    const char *data = luaL_checklstring(L, 2, &bytes);
    return s->stream ? bind_push_result(L, moth_stream_write(s->stream, data, bytes)) : push_closed(L);
}

/* stream:is_slow() -> boolean: so much waits to be sent that a writer should wait */
static int l_stream_is_slow(lua_State *L)
{
    struct stream *s = check_stream(L);
    lua_pushboolean(L, s->stream && moth_stream_queued(s->stream) > MOTH_STREAM_WRITE_LOW);
    return 1;
}

/* --- servers --- */

static struct server *check_server(lua_State *L)
{
    return luaL_checkudata(L, 1, SERVER);
}

/* core.tcp.listen(address) -> server | nil, why, code */
static int l_listen(lua_State *L)
{
    const char *address = bind_check_word(L, 1);
    if (!address) return bind_push_error(L, MOTH_EBAD_ADDRESS);
    struct server *s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (struct server){.tcp = tcp_of(L)};
    luaL_setmetatable(L, SERVER);
    int rc = moth_tcp_listen(s->tcp->all, address, &s->server);
    if (rc < 0) return bind_push_error(L, rc);
    remember(L, s->server);
    return 1;
}

/* server:accept() -> stream | nil */
static int l_server_accept(lua_State *L)
{
    struct server *server = check_server(L);
    struct stream *s = push_stream(L, server->tcp);
    s->stream = server->server ? moth_server_accept(server->server) : NULL;
    if (!s->stream) return 0;
    remember(L, s->stream);
    return 1;
}

/* server:address() -> "HOST:PORT" */
static int l_server_address(lua_State *L)
{
    struct server *s = check_server(L);
    lua_pushstring(L, s->server ? moth_server_address(s->server) : "none");
    return 1;
}

/* server:close(): listens no more; what was accepted stays. A second time is fine */
static int l_server_close(lua_State *L)
{
    struct server *s = check_server(L);
    struct moth_server *server = s->server;
    s->server = NULL;
    if (!server || !s->tcp->all) return 0;
    forget(L, server);
    moth_server_close(server);
    return 0;
}

static int l_server_tostring(lua_State *L)
{
    check_server(L);
    lua_pushliteral(L, SERVER);
    return 1;
}

/* --- news --- */

/* core.tcp.next() -> server or stream | nil: what somebody connected to, or what opened, got bytes, ended, or takes
 * more */
static int l_next(lua_State *L)
{
    struct tcp *tcp = tcp_of(L);
    struct moth_server *server;
    struct moth_stream *stream;
    while (moth_tcp_next(tcp->all, &server, &stream))
        if (push_object(L, server ? (void *)server : (void *)stream)) return 1;
    return 0;
}

static void on_news(void *owner)
{
    runtime_wake(owner);
}

/* --- making it --- */

static const luaL_Reg stream_methods[] = {
    {"address", l_stream_address}, {"state", l_stream_state}, {"take", l_stream_take},
    {"take_line", l_stream_take_line}, {"write", l_stream_write}, {"is_slow", l_stream_is_slow},
    {"close", l_stream_close}, {NULL, NULL},
};
static const luaL_Reg server_methods[] = {
    {"accept", l_server_accept}, {"address", l_server_address}, {"close", l_server_close}, {NULL, NULL},
};
static const luaL_Reg functions[] = {{"connect", l_connect}, {"listen", l_listen}, {"next", l_next}, {NULL, NULL}};

static int l_end(lua_State *L)
{
    struct tcp *tcp = lua_touserdata(L, 1);
    moth_tcp_close(tcp->all);
    tcp->all = NULL;
    return 0;
}

static void make_objects(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_setfield(L, LUA_REGISTRYINDEX, OBJECTS);
}

/* Leaves it on the stack. */
static void make_tcp(lua_State *L, const struct moth_tcp_setup *setup)
{
    struct tcp *tcp = lua_newuserdatauv(L, sizeof *tcp, 0);
    tcp->all = NULL;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_end);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    tcp->all = moth_tcp_open(setup);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, tcp);
}

static void make_classes(lua_State *L)
{
    bool is_made = lua_getfield(L, LUA_REGISTRYINDEX, OBJECTS) != LUA_TNIL;
    lua_pop(L, 1);
    if (is_made) return;
    make_objects(L);
    bind_make_class(L, STREAM, stream_methods, l_stream_close, l_stream_tostring);
    bind_make_class(L, SERVER, server_methods, l_server_close, l_server_tostring);
}

int bind_tcp_push(lua_State *L, struct moth_transport *transport, bool beyond)
{
    struct moth_tcp_setup setup = {.transport = transport, .beyond = beyond, .on_news = on_news,
                                   .owner = runtime_of(L)};
    make_classes(L);
    luaL_newlibtable(L, functions);
    make_tcp(L, &setup);
    luaL_setfuncs(L, functions, 1);
    return 1;
}

struct making {
    struct moth_transport *transport;
    bool beyond;
};

static int l_make(lua_State *L)
{
    const struct making *m = lua_touserdata(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "moth.core");
    bind_tcp_push(L, m->transport, m->beyond);
    lua_setfield(L, -2, "tcp");
    return 0;
}

int bind_tcp(struct runtime *r, struct moth_transport *transport, bool beyond)
{
    struct making m = {transport, beyond};
    return runtime_call(r, l_make, &m);
}
