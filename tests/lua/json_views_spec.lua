local helper = require "tests.lua.helper"
local fake_shell = require "tests.lua.fake_shell"
local commands = require "moth.commands"
local core = require "moth.core"
local json = require "moth.json"
local json_views = require "moth.json_views"

local bob, eva = helper.id("bbbb2222"), helper.id("eeee3333")

-- As strict as src/script/json.c: text is UTF-8, numbers are finite, tables are lists or have keys of text alone, and
-- an empty table is an object unless it is marked.
local function check(value, place)
  local kind = type(value)
  if kind == "string" then return assert.truthy(utf8.len(value), place) end
  if kind == "number" then return assert.is_true(value == value and math.abs(value) < math.huge, place) end
  if kind == "boolean" then return end
  assert.equal("table", kind, place)
  for key, inner in pairs(value) do
    assert.equal(#value > 0 and "integer" or "string", math.type(key) or type(key), place)
    if type(key) == "string" then assert.truthy(key:find("^[a-z][a-z0-9_]*$"), place .. "." .. key) end
    check(inner, place .. "." .. tostring(key))
  end
end

local function is_array(value)
  return getmetatable(value) == getmetatable(json.array {})
end

local function script(name)
  return { name = name, state = "running", errors = 1, path = "bots/echo.lua", last_error = "one\ntwo", events = {},
    hooks = {}, services = {}, command_list = {}, hears = {}, owner = { tasks = 2, account = {} } }
end

local function scripts(list)
  local s = list[1] or script("echo")
  return { list = function() return list end, load = function() return s end, reload = function() return s end,
    unload = function() return true end, kill = function() return true end, find = function() return s, 1 end }
end

local function service()
  return { ask = function() return true end }
end

describe("the value of every command", function()
  local node, sh

  before_each(function()
    helper.reset()
    function core.memory() return 1 << 20, 64 << 20 end
    function core.usage() return 0.5, 0 end
    node = helper.node {
      { name = "bob", start = "bbbb2222", hops = 1, via = bob, linked = true, rtt_ms = 2, address = "127.0.0.1:7001" },
      { name = "eva", start = "eeee3333", hops = 2, via = bob },
    }
    node.links, node.mail, node.paths[eva] = { { a = node.id, b = bob }, { a = bob, b = eva } },
      { helper.message() }, { node.id, bob, eva }
    node.entries = { { ours = false, from = eva, to = node.id, id = 7, name = "eva", type = "text", encoding = "text",
      data = "hi", time = 0.5 } }
    function node.invite()
      return "moth1:AQAB", { address = "127.0.0.1:6684", reach = "machine", has_network_key = false }
    end
    function node.join() return { id = bob, name = "bob", address = "" } end
    sh = fake_shell.new(node)
    sh.hub = { scripts = scripts { script("echo") }, service = service() }
  end)

  -- Whose values are made of the session itself have specs of their own.
  local SESSION = { talk = true, leave = true, set = true, log = true, save = true, stop = true, quit = true }
  local LINES = { connect = "connect 127.0.0.1:7001", disconnect = "disconnect bob", message = "message 18d2c",
    cancel = "cancel 18d2c", ping = "ping eva 1", join = "join moth1:AQAB",
    unalias = "unalias best", block = "block eva",
    unblock = "unblock eva", alias = "alias bob best", load = "load echo.lua" }
  local BEFORE = { unalias = "alias bob best", unblock = "block eva" }

  for _, command in ipairs(commands.list) do
    if not SESSION[command.name] then
      it(command.name .. " can be JSON", function()
        if BEFORE[command.name] then sh:run((BEFORE[command.name])) end
        local line = LINES[command.name] or command.example
        if command.name == "connect" then
          node.addresses[1] = { address = "127.0.0.1:7001", linked = true, peer = bob }
        end
        local result = sh:start(line)
        helper.settle()
        assert.is_true(result.ok, result.text)
        assert.equal("table", type(result.value))
        check(result.value, command.name)
        assert.truthy(json.encode(result.value))
      end)
    end
  end

  for _, line in ipairs { "list", "routes", "queue", "history", "alias", "scripts", "help" } do
    it(line .. " is an array, also an empty one", function()
      local _, some = sh:run(line)
      assert.is_true(is_array(some))
      node.known, node.mail, node.entries, sh.hub.scripts = {}, {}, {}, scripts {}
      local _, none = sh:run(line)
      assert.is_true(is_array(none))
      if line ~= "help" then assert.equal(0, #none) end
    end)
  end

  it("status has arrays inside, also empty ones", function()
    node.figures = { uptime_ms = 61500, links = 1 }
    node.addresses = { { address = "127.0.0.1:7009", linked = false, retry_in_ms = 500,
      reason = "refused", why = "no" } }
    local _, value = sh:run("status")
    assert.equal(61.5, value.uptime)
    assert.equal(1, value.links)
    assert.equal(node.id, value.id)
    assert.is_true(is_array(value.discarded) and #value.discarded == 0)
    assert.equal("links", value.limits[1].name)
    assert.same({ address = "127.0.0.1:7009", linked = false, retry_in = 0.5, reason = "refused", why = "no" },
      value.wanted[1])
  end)
end)

describe("a message of the history", function()
  local function value(fields)
    local entry = { ours = true, from = bob, to = eva, id = 0x18d2c, name = "eva", type = "text", encoding = "text",
      data = "hello", time = 1.5, state = "sent" }
    for k, v in pairs(fields) do entry[k] = v end
    return json_views.entry(entry)
  end

  it("has what is known of it", function()
    assert.same({ ours = true, from = bob, to = eva, id = "18d2c", re = "7", name = "eva", type = "text",
      encoding = "text", data = "hello", bytes = 5, time = 1.5, state = "sent" }, value { re = 7 })
  end)

  it("has JSON as it came, and other bytes as digits", function()
    assert.equal('{"a":1}', value({ encoding = "json", data = '{"a":1}' }).data)
    assert.equal("00ff0a", value({ encoding = "bytes", data = "\0\255\n" }).hex)
  end)

  it("trusts nobody who says that bytes are text", function()
    local v = value { data = "\255" }
    assert.is_nil(v.data)
    assert.equal("ff", v.hex)
  end)

  it("leaves out what is very long, and says how long", function()
    local v = value { data = ("x"):rep(150001) }
    assert.is_nil(v.data)
    assert.equal(150001, v.bytes)
    assert.equal(150000, #value({ data = ("x"):rep(150000) }).data)
  end)
end)

describe("a value as text", function()
  it("is one text of JSON", function()
    assert.equal(json.encode { a = 1 }, json_views.text { a = 1 })
    assert.equal(json.encode "x", json_views.text "x")
  end)

  it("is made of its entries when it is a list, which may be long together", function()
    assert.equal("[]", json_views.text(json.array {}))
    assert.equal("[1,2]", json_views.text(json.array { 1, 2 }))
  end)

  it("has an error in the place of what cannot be carried", function()
    assert.truthy(json_views.text(json.array { 1, print }):find("a function cannot be JSON", 1, true))
    assert.truthy(json_views.text(print):find("a function cannot be JSON", 1, true))
  end)

  it("shows bytes of names safely", function()
    local safe = core.safe
    core.safe = function() return "safe" end
    assert.equal("safe", json_views.text_of "\255")
    core.safe = safe
    assert.equal("grüße\n", json_views.text_of "grüße\n")
    assert.is_nil(json_views.text_of(nil))
  end)
end)
