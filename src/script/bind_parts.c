/* bind_parts.c -- frame and router for Lua: check, call, translate, return.
 *
 * Failure is `nil, why, code`. A router speaks of ids as scripts write them: 32 hex digits are an id, any other text up
 * to 64 bytes is a name, which stands for the id that its hash is and comes back as it was written. */
#include "script/bind_parts.h"

#include "moth/frame.h"
#include "moth/router.h"
#include "script/bind.h"

#include <stdlib.h>
#include <string.h>

#define DECODER "moth.frame.decoder"
#define ROUTER "moth.router"
#define HELD_BYTES_MAX (32u << 20) /* of unfinished frames, all decoders together */
#define ROUTERS_MAX 64             /* of all scripts together */
#define NAME_BYTES_MAX 64          /* of a name in a router */

struct parts { /* one for each bind_parts_open, kept in the registry; an upvalue of what makes objects */
    uint64_t seed;
    size_t held_bytes; /* by decoders */
    unsigned routers;
};

struct decoder {
    struct parts *parts;             /* borrowed */
    struct moth_frame_decoder *frames;    /* owned; NULL: it is at its end */
    size_t held_bytes;                    /* as counted in `parts` */
    bool is_feeding;                      /* an error of Lua's left it in the middle of a chunk */
    int reason;                           /* why it is at its end */
};

struct router {
    struct parts *parts; /* borrowed */
    struct moth_router *map;  /* owned */
}; /* its uservalue: names by the bytes of their ids */

void bind_make_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc, lua_CFunction tostring)
{
    luaL_newmetatable(L, name);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    bind_set_metamethods(L, name, tostring);
    lua_pop(L, 1);
}

static struct parts *parts_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* --- frames --- */

static const char *const mode_names[] = {"length", "line", NULL};
static const enum moth_frame_mode modes[] = {MOTH_FRAME_LENGTH, MOTH_FRAME_LINE};

static void count_held(struct decoder *d)
{
    size_t bytes = d->frames ? moth_frame_decoder_held(d->frames) : 0;
    d->parts->held_bytes += bytes - d->held_bytes;
    d->held_bytes = bytes;
}

static int decoder_end(struct decoder *d, int reason)
{
    moth_frame_decoder_free(d->frames);
    d->frames = NULL;
    d->reason = reason;
    count_held(d);
    return reason;
}

/* moth.frame.decoder("length" | "line" [, max]) -> decoder; "length": four bytes, big-endian, then as many as they say;
 * a frame or a line has at most `max` bytes, 1 MiB unless given */
static int l_decoder(lua_State *L)
{
    enum moth_frame_mode mode = modes[luaL_checkoption(L, 1, NULL, mode_names)];
    lua_Integer max = luaL_optinteger(L, 2, MOTH_FRAME_MAX);
    luaL_argcheck(L, max >= 1 && max <= (lua_Integer)MOTH_FRAME_MAX, 2, "from 1 to 1048576 bytes");
    struct decoder *d = lua_newuserdatauv(L, sizeof *d, 0);
    *d = (struct decoder){.parts = parts_of(L)};
    luaL_setmetatable(L, DECODER);
    d->frames = moth_frame_decoder_new(mode, (size_t)max);
    return 1;
}

static int l_decoder_gc(lua_State *L)
{
    decoder_end(luaL_checkudata(L, 1, DECODER), MOTH_ECLOSED);
    return 0;
}

static int l_decoder_tostring(lua_State *L)
{
    luaL_checkudata(L, 1, DECODER);
    lua_pushliteral(L, "moth.frame.decoder");
    return 1;
}

/* Pushes the list of frames that are whole now. */
static int push_frames(lua_State *L, struct decoder *d)
{
    struct moth_frame frame;
    lua_Integer count = 0;
    int rc;
    lua_newtable(L);
    while ((rc = moth_frame_decoder_next(d->frames, &frame)) > 0) {
        lua_pushlstring(L, frame.data, frame.bytes);
        lua_rawseti(L, -2, ++count);
    }
    return rc;
}

