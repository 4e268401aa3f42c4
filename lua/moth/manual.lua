--- The manual: what `help node.send` prints, read from the types in lua/moth/meta, so that nothing is written twice.
--
-- Only what those files use of LuaCATS is understood: a block of `---` lines above a function or a table. A type ends
-- where two blanks are; what follows is for people. A line "--- Example: ..." is an example.

local format = require "moth.format"
local suggest = require "moth.suggest"

local FILES = { "node", "message", "task", "script", "parts", "lab" }

local manual = {}
manual.__index = manual

---@class manual
---@field private entries table<string, manual.entry>
---@field private order string[]  names as they come in the files

---@class manual.entry
---@field name string        "node.send"
---@field signature string   "node:send(peer, data [, options]) -> m | nil, why, code"
---@field lines string[]     what it does
---@field parameters string[][]  a name and what is to be said of it
---@field result? string     of what it returns, or with which codes it fails
---@field has_codes boolean
---@field waits boolean
---@field example? string
---@field members? string[]  names of what is in a table

-- --- reading a block ---

-- "string? name  doc" is "string? name" and "doc".
local function split_doc(text)
  local head, doc = text:match("^(.-)  +(.*)$")
  return head or text, doc
end

local OPENING, CLOSING = { ["{"] = true, ["("] = true, ["<"] = true, ["["] = true }, { ["}"] = true, [")"] = true,
  [">"] = true, ["]"] = true }

