--- What a script sees: an _ENV of its own, with fresh copies of all libraries, so that nothing a script changes is seen
-- by another one or by moth.
--
-- A name that was never given a value is an error that suggests a near one: a typing mistake shows where it is made.

local core = require "moth.core"
local suggest = require "moth.suggest"

local sandbox = {}

local function names_of(env)
  local names = {}
  for name in next, env do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function undefined(env, name)
  local nearest = type(name) == "string" and suggest.nearest(name, names_of(env))
  local hint = nearest and ("; did you mean %s?"):format(nearest) or ""
  error(("undefined global '%s'%s"):format(tostring(name), hint), 2)
end

local function shown(...)
  local parts = table.pack(...)
  for i = 1, parts.n do parts[i] = tostring(parts[i]) end
  return (table.concat(parts, "\t"):gsub("\t", "  ")) -- a terminal obeys tabs
end

-- load(chunk [, name [, mode [, env]]]): text only, whatever the mode; without an env of its own in ours.
local function loader(env)
  return function(chunk, name, _, ...)
    local own = env
    if select("#", ...) > 0 then own = ... end
    if name == nil then name = type(chunk) == "string" and chunk or "=(load)" end
    return core.load(chunk, name, own)
  end
end

-- "parts.greeting" is the file parts/greeting.lua beside the script.
local function module_path(folder, name)
  if type(name) ~= "string" or not name:find("^[%w_-]+$") and not name:find("^[%w_-][%w_.-]*[%w_-]$") or
    name:find("..", 1, true) then
    error("require takes the name of a Lua file beside the script, without its ending", 3)
  end
  return folder .. name:gsub("%.", "/") .. ".lua"
end

local LOADING = {}

-- require: a file beside the script, run once, in the script's own globals.
local function requirer(env, folder)
  local modules = {}
  return function(name)
    local path = module_path(folder, name)
    local module = modules[name]
    if module == LOADING then error(("%s requires itself"):format(name), 2) end
    if module ~= nil then return module end
    local text, why = core.read(path)
    if not text then error(("cannot read %s: %s"):format(path, why), 2) end
    local chunk, wrong = core.load(text, "@" .. path, env)
    if not chunk then error(wrong, 2) end
    modules[name] = LOADING
    local ok, value = pcall(chunk, name, path)
    modules[name] = nil
    if not ok then error(value, 0) end
    if value == nil then value = true end
    modules[name] = value
    return value
  end
end

-- Coroutines that scripts made. No other one is ever shown to a script: whoever resumes the coroutine of a task gets
-- what is meant for the scheduler.
local made = setmetatable({}, { __mode = "k" })
local stand_ins = setmetatable({}, { __mode = "k" })

local function hide_ours(library)
  local create, running = library.create, library.running
  function library.create(fn)
    local thread = create(fn)
    made[thread] = true
    return thread
  end
  function library.running()
    local thread = running()
    if made[thread] then return thread, false end
    local stand_in = stand_ins[thread] or create(function() end)
    stand_ins[thread] = stand_in
    library.close(stand_in)
    return stand_in, true
  end
end

--- A new environment.
---@param folder string  where `require` looks, with its closing slash; "" is the current one
---@param globals table<string, any>  what it has beside the libraries
---@param print fun(text: string)
---@return table
function sandbox.new(folder, globals, print)
  local env = core.libraries()
  hide_ours(env.coroutine)
  for name, value in pairs(globals) do env[name] = value end
  env._G = env
  env.load = loader(env)
  env.require = requirer(env, folder)
  env.print = function(...) print(shown(...)) end
  return setmetatable(env, { __index = undefined, __metatable = false })
end

return sandbox
