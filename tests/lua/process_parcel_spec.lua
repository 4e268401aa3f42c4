require "tests.lua.helper"
local json = require("tests.lua.fakes").json
local parcel = require "moth.parcel"

-- Functions go as their names, and come back as what was called for.
local function new(names)
  local function array(t) return setmetatable(t, { __metatable = "json.array" }) end
  return parcel.new({ null = json.null, array = array }, function(v)
    if type(v) == "function" then return "function", names[v] end
  end, function(word, v) return word .. " " .. v end)
end

local channel = new {}

local function through(...)
  local bytes = assert(channel:pack(...))
  assert.equals(#bytes - 4, (">I4"):unpack(bytes))
  return assert(channel:unpack(bytes:sub(5)))
end

-- A connection that gives bytes in pieces of a few.
local function connection(bytes, most)
  return {
    read = function(_, n)
      if bytes == "" then return nil, "closed" end
      local part = bytes:sub(1, math.min(n, most))
      bytes = bytes:sub(#part + 1)
      return part
    end,
  }
end

describe("parcel", function()
  it("carries every plain value exactly", function()
    local values = { true, false, 0, -1, math.maxinteger, math.mininteger, 1.0, 0.1, math.huge, -math.huge, "", "text",
      "\0\xff\n", ("x"):rep(100000) }
    local got = through(table.unpack(values))
    assert.equals(#values, got.n)
    for i, v in ipairs(values) do
      assert.equals(v, got[i])
      assert.equals(math.type(v), math.type(got[i]))
    end
    local nan = through(0 / 0)[1]
    assert.is_true(nan ~= nan)
  end)

  it("carries nil wherever it stands", function()
    local got = through(nil, 1, nil, nil)
    assert.equals(4, got.n)
    assert.is_nil(got[1])
    assert.equals(1, got[2])
    assert.equals(0, through().n)
  end)

  it("carries tables within tables, with keys of any kind", function()
    local t = { 1, 2, { a = { b = "c" } }, [0] = "zero", [-1.5] = false, [true] = {}, ["\0"] = 1 }
    assert.same(t, through(t)[1])
  end)

  it("carries the null and the arrays of JSON", function()
    local got = through({ a = json.null }, setmetatable({}, { __metatable = "json.array" }), json.null)
    assert.equals(json.null, got[1].a)
    assert.equals("json.array", getmetatable(got[2]))
    assert.equals(json.null, got[3])
    assert.is_nil(getmetatable(got[1]))
  end)

  it("lets others stand for what is no plain value", function()
    local names = { [print] = "print" }
    local bytes = assert(new(names):pack { fn = print })
    assert.equals("function print", channel:unpack(bytes:sub(5))[1].fn)
  end)

  it("refuses what cannot be carried", function()
    local circle = {}
    circle.circle = circle
    for _, v in ipairs { coroutine.create(print), io.stdout, circle } do
      local bytes, why = channel:pack(v)
      assert.is_nil(bytes)
      assert.truthy(why:find "cannot be handed over")
    end
    local bytes, why = channel:pack(("x"):rep(parcel.BYTES_MAX))
    assert.is_nil(bytes)
    assert.truthy(why:find "more than %d+ bytes")
  end)

  it("refuses bytes that are none of its own", function()
    for _, text in ipairs { "x", "s\0\0\0\9short", "i12", "{s", "{0+}", "{++", "!", ("{"):rep(1000), "[" } do
      assert.is_nil((channel:unpack(text)), text)
    end
  end)

  it("survives any change of a byte", function()
    local bytes = assert(channel:pack("call", 7, { a = { 1, 2.5, "x" }, b = json.null }, nil, true)):sub(5)
    for i = 1, #bytes do
      for _, byte in ipairs { 0, 33, 48, 91, 115, 123, 125, 255 } do
        channel:unpack(bytes:sub(1, i - 1) .. string.char(byte) .. bytes:sub(i + 1))
      end
      channel:unpack(bytes:sub(1, i))
    end
  end)

  it("is read from a connection however its bytes come", function()
    local bytes = assert(channel:pack("hello", ("x"):rep(3000))) .. assert(channel:pack "two")
    local conn = connection(bytes, 7)
    assert.equals("hello", channel:read(conn)[1])
    assert.equals("two", channel:read(conn)[1])
    local values, why = channel:read(conn)
    assert.is_nil(values)
    assert.equals("closed", why)
  end)

  it("is not read when it ends in its midst, or says that it is too large", function()
    local bytes = assert(channel:pack "hello")
    assert.is_nil((channel:read(connection(bytes:sub(1, 3), 100))))
    assert.is_nil((channel:read(connection(bytes:sub(1, -2), 100))))
    assert.is_nil((channel:read(connection(bytes, 100), 5)))
    assert.is_nil((channel:read(connection("\xff\xff\xff\xff", 100))))
  end)

  it("is written in one piece, or says why not", function()
    local written = {}
    local conn = { write = function(_, bytes)
      written[#written + 1] = bytes
      return true
    end }
    assert.is_true(channel:write(conn, "a", 1))
    assert.equals(1, #written)
    assert.is_nil((channel:write(conn, io.stdout)))
    assert.equals(1, #written)
    local ok, why = channel:write({ write = function() return nil, "closed" end }, "a")
    assert.is_nil(ok)
    assert.equals("closed", why)
  end)
end)
