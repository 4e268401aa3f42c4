--- What the way between two machines is like, read from a lab file: a time span for a fixed latency, or a table
-- {latency = DUR, spread = DUR, kind = "uniform" | "normal", jitter = DUR, rate = bytes a second, oneway = boolean}.

local core = require "moth.core"
local given = require "moth.given"

local world = core.lab

local KEYS = { latency = true, spread = true, kind = true, jitter = true, rate = true, oneway = true }
local KINDS = { fixed = true, uniform = true, normal = true }
local LATENCY = 0.001

local way = {}

local function seconds(value, name)
  if value == nil then return 0 end
  local span = given.span(value, "the " .. name .. " of a way")
  if span > 3600 then given.refuse(("the %s of a way is an hour at most"):format(name)) end
  return span
end

local function read(options)
  if type(options) ~= "table" then options = { latency = given.span(options, "the latency of a way") } end
  given.options(options, KEYS, "a way")
  local spread = seconds(options.spread, "spread")
  local kind = options.kind or (spread > 0 and "uniform" or "fixed")
  if not KINDS[kind] then given.refuse('the kind of a way is "fixed", "uniform" or "normal"') end
  local rate = options.rate and given.whole(options.rate, "the rate of a way, bytes a second,", 1) or 0
  return { kind = kind, latency = options.latency == nil and LATENCY or seconds(options.latency, "latency"),
    spread = spread, jitter = seconds(options.jitter, "jitter"), rate = rate,
    oneway = given.switch(options.oneway, "oneway") }
end

--- An error at the line of who gave them, unless they are right.
---@param options number|string|table
function way.check(options)
  read(options)
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
