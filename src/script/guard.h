/* guard.h -- no script stops the node: each dispatch has a budget of the loop's processor time, all scripts together
 * one of memory.
 *
 * A dispatch is what runs from the moment C enters a script until it comes back. A timer on the processor time of the
 * loop's thread sends a signal every 10 ms; its handler charges that to the account whose code runs, and when the
 * dispatch is over its budget it sets a hook on the coroutine that runs. Until then there is no hook, so a dispatch
 * costs a few assignments. The hook yields: unlike an error, no pcall catches that, and nobody resumes the coroutine
 * again. Where nothing can yield (a sort's comparator, a metamethod called from C) it raises an error, on every
 * instruction, until it comes to where it can. Memory is counted by the state's allocator, which refuses.
 *
 * What always holds:
 * - `guard_run` and `guard_close` are the only ways into a coroutine while a dispatch runs: the hook must reach the
 *   one that runs.
 * - Our own Lua is not stopped half-way: the hook waits until it returns to the script, for 50 ms at most. What of ours
 *   calls a script must bear that this call never returns; what has to be put back afterwards is put back at the level
 *   of the loop, or around core.call, which always returns.
 * - A stopped coroutine's <close> variables run, within 50 ms for the whole dispatch. Where it was stopped by an error
 *   they do not: Lua calls no hook in such a coroutine any more.
 * - No script sets __gc, and no message handler of a script runs before the stack is unwound: no hook reaches those.
 *   See sandbox.h.
 *
 * Where the timer cannot be had, and under ThreadSanitizer, which holds signals back, a hook that is always there looks
 * at the clock instead. It costs about half of the speed, and stops as well. */
#ifndef SCRIPT_GUARD_H
#define SCRIPT_GUARD_H

#include "moth/host.h"

#include <lua.h>

struct guard;

/* Why a dispatch is being stopped. */
enum guard_cause { GUARD_NONE, GUARD_CPU, GUARD_MEMORY, GUARD_INTERRUPT };

#define GUARD_ACCOUNT_NAME_BYTES 64

/* What one script used so far. Lives in a userdata. */
struct guard_account {
    uint32_t magic;
    char name[GUARD_ACCOUNT_NAME_BYTES];
    volatile uint64_t ticks; /* of TICK_MS, see ticks.h */
    uint64_t kills;
    uint64_t warn_us; /* not before, again */
    bool is_trusted;  /* moth's own Lua: it has neither budget, but what it calls of scripts has */
};

/* `host` is borrowed until guard_free. Both are called on the loop's thread. */
struct guard *guard_new(const struct moth_host *host);
void guard_free(struct guard *g); /* after the state was closed; NULL is fine */

/* 1,000 ms and 64 MiB unless set. What is no object, such as buffers and the insides of tables, may take a quarter
 * more; one text has at most an eighth. */
void guard_set_limits(struct guard *g, unsigned cpu_ms, size_t memory_bytes);

/* Who takes long is not told of: in a lab, where logs may not depend on how fast the machine is. Budgets hold. */
void guard_never_warn(struct guard *g);

/* As where there is no timer. */
void guard_look_at_clock(struct guard *g);

/* From now on a SIGINT stops the dispatch that runs, before those who handled it until now see it. One guard of a
 * process has that, until it is freed; see interrupt.h. */
void guard_take_signals(struct guard *g);

/* True when a SIGINT stopped a dispatch since the last call. */
bool guard_took_interrupt(struct guard *g);

/* A lua_Alloc; the guard is its first argument. */
void *guard_allocate(void *guard, void *block, size_t old, size_t bytes);
size_t guard_memory(const struct guard *g, size_t *limit);
unsigned guard_cpu_ms(const struct guard *g); /* that a dispatch has */

/* Lifts the limit of memory for our own work in the midst of a dispatch, and puts back what it returned. */
bool guard_lift(struct guard *g);
void guard_lower(struct guard *g, bool was_lowered);

/* --- a dispatch --- */

struct guard_outer { /* who waits meanwhile */
    struct guard_account *account;
    lua_State *running;
    bool is_lowered;
    bool is_free; /* the one that enters has no budget */
};

/* `account` pays for what `thread` does from now on, which is `L` or what `L` resumes. Nested ones share the budget of
 * the outermost. */
void guard_enter(lua_State *L, struct guard_outer *outer, struct guard_account *account, lua_State *thread);
void guard_leave(lua_State *L, const struct guard_outer *outer);

/* The outermost dispatch, which has just begun, gets no more than this. */
void guard_shorten(struct guard *g, unsigned cpu_ms);

/* Why the dispatch must end. Loops in C ask guard_check, which then raises an error. */
enum guard_cause guard_cause(const struct guard *g);
void guard_check(lua_State *L);

/* Between these a stopped dispatch may run something once more, in the time that all such have together. */
enum guard_cause guard_pause(struct guard *g);
void guard_resume(struct guard *g, enum guard_cause cause);

/* The place in the code, "bot.lua:12", where the dispatch was stopped; "" when it was not, or in C. */
const char *guard_where(const struct guard *g);

/* lua_resume. Whoever finds a cause after it goes on with guard_bury and guard_stop. */
int guard_run(lua_State *L, lua_State *thread, int arguments, int *results);

/* lua_resetthread of the thread at index `at`, except of one that was stopped by an error: that stays as it is.
 * -1: too many are closed in one another. */
int guard_close(lua_State *L, int at);

/* Closes the coroutine at index `at` in a dispatch that may be stopped already; `status` is how guard_run or lua_resume
 * ended when that was so, and LUA_OK when not. */
void guard_bury(lua_State *L, int at, int status);

/* Passes the stop on to whoever resumed this one. Call it as `return guard_stop(L)` from a C function. */
int guard_stop(lua_State *L);

#endif
