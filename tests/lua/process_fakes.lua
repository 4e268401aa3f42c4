--- A wire for the specs of labs of processes: what core.tcp gives, as plain tables, and what is at its far ends.

local fakes = { news = {}, servers = {}, dialled = {} }

local function notice(object)
  fakes.news[#fakes.news + 1] = object
end

--- One end of a connection. `gets` puts bytes into it, `ends` ends it from the far side.
function fakes.stream(state)
  local s = { now = state, came = "", sent = "" }
  function s:state()
    if self.now == "open" or self.now == "opening" then return self.now end
    return nil, "it ended", self.now
  end
  function s:take(least, most)
    if #self.came == 0 or #self.came < least and self.now == "open" then return nil end
    local part = self.came:sub(1, most)
    self.came = self.came:sub(#part + 1)
    return part
  end
  function s:write(bytes)
    if self.now ~= "open" then return nil, "it ended", self.now end
    self.sent = self.sent .. bytes
    return true
  end
  function s:is_slow() return false end
  function s:address() return "127.0.0.1:9" end
  function s:close() self.now = "closed" end
  function s:gets(bytes)
    self.came = self.came .. bytes
    notice(self)
  end
  function s:opens()
    self.now = "open"
    notice(self)
  end
  function s:ends()
    self.now = "closed"
    notice(self)
  end
  return s
end

fakes.tcp = {
  listen = function()
    if fakes.refuses then return nil, "a limit is reached", "full" end
    local server = { waiting = {} }
    local address = "127.0.0.1:" .. 1000 + #fakes.servers
    function server:address() return address end
    function server:accept() return table.remove(self.waiting, 1) end
    function server:close() self.is_closed = true end
    fakes.servers[#fakes.servers + 1] = server
    return server
  end,
  connect = function(address)
    local s = fakes.stream "opening"
    s.dialled = address
    fakes.dialled[#fakes.dialled + 1] = s
    return s
  end,
  next = function() return table.remove(fakes.news, 1) end,
}

--- Somebody connects to the latest server, or to another one: the end that the server gets.
function fakes.arrive(server)
  local s = fakes.stream "open"
  server = server or fakes.servers[#fakes.servers]
  server.waiting[#server.waiting + 1] = s
  notice(server)
  return s
end

function fakes.reset()
  fakes.news, fakes.servers, fakes.dialled, fakes.refuses = {}, {}, {}, nil
end

return fakes
