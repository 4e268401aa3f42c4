---@meta

--- The node this script runs on. Its methods are called with a colon; failure is nil, a sentence, and a word for
--- programs. PEER is an alias, a name, an id, or the beginning of an id.
---@class moth.node
---@field id string  32 hex digits, what others know this node by
---@field name string  as it was started
---@field address string  HOST:PORT where it listens, "" when it does not
--- Example: print(node.name, node.id, node.address)
node = {}

---@alias moth.span number|string  seconds, or a text: "250ms", "1h30m"
---@alias moth.json nil|boolean|number|string|table

---@class moth.send_options
---@field type? string     [a-z0-9._-]{1,64}; "text" for strings and "data" for all else unless given
---@field ttl? moth.span   how long it is tried, at most 30 days
---@field retries? integer  how often a receipt may be waited for in vain while there is a route
---@field re? integer      the id of the message this answers
---@field path? boolean    whoever relays it writes its name on it

--- Sends a message that is kept on the disk until it has arrived, over restarts. Returns at once.
---@param peer string  whom to; this node itself is fine, "*" is not
---@param data moth.json  a string is sent as it is, anything else as JSON
---@param options? moth.send_options  type=, ttl=, retries=, re=, path=
---@return moth.sent? m, string? why, string? code  unknown_peer, ambiguous, unwanted, too_big, full, store, argument
--- Example: node:send("eva", "good morning", { ttl = "2d" })
function node:send(peer, data, options) end

--- Sends once and forgets it: light, no receipt. "*" sends to everybody.
---@param peer string  whom to, or "*"
---@param type string  [a-z0-9._-]{1,64}; handlers of "message:TYPE" get it
---@param data moth.json  a string is sent as it is, anything else as JSON
---@return true? ok, string? why, string? code  unknown_peer, unreachable, slow, rate, too_big, argument
--- Example: node:emit("*", "weather", { celsius = 21.5 })
function node:emit(peer, type, data) end

--- Asks a service of another node, and waits for what it returns.
---@async
---@param peer string  who serves it
---@param name string  of the service
---@param data? moth.json  what its function gets
---@param options? { timeout: moth.span }  timeout=5
---@return any value, string? why, string? code  timeout, unreachable, no_service, failed, busy, unknown_peer
--- Example: local time, why = node:request("eva", "time")
function node:request(peer, name, data, options) end

--- Answers requests: what the function returns is the answer, nothing is true; nil and a sentence, or an error, is
--- "failed" at the other end. It may wait. With a schema, data that does not fit never reaches it.
---@param name string  [a-z0-9._-]{1,64}
---@param schema? table<string, string>  {field = TYPE}: string integer number boolean table any; "?" may be missing
---@param fn fun(data: moth.json, msg: moth.received): any, string?  gets what was asked
---@return moth.handle? h, string? why, string? code  in_use
--- Example: node:serve("add", { a = "number", b = "number" }, function(data) return data.a + data.b end)
function node:serve(name, schema, fn) end

--- Handles text that matches a pattern and is no command: of all that match, the first that was registered. What it
--- returns is the reply; nil, why replies with why; nothing is no reply.
---@param pattern string  a pattern of Lua
---@param fn fun(msg: moth.received, ...: string): any, string?  gets the captures too; may wait
---@return moth.handle h
--- Example: node:hear("^hello", function(msg) return "hello " .. msg.name end)
function node:hear(pattern, fn) end

--- Handles text that starts with a word. <a> has to be there, [a] may be missing, the last may take the rest: [a...].
--- Types: <n:integer> number boolean duration peer string, or a choice <size:S|M|L>. Wrong arguments are answered with
--- the usage, and "help" lists all commands. What it returns is the reply.
---@param spec string  "add <a:number> <b:number> [note...]"
---@param options? { help: string }  help=: a line for the list
---@param fn fun(msg: moth.received, ...: any): any, string?  gets the arguments; may wait
---@return moth.handle h
--- Example: node:command("add <a:number> <b:number>", function(msg, a, b) return a + b end)
function node:command(spec, options, fn) end

