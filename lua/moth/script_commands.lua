--- The shell's commands about scripts.

local core = require "moth.core"
local format = require "moth.format"
local json_views = require "moth.json_views"

local script_commands = {}

local function cannot(what, name, why)
  return ("cannot %s %s: %s"):format(what, format.shown(name), why)
end

-- What a script is called, and how it is now.
local function value_of(s)
  return { script = json_views.text_of(s.name), state = s.state }
end

-- Where a path leads whose shell began in another folder than the node did.
local function from_there(shell, path)
  if path:sub(1, 1) == "/" or (shell.cwd or "") == "" then return path end
  return shell.cwd .. "/" .. path
end

local function load(shell, path)
  local s, why, code = shell.hub.scripts:load(from_there(shell, path))
  if not s then return nil, cannot("load", path, why), code end
  return s.name .. " is running", value_of(s)
end

local function reload(shell, name)
  local s, why, code = shell.hub.scripts:reload(name)
  if not s then return nil, cannot("reload", name, why), code end
  return s.name .. " is running anew", value_of(s)
end

local function unload(shell, name)
  local ok, why, code = shell.hub.scripts:unload(name)
  if not ok then return nil, why, code end
  return name .. " is unloaded", value_of { name = name, state = "unloaded" }
end

local function kill(shell, name)
  local ok, why, code = shell.hub.scripts:kill(name)
  if not ok then return nil, why, code end
  return ("%s is stopped; 'reload %s' starts it again"):format(name, name),
    value_of((shell.hub.scripts:find(name)))
end

local function count_handlers(s)
  local count = #s.command_list + #s.hears
  for _, list in pairs(s.events) do count = count + #list end
  for _, list in pairs(s.hooks) do count = count + #list end
  for _ in pairs(s.services) do count = count + 1 end
  return count
end

-- The prompt counts as a script once it has something that runs.
local function listed(shell)
  local list = {}
  for _, s in ipairs(shell.hub.scripts:list()) do
    if not s.is_session or count_handlers(s) > 0 or s.owner.tasks > 0 then list[#list + 1] = s end
  end
  return list
end

local COLUMNS = {
  { head = "SCRIPT", cell = function(s) return s.name end, least = 8 },
  { head = "STATE", cell = function(s) return s.state end, drop = 3 },
  { head = "HANDLERS", cell = function(s) return ("%d"):format(count_handlers(s)) end, right = true, drop = 1 },
  { head = "TASKS", cell = function(s) return ("%d"):format(s.owner.tasks) end, right = true, drop = 2 },
  { head = "ERRORS", cell = function(s) return ("%d"):format(s.errors) end, right = true },
  { head = "FILE", cell = function(s) return s.path or "-" end },
}

-- Why one is parked, and what went wrong last.
local function notes(shell, scripts)
  local rows = {}
  local function add(text, ...) rows[#rows + 1] = format.wrap(text:format(...), 2, shell.width) end
  for _, s in ipairs(scripts) do
    if s.reason then add("%s is parked: %s", s.name, s.reason) end
    if s.last_error then add("%s: last error: %s", s.name, s.last_error) end
  end
  return rows
end

local function list(shell)
  local scripts = listed(shell)
  local value = json_views.array(scripts, function(s) return json_views.script(s, count_handlers(s)) end)
  if #scripts == 0 then return "no scripts; this runs one: load FILE", value end
  local rows = notes(shell, scripts)
  table.insert(rows, 1, format.list(COLUMNS, scripts, shell.width))
  return table.concat(rows, "\n"), value
end

local function by_cpu(shell)
  local rows = {}
  for _, s in ipairs(listed(shell)) do
    local cpu, kills = core.usage(s.owner.account)
    rows[#rows + 1] = { script = s, cpu = cpu, kills = kills }
  end
  table.sort(rows, function(a, b)
    if a.cpu ~= b.cpu then return a.cpu > b.cpu end
    return a.script.name < b.script.name
  end)
  return rows
end

local USE_COLUMNS = {
  { head = "SCRIPT", cell = function(row) return row.script.name end, least = 8 },
  { head = "CPU", cell = function(row) return ("%.2f s"):format(row.cpu) end, right = true },
  { head = "TASKS", cell = function(row) return ("%d"):format(row.script.owner.tasks) end, right = true },
  { head = "ERRORS", cell = function(row) return ("%d"):format(row.script.errors) end, right = true, drop = 1 },
  { head = "KILLS", cell = function(row) return ("%d"):format(row.kills) end, right = true },
}

local function use_of(row)
  local s = row.script
  return { name = json_views.text_of(s.name), cpu = row.cpu, tasks = s.owner.tasks, errors = s.errors,
    kills = row.kills }
end

local function top(shell)
  local rows, used, most = by_cpu(shell), core.memory()
  local memory = ("memory of all scripts and the shell: %s of %s"):format(format.bytes(used), format.bytes(most))
  local text = format.wrap(memory, 2, shell.width)
  if #rows > 0 then text = format.list(USE_COLUMNS, rows, shell.width) .. "\n" .. text end
  return text, { scripts = json_views.array(rows, use_of), memory = used, memory_most = most }
end

---@type shell.command[]
script_commands.list = {
  { name = "load", usage = "load FILE", help = "run a Lua script; it keeps the name of its file",
    group = "scripts", example = "load examples/echo.lua", least = 1, most = 1, takes_rest = true, run = load },
  { name = "reload", usage = "reload SCRIPT", help = "run its file anew; if that fails the old one stays",
    group = "scripts", example = "reload echo", least = 1, most = 1, run = reload },
  { name = "unload", usage = "unload SCRIPT", help = "end a script and all that it made",
    group = "scripts", example = "unload echo", least = 1, most = 1, run = unload },
  { name = "kill", usage = "kill SCRIPT", help = "stop its tasks; it stays in the list, parked",
    group = "scripts", example = "kill echo", least = 1, most = 1, run = kill },
  { name = "scripts", usage = "scripts", help = "the scripts that are loaded, and how they do",
    group = "scripts", example = "scripts", least = 0, most = 0, run = list },
  { name = "top", usage = "top", help = "what scripts use: CPU time, tasks, memory",
    group = "scripts", example = "top", least = 0, most = 0, run = top },
}

return script_commands
