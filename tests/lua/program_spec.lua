local fake_program = require "tests.lua.fake_program"
local helper = require "tests.lua.helper"

local BANNER = "ana (aaaa1111) listening on 127.0.0.1:6684\n"
local TICKING = "task.every(1, function() print 'tick' end)"

describe("several sessions", function()
  local w, own, guest, other

  before_each(function()
    w = fake_program.started { files = { ["tick.lua"] = TICKING } }
    own, guest, other = w:sit(), w:attach(), w:attach()
  end)

  it("go on when one of them ends", function()
    assert.equal("", guest:ask "quit")
    assert.same({ 0 }, guest.statuses)
    assert.same({ own.session, other.session }, w.program.sessions)
    assert.equal("2\n", own:ask "1 + 1")
    assert.equal("2\n", other:ask "1 + 1")
    assert.same({}, w.quits)
    assert.equal("", own:take())
  end)

  it("go on when the front of one is gone in the midst of something", function()
    guest:feed "task.sleep(1) print 'too late'"
    guest.session:feed "send bob too late"
    guest.session:abandon()
    guest.is_over = true
    helper.settle(2000)
    assert.same({}, w.node.sent)
    assert.equal("2\n", own:ask "1 + 1")
    assert.same({ own.session, other.session }, w.program.sessions)
    assert.same({}, w.quits)
  end)

  it("end with the input of each", function()
    guest:finish()
    assert.same({ 0 }, guest.statuses)
    assert.same({}, w.quits)
    own:finish()
    assert.same({ 0 }, w.quits)
  end)

  it("run their lines side by side", function()
    guest:feed "task.sleep(1) or 'slept'"
    assert.equal("2\n", other:ask "1 + 1")
    helper.settle(1000)
    assert.equal("slept\n", guest:take())
  end)

  it("have names of Lua of their own", function()
    guest:feed "x = 5"
    assert.equal("5\n", guest:ask "=x")
    assert.truthy(other:ask("=x"):find "undefined global 'x'")
    assert.truthy(own:ask("=_"):find "undefined global '_'")
  end)

  it("hear what their own Lua prints, and nobody else does", function()
    guest:ask(TICKING)
    helper.settle(1000)
    assert.equal("tick\n", guest:take())
    assert.equal("", own:take() .. other:take())
    assert.same({}, w.spoken)
  end)

  it("end with what their Lua made", function()
    guest:feed(TICKING)
    guest:feed "quit"
    helper.settle(3000)
    assert.equal("", own:take() .. other:take())
    assert.same({}, w.program.hub.scripts:list())
  end)

  it("all hear what scripts print, where a person reads", function()
    local pipe = w:enter { is_remote = true }
    own:ask "load tick.lua"
    helper.settle(1000)
    for _, front in ipairs { own, guest, other } do assert.equal("tick\n", front:take()) end
    assert.equal("", pipe:take())
    assert.same({}, w.spoken)
  end)

  it("all see messages and news", function()
    w:receive()
    w:raise("link:down", { peer = fake_program.BOB, name = "bob", why = "closed" })
    for _, front in ipairs { own, guest, other } do
      assert.truthy(front:take():find "^%[[%d:]+%] eva: hello\n%* bob is gone: closed\n$")
    end
  end)

  it("have settings of their own", function()
    guest:ask "set light on"
    w:receive { durable = false, data = "light" }
    assert.truthy(guest:take():find "eva: light\n$")
    assert.equal("", own:take() .. other:take())
  end)

  it("leave out only what their own commands wait for", function()
    guest:feed "connect 127.0.0.1:7001"
    w:raise("dial", { address = "127.0.0.1:7001", reason = "refused", why = "the other end refused" })
    assert.equal("* cannot connect to 127.0.0.1:7001: the other end refused; trying again\n", own:take())
    helper.settle(20)
    assert.truthy(guest:take():find "^cannot connect to 127.0.0.1:7001: the other end refused; trying again in the")
  end)

  it("all hear that the node ends, and each ends once", function()
    local single = w:single()
    single:feed "task.sleep(100)"
    guest:feed "stop"
    assert.equal("the node has ended\n", guest:take())
    assert.equal("the node has ended\n", other:take())
    assert.equal("", own:take() .. single:take())
    for _, front in ipairs { own, guest, other } do assert.same({ 0 }, front.statuses) end
    assert.equal(1, #single.statuses)
    assert.same({ 0 }, w.quits)
  end)

  it("are told when one command was cut off", function()
    local single = w:single()
    single:feed "task.sleep(100)"
    own:feed "quit"
    assert.same({ 1 }, single.statuses)
    assert.same({ "the node ends before this is done\n" }, single.complained)
  end)
end)

describe("a single command", function()
  local w

  before_each(function()
    w = fake_program.started()
  end)

  it("ends its session with the status, and nothing else", function()
    local one = w:single()
    assert.equal("", one.greeting)
    assert.truthy(one:ask("routes"):find "^PEER")
    assert.same({ 0 }, one.statuses)
    one = w:single()
    one:feed "bogus"
    assert.same({ 'unknown command "bogus"; help shows all\n' }, one.complained)
    assert.same({ 1 }, one.statuses)
    assert.same({}, w.program.sessions)
    assert.same({}, w.quits)
  end)

  it("waits as long as it takes", function()
    w.node.next_message = { state = "pending" }
    local one = w:single()
    one:feed "send eva hello"
    assert.same({}, one.statuses)
    w.node.sent[1].state = "queued"
    helper.settle(20)
    assert.same({ 0 }, one.statuses)
  end)

  it("hears no news, no messages and no prints", function()
    local one = w:single()
    one:feed "task.sleep(1)"
    w:receive()
    w:raise("note", { text = "a note" })
    w.program:print "a script prints"
    helper.settle(1000)
    assert.equal("", (one:take():gsub("^nil\n", "")))
    assert.same({ 0 }, one.statuses)
  end)

  it("is all there is: Lua that lacks its end fails at once", function()
    local one = w:single()
    one:feed "for i = 1, 2 do"
    assert.same({ 1 }, one.statuses)
    assert.truthy(one.complained[1]:find "'end' expected")
  end)

  it("may be the one that ends the node", function()
    local one = w:single { is_json = true }
    one:feed "stop"
    assert.same({ 0 }, one.statuses)
    assert.same({ 0 }, w.quits)
    assert.same({ ok = true }, require("moth.json").decode(one:take()))
  end)

  it("is one, whatever its words hold", function()
    local one = w:single()
    one:feed "send bob first\nstop"
    assert.equal("first\nstop", w.node.sent[1].text)
    assert.same({}, w.quits)
  end)

  it("ends also when something of moth breaks", function()
    local one = w:single()
    require("moth.classifier").classify = function() error "broken" end
    one:feed "id"
    assert.same({ 1 }, one.statuses)
  end)
end)

describe("what scripts print", function()
  it("goes to the standard output of a program without a shell of its own", function()
    local w = fake_program.new { files = { ["tick.lua"] = "print 'begun'" .. TICKING }, options = { is_alone = true } }
    w:load { "tick.lua" }
    local guest = w:attach()
    helper.settle(1000)
    assert.same({ BANNER, "begun\n", "tick\n" }, w.spoken)
    assert.equal("tick\n", guest:take())
  end)

  it("is made safe and ends its line", function()
    local w = fake_program.new { files = { ["a.lua"] = "print 'a\27[2Jb\\nc'" }, options = { is_alone = true } }
    w:load { "a.lua" }
    assert.equal("a\\x1b[2Jb\nc\n", w.spoken[2])
  end)
end)

describe("the log", function()
  local w, own, guest

  before_each(function()
    w = fake_program.started()
    own, guest = w:sit(), w:attach { log = "error" }
  end)

  it("is asked for as much as somebody wants to see", function()
    assert.equal("warn", w.level)
    guest:feed "log debug"
    assert.equal("debug", w.level)
    guest:feed "log error"
    assert.equal("warn", w.level)
    guest:feed "log info"
    guest:feed "quit"
    assert.equal("warn", w.level)
  end)

  it("is not asked for by pipes, nor when nobody is there", function()
    w = fake_program.started()
    assert.is_nil(w.level)
    w:enter { log = "debug" }
    assert.is_nil(w.level)
    local t = w:attach { log = "info" }
    assert.equal("info", w.level)
    t:feed "quit"
    assert.is_nil(w.level)
  end)

  it("shows in each session from its level on", function()
    for _, level in ipairs { "debug", "info", "warn", "error" } do w.program:log(level, level .. "s happen") end
    assert.equal("moth: warns happen\nmoth: errors happen\n", own:take())
    assert.equal("moth: errors happen\n", guest:take())
  end)

  it("is red where it is an error, and faint elsewhere", function()
    local coloured = w:attach { has_colour = true }
    w.program:log("warn", "a")
    w.program:log("error", "b")
    assert.equal("\27[2mmoth: a\27[0m\n\27[31mmoth: b\27[0m\n", coloured:take())
  end)
end)

describe("the start", function()
  it("runs the scripts in order, gives mail only then, and says that it is ready", function()
    local w = fake_program.new { files = { ["a.lua"] = "print 'a'", ["b.lua"] = "task.sleep(1) print 'b'" } }
    w:load { "a.lua", "b.lua" }
    assert.same({ true }, w.node.pauses)
    assert.equal(0, w.readies)
    assert.is_false(w.program.is_ready)
    helper.settle(1000)
    assert.same({ "a\n", "b\n" }, w.spoken)
    assert.same({ true, false }, w.node.pauses)
    assert.equal(1, w.readies)
  end)

  it("lets lines wait for the scripts", function()
    local w = fake_program.new { files = { ["b.lua"] = "task.sleep(1)" } }
    w:load { "b.lua" }
    local pipe = w:enter()
    pipe:feed "=1"
    assert.equal("", pipe:take())
    helper.settle(1000)
    helper.settle(20)
    assert.equal("1\n", pipe:take())
  end)

  it("fails with the first script that does, and runs no other", function()
    local w = fake_program.new { files = { ["a.lua"] = "error 'broken'", ["b.lua"] = "print 'b'" },
      options = { is_alone = true } }
    w:load { "a.lua", "b.lua" }
    assert.same({ "moth: cannot load a.lua: a.lua:1: broken\n" }, w.complained)
    assert.same({ BANNER }, w.spoken)
    assert.same({ 1 }, w.quits)
    assert.equal(0, w.readies)
  end)

  it("fails at a terminal, too, in plain sight and with the same status", function()
    local w = fake_program.new { files = { ["a.lua"] = "task.sleep(1) error 'broken'" } }
    w:load { "a.lua", "b.lua" }
    local t = w:sit()
    t:feed "=1"
    helper.settle(1000)
    assert.equal("moth: cannot load a.lua: a.lua:1: broken\n", t:take())
    assert.same({ 1 }, t.statuses)
    assert.same({ 1 }, w.quits)
  end)

  it("complains on the other stream of a pipe", function()
    local w = fake_program.new()
    local pipe = w:enter()
    w:load { "none.lua" }
    assert.same({ "moth: cannot load none.lua: cannot read none.lua: there is no such file\n" }, pipe.complained)
    assert.same({ 1 }, w.quits)
  end)

  it("names the node first where there is no shell", function()
    local w = fake_program.new { options = { is_alone = true } }
    w:load {}
    assert.same({ BANNER }, w.spoken)
    w = fake_program.new()
    w:load {}
    assert.same({}, w.spoken)
  end)
end)

describe("the first start", function()
  -- What the file sets, as the program would read it.
  local function settings(text)
    local values = {}
    assert(load(text, "config", "t", values))()
    return values
  end

  it("leaves a file with all settings behind, in which is the name that the home was made with", function()
    local w = fake_program.new { home = {} }
    w:load {}
    assert.equal(require("moth.config").text { name = "ana" }, w.home["config.lua"])
    assert.same({ name = "ana" }, settings(w.home["config.lua"]))
  end)

  it("leaves one that is there alone", function()
    local w = fake_program.started { home = { ["config.lua"] = "-- mine" } }
    assert.equal("-- mine", w.home["config.lua"])
    w = fake_program.started { home = {}, read_fails = "it may not be read" }
    assert.is_false(w.program.is_new)
    assert.is_nil(w.home["config.lua"])
  end)

  it("does not pass over that the file could not be written", function()
    local w = fake_program.new { home = {} }
    w.keep_fails = { "the disk is full", "io" }
    w:load {}
    helper.settle(20)
    assert.truthy(helper.logged[#helper.logged]:find "^warn: .*config%.lua.*the disk is full")
  end)

  it("keeps what an invitation brought", function()
    local w = fake_program.started { home = {}, options = { joined = "192.0.2.1:6684", has_joined_key = true } }
    assert.same({ name = "ana", network = "./network.key", connect = { "192.0.2.1:6684" } },
      settings(w.home["config.lua"]))
    w = fake_program.started { home = {}, options = { joined = "", has_joined_key = true } }
    assert.same({ name = "ana", network = "./network.key" }, settings(w.home["config.lua"]))
    w = fake_program.started { home = {}, options = { joined = "192.0.2.1:6684" } }
    assert.same({ name = "ana", connect = { "192.0.2.1:6684" } }, settings(w.home["config.lua"]))
  end)

  it("says what to write into a file that is there", function()
    local options = { joined = "192.0.2.1:6684", has_joined_key = true }
    local w = fake_program.new { options = options }
    local t = w:sit()
    w:load {}
    assert.equal('for the next start write into /home/ana/moth/config.lua:\n  network = "./network.key"\n' ..
      '  connect = { "192.0.2.1:6684" }\n', t:take())
    assert.equal("", w.home["config.lua"])
    w = fake_program.started { options = { joined = "192.0.2.1:6684" } }
    assert.same({ 'for the next start write into /home/ana/moth/config.lua:\n  connect = { "192.0.2.1:6684" }\n' },
      w.spoken)
    assert.same({}, fake_program.started({ options = { joined = "" } }).spoken)
  end)
end)
