/* scenario_examples.c -- every script of examples/ at work: one process runs it, another talks to it.
 *
 *   ana --- bob     bob runs the example, ana has no script and types */
#include "bots.h"
#include "patience.h"
#include "stranger.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct pair {
    struct process *ana, *bob;
};

static struct pair start_pair(const char *script)
{
    struct process *bob = bots_node("bob", script);
    return (struct pair){bots_friend("ana", bob), bob};
}

/* What bob answers when ana sends that. */
static void expect_answer(const struct pair *p, const char *text, const char *answer)
{
    char pattern[160];
    process_say(p->ana, "send bob %s", text);
    snprintf(pattern, sizeof pattern, "^[??:??:??] bob: %s", answer);
    process_expect(p->ana, pattern, PROCESS_SOON_MS);
}

/* --- echo, commands --- */

static void test_echo_says_again_what_it_is_told(void **state)
{
    (void)state;
    struct pair p = start_pair("examples/echo.lua");
    expect_answer(&p, "hello bob", "hello bob$");
    expect_answer(&p, "  two  words", "two words$");
    process_quit(p.ana);
    process_quit(p.bob);
    process_expect_none(p.ana, "bob: hello", 0);
}

static void test_commands_are_listed_by_help(void **state)
{
    (void)state;
    struct pair p = start_pair("examples/commands.lua");
    expect_answer(&p, "help", "add <a:number> <b:number> - adds two numbers$");
    process_expect(p.ana, "^ roll [sides:integer] - rolls a die$", PROCESS_SOON_MS);
    process_expect(p.ana, "^ shirt <size:S|M|L> [wish...] - orders a shirt$", PROCESS_SOON_MS);
}

static void test_commands_with_wrong_arguments_answer_their_usage(void **state)
{
    (void)state;
    struct pair p = start_pair("examples/commands.lua");
    expect_answer(&p, "add 2", "usage: add <a:number> <b:number>$");
    expect_answer(&p, "add 2 three", "usage: add <a:number> <b:number>$");
    expect_answer(&p, "roll a die", "usage: roll [sides:integer]$");
    expect_answer(&p, "shirt XL", "usage: shirt <size:S|M|L> [wish...]$");
}

static void test_commands_answer_with_what_they_return(void **state)
{
    (void)state;
    struct pair p = start_pair("examples/commands.lua");
    expect_answer(&p, "add 2 3", "5$");
    expect_answer(&p, "add 0.5 0.25", "0.75$");
    expect_answer(&p, "roll", "you rolled ?$");
    expect_answer(&p, "roll 1", "a die has at least two sides$");
    expect_answer(&p, "shirt M with a moth on it", "a shirt in M is noted for ana$");
    process_say(p.bob, "= node:kv('shirts')[node:peers()[1].id].wish");
    process_expect(p.bob, "^with a moth on it$", PROCESS_SOON_MS);
}

/* --- reminder --- */

static void test_a_reminder_comes_when_it_is_due(void **state)
{
    (void)state;
    struct pair p = start_pair("examples/reminder.lua");
    expect_answer(&p, "remind soon the oven", "usage: remind <after:duration> <text...>$");
    expect_answer(&p, "remind 1s look at the oven", "I will$");
    process_expect(p.ana, "] bob: reminder: look at the oven$", PROCESS_SOON_MS);
}

/* Bob is killed as soon as he has promised; the reminder comes from his second life, and his third knows no more of
 * it. */
static void test_a_promised_reminder_outlives_a_kill_and_comes_once(void **state)
{
    (void)state;
    struct pair p = start_pair("examples/reminder.lua");
    expect_answer(&p, "remind 1s drink tea", "I will$");
    bots_kill(p.bob);
    p.bob = bots_again(p.bob, p.ana, "examples/reminder.lua");
    process_expect(p.ana, ": reminder: drink tea$", PROCESS_SOON_MS);
    process_quit(p.bob);
    p.bob = bots_again(p.bob, p.ana, "examples/reminder.lua");
    process_ask(p.ana, "list", "^bob ???????? 1 - ", PROCESS_SOON_MS);
    expect_answer(&p, "remind 1s wash the cup", "I will$");
    process_expect(p.ana, ": reminder: wash the cup$", PROCESS_SOON_MS);
    process_expect_none(p.ana, "reminder: drink tea", 0);
}

/* --- poll --- */

/*   ana --- bob --- eva     both are asked at the same time, and each goes on with what that one said */
static void test_polls_of_two_peers_do_not_mix(void **state)
{
    (void)state;
    struct pair p = start_pair("examples/poll.lua");
    struct pair q = {bots_friend("eva", p.bob), p.bob};
    expect_answer(&p, "poll", "tea or coffee?$");
    expect_answer(&q, "poll", "tea or coffee?$");
    expect_answer(&q, "coffee", "how many cups a day?$");
    expect_answer(&p, "Tea", "how many cups a day?$");
    process_say(q.ana, "send bob rather many"); /* which is no answer, and nobody else's either */
    expect_answer(&p, "3", "thank you; 1 for tea$");
    expect_answer(&q, "12", "thank you; 1 for coffee$");
    expect_answer(&q, "poll", "tea or coffee?$");
    expect_answer(&q, "tea", "how many cups a day?$");
    expect_answer(&q, "1", "thank you; 2 for tea$");
    process_expect_none(p.ana, "coffee", 0);
}

