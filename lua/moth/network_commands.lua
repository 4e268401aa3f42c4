--- The shell's commands about the network: links, who is there, what they are called here, the map.

local graph = require "moth.graph"
local json_views = require "moth.json_views"
local views = require "moth.views"

local CONNECT_SECONDS = 6

local network_commands = {}

-- A command on a peer: `run` gets the shell, the peer's id and what it is called here, then the other words.
local function on_peer(run)
  return function(shell, peer, ...)
    local id, unknown, code = views.resolve(shell.node, peer)
    if not id then return nil, unknown, code end
    return run(shell, id, views.name(shell.node, id), ...)
  end
end

local function peer_value(node, id, fields)
  local value = fields or {}
  value.peer, value.name = id, views.name(node, id)
  return value
end

-- --- links ---

-- "::1", "7001" is [::1]:7001.
local function join_address(host, port)
  if not port then return host end
  if host:find(":", 1, true) and host:sub(1, 1) ~= "[" then host = "[" .. host .. "]" end
  return host .. ":" .. port
end

local function linked(node, how, peer, address)
  local text = ("%s to %s at %s"):format(how, views.name_and_id(node, peer), address)
  return text, peer_value(node, peer, { address = address })
end

local function unlinked(node, address, reason)
  local entry, why = views.wanted(node, address), ("cannot connect to %s: %s"):format(address, reason)
  if not entry then return nil, why, "failed" end
  return nil, ("%s; trying again in the background (disconnect %s stops it)"):format(why, address),
    entry.reason or "timeout"
end

local function connect(shell, host, port)
  local node, address = shell.node, join_address(host, port)
  local before = views.wanted(node, address)
  if before and before.linked and before.peer then return linked(node, "already linked", before.peer, address) end
  local ok, why, code = node:connect(address)
  if not ok then return nil, why, code end
  local peer, reason = shell.waiting:link(address, CONNECT_SECONDS)
  if not peer then return unlinked(node, address, reason) end
  return linked(node, "linked", peer, address)
end

local function stop_dialling(node, address)
  local ok, why, code = node:disconnect(address)
  if ok then return "no longer connecting to " .. address, { address = address } end
  return nil, code == "not_found" and "nothing is connected to " .. address or why, code
end

-- Whose link that address is: one that was dialled, or one the list shows.
local function linked_at(node, address)
  local entry = views.wanted(node, address)
  if entry then return entry.linked and entry.peer end
  for _, peer in ipairs(node:peers()) do
    if peer.linked and peer.address == address then return peer.id end
  end
end

local function part(shell, id, name)
  local ok, why, code = shell.waiting:part(id)
  if ok then return "disconnected from " .. name, peer_value(shell.node, id) end
  return nil, code == "not_linked" and ("there is no direct link to %s"):format(name) or why, code
end

local part_peer = on_peer(part)

local function disconnect(shell, peer)
  if not peer:find(":", 1, true) then return part_peer(shell, peer) end
  local id = linked_at(shell.node, peer)
  if not id then return stop_dialling(shell.node, peer) end
  return part(shell, id, views.name(shell.node, id))
end

-- --- who is there ---

local function list(shell)
  local unread = shell.program.mailbox:counts()
  local function value_of(entry) return json_views.peer(entry, unread[entry.id]) end
  return views.list(shell.node, shell.width, unread),
    json_views.array(views.nearest_first(shell.node:peers()), value_of)
end

local function routes(shell)
  local node = shell.node
  local function value_of(entry)
    local via = views.name(node, entry.via)
    return { id = entry.id, name = entry.name, hops = entry.hops, via = entry.via, via_name = via }
  end
  return views.routes(node, shell.width), json_views.array(views.nearest_first(node:routes()), value_of)
end

local trace = on_peer(function(shell, id, name)
  local node = shell.node
  local ids, why, code = node:path(id)
  if not ids then return nil, code == "unreachable" and ("there is no route to %s now"):format(name) or why, code end
  local function name_of(hop) return views.name(node, hop) end
  return views.trace(node, ids, shell.width), json_views.path(node, ids, name_of)
end)

