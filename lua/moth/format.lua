--- How things look: numbers with units, ids, tables, wrapped text, strings in DOT.
--
-- Everything here returns plain text of one or more lines without a last line end, at most 80 columns wide
-- where the content allows it.

local core = require "moth.core"

local format = {}

local WIDTH = 80
local WIDE_FROM = 0x1100 -- characters from here on may take two columns
local BLANK = 0x20
local FOLD = "  "        -- before what follows of a broken line

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

local function columns(text)
  return utf8.len(text) or #text
end

--- Something a person or a peer wrote, inside a sentence: safe, and cut when it is long.
---@param text string
---@return string
function format.shown(text)
  local safe = core.safe(text:sub(1, 160))
  if columns(safe) <= 40 then return safe end
  return safe:sub(1, utf8.offset(safe, 41) - 1) .. "..."
end

--- A name in a column of a table.
---@param text string
---@param width integer  columns at most
---@return string
function format.cut(text, width)
  if columns(text) <= width then return text end
  local at = utf8.len(text) and utf8.offset(text, width) or width
  return text:sub(1, at - 1) .. "~"
end

local function pad(text, width, to_right)
  local blanks = (" "):rep(width - columns(text))
  return to_right and blanks .. text or text .. blanks
end

--- Rows of texts as columns that line up.
---@param rows string[][]
---@param right? table<integer, boolean>  the columns that end flush
---@return string
function format.table(rows, right)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, columns(cell)) end
  end
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do cells[i] = pad(cell, widths[i], right and right[i]) end
    lines[#lines + 1] = (table.concat(cells, "  "):gsub(" +$", ""))
  end
  return table.concat(lines, "\n")
end

--- Breaks `text` between words.
---@param text string
---@param indent? integer   blanks before each line but the first
---@return string
function format.wrap(text, indent)
  local lines, line = {}, nil
  local blanks = (" "):rep(indent or 0)
  for word in text:gmatch("%S+") do
    if not line then
      line = word
    elseif columns(line) + 1 + columns(word) <= WIDTH then
      line = line .. " " .. word
    else
      lines[#lines + 1] = line
      line = blanks .. word
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

--- Breaks a line that is wider than a terminal, behind a blank if one is near, and indents what follows: a terminal
--- itself goes on at the left edge, where a part of somebody's message could pass for a line of ours.
---@param line string  safe
---@return string
function format.fold(line)
  local parts, start, used = {}, 1, 0
  local word, word_used = nil, 0 -- where the last word starts, and the columns before it
  for at, code in utf8.codes(line) do
    local width = code < WIDE_FROM and 1 or 2
    if used + width > WIDTH then
      local from = word or at
      parts[#parts + 1] = line:sub(start, from - 1)
      start, used, word = from, #FOLD + (word and used - word_used or 0), nil
    end
    used = used + width
    if code == BLANK and used > WIDTH // 2 then word, word_used = at + 1, used end
  end
  parts[#parts + 1] = line:sub(start)
  return table.concat(parts, "\n" .. FOLD)
end

--- A string of the DOT language.
---@param text string
---@return string
function format.dot_string(text)
  return '"' .. core.safe(text):gsub('[\\"]', "\\%0") .. '"'
end

return format
