/* fuzz_shell.c -- arbitrary bytes as lines typed at the shell, and as messages that arrive meanwhile.
 *
 * The shell is the real one, on a node written in Lua that answers everything. A line that starts with the
 * byte 1 is taken as the data of a message instead. Whatever comes: no error of Lua gets out of a command or
 * handler, nothing said holds a control byte, every line of a failure carries its number, and the end of the
 * input ends the program. */
#include "script/runtime.h"

#include "base/log.h"

#include <lauxlib.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_US 500000
#define STEPS 40 /* more than all that a command waits for */

static const char fake_node[] =
    "local events = require 'moth.events'\n"
    "local function id(c) return c:rep(32) end\n"
    "local known = {\n"
    "  {id = id 'b', name = 'bob', up = true, linked = true, hops = 1, via = id 'b', rtt_ms = 0.4, address = '::'},\n"
    "  {id = id 'e', name = 'eva~eeeeeeee', up = true, linked = false, hops = 2, via = id 'b', address = ''},\n"
    "  {id = id 'c', name = 'kim', up = false, linked = false, hops = 0, address = ''},\n"
    "}\n"
    "for _, p in ipairs(known) do p.claimed, p.aliased, p.blocked = p.name, false, false end\n"
    "local node = {id = id 'a', name = 'ana', address = '127.0.0.1:6684', bus = events.new(), list = {}}\n"
    "function node:on(name, fn) return self.bus:on(name, fn) end\n"
    "function node:peers() return known end\n"
    "function node:routes() return {known[1], known[2]} end\n"
    "function node:peer(who) for _, p in ipairs(known) do if p.id == who or p.name == who then return p end end\n"
    "  return nil, 'nobody', 'unknown_peer' end\n"
    "function node:resolve(who) local p, why, code = self:peer(who)\n"
    "  if p then return p.id end return nil, why, code end\n"
    "function node:path(who) if who == id 'c' then return nil, 'no route', 'unreachable' end\n"
    "  return {self.id, id 'b', id 'e'} end\n"
    "function node:wanted() return self.list end\n"
    "function node:edges() return {{a = self.id, b = id 'b'}, {a = id 'e', b = id 'b'}} end\n"
    "local function sent(to) return {id = 0x18d2c, to = to, name = 'kim', state = to == id 'c' and 'pending' or\n"
    "  to == id 'b' and 'sent' or 'carried', by_name = 'bob', carriers = 1, tries = 2, bytes = 5, time = 1.5,\n"
    "  accepted = 1.5} end\n"
    "function node:queue(who) return {sent(who or id 'c'), sent(id 'b')} end\n"
    "function node:message(i) if i == 0x18d2c then return sent(id 'e') end\n"
    "  return nil, 'no such thing', 'not_found' end\n"
    "function node:cancel(i) assert(math.type(i) == 'integer') return i == 0x18d2c end\n"
    "function node:history(_, n) assert(n >= 1 and n <= 10000)\n"
    "  return {{ours = n % 2 == 0, name = 'kim', type = 'text', encoding = 'text', data = 'one\\ntwo',\n"
    "  time = 1.5, state = 'expired', reason = 'retries', why = 'spent'}} end\n"
    "function node:alias(who, name) local p = self:peer(who) if not p then return nil, 'self', 'self' end\n"
    "  p.name, p.aliased = name or p.claimed, name ~= nil return true end\n"
    "function node:block(who) local p = self:peer(who) if p then p.blocked = true end return p ~= nil, 'self' end\n"
    "function node:unblock(who) self:peer(who).blocked = false return true end\n"
    "function node:status() return setmetatable({discarded = {{code = 'forged', count = 1, why = 'a tag'}}},\n"
    "  {__index = function() return 1234567 end}) end\n"
    "function node:limits() return {{name = 'links', value = 512, unit = 'links', behaviour = 'closed'}} end\n"
    "function node:send(to, text) assert(#text > 0) return sent(to) end\n"
    "function node:connect(address) if #address % 2 == 0 then return nil, 'no address', 'bad_address' end\n"
    "  self.list[#self.list + 1] = {address = address, linked = #address % 3 == 0, peer = id 'b', retry_in_ms = 10}\n"
    "  return true end\n"
    "function node:disconnect(who) return who == id 'b' or nil, 'no link', 'not_linked' end\n"
    "function node:is_synced() return false end\n"
    "function node:leave() end\n"
    "function node:is_quiet() return false end\n"
    "function node:quit() self.has_quit = true end\n"
    "local function refuse(_, name) return nil, 'no script ' .. name end\n"
    "local scripts = {load = refuse, reload = refuse, unload = refuse, kill = refuse, list = function() return {} end}\n"
    "local hub = {scripts = scripts, stop = function() return false end}\n"
    "local prompt = {cancel = function() return false end, run = function(_, text)\n"
    "  if #text % 2 == 0 then return text end return nil, text end}\n"
    "local write, complain, input, is_terminal = ...\n"
    "local shell = require('moth.shell').new {node = node, is_terminal = is_terminal, write = write,\n"
    "  complain = complain, hold = function() end, hub = hub, prompt = prompt}\n"
    "for line in (input .. '\\n'):gmatch('([^\\n]*)\\n') do\n"
    "  if line:byte() == 1 then\n"
    "    local data = line:sub(2):gsub('\\1', '\\n')\n"
    "    node.bus:raise('message', {name = 'bob', type = 'text', encoding = 'text', data = data})\n"
    "  else shell:feed(line) end\n"
    "end\n"
    "shell:finish()\n"
    "return function() return node.has_quit end\n";

