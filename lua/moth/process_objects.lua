--- What the methods of a process node give: handles, messages that it sent, messages that came to it.

local core = require "moth.core"
local json = require "moth.json"
local task = require "moth.task"

local objects = {}

-- --- handles ---

local handle = {}
local handle_class = { __index = handle, __metatable = "handle", __tostring = function() return "handle" end }
local offs = setmetatable({}, { __mode = "k" })

--- Ends it; a second time is fine.
function handle:off()
  local off = offs[self]
  offs[self] = nil
  if off then off() end
end

---@param off fun()
function objects.handle(off)
  local h = setmetatable({}, handle_class)
  offs[h] = off
  return h
end

-- --- messages that were sent ---

local RANK = { pending = 0, queued = 1, sent = 2, carried = 3, delivered = 4 }
local FIXED = { id = true, from = true, to = true, name = true, bytes = true, accepted = true }

local known = setmetatable({}, { __mode = "k" }) -- what was last heard of a message, and of which node

local sent = {}
local sent_class = { __metatable = "message" }

-- A node that was started again knows all it had promised to keep.
local function note_absence(m)
  if m.fields.state == "pending" and m.inner.program ~= m.program then
    m.fields.state, m.fields.reason, m.fields.why = "lost", "lost", "its process ended before it was kept"
  end
end

local function refresh(m)
  local found, _, code = m.inner:call(true, "node", "message", m.fields.id)
  if found then m.fields = known[found].fields end
  if code == "not_found" then note_absence(m) end
end

function sent_class.__index(self, key)
  local m = known[self]
  if sent[key] then return sent[key] end
  if not FIXED[key] and m.inner.state == "up" then refresh(m) end
  return m.fields[key]
end

function sent_class.__tostring(self)
  return ("%x %s"):format(known[self].fields.id, known[self].fields.state)
end

local function await_node(m, at_us)
  while m.inner.state ~= "up" do
    local _, late = m.inner.changes:wait("state", at_us)
    if late then return nil, ("it is still %s"):format(m.fields.state), "timeout" end
  end
  return true
end

-- What waiting came to at the node; nil when it does not run any more.
local function wait_there(m, state, at_us)
  local left = at_us and math.max(0, at_us - core.now()) / 1000000
  local results = m.inner:ask(false, "wait", m.fields.id, state, left)
  if not results then return nil end
  local now = results[2]
  if now then m.fields = known[now].fields else note_absence(m) end
  return results
end

local function verdict(m, state, results)
  if results[2] then return table.unpack(results, 3, results.n) end
  local now = m.fields.state
  if RANK[now] and RANK[now] >= RANK[state] then return true end
  return nil, m.fields.why or results[4], RANK[now] and results[5] or now
end

--- Waits for that state or a later one, however often the node is killed and started again meanwhile.
function sent:wait(state, span)
  if not RANK[state] then error("a state is pending, queued, sent, carried or delivered", 2) end
  local m, at_us = known[self], span ~= nil and task.deadline(span) or nil
  while true do
    local ok, why, code = await_node(m, at_us)
    if not ok then return nil, why, code end
    local results = wait_there(m, state, at_us)
    if results then return verdict(m, state, results) end
  end
end

function sent:cancel()
  local m = known[self]
  return m.inner:call(true, "node", "cancel", m.fields.id)
end

---@param inner table
---@param fields table
function objects.sent(inner, fields)
  local self = setmetatable({}, sent_class)
  known[self] = { inner = inner, program = inner.program, fields = fields }
  return self
end

-- --- messages that came ---

local STANDARD = { durable = false, broadcast = false, redelivered = false, auto = false }

local came_to = setmetatable({}, { __mode = "k" })

local received = {}
local received_class = { __metatable = "message" }

function received_class.__index(self, key)
  if key == "data" and rawget(self, "json") then
    local value = json.decode(self.json)
    rawset(self, "data", value)
    return value
  end
  if received[key] then return received[key] end
  return STANDARD[key]
end

function received_class.__tostring(self)
  return ("message %x from %s"):format(self.id, self.name)
end

function received:reply(data)
  local inner = came_to[self].inner
  if data == nil then error("there is nothing to send: data is nil", 2) end
  return inner:call(true, "node", "send", self.from, data, { re = self.id })
end

function received:ask(text, options)
  local m = came_to[self]
  if m.program ~= m.inner.program then return nil, "the node has ended since", "shutdown" end
  return m.inner:call(false, "ask", m.ref, text, options)
end

---@param inner table
---@param fields table
function objects.received(inner, fields)
  local ref = fields.ref
  fields.ref = nil
  local self = setmetatable(fields, received_class)
  came_to[self] = { inner = inner, program = inner.program, ref = ref }
  return self
end

return objects
