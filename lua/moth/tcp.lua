--- TCP for scripts: servers and connections whose reading and writing look like calls.
--
-- Over core.tcp, where nothing waits: what arrived, opened, ended or drained comes from its queue at the end of a turn
-- (tcp.turn), and wakes the tasks that wait for it. Everything belongs to the owner that made it and is closed with it.
-- A connection that nobody holds any more is closed when it is collected; a server stays until it is closed.

local core = require "moth.core"
local task = require "moth.task"

local tcp = {}

local CONNECT_US = 30000000
local READ_MAX = 1 << 20 -- what the node keeps of a connection that nobody reads

---@class tcp.inner what is behind a connection
---@field raw userdata
---@field reader table?     the task that reads or connects
---@field writers table[]   tasks that wait until what they wrote has left
---@field release table     to be closed when the reader has done waiting

local inners = setmetatable({}, { __mode = "k" }) -- of connections and servers, which show nothing
local connections = setmetatable({}, { __mode = "k" }) -- by what core.tcp calls them
local servers = {} -- the same; these stay
local networks = {} -- what is like core.tcp, for others than the program's own node
local held = {} -- connections of lab nodes, until they are closed: when garbage goes is no part of a run
local owned = {} -- by owner: its servers and, weakly, its connections, in the order they came

-- --- what belongs to whom ---

local function belongings(owner)
  local mine = owned[owner]
  if not mine then
    mine = { last = 0, servers = {}, connections = setmetatable({}, { __mode = "v" }) }
    owned[owner] = mine
  end
  return mine
end

local function add(owner, kind, object)
  local mine = belongings(owner)
  mine.last = mine.last + 1
  mine[kind][mine.last] = object
  return mine.last
end

