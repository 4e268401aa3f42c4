---@meta

--- Plain TCP, for whatever does not speak moth. Connections and servers end with their script.
---@class moth.tcp
--- Example: moth.tcp.listen("127.0.0.1:7000", function(conn) conn:write("hello\n") conn:close() end)
moth.tcp = {}

--- Takes connections at an address; each is handled in a task of its own.
---@param address string  HOST:PORT; port 0 is any that is free
---@param fn fun(conn: moth.connection)  closed when it fails; else it closes it itself
---@return moth.server? server, string? why, string? code  in_use, bad_address, permission
--- Example: local server = moth.tcp.listen("127.0.0.1:0", function(conn) conn:close() end)
function moth.tcp.listen(address, fn) end

--- Connects, and waits until it has.
---@async
---@param address string  HOST:PORT
---@return moth.connection? conn, string? why, string? code  refused, timeout, bad_address
--- Example: local conn, why = moth.tcp.connect("127.0.0.1:7000")
function moth.tcp.connect(address) end

--- What moth.tcp.listen returns.
---@class moth.server
---@field address string  HOST:PORT, with the port it got
--- Example: print(server.address)
local server = {}

--- Takes no more connections; those that are there stay.
--- Example: server:close()
function server:close() end

--- A TCP connection.
---@class moth.connection
---@field address string  HOST:PORT of the other end
--- Example: print(conn.address)
local conn = {}

--- Waits for bytes: whatever comes, or exactly n, fewer only at the end.
---@async
---@param n? integer
---@return string? bytes, string? why, string? code  closed at the end; busy: another task reads
--- Example: local head = conn:read(4)
function conn:read(n) end

--- Waits for a line, and returns it without its end.
---@async
---@param max? integer  bytes at most: 65,536
---@return string? line, string? why, string? code  closed at the end, too_big, busy
--- Example: for line in function() return conn:read_line() end do print(line) end
function conn:read_line(max) end

--- Sends, and waits while the other end is slow.
---@async
---@param bytes string
---@return true? ok, string? why, string? code  closed, full
--- Example: conn:write("hello\n")
function conn:write(bytes) end

--- Ends it; what was written is still sent.
--- Example: conn:close()
function conn:close() end

--- Cutting a stream of bytes into frames, and making frames of bytes.
---@class moth.frame
moth.frame = {}

--- Something that takes bytes as they come and gives whole frames.
---@param mode "length"|"line"  length: four bytes, big-endian, then as many as they say
---@param max? integer  bytes of a frame, at most 1,048,576
---@return moth.decoder d
--- Example: local d = moth.frame.decoder("line")
function moth.frame.decoder(mode, max) end

--- The bytes as a frame.
---@param bytes string
---@param mode "length"|"line"
---@return string? text, string? why, string? code  too_big; argument: a line cannot hold a line end
--- Example: conn:write(moth.frame.encode("hello", "length"))
function moth.frame.encode(bytes, mode) end

--- What moth.frame.decoder returns.
---@class moth.decoder
local d = {}

--- Takes bytes; the frames that are whole now.
---@param bytes string
---@return string[]? frames, string? why, string? code  too_big, full; from then on it always fails
--- Example: for _, line in ipairs(d:feed(conn:read())) do print(line) end
function d:feed(bytes) end

--- Shortest ways through a network, as the node itself finds them.
---@class moth.router
moth.router = {}

--- An empty map, as seen from one node.
---@param me string  a name of up to 64 bytes, or 32 hex digits
---@return moth.map? r, string? why, string? code  full
--- Example: local r = moth.router.new("ana")
function moth.router.new(me) end

--- What moth.router.new returns.
---@class moth.map
local r = {}

--- Links two nodes, both ways.
---@param a string
---@param b string
---@param cost? integer  1
---@return true? ok, string? why, string? code  self, full
--- Example: r:link("ana", "bob")
function r:link(a, b, cost) end

--- Ends the link between two nodes.
---@param a string
---@param b string
---@return true? ok, string? why, string? code  not_found
--- Example: r:unlink("ana", "bob")
function r:unlink(a, b) end

--- Ends all links of a node.
---@param id string
---@return true? ok, string? why, string? code  not_found
--- Example: r:remove("bob")
function r:remove(id) end

--- To whom something for that node goes first.
---@param id string
---@return string? id, string? why, string? code  self, not_found, unreachable
--- Example: print(r:next_hop("eva"))
function r:next_hop(id) end

--- The nodes on the way, from us to that one.
---@param id string
---@return string[]? ids, string? why, string? code  not_found, unreachable
--- Example: print(table.concat(r:path("eva"), " "))
function r:path(id) end

--- All that can be reached, by name: {id, via, hops}.
---@return { id: string, via: string, hops: integer }[] list
--- Example: for _, p in ipairs(r:peers()) do print(p.id, p.hops) end
function r:peers() end

--- Messages kept on the disk, as the node keeps its mail.
---@class moth.store
moth.store = {}

--- The store of that name, a file in the home folder; whoever opens the same name gets the same.
---@param name string  [A-Za-z0-9._-]
---@return moth.mailbox? s, string? why, string? code  argument, full, store, damaged
--- Example: local s = moth.store.open("orders")
function moth.store.open(name) end

--- What moth.store.open returns. Every method fails with "closed" after s:close().
---@class moth.mailbox
local s = {}

--- Keeps a message.
---@param message { to: string, data: string, ttl: moth.span? }  to=, data=, and ttl= when it shall expire
---@return integer? id, string? why, string? code  argument, too_big, full, store
--- Example: local id = s:put { to = "eva", data = "two pizzas", ttl = "1h" }
function s:put(message) end

--- One message: {id, to, data, bytes, time, expires, tries, tried}.
---@param id integer
---@return table? message, string? why, string? code  not_found
--- Example: print(s:get(id).data)
function s:get(id) end

--- Forgets a message.
---@param id integer
---@return true? ok, string? why, string? code  not_found
--- Example: s:delete(id)
function s:delete(id) end

--- What is kept, as s:get but without the data, the oldest first, at most 1,000.
---@param to? string  only for that one
---@return table[]? list, string? why, string? code  store
--- Example: for _, e in ipairs(s:pending("eva")) do print(e.id, e.tries) end
function s:pending(to) end

--- Counts one more try.
---@param id integer
---@return true? ok, string? why, string? code  not_found
--- Example: s:tried(id)
function s:tried(id) end

--- Forgets what has expired, and tells how many that were.
---@param now? number  seconds since 1970
---@return integer? count, string? why, string? code  store
--- Example: print(s:expire())
function s:expire(now) end

--- Ends its use; a second time is fine.
--- Example: s:close()
function s:close() end

--- Messages as JSON texts, for programs that are not moth.
---@class moth.message
moth.message = {}

--- The JSON text of a message, one that came or an entry of node:history.
---@param t table  from, to, type, data, time, id, hops, path
---@return string? text, string? why, string? code  argument, too_big
--- Example: node:on("message", function(msg) print(moth.message.to_json(msg)) end)
function moth.message.to_json(t) end

--- The message in such a text: {from, to, type, data, time, id, hops, path}.
---@param text string
---@return table? t, string? why, string? code  argument, too_big
--- Example: local t, why = moth.message.from_json(line)
function moth.message.from_json(text) end
