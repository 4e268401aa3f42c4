/* sandbox.h -- Lua's own libraries as scripts get them.
 *
 *   core.libraries() -> table    fresh copies for one script: what it changes, nobody else sees
 *
 * The guard stops Lua wherever it runs, but not C. So every loop of Lua 5.4's libraries whose length a script chooses,
 * without holding as much memory, is bounded here or asks the guard:
 *
 *   string.rep              endless when the text is empty
 *   string.find, match, gmatch, gsub     exponential, and find's plain search quadratic: see pattern.h
 *   string.format           a million arguments; %q of many zeros is slow: 1,000 and 1 MiB
 *   string.pack             padding: the memory bounds it
 *   table.insert, remove, move, concat   __len and the given range: a million places
 *   table.sort              comparing long texts: each comparison is a call, which the guard can stop
 *   os.date                 a format of many conversions: 1,000 bytes
 *   load                    a compiler quadratic in elseifs and labels: see source.h
 *   utf8, byte, upper ...   linear in one text, and one text has an eighth of the memory
 *   select, unpack, char    the stack bounds them, a million values
 *   tostring, next, #       call back or are quick
 *
 * Two things no hook ever reaches are not there: __gc cannot be set, and xpcall calls its message handler only after
 * the stack is unwound, with the error value alone. Coroutines are entered through the guard. */
#ifndef SCRIPT_SANDBOX_H
#define SCRIPT_SANDBOX_H

#include <lua.h>

/* Sets that in the table on top of the stack, and replaces what is bounded in the libraries that are open: our own Lua
 * works on the tables of scripts, and a text's methods are those of the one string library. */
void sandbox_open(lua_State *L);

#endif
