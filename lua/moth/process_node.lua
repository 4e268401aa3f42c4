--- A node of a lab that is a process, as the lab file sees it: all methods of `node`, and what may happen to a machine.
--
-- Each method is a call to the node's agent, which takes a task. What is behind stands in process_life.lua.

local kv = require "moth.kv"
local life = require "moth.process_life"

local PLAIN = { "peers", "links", "routes", "message", "cancel", "status", "limits", "edges", "wanted", "schedule",
  "unschedule" }
local TO_PEER = { "send", "emit", "disconnect", "peer", "path", "queue", "history", "resolve", "block", "unblock",
  "alias" } -- the first argument is one
local ONLY_IMAGINED = { "clock", "disk", "read_rate", "lose" }
local HANDLERS = { "on", "hear", "command", "serve", "job" }

local node = {}
local methods = {}
local class = { __metatable = "node" }

local inners = setmetatable({}, { __mode = "k" }) -- what is behind a node

function class.__index(self, key)
  local inner = inners[self]
  if methods[key] then return methods[key] end
  if key == "is_running" then return inner.program ~= nil end
  if key == "id" or key == "name" or key == "address" then return inner[key] end
end

function class.__tostring(self)
  return "node " .. inners[self].name
end

--- What is behind that node; nil when it is none.
---@return process_life?
function node.inner(self)
  return inners[self]
end

--- A node that is not started yet, and what is behind it.
---@param net process_net
---@param name string
---@param home string
---@param scripts string[]
---@return table node, process_life inner
function node.new(net, name, home, scripts)
  local self = setmetatable({}, class)
  inners[self] = life.new(net, name, home, scripts)
  return self, inners[self]
end

-- --- the methods of `node` ---

local function method(name, fn)
  methods[name] = function(self, ...)
    local inner = inners[self]
    if not inner then error(("node:%s is called with a colon"):format(name), 2) end
    return fn(inner, ...)
  end
end

for _, name in ipairs(PLAIN) do
  method(name, function(inner, ...) return inner:call(true, "node", name, ...) end)
end

for _, name in ipairs(TO_PEER) do
  method(name, function(inner, peer, ...) return inner:call(true, "node", name, inner.net:peer_of(peer), ...) end)
end

for _, name in ipairs(HANDLERS) do
  method(name, function(inner, ...) return inner:register(name, ...) end)
end

method("request", function(inner, peer, ...)
  return inner:call(false, "node", "request", inner.net:peer_of(peer), ...)
end)

for _, name in ipairs(ONLY_IMAGINED) do
  method(name, function()
    error(('node:%s needs the simulated network: leave mode = "process" out'):format(name), 2)
  end)
end

method("hook", function()
  error("a hook has to answer at once and cannot wait for another process: put it into a script of the node " ..
    '(script = "FILE"), or leave mode = "process" out', 2)
end)

local function add_dial(inner, address)
  for _, one in ipairs(inner.dials) do
    if one == address then return end
  end
  inner.dials[#inner.dials + 1] = address
end

local function drop_dial(inner, address)
  for i, one in ipairs(inner.dials) do
    if one == address then return table.remove(inner.dials, i) end
  end
end

-- A node of the lab is dialled by the way that leads to it, again after each start.
local function address_of(inner, other)
  local target = inner.net:find(other)
  if not target then return other end
  local address, why = inner.net.ways:address(inner, target)
  if not address then error(why, 0) end
  add_dial(inner, address)
  return address
end

method("connect", function(inner, other)
  return inner:call(false, "node", "connect", address_of(inner, other))
end)

--- The same without waiting: it is tried until it succeeds.
method("dial", function(inner, other)
  return inner:call(true, "dial", address_of(inner, other))
end)

method("disconnect", function(inner, other)
  local target = inner.net:find(other)
  if target then drop_dial(inner, inner.net.ways:address(inner, target)) end
  return inner:call(true, "node", "disconnect", inner.net:peer_of(other))
end)

local stored = {} -- what kv.lua asks of a node
stored.__index = stored

function stored:data_get(...) return self.inner:call(true, "kv_get", ...) end
function stored:data_put(...) return self.inner:call(true, "kv_put", ...) end
function stored:data_next(...) return self.inner:call(true, "kv_next", ...) end

method("kv", function(inner, name) return kv.open(setmetatable({ inner = inner }, stored), name) end)

-- --- what happens to the machine ---

local function note(inner, what)
  inner.net.trial.note(what .. " " .. inner.name)
end

local function must_run(inner)
  if not inner.program then error(inner.name .. " does not run", 3) end
end

--- SIGKILL: memory is gone.
method("kill", function(inner)
  must_run(inner)
  note(inner, "kill")
  inner:stop("kill")
end)

--- Ends it in good order, saying goodbye.
method("stop", function(inner)
  must_run(inner)
  note(inner, "stop")
  inner:stop("terminate")
end)

method("start", function(inner)
  if inner.program then error(inner.name .. " runs already", 2) end
  note(inner, "start")
  inner:start()
end)

--- Starts it again; one that runs is killed first.
method("restart", function(inner)
  if inner.program then inner:stop("kill") end
  note(inner, "restart")
  inner:start()
end)

--- It does nothing until thaw, and does not know of it afterwards.
method("freeze", function(inner)
  must_run(inner)
  note(inner, "freeze")
  inner:become("frozen")
  inner.program:kill("stop")
end)

method("thaw", function(inner)
  if inner.state ~= "frozen" then return end
  note(inner, "thaw")
  inner.program:kill("continue")
  inner:become("up")
end)

--- Loads a script there, as `load FILE` at its prompt would: it is gone after a kill.
method("load", function(inner, path)
  if inner.state ~= "up" then return inner:down() end
  local ok, why = inner.net:command(inner, "load", path)
  if not ok then return nil, why, "failed" end
  return true
end)

return node
