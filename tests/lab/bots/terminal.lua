-- terminal.lua -- a program that talks plain TCP, as a bot: told "dial" it connects to port 7000 of its machine, what
-- comes as data of the type line is written there, and whatever it reads goes to whoever dialled.

local connection

node:on("message:dial", function(msg)
  connection = assert(moth.tcp.connect("127.0.0.1:7000"))
  for line in function() return connection:read_line() end do node:send(msg.from, line, { type = "line" }) end
end)

node:on("message:line", function(msg)
  connection:write(msg.data .. "\n")
end)

node:on("message:hang_up", function()
  connection:close()
end)
