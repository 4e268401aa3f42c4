require "tests.lua.helper"
local classifier = require "moth.classifier"
local suggest = require "moth.suggest"

local COMMANDS = { "connect", "disconnect", "send", "queue", "message", "cancel", "history", "list", "status", "routes",
  "trace", "graph", "alias", "id", "help", "quit", "talk", "leave", "set", "log", "load", "ping", "whois", "join",
  "stop" }

local is_command = {}
for _, name in ipairs(COMMANDS) do is_command[name] = true end

local function context(talk)
  local defined = { print = print, node = {}, log = { info = print }, math = math, x = 5, require = require }
  return {
    talk = talk,
    defined = defined,
    is_command = function(name) return is_command[name] or false end,
    nearest = function(word) return suggest.nearest(word, COMMANDS) end,
    compile = function(source) return load(source, "=prompt", "t", defined) end,
    is_defined = function(name) return defined[name] ~= nil end,
  }
end

local function classify(text, talk)
  return classifier.classify(text, context(talk))
end

-- What a line is, and what of it is worth a look: { line, kind, ... }.
local LINES = {
  -- of the issue
  { "send eva it's (fine", "command", "send", "eva it's (fine" },
  { "send = 3", "lua" },
  { "send('a','b')", "lua" },
  { "send ('a')", "lua" },
  { "list", "command", "list", "" },
  { "=list", "lua" },
  { "log.info(1)", "lua" },
  { "log warn", "command", "log", "warn" },
  { "set x = 5", "command", "set", "x = 5" },
  { "lsit", "unknown", 'unknown command "lsit"; did you mean list?' },
  { "sned eva x", "unknown", 'unknown command "sned"; did you mean send?' },
  { "hello eva", "unknown", 'unknown command "hello"; did you mean help?' },
  { "don't", "unknown", 'unknown command "don\'t"; help shows all' },
  { "x =", "more" },
  { "send == nil", "lua" },
  { "127.0.0.1", "unknown", '"127.0.0.1" is an address; did you mean connect 127.0.0.1:6684?' },
  { "local x = 5", "lua" },
  -- nothing
  { "", "nothing" },
  { "   \t  ", "nothing" },
  { "\n\n", "nothing" },
  { "-- a remark", "nothing" },
  { "--", "nothing" },
  { "  --send eva x", "nothing" },
  { "# a remark", "nothing" },
  { "#", "nothing" },
  { "#!/usr/bin/env moth", "nothing" },
  { "--[[ a remark ]]", "nothing" },
  { "--[==[ a ]] b ]==]  ", "nothing" },
  { "-- one\n# two\n\n--[[\nthree ]]\n", "nothing" },
  -- commands
  { "  list", "command", "list", "" },
  { "list   ", "command", "list", "" },
  { "\tsend\teva\thello\t", "command", "send", "eva\thello" },
  { "/list", "command", "list", "" },
  { "  /list  ", "command", "list", "" },
  { "/send = 3", "command", "send", "= 3" },
  { "/send (hi)", "command", "send", "(hi)" },
  { "send eva = 3", "command", "send", "eva = 3" },
  { "send eva (hi)", "command", "send", "eva (hi)" },
  { "send eva Grüße, 漢字", "command", "send", "eva Grüße, 漢字" },
  { "send eva -- no remark", "command", "send", "eva -- no remark" },
  { "send eva [[", "command", "send", "eva [[" },
  { "list -- of peers", "command", "list", "-- of peers" },
  { "log -1", "command", "log", "-1" },
  { "graph dot", "command", "graph", "dot" },
  { "connect ::1 7001", "command", "connect", "::1 7001" },
  { "connect [::1]:7001", "command", "connect", "[::1]:7001" },
  { "help node.send", "command", "help", "node.send" },
  { 'send "eva" hi', "command", "send", '"eva" hi' },
  { "# who is there\nlist", "command", "list", "" },
  { "send eva two\nlines", "command", "send", "eva two\nlines" },
  -- commands that are none
  { "/lsit", "unknown", 'unknown command "/lsit"; did you mean /list?' },
  { "/xyzzy now", "unknown", 'unknown command "/xyzzy"; /help shows all' },
  { "/send('a')", "unknown", 'unknown command "/send(\'a\')"; /help shows all' },
  { "/", "unknown", "a command follows the /, as in /list; help shows all" },
  { "/ list", "unknown", "a command follows the /, as in /list; help shows all" },
  { "//", "unknown", 'unknown command "//"; /help shows all' },
  { "LIST", "unknown", 'unknown command "LIST"; did you mean list?' },
  { "lsit -l -a!", "unknown", 'unknown command "lsit"; did you mean list?' },
  { "sned eva it's (fine", "unknown", 'unknown command "sned"; did you mean send?' },
  { "it's (fine", "unknown", 'unknown command "it\'s"; help shows all' },
  { "rock'n'roll", "unknown", 'unknown command "rock\'n\'roll"; help shows all' },
  { 'sned "eva" hi', "unknown", 'unknown command "sned"; did you mean send?' },
  { "helo eva: how are you?", "unknown", 'unknown command "helo"; did you mean help?' },
  { "quit!", "unknown", 'unknown command "quit!"; did you mean quit?' },
  { "hello, how are you", "unknown", 'unknown command "hello,"; did you mean help?' },
  { "eva: hello", "unknown", 'unknown command "eva:"; help shows all' },
  { "thanks.", "unknown", 'unknown command "thanks."; help shows all' },
  { "so... no", "unknown", 'unknown command "so..."; help shows all' },
  { "e-mail me", "unknown", 'unknown command "e-mail"; help shows all' },
  { "hello :)", "unknown", 'unknown command "hello"; did you mean help?' },
  { "well - what now", "unknown", 'unknown command "well"; did you mean help?' },
  { "grüße eva", "unknown", 'unknown command "grüße"; help shows all' },
  { "grüße", "unknown", 'unknown command "grüße"; help shows all' },
  { "漢字", "unknown", 'unknown command "漢字"; help shows all' },
  { "lsit   ", "unknown", 'unknown command "lsit"; did you mean list?' },
  { "x1y2", "unknown", 'unknown command "x1y2"; help shows all' },
  -- what only lacks its command
  { "127.0.0.1:7001", "unknown", '"127.0.0.1:7001" is an address; did you mean connect 127.0.0.1:7001?' },
  { "127.0.0.1 7001", "unknown", '"127.0.0.1" is an address; did you mean connect 127.0.0.1:7001?' },
  { "[::1]:7001", "unknown", '"[::1]:7001" is an address; did you mean connect [::1]:7001?' },
  { "[::1]", "unknown", '"[::1]" is an address; did you mean connect [::1]:6684?' },
  { "::1", "unknown", '"::1" is an address; did you mean connect [::1]:6684?' },
  { "fe80::1", "unknown", '"fe80::1" is an address; did you mean connect [fe80::1]:6684?' },
  { "localhost:7001", "unknown", '"localhost:7001" is an address; did you mean connect localhost:7001?' },
  { "node.example.org:7001", "unknown",
    '"node.example.org:7001" is an address; did you mean connect node.example.org:7001?' },
  { "moth1:AbC_-9", "unknown", "that is an invitation; to accept it, type join in front of it" },
  -- Lua
  { "1+2", "lua" },
  { "=1+2", "lua" },
  { "=1,2", "lua" },
  { "1,2", "lua" },
  { "= x = 5", "lua" },
  { "=x", "lua" },
  { "  =  x  ", "lua" },
  { "x", "lua" },
  { "x = 5", "lua" },
  { "x,y = 1,2", "lua" },
  { "x -- and a remark", "lua" },
  { "send=3", "lua" },
  { "send.x = 1", "lua" },
  { "list[1]", "lua" },
  { "lsit()", "lua" },
  { "lsit.x", "lua" },
  { "=lsit", "lua" },
  { "print 'a'", "lua" },
  { "print('don\\'t')", "lua" },
  { "#node", "lua" },
  { "nil", "lua" },
  { "true", "lua" },
  { "0x10", "lua" },
  { "1e3", "lua" },
  { ".5", "lua" },
  { "-1", "lua" },
  { "not x", "lua" },
  { "'漢字'", "lua" },
  { "{ 1, 2 }", "lua" },
  { "(print)(1)", "lua" },
  { "return 5", "lua" },
  { "function f() end", "lua" },
  { "for i = 1, 3 do print(i) end", "lua" },
  { "for i = 1, 3 do\n  print(i)\nend", "lua" },
  { "goto done ::done::", "lua" },
  { "::a:: goto a", "lua" },
  { "x = [[\n\nlist\n]]", "lua" },
  { "--[[ a remark ]] print(1)", "lua" },
  { "-- a remark\nprint(1)", "lua" },
  { "send(\n'a')", "lua" },
  { "(\n1 +\n2)", "lua" },
  { ";", "lua" },
  -- Lua whose end is missing
  { "send =", "more" },
  { "send('a',", "more" },
  { "send ('a'", "more" },
  { "1 +", "more" },
  { "= 1 +", "more" },
  { "= x =", "more" },
  { "function f()", "more" },
  { "function f()\n  return 1", "more" },
  { "for i = 1, 3 do", "more" },
  { "if x then", "more" },
  { "local x", "lua" },
  { "local", "more" },
  { "x = {", "more" },
  { "x = [[", "more" },
  { "x = [[\n\n", "more" },
  { "x = [==[ ]]", "more" },
  { "--[[ a remark", "more" },
  { "x = 'a\\", "more" },
  { "x,", "more" },
  { "x = 'don't", "more" },
  { "x.", "more" },
  { "a, b =", "more" },
  { "hello(", "more" },
  { "x = function() return", "more" },
  -- Lua that is wrong
  { "=", "error", "an expression follows the =, as in =1+2" },
  { " =  ", "error", "an expression follows the =, as in =1+2" },
  { "x = 'a", "error", "unfinished string near ''a'" },
  { "x = 5 5", "error", "unexpected symbol near '5'" },
  { "y = 5 5", "error", "unexpected symbol near '5'" },
  { "y += 1", "error", "syntax error near '+'" },
  { "x + + 1", "error", "syntax error near '+'" },
  { "1 + + 2", "error", "unexpected symbol near '+'" },
  { "=hello eva", "error", "syntax error near 'eva'" },
  { "=1 2", "error", "<eof> expected near '2'" },
  { "end", "error", "<eof> expected near 'end'" },
  { "if you can", "error", "'then' expected near 'can'" },
  { "goto x", "error", "no visible label 'x' for <goto> at line 1" },
  { "break", "error", "break outside loop at line 1" },
  { "print hello", "error", "syntax error near 'hello'" },
  { "node eva", "error", "syntax error near 'eva'" },
  { "f(a b)", "error", "')' expected near 'b'" },
  { "1.2.3", "error", "malformed number near '1.2.3'" },
  { "5 apples", "error", "<eof> expected near 'apples'" },
  { "3xyz", "error", "malformed number near '3x'" },
  { "x = 5\ny = }", "error", "line 2: unexpected symbol near '}'" },
  { "send (me) the file", "error", "syntax error near 'file'; the command is /send" },
  { "send =) eva", "error", "unexpected symbol near ')'; the command is /send" },
  { "x - y z", "error", "syntax error near '-'" },
  { "lsit -l", "lua" },
  { "{ 1, 2 ]", "error", "'}' expected near ']'" },
}

