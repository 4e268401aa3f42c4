/* stage_lab.c -- what the Lua of a run may do to its network: moth.core.lab, for lua/moth/net.lua alone. Machines are
 * numbered from 0, times are seconds. */
#include "script/stage_private.h"

#include "base/crypto.h"
#include "base/mem.h"
#include "node/store_disk.h"
#include "script/bind.h"
#include "script/bind_node.h"
#include "script/bind_parts.h"
#include "script/bind_tcp.h"

#include <lauxlib.h>

#include <stdlib.h>

struct stage *stage_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

unsigned stage_check_machine(lua_State *L, int index)
{
    lua_Integer machine = luaL_checkinteger(L, index);
    luaL_argcheck(L, machine >= 0 && machine < STAGE_MACHINES_MAX, index, "no such machine");
    return (unsigned)machine;
}

uint64_t stage_check_us(lua_State *L, int index)
{
    lua_Number seconds = luaL_checknumber(L, index);
    luaL_argcheck(L, seconds >= 0 && seconds < 1e12, index, "a time in seconds expected");
    return (uint64_t)(seconds * 1e6 + 0.5);
}

/* --- machines --- */

uint64_t stage_field_number(lua_State *L, int index, const char *key)
{
    lua_getfield(L, index, key);
    lua_Number value = luaL_optnumber(L, -1, 0);
    lua_pop(L, 1);
    return value > 0 ? (uint64_t)value : 0;
}

static bool field_boolean(lua_State *L, int index, const char *key)
{
    lua_getfield(L, index, key);
    bool on = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return on;
}

/* The text stays on the stack, where the table holds it. */
static const char *field_text(lua_State *L, int index, const char *key)
{
    lua_getfield(L, index, key);
    return lua_tostring(L, -1);
}

static void read_limits(lua_State *L, int index, struct moth_config *config)
{
    lua_getfield(L, index, "limits");
    for (int i = 0; lua_istable(L, -1) && i < MOTH_LIMIT_COUNT; i++)
        config->limits[i] = stage_field_number(L, lua_gettop(L), moth_limit_info((enum moth_limit)i)->name);
}

/* Not the way of a real node, where it takes half a second on purpose. */
static void read_network(lua_State *L, int index, struct moth_config *config)
{
    const char *network = field_text(L, index, "network");
    if (!network) return;
    crypto_sha256(slice_text(network), config->network_key);
    config->has_network_key = true;
}

static void check_calm(lua_State *L)
{
    if (stage_of(L)->is_stepping)
        luaL_error(L, "a hook is asked in the midst of other work and can start, end or freeze no node: net:at(0, fn) "
                      "does it just after");
}

/* start(machine, name, {ttl, retries, limits, network, advertise, only_wanted, paused}) -> true | nil, why, code
 * paused: until pause_mail(false) nothing of earlier runs is given to anybody */
static int l_start(lua_State *L)
{
    struct stage *s = stage_of(L);
    unsigned machine = stage_check_machine(L, 1);
    const char *name = luaL_checkstring(L, 2);
    struct moth_config config = {.open = true};
    check_calm(L);
    luaL_checktype(L, 3, LUA_TTABLE);
    config.ttl_s = (uint32_t)stage_field_number(L, 3, "ttl");
    config.retries = (uint32_t)stage_field_number(L, 3, "retries");
    config.only_wanted = field_boolean(L, 3, "only_wanted");
    config.advertise = field_text(L, 3, "advertise");
    read_network(L, 3, &config);
    read_limits(L, 3, &config);
    int rc = lab_open(s->lab, machine, name, &config);
    if (rc < 0) return bind_push_error(L, rc);
    record_name(s->record, machine);
    record_disturbed(s->record);
    if (s->bindings[machine]) bind_node_change(s->bindings[machine], lab_node(s->lab, machine));
    moth_pause_mail(lab_node(s->lab, machine), field_boolean(L, 3, "paused"));
    lab_turn(s->lab, machine);
    lua_pushboolean(L, 1);
    return 1;
}

unsigned stage_machine_of(const struct binding *b)
{
    return (unsigned)(uintptr_t)bind_node_owner(b);
}

