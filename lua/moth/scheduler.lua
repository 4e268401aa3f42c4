--- The scheduler: tasks are coroutines, each of an owner, resumed at the loop's own level and never in one another.
--
-- What is started at that level runs at once, up to its first wait; what a running task starts or wakes goes on in the
-- next tick. Tasks go on in the order in which they became ready. After 50 ms of a turn all the rest waits for the next
-- one, for the node has others to serve. A task that is cancelled is never resumed again: its coroutine is closed.
--
-- While a script calls us, memory may be refused at any place. So what runs there (`new`, `run`, `wake`, `cancel`) only
-- adds to lists, and sets the state last that makes it count; timers and coroutines are handled outside of the tasks.

local class = require "moth.task_class"
local core = require "moth.core"
local ice = require "moth.ice"
local owners = require "moth.owner"
local segments = require "moth.segments"
local timers = require "moth.timers"
local values = require "moth.values"

local resume, yield, running, is_yieldable = core.resume, coroutine.yield, coroutine.running, coroutine.isyieldable
local keep, take = values.keep, values.take
local begin, commit, discard = segments.begin, segments.commit, segments.discard
local YIELD = core.YIELD

local SLICE_US = 50000       -- of one turn of the loop
local LOOK_AGAIN_US = 20000  -- conditions are asked at least this often, should something change without an event
local CLOCK_US = 60000000    -- the clock on the wall is looked at this often: it may be set, the machine may sleep

-- What a coroutine yields first; no script has them, so what else is yielded is no wait.
local ENDED, PARKED, NAPPING, LOOKING = {}, {}, {}, {}

local NOT_A_TASK = "only a task can wait"
local NOT_INSIDE = "only a task can wait, not a coroutine inside it"
local NOT_HERE = "nothing can wait here: it was called by what cannot wait, such as table.sort or a hook"
local NOT_A_WAIT = "a task waits with task.sleep and other calls that wait; after a mere yield nobody would resume it"

local TIMED_OUT = table.pack(nil, "timeout")

local scheduler = {}

local current                     ---@type table?  the task that runs, or who stands for one
local ready, first, last = {}, 1, 0 -- a queue of tasks
local late = 0                    -- the last of them that would have run at once, had there been time
local stop_us                     ---@type integer?  when the slice of this turn ends; nil: it has not begun
local looking, arming, doomed, later = {}, {}, {}, {} -- lists of tasks, and of functions
local due = timers.new()
local serial = 0
local is_ticking, has_run = false, false

scheduler.on_segment = segments.on

-- Our own mistakes stop nobody.
local function call_safely(fn, ...)
  local ok, traceback = xpcall(fn, core.traceback, ...)
  if not ok then core.log("error", tostring(traceback)) end
end

local function ask_for_tick()
  if not is_ticking then core.wake() end
end

-- The first to ask begins the slice.
local function has_time()
  local now_us = core.now()
  stop_us = stop_us or now_us + SLICE_US
  return now_us < stop_us
end

-- --- tasks and their queue ---

-- One function after the other, so that a task does not cost a new coroutine.
local function work(fn, ...)
  return work(yield(ENDED, fn(...)))
end

local function enqueue(t)
  ready[last + 1] = t
  last = last + 1
  t.state = "ready"
end

--- The task goes on in the next tick, and `park` returns these values. False: it does not wait in park, or was woken.
---@param t task
---@return boolean
function scheduler.wake(t, ...)
  if t.state ~= "parked" then return false end
  keep(t, ...)
  enqueue(t)
  ask_for_tick()
  return true
end

--- No task of that node goes on until `thaw`.
scheduler.freeze = ice.freeze

--- Those that have become ready meanwhile go on, in that order.
---@param node table
function scheduler.thaw(node)
  for _, t in ipairs(ice.thaw(node)) do
    if t.state == "ready" then enqueue(t) end
  end
  ask_for_tick()
end

-- --- the end of a task ---

-- Before the commit of what it did last.
local function finish(t, state)
  local is_well, on_end = state == "done", t.owner.on_end
  owners.remove(t.owner, t)
  t.state = state
  if t.members then scheduler.cancel_list(t.members) end
  if t.enders then
    for _, fn in ipairs(t.enders) do call_safely(fn, t, is_well) end
  end
  if on_end then call_safely(on_end, t, is_well) end
  if t.waiters then
    for _, waiter in ipairs(t.waiters) do scheduler.wake(waiter) end
  end
end

local function complain(t, traceback, word)
  t.why = traceback:match("^[^\n]*")
  call_safely(t.report or t.owner.report, traceback, word, t)
end

-- The next time of one that starts again and again; those that were missed are left out.
local function start_again(t)
  local now_us = core.now()
  t.due_us = t.due_us + t.period
  if t.due_us <= now_us then t.due_us = now_us + t.period - (now_us - t.due_us) % t.period end
  keep(t, t.fn)
  t.state = "timed"
  due:add(t, t.due_us)
end

