/* scenario_strangers.c -- a node among those who do not play by the rules: noise at the port, other networks, twins.
 *
 *   ana --- bob     they have nothing to do with it, and whatever a stranger does to bob, they keep talking */
#include "patience.h"
#include "process.h"
#include "folder.h"
#include "stranger.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION 1                 /* the byte that opens each link */
#define FIRST_MESSAGE_BYTES 48    /* a key and a tag */
#define HANDSHAKE_MS 5000
#define HALF_OPEN 300
#define HALF_OPEN_KEPT 8          /* unauthenticated connections from one address */

struct pair {
    struct process *ana, *bob;
};

static struct pair start_pair(void)
{
    struct pair p = {process_node("ana", NULL, NULL), process_node("bob", NULL, NULL)};
    process_connect(p.ana, p.bob);
    return p;
}

static void expect_still_talking(const struct pair *p, const char *text)
{
    char pattern[128];
    process_say(p->ana, "send bob %s", text);
    snprintf(pattern, sizeof pattern, "] ana: %s$", text);
    process_expect(p->bob, pattern, PROCESS_SOON_MS);
    process_expect_none(p->ana, "bob is gone", 0);
    process_expect_none(p->bob, "ana is gone", 0);
}

/* What was thrown must have been counted under this word. */
static void expect_counted(struct process *p, const char *reason)
{
    char pattern[128];
    snprintf(pattern, sizeof pattern, "^ ?* %s: ", reason);
    process_ask(p, "status", pattern, PROCESS_SOON_MS);
}

/* --- noise at the port --- */

static void test_random_bytes_are_refused_and_counted(void **state)
{
    (void)state;
    struct pair p = start_pair();
    for (unsigned seed = 0; seed < 20; seed++) {
        int fd = stranger_connect(process_port(p.bob));
        stranger_throw_random(fd, 10000, 2 * seed); /* the first byte is hardly ever a version */
        assert_true(stranger_is_refused(fd, PROCESS_SOON_MS));
        close(fd);
    }
    expect_still_talking(&p, "after the noise");
    expect_counted(p.bob, "version");
}

static void test_a_forged_first_message_is_refused_and_counted(void **state)
{
    (void)state;
    struct pair p = start_pair();
    static const unsigned char version = VERSION;
    int fd = stranger_connect(process_port(p.bob));
    stranger_throw(fd, &version, 1);
    stranger_throw_random(fd, FIRST_MESSAGE_BYTES, 7);
    assert_true(stranger_is_refused(fd, PROCESS_SOON_MS));
    close(fd);
    expect_still_talking(&p, "after the forgery");
    expect_counted(p.bob, "wrong_network");
}

static void test_a_web_browser_is_refused(void **state)
{
    (void)state;
    struct pair p = start_pair();
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    int fd = stranger_connect(process_port(p.bob));
    stranger_throw(fd, request, sizeof request - 1);
    assert_true(stranger_is_refused(fd, PROCESS_SOON_MS));
    close(fd);
    expect_still_talking(&p, "after the browser");
    expect_counted(p.bob, "version");
}

static void test_half_a_handshake_is_dropped_after_five_seconds(void **state)
{
    (void)state;
    struct pair p = start_pair();
    static const unsigned char half[20] = {VERSION};
    int64_t start_ms = patience_now_ms();
    int fd = stranger_connect(process_port(p.bob)), silent = stranger_connect(process_port(p.bob));
    stranger_throw(fd, half, sizeof half);
    expect_still_talking(&p, "meanwhile");
    assert_true(stranger_is_refused(fd, 2 * HANDSHAKE_MS));
    assert_true(patience_now_ms() - start_ms > HANDSHAKE_MS - 1000);
    assert_true(stranger_is_refused(silent, 2 * HANDSHAKE_MS));
    close(fd);
    close(silent);
    expect_still_talking(&p, "afterwards");
    expect_counted(p.bob, "stalled");
}

