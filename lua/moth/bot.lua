--- A message on its way to those who want it, in this order: handlers of the events "message" and "message:TYPE"; then,
-- of text only, exactly one of a waiting `ask` that matches, a command by its first word, the first `hear` that
-- matches. Scripts in load order, in each the order of registration.
--
-- Each handler is a task. A durable message is handled when the last of them has ended; the node hears of it in the
-- same commit in which that one's writes come to the disk. Whoever has too many tasks gets durable messages later, in
-- order, and light ones not at all.

local core = require "moth.core"
local grammar = require "moth.grammar"
local json = require "moth.json"
local task = require "moth.task"

local BACKLOG_MAX = 1000      -- messages that wait for one script
local TASKS_FREE = 16         -- so many tasks of a script may hold light messages whatever memory there is
local MATCH_US = 50000        -- for all patterns that one text is tried on
local STALL_US = 30000000     -- nothing has ended for so long: it never will

local bot = { BACKLOG_MAX = BACKLOG_MAX }

---@class bot.entry              what a script asked for
---@field fn function
---@field site string            where
---@field owner task.owner
---@field is_off? boolean

---@class bot
---@field private raw table      the node
---@field scripts script[]       those that run, in load order
---@field private asks table<string, bot.ask[]>  by the peer's id
local dispatcher = {}
dispatcher.__index = dispatcher

--- Fields of messages that are false are not in them.
local message = { durable = false, broadcast = false, redelivered = false, auto = false }
local message_class = { __index = message, __metatable = "message" }

function message_class.__tostring(m)
  return ("message %x from %s"):format(m.id, m.name)
end

---@param raw table
---@param show fun(msg: table)  before any script gets it
---@param park fun(script: script, why: string)
---@return bot
function bot.new(raw, show, park)
  return setmetatable({ raw = raw, id = raw.id, show = show, park = park, scripts = {}, asks = {} }, dispatcher)
end

--- The hubs of nodes, by their ids.
bot.hubs = {} ---@type table<string, hub>

--- The class of messages, and its methods, to be added to.
bot.class, bot.message = message_class, message

-- --- when a message is handled ---

-- `pending` counts the tasks of a durable message, and whoever still starts some.
local function release(self, receipt)
  receipt.pending = receipt.pending - 1
  if receipt.pending == 0 then self.raw:handled(receipt.from, receipt.id) end
end

local function receipt_of(msg)
  return msg.durable and { pending = 1, from = msg.from, id = msg.id } or nil
end

--- A task with that message has ended.
function dispatcher:ended(t)
  local receipts = t.receipts
  if receipts then
    t.receipts = nil
    for _, receipt in ipairs(receipts) do release(self, receipt) end
  end
  local script = t.owner.script
  if script.backlog then self:catch_up(script) end
end

