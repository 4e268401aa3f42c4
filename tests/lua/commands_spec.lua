local helper = require "tests.lua.helper"
local fake_shell = require "tests.lua.fake_shell"
local commands = require "moth.commands"

local bob = helper.id("bbbb2222")
local GROUPS = { "Talking", "The network", "Scripts", "This node", "The shell" }

local node, sh

before_each(function()
  helper.reset()
  node = helper.node {
    { name = "bob", start = "bbbb2222", hops = 1, via = bob, linked = true, rtt_ms = 2, address = "127.0.0.1:7001" },
    { name = "eva", start = "eeee3333", hops = 2, via = bob },
  }
  sh = fake_shell.new(node)
end)

local function assert_fits(text, width)
  for line in text:gmatch("[^\n]+") do assert.is_true(#line <= width, line) end
end

describe("id", function()
  it("shows name, full id and address", function()
    local text, value = sh:run("id")
    assert.equal("name     ana\nid       " .. node.id .. "\naddress  127.0.0.1:6684", text)
    assert.same({ name = "ana", id = node.id, address = "127.0.0.1:6684" }, value)
  end)

  it("says that it does not listen", function()
    node.address = ""
    local text, value = sh:run("id")
    assert.truthy(text:find("address  not listening$"))
    assert.is_nil(value.address)
  end)
end)

describe("help", function()
  it("lists every command below the head of its group", function()
    local text = sh:run("help")
    for _, command in ipairs(commands.list) do
      assert.truthy(text:find("\n  " .. command.usage, 1, true), command.name)
      assert.truthy((text:gsub("%s+", " ")):find(command.help, 1, true), command.name)
    end
    local at = 0
    for _, head in ipairs(GROUPS) do
      local found = ("\n" .. text):find("\n" .. head .. "\n", 1, true)
      assert.truthy(found and found > at, head)
      at = found
    end
    assert.truthy(text:find("quit, exit", 1, true))
  end)

  it("fits every terminal", function()
    for width = 40, 100 do
      sh.width = width
      assert_fits(sh:run("help"), width)
    end
  end)

  it("puts what a command does below it where there is no room beside it", function()
    sh.width = 40
    assert.truthy((sh:run("help")):find("\n  send PEER TEXT\n    send a message; it waits here if\n    they are away\n",
      1, true))
  end)

  it("has them all in JSON", function()
    local _, value = sh:run("help")
    assert.equal(#commands.list, #value)
    for i, command in ipairs(commands.list) do
      assert.same({ name = command.name, also = command.also, usage = command.usage, help = command.help,
        example = command.example, group = command.group }, value[i])
    end
  end)

  it("explains one", function()
    local text, value = sh:run("help trace")
    assert.equal("trace    the way to a peer, each hop named\nusage    trace PEER\nexample  trace eva", text)
    assert.equal("trace", value.name)
    assert.truthy((sh:run("help exit")):find("^quit, exit  "))
    assert.truthy((sh:run("help /send")):find("\nusage    send PEER TEXT\n", 1, true))
  end)

  it("suggests the nearest", function()
    local text, _, code = sh:run("help sned")
    assert.equal('unknown command "sned"; did you mean send?', text)
    assert.equal("not_found", code)
  end)

  it("explains what scripts see", function()
    local text, value = sh:run("help node.send")
    assert.truthy(text:find("^node:send%(peer, data %[, options%]%)"))
    assert.equal(text, value.text)
  end)

  it("suggests the nearest of that, when no command is near", function()
    assert.equal('nothing is called "node.sned"; did you mean node.send?', (sh:run("help node.sned")))
  end)

  it("finds by its last word what belongs to something", function()
    assert.equal('nothing is called "request"; did you mean node.request?', (sh:run("help request")))
  end)

  it("has nothing to say of anything else", function()
    assert.equal('unknown command "nothing.like.it"; help shows all', (sh:run("help nothing.like.it")))
  end)
end)

describe("a command", function()
  it("that is unknown and long has its name cut", function()
    local command, why = commands.find(("x"):rep(5000))
    assert.is_nil(command)
    assert.is_true(#why < 100)
  end)

  it("has all that one needs, and an example that fits its own usage", function()
    local groups = { talk = true, network = true, node = true, scripts = true, shell = true }
    for _, command in ipairs(commands.list) do
      assert.equal(command, commands.find(command.example:match("^/?(%S+)")))
      assert.equal(command.name, command.usage:match("^%S+"))
      assert.is_true(command.least <= command.most)
      assert.truthy(groups[command.group], command.name)
    end
  end)

  it("has a name of its own", function()
    local seen = {}
    for _, command in ipairs(commands.list) do
      for _, name in ipairs { command.name, command.also } do
        assert.is_nil(seen[name], name)
        seen[name] = true
      end
    end
  end)
end)
