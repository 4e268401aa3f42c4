local fake_node = require "tests.lua.fake_node"
local helper = require "tests.lua.helper"

local w

local function raise(name, e)
  w:raise(name, e)
  helper.settle()
end

describe("events", function()
  before_each(function() w = fake_node.new() end)

  it("reach moth's own handlers, then the scripts in load order", function()
    local order = {}
    for _, name in ipairs { "one", "two" } do
      local env = w:load(name, "").env
      env.node:on("link:up", function(e) order[#order + 1] = name .. e.peer end)
    end
    w.raw:on("link:up", function() order[#order + 1] = "moth" end)
    raise("link:up", { peer = "x" })
    assert.same({ "moth", "onex", "twox" }, order)
  end)

  it("are everybody's own: what a handler changes no other one sees", function()
    local env = w:load("bot", [[
      node:on("route", function(e) e.hops = 8 end)
      node:on("route", function(e) seen = e.hops end)
    ]]).env
    raise("route", { hops = 2 })
    assert.equal(2, env.seen)
  end)

  it("of a state give the message itself", function()
    local env = w:load("bot", [[ node:on("state", function(m) seen = m end) m = node:send("eva", "x") ]]).env
    raise("state", w.raw.sent[1].m)
    assert.equal(w.raw.sent[1].m, env.seen)
  end)

  it("of a dial and a note are moth's alone", function()
    local heard = 0
    for _, name in ipairs { "dial", "note" } do
      w.raw:on(name, function() heard = heard + 1 end)
      raise(name, {})
    end
    assert.equal(2, heard)
  end)

  it("a peer can cause reach only message handlers, whatever type it names", function()
    local env = w:load("bot", [[
      for _, name in ipairs { "error", "link:down", "stop", "state" } do
        node:on(name, function() seen = name end)
      end
    ]]).env
    for _, kind in ipairs { "error", "link:down", "stop", "state" } do w:say("hi", { type = kind }) end
    assert.is_nil(rawget(env, "seen"))
  end)

  it("are not heard by a script with too many tasks, which is counted", function()
    local s = w:load("bot", [[ node:on("route", function() task.sleep(100) end) ]])
    s.owner.limit = 1
    raise("route", {})
    raise("route", {})
    assert.same({ { "busy" } }, w.raw.discards)
  end)

  it("reach no second handler of a script that the first one got parked", function()
    fake_node.memory_used = 64 << 20
    local env = w:load("bot", [[
      count = 0
      for _ = 1, 2 do node:on("route", function() count = count + 1 error "used up: memory" end) end
    ]]).env
    raise("route", {})
    assert.equal(1, env.count)
  end)

  it("go on when taking one fails, which is logged", function()
    local taken = 0
    w.hub.service.take = function() error "our own mistake" end
    w.raw:on("route", function() taken = taken + 1 end)
    w:raise("request", {})
    raise("route", {})
    assert.equal(1, taken)
    assert.truthy(helper.logged[1]:find("our own mistake.*stack traceback"))
  end)

  it("wait for the next turn after a while", function()
    local taken = 0
    w.raw:on("note", function()
      taken = taken + 1
      helper.now_us = helper.now_us + 5000
    end)
    for _ = 1, 40 do w:raise("note", {}) end
    assert.is_true(helper.take_events())
    assert.equal(30, #w.raw.queue)
    for _ = 1, 3 do helper.settle() end
    assert.same({ 0, 40 }, { #w.raw.queue, taken })
  end)

  it("stop tells the scripts, and whether there is one that wants to know", function()
    assert.is_false(w.hub:stop())
    local env = w:load("bot", [[ node:on("stop", function() stopped = true end) ]]).env
    assert.is_true(w.hub:stop())
    helper.settle()
    assert.is_true(env.stopped)
  end)
end)

describe("limits", function()
  it("of scripts stand behind those of the node", function()
    w = fake_node.new()
    w.raw:methods().limits = function() return { { name = "links" } } end
    w = fake_node.new()
    local names = {}
    for i, limit in ipairs(w.raw:limits()) do names[i] = limit.name end
    assert.equal("script_hooks", names[#names])
    assert.truthy(table.concat(names, " "):find("script_cpu script_memory script_tasks", 1, true))
  end)
end)

describe("hooks", function()
  before_each(function() w = fake_node.new() end)

  -- Whether the node goes on, as C asks.
  local function ask(kind, e)
    return w.raw.hooks[kind](e or {})
  end

  it("are asked for while a script that runs has one", function()
    assert.is_nil(w.raw.hooks.accept)
    w:load("bot", [[ node:hook("accept", function() end) ]])
    assert.is_function(w.raw.hooks.accept)
    assert.is_nil(w.raw.hooks.forward)
    w.hub.scripts:unload "bot"
    assert.is_nil(w.raw.hooks.accept)
  end)

  it("veto with false only", function()
    local env = w:load("bot", [[ node:hook("forward", function(e) return verdicts[e.n] end) ]]).env
    env.verdicts = { false, true, 0, "no" }
    assert.is_false(ask("forward", { n = 1 }))
    for n = 2, 5 do assert.is_true(ask("forward", { n = n })) end
  end)

  it("are asked in load order until one vetoes", function()
    for _, name in ipairs { "one", "two", "three" } do
      w:load(name, ([[ node:hook("accept", function() asked = true return %s end) ]]):format(name ~= "two"))
    end
    assert.is_false(ask "accept")
    assert.is_true(w:find("two").env.asked)
    assert.is_nil(rawget(w:find("three").env, "asked"))
  end)

  it("that fail veto accept and pass the others, and are errors of the script", function()
    local s = w:load("bot", [[
      for _, kind in ipairs { "accept", "forward", "deliver" } do node:hook(kind, function() error "broken" end) end
    ]])
    assert.is_false(ask "accept")
    assert.is_true(ask "forward")
    assert.is_true(ask "deliver")
    helper.settle()
    assert.equal(3, s.errors)
  end)

  it("cannot wait", function()
    local s = w:load("bot", [[ node:hook("forward", function() task.sleep(1) return false end) ]])
    assert.is_true(ask "forward")
    helper.settle()
    assert.truthy(s.last_error:find("nothing can wait here", 1, true))
  end)

  it("of a script that one of them got parked by running too long are asked no more", function()
    local env = w:load("bot", [[
      node:hook("forward", function() error "used up: cpu" end)
      node:hook("forward", function() asked = true end)
    ]]).env
    assert.is_true(ask "forward")
    assert.is_true(ask "forward")
    helper.settle()
    assert.equal("parked", w:find("bot").state)
    assert.equal("its hooks ran for too long", w:find("bot").reason)
    assert.is_nil(rawget(env, "asked"))
    assert.is_nil(w.raw.hooks.forward)
  end)

  it("of the prompt that run too long end with all that it made, and it goes on", function()
    local s = w.hub.scripts:session "prompt"
    s.env.node:hook("forward", function() error "used up: cpu" end)
    s.env.task.every(1, function() s.env.ticked = true end)
    assert.is_true(ask "forward")
    helper.settle(2000)
    assert.equal("running", s.state)
    assert.is_nil(w.raw.hooks.forward)
    assert.is_nil(rawget(s.env, "ticked"))
  end)

  it("see a message opened, and each its own", function()
    local env = w:load("bot", [[
      node:hook("deliver", function(msg) msg.data.k = 8 end)
      node:hook("deliver", function(msg) seen = msg.data.k return msg.from ~= "bad" end)
    ]]).env
    assert.is_true(ask("deliver", { encoding = "json", data = "{k=7}", from = "good" }))
    assert.equal(7, env.seen)
    assert.is_false(ask("deliver", { encoding = "json", data = "{k=7}", from = "bad" }))
  end)

  it("may start what runs later", function()
    local env = w:load("bot", [[ node:hook("forward", function() task.spawn(function() ran = true end) end) ]]).env
    ask "forward"
    assert.is_nil(rawget(env, "ran"))
    helper.settle()
    assert.is_true(env.ran)
  end)

  it("that use more than a part of a second together are asked no more, and end with their script", function()
    w:load("bot", [[ asked = 0 node:hook("forward", function() asked = asked + 1 end) ]])
    local core = package.loaded["moth.core"]
    local hook, ask_core = w:find("bot").env, core.ask
    core.ask = function(...) -- each takes a tenth of a second
      helper.now_us = helper.now_us + 100000
      return ask_core(...)
    end
    for _ = 1, 5 do ask "forward" end
    core.ask = ask_core
    assert.equal(3, rawget(hook, "asked"))
    helper.settle()
    assert.equal("parked", w:find("bot").state)
  end)
end)
