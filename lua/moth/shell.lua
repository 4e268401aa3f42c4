--- A session: one shell of somebody. Takes lines, runs them one after the other, says what came of them.
--
-- What runs may wait; the lines behind it wait too, while messages and notices keep showing. Everything that is said
-- passes `safe`, line by line, here and nowhere else; on a terminal, lines are broken before it breaks them. From a
-- pipe, failures carry their line's number, go to the other stream and make the exit status 1; a person reads them
-- where the answer would have been.

local classifier = require "moth.classifier"
local colour = require "moth.colour"
local commands = require "moth.commands"
local core = require "moth.core"
local format = require "moth.format"
local greeting = require "moth.greeting"
local json_views = require "moth.json_views"
local notices = require "moth.notices"
local prompt = require "moth.prompt"
local talk = require "moth.talk"
local task = require "moth.task"
local waiting = require "moth.waiting"

local SETTLE_SECONDS = 3 -- for the links given on the command line, before piped lines start
local READY_SECONDS = 3600
local LINES_MAX = 1000   -- that wait; more are held back where they are typed
local LINES_END = 100000 -- who does not hold them back is sent away
local BYTES_END = 8 << 20 -- of them together; the memory of all scripts would pay for more

---@class session.front  see shell.h
---@field say fun(text: string, is_complaint: boolean, tag?: integer)
---@field amend fun(tag: integer, line: string, other: string)
---@field prompt fun(text: string)
---@field hold fun(on: boolean)
---@field chat fun(on: boolean)
---@field finish fun(status: integer)

---@class session.terms
---@field is_terminal boolean  a person types
---@field is_remote boolean    attached
---@field is_single boolean    one command
---@field is_json boolean
---@field has_colour boolean
---@field shows_light boolean
---@field log? string
---@field width? integer
---@field folder? string
---@field connect string[]

---@class shell: session.terms
---@field program program
---@field node table
---@field hub hub
---@field front session.front
---@field width integer
---@field cwd? string      where relative paths begin
---@field settings table<string, any>
---@field talk talk
---@field waiting waiting
---@field watches boolean  a person sees here what arrives
---@field failed boolean   a line failed
---@field is_over boolean
local shell = {}
shell.__index = shell

---@param program program
---@param front session.front
---@param terms session.terms
---@param number integer  of the session
---@return shell
function shell.new(program, front, terms, number)
  local self = setmetatable({}, shell)
  for k, v in pairs(terms) do self[k] = v end
  self.program, self.node, self.hub, self.front, self.cwd = program, program.node, program.hub, front, terms.folder
  self.width = terms.width or format.WIDTH
  self.settings = { light = terms.shows_light, news = true, log = terms.log or "warn" }
  self.jobs, self.bytes, self.line_number = {}, 0, 0
  self.failed, self.is_over, self.watches = false, false, false
  self.script_name = number == 1 and "prompt" or ("prompt-%d"):format(number)
  self.waiting, self.talk = waiting.new(self.node), talk.new(self)
  return self
end

-- --- saying ---

