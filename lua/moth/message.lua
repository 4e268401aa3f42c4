--- Messages as JSON texts, with the names that moth's first sketch gave their fields.
--
-- All eight fields are always there, each is checked both ways, and no others are taken:
--
--   peer_id          from   32 hex digits
--   target_user_id   to     32 hex digits, "*" for all, null when unknown (a received message does not name us)
--   message_type     type   a type; "MESSAGE" for the two usual ones, text and data
--   data             data   an object, see below
--   time_stamp       time   seconds since 1970
--   message_id       id     a whole number above 0
--   hop_count        hops   0 to 255
--   path             path   the ids on the way, or the first 16 digits of each; at most one a hop
--
-- Data is always an object there: a text is {content = text}, an object itself, all else {value = v}. An object that
-- looks like one of the two goes into {value = object} too, so that what comes back is what went in.

local json = require "moth.json"

local message = {}

local function is_id(v)
  return type(v) == "string" and #v == 32 and not v:find("[^0-9a-f]")
end

local function is_target(v)
  return v == nil or v == "*" or is_id(v)
end

local function is_type(v)
  return type(v) == "string" and #v <= 64 and v:find("^[a-z0-9._-]+$") ~= nil
end

local function is_time(v)
  return type(v) == "number" and v >= 0 and v < math.huge
end

local function is_number(v)
  return math.type(v) == "integer" and v > 0
end

local function is_hops(v)
  return math.type(v) == "integer" and v >= 0 and v <= 255
end

local function is_step(v)
  return is_id(v) or type(v) == "string" and #v == 16 and not v:find("[^0-9a-f]")
end

local function is_path(v, t)
  if type(v) ~= "table" then return false end
  local count = 0
  for k in next, v do
    if math.type(k) ~= "integer" or k < 1 or not is_step(v[k]) then return false end
    count = count + 1
  end
  return count == #v and count <= t.hops
end

local fields = {
  { "from", "peer_id", is_id, "is 32 hex digits" },
  { "to", "target_user_id", is_target, 'is 32 hex digits, "*", or nothing' },
  { "type", "message_type", is_type, "is 1 to 64 of a-z 0-9 . _ -" },
  { "time", "time_stamp", is_time, "is seconds since 1970" },
  { "id", "message_id", is_number, "is a whole number above 0" },
  { "hops", "hop_count", is_hops, "is a whole number from 0 to 255" },
  { "path", "path", is_path, "is a list of ids, at most one a hop" },
}

-- Which of the two names a complaint uses.
local OURS, THEIRS = 1, 2

local function check(t, which)
  for _, field in ipairs(fields) do
    if not field[3](t[field[1]], t) then return field[which] .. " " .. field[4] end
  end
end

-- --- data ---

local function is_array(v)
  return getmetatable(v) == "json.array" or rawget(v, 1) ~= nil
end

local function is_wrapped(v)
  local key, inner = next(v)
  if key == nil or next(v, key) ~= nil then return false end
  return key == "value" or key == "content" and type(inner) == "string"
end

local function wrap(v)
  if type(v) == "string" then return { content = v } end
  if type(v) == "table" and not is_array(v) and not is_wrapped(v) then return v end
  return { value = v == nil and json.null or v }
end

local function unwrap(v)
  if not is_wrapped(v) then return v end
  local _, inner = next(v)
  if inner == json.null then return nil end
  return inner
end

local function usual_type(data)
  return type(data) == "string" and "text" or "data"
end

-- --- both ways ---

--- The JSON text of a message: of one that came, of an entry of node:history, or of any table with these fields.
--- Without hops and path it came straight.
---@param t table
---@return string? text, string? why, string? code
function message.to_json(t)
  if type(t) ~= "table" then error("a message is a table, not " .. type(t), 2) end
  local m = { hops = t.hops or 0, path = t.path or {}, to = t.to or t.broadcast and "*" or nil }
  for _, field in ipairs(fields) do m[field[1]] = m[field[1]] or t[field[1]] end
  local why = check(m, OURS)
  if why then return nil, why, "argument" end
  local out = { data = wrap(t.data) }
  for _, field in ipairs(fields) do out[field[2]] = m[field[1]] end
  if out.target_user_id == nil then out.target_user_id = json.null end
  if t.type == usual_type(t.data) then out.message_type = "MESSAGE" end
  out.path = json.array(table.move(m.path, 1, #m.path, 1, {}))
  return json.encode(out)
end

local function unknown_field(raw)
  local known = { data = true }
  for _, field in ipairs(fields) do known[field[2]] = true end
  for key in next, raw do
    if not known[key] then return tostring(key) .. " is no field of a message" end
  end
end

local function missing_field(raw)
  for _, field in ipairs(fields) do
    if raw[field[2]] == nil then return field[2] .. " is missing" end
  end
end

local function check_object(raw)
  if type(raw) ~= "table" or is_array(raw) then return "a message is an object" end
  local why = unknown_field(raw) or missing_field(raw)
  if why then return why end
  if type(raw.data) ~= "table" or is_array(raw.data) then return "data is an object" end
end

--- The message in a JSON text.
---@param text string
---@return table? t, string? why, string? code
function message.from_json(text)
  local raw, why, code = json.decode(text)
  if why then return nil, why, code end
  why = check_object(raw)
  if why then return nil, why, "argument" end
  local t = { data = unwrap(raw.data) }
  for _, field in ipairs(fields) do t[field[1]] = raw[field[2]] end
  if t.to == json.null then t.to = nil end
  if t.type == "MESSAGE" then t.type = usual_type(t.data) end
  why = check(t, THEIRS)
  if why then return nil, why, "argument" end
  return t
end

return message
