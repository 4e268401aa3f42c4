--- The shell's commands about messages: sending one, what became of it, what was said before.

local format = require "moth.format"
local json_views = require "moth.json_views"
local views = require "moth.views"

local HISTORY_COUNT = 20
local HISTORY_COUNT_MAX = 10000
local ID_DIGITS_MAX = 16

local message_commands = {}

-- The sentence about a message that is just sent.
local function sent(shell, m)
  shell.waiting:kept(m, shell.is_terminal)
  local standing = m.state == "pending" and "not on the disk yet" or views.standing(m)
  local text = ("to %s: %s (id %s)"):format(m.name, standing, format.hex(m.id))
  if views.IS_BAD[m.state] then return nil, text, m.reason or m.state end
  return text, json_views.message(m)
end

local function send(shell, peer, text)
  local node = shell.node
  local id, unknown, unknown_code = views.resolve(node, peer)
  if not id then return nil, unknown, unknown_code end
  local m, why, code = node:send(id, text)
  if m then return sent(shell, m) end
  if code == "unwanted" then why = ("%s is blocked; unblock %s first"):format(views.name(node, id), peer) end
  return nil, why, code
end

local function queue(shell, peer)
  local id, unknown, code
  if peer then
    id, unknown, code = views.resolve(shell.node, peer)
    if not id then return nil, unknown, code end
  end
  local mail, why, failure = shell.node:queue(id)
  if not mail then return nil, why, failure end
  return views.queue(mail, shell.width), json_views.array(mail, json_views.message)
end

-- --- one message ---

-- The message of ours with the number that `send` showed.
local function find_message(node, hex)
  local id = #hex <= ID_DIGITS_MAX and hex:find("^%x+$") and tonumber(hex, 16)
  if not id then
    return nil, ("\"%s\" is no message id; 'queue' shows which wait"):format(format.shown(hex)), "argument"
  end
  local m, why, code = node:message(id)
  if m or code ~= "not_found" then return m, why, code end
  return nil, ("no message %s was sent from here, or it is forgotten; 'queue' shows which wait"):format(format.hex(id)),
    code
end

local function message(shell, hex)
  local m, why, code = find_message(shell.node, hex)
  if not m then return nil, why, code end
  return views.message(m, shell.width), json_views.message(m)
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
  local m, unknown, unknown_code = find_message(node, hex)
  if not m then return nil, unknown, unknown_code end
  local but = afterlife(m)
  local ok, why, code = node:cancel(m.id)
  if not ok then return nil, code == "not_found" and has_ended(m) or why, code end
  return ("message %s to %s is cancelled%s"):format(format.hex(m.id), m.name, but), json_views.message(m)
end

-- --- history ---

local function count_of(text)
  local n = #text <= 5 and text:find("^%d+$") and tonumber(text)
  if n and n >= 1 and n <= HISTORY_COUNT_MAX then return n end
end

-- One word can be either: it is a peer when there is one of that name.
local function history(shell, peer, count)
  local node, id, unknown, code = shell.node, nil, nil, nil
  if peer then id, unknown, code = views.resolve(node, peer) end
  if unknown and not count and count_of(peer) then peer, count, unknown = nil, peer, nil end
  if unknown then return nil, unknown, code end
  local n = count_of(count or ("%d"):format(HISTORY_COUNT))
  if not n then
    return nil, ("N is a whole number from 1 to %s"):format(format.count(HISTORY_COUNT_MAX)), "argument"
  end
  local entries, why, failure = node:history(id, n)
  if not entries then return nil, why, failure end
  return views.history(entries, shell.width), json_views.array(entries, json_views.entry)
end

---@type shell.command[]
message_commands.list = {
  { name = "send", usage = "send PEER TEXT", help = "send a message; it waits here if they are away", group = "talk",
    example = "send eva good morning", least = 2, most = 2, takes_rest = true, run = send },
  { name = "history", usage = "history [PEER] [N]", help = "the last messages sent and received; N: 20",
    group = "talk", example = "history eva 50", least = 0, most = 2, run = history },
  { name = "queue", usage = "queue [PEER]", help = "messages that wait, or are on their way", group = "talk",
    example = "queue eva", least = 0, most = 1, run = queue },
  { name = "message", usage = "message ID", help = "all about one message; send and queue show its id",
    group = "talk", example = "message 18d2c4f0a1b00001", least = 1, most = 1, run = message },
  { name = "cancel", usage = "cancel ID", help = "give up a message that has not arrived", group = "talk",
    example = "cancel 18d2c4f0a1b00001", least = 1, most = 1, run = cancel },
}

return message_commands
