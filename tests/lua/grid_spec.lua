require "tests.lua.helper"
local grid = require "moth.grid"
local lines = require "moth.lines"

local function assert_fits(text, width)
  for line in text:gmatch("[^\n]+") do assert.is_true(lines.columns(line) <= width, ("%d: %s"):format(width, line)) end
end

describe("a table", function()
  it("lines columns up, numbers flush right, nothing behind the last", function()
    local text = grid.table({ { "NAME", "N" }, { "ana", "10" }, { "grüße", "" } }, { right = { [2] = true } })
    assert.equal("NAME    N\nana    10\ngrüße", text)
  end)

  it("lines wide and combining characters up", function()
    assert.equal("界   1\nabc  2\ne\u{301}    3", grid.table { { "界", "1" }, { "abc", "2" }, { "e\u{301}", "3" } })
  end)

  it("is left as it is when it fits exactly", function()
    local rows = { { ("n"):rep(20), ("v"):rep(18) } }
    assert.equal(rows[1][1] .. "  " .. rows[1][2], grid.table(rows, { width = 40, least = { 5, 5 }, drop = { 1 } }))
  end)

  it("has no lines without rows", function()
    assert.equal("", grid.table {})
  end)

  it("wraps its last column under itself", function()
    assert.equal("key    one two three four\n       five six seven\nother  8",
      grid.table({ { "key", "one two three four five six seven" }, { "other", "8" } }, { width = 26 }))
  end)

  it("puts the last cell below its row where a word of it has no room", function()
    local id = ("0123456789abcdef"):rep(2)
    assert.equal("name       ana\nidentity\n  " .. id .. "\nx          y",
      grid.table({ { "name", "ana" }, { "identity ", id }, { "x", "y" } }, { width = 40 }))
  end)

  it("folds a word that is wider than all of it", function()
    local path = ("/a/long/path"):rep(6)
    local text = grid.table({ { "file", path } }, { width = 40 })
    assert_fits(text, 40)
    assert.equal("file" .. path, (text:gsub("%s", "")))
  end)

  it("cuts the widest of the columns that may be cut, no further than it must", function()
    local row = { ("a"):rep(20), ("b"):rep(10), "c" }
    assert.equal(("a"):rep(14) .. "~  " .. ("b"):rep(10) .. "  c",
      grid.table({ row }, { width = 30, least = { 5, 5 } }))
    assert.equal(("a"):rep(6) .. "~  " .. ("b"):rep(7) .. "~  c",
      grid.table({ row }, { width = 20, least = { 5, 5 } }))
  end)

  it("lets columns go in the order it is told, and only when cutting is not enough", function()
    local rows = { { "name", ("1"):rep(8), ("2"):rep(8), ("3"):rep(8), "end" } }
    assert.equal("name  11111111  33333333  end", grid.table(rows, { width = 36, drop = { 3, 2 } }))
    assert.equal("name  33333333  end", grid.table(rows, { width = 26, drop = { 3, 2 } }))
  end)

  it("cuts what may not be cut when nothing else helps", function()
    local text = grid.table({ { ("k"):rep(60), "some words" } }, { width = 40 })
    assert_fits(text, 40)
    assert.truthy(text:find("~\n  some words$"))
  end)

  it("is never wider than its terminal, whatever is in it", function()
    local random = math.random
    math.randomseed(7)
    local alphabet = { "a", "bc", "界", "e\u{301}", " ", "~", "\255", "-" }
    local function cell(most)
      local parts = {}
      for i = 1, random(0, most) do parts[i] = alphabet[random(#alphabet)] end
      return table.concat(parts)
    end
    for _ = 1, 400 do
      local rows, columns, options = {}, random(1, 7), { least = {}, right = {}, drop = {} }
      for i = 1, random(1, 4) do
        rows[i] = {}
        for j = 1, columns do rows[i][j] = cell(random(1, 5) == 1 and 120 or 12) end
      end
      for j = 1, columns do
        options.least[j] = random(2) == 1 and random(3, 20) or nil
        options.right[j] = random(3) == 1
        if j < columns and random(3) == 1 then options.drop[#options.drop + 1] = j end
      end
      options.width = random(40, 130)
      assert_fits(grid.table(rows, options), options.width)
    end
  end)
end)

describe("a list", function()
  local columns = {
    { head = "NAME", cell = function(e) return e.name end, least = 4 },
    { head = "COUNT", cell = function(e) return e.count end, right = true, drop = 1 },
    { head = "NOTE", cell = function(e) return e.note end },
  }
  local entries = { { name = "ana", count = "1", note = "a note" }, { name = "roberta", count = "12", note = "-" } }

  it("has heads above the cells of its entries", function()
    assert.equal("NAME     COUNT  NOTE\nana          1  a note\nroberta     12  -", grid.list(columns, entries))
  end)

  it("cuts and drops as its columns say", function()
    assert.equal("NAME   COUNT  NOTE\nana        1  a note\nrobe~     12  -", grid.list(columns, entries, 20))
    local long = { { name = "roberta", count = "12", note = ("x"):rep(14) } }
    assert.equal("NAME  NOTE\nrob~  " .. ("x"):rep(14), grid.list(columns, long, 20))
  end)

  it("knows whether all of its columns have room", function()
    assert.is_true(grid.has_room(columns, entries, 20))
    assert.is_false(grid.has_room(columns, { { name = "roberta", count = "12", note = ("x"):rep(14) } }, 20))
    assert.is_true(grid.has_room(columns, entries))
  end)
end)
