--- Data that stays: `node:kv(name)` looks like a table, and every read and write of it is one of the database.
--
-- Keys lie there in an order of bytes that is the order people expect: whole numbers first, by size, then strings. So
-- `pairs` needs no more than "the next key after this one", and what is taken away or added meanwhile disturbs nothing.
-- Values are JSON. A table that comes out is a copy: writing into it would change nothing that stays, so it is refused.

local json = require "moth.json"

local KEY_BYTES_MAX = 200
local INTEGER, STRING = "i", "s" -- what an encoded key starts with
local SIGN = math.mininteger     -- flipped, negative numbers come before the others

local NO_SPACE = "the name of a kv is up to 64 of A-Z a-z 0-9 . _ -"
local NO_KEY = "a key of a kv is a whole number or a string of 1 to 200 bytes, not %s"
local READ_ONLY = "this is a copy of what is kept; assign the whole value: t.key = v"
local NESTED = "a kv cannot be kept in a kv; copy what is in it"

local kv = {}

local is_kv = setmetatable({}, { __mode = "k" })

-- --- keys ---

local function shown(key)
  return type(key) == "string" and ("one of %d bytes"):format(#key) or ("%s"):format(tostring(key))
end

-- An error of whoever indexed the table, when it is no key.
local function encode_key(key)
  local n = math.type(key) and math.tointeger(key)
  if n then return INTEGER .. (">i8"):pack(n ~ SIGN) end
  if type(key) == "string" and #key >= 1 and #key <= KEY_BYTES_MAX then return STRING .. key end
  error(NO_KEY:format(shown(key)), 3)
end

local function decode_key(text)
  if text:sub(1, 1) == STRING then return text:sub(2) end
  return (">i8"):unpack(text, 2) ~ SIGN
end

-- --- values ---

local function refuse_write()
  error(READ_ONLY, 2)
end

-- What looks like `data` and cannot be changed. moth's JSON encodes the field `__json` in its place.
local function read_only(data)
  local views = {}
  local function view(value)
    if type(value) ~= "table" or value == json.null then return value end
    views[value] = views[value] or read_only(value)
    return views[value]
  end
  local function following(_, key)
    local k, v = next(data, key)
    return k, view(v)
  end
  return setmetatable({}, {
    __index = function(_, key) return view(data[key]) end,
    __newindex = refuse_write,
    __len = function() return #data end,
    __pairs = function(t) return following, t, nil end,
    __metatable = "kv value",
    __json = data,
  })
end

local function decode(text)
  local value, why = json.decode(text)
  if why then error(why, 3) end
  if type(value) == "table" and value ~= json.null then return read_only(value) end
  return value
end

local function encode(value)
  if is_kv[value] then error(NESTED, 3) end
  local text, why = json.encode(value)
  if not text then error(why, 3) end
  return text
end

-- --- the table ---

-- The last of the whole numbers from 1 on that are there without a gap, or another one before a gap.
local function border(has)
  if not has(1) then return 0 end
  local low, high = 1, 2
  while has(high) do low, high = high, high * 2 end
  while high - low > 1 do
    local middle = low + (high - low) // 2
    if has(middle) then low = middle else high = middle end
  end
  return low
end

local function make_class(node, name)
  local function get(_, key)
    local text, why = node:data_get(name, encode_key(key))
    if why then error(why, 2) end
    return text and decode(text)
  end

  local function put(_, key, value)
    local text
    local encoded = encode_key(key)
    if value ~= nil then text = encode(value) end
    local ok, why = node:data_put(name, encoded, text)
    if not ok then error(why, 2) end
  end

  local function following(_, key)
    local found, text = node:data_next(name, key ~= nil and encode_key(key) or nil)
    if found then return decode_key(found), decode(text) end
    if text then error(text, 2) end
  end

  local function has(n)
    local text, why = node:data_get(name, encode_key(n))
    if why then error(why, 3) end
    return text ~= nil
  end

  return {
    __index = get,
    __newindex = put,
    __pairs = function(t) return following, t, nil end,
    __len = function() return border(has) end,
    __tostring = function() return "kv " .. name end,
    __metatable = "kv",
  }
end

--- The data of that name. What cannot be kept is an error where it is assigned.
---@param node table
---@param name string
---@return table<string|integer, any>
function kv.open(node, name)
  if type(name) ~= "string" or #name > 64 or not name:find("^[%w._-]+$") then error(NO_SPACE, 2) end
  local t = setmetatable({}, make_class(node, name))
  is_kv[t] = true
  return t
end

return kv
