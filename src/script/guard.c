/* guard.c -- the budgets of guard.h: the allocator, the timer, the hook. */
#include "script/guard.h"

#include "base/log.h"
#include "base/mem.h"
#include "script/interrupt.h"
#include "script/runtime.h"
#include "script/ticks.h"

#include <lauxlib.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPU_MS 1000
#define MEMORY_BYTES ((size_t)64 << 20)
#define GRACE_TICKS 5  /* to run <close> variables and __tostring, and for our own Lua to return */
#define WARN_TICKS 5   /* a dispatch that long is worth a line in the log */
#define WARN_AGAIN_US 60000000u
#define REFUSALS_MAX 3 /* each costs a full collection */
#define STRING_PART 8  /* one string has an eighth of the memory: C loops over it without asking */
#define RESERVE_PART 4 /* a quarter more, see has_room */
#define CLOCK_INSTRUCTIONS 1000
#define CLOCK_CALLS 100
#define STACK_BYTES_MAX ((size_t)256 << 10)
#define TRUSTED "@moth/"
#define WHERE_BYTES (LUA_IDSIZE + 12)

/* The handler runs on the loop's thread, between any two instructions; what it reads is volatile. */
struct guard {
    const struct moth_host *host; /* borrowed */
    struct ticks cpu;
    unsigned calls; /* without a timer: that the hook saw */
    int limit, memory_refusals;

    /* the dispatch */
    volatile int depth; /* 0: none runs */
    lua_State *volatile running;
    struct guard_account *volatile account;
    volatile int ticks;    /* since it began */
    volatile int end;      /* the tick at which it is stopped */
    volatile int last_end; /* the tick after which nothing of it runs any more; 0: it was not stopped yet */
    volatile enum guard_cause cause;
    const char *stack; /* where the C stack was when it began */
    char where[WHERE_BYTES]; /* it was stopped: "bot.lua:12" */
    bool has_interrupts, took_interrupt, never_warns;

    /* memory */
    size_t used_bytes, limit_bytes;
    bool is_lowered; /* the limit is in force */
    bool was_full;   /* since the last collection of ours */
    struct {
        const void *block;
        size_t old, bytes;
    } refused; /* last; the same once more, after the collection that follows, fails for good */
};

static struct guard *guard_of(lua_State *L)
{
    return runtime_guard(runtime_of(L));
}

/* --- whose code runs --- */

/* The innermost Lua function is ours. Reads only, so it may be asked in the midst of an allocation. */
static bool is_ours(lua_State *L)
{
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "S", &ar);
        if (*ar.what != 'C') return strncmp(ar.source, TRUSTED, strlen(TRUSTED)) == 0;
    }
    return false;
}

/* --- stopping --- */

static void on_hook(lua_State *L, lua_Debug *ar);

static void arm(struct guard *g)
{
    lua_sethook(g->running, on_hook, LUA_MASKCOUNT | LUA_MASKCALL, 1);
}

/* Called from the handler too, so it does nothing that a handler may not. */
static void begin_stop(struct guard *g, enum guard_cause cause)
{
    if (g->last_end == 0) g->last_end = g->ticks + GRACE_TICKS;
    if (cause == GUARD_INTERRUPT) g->took_interrupt = true;
    g->cause = cause;
}

static void on_ticks(void *guard, int count)
{
    struct guard *g = guard;
    if (g->depth == 0) return;
    g->account->ticks += (unsigned)count;
    g->ticks += count;
    if (g->cause == GUARD_NONE && g->has_interrupts && interrupt_take()) begin_stop(g, GUARD_INTERRUPT);
    if (g->cause == GUARD_NONE && g->ticks >= g->end) begin_stop(g, GUARD_CPU);
    if (g->cause != GUARD_NONE) arm(g);
}

/* A loop in C may have no instructions of Lua, but calls. */
static bool is_time_to_look(struct guard *g, const lua_Debug *ar)
{
    return !g->cpu.has_timer && g->depth > 0 && (ar->event == LUA_HOOKCOUNT || ++g->calls % CLOCK_CALLS == 0);
}