static unsigned close_refused(int fds[HALF_OPEN])
{
    unsigned open = 0;
    for (int i = 0; i < HALF_OPEN; i++) {
        if (fds[i] >= 0 && stranger_is_refused(fds[i], 0)) {
            close(fds[i]);
            fds[i] = -1;
        }
        open += fds[i] >= 0;
    }
    return open;
}

/* Three hundred come and say nothing: a few may wait, the others are shown the door, and a friend still gets in. */
static void test_three_hundred_half_open_connections_do_no_harm(void **state)
{
    (void)state;
    int fds[HALF_OPEN];
    struct pair p = start_pair();
    for (int i = 0; i < HALF_OPEN; i++) fds[i] = stranger_connect(process_port(p.bob));
    expect_still_talking(&p, "in the crowd");
    int64_t end_ms = patience_deadline(PROCESS_SOON_MS);
    while (close_refused(fds) > HALF_OPEN_KEPT && patience_now_ms() < end_ms) process_listen(5);
    assert_true(close_refused(fds) <= HALF_OPEN_KEPT);
    expect_counted(p.bob, "full");
    for (int i = 0; i < HALF_OPEN; i++)
        if (fds[i] >= 0) close(fds[i]);
    struct process *eva = process_node("eva", NULL, "--connect", process_address(p.bob), NULL);
    process_ask(eva, "list", "^ana ???????? 2 bob ", 2 * PROCESS_SOON_MS);
    expect_still_talking(&p, "without the crowd");
}

/* --- meddling with a link --- */

/*   ana --- bob -?- eva     bytes of a stranger within eva's link: the link ends, and only that one */
static void expect_slipped_in_bytes_end_the_link(const void *data, size_t bytes, const char *reason)
{
    struct pair p = start_pair();
    struct meddler m = meddler_start(process_port(p.bob));
    struct process *eva = process_node("eva", NULL, NULL);
    process_say(eva, "connect 127.0.0.1:%u", m.port);
    process_expect(eva, "^linked to bob", 2 * PROCESS_SOON_MS);
    process_ask(eva, "list", "^ana ???????? 2 bob ", PROCESS_SOON_MS);
    meddler_slip_in(&m, data, bytes);
    process_expect(p.bob, "^* eva is gone: ", PROCESS_SOON_MS);
    expect_counted(p.bob, reason);
    expect_still_talking(&p, "regardless");
    meddler_stop(&m);
}

static void test_an_impossible_record_length_ends_the_link(void **state)
{
    (void)state;
    static const unsigned char huge[64] = {0xff, 0xff};
    expect_slipped_in_bytes_end_the_link(huge, sizeof huge, "malformed");
}

static void test_a_forged_record_ends_the_link(void **state)
{
    (void)state;
    static const unsigned char forged[2 + 32] = {0, 32};
    expect_slipped_in_bytes_end_the_link(forged, sizeof forged, "forged");
}

/* --- other networks --- */

/*   ana --- bob  x  eva     eva has another network key: each side is told in its own words */
static void test_a_wrong_network_key_is_told_to_both(void **state)
{
    (void)state;
    struct pair p = start_pair();
    struct process *eva = process_node("eva", NULL, "--network", "quite another network", NULL);
    process_say(eva, "connect %s", process_address(p.bob));
    process_expect_error(eva, "cannot connect to *--network", 2 * PROCESS_SOON_MS);
    process_expect_error(p.bob, "another network key", PROCESS_SOON_MS);
    expect_counted(p.bob, "wrong_network");
    expect_still_talking(&p, "among ourselves");
    process_ask(p.bob, "status", "^links 1,", PROCESS_SOON_MS);
}

static void test_the_same_passphrase_is_the_same_network(void **state)
{
    (void)state;
    struct process *bob = process_node("bob", NULL, "--network", "open sesame please", NULL);
    struct process *eva = process_node("eva", NULL, "--network", "open sesame please", NULL);
    process_connect(eva, bob);
    process_say(eva, "send bob let me in");
    process_expect(bob, "] eva: let me in$", PROCESS_SOON_MS);
}

/* --- twins --- */

