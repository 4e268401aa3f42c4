local fake_program = require "tests.lua.fake_program"
local helper = require "tests.lua.helper"

local BOB, EVA = fake_program.BOB, fake_program.EVA
local ADDRESS, OTHER = "127.0.0.1:7001", "127.0.0.1:7002"

describe("waiting for", function()
  local node, waiting, task

  before_each(function()
    local w = fake_program.started()
    node = w.node
    task, waiting = require "moth.task", require("moth.waiting").new(node)
  end)

  -- Calls a method in a task: what it returned, once it has, and the task.
  local function start(method, ...)
    local results = {}
    local t = task.spawn(function(...) table.move(table.pack(waiting[method](waiting, ...)), 1, 3, 1, results) end, ...)
    helper.settle()
    return results, t
  end

  local function link_up(i, peer)
    node.addresses[i].linked, node.addresses[i].peer = true, peer
    helper.settle(20)
  end

  local function dial(address, why)
    node:raise("dial", { address = address, reason = "refused", why = why })
    helper.settle(20)
  end

  describe("a link", function()
    before_each(function()
      node:connect(ADDRESS)
    end)

    it("ends with the peer, once that has told whom it knows", function()
      node.synced = false
      local results = start("link", ADDRESS, 6)
      link_up(1, EVA)
      assert.same({}, results)
      node.synced = true
      helper.settle(20)
      assert.same({ EVA }, results)
    end)

    it("does not wait long for one that tells nothing", function()
      node.synced = false
      local results = start("link", ADDRESS, 6)
      link_up(1, EVA)
      helper.settle(1000)
      assert.same({ EVA }, results)
    end)

    it("is over at once when it is up", function()
      link_up(1, EVA)
      assert.same({ EVA }, (start("link", ADDRESS, 6)))
    end)

    it("ends with why a dial failed, at once", function()
      local results = start("link", ADDRESS, 6)
      dial(OTHER, "not this one")
      assert.same({}, results)
      dial(ADDRESS, "the other end refused")
      assert.same({ nil, "the other end refused" }, results)
    end)

    it("ends with its time", function()
      local results = start("link", ADDRESS, 6)
      helper.settle(5990)
      assert.same({}, results)
      helper.settle(20)
      assert.same({ nil, "no answer so far" }, results)
    end)

    it("knows nothing of dials that failed before", function()
      dial(ADDRESS, "an old reason")
      local results = start("link", ADDRESS, 6)
      helper.settle(6000)
      assert.same({ nil, "no answer so far" }, results)
    end)

    it("is known by the address meanwhile, and no longer", function()
      local e = { address = ADDRESS }
      assert.is_false(waiting:is_awaited(e))
      start("link", ADDRESS, 6)
      assert.is_true(waiting:is_awaited(e))
      assert.is_false(waiting:is_awaited { address = OTHER })
      helper.settle(6000)
      assert.is_false(waiting:is_awaited(e))
    end)

    it("is known by the peer, where a name was dialled", function()
      node.addresses[1].address = "localhost:7001"
      start("link", "localhost:7001", 6)
      node.addresses[1].linked, node.addresses[1].peer = true, EVA
      assert.is_true(waiting:is_awaited { address = "127.0.0.1:7001", peer = EVA })
      assert.is_false(waiting:is_awaited { address = "127.0.0.1:7009", peer = BOB })
    end)

    it("is forgotten when the task is cancelled", function()
      local results, t = start("link", ADDRESS, 6)
      t:cancel()
      helper.settle()
      assert.is_false(waiting:is_awaited { address = ADDRESS })
      helper.settle(6000)
      assert.same({}, results)
    end)
  end)

  describe("several links", function()
    local failed

    before_each(function()
      failed = {}
      node:connect(ADDRESS)
      node:connect(OTHER)
    end)

    local function start_links()
      return start("links", { ADDRESS, OTHER }, 3, function(address, why)
        failed[#failed + 1] = address .. " " .. why
      end)
    end

    it("tells only of those that are not up", function()
      local _, t = start_links()
      link_up(2, BOB)
      assert.is_false(t:has_ended())
      helper.settle(3000)
      assert.same({ ADDRESS .. " no answer so far" }, failed)
      assert.is_true(t:has_ended())
    end)

    it("hears of the dial of one while it still waits for another", function()
      start_links()
      dial(OTHER, "the other end refused")
      helper.settle(3000)
      assert.same({ ADDRESS .. " no answer so far", OTHER .. " the other end refused" }, failed)
    end)

    it("takes so much time for all together", function()
      local _, t = start_links()
      helper.settle(3000)
      helper.settle(20)
      assert.is_true(t:has_ended())
      assert.equal(2, #failed)
    end)

    it("leaves nothing behind", function()
      start_links()
      assert.is_true(waiting:is_awaited { address = ADDRESS })
      assert.is_true(waiting:is_awaited { address = OTHER })
      helper.settle(3000)
      helper.settle(20)
      assert.is_false(waiting:is_awaited { address = ADDRESS })
      assert.is_false(waiting:is_awaited { address = OTHER })
    end)
  end)

  describe("the end of a link", function()
    it("asks the node, and returns when it is down", function()
      node.is_slow_to_part = true
      local results = start("part", BOB)
      assert.same({ BOB }, node.disconnected)
      assert.is_true(waiting:is_parting { peer = BOB })
      assert.is_false(waiting:is_parting { peer = EVA })
      assert.same({}, results)
      node.known[1].linked = false
      helper.settle(20)
      assert.same({ true }, results)
      assert.is_false(waiting:is_parting { peer = BOB })
    end)

    it("does not take longer than a second", function()
      node.is_slow_to_part = true
      local results = start("part", BOB)
      helper.settle(1000)
      assert.same({ true }, results)
    end)

    it("hands on why there is none", function()
      node.refuses_disconnect = "not_linked"
      assert.same({ nil, "", "not_linked" }, (start("part", BOB)))
      assert.is_false(waiting:is_parting { peer = BOB })
    end)
  end)

  describe("a message", function()
    it("ends when it is on the disk, or has ended", function()
      for _, state in ipairs { "queued", "sent", "lost", "refused" } do
        local m = helper.message { state = "pending" }
        local _, t = start("kept", m)
        assert.is_false(t:has_ended())
        assert.is_true(waiting:is_sending(m.id))
        m.state = state
        helper.settle(20)
        assert.is_true(t:has_ended())
        assert.is_false(waiting:is_sending(m.id))
      end
    end)

    it("says what a command is about to tell", function()
      local told = {}
      waiting.on_told = function(id, state) told[#told + 1] = ("%x %s"):format(id, state) end
      local m = helper.message { state = "pending" }
      start("kept", m)
      m.state = "queued"
      assert.same({}, told)
      helper.settle(20)
      assert.same({ "18d2c queued" }, told)
    end)

    it("that is sent waits a moment more for a person, who is glad to hear that it was delivered", function()
      local m = helper.message { state = "sent" }
      local _, t = start("kept", m, true)
      assert.is_false(t:has_ended())
      m.state = "delivered"
      helper.settle(20)
      assert.is_true(t:has_ended())
      _, t = start("kept", helper.message { state = "sent" }, true)
      helper.settle(290)
      assert.is_false(t:has_ended())
      helper.settle(20)
      assert.is_true(t:has_ended())
      _, t = start("kept", helper.message { state = "sent" }, false)
      assert.is_true(t:has_ended())
    end)

    it("ends with its time", function()
      local _, t = start("kept", helper.message { state = "pending" })
      helper.settle(1980)
      assert.is_false(t:has_ended())
      helper.settle(40)
      assert.is_true(t:has_ended())
    end)
  end)

  it("hears of no dial any more once it is off", function()
    node:connect(ADDRESS)
    local results = start("link", ADDRESS, 6)
    waiting:off()
    dial(ADDRESS, "the other end refused")
    assert.same({}, results)
  end)
end)
