--- A whole program without C: its scripts and sessions on the node of helper.lua, with a home folder that is a table,
--- and fronts that remember what they were told.
--
-- All modules of moth are loaded anew for each, so that no task of one spec lives on in the next. A front does what C
-- does: once its session is over it is not called any more.

local fake_node = require "tests.lua.fake_node"
local fakes = require "tests.lua.fakes"
local helper = require "tests.lua.helper"
local core = require "moth.core"

local fake_program = { BOB = helper.id "bbbb2222", EVA = helper.id "eeee3333" }

-- --- the node: what helper.lua answers, and what the hub needs ---

local function nothing() end

local function add_hub_methods(node)
  for name, method in pairs(getmetatable(fakes.node()).__index) do node[name] = method end
  for k, v in pairs(fakes.node()) do node[k] = v end
  for _, name in ipairs { "begin", "commit", "discard", "set_hook", "handled", "count_discard", "next_event" } do
    node[name] = nothing
  end
  node.pauses, node.methods_of_messages = {}, {}
  function node.methods() return node end
  function node.message_methods() return node.methods_of_messages end
  function node.pause_mail(_, on) node.pauses[#node.pauses + 1] = on end
end

-- --- fronts ---

local front = {}
front.__index = front

-- What a terminal may be given: whole lines, and no control characters but those of our colours.
local function check_text(text)
  assert(text:sub(-1) == "\n", "no whole line")
  local rest = text:gsub("\27%[[%d;]*m", ""):gsub("\n", "")
  assert(not rest:find("[\0-\31\127]"), "not safe for a terminal")
end

local function note(self, list, value)
  if not self.is_over then self[list][#self[list] + 1] = value end
end

local function functions_of(self)
  return {
    say = function(text, is_complaint, tag)
      check_text(text)
      note(self, is_complaint and "complained" or "said", text)
      if tag then self.tagged[tag] = text end
    end,
    amend = function(tag, line, other)
      check_text(line .. "\n")
      note(self, "amended", { tag = tag, line = line, other = other })
    end,
    prompt = function(text) note(self, "prompts", text) end,
    hold = function(on) if not self.is_over then self.is_held = on end end,
    chat = function(on) note(self, "chats", on) end,
    finish = function(status)
      note(self, "statuses", status)
      self.is_over = true
    end,
  }
end

--- Enters a line, or a paste, and lets it go on until it waits for something.
---@param text string
function front:feed(text)
  self.session:feed(text)
  helper.settle()
end

--- The input ends.
---@param why? string
function front:finish(why)
  self.session:finish(why)
  helper.settle()
end

--- Ctrl-C.
---@param had_text? boolean
function front:interrupt(had_text)
  self.session:interrupt(had_text or false)
  helper.settle()
end

--- Everything that was said since the last look, as one text.
---@return string
function front:take()
  local text = table.concat(self.said)
  self.said = {}
  return text
end

--- What a line answers.
---@param text string
---@return string
function front:ask(text)
  self:take()
  self:feed(text)
  return self:take()
end

--- What stands before the line that is typed.
---@return string?
function front:prompt()
  return self.prompts[#self.prompts]
end

-- --- the program ---

local world = {}
world.__index = world

-- The files of the home folder. `keep_fails` is a sentence and a word, `keep_hangs` a disk that is stuck.
local function home_of(self)
  local written
  return {
    read_home = function(name)
      local text = self.home[name]
      if text then return text end
      return nil, self.read_fails or "there is no such thing", self.read_fails and "io" or "not_found"
    end,
    keep = function(name, text)
      if written then return false end
      written = { name = name, text = text }
      return true
    end,
    kept = function()
      if not written or self.keep_hangs then return end
      local file = written
      written = nil
      if self.keep_fails then return nil, self.keep_fails[1], self.keep_fails[2] end
      self.home[file.name], self.kept[#self.kept + 1] = file.text, file.name
      return true
    end,
  }
end

local function options_of(self, more)
  local options = home_of(self)
  options.node, options.home, options.folder = self.node, "/home/ana/moth", "/work"
  options.is_alone, options.has_joined_key = false, false
  for k, v in pairs(more) do options[k] = v end
  function options.speak(text, is_complaint)
    check_text(text)
    local list = is_complaint and self.complained or self.spoken
    list[#list + 1] = text
  end
  function options.ready() self.readies = self.readies + 1 end
  function options.hear_logs(level) self.level = level end
  return options
end

---@class fake_program.setup
---@field known? table[]               peers, as for helper.node
---@field home? table<string, string>  files of the home folder; one with a config.lua when there is none
---@field files? table<string, string> scripts
---@field read_fails? string            why no file of the home folder can be read
---@field options? table               of the program

---@param setup? fake_program.setup
---@return table world
function fake_program.new(setup)
  setup = setup or {}
  fake_node.forget_modules()
  helper.reset()
  fake_node.files, fake_node.memory_used = setup.files or {}, 1 << 20
  core.interrupted = function() return false end
  local self = setmetatable({ home = setup.home or { ["config.lua"] = "" }, kept = {}, spoken = {}, complained = {},
    read_fails = setup.read_fails, readies = 0, quits = {} }, world)
  self.node = helper.node(setup.known or { { name = "bob", start = "bbbb2222", linked = true, hops = 1,
    via = fake_program.BOB }, { name = "eva", start = "eeee3333", hops = 2, via = fake_program.BOB } })
  add_hub_methods(self.node)
  local send = self.node.send
  function self.node.send(node, to, text) -- just now, unlike those of helper.message
    local m, why, code = send(node, to, text)
    if m then m.accepted = os.time() end
    return m, why, code
  end
  function self.node.quit(_, status) self.quits[#self.quits + 1] = status end
  self.program = require("moth.program").new(options_of(self, setup.options or {}))
  self.node.bus = self.program.hub.bus
  helper.settle()
  return self
end

--- One whose scripts have run.
---@param setup? fake_program.setup
---@return table world
function fake_program.started(setup)
  local self = fake_program.new(setup)
  self:load {}
  return self
end

--- Runs the scripts of the start.
---@param paths string[]
function world:load(paths)
  self.program:load(paths)
  helper.settle()
end

local TERMS = { is_terminal = false, is_remote = false, is_single = false, is_json = false, has_colour = false,
  shows_light = false, connect = {} }

--- What a session is told of its front, unless it is `more`.
---@param more? table
---@return table
function world.terms(more)
  local all = {}
  for k, v in pairs(TERMS) do all[k] = v end
  for k, v in pairs(more or {}) do all[k] = v end
  return all
end

--- A front without a session, and its `functions`.
---@return table front
function world.front()
  local self = setmetatable({ complained = {}, prompts = {}, chats = {}, amended = {}, statuses = {}, said = {},
    tagged = {}, is_held = false, is_over = false }, front)
  self.functions = functions_of(self)
  return self
end

--- A new session, with its `greeting`.
---@param terms? table  that differ from those of the program's own pipe
---@return table front
function world:enter(terms)
  local one = world.front()
  one.session = self.program:enter(one.functions, world.terms(terms))
  helper.settle()
  one.greeting = one:take()
  return one
end

--- Somebody at the terminal of the program.
---@param terms? table
---@return table front
function world:sit(terms)
  local all = { is_terminal = true, width = 80 }
  for k, v in pairs(terms or {}) do all[k] = v end
  return self:enter(all)
end

--- Somebody at a terminal that is attached.
---@param terms? table
---@return table front
function world:attach(terms)
  local all = { is_remote = true, folder = "/home/eva" }
  for k, v in pairs(terms or {}) do all[k] = v end
  return self:sit(all)
end

--- `moth do`.
---@param terms? table
---@return table front
function world:single(terms)
  local all = { is_remote = true, is_single = true, width = 80, folder = "/home/eva" }
  for k, v in pairs(terms or {}) do all[k] = v end
  return self:enter(all)
end

--- An event of the node, with all that follows from it now.
function world:raise(name, e)
  self.node:raise(name, e)
  helper.settle()
end

--- A durable text of eva's, or with other fields, arrives.
---@param fields? table
function world:receive(fields)
  local msg = { id = 1, from = fake_program.EVA, name = "eva", type = "text", encoding = "text", data = "hello",
    durable = true, broadcast = false, time = helper.wall }
  for k, v in pairs(fields or {}) do msg[k] = v end
  local entry = { ours = false }
  for k, v in pairs(msg) do entry[k] = v end
  if msg.durable then table.insert(self.node.entries, entry) end
  self:raise("message", msg)
end

--- A message of ours changes.
---@param m table
---@param state string
---@param fields? table
function world:change(m, state, fields)
  m.state = state
  for k, v in pairs(fields or {}) do m[k] = v end
  self:raise("state", m)
end

return fake_program
