-- bridge.lua -- what examples/bridge.lua promises to programs that talk plain TCP to it.

-- The bridge, and on the same machine a program that ana rules from afar.
local function dialled()
  local t = testkit.load "examples/bridge.lua"
  local ana = t:from("ana")
  assert(t.node:load("tests/lab/bots/terminal.lua"))
  ana:say("", { type = "dial" })
  t:advance("100ms")
  return t, ana
end

test("a text that arrives is a line for each program", function()
  local t, ana = dialled()
  ana:say("hello\nthere")
  t:expect("ana", "^ana hello there$")
end)

test("a line is a message", function()
  local t, ana = dialled()
  t:from("bob")
  ana:say("bob good morning", { type = "line" })
  t:expect("bob", "^good morning$")
  t:expect("ana", "^ok$")
  ana:say("nobody good morning", { type = "line" })
  t:expect("ana", "^%? ")
  ana:say("nonsense", { type = "line" })
  t:expect("ana", "^%? write: TO TEXT$")
end)

test("a program that is gone is forgotten, and may come again", function()
  local t, ana = dialled()
  ana:say("", { type = "hang_up" })
  t:advance("100ms")
  ana:say("anybody there?")
  t:expect_none()
  ana:say("", { type = "dial" })
  t:advance("100ms")
  ana:say("and now?")
  t:expect("ana", "^ana and now%?$")
  t:expect_none()
end)
