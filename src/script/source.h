/* source.h -- code that comes as text.
 *
 *   core.load(chunk, name, env) -> fn | nil, why    a string, or a function that returns the next part; never bytecode,
 *                                                   which can crash the process
 *   core.read(path) -> text | nil, why, code        a script's file
 *
 * Both take at most 1 MiB. The compiler gets it in small pieces, for each of which the guard is asked: it takes seconds
 * for a megabyte of elseifs or labels, and no hook reaches it. */
#ifndef SCRIPT_SOURCE_H
#define SCRIPT_SOURCE_H

#include <lua.h>

/* Sets those in the table on top of the stack. */
void source_open(lua_State *L);

#endif
