--- The configuration: every key of config.lua with its kind, and the file that shows them all.
--
-- This table is the only place that knows the keys. The file that `moth config` prints comes from it, and so does the
-- check of a file that was read (src/script/config.c runs `check`, in a state without a node: nothing here needs one).
-- Whether a text is an address or a time is judged where the options of the command line are, in src/options.c.

local suggest = require "moth.suggest"

local config = {}

---@class config.key
---@field name string
---@field kind "text"|"texts"|"boolean"|"whole"|"duration"|"limits"
---@field default? any    what holds without it
---@field sample? any     shown when there is no default
---@field doc string[]    one or two lines

---@type config.key[]
config.keys = {
  { name = "name", kind = "text", sample = "ana",
    doc = { "How others see this node: 1 to 32 of A-Z a-z 0-9 . _ - (default: the login name)." } },
  { name = "listen", kind = "text", default = "127.0.0.1:6684",
    doc = { 'Where others dial; port 0: any; "none": nowhere. What stands here is that port and no',
      "other; without it, the next free one is taken." } },
  { name = "advertise", kind = "text", sample = "192.0.2.7:6684",
    doc = { 'The numeric address and port that others are told to dial, or "none" (default: where it', "listens)." } },
  { name = "connect", kind = "texts", sample = { "192.0.2.1:6684", "192.0.2.2:6684" },
    doc = { "Nodes to keep a link to." } },
  { name = "network", kind = "text", sample = "./network.key",
    doc = { "The key all members share. With a / it is a file; else 64 hex digits are the key itself,",
      "and any other text is a passphrase." } },
  { name = "open", kind = "boolean", default = false,
    doc = { "Listen beyond this machine without a network key." } },
  { name = "load", kind = "texts", sample = { "bots/echo.lua" },
    doc = { "Lua scripts to run, in this order." } },
  { name = "ttl", kind = "duration", default = "7d",
    doc = { "How long a message waits for its recipient: 12h, 7d; at most 30d." } },
  { name = "retries", kind = "whole", default = 0,
    doc = { "How often a message is sent again when nobody confirms it, though there is a route;", "0: no limit." } },
  { name = "color", kind = "text", default = "auto",
    doc = { 'Colours: "on", "off", or "auto": at a terminal, unless NO_COLOR is set.' } },
  { name = "light", kind = "boolean", default = false,
    doc = { "Show light messages, which are never kept, at the prompt." } },
  { name = "log", kind = "text", default = "warn",
    doc = { "What is logged: debug, info, warn or error, and all that is worse." } },
  { name = "limits", kind = "limits", sample = { links = 1024 },
    doc = { "Bounds other than those that `status` shows, by their names there." } },
}

-- --- the file ---

local HEAD = [[
-- config.lua -- the settings of this moth node, read when it starts.
--
-- This is Lua: texts stand in quotes, lists in braces, and what follows two dashes does not count: take them away
-- before a setting to use it. What the command line says goes before what stands here; a list there replaces the list
-- here. A path that does not begin with / begins at the folder of this file, the node's home.
-- `moth config` prints this file as it comes, `moth doctor` tells whether it is well.
]]

local function quoted(text)
  return (("%q"):format(text):gsub("\\\n", "\\n"))
end

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local function table_lines(name, items)
  if #items == 0 then return { name .. " = {}" } end
  local lines = { name .. " = {" }
  for _, item in ipairs(items) do lines[#lines + 1] = "  " .. item .. "," end
  lines[#lines + 1] = "}"
  return lines
end

local function setting_lines(key, value)
  local items = {}
  if key.kind == "limits" then
    for i, name in ipairs(sorted_keys(value)) do items[i] = ("%s = %d"):format(name, value[name]) end
    return table_lines(key.name, items)
  elseif type(value) == "table" then
    for i, text in ipairs(value) do items[i] = quoted(text) end
    return table_lines(key.name, items)
  end
  return { key.name .. " = " .. (type(value) == "string" and quoted(value) or tostring(value)) }
end

local function key_lines(key, value)
  local lines = {}
  for i, line in ipairs(key.doc) do lines[i] = "-- " .. line end
  local shown = value
  if shown == nil then shown = key.default end
  if shown == nil then shown = key.sample end
  for _, line in ipairs(setting_lines(key, shown)) do
    lines[#lines + 1] = value == nil and "-- " .. line or line
  end
  return table.concat(lines, "\n") .. "\n"
end

--- The file: every key with what it means, commented out when `values` has none.
---@param values table<string, any>
---@return string
function config.text(values)
  local parts = { HEAD }
  for _, key in ipairs(config.keys) do parts[#parts + 1] = key_lines(key, values[key.name]) end
  return table.concat(parts, "\n")
end

-- --- the check ---

local TEXTS = "is a text in quotes or a list of texts"
local LIMITS = "is a table of whole numbers, like { links = 1024 }"

local checks = {} -- by kind: the value's texts, one for each item, or nil and what it must be

local function is_text(value)
  return type(value) == "string" and value ~= "" and not value:find("\0", 1, true)
end

function checks.text(value)
  if is_text(value) then return { value } end
  return nil, "is a text in quotes"
end

function checks.texts(value)
  local texts, count = type(value) == "table" and value or { value }, 0
  for _, text in pairs(texts) do
    count = count + 1
    if not is_text(text) then return nil, TEXTS end
  end
  if #texts ~= count then return nil, TEXTS end
  return texts
end

function checks.boolean(value)
  if type(value) == "boolean" then return { tostring(value) } end
  return nil, "is true or false"
end

local function whole(value)
  local n = type(value) == "number" and math.tointeger(value)
  return n and ("%d"):format(n)
end

function checks.whole(value)
  local text = whole(value)
  if text then return { text } end
  return nil, "is a whole number"
end

function checks.duration(value)
  if is_text(value) then return { value } end
  if type(value) == "number" then return { ("%.14g"):format(value) } end
  return nil, 'is a time in quotes, like "12h", or seconds'
end

function checks.limits(value)
  local texts, is_table = {}, type(value) == "table"
  for name, limit in pairs(is_table and value or {}) do
    local text = is_text(name) and whole(limit)
    if not text then return nil, LIMITS end
    texts[#texts + 1] = name .. "=" .. text
  end
  table.sort(texts)
  if is_table then return texts end
  return nil, LIMITS
end

local function names()
  local list = {}
  for i, key in ipairs(config.keys) do list[i] = key.name end
  return list
end

local function find_key(name)
  for _, key in ipairs(config.keys) do
    if key.name == name then return key end
  end
end

local function unknown(name)
  local near = suggest.nearest(name, names())
  return ("there is no key %s (%s)"):format(name, near and "did you mean " .. near .. "?" or "moth config lists all")
end

--- Judges what a file has set.
---@param values table<string, any>
---@param order string[]   the names in it, as they came first
---@return {[1]: string, [2]: string[]}[]?  in the order of the keys: name and texts
---@return string? why, string? name  that is wrong
function config.check(values, order)
  for _, name in ipairs(order) do
    if not find_key(name) then return nil, unknown(name), name end
  end
  local found = {}
  for _, key in ipairs(config.keys) do
    local value = values[key.name]
    if value ~= nil then
      local texts, why = checks[key.kind](value)
      if not texts then return nil, key.name .. " " .. why, key.name end
      found[#found + 1] = { key.name, texts }
    end
  end
  return found
end

return config
