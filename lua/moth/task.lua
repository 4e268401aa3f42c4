--- Waiting that looks like a call: tasks are coroutines, resumed at the end of a turn of the node's loop.
--
-- A task runs at once until it waits for the first time. It can wait for a time, for the next turn, or for a
-- condition, which is asked after every turn: whatever a condition can depend on changes during a turn. The
-- clock is the node's, so the same code runs in virtual time. An error ends its own task and is logged with a
-- traceback; so does a yield that is none of these waits, as nobody would ever resume it.

local core = require "moth.core"

local task = {}

-- Conditions are asked at least this often, should something change without an event.
local LOOK_AGAIN_US = 20000

-- A span is never longer than this, some thirty years: the clock's integers hold it.
local SPAN_SECONDS_MAX = 1e9

local WAIT = {} -- what a task yields first when it waits; anything else is not a wait

---@alias task.report fun(traceback: string)
local parked = {} ---@type {thread: thread, report: task.report, at_us: integer, every_turn: boolean}[]
local is_ticking = false

local NOT_A_WAIT = "a task waits with task.turn, task.sleep or task.wait only"

-- Ends a task that cannot go on: it yielded something else, or could not be resumed at all.
local function give_up(thread, report, why)
  local traceback = core.traceback(why, thread)
  coroutine.close(thread)
  report(traceback)
end

-- True when the thread did more than look at its condition once again.
local function resume(thread, report, ...)
  local ok, wait, at_us, every_turn, only_looked = coroutine.resume(thread, ...)
  if ok and coroutine.status(thread) == "dead" then return true end
  if wait ~= WAIT then
    give_up(thread, report, ok and NOT_A_WAIT or wait)
    return true
  end
  parked[#parked + 1] = { thread = thread, report = report, at_us = at_us, every_turn = every_turn }
  if not is_ticking then core.wake() end
  return not only_looked
end

local function run(report, fn, ...)
  local ok, traceback = xpcall(fn, core.traceback, ...)
  if not ok then report(type(traceback) == "string" and traceback or "an error that is no text") end
end

--- Starts `fn(...)` as a task whose error goes to `report`; it has run to its first wait when this returns.
---@param report task.report
---@param fn function
function task.spawn_reporting(report, fn, ...)
  resume(coroutine.create(run), report, report, fn, ...)
end

local function log_error(traceback)
  core.log("error", traceback)
end

--- Starts `fn(...)` as a task whose error is logged.
---@param fn function
function task.spawn(fn, ...)
  task.spawn_reporting(log_error, fn, ...)
end

local function park(at_us, every_turn, only_looked)
  if not coroutine.isyieldable() then error("only a task can wait", 3) end
  coroutine.yield(WAIT, at_us, every_turn, only_looked)
end

--- Waits until the next turn of the loop: what was sent has left, what arrived has been handled.
function task.turn()
  park(0, false)
end

-- When a time span that starts now is over. One that is negative or no number at all is over at once.
local function deadline(span)
  local seconds, why = core.seconds(span)
  if not seconds then error(why, 3) end
  return core.now() + math.ceil(math.min(math.max(0, seconds), SPAN_SECONDS_MAX) * 1000000)
end

---@param span number|string  seconds, or a text like "250ms"
function task.sleep(span)
  local at_us = deadline(span)
  repeat park(at_us, false) until core.now() >= at_us
end

--- Waits until `condition` returns something true, and returns that.
---@param condition fun(): any
---@param span number|string
---@return any value, string? code  or nil, "timeout"
function task.wait(condition, span)
  local at_us, only_looked = deadline(span), false
  while true do
    local value = condition()
    if value then return value end
    if core.now() >= at_us then return nil, "timeout" end
    park(at_us, true, only_looked)
    only_looked = true
  end
end

local function is_due(entry, now_us)
  return entry.every_turn or entry.at_us <= now_us
end

--- Resumes what is due. Tasks that wait again are looked at in the next turn, which is asked for at once when
--- one of them did something: the node may have to send what it left behind.
---@param now_us integer
---@return integer? next_us   when to be called at the latest; nil when nothing waits
---@return boolean every_turn whether to be called in every turn until then
function task.tick(now_us)
  local before, next_us, every_turn = parked, nil, false
  parked, is_ticking = {}, true
  for _, entry in ipairs(before) do
    if not is_due(entry, now_us) then
      parked[#parked + 1] = entry
    else
      local ok, did_something = pcall(resume, entry.thread, entry.report) -- a report can fail, the tick must not
      if not ok or did_something then next_us = now_us end
    end
  end
  is_ticking = false
  for _, entry in ipairs(parked) do
    local at_us = entry.every_turn and math.min(entry.at_us, now_us + LOOK_AGAIN_US) or entry.at_us
    next_us = math.min(next_us or at_us, at_us)
    every_turn = every_turn or entry.every_turn
  end
  return next_us, every_turn
end

core.on_tick(task.tick)

return task
