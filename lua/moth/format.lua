--- How things look: numbers with units, ids, times, strings in DOT; and, from lines.lua and grid.lua, lines and tables
-- that fit.
--
-- Everything here returns plain text of one or more lines without a last line end.

local core = require "moth.core"
local grid = require "moth.grid"
local lines = require "moth.lines"

local SHOWN_BYTES = 160
local SHOWN_COLUMNS = 40

local format = {
  WIDTH = lines.WIDTH, columns = lines.columns, cut = lines.cut, wrap = lines.wrap, fold = lines.fold,
  table = grid.table, list = grid.list,
}

--- How people see an id: its first 8 digits.
---@param id string
---@return string
function format.id8(id)
  return id:sub(1, 8)
end

--- A message's number as it is shown everywhere.
---@param id integer
---@return string
function format.hex(id)
  return ("%x"):format(id)
end

---@param n integer
---@return string  1234567 is "1,234,567"
function format.count(n)
  local digits = ("%d"):format(n)
  local head = (#digits - 1) % 3 + 1
  return digits:sub(1, head) .. digits:sub(head + 1):gsub("...", ",%0")
end

---@param n integer
---@param noun string
---@return string  "1 message", "2 messages"
function format.plural(n, noun)
  return ("%s %s%s"):format(format.count(n), noun, n == 1 and "" or "s")
end

local BYTE_UNITS = { "KiB", "MiB", "GiB", "TiB" }

---@param n integer
---@return string  "812 bytes", "1.5 KiB"
function format.bytes(n)
  if n < 1024 then return format.plural(n, "byte") end
  local value, unit = n / 1024, 1
  while value >= 1024 and BYTE_UNITS[unit + 1] do value, unit = value / 1024, unit + 1 end
  return ("%.1f %s"):format(value, BYTE_UNITS[unit])
end

--- A round trip.
---@param ms number?  nil: not measured
---@return string
function format.rtt(ms)
  if not ms then return "-" end
  return ms < 10 and ("%.1f ms"):format(ms) or ("%.0f ms"):format(ms)
end

local DURATION_UNITS = { { "d", 86400 }, { "h", 3600 }, { "min", 60 }, { "s", 1 } }

--- The two largest units of a time span.
---@param seconds number
---@return string  "0 s", "42 s", "3 min 4 s", "2 d 5 h"
function format.duration(seconds)
  local left, parts = math.floor(seconds), {}
  for _, unit in ipairs(DURATION_UNITS) do
    local n = left // unit[2]
    left = left % unit[2]
    if n > 0 then parts[#parts + 1] = ("%d %s"):format(n, unit[1]) end
    if n == 0 and #parts > 0 or #parts == 2 then break end
  end
  return parts[1] and table.concat(parts, " ") or "0 s"
end

--- Something a person or a peer wrote, inside a sentence: safe, and cut when it is long.
---@param text string
---@return string
function format.shown(text)
  local safe = core.safe(text:sub(1, SHOWN_BYTES))
  if core.columns(safe) <= SHOWN_COLUMNS then return safe end
  return safe:sub(1, core.fit(safe, SHOWN_COLUMNS)) .. "..."
end

--- The day and the time of day.
---@param seconds number  since 1970
---@return string
function format.time(seconds)
  return os.date("%Y-%m-%d %H:%M:%S", math.floor(seconds)) --[[@as string]]
end

--- A string of the DOT language.
---@param text string
---@return string
function format.dot_string(text)
  return '"' .. core.safe(text):gsub('[\\"]', "\\%0") .. '"'
end

return format
