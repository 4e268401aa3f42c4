--- The shell's commands: each is data (name, usage, help, example, run), so that running, help and
--- suggestions read one table.
--
-- `run(shell, words...)` gets between `least` and `most` words, the last of them the rest of the line when
-- `takes_rest`. It returns what to say, or true for nothing, or nil and a sentence. It may wait.

local core = require "moth.core"
local format = require "moth.format"
local manual = require "moth.manual"
local script_commands = require "moth.script_commands"
local suggest = require "moth.suggest"
local views = require "moth.views"

local CONNECT_SECONDS = 6
local HISTORY_COUNT = 20
local HISTORY_COUNT_MAX = 10000
local ID_DIGITS_MAX = 16

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

-- A command on a peer: `run` gets the node, the peer's id and the words as they were given, the peer first.
local function on_peer(run)
  return function(shell, peer, ...)
    local id, unknown = resolve(shell.node, peer)
    if not id then return nil, unknown end
    return run(shell.node, id, peer, ...)
  end
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

local function send(shell, peer, text)
  local node = shell.node
  local id, unknown = resolve(node, peer)
  if not id then return nil, unknown end
  local m, why, code = node:send(id, text)
  if not m and code == "unwanted" then why = ("%s is blocked; unblock %s first"):format(views.name(node, id), peer) end
  if not m then return nil, why end
  shell:await_kept(m)
  local standing = m.state == "pending" and "not on the disk yet" or views.standing(m)
  local line = ("to %s: %s (id %s)"):format(m.name, standing, format.hex(m.id))
  if views.IS_BAD[m.state] then return nil, line end
  return line
end

local function queue(shell, peer)
  local node, id, unknown = shell.node, nil, nil
  if peer then
    id, unknown = resolve(node, peer)
    if not id then return nil, unknown end
  end
  return views.queue(node:queue(id))
end

-- The message of ours with the number that `send` showed.
local function find_message(node, hex)
  local id = #hex <= ID_DIGITS_MAX and hex:find("^%x+$") and tonumber(hex, 16)
  if not id then return nil, ("\"%s\" is no message id; 'queue' shows which wait"):format(format.shown(hex)) end
  local m, why, code = node:message(id)
  if m or code ~= "not_found" then return m, why end
  return nil, ("no message %s was sent from here, or it is forgotten; 'queue' shows which wait"):format(format.hex(id))
end

local function message(shell, hex)
  local m, why = find_message(shell.node, hex)
  return m and views.message(m), why
end

-- Why a message that is known cannot be cancelled.
local function has_ended(m)
  local what = ("message %s to %s"):format(format.hex(m.id), m.name)
  if m.state == "delivered" then return what .. " was delivered already: it cannot be cancelled" end
  return ("%s has ended already: %s"):format(what, views.standing(m))
end

-- What a cancelled message can still do.
local function afterlife(m)
  if m.carriers > 0 then return ("; %s holds a copy and may still deliver it"):format(m.by_name or "a carrier") end
  return m.tries > 0 and "; it is on its way and may still arrive" or ""
end

local function cancel(shell, hex)
  local node = shell.node
  local m, unknown = find_message(node, hex)
  if not m then return nil, unknown end
  local but = afterlife(m)
  local ok, why, code = node:cancel(m.id)
  if not ok then return nil, code == "not_found" and has_ended(m) or why end
  return ("message %s to %s is cancelled%s"):format(format.hex(m.id), m.name, but)
end

local function count_of(text)
  local n = #text <= 5 and text:find("^%d+$") and tonumber(text)
  if n and n >= 1 and n <= HISTORY_COUNT_MAX then return n end
end

-- One word can be either: it is a peer when there is one of that name.
local function history(shell, peer, count)
  local node, id, unknown = shell.node, nil, nil
  if peer then id, unknown = resolve(node, peer) end
  if unknown and not count and count_of(peer) then peer, count, unknown = nil, peer, nil end
  if unknown then return nil, unknown end
  local n = count_of(count or ("%d"):format(HISTORY_COUNT))
  if not n then return nil, ("N is a whole number from 1 to %s"):format(format.count(HISTORY_COUNT_MAX)) end
  local entries, why = node:history(id, n)
  return entries and views.history(entries), why
end

local set_alias = on_peer(function(node, id, _, name)
  local before = views.name_and_id(node, id)
  local ok, why = node:alias(id, name)
  return ok and ("%s is %s from now on"):format(before, name), why
end)

