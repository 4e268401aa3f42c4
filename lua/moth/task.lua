--- Waiting that looks like a call, and what can be waited for: a time, an end, all of several, the first of several.
--
-- This is what moth's own code and, through `for_owner`, each script sees of the scheduler. Tasks belong to their
-- script and end with it; only `all` and `race` own theirs, which end with the task that waits for them.

local core = require "moth.core"
local owners = require "moth.owner"
local scheduler = require "moth.scheduler"

-- A span is never longer than this, some thirty years: the clock's integers hold it.
local SPAN_SECONDS_MAX = 1e9

local PERIOD_US_MIN = 1000 -- of what is done again and again

local TOO_MANY = "too many tasks of this script have not ended"
local HAS_ENDED = "this script has ended: it can start nothing"

local task = {
  owner = owners.new, new = scheduler.new, run = scheduler.run, run_at = scheduler.run_at, later = scheduler.later,
  as = scheduler.as, running = scheduler.running, park = scheduler.park, wake = scheduler.wake,
  cancel_all = scheduler.cancel_all, on_segment = scheduler.on_segment, tick = scheduler.tick,
  freeze = scheduler.freeze, thaw = scheduler.thaw,
}

-- --- arguments ---

local NO_SPAN = "a time span is seconds or a text like 1h30m or 250ms"

-- One that is negative or no number at all is none.
local function span_us(span, level)
  local kind = type(span)
  if kind ~= "number" and kind ~= "string" then error(("%s, not a %s"):format(NO_SPAN, kind), level + 1) end
  local seconds, why = core.seconds(span)
  if not seconds then error(why, level + 1) end
  return math.ceil(math.min(math.max(0, seconds), SPAN_SECONDS_MAX) * 1000000)
end

--- When a span that starts now is over. What is no span is an error of whoever called the caller.
---@param span number|string  seconds, or a text like "250ms"
---@return integer at_us
function task.deadline(span)
  return core.now() + span_us(span, 3)
end

local function check_function(fn, n, what)
  if type(fn) ~= "function" then
    error(("bad argument #%d to %s (function expected, got %s)"):format(n, what, type(fn)), 3)
  end
end

--- Where the code is that runs at that level, as `error` counts: "bot.lua:12"; nil when that is no Lua code.
---@param level integer
---@return string?
function task.site(level)
  local _, where = pcall(error, "", level + 2)
  return where ~= "" and where:sub(1, -3) or nil
end

-- --- moth's own tasks ---

local function log_error(traceback)
  core.log("error", traceback)
end

--- Who owns what no script does.
task.moth = owners.new("moth", core.account("moth", true), log_error)
task.moth.limit = math.huge

--- Starts `fn(...)` as a task: at once at the loop's level, else in the next tick.
---@param owner task.owner
---@param fn function
---@return task?, string? code  nil, "busy": the owner has too many
function task.start(owner, fn, ...)
  local t, code = scheduler.new(owner)
  if not t then return nil, code end
  scheduler.run(t, fn, ...)
  return t
end

--- The same for moth itself; an error is logged.
---@param fn function
---@return task
function task.spawn(fn, ...)
  return task.start(task.moth, fn, ...)
end

--- The same; an error goes to `report`.
---@param report task.report
---@param fn function
---@return task
function task.spawn_reporting(report, fn, ...)
  local t = scheduler.new(task.moth)
  t.report = report
  scheduler.run(t, fn, ...)
  return t
end

-- --- waiting for a time, and for what only a look can tell ---

--- Waits until the next turn of the loop: what was sent has left, what arrived has been handled.
function task.turn()
  return scheduler.nap(0)
end

---@param span number|string
function task.sleep(span)
  return scheduler.nap(task.deadline(span))
end

--- Waits until `condition` returns something true, and returns that. It is asked after every turn.
---@param condition fun(): any
---@param span number|string
---@return any value, string? code  or nil, "timeout"
function task.wait(condition, span)
  local at_us, only_looked = task.deadline(span), false
  while true do
    local value = condition()
    if value then return value end
    if core.now() >= at_us then return nil, "timeout" end
    scheduler.look(at_us, only_looked)
    only_looked = true
  end
