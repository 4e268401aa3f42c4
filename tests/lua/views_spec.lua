local helper = require "tests.lua.helper"
local views = require "moth.views"

--   ana --- bob --- eva     kim is known and away
local function line()
  local bob, eva = helper.id("bbbb2222"), helper.id("eeee3333")
  local node = helper.node {
    { name = "kim", start = "cccc4444", up = false, address = "127.0.0.1:7003" },
    { name = "eva", start = "eeee3333", hops = 2, via = bob, address = "127.0.0.1:7002" },
    { name = "bob", start = "bbbb2222", hops = 1, via = bob, linked = true, rtt_ms = 0.41, address = "127.0.0.1:7001" },
  }
  node.paths[eva] = { node.id, bob, eva }
  node.links = { { a = eva, b = bob }, { a = node.id, b = bob } }
  return node
end

describe("list", function()
  it("shows links first, then who can be reached, then who is away", function()
    assert.equal([[
NAME  ID        HOPS  VIA     RTT  ADDRESS
bob   bbbb2222     1  -    0.4 ms  127.0.0.1:7001
eva   eeee3333     2  bob       -  127.0.0.1:7002
kim   cccc4444     -  -         -  127.0.0.1:7003  away]], views.list(line()))
  end)

  it("says so when nobody is known", function()
    assert.equal("nobody yet: connect HOST:PORT", views.list(helper.node()))
  end)

  it("marks somebody without an address", function()
    local node = helper.node { { name = "kim", start = "cccc4444", up = false } }
    assert.truthy(views.list(node):find("kim +cccc4444 +%- +%- +%- +away$"))
  end)

  it("marks who is blocked and who has an alias", function()
    local node = line()
    node.known[1].blocked, node.known[2].aliased = true, true
    local text = views.list(node)
    assert.truthy(text:find("eva +eeee3333 .* 127.0.0.1:7002  alias\n"))
    assert.truthy(text:find("kim +cccc4444 .* 127.0.0.1:7003  away, blocked$"))
  end)

  it("tells what is being dialled", function()
    local node = helper.node()
    node.addresses = {
      { address = "127.0.0.1:7009", linked = false, why = "the other end refused", retry_in_ms = 2001 },
      { address = "127.0.0.1:7008", linked = false, retry_in_ms = 0 },
      { address = "127.0.0.1:7007", linked = true, retry_in_ms = 0 },
    }
    assert.equal("connecting 127.0.0.1:7009: the other end refused, again in 3 s\n"
      .. "connecting 127.0.0.1:7008: trying now", views.list(node))
  end)
end)

