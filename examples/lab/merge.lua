-- merge.lua -- two networks of 250 nodes, each complete in itself, become one by a single link, and then by more.
-- moth lab examples/lab/merge.lua

lab("two networks of 250 become one", function(net)
  local one = net:random(250, { degree = 4 })
  local other = net:random(250, { degree = 4 })
  net:settle()
  net:expect(net:routes_are_true())
  one[1]:dial(other[1])
  local took = net:settle()
  net:expect(took < 2, ("after %g s they still tell each other whom they know"):format(took))
  net:expect(net:routes_are_true())
  net:expect(#one[250]:routes() == 499, "somebody cannot be reached")
  net:expect(one[250]:send(other[250], "good morning"):wait("delivered", "2s"))
  print(("merged within %.3f s, for %d bytes a node"):format(took, net:measure().control_bytes_per_node))
end)