/* --- clock --- */

static void test_the_clock_tells_the_time_to_who_asks(void **state)
{
    (void)state;
    struct pair p = start_pair("examples/clock.lua");
    process_say(p.ana, "= math.abs(node:request('bob', 'time', {}) - os.time()) <= 1");
    process_expect(p.ana, "^true$", PROCESS_SOON_MS);
    process_say(p.ana, "= node:request('bob', 'time', { format = 'year %%Y' })");
    process_expect(p.ana, "^year 20??$", PROCESS_SOON_MS);
    process_say(p.ana, "= node:request('bob', 'time', { format = 3 })");
    process_expect(p.ana, "^nil field format must be a string failed$", PROCESS_SOON_MS);
}

/*   eva --- bob --- ana     eva's script asks both; ana has no clock, and that is no fault */
static void test_the_clocks_client_asks_every_peer_that_comes_up(void **state)
{
    (void)state;
    struct pair p = start_pair("examples/clock.lua");
    struct process *eva = bots_node("eva", "examples/clock_client.lua");
    process_connect(eva, p.bob);
    process_expect(eva, "^bob: its clock differs by *? s$", PROCESS_SOON_MS);
    process_ask(eva, "list", "^ana ???????? 2 bob ", PROCESS_SOON_MS);
    process_expect_none(eva, "ana: its clock", 0);
    process_expect_none(eva, "no service", 0);
}

static void test_the_clocks_client_asks_peers_of_the_command_line(void **state)
{
    (void)state;
    struct process *bob = bots_node("bob", "examples/clock.lua");
    struct process *eva = process_node("eva", NULL, "--connect", process_address(bob), "--load",
                                       "examples/clock_client.lua", NULL);
    process_expect(eva, "^bob: its clock differs by *? s$", PROCESS_SOON_MS);
}

/* --- bridge --- */

/* One line from a socket, without its end. */
static void read_line(int fd, char *out, size_t capacity)
{
    int64_t end_ms = patience_deadline(PROCESS_SOON_MS);
    size_t bytes = 0;
    while (bytes + 1 < capacity) {
        ssize_t n = recv(fd, out + bytes, 1, MSG_DONTWAIT);
        if (n == 1 && out[bytes] == '\n') break;
        if (n == 1) bytes++;
        else if (n == 0 || patience_now_ms() >= end_ms) fail_msg("no line came over the bridge");
        else process_listen(5);
    }
    out[bytes] = '\0';
}

static void expect_line(int fd, const char *text)
{
    char line[256];
    read_line(fd, line, sizeof line);
    assert_string_equal(line, text);
}

static void throw_line(int fd, const char *line)
{
    stranger_throw(fd, line, strlen(line));
    stranger_throw(fd, "\n", 1);
}

static const char *write_bridge(unsigned port)
{
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    return bots_write_changed("bridge", "examples/bridge.lua", "127.0.0.1:7000", address);
}

static void expect_bridged(const struct pair *p, int client)
{
    process_ask(p->bob, "list", "^ana ???????? 1 - ", PROCESS_SOON_MS);
    throw_line(client, "ana hello from far away");
    expect_line(client, "ok");
    process_expect(p->ana, "] bob: hello from far away$", PROCESS_SOON_MS);
    process_say(p->ana, "send bob hello yourself");
    expect_line(client, "ana hello yourself");
}

/*   client ~~~ bob --- ana     a plain program speaks through bob, a line each */
static void test_the_bridge_carries_lines_both_ways(void **state)
{
    (void)state;
    unsigned port = bots_free_port();
    struct pair p = start_pair(write_bridge(port));
    int client = stranger_connect(port);
    expect_bridged(&p, client);
    throw_line(client, "nonsense");
    expect_line(client, "? write: TO TEXT");
    close(client);
}

static void test_a_reloaded_bridge_listens_on_its_port(void **state)
{
    (void)state;
    unsigned port = bots_free_port();
    struct pair p = start_pair(write_bridge(port));
    int before = stranger_connect(port);
    expect_bridged(&p, before);
    process_say(p.bob, "reload bridge");
    process_expect(p.bob, "^bridge is running anew$", PROCESS_SOON_MS);
    assert_true(stranger_is_refused(before, PROCESS_SOON_MS)); /* it was the old script's */
    int after = stranger_connect(port);
    expect_bridged(&p, after);
    close(before);
    close(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_echo_says_again_what_it_is_told),
        PROCESS_TEST(test_commands_are_listed_by_help),
        PROCESS_TEST(test_commands_with_wrong_arguments_answer_their_usage),
        PROCESS_TEST(test_commands_answer_with_what_they_return),
        PROCESS_TEST(test_a_reminder_comes_when_it_is_due),
        PROCESS_TEST(test_a_promised_reminder_outlives_a_kill_and_comes_once),
        PROCESS_TEST(test_polls_of_two_peers_do_not_mix),
        PROCESS_TEST(test_the_clock_tells_the_time_to_who_asks),
        PROCESS_TEST(test_the_clocks_client_asks_every_peer_that_comes_up),
        PROCESS_TEST(test_the_clocks_client_asks_peers_of_the_command_line),
        PROCESS_TEST(test_the_bridge_carries_lines_both_ways),
        PROCESS_TEST(test_a_reloaded_bridge_listens_on_its_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
