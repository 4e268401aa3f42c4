/* ordered.c -- see ordered.h. A walk sees a snapshot of the keys, taken and sorted when it begins. `next` knows nothing
 * of walks, so it looks for the least key behind the one it is given; in a table that is not small it keeps a snapshot
 * from its second call to its last, or a walk would take as many looks as there are pairs of keys. */
#include "script/ordered_private.h"

#include "script/guard.h"

#include <lauxlib.h>

#include <string.h>

#define POLL_KEYS 1024
#define SMALL_KEYS 8

static const char snapshots; /* registry: those of `next`, by their tables, weakly */

/* --- keys --- */

enum rank { NUMBER, TEXT, BOOLEAN, OBJECT };

struct key {
    enum rank rank;
    bool is_integer;
    lua_Integer integer; /* or the number of an object, or a boolean */
    lua_Number number;
    const char *text; /* borrowed from who has the key */
    size_t bytes;
    lua_Integer place; /* in the list of keys as they came */
};

static struct key key_at(lua_State *L, int index)
{
    struct key k = {.rank = OBJECT};
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        k.rank = NUMBER;
        k.is_integer = lua_isinteger(L, index);
        k.integer = lua_tointeger(L, index);
        k.number = lua_tonumber(L, index);
        break;
    case LUA_TSTRING:
        k.rank = TEXT;
        k.text = lua_tolstring(L, index, &k.bytes);
        break;
    case LUA_TBOOLEAN:
        k.rank = BOOLEAN;
        k.integer = lua_toboolean(L, index);
        break;
    default: k.integer = ordered_number_of(L, index);
    }
    return k;
}

static int sign(bool is_less, bool is_greater)
{
    return is_greater - is_less;
}

/* Where a float is between integers its whole part is one, so that nothing is rounded beyond 2^53. */
static int compare_mixed(lua_Integer integer, lua_Number number)
{
    if (!(number < 9223372036854775808.0)) return -1; /* NaN, which `next` may be given, is behind them all */
    if (number < -9223372036854775808.0) return 1;
    lua_Integer whole = (lua_Integer)number; /* towards zero */
    if (integer != whole) return sign(integer < whole, integer > whole);
    return sign((lua_Number)whole < number, (lua_Number)whole > number);
}

static int compare_numbers(const struct key *a, const struct key *b)
{
    if (a->is_integer && b->is_integer) return sign(a->integer < b->integer, a->integer > b->integer);
    if (a->is_integer) return compare_mixed(a->integer, b->number);
    if (b->is_integer) return -compare_mixed(b->integer, a->number);
    return sign(a->number < b->number, a->number > b->number);
}

static int compare_texts(const struct key *a, const struct key *b)
{
    int order = memcmp(a->text, b->text, a->bytes < b->bytes ? a->bytes : b->bytes);
    return order ? order : sign(a->bytes < b->bytes, a->bytes > b->bytes);
}

static int compare(const struct key *a, const struct key *b)
{
    if (a->rank != b->rank) return sign(a->rank < b->rank, a->rank > b->rank);
    switch (a->rank) {
    case NUMBER: return compare_numbers(a, b);
    case TEXT: return compare_texts(a, b);
    case BOOLEAN:
    case OBJECT: break;
    }
    return sign(a->integer < b->integer, a->integer > b->integer);
}

static int refuse(lua_State *L)
{
    return luaL_error(L, "several keys of this table are objects, which have no order that is the same in every run "
                         "of a lab: use names or numbers as keys");
}

/* One key that is an object without a number will get the next, which is behind all others; several could get them in
 * any order. */
static bool is_new(lua_State *L, struct key *k, bool *has_new)
{
    if (k->rank != OBJECT || k->integer != 0) return false;
    if (*has_new) refuse(L);
    *has_new = true;
    k->integer = LUA_MAXINTEGER;
    return true;
}

/* --- snapshots --- */

/* Leaves the keys of the table as they come, as a list. */
static lua_Integer push_unsorted(lua_State *L, int table)
{
    lua_Integer count = 0;
    lua_newtable(L);
    int list = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, table);) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_rawseti(L, list, ++count);
        if (count % POLL_KEYS == 0) guard_check(L);
    }
    return count;
}

static void read_keys(lua_State *L, int list, struct key *keys, lua_Integer count)
{
    lua_Integer newest = 0;
    bool has_new = false;
    for (lua_Integer i = 0; i < count; i++) {
        lua_rawgeti(L, list, i + 1);
        keys[i] = key_at(L, -1);
        keys[i].place = i + 1;
        if (is_new(L, &keys[i], &has_new)) newest = i + 1;
        lua_pop(L, 1);
    }
    if (!has_new) return;
    lua_rawgeti(L, list, newest);
    ordered_give_number(L, -1);
    lua_pop(L, 1);
}

/* Two sorted rows, from `start` and from `middle`, become one. */
static void merge(lua_State *L, const struct key *from, struct key *to, size_t start, size_t middle, size_t end)
{
    size_t left = start, right = middle;
    for (size_t at = start; at < end; at++) {
        bool is_left = right == end || (left < middle && compare(&from[left], &from[right]) <= 0);
        to[at] = from[is_left ? left++ : right++];
        if ((at - start) % POLL_KEYS == 0) guard_check(L);
    }
}

/* Returns which of the two, which have the same size, the sorted keys are in. C's qsort would take memory that an error
 * of the guard would lose. */
