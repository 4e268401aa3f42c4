--- The shell's commands about scripts.

local core = require "moth.core"
local format = require "moth.format"

local script_commands = {}

local function load(shell, path)
  local s, why = shell.hub.scripts:load(path)
  if not s then return nil, ("cannot load %s: %s"):format(format.shown(path), why) end
  return s.name .. " is running"
end

local function reload(shell, name)
  local s, why = shell.hub.scripts:reload(name)
  if not s then return nil, ("cannot reload %s: %s"):format(format.shown(name), why) end
  return s.name .. " is running anew"
end

local function unload(shell, name)
  local ok, why = shell.hub.scripts:unload(name)
  return ok and name .. " is unloaded", why
end

local function kill(shell, name)
  local ok, why = shell.hub.scripts:kill(name)
  return ok and ("%s is stopped; 'reload %s' starts it again"):format(name, name), why
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

local function list(shell)
  local rows = { { "SCRIPT", "STATE", "HANDLERS", "TASKS", "ERRORS", "FILE" } }
  local notes = {}
  for _, s in ipairs(listed(shell)) do
    rows[#rows + 1] = { s.name, s.state, ("%d"):format(count_handlers(s)), ("%d"):format(s.owner.tasks),
      ("%d"):format(s.errors), s.path or "-" }
    if s.reason then notes[#notes + 1] = format.wrap(("%s is parked: %s"):format(s.name, s.reason), 2) end
    if s.last_error then notes[#notes + 1] = format.wrap(("%s: last error: %s"):format(s.name, s.last_error), 2) end
  end
  if #rows == 1 then return "no scripts; this runs one: load FILE" end
  local text = format.table(rows, { [3] = true, [4] = true, [5] = true })
  return #notes > 0 and text .. "\n" .. table.concat(notes, "\n") or text
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

local function top(shell)
  local rows = { { "SCRIPT", "CPU", "TASKS", "ERRORS", "KILLS" } }
  for _, row in ipairs(by_cpu(shell)) do
    rows[#rows + 1] = { row.script.name, ("%.2f s"):format(row.cpu), ("%d"):format(row.script.owner.tasks),
      ("%d"):format(row.script.errors), ("%d"):format(row.kills) }
  end
  local used, most = core.memory()
  local memory = ("memory of all scripts and the shell: %s of %s"):format(format.bytes(used), format.bytes(most))
  if #rows == 1 then return memory end
  return format.table(rows, { [2] = true, [3] = true, [4] = true, [5] = true }) .. "\n" .. memory
end

---@type shell.command[]
script_commands.list = {
  { name = "load", usage = "load FILE", help = "run a Lua script; it keeps the name of its file",
    example = "load examples/echo.lua", least = 1, most = 1, takes_rest = true, run = load },
  { name = "reload", usage = "reload SCRIPT", help = "run its file anew; when that fails, the old one goes on",
    example = "reload echo", least = 1, most = 1, run = reload },
  { name = "unload", usage = "unload SCRIPT", help = "end a script and all that it made",
    example = "unload echo", least = 1, most = 1, run = unload },
  { name = "kill", usage = "kill SCRIPT", help = "stop its tasks; it stays in the list, parked",
    example = "kill echo", least = 1, most = 1, run = kill },
  { name = "scripts", usage = "scripts", help = "the scripts that are loaded, and how they do",
    example = "scripts", least = 0, most = 0, run = list },
  { name = "top", usage = "top", help = "what scripts use: CPU time, tasks, memory",
    example = "top", least = 0, most = 0, run = top },
}

return script_commands
