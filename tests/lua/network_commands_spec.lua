local helper = require "tests.lua.helper"
local fake_shell = require "tests.lua.fake_shell"

local bob, eva = helper.id("bbbb2222"), helper.id("eeee3333")
local address = "127.0.0.1:7001"

describe("the command", function()
  local node, sh

  before_each(function()
    helper.reset()
    node = helper.node {
      { name = "bob", start = "bbbb2222", hops = 1, via = bob, linked = true, rtt_ms = 2, address = "127.0.0.1:7001" },
      { name = "eva", start = "eeee3333", hops = 2, via = bob },
    }
    sh = fake_shell.new(node)
  end)

  -- What it says, and what JSON gets.
  local function answer(line)
    return sh:run(line)
  end

  -- Why it fails, and in a word.
  local function failure(line)
    local result = sh:start(line)
    assert.is_true(result.is_over)
    assert.is_false(result.ok)
    return result.text, result.code
  end

  describe("connect", function()
    local function link_up()
      node.addresses[1].linked, node.addresses[1].peer = true, bob
    end

    it("waits for the link and for what is behind it", function()
      node.synced = false
      local result = sh:start("connect 127.0.0.1 7001")
      assert.equal(address, node.addresses[1].address)
      link_up()
      helper.turn()
      assert.is_false(result.is_over)
      node.synced = true
      helper.turn()
      assert.equal("linked to bob (bbbb2222) at 127.0.0.1:7001", result.text)
      assert.same({ peer = bob, name = "bob", address = address }, result.value)
    end)

    it("is the only one to tell of the link, even where a name was dialled", function()
      sh:start("connect localhost:7001")
      link_up()
      assert.is_true(sh.waiting:is_awaited { peer = bob, address = address })
      assert.is_false(sh.waiting:is_awaited { peer = eva, address = "127.0.0.1:7002" })
    end)

    it("waits a second at most for what is behind the link", function()
      node.synced = false
      local result = sh:start("connect " .. address)
      link_up()
      helper.turn()
      helper.turn(999)
      assert.is_false(result.is_over)
      helper.turn(1)
      assert.is_true(result.ok)
    end)

    it("puts an IPv6 address in brackets", function()
      sh:start("connect ::1 7001")
      assert.equal("[::1]:7001", node.addresses[1].address)
    end)

    it("is content with a link that is there", function()
      node:connect(address)
      link_up()
      assert.equal("already linked to bob (bbbb2222) at 127.0.0.1:7001", (answer("connect " .. address)))
      assert.equal(1, #node.addresses)
    end)

    it("tells why it failed, and that it goes on trying", function()
      local result = sh:start("connect " .. address)
      node.addresses[1].reason = "refused"
      node:raise("dial", { address = address, reason = "refused", why = "the other end refused" })
      helper.turn()
      assert.equal("cannot connect to 127.0.0.1:7001: the other end refused; trying again in the background "
        .. "(disconnect 127.0.0.1:7001 stops it)", result.text)
      assert.equal("refused", result.code)
    end)

    it("does not promise to go on when the node does not", function()
      local result = sh:start("connect " .. address)
      node.addresses = {}
      node:raise("dial", { address = address, reason = "self", why = "that is this node itself" })
      helper.turn()
      assert.equal("cannot connect to 127.0.0.1:7001: that is this node itself", result.text)
      assert.equal("failed", result.code)
    end)

    it("gives up after six seconds", function()
      local result = sh:start("connect " .. address)
      helper.turn(5990)
      assert.is_false(result.is_over)
      helper.turn(10)
      assert.truthy(result.text:find("no answer so far; trying again in the background", 1, true))
      assert.equal("timeout", result.code)
    end)

    it("refuses what is no address", function()
      assert.equal("an address is HOST:PORT", (answer("connect nonsense")))
    end)
  end)

  describe("disconnect", function()
    it("ends a link", function()
      assert.equal("disconnected from bob", (answer("disconnect bob")))
      assert.same({ bob }, node.disconnected)
    end)

    it("waits until the link is down, and is the only one to tell", function()
      node.is_slow_to_part = true
      local result = sh:start("disconnect bob")
      helper.turn(500)
      assert.is_false(result.is_over)
      assert.is_true(sh.waiting:is_parting { peer = bob })
      node.known[1].linked = false
      helper.turn()
      assert.equal("disconnected from bob", result.text)
      assert.is_false(sh.waiting:is_parting { peer = bob })
    end)

    it("waits a second at most for that", function()
      node.is_slow_to_part = true
      local result = sh:start("disconnect bob")
      helper.turn(999)
      assert.is_false(result.is_over)
      helper.turn(1)
      assert.equal("disconnected from bob", result.text)
    end)

    it("ends a link that came from outside by the address the list shows", function()
      assert.equal("disconnected from bob", (answer("disconnect " .. address)))
      assert.same({ bob }, node.disconnected)
    end)

    it("says that there is no link", function()
      node.refuses_disconnect = "not_linked"
      assert.equal("there is no direct link to eva", (answer("disconnect eva")))
    end)

    it("stops dialling an address", function()
      node:connect(address)
      assert.equal("no longer connecting to 127.0.0.1:7001", (answer("disconnect " .. address)))
      assert.same({ address }, node.disconnected)
    end)

    it("ends the link to an address", function()
      node:connect(address)
      node.addresses[1].linked, node.addresses[1].peer = true, bob
      assert.equal("disconnected from bob", (answer("disconnect " .. address)))
    end)

    it("says that nothing is connected there", function()
      node.known[1].linked = false
      node.refuses_disconnect = "not_found"
      assert.equal("nothing is connected to 127.0.0.1:7001", (answer("disconnect " .. address)))
    end)
  end)

  describe("list", function()
    it("has the nearest first, in JSON too", function()
      local text, value = answer("list")
      assert.truthy(text:find("\nbob +bbbb2222.*\neva +eeee3333"))
      assert.same({ id = bob, name = "bob", claimed = "bob", linked = true, up = true, blocked = false, inbound = false,
        hops = 1, via = bob, rtt_ms = 2, address = address, unread = 0 }, value[1])
      assert.is_nil(value[2].address)
    end)

    it("counts what nobody has seen", function()
      sh.unread[eva] = 3
      local text, value = answer("list")
      assert.truthy(text:find("UNREAD", 1, true))
      assert.equal(3, value[2].unread)
    end)
  end)

  it("routes names the next hop", function()
    local text, value = answer("routes")
    assert.equal("PEER  HOPS  VIA\nbob      1  -\neva      2  bob", text)
    assert.same({ id = eva, name = "eva", hops = 2, via = bob, via_name = "bob" }, value[2])
  end)

  describe("alias", function()
    it("gives a peer a name, lists it, and takes it away", function()
      local text, value = answer("alias eva sis")
      assert.equal("eva (eeee3333) is sis from now on", text)
      assert.same({ peer = eva, name = "sis" }, value)
      text, value = answer("alias")
      assert.equal("ALIAS  ID        CALLS ITSELF\nsis    eeee3333  eva", text)
      assert.same({ peer = eva, name = "sis", claimed = "eva" }, value[1])
      text, value = answer("unalias sis")
      assert.equal("sis is eva (eeee3333) again", text)
      assert.same({ peer = eva, name = "eva" }, value)
      assert.equal("no aliases; this gives one: alias PEER NAME", (answer("alias")))
    end)

    it("needs both words", function()
      assert.equal("usage: alias PEER NAME", (answer("alias eva")))
    end)

    it("passes on why not", function()
      node.refuses = "another peer, or this node, has that name"
      assert.equal("another peer, or this node, has that name", (answer("alias eva bob")))
    end)

    it("does not know everybody, nor aliases that nobody gave", function()
      assert.equal("no peer \"kim\" is known; 'list' shows who is", (answer("alias kim k")))
      assert.equal("no peer \"kim\" is known; 'list' shows who is", (answer("unalias kim")))
      assert.equal("eva has no alias", (answer("unalias eva")))
    end)
  end)

  describe("block", function()
    it("keeps a peer out until it is unblocked", function()
      local text, value = answer("block eva")
      assert.equal("eva is blocked: no link, and what comes from there is refused", text)
      assert.same({ peer = eva, name = "eva", blocked = true }, value)
      assert.is_true(node.known[2].blocked)
      text, value = answer("unblock eva")
      assert.equal("eva is no longer blocked", text)
      assert.is_false(value.blocked)
      assert.is_false(node.known[2].blocked)
    end)

    it("passes on why not", function()
      node.refuses = "that is this node itself"
      assert.equal("that is this node itself", (answer("block ana")))
    end)

    it("says that nothing was blocked", function()
      assert.equal("eva is not blocked", (answer("unblock eva")))
      assert.equal("ana is not blocked", (answer("unblock ana")))
    end)

    it("does not know everybody", function()
      local unknown = "no peer \"kim\" is known; 'list' shows who is"
      assert.same({ unknown, "unknown_peer" }, { failure("block kim") })
      assert.same({ unknown, "unknown_peer" }, { failure("unblock kim") })
    end)
  end)

  describe("trace", function()
    it("shows the path", function()
      node.paths[eva] = { node.id, bob, eva }
      local text, value = answer("trace eva")
      assert.truthy(text:find("\n1  bob (bbbb2222)  2.0 ms\n2  eva (eeee3333)", 1, true))
      assert.same({ { hop = 0, id = node.id, name = "ana" }, { hop = 1, id = bob, name = "bob", rtt_ms = 2 },
        { hop = 2, id = eva, name = "eva" } }, { value[1], value[2], value[3] })
    end)

    it("says that there is none", function()
      assert.equal("there is no route to eva now", (answer("trace eva")))
    end)

    it("does not know everybody", function()
      assert.equal("no peer \"kim\" is known; 'list' shows who is", (answer("trace kim")))
    end)
  end)

  describe("graph", function()
    before_each(function() node.links = { { a = eva, b = bob }, { a = node.id, b = bob } } end)

    it("draws in text", function()
      assert.equal("ana (you)\n`-- bob\n    `-- eva", (answer("graph")))
    end)

    it("draws in DOT and in nothing else", function()
      assert.truthy((answer("graph dot")):find("^graph moth {\n"))
      assert.same({ "usage: graph [dot]", "usage" }, { failure("graph png") })
    end)

    it("has nodes and edges in JSON", function()
      for _, line in ipairs { "graph", "graph dot" } do
        local _, value = answer(line)
        assert.same({ { id = node.id, name = "ana" }, { id = bob, name = "bob" }, { id = eva, name = "eva" } },
          value.nodes)
        assert.same({ { a = node.id, b = bob }, { a = bob, b = eva } }, value.edges)
      end
    end)
  end)
end)
