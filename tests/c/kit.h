/* kit.h -- what tests of whole nodes share: a lab that remembers what its nodes said, and the truth about its graph. */
#ifndef TESTS_KIT_H
#define TESTS_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "node/hub.h"
#include "node/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIT_MACHINES 128
#define SECOND 1000000u
#define KIT_TEXTS 2048

struct kit {
    struct lab *lab;
    unsigned messages[KIT_MACHINES]; /* received, by machine */
    char texts[KIT_TEXTS][32];       /* of all messages received, in order */
    unsigned text_count;
    unsigned to_machine[KIT_TEXTS];  /* who received it */
    unsigned events[KIT_MACHINES][MOTH_EVENT_NOTE + 1];
    unsigned states[MOTH_LOST + 1];
    int last_reason[KIT_MACHINES][MOTH_EVENT_NOTE + 1];
    char notes[4096];                /* all notes, a line each: "3: text" */
    unsigned last_hops;
    char last_name[64];
    void (*also)(struct kit *k, unsigned machine, const struct moth_event *e);
};

static inline void kit_on_event(void *owner, unsigned machine, const struct moth_event *e)
{
    struct kit *k = owner;
    k->events[machine][e->kind]++;
    k->last_reason[machine][e->kind] = e->reason;
    if (e->kind == MOTH_EVENT_STATE) k->states[e->sent->state]++;
    if (e->kind == MOTH_EVENT_NOTE) {
        size_t used = strlen(k->notes);
        snprintf(k->notes + used, sizeof k->notes - used, "%u: %s\n", machine, e->text);
    }
    if (e->kind == MOTH_EVENT_MESSAGE) {
        k->messages[machine]++;
        k->last_hops = e->message->hops;
        snprintf(k->last_name, sizeof k->last_name, "%s", e->message->name);
        if (k->text_count < KIT_TEXTS) {
            k->to_machine[k->text_count] = machine;
            snprintf(k->texts[k->text_count++], 32, "%.*s", (int)e->message->bytes, (const char *)e->message->data);
        }
    }
    if (k->also) k->also(k, machine, e);
}

static inline struct kit *kit_new(uint64_t seed, unsigned machines)
{
    struct kit *k = mem_new(sizeof *k);
    assert_true(machines <= KIT_MACHINES);
    k->lab = lab_new(seed, machines);
    lab_on_event(k->lab, kit_on_event, k);
    return k;
}

static inline void kit_free(struct kit *k)
{
    lab_on_event(k->lab, NULL, NULL);
    lab_free(k->lab);
    free(k);
}

/* Machines first ... last, named a given name or n0, n1, ... */
static inline void kit_start(struct kit *k, unsigned machine, const char *name)
{
    char text[16];
    snprintf(text, sizeof text, "n%u", machine);
    assert_int_equal(lab_start(k->lab, machine, name ? name : text, NULL), 0);
}

static inline struct moth_node *kit_node(const struct kit *k, unsigned machine)
{
    return lab_node(k->lab, machine);
}

static inline const struct moth_id *kit_id(const struct kit *k, unsigned machine)
{
    return moth_node_id(kit_node(k, machine));
}

static inline int kit_send(struct kit *k, unsigned from, const struct moth_id *to, const char *text, uint64_t *id)
{
    struct moth_payload payload = {.encoding = MOTH_TEXT, .data = text, .bytes = strlen(text)};
    uint64_t unused;
    int rc = moth_send(kit_node(k, from), to, &payload, NULL, id ? id : &unused);
    lab_turn(k->lab, from);
    return rc;
}

static inline int kit_emit(struct kit *k, unsigned from, const struct moth_id *to, const char *text)
{
    struct moth_payload payload = {.encoding = MOTH_TEXT, .data = text, .bytes = strlen(text)};
    int rc = moth_emit(kit_node(k, from), to, &payload);
    lab_turn(k->lab, from);
    return rc;
}

static inline struct moth_status kit_status(const struct kit *k, unsigned machine)
{
    struct moth_status status;
    moth_status(kit_node(k, machine), &status);
    return status;
}

static inline uint64_t kit_discarded(const struct kit *k, unsigned machine, int reason)
{
    return kit_status(k, machine).discarded[-reason];
}

static inline struct session *kit_session(const struct kit *k, unsigned at, unsigned to)
{
    struct moth_node *n = kit_node(k, at);
    const struct peer *p = n && kit_node(k, to) ? peers_find(&n->peers, kit_id(k, to)) : NULL;
    return p ? p->session : NULL;
}

static inline bool kit_linked(const struct kit *k, unsigned a, unsigned b)
{
    return kit_session(k, a, b) && kit_session(k, b, a);
}

/* --- the truth: breadth-first search over the links that both ends have --- */

static inline void kit_distances(const struct kit *k, unsigned from, unsigned machines, unsigned out[KIT_MACHINES])
{
    unsigned queue[KIT_MACHINES], head = 0, tail = 0;
    for (unsigned i = 0; i < machines; i++) out[i] = ROUTER_UNREACHABLE;
    out[from] = 0;
    queue[tail++] = from;
    while (head < tail) {
        unsigned at = queue[head++];
        for (unsigned i = 0; i < machines; i++) {
            if (out[i] != ROUTER_UNREACHABLE || !kit_linked(k, at, i)) continue;
            out[i] = out[at] + 1;
            queue[tail++] = i;
        }
    }
}

