/* bind_message.c -- node:send and its kin. A message we sent is an object that asks the node for its state
 * whenever a field is read, and remembers the last answer for when the node has forgotten it. */
#include "script/bind.h"

#include "script/duration.h"
#include "script/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE "moth.message"
#define TTL_MAX_S (30 * 86400)
#define HISTORY_DEFAULT 20
#define HISTORY_MAX 10000

struct message { /* the userdata of a sent message, with the node as its uservalue; the class has its methods */
    struct binding *binding;
    unsigned life; /* of the node, when it was seen last */
    struct moth_id from;
    struct moth_sent last;
};

/* --- the object --- */

static void refresh(struct message *m)
{
    struct moth_sent now;
    struct moth_node *node = m->binding->node;
    if (!node) return;
    if (moth_message_get(node, m->last.id, &now) == 0) m->last = now;
    else if (m->life != m->binding->life && m->last.state == MOTH_PENDING) m->last.state = MOTH_LOST;
    m->life = m->binding->life;
}

int bind_push_message(lua_State *L, struct binding *b, const struct moth_sent *sent)
{
    struct message *m = lua_newuserdatauv(L, sizeof *m, 1);
    *m = (struct message){.binding = b, .life = b->life, .from = *moth_node_id(b->node), .last = *sent};
    luaL_setmetatable(L, MESSAGE);
    bind_push_binding(L, b);
    lua_setiuservalue(L, -2, 1);
    return 1;
}

static void push_message_fields(lua_State *L, const struct message *m)
{
    lua_createtable(L, 0, 15);
    bind_set_integer(L, "id", m->last.id);
    bind_set_id(L, "from", &m->from);
    bind_set_id(L, "to", &m->last.to);
    bind_set_string(L, "name", m->last.name);
    bind_set_string(L, "state", moth_state_name(m->last.state));
    bind_set_integer(L, "tries", m->last.tries);
    bind_set_integer(L, "bytes", m->last.bytes);
    bind_set_integer(L, "carriers", m->last.carriers);
    bind_set_reason(L, m->last.reason);
    if (m->last.refusal < 0) bind_set_string(L, "refusal", moth_error_text(m->last.refusal));
    bind_set_time(L, "time", m->last.changed_ms);
    bind_set_time(L, "accepted", m->last.accepted_ms);
    if (m->last.state != MOTH_CARRIED) return;
    bind_set_id(L, "by", &m->last.by);
    bind_set_string(L, "by_name", m->last.by_name);
}

/* m.id  m.from  m.to  m.name  m.state  m.reason  m.why  m.time  m.accepted  m.tries  m.bytes  m.carriers  m.by
 * m.by_name  m.refusal, and the methods */
