--- The shell: takes lines, runs them one after the other, says what came of them.
--
-- A command may wait; the lines behind it wait too, while messages and notices keep showing. Everything that
-- is said passes `safe`, line by line, here and nowhere else. From a pipe, failures carry their line's
-- number, go to the other stream and make the exit status 1; a person reads them where the answer would have
-- been.

local core = require "moth.core"
local commands = require "moth.commands"
local format = require "moth.format"
local notices = require "moth.notices"
local task = require "moth.task"
local views = require "moth.views"

local LEAVE_SECONDS = 2    -- for what is still being written
local SETTLE_SECONDS = 3   -- for the links given on the command line, before piped lines start
local SYNC_SECONDS = 1     -- for a new neighbour to tell whom it knows

---@class shell.options
---@field node table
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
  self.node:on("dial", function(e)
    if self.dials[e.address] ~= nil then self.dials[e.address] = e.why end
  end)
  notices.watch(self.node, function(text) if not self.leaving then self:say(text) end end,
    function(address) return self.dials[address] ~= nil end)
  return self
end

local function safe_lines(text)
  local lines = {}
  for line in (text .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = core.safe(line) end
  return table.concat(lines, "\n") .. "\n"
end

--- Says one or more lines.
---@param text string
function shell:say(text)
  self.write(safe_lines(text))
end

--- Splits a line into its first word and the rest as it is. Nothing for blank lines and comments.
---@param line string
---@return string? word, string? rest
function shell.parse(line)
  local word, rest = line:match("^%s*([^%s#]%S*)%s*(.-)%s*$")
  return word, rest
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

--- Runs one line. True, or nil and a sentence.
---@param line string
---@return boolean?, string?
function shell:run(line)
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
  self.complain(safe_lines(("line %d: %s"):format(number, why)))
end

-- Runs what is queued, in order. One at a time, whatever comes meanwhile.
function shell:work()
  self.running = true
  while self.jobs[1] and not self.leaving do
    local ok, traceback = xpcall(table.remove(self.jobs, 1), core.traceback)
    if not ok then core.log("error", traceback) end
  end
  self.running = false
  self.hold(false)
end

function shell:queue(job)
  self.jobs[#self.jobs + 1] = job
  if not self.running then task.spawn(self.work, self) end
  self.hold(self.running)
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
  self:queue(function()
    local at_us = core.now() + SETTLE_SECONDS * 1000000
    for _, address in ipairs(addresses) do
      local _, why = self:await_link(address, math.max(0, at_us - core.now()) / 1000000)
      if why then self:say(notices.failed_dial(self.node, address, why)) end
    end
  end)
end

function shell:wanted(address)
  return views.wanted(self.node, address)
end

--- Waits until the link to an address that is being dialled is up and its other end has told whom it knows.
---@param address string
---@param seconds number
---@return string? peer, string? why  the peer's id, or nil and a sentence
function shell:await_link(address, seconds)
  local entry
  self.dials[address] = false
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

-- What is still on its way when the process ends.
local function lost_mail(node)
  local names, counts = {}, {}
  local mail = node:queue()
  for _, m in ipairs(mail) do
    if not counts[m.name] then names[#names + 1] = m.name end
    counts[m.name] = (counts[m.name] or 0) + 1
  end
  if #mail == 0 then return nil end
  table.sort(names)
  for i, name in ipairs(names) do names[i] = ("%s (%d)"):format(name, counts[name]) end
  local verb = #mail == 1 and "message was not delivered and is lost" or "messages were not delivered and are lost"
  return format.wrap(("%s %s: %s"):format(format.count(#mail), verb, table.concat(names, ", ")))
end

--- Says goodbye, waits a little for what is being written, tells what is lost, and ends the program. Call it
--- in a task.
---@param status? integer  the exit status; by default whether a line failed
function shell:leave(status)
  if self.leaving then return end
  self.leaving = true
  local ok, traceback = xpcall(function()
    self.node:leave()
    task.wait(function() return self.node:is_quiet() end, LEAVE_SECONDS)
    local lost = lost_mail(self.node)
    if lost then self:say(lost) end
  end, core.traceback)
  if not ok then core.log("error", traceback) end
  self.node:quit(status or (self.failed and 1 or 0))
end

return shell
