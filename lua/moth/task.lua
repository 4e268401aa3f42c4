--- Waiting that looks like a call: tasks are coroutines, resumed at the end of a turn of the node's loop.
--
-- A task runs at once until it waits for the first time. It can wait for a time, for the next turn, or for a
-- condition, which is asked after every turn: whatever a condition can depend on changes during a turn. The
-- clock is the node's, so the same code runs in virtual time. An error ends its own task and is logged with a
-- traceback.

local core = require "moth.core"

local task = {}

-- Conditions are asked at least this often, should something change without an event.
local LOOK_AGAIN_US = 20000

local parked = {} ---@type {thread: thread, at_us: integer, every_turn: boolean}[]
local is_ticking = false

-- True when the thread did more than look at its condition once again.
local function resume(thread, ...)
  -- What runs in the thread is protected (see spawn), so that resuming it cannot fail.
  local _, at_us, every_turn, only_looked = coroutine.resume(thread, ...)
  if coroutine.status(thread) == "dead" then return true end
  parked[#parked + 1] = { thread = thread, at_us = at_us, every_turn = every_turn }
  if not is_ticking then core.wake() end
  return not only_looked
end

local function run(fn, ...)
  local ok, traceback = xpcall(fn, core.traceback, ...)
  if not ok then core.log("error", traceback) end
end

--- Starts `fn(...)` as a task; it has run to its first wait when this returns.
---@param fn function
function task.spawn(fn, ...)
  resume(coroutine.create(run), fn, ...)
end

local function park(at_us, every_turn, only_looked)
  if not coroutine.isyieldable() then error("only a task can wait", 3) end
  coroutine.yield(at_us, every_turn, only_looked)
end

--- Waits until the next turn of the loop: what was sent has left, what arrived has been handled.
function task.turn()
  park(0, false)
end

-- When a time span that starts now is over.
local function deadline(span)
  local seconds, why = core.seconds(span)
  if not seconds then error(why, 3) end
  return core.now() + math.ceil(seconds * 1000000)
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
    if not is_due(entry, now_us) then parked[#parked + 1] = entry
    elseif resume(entry.thread) then next_us = now_us end
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
