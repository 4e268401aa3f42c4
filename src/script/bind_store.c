/* bind_store.c -- stores for Lua: check, call, translate, return.
 *
 * A store has one opener on the disk, and scripts may share it: who opens the same name gets the same store, which is
 * closed when the last of them closed it or went away. */
#include "script/bind_parts.h"

#include "moth/store.h"
#include "script/bind.h"
#include "script/duration.h"

#include <string.h>

#define STORE "moth.store"
#define STORES_MAX 16        /* open at once, of all scripts together */
#define PENDING_MAX 1000     /* of one listing */

struct open_store {
    struct moth_store *store; /* owned; NULL: free */
    char name[MOTH_STORE_NAME_MAX + 1];
    unsigned users;
};

struct stores { /* one for each bind_store_open, kept in the registry; an upvalue of `open` */
    const struct moth_host *host; /* borrowed */
    struct open_store open[STORES_MAX];
};

struct handle {
    const struct moth_host *host; /* borrowed */
    struct open_store *open;      /* borrowed; NULL: closed */
};

/* --- opening and closing --- */

static struct stores *stores_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static struct open_store *find(struct stores *stores, const char *name)
{
    for (int i = 0; i < STORES_MAX; i++)
        if (stores->open[i].store && strcmp(stores->open[i].name, name) == 0) return &stores->open[i];
    return NULL;
}

static struct open_store *find_free(struct stores *stores)
{
    for (int i = 0; i < STORES_MAX; i++)
        if (!stores->open[i].store) return &stores->open[i];
    return NULL;
}

static int open_new(struct stores *stores, const char *name, struct open_store **out)
{
    struct open_store *open = find_free(stores);
    if (!open) return MOTH_EFULL;
    int rc = stores->host->home ? moth_store_open(stores->host, name, &open->store) : MOTH_EPERMISSION;
    if (rc < 0) return rc;
    memcpy(open->name, name, strlen(name) + 1); /* it fits: the store took it */
    *out = open;
    return 0;
}

/* moth.store.open(name) -> store | nil, why, code; the file is NAME.db in the home folder; [A-Za-z0-9._-], not
 * "moth" */
static int l_open(lua_State *L)
{
    struct stores *stores = stores_of(L);
    const char *name = bind_check_word(L, 1);
    int rc = 0;
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);
    *h = (struct handle){.host = stores->host};
    luaL_setmetatable(L, STORE);
    if (!name) return bind_push_error(L, MOTH_EBAD_NAME);
    struct open_store *open = find(stores, name);
    if (!open && !find_free(stores)) lua_gc(L, LUA_GCCOLLECT);
    if (!open) rc = open_new(stores, name, &open);
    if (rc < 0) return bind_push_error(L, rc);
    h->open = open;
    open->users++;
    return 1;
}

static void close_handle(struct handle *h)
{
    struct open_store *open = h->open;
    h->open = NULL;
    if (!open || --open->users > 0) return;
    moth_store_close(open->store);
    open->store = NULL;
}

/* store:close(); a second time is fine */
static int l_close(lua_State *L)
{
    close_handle(luaL_checkudata(L, 1, STORE));
    return 0;
}

static int l_tostring(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, STORE);
    lua_pushfstring(L, "moth.store %s", h->open ? h->open->name : "(closed)");
    return 1;
}

/* The store at 1, or NULL: it is closed. */
static struct moth_store *check_store(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, STORE);
    return h->open ? h->open->store : NULL;
}

static int push_closed(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "the store is closed");
    lua_pushstring(L, moth_error_code(MOTH_ECLOSED));
    return 3;
}

static uint64_t check_message_id(lua_State *L)
{
    return (uint64_t)luaL_checkinteger(L, 2);
}

/* --- writing --- */

static const char *check_field(lua_State *L, const char *key, size_t *bytes)
{
    if (lua_getfield(L, 2, key) != LUA_TSTRING) luaL_error(L, "put needs a text as %s", key);
    return lua_tolstring(L, -1, bytes);
}

/* Field `ttl`, in ms; 0: none. False: it is no span of time. */
static bool check_ttl(lua_State *L, uint64_t *ttl_ms)
{
    double seconds;
    int type = lua_getfield(L, 2, "ttl");
    *ttl_ms = 0;
    if (type == LUA_TNIL) return true;
    if (type == LUA_TNUMBER) seconds = lua_tonumber(L, -1);
    else if (type != LUA_TSTRING) return luaL_error(L, "ttl is seconds or a text like \"1h30m\""), false;
    else if (!duration_parse(lua_tostring(L, -1), &seconds)) return false;
    if (!(seconds >= 0.001 && seconds <= 1e10)) return false;
    *ttl_ms = (uint64_t)(seconds * 1000);
    return true;
}

/* store:put{to =, data = [, ttl = DUR]} -> id | nil, why, code: argument, too_big, full; without ttl it never
 * expires */
