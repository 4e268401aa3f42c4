/* bench_router.c -- how long the router needs to bring its table up to date when it has to search everything.
 *
 * A network of random edges, claimed from both ends. Each round takes one of our own links away or gives it back: the
 * way to that neighbour is the link itself, so no round can be spared, and the program aborts if one changed nothing.
 * Only router_recompute is timed. The median of many rounds is printed in microseconds, for a budget of 2,000. */
#include "proto/router.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PEERS 10000u
#define EDGES 50000u
#define ROUNDS 401u

static uint64_t state = 1;

static uint64_t draw(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static struct moth_id draw_id(void)
{
    struct moth_id id;
    put_uint(put_uint(id.bytes, draw(), 8), draw(), 8);
    return id;
}

static void join(struct router *r, const struct moth_id *a, const struct moth_id *b)
{
    router_link(r, a, b, 1);
    router_link(r, b, a, 1);
}

/* The first edge is the one that comes and goes. An edge drawn twice counts once, so draw until there are enough. */
static struct router *build(struct moth_id *ids)
{
    for (uint32_t i = 0; i < PEERS; i++) ids[i] = draw_id();
    struct router *r = router_new(&ids[0], draw());
    join(r, &ids[0], &ids[1]);
    for (size_t edges; (edges = router_edges(r, NULL, 0)) < EDGES;)
        for (size_t i = edges; i < EDGES; i++) join(r, &ids[draw() % PEERS], &ids[draw() % PEERS]);
    return r;
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double timed_recompute(struct router *r)
{
    double start = now_us();
    bool changed = router_recompute(r);
    double spent = now_us() - start;
    if (!changed) abort();
    return spent;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(void)
{
    struct moth_id *ids = mem_array(PEERS, sizeof *ids);
    struct router *r = build(ids);
    double spent[ROUNDS];

    router_recompute(r);
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (i % 2 == 0) router_unlink(r, &ids[0], &ids[1]);
        else router_link(r, &ids[0], &ids[1], 1);
        spent[i] = timed_recompute(r);
    }
    qsort(spent, ROUNDS, sizeof *spent, compare);
    printf("router_recompute_us %.0f\n", spent[ROUNDS / 2]);
    router_free(r);
    free(ids);
    return 0;
}
