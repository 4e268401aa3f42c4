--- Requests and answers: `node:serve` at one end, `node:request` at the other. Light messages: nothing is kept, and
-- whoever asks decides how long to wait.
--
-- An answer's type is a word: "ok" with the value, else a code with a sentence.

local bot = require "moth.bot"
local json = require "moth.json"
local signal = require "moth.signal"
local task = require "moth.task"

local service = {}
service.__index = service

local NOT_SENT = "the service could not send its answer"

---@class service
---@field scripts script[]  those that run, in load order

---@param raw table
---@return service
function service.new(raw)
  return setmetatable({ raw = raw, scripts = {}, replies = signal.new() }, service)
end

-- --- schemas ---

local IS_TYPE = { string = true, integer = true, number = true, boolean = true, table = true, any = true }

local function type_of(wanted)
  local name, mark = wanted:match("^(%a+)(%??)$")
  if not name or not IS_TYPE[name] then return nil end
  return name, mark == "?"
end

local function has_type(value, name)
  if name == "any" then return value ~= nil end
  if name == "integer" then return math.type(value) == "integer" end
  return type(value) == name
end

--- nil and a sentence when that is no schema.
---@param schema table<string, string>
function service.check_schema(schema)
  for field, wanted in pairs(schema) do
    if type(field) ~= "string" or type(wanted) ~= "string" or not type_of(wanted) then
      return nil, ("field %s: a schema names string, integer, number, boolean, table or any, with ? when it may be " ..
        "missing"):format(tostring(field))
    end
  end
  return true
end

local function sorted_fields(schema)
  local fields = {}
  for field in pairs(schema) do fields[#fields + 1] = field end
  table.sort(fields)
  return fields
end

-- What is wrong with `data`, or nil.
local function mismatch(schema, data)
  if type(data) ~= "table" then return "a table is needed" end
  for _, field in ipairs(sorted_fields(schema)) do
    local name, is_optional = type_of(schema[field])
    local value = data[field]
    if value == nil and not is_optional then return ("field %s is missing"):format(field) end
    if value ~= nil and not has_type(value, name) then
      return ("field %s must be %s %s"):format(field, name:find("^[aeiou]") and "an" or "a", name)
    end
  end
  for field in pairs(data) do
    if schema[field] == nil then return ("field %s is unknown"):format(tostring(field)) end
  end
end

-- --- serving ---

function service:answer(request, word, value)
  local ok, why = self.raw:answer(request.from, request.id, word, value)
  if not ok and word == "ok" then ok = self.raw:answer(request.from, request.id, "failed", NOT_SENT .. ": " .. why) end
  return ok
end

local function unreadable(request)
  if not request.json then return nil end
  local value, why = json.decode(request.json)
  rawset(request, "data", value)
  return why and "the request is no JSON"
end

-- Runs in the task of the service. `asked` is who has to be answered.
local function serve(self, entry, request, asked)
  local why = unreadable(request) or entry.schema and mismatch(entry.schema, request.data)
  if why then
    task.running().request = nil
    return self:answer(asked, "failed", why)
  end
  local value, refusal = entry.fn(request.data, request)
  task.running().request = nil
  if value == nil and refusal ~= nil then return self:answer(asked, "failed", tostring(refusal)) end
  if value == nil then value = true end
  self:answer(asked, "ok", value)
end

local function find(self, name)
  for _, script in ipairs(self.scripts) do
    if script.services[name] then return script, script.services[name] end
  end
end

--- A request that arrived.
function service:take(request)
  bot.open(request, self.raw.id)
  local script, entry = find(self, request.type)
  if not script then return self:answer(request, "no_service", ("there is no service %s"):format(request.type)) end
  local t = task.new(entry.owner, entry.site)
  if not t then return self:answer(request, "busy", "the service has too much to do") end
  t.request = { from = request.from, id = request.id } -- the script may change what it gets
  task.run(t, serve, self, entry, request, t.request)
end

--- A task has ended; one that failed owes an answer.
function service:ended(t)
  local request = t.request
  if not request then return end
  t.request = nil
  self:answer(request, "failed", "the service failed; its owner can read why in the log")
end

-- --- asking ---

-- Nobody else can answer in that peer's place.
local function key_of(peer, id)
  return ("%s %x"):format(peer, id)
end

--- An answer that arrived.
function service:take_reply(reply)
  local key = key_of(reply.from, reply.re)
  if not self.replies:is_awaited(key) then return self.raw:count_discard("stale") end
  self.replies:raise(key, bot.open(reply, self.raw.id))
end

local function result(reply)
  if reply.type == "ok" and reply.json then
    local value, why = json.decode(reply.json)
    if why then return nil, "the answer cannot be read: " .. why, "malformed" end
    return value
  end
  if reply.type == "ok" then return reply.data end
  return nil, type(reply.data) == "string" and reply.data or reply.type, reply.type
end

--- Asks a peer and waits for what it answers, whatever that is: the reply, or nil, why, code.
---@param to string  its id
---@param name string
---@param data any
---@param at_us integer
function service:ask(to, name, data, at_us)
  local id, why, code = self.raw:request(to, name, data)
  if not id then return nil, why, code end
  local reply = self.replies:wait(key_of(to, id), at_us)
  if not reply then return nil, "no answer in time", "timeout" end
  return reply
end

--- Asks a peer and waits: the value, or nil, why, code.
---@param peer string
---@param name string
---@param data any
---@param at_us integer
function service:request(peer, name, data, at_us)
  local to, unknown, code = self.raw:resolve(peer)
  if not to then return nil, unknown, code end
  local reply, why, word = self:ask(to, name, data, at_us)
  if reply then return result(reply) end
  if word ~= "timeout" then return nil, why, word end
  local known = self.raw:peer(to)
  return nil, ("no answer from %s"):format(known and known.name or peer), word
end

return service
