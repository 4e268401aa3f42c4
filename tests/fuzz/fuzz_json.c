/* fuzz_json.c -- arbitrary bytes as JSON.
 *
 * What is read can be written, what was written reads back as the same value, and is written the same once more. What
 * is not read is refused with one sentence and a word. The first byte says how soon memory ends meanwhile, 0 for never:
 * then an error of Lua's is the answer, and nothing is lost. */
#include "script/json.h"

#include <lauxlib.h>
#include <lualib.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define ROOM_STEP 97

static struct memory {
    size_t used, limit;
} memory = {.limit = SIZE_MAX};

static const char law[] =
    "local json, text = ...\n"
    "local function same(a, b)\n"
    "  if type(a) ~= 'table' then return a == b and math.type(a) == math.type(b) and (a ~= 0 or 1 / a == 1 / b) end\n"
    "  if type(b) ~= 'table' or getmetatable(a) ~= getmetatable(b) then return false end\n"
    "  for k, v in next, a do if not same(v, b[k]) then return false end end\n"
    "  for k in next, b do if a[k] == nil then return false end end\n"
    "  return true\n"
    "end\n"
    "local value, why, code = json.decode(text)\n"
    "if why then return assert(value == nil and #why > 10 and code == 'argument') end\n"
    "local written = assert(json.encode(value))\n"
    "local again, what = json.decode(written)\n"
    "assert(not what, what)\n"
    "assert(same(value, again), written)\n"
    "assert(json.encode(again) == written, written)\n";

static void *allocate(void *owner, void *block, size_t old, size_t bytes)
{
    struct memory *m = owner;
    size_t held = block ? old : 0;
    if (bytes > held && (m->used > m->limit || bytes - held > m->limit - m->used)) return NULL;
    m->used += bytes - held;
    if (bytes > 0) return realloc(block, bytes);
    free(block);
    return NULL;
}

static lua_State *open_state(void)
{
    lua_State *L = lua_newstate(allocate, &memory);
    luaL_openlibs(L);
    if (luaL_loadstring(L, law) != LUA_OK) abort();
    lua_pushcfunction(L, json_open);
    lua_call(L, 0, 1);
    return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lua_State *L;
    if (!L) L = open_state();
    if (size == 0) return 0;
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_pushlstring(L, (const char *)data + 1, size - 1);
    memory.limit = data[0] == 0 ? SIZE_MAX : memory.used + (size_t)(data[0] - 1) * ROOM_STEP;
    int status = lua_pcall(L, 2, 0, 0);
    memory.limit = SIZE_MAX;
    if (status != LUA_OK && data[0] == 0) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        abort();
    }
    lua_settop(L, 2);
    lua_gc(L, data[0] == 0 ? LUA_GCSTEP : LUA_GCCOLLECT, 0);
    return 0;
}
