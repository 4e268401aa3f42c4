local fake_node = require "tests.lua.fake_node"
local helper = require "tests.lua.helper"

local w

local function names()
  local list = {}
  for i, s in ipairs(w.hub.scripts:list()) do list[i] = s.name .. " " .. s.state end
  return list
end

local function logged(text)
  for _, line in ipairs(helper.logged) do
    if line:find(text, 1, true) then return true end
  end
  return false
end

describe("loading a script", function()
  before_each(function() w = fake_node.new() end)

  it("runs it, by the name of its file, behind the others", function()
    w:load("one", "")
    fake_node.files["bots/two.lua"] = ""
    w:run(w.hub.scripts.load, w.hub.scripts, "bots/two.lua")
    assert.same({ "one running", "two running" }, names())
  end)

  it("finds what it requires beside it", function()
    fake_node.files["bots/two.lua"], fake_node.files["bots/words.lua"] = "word = require 'words'", "return 'hi'"
    w:run(w.hub.scripts.load, w.hub.scripts, "bots/two.lua")
    assert.equal("hi", w:find("two").env.word)
  end)

  it("lets the main chunk wait", function()
    fake_node.files["bot.lua"] = "task.sleep(9) node:hear('', function() return 'x' end)"
    local results = w:run(w.hub.scripts.load, w.hub.scripts, "bot.lua")
    assert.is_nil(results[1])
    assert.same({}, names())
    helper.settle(9000)
    assert.equal("running", results[1].state)
    w:say "hi"
    assert.same({ "x" }, w:replies())
  end)

  it("fails when the main chunk takes longer than ten seconds, and nothing of it goes on", function()
    fake_node.files["bot.lua"] = "task.sleep(11) node:emit('*', 'note', 1)"
    local results = w:run(w.hub.scripts.load, w.hub.scripts, "bot.lua")
    helper.settle(10000)
    assert.same({ nil, "its main chunk took longer than 10 seconds", "failed" }, results)
    helper.settle(5000)
    assert.same({}, names())
    assert.same({}, w.raw.emitted)
  end)

  it("registers and starts nothing before the main chunk has succeeded", function()
    fake_node.files["bot.lua"] = [[
      node:hear("", function() return "x" end)
      task.spawn(function() node:emit("*", "note", 1) end)
      node:emit("*", "note", 2)
      node:job("j", print)
      task.sleep(1)
    ]]
    w:run(w.hub.scripts.load, w.hub.scripts, "bot.lua")
    w:say "hi"
    assert.same({}, w.raw.sent)
    assert.same({}, w.raw.emitted)
    assert.same({}, w.hub.jobs.handlers)
    helper.settle(1000)
    assert.equal(2, #w.raw.emitted)
    assert.is_truthy(w.hub.jobs.handlers.j)
  end)

  it("that fails leaves nothing: no send, no task, no handler, no name", function()
    local s, why, code = w:load("bot", [[
      node:hear("", function() return "x" end)
      node:serve("s", print)
      task.spawn(function() node:emit("*", "note", 1) end)
      node:send("eva", "hi")
      error "broken"
    ]])
    assert.same({ nil, "bot.lua:5: broken", "failed" }, { s, why, code })
    w:say "hi"
    helper.settle(1000)
    assert.same({}, w.raw.sent)
    assert.same({}, w.raw.emitted)
    assert.same({}, names())
    assert.is_truthy(w:load("other", [[ assert(node:serve("s", print)) ]]))
  end)

  it("that is cancelled leaves nothing, and another can be loaded", function()
    fake_node.files["bot.lua"] = "task.sleep(5) node:emit('*', 'note', 1)"
    local task = require "moth.task"
    local loading = task.spawn(w.hub.scripts.load, w.hub.scripts, "bot.lua")
    helper.settle()
    loading:cancel()
    helper.settle(6000)
    assert.same({}, w.raw.emitted)
    assert.same({}, names())
    assert.is_truthy(w:load("other", ""))
  end)

  it("says what cannot be read or compiled", function()
    local results = w:run(w.hub.scripts.load, w.hub.scripts, "gone.lua")
    assert.same({ nil, "cannot read gone.lua: there is no such file", "failed" }, results)
    local _, why = w:load("bot", "x = = 1")
    assert.truthy(why:find("bot.lua:1: unexpected symbol", 1, true))
  end)

  it("refuses a name that is none, one that is loaded, and two at a time", function()
    local results = w:run(w.hub.scripts.load, w.hub.scripts, "my bot.lua")
    assert.same({ nil, "a script's file name is of letters, digits, dots, - and _", "argument" }, results)
    w:load("one", "")
    local _, why, code = w:load("one", "")
    assert.same({ "one is loaded already; 'reload one' takes in what was changed", "in_use" }, { why, code })
    fake_node.files["slow.lua"] = "task.sleep(1)"
    w:run(w.hub.scripts.load, w.hub.scripts, "slow.lua")
    _, why, code = w:load("two", "")
    assert.same({ "slow is being loaded; one at a time", "busy" }, { why, code })
  end)

  it("takes the place of one of its name that is parked", function()
    w:load("one", "")
    w:load("two", "")
    w.hub.scripts:kill "one"
    w:load("one", "")
    assert.same({ "one running", "two running" }, names())
  end)
end)

describe("reloading a script", function()
  local OLD = [[ node:hear("", function() return "old" end) task.every(1, function() node:emit("*", "tick", 1) end) ]]
  local NEW = [[ node:hear("", function() return "new" end) ]]

  before_each(function()
    w = fake_node.new()
    w:load("bot", OLD)
    w:load("last", [[ node:hear("", function() return "last" end) ]])
  end)

  it("puts the new one in the old one's place, and ends all of the old", function()
    w:find("bot").env.node:serve("s", print)
    local old = w:find("bot")
    assert.equal("running", w:reload("bot", NEW).state)
    assert.same({ "bot running", "last running" }, names())
    w:say "hi"
    assert.same({ "new" }, w:replies())
    helper.settle(2000)
    assert.same({}, w.raw.emitted)
    assert.equal(0, old.owner.tasks)
    assert.equal("gone", old.state)
  end)

  it("keeps the old one until the new one's main chunk has ended", function()
    fake_node.files["bot.lua"] = "task.sleep(3)" .. NEW
    w:run(w.hub.scripts.reload, w.hub.scripts, "bot")
    w:say "hi"
    helper.settle(2000)
    assert.same({ "old" }, w:replies())
    assert.equal(1, #w.raw.emitted)
    helper.settle(1000)
    w:say "hi"
    assert.same({ "new" }, w:replies())
    local ticks = #w.raw.emitted
    helper.settle(2000)
    assert.equal(ticks, #w.raw.emitted)
  end)

  it("that fails leaves the old one as it was, be it compiling or running", function()
    for text, why in pairs { ["x = = 1"] = "bot.lua:1: unexpected symbol", [NEW .. "error 'broken'"] = "broken" } do
      local s, failure, code = w:reload("bot", text)
      assert.is_nil(s)
      assert.equal("failed", code)
      assert.truthy(failure:find(why, 1, true) and failure:find("; the old one goes on", 1, true))
      w:say "hi"
      assert.same({ "old" }, w:replies())
    end
    assert.same({ "bot running", "last running" }, names())
    helper.settle(1000)
    assert.equal(1, #w.raw.emitted)
  end)

  it("lets the new one serve what the old one served, and do its jobs", function()
    local text = [[ assert(node:serve("s", function() return 1 end)) node:job("j", print) ]]
    w:reload("bot", text)
    assert.equal("running", w:reload("bot", text).state)
    assert.equal(w:find("bot").owner, w.hub.jobs.handlers.j.owner)
  end)

  it("starts a parked one anew", function()
    w.hub.scripts:kill "bot"
    local _, why = w:reload("bot", "error 'broken'")
    assert.truthy(why:find("; the old one stays parked", 1, true))
    assert.equal("running", w:reload("bot", NEW).state)
    assert.same({ "bot running", "last running" }, names())
  end)

  it("refuses a name that is not loaded, and the prompt", function()
    w.hub.scripts:session "prompt"
    for _, name in ipairs { "gone", "prompt" } do
      local results = w:run(w.hub.scripts.reload, w.hub.scripts, name)
      assert.same({ nil, ("no script %s is loaded"):format(name), "not_found" }, results)
    end
  end)

  it("puts it last when the old one was unloaded meanwhile", function()
    w:reload("bot", [[ script.unload = function() node:emit("*", "bye", 1) end ]])
    fake_node.files["bot.lua"] = "task.sleep(1)"
    w:run(w.hub.scripts.reload, w.hub.scripts, "bot")
    w.hub.scripts:unload "bot"
    helper.settle(1000)
    assert.same({ "last running", "bot running" }, names())
    assert.equal(1, #w.raw.emitted)
  end)

  describe("hands over", function()
    local SAVES = "script.save = function() return { n = 7, list = { 'a' } } end"
    local RESTORES = "script.restore = function(v) restored = v end"

    it("what script.save gives to script.restore, as a copy", function()
      w:reload("bot", "state = { n = 7, list = { 'a' } } script.save = function() return state end")
      local state = w:find("bot").env.state
      w:reload("bot", RESTORES)
      assert.same(state, w:find("bot").env.restored)
      assert.not_equal(state, w:find("bot").env.restored)
      assert.not_equal(state.list, w:find("bot").env.restored.list)
    end)

    it("nothing when nothing was saved or nobody takes it", function()
      w:reload("bot", "script.save = function() return nil end")
      w:reload("bot", RESTORES)
      assert.is_nil(rawget(w:find("bot").env, "restored"))
      w:reload("bot", SAVES)
      assert.is_truthy(w:reload("bot", ""))
    end)

    it("before the old one's script.unload and the new one's first task", function()
      w:reload("bot", SAVES .. [[ script.unload = function() node:emit("*", "note", "unload") end ]])
      w:reload("bot", [[
        script.restore = function() order = "restored" end
        node:emit("*", "note", "start")
        task.spawn(function() order = order .. " started" end)
      ]])
      assert.equal("restored started", w:find("bot").env.order)
      assert.same({ "unload", "start" }, { w.raw.emitted[1][3], w.raw.emitted[2][3] })
    end)

    for text, why in pairs {
      ["function() error 'no' end"] = "its script.save failed: bot.lua:1: no",
      ["function() return print end"] = "its script.save failed: a function cannot be handed over",
      ["function() local t = {} t.t = t return t end"] =
        "its script.save failed: tables that are nested so deep cannot be handed over",
      ["function() task.sleep(1) end"] = "its script.save failed: bot.lua:1: nothing can wait here",
    } do
      it("nothing, and the old one goes on, with save = " .. text, function()
        w:reload("bot", OLD .. "script.save = " .. text)
        local s, failure = w:reload("bot", NEW)
        assert.is_nil(s)
        assert.equal(why, failure:sub(1, #why))
        w:say "hi"
        assert.same({ "old" }, w:replies())
      end)
    end

    it("nothing, and the old one goes on, when script.restore fails", function()
      w:reload("bot", OLD .. SAVES)
      local _, failure = w:reload("bot", NEW .. "script.restore = function() error 'no' end")
      assert.equal("its script.restore failed: bot.lua:1: no; the old one goes on", failure)
      w:say "hi"
      assert.same({ "old" }, w:replies())
    end)
  end)
end)

describe("unloading a script", function()
  before_each(function() w = fake_node.new() end)

  it("ends all that it made", function()
    local s = w:load("bot", [[
      node:hear("", function() return "x" end)
      node:job("j", print)
      task.every(1, function() node:emit("*", "tick", 1) end)
    ]])
    assert.is_true(w.hub.scripts:unload "bot")
    w:say "hi"
    helper.settle(2000)
    assert.same({}, w.raw.sent)
    assert.same({}, w.raw.emitted)
    assert.same({}, w.hub.jobs.handlers)
    assert.equal(0, s.owner.tasks)
    assert.same({}, names())
  end)

  it("calls its script.unload once; one that fails changes nothing", function()
    w:load("bot", [[ script.unload = function() node:emit("*", "bye", 1) error "broken" end ]])
    assert.is_true(w.hub.scripts:unload "bot")
    assert.equal(1, #w.raw.emitted)
    assert.is_true(logged "bot: bot.lua:1: broken")
    assert.same({}, names())
  end)

  it("takes a script.unload that is no function for one that fails", function()
    w:load("bot", [[ script.unload = true ]])
    assert.same({ true }, w:run(w.hub.scripts.unload, w.hub.scripts, "bot"))
    assert.is_nil(w:find("bot"))
  end)

  it("lets what it still runs make nothing new", function()
    w:load("bot", [[
      task.spawn(function()
        local _ <close> = setmetatable({}, { __close = function()
          ok, why = pcall(node.on, node, "message", print)
          could_serve = pcall(node.serve, node, "x", print)
        end })
        task.sleep(10)
      end)
    ]])
    local env = w:find("bot").env
    w:run(w.hub.scripts.unload, w.hub.scripts, "bot")
    helper.settle()
    assert.is_false(env.ok)
    assert.truthy(env.why:find("this script has ended", 1, true))
    assert.is_false(env.could_serve)
  end)

  it("does not call it when the script is parked", function()
    w:load("bot", [[ script.unload = function() node:emit("*", "bye", 1) end ]])
    w.hub.scripts:kill "bot"
    assert.is_true(w.hub.scripts:unload "bot")
    assert.same({}, w.raw.emitted)
  end)

  it("refuses a name that is not loaded, and the prompt", function()
    w.hub.scripts:session "prompt"
    for _, name in ipairs { "gone", "prompt" } do
      local ok, why, code = w.hub.scripts:unload(name)
      assert.same({ nil, ("no script %s is loaded"):format(name), "not_found" }, { ok, why, code })
    end
  end)
end)
