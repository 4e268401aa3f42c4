-- poll.lua -- what examples/poll.lua promises.

test("a poll asks one thing after the other and counts", function()
  local t = testkit.load "examples/poll.lua"
  local ana = t:from("ana")
  ana:say("poll")
  t:expect("ana", "^tea or coffee%?$")
  ana:say("Tea")
  t:expect("ana", "^how many cups a day%?$")
  ana:say("rather many") -- is no answer, and nobody else's
  ana:say("3")
  t:expect("ana", "^thank you; 1 for tea$")
  t:expect_none()
end)

test("polls of two peers do not mix", function()
  local t = testkit.load "examples/poll.lua"
  for _, name in ipairs { "ana", "bob" } do
    t:from(name):say("poll")
    t:expect(name, "tea or coffee")
  end
  t:from("bob"):say("coffee")
  t:expect("bob", "how many cups")
  t:from("ana"):say("tea")
  t:expect("ana", "how many cups")
  t:from("ana"):say("2")
  t:expect("ana", "1 for tea")
  t:from("bob"):say("9")
  t:expect("bob", "1 for coffee")
end)

test("who does not answer within a minute is told so", function()
  local t = testkit.load "examples/poll.lua"
  t:from("ana"):say("poll")
  t:expect("ana", "tea or coffee")
  t:advance("58s")
  t:expect_none("ana")
  t:expect("ana", "^too late: ", "2s")
end)
