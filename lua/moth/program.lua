--- What there is once in the process, however many shells are open: the node, its scripts, and the way it ends.

local config = require "moth.config"
local core = require "moth.core"
local format = require "moth.format"
local hub = require "moth.hub"
local shell = require "moth.shell"
local task = require "moth.task"
local unread = require "moth.unread"

local LEAVE_SECONDS = 2 -- for what is still being written
local CONFIG = "config.lua"

local RANK = { debug = 1, info = 2, warn = 3, error = 4 }

---@class program.options
---@field node table
---@field home string                                     its folder
---@field is_alone boolean                                 there is no session of the program's own
---@field folder? string                                   where relative paths begin
---@field joined? string                                   the address of the invitation it was started with
---@field has_joined_key boolean                           which brought the network's key
---@field speak fun(text: string, is_complaint: boolean)  for no session: whole lines on the standard streams
---@field ready fun()                                     all scripts run
---@field hear_logs fun(level?: string)                   which lines `log` gets
---@field keep fun(name: string, text: string): boolean   starts writing a file of the home folder
---@field kept fun(): boolean?, string?, string?          what came of it
---@field read_home fun(name: string): string?, string?, string?

---@class program
---@field node table
---@field hub hub
---@field sessions shell[]
---@field mailbox unread
---@field is_new boolean    it has never run on this home before
---@field is_ready boolean  the scripts asked for at the start run
---@field is_over boolean   it ends
local program = {}
program.__index = program

---@param options program.options
---@return program
function program.new(options)
  local self = setmetatable({ options = options, node = options.node, sessions = {}, is_ready = false, is_over = false,
    entered = 0 }, program)
  task.moth.node = self.node -- what is typed is one commit, too
  local _, _, code = options.read_home(CONFIG)
  self.is_new = code == "not_found"
  self.hub = hub.new(self.node, function(text) self:print(text) end)
  self.mailbox = unread.new(self)
  return self
end

--- "ana (1f2e3d4c) listening on 127.0.0.1:6684"
---@return string
function program:banner()
  local node = self.node
  local place = node.address ~= "" and "listening on " .. node.address or "not listening"
  return ("%s (%s) %s"):format(node.name, format.id8(node.id), place)
end

-- --- sessions ---

