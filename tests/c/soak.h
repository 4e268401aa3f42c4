/* soak.h -- one seed: a small network that sends durable mail while everything goes wrong, and the verdict on it.
 *
 *   n0 --- n1 --- n4      Five to twenty machines, a random tree with some chords. Machines lose power, even in the
 *    |   /  |             middle of a call of their disk, and come back; ways are cut, openly or silently; clocks jump
 *   n2 --- n3             by up to a year; disks are full or fail; some are frozen. All of it by chance, from the seed.
 *
 * Then all is put right, and time passes until nobody has mail, carries or owes a receipt. Last, power goes everywhere
 * once more, and what the histories then say is held against the ledger (soak_ledger.h).
 *
 * A clock that jumps ahead costs mail up to a day of its life at the next start, as designed; each machine has two such
 * jumps, so that sender and carrier together stay below the seven days that mail lives. */
#ifndef TESTS_SOAK_H
#define TESTS_SOAK_H

#include "soak_ledger.h"

#include "net/sim.h"
#include "node/hub.h"
#include "node/lab.h"
#include "node/store_disk.h"

#define SOAK_SECOND 1000000u
#define SOAK_STEPS 150
#define SOAK_EDGES (2 * SOAK_MACHINES)
#define SOAK_YEAR_MS 31536000000
#define SOAK_SETTLE_S 1200u

struct soak_figures { /* how often */
    unsigned kills, blackouts, starts, failed_starts, cuts, partitions, freezes, jumps, full, failing, refused_sends;
};

struct soak_verdict {
    uint64_t seed, hash;
    unsigned machines, sent, promised, lost, twice, again, overtaken, faults;
    unsigned set_aside, untold; /* untold: of those, no handler saw them */
    uint64_t deposits, handed_over;
    unsigned virtual_s, settled_s;
    struct soak_figures figures;
    char said[SOAK_SAID_BYTES];
};

struct soak_machine {
    struct moth_config config;
    bool frozen;
    uint64_t dark_call; /* at that call of its disk power goes; 0: not planned */
    int64_t clock_ms;
    unsigned jumps_ahead;
};

struct soak {
    struct lab *lab;
    uint64_t dice;
    unsigned count;
    struct soak_machine machines[SOAK_MACHINES];
    struct {
        unsigned from, to;
    } edges[SOAK_EDGES];
    unsigned edge_count;
    struct soak_ledger ledger;
    struct soak_figures figures;
    uint64_t deposits, handed_over;
};

static inline unsigned soak_draw(struct soak *s, unsigned below)
{
    return (unsigned)(sim_draw(&s->dice) % below);
}

static inline unsigned soak_any(struct soak *s)
{
    return soak_draw(s, s->count);
}

static inline bool soak_is_awake(const struct soak *s, unsigned machine)
{
    return lab_node(s->lab, machine) && !s->machines[machine].frozen;
}

static inline void soak_on_event(void *owner, unsigned machine, const struct moth_event *e)
{
    struct soak *s = owner;
    if (e->kind == MOTH_EVENT_STATE) soak_on_state(&s->ledger, machine, e->sent);
    if (e->kind == MOTH_EVENT_MESSAGE) soak_on_message(&s->ledger, machine, e->message);
    if (e->kind == MOTH_EVENT_NOTE) soak_on_note(&s->ledger, machine, e->text);
}

/* --- life and death --- */

/* A life's figures end with it. */
static inline void soak_take_figures(struct soak *s, unsigned machine)
{
    struct moth_status status;
    if (!lab_node(s->lab, machine)) return;
    moth_status(lab_node(s->lab, machine), &status);
    s->deposits += status.deposits_made;
    s->handed_over += status.handed_over;
    for (int i = 0; i < MOTH_ERROR_COUNT; i++) s->ledger.discarded[i] += status.discarded[i];
    if (status.queued_bytes_most > status.limits[MOTH_LIMIT_LINK_QUEUE_BYTES] ||
        status.control_bytes_most > status.limits[MOTH_LIMIT_LINK_CONTROL_BYTES])
        soak_fault(&s->ledger, "n%u let a queue grow beyond its limit", machine);
}