end

-- --- waiting for an end ---

local function leave(place)
  for i, waiter in ipairs(place.waiters) do
    if waiter == place.waiter then return table.remove(place.waiters, i) end
  end
end

local place_class = { __close = leave }

local function wait_for_end(t, waiter, at_us)
  scheduler.check_wait(3)
  t.waiters = t.waiters or {}
  local _ <close> = setmetatable({ waiters = t.waiters, waiter = waiter }, place_class)
  t.waiters[#t.waiters + 1] = waiter
  scheduler.park(at_us)
end

--- Waits for its end: what its function returned; or nil, why and "failed", "cancelled" or "timeout".
---@param t task
---@param span? number|string
function scheduler.class.join(t, span)
  local waiter, at_us = scheduler.running(), span ~= nil and task.deadline(span) or nil
  if t == waiter then error("a task cannot wait for its own end", 2) end
  if t.is_held then error("what the main chunk starts runs after its end, so it cannot wait for that", 2) end
  if not t:has_ended() then wait_for_end(t, waiter, at_us) end
  if t.state == "done" then return t:results() end
  if t.state == "failed" then return nil, t.why, "failed" end
  if t.state == "cancelled" then return nil, "the task was cancelled", "cancelled" end
  return nil, "the task still runs", "timeout"
end

-- --- all and race ---

local RANK = { number = 1, string = 2 }

local function is_before(a, b)
  local rank_a, rank_b = RANK[type(a)] or 3, RANK[type(b)] or 3
  if rank_a ~= rank_b then return rank_a < rank_b end
  if rank_a == 3 then return tostring(a) < tostring(b) end
  return a < b
end

-- Their keys in an order that is always the same.
local function keys_of(functions, what)
  if type(functions) ~= "table" then
    error(("bad argument #1 to %s (table expected, got %s)"):format(what, type(functions)), 3)
  end
  local keys = {}
  for key, fn in next, functions do
    if type(fn) ~= "function" then error(("%s: %s is no function"):format(what, tostring(key)), 3) end
    keys[#keys + 1] = key
  end
  table.sort(keys, is_before)
  return keys
end

-- A task for each; `on_end` hears how it ended. False: there are too many already, and none was started.
local function start_members(owner, functions, keys, on_end)
  local waiter, list, site = scheduler.running(), {}, task.site(4)
  if owner.tasks + #keys > owner.limit then return false end
  for i, key in ipairs(keys) do
    local t = scheduler.new(owner, site)
    list[i], t.key, t.from = t, key, waiter.from -- an answer of theirs is one of the task that waits
    t:on_end(on_end)
  end
  waiter.members = list
  for i, key in ipairs(keys) do scheduler.run(list[i], functions[key]) end
  return true
end

-- Waits until `is_over` says so after the end of a member; what still runs then is cancelled.
local function await_members(owner, functions, keys, is_over)
  local waiter, has_finished = scheduler.running(), false
  local function on_end(t, ok)
    if has_finished then return end
    has_finished = is_over(t, ok)
    if has_finished then scheduler.wake(waiter) end
  end
  if not start_members(owner, functions, keys, on_end) then return nil, TOO_MANY, "busy" end
  scheduler.park()
  scheduler.cancel_list(waiter.members)
  waiter.members = nil
  return true
end

local function reason(t)
  return t.why or "the task was cancelled"
end

--- Runs the functions side by side and waits for all: a table of what each returned first. An error in one cancels the
--- others: nil, its sentence, "failed".
---@param owner task.owner  whose tasks they are
---@param functions table<any, function>
---@return table<any, any>?, string? why, string? code
local function all(owner, functions)
  local keys, results, failed = keys_of(functions, "all"), {}, nil
  scheduler.check_wait(2)
  local left = #keys
  if left == 0 then return results end
  local ok, why, code = await_members(owner, functions, keys, function(t, is_well)
    left = left - 1
    if is_well then results[t.key] = t:results() else failed = t end
    return left == 0 or not is_well
  end)
  if not ok then return nil, why, code end
  if failed then return nil, reason(failed), "failed" end
  return results
end

--- Runs the functions side by side until the first returns: its key and what it returned; the others are cancelled. One
--- that fails is out; when all have failed: nil, the sentence of the last, "failed".
---@param owner task.owner
---@param functions table<any, function>
local function race(owner, functions)
  local keys, left, winner, loser = keys_of(functions, "race"), nil, nil, nil
  scheduler.check_wait(2)
  left = #keys
  if left == 0 then error("race needs a function at least: nobody would ever win", 2) end
  local ok, why, code = await_members(owner, functions, keys, function(t, is_well)
    left = left - 1
    if is_well then winner = t else loser = t end
    return is_well or left == 0
  end)
  if not ok then return nil, why, code end
  if not winner then return nil, reason(loser), "failed" end
  return winner.key, winner:results()
end

-- --- what a script sees ---

local handle = {}
local task_of = setmetatable({}, { __mode = "k" }) -- what is behind a handle
local handle_class = { __index = handle, __metatable = "task" }

function handle_class.__tostring(h)
  return ("task %s: %s"):format(task_of[h].site or "?", task_of[h].state)
end

local function behind(h, method)
  local t = task_of[h]
  if not t then error(("%s is called with a colon: t:%s()"):format(method, method), 3) end
  return t
end

function handle:join(span)
  local t = behind(self, "join")
  return t:join(span)
end

function handle:cancel()
  local t = behind(self, "cancel")
  return t:cancel()
end

-- A task of the script and its handle.
local function new(script)
  if script.state ~= "running" and script.state ~= "loading" then return nil, HAS_ENDED, "cancelled" end
  local t, parent = scheduler.new(script.owner, task.site(3)), scheduler.running()
  if not t then return nil, TOO_MANY, "busy" end
  t.from = parent and parent.from -- an answer of its own is one of the task that started it
  local h = setmetatable({}, handle_class)
  task_of[h] = t
  return t, h
end

-- Lets it start, or wait until its script runs.
local function begin(script, t, start, ...)
  if script.state ~= "loading" then return start(t, ...) end
  local arguments = table.pack(...)
  t.is_held = true
  script:when_running(function()
    t.is_held = nil
    start(t, table.unpack(arguments, 1, arguments.n))
  end)
end

local function spawn(script, fn, ...)
  check_function(fn, 1, "spawn")
  local t, h, code = new(script)
  if not t then return nil, h, code end
  begin(script, t, scheduler.run, fn, ...)
  return h
end

local function after(script, span, fn)
  local at_us = task.deadline(span)
  check_function(fn, 2, "after")
  local t, h, code = new(script)
  if not t then return nil, h, code end
  begin(script, t, scheduler.run_at, at_us, fn)
  return h
end

local function at(script, epoch, fn)
  if type(epoch) ~= "number" or epoch ~= epoch then
    error("bad argument #1 to at (a time in seconds since 1970 expected)", 2)
  end
  check_function(fn, 2, "at")
  local t, h, code = new(script)
  if not t then return nil, h, code end
  begin(script, t, scheduler.run_at_epoch, epoch, fn)
  return h
end

local function every(script, span, fn)
  local period_us = math.max(PERIOD_US_MIN, span_us(span, 2))
  check_function(fn, 2, "every")
  local t, h, code = new(script)
  if not t then return nil, h, code end
  begin(script, t, scheduler.run_every, period_us, fn)
  return h
end

---@class task.script
---@field owner task.owner
---@field state "loading"|"running"|string  while it loads, what it starts waits
---@field when_running fun(self: task.script, fn: fun())  calls it as soon as it runs

--- The module `task` of one script.
---@param script task.script
---@return table
function task.for_owner(script)
  return {
    sleep = function(...) return task.sleep(...) end,
    spawn = function(...) return spawn(script, ...) end,
    after = function(...) return after(script, ...) end,
    at = function(...) return at(script, ...) end,
    every = function(...) return every(script, ...) end,
    all = function(functions) return all(script.owner, functions) end,
    race = function(functions) return race(script.owner, functions) end,
  }
end

return task
