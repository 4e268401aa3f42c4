--- Completes what is being typed: commands, what their arguments can be, and names of Lua.
--
-- Nothing that a person or a script wrote is ever run: tables are read with `rawget` and `next`, an __index is followed
-- only where it is a table, and what stands behind a function is taken from the manual. Everything is bounded, as a
-- script may leave a table of any size in its session.

local classifier = require "moth.classifier"
local commands = require "moth.commands"
local core = require "moth.core"
local format = require "moth.format"
local manual = require "moth.manual"

local LINE_BYTES_MAX = 2000
local WORDS_MAX = 200
local KEYS_MAX = 10000 -- of one table, that are looked at
local CLASSES_MAX = 8  -- tables behind each other by their __index

local completion = {}

local LEVELS = { "debug", "info", "warn", "error" }

-- What the arguments of a command are, one after the other, for commands that do not say so themselves in `completes`:
-- kinds of below, several with a | between them, or a list of words.
local COMPLETES = {
  alias = { "peer" }, block = { "peer" }, cancel = { "message" }, connect = { "address" },
  disconnect = { "peer|address" }, graph = { { "dot" } }, status = { { "limits" } }, help = { "command|lua" },
  history = { "peer" },
  kill = { "script" }, load = { "file" }, log = { LEVELS }, message = { "message" }, ping = { "peer" },
  queue = { "peer" }, reload = { "script" }, send = { "peer" }, set = { "setting", "value" }, talk = { "peer" },
  trace = { "peer" }, unalias = { "peer" }, unblock = { "peer" }, unload = { "script" }, whois = { "peer" },
}

-- --- what arguments can be ---

local the_manual ---@type manual

local function manual_of_lua()
  the_manual = the_manual or manual.new(core.source)
  return the_manual
end

local kinds = {}

