--- The shell's commands about the shell itself: whom it talks to, what it shows, what it keeps, how it ends.

local config = require "moth.config"
local core = require "moth.core"
local format = require "moth.format"
local json = require "moth.json"
local suggest = require "moth.suggest"
local views = require "moth.views"

local session_commands = {}

-- --- talking ---

local function start_talk(shell, peer)
  if shell.is_single then return nil, "a talk needs a shell: moth attach; one message: moth do send PEER TEXT" end
  local id, why, code = shell.node:resolve(peer)
  if not id then return nil, code == "unknown_peer" and views.unknown_peer(shell.node, peer) or why, code end
  if id == shell.node.id then return nil, "that is this node itself", "self" end
  local entry = shell.node:peer(id)
  local name = views.name(shell.node, id)
  shell.talk:start(id, name)
  shell:show_prompt()
  local away = entry and entry.up and "" or (" %s is away: what you write waits for them."):format(name)
  local text = ("Talking to %s: what you type is sent. /leave ends that, /help and others are commands.%s"):format(name,
    away)
  return format.wrap(text, 0, shell.width), { peer = id, name = name }
end

local function leave(shell)
  local name = shell.talk.name
  if not name then return nil, "nobody is talked to; 'talk PEER' does that" end
  shell.talk:stop()
  shell:show_prompt()
  return "no longer talking to " .. name
end

-- --- settings ---

local SWITCH = { on = true, off = false }

local function show_switch(value)
  return value and "on" or "off"
end

local function read_switch(word)
  if SWITCH[word] == nil then return nil, "on or off" end
  return SWITCH[word], nil
end

local LEVELS = { debug = true, info = true, warn = true, error = true }

local function read_level(word)
  if not LEVELS[word] then return nil, "debug, info, warn or error" end
  return word, nil
end

-- In the order in which they are listed.
local SETTINGS = {
  { name = "color", key = "has_colour", help = "colors", read = read_switch, show = show_switch, is_term = true },
  { name = "light", key = "light", help = "show light messages (emit), too", read = read_switch, show = show_switch },
  { name = "log", key = "log", help = "lines of the log from that level on", read = read_level, show = tostring },
  { name = "news", key = "news", help = "show how the network changes", read = read_switch, show = show_switch },
}

local function holder(shell, setting)
  return setting.is_term and shell or shell.settings
end

local function find_setting(name)
  local names = {}
  for i, setting in ipairs(SETTINGS) do
    if setting.name == name then return setting end
    names[i] = setting.name
  end
  local nearest = suggest.nearest(name, names)
  local hint = nearest and ("did you mean %s?"):format(nearest) or "'set' lists them"
  return nil, ("there is no setting \"%s\"; %s"):format(format.shown(name), hint)
end

local function list_settings(shell)
  local rows, values = {}, {}
  for i, setting in ipairs(SETTINGS) do
    local value = holder(shell, setting)[setting.key]
    rows[i] = { setting.name, setting.show(value), setting.help }
    values[setting.name] = value
  end
  return format.table(rows, { width = shell.width }), values
end

local function change(shell, setting, word)
  local value, wanted = setting.read(word)
  if wanted then return nil, ("%s is %s, not \"%s\""):format(setting.name, wanted, format.shown(word)), "argument" end
  holder(shell, setting)[setting.key] = value
  shell.program:refresh_logs()
  return ("%s is %s"):format(setting.name, setting.show(value)), { [setting.name] = value }
end

-- "set light on", and "set light = on", as people write it.
local function set(shell, name, word)
  if not name then return list_settings(shell) end
  name, word = name:gsub("=$", ""), word and word:gsub("^=%s*", "")
  local setting, why = find_setting(name)
  if not setting then return nil, why, "not_found" end
  if word and word ~= "" then return change(shell, setting, word) end
  local value = holder(shell, setting)[setting.key]
  return ("%s is %s"):format(setting.name, setting.show(value)), { [setting.name] = value }
end

local function log(shell, level)
  return set(shell, "log", level)
end

-- --- keeping ---

local CONFIG = "config.lua"

-- The settings of the file as it is; it was read at the start, so it should be sound.
local function current(program)
  local text, why, code = program.options.read_home(CONFIG)
  if not text then return code == "not_found" and {} or nil, why, nil end
  local values = {}
  local chunk, wrong = core.load(text, "=" .. CONFIG, values)
  if not chunk then return nil, wrong, nil end
  local ok, failure = pcall(chunk)
  if not ok then return nil, failure, nil end
  return values, nil, text
end

local function addresses(node)
  local list = {}
  for i, wanted in ipairs(node:wanted()) do list[i] = wanted.address end
  return list
end

-- In the file, relative ones begin in the home folder.
local function paths(shell)
  local list, folder = {}, shell.program.options.folder
  for _, s in ipairs(shell.hub.scripts:list()) do
    if s.path and s.state == "running" then
      list[#list + 1] = s.path:sub(1, 1) ~= "/" and folder and folder .. "/" .. s.path or s.path
    end
  end
  return list
end

local function save(shell)
  local program = shell.program
  local values, why, old = current(program)
  if not values then return nil, ("%s cannot be read: %s"):format(CONFIG, why) end
  values.name, values.connect, values.load = shell.node.name, addresses(shell.node), paths(shell)
  values.light, values.log = shell.settings.light, shell.settings.log
  if old then
    local ok, wrong, code = program:keep(CONFIG .. ".old", old)
    if not ok then return nil, "nothing was saved: " .. wrong, code end
  end
  local ok, wrong, code = program:keep(CONFIG, config.text(values))
  if not ok then return nil, "nothing was saved: " .. wrong, code end
  local text = ("%s and %s are kept in %s/%s: the next start has them again"):format(
    format.plural(#values.connect, "connection"), format.plural(#values.load, "script"), program.options.home, CONFIG)
  if old then text = text .. (" (as it was before: %s.old)"):format(CONFIG) end
  return format.wrap(text, 0, shell.width), { connect = json.array(values.connect),
    load = json.array(values.load) }
end

-- --- ending ---

local function quit(shell)
  if shell.is_single then return "the node runs on; stop ends it" end
  shell:leave()
  return true
end

local function stop(shell)
  shell.program:stop(0)
  return true
end

---@type shell.command[]
session_commands.list = {
  { name = "talk", usage = "talk PEER", help = "what is typed goes to a peer, until /leave", group = "talk",
    example = "talk eva", least = 1, most = 1, run = start_talk },
  { name = "leave", usage = "leave", help = "end talking to a peer", group = "talk",
    example = "/leave", least = 0, most = 0, run = leave },
  { name = "set", usage = "set [NAME [VALUE]]", help = "what this shell shows: light, news, color, log",
    group = "shell", example = "set light on", least = 0, most = 2, takes_rest = true, run = set },
  { name = "log", usage = "log [LEVEL]", help = "show the log from debug, info, warn or error on", group = "shell",
    example = "log info", least = 0, most = 1, run = log },
  { name = "save", usage = "save", help = "keep links, scripts and settings for later starts", group = "shell",
    example = "save", least = 0, most = 0, run = save },
  { name = "stop", usage = "stop", help = "end the node, from any shell", group = "shell",
    example = "stop", least = 0, most = 0, run = stop },
  { name = "quit", also = "exit", usage = "quit", help = "say goodbye and end; an attached shell only itself",
    group = "shell", example = "quit", least = 0, most = 0, run = quit },
}

return session_commands
