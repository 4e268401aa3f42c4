/* json_write.c -- a value of Lua as JSON text: see json.h.
 *
 * Tables are walked raw. The keys of an object are collected first, on Lua's stack, which keeps them alive, and sorted
 * as pointers; for all that are open together there is one list. Whatever would make the text too long is refused
 * before it is collected, walked or escaped, so the work is bounded by the size of the longest text.
 *
 * Strings come out as cjson would write them. Most have nothing to escape and are copied; the rest goes to cjson in
 * pieces, because it makes six bytes of each and asks nobody. */
#include "script/json_parts.h"

#include <lauxlib.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES 4096
#define FEW_KEYS 32
#define KEY_BYTES_LEAST 4 /* quotes, a colon, a value; the comma makes up for the brackets */
#define KEY_SHOWN_BYTES 40

struct key {
    const char *text;
    size_t bytes;
    int place; /* in the stack */
};

struct writer {
    lua_State *L;
    struct json_buffer out;
    int rc, escape;
    const void *mark; /* the array's metatable */
    struct key *keys, few[FEW_KEYS];
    size_t key_count, key_size, promised_bytes; /* what keys that are not written yet will take */
    int keys_place;
    struct { /* how the value was reached: by a key, or a number; neither when it is about the table itself */
        const char *text;
        size_t bytes;
        lua_Integer i;
    } way[JSON_DEPTH_MAX];
    int depth;
};

static void no_poll(lua_State *L)
{
    (void)L;
}

static void (*poll)(lua_State *L) = no_poll;

void json_write_set_poll(void (*new_poll)(lua_State *L))
{
    poll = new_poll;
}

static bool write_value(struct writer *w, int at);

/* --- refusing --- */

static void push_way(struct writer *w)
{
    luaL_Buffer b;
    luaL_buffinit(w->L, &b);
    for (int i = 0; i < w->depth; i++) {
        if (w->way[i].text) {
            size_t bytes = w->way[i].bytes;
            if (b.n > 0) luaL_addchar(&b, '.');
            luaL_addlstring(&b, w->way[i].text, bytes < KEY_SHOWN_BYTES ? bytes : KEY_SHOWN_BYTES);
        } else if (w->way[i].i > 0) {
            char digits[JSON_NUMBER_BYTES];
            luaL_addchar(&b, '[');
            luaL_addlstring(&b, digits, json_write_integer(w->way[i].i, digits));
            luaL_addchar(&b, ']');
        }
    }
    luaL_pushresult(&b);
}

/* Says what and, inside of something, where. */
static bool refuse(struct writer *w, const char *what)
{
    w->rc = MOTH_EARGUMENT;
    push_way(w);
    if (lua_rawlen(w->L, -1) > 0) lua_pushfstring(w->L, "%s (at %s)", what, lua_tostring(w->L, -1));
    else lua_pushstring(w->L, what);
    return false;
}

static bool refuse_size(struct writer *w)
{
    w->rc = MOTH_ETOO_BIG;
    lua_pushfstring(w->L, "as JSON this is longer than %d bytes", JSON_BYTES_MAX);
    return false;
}

/* --- texts --- */

static bool fits(const struct writer *w, size_t bytes)
{
    return bytes <= JSON_BYTES_MAX && w->out.used + w->promised_bytes <= JSON_BYTES_MAX - bytes;
}

static bool add(struct writer *w, const char *text, size_t bytes)
{
    if (!fits(w, bytes)) return refuse_size(w);
    json_append(&w->out, text, bytes);
    return true;
}

static bool is_plain(char c)
{
    return c >= 0x20 && c != '"' && c != '\\' && c != '/' && c != 0x7f && (unsigned char)c < 0x80;
}

/* False: it is not UTF-8. */
static bool look_at(const char *at, const char *end, bool *has_special)
{
    *has_special = false;
    while (at < end) {
        size_t bytes = 1;
        if (!is_plain(*at)) {
            if ((unsigned char)*at < 0x80) *has_special = true;
            else if ((bytes = json_character(at, end)) == 0) return false;
        }
        at += bytes;
    }
    return true;
}

static bool add_escaped(struct writer *w, const char *text, size_t bytes)
{
    for (size_t done = 0; done < bytes; done += PIECE_BYTES) {
        size_t escaped, piece = bytes - done < PIECE_BYTES ? bytes - done : PIECE_BYTES;
        lua_pushvalue(w->L, w->escape);
        lua_pushlstring(w->L, text + done, piece);
        lua_call(w->L, 1, 1);
        const char *quoted = lua_tolstring(w->L, -1, &escaped);
        if (!add(w, quoted + 1, escaped - 2)) return false;
        lua_pop(w->L, 1);
    }
    return true;
}

