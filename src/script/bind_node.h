/* bind_node.h -- the node as Lua sees it: the global `node` (bind_node.c has the signature of each method).
 *
 * Sees only the public headers: what a script can do, an embedder can do. */
#ifndef SCRIPT_BIND_NODE_H
#define SCRIPT_BIND_NODE_H

#include "moth/node.h"
#include "script/runtime.h"

/* Makes the global `node` of `r`. `node` is borrowed until runtime_free; `quit` is what node:quit([status])
 * calls and may be NULL. 0, or MOTH_EIO when Lua failed (logged). */
int bind_node(struct runtime *r, struct moth_node *node, void (*quit)(void *owner, int status), void *owner);

/* Calls the handlers of node:on for this event. */
void bind_node_event(struct runtime *r, const struct moth_event *event);

#endif
