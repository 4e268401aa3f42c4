--- A session as commands see it, without a terminal: runs one command and keeps what came of it.

local helper = require "tests.lua.helper"
require "tests.lua.fakes" -- for JSON
local commands = require "moth.commands"
local task = require "moth.task"
local waiting = require "moth.waiting"

local fake_shell = {}
fake_shell.__index = fake_shell

---@param node table
---@return table shell  with `unread`, by the peer's id
function fake_shell.new(node)
  local self = setmetatable({ node = node, hub = helper.hub(), width = 80, unread = {}, lines = {} }, fake_shell)
  self.waiting = waiting.new(node)
  self.program = { mailbox = { counts = function() return self.unread end } }
  return self
end

function fake_shell:say(text)
  self.lines[#self.lines + 1] = text
end

local function words_of(command, rest)
  local words = {}
  while rest ~= "" do
    if command.takes_rest and #words + 1 == command.most then
      words[#words + 1], rest = rest, ""
    else
      words[#words + 1], rest = rest:match("^(%S+)%s*(.*)$")
    end
  end
  assert(#words >= command.least and #words <= command.most, "not the words it takes")
  return words
end

--- Starts a command. What came of it, once `is_over`: `text`, an answer or a sentence, `ok`, `value`, `code`.
---@param line string
---@return table result
function fake_shell:start(line)
  local name, rest = line:match("^(%S+)%s*(.*)$")
  local command, result = assert(commands.find(name)), { is_over = false }
  local words = words_of(command, rest)
  task.spawn(function()
    local answer, value, code = command.run(self, table.unpack(words))
    result.ok, result.is_over = answer ~= nil and answer ~= false, true
    result.text, result.value, result.code = answer, value, code
    if not result.ok then result.text, result.value = value, nil end
  end)
  return result
end

--- The same for one that does not wait: its answer, or why there is none.
---@param line string
---@return string text, any value, string? code
function fake_shell:run(line)
  local result = self:start(line)
  assert(result.is_over, "it waits")
  return result.text, result.value, result.code
end

return fake_shell
