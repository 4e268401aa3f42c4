local helper = require "tests.lua.helper"

-- JSON that keeps the value itself: what is tested is which value it is given, and what is made of one.
local kept
local array = { __metatable = "json.array" }
local fake = { null = setmetatable({}, { __tostring = function() return "null" end }) }

function fake.array(t) return setmetatable(t or {}, array) end

function fake.encode(v)
  kept = v
  return "text"
end

function fake.decode(text)
  if text == "broken" then return nil, "not JSON: at all", "argument" end
  return kept
end

package.loaded["moth.json"] = fake
package.loaded["moth.message"] = nil
local message = require "moth.message"
package.loaded["moth.json"], package.loaded["moth.message"] = nil, nil

local ANA, BOB = helper.id "a", helper.id "b"

local function plain(change)
  local t = { id = 7, from = ANA, to = BOB, type = "text", data = "hi", time = 1700000000.25, hops = 2,
    path = { ("c"):rep(16), helper.id "d" } }
  for k, v in pairs(change or {}) do t[k] = v end
  return t
end

local function written(change)
  assert.equal("text", message.to_json(plain(change)))
  return kept
end

local function there_and_back(change)
  assert(message.to_json(plain(change)))
  return assert(message.from_json("text"))
end

describe("moth.message", function()
  it("gives each field the sketch's name", function()
    assert.same({ peer_id = ANA, target_user_id = BOB, message_type = "MESSAGE", data = { content = "hi" },
      time_stamp = 1700000000.25, message_id = 7, hop_count = 2, path = { ("c"):rep(16), helper.id "d" } }, written())
  end)

  it("gives back what went in", function()
    assert.same(plain(), there_and_back())
    for _, data in ipairs { 5, 1.5, true, false, { a = 1 }, {}, { value = 3 }, { content = "x" }, { content = 1 },
      { content = "x", more = 1 }, { value = { value = 1 } }, { 1, 2 }, { { content = "x" } } } do
      assert.same(plain { type = "data", data = data }, there_and_back { type = "data", data = data })
      assert.same(plain { type = "move", data = data }, there_and_back { type = "move", data = data })
      assert.same(plain { type = "text", data = data }, there_and_back { type = "text", data = data })
    end
    assert.same(plain { type = "move" }, there_and_back { type = "move" })
    assert.same(plain { type = "data" }, there_and_back { type = "data" })
  end)

  it("wraps what is no object", function()
    assert.same({ content = "" }, written { data = "" }.data)
    assert.same({ value = false }, written { type = "data", data = false }.data)
    assert.same({ value = { 1 } }, written { type = "data", data = { 1 } }.data)
    assert.same({ value = {} }, written { type = "data", data = fake.array() }.data)
    assert.same({ k = 1 }, written { type = "data", data = { k = 1 } }.data)
  end)

  it("carries no data at all as null", function()
    local t = plain { type = "data" }
    t.data = nil
    assert(message.to_json(t))
    assert.equal(fake.null, kept.data.value)
    assert.same(t, message.from_json("text"))
  end)

  it("says MESSAGE for the usual types only, and when they fit the data", function()
    assert.equal("MESSAGE", written().message_type)
    assert.equal("MESSAGE", written { type = "data", data = 1 }.message_type)
    assert.equal("text", written { data = 1 }.message_type)
    assert.equal("data", written { type = "data" }.message_type)
    assert.equal("move", written { type = "move" }.message_type)
  end)

  it("takes what a handler and the history have", function()
    local t = plain { name = "ana", durable = true }
    t.to, t.hops, t.path = nil, nil, nil
    assert.equal("text", message.to_json(t))
    assert.equal(fake.null, kept.target_user_id)
    assert.equal(0, kept.hop_count)
    assert.equal("json.array", getmetatable(kept.path))
    assert.is_nil(message.from_json("text").to)
    t.broadcast = true
    assert.equal("text", message.to_json(t))
    assert.equal("*", kept.target_user_id)
    assert.equal("*", message.from_json("text").to)
  end)

  local wrong = {
    from = { false, "", 7, ("g"):rep(32), ("A"):rep(32), ("a"):rep(31) },
    to = { false, "bob", ("a"):rep(33) },
    type = { false, "", "Text", "a b", ("x"):rep(65), 5 },
    time = { false, -1, 1 / 0, 0 / 0, "now" },
    id = { false, 0, -1, 1.5, "7" },
    hops = { "2", -1, 256, 1.5 },
    path = { "x", { 1 }, { "abc" }, { a = ("a"):rep(16) }, { ("a"):rep(16), ("b"):rep(16), ("c"):rep(16) },
      { [2] = ("a"):rep(16) }, { [0] = ("a"):rep(16) } },
  }
  local theirs = { from = "peer_id", to = "target_user_id", type = "message_type", time = "time_stamp",
    id = "message_id", hops = "hop_count", path = "path" }

  for field, values in pairs(wrong) do
    it("refuses a wrong " .. field .. " both ways, by its name", function()
      for _, value in ipairs(values) do
        local text, why, code = message.to_json(plain { [field] = value })
        assert.is_nil(text)
        assert.equal(field .. " is ", why:sub(1, #field + 4))
        assert.equal("argument", code)
        written()
        kept[theirs[field]] = value
        local t
        t, why, code = message.from_json("text")
        assert.is_nil(t)
        assert.equal(theirs[field] .. " is ", why:sub(1, #theirs[field] + 4))
        assert.equal("argument", code)
      end
    end)

    it("refuses a text without " .. theirs[field], function()
      written()
      kept[theirs[field]] = nil
      assert.same({ n = 3, nil, theirs[field] .. " is missing", "argument" }, table.pack(message.from_json("text")))
    end)
  end

  it("refuses what is no message at all", function()
    assert.same({ n = 3, nil, "not JSON: at all", "argument" }, table.pack(message.from_json("broken")))
    for _, value in ipairs { 5, "x", fake.array(), { 1 } } do
      kept = value
      assert.same({ n = 3, nil, "a message is an object", "argument" }, table.pack(message.from_json("text")))
    end
    for _, data in ipairs { false, "x", fake.array(), { 1 }, fake.null } do
      written()
      kept.data = data ~= fake.null and data or nil
      assert.same({ n = 3, nil, "data is an object", "argument" }, table.pack(message.from_json("text")))
    end
    written()
    kept.extra = 1
    assert.same({ n = 3, nil, "extra is no field of a message", "argument" }, table.pack(message.from_json("text")))
    assert.has_error(function() message.to_json("hi") end, "a message is a table, not string")
  end)
end)
