/* scenario_ring.c -- five real processes in a ring, and how fast they find the other way round.
 *
 *         ana --- bob
 *        /          \
 *     lea            eva
 *        \          /
 *         `-- kim -'
 *
 * From ana to eva it is two hops by bob and three by lea and kim. */
#include "patience.h"
#include "process.h"

#include <signal.h>

#define CUT_AIM_MS 1000
#define KILLED_AIM_MS 1000
#define FROZEN_AIM_MS 3000
#define FAILING 10 /* times the aim: later than that is a failure on any machine */

struct ring {
    struct process *ana, *bob, *eva, *kim, *lea;
};

static void expect_everybody_knows_all(struct process *const nodes[5])
{
    for (int i = 0; i < 5; i++) process_ask(nodes[i], "status", "^peers 4 known, 4 reachable", PROCESS_SOON_MS);
}

static struct ring start_ring(void)
{
    static const char *const names[5] = {"ana", "bob", "eva", "kim", "lea"};
    struct process *n[5];
    for (int i = 0; i < 5; i++) n[i] = process_node(names[i], NULL, NULL);
    for (int i = 0; i < 5; i++) process_connect(n[i], n[(i + 1) % 5]);
    expect_everybody_knows_all(n);
    process_ask(n[0], "list", "^eva ???????? 2 bob ", PROCESS_SOON_MS);
    process_ask(n[0], "list", "^kim ???????? 2 lea ", PROCESS_SOON_MS);
    return (struct ring){n[0], n[1], n[2], n[3], n[4]};
}

/*   ana --- bob -x- eva     the message behind the cut goes by lea and kim */
static void test_the_next_message_after_a_cut_takes_the_long_way(void **state)
{
    (void)state;
    struct ring r = start_ring();
    process_say(r.bob, "disconnect eva");
    process_expect(r.bob, "^disconnected from eva$", PROCESS_SOON_MS);
    int64_t start_ms = patience_now_ms();
    process_say(r.ana, "send eva the long way");
    process_expect(r.eva, "] ana: the long way$", FAILING * CUT_AIM_MS);
    patience_report("the next message took the long way", start_ms, CUT_AIM_MS);
    process_ask(r.ana, "list", "^eva ???????? 3 lea ", PROCESS_SOON_MS);
    process_say(r.ana, "trace eva");
    process_expect(r.ana, "1 lea (", PROCESS_SOON_MS);
    process_expect(r.ana, "2 kim (", PROCESS_SOON_MS);
    process_expect(r.ana, "3 eva (", PROCESS_SOON_MS);
}

/*   ana     (bob)    eva    the kernel closes bob's sockets: the news is there at once */
static void test_a_killed_peer_leaves_the_routes_and_stays_known(void **state)
{
    (void)state;
    struct ring r = start_ring();
    int64_t start_ms = patience_now_ms();
    process_signal(r.bob, SIGKILL);
    process_ask(r.ana, "list", "^bob * away$", FAILING * KILLED_AIM_MS);
    process_ask(r.ana, "list", "^eva ???????? 3 lea ", FAILING * KILLED_AIM_MS);
    patience_report("a killed peer left its neighbour's routes", start_ms, KILLED_AIM_MS);
    process_ask(r.kim, "list", "^bob * away$", FAILING * KILLED_AIM_MS);
    patience_report("a killed peer left the routes of all", start_ms, KILLED_AIM_MS);
    process_say(r.ana, "send eva past bob");
    process_expect(r.eva, "] ana: past bob$", PROCESS_SOON_MS);
}

/*   ana --- [bob] --- eva   bob's sockets stay open, but he says nothing: only silence tells */
static void test_a_frozen_peer_leaves_the_routes_and_comes_back(void **state)
{
    (void)state;
    struct ring r = start_ring();
    int64_t start_ms = patience_now_ms();
    process_signal(r.bob, SIGSTOP);
    process_ask(r.ana, "list", "^bob * away$", FAILING * FROZEN_AIM_MS);
    process_ask(r.ana, "list", "^eva ???????? 3 lea ", FAILING * FROZEN_AIM_MS);
    patience_report("a frozen peer left its neighbour's routes", start_ms, FROZEN_AIM_MS);
    process_ask(r.kim, "list", "^bob * away$", FAILING * FROZEN_AIM_MS);
    patience_report("a frozen peer left the routes of all", start_ms, FROZEN_AIM_MS);
    process_signal(r.bob, SIGCONT);
    process_ask(r.ana, "list", "^bob ???????? 1 - ", 4 * PROCESS_SOON_MS);
    process_ask(r.ana, "list", "^eva ???????? 2 bob ", 4 * PROCESS_SOON_MS);
    process_say(r.ana, "send bob welcome back");
    process_expect(r.bob, "] ana: welcome back$", PROCESS_SOON_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_the_next_message_after_a_cut_takes_the_long_way),
        PROCESS_TEST(test_a_killed_peer_leaves_the_routes_and_stays_known),
        PROCESS_TEST(test_a_frozen_peer_leaves_the_routes_and_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
