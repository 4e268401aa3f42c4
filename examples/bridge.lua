-- bridge.lua -- lets plain TCP programs talk through this node, a line each: "TO TEXT" is sent, and every text that
-- arrives is written to all of them as "FROM TEXT".
-- moth --load examples/bridge.lua; then: nc 127.0.0.1 7000

local connected = {}

node:on("message:text", function(msg)
  local line = moth.frame.encode(msg.name .. " " .. (msg.text or ""):gsub("%c", " "), "line")
  for connection in pairs(connected) do connection:write(line) end
end)

local function forward(line)
  local to, text = line:match("^(%S+)%s+(.+)$")
  if not to then return "? write: TO TEXT" end
  local message, why = node:send(to, text)
  return message and "ok" or "? " .. why
end

assert(moth.tcp.listen("127.0.0.1:7000", function(connection)
  connected[connection] = true
  local lines = moth.frame.decoder("line", 4096)
  for bytes in function() return connection:read() end do
    local list, why = lines:feed(bytes)
    if not list then connection:write(moth.frame.encode("? " .. why, "line")) break end
    for _, line in ipairs(list) do connection:write(moth.frame.encode(forward(line), "line")) end
  end
  connected[connection] = nil
  connection:close()
end))