describe("names of 32 bytes", function()
  it("are cut in the list, which stays within 80 columns, and whole in routes", function()
    local name, hub = ("n"):rep(32), helper.id("bbbb2222")
    local node = helper.node {
      { name = name, start = "eeee3333", hops = 63, via = hub, address = "203.0.113.254:65535", rtt_ms = 1234 },
      { name = ("h"):rep(32), id = hub, hops = 1, via = hub, linked = true },
    }
    for row in views.list(node):gmatch("[^\n]+") do assert.is_true(#row <= 80, row) end
    assert.truthy(views.list(node):find("\nn+~  eeee3333    63  h+~ "))
    for row in views.routes(node):gmatch("[^\n]+") do assert.is_true(#row <= 80, row) end
    assert.truthy(views.routes(node):find(name, 1, true))
  end)
end)

describe("the queue", function()
  it("says what each message waits for, or who holds it", function()
    local function aged(fields)
      fields.accepted = os.time() - 3 * 3600 - 5
      return helper.message(fields)
    end
    local text = views.queue {
      aged { reason = "unreachable", why = "there is no route to that peer" },
      aged { state = "sent", tries = 2 },
      aged { state = "carried", by_name = "bob", carriers = 1, reason = "unreachable" },
      aged { reason = "slow", why = "the next link cannot keep up" },
    }
    assert.equal([[
ID     TO   STATE    WHY       AGE  TRIES
18d2c  eva  queued   no route  3 h      0
18d2c  eva  sent               3 h      2
18d2c  eva  carried  by bob    3 h      0
18d2c  eva  queued   slow      3 h      0]], text)
  end)

  it("has 80 columns, and only counts what is too much to read", function()
    local mail = {}
    for i = 1, 1100 do
      mail[i] = helper.message { id = 0x18d2c4f0a1b00001, name = ("n"):rep(32), state = "carried", carriers = 2,
        by_name = ("m"):rep(32), accepted = os.time() - 23 * 3600 - 59 * 60, tries = 12345 }
    end
    local text = views.queue(mail)
    for row in text:gmatch("[^\n]+") do assert.is_true(#row <= 80, row) end
    assert.equal(101, select(2, text:gsub("\n", "\n")))
    assert.truthy(text:find("\nand 1,000 more$"))
  end)

  it("knows no negative age", function()
    assert.truthy(views.queue { helper.message { accepted = os.time() + 1000 } }:find(" 0 s "))
  end)
end)

describe("a message of ours", function()
  it("shows all that is known of it", function()
    local text = views.message(helper.message { id = 0x18d2c4f0a1b00001, state = "carried", by_name = "bob",
      carriers = 2, tries = 1, bytes = 2048, accepted = 86400 * 365, time = 86400 * 365 + 61.5 })
    assert.equal(([[
id        18d2c4f0a1b00001
to        eva (eeee3333)
state     carried by bob and 1 more
since     %s
accepted  %s
sent      1 time
carriers  2
size      2.0 KiB]]):format(os.date("%Y-%m-%d %H:%M:%S", 86400 * 365 + 61), os.date("%Y-%m-%d %H:%M:%S", 86400 * 365)),
      text)
  end)

  it("tells why somebody would not carry it", function()
    local text = views.message(helper.message { refusal = "a limit is reached" })
    assert.truthy(text:find("carriers  0; one refused: a limit is reached", 1, true))
  end)

  it("stands as it does", function()
    local function stands(fields) return views.standing(helper.message(fields)) end
    assert.equal("queued", stands {})
    assert.equal("queued: there is no route to eva now", stands { reason = "unreachable", why = "no route" })
    assert.equal("expired: its retries are spent", stands { state = "expired", reason = "retries",
      why = "its retries are spent" })
    assert.equal("expired", stands { state = "expired", reason = "expired", why = "its time to live is over" })
    assert.equal("carried by bob", stands { state = "carried", by_name = "bob", carriers = 1 })
  end)
end)

describe("history", function()
  local function shown(fields)
    local entry = { ours = false, name = "eva", type = "text", encoding = "text", data = "hello", time = 86400.5 }
    for k, v in pairs(fields) do entry[k] = v end
    return (views.history({ entry }):gsub("^%[1970%-01%-0%d %d%d:%d%d:%d%d%] ", "T "))
  end

  it("tells the direction, and how our own stand", function()
    assert.equal("T eva: hello", shown {})
    assert.equal("T to eva (delivered): hello", shown { ours = true, state = "delivered" })
    assert.equal("T to eva (queued): hello", shown { ours = true, state = "queued", reason = "unreachable", why = "x" })
    assert.equal("T to eva (expired: its retries are spent): hello", shown { ours = true, state = "expired",
      reason = "retries", why = "its retries are spent" })
    assert.equal("T to eva (cancelled): hello", shown { ours = true, state = "cancelled", reason = "cancelled",
      why = "it was cancelled" })
  end)

  it("names types and what was set aside", function()
    assert.equal("T eva (move): e4", shown { type = "move", data = "e4" })
    assert.equal("T eva (set aside): hello", shown { set_aside = true })
    assert.equal("T to eva (move, sent): e4", shown { type = "move", data = "e4", ours = true, state = "sent" })
  end)

  it("indents further lines and counts bytes", function()
    assert.equal("T eva: one\n  [00:00:00] bob: two", shown { data = "one\n[00:00:00] bob: two\n" })
    assert.equal("T eva: 5 bytes", shown { encoding = "bytes" })
  end)

  it("says so when there is none", function()
    assert.equal("no messages yet", views.history {})
  end)

  it("keeps the order", function()
    local entry = { ours = false, name = "eva", type = "text", encoding = "text", data = "one", time = 0 }
    local other = setmetatable({ data = "two" }, { __index = entry })
    assert.truthy(views.history({ entry, other }):find("one\n.*two$"))
  end)
end)

describe("aliases", function()
  it("show what those peers call themselves", function()
    local node = line()
    assert.equal("no aliases; this gives one: alias PEER NAME", views.aliases(node))
    node:alias("kim", "mum")
    node:alias("bob", "best")
    node.known[1].claimed = ""
    assert.equal("ALIAS  ID        CALLS ITSELF\nbest   bbbb2222  bob\nmum    cccc4444  -", views.aliases(node))
  end)
end)

describe("routes", function()
  it("shows through whom each peer is reached", function()
    assert.equal("PEER  HOPS  VIA\nbob      1  -\neva      2  bob", views.routes(line()))
  end)

  it("says so when nobody can be reached", function()
    local node = helper.node { { name = "kim", start = "cccc4444", up = false } }
    assert.equal("no routes: nobody can be reached", views.routes(node))
  end)
end)

describe("trace", function()
  it("names each hop", function()
    local node = line()
    assert.equal([[
0  ana (aaaa1111)  this node
1  bob (bbbb2222)  0.4 ms
2  eva (eeee3333)]], views.trace(node, node:path("eva")))
  end)

  it("names a hop that nobody knows by its id", function()
    local node = line()
    local text = views.trace(node, { node.id, helper.id("dddd5555") })
    assert.truthy(text:find("1  dddd5555 (dddd5555)", 1, true))
  end)
end)

describe("any view", function()
  local function name_of(n) return (("name-%d-"):format(n) .. ("x"):rep(32)):sub(1, 8 + n % 25) end

  local function crowd()
    local known, mail = {}, {}
    for n = 1, 30 do
      local up = n % 4 ~= 0
      known[n] = { name = name_of(n), start = ("%08x"):format(n * 99991), up = up, hops = up and n % 63 + 1 or 0,
        linked = n % 7 == 0, rtt_ms = n % 3 == 0 and n * 41.5 or nil, aliased = n % 5 == 0, blocked = n % 6 == 0,
        via = up and helper.id(("%08x"):format(99991 * 7)) or nil,
        address = ({ "", "127.0.0.1:7001", "203.0.113.254:65535", "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535" })
          [n % 4 + 1] }
      mail[n] = helper.message { id = 0x18d2c4f0a1b00000 + n, name = name_of(n), by_name = name_of(n + 1),
        carriers = n, state = n % 2 == 0 and "carried" or "queued", reason = n % 3 == 0 and "unreachable" or "slow" }
    end
    local node = helper.node(known)
    node.addresses = { { address = "[2001:db8:1234:5678::1]:65535", linked = false, retry_in_ms = 90000,
      why = "the other end has another network key" } }
    return node, mail
  end

  it("fits every terminal from 40 columns on, and nothing is cut where there is room", function()
    local node, mail = crowd()
    local path, unread = { node.id, node.known[1].id, node.known[2].id }, { [node.known[3].id] = 1234 }
    for width = 40, 240 do
      local shown = { views.list(node, width), views.list(node, width, unread), views.routes(node, width),
        views.aliases(node, width), views.trace(node, path, width), views.queue(mail, width) }
      for _, m in ipairs(mail) do shown[#shown + 1] = views.message(m, width) end
      for _, text in ipairs(shown) do
        for row in text:gmatch("[^\n]+") do assert.is_true(#row <= width, ("%d: %s"):format(width, row)) end
        if width == 240 then assert.is_nil(text:find("~", 1, true)) end
      end
    end
  end)

  it("of 40 columns has who is there, how far, and what is to be known", function()
    local node = line()
    node.known[1].blocked = true
    assert.equal([[
NAME  HOPS  VIA     RTT  NOTE
bob      1  -    0.4 ms
eva      2  bob       -
kim      -  -         -  away, blocked]], views.list(node, 40))
  end)
end)

describe("a history on a narrow terminal", function()
  it("has the day above what was said on it", function()
    local entries = {}
    for i, time in ipairs { 86400 * 3, 86400 * 3 + 1, 86400 * 5 } do
      entries[i] = { ours = false, name = "eva", type = "text", encoding = "text", data = "hi", time = time }
    end
    local function at(time) return os.date("%H:%M:%S", time) end
    assert.equal(table.concat({ os.date("%Y-%m-%d", 86400 * 3), "[" .. at(86400 * 3) .. "] eva: hi",
      "[" .. at(86400 * 3 + 1) .. "] eva: hi", os.date("%Y-%m-%d", 86400 * 5), "[" .. at(86400 * 5) .. "] eva: hi" },
      "\n"), views.history(entries, 40))
  end)
end)

describe("the list", function()
  it("counts what nobody has seen, only if there is some", function()
    local node = line()
    assert.is_nil(views.list(node, 80, {}):find("UNREAD", 1, true))
    assert.equal([[
NAME  ID        HOPS  VIA     RTT  UNREAD  ADDRESS
bob   bbbb2222     1  -    0.4 ms       -  127.0.0.1:7001
eva   eeee3333     2  bob       -   1,200  127.0.0.1:7002
kim   cccc4444     -  -         -       -  127.0.0.1:7003  away]],
      views.list(node, 80, { [helper.id("eeee3333")] = 1200 }))
  end)
end)

describe("the network", function()
  it("has names for everybody, also for who is only part of a link", function()
    local node, lea = line(), helper.id("99990000")
    node.links[3] = { a = helper.id("eeee3333"), b = lea }
    local network = views.network(node)
    assert.equal("99990000", network.names[lea])
    assert.equal("kim", network.names[helper.id("cccc4444")])
    assert.equal("ana", network.names[node.id])
    assert.equal(helper.id("bbbb2222"), network.via[helper.id("eeee3333")])
  end)
end)
