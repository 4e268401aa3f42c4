/* ends_talk.c -- listener and caller of talk.h: whole nodes, with scripts and without. */
#include "measure.h"
#include "scripted.h"
#include "talk.h"

#include "moth.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 256u
#define IDLE_US 200 /* how soon new orders are looked for */

const char talk_text[TALK_BYTES + 1] =
    "a hundred bytes of text, which is about as much as people write to each other in one message mostly.";

struct end {
    struct talk *talk;
    struct moth_loop *loop;
    struct moth_node *node;
    struct scripted *scripted; /* NULL: none */
    void (*on_event)(struct end *e, const struct moth_event *event); /* these are for who has none */
    uint64_t (*send_some)(struct end *e);
    uint64_t heard;
};

/* --- without a script --- */

uint64_t talk_ack(const struct moth_event *event)
{
    char text[24];
    const struct moth_message *m = event->message;
    if (event->kind != MOTH_EVENT_MESSAGE || strcmp(m->type, "ack") != 0) return 0;
    snprintf(text, sizeof text, "%.*s", (int)m->bytes, (const char *)m->data);
    return strtoull(text, NULL, 10);
}

void talk_hear(struct moth_node *node, const struct moth_event *event, uint64_t *count)
{
    char text[24];
    if (event->kind != MOTH_EVENT_MESSAGE || ++*count % TALK_ACK_EVERY != 0) return;
    int bytes = snprintf(text, sizeof text, "%" PRIu64, *count);
    const struct moth_payload ack = {.encoding = MOTH_JSON, .type = "ack", .data = text, .bytes = (size_t)bytes};
    moth_emit(node, &event->message->from, &ack);
}

static void hear(struct end *e, const struct moth_event *event)
{
    talk_hear(e->node, event, &e->heard);
}

static void answered(struct talk *t, uint64_t count)
{
    t->answered = count;
    t->ended_ns = measure_now_ns();
}

static void take_answer(struct end *e, const struct moth_event *event)
{
    struct talk *t = e->talk;
    uint64_t acked = talk_ack(event);
    if (acked > 0) answered(t, acked);
    if (event->kind == MOTH_EVENT_MESSAGE && event->message->durable) answered(t, t->answered + 1);
    if (event->kind == MOTH_EVENT_STATE && event->sent->state == MOTH_DELIVERED) t->delivered++;
}

static bool send_one(struct end *e)
{
    struct talk *t = e->talk;
    const struct moth_payload payload = {.encoding = MOTH_TEXT, .data = talk_text, .bytes = TALK_BYTES};
    uint64_t id;
    if (t->begun_ns == 0) t->begun_ns = measure_now_ns();
    int rc = t->is_durable ? moth_send(e->node, &t->listener, &payload, NULL, &id)
                           : moth_emit(e->node, &t->listener, &payload);
    if (rc == 0) t->sent++;
    return rc == 0;
}

static uint64_t send_some(struct end *e)
{
    struct talk *t = e->talk;
    uint64_t open = t->sent - t->answered, left = t->goal - t->sent, count = 0;
    uint64_t most = open + BATCH > t->window ? 0 : left < BATCH ? left : BATCH;
    while (count < most && send_one(e)) count++;
    return count;
}

/* --- both --- */

static void on_event(void *owner, const struct moth_event *event)
{
    struct end *e = owner;
    bool is_theirs = memcmp(&event->peer, &e->talk->listener, sizeof event->peer) == 0;
    if (is_theirs && event->kind == MOTH_EVENT_PEER_UP) e->talk->is_reachable = true;
    if (e->scripted) scripted_event(e->scripted, event);
    else e->on_event(e, event);
}

static uint64_t turn(void *owner)
{
    struct end *e = owner;
    const struct moth_host *host = moth_loop_host(e->loop);
    uint64_t sent = e->scripted || !e->send_some ? 0 : e->send_some(e);
    uint64_t soon_us = host->now_us(host->context) + (sent > 0 ? 0 : IDLE_US);
    uint64_t node_us = moth_node_tick(e->node), script_us = e->scripted ? scripted_tick(e->scripted) : soon_us;
    return node_us < script_us ? node_us : script_us;
}

static void on_print(void *owner, const char *text)
{
    struct talk *t = ((struct end *)owner)->talk;
    char name[16];
    double value;
    if (sscanf(text, "%15s %lf", name, &value) != 2) measure_give_up("a script says \"%s\"", text);
    struct talk_samples *s = strcmp(name, "alone") == 0 ? &t->alone : &t->at_once;
    if (s->count >= TALK_SAMPLES_MAX) return;
    s->values[s->count] = value;
    s->count++;
}

static void on_log(void *owner, enum moth_log_level level, const char *text)
{
    (void)owner;
    if (level >= MOTH_LOG_WARN) fprintf(stderr, "%s\n", text);
}

static void open_end(struct end *e, const struct moth_config *config, const char *home)
{
    int rc = moth_loop_open(home, &e->loop);
    if (rc == 0) {
        moth_loop_on_log(e->loop, on_log, NULL);
        rc = moth_node_open(config, moth_loop_host(e->loop), moth_loop_transport(e->loop), on_event, e, &e->node);
    }
    if (rc < 0) measure_give_up("%s cannot start: %s", config->name, moth_error_text(rc));
}

static void run(struct end *e, const char *script)
{
    struct scripted_setup setup = {.host = moth_loop_host(e->loop), .transport = moth_loop_transport(e->loop),
                                   .node = e->node, .script = script, .on_print = on_print, .owner = e};
    if (script) e->scripted = scripted_open(&setup);
    moth_loop_run(e->loop, turn, e);
}

void talk_listener(void *talk)
{
    struct end e = {.talk = talk, .on_event = hear};
    const struct moth_config config = {.name = "listener", .listen = "127.0.0.1:0"};
    open_end(&e, &config, e.talk->listener_home);
    e.talk->listener = *moth_node_id(e.node);
    e.talk->port = (unsigned)atoi(strrchr(moth_node_address(e.node), ':') + 1);
    run(&e, e.talk->listener_script);
}

void talk_caller(void *talk)
{
    struct end e = {.talk = talk, .on_event = take_answer, .send_some = send_some};
    const struct moth_config config = {.name = "caller"};
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", e.talk->port);
    open_end(&e, &config, e.talk->caller_home);
    int rc = moth_connect(e.node, address);
    if (rc < 0) measure_give_up("%s cannot be connected to: %s", address, moth_error_text(rc));
    run(&e, e.talk->caller_script);
}
