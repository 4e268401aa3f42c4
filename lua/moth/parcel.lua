--- Values as bytes, between a lab and its nodes when these are processes of their own.
--
-- Unlike JSON it carries what calls carry: raw bytes, nil in the midst of a list, all numbers. A parcel is a length of
-- four bytes and the values one after the other; a value is a letter and what the letter says. What is no plain value,
-- a function or a message, goes as a stand-in: whoever packs says what for, whoever unpacks makes something of it.
--
-- This file is read at both ends, by moth and by a script in the node, so it needs nothing but Lua's own libraries;
-- `json` is the module of that name, for its null and the mark of its arrays.

local BYTES_MAX = 4 << 20 -- of a parcel: more than any message
local DEPTH_MAX = 64
local PIECE = 1 << 20     -- what a connection gives at a time

local parcel = { BYTES_MAX = BYTES_MAX }
parcel.__index = parcel

---@class parcel
---@field json table
---@field stand_in fun(v: any): string?, any    a word and a plain value for what is none; nil: it is one
---@field revive fun(word: string, v: any): any

---@param json table
---@param stand_in fun(v: any): string?, any
---@param revive fun(word: string, v: any): any
---@return parcel
function parcel.new(json, stand_in, revive)
  return setmetatable({ json = json, stand_in = stand_in, revive = revive }, parcel)
end

-- --- packing ---

local pack = {}

pack["nil"] = function() return "0" end

function pack.boolean(_, v)
  return v and "+" or "-"
end

function pack.number(_, v)
  if math.type(v) == "integer" then return "i" .. (">i8"):pack(v) end
  return "n" .. (">n"):pack(v)
end

function pack.string(_, v)
  return "s" .. (">s4"):pack(v)
end

local function put(self, out, v, depth)
  if depth > DEPTH_MAX then error("tables that are nested so deep cannot be handed over", 0) end
  local word, plain
  if v ~= self.json.null then word, plain = self.stand_in(v) end
  if word then
    out[#out + 1] = "!" .. (">s1"):pack(word)
    return put(self, out, plain, depth + 1)
  end
  local kind = type(v)
  if v == self.json.null then
    out[#out + 1] = "N"
  elseif pack[kind] then
    out[#out + 1] = pack[kind](self, v)
  elseif kind ~= "table" then
    error(("a %s cannot be handed over"):format(kind), 0)
  else
    out[#out + 1] = getmetatable(v) == "json.array" and "[" or "{"
    for key, value in pairs(v) do
      put(self, out, key, depth + 1)
      put(self, out, value, depth + 1)
    end
    out[#out + 1] = "}"
  end
end

--- The bytes of these values, with their length before them.
---@return string? bytes, string? why
function parcel:pack(...)
  local out, values = {}, table.pack(...)
  for i = 1, values.n do
    local ok, why = pcall(put, self, out, values[i], 1)
    if not ok then return nil, why end
  end
  local bytes = table.concat(out)
  if #bytes > BYTES_MAX then return nil, ("more than %d bytes cannot be handed over at once"):format(BYTES_MAX) end
  return (">s4"):pack(bytes)
end

-- --- unpacking ---

local CLOSED = {} -- what `}` gives

local take

local function take_table(self, text, at, depth)
  local t, key, value = {}, nil, nil
  while true do
    key, at = take(self, text, at, depth + 1)
    if key == CLOSED then return t, at end
    value, at = take(self, text, at, depth + 1)
    t[key] = value
  end
end

local takers = {
  ["0"] = function(_, _, at) return nil, at end,
  ["+"] = function(_, _, at) return true, at end,
  ["-"] = function(_, _, at) return false, at end,
  ["N"] = function(self, _, at) return self.json.null, at end,
  ["}"] = function(_, _, at) return CLOSED, at end,
  ["i"] = function(_, text, at) return (">i8"):unpack(text, at) end,
  ["n"] = function(_, text, at) return (">n"):unpack(text, at) end,
  ["s"] = function(_, text, at) return (">s4"):unpack(text, at) end,
  ["{"] = take_table,
  ["["] = function(self, text, at, depth)
    local t, after = take_table(self, text, at, depth)
    return self.json.array(t), after
  end,
  ["!"] = function(self, text, at, depth)
    local word, plain
    word, at = (">s1"):unpack(text, at)
    plain, at = take(self, text, at, depth + 1)
    return self.revive(word, plain), at
  end,
}

function take(self, text, at, depth)
  local taker = takers[text:sub(at, at)]
  if not taker or depth > 2 * DEPTH_MAX then error("this is no parcel", 0) end
  return taker(self, text, at + 1, depth)
end

local function take_all(self, text)
  local values, at = { n = 0 }, 1
  while at <= #text do
    values.n = values.n + 1
    values[values.n], at = take(self, text, at, 1)
  end
  return values
end

--- The values in these bytes, without the length: a table with `n`; or nil and why.
---@param text string
---@return table? values, string? why
function parcel:unpack(text)
  local ok, values = pcall(take_all, self, text)
  if not ok then return nil, values end
  return values
end

-- --- on a connection ---

local function read_exactly(conn, bytes)
  local parts = {}
  while bytes > 0 do
    local part, why = conn:read(math.min(bytes, PIECE))
    if not part then return nil, why end
    parts[#parts + 1] = part
    bytes = bytes - #part
  end
  return table.concat(parts)
end

--- Waits for the next parcel: its values; or nil and why there is none.
---@param conn table
---@param most? integer  bytes
---@return table? values, string? why
function parcel:read(conn, most)
  local head, why = read_exactly(conn, 4)
  if not head then return nil, why end
  local bytes = #head == 4 and (">I4"):unpack(head) or math.huge
  if bytes > (most or BYTES_MAX) then return nil, "this is no parcel" end
  local text, no = read_exactly(conn, bytes)
  if not text then return nil, no end
  return self:unpack(text)
end

--- Sends these values: true; or nil and why that cannot be.
---@param conn table
---@return true? ok, string? why
function parcel:write(conn, ...)
  local bytes, why = self:pack(...)
  if not bytes then return nil, why end
  local ok, no = conn:write(bytes)
  return ok, no
end

return parcel
