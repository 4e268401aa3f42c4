/* bench_start.c -- from exec to the first line, the moment from which a node can be reached.
 *
 * The home exists, as it does on every start but the first: the key is read, not made. The median of eleven starts,
 * beside those of the bare relay, taken in turns. */
#include "measure.h"

#include <stdio.h>

#define STARTS 11u

static double start_ms(struct program p)
{
    measure_stop(&p);
    return (double)p.start_ns / 1e6;
}

int main(int argc, char **argv)
{
    (void)argc;
    double moth_ms[STARTS], floor_ms[STARTS];
    char home[1024];
    snprintf(home, sizeof home, "%s", measure_new_home());
    start_ms(measure_start_moth(home, "early"));
    for (unsigned i = 0; i < STARTS; i++) {
        moth_ms[i] = start_ms(measure_start_moth(home, "early"));
        floor_ms[i] = start_ms(measure_start_floor(argv[0]));
    }
    printf("start_ms %.1f %.1f\n", measure_median(moth_ms, STARTS), measure_median(floor_ms, STARTS));
    return 0;
}
