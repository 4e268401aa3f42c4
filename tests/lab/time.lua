-- time.lua -- virtual time, and what must hold in it: run, at, settle, expect, always, never, eventually. What a check
-- says when it fails ends the run, so scenario_lab.c looks at that from outside.

local function now(net)
  return net:measure().virtual_s
end

local function fails(pattern, fn, ...)
  local ok, why = pcall(fn, ...)
  assert(not ok, "it does not fail")
  assert(why:find(pattern), why)
end

local function is_near(value, wanted)
  return math.abs(value - wanted) < 1e-5
end

-- --- time ---

lab("run lets exactly so much time pass", function(net)
  for _, span in ipairs { 1, 0.25, "250ms", "1m30s", 0 } do
    local began = now(net)
    net:run(span)
    local took = now(net) - began
    net:expect(is_near(took, ({ [1] = 1, [0.25] = 0.25, ["250ms"] = 0.25, ["1m30s"] = 90, [0] = 0 })[span]), took)
  end
end)

lab("time passes for nobody while the lab only talks", function(net)
  net:line(5)
  net:expect(now(net) == 0)
end)

lab("os.time and os.clock are virtual", function(net)
  local clock, time = os.clock(), os.time()
  net:run("1h")
  net:expect(is_near(os.clock() - clock, 3600) and os.time() - time == 3600)
end)

lab("at calls later, in order, and does not wait", function(net)
  local order = {}
  net:at("2s", function() order[#order + 1] = ("b %.1f"):format(now(net)) end)
  net:at("1s", function() order[#order + 1] = ("a %.1f"):format(now(net)) end)
  net:at(2, function() order[#order + 1] = ("c %.1f"):format(now(net)) end)
  net:expect(now(net) == 0 and #order == 0)
  net:run("5s")
  net:expect(table.concat(order, ", ") == "a 1.0, b 2.0, c 2.0", table.concat(order, ", "))
end)

lab("what at calls may wait, and do anything to the network", function(net)
  local ana, bob = net:line("ana", "bob"):nodes()
  net:at("5s", function()
    net:cut(ana, bob)
    net:run("5s")
    net:join(ana, bob)
  end)
  net:run("7s")
  net:expect(not ana:peer(bob).up)
  net:eventually("1m", function() return ana:peer(bob).up end)
  net:expect(now(net) >= 10)
end)

lab("tasks of a lab run side by side", function(net)
  local began = now(net)
  local done = task.all {
    one = function() net:run("3s") return "first" end,
    two = function() net:run("2s") return "second" end,
  }
  net:expect(done.one == "first" and done.two == "second" and is_near(now(net) - began, 3))
  local winner = task.race { function() net:run("3s") end, function() net:run("2s") end }
  net:expect(winner == 2 and is_near(now(net) - began, 5))
end)

-- --- settling ---

lab("settle waits until nothing has changed for two seconds, and tells how long that took", function(net)
  net:ring(10)
  local took = net:settle()
  net:expect(took > 0 and took < 1, took)
  net:expect(is_near(now(net), took + 2), now(net))
  net:expect(net:routes_are_true())
  net:expect(net:settle() == 0 and is_near(now(net), took + 2), "it waits for nothing")
end)

lab("settle fails where something goes on changing", function(net)
  local ana, bob = net:line("ana", "bob"):nodes()
  task.spawn(function()
    while true do
      net:cut(ana, bob)
      net:run("1s")
      net:join(ana, bob)
      net:run("500ms")
    end
  end)
  fails("the network has not settled", net.settle, net, "10s")
  net:expect(now(net) <= 10.1, now(net))
end)

lab("settle sees mail that was just sent", function(net)
  local ana, bob = net:line("ana", "bob"):nodes()
  net:settle()
  net:way(ana, bob, "1s")
  local m = ana:send(bob, "hello")
  net:settle()
  net:expect(m.state == "delivered", m.state)
end)

-- --- what must hold ---

lab("expect returns what is true, and fails with its reason", function(net)
  net:expect(net:expect(7) == 7)
  net:expect(select("#", net:expect(1, 2, 3)) == 3)
  fails("^.*the sun is gone$", net.expect, net, false, "the sun is gone")
  fails("^.*the sun is gone$", net.expect, net, nil, function() return "the sun is gone" end)
  fails("what was expected is not so$", net.expect, net, nil)
  fails("is not the shortest way", function()
    net:expect(false, "the route from ana to bob is not the shortest way")
  end)
end)

lab("eventually returns what became true, as soon as it did", function(net)
  local value
  net:at("3s", function() value = "there" end)
  net:expect(net:eventually("10s", function() return value end) == "there")
  net:expect(now(net) >= 3 and now(net) < 3.1, now(net))
  net:expect(net:eventually(0, function() return true end))
end)

lab("eventually fails when the time is over, and says what was missing", function(net)
  fails("^.*not so within 2s: no bread$", net.eventually, net, "2s", function() return false, "no bread" end)
  net:expect(is_near(now(net), 2), now(net))
  fails("^.*not so within 1s: no milk$", net.eventually, net, "1s", function() return false, "no bread" end, "no milk")
  fails("^.*what was expected is not so$", net.eventually, net, 1, function() end)
end)

lab("always and never are looked at after every event", function(net)
  local always, never = 0, 0
  net:always("counted", function() always = always + 1 return true end)
  net:never("counted", function() never = never + 1 return false end)
  net:line(3)
  net:settle()
  net:expect(always > 20 and never == always, always)
end)

lab("rules see what lasts but a moment", function(net)
  local ana, bob = net:line("ana", "bob"):nodes()
  local least = 9
  net:settle()
  net:always("there are links", function()
    least = math.min(least, net:measure().links)
    return true
  end)
  net:cut(ana, bob)
  net:run("2ms")
  net:join(ana, bob)
  net:eventually("1m", function() return net:measure().links == 1 end)
  net:expect(least == 0)
end)

-- --- the same again ---

lab("pairs goes in key order", function(net)
  local keys = {}
  for key in pairs { pear = 1, apple = 2, [3] = 3, fig = 4, [1] = 5, [2.5] = 6, [-1] = 7 } do
    keys[#keys + 1] = tostring(key)
  end
  net:expect(table.concat(keys, " ") == "-1 1 2.5 3 apple fig pear", table.concat(keys, " "))
  local bot = net:node("bot", { script = "tests/lab/bots/witness.lua" })
  net:run("100ms")
  net:expect(bot:request(bot, "keys", {}) == "1 3 apple fig pear", bot:request(bot, "keys", {}))
end)

lab("pairs survives that its table loses what it gives", function(net)
  local t, seen = {}, 0
  for i = 1, 100 do t["k" .. i] = i end
  for key in pairs(t) do t[key], seen = nil, seen + 1 end
  net:expect(seen == 100 and next(t) == nil)
end)

-- The first of a run are the first of each run.
lab("tables and functions print as numbers in the order in which they were first printed", function(net)
  local one, other = {}, {}
  local shown = { tostring(other), tostring(print), tostring(one), tostring(other) }
  net:expect(table.concat(shown, " ") == "table: 0x000001 function: 0x000002 table: 0x000003 table: 0x000001",
    table.concat(shown, " "))
end)