---@param front session.front
---@param terms session.terms
---@return shell
function program:enter(front, terms)
  self.entered = self.entered + 1
  local session = shell.new(self, front, terms, self.entered)
  self.sessions[#self.sessions + 1] = session
  local ok, traceback = xpcall(session.begin, core.traceback, session)
  if not ok then
    session:clear()
    error(traceback, 0)
  end
  self:refresh_logs()
  return session
end

--- It is over.
---@param session shell
function program:gone(session)
  for i, one in ipairs(self.sessions) do
    if one == session then table.remove(self.sessions, i) break end
  end
  self:refresh_logs()
end

--- Whether a person sees what arrives. A pipe is shown nothing of what came before it, so it does not count.
---@return boolean
function program:is_watched()
  for _, session in ipairs(self.sessions) do
    if session.watches then return true end
  end
  return false
end

--- What scripts print: to every terminal, and to the standard output of a program without a shell of its own.
---@param text string
function program:print(text)
  local has_own = false
  for _, session in ipairs(self.sessions) do
    if not session.is_remote then has_own = true end
    if session.is_terminal or not session.is_remote then session:say(text) end
  end
  if not has_own then self.options.speak(shell.safe(text), false) end
end

--- A sentence about the program itself.
---@param text string
function program:complain(text)
  for _, session in ipairs(self.sessions) do
    if not session.is_remote then return session:complain(text) end
  end
  self.options.speak(shell.safe("moth: " .. text), true)
end

-- --- logs ---

--- A setting or the number of sessions has changed: asks for just those lines that somebody wants to see.
function program:refresh_logs()
  local lowest
  for _, session in ipairs(self.sessions) do
    local level = session.is_terminal and session.settings.log
    if level and (not lowest or RANK[level] < RANK[lowest]) then lowest = level end
  end
  self.options.hear_logs(lowest)
end

---@param level string
---@param text string
function program:log(level, text)
  for _, session in ipairs(self.sessions) do
    local wanted = session.is_terminal and session.settings.log
    if wanted and RANK[level] >= RANK[wanted] then
      session:say("moth: " .. text, level == "error" and "error" or "notice")
    end
  end
end

-- --- starting and ending ---

-- Where what concerns everybody is said.
local function tell(self, text)
  local told = false
  for _, session in ipairs(self.sessions) do
    if not session.is_single then session:say(text) end
    told = told or not session.is_remote
  end
  if not told then self.options.speak(shell.safe(text), false) end
end

-- The first start leaves a file with all settings behind: a home keeps the name it was made with, and what an
-- invitation brought.
local function keep_config(self)
  local options = self.options
  local joined = options.joined and { network = options.has_joined_key and "./network.key" or nil,
    connect = options.joined ~= "" and { options.joined } or nil }
  if self.is_new then
    local values = joined or {}
    values.name = self.node.name
    local ok, why = self:keep(CONFIG, config.text(values))
    if not ok then core.log("warn", ("%s/%s was not written: %s"):format(options.home, CONFIG, why)) end
    return
  end
  if not joined then return end
  local lines = {}
  if joined.network then lines[1] = ('network = "%s"'):format(joined.network) end
  if joined.connect then lines[#lines + 1] = ('connect = { "%s" }'):format(joined.connect[1]) end
  local where = ("for the next start write into %s/%s:"):format(options.home, CONFIG)
  if lines[1] then tell(self, where .. "\n  " .. table.concat(lines, "\n  ")) end
end

-- Without one of the scripts the program is not what was asked for.
local function load_all(self, paths)
  if self.options.is_alone then
    task.turn() -- who reads this line finds the socket for `moth do`
    self.options.speak(self:banner() .. "\n", false)
  end
  for _, path in ipairs(paths) do
    local s, why = self.hub.scripts:load(path)
    if not s then
      self:complain(("cannot load %s: %s"):format(path, why))
      return self:stop(1)
    end
  end
  self.node:pause_mail(false)
  self.is_ready = true
  self.options.ready()
  keep_config(self)
end

--- Runs the scripts that were asked for at the start; no message of an earlier run is given to anybody before.
---@param paths string[]
function program:load(paths)
  if #paths > 0 then self.node:pause_mail(true) end
  task.spawn(load_all, self, paths)
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
local function tell_what_stays(self)
  local lost, waiting = {}, {}
  for _, m in ipairs(self.node:queue()) do
    local list = m.state == "pending" and lost or waiting
    list[#list + 1] = m
  end
  if #lost > 0 then tell(self, mail_line(lost, "could not be kept and is lost", "could not be kept and are lost")) end
  if #waiting == 0 then return end
  tell(self, mail_line(waiting, "waits here and goes on when moth runs again",
    "wait here and go on when moth runs again"))
end

local function leave(self, status)
  local ok, traceback = xpcall(function()
    if self.hub:stop() then task.turn() end
    self.mailbox:keep()
    self.node:leave()
    task.wait(function() return self.node:is_quiet() end, LEAVE_SECONDS)
    tell_what_stays(self)
  end, core.traceback)
  if not ok then core.log("error", traceback) end
  for _, session in ipairs(table.move(self.sessions, 1, #self.sessions, 1, {})) do
    if session.is_single then
      session:overtake()
    else
      if session.is_remote then session:say("the node has ended", "notice") end
      session:over(status)
    end
  end
  self.node:quit(status)
end

--- Says goodbye, waits a little for what is being written, tells what was not delivered, and ends the program.
---@param status integer
function program:stop(status)
  if self.is_over then return end
  self.is_over = true -- whoever is in a hurry interrupts a second time
  for _, session in ipairs(self.sessions) do session.front.hold(true) end
  task.spawn(leave, self, status)
end

-- --- small files ---

-- True once it is being written. What somebody else wrote and did not wait for is of no interest any more.
local function start_keeping(self, name, text)
  return task.wait(function()
    if self.is_keeping then return false end
    self.options.kept()
    return self.options.keep(name, text)
  end, LEAVE_SECONDS)
end

--- Writes a file of the home folder, whole or not at all, and waits for it, though not for ever. Call it in a task.
---@param name string
---@param text string
---@return boolean?, string?, string?
function program:keep(name, text)
  local ok, why, code
  if not start_keeping(self, name, text) then return nil, "another file is still being written", "busy" end
  self.is_keeping = true
  local _ <close> = setmetatable({}, { __close = function() self.is_keeping = false end })
  task.wait(function()
    ok, why, code = self.options.kept()
    return ok or code
  end, LEAVE_SECONDS)
  if not (ok or code) then return nil, "the disk takes too long", "timeout" end
  return ok, why, code
end

return program
