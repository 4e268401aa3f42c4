--- What the node knows, as text: pure functions from a node's answers to what the commands print, in as many columns
-- as there are.

local format = require "moth.format"
local grid = require "moth.grid"
local suggest = require "moth.suggest"

local NAME_LEAST = 14     -- columns that names keep in a table of many columns,
local NAME_NARROW = 6     -- and on a narrow terminal
local NOTE_LEAST = 8      -- "blocked,", "no route"
local ADDRESS_LEAST = 21  -- HOST:PORT of four numbers
local QUEUE_ROWS = 100    -- more are only counted
local NARROW = 60         -- columns where the days of a history have lines of their own

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

--- The id of who is meant; or nil, a sentence that helps, and a word.
---@param node table
---@param peer string
---@return string?, string?, string?
function views.resolve(node, peer)
  local id, why, code = node:resolve(peer)
  if id then return id end
  return nil, code == "unknown_peer" and views.unknown_peer(node, peer) or why, code
end

--- Nobody is called so; somebody else may have been meant.
---@param node table
---@param peer string
---@return string
function views.unknown_peer(node, peer)
  local names = {}
  for i, entry in ipairs(node:peers()) do names[i] = entry.name end
  local nearest = suggest.nearest(peer, names)
  local hint = nearest and ("did you mean %s?"):format(nearest) or "'list' shows who is"
  return ("no peer \"%s\" is known; %s"):format(format.shown(peer), hint)
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

--- In the order in which people look for them.
---@param peers table[]
---@return table[]
function views.nearest_first(peers)
  return sorted(peers, is_nearer)
end

local function via(node, entry)
  if not entry.up or entry.via == entry.id then return "-" end
  return views.name(node, entry.via)
end

local function hops(entry)
  return entry.up and ("%d"):format(entry.hops) or "-"
end

