-- machine.lua -- a machine of the soak: a node of the lab, and what the soak did to it.
--
-- Some have no battery for their clock: at each start it begins at the same time again. Who starts may have something
-- to say at once.

local machine = {}
machine.__index = machine

local YEAR_SECONDS = 31536000
local DISK_WORDS = { "disk", "database", "writing", "permission" } -- why one may fail to start while its disk is ill

---@param soak table
---@param node lab_node
function machine.new(soak, node)
  local self = setmetatable({ soak = soak, node = node, name = node.name }, machine)
  self.has_battery = math.random(3) > 1
  self.clock = math.random(2) == 1 and math.random(-YEAR_SECONDS, YEAR_SECONDS) or 0
  if self.clock ~= 0 then node:clock(self.clock) end
  node:on("state", function(m) soak.ledger:told(node, m) end)
  node:on("message:text", function(msg) self:take(msg) end)
  return self
end

-- Some messages are answered, and some take their time: whoever loses power meanwhile gets them again.
function machine:take(msg)
  local soak = self.soak
  soak.ledger:came(self.node, msg)
  if math.random(10) == 1 then soak.task.sleep(math.random() * 3) end
  if math.random(10) == 1 and soak.is_live then soak.ledger:send(self.node, soak:any().node) end
end

function machine:is_awake()
  return self.node.is_running and not self.is_frozen
end

-- --- power ---

--- Power goes, unless it has gone already.
function machine:kill()
  if not self.node.is_running then return end
  self.soak:look_at(self)
  self.soak.kills = self.soak.kills + 1
  self.node:kill()
end

--- Its clock is set back.
function machine:turn_back(seconds)
  self.clock = self.clock - seconds
  self.node:clock(self.clock)
end

-- Without a battery it begins at the same time whenever the power comes back.
local function reset_clock(self)
  if not self.has_battery then self.node:clock(self.clock - self.soak.net:measure().virtual_s) end
end

local function is_disk_trouble(why)
  for _, word in ipairs(DISK_WORDS) do
    if why:find(word, 1, true) then return true end
  end
end

--- Power is back. Only an ill disk keeps it from starting.
function machine:start()
  if self.node.is_running then return end
  self:thaw()
  reset_clock(self)
  local ok, why = pcall(self.node.start, self.node)
  if not ok and not (self.is_ill and is_disk_trouble(why)) then error(why, 0) end
  if ok and math.random(2) == 1 then self.soak.ledger:send(self.node, self.soak:any().node) end
end

function machine:freeze()
  if not self.node.is_running then return end
  self.is_frozen = true
  self.node:freeze()
end

function machine:thaw()
  if not self.is_frozen then return end
  self.is_frozen = false
  self.node:thaw()
end

-- --- disk ---

function machine:disk(options)
  self.is_ill = options and not options.slow
  self.node:disk(options)
end

--- All that may be wrong with it is well again.
function machine:mend()
  self:disk()
  self.node:lose(0)
  self.node:read_rate()
  self:thaw()
end

return machine