---@param text string
---@return string  its lines, each safe for a terminal, with an end behind the last
function shell.safe(text)
  local lines = {}
  for line in (text .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = core.safe(line) end
  return table.concat(lines, "\n") .. "\n"
end

-- An invitation stays one line, however long: people copy it.
local function is_whole(line)
  return line:find("^moth1:[%w_-]+$") ~= nil
end

--- A text as the rows it takes on this terminal, `less` columns narrower than that; elsewhere as its lines.
---@param text string
---@param less? integer
---@return string[]
function shell:rows(text, less)
  local rows = {}
  for line in shell.safe(text):gmatch("(.-)\n") do
    if self.is_terminal and not is_whole(line) then line = format.fold(line, self.width - (less or 0)) end
    for row in (line .. "\n"):gmatch("(.-)\n") do rows[#rows + 1] = row end
  end
  return rows
end

---@param text string  safe
---@param style string
---@return string
function shell:paint(text, style)
  return self.has_colour and colour.paint(text, style) or text
end

--- What is safe and folded already, with its line ends.
---@param text string
---@param tag? integer
function shell:say_raw(text, tag)
  self.front.say(text, false, tag)
end

--- Says one or more lines. Who wants JSON gets nothing else.
---@param text string
---@param style? string  of colour.lua
function shell:say(text, style)
  if self.is_json then return end
  local rows = self:rows(text)
  if style and self.has_colour then
    for i, row in ipairs(rows) do rows[i] = colour.paint(row, style) end
  end
  self:say_raw(table.concat(rows, "\n") .. "\n")
end

--- Says a message, whose first line begins with the time and a name.
---@param text string
function shell:say_message(text)
  local rows = self:rows(text)
  if self.has_colour then rows[1] = colour.paint_head(rows[1], "name") end
  self:say_raw(table.concat(rows, "\n") .. "\n")
end

--- What is wrong with the session or the program as a whole.
---@param text string
function shell:complain(text)
  self.failed = true
  if self.is_terminal then return self:say("moth: " .. text, "error") end
  self.front.say(shell.safe("moth: " .. text), true)
end

local function say_json(self, value)
  self:say_raw(json_views.text(value) .. "\n")
end

-- A line failed.
local function fail(self, why, code, number)
  self.failed = true
  if self.is_json then return say_json(self, { error = why, code = code }) end
  if self.is_terminal then return self:say(why, "error") end
  local place = self.is_single and "" or ("line %d: "):format(number)
  self.front.say(shell.safe(place .. why), true)
end

--- Shows what stands before the line that is typed.
function shell:show_prompt()
  if not self.is_terminal then return end
  local name = self.node.name
  if self.more then return self.front.prompt("...> ") end
  self.front.prompt(self.talk.peer and ("%s to %s> "):format(name, self.talk.name) or name .. "> ")
end

-- --- running a line ---

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

local function run_command(self, name, rest)
  local command, why = commands.find(name)
  if not command then return nil, why, "unknown_command" end
  local words = arguments(command, rest)
  if not words then return nil, "usage: " .. command.usage, "usage" end
  local ok, answer, value, code = xpcall(command.run, core.traceback, self, table.unpack(words))
  if ok then return answer, value, code end
  core.log("error", answer)
  return nil, command.name .. " failed: an error inside moth, logged"
end

local runners = {}

function runners.nothing()
  return true
end

function runners.text(self, text)
  return self.talk:say(text)
end

function runners.command(self, name, rest)
  return run_command(self, name, rest)
end

function runners.lua(self, chunk, text)
  local answer, value = self:lua():run(chunk, self.width)
  if not answer then
    return nil, classifier.explain(value, self:context()), value == "cancelled" and "cancelled" or "failed"
  end
  local hint = classifier.local_hint(text)
  if hint then answer = answer == "" and hint or answer .. "\n" .. hint end
  return answer == "" or answer, value
end

function runners.unknown(_, why)
  return nil, why, "unknown_command"
end

function runners.error(_, why)
  return nil, why, "syntax"
end

--- The Lua of this session, made when it is first needed.
---@return prompt
function shell:lua()
  self.prompt = self.prompt or prompt.new(self.hub, self.script_name, function(text) self:say(text) end)
  return self.prompt
end

-- What the classifier asks.
function shell:context()
  self.classifying = self.classifying or {
    is_command = function(name) return commands.find(name) ~= nil end,
    nearest = commands.nearest,
    compile = function(source) return self:lua():compile(source) end,
    is_defined = function(name) return self:lua():is_defined(name) end,
  }
  self.classifying.talk = self.talk.peer ~= nil
  return self.classifying
end

--- Runs one line. What to say (true: nothing) and its value; or nil, a sentence and a word.
---@param line string
---@return string|boolean?, any, string?
function shell:run(line)
  local text = self.more and self.more .. "\n" .. line or line
  local kind, what, rest = classifier.classify(text, self:context())
  if kind == "more" and self.is_single then kind = "error" end -- no more lines come
  local had_more = self.more
  self.more, self.lacks = kind == "more" and text or nil, what
  if self.more or had_more then self:show_prompt() end
  if kind == "more" then return true end
  return runners[kind](self, what, kind == "lua" and text or rest)
end

local function run_and_say(self, line, number)
  local answer, value, code = self:run(line)
  if self.is_over then return end
  if not answer then return fail(self, value, code, number) end
  if not self.is_json then
    if answer ~= true then self:say(answer) end
  elseif value ~= nil then
    say_json(self, value)
  else
    say_json(self, { said = answer ~= true and answer or nil, ok = true })
  end
end

-- --- the queue of lines ---

local function refresh_hold(self)
  if self.is_over or self.program.is_over then return end
  if self.is_terminal then return self.front.hold(#self.jobs > LINES_MAX) end
  self.front.hold(self.is_working)
end

-- Runs what is queued, in order. One at a time, whatever comes meanwhile.
local function work(self)
  while self.jobs[1] and not self.is_over and not self.program.is_over do
    self.current = task.spawn(table.remove(self.jobs, 1))
    self.current:join()
    self.current = nil
    refresh_hold(self)
  end
  self.is_working = false
  refresh_hold(self)
end

local function queue(self, job)
  if self.is_over or self.program.is_over then return end
  self.jobs[#self.jobs + 1] = job
  if #self.jobs > LINES_END then return self:leave(1) end
  if not self.is_working then
    self.is_working = true
    task.spawn(work, self)
  end
  refresh_hold(self)
end

-- An invitation that a terminal has broken into several rows is one line all the same.
local function mend(text)
  if not text:find("^%s*/?join%s+moth1:") then return text end
  return (text:gsub("%s*\n%s*", ""))
end

-- The lines of a paste run in turn; to somebody who is talked to they are one message. One command is one, whatever its
-- words hold: they may come from anywhere.
local function run_lines(self, text, number)
  text = mend(text)
  local at = 1
  repeat
    local is_command = commands.find(text:match("^/(%l+)", at) or "") ~= nil
    local is_one = self.is_single or self.talk.peer and not is_command
    local stop = not is_one and text:find("\n", at, true) or #text + 1
    local line = text:sub(at, stop - 1)
    if is_one then line = line:gsub("\n+$", "") end
    at, self.was_stopped = stop + 1, false
    run_and_say(self, line, number)
    if at <= #text then task.turn() end -- others have their turn, too
  until at > #text or self.is_over or self.was_stopped
end

--- What was entered.
---@param text string  one line, or several from a paste
function shell:feed(text)
  self.line_number, self.has_asked, self.bytes = self.line_number + 1, false, self.bytes + #text
  local number = self.line_number
  if self.bytes > BYTES_END then return self:leave(1) end
  queue(self, function()
    self.bytes = self.bytes - #text
    if self.is_over then return end
    local ok, traceback = xpcall(run_lines, core.traceback, self, text, number)
    if not ok then
      core.log("error", traceback)
      fail(self, "an error inside moth, logged", "failed", number)
    end
    if self.is_single then self:leave() end
  end)
end

--- The input has ended; `why` when that was not its natural end.
---@param why? string
function shell:finish(why)
  local number = self.line_number + 1
  queue(self, function()
    if self.more then fail(self, "the input ends within a piece of Lua: " .. self.lacks, "syntax", number) end
    if why then fail(self, "the input ends here: " .. why, nil, number) end
    self:leave()
  end)
end

--- Ends the Lua or the command that runs. False: nothing does.
---@return boolean
function shell:cancel()
  if not self.current then return false end
  self.was_stopped = true
  if self.prompt and self.prompt:cancel() then return true end
  self.current:cancel()
  self:say("cancelled")
  return true
end

--- Ctrl-C, at a terminal; anywhere else somebody wants the program to end.
---@param had_text boolean  a line was being typed
function shell:interrupt(had_text)
  if self.program.is_over and not self.is_remote then return self.node:quit(0) end
  if not self.is_terminal then return self:leave(0) end
  local did_something = core.interrupted() or self:cancel() or had_text -- the guard may have ended it already
  if self.more then
    self.more, did_something = nil, true
    self:show_prompt()
  end
  if did_something then
    self.has_asked = false
  elseif self.has_asked then
    self:leave()
  else
    self.has_asked = true
    self:say(self.is_remote and "Ctrl-C again, or quit, ends this shell; the node runs on" or
      "Ctrl-C again, or quit, ends moth")
  end
end

-- --- its beginning and end ---

-- Lets piped lines wait for the links that were asked for on the command line, so that they find somebody.
local function settle(self)
  if self.is_terminal or #self.connect == 0 then return end
  queue(self, function()
    self.waiting:links(self.connect, SETTLE_SECONDS, function(address, why)
      self:say(notices.failed_dial(self.node, address, why))
    end)
  end)
end

local function await_scripts(self)
  if self.program.is_ready then return end
  queue(self, function() task.wait(function() return self.program.is_ready end, READY_SECONDS) end)
end

--- Says who the node is, shows what arrived unseen, and gets ready for lines.
function shell:begin()
  if not self.is_single then
    greeting.say(self)
    self.news = notices.watch(self)
    self.watches = self.is_terminal
  end
  await_scripts(self)
  settle(self)
  self:show_prompt()
end

--- What it made and what it runs ends. False: that was done before.
---@return boolean
function shell:clear()
  if self.is_over then return false end
  self.is_over, self.jobs = true, {}
  if self.current and self.current ~= task.running() then self.current:cancel() end
  if self.watches then self.program.mailbox:mark() end
  self.watches = false
  if self.news then self.news:off() end
  self.waiting:off()
  self.talk:off()
  if self.prompt then self.prompt:close() end
  self.program:gone(self)
  return true
end

--- The front is gone.
function shell:abandon()
  self:clear()
  if not self.is_remote then self.program:stop(0) end
end

--- The session ends; its front is told so.
---@param status? integer  by default whether a line failed
function shell:over(status)
  if self:clear() then self.front.finish(status or (self.failed and 1 or 0)) end
end

--- The node ends before the one command is done.
function shell:overtake()
  if not self.is_over then fail(self, "the node ends before this is done", "shutdown") end
  self:over(1)
end

--- Whoever sits here goes: the node ends with a shell of its own.
---@param status? integer
function shell:leave(status)
  status = status or (self.failed and not self.is_terminal and 1 or 0)
  if self.is_remote then return self:over(status) end
  self.program:stop(status)
end

return shell
