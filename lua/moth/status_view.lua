--- Who this node is and how it does, as text.

local format = require "moth.format"

local status_view = {}

local function discarded(status, width)
  local rows = {}
  for i, d in ipairs(status.discarded) do rows[i] = { "", format.count(d.count), d.code .. ": " .. d.why } end
  if #rows == 0 then return "nothing discarded" end
  return "discarded\n" .. format.table(rows, { right = { [2] = true }, width = width })
end

--- Where the limits are, and what happens at each.
---@param node table
---@param width? integer
---@return string
function status_view.limits(node, width)
  local rows = {}
  for _, limit in ipairs(node:limits()) do
    local row = ("limit %s: %s %s; %s"):format(limit.name, format.count(limit.value), limit.unit, limit.behaviour)
    rows[#rows + 1] = format.wrap(row, 4, width)
  end
  return table.concat(rows, "\n")
end

-- Whether what is sent now is kept.
local function store(s)
  local work = ("%s of %s, %s waiting"):format(format.plural(s.commits, "commit"),
    format.plural(s.commit_operations, "operation"), format.count(s.writes_waiting))
  if not s.store_why then return work end
  return "nothing new is promised: " .. (s.store_reason == "store" and "it cannot be written now" or s.store_why)
end

local function inbox(s)
  local text = ("%s not handled yet, %s"):format(format.plural(s.inbox, "message"), format.bytes(s.inbox_bytes))
  if s.set_aside == 0 then return text end
  return ("%s; %s set aside ('history' shows)"):format(text, format.count(s.set_aside))
end

-- Who this node is.
local function identity(node)
  return {
    { "name", node.name },
    { "id", node.id },
    { "address", node.address ~= "" and node.address or "not listening" },
  }
end

--- Who this node is.
---@param node table
---@param width? integer
---@return string
function status_view.identity(node, width)
  return format.table(identity(node), { width = width })
end

local function figures(s)
  local count, bytes = format.count, format.bytes
  return {
    { "uptime", format.duration(s.uptime_ms / 1000) },
    { "links", ("%s, %s in handshake"):format(count(s.links), count(s.handshaking)) },
    { "peers", ("%s known, %s reachable"):format(count(s.peers), count(s.reachable)) },
    { "mail waiting", ("%s, %s"):format(format.plural(s.mail, "message"), bytes(s.mail_bytes)) },
    { "carried", ("%s for others, %s"):format(format.plural(s.carried, "message"), bytes(s.carried_bytes)) },
    { "deposits", ("%s made, %s taken, %s handed over"):format(count(s.deposits_made), count(s.deposits_taken),
      count(s.handed_over)) },
    { "inbox", inbox(s) },
    { "history", bytes(s.history_bytes) },
    { "store", store(s) },
    { "messages", ("%s sent, %s delivered, %s received, %s relayed"):format(count(s.messages_sent),
      count(s.messages_delivered), count(s.messages_received), count(s.messages_relayed)) },
    { "broadcasts", ("%s relayed"):format(count(s.broadcasts_relayed)) },
    { "frames", ("%s in, %s out"):format(count(s.frames_in), count(s.frames_out)) },
    { "traffic", ("%s in, %s out"):format(bytes(s.bytes_in), bytes(s.bytes_out)) },
    { "queued", ("%s now, %s at most"):format(bytes(s.queued_bytes), bytes(s.queued_bytes_most)) },
    { "adverts", ("%s in, %s out"):format(count(s.adverts_in), count(s.adverts_out)) },
    { "map", format.plural(s.recomputes, "recompute") },
    { "dials", ("%s, %s"):format(count(s.dials), format.plural(s.handshakes, "handshake")) },
  }
end

--- Who this node is, how it does, and what it threw away.
---@param node table
---@param width? integer
---@return string
function status_view.status(node, width)
  local status = node:status()
  local rows, known = identity(node), figures(status)
  table.move(known, 1, #known, #rows + 1, rows)
  return table.concat({ format.table(rows, { width = width }), discarded(status, width),
    "limits: 'status limits' shows them" }, "\n")
end

return status_view
