/* torture_ledger.c -- the long run of the ledger (tests/scenario/ledger.h).
 *
 *   torture_ledger [KILLS [SECONDS [SEED [LINES]]]]      200 kills, 600 s, a seed of the clock, LINES good, bad or both
 *
 * Both: first with good lines, then with bad ones. When something was lost or came twice it ends with 1, and leaves the
 * homes and the ledger where they are. */
#include "../scenario/folder.h"
#include "../scenario/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *argument(int argc, char **argv, int i, const char *otherwise)
{
    return argc > i ? argv[i] : otherwise;
}

static bool torture(struct ledger_plan plan, bool bad_lines)
{
    struct ledger_verdict v;
    plan.bad_lines = bad_lines;
    printf("%s lines, at least %u kills, seed %" PRIu64 "\n", bad_lines ? "bad" : "good", plan.kills, plan.seed);
    fflush(stdout);
    ledger_run(&plan, &v);
    ledger_print(&v);
    if (v.kills < plan.kills) printf("only %u kills in %d s\n", v.kills, plan.seconds);
    return ledger_is_clean(&v) && v.promised > 0 && v.kills >= plan.kills;
}

/* Without atexit: that would remove the evidence. */
static void leave_all_behind(void)
{
    printf("look into %s\n0 passed, 1 failed\n", folder_path());
    fflush(stdout);
    _exit(1);
}

int main(int argc, char **argv)
{
    const char *lines = argument(argc, argv, 4, "both");
    struct ledger_plan plan = {
        .kills = (unsigned)atoi(argument(argc, argv, 1, "200")),
        .seconds = atoi(argument(argc, argv, 2, "600")),
        .seed = argc > 3 ? strtoull(argv[3], NULL, 10) : (uint64_t)time(NULL),
        .pause_ms = 400,
    };
    int passed = 0;
    for (int bad = 0; bad < 2; bad++) {
        if (strcmp(lines, bad ? "good" : "bad") == 0) continue;
        if (!torture(plan, bad)) leave_all_behind();
        ledger_cleanup(NULL);
        passed++;
    }
    printf("%d passed, 0 failed\n", passed);
    return 0;
}
