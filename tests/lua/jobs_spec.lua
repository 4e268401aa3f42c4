local helper = require "tests.lua.helper"
local fakes = require "tests.lua.fakes"
local json = fakes.json
local jobs = require "moth.jobs"
local task = require "moth.task"

describe("jobs", function()
  local node, j, owner, reported, done

  local function start()
    j = jobs.new(node, task)
    owner, reported = fakes.owner(task)
  end

  before_each(function()
    helper.reset()
    node, done = fakes.node(), {}
    start()
  end)

  after_each(function()
    j.timer:cancel()
    task.cancel_all(owner)
    helper.settle()
  end)

  -- Nothing is left of the process but what the node kept.
  local function restart()
    j.timer:cancel()
    helper.settle()
    start()
  end

  local function note(...)
    done[#done + 1] = { n = select("#", ...), ... }
  end

  local function wait(seconds)
    for _ = 1, seconds do helper.settle(1000) end
  end

  it("runs one when its time has come, once, with its arguments", function()
    j:register(owner, "remind", note)
    local id = j:schedule(3, "remind", "ana", 7, { 1, 2 }, false)
    assert.equal("integer", math.type(id))
    wait(2)
    assert.same({}, done)
    wait(1)
    assert.equal(1, #done)
    assert.same({ "ana", 7, { 1, 2 }, false }, { table.unpack(done[1]) })
    assert.same({ id }, node.dropped)
    wait(100)
    assert.equal(1, #done)
  end)

  it("keeps arguments that are nil, the last ones too", function()
    j:register(owner, "remind", note)
    j:schedule(0, "remind", nil, "x", nil)
    j:schedule(0, "remind")
    wait(1)
    assert.same({ { n = 3, nil, "x", nil }, { n = 0 } }, done)
  end)

  it("takes a text, seconds, or a time since 1970", function()
    j:register(owner, "remind", note)
    j:schedule("2500ms", "remind", "text")
    j:schedule(1, "remind", "seconds")
    j:schedule(helper.wall + 4, "remind", "epoch")
    wait(1)
    assert.equal("seconds", done[1][1])
    wait(2)
    assert.equal("text", done[2][1])
    wait(1)
    assert.equal("epoch", done[3][1])
  end)

  it("runs at once what lies in the past", function()
    j:register(owner, "remind", note)
    j:schedule(-5, "remind")
    j:schedule(1e9, "remind")
    helper.settle()
    assert.equal(2, #done)
  end)

  it("runs them in the order of their times", function()
    j:register(owner, "remind", note)
    for _, at in ipairs { 3, 1, 2 } do j:schedule(at, "remind", at) end
    helper.settle(10000)
    assert.same({ { n = 1, 1 }, { n = 1, 2 }, { n = 1, 3 } }, done)
  end)

  it("sleeps until the next one, 30 seconds at the most", function()
    helper.settle()
    assert.equal(helper.now_us + 30000000, (helper.turn()))
    j:register(owner, "remind", note)
    j:schedule(7, "remind")
    helper.settle()
    assert.equal(helper.now_us + 7000000, (helper.turn()))
  end)

  it("runs what was missed once, when its handler is there", function()
    j:schedule(5, "remind", "ana")
    j:schedule(100, "remind", "bob")
    restart()
    wait(10)
    assert.same({}, done)
    j:register(owner, "other", note)
    helper.settle()
    assert.same({}, done)
    j:register(owner, "remind", note)
    helper.settle()
    assert.same({ { n = 1, "ana" } }, done)
    wait(90)
    assert.equal(2, #done)
  end)

  it("is dropped before those who wait for its task go on, in the commit of its last writes", function()
    local steps = {}
    owner.node = node
    task.on_segment(function() steps[#steps + 1] = "begin" end, function() steps[#steps + 1] = "commit" end,
      function() steps[#steps + 1] = "discard" end)
    local drop = node.job_drop
    node.job_drop = function(...)
      steps[#steps + 1] = "drop"
      return drop(...)
    end
    j:register(owner, "remind", function()
      task.sleep(1)
      steps = { "last segment" }
    end)
    j:schedule(0, "remind")
    wait(2)
    task.on_segment(function() end, function() end, function() end)
    assert.same({ "last segment", "drop", "commit" }, { table.unpack(steps, 1, 3) })
  end)

  it("stays while its task waits, and runs again when the process was killed meanwhile", function()
    local function begin()
      note()
      task.sleep(1000)
    end
    j:register(owner, "remind", begin)
    local id = j:schedule(0, "remind")
    wait(60)
    assert.equal(1, #done)
    assert.truthy(node.kept[id])
    restart()
    j:register(owner, "remind", note)
    helper.settle()
    assert.equal(2, #done)
    assert.is_nil(node.kept[id])
  end)

  it("is dropped when it fails, and the error is told", function()
    j:register(owner, "remind", function() error("broken") end)
    local id = j:schedule(0, "remind")
    wait(60)
    assert.is_nil(node.kept[id])
    assert.equal(1, #reported)
    assert.truthy(reported[1]:find("broken"))
  end)

  it("runs again when its script ended in the middle and came back", function()
    j:register(owner, "remind", function()
      note("old")
      task.sleep(1000)
    end)
    local id = j:schedule(0, "remind")
    wait(1)
    task.cancel_all(owner)
    j:off_owner(owner)
    wait(60)
    assert.truthy(node.kept[id])
    local new = fakes.owner(task)
    j:register(new, "remind", note)
    helper.settle()
    assert.same({ { n = 1, "old" }, { n = 0 } }, done)
    assert.is_nil(node.kept[id])
  end)

  it("runs again when the new script takes over in the same turn", function()
    j:register(owner, "remind", function() task.sleep(1000) end)
    j:schedule(0, "remind")
    wait(1)
    task.cancel_all(owner)
    j:off_owner(owner)
    j:register(fakes.owner(task), "remind", note)
    helper.settle()
    assert.equal(1, #done)
  end)

  it("does nothing of a script that ended", function()
    j:register(owner, "remind", note)
    j:schedule(5, "remind")
    j:off_owner(owner)
    wait(60)
    assert.same({}, done)
  end)

  it("tries again in a second when the script has too many tasks", function()
    owner.limit = 1
    local blocker = task.start(owner, task.sleep, 1000)
    j:register(owner, "remind", note)
    j:schedule(0, "remind")
    wait(5)
    assert.same({}, done)
    blocker:cancel()
    wait(1)
    assert.equal(1, #done)
  end)

  it("tries again in a second when the database cannot be read", function()
    j:register(owner, "remind", note)
    j:schedule(1, "remind")
    node.refuses = "store"
    wait(3)
    assert.same({}, done)
    node.refuses = nil
    wait(1)
    assert.equal(1, #done)
  end)

  it("sees within 30 seconds that the clock was set", function()
    j:register(owner, "remind", note)
    j:schedule(3600, "remind")
    wait(1)
    fakes.set_clock(3600)
    wait(31)
    assert.equal(1, #done)
  end)

  it("does not run too early when the clock is set back", function()
    j:register(owner, "remind", note)
    j:schedule(10, "remind")
    wait(5)
    fakes.set_clock(-3600)
    wait(60)
    assert.same({}, done)
    wait(3600)
    assert.equal(1, #done)
  end)

  it("does not run what was taken back", function()
    j:register(owner, "remind", note)
    local id = j:schedule(5, "remind")
    assert.is_true(j:unschedule(id))
    wait(60)
    assert.same({}, done)
    local ok, _, code = j:unschedule(id)
    assert.is_nil(ok)
    assert.equal("not_found", code)
  end)

  it("does not run what the node forgot after an error, and runs what an error brought back", function()
    j:register(owner, "remind", note)
    local id = j:schedule(5, "remind", "undone")
    node.kept[id] = nil
    id = j:schedule(5, "remind", "brought back")
    local job = node.kept[id]
    j:unschedule(id)
    node.kept[id] = job
    wait(60)
    assert.same({ { n = 1, "brought back" } }, done)
  end)

  it("lets a job schedule itself again", function()
    j:register(owner, "remind", function()
      note()
      j:schedule(10, "remind")
    end)
    j:schedule(0, "remind")
    wait(35)
    assert.equal(4, #done)
  end)

  it("takes a new handler in place of the old one of the same script", function()
    j:register(owner, "remind", error)
    j:register(owner, "remind", note)
    j:schedule(0, "remind")
    wait(1)
    assert.equal(1, #done)
    assert.same({}, reported)
  end)

  it("refuses a name that another script handles", function()
    j:register(owner, "remind", note)
    local ok, why = pcall(j.register, j, fakes.owner(task, "other"), "remind", note)
    assert.is_false(ok)
    assert.equal("the job remind belongs to bot", why)
  end)

  it("refuses names that are none", function()
    for _, name in ipairs { "", "a b", ("x"):rep(65) } do
      local id, why, code = j:schedule(1, name)
      assert.is_nil(id)
      assert.equal("argument", code)
      assert.truthy(why:find("the name of a job is up to 64"))
      assert.is_false((pcall(j.register, j, owner, name, note)))
    end
    assert.is_nil((j:schedule(1, nil)))
  end)

  it("refuses what is no time", function()
    for _, when in ipairs { "soon", 0 / 0, {}, true } do
      local id, why, code = j:schedule(when, "remind")
      assert.is_nil(id)
      assert.equal("string", type(why))
      assert.equal("argument", code)
    end
  end)

  it("refuses arguments that are no JSON", function()
    local id, why, code = j:schedule(1, "remind", print)
    assert.is_nil(id)
    assert.equal("a function cannot be JSON", why)
    assert.equal("argument", code)
    assert.same({}, node:jobs())
  end)

  it("passes on what the node refuses", function()
    node.refuses = "full"
    local id, _, code = j:schedule(1, "remind")
    assert.is_nil(id)
    assert.equal("full", code)
  end)

  it("refuses an id that is none", function()
    for _, id in ipairs { "7", 1.5, false } do
      assert.is_false((pcall(j.unschedule, j, id)))
    end
  end)

  it("runs the handler without arguments when they cannot be read", function()
    j:register(owner, "remind", note)
    local id = j:schedule(0, "remind", "ana")
    node.kept[id].arguments = "("
    wait(1)
    assert.same({ { n = 0 } }, done)
    assert.equal("nil", tostring(json.decode "("))
  end)
end)
