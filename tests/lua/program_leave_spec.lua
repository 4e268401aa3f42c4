local fake_program = require "tests.lua.fake_program"
local helper = require "tests.lua.helper"

local function mail(...)
  local list = {}
  for i, m in ipairs { ... } do list[i] = helper.message { name = m[1], state = m[2] } end
  return list
end

describe("a program that leaves", function()
  local w, node, pipe

  before_each(function()
    w = fake_program.started()
    node, pipe = w.node, w:enter()
  end)

  it("waits two seconds at most for what is being written", function()
    node.quiet = false
    pipe:feed "exit"
    helper.settle(1980)
    assert.same({}, w.quits)
    helper.settle(20)
    assert.same({ 0 }, w.quits)
  end)

  it("says which mail waits for the next run", function()
    node.mail = mail({ "eva", "queued" }, { "bob", "sent" }, { "eva", "carried" })
    pipe:feed "quit"
    assert.same({ "3 messages wait here and go on when moth runs again: bob (1), eva (2)\n" }, pipe.said)
    w = fake_program.started()
    w.node.mail = mail { "eva", "queued" }
    pipe = w:enter()
    pipe:feed "quit"
    assert.same({ "1 message waits here and goes on when moth runs again: eva (1)\n" }, pipe.said)
  end)

  it("says which mail is lost: what was never promised, and nothing else", function()
    node.mail = mail({ "eva", "pending" }, { "bob", "sent" }, { "eva", "pending" })
    pipe:feed "quit"
    assert.same({ "2 messages could not be kept and are lost: eva (2)\n",
      "1 message waits here and goes on when moth runs again: bob (1)\n" }, pipe.said)
    w = fake_program.started()
    w.node.mail = mail { "eva", "pending" }
    pipe = w:enter()
    pipe:feed "quit"
    assert.same({ "1 message could not be kept and is lost: eva (1)\n" }, pipe.said)
  end)

  it("says the same when it is interrupted", function()
    node.mail = mail({ "eva", "queued" }, { "bob", "pending" })
    pipe:interrupt()
    assert.same({ "1 message could not be kept and is lost: bob (1)\n",
      "1 message waits here and goes on when moth runs again: eva (1)\n" }, pipe.said)
  end)

  it("says it in every shell, and on the standard output when it has none of its own", function()
    w = fake_program.started { options = { is_alone = true } }
    w.node.mail, w.spoken = mail { "eva", "queued" }, {}
    local guest, one = w:attach(), w:single()
    guest:feed "stop"
    local text = "1 message waits here and goes on when moth runs again: eva (1)\n"
    assert.equal(text .. "the node has ended\n", guest:take())
    assert.same({ text }, w.spoken)
    assert.equal("", one:take())
  end)

  it("keeps quiet about links while it leaves", function()
    node.quiet = false
    pipe:feed "quit"
    w:raise("link:down", { peer = fake_program.BOB, name = "bob", why = "goodbye" })
    assert.same({}, pipe.said)
  end)

  it("shows messages that still come while it leaves, and what became of its own", function()
    node.quiet = false
    pipe:feed "quit"
    w:receive()
    w:change(helper.message(), "refused", { why = "a limit is reached" })
    assert.equal(2, #pipe.said)
    assert.truthy(pipe.said[1]:find("eva: hello\n$"))
    assert.equal("* message 18d2c to eva was refused: a limit is reached\n", pipe.said[2])
  end)

  it("quits even when leaving breaks", function()
    node.queue = function() error "broken" end
    pipe:feed "quit"
    assert.same({ 0 }, w.quits)
    assert.same({ 0 }, pipe.statuses)
    assert.equal(1, #helper.logged)
  end)

  it("goes in order: what stays is told, the sessions end, the program ends", function()
    local order, t = {}, w:attach()
    node.mail = mail { "eva", "queued" }
    for name, list in pairs { leave = "leave", quit = "quit" } do
      local real = node[name]
      node[name] = function(...)
        order[#order + 1] = list
        return real(...)
      end
    end
    for _, name in ipairs { "say", "finish" } do
      local real = t.session.front[name]
      t.session.front[name] = function(...)
        order[#order + 1] = name
        return real(...)
      end
    end
    pipe:feed "quit"
    assert.same({ "leave", "say", "say", "finish", "quit" }, order)
  end)

  it("leaves once, however often it is asked to", function()
    local t = w:attach()
    node.quiet = false
    w.program:stop(0)
    w.program:stop(1)
    t:feed "stop"
    pipe:finish()
    pipe.session:abandon()
    helper.settle(2000)
    assert.same({ 0 }, w.quits)
    assert.same({ 0 }, t.statuses)
  end)

  it("lets scripts do a last thing before the node says goodbye", function()
    w = fake_program.started { files = { ["a.lua"] = "node:on('stop', function() print(node.name) end)" } }
    pipe = w:enter()
    pipe:feed "load a.lua"
    pipe:take()
    local had_left
    local say = pipe.session.front.say
    pipe.session.front.say = function(...)
      had_left = w.node.has_left or false
      return say(...)
    end
    pipe:feed "quit"
    assert.equal("ana\n", pipe:take())
    assert.is_false(had_left)
    assert.same({ 0 }, w.quits)
  end)

  it("ends when the front of its own shell is gone, and not with another one", function()
    local t = w:attach()
    t.session:abandon()
    helper.settle()
    assert.same({}, w.quits)
    pipe.session:abandon()
    helper.settle()
    assert.same({ 0 }, w.quits)
  end)

  it("ends a session that comes while it does", function()
    node.quiet = false
    w.program:stop(0)
    local t = w:attach()
    helper.settle(2000)
    assert.same({ 0 }, t.statuses)
    assert.same({ 0 }, w.quits)
  end)

  it("ends what a session runs", function()
    local guest, closed = w:attach(), false
    require("moth.commands").find("id").run = function()
      local _ <close> = setmetatable({}, { __close = function() closed = true end })
      require("moth.task").sleep(1000)
    end
    guest:feed "id"
    guest.session:over()
    helper.settle()
    assert.is_true(closed)
  end)
end)

describe("a file of the home folder", function()
  local w, results

  before_each(function()
    w, results = fake_program.started(), {}
  end)

  local function keep(name, text)
    return require("moth.task").spawn(function() results[name] = { w.program:keep(name, text) } end)
  end

  it("is written while others wait their turn", function()
    w.kept = {}
    keep("a", "1")
    keep("b", "2")
    helper.settle(20)
    helper.settle(20)
    assert.same({ "a", "b" }, w.kept)
    assert.same({ a = { true }, b = { true } }, results)
    assert.equal("2", w.home.b)
  end)

  it("that cannot be written has a sentence", function()
    w.keep_fails = { "the disk is full", "io" }
    keep("a", "1")
    helper.settle(20)
    assert.same({ a = { nil, "the disk is full", "io" } }, results)
  end)

  it("has a sentence, too, when the disk is stuck", function()
    w.keep_hangs = true
    keep("a", "1")
    helper.settle(10000)
    assert.same({ nil, "the disk takes too long", "timeout" }, results.a)
  end)

  it("that took long is not taken for the next one", function()
    w.keep_hangs = true
    keep("a", "1")
    helper.settle(1000)
    keep("b", "2")
    helper.settle(2100)
    assert.same({ nil, "another file is still being written", "busy" }, results.b)
    w.keep_hangs = nil
    keep("c", "3")
    helper.settle(20)
    helper.settle(20)
    assert.same({ true }, results.c)
    assert.same({ "1", nil, "3" }, { w.home.a, w.home.b, w.home.c })
  end)
end)

describe("the calls from C", function()
  local moth, w, front

  before_each(function()
    w = fake_program.new()
    moth = require "moth"
    moth.start(w.program.options, {})
    helper.settle()
    front = w:front()
  end)

  local function enter(terms)
    front.session = moth.enter(front.functions, w.terms(terms))
    helper.settle()
    front:take()
    return front.session
  end

  it("take lines, interrupts, the width and the end of a session", function()
    local session = enter { is_terminal = true, width = 80 }
    moth.line(session, "x = {")
    helper.settle()
    moth.interrupt(session, false)
    moth.line(session, "1 + 1")
    helper.settle()
    assert.equal("2\n", front:take())
    moth.resize(session, 40)
    assert.equal(40, session.width)
    assert.same({ "send" }, moth.complete(session, "sen", 0))
    moth.log("warn", "a warning")
    assert.equal("moth: a warning\n", front:take())
    moth.finish(session)
    helper.settle()
    assert.same({ 0 }, w.quits)
    assert.same({ 0 }, front.statuses)
  end)

  it("take the end of the front, and the wish to end the program with a status", function()
    local session = enter { is_remote = true }
    moth.left(session)
    helper.settle()
    assert.same({}, w.quits)
    moth.stop(3)
    helper.settle()
    assert.same({ 3 }, w.quits)
  end)

  it("name the first session's script prompt, and the others by their number", function()
    local session = enter()
    assert.equal("prompt", session:lua().script.name)
    assert.equal("prompt-2", enter { is_remote = true }:lua().script.name)
  end)
end)