/* decoder:feed(bytes) -> {frames} | nil, why, code; after a failure it fails for ever: too_big, full */
static int l_feed(lua_State *L)
{
    struct decoder *d = luaL_checkudata(L, 1, DECODER);
    size_t bytes;
    const char *data = luaL_checklstring(L, 2, &bytes);
    if (d->is_feeding && d->frames) decoder_end(d, MOTH_EFULL);
    if (!d->frames) return bind_push_error(L, d->reason);
    d->is_feeding = true;
    moth_frame_decoder_feed(d->frames, data, bytes);
    int rc = push_frames(L, d);
    d->is_feeding = false;
    count_held(d);
    if (rc == 0 && d->parts->held_bytes > HELD_BYTES_MAX) rc = MOTH_EFULL;
    return rc < 0 ? bind_push_error(L, decoder_end(d, rc)) : 1;
}

/* moth.frame.encode(bytes, "length" | "line") -> text | nil, why, code: too_big, argument (no line) */
static int l_encode(lua_State *L)
{
    size_t bytes;
    const char *data = luaL_checklstring(L, 1, &bytes);
    enum moth_frame_mode mode = modes[luaL_checkoption(L, 2, NULL, mode_names)];
    luaL_Buffer out;
    if (bytes > MOTH_FRAME_MAX) return bind_push_error(L, MOTH_ETOO_BIG);
    int rc = moth_frame_encode(mode, data, bytes, luaL_buffinitsize(L, &out, bytes + MOTH_FRAME_EXTRA));
    if (rc < 0) return bind_push_error(L, rc);
    luaL_pushresultsize(&out, (size_t)rc);
    return 1;
}

static const luaL_Reg decoder_methods[] = {{"feed", l_feed}, {NULL, NULL}};
static const luaL_Reg frame_functions[] = {{"decoder", l_decoder}, {"encode", l_encode}, {NULL, NULL}};

/* --- routers: ids and names --- */

static struct router *check_router(lua_State *L)
{
    return luaL_checkudata(L, 1, ROUTER);
}

static struct moth_id check_id(lua_State *L, int index)
{
    struct moth_id id;
    size_t bytes;
    const char *text = luaL_checklstring(L, index, &bytes);
    luaL_argcheck(L, bytes >= 1 && bytes <= NAME_BYTES_MAX, index, "an id, or a name of 1 to 64 bytes");
    if (moth_id_parse(text, bytes, &id) < 0) moth_id_of_text(text, bytes, &id);
    return id;
}

static void push_name(lua_State *L, int names, const struct moth_id *id)
{
    lua_pushlstring(L, (const char *)id->bytes, MOTH_ID_BYTES);
    if (lua_rawget(L, names) == LUA_TSTRING) return;
    lua_pop(L, 1);
    bind_push_id(L, id);
}

/* Remembers how the argument was written. */
static void learn(lua_State *L, int names, int index, const struct moth_id *id)
{
    struct moth_id same;
    size_t bytes;
    const char *text = lua_tolstring(L, index, &bytes);
    if (moth_id_parse(text, bytes, &same) == 0) return;
    lua_pushlstring(L, (const char *)id->bytes, MOTH_ID_BYTES);
    lua_pushvalue(L, index);
    lua_rawset(L, names);
}

/* Forgets all names that are no longer in the map. */
static void tidy(lua_State *L, int names, const struct moth_router *map)
{
    for (lua_pushnil(L); lua_next(L, names); lua_pop(L, 1)) {
        struct moth_id id;
        memcpy(id.bytes, lua_tostring(L, -2), sizeof id.bytes);
        if (moth_router_has(map, &id)) continue;
        lua_pushvalue(L, -2);
        lua_pushnil(L);
        lua_rawset(L, names);
    }
}

