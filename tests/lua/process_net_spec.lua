local helper = require "tests.lua.helper"
local fakes = require "tests.lua.process_fakes"
local json = require("tests.lua.fakes").json
local core = require "moth.core"
local owners = require "moth.owner"
local parcel = require "moth.parcel"
local task = require "moth.task"

-- The folder and the programs of a lab, written down.
local folder, programs

local function fake_folder()
  local f = { files = {}, made = {} }
  function f:path() return "/scratch" end
  function f:make(name)
    self.made[#self.made + 1] = name
    return true
  end
  function f:write(name, text)
    self.files[name] = text
    return true
  end
  function f:read_end(name) return self.files[name] end
  function f:remove() self.is_removed = true end
  return f
end

local function fake_program(setup)
  local p = { setup = setup, signals = {} }
  function p:kill(signal)
    self.signals[#self.signals + 1] = signal or "kill"
    if signal == "stop" or signal == "continue" then return true end
    self.how = self.how or { "signal", 9, "Killed" }
    self.setup.on_end(self)
    return true
  end
  function p:ended()
    if self.how then return table.unpack(self.how) end
  end
  function p:ends(...)
    self.how = { ... }
    self.setup.on_end(self)
  end
  programs[#programs + 1] = p
  return p
end

-- What the agent of a node says and hears; functions come to it as their numbers.
local channel = parcel.new(json, function() end, function(_, v) return v end)

describe("process net", function()
  local run, net, failures, notes, script_owner

  setup(function()
    core.tcp, core.lab = fakes.tcp, {}
    local tokens = 0
    core.processes = {
      folder = function()
        folder = fake_folder()
        return folder
      end,
      spawn = function(setup) return fake_program(setup) end,
      token = function()
        tokens = tokens + 1
        return "token" .. tokens
      end,
    }
  end)

  teardown(function() core.tcp, core.lab, core.processes = nil, nil, nil end)

  before_each(function()
    helper.reset()
    fakes.reset()
    programs, failures, notes = {}, {}, {}
    script_owner = owners.new("lab", core.account "lab", function(traceback) failures[#failures + 1] = traceback end)
    run = { name = "a lab", seed = 1, options = {}, script = { owner = script_owner },
      note = function(text) notes[#notes + 1] = text end, fail = function(text) failures[#failures + 1] = text end }
    net = require("moth.process_net").new(run)
  end)

  after_each(function()
    task.start(script_owner, function() net:finish() end)
    helper.settle()
    helper.take_events = nil
  end)

  local function start(fn)
    local t = task.start(script_owner, fn)
    helper.settle()
    return t
  end

  local function token_of(program)
    return program.setup.env[2]:match "=(.*)$"
  end

  local function say(conn, ...)
    conn:gets(assert(channel:pack(...)))
    helper.settle()
  end

  -- What came to that end since the last time: a list of parcels.
  local function heard(conn)
    local list = {}
    while #conn.sent > 0 do
      local bytes, after = (">s4"):unpack(conn.sent)
      list[#list + 1], conn.sent = assert(channel:unpack(bytes)), conn.sent:sub(after)
    end
    return list
  end

  local function agent_of(program, name)
    local conn = fakes.arrive(fakes.servers[1])
    say(conn, "hello", token_of(program), helper.id(name), name, "127.0.0.1:77")
    return conn
  end

  -- A node that runs, and the end of its agent.
  local function node(name, options)
    local one
    start(function() one = net:node(name, options) end)
    local conn = agent_of(programs[#programs], name)
    assert.same({ { "go", n = 1 } }, heard(conn))
    say(conn, "ready")
    return one, conn
  end

  it("starts a process with its agent last, and waits until that is ready", function()
    local ana
    start(function() ana = net:node("ana", { script = "echo.lua", config = { ttl = "1h" } }) end)
    assert.equals("run", programs[1].setup.argv[2])
    assert.equals("/scratch/ana", programs[1].setup.argv[4])
    assert.same({ "--advertise", "none", "echo.lua", "/scratch/lab-agent.lua" },
      table.move(programs[1].setup.argv, 9, 12, 1, {}))
    assert.truthy(folder.files["ana/config.lua"]:find('\nttl = "1h"', 1, true))
    assert.truthy(folder.files["lab-agent.lua"])
    assert.is_nil(ana)
    local conn = agent_of(programs[1], "ana")
    assert.is_nil(ana)
    say(conn, "ready")
    assert.equals("127.0.0.1:77", ana.address)
    assert.is_true(ana.is_running)
    assert.same({ "start ana" }, notes)
  end)

  it("hears nobody without the token of a node that is being started", function()
    local ana
    start(function() ana = net:node "ana" end)
    for _, greeting in ipairs { { "hello", "token" }, { "ready" }, { "hello" }, { 7, token_of(programs[1]) } } do
      local conn = fakes.arrive(fakes.servers[1])
      say(conn, table.unpack(greeting))
      assert.equals("closed", conn.now)
      assert.equals("", conn.sent)
    end
    local garbage = fakes.arrive(fakes.servers[1])
    garbage:gets "GET / HTTP/1.1\r\n\r\n"
    helper.settle()
    assert.equals("closed", garbage.now)
    local conn = agent_of(programs[1], "ana")
    local thief = agent_of(programs[1], "ana") -- it is good for one
    assert.equals("closed", thief.now)
    say(conn, "ready")
    assert.is_true(ana.is_running)
    assert.same({}, failures)
  end)

  it("does not wait for a greeting for ever", function()
    local conn = fakes.arrive(fakes.servers[1])
    helper.settle()
    helper.settle(9000)
    assert.equals("open", conn.now)
    helper.settle(2000)
    assert.equals("closed", conn.now)
  end)

  it("says why a node does not start, with its last lines", function()
    start(function() net:node "ana" end)
    folder.files["ana.log"] = "moth: no\7 way\n"
    programs[1]:ends("exit", 1, "")
    helper.settle()
    assert.equals("ana did not start: it ended with status 1; the last that it wrote:\n  moth: no\\x07 way",
      failures[1]:match "^(.-)\nstack")
  end)

  it("gives up a node that does not get ready", function()
    start(function() net:node "ana" end)
    helper.settle(31000)
    assert.truthy(failures[1]:find "ana did not start: it does not get ready; it wrote nothing")
  end)

  it("fails the run when a process ends by itself", function()
    node "ana"
    programs[1]:ends("signal", 11, "Segmentation fault")
    assert.equals("ana ended by itself: it was ended by signal 11 (Segmentation fault); it wrote nothing", failures[1])
  end)

  it("fails the run when an agent goes and its process stays", function()
    local _, conn = node "ana"
    conn:ends()
    helper.settle()
    helper.settle(4000)
    assert.same({}, failures)
    helper.settle(2000)
    assert.truthy(failures[1]:find "^ana runs, but its agent has gone: it ended")
  end)

  it("calls methods at the agent and returns what comes back", function()
    local ana, conn = node "ana"
    local got
    start(function() got = table.pack(ana:peers(1, nil, "x")) end)
    assert.same({ { "call", 1, nil, "node", "peers", 1, nil, "x", n = 8 } }, heard(conn))
    say(conn, "result", 1, true, nil, "why", "code")
    assert.same({ nil, "why", "code", n = 3 }, got)
    local ok, why
    start(function() ok, why = pcall(ana.peers, ana) end)
    say(conn, "result", 2, false, "/scratch/lab-agent.lua:7: it is wrong")
    assert.is_false(ok)
    assert.equals("it is wrong", why)
  end)

  it("takes nodes and their names where a peer is meant", function()
    local ana, conn = node "ana"
    local bob = node "bob"
    start(function() ana:send(bob, 1) end)
    start(function() ana:send("bob", 2) end)
    start(function() ana:send("eva", 3) end)
    local calls = heard(conn)
    assert.equals(bob.id, calls[1][6])
    assert.equals(bob.id, calls[2][6])
    assert.equals("eva", calls[3][6])
  end)

  it("runs handlers as tasks of the lab, which may ask the node meanwhile", function()
    local ana, conn = node "ana"
    start(function()
      ana:hear("x", function(msg, capture)
        msg:reply(capture)
        task.sleep(1)
        return "done"
      end)
    end)
    local call = heard(conn)[1]
    assert.same({ "register", 1, "hear", "x" }, table.move(call, 4, 7, 1, {}))
    say(conn, "result", call[2], true, true)
    local fields = { id = 7, from = helper.id "b", name = "bob" }
    conn:gets(assert(parcel.new(json, function(v)
      if v == fields and fields.name then
        local plain = { id = 7, from = fields.from, name = "bob" }
        return "received", plain
      end
    end):pack("callback", 5, call[8], fields, "capture")))
    helper.settle()
    local reply = heard(conn)[1]
    assert.same({ 5, "node", "send", helper.id "b", "capture", { re = 7 } }, table.move(reply, 3, 8, 1, {}))
    say(conn, "result", reply[2], true, true)
    helper.settle(1100)
    assert.same({ { "return", 5, true, "done", n = 4 } }, heard(conn))
  end)

  -- What the agent says of a message.
  local function say_sent(conn, id, fields, ...)
    local agent = parcel.new(json, function(v)
      if v == fields and not fields.is_plain then
        fields.is_plain = true
        return "sent", fields
      end
    end)
    conn:gets(assert(agent:pack("result", id, true, fields, ...)))
    helper.settle()
  end

  it("goes on waiting for a message when the node has been started again", function()
    local ana, conn = node "ana"
    local m, got
    start(function() m = ana:send("eva", "x") end)
    say_sent(conn, heard(conn)[1][2], { id = 7, state = "queued" })
    start(function() got = table.pack(m:wait("delivered", 100)) end)
    assert.same({ "wait", 7, "delivered", 100.0 }, table.move(heard(conn)[1], 4, 7, 1, {}))
    start(function() ana:kill() end)
    assert.equals("queued", m.state)
    helper.settle(10000)
    start(function() ana:start() end)
    conn = agent_of(programs[2], "ana")
    say(conn, "ready")
    local call = heard(conn)[2]
    assert.same({ "wait", 7, "delivered", 90.0 }, table.move(call, 4, 7, 1, {}))
    say_sent(conn, call[2], { id = 7, state = "delivered" }, true)
    assert.same({ true, n = 1 }, got)
  end)

  it("gives up waiting in time, also while the node does not run", function()
    local ana, conn = node "ana"
    local m, got
    start(function() m = ana:send("eva", "x") end)
    say_sent(conn, heard(conn)[1][2], { id = 7, state = "queued" })
    start(function() ana:kill() end)
    start(function() got = table.pack(m:wait("delivered", 5)) end)
    helper.settle(6000)
    assert.same({ nil, "it is still queued", "timeout", n = 3 }, got)
  end)

  it("knows what was lost with its process", function()
    local ana, conn = node "ana"
    local m, state, got
    start(function() m = ana:send("eva", "x") end)
    say_sent(conn, heard(conn)[1][2], { id = 7, state = "pending" })
    start(function() ana:restart() end)
    conn = agent_of(programs[2], "ana")
    say(conn, "ready")
    start(function() got = table.pack(m:wait "sent") end)
    say(conn, "result", heard(conn)[2][2], true, nil, nil, "there is no such thing", "not_found")
    assert.equals("lost", got[3])
    start(function() state = m.state end)
    say(conn, "result", heard(conn)[1][2], true, nil, "there is no such thing", "not_found")
    assert.equals("lost", state)
  end)

  it("registers again what was registered, and not what is off", function()
    local ana, conn = node "ana"
    local handles = {}
    local function register(text)
      start(function() handles[#handles + 1] = ana:hear(text, print) end)
      local call = heard(conn)[1]
      if call then say(conn, "result", call[2], true, true) end
    end
    register "one"
    register "two"
    start(function() ana:kill() end)
    register "three"
    start(function() handles[1]:off() end)
    start(function() ana:start() end)
    conn = agent_of(programs[2], "ana")
    local list = heard(conn)
    assert.equals(3, #list)
    assert.equals("two", list[1][4])
    assert.equals("three", list[2][4])
    assert.equals("go", list[3][1])
    say(conn, "ready")
  end)

  it("dials again after a restart what it was told to dial", function()
    local ana, conn = node "ana"
    local bob = node "bob"
    start(function() ana:dial(bob) end)
    local call = heard(conn)[1]
    say(conn, "result", call[2], true, true)
    assert.equals("dial", call[4])
    start(function() ana:restart() end)
    local argv = programs[3].setup.argv
    assert.equals("--connect", argv[11])
    assert.equals(call[5], argv[12])
    say(agent_of(programs[3], "ana"), "ready")
    assert.same({ "restart ana" }, { notes[#notes] })
  end)

  it("answers for a node that does not run, and ends what it was asked", function()
    local ana = node "ana"
    local got
    start(function() got = table.pack(ana:request("eva", "x", 1)) end)
    start(function() ana:kill() end)
    assert.same({ nil, "ana does not run", "shutdown", n = 3 }, got)
    start(function() got = table.pack(ana:peers()) end)
    assert.equals("shutdown", got[3])
    assert.is_false(ana.is_running)
    assert.same({}, failures)
  end)

  it("does not wait for ever for a node that hangs, unless it is frozen", function()
    local ana = node "ana"
    local ok, why
    start(function() ok, why = pcall(ana.peers, ana) end)
    start(function() ana:freeze() end)
    helper.settle(40000)
    assert.is_nil(ok)
    start(function() ana:thaw() end)
    helper.settle(40000)
    assert.is_false(ok)
    assert.equals("ana does not answer", why)
    assert.same({ "stop", "continue" }, programs[1].signals)
  end)

  it("leaves nothing behind", function()
    node "ana"
    node "bob"
    start(function() net:finish() end)
    assert.is_true(programs[1]:ended() and programs[2]:ended() and true)
    assert.is_true(folder.is_removed)
    assert.is_true(fakes.servers[1].is_closed)
    assert.same({}, failures)
  end)
end)

describe("both networks", function()
  it("have the same methods, if only to say that they cannot", function()
    local real, imagined = require "moth.process_net", require "moth.net"
    local missing = {}
    for name, fn in pairs(imagined) do
      local is_own = name == "new" or name == "finish" or name == "add_raw" or name == "find" or name:find "^__"
      if type(fn) == "function" and not is_own and not real[name] then missing[#missing + 1] = name end
    end
    assert.same({}, missing)
  end)
end)
