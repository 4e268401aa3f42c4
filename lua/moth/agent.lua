--- The lab's hand in a node that is a process of its own: an ordinary script, which does what the lab asks.
--
-- It dials the lab, proves with a token that it is the one the lab has started, and takes parcels (parcel.lua, which
-- lies beside it):
--
--   agent                            lab
--   hello token id name address  ->
--                                <-  register id method arguments...   again and again, then: go
--   ready                        ->                                    from here on everything runs
--                                <-  call id under what arguments...
--   result id ok values...       ->
--   callback id token args...    ->                                    a function of the lab among the arguments
--                                <-  return id ok values...
--
-- What the lab has registered is there before the node takes any mail. A handler of the lab runs as a task here that
-- waits for it; what it asks of this node meanwhile (`under`) is done by tasks of that task, so that an answer is known
-- to be one. Scripts wait for nothing but time and ends, so whoever waits starts a task that sleeps, and is woken by
-- its cancellation.

local LONG = 1e9

local parcel = require "lab-parcel"

local conn = assert(moth.tcp.connect(os.getenv "MOTH_LAB_ADDRESS"))
local channel            -- packs for, and takes from, the connection
local waiting = {}       -- callbacks that the lab has not answered, by their numbers
local last_callback = 0
local packing            -- the callback whose arguments are being packed
local handles = {}       -- what the lab has registered, by its numbers
local messages = {}      -- those that a handler of the lab has in hand
local spaces = {}        -- opened kv tables

-- --- what is no plain value ---

local FIELDS = { "id", "from", "to", "name", "state", "reason", "why", "refusal", "time", "accepted", "tries", "bytes",
  "carriers", "by", "by_name" }

local function sent(m)
  local fields = {}
  for _, name in ipairs(FIELDS) do fields[name] = m[name] end
  return "sent", fields
end

-- Its data goes as it came; JSON is read at the other end.
local function received(m)
  local fields = {}
  for k, v in next, m do
    if k ~= "data" or not m.json then fields[k] = v end
  end
  if packing then
    fields.ref = packing
    messages[packing] = m
  end
  return "received", fields
end

local function stand_in(v)
  if getmetatable(v) ~= "message" then return nil end
  return (type(v) == "userdata" and sent or received)(v)
end

-- --- calling back ---

local function sleep_until_woken(slot)
  slot.gate = task.spawn(task.sleep, LONG)
  slot.gate:join()
end

local function add(slot, item)
  slot[#slot + 1] = item
  if slot.gate then slot.gate:cancel() end
end

local serve

local function take_items(slot)
  while true do
    local item = table.remove(slot, 1)
    if item then
      task.spawn(serve, table.unpack(item, 1, item.n))
    elseif slot.results then
      return slot.results
    else
      sleep_until_woken(slot)
    end
  end
end

local function forget(slot)
  waiting[slot.id], messages[slot.id] = nil, nil
end

local slot_class = { __close = forget }

local function call_back(token, ...)
  last_callback = last_callback + 1
  local slot <close> = setmetatable({ id = last_callback }, slot_class)
  waiting[slot.id], packing = slot, slot.id
  local bytes, why = channel:pack("callback", slot.id, token, ...)
  packing = nil
  if not bytes then error(why, 0) end
  assert(conn:write(bytes))
  local results = take_items(slot)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

local function revive(_, token)
  return function(...) return call_back(token, ...) end
end

channel = parcel.new(json, stand_in, revive)

-- --- data that stays: keys as kv.lua writes them, values as JSON ---

local SIGN = math.mininteger

local function encode_key(key)
  if type(key) == "string" then return "s" .. key end
  return key and "i" .. (">i8"):pack(key ~ SIGN)
end

local function decode_key(text)
  if not text then return nil end
  if text:sub(1, 1) == "s" then return text:sub(2) end
  return (">i8"):unpack(text, 2) ~ SIGN
end

local function space(name)
  spaces[name] = spaces[name] or node:kv(name)
  return spaces[name]
end

-- --- what the lab may ask for ---

local does = {}

function does.node(method, ...)
  return node[method](node, ...)
end

function does.register(id, method, ...)
  local results = table.pack(node[method](node, ...))
  if results.n > 0 and not results[1] then return table.unpack(results, 1, results.n) end
  handles[id] = results[1] or false
  return true
end

function does.off(id)
  if handles[id] then handles[id]:off() end
  handles[id] = nil
end

-- Starts to dial, and goes on until it succeeds.
function does.dial(address)
  task.spawn(function() node:connect(address) end)
  return true
end

-- The message as it is after that, then what waiting came to.
function does.wait(id, state, span)
  local m, why, code = node:message(id)
  if not m then return nil, nil, why, code end
  return m, m:wait(state, span)
end

function does.ask(ref, text, options)
  local m = messages[ref]
  if not m then return nil, "a message can be asked about only while its handler runs", "not_found" end
  return m:ask(text, options)
end

function does.kv_get(name, key)
  local value = space(name)[decode_key(key)]
  return value ~= nil and json.encode(value) or nil
end

function does.kv_put(name, key, text)
  space(name)[decode_key(key)] = text and json.decode(text)
  return true
end

function does.kv_next(name, key)
  local following, t = pairs(space(name))
  local found, value = following(t, decode_key(key))
  return encode_key(found), found ~= nil and json.encode(value) or nil
end

local function answer(id, ok, ...)
  if not ok then return channel:write(conn, "result", id, false, tostring((...))) end
  local bytes, why = channel:pack("result", id, true, ...)
  if bytes then return conn:write(bytes) end
  channel:write(conn, "result", id, true, nil, why, "too_big")
end

function serve(id, what, ...)
  answer(id, pcall(does[what], ...))
end

-- --- from the lab ---

local takers = {}

function takers.call(id, under, ...)
  local slot = waiting[under]
  if slot then return add(slot, table.pack(id, ...)) end
  task.spawn(serve, id, ...)
end

takers["return"] = function(id, ...)
  local slot = waiting[id]
  if not slot then return end
  slot.results = table.pack(...)
  if slot.gate then slot.gate:cancel() end
end

local function listen()
  channel:write(conn, "ready")
  while true do
    local values, why = channel:read(conn)
    if not values then return log.warn("the lab is gone: " .. why) end
    takers[values[1]](table.unpack(values, 2, values.n))
  end
end

-- --- the beginning ---

-- The ways between nodes lead through the lab, one for each pair. Neighbours tell each other such addresses, too, but
-- they are nobody else's: only what this node was told to dial is dialled.
local function is_ours(e)
  if e.inbound then return true end
  for _, entry in ipairs(node:wanted()) do
    if entry.address == e.address then return true end
  end
  return false, "the way of others"
end

local function register_all()
  while true do
    local values = assert(channel:read(conn))
    if values[1] == "go" then return end
    assert(does.register(table.unpack(values, 2, values.n)))
  end
end

node:hook("accept", is_ours)
assert(channel:write(conn, "hello", os.getenv "MOTH_LAB_TOKEN", node.id, node.name, node.address))
register_all()
task.spawn(listen)