static void forget(lua_State *L, int names, const struct moth_router *map, const struct moth_id *id)
{
    if (moth_router_has(map, id)) return;
    lua_pushlstring(L, (const char *)id->bytes, MOTH_ID_BYTES);
    lua_pushnil(L);
    lua_rawset(L, names);
}

/* Puts the names of the router at 1 on the stack; returns where. */
static int push_names(lua_State *L)
{
    lua_getiuservalue(L, 1, 1);
    return lua_gettop(L);
}

/* --- routers: what they do --- */

/* moth.router.new(me) -> router | nil, why, code: full */
static int l_router_new(lua_State *L)
{
    struct parts *parts = parts_of(L);
    struct moth_id me = check_id(L, 1);
    lua_settop(L, 1);
    if (parts->routers >= ROUTERS_MAX) lua_gc(L, LUA_GCCOLLECT);
    if (parts->routers >= ROUTERS_MAX) return bind_push_error(L, MOTH_EFULL);
    struct router *r = lua_newuserdatauv(L, sizeof *r, 1);
    *r = (struct router){.parts = parts};
    luaL_setmetatable(L, ROUTER);
    lua_newtable(L);
    learn(L, 3, 1, &me);
    lua_setiuservalue(L, 2, 1);
    r->map = moth_router_new(&me, parts->seed);
    parts->routers++;
    return 1;
}

static int l_router_gc(lua_State *L)
{
    struct router *r = check_router(L);
    if (r->map) r->parts->routers--;
    moth_router_free(r->map);
    r->map = NULL;
    return 0;
}

static int l_router_tostring(lua_State *L)
{
    check_router(L);
    lua_pushliteral(L, "moth.router");
    return 1;
}

/* router:link(a, b [, cost]) -> true | nil, why, code: self, full; both ways */
static int l_link(lua_State *L)
{
    struct router *r = check_router(L);
    struct moth_id a = check_id(L, 2), b = check_id(L, 3);
    lua_Integer cost = luaL_optinteger(L, 4, 1);
    luaL_argcheck(L, cost >= 0 && cost <= UINT16_MAX, 4, "from 0 to 65535");
    int names = push_names(L);
    learn(L, names, 2, &a);
    learn(L, names, 3, &b);
    int rc = moth_router_link(r->map, &a, &b, (uint16_t)cost);
    forget(L, names, r->map, &a);
    forget(L, names, r->map, &b);
    return bind_push_result(L, rc);
}

/* router:unlink(a, b) -> true | nil, why, code: not_found */
static int l_unlink(lua_State *L)
{
    struct router *r = check_router(L);
    struct moth_id a = check_id(L, 2), b = check_id(L, 3);
    int names = push_names(L), rc = moth_router_unlink(r->map, &a, &b);
    forget(L, names, r->map, &a);
    forget(L, names, r->map, &b);
    return bind_push_result(L, rc);
}

/* router:remove(id) -> true | nil, why, code: not_found; ends all its links */
static int l_remove(lua_State *L)
{
    struct router *r = check_router(L);
    struct moth_id id = check_id(L, 2);
    int names = push_names(L), rc = moth_router_remove(r->map, &id);
    if (rc == 0) tidy(L, names, r->map);
    return bind_push_result(L, rc);
}

/* router:next_hop(id) -> id | nil, why, code: self, not_found, unreachable */
static int l_next_hop(lua_State *L)
{
    struct router *r = check_router(L);
    struct moth_id to = check_id(L, 2), next;
    int rc = moth_router_next_hop(r->map, &to, &next);
    if (rc < 0) return bind_push_error(L, rc);
    push_name(L, push_names(L), &next);
    return 1;
}

