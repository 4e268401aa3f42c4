--- Values kept in a task for later: none and one, the most frequent, without a table.
--
-- They lie in the fields `count`, nil for none, and `value`: the one, or a table of several.

local values = {}

---@param t table
function values.keep(t, ...)
  local count = select("#", ...)
  if count == 0 then
    t.count = nil
  elseif count == 1 then
    t.count, t.value = 1, ...
  else
    t.count, t.value = count, table.pack(...)
  end
end

local function kept(count, value)
  if count == 1 then return value end
  if count then return table.unpack(value, 1, count) end
end

--- What is kept there.
---@param t table
function values.of(t)
  return kept(t.count, t.value)
end

--- The same, and it is kept no longer.
---@param t table
function values.take(t)
  local count, value = t.count, t.value
  if not count then return end
  t.count, t.value = nil, nil
  return kept(count, value)
end

return values
