--- What the node knows, as text: pure functions from a node's answers to what the commands print.

local format = require "moth.format"

local NAME_WIDTH = 14  -- in the tables that have six columns
local QUEUE_ROWS = 100 -- more are only counted

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

-- The address, and what else there is to say.
local function remarks(entry)
  local notes = {}
  if not entry.up then notes[1] = "away" end
  if entry.blocked then notes[#notes + 1] = "blocked" end
  if entry.aliased then notes[#notes + 1] = "alias" end
  local text = table.concat(notes, ", ")
  if entry.address == "" then return text == "" and "-" or text end
  return text == "" and entry.address or entry.address .. "  " .. text
end

local function list_row(node, entry)
  local hops, address = entry.up and ("%d"):format(entry.hops) or "-", remarks(entry)
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

--- Who has an alias, and what they call themselves.
---@return string
function views.aliases(node)
  local rows = { { "ALIAS", "ID", "CALLS ITSELF" } }
  for _, entry in ipairs(sorted(node:peers(), function(a, b) return a.name < b.name end)) do
    if entry.aliased then
      rows[#rows + 1] = { entry.name, format.id8(entry.id), entry.claimed ~= "" and entry.claimed or "-" }
    end
  end
  if #rows == 1 then return "no aliases; this gives one: alias PEER NAME" end
  return format.table(rows)
end

-- What a person can read of a message; further lines are indented, so that no text can pass for another message.
local function content(msg)
  local text = msg.json or msg.data -- of JSON, `data` may be its value
  if msg.encoding == "bytes" or not utf8.len(text) then return format.plural(#text, "byte") end
  return (text:gsub("\r?\n$", ""):gsub("\r?\n", "\n  "))
end

--- `[TIME] WHO (TYPE, NOTE): TEXT`; a type only when it is not text.
---@param time string
---@param who string
---@param msg table  type, encoding, data
---@param note? string
---@return string
function views.line(time, who, msg, note)
  local notes = {}
  if msg.type ~= "text" then notes[1] = msg.type end
  notes[#notes + 1] = note
  local remark = #notes > 0 and (" (%s)"):format(table.concat(notes, ", ")) or ""
  return ("[%s] %s%s: %s"):format(time, who, remark, content(msg))
end

local function date(seconds)
  return os.date("%Y-%m-%d %H:%M:%S", math.floor(seconds))
end

--- States that mean that a message will never arrive.
views.IS_BAD = { expired = true, refused = true, cancelled = true, lost = true }

local function history_line(entry)
  local aside = entry.set_aside and "set aside" or nil
  if not entry.ours then return views.line(date(entry.time), entry.name, entry, aside) end
  local why = views.IS_BAD[entry.state] and entry.reason ~= entry.state and entry.why
  local state = why and ("%s: %s"):format(entry.state, why) or entry.state
  return views.line(date(entry.time), "to " .. entry.name, entry, state)
end

--- Messages sent and received.
---@param entries table[]  the oldest first
---@return string
function views.history(entries)
  local lines = {}
  for i, entry in ipairs(entries) do lines[i] = history_line(entry) end
  return #lines > 0 and table.concat(lines, "\n") or "no messages yet"
end

--- How a message of ours stands, in words.
---@return string
function views.standing(m)
  if m.state == "carried" then
    return "carried by " .. m.by_name .. (m.carriers > 1 and (" and %d more"):format(m.carriers - 1) or "")
  end
  if m.reason == "unreachable" then return ("%s: there is no route to %s now"):format(m.state, m.name) end
  return m.why and m.reason ~= m.state and ("%s: %s"):format(m.state, m.why) or m.state
end

local function queue_row(m, now)
  local why = m.reason == "unreachable" and "no route" or m.reason or ""
  if m.state == "carried" then why = "by " .. format.cut(m.by_name, NAME_WIDTH) end
  local age = format.duration(math.max(0, now - m.accepted))
  return { format.hex(m.id), format.cut(m.name, NAME_WIDTH), m.state, why, age, ("%d"):format(m.tries) }
end

--- Messages of ours that have not ended, the oldest first.
---@param mail table[]
---@return string
function views.queue(mail)
  if #mail == 0 then return "nothing waiting" end
  local rows, now = { { "ID", "TO", "STATE", "WHY", "AGE", "TRIES" } }, os.time()
  for i = 1, math.min(#mail, QUEUE_ROWS) do rows[i + 1] = queue_row(mail[i], now) end
  local text = format.table(rows, { [5] = true, [6] = true })
  if #mail <= QUEUE_ROWS then return text end
  return ("%s\nand %s more"):format(text, format.count(#mail - QUEUE_ROWS))
end

local function carriers(m)
  local count = format.count(m.carriers)
  return m.refusal and ("%s; one refused: %s"):format(count, m.refusal) or count
end

--- All about one message of ours.
---@return string
function views.message(m)
  return format.table {
    { "id", format.hex(m.id) },
    { "to", name_and_id { name = m.name, id = m.to } },
    { "state", views.standing(m) },
    { "since", date(m.time) },
    { "accepted", date(m.accepted) },
    { "sent", format.plural(m.tries, "time") },
    { "carriers", carriers(m) },
    { "size", format.bytes(m.bytes) },
  }
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
