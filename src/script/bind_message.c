/* bind_message.c -- node:send and its kin. A message we sent is an object that asks the node for its state
 * whenever a field is read, and remembers the last answer for when the node has forgotten it. */
#include "script/bind.h"

#include "script/duration.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE "moth.message"
#define TTL_MAX_S (30 * 86400)

struct message { /* the userdata of a sent message */
    const struct moth_node *node; /* borrowed */
    struct moth_sent last;
};

/* --- the object --- */

static void refresh(struct message *m)
{
    struct moth_sent now;
    if (moth_message_get(m->node, m->last.id, &now) == 0) m->last = now;
}

int bind_push_message(lua_State *L, const struct moth_node *node, const struct moth_sent *sent)
{
    struct message *m = lua_newuserdatauv(L, sizeof *m, 0);
    *m = (struct message){.node = node, .last = *sent};
    luaL_setmetatable(L, MESSAGE);
    return 1;
}

static void push_message_fields(lua_State *L, const struct message *m)
{
    lua_createtable(L, 0, 9);
    bind_set_integer(L, "id", m->last.id);
    bind_set_id(L, "to", &m->last.to);
    bind_set_string(L, "name", m->last.name);
    bind_set_string(L, "state", moth_state_name(m->last.state));
    bind_set_integer(L, "tries", m->last.tries);
    bind_set_integer(L, "bytes", m->last.bytes);
    bind_set_reason(L, m->last.reason);
    lua_pushnumber(L, (lua_Number)m->last.changed_ms / 1000);
    lua_setfield(L, -2, "time");
}

/* m.id  m.to  m.name  m.state  m.reason  m.why  m.time  m.tries  m.bytes */
static int l_message_index(lua_State *L)
{
    struct message *m = luaL_checkudata(L, 1, MESSAGE);
    refresh(m);
    push_message_fields(L, m);
    lua_pushvalue(L, 2);
    lua_gettable(L, -2);
    return 1;
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
    luaL_newmetatable(L, MESSAGE);
    lua_pushcfunction(L, l_message_index);
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

/* A string is sent as it is; the encoding only says whether it can be read. */
static struct moth_payload check_payload(lua_State *L, int index)
{
    struct moth_payload payload = {.encoding = MOTH_BYTES};
    payload.data = luaL_checklstring(L, index, &payload.bytes);
    if (is_utf8(payload.data, payload.bytes)) payload.encoding = MOTH_TEXT;
    return payload;
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

static int check_retries(lua_State *L, int index, uint32_t *out)
{
    int is_integer, type = lua_getfield(L, index, "retries");
    if (type == LUA_TNIL) return 0;
    lua_Integer n = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer) luaL_error(L, "retries is a whole number");
    if (n < 0 || n > UINT32_MAX) return MOTH_EARGUMENT;
    *out = (uint32_t)n;
    return 0;
}

/* `type` stays on the stack, where the table holds it. */
static int check_send_options(lua_State *L, int index, struct moth_send_options *out, const char **type)
{
    *out = (struct moth_send_options){0};
    if (lua_isnoneornil(L, index)) return 0;
    luaL_checktype(L, index, LUA_TTABLE);
    bool is_typed = lua_getfield(L, index, "type") != LUA_TNIL;
    if (is_typed && !(*type = bind_check_word(L, lua_gettop(L)))) return MOTH_EARGUMENT;
    int rc = check_ttl(L, index, &out->ttl_s);
    return rc < 0 ? rc : check_retries(L, index, &out->retries);
}

/* --- the methods --- */

/* node:send(PEER, text [, {type=, ttl=DUR, retries=N}]) -> message | nil, why, code */
static int l_send(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    struct moth_payload payload = check_payload(L, 3);
    struct moth_send_options options;
    struct moth_sent sent = {.state = MOTH_PENDING};
    int rc;

    if ((rc = check_send_options(L, 4, &options, &payload.type)) < 0) return bind_push_error(L, rc);
    if ((rc = bind_resolve_peer(L, node, 2, &sent.to)) < 0) return bind_push_error(L, rc);
    if ((rc = moth_send(node, &sent.to, &payload, &options, &sent.id)) < 0) return bind_push_error(L, rc);
    return bind_push_message(L, node, &sent);
}

/* node:emit(PEER | "*", type, text) -> true | nil, why, code */
static int l_emit(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    bool to_all = strcmp(luaL_checkstring(L, 2), "*") == 0;
    struct moth_payload payload = check_payload(L, 4);
    struct moth_id to;
    int rc = to_all ? 0 : bind_resolve_peer(L, node, 2, &to);

    payload.type = bind_check_word(L, 3);
    if (rc < 0) return bind_push_error(L, rc);
    if (!payload.type) return bind_push_error(L, MOTH_EARGUMENT);
    return bind_push_result(L, moth_emit(node, to_all ? NULL : &to, &payload));
}

/* node:message(id) -> message | nil, why, code */
static int l_message(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    struct moth_sent sent;
    int rc = moth_message_get(node, (uint64_t)luaL_checkinteger(L, 2), &sent);
    return rc < 0 ? bind_push_error(L, rc) : bind_push_message(L, node, &sent);
}

/* node:queue() -> {messages that have not ended} */
static int l_queue(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    size_t count = moth_mail_list(node, NULL, 0);
    struct moth_sent *mail = bind_push_room(L, count, sizeof *mail);
    count = moth_mail_list(node, mail, count);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        bind_push_message(L, node, &mail[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

const luaL_Reg bind_message_methods[] = {
    {"send", l_send}, {"emit", l_emit}, {"message", l_message}, {"queue", l_queue}, {NULL, NULL},
};
