-- asker.lua -- asks back before it greets.

node:hear("^hi$", function(msg)
  local name, why = msg:ask "who are you"
  return name and "hello " .. name or why
end)
