---@meta

--- Lab files (moth lab FILE...): networks of real nodes on an imaginary wire, in virtual time, which starts 2030-01-01.
--- All chance comes from the seed, so a run that failed fails again. pairs goes in the order of keys.

---@class moth.lab_options
---@field seeds? integer     with how many seeds it runs when the command line does not say; default: 1
---@field mode? "sim"|"process"  process: real processes and sockets on this machine, in real time
---@field limit? moth.span   of virtual time, after which a run that goes on has failed; default: 24h
---@field latency? moth.span|moth.way  of all ways; default: 1 ms

--- Describes a network and what must be true in it. The function is a task: what waits looks like a call.
---@param name string
---@param options? moth.lab_options
---@param fn fun(net: moth.net)
--- Example: lab("a line", function(net) net:line(3) net:settle() end)
function lab(name, options, fn) end

--- A spec of a bot; testkit.load gives it a node that runs one.
---@param name string
---@param fn fun()
--- Example: test("echo", function() local t = testkit.load("echo.lua") end)
function test(name, fn) end

---@class moth.way
---@field latency? moth.span
---@field spread? moth.span  around it
---@field kind? "fixed"|"uniform"|"normal"  with normal, spread is the standard deviation; default: uniform
---@field jitter? moth.span  on top: from 0 to this
---@field rate? integer      bytes a second; what is long trickles
---@field oneway? boolean    only from the first to the second

---@class moth.lab_node_options
---@field script? string|string[]  it runs these files, also after each restart; paths start where moth was started
---@field config? { ttl: moth.span?, retries: integer?, limits: table<string, integer>?, network: string? }
---@field latency? moth.span|moth.way  of its ways to all others
---@field discover? boolean  it dials learned addresses when mail has no other way; default: false
---@field clock? moth.span   how far its clock is off
---@field read_rate? integer it takes in at most so many bytes a second

--- A node of a lab: it has every method of node, called from outside of it. Lab nodes and their names are accepted
--- wherever a peer is.
---@class moth.lab_node: moth.node
---@field is_running boolean
local lab_node = {}

--- As a power cut: memory is gone, and of what was not synced yet whatever chance leaves. What the lab file registered
--- at the node, and the messages it sent there, outlive it.
--- Example: bob:kill()
function lab_node:kill() end

--- Ends it in good order, saying goodbye; its scripts hear of it before ("stop").
---@async
--- Example: bob:stop()
function lab_node:stop() end

--- Starts one that was killed or stopped, with what it has on its disk. It dials whom it dialled before.
--- Example: bob:kill() net:run "10s" bob:start()
function lab_node:start() end

--- Starts it again, with what it has on its disk; one that runs is killed first. It dials whom it dialled before.
--- Example: bob:restart()
function lab_node:restart() end

--- It takes in nothing and does nothing until thaw.
--- Example: bob:freeze() net:run("3s") bob:thaw()
function lab_node:freeze() end

--- Ends a freeze: it goes on, and does not know of it.
--- Example: bob:thaw()
function lab_node:thaw() end

--- Runs a script there until the next kill.
---@async
---@param file string
---@return true? ok, string? why, string? code
--- Example: bob:load("examples/echo.lua")
function lab_node:load(file) end

--- Dials a node without waiting: it is tried until it succeeds.
---@param other moth.lab_node|string
--- Example: ana:dial("bob")
function lab_node:dial(other) end

--- Its clock is off by so much from now on.
---@param offset moth.span  may be negative seconds
--- Example: bob:clock("1h")
function lab_node:clock(offset) end

--- What its disk is like from now on; what is left out is well.
---@param options? { room: integer?, slow: moth.span?, fails: boolean? }  bytes that are left; for each commit
--- Example: bob:disk { slow = "50ms" }
function lab_node:disk(options) end

--- It takes in at most so many bytes a second; nil: all that comes.
---@param rate? integer
--- Example: bob:read_rate(10000)
function lab_node:read_rate(rate) end

--- Of the adverts that it should pass on, so many of a thousand are not.
---@param per_mille integer
--- Example: bob:lose(400)
function lab_node:lose(per_mille) end

--- A network, as lab gives it to its function.
---@class moth.net
---@field name string
---@field seed integer
---@field nodes moth.lab_node[]  in the order they were made
local net = {}

--- A node, started.
---@param name string
---@param options? moth.lab_node_options
---@return moth.lab_node
--- Example: local bob = net:node("bob", { script = "examples/echo.lua" })
function net:node(name, options) end

--- Nodes one behind the other. All shapes take names or a count, and options: of the shape, and of all nodes. They
--- start the nodes, which dial, and wait for nothing.
---@param ... string|integer|table
---@return moth.group
--- Example: local ana, bob = net:line("ana", "bob"):nodes()
function net:line(...) end

--- A line whose ends are linked, too.
---@param ... string|integer|table
---@return moth.group
--- Example: net:ring(6, { latency = "20ms" })
function net:ring(...) end

--- The first node in the middle.
---@param ... string|integer|table
---@return moth.group
--- Example: net:star("hub", "ana", "bob")
function net:star(...) end

--- Rows of {width =} nodes, as near to a square as can be unless given.
---@param ... string|integer|table
---@return moth.group
--- Example: net:grid(12, { width = 4 })
function net:grid(...) end

--- Each with {arity = 2} nodes below it.
---@param ... string|integer|table
---@return moth.group
--- Example: net:tree(15, { arity = 2 })
function net:tree(...) end

--- Everybody linked with everybody.
---@param ... string|integer|table
---@return moth.group
--- Example: net:full(5)
function net:full(...) end

