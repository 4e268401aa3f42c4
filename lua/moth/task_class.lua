--- Tasks, as those who hold one see them; the scheduler adds what makes them run and end.

local values = require "moth.values"

local HAS_ENDED = { done = true, failed = true, cancelled = true }

---@class task
---@field owner task.owner
---@field site? string            where it was asked for: "bot.lua:12"
---@field state "new"|"timed"|"ready"|"running"|"parked"|"napping"|"looking"|"doomed"|"done"|"failed"|"cancelled"
---@field why? string             the sentence of the error with which it failed
---@field report? task.report     instead of the owner's
---@field members? task[]         tasks that end with it
---@field waiters? task[]         tasks that are woken when it ends
---@field package serial integer  the place among all that were ever made
---@field package thread? thread   while its function runs; the values kept in it go there, or are its results
---@field package due_us? integer  when it starts
---@field package epoch? number    the same, by the clock on the wall
---@field package period? integer  it starts again and again: so many microseconds lie between
---@field package fn? function     then
local class = {}
class.__index = class

---@return boolean
function class:has_ended()
  return HAS_ENDED[self.state] or false
end

--- What its function returned, when it is done.
function class:results()
  return values.of(self)
end

--- Calls `fn(t, ok)` when it has ended, before those who wait for that go on, and before what it did is committed.
---@param fn fun(t: task, ok: boolean)
function class:on_end(fn)
  self.enders = self.enders or {}
  self.enders[#self.enders + 1] = fn
end

return class
