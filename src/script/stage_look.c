/* stage_look.c -- what the Lua of a run sees of its network as a whole; part of moth.core.lab, see stage_lab.c. */
#include "script/stage_private.h"

#include "base/buf.h"
#include "script/bind.h"

#include <lauxlib.h>

#define LINES_MAX 1000

static void push_seconds(lua_State *L, uint64_t us)
{
    lua_pushnumber(L, (lua_Number)us / 1e6);
}

static int push_status(lua_State *L, const struct moth_status *status)
{
    lua_createtable(L, 0, 5);
    bind_set_integer(L, "bytes_out", status->bytes_out);
    bind_set_integer(L, "message_bytes_out", status->message_bytes_out);
    bind_set_integer(L, "adverts_out", status->adverts_out);
    bind_set_integer(L, "messages_sent", status->messages_sent);
    bind_set_integer(L, "links", status->links);
    return 1;
}

/* status(machine) -> {bytes_out, message_bytes_out, adverts_out, messages_sent, links}; nil: it does not run */
static int l_status(lua_State *L)
{
    struct moth_node *node = lab_node(stage_of(L)->lab, stage_check_machine(L, 1));
    struct moth_status status;
    if (!node) return 0;
    moth_status(node, &status);
    return push_status(L, &status);
}

/* spent() -> the same of all processes that are gone, together; links: 0 */
static int l_spent(lua_State *L)
{
    return push_status(L, &stage_of(L)->spent);
}

/* edges(machines) -> {{a, b}}: the links that both ends have, a < b */
static int l_edges(lua_State *L)
{
    struct stage *s = stage_of(L);
    struct lab_edge *edges;
    unsigned machines = (unsigned)luaL_checkinteger(L, 1);
    size_t count = lab_edges(s->lab, machines, NULL, 0);
    edges = bind_push_room(L, count, sizeof *edges);
    lab_edges(s->lab, machines, edges, count);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_createtable(L, 2, 0);
        lua_pushinteger(L, edges[i].a);
        lua_rawseti(L, -2, 1);
        lua_pushinteger(L, edges[i].b);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* now() -> seconds since the run began */
static int l_now(lua_State *L)
{
    push_seconds(L, lab_now_us(stage_of(L)->lab) - LAB_START_US);
    return 1;
}

/* routes_are_true() -> true | false, who, whom */
static int l_routes_are_true(lua_State *L)
{
    unsigned who, whom;
    bool are_true = lab_routes_are_true(stage_of(L)->lab, &who, &whom);
    lua_pushboolean(L, are_true);
    if (are_true) return 1;
    lua_pushinteger(L, who);
    lua_pushinteger(L, whom);
    return 3;
}

/* is_dialling() -> boolean: links are still to come after what was done last */
static int l_is_dialling(lua_State *L)
{
    const struct stage *s = stage_of(L);
    lua_pushboolean(L, lab_is_dialling(s->lab, record_figures(s->record).disturbed_us));
    return 1;
}

/* figures() -> {...}: see lab_record.h; times are seconds since the run began, as now() */
static int l_figures(lua_State *L)
{
    struct stage *s = stage_of(L);
    struct record_figures f = record_figures(s->record);
    lua_createtable(L, 0, 8);
    bind_set_integer(L, "received", f.received);
    bind_set_integer(L, "events", f.events);
    bind_set_integer(L, "most_deliveries", f.most_deliveries);
    bind_set_integer(L, "hops", f.hops);
    bind_set_integer(L, "shortest", f.shortest);
    const struct {
        const char *name;
        uint64_t us;
    } times[] = {{"changed", f.changed_us}, {"routed", f.routed_us}, {"disturbed", f.disturbed_us}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        push_seconds(L, times[i].us - LAB_START_US);
        lua_setfield(L, -2, times[i].name);
    }
    return 1;
}

/* quantile(per_mille) -> seconds that messages took */
static int l_quantile(lua_State *L)
{
    uint64_t ms = record_quantile_ms(stage_of(L)->record, (unsigned)luaL_checkinteger(L, 1));
    lua_pushnumber(L, (lua_Number)ms / 1000);
    return 1;
}

/* note(text): a line of the timeline; disturbed(): what was done may move routes; changed(): mail is on its way */
static int l_note(lua_State *L)
{
    record_note(stage_of(L)->record, luaL_checkstring(L, 1));
    return 0;
}

static int l_disturbed(lua_State *L)
{
    record_disturbed(stage_of(L)->record);
    return 0;
}

static int l_changed(lua_State *L)
{
    record_changed(stage_of(L)->record);
    return 0;
}

struct lines {
    struct buf all;
};

static void add_line(void *context, const char *line)
{
    struct lines *lines = context;
    buf_add(&lines->all, line, strlen(line));
    buf_add(&lines->all, "\n", 1);
}

/* lines(machine | nil, most) -> text: the newest lines of the timeline */
static int l_lines(lua_State *L)
{
    struct stage *s = stage_of(L);
    struct lines lines = {{0}};
    unsigned machine = lua_isnil(L, 1) ? RECORD_ALL : stage_check_machine(L, 1);
    lua_Integer most = luaL_checkinteger(L, 2);
    luaL_argcheck(L, most >= 0 && most <= LINES_MAX, 2, "too many lines");
    luaL_Buffer buffer;
    char *out = luaL_buffinitsize(L, &buffer, (size_t)most * RECORD_LINE_BYTES + 1);
    record_lines(s->record, machine, (size_t)most, add_line, &lines);
    size_t bytes = buf_bytes(&lines.all);
    if (bytes > 0) memcpy(out, buf_span(&lines.all).data, bytes);
    buf_fini(&lines.all);
    luaL_pushresultsize(&buffer, bytes);
    return 1;
}

void stage_look_open(lua_State *L, struct stage *s)
{
    static const luaL_Reg functions[] = {
        {"status", l_status}, {"spent", l_spent}, {"edges", l_edges}, {"now", l_now},
        {"routes_are_true", l_routes_are_true}, {"is_dialling", l_is_dialling}, {"figures", l_figures},
        {"quantile", l_quantile}, {"note", l_note}, {"disturbed", l_disturbed}, {"changed", l_changed},
        {"lines", l_lines}, {NULL, NULL},
    };
    lua_pushlightuserdata(L, s);
    luaL_setfuncs(L, functions, 1);
}
