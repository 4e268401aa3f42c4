local helper = require "tests.lua.helper"
local core = require "moth.core"
local owners = require "moth.owner"
local task = require "moth.task"
local tcp = require "moth.tcp"

-- A wire that the specs turn by hand: what C would give, as plain tables.
local news, streams, listening = {}, {}, nil

local function fake_stream(state)
  local s = { now = state, came = "", sent = {}, slow = false, closed = 0 }
  function s:state()
    if self.now == "open" or self.now == "opening" then return self.now end
    return nil, "it ended", self.now
  end
  function s:take(least, most)
    local ended = self.now ~= "open"
    if #self.came == 0 or #self.came < least and not ended then return nil end
    local part = self.came:sub(1, most)
    self.came = self.came:sub(#part + 1)
    return part
  end
  function s:take_line(max)
    local line = self.came:match("^([^\n]*)\n")
    if line and #line > (max or 65536) then return nil, "larger than the limit", "too_big" end
    if line then self.came = self.came:sub(#line + 2) end
    return line
  end
  function s:write(bytes)
    if self.refuses then return nil, "a limit is reached", self.refuses end
    self.sent[#self.sent + 1] = bytes
    return true
  end
  function s:is_slow() return self.slow end
  function s:address() return "10.0.0.2:7" end
  function s:close()
    self.closed = self.closed + 1
    self.now = "closed"
  end
  streams[#streams + 1] = s
  return s
end

local function tell(object)
  news[#news + 1] = object
  tcp.turn()
  helper.turn()
end

local fake = {
  connect = function(address)
    if address == "nowhere" then return nil, "no address", "bad_address" end
    return fake_stream("opening")
  end,
  listen = function(address)
    if address == "taken" then return nil, "taken", "in_use" end
    listening = { waiting = {}, closed = 0 }
    function listening:address() return address end
    function listening:accept() return table.remove(self.waiting, 1) end
    function listening:close() self.closed = self.closed + 1 end
    return listening
  end,
  next = function() return table.remove(news, 1) end,
}

describe("tcp", function()
  local owner, moth_tcp, reports

  setup(function() core.tcp = fake end)
  teardown(function() core.tcp = nil end)

  before_each(function()
    helper.reset()
    news, streams, listening, reports = {}, {}, nil, {}
    owner = owners.new("bot", core.account("bot"), function(traceback) reports[#reports + 1] = traceback end)
    moth_tcp = tcp.for_owner(owner)
  end)

  after_each(function() tcp.close_all(owner) end)

  -- What a task returned: got.n is there when it has ended.
  local function run(fn)
    local got = {}
    got.task = assert(task.start(owner, function()
      local results = table.pack(fn())
      for i = 1, results.n do got[i] = results[i] end
      got.n = results.n
    end))
    return got
  end

  local function connect()
    local got = run(function() return moth_tcp.connect("bob:7") end)
    streams[#streams].now = "open"
    tell(streams[#streams])
    return assert(got[1]), streams[#streams]
  end

  describe("connect", function()
    it("waits until it is open", function()
      local got = run(function() return moth_tcp.connect("bob:7") end)
      assert.is_nil(got.n)
      streams[1].now = "open"
      tell(streams[1])
      assert.equal("10.0.0.2:7", got[1].address)
      assert.equal("connection 10.0.0.2:7", tostring(got[1]))
      assert.equal(0, streams[1].closed)
    end)

    it("says why it failed", function()
      local got = run(function() return moth_tcp.connect("bob:7") end)
      streams[1].now = "refused"
      tell(streams[1])
      assert.same({ nil, "it ended", "refused" }, { got[1], got[2], got[3] })
      assert.equal(1, streams[1].closed)
    end)

    it("says at once what cannot be", function()
      local got = run(function() return moth_tcp.connect("nowhere") end)
      assert.equal("bad_address", got[3])
      assert.has_error(function() moth_tcp.connect(7) end)
    end)

    it("gives up after half a minute", function()
      local got = run(function() return moth_tcp.connect("bob:7") end)
      helper.turn(29999)
      assert.is_nil(got.n)
      helper.turn(1)
      assert.equal("timeout", got[3])
      assert.equal(1, streams[1].closed)
    end)

    it("closes what a cancelled task was opening", function()
      local got = run(function() return moth_tcp.connect("bob:7") end)
      got.task:cancel()
      helper.turn()
      assert.equal(1, streams[1].closed)
    end)

    it("has no network where there is none", function()
      core.tcp = nil
      tcp.turn()
      local got = run(function() return moth_tcp.connect("bob:7") end)
      assert.equal("not_found", got[3])
      assert.equal("not_found", (select(3, moth_tcp.listen("a:7", print))))
      core.tcp = fake
    end)
  end)

  describe("read", function()
    it("waits for bytes and takes what is there", function()
      local c, s = connect()
      local got = run(function() return c:read() end)
      assert.is_nil(got.n)
      s.came = "some bytes"
      tell(s)
      assert.equal("some bytes", got[1])
    end)

    it("waits for exactly as many as were asked for, and gives fewer at the end", function()
      local c, s = connect()
      local got = run(function() return c:read(4), c:read(4) end)
      s.came = "abc"
      tell(s)
      assert.is_nil(got.n)
      s.came = "abcdef"
      tell(s)
      assert.is_nil(got.n)
      s.now = "closed"
      tell(s)
      assert.same({ "abcd", "ef" }, { got[1], got[2] })
    end)

    it("ends with a word", function()
      local c, s = connect()
      local got = run(function() return c:read() end)
      s.now = "closed"
      tell(s)
      assert.same({ nil, "it ended", "closed" }, { got[1], got[2], got[3] })
    end)

    it("takes lines, and refuses one that is too long", function()
      local c, s = connect()
      local got = run(function() return c:read_line(), select(3, c:read_line(3)) end)
      s.came = "first\nsecond\n"
      tell(s)
      assert.same({ "first", "too_big" }, { got[1], got[2] })
    end)

    it("is one task's at a time", function()
      local c, s = connect()
      local first = run(function() return c:read() end)
      local second = run(function() return c:read() end)
      assert.equal("busy", second[3])
      s.came = "x"
      tell(s)
      assert.equal("x", first[1])
    end)

    it("is free again when a reader was cancelled", function()
      local c, s = connect()
      local first = run(function() return c:read() end)
      first.task:cancel()
      helper.turn()
      local second = run(function() return c:read() end)
      s.came = "x"
      tell(s)
      assert.equal("x", second[1])
    end)

    it("refuses arguments that cannot be", function()
      local c = connect()
      for _, n in ipairs { 0, -1, 1.5, "x", 1048577 } do
        assert.has_error(function() c:read(n) end)
      end
      assert.has_error(function() c:read_line(0) end)
      assert.has_error(function() c:read_line(1000001) end)
      assert.has_error(function() c.read() end, "connection:read is called with a colon")
    end)

    it("outside of a task is an error", function()
      local c = connect()
      assert.has_error(function() c:read() end)
      local got = run(function() return c:read() end)
      assert.is_nil(got.n)
    end)
  end)

  describe("write", function()
    it("returns at once while the other end keeps up", function()
      local c, s = connect()
      assert.is_true(c:write("hello"))
      assert.same({ "hello" }, s.sent)
    end)

    it("waits while it does not, all who write", function()
      local c, s = connect()
      s.slow = true
      local first = run(function() return c:write("a") end)
      local second = run(function() return c:write("b") end)
      tell(s)
      assert.is_nil(first.n or second.n)
      s.slow = false
      tell(s)
      assert.is_true(first[1] and second[1])
      assert.same({ "a", "b" }, s.sent)
    end)

    it("says when it ended meanwhile, or takes no more", function()
      local c, s = connect()
      s.slow = true
      local got = run(function() return c:write("a") end)
      s.slow, s.now = false, "closed"
      tell(s)
      assert.equal("closed", got[3])
      s.refuses = "full"
      assert.equal("full", (select(3, c:write("b"))))
      assert.has_error(function() c:write(7) end)
    end)
  end)

  it("close wakes who waits", function()
    local c, s = connect()
    local reader = run(function() return c:read() end)
    s.slow = true
    local writer = run(function() return c:write("a") end)
    s.slow = false
    c:close()
    c:close()
    helper.turn()
    assert.equal("closed", reader[3])
    assert.equal("closed", writer[3])
  end)

  describe("listen", function()
    local function accept()
      listening.waiting[1] = fake_stream("open")
      tell(listening)
      return streams[#streams]
    end

    it("starts a task for each connection", function()
      local heard = {}
      local server = assert(moth_tcp.listen("127.0.0.1:7", function(c) heard[#heard + 1] = c:read_line() end))
      assert.equal("127.0.0.1:7", server.address)
      assert.equal("server 127.0.0.1:7", tostring(server))
      local s = accept()
      accept()
      s.came = "hello\n"
      tell(s)
      assert.same({ "hello" }, heard)
    end)

    it("takes over, when its script runs, the address of the script that it replaces", function()
      local waiting, is_taken = {}, false
      local old_listen = fake.listen
      fake.listen = function(address)
        if is_taken then return nil, "taken", "in_use" end
        is_taken = true
        return old_listen(address)
      end
      assert(moth_tcp.listen("127.0.0.1:7", print))
      local heir = owners.new("bot", core.account("bot"), function() end)
      heir.script = { old = { owner = owner }, when_running = function(_, fn) waiting[#waiting + 1] = fn end }
      assert.equal("in_use", (select(3, tcp.for_owner(heir).listen("127.0.0.1:8", print))))
      local server = assert(tcp.for_owner(heir).listen("127.0.0.1:7", print))
      assert.equal("127.0.0.1:7", server.address)
      tcp.close_all(owner)
      is_taken = false
      waiting[1]()
      assert.is_true(is_taken)
      fake.listen = old_listen
    end)

    it("leaves a connection open when its function returns", function()
      assert(moth_tcp.listen("127.0.0.1:7", function() end))
      assert.equal(0, accept().closed)
    end)

    it("closes the connection of a function that failed, and tells the owner", function()
      assert(moth_tcp.listen("127.0.0.1:7", function() error("broken") end))
      assert.equal(1, accept().closed)
      assert.equal(1, #reports)
      assert.truthy(reports[1]:find("broken", 1, true))
    end)

    it("closes whom no task can be started for", function()
      owner.limit = 0
      assert(moth_tcp.listen("127.0.0.1:7", function() end))
      assert.equal(1, accept().closed)
    end)

    it("says why it cannot", function()
      assert.equal("in_use", (select(3, moth_tcp.listen("taken", print))))
      assert.has_error(function() moth_tcp.listen("127.0.0.1:7") end)
      assert.has_error(function() moth_tcp.listen(7, print) end)
    end)

    it("stops when it is closed, and its connections stay", function()
      local server = assert(moth_tcp.listen("127.0.0.1:7", function() end))
      local s = accept()
      server:close()
      server:close()
      assert.equal(2, listening.closed)
      tell(listening)
      assert.equal(0, s.closed)
    end)

    it("shows nothing of what is behind", function()
      local server = assert(moth_tcp.listen("127.0.0.1:7", function() end))
      local c = connect()
      assert.equal("server", getmetatable(server))
      assert.equal("connection", getmetatable(c))
      assert.is_nil(next(server) or next(c))
    end)
  end)

  it("closes all of an owner, and only that", function()
    local other = tcp.for_owner(owners.new("other", core.account("other"), print))
    local others
    task.start(task.moth, function() other.connect("bob:7") end)
    others = streams[#streams]
    others.now = "open"
    tell(others)
    assert(moth_tcp.listen("127.0.0.1:7", function() end))
    local _, s = connect()
    tcp.close_all(owner)
    assert.equal(1, s.closed)
    assert.equal(1, listening.closed)
    assert.equal(0, others.closed)
    tcp.close_all(owner)
    assert.equal(1, s.closed)
  end)

  it("a connection that nobody holds is let go", function()
    local weak = setmetatable({}, { __mode = "v" })
    do
      local got = run(function() return (moth_tcp.connect("bob:7")) end)
      weak.stream = streams[1]
      streams[1].now = "open"
      tell(streams[1])
      got[1] = nil
    end
    streams = {}
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak.stream)
  end)
end)
