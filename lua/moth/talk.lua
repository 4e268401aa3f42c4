--- Talking to one peer: lines are messages, and beside each of one's own stands how far it has come.
--
-- A line of one's own is said again in the form of all messages, with a mark behind it. When the message's state
-- changes, the line is changed where it stands; where that is not possible any more (it has left the screen), a line
-- of its own tells.

local colour = require "moth.colour"
local views = require "moth.views"

local LINES_MAX = 100      -- of one's own whose marks are still followed
local MARK_COLUMNS = 13    -- of "  (delivered)"
local QUOTE_CHARACTERS = 24

local talk = {}
talk.__index = talk

---@class talk
---@field session shell
---@field peer? string  its id; nil: nobody is talked to
---@field name? string
---@field private lines table<integer, talk.line>  by message id
---@field private order integer[]

---@class talk.line
---@field tag integer
---@field text string   its last row, without the mark
---@field quote string  how it begins
---@field mark string

local MARKS = { pending = "waiting", queued = "waiting", sent = "waiting" }

local function mark_of(state)
  return MARKS[state] or state
end

---@param session shell
---@return talk
function talk.new(session)
  local self = setmetatable({ session = session, lines = {}, order = {}, tags = 0 }, talk)
  self.handle = session.node:on("state", function(m) self:changed(m) end)
  return self
end

function talk:off()
  self.handle:off()
end

---@param peer string  its id
---@param name string
function talk:start(peer, name)
  self.peer, self.name = peer, name
  self.session.front.chat(true)
end

function talk:stop()
  self.peer, self.name = nil, nil
  self.session.front.chat(false)
end

--- Whether a line on the screen tells what becomes of this message.
---@param id integer
---@return boolean
function talk:is_showing(id)
  return self.lines[id] ~= nil
end

local function forget(self, id)
  self.lines[id] = nil
  for i, one in ipairs(self.order) do
    if one == id then return table.remove(self.order, i) end
  end
end

local function with_mark(self, line)
  return line.text .. "  " .. self.session:paint(("(%s)"):format(line.mark), "mark")
end

local function quote_of(text)
  local first = text:match("^[^\r\n]*")
  local cut = utf8.len(first) and utf8.offset(first, QUOTE_CHARACTERS + 1)
  return cut and first:sub(1, cut - 1) .. "..." or first
end

-- Its mark is not followed any more: from now on it is a message like any other, which waits.
local function hand_on(self, id)
  local state = self.lines[id].mark == "carried" and "carried" or "queued"
  self.lines[id] = nil
  self.session.waiting.on_told(id, state)
end

-- Says one's own line; its last row has room for any mark.
local function show(self, m, text)
  local session = self.session
  local message = { type = "text", encoding = "text", data = text }
  local rows = session:rows(views.line(os.date("%H:%M:%S"), session.node.name, message), MARK_COLUMNS)
  if session.has_colour then rows[1] = colour.paint_head(rows[1], "own") end
  self.tags = self.tags + 1
  local line = { tag = self.tags, text = rows[#rows], quote = quote_of(text), mark = mark_of(m.state) }
  rows[#rows] = with_mark(self, line)
  session:say_raw(table.concat(rows, "\n") .. "\n", line.tag)
  if line.mark == "delivered" then return end
  self.lines[m.id] = line
  self.order[#self.order + 1] = m.id
  if #self.order > LINES_MAX then hand_on(self, table.remove(self.order, 1)) end
end

--- Sends what was typed.
---@param text string
---@return boolean|string?, any
function talk:say(text)
  local session = self.session
  local m, why, code = session.node:send(self.peer, text)
  if not m then
    return nil, code == "unwanted" and ("%s is blocked; /unblock %s first"):format(self.name, self.name) or why, code
  end
  if session.is_terminal then
    show(self, m, text)
    return true
  end
  session.waiting:kept(m, false)
  local answer = ("to %s: %s"):format(m.name, views.standing(m))
  if views.IS_BAD[m.state] then return nil, answer, m.reason or m.state end
  return answer
end

--- What became of a message.
---@param m table
function talk:changed(m)
  local line = self.lines[m.id]
  if not line or line.mark == mark_of(m.state) then return end
  line.mark = mark_of(m.state)
  local session, is_bad = self.session, views.IS_BAD[m.state]
  local other = session.safe(("* %s: \"%s\""):format(line.mark, line.quote))
  other = is_bad and "" or session:paint(other:sub(1, -2), "notice") .. "\n"
  session.front.amend(line.tag, with_mark(self, line), other)
  if is_bad then
    session:say(("* \"%s\" to %s %s: %s"):format(line.quote, m.name, m.state, m.why or m.state), "error")
  end
  if is_bad or m.state == "delivered" then forget(self, m.id) end
end

return talk
