--- The shell's commands: each is data (name, usage, help, example, run), so that running, help and
--- suggestions read one table.
--
-- `run(shell, words...)` gets between `least` and `most` words, the last of them the rest of the line when
-- `takes_rest`. It returns what to say, or true for nothing, or nil and a sentence. It may wait.

local format = require "moth.format"
local suggest = require "moth.suggest"
local task = require "moth.task"
local views = require "moth.views"

local CONNECT_SECONDS = 6

local commands = {}

---@class shell.command
---@field name string
---@field also? string  another name
---@field usage string
---@field help string   one line
---@field example string
---@field least integer
---@field most integer
---@field takes_rest? boolean
---@field run fun(shell: shell, ...: string): (string|true)?, string?

local function names_of(peers)
  local names = {}
  for i, peer in ipairs(peers) do names[i] = peer.name end
  return names
end

-- The node's sentence; for somebody who is not known, the nearest name.
local function explain(node, peer, why, code)
  if code ~= "unknown_peer" then return why end
  local nearest = suggest.nearest(peer, names_of(node:peers()))
  local hint = nearest and ("did you mean %s?"):format(nearest) or "'list' shows who is"
  return ("no peer \"%s\" is known; %s"):format(format.shown(peer), hint)
end

local function resolve(node, peer)
  local id, why, code = node:resolve(peer)
  if not id then return nil, explain(node, peer, why, code) end
  return id
end

-- "::1", "7001" is [::1]:7001.
local function join_address(host, port)
  if not port then return host end
  if host:find(":", 1, true) and host:sub(1, 1) ~= "[" then host = "[" .. host .. "]" end
  return host .. ":" .. port
end

local function connect(shell, host, port)
  local node, address = shell.node, join_address(host, port)
  local before = shell:wanted(address)
  if before and before.linked and before.peer then
    return ("already linked to %s at %s"):format(views.name_and_id(node, before.peer), address)
  end
  local ok, why = node:connect(address)
  if not ok then return nil, why end
  local peer, reason = shell:await_link(address, CONNECT_SECONDS)
  if peer then return ("linked to %s at %s"):format(views.name_and_id(node, peer), address) end
  if not shell:wanted(address) then return nil, ("cannot connect to %s: %s"):format(address, reason) end
  return nil, ("cannot connect to %s: %s; trying again in the background (disconnect %s stops it)"):format(
    address, reason, address)
end

local function stop_dialling(node, address)
  local ok, why, code = node:disconnect(address)
  if ok then return "no longer connecting to " .. address end
  return nil, code == "not_found" and "nothing is connected to " .. address or why
end

-- Whose link that address is: one that was dialled, or one the list shows.
local function linked_at(shell, address)
  local entry = shell:wanted(address)
  if entry then return entry.linked and entry.peer end
  for _, peer in ipairs(shell.node:peers()) do
    if peer.linked and peer.address == address then return peer.id end
  end
end

local function disconnect(shell, peer)
  local node, id, unknown = shell.node, nil, nil
  if peer:find(":", 1, true) then
    id = linked_at(shell, peer)
    if not id then return stop_dialling(node, peer) end
  else
    id, unknown = resolve(node, peer)
  end
  if not id then return nil, unknown end
  local name = views.name(node, id)
  local ok, why, code = shell:part(id)
  if not ok then return nil, code == "not_linked" and ("there is no direct link to %s"):format(name) or why end
  return "disconnected from " .. name
end

-- States that mean it will never arrive.
local IS_BAD = { expired = true, refused = true, cancelled = true, lost = true }

-- How a message that was just accepted stands.
local function standing(node, m, name)
  if m.state == "pending" and m.to ~= node.id then
    local entry = node:peer(m.to)
    if not (entry and entry.up) then return ("waiting: there is no route to %s now"):format(name) end
  end
  return m.why and ("%s: %s"):format(m.state, m.why) or m.state
end