--- Calls a function at every event of that name. It may wait, and what it returns is ignored.
--- - message, message:TYPE: a message
--- - link:up, link:down: {peer, name, address, inbound, reason}, a direct link
--- - peer:up, peer:down: {peer, name, hops, via}, by any way
--- - route: {peer, name, via, old, hops}, the next on the way, now and before; nil: there is no way
--- - state: a message of ours
--- - error: {script, why, traceback}
--- - stop: {}, the node is about to end
---@param event string  one of these
---@param fn fun(e: table)
---@return moth.handle h
--- Example: node:on("peer:up", function(e) log.info(e.name, "is here") end)
function node:on(event, fn) end

--- Asks a function at once, in the middle of the node's work: false vetoes. It may not wait and may change nothing.
--- - accept: {peer, name, address, inbound}
--- - forward: {from, to, id, bytes, durable}
--- - deliver: a message
---@param kind "accept"|"forward"|"deliver"
---@param fn fun(e: table): boolean?  one that fails vetoes accept, and passes the others
---@return moth.handle h
--- Example: node:hook("forward", function(e) return e.bytes < 100000 end)
function node:hook(kind, fn) end

--- Keeps a link to an address from now on, and waits until it is there or has failed once.
---@async
---@param address string  HOST:PORT
---@return true? ok, string? why, string? code  bad_address, full, timeout, refused; it is tried again later
--- Example: node:connect("127.0.0.1:6684")
function node:connect(address) end

--- Ends the link to a peer, or stops dialling an address.
---@param peer string  PEER or HOST:PORT
---@return true? ok, string? why, string? code  not_linked, not_found, unknown_peer
--- Example: node:disconnect("bob")
function node:disconnect(peer) end

---@class moth.peer
---@field id string
---@field name string
---@field claimed string    what it calls itself
---@field aliased boolean   its name is one of ours
---@field blocked boolean
---@field up boolean        it can be reached
---@field linked boolean    directly
---@field inbound boolean   it dialled us
---@field hops integer
---@field via? string       the id of the next hop
---@field rtt_ms? number    of the link
---@field address string

--- Everybody that is known, by name: {id, name, up, linked, hops, via, rtt_ms, address, ...}.
---@return moth.peer[] list
--- Example: for _, p in ipairs(node:peers()) do print(p.name, p.up) end
function node:peers() end

