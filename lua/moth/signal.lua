--- Waiting for something that has a key: a state of a message, an answer to a request.
--
-- A signal is a set of tasks by key. Whoever waits leaves it by whatever way it goes on, cancelled too, so nothing is
-- left behind.

local task = require "moth.task"

local signal = {}
signal.__index = signal

---@class signal
---@field private waiting table<any, table[]>  tasks by key, the first to come first

---@return signal
function signal.new()
  return setmetatable({ waiting = {} }, signal)
end

local function leave(place)
  local list = place.signal.waiting[place.key]
  for i, t in ipairs(list or {}) do
    if t == place.task then
      table.remove(list, i)
      break
    end
  end
  if list and #list == 0 then place.signal.waiting[place.key] = nil end
end

local place_class = { __close = leave }

--- Waits for `raise` or `raise_first` with that key: what was given there; or nil, "timeout".
---@param key any
---@param at_us? integer  when to give up
function signal:wait(key, at_us)
  local t = task.running()
  local place <close> = setmetatable({ signal = self, key = key, task = t }, place_class)
  local list = self.waiting[key] or {}
  list[#list + 1] = t
  self.waiting[key] = list
  return task.park(at_us)
end

--- Wakes everybody who waits for that key.
function signal:raise(key, ...)
  for _, t in ipairs(self.waiting[key] or {}) do task.wake(t, ...) end
end

--- Wakes all, whatever they wait for, to look for themselves.
function signal:raise_all()
  for _, list in pairs(self.waiting) do
    for _, t in ipairs(list) do task.wake(t) end
  end
end

---@return boolean
function signal:is_awaited(key)
  return self.waiting[key] ~= nil
end

return signal