static inline void soak_kill(struct soak *s, unsigned machine)
{
    soak_take_figures(s, machine);
    lab_kill(s->lab, machine);
    disk_cut_at(lab_disk(s->lab, machine), 0);
    s->machines[machine].dark_call = 0;
}

static inline bool soak_is_dark(const struct soak *s, unsigned machine)
{
    const struct soak_machine *m = &s->machines[machine];
    return m->dark_call > 0 && disk_calls(lab_disk(s->lab, machine)) >= m->dark_call;
}

/* Where the power went in the middle of a call, the machine is dead. */
static inline void soak_bury(struct soak *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        if (!soak_is_dark(s, i)) continue;
        s->figures.blackouts++;
        soak_kill(s, i);
    }
}

static inline bool soak_somebody_is_dark(struct lab *lab, void *argument)
{
    const struct soak *s = argument;
    (void)lab;
    for (unsigned i = 0; i < s->count; i++)
        if (soak_is_dark(s, i)) return true;
    return false;
}

static inline void soak_go(struct soak *s, uint64_t us)
{
    uint64_t until_us = lab_now_us(s->lab) + us;
    soak_bury(s);
    while (lab_run_until(s->lab, soak_somebody_is_dark, s, until_us - lab_now_us(s->lab))) soak_bury(s);
}

static inline void soak_dial(struct soak *s, unsigned machine)
{
    for (unsigned i = 0; i < s->edge_count; i++)
        if (s->edges[i].from == machine) lab_connect(s->lab, machine, s->edges[i].to);
}

static inline void soak_thaw(struct soak *s, unsigned machine)
{
    lab_freeze(s->lab, machine, false);
    s->machines[machine].frozen = false;
}

/* Only a broken disk keeps a machine from starting. */
static inline int soak_start(struct soak *s, unsigned machine)
{
    char name[16];
    soak_thaw(s, machine);
    snprintf(name, sizeof name, "n%u", machine);
    int rc = lab_start(s->lab, machine, name, &s->machines[machine].config);
    s->figures.starts++;
    s->figures.failed_starts += rc < 0;
    if (rc < 0 && rc != MOTH_EIO && rc != MOTH_ENO_SPACE && rc != MOTH_EPERMISSION)
        soak_fault(&s->ledger, "n%u does not start: %s", machine, moth_error_text(rc));
    if (rc == 0) soak_dial(s, machine);
    soak_bury(s);
    return rc;
}

/* --- mail --- */

static inline size_t soak_size(struct soak *s)
{
    return soak_draw(s, 8) == 0 ? 16 + soak_draw(s, SOAK_BYTES_MAX - 16) : 16 + soak_draw(s, 100);
}

static inline void soak_send(struct soak *s, unsigned from, unsigned to)
{
    char text[SOAK_BYTES_MAX + 16];
    uint64_t id;
    if (!soak_is_awake(s, from)) return;
    size_t bytes = soak_size(s);
    unsigned number = soak_ledger_new(&s->ledger, from, to, bytes, text);
    struct moth_payload payload = {.encoding = MOTH_TEXT, .data = text, .bytes = bytes};
    int rc = moth_send(lab_node(s->lab, from), &s->ledger.ids[to], &payload, NULL, &id);
    s->figures.refused_sends += rc < 0;
    if (rc == 0) soak_ledger_accepted(&s->ledger, number, id);
    else if (rc != MOTH_EUNKNOWN_PEER && rc != MOTH_ESTORE && rc != MOTH_EIO)
        soak_fault(&s->ledger, "n%u may not send: %s", from, moth_error_text(rc));
    lab_turn(s->lab, from);
}

static inline void soak_send_some(struct soak *s)
{
    for (unsigned i = soak_draw(s, 5); i > 0; i--) soak_send(s, soak_any(s), soak_any(s));
}

/* --- troubles --- */

static inline void soak_power_goes(struct soak *s)
{
    unsigned machine = soak_any(s);
    if (!lab_node(s->lab, machine)) return;
    s->figures.kills++;
    soak_kill(s, machine);
    if (soak_draw(s, 3) == 0) soak_start(s, machine);
}

