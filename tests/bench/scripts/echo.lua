-- Sends back what it hears.
node:hear("", function(msg) return msg.text end)