-- The objects of a list with gaps, held from here on.
local function in_order(list)
  local entries = {}
  for place, object in pairs(list) do entries[#entries + 1] = { place = place, object = object } end
  table.sort(entries, function(a, b) return a.place < b.place end)
  return entries
end

local function check(value, kind, n, what)
  if type(value) == kind then return end
  error(("bad argument #%d to %s (%s expected, got %s)"):format(n, what, kind, type(value)), 3)
end

local function inner_of(object, what)
  local inner = inners[object]
  if not inner then error(what .. " is called with a colon", 3) end
  return inner
end

-- --- connections ---

local function wake_all(inner)
  local reader, writers = inner.reader, inner.writers
  inner.writers = {}
  if reader then task.wake(reader) end
  for _, writer in ipairs(writers) do task.wake(writer) end
end

local function close(inner)
  held[inner.raw] = nil
  inner.raw:close()
  wake_all(inner)
end

-- Asks again and again until there is something, or nothing can come any more. One task at a time, or each would get
-- a part of it.
local function read(inner, ask, a, b)
  if inner.reader then return nil, "another task reads from this connection", "busy" end
  local release <close> = inner.release
  while true do
    local value, why, code = ask(inner.raw, a, b)
    if value or why then return value, why, code end
    local is_there, ended, end_code = inner.raw:state()
    if not is_there then return nil, ended, end_code end
    inner.reader = task.running()
    task.park()
  end
end

local connection = {}

--- What has come, at least a byte of it; or exactly `n` bytes, fewer only at the end.
---@param n? integer  at most 1,048,576
---@return string? bytes, string? why, string? code  nil, why, "closed" at the end
function connection:read(n)
  local inner = inner_of(self, "connection:read")
  if n == nil then return read(inner, inner.raw.take, 1, READ_MAX) end
  if math.type(n) ~= "integer" or n < 1 or n > READ_MAX then
    error(("bad argument #1 to read (an integer from 1 to %d expected)"):format(READ_MAX), 2)
  end
  return read(inner, inner.raw.take, n, n)
end

--- The next line, without its end ("\n" or "\r\n"); at the end what is left is a line.
---@param max? integer  bytes, 65,536 unless given, at most 1,000,000
---@return string? line, string? why, string? code  too_big: it stays unread
function connection:read_line(max)
  local inner = inner_of(self, "connection:read_line")
  if max ~= nil and (math.type(max) ~= "integer" or max < 1 or max > 1000000) then
    error("bad argument #1 to read_line (an integer from 1 to 1000000 expected)", 2)
  end
  return read(inner, inner.raw.take_line, max)
end

--- Sends, and waits while the other end is slow to take it.
---@param bytes string
---@return true? ok, string? why, string? code  full: too much waits already, and none of this was taken
function connection:write(bytes)
  local inner = inner_of(self, "connection:write")
  check(bytes, "string", 1, "write")
  local ok, why, code = inner.raw:write(bytes)
  if not ok then return nil, why, code end
  while inner.raw:is_slow() do
    inner.writers[#inner.writers + 1] = task.running()
    task.park()
  end
  local is_there, ended, end_code = inner.raw:state()
  if not is_there then return nil, ended, end_code end
  return true
end

--- Ends it; what was written is still sent. A second time is fine.
function connection:close()
  close(inner_of(self, "connection:close"))
end

local connection_class = {
  __metatable = "connection",
  __tostring = function(self) return "connection " .. inners[self].raw:address() end,
  __index = function(self, key)
    if key == "address" then return inners[self].raw:address() end
    return connection[key]
  end,
}

local releaser = { __close = function(release) release.inner.reader = nil end }

local function new_connection(owner, raw)
  local self = setmetatable({}, connection_class)
  local inner = { raw = raw, writers = {} }
  inner.release = setmetatable({ inner = inner }, releaser)
  inners[self], connections[raw] = inner, self
  if owner.tcp then held[raw] = self end
  add(owner, "connections", self)
  return self, inner
end

-- The network of the owner's machine.
local function network_of(owner)
  return owner.tcp or core.tcp
end

-- --- connecting ---

local give_up = { __close = function(attempt)
  if not attempt.is_kept then close(attempt.inner) end
end }

local function connect(owner, address)
  check(address, "string", 1, "connect")
  local network = network_of(owner)
  if not network then return nil, "there is no network here", "not_found" end
  local raw, no, no_code = network.connect(address)
  if not raw then return nil, no, no_code end
  local self, inner = new_connection(owner, raw)
  local attempt <close> = setmetatable({ inner = inner }, give_up)
  local release <close> = inner.release
  local until_us, timeout = core.now() + CONNECT_US, nil
  while timeout ~= "timeout" do
    local state, why, code = raw:state()
    if not state then return nil, why, code end
    if state == "open" then
      attempt.is_kept = true
      return self
    end
    inner.reader = task.running()
    timeout = select(2, task.park(until_us))
  end
  return nil, "no answer in time", "timeout"
end

-- --- servers ---

local closer = { __close = function(guard, why)
  if why ~= nil then close(guard.inner) end
end }

-- A handler that failed leaves nobody to close its connection.
local function serve(self, inner, fn)
  local guard <close> = setmetatable({ inner = inner }, closer)
  fn(self)
end

local function accept_all(server)
  for raw in function() return server.raw:accept() end do
    local self, inner = new_connection(server.owner, raw)
    if not task.start(server.owner, serve, self, inner, server.fn) then close(inner) end
  end
end

local function close_server(inner)
  inner.is_closed = true
  if not inner.raw then return end
  inner.raw:close()
  servers[inner.raw] = nil
  local mine = owned[inner.owner]
  if mine then mine.servers[inner.place] = nil end
end

local server_methods = {}

--- Takes no more connections; those that are there stay. A second time is fine.
function server_methods:close()
  close_server(inner_of(self, "server:close"))
end

local server_class = {
  __metatable = "server",
  __tostring = function(self) return "server " .. inners[self].address end,
  __index = function(self, key)
    if key == "address" then return inners[self].address end
    return server_methods[key]
  end,
}

local function open_server(inner, raw)
  inner.raw, inner.address, servers[raw] = raw, raw:address(), inner
  inner.place = add(inner.owner, "servers", inner)
end

-- The server at that address of the script which this one is to replace.
local function find_predecessor(owner, address)
  local old = owner.script and owner.script.old
  local mine = old and owned[old.owner]
  for _, inner in pairs(mine and mine.servers or {}) do
    if inner.asked == address then return inner end
  end
end

-- As soon as that one is gone.
local function open_in_its_place(inner)
  inner.owner.script:when_running(function()
    if inner.is_closed then return end
    local raw, why = network_of(inner.owner).listen(inner.asked)
    if not raw then error(("cannot listen on %s: %s"):format(inner.asked, why), 0) end
    open_server(inner, raw)
  end)
end

local function listen(owner, address, fn)
  check(address, "string", 1, "listen")
  check(fn, "function", 2, "listen")
  local network = network_of(owner)
  if not network then return nil, "there is no network here", "not_found" end
  local raw, why, code = network.listen(address)
  local before = not raw and find_predecessor(owner, address)
  if not raw and not before then return nil, why, code end
  local self = setmetatable({}, server_class)
  local inner = { owner = owner, fn = fn, asked = address }
  inners[self] = inner
  if raw then
    open_server(inner, raw)
  else
    inner.address = before.address
    open_in_its_place(inner)
  end
  return self
end

-- --- for the rest of the program ---

local function tell_news(network)
  for raw in network.next do
    local server, self = servers[raw], connections[raw]
    if server then accept_all(server)
    elseif self then wake_all(inners[self]) end
  end
end

--- What happened since the last turn, told to those who wait for it. Called at the loop's level, before tasks.
function tcp.turn()
  if core.tcp then tell_news(core.tcp) end
  for _, network in ipairs(networks) do tell_news(network) end
end

--- A network of its own for some owners, whose field `tcp` it becomes.
function tcp.add_network(network)
  networks[#networks + 1] = network
end

--- The table moth.tcp of a script.
---@param owner table
---@param check_owner? fun()  an error when the owner may make nothing new
function tcp.for_owner(owner, check_owner)
  return {
    listen = function(address, fn)
      if check_owner then check_owner() end
      return listen(owner, address, fn)
    end,
    connect = function(address)
      if check_owner then check_owner() end
      return connect(owner, address)
    end,
  }
end

--- Closes all servers and connections of an owner, which ends.
---@param owner table
function tcp.close_all(owner)
  local mine = owned[owner]
  if not mine then return end
  for _, entry in ipairs(in_order(mine.servers)) do close_server(entry.object) end
  for _, entry in ipairs(in_order(mine.connections)) do close(inners[entry.object]) end
  owned[owner] = nil
end

return tcp
