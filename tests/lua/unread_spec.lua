local fake_program = require "tests.lua.fake_program"
local helper = require "tests.lua.helper"

local BOB, EVA = fake_program.BOB, fake_program.EVA

describe("what nobody has seen", function()
  local w

  -- The same home after a restart, `seconds` later.
  local function again(seconds)
    local entries, home = w.node.entries, w.home
    helper.wall = helper.wall + (seconds or 1)
    w = fake_program.new { home = home }
    w.node.entries = entries
    w:load {}
    return w
  end

  local function counts()
    return w.program.mailbox:counts()
  end

  local function receive(fields)
    helper.settle(100)
    w:receive(fields)
  end

  before_each(function()
    w = fake_program.started()
  end)

  it("is nothing on a new home, whatever the history holds", function()
    w = fake_program.new { home = {} }
    w.node.entries = { { ours = false, from = EVA, name = "eva", time = helper.wall - 1 } }
    w:load {}
    assert.same({}, counts())
  end)

  it("counts by the peer", function()
    for _ = 1, 3 do receive() end
    receive { from = BOB, name = "bob" }
    assert.same({ [EVA] = 3, [BOB] = 1 }, counts())
  end)

  it("counts no light messages, and none of our own", function()
    receive { durable = false }
    table.insert(w.node.entries, { ours = true, from = w.node.id, to = EVA, name = "eva", time = helper.wall })
    assert.same({}, counts())
  end)

  it("is nothing while somebody watches, and what came meanwhile is seen", function()
    receive()
    local t = w:attach()
    assert.truthy(t.greeting:find "1 message arrived")
    assert.same({}, counts())
    receive()
    assert.same({}, counts())
    t:feed "quit"
    assert.same({}, counts())
    receive()
    assert.same({ [EVA] = 1 }, counts())
    assert.truthy(w:attach().greeting:find "1 message arrived")
  end)

  it("stays so when the one who watches goes, and another one does not", function()
    local one, two = w:attach(), w:attach()
    one:feed "quit"
    receive()
    assert.same({}, counts())
    two.session:abandon()
    helper.settle()
    assert.same({}, counts())
    receive()
    assert.same({ [EVA] = 1 }, counts())
  end)

  it("is not seen by a single command", function()
    receive()
    local one = w:single()
    assert.truthy(one:ask("list"):find "UNREAD")
    assert.same({ 0 }, one.statuses)
    assert.same({ [EVA] = 1 }, counts())
  end)

  it("is in the list and in its JSON", function()
    receive()
    local unread = {}
    for entry in w:single({ is_json = true }):ask("list"):gmatch "{[^}]*}" do
      local value = require("moth.json").decode(entry)
      unread[value.name] = value.unread
    end
    assert.same({ bob = 0, eva = 1 }, unread)
  end)

  it("is still unseen after a restart", function()
    receive()
    w.program:stop(0)
    helper.settle(2000)
    again()
    receive { from = BOB, name = "bob" }
    assert.same({ [EVA] = 1, [BOB] = 1 }, counts())
  end)

  it("is seen after a restart when somebody watched until the end", function()
    local t = w:sit()
    receive()
    t:feed "quit"
    helper.settle(2000)
    again()
    assert.same({}, counts())
  end)

  it("is seen again after a crash, and none is missed", function()
    w:sit()
    receive()
    helper.settle(61000)
    receive()
    again()
    assert.same({ [EVA] = 1 }, counts())
  end)

  it("is seen after a crash, too, a minute after the one who watched has gone", function()
    local t = w:attach()
    helper.settle(61000)
    receive()
    t:feed "quit"
    helper.settle(61000)
    again()
    assert.same({}, counts())
  end)

  it("is missed by no crash while nobody watched", function()
    receive()
    helper.settle(61000)
    receive()
    again()
    assert.same({ [EVA] = 2 }, counts())
  end)

  it("is written once a minute at most, and only when there is something new", function()
    w:sit()
    helper.settle(120000)
    w.kept = {}
    helper.settle(600000)
    assert.same({}, w.kept)
    for _ = 1, 100 do receive() end
    helper.settle(60000)
    helper.settle(60000)
    assert.same({ "seen" }, w.kept)
    assert.equal(helper.wall, math.max(helper.wall, tonumber(w.home.seen)))
  end)

  it("starts now when its file says nothing sensible", function()
    w = fake_program.new { home = { ["config.lua"] = "", seen = "yesterday" } }
    w.node.entries = { { ours = false, from = EVA, name = "eva", time = helper.wall - 1 } }
    w:load {}
    assert.same({}, counts())
    receive()
    assert.same({ [EVA] = 1 }, counts())
  end)

  it("is nothing while the database cannot be read", function()
    receive()
    w.node.refuses = "the database cannot be read now"
    assert.same({}, counts())
    assert.is_nil(w:attach().greeting:find "arrived")
  end)

  it("looks at the newest thousand", function()
    receive()
    counts()
    assert.same({ nil, 1000 }, { w.node.asked[1], w.node.asked[2] })
  end)

  it("is not taken for seen by a pipe that never showed it", function()
    receive()
    local pipe = w:enter { is_remote = true }
    assert.is_nil(pipe.greeting:find "hello")
    pipe:finish()
    assert.same({ [EVA] = 1 }, counts())
  end)
end)
