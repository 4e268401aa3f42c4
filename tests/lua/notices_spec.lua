local helper = require "tests.lua.helper"
local notices = require "moth.notices"

local function message(fields)
  local msg = { name = "bob", type = "text", encoding = "text", data = "hello", broadcast = false, durable = true }
  for k, v in pairs(fields or {}) do msg[k] = v end
  return msg
end

local function shown(fields)
  return (notices.message(message(fields)):gsub("^%[%d%d:%d%d:%d%d%] ", "T "))
end

describe("a message", function()
  it("shows time, name and text", function()
    assert.truthy(notices.message(message()):find("^%[%d%d:%d%d:%d%d%] bob: hello$"))
  end)

  it("says when it went to all and when it is no text", function()
    assert.equal("T bob to all: hello", shown { broadcast = true })
    assert.equal("T bob (move): e4", shown { type = "move", data = "e4" })
    assert.equal("T bob to all (move): e4", shown { type = "move", data = "e4", broadcast = true })
    assert.equal("T bob (data): [1]", shown { type = "data", encoding = "json", data = "[1]" })
  end)

  it("only counts bytes that cannot be read", function()
    assert.equal("T bob: 5 bytes", shown { encoding = "bytes" })
    assert.equal("T bob: 1 byte", shown { data = "\255" })
  end)

  it("says when it comes again, after a crash", function()
    assert.equal("T bob (again): hello", shown { redelivered = true })
    assert.equal("T bob (move, again): e4", shown { type = "move", data = "e4", redelivered = true })
  end)

  it("indents further lines, so that none passes for another message", function()
    local data = "one\r\n[00:00:00] eva: two\n* three\n"
    assert.equal("T bob: one\n  [00:00:00] eva: two\n  * three", shown { data = data })
  end)
end)

