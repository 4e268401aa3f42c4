--- Who wants to know what: handlers by event name, run in the order in which they came.
--
-- Every handler runs in a task of its owner: it may wait, and its error goes to the owner and stops nobody else. Moth's
-- own handlers that fail at every event are logged a few times a minute, for whoever can raise events could fill the
-- log. Lists are never changed in place, so a handler may add and remove handlers, itself included, while an event is
-- on its way: added ones hear the next event, removed ones hear nothing more.

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
---@field private owner task.owner
---@field private site? string      where it was asked for
---@field private report? task.report  moth's own handlers have their own
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

local function watch_errors(h)
  h.since_us, h.reports, h.silent = core.now(), 0, 0
  h.report = function(traceback) h:log(traceback) end
end

--- Calls `fn(e)` at every event of that name from now on.
---@param name string
---@param fn fun(e: any)
---@param owner? task.owner  moth itself when there is none
---@return events.handle
function bus:on(name, fn, owner)
  local h = setmetatable({ bus = self, name = name, fn = fn, owner = owner or task.moth, is_off = false }, handle)
  h.site = task.site(2)
  if not owner then watch_errors(h) end
  local list = table.move(self.lists[name] or {}, 1, #(self.lists[name] or {}), 1, {})
  list[#list + 1] = h
  self.lists[name] = list
  return h
end

-- What is left of a list without those that were switched off.
local function prune(self, name)
  local list = {}
  for _, h in ipairs(self.lists[name] or {}) do
    if not h.is_off then list[#list + 1] = h end
  end
  self.lists[name] = list[1] and list or nil
end

--- Ends it; a second time is fine.
function handle:off()
  self.is_off = true
  prune(self.bus, self.name)
end

--- Ends all handlers of an owner.
---@param owner task.owner
function bus:off_owner(owner)
  local names = {}
  for name, list in pairs(self.lists) do
    for _, h in ipairs(list) do
      if h.owner == owner then h.is_off, names[name] = true, true end
    end
  end
  for name in pairs(names) do prune(self, name) end
end

--- Whether anybody hears that event.
---@param name string
---@return boolean
function bus:has(name)
  return self.lists[name] ~= nil
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

--- Starts a task for every handler. Who has too many tasks does not hear of it.
---@param name string
---@param e any
---@return integer unheard  by so many handlers
function bus:raise(name, e)
  local list, unheard = self.lists[name], 0
  if not list then return 0 end
  for _, h in ipairs(list) do
    local t = not h.is_off and task.new(h.owner, h.site)
    if t then
      t.report = h.report
      task.run(t, h.fn, e)
    elseif not h.is_off then
      unheard = unheard + 1
    end
  end
  return unheard
end

return events
