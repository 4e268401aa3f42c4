-- partition.lua -- a network falls into two halves and grows together again. Mail for the other half waits; nothing is
-- lost, and nothing comes twice.
-- moth lab examples/lab/partition.lua
--
--   ana --- bob --- eva --- kim --- lea --- max
--    `---------------------------------------'

lab("mail waits for the other half of a partition", function(net)
  local ring = net:ring("ana", "bob", "eva", "kim", "lea", "max")
  net:settle()
  net:partition({ "ana", "bob", "eva" }, { "kim", "lea", "max" })
  local letter = ring[1]:send("kim", "are you there?")
  net:run("30s")
  net:expect(net:routes_are_true())
  net:expect(not ring[1]:peer("kim").up, "ana reaches somebody beyond the cut")
  net:expect(letter.state == "carried", "no neighbour keeps the letter for kim")
  net:heal()
  net:expect(letter:wait("delivered", "1m"))
  net:expect(net:settle("2m") < 60, "the halves take too long to know each other again")
  net:expect(net:measure().links == 6 and net:routes_are_true())
  net:expect(net:max_deliveries() <= 1, "the letter came twice")
end)
