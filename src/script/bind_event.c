/* bind_event.c -- events as tables, and hooks.
 *
 * An event comes in the midst of other work of the node, where no script may run. So it waits here, in a queue that the
 * Lua side empties at the end of the turn (node:next_event). A durable message is held until the Lua side says that it
 * is handled. Hooks are different: they are asked at once. */
#include "script/bind_node.h"

#include "script/bind.h"

#include <string.h>

#define QUEUE_MAX 10000               /* events; beyond them, what is not durable is dropped: busy */
#define QUEUE_BYTES_MAX (16u << 20) /* of messages; the same */

/* --- events as tables --- */

static void push_path(lua_State *L, const struct moth_message *m)
{
    char text[MOTH_ID_TEXT_BYTES];
    struct moth_id id = {{0}};
    lua_createtable(L, (int)m->path_hops, 0);
    for (size_t i = 0; i < m->path_hops; i++) {
        memcpy(id.bytes, m->path + i * PATH_BYTES, PATH_BYTES);
        moth_id_format(&id, text);
        lua_pushlstring(L, text, (size_t)PATH_BYTES * 2);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "path");
}

/* What is false is left to the class of messages (moth/bot.lua), which says so for all. */
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
    if (m->durable) bind_set_boolean(L, "durable", true);
    if (m->broadcast) bind_set_boolean(L, "broadcast", true);
    if (m->redelivered) bind_set_boolean(L, "redelivered", true);
    if (m->is_auto) bind_set_boolean(L, "auto", true);
    if (m->re != 0) bind_set_integer(L, "re", m->re);
    if (m->path) push_path(L, m);
}

static void set_way(lua_State *L, const char *key, const struct moth_id *next)
{
    static const struct moth_id none;
    if (memcmp(next, &none, sizeof none) != 0) bind_set_id(L, key, next);
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
    if (is_way) set_way(L, "via", &e->via);
    if (is_way) bind_set_integer(L, "hops", e->hops);
    if (e->kind == MOTH_EVENT_ROUTE) set_way(L, "old", &e->old);
}

static void push_note(lua_State *L, const char *text)
{
    lua_createtable(L, 0, 1);
    bind_set_string(L, "text", text);
}

static void push_event(lua_State *L, struct binding *b, const struct moth_event *e)
{
    switch (e->kind) {
    case MOTH_EVENT_MESSAGE:
    case MOTH_EVENT_REQUEST:
    case MOTH_EVENT_REPLY: push_received(L, e->message); break;
    case MOTH_EVENT_STATE: bind_push_message(L, b, e->sent); break;
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

/* --- who has events: a list in the order in which their first ones came --- */

#define WAITING "moth.waiting"

struct waiting {
    struct binding *first, **end;
};

static struct waiting *waiting_of(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, WAITING);
    struct waiting *w = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return w;
}

static void start_waiting(lua_State *L, struct binding *b)
{
    struct waiting *w = waiting_of(L);
    if (b->is_waiting) return;
    b->is_waiting = true;
    b->next_waiting = NULL;
    *w->end = b;
    w->end = &b->next_waiting;
}

static void stop_waiting(lua_State *L, struct binding *b)
{
    struct waiting *w = waiting_of(L);
    struct binding **at = &w->first;
    if (!b->is_waiting) return;
    b->is_waiting = false;
    while (*at != b) at = &(*at)->next_waiting;
    *at = b->next_waiting;
    if (!*at) w->end = at;
}

/* moth.core.waiting() -> the node whose events have waited longest, nil when there are none */
static int l_waiting(lua_State *L)
{
    const struct waiting *w = waiting_of(L);
    if (!w->first) return 0;
    bind_push_binding(L, w->first);
    return 1;
}

void bind_make_waiting(lua_State *L)
{
    struct waiting *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct waiting){.end = &w->first};
    lua_setfield(L, LUA_REGISTRYINDEX, WAITING);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "moth.core");
    lua_pushcfunction(L, l_waiting);
    lua_setfield(L, -2, "waiting");
    lua_pop(L, 2);
}

/* --- the queue: names and events by turns, in the first uservalue of the node --- */

struct arrival {
    struct binding *binding;
    const struct moth_event *event;
};

static int l_add(lua_State *L)
{
    const struct arrival *arrival = lua_touserdata(L, 1);
    const struct moth_event *e = arrival->event;
    struct binding *b = arrival->binding;
    bind_push_binding(L, b);
    lua_getiuservalue(L, -1, BIND_QUEUE);
    lua_pushstring(L, event_name(e->kind));
    lua_rawseti(L, -2, b->last_event + 1);
    push_event(L, b, e);
    lua_rawseti(L, -2, b->last_event + 2);
    b->last_event += 2;
    start_waiting(L, b);
    return 0;
}

static bool is_full(const struct binding *b)
{
    return b->last_event - b->next_event > 2 * QUEUE_MAX || b->queued_bytes > QUEUE_BYTES_MAX;
}

void bind_node_event(struct runtime *r, struct binding *b, const struct moth_event *event)
{
    if (!b->node) return; /* it is just being closed */
    if (event->message && !event->message->durable && is_full(b)) {
        moth_count_discard(b->node, MOTH_EBUSY);
        return;
    }
    if (event->message && event->message->durable) moth_hold(b->node, event->message);
    if (event->message) b->queued_bytes += event->message->bytes;
    runtime_call(r, l_add, &(struct arrival){b, event});
    runtime_wake(r);
}

