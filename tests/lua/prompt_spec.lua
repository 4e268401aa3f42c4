local fake_node = require "tests.lua.fake_node"
local helper = require "tests.lua.helper"

describe("the prompt", function()
  local w, prompt

  before_each(function()
    w = fake_node.new()
    prompt = require("moth.prompt").new(w.hub)
  end)

  local function run(text)
    return table.unpack(w:run(prompt.run, prompt, text), 1, 2)
  end

  it("gives the values of an expression as text", function()
    assert.equal("3  { 1 }  nil", run "1 + 2, { 1 }, nil")
    assert.equal("", run "")
  end)

  it("runs a statement, which gives nothing or what it returns", function()
    assert.equal("", run "x = 5")
    assert.equal("6", run "local y = x return y + 1")
  end)

  it("keeps its globals from line to line", function()
    run "function double(n) return n * 2 end"
    assert.equal("14", run "double(7)")
  end)

  it("is a script of its own, whose handlers work", function()
    run "node:hear('', function() return 'x' end)"
    w:say "hi"
    assert.same({ "x" }, w:replies())
  end)

  it("waits for what waits", function()
    local results = w:run(prompt.run, prompt, "task.sleep(1) or 'done'")
    assert.same({}, results)
    helper.settle(1000)
    assert.same({ "done" }, results)
  end)

  it("says why a line failed, without the place, and logs nothing", function()
    assert.same({ nil, "broken" }, { run "error 'broken'" })
    assert.same({ nil, "undefined global 'nod'; did you mean node?" }, { run "nod" })
    local _, why = run "x = = 1"
    assert.equal("unexpected symbol near '='", why)
    assert.same({}, helper.logged)
  end)

  it("cancels what runs, and says whether there was something", function()
    assert.is_false(prompt:cancel())
    local results = w:run(prompt.run, prompt, "task.sleep(100)")
    assert.is_true(prompt:cancel())
    helper.settle()
    assert.same({ nil, "cancelled" }, results)
    assert.is_false(prompt:cancel())
  end)

  it("logs the errors of what it left behind, and is never parked", function()
    run "task.every(1, function() error 'broken' end)"
    for _ = 1, 150 do helper.settle(1000) end
    assert.truthy(helper.logged[1]:find("error: prompt: prompt:1: broken", 1, true))
    assert.equal("2", run "1 + 1")
  end)

  it("is refused when too many of its tasks run", function()
    run "task.every(1, print)"
    prompt.script.owner.limit = 1
    assert.same({ nil, "too many tasks of the prompt run; 'kill prompt' ends them" }, { run "1" })
    w.hub.scripts:kill "prompt"
    assert.equal("1", run "1")
  end)

  it("refuses bytecode", function()
    local _, why = run(string.dump(function() end))
    assert.truthy(why:find("binary", 1, true))
  end)
end)
