-- ways.lua -- what lies between two machines: latencies, rates, pieces. What is sent here is light, so that nothing but
-- the wire takes time.

local PIECES = "tests/lab/bots/pieces.lua"

local function now(net)
  return net:measure().virtual_s
end

local function fails(pattern, fn, ...)
  local ok, why = pcall(fn, ...)
  assert(not ok, "it does not fail")
  assert(why:find(pattern), why)
end

local function is_near(value, wanted, off)
  return math.abs(value - wanted) <= off
end

-- How long each of so many messages takes, sent a second apart, away from the pings of the link: what follows something
-- closely may have to wait for it.
local function times(net, from, to, count)
  local list = {}
  net:run(0.5)
  local handle = to:on("message:tick", function(msg) list[#list + 1] = now(net) - msg.data end)
  for _ = 1, count do
    assert(from:emit(to, "tick", now(net)))
    net:run(1)
  end
  handle:off()
  assert(#list == count, #list .. " of them came")
  table.sort(list)
  return list
end

local function mean(list)
  local sum = 0
  for _, value in ipairs(list) do sum = sum + value end
  return sum / #list
end

local function line(net, ...)
  local group = net:line(...)
  net:settle()
  return group:nodes()
end

-- --- latency ---

lab("a way takes a millisecond unless said otherwise", function(net)
  local ana, bob = line(net, "ana", "bob")
  net:expect(is_near(times(net, ana, bob, 1)[1], 0.001, 1e-6))
end)

lab("each link on the way takes its own time", function(net)
  local ana, _, _, kim = line(net, "ana", "bob", "eva", "kim")
  net:way("bob", "eva", "100ms")
  net:expect(is_near(times(net, ana, kim, 1)[1], 0.102, 0.002))
end)

lab("a lab may say what all ways are like", { latency = "20ms" }, function(net)
  local ana, bob = line(net, "ana", "bob")
  net:expect(is_near(times(net, ana, bob, 1)[1], 0.020, 1e-6))
end)

lab("a node may say what its ways are like, to those before and after it", { latency = "20ms" }, function(net)
  local ana = net:node("ana")
  local moon = net:node("moon", { latency = "300ms" })
  local bob = net:node("bob")
  for _, node in ipairs { ana, bob } do node:connect(moon) end
  ana:connect(bob)
  net:settle()
  net:expect(is_near(times(net, ana, bob, 1)[1], 0.020, 1e-6))
  net:expect(is_near(times(net, moon, ana, 1)[1], 0.3, 1e-6))
  net:expect(is_near(times(net, bob, moon, 1)[1], 0.3, 1e-6))
end)

lab("a way back is another way", function(net)
  local ana, bob = line(net, "ana", "bob")
  net:way(ana, bob, { latency = "300ms", oneway = true })
  net:expect(is_near(times(net, ana, bob, 1)[1], 0.300, 1e-6))
  net:expect(is_near(times(net, bob, ana, 1)[1], 0.001, 1e-6))
end)

lab("a fixed latency is always the same", function(net)
  local ana, bob = line(net, "ana", "bob")
  net:way(ana, bob, { latency = "70ms", kind = "fixed" })
  local list = times(net, ana, bob, 50)
  net:expect(is_near(list[1], 0.070, 1e-6) and is_near(list[50], 0.070, 1e-6))
end)

lab("a uniform latency fills its spread evenly", { seeds = 3 }, function(net)
  local ana, bob = line(net, "ana", "bob")
  net:way(ana, bob, { latency = "100ms", spread = "60ms", kind = "uniform" })
  local list = times(net, ana, bob, 300)
  net:expect(list[1] >= 0.040 and list[1] < 0.048, list[1])
  net:expect(list[300] <= 0.160 + 1e-6 and list[300] > 0.152, list[300])
  net:expect(is_near(list[75], 0.070, 0.012) and is_near(list[225], 0.130, 0.012))
end)

lab("a normal latency has its mean, its deviation, and an end", { seeds = 3 }, function(net)
  local ana, bob = line(net, "ana", "bob")
  net:way(ana, bob, { latency = "100ms", spread = "10ms", kind = "normal" })
  local list = times(net, ana, bob, 300)
  net:expect(is_near(mean(list), 0.100, 0.003), mean(list))
  net:expect(is_near(list[48], 0.090, 0.004) and is_near(list[252], 0.110, 0.004))
  net:expect(list[1] >= 0.060 and list[300] <= 0.140)
end)

lab("jitter comes on top", function(net)
  local ana, bob = line(net, "ana", "bob")
  net:way(ana, bob, { latency = "50ms", jitter = "20ms" })
  local list = times(net, ana, bob, 200)
  net:expect(list[1] >= 0.050 - 1e-6 and list[1] < 0.053)
  net:expect(list[200] < 0.070 + 1e-6 and list[200] > 0.067)
end)

-- Whatever a way does, a connection is a stream.
lab("nothing overtakes on one connection", { seeds = 3 }, function(net)
  local ana, bob = line(net, "ana", "bob")
  local last = 0
  bob:on("message:tick", function(msg)
    assert(msg.data == last + 1, "there was another one before it")
    last = msg.data
  end)
  net:way(ana, bob, { latency = "50ms", spread = "50ms", kind = "uniform", jitter = "50ms" })
  for i = 1, 100 do
    ana:emit(bob, "tick", i)
    net:run("2ms")
  end
  net:run(1)
  net:expect(last == 100, last)
end)

-- --- rates ---

local function came_after(net, from, to, bytes)
  local began, came = now(net), nil
  to:on("message:parcel", function() came = now(net) - began end)
  from:emit(to, "parcel", ("x"):rep(bytes))
  net:run(20)
  return came or error("it has not come", 2)
end

lab("a rate lets so many bytes through in a second", function(net)
  local ana, bob = line(net, "ana", "bob")
  net:way(ana, bob, { rate = 10000 })
  local took = came_after(net, ana, bob, 20000)
  net:expect(took > 2 and took < 2.2, took)
end)

lab("a machine that reads slowly takes in so many bytes a second", function(net)
  local ana, bob = line(net, "ana", "bob")
  bob:read_rate(10000)
  local took = came_after(net, ana, bob, 20000)
  net:expect(took > 1.4 and took < 2.6, took)
  bob:read_rate()
  net:expect(came_after(net, ana, bob, 20000) < 0.1)
end)

lab("a node may read slowly from the start, and what it sends is not slower for it", function(net)
  local ana = net:node("ana")
  local bob = net:node("bob", { read_rate = 10000 })
  bob:connect(ana)
  net:settle()
  net:expect(came_after(net, ana, bob, 20000) > 1.4)
  net:expect(came_after(net, bob, ana, 20000) < 0.1)
end)

-- --- pieces ---

-- As many bytes over a slow way, so that not all pieces of them come at the same time.
local function pieces(net, bytes)
  local ana, bob = net:line("ana", "bob", { script = PIECES }):nodes()
  net:settle()
  net:way(ana, bob, { rate = 20000 })
  local address = bob.address:gsub(":%d+$", ":7000")
  net:expect(ana:request(ana, "write", { address = address, bytes = bytes }))
  net:run(1)
  local seen = net:expect(bob:request(bob, "pieces", {}))
  net:expect(seen.bytes == bytes, "all of it came")
  return seen.pieces
end

lab("what was written at once and fits a packet is read at once", function(net)
  net:expect(pieces(net, 1400) == 1)
end)

lab("over a narrow way what is long comes packet by packet", function(net)
  net:expect(pieces(net, 3000) == 3)
end)

lab("a long message over a narrow way does not look like a dead link", function(net)
  local ana, bob = line(net, "ana", "bob")
  local downs = 0
  bob:on("link:down", function() downs = downs + 1 end)
  net:way(ana, bob, { rate = 10000 })
  local m = ana:send(bob, ("x"):rep(500000))
  net:expect(m:wait("delivered", "1m") and downs == 0, downs)
end)

lab("a stream that is split arrives in small pieces, and nodes do not mind", function(net)
  net:split(10)
  local count = pieces(net, 3000)
  net:expect(count >= 300 and count < 1000, count)
  local m = net.nodes[1]:send("bob", ("x"):rep(2000))
  net:expect(m:wait("delivered", "1s"))
end)

local function expect_understanding(net)
  local ana, bob = line(net, "ana", "bob")
  net:expect(net:routes_are_true())
  net:expect(ana:send(bob, "hello"):wait("delivered", "1s"))
end

lab("nodes understand each other byte by byte", function(net)
  net:split(1)
  expect_understanding(net)
end)

lab("nodes understand each other when what arrives together is one piece", function(net)
  net:split(5)
  net:merge(true)
  expect_understanding(net)
end)

-- --- misuse ---

lab("a way that cannot be is told", function(net)
  local ana, bob = line(net, "ana", "bob")
  fails("a way has no option speed; did you mean spread%?", net.way, net, ana, bob, { speed = 1 })
  fails('the kind of a way is "fixed", "uniform" or "normal"', net.way, net, ana, bob, { kind = "odd" })
  fails("the rate of a way, bytes a second, is a whole number from 1 on, not %-1", net.way, net, ana, bob,
    { rate = -1 })
  fails("latency", net.way, net, ana, bob, { latency = "soon" })
  fails("the latency of a way is an hour at most", net.way, net, ana, bob, "2h")
  fails("there is no node eva in this network", net.way, net, ana, "eva", "1s")
end)
