local helper = require "tests.lua.helper"
local fakes = require "tests.lua.process_fakes"
local core = require "moth.core"
local owners = require "moth.owner"
local tcp = require "moth.tcp"
local ways = require "moth.process_ways"

describe("process ways", function()
  local all, owner, ana, bob

  setup(function() core.tcp = fakes.tcp end)
  teardown(function() core.tcp = nil end)

  before_each(function()
    helper.reset()
    fakes.reset()
    helper.take_events = tcp.turn
    owner = owners.new("ways", core.account "ways", function(traceback) error(traceback, 0) end)
    all = ways.new(owner)
    ana, bob = { name = "ana", address = "127.0.0.1:1" }, { name = "bob", address = "127.0.0.1:2" }
  end)

  after_each(function()
    tcp.close_all(owner)
    helper.take_events = nil
  end)

  -- ana dials bob: her end, and the one at bob.
  local function link()
    all:address(ana, bob)
    local near = fakes.arrive()
    helper.settle()
    local far = fakes.dialled[#fakes.dialled]
    if far then far:opens() end
    helper.settle()
    return near, far
  end

  it("has an address for each pair and direction, always the same", function()
    local there, back = all:address(ana, bob), all:address(bob, ana)
    assert.not_equals(there, back)
    assert.equals(there, all:address(ana, bob))
    assert.equals(2, #fakes.servers)
  end)

  it("says when there are too many", function()
    fakes.refuses = true
    local address, why = all:address(ana, bob)
    assert.is_nil(address)
    assert.truthy(why:find "^no way from ana to bob can be made: processes have some sixty ways at most")
  end)

  it("passes bytes on, in both directions, and the end", function()
    local near, far = link()
    assert.equals(bob.address, far.dialled)
    near:gets "hello"
    far:gets "good morning"
    helper.settle()
    assert.equals("hello", far.sent)
    assert.equals("good morning", near.sent)
    near:gets " and goodbye"
    near:ends()
    helper.settle()
    assert.equals("hello and goodbye", far.sent)
    assert.equals("closed", far.now)
  end)

  it("dials the node where it listens now", function()
    link()
    bob.address = "127.0.0.1:3"
    local _, far = link()
    assert.equals("127.0.0.1:3", far.dialled)
  end)

  it("turns away who dials a node that does not run", function()
    bob.address = nil
    local near, far = link()
    assert.is_nil(far)
    assert.equals("closed", near.now)
  end)

  it("closes both ends when a flow is closed, whichever it is", function()
    for _, pair in ipairs { { ana, bob }, { bob, ana } } do
      local near, far = link()
      all:set(pair[1], pair[2], "closed")
      helper.settle()
      assert.equals("closed", near.now)
      assert.equals("closed", far.now)
      all:set(pair[1], pair[2], "open")
    end
  end)

  it("turns away who dials while one is closed, until it is open again", function()
    all:set(bob, ana, "closed")
    local near = link()
    assert.equals("closed", near.now)
    assert.equals(0, #fakes.dialled)
    all:set(bob, ana, "open")
    near = link()
    assert.equals("open", near.now)
  end)

  it("holds bytes of one flow back, and lets the other pass", function()
    local near, far = link()
    all:set(ana, bob, "held")
    near:gets "hello"
    far:gets "good morning"
    helper.settle()
    assert.equals("", far.sent)
    assert.equals("good morning", near.sent)
    all:set(ana, bob, "open")
    helper.settle()
    assert.equals("hello", far.sent)
  end)

  it("tells nobody of an end while it is held", function()
    local near, far = link()
    all:set(ana, bob, "held")
    near:ends()
    helper.settle()
    assert.equals("open", far.now)
    all:set(ana, bob, "open")
    helper.settle()
    assert.equals("closed", far.now)
  end)

  it("lets a dial wait until both flows are open", function()
    all:set(bob, ana, "held")
    local near = link()
    assert.equals(0, #fakes.dialled)
    assert.equals("open", near.now)
    all:open_all()
    helper.settle()
    assert.equals(1, #fakes.dialled)
  end)

  it("closes what was held", function()
    local near, far = link()
    all:set(ana, bob, "held")
    near:gets "hello"
    helper.settle()
    all:set(ana, bob, "closed")
    helper.settle()
    assert.equals("closed", near.now)
    assert.equals("closed", far.now)
    assert.equals("", far.sent)
    assert.equals(0, owner.tasks)
  end)
end)
