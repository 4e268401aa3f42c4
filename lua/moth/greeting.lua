--- The first words of a session: who this node is, where it can be reached, what arrived while nobody looked. The very
-- first time they also say what to do.

local format = require "moth.format"
local views = require "moth.views"

local UNSEEN_MAX = 20 -- shown; more are counted

local greeting = {}

-- How another node reaches this one, one line to copy.
local function how_to_reach(node)
  if node.address == "" then return "It does not listen: it can connect to others, they cannot connect to it." end
  return ("Another one reaches it with this line:\n\n  connect %s"):format(node.address)
end

local function welcome(session)
  local node = session.node
  local place = node.address ~= "" and ", listening on " .. node.address or ""
  session:say(format.wrap(("Welcome to moth. This node is %s (%s)%s."):format(node.name, format.id8(node.id), place), 0,
    session.width))
  session:say(how_to_reach(node))
  session:say("\nTwo things to try:\n\n" ..
    "  help      what you can type\n" ..
    "  invite    one line that brings a friend's moth here\n")
end

local function say_unseen(session, entries)
  if #entries == 0 then return end
  local what = #entries == 1 and "1 message arrived while nobody looked:" or
    format.count(#entries) .. " messages arrived while nobody looked:"
  session:say(what, "notice")
  local first = math.max(1, #entries - UNSEEN_MAX + 1)
  if first > 1 then
    session:say(("(%s before these; 'history' shows them)"):format(format.count(first - 1)), "notice")
  end
  for i = first, #entries do
    local entry = entries[i]
    session:say_message(views.line(os.date("%Y-%m-%d %H:%M:%S", math.floor(entry.time)), entry.name, entry))
  end
end

---@param session shell
function greeting.say(session)
  local program = session.program
  if not session.is_terminal then
    if not session.is_remote then session:say(program:banner()) end
    return
  end
  if program.is_new and not session.is_remote then
    welcome(session)
  else
    session:say(program:banner() .. (session.is_remote and "; quit leaves this shell, the node runs on" or ""))
  end
  say_unseen(session, program.mailbox:entries())
end

return greeting
