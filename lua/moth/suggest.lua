--- "Did you mean ...?": the nearest known word to a mistyped one.

local suggest = {}

-- Longer words are nobody's typing error, and the table below grows with their length.
local WORD_MAX = 40

--- How many single changes lead from `a` to `b`: a letter put in, left out, replaced, or two neighbours swapped.
---@param a string
---@param b string
---@return integer
function suggest.distance(a, b)
  local before, last, row = nil, nil, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    before, last, row = last, row, { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      row[j] = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same and 0 or 1))
      if before and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
  end
  return row[#b]
end

--- The nearest of `words` at most two changes away (one for words of three letters or less); the first of equals.
---@param word string
---@param words string[]
---@return string?
function suggest.nearest(word, words)
  if #word > WORD_MAX then return nil end
  local best, best_distance = nil, (#word <= 3 and 1 or 2) + 1
  for _, candidate in ipairs(words) do
    local near = math.abs(#candidate - #word) < best_distance
    local distance = near and suggest.distance(word:lower(), candidate:lower()) or best_distance
    if distance < best_distance then best, best_distance = candidate, distance end
  end
  return best
end

return suggest
