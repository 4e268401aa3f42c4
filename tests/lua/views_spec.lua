local helper = require "tests.lua.helper"
local views = require "moth.views"

--   ana --- bob --- eva     kim is known and away
local function line()
  local bob, eva = helper.id("bbbb2222"), helper.id("eeee3333")
  local node = helper.node {
    { name = "kim", start = "cccc4444", up = false, address = "127.0.0.1:7003" },
    { name = "eva", start = "eeee3333", hops = 2, via = bob, address = "127.0.0.1:7002" },
    { name = "bob", start = "bbbb2222", hops = 1, via = bob, linked = true, rtt_ms = 0.41, address = "127.0.0.1:7001" },
  }
  node.paths[eva] = { node.id, bob, eva }
  node.links = { { a = eva, b = bob }, { a = node.id, b = bob } }
  return node
end

describe("list", function()
  it("shows links first, then who can be reached, then who is away", function()
    assert.equal([[
NAME  ID        HOPS  VIA     RTT  ADDRESS
bob   bbbb2222     1  -    0.4 ms  127.0.0.1:7001
eva   eeee3333     2  bob       -  127.0.0.1:7002
kim   cccc4444     -  -         -  127.0.0.1:7003  away]], views.list(line()))
  end)

  it("says so when nobody is known", function()
    assert.equal("nobody yet: connect HOST:PORT", views.list(helper.node()))
  end)

  it("marks somebody without an address", function()
    local node = helper.node { { name = "kim", start = "cccc4444", up = false } }
    assert.truthy(views.list(node):find("kim +cccc4444 +%- +%- +%- +away$"))
  end)

  it("tells what is being dialled", function()
    local node = helper.node()
    node.addresses = {
      { address = "127.0.0.1:7009", linked = false, why = "the other end refused", retry_in_ms = 2001 },
      { address = "127.0.0.1:7008", linked = false, retry_in_ms = 0 },
      { address = "127.0.0.1:7007", linked = true, retry_in_ms = 0 },
    }
    assert.equal("connecting 127.0.0.1:7009: the other end refused, again in 3 s\n"
      .. "connecting 127.0.0.1:7008: trying now", views.list(node))
  end)
end)

describe("names of 32 bytes", function()
  it("are cut in the list, which stays within 80 columns, and whole in routes", function()
    local name, hub = ("n"):rep(32), helper.id("bbbb2222")
    local node = helper.node {
      { name = name, start = "eeee3333", hops = 63, via = hub, address = "203.0.113.254:65535", rtt_ms = 1234 },
      { name = ("h"):rep(32), id = hub, hops = 1, via = hub, linked = true },
    }
    for line in views.list(node):gmatch("[^\n]+") do assert.is_true(#line <= 80, line) end
    local row = ("\n%s~  eeee3333    63  %s~ "):format(("n"):rep(13), ("h"):rep(13))
    assert.truthy(views.list(node):find(row, 1, true))
    for line in views.routes(node):gmatch("[^\n]+") do assert.is_true(#line <= 80, line) end
    assert.truthy(views.routes(node):find(name, 1, true))
  end)
end)

describe("routes", function()
  it("shows through whom each peer is reached", function()
    assert.equal("PEER  HOPS  VIA\nbob      1  -\neva      2  bob", views.routes(line()))
  end)

  it("says so when nobody can be reached", function()
    local node = helper.node { { name = "kim", start = "cccc4444", up = false } }
    assert.equal("no routes: nobody can be reached", views.routes(node))
  end)
end)

describe("trace", function()
  it("names each hop", function()
    local node = line()
    assert.equal([[
0  ana (aaaa1111)  this node
1  bob (bbbb2222)  0.4 ms
2  eva (eeee3333)]], views.trace(node, node:path("eva")))
  end)

  it("names a hop that nobody knows by its id", function()
    local node = line()
    local text = views.trace(node, { node.id, helper.id("dddd5555") })
    assert.truthy(text:find("1  dddd5555 (dddd5555)", 1, true))
  end)
end)

describe("status", function()
  it("starts with name and id, and is 80 columns wide", function()
    local text = views.status(line())
    assert.truthy(text:find("^name +ana\nid +aaaa1111" .. ("0"):rep(24) .. "\naddress +127.0.0.1:6684\n"))
    for l in text:gmatch("[^\n]+") do assert.is_true(#l <= 80, l) end
    assert.truthy(text:find("\nnothing discarded\n", 1, true))
    assert.truthy(text:find("\nlimit links: 512 links; further connections are closed, reason full", 1, true))
  end)

  it("counts what was discarded by reason", function()
    local node = line()
    node.discarded = {
      { code = "forged", count = 3, why = "a signature or authentication tag does not hold" },
      { code = "stale", count = 1200, why = "older than what is known" },
    }
    local text = views.status(node)
    assert.truthy(text:find([[
discarded
      3  forged: a signature or authentication tag does not hold
  1,200  stale: older than what is known
]], 1, true))
  end)
end)

describe("graph dot", function()
  it("draws nodes by name and each link once, the same way every time", function()
    local bob, eva, ana = helper.id("bbbb2222"), helper.id("eeee3333"), helper.id("aaaa1111")
    assert.equal(table.concat({
      "graph moth {",
      ('  "%s" [label="ana", style=bold];'):format(ana),
      ('  "%s" [label="bob"];'):format(bob),
      ('  "%s" [label="eva"];'):format(eva),
      ('  "%s" -- "%s";'):format(ana, bob),
      ('  "%s" -- "%s";'):format(bob, eva),
      "}",
    }, "\n"), views.dot(line()))
  end)

  it("draws this node even when it is alone", function()
    assert.equal(('graph moth {\n  "%s" [label="ana", style=bold];\n}'):format(helper.id("aaaa1111")),
      views.dot(helper.node()))
  end)

  it("lets no name break out of its quotes", function()
    local node = line()
    node.known[3].name = 'b"]; x -- y; "'
    assert.truthy(views.dot(node):find([=[[label="b\"]; x -- y; \""];]=], 1, true))
  end)
end)
