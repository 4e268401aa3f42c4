require "tests.lua.helper"
local fakes = require "tests.lua.fakes"
local json = fakes.json
local kv = require "moth.kv"

describe("kv", function()
  local node, t

  before_each(function()
    node = fakes.node()
    t = kv.open(node, "scores")
  end)

  local function keys_of(object)
    local keys = {}
    for k in pairs(object) do keys[#keys + 1] = k end
    return keys
  end

  local function refusal(fn, ...)
    local ok, why = pcall(fn, ...)
    assert.is_false(ok)
    return why
  end

  it("gives back what was put, and nil for what is not there", function()
    t.ana, t[1], t.is_open, t.half = "eight", 8, false, 0.5
    assert.equal("eight", t.ana)
    assert.equal(8, t[1])
    assert.is_false(t.is_open)
    assert.equal(0.5, t.half)
    assert.is_nil(t.bob)
    assert.is_nil(t[2])
  end)

  it("takes away what is assigned nil", function()
    t.ana = 1
    t.ana = nil
    assert.is_nil(t.ana)
    assert.same({}, keys_of(t))
  end)

  it("keeps null apart from nothing", function()
    t.ana = json.null
    assert.equal(json.null, t.ana)
    assert.same({ "ana" }, keys_of(t))
  end)

  it("is the same for whoever opens that name, and another one for another name", function()
    t.ana = 1
    assert.equal(1, kv.open(node, "scores").ana)
    assert.is_nil(kv.open(node, "names").ana)
  end)

  it("goes through whole numbers by size, then through strings by bytes", function()
    for _, key in ipairs { "b", 10, "a", -1, 2, "Z", "aa", 0, 1, "1", math.maxinteger, math.mininteger, -300 } do
      t[key] = true
    end
    assert.same({ math.mininteger, -300, -1, 0, 1, 2, 10, math.maxinteger, "1", "Z", "a", "aa", "b" }, keys_of(t))
  end)

  it("lets keys be taken away, changed and added while they are gone through", function()
    for i = 1, 5 do t[i] = i end
    local seen = {}
    for k, v in pairs(t) do
      seen[#seen + 1] = v
      t[k] = nil
      if k == 2 then t[3], t[4], t.late = nil, 40, "last" end
    end
    assert.same({ 1, 2, 40, 5, "last" }, seen)
    assert.same({}, keys_of(t))
  end)

  it("takes a float that is whole for that number", function()
    t[2.0] = "two"
    assert.equal("two", t[2])
    assert.equal("integer", math.type(keys_of(t)[1]))
    t[2^53] = "big"
    assert.equal("big", t[9007199254740992])
  end)

  it("refuses other keys, in reading and in writing", function()
    for _, key in ipairs { 0.5, math.huge, true, {}, "", ("x"):rep(201) } do
      assert.truthy(refusal(function() t[key] = 1 end):find("kv_spec.lua:%d+: a key of a kv is"))
      assert.truthy(refusal(function() return t[key] end):find("kv_spec.lua:%d+: a key of a kv is"))
    end
    assert.truthy(refusal(function() return t[nil] end):find("not nil"))
    assert.truthy(refusal(function() return t[("x"):rep(201)] end):find("not one of 201 bytes"))
    t[("x"):rep(200)] = 1
    assert.equal(1, t[("x"):rep(200)])
  end)

  it("holds any bytes in a key", function()
    local key = "\0i\255s\n"
    t[key] = 1
    assert.same({ key }, keys_of(t))
    assert.equal(1, t[key])
  end)

  it("has the length of a list, at every length", function()
    for n = 0, 40 do
      assert.equal(n, #t)
      t[#t + 1] = "entry"
    end
    t[0], t[-1], t.name = "no", "no", "no"
    assert.equal(41, #t)
  end)

  it("has the length of some beginning when there are gaps", function()
    t[1], t[2], t[4] = "a", "b", "d"
    local n = #t
    assert.is_true(t[n] ~= nil and t[n + 1] == nil)
  end)

  it("works with ipairs, table.insert, table.remove and table.concat", function()
    table.insert(t, "a")
    table.insert(t, "c")
    table.insert(t, 2, "b")
    assert.equal("a b c", table.concat(t, " "))
    assert.equal("a", table.remove(t, 1))
    local seen = {}
    for i, v in ipairs(t) do seen[i] = v end
    assert.same({ "b", "c" }, seen)
  end)

  describe("a table in it", function()
    before_each(function()
      t.ana = { name = "ana", list = { 3, 1, 2 }, deep = { deeper = { 7 } } }
    end)

    it("reads as it was put", function()
      assert.equal("ana", t.ana.name)
      assert.equal(1, t.ana.list[2])
      assert.equal(3, #t.ana.list)
      assert.equal(7, t.ana.deep.deeper[1])
      assert.is_nil(t.ana.other)
      assert.equal("table", type(t.ana))
    end)

    it("can be gone through", function()
      local seen, keys = {}, {}
      for i, v in ipairs(t.ana.list) do seen[i] = v end
      assert.same({ 3, 1, 2 }, seen)
      for k, v in pairs(t.ana) do keys[k] = type(v) end
      assert.same({ name = "string", list = "table", deep = "table" }, keys)
      assert.equal("3 1 2", table.concat(t.ana.list, " "))
      assert.equal(6, select("#", table.unpack(t.ana.list)) + 3)
    end)

    it("refuses to be written to, at any depth, and says what to do", function()
      local value = t.ana
      for _, write in ipairs {
        function() value.name = "bob" end,
        function() value.new = 1 end,
        function() value.list[1] = 9 end,
        function() value.deep.deeper[1] = nil end,
        function() for _, v in pairs(value) do if type(v) == "table" then v.x = 1 end end end,
      } do
        assert.truthy(refusal(write):find("kv_spec.lua:%d+: this is a copy of what is kept; assign the whole value"))
      end
      assert.equal("ana", t.ana.name)
    end)

    it("does not change when what was put in is changed", function()
      local value = { 1 }
      t.list = value
      value[1] = 2
      assert.equal(1, t.list[1])
    end)

    it("stays as it was when the key is assigned anew", function()
      local before = t.ana
      t.ana = { name = "eva" }
      assert.equal("ana", before.name)
      assert.equal("eva", t.ana.name)
    end)

    it("can be put elsewhere, whole, in part, and inside another value", function()
      t.bob, t.list, t.both = t.ana, t.ana.list, { t.ana.deep, t.ana.list }
      assert.equal(7, t.bob.deep.deeper[1])
      assert.equal("3 1 2", table.concat(t.list, " "))
      assert.equal(7, t.both[1].deeper[1])
      assert.equal(json.encode { 3, 1, 2 }, json.encode(t.ana.list))
    end)

    it("keeps a list a list when it is empty", function()
      t.none = json.array {}
      t.copy = t.none
      assert.equal(json.encode(json.array {}), json.encode(t.copy))
    end)

    it("keeps null inside", function()
      t.row = { json.null, 2 }
      assert.equal(json.null, t.row[1])
    end)

    it("shows nothing of what is behind it", function()
      assert.equal("kv value", getmetatable(t.ana))
      assert.is_false((pcall(setmetatable, t.ana, {})))
    end)
  end)

  it("refuses what cannot be JSON, and keeps what was there", function()
    t.ana = 1
    assert.truthy(refusal(function() t.ana = print end):find("kv_spec.lua:%d+: a function cannot be JSON"))
    assert.truthy(refusal(function() t.ana = { print } end):find("a function cannot be JSON"))
    assert.truthy(refusal(function() t.ana = t end):find("kv_spec.lua:%d+: a kv cannot be kept in a kv"))
    assert.equal(1, t.ana)
  end)

  it("raises what the node refuses, with the place", function()
    t[1] = 1
    node.refuses = "full"
    for _, use in ipairs {
      function() t.ana = 1 end,
      function() t.ana = nil end,
      function() return t.ana end,
      function() return #t end,
    } do
      assert.truthy(refusal(use):find("kv_spec.lua:%d+: the database cannot be written now"))
    end
    assert.truthy(refusal(function() for _ in pairs(t) do error("never") end end):find("the database cannot be"))
  end)

  it("raises what is no JSON in the database", function()
    node:data_put("scores", "sana", "(")
    assert.truthy(refusal(function() return t.ana end):find("that is no JSON"))
    assert.truthy(refusal(function() for _ in pairs(t) do error("never") end end):find("that is no JSON"))
  end)

  it("is called by its name and shows nothing of what is behind it", function()
    assert.equal("kv scores", tostring(t))
    assert.equal("kv", getmetatable(t))
    assert.is_false((pcall(setmetatable, t, {})))
  end)

  it("refuses names that are none", function()
    for _, name in ipairs { "", "a b", "a/b", ("x"):rep(65), 7, false } do
      assert.truthy(refusal(function() return kv.open(node, name) end):find("the name of a kv is up to 64"))
    end
    assert.equal("kv A-z_0.9", tostring(kv.open(node, "A-z_0.9")))
  end)
end)
