-- found.lua -- what was wrong once.

lab("a node that was killed before anybody called it refuses calls", function(net)
  local ana = net:node "ana"
  ana:kill()
  local peers, why, code = ana:peers()
  net:expect(peers == nil and code == "shutdown", why)
end)

lab("what is registered at a node that does not run is there when it does", function(net)
  local ana, bob = net:line("ana", "bob"):nodes()
  bob:kill()
  bob:hear("^ping$", function() return "pong" end)
  bob:restart()
  net:settle()
  local got
  ana:on("message", function(msg) got = msg.text end)
  ana:send(bob, "ping")
  net:eventually("5s", function() return got == "pong" end)
end)

test("waiting for an hour costs nothing", function()
  local t = testkit.load "examples/reminder.lua"
  t:from("ana"):say "remind 1h tea"
  t:expect("ana", "I will")
  t:expect("ana", "tea", "61m")
end)

lab("the calendar begins with 2030 wherever one lives", function(net)
  net:expect(os.date "%Y-%m-%d %H" == "2030-01-01 00", os.date())
end)

lab("settle waits for mail that was just sent", function(net)
  local ana, bob = net:line("ana", "bob"):nodes()
  net:settle()
  local m = ana:send(bob, "hello")
  net:settle()
  net:expect(m.state == "delivered", m.state)
end)

lab("a second connect waits for the second dial", function(net)
  local ana, bob = net:node "ana", net:node "bob"
  net:cut(ana, bob)
  net:expect(not ana:connect(bob))
  net:join(ana, bob)
  net:expect(ana:connect(bob))
end)

local function line_without_bob(net)
  local ana, bob = net:line("ana", "bob"):nodes()
  net:settle()
  bob:kill()
  net:run "1s"
  return ana, bob
end

lab("a message that a kill took before its promise is lost", function(net)
  local ana, bob = line_without_bob(net)
  local m = ana:send(bob, "lost")
  ana:restart()
  net:run "1m"
  net:expect(m.state == "lost", m.state)
end)

lab("whoever waits for a message that a kill took hears of it", function(net)
  local ana, bob = line_without_bob(net)
  local m = ana:send(bob, "lost")
  net:at(0.0001, function() ana:restart() end)
  local _, _, code = m:wait "queued"
  net:expect(code == "lost", code)
end)

--   n1 --- n2 --- n3 --- n4 --- n5 --- n6     each asks everyone at the moment it hears of them
lab("who asks at once is answered", function(net)
  local asked, answered = 0, 0
  for _, n in ipairs(net:line(6)) do
    n:serve("time", {}, function() return 7 end)
    n:on("peer:up", function(peer)
      asked = asked + 1
      local value, why = n:request(peer.peer, "time", {}, { timeout = "3s" })
      if value == 7 then answered = answered + 1 else print(("%s asked %s: %s"):format(n.name, peer.name, why)) end
    end)
  end
  net:settle()
  for i = 1, 5 do
    net:cut("n" .. i, "n" .. i + 1)
    net:run "5s"
    net:heal()
    net:run "10s"
  end
  net:expect(asked > 60 and answered == asked, ("%d of %d"):format(answered, asked))
end)

--   ana --- bob --- cid --- ana     and without the side between ana and cid
lab("a route event tells the way there was before", function(net)
  local ana, bob, cid = net:ring("ana", "bob", "cid"):nodes()
  net:settle()
  local seen = {}
  ana:on("route", function(e) seen[#seen + 1] = { e.peer, e.via or "none", e.old or "none" } end)
  net:cut(ana, cid)
  net:settle()
  net:cut(ana, bob)
  net:settle()
  local told = {}
  for _, e in ipairs(seen) do told[table.concat(e, " ")] = true end
  net:expect(#seen == 3, #seen)
  net:expect(told[table.concat({ cid.id, bob.id, cid.id }, " ")], "bob takes cid's place")
  net:expect(told[table.concat({ bob.id, "none", bob.id }, " ")], "no way to bob")
  net:expect(told[table.concat({ cid.id, "none", bob.id }, " ")], "no way to cid")
end)

for _, what in ipairs { "join", "heal", "restart" } do
  lab("settle waits for the dial that comes long after a " .. what, function(net)
    local ana, bob = net:line("ana", "bob"):nodes()
    net:settle()
    if what == "restart" then ana:kill() else net:cut(ana, bob) end
    net:run "5m"
    if what == "restart" then ana:restart() elseif what == "join" then net:join(ana, bob) else net:heal() end
    net:expect(net:settle() > 0)
    net:expect(#ana:links() == 1, "no link")
  end)
end

lab("settle waits for nobody who is away", function(net)
  local ana, bob, cid = net:ring("ana", "bob", "cid"):nodes()
  net:settle()
  bob:kill()
  net:cut(ana, cid)
  net:run "5m"
  net:settle "3s"
  bob:start()
  bob:hook("accept", function() return false end)
  net:settle()
  net:settle "3s"
end)

--   ana --- bob --- cid     and cid is gone, but the way to it is silent: bob has not noticed
lab("a route to a node that does not run is not true", function(net)
  local _, bob, cid = net:line("ana", "bob", "cid"):nodes()
  net:settle()
  net:expect(net:routes_are_true())
  net:cut(bob, cid, { silent = true })
  cid:kill()
  local ok, why = net:routes_are_true()
  net:expect(not ok and why:find " to cid is", why)
  net:run "1m"
  net:expect(net:routes_are_true())
end)

lab("whoever was met while the disk failed is kept once it is well", function(net)
  local ana, bob = net:node "ana", net:node "bob"
  net:settle()
  ana:disk { fails = true }
  ana:send(ana, "what shows that it fails")
  net:run "1s"
  ana:dial(bob)
  net:run "5s"
  ana:disk {}
  net:run "8s" -- the store tries again after 5 s, the book a second later
  ana:kill()
  net:cut(ana, bob)
  ana:start()
  net:expect(ana:resolve "bob" == bob.id)
end)

lab("each node has stores of its own", function(net)
  local ana, bob = net:line("ana", "bob", { script = "tests/lab/bots/keeper.lua" }):nodes()
  net:settle()
  for i = 1, 3 do net:expect(ana:request(bob, "keep", { text = "bread" }) == i) end
  net:expect(bob:request(ana, "keep", { text = "salt" }) == 1)
end)
