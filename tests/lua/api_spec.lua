local fake_node = require "tests.lua.fake_node"
local helper = require "tests.lua.helper"

local w

-- What went wrong in a main chunk.
local function failure(text)
  local _, why = w:load("bad", text)
  return why
end

-- Runs a line in the globals of a script that is loaded: its results.
local function run(s, text)
  local results = {}
  s.env.deliver = function(...) results = table.pack(...) end
  local chunk = assert(load("deliver((function() " .. text .. " end)())", "=line", "t", s.env))
  w:run(s.env.task.spawn, chunk)
  return results
end

describe("the globals of a script", function()
  before_each(function() w = fake_node.new() end)

  it("are its own: what one changes no other one sees", function()
    w:load("one", [[
      node.send, task.spawn, json.encode, log.info, moth.frame.decoder = nil, nil, nil, nil, nil
      moth.message.to_json = nil
    ]])
    local two = w:load("two", "").env
    for _, fn in ipairs { two.node.send, two.task.spawn, two.json.encode, two.log.info, two.moth.frame.decoder,
      two.moth.message.to_json } do
      assert.is_function(fn)
    end
  end)

  it("know the node, and show nothing behind it", function()
    local s = w:load("bot", [[ seen = { node.id, node.name, node.address, tostring(node), getmetatable(node) } ]])
    assert.same({ fake_node.ANA, "ana", "127.0.0.1:6684", "node ana", "node" }, s.env.seen)
  end)

  it("name the script", function()
    assert.equal("bot", w:load("bot", "").env.script.name)
  end)

  it("say when the node has no such field, or is called without the colon", function()
    assert.equal("bad.lua:1: node has no field 'sned'; 'help node' lists them", failure "node:sned('eva', 1)")
    assert.equal("bad.lua:1: node:send is called with a colon", failure "node.send('eva', 1)")
    assert.equal("bad.lua:1: node:peers is called with a colon", failure "node.peers()")
  end)

  it("pass on what needs nothing from us", function()
    assert.equal("eva", w:load("bot", "peers = node:peers()").env.peers[1].name)
  end)

  it("open what is kept as history", function()
    w.raw.past = { { encoding = "text", data = "hi" }, { encoding = "json", data = "{k=7}" } }
    local list = w:load("bot", "list = node:history()").env.list
    assert.equal("hi", list[1].text)
    assert.same({ k = 7 }, list[2].data)
    assert.equal("{k=7}", list[2].json)
  end)

  it("pass on why there is no history", function()
    function w.raw.history() return nil, "the disk is broken", "store" end
    assert.same({ n = 3, nil, "the disk is broken", "store" },
      w:load("bot", "list = table.pack(node:history())").env.list)
  end)

  it("keep data by name", function()
    w:load("one", "node:kv('notes').eva = { 7 }")
    assert.equal(7, w:load("two", "x = node:kv('notes').eva[1]").env.x)
  end)

  it("do jobs, and take them back", function()
    local env = w:load("bot", [[
      node:job("remind", function(...) done = { ... } end)
      node:schedule(2, "remind", "ana", 7)
      local id = node:schedule(1, "remind", "never")
      node:unschedule(id)
    ]]).env
    for _ = 1, 3 do helper.settle(1000) end
    assert.same({ "ana", 7 }, env.done)
  end)
end)

