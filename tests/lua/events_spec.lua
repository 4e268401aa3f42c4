local helper = require "tests.lua.helper"
local core = require "moth.core"
local events = require "moth.events"
local task = require "moth.task"

describe("events", function()
  local bus, heard

  local function hear(name)
    return function(e) heard[#heard + 1] = name .. tostring(e) end
  end

  before_each(function()
    helper.reset()
    bus, heard = events.new(), {}
  end)

  it("calls the handlers of that name in order", function()
    bus:on("ping", hear("a"))
    bus:on("pong", hear("b"))
    bus:on("ping", hear("c"))
    bus:raise("ping", 1)
    assert.same({ "a1", "c1" }, heard)
  end)

  it("does not call what was switched off, once or twice", function()
    local h = bus:on("ping", hear("a"))
    bus:on("ping", hear("b"))
    h:off()
    h:off()
    bus:raise("ping", 1)
    assert.same({ "b1" }, heard)
  end)

  it("logs an error and calls the others", function()
    bus:on("ping", function() error("broken") end)
    bus:on("ping", hear("b"))
    bus:raise("ping", 1)
    assert.same({ "b1" }, heard)
    assert.equal(1, #helper.logged)
    assert.truthy(helper.logged[1]:find("broken\nstack traceback:"))
  end)

  it("logs a handler that fails every time a few times a minute, and counts the rest", function()
    local other = 0
    bus:on("ping", function() error("broken") end)
    bus:on("ping", function() other = other + 1 end)
    for _ = 1, 100 do bus:raise("ping", 1) end
    assert.equal(100, other)
    assert.equal(3, #helper.logged)
    helper.turn(60000)
    bus:raise("ping", 1)
    assert.equal(4, #helper.logged)
    assert.truthy(helper.logged[4]:find("97 more errors before this one: .*broken"))
    bus:raise("ping", 1)
    assert.falsy(helper.logged[5]:find("more errors"))
  end)

  it("does so for a handler that waits and for one that yields, too", function()
    bus:on("ping", function() coroutine.yield() end)
    bus:on("ping", function()
      task.turn()
      error("broken later")
    end)
    for _ = 1, 100 do bus:raise("ping", 1) end
    helper.turn()
    assert.equal(6, #helper.logged)
  end)

  it("lets a handler remove itself and those behind it", function()
    local first, last
    first = bus:on("ping", function()
      first:off()
      last:off()
      heard[#heard + 1] = "first"
    end)
    bus:on("ping", hear("middle"))
    last = bus:on("ping", hear("last"))
    bus:raise("ping", 1)
    bus:raise("ping", 2)
    assert.same({ "first", "middle1", "middle2" }, heard)
  end)

  it("lets a handler add one, which hears the next event", function()
    local is_added = false
    bus:on("ping", function()
      if not is_added then bus:on("ping", hear("new")) end
      is_added = true
    end)
    bus:raise("ping", 1)
    assert.same({}, heard)
    bus:raise("ping", 2)
    assert.same({ "new2" }, heard)
  end)

  it("lets a handler wait without holding up the others", function()
    bus:on("ping", function(e)
      task.turn()
      heard[#heard + 1] = "waited" .. e
    end)
    bus:on("ping", hear("b"))
    bus:raise("ping", 1)
    assert.same({ "b1" }, heard)
    helper.turn()
    assert.same({ "b1", "waited1" }, heard)
  end)
end)

describe("events of an owner", function()
  local bus, heard, owner, reports

  local function hear(name)
    return function(e) heard[#heard + 1] = name .. tostring(e) end
  end

  before_each(function()
    helper.reset()
    bus, heard, reports = events.new(), {}, {}
    owner = task.owner("bot", core.account("bot"), function(traceback, word, t)
      reports[#reports + 1] = { traceback, word, t.site }
    end)
  end)

  it("run as its tasks", function()
    bus:on("ping", function() heard[1] = task.running().owner end, owner)
    bus:raise("ping", 1)
    assert.equal(owner, heard[1])
  end)

  it("tell it their errors, all of them, and where the handler is from", function()
    bus:on("ping", function() error("broken") end, owner)
    for _ = 1, 10 do bus:raise("ping", 1) end
    assert.equal(10, #reports)
    assert.truthy(reports[1][1]:find("broken"))
    assert.equal("error", reports[1][2])
    assert.truthy(reports[1][3]:find("events_spec.lua:%d+$"))
    assert.same({}, helper.logged)
  end)

  it("end with it, and those of others stay in order", function()
    bus:on("ping", hear("a"))
    bus:on("ping", hear("b"), owner)
    bus:on("ping", hear("c"))
    bus:on("pong", hear("d"), owner)
    bus:off_owner(owner)
    bus:raise("ping", 1)
    bus:raise("pong", 1)
    assert.same({ "a1", "c1" }, heard)
    assert.is_true(bus:has("ping"))
    assert.is_false(bus:has("pong"))
  end)

  it("end with it even while an event is on its way", function()
    bus:on("ping", function() bus:off_owner(owner) end)
    bus:on("ping", hear("b"), owner)
    assert.equal(0, bus:raise("ping", 1))
    assert.same({}, heard)
  end)

  it("are not heard by one that has too many tasks, which is counted", function()
    owner.limit = 1
    bus:on("ping", task.park, owner)
    bus:on("ping", hear("b"), owner)
    bus:on("ping", hear("c"))
    assert.equal(1, bus:raise("ping", 1))
    assert.same({ "c1" }, heard)
    task.cancel_all(owner)
    helper.settle()
    assert.equal(0, bus:raise("pong", 1))
  end)

  it("are known to be awaited or not", function()
    assert.is_false(bus:has("ping"))
    local h = bus:on("ping", hear("a"), owner)
    assert.is_true(bus:has("ping"))
    h:off()
    assert.is_false(bus:has("ping"))
  end)
end)