static int l_put(lua_State *L)
{
    struct moth_store *store = check_store(L);
    size_t to_bytes, bytes;
    uint64_t ttl_ms, id;
    luaL_checktype(L, 2, LUA_TTABLE);
    const char *to = check_field(L, "to", &to_bytes), *data = check_field(L, "data", &bytes);
    if (!check_ttl(L, &ttl_ms) || strlen(to) != to_bytes) return bind_push_error(L, MOTH_EARGUMENT);
    if (!store) return push_closed(L);
    int rc = moth_store_put(store, to, data, bytes, ttl_ms, &id);
    if (rc < 0) return bind_push_error(L, rc);
    lua_pushinteger(L, (lua_Integer)id);
    return 1;
}

/* store:delete(id) -> true | nil, why, code: not_found */
static int l_delete(lua_State *L)
{
    struct moth_store *store = check_store(L);
    uint64_t id = check_message_id(L);
    return store ? bind_push_result(L, moth_store_delete(store, id)) : push_closed(L);
}

/* store:tried(id) -> true | nil, why, code: not_found; counts one more try */
static int l_tried(lua_State *L)
{
    struct moth_store *store = check_store(L);
    uint64_t id = check_message_id(L);
    return store ? bind_push_result(L, moth_store_tried(store, id)) : push_closed(L);
}

static uint64_t now_ms(lua_State *L)
{
    const struct handle *h = luaL_checkudata(L, 1, STORE);
    const struct moth_host *host = h->host;
    if (lua_isnoneornil(L, 2)) return host->wall_ms(host->context);
    lua_Number seconds = luaL_checknumber(L, 2);
    return seconds > 0 && seconds < 1e15 ? (uint64_t)(seconds * 1000) : 0;
}

/* store:expire([now]) -> count | nil, why, code; `now` in seconds since 1970, the node's clock unless given */
static int l_expire(lua_State *L)
{
    struct moth_store *store = check_store(L);
    uint64_t at_ms = now_ms(L);
    size_t count;
    if (!store) return push_closed(L);
    int rc = moth_store_expire(store, at_ms, &count);
    if (rc < 0) return bind_push_error(L, rc);
    lua_pushinteger(L, (lua_Integer)count);
    return 1;
}

/* --- reading --- */

static void push_stored(lua_State *L, const struct moth_stored *m)
{
    lua_createtable(L, 0, 8);
    bind_set_integer(L, "id", m->id);
    bind_set_string(L, "to", m->to);
    bind_set_integer(L, "bytes", m->bytes);
    bind_set_time(L, "time", m->time_ms);
    if (m->expires_ms) bind_set_time(L, "expires", m->expires_ms);
    bind_set_integer(L, "tries", m->tries);
    if (m->tried_ms) bind_set_time(L, "tried", m->tried_ms);
}

/* Pushes the data, or nothing. */
static int push_data(lua_State *L, struct moth_store *store, const struct moth_stored *m)
{
    luaL_Buffer out;
    int rc = moth_store_data(store, m->id, luaL_buffinitsize(L, &out, m->bytes), m->bytes);
    if (rc == 0) luaL_pushresultsize(&out, m->bytes);
    return rc;
}

/* store:get(id) -> {id, to, data, bytes, time, expires, tries, tried} | nil, why, code: not_found; times in seconds
 * since 1970; expires and tried only when it does and was */
static int l_get(lua_State *L)
{
    struct moth_store *store = check_store(L);
    uint64_t id = check_message_id(L);
    struct moth_stored m;
    if (!store) return push_closed(L);
    int rc = moth_store_get(store, id, &m);
    if (rc < 0) return bind_push_error(L, rc);
    push_stored(L, &m);
    if ((rc = push_data(L, store, &m)) < 0) return bind_push_error(L, rc);
    lua_setfield(L, -2, "data");
    return 1;
}

/* store:pending([to]) -> {as get, without data} | nil, why, code; the oldest first, at most 1,000 */
static int l_pending(lua_State *L)
{
    struct moth_store *store = check_store(L);
    const char *to = lua_isnoneornil(L, 2) ? NULL : luaL_checkstring(L, 2);
    size_t count;
    if (!store) return push_closed(L);
    struct moth_stored *list = bind_push_room(L, PENDING_MAX, sizeof *list);
    int rc = moth_store_pending(store, to, list, PENDING_MAX, &count);
    if (rc < 0) return bind_push_error(L, rc);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        push_stored(L, &list[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* --- making it --- */

static const luaL_Reg methods[] = {
    {"put", l_put}, {"get", l_get}, {"delete", l_delete}, {"pending", l_pending}, {"tried", l_tried},
    {"expire", l_expire}, {"close", l_close}, {NULL, NULL},
};
static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};

int bind_store_open(lua_State *L, const struct moth_host *host)
{
    struct stores *stores = lua_newuserdatauv(L, sizeof *stores, 0);
    memset(stores, 0, sizeof *stores);
    stores->host = host;
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, stores); /* its handles may outlive all tables */
    bind_make_class(L, STORE, methods, l_close, l_tostring);
    luaL_newlibtable(L, functions);
    lua_rotate(L, -2, 1);
    luaL_setfuncs(L, functions, 1);
    return 1;
}
