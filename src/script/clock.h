/* clock.h -- the clocks as Lua sees them: those of the host, so that a simulated node needs no other Lua. */
#ifndef SCRIPT_CLOCK_H
#define SCRIPT_CLOCK_H

#include <lua.h>

/* Sets `now` and `wall` in the table on top of the stack; see runtime.h. */
void clock_open(lua_State *L);

/* The library `os`: time, date, clock and getenv. */
void clock_open_os(lua_State *L);

#endif
