--- Says what a line is: a command, Lua, a text for somebody, or nothing.
--
-- The rules are asked in this order. In talk mode: `/word` is a command, `//x` the text `/x`, all else text. Otherwise:
-- blanks and comments are nothing; `=EXPR` is Lua and `/word` a command; the name of a command is one unless `=` or
-- `(` follows; then whatever the compiler takes is Lua; what it would take with more lines behind is "more"; and what
-- starts like a sentence, with a word that means nothing in Lua, is an unknown command. Nothing is ever run here, and
-- no line costs more than a walk over it: the patterns never go back over what they have read.

local format = require "moth.format"

local classifier = {}

---@class classifier.context
---@field is_command fun(name: string): boolean
---@field nearest fun(word: string): string?  the name of a command
---@field compile fun(source: string): function?, string?  text only
---@field is_defined fun(name: string): boolean  a global of the session
---@field talk? boolean

local LUA_BYTES_MAX = 1000000
local TOKEN_BYTES_MAX = 40     -- of what the compiler quotes
local ADDRESS_BYTES_MAX = 300
local HINT_BYTES_MAX = 1000
local PORT = 6684              -- where nodes listen unless told otherwise

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true until
  while]]):gmatch("%a+") do
  KEYWORDS[word] = true
end

classifier.KEYWORDS = KEYWORDS

-- Without the blanks at its end.
local function trimmed(text)
  return text:match("^.*%S") or ""
end

-- --- comments ---

-- Where the comment ends that starts at `at`; nil when there is none. `#` starts one as in the files of a shell; right
-- before a word it is Lua's length.
local function comment_end(text, at)
  local level = text:match("^%-%-%[(=*)%[", at)
  if level then
    local _, close = text:find("]" .. level .. "]", at, true)
    return close and close + 1
  end
  if not text:find("^%-%-", at) and not text:find("^#[%s!]", at) and not text:find("^#$", at) then return nil end
  return text:find("\n", at, true) or #text + 1
end

-- The text from its first character that is no comment; nil: there is none.
local function code_of(text)
  local at = text:find("%S")
  while at do
    local behind = comment_end(text, at)
    if not behind then return trimmed(text:sub(at)) end
    at = text:find("%S", behind)
  end
end

-- --- commands that are none ---

local function unknown(word, typed, slash, context)
  local nearest = context.nearest(word)
  local hint = nearest and ("did you mean %s%s?"):format(slash, nearest) or slash .. "help shows all"
  if context.talk then hint = hint .. " (typed with two, //, it is text)" end
  return "unknown", ("unknown command \"%s\"; %s"):format(format.shown(typed), hint)
end

-- HOST:PORT of what looks like one; without a port, the usual one.
local function address_in(word, behind)
  if #word > ADDRESS_BYTES_MAX then return nil end
  local port = behind:match("^%s+(%d+)$") or ("%d"):format(PORT)
  if word:find("^%d+%.%d+%.%d+%.%d+$") or word:find("^%[[%x:.]*:[%x:.]*%]$") then return word .. ":" .. port end
  if word:find("^[%x:]+$") and word:find("::", 1, true) then return ("[%s]:%s"):format(word, port) end
  local host = word:match("^([%w.-]+):%d+$") or word:match("^(%[[%x:.]*:[%x:.]*%]):%d+$")
  return host and not host:find("^%d+$") and word or nil
end

-- What somebody pasted that only needs the command before it.
local function misses_command(word, behind)
  local address = address_in(word, behind)
  if address then
    return ("\"%s\" is an address; did you mean connect %s?"):format(format.shown(word), format.shown(address))
  end
  if word:find("^moth%d+:[%w_-]+$") then return "that is an invitation; to accept it, type join in front of it" end
end

-- --- Lua ---

-- The tokens that the compiler quotes may be as long as the line.
local function with_short_token(why)
  local at, from = why:find(" near '", 1, true)
  local token = at and why:sub(-1) == "'" and why:sub(from + 1, -2)
  if not token or #token <= TOKEN_BYTES_MAX then return why end
  return ("%s near '%s'"):format(why:sub(1, at - 1), format.shown(token))
end

-- Without the name of the chunk; the number of the line only where there are several.
local function plain(why, text)
  local line, what = why:match("^[^\n]-:(%d+): (.*)$")
  if not line then return with_short_token(why) end
  local place = text:find("\n", 1, true) and ("line %s: "):format(line) or ""
  return place .. with_short_token(what)
end

