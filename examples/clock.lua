-- clock.lua -- a service: what time it is here, in seconds since 1970 or written out.
-- moth --load examples/clock.lua; examples/clock_client.lua asks it

node:serve("time", { format = "string?" }, function(data)
  local now = os.time()
  if not data.format then return now end
  return os.date(data.format, now)
end)
