--- What the node knows, as values that JSON can carry: what `moth do --json` prints.
--
-- Keys are stable; what is not there is not known. Ids of nodes are all their digits, ids of messages the digits that
-- people see, times are seconds since 1970, spans seconds, sizes bytes; what a round trip takes is in `rtt_ms`. An
-- empty list is [].

local core = require "moth.core"
local format = require "moth.format"
local json = require "moth.json"

local DATA_BYTES_MAX = 150000 -- of one message: however it is escaped, a million bytes take it

local json_views = {}

--- A list, each of whose entries `fn` makes a value of.
---@param entries any[]
---@param fn fun(entry: any): any
---@return table
function json_views.array(entries, fn)
  local list = {}
  for i, entry in ipairs(entries) do list[i] = fn(entry) end
  return json.array(list)
end

--- Names of files and the words of errors, which may be any bytes.
---@param text? string
---@return string?
function json_views.text_of(text)
  return text and (utf8.len(text) and text or core.safe(text))
end

local text_of = json_views.text_of

local function unless_empty(text)
  return text ~= "" and text or nil
end

-- The fields of that name.
local function some(entry, names)
  local value = {}
  for _, name in ipairs(names) do value[name] = entry[name] end
  return value
end

-- --- peers ---

--- Somebody who is known.
---@param entry table
---@param unread? integer
---@return table
function json_views.peer(entry, unread)
  local value = some(entry, { "id", "name", "linked", "up", "blocked", "inbound", "rtt_ms" })
  value.claimed, value.address = unless_empty(entry.claimed), unless_empty(entry.address)
  value.alias = entry.aliased and entry.name or nil
  value.hops, value.via = entry.up and entry.hops or nil, entry.up and entry.via or nil
  value.unread = unread or 0
  return value
end

--- An address that `connect` keeps a link to.
---@param entry table
---@return table
function json_views.wanted(entry)
  local value = some(entry, { "address", "linked", "peer", "reason", "why" })
  value.retry_in = not entry.linked and entry.retry_in_ms / 1000 or nil
  return value
end

--- The way to a peer, from this node on.
---@param node table
---@param ids string[]
---@param name_of fun(id: string): string
---@return table
function json_views.path(node, ids, name_of)
  local hop = -1
  return json_views.array(ids, function(id)
    local entry = id ~= node.id and node:peer(id) or {}
    hop = hop + 1
    return { hop = hop, id = id, name = name_of(id), rtt_ms = entry.linked and entry.rtt_ms or nil }
  end)
end

-- --- messages ---

--- A message of ours.
---@param m table
---@return table
function json_views.message(m)
  local value = some(m, { "to", "name", "state", "reason", "why", "refusal", "tries", "bytes", "carriers", "by",
    "by_name", "accepted" })
  value.id, value.changed = format.hex(m.id), m.time
  return value
end

-- Text and JSON as they are, other bytes as hex digits; what is very long stays out.
local function add_data(value, entry)
  local data = entry.data
  value.bytes = #data
  if #data > DATA_BYTES_MAX then return end
  if entry.encoding ~= "bytes" and utf8.len(data) then
    value.data = data
  else
    value.hex = data:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
  end
end

--- A message of the history.
---@param entry table
---@return table
function json_views.entry(entry)
  local value = some(entry, { "from", "to", "name", "ours", "time", "type", "encoding", "set_aside", "state", "reason",
    "why" })
  value.id = entry.id and format.hex(entry.id)
  value.re = entry.re and format.hex(entry.re)
  add_data(value, entry)
  return value
end

-- --- the node ---

---@param node table
---@return table
function json_views.identity(node)
  return { id = node.id, name = node.name, address = unless_empty(node.address) }
end

local function as_it_is(value)
  return value
end

--- Everything that `status` shows, and the addresses that links are kept to.
---@param node table
---@return table
function json_views.status(node)
  local value = json_views.identity(node)
  for name, figure in pairs(node:status()) do value[name] = figure or nil end
  value.uptime, value.uptime_ms = (value.uptime_ms or 0) / 1000, nil
  value.discarded = json_views.array(value.discarded, as_it_is)
  value.limits = json_views.array(node:limits(), as_it_is)
  value.wanted = json_views.array(node:wanted(), json_views.wanted)
  return value
end

-- --- scripts ---

--- A script that is loaded, and how it does.
---@param s script
---@param handlers integer
---@return table
function json_views.script(s, handlers)
  return { name = text_of(s.name), state = s.state, handlers = handlers, tasks = s.owner.tasks, errors = s.errors,
    path = text_of(s.path), reason = text_of(s.reason), last_error = text_of(s.last_error) }
end

-- --- as text ---

-- What a terminal may obey though it is no byte below a blank: JSON has another way to write it. In a text of JSON it
-- can stand in strings only.
local function escaped(character)
  local code = utf8.codepoint(character)
  local steers = code < 0xa0 or code == 0x061c or code >= 0x200b and code <= 0x200f or code >= 0x2028 and code <= 0x202e
    or code >= 0x2060 and code <= 0x206f or code == 0xfeff
  return steers and ("\\u%04x"):format(code) or nil
end

local function encode(value)
  local text, why, code = json.encode(value)
  if not text then text = json.encode { error = why, code = code } end
  return (text:gsub("[\xc2\xd8\xe2\xef][\x80-\xbf]+", escaped):gsub("\x7f", "\\u007f"))
end

--- A value in one line. A list may be longer than a text of JSON may be otherwise: its entries are made texts one by
--- one, and one that cannot be has an error in its place.
---@param value any
---@return string
function json_views.text(value)
  local is_list = type(value) == "table" and getmetatable(value) == getmetatable(json.array {})
  if not is_list then return encode(value) end
  local texts = {}
  for i, entry in ipairs(value) do texts[i] = encode(entry) end
  return "[" .. table.concat(texts, ",") .. "]"
end

return json_views
