--- The ways between the nodes of a lab that are processes: each dial goes through here, where it can be cut.
--
-- For each pair, in the direction in which it is dialled, there is a server; what comes to it is passed on to the node
-- meant, wherever that listens by now. Bytes from one node to another are a flow, whoever dialled:
--
--   open     they pass
--   closed   both ends see their connections close, and whoever dials is turned away
--   held     connections stay and nothing comes through, as over a dead router, not even their end; a new one is
--            accepted and waits, for both its flows have to be open

local signal = require "moth.signal"
local task = require "moth.task"
local tcp = require "moth.tcp"

local ways = {}
ways.__index = ways

local ANY_PORT = "127.0.0.1:0"

---@class ways
---@field private owner task.owner           of all tasks and connections here
---@field private flows table<string, table> by "FROM>TO": a state, and the connections that are open, by their numbers
---@field private servers table<string, table>

---@param owner task.owner
---@return ways
function ways.new(owner)
  return setmetatable({ owner = owner, tcp = tcp.for_owner(owner), flows = {}, servers = {}, last = 0,
    changes = signal.new() }, ways)
end

local function key_of(from, to)
  return from.name .. ">" .. to.name
end

local function flow_of(self, from, to)
  local key = key_of(from, to)
  self.flows[key] = self.flows[key] or { state = "open", links = {} }
  return self.flows[key]
end

-- Waits while it is held. False: it is closed.
local function may_pass(self, flow)
  while flow.state == "held" do self.changes:wait(flow) end
  return flow.state == "open"
end

-- --- one connection ---

local function pass_on(self, flow, from, to)
  while true do
    local bytes = from:read()
    if not (may_pass(self, flow) and bytes and to:write(bytes)) then return end
  end
end

local link_class = {
  __close = function(link)
    link.near:close()
    link.far:close()
    link.there.links[link.number], link.back.links[link.number] = nil, nil
  end,
}

local function join_ends(self, near, far, there, back)
  self.last = self.last + 1
  local link <close> = setmetatable({ number = self.last, near = near, far = far, there = there, back = back },
    link_class)
  there.links[link.number], back.links[link.number] = link, link
  task.start(self.owner, function()
    pass_on(self, back, far, near)
    near:close()
    far:close()
  end)
  pass_on(self, there, near, far)
end

local function serve(self, near, from, to)
  local there, back = flow_of(self, from, to), flow_of(self, to, from)
  local may = may_pass(self, there) and may_pass(self, back)
  local far = may and to.address and self.tcp.connect(to.address)
  if not far then return near:close() end
  join_ends(self, near, far, there, back)
end

-- --- for the network ---

--- What `from` has to dial to reach `to`.
---@return string? address, string? why
function ways:address(from, to)
  local key = key_of(from, to)
  if not self.servers[key] then
    local server, why, code = self.tcp.listen(ANY_PORT, function(near) serve(self, near, from, to) end)
    if code == "full" then why = "processes have some sixty ways at most; the simulated network has no such limit" end
    if not server then return nil, ("no way from %s to %s can be made: %s"):format(from.name, to.name, why) end
    self.servers[key] = server
  end
  return self.servers[key].address
end

--- What becomes of bytes from the one to the other.
---@param state "open"|"closed"|"held"
function ways:set(from, to, state)
  local flow = flow_of(self, from, to)
  flow.state = state
  if state == "closed" then
    for _, link in pairs(flow.links) do
      link.near:close()
      link.far:close()
    end
  end
  self.changes:raise(flow)
end

--- All flows are open again.
function ways:open_all()
  for _, flow in pairs(self.flows) do
    flow.state = "open"
    self.changes:raise(flow)
  end
end

return ways
