/* ends_moth.c -- sender and receiver for moth: whole nodes, embedded through the public header, which send light
 * messages. */
#include "measure.h"
#include "traffic.h"

#include "moth.h"

#include <stdio.h>

#define IDLE_US 200

struct end {
    struct traffic *traffic;
    struct moth_loop *loop;
    struct moth_node *node;
};

static void on_event(void *owner, const struct moth_event *event)
{
    struct end *e = owner;
    const struct moth_message *m = event->message;
    if (event->kind == MOTH_EVENT_MESSAGE && m->bytes == MESSAGE_BYTES) traffic_arrived(e->traffic, m->data);
}

static void open_end(struct end *e, const char *name, const char *home)
{
    char address[32];
    const struct moth_config config = {.name = name};
    int rc = moth_loop_open(home, &e->loop);
    if (rc == 0) {
        rc = moth_node_open(&config, moth_loop_host(e->loop), moth_loop_transport(e->loop), on_event, e, &e->node);
    }
    snprintf(address, sizeof address, "127.0.0.1:%u", e->traffic->port);
    if (rc == 0) rc = moth_connect(e->node, address);
    if (rc < 0) measure_give_up("%s cannot start: %s", name, moth_error_text(rc));
}

static bool emit_one(struct end *e)
{
    uint8_t message[MESSAGE_BYTES];
    const struct moth_payload payload = {.encoding = MOTH_TEXT, .data = message, .bytes = sizeof message};
    traffic_stamp(message);
    return moth_emit(e->node, &e->traffic->receiver, &payload) == 0;
}

/* A refused message is not counted as sent; the next turn tries again. */
static unsigned emit_due(struct end *e)
{
    unsigned due = e->traffic->receiver_is_known ? traffic_due(e->traffic) : 0, gone = 0;
    while (gone < due && emit_one(e)) gone++;
    e->traffic->sent += gone;
    return gone;
}

static uint64_t sender_turn(void *owner)
{
    struct end *e = owner;
    const struct moth_host *host = moth_loop_host(e->loop);
    unsigned gone = emit_due(e);
    uint64_t next_us = moth_node_tick(e->node), soon_us = host->now_us(host->context) + (gone > 0 ? 0 : IDLE_US);
    return next_us < soon_us ? next_us : soon_us;
}

static uint64_t receiver_turn(void *owner)
{
    struct end *e = owner;
    return moth_node_tick(e->node);
}

void moth_sender(void *traffic)
{
    struct end e = {.traffic = traffic};
    open_end(&e, "sender", e.traffic->sender_home);
    moth_loop_run(e.loop, sender_turn, &e);
}

void moth_receiver(void *traffic)
{
    struct end e = {.traffic = traffic};
    open_end(&e, "receiver", e.traffic->receiver_home);
    e.traffic->receiver = *moth_node_id(e.node);
    e.traffic->receiver_is_known = true;
    moth_loop_run(e.loop, receiver_turn, &e);
}
