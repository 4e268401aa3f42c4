/* bind_node.c -- the methods of `node`: check, call, translate, return.
 *
 * Failure is `nil, why, code`: a sentence for people and a word for programs; errors are raised only for
 * arguments of a wrong type. What has to do with messages is in bind_message.c, events are in bind_event.c. */
#include "script/bind_node.h"

#include "script/bind.h"

#include <stdio.h>
#include <string.h>

/* --- links --- */

/* node:connect(HOST:PORT) -> true | nil, why, code; returns at once, the events tell */
static int l_connect(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    const char *address = bind_check_word(L, 2);
    return bind_push_result(L, address ? moth_connect(node, address) : MOTH_EBAD_ADDRESS);
}

/* node:disconnect(PEER | HOST:PORT) -> true | nil, why, code */
static int l_disconnect(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    const char *who = bind_check_word(L, 2);
    struct moth_id peer;
    if (who && strchr(who, ':')) return bind_push_result(L, moth_disconnect_address(node, who));
    int rc = bind_resolve_peer(L, node, 2, &peer);
    return bind_push_result(L, rc < 0 ? rc : moth_disconnect(node, &peer));
}

/* node:wanted() -> {{address, linked, peer, reason, why, retry_in_ms}} */
static int l_wanted(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    size_t count = moth_wanted(node, NULL, 0);
    struct moth_wanted *wanted = bind_push_room(L, count, sizeof *wanted);
    count = moth_wanted(node, wanted, count);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_createtable(L, 0, 6);
        bind_set_string(L, "address", wanted[i].address);
        bind_set_boolean(L, "linked", wanted[i].linked);
        if (wanted[i].has_peer) bind_set_id(L, "peer", &wanted[i].peer);
        bind_set_reason(L, wanted[i].reason);
        bind_set_integer(L, "retry_in_ms", wanted[i].retry_in_ms);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* --- who is there --- */

static void push_peer(lua_State *L, const struct moth_peer *peer)
{
    lua_createtable(L, 0, 12);
    bind_set_id(L, "id", &peer->id);
    bind_set_string(L, "name", peer->name);
    bind_set_string(L, "claimed", peer->claimed);
    bind_set_boolean(L, "aliased", peer->is_aliased);
    bind_set_boolean(L, "blocked", peer->is_blocked);
    bind_set_string(L, "address", peer->address);
    bind_set_boolean(L, "up", peer->reachable);
    bind_set_boolean(L, "linked", peer->linked);
    bind_set_boolean(L, "inbound", peer->inbound);
    bind_set_integer(L, "hops", peer->hops);
    if (peer->reachable) bind_set_id(L, "via", &peer->via);
    if (peer->rtt_us < 0) return;
    lua_pushnumber(L, (lua_Number)peer->rtt_us / 1000);
    lua_setfield(L, -2, "rtt_ms");
}

static bool is_any(const struct moth_peer *peer)
{
    (void)peer;
    return true;
}

static bool is_linked(const struct moth_peer *peer)
{
    return peer->linked;
}

static bool is_reachable(const struct moth_peer *peer)
{
    return peer->reachable;
}

static int push_peers(lua_State *L, bool (*is_wanted)(const struct moth_peer *peer))
{
    struct moth_node *node = bind_check_node(L);
    size_t count = moth_peers(node, NULL, 0);
    struct moth_peer *peers = bind_push_room(L, count, sizeof *peers);
    lua_Integer n = 0;
    count = moth_peers(node, peers, count);
    lua_newtable(L);
    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(&peers[i])) continue;
        push_peer(L, &peers[i]);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/* node:peers() -> {{id, name, claimed, aliased, blocked, address, up, linked, inbound, hops, via, rtt_ms}}: everybody
 * who is known, by name; `claimed` is what they call themselves, "" when that is not known */
static int l_peers(lua_State *L)
{
    return push_peers(L, is_any);
}

/* node:links() -> the same, direct neighbours only */
static int l_links(lua_State *L)
{
    return push_peers(L, is_linked);
}

/* node:routes() -> the same, only who can be reached */
static int l_routes(lua_State *L)
{
    return push_peers(L, is_reachable);
}

/* node:peer(PEER) -> one of these | nil, why, code */
static int l_peer(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    struct moth_id id;
    struct moth_peer peer;
    int rc = bind_resolve_peer(L, node, 2, &id);
    if (rc < 0 || (rc = moth_peer_get(node, &id, &peer)) < 0) return bind_push_error(L, rc);
    push_peer(L, &peer);
    return 1;
}

/* node:resolve(PEER) -> id | nil, why, code */
static int l_resolve(lua_State *L)
{
    struct moth_id id;
    int rc = bind_resolve_peer(L, bind_check_node(L), 2, &id);
    if (rc < 0) return bind_push_error(L, rc);
    bind_push_id(L, &id);
    return 1;
}

/* node:path(PEER) -> {ids from this node to that peer} | nil, why, code */
static int l_path(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    struct moth_id to, path[MOTH_HOPS_MAX + 1];
    int rc = bind_resolve_peer(L, node, 2, &to);
    if (rc < 0) return bind_push_error(L, rc);
    size_t count = moth_path(node, &to, path, MOTH_HOPS_MAX + 1);
    if (count == 0 || count > MOTH_HOPS_MAX + 1) return bind_push_error(L, MOTH_EUNREACHABLE);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        bind_push_id(L, &path[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* node:edges() -> {{a, b}}: the network as this node sees it */
static int l_edges(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    size_t count = moth_edges(node, NULL, 0);
    struct moth_edge *edges = bind_push_room(L, count, sizeof *edges);
    count = moth_edges(node, edges, count);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_createtable(L, 0, 2);
        bind_set_id(L, "a", &edges[i].a);
        bind_set_id(L, "b", &edges[i].b);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* node:is_synced(PEER) -> boolean: that neighbour has told whom it knows */
static int l_is_synced(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    struct moth_id id;
    lua_pushboolean(L, bind_resolve_peer(L, node, 2, &id) == 0 && moth_is_synced(node, &id));
    return 1;
}

/* --- what the owner makes of them --- */

static int push_taken(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "another peer, or this node, has that name");
    lua_pushstring(L, moth_error_code(MOTH_EIN_USE));
    return 3;
}

/* node:alias(PEER, NAME | nil) -> true | nil, why, code */
static int l_alias(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    struct moth_id id;
    luaL_checkany(L, 3);
    const char *alias = lua_isnil(L, 3) ? NULL : bind_check_word(L, 3);
    int rc = bind_resolve_peer(L, node, 2, &id);
    if (rc == 0 && !alias && !lua_isnil(L, 3)) rc = MOTH_EBAD_NAME;
    if (rc == 0) rc = moth_alias(node, &id, alias);
    return rc == MOTH_EIN_USE ? push_taken(L) : bind_push_result(L, rc);
}

static int push_blocked(lua_State *L, bool block)
{
    struct moth_node *node = bind_check_node(L);
    struct moth_id id;
    int rc = bind_resolve_peer(L, node, 2, &id);
    return bind_push_result(L, rc < 0 ? rc : moth_block(node, &id, block));
}

/* node:block(PEER) -> true | nil, why, code: no link, and what they send is refused */
static int l_block(lua_State *L)
{
    return push_blocked(L, true);
}

/* node:unblock(PEER) -> true | nil, why, code */
static int l_unblock(lua_State *L)
{
    return push_blocked(L, false);
}

/* --- figures --- */

static void set_counters(lua_State *L, const struct moth_status *s)
{
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {
        {"uptime_ms", s->uptime_ms}, {"frames_in", s->frames_in}, {"frames_out", s->frames_out},
        {"bytes_in", s->bytes_in}, {"bytes_out", s->bytes_out}, {"message_bytes_out", s->message_bytes_out},
        {"messages_sent", s->messages_sent},
        {"messages_received", s->messages_received}, {"messages_relayed", s->messages_relayed},
        {"messages_delivered", s->messages_delivered}, {"broadcasts_relayed", s->broadcasts_relayed},
        {"adverts_in", s->adverts_in}, {"adverts_out", s->adverts_out}, {"recomputes", s->recomputes},
        {"handshakes", s->handshakes}, {"dials", s->dials}, {"links", s->links}, {"handshaking", s->handshaking},
        {"peers", s->peers}, {"reachable", s->reachable}, {"mail", s->mail}, {"mail_bytes", s->mail_bytes},
        {"queued_bytes", s->queued_bytes}, {"queued_bytes_most", s->queued_bytes_most},
        {"control_bytes_most", s->control_bytes_most},
        {"messages_redelivered", s->messages_redelivered}, {"deposits_made", s->deposits_made},
        {"deposits_taken", s->deposits_taken}, {"handed_over", s->handed_over}, {"commits", s->commits},
        {"commit_operations", s->commit_operations}, {"carried", s->carried}, {"carried_bytes", s->carried_bytes},
        {"inbox", s->inbox}, {"inbox_bytes", s->inbox_bytes}, {"set_aside", s->set_aside},
        {"script_data_bytes", s->script_data_bytes}, {"jobs", s->jobs},
        {"history_bytes", s->history_bytes}, {"writes_waiting", s->writes_waiting},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) bind_set_integer(L, fields[i].name, fields[i].value);
}

static void push_discarded(lua_State *L, const struct moth_status *s)
{
    lua_Integer n = 0;
    lua_newtable(L);
    for (int i = 0; i < MOTH_ERROR_COUNT; i++) {
        if (s->discarded[i] == 0) continue;
        lua_createtable(L, 0, 3);
        bind_set_integer(L, "count", s->discarded[i]);
        bind_set_string(L, "code", moth_error_code(-i));
        bind_set_string(L, "why", moth_error_text(-i));
        lua_rawseti(L, -2, ++n);
    }
}

/* node:status() -> {uptime_ms, frames_in, ... discarded = {{count, code, why}}, store_reason, store_why}; the last two
 * only when nothing new can be promised */
static int l_status(lua_State *L)
{
    struct moth_status status;
    moth_status(bind_check_node(L), &status);
    lua_newtable(L);
    set_counters(L, &status);
    push_discarded(L, &status);
    lua_setfield(L, -2, "discarded");
    if (status.store_reason == MOTH_OK) return 1;
    bind_set_string(L, "store_reason", moth_error_code(status.store_reason));
    bind_set_string(L, "store_why", moth_error_text(status.store_reason));
    return 1;
}

/* node:limits() -> {{name, value, unit, behaviour}} */
static int l_limits(lua_State *L)
{
    struct moth_status status;
    moth_status(bind_check_node(L), &status);
    lua_createtable(L, MOTH_LIMIT_COUNT, 0);
    for (int i = 0; i < MOTH_LIMIT_COUNT; i++) {
        const struct moth_limit_info *info = moth_limit_info((enum moth_limit)i);
        lua_createtable(L, 0, 4);
        bind_set_string(L, "name", info->name);
        bind_set_string(L, "unit", info->unit);
        bind_set_string(L, "behaviour", info->behaviour);
        bind_set_integer(L, "value", status.limits[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* --- the end --- */

/* node:leave(): goodbye to all links, nothing new is accepted */
static int l_leave(lua_State *L)
{
    moth_node_leave(bind_check_node(L));
    return 0;
}

/* node:is_quiet() -> boolean: nothing is being written, no mail is on its way */
static int l_is_quiet(lua_State *L)
{
    lua_pushboolean(L, moth_node_is_quiet(bind_check_node(L)));
    return 1;
}

/* node:quit([status]): the program ends after this turn */
static int l_quit(lua_State *L)
{
    struct binding *b = bind_check_binding(L);
    int status = (int)luaL_optinteger(L, 2, 0);
    if (b->quit) b->quit(b->owner, status);
    return 0;
}

/* node:methods() -> the methods of all nodes, to be added to */
static int l_methods(lua_State *L)
{
    bind_check_binding(L);
    luaL_getmetatable(L, BIND_NODE);
    lua_getfield(L, -1, "__index");
    lua_getupvalue(L, -1, 1);
    return 1;
}

/* --- for C --- */

void bind_node_know(struct binding *b, const struct moth_id *id, const char *name, const char *address)
{
    b->id = *id;
    snprintf(b->name, sizeof b->name, "%s", name);
    snprintf(b->address, sizeof b->address, "%s", address);
}

void bind_node_change(struct binding *b, struct moth_node *node)
{
    b->node = node;
    b->life += node != NULL;
    if (node) bind_node_know(b, moth_node_id(node), moth_node_name(node), moth_node_address(node));
}

void bind_node_watch(struct binding *b, struct binding **touched)
{
    b->touched = touched;
}

void *bind_node_owner(const struct binding *b)
{
    return b->owner;
}

struct binding *bind_node_next_touched(struct binding **touched)
{
    struct binding *b = *touched;
    if (!b) return NULL;
    *touched = b->next_touched;
    b->is_touched = false;
    return b;
}

/* --- making it --- */

/* What is about the class, or bears that its node is gone. */
static bool needs_no_node(const char *method)
{
    static const char *const all[] = {"methods", "message_methods", "next_event", "begin", "commit", "discard"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(method, all[i]) == 0) return true;
    return false;
}

/* Any other method of a node that does not run. */
static int l_is_down(lua_State *L)
{
    return bind_push_error(L, MOTH_ESHUTDOWN);
}

/* node.id  node.name  node.address  node.is_running, and the methods */
static int l_index(lua_State *L)
{
    const struct binding *b = bind_check_binding(L);
    const struct moth_node *node = b->node;
    const char *key = luaL_checkstring(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) {
        if (!node && !needs_no_node(key)) lua_pushcfunction(L, l_is_down);
        return 1;
    }
    if (strcmp(key, "is_running") == 0) lua_pushboolean(L, node != NULL);
    else if (strcmp(key, "id") == 0) bind_push_id(L, &b->id);
    else if (strcmp(key, "name") == 0) lua_pushstring(L, b->name);
    else if (strcmp(key, "address") == 0) lua_pushstring(L, b->address);
    return 1;
}

/* tostring(node) -> "node ana" */
static int l_tostring(lua_State *L)
{
    lua_pushfstring(L, "node %s", bind_check_binding(L)->name);
    return 1;
}

static const luaL_Reg methods[] = {
    {"connect", l_connect}, {"disconnect", l_disconnect}, {"wanted", l_wanted}, {"peers", l_peers}, {"links", l_links},
    {"routes", l_routes}, {"peer", l_peer}, {"path", l_path}, {"edges", l_edges}, {"resolve", l_resolve},
    {"is_synced", l_is_synced}, {"alias", l_alias}, {"block", l_block}, {"unblock", l_unblock}, {"status", l_status},
    {"limits", l_limits}, {"leave", l_leave}, {"is_quiet", l_is_quiet}, {"quit", l_quit},
    {"methods", l_methods}, {NULL, NULL},
};

static void make_class(lua_State *L)
{
    luaL_newmetatable(L, BIND_NODE);
    luaL_newlib(L, methods);
    luaL_setfuncs(L, bind_message_methods, 0);
    luaL_setfuncs(L, bind_event_methods, 0);
    luaL_setfuncs(L, bind_data_methods, 0);
    luaL_setfuncs(L, bind_invite_methods, 0);
    lua_pushcclosure(L, l_index, 1);
    lua_setfield(L, -2, "__index");
    bind_set_metamethods(L, "node", l_tostring);
    lua_pop(L, 1);
}

struct making {
    struct binding binding;
    struct binding *made;
};

static int l_make(lua_State *L)
{
    struct making *making = lua_touserdata(L, 1);
    if (luaL_getmetatable(L, BIND_NODE) == LUA_TNIL) { /* it is the first one */
        bind_make_message_class(L);
        make_class(L);
        bind_make_waiting(L);
    }
    struct binding *b = lua_newuserdatauv(L, sizeof *b, BIND_USERVALUES);
    *b = making->binding;
    luaL_setmetatable(L, BIND_NODE);
    for (int i = 1; i <= BIND_USERVALUES; i++) {
        lua_newtable(L);
        lua_setiuservalue(L, -2, i);
    }
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, b);
    lua_setglobal(L, "node");
    making->made = b;
    return 0;
}

struct binding *bind_node(struct runtime *r, struct moth_node *node, void (*quit)(void *owner, int status),
                          void *owner)
{
    struct making making = {{.node = node, .runtime = r, .quit = quit, .owner = owner}, NULL};
    if (runtime_call(r, l_make, &making) < 0) return NULL;
    bind_node_change(making.made, node);
    return making.made;
}
