--- What specs use in place of parts that are written in C: JSON, and a node's data and jobs.
---
--- Values are kept as texts that nobody can change from outside, as in the database.

local helper = require "tests.lua.helper"

local fakes = {}

-- --- JSON: what it can carry, in the syntax of Lua ---

local json = { null = setmetatable({}, { __tostring = function() return "null" end }) }
local array_class = {}

function json.array(t)
  return setmetatable(t or {}, array_class)
end

local write

local function is_array(t)
  return debug.getmetatable(t) == array_class or rawlen(t) > 0
end

local function write_table(t)
  local parts = {}
  if is_array(t) then
    for i, v in ipairs(t) do parts[i] = write(v) end
    return "array{" .. table.concat(parts, ",") .. "}"
  end
  for k, v in pairs(t) do parts[#parts + 1] = ("[%q]=%s"):format(k, write(v)) end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end

function write(v)
  local kind = type(v)
  if v == json.null then return "null" end
  if kind == "table" then
    local meta = debug.getmetatable(v)
    return write_table(meta and meta.__json or v)
  end
  if kind == "string" or kind == "number" or kind == "boolean" then return ("%q"):format(v) end
  error(("a %s cannot be JSON"):format(kind), 0)
end

function json.encode(v)
  local ok, text = pcall(write, v)
  if ok then return text end
  return nil, text, "argument"
end

function json.decode(text)
  local chunk = load("return " .. text, "=json", "t", { array = json.array, null = json.null })
  if not chunk then return nil, "that is no JSON", "malformed" end
  return chunk()
end

package.loaded["moth.json"] = json
fakes.json = json

-- --- a node ---

local node = {}
node.__index = node

function fakes.node()
  return setmetatable({ spaces = {}, kept = {}, next_id = 100, dropped = {} }, node)
end

-- What C gives for a failure the spec asked for.
local function refusal(self)
  if self.refuses then return nil, "the database cannot be written now", self.refuses end
  return true
end

function node:data_get(space, key)
  if self.refuses then return refusal(self) end
  return (self.spaces[space] or {})[key]
end

function node:data_put(space, key, text)
  if self.refuses then return refusal(self) end
  self.spaces[space] = self.spaces[space] or {}
  self.spaces[space][key] = text
  return true
end

function node:data_next(space, key)
  if self.refuses then return refusal(self) end
  local found
  for k in pairs(self.spaces[space] or {}) do
    if (not key or k > key) and (not found or k < found) then found = k end
  end
  if found then return found, self.spaces[space][found] end
end

function node:job_put(due, name, text)
  if self.refuses then return refusal(self) end
  self.next_id = self.next_id + 1
  self.kept[self.next_id] = { id = self.next_id, due = math.ceil(due * 1000) / 1000, name = name, arguments = text }
  return self.next_id
end

function node:job_drop(id)
  if not self.kept[id] then return nil, "there is no such thing", "not_found" end
  self.kept[id] = nil
  self.dropped[#self.dropped + 1] = id
  return true
end

function node:jobs()
  local list = {}
  for _, job in pairs(self.kept) do list[#list + 1] = { id = job.id, due = job.due, name = job.name } end
  table.sort(list, function(a, b) return a.id < b.id end)
  return list
end

function node:job(id)
  if self.refuses then return refusal(self) end
  local job = self.kept[id]
  if not job then return nil, "there is no such thing", "not_found" end
  return { id = job.id, due = job.due, name = job.name, arguments = job.arguments }
end

--- An owner whose errors gather in `reported`.
---@param task table
---@param name? string
function fakes.owner(task, name)
  local reported = {}
  local owner = task.owner(name or "bot", require("moth.core").account(name or "bot"), function(text)
    reported[#reported + 1] = text
  end)
  return owner, reported
end

--- Sets the clock on the wall, and nothing else.
---@param seconds number
function fakes.set_clock(seconds)
  helper.wall = helper.wall + seconds
end

return fakes
