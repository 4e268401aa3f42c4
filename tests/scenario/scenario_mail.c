/* scenario_mail.c -- mail that survives: real processes that are killed while others are away.
 *
 * What was queued arrives once and in order, whoever was killed meanwhile, and its sender learns of it. */
#include "process.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define MESSAGES 10

static void kill_hard(struct process *p)
{
    process_signal(p, SIGKILL);
    assert_int_equal(process_wait(p, PROCESS_SOON_MS), 128 + SIGKILL);
}

/* The same node again: its home, its name. */
static struct process *start_again(const struct process *p, const struct process *neighbour)
{
    if (!neighbour) return process_node(process_name(p), process_home(p), NULL);
    return process_node(process_name(p), process_home(p), "--connect", process_address(neighbour), NULL);
}

static void send_ten(struct process *from, const char *to, const char *state)
{
    for (int i = 0; i < MESSAGES; i++) {
        char pattern[96];
        snprintf(pattern, sizeof pattern, "^to %s: %s", to, state);
        process_say(from, "send %s number %d.", to, i);
        process_expect(from, pattern, PROCESS_SOON_MS);
    }
}

/* By whom they are shown to be depends on whether that name was saved before the kill: the number says enough. */
static void expect_ten_once_in_order(struct process *at)
{
    char pattern[32];
    for (int twice = 0; twice < 2; twice++) { /* as they arrive, and once more in the history */
        for (int i = 0; i < MESSAGES; i++) {
            snprintf(pattern, sizeof pattern, ": number %d.$", i);
            process_expect(at, pattern, 2 * PROCESS_SOON_MS);
        }
        if (!twice) process_say(at, "history 50");
    }
    process_say(at, "id");
    process_expect(at, "^name ", PROCESS_SOON_MS);
    process_expect_none(at, "number", 0);
}

static void expect_all_delivered(struct process *from)
{
    process_ask(from, "queue", "^nothing waiting$", 2 * PROCESS_SOON_MS);
    process_say(from, "history eva 50");
    for (int i = 0; i < MESSAGES; i++) {
        char line[96];
        snprintf(line, sizeof line, "to eva (delivered): number %d.$", i);
        process_expect(from, line, PROCESS_SOON_MS);
    }
}

/*   ana     (eva)      eva is away, nobody carries; ana is killed with ten messages queued and starts again */
static void test_ten_messages_survive_the_kill_of_their_sender(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL), *eva = process_node("eva", NULL, NULL);
    process_connect(eva, ana);
    process_ask(ana, "list", "^eva ???????? 1 ", PROCESS_SOON_MS);
    kill_hard(eva);
    process_expect(ana, "^* eva is gone", PROCESS_SOON_MS);
    send_ten(ana, "eva", "queued: there is no route to eva now");
    kill_hard(ana);
    ana = start_again(ana, NULL);
    process_ask(ana, "queue eva", "^???????????????? eva queued ", PROCESS_SOON_MS);
    eva = start_again(eva, ana);
    expect_ten_once_in_order(eva);
    expect_all_delivered(ana);
}

/*   (ana) --- bob --- (eva)     bob carries; ana is gone before eva returns, and learns of it when she is back */
static void test_a_carrier_hands_over_what_a_killed_sender_left(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL), *bob = process_node("bob", NULL, NULL);
    struct process *eva = process_node("eva", NULL, NULL);
    process_connect(ana, bob);
    process_connect(eva, bob);
    process_ask(ana, "list", "^eva ???????? 2 bob ", PROCESS_SOON_MS);
    kill_hard(eva);
    process_expect(ana, "^* eva cannot be reached", PROCESS_SOON_MS);
    send_ten(ana, "eva", "");
    process_ask(bob, "status", "^carried 10 messages for others", PROCESS_SOON_MS);
    kill_hard(ana);
    kill_hard(bob);
    bob = start_again(bob, NULL);
    process_ask(bob, "status", "^carried 10 messages for others", PROCESS_SOON_MS);
    eva = start_again(eva, bob);
    expect_ten_once_in_order(eva);
    process_ask(bob, "status", "10 handed over$", PROCESS_SOON_MS); /* the receipts for ana are carried in turn */
    kill_hard(eva);
    ana = start_again(ana, bob);
    expect_all_delivered(ana);
}

/* A cancelled message is not sent any more; one that was sent before is beyond recall. */
static void test_a_cancelled_message_does_not_arrive(void **state)
{
    (void)state;
    char id[32];
    struct process *ana = process_node("ana", NULL, NULL), *eva = process_node("eva", NULL, NULL);
    process_connect(eva, ana);
    process_ask(ana, "list", "^eva ???????? 1 ", PROCESS_SOON_MS);
    process_quit(eva);
    process_expect(ana, "^* eva is gone", PROCESS_SOON_MS);
    process_say(ana, "send eva never mind");
    const char *said = strstr(process_expect(ana, "^to eva: queued", PROCESS_SOON_MS), "(id ");
    assert_non_null(said);
    assert_int_equal(sscanf(said, "(id %31[0-9a-f])", id), 1);
    process_say(ana, "send eva this one");
    process_expect(ana, "^to eva: queued", PROCESS_SOON_MS);
    process_say(ana, "cancel %s", id);
    process_expect(ana, "cancelled", PROCESS_SOON_MS);
    eva = start_again(eva, ana);
    process_expect(eva, "] ana: this one$", PROCESS_SOON_MS);
    process_expect_none(eva, "never mind", 0);
}

static void test_aliases_and_blocks_outlive_the_process(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL), *eva = process_node("eva", NULL, NULL);
    process_connect(eva, ana);
    process_ask(ana, "list", "^eva ???????? 1 ", PROCESS_SOON_MS);
    process_say(ana, "alias eva sister");
    process_say(ana, "block sister");
    process_expect(eva, "^* ana is gone", PROCESS_SOON_MS);
    process_quit(ana);
    ana = start_again(ana, NULL);
    process_say(ana, "send sister hello");
    process_expect_error(ana, "blocked", PROCESS_SOON_MS);
    process_say(ana, "unblock sister");
    process_say(eva, "connect %s", process_address(ana));
    process_expect(ana, "^* sister is linked", 2 * PROCESS_SOON_MS);
    process_say(ana, "send sister hello");
    process_expect(eva, "] ana: hello$", PROCESS_SOON_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_ten_messages_survive_the_kill_of_their_sender),
        PROCESS_TEST(test_a_carrier_hands_over_what_a_killed_sender_left),
        PROCESS_TEST(test_a_cancelled_message_does_not_arrive),
        PROCESS_TEST(test_aliases_and_blocks_outlive_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
