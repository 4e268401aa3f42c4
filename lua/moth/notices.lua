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

-- So many of those who are gone are remembered.
local GONE_MAX = 4096

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

local function watch_links(self)
  local node, say, waiting = self.node, self.tell, self.session.waiting
  local is_gone, gone, last_reason = {}, 0, {}
  local say_up = gatherer(say, "* %s peers can be reached ('list' shows them)", 0)
  local say_down = gatherer(say, "* %s peers cannot be reached any more", 0)

  -- What is said when somebody comes back depends on it. Strangers can make new ids, so there is a bound; behind it a
  -- line too many may be said.
  local function note_gone(peer)
    gone = gone + 1
    if gone > GONE_MAX then is_gone, gone = {}, 1 end
    is_gone[peer] = true
  end

  self:on("link:up", function(e)
    is_gone[e.peer] = nil
    last_reason[e.address] = nil
    if not waiting:is_awaited(e) then say(("* %s is linked (%s)"):format(e.name, e.address)) end
  end)
  self:on("link:down", function(e)
    note_gone(e.peer)
    if not waiting:is_parting(e) then say(("* %s is gone: %s"):format(e.name, e.why)) end
  end)
  self:on("peer:up", function(e)
    is_gone[e.peer] = nil
    if e.hops > 1 then say_up(reached(node, e)) end
  end)
  self:on("peer:down", function(e)
    if not is_gone[e.peer] then say_down(("* %s cannot be reached any more"):format(e.name)) end
    is_gone[e.peer] = nil
  end)
  -- Only worth a line when it corrects the impression that somebody is gone.
  self:on("route", function(e)
    local was_gone = is_gone[e.peer]
    is_gone[e.peer] = nil
    if was_gone and e.hops > 1 then say_up(reached(node, e)) end
  end)
  self:on("dial", function(e)
    local is_new = last_reason[e.address] ~= e.reason
    last_reason[e.address] = e.reason
    if is_new and not waiting:is_awaited(e) then say(notices.failed_dial(node, e.address, e.why)) end
  end)
end

local BAD_ENDS = { expired = "has expired", refused = "was refused", lost = "is lost" }

local function watch_mail(self)
  local session, node = self.session, self.node
  local say = function(text) session:say(text, "notice") end
  local started = os.time()
  local told = {} -- by id, until the message ends: the last state a person knows of
  local say_carried = gatherer(say, "* %s messages are carried ('queue' shows them)", MAIL_SECONDS)
  local say_delivered = gatherer(say, "* %s messages were delivered", MAIL_SECONDS)

  function session.waiting.on_told(id, state)
    told[id] = state ~= "delivered" and not views.IS_BAD[state] and state or nil
  end

  local function tell(m, before)
    local subject, ending = ("* message %s to %s"):format(format.hex(m.id), m.name), BAD_ENDS[m.state]
    if ending then
      session:say(("%s %s: %s"):format(subject, ending, m.why or m.state), "error")
    elseif m.state == "carried" and before ~= "carried" then
      say_carried(("%s is carried by %s"):format(subject, m.by_name))
    elseif m.state == "delivered" and before ~= "sent" and m.to ~= node.id then
      say_delivered(subject .. " was delivered")
    end
  end

  -- A person who was told that a message waits takes it for waiting still when it is sent; who was told that it is
  -- sent has to wait for no more news. What scripts of this run send is their business, and so is what has a mark.
  self:on("state", function(m)
    local state, before, is_sending = m.state, told[m.id], session.waiting:is_sending(m.id)
    if session.talk:is_showing(m.id) then return end
    if not (is_sending or before or m.accepted < started) then return end
    if state == "delivered" or views.IS_BAD[state] then
      told[m.id] = nil
    elseif is_sending or state ~= "sent" then
      told[m.id] = state
    end
    if not is_sending then tell(m, before) end
  end)
end

local watching = {}
watching.__index = watching

-- Calls `fn` at each such event, until this watching ends.
function watching:on(event, fn)
  self.handles[#self.handles + 1] = self.node:on(event, fn)
end

--- Nothing is shown any more.
function watching:off()
  for _, handle in ipairs(self.handles) do handle:off() end
end

--- Shows what happens to the node in a session, as its settings say: light messages only when somebody asked for them.
---@param session shell
---@return table watching
function notices.watch(session)
  local self = setmetatable({ session = session, node = session.node, handles = {} }, watching)
  self.tell = function(text) -- links end because this node leaves
    if session.settings.news and not session.program.is_over then session:say(text, "notice") end
  end
  watch_links(self)
  watch_mail(self)
  self:on("message", function(msg)
    if msg.durable or session.settings.light then session:say_message(notices.message(msg)) end
  end)
  self:on("note", function(e) session:say("* " .. e.text, "notice") end)
  return self
end

return notices
