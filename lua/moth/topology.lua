--- Networks of a known shape, made from a class that has `node(name, options)` and nodes that have `dial(other)`.
--
-- Each generator takes names, or a count (then the nodes are n1, n2, ...), and at the end options, which every node
-- gets; it starts them and lets them dial, and returns a group.

local given = require "moth.given"
local suggest = require "moth.suggest"

local topology = {}

-- --- groups ---

local group = {}
group.__index = group
group.__metatable = "group"

function group.__tostring(self)
  return ("group of %d nodes"):format(#self)
end

--- The nodes of those names; all in order without names.
function group:nodes(...)
  if select("#", ...) == 0 then return table.unpack(self) end
  local found = {}
  for i, name in ipairs { ... } do
    for _, node in ipairs(self) do
      if node.name == name then found[i] = node end
    end
    if not found[i] then given.refuse(("there is no node %s in this group"):format(tostring(name))) end
  end
  return table.unpack(found)
end

-- --- arguments ---

local COUNT_MAX = 4096

local OPTIONS = { random = "degree", grid = "width", tree = "arity" }

-- What looks like an option of a shape and is none of this one; all others are for the nodes to check.
local function check_option(shape, key)
  local own = OPTIONS[shape]
  if type(key) ~= "string" then return end
  if own and suggest.nearest(key, { own }) then
    given.refuse(("%s has no option %s; did you mean %s?"):format(shape, key, own))
  end
  for other, name in pairs(OPTIONS) do
    if name == key then given.refuse(("%s has no option %s, which is one of %s"):format(shape, key, other)) end
  end
end

-- The option of the shape, where it has one, and those of the nodes.
local function split_options(shape, options)
  local of_shape, of_nodes = {}, {}
  for key, value in pairs(options) do
    if key == OPTIONS[shape] then
      of_shape[key] = given.whole(value, key, 1, COUNT_MAX)
    else
      check_option(shape, key)
      of_nodes[key] = value
    end
  end
  return of_shape, of_nodes
end

local function names_of(net, first, ...)
  if type(first) ~= "number" then return { first, ... } end
  given.whole(first, "the number of nodes", 1, COUNT_MAX)
  if select("#", ...) > 0 then given.refuse("a network takes names, or a count, and not both") end
  local names, number = {}, #net.nodes
  for i = 1, first do names[i] = ("n%d"):format(number + i) end
  return names
end

local function read(net, shape, ...)
  local arguments = table.pack(...)
  local options = {}
  if type(arguments[arguments.n]) == "table" then
    options, arguments[arguments.n], arguments.n = arguments[arguments.n], nil, arguments.n - 1
  end
  if arguments.n == 0 then given.refuse("a network needs the names of its nodes, or how many there are") end
  local names = names_of(net, table.unpack(arguments, 1, arguments.n))
  for i = 1, #names do given.a("string", names[i], "the name of a node") end
  return names, split_options(shape, options)
end

-- --- making them ---

local function start(net, names, options)
  local nodes = setmetatable({}, group)
  for i, name in ipairs(names) do nodes[i] = net:node(name, options) end
  return nodes
end

local shapes = {}

--- a - b - c
function shapes.line(nodes)
  for i = 2, #nodes do nodes[i]:dial(nodes[i - 1]) end
end

--- The same, and the last with the first.
function shapes.ring(nodes)
  shapes.line(nodes)
  if #nodes > 2 then nodes[1]:dial(nodes[#nodes]) end
end

--- The first in the middle.
function shapes.star(nodes)
  for i = 2, #nodes do nodes[i]:dial(nodes[1]) end
end

--- Rows of {width =} nodes, as near to a square as can be unless said.
function shapes.grid(nodes, shape)
  local width = shape.width or math.ceil(math.sqrt(#nodes))
  for i = 1, #nodes do
    if (i - 1) % width > 0 then nodes[i]:dial(nodes[i - 1]) end
    if i > width then nodes[i]:dial(nodes[i - width]) end
  end
end

--- Each with {arity = 2} below it.
function shapes.tree(nodes, shape)
  local arity = shape.arity or 2
  for i = 2, #nodes do nodes[i]:dial(nodes[(i - 2) // arity + 1]) end
end

--- Everybody with everybody.
function shapes.full(nodes)
  for i = 2, #nodes do
    for j = 1, i - 1 do nodes[i]:dial(nodes[j]) end
  end
end

-- Two that are not linked yet; gives up where there may be none.
local function random_pair(linked, count)
  for _ = 1, 100 do
    local a, b = math.random(count), math.random(count)
    if a ~= b and not linked[a * COUNT_MAX + b] then return a, b end
  end
end

--- One piece, with {degree = 4} links at each node on average.
function shapes.random(nodes, shape)
  local degree, linked, count = shape.degree or 4, {}, #nodes
  local function link(a, b)
    linked[a * COUNT_MAX + b], linked[b * COUNT_MAX + a] = true, true
    nodes[a]:dial(nodes[b])
  end
  for i = 2, count do link(i, math.random(i - 1)) end
  for _ = count, count * degree // 2 do
    local a, b = random_pair(linked, count)
    if a then link(a, b) end
  end
end

---@param class table
function topology.add(class)
  for name, dial in pairs(shapes) do
    class[name] = function(net, ...)
      local names, shape, options = read(net, name, ...)
      local nodes = start(net, names, options)
      dial(nodes, shape)
      return nodes
    end
  end
end

return topology
