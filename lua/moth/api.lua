--- What a script can do: its `node`, `task`, `log`, `moth` and `script`, made anew for each script and bound to it.
--
-- Everything made here belongs to the script and ends with it. While its main chunk runs, what is sent and started
-- waits until the script has taken its place (script.lua). Objects that scripts hold show nothing of what is behind.

local bot = require "moth.bot"
local core = require "moth.core"
local grammar = require "moth.grammar"
local json = require "moth.json"
local kv = require "moth.kv"
local message = require "moth.message"
local sent = require "moth.sent"
local service = require "moth.service"
local task = require "moth.task"
local tcp = require "moth.tcp"

local REQUEST_SECONDS = 5
local ASK_SECONDS = 120
local CONNECT_SECONDS = 10
local ENTRIES_MAX = 1000 -- handlers of one script

local api = { ENTRIES_MAX = ENTRIES_MAX }

-- What only reads the node, or changes what its owner could change at the prompt, and needs nothing from us.
local PLAIN = { "peers", "links", "routes", "peer", "path", "queue", "cancel", "disconnect", "resolve", "status",
  "limits", "edges", "wanted", "alias", "block", "unblock" }

local EVENTS = { message = true, ["link:up"] = true, ["link:down"] = true, ["peer:up"] = true, ["peer:down"] = true,
  route = true, state = true, error = true, stop = true }
local HOOKS = { accept = true, forward = true, deliver = true }

-- --- arguments ---

local function check(value, kind, n, what)
  if type(value) == kind then return end
  error(("bad argument #%d to %s (%s expected, got %s)"):format(n, what, kind, type(value)), 3)
end

-- An error here, and not when a text comes.
local function check_pattern(pattern)
  local ok, why = pcall(string.find, "", pattern)
  if not ok then error(why, 3) end
end

-- A table whose fields are methods, called with a colon.
local function methods_of(name, functions)
  local object = {}
  for field, fn in pairs(functions) do
    object[field] = function(self, ...)
      if self ~= object then error(("%s:%s is called with a colon"):format(name, field), 2) end
      return fn(...)
    end
  end
  return object
end

local function unknown_field(name)
  return function(_, key)
    error(("%s has no field '%s'; 'help %s' lists them"):format(name, tostring(key), name), 2)
  end
end

-- --- handles ---

local handle = {}
local handle_class = { __index = handle, __metatable = "handle", __tostring = function() return "handle" end }
local entries = setmetatable({}, { __mode = "k" }) -- what is behind a handle

--- Ends it; a second time is fine.
function handle:off()
  local entry = entries[self]
  if not entry or entry.is_off then return end
  entry.is_off = true
  entry.off(entry)
end

local function handle_of(entry)
  local h = setmetatable({}, handle_class)
  entries[h] = entry
  return h
end

