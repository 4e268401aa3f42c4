local helper = require "tests.lua.helper"
local fake_shell = require "tests.lua.fake_shell"

local bob, eva = helper.id("bbbb2222"), helper.id("eeee3333")

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

  describe("send", function()
    -- What comes of it when the message is on the disk and stands like this.
    local function once(state, fields)
      node.next_message = { state = "pending" }
      local result = sh:start("send eva hello")
      node.sent[1].state = state
      for k, v in pairs(fields or {}) do node.sent[1][k] = v end
      helper.turn()
      assert.is_true(result.is_over)
      return result.text, result.value, result.code
    end

    it("shows how the message stands once it is on the disk", function()
      node.next_message = { state = "pending" }
      local result = sh:start("send eva hello")
      helper.turn()
      assert.is_false(result.is_over)
      assert.equal(eva, node.sent[1].to)
      node.sent[1].state = "sent"
      helper.turn()
      assert.equal("to eva: sent (id 18d2c)", result.text)
      assert.same({ id = "18d2c", to = eva, name = "eva", state = "sent", tries = 0, carriers = 0, bytes = 5,
        accepted = node.sent[1].accepted, changed = node.sent[1].time }, result.value)
    end)

    it("says that it waits for a route", function()
      assert.equal("to eva: queued: there is no route to eva now (id 18d2c)",
        (once("queued", { reason = "unreachable", why = "there is no route to that peer" })))
    end)

    it("says what else it waits for", function()
      assert.equal("to eva: queued: the next link cannot keep up (id 18d2c)",
        (once("queued", { reason = "slow", why = "the next link cannot keep up" })))
    end)

    it("names the carrier", function()
      local text, value = once("carried", { by = bob, by_name = "bob", carriers = 1 })
      assert.equal("to eva: carried by bob (id 18d2c)", text)
      assert.equal(bob, value.by)
    end)

    it("is the only one to tell while it waits", function()
      node.next_message = { state = "pending" }
      local result = sh:start("send eva hello")
      assert.is_true(sh.waiting:is_sending(0x18d2c))
      node.sent[1].state = "delivered"
      helper.turn()
      assert.equal("to eva: delivered (id 18d2c)", result.text)
      assert.is_false(sh.waiting:is_sending(0x18d2c))
    end)

    it("waits two seconds at most for the disk", function()
      node.next_message = { state = "pending" }
      local result = sh:start("send eva hello")
      helper.turn(1990)
      assert.is_false(result.is_over)
      helper.turn(10)
      assert.equal("to eva: not on the disk yet (id 18d2c)", result.text)
    end)

    it("fails when the disk failed", function()
      local text, value, code = once("lost", { reason = "no_space", why = "the disk is full" })
      assert.equal("to eva: lost: the disk is full (id 18d2c)", text)
      assert.is_nil(value)
      assert.equal("no_space", code)
    end)

    it("fails when the message ended badly", function()
      node.next_message = { state = "refused", why = "a limit is reached" }
      assert.same({ "to eva: refused: a limit is reached (id 18d2c)", "refused" }, { failure("send eva hello") })
    end)

    it("says how to write to somebody who is blocked", function()
      node.refuses, node.refuses_code = "that peer is blocked", "unwanted"
      assert.same({ "eva is blocked; unblock eva first", "unwanted" }, { failure("send eva hello") })
    end)

    it("passes on why the node does not take it", function()
      node.refuses = "a limit is reached"
      assert.same({ "a limit is reached", "full" }, { failure("send eva hello") })
    end)

    it("can be sent to oneself", function()
      node.next_message = { state = "delivered" }
      assert.equal("to ana: delivered (id 18d2c)", (answer("send ana note")))
    end)

    it("suggests the nearest name", function()
      assert.equal('no peer "bbo" is known; did you mean bob?', (answer("send bbo hello")))
      assert.equal(0, #node.sent)
    end)

    it("says where the names are", function()
      assert.equal("no peer \"xyz\" is known; 'list' shows who is", (answer("send xyz hello")))
    end)

    it("passes on that several peers match", function()
      node.resolve = function() return nil, "several peers match; give more digits of the id", "ambiguous" end
      assert.equal("several peers match; give more digits of the id", (answer("send bbbb hello")))
    end)
  end)

  describe("queue", function()
    it("says exactly this when nothing waits", function()
      assert.equal("nothing waiting", (answer("queue")))
      assert.equal("nothing waiting", (answer("queue eva")))
      assert.same({}, select(2, answer("queue")))
    end)

    it("shows all, or those for one peer", function()
      node.mail = { helper.message(), helper.message { id = 0xb0b, to = bob, name = "bob" } }
      local all, value = answer("queue")
      assert.truthy(all:find("\n18d2c  eva", 1, true) and all:find("\nb0b ", 1, true))
      assert.equal("b0b", value[2].id)
      local some = answer("queue bob")
      assert.truthy(some:find("\nb0b ", 1, true))
      assert.is_nil(some:find("18d2c", 1, true))
    end)

    it("does not know everybody", function()
      assert.equal("no peer \"evo\" is known; did you mean eva?", (answer("queue evo")))
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
      assert.same({ "no message 18d2c was sent from here, or it is forgotten; 'queue' shows which wait", "not_found" },
        { failure("message 18d2c") })
      for _, wrong in ipairs { "eva", "-1", "0x1", "1.5", "18d2c18d2c18d2c18" } do
        assert.equal(("\"%s\" is no message id; 'queue' shows which wait"):format(wrong), (answer("message " .. wrong)))
      end
    end)
  end)

  describe("cancel", function()
    it("ends a message that waits", function()
      node.mail = { helper.message() }
      assert.equal("message 18d2c to eva is cancelled", (answer("cancel 18d2c")))
      assert.equal("cancelled", node.mail[1].state)
    end)

    it("says what can happen all the same", function()
      node.mail = { helper.message { state = "carried", by_name = "bob", carriers = 1, tries = 1 },
        helper.message { id = 7, state = "sent", tries = 1 }, helper.message { id = 8, state = "sent", carriers = 1 } }
      local said = {}
      for i, id in ipairs { "18d2c", "7", "8" } do said[i] = answer("cancel " .. id) end
      assert.same({ "message 18d2c to eva is cancelled; bob holds a copy and may still deliver it",
        "message 7 to eva is cancelled; it is on its way and may still arrive",
        "message 8 to eva is cancelled; a carrier holds a copy and may still deliver it" }, said)
    end)

    it("cannot undo what has ended", function()
      node.mail = { helper.message { state = "delivered" },
        helper.message { id = 7, state = "expired", reason = "expired", why = "its time to live is over" } }
      assert.same({ "message 18d2c to eva was delivered already: it cannot be cancelled", "not_found" },
        { failure("cancel 18d2c") })
      assert.equal("message 7 to eva has ended already: expired", (failure("cancel 7")))
    end)

    it("does not know every id", function()
      assert.truthy(answer("cancel abc"):find("^no message abc was sent from here"))
    end)

    it("passes on what else is wrong", function()
      node.mail = { helper.message() }
      node.cancel = function() return nil, "this node is closing", "shutdown" end
      assert.equal("this node is closing", (answer("cancel 18d2c")))
    end)
  end)

  describe("history", function()
    before_each(function()
      node.entries = { { ours = false, name = "eva", type = "text", encoding = "text", data = "hi", time = 0 } }
    end)

    it("shows the last twenty", function()
      assert.truthy(answer("history"):find("^%[%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d%] eva: hi$"))
      assert.same({ nil, 20 }, node.asked)
    end)

    it("takes a peer, a number, or both", function()
      answer("history eva")
      assert.same({ eva, 20 }, node.asked)
      answer("history 7")
      assert.same({ nil, 7 }, node.asked)
      answer("history 10000")
      assert.same({ nil, 10000 }, node.asked)
      answer("history bob 10000")
      assert.same({ bob, 10000 }, node.asked)
    end)

    it("takes a number for a peer when there is one of that name", function()
      node.known[2].name = "7"
      answer("history 7")
      assert.same({ eva, 20 }, node.asked)
    end)

    it("refuses other numbers", function()
      for _, wrong in ipairs { "eva 0", "eva x", "eva 10001", "eva -1", "eva 1.5" } do
        assert.equal("N is a whole number from 1 to 10,000", (answer("history " .. wrong)))
      end
    end)

    it("does not know everybody", function()
      assert.equal("no peer \"evo\" is known; did you mean eva?", (answer("history evo")))
      assert.equal("no peer \"7\" is known; 'list' shows who is", (answer("history 7 7")))
    end)

    it("passes on that the disk cannot be read", function()
      node.refuses = "the database cannot be read now"
      assert.equal("the database cannot be read now", (answer("history")))
    end)
  end)
end)
