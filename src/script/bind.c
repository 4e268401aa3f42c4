/* bind.c -- values on their way between Lua and the node, see bind.h. */
#include "script/bind.h"

#include <string.h>

/* --- from Lua --- */

struct binding *bind_check_binding(lua_State *L)
{
    return luaL_checkudata(L, 1, BIND_NODE);
}

static void touch(struct binding *b)
{
    if (!b->touched || b->is_touched) return;
    b->is_touched = true;
    b->next_touched = *b->touched;
    *b->touched = b;
}

struct moth_node *bind_check_node(lua_State *L)
{
    struct binding *b = bind_check_binding(L);
    if (!b->node) luaL_error(L, "this node does not run");
    touch(b);
    return b->node;
}

void bind_push_binding(lua_State *L, const struct binding *b)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, b);
}

const char *bind_check_word(lua_State *L, int index)
{
    size_t bytes;
    const char *text = luaL_checklstring(L, index, &bytes);
    return strlen(text) == bytes ? text : NULL;
}

int bind_resolve_peer(lua_State *L, const struct moth_node *node, int index, struct moth_id *out)
{
    const char *peer = bind_check_word(L, index);
    return peer ? moth_resolve(node, peer, out) : MOTH_EUNKNOWN_PEER;
}

/* --- to Lua --- */

int bind_push_error(lua_State *L, int rc)
{
    lua_pushnil(L);
    lua_pushstring(L, moth_error_text(rc));
    lua_pushstring(L, moth_error_code(rc));
    return 3;
}

int bind_push_result(lua_State *L, int rc)
{
    if (rc < 0) return bind_push_error(L, rc);
    lua_pushboolean(L, 1);
    return 1;
}

void bind_push_id(lua_State *L, const struct moth_id *id)
{
    char text[MOTH_ID_TEXT_BYTES];
    moth_id_format(id, text);
    lua_pushlstring(L, text, MOTH_ID_TEXT_BYTES - 1);
}

void bind_set_id(lua_State *L, const char *key, const struct moth_id *id)
{
    bind_push_id(L, id);
    lua_setfield(L, -2, key);
}

void bind_set_string(lua_State *L, const char *key, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

void bind_set_integer(lua_State *L, const char *key, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, key);
}

void bind_set_boolean(lua_State *L, const char *key, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, key);
}

void bind_set_bytes(lua_State *L, const char *key, const void *data, size_t bytes)
{
    lua_pushlstring(L, data, bytes);
    lua_setfield(L, -2, key);
}

void bind_set_time(lua_State *L, const char *key, uint64_t ms)
{
    lua_pushnumber(L, (lua_Number)ms / 1000);
    lua_setfield(L, -2, key);
}

void bind_set_reason(lua_State *L, int rc)
{
    if (rc == MOTH_OK) return;
    bind_set_string(L, "reason", moth_error_code(rc));
    bind_set_string(L, "why", moth_error_text(rc));
}

const char *bind_encoding_name(enum moth_encoding encoding)
{
    switch (encoding) {
    case MOTH_BYTES: return "bytes";
    case MOTH_TEXT: return "text";
    case MOTH_JSON: return "json";
    }
    return "bytes";
}

void *bind_push_room(lua_State *L, size_t count, size_t bytes)
{
    return lua_newuserdatauv(L, (count ? count : 1) * bytes, 0);
}

void bind_set_metamethods(lua_State *L, const char *name, lua_CFunction tostring)
{
    lua_pushcfunction(L, tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
}
