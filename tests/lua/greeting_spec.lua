local fake_program = require "tests.lua.fake_program"
local helper = require "tests.lua.helper"

-- Messages that arrived in the last hour, newer than the moment in the file.
local function with_unseen(count)
  local w = fake_program.new { home = { ["config.lua"] = "", seen = ("%.3f\n"):format(helper.wall - 7200) } }
  for i = 1, count do
    w.node.entries[i] = { ours = false, from = fake_program.EVA, name = "eva", type = "text", encoding = "text",
      data = "text " .. i, time = helper.wall - 3600 + i }
  end
  w:load {}
  return w
end

describe("the first greeting of all", function()
  it("says who this is, where it listens, how others reach it, and what to try", function()
    local t = fake_program.started({ home = {} }):sit()
    assert.equal("Welcome to moth. This node is ana (aaaa1111), listening on 127.0.0.1:6684.\n" ..
      "Another one reaches it with this line:\n\n  connect 127.0.0.1:6684\n\n" ..
      "Two things to try:\n\n  help      what you can type\n  invite    one line that brings a friend's moth here\n\n",
      t.greeting)
  end)

  it("says so when it does not listen", function()
    local w = fake_program.started { home = {} }
    w.node.address = ""
    assert.truthy(w:sit().greeting:find("^Welcome to moth%. This node is ana %(aaaa1111%)%.\nIt does not listen: it can"
      .. " connect to others, they cannot connect to it%.\n"))
  end)

  it("fits a narrow terminal", function()
    local t = fake_program.started({ home = {} }):sit { width = 40 }
    for line in t.greeting:gmatch "[^\n]+" do assert.is_true(#line <= 40, line) end
  end)

  it("is for people, and for the program's own terminal", function()
    local w = fake_program.started { home = {} }
    assert.equal("ana (aaaa1111) listening on 127.0.0.1:6684\n", w:enter().greeting)
    assert.truthy(w:attach().greeting:find "^ana %(aaaa1111%) listening on 127.0.0.1:6684; quit leaves this shell")
  end)
end)

describe("a later greeting", function()
  it("is one line", function()
    local w = fake_program.started()
    assert.equal("ana (aaaa1111) listening on 127.0.0.1:6684\n", w:sit().greeting)
    assert.equal("ana (aaaa1111) listening on 127.0.0.1:6684\n", w:enter().greeting)
    w.node.address = ""
    assert.equal("ana (aaaa1111) not listening\n", w:sit().greeting)
  end)

  it("says in an attached shell what quit does", function()
    assert.equal("ana (aaaa1111) listening on 127.0.0.1:6684; quit leaves this shell, the node runs on\n",
      fake_program.started():attach({ width = 100 }).greeting)
  end)

  it("is nothing for an attached pipe, nor for a single command", function()
    local w = fake_program.started()
    assert.equal("", w:enter({ is_remote = true }).greeting)
    assert.equal("", w:single().greeting)
  end)

  it("comes before the prompt", function()
    local t = fake_program.started():sit()
    assert.same({ "ana> " }, t.prompts)
  end)
end)

describe("what arrived while nobody looked", function()
  it("is shown, the oldest first, with the day", function()
    local lines = {}
    for line in with_unseen(2):sit().greeting:gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal("2 messages arrived while nobody looked:", lines[2])
    assert.truthy(lines[3]:find "^%[%d+%-%d%d%-%d%d %d%d:%d%d:%d%d%] eva: text 1$")
    assert.truthy(lines[4]:find "eva: text 2$")
    assert.equal(4, #lines)
  end)

  it("may be one, or none", function()
    assert.truthy(with_unseen(1):sit().greeting:find("\n1 message arrived while nobody looked:\n", 1, true))
    assert.is_nil(with_unseen(0):sit().greeting:find "looked")
  end)

  it("is bounded: the newest twenty, the others are counted", function()
    local greeting = with_unseen(1000):attach().greeting
    assert.truthy(greeting:find("\n1,000 messages arrived while nobody looked:\n(980 before these; 'history' shows "
      .. "them)\n", 1, true))
    assert.is_nil(greeting:find("text 980\n", 1, true))
    assert.equal(20, select(2, greeting:gsub("eva: text %d+\n", "")))
    assert.truthy(greeting:find "eva: text 1000\n$")
  end)

  it("is made safe", function()
    local w = with_unseen(1)
    w.node.entries[1].data = "a\27[2J\n* b"
    assert.truthy(w:sit().greeting:find("eva: a\\x1b[2J\n  * b\n", 1, true))
  end)

  it("is not for pipes and single commands", function()
    local w = with_unseen(3)
    assert.is_nil(w:single().greeting:find "text")
    assert.is_nil(w:enter({ is_remote = true }).greeting:find "text")
  end)
end)
