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

  it("cuts what somebody wrote at forty characters and makes it safe", function()
    assert.equal("grüße", format.shown("grüße"))
    assert.equal(("ü"):rep(40) .. "...", format.shown(("ü"):rep(41)))
    assert.equal("\\x1b[2J", format.shown("\27[2J"))
    assert.is_true(#format.shown(("x"):rep(1000000)) < 60)
  end)

  it("escapes quotes and backslashes in DOT", function()
    assert.equal([["bob"]], format.dot_string("bob"))
    assert.equal([["a\"b\\c"]], format.dot_string([[a"b\c]]))
    assert.equal([["a\\x0ab"]], format.dot_string("a\nb"))
  end)

  it("shows a time, its seconds whole", function()
    assert.equal(os.date("%Y-%m-%d %H:%M:%S", 86400), format.time(86400.9))
  end)

  it("hands on what lines and tables are", function()
    for _, name in ipairs { "WIDTH", "columns", "cut", "wrap", "fold", "table", "list" } do
      assert.truthy(format[name], name)
    end
  end)
end)