static uint64_t now_us = 1;

static uint64_t fake_now(void *context)
{
    (void)context;
    return now_us;
}

static void fake_random(void *context, void *out, size_t bytes)
{
    (void)context;
    memset(out, 0, bytes);
}

static void fake_log(void *context, enum moth_log_level level, const char *text)
{
    (void)context;
    if (level < MOTH_LOG_ERROR) return;
    fprintf(stderr, "%s\n", text);
    abort();
}

static const struct moth_host host = {.now_us = fake_now, .wall_ms = fake_now, .random = fake_random, .log = fake_log};

static void expect(bool holds)
{
    if (!holds) abort();
}

/* Whole lines of safe text: what text_safe would not change any more. */
static int l_check(lua_State *L)
{
    size_t bytes;
    const char *text = luaL_checklstring(L, 1, &bytes);
    expect(bytes > 0 && text[bytes - 1] == '\n');
    while (bytes > 0) {
        size_t line = (size_t)((const char *)memchr(text, '\n', bytes) - text);
        char *safe = malloc(4 * line + 1);
        expect(text_safe(slice_of(text, line), safe, 4 * line + 1) == line && memcmp(safe, text, line) == 0);
        free(safe);
        text += line + 1;
        bytes -= line + 1;
    }
    return 0;
}

static int l_complain(lua_State *L)
{
    l_check(L);
    expect(strncmp(lua_tostring(L, 1), "line ", 5) == 0);
    return 0;
}

struct input {
    const uint8_t *data;
    size_t bytes;
};

static int start(lua_State *L)
{
    const struct input *in = lua_touserdata(L, 1);
    if (luaL_loadbufferx(L, fake_node, sizeof fake_node - 1, "=fake", "t") != LUA_OK) return lua_error(L);
    lua_pushcfunction(L, l_check);
    lua_pushcfunction(L, l_complain);
    lua_pushlstring(L, (const char *)in->data, in->bytes);
    lua_pushboolean(L, in->bytes > 0 && in->data[0] % 2);
    lua_call(L, 4, 1);
    lua_setglobal(L, "has_quit");
    return 0;
}

static int expect_quit(lua_State *L)
{
    lua_getglobal(L, "has_quit");
    lua_call(L, 0, 1);
    expect(lua_toboolean(L, -1));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {.data = data, .bytes = size};
    struct runtime *r = runtime_new(&host);
    expect(r && runtime_call(r, start, &in) == 0);
    size_t lines = 1;
    for (size_t i = 0; i < size; i++) lines += data[i] == '\n';
    for (size_t i = 0; i < STEPS * (lines + 1); i++) {
        now_us += STEP_US;
        runtime_tick(r);
    }
    expect(runtime_call(r, expect_quit, NULL) == 0);
    runtime_free(r);
    return 0;
}
