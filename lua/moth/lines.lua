--- Lines that fit a terminal: their columns, cut, broken between words, folded anywhere.
--
-- Columns are those of the screen (core.columns): a wide character takes two, a combining one none.

local core = require "moth.core"

local FOLD = "  " -- before what follows of a folded line

local lines = { WIDTH = 80 } -- where there is no terminal

lines.columns = core.columns

--- A name in a column of a table.
---@param text string
---@param width integer  columns at most, three at least
---@return string
function lines.cut(text, width)
  if core.columns(text) <= width then return text end
  return text:sub(1, core.fit(text, width - 1)) .. "~"
end

--- Breaks `text` between words; one that is longer than a line has a line of its own.
---@param text string
---@param indent? integer   blanks before each line but the first
---@param width? integer
---@return string
function lines.wrap(text, indent, width)
  width = width or lines.WIDTH
  local rows, row, used = {}, nil, 0
  local blanks = (" "):rep(indent or 0)
  for word in text:gmatch("%S+") do
    local columns = core.columns(word)
    if not row then
      row, used = word, columns
    elseif used + 1 + columns <= width then
      row, used = row .. " " .. word, used + 1 + columns
    else
      rows[#rows + 1] = row
      row, used = blanks .. word, #blanks + columns
    end
  end
  rows[#rows + 1] = row
  return table.concat(rows, "\n")
end

-- Behind the last blank of the piece, if that is not too near its beginning; else nil.
local function after_blank(piece, least)
  local head = piece:match("^.* ")
  return head and core.columns(head) > least and #head or nil
end

--- Breaks a line that is wider than a terminal, behind a blank if one is near, and indents what follows: a terminal
--- itself goes on at the left edge, where a part of somebody's message could pass for a line of ours.
---@param line string  safe
---@param width? integer
---@return string
function lines.fold(line, width)
  width = width or lines.WIDTH
  local parts, start, room = {}, 1, width
  while true do
    local last = math.max(core.fit(line, math.max(room, 2), start), start)
    if last >= #line then break end
    local blank = after_blank(line:sub(start, last), width // 2 - (width - room))
    if blank then last = start + blank - 1 end
    parts[#parts + 1] = line:sub(start, last)
    start, room = last + 1, width - #FOLD
  end
  parts[#parts + 1] = line:sub(start)
  return table.concat(parts, "\n" .. FOLD)
end

return lines
