local fake_node = require "tests.lua.fake_node"
local helper = require "tests.lua.helper"

local EVA, BOB = fake_node.EVA, fake_node.BOB

describe("a text", function()
  local w

  before_each(function() w = fake_node.new() end)

  it("reaches exactly one: an ask before a command before a hear", function()
    w:load("one", [[
      node:hear("word", function() return "hear" end)
      node:hear("word", function() return "second hear" end)
    ]])
    w:say "word"
    assert.same({ "hear" }, w:replies())
    w:load("two", [[
      node:command("word", function() return "command" end)
      node:command("start", function(msg) return "asked: " .. msg:ask "?" end)
    ]])
    w:say "word"
    assert.same({ "command" }, w:replies())
    w:say "start"
    w:say "word"
    assert.same({ "?", "asked: word" }, w:replies())
    w:say "word"
    assert.same({ "command" }, w:replies())
  end)

  it("reaches the scripts in load order, in each the order of registration", function()
    w:load("one", [[ node:hear("b", function() return "one b" end) node:hear("a", function() return "one a" end) ]])
    w:load("two", [[
      node:hear(".", function() return "two" end)
      node:command("c", function() return "two c" end)
    ]])
    w:load("three", [[ node:command("c", function() return "three c" end) ]])
    w:say "ab"
    w:say "a"
    w:say "x"
    w:say "c"
    assert.same({ "one b", "one a", "two", "two c" }, w:replies())
  end)

  it("gives hear its captures, and not where they were found", function()
    w:load("bot", [[ node:hear("(%w+) = (%w+)", function(msg, ...)
      return select("#", ...) .. table.concat({ ... }, "+")
    end) ]])
    w:say "a = b"
    assert.same({ "2a+b" }, w:replies())
  end)

  it("gives a command its arguments, converted", function()
    w:load("bot", [[ node:command("add <a:integer> <b:integer> [note...]", function(msg, a, b, note)
      return a + b .. tostring(note)
    end) ]])
    w:say "  add 2 3"
    w:say "add 2 3 and  more"
    assert.same({ "5nil", "5and  more" }, w:replies())
  end)

  it("with wrong arguments is answered with the usage, and the command does not run", function()
    w:load("bot", [[ node:command("add <a:integer>", function() error "never" end) ]])
    w:say "add x"
    assert.same({ "usage: add <a:integer>" }, w:replies())
    assert.equal(0, w:find("bot").errors)
  end)

  it("help lists the commands of all scripts", function()
    w:load("one", [[ node:command("add <a>", { help = "adds" }, function() end) ]])
    w:load("two", [[ node:command("time", function() end) ]])
    w:say "help"
    assert.same({ "add <a> - adds\ntime" }, w:replies())
    assert.equal(1, #w.raw.was_handled)
  end)

  it("help is an ordinary text when it says more, is taken, or there is no command", function()
    w:load("bot", [[ node:hear("help", function() return "heard" end) ]])
    w:say "help"
    w:load("two", [[ node:command("time", function() end) ]])
    w:say "help me"
    w:load("three", [[ node:command("help", function() return "mine" end) ]])
    w:say "help"
    assert.same({ "heard", "heard", "mine" }, w:replies())
  end)

  it("that is marked auto reaches no command and no hear, but the event, and an ask that it answers", function()
    w:load("bot", [[
      count = 0
      node:on("message", function() count = count + 1 end)
      node:hear("", function() return "heard" end)
      node:command("go", function(msg) return "asked: " .. msg:ask "?" end)
    ]])
    w:say("hi", { auto = true })
    w:say("go", { auto = true })
    w:say("help", { auto = true })
    assert.same({}, w:replies())
    assert.equal(3, w:find("bot").env.count)
    w:say "go"
    w:say("no", { auto = true })
    w:say("yes", { auto = true, re = w.raw.sent[1].id })
    assert.same({ "?", "asked: yes" }, w:replies())
  end)

  it("of another type, or data, is no text for hear", function()
    w:load("bot", [[
      node:hear("", function() return "heard" end)
      node:on("message:note", function(msg) return msg:reply(msg.text .. "!") end)
      node:on("message:data", function(msg) return msg:reply(msg.data.k) end)
    ]])
    w:say("hi", { type = "note" })
    w:say("{k=7}", { type = "data", encoding = "json" })
    assert.same({ "hi!", 7 }, w:replies())
  end)

  it("answers what the handler returns", function()
    w:load("bot", [[
      local values = { text = { "t" }, number = { 7 }, boolean = { false }, none = {}, table = { { 1 } },
        refusal = { nil, "no way" } }
      node:hear("(.*)", function(_, name) return table.unpack(values[name], 1, 2) end)
    ]])
    for _, name in ipairs { "text", "number", "boolean", "none", "table", "refusal" } do w:say(name) end
    assert.same({ "t", "7", "false", { 1 }, "no way" }, w:replies())
  end)

  it("is answered to its sender, as the answer to it, marked auto", function()
    w:load("bot", [[ node:hear("", function(msg) node:send("bob", "psst") node:send("eva", "you") return "x" end) ]])
    local e = w:say "hi"
    assert.equal(fake_node.BOB, w.raw.sent[1].to)
    assert.is_false(w.raw.sent[1].options.auto)
    assert.is_true(w.raw.sent[2].options.auto)
    assert.equal(EVA, w.raw.sent[3].to)
    assert.is_true(w.raw.sent[3].options.auto)
    assert.equal(e.id, w.raw.sent[3].options.re)
  end)

  it("is answered auto by tasks that its handler starts, too", function()
    w:load("bot", [[ node:hear("", function(msg) task.spawn(function() msg:reply "later" end) end) ]])
    w:say "hi"
    assert.is_true(w.raw.sent[1].options.auto)
  end)

  it("is not answered when the handler fails; the error is counted", function()
    w:load("bot", [[ node:hear("", function() error "broken" end) ]])
    w:say "hi"
    assert.same({}, w:replies())
    assert.equal(1, w:find("bot").errors)
    assert.truthy(helper.logged[1]:find("bot: bot.lua:1: broken", 1, true))
    assert.truthy(helper.logged[1]:find("started at bot.lua:1", 1, true))
  end)

  it("whose answer cannot be sent is a warning of the script", function()
    w:load("bot", [[ node:hear("", function() return "x" end) ]])
    w.raw.refuses_send = "the outbox is full"
    w:say "hi"
    assert.same({ "warn: bot: no reply to eva: the outbox is full" }, helper.logged)
  end)

  it("passes a pattern that fails, which is an error of its script", function()
    w:load("bad", [[ node:hear(("x*"):rep(3) .. "%f[a", function() return "bad" end) ]])
    w:load("worse", [[ node:hear("", function() return "bad" end) ]])
    w:find("worse").hears[1].pattern = "%" -- as one that is refused only when it has work to do
    w:load("good", [[ node:hear("hi", function() return "good" end) ]])
    w:say "hi"
    assert.same({ "good" }, w:replies())
    assert.equal(1, w:find("worse").errors)
  end)

  describe("that is awaited", function()
    local ASK = [[ node:command("go", function(msg)
      local text, a, b = msg:ask("size?", { match = "^(%a)(%d)$", timeout = 10 })
      return text and text .. a .. b or tostring(a) .. b
    end) ]]

    it("wakes the one that waits with it and the captures", function()
      w:load("bot", ASK)
      w:say "go"
      w:say "x7"
      assert.same({ "size?", "x7x7" }, w:replies())
    end)

    it("does not when it does not match or comes from another peer", function()
      w:load("bot", ASK .. [[ node:hear("", function() return "heard" end) ]])
      w:say "go"
      w:say "none"
      w:say("x7", { from = BOB, name = "bob" })
      w:say "x7"
      assert.same({ "size?", "heard", "heard", "x7x7" }, w:replies())
    end)

    it("in vain is a timeout, and nothing waits any more", function()
      w:load("bot", ASK)
      w:say "go"
      helper.settle(10000)
      w:say "x7"
      assert.same({ "size?", "no answer from evatimeout" }, w:replies())
      assert.same({}, w.hub.bot.asks)
    end)

    it("is handled when the task that took it has ended", function()
      w:load("bot", [[ node:command("go", function(msg) msg:ask "?" task.sleep(1) end) ]])
      local first, second = w:say "go", w:say "yes"
      assert.same({}, w.raw.was_handled)
      helper.settle(1000)
      assert.same({ { EVA, first.id }, { EVA, second.id } }, w.raw.was_handled)
    end)

    it("wakes the first of two that wait; the next one wakes the second, in the same turn too", function()
      w:load("bot", [[ node:command("go", function(msg)
        for n = 1, 2 do task.spawn(function() msg:reply(n .. msg:ask "?") end) end
      end) ]])
      for _ = 1, 2 do
        w:say "go"
        w:message { data = "a" }
        w:say "b"
        assert.same({ "?", "?", "1a", "2b" }, w:replies())
        assert.same({}, w.hub.bot.asks)
      end
    end)

    it("refuses wrong arguments, and no answer to wait for", function()
      w:load("bot", [[
        node:command("a", function(msg) msg:ask(5) end)
        node:command("b", function(msg) msg:ask("?", { match = "(" }) end)
        node:command("c", function(msg) msg:ask("?", { match = 5 }) end)
        node:command("d", function(msg) return select(2, msg:ask "?") end)
      ]])
      for _, text in ipairs { "a", "b", "c" } do w:say(text) end
      assert.equal(3, w:find("bot").errors)
      assert.truthy(helper.logged[1]:find("bot.lua:1: bad argument #1 to ask", 1, true))
      assert.truthy(helper.logged[2]:find("bot.lua:2: unfinished capture", 1, true))
      assert.truthy(helper.logged[3]:find("bot.lua:3: bad argument #2 to ask", 1, true))
      assert.same({}, w:replies())
      w.raw.refuses_send = "full"
      w:say "d"
      assert.same({}, w.hub.bot.asks)
    end)
  end)

  it("is tried on no more patterns when they have taken too long together", function()
    w:load("bot", [[
      for i = 1, 9 do node:hear("x" .. i, function() end) end
      node:hear("", function() return "last" end)
    ]])
    local find = string.find
    string.find = function(text, pattern, ...) -- each takes 20 ms
      if pattern:match "^x%d$" then helper.now_us = helper.now_us + 20000 end
      return find(text, pattern, ...)
    end
    w:say "hello"
    string.find = find
    assert.same({}, w:replies())
    assert.truthy(w:find("bot").last_error:find("take too long together", 1, true))
  end)
end)
