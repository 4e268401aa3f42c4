/* fuzz_pattern.c -- any pattern on any text: ours and Lua's own give the same results and the same error messages.
 *
 * The first byte chooses the function, the kind of replacement and whether there is a position to begin at, the second
 * the position or how often at most, the third how long the pattern is. Ours goes first: once it has been polled twice
 * the input is left, for Lua's own might never end. Polls for a replacement that is called do not count. */
#include "script/pattern.h"

#include <lauxlib.h>
#include <lualib.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_BYTES_MAX 4096
#define TOO_LONG "left"

/* try(choice, number, pattern, text, called) -> all that came of it as one text; called() counts replacements */
static const char try[] =
    "local function show(...)\n"
    "  local out = table.pack(...)\n"
    "  for i = 1, out.n do out[i] = (math.type(out[i]) or type(out[i])) .. tostring(out[i]) end\n"
    "  return table.concat(out, '\\n')\n"
    "end\n"
    "local function all(text, pattern, first)\n"
    "  local out = {}\n"
    "  for a, b, c in string.gmatch(text, pattern, first) do out[#out + 1] = show(a, b, c) end\n"
    "  return table.concat(out, '\\n')\n"
    "end\n"
    "local answers = {[0] = false, 'x', 12, nil, '%1', 1.5}\n"
    "local function reply(key, called)\n"
    "  called()\n"
    "  return answers[type(key) == 'string' and #key % 7 or key % 7]\n"
    "end\n"
    "local replacements = {[0] = function() return '<%0>' end, function() return '%2%1%%' end,\n"
    "  function(text) return text end,\n"
    "  function(_, called) return function(key) return reply(key, called) end end,\n"
    "  function(_, called) return setmetatable({}, {__index = function(_, key) return reply(key, called) end}) end}\n"
    "return function(choice, number, pattern, text, called)\n"
    "  local first = choice & 128 ~= 0 and number - 128 or nil\n"
    "  local kind = choice & 7\n"
    "  if kind == 0 then return show(pcall(string.find, text, pattern, first)) end\n"
    "  if kind == 1 then return show(pcall(string.match, text, pattern, first)) end\n"
    "  if kind == 2 then return show(pcall(string.find, text, pattern, first, choice & 64 ~= 0)) end\n"
    "  if kind == 3 then return show(pcall(all, text, pattern, first)) end\n"
    "  local replacement = replacements[(choice >> 3) % 5](text, called)\n"
    "  return show(pcall(string.gsub, text, pattern, replacement, first))\n"
    "end\n";

static unsigned polls, calls;

static void expect(bool holds)
{
    if (!holds) abort();
}

static int l_called(lua_State *L)
{
    (void)L;
    calls++;
    return 0;
}

static void count_poll(lua_State *L)
{
    if (++polls > calls + 1) luaL_error(L, TOO_LONG);
}

static lua_State *new_state(void)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    expect(luaL_dostring(L, try) == LUA_OK);
    return L;
}

struct input {
    unsigned choice, number;
    const uint8_t *pattern, *text; /* the text comes after the pattern */
    size_t pattern_bytes, text_bytes;
};

/* What the state makes of it: a text on its stack. */
static const char *answer(lua_State *L, const struct input *in, size_t *bytes)
{
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, in->choice);
    lua_pushinteger(L, in->number);
    lua_pushlstring(L, (const char *)in->pattern, in->pattern_bytes);
    lua_pushlstring(L, (const char *)in->text, in->text_bytes);
    lua_pushcfunction(L, l_called);
    expect(lua_pcall(L, 5, 1, 0) == LUA_OK);
    return lua_tolstring(L, -1, bytes);
}

static void compare(lua_State *stock, lua_State *ours, const struct input *in)
{
    size_t bytes, stock_bytes;
    polls = calls = 0;
    const char *here = answer(ours, in, &bytes);
    if (polls > calls + 1) return;
    const char *theirs = answer(stock, in, &stock_bytes);
    expect(bytes == stock_bytes && memcmp(here, theirs, bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lua_State *stock, *ours;
    if (!stock) {
        stock = new_state();
        ours = new_state();
        lua_getglobal(ours, "string");
        pattern_open(ours);
        pattern_set_poll(count_poll);
    }
    if (size < 3 || size > TEXT_BYTES_MAX) return 0;
    struct input in = {.choice = data[0], .number = data[1], .pattern = data + 3};
    in.pattern_bytes = data[2] < size - 3 ? data[2] : size - 3;
    in.text = in.pattern + in.pattern_bytes;
    in.text_bytes = size - 3 - in.pattern_bytes;
    compare(stock, ours, &in);
    return 0;
}
