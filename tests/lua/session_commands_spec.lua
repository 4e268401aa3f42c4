local fake_node = require "tests.lua.fake_node"
local fake_program = require "tests.lua.fake_program"
local helper = require "tests.lua.helper"

-- What a configuration sets, as the program reads it; and that its check is content.
local function settings(text)
  local values, order = {}, {}
  local env = setmetatable({}, { __newindex = function(_, key, value)
    values[key] = value
    order[#order + 1] = key
  end })
  assert(load(text, "config", "t", env))()
  assert(require("moth.config").check(values, order))
  return values
end

describe("settings", function()
  local w, t

  before_each(function()
    w = fake_program.started()
    t = w:sit()
  end)

  it("are listed with what they are and what for", function()
    assert.equal("color  off   colors\nlight  off   show light messages (emit), too\n" ..
      "log    warn  lines of the log from that level on\nnews   on    show how the network changes\n", t:ask "set")
  end)

  it("begin as the session was told", function()
    local coloured = w:attach { has_colour = true, shows_light = true, log = "debug" }
    for name, value in pairs { color = "on", light = "on", log = "debug", news = "on" } do
      assert.equal(("%s is %s\n"):format(name, value), coloured:ask("set " .. name))
    end
  end)

  it("change, also as people write it", function()
    assert.equal("light is on\n", t:ask "set light on")
    assert.equal("light is off\n", t:ask "set light = off")
    assert.equal("light is on\n", t:ask "set light= on")
    assert.equal("light is on\n", t:ask "set light =")
    assert.is_true(t.session.settings.light)
  end)

  it("change at once what is shown", function()
    t:ask "set light on"
    w:receive { durable = false, data = "light" }
    assert.truthy(t:take():find "eva: light\n$")
    t:ask "set light off"
    w:receive { durable = false }
    assert.equal("", t:take())
    t:ask "set news off"
    w:raise("link:down", { peer = fake_program.BOB, name = "bob", why = "closed" })
    assert.equal("", t:take())
    t:ask "set color on"
    assert.equal("\27[31mnobody is talked to; 'talk PEER' does that\27[0m\n", t:ask "leave")
  end)

  it("refuse what they cannot be, and say what they can", function()
    assert.equal('light is on or off, not "yes"\n', t:ask "set light yes")
    assert.equal('log is debug, info, warn or error, not "all"\n', t:ask "set log all")
    assert.equal('light is on or off, not "on off"\n', t:ask "set light on off")
    assert.is_false(t.session.settings.light)
  end)

  it("suggest the name that was meant", function()
    assert.equal('there is no setting "ligth"; did you mean light?\n', t:ask "set ligth on")
    assert.equal("there is no setting \"xyzzy\"; 'set' lists them\n", t:ask "set xyzzy")
  end)

  it("are those of this shell only", function()
    local other = w:attach()
    t:ask "set light on"
    assert.equal("light is off\n", other:ask "set light")
    assert.equal("light is off\n", w:attach():ask "set light")
  end)

  it("have a short way to the log", function()
    assert.equal("log is warn\n", t:ask "log")
    assert.equal("log is info\n", t:ask "log info")
    assert.equal("info", w.level)
    assert.equal('log is debug, info, warn or error, not "loud"\n', t:ask "log loud")
  end)

  it("are values for programs", function()
    local function json(line)
      return require("moth.json").decode(w:single({ is_json = true }):ask(line))
    end
    assert.same({ color = false, light = false, log = "warn", news = true }, json "set")
    assert.same({ light = true }, json "set light on")
    assert.same({ log = "warn" }, json "log")
    assert.equal("argument", json("set light yes").code)
    assert.equal("not_found", json("set xyzzy").code)
  end)
end)

describe("save", function()
  local w, t

  local function begin(config, more)
    w = fake_program.started { home = { ["config.lua"] = config }, files = { ["echo.lua"] = "", ["/b/c.lua"] = "" },
      options = more }
    t = w:sit()
  end

  local function save()
    t:feed "save"
    for _ = 1, 5 do helper.settle(20) end
    return (t:take():gsub("\n", " "))
  end

  it("keeps links, scripts and settings for the next start", function()
    begin(nil)
    w.node:connect "127.0.0.1:7001"
    for _, line in ipairs { "load echo.lua", "load /b/c.lua", "set light on", "log info" } do t:ask(line) end
    local text = "1 connection and 2 scripts are kept in /home/ana/moth/config.lua: the next start has them again"
    assert.truthy(save():find(text, 1, true))
    assert.same({ name = "ana", connect = { "127.0.0.1:7001" }, load = { "/work/echo.lua", "/b/c.lua" }, light = true,
      log = "info" }, settings(w.home["config.lua"]))
  end)

  it("leaves what else the file sets as it is, and keeps the file as it was", function()
    local old = 'name = "ana" -- mine\nlimits = { links = 7 }\nconnect = { "192.0.2.1:6684" }\nopen = true\n' ..
      'ttl = "2d"\n'
    begin(old)
    assert.truthy(save():find("(as it was before: config.lua.old)", 1, true))
    assert.same({ name = "ana", limits = { links = 7 }, open = true, ttl = "2d", connect = {}, load = {}, light = false,
      log = "warn" }, settings(w.home["config.lua"]))
    assert.equal(old, w.home["config.lua.old"])
    assert.same({ "config.lua.old", "config.lua" }, { w.kept[#w.kept - 1], w.kept[#w.kept] })
  end)

  it("comes to the same a second time", function()
    begin 'name = "ana"'
    save()
    local first = w.home["config.lua"]
    save()
    assert.equal(first, w.home["config.lua"])
    assert.equal(first, w.home["config.lua.old"])
  end)

  it("keeps no old file where there was none", function()
    begin(nil)
    w.home["config.lua"] = nil
    assert.is_nil(save():find "as it was before")
    assert.is_nil(w.home["config.lua.old"])
    assert.same({ name = "ana", connect = {}, load = {}, light = false, log = "warn" }, settings(w.home["config.lua"]))
  end)

  it("keeps no script that is parked, and not what was typed", function()
    begin(nil)
    for _, line in ipairs { "load echo.lua", "kill echo", "x = 5" } do t:ask(line) end
    save()
    assert.same({}, settings(w.home["config.lua"]).load)
  end)

  it("keeps names that need quotes", function()
    begin(nil)
    fake_node.files['/b/a"b\\c.lua'] = ""
    t:ask 'load /b/a"b\\c.lua'
    w.node.addresses = { { address = '"x"\\:1' } }
    save()
    assert.same({ '"x"\\:1' }, settings(w.home["config.lua"]).connect)
  end)

  it("fails with a sentence, and leaves all as it was", function()
    begin 'name = "ana"'
    w.keep_fails = { "the disk is full", "io" }
    assert.equal("nothing was saved: the disk is full ", save())
    assert.same({ ["config.lua"] = 'name = "ana"', seen = w.home.seen }, w.home)
  end)

  it("fails when the file cannot be read, and does not write over it", function()
    begin 'name = "ana'
    assert.truthy(save():find "^config%.lua cannot be read: config%.lua:1: unfinished string")
    begin "error 'no'"
    assert.truthy(save():find "^config%.lua cannot be read: ")
    begin ""
    w.home["config.lua"], w.read_fails = nil, "it may not be read"
    assert.equal("config.lua cannot be read: it may not be read ", save())
    assert.is_nil(w.home["config.lua"])
  end)

  it("fails with a sentence when the disk is stuck", function()
    begin ""
    w.keep_hangs = true
    t:feed "save"
    helper.settle(10000)
    assert.equal("nothing was saved: the disk takes too long\n", t:take())
    assert.same({}, helper.logged)
  end)

  it("gives what it kept to programs", function()
    begin(nil)
    w.node:connect "127.0.0.1:7001"
    local one = w:single { is_json = true }
    one:feed "save"
    for _ = 1, 5 do helper.settle(20) end
    assert.same({ connect = { "127.0.0.1:7001" }, load = {} }, require("moth.json").decode(one:take()))
    assert.same({ 0 }, one.statuses)
  end)
end)

describe("quit, exit and stop", function()
  local w, own, guest

  before_each(function()
    w = fake_program.started()
    own, guest = w:sit(), w:attach()
  end)

  it("in an attached shell: quit ends the shell, stop the node", function()
    guest:feed "quit"
    assert.same({ 0 }, guest.statuses)
    guest = w:attach()
    guest:feed "exit"
    assert.same({ 0 }, guest.statuses)
    assert.same({}, w.quits)
    w:attach():feed "stop"
    assert.same({ 0 }, w.quits)
  end)

  it("in the node's own shell all end the node", function()
    own:feed "exit"
    assert.same({ 0 }, w.quits)
    assert.same({ 0 }, guest.statuses)
  end)

  it("take no words", function()
    assert.equal("usage: stop\n", own:ask "stop now")
    assert.equal("usage: quit\n", own:ask "quit now")
    assert.same({}, w.quits)
  end)

  it("work in talk mode behind a slash only", function()
    own:feed "talk eva"
    own:feed "quit"
    assert.equal("quit", w.node.sent[1].text)
    own:feed "/quit"
    assert.same({ 0 }, w.quits)
  end)
end)
