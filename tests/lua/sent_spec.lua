local fake_node = require "tests.lua.fake_node"
local helper = require "tests.lua.helper"

describe("a message of ours", function()
  local w, env

  before_each(function()
    w = fake_node.new()
    env = w:load("bot", [[
      function send() m = node:send("eva", "hi") return m end
      function wait(...)
        got = false
        local arguments = table.pack(...)
        task.spawn(function() got = table.pack(m:wait(table.unpack(arguments))) end)
      end
    ]]).env
    env.send()
  end)

  local function wait(...)
    w:run(env.wait, ...)
    return env.got
  end

  -- The node says that it came so far.
  local function comes_to(state, why)
    local fields = w.raw.sent[1]
    fields.state, fields.why = state, why
    w:raise("state", fields.m)
    helper.settle()
    return env.got
  end

  it("is awaited until it has that state", function()
    assert.is_false(wait "carried")
    assert.is_false(comes_to "sent")
    assert.same({ n = 1, true }, comes_to "carried")
  end)

  it("is awaited until it has a later one", function()
    wait "sent"
    assert.same({ n = 1, true }, comes_to "delivered")
  end)

  it("that has it already is not awaited", function()
    assert.same({ n = 1, true }, wait "queued")
    assert.same({ n = 1, true }, wait "pending")
  end)

  it("that ends otherwise is awaited no longer: why, and the state", function()
    wait "delivered"
    assert.same({ n = 3, nil, "nobody came for it", "expired" }, comes_to("expired", "nobody came for it"))
    assert.same({ n = 3, nil, "nobody came for it", "expired" }, wait "queued")
    comes_to "lost"
    assert.same({ n = 3, nil, "lost", "lost" }, wait "queued")
  end)

  it("is awaited for a time", function()
    wait("delivered", "250ms")
    helper.settle(249)
    assert.is_false(env.got)
    helper.settle(1)
    assert.same({ n = 3, nil, "it is still queued", "timeout" }, env.got)
  end)

  it("may be awaited by several, each for its state", function()
    wait "sent"
    local second
    w:run(function() env.task.spawn(function() second = env.m:wait "delivered" end) end)
    comes_to "sent"
    assert.is_nil(second)
    assert.same({ n = 1, true }, env.got)
    comes_to "delivered"
    assert.is_true(second)
  end)

  it("wakes nobody who waits for another one", function()
    wait "delivered"
    env.send()
    w.raw.sent[2].state = "delivered"
    w:raise("state", w.raw.sent[2].m)
    helper.settle()
    assert.is_false(env.got)
  end)

  it("refuses to be awaited in a state that is none", function()
    wait "expired"
    assert.truthy(helper.logged[1]:find("a state is pending, queued, sent, carried or delivered", 1, true))
  end)
end)

describe("a message of a main chunk", function()
  local w

  before_each(function() w = fake_node.new() end)

  local SEND = [[
    m = node:send("eva", "hi", { ttl = 60 })
    before = { m.state, tostring(m), m.id }
    could_wait, why = pcall(m.wait, m, "sent")
    cancelled = table.pack(m:cancel())
    task.spawn(function() waited = table.pack(m:wait("queued")) end)
  ]]

  it("leaves after its end, and is the real one from then on", function()
    local env = w:load("bot", SEND).env
    assert.equal("hi", w.raw.sent[1].data)
    assert.equal(60, w.raw.sent[1].options.ttl)
    assert.equal(w.raw.sent[1].id, env.m.id)
    assert.equal("queued", env.m.state)
    assert.equal("message 100", tostring(env.m))
    assert.is_true(env.m:cancel())
    assert.same({ n = 1, true }, env.waited)
  end)

  it("is pending until then, and can neither be awaited nor cancelled", function()
    local env = w:load("bot", SEND).env
    assert.same({ "pending", "not sent yet" }, env.before)
    assert.is_false(env.could_wait)
    assert.truthy(env.why:find("what the main chunk sends leaves after its end", 1, true))
    assert.same({ n = 3, nil, "it is not sent yet", "not_found" }, env.cancelled)
  end)

  it("that cannot be sent is refused, with the reason, and logged", function()
    w.raw.refuses_send = "the outbox is full"
    local env = w:load("bot", SEND).env
    assert.equal("refused", env.m.state)
    assert.equal("the outbox is full", env.m.why)
    assert.equal("not sent yet", tostring(env.m))
    assert.same({ n = 3, nil, "the outbox is full", "refused" }, env.waited)
    assert.same({ nil, "the outbox is full", "not_found" }, { env.m:cancel() })
    assert.same({ "warn: bot: nothing was sent to eva: the outbox is full" }, helper.logged)
  end)

  it("hides what it is", function()
    local env = w:load("bot", SEND).env
    assert.equal("message", getmetatable(env.m))
  end)
end)