/* The moments around a commit and a receipt are the ones that count. */
static inline void soak_power_goes_after_mail(struct soak *s)
{
    unsigned from = soak_any(s), to = soak_any(s), machine = soak_draw(s, 2) ? from : to;
    if (!soak_is_awake(s, from)) return;
    for (unsigned i = soak_draw(s, 6); i > 0; i--) soak_send(s, from, to);
    soak_go(s, soak_draw(s, 16000));
    if (!lab_node(s->lab, machine)) return;
    s->figures.kills++;
    soak_kill(s, machine);
}

static inline void soak_power_goes_in_a_call(struct soak *s)
{
    unsigned machine = soak_any(s);
    struct disk *disk = lab_disk(s->lab, machine);
    s->machines[machine].dark_call = disk_calls(disk) + 1 + soak_draw(s, 60);
    disk_cut_at(disk, s->machines[machine].dark_call);
}

static inline void soak_somebody_comes_back(struct soak *s)
{
    unsigned machine = soak_any(s);
    for (unsigned i = 0; i < s->count && lab_node(s->lab, machine); i++) machine = (machine + 1) % s->count;
    if (!lab_node(s->lab, machine)) soak_start(s, machine);
}

static inline void soak_cut_a_way(struct soak *s)
{
    unsigned i = soak_draw(s, s->edge_count), a = s->edges[i].from, b = s->edges[i].to;
    lab_cut(s->lab, a, b, soak_draw(s, 2));
    s->figures.cuts++;
}

static inline void soak_join_a_way(struct soak *s)
{
    unsigned i = soak_draw(s, s->edge_count);
    lab_join(s->lab, s->edges[i].from, s->edges[i].to);
}

static inline void soak_part(struct soak *s)
{
    unsigned first = soak_any(s), count = 1 + soak_draw(s, s->count - first);
    lab_partition(s->lab, first, count, true);
    s->figures.partitions++;
}

static inline void soak_join_all(struct soak *s)
{
    for (unsigned a = 0; a < s->count; a++)
        for (unsigned b = 0; b < a; b++) lab_join(s->lab, a, b);
}

static inline void soak_freeze(struct soak *s)
{
    unsigned machine = soak_any(s);
    lab_freeze(s->lab, machine, true);
    s->machines[machine].frozen = true;
    s->figures.freezes++;
}

static inline void soak_thaw_all(struct soak *s)
{
    for (unsigned i = 0; i < s->count; i++) soak_thaw(s, i);
}

static inline void soak_clock_jumps(struct soak *s)
{
    unsigned machine = soak_any(s);
    struct soak_machine *m = &s->machines[machine];
    int64_t range_ms = soak_draw(s, 2) ? SOAK_YEAR_MS : 60000;
    int64_t clock_ms = (int64_t)(sim_draw(&s->dice) % (uint64_t)(2 * range_ms)) - range_ms;
    if (clock_ms > m->clock_ms && m->jumps_ahead == 2) return;
    m->jumps_ahead += clock_ms > m->clock_ms;
    m->clock_ms = clock_ms;
    lab_clock(s->lab, machine, clock_ms);
    s->figures.jumps++;
}

static inline void soak_disk_is_full(struct soak *s)
{
    struct disk *disk = lab_disk(s->lab, soak_any(s));
    uint64_t bytes = disk_bytes(disk) + soak_draw(s, 131072);
    disk_limit(disk, bytes > 65536 ? bytes - 65536 : 0);
    s->figures.full++;
}

static inline void soak_disk_fails(struct soak *s)
{
    struct disk *disk = lab_disk(s->lab, soak_any(s));
    disk_fail_at(disk, disk_calls(disk) + 1 + soak_draw(s, 40), soak_draw(s, 2));
    s->figures.failing++;
}

static inline void soak_mend_disk(struct soak *s, unsigned machine)
{
    struct disk *disk = lab_disk(s->lab, machine);
    disk_limit(disk, UINT64_MAX);
    disk_heal(disk);
    s->machines[machine].dark_call = 0;
}