-- The error of the road that led further into the text.
local function better(text, as_expression, as_statement)
  local token = as_statement:match("unexpected symbol near '(.*)'$")
  local is_at_start = token and text:sub(1, #token) == token
  return is_at_start and not KEYWORDS[token] and as_expression or as_statement
end

-- The compiler's own stack is small, and its message for that passes whatever handler the caller has installed.
local function compile_once(source, context)
  local chunk, why = context.compile(source)
  if chunk then return chunk end
  if not why or why:find("^C stack overflow") then why = "it is nested too deeply" end
  return nil, why
end

-- An expression, or statements. A line end stands behind: an error at the end then means that lines are missing, also
-- where a string is not closed that could not go on in the next one.
local function compile(text, context)
  if #text > LUA_BYTES_MAX then
    return nil, ("that is too long for Lua: at most %s bytes"):format(format.count(LUA_BYTES_MAX))
  end
  local chunk, as_expression = compile_once("return " .. text .. "\n", context)
  if chunk then return chunk end
  local as_statement
  chunk, as_statement = compile_once(text .. "\n", context)
  if chunk then return chunk end
  local is_open = as_expression:find("near <eof>$") or as_statement:find("near <eof>$")
  return nil, plain(better(text, as_expression, as_statement), text), is_open ~= nil
end

-- A sentence in a human language, not Lua: it starts with a word that has no meaning there, and no assignment gives it
-- one. What could still become Lua has to look even more like it.
local function is_prose(word, behind, is_open, context)
  local name = word:match("^[%a_][%w_]*")
  if not word:find("^[%a\128-\255][%w_.'\128-\255-]*[!?,;:]*$") then return false end
  if name and (KEYWORDS[name] or context.is_defined(name) or context.is_command(word)) then return false end
  local next_word = behind:match("^%s*(.*)$")
  if not is_open then return not next_word:find("^[^%w%s'\"]*=") end
  if word:find(",$") then return false end
  return word:find("'") or next_word:find("^[%w_'\"\128-\255]") or next_word == "" and word:find("[.:]$")
end

local function lua(text, context)
  local word, behind = text:match("^(%S+)(.*)$")
  local is_lone = behind == "" and word:find("^[%a_][%w_]*$") and not KEYWORDS[word]
  if is_lone and not context.is_defined(word) then return unknown(word, word, "", context) end
  local chunk, why, is_open = compile(text, context)
  if chunk then return "lua", chunk end
  local advice = misses_command(word, behind)
  if advice then return "unknown", advice end
  if is_prose(word, behind, is_open, context) then
    return unknown(word:match("^.*[^.!?,;:]"), word, "", context)
  end
  if is_open then return "more", why end
  local name = word:match("^%l+")
  if name and context.is_command(name) then why = ("%s; the command is /%s"):format(why, name) end
  return "error", why
end

-- Behind the `=` that says so.
local function surely_lua(text, context)
  local code = text:match("^=%s*(.*)$")
  if code == "" then return "error", "an expression follows the =, as in =1+2" end
  local chunk, why, is_open = compile(code, context)
  if chunk then return "lua", chunk end
  return is_open and "more" or "error", why
end

-- --- the rules ---

-- Behind the `/` that says so.
local function surely_command(text, context)
  local word, rest = text:match("^/(%S*)%s*(.*)$")
  if context.is_command(word) then return "command", word, rest end
  if word ~= "" then return unknown(word, "/" .. word, "/", context) end
  if context.talk then return "unknown", "/leave ends talking; a text that starts with / is typed with two: //" end
  return "unknown", "a command follows the /, as in /list; help shows all"
end

-- A paste is one text, as it is.
local function talk(text, context)
  text = trimmed(text)
  if text == "" then return "nothing" end
  if text:sub(1, 1) ~= "/" or text:find("\n", 1, true) then return "text", text end
  if text:sub(2, 2) == "/" then return "text", text:sub(2) end
  return surely_command(text, context)
end

--- What a line is:
---   "nothing"
---   "text", TEXT            to send, in talk mode
---   "command", NAME, REST   REST without blanks around it
---   "lua", CHUNK
---   "more", SENTENCE        Lua whose end is missing; the sentence is for when no more lines come
---   "unknown", SENTENCE     no command of that name
---   "error", SENTENCE       Lua that does not compile
---@param text string  for Lua of several lines all of them
---@param context classifier.context
---@return string kind, any, string?
function classifier.classify(text, context)
  if context.talk then return talk(text, context) end
  local code = code_of(text)
  if not code then return "nothing" end
  local first = code:sub(1, 1)
  if first == "=" then return surely_lua(code, context) end
  if first == "/" then return surely_command(code, context) end
  local word, rest = code:match("^(%S+)%s*(.*)$")
  if context.is_command(word) and not rest:find("^[=(]") then return "command", word, rest end
  return lua(code, context)
end

-- --- advice ---

local function remark(names)
  if #names == 1 then return ("%s ends with its line; without local it stays"):format(names[1]) end
  return ("%s end with their line; without local they stay"):format(table.concat(names, ", "))
end

local function compiles(source)
  return load(source, "=hint", "t") ~= nil
end

--- A remark on a line that only makes locals, which end with it; nil for others.
---@param text string
---@return string?
function classifier.local_hint(text)
  if #text > HINT_BYTES_MAX then return nil end
  local name, rest = text:match("^%s*local%s+function%s+([%a_][%w_]*)(.*)$")
  if name then return compiles("return function" .. rest) and remark { name } or nil end
  local list, value = text:match("^%s*local%s+([%w_%s,<>]+)=(.*)$")
  list = list or text:match("^%s*local%s+([%w_%s,<>]+);?%s*$")
  if not list or value and not value:find("%S") then return nil end
  if not compiles(value and "return " .. value or "local " .. list) then return nil end
  local names = {}
  for one in (list:gsub("<.->", "")):gmatch("[%a_][%w_]*") do names[#names + 1] = one end
  return remark(names)
end

--- What an error says, with the command that was probably meant where it is about an undefined name.
---@param why string  as Lua gave it
---@param context classifier.context
---@return string
function classifier.explain(why, context)
  local from, to, name = why:find("undefined global '([^'\n]*)'")
  if not from then return why end
  local before, behind = why:sub(1, from - 1), why:sub(to + 1)
  if context.is_command(name) then
    behind = behind:gsub("^; did you mean [^\n]*", "")
    return ("%s'%s' is a command, not a name of Lua; help %s shows how it is used%s"):format(before, name, name, behind)
  end
  local nearest = context.nearest(name)
  if not nearest then return why end
  local meant = behind:match("^; did you mean ([^?\n]*)%?")
  if not meant then return ("%s; did you mean the command %s?%s"):format(why:sub(1, to), nearest, behind) end
  if meant == nearest then return why end
  return (why:gsub("; did you mean ([^?\n]*)%?", "; did you mean %1, or the command " .. nearest .. "?", 1))
end

return classifier
