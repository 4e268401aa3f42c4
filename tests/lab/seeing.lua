-- seeing.lua -- shapes of networks, and what the lab knows of them: routes, figures, drawings, the timeline.

local function fails(pattern, fn, ...)
  local ok, why = pcall(fn, ...)
  assert(not ok, "it does not fail")
  assert(why:find(pattern), why)
end

-- --- shapes ---

-- The links of a network as one text, once it has settled and all routes are right.
local function drawn(net)
  net:settle()
  net:expect(net:routes_are_true())
  local edges = {}
  for a, b in net:dot():gmatch '"(%w+)" %-%- "(%w+)"' do edges[#edges + 1] = a .. b end
  table.sort(edges)
  return table.concat(edges, " ")
end

lab("a line is a line", function(net)
  local group = net:line("a", "b", "c", "d")
  net:expect(drawn(net) == "ab bc cd")
  net:expect(group[1]:peer("d").hops == 3)
end)

lab("a ring is a line whose ends are linked", function(net)
  net:ring("a", "b", "c", "d")
  net:expect(drawn(net) == "ab ad bc cd")
end)

lab("a star has its first in the middle", function(net)
  net:star("a", "b", "c", "d")
  net:expect(drawn(net) == "ab ac ad")
end)

lab("a grid is as near to a square as can be, or as wide as is said", function(net)
  net:grid("a", "b", "c", "d", "e", "f", { width = 2 })
  net:expect(drawn(net) == "ab ac bd cd ce df ef")
end)

lab("a grid of six is three wide", function(net)
  net:grid("a", "b", "c", "d", "e", "f")
  net:expect(drawn(net) == "ab ad bc be cf de ef")
end)

lab("a tree has two below each, or as many as is said", function(net)
  net:tree("a", "b", "c", "d", "e", "f")
  net:expect(drawn(net) == "ab ac bd be cf")
end)

lab("a tree of three is flatter", function(net)
  net:tree("a", "b", "c", "d", "e", "f", { arity = 3 })
  net:expect(drawn(net) == "ab ac ad be bf")
end)

lab("in a full network everybody is linked with everybody", function(net)
  net:full("a", "b", "c", "d")
  net:expect(drawn(net) == "ab ac ad bc bd cd")
end)

lab("a random network is one piece of that degree", { seeds = 10 }, function(net)
  local group = net:random(30, { degree = 3 })
  drawn(net)
  net:expect(net:measure().links == 45, net:measure().links)
  for _, node in ipairs(group) do net:expect(#node:peers() == 29) end
end)

lab("small networks of all shapes work", function(net)
  for _, shape in ipairs { "line", "ring", "star", "grid", "tree", "full", "random" } do
    local one, two = net[shape](net, 1), net[shape](net, 2)
    net:expect(#one == 1 and #two == 2)
    net:settle()
    net:expect(#two[1]:links() == 1 and #two[2]:links() == 1, shape)
  end
end)

lab("nodes of a count are numbered on", function(net)
  local one, other = net:line(2), net:star(3)
  net:expect(one[1].name == "n1" and one[2].name == "n2" and other[1].name == "n3" and other[3].name == "n5")
  net:expect(#one == 2 and #other == 3 and tostring(other) == "group of 3 nodes")
end)

lab("a group gives its nodes by name, and all of them in order", function(net)
  local group = net:line("a", "b", "c")
  local c, a = group:nodes("c", "a")
  net:expect(c == group[3] and a == group[1])
  net:expect(select("#", group:nodes()) == 3 and select(2, group:nodes()) == group[2])
  fails("there is no node d in this group", group.nodes, group, "d")
end)

lab("the options of a shape are those of its nodes, too", function(net)
  local group = net:grid(4, { width = 4, clock = "1h", script = "tests/lab/bots/witness.lua" })
  net:settle()
  for _, node in ipairs(group) do net:expect(node:request(node, "time", {}) - os.time() == 3600) end
end)

lab("a shape that cannot be is told", function(net)
  fails("a network needs the names of its nodes, or how many there are", net.line, net)
  fails("a network needs the names of its nodes, or how many there are", net.line, net, {})
  fails("the number of nodes is a whole number from 1 to %d+", net.ring, net, 0)
  fails("the number of nodes is a whole number from 1 to %d+", net.ring, net, -3)
  fails("the number of nodes is a whole number from 1 to %d+", net.ring, net, 2.5)
  fails("the name of a node is a string, not 2", net.star, net, "a", 2)
  fails("width is a whole number from 1", net.grid, net, 3, { width = 0 })
  fails("arity is a whole number from 1", net.tree, net, 3, { arity = "two" })
  fails("degree is a whole number from 1", net.random, net, 3, { degree = 1.5 })
  fails("a node has no option colour", net.line, net, "x", "y", { colour = "red" })
  fails("there is a node b already", net.line, net, "b", "b")
end)

-- --- routes ---

lab("routes are not true while somebody has not heard yet", function(net)
  local ring = net:ring("ana", "bob", "eva", "kim", "lea")
  net:settle()
  net:cut(ring[1], ring[2])
  net:run("2ms")
  local are_true, why = net:routes_are_true()
  net:expect(not are_true and why:find("^the route from %a+ to %a+ is not the shortest way$"), why)
  net:settle()
  net:expect(net:routes_are_true())
end)

lab("routes of dead nodes do not count", function(net)
  local line = net:line("ana", "bob", "eva")
  net:settle()
  line[2]:kill()
  net:settle()
  net:expect(net:routes_are_true())
end)

lab("a node that loses adverts tells nobody, until the others ask", { seeds = 5 }, function(net)
  local line = net:line(5)
  net:settle()
  line[3]:lose(1000)
  net:node("far"):dial(line[5])
  net:run("1s")
  local far = line[1]:peer("far")
  net:expect(not (far and far.up), "nothing was lost")
  line[3]:lose(0)
  net:eventually("5m", function() return line[1]:peer("far") and line[1]:peer("far").up end)
end)

-- --- figures ---

lab("figures of a network that does nothing", function(net)
  net:line(3)
  net:settle()
  local m = net:measure()
  net:expect(m.nodes == 3 and m.links == 2 and m.sent == 0 and m.received == 0 and m.deliveries_most == 0)
  net:expect(m.bytes > 0 and m.control_bytes == m.bytes and m.control_share == 1 and m.adverts > 0)
  net:expect(m.control_bytes_per_node == m.control_bytes // 3)
  net:expect(m.convergence_s > 0 and m.convergence_s < 1 and m.stretch == 1 and m.delivery_max_s == 0)
end)

lab("figures of mail", function(net)
  local line = net:line("ana", "bob", "eva", { latency = "100ms" })
  net:settle()
  for _ = 1, 9 do net:expect(line[1]:send("bob", "hello"):wait("delivered", "5s")) end
  net:expect(line[1]:send("eva", ("x"):rep(10000)):wait("delivered", "5s"))
  local m = net:measure()
  net:expect(m.received == 10 and m.deliveries_most == 1 and net:max_deliveries() == 1)
  net:expect(m.delivery_p50_s >= 0.1 and m.delivery_p50_s < 0.15, m.delivery_p50_s)
  net:expect(m.delivery_max_s >= 0.2 and m.delivery_max_s < 0.3 and m.delivery_max_s >= m.delivery_p99_s)
  net:expect(m.delivery_p90_s <= m.delivery_p99_s and m.stretch == 1)
  net:expect(m.control_share < 1 and m.bytes - m.control_bytes > 20000, m.bytes - m.control_bytes)
end)

lab("what a node that was killed had counted still counts", function(net)
  local line = net:line(3)
  net:settle()
  line[3]:send(line[1], "hello")
  net:settle()
  local before = net:measure()
  line[3]:kill()
  local after = net:measure()
  net:expect(after.nodes == 2 and after.links < before.links)
  for _, name in ipairs { "bytes", "control_bytes", "adverts", "sent", "received" } do
    net:expect(after[name] == before[name] and after[name] > 0, name)
  end
  line[3]:start()
  net:settle()
  net:expect(net:measure().bytes > before.bytes and net:measure().sent == before.sent)
end)

lab("figures are a text, a table for others, and JSON", function(net)
  net:line(3)
  net:settle()
  local m = net:measure()
  net:expect(tostring(m):find("^nodes +3\nlinks +2\n"), tostring(m))
  local names, values = m:csv():match("^([^\n]+)\n([^\n]+)\n$")
  net:expect(names:find("^nodes,links,") and values:find("^3,2,"), m:csv())
  net:expect(select(2, names:gsub(",", "")) == select(2, values:gsub(",", "")))
  local decoded = json.decode(m:json())
  net:expect(decoded.nodes == 3 and decoded.bytes == m.bytes and decoded.convergence_s == m.convergence_s)
end)

-- --- drawings and stories ---

lab("a drawing shows all nodes, dead ones dashed, and the links that both ends have", function(net)
  net:line("ana", "bob", "eva")
  net:settle()
  net.nodes[3]:kill()
  net:settle()
  net:expect(net:dot() == ('graph "%s" {\n  "ana";\n  "bob";\n  "eva" [style=dashed];\n  "ana" -- "bob";\n}\n')
    :format(net.name), net:dot())
end)

lab("the timeline tells what was done and what came of it", function(net)
  local ana, bob = net:line("ana", "bob"):nodes()
  net:settle()
  net:cut(ana, bob)
  net:settle()
  ana:send(bob, "hello")
  net:run("1s")
  bob:freeze()
  local story = net:timeline()
  for _, line in ipairs { "  ana      link to bob up\n", "  %* cut ana bob\n", "  ana      link to bob down: ",
    "  bob      reaches ana no more\n", "  ana      %x+ to bob: queued", "  %* freeze bob\n" } do
    net:expect(story:find(line), line .. " is missing in\n" .. story)
  end
end)

lab("the timeline may be short, or of one node", function(net)
  local ana = net:line("ana", "bob", "eva"):nodes()
  net:settle()
  local _, lines = net:timeline(3):gsub("\n", "")
  net:expect(lines == 3, lines)
  net:expect(net:timeline(50, "ana"):find("  ana ") and not net:timeline(50, ana):find("\n *%d+%.%d+  bob "))
  net:expect(net:timeline(0) == "")
  fails("there is no node kim", net.timeline, net, 5, "kim")
end)

lab("the timeline has what scripts log", function(net)
  log.info("a word", 7)
  net:expect(net:timeline():find("info: a word 7"), net:timeline())
end)
