require "tests.lua.helper"

local topology = require "moth.topology"

-- A network that only notes who is made and who dials whom.
local function new_net()
  local net = { nodes = {}, dials = {} }
  function net:node(name, options)
    local node = { name = name, options = options }
    function node.dial(me, other) net.dials[#net.dials + 1] = me.name .. ">" .. other.name end
    self.nodes[#self.nodes + 1] = node
    return node
  end
  topology.add(net)
  return net
end

local function dials_of(shape, ...)
  local net = new_net()
  net[shape](net, ...)
  table.sort(net.dials)
  return table.concat(net.dials, " ")
end

local function degrees_of(net)
  local degrees = {}
  for _, dial in ipairs(net.dials) do
    for name in dial:gmatch "[^>]+" do degrees[name] = (degrees[name] or 0) + 1 end
  end
  return degrees
end

-- How many nodes can be reached from the first one.
local function reached(net)
  local found, count, list = { [net.nodes[1].name] = true }, 1, { net.nodes[1].name }
  for _, name in ipairs(list) do
    for _, dial in ipairs(net.dials) do
      local a, b = dial:match "(.+)>(.+)"
      local other = a == name and b or b == name and a
      if other and not found[other] then
        found[other], count, list[#list + 1] = true, count + 1, other
      end
    end
  end
  return count
end

describe("a shape", function()
  it("dials each of its links once", function()
    assert.equal("b>a c>b d>c", dials_of("line", "a", "b", "c", "d"))
    assert.equal("a>d b>a c>b d>c", dials_of("ring", "a", "b", "c", "d"))
    assert.equal("b>a c>a d>a", dials_of("star", "a", "b", "c", "d"))
    assert.equal("b>a c>a c>b d>a d>b d>c", dials_of("full", "a", "b", "c", "d"))
    assert.equal("b>a c>a d>b e>b f>c", dials_of("tree", "a", "b", "c", "d", "e", "f"))
    assert.equal("b>a c>a d>b d>c", dials_of("grid", "a", "b", "c", "d"))
  end)

  it("of two is one link, of one is none", function()
    for _, shape in ipairs { "line", "ring", "star", "full", "tree", "grid", "random" } do
      assert.equal("", dials_of(shape, "a"), shape)
      local one = dials_of(shape, "a", "b")
      assert.equal(3, #one, shape .. " has " .. one)
    end
  end)

  it("of a width or an arity has it", function()
    assert.equal("b>a c>b d>c", dials_of("grid", "a", "b", "c", "d", { width = 9 }))
    assert.equal("b>a c>b d>c", dials_of("grid", "a", "b", "c", "d", { width = 1 }))
    assert.equal("b>a c>b d>c", dials_of("tree", "a", "b", "c", "d", { arity = 1 }))
    assert.equal("b>a c>a d>a", dials_of("tree", "a", "b", "c", "d", { arity = 3 }))
  end)

  it("numbers its nodes after those that there are", function()
    local net = new_net()
    net:line(2)
    local group = net:ring(3)
    assert.equal("n3", group[1].name)
    assert.equal("n5", group[3].name)
  end)

  it("gives the nodes their options, without those of the shape", function()
    local net = new_net()
    local group = net:grid("a", "b", { width = 2, latency = "5ms" })
    assert.same({ latency = "5ms" }, group[1].options)
    assert.same({ latency = "5ms" }, group[2].options)
  end)
end)

describe("a random shape", function()
  it("is one piece, whatever the chance", function()
    for seed = 1, 30 do
      math.randomseed(seed)
      local net = new_net()
      net:random(25, { degree = 2 })
      assert.equal(25, reached(net))
    end
  end)

  it("has as many links as its degree says, and none twice", function()
    for _, degree in ipairs { 2, 3, 4, 7 } do
      local net, seen = new_net(), {}
      net:random(40, { degree = degree })
      for _, dial in ipairs(net.dials) do
        local a, b = dial:match "(.+)>(.+)"
        assert.not_equal(a, b)
        assert.is_nil(seen[a .. b] or seen[b .. a])
        seen[a .. b] = true
      end
      assert.equal(math.max(39, 40 * degree // 2), #net.dials)
    end
  end)

  it("gives up when there are no more links to make", function()
    local net = new_net()
    net:random(4, { degree = 40 })
    assert.is_true(#net.dials <= 6)
    for _, degree in pairs(degrees_of(net)) do assert.is_true(degree <= 3) end
  end)
end)

describe("a group", function()
  it("finds its nodes by name and gives all in order", function()
    local group = new_net():line("a", "b", "c")
    local c, a = group:nodes("c", "a")
    assert.equal("c", c.name)
    assert.equal("a", a.name)
    assert.equal(3, select("#", group:nodes()))
    assert.equal("group of 3 nodes", tostring(group))
    assert.equal("group", getmetatable(group))
  end)

  it("refuses a name that is not in it", function()
    local group = new_net():line("a", "b")
    assert.error_matches(function() group:nodes("z") end, "there is no node z in this group")
  end)
end)

describe("misuse of a shape", function()
  local cases = {
    { "a network needs the names of its nodes, or how many there are" },
    { "the number of nodes is a whole number from 1 to 4096, not 0", 0 },
    { "the number of nodes is a whole number from 1 to 4096, not 2.5", 2.5 },
    { "the number of nodes is a whole number from 1 to 4096, not 100000", 100000 },
    { "the name of a node is a string, not true", "a", true },
    { "degree is a whole number from 1 to 4096, not 0", 3, { degree = 0 } },
    { "degree is a whole number from 1 to 4096, not \"many\"", 3, { degree = "many" } },
  }
  for i, case in ipairs(cases) do
    it("is told in a sentence: " .. i, function()
      local net = new_net()
      assert.error_matches(function() net:random(table.unpack(case, 2)) end, case[1] .. "$")
    end)
  end

  it("makes no node", function()
    local net = new_net()
    pcall(net.line, net, 0)
    pcall(net.grid, net, 4, { width = 0 })
    assert.same({}, net.nodes)
  end)
end)