local function without(list, entry)
  local rest = {}
  for _, other in ipairs(list) do
    if other ~= entry then rest[#rest + 1] = other end
  end
  return rest
end

local function check_room(script)
  if script.places >= ENTRIES_MAX then error(("a script may have %d handlers"):format(ENTRIES_MAX), 3) end
end

-- What a script still runs when it has ended, its <close> variables, makes nothing new.
local function check_alive(script)
  if script.state ~= "running" and script.state ~= "loading" then error("this script has ended", 4) end
end

-- Adds to a list of the script. Lists that are being walked are never changed in place.
local function register(script, holder, key, entry)
  check_alive(script)
  script.places = script.places + 1
  entry.owner = script.owner
  local list = table.move(holder[key] or {}, 1, #(holder[key] or {}), 1, {})
  list[#list + 1] = entry
  holder[key] = list
  entry.off = function()
    script.places = script.places - 1
    local rest = without(holder[key] or {}, entry)
    holder[key] = (#rest > 0 or key == "hears" or key == "command_list") and rest or nil
    if entry.on_off then entry.on_off() end
  end
  return handle_of(entry)
end

-- --- handlers ---

local function on(script, event, fn)
  check(event, "string", 1, "on")
  check(fn, "function", 2, "on")
  check_room(script)
  if not EVENTS[event] and not event:find("^message:[a-z0-9._-]+$") then
    error(("there is no event '%s'"):format(event), 2)
  end
  return register(script, script.events, event, { fn = fn, site = task.site(2) })
end

local function hear(script, pattern, fn)
  check(pattern, "string", 1, "hear")
  check(fn, "function", 2, "hear")
  check_room(script)
  check_pattern(pattern)
  return register(script, script, "hears", { fn = fn, pattern = pattern, site = task.site(2) })
end

local function command(raw, script, spec, options, fn)
  if fn == nil then options, fn = {}, options end
  check(spec, "string", 1, "command")
  check(options, "table", 2, "command")
  check(fn, "function", 3, "command")
  check_room(script)
  local tools = { seconds = core.seconds, resolve = function(peer) return raw:resolve(peer) end }
  local parsed, why = grammar.parse(spec, tools)
  if not parsed then error(why, 2) end
  if script.commands[parsed.word] then error(("there is a command '%s' already"):format(parsed.word), 2) end
  local help = options.help
  local entry = { fn = fn, command = parsed, help = help and tostring(help), site = task.site(2) }
  entry.on_off = function() script.commands[parsed.word] = nil end
  local h = register(script, script, "command_list", entry)
  script.commands[parsed.word] = entry
  return h
end

local function serve(set, script, name, schema, fn)
  check_alive(script)
  if fn == nil then schema, fn = nil, schema end
  check(name, "string", 1, "serve")
  check(fn, "function", 3, "serve")
  if schema ~= nil then
    check(schema, "table", 2, "serve")
    local ok, why = service.check_schema(schema)
    if not ok then error(why, 2) end
  end
  if not name:find("^[a-z0-9._-]+$") or #name > 64 then
    error("a service's name is up to 64 of a-z 0-9 . _ -", 2)
  end
  for _, other in ipairs(set:list()) do
    if other.state == "running" and other.name ~= script.name and other.services[name] then
      return nil, ("%s serves %s already"):format(other.name, name), "in_use"
    end
  end
  if script.services[name] then return nil, ("it serves %s already"):format(name), "in_use" end
  local entry = { fn = fn, schema = schema, owner = script.owner, site = task.site(2) }
  entry.off = function() script.services[name] = nil end
  script.services[name] = entry
  return handle_of(entry)
end

local function hook(hub, script, kind, fn)
  check(kind, "string", 1, "hook")
  check(fn, "function", 2, "hook")
  check_room(script)
  if not HOOKS[kind] then error("a hook is accept, forward or deliver", 2) end
  local entry = { fn = fn, on_off = function() hub:refresh_hooks() end }
  local h = register(script, script.hooks, kind, entry)
  hub:refresh_hooks()
  return h
end

-- --- sending ---

local function is_answer(raw, to)
  local t = task.running()
  if not (t and t.from) then return false end
  return raw:resolve(to) == t.from
end

local function send_options(options, is_auto)
  local o = options or {}
  return { type = o.type, ttl = o.ttl, retries = o.retries, re = o.re, path = o.path, auto = is_auto }
end

local function send(raw, script, to, data, options)
  check(to, "string", 1, "send")
  if options ~= nil then check(options, "table", 3, "send") end
  if data == nil then error("there is nothing to send: data is nil", 2) end
  if to == "*" then return nil, "send goes to one peer; node:emit(\"*\", type, data) goes to all", "argument" end
  options = send_options(options, is_answer(raw, to))
  if script.state == "loading" then
    return sent.later(script, to, function() return raw:send(to, data, options) end)
  end
  return raw:send(to, data, options)
end

local function emit(raw, script, to, kind, data)
  check(to, "string", 1, "emit")
  check(kind, "string", 2, "emit")
  if data == nil then error("there is nothing to send: data is nil", 2) end
  local options = { auto = to ~= "*" and is_answer(raw, to) }
  if script.state == "loading" then
    script:when_running(function() raw:emit(to, kind, data, options) end)
    return true
  end
  return raw:emit(to, kind, data, options)
end

local function request(hub, to, name, data, options)
  check(to, "string", 1, "request")
  check(name, "string", 2, "request")
  if options ~= nil then check(options, "table", 4, "request") end
  local at_us = task.deadline(options and options.timeout or REQUEST_SECONDS)
  return hub.service:request(to, name, data, at_us)
end

-- --- the network ---

local function linked_entry(raw, address)
  for _, entry in ipairs(raw:wanted()) do
    if entry.address == address then return entry end
  end
end

-- Waits until that address is linked, or has failed once; it is tried again in the background.
local function connect(hub, address)
  local raw = hub.raw
  check(address, "string", 1, "connect")
  local ok, why, code = raw:connect(address)
  if not ok then return nil, why, code end
  local at_us = task.deadline(CONNECT_SECONDS)
  while true do
    local entry = linked_entry(raw, address)
    if not entry then return nil, "the address is no longer wanted", "cancelled" end
    if entry.linked and entry.peer then return true end
    if entry.reason and entry.reason ~= "" and entry.why then return nil, entry.why, entry.reason end
    local _, late = hub.links:wait("change", at_us)
    if late then return nil, "no answer so far; it is tried again", "timeout" end
  end
end

local function decoded(entry)
  if entry.encoding == "json" then
    entry.json, entry.data = entry.data, json.decode(entry.data)
  elseif entry.encoding == "text" then
    entry.text = entry.data
  end
  return entry
end

local function history(raw, ...)
  local list, why, code = raw:history(...)
  if not list then return nil, why, code end
  for _, entry in ipairs(list) do decoded(entry) end
  return list
end

-- --- node ---

local function build_node(hub, script)
  local raw = hub.raw
  local functions = {
    on = function(...) return on(script, ...) end,
    hear = function(...) return hear(script, ...) end,
    command = function(...) return command(raw, script, ...) end,
    serve = function(...) return serve(hub.scripts, script, ...) end,
    hook = function(...) return hook(hub, script, ...) end,
    send = function(...) return send(raw, script, ...) end,
    emit = function(...) return emit(raw, script, ...) end,
    request = function(...) return request(hub, ...) end,
    connect = function(...) return connect(hub, ...) end,
    history = function(...) return history(raw, ...) end,
    message = function(id) return raw:message(id) end,
    kv = function(name) return kv.open(raw, name) end,
    job = function(name, fn)
      check(name, "string", 1, "job")
      check(fn, "function", 2, "job")
      script:when_running(function() hub.jobs:register(script.owner, name, fn) end)
    end,
    schedule = function(...) return hub.jobs:schedule(...) end,
    unschedule = function(...) return hub.jobs:unschedule(...) end,
  }
  for _, name in ipairs(PLAIN) do
    functions[name] = function(...) return raw[name](raw, ...) end
  end
  local node = methods_of("node", functions)
  node.id, node.name, node.address = raw.id, raw.name, raw.address
  local text = "node " .. raw.name
  return setmetatable(node, { __index = unknown_field "node", __metatable = "node",
    __tostring = function() return text end })
end

-- --- log, moth, script ---

local function build_log(script)
  local log = {}
  for _, level in ipairs { "debug", "info", "warn", "error" } do
    log[level] = function(...)
      local parts = table.pack(...)
      for i = 1, parts.n do parts[i] = tostring(parts[i]) end
      script:log(level, table.concat(parts, " "))
    end
  end
  return log
end

local function copy(from)
  local to = {}
  for k, v in pairs(from) do to[k] = v end
  return to
end

local function build_moth(hub, script)
  local parts = hub.parts or core.parts
  return {
    tcp = tcp.for_owner(script.owner, function() check_alive(script) end),
    frame = copy(parts.frame),
    router = copy(parts.router),
    store = copy(parts.store),
    message = { to_json = message.to_json, from_json = message.from_json },
  }
end

--- The globals of a script, beside Lua's libraries.
---@param hub hub
---@param script script
---@return table
function api.build(hub, script)
  script.hub = hub
  script.exports = { name = script.name }
  return {
    node = build_node(hub, script),
    task = task.for_owner(script),
    log = build_log(script),
    json = copy(json),
    moth = build_moth(hub, script),
    script = script.exports,
  }
end

-- --- messages ---

-- The node that got it answers, whoever has it now: a lab file has those of many.
local function reply_target(m)
  local t, hub = task.running(), bot.hubs[m.to]
  if not (t and t.owner.script and hub) then error("only a script can answer", 3) end
  return hub, { re = m.id, auto = t.from == m.from }
end

function bot.message.reply(m, data)
  local hub, options = reply_target(m)
  if data == nil then error("there is nothing to send: data is nil", 2) end
  return hub.raw:send(m.from, data, options)
end

function bot.message.ask(m, text, options)
  check(text, "string", 1, "ask")
  local at_us = task.deadline(options and options.timeout or ASK_SECONDS)
  local match = options and options.match
  if match ~= nil then
    check(match, "string", 2, "ask")
    check_pattern(match)
  end
  local ok, why, code = bot.message.reply(m, text)
  if not ok then return nil, why, code end
  local dispatcher = reply_target(m).bot
  return api.answer(m, dispatcher:wait_for_text(m.from, { match = match, id = ok.id }, at_us))
end

-- The text and the captures of what came, or why nothing did.
function api.answer(m, reply, ...)
  if not reply then return nil, ("no answer from %s"):format(m.name), "timeout" end
  return reply.text, ...
end

return api
