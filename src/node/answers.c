/* answers.c -- answers that have no way yet.
 *
 * Whoever asks at the moment it learns of us may have a way to us before we have one back: each map follows the adverts
 * in its own time. Such an answer waits in memory for a way, for a few seconds, and goes when there is one. */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

#define WAIT_US 5000000u
#define BYTES_MAX (1u << 20)
#define COUNT_MAX 256u

struct answer {
    struct answer *after;
    struct peer *to; /* borrowed and held */
    struct envelope head;
    uint64_t until_us;
    size_t bytes;
    uint8_t plain[];
};

int answers_keep(struct moth_node *n, struct peer *to, const struct envelope *head, struct slice plain)
{
    struct answers *all = &n->answers;
    if (all->count >= COUNT_MAX || all->bytes + plain.bytes > BYTES_MAX) return MOTH_EUNREACHABLE;
    struct answer *a = mem_new(sizeof *a + plain.bytes), **at = &all->first;
    a->to = to;
    a->head = *head;
    a->until_us = node_now_us(n) + WAIT_US;
    a->bytes = plain.bytes;
    put_bytes(a->plain, plain.data, plain.bytes);
    while (*at) at = &(*at)->after;
    *at = a;
    to->held++;
    all->count++;
    all->bytes += plain.bytes;
    node_due(n, a->until_us);
    return 0;
}

static void drop(struct answers *all, struct answer *a)
{
    a->to->held--;
    all->count--;
    all->bytes -= a->bytes;
    free(a);
}

/* False: it goes on waiting. */
static bool send(struct moth_node *n, struct answer *a, uint64_t now_us)
{
    int rc = route_seal(n, a->to, &a->head, slice_of(a->plain, a->bytes));
    if (rc == MOTH_EUNREACHABLE && now_us < a->until_us) {
        node_due(n, a->until_us);
        return false;
    }
    if (rc < 0) node_discard(n, rc);
    return true;
}

void answers_turn(struct moth_node *n, uint64_t now_us)
{
    struct answer **at = &n->answers.first;
    while (*at) {
        struct answer *a = *at;
        if (send(n, a, now_us)) {
            *at = a->after;
            drop(&n->answers, a);
        } else {
            at = &a->after;
        }
    }
}

void answers_close(struct moth_node *n)
{
    while (n->answers.first) {
        struct answer *a = n->answers.first;
        n->answers.first = a->after;
        drop(&n->answers, a);
    }
}
