-- ledger.lua -- what the world outside knows of a soak: every message, what was promised of it, where it came.
--
-- A promise is a state between queued and delivered. A promised message must in the end be in the history of its
-- recipient, exactly once; its handler gets it once, and again only when that is marked as redelivered, or never when
-- the history says that it was set aside. What was never promised may come or not, but never twice. Texts begin with
-- the number of the message, so all of them differ; whatever breaks a rule ends the run there and then.

local BYTES_MAX = 6000
local RANK = { pending = 0, queued = 1, sent = 2, carried = 3, delivered = 4 }

local ledger = {}
ledger.__index = ledger

function ledger.new()
  return setmetatable({ list = {}, by_id = {}, promised = 0, again = 0, left_behind = 0 }, ledger)
end

local function fault(format, ...)
  error(format:format(...), 0)
end

-- --- sending ---

local function padding()
  local bytes = math.random(8) == 1 and math.random(BYTES_MAX) or math.random(100)
  return ("."):rep(bytes)
end

local function key_of(from, id)
  return from .. id
end

--- Sends a new message; who does not run or cannot promise anything now sends none.
---@param from lab_node
---@param to lab_node
function ledger:send(from, to)
  local entry = { number = #self.list + 1, from = from, to = to, came = 0, again = 0, rows = 0, own_rows = 0 }
  entry.text = entry.number .. padding()
  local m, why, code = from:send(to, entry.text)
  if m then return self:accept(entry, m) end
  if code == "store" or code == "full" or code == "shutdown" or code == "unknown_peer" then return end
  fault("%s may not send to %s: %s", from.name, to.name, why)
end

function ledger:accept(entry, m)
  local key = key_of(entry.from.id, m.id)
  local other = self.by_id[key]
  if other then
    fault("%s gave the id %x to two messages, %d and %d", entry.from.name, m.id, other.number, entry.number)
  end
  entry.m = m
  self.list[entry.number], self.by_id[key] = entry, entry
  return entry
end

-- --- what is heard ---

--- The sender hears of its message.
function ledger:told(node, m)
  local entry = self.by_id[key_of(node.id, m.id)]
  if not entry then fault("%s tells the state of a message that it never sent, %x", node.name, m.id) end
  local rank = RANK[m.state]
  if rank == 0 then return end
  if not rank and entry.is_promised then
    fault("message %d from %s to %s was promised and is %s now: %s", entry.number, entry.from.name, entry.to.name,
      m.state, tostring(m.why))
  end
  if not rank then return end
  if not entry.is_promised then self.promised = self.promised + 1 end
  entry.is_promised = true
  entry.is_kept = entry.is_kept or rank < RANK.delivered
end

local function recognize(self, node, from, id, text)
  local entry = self.by_id[key_of(from, id)]
  if entry and entry.to == node and entry.text == text then return entry end
  fault("%s got what was never sent to it: %x, %q", node.name, id, tostring(text):sub(1, 20))
end

--- A handler of the recipient gets a message.
function ledger:came(node, msg)
  local entry = recognize(self, node, msg.from, msg.id, msg.text)
  if msg.redelivered then
    entry.again, self.again = entry.again + 1, self.again + 1
    return
  end
  entry.came = entry.came + 1
  if entry.came > 1 then
    fault("message %d from %s came to %s a second time", entry.number, entry.from.name, node.name)
  end
end

--- Whether it is known to have arrived.
function ledger.has_come(entry)
  return entry.came + entry.again > 0
end

-- --- the histories ---

local HISTORY_MAX = 10000

local function read_own(self, node, row)
  local entry = self.by_id[key_of(node.id, row.id)]
  if not entry then fault("%s has a message in its history that it never sent, %x", node.name, row.id) end
  entry.own_rows = entry.own_rows + 1
  if row.state ~= "delivered" then
    fault("message %d to %s is %s in the history of %s", entry.number, entry.to.name, row.state, node.name)
  end
end

local function read_row(self, node, row)
  if row.ours then return read_own(self, node, row) end
  local entry = recognize(self, node, row.from, row.id, row.text)
  entry.rows = entry.rows + 1
  entry.is_set_aside = entry.is_set_aside or row.set_aside
end

function ledger:read(node)
  local rows, why = node:history(nil, HISTORY_MAX)
  if not rows then fault("the history of %s cannot be read: %s", node.name, why) end
  for _, row in ipairs(rows) do read_row(self, node, row) end
end

-- --- the judgement, once all histories were read ---

local function judge_promise(e)
  local way = ("message %d from %s to %s"):format(e.number, e.from.name, e.to.name)
  if e.rows == 0 then
    fault("%s was promised and is lost: %s says its sender, handlers got it %d times", way, e.m.state, e.came + e.again)
  end
  if not ledger.has_come(e) and not e.is_set_aside then fault("%s arrived, but no handler got it", way) end
  if e.own_rows > 1 or e.is_kept and e.own_rows == 0 then
    fault("%s was promised and is %d times in the history of its sender", way, e.own_rows)
  end
end

function ledger:judge()
  for _, e in ipairs(self.list) do
    if e.rows > 1 then
      fault("message %d from %s is %d times in the history of %s", e.number, e.from.name, e.rows, e.to.name)
    end
    if e.is_promised then judge_promise(e) end
  end
end

return ledger
