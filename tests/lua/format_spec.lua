require "tests.lua.helper"
local format = require "moth.format"

describe("format", function()
  it("groups digits by three", function()
    assert.equal("0", format.count(0))
    assert.equal("999", format.count(999))
    assert.equal("1,000", format.count(1000))
    assert.equal("1,234,567", format.count(1234567))
  end)

  it("knows one from many", function()
    assert.equal("1 message", format.plural(1, "message"))
    assert.equal("0 messages", format.plural(0, "message"))
    assert.equal("1,200 messages", format.plural(1200, "message"))
  end)

  it("chooses the unit of bytes", function()
    assert.equal("1 byte", format.bytes(1))
    assert.equal("1,023 bytes", format.bytes(1023))
    assert.equal("1.0 KiB", format.bytes(1024))
    assert.equal("1.5 MiB", format.bytes(3 << 19))
    assert.equal("2.0 GiB", format.bytes(2 << 30))
    assert.equal("4096.0 TiB", format.bytes(4 << 50))
  end)

  it("shows the two largest units of a time span", function()
    assert.equal("0 s", format.duration(0.9))
    assert.equal("42 s", format.duration(42.7))
    assert.equal("3 min 4 s", format.duration(184))
    assert.equal("1 h", format.duration(3604))
    assert.equal("2 h 5 min", format.duration(2 * 3600 + 5 * 60 + 59))
    assert.equal("1 d 1 h", format.duration(86400 + 3600))
  end)

  it("shows a round trip, or that there is none", function()
    assert.equal("-", format.rtt(nil))
    assert.equal("0.4 ms", format.rtt(0.44))
    assert.equal("123 ms", format.rtt(123.4))
  end)

  it("lines columns up, numbers flush right, nothing behind the last", function()
    local text = format.table({ { "NAME", "N" }, { "ana", "10" }, { "grüße", "" } }, { [2] = true })
    assert.equal("NAME    N\nana    10\ngrüße", text)
  end)

  it("breaks between words at 80 columns", function()
    local text = format.wrap(("word "):rep(40), 4)
    for line in text:gmatch("[^\n]+") do assert.is_true(#line <= 80) end
    assert.equal(40, select(2, text:gsub("word", "")))
    assert.truthy(text:find("^word"))
    assert.equal(2, select(2, text:gsub("\n    word", "")))
    assert.equal("", format.wrap(" "))
  end)

  it("cuts what somebody wrote at forty characters and makes it safe", function()
    assert.equal("grüße", format.shown("grüße"))
    assert.equal(("ü"):rep(40) .. "...", format.shown(("ü"):rep(41)))
    assert.equal("\\x1b[2J", format.shown("\27[2J"))
    assert.is_true(#format.shown(("x"):rep(1000000)) < 60)
  end)

  it("cuts a name that is too long for its column", function()
    assert.equal("ana", format.cut("ana", 4))
    assert.equal("anna", format.cut("anna", 4))
    assert.equal("ann~", format.cut("annas", 4))
    assert.equal("üü~", format.cut("üüüü", 3))
    assert.equal("a\255~", format.cut("a\255bcd", 3))
  end)

  it("folds a line at 80 columns, two for wide characters", function()
    assert.equal("", format.fold(""))
    assert.equal(("x"):rep(80), format.fold(("x"):rep(80)))
    assert.equal(("x"):rep(80) .. "\n  y", format.fold(("x"):rep(80) .. "y"))
    assert.equal(("ü"):rep(80) .. "\n  " .. ("ü"):rep(78) .. "\n  ü", format.fold(("ü"):rep(159)))
    assert.equal(("界"):rep(40) .. "\n  [00:00:00] bob: hi", format.fold(("界"):rep(40) .. "[00:00:00] bob: hi"))
  end)

  it("folds behind a blank when one is near the edge, and loses nothing", function()
    local start = ("x"):rep(70) .. " "
    assert.equal(start .. "\n  wonderful day", format.fold(start .. "wonderful day"))
    assert.equal(start .. "\n  " .. ("y"):rep(78) .. "\n  y", format.fold(start .. ("y"):rep(79)))
    assert.equal("a " .. ("x"):rep(78) .. "\n  x", format.fold("a " .. ("x"):rep(79)))
    local mixed = ("x"):rep(41) .. " " .. ("y"):rep(99)
    for _, text in ipairs { ("word "):rep(100), (" "):rep(300), ("a 界 "):rep(90), mixed } do
      local folded = format.fold(text)
      for line in folded:gmatch("[^\n]+") do assert.is_true(utf8.len(line) <= 80, line) end
      assert.equal(text, (folded:gsub("\n  ", "")))
    end
  end)

  it("escapes quotes and backslashes in DOT", function()
    assert.equal([["bob"]], format.dot_string("bob"))
    assert.equal([["a\"b\\c"]], format.dot_string([[a"b\c]]))
    assert.equal([["a\\x0ab"]], format.dot_string("a\nb"))
  end)
end)
