-- commands.lua -- a bot with commands: "help" lists them, wrong arguments get the usage as a reply.
-- moth --load examples/commands.lua; then, from another node: send NAME add 2 3

node:command("add <a:number> <b:number>", { help = "adds two numbers" }, function(_, a, b)
  return a + b
end)

node:command("roll [sides:integer]", { help = "rolls a die" }, function(_, sides)
  sides = sides or 6
  if sides < 2 then return nil, "a die has at least two sides" end
  return ("you rolled %d"):format(math.random(sides))
end)

node:command("shirt <size:S|M|L> [wish...]", { help = "orders a shirt" }, function(msg, size, wish)
  local orders = node:kv("shirts")
  orders[msg.from] = { size = size, wish = wish or "none", at = msg.time }
  return ("a shirt in %s is noted for %s"):format(size, msg.name)
end)
