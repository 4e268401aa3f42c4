-- echo.lua -- says again what it is told.
-- moth --load examples/echo.lua; then, from another node: send NAME hello

node:hear("", function(msg)
  return msg.text
end)