describe("what is registered", function()
  local bot

  before_each(function()
    w = fake_node.new()
    bot = w:load("bot", [[
      function hear() return "heard" end
      h = node:hear("hi", hear)
      c = node:command("time", hear)
      e = node:on("message", function() count = (rawget(_G, "count") or 0) + 1 end)
      k = node:hook("forward", function() return false end)
    ]])
  end)

  it("ends with its handle, for which a second time is fine", function()
    for _, name in ipairs { "h", "c", "e", "k" } do
      bot.env[name]:off()
      bot.env[name]:off()
    end
    w:say "hi"
    w:say "time"
    assert.same({}, w.raw.sent)
    assert.is_nil(rawget(bot.env, "count"))
    assert.is_nil(w.raw.hooks.forward)
    assert.equal(0, bot.places)
  end)

  it("leaves the others when one ends", function()
    bot.env.node:hear("h", function() return "other" end)
    bot.env.h:off()
    w:say "hi"
    assert.same({ "other" }, w:replies())
  end)

  it("may end while an event is on its way; what comes behind hears nothing", function()
    bot.env.first = run(bot, [[
      later = nil
      node:on("route", function() later:off() first_ran = true end)
      later = node:on("route", function() later_ran = true end)
    ]])
    w:raise("route", {})
    helper.settle()
    assert.is_true(bot.env.first_ran)
    assert.is_nil(rawget(bot.env, "later_ran"))
  end)

  it("may be registered anew", function()
    bot.env.c:off()
    assert.is_truthy(run(bot, "return node:command('time', function() return 'again' end)")[1])
    w:say "time"
    assert.same({ "again" }, w:replies())
  end)

  it("is a handle and no more", function()
    assert.equal("handle", tostring(bot.env.h))
    assert.equal("handle", getmetatable(bot.env.h))
  end)

  it("is a thousand at most", function()
    local why = failure "for i = 1, 1001 do node:hear('x', print) end"
    assert.equal("bad.lua:1: a script may have 1000 handlers", why)
    assert.is_truthy(w:load("good", "for i = 1, 2000 do node:hear('x', print):off() end"))
  end)

  for text, why in pairs {
    ["node:on(5, print)"] = "bad argument #1 to on (string expected, got number)",
    ["node:on('route')"] = "bad argument #2 to on (function expected, got nil)",
    ["node:on('rout', print)"] = "there is no event 'rout'",
    ["node:on('dial', print)"] = "there is no event 'dial'",
    ["node:on('message:A B', print)"] = "there is no event 'message:A B'",
    ["node:hear(5, print)"] = "bad argument #1 to hear (string expected, got number)",
    ["node:hear('x', 'y')"] = "bad argument #2 to hear (function expected, got string)",
    ["node:hear('(', print)"] = "unfinished capture",
    ["node:command(5, print)"] = "bad argument #1 to command (string expected, got number)",
    ["node:command('c', 5, print)"] = "bad argument #2 to command (table expected, got number)",
    ["node:command('c', {}, 5)"] = "bad argument #3 to command (function expected, got number)",
    ["node:command('c a', print)"] = "\"a\" is no parameter; they look like <a>, <n:integer>, [note...]",
    ["node:command('c', print) node:command('c <a>', print)"] = "there is a command 'c' already",
    ["node:hook('veto', print)"] = "a hook is accept, forward or deliver",
    ["node:hook(5, print)"] = "bad argument #1 to hook (string expected, got number)",
    ["node:hook('accept', 5)"] = "bad argument #2 to hook (function expected, got number)",
    ["node:job(5, print)"] = "bad argument #1 to job (string expected, got number)",
    ["node:job('j')"] = "bad argument #2 to job (function expected, got nil)",
    ["node:send(5, 'x')"] = "bad argument #1 to send (string expected, got number)",
    ["node:send('eva', 'x', 5)"] = "bad argument #3 to send (table expected, got number)",
    ["node:send('eva')"] = "there is nothing to send: data is nil",
    ["node:emit(5, 'note', 1)"] = "bad argument #1 to emit (string expected, got number)",
    ["node:emit('eva', 5, 1)"] = "bad argument #2 to emit (string expected, got number)",
    ["node:emit('eva', 'note')"] = "there is nothing to send: data is nil",
    ["node:connect(5)"] = "bad argument #1 to connect (string expected, got number)",
  } do
    it("is refused where it is asked for: " .. text, function()
      assert.equal("bad.lua:1: " .. why, failure(text))
    end)
  end
end)

