--- Values as text for people: nested, with sorted keys, cycles named, and bounded whatever it is given.

local inspect = {}

local DEPTH_MAX = 6
local ENTRIES_MAX = 100 -- of one table
local BYTES_MAX = 20000 -- of all together
local WIDTH = 72        -- a table that fits is one line

local function is_word(key)
  return type(key) == "string" and key:find("^[%a_][%w_]*$") ~= nil
end

local function shown_key(key)
  if is_word(key) then return key end
  if type(key) == "string" then return ("[%q]"):format(key) end
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

local function join(parts, indent)
  local line = "{ " .. table.concat(parts, ", ") .. " }"
  if #parts == 0 then return "{}" end
  if #line + #indent <= WIDTH and not line:find("\n", 1, true) then return line end
  local inner = indent .. "  "
  return "{\n" .. inner .. table.concat(parts, ",\n" .. inner) .. "\n" .. indent .. "}"
end

local show

local function show_table(state, t, indent, depth)
  if state.open[t] then return "<cycle>" end
  if depth >= DEPTH_MAX then return "{...}" end
  state.open[t] = true
  local parts, length = {}, math.min(rawlen(t), ENTRIES_MAX)
  for i = 1, length do parts[i] = show(state, rawget(t, i), indent .. "  ", depth + 1) end
  local keys, left_out = sorted_keys(t, rawlen(t))
  for _, key in ipairs(keys) do
    if state.bytes > BYTES_MAX then break end
    local name = shown_key(key)
    state.bytes = state.bytes + #name
    parts[#parts + 1] = name .. " = " .. show(state, rawget(t, key), indent .. "  ", depth + 1)
  end
  left_out = left_out + rawlen(t) - length
  if left_out > 0 then parts[#parts + 1] = ("... %d more"):format(left_out) end
  state.open[t] = nil
  return join(parts, indent)
end

-- What node:kv gives shows its entries to `pairs` only.
local function entries_of(value)
  local copy = {}
  for k, v in pairs(value) do copy[k] = v end
  return copy
end

-- By its own __tostring when it has one.
local function show_object(state, value, indent, depth)
  if getmetatable(value) == "kv value" then return show_table(state, entries_of(value), indent, depth) end
  local ok, text = pcall(tostring, value)
  if ok and not text:find("^table: ") then return text end
  return show_table(state, value, indent, depth)
end

function show(state, value, indent, depth)
  if state.bytes > BYTES_MAX then return "..." end
  local text
  if type(value) == "table" then
    local show_it = getmetatable(value) and show_object or show_table
    text = show_it(state, value, indent, depth)
  elseif type(value) == "string" then
    text = depth == 0 and value or ("%q"):format(value):gsub("\\\n", "\\n")
  else
    text = tostring(value)
  end
  state.bytes = state.bytes + #text
  return text
end

--- One or more values, beside each other.
---@return string
function inspect.values(...)
  local parts, state = {}, { open = {}, bytes = 0 }
  for i = 1, select("#", ...) do parts[i] = show(state, (select(i, ...)), "", 0) end
  return table.concat(parts, "  ")
end

return inspect
