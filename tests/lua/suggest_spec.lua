require "tests.lua.helper"
local suggest = require "moth.suggest"

describe("suggest", function()
  it("counts single changes", function()
    assert.equal(0, suggest.distance("send", "send"))
    assert.equal(1, suggest.distance("sned", "send")) -- neighbours swapped
    assert.equal(1, suggest.distance("snd", "send"))
    assert.equal(1, suggest.distance("seend", "send"))
    assert.equal(1, suggest.distance("sand", "send"))
    assert.equal(2, suggest.distance("sadn", "send"))
    assert.equal(4, suggest.distance("", "send"))
    assert.equal(4, suggest.distance("send", ""))
  end)

  it("suggests the nearest word, whatever its case", function()
    assert.equal("connect", suggest.nearest("conect", { "disconnect", "connect", "quit" }))
    assert.equal("connect", suggest.nearest("CONNECT", { "connect" }))
  end)

  it("suggests nothing beyond two changes", function()
    assert.is_nil(suggest.nearest("xyzzy", { "send", "list" }))
    assert.is_nil(suggest.nearest("cnect", {}))
  end)

  it("asks more of short words", function()
    assert.is_nil(suggest.nearest("abc", { "id" }))
    assert.equal("id", suggest.nearest("ix", { "id" }))
  end)

  it("does not even look at endless words", function()
    assert.is_nil(suggest.nearest(("x"):rep(1000000), { ("x"):rep(1000000) }))
  end)
end)