describe("sending", function()
  local bot

  before_each(function()
    w = fake_node.new()
    bot = w:load("bot", "")
  end)

  it("hands over the data and the options, and returns the message", function()
    local m = run(bot, "return node:send('eva', { 1 }, { type = 'note', ttl = '250ms', retries = 2 })")[1]
    assert.equal(0x100, m.id)
    local sent = w.raw.sent[1]
    assert.same({ 1 }, sent.data)
    assert.same({ type = "note", ttl = "250ms", retries = 2, auto = false }, sent.options)
  end)

  it("takes false for data", function()
    run(bot, "node:send('eva', false) node:emit('eva', 'note', false)")
    assert.is_false(w.raw.sent[1].data)
    assert.is_false(w.raw.emitted[1][3])
  end)

  it("says why nothing was sent", function()
    w.raw.refuses_send = "the outbox is full"
    assert.same({ n = 3, nil, "the outbox is full", "full" }, run(bot, "return node:send('eva', 'x')"))
  end)

  it("to all is refused, with the way that works", function()
    local r = run(bot, "return node:send('*', 'x')")
    assert.same({ n = 3, nil, "send goes to one peer; node:emit(\"*\", type, data) goes to all", "argument" }, r)
    assert.is_true(run(bot, "return node:emit('*', 'note', 'x')")[1])
    assert.is_false(w.raw.emitted[1][4].auto)
  end)

  it("light to the one who is answered is auto, to others and to all it is not", function()
    run(bot, "node:hear('', function() for _, to in ipairs { 'eva', 'bob', '*' } do node:emit(to, 'note', 1) end end)")
    w:say "hi"
    local autos = {}
    for i, e in ipairs(w.raw.emitted) do autos[i] = e[4].auto end
    assert.same({ true, false, false }, autos)
  end)

  it("of a reply needs something to send, and a script's task", function()
    bot.env.node:on("message", function(msg) bot.env.msg = msg end)
    w:say "hi"
    local r = run(bot, "return pcall(msg.reply, msg)")
    assert.is_false(r[1])
    assert.truthy(r[2]:find("there is nothing to send: data is nil", 1, true))
    local ok, why = pcall(bot.env.msg.reply, bot.env.msg, "x")
    assert.is_false(ok)
    assert.truthy(why:find("only a script can answer", 1, true))
    assert.is_truthy(run(bot, "return msg:reply('x')")[1])
    assert.is_false(w.raw.sent[1].options.auto)
  end)
end)

describe("connect", function()
  local bot, got

  before_each(function()
    w, got = fake_node.new(), nil
    bot = w:load("bot", "")
    bot.env.note = function(...) got = table.pack(...) end
  end)

  local function connect(address)
    w:run(bot.env.task.spawn, load("note(node:connect(...))", "=line", "t", bot.env), address)
  end

  local function comes_to(fields)
    for k, v in pairs(fields) do w.raw.addresses[1][k] = v end
    w:raise("dial", {})
    helper.settle()
    return got
  end

  it("waits until the address is linked to a peer", function()
    connect "10.0.0.2:7"
    assert.is_nil(comes_to { linked = true })
    assert.same({ n = 1, true }, comes_to { peer = fake_node.EVA })
  end)

  it("says why the address cannot be reached", function()
    connect "10.0.0.2:7"
    assert.same({ n = 3, nil, "nobody listens there", "refused" },
      comes_to { reason = "refused", why = "nobody listens there" })
  end)

  it("says when it is not wanted any more", function()
    connect "10.0.0.2:7"
    w.raw.addresses = { {} }
    assert.equal("cancelled", comes_to({})[3])
  end)

  it("waits ten seconds", function()
    connect "10.0.0.2:7"
    helper.settle(9999)
    assert.is_nil(got)
    helper.settle(1)
    assert.same({ n = 3, nil, "no answer so far; it is tried again", "timeout" }, got)
  end)

  it("refuses what is no address", function()
    connect "nowhere"
    assert.same({ n = 3, nil, "an address is HOST:PORT", "bad_address" }, got)
  end)
end)
