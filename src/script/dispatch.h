/* dispatch.h -- how trusted Lua enters the code of scripts: core.resume, core.close and core.call, each within the
 * budgets of guard.h, none of which an error leaves.
 *
 *   core.account(name [, is_trusted]) -> account what one script uses is counted there; trusted: without budgets
 *   core.resume(account, thread, ...) -> code, ...  DONE, results... | YIELD, yielded... | ERROR, traceback, word
 *   core.call(account, fn, ...) -> code, ...     the same for what may not wait; may be nested in others
 *   core.close(account, thread) -> true | nil, traceback, word     runs the <close> variables of one that waits
 *   core.usage(account) -> cpu_seconds, kills    to 10 ms
 *   core.memory() -> bytes_used, bytes_limit     the limit is for scripts only
 *   core.ask(account, fn, ...) -> code, ...      the same, in 50 ms: for hooks, asked in the midst of other work
 *   core.cpu_ms() -> milliseconds                of the thread's processor time that a dispatch has
 *   core.interrupted() -> boolean                a SIGINT stopped a dispatch since the last call
 *
 * A word is "error", "cpu", "memory" or "interrupt". A thread that failed is closed. */
#ifndef SCRIPT_DISPATCH_H
#define SCRIPT_DISPATCH_H

#include <lua.h>

/* Sets those, and the codes, in the table on top of the stack. */
void dispatch_open(lua_State *L);

#endif
