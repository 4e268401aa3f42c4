--- A node of a simulated network: all methods of `node`, called from outside of it, and what may happen to a machine.
--
-- What the lab file registers at a node, and the messages it sent there, outlive a kill; scripts that the node runs do
-- not: those of its options are loaded again when it starts again. Its Lua, a hub with a session for the lab file, is
-- made when it is first needed: most of a thousand nodes never do.

local core = require "moth.core"
local given = require "moth.given"
local hub = require "moth.hub"
local report = require "moth.report"
local sent = require "moth.sent"
local task = require "moth.task"
local tcp = require "moth.tcp"
local way = require "moth.way"

local world = core.lab

local OPTIONS = { script = true, config = true, latency = true, discover = true, clock = true, read_rate = true }
local CONFIG = { ttl = true, retries = true, limits = true, network = true }

-- What there is once it is needed.
local FIELDS = { id = true, raw = true, hub = true, session = true, api = true, was_made = true }

local lab_node = {}

---@class lab_node
---@field net net
---@field machine integer
---@field name string
---@field id string        32 hex digits
---@field address string
---@field is_running boolean
local class = {}
local methods = {}

---@return boolean
function lab_node.is(value)
  return type(value) == "table" and rawget(value, "is_lab_node") == true
end

-- --- options ---

local function limits_of(config)
  local known = {}
  for name in pairs(world.limits()) do known[name] = true end
  local limits = given.options(config.limits, known, "the table of limits")
  for name, value in pairs(limits) do given.whole(value, "the limit " .. name, 1) end
  return limits
end

local function config_of(options)
  local config = given.options(options.config, CONFIG, "a node's config")
  local ttl = config.ttl and given.span(config.ttl, "ttl")
  local retries = config.retries and given.whole(config.retries, "retries", 0, 1000000)
  local network = config.network and given.a("string", config.network, "network")
  return { ttl = ttl and math.ceil(ttl), retries = retries, limits = limits_of(config), network = network,
    only_wanted = not given.switch(options.discover, "discover") }
end

local function scripts_of(options)
  local list = options.script or {}
  list = type(list) == "table" and list or { list }
  for _, path in ipairs(list) do given.a("string", path, "the file of a script") end
  return list
end

---@param net net
---@param machine integer
---@param name string
---@param options table
---@return lab_node
function lab_node.new(net, machine, name, options)
  given.a("string", name, "the name of a node")
  if net.by_name[name] then given.refuse(("there is a node %s already"):format(name)) end
  if machine >= world.machines_max then given.refuse(("a network has at most %d nodes"):format(world.machines_max)) end
  given.options(options, OPTIONS, "a node")
  scripts_of(options)
  if options.read_rate then given.whole(options.read_rate, "read_rate, bytes a second,", 1) end
  if options.clock then given.span(options.clock, "the clock's offset", true) end
  if options.latency ~= nil then way.check(options.latency) end
  return setmetatable({ is_lab_node = true, net = net, machine = machine, name = name, options = options,
    config = config_of(options), address = world.address(machine), dials = {}, is_running = false,
    is_frozen = false, life = 0 },
    class)
end

-- --- its Lua ---

-- A bot that was stopped for the time or memory it took would be stopped elsewhere at another place: no run with one
-- repeats. What the lab file itself registered here may not fail at all.
local function on_fail(self)
  return function(script, traceback, word)
    local run = self.net.trial
    if not script.is_session and word ~= "cpu" and word ~= "memory" then return false end
    local what = script.is_session and "" or ("%s on %s was stopped: "):format(script.name, self.name)
    run.fail(what .. report.clean(traceback))
    return true
  end
end

local function print_at(self)
  return function(text) self.net.trial.print(("%s: %s"):format(self.name, text)) end
end

local function open(self)
  local raw = world.node(self.machine)
  self.raw = raw
  local machine = { number = self.machine, parts = world.parts(self.machine), tcp = world.tcp(self.machine),
    on_clock = world.on_clock }
  tcp.add_network(machine.tcp)
  self.hub = hub.new(raw, print_at(self), machine)
  self.hub.scripts.on_fail = on_fail(self)
  self.session = self.hub.scripts:session("lab", print_at(self))
  self.session.owner.limit = math.huge
  self.api = self.session.env.node
  self.net:add_raw(self.machine, raw)
  if self.is_frozen then task.freeze(raw) end
  return self.api
