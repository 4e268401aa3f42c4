-- clock_client.lua -- asks every peer that comes up for its time, and says how far its clock is off.
-- moth --connect HOST:PORT --load examples/clock_client.lua

node:on("peer:up", function(peer)
  local before = os.time()
  local time, why, code = node:request(peer.peer, "time", {}, { timeout = "3s" })
  if time then
    print(("%s: its clock differs by %d s"):format(peer.name, time - before))
  elseif code ~= "no_service" then
    log.warn(peer.name, why)
  end
end)
