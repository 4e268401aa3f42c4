/* lab_wire.c -- what the experimenter does to the wire between the machines of a lab; it is net/sim.h that does it. */
#include "node/lab.h"

void lab_latency(struct lab *lab, unsigned a, unsigned b, uint32_t latency_us, uint32_t jitter_us)
{
    struct sim_way_options options = {.latency_us = latency_us, .jitter_us = jitter_us};
    sim_way(lab_sim(lab), a, b, &options);
    sim_way(lab_sim(lab), b, a, &options);
}

void lab_way(struct lab *lab, unsigned from, unsigned to, const struct sim_way_options *options)
{
    sim_way(lab_sim(lab), from, to, options);
}

void lab_default_way(struct lab *lab, const struct sim_way_options *options)
{
    sim_default(lab_sim(lab), options);
}

void lab_cut(struct lab *lab, unsigned a, unsigned b, bool silent)
{
    sim_cut(lab_sim(lab), a, b, silent ? SIM_CUT_SILENT : SIM_CUT_OPEN);
}

void lab_cut_one_way(struct lab *lab, unsigned from, unsigned to)
{
    sim_cut(lab_sim(lab), from, to, SIM_CUT_ONE_WAY);
}

void lab_join(struct lab *lab, unsigned a, unsigned b)
{
    sim_join(lab_sim(lab), a, b);
}

void lab_partition(struct lab *lab, unsigned first, unsigned count, bool cut)
{
    for (unsigned a = first; a < first + count; a++)
        for (unsigned b = 0; b < lab_count(lab); b++) {
            if (b >= first && b < first + count) continue;
            if (cut) lab_cut(lab, a, b, false);
            else lab_join(lab, a, b);
        }
}

void lab_freeze(struct lab *lab, unsigned machine, bool frozen)
{
    sim_freeze(lab_sim(lab), machine, frozen);
}

void lab_read_rate(struct lab *lab, unsigned machine, uint64_t bytes_per_s)
{
    sim_read_rate(lab_sim(lab), machine, bytes_per_s);
}

void lab_split(struct lab *lab, size_t most_bytes)
{
    sim_split(lab_sim(lab), most_bytes);
}

void lab_merge(struct lab *lab, bool merge)
{
    sim_merge(lab_sim(lab), merge);
}

void lab_on_delivery(struct lab *lab, void (*on_delivery)(void *owner, const struct sim_delivery *delivery),
                     void *owner)
{
    sim_on_delivery(lab_sim(lab), on_delivery, owner);
}

uint64_t lab_wire_events(struct lab *lab)
{
    return sim_events(lab_sim(lab));
}