--- The same, of direct neighbours only.
---@return moth.peer[] list
--- Example: print(#node:links(), "neighbours")
function node:links() end

--- The same, of those only who can be reached.
---@return moth.peer[] list
--- Example: for _, p in ipairs(node:routes()) do print(p.name, p.hops) end
function node:routes() end

--- What is known of one peer, as in node:peers.
---@param peer string
---@return moth.peer? entry, string? why, string? code  unknown_peer, ambiguous
--- Example: print(node:peer("eva").hops)
function node:peer(peer) end

--- The full id of a peer.
---@param peer string
---@return string? id, string? why, string? code  unknown_peer, ambiguous
--- Example: print(node:resolve("eva"))
function node:resolve(peer) end

--- The ids on the way to a peer, from this node to that one.
---@param peer string
---@return string[]? ids, string? why, string? code  unknown_peer, ambiguous, unreachable
--- Example: print(#node:path("eva") - 1, "hops")
function node:path(peer) end

--- The network as this node sees it: a list of {a, b}, the ids of two linked nodes.
---@return { a: string, b: string }[] list
--- Example: print(#node:edges(), "links in the network")
function node:edges() end

--- The addresses to which links are kept: {address, linked, peer, reason, why, retry_in_ms}.
---@return table[] list
--- Example: for _, w in ipairs(node:wanted()) do print(w.address, w.linked) end
function node:wanted() end

--- Messages of ours that have not ended, by id.
---@param peer? string  only to that one
---@return moth.sent[]? list, string? why, string? code  unknown_peer, ambiguous
--- Example: for _, m in ipairs(node:queue("eva")) do print(m.id, m.state) end
function node:queue(peer) end

--- The last messages sent and received, the oldest first: {from, to, ours, name, id, time, type, text, data, state}.
---@param peer? string  only with that one
---@param n? integer    how many at most: 20
---@return table[]? list, string? why, string? code  unknown_peer, ambiguous, argument, store
--- Example: for _, e in ipairs(node:history("eva", 5)) do print(e.time, e.text) end
function node:history(peer, n) end

--- A message of ours by its id.
---@param id integer
---@return moth.sent? m, string? why, string? code  not_found
--- Example: print(node:message(id).state)
function node:message(id) end

--- Gives up a message that has not arrived. What is under way may arrive all the same.
---@param id integer
---@return true? ok, string? why, string? code  not_found, store
--- Example: node:cancel(m.id)
function node:cancel(id) end

--- Names a peer for this node; the name wins over every other. nil takes it away.
---@param peer string
---@param name? string
---@return true? ok, string? why, string? code  unknown_peer, bad_name, in_use, store
--- Example: node:alias("eva", "sis")
function node:alias(peer, name) end

--- No link with that peer any more, and what it sends is refused.
---@param peer string
---@return true? ok, string? why, string? code  unknown_peer, self, store
--- Example: node:block("kim")
function node:block(peer) end

--- Takes that back.
---@param peer string
---@return true? ok, string? why, string? code  unknown_peer, store
--- Example: node:unblock("kim")
function node:unblock(peer) end

--- Figures by name (messages_sent, links, mail, ...), and discarded: a list of {count, code, why}.
---@return table figures
--- Example: print(node:status().messages_received)
function node:status() end

--- The limits of this node: a list of {name, value, unit, behaviour}.
---@return table[] list
--- Example: for _, l in ipairs(node:limits()) do print(l.name, l.value, l.unit) end
function node:limits() end

--- Data that stays on the disk, shared by the scripts of this node, used like a table. See help kv.
---@param name string  [A-Za-z0-9._-]{1,64}
---@return moth.kv t
--- Example: local scores = node:kv("scores")
function node:kv(name) end

--- Names what does the jobs of that name. One that was missed while the node was off is done once.
---@param name string  [A-Za-z0-9._-]{1,64}
---@param fn fun(...: any)  gets what was given to schedule; may wait
--- Example: node:job("remind", function(peer, text) node:send(peer, text) end)
function node:job(name, fn) end

--- Has a job done at a time, even if the node is restarted meanwhile.
---@param when moth.span  from now, or a number of seconds since 1970
---@param name string  of the job
---@param ... moth.json  what its function gets
---@return integer? id, string? why, string? code  argument, too_big, full, store
--- Example: node:schedule("10m", "remind", msg.from, "the tea is ready")
function node:schedule(when, name, ...) end

--- Takes a scheduled job back.
---@param id integer  what schedule returned
---@return true? ok, string? why, string? code  not_found
--- Example: node:unschedule(id)
function node:unschedule(id) end

--- What was registered with hear, command, on, hook or serve.
---@class moth.handle
local h = {}

--- Ends it. A second time is fine.
--- Example: local h = node:hear("hi", greet) h:off()
function h:off() end

--- Data of node:kv. Reading and assigning a key reads and writes the disk; nil takes it away. Keys are strings of 1 to
--- 200 bytes and whole numbers, values are JSON; pairs goes through numbers, then strings, in order. A table that comes
--- out is a read-only copy: assign the whole value. Writes between two waits are kept together; an error undoes them.
---@class moth.kv
---@field [string|integer] moth.json
--- Example: local scores = node:kv("scores") scores[msg.name] = (scores[msg.name] or 0) + 1
local kv = {}
