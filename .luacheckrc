-- What Lua code here may touch: the language, and what a script is given. Everything else is a slip of the pen.
std = "lua54"
max_line_length = 120
self = false -- a method may do without

-- Variables that only stand for their end (<close>), and names that are given a value where they are declared.
ignore = { "211/release", "211/mark", "211/place", "211/guard", "311", "241/held" }

local script = { "node", "task", "log", "json", "moth", "script" }
local lab = { "lab", "test", "testkit", "task", "log", "json", "moth" }

exclude_files = { "lua/moth/meta" } -- types for editors, never run

files["lua/moth"] = { read_globals = script }
files["examples"] = { read_globals = script }
files["examples/lab"] = { read_globals = lab }
files["examples/specs"] = { read_globals = lab }
files["tests/lab"] = { read_globals = lab }
files["tests/lab/bots"] = { globals = { "script" }, read_globals = { "node", "task", "log", "json", "moth" } }
files["tests/lab/soak"] = { read_globals = script }
files["tests/lua"] = { std = "+busted", globals = { "string" }, read_globals = script }
