/* ledger.h -- real nodes, killed at random moments, and a ledger outside them of what was promised and what came.
 *
 *   s1 ---.       .--- e1      s1 and s2 send durable messages to e1 and e2, all the time; r relays and carries.
 *          >- r -<             Each is a process of its own with a home of its own. The four lines to r may each be
 *   s2 ---'       `--- e2      a bad one (proxy.h).
 *
 * A promise is a STATE event that says the message is kept. It is written down by one write to a file that the parent
 * opened, so a kill cannot take it back. When enough have been killed, all is healed, the senders send no more, and
 * every promised message must arrive: once for its handler (again only when marked as redelivered), and exactly one row
 * of it in the inbox table of the receiver's database.
 *
 * Actors die with the test program, and are only ever killed by their number. */
#ifndef SCENARIO_LEDGER_H
#define SCENARIO_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

enum ledger_actor { LEDGER_R, LEDGER_E1, LEDGER_E2, LEDGER_S1, LEDGER_S2, LEDGER_ACTORS };

struct ledger_plan {
    unsigned kills;  /* the trouble ends after so many */
    int seconds;     /* or so late; with the patience of patience.h */
    int pause_ms;    /* the longest time between two rounds of kills; the shortest is an eighth */
    bool bad_lines;  /* and a partition every few seconds */
    unsigned spared; /* actors that are never killed, a bit for each */
    uint64_t seed;
};

struct ledger_verdict {
    unsigned kills, partitions;
    uint64_t promised, lost, duplicated, redelivered;
    uint64_t reused; /* ids that a sender gave twice */
    uint64_t mixed;  /* messages that came with another text, or to another than they were for */
    char
        complaint[256]; /* "", or what else went wrong: an actor that ended by itself, a database that cannot be read */
};

void ledger_run(const struct ledger_plan *plan, struct ledger_verdict *out);

bool ledger_is_clean(const struct ledger_verdict *v);

/* `kills K, promised P, lost L, duplicated D, redelivered R`, and a line for each other thing that is wrong. */
void ledger_print(const struct ledger_verdict *v);

/* The teardown of every test: kills what still runs, removes the homes. */
int ledger_cleanup(void **state);

#endif
