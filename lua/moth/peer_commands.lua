--- The shell's commands about one peer: bringing somebody here, or oneself there, by one line; all that is known of
--- somebody; how long the way to somebody takes.

local core = require "moth.core"
local format = require "moth.format"
local task = require "moth.task"
local views = require "moth.views"

local LINK_SECONDS = 6
local PING_COUNT, PING_COUNT_MAX = 4, 1000
local PING_SECONDS = 3           -- for an answer
local PING_PAUSE_US = 1000000    -- from one to the next
local PING_SERVICE = "moth.ping" -- nobody serves it: that there is none is an answer as good as any

local peer_commands = {}

local function resolve(node, peer)
  local id, why, code = node:resolve(peer)
  if id then return id end
  return nil, code == "unknown_peer" and views.unknown_peer(node, peer) or why, code
end

-- --- invite, join ---

local function host(address)
  return address:match("^(.*):%d+$")
end

-- Who can do something with an invitation; nil: anybody.
local function audience(node, about)
  if about.reach == "machine" then
    return ("for nodes on this machine only: this one listens on %s"):format(host(about.address))
  elseif about.reach == "near" then
    return ("for nodes in the same local network: %s is not known beyond it"):format(host(about.address))
  elseif node.address == "" then
    return "this node does not listen: who joins gets to know it, but cannot link to it"
  elseif about.reach == "nobody" then
    return "it names no address: start with --advertise HOST:PORT, or tell where to connect to"
  end
end

