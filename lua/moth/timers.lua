--- Who is due next: a binary heap of things that have a time, the nearest first; of equal times, the first to come.
--
-- Each entry knows its place, so it can be taken out at once from anywhere: what is cancelled leaves nothing behind.
-- The heap keeps three fields in its entries: `at_us`, `order`, and `place` while they are inside.

local timers = {}
timers.__index = timers

---@class timers
---@field private count integer  entries; they are at 1 to count, each one's parent at half its place
---@field private order integer  of the last one that came

---@return timers
function timers.new()
  return setmetatable({ count = 0, order = 0 }, timers)
end

local function is_before(a, b)
  if a.at_us ~= b.at_us then return a.at_us < b.at_us end
  return a.order < b.order
end

local function put(self, entry, place)
  self[place], entry.place = entry, place
end

-- Puts it at that place, or nearer to the top.
local function rise(self, entry, place)
  while place > 1 do
    local parent = self[place // 2]
    if not is_before(entry, parent) then break end
    put(self, parent, place)
    place = place // 2
  end
  put(self, entry, place)
end

-- Puts it at that place, or further from the top.
local function sink(self, entry, place)
  while 2 * place <= self.count do
    local child = 2 * place
    if child < self.count and is_before(self[child + 1], self[child]) then child = child + 1 end
    if not is_before(self[child], entry) then break end
    put(self, self[child], place)
    place = child
  end
  put(self, entry, place)
end

---@param entry table  in no heap
---@param at_us integer
function timers:add(entry, at_us)
  self.count, self.order = self.count + 1, self.order + 1
  entry.at_us, entry.order = at_us, self.order
  rise(self, entry, self.count)
end

--- Takes it out; nothing happens when it is not inside.
---@param entry table
function timers:remove(entry)
  local place, last = entry.place, self[self.count]
  if not place then return end
  self[self.count], entry.place = nil, nil
  self.count = self.count - 1
  if last == entry then return end
  if place > 1 and is_before(last, self[place // 2]) then rise(self, last, place) else sink(self, last, place) end
end

--- The one with the nearest time, or nil.
---@return table?
function timers:first()
  return self[1]
end

return timers
