local fake_program = require "tests.lua.fake_program"
local helper = require "tests.lua.helper"

describe("a session at a terminal", function()
  local w, t

  before_each(function()
    w = fake_program.started()
    t = w:sit()
  end)

  it("breaks lines itself, so that no part of a message starts a line", function()
    w:receive { data = ("x"):rep(80 - #"[00:00:00] eva: ") .. "[00:00:00] bob: it was me" }
    assert.truthy(t:take():find("x\n  [00:00:00] bob: it was me\n", 1, true))
  end)

  it("breaks them for the width it has now", function()
    t.session.width = 40
    t.session:say(("x"):rep(60))
    assert.equal(("x"):rep(40) .. "\n  " .. ("x"):rep(20) .. "\n", t:take())
  end)

  it("leaves an invitation in one line, for it is copied", function()
    local line = "moth1:" .. ("Ab_-"):rep(50)
    t.session:say(line)
    assert.equal(line .. "\n", t:take())
    t.session:say(line .. "\27")
    assert.truthy(t:take():find "\n  ")
  end)

  it("says failures in place of the answer and forgets them", function()
    assert.equal('unknown command "bogus"; help shows all\n', t:ask "bogus")
    assert.same({}, t.complained)
    t:finish()
    assert.same({ 0 }, w.quits)
  end)

  it("takes a thousand lines ahead, then no more until there is room", function()
    t:feed "task.sleep(10)"
    for _ = 1, 1000 do t.session:feed "" end
    assert.is_false(t.is_held)
    t.session:feed ""
    assert.is_true(t.is_held)
    helper.turn(10000)
    for _ = 1, 10 do helper.turn() end
    assert.is_false(t.is_held)
    for _ = 1, 3000 do helper.turn() end
    assert.equal(0, #t.session.jobs)
  end)

  it("is ended when its front never holds back", function()
    local guest = w:attach()
    guest:feed "task.sleep(10)"
    for _ = 1, 100001 do guest.session:feed "id" end
    helper.settle()
    assert.same({ 1 }, guest.statuses)
    assert.same({}, w.quits)
    assert.equal(0, #guest.session.jobs)
    assert.same({ t.session }, w.program.sessions)
  end)

  it("is ended, too, when what waits is too much to hold", function()
    local guest, line = w:attach(), ("x"):rep(1 << 20)
    guest:feed "task.sleep(10)"
    for _ = 1, 8 do guest.session:feed(line) end
    helper.settle()
    assert.same({}, guest.statuses)
    guest.session:feed(line)
    helper.settle()
    assert.same({ 1 }, guest.statuses)
    assert.same({}, w.quits)
  end)

  it("counts only what waits", function()
    local line = "-- " .. ("x"):rep(1 << 20)
    for _ = 1, 20 do t:feed(line) end
    assert.same({}, w.quits)
    assert.equal("2\n", t:ask "1 + 1")
  end)

  it("ends the node when it is the node's own", function()
    t:feed "task.sleep(10)"
    for _ = 1, 100001 do t.session:feed "id" end
    helper.settle()
    assert.same({ 1 }, t.statuses)
    assert.same({ 1 }, w.quits)
  end)

  it("is coloured where the terminal has colours, and nowhere else", function()
    local coloured = w:attach { has_colour = true }
    w:raise("note", { text = "a note" })
    w:receive()
    t:take()
    local text = coloured:take()
    assert.truthy(text:find("\27[2m* a note\27[0m\n", 1, true))
    assert.truthy(text:find("] \27[1;36meva\27[0m: hello\n", 1, true))
    assert.equal('\27[31munknown command "bogus"; help shows all\27[0m\n', coloured:ask "bogus")
    assert.equal('unknown command "bogus"; help shows all\n', t:ask "bogus")
  end)
end)

describe("a session that speaks JSON", function()
  local w, one

  before_each(function()
    w = fake_program.started()
    one = w:single { is_json = true }
  end)

  local function is_one_object(text)
    return select(2, text:gsub("\n", "")) == 1 and require("moth.json").decode(text) or nil
  end

  it("says one object a line, and nothing before it", function()
    assert.equal("", one.greeting)
    local value = is_one_object(one:ask "id")
    assert.equal(w.node.id, value.id)
    assert.same({ 0 }, one.statuses)
  end)

  it("says failures as objects, with the word for programs", function()
    assert.same({ error = 'unknown command "bogus"; help shows all', code = "unknown_command" },
      is_one_object(one:ask "bogus"))
    assert.same({}, one.complained)
    assert.same({ 1 }, one.statuses)
    local other = w:single { is_json = true }
    assert.same({ error = "usage: send PEER TEXT", code = "usage" }, is_one_object(other:ask "send bob"))
    other = w:single { is_json = true }
    assert.equal("unknown_peer", is_one_object(other:ask "send kim hello").code)
  end)

  it("says what has no value of its own as it is said to people", function()
    require("moth.commands").find("id").run = function() return "some text" end
    assert.same({ said = "some text", ok = true }, is_one_object(one:ask "id"))
    one = w:single { is_json = true }
    require("moth.commands").find("id").run = function() return true end
    assert.same({ ok = true }, is_one_object(one:ask "id"))
  end)

  it("says the value of Lua, and why it failed", function()
    assert.same({ a = 1 }, is_one_object(one:ask "={ a = 1 }"))
    one = w:single { is_json = true }
    assert.equal("broken", is_one_object(one:ask "error 'broken'").error)
    one = w:single { is_json = true }
    assert.equal("syntax", is_one_object(one:ask "x = = 1").code)
    one = w:single { is_json = true }
    assert.equal("false\n", one:ask "=false")
  end)

  it("says of a value that cannot be JSON just that", function()
    assert.truthy(is_one_object(one:ask "=print").error:find "function")
  end)

  it("is not disturbed by what happens meanwhile", function()
    one:feed "connect 127.0.0.1:7001"
    w:receive()
    w:raise("note", { text = "a note" })
    w.program:print "a script prints"
    helper.settle(10000)
    assert.equal(1, #one.said)
    assert.truthy(is_one_object(one:take()).error)
    assert.same({ 1 }, one.statuses)
  end)
end)

