/* torture_soak.c -- the long run of the soak (tests/c/soak.h).
 *
 *   torture_soak [COUNT [FIRST]]      500 seeds, from 1
 *
 * A seed that fails says what was broken, and is run again alone by `torture_soak 1 SEED`. */
#include "../c/soak.h"

#include <inttypes.h>
#include <time.h>

#define PROGRESS_SEEDS 25

struct sums {
    unsigned passed, failed;
    uint64_t sent, promised, lost, twice, again, overtaken, set_aside, untold, kills, deposits, handed_over, virtual_s;
    unsigned settled_most_s;
};

static void add(struct sums *sums, const struct soak_verdict *v)
{
    sums->passed += v->faults == 0;
    sums->failed += v->faults > 0;
    sums->sent += v->sent;
    sums->promised += v->promised;
    sums->lost += v->lost;
    sums->twice += v->twice;
    sums->again += v->again;
    sums->overtaken += v->overtaken;
    sums->set_aside += v->set_aside;
    sums->untold += v->untold;
    sums->kills += v->figures.kills + v->figures.blackouts;
    sums->deposits += v->deposits;
    sums->handed_over += v->handed_over;
    sums->virtual_s += v->virtual_s;
    if (v->settled_s > sums->settled_most_s) sums->settled_most_s = v->settled_s;
}

static void print_failure(const char *program, const struct soak_verdict *v)
{
    printf("seed %" PRIu64 ", %u machines: %u faults, %u lost, %u twice of %u promised\n%s  alone: %s 1 %" PRIu64 "\n",
           v->seed, v->machines, v->faults, v->lost, v->twice, v->promised, v->said, program, v->seed);
}

static void print_sums(const struct sums *s, time_t start)
{
    printf("%u seeds, %lld s (%" PRIu64 " virtual, longest to settle %u): sent %" PRIu64 ", promised %" PRIu64
           ", lost %" PRIu64 ", twice %" PRIu64 ", told again %" PRIu64 ", set aside %" PRIu64 " (%" PRIu64
           " untold), overtaken %" PRIu64 ", kills %" PRIu64 ", deposits %" PRIu64 ", handed over %" PRIu64 "\n",
           s->passed + s->failed, (long long)(time(NULL) - start), s->virtual_s, s->settled_most_s, s->sent,
           s->promised, s->lost, s->twice, s->again, s->set_aside, s->untold, s->overtaken, s->kills, s->deposits,
           s->handed_over);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 500, first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    struct sums sums = {0};
    time_t start = time(NULL);
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct soak_verdict v;
        soak_run(seed, &v);
        add(&sums, &v);
        if (v.faults > 0) print_failure(argv[0], &v);
        if ((seed - first + 1) % PROGRESS_SEEDS == 0 || seed + 1 == first + count) print_sums(&sums, start);
    }
    printf("%u passed, %u failed\n", sums.passed, sums.failed);
    return sums.failed > 0;
}
