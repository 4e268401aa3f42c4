---@meta

--- This script. Three functions may be put here, called when it is reloaded: save, restore, unload.
---@class moth.script
---@field name string  the name of its file, without .lua
---@field save? fun(): any  what it returns is given to restore of the next version: plain data
---@field restore? fun(state: any)  gets what the last version saved
---@field unload? fun()  called before it ends; may not wait
--- Example: script.save = function() return count end
script = {}

--- Lines in the log of the node.
---@class moth.log
--- Example: log.info("linked to", e.name)
log = {}

--- What only a look for faults needs.
---@param ... any  joined by blanks
--- Example: log.debug("state", m.state)
function log.debug(...) end

--- What is good to know.
---@param ... any
--- Example: log.info("serving", script.name)
function log.info(...) end

--- What may be wrong.
---@param ... any
--- Example: log.warn("no answer from", msg.name)
function log.warn(...) end

--- What is wrong.
---@param ... any
--- Example: log.error("the list is empty")
function log.error(...) end

--- JSON: a value is carried exactly or refused, never changed silently. Whole numbers stay whole.
---@class moth.json_module
---@field null lightuserdata  stands for null inside of something
--- Example: json.encode { list = json.array {}, nothing = json.null }
json = {}

--- The JSON text of a value: at most 32 tables deep and 1,000,000 bytes.
---@param v moth.json
---@return string? text, string? why, string? code  argument, too_big
--- Example: print(json.encode { name = "ana", list = { 1, 2 } })
function json.encode(v) end

--- The value in a JSON text.
---@param text string
---@return any v, string? why, string? code  argument, too_big
--- Example: local v, why = json.decode('{"a": [1, 2.5, null]}')
function json.decode(text) end

--- Marks a table as a list, so that an empty one is [] and not {}.
---@param t? table  a new one unless given
---@return table t
--- Example: print(json.encode(json.array()))
function json.array(t) end

--- Parts to build with: moth.tcp, moth.frame, moth.router, moth.store, moth.message.
---@class moth
moth = {}

--- Writes its arguments on a line, safe for the terminal.
---@param ... any
--- Example: print(node.name, #node:peers())
function print(...) end

--- Runs the file NAME.lua beside the script, once, and returns what it returns; a dot in the name is a folder.
---@param name string
---@return any module
--- Example: local words = require "words"
function require(name) end

--- Compiles text; bytecode is refused.
---@param chunk string|fun(): string?
---@param name? string
---@param mode? string  is always "t"
---@param env? table    the script's own globals unless given
---@return function? fn, string? why
--- Example: local fn = load("return 1 + 1")
function load(chunk, name, mode, env) end
