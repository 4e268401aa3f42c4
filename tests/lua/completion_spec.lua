local helper = require "tests.lua.helper"
require "tests.lua.fakes"
local core = require "moth.core"
local commands = require "moth.commands"
local completion = require "moth.completion"

local ANA, BOB, EVA = "aaaa1111", "bbbb2222", "eeee3333"

local function never()
  error "code was run"
end

-- What a session sees; reading an undefined name is an error there.
local function globals(more)
  local node = { send = print, serve = print, id = "a", name = "ana" }
  local env = { print = print, string = string,
    node = setmetatable(node, { __index = never, __metatable = "node" }) }
  env._G = env
  for k, v in pairs(more or {}) do env[k] = v end
  return setmetatable(env, { __index = never, __metatable = false })
end

local function world(more)
  local node = helper.node { { name = "eva", start = EVA, linked = true, address = "127.0.0.1:7001" },
    { name = "bob", start = BOB } }
  local shell = { node = node, talk = {}, cwd = "/home/ana", env = globals(more) }
  shell.hub = { scripts = { list = function()
    return { { name = "echo" }, { name = "everything" }, { name = "prompt", is_session = true } }
  end } }
  shell.lua = function() return { globals = function() return shell.env end } end
  return shell
end

-- The words for what stands behind the last blank, as the console asks.
local function complete(line, shell)
  return completion.words(shell or world(), line, #line:match("^(.*%s)%S*$"))
end

local function words(line, start, shell)
  return completion.words(shell or world(), line, start)
end

local function has(list, word)
  for _, one in ipairs(list) do
    if one == word then return true end
  end
  return false
end

describe("the first word", function()
  it("is a command", function()
    assert.same({ "send" }, words("sen", 0))
    assert.same({ "disconnect" }, words("  disc", 2))
    assert.same({ "quit" }, words("qui", 0))
    assert.same({ "exit" }, words("exi", 0))
    assert.same({}, words("xyzzy", 0))
  end)

  it("is a command behind a slash", function()
    assert.same({ "/send" }, words("/sen", 0))
    assert.same({}, words("/prin", 0))
  end)

  it("is a name of Lua, too", function()
    assert.same({ "node" }, words("nod", 0))
    assert.same({ "print" }, words("prin", 0))
    assert.same({ "while" }, words("whil", 0))
    assert.same({ "send", "sense" }, words("sen", 0, world { sense = 1 }))
  end)

  it("is any command where nothing is typed", function()
    local all = words("", 0)
    assert.is_true(has(all, "send") and has(all, "quit") and has(all, "exit"))
    assert.is_false(has(all, "print"))
    assert.same(all, words("   ", 3))
  end)

  it("is the path of a field", function()
    assert.same({ "node:send(", "node:serve(" }, words("node:se", 0))
    assert.same({ "node.send", "node.serve" }, words("node.se", 0))
  end)
end)

describe("in talk mode", function()
  local function talking(line, start)
    local shell = world()
    shell.talk.peer = helper.id(EVA)
    return words(line, start, shell)
  end

  it("commands have a slash", function()
    assert.same({ "/send" }, talking("/sen", 0))
    assert.same({ "eva" }, talking("/send e", 6))
  end)

  it("text is left alone", function()
    assert.same({}, talking("sen", 0))
    assert.same({}, talking("", 0))
    assert.same({}, talking("send e", 5))
    assert.same({}, talking("=nod", 1))
    assert.same({}, talking("//sen", 0))
    assert.same({}, talking(" /sen", 1))
  end)
end)

describe("a peer", function()
  it("is completed wherever a command takes one first", function()
    for _, command in ipairs(commands.list) do
      if command.usage:find("^%l+ %[?PEER") then
        local line = command.name .. " "
        assert.is_true(has(complete(line), "eva"), line)
        assert.same({ "eva" }, complete(line .. "ev"), line)
      end
    end
  end)

  it("is no text of a message", function()
    assert.same({}, complete "send eva ")
    assert.same({}, complete "send eva e")
    assert.same({}, complete "send eva hello e")
  end)

  it("is found by its alias, and by what it calls itself if that is nobody else", function()
    local shell = world()
    local eva = shell.node.known[1]
    eva.name, eva.aliased = "sis", true
    local resolve = shell.node.resolve
    function shell.node.resolve(node, who)
      return who == "eva" and eva.id or resolve(node, who)
    end
    assert.same({ "bob", "eva", "sis" }, complete("send ", shell))
    eva.claimed = "bob"
    assert.same({ "bob", "sis" }, complete("send ", shell))
  end)

  it("has a name that a line can hold and a terminal shows", function()
    local shell = world()
    for i, name in ipairs { "e\27[2J", "e f", "e\n", "e\127", "e-f" } do
      shell.node.known[i] = { name = name, id = helper.id(ANA) }
    end
    assert.same({ "e-f" }, complete("send e", shell))
  end)
end)

describe("an argument", function()
  it("is an address that is dialled or linked, or a peer", function()
    local shell = world()
    shell.node:connect "127.0.0.1:7009"
    assert.same({ "127.0.0.1:7001", "127.0.0.1:7009" }, complete("connect ", shell))
    assert.same({ "127.0.0.1:7001", "127.0.0.1:7009", "bob", "eva" }, complete("disconnect ", shell))
    assert.same({ "127.0.0.1:7009" }, complete("connect 127.0.0.1:7009", shell))
  end)

  it("is the id of a message that waits", function()
    local shell = world()
    shell.node.mail = { helper.message(), helper.message { id = 0x2f } }
    assert.same({ "18d2c", "2f" }, complete("message ", shell))
    assert.same({ "18d2c" }, complete("cancel 1", shell))
  end)

  it("is a script that is loaded", function()
    assert.same({ "echo", "everything" }, complete "reload ")
    assert.same({ "echo" }, complete "kill ec")
    assert.same({ "echo", "everything" }, complete "unload e")
  end)

  it("is a command or a name of the manual", function()
    assert.same({ "send" }, complete "help sen")
    assert.is_true(has(complete "help node.s", "node.send"))
    assert.is_true(has(complete "help node:s", "node:send"))
    assert.same({}, complete "help send s")
  end)

  it("is a setting, and then what it can be", function()
    assert.same({ "color", "light", "log", "news" }, complete "set ")
    assert.same({ "off", "on" }, complete "set light ")
    assert.same({ "debug" }, complete "set log d")
    assert.same({ "debug", "error", "info", "warn" }, complete "log ")
  end)

  it("is one of the words that the command itself names", function()
    assert.same({ "dot" }, complete "graph ")
    local command = commands.find "status"
    command.completes = { { "long", "short" }, "peer" }
    assert.same({ "long", "short" }, complete "status ")
    assert.same({ "bob" }, complete "status long b")
    assert.same({}, complete "status long bob b")
    command.completes = nil
  end)

  it("is of a kind that there is, whatever command it is for", function()
    core.files = function() return {} end
    for _, command in ipairs(commands.list) do
      for _, words_before in ipairs { "", "x ", "x y " } do
        local line = command.name .. " " .. words_before
        assert.has_no.errors(function() complete(line) end, line)
      end
    end
    core.files = nil
  end)

  it("is nothing for a command that takes none", function()
    assert.same({}, complete "list ")
    assert.same({}, complete "/xyzzy e")
  end)

  it("is Lua when the line is", function()
    assert.same({ "node" }, complete "send = nod")
    assert.same({ "node:send(", "node:serve(" }, words("send(node:se", 5))
    assert.same({ "node" }, complete "local x = nod")
  end)
end)

describe("a file", function()
  local asked

  before_each(function()
    asked = nil
    core.files = function(folder, prefix)
      asked = folder .. " " .. prefix
      return folder == "/home/ana/" and { "bots/", "my bot.lua", "bot\27.lua" } or { "echo.lua" }
    end
  end)

  after_each(function() core.files = nil end)

  it("is looked for in the folder of whoever types", function()
    assert.same({ "bots/" }, complete "load bo")
    assert.equal("/home/ana/ bo", asked)
  end)

  it("is looked for in the folder that is typed", function()
    assert.same({ "bots/echo.lua" }, complete "load bots/ec")
    assert.equal("/home/ana/bots/ ec", asked)
    assert.same({ "/srv/echo.lua" }, complete "load /srv/")
    assert.equal("/srv/ ", asked)
  end)

  it("may have blanks in its name, as the command takes the rest of the line", function()
    assert.same({ "bots/", "my bot.lua" }, complete "load ")
    assert.same({ "bot.lua" }, words("load my bo", 8))
    assert.equal("/home/ana/ my bo", asked)
  end)

  it("is looked for here where nobody has a folder", function()
    local shell = world()
    shell.cwd = nil
    complete("load ec", shell)
    assert.equal("./ ec", asked)
  end)
end)

describe("Lua", function()
  it("has its names and words behind the breaks of the console", function()
    assert.same({ "node" }, words("=nod", 1))
    assert.same({ "node" }, words("print(nod", 6))
    assert.same({ "node" }, words("x={nod", 3))
    assert.same({ "function" }, words("x = func", 4))
    assert.same({ "node" }, words("for i = 1, nod", 11))
  end)

  it("finds the path in whatever stands before it", function()
    assert.same({ "x/node" }, words("=x/nod", 1))
    assert.same({ "x..node.name" }, words("='a'..x..node.na", 6))
    assert.same({ "f(node:send(", "f(node:serve(" }, words("local x = f(node:se", 10))
  end)

  it("has all fields behind a dot and functions behind a colon", function()
    local shell = world { t = { one = 1, two = print, sub = { deep = print } } }
    assert.same({ "t.one", "t.sub", "t.two" }, words("=t.", 1, shell))
    assert.same({ "t:two(" }, words("=t:", 1, shell))
    assert.same({ "t.sub.deep" }, words("=t.sub.", 1, shell))
    assert.same({ "t.sub:deep(" }, words("=t.sub:", 1, shell))
  end)

  it("has nothing behind what is no table, is not there, or would have to be called", function()
    local shell = world { t = { one = 1 }, n = 5, s = "text" }
    for _, line in ipairs { "=n.", "=s.", "=s:", "=nobody.", "=t.one.", "=t.none.", "=t:one.", "=t:one:", "=.", "=:",
      "=..", "=5.", "=a..", "=t..one." } do
      assert.same({}, words(line .. "x", 1, shell), line)
    end
    assert.same({}, words("=f().na", 4, shell))
  end)

  it("has only what can be written as a name", function()
    local shell = world { t = { ["a b"] = 1, ["end"] = 1, ["\27"] = 1, [1] = 1, ["é"] = 1, _x1 = 1 }, ["no de"] = 1 }
    assert.same({ "t._x1" }, words("=t.", 1, shell))
    assert.same({ "node", "not" }, words("=no", 1, shell))
  end)

  it("never runs anything", function()
    local class = { greet = print }
    local trap = setmetatable({ own = 1 }, { __index = never, __pairs = never, __len = never, __tostring = never,
      __eq = never, __name = "trap" })
    local object = setmetatable({ name = "x" }, { __index = setmetatable(class, { __index = trap }) })
    local shell = world { trap = trap, object = object }
    assert.same({ "trap.own" }, words("=trap.", 1, shell))
    assert.same({}, words("=trap.none.", 1, shell))
    assert.same({ "object.greet", "object.name", "object.own" }, words("=object.", 1, shell))
    assert.same({ "object:greet(" }, words("=object:", 1, shell))
  end)

  it("ends where tables go on in each other", function()
    local loop = { a = 1 }
    setmetatable(loop, { __index = loop })
    assert.same({ "loop.a" }, words("=loop.", 1, world { loop = loop }))
    assert.same({}, words("=loop.b.", 1, world { loop = loop }))
  end)

  it("takes from the manual what objects have that no table holds", function()
    local message = setmetatable({}, { __index = never, __metatable = "message" })
    local shell = world { _ = message, t = setmetatable({}, { __index = never, __metatable = "task" }) }
    assert.same({ "_:wait(" }, words("=_:wa", 1, shell))
    assert.is_true(has(words("=_.", 1, shell), "_.state"))
    assert.is_false(has(words("=_:", 1, shell), "_:state("))
    assert.same({ "t:cancel(", "t:join(" }, words("=t:", 1, shell))
    assert.same({ "node:history(" }, words("=node:hist", 1, shell))
    assert.same({}, words("=odd.", 1, world { odd = setmetatable({}, { __metatable = "odd" }) }))
  end)

  it("goes on over lines without commands", function()
    local shell = world()
    shell.more = "for i = 1, 3 do"
    assert.same({}, words("sen", 0, shell))
    assert.same({ "node" }, words("nod", 0, shell))
    assert.same({ "end" }, words("send = en", 7, shell))
  end)
end)

describe("what is offered", function()
  it("is sorted, each once", function()
    local list = words("=", 1)
    for i = 2, #list do assert.is_true(list[i - 1] < list[i]) end
    assert.is_true(#list > 20)
    assert.same({ "load" }, words("loa", 0, world { load = print }))
  end)

  it("is 200 words at most, from tables of any size", function()
    local t = {}
    for i = 1, 100000 do t["k" .. i] = i end
    local started = os.clock()
    assert.equal(200, #words("=t.", 1, world { t = t }))
    assert.is_true(os.clock() - started < 1)
  end)

  it("is nothing for endless lines", function()
    assert.same({}, words("=" .. ("x"):rep(1000000), 1))
    assert.same({}, words(("a "):rep(500000), 999999))
  end)

  it("replaces what stands from the start that was asked for", function()
    assert.same({ "e:send(", "e:serve(" }, words("=node:se", 4))
    assert.same({ "send eva" }, words("send e", 0))
  end)

  it("takes no second on any line that is completed", function()
    core.files = function() return {} end
    for _, piece in ipairs { "a", "a.", ".", ":", "a ", "(", "a(", "/", "a/", "\200" } do
      local line = piece:rep(1990 // #piece)
      local started = os.clock()
      for _, start in ipairs { "", "=", "load ", "send = " } do words(start .. line, 0) end
      assert.is_true(os.clock() - started < 1, piece)
    end
    core.files = nil
  end)
end)