end

-- --- the methods of `node` ---

-- Which of its arguments are peers.
local PEERS = { send = 1, emit = 1, request = 1, disconnect = 1, peer = 1, path = 1, queue = 1, history = 1, alias = 2,
  block = 1, unblock = 1, resolve = 1 }

-- What moves mail before any event tells of it.
local SENDS = { send = true, emit = true, request = true }

-- What is registered waits for a node that does not run.
local REGISTERS = { on = true, hear = true, command = true, serve = true, hook = true, job = true }

local function peer_of(self, who)
  local node = lab_node.is(who) and who or self.net.by_name[who]
  return node and node.id or who
end

-- What is wrong with arguments is so in the lab file, not in ours.
local function pass_on(ok, ...)
  if ok then return ... end
  given.refuse((tostring((...)):gsub("^moth/[%w_/.]+:%d+: ", "")))
end

local function method(name)
  return function(self, ...)
    local api = self.api or self.id and open(self)
    if not self.is_running and not (api and REGISTERS[name]) then
      return nil, ("%s does not run"):format(self.name), "shutdown"
    end
    if SENDS[name] then world.changed() end
    local place = PEERS[name]
    if not place then return pass_on(pcall(api[name], api, ...)) end
    local arguments = table.pack(...)
    arguments[place] = peer_of(self, arguments[place])
    return pass_on(pcall(api[name], api, table.unpack(arguments, 1, arguments.n)))
  end
end

for _, name in ipairs { "send", "emit", "request", "serve", "hear", "command", "on", "hook", "peers", "links", "routes",
  "peer", "path", "queue", "history", "message", "cancel", "kv", "job", "schedule", "unschedule", "disconnect",
  "resolve", "status", "limits", "edges", "wanted", "alias", "block", "unblock" } do
  methods[name] = method(name)
end

local connect = method "connect"

