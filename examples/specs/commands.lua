-- commands.lua -- what examples/commands.lua promises.

test("commands answer with what they return", function()
  local t = testkit.load "examples/commands.lua"
  local ana = t:from("ana")
  ana:say("add 2 3")
  t:expect("ana", "^5$")
  ana:say("roll 1")
  t:expect("ana", "^a die has at least two sides$")
  ana:say("roll")
  t:expect("ana", "^you rolled [1-6]$")
  ana:say("help")
  t:expect("ana", "roll %[sides:integer%] %- rolls a die")
  t:expect_none()
end)

test("wrong arguments are answered with the usage", function()
  local t = testkit.load "examples/commands.lua"
  t:from("ana"):say("add 2 three")
  t:expect("ana", "^usage: add <a:number> <b:number>$")
  t:from("ana"):say("shirt XL")
  t:expect("ana", "^usage: shirt <size:S|M|L> %[wish%.%.%.%]$")
end)

test("an ordered shirt stays ordered over a restart", function()
  local t = testkit.load "examples/commands.lua"
  t:from("ana"):say("shirt M with a moth on it")
  t:expect("ana", "^a shirt in M is noted for ana$")
  t.node:restart()
  t:advance("1s")
  local order = t.node:kv("shirts")[t:from("ana").node.id]
  assert(order.size == "M" and order.wish == "with a moth on it")
end)
