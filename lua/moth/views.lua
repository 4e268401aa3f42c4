--- What the node knows, as text: pure functions from a node's answers to what the commands print.

local format = require "moth.format"

local NAME_WIDTH = 14 -- in the table that has six columns

local views = {}

local function name_and_id(entry)
  return ("%s (%s)"):format(entry.name, format.id8(entry.id))
end

--- How a peer is called here.
---@return string
function views.name(node, id)
  if id == node.id then return node.name end
  local entry = node:peer(id)
  return entry and entry.name or format.id8(id)
end

--- "bob (1f2e3d4c)"
---@return string
function views.name_and_id(node, id)
  return name_and_id { name = views.name(node, id), id = id }
end

local function sorted(list, is_before)
  local copy = table.move(list, 1, #list, 1, {})
  table.sort(copy, is_before)
  return copy
end

-- Links first, then who else can be reached, the nearest first, then the others.
local function is_nearer(a, b)
  if a.linked ~= b.linked then return a.linked end
  if a.up ~= b.up then return a.up end
  if a.hops ~= b.hops then return a.hops < b.hops end
  if a.name ~= b.name then return a.name < b.name end
  return a.id < b.id
end

local function via(node, entry)
  if not entry.up or entry.via == entry.id then return "-" end
  return views.name(node, entry.via)
end

local function list_row(node, entry)
  local hops = entry.up and ("%d"):format(entry.hops) or "-"
  local address = entry.address ~= "" and entry.address or "-"
  if not entry.up then address = entry.address ~= "" and entry.address .. "  away" or "away" end
  local name, next_hop = format.cut(entry.name, NAME_WIDTH), format.cut(via(node, entry), NAME_WIDTH)
  return { name, format.id8(entry.id), hops, next_hop, format.rtt(entry.rtt_ms), address }
end

local function wanted_line(wanted)
  local seconds = (wanted.retry_in_ms + 999) // 1000
  local again = seconds > 0 and "again in " .. format.duration(seconds) or "trying now"
  if not wanted.why then return ("connecting %s: %s"):format(wanted.address, again) end
  return ("connecting %s: %s, %s"):format(wanted.address, wanted.why, again)
end

--- The entry of an address that `connect` keeps a link to; nil: nobody wants it, or not any more.
---@param node table
---@param address string
---@return table?
function views.wanted(node, address)
  for _, entry in ipairs(node:wanted()) do
    if entry.address == address then return entry end
  end
end

--- Everybody who is known, and the addresses that are still being dialled.
---@return string
function views.list(node)
  local parts, peers = {}, node:peers()
  if #peers > 0 then
    local rows = { { "NAME", "ID", "HOPS", "VIA", "RTT", "ADDRESS" } }
    for _, entry in ipairs(sorted(peers, is_nearer)) do rows[#rows + 1] = list_row(node, entry) end
    parts[1] = format.table(rows, { [3] = true, [5] = true })
  end
  for _, wanted in ipairs(node:wanted()) do
    if not wanted.linked then parts[#parts + 1] = wanted_line(wanted) end
  end
  if #parts == 0 then return "nobody yet: connect HOST:PORT" end
  return table.concat(parts, "\n")
end

--- Who can be reached, and through whom.
---@return string
function views.routes(node)
  local rows = { { "PEER", "HOPS", "VIA" } }
  for _, entry in ipairs(sorted(node:routes(), is_nearer)) do
    rows[#rows + 1] = { entry.name, ("%d"):format(entry.hops), via(node, entry) }
  end
  if #rows == 1 then return "no routes: nobody can be reached" end
  return format.table(rows, { [2] = true })
end

--- The way to a peer, a hop a line.
---@param ids string[]  from this node to the peer
---@return string
function views.trace(node, ids)
  local rows = { { "0", name_and_id(node), "this node" } }
  for hop = 2, #ids do
    local entry = node:peer(ids[hop]) or {}
    local note = entry.linked and entry.rtt_ms and format.rtt(entry.rtt_ms) or ""
    rows[hop] = { ("%d"):format(hop - 1), views.name_and_id(node, ids[hop]), note }
  end
  return format.table(rows, { [1] = true })
end

local function discarded(status)
  local rows = {}
  for i, d in ipairs(status.discarded) do rows[i] = { "", format.count(d.count), d.code .. ": " .. d.why } end
  return #rows > 0 and "discarded\n" .. format.table(rows, { [2] = true }) or "nothing discarded"
end

local function limits(node)
  local lines = {}
  for _, limit in ipairs(node:limits()) do
    local line = ("limit %s: %s %s; %s"):format(limit.name, format.count(limit.value), limit.unit, limit.behaviour)
    lines[#lines + 1] = format.wrap(line, 4)
  end
  return table.concat(lines, "\n")
end

local function figures(node, s)
  local count, bytes = format.count, format.bytes
  return format.table {
    { "name", node.name },
    { "id", node.id },
    { "address", node.address ~= "" and node.address or "not listening" },
    { "uptime", format.duration(s.uptime_ms / 1000) },
    { "links", ("%s, %s in handshake"):format(count(s.links), count(s.handshaking)) },
    { "peers", ("%s known, %s reachable"):format(count(s.peers), count(s.reachable)) },
    { "mail waiting", ("%s, %s"):format(format.plural(s.mail, "message"), bytes(s.mail_bytes)) },
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

--- Who this node is, how it does, what it threw away and where its limits are.
---@return string
function views.status(node)
  local status = node:status()
  return table.concat({ figures(node, status), discarded(status), limits(node) }, "\n")
end

local function dot_nodes(node, edges)
  local nodes = { { id = node.id, name = node.name } }
  local is_there = { [node.id] = true }
  for _, edge in ipairs(edges) do
    for _, id in ipairs { edge.a, edge.b } do
      if not is_there[id] then nodes[#nodes + 1] = { id = id, name = views.name(node, id) } end
      is_there[id] = true
    end
  end
  return sorted(nodes, function(a, b)
    if a.name ~= b.name then return a.name < b.name end
    return a.id < b.id
  end)
end

--- The network as this node sees it, for `dot`.
---@return string
function views.dot(node)
  local edges, lines, links = node:edges(), { "graph moth {" }, {}
  for _, n in ipairs(dot_nodes(node, edges)) do
    local style = n.id == node.id and ", style=bold" or ""
    lines[#lines + 1] = ("  %s [label=%s%s];"):format(format.dot_string(n.id), format.dot_string(n.name), style)
  end
  for i, edge in ipairs(edges) do
    local a, b = edge.a, edge.b
    if b < a then a, b = b, a end
    links[i] = ("  %s -- %s;"):format(format.dot_string(a), format.dot_string(b))
  end
  table.sort(links)
  table.move(links, 1, #links, #lines + 1, lines)
  lines[#lines + 1] = "}"
  return table.concat(lines, "\n")
end

return views
