---@meta

--- Code that runs beside other code. Every handler runs as a task; a task that waits holds up nobody. Tasks belong to
--- their script and end with it.
---@class moth.task_module
--- Example: task.spawn(function() task.sleep("5s") print("later") end)
task = {}

--- Starts a function as a task; it runs in the next turn.
---@param fn function
---@param ... any  what it gets
---@return moth.task? t, string? why, string? code  busy: 1,000 tasks of this script have not ended
--- Example: local t = task.spawn(print, "hello")
function task.spawn(fn, ...) end

--- Waits.
---@async
---@param span moth.span
--- Example: task.sleep("250ms")
function task.sleep(span) end

--- Calls a function once, after a while.
---@param span moth.span
---@param fn function
---@return moth.task? t, string? why, string? code  busy
--- Example: task.after("10s", function() node:send("eva", "ten seconds") end)
function task.after(span, fn) end

--- Calls a function once, at a time; for what has to survive a restart there is node:schedule.
---@param epoch number  seconds since 1970
---@param fn function
---@return moth.task? t, string? why, string? code  busy
--- Example: task.at(os.time() + 60, function() print("a minute") end)
function task.at(epoch, fn) end

--- Calls a function again and again. The next call never starts before the last one has ended; an error ends one call
--- only.
---@param span moth.span
---@param fn function
---@return moth.task? t, string? why, string? code  busy
--- Example: local t = task.every("1m", function() log.info(#node:links(), "links") end)
function task.every(span, fn) end

--- Runs functions side by side and waits for all: by the same keys, what each returned. An error in one ends the
--- others.
---@async
---@param functions table<any, function>
---@return table? results, string? why, string? code  failed, busy
--- Example: local r = task.all { a = function() return 1 end, b = function() return 2 end }
function task.all(functions) end

--- Runs functions side by side until the first has returned; the others end.
---@async
---@param functions table<any, function>
---@return any key, any ...  its key and what it returned; or nil, why and failed or busy
--- Example: local who = task.race { late = function() task.sleep(9) end, soon = function() task.sleep(1) end }
function task.race(functions) end

--- A task, as spawn and the others return it.
---@class moth.task
local t = {}

--- Waits for its end.
---@async
---@param span? moth.span  how long at most
---@return any ...  what its function returned; or nil, why and failed, cancelled or timeout
--- Example: local sum, why = task.spawn(add, 1, 2):join("5s")
function t:join(span) end

--- Ends it: nothing of it runs any more but its <close> variables. A second time is fine.
--- Example: t:cancel()
function t:cancel() end
