-- verdict.lua -- what must be true of a soak, while it lasts and at its end.

local ledger = require "soak.ledger"

local SETTLE_SECONDS = 1200
local CARRIED_SECONDS = 600
local QUIET_SECONDS = 60
local FRAMES_A_SECOND = 4 -- of a link: both ends ask, and both answer

local verdict = {}

local function fault(format, ...)
  error(format:format(...), 0)
end

-- --- limits and reasons ---

-- Figures that have a limit.
local BOUNDED = { { "queued_bytes_most", "link_queue" }, { "control_bytes_most", "link_control" }, { "mail", "mail" },
  { "mail_bytes", "mail_bytes" }, { "carried", "carried" }, { "carried_bytes", "carried_bytes" },
  { "inbox_bytes", "inbox" }, { "links", "links" } }

-- Whatever the weather: nobody lies, forgets an id, or lets a message expire in an hour. (unknown_peer there is: whose
-- disk was full when it met somebody does not know them after a power cut, and carries nothing for them.)
local IMPOSSIBLE = { malformed = true, forged = true, wrong_network = true, wrong_identity = true, cloned = true,
  version = true, too_big = true, too_old = true, expired = true, retries = true, cancelled = true, lost = true,
  argument = true, unknown_kind = true, misdirected = true, unwanted = true, newer = true, damaged = true }

local function limits_of(self, node)
  if not self.limits then
    self.limits = {}
    for _, limit in ipairs(node:limits()) do self.limits[limit.name] = limit.value end
  end
  return self.limits
end

--- A machine's figures are within their limits, and it has dropped nothing for a reason that there cannot be.
function verdict.look_at(self, m)
  if not m.node.is_running then return end
  local status, limits = m.node:status(), limits_of(self, m.node)
  for _, bound in ipairs(BOUNDED) do
    local figure, name = bound[1], bound[2]
    if status[figure] > limits[name] then
      fault("%s has %d %s, above its limit %s of %d", m.name, status[figure], figure, name, limits[name])
    end
  end
  for _, discard in ipairs(status.discarded) do
    if IMPOSSIBLE[discard.code] then fault("%s dropped something, and should not: %s", m.name, discard.why) end
  end
end

-- --- those who left ---

--- What others have committed for one who is about to leave.
function verdict.note_carried(self, leaver)
  for _, entry in ipairs(self.ledger.list) do
    if entry.from == leaver.node and entry.m.state == "carried" then
      entry.by = entry.m.by
      self.ledger.left_behind = self.ledger.left_behind + 1
    end
  end
end

local function has_left(self, node)
  for _, m in ipairs(self.machines) do
    if m.node == node then return m.has_left end
  end
end

local function carrier_of(self, entry)
  for _, m in ipairs(self.machines) do
    if m.node.id == entry.by and not m.has_left then return m.node end
  end
end

-- Those whose carrier and recipient are here, and can reach each other.
local function is_missing(self, entry)
  if not entry.by or ledger.has_come(entry) or has_left(self, entry.to) then return false end
  local carrier = carrier_of(self, entry)
  local to = carrier and carrier:peer(entry.to)
  return to and to.up
end

local function first_missing(self)
  for _, entry in ipairs(self.ledger.list) do
    if is_missing(self, entry) then return entry end
  end
end

--- What is carried for those who left arrives without them. (waits)
function verdict.carried_has_come(self)
  local until_s = self.net:measure().virtual_s + CARRIED_SECONDS
  self.net:run(10)
  while first_missing(self) do
    local e = first_missing(self)
    if self.net:measure().virtual_s > until_s then
      fault("message %d from %s to %s was carried and is lost: its sender is away, and nobody has handed it over",
        e.number, e.from.name, e.to.name)
    end
    self.net:run(2)
  end
end

-- --- peace ---

local OPEN = { "mail", "carried", "inbox", "writes_waiting" }

local function open_business(m)
  local status = m.node:status()
  if status.store_reason then return "can promise nothing: " .. status.store_why end
  for _, figure in ipairs(OPEN) do
    if status[figure] > 0 then return ("still has %s: %d"):format(figure, status[figure]) end
  end
end

local function first_open(self)
  for _, m in ipairs(self.machines) do
    local what = open_business(m)
    if what then return m, what end
  end
end

local function is_linked(edge)
  for _, link in ipairs(edge[1]:links()) do
    if link.id == edge[2].id then return true end
  end
end

local function first_unlinked(self)
  for _, edge in ipairs(self.edges) do
    if not is_linked(edge) then return edge end
  end
end

local function open_matter(self)
  local m, what = first_open(self)
  if m then return m.name .. " " .. what end
  local edge = first_unlinked(self)
  return edge and ("%s and %s are not linked"):format(edge[1].name, edge[2].name)
end

--- All mail has arrived, nobody keeps anything for anybody, and every link that was asked for is there. (waits)
function verdict.is_settled(self)
  local until_s = self.net:measure().virtual_s + SETTLE_SECONDS
  self.net:run(5)
  while true do
    local what = open_matter(self)
    if not what then break end
    if self.net:measure().virtual_s > until_s then fault("%s, %d s after all was well again", what, SETTLE_SECONDS) end
    self.net:run(1)
  end
  self.net:run(3) -- the last link may have come up just now
  self.net:settle("1m")
end

--- Routes are those of the true graph.
function verdict.is_true(self)
  self.net:eventually("5s", function() return self.net:routes_are_true() end)
  for _, m in ipairs(self.machines) do verdict.look_at(self, m) end
end

-- --- quiet ---

local COUNTED = { "frames_out", "message_bytes_out", "adverts_out", "dials", "handshakes" }

local function sums_of(self)
  local sums = { links = 0 }
  for _, name in ipairs(COUNTED) do sums[name] = 0 end
  for _, m in ipairs(self.machines) do
    local status = m.node:status()
    for _, name in ipairs(COUNTED) do sums[name] = sums[name] + status[name] end
    sums.links = sums.links + status.links
  end
  return sums
end

--- Nothing goes over the wire but what asks for life, and answers. (waits)
function verdict.is_quiet(self)
  self.net:run(120) -- the slowest retry
  local before = sums_of(self)
  self.net:run(QUIET_SECONDS)
  local now = sums_of(self)
  for _, name in ipairs { "message_bytes_out", "adverts_out", "dials", "handshakes" } do
    local grown = now[name] - before[name]
    if grown > 0 then fault("the network does not go quiet: within a minute %s grew by %d", name, grown) end
  end
  local frames, most = now.frames_out - before.frames_out, now.links // 2 * FRAMES_A_SECOND * (QUIET_SECONDS + 1)
  if frames > most then fault("the network does not go quiet: %d frames in a minute, not %d", frames, most) end
end

-- --- promises ---

function verdict.promises_are_kept(self)
  for _, m in ipairs(self.machines) do self.ledger:read(m.node) end
  self.ledger:judge()
  local most = self.net:max_deliveries()
  if most > 1 then fault("a message was given to its recipient %d times", most) end
  if self.ledger.promised == 0 then fault("nothing was ever promised: this soak sees nothing") end
end

return verdict
