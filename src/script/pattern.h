/* pattern.h -- Lua's find, match, gmatch and gsub, with an end.
 *
 * They answer as those of Lua 5.4 do, error messages included, but for one thing: a pattern that would try for
 * seconds or years is an error after 10 million steps and eight for each byte of the text. A step is about one
 * character compared, so that is about 50 ms. */
#ifndef SCRIPT_PATTERN_H
#define SCRIPT_PATTERN_H

#include <lua.h>

/* Sets the four in the table on top of the stack, which is the string library's. */
void pattern_open(lua_State *L);

/* `poll` is called at least once in 100,000 steps, counted over all calls of the process, and before each replacement
 * that is called or looked up. It may raise a Lua error; otherwise it leaves the stack as it was. NULL: nobody asks. */
void pattern_set_poll(void (*poll)(lua_State *L));

#endif