static inline void soak_mend_disks(struct soak *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (soak_draw(s, 2)) soak_mend_disk(s, i);
}

static inline void soak_change_latency(struct soak *s)
{
    unsigned i = soak_draw(s, s->edge_count);
    uint32_t latency_us = 100 + soak_draw(s, soak_draw(s, 4) ? 5000 : 300000);
    lab_latency(s->lab, s->edges[i].from, s->edges[i].to, latency_us, soak_draw(s, latency_us));
}

static inline void soak_long_pause(struct soak *s)
{
    soak_go(s, (uint64_t)soak_draw(s, 40) * SOAK_SECOND);
}

/* What mends stands here as often as what breaks, so that there is life between the troubles. */
static inline void soak_trouble(struct soak *s)
{
    static void (*const troubles[])(struct soak *) = {
        soak_power_goes, soak_power_goes, soak_power_goes_after_mail, soak_power_goes_after_mail,
        soak_power_goes_in_a_call, soak_power_goes_in_a_call, soak_somebody_comes_back, soak_somebody_comes_back,
        soak_somebody_comes_back, soak_somebody_comes_back, soak_somebody_comes_back, soak_cut_a_way, soak_cut_a_way,
        soak_join_a_way, soak_join_a_way, soak_part, soak_join_all, soak_freeze, soak_thaw_all, soak_clock_jumps,
        soak_disk_is_full, soak_disk_fails, soak_mend_disks, soak_mend_disks, soak_change_latency, soak_long_pause};
    soak_bury(s);
    troubles[soak_draw(s, sizeof troubles / sizeof troubles[0])](s);
    soak_bury(s);
}

static inline void soak_live(struct soak *s)
{
    for (int i = 0; i < SOAK_STEPS; i++) {
        soak_send_some(s);
        soak_trouble(s);
        soak_go(s, soak_draw(s, soak_draw(s, 5) ? 400000 : 6 * SOAK_SECOND));
    }
}

/* --- peace --- */

static inline void soak_put_right(struct soak *s)
{
    soak_bury(s);
    soak_join_all(s);
    soak_thaw_all(s);
    for (unsigned i = 0; i < s->count; i++) soak_mend_disk(s, i);
    for (unsigned i = 0; i < s->count; i++) {
        int rc = lab_node(s->lab, i) ? 0 : soak_start(s, i);
        if (rc < 0) soak_fault(&s->ledger, "n%u does not start on a mended disk: %s", i, moth_error_text(rc));
        else soak_dial(s, i);
    }
}

/* What a node still has to do; NULL: nothing. */
static inline const char *soak_open_business(const struct moth_node *n)
{
    if (!n) return "does not run";
    if (n->store.reason < 0) return "its disk is well, and still it promises nothing";
    if (n->boxes.mail_count > 0) return "still has mail";
    if (n->boxes.carried_count > 0) return "still carries";
    if (n->boxes.first) return "still has deposits";
    if (n->receipts) return "still owes receipts";
    if (n->arrivals) return "has not told all that arrived";
    return store_is_idle(&n->store) ? NULL : "is still writing";
}

static inline bool soak_is_settled(struct lab *lab, void *argument)
{
    const struct soak *s = argument;
    for (unsigned i = 0; i < s->count; i++)
        if (soak_open_business(lab_node(lab, i))) return false;
    return true;
}

static inline void soak_settle(struct soak *s)
{
    uint64_t until_us = lab_now_us(s->lab) + SOAK_SETTLE_S * (uint64_t)SOAK_SECOND;
    while (!soak_is_settled(s->lab, s) && lab_now_us(s->lab) < until_us) lab_run(s->lab, SOAK_SECOND / 2);
    for (unsigned i = 0; i < s->count; i++) {
        const struct moth_node *n = lab_node(s->lab, i);
        const char *what = soak_open_business(n);
        const struct outgoing *m = n && n->boxes.first ? n->boxes.first->first : NULL;
        if (what) soak_fault(&s->ledger, "n%u %s after %u s%s%s", i, what, SOAK_SETTLE_S, m ? ", for " : "",
                             m ? m->to->facts->claimed : "");
    }
}

