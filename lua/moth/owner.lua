--- Whose tasks they are: an owner counts its tasks, gets their errors, and keeps coroutines for the next ones.
--
-- Coroutines are never handed on to another owner: whoever got hold of one by whatever way holds nobody else's code.

local TASKS_MAX = 1000 -- of one owner
local POOL_MAX = 100   -- coroutines kept for later

local owner = { TASKS_MAX = TASKS_MAX }

---@class task.owner
---@field name string
---@field account userdata        what its tasks use is counted there
---@field report task.report
---@field on_end? fun(t: task, ok: boolean)  called for each of its tasks, as task:on_end
---@field tasks integer           that have not ended
---@field limit integer           more are refused
---@field private list task[]     those tasks, in no order
---@field private pool thread[]   coroutines that wait for a function
---@field node? table              whose writes of one step of a task are one commit
---@field tcp? table               the network of its machine; nil: the program's
---@field caller table            stands for a task while a function of the owner is called that is none

---@alias task.report fun(traceback: string, word: string, t: task)

---@param name string
---@param account userdata
---@param report task.report
---@return task.owner
function owner.new(name, account, report)
  local o = { name = name, account = account, report = report, tasks = 0, limit = TASKS_MAX, list = {}, pool = {} }
  o.caller = { owner = o }
  return o
end

--- False: there are too many.
---@param o task.owner
---@param t task
---@return boolean
function owner.add(o, t)
  local slot = o.tasks + 1
  if slot > o.limit then return false end
  t.slot = slot
  o.list[slot] = t
  o.tasks = slot
  return true
end

---@param o task.owner
---@param t task
function owner.remove(o, t)
  local list, count, slot = o.list, o.tasks, t.slot
  local other = list[count]
  list[slot], other.slot = other, slot
  list[count] = nil
  o.tasks = count - 1
end

--- Those that have not ended, the oldest first.
---@param o task.owner
---@return task[]
function owner.tasks_of(o)
  local list = table.move(o.list, 1, o.tasks, 1, {})
  table.sort(list, function(a, b) return a.serial < b.serial end)
  return list
end

--- A coroutine for `work`, maybe one that was given back.
---@param o task.owner
---@param work function
---@return thread
function owner.take_thread(o, work)
  local pool = o.pool
  local thread = pool[#pool]
  if not thread then return coroutine.create(work) end
  pool[#pool] = nil
  return thread
end

--- Gives back one that waits for its next function.
---@param o task.owner
---@param thread thread
function owner.give_thread(o, thread)
  local pool = o.pool
  if #pool < POOL_MAX then pool[#pool + 1] = thread end
end

return owner
