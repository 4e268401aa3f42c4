-- poll.lua -- asks whoever says "poll" a few questions, one after the other, and counts the answers.
-- moth --load examples/poll.lua; then, from another node: send NAME poll

local QUESTIONS = {
  { key = "tea", text = "tea or coffee?", match = "^%s*(%a+)%s*$" },
  { key = "cups", text = "how many cups a day?", match = "^%s*(%d+)%s*$" },
}

node:hear("^poll$", function(msg)
  local answers = {}
  for _, question in ipairs(QUESTIONS) do
    local text, answer = msg:ask(question.text, { match = question.match, timeout = "1m" })
    if not text then return nil, "too late: " .. answer end
    answers[question.key] = answer:lower()
  end
  local counts = node:kv("poll")
  counts[answers.tea] = (counts[answers.tea] or 0) + 1
  return ("thank you; %d for %s"):format(counts[answers.tea], answers.tea)
end)
