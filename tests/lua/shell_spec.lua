local fake_program = require "tests.lua.fake_program"
local helper = require "tests.lua.helper"

local EVA = fake_program.EVA

describe("a session on a pipe", function()
  local w, node, pipe

  before_each(function()
    w = fake_program.started()
    node, pipe = w.node, w:enter()
  end)

  it("prints what a command answers", function()
    assert.equal("PEER  HOPS  VIA\nbob      1  -\neva      2  bob\n", pipe:ask "routes")
    assert.is_false(pipe.session.failed)
  end)

  it("tells the line of a failure on the other stream, and goes on", function()
    for _, line in ipairs { "# nothing", "", "conect x", "id" } do pipe:feed(line) end
    assert.same({ 'line 3: unknown command "conect"; did you mean connect?\n' }, pipe.complained)
    assert.equal(1, #pipe.said)
    assert.is_true(pipe.session.failed)
  end)

  it("answers a wrong number of words with the usage", function()
    for _, line in ipairs { "send bob", "routes everything", "connect a b c" } do pipe:feed(line) end
    assert.same({ "line 1: usage: send PEER TEXT\n", "line 2: usage: routes\n",
      "line 3: usage: connect HOST:PORT\n" }, pipe.complained)
  end)

  it("takes the text of a send as it is, but for the blanks around it", function()
    pipe:feed "  send   bob   two  words # no comment\t "
    assert.equal("two  words # no comment", node.sent[1].text)
  end)

  it("takes a line of blanks without end for what it costs to read", function()
    local blanks, before = (" "):rep(900000), os.clock()
    pipe:feed(blanks .. "send" .. blanks .. "bob" .. blanks .. "hello")
    pipe:feed(blanks)
    pipe:feed("send" .. blanks)
    assert.equal("hello", node.sent[1].text)
    assert.same({ "line 3: usage: send PEER TEXT\n" }, pipe.complained)
    assert.is_true(os.clock() - before < 5)
  end)

  it("shows what cannot be read as what it is", function()
    pipe:feed "\7\255 x"
    assert.truthy(pipe.complained[1]:find "^line 1: .*\\")
  end)

  it("runs lines one after the other, and asks for no more meanwhile", function()
    node.next_message = { state = "pending" }
    pipe:feed "send bob one"
    assert.is_true(pipe.is_held)
    pipe:feed "id"
    assert.same({}, pipe.said)
    node.sent[1].state = "sent"
    helper.settle(20)
    assert.equal(2, #pipe.said)
    assert.truthy(pipe.said[1]:find("^to bob: sent"))
    assert.truthy(pipe.said[2]:find("^name"))
    assert.is_false(pipe.is_held)
  end)

  it("shows messages while a command waits", function()
    pipe:feed "connect 127.0.0.1:7001"
    w:receive()
    assert.truthy(pipe:take():find("eva: hello\n$"))
  end)

  it("lets nothing raw through, line by line", function()
    pipe.session:say("a\27[2Jb\nc\7")
    assert.same({ "a\\x1b[2Jb\nc\\x07\n" }, pipe.said)
  end)

  it("breaks no line", function()
    pipe.session:say(("x"):rep(200))
    assert.same({ ("x"):rep(200) .. "\n" }, pipe.said)
  end)

  it("survives a command that breaks, and logs it", function()
    node.status = function() error "broken" end
    pipe:feed "status"
    assert.same({ "line 1: status failed: an error inside moth, logged\n" }, pipe.complained)
    assert.truthy(helper.logged[1]:find("broken\nstack traceback:"))
    pipe:feed "id"
    assert.equal(1, #pipe.said)
  end)

  it("leaves at the end of the input, with the status of its lines", function()
    pipe:feed "id"
    pipe:finish()
    assert.is_true(node.has_left)
    assert.same({ 0 }, w.quits)
    assert.same({ 0 }, pipe.statuses)
    w = fake_program.started()
    pipe = w:enter()
    pipe:feed "bogus"
    pipe:finish()
    assert.same({ 1 }, w.quits)
    assert.same({ 1 }, pipe.statuses)
  end)

  it("tells what was wrong with the input", function()
    pipe:feed "id"
    pipe:finish "larger than the limit"
    assert.same({ "line 2: the input ends here: larger than the limit\n" }, pipe.complained)
    assert.same({ 1 }, w.quits)
  end)

  it("finishes waiting lines before it leaves", function()
    node.next_message = { state = "pending" }
    pipe:feed "send bob one"
    pipe:finish()
    assert.same({}, w.quits)
    node.sent[1].state = "sent"
    helper.settle(20)
    assert.same({ 0 }, w.quits)
    assert.equal(1, #node.sent)
  end)

  it("runs nothing behind quit", function()
    pipe.session:feed "quit"
    pipe.session:feed "id"
    helper.settle()
    assert.same({}, pipe.said)
    assert.same({ 0 }, w.quits)
  end)

  it("says what its Lua gives, and prints", function()
    assert.equal("3\n", pipe:ask "1 + 2")
    assert.equal("hi\n", pipe:ask "print 'hi'")
    pipe:feed "error 'broken'"
    assert.same({ "line 3: broken\n" }, pipe.complained)
  end)

  it("takes no more lines once it leaves, and asks for none", function()
    node.quiet, node.next_message = false, { state = "pending" }
    pipe:feed "send bob one"
    pipe:feed "quit"
    node.sent[1].state = "sent"
    helper.settle(20)
    assert.is_true(pipe.is_held)
    for _ = 1, 100 do pipe:feed "id" end
    pipe:finish()
    assert.equal(0, #pipe.session.jobs)
    assert.is_true(pipe.is_held)
    helper.settle(2000)
    assert.same({ 0 }, w.quits)
    assert.is_true(pipe.is_held)
  end)
end)

describe("Lua of several lines", function()
  local w, t

  before_each(function()
    w = fake_program.started()
    t = w:sit()
  end)

  it("runs when it is complete; meanwhile the prompt shows that", function()
    t:feed "for i = 1, 2 do"
    assert.equal("...> ", t:prompt())
    t:feed "  print(i)"
    assert.equal("", t:take())
    assert.equal("1\n2\n", t:ask "end")
    assert.equal("ana> ", t:prompt())
  end)

  it("may hold what is a command elsewhere", function()
    t:feed "x = {"
    t:feed "quit"
    t:feed "= 5"
    assert.equal("", t:ask "}")
    assert.same({}, w.quits)
    assert.equal("{ quit = 5 }\n", t:ask "=x")
  end)

  it("is dropped when it turns out wrong", function()
    t:feed "for i = 1, 2 do"
    assert.truthy(t:ask("do do = end"):find "unexpected symbol")
    assert.equal("ana> ", t:prompt())
    assert.equal("2\n", t:ask "1 + 1")
  end)

  it("fails where the piped input ends within", function()
    local pipe = fake_program.started():enter()
    pipe:feed "for i = 1, 2 do"
    assert.same({}, pipe.prompts)
    pipe:finish()
    assert.equal(1, #pipe.complained)
    assert.truthy(pipe.complained[1]:find "^line 2: the input ends within a piece of Lua: .*'end' expected")
    assert.same({ 1 }, pipe.statuses)
  end)

  it("says so at a terminal, too, and ends without a failure", function()
    t:feed "x = ("
    t:finish()
    assert.truthy(t:take():find "^the input ends within a piece of Lua: unexpected symbol near <eof>\n")
    assert.same({ 0 }, w.quits)
  end)

  it("keeps the first value that a line gave in _", function()
    t:feed "6 * 7, 'x'"
    assert.equal("43\n", t:ask "_ + 1")
    t:feed "y = 5"
    assert.equal("43\n", t:ask "=_")
    t:feed "list"
    assert.equal("43\n", t:ask "_")
  end)
end)

describe("a paste", function()
  local w, t

  before_each(function()
    w = fake_program.started()
    t = w:sit()
  end)

  it("runs line by line, in turn", function()
    w.node.next_message = { state = "queued" }
    local text = t:ask "=1\n\n-- no line\nsend bob a b\nfor i = 5, 6 do\n\n  print(i)\nend\nbogus\n=2\n"
    assert.equal('1\nto bob: queued (id 18d2c)\n5\n6\nunknown command "bogus"; help shows all\n2\n', text)
    assert.equal("a b", w.node.sent[1].text)
  end)

  it("is one message to who is talked to", function()
    t:feed "talk eva"
    t:feed "one\n\n/leave is no command here\n  three\n"
    assert.equal(1, #w.node.sent)
    assert.equal("one\n\n/leave is no command here\n  three", w.node.sent[1].text)
  end)

  it("may begin to talk, and what follows is one message", function()
    t:feed "talk eva\none\ntwo"
    assert.equal(1, #w.node.sent)
    assert.equal("one\ntwo", w.node.sent[1].text)
  end)

  it("stops where somebody ends it", function()
    t:feed "task.sleep(100)\nsend bob late"
    t:interrupt()
    assert.equal("cancelled\n", t:take())
    helper.settle(200000)
    assert.same({}, w.node.sent)
    t:feed "connect 127.0.0.1:7001\nsend bob late"
    t:interrupt()
    helper.settle(200000)
    assert.same({}, w.node.sent)
    assert.equal("2\n", t:ask "1 + 1")
  end)

  it("may be an invitation that a terminal broke into rows", function()
    local joined
    require("moth.commands").find("join").run = function(_, line) joined = line return true end
    t:feed "join moth1:AQAPMTI3\n  LjAuMC4x\nOjY2ODQ"
    assert.equal("moth1:AQAPMTI3LjAuMC4xOjY2ODQ", joined)
  end)

  it("is one message also when it begins with a slash that is no command", function()
    t:feed "talk eva"
    t:feed "//usr/bin\n//usr/lib"
    assert.equal(1, #w.node.sent)
  end)
end)

describe("links given on the command line", function()
  local w, node
  local address, other = "127.0.0.1:7001", "127.0.0.1:7002"

  before_each(function()
    w = fake_program.started()
    node = w.node
    node:connect(address)
  end)

  it("are waited for before the first piped line", function()
    local pipe = w:enter { connect = { address } }
    pipe:feed "id"
    assert.same({}, pipe.said)
    assert.is_true(pipe.is_held)
    node.addresses[1].linked, node.addresses[1].peer = true, EVA
    helper.settle(20)
    assert.equal(1, #pipe.said)
  end)

  it("hold the lines back for three seconds at most, and fail none", function()
    local pipe = w:enter { connect = { address } }
    pipe:feed "id"
    helper.settle(2990)
    assert.same({}, pipe.said)
    helper.settle(20)
    assert.equal("* cannot connect to 127.0.0.1:7001: no answer so far; trying again\n", pipe.said[1])
    assert.equal(2, #pipe.said)
    assert.is_false(pipe.session.failed)
  end)

  it("are each reported once, with the reason, behind one that is silent", function()
    node:connect(other)
    local pipe = w:enter { connect = { address, other } }
    w:raise("dial", { address = other, reason = "refused", why = "the other end refused" })
    helper.settle(3000)
    assert.same({ "* cannot connect to 127.0.0.1:7001: no answer so far; trying again\n",
      "* cannot connect to 127.0.0.1:7002: the other end refused; trying again\n" }, pipe.said)
  end)

  it("do not hold back a person", function()
    local t = w:sit { connect = { address } }
    assert.truthy(t:ask("id"):find "^name")
  end)
end)
