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

    it("shows how the message stands after a turn", function()
      assert.equal("to eva: sent (id 18d2c)\n", after_a_turn("send eva hello"))
      assert.equal(eva, node.sent[1].to)
    end)

    it("says that it waits for a route", function()
      node.known[2].up, node.next_message = false, { state = "pending" }
      assert.equal("to eva: waiting: there is no route to eva now (id 18d2c)\n", after_a_turn("send eva hello"))
    end)

    it("says what else it waits for", function()
      node.next_message = { state = "pending", why = "the next link cannot keep up" }
      assert.equal("to eva: pending: the next link cannot keep up (id 18d2c)\n", after_a_turn("send eva hello"))
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
      node.next_message = { state = "pending" }
      assert.equal("to ana: pending (id 18d2c)\n", after_a_turn("send ana note"))
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
