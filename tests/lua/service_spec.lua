local fake_node = require "tests.lua.fake_node"
local helper = require "tests.lua.helper"

local EVA, BOB = fake_node.EVA, fake_node.BOB

describe("a service", function()
  local w, last_id

  before_each(function()
    w, last_id = fake_node.new(), 0
  end)

  -- A request of eva; the answers so far.
  local function ask(name, data, fields)
    last_id = last_id + 1
    local e = { id = last_id, from = EVA, name = "eva", type = name, encoding = "json", data = data or "7" }
    for k, v in pairs(fields or {}) do e[k] = v end
    w:raise("request", e)
    helper.settle()
    return w.raw.answers
  end

  -- The word and the data of the only answer.
  local function only(answers)
    assert.equal(1, #answers)
    assert.equal(EVA, answers[1].to)
    assert.equal(last_id, answers[1].id)
    return { answers[1].word, answers[1].data }
  end

  it("answers with what it returns, in the commit of what it did", function()
    w:load("bot", [[ node:serve("double", function(n, msg) return { n * 2, msg.name } end) ]])
    assert.same({ "ok", { 14, "eva" } }, only(ask "double"))
  end)

  it("may wait before it answers", function()
    w:load("bot", [[ node:serve("slow", function() task.sleep(1) return "done" end) ]])
    assert.same({}, ask "slow")
    helper.settle(1000)
    assert.same({ "ok", "done" }, only(w.raw.answers))
  end)

  it("answers true for nil, and false for false", function()
    w:load("bot", [[ node:serve("nil", function() end) node:serve("false", function() return false end) ]])
    assert.same({ "ok", true }, only(ask "nil"))
    assert.is_false(ask "false"[2].data)
  end)

  it("takes text, too", function()
    w:load("bot", [[ node:serve("upper", function(s) return s:upper() end) ]])
    assert.same({ "ok", "ABC" }, only(ask("upper", "abc", { encoding = "text" })))
  end)

  it("that returns nil and why has failed, with that sentence", function()
    w:load("bot", [[ node:serve("s", function() return nil, "closed today" end) ]])
    assert.same({ "failed", "closed today" }, only(ask "s"))
  end)

  it("that fails answers so, once, and shows nobody its traceback", function()
    w:load("bot", [[ node:serve("s", function() task.sleep(1) error "secret" end) ]])
    ask "s"
    helper.settle(1000)
    assert.same({ "failed", "the service failed; its owner can read why in the log" }, only(w.raw.answers))
    assert.equal(1, w:find("bot").errors)
  end)

  it("that is cancelled answers so", function()
    w:load("bot", [[ node:serve("s", function() task.sleep(100) end) ]])
    ask "s"
    w:run(w.hub.scripts.kill, w.hub.scripts, "bot")
    assert.equal("failed", only(w.raw.answers)[1])
  end)

  it("that nobody serves is answered so", function()
    assert.same({ "no_service", "there is no service s" }, only(ask "s"))
  end)

  it("is busy when its script has too many tasks", function()
    w:load("bot", [[ node:serve("s", function() task.sleep(100) end) ]]).owner.limit = 1
    ask "s"
    assert.same({ "busy", "the service has too much to do" }, only(ask "s"))
  end)

  it("says when its answer cannot be sent", function()
    w:load("bot", [[ node:serve("s", function() return print end) ]])
    assert.same({ "failed", "the service could not send its answer: a function cannot be JSON" }, only(ask "s"))
  end)

  it("refuses what is no JSON", function()
    w:load("bot", [[ node:serve("s", function() error "never" end) ]])
    assert.same({ "failed", "the request is no JSON" }, only(ask("s", "}{")))
  end)

  it("ends with its handle, and may be served again", function()
    w:load("bot", [[ h = node:serve("s", function() return 1 end) ]])
    local env = w:find("bot").env
    env.h:off()
    assert.equal("no_service", ask "s"[1].word)
    assert.is_truthy(env.node:serve("s", function() return 2 end))
    assert.equal(2, ask "s"[2].data)
  end)

  it("is served by one script only, and there once", function()
    w:load("one", [[ node:serve("s", function() return 1 end) again = table.pack(node:serve("s", print)) ]])
    w:load("two", [[ refused = table.pack(node:serve("s", function() return 2 end)) ]])
    assert.same({ n = 3, nil, "it serves s already", "in_use" }, w:find("one").env.again)
    assert.same({ n = 3, nil, "one serves s already", "in_use" }, w:find("two").env.refused)
    assert.same({ "ok", 1 }, only(ask "s"))
  end)

  describe("with a schema", function()
    local function failure(data)
      w.raw.answers = {}
      local word, why = table.unpack(only(ask("s", data)))
      assert.equal("failed", word)
      return why
    end

    before_each(function()
      w:load("bot", [[
        local schema = { n = "integer", text = "string?", x = "number?", b = "boolean?", t = "table?", any = "any?" }
        node:serve("s", schema, function(data) ran = data.n return "ran" end)
      ]])
    end)

    it("takes what fits", function()
      assert.same({ "ok", "ran" }, only(ask("s", "{n=1}")))
      ask("s", "{n=2, text='a', x=1.5, b=false, t={}, any=1}")
      assert.equal(2, w:find("bot").env.ran)
    end)

    it("says what does not, once, and does not run", function()
      assert.equal("field n is missing", failure "{}")
      assert.equal("field n must be an integer", failure "{n=1.5}")
      assert.equal("field n must be an integer", failure "{n='1'}")
      assert.equal("field text must be a string", failure "{n=1, text=5}")
      assert.equal("field x must be a number", failure "{n=1, x='5'}")
      assert.equal("field b must be a boolean", failure "{n=1, b=0}")
      assert.equal("field t must be a table", failure "{n=1, t=0}")
      assert.equal("field y is unknown", failure "{n=1, y=0}")
      assert.equal("a table is needed", failure "7")
      assert.is_nil(rawget(w:find("bot").env, "ran"))
    end)

    it("refuses one that is none, where it is given", function()
      for _, schema in ipairs { "{ a = 'colour' }", "{ a = 5 }", "{ 'string' }", "{ a = 'string??' }" } do
        local _, why = w:load("bad", ("node:serve('t', %s, print)"):format(schema))
        assert.truthy(why:find("^bad.lua:1: field %w+: a schema names string, integer"), schema)
      end
    end)
  end)

  it("refuses wrong arguments", function()
    for text, why in pairs { ["5, print"] = "bad argument #1 to serve (string expected, got number)",
      ["'s'"] = "bad argument #3 to serve (function expected, got nil)",
      ["'s', 5, print"] = "bad argument #2 to serve (table expected, got number)",
      ["'S', print"] = "a service's name is up to 64 of a-z 0-9 . _ -",
      ["('s'):rep(65), print"] = "a service's name is up to 64 of a-z 0-9 . _ -" } do
      local _, failure = w:load("bad", ("node:serve(%s)"):format(text))
      assert.equal("bad.lua:1: " .. why, failure)
    end
  end)
end)

describe("a request", function()
  local w, bot

  before_each(function()
    w = fake_node.new()
    bot = w:load("bot", [[
      function ask(...)
        local arguments = table.pack(...)
        task.spawn(function() got = table.pack(node:request(table.unpack(arguments, 1, arguments.n))) end)
      end
    ]])
    bot.env.got = false
  end)

  local function ask(...)
    w:run(bot.env.ask, ...)
    return bot.env.got
  end

  local function reply(fields)
    local e = { from = EVA, name = "eva", type = "ok", encoding = "json", data = "7", re = 0x500 }
    for k, v in pairs(fields or {}) do e[k] = v end
    w:raise("reply", e)
  end

  local function answered(fields)
    reply(fields)
    helper.settle()
    return bot.env.got
  end

  it("asks that peer for that service, and waits", function()
    assert.is_false(ask("eva", "double", { 7 }))
    assert.same({ { to = EVA, name = "double", data = { 7 }, id = 0x500 } }, w.raw.requests)
  end)

  it("gives the value", function()
    ask("eva", "s")
    assert.same({ n = 1, 7 }, answered())
  end)

  it("gives the sentence and the code of a failure", function()
    ask("eva", "s")
    assert.same({ n = 3, nil, "closed today", "failed" },
      answered { type = "failed", data = "closed today", encoding = "text" })
  end)

  it("gives the code alone when there is no sentence", function()
    ask("eva", "s")
    assert.same({ n = 3, nil, "no_service", "no_service" }, answered { type = "no_service" })
  end)

  it("is over after five seconds, or after what it says", function()
    ask("eva", "s")
    helper.settle(4900)
    assert.is_false(bot.env.got)
    helper.settle(100)
    assert.same({ n = 3, nil, "no answer from eva", "timeout" }, bot.env.got)
    bot.env.got = false
    ask("eva", "s", nil, { timeout = "250ms" })
    helper.settle(250)
    assert.equal("timeout", bot.env.got[3])
  end)

  it("in vain names the peer that was asked by its id", function()
    ask(EVA, "s", nil, { timeout = 1 })
    helper.settle(1000)
    assert.equal("no answer from eva", bot.env.got[2])
  end)

  it("takes no answer that is late, and counts it", function()
    ask("eva", "s", nil, { timeout = 1 })
    helper.settle(1000)
    answered()
    assert.equal("timeout", bot.env.got[3])
    assert.same({ { "stale" } }, w.raw.discards)
    assert.same({}, w.hub.service.replies.waiting)
  end)

  it("takes no answer from another peer, and still the right one, in the same turn too", function()
    ask("eva", "s")
    reply { from = BOB, data = "666" }
    assert.same({ n = 1, 7 }, answered())
    assert.same({ { "stale" } }, w.raw.discards)
  end)

  it("takes no answer to another request", function()
    ask("eva", "s")
    ask("eva", "s")
    assert.is_false(answered { re = 0x502 })
    assert.same({ n = 1, 7 }, answered { re = 0x501 })
  end)

  it("says that an answer which is no JSON cannot be read", function()
    ask("eva", "s")
    local result = answered { data = "}{" }
    assert.is_nil(result[1])
    assert.truthy(result[2]:find("^the answer cannot be read"))
    assert.equal("malformed", result[3])
  end)

  it("is refused at once when nothing leads there or nobody is known by that name", function()
    w.raw.refuses_request = true
    assert.same({ n = 3, nil, "there is no route to that peer", "unreachable" }, ask("eva", "s"))
    assert.equal("unknown_peer", ask("nobody", "s")[3])
  end)

  it("leaves nothing behind when it is cancelled", function()
    ask("eva", "s")
    w:run(w.hub.scripts.kill, w.hub.scripts, "bot")
    assert.same({}, w.hub.service.replies.waiting)
  end)

  it("refuses wrong arguments", function()
    ask(5, "s")
    ask("eva", 5)
    ask("eva", "s", nil, 5)
    ask("eva", "s", nil, { timeout = "soon" })
    assert.equal(4, bot.errors)
    assert.truthy(helper.logged[1]:find("bot.lua:3: bad argument #1 to request", 1, true))
    assert.truthy(helper.logged[2]:find("bot.lua:3: bad argument #2 to request", 1, true))
    assert.truthy(helper.logged[3]:find("bot.lua:3: bad argument #4 to request", 1, true))
    assert.truthy(helper.logged[4]:find("bot.lua:3: no time span", 1, true))
  end)
end)
