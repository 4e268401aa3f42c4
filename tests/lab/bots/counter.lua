-- counter.lua -- counts what it hears in every way there is: in its memory, handed on at a reload, and on the disk.

local heard = 0
local handed_on = 0
local kept = node:kv("counter")

script.save = function() return handed_on end
script.restore = function(value) handed_on = value end

node:hear("^count$", function()
  heard, handed_on, kept.heard = heard + 1, handed_on + 1, (kept.heard or 0) + 1
  return ("%d %d %d"):format(heard, handed_on, kept.heard)
end)

node:hear("^count and fail$", function()
  kept.heard = 1000
  error "on purpose"
end)

node:on("stop", function() kept.stops = (kept.stops or 0) + 1 end)
