-- pieces.lua -- listens on port 7000 and counts how many pieces it reads, and the bytes in them; told to, it writes
-- something to another one.

local pieces, bytes = 0, 0

moth.tcp.listen("0.0.0.0:7000", function(connection)
  for piece in function() return connection:read() end do pieces, bytes = pieces + 1, bytes + #piece end
end)

node:serve("pieces", function() return { pieces = pieces, bytes = bytes } end)

node:serve("write", function(data)
  local connection = assert(moth.tcp.connect(data.address))
  assert(connection:write(("x"):rep(data.bytes)))
  connection:close()
end)
