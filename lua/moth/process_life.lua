--- What is behind a node of a lab that is a process: its life, its agent (agent.lua), and calls to that.
--
-- What the lab has registered, and the messages it has sent, are the lab's: they outlive the process. Each start has an
-- agent of its own, which registers all that again before the node takes any mail.

local core = require "moth.core"
local json = require "moth.json"
local objects = require "moth.process_objects"
local parcel = require "moth.parcel"
local signal = require "moth.signal"
local task = require "moth.task"

local START_SECONDS = 30  -- until it runs
local ANSWER_SECONDS = 30 -- for what a node does at once
local END_SECONDS = 5     -- until a process is gone that is being ended

---@class process_life
---@field net process_net
---@field name string
---@field id string
---@field address? string     where it listens; nil while it does not run
---@field home string         its folder
---@field scripts string[]    what it runs beside its agent
---@field dials string[]      what it was told to dial
---@field state "down"|"starting"|"up"|"frozen"
---@field program? userdata   its process
---@field is_expected boolean its end is no failure
---@field private conn? table       of its agent
---@field private records table[]   what the lab has registered, in that order
local life = {}
life.__index = life

-- --- calls ---

--- What a call comes to that nobody takes.
function life:down()
  if self.state == "frozen" then return nil, self.name .. " is frozen", "busy" end
  return nil, self.name .. " does not run", "shutdown"
end

-- The callback in whose course this is asked, for the node to know what is an answer to what.
local function callback_of(self)
  local t = task.running()
  local context = t and t.from
  return type(context) == "table" and context.program == self.program and context.id or nil
end

local function await_answer(self, id, is_quick)
  while true do
    local results, late = self.answers:wait(id, is_quick and task.deadline(ANSWER_SECONDS) or nil)
    if not late then return results end
    if self.state == "up" then error(self.name .. " does not answer", 0) end
  end
end

local function forget(place)
  place.self.pending[place.id] = nil
end

local place_class = { __close = forget }

--- Asks the agent: true and what that came to, with an `n`; or nil, why, code when the node does not run.
---@param is_quick boolean  the node does it at once
function life:ask(is_quick, ...)
  if self.state ~= "up" then return self:down() end
  self.last_call = self.last_call + 1
  local id = self.last_call
  local bytes, why = self.channel:pack("call", id, callback_of(self), ...)
  if not bytes then error(why, 0) end
  local _ <close> = setmetatable({ self = self, id = id }, place_class)
  self.pending[id] = true
  self.conn:write(bytes) -- when that fails, its end comes as the answer
  local results = await_answer(self, id, is_quick)
  if not results then return self:down() end
  if results[1] then return results end
  error((tostring(results[2]):gsub("^[^\n]-lab%-agent%.lua:%d+: ", "")), 0)
end

--- The same as a method of the node returns it.
function life:call(is_quick, ...)
  local results, why, code = self:ask(is_quick, ...)
  if not results then return nil, why, code end
  return table.unpack(results, 2, results.n)
end

--- Tells those who wait for it.
function life:become(state)
  self.state = state
  self.changes:raise("state")
end

-- --- what the lab registers ---