-- The parts between the commas that stand in no brackets.
local function split_list(text)
  local parts, depth, start = {}, 0, 1
  for i = 1, #text + 1 do
    local c = text:sub(i, i)
    if OPENING[c] then depth = depth + 1 elseif CLOSING[c] then depth = depth - 1 end
    if depth == 0 and c == "," or c == "" then
      parts[#parts + 1], start = text:sub(start, i - 1), i + 1
    end
  end
  return parts
end

-- The names of "string? text, any ...".
local function returned_names(types)
  local names = {}
  for i, part in ipairs(split_list(types)) do names[i] = part:match("(%S+)$") end
  return names
end

local tags = {}

function tags.class(block)
  block.is_class = true
end

function tags.async(block)
  block.waits = true
end

function tags.field(block, text)
  local name, rest = text:match("^([%w_]+)%??%s+(.*)$")
  if not name then return end
  local type, doc = split_doc(rest)
  block.fields[#block.fields + 1] = { name = name, type = type, doc = doc }
end

function tags.param(block, text)
  local name, mark, rest = text:match("^([%w_.]+)(%??)%s+(.*)$")
  local _, doc = split_doc(rest)
  block.is_optional[name] = mark == "?"
  if doc then block.parameters[#block.parameters + 1] = { name, doc } end
end

tags["return"] = function(block, text)
  local types, doc = split_doc(text)
  block.returns, block.result = returned_names(types), doc
end

local function new_block()
  return { lines = {}, fields = {}, parameters = {}, is_optional = {}, returns = {} }
end

local function read_comment(block, text)
  local tag, rest = text:match("^@(%a+)%s*(.*)$")
  if tag then
    if tags[tag] then tags[tag](block, rest) end
    return
  end
  local example = text:match("^ Example: (.*)$")
  if example then block.example = example else block.lines[#block.lines + 1] = text:sub(2) end
end

-- --- making entries ---

local function shown_parameters(block, arguments)
  local text = ""
  for name in arguments:gmatch("[^, ]+") do
    local comma = text == "" and "" or ", "
    if block.is_optional[name] then
      text = text .. (text == "" and "[" or " [") .. comma .. name .. "]"
    else
      text = text .. comma .. name
    end
  end
  return text
end

local function shown_returns(names)
  if not names[1] then return "" end
  local text = " -> " .. names[1]
  if names[2] == "why" then text = text .. " | nil" end
  if names[2] then text = text .. ", " .. table.concat(names, ", ", 2) end
  return text
end

local function add(self, name, entry)
  entry.name = name
  entry.parameters = entry.parameters or {}
  self.entries[name] = entry
  self.order[#self.order + 1] = name
  local holder = name:match("^(.*)%.[^.]+$")
  local members = holder and self.entries[holder] and self.entries[holder].members
  if members then members[#members + 1] = name end
end

local function add_function(self, block, name, arguments)
  local returns = shown_returns(block.returns)
  add(self, name:gsub(":", "."), {
    signature = ("%s(%s)%s"):format(name, shown_parameters(block, arguments), returns),
    lines = block.lines, parameters = block.parameters, example = block.example, result = block.result,
    has_codes = returns:find("code$") ~= nil, waits = block.waits or false,
  })
end

local function add_table(self, block, name)
  add(self, name, { signature = name, lines = block.lines, example = block.example, members = {}, has_codes = false,
    waits = false })
  for _, field in ipairs(block.fields) do
    add(self, name .. "." .. field.name, { signature = ("%s.%s: %s"):format(name, field.name, field.type),
      lines = { field.doc }, has_codes = false, waits = false })
  end
end

local function read_code(self, block, line)
  local name, arguments = line:match("^function ([%w_.:]+)%((.-)%) end$")
  if name then return add_function(self, block, name, arguments) end
  name = line:match("^([%w_.]+) = {}$") or line:match("^local ([%w_]+) = {}$")
  if name then add_table(self, block, name) end
end

local function read(self, text)
  local block = new_block()
  for line in text:gmatch("([^\n]*)\n") do
    local comment = line:match("^%-%-%-(.*)$")
    if comment then
      read_comment(block, comment)
    else
      read_code(self, block, line)
      block = new_block()
    end
  end
end

--- Reads all of it.
---@param source fun(name: string): string  the text of "moth/meta/node.lua" and others
---@return manual
function manual.new(source)
  local self = setmetatable({ entries = {}, order = {} }, manual)
  for _, file in ipairs(FILES) do read(self, source(("moth/meta/%s.lua"):format(file))) end
  return self
end

-- --- looking something up ---

--- All names, in the order of the files.
---@return string[]
function manual:names()
  return table.move(self.order, 1, #self.order, 1, {})
end

--- What is said of "node.send", which may also be written "node:send" or "node:send()".
---@param name string
---@return manual.entry?
function manual:find(name)
  return self.entries[(name:gsub("%(%)$", ""):gsub(":", "."))]
end

-- The first that is called so in any table: "request" is node.request.
local function named_so(self, last)
  for _, name in ipairs(self.order) do
    if name:match("([^.]+)$") == last then return name end
  end
end

--- The name that was probably meant.
---@param name string
---@return string?
function manual:near(name)
  local plain = name:gsub("%(%)$", ""):gsub(":", ".")
  return named_so(self, plain:match("([^.]*)$")) or suggest.nearest(plain, self.order)
end

-- --- showing it ---

-- A text behind what stands at its left, broken so that its lines stand below each other.
local function hang(left, text)
  local place = ("_"):rep(#left - 1)
  return left .. format.wrap(place .. " " .. text, #left):sub(#left + 1)
end

-- Sentences flow into each other; what starts with a dash has lines of its own.
local function paragraphs(lines)
  local list = {}
  for _, line in ipairs(lines) do
    if #list == 0 or line:find("^%- ") then list[#list + 1] = line else list[#list] = list[#list] .. " " .. line end
  end
  return list
end

local function members_of(entry)
  local shown = {}
  for i, name in ipairs(entry.members) do shown[i] = name:match("([^.]+)$") end
  return table.concat(shown, " ")
end

local function rows_of(entry)
  local rows = table.move(entry.parameters, 1, #entry.parameters, 1, {})
  if entry.result then rows[#rows + 1] = { entry.has_codes and "codes" or "returns", entry.result } end
  if entry.members and entry.members[1] then rows[#rows + 1] = { "has", members_of(entry) } end
  return rows
end

--- As text for people. The example stays on one line.
---@param entry manual.entry
---@return string
function manual.show(entry)
  local lines, rows, width = { entry.signature .. (entry.waits and "   (waits)" or "") }, rows_of(entry), #"example"
  for _, row in ipairs(rows) do width = math.max(width, #row[1]) end
  local column = "  %-" .. width .. "s  "
  for _, text in ipairs(paragraphs(entry.lines)) do
    local dash, rest = text:match("^(%- )(.*)$")
    lines[#lines + 1] = hang("  " .. (dash or ""), rest or text)
  end
  for _, row in ipairs(rows) do lines[#lines + 1] = hang(column:format(row[1]), row[2]) end
  if entry.example then lines[#lines + 1] = column:format("example") .. entry.example end
  return table.concat(lines, "\n")
end

return manual
