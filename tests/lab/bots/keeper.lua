-- keeper.lua -- keeps what it is told in a store that has the same name on every node, and says how much that is.

local store = assert(moth.store.open "kept")

node:serve("keep", function(data)
  assert(store:put { to = "somebody", data = data.text })
  return #assert(store:pending())
end)
