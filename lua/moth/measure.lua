--- Figures of a simulated network: as a table whose fields stand for themselves, as text, CSV and JSON; and the network
-- as a graph.

local core = require "moth.core"
local format = require "moth.format"
local json = require "moth.json"

local world = core.lab

local measure = {}

-- In this order everywhere.
local FIELDS = { "nodes", "links", "virtual_s", "bytes", "control_bytes", "control_share", "control_bytes_per_node",
  "adverts", "sent", "received", "deliveries_most", "convergence_s", "stretch", "delivery_p50_s", "delivery_p90_s",
  "delivery_p99_s", "delivery_max_s" }

local UNITS = { virtual_s = "s", convergence_s = "s", delivery_p50_s = "s", delivery_p90_s = "s", delivery_p99_s = "s",
  delivery_max_s = "s", bytes = "bytes", control_bytes = "bytes", control_bytes_per_node = "bytes" }

local class = {}
class.__index = class
class.__metatable = "measure"

local function shown(value)
  if math.type(value) == "integer" then return tostring(value) end
  return ("%.6g"):format(value)
end

function class.__tostring(self)
  local lines = {}
  for _, name in ipairs(FIELDS) do
    lines[#lines + 1] = ("%-24s %s%s"):format(name, shown(self[name]), UNITS[name] and " " .. UNITS[name] or "")
  end
  return table.concat(lines, "\n")
end

--- Two lines: the names and the figures.
---@return string
function class:csv()
  local values = {}
  for i, name in ipairs(FIELDS) do values[i] = shown(self[name]) end
  return table.concat(FIELDS, ",") .. "\n" .. table.concat(values, ",") .. "\n"
end

---@return string
function class:json()
  local values = {}
  for _, name in ipairs(FIELDS) do values[name] = self[name] end
  return assert(json.encode(values))
end

-- What the processes count that run, and what those counted that are gone.
local function add_status(sums, status)
  sums.bytes = sums.bytes + status.bytes_out
  sums.messages = sums.messages + status.message_bytes_out
  sums.adverts = sums.adverts + status.adverts_out
  sums.sent = sums.sent + status.messages_sent
  sums.links = sums.links + status.links
end

---@param net net
---@return table
function measure.take(net)
  local sums, figures, running = { bytes = 0, messages = 0, adverts = 0, sent = 0, links = 0 }, world.figures(), 0
  add_status(sums, world.spent())
  for _, node in ipairs(net.nodes) do
    if node.is_running then
      add_status(sums, world.status(node.machine))
      running = running + 1
    end
  end
  local control = sums.bytes - sums.messages
  return setmetatable({
    nodes = running,
    links = sums.links // 2,
    virtual_s = world.now(),
    bytes = sums.bytes,
    control_bytes = control,
    control_share = sums.bytes > 0 and control / sums.bytes or 0,
    control_bytes_per_node = running > 0 and control // running or 0,
    adverts = sums.adverts,
    sent = sums.sent,
    received = figures.received,
    deliveries_most = figures.most_deliveries,
    convergence_s = math.max(0, figures.routed - figures.disturbed),
    stretch = figures.shortest > 0 and figures.hops / figures.shortest or 1,
    delivery_p50_s = world.quantile(500),
    delivery_p90_s = world.quantile(900),
    delivery_p99_s = world.quantile(990),
    delivery_max_s = world.quantile(1000),
  }, class)
end

---@param net net
---@return string
function measure.dot(net)
  local lines = { ("graph %s {"):format(format.dot_string(net.name)) }
  for _, node in ipairs(net.nodes) do
    lines[#lines + 1] = ("  %s%s;"):format(format.dot_string(node.name), node.is_running and "" or " [style=dashed]")
  end
  for _, edge in ipairs(world.edges(#net.nodes)) do
    local one, other = net.nodes[edge[1] + 1], net.nodes[edge[2] + 1]
    lines[#lines + 1] = ("  %s -- %s;"):format(format.dot_string(one.name), format.dot_string(other.name))
  end
  lines[#lines + 1] = "}"
  return table.concat(lines, "\n") .. "\n"
end

return measure