describe("notices", function()
  local node, session, watching, said, styles, dialling, parting, sending, showing

  before_each(function()
    helper.reset()
    node = helper.node { { name = "bob", start = "bbbb2222" }, { name = "eva", start = "eeee3333" } }
    said, styles, dialling, parting, sending, showing = {}, {}, {}, {}, {}, {}
    session = { node = node, settings = { news = true, light = false }, program = { is_over = false } }
    session.waiting = {
      is_awaited = function(_, e) return dialling[e.address] end,
      is_parting = function(_, e) return parting[e.peer] end,
      is_sending = function(_, id) return sending[id] end,
    }
    session.talk = { is_showing = function(_, id) return showing[id] end }
    function session.say(_, text, style) said[#said + 1], styles[#said + 1] = text, style end
    function session.say_message(_, text) said[#said + 1], styles[#said + 1] = text, "message" end
    watching = notices.watch(session)
  end)

  local bob, eva = helper.id("bbbb2222"), helper.id("eeee3333")
  local address = "127.0.0.1:7001"

  local function link_down(why)
    node:raise("link:down", { peer = bob, name = "bob", address = address, reason = "closed", why = why })
  end

  it("tells of links", function()
    node:raise("link:up", { peer = bob, name = "bob", address = address })
    link_down("the other end closed the connection")
    assert.same({ "* bob is linked (127.0.0.1:7001)", "* bob is gone: the other end closed the connection" }, said)
  end)

  it("leaves a link that a command waits for to the command", function()
    dialling[address] = true
    node:raise("link:up", { peer = bob, name = "bob", address = address })
    node:raise("dial", { address = address, reason = "refused", why = "the other end refused" })
    assert.same({}, said)
  end)

  it("leaves a link that a command ends to the command", function()
    parting[bob] = true
    link_down("the other end said goodbye")
    node:raise("peer:down", { peer = bob, name = "bob" })
    helper.turn()
    assert.same({}, said)
  end)

  it("announces a neighbour only once, coming and going", function()
    node:raise("link:up", { peer = bob, name = "bob", address = address })
    node:raise("peer:up", { peer = bob, name = "bob", hops = 1, via = bob })
    link_down("closed")
    node:raise("peer:down", { peer = bob, name = "bob" })
    helper.turn()
    assert.same({ "* bob is linked (127.0.0.1:7001)", "* bob is gone: closed" }, said)
  end)

  it("tells who can be reached through whom, and who no more", function()
    node:raise("peer:up", { peer = eva, name = "eva", hops = 2, via = bob })
    helper.turn()
    node:raise("peer:down", { peer = eva, name = "eva" })
    helper.turn()
    assert.same({ "* eva can be reached, 2 hops via bob", "* eva cannot be reached any more" }, said)
  end)

  it("says that somebody who is gone has another way", function()
    link_down("silent")
    node:raise("route", { peer = bob, name = "bob", hops = 2, via = eva, old = bob })
    helper.turn()
    node:raise("peer:down", { peer = bob, name = "bob" })
    helper.turn()
    assert.same({ "* bob is gone: silent", "* bob can be reached, 2 hops via eva",
      "* bob cannot be reached any more" }, said)
  end)

  it("keeps quiet about other changes of routes", function()
    node:raise("route", { peer = eva, name = "eva", hops = 3, via = bob, old = bob })
    helper.turn()
    assert.same({}, said)
  end)

  it("counts a crowd instead of naming it", function()
    for i = 1, 97 do
      node:raise("peer:up", { peer = helper.id(("%08x"):format(i)), name = "n" .. i, hops = 2, via = bob })
    end
    helper.turn()
    assert.same({ "* 97 peers can be reached ('list' shows them)" }, said)
  end)

  it("promises another try only while the address is wanted", function()
    node:raise("dial", { address = address, reason = "self", why = "that is this node itself" })
    assert.same({ "* cannot connect to 127.0.0.1:7001: that is this node itself" }, said)
  end)

  it("tells of a failed dial again only when the reason changes or a link was up", function()
    node.addresses = { { address = address } }
    local refused = { address = address, reason = "refused", why = "the other end refused" }
    node:raise("dial", refused)
    node:raise("dial", refused)
    node:raise("dial", { address = address, reason = "timeout", why = "no answer in time" })
    assert.same({ "* cannot connect to 127.0.0.1:7001: the other end refused; trying again",
      "* cannot connect to 127.0.0.1:7001: no answer in time; trying again" }, said)
    node:raise("link:up", { peer = bob, name = "bob", address = address })
    node:raise("dial", refused)
    assert.equal(4, #said)
  end)

  it("shows messages and notes", function()
    node:raise("message", message())
    node:raise("note", { text = "your clock is far off" })
    assert.truthy(said[1]:find("bob: hello$"))
    assert.equal("* your clock is far off", said[2])
  end)

  it("leave out light messages unless somebody asked for them", function()
    node:raise("message", message { durable = false })
    node:raise("message", message { durable = false, broadcast = true })
    assert.same({}, said)
    session.settings.light = true
    node:raise("message", message { durable = false })
    assert.equal(1, #said)
  end)

  it("leave out how the network changes when nobody wants to know, but no message", function()
    session.settings.news = false
    node:raise("link:up", { peer = bob, name = "bob", address = address })
    node:raise("peer:up", { peer = eva, name = "eva", hops = 2, via = bob })
    link_down("closed")
    helper.turn()
    assert.same({}, said)
    node:raise("message", message())
    node:raise("note", { text = "your clock is far off" })
    assert.equal(2, #said)
  end)

  it("leave out the links that end because this node leaves", function()
    session.program.is_over = true
    link_down("closed")
    node:raise("message", message())
    assert.equal(1, #said)
  end)

  it("show nothing any more once they are off", function()
    watching:off()
    node:raise("link:up", { peer = bob, name = "bob", address = address })
    node:raise("message", message())
    node:raise("note", { text = "your clock is far off" })
    node:raise("state", helper.message { state = "refused" })
    helper.turn()
    assert.same({}, said)
  end)

  it("have styles: news faint, bad ends as errors, messages their own", function()
    node:raise("link:up", { peer = bob, name = "bob", address = address })
    node:raise("message", message())
    node:raise("state", helper.message { state = "refused" })
    node:raise("state", helper.message { state = "delivered" })
    helper.turn()
    assert.same({ "notice", "message", "error", "notice" }, styles)
  end)

  -- The message changes, as the node tells it, and a turn goes by.
  local function change(m, state, fields)
    m.state = state
    for k, v in pairs(fields or {}) do m[k] = v end
    node:raise("state", m)
    helper.turn()
  end

  it("tells of messages that ended badly", function()
    local m = helper.message()
    change(m, "refused", { why = "a limit is reached" })
    m.why = nil
    change(m, "expired")
    change(m, "lost", { why = "the disk is full" })
    change(m, "cancelled")
    assert.same({ "* message 18d2c to eva was refused: a limit is reached",
      "* message 18d2c to eva has expired: expired", "* message 18d2c to eva is lost: the disk is full" }, said)
  end)

  it("tells that a message which waited was carried and delivered, each once", function()
    local m = helper.message()
    change(m, "carried", { by_name = "bob", carriers = 1 })
    change(m, "carried", { carriers = 2 })
    change(m, "sent")
    change(m, "carried")
    change(m, "sent")
    change(m, "delivered")
    assert.same({ "* message 18d2c to eva is carried by bob", "* message 18d2c to eva was delivered" }, said)
  end)

  it("tells that a message of an earlier run was delivered", function()
    change(helper.message(), "sent")
    change(helper.message(), "delivered")
    assert.same({ "* message 18d2c to eva was delivered" }, said)
  end)

  it("leaves a message that a command waits for to the command", function()
    local m = helper.message()
    sending[m.id] = true
    for _, state in ipairs { "queued", "sent", "delivered", "refused" } do change(m, state) end
    assert.same({}, said)
  end)

  it("leaves a message that has a mark on the screen to the mark", function()
    local m = helper.message()
    showing[m.id] = true
    for _, state in ipairs { "carried", "delivered", "refused" } do change(m, state) end
    assert.same({}, said)
  end)

  it("goes on from what a command has told", function()
    local m = helper.message { accepted = os.time() + 1 }
    session.waiting.on_told(m.id, "queued")
    change(m, "sent")
    change(m, "delivered")
    local other = helper.message { id = 0x18d2d, accepted = os.time() + 1 }
    session.waiting.on_told(other.id, "delivered")
    change(other, "delivered")
    assert.same({ "* message 18d2c to eva was delivered" }, said)
  end)

  it("keeps quiet about what scripts send", function()
    local m = helper.message { accepted = os.time() + 1 }
    for _, state in ipairs { "queued", "carried", "delivered", "refused" } do change(m, state) end
    assert.same({}, said)
  end)

  it("does not tell that what went at once was delivered", function()
    local m = helper.message()
    sending[m.id] = true
    change(m, "sent")
    sending[m.id] = nil
    change(m, "delivered")
    assert.same({}, said)
  end)

  it("tells of it when the way was lost meanwhile, or when the command saw it wait", function()
    local m, other = helper.message(), helper.message { id = 0x18d2d }
    sending[m.id], sending[other.id] = true, true
    change(m, "sent")
    change(other, "queued")
    sending = {}
    change(m, "queued")
    change(m, "sent")
    change(m, "delivered")
    helper.turn(1000)
    change(other, "sent")
    change(other, "delivered")
    assert.same({ "* message 18d2c to eva was delivered", "* message 18d2d to eva was delivered" }, said)
  end)

  it("does not tell that a message to oneself was delivered", function()
    change(helper.message { to = node.id, name = "ana" }, "delivered")
    assert.same({}, said)
  end)

  it("counts a crowd of messages, a line a second", function()
    for id = 1, 10 do node:raise("state", helper.message { id = id, state = "delivered" }) end
    helper.turn()
    for id = 11, 20 do node:raise("state", helper.message { id = id, state = "delivered" }) end
    helper.turn(900)
    for id = 21, 30 do node:raise("state", helper.message { id = id, state = "delivered" }) end
    helper.turn(100)
    helper.turn(1000)
    change(helper.message(), "delivered")
    assert.same({ "* 10 messages were delivered", "* 20 messages were delivered",
      "* message 18d2c to eva was delivered" }, said)
  end)
end)
