-- Asks for ever, 64 tasks at a time and one at a time by turns, and says how many answers a second that gave.
local TASKS, EACH, ALONE = 64, 150, 1000

local function ask(count)
  for i = 1, count do
    local answer = assert(node:request("listener", "next", { n = i }))
    assert(answer.n == i + 1)
  end
  return true
end

local function ask_at_once()
  local tasks = {}
  for i = 1, TASKS do tasks[i] = task.spawn(ask, EACH) end
  for _, t in ipairs(tasks) do assert(t:join()) end
end

local function rate(count, fn, ...)
  local since = os.clock()
  fn(...)
  return count / (os.clock() - since)
end

task.spawn(function()
  while not node:request("listener", "next", { n = 0 }) do task.sleep(0.01) end
  while true do
    print("at_once", rate(TASKS * EACH, ask_at_once))
    print("alone", rate(ALONE, ask, ALONE))
  end
end)
