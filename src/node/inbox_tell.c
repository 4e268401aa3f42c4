/* inbox_tell.c -- what arrived, as the owner hears of it: asked by the hook first, then told as an event. */
#include "node/hub.h"

#include <string.h>

struct told {
    struct moth_message message;
    char name[PEER_DISPLAY_BYTES], type[ENVELOPE_TYPE_MAX + 1];
};

static void describe(const struct moth_node *n, const struct envelope *e, const struct envelope_body *body,
                     unsigned how, struct told *out)
{
    bool has_path = (e->flags & ENVELOPE_HAS_PATH) != 0;
    peers_display(&n->peers, &e->src, out->name);
    *put_bytes((uint8_t *)out->type, body->type.data, body->type.bytes) = '\0';
    out->message = (struct moth_message){.from = e->src,
                                         .name = out->name,
                                         .id = e->id,
                                         .re = body->re,
                                         .sent_ms = body->sent_ms,
                                         .encoding = (enum moth_encoding)body->encoding,
                                         .type = out->type,
                                         .data = body->data.data,
                                         .bytes = body->data.bytes,
                                         .hops = e->hops + 1u,
                                         .durable = e->kind == ENVELOPE_DATA,
                                         .broadcast = (how & INBOX_BROADCAST) != 0,
                                         .redelivered = (how & INBOX_AGAIN) != 0,
                                         .is_auto = (e->flags & ENVELOPE_IS_AUTO) != 0,
                                         .path = has_path ? e->path.data : NULL,
                                         .path_hops = has_path ? e->path.bytes / ENVELOPE_PATH_BYTES : 0};
}

int inbox_admit(struct moth_node *n, const struct envelope *e, const struct envelope_body *body, unsigned how)
{
    struct told told;
    if (!n->hooks.deliver || e->kind == ENVELOPE_REQUEST || e->kind == ENVELOPE_REPLY) return 0;
    describe(n, e, body, how, &told);
    return hooks_deliver(n, &told.message) ? 0 : MOTH_EVETOED;
}

static enum moth_event_kind event_of(const struct envelope *e)
{
    return e->kind == ENVELOPE_REQUEST ? MOTH_EVENT_REQUEST
           : e->kind == ENVELOPE_REPLY ? MOTH_EVENT_REPLY
                                       : MOTH_EVENT_MESSAGE;
}

void inbox_deliver(struct moth_node *n, const struct envelope *e, const struct envelope_body *body, unsigned how)
{
    struct told told;
    describe(n, e, body, how, &told);
    n->counts.messages_received++;
    n->counts.messages_redelivered += (how & INBOX_AGAIN) != 0;
    node_emit(n, &(struct moth_event){.kind = event_of(e), .peer = e->src, .name = told.name,
                                      .message = &told.message});
}
