-- A service that does next to nothing.
node:serve("next", function(data) return { n = data.n + 1 } end)
