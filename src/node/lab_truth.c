/* lab_truth.c -- what the routes should be: breadth-first search over the links that both ends have, as somebody sees
 * them who looks at all nodes at once. */
#include "node/lab.h"

#include "base/mem.h"
#include "node/hub.h"

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

/* The first machine about which that one errs; NOBODY: about none. */
static uint32_t error_of(struct lab *lab, unsigned machine, const uint32_t *distances)
{
    const struct router *router = lab_node(lab, machine)->router;
    for (unsigned i = 0; i < lab_count(lab); i++) {
        if (!lab_node(lab, i)) continue;
        unsigned hops = router_hops(router, moth_node_id(lab_node(lab, i)));
        if (hops != (distances[i] == LAB_NO_WAY ? ROUTER_UNREACHABLE : distances[i])) return i;
    }
    return NOBODY;
}

bool lab_routes_are_true(struct lab *lab, unsigned *who, unsigned *whom)
{
    struct truth t = truth_of(lab, lab_count(lab));
    uint32_t *distances = mem_array(t.count, sizeof *distances), wrong = NOBODY;
    for (unsigned i = 0; i < t.count && wrong == NOBODY; i++) {
        if (!lab_node(lab, i)) continue;
        search(&t, i, distances);
        wrong = error_of(lab, i, distances);
        *who = i;
    }
    *whom = wrong;
    free(distances);
    truth_free(&t);
    return wrong == NOBODY;
}
