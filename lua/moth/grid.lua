--- Tables that fit: columns that line up, in no more columns than the screen has.
--
-- What fits is never cut. When a table is too wide, this happens until it is not, in this order: its last column wraps
-- under itself; other columns that may are cut, the widest first, which a ~ shows; columns that may go leave, the least
-- important first. When all of that is not enough, what stands last goes below its row.

local core = require "moth.core"
local lines = require "moth.lines"

local GAP = "  "
local WIDTH_LEAST = 20 -- of a table: nobody can read a narrower one
local LAST_LEAST = 16  -- of a last column that wraps, unless the table says otherwise
local CUT_LEAST = 3    -- of others, when nothing else helps
local BELOW = 2        -- how far what stands below its row is indented

local grid = {}

---@class grid.options
---@field width? integer                  80
---@field right? table<integer, boolean>  the columns that end flush
---@field least? table<integer, integer>  the columns that may be narrower than what is in them, and how narrow
---@field drop? integer[]                 the columns that may go, in that order
---@field below? integer

---@class grid.column
---@field head string
---@field cell fun(entry: any): string
---@field right? boolean
---@field least? integer
---@field drop? integer  1 goes first

-- --- how wide the columns are ---

local function natural(rows, kept)
  local widths = {}
  for place, i in ipairs(kept) do
    widths[place] = 0
    for _, row in ipairs(rows) do widths[place] = math.max(widths[place], core.columns(row[i] or "")) end
  end
  return widths
end

-- How much the columns are wider than the table may be.
local function excess_of(widths, width)
  local sum = #GAP * (#widths - 1)
  for _, one in ipairs(widths) do sum = sum + one end
  return sum - width
end

local function widest(widths, least)
  local found
  for place, one in ipairs(widths) do
    local may = least[place] and one > least[place]
    if may and (not found or one > widths[found]) then found = place end
  end
  return found
end

-- Makes columns narrower, the widest first. What is too much all the same.
local function cut_columns(widths, least, excess)
  while excess > 0 do
    local place = widest(widths, least)
    if not place then break end
    widths[place], excess = widths[place] - 1, excess - 1
  end
  return excess
end

-- The widths of the columns that are kept, and what is too much all the same.
local function fit(rows, kept, options, width)
  local widths, least = natural(rows, kept), {}
  for place, i in ipairs(kept) do least[place] = options.least and options.least[i] end
  local excess = cut_columns(widths, { [#kept] = least[#kept] or LAST_LEAST }, excess_of(widths, width))
  least[#kept] = nil
  return widths, cut_columns(widths, least, excess)
end

-- The last column is to stand below the others, which have the row for themselves.
local function force(widths, width)
  local least = {}
  widths[#widths] = 0
  for place = 1, #widths - 1 do least[place] = CUT_LEAST end
  cut_columns(widths, least, excess_of(widths, width))
end

local function without(kept, i)
  local rest = {}
  for _, one in ipairs(kept) do
    if one ~= i then rest[#rest + 1] = one end
  end
  return rest
end

local function all_columns(rows)
  local kept, count = {}, 0
  for _, row in ipairs(rows) do count = math.max(count, #row) end
  for i = 1, count do kept[i] = i end
  return kept
end

local function lay_out(rows, options, width)
  local kept = all_columns(rows)
  local widths, excess = fit(rows, kept, options, width)
  for _, i in ipairs(options.drop or {}) do
    if excess <= 0 then break end
    kept = without(kept, i)
    widths, excess = fit(rows, kept, options, width)
  end
  if excess > 0 then force(widths, width) end
  return kept, widths
end

-- --- rows ---

local function pad(text, width, to_right)
  local blanks = (" "):rep(width - core.columns(text))
  return to_right and blanks .. text or text .. blanks
end

local function longest_word(text)
  local most = 0
  for word in text:gmatch("%S+") do most = math.max(most, core.columns(word)) end
  return most
end

-- Under itself behind the others, or below them all where a word of it has no room there.
local function add_last(out, lead, text, room, width, below)
  if core.columns(text) <= room then
    out[#out + 1] = (lead .. text):gsub(" +$", "")
  elseif longest_word(text) <= room then
    local blanks = (" "):rep(core.columns(lead))
    out[#out + 1] = lead .. lines.wrap(text, 0, room):gsub("\n", "\n" .. blanks)
  else
    local blanks = (" "):rep(below)
    if lead:find("%S") then out[#out + 1] = lead:gsub(" +$", "") end
    for row in (lines.wrap(text, 0, width - below) .. "\n"):gmatch("(.-)\n") do
      out[#out + 1] = blanks .. lines.fold(row, width - below):gsub("\n", "\n" .. blanks)
    end
  end
end

local function add_row(out, row, kept, widths, options, width)
  local cells, last = {}, #kept
  for place = 1, last - 1 do
    local i = kept[place]
    cells[place] = pad(lines.cut(row[i] or "", widths[place]), widths[place], options.right and options.right[i]) .. GAP
  end
  local text, is_right = row[kept[last]] or "", options.right and options.right[kept[last]]
  if is_right and core.columns(text) < widths[last] then text = pad(text, widths[last], true) end
  add_last(out, table.concat(cells), text, widths[last], width, options.below or BELOW)
end

--- Rows of texts as a table; the last column has the text that people write.
---@param rows string[][]
---@param options? grid.options
---@return string
function grid.table(rows, options)
  options = options or {}
  local width, out = math.max(options.width or lines.WIDTH, WIDTH_LEAST), {}
  local kept, widths = lay_out(rows, options, width)
  for _, row in ipairs(rows) do add_row(out, row, kept, widths, options, width) end
  return table.concat(out, "\n")
end

-- --- columns with a head ---

local function options_of(columns, width)
  local options = { width = width, right = {}, least = {}, drop = {} }
  for i, column in ipairs(columns) do
    options.right[i], options.least[i] = column.right, column.least
    if column.drop then options.drop[#options.drop + 1] = i end
  end
  table.sort(options.drop, function(a, b) return columns[a].drop < columns[b].drop end)
  return options
end

local function rows_of(columns, entries)
  local rows = { {} }
  for i, column in ipairs(columns) do rows[1][i] = column.head end
  for n, entry in ipairs(entries) do
    rows[n + 1] = {}
    for i, column in ipairs(columns) do rows[n + 1][i] = column.cell(entry) end
  end
  return rows
end

--- A line for each entry, below the heads of the columns.
---@param columns grid.column[]
---@param entries any[]
---@param width? integer
---@return string
function grid.list(columns, entries, width)
  return grid.table(rows_of(columns, entries), options_of(columns, width))
end

--- Whether no column would have to go.
---@param columns grid.column[]
---@param entries any[]
---@param width? integer
---@return boolean
function grid.has_room(columns, entries, width)
  local rows, options = rows_of(columns, entries), options_of(columns, width)
  local _, excess = fit(rows, all_columns(rows), options, width or lines.WIDTH)
  return excess <= 0
end

return grid
