--- Where a node's events go: to the shell, to those who wait for them, to the scripts. The program has one node; a lab
-- has many, each with a hub of its own.
--
-- Events wait in C until the loop is at its own level; then they are taken one by one, so that no handler ever runs in
-- the midst of something else. After a while the rest waits for the next turn, for the node has others to serve.

local api = require "moth.api"
local bot = require "moth.bot"
local core = require "moth.core"
local events = require "moth.events"
local jobs = require "moth.jobs"
local owners = require "moth.owner"
local scripts = require "moth.script"
local sent = require "moth.sent"
local service = require "moth.service"
local signal = require "moth.signal"
local task = require "moth.task"
local tcp = require "moth.tcp"

local SLICE_US = 50000
local HOOKS_US, SECOND_US = 250000, 1000000

local hub = {}
hub.__index = hub

---@class hub
---@field raw table          the node as C gives it
---@field bus events.bus     for moth's own handlers
---@field scripts scripts
---@field running script[]   in load order

-- --- to scripts ---

-- What one script does to an event is nobody else's business.
local function copy(e)
  if type(e) ~= "table" then return e end
  if getmetatable(e) then return bot.copy(e) end
  local other = {}
  for k, v in pairs(e) do other[k] = v end
  return other
end

local function tell_one(self, name, e, entry)
  local t = task.new(entry.owner, entry.site)
  if not t then return self.raw:count_discard("busy") end
  t.event = name
  task.run(t, entry.fn, copy(e))
end

local function tell_scripts(self, name, e)
  local heard = 0
  for _, script in ipairs(self.running) do
    for _, entry in ipairs(script.events[name] or {}) do
      if not entry.is_off and script.state == "running" then tell_one(self, name, e, entry) end
      heard = heard + 1
    end
  end
  return heard
end

-- A hook is asked in the midst of the node's work, where nothing of a script may be started, and nothing be ended.
local function fail_later(script, traceback, word)
  if word == "cpu" then script.is_mute = true end
  task.later(function()
    script:fail(traceback, word)
    if word == "cpu" then script.scripts:park(script, "its hooks ran for too long") end
  end)
end

-- All hooks together may use a part of each second.
local function has_hook_time(self, now_us)
  if now_us - self.hooks_since_us >= SECOND_US then self.hooks_since_us, self.hooks_us = now_us, 0 end
  return self.hooks_us < HOOKS_US
end

local function ask_one(self, script, fn, e)
  local began_us = core.now()
  if not has_hook_time(self, began_us) then
    fail_later(script, "the hooks use too much of the node's time", "cpu")
    return false
  end
  local ok, verdict, word = script:ask(fn, e)
  self.hooks_us = self.hooks_us + core.now() - began_us
  if not ok then fail_later(script, verdict, word) end
  return ok, verdict
end

local function is_vetoed(self, kind, e)
  for _, script in ipairs(self.running) do
    for _, entry in ipairs(script.hooks[kind] or {}) do
      if script.is_mute then break end
      local ok, verdict = ask_one(self, script, entry.fn, copy(e))
      if ok and verdict == false or not ok and kind == "accept" then return true end
    end
  end
  return false
end

-- In a lab they go by the clock of their machine.
local function ask_all(self, kind, e)
  local machine = self.machine
  local before = machine and machine.on_clock(machine.number)
  local verdict = is_vetoed(self, kind, e)
  if machine then machine.on_clock(before) end
  return verdict
end

--- Asks the node to ask for just those hooks that somebody has.
function hub:refresh_hooks()
  for _, kind in ipairs { "accept", "forward", "deliver" } do
    local is_wanted = false
    for _, script in ipairs(self.running) do is_wanted = is_wanted or script.hooks[kind] ~= nil end
    self.raw:set_hook(kind, is_wanted and function(e)
      if kind == "deliver" then bot.open(e, self.id) end
      return not ask_all(self, kind, e)
    end or nil)
  end
end

-- --- from the node ---

local function tell(self, name, e)
  self.bus:raise(name, e)
  tell_scripts(self, name, e)
end

local function tell_link(self, name, e)
  self.links:raise("change")
  if name ~= "dial" then return tell(self, name, e) end
  self.bus:raise(name, e)
end