static void name_binding(const struct stage *s, struct binding *b, unsigned machine)
{
    char address[MOTH_ADDRESS_TEXT_BYTES];
    struct moth_id id;
    const char *name = record_name_of(s->record, machine, &id);
    lab_address(machine, address);
    if (name) bind_node_know(b, &id, name, address);
}

/* node(machine) -> the node there, as C gives it; it stays the same over restarts */
static int l_node(lua_State *L)
{
    struct stage *s = stage_of(L);
    unsigned machine = stage_check_machine(L, 1);
    if (!s->bindings[machine]) {
        struct binding *b = bind_node(s->runtime, lab_node(s->lab, machine), NULL, (void *)(uintptr_t)machine);
        if (!b) return luaL_error(L, "the node cannot be bound");
        name_binding(s, b, machine);
        bind_node_watch(b, &s->touched);
        s->bindings[machine] = b;
    }
    bind_push_binding(L, s->bindings[machine]);
    return 1;
}

/* parts(machine) -> {frame, router, store}: for its scripts */
static int l_parts(lua_State *L)
{
    return bind_parts_open(L, lab_host(stage_of(L)->lab, stage_check_machine(L, 1)));
}

/* tcp(machine) -> {connect, listen, next} */
static int l_tcp(lua_State *L)
{
    return bind_tcp_push(L, lab_transport(stage_of(L)->lab, stage_check_machine(L, 1)), true);
}

static void keep_figures(struct stage *s, const struct moth_node *node)
{
    struct moth_status last;
    if (!node) return;
    moth_status(node, &last);
    s->spent.bytes_out += last.bytes_out;
    s->spent.message_bytes_out += last.message_bytes_out;
    s->spent.adverts_out += last.adverts_out;
    s->spent.messages_sent += last.messages_sent;
}

/* kill(machine [, in_good_order]) */
static int l_kill(lua_State *L)
{
    struct stage *s = stage_of(L);
    unsigned machine = stage_check_machine(L, 1);
    check_calm(L);
    if (s->bindings[machine]) bind_node_change(s->bindings[machine], NULL);
    keep_figures(s, lab_node(s->lab, machine));
    if (lua_toboolean(L, 2)) lab_close(s->lab, machine);
    else lab_kill(s->lab, machine);
    record_disturbed(s->record);
    return 0;
}

/* freeze(machine, on) */
static int l_freeze(lua_State *L)
{
    struct stage *s = stage_of(L);
    check_calm(L);
    lab_freeze(s->lab, stage_check_machine(L, 1), lua_toboolean(L, 2));
    record_disturbed(s->record);
    return 0;
}

/* id(machine) -> text | nil */
static int l_id(lua_State *L)
{
    struct moth_node *node = lab_node(stage_of(L)->lab, stage_check_machine(L, 1));
    if (node) bind_push_id(L, moth_node_id(node));
    else lua_pushnil(L);
    return 1;
}

/* address(machine) -> text */
static int l_address(lua_State *L)
{
    char text[MOTH_ADDRESS_TEXT_BYTES];
    lab_address(stage_check_machine(L, 1), text);
    lua_pushstring(L, text);
    return 1;
}

/* dial(from, to) -> true | nil, why, code: it is tried until it succeeds */
static int l_dial(lua_State *L)
{
    struct stage *s = stage_of(L);
    unsigned from = stage_check_machine(L, 1), to = stage_check_machine(L, 2);
    record_disturbed(s->record);
    return bind_push_result(L, lab_node(s->lab, from) ? lab_connect(s->lab, from, to) : MOTH_ESHUTDOWN);
}

/* clock(machine, seconds): how far its clock is off */
static int l_clock(lua_State *L)
{
    lab_clock(stage_of(L)->lab, stage_check_machine(L, 1), (int64_t)(luaL_checknumber(L, 2) * 1000));
    return 0;
}

/* on_clock(machine | nil) -> machine | nil: whose clock the scripts see from now on; whose it was */
static int l_on_clock(lua_State *L)
{
    struct stage *s = stage_of(L);
    unsigned before = s->clock, now = lua_isnoneornil(L, 1) ? 0 : stage_check_machine(L, 1) + 1;
    runtime_set_clock(s->runtime, now ? lab_host(s->lab, now - 1) : NULL);
    s->clock = now;
    if (before) lua_pushinteger(L, before - 1);
    else lua_pushnil(L);
    return 1;
}

