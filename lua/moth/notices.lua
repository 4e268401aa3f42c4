--- What shows without being asked for: messages, and a line starting with `* ` when the network changes.
--
-- The chatter is kept short: a direct neighbour is announced by its link alone, a dial that fails again for
-- the same reason is not repeated, and many peers that come or go together are one line.

local format = require "moth.format"
local task = require "moth.task"
local views = require "moth.views"

local notices = {}

-- More than this many peers coming or going in one turn are only counted.
local BURST = 5

-- What a person can read of a message.
local function readable(msg)
  if msg.encoding == "bytes" or not utf8.len(msg.data) then return format.plural(#msg.data, "byte") end
  return (msg.data:gsub("\r?\n$", ""):gsub("\r?\n", "\n  "))
end

--- `[HH:MM:SS] NAME: TEXT`; further lines are indented, so that no text can pass for another message.
---@param msg table
---@return string
function notices.message(msg)
  local to = msg.broadcast and " to all" or ""
  local kind = msg.type ~= "text" and (" (%s)"):format(msg.type) or ""
  return ("[%s] %s%s%s: %s"):format(os.date("%H:%M:%S"), msg.name, to, kind, readable(msg))
end

--- One that can never succeed, to oneself for example, is given up by the node.
---@param node table
---@param address string
---@param why string
---@return string
function notices.failed_dial(node, address, why)
  local again = views.wanted(node, address) and "; trying again" or ""
  return ("* cannot connect to %s: %s%s"):format(address, why, again)
end

local function reached(node, e)
  local hops = format.plural(e.hops, "hop")
  if e.hops < 2 then return ("* %s can be reached"):format(e.name) end
  return ("* %s can be reached, %s via %s"):format(e.name, hops, views.name(node, e.via))
end

-- Gathers lines until the end of the turn; more than a few become one.
local function gatherer(say, many)
  local lines = {}
  return function(line)
    lines[#lines + 1] = line
    if #lines > 1 then return end
    task.turn()
    say(#lines > BURST and many:format(format.count(#lines)) or table.concat(lines, "\n"))
    lines = {}
  end
end

local function watch_links(node, say, listener)
  local is_gone, last_reason = {}, {}
  local say_up = gatherer(say, "* %s peers can be reached ('list' shows them)")
  local say_down = gatherer(say, "* %s peers cannot be reached any more")

  node:on("link:up", function(e)
    is_gone[e.peer] = nil
    last_reason[e.address] = nil
    if not listener.is_awaited(e) then say(("* %s is linked (%s)"):format(e.name, e.address)) end
  end)
  node:on("link:down", function(e)
    is_gone[e.peer] = true
    if not listener.is_parting(e) then say(("* %s is gone: %s"):format(e.name, e.why)) end
  end)
  node:on("peer:up", function(e)
    is_gone[e.peer] = nil
    if e.hops > 1 then say_up(reached(node, e)) end
  end)
  node:on("peer:down", function(e)
    if not is_gone[e.peer] then say_down(("* %s cannot be reached any more"):format(e.name)) end
    is_gone[e.peer] = nil
  end)
  -- Only worth a line when it corrects the impression that somebody is gone.
  node:on("route", function(e)
    if is_gone[e.peer] and e.hops > 1 then say_up(reached(node, e)) end
    is_gone[e.peer] = nil
  end)
  node:on("dial", function(e)
    local is_new = last_reason[e.address] ~= e.reason
    last_reason[e.address] = e.reason
    if is_new and not listener.is_awaited(e) then say(notices.failed_dial(node, e.address, e.why)) end
  end)
end

-- Delivery is silent; only what ended badly is told.
local BAD_ENDS = { expired = "has expired", refused = "was refused", lost = "is lost" }

---@class notices.listener
---@field say fun(text: string)       messages, and how they ended
---@field chat fun(text: string)      how the network changes
---@field is_awaited fun(e: table): boolean  a command waits for this link or dial, and will tell
---@field is_parting fun(e: table): boolean  a command ends the link to this peer, and will tell

--- Shows what happens to `node`.
---@param node table
---@param listener notices.listener
function notices.watch(node, listener)
  local say = listener.say
  watch_links(node, listener.chat, listener)
  node:on("message", function(msg) say(notices.message(msg)) end)
  node:on("note", function(e) say("* " .. e.text) end)
  node:on("state", function(m)
    local ending = BAD_ENDS[m.state]
    if ending then say(("* message %s to %s %s: %s"):format(format.hex(m.id), m.name, ending, m.why or m.state)) end
  end)
end

return notices
