local helper = require "tests.lua.helper"
local shell = require "moth.shell"

describe("a line", function()
  local function parse(line)
    return { shell.parse(line) }
  end

  it("is a word and the rest as it is", function()
    assert.same({ "list", "" }, parse("list"))
    assert.same({ "list", "" }, parse("  list\t "))
    assert.same({ "send", "eva  hello   world" }, parse(" send  eva  hello   world "))
    assert.same({ "send", "eva # not a comment" }, parse("send eva # not a comment"))
    assert.same({ "\0\255", "x" }, parse("\0\255 x"))
  end)

  it("costs the same with a million blanks in it", function()
    local blanks, before = (" "):rep(900000), os.clock()
    assert.same({ "send", "eva" .. blanks .. "hello" }, parse(blanks .. "send" .. blanks .. "eva" .. blanks .. "hello"))
    assert.same({ "send", "" }, parse("send" .. blanks))
    assert.same({}, parse(blanks))
    assert.is_true(os.clock() - before < 5)
  end)

  it("can be blank or a comment", function()
    for _, line in ipairs { "", "   ", "\t", "# list", "  #list", "#" } do assert.same({}, parse(line)) end
  end)
end)

describe("a shell on a pipe", function()
  local node, sh, out

  before_each(function()
    helper.reset()
    node = helper.node { { name = "bob", start = "bbbb2222", hops = 1, via = helper.id("bbbb2222"), linked = true } }
    sh, out = helper.shell(node)
  end)

  it("prints what a command answers", function()
    sh:feed("routes")
    assert.same({ "PEER  HOPS  VIA\nbob      1  -\n" }, out.said)
    assert.is_false(sh.failed)
  end)

  it("tells the line of a failure on the other stream, and goes on", function()
    sh:feed("# nothing")
    sh:feed("conect x")
    sh:feed("id")
    assert.same({ 'line 2: unknown command "conect"; did you mean connect?\n' }, out.complained)
    assert.equal(1, #out.said)
    assert.is_true(sh.failed)
  end)

  it("answers a wrong number of words with the usage", function()
    sh:feed("send bob")
    sh:feed("list everything")
    sh:feed("connect a b c")
    assert.same({ "line 1: usage: send PEER TEXT\n", "line 2: usage: list\n", "line 3: usage: connect HOST:PORT\n" },
      out.complained)
  end)

  it("takes the text of a send as it is", function()
    sh:feed("send   bob   two  words ")
    helper.turn()
    assert.equal("two  words", node.sent[1].text)
  end)

  it("runs lines one after the other, and asks for no more meanwhile", function()
    node.next_message = { state = "pending" }
    sh:feed("send bob one")
    assert.is_true(out.held)
    sh:feed("id")
    assert.same({}, out.said)
    node.sent[1].state = "sent"
    helper.turn()
    assert.equal(2, #out.said)
    assert.truthy(out.said[1]:find("^to bob: sent"))
    assert.truthy(out.said[2]:find("^name"))
    assert.is_false(out.held)
  end)

  it("shows messages while a command waits", function()
    node.synced = false
    sh:feed("connect 127.0.0.1:7001")
    node:raise("message", { name = "bob", type = "text", encoding = "text", data = "hello" })
    assert.truthy(out.said[1]:find("bob: hello\n$"))
  end)

  it("lets nothing raw through, line by line", function()
    sh:say("a\27[2Jb\nc\7")
    assert.same({ "a\\x1b[2Jb\nc\\x07\n" }, out.said)
  end)

  it("survives a command that breaks, and logs it", function()
    node.status = function() error("broken") end
    sh:feed("status")
    assert.same({ "line 1: status failed: an error inside moth, logged\n" }, out.complained)
    assert.truthy(helper.logged[1]:find("broken\nstack traceback:"))
    sh:feed("id")
    assert.equal(1, #out.said)
  end)

  it("leaves at the end of the input, with the status of its lines", function()
    sh:feed("id")
    sh:finish()
    assert.is_true(node.has_left)
    assert.equal(0, node.quit_status)
    sh, out = helper.shell(helper.node())
    sh:feed("bogus")
    sh:finish()
    assert.equal(1, sh.node.quit_status)
  end)

  it("tells what was wrong with the input", function()
    sh:feed("id")
    sh:finish("larger than the limit")
    assert.same({ "line 2: the input ends here: larger than the limit\n" }, out.complained)
    assert.equal(1, node.quit_status)
  end)

  it("finishes waiting lines before it leaves", function()
    node.next_message = { state = "pending" }
    sh:feed("send bob one")
    sh:finish()
    assert.is_nil(node.quit_status)
    node.sent[1].state = "sent"
    helper.turn()
    assert.equal(0, node.quit_status)
    assert.equal(1, #node.sent)
  end)

  it("runs nothing behind quit", function()
    sh:feed("quit")
    sh:feed("id")
    assert.same({}, out.said)
    assert.equal(0, node.quit_status)
  end)

  it("waits two seconds at most for what is being written", function()
    node.quiet = false
    sh:feed("exit")
    helper.turn(1990)
    assert.is_nil(node.quit_status)
    helper.turn(10)
    assert.equal(0, node.quit_status)
  end)

  local function mail(...)
    local list = {}
    for i, m in ipairs { ... } do list[i] = helper.message { name = m[1], state = m[2] } end
    return list
  end

  it("says which mail waits for the next run", function()
    node.mail = mail({ "eva", "queued" }, { "bob", "sent" }, { "eva", "carried" })
    sh:feed("quit")
    assert.same({ "3 messages wait here and go on when moth runs again: bob (1), eva (2)\n" }, out.said)
    sh, out = helper.shell(helper.node())
    sh.node.mail = mail { "eva", "queued" }
    sh:feed("quit")
    assert.same({ "1 message waits here and goes on when moth runs again: eva (1)\n" }, out.said)
  end)

  it("says which mail is lost: what was never promised, and nothing else", function()
    node.mail = mail({ "eva", "pending" }, { "bob", "sent" }, { "eva", "pending" })
    sh:feed("quit")
    assert.same({ "2 messages could not be kept and are lost: eva (2)\n",
      "1 message waits here and goes on when moth runs again: bob (1)\n" }, out.said)
    sh, out = helper.shell(helper.node())
    sh.node.mail = mail { "eva", "pending" }
    sh:feed("quit")
    assert.same({ "1 message could not be kept and is lost: eva (1)\n" }, out.said)
  end)

  it("says the same when it is interrupted", function()
    node.mail = mail({ "eva", "queued" }, { "bob", "pending" })
    sh:leave(0)
    assert.same({ "1 message could not be kept and is lost: bob (1)\n",
      "1 message waits here and goes on when moth runs again: eva (1)\n" }, out.said)
  end)

  it("keeps quiet about links while it leaves", function()
    node.quiet = false
    sh:feed("quit")
    node:raise("link:down", { peer = node.known[1].id, name = "bob", why = "goodbye" })
    assert.same({}, out.said)
  end)

  it("shows messages that still come while it leaves, and what became of its own", function()
    node.quiet = false
    sh:feed("quit")
    node:raise("message", { name = "bob", type = "text", encoding = "text", data = "hello" })
    node:raise("state", helper.message { state = "refused", why = "a limit is reached" })
    assert.equal(2, #out.said)
    assert.truthy(out.said[1]:find("bob: hello\n$"))
    assert.equal("* message 18d2c to eva was refused: a limit is reached\n", out.said[2])
  end)

  it("takes no more lines once it leaves, and asks for none", function()
    node.quiet, node.next_message = false, { state = "pending" }
    sh:feed("send bob one")
    sh:feed("quit")
    node.sent[1].state = "sent"
    helper.turn()
    assert.is_true(out.held)
    for _ = 1, 100 do sh:feed("id") end
    sh:finish()
    assert.equal(0, #sh.jobs)
    assert.is_true(out.held)
    helper.turn(2000)
    assert.equal(0, node.quit_status)
    assert.is_true(out.held)
  end)

  it("breaks no line", function()
    sh:say(("x"):rep(200))
    assert.same({ ("x"):rep(200) .. "\n" }, out.said)
  end)

  it("quits even when leaving breaks", function()
    node.queue = function() error("broken") end
    sh:feed("quit")
    assert.equal(0, node.quit_status)
    assert.equal(1, #helper.logged)
  end)
end)

describe("links given on the command line", function()
  local node, sh, out
  local address = "127.0.0.1:7001"

  before_each(function()
    helper.reset()
    node = helper.node { { name = "bob", start = "bbbb2222" } }
    sh, out = helper.shell(node)
    node:connect(address)
  end)

  it("are waited for before the first piped line", function()
    sh:settle { address }
    sh:feed("id")
    assert.same({}, out.said)
    assert.is_true(out.held)
    node.addresses[1].linked, node.addresses[1].peer = true, node.known[1].id
    helper.turn()
    assert.equal(1, #out.said)
  end)

  it("hold the lines back for three seconds at most, and fail none", function()
    sh:settle { address }
    sh:feed("id")
    helper.turn(2990)
    assert.same({}, out.said)
    helper.turn(10)
    assert.equal("* cannot connect to 127.0.0.1:7001: no answer so far; trying again\n", out.said[1])
    assert.equal(2, #out.said)
    assert.is_false(sh.failed)
  end)

  it("are each reported once, with the reason, behind one that is silent", function()
    local other = "127.0.0.1:7002"
    node:connect(other)
    sh:settle { address, other }
    node:raise("dial", { address = other, reason = "refused", why = "the other end refused" })
    helper.turn(3000)
    assert.same({ "* cannot connect to 127.0.0.1:7001: no answer so far; trying again\n",
      "* cannot connect to 127.0.0.1:7002: the other end refused; trying again\n" }, out.said)
  end)

  it("do not hold back a person", function()
    sh, out = helper.shell(node, true)
    sh:settle { address }
    sh:feed("id")
    assert.equal(1, #out.said)
  end)
end)

describe("a shell on a terminal", function()
  it("breaks lines itself, so that no part of a message starts a line", function()
    local node = helper.node()
    local _, out = helper.shell(node, true)
    local data = ("x"):rep(80 - #"[00:00:00] bob: ") .. "[00:00:00] eva: it was me"
    node:raise("message", { name = "bob", type = "text", encoding = "text", data = data })
    assert.truthy(out.said[1]:find("x\n  [00:00:00] eva: it was me\n", 1, true))
  end)

  it("says failures in place of the answer and forgets them", function()
    local node = helper.node()
    local sh, out = helper.shell(node, true)
    sh:feed("bogus")
    assert.same({ 'unknown command "bogus"; help shows all\n' }, out.said)
    assert.same({}, out.complained)
    sh:finish()
    assert.equal(0, node.quit_status)
  end)
end)

describe("the program", function()
  package.loaded["moth.hub"] = { new = helper.hub }
  package.loaded["moth.prompt"] = { new = helper.prompt }

  it("prints its first line, then the hint for people", function()
    local moth = require "moth"
    local node, said = helper.node(), {}
    local options = { node = node, is_terminal = false, write = function(t) said[#said + 1] = t end,
      complain = print, hold = function() end }
    moth.start(options, {}, {})
    assert.same({ "ana (aaaa1111) listening on 127.0.0.1:6684\n" }, said)
    node.address, options.is_terminal, said = "", true, {}
    moth.start(options, {}, {})
    assert.same({ "ana (aaaa1111) not listening\n", "Type help for the commands.\n" }, said)
    moth.line("quit")
    assert.equal(0, node.quit_status)
  end)

  it("ends with 0 when it is interrupted, whatever the lines came to", function()
    local moth = require "moth"
    local node = helper.node()
    moth.start({ node = node, is_terminal = false, write = function() end, complain = function() end,
      hold = function() end }, {}, {})
    moth.line("bogus")
    moth.interrupt()
    assert.equal(0, node.quit_status)
    assert.is_true(node.has_left)
  end)

  it("leaves when its input ends", function()
    local moth = require "moth"
    local node = helper.node()
    moth.start({ node = node, is_terminal = false, write = function() end, complain = function() end,
      hold = function() end }, {}, {})
    moth.finish()
    assert.equal(0, node.quit_status)
  end)
end)