static void take(lua_State *L, struct binding *b)
{
    lua_rawgeti(L, -1, ++b->next_event);
    lua_pushnil(L);
    lua_rawseti(L, -3, b->next_event);
    lua_insert(L, -2);
}

/* node:next_event() -> name, event | nil */
static int l_next_event(lua_State *L)
{
    struct binding *b = bind_check_binding(L);
    if (b->next_event == b->last_event) {
        b->next_event = b->last_event = 0;
        b->queued_bytes = 0;
        stop_waiting(L, b);
        return 0;
    }
    lua_getiuservalue(L, 1, BIND_QUEUE);
    take(L, b);
    take(L, b);
    lua_pop(L, 1);
    return 2;
}

/* node:handled(from, id): a durable message that was given is handled -> true | nil, why, code */
static int l_handled(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    struct moth_id from;
    size_t bytes;
    const char *text = luaL_checklstring(L, 2, &bytes);
    int rc = moth_id_parse(text, bytes, &from);
    return bind_push_result(L, rc < 0 ? rc : moth_handled(node, &from, (uint64_t)luaL_checkinteger(L, 3)));
}

/* node:pause_mail(on) */
static int l_pause_mail(lua_State *L)
{
    moth_pause_mail(bind_check_node(L), lua_toboolean(L, 2));
    return 0;
}

/* node:count_discard(word) */
static int l_count_discard(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    const char *word = luaL_checkstring(L, 2);
    for (int reason = -1; reason > -MOTH_ERROR_COUNT; reason--) {
        if (strcmp(moth_error_code(reason), word) != 0) continue;
        moth_count_discard(node, reason);
        return 0;
    }
    return luaL_argerror(L, 2, "there is no such reason");
}

/* --- hooks: functions by name, in the second uservalue of the node --- */

struct question {
    struct binding *binding;
    const char *hook;
    const struct moth_id *peer;
    const char *name, *address;
    bool inbound;
    const struct moth_forward *forward;
    const struct moth_message *message;
    bool vetoed;
};

static void push_question(lua_State *L, const struct question *q)
{
    if (q->message) {
        push_received(L, q->message);
        return;
    }
    lua_createtable(L, 0, 5);
    if (q->forward) {
        bind_set_id(L, "from", &q->forward->from);
        bind_set_id(L, "to", &q->forward->to);
        bind_set_integer(L, "id", q->forward->id);
        bind_set_integer(L, "bytes", q->forward->bytes);
        bind_set_boolean(L, "durable", q->forward->durable);
        return;
    }
    bind_set_id(L, "peer", q->peer);
    bind_set_string(L, "name", q->name);
    bind_set_string(L, "address", q->address);
    bind_set_boolean(L, "inbound", q->inbound);
}

static int l_ask(lua_State *L)
{
    struct question *q = lua_touserdata(L, 1);
    bind_push_binding(L, q->binding);
    lua_getiuservalue(L, -1, BIND_HOOKS);
    if (lua_getfield(L, -1, q->hook) == LUA_TNIL) return 0;
    push_question(L, q);
    lua_call(L, 1, 1);
    q->vetoed = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
    return 0;
}

static bool ask(struct question *q)
{
    runtime_call(q->binding->runtime, l_ask, q);
    return !q->vetoed;
}

static bool ask_accept(void *owner, const struct moth_id *peer, const char *name, const char *address, bool inbound)
{
    return ask(&(struct question){.binding = owner, .hook = "accept", .peer = peer, .name = name, .address = address,
                                  .inbound = inbound});
}

static bool ask_forward(void *owner, const struct moth_forward *message)
{
    return ask(&(struct question){.binding = owner, .hook = "forward", .forward = message});
}

static bool ask_deliver(void *owner, const struct moth_message *message)
{
    return ask(&(struct question){.binding = owner, .hook = "deliver", .message = message});
}

static bool has_hook(lua_State *L, const char *name)
{
    bool is_there = lua_getfield(L, -1, name) != LUA_TNIL;
    lua_pop(L, 1);
    return is_there;
}

/* node:set_hook("accept" | "forward" | "deliver", fn | nil): fn(e) returns false to veto */
static int l_set_hook(lua_State *L)
{
    static const char *const names[] = {"accept", "forward", "deliver", NULL};
    struct binding *b = bind_check_binding(L);
    int hook = luaL_checkoption(L, 2, NULL, names);
    lua_settop(L, 3);
    lua_getiuservalue(L, 1, BIND_HOOKS);
    lua_pushvalue(L, 3);
    lua_setfield(L, -2, names[hook]);
    struct moth_hooks hooks = {.accept = has_hook(L, "accept") ? ask_accept : NULL,
                               .forward = has_hook(L, "forward") ? ask_forward : NULL,
                               .deliver = has_hook(L, "deliver") ? ask_deliver : NULL};
    moth_set_hooks(b->node, &hooks, b);
    return 0;
}

const luaL_Reg bind_event_methods[] = {
    {"next_event", l_next_event}, {"handled", l_handled}, {"pause_mail", l_pause_mail},
    {"count_discard", l_count_discard}, {"set_hook", l_set_hook}, {NULL, NULL},
};
