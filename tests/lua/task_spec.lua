local helper = require "tests.lua.helper"
local task = require "moth.task"

describe("task", function()
  before_each(helper.reset)

  it("runs at once until it waits", function()
    local steps = {}
    task.spawn(function(a)
      steps[#steps + 1] = a
      task.turn()
      steps[#steps + 1] = "later"
    end, "now")
    assert.same({ "now" }, steps)
    assert.equal(1, helper.woken)
    helper.turn()
    assert.same({ "now", "later" }, steps)
  end)

  it("asks for another turn at once when a task did something", function()
    task.spawn(function() task.turn() end)
    assert.equal(helper.now_us, (helper.turn()))
    assert.is_nil((helper.turn()))
  end)

  it("sleeps as long as it was told", function()
    local is_awake = false
    task.spawn(function()
      task.sleep(0.5)
      is_awake = true
    end)
    local next_us, every_turn = helper.turn(499)
    assert.is_false(is_awake)
    assert.equal(helper.now_us + 1000, next_us)
    assert.is_false(every_turn)
    helper.turn(1)
    assert.is_true(is_awake)
  end)

  it("waits for a condition, asked every turn, and gets its value", function()
    local answer, got
    task.spawn(function() got = task.wait(function() return answer end, 10) end)
    local next_us, every_turn = helper.turn()
    assert.is_true(every_turn)
    assert.is_true(next_us > helper.now_us and next_us < helper.now_us + 100000)
    answer = "yes"
    helper.turn()
    assert.equal("yes", got)
  end)

  it("gives up when the time is over", function()
    local value, code
    task.spawn(function() value, code = task.wait(function() return false end, 2) end)
    helper.turn(1999)
    assert.is_nil(code)
    helper.turn(1)
    assert.is_nil(value)
    assert.equal("timeout", code)
  end)

  it("does not wait for what is true already", function()
    local got
    task.spawn(function() got = task.wait(function() return 7 end, 0) end)
    assert.equal(7, got)
    assert.equal(0, helper.woken)
  end)

  it("looks at a task that waits again only in the next turn", function()
    local turns = 0
    task.spawn(function()
      for _ = 1, 3 do
        task.turn()
        turns = turns + 1
      end
    end)
    for expected = 1, 3 do
      helper.turn()
      assert.equal(expected, turns)
    end
  end)

  it("logs the error of a task with a traceback, and others go on", function()
    local is_done = false
    task.spawn(function() error("broken") end)
    task.spawn(function()
      task.turn()
      error("broken later")
    end)
    task.spawn(function()
      task.turn()
      is_done = true
    end)
    helper.turn()
    assert.is_true(is_done)
    assert.equal(2, #helper.logged)
    assert.truthy(helper.logged[1]:find("task_spec.lua:%d+: broken\nstack traceback:"))
    assert.truthy(helper.logged[2]:find("broken later"))
  end)

  it("ends a task that yields something else, says where, and others go on", function()
    local is_done, is_closed = false, false
    task.spawn(function()
      local _ <close> = setmetatable({}, { __close = function() is_closed = true end })
      coroutine.yield()
    end)
    assert.is_true(is_closed)
    assert.truthy(helper.logged[1]:find("a task waits with task.turn.*task_spec.lua"))
    task.spawn(function()
      task.turn()
      coroutine.yield("later")
    end)
    task.spawn(function()
      task.turn()
      is_done = true
    end)
    helper.turn()
    assert.is_true(is_done)
    assert.equal(2, #helper.logged)
    assert.is_nil((helper.turn(1000)))
  end)

  it("goes on ticking when even the report fails", function()
    local is_done = false
    task.spawn_reporting(function() error("no report") end, function()
      task.turn()
      coroutine.yield()
    end)
    task.spawn(function()
      task.turn()
      is_done = true
    end)
    helper.turn()
    assert.is_true(is_done)
    helper.reset()
    task.spawn(task.turn)
    assert.equal(1, helper.woken)
    helper.turn()
  end)

  it("logs an error that is no text", function()
    local traceback = package.loaded["moth.core"].traceback
    package.loaded["moth.core"].traceback = function(why) return why end
    task.spawn(function() error({}) end)
    package.loaded["moth.core"].traceback = traceback
    assert.same({ "error: an error that is no text" }, helper.logged)
  end)

  it("takes a span that is negative or no number for none, and an endless one for long", function()
    local awake = {}
    for i, span in ipairs { -1, 0 / 0, -math.huge, -1e300 } do
      task.spawn(function()
        task.sleep(span)
        awake[i] = true
      end)
    end
    helper.turn()
    assert.same({ true, true, true, true }, awake)
    local nap
    task.spawn(function()
      nap = coroutine.running()
      task.sleep(math.huge)
    end)
    helper.turn()
    local next_us = helper.turn()
    assert.equal("integer", math.type(next_us))
    assert.equal("suspended", coroutine.status(nap))
    helper.turn(1e12 + 1)
    assert.equal("dead", coroutine.status(nap))
  end)

  it("refuses what is no time span", function()
    task.spawn(function() task.sleep("soon") end)
    assert.truthy(helper.logged[1]:find("task_spec.lua:%d+: no time span"))
  end)

  it("refuses to wait where nothing can", function()
    local ok, why = pcall(table.sort, { 2, 1 }, function() task.sleep(1) end)
    assert.is_false(ok)
    assert.truthy(why:find("only a task can wait"))
  end)
end)