local function send(shell, peer, text)
  local node = shell.node
  local id, unknown = resolve(node, peer)
  if not id then return nil, unknown end
  local m, why = node:send(id, text)
  if not m then return nil, why end
  task.turn()
  local name = views.name(node, id)
  local line = ("to %s: %s (id %s)"):format(name, standing(node, m, name), format.hex(m.id))
  if IS_BAD[m.state] then return nil, line end
  return line
end

local function trace(shell, peer)
  local node = shell.node
  local id, unknown = resolve(node, peer)
  if not id then return nil, unknown end
  local ids, why, code = node:path(id)
  if ids then return views.trace(node, ids) end
  return nil, code == "unreachable" and ("there is no route to %s now"):format(views.name(node, id)) or why
end

local function graph(shell, kind)
  if kind ~= "dot" then return nil, "usage: graph dot" end
  return views.dot(shell.node)
end

local function id(shell)
  local node = shell.node
  return format.table {
    { "name", node.name },
    { "id", node.id },
    { "address", node.address ~= "" and node.address or "not listening" },
  }
end

local function names(command)
  return command.also and command.name .. ", " .. command.also or command.name
end

local function help_all()
  local rows = {}
  for i, command in ipairs(commands.list) do
    local usage = command.also and command.usage .. ", " .. command.also or command.usage
    rows[i] = { usage, command.help }
  end
  return format.table(rows)
end

local function help(_, name)
  if not name then return help_all() end
  local command, why = commands.find(name)
  if not command then return nil, why end
  return format.table {
    { names(command), command.help },
    { "usage", command.usage },
    { "example", command.example },
  }
end

local function quit(shell)
  shell:leave()
  return true
end

---@type shell.command[]
commands.list = {
  { name = "connect", usage = "connect HOST:PORT", help = "keep a link to that address (also: HOST PORT)",
    example = "connect 127.0.0.1:6684", least = 1, most = 2, run = connect },
  { name = "disconnect", usage = "disconnect PEER|HOST:PORT", help = "end a link, or stop dialling",
    example = "disconnect bob", least = 1, most = 1, run = disconnect },
  { name = "send", usage = "send PEER TEXT", help = "send a message; it waits here if they are away",
    example = "send eva good morning", least = 2, most = 2, takes_rest = true, run = send },
  { name = "list", usage = "list", help = "who is linked, who can be reached, who is known",
    example = "list", least = 0, most = 0, run = function(shell) return views.list(shell.node) end },
  { name = "status", usage = "status", help = "figures, what was discarded and why, limits",
    example = "status", least = 0, most = 0, run = function(shell) return views.status(shell.node) end },
  { name = "routes", usage = "routes", help = "through whom each peer is reached",
    example = "routes", least = 0, most = 0, run = function(shell) return views.routes(shell.node) end },
  { name = "trace", usage = "trace PEER", help = "the way to a peer, each hop named",
    example = "trace eva", least = 1, most = 1, run = trace },
  { name = "graph", usage = "graph dot", help = "the network as seen from here, in the DOT language",
    example = "graph dot", least = 1, most = 1, run = graph },
  { name = "id", usage = "id", help = "the name, full id and address of this node",
    example = "id", least = 0, most = 0, run = id },
  { name = "help", usage = "help [COMMAND]", help = "this list, or one command",
    example = "help send", least = 0, most = 1, run = help },
  { name = "quit", also = "exit", usage = "quit", help = "say goodbye and end",
    example = "quit", least = 0, most = 0, run = quit },
}

local by_name, all_names = {}, {}
for _, command in ipairs(commands.list) do
  for _, name in ipairs { command.name, command.also } do
    by_name[name] = command
    all_names[#all_names + 1] = name
  end
end

--- The command of that name, or nil and a sentence.
---@param name string
---@return shell.command?, string?
function commands.find(name)
  if by_name[name] then return by_name[name] end
  local nearest = suggest.nearest(name, all_names)
  local hint = nearest and ("did you mean %s?"):format(nearest) or "help shows all"
  return nil, ("unknown command \"%s\"; %s"):format(format.shown(name), hint)
end

return commands
