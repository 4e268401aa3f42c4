-- flapping_bridge.lua -- the only bridge between two rings comes and goes every second. Mail gets over it, once, and
-- when it holds again all is as if nothing had been.
-- moth lab examples/lab/flapping_bridge.lua
--
--   west: a ring of five, its n1 --- n6 of the east, a ring of five

lab("mail crosses a bridge that flaps", function(net)
  local west, east = net:ring(5), net:ring(5)
  west[1]:dial(east[1])
  net:settle()
  local letters = {}
  for round = 1, 30 do
    net:cut(west[1], east[1], { silent = round % 2 == 0 })
    letters[round] = west[3]:send(east[4], "letter " .. round)
    net:run("700ms")
    net:join(west[1], east[1])
    net:run("300ms")
  end
  for _, letter in ipairs(letters) do net:expect(letter:wait("delivered", "1m")) end
  net:expect(net:settle("2m") < 60, "it goes on flapping without a reason")
  net:expect(net:measure().links == 11 and net:routes_are_true())
  net:expect(net:max_deliveries() <= 1, "a letter came twice")
end)
