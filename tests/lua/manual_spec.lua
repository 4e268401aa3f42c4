require "tests.lua.helper"
local manual = require "moth.manual"

local function source(name)
  local f = assert(io.open("lua/" .. name))
  local text = f:read "a"
  f:close()
  return text
end

-- A manual of one text.
local function manual_of(text)
  return manual.new(function(name) return name == "moth/meta/node.lua" and text or "" end)
end

describe("manual", function()
  local book = manual.new(source)

  it("says what a function takes, returns, fails with, and gives an example", function()
    local m = manual_of [[
---@meta

--- The node.
---@class x.node
---@field id string  32 hex digits
---@field extra? fun(a: string, b: integer): any  what it is for
node = {}

--- Sends. Returns at once.
---@async
---@param peer string  whom to
---@param data table<string, any>
---@param options? { ttl: number, type: string }  ttl=, type=
---@return x.sent? m, string? why, string? code  unknown_peer, full
--- Example: node:send("eva", {})
function node:send(peer, data, options) end
]]
    assert.same({ "node", "node.id", "node.extra", "node.send" }, m:names())
    assert.equal("node:send(peer, data [, options]) -> m | nil, why, code   (waits)\n" ..
      "  Sends. Returns at once.\n" ..
      "  peer     whom to\n" ..
      "  options  ttl=, type=\n" ..
      "  codes    unknown_peer, full\n" ..
      "  example  node:send(\"eva\", {})", manual.show(m:find "node.send"))
    assert.equal("node\n  The node.\n  has      id extra send", manual.show(m:find "node"))
    assert.equal("node.extra: fun(a: string, b: integer): any\n  what it is for", manual.show(m:find "node.extra"))
  end)

  it("shows every form of arguments and results", function()
    local m = manual_of [[
function a() end

---@param x? string
function b(x) end

---@param x? string
---@param y? string
---@return { a: string, b: integer }[] list
function c(x, y) end

---@param x? string
---@return any ...  all of them
function d(x, ...) end

---@return fun(a: string, b: string)? f, string? why
function e() end
]]
    local shown = {}
    for i, name in ipairs(m:names()) do shown[i] = m:find(name).signature end
    assert.same({ "a()", "b([x])", "c([x] [, y]) -> list", "d([x], ...) -> ...", "e() -> f | nil, why" }, shown)
    assert.equal("d([x], ...) -> ...\n  returns  all of them", manual.show(m:find "d"))
  end)

  it("gives what starts with a dash a line of its own", function()
    local m = manual_of "--- One\n--- sentence.\n--- - first\n--- goes on\n--- - second\nfunction a() end\n"
    assert.equal("a()\n  One sentence.\n  - first goes on\n  - second", manual.show(m:find "a"))
  end)

  it("leaves out what stands above nothing", function()
    local m = manual_of "--- A word.\n---@class x\n---@field a string  b\n\n---@alias y string\n\nfunction z() end\n"
    assert.same({ "z" }, m:names())
    assert.same({}, m:find("z").lines)
  end)

  it("finds a name however it is written", function()
    for _, name in ipairs { "node.send", "node:send", "node:send()", "node.send()" } do
      assert.equal("node.send", book:find(name).name)
    end
    assert.equal("moth.tcp.listen", book:find("moth.tcp.listen").name)
    assert.is_nil(book:find "node.sned")
    assert.is_nil(book:find "")
  end)

  it("knows what was meant", function()
    assert.equal("node.send", book:near "node.sned")
    assert.equal("node.send", book:near "node:sned()")
    assert.equal("node.request", book:near "request")
    assert.equal("node.request", book:near "msg.request")
    assert.equal("moth.tcp.listen", book:near "listen")
    assert.is_nil(book:near "something else")
  end)

  it("has all of the interface", function()
    for _, name in ipairs {
      "node.id", "node.name", "node.address", "node.send", "node.emit", "node.request", "node.serve", "node.hear",
      "node.command", "node.on", "node.hook", "node.connect", "node.disconnect", "node.peers", "node.links",
      "node.routes", "node.peer", "node.path", "node.queue", "node.history", "node.message", "node.cancel", "node.kv",
      "node.job", "node.schedule", "node.unschedule", "h.off", "kv", "msg.id", "msg.from", "msg.name", "msg.type",
      "msg.data", "msg.text", "msg.time", "msg.hops", "msg.path", "msg.durable", "msg.auto", "msg.redelivered",
      "msg.reply", "msg.ask", "m.id", "m.to", "m.state", "m.reason", "m.by", "m.time", "m.wait", "m.cancel",
      "task.spawn", "task.sleep", "task.after", "task.at", "task.every", "task.all", "task.race", "t.join", "t.cancel",
      "script.name", "script.save", "script.restore", "script.unload", "log.debug", "log.info", "log.warn", "log.error",
      "json.encode", "json.decode", "json.array", "json.null", "moth.tcp.listen", "moth.tcp.connect", "conn.read",
      "conn.read_line", "conn.write", "conn.close", "server.close", "moth.frame.decoder", "moth.frame.encode", "d.feed",
      "moth.router.new", "r.link", "r.unlink", "r.remove", "r.next_hop", "r.path", "r.peers", "moth.store.open",
      "s.put", "s.get", "s.delete", "s.pending", "s.tried", "s.expire", "moth.message.to_json",
      "moth.message.from_json", "print", "require", "load",
    } do
      assert.truthy(book:find(name), name .. " is not in the manual")
    end
  end)

  it("says something of each name, and names none twice", function()
    local seen = {}
    for _, name in ipairs(book:names()) do
      assert.is_nil(seen[name], name .. " stands there twice")
      seen[name] = true
      local entry = book:find(name)
      if not entry.signature:find(": ", 1, true) then assert.truthy(#entry.lines > 0, name .. " is not described") end
    end
  end)

  it("has an example for each function, and it is Lua", function()
    for _, name in ipairs(book:names()) do
      local entry = book:find(name)
      if entry.signature:find("(", 1, true) and not entry.signature:find(": ", 1, true) then
        assert.truthy(entry.example, name .. " has no example")
      end
      if entry.example then assert(load(entry.example, "=" .. name)) end
    end
  end)

  it("fits a terminal, but for signatures and examples", function()
    for _, name in ipairs(book:names()) do
      local n = 0
      for line in manual.show(book:find(name)):gmatch "[^\n]+" do
        n = n + 1
        local is_code = n == 1 or line:find("^  example ")
        assert.truthy(is_code or #line <= 80, line)
      end
    end
  end)

  it("is read from files that are Lua", function()
    for _, file in ipairs { "node", "message", "task", "script", "parts" } do
      assert(load(source(("moth/meta/%s.lua"):format(file)), "=" .. file))
    end
  end)
end)
