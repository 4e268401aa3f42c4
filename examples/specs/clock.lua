-- clock.lua -- what examples/clock.lua and examples/clock_client.lua promise.

test("the service tells the time, in seconds or written out", function()
  local t = testkit.load "examples/clock.lua"
  local ana = t:from("ana").node
  assert(ana:request("bot", "time", {}) == os.time())
  assert(ana:request("bot", "time", { format = "!%Y" }) == "2030")
  local _, why, code = ana:request("bot", "time", { format = 1 })
  assert(code == "failed" and why:find("format"), why)
end)

test("a client asks everybody who comes, once", function()
  local t = testkit.load "examples/clock_client.lua"
  local asked = { ana = 0, bob = 0 }
  for name in pairs(asked) do
    t:from(name).node:serve("time", function()
      asked[name] = asked[name] + 1
      return nil, "no battery"
    end)
  end
  t.node:restart()
  t:advance("2s")
  assert(asked.ana == 1 and asked.bob == 1)
  assert(t.net:timeline():find("warn: clock_client: ana no battery", 1, true), "what went wrong is not told")
end)