local function alias(shell, peer, name)
  if not peer then return views.aliases(shell.node) end
  if not name then return nil, "usage: alias PEER NAME" end
  return set_alias(shell, peer, name)
end

local unalias = on_peer(function(node, id)
  local entry, before = node:peer(id), views.name(node, id)
  if not (entry and entry.aliased) then return nil, before .. " has no alias" end
  local ok, why = node:alias(id, nil)
  return ok and ("%s is %s again"):format(before, views.name_and_id(node, id)), why
end)

local block = on_peer(function(node, id)
  local ok, why = node:block(id)
  return ok and ("%s is blocked: no link, and what comes from there is refused"):format(views.name(node, id)), why
end)

local unblock = on_peer(function(node, id)
  local entry, name = node:peer(id), views.name(node, id)
  if not (entry and entry.blocked) then return nil, name .. " is not blocked" end
  local ok, why = node:unblock(id)
  return ok and name .. " is no longer blocked", why
end)

local trace = on_peer(function(node, id)
  local ids, why, code = node:path(id)
  if ids then return views.trace(node, ids) end
  return nil, code == "unreachable" and ("there is no route to %s now"):format(views.name(node, id)) or why
end)

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

local the_manual ---@type manual

-- What is not the name of a command may be one of the Lua that scripts see.
local function help_lua(name)
  the_manual = the_manual or manual.new(core.source)
  local entry = the_manual:find(name)
  if entry then return manual.show(entry) end
  local _, why = commands.find(name)
  local near = not commands.nearest(name) and the_manual:near(name)
  return nil, near and ("nothing is called \"%s\"; did you mean %s?"):format(format.shown(name), near) or why
end

local function help(_, name)
  if not name then return help_all() end
  local command = commands.find(name)
  if not command then return help_lua(name) end
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
  { name = "queue", usage = "queue [PEER]", help = "messages that wait for somebody, or are on their way",
    example = "queue eva", least = 0, most = 1, run = queue },
  { name = "message", usage = "message ID", help = "all about one message; send and queue show its id",
    example = "message 18d2c4f0a1b00001", least = 1, most = 1, run = message },
  { name = "cancel", usage = "cancel ID", help = "give up a message that has not arrived",
    example = "cancel 18d2c4f0a1b00001", least = 1, most = 1, run = cancel },
  { name = "history", usage = "history [PEER] [N]", help = "the last messages sent and received; N: 20",
    example = "history eva 50", least = 0, most = 2, run = history },
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
  { name = "alias", usage = "alias [PEER NAME]", help = "call a peer by a name of your own; alone: list them",
    example = "alias eva sis", least = 0, most = 2, run = alias },
  { name = "unalias", usage = "unalias PEER", help = "take that name away again",
    example = "unalias sis", least = 1, most = 1, run = unalias },
  { name = "block", usage = "block PEER", help = "no link with a peer, and nothing from it",
    example = "block kim", least = 1, most = 1, run = block },
  { name = "unblock", usage = "unblock PEER", help = "let a peer come and write again",
    example = "unblock kim", least = 1, most = 1, run = unblock },
  { name = "id", usage = "id", help = "the name, full id and address of this node",
    example = "id", least = 0, most = 0, run = id },
  { name = "help", usage = "help [COMMAND|NAME]", help = "this list, one command, or a name of Lua",
    example = "help node.send", least = 0, most = 1, run = help },
  { name = "quit", also = "exit", usage = "quit", help = "say goodbye and end",
    example = "quit", least = 0, most = 0, run = quit },
}

-- Before the last three: id, help, quit.
for _, command in ipairs(script_commands.list) do
  table.insert(commands.list, #commands.list - 2, command)
end

local by_name, all_names = {}, {}
for _, command in ipairs(commands.list) do
  for _, name in ipairs { command.name, command.also } do
    by_name[name] = command
    all_names[#all_names + 1] = name
  end
end

--- The name of the command that was probably meant.
---@param name string
---@return string?
function commands.nearest(name)
  return suggest.nearest(name, all_names)
end

--- The command of that name, or nil and a sentence.
---@param name string
---@return shell.command?, string?
function commands.find(name)
  if by_name[name] then return by_name[name] end
  local nearest = commands.nearest(name)
  local hint = nearest and ("did you mean %s?"):format(nearest) or "help shows all"
  return nil, ("unknown command \"%s\"; %s"):format(format.shown(name), hint)
end

return commands