-- The message is not handled before this task has ended.
local function hold(t, receipt)
  if not receipt then return end
  receipt.pending = receipt.pending + 1
  t.receipts = t.receipts or {}
  t.receipts[#t.receipts + 1] = receipt
end

-- --- starting handlers ---

-- A durable message's last task is made before all others have started and runs when nothing else holds the message, so
-- that its end, which may come at once, is the one that tells the node.
local function launch(receipt, ...)
  local next_one = receipt.next
  receipt.next = ... and table.pack(...)
  if next_one then task.run(table.unpack(next_one, 1, next_one.n)) end
end

-- What waits holds its message in memory, and that of light ones is nobody's.
local function has_memory(owner)
  if owner.tasks < TASKS_FREE then return true end
  local used, most = core.memory()
  return used < most * 3 // 4
end

local function start(self, script, entry, fn, msg, receipt, ...)
  if script.state ~= "running" then return end -- one of its handlers has just got it parked
  local may_start = not script.backlog and (receipt or has_memory(entry.owner))
  local t = may_start and task.new(entry.owner, entry.site)
  if t then
    t.from = msg.from
    if not receipt then return task.run(t, fn, ...) end
    hold(t, receipt)
    return launch(receipt, t, fn, ...)
  end
  if not receipt then return self.raw:count_discard("busy") end
  self:put_off(script, { entry = entry, fn = fn, msg = msg, receipt = receipt, ... })
end

-- Later, when tasks have ended. Mail stops when there are too many; and when none ends, the script does.
function dispatcher:put_off(script, late)
  late.receipt.pending = late.receipt.pending + 1
  late.since_us = core.now()
  local backlog = script.backlog or { first = 1, last = 0 }
  script.backlog = backlog
  backlog.last = backlog.last + 1
  backlog[backlog.last] = late
  if backlog.last - backlog.first + 1 == BACKLOG_MAX and not script.is_pausing then
    self.raw:pause_mail(true)
    script.is_pausing, script.ended_us = true, core.now()
    task.spawn(self.watch_stall, self, script)
  end
end

function dispatcher:watch_stall(script)
  while script.is_pausing do
    task.sleep(1)
    if script.is_pausing and core.now() - script.ended_us >= STALL_US then
      self.park(script, "it has too many tasks, and none has ended for 30 seconds")
    end
  end
end

local function go_on(self, script)
  if not script.is_pausing then return end
  script.is_pausing = false
  for _, other in ipairs(self.scripts) do
    if other.is_pausing then return end
  end
  self.raw:pause_mail(false)
end

-- A task of that script has ended: the next one that waits may start, at the loop's level.
function dispatcher:catch_up(script)
  script.ended_us = core.now()
  if script.is_catching_up then return end
  script.is_catching_up = true
  task.later(function()
    script.is_catching_up = false
    self:start_late(script)
  end)
end

function dispatcher:start_late(script)
  local backlog = script.backlog
  while backlog and backlog.first <= backlog.last do
    local late = backlog[backlog.first]
    local t = task.new(late.entry.owner, late.entry.site)
    if not t then break end
    backlog[backlog.first], backlog.first = nil, backlog.first + 1
    t.from, t.receipts = late.msg.from, { late.receipt }
    task.run(t, late.fn, table.unpack(late))
  end
  if not backlog then return end
  local left = backlog.last - backlog.first + 1
  if left == 0 then script.backlog = nil end
  if left <= BACKLOG_MAX // 2 then go_on(self, script) end
end

--- Nothing waits for that script any more.
function dispatcher:forget(script)
  local backlog = script.backlog or { first = 1, last = 0 }
  script.backlog = nil
  local first, last = backlog.first, backlog.last
  backlog.first = last + 1 -- whoever is about to start them finds none
  for i = first, last do release(self, backlog[i].receipt) end
  go_on(self, script)
end

-- --- replies ---

local function reply_text(v)
  return type(v) == "table" and v or tostring(v)
end

-- What a handler of text returns is its reply.
local function reply(msg, v, why)
  if v == nil then v = why end
  if v == nil then return end
  local m, refusal = msg:reply(reply_text(v))
  if not m then task.running().owner.script:warn(("no reply to %s: %s"):format(msg.name, refusal)) end
end

local function answer(fn, msg, ...)
  reply(msg, fn(msg, ...))
end

local function answer_usage(_, msg, usage)
  msg:reply("usage: " .. usage)
end

-- --- text ---

---@class bot.ask
---@field task table
---@field match string

-- A pattern that fails on a text is an error of its script and matches nothing; one that takes too long is as bad as
-- code that does.
local function is_match(owner, ok, first)
  if not ok then owner.report(first, first:find("takes too long", 1, true) and "cpu" or "error") end
  return ok and first ~= nil
end

-- All patterns that one text is tried on have this time together. False, and somebody is told: it is over.
local function is_in_time(owner, stop_us)
  if core.now() < stop_us then return true end
  owner.report("the patterns that a text is tried on take too long together", "cpu")
  return false
end

-- What a program answers is for an `ask` only when it answers just that: or two that ask each other never end.
local function may_answer(ask, msg)
  return not msg.auto or msg.re == ask.id
end

local function wake_if(ask, msg, receipt, ok, first, _, ...)
  if not is_match(ask.task.owner, ok, first) then return false end
  if not task.wake(ask.task, msg, ...) then return false end -- it has just given up
  hold(ask.task, receipt)
  return true
end

local function ask_takes(self, msg, receipt)
  local list, stop_us = self.asks[msg.from], core.now() + MATCH_US
  if not list then return false end
  for i, ask in ipairs(list) do
    if i > 1 and not is_in_time(ask.task.owner, stop_us) then return false end
    if may_answer(ask, msg) and wake_if(ask, msg, receipt, pcall(string.find, msg.text, ask.match or "")) then
      self:forget_ask(msg.from, i)
      return true
    end
  end
  return false
end

function dispatcher:forget_ask(from, i)
  local list = self.asks[from]
  table.remove(list, i)
  if #list == 0 then self.asks[from] = nil end
end

local function leave(ask)
  for i, other in ipairs(ask.bot.asks[ask.from] or {}) do
    if other == ask then return ask.bot:forget_ask(ask.from, i) end
  end
end

local ask_class = { __close = leave }

--- Waits for the next text from a peer that matches: the message and the captures; or nil, "timeout".
---@param from string
---@param question { match: string?, id: integer? }  id: of the message that asks
---@param at_us integer
function dispatcher:wait_for_text(from, question, at_us)
  local ask <close> = setmetatable({ bot = self, from = from, match = question.match, id = question.id,
    task = task.running() }, ask_class)
  local list = self.asks[from] or {}
  list[#list + 1] = ask
  self.asks[from] = list
  return task.park(at_us)
end

local function help_text(self)
  local lines = {}
  for _, script in ipairs(self.scripts) do
    for _, entry in ipairs(script.command_list) do
      lines[#lines + 1] = entry.help and ("%s - %s"):format(entry.command.usage, entry.help) or entry.command.usage
    end
  end
  return #lines > 0 and table.concat(lines, "\n") or nil
end

local function answer_help(_, msg, text)
  msg:reply(text)
end

local function command_takes(self, msg, receipt)
  local first = self:first_with_commands()
  if not first then return false end
  local word, rest = msg.text:match("^%s*(%S+)(.*)$")
  if not word then return false end
  for _, script in ipairs(self.scripts) do
    local entry = script.commands[word]
    if entry then
      local values, count = grammar.match(entry.command, rest)
      if values then
        start(self, script, entry, answer, msg, receipt, entry.fn, msg, table.unpack(values, 1, count))
      else
        start(self, script, entry, answer_usage, msg, receipt, nil, msg, entry.command.usage)
      end
      return true
    end
  end
  local text = word == "help" and not rest:find("%S") and help_text(self)
  if not text then return false end
  start(self, first, first.command_list[1], answer_help, msg, receipt, nil, msg, text)
  return true
end

function dispatcher:first_with_commands()
  for _, script in ipairs(self.scripts) do
    if script.command_list[1] then return script end
  end
end

-- What follows a match: the captures, without the places where it was found.
local function start_hear(self, script, entry, msg, receipt, ok, first, _, ...)
  if not is_match(entry.owner, ok, first) then return false end
  start(self, script, entry, answer, msg, receipt, entry.fn, msg, ...)
  return true
end

local function hear_takes(self, msg, receipt)
  local stop_us, count = nil, 0
  for _, script in ipairs(self.scripts) do
    for _, entry in ipairs(script.hears) do
      count = count + 1
      if count == 2 then stop_us = core.now() + MATCH_US end
      if count > 2 and not is_in_time(entry.owner, stop_us) then return end
      if start_hear(self, script, entry, msg, receipt, pcall(string.find, msg.text, entry.pattern)) then return end
    end
  end
end

local function route_text(self, msg, receipt)
  if ask_takes(self, msg, receipt) or msg.auto then return end
  if not command_takes(self, msg, receipt) then hear_takes(self, msg, receipt) end
end

-- --- all of it ---

-- The value of JSON is made when somebody asks for it: in their task, and in their memory.
local function json_field(m, key)
  if key ~= "data" then return message[key] end
  local value = json.decode(m.json)
  rawset(m, "data", value)
  return value
end

local json_class = { __index = json_field, __metatable = "message", __tostring = message_class.__tostring }

-- Makes a message of what C gives to the node of that id: JSON keeps its text as `json`, text is there as `text`, too.
local function open(msg, to)
  msg.to = to
  if msg.encoding == "json" then
    msg.json, msg.data = msg.data, nil
    return setmetatable(msg, json_class)
  end
  if msg.encoding == "text" then msg.text = msg.data end
  return setmetatable(msg, message_class)
end

bot.open = open

-- What one script does to a message is nobody else's business.
local function copy(msg)
  local other = {}
  for k, v in next, msg do other[k] = v end
  if not msg.json then return setmetatable(other, message_class) end
  other.data = nil
  return setmetatable(other, json_class)
end

bot.copy = copy

local function start_all(self, script, list, msg, receipt)
  if not list then return end
  for _, entry in ipairs(list) do
    if not entry.is_off then start(self, script, entry, entry.fn, msg, receipt, copy(msg)) end
  end
end

--- A message that arrived.
function dispatcher:take(msg)
  open(msg, self.id)
  local receipt = receipt_of(msg)
  self.show(msg)
  for _, script in ipairs(self.scripts) do
    if next(script.events) then
      start_all(self, script, script.events.message, msg, receipt)
      start_all(self, script, script.events["message:" .. msg.type], msg, receipt)
    end
  end
  if msg.text and msg.type == "text" then route_text(self, msg, receipt) end
  if not receipt then return end
  release(self, receipt)
  launch(receipt)
end

return bot
