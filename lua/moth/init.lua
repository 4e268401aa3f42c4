--- What the program runs: scripts and shells on its node, driven by a few calls from C (src/script/shell.c and
-- session.c).

local completion = require "moth.completion"
local program = require "moth.program"

local moth = {}

local the_program ---@type program

--- Runs the scripts and gets ready for sessions.
---@param options program.options
---@param load string[]  files of scripts
function moth.start(options, load)
  the_program = program.new(options)
  the_program:load(load)
end

--- Somebody wants the process to end: it does, whatever the lines before came to.
---@param status integer
function moth.stop(status)
  the_program:stop(status)
end

---@param level string
---@param text string
function moth.log(level, text)
  the_program:log(level, text)
end

--- A new session.
---@param front session.front
---@param terms session.terms
---@return shell
function moth.enter(front, terms)
  return the_program:enter(front, terms)
end

--- Its front is gone.
---@param session shell
function moth.left(session)
  session:abandon()
end

--- What was entered; a paste has line ends inside.
---@param session shell
---@param text string
function moth.line(session, text)
  session:feed(text)
end

--- The input ended.
---@param session shell
---@param why? string  when something was wrong with it
function moth.finish(session, why)
  session:finish(why)
end

---@param session shell
---@param had_text boolean  a line was being typed
function moth.interrupt(session, had_text)
  session:interrupt(had_text)
end

---@param session shell
---@param width integer
function moth.resize(session, width)
  session.width = width
end

---@param session shell
---@param line string    up to the cursor
---@param start integer  how many bytes of it stand before the word
---@return string[]
function moth.complete(session, line, start)
  return completion.words(session, line, start)
end

return moth
