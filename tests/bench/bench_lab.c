/* bench_lab.c -- a thousand nodes of four links each in one process: how long until every node routes to every other,
 * how much memory that takes, how fast virtual time goes when all is calm, and how soon all know of a cut.
 *
 * The floor of the events is a bare heap that holds as many, each of them doing nothing but to come again. Virtual
 * figures do not depend on the machine; they are here because nobody waits for a network that settles too late. */
#include "measure.h"

#include "base/mem.h"
#include "net/sim.h"
#include "node/hub.h"
#include "node/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define NODES 1000u
#define SECOND 1000000u
#define LOOK_US 50000u
#define LIMIT_US (60u * SECOND)
#define IDLE_US (10u * SECOND)
#define CALM_US (40u * SECOND) /* by then the address books are saved */
#define FLOOR_EVENTS 2000000u

static uint64_t state = 42, events;

static unsigned chance(unsigned below)
{
    return (unsigned)(sim_draw(&state) % below);
}

static double now_s(void)
{
    return (double)measure_now_ns() / 1e9;
}

static double peak_mb(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)used.ru_maxrss / 1024;
}

static void run(struct lab *lab, uint64_t us)
{
    uint64_t until_us = lab_now_us(lab) + us;
    while (lab_step(lab, until_us)) events++;
}

/* A ring, and from each node a chord to anybody: the far end has it too. */
static struct lab *boot(void)
{
    struct lab *lab = lab_new(1, NODES);
    char name[16];
    for (unsigned i = 0; i < NODES; i++) {
        snprintf(name, sizeof name, "n%u", i);
        int rc = lab_start(lab, i, name, NULL);
        if (rc < 0) measure_give_up("%s cannot start: %s", name, moth_error_text(rc));
    }
    for (unsigned i = 0; i < NODES; i++) {
        lab_connect(lab, i, (i + 1) % NODES);
        lab_connect(lab, i, chance(NODES));
    }
    return lab;
}

static bool all_know_all(struct lab *lab)
{
    for (unsigned i = 0; i < NODES; i++)
        if (router_routes(lab_node(lab, i)->router, NULL, 0) != NODES - 1) return false;
    return true;
}

/* Their numbers are in everybody's table: whoever has them has the routes too, or searches within its pause. */
static bool all_heard_both(struct lab *lab, unsigned a, unsigned b)
{
    for (unsigned i = 0; i < NODES; i++)
        for (unsigned end = a;; end = b) {
            const struct moth_id *id = moth_node_id(lab_node(lab, end));
            const struct origin *theirs = topology_find(lab_node(lab, i), id), *own = topology_find(lab_node(lab, end), id);
            if (theirs->version.seq != own->version.seq || lab_node(lab, i)->map_changed) return false;
            if (end == b) break;
        }
    return true;
}

static double settle(struct lab *lab)
{
    uint64_t start_us = lab_now_us(lab);
    while (!all_know_all(lab)) {
        run(lab, LOOK_US);
        if (lab_now_us(lab) - start_us > LIMIT_US) measure_give_up("%u nodes do not find each other", NODES);
    }
    return (double)(lab_now_us(lab) - start_us) / SECOND;
}

static double cut_one(struct lab *lab)
{
    uint64_t start_us = lab_now_us(lab);
    lab_cut(lab, 0, 1, false);
    run(lab, 30000); /* each end makes a new advert */
    while (!all_heard_both(lab, 0, 1) || !all_know_all(lab)) {
        run(lab, 10000);
        if (lab_now_us(lab) - start_us > LIMIT_US) measure_give_up("a cut is not known everywhere");
    }
    return (double)(lab_now_us(lab) - start_us) / 1000;
}

/* --- the floor --- */

static struct sim *bare;

static void again(void *argument, uint64_t number)
{
    sim_call(bare, (unsigned)number, sim_now_us(bare) + 1 + sim_random(bare) % 1000, again, argument, number);
}

static double floor_per_s(void)
{
    unsigned touched;
    bare = sim_new(1, NODES);
    for (unsigned i = 0; i < NODES; i++) again(NULL, i);
    double start = now_s();
    for (unsigned i = 0; i < FLOOR_EVENTS; i++) sim_step(bare, UINT64_MAX, &touched);
    double spent = now_s() - start;
    sim_free(bare);
    return FLOOR_EVENTS / spent;
}

int main(void)
{
    double start = now_s();
    struct lab *lab = boot();
    double virtual_s = settle(lab), boot_s = now_s() - start;
    printf("lab_settle_s %.1f\n", boot_s);
    printf("lab_settle_virtual_s %.2f\n", virtual_s);
    printf("lab_settle_rate %.2f\n", virtual_s / boot_s);
    printf("lab_events_per_s %.0f %.0f\n", (double)events / boot_s, floor_per_s());
    run(lab, CALM_US);
    start = now_s();
    run(lab, IDLE_US);
    printf("lab_idle_rate %.2f\n", (double)IDLE_US / SECOND / (now_s() - start));
    printf("lab_cut_virtual_ms %.0f\n", cut_one(lab));
    printf("lab_peak_mb %.0f\n", peak_mb());
    lab_free(lab);
    return 0;
}
