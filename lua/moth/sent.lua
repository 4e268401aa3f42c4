--- Messages of ours as scripts hold them: `m:wait`, and those that wait until a script runs.

local core = require "moth.core"
local signal = require "moth.signal"
local task = require "moth.task"

local sent = {}

local RANK = { pending = 0, queued = 1, sent = 2, carried = 3, delivered = 4 }
local states = {} -- by the id of the node; in each a signal, by the id of the message

local function wait(m, state, span)
  if not RANK[state] then error("a state is pending, queued, sent, carried or delivered", 2) end
  local at_us = span ~= nil and task.deadline(span) or nil
  while true do
    local now = m.state
    if not RANK[now] then return nil, m.why or now, now end
    if RANK[now] >= RANK[state] then return true end
    local _, late = states[m.from]:wait(m.id, at_us)
    if late then return nil, ("it is still %s"):format(m.state), "timeout" end
  end
end

--- Gives the node's own message objects their `wait`.
---@param raw table
function sent.open(raw)
  raw:message_methods().wait = wait
  states[raw.id] = states[raw.id] or signal.new()
end

--- A message of that node has changed its state.
---@param id string
function sent.changed(id, m)
  local signals, message = states[id], m.id
  if signals:is_awaited(message) then signals:raise(message) end
end

--- That node's process is another one: some of its messages may be lost.
---@param id string
function sent.all_changed(id)
  states[id]:raise_all()
end

-- --- those of a main chunk ---

local real_of = setmetatable({}, { __mode = "k" }) -- the message, once it is sent; a sentence when that failed

local later = {}

function later:wait(...)
  local real = real_of[self]
  if type(real) == "userdata" then return real:wait(...) end
  if real then return nil, real, "refused" end
  error("what the main chunk sends leaves after its end, so it cannot wait for that", 2)
end

function later:cancel()
  local real = real_of[self]
  if type(real) == "userdata" then return real:cancel() end
  return nil, real or "it is not sent yet", "not_found"
end

local function field(self, key)
  if later[key] then return later[key] end
  local real = real_of[self]
  if type(real) == "userdata" then return real[key] end
  if key == "state" then return real and "refused" or "pending" end
  if key == "why" then return real end
end

local function shown(self)
  local real = real_of[self]
  return type(real) == "userdata" and tostring(real) or "not sent yet"
end

local later_class = { __index = field, __metatable = "message", __tostring = shown }

--- What `send` returns while the main chunk runs.
---@param script script
---@param to string
---@param send fun(): userdata?, string?
function sent.later(script, to, send)
  local m = setmetatable({}, later_class)
  script:when_running(function()
    local real, why = send()
    real_of[m] = real or why
    if not real then core.log("warn", ("%s: nothing was sent to %s: %s"):format(script.name, to, why)) end
  end)
  return m
end

return sent