static const struct key *sort_keys(lua_State *L, struct key *keys, struct key *spare, size_t count)
{
    for (size_t row = 1; row < count; row *= 2) {
        struct key *from = keys;
        for (size_t start = 0; start < count; start += 2 * row) {
            size_t middle = start + row < count ? start + row : count;
            merge(L, from, spare, start, middle, middle + row < count ? middle + row : count);
        }
        keys = spare;
        spare = from;
    }
    return keys;
}

/* Leaves the keys of the table in order, as a list. */
static void push_keys(lua_State *L, int table)
{
    lua_Integer count = push_unsorted(L, table);
    int list = lua_gettop(L);
    struct key *keys = lua_newuserdatauv(L, ((size_t)count * 2 + 1) * sizeof *keys, 0);
    read_keys(L, list, keys, count);
    const struct key *sorted = sort_keys(L, keys, keys + count, (size_t)count);
    lua_createtable(L, (int)count, 0);
    for (lua_Integer i = 0; i < count; i++) {
        lua_rawgeti(L, list, sorted[i].place);
        lua_rawseti(L, -2, i + 1);
    }
    lua_replace(L, list);
    lua_settop(L, list);
}

/* Pushes the first key behind a place in the list that the table still has, and its value; returns its place. Else
 * 0, and one nil. */
static lua_Integer push_following(lua_State *L, int table, int list, lua_Integer place)
{
    while (lua_rawgeti(L, list, ++place) != LUA_TNIL) {
        lua_pushvalue(L, -1);
        if (lua_rawget(L, table) != LUA_TNIL) return place;
        lua_pop(L, 2);
    }
    return 0;
}

/* --- pairs --- */

/* What pairs returns: (table) -> the next key and its value; the upvalues are the keys and the place among them */
static int l_step(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer place = push_following(L, 1, lua_upvalueindex(1), lua_tointeger(L, lua_upvalueindex(2)));
    if (place == 0) return 1;
    lua_pushinteger(L, place);
    lua_replace(L, lua_upvalueindex(2));
    return 2;
}

static int finish_pairs(lua_State *L, int status, lua_KContext context)
{
    (void)L, (void)status, (void)context;
    return 3;
}

/* pairs(table) */
static int l_pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(L, 1);
        lua_callk(L, 1, 3, 0, finish_pairs);
        return 3;
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    push_keys(L, 1);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, l_step, 2);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* --- next --- */

/* The table's snapshot becomes the value on top, which goes. */
static void set_snapshot(lua_State *L, int table)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &snapshots);
    lua_pushvalue(L, table);
    lua_rotate(L, -3, -1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

static void forget(lua_State *L, int table)
{
    lua_pushnil(L);
    set_snapshot(L, table);
}

/* A snapshot is the list of keys and the place of each. */
static void keep_snapshot(lua_State *L, int table)
{
    lua_createtable(L, 2, 0);
    push_keys(L, table);
    lua_newtable(L);
    for (lua_Integer place = 1; lua_rawgeti(L, -2, place) != LUA_TNIL; place++) {
        lua_pushinteger(L, place);
        lua_rawset(L, -3);
    }
    lua_pop(L, 1);
    lua_rawseti(L, -3, 2);
    lua_rawseti(L, -2, 1);
    set_snapshot(L, table);
}

/* Pushes the key behind the one at 2, and its value, as a snapshot of the table at 1 has it. False: it has not. */
static bool push_from_snapshot(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &snapshots);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, -2) == LUA_TNIL) return false;
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, -2) == LUA_TNIL) return false;
    if (push_following(L, 1, lua_gettop(L) - 2, lua_tointeger(L, -1)) == 0) forget(L, 1);
    return true;
}

/* Pushes the least key of the table at 1, or where there is a `start`, of those behind it. Returns how many keys the
 * table has. */
static lua_Integer push_least(lua_State *L, const struct key *start)
{
    bool has_best = false, has_new = false;
    struct key best = {.rank = OBJECT};
    lua_Integer count = 0;
    lua_settop(L, 2);
    lua_pushnil(L); /* 3: the best so far */
    lua_pushnil(L); /* 4: the object without a number */
    for (lua_pushnil(L); lua_next(L, 1);) {
        lua_pop(L, 1);
        if (++count % POLL_KEYS == 0) guard_check(L);
        struct key k = key_at(L, -1);
        if (is_new(L, &k, &has_new)) lua_copy(L, -1, 4);
        if ((start && compare(&k, start) <= 0) || (has_best && compare(&k, &best) >= 0)) continue;
        best = k;
        has_best = true;
        lua_copy(L, -1, 3);
    }
    if (has_new) ordered_give_number(L, 4);
    lua_settop(L, 3);
    return count;
}

/* next(table [, key]): the one after it in the order, be it still there or not */
static int l_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    bool has_start = !lua_isnil(L, 2);
    if (!has_start) forget(L, 1);
    else if (push_from_snapshot(L)) return lua_isnil(L, -1) ? 1 : 2;
    if (ordered_is_object(L, 2)) ordered_number_for(L, 2);
    struct key start = key_at(L, 2);
    lua_Integer count = push_least(L, has_start ? &start : NULL);
    if (lua_isnil(L, 3)) return 1;
    if (has_start && count > SMALL_KEYS) keep_snapshot(L, 1);
    lua_pushvalue(L, 3);
    lua_rawget(L, 1);
    return 2;
}

/* --- opening --- */

void ordered_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"pairs", l_pairs}, {"next", l_next}, {NULL, NULL}};
    ordered_make_weak(L, &snapshots);
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
    ordered_open_texts(L);
    ordered_open_sort(L);
}
