local fake_node = require "tests.lua.fake_node"
local core = require "moth.core"
local sandbox = require "moth.sandbox"

describe("a sandbox", function()
  local printed, env

  before_each(function()
    printed, fake_node.files = {}, {}
    env = sandbox.new("bots/", { node = "the node" }, function(text) printed[#printed + 1] = text end)
  end)

  local function run(text, name)
    local chunk, why = core.load(text, name or "=bot", env)
    if not chunk then return nil, why end
    return select(2, assert(pcall(chunk)))
  end

  local function failure(text)
    local ok, why = pcall(assert(core.load(text, "=bot", env)))
    assert.is_false(ok)
    return why
  end

  it("has the libraries and what it is given", function()
    assert.equal("the node", run "return node")
    assert.equal("A", run "return string.upper 'a'")
    assert.is_true(run "return _G._G == _G and _ENV == _G")
  end)

  it("changes nothing that others see", function()
    run "string.upper, table.insert, x = nil, nil, 5"
    assert.is_function(string.upper)
    assert.is_nil(rawget(_G, "x"))
    local other = sandbox.new("", {}, print)
    assert.is_function(other.string.upper)
    assert.is_nil(rawget(other, "x"))
  end)

  it("names an undefined global and a near one, where it is used", function()
    assert.equal("bot:2: undefined global 'prnt'; did you mean print?", failure "\nprnt(1)")
    assert.equal("bot:1: undefined global 'nobodys'", failure "nobodys()")
  end)

  it("allows globals that were given a value, nil too when it is asked with rawget", function()
    assert.equal(3, run "x = 3 return x")
    assert.is_nil(run "return rawget(_G, 'y')")
  end)

  it("hides what lies behind the globals", function()
    assert.is_false(run "return getmetatable(_G)")
  end)

  it("has neither files nor debug nor packages", function()
    for _, name in ipairs { "io", "debug", "package", "dofile", "loadfile" } do
      assert.is_nil(rawget(env, name), name)
    end
  end)

  it("prints with spaces in place of tabs", function()
    run "print(1, 'a\\tb', nil)"
    assert.same({ "1  a  b  nil" }, printed)
  end)

  describe("load", function()
    it("takes text, and gives it the script's globals", function()
      run "x = 3"
      assert.equal(3, run "return load 'return x' ()")
    end)

    it("takes another environment, nil too", function()
      assert.equal(4, run "return load('return x', 'name', 't', { x = 4 })()")
      assert.is_false(run "return (pcall(load('return x', 'name', 't', nil)))")
    end)

    it("names the chunk by what it is given, else by its text", function()
      assert.equal("here:1: up", run "return select(2, pcall(load(\"error 'up'\", '=here')))")
      assert.equal("[string \"error 'up'\"]:1: up", run "return select(2, pcall(load \"error 'up'\"))")
    end)

    it("refuses bytecode, whatever the mode", function()
      env.code = string.dump(function() end)
      assert.is_nil(run "return load(code, 'c', 'b')")
    end)
  end)

  describe("require", function()
    it("runs a file beside the script once, in the script's globals", function()
      fake_node.files["bots/words.lua"] = "count = (rawget(_G, 'count') or 0) + 1 return { name = ..., node = node }"
      run "words = require 'words' again = require 'words'"
      assert.same({ name = "words", node = "the node" }, env.words)
      assert.equal(env.words, env.again)
      assert.equal(1, env.count)
    end)

    it("finds a file in a folder by dots", function()
      fake_node.files["bots/parts/greeting.lua"] = "return 'hi'"
      assert.equal("hi", run "return require 'parts.greeting'")
    end)

    it("gives true for a file that returns nothing", function()
      fake_node.files["bots/quiet.lua"] = ""
      assert.is_true(run "return require 'quiet'")
    end)

    it("reads the file anew for another script", function()
      fake_node.files["bots/words.lua"] = "return 1"
      run "return require 'words'"
      fake_node.files["bots/words.lua"] = "return 2"
      assert.equal(2, sandbox.new("bots/", {}, print).require "words")
    end)

    it("refuses what is no name of a file beside the script", function()
      for _, name in ipairs { "'../x'", "'a/b'", "''", "'.a'", "'a.'", "'a..b'", "5", "'/etc/x'" } do
        local why = failure("require(" .. name .. ")")
        assert.equal("bot:1: require takes the name of a Lua file beside the script, without its ending", why)
      end
    end)

    it("says what cannot be read", function()
      assert.equal("bot:1: cannot read bots/gone.lua: there is no such file", failure "require 'gone'")
    end)

    it("says what cannot be compiled", function()
      fake_node.files["bots/bad.lua"] = "x = = 1"
      assert.truthy(failure("require 'bad'"):find("bots/bad.lua:1: unexpected symbol", 1, true))
    end)

    it("passes an error on, and tries again the next time", function()
      fake_node.files["bots/bad.lua"] = "error 'broken'"
      assert.equal("bots/bad.lua:1: broken", failure "require 'bad'")
      fake_node.files["bots/bad.lua"] = "return 'whole'"
      assert.equal("whole", run "return require 'bad'")
    end)

    it("refuses a file that requires itself", function()
      fake_node.files["bots/a.lua"] = "return require 'b'"
      fake_node.files["bots/b.lua"] = "return require 'a'"
      assert.truthy(failure("require 'a'"):find("a requires itself", 1, true))
    end)
  end)

  describe("coroutines", function()
    it("are those of the script, inside of them", function()
      assert.is_true(run [[
        local seen, main
        local co = coroutine.create(function() seen, main = coroutine.running() end)
        coroutine.resume(co)
        return seen == co and main == false]])
    end)

    it("show a dead one in place of the one the script's code runs in", function()
      local thread = run "thread, is_main = coroutine.running() return thread"
      assert.is_true(env.is_main)
      assert.not_equal(coroutine.running(), thread)
      assert.equal("dead", coroutine.status(thread))
      assert.equal(thread, run "return (coroutine.running())")
    end)
  end)
end)
