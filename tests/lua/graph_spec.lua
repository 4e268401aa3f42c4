local helper = require "tests.lua.helper"
require "tests.lua.fakes"
local graph = require "moth.graph"
local lines = require "moth.lines"

-- "ana-bob bob-eva": ids are names here; the first is this node.
local function network(links, others)
  local net = { names = {}, edges = {} }
  for a, b in links:gmatch("(%w+)%-(%w+)") do
    net.me = net.me or a
    net.names[a], net.names[b] = a, b
    net.edges[#net.edges + 1] = { a = a, b = b }
  end
  for name in (others or ""):gmatch("%w+") do net.names[name] = name end
  return net
end

local function assert_drawn(expected, net, width)
  assert.equal(expected:gsub("\n$", ""), graph.draw(net, width))
end

describe("the network in text", function()
  it("is a line", function()
    assert_drawn([[
ana (you)
`-- bob
    `-- eva
]], network "ana-bob bob-eva")
  end)

  --   ana --- bob --- eva
  --     \             /
  --      `--- kim ---'
  it("is a ring, whose last link is named where it ends", function()
    assert_drawn([[
ana (you)
|-- bob
|   `-- eva
`-- kim  also eva
]], network "ana-bob bob-eva eva-kim kim-ana")
  end)

  it("is a star, by name", function()
    assert_drawn([[
ana (you)
|-- bob
|-- eva
`-- kim
]], network "ana-kim ana-eva ana-bob")
  end)

  it("has branches below each other", function()
    assert_drawn([[
ana (you)
|-- bob
|   |-- eva
|   |   `-- lea
|   `-- max
`-- kim
    `-- tom
]], network "ana-bob ana-kim bob-eva bob-max eva-lea kim-tom")
  end)

  it("names each other link once, at the later of its ends", function()
    assert_drawn([[
ana (you)
|-- bob
|-- eva  also bob
`-- kim  also bob, eva
]], network "ana-bob ana-eva ana-kim bob-eva bob-kim eva-kim")
  end)

  it("goes the way that messages take, of two that are equally long", function()
    local net = network "ana-bob ana-kim bob-eva kim-eva"
    net.via = { eva = "kim" }
    assert_drawn([[
ana (you)
|-- bob
`-- kim
    `-- eva  also bob
]], net)
  end)

  it("goes no longer way than it must", function()
    local net = network "ana-bob bob-eva ana-eva"
    net.via = { eva = "bob" }
    assert_drawn([[
ana (you)
|-- bob
`-- eva  also bob
]], net)
  end)

  it("counts who is known and cannot be reached", function()
    assert_drawn([[
ana (you)
`-- bob
1 peer away
]], network("ana-bob", "kim"))
    assert.truthy(graph.draw(network "ana-bob kim-tom"):find("\n2 peers away$"))
  end)

  it("is this node alone", function()
    local alone = { me = "ana", names = { ana = "ana" }, edges = {} }
    assert.equal("ana (you)\nno links: connect HOST:PORT", graph.draw(alone))
  end)

  it("tells two of the same name apart by their ids, the same way every time", function()
    local net = network "ana-x1 ana-x2 x1-eva"
    net.names.x1, net.names.x2 = "bob", "bob"
    assert_drawn([[
ana (you)
|-- bob
|   `-- eva
`-- bob
]], net)
  end)

  it("draws the nearest of many and counts the others", function()
    local list = {}
    for i = 100, 399 do list[#list + 1] = "ana-n" .. i end
    list[#list + 1] = "n100-deep"
    local text = graph.draw(network(table.concat(list, " ")))
    assert.equal(201, select(2, text:gsub("\n", "\n")) + 1)
    assert.truthy(text:find("\nand 102 more$"))
    assert.is_nil(text:find("deep", 1, true))
    assert.truthy(text:find("\n`%-%- n298\n"))
  end)

  it("says how far somebody is where the tree is deeper than the screen is wide", function()
    local list = {}
    for i = 10, 72 do list[#list + 1] = ("n%d-n%d"):format(i, i + 1) end
    local text = graph.draw(network(table.concat(list, " ")), 40)
    assert.truthy(text:find("\n63.. +`%-%- n73$"))
    assert.equal(64, select(2, text:gsub("n%d%d", "")))
  end)

  it("has any width from 40 columns on, in any network", function()
    math.randomseed(11)
    for _ = 1, 60 do
      local list, count = { "ana-n1" }, math.random(2, 40)
      for i = 2, count do list[#list + 1] = ("n%d-n%d"):format(i, math.random(math.max(1, i - 3), i - 1)) end
      for _ = 1, math.random(0, 60) do
        local a, b = math.random(count), math.random(count)
        if a < b then list[#list + 1] = ("n%d-n%d"):format(a, b) end
      end
      local net, width = network(table.concat(list, " ")), math.random(40, 100)
      for id in pairs(net.names) do net.names[id] = id .. ("x"):rep(math.random(0, 28)) end
      local text = graph.draw(net, width)
      for row in text:gmatch("[^\n]+") do assert.is_true(lines.columns(row) <= width, row) end
      assert.equal(count + 1, select(2, text:gsub("\n", "\n")) + 1)
    end
  end)

  it("counts the links that have no room", function()
    local list = {}
    for i = 1, 9 do
      list[#list + 1] = "ana-n" .. i
      for j = 1, i - 1 do list[#list + 1] = ("n%d-n%d"):format(i, j) end
    end
    local net = network(table.concat(list, " "))
    assert.truthy(graph.draw(net, 40):find("\n`-- n9  also n1, n2, n3, n4 and 4 more", 1, true))
    for id in pairs(net.names) do net.names[id] = id .. ("x"):rep(20) end
    assert.truthy(graph.draw(net, 40):find("\n`%-%- n9x+  %+8 links$"))
  end)
end)

describe("the network for dot", function()
  local ana, bob, eva = helper.id("aaaa1111"), helper.id("bbbb2222"), helper.id("eeee3333")

  local function line()
    return { me = ana, names = { [ana] = "ana", [bob] = "bob", [eva] = "eva" },
      edges = { { a = eva, b = bob }, { a = ana, b = bob } } }
  end

  it("has nodes by name and each link once, the same way every time", function()
    assert.equal(table.concat({
      "graph moth {",
      ('  "%s" [label="ana", style=bold];'):format(ana),
      ('  "%s" [label="bob"];'):format(bob),
      ('  "%s" [label="eva"];'):format(eva),
      ('  "%s" -- "%s";'):format(ana, bob),
      ('  "%s" -- "%s";'):format(bob, eva),
      "}",
    }, "\n"), graph.dot(line()))
  end)

  it("has this node even when it is alone", function()
    assert.equal(('graph moth {\n  "%s" [label="ana", style=bold];\n}'):format(ana),
      graph.dot { me = ana, names = { [ana] = "ana" }, edges = {} })
  end)

  it("lets no name break out of its quotes", function()
    local net = line()
    net.names[bob] = 'b"]; x -- y; "'
    assert.truthy(graph.dot(net):find([=[[label="b\"]; x -- y; \""];]=], 1, true))
  end)

  it("is a value, too", function()
    assert.same({ nodes = { { id = ana, name = "ana" }, { id = bob, name = "bob" }, { id = eva, name = "eva" } },
      edges = { { a = ana, b = bob }, { a = bob, b = eva } } }, graph.value(line()))
  end)
end)
