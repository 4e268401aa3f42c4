--- What is said of a run that failed: what was expected, when, what the nodes in question did last, and how to see it
-- again.

local core = require "moth.core"

local world = core.lab

local LINES = 20

local report = {}

-- Lua calls the function of a lab by the name of our field. Its frame says where it was: nothing new when the error is
-- from there.
local function without_field(line, first)
  local site = line:match("^%s+(.-:%d+): in field 'fn'$")
  if not site then return line end
  if first:sub(1, #site + 1) == site .. ":" then return nil end
  return ("\t%s: in the function of the lab"):format(site)
end

--- A traceback without what is moth's own.
---@param traceback string
---@return string
function report.clean(traceback)
  local lines = {}
  for line in traceback:gmatch("[^\n]+") do
    local is_ours = lines[1] and line:find("^%s*moth/") or line:find("^%s+%[C%]") or line:find("^%s+%(%.%.%.tail")
    if not is_ours and line ~= "stack traceback:" then
      lines[#lines + 1] = lines[1] and without_field(line, lines[1]) or not lines[1] and line or nil
    end
  end
  return table.concat(lines, "\n")
end

local function quote(text)
  if text:find("^[%w%._/+-]+$") then return text end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function indented(text)
  return (text:gsub("[^\n]+", "  %0"))
end

-- Those of whom the text speaks, unless somebody said it.
local function nodes_in(run, text)
  local found = {}
  for _, node in ipairs(run.net and run.net.nodes or {}) do
    if text:find("%f[%w_.-]" .. node.name:gsub("%p", "%%%0") .. "%f[^%w_.-]") then found[#found + 1] = node end
  end
  return found
end

---@param run lab.run
---@param text string
---@return string
function report.failure(run, text)
  local nodes = nodes_in(run, text)
  local machine = #nodes == 1 and nodes[1].machine or nil
  local whose = machine and " of " .. nodes[1].name or ""
  local clock = run.is_real and "s" or "s of virtual time"
  local lines = { text, ("  at %.6f %s, with seed %d"):format(world.now(), clock, run.seed) }
  local events = world.lines(machine, LINES)
  if events ~= "" then
    lines[#lines + 1] = ("  the last events%s:"):format(whose)
    lines[#lines + 1] = indented(events:gsub("\n$", ""))
  end
  lines[#lines + 1] = ("  again: moth lab --seed %d --only%s%s %s%s"):format(run.seed,
    run.name:find("^%-") and "=" or " ", quote(run.name), world.file:find("^%-") and "./" or "", quote(world.file))
  return (table.concat(lines, "\n"):gsub("\t", "    "):gsub("[^\n]+", core.safe))
end

return report
