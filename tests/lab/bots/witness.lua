-- witness.lua -- does in each life of its node what the lab wants to know of: counts the messages that it handled, and
-- says what it sees of the world around it.

local lives = node:kv("witness")

lives.count = (lives.count or 0) + 1

node:on("message:text", function(msg)
  task.sleep("100ms") -- so that a kill may come in between
  lives[#lives + 1] = msg.text .. (msg.redelivered and " again" or "")
end)

node:serve("time", function() return os.time() end)
node:serve("date", function() return os.date("!%Y-%m-%d") end)
node:serve("keys", function()
  local keys = {}
  for key in pairs { pear = 1, apple = 2, [3] = 3, fig = 4, [1] = 5 } do keys[#keys + 1] = tostring(key) end
  return table.concat(keys, " ")
end)
