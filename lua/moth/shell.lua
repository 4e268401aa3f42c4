--- The shell: takes lines, runs them one after the other, says what came of them.
--
-- A command may wait; the lines behind it wait too, while messages and notices keep showing. Everything that
-- is said passes `safe`, line by line, here and nowhere else; on a terminal, lines are broken before it breaks
-- them. From a pipe, failures carry their line's number, go to the other stream and make the exit status 1; a
-- person reads them where the answer would have been.

local core = require "moth.core"
local commands = require "moth.commands"
local format = require "moth.format"
local notices = require "moth.notices"
local task = require "moth.task"
local views = require "moth.views"

local LEAVE_SECONDS = 2    -- for what is still being written
local PART_SECONDS = 1     -- for a link to end
local SETTLE_SECONDS = 3   -- for the links given on the command line, before piped lines start
local SYNC_SECONDS = 1     -- for a new neighbour to tell whom it knows
local KEEP_SECONDS = 2     -- for a message to be on the disk

---@class shell.options
---@field node table
---@field hub hub
---@field prompt prompt
---@field is_terminal boolean
---@field write fun(text: string)     to standard output, whole lines
---@field complain fun(text: string)  to standard error, whole lines
---@field hold fun(on: boolean)       no more lines, please

---@class shell: shell.options
---@field failed boolean    a piped line failed
---@field leaving boolean
local shell = {}
shell.__index = shell

---@param options shell.options
---@return shell
function shell.new(options)
  local self = setmetatable({}, shell)
  for k, v in pairs(options) do self[k] = v end
  self.jobs, self.line_number, self.running, self.failed, self.leaving = {}, 0, false, false, false
  self.dials = {} -- addresses somebody waits for: false, or why the last dial failed
  self.parting = {} -- ids of peers whose link somebody is ending
  self.sending = {} -- ids of messages somebody waits for
  self.node:on("dial", function(e)
    if self.dials[e.address] ~= nil then self.dials[e.address] = e.why end
  end)
  notices.watch(self.node, {
    say = function(text) self:say(text) end,
    chat = function(text) if not self.leaving then self:say(text) end end, -- links end because this node leaves
    is_awaited = function(e) return self:is_awaited(e) end,
    is_parting = function(e) return self.parting[e.peer] end,
    is_sending = function(id) return self.sending[id] end,
  })
  return self
end

