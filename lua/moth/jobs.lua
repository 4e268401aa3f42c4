--- Jobs: what is to be done at a time, even if the node was restarted meanwhile.
--
-- The node keeps them on the disk; the list here only says when to look. It is read anew every 30 seconds, so that
-- neither a clock that was set nor a write that was undone after an error leaves it wrong for long, and a job is asked
-- for once more before it runs. It runs as a task of the script that handles its name, and is dropped in the commit of
-- that task's last writes: a process that is killed in the middle runs it again. One without a handler waits for one.

local core = require "moth.core"
local json = require "moth.json"
local timers = require "moth.timers"

local LOOK_US = 30000000   -- the list is read anew this often
local AGAIN_US = 1000000   -- until the next try, when the script has too many tasks or the disk cannot be read
local EPOCH_MIN = 1e9      -- smaller numbers are seconds from now, larger ones seconds since 1970

local NO_NAME = "the name of a job is up to 64 of A-Z a-z 0-9 . _ -"
local NO_TIME = "a job's time is seconds from now, a text like 1h30m, or a time since 1970"

local jobs = {}
jobs.__index = jobs

---@class jobs
---@field private due timers                  those that wait; their times are microseconds since 1970
---@field private fresh table[]               scheduled since the last look
---@field private handlers table<string, {owner: task.owner, fn: function}>
---@field private running table<integer, table>  tasks by the job's id
---@field private timer table                 the task that looks
---@field private read_us? integer            when the list is read anew; nil: at once

local function wall_us()
  return math.floor(core.wall() * 1000000)
end

local function is_name(name)
  return type(name) == "string" and #name <= 64 and name:find("^[%w._-]+$") ~= nil
end

-- --- running one ---

local function look_anew(self)
  self.read_us = nil
  self.task.wake(self.timer)
end

-- A task that was cancelled has not done it: its script ended, and whoever handles it next does it.
local function ended(self, id, t)
  self.running[id] = nil
  if t.state == "cancelled" then look_anew(self) else self.node:job_drop(id) end
end

local function decoded(text)
  local arguments = json.decode(text) or {}
  local count = #arguments
  for i = 1, count do
    if arguments[i] == json.null then arguments[i] = nil end
  end
  return arguments, count
end

local function run(self, handler, job)
  local id, t = job.id, self.task.new(handler.owner, "job " .. job.name)
  if not t then return false end
  local arguments, count = decoded(job.arguments)
  self.running[id] = t
  t:on_end(function() ended(self, id, t) end)
  self.task.run(t, handler.fn, table.unpack(arguments, 1, count))
  return true
end

-- False: it has to be tried again.
local function fire(self, entry)
  local handler = self.handlers[entry.name]
  if not handler or self.running[entry.id] then return true end
  local job, _, code = self.node:job(entry.id)
  if not job then return code == "not_found" end
  return run(self, handler, job)
end

-- --- looking ---

local function add(self, entry)
  self.due:add(entry, math.floor(entry.due * 1000000))
end

local function read(self, now_us)
  self.read_us, self.due, self.fresh = now_us + LOOK_US, timers.new(), {}
  for _, job in ipairs(self.node:jobs()) do
    if not self.running[job.id] then add(self, job) end
  end
end

local function take_fresh(self)
  local fresh = self.fresh
  self.fresh = {}
  for _, entry in ipairs(fresh) do add(self, entry) end
end

-- Runs what is due; when to look again.
local function look(self)
  local now_us, wall = core.now(), wall_us()
  if self.node.is_running == false then return now_us + AGAIN_US end
  if not self.read_us or self.read_us <= now_us then read(self, now_us) end
  take_fresh(self)
  while self.due:first() and self.due:first().at_us <= wall do
    local entry = self.due:first()
    self.due:remove(entry)
    if not fire(self, entry) then self.due:add(entry, wall + AGAIN_US) end
  end
  local first = self.due:first()
  return math.min(self.read_us, now_us + (first and first.at_us - wall or LOOK_US))
end

local function keep_looking(self)
  while true do self.task.park(look(self)) end
end

-- --- for scripts ---

---@param node table   as C gives it
---@param task table   the module
---@return jobs
function jobs.new(node, task)
  local self = setmetatable({ node = node, task = task, due = timers.new(), fresh = {} }, jobs)
  self.handlers, self.running = {}, {}
  local owner = task.owner("jobs", core.account("jobs", true), function(text) core.log("error", text) end)
  owner.node = node -- whose clock it is
  self.timer = task.start(owner, keep_looking, self)
  return self
end

--- Jobs of that name are done by `fn(...)`, in tasks of the owner. Those that are due already are done soon.
---@param owner task.owner
---@param name string
---@param fn function
function jobs:register(owner, name, fn)
  if not is_name(name) then error(NO_NAME, 0) end
  local before = self.handlers[name]
  if before and before.owner ~= owner then error(("the job %s belongs to %s"):format(name, before.owner.name), 0) end
  self.handlers[name] = { owner = owner, fn = fn }
  look_anew(self)
end

--- Nobody does that owner's jobs any more.
---@param owner task.owner
function jobs:off_owner(owner)
  for name, handler in pairs(self.handlers) do
    if handler.owner == owner then self.handlers[name] = nil end
  end
end

local function due_of(when)
  if type(when) == "number" and when >= EPOCH_MIN then return when end
  if type(when) ~= "number" and type(when) ~= "string" then return nil, NO_TIME, "argument" end
  local seconds, why, code = core.seconds(when)
  if not seconds then return nil, why, code end
  if seconds ~= seconds then return nil, NO_TIME, "argument" end
  return core.wall() + math.max(0, seconds)
end

local function encoded(...)
  local arguments = table.pack(...)
  for i = 1, arguments.n do
    if arguments[i] == nil then arguments[i] = json.null end
  end
  arguments.n = nil
  return json.encode(json.array(arguments))
end

--- Has the job of that name done at that time, with these arguments.
---@param when number|string  a time span from now, or seconds since 1970
---@param name string
---@param ... any  what JSON can hold
---@return integer? id, string? why, string? code  argument, full, store, too_big
function jobs:schedule(when, name, ...)
  local due, no_time, no_time_code = due_of(when)
  if not due then return nil, no_time, no_time_code end
  if not is_name(name) then return nil, NO_NAME, "argument" end
  local text, no_json, no_json_code = encoded(...)
  if not text then return nil, no_json, no_json_code end
  local id, why, code = self.node:job_put(due, name, text)
  if not id then return nil, why, code end
  self.fresh[#self.fresh + 1] = { id = id, due = due, name = name }
  self.task.wake(self.timer)
  return id
end

--- Takes a job back. One that runs already goes on.
---@param id integer
---@return boolean?, string? why, string? code  not_found
function jobs:unschedule(id)
  if math.type(id) ~= "integer" then error("the id of a job, as schedule returned it, is a whole number", 3) end
  return self.node:job_drop(id)
end

return jobs
