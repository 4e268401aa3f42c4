local fake_node = require "tests.lua.fake_node"
local helper = require "tests.lua.helper"

describe("the prompt", function()
  local w, prompt, printed

  before_each(function()
    w, printed = fake_node.new(), {}
    prompt = require("moth.prompt").new(w.hub, "prompt", function(text) printed[#printed + 1] = text end)
  end)

  -- As the classifier compiles it: an expression, or else statements.
  local function start(text, width)
    local chunk, why = prompt:compile("return " .. text .. "\n")
    if not chunk then chunk, why = prompt:compile(text .. "\n") end
    if not chunk then return { nil, why } end
    return w:run(prompt.run, prompt, chunk, width or 80)
  end

  local function run(text, width)
    return table.unpack(start(text, width), 1, 2)
  end

  local function text_of(text, width)
    return (run(text, width))
  end

  it("gives the values of an expression as text", function()
    assert.equal("3  { 1 }  nil", text_of "1 + 2, { 1 }, nil")
    assert.equal("", text_of "")
  end)

  it("gives the first of them as it is, too", function()
    local _, value = run "{ 1 }, 2"
    assert.same({ 1 }, value)
    assert.same({ "" }, { run "x = 5" })
    assert.same({ "false", false }, { run "false" })
  end)

  it("shows them as wide as the screen", function()
    assert.equal("{ 11111, 22222, 33333 }", text_of "{ 11111, 22222, 33333 }")
    assert.equal("{\n  11111,\n  22222,\n  33333\n}", text_of("{ 11111, 22222, 33333 }", 20))
  end)

  it("keeps the first of them in _, until a line gives another one", function()
    run "6 * 7, 'x'"
    assert.equal("43", text_of "_ + 1")
    run "y = 5"
    assert.equal("43", text_of "_")
    run "false"
    assert.equal("false", text_of "_")
  end)

  it("runs a statement, which gives nothing or what it returns", function()
    assert.equal("", text_of "x = 5")
    assert.equal("6", text_of "local y = x return y + 1")
  end)

  it("keeps its globals from line to line", function()
    run "function double(n) return n * 2 end"
    assert.equal("14", text_of "double(7)")
  end)

  it("is a script of its own, whose handlers work", function()
    run "node:hear('', function() return 'x' end)"
    w:say "hi"
    assert.same({ "x" }, w:replies())
  end)

  it("waits for what waits", function()
    local results = start "task.sleep(1) or 'done'"
    assert.same({}, results)
    helper.settle(1000)
    assert.equal("done", results[1])
  end)

  it("says why a line failed, without the place, and logs nothing", function()
    assert.same({ nil, "broken" }, { run "error 'broken'" })
    assert.same({ nil, "undefined global 'nod'; did you mean node?" }, { run "nod" })
    local _, why = run "x = = 1"
    assert.equal("prompt:1: unexpected symbol near '='", why)
    assert.same({}, helper.logged)
  end)

  it("cancels what runs, and says whether there was something", function()
    assert.is_false(prompt:cancel())
    local results = start "task.sleep(100)"
    assert.is_true(prompt:cancel())
    helper.settle()
    assert.same({ nil, "cancelled" }, results)
    assert.is_false(prompt:cancel())
  end)

  it("logs the errors of what it left behind, and is never parked", function()
    run "task.every(1, function() error 'broken' end)"
    for _ = 1, 150 do helper.settle(1000) end
    assert.truthy(helper.logged[1]:find("error: prompt: prompt:1: broken", 1, true))
    assert.equal("2", text_of "1 + 1")
  end)

  it("is refused when too many of its tasks run", function()
    run "task.every(1, print)"
    prompt.script.owner.limit = 1
    assert.same({ nil, "too many tasks of the prompt run; 'kill prompt' ends them" }, { run "1" })
    w.hub.scripts:kill "prompt"
    assert.equal("1", text_of "1")
  end)

  it("refuses bytecode", function()
    local _, why = prompt:compile(string.dump(function() end))
    assert.truthy(why:find("binary", 1, true))
  end)

  it("prints to the session whose it is, also later", function()
    run "print('a', 1)"
    run "task.after(1, function() print 'later' end)"
    helper.settle(1000)
    assert.same({ "a  1", "later" }, printed)
    assert.same({}, w.printed)
  end)

  it("knows which names have a value, and asks nobody", function()
    run "x = 5"
    assert.is_true(prompt:is_defined "x")
    assert.is_true(prompt:is_defined "print")
    assert.is_false(prompt:is_defined "y")
    assert.equal(5, rawget(prompt:globals(), "x"))
  end)

  it("has names of its own beside another one", function()
    local other = require("moth.prompt").new(w.hub, "prompt-2", print)
    run "x = 5"
    assert.is_false(other:is_defined "x")
    assert.truthy(w:find "prompt")
    assert.truthy(w:find "prompt-2")
  end)

  it("ends with all that it made", function()
    run "node:hear('', function() return 'x' end)"
    run "task.every(1, function() print 'tick' end)"
    prompt:close()
    w:say "hi"
    helper.settle(5000)
    assert.same({}, w:replies())
    assert.same({}, printed)
    assert.is_nil(w:find "prompt")
    assert.same({}, w.hub.running)
  end)

  it("ends once, and leaves another one of its name alone", function()
    prompt:close()
    local other = require("moth.prompt").new(w.hub, "prompt", print)
    prompt:close()
    assert.equal(other.script, w:find "prompt")
  end)

  it("ends also beside a script whose file has its name", function()
    prompt:close()
    w:load("prompt", "")
    prompt = require("moth.prompt").new(w.hub, "prompt", function(text) printed[#printed + 1] = text end)
    run "task.every(1, function() print 'tick' end)"
    prompt:close()
    helper.settle(5000)
    assert.same({}, printed)
    assert.equal(1, #w.hub.scripts:list())
  end)
end)
