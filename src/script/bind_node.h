/* bind_node.h -- the node as Lua sees it: the global `node` (bind_node.c has the signature of each method).
 *
 * Sees only the public headers: what a script can do, an embedder can do. */
#ifndef SCRIPT_BIND_NODE_H
#define SCRIPT_BIND_NODE_H

#include "moth/node.h"
#include "script/runtime.h"

struct binding;

/* Makes the global `node` of `r`. `node` is borrowed until runtime_free; `quit` is what node:quit([status])
 * calls and may be NULL. The binding is Lua's, as long as the runtime is there. NULL: Lua failed (logged). */
struct binding *bind_node(struct runtime *r, struct moth_node *node, void (*quit)(void *owner, int status),
                          void *owner);

/* Queues the event for node:next_event, and asks for a tick. */
void bind_node_event(struct runtime *r, struct binding *b, const struct moth_event *event);

#endif
