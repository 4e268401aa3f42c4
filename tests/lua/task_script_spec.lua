local helper = require "tests.lua.helper"
local core = require "moth.core"
local task = require "moth.task"

-- What a script sees of tasks.
describe("a script's", function()
  local script, mine, reports, steps

  local function step(name)
    steps[#steps + 1] = name
  end

  local function note(name)
    return function() step(name) end
  end

  -- Runs as a task of the script, and what is left to do at once.
  local function run(fn, ...)
    local t = task.start(script.owner, fn, ...)
    helper.settle()
    return t
  end

  -- What a call returned that is made in a task of the script, when it returns.
  local function call(fn, ...)
    run(function(...) steps = table.pack(fn(...)) end, ...)
  end

  local function pass(ms)
    for _ = 1, ms do helper.settle(1) end
  end

  before_each(function()
    task.cancel_all(task.moth)
    helper.settle()
    helper.reset()
    reports, steps = {}, {}
    script = { state = "running", pending = {} }
    script.owner = task.owner("bot", core.account("bot"), function(traceback) reports[#reports + 1] = traceback end)
    function script:when_running(fn)
      self.pending[#self.pending + 1] = fn
    end
    mine = task.for_owner(script)
  end)

  after_each(function()
    task.cancel_all(script.owner)
    helper.settle()
    assert.equal(0, script.owner.tasks)
    assert.is_nil((helper.turn()))
  end)

  describe("spawn", function()
    it("starts a task of the script, and says where", function()
      local t
      run(function() t = mine.spawn(function(a) step(a) end, "ran") end)
      assert.same({ "ran" }, steps)
      assert.truthy(tostring(t):find("^task .*task_script_spec.lua:%d+: done$"))
    end)

    it("gives nothing away but join and cancel", function()
      local h
      run(function() h = mine.spawn(mine.sleep, 1) end)
      assert.equal("task", getmetatable(h))
      assert.is_nil(next(h))
      assert.is_nil(h.owner)
      call(function() return h:join("10ms") end)
      pass(10)
      assert.same({ n = 3, nil, "the task still runs", "timeout" }, steps)
      h:cancel()
      call(function() return h:join() end)
      assert.same({ n = 3, nil, "the task was cancelled", "cancelled" }, steps)
    end)

    it("refuses what is no function, and a join without a colon", function()
      run(function() mine.spawn(7) end)
      run(function() mine.spawn(mine.sleep, 0).join() end)
      assert.truthy(reports[1]:find("task_script_spec.lua:%d+: bad argument #1 to spawn"))
      assert.truthy(reports[2]:find("task_script_spec.lua:%d+: join is called with a colon"))
    end)

    it("says so when there are too many tasks", function()
      script.owner.limit = 1
      call(function() return mine.spawn(note "never") end)
      assert.same({ n = 3, nil, "too many tasks of this script have not ended", "busy" }, steps)
    end)

    it("says so when the script has ended", function()
      script.state = "gone"
      call(function() return mine.spawn(note "never") end)
      assert.same({ n = 3, nil, "this script has ended: it can start nothing", "cancelled" }, steps)
    end)

    it("waits while the script loads, and cannot be joined then", function()
      script.state = "loading"
      local h
      run(function() h = mine.spawn(function(...) steps = table.pack(...) end, 1, nil) end)
      assert.same({}, steps)
      run(function() h:join() end)
      assert.truthy(reports[1]:find("task_script_spec.lua:%d+: what the main chunk starts runs after its end"))
      script.state = "running"
      script.pending[1]()
      helper.settle()
      assert.same({ n = 2, 1, nil }, steps)
      call(function() return h:join() end)
      assert.same({ n = 0 }, steps)
    end)

    it("can be cancelled while the script loads", function()
      script.state = "loading"
      run(function()
        mine.spawn(note "never"):cancel()
        mine.every(0.001, note "never"):cancel()
      end)
      script.state = "running"
      for _, fn in ipairs(script.pending) do fn() end
      pass(5)
      assert.same({}, steps)
    end)
  end)

  describe("after", function()
    it("runs once, then", function()
      run(function() mine.after(0.005, note "ran") end)
      pass(4)
      assert.same({}, steps)
      pass(20)
      assert.same({ "ran" }, steps)
    end)

    it("does not run when it is cancelled, or its script is", function()
      local h
      run(function()
        h = mine.after(0.005, note "never")
        mine.after(0.005, note "never")
        mine.after(0.005, note "never"):cancel()
      end)
      h:cancel()
      pass(2)
      task.cancel_all(script.owner)
      pass(10)
      assert.same({}, steps)
    end)

    it("counts from the call while the script loads", function()
      script.state = "loading"
      run(function() mine.after(0.005, note "ran") end)
      pass(4)
      script.pending[1]()
      pass(1)
      assert.same({ "ran" }, steps)
    end)

    it("may wait like any task", function()
      run(function()
        mine.after(0.001, function()
          mine.sleep(0.001)
          step "waited"
        end)
      end)
      pass(2)
      assert.same({ "waited" }, steps)
    end)

    it("refuses what is no span and no function", function()
      run(function() mine.after("soon", note "never") end)
      run(function() mine.after(1) end)
      assert.truthy(reports[1]:find("task_script_spec.lua:%d+: no time span"))
      assert.truthy(reports[2]:find("task_script_spec.lua:%d+: bad argument #2 to after"))
    end)
  end)

  describe("at", function()
    it("runs at that time of the wall's clock", function()
      run(function() mine.at(helper.wall + 90, note "ran") end)
      helper.settle(89999)
      assert.same({}, steps)
      helper.settle(1)
      assert.same({ "ran" }, steps)
    end)

    it("runs at once when that is over", function()
      run(function() mine.at(helper.wall - 90, note "ran") end)
      assert.same({ "ran" }, steps)
    end)

    it("follows a clock that is set, within a minute", function()
      run(function()
        mine.at(helper.wall + 7200, note "ran")
        mine.at(helper.wall + 70, note "not yet")
      end)
      helper.wall = helper.wall + 7200
      helper.settle(60000)
      assert.same({ "ran", "not yet" }, steps)
      run(function() mine.at(helper.wall + 70, note "later") end)
      helper.wall = helper.wall - 3600
      helper.settle(100000)
      assert.equal(2, #steps)
      helper.settle(3600000)
      assert.equal("later", steps[3])
    end)

    it("refuses what is no time and no function", function()
      run(function() mine.at("noon", note "never") end)
      run(function() mine.at(0 / 0, note "never") end)
      run(function() mine.at(1) end)
      for i = 1, 2 do assert.truthy(reports[i]:find("task_script_spec.lua:%d+: bad argument #1 to at")) end
      assert.truthy(reports[3]:find("task_script_spec.lua:%d+: bad argument #2 to at"))
    end)
  end)

  describe("every", function()
    it("runs again and again, in step", function()
      local began = helper.now_us
      run(function() mine.every(0.010, function() step((helper.now_us - began) // 1000) end) end)
      helper.settle(13)
      helper.settle(6)
      helper.settle(1)
      helper.settle(11)
      assert.same({ 13, 20, 31 }, steps)
    end)

    it("never overlaps itself, and leaves out what it missed", function()
      local began, running = helper.now_us, 0
      run(function()
        mine.every(0.010, function()
          running = running + 1
          step((helper.now_us - began) // 1000)
          assert(running == 1)
          mine.sleep(0.025)
          running = running - 1
        end)
      end)
      pass(90)
      assert.same({ 10, 40, 70 }, steps)
    end)

    it("goes on after an error", function()
      run(function() mine.every(0.010, function() error("broken") end) end)
      pass(30)
      assert.equal(3, #reports)
      assert.equal(1, script.owner.tasks)
    end)

    it("ends when it is cancelled, by itself too", function()
      local h
      run(function()
        h = mine.every(0.010, function()
          step(#steps)
          if #steps == 2 then h:cancel() end
        end)
      end)
      pass(100)
      assert.same({ 0, 1 }, steps)
      call(function() return h:join() end)
      assert.equal("cancelled", steps[3])
    end)

    it("ends when its error ends the script", function()
      script.owner.report = function() task.cancel_all(script.owner) end
      run(function() mine.every(0.010, function() error("broken") end) end)
      pass(20)
      assert.equal(0, script.owner.tasks)
    end)

    it("runs a thousand times a second at most", function()
      run(function() mine.every(0, note "ran") end)
      for _ = 1, 10 do helper.turn(0.5) end
      assert.equal(5, #steps)
    end)

    it("refuses what is no span and no function", function()
      run(function() mine.every({}, note "never") end)
      run(function() mine.every(1) end)
      assert.truthy(reports[1]:find("task_script_spec.lua:%d+: a time span is"))
      assert.truthy(reports[2]:find("task_script_spec.lua:%d+: bad argument #2 to every"))
    end)
  end)

  describe("all", function()
    local function sleeper(ms, ...)
      local results = table.pack(...)
      return function()
        mine.sleep(ms / 1000)
        return table.unpack(results, 1, results.n)
      end
    end

    it("waits for all and gives what each returned first", function()
      call(mine.all, { a = sleeper(5, "A", "dropped"), b = sleeper(2, "B"), [3] = sleeper(9) })
      pass(8)
      assert.same({}, steps)
      pass(1)
      assert.same({ n = 1, { a = "A", b = "B" } }, steps)
    end)

    it("starts them in the order of their keys, as tasks of the script", function()
      local function member(name)
        return function() step(name .. tostring(task.running().owner == script.owner)) end
      end
      local functions = { [10] = member "ten", [2] = member "two", b = member "b", a = member "a", [true] = member "t" }
      run(function() mine.all(functions) end)
      assert.same({ "twotrue", "tentrue", "atrue", "btrue", "ttrue" }, steps)
    end)

    it("of none is over at once", function()
      call(mine.all, {})
      assert.same({ n = 1, {} }, steps)
    end)

    it("ends with the first error and cancels the rest", function()
      call(mine.all, { a = sleeper(50), b = function()
        mine.sleep(0.005)
        error("broken", 0)
      end })
      pass(5)
      assert.same({ n = 3, nil, "broken", "failed" }, steps)
      assert.equal(1, #reports)
      assert.equal(0, script.owner.tasks)
    end)

    it("wakes its task once: an error and a cancel later disturb no other wait", function()
      local function fail()
        mine.sleep(0.001)
        error("broken", 0)
      end
      run(function()
        mine.all { a = fail, b = fail, c = sleeper(50) }
        steps = table.pack(task.park(helper.now_us + 5000))
      end)
      pass(10)
      assert.same({ n = 2, nil, "timeout" }, steps)
    end)

    it("takes its members with it when it is cancelled", function()
      local t = run(function()
        mine.all { a = function()
          mine.all { b = function()
            local _ <close> = setmetatable({}, { __close = note "closed" })
            mine.sleep(1)
          end }
        end, c = sleeper(1) }
      end)
      pass(10)
      assert.equal(2 + 1, script.owner.tasks)
      t:cancel()
      helper.turn()
      assert.same({ "closed" }, steps)
      assert.equal(0, script.owner.tasks)
    end)

    it("is refused when there would be too many tasks, and starts none", function()
      script.owner.limit = 2
      call(mine.all, { note "never", note "never" })
      assert.same({ n = 3, nil, "too many tasks of this script have not ended", "busy" }, steps)
    end)

    it("refuses what are no functions, and to wait where nothing can", function()
      run(function() mine.all(7) end)
      run(function() mine.all { a = 7 } end)
      run(function() coroutine.wrap(function() mine.all { note "never" } end)() end)
      assert.truthy(reports[1]:find("task_script_spec.lua:%d+: bad argument #1 to all"))
      assert.truthy(reports[2]:find("task_script_spec.lua:%d+: all: a is no function"))
      assert.truthy(reports[3]:find("task_script_spec.lua:%d+: only a task can wait, not a coroutine inside it"))
      assert.same({}, steps)
    end)

    it("says where, and answers for whom, its task does", function()
      local t = task.new(script.owner)
      t.from = "eva"
      task.run(t, function()
        mine.all { function()
          step(task.running().from)
          step(task.running().site)
        end }
      end)
      helper.settle()
      assert.equal("eva", steps[1])
      assert.truthy(steps[2]:find("task_script_spec.lua:%d+$"))
    end)

    it("works while the script loads", function()
      script.state = "loading"
      call(mine.all, { a = sleeper(1, "A") })
      pass(1)
      assert.same({ n = 1, { a = "A" } }, steps)
    end)
  end)

  describe("race", function()
    local function after_ms(ms, fn)
      return function()
        local _ <close> = setmetatable({}, { __close = function() step "closed" end })
        mine.sleep(ms / 1000)
        return fn()
      end
    end

    it("gives the key and results of the first, and cancels the rest", function()
      run(function()
        local won = table.pack(mine.race {
          slow = after_ms(50, note "never"),
          quick = after_ms(5, function() return nil, 2 end),
        })
        step(won)
      end)
      pass(100)
      assert.same({ "closed", { n = 3, "quick", nil, 2 }, "closed" }, steps)
      assert.equal(0, script.owner.tasks)
    end)

    it("goes on without one that fails", function()
      call(mine.race, { bad = function() error("broken") end, good = function()
        mine.sleep(0.005)
        return "won"
      end })
      pass(5)
      assert.same({ n = 2, "good", "won" }, steps)
      assert.equal(1, #reports)
    end)

    it("is lost when all have failed", function()
      call(mine.race, { a = function() error("first", 0) end, b = function() error("last", 0) end })
      assert.same({ n = 3, nil, "last", "failed" }, steps)
    end)

    it("is won by the first of two that end in the same tick", function()
      call(mine.race, { a = function() return 1 end, b = function() return 2 end })
      assert.same({ n = 2, "a", 1 }, steps)
    end)

    it("of none is an error", function()
      run(function() mine.race {} end)
      assert.truthy(reports[1]:find("task_script_spec.lua:%d+: race needs a function"))
    end)
  end)
end)
