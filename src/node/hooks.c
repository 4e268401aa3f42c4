/* hooks.c -- what the owner may veto: links, what is relayed, what is delivered.
 *
 * A hook is asked in the middle of other work, so while one is asked the node does not let itself be changed: sending,
 * linking and the like say MOTH_EPERMISSION. Who has no hook pays one comparison. */
#include "node/hub.h"

void moth_set_hooks(struct moth_node *n, const struct moth_hooks *hooks, void *owner)
{
    n->hooks = hooks ? *hooks : (struct moth_hooks){0};
    n->hooks_owner = owner;
}

bool hooks_accept(struct session *s)
{
    struct moth_node *n = s->node;
    char name[PEER_DISPLAY_BYTES];
    if (!n->hooks.accept) return true;
    peers_display(&n->peers, &s->link->peer, name);
    n->in_hook = true;
    bool yes = n->hooks.accept(n->hooks_owner, &s->link->peer, name, s->address, s->link->inbound);
    n->in_hook = false;
    return yes;
}

static bool is_durable(enum envelope_kind kind)
{
    return kind != ENVELOPE_LIGHT && kind != ENVELOPE_REQUEST && kind != ENVELOPE_REPLY;
}

bool hooks_forward(struct moth_node *n, const struct envelope *e, size_t bytes)
{
    if (!n->hooks.forward) return true;
    struct moth_forward message = {.from = e->src, .to = e->dst, .id = e->id, .bytes = bytes,
                                   .durable = is_durable((enum envelope_kind)e->kind)};
    n->in_hook = true;
    bool yes = n->hooks.forward(n->hooks_owner, &message);
    n->in_hook = false;
    return yes;
}

bool hooks_deliver(struct moth_node *n, const struct moth_message *message)
{
    if (!n->hooks.deliver) return true;
    n->in_hook = true;
    bool yes = n->hooks.deliver(n->hooks_owner, message);
    n->in_hook = false;
    return yes;
}
