/* scenario_invite.c -- real processes that find each other by one line, and what is left when they cannot: a name,
 * keys, and mail that waits. whois and ping, which want a peer, are tried on the way. */
#include "process.h"

#include <stdio.h>
#include <string.h>

#define LINE_BYTES 2048
#define JOIN_MS (2 * PROCESS_SOON_MS) /* `join` itself waits up to six seconds */

/* The invitation of `p`. */
static const char *invitation(struct process *p)
{
    process_say(p, "invite");
    return process_expect(p, "^moth1:*$", PROCESS_SOON_MS);
}

/* `name (id8) ... at HOST:PORT`, in a sentence. */
static const char *about(const struct process *p, const char *format)
{
    static char text[256];
    char who[128];
    snprintf(who, sizeof who, "%s (%s)", process_name(p), process_id8(p));
    snprintf(text, sizeof text, format, who, process_address(p));
    return text;
}

static void join(struct process *p, const struct process *to, const char *line)
{
    process_say(p, "join %s", line);
    process_expect(p, about(to, "^joined: linked to %s at %s$"), JOIN_MS);
}

/*   ana <== eva     the line leads eva there; then each can write to the other */
static void test_one_line_brings_another_node_here(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL), *eva = process_node("eva", NULL, NULL);
    join(eva, ana, invitation(ana));
    process_say(eva, "send ana hello");
    process_expect(ana, "] eva: hello$", PROCESS_SOON_MS);
    process_say(ana, "send eva welcome");
    process_expect(eva, "] ana: welcome$", PROCESS_SOON_MS);
}

static void test_whoever_copied_it_with_quotes_and_blanks_joins_too(void **state)
{
    (void)state;
    char line[LINE_BYTES];
    struct process *ana = process_node("ana", NULL, NULL), *eva = process_node("eva", NULL, NULL);
    const char *whole = invitation(ana);
    snprintf(line, sizeof line, "  \"%.60s  %s\" ", whole, whole + 60);
    join(eva, ana, line);
}

static void test_an_invitation_tells_who_can_use_it(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    struct process *eva = process_node("eva", NULL, "--listen", "none", NULL);
    invitation(ana);
    process_expect(ana, "^for nodes on this machine only: this one listens on 127.0.0.1$", 0);
    process_expect_none(ana, "network key", 0);
    invitation(eva);
    process_expect(eva, "^this node does not listen: who joins gets to know it, but cannot link to it$", 0);
}

/* --- networks --- */

static void test_members_of_a_network_join_each_other(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, "--network", "correct horse", NULL);
    struct process *eva = process_node("eva", NULL, "--network", "correct horse", NULL);
    const char *line = invitation(ana);
    process_expect(ana, "^whoever has this line can join the network: it holds the network key$", 0);
    join(eva, ana, line);
    process_say(eva, "send ana hello");
    process_expect(ana, "] eva: hello$", PROCESS_SOON_MS);
}

static void test_an_invitation_to_another_network_says_how_to_follow_it(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, "--network", "correct horse", NULL);
    struct process *eva = process_node("eva", NULL, NULL);
    process_say(eva, "join %s", invitation(ana));
    process_expect_error(eva, "this invitation is for another network; end this node and start it with: "
                              "moth join LINE$", PROCESS_SOON_MS);
    process_ask(eva, "list", "^nobody yet", PROCESS_SOON_MS);
}

/* --- what is refused --- */

static void test_a_damaged_line_is_refused_and_teaches_nothing(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL), *eva = process_node("eva", NULL, NULL);
    const char *line = invitation(ana);
    process_say(eva, "join %.*s", (int)strlen(line) - 10, line);
    process_expect_error(eva, "^line 1: the invitation is damaged: a part of the line is missing or changed; "
                              "copy all of it again$", PROCESS_SOON_MS);
    process_say(eva, "join %.8sx%s", line, line + 9); /* there it is always an A */
    process_expect_error(eva, "^line 2: the invitation is damaged", PROCESS_SOON_MS);
    process_say(eva, "join %s", process_address(ana));
    process_expect_error(eva, "^line 3: that is no invitation: one begins with moth1:", PROCESS_SOON_MS);
    process_ask(eva, "list", "^nobody yet", PROCESS_SOON_MS);
}

static void test_ones_own_invitation_is_for_others(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    process_say(ana, "join %s", invitation(ana));
    process_expect_error(ana, "that is the invitation of this node itself; give it to somebody else$", PROCESS_SOON_MS);
}