/* Without a timer a coroutine is entered with a hook. */
static void watch_thread(struct guard *g, lua_State *L)
{
    if (g->cause != GUARD_NONE) arm(g);
    else if (!g->cpu.has_timer) lua_sethook(L, on_hook, LUA_MASKCOUNT | LUA_MASKCALL, CLOCK_INSTRUCTIONS);
}

static const char *sentence(enum guard_cause cause)
{
    switch (cause) {
    case GUARD_NONE: break;
    case GUARD_CPU: return "stopped: it ran for too long without waiting";
    case GUARD_MEMORY: return "stopped: the memory of the scripts is used up";
    case GUARD_INTERRUPT: return "stopped: interrupted";
    }
    return "";
}

/* Our own Lua is not left half-way. */
static bool may_go_on(const struct guard *g, lua_State *L)
{
    return g->ticks < g->last_end && is_ours(L);
}

/* To a traceback the coroutine that yielded is one instruction behind. */
static void tell_where(struct guard *g, lua_State *L, lua_Debug *ar)
{
    lua_getinfo(L, "Sl", ar);
    if (ar->currentline > 0) snprintf(g->where, sizeof g->where, "%s:%d", ar->short_src, ar->currentline);
}

/* A hook that is left over from an earlier dispatch takes itself away. A yield is possible in count events only. */
static void on_hook(lua_State *L, lua_Debug *ar)
{
    struct guard *g = guard_of(L);
    bool can_yield = lua_isyieldable(L);
    if (is_time_to_look(g, ar)) ticks_look(&g->cpu);
    if (g->cause == GUARD_NONE) {
        if (g->cpu.has_timer || g->depth == 0) lua_sethook(L, NULL, 0, 0);
        else if (lua_gethookcount(L) != CLOCK_INSTRUCTIONS) watch_thread(g, L);
        return;
    }
    if (may_go_on(g, L)) return;
    if (can_yield && ar->event != LUA_HOOKCOUNT) return;
    if (*g->where == '\0') tell_where(g, L, ar);
    if (can_yield) lua_yield(L, 0);
    else luaL_error(L, "%s", sentence(g->cause));
}

void guard_check(lua_State *L)
{
    struct guard *g = guard_of(L);
    if (g->depth == 0) return;
    if (!g->cpu.has_timer) ticks_look(&g->cpu);
    if (g->cause != GUARD_NONE && !may_go_on(g, L)) luaL_error(L, "%s", sentence(g->cause));
}

/* --- a dispatch --- */

static void warn(struct guard *g)
{
    struct guard_account *a = g->account;
    uint64_t now_us = g->host->now_us(g->host->context);
    if (g->never_warns || now_us < a->warn_us) return;
    a->warn_us = now_us + WARN_AGAIN_US;
    log_write(g->host, MOTH_LOG_WARN, "%s kept everything else waiting for %d ms", a->name, g->ticks * TICK_MS);
}

static void begin(struct guard *g)
{
    g->ticks = 0;
    g->end = g->limit;
    g->last_end = 0;
    g->cause = GUARD_NONE;
    *g->where = '\0';
    g->memory_refusals = 0;
    g->stack = __builtin_frame_address(0);
    if (g->has_interrupts) interrupt_begin();
    if (!g->cpu.has_timer) ticks_begin(&g->cpu);
}

static void end(struct guard *g)
{
    g->depth = 0;
    if (g->has_interrupts) interrupt_end();
    if (g->ticks >= WARN_TICKS) warn(g);
    g->cause = GUARD_NONE;
}

/* What a dispatch left behind when it filled the memory is not the trouble of the next one, which may be another
 * script's: a buffer that finds no room fails at once. */
static void make_room(struct guard *g, lua_State *L)
{
    g->was_full = false;
    lua_gc(L, LUA_GCCOLLECT);
    if (g->used_bytes > g->limit_bytes / 2) lua_gc(L, LUA_GCCOLLECT); /* what has a finalizer goes in the second turn */
}

