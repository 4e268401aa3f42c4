local timers = require("tests.lua.helper") and require "moth.timers"

-- A sequence that is the same in each run.
local function draws(seed)
  return function(most)
    seed = (seed * 1103515245 + 12345) & 0x7fffffff
    return (seed >> 8) % most + 1
  end
end

describe("timers", function()
  local heap

  before_each(function()
    heap = timers.new()
  end)

  local function drain()
    local list = {}
    while heap:first() do
      list[#list + 1] = heap:first()
      heap:remove(heap:first())
    end
    return list
  end

  it("give the nearest first, of equal times the first to come", function()
    local entries = {}
    for i, at_us in ipairs { 5, 3, 9, 3, 1, 5, 3 } do
      entries[i] = { name = i }
      heap:add(entries[i], at_us)
    end
    local names = {}
    for i, entry in ipairs(drain()) do names[i] = entry.name end
    assert.same({ 5, 2, 4, 7, 1, 6, 3 }, names)
  end)

  it("are empty at first, and after the last was taken out", function()
    assert.is_nil(heap:first())
    local entry = {}
    heap:add(entry, 1)
    heap:remove(entry)
    assert.is_nil(heap:first())
  end)

  it("take no notice of one that is not inside", function()
    local entry, other = {}, {}
    heap:add(entry, 1)
    heap:remove(other)
    heap:remove(entry)
    heap:remove(entry)
    assert.is_nil(heap:first())
  end)

  it("stay in order whatever comes and goes, and keep nothing of what went", function()
    local draw, inside = draws(7), {}
    for step = 1, 5000 do
      if draw(3) > 1 or #inside == 0 then
        inside[#inside + 1] = { step = step }
        heap:add(inside[#inside], draw(500))
      else
        heap:remove(table.remove(inside, draw(#inside)))
      end
    end
    assert.equal(#inside, #heap)
    table.sort(inside, function(a, b)
      if a.at_us ~= b.at_us then return a.at_us < b.at_us end
      return a.step < b.step
    end)
    local list = drain()
    assert.equal(#inside, #list)
    for i, entry in ipairs(list) do assert.equal(inside[i].step, entry.step) end
  end)
end)
