local fake_program = require "tests.lua.fake_program"
local helper = require "tests.lua.helper"

local EVA = fake_program.EVA

-- Without the time, which is now.
local function plain(text)
  return (text:gsub("%[%d%d:%d%d:%d%d%]", "T"))
end

describe("talking", function()
  local w, node, t

  before_each(function()
    w = fake_program.started()
    node, t = w.node, w:sit()
  end)

  -- Whether the last of one's own lines still changes, and to what.
  local function last_change()
    local change = t.amended[#t.amended]
    return change and plain(change.line), change and change.other
  end

  it("says how it goes and shows to whom", function()
    assert.equal("Talking to eva: what you type is sent. /leave ends that, /help and others are\ncommands.\n",
      t:ask "talk eva")
    assert.equal("ana to eva> ", t:prompt())
    assert.same({ true }, t.chats)
    assert.equal("no longer talking to eva\n", t:ask "/leave")
    assert.equal("ana> ", t:prompt())
    assert.same({ true, false }, t.chats)
    assert.equal("2\n", t:ask "1 + 1")
  end)

  it("says when they are away", function()
    node.known[2].up = false
    assert.truthy(t:ask("talk eva"):gsub("\n", " "):find "eva is away: what you write waits for them%. $")
  end)

  it("needs somebody who is known, and not oneself", function()
    assert.equal('no peer "evi" is known; did you mean eva?\n', t:ask "talk evi")
    assert.equal("that is this node itself\n", t:ask "talk ana")
    assert.equal("nobody is talked to; 'talk PEER' does that\n", t:ask "leave")
    assert.equal("usage: talk PEER\n", t:ask "talk")
    assert.same({}, t.chats)
  end)

  it("sends what is typed to the peer, whatever it looks like", function()
    t:feed "talk eva"
    for _, line in ipairs { "list", "x = 5", "  don't  ", "//etc", "-- no comment", "=1", "" } do t:feed(line) end
    local texts = {}
    for i, m in ipairs(node.sent) do texts[i] = m.text end
    assert.same({ "list", "x = 5", "  don't", "/etc", "-- no comment", "=1" }, texts)
    assert.equal(EVA, node.sent[1].to)
  end)

  it("obeys commands behind a slash, and can change to somebody else", function()
    t:feed "talk eva"
    assert.truthy(t:ask("/id"):find "^name")
    t:feed "/talk bob"
    assert.equal("ana to bob> ", t:prompt())
    t:feed "hello"
    assert.equal(fake_program.BOB, node.sent[1].to)
    assert.truthy(t:ask("/bogus"):find '^unknown command "/bogus"')
    assert.equal(1, #node.sent)
  end)

  it("shows one's own line with its mark, as messages look", function()
    t:feed "talk eva"
    node.next_message = { state = "pending" }
    assert.equal("T ana: hello  (waiting)\n", plain(t:ask "hello"))
    assert.truthy(t.tagged[1])
  end)

  it("changes the mark in its place as the message goes on", function()
    t:feed "talk eva"
    node.next_message = { state = "pending" }
    t:ask "hello"
    local m = node.sent[1]
    for _, state in ipairs { "queued", "sent" } do w:change(m, state) end
    assert.same({}, t.amended)
    w:change(m, "carried")
    assert.same({ "T ana: hello  (carried)", '* carried: "hello"\n' }, { last_change() })
    w:change(m, "delivered")
    assert.same({ "T ana: hello  (delivered)", '* delivered: "hello"\n' }, { last_change() })
    assert.equal(1, t.amended[1].tag)
    assert.equal(2, #t.amended)
    assert.equal("", t:take())
  end)

  it("goes back to waiting when a carrier gave up", function()
    t:feed "talk eva"
    t:ask "hello"
    w:change(node.sent[1], "carried")
    w:change(node.sent[1], "queued")
    assert.equal("T ana: hello  (waiting)", (last_change()))
  end)

  it("does not watch what arrived at once", function()
    t:feed "talk eva"
    node.next_message = { state = "delivered" }
    assert.equal("T ana: hello  (delivered)\n", plain(t:ask "hello"))
    w:change(node.sent[1], "delivered")
    assert.same({}, t.amended)
  end)

  it("says a bad end with its reason, and forgets the line", function()
    t:feed "talk eva"
    t:ask "hello"
    local m = node.sent[1]
    w:change(m, "refused", { why = "eva has blocked this node" })
    assert.same({ "T ana: hello  (refused)", "" }, { last_change() })
    assert.equal('* "hello" to eva refused: eva has blocked this node\n', t:take())
    w:change(m, "delivered")
    assert.equal(1, #t.amended)
  end)

  it("tells a bad end once, and no more of what has a mark", function()
    t:feed "talk eva"
    t:ask "hello"
    w:change(node.sent[1], "carried", { by_name = "bob" })
    w:change(node.sent[1], "expired")
    assert.equal('* "hello" to eva expired: expired\n', t:take())
    helper.settle(1000)
    assert.equal("", t:take())
  end)

  it("quotes long and many lines by their beginning", function()
    t:feed "talk eva"
    t:ask("ä" .. ("b"):rep(30))
    w:change(node.sent[1], "carried")
    assert.equal('* carried: "ä' .. ("b"):rep(23) .. '..."\n', select(2, last_change()))
    node.next_message = { id = 2 }
    t:ask "one\ntwo"
    w:change(node.sent[2], "carried")
    assert.equal('* carried: "one"\n', select(2, last_change()))
  end)

  it("keeps room for any mark in the last row, which is the one that changes", function()
    t:feed "talk eva"
    local text = ("x"):rep(100)
    local shown = t:ask(text)
    for row in shown:gmatch "[^\n]+" do assert.is_true(#row <= 80) end
    assert.equal("T ana: " .. text .. "  (waiting)", (plain(shown):gsub("\n  x", "x"):gsub("\n$", "")))
    w:change(node.sent[1], "delivered")
    assert.truthy((last_change()):find "^  x+  %(delivered%)$")
    t:ask "one\ntwo"
    assert.same({ "  two  (waiting)\n" }, { t.tagged[2]:match "\n(.*)$" })
  end)

  it("lets nothing raw through, not in the quote either", function()
    t:feed "talk eva"
    assert.equal("T ana: a\\x1b[2Jb  (waiting)\n", plain(t:ask "a\27[2Jb"))
    w:change(node.sent[1], "carried")
    assert.equal('* carried: "a\\x1b[2Jb"\n', select(2, last_change()))
  end)

  it("follows the marks of the last hundred lines", function()
    t:feed "talk eva"
    for i = 1, 101 do
      node.next_message = { id = i }
      t:feed("line " .. i)
    end
    w:change(node.sent[1], "delivered")
    assert.same({}, t.amended)
    w:change(node.sent[2], "delivered")
    w:change(node.sent[101], "delivered")
    assert.equal(2, #t.amended)
  end)

  it("tells, as of any other message, what became of one whose mark is not followed any more", function()
    t:feed "talk eva"
    for i = 1, 101 do
      node.next_message = { id = i }
      t:feed("line " .. i)
    end
    t:take()
    w:change(node.sent[1], "refused", { why = "a limit is reached" })
    assert.equal("* message 1 to eva was refused: a limit is reached\n", t:take())
  end)

  it("says why nothing was sent", function()
    t:feed "talk eva"
    node.refuses = "too many messages wait"
    assert.equal("too many messages wait\n", t:ask "hello")
    node.refuses, node.refuses_code = "that peer is blocked", "unwanted"
    assert.equal("eva is blocked; /unblock eva first\n", t:ask "hello")
    assert.equal("ana to eva> ", t:prompt())
  end)

  it("is of one session: no other one shows marks, or sends", function()
    local other = w:attach()
    t:feed "talk eva"
    t:ask "hello"
    w:change(node.sent[1], "delivered")
    helper.settle(1000)
    assert.equal("", other:take())
    assert.same({}, other.amended)
    assert.equal("2\n", other:ask "1 + 1")
    assert.equal(1, #node.sent)
  end)

  it("paints oneself and the mark where there are colours", function()
    local coloured = w:attach { has_colour = true }
    coloured:feed "talk eva"
    assert.equal("T \27[1;32mana\27[0m: hello  \27[2m(waiting)\27[0m\n", plain(coloured:ask "hello"))
    w:change(node.sent[1], "delivered")
    assert.equal("T \27[1;32mana\27[0m: hello  \27[2m(delivered)\27[0m", plain(coloured.amended[1].line))
    assert.equal('\27[2m* delivered: "hello"\27[0m\n', coloured.amended[1].other)
  end)

  it("ends with the session", function()
    t = w:attach()
    t:feed "talk eva"
    t:feed "hello"
    t.session:abandon()
    w:change(node.sent[1], "delivered")
    assert.same({}, t.amended)
  end)
end)

describe("talking over a pipe", function()
  it("answers each line as send does, once it is on the disk", function()
    local w = fake_program.started()
    local pipe = w:enter()
    pipe:feed "talk eva"
    w.node.next_message = { state = "pending" }
    pipe:ask "hello"
    assert.equal("", pipe:take())
    w:change(w.node.sent[1], "queued")
    helper.settle(20)
    assert.equal("to eva: queued\n", pipe:take())
    assert.same({}, pipe.prompts)
    assert.same({}, pipe.tagged)
    pipe:feed "/leave"
    pipe:finish()
    assert.same({ 0 }, pipe.statuses)
  end)

  it("fails, as send does, with what was lost at once", function()
    local w = fake_program.started()
    local pipe = w:enter()
    pipe:feed "talk eva"
    w.node.next_message = { state = "lost", reason = "store", why = "the disk is full" }
    pipe:feed "hello"
    assert.is_true(pipe.session.failed)
    assert.equal(1, #pipe.complained)
  end)
end)
