--- Who wants to know what: handlers by event name, run in the order in which they came.
--
-- Every handler runs in a task of its own: it may wait, and its error is logged and stops nobody else. One that
-- fails at every event is logged a few times a minute, for whoever can raise events could fill the log. Lists
-- are never changed in place, so a handler may add and remove handlers, itself included, while an event is on
-- its way: added ones hear the next event, removed ones hear nothing more.

local core = require "moth.core"
local task = require "moth.task"

local REPORTS_A_MINUTE = 3
local MINUTE_US = 60000000

local events = {}

---@class events.bus
---@field private lists table<string, events.handle[]>
local bus = {}
bus.__index = bus

---@class events.handle
---@field private fn function
---@field private is_off boolean
---@field private since_us integer  when the minute of its reports began
---@field private reports integer   logged since then
---@field private silent integer    errors since the last report
local handle = {}
handle.__index = handle

---@return events.bus
function events.new()
  return setmetatable({ lists = {} }, bus)
end

--- Calls `fn(e)` at every event of that name from now on.
---@param name string
---@param fn fun(e: any)
---@return events.handle
function bus:on(name, fn)
  local h = setmetatable({ bus = self, name = name, fn = fn, is_off = false }, handle)
  h.since_us, h.reports, h.silent = core.now(), 0, 0
  h.report = function(traceback) h:log(traceback) end
  local list = table.move(self.lists[name] or {}, 1, #(self.lists[name] or {}), 1, {})
  list[#list + 1] = h
  self.lists[name] = list
  return h
end

--- Ends it; a second time is fine.
function handle:off()
  self.is_off = true
  local list = {}
  for _, other in ipairs(self.bus.lists[self.name] or {}) do
    if other ~= self then list[#list + 1] = other end
  end
  self.bus.lists[self.name] = #list > 0 and list or nil
end

function handle:log(traceback)
  local now_us = core.now()
  if now_us - self.since_us >= MINUTE_US then self.since_us, self.reports = now_us, 0 end
  if self.reports >= REPORTS_A_MINUTE then
    self.silent = self.silent + 1
    return
  end
  local before = self.silent > 0 and ("%d more errors before this one: "):format(self.silent) or ""
  self.reports, self.silent = self.reports + 1, 0
  core.log("error", before .. traceback)
end

---@param name string
---@param e any
function bus:raise(name, e)
  for _, h in ipairs(self.lists[name] or {}) do
    if not h.is_off then task.spawn_reporting(h.report, h.fn, e) end
  end
end

return events
