local helper = require "tests.lua.helper"
local status_view = require "moth.status_view"

local function line()
  return helper.node { { name = "bob", start = "bbbb2222", hops = 1, via = helper.id("bbbb2222"), linked = true } }
end

describe("status", function()
  it("starts with name and id, and is 80 columns wide", function()
    local text = status_view.status(line())
    assert.truthy(text:find("^name +ana\nid +aaaa1111" .. ("0"):rep(24) .. "\naddress +127.0.0.1:6684\n"))
    for l in text:gmatch("[^\n]+") do assert.is_true(#l <= 80, l) end
    assert.truthy(text:find("\nnothing discarded\n", 1, true))
    assert.is_nil(text:find("\nlimit ", 1, true))
    assert.truthy(text:find("'status limits'", 1, true))
    local limits = status_view.limits(line())
    assert.truthy(limits:find("limit links: 512 links; further connections are closed, reason full", 1, true))
    for l in limits:gmatch("[^\n]+") do assert.is_true(#l <= 80, l) end
  end)

  it("says what waits, what is carried and how the store does", function()
    local node = line()
    node.figures = { carried = 2, carried_bytes = 2048, inbox = 1, inbox_bytes = 5, set_aside = 0, history_bytes = 1024,
      commits = 12, commit_operations = 3000, writes_waiting = 7, deposits_made = 3, deposits_taken = 2,
      handed_over = 1 }
    local text = status_view.status(node)
    assert.truthy(text:find("\ncarried       2 messages for others, 2.0 KiB\n", 1, true))
    assert.truthy(text:find("\ndeposits      3 made, 2 taken, 1 handed over\n", 1, true))
    assert.truthy(text:find("\ninbox         1 message not handled yet, 5 bytes\n", 1, true))
    assert.truthy(text:find("\nhistory       1.0 KiB\n", 1, true))
    assert.truthy(text:find("\nstore         12 commits of 3,000 operations, 7 waiting\n", 1, true))
  end)

  it("says what was set aside, and why nothing is promised", function()
    local node = line()
    node.figures = { set_aside = 2, store_reason = "no_space", store_why = "the disk is full" }
    local text = status_view.status(node)
    assert.truthy(text:find("0 bytes; 2 set aside ('history' shows)\n", 1, true))
    assert.truthy(text:find("\nstore         nothing new is promised: the disk is full\n", 1, true))
    node.figures = { store_reason = "store", store_why = "the database cannot be written now; nothing new" }
    assert.truthy(status_view.status(node):find("nothing new is promised: it cannot be written now\n", 1, true))
  end)

  it("counts what was discarded by reason", function()
    local node = line()
    node.discarded = {
      { code = "forged", count = 3, why = "a signature or authentication tag does not hold" },
      { code = "stale", count = 1200, why = "older than what is known" },
    }
    local text = status_view.status(node)
    assert.truthy(text:find([[
discarded
      3  forged: a signature or authentication tag does not hold
  1,200  stale: older than what is known
]], 1, true))
  end)

  it("fits every terminal from 40 columns on", function()
    local node = line()
    node.figures = { store_reason = "no_space", store_why = "the disk is full", set_aside = 2, bytes_in = 1 << 50 }
    node.discarded = { { code = "forged", count = 1234567, why = "a signature or authentication tag does not hold" } }
    node.address = "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535"
    for width = 40, 120 do
      for row in status_view.status(node, width):gmatch("[^\n]+") do assert.is_true(#row <= width, row) end
      for row in status_view.identity(node, width):gmatch("[^\n]+") do assert.is_true(#row <= width, row) end
    end
  end)
end)
