--- Scripts: what is loaded, in which order, and what becomes of one that fails.
--
-- All that a script makes belongs to it: handlers, tasks, timers, connections. A new one first runs its main chunk;
-- what that registers, sends and starts waits until it has succeeded. Then, at one go, it takes the place of the old
-- one of its name, which hands over its state; else the old one goes on as if nothing had been. A script with too many
-- errors is parked: it stays in the list, with the reason, and does nothing.

local core = require "moth.core"
local sandbox = require "moth.sandbox"
local task = require "moth.task"

local MAIN_SECONDS = 10    -- for the main chunk
local MINUTE_US = 60000000
local ERRORS_A_MINUTE = 100
local KILLS_A_MINUTE = 3   -- dispatches that ran out of time
local REPORTS_A_MINUTE = 10
local LINES_A_SECOND, LINES_BURST = 50, 200

---@class script
---@field name string
---@field path string
---@field state "loading"|"running"|"parked"|"gone"
---@field reason? string      why it is parked
---@field owner task.owner
---@field errors integer      since it was loaded
---@field is_mute? boolean    its hooks are asked no more, it is about to be parked
---@field old? script         while it loads, whose place it is to take
local script = {}
script.__index = script

---@class scripts
---@field private order script[]  all, in load order
local scripts = {}
scripts.__index = scripts

-- --- errors ---

-- Counts up to `most` in each minute.
local function meter(most)
  local since_us, count = core.now(), 0
  return function()
    if core.now() - since_us >= MINUTE_US then since_us, count = core.now(), 0 end
    count = count + 1
    return count > most, count
  end
end

local function memory_is_short()
  collectgarbage()
  local used, most = core.memory()
  return used > most * 9 // 10
end

local REASONS = {
  cpu = "its code ran for too long too often",
  error = "too many errors in a minute",
  memory = "it used up the memory of all scripts",
}

-- The sentence of a traceback.
local function first_line(text)
  return text:match("^[^\n]*")
end

--- Something of this script failed.
---@param text string  a traceback
---@param word string  "error", "cpu", "memory", "interrupt"
---@param t? table     the task
function script:fail(text, word, t)
  local on_fail = self.scripts.on_fail
  if on_fail and on_fail(self, text, word) then return end
  self.errors = self.errors + 1
  local site = t and t.site and ("\nstarted at " .. t.site) or ""
  local is_too_much, count = self.count_report()
  if not is_too_much then core.log("error", ("%s: %s%s"):format(self.name, text, site)) end
  if is_too_much and count == REPORTS_A_MINUTE + 1 then
    core.log("error", self.name .. ": more errors are not logged for a minute; 'scripts' counts them")
  end
  self.last_error = first_line(text)
  if not (t and t.event == "error") then self.scripts:tell_error(self, text) end -- who handles errors badly
  local failed_for = self.state == "running" and not self.is_session and self:last_straw(word)
  if failed_for then self.scripts:park(self, REASONS[failed_for]) end
end

-- Whether that was one too many.
function script:last_straw(word)
  if word == "memory" and memory_is_short() then return "memory" end
  if word == "cpu" and self.count_kill() then return "cpu" end
  return self.count_error() and "error"
end

--- A line in the log. A script that writes without end is not heard.
---@param level string
---@param text string
function script:log(level, text)
  local now_us = core.now()
  self.lines = math.min(LINES_BURST, self.lines + (now_us - self.lines_us) * LINES_A_SECOND / 1000000)
  self.lines_us = now_us
  if self.lines < 1 then
    self.unheard = self.unheard + 1
    return
  end
  self.lines = self.lines - 1
  local before = self.unheard > 0 and (" (%d lines before were too many)"):format(self.unheard) or ""
  self.unheard = 0
  core.log(level, ("%s: %s%s"):format(self.name, text, before))
end

function script:warn(text)
  self:log("warn", text)
end

-- --- one script ---