local function registered(self, record)
  self.records[#self.records + 1] = record
  return objects.handle(function()
    for i, one in ipairs(self.records) do
      if one == record then table.remove(self.records, i) break end
    end
    if self.state == "up" then self:call(true, "off", record.id) end
  end)
end

--- Registers it now, and after each start; while the node does not run, then. A handle; or nil, why, code.
function life:register(method, ...)
  self.last_record = self.last_record + 1
  local record = { id = self.last_record, method = method, arguments = table.pack(...) }
  while self.state == "starting" do self.changes:wait("state") end
  if self.state == "down" then return registered(self, record) end
  local ok, why, code = self:call(true, "register", record.id, method, ...)
  if not ok then return nil, why, code end
  return registered(self, record)
end

-- --- what the agent sends ---

local takers = {}

function takers.ready(self)
  self:become("up")
end

function takers.result(self, id, ...)
  self.answers:raise(id, table.pack(...))
end

local function send_return(self, context, ok, ...)
  context.is_answered = true
  if self.program ~= context.program then return end
  local bytes, why = self.channel:pack("return", context.id, ok, ...)
  bytes = bytes or self.channel:pack("return", context.id, false, why)
  if self.conn then self.conn:write(bytes) end
end

-- Runs as a task of the lab; what fails there is told to both sides.
function takers.callback(self, id, token, ...)
  local context = { id = id, program = self.program }
  local t = task.new(self.net.trial.script.owner)
  if not t then return send_return(self, context, false, "the lab has too many tasks") end
  t.from = context
  t:on_end(function()
    if context.is_answered then return end
    task.start(self.net.owner, send_return, self, context, false, t.why or "the lab's task was cancelled")
  end)
  task.run(t, function(...) send_return(self, context, true, self.functions[token](...)) end, ...)
end

-- --- the connection of the agent ---

local function stand_in(self, v)
  if type(v) ~= "function" then return nil end
  if not self.tokens[v] then
    self.functions[#self.functions + 1] = v
    self.tokens[v] = #self.functions
  end
  return "function", self.tokens[v]
end

local function revive(self, word, fields)
  if word == "sent" then return objects.sent(self, fields) end
  return objects.received(self, fields)
end

local function send_records(self)
  for _, record in ipairs(self.records) do
    local arguments = record.arguments
    self.channel:write(self.conn, "register", record.id, record.method, table.unpack(arguments, 1, arguments.n))
  end
  self.channel:write(self.conn, "go")
end

-- Nobody will answer any more.
local function lose(self)
  local conn = self.conn
  self.conn, self.address = nil, nil
  if conn then conn:close() end
  local pending = self.pending
  self.pending = {}
  for id in pairs(pending) do self.answers:raise(id, nil) end
  self:become("down")
end

--- Its agent has come: serves it until it goes.
---@param conn table
---@param id string
---@param address string
function life:attach(conn, id, address)
  local program = self.program
  self.conn, self.id, self.address = conn, id, address
  send_records(self)
  while true do
    local values, why = self.channel:read(conn)
    if not values then
      self.why = why
      break
    end
    takers[values[1]](self, table.unpack(values, 2, values.n))
  end
  if self.program ~= program or not program then return end
  task.sleep(END_SECONDS) -- its process most likely ends, too, and says why
  if self.program == program and not self.is_expected then
    self.net:node_failed(self, ("%s runs, but its agent has gone: %s"):format(self.name, self.why))
  end
end

-- --- its life ---

local function arguments_of(self)
  local arguments = { "moth", "run", "--home", self.home, "--name", self.name, "--listen", "127.0.0.1:0",
    "--advertise", "none" }
  for _, address in ipairs(self.dials) do
    arguments[#arguments + 1] = "--connect"
    arguments[#arguments + 1] = address
  end
  for _, path in ipairs(self.scripts) do arguments[#arguments + 1] = path end
  arguments[#arguments + 1] = self.net.agent
  return arguments
end

local function how_it_ended(program)
  local kind, number, name = program:ended()
  if kind == "signal" then return ("it was ended by signal %d (%s)"):format(number, name) end
  return ("it ended with status %d"):format(number)
end

local function on_end(self, program)
  if self.program ~= program then return end
  self.program, self.how = nil, how_it_ended(program)
  lose(self)
  if not self.is_expected then
    self.net:node_failed(self, ("%s ended by itself: %s"):format(self.name, self.how))
  end
end

local function await_change(self, has_come, seconds)
  local at_us, late = task.deadline(seconds), nil
  while not (has_come() or late) do
    late = select(2, self.changes:wait("state", at_us))
  end
end

--- Starts it and waits until it runs. An error says why it does not.
function life:start()
  local net, token = self.net, core.processes.token()
  self.is_expected, self.state, self.how = true, "starting", "it does not get ready"
  net.expected[token] = self
  local program, why = core.processes.spawn { argv = arguments_of(self), log = net:log_path(self),
    env = { "MOTH_LAB_ADDRESS=" .. net.server.address, "MOTH_LAB_TOKEN=" .. token },
    on_end = function(program) on_end(self, program) end }
  if not program then error(("%s cannot be started: %s"):format(self.name, why), 0) end
  self.program = program
  await_change(self, function() return self.state ~= "starting" end, START_SECONDS)
  net.expected[token] = nil
  if self.state ~= "up" then
    error(("%s did not start: %s%s"):format(self.name, self.how, net:last_lines(self)), 0)
  end
  self.is_expected = false
end

--- Ends its process and waits until it is gone.
---@param how "kill"|"terminate"  one that does not obey is killed
function life:stop(how)
  local program = self.program
  if not program then return end
  local function is_gone() return self.program ~= program end
  self.is_expected = true
  program:kill(how)
  await_change(self, is_gone, END_SECONDS)
  if not is_gone() then
    program:kill()
    await_change(self, is_gone, END_SECONDS)
  end
end

--- A node that is not started yet.
---@param net process_net
---@param name string
---@param home string
---@param scripts string[]
---@return process_life
function life.new(net, name, home, scripts)
  local self = setmetatable({ net = net, name = name, home = home, scripts = scripts, state = "down", dials = {},
    records = {}, last_record = 0, functions = {}, tokens = {}, pending = {}, last_call = 0, answers = signal.new(),
    changes = signal.new() }, life)
  self.channel = parcel.new(json, function(v) return stand_in(self, v) end,
    function(word, v) return revive(self, word, v) end)
  return self
end

return life
