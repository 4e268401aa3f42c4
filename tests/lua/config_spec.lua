require "tests.lua.helper"
local config = require "moth.config"

-- What a file with this text sets.
local function read(text)
  local values = {}
  assert(load(text, "=config.lua", "t", values))()
  return values
end

local function names()
  local list = {}
  for i, key in ipairs(config.keys) do list[i] = key.name end
  return list
end

local ALL = {
  name = "ana", listen = "127.0.0.1:0", advertise = "none", connect = { "a:1", "[::1]:2" },
  network = 'pass "phrase"\n\27',
  open = true, load = { "bots/x.lua" }, ttl = "12h", retries = 3, color = "off", light = false, log = "info",
  limits = { links = 1024, adverts = 8192 },
}

describe("config.keys", function()
  it("is documented key by key, with something to show for each", function()
    for _, key in ipairs(config.keys) do
      assert.is_true(#key.doc >= 1 and #key.doc <= 2, key.name)
      assert.is_true(key.default ~= nil or key.sample ~= nil, key.name)
    end
  end)

  it("has each name once", function()
    local seen = {}
    for _, name in ipairs(names()) do
      assert.is_nil(seen[name])
      seen[name] = true
    end
  end)

  it("is known to the table of this spec", function()
    for _, name in ipairs(names()) do assert.is_not_nil(ALL[name], name) end
    for name in pairs(ALL) do assert.is_true(table.concat(names(), " "):find(name, 1, true) ~= nil, name) end
  end)
end)

describe("config.text", function()
  it("comments all out when nothing is set", function()
    local text = config.text {}
    assert.same({}, read(text))
    for _, name in ipairs(names()) do assert.truthy(text:find("\n-- " .. name .. " = ", 1, true), name) end
  end)

  it("comes back as the same values", function()
    assert.same(ALL, read(config.text(ALL)))
  end)

  it("comes back so for each value alone", function()
    for name, value in pairs(ALL) do assert.same({ [name] = value }, read(config.text { [name] = value })) end
  end)

  it("keeps false and empty lists as they are", function()
    local values = { open = false, connect = {}, limits = {}, retries = 0 }
    assert.same(values, read(config.text(values)))
  end)

  it("writes lists one item a line", function()
    assert.truthy(config.text(ALL):find('connect = {\n  "a:1",\n  "[::1]:2",\n}\n', 1, true))
    assert.truthy(config.text(ALL):find("limits = {\n  adverts = 8192,\n  links = 1024,\n}\n", 1, true))
  end)

  it("takes a single text for a list", function()
    assert.same({ connect = "a:1" }, read(config.text { connect = "a:1" }))
  end)

  it("fits the house: no line above 120 columns, none ends in a blank", function()
    for line in config.text(ALL):gmatch "[^\n]*" do
      assert.is_true(#line <= 120, line)
      assert.is_nil(line:find("%s$"), line)
    end
  end)

  it("passes its own check", function()
    assert.truthy(config.check(read(config.text(ALL)), names()))
  end)
end)

describe("config.check", function()
  it("gives texts in the order of the keys", function()
    local expected = { { "name", { "ana" } }, { "connect", { "a:1", "b:2" } }, { "open", { "false" } },
      { "retries", { "3" } } }
    assert.same(expected, config.check({ retries = 3, open = false, connect = { "a:1", "b:2" }, name = "ana" }, {}))
  end)

  it("sorts limits by name", function()
    assert.same({ { "limits", { "adverts=5", "links=7" } } }, config.check({ limits = { links = 7, adverts = 5 } }, {}))
  end)

  it("names what it does not know, the first of several", function()
    local found, why, name = config.check({}, { "open", "opne", "x" })
    assert.is_nil(found)
    assert.equal("there is no key opne (did you mean open?)", why)
    assert.equal("opne", name)
  end)

  it("names what is of the wrong kind", function()
    local found, why, name = config.check({ name = "ana", open = "yes" }, { "name", "open" })
    assert.is_nil(found)
    assert.equal("open is true or false", why)
    assert.equal("open", name)
  end)
end)
