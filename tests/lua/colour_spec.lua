require "tests.lua.helper"
local colour = require "moth.colour"

describe("a colour", function()
  it("goes around the text and ends with it", function()
    assert.equal("\27[31mbroken\27[0m", colour.paint("broken", "error"))
    assert.equal("\27[2m\27[0m", colour.paint("", "mark"))
  end)

  it("is there for every style that is used", function()
    for _, style in ipairs { "notice", "error", "name", "own", "mark" } do
      assert.truthy(colour.paint("x", style):find "^\27%[[%d;]+mx\27%[0m$")
    end
  end)
end)

describe("the head of a message", function()
  local function painted(line)
    return colour.paint_head(line, "name")
  end

  it("has the name in colour, and nothing else", function()
    assert.equal("[14:03:12] \27[1;36meva\27[0m: hello [x] y: z", painted "[14:03:12] eva: hello [x] y: z")
    assert.equal("[14:03:12] \27[1;36meva\27[0m to all (move): e4", painted "[14:03:12] eva to all (move): e4")
    assert.equal("[2026-01-02 14:03:12] \27[1;36meva\27[0m: hello", painted "[2026-01-02 14:03:12] eva: hello")
  end)

  it("is left as it is where there is none", function()
    for _, line in ipairs { "", "hello", "[14:03:12]", "[14:03:12] ", "  more [14:03:12] eva: no" } do
      assert.equal(line, painted(line))
    end
  end)
end)
