local fake_program = require "tests.lua.fake_program"
local helper = require "tests.lua.helper"
local core = require "moth.core"

local ASKS = "Ctrl-C again, or quit, ends moth\n"

describe("Ctrl-C", function()
  local w, t

  before_each(function()
    w = fake_program.started()
    t = w:sit()
  end)

  it("ends the Lua that runs", function()
    t:feed "task.sleep(100)"
    t:interrupt()
    assert.equal("cancelled\n", t:take())
    assert.equal("2\n", t:ask "1 + 1")
    assert.same({}, w.quits)
  end)

  it("ends the command that runs", function()
    t:feed "connect 127.0.0.1:7001"
    t:interrupt()
    assert.equal("cancelled\n", t:take())
    assert.equal("2\n", t:ask "1 + 1")
    helper.settle(10000)
    assert.equal("", t:take())
  end)

  it("ends what runs, and lines that were typed ahead run", function()
    t.session:feed "task.sleep(100)"
    t.session:feed "=7"
    helper.settle()
    t:interrupt()
    assert.equal("cancelled\n7\n", t:take())
  end)

  it("only drops what was typed", function()
    t:interrupt(true)
    assert.equal("", t:take())
    t:interrupt(true)
    assert.same({}, w.quits)
  end)

  it("drops the lines of an unfinished piece of Lua", function()
    t:feed "for i = 1, 2 do"
    t:interrupt()
    assert.equal("", t:take())
    assert.equal("ana> ", t:prompt())
    assert.equal("2\n", t:ask "1 + 1")
  end)

  it("asks on an empty line, and ends moth the second time", function()
    t:interrupt()
    assert.equal(ASKS, t:take())
    assert.same({}, w.quits)
    t:interrupt()
    assert.same({ 0 }, w.quits)
    assert.same({ 0 }, t.statuses)
  end)

  it("asks anew when there was something else between", function()
    for _, between in ipairs {
      function() t:feed "" end,
      function() t:interrupt(true) end,
      function()
        t:feed "task.sleep(100)"
        t:interrupt()
      end,
    } do
      t:interrupt()
      between()
      t:take()
      t:interrupt()
      assert.equal(ASKS, t:take())
      t:feed ""
    end
    assert.same({}, w.quits)
  end)

  it("counts for something when the guard has ended what ran", function()
    core.interrupted = function() return true end
    t:interrupt()
    t:interrupt()
    assert.equal("", t:take())
    assert.same({}, w.quits)
  end)

  it("ends at once a program that takes its time to leave", function()
    w.node.quiet = false
    t:feed "quit"
    assert.same({}, w.quits)
    t:interrupt()
    assert.same({ 0 }, w.quits)
  end)

  it("of a guest does not hurry a node that leaves, nor change its status", function()
    local guest = w:attach()
    w.node.quiet = false
    w.program:stop(1)
    guest:interrupt()
    assert.same({}, w.quits)
    helper.settle(2000)
    assert.same({ 1 }, w.quits)
  end)

  it("asks in talk mode as elsewhere, and never sends", function()
    t:feed "talk eva"
    t:take()
    t:interrupt(true)
    t:interrupt()
    assert.equal(ASKS, t:take())
    assert.equal("ana to eva> ", t:prompt())
    assert.same({}, w.node.sent)
  end)

  it("at an attached shell ends only that", function()
    local guest = w:attach()
    guest:interrupt()
    assert.equal("Ctrl-C again, or quit, ends this shell; the node runs on\n", guest:take())
    guest:interrupt()
    assert.same({ 0 }, guest.statuses)
    assert.same({}, w.quits)
    assert.equal("2\n", t:ask "1 + 1")
  end)

  it("touches nothing of another session", function()
    local guest = w:attach()
    guest:feed "task.sleep(1) or 'slept'"
    t:feed "task.sleep(2)"
    t:interrupt()
    helper.settle(1000)
    assert.equal("slept\n", guest:take())
  end)

  it("means the end of a program on a pipe, whatever its lines came to", function()
    w = fake_program.started()
    local pipe = w:enter()
    pipe:feed "bogus"
    pipe:interrupt()
    assert.same({ 0 }, w.quits)
    assert.is_true(w.node.has_left)
  end)
end)

describe("a command that is ended", function()
  local w, t

  before_each(function()
    w = fake_program.started()
    t = w:sit()
  end)

  local function end_it(line)
    t:feed(line)
    t:interrupt()
    t:take()
  end

  it("no longer keeps quiet about a dial", function()
    end_it "connect 127.0.0.1:7001"
    w:raise("dial", { address = "127.0.0.1:7001", reason = "refused", why = "the other end refused" })
    assert.equal("* cannot connect to 127.0.0.1:7001: the other end refused; trying again\n", t:take())
  end)

  it("no longer keeps quiet about a link that ends", function()
    w.node.is_slow_to_part = true
    end_it "disconnect bob"
    w:raise("link:down", { peer = fake_program.BOB, name = "bob", why = "the other end said goodbye" })
    assert.equal("* bob is gone: the other end said goodbye\n", t:take())
  end)

  it("no longer keeps quiet about a message", function()
    w.node.next_message = { state = "pending" }
    end_it "send eva hello"
    local m = w.node.sent[1]
    m.accepted = os.time() - 5
    w:change(m, "refused", { why = "a limit is reached" })
    assert.equal("* message 18d2c to eva was refused: a limit is reached\n", t:take())
  end)

  it("leaves no address, peer or message that somebody waits for", function()
    local waiting = t.session.waiting
    w.node.is_slow_to_part, w.node.next_message = true, { state = "pending" }
    for _, line in ipairs { "connect 127.0.0.1:7001", "disconnect bob", "send eva hello" } do end_it(line) end
    assert.is_false(waiting:is_awaited { address = "127.0.0.1:7001" })
    assert.is_false(waiting:is_parting { peer = fake_program.BOB })
    assert.is_false(waiting:is_sending(w.node.sent[1].id))
  end)

  it("does not stop the next one from writing the configuration", function()
    w.keep_hangs = true
    end_it "save"
    w.keep_hangs = nil
    helper.settle(100)
    w.kept = {}
    t:feed "save"
    helper.settle(3000)
    assert.same({ "config.lua.old", "config.lua" }, { w.kept[#w.kept - 1], w.kept[#w.kept] })
    assert.truthy(t:take():find "^0 connections and 0 scripts are kept")
  end)

  it("of a session that ended leaves no handlers behind", function()
    local function count()
      local n = 0
      for _, list in pairs(w.node.bus.lists) do n = n + #list end
      return n
    end
    local before = count()
    local guest = w:attach()
    guest:feed "node:on('message', print)"
    guest:feed "connect 127.0.0.1:7001"
    guest.session:abandon()
    helper.settle()
    assert.equal(before, count())
  end)
end)