local function draw(shell, kind)
  if kind and kind ~= "dot" then return nil, "usage: graph [dot]", "usage" end
  local network = views.network(shell.node)
  local text = kind and graph.dot(network) or graph.draw(network, shell.width)
  return text, graph.value(network)
end

-- --- what they are here ---

local set_alias = on_peer(function(shell, id, _, name)
  local before = views.name_and_id(shell.node, id)
  local ok, why, code = shell.node:alias(id, name)
  if not ok then return nil, why, code end
  return ("%s is %s from now on"):format(before, name), peer_value(shell.node, id)
end)

local function list_aliases(shell)
  return views.aliases(shell.node, shell.width), json_views.array(views.aliased(shell.node), function(entry)
    return { peer = entry.id, name = entry.name, claimed = entry.claimed ~= "" and entry.claimed or nil }
  end)
end

local function alias(shell, peer, name)
  if not peer then return list_aliases(shell) end
  if not name then return nil, "usage: alias PEER NAME", "usage" end
  return set_alias(shell, peer, name)
end

local unalias = on_peer(function(shell, id, before)
  local node = shell.node
  local entry = node:peer(id)
  if not (entry and entry.aliased) then return nil, before .. " has no alias", "not_found" end
  local ok, why, code = node:alias(id, nil)
  if not ok then return nil, why, code end
  return ("%s is %s again"):format(before, views.name_and_id(node, id)), peer_value(node, id)
end)

local block = on_peer(function(shell, id, name)
  local ok, why, code = shell.node:block(id)
  if not ok then return nil, why, code end
  return ("%s is blocked: no link, and what comes from there is refused"):format(name),
    peer_value(shell.node, id, { blocked = true })
end)

local unblock = on_peer(function(shell, id, name)
  local entry = shell.node:peer(id)
  if not (entry and entry.blocked) then return nil, name .. " is not blocked", "not_found" end
  local ok, why, code = shell.node:unblock(id)
  if not ok then return nil, why, code end
  return name .. " is no longer blocked", peer_value(shell.node, id, { blocked = false })
end)

---@type shell.command[]
network_commands.list = {
  { name = "list", usage = "list", help = "who is linked, who can be reached, who is known", group = "network",
    example = "list", least = 0, most = 0, run = list },
  { name = "connect", usage = "connect HOST:PORT", help = "keep a link to that address (also: HOST PORT)",
    group = "network", example = "connect 127.0.0.1:6684", least = 1, most = 2, run = connect },
  { name = "disconnect", usage = "disconnect PEER|HOST:PORT", help = "end a link, or stop dialling",
    group = "network", example = "disconnect bob", least = 1, most = 1, run = disconnect },
  { name = "routes", usage = "routes", help = "through whom each peer is reached", group = "network",
    example = "routes", least = 0, most = 0, run = routes },
  { name = "trace", usage = "trace PEER", help = "the way to a peer, each hop named", group = "network",
    example = "trace eva", least = 1, most = 1, run = trace },
  { name = "graph", usage = "graph [dot]", help = "the network as seen from here; dot: for Graphviz",
    group = "network", example = "graph", least = 0, most = 1, run = draw },
  { name = "alias", usage = "alias [PEER NAME]", help = "call a peer by a name of your own; alone: all names",
    group = "network", example = "alias eva sis", least = 0, most = 2, run = alias },
  { name = "unalias", usage = "unalias PEER", help = "take that name away again", group = "network",
    example = "unalias sis", least = 1, most = 1, run = unalias },
  { name = "block", usage = "block PEER", help = "no link with a peer, and nothing from it", group = "network",
    example = "block kim", least = 1, most = 1, run = block },
  { name = "unblock", usage = "unblock PEER", help = "let a peer come and write again", group = "network",
    example = "unblock kim", least = 1, most = 1, run = unblock },
}

return network_commands