--- One piece, with {degree = 4} links at each node on average; the seed decides.
---@param ... string|integer|table
---@return moth.group
--- Example: net:random(20, { degree = 4 })
function net:random(...) end

--- Nodes in order: group[i], #group.
---@class moth.group
local group = {}

--- Those of the names, or all.
---@param ... string
---@return moth.lab_node ...
--- Example: local first, second = net:line(2):nodes()
function group:nodes(...) end

--- Cuts the way between two nodes: both ends see their connections close. silent: nothing arrives and nobody is told;
--- oneway: silently, and only what goes from a to b.
---@param a moth.lab_node|string
---@param b moth.lab_node|string
---@param options? { silent: boolean?, oneway: boolean? }
--- Example: net:cut("ana", "bob", { silent = true })
function net:cut(a, b, options) end

--- Undoes cuts between two nodes.
---@param a moth.lab_node|string
---@param b moth.lab_node|string
--- Example: net:join("ana", "bob")
function net:join(a, b) end

--- Cuts all ways between the groups.
---@param ... (moth.lab_node|string)[]
--- Example: net:partition({ "ana", "bob" }, { "eva", "kim" })
function net:partition(...) end

--- Undoes all cuts.
--- Example: net:heal()
function net:heal() end

--- What the way between two nodes is like.
---@param a moth.lab_node|string
---@param b moth.lab_node|string
---@param options moth.span|moth.way
--- Example: net:way("ana", "bob", { latency = "40ms", jitter = "10ms", rate = 100000 })
function net:way(a, b, options) end

--- Bytes arrive in random pieces of at most so many; nil: as they were sent.
---@param most? integer
--- Example: net:split(7)
function net:split(most) end

--- What has arrived by the same time comes in one piece, as TCP would have it.
---@param on boolean
--- Example: net:merge(true)
function net:merge(on) end

--- Lets so much time pass.
---@async
---@param span moth.span
--- Example: net:run("1h")
function net:run(span) end

--- Calls fn so much time from now.
---@param span moth.span
---@param fn fun()
--- Example: net:at("5s", function() bob:kill() end)
function net:at(span, fn) end

--- Waits until links, routes and mail have not changed for two seconds, and fails when they still do after the time,
--- 60 s unless given.
---@async
---@param span? moth.span
---@return number seconds  until they were as they are
--- Example: local seconds = net:settle()
function net:settle(span) end

--- Fails unless the value is true; returns it.
---@param value any
---@param why? string
---@return any value
--- Example: net:expect(#bob:links() == 2, "bob has lost a link")
function net:expect(value, why) end

--- From now on fn must return true after every event.
---@param name string
---@param fn fun(): boolean, string?
--- Example: net:always("bob has a link", function() return #bob:links() > 0 end)
function net:always(name, fn) end

--- From now on fn must not return true after any event.
---@param name string
---@param fn fun(): boolean, string?
--- Example: net:never("mail comes twice", function() return net:max_deliveries() > 1 end)
function net:never(name, fn) end

--- Waits until fn returns something true, and returns that; fails when it does not within the time.
---@async
---@param span moth.span
---@param fn fun(): any, string?
---@param why? string
---@return any
--- Example: net:eventually("10s", function() return ana:peer("bob") end)
function net:eventually(span, fn, why) end

--- Whether each node's routes are the shortest ways over the links there are; if not, a sentence about one that is not.
---@return boolean, string?
--- Example: net:expect(net:routes_are_true())
function net:routes_are_true() end

--- How often one durable message was given to its recipient, at most.
---@return integer
--- Example: net:expect(net:max_deliveries() <= 1)
function net:max_deliveries() end

--- Figures so far: messages, bytes, control overhead, convergence, stretch, delivery times. tostring is a table for
--- people; m:csv() and m:json() are for programs.
---@return table m
--- Example: print(net:measure())
function net:measure() end

--- The newest lines of what happened, 50 unless given, of all nodes or of one.
---@param most? integer
---@param who? moth.lab_node|string
---@return string
--- Example: print(net:timeline(20, "bob"))
function net:timeline(most, who) end

--- The network as it is, in the language of graphviz.
---@return string
--- Example: print(net:dot())
function net:dot() end

--- Specs of bots.
testkit = {}

--- A node of its own that runs a bot; what it gives is `kit` here.
---@async
---@param file string
---@param options? { name: string?, config: table?, clock: moth.span? }
---@return moth.testkit
--- Example: local t = testkit.load("examples/echo.lua")
function testkit.load(file, options) end

--- A bot's node, and the peers that a spec invents.
---@class moth.testkit
---@field node moth.lab_node
local kit = {}

--- The invented peer of that name, linked to the bot; peer:say(data [, options]) sends to it.
---@async
---@param name string
---@return { say: fun(self, data: any, options?: table): any, node: moth.lab_node }
--- Example: t:from("ana"):say("hello")
function kit:from(name) end

--- Waits for a message of the bot to that peer which matches, and takes it; fails when none comes in time, 1 s unless
--- given.
---@async
---@param name string
---@param pattern string
---@param span? moth.span
---@return moth.received
--- Example: t:expect("ana", "^hello$")
function kit:expect(name, pattern, span) end

--- Fails when a message for that peer, or for any, came or comes within a second that nobody expected.
---@async
---@param name? string
--- Example: t:expect_none("ana")
function kit:expect_none(name) end

--- Lets time pass.
---@async
---@param span moth.span
--- Example: t:advance("1h")
function kit:advance(span) end

--- Loads the bot's file anew.
---@async
--- Example: t:reload()
function kit:reload() end
