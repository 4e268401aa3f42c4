local helper = require "tests.lua.helper"
require "tests.lua.fakes"
local events = require "moth.events"
local peer_commands = require "moth.peer_commands"
local service = require "moth.service"
local task = require "moth.task"
local waiting = require "moth.waiting"

local ana, bob, eva = helper.id "aaaa1111", helper.id "bbbb2222", helper.id "eeee3333"
local address = "127.0.0.1:7001"
local line = "moth1:AQABAgM"

local by_name = {}
for _, command in ipairs(peer_commands.list) do by_name[command.name] = command end

describe("the command", function()
  local node, shell, said, running

  before_each(function()
    helper.reset()
    node = helper.node {
      { name = "bob", start = "bbbb2222", hops = 1, via = bob, linked = true, inbound = true, rtt_ms = 2.5,
        address = address },
      { name = "eva", start = "eeee3333", hops = 2, via = bob },
      { name = "kim", start = "1111ffff", up = false },
    }
    node.bus, node.requests, said = events.new(), {}, {}
    node.paths[eva], node.paths[bob] = { ana, bob, eva }, { ana, bob }
    function node:request(to, name)
      if self.refuses_request then return nil, "refused: " .. self.refuses_request, self.refuses_request end
      self.requests[#self.requests + 1] = { to = to, name = name, id = 0x500 + #self.requests }
      return self.requests[#self.requests].id
    end
    function node:count_discard(word) self.discarded[#self.discarded + 1] = word end
    shell = { node = node, hub = { service = service.new(node) }, width = 80, waiting = waiting.new(node) }
    function shell:say(text) said[#said + 1] = text end
  end)

  -- Runs it until it waits; what it returned, in the end.
  local function start(name, ...)
    local results = {}
    local words = table.pack(...)
    running = task.spawn(function()
      table.move(table.pack(by_name[name].run(shell, table.unpack(words, 1, words.n))), 1, 3, 1, results)
    end)
    helper.turn()
    return results
  end

  it("has all that a command needs", function()
    local groups = { talk = true, network = true, node = true, scripts = true, shell = true }
    for _, command in ipairs(peer_commands.list) do
      assert.truthy(groups[command.group])
      assert.truthy(command.usage:find(command.name, 1, true) == 1)
      assert.truthy(command.example:find(command.name, 1, true) == 1)
      assert.truthy(command.help and command.least <= command.most and #command.help <= 60)
    end
  end)

  describe("invite", function()
    local about

    before_each(function()
      about = { address = "9.9.9.9:7001", reach = "anywhere", has_network_key = false }
      function node.invite() return line, about end
    end)

    it("says nothing but the line when anybody can use it", function()
      local said_value = { invitation = line, address = "9.9.9.9:7001", reach = "anywhere", has_network_key = false }
      assert.same({ line, said_value }, start "invite")
    end)

    it("leaves the line alone on its own line, the last", function()
      about.reach, about.address, about.has_network_key = "machine", "127.0.0.1:7001", true
      shell.width = 40
      local text = start("invite")[1]
      assert.equal(line, text:match("([^\n]*)$"))
    end)

    it("tells that nodes on this machine alone can use it", function()
      about.reach, about.address = "machine", "127.0.0.1:7001"
      assert.equal("for nodes on this machine only: this one listens on 127.0.0.1\n" .. line, start("invite")[1])
    end)

    it("tells that nodes nearby alone can use it", function()
      about.reach, about.address = "near", "192.168.1.2:7001"
      assert.equal("for nodes in the same local network: 192.168.1.2 is not known beyond it\n" .. line,
        start("invite")[1])
    end)

    it("tells that nobody can link to a node that does not listen", function()
      about.reach, about.address, node.address = "nobody", "", ""
      local results = start "invite"
      assert.equal("this node does not listen: who joins gets to know it, but cannot link to it\n" .. line, results[1])
      assert.is_nil(results[2].address)
    end)

    it("tells what to do when it names no address", function()
      about.reach, about.address = "nobody", ""
      assert.truthy(start("invite")[1]:find("--advertise HOST:PORT", 1, true))
    end)

    it("warns of the key in it", function()
      about.has_network_key = true
      assert.equal("whoever has this line can join the network: it holds the network key\n" .. line,
        start("invite")[1])
    end)

    it("passes on why it failed", function()
      function node.invite() return nil, "no", "full" end
      assert.same({ nil, "no", "full" }, start "invite")
    end)
  end)

  describe("join", function()
    before_each(function()
      function node:join(text)
        self.joined = text
        self:connect(address)
        self.addresses[1].peer = eva
        return { id = eva, name = "eva", address = address }
      end
    end)

    it("waits for the link and names who is there", function()
      local results = start("join", line)
      assert.equal(line, node.joined)
      assert.same({}, results)
      node.addresses[1].linked = true
      helper.turn()
      assert.same({ "joined: linked to eva (eeee3333) at 127.0.0.1:7001",
        { peer = eva, name = "eva", address = address, linked = true } }, results)
    end)

    it("keeps the notices of that link quiet", function()
      start("join", line)
      assert.is_true(shell.waiting:is_awaited { address = address })
    end)

    it("takes the line whole, blanks within", function()
      assert.is_true(by_name.join.takes_rest)
      assert.equal(1, by_name.join.most)
    end)

    it("tells who is known now and why there is no link, and that it goes on", function()
      local results = start("join", line)
      node.addresses[1].reason = "refused"
      node:raise("dial", { address = address, reason = "refused", why = "the other end refused" })
      helper.turn()
      assert.same({ nil, "eva (eeee3333) is known now, but cannot be linked at 127.0.0.1:7001: the other end refused; "
        .. "trying again in the background (disconnect 127.0.0.1:7001 stops it)", "refused" }, results)
    end)

    it("does not take somebody else at the address for them", function()
      local results = start("join", line)
      node.addresses[1].reason = "wrong_identity"
      node:raise("dial", { address = address, reason = "wrong_identity", why = "somebody else" })
      helper.turn()
      assert.is_nil(results[1])
      assert.truthy(results[2]:find("another node answers at 127.0.0.1:7001, not eva (eeee3333)", 1, true))
      assert.equal("wrong_identity", results[3])
    end)

    it("gives up after six seconds", function()
      local results = start("join", line)
      helper.turn(5990)
      assert.same({}, results)
      helper.turn(10)
      assert.truthy(results[2]:find("no answer so far", 1, true))
      assert.equal("timeout", results[3])
    end)

    it("does not promise to go on when the node does not", function()
      local results = start("join", line)
      node.addresses = {}
      node:raise("dial", { address = address, reason = "self", why = "that is this node itself" })
      helper.turn()
      assert.equal("eva (eeee3333) is known now, but cannot be linked at 127.0.0.1:7001: that is this node itself",
        results[2])
    end)

    it("waits for nothing when the invitation names no address", function()
      function node.join() return { id = eva, name = "eva", address = "" } end
      local results = start("join", line)
      assert.truthy(results[1]:find("^eva %(eeee3333%) is known now; the invitation names no address"))
      assert.same({ peer = eva, name = "eva", linked = false }, results[2])
    end)

    it("passes on what is wrong with the line", function()
      function node.join() return nil, "the invitation is damaged", "malformed" end
      assert.same({ nil, "the invitation is damaged", "malformed" }, start("join", "moth1:x"))
    end)
  end)

  describe("whois", function()
    local function row(text, name)
      return text:match("\n" .. name .. " +([^\n]*)")
    end

    it("tells all about a neighbour", function()
      local text, value = table.unpack(start("whois", "bob"))
      assert.equal("name          bob", text:match("^[^\n]*"))
      assert.equal(bob, row(text, "id"))
      assert.equal("bbbb 2222 0000 0000 0000 0000 0000 0000", row(text, "to compare"))
      assert.equal("linked, dialled from there", row(text, "state"))
      assert.equal("ana, bob", row(text, "path"))
      assert.equal(address, row(text, "address"))
      assert.equal("2.5 ms", row(text, "round trip"))
      assert.is_nil(row(text, "calls itself"))
      assert.is_nil(row(text, "blocked"))
      assert.same({ id = bob, name = "bob", claimed = "bob", is_self = false, aliased = false, linked = true, up = true,
        blocked = false, hops = 1, via = bob, path = { ana, bob }, address = address, rtt = 0.0025, waiting = 0 },
        value)
    end)

    it("tells through whom somebody is reached", function()
      local text = start("whois", "eva")[1]
      assert.equal("reachable, 2 hops via bob", row(text, "state"))
      assert.equal("ana, bob, eva", row(text, "path"))
      assert.equal("not known", row(text, "address"))
      assert.is_nil(row(text, "round trip"))
    end)

    it("tells what is kept of somebody away", function()
      node.mail = { helper.message { to = helper.id "1111ffff", name = "kim" } }
      node.entries = { { time = 1900000000, ours = true } }
      local text, value = table.unpack(start("whois", "kim"))
      assert.equal("away", row(text, "state"))
      assert.equal("1 message waits ('queue kim' shows)", row(text, "mail"))
      assert.truthy(row(text, "last message"):find("^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d to them$"))
      assert.same({ helper.id "1111ffff", 1 }, node.asked)
      assert.is_nil(value.hops)
      assert.equal(1, value.waiting)
      assert.equal(1900000000, value.last_message)
    end)

    it("tells an alias from what somebody calls itself", function()
      node:alias("eva", "sis")
      local text = start("whois", "sis")[1]
      assert.equal("sis (your alias)", text:match("^name +([^\n]*)"))
      assert.equal("eva", row(text, "calls itself"))
    end)

    it("tells that a name belongs to somebody else", function()
      node.known[2].name, node.known[2].claimed = "bob~eeee3333", "bob"
      assert.equal("bob, a name that somebody else had first", row(start("whois", eva)[1], "calls itself"))
    end)

    it("tells of a block", function()
      node:block("bob")
      assert.equal("yes: no link, and what comes from there is refused", row(start("whois", "bob")[1], "blocked"))
    end)

    it("does not fail when the history cannot be read", function()
      node.refuses = "the database cannot be written now"
      assert.equal("none", row(start("whois", "bob")[1], "last message"))
    end)

    it("tells of this node itself", function()
      local text, value = table.unpack(start("whois", "ana"))
      assert.equal("this node itself", row(text, "state"))
      assert.same({ id = ana, name = "ana", address = "127.0.0.1:6684", is_self = true }, value)
    end)

    it("says who is not known", function()
      local results = start("whois", "nobody")
      assert.truthy(results[2]:find("no peer \"nobody\" is known", 1, true))
      assert.equal("unknown_peer", results[3])
    end)
  end)

  describe("ping", function()
    -- The last request is answered, `ms` after it left; by default there is no such service.
    local function answer(ms, fields)
      helper.turn(ms)
      local request = node.requests[#node.requests]
      local reply = { from = request.to, re = request.id, type = "no_service", encoding = "text", data = "none" }
      for k, v in pairs(fields or {}) do reply[k] = v end
      shell.hub.service:take_reply(reply)
      helper.turn()
    end

    it("shows each round trip as it comes, then all together", function()
      local results = start("ping", "eva", "3")
      answer(3)
      assert.same({ "eva (eeee3333): 3.0 ms, 2 hops via bob" }, said)
      helper.turn(997)
      answer(2.5, { type = "ok", data = "yes" })
      helper.turn(998)
      answer(4)
      assert.equal("eva (eeee3333): 2.5 ms, 2 hops via bob", said[2])
      assert.equal("3 sent, 3 answered, 2.5/3.2/4.0 ms", results[1])
      assert.same({ peer = eva, name = "eva", sent = 3, answered = 3, round_trips = { 0.003, 0.0025, 0.004 },
        least = 0.0025, mean = 9.5 / 3000, most = 0.004 }, results[2])
      assert.equal(3, #said)
    end)

    it("asks for a service that nobody has, once a second, four times", function()
      start("ping", "bob")
      for i = 1, 4 do
        assert.equal(i, #node.requests)
        assert.same({ to = bob, name = "moth.ping", id = 0x4ff + i }, node.requests[i])
        answer(10)
        helper.turn(989)
        assert.equal(i, #node.requests)
        helper.turn(1)
      end
      assert.equal(4, #node.requests)
      assert.equal("bob (bbbb2222): 10.0 ms, 1 hop", said[1])
    end)

    it("goes on when an answer fails to come", function()
      local results = start("ping", "eva", "2")
      helper.turn(2999)
      assert.same({}, said)
      helper.turn(1)
      assert.same({ "eva (eeee3333): no answer in 3 s" }, said)
      helper.turn()
      answer(5)
      assert.equal("2 sent, 1 answered, 5.0/5.0/5.0 ms", results[1])
    end)

    it("fails when nothing is answered", function()
      local results = start("ping", "eva", "1")
      helper.turn(3000)
      assert.same({ nil, "1 sent, 0 answered", "timeout" }, results)
    end)

    it("takes no answer of somebody else", function()
      local results = start("ping", "eva", "1")
      answer(5, { from = bob })
      assert.same({}, said)
      assert.same({}, results)
    end)

    it("says at once that there is no route", function()
      node.refuses_request = "unreachable"
      assert.same({ nil, "there is no route to kim now", "unreachable" }, start("ping", "kim"))
      assert.same({}, said)
    end)

    it("says that a peer is blocked", function()
      node.refuses_request = "unwanted"
      assert.same({ nil, "bob is blocked; unblock it first", "unwanted" }, start("ping", "bob"))
    end)

    it("passes on any other reason", function()
      node.refuses_request = "rate"
      assert.same({ nil, "refused: rate", "rate" }, start("ping", "bob"))
    end)

    it("goes on when the route is gone for a while", function()
      local results = start("ping", "eva", "3")
      answer(5)
      node.refuses_request = "unreachable"
      helper.turn(995)
      assert.equal("eva (eeee3333): there is no route to eva now", said[2])
      node.refuses_request = nil
      helper.turn(1000)
      answer(5)
      assert.equal("2 sent, 2 answered, 5.0/5.0/5.0 ms", results[1])
    end)

    it("tells what came out when it is cancelled", function()
      local results = start("ping", "eva", "100")
      answer(5)
      running:cancel()
      helper.turn()
      assert.same({}, results)
      assert.same({ "eva (eeee3333): 5.0 ms, 2 hops via bob", "1 sent, 1 answered, 5.0/5.0/5.0 ms" }, said)
    end)

    it("does not ask this node itself", function()
      assert.same({ nil, "that is this node itself: there is no way to measure", "self" }, start("ping", "ana"))
      assert.equal(0, #node.requests)
    end)

    it("says who is not known", function()
      assert.equal("unknown_peer", start("ping", "nobody")[3])
    end)

    for _, count in ipairs { "0", "-1", "1.5", "x", "1001", "99999999", "0x1" } do
      it("refuses " .. count .. " as a number of requests", function()
        assert.same({ nil, "N is a whole number from 1 to 1,000", "argument" }, start("ping", "eva", count))
        assert.equal(0, #node.requests)
      end)
    end
  end)
end)