static bool write_string(struct writer *w, const char *text, size_t bytes)
{
    bool has_special;
    if (!fits(w, bytes)) return refuse_size(w);
    if (!look_at(text, text + bytes, &has_special))
        return refuse(w, "a string that is not UTF-8 cannot be JSON: write its bytes as text first, as hex for one");
    if (!add(w, "\"", 1)) return false;
    if (!(has_special ? add_escaped(w, text, bytes) : add(w, text, bytes))) return false;
    return add(w, "\"", 1);
}

static bool write_number(struct writer *w, int at)
{
    char digits[JSON_NUMBER_BYTES];
    if (lua_isinteger(w->L, at)) return add(w, digits, json_write_integer(lua_tointeger(w->L, at), digits));
    lua_Number value = lua_tonumber(w->L, at);
    if (!isfinite(value)) return refuse(w, isnan(value) ? "NaN cannot be JSON" : "an infinite number cannot be JSON");
    return add(w, digits, json_write_float(value, digits));
}

/* --- arrays --- */

/* Each key is one of the numbers from 1 to `count`, and there are as many: so none is missing. */
static bool check_list(struct writer *w, int t, size_t count)
{
    static const char holes[] =
        "a list with holes cannot be JSON: fill them with json.null, or make all keys strings with tostring";
    size_t seen = 0;
    lua_pushnil(w->L);
    while (lua_next(w->L, t)) {
        lua_pop(w->L, 1);
        if (lua_type(w->L, -1) == LUA_TSTRING)
            return refuse(w, "a table that is a list and has named fields cannot be JSON: put the list into a field");
        lua_Unsigned i = lua_isinteger(w->L, -1) ? (lua_Unsigned)lua_tointeger(w->L, -1) : 0;
        if (i == 0 || i > count) return refuse(w, holes);
        seen++;
    }
    if (seen == count) return true;
    return refuse(w, holes);
}

static bool write_array(struct writer *w, int t)
{
    size_t count = lua_rawlen(w->L, t);
    if (count > JSON_BYTES_MAX / 2) return refuse_size(w);
    if (!check_list(w, t, count) || !add(w, "[", 1)) return false;
    lua_settop(w->L, t);
    for (size_t i = 1; i <= count; i++) {
        if (i > 1 && !add(w, ",", 1)) return false;
        w->way[w->depth - 1].i = (lua_Integer)i;
        lua_rawgeti(w->L, t, (lua_Integer)i);
        if (!write_value(w, t + 1)) return false;
        lua_settop(w->L, t);
    }
    return add(w, "]", 1);
}

/* --- objects --- */

static void more_keys(struct writer *w)
{
    struct key *larger = lua_newuserdatauv(w->L, w->key_size * 2 * sizeof *larger, 0);
    memcpy(larger, w->keys, w->key_count * sizeof *larger);
    w->keys = larger;
    w->key_size *= 2;
    lua_replace(w->L, w->keys_place);
}

/* The key is on top of the stack and stays there. */
static bool collect_key(struct writer *w)
{
    struct key key = {.place = lua_gettop(w->L)};
    if (lua_type(w->L, -1) != LUA_TSTRING)
        return refuse(w, "a key must be a string in JSON: make it one with tostring, or the table a list from 1 on");
    key.text = lua_tolstring(w->L, -1, &key.bytes);
    if (!fits(w, key.bytes + KEY_BYTES_LEAST)) return refuse_size(w);
    luaL_checkstack(w->L, LUA_MINSTACK, "JSON");
    w->promised_bytes += key.bytes + KEY_BYTES_LEAST;
    if (w->key_count == w->key_size) more_keys(w);
    w->keys[w->key_count++] = key;
    return true;
}

static bool collect_keys(struct writer *w, int t)
{
    lua_pushnil(w->L);
    while (lua_next(w->L, t)) {
        lua_pop(w->L, 1);
        if (!collect_key(w)) return false;
        lua_pushvalue(w->L, -1);
    }
    return true;
}

