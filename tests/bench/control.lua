-- control.lua -- what it costs to keep a network together: bytes that each node sends when the network boots, when one
-- link comes or goes, and in a minute in which nothing happens. All links start at once; each node has four.
--
-- moth lab tests/bench/control.lua

local function bytes_per_node(net) return net:measure().control_bytes / #net.nodes end

local function cost(net, act)
  local before = bytes_per_node(net)
  act()
  return bytes_per_node(net) - before
end

for _, count in ipairs { 10, 100, 1000 } do
  lab(("control traffic, %d nodes"):format(count), function(net)
    local nodes = net:random(count, { degree = 4 })
    local booted = net:settle "10m"
    net:run "2m" -- what is learned late has been told
    local boot = bytes_per_node(net)
    local idle = cost(net, function() net:run "10m" end) / 10
    local first, second = nodes[1], nodes[1]:links()[1].name
    local settled
    local cut = cost(net, function()
      net:cut(first, second)
      settled = net:settle "2m"
      net:run "10s"
    end) - idle / 60 * (settled + 12)
    net:expect(net:routes_are_true())
    print(("%5d nodes: boot %9.0f bytes a node in %.2f s, a link lost %7.0f bytes a node in %.3f s, idle %6.0f a minute")
      :format(count, boot, booted, cut, settled, idle))
  end)
end