void guard_enter(lua_State *L, struct guard_outer *outer, struct guard_account *account, lua_State *thread)
{
    struct guard *g = guard_of(L);
    *outer = (struct guard_outer){.account = g->account, .running = g->running, .is_lowered = g->is_lowered};
    outer->is_free = account->is_trusted && g->depth == 0;
    g->running = thread;
    g->is_lowered = !outer->is_free;
    if (outer->is_free) return;
    if (g->depth == 0 && g->was_full) make_room(g, L);
    if (g->depth == 0) begin(g);
    g->account = account;
    g->depth++;
    if (!g->cpu.has_timer || g->cause != GUARD_NONE) watch_thread(g, thread);
}

void guard_leave(lua_State *L, const struct guard_outer *outer)
{
    struct guard *g = guard_of(L);
    if (!outer->is_free && g->depth == 1) end(g);
    else if (!outer->is_free) g->depth--;
    g->account = outer->account;
    g->running = outer->running;
    g->is_lowered = outer->is_lowered;
}

void guard_shorten(struct guard *g, unsigned cpu_ms)
{
    unsigned end = cpu_ms / TICK_MS;
    if (g->depth == 1 && end < (unsigned)g->end) g->end = (int)end;
}

enum guard_cause guard_cause(const struct guard *g)
{
    return g->depth > 0 ? g->cause : GUARD_NONE;
}

const char *guard_where(const struct guard *g)
{
    return g->where;
}

enum guard_cause guard_pause(struct guard *g)
{
    enum guard_cause cause = g->cause;
    if (cause == GUARD_NONE) return cause;
    g->end = g->last_end;
    if (g->ticks < g->end) g->cause = GUARD_NONE;
    return cause;
}

void guard_resume(struct guard *g, enum guard_cause cause)
{
    if (cause != GUARD_NONE) g->cause = cause;
}

/* --- coroutines --- */

/* Registry: coroutines that ended by the hook's error. Lua calls no hook in those any more, so their <close> variables
 * must never run. */
static const char buried;

static void push_buried(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &buried) == LUA_TTABLE) return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &buried);
}

/* Whether the thread at index `at` is one. */
static bool is_buried(lua_State *L, int at)
{
    bool was_lowered = guard_lift(guard_of(L));
    at = lua_absindex(L, at);
    push_buried(L);
    lua_pushvalue(L, at);
    bool is = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 2);
    guard_lower(guard_of(L), was_lowered);
    return is;
}

static void bury(lua_State *L, int at)
{
    bool was_lowered = guard_lift(guard_of(L));
    at = lua_absindex(L, at);
    push_buried(L);
    lua_pushvalue(L, at);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    guard_lower(guard_of(L), was_lowered);
}

int guard_run(lua_State *L, lua_State *thread, int arguments, int *results)
{
    struct guard *g = guard_of(L);
    lua_State *before = g->running;
    g->running = thread;
    if (g->depth > 0 && (!g->cpu.has_timer || g->cause != GUARD_NONE)) watch_thread(g, thread);
    int status = lua_resume(thread, L, arguments, results);
    g->running = before;
    return status;
}

/* Lua counts how deep C functions are nested, but begins anew in each coroutine that is closed. */
static bool is_too_deep(const struct guard *g)
{
    const char *here = __builtin_frame_address(0);
    size_t bytes = (size_t)(here < g->stack ? g->stack - here : here - g->stack);
    return g->depth > 0 && bytes > STACK_BYTES_MAX;
}

int guard_close(lua_State *L, int at)
{
    struct guard *g = guard_of(L);
    lua_State *before = g->running, *thread = lua_tothread(L, at);
    if (is_too_deep(g)) return -1;
    if (lua_status(thread) > LUA_YIELD && is_buried(L, at)) return LUA_OK;
    g->running = thread;
    if (g->depth > 0) watch_thread(g, thread);
    int status = lua_resetthread(thread);
    g->running = before;
    return status;
}

void guard_bury(lua_State *L, int at, int status)
{
    struct guard *g = guard_of(L);
    if (status > LUA_YIELD) {
        bury(L, at);
        return;
    }
    enum guard_cause cause = guard_pause(g);
    guard_close(L, at);
    guard_resume(g, cause);
}

int guard_stop(lua_State *L)
{
    struct guard *g = guard_of(L);
    arm(g);
    if (lua_isyieldable(L)) return lua_yield(L, 0);
    return luaL_error(L, "%s", sentence(g->cause));
}

