/* runtime.h -- the one Lua state of a process: sandboxed, fed from the sources inside the program, entered
 * only through protected calls.
 *
 * Lua leaves an error by longjmp, and nobody knows which frames of libuv or of the node lie on the stack by
 * then. So every way in from C is runtime_call: the error stops there, goes to the log with its traceback,
 * and the caller gets a code.
 *
 * Lua sees base, string, table, math, utf8, coroutine and of os the clocks and getenv; chunks are text, never
 * bytecode. Time is the host's, so that a simulated node needs no other Lua. The table `moth` (also `require
 * "moth.core"`) is what C adds:
 *
 *   moth.safe(text) -> text          everything a terminal could obey escaped as \xNN
 *   moth.now() -> microseconds       never goes back, from any start
 *   moth.wall() -> seconds           since 1970; may jump
 *   moth.log(level, text)            "debug", "info", "warn" or "error"; a line each
 *   moth.wake()                      the scheduler has work: call its tick at the end of this turn
 *   moth.on_events(fn)               fn() is called before that: it takes the events; true: it took long
 *   moth.on_tick(fn)                 fn(now) -> when to call again at the latest, and whether in every turn till then
 *   moth.seconds(DUR) -> seconds     nil, why, code when it is none
 *   moth.source(name) -> text        a file of lua/ as it was built in, or nil
 *   moth.traceback(error) -> text    for xpcall
 *
 * and what dispatch.h, sandbox.h and source.h list: the way into scripts, and what they see. */
#ifndef SCRIPT_RUNTIME_H
#define SCRIPT_RUNTIME_H

#include "moth/host.h"

#include <lua.h>

struct guard;
struct runtime;

/* `host` is borrowed until runtime_free. NULL: Lua itself could not be set up; the log says why. */
struct runtime *runtime_new(const struct moth_host *host);
void runtime_free(struct runtime *r); /* NULL is fine */

/* Runs `function(L)` with `argument` as a light userdata at index 1, errors caught and logged. What it
 * returns is dropped. 0, or MOTH_EIO when it failed. May be called while Lua runs further down the stack. */
int runtime_call(struct runtime *r, lua_CFunction function, void *argument);

/* Runs what the scheduler in Lua has due and returns the microsecond (host->now_us) at which it must run again at the
 * latest. Call it once per turn; it costs nothing when nothing is due. */
uint64_t runtime_tick(struct runtime *r);

/* The scheduler has work: it is called at the end of this turn. */
void runtime_wake(struct runtime *r);

/* From now on the clock on the wall is that of this host, borrowed; NULL: the runtime's own. */
void runtime_set_clock(struct runtime *r, const struct moth_host *host);
uint64_t runtime_wall_ms(const struct runtime *r);

const struct moth_host *runtime_host(const struct runtime *r);

/* The runtime that `L` belongs to. */
struct runtime *runtime_of(lua_State *L);

/* What keeps its scripts within their budgets; see guard.h. */
struct guard *runtime_guard(struct runtime *r);

#endif