-- What a peer calls itself too, where that means nobody else.
function kinds.peer(shell)
  local words = {}
  for _, peer in ipairs(shell.node:peers()) do
    words[#words + 1] = peer.name
    if peer.aliased and shell.node:resolve(peer.claimed) == peer.id then words[#words + 1] = peer.claimed end
  end
  return words
end

function kinds.address(shell)
  local words = {}
  for _, entry in ipairs(shell.node:wanted()) do words[#words + 1] = entry.address end
  for _, peer in ipairs(shell.node:peers()) do
    if peer.linked then words[#words + 1] = peer.address end
  end
  return words
end

function kinds.message(shell)
  local words = {}
  for i, m in ipairs(shell.node:queue()) do words[i] = format.hex(m.id) end
  return words
end

function kinds.script(shell)
  local words = {}
  for _, s in ipairs(shell.hub.scripts:list()) do
    if not s.is_session then words[#words + 1] = s.name end
  end
  return words
end

function kinds.setting()
  return { "color", "light", "log", "news" }
end

function kinds.value(_, _, before)
  return before:find("^log%s") and LEVELS or { "on", "off" }
end

function kinds.command()
  local words = {}
  for _, command in ipairs(commands.list) do
    words[#words + 1] = command.name
    words[#words + 1] = command.also
  end
  return words
end

-- Of the manual, as "node.send" or "node:send", whichever is being typed.
function kinds.lua(_, word)
  local words, dotted = {}, word:gsub(":", ".")
  for _, name in ipairs(manual_of_lua():names()) do
    if name:sub(1, #word) == dotted then words[#words + 1] = word .. name:sub(#word + 1) end
  end
  return words
end

function kinds.file(shell, word)
  local folder, name = word:match("^(.*/)([^/]*)$")
  folder, name = folder or "", name or word
  local words, place = {}, folder:sub(1, 1) == "/" and folder or (shell.cwd or ".") .. "/" .. folder
  for i, found in ipairs(core.files(place, name)) do words[i] = folder .. found end
  return words
end

-- --- arguments ---

-- The words that argument `n` of a command can be, whose earlier ones stand in `before`.
local function choices(shell, command, n, word, before)
  local what = (command.completes or COMPLETES[command.name] or {})[n]
  if type(what) ~= "string" then return what or {} end
  local words = {}
  for kind in what:gmatch("[^|]+") do
    local is_found = false
    for _, one in ipairs(kinds[kind](shell, word, before)) do
      words[#words + 1] = one
      is_found = is_found or word ~= "" and one:sub(1, #word) == word
    end
    if is_found then return words end -- what comes first goes before what only could be
  end
  return words
end

-- The last argument of a command that takes the rest of the line may have blanks inside.
local function complete_argument(shell, command, line, from)
  local n, at = 1, from
  for start in line:sub(from):gmatch("%S+%s+()") do
    if command.takes_rest and n == command.most then break end
    n, at = n + 1, from + start - 1
  end
  local takes_blanks = command.takes_rest and n == command.most
  return at, choices(shell, command, n, line:sub(at), line:sub(from, at - 1)), takes_blanks
end

-- --- Lua ---

-- What is behind objects whose fields no table has: their entries in the manual, by what their metatables tell.
local ENTRIES = { connection = { "conn" }, handle = { "h" }, kv = { "kv" }, message = { "m", "msg" },
  ["moth.frame.decoder"] = { "d" }, ["moth.router"] = { "r" }, ["moth.store"] = { "s" }, server = { "server" },
  task = { "t" } }

local function add_entry(members, name)
  local entry = manual_of_lua():find(name)
  for _, full in ipairs(entry and entry.members or {}) do
    local member = full:match("([^.]+)$")
    members[member] = members[member] or manual_of_lua():find(full).signature:find("(", 1, true) ~= nil
  end
end

local function add_keys(members, t)
  local count = 0
  for key, value in next, t do
    count = count + 1
    if count > KEYS_MAX then return end
    if type(key) == "string" and members[key] == nil then members[key] = type(value) == "function" end
  end
end

-- The table that a table goes on in, if it is one.
local function class_of(t)
  local metatable = getmetatable(t)
  local index = type(metatable) == "table" and rawget(metatable, "__index")
  return type(index) == "table" and index or nil
end

-- Names of what is in a value, and whether each is a function.
local function members_of(value)
  local members, t = {}, type(value) == "table" and value or nil
  for _ = 1, CLASSES_MAX do
    if not t then break end
    add_keys(members, t)
    t = class_of(t)
  end
  local tag = type(value) ~= "string" and getmetatable(value)
  for _, name in ipairs(type(tag) == "string" and (ENTRIES[tag] or { tag }) or {}) do add_entry(members, name) end
  return members
end

-- A field without running anything.
local function field_of(value, name)
  for _ = 1, CLASSES_MAX do
    if type(value) ~= "table" then return nil end
    local field = rawget(value, name)
    if field ~= nil then return field end
    value = class_of(value)
  end
end

-- What stands at "node" or "math.huge".
local function value_at(env, path)
  local value = env
  for name in (path .. "."):gmatch("([^.]*)%.") do value = field_of(value, name) end
  return value
end

local function is_name(text)
  return text:find("^[%a_][%w_]*$") ~= nil and not classifier.KEYWORDS[text]
end

local function complete_field(env, path, mark)
  local words, value = {}, value_at(env, path)
  if value == nil then return words end
  for name, is_function in pairs(members_of(value)) do
    local has_place = is_name(name) and (mark == "." or is_function)
    if has_place then words[#words + 1] = path .. mark .. name .. (mark == ":" and "(" or "") end
  end
  return words
end

local function complete_global(env)
  local words, members = {}, {}
  for word in pairs(classifier.KEYWORDS) do words[#words + 1] = word end
  add_keys(members, env)
  for name in pairs(members) do
    if is_name(name) then words[#words + 1] = name end
  end
  return words
end

-- A name, or names with dots and at most one colon between them, at the end of the line.
local function complete_lua(shell, line)
  local at = line:match("()[%w_.:]*$")
  at = at + #(line:match("^.*%.%.", at) or "") -- "a..b" joins two texts
  local path, mark = line:match("^([%w_.]*)([.:])[%w_]*$", at)
  local env = shell:lua():globals()
  if path then return at, complete_field(env, path, mark) end
  return at, line:find("^[%w_]*$", at) and complete_global(env) or {}
end

-- --- a line ---

local function complete_first(shell, line, at)
  local slash = line:sub(at, at) == "/" and "/" or ""
  local words, word = kinds.command(), line:sub(at)
  if slash == "" and word ~= "" then
    local from, names = complete_lua(shell, line)
    if from > at or word:find("[.:]") then return from, names end
    table.move(names, 1, #names, #words + 1, words)
  end
  for i, name in ipairs(words) do words[i] = slash .. name end
  return at, words
end

-- Where the word starts, the words that could stand there, and whether they may have blanks inside.
local function candidates(shell, line)
  if shell.talk.peer and line:sub(1, 1) ~= "/" then return #line + 1, {} end
  if shell.more then return complete_lua(shell, line) end
  local first = line:match("^%s*()%S*$")
  if first then return complete_first(shell, line, first) end
  local slash, name, from = line:match("^%s*(/?)([^%s/]+)%s+()")
  local command = name and commands.find(name)
  local is_command = command and (slash == "/" or not line:find("^[=(]", from))
  if is_command then return complete_argument(shell, command, line, from) end
  if line:find("^%s*/") then return #line + 1, {} end
  return complete_lua(shell, line)
end

-- Sorted, each once, none that could not be typed.
local function chosen(words, prefix, takes_blanks)
  local list, seen = {}, {}
  for _, word in ipairs(words) do
    local fits = word:sub(1, #prefix) == prefix and not seen[word] and core.safe(word) == word
    if fits and (takes_blanks or not word:find("%s")) then
      list[#list + 1], seen[word] = word, true
    end
  end
  table.sort(list)
  return table.move(list, 1, math.min(#list, WORDS_MAX), 1, {})
end

--- What could stand where the line goes on: each with all that comes behind the first `start` bytes of the line.
---@param shell shell
---@param line string    up to the cursor
---@param start integer  how many of its bytes stay
---@return string[]
function completion.words(shell, line, start)
  if #line > LINE_BYTES_MAX then return {} end
  local at, words, takes_blanks = candidates(shell, line)
  local list = chosen(words, line:sub(at), takes_blanks)
  local kept = line:sub(1, at - 1)
  for i, word in ipairs(list) do list[i] = (kept .. word):sub(start + 1) end
  return list
end

return completion
