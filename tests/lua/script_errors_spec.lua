local fake_node = require "tests.lua.fake_node"
local helper = require "tests.lua.helper"

local w

local function says(count, text)
  for _ = 1, count do w:say(text) end
end

local function logged(text)
  local count = 0
  for _, line in ipairs(helper.logged) do
    if line:find(text, 1, true) then count = count + 1 end
  end
  return count
end

local BOT = [[
  node:hear("^error$", function() error "broken" end)
  node:hear("^cpu$", function() error "used up: cpu" end)
  node:hear("^memory$", function() error "used up: memory" end)
  node:hear("hi", function() return "hi" end)
  task.every(30, function() node:emit("*", "tick", 1) end)
  node:serve("s", print)
]]

describe("a script that fails", function()
  local bot

  before_each(function()
    w = fake_node.new()
    bot = w:load("bot", BOT)
  end)

  it("goes on, its errors counted and the last one kept", function()
    says(3, "error")
    says(1, "hi")
    assert.same({ "hi" }, w:replies())
    assert.equal(3, bot.errors)
    assert.equal("bot.lua:1: broken", bot.last_error)
  end)

  it("is parked with the hundred and first error in a minute", function()
    says(100, "error")
    assert.equal("running", bot.state)
    says(1, "error")
    assert.equal("parked", bot.state)
    assert.equal("too many errors in a minute", bot.reason)
    assert.equal(1, logged "bot is parked: too many errors in a minute; 'reload bot' starts it again")
  end)

  it("is not when they come in two minutes", function()
    says(60, "error")
    helper.settle(60000)
    says(60, "error")
    assert.equal("running", bot.state)
  end)

  it("is parked when the third dispatch in a minute ran out of time", function()
    says(2, "cpu")
    assert.equal("running", bot.state)
    says(1, "cpu")
    assert.equal("parked", bot.state)
    assert.equal("its code ran for too long too often", bot.reason)
  end)

  it("is parked for memory only when it is still short after a collection", function()
    says(5, "memory")
    assert.equal("running", bot.state)
    fake_node.memory_used = 60 << 20
    says(1, "memory")
    assert.equal("parked", bot.state)
    assert.equal("it used up the memory of all scripts", bot.reason)
  end)

  it("gets nothing any more when it is parked: no text, no event, no request, no timer, no hook", function()
    bot.env.node:on("message", function() node:emit("*", "heard", 1) end)
    bot.env.node:on("route", function() node:emit("*", "heard", 1) end)
    bot.env.node:hook("forward", function() return false end)
    assert.is_function(w.raw.hooks.forward)
    assert.is_true(w.hub.scripts:kill "bot")
    says(1, "hi")
    w:raise("route", {})
    w:raise("request", { id = 1, from = fake_node.EVA, name = "eva", type = "s", encoding = "json", data = "1" })
    helper.settle(60000)
    assert.same({}, w.raw.sent)
    assert.same({}, w.raw.emitted)
    assert.equal("no_service", w.raw.answers[1].word)
    assert.is_nil(w.raw.hooks.forward)
    assert.equal(0, bot.owner.tasks)
  end)

  it("is logged ten times a minute, with a word about the rest", function()
    says(30, "error")
    assert.equal(10, logged "broken")
    assert.equal(1, logged "bot: more errors are not logged for a minute; 'scripts' counts them")
    assert.equal(30, bot.errors)
    helper.settle(60000)
    says(1, "error")
    assert.equal(11, logged "broken")
  end)

  it("parks no other", function()
    w:load("other", [[ node:hear("", function() return "other" end) ]])
    says(3, "cpu")
    says(1, "hi")
    assert.same({ "other" }, w:replies())
  end)

  it("is never parked when it is the prompt", function()
    local s = w.hub.scripts:session "prompt"
    s.env.node:on("route", function() error "used up: cpu" end)
    for _ = 1, 5 do w:raise("route", {}) end
    helper.settle()
    assert.equal(5, s.errors)
    assert.equal("running", s.state)
  end)
end)

describe("the event error", function()
  before_each(function() w = fake_node.new() end)

  it("tells every script which one failed, why and where", function()
    w:load("bot", BOT)
    local env = w:load("watch", [[ node:on("error", function(e) seen = e end) ]]).env
    says(1, "error")
    assert.equal("bot", env.seen.script)
    assert.equal("bot.lua:1: broken", env.seen.why)
    assert.truthy(env.seen.traceback:find("\nstack traceback:\n", 1, true))
  end)

  it("is not told of a handler of it that fails, which goes on", function()
    local env = w:load("watch", [[
      seen = 0
      node:on("error", function() seen = seen + 1 task.sleep(0.001) error "I fail, too" end)
    ]]).env
    w:load("bot", BOT)
    says(2, "error")
    for _ = 1, 20 do helper.settle(1) end
    assert.equal(2, env.seen)
    assert.equal(2, w:find("watch").errors)
    assert.equal("running", w:find("watch").state)
  end)
end)

describe("killing a script", function()
  before_each(function() w = fake_node.new() end)

  it("ends its tasks and parks it, the <close> variables run", function()
    local s = w:load("bot", [[
      local class = { __close = function() node:emit("*", "closed", 1) end }
      task.spawn(function()
        local _ <close> = setmetatable({}, class)
        task.sleep(100)
        node:emit("*", "never", 1)
      end)
    ]])
    assert.is_true(w.hub.scripts:kill "bot")
    helper.settle(100000)
    assert.equal("parked", s.state)
    assert.equal("it was killed", s.reason)
    assert.equal(1, #w.raw.emitted)
    assert.equal("closed", w.raw.emitted[1][2])
  end)

  it("refuses a name that is not loaded, and one that is parked", function()
    w:load("bot", "")
    w.hub.scripts:kill "bot"
    assert.same({ nil, "bot is parked already", "in_use" }, { w.hub.scripts:kill "bot" })
    assert.same({ nil, "no script gone is loaded", "not_found" }, { w.hub.scripts:kill "gone" })
  end)

  it("ends the tasks of the prompt, which stays", function()
    local s = w.hub.scripts:session "prompt"
    s.env.task.every(1, function() s.env.node:emit("*", "tick", 1) end)
    helper.settle()
    assert.is_true(w.hub.scripts:kill "prompt")
    helper.settle(2000)
    assert.same({}, w.raw.emitted)
    assert.equal("running", s.state)
  end)
end)

describe("the log of a script", function()
  before_each(function() w = fake_node.new() end)

  it("names it, and what it is given", function()
    w:load("bot", [[ log.info("a", 1, nil, true) log.debug() log.warn "w" log.error "e" ]])
    assert.same({ "info: bot: a 1 nil true", "debug: bot: ", "warn: bot: w", "error: bot: e" }, helper.logged)
  end)

  it("takes two hundred lines at once and fifty a second, and counts the rest", function()
    w:load("bot", [[ node:hear("", function() for i = 1, 300 do log.info(i) end end) ]])
    says(1, "go")
    assert.equal(200, #helper.logged)
    helper.settle(1000)
    says(1, "go")
    assert.equal(250, #helper.logged)
    assert.equal("info: bot: 1 (100 lines before were too many)", helper.logged[201])
    assert.equal("info: bot: 2", helper.logged[202])
  end)

  it("survives what cannot be shown", function()
    local s = w:load("bot", [[ pcall(log.info, setmetatable({}, { __tostring = function() error "no" end })) ]])
    assert.equal("running", s.state)
  end)
end)
