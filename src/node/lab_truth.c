/* lab_truth.c -- what the routes should be: breadth-first search over the links that both ends have, as somebody sees
 * them who looks at all nodes at once. */
#include "node/lab.h"

#include "base/mem.h"
#include "node/hub.h"

#include <limits.h>
#include <stdlib.h>

#define NOBODY UINT32_MAX

struct truth {
    unsigned count;
    uint32_t *first;      /* count + 1: where the neighbours of each machine begin */
    uint32_t *neighbours; /* of all, by machines */
    uint32_t *queue;
};

/* The machine of a node; ids are those of nodes that run. */
static uint32_t machine_of(const struct id_map *machines, const struct moth_id *id)
{
    return (uint32_t)((uintptr_t)id_map_find(machines, id) - 1);
}

static bool has_session_with(struct moth_node *node, const struct moth_id *id)
{
    const struct peer *p = peers_find(&node->peers, id);
    return p && p->session;
}

static void map_machines(struct lab *lab, unsigned count, struct id_map *machines)
{
    id_map_init(machines, 1);
    for (unsigned i = 0; i < count; i++)
        if (lab_node(lab, i)) id_map_put(machines, moth_node_id(lab_node(lab, i)), (void *)(uintptr_t)(i + 1));
}

/* Writes the neighbours of one machine to `out`, unless NULL, and returns how many they are. */
static uint32_t neighbours_of(struct lab *lab, unsigned machine, const struct id_map *machines, uint32_t *out)
{
    struct moth_node *node = lab_node(lab, machine);
    uint32_t count = 0;
    for (struct link *l = node ? node->links.first : NULL; l; l = l->after) {
        const struct session *s = session_of(l);
        if (!s || !s->peer || s->peer->session != s || !id_map_find(machines, &s->peer->id)) continue;
        uint32_t other = machine_of(machines, &s->peer->id);
        if (!has_session_with(lab_node(lab, other), moth_node_id(node))) continue;
        if (out) out[count] = other;
        count++;
    }
    return count;
}

static struct truth truth_of(struct lab *lab, unsigned count)
{
    struct id_map machines;
    struct truth t = {.count = count};
    map_machines(lab, count, &machines);
    t.first = mem_array(count + 1, sizeof *t.first);
    t.queue = mem_array(count, sizeof *t.queue);
    for (unsigned i = 0; i < count; i++) t.first[i + 1] = t.first[i] + neighbours_of(lab, i, &machines, NULL);
    t.neighbours = mem_array(t.first[count] ? t.first[count] : 1, sizeof *t.neighbours);
    for (unsigned i = 0; i < count; i++) neighbours_of(lab, i, &machines, t.neighbours + t.first[i]);
    id_map_fini(&machines);
    return t;
}

static void truth_free(struct truth *t)
{
    free(t->first);
    free(t->queue);
    free(t->neighbours);
}

static void search(const struct truth *t, unsigned from, uint32_t *out)
{
    uint32_t head = 0, tail = 0;
    for (unsigned i = 0; i < t->count; i++) out[i] = LAB_NO_WAY;
    out[from] = 0;
    t->queue[tail++] = from;
    while (head < tail) {
        uint32_t at = t->queue[head++];
        for (uint32_t i = t->first[at]; i < t->first[at + 1]; i++) {
            uint32_t next = t->neighbours[i];
            if (out[next] != LAB_NO_WAY) continue;
            out[next] = out[at] + 1;
            t->queue[tail++] = next;
        }
    }
}

void lab_distances(struct lab *lab, unsigned to, unsigned count, uint32_t *out)
{
    struct truth t = truth_of(lab, count);
    search(&t, to, out);
    truth_free(&t);
}

size_t lab_edges(struct lab *lab, unsigned count, struct lab_edge *out, size_t capacity)
{
    struct truth t = truth_of(lab, count);
    size_t found = 0;
    for (unsigned a = 0; a < count; a++)
        for (uint32_t i = t.first[a]; i < t.first[a + 1]; i++) {
            if (t.neighbours[i] < a) continue;
            if (found < capacity) out[found] = (struct lab_edge){a, t.neighbours[i]};
            found++;
        }
    truth_free(&t);
    return found;
}

/* Nobody is there under the id that ran there last: it may have moved to another machine. */
static bool is_gone(struct lab *lab, const struct id_map *machines, unsigned machine)
{
    const struct moth_id *id = lab_id(lab, machine);
    return !lab_node(lab, machine) && !id_is_zero(id) && !id_map_find(machines, id);
}

/* The first machine about which that one errs; NOBODY: about none. */
static uint32_t error_of(struct lab *lab, const struct id_map *machines, unsigned machine, const uint32_t *distances)
{
    const struct router *router = lab_node(lab, machine)->router;
    for (unsigned i = 0; i < lab_count(lab); i++) {
        if (!lab_node(lab, i) && !is_gone(lab, machines, i)) continue;
        unsigned hops = router_hops(router, lab_id(lab, i));
        if (hops != (distances[i] == LAB_NO_WAY ? ROUTER_UNREACHABLE : distances[i])) return i;
    }
    return NOBODY;
}

bool lab_routes_are_true(struct lab *lab, unsigned *who, unsigned *whom)
{
    struct truth t = truth_of(lab, lab_count(lab));
    struct id_map machines;
    uint32_t *distances = mem_array(t.count, sizeof *distances), wrong = NOBODY;
    map_machines(lab, t.count, &machines);
    for (unsigned i = 0; i < t.count && wrong == NOBODY; i++) {
        if (!lab_node(lab, i)) continue;
        search(&t, i, distances);
        wrong = error_of(lab, &machines, i, distances);
        *who = i;
    }
    *whom = wrong;
    id_map_fini(&machines);
    free(distances);
    truth_free(&t);
    return wrong == NOBODY;
}

/* --- links that are to come --- */

static bool can_come(struct lab *lab, unsigned from, const struct wanted *w, uint64_t since_us)
{
    struct address a;
    if (w->dialled_us >= since_us && !w->session) return false; /* tried in vain */
    unsigned to = address_parse(w->address, &a) == 0 ? sim_index(&a) : UINT_MAX;
    if (to >= lab_count(lab) || !lab_node(lab, to) || !sim_is_joined(lab_sim(lab), from, to)) return false;
    const struct peer *p = peers_find(&lab_node(lab, from)->peers, moth_node_id(lab_node(lab, to)));
    return !p || !p->linked;
}

bool lab_is_dialling(struct lab *lab, uint64_t since_us)
{
    for (unsigned i = 0; i < lab_count(lab); i++) {
        const struct moth_node *node = lab_node(lab, i);
        for (const struct wanted *w = node ? node->wanted : NULL; w; w = w->after)
            if (can_come(lab, i, w, since_us)) return true;
    }
    return false;
}