--- Connects to a node of the network, or to an address, and waits until that is linked. It is dialled again after a
--- restart. (waits)
function methods:connect(who)
  local other = lab_node.is(who) and who or self.net.by_name[who]
  if other == self then given.refuse(self.name .. " cannot connect to itself") end
  if not other then return connect(self, who) end
  self.dials[#self.dials + 1] = other
  return connect(self, other.address)
end

--- The same without waiting: it is tried until it succeeds.
function methods:dial(who)
  local other = self.net:find(who)
  if other == self then given.refuse(self.name .. " cannot connect to itself") end
  self.dials[#self.dials + 1] = other
  world.dial(self.machine, other.machine)
end

-- --- what happens to the machine ---

local function redial(self)
  for _, other in ipairs(self.dials) do world.dial(self.machine, other.machine) end
end

local function load_scripts(self, life)
  for _, path in ipairs(scripts_of(self.options)) do
    local s, why = self.hub.scripts:load(path)
    if self.life ~= life or not self.is_running then return end -- it was killed meanwhile
    if not s then self.net.trial.fail(("%s cannot load %s: %s"):format(self.name, path, why)) end
  end
  self.raw:pause_mail(false)
end

-- Nothing of an earlier run is given to anybody before the scripts run.
local function wake_up(self)
  if self.hub then
    self.hub:refresh_hooks()
    sent.all_changed(self.id)
  end
  if not scripts_of(self.options)[1] then
    if self.raw then self.raw:pause_mail(false) end
    return
  end
  if not self.hub then open(self) end
  local t = task.new(self.session.owner, "the scripts of " .. self.name)
  task.run(t, load_scripts, self, self.life)
end

--- Starts it, or starts it again after a kill: what it had on its disk is there.
function methods:start()
  if self.is_running then given.refuse(self.name .. " runs already") end
  self.config.paused = self.hub ~= nil or scripts_of(self.options)[1] ~= nil
  local ok, why = world.start(self.machine, self.name, self.config)
  if not ok then given.refuse(("%s cannot start: %s"):format(self.name, why)) end
  self.is_running, self.id, self.life = true, world.id(self.machine), self.life + 1
  if not self.was_made then
    self.was_made = true
    if self.options.clock then self:clock(self.options.clock) end
    if self.options.read_rate then world.read_rate(self.machine, self.options.read_rate) end
  end
  wake_up(self)
  redial(self)
end

-- Its scripts go on; those of a process that is gone have ended.
local function melt(self)
  self.is_frozen = false
  if self.raw then task.thaw(self.raw) end
end

-- Events that nobody has taken yet are gone with the process.
local function forget(self)
  if not self.hub then return end
  while self.raw:next_event() do end
  tcp.close_all(self.session.owner)
  self.hub.scripts:lose()
end

local function stop(self, in_good_order)
  if not self.is_running then given.refuse(self.name .. " does not run") end
  world.kill(self.machine, in_good_order) -- first: what its scripts leave unfinished is not marked as handled
  self.net.trial.note((in_good_order and "stop " or "kill ") .. self.name)
  self.is_running = false
  forget(self)
  melt(self)
end

--- As a power cut: memory is gone, and of what was not yet synced to the disk whatever chance leaves.
function methods:kill()
  stop(self, false)
end

--- Ends it in good order, saying goodbye; its scripts hear of it before, as at the end of a program. (waits)
function methods:stop()
  local life = self.life
  if self.is_running and not self.is_frozen and self.hub and self.hub:stop() then task.turn() end
  if self.life == life then stop(self, true) end
end

--- Starts it again; one that runs is killed first.
function methods:restart()
  if self.is_running then self:kill() end
  self.net.trial.note("restart " .. self.name)
  self:start()
end

--- It takes in nothing and does nothing until thaw, and does not know of it afterwards.
function methods:freeze()
  if not self.is_running then given.refuse(self.name .. " does not run") end
  self.net.trial.note("freeze " .. self.name)
  world.freeze(self.machine, true)
  self.is_frozen = true
  if self.raw then task.freeze(self.raw) end
end

function methods:thaw()
  self.net.trial.note("thaw " .. self.name)
  world.freeze(self.machine, false)
  melt(self)
end

--- Loads a script there, as `load FILE` at its prompt would: it is gone after a kill. (waits)
---@param path string
---@return boolean?, string? why, string? code
function methods:load(path)
  given.a("string", path, "the file of a script")
  if not self.is_running then return nil, ("%s does not run"):format(self.name), "shutdown" end
  if not self.hub then open(self) end
  local s, why, code = self.hub.scripts:load(path)
  if not s then return nil, why, code end
  return true
end

--- Its clock is off by so much, forward or, with a negative number of seconds, back.
function methods:clock(offset)
  local seconds = given.span(offset, "the clock's offset", true)
  self.net.trial.note(("clock %s %+g s"):format(self.name, seconds))
  world.clock(self.machine, seconds)
end

local DISK = { room = true, slow = true, fails = true }

--- What its disk is like from now on: {room = bytes left, slow = DUR for each commit, fails = boolean}; what is left
--- out is well.
function methods:disk(options)
  options = given.options(options, DISK, "a disk")
  if options.room then given.whole(options.room, "the room of a disk, bytes,", 0) end
  given.switch(options.fails, "fails")
  local slow = options.slow and given.span(options.slow, "the time of each commit")
  self.net.trial.note("disk of " .. self.name .. ": " ..
    (next(options) and ("room %s, slow %s, fails %s"):format(options.room or "-", slow or "-", options.fails or "-") or
    "well"))
  world.disk(self.machine, { room = options.room, slow = slow, fails = options.fails })
end

--- Takes in at most so many bytes a second; nil: all.
function methods:read_rate(rate)
  world.read_rate(self.machine, rate and given.whole(rate, "a reader's rate, bytes a second,", 1) or 0)
end

--- Of the adverts that it should pass on, so many of a thousand are not.
function methods:lose(per_mille)
  world.lose(self.machine, given.whole(per_mille, "what is lost, of a thousand,", 0, 1000))
end

-- Each is called with a colon.
for name, fn in pairs(methods) do
  methods[name] = function(self, ...)
    if not lab_node.is(self) then given.refuse(("%s is called with a colon: node:%s()"):format(name, name)) end
    return fn(self, ...)
  end
end

-- --- the class ---

class.__metatable = "node"

function class.__index(_, key)
  local found = methods[key]
  if found ~= nil or FIELDS[key] then return found end
  given.refuse("a node has no field " .. given.missing(key, methods))
end

function class.__tostring(self)
  return "node " .. self.name
end

return lab_node
