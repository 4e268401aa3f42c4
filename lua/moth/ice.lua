--- Nodes that are frozen, as under SIGSTOP: their tasks become ready and do not run. Only a lab has such.

local ice = {}

local frozen = {} -- by node: its tasks that have become ready since, in that order

---@param node table
function ice.freeze(node)
  frozen[node] = frozen[node] or {}
end

--- Those that have become ready since it was frozen.
---@param node table
---@return task[]
function ice.thaw(node)
  local list = frozen[node] or {}
  frozen[node] = nil
  return list
end

--- False: its node is not frozen.
---@param t task
---@return boolean
function ice.takes(t)
  local list = frozen[t.owner.node or false]
  if not list then return false end
  list[#list + 1] = t
  return true
end

return ice
