--- What scripts stand on, without C: a core with files and budgets, and a node whose events the specs put into a queue.
--
-- All modules of moth are loaded anew for each world, so that no task of one spec lives on in the next. What the node
-- was asked for gathers in its lists.

local helper = require "tests.lua.helper"
local fakes = require "tests.lua.fakes"
local core = require "moth.core"

local fake_node = { files = {}, ANA = helper.id "aaaa1111", EVA = helper.id "eeee3333", BOB = helper.id "bbbb2222" }

-- --- the core ---

-- An error that says so stands for a budget that was used up.
local function word_of(code, value, ...)
  if code ~= core.ERROR then return code, value, ... end
  local word = value:find("used up: cpu", 1, true) and "cpu" or value:find("used up: memory", 1, true) and "memory"
  return code, value, word or ...
end

local plain_resume, plain_call = core.resume, core.call

function core.resume(...)
  return word_of(plain_resume(...))
end

function core.call(...)
  return word_of(plain_call(...))
end

local function copy(from)
  local to = {}
  for k, v in pairs(from) do to[k] = v end
  return to
end

local BASE = { "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget", "rawlen",
  "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "xpcall", "collectgarbage", "_VERSION" }

function core.libraries()
  local env = { string = copy(string), table = copy(table), math = copy(math), utf8 = copy(utf8),
    coroutine = copy(coroutine), os = { time = os.time, clock = os.clock } }
  for _, name in ipairs(BASE) do env[name] = _G[name] end
  return env
end

function core.load(chunk, name, env)
  return load(chunk, name, "t", env)
end

function core.read(path)
  local text = fake_node.files[path]
  if text then return text end
  return nil, "there is no such file", "not_found"
end

function core.memory()
  return fake_node.memory_used, 64 << 20
end

function core.usage(account)
  return account.cpu or 0, account.kills or 0
end

core.parts = { frame = { decoder = print }, router = { new = print }, store = { open = print } }
core.tcp = { next = function() end }

local the_node -- of the world that was made last

function core.waiting()
  return the_node and the_node.queue[1] and the_node
end

-- --- messages: userdata, as in C ---

-- A file that is closed holds nothing, and may be given any metatable.
local function userdata(metatable)
  local u = assert(io.open("/dev/null"))
  u:close()
  return debug.setmetatable(u, metatable)
end

-- `fields` may be changed later.
local function sent_message(raw, fields)
  local methods = raw:message_methods()
  return userdata {
    __index = function(_, key) return methods[key] or fields[key] end,
    __tostring = function() return ("message %x"):format(fields.id) end,
  }
end

-- --- the node ---

local node = setmetatable({}, { __index = getmetatable(fakes.node()).__index })

local function note(list)
  return function(self, ...)
    self[list][#self[list] + 1] = { ... }
    self.steps[#self.steps + 1] = list
    return true
  end
end

function node:begin() self.steps[#self.steps + 1] = "begin" end

function node:commit() self.steps[#self.steps + 1] = "commit" end

function node:discard() self.steps[#self.steps + 1] = "discard" end

node.handled, node.pause_mail, node.count_discard = note "was_handled", note "pauses", note "discards"

function node:methods() return node end

function node:message_methods() return self.methods_of_messages end

function node:set_hook(kind, fn) self.hooks[kind] = fn end

function node:resolve(who)
  for name, id in pairs { ana = self.id, eva = fake_node.EVA, bob = fake_node.BOB } do
    if who == name or who == id then return id end
  end
  return nil, "no peer of that name or id is known", "unknown_peer"
end

function node:peer(who)
  for name, id in pairs { eva = fake_node.EVA, bob = fake_node.BOB } do
    if who == name or who == id then return { id = id, name = name } end
  end
  return nil, "no peer of that name or id is known", "unknown_peer"
end

function node:send(to, data, options)
  if self.refuses_send then return nil, self.refuses_send, "full" end
  local fields = { id = 0x100 + #self.sent, from = self.id, to = self:resolve(to), state = "queued", data = data,
    options = options }
  self.sent[#self.sent + 1] = fields
  self.steps[#self.steps + 1] = "send"
  fields.m = sent_message(self, fields)
  return fields.m
end

node.emit = note "emitted"

function node:request(to, name, data)
  if self.refuses_request then return nil, "there is no route to that peer", "unreachable" end
  self.requests[#self.requests + 1] = { to = to, name = name, data = data, id = 0x500 + #self.requests }
  return self.requests[#self.requests].id
end

function node:answer(to, id, word, data)
  if type(data) == "function" then return nil, "a function cannot be JSON" end
  self.answers[#self.answers + 1] = { to = to, id = id, word = word, data = data }
  return true
end

function node:next_event()
  local e = table.remove(self.queue, 1)
  if e then return e.name, e.e end
end

function node:peers() return { { id = fake_node.EVA, name = "eva" } } end

function node:wanted() return self.addresses end

function node:connect(address)
  if not address:find(":") then return nil, "an address is HOST:PORT", "bad_address" end
  self.addresses[1] = { address = address, linked = false }
  return true
end

function node:history() return self.past end

-- --- a world: a node with its hub ---

local world = {}
world.__index = world

--- What is required from now on is loaded anew.
function fake_node.forget_modules()
  for name in pairs(package.loaded) do
    local is_ours = name == "moth" or name:find("^moth%.")
    if is_ours and name ~= "moth.core" and name ~= "moth.json" then package.loaded[name] = nil end
  end
end

local LISTS = { "steps", "was_handled", "pauses", "discards", "hooks", "sent", "emitted", "requests", "answers",
  "queue", "addresses", "past", "methods_of_messages" }

---@return table world  with `raw`, `hub`, `printed`
function fake_node.new()
  fake_node.forget_modules()
  helper.reset()
  fake_node.files, fake_node.memory_used = {}, 1 << 20
  local raw = setmetatable({ id = fake_node.ANA, name = "ana", address = "127.0.0.1:6684" }, { __index = node })
  for k, v in pairs(fakes.node()) do raw[k] = v end
  for _, list in ipairs(LISTS) do raw[list] = {} end
  function raw.methods_of_messages.cancel(m) return m.state == "queued" end
  local self = setmetatable({ raw = raw, printed = {}, last_id = 0 }, world)
  the_node, require("moth.task").moth.node = raw, raw
  self.hub = require("moth.hub").new(raw, function(text) self.printed[#self.printed + 1] = text end)
  helper.settle()
  raw.steps = {}
  return self
end

--- Calls `fn(...)` as a task of moth and lets it go on until it waits for something.
---@return table results  empty while it still waits
function world:run(fn, ...)
  local results = {}
  require("moth.task").spawn(function(...) table.move(table.pack(fn(...)), 1, 3, 1, results) end, ...)
  helper.settle()
  return results
end

--- Puts a script's text into its file and loads it: the script, or nil, why, code.
function world:load(name, text)
  fake_node.files[name .. ".lua"] = text
  return table.unpack(self:run(self.hub.scripts.load, self.hub.scripts, name .. ".lua"), 1, 3)
end

--- The same for one that is loaded.
function world:reload(name, text)
  fake_node.files[name .. ".lua"] = text
  return table.unpack(self:run(self.hub.scripts.reload, self.hub.scripts, name), 1, 3)
end

--- An event from C; it is taken with the next turn.
function world:raise(name, e)
  self.raw.queue[#self.raw.queue + 1] = { name = name, e = e }
end

function world:message(fields)
  self.last_id = self.last_id + 1
  local e = { id = self.last_id, from = fake_node.EVA, name = "eva", type = "text", encoding = "text", data = "hello",
    time = 1, hops = 1, path = {}, durable = true }
  for k, v in pairs(fields) do e[k] = v end
  self:raise("message", e)
  return e
end

--- A durable text from eva, or with other fields, taken at once.
function world:say(text, fields)
  local e = self:message { data = text }
  for k, v in pairs(fields or {}) do e[k] = v end
  helper.settle()
  return e
end

--- What was sent since the last look: the data of each.
function world:replies()
  local list = {}
  for i, fields in ipairs(self.raw.sent) do list[i] = fields.data end
  self.raw.sent = {}
  return list
end

--- How a script fares.
function world:find(name)
  return (self.hub.scripts:find(name))
end

return fake_node