local function end_well(t, ...)
  owners.give_thread(t.owner, t.thread)
  t.thread = nil
  if t.state == "doomed" then
    finish(t, "cancelled")
  elseif t.period then
    start_again(t)
  else
    keep(t, ...)
    finish(t, "done")
  end
  commit(t)
end

local function fail(t, traceback, word)
  t.thread = nil
  discard(t)
  complain(t, traceback, word)
  if t.period and t.state == "running" then return start_again(t) end
  begin(t)
  finish(t, "failed")
  commit(t)
end

-- Closes the coroutine; an error in doing so is told, and undoes what it did.
local function close_thread(t)
  local thread = t.thread
  if not thread then return end
  t.thread = nil
  if t.owner.is_spent then return end
  local ok, traceback, word = core.close(t.owner.account, thread)
  if ok then return end
  t.owner.is_spent = t.owner.is_ending and word == "cpu" -- who ends and is not brief about it is cut short
  discard(t)
  complain(t, traceback, word)
  begin(t)
end

local function close(t)
  due:remove(t)
  close_thread(t)
  finish(t, "cancelled")
  commit(t)
end

local function close_doomed()
  local i = 1
  while doomed[i] and has_time() do -- closing one may add others
    current, has_run = doomed[i], true
    begin(current)
    close(current)
    current, i = nil, i + 1
  end
  if i > 1 then doomed = table.move(doomed, i, #doomed, 1, {}) end
end

-- A yield that is no wait.
local function give_up(t)
  local traceback = core.traceback(NOT_A_WAIT, t.thread)
  close_thread(t)
  fail(t, traceback, "error")
end

-- --- resuming ---

local function put_aside(t, mark, at_us)
  if mark == LOOKING then
    t.state, t.at_us = "looking", at_us
    looking[#looking + 1] = t
  else
    t.state = mark == PARKED and "parked" or "napping"
    if at_us then due:add(t, at_us) end
  end
  commit(t)
  ask_for_tick()
end

local IS_WAIT = { [PARKED] = true, [NAPPING] = true, [LOOKING] = true }

-- What a resume came to: a mark and what goes with it, or a traceback and a word.
local function settle(t, code, mark, ...)
  if mark ~= LOOKING or not select(2, ...) then has_run = true end
  if code ~= YIELD then return fail(t, mark, ...) end
  if mark == ENDED then return end_well(t, ...) end
  if not IS_WAIT[mark] then return give_up(t) end
  if t.state == "doomed" then return close(t) end
  put_aside(t, mark, ...)
end

local function dispatch(t, ...)
  current, t.state = t, "running"
  begin(t)
  settle(t, resume(t.owner.account, t.thread, ...))
  current = nil
end

-- --- starting ---

--- A task that runs nothing yet. nil, "busy": the owner has too many.
---@param owner task.owner
---@param site? string
---@return task?, string? code
function scheduler.new(owner, site)
  serial = serial + 1
  local t = setmetatable({ owner = owner, site = site, state = "new", serial = serial, slot = 0, thread = nil,
    from = nil, count = nil }, class)
  if not owners.add(owner, t) then return nil, "busy" end
  return t
end

--- Lets a new task run `fn(...)`: at once at the loop's level while there is time, else in the next tick.
---@param t task
---@param fn function
function scheduler.run(t, fn, ...)
  if t.state ~= "new" then return end -- it was cancelled meanwhile
  if current or doomed[1] or first <= late or not has_time() then
    keep(t, fn, ...)
    enqueue(t)
    if not current then late = last end
    return ask_for_tick()
  end
  t.thread = owners.take_thread(t.owner, work)
  dispatch(t, fn, ...)
end

--- Lets a new task run `fn()` at that time.
---@param t task
---@param at_us integer
---@param fn function
function scheduler.run_at(t, at_us, fn)
  if t.state ~= "new" then return end
  keep(t, fn)
  t.due_us = at_us
  arming[#arming + 1] = t
  t.state = "timed"
  ask_for_tick()
end

--- The same by the clock on the wall, which may be set meanwhile.
---@param t task
---@param epoch number  seconds since 1970
---@param fn function
function scheduler.run_at_epoch(t, epoch, fn)
  t.epoch = epoch
  scheduler.run_at(t, 0, fn)
end

--- Lets a new task run `fn()` every so often until it is cancelled; an error ends one run only.
---@param t task
---@param period_us integer
---@param fn function
function scheduler.run_every(t, period_us, fn)
  t.period, t.fn = period_us, fn
  scheduler.run_at(t, core.now() + period_us, fn)
end

--- Calls `fn()` at the loop's level, in the next tick. For our own code.
---@param fn fun()
function scheduler.later(fn)
  later[#later + 1] = fn
  ask_for_tick()
end

-- --- who runs, and waiting ---

--- The task that runs. In a call with `as`, an object of which only `owner` is known.
---@return task?
function scheduler.running()
  return current
end

local function restore(before, ok, ...)
  current = before
  if not ok then error((...), 0) end
  return ...
end

--- Calls a function of that owner which is no task: it cannot wait, and what it starts runs in the next tick.
---@param owner task.owner
---@param fn function
function scheduler.as(owner, fn, ...)
  local before = current
  current = owner.caller
  return restore(before, pcall(fn, ...))
end

--- An error with that level unless the running task can wait here.
---@param level integer
function scheduler.check_wait(level)
  local thread, can_yield = current and current.thread, is_yieldable()
  if can_yield and thread and thread == running() then return end
  local why = current and (can_yield and NOT_INSIDE or NOT_HERE) or NOT_A_TASK
  error(why, level + 1)
end

--- Waits until `wake`, and returns what was given there; or nil, "timeout" at that time.
---@param at_us? integer
function scheduler.park(at_us)
  scheduler.check_wait(2)
  return yield(PARKED, at_us)
end

--- Waits until that time.
---@param at_us integer
function scheduler.nap(at_us)
  scheduler.check_wait(2)
  return yield(NAPPING, at_us)
end

--- Waits until the next turn, at that time at the latest. For conditions that only a look can tell.
---@param at_us integer
---@param only_looked boolean  nothing was done since the last time
function scheduler.look(at_us, only_looked)
  scheduler.check_wait(2)
  return yield(LOOKING, at_us, only_looked)
end

-- --- ending ---

-- One that runs sees it when it waits or ends.
local function doom(t)
  if t:has_ended() or t.state == "doomed" then return end
  if t.state ~= "running" then doomed[#doomed + 1] = t end
  t.state = "doomed"
  ask_for_tick()
end

--- Ends it: nothing of it runs any more but its <close> variables. A second time is fine. One that cancels itself ends
--- at once, or, where it cannot wait, at its next wait.
function class:cancel()
  doom(self)
  if self == current and self.thread and self.thread == running() and is_yieldable() then yield(PARKED) end
end

---@param list task[]
function scheduler.cancel_list(list)
  for _, t in ipairs(list) do doom(t) end
end

--- Cancels all tasks of the owner, the oldest first, before any other task runs.
---@param owner task.owner
function scheduler.cancel_all(owner)
  owner.is_ending = true
  scheduler.cancel_list(owners.tasks_of(owner))
end

-- --- the tick ---

local function arm_new()
  if not arming[1] then return end
  local list = arming
  arming = {}
  for _, t in ipairs(list) do
    if t.state == "timed" then due:add(t, t.due_us) end
  end
end

local function call_later()
  if not later[1] then return end
  local list = later
  later = {}
  for _, fn in ipairs(list) do call_safely(fn) end
end

-- How long a task that starts by the clock on the wall has still to wait, nil when its time has come.
local function left_us(t)
  local left = t.epoch and t.epoch - core.wall(t.owner.node) or 0
  return left > 0 and math.ceil(math.min(left * 1000000, CLOCK_US)) or nil
end

local function come_due(t, now_us)
  local wait_us = left_us(t)
  due:remove(t)
  if wait_us then return due:add(t, now_us + wait_us) end
  if t.state == "parked" then t.count, t.value = TIMED_OUT.n, TIMED_OUT end -- else it was woken before, or starts
  enqueue(t)
end

local function collect(now_us)
  while due:first() and due:first().at_us <= now_us do come_due(due:first(), now_us) end
  if not looking[1] then return end
  local list = looking
  looking = {}
  for _, t in ipairs(list) do
    if t.state == "looking" then enqueue(t) end
  end
end

local function run_ready()
  local stop = last -- what becomes ready meanwhile runs in the next tick
  while first <= stop and has_time() do
    local t = ready[first]
    ready[first], first = nil, first + 1
    if t.state == "ready" and not ice.takes(t) then
      due:remove(t)
      t.thread = t.thread or owners.take_thread(t.owner, work)
      dispatch(t, take(t))
    end
    close_doomed()
  end
  if first > last then first, last, late = 1, 0, 0 end
end

local function turn(now_us)
  close_doomed()
  call_later()
  arm_new()
  collect(now_us)
  run_ready()
  arm_new()
end

-- What ran may have left something that the node has to do first.
local function next_time(now_us)
  if has_run or first <= last or doomed[1] or later[1] then return now_us end
  local next_us = due:first() and due:first().at_us
  for _, t in ipairs(looking) do
    local at_us = math.min(t.at_us, now_us + LOOK_AGAIN_US)
    next_us = math.min(next_us or at_us, at_us)
  end
  return next_us
end

--- Closes what was cancelled; then resumes what was ready when it was called, and what is due.
---@param now_us integer
---@return integer? next_us   when to be called at the latest; nil when nothing waits
---@return boolean every_turn whether to be called in every turn until then
function scheduler.tick(now_us)
  is_ticking, current, stop_us = true, nil, nil
  call_safely(turn, now_us)
  is_ticking, current, stop_us = false, nil, nil
  local next_us = next_time(now_us)
  has_run = false
  return next_us, looking[1] ~= nil
end

core.on_tick(scheduler.tick)

scheduler.class = class

return scheduler
