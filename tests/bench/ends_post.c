/* ends_post.c -- sender and receiver of durable mail: whole nodes, embedded through the public header. */
#include "measure.h"
#include "post.h"

#include "moth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 256u
#define PACE_NS 1000000u
#define LATE_MAX 1000u /* who is later than so many starts anew */
#define IDLE_US 200    /* how soon new orders are looked for */

struct end {
    struct post *post;
    struct moth_loop *loop;
    struct moth_node *node;
    uint64_t mail_ns, light_ns; /* when the next of each kind may go */
};

static void open_end(struct end *e, const struct moth_config *config, const char *home, moth_on_event on_event)
{
    int rc = moth_loop_open(home, &e->loop);
    if (rc == 0) {
        rc = moth_node_open(config, moth_loop_host(e->loop), moth_loop_transport(e->loop), on_event, e, &e->node);
    }
    if (rc < 0) measure_give_up("%s cannot start: %s", config->name, moth_error_text(rc));
}

static void go_to(struct end *e, unsigned port)
{
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    int rc = moth_connect(e->node, address);
    if (rc < 0) measure_give_up("%s cannot be connected to: %s", address, moth_error_text(rc));
}

/* --- the sender --- */

static void on_answer(struct post *p, enum post_answer answer)
{
    p->answered_ns[answer] = measure_now_ns();
    p->answers[answer]++;
}

static void on_sender_event(void *owner, const struct moth_event *event)
{
    struct post *p = ((struct end *)owner)->post;
    bool is_theirs = p->receiver_is_known && memcmp(&event->peer, &p->receiver, sizeof p->receiver) == 0;
    if (!is_theirs) return;
    if (event->kind == MOTH_EVENT_STATE && event->sent->state == MOTH_QUEUED) on_answer(p, POST_PROMISED);
    if (event->kind == MOTH_EVENT_STATE && event->sent->state == MOTH_DELIVERED) on_answer(p, POST_DELIVERED);
    if (event->kind == MOTH_EVENT_LINK_UP) p->linked_ns = measure_now_ns();
    if (event->kind == MOTH_EVENT_PEER_UP || event->kind == MOTH_EVENT_PEER_DOWN)
        p->is_reachable = event->kind == MOTH_EVENT_PEER_UP;
}

/* How many are due of those that go one every `apart_ns`: who is late catches up. */
static uint64_t due_by_time(uint64_t *next_ns, uint64_t apart_ns)
{
    uint64_t now_ns = measure_now_ns(), due = 0;
    if (*next_ns + LATE_MAX * apart_ns < now_ns) *next_ns = now_ns;
    for (; *next_ns <= now_ns; *next_ns += apart_ns) due++;
    return due;
}

static uint64_t mail_due(struct end *e)
{
    struct post *p = e->post;
    uint64_t left = p->goal - p->sent, open = p->sent - p->answers[p->awaited];
    uint64_t due = p->apart_ns ? due_by_time(&e->mail_ns, p->apart_ns) : open < POST_WINDOW ? BATCH : 0;
    return due < left ? due : left;
}

static bool send_one(struct end *e)
{
    static const char text[POST_BYTES + 1] =
        "a hundred bytes of text, which is about as much as people write to each other in one message mostly.";
    const struct moth_payload payload = {.encoding = MOTH_TEXT, .data = text, .bytes = POST_BYTES};
    struct post *p = e->post;
    uint64_t id;
    if (p->begun_ns == 0) p->begun_ns = measure_now_ns();
    if (moth_send(e->node, &p->receiver, &payload, NULL, &id) < 0) return false;
    p->sent++;
    return true;
}

/* One that is refused is not counted; the next turn tries again. */
static bool emit_one(struct end *e)
{
    uint64_t now_ns = measure_now_ns();
    const struct moth_payload payload = {.data = &now_ns, .bytes = sizeof now_ns};
    if (moth_emit(e->node, &e->post->receiver, &payload) < 0) return false;
    e->post->light_sent++;
    return true;
}

static uint64_t sender_turn(void *owner)
{
    struct end *e = owner;
    struct post *p = e->post;
    const struct moth_host *host = moth_loop_host(e->loop);
    uint64_t light = p->light_sent < p->light_goal ? due_by_time(&e->light_ns, PACE_NS) : 0, mail = 0;
    if (light > 0) emit_one(e);
    if (p->sent < p->goal) mail = mail_due(e);
    for (uint64_t i = 0; i < mail && send_one(e); i++) continue;
    uint64_t next_us = moth_node_tick(e->node);
    uint64_t soon_us = host->now_us(host->context) + (mail > 0 && p->apart_ns == 0 ? 0 : IDLE_US);
    return next_us < soon_us ? next_us : soon_us;
}

void post_sender(void *post)
{
    struct end e = {.post = post};
    struct post *p = post;
    const struct moth_config config = {.name = "sender", .listen = p->port ? NULL : "127.0.0.1:0"};
    open_end(&e, &config, p->sender_home, on_sender_event);
    if (p->port) go_to(&e, p->port);
    else p->port = (unsigned)atoi(strrchr(moth_node_address(e.node), ':') + 1);
    p->is_ready = true;
    moth_loop_run(e.loop, sender_turn, &e);
}

/* --- the receiver --- */

static void on_receiver_event(void *owner, const struct moth_event *event)
{
    struct post *p = ((struct end *)owner)->post;
    uint64_t left_ns;
    if (event->kind != MOTH_EVENT_MESSAGE || event->message->durable) return;
    if (event->message->bytes != sizeof left_ns || p->sample_count >= POST_SAMPLES_MAX) return;
    memcpy(&left_ns, event->message->data, sizeof left_ns);
    p->latency_us[p->sample_count] = (double)(measure_now_ns() - left_ns) / 1e3;
    p->sample_count++;
}

static uint64_t receiver_turn(void *owner)
{
    struct end *e = owner;
    return moth_node_tick(e->node);
}

void post_receiver(void *post)
{
    struct end e = {.post = post};
    const struct moth_config config = {.name = "receiver"};
    open_end(&e, &config, e.post->receiver_home, on_receiver_event);
    e.post->receiver = *moth_node_id(e.node);
    e.post->receiver_is_known = true;
    go_to(&e, e.post->port);
    moth_loop_run(e.loop, receiver_turn, &e);
}
