--- What the specs share: a core without C, a clock that is turned by hand, and a node that answers from a
--- table.
--
-- Specs run in plain Lua 5.4 from the project's root. `require` this first: it puts the core where the
-- modules look for it.

assert(_VERSION == "Lua 5.4", "these specs need Lua 5.4, this is " .. _VERSION)

package.path = "lua/?.lua;lua/?/init.lua;" .. package.path

local helper = { now_us = 1000000, wall = 1900000000.5, logged = {}, woken = 0 }

local columns = require "tests.lua.columns"
local core = { DONE = 0, YIELD = 1, ERROR = 2, columns = columns.columns, fit = columns.fit }

function core.safe(text)
  return (text:gsub("[\0-\31\127]", function(c) return ("\\x%02x"):format(c:byte()) end))
end

function core.now()
  return helper.now_us
end

function core.wall()
  return helper.wall
end

function core.seconds(span)
  if type(span) == "number" then return span end
  local ms = span:match("^(%d+)ms$")
  if ms then return ms / 1000 end
  return nil, "no time span", "argument"
end

function core.log(level, text)
  helper.logged[#helper.logged + 1] = level .. ": " .. text
end

function core.wake()
  helper.woken = helper.woken + 1
end

function core.on_tick(fn)
  helper.tick = fn
end

function core.on_events(fn)
  helper.take_events = fn
end

function core.waiting() end

function core.traceback(why, thread)
  if thread then return debug.traceback(thread, tostring(why)) end
  return debug.traceback(tostring(why), 2)
end

-- --- the guard, without budgets ---

function core.account(name)
  return { name = name, resumes = 0 }
end

local is_dispatching = false

local function after_resume(thread, ok, ...)
  is_dispatching = false
  if ok then return coroutine.status(thread) == "dead" and core.DONE or core.YIELD, ... end
  local traceback = core.traceback((...), thread)
  coroutine.close(thread)
  return core.ERROR, traceback, "error"
end

function core.resume(account, thread, ...)
  assert(not is_dispatching, "one dispatch inside another")
  is_dispatching = true
  account.resumes = account.resumes + 1
  return after_resume(thread, coroutine.resume(thread, ...))
end

function core.close(account, thread)
  assert(not is_dispatching, "one dispatch inside another")
  assert(account and coroutine.status(thread) == "suspended", "there is nothing to close")
  local ok, why = coroutine.close(thread)
  if ok then return true end
  return nil, core.traceback(why, thread), "error"
end

-- Below a function in C, where nothing can yield.
function core.call(_, fn, ...)
  local arguments, results = table.pack(...), nil
  local function call()
    results = table.pack(xpcall(fn, debug.traceback, table.unpack(arguments, 1, arguments.n)))
  end
  ("x"):gsub("x", call)
  if results[1] then return core.DONE, table.unpack(results, 2, results.n) end
  return core.ERROR, results[2], "error"
end

function core.ask(...)
  return core.call(...)
end

function core.cpu_ms()
  return 1000
end

function core.interrupted()
  return false
end

function core.source(name)
  local f = assert(io.open("lua/" .. name))
  local text = f:read "a"
  f:close()
  return text
end

package.loaded["moth.core"] = core
package.preload["moth.json"] = function() return require("tests.lua.fakes").json end

--- Lets time pass, then does what is due: a turn of the loop.
---@param ms? number
---@return integer? next_us, boolean every_turn  as the scheduler's tick
function helper.turn(ms)
  helper.now_us = helper.now_us + math.floor((ms or 0) * 1000)
  helper.wall = helper.wall + (ms or 0) / 1000
  if helper.take_events then helper.take_events() end
  return helper.tick(helper.now_us)
end

--- Turns until nothing is left to do now.
---@param ms? number  that pass first
function helper.settle(ms)
  local next_us = helper.turn(ms)
  for _ = 1, 100 do
    if not next_us or next_us > helper.now_us then return end
    next_us = helper.turn()
  end
  error("there is always something to do")
end

--- Forgets what was logged.
function helper.reset()
  helper.logged, helper.woken = {}, 0
end

--- An id that starts with these digits.
---@param start string
function helper.id(start)
  return start .. ("0"):rep(32 - #start)
end

local function peer(t)
  local entry = { address = "", up = true, linked = false, inbound = false, hops = 0, aliased = false, blocked = false,
    claimed = t.name }
  for k, v in pairs(t) do entry[k] = v end
  return entry
end

local fake = {}
fake.__index = fake

function fake:on(name, fn)
  return self.bus:on(name, fn)
end

function fake:raise(name, e)
  self.bus:raise(name, e)
end

function fake:peers()
  return self.known
end

function fake:routes()
  local list = {}
  for _, p in ipairs(self.known) do
    if p.up then list[#list + 1] = p end
  end
  return list
end

function fake:resolve(who)
  if who == self.name or who == self.id then return self.id end
  for _, p in ipairs(self.known) do
    if p.name == who or p.id == who or #who >= 4 and p.id:find(who, 1, true) == 1 then return p.id end
  end
  return nil, "no peer of that name or id is known", "unknown_peer"
end

function fake:peer(who)
  local id, why, code = self:resolve(who)
  for _, p in ipairs(self.known) do
    if p.id == id then return p end
  end
  return nil, why, code
end

function fake:path(who)
  local id = self:resolve(who)
  if self.paths[id] then return self.paths[id] end
  return nil, "there is no route to that peer", "unreachable"
end

function fake:wanted()
  return self.addresses
end

function fake:edges()
  return self.links
end

function fake:queue(who)
  local list = {}
  for _, m in ipairs(self.mail) do
    if not who or m.to == who then list[#list + 1] = m end
  end
  return list
end

function fake:message(id)
  for _, m in ipairs(self.mail) do
    if m.id == id then return m end
  end
  return nil, "there is no such thing", "not_found"
end

function fake:cancel(id)
  local m = self:message(id)
  if not m or self.has_ended[m.state] then return nil, "there is no such thing", "not_found" end
  m.state, m.reason, m.why = "cancelled", "cancelled", "it was cancelled"
  return true
end

function fake:history(who, n)
  self.asked = { who, n }
  if self.refuses then return nil, self.refuses, "store" end
  return self.entries
end

function fake:alias(who, name)
  if self.refuses then return nil, self.refuses, "in_use" end
  local entry = self:peer(who)
  entry.name, entry.aliased = name or entry.claimed, name ~= nil
  return true
end

function fake:block(who)
  if self.refuses then return nil, self.refuses, "self" end
  self:peer(who).blocked = true
  return true
end

function fake:unblock(who)
  self:peer(who).blocked = false
  return true
end

function fake:status()
  local s = { discarded = self.discarded, store_reason = false, store_why = false }
  for k, v in pairs(self.figures or {}) do s[k] = v end
  return setmetatable(s, { __index = function() return 0 end })
end

function fake:limits()
  return { { name = "links", value = 512, unit = "links", behaviour = "further connections are closed, reason full" } }
end

function fake:send(to, text)
  if self.refuses then return nil, self.refuses, self.refuses_code or "full" end
  local m = helper.message { to = to, name = self.name_of[to], state = "sent", text = text }
  for k, v in pairs(self.next_message or {}) do m[k] = v end
  self.sent[#self.sent + 1] = m
  return m
end

function fake:connect(address)
  if not address:find(":%d+$") then return nil, "an address is HOST:PORT", "bad_address" end
  self.addresses[#self.addresses + 1] = { address = address, linked = false, retry_in_ms = 0 }
  return true
end

function fake:disconnect(who)
  self.disconnected[#self.disconnected + 1] = who
  if self.refuses_disconnect then return nil, "", self.refuses_disconnect end
  for _, p in ipairs(self.known) do
    if p.id == who then p.linked = self.is_slow_to_part end
  end
  return true
end

function fake:is_synced()
  return self.synced
end

function fake:leave()
  self.has_left = true
end

function fake:is_quiet()
  return self.quiet
end

function fake:quit(status)
  self.quit_status = status
end

--- A message of ours, to eva, that was accepted an hour ago.
---@param fields? table
function helper.message(fields)
  local m = { id = 0x18d2c, to = helper.id("eeee3333"), name = "eva", state = "queued", tries = 0, carriers = 0,
    bytes = 5, accepted = os.time() - 3600, time = os.time() - 60 }
  for k, v in pairs(fields or {}) do m[k] = v end
  return m
end

--- The node ana; `known` is a list of peers: name, start (of the id), and fields of an entry.
---@param known? table[]
function helper.node(known)
  local events = require "moth.events"
  local node = setmetatable({
    id = helper.id("aaaa1111"), name = "ana", address = "127.0.0.1:6684", bus = events.new(), known = {}, paths = {},
    addresses = {}, links = {}, mail = {}, discarded = {}, sent = {}, disconnected = {}, synced = true, quiet = true,
    entries = {}, has_ended = { delivered = true, expired = true, refused = true, cancelled = true, lost = true },
  }, fake)
  node.name_of = { [node.id] = node.name }
  for i, p in ipairs(known or {}) do
    p.id = p.id or helper.id(p.start)
    node.known[i] = peer(p)
    node.name_of[p.id] = p.name
  end
  return node
end

--- No scripts.
function helper.hub()
  return { stop = function() return false end, scripts = { list = function() return {} end } }
end

return helper
