--- The network of a lab whose nodes are real: a `moth` process each, TCP on loopback, time that passes by itself.
--
-- The lab file stays the same. A node's methods are calls to a script in its process (process_node.lua, agent.lua);
-- what lies between two nodes is a proxy here (process_ways.lua); a crash is a SIGKILL. What only an imagined world can
-- do fails with a sentence. Everything the processes keep lies in one folder, which goes with the run.

local checks = require "moth.checks"
local config = require "moth.config"
local core = require "moth.core"
local json = require "moth.json"
local node = require "moth.process_node"
local owners = require "moth.owner"
local parcel = require "moth.parcel"
local task = require "moth.task"
local tcp = require "moth.tcp"
local topology = require "moth.topology"
local ways = require "moth.process_ways"

local GREETING_SECONDS = 10
local GREETING_BYTES = 4096
local COMMAND_SECONDS = 10
local LAST_LINES, LAST_BYTES = 10, 8192
local NODES_MAX = 64

local AGENT, PARCEL = "lab-agent.lua", "lab-parcel.lua"

local ONLY_IMAGINED = { "always", "never", "settle", "way", "split", "merge", "routes_are_true", "max_deliveries",
  "measure", "timeline", "dot" }
local OPTIONS = { script = true, config = true, discover = true }
local CONFIG = { ttl = true, retries = true, limits = true, network = true }
local CUT = { silent = true, oneway = true }

---@class process_net
---@field trial lab.run
---@field nodes table[]                  in the order in which they were made
---@field owner task.owner               of what no script does
---@field expected table<string, table>  nodes that are being started, by the tokens of their agents
local net = {}
net.__index = net
net.__metatable = "net"

function net.__tostring(self)
  return "net " .. self.name
end

topology.add(net)
checks.add(net)

-- --- making it ---

local function greet(self, conn)
  local is_over = false
  task.start(self.owner, function()
    task.sleep(GREETING_SECONDS)
    if not is_over then conn:close() end
  end)
  local channel = parcel.new(json, function() end, function() end)
  local values = channel:read(conn, GREETING_BYTES)
  is_over = true
  if not values or values[1] ~= "hello" then return nil end
  local inner = self.expected[values[2]]
  if inner then self.expected[values[2]] = nil end
  return inner, values
end

local function welcome(self, conn)
  local inner, values = greet(self, conn)
  if inner then inner:attach(conn, values[3], values[5]) end
  conn:close()
end

local function check_run(run)
  if run.options.latency then
    error('latency needs the simulated network: leave it or mode = "process" out', 0)
  end
end

local function check(ok, why)
  if not ok then error("the lab cannot be set up: " .. why, 0) end
  return ok
end

---@param run lab.run
---@return process_net
function net.new(run)
  local self = setmetatable({ trial = run, name = run.name, seed = run.seed, nodes = {}, inners = {}, by_name = {},
    expected = {} }, net)
  check_run(run)
  core.on_events(function()
    tcp.turn()
    return false
  end)
  self.owner = owners.new("processes", core.account("processes", true), function(text) run.fail(text) end)
  self.owner.limit = math.huge
  self.ways = ways.new(self.owner)
  self.folder = check(core.processes.folder())
  self.agent = self.folder:path() .. "/" .. AGENT
  check(self.folder:write(AGENT, core.source "moth/agent.lua"))
  check(self.folder:write(PARCEL, core.source "moth/parcel.lua"))
  self.server = check(tcp.for_owner(self.owner).listen("127.0.0.1:0", function(conn) welcome(self, conn) end))
  return self
end

--- Ends all: no process, no connection, no file is left.
function net:finish()
  for _, inner in ipairs(self.inners) do
    inner.is_expected = true
    if inner.program then inner.program:kill() end -- they die side by side
  end
  for _, inner in ipairs(self.inners) do inner:stop "kill" end
  tcp.close_all(self.owner)
  task.cancel_all(self.owner)
  self.folder:remove()
end

-- --- who is meant ---

--- The inside of a node of this lab, given as itself or by its name; nil when it is none.
function net:find(who)
  return node.inner(who) or self.by_name[who]
end

local function must_find(self, who)
  local inner = self:find(who)
  if not inner then error(("there is no node %s in this lab"):format(tostring(who)), 3) end
  return inner
end

--- What a node takes for a peer.
function net:peer_of(who)
  local inner = self:find(who)
  return inner and inner.id or who
end

-- --- nodes ---

local function check_name(self, name)
  if type(name) ~= "string" then error("a node has a name", 3) end
  if self.by_name[name] then error(("there is a node %s already"):format(name), 3) end
  if #name > 32 or not name:find("^[%w_][%w._-]*$") then
    error(("%s is no name: 1 to 32 of A-Z a-z 0-9 . _ -, and no dot or - first"):format(core.safe(name)), 3)
  end
  if #self.nodes >= NODES_MAX then error(("a lab has at most %d processes"):format(NODES_MAX), 3) end
end

local function check_options(options)
  for key in pairs(options) do
    if not OPTIONS[key] then
      error(('%s is no option of a process: there are script and config; others need the simulated network')
        :format(tostring(key)), 3)
    end
  end
  for key in pairs(options.config or {}) do
    if not CONFIG[key] then
      error(("a node's config has no option %s; there are limits, network, retries, ttl"):format(tostring(key)), 3)
    end
  end
  if options.discover then
    error("a process dials only what it is told to, or it would go around what the lab cuts: leave discover out", 3)
  end
end