local TALK = {
  { "hello eva", "text", "hello eva" },
  { "list", "text", "list" },
  { "=1+1", "text", "=1+1" },
  { "-- so so", "text", "-- so so" },
  { "# one", "text", "# one" },
  { "x =", "text", "x =" },
  { "don't (ask", "text", "don't (ask" },
  { "hello  ", "text", "hello" },
  { "  hello", "text", "  hello" },
  { "Grüße 漢字", "text", "Grüße 漢字" },
  { "one\ntwo\n", "text", "one\ntwo" },
  { "/* one\n * two */", "text", "/* one\n * two */" },
  { "// one\n// two", "text", "// one\n// two" },
  { "//leave", "text", "/leave" },
  { "//", "text", "/" },
  { "///", "text", "//" },
  { " /leave", "text", " /leave" },
  { "127.0.0.1", "text", "127.0.0.1" },
  { "", "nothing" },
  { " \t ", "nothing" },
  { "\n", "nothing" },
  { "/leave", "command", "leave", "" },
  { "/leave\n", "command", "leave", "" },
  { "/send bob it's (fine", "command", "send", "bob it's (fine" },
  { "/set x = 5", "command", "set", "x = 5" },
  { "/leav", "unknown", 'unknown command "/leav"; did you mean /leave? (typed with two, //, it is text)' },
  { "/etc/passwd is", "unknown",
    'unknown command "/etc/passwd"; /help shows all (typed with two, //, it is text)' },
  { "/", "unknown", "/leave ends talking; a text that starts with / is typed with two: //" },
  { "/ hello", "unknown", "/leave ends talking; a text that starts with / is typed with two: //" },
}

