--- What the way between two machines is like, read from a lab file: a time span for a fixed latency, or a table
-- {latency = DUR, spread = DUR, kind = "uniform" | "normal", jitter = DUR, rate = bytes a second, oneway = boolean}.

local core = require "moth.core"

local world = core.lab

local KEYS = { latency = true, spread = true, kind = true, jitter = true, rate = true, oneway = true }
local KINDS = { fixed = true, uniform = true, normal = true }
local LATENCY = 0.001

local way = {}

local function seconds(value, name)
  if value == nil then return 0 end
  local span, why = core.seconds(value)
  if not span then error(("%s: %s"):format(name, why), 4) end
  if not (span >= 0 and span <= 3600) then error(name .. " is from 0 to an hour", 4) end
  return span
end

local function read(options)
  if type(options) ~= "table" then options = { latency = options } end
  for key in pairs(options) do
    if not KEYS[key] then
      error(("a way has no %s; there are latency, spread, kind, jitter, rate and oneway"):format(tostring(key)), 3)
    end
  end
  local spread = seconds(options.spread, "spread")
  local kind = options.kind or (spread > 0 and "uniform" or "fixed")
  if not KINDS[kind] then error('the kind of a way is "fixed", "uniform" or "normal"', 3) end
  local rate = options.rate or 0
  if math.type(rate) ~= "integer" or rate < 0 then error("rate is a whole number of bytes a second", 3) end
  return { kind = kind, latency = options.latency == nil and LATENCY or seconds(options.latency, "latency"),
    spread = spread, jitter = seconds(options.jitter, "jitter"), rate = rate, oneway = options.oneway }
end

---@param options number|string|table
function way.set(from, to, options)
  local one = read(options)
  world.way(from, to, one)
  if not one.oneway then world.way(to, from, one) end
end

function way.set_default(options)
  world.default_way(read(options))
end

return way
