--- Lua at the prompt: pieces of it run as tasks of a script that has no file, whose names stay from line to line.

local core = require "moth.core"
local inspect = require "moth.inspect"
local task = require "moth.task"

local prompt = {}
prompt.__index = prompt

---@class prompt
---@field private script script
---@field private scripts scripts
---@field private running? table  the task of the line that runs

---@param hub hub
---@param name string
---@param print fun(text: string)
---@return prompt
function prompt.new(hub, name, print)
  return setmetatable({ scripts = hub.scripts, script = hub.scripts:session(name, print) }, prompt)
end

--- Its names end, and all that it made.
function prompt:close()
  self.scripts:close_session(self.script)
end

---@param source string
---@return function?, string?
function prompt:compile(source)
  return core.load(source, "=prompt", self.script.env)
end

---@param name string
---@return boolean
function prompt:is_defined(name)
  return rawget(self.script.env, name) ~= nil
end

--- What its Lua sees, for completion: nothing may be called.
---@return table
function prompt:globals()
  return self.script.env
end

-- Without the place, which is the line that was just typed; where that ends in a call, Lua names ours instead.
local function plain(why)
  return (why:gsub("^prompt:1: ", ""):gsub("^moth/prompt%.lua:%d+: ", ""))
end

-- What it gave is kept in `_`, for the next line.
local function keep(env, width, ...)
  if select("#", ...) > 0 then env._ = (...) end
  return inspect.show(width, ...), (...)
end

local function shown(chunk, env, width)
  return keep(env, width, chunk())
end

local function quietly() end

--- Runs it and waits: what it gave, as text and as it is (the first value); or nil and why. Call it in a task.
---@param chunk function
---@param width integer  of the screen
---@return string?, any
function prompt:run(chunk, width)
  local t = task.new(self.script.owner)
  local name = self.script.name
  if not t then return nil, ("too many tasks of the %s run; 'kill %s' ends them"):format(name, name) end
  t.report = quietly -- whoever typed it is told here
  self.running = t
  task.run(t, shown, chunk, self.script.env, width)
  local result, value, code = t:join()
  self.running = nil
  if result then return result, value end
  return nil, code == "cancelled" and "cancelled" or plain(value)
end

--- Ends what runs. False: nothing does.
---@return boolean
function prompt:cancel()
  if not self.running then return false end
  self.running:cancel()
  return true
end

return prompt