static int compare_keys(const void *left, const void *right)
{
    const struct key *a = left, *b = right;
    int order = memcmp(a->text, b->text, a->bytes < b->bytes ? a->bytes : b->bytes);
    return order != 0 ? order : (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

static bool write_field(struct writer *w, int t, const struct key *key)
{
    w->promised_bytes -= key->bytes + KEY_BYTES_LEAST;
    w->way[w->depth - 1].text = NULL;
    if (!write_string(w, key->text, key->bytes) || !add(w, ":", 1)) return false;
    w->way[w->depth - 1].text = key->text;
    w->way[w->depth - 1].bytes = key->bytes;
    lua_pushvalue(w->L, key->place);
    lua_rawget(w->L, t);
    if (!write_value(w, lua_gettop(w->L))) return false;
    lua_pop(w->L, 1);
    return true;
}

/* The list of keys may move while a value is written, and has the same keys again afterwards. */
static bool write_object(struct writer *w, int t)
{
    size_t first = w->key_count;
    if (!collect_keys(w, t) || !add(w, "{", 1)) return false;
    size_t end = w->key_count;
    qsort(w->keys + first, end - first, sizeof *w->keys, compare_keys);
    for (size_t i = first; i < end; i++) {
        struct key key = w->keys[i];
        if (i > first && !add(w, ",", 1)) return false;
        if (!write_field(w, t, &key)) return false;
    }
    w->key_count = first;
    lua_settop(w->L, t);
    return add(w, "}", 1);
}

/* --- tables --- */

/* An array when it is marked, or begins as one. */
static bool classify(struct writer *w, int t, bool *is_array)
{
    *is_array = false;
    if (lua_getmetatable(w->L, t)) {
        *is_array = lua_topointer(w->L, -1) == w->mark;
        lua_pushliteral(w->L, "__pairs");
        if (!*is_array && lua_rawget(w->L, -2) != LUA_TNIL)
            return refuse(w, "a table with __pairs cannot be JSON: copy what is in it");
        lua_settop(w->L, t);
    }
    if (*is_array) return true;
    *is_array = lua_rawgeti(w->L, t, 1) != LUA_TNIL;
    lua_settop(w->L, t);
    return true;
}

/* A table that shows another one, which cannot be changed through it (moth/kv.lua): that one takes its place. */
static void see_through(struct writer *w, int t)
{
    if (luaL_getmetafield(w->L, t, "__json") == LUA_TTABLE) lua_replace(w->L, t);
    lua_settop(w->L, t);
}

/* The table is on top of the stack. */
static bool write_table(struct writer *w, int t)
{
    bool is_array;
    poll(w->L);
    if (w->depth == JSON_DEPTH_MAX)
        return refuse(w, "a table more than 32 deep, or within itself, cannot be JSON");
    luaL_checkstack(w->L, LUA_MINSTACK, "JSON");
    see_through(w, t);
    if (!classify(w, t, &is_array)) return false;
    w->way[w->depth].text = NULL;
    w->way[w->depth++].i = 0;
    if (!(is_array ? write_array(w, t) : write_object(w, t))) return false;
    w->depth--;
    return true;
}

static bool write_other(struct writer *w, int at)
{
    static const char *const sentences[LUA_NUMTYPES] = {
        [LUA_TLIGHTUSERDATA] = "a pointer cannot be JSON", [LUA_TFUNCTION] = "a function cannot be JSON",
        [LUA_TUSERDATA] = "an object of moth cannot be JSON", [LUA_TTHREAD] = "a coroutine cannot be JSON",
    };
    return refuse(w, sentences[lua_type(w->L, at)]);
}

static bool write_value(struct writer *w, int at)
{
    size_t bytes;
    const char *text;
    switch (lua_type(w->L, at)) {
    case LUA_TNIL: return add(w, "null", 4);
    case LUA_TBOOLEAN: return lua_toboolean(w->L, at) ? add(w, "true", 4) : add(w, "false", 5);
    case LUA_TNUMBER: return write_number(w, at);
    case LUA_TSTRING:
        text = lua_tolstring(w->L, at, &bytes);
        return write_string(w, text, bytes);
    case LUA_TTABLE: return write_table(w, at);
    case LUA_TLIGHTUSERDATA:
        if (!lua_touserdata(w->L, at)) return add(w, "null", 4);
    }
    return write_other(w, at);
}

int json_write(lua_State *L, int index, int escape, int array)
{
    struct writer w;
    w.L = L;
    w.rc = 0;
    w.escape = escape;
    w.mark = lua_topointer(L, array);
    w.keys = w.few;
    w.key_size = FEW_KEYS;
    w.key_count = w.promised_bytes = 0;
    w.depth = 0;
    json_buffer_init(&w.out, L);
    lua_pushnil(L);
    w.keys_place = lua_gettop(L);
    lua_pushvalue(L, index);
    if (write_value(&w, lua_gettop(L))) lua_pushlstring(L, w.out.bytes, w.out.used);
    return w.rc;
}
