local fake_node = require "tests.lua.fake_node"
local helper = require "tests.lua.helper"

local EVA = fake_node.EVA
local LIMIT = 1000 -- tasks of one script, and messages that wait for one

describe("a durable message", function()
  local w

  before_each(function() w = fake_node.new() end)

  -- The place of the only step of that name.
  local function place(name)
    local found
    for i, step in ipairs(w.raw.steps) do
      if step == name then
        assert.is_nil(found, name .. " came twice")
        found = i
      end
    end
    return assert(found, "no " .. name)
  end

  it("that nobody wants is handled at once", function()
    local e = w:say "hi"
    assert.same({ { EVA, e.id } }, w.raw.was_handled)
  end)

  it("is handled in the commit of what its handler did", function()
    w:load("bot", [[ node:hear("", function() return "x" end) ]])
    w.raw.steps = {}
    w:say "hi"
    assert.same({ "begin", "send", "was_handled", "commit" }, w.raw.steps)
  end)

  it("is handled in the commit of the last of several handlers", function()
    w:load("bot", [[
      node:on("message", function() end)
      node:on("message:text", function() end)
      node:hear("", function() return "x" end)
    ]])
    w.raw.steps = {}
    w:say "hi"
    assert.same({ "begin", "commit", "begin", "commit", "begin", "send", "was_handled", "commit" }, w.raw.steps)
  end)

  it("is handled once, in the last commit of the one that ends last", function()
    w:load("bot", [[
      node:on("message", function() task.sleep(2) node:emit("*", "note", 1) end)
      node:hear("", function() task.sleep(1) end)
    ]])
    w:say "hi"
    helper.settle(1000)
    assert.same({}, w.raw.was_handled)
    w.raw.steps = {}
    helper.settle(1000)
    assert.same({ "begin", "emitted", "was_handled", "commit" }, w.raw.steps)
  end)

  it("is handled when its handler fails, after what that did was undone", function()
    w:load("bot", [[ node:hear("", function() error "broken" end) ]])
    w.raw.steps = {}
    w:say "hi"
    assert.same({ "begin", "discard", "begin", "was_handled", "commit" }, w.raw.steps)
  end)

  it("is handled when its handler is cancelled", function()
    w:load("bot", [[ node:hear("", function() task.sleep(100) end) ]])
    w:say "hi"
    w:run(w.hub.scripts.unload, w.hub.scripts, "bot")
    assert.equal(1, #w.raw.was_handled)
  end)

  it("that is no JSON has its text and no data", function()
    local env = w:load("bot", [[ node:on("message", function(msg) data, json = tostring(msg.data), msg.json end) ]]).env
    w:say("}{", { type = "data", encoding = "json" })
    assert.same({ "nil", "}{" }, { env.data, env.json })
    assert.equal(1, #w.raw.was_handled)
    w:say("}{", { type = "data", encoding = "json", durable = false })
    assert.equal(1, #w.raw.was_handled)
  end)

  it("that waits holds up nobody: each starts in order", function()
    w:load("bot", [[
      heard = {}
      node:hear("(.*)", function(_, text)
        heard[#heard + 1] = text
        if text == "slow" then task.sleep(1) end
      end)
    ]])
    local slow, quick = w:message { data = "slow" }, w:say "quick"
    assert.same({ "slow", "quick" }, w:find("bot").env.heard)
    assert.same({ { EVA, quick.id } }, w.raw.was_handled)
    helper.settle(1000)
    assert.same({ EVA, slow.id }, w.raw.was_handled[2])
  end)

  it("is one's own: what a handler changes in it no other one sees", function()
    w:load("bot", [[
      node:on("message", function(msg) msg.data.k, msg.type = 8, "mine" end)
      node:on("message", function(msg) seen = msg.data.k .. msg.type end)
    ]])
    w:say("{k=7}", { type = "data", encoding = "json" })
    assert.equal("7data", w:find("bot").env.seen)
  end)

  it("reaches nobody of a script that its first handler got parked", function()
    local env = w:load("bot", [[
      count = 0
      node:on("message", function() count = count + 1 error "used up: memory" end)
      node:on("message", function() count = count + 1 end)
      node:on("message", function() count = count + 1 end)
      node:hear("", function() count = count + 1 end)
    ]]).env
    w:load("other", [[ node:hear("", function() return "heard" end) ]])
    fake_node.memory_used = 64 << 20
    w:say "hi"
    assert.equal("parked", w:find("bot").state)
    assert.equal(1, env.count)
    assert.equal(1, #w.raw.was_handled)
    w:say "hi"
    assert.equal(1, env.count)
    assert.same({ "heard", "heard" }, w:replies())
  end)

  it("knows its text, and fields that are false", function()
    w:load("bot", [[ node:on("message", function(msg)
      seen = { msg.text, msg.to, msg.auto, msg.redelivered, tostring(msg) }
    end) ]])
    w:say("hi", { id = 0xab })
    assert.same({ "hi", fake_node.ANA, false, false, "message ab from eva" }, w:find("bot").env.seen)
  end)

  it("is shown before scripts get it", function()
    local order = {}
    w.hub.bus:on("message", function() order[1] = #w.raw.sent end)
    w:load("bot", [[ node:hear("", function() return "x" end) ]])
    w:say "hi"
    assert.same({ 0 }, order)
  end)
end)

describe("a script with too many tasks", function()
  local w, bot

  before_each(function()
    w = fake_node.new()
    bot = w:load("bot", [[
      heard, waiting = {}, {}
      node:hear("(.*)", function(_, text)
        heard[#heard + 1] = text
        if text:find "^slow" then task.sleep(tonumber(text:match "%d+")) end
        if text == "bad" then error "used up: memory" end
      end)
    ]])
  end)

  local function say_often(text, count, fields)
    for _ = 1, count do
      local e = w:message { data = text }
      for k, v in pairs(fields or {}) do e[k] = v end
    end
    helper.settle()
  end

  local function heard() return #bot.env.heard end

  it("gets durable messages later, in order", function()
    say_often("slow 1", LIMIT)
    for i = 1, 3 do w:say("late " .. i) end
    assert.equal(LIMIT, heard())
    assert.same({}, w.raw.was_handled)
    helper.settle(1000)
    assert.equal(LIMIT + 3, heard())
    assert.same({ "late 1", "late 2", "late 3" }, { table.unpack(bot.env.heard, LIMIT + 1) })
    assert.equal(LIMIT + 3, #w.raw.was_handled)
    assert.is_nil(bot.backlog)
  end)

  it("gets light ones not at all, which is counted", function()
    say_often("slow 1", LIMIT)
    w:say("light", { durable = false })
    assert.same({ { "busy" } }, w.raw.discards)
    helper.settle(1000)
    assert.equal(LIMIT, heard())
  end)

  it("starts no new message before those that wait", function()
    say_often("slow 1", LIMIT)
    w:say "first"
    helper.turn(1000) -- there is room now, and who waits starts with the next turn
    w:message { data = "light", durable = false }
    w:say "last"
    assert.same({ "first", "last" }, { table.unpack(bot.env.heard, LIMIT + 1) })
    assert.same({ { "busy" } }, w.raw.discards)
  end)

  it("pauses mail at a thousand that wait, once, and lets it go on at half", function()
    say_often("slow 1", LIMIT)
    say_often("slow 2", LIMIT - 1)
    assert.same({}, w.raw.pauses)
    say_often("slow 2", 2)
    assert.same({ { true } }, w.raw.pauses)
    helper.settle(1000)
    assert.same({ { true }, { false } }, w.raw.pauses)
    assert.equal(2 * LIMIT, heard())
  end)

  it("watches a stall once, however often the thousandth comes", function()
    local task = require "moth.task"
    say_often("slow 1", 1)
    say_often("slow 9", LIMIT - 1)
    say_often("slow 9", LIMIT)
    local tasks = task.moth.tasks
    helper.settle(1000)
    say_often("slow 9", 1)
    assert.equal(tasks, task.moth.tasks)
    assert.same({ { true } }, w.raw.pauses)
  end)

  it("is parked when mail is paused and none of them has ended for thirty seconds", function()
    say_often("slow 1000", LIMIT)
    say_often("slow 1", LIMIT)
    for _ = 1, 29 do helper.settle(1000) end
    assert.equal("running", bot.state)
    for _ = 1, 2 do helper.settle(1000) end
    assert.equal("parked", bot.state)
    assert.equal("it has too many tasks, and none has ended for 30 seconds", bot.reason)
    assert.same({ { true }, { false } }, w.raw.pauses)
    assert.equal(2 * LIMIT, #w.raw.was_handled)
    assert.equal(0, bot.owner.tasks)
  end)

  it("is not parked while some end", function()
    say_often("slow 20", 1)
    say_often("slow 1000", LIMIT - 1)
    say_often("slow 20", LIMIT + 1)
    for _ = 1, 45 do helper.settle(1000) end
    assert.equal("running", bot.state)
  end)

  it("lets mail go on only when no other script stands still", function()
    w:load("other", [[ node:on("message", function(msg)
      task.sleep(msg.text == "slow 1" and 3 or 1)
    end) ]])
    say_often("slow 1", LIMIT)
    say_often("slow 1", LIMIT)
    assert.same({ { true }, { true } }, w.raw.pauses)
    helper.settle(1000)
    assert.is_nil(w.raw.pauses[3])
    helper.settle(2000)
    assert.same({ false }, w.raw.pauses[3])
  end)

  it("that is parked in the midst of catching up starts no more, and all are handled once", function()
    local env = bot.env
    say_often("slow 1", LIMIT)
    w:say "bad"
    w:say "after"
    fake_node.memory_used = 64 << 20
    helper.settle(1000)
    assert.equal("parked", bot.state)
    assert.equal("bad", env.heard[#env.heard])
    assert.equal(LIMIT + 2, #w.raw.was_handled)
  end)

  it("that is unloaded leaves its messages handled", function()
    say_often("slow 1", LIMIT)
    w:say "late"
    w:run(w.hub.scripts.unload, w.hub.scripts, "bot")
    assert.equal(LIMIT + 1, #w.raw.was_handled)
    assert.equal(LIMIT, heard())
  end)
end)
