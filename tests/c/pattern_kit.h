/* pattern_kit.h -- two Lua states for the tests of pattern: one with Lua's own find, match, gmatch and gsub, one with
 * ours. An expression is answered by each of them in words that can be compared. */
#ifndef PATTERN_KIT_H
#define PATTERN_KIT_H

#include "script/pattern.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <lauxlib.h>
#include <lualib.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPRESSION_BYTES 1024

static lua_State *stock, *ours;
static unsigned polls, polls_allowed;

static inline void count_poll(lua_State *L)
{
    if (++polls > polls_allowed) luaL_error(L, "interrupted");
}

/* show(...) -> all that it was given as one text; nothing in it uses a pattern */
static const char show[] =
    "function show(...)\n"
    "  local out = table.pack(...)\n"
    "  for i = 1, out.n do\n"
    "    local v = out[i]\n"
    "    out[i] = type(v) == 'string' and string.format('%q', v) or math.type(v) or type(v)\n"
    "    if type(v) == 'number' then out[i] = out[i] .. ' ' .. v end\n"
    "    if type(v) == 'boolean' then out[i] = tostring(v) end\n"
    "  end\n"
    "  return table.concat(out, ', ')\n"
    "end\n"
    "function all(text, pattern, ...)\n"
    "  local out = {}\n"
    "  for a, b, c in string.gmatch(text, pattern, ...) do\n"
    "    out[#out + 1] = show(a, b, c)\n"
    "    if #out > 100 then break end\n"
    "  end\n"
    "  return table.concat(out, '; ')\n"
    "end\n";

static inline lua_State *new_state(void)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    assert_int_equal(luaL_dostring(L, show), LUA_OK);
    return L;
}

static inline int set_up(void **state)
{
    (void)state;
    stock = new_state();
    ours = new_state();
    lua_getglobal(ours, "string");
    pattern_open(ours);
    lua_pop(ours, 1);
    polls = 0;
    polls_allowed = 1000000;
    pattern_set_poll(count_poll);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    pattern_set_poll(NULL);
    lua_close(stock);
    lua_close(ours);
    return 0;
}

/* The chunk's one text; it stays on the stack. */
static inline const char *run(lua_State *L, const char *chunk)
{
    lua_settop(L, 0);
    if (luaL_dostring(L, chunk) != LUA_OK) fail_msg("%s\n%s", lua_tostring(L, -1), chunk);
    return lua_tostring(L, -1);
}

static inline const char *answer(lua_State *L, const char *expression)
{
    char chunk[EXPRESSION_BYTES];
    int bytes = snprintf(chunk, sizeof chunk,
        "return show(pcall(function() local r = table.pack(%s) return table.unpack(r, 1, r.n) end))", expression);
    assert_true(bytes < (int)sizeof chunk);
    return run(L, chunk);
}

static inline void expect_same(const char *expression)
{
    const char *theirs = answer(stock, expression), *here = answer(ours, expression);
    if (strcmp(theirs, here) != 0) fail_msg("%s\nLua:  %s\nours: %s", expression, theirs, here);
}

/* Beside being the same, the answer is this one: the two must not agree on nonsense. */
static inline void expect(const char *expression, const char *wanted)
{
    expect_same(expression);
    assert_string_equal(answer(ours, expression), wanted);
}

#define PATTERN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
