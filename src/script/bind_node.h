/* bind_node.h -- the node as Lua sees it: the global `node` (bind_node.c has the signature of each method).
 *
 * Sees only the public headers: what a script can do, an embedder can do. */
#ifndef SCRIPT_BIND_NODE_H
#define SCRIPT_BIND_NODE_H

#include "moth/node.h"
#include "script/runtime.h"

struct binding;

/* Makes the global `node` of `r`; the first one, and others beside it. `node` is borrowed until runtime_free, NULL:
 * it does not run; `quit` is
 * what node:quit([status]) calls and may be NULL. The binding is Lua's, as long as the runtime is there. NULL: Lua
 * failed (logged). */
struct binding *bind_node(struct runtime *r, struct moth_node *node, void (*quit)(void *owner, int status),
                          void *owner);

/* Its node ended, NULL, or is another one now; who has it in Lua keeps it. */
void bind_node_change(struct binding *b, struct moth_node *node);

/* Who that is, for one that is bound while it does not run. */
void bind_node_know(struct binding *b, const struct moth_id *id, const char *name, const char *address);

/* From now on a node that Lua has called is put into that list, borrowed; whoever looks at it takes them out. */
void bind_node_watch(struct binding *b, struct binding **touched);
struct binding *bind_node_next_touched(struct binding **touched); /* NULL: there is none */
void *bind_node_owner(const struct binding *b); /* what bind_node got */

/* Queues the event for node:next_event, and asks for a tick. */
void bind_node_event(struct runtime *r, struct binding *b, const struct moth_event *event);

#endif