local takers = {
  message = function(self, _, e) self.bot:take(e) end,
  request = function(self, _, e) self.service:take(e) end,
  reply = function(self, _, e) self.service:take_reply(e) end,
  note = function(self, name, e) self.bus:raise(name, e) end,
  state = function(self, name, e)
    sent.changed(self.id, e)
    tell(self, name, e)
  end,
  dial = tell_link,
  ["link:up"] = tell_link,
  ["link:down"] = tell_link,
}

local function take_one(self, name, e)
  local taker = takers[name] or tell
  local ok, traceback = xpcall(taker, core.traceback, self, name, e)
  if not ok then core.log("error", traceback) end
end

local hubs = setmetatable({}, { __mode = "k" }) -- by their nodes

-- False: there was no time for all of them.
local function take_from(raw, stop_us)
  local self, next_event = hubs[raw], raw.next_event
  repeat
    local name, e = next_event(raw)
    if not name then return true end
    take_one(self, name, e)
  until core.now() >= stop_us
  return false
end

-- True when that took so long that the rest of the turn belongs to the nodes.
local function take_events()
  local stop_us = core.now() + SLICE_US
  tcp.turn()
  for raw in core.waiting do
    if not take_from(raw, stop_us) then return true end
  end
  return false
end

-- --- limits ---

local function limit(name, value, unit, behaviour)
  return { name = name, value = value, unit = unit, behaviour = behaviour }
end

-- Those of scripts, in the form of the node's own, which `status` shows.
local function script_limits()
  local _, memory = core.memory()
  return {
    limit("script_cpu", core.cpu_ms(), "ms at a stretch", "the task is stopped; three times a minute parks the script"),
    limit("script_memory", memory, "bytes of all",
      "whoever allocates gets an error; who goes on is stopped and parked"),
    limit("script_tasks", owners.TASKS_MAX, "tasks a script", "durable mail for it waits, the rest is dropped: busy"),
    limit("script_backlog", bot.BACKLOG_MAX, "messages a script", "no more durable mail is taken from the disk"),
    limit("script_handlers", api.ENTRIES_MAX, "handlers a script", "more are refused with an error"),
    limit("script_hooks", HOOKS_US // 1000, "ms a second, of all", "the script whose turn it is is parked"),
  }
end

-- What all nodes have beside what C gives them.
local function add_methods(raw)
  local methods, of_node = raw:methods(), raw.limits
  function methods.on(node, name, fn) return hubs[node].bus:on(name, fn) end
  function methods.limits(node)
    local list, own = of_node(node), script_limits()
    return table.move(own, 1, #own, #list + 1, list)
  end
end

local is_open = false

-- What is done once, with the first node.
local function open(raw)
  is_open = true
  add_methods(raw)
  task.on_segment(raw.begin, raw.commit, raw.discard)
  core.on_events(take_events)
end

-- --- making it ---

local function on_change(self, running)
  self.running, self.bot.scripts, self.service.scripts = running, running, running
  self:refresh_hooks()
end

local function on_gone(self, script)
  self.jobs:off_owner(script.owner)
  tcp.close_all(script.owner)
  self.bot:forget(script)
end

---@param raw table
---@param print fun(text: string)  what scripts print
---@param machine? { number: integer, parts: table, tcp: table, on_clock: fun(machine: integer?): integer? }  of a lab
---@return hub
function hub.new(raw, print, machine)
  local self = setmetatable({ raw = raw, id = raw.id, bus = events.new(), links = signal.new(), running = {},
    hooks_us = 0, hooks_since_us = core.now() }, hub)
  if not is_open then open(raw) end
  hubs[raw], bot.hubs[raw.id] = self, self
  self.machine, self.parts = machine, machine and machine.parts
  self.service = service.new(raw)
  self.jobs = jobs.new(raw, task)
  self.bot = bot.new(raw, function(msg) self.bus:raise("message", msg) end,
    function(script, why) self.scripts:park(script, why) end)
  self.scripts = scripts.new {
    node = raw,
    tcp = machine and machine.tcp,
    build = function(script) return api.build(self, script) end,
    print = print,
    on_task_end = function(t)
      self.bot:ended(t)
      self.service:ended(t)
    end,
    on_change = function(running) on_change(self, running) end,
    on_gone = function(script) on_gone(self, script) end,
    tell = function(e) tell_scripts(self, "error", e) end,
  }
  sent.open(raw)
  return self
end

--- The node is about to leave: scripts may do a last thing. False: none wants to.
---@return boolean
function hub:stop()
  return tell_scripts(self, "stop", {}) > 0
end

return hub
