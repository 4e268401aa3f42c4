--- Segments: the pieces of a task between two waits. What a node is asked in one goes to its disk together or not at
--- all, so the node of the task's owner, where it has one, hears of the begin and the end of each.

local segments = {}

local function nothing() end
local on_begin, on_commit, on_discard = nothing, nothing, nothing

--- What is called with the node: before a segment; after one that waited or ended well; after one that failed.
---@param begin fun(node: table)
---@param commit fun(node: table)
---@param discard fun(node: table)
function segments.on(begin, commit, discard)
  on_begin, on_commit, on_discard = begin, commit, discard
end

---@param t task
function segments.begin(t)
  local node = t.owner.node
  if node then on_begin(node) end
end

---@param t task
function segments.commit(t)
  local node = t.owner.node
  if node then on_commit(node) end
end

---@param t task
function segments.discard(t)
  local node = t.owner.node
  if node then on_discard(node) end
end

return segments
