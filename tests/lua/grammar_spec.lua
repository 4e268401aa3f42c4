local grammar = require "tests.lua.fake_node" and require "moth.grammar"

describe("grammar", function()
  local tools = {
    seconds = function(span)
      if type(span) == "number" then return span end
      if span == "2m" then return 120 end
      return nil, "no time span"
    end,
    resolve = function(who)
      if who == "eva" then return "eeee" end
      return nil, "unknown"
    end,
  }

  local function arguments(spec, text)
    local values, count = grammar.match(assert(grammar.parse(spec, tools)), text)
    return values and { n = count, table.unpack(values, 1, count) }
  end

  local function refusal(spec)
    local command, why = grammar.parse(spec, tools)
    assert.is_nil(command)
    return why
  end

  it("gives the word and the usage without what is around it", function()
    local command = grammar.parse("  add <a> [b]  ", tools)
    assert.equal("add", command.word)
    assert.equal("add <a> [b]", command.usage)
  end)

  it("takes a word for each parameter", function()
    assert.same({ n = 2, "x", "y" }, arguments("add <a> <b>", "  x   y "))
    assert.same({ n = 0 }, arguments("time", "  "))
  end)

  it("matches nothing when one is missing or one is too much", function()
    assert.is_nil(arguments("add <a> <b>", " x"))
    assert.is_nil(arguments("add <a> <b>", " x y z"))
    assert.is_nil(arguments("time", " now"))
  end)

  it("counts what may be missing as nil", function()
    assert.same({ n = 2, "x" }, arguments("add <a> [b]", " x"))
    assert.same({ n = 2 }, arguments("add [a] [b]", ""))
  end)

  it("gives the rest of the line to the last one, spaces inside kept", function()
    assert.same({ n = 2, "x", "y  z" }, arguments("say <to> <text...>", " x  y  z "))
    assert.is_nil(arguments("say <to> <text...>", " x "))
    assert.same({ n = 2, "x" }, arguments("say <to> [text...]", " x "))
  end)

  it("converts words to what their type says", function()
    assert.same({ n = 1, "7" }, arguments("c <a:string>", " 7"))
    assert.same({ n = 1, 7 }, arguments("c <a:integer>", " 7"))
    assert.equal("integer", math.type(arguments("c <a:integer>", " 7.0")[1]))
    assert.same({ n = 1, 7.5 }, arguments("c <a:number>", " 7.5"))
    assert.same({ n = 2, true, false }, arguments("c <a:boolean> <b:boolean>", " Yes off"))
    assert.same({ n = 2, 120, 5 }, arguments("c <a:duration> <b:duration>", " 2m 5"))
    assert.same({ n = 1, "eeee" }, arguments("c <a:peer>", " eva"))
    assert.same({ n = 1, "M" }, arguments("c <a:S|M|L>", " M"))
  end)

  it("matches nothing when a word cannot be converted", function()
    for spec, text in pairs { ["c <a:integer>"] = "7.5", ["c <b:integer>"] = "x", ["c <a:number>"] = "x",
      ["c <a:boolean>"] = "maybe", ["c <a:duration>"] = "soon", ["c <a:peer>"] = "nobody", ["c <a:S|M>"] = "S|M",
      ["c [a:integer]"] = "x" } do
      assert.is_nil(arguments(spec, " " .. text), spec)
    end
  end)

  it("refuses a spec without a name", function()
    assert.equal("a command starts with its name", refusal "")
    assert.equal("a command starts with its name", refusal " <a>")
  end)

  it("refuses what is no parameter", function()
    for _, text in ipairs { "a", "<a", "<a]", "[a>", "<>", "<a:colour>", "<1>", "<a..>", "<a:integer...>",
      "<a:S|M...>" } do
      assert.equal(('"%s" is no parameter; they look like <a>, <n:integer>, [note...]'):format(text),
        refusal("c " .. text))
    end
  end)

  it("refuses parameters behind the one that takes the rest", function()
    assert.equal("what takes the rest has to come last", refusal "c <a...> <b>")
  end)

  it("refuses a parameter that has to be there behind one that may be missing", function()
    assert.equal("what may be missing has to come last", refusal "c [a] <b>")
  end)

  it("refuses more parameters and a longer description than anybody types", function()
    assert.truthy(select(2, grammar.parse("x" .. (" [a]"):rep(33), tools)):find("at most 32 parameters", 1, true))
    assert.truthy(select(2, grammar.parse("x" .. (" [a]"):rep(300), tools)):find("1000 bytes", 1, true))
  end)

  it("matches nothing when far too much was typed", function()
    local command = grammar.parse("x <rest...>", tools)
    assert.truthy(grammar.match(command, ("a"):rep(65536)))
    assert.is_nil(grammar.match(command, ("a"):rep(65537)))
  end)
end)