local function invite(shell)
  local line, about, code = shell.node:invite()
  if not line then return nil, about, code end
  local said, remark = {}, audience(shell.node, about)
  if remark then said[1] = format.wrap(remark, 0, shell.width) end
  if about.has_network_key then
    local warning = "whoever has this line can join the network: it holds the network key"
    said[#said + 1] = format.wrap(warning, 0, shell.width)
  end
  said[#said + 1] = line
  return table.concat(said, "\n"), { invitation = line, address = about.address ~= "" and about.address or nil,
    reach = about.reach, has_network_key = about.has_network_key }
end

-- Why there is no link to who invited, and what happens next.
local function unlinked(node, who, why)
  local entry, name = views.wanted(node, who.address), views.name_and_id(node, who.id)
  local code = entry and entry.reason or "timeout"
  if not entry then return ("%s is known now, but cannot be linked at %s: %s"):format(name, who.address, why), code end
  local again = ("trying again in the background (disconnect %s stops it)"):format(who.address)
  if code == "wrong_identity" then
    return ("another node answers at %s, not %s, which is known now; ask for a new invitation; %s"):format(who.address,
      name, again), code
  end
  return ("%s is known now, but cannot be linked at %s: %s; %s"):format(name, who.address, why, again), code
end

local function join(shell, line)
  local node = shell.node
  local who, why, code = node:join(line)
  if not who then return nil, why, code end
  local name, value = views.name_and_id(node, who.id), { peer = who.id, name = who.name, linked = false }
  if who.address == "" then
    return format.wrap(("%s is known now; the invitation names no address: connect HOST:PORT links to it"):format(name),
      0, shell.width), value
  end
  local peer, reason = shell.waiting:link(who.address, LINK_SECONDS)
  if not peer then return nil, unlinked(node, who, reason) end
  value.address, value.linked = who.address, true
  return ("joined: linked to %s at %s"):format(name, who.address), value
end

-- --- whois ---

-- The full id in groups, as people compare it.
local function groups(id)
  return (id:gsub("....", "%0 "):gsub(" $", ""))
end

local function names_on(node, path)
  local names = {}
  for i, id in ipairs(path) do names[i] = views.name(node, id) end
  return table.concat(names, ", ")
end

local function hops(node, entry)
  local text = format.plural(entry.hops, "hop")
  return entry.via ~= entry.id and ("%s via %s"):format(text, views.name(node, entry.via)) or text
end

local function standing(node, entry)
  if entry.linked then return entry.inbound and "linked, dialled from there" or "linked, dialled from here" end
  return entry.up and ("reachable, %s"):format(hops(node, entry)) or "away"
end

local function own_name(entry)
  if entry.claimed == "" then return "not known yet" end
  if entry.claimed == entry.name then return nil end
  return entry.aliased and entry.claimed or ("%s, a name that somebody else had first"):format(entry.claimed)
end

local function mail(count, name)
  if count == 0 then return "nothing waits" end
  local verb = count == 1 and "waits" or "wait"
  return ("%s %s ('queue %s' shows)"):format(format.plural(count, "message"), verb, name)
end

local function last_message(entry)
  if not entry then return "none" end
  return ("%s %s"):format(os.date("%Y-%m-%d %H:%M:%S", math.floor(entry.time)), entry.ours and "to them" or "from them")
end

-- Rows of a table without those that have nothing to say.
local function filled(rows)
  local list = {}
  for _, row in ipairs(rows) do
    if row[2] then list[#list + 1] = row end
  end
  return list
end

local function whois_self(shell)
  local node = shell.node
  local address = node.address ~= "" and node.address or nil
  return format.table({
    { "name", node.name },
    { "id", node.id },
    { "to compare", groups(node.id) },
    { "state", "this node itself" },
    { "address", address or "not listening" },
  }, { width = shell.width }), { id = node.id, name = node.name, address = address, is_self = true }
end

local function facts(node, entry)
  local history = node:history(entry.id, 1) or {}
  return {
    id = entry.id, name = entry.name, claimed = entry.claimed ~= "" and entry.claimed or nil, is_self = false,
    aliased = entry.aliased, linked = entry.linked, up = entry.up, blocked = entry.blocked,
    hops = entry.up and entry.hops or nil, via = entry.via, path = entry.up and node:path(entry.id) or nil,
    address = entry.address ~= "" and entry.address or nil, rtt = entry.rtt_ms and entry.rtt_ms / 1000,
    waiting = #(node:queue(entry.id) or {}), last_message = history[1] and history[1].time,
  }, history[1]
end

local function whois(shell, peer)
  local node = shell.node
  local id, unknown, code = resolve(node, peer)
  if not id then return nil, unknown, code end
  if id == node.id then return whois_self(shell) end
  local entry = node:peer(id)
  local value, last = facts(node, entry)
  return format.table(filled {
    { "name", entry.aliased and entry.name .. " (your alias)" or entry.name },
    { "calls itself", own_name(entry) },
    { "id", id },
    { "to compare", groups(id) },
    { "state", standing(node, entry) },
    { "path", value.path and names_on(node, value.path) },
    { "address", value.address or "not known" },
    { "round trip", entry.rtt_ms and format.rtt(entry.rtt_ms) },
    { "mail", mail(value.waiting, entry.name) },
    { "last message", last_message(last) },
    { "blocked", entry.blocked and "yes: no link, and what comes from there is refused" or nil },
  }, { width = shell.width }), value
end

-- --- ping ---

local function count_of(text)
  local n = #text <= 5 and text:find("^%d+$") and tonumber(text)
  if n and n >= 1 and n <= PING_COUNT_MAX then return n end
end

---@class ping
---@field shell table
---@field id string
---@field sent integer
---@field trips number[]  in milliseconds
local ping = {}
ping.__index = ping

local function summary(p)
  local counted = ("%d sent, %d answered"):format(p.sent, #p.trips)
  if #p.trips == 0 then return counted end
  local sum = 0
  for _, ms in ipairs(p.trips) do sum = sum + ms end
  local least, most = math.min(table.unpack(p.trips)), math.max(table.unpack(p.trips))
  return ("%s, %.1f/%.1f/%.1f ms"):format(counted, least, sum / #p.trips, most), least, sum / #p.trips, most
end

-- Whoever ends it early wants to know what came out.
function ping.__close(p)
  if not p.is_told then p.shell:say((summary(p))) end
end

local function no_way(node, id, why, code)
  if code == "unreachable" then return ("there is no route to %s now"):format(views.name(node, id)) end
  if code == "unwanted" then return ("%s is blocked; unblock it first"):format(views.name(node, id)) end
  return why
end

-- One request: a line of what came of it; or nil, a sentence and a word when it did not even leave.
local function probe(p)
  local node, began_us = p.shell.node, core.now()
  local reply, why, code = p.shell.hub.service:ask(p.id, PING_SERVICE, true, task.deadline(PING_SECONDS))
  if not reply and code ~= "timeout" then return nil, no_way(node, p.id, why, code), code end
  p.sent = p.sent + 1
  if not reply then return ("no answer in %d s"):format(PING_SECONDS) end
  local ms, entry = (core.now() - began_us) / 1000, node:peer(p.id)
  p.trips[#p.trips + 1] = ms
  local text = ("%.1f ms"):format(ms)
  return entry and entry.up and ("%s, %s"):format(text, hops(node, entry)) or text
end

-- True, or why not even the first one left.
local function probe_all(p, count)
  for i = 1, count do
    local next_us = core.now() + PING_PAUSE_US
    local line, why, code = probe(p)
    if not line and i == 1 then return nil, why, code end
    p.shell:say(("%s: %s"):format(views.name_and_id(p.shell.node, p.id), line or why))
    if i < count then task.sleep(math.max(0, next_us - core.now()) / 1000000) end
  end
  return true
end

local function outcome(p)
  local text, least, mean, most = summary(p)
  if #p.trips == 0 then return nil, text, "timeout" end
  local seconds = {}
  for i, ms in ipairs(p.trips) do seconds[i] = ms / 1000 end
  return text, { peer = p.id, name = views.name(p.shell.node, p.id), sent = p.sent, answered = #p.trips,
    round_trips = seconds, least = least / 1000, mean = mean / 1000, most = most / 1000 }
end

local function run_ping(shell, peer, count)
  local n = count_of(count or ("%d"):format(PING_COUNT))
  if not n then
    return nil, ("N is a whole number from 1 to %s"):format(format.count(PING_COUNT_MAX)), "argument"
  end
  local id, unknown, code = resolve(shell.node, peer)
  if not id then return nil, unknown, code end
  if id == shell.node.id then return nil, "that is this node itself: there is no way to measure", "self" end
  local p <close> = setmetatable({ shell = shell, id = id, sent = 0, trips = {} }, ping)
  local ok, why, word = probe_all(p, n)
  p.is_told = true
  if not ok then return nil, why, word end
  return outcome(p)
end

---@type shell.command[]
peer_commands.list = {
  { name = "invite", usage = "invite", help = "one line that brings another node here", group = "network",
    example = "invite", least = 0, most = 0, run = invite },
  { name = "join", usage = "join LINE", help = "link to the node that made an invitation", group = "network",
    example = "join moth1:AQAPMTI3LjAu...", least = 1, most = 1, takes_rest = true, run = join },
  { name = "whois", usage = "whois PEER", help = "all that is known of a peer", group = "network",
    example = "whois eva", least = 1, most = 1, run = whois },
  { name = "ping", usage = "ping PEER [N]", help = "how long the way there and back takes; N: 4", group = "network",
    example = "ping eva 10", least = 1, most = 2, run = run_ping },
}

return peer_commands