/* --- nobody, or somebody else, at the address --- */

/*   ana  x  eva     ana has ended; eva joins all the same, writes, and ana gets it when she is back */
static void test_who_invited_can_be_written_to_before_there_is_a_link(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL), *eva = process_node("eva", NULL, NULL);
    const char *line = invitation(ana);
    process_quit(ana);
    process_say(eva, "join %s", line);
    process_expect_error(eva, about(ana, "%s is known now, but cannot be linked at %s: "), JOIN_MS);
    process_say(eva, "send ana I will wait");
    process_expect(eva, "^to ana: queued", PROCESS_SOON_MS);
    struct process *again = process_node("ana", process_home(ana), "--listen", process_address(ana), NULL);
    process_expect(again, "] eva: I will wait$", 4 * JOIN_MS);
}

/*   mallory <== eva     at the address where ana invited her to */
static void test_somebody_else_at_the_address_does_not_count_as_who_invited(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL), *eva = process_node("eva", NULL, NULL);
    const char *line = invitation(ana);
    process_quit(ana);
    struct process *mallory = process_node("mallory", NULL, "--listen", process_address(ana), NULL);
    process_say(eva, "join %s", line);
    char pattern[256];
    snprintf(pattern, sizeof pattern, "another node answers at %s, not ana (%s)", process_address(ana),
             process_id8(ana));
    process_expect_error(eva, pattern, JOIN_MS);
    process_say(eva, "send ana for your eyes only");
    process_expect(eva, "^to ana: queued", PROCESS_SOON_MS);
    process_ask(eva, "list", "^ana ???????? - - - *away", PROCESS_SOON_MS);
    process_expect_none(eva, "mallory", 0);
    process_expect_none(mallory, "for your eyes only", 500);
    process_expect_none(mallory, "eva", 0);
}

/* --- whois, ping --- */

/*   ana --- bob --- eva */
static void test_whois_and_ping_reach_across_the_middle(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL), *bob = process_node("bob", NULL, NULL);
    struct process *eva = process_node("eva", NULL, NULL);
    join(ana, bob, invitation(bob));
    join(eva, bob, invitation(bob));
    process_ask(ana, "list", "^eva ???????? 2 bob ", PROCESS_SOON_MS);
    process_say(ana, "whois eva");
    process_expect(ana, "^state reachable, 2 hops via bob$", PROCESS_SOON_MS);
    process_expect(ana, "^path ana, bob, eva$", PROCESS_SOON_MS);
    process_say(ana, "ping eva 2");
    for (int i = 0; i < 2; i++)
        process_expect(ana, about(eva, "^%s: *.? ms, 2 hops via bob$"), PROCESS_SOON_MS);
    process_expect(ana, "^2 sent, 2 answered, *.?/*.?/*.? ms$", PROCESS_SOON_MS);
    process_say(ana, "ping bob 1");
    process_expect(ana, about(bob, "^%s: *.? ms, 1 hop$"), PROCESS_SOON_MS);
}

static void test_ping_says_at_once_that_there_is_no_way(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL), *eva = process_node("eva", NULL, NULL);
    join(eva, ana, invitation(ana));
    process_quit(ana);
    process_ask(eva, "list", "^ana * away$", PROCESS_SOON_MS);
    process_say(eva, "ping ana");
    process_expect_error(eva, "there is no route to ana now$", PROCESS_SOON_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_one_line_brings_another_node_here),
        PROCESS_TEST(test_whoever_copied_it_with_quotes_and_blanks_joins_too),
        PROCESS_TEST(test_an_invitation_tells_who_can_use_it),
        PROCESS_TEST(test_members_of_a_network_join_each_other),
        PROCESS_TEST(test_an_invitation_to_another_network_says_how_to_follow_it),
        PROCESS_TEST(test_a_damaged_line_is_refused_and_teaches_nothing),
        PROCESS_TEST(test_ones_own_invitation_is_for_others),
        PROCESS_TEST(test_who_invited_can_be_written_to_before_there_is_a_link),
        PROCESS_TEST(test_somebody_else_at_the_address_does_not_count_as_who_invited),
        PROCESS_TEST(test_whois_and_ping_reach_across_the_middle),
        PROCESS_TEST(test_ping_says_at_once_that_there_is_no_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
