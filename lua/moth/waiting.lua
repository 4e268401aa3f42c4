--- What commands wait for: links that come up or go down, messages that get kept. A session remembers what its commands
-- wait for, so that its notices do not tell what the command is about to say.

local core = require "moth.core"
local task = require "moth.task"
local views = require "moth.views"

local PART_SECONDS = 1   -- for a link to end
local SYNC_SECONDS = 1   -- for a new neighbour to tell whom it knows
local KEEP_SECONDS = 2   -- for a message to be on the disk
local MOMENT_SECONDS = 0.3

local waiting = {}

---@class waiting
---@field private dials table<string, string|false>  addresses somebody waits for, or why the last dial failed
---@field private parting table<string, boolean>     ids of peers whose link somebody is ending
---@field private sending table<integer, boolean>    ids of messages somebody waits for
---@field on_told fun(id: integer, state: string)      what a command is about to tell of a message
local methods = {}
methods.__index = methods

---@param node table
---@return waiting
function waiting.new(node)
  local self = setmetatable({ node = node, dials = {}, parting = {}, sending = {},
    on_told = function() end }, methods)
  self.handle = node:on("dial", function(e)
    if self.dials[e.address] ~= nil then self.dials[e.address] = e.why end
  end)
  return self
end

function methods:off()
  self.handle:off()
end

-- An entry that is there while the block runs, also when its task is cancelled.
local function hold(set, key, value)
  set[key] = value
  return setmetatable({}, { __close = function() set[key] = nil end })
end

-- Whether a command waits for the link or dial of this event. Where a name was dialled, the link's own address is
-- another text, and only the peer is the same.
function methods:is_awaited(e)
  if self.dials[e.address] ~= nil then return true end
  for address in pairs(self.dials) do
    local entry = e.peer and views.wanted(self.node, address)
    if entry and entry.linked and entry.peer == e.peer then return true end
  end
  return false
end

function methods:is_parting(e)
  return self.parting[e.peer] ~= nil
end

function methods:is_sending(id)
  return self.sending[id] ~= nil
end

--- Waits until the link to an address that is being dialled is up and its other end has told whom it knows.
---@param address string
---@param seconds number
---@return string? peer, string? why  the peer's id, or nil and a sentence
function methods:link(address, seconds)
  local entry
  local why
  do
    local _ <close> = hold(self.dials, address, self.dials[address] or false)
    task.wait(function()
      entry = views.wanted(self.node, address)
      return self.dials[address] or entry and entry.linked and entry.peer
    end, seconds)
    why = self.dials[address] or nil
  end
  if not (entry and entry.linked and entry.peer) then return nil, why or "no answer so far" end
  task.wait(function() return self.node:is_synced(entry.peer) end, SYNC_SECONDS)
  return entry.peer
end

--- The same for several, which together get so many seconds; `failed` is told of each that is not up.
---@param addresses string[]
---@param seconds number
---@param failed fun(address: string, why: string)
function methods:links(addresses, seconds, failed)
  local at_us = core.now() + seconds * 1000000
  local dials = self.dials
  local _ <close> = setmetatable({}, { __close = function()
    for _, address in ipairs(addresses) do dials[address] = nil end
  end })
  for _, address in ipairs(addresses) do dials[address] = dials[address] or false end
  for _, address in ipairs(addresses) do
    local _, why = self:link(address, math.max(0, at_us - core.now()) / 1000000)
    if why then failed(address, why) end
  end
end

--- Ends the link to a peer, and everything that would bring it back; the link is down when this returns, unless
--- that takes long.
---@param peer string  its id
---@return boolean?, string? why, string? code
function methods:part(peer)
  local _ <close> = hold(self.parting, peer, true)
  local ok, why, code = self.node:disconnect(peer)
  if ok then
    task.wait(function()
      local entry = self.node:peer(peer)
      return not (entry and entry.linked)
    end, PART_SECONDS)
  end
  return ok, why, code
end

--- Waits until a message that was just accepted is on the disk, or has ended; not for ever. A person is glad to hear
--- that it was delivered, if that takes no longer than a moment.
---@param m table
---@param is_person boolean
function methods:kept(m, is_person)
  local id = m.id
  do
    local _ <close> = hold(self.sending, id, true)
    task.wait(function() return m.state ~= "pending" end, KEEP_SECONDS)
    if is_person and m.state == "sent" then task.wait(function() return m.state ~= "sent" end, MOMENT_SECONDS) end
  end
  self.on_told(id, m.state) -- its event may be on its way yet, and nobody waits for it any more
end

return waiting
