-- limits.lua -- bounds that the soak once saw passed, by a few bytes.

--   ana --- bob --- eva      eva is away
lab("a carrier keeps no more bytes for others than it may", function(net)
  local limit = 5000
  local ana, bob, eva = net:line("ana", "bob", "eva", { config = { limits = { carried_bytes = limit } } }):nodes()
  net:settle()
  eva:kill()
  net:run("5s")
  local function leave(bytes)
    ana:send(eva, ("x"):rep(bytes))
    net:run("100ms")
    return bob:status().carried_bytes
  end
  local around = leave(1000) - 1000
  local kept = leave(1000)
  net:expect(kept == 2 * (1000 + around))
  net:expect(leave(limit - kept - around + 1) == kept, "it took one byte too many")
  net:expect(leave(limit - kept - around) == limit, "it did not take what it has room for")
end)

lab("a sender keeps no more bytes of mail than it may", function(net)
  local limit = 5000
  local ana, bob = net:line("ana", "bob", { config = { limits = { mail_bytes = limit } } }):nodes()
  net:settle()
  bob:kill()
  local function send(bytes)
    local m, _, code = ana:send(bob, ("x"):rep(bytes))
    net:expect(m or code == "full", code)
    return ana:status().mail_bytes
  end
  local around = send(1000) - 1000
  local kept = send(1000)
  net:expect(kept == 2 * (1000 + around))
  net:expect(send(limit - kept - around + 1) == kept, "it took one byte too many")
  net:expect(send(limit - kept - around) == limit, "it did not take what it has room for")
end)
