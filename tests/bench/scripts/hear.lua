-- Counts what it hears, and says how much that is after every 256th.
local count = 0

node:hear("^a hundred bytes", function(msg)
  count = count + 1
  if count % 256 == 0 then node:emit(msg.from, "ack", count) end
end)
