--- Colours, for terminals that have them: a style by name.

local colour = {}

local CODES = {
  notice = "2",   -- faint: the network's news, logs
  error = "31",   -- red
  name = "1;36",  -- who writes
  own = "1;32",   -- oneself
  mark = "2",
}

---@param text string  one line, safe already
---@param style string
---@return string
function colour.paint(text, style)
  return ("\27[%sm%s\27[0m"):format(CODES[style], text)
end

--- Paints the part of a message's line that says when and who, "[14:03:12] eva:".
---@param line string
---@param style string
---@return string
function colour.paint_head(line, style)
  local time, who, rest = line:match("^(%[[^%]]*%] )([^ :]+)(.*)$")
  if not time then return line end
  return time .. colour.paint(who, style) .. rest
end

return colour
