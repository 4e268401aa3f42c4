--- Lab files: what they ask to be run, and one run of it. The C side (src/script/stage.c) loads a file, starts one of
-- its entries and turns until it is over; each run has a Lua state of its own.
--
-- An entry is one lab() or test(). Its function is a task in virtual time. What fails there, or in anything else that
-- the file started, ends the run; so does a bot that had to be stopped. All that is asked of the network goes through
-- moth.net, or, with `mode = "process"`, moth.process_net.

local core = require "moth.core"
local format = require "moth.format"
local json = require "moth.json"
local message = require "moth.message"
local report = require "moth.report"
local scripts = require "moth.script"
local task = require "moth.task"
local testkit = require "moth.testkit"
local way = require "moth.way"

local world = core.lab

local SEEDS_MAX = 1000000
local VIRTUAL_SECONDS_MAX = 86400 -- of a run that does not say

local MODES = { sim = true, process = true }
local OPTIONS = { seeds = true, mode = true, limit = true, latency = true }

local lab = {}

---@class lab.entry
---@field name string
---@field seeds integer
---@field is_real boolean
---@field is_test boolean
---@field options table
---@field fn function

---@class lab.run                what net and testkit know of the run that goes on
---@field name string
---@field seed integer
---@field is_real boolean
---@field script script           owns all that the lab file starts
---@field options table
---@field print fun(text: string)
---@field note fun(text: string)  a line of the timeline
---@field fail fun(text: string)

local entries = {} ---@type lab.entry[]
local file_script  ---@type script  owns what the lab file does
local run          ---@type lab.run?

-- --- what is asked for ---

local function check(value, kind, n, what)
  if type(value) == kind then return end
  error(("bad argument #%d to %s (%s expected, got %s)"):format(n, what, kind, type(value)), 3)
end

local function check_options(options)
  for key in pairs(options) do
    if not OPTIONS[key] then
      error(("lab has no option %s; there are seeds, mode, limit and latency"):format(tostring(key)), 3)
    end
  end
  local seeds, mode = options.seeds or 1, options.mode or "sim"
  if math.type(seeds) ~= "integer" or seeds < 1 or seeds > SEEDS_MAX then
    error(("seeds is a whole number from 1 to %d"):format(SEEDS_MAX), 3)
  end
  if not MODES[mode] then error('mode is "sim" or "process"', 3) end
  local limit, why = core.seconds(options.limit or VIRTUAL_SECONDS_MAX)
  if not limit then error("limit: " .. why, 3) end
  if options.latency ~= nil then way.check(options.latency) end
end

local function add(name, options, fn, is_test)
  if run then error("lab and test describe a run and cannot be called in one", 3) end
  if name == "" or core.safe(name) ~= name then error("the name of a lab is a text that can be shown", 3) end
  for _, entry in ipairs(entries) do
    if entry.name == name then error(("there is a %q already: give each a name of its own"):format(name), 3) end
  end
  entries[#entries + 1] = { name = name, options = options, fn = fn, is_test = is_test, seeds = options.seeds or 1,
    is_real = options.mode == "process" }
end

--- lab(name, [options,] fn): fn(net)
local function add_lab(name, options, fn)
  if fn == nil then options, fn = {}, options end
  check(name, "string", 1, "lab")
  check(options, "table", 2, "lab")
  check(fn, "function", 3, "lab")
  check_options(options)
  add(name, options, fn, false)
end

--- test(name, fn)
local function add_test(name, fn)
  check(name, "string", 1, "test")
  check(fn, "function", 2, "test")
  add(name, {}, fn, true)
end

-- --- the environment of a lab file ---

local function print_line(text)
  world.print(text:gsub("[^\n]+", core.safe) .. "\n")
end

local function copy(from)
  local to = {}
  for k, v in pairs(from) do to[k] = v end
  return to
end

local function log_of()
  local log = {}
  for _, level in ipairs { "debug", "info", "warn", "error" } do
    log[level] = function(...)
      local parts = table.pack(...)
      for i = 1, parts.n do parts[i] = tostring(parts[i]) end
      core.log(level, table.concat(parts, " "))
    end
  end
  return log
end

local function globals_of(script)
  script.exports = { name = script.name }
  return {
    lab = add_lab,
    test = add_test,
    testkit = { load = function(...) return testkit.load(run, ...) end },
    task = task.for_owner(script),
    log = log_of(),
    json = copy(json),
    moth = { message = { to_json = message.to_json, from_json = message.from_json } },
    script = script.exports,
  }
end

-- --- failing ---

local function fail(text)
  world.over(false, report.failure(run, text))
end

-- What went wrong in anything that the file started. An expectation that was not met says so itself.
local function on_failure(_, traceback)
  fail(report.clean(traceback))
  return true
end

local function new_script(path)
  local set = scripts.new {
    build = globals_of,
    print = print_line,
    on_task_end = function() end,
    on_change = function() end,
    on_gone = function() end,
    tell = function() end,
    on_fail = on_failure,
  }
  return set:trusted(path, print_line)
end

-- --- called by C ---

--- Runs the file and lists its entries.
---@param path string
---@return lab.entry[]?, string? why
function lab.load(path)
  local text, why = core.read(path)
  if not text then return nil, why end
  file_script = new_script(path)
  local chunk, wrong = core.load(text, "@" .. path, file_script.env)
  if not chunk then return nil, wrong end
  local code, traceback = core.call(file_script.owner.account, chunk)
  if code == core.ERROR then return nil, report.clean(traceback) end
  if not entries[1] then return nil, "there is no lab(name, fn) and no test(name, fn) in it" end
  return entries
end


local function play(entry, net)
  entry.fn(net)
  net:finish()
  world.over(true)
end

local function give_up(limit)
  fail(("it did not end within %s: does something wait for what never comes? limit = DUR allows more")
    :format(format.duration(limit)))
end

--- Starts that entry; `world.over` is called when it ends.
---@param index integer
function lab.start(index)
  local entry = entries[index]
  run = { name = entry.name, seed = world.seed, is_real = entry.is_real, script = file_script,
    options = entry.options, print = print_line, note = world.note, fail = fail }
  local net = require(entry.is_real and "moth.process_net" or "moth.net").new(run)
  run.net = net
  local t = task.new(file_script.owner, "the function of " .. entry.name)
  task.run(t, play, entry, net)
  local limit = core.seconds(entry.options.limit or VIRTUAL_SECONDS_MAX)
  task.spawn(function()
    task.sleep(limit)
    give_up(limit)
  end)
end

--- After every event, while there are checks.
function lab.check()
  local ok, why = xpcall(run.net.check, core.traceback, run.net)
  if not ok then fail(report.clean(why)) end
end

return lab
