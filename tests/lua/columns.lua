--- The columns of texts, in place of src/script/columns.c: a few ranges of wide and of combining characters.

local columns = {}

local function is_within(code, first, last)
  return code >= first and code <= last
end

local function width_of(code)
  if is_within(code, 0x300, 0x36f) or is_within(code, 0x200b, 0x200d) then return 0 end
  local is_wide = is_within(code, 0x1100, 0x115f) or is_within(code, 0x2e80, 0xa4cf) or is_within(code, 0xac00, 0xd7a3)
    or is_within(code, 0xff00, 0xff60) or is_within(code, 0x1f300, 0x1faff)
  return is_wide and 2 or 1
end

-- The last byte of the character at `at`, and its columns.
local function step(text, at)
  local bytes = text:match("^[%z\1-\127\194-\244][\128-\191]*()", at)
  if not bytes or not utf8.len(text, at, bytes - 1) then return at, 1 end
  return bytes - 1, width_of(utf8.codepoint(text, at))
end

function columns.columns(text)
  local sum, at = 0, 1
  while at <= #text do
    local last, width = step(text, at)
    sum, at = sum + width, last + 1
  end
  return sum
end

function columns.fit(text, room, from)
  local at = from or 1
  local fits = at - 1
  while at <= #text do
    local last, width = step(text, at)
    room = room - width
    if room < 0 then break end
    fits, at = last, last + 1
  end
  return fits
end

return columns
