--- The network as this node sees it, drawn: a tree over the shortest paths from here, in text, or all of it for `dot`.
--
--   ana (you)             Who is linked to several nodes stands behind the one through whom it is reached; the links
--   |-- bob               that are not part of the tree are named at the later of their ends. The nearest nodes come
--   |   `-- eva           first and are drawn when there are too many; who is known but not reached is only counted.
--   `-- kim  also eva
--
-- Everything is computed from a network: ids, names and links. Names are safe already.

local core = require "moth.core"
local format = require "moth.format"
local json = require "moth.json"

local NODES_MAX = 200  -- drawn
local STEP = 4         -- columns of a level
local NAME_ROOM = 16   -- that the levels leave to a name, in a deep network
local ALSO_ROOM = 10   -- for the links that are not part of the tree: "+199 links"

local graph = {}

---@class graph.network
---@field me string
---@field names table<string, string>  by id, of all that are known
---@field edges { a: string, b: string }[]
---@field via? table<string, string>   the first hop to somebody, by id

-- --- what the links say ---

-- Everybody by name, those of the same name by id.
local function by_name(network)
  return function(a, b)
    local name_a, name_b = network.names[a], network.names[b]
    if name_a ~= name_b then return name_a < name_b end
    return a < b
  end
end

-- The neighbours of each, sorted.
local function neighbours_of(network)
  local neighbours = {}
  for _, edge in ipairs(network.edges) do
    for from, to in pairs { [edge.a] = edge.b, [edge.b] = edge.a } do
      neighbours[from] = neighbours[from] or {}
      neighbours[from][#neighbours[from] + 1] = to
    end
  end
  for _, list in pairs(neighbours) do table.sort(list, by_name(network)) end
  return neighbours
end

-- Somebody found next to a node: behind it, unless it was found before; of two ways that are equally long, the one
-- that messages take.
local function find(tree, network, from, to)
  local branch = from == network.me and to or tree.branch[from]
  if not tree.depth[to] then
    tree.order[#tree.order + 1] = to
    tree.depth[to] = tree.depth[from] + 1
  elseif tree.depth[to] ~= tree.depth[from] + 1 or tree.branch[to] == branch
    or not network.via or network.via[to] ~= branch then
    return
  end
  tree.parent[to], tree.branch[to] = from, branch
end

-- Everybody who is reached, the nearest first.
local function span(network, neighbours)
  local tree = { order = { network.me }, depth = { [network.me] = 0 }, parent = {}, branch = {} }
  local i = 1
  while tree.order[i] do
    local from = tree.order[i]
    for _, to in ipairs(neighbours[from] or {}) do find(tree, network, from, to) end
    i = i + 1
  end
  return tree
end

-- Of those who are drawn: who stands behind whom.
local function children_of(tree, network)
  local children = {}
  for i = 2, math.min(#tree.order, NODES_MAX) do
    local id = tree.order[i]
    local parent = tree.parent[id]
    children[parent] = children[parent] or {}
    table.insert(children[parent], id)
  end
  for _, list in pairs(children) do table.sort(list, by_name(network)) end
  return children
end

-- --- drawing ---

-- What stands before a name; in a deep network only its end, behind the number of hops.
local function prefix_of(drawing, prefix, depth)
  local room = math.max(drawing.width - NAME_ROOM, STEP)
  if #prefix <= room then return prefix end
  local mark = ("%d.. "):format(depth)
  return mark .. prefix:sub(-math.max(room - #mark, STEP))
end

-- As many of the names as have room: "also bob, kim and 3 more"; or just how many there are.
local function also(names, room)
  local text = "also " .. table.concat(names, ", ")
  for count = #names - 1, 1, -1 do
    if core.columns(text) <= room then return text end
    text = ("also %s and %d more"):format(table.concat(names, ", ", 1, count), #names - count)
  end
  return core.columns(text) <= room and text or "+" .. format.plural(#names, "link")
end

-- The neighbours that the tree does not show beside a node, and that are drawn above it.
local function other_links(drawing, id)
  local names = {}
  for _, other in ipairs(drawing.neighbours[id] or {}) do
    local is_in_tree = drawing.tree.parent[id] == other or drawing.tree.parent[other] == id
    if drawing.is_drawn[other] and not is_in_tree then names[#names + 1] = drawing.network.names[other] end
  end
  return names
end

local function draw_node(drawing, id, prefix)
  local start = prefix_of(drawing, prefix, drawing.tree.depth[id])
  local name = format.cut(drawing.network.names[id], math.max(drawing.width - #start, NAME_ROOM))
  local row = start .. name .. (id == drawing.network.me and " (you)" or "")
  local names, room = other_links(drawing, id), drawing.width - core.columns(row) - 2
  if #names > 0 and room >= ALSO_ROOM then row = row .. "  " .. also(names, room) end
  drawing.is_drawn[id] = true
  drawing.rows[#drawing.rows + 1] = row
end

local function draw(drawing, id, prefix)
  local list = drawing.children[id] or {}
  for i, child in ipairs(list) do
    draw_node(drawing, child, prefix .. (i < #list and "|-- " or "`-- "))
    draw(drawing, child, prefix .. (i < #list and "|   " or "    "))
  end
end

local function count(t)
  local n = 0
  for _ in pairs(t) do n = n + 1 end
  return n
end

-- Who is not drawn.
local function add_rest(drawing)
  local reached, rows = #drawing.tree.order, drawing.rows
  local away = count(drawing.network.names) - reached
  if reached == 1 then rows[#rows + 1] = "no links: connect HOST:PORT" end
  if reached > NODES_MAX then rows[#rows + 1] = ("and %s more"):format(format.count(reached - NODES_MAX)) end
  if away > 0 then rows[#rows + 1] = ("%s away"):format(format.plural(away, "peer")) end
end

--- The network as a tree.
---@param network graph.network
---@param width? integer
---@return string
function graph.draw(network, width)
  local neighbours = neighbours_of(network)
  local tree = span(network, neighbours)
  local drawing = { network = network, neighbours = neighbours, tree = tree, children = children_of(tree, network),
    width = width or format.WIDTH, rows = {}, is_drawn = {} }
  draw_node(drawing, network.me, "")
  draw(drawing, network.me, "")
  add_rest(drawing)
  return table.concat(drawing.rows, "\n")
end

-- --- all of it ---

-- Everybody who has a link, and this node, by name; and the links, the smaller id first.
local function parts_of(network)
  local ids, edges, seen = { network.me }, {}, { [network.me] = true }
  for i, edge in ipairs(network.edges) do
    edges[i] = { a = edge.a < edge.b and edge.a or edge.b, b = edge.a < edge.b and edge.b or edge.a }
    for _, id in ipairs { edge.a, edge.b } do
      if not seen[id] then ids[#ids + 1] = id end
      seen[id] = true
    end
  end
  table.sort(ids, by_name(network))
  table.sort(edges, function(x, y)
    if x.a ~= y.a then return x.a < y.a end
    return x.b < y.b
  end)
  return ids, edges
end

--- The network for `dot`.
---@param network graph.network
---@return string
function graph.dot(network)
  local ids, edges = parts_of(network)
  local rows = { "graph moth {" }
  for _, id in ipairs(ids) do
    local style = id == network.me and ", style=bold" or ""
    local name = format.dot_string(network.names[id])
    rows[#rows + 1] = ("  %s [label=%s%s];"):format(format.dot_string(id), name, style)
  end
  for _, edge in ipairs(edges) do
    rows[#rows + 1] = ("  %s -- %s;"):format(format.dot_string(edge.a), format.dot_string(edge.b))
  end
  rows[#rows + 1] = "}"
  return table.concat(rows, "\n")
end

--- The network as a value.
---@param network graph.network
---@return { nodes: { id: string, name: string }[], edges: { a: string, b: string }[] }
function graph.value(network)
  local ids, edges = parts_of(network)
  local nodes = {}
  for i, id in ipairs(ids) do nodes[i] = { id = id, name = network.names[id] } end
  return { nodes = json.array(nodes), edges = json.array(edges) }
end

return graph