/* After that only what is on the disks counts. */
static inline void soak_restart_all(struct soak *s)
{
    for (unsigned i = 0; i < s->count; i++) soak_kill(s, i);
    soak_put_right(s);
    lab_run(s->lab, 5 * SOAK_SECOND);
    soak_settle(s);
}

/* --- one seed --- */

static inline void soak_add_edge(struct soak *s, unsigned from, unsigned to)
{
    s->edges[s->edge_count].from = from;
    s->edges[s->edge_count++].to = to;
}

static inline void soak_draw_network(struct soak *s)
{
    for (unsigned i = 1; i < s->count; i++) soak_add_edge(s, i, soak_draw(s, i));
    for (unsigned i = soak_draw(s, s->count); i > 0; i--) {
        unsigned from = 1 + soak_draw(s, s->count - 1);
        soak_add_edge(s, from, soak_draw(s, from));
    }
}

/* Some keep no body in memory, have a narrow window or write little at once. */
static inline struct moth_config soak_draw_config(struct soak *s)
{
    struct moth_config c = {.open = true};
    if (soak_draw(s, 3) == 0) c.limits[MOTH_LIMIT_MAIL_MEMORY] = 1 + soak_draw(s, 4000);
    if (soak_draw(s, 3) == 0) c.limits[MOTH_LIMIT_IN_FLIGHT] = 1 + soak_draw(s, 8);
    if (soak_draw(s, 3) == 0) c.limits[MOTH_LIMIT_GROUP] = 1 + soak_draw(s, 8);
    return c;
}

static inline void soak_boot(struct soak *s)
{
    for (unsigned i = 0; i < s->count; i++) s->machines[i].config = soak_draw_config(s);
    soak_draw_network(s);
    for (unsigned i = 0; i < s->count; i++)
        if (soak_start(s, i) == 0) s->ledger.ids[i] = *moth_node_id(lab_node(s->lab, i));
    soak_go(s, 10 * SOAK_SECOND);
}

static inline void soak_conclude(struct soak *s, struct soak_verdict *v)
{
    struct soak_ledger *l = &s->ledger;
    for (unsigned i = 0; i < s->count; i++) {
        soak_take_figures(s, i);
        if (lab_node(s->lab, i)) soak_ledger_read(l, i, lab_node(s->lab, i));
    }
    soak_ledger_judge(l);
    soak_ledger_judge_discards(l);
    for (unsigned i = 0; i < l->count; i++) {
        v->set_aside += l->list[i].is_set_aside;
        v->untold += l->list[i].is_set_aside && l->list[i].came + l->list[i].again == 0;
    }
    v->sent = l->count;
    v->promised = soak_ledger_promised(l);
    v->again = soak_ledger_again(l);
    v->lost = l->lost;
    v->twice = l->twice;
    v->overtaken = l->overtaken;
    v->deposits = s->deposits;
    v->handed_over = s->handed_over;
    v->figures = s->figures;
    v->virtual_s = (unsigned)(lab_now_us(s->lab) / SOAK_SECOND);
    v->hash = lab_hash(s->lab);
    v->faults = l->faults;
    memcpy(v->said, l->said, sizeof v->said);
}

/* Runs a seed; with no faults in the verdict, every promise was kept. */
static inline void soak_run(uint64_t seed, struct soak_verdict *v)
{
    struct soak *s = mem_new(sizeof *s);
    s->dice = seed;
    s->count = 5 + soak_draw(s, SOAK_MACHINES - 4);
    *v = (struct soak_verdict){.seed = seed, .machines = s->count};
    s->lab = lab_new(seed, s->count);
    lab_on_event(s->lab, soak_on_event, s);
    soak_boot(s);
    soak_live(s);
    soak_put_right(s);
    uint64_t peace_us = lab_now_us(s->lab);
    soak_settle(s);
    v->settled_s = (unsigned)((lab_now_us(s->lab) - peace_us) / SOAK_SECOND);
    soak_restart_all(s);
    soak_conclude(s, v);
    lab_on_event(s->lab, NULL, NULL);
    lab_free(s->lab);
    soak_ledger_free(&s->ledger);
    free(s);
}

#endif
