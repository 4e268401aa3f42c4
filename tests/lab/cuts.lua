-- cuts.lua -- ways that are cut: openly, silently, in one direction, between groups, and joined again.

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

-- Whether a light message arrives within a second.
local function reaches(net, from, to)
  local came = false
  local handle = to:on("message:tick", function() came = true end)
  from:emit(to, "tick", {})
  net:run(1)
  handle:off()
  return came
end

local function links_down(net, node)
  local seen = {}
  node:on("link:down", function() seen[#seen + 1] = net:measure().virtual_s end)
  return seen
end

-- --- two machines ---

lab("an open cut closes the links at both ends at once", function(net)
  local ana, bob = line(net, "ana", "bob")
  local at_ana, at_bob, cut_at = links_down(net, ana), links_down(net, bob), net:measure().virtual_s
  net:cut("ana", "bob")
  net:run("100ms")
  net:expect(at_ana[1] and at_ana[1] - cut_at < 0.01)
  net:expect(at_bob[1] and at_bob[1] - cut_at < 0.01)
  net:expect(not reaches(net, ana, bob))
end)

lab("over an open cut a dial fails at once", function(net)
  local ana, bob = net:node("ana"), net:node("bob")
  net:cut(ana, bob)
  local began = net:measure().virtual_s
  local ok, why, code = ana:connect(bob)
  net:expect(not ok and why and code, "it connects")
  net:expect(net:measure().virtual_s - began < 1)
end)

lab("a silent cut is told to nobody: the ends notice by themselves", function(net)
  local ana, bob = line(net, "ana", "bob")
  local at_ana, at_bob = links_down(net, ana), links_down(net, bob)
  net:cut(ana, bob, { silent = true })
  net:expect(not reaches(net, ana, bob))
  net:expect(not at_ana[1] and not at_bob[1], "somebody was told")
  net:run("20s")
  net:expect(at_ana[1] and at_bob[1], "somebody never noticed")
end)

lab("what was under way in a silent cut arrives when it ends soon", function(net)
  local ana, bob = line(net, "ana", "bob")
  local m = ana:send(bob, "hello")
  net:cut(ana, bob, { silent = true })
  net:run("1s")
  net:expect(m.state ~= "delivered", "it goes through the cut")
  net:join(ana, bob)
  net:expect(m:wait("delivered", "1s"))
end)

lab("over a silent cut a dial finds no answer", function(net)
  local ana, bob = net:node("ana"), net:node("bob")
  net:cut(ana, bob, { silent = true })
  local ok, _, code = ana:connect(bob)
  net:expect(not ok and code == "timeout", code)
  net:join(ana, bob)
  net:eventually("1m", function() return ana:peer(bob) and ana:peer(bob).up end)
end)

lab("a cut of one direction lets the other one through", function(net)
  local ana, bob = line(net, "ana", "bob")
  net:cut(ana, bob, { oneway = true })
  local came = {}
  for _, node in ipairs { ana, bob } do node:on("message:tick", function() came[node.name] = true end) end
  ana:emit(bob, "tick", {})
  bob:emit(ana, "tick", {})
  net:run("500ms")
  net:expect(came.ana and not came.bob)
end)

lab("join undoes a cut of any kind", function(net)
  local ana, bob = line(net, "ana", "bob")
  for _, kind in ipairs { {}, { silent = true }, { oneway = true } } do
    net:cut(ana, bob, kind)
    net:run("20s")
    net:expect(not ana:peer(bob).up, "they still reach each other")
    net:join(bob, ana)
    net:eventually("1m", function() return ana:peer(bob).up and bob:peer(ana).up end)
    net:expect(reaches(net, ana, bob) and reaches(net, bob, ana))
  end
end)

lab("a cut concerns these two, and join only its two", function(net)
  local ana, bob, eva = net:full("ana", "bob", "eva"):nodes()
  net:settle()
  net:cut(ana, bob)
  net:cut(bob, eva)
  net:settle()
  net:expect(not eva:peer(bob).up and eva:peer(ana).up)
  net:join(ana, bob)
  net:eventually("1m", function() return eva:peer(bob).up end)
  net:settle()
  net:expect(eva:peer(bob).hops == 2, "it goes over the way that is still cut")
  net:expect(net:routes_are_true())
end)

lab("a node that dials again after a cut tries until it succeeds", function(net)
  local ana, bob = net:node("ana"), net:node("bob")
  net:cut(ana, bob)
  ana:dial(bob)
  net:run("30s")
  net:join(ana, bob)
  net:eventually("1m", function() return ana:peer(bob) and ana:peer(bob).up end)
end)

-- --- groups ---

local function ups(node)
  local names = {}
  for _, peer in ipairs(node:peers()) do
    if peer.up then names[#names + 1] = peer.name end
  end
  table.sort(names)
  return table.concat(names, " ")
end

lab("a partition cuts all ways between its groups, and none within", function(net)
  local ring = net:full("ana", "bob", "eva", "kim", "lea", "max")
  net:settle()
  net:partition({ "ana", "bob" }, { "eva", "kim" }, { "lea", "max" })
  net:settle()
  net:expect(ups(ring[1]) == "bob" and ups(ring[4]) == "eva" and ups(ring[5]) == "max")
  net:expect(net:routes_are_true())
end)

lab("who is in no group of a partition keeps all ways", function(net)
  local ana, bob, eva = net:full("ana", "bob", "eva"):nodes()
  net:settle()
  net:partition({ ana }, { bob })
  net:settle()
  net:expect(ups(eva) == "ana bob" and ana:peer(bob).hops == 2)
end)

lab("groups may be given as groups, nodes or names", function(net)
  local west, east, kim = net:line(3), net:line(3), net:node("kim")
  west[1]:dial(east[1])
  kim:dial(west[1])
  kim:dial(east[1])
  net:settle()
  net:partition(west, { east[1], "n5", east[3] }, "kim")
  net:settle()
  net:expect(ups(west[1]) == "n2 n3" and ups(east[3]) == "n4 n5" and ups(kim) == "")
end)

lab("a partition may be silent", function(net)
  local ana, bob = line(net, "ana", "bob")
  local told = links_down(net, ana)
  net:partition({ ana }, { bob }, { silent = true })
  net:expect(not reaches(net, ana, bob) and not told[1])
end)

lab("heal undoes partitions and cuts together", function(net)
  local group = net:full(6)
  net:settle()
  net:partition({ group[1], group[2], group[3] }, { group[4], group[5], group[6] })
  net:cut(group[1], group[2])
  net:cut(group[2], group[3], { silent = true })
  net:run("20s")
  net:heal()
  net:eventually("1m", function() return net:measure().links == 15 end)
  net:settle()
  net:expect(net:routes_are_true())
end)

lab("a heal without a cut changes nothing", function(net)
  local ana, bob = line(net, "ana", "bob")
  net:heal()
  net:join(ana, bob)
  net:expect(reaches(net, ana, bob) and net:routes_are_true())
end)

lab("a node that was killed in a partition comes back into it", function(net)
  local ana, bob = line(net, "ana", "bob")
  net:partition({ ana }, { bob })
  bob:restart()
  net:run("10s")
  net:expect(not reaches(net, ana, bob))
  net:heal()
  net:eventually("1m", function() return ana:peer(bob).up end)
end)

-- --- misuse ---

lab("a cut that cannot be is told", function(net)
  local ana, bob = line(net, "ana", "bob")
  fails("there is no node eva in this network", net.cut, net, ana, "eva")
  fails("there is no node nil in this network", net.cut, net, ana)
  fails("there is no node 7 in this network", net.join, net, 7, ana)
  fails("a cut has no option loud; there are oneway, silent", net.cut, net, ana, bob, { loud = true })
  fails("a cut of one direction is silent", net.cut, net, ana, bob, { oneway = true, silent = false })
  fails("partition takes two groups of nodes or more", net.partition, net, { ana })
  fails("partition takes two groups of nodes or more", net.partition, net)
  fails("there is no node eva", net.partition, net, { ana }, { "eva" })
end)