static void copy_home(const char *from, const char *to)
{
    char command[2048];
    snprintf(command, sizeof command, "cp -Rp '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

/*   eva --- bob --- eva     one key in two places: at least one of them learns why nothing works */
static void test_two_nodes_with_one_key_are_told(void **state)
{
    (void)state;
    char copy[1024];
    struct process *bob = process_node("bob", NULL, NULL), *eva = process_node("eva", NULL, NULL);
    process_quit(eva);
    snprintf(copy, sizeof copy, "%s", folder_new_path("copy"));
    copy_home(process_home(eva), copy);
    struct process *first = process_node("eva", process_home(eva), "--connect", process_address(bob), NULL);
    struct process *second = process_node("eva", copy, "--connect", process_address(bob), NULL);
    assert_string_equal(process_id8(first), process_id8(second));
    process_expect_either(first, second, "another node runs with this node's key", 4 * PROCESS_SOON_MS);
}

/*   eva --- bob --- eva~     the name belongs to who had it first */
static void test_a_name_that_is_taken_keeps_its_first_owner(void **state)
{
    (void)state;
    char other[64], pattern[128];
    struct process *bob = process_node("bob", NULL, NULL);
    struct process *eva = process_node("eva", NULL, NULL), *late = process_node("eva", NULL, NULL);
    process_connect(eva, bob);
    process_ask(bob, "list", "^eva ???????? 1 ", PROCESS_SOON_MS);
    process_connect(late, bob);
    snprintf(other, sizeof other, "eva~%s", process_id8(late));
    snprintf(pattern, sizeof pattern, "^%s %s 1 ", other, process_id8(late));
    process_ask(bob, "list", pattern, PROCESS_SOON_MS);
    process_say(bob, "send eva for the first");
    process_say(bob, "send %s for the second", process_id8(late));
    process_expect(eva, "] bob: for the first$", PROCESS_SOON_MS);
    process_expect(late, "] bob: for the second$", PROCESS_SOON_MS);
    process_expect_none(late, "for the first", 0);
    process_expect_none(eva, "for the second", 0);
    process_say(late, "send bob who am I");
    snprintf(pattern, sizeof pattern, "] %s: who am I$", other);
    process_expect(bob, pattern, PROCESS_SOON_MS);
}

/* --- text --- */

static void test_escape_sequences_of_a_peer_never_reach_the_terminal(void **state)
{
    (void)state;
    struct pair p = start_pair();
    process_say(p.ana, "send bob \033[31mred\033[0m \a\b\x7f \xc2\x9b" "2J bell");
    process_expect(p.bob, "] ana: *red*bell", PROCESS_SOON_MS);
    process_expect_none(p.bob, "\033", 0);
    process_expect_none(p.bob, "\a", 0);
    process_expect_none(p.bob, "\b", 0);
    process_expect_none(p.bob, "\x7f", 0);
    process_expect_none(p.bob, "\xc2\x9b", 0);
}

static void test_text_of_other_scripts_arrives_as_it_is(void **state)
{
    (void)state;
    struct pair p = start_pair();
    process_say(p.ana, "send bob grüße 蛾 🦋");
    process_expect(p.bob, "] ana: grüße 蛾 🦋$", PROCESS_SOON_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_random_bytes_are_refused_and_counted),
        PROCESS_TEST(test_a_forged_first_message_is_refused_and_counted),
        PROCESS_TEST(test_a_web_browser_is_refused),
        PROCESS_TEST(test_half_a_handshake_is_dropped_after_five_seconds),
        PROCESS_TEST(test_three_hundred_half_open_connections_do_no_harm),
        PROCESS_TEST(test_an_impossible_record_length_ends_the_link),
        PROCESS_TEST(test_a_forged_record_ends_the_link),
        PROCESS_TEST(test_a_wrong_network_key_is_told_to_both),
        PROCESS_TEST(test_the_same_passphrase_is_the_same_network),
        PROCESS_TEST(test_two_nodes_with_one_key_are_told),
        PROCESS_TEST(test_a_name_that_is_taken_keeps_its_first_owner),
        PROCESS_TEST(test_escape_sequences_of_a_peer_never_reach_the_terminal),
        PROCESS_TEST(test_text_of_other_scripts_arrives_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
