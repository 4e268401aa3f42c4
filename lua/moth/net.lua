--- A simulated network, as a lab file sees it: real nodes on an imaginary wire, in virtual time.
--
-- All that happens to the network by the will of the file goes through here, and leaves a line in the timeline.

local checks = require "moth.checks"
local core = require "moth.core"
local given = require "moth.given"
local lab_node = require "moth.lab_node"
local measure = require "moth.measure"
local task = require "moth.task"
local topology = require "moth.topology"
local way = require "moth.way"

local world = core.lab

local QUIET_SECONDS = 2   -- nothing changed for so long: the network has settled
local SETTLE_SECONDS = 60 -- unless said otherwise
local DIAL_SECONDS = 0.1  -- between two looks at links that are to come
local LINES, LINES_MAX = 50, 1000 -- of the timeline

---@class net
---@field trial lab.run
---@field nodes lab_node[]   in the order they were made
---@field name string
---@field seed integer
local net = {}
net.__metatable = "net"

function net.__tostring(self)
  return "net " .. self.name
end

topology.add(net)
checks.add(net)

-- Where there are many nodes, the clock on the wall is that of the node whose script runs.
local function follow_clocks(self, raw)
  local wall, begin, commit, discard = core.wall, raw.begin, raw.commit, raw.discard
  local function after(fn)
    return function(node)
      world.on_clock(nil)
      fn(node)
    end
  end
  task.on_segment(function(node)
    world.on_clock(self.machines[node])
    begin(node)
  end, after(commit), after(discard))
  function core.wall(node)
    local machine = self.machines[node or false]
    return machine and world.wall(machine) or wall()
  end
end

---@param run lab.run
---@return net
function net.new(run)
  local self = setmetatable({ trial = run, name = run.name, seed = run.seed, nodes = {}, by_name = {}, by_id = {},
    machines = {}, cuts = {} }, net)
  self.notes = run.note
  checks.open(self)
  if run.options.latency then way.set_default(run.options.latency) end
  return self
end

--- A node of the network has Lua of its own for the first time.
function net:add_raw(machine, raw)
  self.machines[raw] = machine
  if not self.has_clocks then
    self.has_clocks = true
    task.later(function() follow_clocks(self, raw) end)
  end
end

-- --- nodes ---

-- The latency of a node is that of its ways to all others, where theirs is not said or the node came later.
local function set_ways(self, node)
  for _, other in ipairs(self.nodes) do
    local latency = node.options.latency or other.options.latency
    if latency then way.set(node.machine, other.machine, latency) end
  end
end

