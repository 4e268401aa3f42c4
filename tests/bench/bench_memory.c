/* bench_memory.c -- the private memory of a node that has nothing to do, and what each idle link adds.
 *
 * RssAnon is read when it has not changed for two seconds. Two hundred neighbours are as many small processes, each
 * with a node and an identity of its own, linked to nobody but the node under watch; a link's share therefore holds
 * all that comes with a neighbour: the connection, the keys, the address book, its advert, its route. */
#include "measure.h"

#include "moth.h"

#include <stdatomic.h>
#include <stdio.h>

#define LINKS 200u
#define LINK_DEADLINE_NS 30000000000u
#define CALM_NS 2000000000u
#define CALM_DEADLINE_NS 20000000000u
#define POLL_US 50000

struct crowd {
    unsigned port;
    const char *home; /* of the neighbour that starts next */
    unsigned number;
    _Atomic unsigned linked;
};

struct neighbour_node {
    struct crowd *crowd;
    struct moth_node *node;
};

static void on_event(void *owner, const struct moth_event *event)
{
    struct neighbour_node *n = owner;
    if (event->kind == MOTH_EVENT_LINK_UP) n->crowd->linked++;
}

static uint64_t on_turn(void *owner)
{
    struct neighbour_node *n = owner;
    return moth_node_tick(n->node);
}

static void be_neighbour(void *context)
{
    struct crowd *c = context;
    struct neighbour_node n = {.crowd = c};
    struct moth_loop *loop = NULL;
    char name[32], address[32];
    snprintf(name, sizeof name, "neighbour%u", c->number);
    snprintf(address, sizeof address, "127.0.0.1:%u", c->port);
    const struct moth_config config = {.name = name};
    int rc = moth_loop_open(c->home, &loop);
    if (rc == 0) rc = moth_node_open(&config, moth_loop_host(loop), moth_loop_transport(loop), on_event, &n, &n.node);
    if (rc == 0) rc = moth_connect(n.node, address);
    if (rc < 0) measure_give_up("%s cannot start: %s", name, moth_error_text(rc));
    moth_loop_run(loop, on_turn, &n);
}

static void gather(struct crowd *c, pid_t pids[LINKS])
{
    for (c->number = 0; c->number < LINKS; c->number++) {
        uint64_t start_ns = measure_now_ns();
        c->home = measure_new_home();
        pids[c->number] = measure_fork(be_neighbour, c);
        while (c->linked <= c->number) {
            if (measure_now_ns() - start_ns > LINK_DEADLINE_NS) measure_give_up("link %u does not come", c->number);
            measure_sleep_us(1000);
        }
    }
}

static double calm_bytes(const struct program *p)
{
    uint64_t start_ns = measure_now_ns(), since_ns = start_ns, last = measure_private_bytes(p), now;
    while (measure_now_ns() - since_ns < CALM_NS && measure_now_ns() - start_ns < CALM_DEADLINE_NS) {
        measure_sleep_us(POLL_US);
        if ((now = measure_private_bytes(p)) == last) continue;
        last = now;
        since_ns = measure_now_ns();
    }
    return (double)last;
}

int main(int argc, char **argv)
{
    (void)argc;
    pid_t pids[LINKS];
    struct crowd *c = measure_shared(sizeof *c);
    struct program bare = measure_start_floor(argv[0]), moth = measure_start_moth(measure_new_home(), "middle");
    double floor_idle = calm_bytes(&bare), idle = calm_bytes(&moth);
    c->port = moth.port;
    gather(c, pids);
    double crowded = calm_bytes(&moth);
    printf("memory_idle_kib %.0f %.0f\n", idle / 1024, floor_idle / 1024);
    printf("memory_link_bytes %.0f\n", (crowded - idle) / LINKS);
    for (unsigned i = 0; i < LINKS; i++) measure_end_child(pids[i]);
    measure_stop(&moth);
    measure_stop(&bare);
    return 0;
}