static int l_message_index(lua_State *L)
{
    struct message *m = luaL_checkudata(L, 1, MESSAGE);
    lua_pushvalue(L, 2);
    if (lua_gettable(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
    refresh(m);
    push_message_fields(L, m);
    lua_pushvalue(L, 2);
    lua_gettable(L, -2);
    return 1;
}

/* m:cancel() -> true | nil, why, code */
static int l_message_cancel(lua_State *L)
{
    struct message *m = luaL_checkudata(L, 1, MESSAGE);
    struct moth_node *node = m->binding->node;
    return bind_push_result(L, node ? moth_cancel(node, m->last.id) : MOTH_ESHUTDOWN);
}

/* tostring(m) -> "18d2c4f0a1b00001 sent" */
static int l_message_tostring(lua_State *L)
{
    struct message *m = luaL_checkudata(L, 1, MESSAGE);
    char text[48];
    refresh(m);
    snprintf(text, sizeof text, "%llx %s", (unsigned long long)m->last.id, moth_state_name(m->last.state));
    lua_pushstring(L, text);
    return 1;
}

void bind_make_message_class(lua_State *L)
{
    static const luaL_Reg methods[] = {{"cancel", l_message_cancel}, {NULL, NULL}};
    luaL_newmetatable(L, MESSAGE);
    luaL_newlib(L, methods);
    lua_pushcclosure(L, l_message_index, 1);
    lua_setfield(L, -2, "__index");
    bind_set_metamethods(L, "message", l_message_tostring);
    lua_pop(L, 1);
}

/* --- what is sent --- */

/* Well-formed UTF-8: shortest forms, no surrogates, up to U+10FFFF. */
static bool is_utf8(const unsigned char *at, size_t bytes)
{
    static const unsigned least[] = {0, 0x80, 0x800, 0x10000};
    for (const unsigned char *end = at + bytes; at < end;) {
        unsigned c = *at++, more = c < 0x80 ? 0 : c < 0xc2 ? 4 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : 4;
        if (more == 4 || (size_t)(end - at) < more) return false;
        unsigned code = more ? c & (0x3fu >> more) : c;
        for (unsigned i = 0; i < more; i++, at++) {
            if ((*at & 0xc0) != 0x80) return false;
            code = code << 6 | (*at & 0x3fu);
        }
        if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    }
    return true;
}

/* A string is sent as it is, and the encoding only says whether it can be read; all else as JSON, whose text takes
 * the place of the value. False: it cannot be JSON, and the sentence about that is on top of the stack. */
static bool check_payload(lua_State *L, int index, struct moth_payload *out)
{
    bool is_text = lua_type(L, index) == LUA_TSTRING;
    *out = (struct moth_payload){.encoding = is_text ? MOTH_BYTES : MOTH_JSON, .type = is_text ? "text" : "data"};
    if (!is_text) {
        if (!json_push_encoded(L, index)) return false;
        lua_replace(L, index);
    }
    out->data = luaL_checklstring(L, index, &out->bytes);
    if (is_text && is_utf8(out->data, out->bytes)) out->encoding = MOTH_TEXT;
    return true;
}

/* nil, the sentence on top of the stack, "argument" */
static int push_not_json(lua_State *L)
{
    lua_pushnil(L);
    lua_insert(L, -2);
    lua_pushstring(L, moth_error_code(MOTH_EARGUMENT));
    return 3;
}

/* Field `ttl` of the options at `index`. */
static int check_ttl(lua_State *L, int index, uint32_t *out)
{
    double seconds = 0;
    int type = lua_getfield(L, index, "ttl");
    if (type == LUA_TNIL) return 0;
    if (type == LUA_TNUMBER) seconds = lua_tonumber(L, -1);
    else if (type != LUA_TSTRING) luaL_error(L, "ttl is seconds or a text like \"1h30m\"");
    else if (!duration_parse(lua_tostring(L, -1), &seconds)) return MOTH_EARGUMENT;
    if (!(seconds > 0 && seconds <= TTL_MAX_S)) return MOTH_EARGUMENT;
    *out = (uint32_t)ceil(seconds);
    return 0;
}

/* Field `retries`: 0 is no limit at all, whatever is configured. */
static int check_retries(lua_State *L, int index, uint32_t *out)
{
    int is_integer, type = lua_getfield(L, index, "retries");
    if (type == LUA_TNIL) return 0;
    lua_Integer n = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer) luaL_error(L, "retries is a whole number");
    if (n < 0 || n > UINT32_MAX) return MOTH_EARGUMENT;
    *out = n == 0 ? MOTH_RETRIES_UNLIMITED : (uint32_t)n;
    return 0;
}

static bool is_set(lua_State *L, int index, const char *key)
{
    lua_getfield(L, index, key);
    bool on = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return on;
}

/* `type` stays on the stack, where the table holds it. */
static int check_send_options(lua_State *L, int index, struct moth_send_options *out, struct moth_payload *payload)
{
    *out = (struct moth_send_options){0};
    if (lua_isnoneornil(L, index)) return 0;
    luaL_checktype(L, index, LUA_TTABLE);
    bool is_typed = lua_getfield(L, index, "type") != LUA_TNIL;
    if (is_typed && !(payload->type = bind_check_word(L, lua_gettop(L)))) return MOTH_EARGUMENT;
    if (lua_getfield(L, index, "re") != LUA_TNIL) out->re = (uint64_t)luaL_checkinteger(L, -1);
    out->path = is_set(L, index, "path");
    payload->is_auto = is_set(L, index, "auto");
    int rc = check_ttl(L, index, &out->ttl_s);
    return rc < 0 ? rc : check_retries(L, index, &out->retries);
}

/* --- the methods --- */

/* node:send(PEER, data [, {type=, ttl=DUR, retries=N, re=id, path=boolean, auto=boolean}]) -> message | nil, why,
 * code */
static int l_send(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    struct moth_payload payload;
    struct moth_send_options options;
    struct moth_sent sent = {.state = MOTH_PENDING};
    int rc;

    luaL_checkany(L, 3);
    lua_settop(L, 4);
    if (!check_payload(L, 3, &payload)) return push_not_json(L);
    if ((rc = check_send_options(L, 4, &options, &payload)) < 0) return bind_push_error(L, rc);
    if ((rc = bind_resolve_peer(L, node, 2, &sent.to)) < 0) return bind_push_error(L, rc);
    if ((rc = moth_send(node, &sent.to, &payload, &options, &sent.id)) < 0) return bind_push_error(L, rc);
    if (moth_message_get(node, sent.id, &sent) < 0) sent.state = MOTH_PENDING;
    return bind_push_message(L, bind_check_binding(L), &sent);
}

/* node:emit(PEER | "*", type, data [, {auto=boolean}]) -> true | nil, why, code */
static int l_emit(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    bool to_all = strcmp(luaL_checkstring(L, 2), "*") == 0;
    struct moth_payload payload;
    struct moth_id to;
    int rc;

    luaL_checkany(L, 4);
    lua_settop(L, 5);
    if (!check_payload(L, 4, &payload)) return push_not_json(L);
    payload.is_auto = lua_istable(L, 5) && is_set(L, 5, "auto");
    payload.type = bind_check_word(L, 3);
    rc = to_all ? 0 : bind_resolve_peer(L, node, 2, &to);
    if (rc < 0) return bind_push_error(L, rc);
    if (!payload.type) return bind_push_error(L, MOTH_EARGUMENT);
    return bind_push_result(L, moth_emit(node, to_all ? NULL : &to, &payload));
}

/* node:request(PEER, name, data) -> id | nil, why, code */
static int l_request(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    struct moth_payload payload;
    struct moth_id to;
    uint64_t id;
    int rc;

    lua_settop(L, 4);
    if (!check_payload(L, 4, &payload)) return push_not_json(L);
    payload.type = bind_check_word(L, 3);
    if (!payload.type) return bind_push_error(L, MOTH_EARGUMENT);
    if ((rc = bind_resolve_peer(L, node, 2, &to)) < 0) return bind_push_error(L, rc);
    if ((rc = moth_request(node, &to, &payload, &id)) < 0) return bind_push_error(L, rc);
    lua_pushinteger(L, (lua_Integer)id);
    return 1;
}

/* node:answer(PEER, request, word, data) -> true | nil, why, code */
static int l_answer(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    uint64_t request = (uint64_t)luaL_checkinteger(L, 3);
    struct moth_payload payload;
    struct moth_id to;
    int rc;

    lua_settop(L, 5);
    if (!check_payload(L, 5, &payload)) return push_not_json(L);
    payload.type = bind_check_word(L, 4);
    if (!payload.type) return bind_push_error(L, MOTH_EARGUMENT);
    if ((rc = bind_resolve_peer(L, node, 2, &to)) < 0) return bind_push_error(L, rc);
    return bind_push_result(L, moth_answer(node, &to, request, &payload));
}

/* node:message_methods() -> the methods that all messages of ours share, to be added to */
static int l_message_methods(lua_State *L)
{
    luaL_getmetatable(L, MESSAGE);
    lua_getfield(L, -1, "__index");
    lua_getupvalue(L, -1, 1);
    return 1;
}

/* node:message(id) -> message | nil, why, code */
static int l_message(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    struct moth_sent sent;
    int rc = moth_message_get(node, (uint64_t)luaL_checkinteger(L, 2), &sent);
    return rc < 0 ? bind_push_error(L, rc) : bind_push_message(L, bind_check_binding(L), &sent);
}

/* node:cancel(id) -> true | nil, why, code */
static int l_cancel(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    return bind_push_result(L, moth_cancel(node, (uint64_t)luaL_checkinteger(L, 2)));
}

/* --- what waits and what was --- */

/* Takes the argument PEER where one is given: `*out` is then `id`, else NULL. */
static int check_peer_or_none(lua_State *L, const struct moth_node *node, int index, struct moth_id *id,
                              const struct moth_id **out)
{
    *out = lua_isnoneornil(L, index) ? NULL : id;
    return *out ? bind_resolve_peer(L, node, index, id) : 0;
}

/* node:queue([PEER]) -> {messages that have not ended, by id} | nil, why, code */
static int l_queue(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    const struct moth_id *peer;
    struct moth_id id;
    lua_Integer n = 0;
    int rc = check_peer_or_none(L, node, 2, &id, &peer);
    if (rc < 0) return bind_push_error(L, rc);
    size_t count = moth_mail_list(node, NULL, 0);
    struct moth_sent *mail = bind_push_room(L, count, sizeof *mail);
    count = moth_mail_list(node, mail, count);
    lua_newtable(L);
    for (size_t i = 0; i < count; i++) {
        if (peer && memcmp(&mail[i].to, peer, sizeof *peer) != 0) continue;
        bind_push_message(L, bind_check_binding(L), &mail[i]);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

static void push_entry(lua_State *L, const struct moth_node *node, const struct moth_entry *e)
{
    lua_createtable(L, 0, 14);
    bind_set_boolean(L, "ours", e->is_ours);
    bind_set_id(L, "from", e->is_ours ? moth_node_id(node) : &e->peer);
    bind_set_id(L, "to", e->is_ours ? &e->peer : moth_node_id(node));
    bind_set_string(L, "name", e->name);
    bind_set_integer(L, "id", e->id);
    if (e->re != 0) bind_set_integer(L, "re", e->re);
    bind_set_time(L, "time", e->time_ms);
    bind_set_string(L, "type", e->type);
    bind_set_string(L, "encoding", bind_encoding_name(e->encoding));
    bind_set_bytes(L, "data", e->data, e->bytes);
    bind_set_boolean(L, "set_aside", e->is_set_aside);
    if (!e->is_ours) return;
    bind_set_string(L, "state", moth_state_name(e->state));
    bind_set_reason(L, e->reason);
}

struct history { /* what is being gathered, the newest first, in the table on top of the stack */
    lua_State *L;
    const struct moth_node *node;
    const struct moth_entry *entry; /* the one being added */
    lua_Integer entries;
    bool has_failed; /* the error is on top of the stack */
};

static int l_add_entry(lua_State *L)
{
    const struct history *h = lua_touserdata(L, 2);
    push_entry(L, h->node, h->entry);
    lua_rawseti(L, 1, h->entries);
    return 0;
}

/* Called from within the store, so no error of Lua may leave it. */
static void add_entry(void *context, const struct moth_entry *entry)
{
    struct history *h = context;
    if (h->has_failed) return;
    h->entry = entry;
    h->entries++;
    lua_pushcfunction(h->L, l_add_entry);
    lua_pushvalue(h->L, -2);
    lua_pushlightuserdata(h->L, h);
    h->has_failed = lua_pcall(h->L, 2, 0, 0) != LUA_OK;
}

/* The table on top of the stack, the other way round. */
static void reverse(lua_State *L, lua_Integer entries)
{
    for (lua_Integer low = 1, high = entries; low < high; low++, high--) {
        lua_rawgeti(L, -1, low);
        lua_rawgeti(L, -2, high);
        lua_rawseti(L, -3, low);
        lua_rawseti(L, -2, high);
    }
}

/* node:history([PEER [, n]]) -> {the newest n = 20 messages, the oldest of them first: {from, to, ours, name, id, re,
 * time, type, encoding, data, set_aside, state, reason, why}} | nil, why, code; `ours` alone have a state */
static int l_history(lua_State *L)
{
    struct history h = {.L = L, .node = bind_check_node(L)};
    const struct moth_id *peer;
    struct moth_id id;
    lua_Integer n = luaL_optinteger(L, 3, HISTORY_DEFAULT);
    int rc = check_peer_or_none(L, h.node, 2, &id, &peer);
    if (rc == 0 && (n < 1 || n > HISTORY_MAX)) rc = MOTH_EARGUMENT;
    if (rc < 0) return bind_push_error(L, rc);
    lua_newtable(L);
    rc = moth_history(h.node, peer, (size_t)n, add_entry, &h);
    if (h.has_failed) return lua_error(L);
    if (rc < 0) return bind_push_error(L, rc);
    reverse(L, h.entries);
    return 1;
}

const luaL_Reg bind_message_methods[] = {
    {"send", l_send}, {"emit", l_emit}, {"request", l_request}, {"answer", l_answer},
    {"message_methods", l_message_methods}, {"message", l_message}, {"cancel", l_cancel}, {"queue", l_queue},
    {"history", l_history}, {NULL, NULL},
};
