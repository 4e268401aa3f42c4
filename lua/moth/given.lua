--- What a lab file gives, checked: who gave something else is told so at their own line, whatever of ours lies between.

local core = require "moth.core"
local suggest = require "moth.suggest"
local task = require "moth.task"

local LEVELS_MAX = 30
local SPAN_MAX = 1e9 -- seconds

local given = {}

--- An error at the line of the lab file that called us.
---@param text string
function given.refuse(text)
  for level = 2, LEVELS_MAX do
    local site = task.site(level)
    if site and not site:find("^moth/") then error(site .. ": " .. text, 0) end
  end
  error(text, 0)
end

local refuse = given.refuse

local function shown(value)
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

---@param what string  as in "the name of a node"
---@return any value
function given.a(kind, value, what)
  if type(value) == kind then return value end
  refuse(("%s is a %s, not %s"):format(what, kind, shown(value)))
end

--- A table with no other keys than those; without one an empty one.
---@param known table<string, any>
---@param what string  as in "a node"
---@return table
function given.options(value, known, what)
  if value == nil then return {} end
  if type(value) ~= "table" or getmetatable(value) ~= nil then
    refuse(("the options of %s are a table, not %s"):format(what, shown(value)))
  end
  local names = {}
  for key in pairs(known) do names[#names + 1] = key end
  table.sort(names)
  for key in pairs(value) do
    if not known[key] then
      local near = type(key) == "string" and suggest.nearest(key, names)
      local hint = near and ("did you mean %s?"):format(near) or "there are " .. table.concat(names, ", ")
      refuse(("%s has no option %s; %s"):format(what, tostring(key), hint))
    end
  end
  return value
end

--- Seconds, of a number or a text like "250ms".
---@param what string
---@param may_be_negative? boolean
---@return number
function given.span(value, what, may_be_negative)
  local kind, seconds, why = type(value), nil, "a time span is seconds or a text like 250ms or 1h30m"
  if kind == "number" or kind == "string" then seconds, why = core.seconds(value) end
  if not seconds then refuse(("%s: %s, not %s"):format(what, why, shown(value))) end
  local least = may_be_negative and -SPAN_MAX or 0
  if not (seconds >= least and seconds <= SPAN_MAX) then
    refuse(("%s: %s is no time span that makes sense here"):format(what, shown(value)))
  end
  return seconds
end

--- `KEY`, or `KEY; did you mean NAME?`
---@param names table<string, any>  what there is
---@return string
function given.missing(key, names)
  local list = {}
  for name in pairs(names) do list[#list + 1] = name end
  table.sort(list)
  local near = type(key) == "string" and suggest.nearest(key, list)
  return tostring(key) .. (near and ("; did you mean %s?"):format(near) or "")
end

---@param what string
---@return integer
function given.whole(value, what, least, most)
  if math.type(value) == "integer" and value >= least and value <= (most or math.maxinteger) then return value end
  local range = most and ("from %d to %d"):format(least, most) or ("from %d on"):format(least)
  refuse(("%s is a whole number %s, not %s"):format(what, range, shown(value)))
end

---@param what string
---@return boolean?
function given.switch(value, what)
  if value == nil or type(value) == "boolean" then return value end
  refuse(("%s is true or false, not %s"):format(what, shown(value)))
end

return given
