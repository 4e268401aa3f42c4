--- What the program runs: scripts, and the shell on its node, driven by four calls from C (src/script/shell.c).

local format = require "moth.format"
local hub = require "moth.hub"
local prompt = require "moth.prompt"
local shell = require "moth.shell"
local task = require "moth.task"

local moth = {}

local the_shell ---@type shell

--- Prints the first line, runs the scripts and gets ready for input.
---@param options shell.options
---@param connect string[]  addresses that are being dialled already
---@param load string[]     files of scripts
function moth.start(options, connect, load)
  local node = options.node
  local place = node.address ~= "" and "listening on " .. node.address or "not listening"
  options.hub = hub.new(node, function(text) the_shell:say(text) end)
  options.prompt = prompt.new(options.hub)
  the_shell = shell.new(options)
  the_shell:say(("%s (%s) %s"):format(node.name, format.id8(node.id), place))
  if options.is_terminal then the_shell:say("Type help for the commands.") end
  the_shell:load(load)
  the_shell:settle(connect)
end

---@param line string
function moth.line(line)
  the_shell:feed(line)
end

--- The input ended.
---@param why? string  when something was wrong with it
function moth.finish(why)
  the_shell:finish(why)
end

--- Somebody wants the process to end: it does, whatever the lines before came to. A person at a terminal first ends
--- the line that runs. False: it does not end.
---@return boolean
function moth.interrupt()
  if the_shell:interrupt() then return false end
  task.spawn(the_shell.leave, the_shell, 0)
  return true
end

return moth
