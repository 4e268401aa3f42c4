--- What arrived while nobody looked: durable messages newer than the moment when somebody last watched.
--
-- Only that moment is kept (the file `seen` of the home folder), now and then and at the end: after a crash a few
-- messages may be shown as new a second time, none is missed.

local core = require "moth.core"
local task = require "moth.task"

local FILE = "seen"
local COUNT_MAX = 1000   -- looked at, the newest ones
local KEEP_SECONDS = 60

local unread = {}
unread.__index = unread

---@class unread
---@field private program program
---@field private since number     seconds since 1970: what came later is new
---@field private is_stale boolean  the file is behind

local function now()
  return core.wall()
end

---@param program program
---@return unread
function unread.new(program)
  local text = program.options.read_home(FILE)
  local since = text and tonumber(text) or now()
  local self = setmetatable({ program = program, since = since, is_stale = not text }, unread)
  program.node:on("message", function(msg) self.is_stale = self.is_stale or msg.durable or false end)
  task.spawn(function()
    repeat
      if self.is_stale then self:keep() end
      task.sleep(KEEP_SECONDS)
    until program.is_over
  end)
  return self
end

--- Somebody has seen everything up to now.
function unread:mark()
  self.since, self.is_stale = now(), true
end

--- Puts it on the disk. Call it in a task.
function unread:keep()
  if self.program:is_watched() then self.since = now() end
  self.is_stale = false
  local ok = self.program:keep(FILE, ("%.3f\n"):format(self.since))
  self.is_stale = self.is_stale or not ok
end

--- The new messages, the oldest first; none while somebody watches.
---@return table[] entries
function unread:entries()
  local list = {}
  if self.program:is_watched() then return list end
  for _, entry in ipairs(self.program.node:history(nil, COUNT_MAX) or {}) do
    if not entry.ours and entry.time > self.since then list[#list + 1] = entry end
  end
  return list
end

--- How many there are of each peer.
---@return table<string, integer> counts  by the peer's id
function unread:counts()
  local counts = {}
  for _, entry in ipairs(self:entries()) do counts[entry.from] = (counts[entry.from] or 0) + 1 end
  return counts
end

return unread