local function name_of(line)
  return ("%q"):format(line):gsub("\\\n", "\\n")
end

local function check(row, talk)
  local kind, what, rest = classify(row[1], talk)
  assert.equal(row[2], kind)
  if row[3] then assert.equal(row[3], what) end
  if row[4] then assert.equal(row[4], rest) end
end

describe("a line is", function()
  for _, row in ipairs(LINES) do
    it(("%s: %s"):format(row[2], name_of(row[1])), function() check(row, false) end)
  end
end)

describe("in talk mode a line is", function()
  for _, row in ipairs(TALK) do
    it(("%s: %s"):format(row[2], name_of(row[1])), function() check(row, true) end)
  end
end)

describe("Lua", function()
  local function results(text)
    local kind, chunk = classify(text)
    assert.equal("lua", kind)
    return table.pack(chunk())
  end

  it("is an expression before it is a statement", function()
    assert.same({ n = 1, 3 }, results "1+2")
    assert.same({ n = 2, 1, 2 }, results "=1,2")
    assert.same({ n = 1, 5 }, results "x -- and a remark")
    assert.same({ n = 1, true }, results "send == nil")
    assert.same({ n = 0 }, results "y = 5")
  end)

  it("is never run by looking at it", function()
    local c = context()
    classifier.classify("x = 6", c)
    classifier.classify("=x = 6", c)
    assert.equal(5, c.defined.x)
  end)

  it("goes on where a string or a comment does", function()
    assert.same({ n = 1, "a\n\nb" }, results "=[[a\n\nb]]")
    assert.same({ n = 1, "a\nb" }, results "='a\\\nb'")
  end)

  it("says what is missing when no more lines come", function()
    local _, why = classify "for i = 1, 3 do"
    assert.equal("'end' expected (to close 'for' at line 1) near <eof>", why)
  end)

  it("tells of the line where there are several", function()
    local _, why = classify "x = 1\nx = = 2\n"
    assert.equal("line 2: unexpected symbol near '='", why)
  end)

  it("is too long beyond a million bytes, and never compiled then", function()
    local c = context()
    c.compile = function() error "compiled" end
    local kind, why = classifier.classify("(" .. ("x"):rep(1000000), c)
    assert.equal("error", kind)
    assert.equal("that is too long for Lua: at most 1,000,000 bytes", why)
  end)

  it("has the tokens in its errors cut and made safe", function()
    local kind, why = classify("x = '\27" .. ("a"):rep(500))
    assert.equal("error", kind)
    assert.is_true(#why < 100)
    assert.is_nil(why:find("\27", 1, true))
    assert.truthy(why:find("^unfinished string near ''\\x1b"))
  end)
end)

describe("an unknown command", function()
  it("is shown safe and cut", function()
    local kind, why = classify("he\200llo" .. ("o"):rep(500) .. " eva")
    assert.equal("unknown", kind)
    assert.is_true(#why < 120)
    assert.equal('unknown command "/\\x1b[2J"; /help shows all', select(2, classify "/\27[2J"))
  end)

  it("is no word that the session has a value for", function()
    local c = context()
    c.defined.hello = "a"
    assert.equal("lua", (classifier.classify("hello", c)))
    assert.equal("error", (classifier.classify("hello eva", c)))
  end)
end)

describe("a line of a megabyte", function()
  local function seconds(text, talk)
    local started = os.clock()
    classify(text, talk)
    return os.clock() - started
  end

  local pieces = { " ", "a", "a ", "(", ")", "'", '"', "don't ", ".", "...,", "-", "--", "#", "# \n", "--\n", "--[[ ]]",
    "--[=", "/", "= ", "=", ":1", "1", "1.", "::", "\n", "\t\n", "\200", "a.b:", "\0", "near '", "[[", "{", "x=1 ",
    "!?" }
  local starts = { "", "hello ", "send eva ", "=", "/", "x = [[", "eva:" }

  for _, start in ipairs(starts) do
    it(("that starts with %s takes no second"):format(name_of(start)), function()
      for _, piece in ipairs(pieces) do
        local text = start .. piece:rep(990000 // #piece)
        assert.is_true(seconds(text .. " '") < 1, name_of(piece))
        assert.is_true(seconds(text, true) < 1, name_of(piece))
      end
    end)
  end
end)

describe("local_hint", function()
  local function hint(text)
    return classifier.local_hint(text)
  end

  it("tells of a local that nobody will see", function()
    for _, text in ipairs { "local x = 5", "  local x = 5  ", "local x", "local x;", "local x = 5;",
      "local x <const> = 5", "local x = function() return 1 end", "local function x() return 1 end",
      "local x = { 1,\n 2 }" } do
      assert.equal("x ends with its line; without local it stays", hint(text), text)
    end
    assert.equal("x, y end with their line; without local they stay", hint "local x, y = f()")
  end)

  it("is silent where the local is used, or there is none", function()
    for _, text in ipairs { "x = 5", "local x = 5; print(x)", "local x = 5 print(x)", "local t = {}\nt.x = 1",
      "local function f() end f()", "locals = 5", "local", "do local x = 5 end", "local 5", "local x =", "list" } do
      assert.is_nil(hint(text), text)
    end
  end)

  it("does not read endless lines", function()
    assert.is_nil(hint("local x = '" .. ("a"):rep(1000000) .. "'"))
  end)
end)

describe("explain", function()
  local function explain(why)
    return classifier.explain(why, context())
  end

  it("names the command that was probably meant", function()
    assert.equal("undefined global 'lsit'; did you mean the command list?", explain "undefined global 'lsit'")
    assert.equal("prompt:2: undefined global 'sned'; did you mean the command send?\nstack",
      explain "prompt:2: undefined global 'sned'\nstack")
  end)

  it("adds it to a name of Lua that is as near", function()
    assert.equal("undefined global 'lisst'; did you mean lists, or the command list?",
      explain "undefined global 'lisst'; did you mean lists?")
    assert.equal("undefined global 'lgo'; did you mean log?", explain "undefined global 'lgo'; did you mean log?")
  end)

  it("says of a command that it is one", function()
    assert.equal("'list' is a command, not a name of Lua; help list shows how it is used",
      explain "undefined global 'list'")
    assert.equal("a:1: 'send' is a command, not a name of Lua; help send shows how it is used\nstack",
      explain "a:1: undefined global 'send'; did you mean seen?\nstack")
  end)

  it("leaves other errors as they are", function()
    for _, why in ipairs { "undefined global 'xyzzy'", "undefined global 'nod'; did you mean node?",
      "attempt to index a nil value (local 'list')", "" } do
      assert.equal(why, explain(why))
    end
  end)
end)
