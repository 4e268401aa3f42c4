--- Lua at the prompt: `=EXPR` as a task of a script that has no file, whose names stay from line to line.

local core = require "moth.core"
local inspect = require "moth.inspect"
local task = require "moth.task"

local prompt = {}
prompt.__index = prompt

---@class prompt
---@field private script script
---@field private running? table  the task of the line that runs

---@param hub hub
---@return prompt
function prompt.new(hub)
  return setmetatable({ script = hub.scripts:session("prompt") }, prompt)
end

-- An expression, or a statement.
local function compile(text, env)
  local chunk = core.load("return " .. text, "=prompt", env)
  if chunk then return chunk end
  return core.load(text, "=prompt", env)
end

-- Without the place, which is the line that was just typed; where that ends in a call, Lua names ours instead.
local function plain(why)
  return (why:gsub("^prompt:1: ", ""):gsub("^moth/prompt%.lua:%d+: ", ""))
end

local function shown(chunk)
  return inspect.values(chunk())
end

local function quietly() end

--- Runs it and waits: what it gave, as text; or nil and why. Call it in a task.
---@param text string
---@return string?, string?
function prompt:run(text)
  local chunk, why = compile(text, self.script.env)
  if not chunk then return nil, plain(why) end
  local t = task.new(self.script.owner)
  if not t then return nil, "too many tasks of the prompt run; 'kill prompt' ends them" end
  t.report = quietly -- whoever typed it is told here
  self.running = t
  task.run(t, shown, chunk)
  local result, reason, code = t:join()
  self.running = nil
  if result then return result end
  return nil, code == "cancelled" and "cancelled" or plain(reason)
end

--- Ends what runs. False: nothing does.
---@return boolean
function prompt:cancel()
  if not self.running then return false end
  self.running:cancel()
  return true
end

return prompt
