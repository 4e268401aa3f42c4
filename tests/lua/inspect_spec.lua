local inspect = require "tests.lua.fake_node" and require "moth.inspect"

describe("inspect", function()
  it("shows values beside each other, and nothing for none", function()
    assert.equal("1  true  nil  text", inspect.values(1, true, nil, "text"))
    assert.equal("nil", inspect.values(nil))
    assert.equal("", inspect.values())
  end)

  it("quotes text in a table, in one line", function()
    assert.equal([[{ "a\"b\nc" }]], inspect.values { "a\"b\nc" })
    assert.equal("two\nlines", inspect.values "two\nlines")
  end)

  it("shows a list, then keys in order", function()
    assert.equal('{ 1, 2, [-1] = "m", [9] = "n", a = 1, ["b c"] = 2, [true] = 3 }',
      inspect.values { 1, 2, [9] = "n", [-1] = "m", a = 1, ["b c"] = 2, [true] = 3 })
    assert.equal("{}", inspect.values {})
  end)

  it("breaks a table that does not fit in one line", function()
    local long = ("x"):rep(40)
    assert.equal(('{\n  a = {\n    "%s",\n    "%s"\n  },\n  b = 1\n}'):format(long, long),
      inspect.values { a = { long, long }, b = 1 })
  end)

  it("names cycles, and shows what is there twice twice", function()
    local t, shared = {}, { 1 }
    t.me, t.a, t.b = t, shared, shared
    assert.equal("{ a = { 1 }, b = { 1 }, me = <cycle> }", inspect.values(t))
  end)

  it("stops at a depth", function()
    local t = {}
    for _ = 1, 6 do t = { t } end
    assert.equal("{ { { { { { {...} } } } } } }", inspect.values(t))
  end)

  it("counts the entries it leaves out of a list and of keys", function()
    local list, keys = {}, {}
    for i = 1, 130 do list[i], keys["k" .. i] = i, i end
    assert.truthy(inspect.values(list):find("100,\n  ... 30 more\n}", 1, true))
    assert.truthy(inspect.values(keys):find("... 30 more\n}", 1, true))
  end)

  it("is bounded whatever it is given", function()
    local t, big = {}, ("x"):rep(1000)
    for i = 1, 100 do
      t[i] = {}
      for j = 1, 100 do t[i][j] = { big, k = big } end
    end
    assert.is_true(#inspect.values(t) < 60000)
    assert.is_true(#inspect.values(t, t, t) < 60000)
    for i = 1, 100 do t[big .. i] = i end
    assert.is_true(#inspect.values(t) < 60000)
  end)

  it("asks an object for its text", function()
    local object = setmetatable({}, { __tostring = function() return "message 5" end })
    assert.equal("message 5", inspect.values(object))
    assert.equal("{ m = message 5 }", inspect.values { m = object })
  end)

  it("shows the fields of one that has no text, and survives one whose text fails", function()
    assert.equal("{ a = 1 }", inspect.values(setmetatable({ a = 1 }, {})))
    assert.equal("{ a = 1 }", inspect.values(setmetatable({ a = 1 }, { __tostring = function() error "no" end })))
  end)

  it("shows what is in a value of a kv", function()
    local class = { __metatable = "kv value", __pairs = function() return next, { a = 1, 7 } end }
    assert.equal("{ 7, a = 1 }", inspect.values(setmetatable({}, class)))
  end)

  it("is as wide as the terminal, keys and commas counted", function()
    local t = { key = { 1, 2, 3 }, list = { "one", { x = 1, y = "some text" } } }
    assert.equal('{ key = { 1, 2, 3 }, list = { "one", { x = 1, y = "some text" } } }', inspect.show(80, t))
    assert.equal('{\n  key = { 1, 2, 3 },\n  list = { "one", { x = 1, y = "some text" } }\n}', inspect.show(50, t))
    assert.equal('{\n  key = { 1, 2, 3 },\n  list = {\n    "one",\n    { x = 1, y = "some text" }\n  }\n}',
      inspect.show(40, t))
    local deep = { 1 }
    for i = 1, 5 do deep = { [("k"):rep(i)] = deep, n = i } end
    for width = 20, 90 do
      for row in inspect.show(width, deep):gmatch("[^\n]+") do assert.is_true(#row <= width, row) end
    end
  end)

  it("cuts a long text and says how long it is", function()
    local long = ("x"):rep(12345)
    assert.equal(("x"):rep(10000) .. "... (12,345 bytes)", inspect.values(long))
    assert.truthy(inspect.values({ long }):find('x"... (12,345 bytes)', 1, true))
    assert.truthy(inspect.values({ [long .. " "] = 1 }):find('x"... (12,346 bytes)] = 1', 1, true))
    assert.is_true(#inspect.values({ [long] = 1 }) < 10100)
    local object = setmetatable({}, { __tostring = function() return long end })
    assert.is_true(#inspect.values(object) < 10100)
  end)

  it("cuts no character in two", function()
    local text = inspect.values("a" .. ("ü"):rep(6000))
    assert.truthy(utf8.len(text))
    assert.truthy(text:find("ü... (12,001 bytes)", 1, true))
    assert.truthy(inspect.values("\255" .. ("ü"):rep(6000)):find("... (12,001 bytes)", 1, true))
  end)
end)
