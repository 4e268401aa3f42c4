--- What `node:command` takes: "add <a:number> <b:number> [note...]" read once, then matched against what people type.
--
-- `<x>` has to be there, `[x]` may be missing, and `...` takes the rest of the line; only the last one can. A type is
-- one of those below or a choice of words, `<size:S|M|L>`.

local grammar = {}

local SPEC_BYTES_MAX = 1000
local PARAMETERS_MAX = 32
local TEXT_BYTES_MAX = 65536 -- of what people type behind the name

---@class grammar.parameter
---@field name string
---@field convert fun(word: string): any  nil: it cannot be
---@field is_optional boolean
---@field is_rest boolean

---@class grammar.command
---@field word string
---@field usage string
---@field parameters grammar.parameter[]

local BOOLEANS = { ["true"] = true, yes = true, on = true, ["false"] = false, no = false, off = false }

-- By the name of the type. `tools` resolves what only the node knows.
local function converters(tools)
  return {
    string = function(word) return word end,
    integer = function(word) return math.tointeger(tonumber(word)) end,
    number = function(word) return tonumber(word) end,
    boolean = function(word) return BOOLEANS[word:lower()] end,
    duration = function(word) return (tools.seconds(tonumber(word) or word)) end,
    peer = function(word) return (tools.resolve(word)) end,
  }
end

local function choice(words)
  local is_one = {}
  for word in words:gmatch("[^|]+") do is_one[word] = true end
  return function(word) return is_one[word] and word or nil end
end

local function parameter(text, tools)
  local open, inside, close = text:match("^([<%[])(.-)([>%]])$")
  if open .. close ~= "<>" and open .. close ~= "[]" then return nil end
  local name, kind, dots = inside:match("^([%a_][%w_]*):?([%w_|]-)(%.?%.?%.?)$")
  if not name or dots ~= "" and dots ~= "..." then return nil end
  local convert = kind:find("|", 1, true) and choice(kind) or converters(tools)[kind == "" and "string" or kind]
  if not convert or dots ~= "" and kind ~= "" and kind ~= "string" then return nil end
  return { name = name, convert = convert, is_optional = open == "[", is_rest = dots ~= "" }
end

local function check_order(parameters)
  for i, p in ipairs(parameters) do
    local after = parameters[i + 1]
    if after and p.is_rest then return "what takes the rest has to come last" end
    if after and p.is_optional and not after.is_optional then return "what may be missing has to come last" end
  end
end

--- nil and a sentence when the spec cannot be read.
---@param spec string
---@param tools { seconds: fun(span), resolve: fun(peer) }
---@return grammar.command?, string?
function grammar.parse(spec, tools)
  if #spec > SPEC_BYTES_MAX then return nil, ("a command is described in %d bytes"):format(SPEC_BYTES_MAX) end
  local word, rest = spec:match("^%s*([^%s<%[]+)%s*(.*)$")
  if not word then return nil, "a command starts with its name" end
  local parameters = {}
  for text in rest:gmatch("%S+") do
    local p = text:find("^[<%[].*[>%]]$") and parameter(text, tools)
    if not p then return nil, ("\"%s\" is no parameter; they look like <a>, <n:integer>, [note...]"):format(text) end
    parameters[#parameters + 1] = p
  end
  if #parameters > PARAMETERS_MAX then return nil, ("a command has at most %d parameters"):format(PARAMETERS_MAX) end
  local why = check_order(parameters)
  if why then return nil, why end
  return { word = word, usage = spec:match("^%s*(.*%S)"), parameters = parameters }
end

--- The arguments in `text`, what follows the command's name: values and their count, or nil.
---@param command grammar.command
---@param text string
---@return table? values, integer? count
function grammar.match(command, text)
  local values = {}
  if #text > TEXT_BYTES_MAX then return nil end
  for i, p in ipairs(command.parameters) do
    local word, rest = text:match("^%s*(%S+)(.*)$")
    if not word then
      if not p.is_optional then return nil end
      return values, #command.parameters
    end
    if p.is_rest then word, rest = text:match("^%s*(.*%S)"), "" end
    values[i] = p.convert(word)
    if values[i] == nil then return nil end
    text = rest
  end
  if text:find("%S") then return nil end
  return values, #command.parameters
end

return grammar
