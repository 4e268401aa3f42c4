--- Specs of bots: one node that runs them, invented peers, virtual time. Each peer is a node of its own, linked to the
-- bot's, so what a spec says goes the way that messages go.

local core = require "moth.core"
local given = require "moth.given"
local signal = require "moth.signal"
local task = require "moth.task"

local LINK_SECONDS = 10 -- for a peer to be linked
local LOAD_SECONDS = 30
local QUIET_SECONDS = 1 -- nothing comes any more

local OPTIONS = { name = true, config = true, clock = true }

local testkit = {}

---@class testkit.peer
---@field node lab_node
---@field inbox table[]  messages from the bot that no expectation has taken
local peer = {}
peer.__index = peer

---@class testkit.bot
---@field node lab_node
local kit = {}
kit.__index = kit

-- --- loading ---

local function script_of(self)
  local hub = self.node.hub
  return hub and hub.scripts:find(self.script)
end

--- Starts a node that runs this bot. Options: name =, config = as of a lab node, clock =. (waits)
---@param run lab.run
---@param file string
---@param options? table
---@return testkit.bot
function testkit.load(run, file, options)
  if not run then given.refuse("testkit.load is called in a test") end
  given.a("string", file, "the file of a bot")
  options = given.options(options, OPTIONS, "testkit.load")
  local self = setmetatable({ net = run.net, peers = {}, arrivals = signal.new() }, kit)
  self.script = file:match("([^/]*)$"):gsub("%.lua$", "")
  self.node = run.net:node(options.name or "bot", { script = file, config = options.config, clock = options.clock })
  local ok = task.wait(function() return script_of(self) end, LOAD_SECONDS)
  if not ok then given.refuse(("%s takes longer than %d s to load"):format(file, LOAD_SECONDS)) end
  return self
end

-- --- peers ---

--- The peer of that name; made and linked to the bot when it is first asked for. (waits)
---@param name string
---@return testkit.peer
function kit:from(name)
  local one = self.peers[name]
  if one then return one end
  given.a("string", name, "the name of a peer")
  one = setmetatable({ node = self.net:node(name), inbox = {}, kit = self }, peer)
  self.peers[name] = one
  one.node:on("message", function(msg)
    if msg.from ~= self.node.id then return end
    one.inbox[#one.inbox + 1] = msg
    self.arrivals:raise(name)
  end)
  one.node:dial(self.node)
  local id = one.node.id
  local is_there = task.wait(function()
    local here, there = one.node:peer(self.node), self.node:peer(id)
    return here and here.up and there and there.up
  end, LINK_SECONDS)
  if not is_there then given.refuse(("%s was not linked to the bot within %d s"):format(name, LINK_SECONDS)) end
  return one
end

--- Sends something to the bot: a text, or data with its type.
---@param data any
---@param options? table  as of node:send
---@return userdata m
function peer:say(data, options)
  local m, why = self.node:send(self.kit.node, data, options)
  if not m then given.refuse(why) end
  return m
end

-- --- what is expected ---

local function text_of(msg)
  if msg.text then return msg.text end
  return msg.json or tostring(msg.data)
end

local function take(inbox, pattern)
  for i, msg in ipairs(inbox) do
    if text_of(msg):find(pattern) then return table.remove(inbox, i) end
  end
end

local function shown(inbox)
  if not inbox[1] then return "nothing came" end
  local texts = {}
  for i, msg in ipairs(inbox) do texts[i] = ("%q"):format(text_of(msg)) end
  return "there came " .. table.concat(texts, ", ")
end

--- Waits for a message of the bot to that peer which matches, and takes it; fails when none comes in time. (waits)
---@param name string
---@param pattern string  a Lua pattern
---@param span? number|string  1 s unless given
---@return table msg
function kit:expect(name, pattern, span)
  given.a("string", pattern, "what is expected, a pattern,")
  local is_pattern, wrong = pcall(string.find, "", pattern)
  if not is_pattern then given.refuse(wrong) end
  local one, stop_us = self:from(name), task.deadline(given.span(span or 1, "the time to wait"))
  while true do
    local msg = take(one.inbox, pattern)
    if msg then return msg end
    if core.now() >= stop_us then
      given.refuse(("%s expected %q within %s: %s"):format(name, pattern, tostring(span or "1s"), shown(one.inbox)))
    end
    self.arrivals:wait(name, stop_us)
  end
end

--- Fails when there is a message for that peer, or for any, that nobody expected, or comes within a second. (waits)
---@param name? string
function kit:expect_none(name)
  if name ~= nil and not self.peers[name] then given.refuse(("there is no peer %s"):format(tostring(name))) end
  task.sleep(QUIET_SECONDS)
  for who, one in pairs(self.peers) do
    if (name == nil or who == name) and one.inbox[1] then
      given.refuse(("%s expected nothing: %s"):format(who, shown(one.inbox)))
    end
  end
end

--- Lets time pass. (waits)
---@param span number|string
function kit:advance(span)
  task.sleep(given.span(span, "the time to advance"))
end

--- Loads the bot's file anew, as `reload` would. (waits)
function kit:reload()
  task.wait(function() return script_of(self) end, LOAD_SECONDS) -- it may just have been restarted
  local ok, why = self.node.hub.scripts:reload(self.script)
  if not ok then given.refuse(why) end
end

return testkit