-- What there is to say beside the figures.
local function notes(entry)
  local list = {}
  if not entry.up then list[1] = "away" end
  if entry.blocked then list[#list + 1] = "blocked" end
  if entry.aliased then list[#list + 1] = "alias" end
  return table.concat(list, ", ")
end

-- The same behind the address.
local function remarks(entry)
  local text = notes(entry)
  if entry.address == "" then return text == "" and "-" or text end
  return text == "" and entry.address or entry.address .. "  " .. text
end

local function name(entry)
  return entry.name
end

local function id8(entry)
  return format.id8(entry.id)
end

-- On a narrow terminal addresses stay out, and the id goes before the rest does.
local function list_columns(node, unread, is_narrow)
  local least = is_narrow and NAME_NARROW or NAME_LEAST
  local columns = {
    { head = "NAME", cell = name, least = least },
    { head = "ID", cell = id8, drop = is_narrow and 1 or nil },
    { head = "HOPS", cell = hops, right = true },
    { head = "VIA", cell = function(entry) return via(node, entry) end, least = least, drop = is_narrow and 2 or nil },
    { head = "RTT", cell = function(entry) return format.rtt(entry.rtt_ms) end, right = true,
      drop = is_narrow and 3 or nil },
  }
  if next(unread) then
    local function count(entry) return unread[entry.id] and format.count(unread[entry.id]) or "-" end
    columns[#columns + 1] = { head = "UNREAD", cell = count, right = true }
  end
  columns[#columns + 1] = is_narrow and { head = "NOTE", cell = notes, least = NOTE_LEAST }
    or { head = "ADDRESS", cell = remarks, least = ADDRESS_LEAST }
  return columns
end

local function peer_table(node, peers, width, unread)
  local wide, entries = list_columns(node, unread, false), views.nearest_first(peers)
  if grid.has_room(wide, entries, width) then return grid.list(wide, entries, width) end
  return grid.list(list_columns(node, unread, true), entries, width)
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
---@param node table
---@param width? integer
---@param unread? table<string, integer>  how many messages of whom nobody has seen
---@return string
function views.list(node, width, unread)
  local parts, peers = {}, node:peers()
  if #peers > 0 then parts[1] = peer_table(node, peers, width, unread or {}) end
  for _, wanted in ipairs(node:wanted()) do
    if not wanted.linked then parts[#parts + 1] = format.wrap(wanted_line(wanted), 2, width) end
  end
  if #parts == 0 then return "nobody yet: connect HOST:PORT" end
  return table.concat(parts, "\n")
end

--- Who can be reached, and through whom.
---@param node table
---@param width? integer
---@return string
function views.routes(node, width)
  local routes = views.nearest_first(node:routes())
  if #routes == 0 then return "no routes: nobody can be reached" end
  return grid.list({
    { head = "PEER", cell = name, least = NAME_NARROW },
    { head = "HOPS", cell = hops, right = true },
    { head = "VIA", cell = function(entry) return via(node, entry) end },
  }, routes, width)
end

--- The way to a peer, a hop a line.
---@param node table
---@param ids string[]  from this node to the peer
---@param width? integer
---@return string
function views.trace(node, ids, width)
  local rows = { { "0", name_and_id(node), "this node" } }
  for hop = 2, #ids do
    local entry = node:peer(ids[hop]) or {}
    local note = entry.linked and entry.rtt_ms and format.rtt(entry.rtt_ms) or ""
    rows[hop] = { ("%d"):format(hop - 1), views.name_and_id(node, ids[hop]), note }
  end
  return format.table(rows, { right = { [1] = true }, width = width })
end

--- The network as this node sees it, for graph.lua.
---@param node table
---@return graph.network
function views.network(node)
  local network = { me = node.id, names = { [node.id] = node.name }, edges = node:edges(), via = {} }
  for _, entry in ipairs(node:peers()) do
    network.names[entry.id], network.via[entry.id] = entry.name, entry.via
  end
  for _, edge in ipairs(network.edges) do
    for _, id in pairs(edge) do network.names[id] = network.names[id] or format.id8(id) end
  end
  return network
end

--- Those who have an alias, by it.
---@param node table
---@return table[] entries
function views.aliased(node)
  local list = {}
  for _, entry in ipairs(node:peers()) do
    if entry.aliased then list[#list + 1] = entry end
  end
  return sorted(list, function(a, b) return a.name < b.name end)
end

--- Who has an alias, and what they call themselves.
---@param node table
---@param width? integer
---@return string
function views.aliases(node, width)
  local entries = views.aliased(node)
  if #entries == 0 then return "no aliases; this gives one: alias PEER NAME" end
  return grid.list({
    { head = "ALIAS", cell = name, least = NAME_NARROW },
    { head = "ID", cell = id8, drop = 1 },
    { head = "CALLS ITSELF", cell = function(entry) return entry.claimed ~= "" and entry.claimed or "-" end },
  }, entries, width)
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
  local list = {}
  if msg.type ~= "text" then list[1] = msg.type end
  list[#list + 1] = note
  local remark = #list > 0 and (" (%s)"):format(table.concat(list, ", ")) or ""
  return ("[%s] %s%s: %s"):format(time, who, remark, content(msg))
end

--- States that mean that a message will never arrive.
views.IS_BAD = { expired = true, refused = true, cancelled = true, lost = true }

-- Who it is from or for, and what there is to say of it.
local function history_line(entry, time)
  local aside = entry.set_aside and "set aside" or nil
  if not entry.ours then return views.line(time, entry.name, entry, aside) end
  local why = views.IS_BAD[entry.state] and entry.reason ~= entry.state and entry.why
  local state = why and ("%s: %s"):format(entry.state, why) or entry.state
  return views.line(time, "to " .. entry.name, entry, state)
end

-- Every day has a line of its own, which leaves more room beside it.
local function history_by_days(entries)
  local rows, day = {}, nil
  for _, entry in ipairs(entries) do
    local this_day, time = format.time(entry.time):match("^(%S+) (%S+)$")
    if this_day ~= day then rows[#rows + 1] = this_day end
    day = this_day
    rows[#rows + 1] = history_line(entry, time)
  end
  return rows
end

--- Messages sent and received.
---@param entries table[]  the oldest first
---@param width? integer
---@return string
function views.history(entries, width)
  if #entries == 0 then return "no messages yet" end
  if width and width < NARROW then return table.concat(history_by_days(entries), "\n") end
  local rows = {}
  for i, entry in ipairs(entries) do rows[i] = history_line(entry, format.time(entry.time)) end
  return table.concat(rows, "\n")
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

local function waits_for(m)
  if m.state == "carried" then return "by " .. m.by_name end
  return m.reason == "unreachable" and "no route" or m.reason or ""
end

local function queue_columns(now)
  return {
    { head = "ID", cell = function(m) return format.hex(m.id) end },
    { head = "TO", cell = name, least = NAME_NARROW },
    { head = "STATE", cell = function(m) return m.state end, drop = 3 },
    { head = "WHY", cell = waits_for, least = NOTE_LEAST },
    { head = "AGE", cell = function(m) return format.duration(math.max(0, now - m.accepted)) end, right = true,
      drop = 2 },
    { head = "TRIES", cell = function(m) return ("%d"):format(m.tries) end, right = true, drop = 1 },
  }
end

--- Messages of ours that have not ended, the oldest first.
---@param mail table[]
---@param width? integer
---@return string
function views.queue(mail, width)
  if #mail == 0 then return "nothing waiting" end
  local some = table.move(mail, 1, math.min(#mail, QUEUE_ROWS), 1, {})
  local text = grid.list(queue_columns(os.time()), some, width)
  if #mail <= QUEUE_ROWS then return text end
  return ("%s\nand %s more"):format(text, format.count(#mail - QUEUE_ROWS))
end

local function carriers(m)
  local count = format.count(m.carriers)
  return m.refusal and ("%s; one refused: %s"):format(count, m.refusal) or count
end

--- All about one message of ours.
---@param m table
---@param width? integer
---@return string
function views.message(m, width)
  return format.table({
    { "id", format.hex(m.id) },
    { "to", name_and_id { name = m.name, id = m.to } },
    { "state", views.standing(m) },
    { "since", format.time(m.time) },
    { "accepted", format.time(m.accepted) },
    { "sent", format.plural(m.tries, "time") },
    { "carriers", carriers(m) },
    { "size", format.bytes(m.bytes) },
  }, { width = width })
end

return views
