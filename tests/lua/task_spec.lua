local helper = require "tests.lua.helper"
local core = require "moth.core"
local task = require "moth.task"

local owner, reports, steps

local function report(traceback, word, t)
  reports[#reports + 1] = { traceback = traceback, word = word, task = t }
end

local function step(name)
  steps[#steps + 1] = name
end

-- A function that notes when it runs.
local function note(name)
  return function() step(name) end
end

local function closing(fn)
  return setmetatable({}, { __close = fn })
end

local function start(fn, ...)
  return task.start(owner, fn, ...)
end

-- Every spec begins with nothing to do and an owner of its own.
local function set_up()
  task.cancel_all(task.moth)
  helper.settle()
  helper.reset()
  reports, steps = {}, {}
  owner = task.owner("bot", core.account("bot"), report)
  owner.node = {}
  task.on_segment(function() end, function() end, function() end)
end

local function tear_down()
  task.cancel_all(owner)
  helper.settle()
  assert.equal(0, owner.tasks)
  assert.equal(0, #owner.list)
end

describe("a task", function()
  before_each(set_up)
  after_each(tear_down)

  it("runs at once until it waits", function()
    start(function(a, b)
      step(a + b)
      task.turn()
      step "later"
    end, 1, 2)
    assert.same({ 3 }, steps)
    assert.equal(1, helper.woken)
    helper.turn()
    assert.same({ 3, "later" }, steps)
  end)

  it("that another starts runs in the next tick, in order", function()
    start(function()
      start(note "a")
      start(note "b")
      step "first"
      task.turn()
      step "last"
    end)
    assert.same({ "first" }, steps)
    helper.turn()
    assert.same({ "first", "a", "b", "last" }, steps)
  end)

  it("that one starts which ends at once asks for a tick", function()
    start(function() start(note "started") end)
    assert.equal(1, helper.woken)
    helper.turn()
    assert.same({ "started" }, steps)
  end)

  it("leaves its coroutine to the next ones, but not any number of them", function()
    for _ = 1, 300 do start(task.turn) end
    helper.turn()
    assert.equal(0, owner.tasks)
    assert.equal(100, #owner.pool)
  end)

  it("costs no turn and no coroutine when the one before ended well", function()
    local thread
    start(function() thread = coroutine.running() end)
    assert.equal(0, helper.woken)
    start(function() step(coroutine.running() == thread) end)
    assert.same({ true }, steps)
  end)

  it("never gets a coroutine that failed, was cancelled, or is another owner's", function()
    local threads, other = {}, task.owner("other", core.account("other"), report)
    local function remember() threads[coroutine.running()] = true end
    local function is_new() step(threads[coroutine.running()] == nil) end
    start(function()
      remember()
      error("broken")
    end)
    start(is_new)
    task.start(other, remember)
    start(is_new)
    local t = start(function()
      remember()
      task.sleep(1)
    end)
    t:cancel()
    helper.turn()
    start(is_new)
    assert.same({ true, true }, { steps[1], steps[2] })
    assert.is_true(steps[3])
    assert.equal(1, #reports)
  end)

  it("is refused when its owner has too many", function()
    owner.limit = 2
    local first = start(task.sleep, 1)
    start(task.sleep, 2)
    assert.same({ n = 2, nil, "busy" }, table.pack(start(note "third")))
    first:cancel()
    helper.turn()
    assert.is_truthy(start(note "third"))
    assert.same({ "third" }, steps)
  end)

  it("is known while it runs, with its owner", function()
    local t = start(function()
      step(task.running().owner == owner)
      task.turn()
      step(task.running().owner == owner)
    end)
    assert.is_nil(task.running())
    helper.turn()
    assert.same({ true, true }, steps)
    assert.equal("done", t.state)
  end)

  it("can be made first and run later", function()
    local t = task.new(owner, "bot.lua:7")
    assert.equal(1, owner.tasks)
    assert.equal("bot.lua:7", t.site)
    task.run(t, step, "ran")
    assert.same({ "ran" }, steps)
    local other = task.new(owner)
    other:cancel()
    task.run(other, step, "never")
    helper.turn()
    assert.same({ "ran" }, steps)
  end)

  it("asks for another turn at once when it did something", function()
    start(task.turn)
    assert.equal(helper.now_us, (helper.turn()))
    assert.is_nil((helper.turn()))
  end)

  it("that waits again goes on only in the next tick", function()
    start(function()
      for i = 1, 3 do
        task.turn()
        step(i)
      end
    end)
    for expected = 1, 3 do
      helper.turn()
      assert.equal(expected, #steps)
    end
  end)

  it("lets the rest wait for the next turn after 50 ms", function()
    for i = 1, 5 do
      start(function()
        task.turn()
        helper.now_us = helper.now_us + 20000
        step(i)
      end)
    end
    local next_us = helper.turn()
    assert.same({ 1, 2, 3 }, steps)
    assert.is_true(next_us <= helper.now_us)
    helper.turn()
    assert.same({ 1, 2, 3, 4, 5 }, steps)
  end)

  it("keeps its place when the tick was too short for it", function()
    start(function()
      task.turn()
      helper.now_us = helper.now_us + 60000
      start(note "started in the tick")
    end)
    start(function()
      task.turn()
      step "waited before"
    end)
    helper.turn()
    helper.turn()
    assert.same({ "waited before", "started in the tick" }, steps)
  end)

  it("ends with what happens around it, segment by segment", function()
    task.on_segment(note "begin", note "commit", note "discard")
    owner.on_end = function(_, ok) step(ok and "well" or "badly") end
    start(function()
      step "run"
      task.turn()
      error("broken")
    end)
    assert.same({ "begin", "run", "commit" }, steps)
    steps = {}
    helper.turn()
    assert.same({ "begin", "discard", "begin", "badly", "commit" }, steps)
    steps = {}
    start(note "run")
    assert.same({ "begin", "run", "well", "commit" }, steps)
  end)

  it("tells of its segments the node of its owner, and nothing when there is none", function()
    local nodes = {}
    task.on_segment(function(node) nodes[#nodes + 1] = node end, function() end, function() end)
    start(function() end)
    assert.equal(owner.node, nodes[1])
    owner.node = nil
    start(function() end)
    assert.equal(1, #nodes)
  end)

  it("tells its end before others wake and before the commit", function()
    task.on_segment(function() end, note "commit", note "discard")
    local t = start(task.sleep, 1)
    t:on_end(function(ended, ok) step(ended == t and ok and "first") end)
    t:on_end(note "second")
    start(function()
      t:join()
      step "joined"
    end)
    steps = {}
    helper.turn(1000)
    helper.turn()
    assert.same({ "first", "second", "commit", "joined", "commit" }, steps)
  end)

  it("survives that one who is told of its end fails", function()
    local t = start(task.sleep, 1)
    t:on_end(function() error("broken") end)
    t:on_end(note "told")
    helper.turn(1000)
    assert.same({ "told" }, steps)
    assert.truthy(helper.logged[1]:find("broken\nstack traceback:"))
  end)

  it("that is started by one who is told of an end runs in the next tick", function()
    local t = start(task.sleep, 1)
    t:on_end(function() start(note "new") end)
    helper.turn(1000)
    assert.same({}, steps)
    helper.turn()
    assert.same({ "new" }, steps)
  end)
end)

describe("an error of a task", function()
  before_each(set_up)
  after_each(tear_down)

  it("goes to its owner with a traceback, and others go on", function()
    local t = start(function()
      task.turn()
      error("broken")
    end)
    start(function()
      task.turn()
      step "other"
    end)
    helper.turn()
    assert.same({ "other" }, steps)
    assert.equal(1, #reports)
    assert.truthy(reports[1].traceback:find("task_spec.lua:%d+: broken\nstack traceback:"))
    assert.equal("error", reports[1].word)
    assert.equal(t, reports[1].task)
    assert.equal("failed", t.state)
  end)

  it("runs what is to be closed", function()
    start(function()
      local _ <close> = closing(note "closed")
      task.turn()
      error("broken")
    end)
    helper.turn()
    assert.same({ "closed" }, steps)
  end)

  it("stops nobody when even the report fails", function()
    owner.report = function() error("no report") end
    start(function()
      task.turn()
      error("broken")
    end)
    start(function()
      task.turn()
      step "other"
    end)
    helper.turn()
    assert.same({ "other" }, steps)
    assert.truthy(helper.logged[1]:find("no report"))
    assert.equal(0, owner.tasks)
  end)

  it("is said of one that yields what is no wait", function()
    start(function()
      local _ <close> = closing(note "closed")
      coroutine.yield()
    end)
    assert.same({ "closed" }, steps)
    assert.truthy(reports[1].traceback:find("a task waits with task.sleep.*task_spec.lua"))
    start(function()
      task.turn()
      coroutine.yield({}, "later")
    end)
    helper.turn()
    assert.equal(2, #reports)
    assert.equal(0, owner.tasks)
  end)

  it("is told beside one that closing it brings", function()
    start(function()
      local _ <close> = closing(function() error("broken too") end)
      coroutine.yield()
    end)
    assert.equal(2, #reports)
    assert.truthy(reports[1].traceback:find("broken too"))
    assert.truthy(reports[2].traceback:find("a task waits"))
  end)

  it("may end all tasks of its owner", function()
    owner.report = function() task.cancel_all(owner) end
    start(function()
      task.sleep(1)
      step "never"
    end)
    start(error, "broken")
    helper.turn(2000)
    assert.same({}, steps)
    assert.equal(0, owner.tasks)
  end)

  it("of moth itself is logged, or goes where it is told", function()
    task.spawn(error, "broken")
    assert.truthy(helper.logged[1]:find("broken"))
    task.spawn_reporting(report, error, "broken too")
    assert.truthy(reports[1].traceback:find("broken too"))
    assert.equal(1, #helper.logged)
  end)
end)

describe("waiting for a time", function()
  before_each(set_up)
  after_each(tear_down)

  it("takes as long as it was told", function()
    start(function()
      task.sleep("500ms")
      step "awake"
    end)
    helper.turn(499)
    local next_us, every_turn = helper.turn()
    assert.same({}, steps)
    assert.equal(helper.now_us + 1000, next_us)
    assert.is_false(every_turn)
    helper.turn(1)
    assert.same({ "awake" }, steps)
  end)

  it("wakes in the order of the times, not of the calls", function()
    for _, ms in ipairs { 30, 10, 20, 10 } do
      start(function()
        task.sleep(ms / 1000)
        step(ms)
      end)
    end
    helper.turn(50)
    assert.same({ 10, 10, 20, 30 }, steps)
  end)

  it("takes a span that is negative or no number for none, and an endless one for long", function()
    for i, span in ipairs { -1, 0 / 0, -math.huge, -1e300 } do
      start(function()
        task.sleep(span)
        step(i)
      end)
    end
    helper.turn()
    assert.same({ 1, 2, 3, 4 }, steps)
    local nap = start(task.sleep, math.huge)
    helper.turn()
    assert.equal("integer", math.type((helper.turn())))
    assert.equal("napping", nap.state)
    helper.turn(1e12 + 1)
    assert.equal("done", nap.state)
  end)

  it("refuses what is no time span, where it was said", function()
    start(function() task.sleep("soon") end)
    start(function() task.sleep(true) end)
    start(function() task.sleep() end)
    assert.truthy(reports[1].traceback:find("task_spec.lua:%d+: no time span"))
    assert.truthy(reports[2].traceback:find("task_spec.lua:%d+: a time span is .*, not a boolean"))
    assert.truthy(reports[3].traceback:find("task_spec.lua:%d+: a time span is .*, not a nil"))
  end)

  it("ends for a condition that is asked every turn, and gives its value", function()
    local answer
    start(function() step(task.wait(function() return answer end, 10)) end)
    helper.turn()
    local next_us, every_turn = helper.turn()
    assert.is_true(every_turn)
    assert.is_true(next_us > helper.now_us and next_us < helper.now_us + 100000)
    answer = "yes"
    helper.turn()
    assert.same({ "yes" }, steps)
    assert.is_false(select(2, helper.turn()))
  end)

  it("for a condition gives up when the time is over", function()
    start(function() steps = table.pack(task.wait(function() return false end, 2)) end)
    helper.turn(1999)
    assert.same({}, steps)
    helper.turn(1)
    assert.same({ n = 2, nil, "timeout" }, steps)
  end)

  it("for what is true already does not wait", function()
    start(function() step(task.wait(function() return 7 end, 0)) end)
    assert.same({ 7 }, steps)
    assert.equal(0, helper.woken)
  end)

  it("for a condition that takes long to tell lets others wait no longer than a turn", function()
    for i = 1, 2 do
      start(task.wait, function()
        helper.now_us = helper.now_us + 60000
        step(i)
      end, 10)
    end
    helper.turn()
    steps = {}
    local now_us = helper.now_us
    assert.equal(now_us, (helper.turn()))
    helper.turn()
    assert.same({ 1, 2 }, steps)
  end)

  it("for a condition ends with a cancel", function()
    local t = start(task.wait, function() return false end, 10)
    t:cancel()
    helper.turn()
    assert.equal("cancelled", t.state)
    assert.is_false(select(2, helper.turn()))
  end)
end)

describe("park", function()
  before_each(set_up)
  after_each(tear_down)

  local function parked(at_us)
    return start(function() steps = table.pack(task.park(at_us)) end)
  end

  it("returns what wake gave, in the next tick", function()
    for _, values in ipairs { { n = 0 }, { n = 1, "a" }, { n = 1 }, { n = 3, "a", nil, nil } } do
      local t = parked()
      assert.is_true(task.wake(t, table.unpack(values, 1, values.n)))
      assert.equal("ready", t.state)
      helper.turn()
      assert.same(values, steps)
    end
  end)

  it("asks for a tick when it is woken, and not for one that is not", function()
    local t = parked()
    helper.turn()
    helper.reset()
    task.wake(t)
    assert.equal(1, helper.woken)
    assert.is_false(task.wake(t))
    assert.equal(1, helper.woken)
  end)

  it("returns nil and timeout when its time has come", function()
    local t = parked(helper.now_us + 1000)
    helper.turn()
    assert.same({}, steps)
    helper.turn(1)
    assert.same({ n = 2, nil, "timeout" }, steps)
    assert.is_false(task.wake(t, "late"))
  end)

  it("leaves no timer behind when it was woken", function()
    local t = parked(helper.now_us + 1000000)
    helper.turn()
    task.wake(t, "woken")
    helper.turn()
    assert.is_nil((helper.turn()))
    assert.same({ n = 1, "woken" }, steps)
  end)

  it("takes only the first wake", function()
    local t = parked()
    task.wake(t, "first")
    assert.is_false(task.wake(t, "second"))
    helper.turn()
    assert.same({ n = 1, "first" }, steps)
  end)

  it("is not what a sleep or a condition waits in", function()
    local nap, look = start(task.sleep, 1), start(task.wait, function() return false end, 1)
    assert.is_false(task.wake(nap))
    assert.is_false(task.wake(look))
    assert.is_false(task.wake(start(function() end)))
  end)

  it("that is woken before its time in the same tick returns what it was given", function()
    local t = parked(helper.now_us + 1000)
    task.wake(t, "woken")
    helper.turn(1)
    assert.same({ n = 1, "woken" }, steps)
    helper.turn(1000)
    assert.equal("done", t.state)
  end)
end)

describe("who cannot wait", function()
  before_each(set_up)
  after_each(tear_down)

  local function why_not(fn, ...)
    local ok, why = pcall(fn, ...)
    assert.is_false(ok)
    step(why)
  end

  it("is no task", function()
    why_not(task.sleep, 1)
    coroutine.wrap(function() why_not(task.turn) end)()
    assert.truthy(steps[1]:find("only a task can wait$"))
    assert.truthy(steps[2]:find("only a task can wait$"))
  end)

  it("is a coroutine inside a task", function()
    start(function()
      coroutine.wrap(function()
        why_not(function() task.sleep(1) end)
        why_not(function() task.park() end)
        why_not(function() task.wait(function() return false end, 1) end)
      end)()
    end)
    for i = 1, 3 do
      assert.truthy(steps[i]:find("task_spec.lua:%d+: only a task can wait, not a coroutine inside it") or i == 3)
      assert.truthy(steps[i]:find("not a coroutine inside it", 1, true))
    end
  end)

  it("was called by what cannot wait", function()
    start(function()
      why_not(table.sort, { 2, 1 }, function() task.sleep(1) end)
      step "goes on"
    end)
    assert.truthy(steps[1]:find("task_spec.lua:%d+: nothing can wait here"))
    assert.equal("goes on", steps[2])
  end)

  it("is being closed", function()
    local t = start(function()
      local _ <close> = closing(function() why_not(task.sleep, 1) end)
      task.sleep(1)
    end)
    t:cancel()
    helper.turn()
    assert.truthy(steps[1]:find("nothing can wait here"))
  end)

  it("is a call for an owner, which is known as its code, and starts tasks for the next tick", function()
    local function hook(value)
      step(task.running().owner == owner)
      start(note "started")
      why_not(task.sleep, 1)
      return value, 2
    end
    assert.same({ "v", 2 }, { task.as(owner, hook, "v") })
    assert.is_nil(task.running())
    assert.is_true(steps[1])
    assert.truthy(steps[2]:find("can wait"))
    helper.turn()
    assert.equal("started", steps[3])
  end)

  it("is such a call even inside a task, whose turn it is again afterwards", function()
    local other = task.owner("other", core.account("other"), report)
    start(function()
      local code, traceback = task.as(other, core.call, other.account, task.sleep, 1)
      step(code == core.ERROR and traceback:find("nothing can wait here", 1, true) ~= nil)
      step(select(2, pcall(task.as, other, error, "broken")))
      step(task.running().owner == owner)
      task.turn()
      step "waited"
    end)
    helper.turn()
    assert.same({ true, "broken", true, "waited" }, steps)
  end)
end)

describe("a cancelled task", function()
  before_each(set_up)
  after_each(tear_down)

  it("is never resumed, and runs what is to be closed", function()
    local t = start(function()
      local _ <close> = closing(note "closed")
      pcall(function()
        local _ <close> = closing(note "closed inside")
        task.sleep(1)
      end)
      step "went on"
    end)
    t:cancel()
    t:cancel()
    assert.same({}, steps)
    helper.turn(2000)
    assert.same({ "closed inside", "closed" }, steps)
    assert.equal("cancelled", t.state)
  end)

  it("is closed before any other task runs", function()
    local t = start(function()
      local _ <close> = closing(note "closed")
      task.park()
    end)
    start(function()
      task.turn()
      step "other"
    end)
    t:cancel()
    start(note "started")
    helper.turn()
    assert.same({ "closed", "started", "other" }, steps)
  end)

  it("is closed before the next one, too, when one that runs cancels it", function()
    local t
    start(function()
      task.turn()
      t:cancel()
    end)
    t = start(function()
      local _ <close> = closing(note "closed")
      task.park()
    end)
    start(function()
      task.turn()
      step "other"
    end)
    helper.turn()
    assert.same({ "closed", "other" }, steps)
  end)

  it("asks for a tick", function()
    local t = start(task.sleep, 1)
    helper.turn()
    helper.reset()
    t:cancel()
    assert.equal(1, helper.woken)
  end)

  it("does not run when it had been woken, was queued, or had not started", function()
    local woken = start(function()
      task.park()
      step "woken"
    end)
    local queued
    start(function() queued = start(note "queued") end)
    task.wake(woken)
    woken:cancel()
    queued:cancel()
    helper.settle()
    assert.same({}, steps)
  end)

  it("that cancels itself ends at once, through pcall", function()
    local t
    t = task.new(owner)
    task.run(t, function()
      local _ <close> = closing(note "closed")
      pcall(function() t:cancel() end)
      step "went on"
    end)
    assert.same({ "closed" }, steps)
    assert.equal("cancelled", t.state)
  end)

  it("that cancels itself where it cannot wait ends at its next wait, or its end", function()
    local t = task.new(owner)
    task.run(t, function()
      table.sort({ 2, 1 }, function()
        t:cancel()
        return false
      end)
      step "sorted"
      task.sleep(1)
      step "went on"
    end)
    assert.same({ "sorted" }, steps)
    assert.equal("cancelled", t.state)
    local other = task.new(owner)
    task.run(other, function()
      coroutine.wrap(function() other:cancel() end)()
      return "result"
    end)
    assert.equal("cancelled", other.state)
  end)

  it("reports what fails while it is closed, and what that wrote is discarded", function()
    task.on_segment(note "begin", note "commit", note "discard")
    local t = start(function()
      local _ <close> = closing(function() error("broken") end)
      task.sleep(1)
    end)
    steps = {}
    t:cancel()
    helper.turn()
    assert.truthy(reports[1].traceback:find("broken"))
    assert.equal("cancelled", t.state)
    assert.same({ "begin", "discard", "begin", "commit" }, steps)
  end)

  it("tells its end as a bad one", function()
    local t = start(task.sleep, 1)
    t:on_end(function(_, ok) step(ok) end)
    t:cancel()
    helper.turn()
    assert.same({ false }, steps)
  end)

  it("stays ended: a cancel after the end changes nothing", function()
    local t = start(function() end)
    t:cancel()
    helper.turn()
    assert.equal("done", t.state)
  end)

  it("ends with all of its owner, the oldest first, and those of others go on", function()
    local other = task.owner("other", core.account("other"), report)
    for i = 1, 4 do
      local t = start(function()
        local _ <close> = closing(note(i))
        task.sleep(1)
        step "never"
      end)
      if i == 1 then t:on_end(function() end) end
    end
    owner.list[1]:cancel()
    task.start(other, function()
      task.sleep(1)
      step "other"
    end)
    task.cancel_all(owner)
    helper.turn(1000)
    helper.turn(1000)
    assert.same({ 1, 2, 3, 4, "other" }, steps)
  end)

  it("ends with all of its owner at its next wait when it runs", function()
    start(function()
      task.cancel_all(owner)
      step "unloaded"
      task.turn()
      step "never"
    end)
    helper.settle()
    assert.same({ "unloaded" }, steps)
  end)

  it("leaves nothing behind, a thousand times", function()
    local function reload()
      owner = task.owner("bot", core.account("bot"), report)
      for i = 1, 10 do start(task.sleep, 1000 + i) end
      task.cancel_all(owner)
      helper.settle()
    end
    reload()
    collectgarbage()
    collectgarbage()
    local before = collectgarbage("count")
    for _ = 1, 1000 do reload() end
    collectgarbage()
    collectgarbage()
    assert.is_true(collectgarbage("count") - before < 20)
    assert.is_nil((helper.turn()))
  end)
end)

describe("join", function()
  before_each(set_up)
  after_each(tear_down)

  local function join(t, span)
    start(function() steps = table.pack(t:join(span)) end)
    helper.settle()
  end

  it("returns the results, of one that ends and of one that has ended", function()
    local t = start(function()
      task.sleep(1)
      return 1, nil, 3
    end)
    join(t)
    assert.same({}, steps)
    helper.settle(1000)
    assert.same({ n = 3, 1, nil, 3 }, steps)
    join(t)
    assert.same({ n = 3, 1, nil, 3 }, steps)
    join(start(function() end))
    assert.same({ n = 0 }, steps)
  end)

  it("returns why a task failed", function()
    join(start(error, "broken", 0))
    assert.same({ n = 3, nil, "broken", "failed" }, steps)
  end)

  it("returns that a task was cancelled", function()
    local t = start(task.sleep, 1)
    join(t)
    t:cancel()
    helper.settle()
    assert.same({ n = 3, nil, "the task was cancelled", "cancelled" }, steps)
  end)

  it("returns when the time is over, and leaves nothing at the task", function()
    local t = start(task.sleep, 10)
    join(t, 1)
    helper.settle(1000)
    assert.same({ n = 3, nil, "the task still runs", "timeout" }, steps)
    assert.equal(0, #t.waiters)
    join(t, 20)
    helper.settle(9000)
    assert.same({ n = 0 }, steps)
  end)

  it("wakes all who wait, in order", function()
    local t = start(task.sleep, 1)
    for i = 1, 3 do
      start(function()
        t:join()
        step(i)
      end)
    end
    helper.settle(1000)
    assert.same({ 1, 2, 3 }, steps)
  end)

  it("on oneself is an error", function()
    local t = task.new(owner)
    task.run(t, function() t:join() end)
    assert.truthy(reports[1].traceback:find("task_spec.lua:%d+: a task cannot wait for its own end"))
  end)

  it("is refused where nothing can wait, and leaves nothing at the task", function()
    local t = start(task.sleep, 1)
    local ok, why = pcall(function() t:join() end)
    assert.is_false(ok)
    assert.truthy(why:find("only a task can wait"))
    assert.is_nil(t.waiters)
  end)

  it("leaves nothing at the task when it is cancelled", function()
    local t = start(task.sleep, 1)
    local waiting = start(function() t:join() end)
    waiting:cancel()
    helper.settle()
    assert.equal(0, #t.waiters)
  end)
end)

describe("what is done later", function()
  before_each(set_up)
  after_each(tear_down)

  it("is called at the loop's level in the next tick, and an error is logged", function()
    start(function()
      task.later(function()
        step(task.running() == nil)
        start(note "at once")
        step "behind"
      end)
      task.later(error)
      task.later(note "another")
    end)
    assert.same({}, steps)
    helper.turn()
    assert.same({ true, "at once", "behind", "another" }, steps)
    assert.equal(1, #helper.logged)
  end)

  it("may ask for more of it, or cancel, and there is another tick at once", function()
    local t = start(task.park)
    helper.settle()
    task.later(function() task.later(function() t:cancel() end) end)
    assert.equal(helper.now_us, (helper.turn()))
    assert.equal(helper.now_us, (helper.turn()))
    helper.turn()
    assert.equal("cancelled", t.state)
  end)
end)
