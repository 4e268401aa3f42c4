/* stage.c -- see stage.h: the loop of a run, and the ways into lua/moth/lab.lua. */
#include "script/stage_private.h"

#include "base/buf.h"
#include "base/mem.h"
#include "net/sim.h"
#include "script/bind_node.h"
#include "script/guard.h"
#include "script/ordered.h"

#include <lauxlib.h>

#include <stdlib.h>
#include <sys/time.h>

#define MODULE "moth.lab"
#define GUARD_CPU_MS 1000
#define LINES_TOLD 20
#define INSTANT_TURNS_MAX 2000000 /* without any time passing; the start of 4,096 nodes takes some thousands */
#define TURNS_WATCHED 4096 /* together: the system is not asked each time */
#define GUARD_BYTES ((size_t)1 << 30) /* of all bots of a network together */

/* --- the script's host --- */

static uint64_t host_now_us(void *context)
{
    const struct stage *s = context;
    return s->real ? stage_real_now_us(s->real) : lab_now_us(s->lab);
}

static uint64_t host_wall_ms(void *context)
{
    const struct stage *s = context;
    return s->real ? stage_real_wall_ms(s->real) : LAB_CALENDAR_MS + host_now_us(context) / 1000;
}

static void host_random(void *context, void *out, size_t bytes)
{
    struct stage *s = context;
    uint8_t *at = out;
    for (size_t n; bytes > 0; at += n, bytes -= n) {
        uint64_t z = sim_draw(&s->random);
        n = bytes < sizeof z ? bytes : sizeof z;
        memcpy(at, &z, n);
    }
}

static void host_log(void *context, enum moth_log_level level, const char *text)
{
    struct stage *s = context;
    char line[RECORD_LINE_BYTES];
    static const char *const names[] = {"debug", "info", "warn", "error"};
    snprintf(line, sizeof line, "%s: %s", names[level], text);
    record_log(s->record, line);
}

/* --- events --- */

static void on_event(void *owner, unsigned machine, const struct moth_event *event)
{
    struct stage *s = owner;
    record_event(s->record, machine, event);
    if (s->bindings[machine]) bind_node_event(s->runtime, s->bindings[machine], event);
}

static void on_delivery(void *owner, const struct sim_delivery *d)
{
    struct stage *s = owner;
    record_delivery(s->record, d->at_us, d->from, d->to, d->bytes, d->hash);
}

/* --- what Lua is called for --- */

static void push_function(lua_State *L, const char *name)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, MODULE);
    lua_getfield(L, -1, name);
}

static int call_require(lua_State *L)
{
    struct stage *s = lua_touserdata(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "moth.core");
    lua_newtable(L);
    stage_lab_open(L, s);
    lua_setfield(L, -2, "lab");
    lua_getglobal(L, "require");
    lua_pushliteral(L, MODULE);
    lua_call(L, 1, 0);
    return 0;
}

struct loading {
    struct stage *stage;
    char *why;
};

static struct stage_entry read_entry(lua_State *L)
{
    struct stage_entry e = {0};
    lua_getfield(L, -1, "name");
    lua_getfield(L, -2, "seeds");
    lua_getfield(L, -3, "is_real");
    e.name = mem_text(lua_tostring(L, -3));
    e.seeds = (unsigned)lua_tointeger(L, -2);
    e.is_real = lua_toboolean(L, -1);
    lua_pop(L, 3);
    return e;
}

/* lab.load(path) -> {{name, seeds, is_real}} | nil, why */
static int call_load(lua_State *L)
{
    struct loading *l = lua_touserdata(L, 1);
    struct stage *s = l->stage;
    push_function(L, "load");
    lua_pushstring(L, s->setup.file);
    lua_call(L, 1, 2);
    if (lua_isnil(L, -2)) {
        snprintf(l->why, STAGE_WHY_BYTES, "%s", lua_tostring(L, -1));
        return 0;
    }
    lua_pop(L, 1);
    s->count = lua_rawlen(L, -1);
    s->entries = mem_array(s->count ? s->count : 1, sizeof *s->entries);
    for (size_t i = 0; i < s->count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        s->entries[i] = read_entry(L);
        lua_pop(L, 1);
    }
    return 0;
}

struct beginning {
    size_t index;
};

static int call_start(lua_State *L)
{
    const struct beginning *b = lua_touserdata(L, 1);
    push_function(L, "start");
    lua_pushinteger(L, (lua_Integer)b->index + 1);
    lua_call(L, 1, 0);
    return 0;
}

static int call_check(lua_State *L)
{
    push_function(L, "check");
    lua_call(L, 0, 0);
    return 0;
}

/* --- the loop --- */

static void add_line(void *context, const char *line)
{
    buf_add(context, "\n  ", 3);
    buf_add(context, line, strlen(line));
}

/* With the last of what happened: the log is there, too. */
static void fail(struct stage *s, const char *why)
{
    struct buf text = {0};
    if (s->is_over) return;
    s->is_over = true;
    buf_add(&text, why, strlen(why));
    record_lines(s->record, RECORD_ALL, LINES_TOLD, add_line, &text);
    buf_add(&text, "", 1);
    s->result.text = mem_text((const char *)buf_span(&text).data);
    buf_fini(&text);
}

