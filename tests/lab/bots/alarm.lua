-- alarm.lua -- schedules and takes back jobs, as it is told.

node:job("ring", function(who, text)
  node:send(who, text)
end)

node:command("in <after:duration> <text...>", function(msg, after, text)
  return node:schedule(after, "ring", msg.from, text)
end)

node:command("at <epoch:number> <text...>", function(msg, epoch, text)
  return node:schedule(epoch, "ring", msg.from, text)
end)

node:command("forget <id:integer>", function(_, id)
  local ok, why = node:unschedule(id)
  return ok and "forgotten" or why
end)