/* router:path(id) -> {ids from us to it} | nil, why, code: not_found, unreachable */
static int l_path(lua_State *L)
{
    struct router *r = check_router(L);
    struct moth_id to = check_id(L, 2);
    size_t count = moth_router_path(r->map, &to, NULL, 0);
    if (count == 0) return bind_push_error(L, moth_router_has(r->map, &to) ? MOTH_EUNREACHABLE : MOTH_ENOT_FOUND);
    struct moth_id *path = bind_push_room(L, count, sizeof *path);
    int names = push_names(L);
    moth_router_path(r->map, &to, path, count);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        push_name(L, names, &path[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

struct shown {
    struct moth_route route;
    const char *name; /* as the names have it; NULL: an id */
    char digits[MOTH_ID_TEXT_BYTES];
};

static const char *text_of(const struct shown *s)
{
    return s->name ? s->name : s->digits;
}

static int compare_shown(const void *a, const void *b)
{
    return strcmp(text_of(a), text_of(b));
}

/* What it points to stays in the names. */
static void set_text(lua_State *L, int names, struct shown *s)
{
    push_name(L, names, &s->route.id);
    const char *name = lua_tostring(L, -1);
    moth_id_format(&s->route.id, s->digits);
    s->name = strcmp(name, s->digits) == 0 ? NULL : name;
    lua_pop(L, 1);
}

/* Pushes room with all that can be reached, by name. */
static struct shown *push_shown(lua_State *L, struct moth_router *map, int names, size_t count)
{
    struct moth_route *routes = bind_push_room(L, count, sizeof *routes);
    struct shown *shown = bind_push_room(L, count, sizeof *shown);
    moth_router_routes(map, routes, count);
    for (size_t i = 0; i < count; i++) {
        shown[i].route = routes[i];
        set_text(L, names, &shown[i]);
    }
    qsort(shown, count, sizeof *shown, compare_shown);
    return shown;
}

/* router:peers() -> {{id, via, hops}}: all that can be reached, by name */
static int l_peers(lua_State *L)
{
    struct router *r = check_router(L);
    size_t count = moth_router_routes(r->map, NULL, 0);
    int names = push_names(L);
    struct shown *shown = push_shown(L, r->map, names, count);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_createtable(L, 0, 3);
        push_name(L, names, &shown[i].route.id);
        lua_setfield(L, -2, "id");
        push_name(L, names, &shown[i].route.next);
        lua_setfield(L, -2, "via");
        bind_set_integer(L, "hops", shown[i].route.hops);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static const luaL_Reg router_methods[] = {
    {"link", l_link}, {"unlink", l_unlink}, {"remove", l_remove}, {"next_hop", l_next_hop}, {"path", l_path},
    {"peers", l_peers}, {NULL, NULL},
};
static const luaL_Reg router_functions[] = {{"new", l_router_new}, {NULL, NULL}};

/* --- opening --- */

static uint64_t draw_seed(const struct moth_host *host)
{
    uint64_t seed;
    host->random(host->context, &seed, sizeof seed);
    return seed;
}

/* Pushes it. What borrows it may outlive all tables: it stays as long as the state. */
static void push_parts(lua_State *L, const struct moth_host *host)
{
    struct parts *parts = lua_newuserdatauv(L, sizeof *parts, 0);
    *parts = (struct parts){.seed = draw_seed(host)};
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, parts);
}

int bind_parts_open(lua_State *L, const struct moth_host *host)
{
    bind_make_class(L, DECODER, decoder_methods, l_decoder_gc, l_decoder_tostring);
    bind_make_class(L, ROUTER, router_methods, l_router_gc, l_router_tostring);
    lua_createtable(L, 0, 3);
    push_parts(L, host);
    luaL_newlibtable(L, frame_functions);
    lua_pushvalue(L, -2);
    luaL_setfuncs(L, frame_functions, 1);
    lua_setfield(L, -3, "frame");
    luaL_newlibtable(L, router_functions);
    lua_rotate(L, -2, 1);
    luaL_setfuncs(L, router_functions, 1);
    lua_setfield(L, -2, "router");
    bind_store_open(L, host);
    lua_setfield(L, -2, "store");
    return 1;
}
