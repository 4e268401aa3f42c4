-- nodes.lua -- what may happen to a machine: kills, restarts, freezing, clocks, disks, scripts; and what outlives them.

local WITNESS = "tests/lab/bots/witness.lua"

local function fails(pattern, fn, ...)
  local ok, why = pcall(fn, ...)
  assert(not ok, "it does not fail")
  assert(why:find(pattern), why)
end

local function line(net, ...)
  local group = net:line(...)
  net:settle()
  return group:nodes()
end

-- Waits until both know that they are linked again.
local function again(net, from, to)
  net:eventually("1m", function()
    local there, back = from:peer(to), to:peer(from)
    return there and there.up and back and back.up
  end)
end

-- --- lives ---

lab("a node has a name, an address, and the same id in each life", function(net)
  local ana, bob = line(net, "ana", "bob")
  net:expect(tostring(ana) == "node ana" and ana.name == "ana" and ana.address ~= bob.address)
  net:expect(#ana.id == 32 and ana.id ~= bob.id)
  local id, address = ana.id, ana.address
  ana:restart()
  net:expect(ana.id == id and ana.address == address)
end)

lab("a kill says no goodbye, a stop does", function(net)
  local ana, bob, eva = line(net, "ana", "bob", "eva")
  local reasons = {}
  bob:on("link:down", function(e) reasons[e.name] = e.reason end)
  ana:kill()
  eva:stop()
  net:settle()
  net:expect(reasons.ana and reasons.eva and reasons.ana ~= reasons.eva, reasons.ana)
end)

lab("scripts hear of a stop, and what they then keep is kept", function(net)
  local ana = net:node("ana", { script = "tests/lab/bots/counter.lua" })
  net:settle()
  local function stops() return ana:kv "counter".stops end
  ana:stop()
  ana:start()
  net:settle()
  net:expect(stops() == 1, stops())
  ana:kill()
  ana:start()
  net:settle()
  net:expect(stops() == 1, stops())
end)

lab("a kill loses what is not synced, and nothing else", { seeds = 10 }, function(net)
  local ana, bob = line(net, "ana", "bob")
  bob:kill()
  net:run("1s")
  local kept = ana:send(bob, "kept")
  net:expect(kept:wait("queued", "1s"))
  local lost = ana:send(bob, "lost")
  ana:kill()
  ana:restart()
  net:run("1s")
  net:expect(lost.state == "lost", lost.state)
  local came = {}
  bob:on("message:text", function(msg) came[#came + 1] = msg.text end)
  bob:restart()
  net:expect(kept:wait("delivered", "1m"))
  net:run("1m")
  net:expect(#came == 1 and came[1] == "kept", #came .. " came")
end)

-- The data of scripts likewise: between two waits it is not on the disk.
lab("a kill loses what a bot has just written", { seeds = 10 }, function(net)
  local ana = net:node("ana", { script = WITNESS })
  net:run(1)
  net:expect(ana:kv("witness").count == 1)
  ana:kv("witness").note = "synced"
  net:run(1)
  ana:kv("witness").note = "too late"
  ana:kill()
  ana:restart()
  net:run(1)
  net:expect(ana:kv("witness").note ~= nil, "what was synced is gone")
  net:expect(ana:kv("witness").count == 2, "it does not count its lives")
end)

lab("a restart of a node that runs is a kill and a start", function(net)
  local ana, bob = line(net, "ana", "bob")
  local downs, ups = 0, 0
  bob:on("link:down", function() downs = downs + 1 end)
  bob:on("link:up", function() ups = ups + 1 end)
  ana:restart()
  again(net, bob, ana)
  net:settle()
  net:expect(downs == 1 and ups == 1)
end)

lab("a node that was killed dials again what it was told to", function(net)
  local ana, bob = net:node("ana"), net:node("bob")
  net:expect(ana:connect(bob))
  bob:kill()
  ana:restart()
  net:run("1s")
  bob:restart()
  again(net, ana, bob)
end)

lab("what runs not says so", function(net)
  local ana = line(net, "ana", "bob")
  ana:peers()
  ana:kill()
  local m, why, code = ana:send("bob", "hello")
  net:expect(m == nil and code == "shutdown" and why == "ana does not run", why)
  fails("ana does not run", ana.kill, ana)
  fails("ana does not run", ana.stop, ana)
  ana:start()
  fails("ana runs already", ana.start, ana)
end)

lab("a node that is frozen takes nothing in, and goes on where it was", function(net)
  local ana, bob = line(net, "ana", "bob")
  local came = 0
  bob:on("message:tick", function() came = came + 1 end)
  bob:freeze()
  ana:emit(bob, "tick", {})
  net:run("1s")
  net:expect(came == 0, "a frozen node hears")
  bob:thaw()
  net:run("100ms")
  net:expect(came == 1, "what waited did not come")
end)

lab("a node that is frozen for long is given up, and comes back", function(net)
  local ana, bob = line(net, "ana", "bob")
  bob:freeze()
  net:run("30s")
  net:expect(not ana:peer(bob).up, "nobody noticed")
  bob:thaw()
  again(net, ana, bob)
end)

-- --- what outlives a kill ---

lab("handlers of the lab outlive kills", function(net)
  local ana, bob = line(net, "ana", "bob")
  local heard, told = {}, 0
  bob:hear("^(%a+)$", function(_, word) heard[#heard + 1] = word end)
  bob:serve("double", function(data) return data * 2 end)
  bob:command("add <a:number> <b:number>", function(_, a, b) return a + b end)
  local handle = bob:on("message:text", function() told = told + 1 end)
  bob:restart()
  again(net, ana, bob)
  ana:send(bob, "one"):wait("delivered", "10s")
  net:expect(ana:request(bob, "double", 21) == 42)
  net:run("1s")
  handle:off()
  bob:restart()
  again(net, ana, bob)
  ana:send(bob, "two"):wait("delivered", "10s")
  local sum
  ana:on("message:text", function(msg) sum = msg.text end)
  ana:send(bob, "add 2 3")
  net:run("1s")
  net:expect(table.concat(heard, " ") == "one two", table.concat(heard, " "))
  net:expect(told == 1 and sum == "5", sum)
end)

lab("handlers may be registered while the node does not run", function(net)
  local ana, bob = line(net, "ana", "bob")
  bob:peers()
  bob:kill()
  local came
  bob:on("message:text", function(msg) came = msg.text end)
  bob:restart()
  again(net, ana, bob)
  ana:send(bob, "hello"):wait("delivered", "10s")
  net:run("100ms")
  net:expect(came == "hello")
end)

lab("a message outlives the kills of its sender", function(net)
  local ana, bob = line(net, "ana", "bob")
  bob:kill()
  local m = ana:send(bob, "hello")
  net:expect(m:wait("queued"))
  local id = m.id
  ana:restart()
  net:run("1s")
  ana:restart()
  net:expect(m.id == id and m.state ~= "delivered" and m.state ~= "lost", m.state)
  bob:restart()
  net:expect(m:wait("delivered", "1m"))
end)

-- --- scripts ---

lab("the scripts of a node run in each of its lives, before its mail comes", { seeds = 5 }, function(net)
  local ana, bob = net:node("ana"), net:node("bob", { script = WITNESS })
  ana:connect(bob)
  net:settle()
  local m = ana:send(bob, "hello")
  net:run("20ms")
  net:expect(m.state == "sent" or m.state == "delivered", m.state)
  bob:restart()
  net:run("1m")
  net:expect(m.state == "delivered", m.state)
  local seen = bob:kv("witness")
  net:expect(seen.count == 2 and #seen == 1, "it was handled " .. #seen .. " times")
end)

-- Killed while it handles it: it is given to the next life, and marked.
lab("what was not handled is delivered again after a kill", function(net)
  local ana, bob = net:node("ana"), net:node("bob", { script = WITNESS })
  ana:connect(bob)
  net:settle()
  local m = ana:send(bob, "hello")
  net:expect(m:wait("delivered", "1s"))
  bob:restart()
  net:run("1s")
  net:expect(bob:kv("witness")[1] == "hello again", bob:kv("witness")[1])
  net:expect(bob:kv("witness")[2] == nil)
  net:expect(net:max_deliveries() == 1)
end)

lab("a node may run several scripts, and load more: those are gone after a kill", function(net)
  local ana = net:node("ana", { script = { WITNESS, "examples/clock.lua" } })
  net:run("100ms")
  net:expect(ana:request(ana, "date", {}) == "2030-01-01")
  net:expect(ana:load("tests/lab/bots/counter.lua"))
  local heard = 0
  ana:on("message:text", function(msg) heard = heard + (msg.text == "1 1 1" and 1 or 0) end)
  ana:send(ana, "count")
  net:run("1s")
  net:expect(heard == 1)
  ana:restart()
  net:run("100ms")
  ana:send(ana, "count")
  net:run("1s")
  net:expect(heard == 1, "it is still loaded")
end)

lab("a script that is not there is told to whoever loads it", function(net)
  local ana = net:node("ana")
  local ok, why, code = ana:load("tests/lab/bots/nobody.lua")
  net:expect(ok == nil and why:find("nobody.lua") and code, why)
end)

-- --- clocks ---

lab("the calendar starts with the year 2030", { limit = "2d" }, function(net)
  local ana = net:node("ana", { script = WITNESS })
  net:run("24h")
  net:expect(os.date("!%Y-%m-%d") == "2030-01-02")
  net:expect(ana:request(ana, "date", {}) == "2030-01-02")
end)

lab("each node has a clock of its own", function(net)
  local ana = net:node("ana", { script = WITNESS, clock = "1h" })
  local bob = net:node("bob", { script = WITNESS })
  bob:clock(-7200)
  ana:connect(bob)
  net:settle()
  local now = os.time()
  net:expect(ana:request(ana, "time", {}) - now == 3600)
  net:expect(bob:request(bob, "time", {}) - now == -7200)
  net:expect(ana:request(bob, "time", {}) - now == -7200)
  net:expect(os.time() == now, "the clock of the lab itself moved")
  ana:restart()
  net:run("100ms")
  net:expect(ana:request(ana, "time", {}) - os.time() == 3600, "a restart sets the clock right")
  ana:clock(0)
  net:expect(ana:request(ana, "time", {}) == os.time())
end)

lab("hooks go by the clock of their node", function(net)
  local ana, bob = net:node "ana", net:node("bob", { clock = "1h" })
  local at = {}
  for name, node in pairs { ana = ana, bob = bob } do
    node:hook("deliver", function() at[name] = os.time() end)
  end
  ana:dial(bob)
  net:settle()
  ana:send(bob, "x")
  bob:send(ana, "x")
  net:settle()
  local now = os.time()
  net:expect(now - at.ana < 10 and at.bob - at.ana >= 3590, at.bob - at.ana)
end)

lab("mail between wrong clocks arrives, and its time is measured right", function(net)
  local ana, bob = line(net, "ana", "bob")
  ana:clock("30m")
  bob:clock(-1800)
  net:expect(ana:send(bob, "hello"):wait("delivered", "1s"))
  net:expect(bob:send(ana, "hello"):wait("delivered", "1s"))
  net:expect(net:measure().delivery_max_s < 0.1, net:measure().delivery_max_s)
end)

-- --- disks ---

-- Mail for somebody who is away, so that only one's own disk promises it.
local function promise(net, ana)
  local began, m = net:measure().virtual_s, ana:send("bob", "hello")
  return m and m:wait("queued", "5s"), net:measure().virtual_s - began
end

local function lonely(net)
  local ana, bob = line(net, "ana", "bob")
  bob:kill()
  net:run("1s")
  return ana, bob
end

lab("a slow disk makes promises late", function(net)
  local ana = lonely(net)
  ana:disk { slow = "500ms" }
  local ok, seconds = promise(net, ana)
  net:expect(ok and seconds >= 0.5, seconds)
  ana:disk()
  net:run("2s")
  ok, seconds = promise(net, ana)
  net:expect(ok and seconds < 0.1, seconds)
end)

lab("a disk that fails promises nothing until it is well", function(net)
  local ana, bob = lonely(net)
  ana:disk { fails = true }
  net:expect(not promise(net, ana), "a promise without a disk")
  ana:disk()
  net:eventually("2m", function() return promise(net, ana) end)
  bob:restart()
  again(net, ana, bob)
  net:expect(ana:send(bob, "hello"):wait("delivered", "10s"))
end)

lab("a full disk keeps what is on it", function(net)
  local ana, bob = line(net, "ana", "bob")
  bob:kill()
  local kept = ana:send(bob, "kept")
  net:expect(kept:wait("queued"))
  ana:disk { room = 0 }
  local refused
  for _ = 1, 2000 do
    local m, _, code = ana:send(bob, ("x"):rep(10000))
    refused = refused or not m and code
    if refused then break end
    net:run("10ms")
  end
  net:expect(refused, "a full disk takes everything")
  ana:disk()
  bob:restart()
  net:expect(kept:wait("delivered", "2m"))
end)

-- --- who is a peer ---

lab("nodes and names are peers", function(net)
  local ana, bob, eva = line(net, "ana", "bob", "eva")
  local from
  eva:on("message:tick", function(msg) from = msg.from end)
  for _, peer in ipairs { eva, "eva", eva.id, eva.id:sub(1, 8) } do
    from = nil
    net:expect(ana:emit(peer, "tick", {}))
    net:run("100ms")
    net:expect(from == ana.id)
    net:expect(ana:peer(peer).id == eva.id and ana:peer(peer).hops == 2)
    net:expect(ana:send(peer, "hello"):wait("delivered", "1s"))
    net:expect(#ana:history(peer) > 0 and #ana:queue(peer) == 0)
  end
  net:expect(ana:path(eva)[#ana:path(eva)] == eva.id)
  net:expect(bob:disconnect("eva"))
  net:run("100ms")
  net:expect(not bob:peer(eva).linked)
end)

lab("a light message to all reaches all", function(net)
  local star = net:star(6)
  net:settle()
  local heard = 0
  for _, node in ipairs(star) do node:on("message:tick", function() heard = heard + 1 end) end
  star[2]:emit("*", "tick", {})
  net:run("1s")
  net:expect(heard == 5, heard)
end)

lab("nodes dial only whom they are told to, unless they may discover", function(net)
  for _, may in ipairs { false, true } do
    local e, f, g = net:line(3, { discover = may }):nodes()
    net:settle()
    f:kill()
    local m = e:send(g, "do you live near me?")
    net:run("1m")
    net:expect((m.state == "delivered") == may, ("discover is %s, and the mail %s"):format(may, m.state))
  end
end)

lab("a node may have limits and a time for its mail", function(net)
  local ana = net:node("ana", { config = { ttl = "2s" } })
  local bob = net:node("bob")
  ana:connect(bob)
  net:settle()
  bob:kill()
  local m = ana:send(bob, "hello")
  net:run("10s")
  net:expect(m.state == "expired", m.state)
end)

lab("networks with different secrets do not mix", function(net)
  local ana = net:node("ana", { config = { network = "one" } })
  local bob = net:node("bob", { config = { network = "one" } })
  local eva = net:node("eva", { config = { network = "another" } })
  net:expect(bob:connect(ana))
  net:expect(not eva:connect(ana))
end)

-- --- misuse ---

lab("a node that cannot be is told", function(net)
  local ana = net:node("ana")
  fails("there is a node ana already", net.node, net, "ana")
  fails("the name of a node is a string, not 7", net.node, net, 7)
  fails("a node has no option colour; there are clock, config, discover,", net.node, net, "bob", { colour = "red" })
  fails("a node's config has no option size; there are", net.node, net, "bob", { config = { size = 1 } })
  fails("a disk has no option colour; there are fails, room, slow", ana.disk, ana, { colour = "red" })
  fails("the room of a disk, bytes, is a whole number from 0 on, not %-1", ana.disk, ana, { room = -1 })
  fails("there is no node eva in this network", ana.dial, ana, "eva")
  fails("time span", ana.clock, ana, "soon")
  fails("the latency of a way: .* not \"10q\"", net.node, net, "bob", { latency = "10q" })
end)

lab("what is not there is told, with what may be meant", function(net)
  local ana = net:node("ana")
  fails("a network has no field setle; did you mean settle%?", function() net:setle() end)
  fails("a network has no field frobnicate$", function() return net.frobnicate end)
  fails("a node has no field kil; did you mean kill%?", function() ana:kil() end)
  fails("line has no option degree, which is one of random", net.line, net, "x", "y", { degree = 3 })
  fails("random has no option degre; did you mean degree%?", net.random, net, 3, { degre = 3 })
  fails("random has no option arity, which is one of tree", net.random, net, 3, { arity = 3 })
end)
