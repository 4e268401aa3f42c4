require "tests.lua.helper"
local lines = require "moth.lines"

local COMBINING = "e\u{301}"

describe("lines", function()
  it("breaks between words at 80 columns", function()
    local text = lines.wrap(("word "):rep(40), 4)
    for line in text:gmatch("[^\n]+") do assert.is_true(#line <= 80) end
    assert.equal(40, select(2, text:gsub("word", "")))
    assert.truthy(text:find("^word"))
    assert.equal(2, select(2, text:gsub("\n    word", "")))
    assert.equal("", lines.wrap(" "))
  end)

  it("break at the width they are given, wide characters counted twice", function()
    assert.equal("one two\nthree", lines.wrap("one two three", 0, 9))
    assert.equal("界界\n界", lines.wrap("界界 界", 0, 6))
    assert.equal("界界 界", lines.wrap("界界 界", 0, 7))
    assert.equal(("%s %s"):format(COMBINING, COMBINING), lines.wrap(("%s %s"):format(COMBINING, COMBINING), 0, 3))
  end)

  it("have a word of its own line when it is longer than one", function()
    assert.equal("a\n  " .. ("x"):rep(50) .. "\n  b", lines.wrap("a " .. ("x"):rep(50) .. " b", 2, 40))
  end)

  it("cuts a name that is too long for its column", function()
    assert.equal("ana", lines.cut("ana", 4))
    assert.equal("anna", lines.cut("anna", 4))
    assert.equal("ann~", lines.cut("annas", 4))
    assert.equal("üü~", lines.cut("üüüü", 3))
    assert.equal("a\255~", lines.cut("a\255bcd", 3))
  end)

  it("cut wide and combining characters whole", function()
    assert.equal("界~", lines.cut("界界", 3))
    assert.equal(COMBINING .. "~", lines.cut(COMBINING .. "xyz", 2))
    assert.equal(COMBINING .. COMBINING, lines.cut(COMBINING .. COMBINING, 2))
  end)

  it("folds a line at 80 columns, two for wide characters", function()
    assert.equal("", lines.fold(""))
    assert.equal(("x"):rep(80), lines.fold(("x"):rep(80)))
    assert.equal(("x"):rep(80) .. "\n  y", lines.fold(("x"):rep(80) .. "y"))
    assert.equal(("ü"):rep(80) .. "\n  " .. ("ü"):rep(78) .. "\n  ü", lines.fold(("ü"):rep(159)))
    assert.equal(("界"):rep(40) .. "\n  [00:00:00] bob: hi", lines.fold(("界"):rep(40) .. "[00:00:00] bob: hi"))
  end)

  it("folds behind a blank when one is near the edge, and loses nothing", function()
    local start = ("x"):rep(70) .. " "
    assert.equal(start .. "\n  wonderful day", lines.fold(start .. "wonderful day"))
    assert.equal(start .. "\n  " .. ("y"):rep(78) .. "\n  y", lines.fold(start .. ("y"):rep(79)))
    assert.equal("a " .. ("x"):rep(78) .. "\n  x", lines.fold("a " .. ("x"):rep(79)))
    local mixed = ("x"):rep(41) .. " " .. ("y"):rep(99)
    for _, text in ipairs { ("word "):rep(100), (" "):rep(300), ("a 界 "):rep(90), mixed } do
      local folded = lines.fold(text)
      for line in folded:gmatch("[^\n]+") do assert.is_true(utf8.len(line) <= 80, line) end
      assert.equal(text, (folded:gsub("\n  ", "")))
    end
  end)

  it("fold at any width, losing nothing and never wider", function()
    local texts = { ("word "):rep(100), ("界"):rep(60), ("a 界 "):rep(40), (COMBINING .. " "):rep(70),
      ("x"):rep(300), "\255" .. ("y"):rep(90) }
    for width = 20, 120 do
      for _, text in ipairs(texts) do
        local folded = lines.fold(text, width)
        for line in folded:gmatch("[^\n]+") do assert.is_true(lines.columns(line) <= width, line) end
        assert.equal(text, (folded:gsub("\n  ", "")))
      end
    end
  end)

  it("fold a megabyte in time that grows with it", function()
    local began = os.clock()
    lines.fold(("x"):rep(1 << 20), 40)
    assert.is_true(os.clock() - began < 10)
  end)
end)
