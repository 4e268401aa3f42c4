/* bind_event.c -- events as tables: what happened goes to the bus written in Lua (moth/events.lua), which
 * runs the handlers. */
#include "script/bind_node.h"

#include "script/bind.h"

#include <string.h>

static bool is_event(const char *name)
{
    static const char *const names[] = {"message", "link:up", "link:down", "peer:up", "peer:down",
                                        "route", "state", "dial", "note"};
    if (strncmp(name, "message:", strlen("message:")) == 0) return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

/* node:on(event, fn) -> h; h:off() */
static int l_on(lua_State *L)
{
    bind_check_binding(L);
    luaL_argcheck(L, is_event(luaL_checkstring(L, 2)), 2, "there is no such event");
    luaL_checktype(L, 3, LUA_TFUNCTION);
    lua_getiuservalue(L, 1, 1);
    lua_getfield(L, -1, "on");
    lua_insert(L, -2);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    lua_call(L, 3, 1);
    return 1;
}

static void push_received(lua_State *L, const struct moth_message *m)
{
    lua_createtable(L, 0, 12);
    bind_set_integer(L, "id", m->id);
    bind_set_id(L, "from", &m->from);
    bind_set_string(L, "name", m->name);
    bind_set_string(L, "type", m->type);
    bind_set_string(L, "encoding", bind_encoding_name(m->encoding));
    bind_set_bytes(L, "data", m->data, m->bytes);
    bind_set_time(L, "time", m->sent_ms);
    bind_set_integer(L, "hops", m->hops);
    bind_set_boolean(L, "durable", m->durable);
    bind_set_boolean(L, "broadcast", m->broadcast);
    bind_set_boolean(L, "redelivered", m->redelivered);
    if (m->re != 0) bind_set_integer(L, "re", m->re);
}

/* {peer, name} and what that kind adds */
static void push_plain(lua_State *L, const struct moth_event *e)
{
    bool is_link = e->kind == MOTH_EVENT_LINK_UP || e->kind == MOTH_EVENT_LINK_DOWN;
    bool is_way = e->kind == MOTH_EVENT_PEER_UP || e->kind == MOTH_EVENT_ROUTE;
    lua_createtable(L, 0, 6);
    if (e->kind == MOTH_EVENT_DIAL || is_link) bind_set_string(L, "address", e->address);
    if (e->kind == MOTH_EVENT_DIAL || is_link) bind_set_reason(L, e->reason);
    if (e->kind == MOTH_EVENT_DIAL) return;
    bind_set_id(L, "peer", &e->peer);
    bind_set_string(L, "name", e->name);
    if (is_link) bind_set_boolean(L, "inbound", e->inbound);
    if (is_way) bind_set_id(L, "via", &e->via);
    if (is_way) bind_set_integer(L, "hops", e->hops);
    if (e->kind == MOTH_EVENT_ROUTE) bind_set_id(L, "old", &e->old);
}

static void push_note(lua_State *L, const char *text)
{
    lua_createtable(L, 0, 1);
    bind_set_string(L, "text", text);
}

static void push_event(lua_State *L, struct moth_node *node, const struct moth_event *e)
{
    switch (e->kind) {
    case MOTH_EVENT_MESSAGE:
    case MOTH_EVENT_REQUEST:
    case MOTH_EVENT_REPLY: push_received(L, e->message); break;
    case MOTH_EVENT_STATE: bind_push_message(L, node, e->sent); break;
    case MOTH_EVENT_NOTE: push_note(L, e->text); break;
    case MOTH_EVENT_LINK_UP:
    case MOTH_EVENT_LINK_DOWN:
    case MOTH_EVENT_PEER_UP:
    case MOTH_EVENT_PEER_DOWN:
    case MOTH_EVENT_ROUTE:
    case MOTH_EVENT_DIAL: push_plain(L, e); break;
    }
}

static const char *event_name(enum moth_event_kind kind)
{
    switch (kind) {
    case MOTH_EVENT_MESSAGE: return "message";
    case MOTH_EVENT_REQUEST: return "request";
    case MOTH_EVENT_REPLY: return "reply";
    case MOTH_EVENT_LINK_UP: return "link:up";
    case MOTH_EVENT_LINK_DOWN: return "link:down";
    case MOTH_EVENT_PEER_UP: return "peer:up";
    case MOTH_EVENT_PEER_DOWN: return "peer:down";
    case MOTH_EVENT_ROUTE: return "route";
    case MOTH_EVENT_STATE: return "state";
    case MOTH_EVENT_DIAL: return "dial";
    case MOTH_EVENT_NOTE: return "note";
    }
    return "";
}

/* bus:raise(name, e), with the name on top of the stack and `e` at index `event`; takes the name. */
static void raise_on(lua_State *L, int bus, int event)
{
    lua_getfield(L, bus, "raise");
    lua_insert(L, -2);
    lua_pushvalue(L, bus);
    lua_insert(L, -2);
    lua_pushvalue(L, event);
    lua_call(L, 3, 0);
}

static int l_raise(lua_State *L)
{
    const struct moth_event *e = lua_touserdata(L, 1);
    enum { BUS = 3, EVENT = 4 };
    lua_getfield(L, LUA_REGISTRYINDEX, BIND_NODE_OBJECT);
    struct binding *b = lua_touserdata(L, 2);
    lua_getiuservalue(L, 2, 1);
    push_event(L, b->node, e);
    lua_pushstring(L, event_name(e->kind));
    raise_on(L, BUS, EVENT);
    if (e->kind != MOTH_EVENT_MESSAGE) return 0;
    lua_pushfstring(L, "message:%s", e->message->type);
    raise_on(L, BUS, EVENT);
    return 0;
}

void bind_node_event(struct runtime *r, const struct moth_event *event)
{
    runtime_call(r, l_raise, (void *)(uintptr_t)event);
}

const luaL_Reg bind_event_methods[] = {{"on", l_on}, {NULL, NULL}};
