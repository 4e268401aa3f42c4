-- echo.lua -- what examples/echo.lua promises.

test("echo says again what it is told", function()
  local t = testkit.load "examples/echo.lua"
  t:from("ana"):say("hello")
  t:expect("ana", "^hello$")
  t:from("ana"):say("  two  words")
  t:expect("ana", "^  two  words$")
  t:expect_none()
end)

test("two echoes do not talk for ever", function()
  local t = testkit.load "examples/echo.lua"
  t:from("ana").node:load("examples/echo.lua")
  t:from("ana"):say("hello")
  t:expect("ana", "^hello$")
  t:expect_none()
end)