static void call(struct stage *s, lua_CFunction function, void *argument)
{
    if (runtime_call(s->runtime, function, argument) < 0) fail(s, "moth's own Lua failed; the last events:");
}

/* What Lua asked of nodes leaves them with their next turn. */
static void turn_touched(struct stage *s)
{
    struct binding *b;
    s->is_stepping = true;
    while ((b = bind_node_next_touched(&s->touched))) lab_turn(s->lab, stage_machine_of(b));
    s->is_stepping = false;
}

/* Whoever waits for ever is told so by Lua, which bounds the time of a run. */
static void turn(struct stage *s)
{
    uint64_t next_us = runtime_tick(s->runtime), now_us = lab_now_us(s->lab);
    turn_touched(s);
    if (s->is_over || next_us <= now_us) return;
    s->is_stepping = true;
    if (lab_step(s->lab, next_us)) s->events++;
    s->is_stepping = false;
    if (s->has_checks && !s->is_over) call(s, call_check, s);
}

/* Ends the process unless it is called again in time; 0: never mind. */
static void watch_for_loops(time_t seconds)
{
    setitimer(ITIMER_VIRTUAL, &(struct itimerval){.it_value.tv_sec = seconds}, NULL);
}

static void turn_real(struct stage *s, uint64_t *next_us)
{
    watch_for_loops(STAGE_SPIN_SECONDS);
    *next_us = runtime_tick(s->runtime);
    if (s->has_checks && !s->is_over) call(s, call_check, s);
}

struct stage_result stage_run(struct stage *s, size_t index)
{
    struct beginning beginning = {index};
    watch_for_loops(STAGE_SPIN_SECONDS);
    call(s, call_start, &beginning);
    if (s->real && !s->is_over) stage_real_run(s, turn_real);
    uint64_t instant_us = 0;
    for (unsigned turns = 0, since = 0; !s->is_over; turns++) {
        if (turns % TURNS_WATCHED == 0) watch_for_loops(STAGE_SPIN_SECONDS);
        turn(s);
        if (lab_now_us(s->lab) != instant_us) since = turns;
        instant_us = lab_now_us(s->lab);
        if (turns - since > INSTANT_TURNS_MAX) fail(s, "time stands still: something goes on for ever without waiting");
    }
    watch_for_loops(0);
    s->result.hash = lab_hash(s->lab);
    s->result.virtual_us = lab_now_us(s->lab) - LAB_START_US;
    s->result.events = s->events;
    return s->result;
}

/* --- opening and closing --- */

static int call_ordered(lua_State *L)
{
    ordered_open(L);
    return 0;
}

static bool open_lua(struct stage *s)
{
    s->runtime = runtime_new(&s->host);
    if (!s->runtime || (s->real && stage_real_bind(s->real, s->runtime) < 0)) return false;
    guard_set_limits(runtime_guard(s->runtime), GUARD_CPU_MS, GUARD_BYTES);
    guard_never_warn(runtime_guard(s->runtime));
    return runtime_call(s->runtime, call_ordered, NULL) == 0 && runtime_call(s->runtime, call_require, s) == 0;
}

struct stage *stage_open(const struct stage_setup *setup, char why[STAGE_WHY_BYTES])
{
    struct stage *s = mem_new(sizeof *s);
    struct loading loading = {s, why};
    *s = (struct stage){.setup = *setup, .random = setup->seed ^ 0x6c6162};
    s->host = (struct moth_host){.context = s, .now_us = host_now_us, .wall_ms = host_wall_ms, .random = host_random,
                                 .home = "", .log = host_log};
    s->lab = lab_new(setup->seed, STAGE_MACHINES_MAX);
    s->record = record_new(s->lab);
    record_to(s->record, setup->trace);
    s->bindings = mem_array(STAGE_MACHINES_MAX, sizeof *s->bindings);
    lab_on_event(s->lab, on_event, s);
    if (setup->trace) lab_on_delivery(s->lab, on_delivery, s);
    why[0] = '\0';
    if (setup->is_real) s->real = stage_real_open(why);
    if (why[0] == '\0' && !open_lua(s)) snprintf(why, STAGE_WHY_BYTES, "the Lua of the lab cannot start");
    if (why[0] == '\0' && runtime_call(s->runtime, call_load, &loading) < 0)
        snprintf(why, STAGE_WHY_BYTES, "it cannot be loaded");
    if (why[0] == '\0') return s;
    stage_close(s);
    return NULL;
}

void stage_close(struct stage *s)
{
    if (!s) return;
    lab_on_event(s->lab, NULL, NULL);
    runtime_free(s->runtime);
    stage_real_close(s->real);
    lab_free(s->lab);
    record_free(s->record);
    for (size_t i = 0; i < s->count; i++) free((void *)(uintptr_t)s->entries[i].name);
    free(s->entries);
    free(s->bindings);
    free(s->result.text);
    free(s);
}

size_t stage_count(const struct stage *s)
{
    return s->count;
}

struct stage_entry stage_entry(const struct stage *s, size_t index)
{
    return s->entries[index];
}
