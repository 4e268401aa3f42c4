--- Values as text for people: nested, with sorted keys, cycles named, as wide as the terminal, and bounded whatever
-- it is given.

local core = require "moth.core"
local format = require "moth.format"

local inspect = {}

local DEPTH_MAX = 6
local ENTRIES_MAX = 100      -- of one table
local BYTES_MAX = 20000      -- of all together
local TEXT_BYTES_MAX = 10000 -- of one string
local INDENT = "  "

local function is_word(key)
  return type(key) == "string" and key:find("^[%a_][%w_]*$") ~= nil
end

-- The beginning of a text, and what says how long all of it is.
local function cut(text)
  if #text <= TEXT_BYTES_MAX then return text, "" end
  local last = TEXT_BYTES_MAX
  if utf8.len(text) then last = utf8.offset(text, 0, last + 1) - 1 end
  return text:sub(1, last), ("... (%s)"):format(format.plural(#text, "byte"))
end

local function shortened(text)
  local start, rest = cut(text)
  return start .. rest
end

local function quoted(text)
  local start, rest = cut(text)
  return ("%q"):format(start):gsub("\\\n", "\\n") .. rest
end

local function shown_key(key)
  if is_word(key) then return shortened(key) end
  if type(key) == "string" then return "[" .. quoted(key) .. "]" end
  return "[" .. tostring(key) .. "]"
end

local ORDER = { number = 1, string = 2 }

local function is_before(a, b)
  local kind_a, kind_b = type(a), type(b)
  if kind_a == kind_b and ORDER[kind_a] then return a < b end
  if kind_a ~= kind_b then return (ORDER[kind_a] or 3) < (ORDER[kind_b] or 3) end
  return tostring(a) < tostring(b)
end

-- The keys behind the list part; the first ones of a table that is too large.
local function sorted_keys(t, length)
  local keys, left_out = {}, 0
  for key in next, t do
    local is_in_list = math.type(key) == "integer" and key >= 1 and key <= length
    if not is_in_list and #keys < ENTRIES_MAX then
      keys[#keys + 1] = key
    elseif not is_in_list then
      left_out = left_out + 1
    end
  end
  table.sort(keys, is_before)
  return keys, left_out
end

-- In one line where there is room behind what stands before it: `used` columns, and the comma behind.
local function join(state, parts, indent, used)
  if #parts == 0 then return "{}" end
  local line = "{ " .. table.concat(parts, ", ") .. " }"
  if not line:find("\n", 1, true) and used + core.columns(line) + 1 <= state.width then return line end
  local inner = indent .. INDENT
  return "{\n" .. inner .. table.concat(parts, ",\n" .. inner) .. "\n" .. indent .. "}"
end

local show

-- The entries of a table, and how many were left out.
local function show_entries(state, t, indent, depth)
  local parts, length = {}, math.min(rawlen(t), ENTRIES_MAX)
  for i = 1, length do parts[i] = show(state, rawget(t, i), indent, #indent, depth) end
  local keys, left_out = sorted_keys(t, rawlen(t))
  for _, key in ipairs(keys) do
    if state.bytes > BYTES_MAX then break end
    local name = shown_key(key) .. " = "
    state.bytes = state.bytes + #name
    parts[#parts + 1] = name .. show(state, rawget(t, key), indent, #indent + core.columns(name), depth)
  end
  return parts, left_out + rawlen(t) - length
end

local function show_table(state, t, indent, used, depth)
  if state.open[t] then return "<cycle>" end
  if depth >= DEPTH_MAX then return "{...}" end
  state.open[t] = true
  local parts, left_out = show_entries(state, t, indent .. INDENT, depth + 1)
  if left_out > 0 then parts[#parts + 1] = ("... %d more"):format(left_out) end
  state.open[t] = nil
  return join(state, parts, indent, used)
end

-- What node:kv gives shows its entries to `pairs` only.
local function entries_of(value)
  local copy = {}
  for k, v in pairs(value) do copy[k] = v end
  return copy
end

-- By its own __tostring when it has one.
local function show_object(state, value, indent, used, depth)
  if getmetatable(value) == "kv value" then return show_table(state, entries_of(value), indent, used, depth) end
  local ok, text = pcall(tostring, value)
  if ok and not text:find("^table: ") then return shortened(text) end
  return show_table(state, value, indent, used, depth)
end

-- A value whose first line begins behind `used` columns.
function show(state, value, indent, used, depth)
  if state.bytes > BYTES_MAX then return "..." end
  local text
  if type(value) == "table" then
    local show_it = getmetatable(value) and show_object or show_table
    text = show_it(state, value, indent, used, depth)
  elseif type(value) == "string" then
    text = depth == 0 and shortened(value) or quoted(value)
  else
    text = tostring(value)
  end
  state.bytes = state.bytes + #text
  return text
end

--- One or more values, beside each other, in so many columns where they allow it.
---@param width? integer
---@return string
function inspect.show(width, ...)
  local parts, state = {}, { open = {}, bytes = 0, width = width or format.WIDTH }
  for i = 1, select("#", ...) do parts[i] = show(state, (select(i, ...)), "", 0, 0) end
  return table.concat(parts, "  ")
end

--- The same where there is no terminal.
---@return string
function inspect.values(...)
  return inspect.show(nil, ...)
end

return inspect