local function name_of(path)
  return path:match("([^/]*)$"):gsub("%.lua$", "")
end

local function forget_handlers(s)
  s.events, s.commands, s.command_list, s.hears, s.services, s.hooks, s.pending = {}, {}, {}, {}, {}, {}, {}
  s.places = 0
end

-- Nothing of its code is held: no handlers, no globals.
local function forget_code(s)
  s.env, s.exports = nil, {}
  forget_handlers(s)
end

local function new_script(set, name, path, is_trusted)
  local self = setmetatable({ scripts = set, name = name, path = path, state = "loading", errors = 0 }, script)
  forget_code(self)
  self.count_error, self.count_kill = meter(ERRORS_A_MINUTE), meter(KILLS_A_MINUTE - 1)
  self.count_report = meter(REPORTS_A_MINUTE)
  self.lines, self.lines_us, self.unheard = LINES_BURST, core.now(), 0
  self.owner = task.owner(name, core.account(name, is_trusted), function(text, word, t) self:fail(text, word, t) end)
  self.owner.script, self.owner.node, self.owner.tcp = self, set.node, set.tcp
  self.owner.on_end = function(t) set.on_task_end(t) end
  return self
end

--- What waits until the script runs; at once when it does already.
---@param fn fun()
function script:when_running(fn)
  if self.state ~= "loading" then return fn() end
  self.pending[#self.pending + 1] = fn
end

-- A function of the script, called by us; it may not wait. True and what it returned, or false and a traceback.
local function enter(self, by, fn, ...)
  if type(fn) ~= "function" then return false, ("a %s is no function"):format(type(fn)), "error" end
  local code, value, word = task.as(self.owner, by, self.owner.account, fn, ...)
  if code == core.DONE then return true, value end
  return false, value, word
end

local function call(self, fn, ...)
  return enter(self, core.call, fn, ...)
end

--- Calls a hook of it, which has little time.
---@param fn function
---@return boolean ok, any value, string? word
function script:ask(fn, ...)
  return enter(self, core.ask, fn, ...)
end

-- --- the set of them ---

---@class scripts.options
---@field build fun(s: script): table   its globals
---@field print fun(text: string)
---@field on_fail? fun(s: script, traceback: string, word: string): boolean?  true: it is nobody else's business
---@field on_task_end fun(t: table)
---@field on_change fun(running: script[])
---@field on_gone fun(s: script)        what it has made ends
---@field tell fun(e: table)            the event "error"

---@param options scripts.options
---@return scripts
function scripts.new(options)
  local self = setmetatable({ order = {} }, scripts)
  for k, v in pairs(options) do self[k] = v end
  return self
end

function scripts:find(name)
  for i, s in ipairs(self.order) do
    if s.name == name then return s, i end
  end
end

local function changed(self)
  local running = {}
  for _, s in ipairs(self.order) do
    if s.state == "running" then running[#running + 1] = s end
  end
  self.on_change(running)
end

--- A script without a file, for what is typed at the prompt. It is never parked.
---@param name string
---@param print? fun(text: string)  what it prints
---@return script
function scripts:session(name, print)
  local s = new_script(self, name)
  s.is_session, s.state = true, "running"
  s.env = sandbox.new("", self.build(s), print or self.print)
  self.order[#self.order + 1] = s
  changed(self)
  return s
end

--- A file of the program's own user, without budgets, and running before its first line: a lab file. Nobody but its
--- caller runs it.
---@param path string
---@param print fun(text: string)
---@return script
function scripts:trusted(path, print)
  local s = new_script(self, path:match("([^/]*)$"), path, true)
  s.is_session, s.state, s.owner.limit = true, "running", math.huge
  s.env = sandbox.new(path:match("^(.*/)[^/]*$") or "", self.build(s), print)
  return s
end

--- All, in load order.
---@return script[]
function scripts:list()
  return table.move(self.order, 1, #self.order, 1, {})
end

-- All that it has made ends; it is in no list of running ones any more.
local function clear(self, s)
  task.cancel_all(s.owner)
  self.on_gone(s)
end

local function park(self, s, reason)
  s.state, s.reason = "parked", reason
  changed(self)
  clear(self, s)
  forget_code(s) -- it may be parked for the memory that it holds
end

--- Whoever typed it has gone: it ends with all that it made.
---@param s script
function scripts:close_session(s)
  if s.state == "gone" then return end
  for place, one in ipairs(self.order) do -- a file may have its name
    if one == s then table.remove(self.order, place) break end
  end
  s.state = "gone"
  changed(self)
  clear(self, s)
  forget_code(s)
end

--- The process is gone, and with it all scripts: nothing of them runs any more. Sessions stay.
function scripts:lose()
  local lost = self.order
  self.order = {}
  if self.being_loaded then
    lost[#lost + 1] = self.being_loaded
    self.loading, self.being_loaded = nil, nil
  end
  for _, s in ipairs(lost) do
    if s.is_session then self.order[#self.order + 1] = s end
  end
  changed(self)
  for _, s in ipairs(lost) do
    if not s.is_session then
      s.state, s.owner.is_spent = "gone", true
      clear(self, s)
      forget_code(s)
    end
  end
end

-- What is typed goes on to run; what was typed before does not.
local function quieten(self, s, reason)
  forget_handlers(s)
  s.is_mute = nil
  changed(self)
  clear(self, s)
  core.log("error", ("all that the %s made has ended: %s"):format(s.name, reason))
end

--- It stays in the list and does nothing any more.
---@param s script
---@param reason string
function scripts:park(s, reason)
  if s.state ~= "running" then return end
  if s.is_session then return quieten(self, s, reason) end
  park(self, s, reason)
  core.log("error", ("%s is parked: %s; 'reload %s' starts it again"):format(s.name, reason, s.name))
end

function scripts:tell_error(s, text)
  self.tell { script = s.name, why = first_line(text), traceback = text }
end

-- --- loading ---

local function compile(s, set)
  local text, why = core.read(s.path)
  if not text then return nil, ("cannot read %s: %s"):format(s.path, why) end
  local folder = s.path:match("^(.*/)[^/]*$") or ""
  s.env = sandbox.new(folder, set.build(s), set.print)
  return core.load(text, "@" .. s.path, s.env)
end

local function succeed(chunk)
  chunk()
  return true
end

-- Runs the main chunk and waits for its end. True, or nil and a sentence.
local function run_main(s, chunk)
  local t = task.new(s.owner)
  task.run(t, succeed, chunk)
  local ok, why, code = t:join(MAIN_SECONDS)
  if code == "timeout" then return nil, ("its main chunk took longer than %d seconds"):format(MAIN_SECONDS) end
  return ok, s.last_error or why
end

-- Plain data, as it was: what one script leaves to the next must not hold on to its functions.
local function plain(value, depth)
  local kind = type(value)
  if kind == "nil" or kind == "boolean" or kind == "number" or kind == "string" then return value end
  if kind ~= "table" then error(("a %s cannot be handed over"):format(kind), 0) end
  if depth > 32 then error("tables that are nested so deep cannot be handed over", 0) end
  local copy = {}
  for k, v in pairs(value) do copy[plain(k, depth + 1)] = plain(v, depth + 1) end
  return copy
end

-- Runs as a call of the script, for its metamethods do.
local function save_plainly(save)
  return plain(save(), 0)
end

local function saved_state(old)
  local save = rawget(old.exports, "save")
  if save == nil or old.state ~= "running" then return true end
  local ok, state = call(old, save_plainly, save)
  if not ok then return nil, "its script.save failed: " .. first_line(state) end
  return true, state
end

local function restore_state(s, state)
  local restore = rawget(s.exports, "restore")
  if restore == nil or state == nil then return true end
  local ok, why = call(s, restore, state)
  if not ok then return nil, "its script.restore failed: " .. first_line(why) end
  return true
end

local function end_script(self, s)
  local was = s.state
  local unload = rawget(s.exports, "unload")
  if unload ~= nil and was == "running" then
    local ok, why, word = call(s, unload)
    if not ok then s:fail(why, word) end
  end
  s.state = "gone"
  clear(self, s)
end

local function start_script(s)
  s.state = "running"
  local pending = s.pending
  s.pending = {}
  for _, fn in ipairs(pending) do
    local ok, why = pcall(fn)
    if not ok then s:fail(why, "error") end
  end
end

-- The new one takes the place of the old one, at one go: nothing else runs meanwhile.
local function swap(self, s, old)
  local ok, state = saved_state(old)
  if not ok then return nil, state end
  local restored, why = restore_state(s, state)
  if not restored then return nil, why end
  local _, place = self:find(s.name)
  self.order[place or #self.order + 1] = s -- it may have been unloaded meanwhile
  end_script(self, old)
  start_script(s)
  changed(self)
  return true
end

local function try(self, s, old)
  local chunk, why = compile(s, self)
  if not chunk then return nil, why end
  local ok, failure = run_main(s, chunk)
  if not ok then return nil, failure end
  if old then return swap(self, s, old) end
  self.order[#self.order + 1] = s
  start_script(s)
  changed(self)
  return true
end

-- Nothing is left of one that did not come to run, be it that whoever loads it was cancelled.
local function end_loading(mark)
  if mark.set.being_loaded == mark.script then mark.set.loading, mark.set.being_loaded = nil, nil end
  mark.script.old = nil
  if mark.script.state ~= "loading" then return end
  mark.script.state = "gone"
  clear(mark.set, mark.script)
end

local loading_class = { __close = end_loading }

local function load(self, name, path, old)
  if self.loading then return nil, ("%s is being loaded; one at a time"):format(self.loading), "busy" end
  local s = new_script(self, name, path)
  local mark <close> = setmetatable({ set = self, script = s }, loading_class)
  self.loading, self.being_loaded, s.old = name, s, old
  local ok, why = try(self, s, old)
  if ok then return s end
  return nil, why, "failed"
end

--- Loads a file as a script named like it. Call it in a task: the main chunk may wait.
---@param path string
---@return script?, string? why, string? code
function scripts:load(path)
  local name = name_of(path)
  if not name:find("^[%w._-]+$") then
    return nil, "a script's file name is of letters, digits, dots, - and _", "argument"
  end
  local old = self:find(name)
  if old and old.state ~= "parked" then
    return nil, ("%s is loaded already; 'reload %s' takes in what was changed"):format(name, name), "in_use"
  end
  return load(self, name, path, old)
end

--- Loads its file anew. When that fails the old one goes on.
---@param name string
---@return script?, string? why, string? code
function scripts:reload(name)
  local old = self:find(name)
  if not old or old.is_session then return nil, ("no script %s is loaded"):format(name), "not_found" end
  local s, why, code = load(self, name, old.path, old)
  if s then return s end
  return nil, ("%s; the old one %s"):format(why, old.state == "parked" and "stays parked" or "goes on"), code
end

---@param name string
---@return boolean?, string? why, string? code
function scripts:unload(name)
  local s, place = self:find(name)
  if not s or s.is_session then return nil, ("no script %s is loaded"):format(name), "not_found" end
  table.remove(self.order, place)
  end_script(self, s)
  changed(self)
  return true
end

--- Ends all its tasks and parks it.
---@param name string
---@return boolean?, string? why, string? code
function scripts:kill(name)
  local s = self:find(name)
  if not s then return nil, ("no script %s is loaded"):format(name), "not_found" end
  if s.state == "parked" then return nil, ("%s is parked already"):format(name), "in_use" end
  if s.is_session then
    clear(self, s)
    return true
  end
  park(self, s, "it was killed")
  return true
end

return scripts