/* --- memory --- */

static bool fits(const struct guard *g, size_t more, size_t limit)
{
    return g->used_bytes <= limit && more <= limit - g->used_bytes;
}

/* The reserve is for our own Lua, for a dispatch that is being stopped to come to its end, and for what is no object:
 * the buffers of Lua's libraries fail without a collection first. Without a block `old` is the kind of object. */
static bool has_room(struct guard *g, const void *block, size_t old, size_t more)
{
    bool is_object = !block && old != 0;
    if (fits(g, more, g->limit_bytes)) return true;
    if (!fits(g, more, g->limit_bytes + g->limit_bytes / RESERVE_PART)) return false;
    return !is_object || g->cause != GUARD_NONE || is_ours(g->running);
}

/* Lua collects everything and asks once more. */
static void refuse(struct guard *g, const void *block, size_t old, size_t bytes)
{
    g->was_full = true;
    bool again = g->refused.block == block && g->refused.old == old && g->refused.bytes == bytes;
    g->refused.block = block;
    g->refused.old = old;
    g->refused.bytes = again ? 0 : bytes;
    if (!again || ++g->memory_refusals < REFUSALS_MAX || g->cause != GUARD_NONE) return;
    begin_stop(g, GUARD_MEMORY);
    arm(g);
}

static bool may_grow(struct guard *g, const void *block, size_t old, size_t bytes)
{
    bool is_string = !block && old == LUA_TSTRING;
    size_t more = block ? bytes - old : bytes;
    if (!g->is_lowered) return true;
    if (has_room(g, block, old, more) && !(is_string && bytes > g->limit_bytes / STRING_PART)) {
        g->refused.bytes = 0;
        return true;
    }
    refuse(g, block, old, bytes);
    return false;
}

void *guard_allocate(void *guard, void *block, size_t old, size_t bytes)
{
    struct guard *g = guard;
    size_t held = block ? old : 0;
    if (bytes == 0) {
        free(block);
        g->used_bytes -= held;
        return NULL;
    }
    if (bytes > held && !may_grow(g, block, old, bytes)) return NULL;
    void *moved = realloc(block, bytes);
    if (moved) g->used_bytes += bytes - held;
    return moved;
}

unsigned guard_cpu_ms(const struct guard *g)
{
    return (unsigned)g->limit * TICK_MS;
}

size_t guard_memory(const struct guard *g, size_t *limit)
{
    *limit = g->limit_bytes;
    return g->used_bytes;
}

bool guard_lift(struct guard *g)
{
    bool was_lowered = g->is_lowered;
    g->is_lowered = false;
    return was_lowered;
}

void guard_lower(struct guard *g, bool was_lowered)
{
    g->is_lowered = was_lowered;
}

/* --- guard.h --- */

struct guard *guard_new(const struct moth_host *host)
{
    struct guard *g = mem_new(sizeof *g);
    g->host = host;
    guard_set_limits(g, CPU_MS, MEMORY_BYTES);
    ticks_open(&g->cpu, on_ticks, g);
    if (!g->cpu.has_timer && ticks_can_count())
        log_write(host, MOTH_LOG_WARN, "this machine has no timers for processor time: scripts run at half speed");
    return g;
}

void guard_free(struct guard *g)
{
    if (!g) return;
    ticks_close(&g->cpu);
    if (g->has_interrupts) interrupt_unwatch();
    free(g);
}

void guard_set_limits(struct guard *g, unsigned cpu_ms, size_t memory_bytes)
{
    g->limit = cpu_ms < TICK_MS ? 1 : (int)(cpu_ms / TICK_MS);
    g->limit_bytes = memory_bytes;
}

void guard_take_signals(struct guard *g)
{
    interrupt_watch();
    g->has_interrupts = true;
}

bool guard_took_interrupt(struct guard *g)
{
    bool took = g->took_interrupt;
    g->took_interrupt = false;
    return took;
}

void guard_never_warn(struct guard *g)
{
    g->never_warns = true;
}

void guard_look_at_clock(struct guard *g)
{
    ticks_close(&g->cpu);
}
