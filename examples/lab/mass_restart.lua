-- seeds: 10
-- mass_restart.lua -- the power fails everywhere at once, at any moment while mail is under way. What was promised was
-- on a disk: it arrives after the restart, and nothing comes twice.
-- moth lab --seeds 100 examples/lab/mass_restart.lua

lab("promised mail outlives a power cut everywhere", function(net)
  local nodes, letters, promised = net:random(20, { degree = 4 }), {}, {}
  net:settle()
  local links = net:measure().links
  for i = 1, #nodes do letters[i] = nodes[i]:send(nodes[#nodes + 1 - i], "letter " .. i) end
  net:run(0.01 + math.random() * 0.02)
  for _, letter in ipairs(letters) do
    if letter.state ~= "pending" then promised[#promised + 1] = letter end
  end
  net:expect(promised[1], "no letter was promised")
  for i = 1, #nodes do nodes[i]:kill() end
  net:run("10s")
  for i = 1, #nodes do nodes[i]:start() end
  for _, letter in ipairs(promised) do net:expect(letter:wait("delivered", "30s")) end
  net:expect(net:settle("1m") < 30, "it takes too long until everybody knows everybody")
  net:expect(net:measure().links == links and net:routes_are_true())
  net:expect(net:max_deliveries() <= 1, "a letter came twice")
end)
