--- What must hold in a network: now, always, or within a time.

local core = require "moth.core"
local given = require "moth.given"
local task = require "moth.task"

local world = core.lab

local LOOK_SECONDS = 0.01 -- between two looks at what is to become true

local checks = {}

local function reason(why, ...)
  if why == nil then return "what was expected is not so" end
  if type(why) == "function" then return tostring(why(...)) end
  return tostring(why)
end

---@param class table  a network: gets the methods
function checks.add(class)
  --- Fails unless `value` is true; returns it.
  function class:expect(value, why, ...)
    if value then return value, why, ... end
    given.refuse(reason(why))
  end

  --- From now on fn() must return true after every event.
  ---@param name string
  function class:always(name, fn)
    given.a("string", name, "what always holds, its name,")
    given.a("function", fn, "what is asked after every event")
    self.rules[#self.rules + 1] = { name = name, fn = fn, wanted = true }
    world.has_checks(true)
  end

  --- From now on fn() must not return true after any event.
  ---@param name string
  function class:never(name, fn)
    given.a("string", name, "what is never so, its name,")
    given.a("function", fn, "what is asked after every event")
    self.rules[#self.rules + 1] = { name = name, fn = fn, wanted = false }
    world.has_checks(true)
  end

  --- Waits until fn() returns something true, and returns that; fails when it does not within the time. (waits)
  ---@param span number|string
  ---@param why? string
  function class:eventually(span, fn, why)
    local stop_us = task.deadline(given.span(span, "the time of eventually"))
    given.a("function", fn, "what eventually asks")
    while true do
      local value, said = fn()
      if value then return value end
      if core.now() >= stop_us then
        given.refuse(("not so within %s: %s"):format(tostring(span), reason(why or said)))
      end
      task.sleep(math.min(LOOK_SECONDS, (stop_us - core.now()) / 1000000))
    end
  end

  --- Looks whether all rules hold.
  function class:check()
    for _, rule in ipairs(self.rules) do
      local value, why = rule.fn()
      if (not not value) ~= rule.wanted then
        local what = rule.wanted and "always: %s does not hold" or "never: %s is so"
        error(what:format(rule.name) .. (why and ", " .. tostring(why) or ""), 0)
      end
    end
  end
end

function checks.open(net)
  net.rules = {}
end

return checks