/* Every node's routes equal the truth; says where not when `loud`. */
static inline bool kit_routes_are_true(const struct kit *k, unsigned machines, bool loud)
{
    unsigned truth[KIT_MACHINES];
    for (unsigned a = 0; a < machines; a++) {
        if (!kit_node(k, a)) continue;
        kit_distances(k, a, machines, truth);
        for (unsigned b = 0; b < machines; b++) {
            if (!kit_node(k, b)) continue;
            unsigned hops = router_hops(kit_node(k, a)->router, kit_id(k, b));
            if (hops == truth[b]) continue;
            if (loud) print_message("n%u thinks n%u is %u hops away, in truth %u\n", a, b, hops, truth[b]);
            return false;
        }
    }
    return true;
}

struct kit_question {
    struct kit *kit;
    unsigned a, b, count;
};

static inline bool kit_ask_linked(struct lab *lab, void *argument)
{
    const struct kit_question *q = argument;
    (void)lab;
    return kit_linked(q->kit, q->a, q->b);
}

static inline bool kit_ask_hops(struct lab *lab, void *argument)
{
    const struct kit_question *q = argument;
    (void)lab;
    return kit_node(q->kit, q->b) && router_hops(kit_node(q->kit, q->a)->router, kit_id(q->kit, q->b)) == q->count;
}

static inline bool kit_ask_messages(struct lab *lab, void *argument)
{
    const struct kit_question *q = argument;
    (void)lab;
    return q->kit->messages[q->a] >= q->count;
}

static inline bool kit_ask_routes(struct lab *lab, void *argument)
{
    const struct kit_question *q = argument;
    (void)lab;
    return kit_routes_are_true(q->kit, q->count, false);
}

static inline void kit_link(struct kit *k, unsigned a, unsigned b)
{
    assert_int_equal(lab_connect(k->lab, a, b), 0);
    assert_true(lab_run_until(k->lab, kit_ask_linked, &(struct kit_question){.kit = k, .a = a, .b = b}, 5 * SECOND));
}

/* `at` is `hops` away from `to` within a time; true when so. */
static inline bool kit_wait_hops(struct kit *k, unsigned at, unsigned to, unsigned hops, uint64_t us)
{
    return lab_run_until(k->lab, kit_ask_hops, &(struct kit_question){.kit = k, .a = at, .b = to, .count = hops}, us);
}

static inline bool kit_wait_messages(struct kit *k, unsigned at, unsigned count, uint64_t us)
{
    return lab_run_until(k->lab, kit_ask_messages, &(struct kit_question){.kit = k, .a = at, .count = count}, us);
}

static inline void kit_settle(struct kit *k, unsigned machines, uint64_t us)
{
    struct kit_question q = {.kit = k, .count = machines};
    lab_run(k->lab, SECOND);
    if (!lab_run_until(k->lab, kit_ask_routes, &q, us)) {
        kit_routes_are_true(k, machines, true);
        fail_msg("routes are not true after %llu s", (unsigned long long)us / SECOND);
    }
}

static inline uint64_t kit_adverts(const struct kit *k, unsigned machines)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < machines; i++)
        if (kit_node(k, i)) sum += kit_status(k, i).adverts_out;
    return sum;
}

/* --- mail --- */

struct kit_mail {
    struct kit *kit;
    unsigned at;
    uint64_t id;
    enum moth_state state;
};

/* The state of a message of `at`; -1: there is no such message. */
static inline int kit_state(const struct kit *k, unsigned at, uint64_t id)
{
    struct moth_sent sent;
    return moth_message_get(kit_node(k, at), id, &sent) < 0 ? -1 : (int)sent.state;
}

static inline int kit_reason(const struct kit *k, unsigned at, uint64_t id)
{
    struct moth_sent sent;
    assert_int_equal(moth_message_get(kit_node(k, at), id, &sent), 0);
    return sent.reason;
}

static inline bool kit_ask_state(struct lab *lab, void *argument)
{
    const struct kit_mail *q = argument;
    (void)lab;
    return kit_state(q->kit, q->at, q->id) == (int)q->state;
}

static inline bool kit_wait_state(struct kit *k, unsigned at, uint64_t id, enum moth_state state, uint64_t us)
{
    return lab_run_until(k->lab, kit_ask_state, &(struct kit_mail){k, at, id, state}, us);
}

/* A power cut, and the same machine again. */
static inline void kit_restart(struct kit *k, unsigned machine)
{
    lab_kill(k->lab, machine);
    kit_start(k, machine, NULL);
}

static inline unsigned kit_shown(const struct kit *k, unsigned machine, const char *text)
{
    unsigned count = 0;
    for (unsigned i = 0; i < k->text_count; i++)
        count += k->to_machine[i] == machine && strcmp(k->texts[i], text) == 0;
    return count;
}

/* Sends "m<first>" to "m<last>". */
static inline void kit_send_row(struct kit *k, unsigned from, const struct moth_id *to, unsigned first, unsigned last)
{
    char text[16];
    for (unsigned i = first; i <= last; i++) {
        snprintf(text, sizeof text, "m%u", i);
        assert_int_equal(kit_send(k, from, to, text, NULL), 0);
    }
}

/* `machine` was shown "m<first>" to "m<last>", each once, in this order, and nothing else. */
static inline void kit_assert_row(const struct kit *k, unsigned machine, unsigned first, unsigned last)
{
    char text[16];
    unsigned next = first;
    for (unsigned i = 0; i < k->text_count; i++) {
        if (k->to_machine[i] != machine) continue;
        snprintf(text, sizeof text, "m%u", next++);
        assert_string_equal(k->texts[i], text);
    }
    assert_int_equal(next, last + 1);
}

/* Nodes 0 ... count - 1 in a row, settled. */
static inline struct kit *kit_row(uint64_t seed, unsigned count)
{
    struct kit *k = kit_new(seed, count + 1);
    for (unsigned i = 0; i < count; i++) kit_start(k, i, NULL);
    for (unsigned i = 1; i < count; i++) kit_link(k, i, i - 1);
    kit_settle(k, count, 10 * SECOND);
    return k;
}

#endif
