--- What shows without being asked for: messages, and a line starting with `* ` when the network changes.
--
-- The chatter is kept short: a direct neighbour is announced by its link alone, a dial that fails again for
-- the same reason is not repeated, and many peers that come or go together are one line. Of our messages only
-- news is told: that one which waited was delivered, not that one which went at once was.

local format = require "moth.format"
local task = require "moth.task"
local views = require "moth.views"

local notices = {}

-- More than this many of a kind that come together are only counted.
local BURST = 5

-- What becomes of many messages is told this often.
local MAIL_SECONDS = 1

--- `[HH:MM:SS] NAME: TEXT`; `(again)` when a run of this program ended before it had handled the message.
---@param msg table
---@return string
function notices.message(msg)
  local who = msg.broadcast and msg.name .. " to all" or msg.name
  return views.line(os.date("%H:%M:%S"), who, msg, msg.redelivered and "again" or nil)
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

-- Gathers lines until the end of the turn, then for so many seconds at a time while there are more; more than a
-- few become one.
local function gatherer(say, many, seconds)
  local lines, is_open = {}, false
  return function(line)
    lines[#lines + 1] = line
    if is_open then return end
    is_open = true
    task.turn()
    repeat
      say(#lines > BURST and many:format(format.count(#lines)) or table.concat(lines, "\n"))
      lines = {}
      task.sleep(seconds)
    until #lines == 0
    is_open = false
  end
end

local function watch_links(node, say, listener)
  local is_gone, last_reason = {}, {}
  local say_up = gatherer(say, "* %s peers can be reached ('list' shows them)", 0)
  local say_down = gatherer(say, "* %s peers cannot be reached any more", 0)

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
    local was_gone = is_gone[e.peer]
    is_gone[e.peer] = nil
    if was_gone and e.hops > 1 then say_up(reached(node, e)) end
  end)
  node:on("dial", function(e)
    local is_new = last_reason[e.address] ~= e.reason
    last_reason[e.address] = e.reason
    if is_new and not listener.is_awaited(e) then say(notices.failed_dial(node, e.address, e.why)) end
  end)
end

local BAD_ENDS = { expired = "has expired", refused = "was refused", lost = "is lost" }

local function watch_mail(node, say, listener)
  local started = os.time()
  local told = {} -- by id, until the message ends: the last state a person knows of
  local say_carried = gatherer(say, "* %s messages are carried ('queue' shows them)", MAIL_SECONDS)
  local say_delivered = gatherer(say, "* %s messages were delivered", MAIL_SECONDS)

  local function tell(m, before)
    local subject, ending = ("* message %s to %s"):format(format.hex(m.id), m.name), BAD_ENDS[m.state]
    if ending then
      say(("%s %s: %s"):format(subject, ending, m.why or m.state))
    elseif m.state == "carried" and before ~= "carried" then
      say_carried(("%s is carried by %s"):format(subject, m.by_name))
    elseif m.state == "delivered" and before ~= "sent" and m.to ~= node.id then
      say_delivered(subject .. " was delivered")
    end
  end

  -- A person who was told that a message waits takes it for waiting still when it is sent; who was told that it is
  -- sent has to wait for no more news. What scripts of this run send is their business.
  node:on("state", function(m)
    local state, before, is_sending = m.state, told[m.id], listener.is_sending(m.id)
    if not (is_sending or before or m.accepted < started) then return end
    if state == "delivered" or views.IS_BAD[state] then
      told[m.id] = nil
    elseif is_sending or state ~= "sent" then
      told[m.id] = state
    end
    if not is_sending then tell(m, before) end
  end)
end

---@class notices.listener
---@field say fun(text: string)       messages, and how they ended
---@field chat fun(text: string)      how the network changes
---@field is_awaited fun(e: table): boolean  a command waits for this link or dial, and will tell
---@field is_parting fun(e: table): boolean  a command ends the link to this peer, and will tell
---@field is_sending fun(id: integer): boolean  a command waits for what becomes of this message, and will tell

--- Shows what happens to `node`.
---@param node table
---@param listener notices.listener
function notices.watch(node, listener)
  local say = listener.say
  watch_links(node, listener.chat, listener)
  watch_mail(node, say, listener)
  node:on("message", function(msg) say(notices.message(msg)) end)
  node:on("note", function(e) say("* " .. e.text) end)
end

return notices
