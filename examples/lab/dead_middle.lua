-- dead_middle.lua -- two nodes of a ring die, without a goodbye: mail takes the long way round.
-- moth lab examples/lab/dead_middle.lua
--
--   ana --- bob --- eva --- kim      bob and eva die: kim, who was three links
--    |                       |       away from ana, is five links away now
--   zoe --- max --- lea --- jan

lab("mail takes the long way round a dead middle", function(net)
  local ring = net:ring("ana", "bob", "eva", "kim", "jan", "lea", "max", "zoe")
  local ana, bob, eva, kim = ring:nodes("ana", "bob", "eva", "kim")
  local came = 0
  kim:on("message:text", function(msg) came = came + msg.hops end)
  net:settle()
  net:expect(ana:peer(kim).hops == 3, "the short way is not three links long")
  bob:kill()
  eva:kill()
  local letter = ana:send(kim, "by the long way, please")
  net:expect(letter:wait("delivered", "30s"))
  net:expect(came == 5, "it took another way")
  net:settle("10s")
  net:expect(net:routes_are_true())
end)
