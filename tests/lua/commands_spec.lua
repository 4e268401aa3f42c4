local helper = require "tests.lua.helper"
local commands = require "moth.commands"

local bob, eva = helper.id("bbbb2222"), helper.id("eeee3333")
local address = "127.0.0.1:7001"

describe("the command", function()
  local node, sh, out

  before_each(function()
    helper.reset()
    node = helper.node {
      { name = "bob", start = "bbbb2222", hops = 1, via = bob, linked = true, rtt_ms = 2, address = address },
      { name = "eva", start = "eeee3333", hops = 2, via = bob },
    }
    sh, out = helper.shell(node, true)
  end)

  -- What was said after the line has run.
  local function answer(line)
    sh:feed(line)
    return table.concat(out.said)
  end

  describe("connect", function()
    local function link_up()
      node.addresses[1].linked, node.addresses[1].peer = true, bob
    end

    it("waits for the link and for what is behind it", function()
      node.synced = false
      assert.equal("", answer("connect 127.0.0.1 7001"))
      assert.equal(address, node.addresses[1].address)
      link_up()
      helper.turn()
      assert.same({}, out.said)
      node.synced = true
      helper.turn()
      assert.same({ "linked to bob (bbbb2222) at 127.0.0.1:7001\n" }, out.said)
    end)

    it("tells of the link alone, even where a name was dialled", function()
      sh:feed("connect localhost:7001")
      link_up()
      node:raise("link:up", { peer = bob, name = "bob", address = address })
      node:raise("link:up", { peer = eva, name = "eva", address = "127.0.0.1:7002" })
      helper.turn()
      assert.same({ "* eva is linked (127.0.0.1:7002)\n", "linked to bob (bbbb2222) at localhost:7001\n" }, out.said)
    end)

    it("waits a second at most for what is behind the link", function()
      node.synced = false
      sh:feed("connect " .. address)
      link_up()
      helper.turn()
      helper.turn(999)
      assert.same({}, out.said)
      helper.turn(1)
      assert.equal(1, #out.said)
    end)

    it("puts an IPv6 address in brackets", function()
      sh:feed("connect ::1 7001")
      assert.equal("[::1]:7001", node.addresses[1].address)
    end)

    it("is content with a link that is there", function()
      node:connect(address)
      link_up()
      assert.equal("already linked to bob (bbbb2222) at 127.0.0.1:7001\n", answer("connect " .. address))
      assert.equal(1, #node.addresses)
    end)

    it("tells why it failed, and that it goes on trying", function()
      sh:feed("connect " .. address)
      node:raise("dial", { address = address, reason = "refused", why = "the other end refused" })
      helper.turn()
      assert.same({ "cannot connect to 127.0.0.1:7001: the other end refused; trying again in the \n  background "
        .. "(disconnect 127.0.0.1:7001 stops it)\n" }, out.said)
    end)

    it("does not promise to go on when the node does not", function()
      sh:feed("connect " .. address)
      node.addresses = {}
      node:raise("dial", { address = address, reason = "self", why = "that is this node itself" })
      helper.turn()
      assert.same({ "cannot connect to 127.0.0.1:7001: that is this node itself\n" }, out.said)
    end)

    it("gives up after six seconds", function()
      sh:feed("connect " .. address)
      helper.turn(5990)
      assert.same({}, out.said)
      helper.turn(10)
      assert.truthy(out.said[1]:find("no answer so far; trying again in the \n  background", 1, true))
    end)

    it("refuses what is no address", function()
      assert.equal("an address is HOST:PORT\n", answer("connect nonsense"))
    end)
  end)

  describe("disconnect", function()
    it("ends a link", function()
      assert.equal("disconnected from bob\n", answer("disconnect bob"))
      assert.same({ bob }, node.disconnected)
    end)

    it("waits until the link is down, and is the only one to tell", function()
      node.is_slow_to_part = true
      sh:feed("disconnect bob")
      helper.turn(500)
      assert.same({}, out.said)
      node.known[1].linked = false
      node:raise("link:down", { peer = bob, name = "bob", why = "the other end said goodbye" })
      helper.turn()
      assert.same({ "disconnected from bob\n" }, out.said)
      node:raise("link:down", { peer = bob, name = "bob", why = "closed" })
      assert.equal("* bob is gone: closed\n", out.said[2])
    end)

    it("waits a second at most for that", function()
      node.is_slow_to_part = true
      sh:feed("disconnect bob")
      helper.turn(999)
      assert.same({}, out.said)
      helper.turn(1)
      assert.same({ "disconnected from bob\n" }, out.said)
    end)

    it("ends a link that came from outside by the address the list shows", function()
      assert.equal("disconnected from bob\n", answer("disconnect " .. address))
      assert.same({ bob }, node.disconnected)
    end)

    it("says that there is no link", function()
      node.refuses_disconnect = "not_linked"
      assert.equal("there is no direct link to eva\n", answer("disconnect eva"))
    end)

    it("stops dialling an address", function()
      node:connect(address)
      assert.equal("no longer connecting to 127.0.0.1:7001\n", answer("disconnect " .. address))
      assert.same({ address }, node.disconnected)
    end)

    it("ends the link to an address", function()
      node:connect(address)
      node.addresses[1].linked, node.addresses[1].peer = true, bob
      assert.equal("disconnected from bob\n", answer("disconnect " .. address))
    end)

    it("says that nothing is connected there", function()
      node.known[1].linked = false
      node.refuses_disconnect = "not_found"
      assert.equal("nothing is connected to 127.0.0.1:7001\n", answer("disconnect " .. address))
    end)
  end)

  describe("send", function()
    local function after_a_turn(line)
      sh:feed(line)
      helper.turn()
      return table.concat(out.said)
    end

    -- What is said when the message is on the disk and stands like this.
    local function once(state, fields)
      node.next_message = { state = "pending" }
      sh:feed("send eva hello")
      node.sent[1].state = state
      for k, v in pairs(fields or {}) do node.sent[1][k] = v end
      helper.turn()
      return table.concat(out.said)
    end

    it("shows how the message stands once it is on the disk", function()
      node.next_message = { state = "pending" }
      assert.equal("", after_a_turn("send eva hello"))
      assert.equal(eva, node.sent[1].to)
      node.sent[1].state = "sent"
      helper.turn()
      assert.equal("to eva: sent (id 18d2c)\n", table.concat(out.said))
    end)

    it("says that it waits for a route", function()
      assert.equal("to eva: queued: there is no route to eva now (id 18d2c)\n",
        once("queued", { reason = "unreachable", why = "there is no route to that peer" }))
    end)

    it("says what else it waits for", function()
      assert.equal("to eva: queued: the next link cannot keep up (id 18d2c)\n",
        once("queued", { reason = "slow", why = "the next link cannot keep up" }))
    end)

    it("names the carrier", function()
      assert.equal("to eva: carried by bob (id 18d2c)\n", once("carried", { by_name = "bob", carriers = 1 }))
    end)

    it("tells of the delivery alone when that comes at once", function()
      node.next_message = { state = "pending" }
      sh:feed("send eva hello")
      node.sent[1].state = "delivered"
      node:raise("state", node.sent[1])
      helper.turn()
      helper.turn(5000)
      assert.same({ "to eva: delivered (id 18d2c)\n" }, out.said)
    end)

    it("leaves what comes later to a notice", function()
      once("queued")
      node.sent[1].state = "delivered"
      node:raise("state", node.sent[1])
      helper.turn()
      assert.same({ "to eva: queued (id 18d2c)\n", "* message 18d2c to eva was delivered\n" }, out.said)
    end)

    it("waits two seconds at most for the disk", function()
      node.next_message = { state = "pending" }
      sh:feed("send eva hello")
      helper.turn(1990)
      assert.same({}, out.said)
      helper.turn(10)
      assert.same({ "to eva: not on the disk yet (id 18d2c)\n" }, out.said)
    end)

    it("fails when the disk failed", function()
      assert.equal("to eva: lost: the disk is full (id 18d2c)\n",
        once("lost", { reason = "no_space", why = "the disk is full" }))
    end)

    it("says how to write to somebody who is blocked", function()
      node.refuses, node.refuses_code = "that peer is blocked", "unwanted"
      assert.equal("eva is blocked; unblock eva first\n", after_a_turn("send eva hello"))
    end)

    it("fails when the message ended badly", function()
      node.next_message = { state = "refused", why = "a limit is reached" }
      sh, out = helper.shell(node)
      after_a_turn("send eva hello")
      assert.same({ "line 1: to eva: refused: a limit is reached (id 18d2c)\n" }, out.complained)
    end)

    it("passes on why the node does not take it", function()
      node.refuses = "a limit is reached"
      assert.equal("a limit is reached\n", after_a_turn("send eva hello"))
    end)

    it("can be sent to oneself", function()
      node.next_message = { state = "delivered" }
      assert.equal("to ana: delivered (id 18d2c)\n", after_a_turn("send ana note"))
    end)

    it("suggests the nearest name", function()
      assert.equal('no peer "bbo" is known; did you mean bob?\n', answer("send bbo hello"))
      assert.equal(0, #node.sent)
    end)

    it("says where the names are", function()
      assert.equal("no peer \"xyz\" is known; 'list' shows who is\n", answer("send xyz hello"))
    end)

    it("passes on that several peers match", function()
      node.resolve = function() return nil, "several peers match; give more digits of the id", "ambiguous" end
      assert.equal("several peers match; give more digits of the id\n", answer("send bbbb hello"))
    end)
  end)

  describe("queue", function()
    it("says exactly this when nothing waits", function()
      assert.equal("nothing waiting\n", answer("queue"))
      assert.equal("nothing waiting\n", answer("queue eva"):sub(#"nothing waiting\n" + 1))
    end)

    it("shows all, or those for one peer", function()
      node.mail = { helper.message(), helper.message { id = 0xb0b, to = bob, name = "bob" } }
      local all = answer("queue")
      assert.truthy(all:find("\n18d2c  eva", 1, true) and all:find("\nb0b ", 1, true))
      out.said[1] = nil
      local some = answer("queue bob")
      assert.truthy(some:find("\nb0b ", 1, true))
      assert.is_nil(some:find("18d2c", 1, true))
    end)

    it("does not know everybody", function()
      assert.equal("no peer \"evo\" is known; did you mean eva?\n", answer("queue evo"))
    end)
  end)

  describe("message", function()
    it("shows one, by the id that send printed", function()
      node.mail = { helper.message() }
      assert.truthy(answer("message 18D2C"):find("^id +18d2c\nto +eva %(eeee3333%)\nstate +queued\n"))
    end)

    it("shows one that has ended", function()
      node.mail = { helper.message { state = "refused", reason = "full", why = "a limit is reached" } }
      assert.truthy(answer("message 18d2c"):find("state +refused: a limit is reached\n"))
    end)

    it("says where the ids are", function()
      assert.equal("no message 18d2c was sent from here, or it is forgotten; 'queue' shows which\n  wait\n",
        (answer("message 18d2c"):gsub(" \n", "\n")))
      for _, wrong in ipairs { "eva", "-1", "0x1", "1.5", "18d2c18d2c18d2c18" } do
        out.said[1] = nil
        assert.equal(("\"%s\" is no message id; 'queue' shows which wait\n"):format(wrong), answer("message " .. wrong))
      end
    end)
  end)

  describe("cancel", function()
    it("ends a message that waits", function()
      node.mail = { helper.message() }
      assert.equal("message 18d2c to eva is cancelled\n", answer("cancel 18d2c"))
      assert.equal("cancelled", node.mail[1].state)
    end)

    it("says what can happen all the same", function()
      node.mail = { helper.message { state = "carried", by_name = "bob", carriers = 1, tries = 1 },
        helper.message { id = 7, state = "sent", tries = 1 }, helper.message { id = 8, state = "sent", carriers = 1 } }
      for _, id in ipairs { "18d2c", "7", "8" } do sh:feed("cancel " .. id) end
      assert.same({ "message 18d2c to eva is cancelled; bob holds a copy and may still deliver it\n",
        "message 7 to eva is cancelled; it is on its way and may still arrive\n",
        "message 8 to eva is cancelled; a carrier holds a copy and may still deliver it\n" }, out.said)
    end)

    it("cannot undo what has ended", function()
      node.mail = { helper.message { state = "delivered" },
        helper.message { id = 7, state = "expired", reason = "expired", why = "its time to live is over" } }
      sh:feed("cancel 18d2c")
      sh:feed("cancel 7")
      assert.same({ "message 18d2c to eva was delivered already: it cannot be cancelled\n",
        "message 7 to eva has ended already: expired\n" }, out.said)
    end)

    it("does not know every id", function()
      assert.truthy(answer("cancel abc"):find("^no message abc was sent from here"))
    end)

    it("passes on what else is wrong", function()
      node.mail = { helper.message() }
      node.cancel = function() return nil, "this node is closing", "shutdown" end
      assert.equal("this node is closing\n", answer("cancel 18d2c"))
    end)
  end)

  describe("history", function()
    before_each(function()
      node.entries = { { ours = false, name = "eva", type = "text", encoding = "text", data = "hi", time = 0 } }
    end)

    it("shows the last twenty", function()
      assert.truthy(answer("history"):find("^%[%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d%] eva: hi\n$"))
      assert.same({ nil, 20 }, node.asked)
    end)

    it("takes a peer, a number, or both", function()
      sh:feed("history eva")
      assert.same({ eva, 20 }, node.asked)
      sh:feed("history 7")
      assert.same({ nil, 7 }, node.asked)
      sh:feed("history 10000")
      assert.same({ nil, 10000 }, node.asked)
      sh:feed("history bob 10000")
      assert.same({ bob, 10000 }, node.asked)
    end)

    it("takes a number for a peer when there is one of that name", function()
      node.known[2].name = "7"
      sh:feed("history 7")
      assert.same({ eva, 20 }, node.asked)
    end)

    it("refuses other numbers", function()
      for _, wrong in ipairs { "eva 0", "eva x", "eva 10001", "eva -1", "eva 1.5" } do
        out.said[1] = nil
        assert.equal("N is a whole number from 1 to 10,000\n", answer("history " .. wrong))
      end
    end)

    it("does not know everybody", function()
      assert.equal("no peer \"evo\" is known; did you mean eva?\n", answer("history evo"))
      out.said[1] = nil
      assert.equal("no peer \"7\" is known; 'list' shows who is\n", answer("history 7 7"))
    end)

    it("passes on that the disk cannot be read", function()
      node.refuses = "the database cannot be read now"
      assert.equal("the database cannot be read now\n", answer("history"))
    end)
  end)

  describe("alias", function()
    it("gives a peer a name, lists it, and takes it away", function()
      sh:feed("alias eva sis")
      sh:feed("alias")
      sh:feed("unalias sis")
      sh:feed("alias")
      assert.same({ "eva (eeee3333) is sis from now on\n", "ALIAS  ID        CALLS ITSELF\nsis    eeee3333  eva\n",
        "sis is eva (eeee3333) again\n", "no aliases; this gives one: alias PEER NAME\n" }, out.said)
    end)

    it("needs both words", function()
      assert.equal("usage: alias PEER NAME\n", answer("alias eva"))
    end)

    it("passes on why not", function()
      node.refuses = "another peer, or this node, has that name"
      assert.equal("another peer, or this node, has that name\n", answer("alias eva bob"))
    end)

    it("does not know everybody, nor aliases that nobody gave", function()
      assert.equal("no peer \"kim\" is known; 'list' shows who is\n", answer("alias kim k"))
      out.said[1] = nil
      assert.equal("no peer \"kim\" is known; 'list' shows who is\n", answer("unalias kim"))
      out.said[1] = nil
      assert.equal("eva has no alias\n", answer("unalias eva"))
    end)
  end)

  describe("block", function()
    it("keeps a peer out until it is unblocked", function()
      sh:feed("block eva")
      assert.is_true(node.known[2].blocked)
      sh:feed("unblock eva")
      assert.is_false(node.known[2].blocked)
      assert.same({ "eva is blocked: no link, and what comes from there is refused\n", "eva is no longer blocked\n" },
        out.said)
    end)

    it("passes on why not", function()
      node.refuses = "that is this node itself"
      assert.equal("that is this node itself\n", answer("block ana"))
    end)

    it("says that nothing was blocked", function()
      assert.equal("eva is not blocked\n", answer("unblock eva"))
      out.said[1] = nil
      assert.equal("ana is not blocked\n", answer("unblock ana"))
    end)

    it("does not know everybody", function()
      sh:feed("block kim")
      sh:feed("unblock kim")
      local unknown = "no peer \"kim\" is known; 'list' shows who is\n"
      assert.same({ unknown, unknown }, out.said)
    end)
  end)

  describe("trace", function()
    it("shows the path", function()
      node.paths[eva] = { node.id, bob, eva }
      assert.truthy(answer("trace eva"):find("\n1  bob (bbbb2222)  2.0 ms\n2  eva (eeee3333)\n", 1, true))
    end)

    it("says that there is none", function()
      assert.equal("there is no route to eva now\n", answer("trace eva"))
    end)

    it("does not know everybody", function()
      assert.equal("no peer \"kim\" is known; 'list' shows who is\n", answer("trace kim"))
    end)
  end)

  describe("graph", function()
    it("draws in DOT and in nothing else", function()
      assert.truthy(answer("graph dot"):find("^graph moth {\n"))
      out.said[1] = nil
      assert.equal("usage: graph dot\n", answer("graph png"))
      out.said[1] = nil
      assert.equal("usage: graph dot\n", answer("graph"))
    end)
  end)

  it("id shows name, full id and address", function()
    assert.equal("name     ana\nid       " .. node.id .. "\naddress  127.0.0.1:6684\n", answer("id"))
    node.address, out.said[1] = "", nil
    assert.truthy(answer("id"):find("address  not listening\n", 1, true))
  end)

  for _, name in ipairs { "list", "status", "routes" } do
    it(name .. " prints something", function()
      assert.truthy(answer(name):find("%w"))
    end)
  end

  describe("help", function()
    it("lists every command in 80 columns", function()
      local text = answer("help")
      for _, command in ipairs(commands.list) do assert.truthy(text:find(command.usage, 1, true)) end
      assert.truthy(text:find("exit", 1, true))
      for line in text:gmatch("[^\n]+") do assert.is_true(#line <= 80, line) end
    end)

    it("explains one", function()
      assert.equal("quit, exit  say goodbye and end\nusage       quit\nexample     quit\n", answer("help exit"))
    end)

    it("suggests the nearest", function()
      assert.equal('unknown command "sned"; did you mean send?\n', answer("help sned"))
    end)

    it("explains what scripts see", function()
      assert.truthy(answer("help node.send"):find("^node:send%(peer, data %[, options%]%)"))
    end)

    it("suggests the nearest of that, when no command is near", function()
      assert.equal('nothing is called "node.sned"; did you mean node.send?\n', answer("help node.sned"))
    end)

    it("finds by its last word what belongs to something", function()
      assert.equal('nothing is called "request"; did you mean node.request?\n', answer("help request"))
    end)

    it("has nothing to say of anything else", function()
      assert.equal('unknown command "nothing.like.it"; help shows all\n', answer("help nothing.like.it"))
    end)
  end)

  it("is unknown and long, and its name is cut", function()
    local text = answer(("x"):rep(5000))
    assert.is_true(#text < 100)
  end)
end)

describe("every command", function()
  it("has an example that fits its own usage", function()
    for _, command in ipairs(commands.list) do
      assert.equal(command, commands.find(command.example:match("^%S+")))
      assert.is_true(command.least <= command.most)
    end
  end)
end)