/* wall(machine) -> seconds since 1970 */
static int l_wall(lua_State *L)
{
    const struct moth_host *host = lab_host(stage_of(L)->lab, stage_check_machine(L, 1));
    lua_pushnumber(L, (lua_Number)host->wall_ms(host->context) / 1000);
    return 1;
}

/* disk(machine, {room = bytes, slow = seconds, fails = boolean}): what is left out is as it should be */
static int l_disk(lua_State *L)
{
    struct stage *s = stage_of(L);
    unsigned machine = stage_check_machine(L, 1);
    struct disk *disk = lab_disk(s->lab, machine);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_getfield(L, 2, "room");
    disk_limit(disk, lua_isnil(L, -1) ? UINT64_MAX : disk_bytes(disk) + (uint64_t)luaL_checkinteger(L, -1));
    lua_getfield(L, 2, "slow");
    lab_slow_disk(s->lab, machine, lua_isnil(L, -1) ? LAB_DISK_US : stage_check_us(L, lua_gettop(L)));
    bool fails = field_boolean(L, 2, "fails");
    lab_fail_writes(s->lab, machine, fails);
    if (fails) disk_fail_at(disk, disk_calls(disk), true);
    else disk_heal(disk);
    return 0;
}

/* limits() -> {name = default}: those that a node's configuration knows */
static int l_limits(lua_State *L)
{
    lua_createtable(L, 0, MOTH_LIMIT_COUNT);
    for (int i = 0; i < MOTH_LIMIT_COUNT; i++) {
        const struct moth_limit_info *info = moth_limit_info((enum moth_limit)i);
        bind_set_integer(L, info->name, info->value);
    }
    return 1;
}

/* lose(machine, per_mille): adverts that it should pass on and does not */
static int l_lose(lua_State *L)
{
    lab_lose_updates(stage_of(L)->lab, stage_check_machine(L, 1), (unsigned)luaL_checkinteger(L, 2));
    return 0;
}

/* --- the run --- */

/* print(text) */
static int l_print(lua_State *L)
{
    struct stage *s = stage_of(L);
    size_t bytes;
    const char *text = luaL_checklstring(L, 1, &bytes);
    if (s->setup.print) s->setup.print(s->setup.owner, text, bytes);
    return 0;
}

/* over(has_passed [, text]): the run ends; the first one counts */
static int l_over(lua_State *L)
{
    struct stage *s = stage_of(L);
    if (s->is_over) return 0;
    s->is_over = true;
    s->result.has_passed = lua_toboolean(L, 1);
    if (!lua_isnoneornil(L, 2)) s->result.text = mem_text(luaL_checkstring(L, 2));
    return 0;
}

/* has_checks(on): lab.check() is called after every event from now on */
static int l_has_checks(lua_State *L)
{
    stage_of(L)->has_checks = lua_toboolean(L, 1);
    return 0;
}

void stage_lab_open(lua_State *L, struct stage *s)
{
    static const luaL_Reg functions[] = {
        {"start", l_start}, {"node", l_node}, {"parts", l_parts}, {"tcp", l_tcp}, {"kill", l_kill},
        {"freeze", l_freeze}, {"id", l_id}, {"address", l_address}, {"dial", l_dial}, {"clock", l_clock},
        {"on_clock", l_on_clock}, {"wall", l_wall}, {"disk", l_disk}, {"limits", l_limits},
        {"lose", l_lose}, {"print", l_print},
        {"over", l_over}, {"has_checks", l_has_checks}, {NULL, NULL},
    };
    lua_pushlightuserdata(L, s);
    luaL_setfuncs(L, functions, 1);
    stage_look_open(L, s);
    stage_wire_open(L, s);
    lua_pushinteger(L, (lua_Integer)s->setup.seed);
    lua_setfield(L, -2, "seed");
    lua_pushstring(L, s->setup.file);
    lua_setfield(L, -2, "file");
    lua_pushinteger(L, STAGE_MACHINES_MAX);
    lua_setfield(L, -2, "machines_max");
}
