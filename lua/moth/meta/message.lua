---@meta

--- A message that came: what handlers of messages get.
---@class moth.received
---@field id integer     unique for its sender, for ever
---@field from string    the sender's id
---@field name string    the sender's name
---@field to string      the id of this node
---@field type string    "text", "data", or what the sender chose
---@field encoding "text"|"json"|"bytes"
---@field data moth.json  a string, or what the JSON says
---@field text? string   the same when it is text
---@field json? string   the text of data that came as JSON
---@field time number    when it was sent: seconds since 1970, by the sender's clock
---@field hops integer   links it came over
---@field path? string[]  the first 16 digits of the ids of its relays, when the sender asked for them
---@field re? integer    the message of ours that it answers
---@field durable boolean      it was kept until it arrived
---@field broadcast boolean    it went to everybody
---@field auto boolean         a program answered: no hear and no command gets it
---@field redelivered boolean  it may have been given before, to a process that ended before it was handled
--- Example: node:on("message", function(msg) log.info(msg.name, msg.type, msg.text) end)
local msg = {}

--- Answers the sender, durably. Returns at once.
---@param data moth.json
---@return moth.sent? m, string? why, string? code  as node:send
--- Example: msg:reply("thank you")
function msg:reply(data) end

--- Sends the sender a question and waits for the next text from there, or the next that matches.
---@async
---@param text string
---@param options? { match: string, timeout: moth.span }  match=: a pattern; timeout="2m"
---@return string? text, string ...  the answer and the captures; or nil, why, "timeout"
--- Example: local size = msg:ask("Which size?", { match = "^[SML]$", timeout = "5m" })
function msg:ask(text, options) end

--- A message of ours. pending < queued (kept on the disk) < sent < carried < delivered; it ends delivered, expired,
--- refused, cancelled, or lost.
---@class moth.sent
---@field id integer
---@field to string        an id
---@field name string      the name of that peer
---@field state "pending"|"queued"|"sent"|"carried"|"delivered"|"expired"|"refused"|"cancelled"|"lost"
---@field reason? string   the word that says why
---@field why? string      the sentence
---@field refusal? string  what the other end said to it last
---@field time number      of the last change of its state: seconds since 1970
---@field accepted number  when it was sent
---@field tries integer
---@field bytes integer
---@field carriers integer  others that hold a copy
---@field by? string       the id of who carries it
---@field by_name? string
--- Example: local m = node:send("eva", "hello") print(m.state, m.why)
local m = {}

--- Waits until it has that state or a later one.
---@async
---@param state "pending"|"queued"|"sent"|"carried"|"delivered"
---@param span? moth.span  how long at most; for ever unless given
---@return true? ok, string? why, string? code  timeout, or the state in which it ended
--- Example: local ok, why = m:wait("delivered", "10s")
function m:wait(state, span) end

--- Gives it up. What is under way may arrive all the same.
---@return true? ok, string? why, string? code  not_found, store
--- Example: m:cancel()
function m:cancel() end
