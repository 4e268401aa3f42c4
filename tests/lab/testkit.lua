-- testkit.lua -- what the test kit promises to specs of bots: reload, restarts, jobs, data that stays, and failures
-- that say what was expected.

local COUNTER, ALARM = "tests/lab/bots/counter.lua", "tests/lab/bots/alarm.lua"

local function fails(pattern, fn, ...)
  local ok, why = pcall(fn, ...)
  assert(not ok, "it does not fail")
  assert(why:find(pattern), why)
end

-- --- the bot's lives ---

local AGAIN = "1m" -- within which a peer finds a bot that was away

local function count(t, wanted)
  t:from("ana"):say("count")
  t:expect("ana", "^" .. wanted .. "$", AGAIN)
end

test("a reload forgets what is in memory and hands on what is saved", function()
  local t = testkit.load(COUNTER)
  count(t, "1 1 1")
  count(t, "2 2 2")
  t:reload()
  count(t, "1 3 3")
end)

test("a restart keeps what is on the disk", function()
  local t = testkit.load(COUNTER)
  count(t, "1 1 1")
  t:advance "1s" -- what was done is on the disk
  t.node:restart()
  count(t, "1 1 2")
  t.node:stop()
  t.node:start()
  count(t, "1 1 3")
end)

test("what an error discards was never written", function()
  local t = testkit.load(COUNTER)
  count(t, "1 1 1")
  t:from("ana"):say("count and fail")
  t:expect_none()
  assert(t.node:kv("counter").heard == 1)
  count(t, "2 2 2")
end)

test("the data of a bot can be read and written from outside", function()
  local t = testkit.load(COUNTER)
  t.node:kv("counter").heard = 41
  count(t, "1 1 42")
  assert(t.node:kv("counter").heard == 42)
end)

test("mail that comes while the bot is away is waiting when it is back", function()
  local t = testkit.load(COUNTER)
  local ana = t:from("ana")
  t:advance "1s" -- what was done is on the disk
  t.node:kill()
  local m = ana:say("count")
  t:advance("1m")
  assert(m.state ~= "delivered")
  t:advance "1s" -- what was done is on the disk
  t.node:restart()
  t:expect("ana", "^1 1 1$", AGAIN)
  t:expect_none()
end)

-- --- jobs ---

test("a job is done at its time", function()
  local t = testkit.load(ALARM)
  t:from("ana"):say("in 2h tea")
  t:expect("ana", "^%d+$")
  t:advance("119m")
  t:expect_none()
  t:expect("ana", "^tea$", "1m")
end)

test("a job may have a time since 1970", function()
  local t = testkit.load(ALARM)
  t:from("ana"):say(("at %d tea"):format(os.time() + 18 * 3600))
  t:expect("ana", "^%d+$")
  t:advance("17h59m")
  t:expect_none()
  t:expect("ana", "^tea$", "1m")
  assert(os.date("!%H:%M") == "18:00")
end)

test("a job that was taken back is not done", function()
  local t = testkit.load(ALARM)
  t:from("ana"):say("in 10m tea")
  local id = t:expect("ana", "^%d+$").text
  t:from("ana"):say("forget " .. id)
  t:expect("ana", "^forgotten$")
  t:advance("20m")
  t:expect_none()
  t:from("ana"):say("forget " .. id)
  t:expect("ana", "no ")
end)

test("a job outlives restarts and reloads, and is done once", function()
  local t = testkit.load(ALARM)
  t:from("ana"):say("in 10m tea")
  t:expect("ana", "^%d+$")
  t:advance "1s" -- what was done is on the disk
  t.node:restart()
  t:advance("1s")
  t:reload()
  t:advance "1s" -- what was done is on the disk
  t.node:restart()
  t:expect("ana", "^tea$", "11m")
  t:reload()
  t:advance "1s" -- what was done is on the disk
  t.node:restart()
  t:advance("1h")
  t:expect_none()
end)

test("jobs missed while the node was away are done once, as soon as it is back", function()
  local t = testkit.load(ALARM)
  for _, text in ipairs { "tea", "cake" } do
    t:from("ana"):say("in 10m " .. text)
    t:expect("ana", "^%d+$")
  end
  t:advance "1s" -- what was done is on the disk
  t.node:kill()
  t:advance("5h")
  t:advance "1s" -- what was done is on the disk
  t.node:restart()
  t:expect("ana", "^tea$", AGAIN)
  t:expect("ana", "^cake$", "1s")
  t:advance("1h")
  t:expect_none()
end)

-- --- what it says ---

test("an expectation that is not met says what came instead", function()
  local t = testkit.load(COUNTER)
  t:from("ana")
  fails('^.-ana expected "x" within 1s: nothing came$', t.expect, t, "ana", "x")
  t:from("ana"):say("count")
  fails('^.-ana expected "x" within 3s: there came "1 1 1"$', t.expect, t, "ana", "x", "3s")
  fails('^.-ana expected nothing: there came "1 1 1"$', t.expect_none, t, "ana")
  fails('^.-ana expected nothing: there came "1 1 1"$', t.expect_none, t)
end)

test("expect takes the message: the next one is another", function()
  local t = testkit.load(COUNTER)
  t:from("ana"):say("count")
  local msg = t:expect("ana", "%d")
  assert(msg.text == "1 1 1" and msg.from == t.node.id and msg.auto)
  t:expect_none("ana")
end)

test("expect_none of one peer is not about the others", function()
  local t = testkit.load(COUNTER)
  t:from("bob")
  t:from("ana"):say("count")
  t:expect_none("bob")
  fails("^.-ana expected nothing", t.expect_none, t)
end)

test("the bot has the name that it is given, and a clock of its own", function()
  local t = testkit.load(ALARM, { name = "tim", clock = "1h" })
  assert(t.node.name == "tim")
  t:from("ana"):say(("at %d tea"):format(os.time() + 3600 + 60))
  t:expect("ana", "^%d+$")
  t:expect("ana", "^tea$", "1m")
end)

test("misuse is told in sentences", function()
  fails("the file of a bot is a string, not nil$", testkit.load)
  fails("has no option speed; there are clock, config, name$", testkit.load, COUNTER, { speed = 1 })
  local t = testkit.load(COUNTER)
  fails("time span", t.expect, t, "ana", "x", "soon")
  fails("time span", t.advance, t, {})
end)

test("a spec answers what a peer got", function()
  local bot = testkit.load "tests/lab/bots/asker.lua"
  bot:from("anna"):say "hi"
  local m = bot:expect("anna", "who are you")
  assert(m:reply "Anna of the hill")
  bot:expect("anna", "hello Anna of the hill")
end)