local function safe_lines(text, fold)
  local lines = {}
  for line in (text .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = fold(core.safe(line)) end
  return table.concat(lines, "\n") .. "\n"
end

local function as_it_is(line)
  return line
end

--- Says one or more lines.
---@param text string
function shell:say(text)
  self.write(safe_lines(text, self.is_terminal and format.fold or as_it_is))
end

--- Splits a line into its first word and the rest as it is. Nothing for blank lines and comments.
---@param line string
---@return string? word, string? rest
function shell.parse(line)
  local word, rest = line:match("^%s*([^%s#]%S*)%s*(.*)$")
  return word, rest and (rest:match("^.*%S") or "") -- a lazy match up to the blanks would be quadratic in them
end

-- The words a command takes; the last takes the rest of the line where the command says so.
local function arguments(command, rest)
  local words = {}
  while rest ~= "" do
    if command.takes_rest and #words + 1 == command.most then
      words[#words + 1] = rest
      break
    end
    words[#words + 1], rest = rest:match("^(%S+)%s*(.*)$")
    if #words > command.most then return nil end
  end
  return #words >= command.least and words or nil
end

-- Lua: a task of the prompt's script, and what it gave.
function shell:evaluate(text)
  local result, why = self.prompt:run(text)
  if not result then return nil, why end
  if result ~= "" then self:say(result) end
  return true
end

--- Runs one line. True, or nil and a sentence.
---@param line string
---@return boolean?, string?
function shell:run(line)
  local expression = line:match("^%s*=(.*)$")
  if expression then return self:evaluate(expression) end
  local word, rest = shell.parse(line)
  if not word then return true end
  local command, why = commands.find(word)
  if not command then return nil, why end
  local words = arguments(command, rest)
  if not words then return nil, "usage: " .. command.usage end
  local ok, answer, reason = xpcall(command.run, core.traceback, self, table.unpack(words))
  if not ok then
    core.log("error", answer)
    return nil, command.name .. " failed: an error inside moth, logged"
  end
  if not answer then return nil, reason end
  if answer ~= true then self:say(answer) end
  return true
end

function shell:fail(why, number)
  if self.is_terminal then return self:say(why) end
  self.failed = true
  self.complain(safe_lines(("line %d: %s"):format(number, why), as_it_is))
end

-- Runs what is queued, in order. One at a time, whatever comes meanwhile.
function shell:work()
  while self.jobs[1] and not self.leaving do
    local ok, traceback = xpcall(table.remove(self.jobs, 1), core.traceback)
    if not ok then core.log("error", traceback) end
  end
  self.running = false
  if not self.leaving then self.hold(false) end
end

function shell:queue(job)
  if self.leaving then return end
  self.jobs[#self.jobs + 1] = job
  if not self.running then
    self.running = true
    task.spawn(self.work, self)
  end
  if not self.leaving then self.hold(self.running) end
end

--- A line of input.
---@param line string
function shell:feed(line)
  self.line_number = self.line_number + 1
  local number = self.line_number
  self:queue(function()
    local ok, why = self:run(line)
    if not ok then self:fail(why, number) end
  end)
end

--- The input has ended; `why` when that was not its natural end.
---@param why? string
function shell:finish(why)
  local number = self.line_number + 1
  self:queue(function()
    if why then self:fail("the input ends here: " .. why, number) end
    self:leave()
  end)
end

--- Lets piped lines wait for the links that were asked for on the command line, so that they find somebody.
---@param addresses string[]
function shell:settle(addresses)
  if self.is_terminal or #addresses == 0 then return end
  for _, address in ipairs(addresses) do self.dials[address] = false end
  self:queue(function()
    local at_us = core.now() + SETTLE_SECONDS * 1000000
    for _, address in ipairs(addresses) do
      local _, why = self:await_link(address, math.max(0, at_us - core.now()) / 1000000)
      if why then self:say(notices.failed_dial(self.node, address, why)) end
    end
  end)
end

--- Runs the scripts that were asked for on the command line; no message of an earlier run is given to anybody before.
--- Without one of them the program is not what was asked for: it ends.
---@param paths string[]
function shell:load(paths)
  if #paths == 0 then return end
  self.node:pause_mail(true)
  self:queue(function()
    for _, path in ipairs(paths) do
      local s, why = self.hub.scripts:load(path)
      if not s then
        self.complain(safe_lines(("moth: cannot load %s: %s"):format(path, why), as_it_is))
        return self:leave(1)
      end
    end
    self.node:pause_mail(false)
  end)
end

--- Somebody at a terminal presses Ctrl-C: ends the Lua that runs. False: none does.
---@return boolean
function shell:interrupt()
  if core.interrupted() then return self.is_terminal end -- the guard has ended it already
  return self.is_terminal and self.prompt:cancel()
end

function shell:wanted(address)
  return views.wanted(self.node, address)
end

-- Whether a command waits for the link or dial of this event. Where a name was dialled, the link's own address is
-- another text, and only the peer is the same.
function shell:is_awaited(e)
  if self.dials[e.address] ~= nil then return true end
  for address in pairs(self.dials) do
    local entry = e.peer and self:wanted(address)
    if entry and entry.linked and entry.peer == e.peer then return true end
  end
  return false
end

--- Waits until the link to an address that is being dialled is up and its other end has told whom it knows.
---@param address string
---@param seconds number
---@return string? peer, string? why  the peer's id, or nil and a sentence
function shell:await_link(address, seconds)
  local entry
  self.dials[address] = self.dials[address] or false
  task.wait(function()
    entry = self:wanted(address)
    return self.dials[address] or entry and entry.linked and entry.peer
  end, seconds)
  local why = self.dials[address] or nil
  self.dials[address] = nil
  if not (entry and entry.linked and entry.peer) then return nil, why or "no answer so far" end
  task.wait(function() return self.node:is_synced(entry.peer) end, SYNC_SECONDS)
  return entry.peer
end

--- Ends the link to a peer, and everything that would bring it back; the link is down when this returns, unless
--- that takes long.
---@param peer string  its id
---@return boolean?, string? why, string? code
function shell:part(peer)
  self.parting[peer] = true
  local ok, why, code = self.node:disconnect(peer)
  if ok then
    task.wait(function()
      local entry = self.node:peer(peer)
      return not (entry and entry.linked)
    end, PART_SECONDS)
  end
  self.parting[peer] = nil
  return ok, why, code
end

--- Waits until a message that was just accepted is on the disk, or has ended; not for ever.
---@param m table
function shell:await_kept(m)
  local id = m.id
  self.sending[id] = true
  task.wait(function() return m.state ~= "pending" end, KEEP_SECONDS)
  self.sending[id] = nil
end

-- How many there are, what becomes of them, and for whom they are.
local function mail_line(mail, one, many)
  local names, counts = {}, {}
  for _, m in ipairs(mail) do
    if not counts[m.name] then names[#names + 1] = m.name end
    counts[m.name] = (counts[m.name] or 0) + 1
  end
  table.sort(names)
  for i, name in ipairs(names) do names[i] = ("%s (%d)"):format(name, counts[name]) end
  local what = format.plural(#mail, "message") .. " " .. (#mail == 1 and one or many)
  return format.wrap(("%s: %s"):format(what, table.concat(names, ", ")))
end

-- Says what becomes of the messages that have not ended when the process ends.
function shell:tell_what_stays()
  local lost, waiting = {}, {}
  for _, m in ipairs(self.node:queue()) do
    local list = m.state == "pending" and lost or waiting
    list[#list + 1] = m
  end
  if #lost > 0 then self:say(mail_line(lost, "could not be kept and is lost", "could not be kept and are lost")) end
  if #waiting == 0 then return end
  self:say(mail_line(waiting, "waits here and goes on when moth runs again",
    "wait here and go on when moth runs again"))
end

--- Says goodbye, waits a little for what is being written, tells what was not delivered, and ends the program.
--- Call it in a task.
---@param status? integer  the exit status; by default whether a line failed
function shell:leave(status)
  if self.leaving then return end
  self.leaving = true
  self.hold(true)
  local ok, traceback = xpcall(function()
    if self.hub:stop() then task.turn() end
    self.node:leave()
    task.wait(function() return self.node:is_quiet() end, LEAVE_SECONDS)
    self:tell_what_stays()
  end, core.traceback)
  if not ok then core.log("error", traceback) end
  self.node:quit(status or (self.failed and 1 or 0))
end

return shell
