-- reminder.lua -- reminds people; what was promised survives a restart.
-- moth --load examples/reminder.lua; then, from another node: send NAME remind 10m look at the oven

node:job("remind", function(who, text)
  node:send(who, "reminder: " .. text)
end)

node:command("remind <after:duration> <text...>", { help = "reminds you of something" }, function(msg, after, text)
  local id, why = node:schedule(after, "remind", msg.from, text)
  if not id then return nil, why end
  return "I will"
end)