local function list_of(value)
  if value == nil then return {} end
  if type(value) == "table" then return table.move(value, 1, #value, 1, {}) end
  return { value }
end

--- Starts a node.
---@param name string
---@param options? { script: string|string[]|nil, config: table? }
function net:node(name, options)
  options = options or {}
  check_name(self, name)
  check_options(options)
  local one, inner = node.new(self, name, self.folder:path() .. "/" .. name, list_of(options.script))
  self.by_name[name] = inner
  self.nodes[#self.nodes + 1], self.inners[#self.inners + 1] = one, inner
  check(self.folder:make(name))
  if options.config then check(self.folder:write(name .. "/config.lua", config.text(options.config))) end
  self.trial.note("start " .. name)
  inner:start()
  return one
end

--- The file that the process writes to.
function net:log_path(inner)
  return ("%s/%s.log"):format(self.folder:path(), inner.name)
end

local function tail(self, name)
  local lines, text = {}, self.folder:read_end(name, LAST_BYTES) or ""
  for line in text:gmatch("[^\n]+") do lines[#lines + 1] = core.safe(line) end
  return table.move(lines, math.max(1, #lines - LAST_LINES + 1), #lines, 1, {})
end

--- The last lines that the process wrote, for people.
---@return string
function net:last_lines(inner)
  local lines = tail(self, inner.name .. ".log")
  if #lines == 0 then return "; it wrote nothing" end
  return "; the last that it wrote:\n  " .. table.concat(lines, "\n  ")
end

--- Something happened to a node that nobody wanted: the run fails.
function net:node_failed(inner, text)
  self.trial.fail(text .. self:last_lines(inner))
end

--- Has the node do one command of the shell: true; or nil and what it complained of.
---@return boolean?, string?
function net:command(inner, ...)
  local ended, log = nil, inner.name .. ".command"
  check(self.folder:write(log, ""))
  local program = check(core.processes.spawn { argv = { "moth", "do", "--home", inner.home, ... }, env = {},
    log = self.folder:path() .. "/" .. log, on_end = function(program) ended = program end })
  if not task.wait(function() return ended end, COMMAND_SECONDS) then
    program:kill()
    return nil, inner.name .. " does not answer"
  end
  local kind, number = program:ended()
  if kind == "exit" and number == 0 then return true end
  return nil, (table.concat(tail(self, log), "\n"):gsub("^moth: ", ""))
end

-- --- faults ---

local function state_of(options)
  for key in pairs(options) do
    if not CUT[key] then error(("cut has no option %s; there are silent and oneway"):format(tostring(key)), 3) end
  end
  if options.oneway and options.silent == false then
    error("a cut of one direction is silent: a connection that closes is closed at both ends", 3)
  end
  return (options.oneway or options.silent) and "held" or "closed"
end

local function cut(self, a, b, state, is_oneway)
  if a == b then return end
  self.ways:set(a, b, state)
  if not is_oneway then self.ways:set(b, a, state) end
end

--- Cuts the way between two nodes: both ends see their connections close and cannot dial. {silent = true}: nothing
--- arrives any more, and nobody is told. {oneway = true}: silently, and only what goes from a to b.
function net:cut(a, b, options)
  options = options or {}
  local from, to, state = must_find(self, a), must_find(self, b), state_of(options)
  local kind = options.oneway and ", oneway" or state == "held" and ", silent" or ""
  self.trial.note(("cut %s %s%s"):format(from.name, to.name, kind))
  cut(self, from, to, state, options.oneway)
end

--- Undoes every cut between two nodes.
function net:join(a, b)
  local from, to = must_find(self, a), must_find(self, b)
  self.trial.note(("join %s %s"):format(from.name, to.name))
  cut(self, from, to, "open")
end

local function each(self, list)
  if node.inner(list) or type(list) == "string" then list = { list } end
  local inners, names = {}, {}
  for i = 1, #list do
    inners[i] = must_find(self, list[i])
    names[i] = inners[i].name
  end
  return inners, table.concat(names, " ")
end

local function part(self, one, other, state, is_oneway)
  for _, a in ipairs(one) do
    for _, b in ipairs(other) do cut(self, a, b, state, is_oneway) end
  end
end

--- Cuts all ways between the groups; who is in none keeps its ways. Options, last and optional, as of cut.
function net:partition(...)
  local groups, texts, state, is_oneway = { ... }, {}, "closed", false
  local last = groups[#groups]
  if type(last) == "table" and getmetatable(last) == nil and (last.silent ~= nil or last.oneway ~= nil) then
    state, is_oneway, groups[#groups] = state_of(last), last.oneway, nil
  end
  if #groups < 2 then error("partition takes two groups of nodes or more: {a, b}, {c, d}", 2) end
  for i, group in ipairs(groups) do groups[i], texts[i] = each(self, group) end
  self.trial.note("partition: " .. table.concat(texts, " | "))
  for i, group in ipairs(groups) do
    for j = i + 1, #groups do part(self, group, groups[j], state, is_oneway) end
  end
end

--- Undoes all cuts and partitions.
function net:heal()
  self.trial.note("heal")
  self.ways:open_all()
end

-- --- time ---

--- Lets so much time pass. (waits)
function net:run(span)
  task.sleep(span)
end

--- Calls fn() so much time from now.
function net:at(span, fn)
  local at_us = task.deadline(span)
  local t = task.new(self.trial.script.owner, task.site(2))
  task.run_at(t, at_us, fn)
end

for _, name in ipairs(ONLY_IMAGINED) do
  net[name] = function()
    error(('net:%s needs the simulated network: leave mode = "process" out'):format(name), 2)
  end
end

return net
