-- troubles.lua -- what goes wrong in the soak, by chance. What mends stands in the list as often as what breaks, so
-- that there is life between the troubles.

local troubles = {}

local function maybe()
  return math.random(2) == 1
end

-- --- power ---

local function power_goes(soak)
  local m = soak:any()
  m:kill()
  if math.random(3) == 1 then m:start() end
end

-- The moments around a commit and a receipt are the ones that count; a slow disk makes them long.
local function power_goes_after_mail(soak)
  local from, to = soak:any(), soak:any()
  local window = 0.016
  if maybe() and not to.is_ill then
    window = math.random() * 0.5
    to:disk { slow = window }
  end
  for _ = 1, math.random(6) do soak:send(from, to) end
  soak.net:run(math.random() * window * 2)
  local m = maybe() and from or to
  m:kill()
  if maybe() then m:start() end
end

-- On and off, and on.
local function power_flickers(soak)
  local m = soak:any()
  for _ = 1, math.random(4) do
    m:kill()
    soak.net:run(math.random() * 0.3)
    m:start()
    soak.net:run(math.random() * math.random() * 2)
  end
end

local function somebody_leaves(soak)
  local m = soak:any()
  if m.node.is_running then m.node:stop() end
end

local function somebody_comes_back(soak)
  local m = soak:any(function(one) return not one.node.is_running end)
  if m then m:start() end
end

local function all_come_back(soak)
  for _, m in ipairs(soak.machines) do
    if not m.has_left then m:start() end
  end
end

local function freeze(soak)
  soak:any():freeze()
end

local function thaw_all(soak)
  for _, m in ipairs(soak.machines) do m:thaw() end
end

-- Only ever back: time ahead costs mail of its life.
local function clock_jumps(soak)
  soak:any():turn_back(math.random(86400))
end

-- --- ways ---

local CUTS = { {}, { silent = true }, { silent = true }, { oneway = true } }

local function cut_a_way(soak)
  local edge = soak:any_edge()
  local turned = maybe()
  soak.net:cut(turned and edge[2] or edge[1], turned and edge[1] or edge[2], CUTS[math.random(#CUTS)])
end

local function join_a_way(soak)
  local edge = soak:any_edge()
  soak.net:join(edge[1], edge[2])
end

local function part(soak)
  local one, other = {}, {}
  for _, m in ipairs(soak.machines) do
    local side = maybe() and one or other
    side[#side + 1] = m.node
  end
  soak.net:partition(one, other, { silent = maybe() })
end

local function heal(soak)
  soak.net:heal()
end

local function change_a_way(soak)
  local edge = soak:any_edge()
  soak.net:way(edge[1], edge[2], soak.draw_way())
end

local function read_slowly(soak)
  soak:any().node:read_rate(math.random(5000, 50000))
end

local function lose_adverts(soak)
  soak:any().node:lose(math.random(0, 300))
end

-- --- disks ---

local function disk_is_full(soak)
  soak:any():disk { room = math.random(0, 65536) }
end

local function disk_fails(soak)
  soak:any():disk { fails = true }
end

local function disk_is_slow(soak)
  soak:any():disk { slow = math.random() * 0.8 }
end

local function disks_get_well(soak)
  for _, m in ipairs(soak.machines) do
    if maybe() then m:disk() end
  end
end

-- --- all of them ---

local LIST = { power_goes, power_goes, power_goes_after_mail, power_goes_after_mail, power_goes_after_mail,
  power_flickers, power_flickers, somebody_leaves, somebody_comes_back, somebody_comes_back, somebody_comes_back,
  somebody_comes_back, somebody_comes_back, all_come_back, freeze, thaw_all, clock_jumps, cut_a_way, cut_a_way,
  join_a_way, join_a_way, part, heal, change_a_way, read_slowly, lose_adverts, disk_is_full, disk_fails, disk_is_slow,
  disks_get_well, disks_get_well }

--- One of them. (waits)
function troubles.one(soak)
  LIST[math.random(#LIST)](soak)
end

return troubles
