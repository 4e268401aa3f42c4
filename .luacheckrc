-- What Lua code here may touch: the language, and what a script is given. Everything else is a slip of the pen.
std = "lua54"
max_line_length = 120

local script = { "node", "task", "log", "json", "moth", "script" }

exclude_files = { "lua/moth/meta" } -- types for editors, never run

files["lua/moth"] = { read_globals = script }
files["examples"] = { read_globals = script }
files["tests/lua"] = { std = "+busted", read_globals = script }
