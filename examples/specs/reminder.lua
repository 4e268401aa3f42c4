-- reminder.lua -- what examples/reminder.lua promises: hours pass at once here.

test("a reminder comes when it is due", function()
  local t = testkit.load "examples/reminder.lua"
  t:from("ana"):say("remind 10m look at the oven")
  t:expect("ana", "^I will$")
  t:advance("9m55s")
  t:expect_none("ana")
  t:expect("ana", "^reminder: look at the oven$", "10s")
end)

test("a reminder outlives a kill and comes once", function()
  local t = testkit.load "examples/reminder.lua"
  t:from("ana"):say("remind 1h drink tea")
  t:expect("ana", "^I will$")
  t:advance "1s" -- what was done is on the disk
  t.node:restart()
  t:advance("59m")
  t:expect("ana", "^reminder: drink tea$", "2m")
  t:advance "1s" -- what was done is on the disk
  t.node:restart()
  t:advance("2h")
  t:expect_none("ana")
end)

test("what was due while the bot was away comes when it is back", function()
  local t = testkit.load "examples/reminder.lua"
  t:from("ana"):say("remind 1h drink tea")
  t:expect("ana", "^I will$")
  t:advance "1s" -- what was done is on the disk
  t.node:kill()
  t:advance("3h")
  t.node:start()
  t:expect("ana", "^reminder: drink tea$", "1m")
end)

test("a time that is none is answered with the usage", function()
  local t = testkit.load "examples/reminder.lua"
  t:from("ana"):say("remind soon the oven")
  t:expect("ana", "^usage: remind <after:duration> <text%.%.%.>$")
end)
