local fake_node = require "tests.lua.fake_node"

describe("the commands about scripts", function()
  local w, commands

  before_each(function()
    w, commands = fake_node.new(), {}
    for _, command in ipairs(require("moth.script_commands").list) do commands[command.name] = command end
  end)

  local function run(name, argument)
    local results = w:run(commands[name].run, { hub = w.hub }, argument)
    return results[1], results[2]
  end

  local function file(name, text) fake_node.files[name] = text end

  it("have an example that is one of theirs", function()
    for name, command in pairs(commands) do
      assert.equal(name, command.example:match "^%S+")
      assert.equal(name, command.usage:match "^%S+")
      assert.is_true(command.least <= command.most)
    end
  end)

  it("load a file, or say why not", function()
    file("bots/echo.lua", "")
    assert.equal("echo is running", run("load", "bots/echo.lua"))
    assert.same({ nil, "cannot load gone.lua: cannot read gone.lua: there is no such file" },
      { run("load", "gone.lua") })
  end)

  it("reload a script, or say why not", function()
    file("echo.lua", "")
    run("load", "echo.lua")
    assert.equal("echo is running anew", run("reload", "echo"))
    file("echo.lua", "error 'broken'")
    assert.same({ nil, "cannot reload echo: echo.lua:1: broken; the old one goes on" }, { run("reload", "echo") })
  end)

  it("unload a script, or say why not", function()
    file("echo.lua", "")
    run("load", "echo.lua")
    assert.equal("echo is unloaded", run("unload", "echo"))
    local ok, why = run("unload", "echo")
    assert.is_falsy(ok)
    assert.equal("no script echo is loaded", why)
  end)

  it("kill a script, or say why not", function()
    file("echo.lua", "")
    run("load", "echo.lua")
    assert.equal("echo is stopped; 'reload echo' starts it again", run("kill", "echo"))
    local ok, why = run("kill", "echo")
    assert.is_falsy(ok)
    assert.equal("echo is parked already", why)
  end)

  it("list the scripts in load order, with what they have and why they are parked", function()
    file("bots/two.lua", [[
      node:hear("", print)
      node:command("c", print)
      node:on("route", print)
      node:serve("s", print)
      node:hook("forward", print)
      task.every(1, print)
    ]])
    file("one.lua", "node:hear('', function() error 'broken' end)")
    run("load", "bots/two.lua")
    run("load", "one.lua")
    local text = run "scripts"
    assert.truthy(text:find("SCRIPT +STATE +HANDLERS +TASKS +ERRORS +FILE\n"))
    assert.truthy(text:find("\ntwo +running +5 +1 +0 +bots/two.lua\n"))
    assert.truthy(text:find("\none +running +1 +0 +0 +one.lua"))
    assert.is_true(text:find("two ", 1, true) < text:find("one ", 1, true))
  end)

  it("list why one is parked, and its last error", function()
    file("one.lua", "node:on('route', function() error 'broken' end)")
    run("load", "one.lua")
    w:raise("route", {})
    require("tests.lua.helper").settle()
    run("kill", "one")
    local text = run "scripts"
    assert.truthy(text:find("\none +parked +0 +0 +1 +one.lua\n"))
    assert.truthy(text:find("one is parked: it was killed", 1, true))
    assert.truthy(text:find("one: last error: one.lua:1: broken", 1, true))
  end)

  it("list the prompt only when it has something", function()
    local prompt = w.hub.scripts:session "prompt"
    assert.equal("no scripts; this runs one: load FILE", run "scripts")
    prompt.env.node:hear("x", print)
    assert.truthy(run "scripts":find("\nprompt +running +1 +0 +0 +%-"))
  end)

  it("show what scripts use, the busiest first", function()
    for _, name in ipairs { "one", "two", "three" } do
      file(name .. ".lua", "")
      run("load", name .. ".lua")
    end
    w:find("two").owner.account.cpu, w:find("two").owner.account.kills = 1.5, 2
    local text = run "top"
    assert.truthy(text:find("SCRIPT +CPU +TASKS +ERRORS +KILLS\ntwo +1.50 s +0 +0 +2\none +0.00 s.*\nthree"))
    assert.equal("memory of all scripts and the shell: 1.0 MiB of 64.0 MiB", text:match "[^\n]*$")
  end)

  it("show the memory alone when there is no script", function()
    assert.equal("memory of all scripts", run "top":sub(1, 21))
  end)

  it("have values for JSON", function()
    local function value(name, argument)
      return w:run(commands[name].run, { hub = w.hub }, argument)[2]
    end
    file("bots/two.lua", "node:hear('', print)")
    assert.same({ script = "two", state = "running" }, value("load", "bots/two.lua"))
    assert.same({ script = "two", state = "running" }, value("reload", "two"))
    assert.same({ name = "two", state = "running", handlers = 1, tasks = 0, errors = 0, path = "bots/two.lua" },
      value "scripts"[1])
    local top = value "top"
    assert.same({ name = "two", cpu = 0, tasks = 0, errors = 0, kills = 0 }, top.scripts[1])
    assert.same({ 1 << 20, 64 << 20 }, { top.memory, top.memory_most })
    assert.same({ script = "two", state = "parked" }, value("kill", "two"))
    assert.same({ script = "two", state = "unloaded" }, value("unload", "two"))
  end)

  it("pass on the word for why not", function()
    assert.equal("failed", w:run(commands.load.run, { hub = w.hub }, "gone.lua")[3])
    assert.equal("not_found", w:run(commands.kill.run, { hub = w.hub }, "gone")[3])
  end)

  it("find a file from the folder where the shell began", function()
    file("/there/echo.lua", "")
    file("/else/echo.lua", "")
    local function load(cwd, path) return w:run(commands.load.run, { hub = w.hub, cwd = cwd }, path)[1] end
    assert.is_nil(load("", "echo.lua"))
    assert.equal("echo is running", load("/there", "echo.lua"))
    assert.equal("/there/echo.lua", w:find("echo").path)
    run("unload", "echo")
    assert.equal("echo is running", load("/there", "/else/echo.lua"))
    assert.equal("/else/echo.lua", w:find("echo").path)
  end)

  it("fit every terminal", function()
    local path = ("/a/long/folder"):rep(8) .. "/a-script-with-a-long-name.lua"
    file(path, "")
    run("load", path)
    run("kill", "a-script-with-a-long-name")
    for width = 40, 120 do
      for _, name in ipairs { "scripts", "top" } do
        local text = w:run(commands[name].run, { hub = w.hub, width = width })[1]
        for row in text:gmatch("[^\n]+") do assert.is_true(#row <= width, row) end
      end
    end
  end)
end)
