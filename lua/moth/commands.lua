--- The shell's commands: each is data (name, usage, help, example, group, run), so that running, help, completion and
--- suggestions read one table.
--
-- `run(shell, words...)` gets between `least` and `most` words, the last of them the rest of the line when
-- `takes_rest`. It returns what to say, or true for nothing, and the same facts as a value that JSON can carry; or nil,
-- a sentence and a word. It may wait. The commands themselves are in files of their own, by what they are about.

local core = require "moth.core"
local format = require "moth.format"
local json_views = require "moth.json_views"
local manual = require "moth.manual"
local status_view = require "moth.status_view"
local suggest = require "moth.suggest"

local commands = {}

---@class shell.command
---@field name string
---@field also? string  another name
---@field usage string
---@field help string   one line
---@field example string
---@field group "talk"|"network"|"scripts"|"node"|"shell"
---@field least integer
---@field most integer
---@field takes_rest? boolean
---@field completes? table
---@field run fun(shell: shell, ...: string): (string|true)?, any, string?

-- In the order in which help has them.
local GROUPS = {
  { name = "talk", head = "Talking" },
  { name = "network", head = "The network" },
  { name = "scripts", head = "Scripts" },
  { name = "node", head = "This node" },
  { name = "shell", head = "The shell" },
}

-- --- this node ---

local function id(shell)
  return status_view.identity(shell.node, shell.width), json_views.identity(shell.node)
end

local function status(shell, what)
  if what and what ~= "limits" then return nil, "usage: status [limits]", "usage" end
  local view = what and status_view.limits or status_view.status
  return view(shell.node, shell.width), json_views.status(shell.node)
end

-- --- help ---

local function names(command)
  return command.also and command.name .. ", " .. command.also or command.name
end

local function value_of(command)
  return { name = command.name, also = command.also, usage = command.usage, help = command.help,
    example = command.example, group = command.group }
end

local function usage_of(command)
  return "  " .. (command.also and command.usage .. ", " .. command.also or command.usage)
end

-- One table for all groups, so that they line up; a headline is a row of one cell.
local function help_all(shell)
  local rows = {}
  for _, group in ipairs(GROUPS) do
    rows[#rows + 1] = { group.head }
    for _, command in ipairs(commands.list) do
      if command.group == group.name then rows[#rows + 1] = { usage_of(command), command.help } end
    end
  end
  return format.table(rows, { width = shell.width, below = 4 }), json_views.array(commands.list, value_of)
end

local function help_command(shell, command)
  return format.table({
    { names(command), command.help },
    { "usage", command.usage },
    { "example", command.example },
  }, { width = shell.width }), value_of(command)
end

local the_manual ---@type manual

-- What is not the name of a command may be one of the Lua that scripts see.
local function help_lua(name)
  the_manual = the_manual or manual.new(core.source)
  local entry = the_manual:find(name)
  if entry then
    local text = manual.show(entry)
    return text, { signature = entry.signature, text = text }
  end
  local _, why = commands.find(name)
  local near = not commands.nearest(name) and the_manual:near(name)
  if near then why = ("nothing is called \"%s\"; did you mean %s?"):format(format.shown(name), near) end
  return nil, why, "not_found"
end

local function help(shell, name)
  if not name then return help_all(shell) end
  local command = commands.find((name:gsub("^/", "")))
  if command then return help_command(shell, command) end
  return help_lua(name)
end

---@type shell.command[]
local own = {
  { name = "status", usage = "status [limits]", help = "figures, what was discarded and why; limits", group = "node",
    example = "status limits", least = 0, most = 1, run = status },
  { name = "id", usage = "id", help = "the name, full id and address of this node", group = "node",
    example = "id", least = 0, most = 0, run = id },
  { name = "help", usage = "help [COMMAND|NAME]", help = "this list, one command, or a name of Lua", group = "shell",
    example = "help node.send", least = 0, most = 1, run = help },
}

-- --- all of them ---

---@type shell.command[]
commands.list = {}

local by_name, all_names = {}, {}

local function add(list)
  for _, command in ipairs(list) do
    commands.list[#commands.list + 1] = command
    for _, name in ipairs { command.name, command.also } do
      by_name[name] = command
      all_names[#all_names + 1] = name
    end
  end
end

add(require("moth.message_commands").list)
add(require("moth.network_commands").list)
add(require("moth.peer_commands").list)
add(require("moth.script_commands").list)
add(own)
add(require("moth.session_commands").list)

--- The name of the command that was probably meant.
---@param name string
---@return string?
function commands.nearest(name)
  return suggest.nearest(name, all_names)
end

--- The command of that name, or nil and a sentence.
---@param name string
---@return shell.command?, string?
function commands.find(name)
  if by_name[name] then return by_name[name] end
  local nearest = commands.nearest(name)
  local hint = nearest and ("did you mean %s?"):format(nearest) or "help shows all"
  return nil, ("unknown command \"%s\"; %s"):format(format.shown(name), hint)
end

return commands