--- A node of that name, started. Options: script, config, latency, discover, clock, read_rate.
---@param name string
---@param options? table
---@return lab_node
function net:node(name, options)
  local node = lab_node.new(self, #self.nodes, name, options or {})
  set_ways(self, node)
  self.nodes[#self.nodes + 1], self.by_name[name] = node, node
  node:start()
  return node
end

--- The lab node that a node or a name stands for.
---@param who lab_node|string
---@return lab_node
function net:find(who)
  local node = lab_node.is(who) and who or self.by_name[who]
  if node then return node end
  given.refuse(("there is no node %s in this network"):format(tostring(who)))
end

-- The nodes of a group, of which none is in another one.
local function each(self, list, taken)
  if lab_node.is(list) or type(list) == "string" then list = { list } end
  given.a("table", list, "a group of nodes")
  local nodes = {}
  for i, who in ipairs(list) do
    local node = self:find(who)
    if taken[node.name] then given.refuse(node.name .. " is in two groups, or twice in one") end
    nodes[i], taken[node.name] = node, true
  end
  return nodes
end

-- --- faults ---

-- Two nodes with a way between them.
local function pair(self, a, b)
  a, b = self:find(a), self:find(b)
  if a == b then given.refuse(("there is no way from %s to itself"):format(a.name)) end
  return a, b
end

local CUT = { silent = true, oneway = true }

local function cut_kind(options)
  options = given.options(options, CUT, "a cut")
  if given.switch(options.oneway, "oneway") and given.switch(options.silent, "silent") == false then
    given.refuse("a cut of one direction is silent: a connection that closes is closed at both ends")
  end
  return options.oneway and "oneway" or options.silent and "silent" or "open"
end

local function cut(self, a, b, kind)
  if a == b then return end
  world.cut(a.machine, b.machine, kind)
  self.cuts[a.machine * world.machines_max + b.machine] = true
end

--- Cuts the way between two nodes: both ends see their connections close and cannot dial. {silent = true}: nothing
--- arrives any more, and nobody is told. {oneway = true}: silently, and only what goes from a to b.
function net:cut(a, b, options)
  local kind = cut_kind(options)
  a, b = pair(self, a, b)
  self.notes(("cut %s %s%s"):format(a.name, b.name, kind == "open" and "" or ", " .. kind))
  cut(self, a, b, kind)
  world.disturbed()
end

--- Undoes every cut between two nodes.
function net:join(a, b)
  a, b = pair(self, a, b)
  self.notes(("join %s %s"):format(a.name, b.name))
  world.join(a.machine, b.machine)
  world.disturbed()
end

local function names_of(nodes)
  local names = {}
  for i, node in ipairs(nodes) do names[i] = node.name end
  if #names > 6 then return ("%s ... %s (%d)"):format(names[1], names[#names], #names) end
  return table.concat(names, " ")
end

local function part(self, one, other, kind)
  for _, a in ipairs(one) do
    for _, b in ipairs(other) do cut(self, a, b, kind) end
  end
end

--- Cuts all ways between the groups; who is in none keeps its ways. Options, last and optional, as of cut.
function net:partition(...)
  local groups, texts, taken = table.pack(...), {}, {}
  local last, kind = groups[groups.n], "open"
  if type(last) == "table" and getmetatable(last) == nil and (last.silent ~= nil or last.oneway ~= nil) then
    kind, groups[groups.n], groups.n = cut_kind(last), nil, groups.n - 1
  end
  if groups.n < 2 then given.refuse("partition takes two groups of nodes or more: {a, b}, {c, d}") end
  for i = 1, groups.n do
    groups[i] = each(self, groups[i], taken)
    texts[i] = names_of(groups[i])
  end
  self.notes("partition: " .. table.concat(texts, " | "))
  for i = 1, groups.n do
    for j = i + 1, groups.n do part(self, groups[i], groups[j], kind) end
  end
  world.disturbed()
end

--- Undoes all cuts and partitions.
function net:heal()
  self.notes("heal")
  for place in pairs(self.cuts) do world.join(place // world.machines_max, place % world.machines_max) end
  self.cuts = {}
  world.disturbed()
end

--- What the way from a to b is like, in both directions unless {oneway = true}: {latency =, spread =, kind =, jitter =,
--- rate =}, see way.lua.
function net:way(a, b, options)
  a, b = pair(self, a, b)
  if options == nil then given.refuse("what is the way to be like? {latency = DUR, ...}") end
  way.set(a.machine, b.machine, options)
end

--- Bytes arrive in random pieces of at most so many; nil: as they were sent.
---@param most? integer
function net:split(most)
  world.split(most and given.whole(most, "the size of pieces", 1) or 0)
end

--- What has arrived by the same time comes in one piece, as TCP would have it.
---@param on boolean
function net:merge(on)
  world.merge(given.switch(on, "merge"))
end

-- --- time ---

--- Lets so much time pass. (waits)
function net:run(span)
  task.sleep(given.span(span, "the time to run"))
end

--- Calls fn() so much time from now.
function net:at(span, fn)
  local at_us = task.deadline(given.span(span, "the time from now"))
  given.a("function", fn, "what is to be called then")
  local t = task.new(self.trial.script.owner, task.site(2))
  task.run_at(t, at_us, fn)
end

local function give_up_settling()
  local what = world.is_dialling() and "a node still waits before it dials another one again" or
    "links, routes or mail go on changing"
  given.refuse(("the network has not settled: %s; net:settle(DUR) waits longer"):format(what))
end

--- Waits until links, routes and mail have not changed for two seconds, and no link is still to come: one that a node
--- keeps dialling, to another one that runs and can be reached. How long it took until all was as it is. Fails when
--- that is not so within the time, 60 s unless said. (waits)
---@param span? number|string
---@return number seconds
function net:settle(span)
  local begun, stop_us = world.now(), task.deadline(given.span(span or SETTLE_SECONDS, "the time to settle"))
  while true do
    local changed = world.figures().changed
    local left = changed + QUIET_SECONDS - world.now()
    if left <= 0 and not world.is_dialling() then return math.max(0, changed - begun) end
    if left <= 0 then left = DIAL_SECONDS end
    if core.now() + left * 1000000 > stop_us then give_up_settling() end
    task.sleep(left)
  end
end

-- --- what is seen ---

--- True when each node's routes are the shortest ways there are; else false and a sentence.
---@return boolean, string?
function net:routes_are_true()
  local ok, who, whom = world.routes_are_true()
  if ok then return true end
  local one, other = self.nodes[who + 1], self.nodes[whom + 1]
  return false, ("the route from %s to %s is not the shortest way"):format(one.name, other.name)
end

--- How often one durable message was given to its recipient, at most.
---@return integer
function net:max_deliveries()
  return world.figures().most_deliveries
end

---@return table  see measure.lua
function net:measure()
  return measure.take(self)
end

--- The newest lines of what happened, of all nodes or one.
---@param most? integer
---@param who? lab_node|string
---@return string
function net:timeline(most, who)
  most = given.whole(most or LINES, "the number of lines", 0, LINES_MAX)
  return world.lines(who and self:find(who).machine, most)
end

--- The network as it is, for graphviz.
---@return string
function net:dot()
  return measure.dot(self)
end

--- The end of the run.
function net:finish()
  self:check()
end

-- Each is called with a colon.
for name, fn in pairs(net) do
  if type(fn) == "function" and name ~= "new" and not name:find "^__" then
    net[name] = function(self, ...)
      if getmetatable(self) ~= "net" then given.refuse(("%s is called with a colon: net:%s()"):format(name, name)) end
      return fn(self, ...)
    end
  end
end

local methods = {}
for name, fn in pairs(net) do
  if type(name) == "string" and not name:find "^__" then methods[name] = fn end
end

-- What a network may lack.
local MAY_LACK = { has_clocks = true, rules = true }

function net.__index(_, key)
  local found = methods[key]
  if found == nil and not MAY_LACK[key] then given.refuse("a network has no field " .. given.missing(key, methods)) end
  return found
end

return net
