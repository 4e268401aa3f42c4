-- soak.lua -- a small network that sends durable mail while everything goes wrong, for a virtual hour.
-- moth lab --seeds 1000 tests/lab/soak.lua
--
-- Five to twenty machines in a shape drawn by chance. Storms of troubles (soak/troubles.lua) and long calms take turns;
-- what a storm broke stays broken through the calm. Before the last storm some send mail to those who are away, and
-- leave: what others said to carry for them must arrive without them. Then all is put right, the machines that left
-- come back, power goes everywhere once more, and
--
--   each promised message is in the inbox of its recipient, once, and none that nobody sent (soak/ledger.lua),
--   routes are those of the true graph, and every link that was asked for is there,
--   nothing grew beyond its limit, and nothing was refused for a reason that there was not,
--   the network is quiet.

local ledger = require "soak.ledger"
local machine = require "soak.machine"
local troubles = require "soak.troubles"
local verdict = require "soak.verdict"

local HOUR_SECONDS = 3600
local STEPS = 30 -- troubles in a storm

-- --- the network ---

local SHAPES = { "line", "ring", "star", "grid", "tree", "random", "random", "full" }
local COUNT_MAX = { full = 7 }

-- Small limits are reached, and what happens then is seen.
local function draw_limits()
  local limits = {}
  local function maybe(name, least, most)
    if math.random(3) == 1 then limits[name] = math.random(least, most) end
  end
  maybe("mail_memory", 1, 4000)
  maybe("in_flight", 1, 8)
  maybe("group", 1, 8)
  maybe("mail_bytes", 20000, 100000)
  maybe("carried_bytes", 10000, 50000)
  maybe("carried_per_depositor", 7000, 20000)
  maybe("inbox_per_sender", 7000, 20000)
  return limits
end

local KINDS = { "fixed", "uniform", "normal" }

local function draw_way()
  local latency = math.random(4) == 1 and math.random() * 0.3 or math.random() * 0.005
  local kind = KINDS[math.random(#KINDS)]
  return { latency = latency, kind = kind, spread = kind ~= "fixed" and latency / 3 or nil,
    jitter = math.random() * latency, rate = math.random(3) == 1 and math.random(20000, 200000) or nil }
end

local function add_chords(nodes)
  for _ = 1, math.random(0, #nodes // 4) do
    local a, b = math.random(2, #nodes), math.random(#nodes)
    if b < a then nodes[a]:dial(nodes[b]) end
  end
end

local soak = { draw_way = draw_way, task = task }
soak.__index = soak

local function edges_of(nodes)
  local edges = {}
  for _, node in ipairs(nodes) do
    for _, other in ipairs(node.dials) do edges[#edges + 1] = { node, other } end
  end
  return edges
end

local function build(net)
  local shape = SHAPES[math.random(#SHAPES)]
  local self = setmetatable({ net = net, shape = shape, ledger = ledger.new(), machines = {}, kills = 0,
    is_live = true }, soak)
  local nodes = net[shape](net, math.random(5, COUNT_MAX[shape] or 20),
    { discover = math.random(3) == 1, config = { limits = draw_limits() } })
  add_chords(nodes)
  self.edges = edges_of(nodes)
  for i, node in ipairs(nodes) do self.machines[i] = machine.new(self, node) end
  for _, edge in ipairs(self.edges) do net:way(edge[1], edge[2], draw_way()) end
  if math.random(3) == 1 then net:split(math.random(1, 200)) end
  net:merge(math.random(2) == 1)
  return self
end

-- --- for troubles ---

--- Any machine that has not left; with `filter` one that it is true of, nil when there is none.
---@param filter? fun(m: table): boolean
function soak:any(filter)
  local first, count = math.random(#self.machines), #self.machines
  for i = first, first + count - 1 do
    local m = self.machines[(i - 1) % count + 1]
    if not m.has_left and (not filter or filter(m)) then return m end
  end
end

function soak:any_edge()
  return self.edges[math.random(#self.edges)]
end

function soak:send(from, to)
  if from:is_awake() then return self.ledger:send(from.node, to.node) end
end

-- A machine's figures end with its life.
function soak:look_at(m)
  verdict.look_at(self, m)
end

-- --- the hour ---

local function storm(self)
  for _ = 1, STEPS do
    for _ = 1, math.random(0, 3) do self:send(self:any(), self:any()) end
    troubles.one(self)
    verdict.look_at(self, self:any())
    self.net:run(math.random(5) == 1 and math.random() * 6 or math.random() * 0.4)
  end
end

local function calm(self, storms_left)
  local left = HOUR_SECONDS - self.net:measure().virtual_s
  if left > 0 then self.net:run(left / storms_left * (0.5 + math.random() / 2)) end
end

-- Mail for somebody who is away, and then its sender is away for good.
local function farewell(self)
  local leaver, to = self:any(), self:any()
  if leaver == to then return end
  leaver:mend()
  leaver:start()
  to:kill()
  self.net:run(3 + math.random() * 3)
  for _ = 1, math.random(10) do self:send(leaver, math.random(3) == 1 and self:any() or to) end
  self.net:run(math.random() * 5)
  verdict.note_carried(self, leaver)
  leaver:kill()
  leaver.has_left = true
end

local function live(self)
  local storms = math.random(2, 4)
  self.net:run(math.random() * 10)
  for left = storms, 1, -1 do
    if left == 1 then
      for _ = 1, math.random(0, 2) do farewell(self) end
    end
    storm(self)
    calm(self, left)
  end
  self.is_live = false
end

-- --- peace ---

local function put_right(self, with_all)
  self.net:heal()
  for _, m in ipairs(self.machines) do m:mend() end
  for _, m in ipairs(self.machines) do
    if with_all then m.has_left = false end
    if not m.has_left then m:start() end
  end
end

local function power_goes_everywhere(self)
  for _, m in ipairs(self.machines) do m:kill() end
  put_right(self, true)
end

lab("soak", { seeds = 10 }, function(net)
  local self = build(net)
  live(self)
  put_right(self, false)
  verdict.carried_has_come(self)
  put_right(self, true)
  verdict.is_settled(self)
  verdict.is_true(self)
  power_goes_everywhere(self)
  verdict.is_settled(self)
  verdict.is_true(self)
  verdict.is_quiet(self)
  verdict.promises_are_kept(self)
  print(("%-6s of %2d: %d sent, %d promised, %d carried for who left, %d told again, %d kills"):format(self.shape,
    #self.machines, #self.ledger.list, self.ledger.promised, self.ledger.left_behind, self.ledger.again, self.kills))
end)
