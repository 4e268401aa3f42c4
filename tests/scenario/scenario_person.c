/* scenario_person.c -- somebody at the prompt, from the first start to the last: finding the way, completing, talking,
 * interrupting, stepping aside for another program, leaving.
 *
 *   ana --- eva     ana sits at a terminal, eva is a pipe */
#include "bots.h"
#include "job.h"
#include "loopback.h"
#include "patience.h"
#include "tmux.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM 512

static struct process *eva;
static struct tmux *ana;

static void meet(void)
{
    eva = process_node("eva", NULL, NULL);
    ana = tmux_node("ana", NULL, "--connect", process_address(eva), NULL);
    process_expect(eva, "^* ana is linked (", 2 * PROCESS_SOON_MS);
    tmux_expect(ana, "^* eva is linked (", PROCESS_SOON_MS);
}

static void alone(void)
{
    ana = tmux_node("ana", NULL, NULL);
}

static void expect_tail(const char *rows)
{
    tmux_expect_tail(ana, rows, PROCESS_SOON_MS);
}

/* The prompt is there, and works. */
static void expect_alive(const char *word)
{
    char rows[ROOM];
    tmux_line(ana, "= '%s'", word);
    snprintf(rows, sizeof rows, "ana> = '%s'\n%s\nana>", word, word);
    expect_tail(rows);
}

/* --- the first time --- */

static void test_the_first_start_greets_and_the_second_does_not(void **state)
{
    (void)state;
    alone();
    tmux_expect(ana, "^Welcome to moth*ana (*)", PROCESS_SOON_MS);
    tmux_expect(ana, "connect 127.0.0.1:", PROCESS_SOON_MS); /* one line to copy */
    tmux_expect(ana, "Two things to try", PROCESS_SOON_MS);
    tmux_expect(ana, "^ help ", PROCESS_SOON_MS);
    tmux_expect(ana, "^ invite ", PROCESS_SOON_MS);
    tmux_line(ana, "quit");
    tmux_expect_end(ana, 0, PROCESS_SOON_MS);
    ana = tmux_node("ana", tmux_home(ana), NULL);
    tmux_expect(ana, "^ana (*) listening on 127.0.0.1:*$", PROCESS_SOON_MS);
    tmux_expect_none(ana, "Welcome");
    tmux_expect_none(ana, "things to try");
}

static void test_what_the_greeting_proposes_works(void **state)
{
    (void)state;
    alone();
    tmux_line(ana, "help");
    tmux_expect_ever(ana, "^*send PEER TEXT ", PROCESS_SOON_MS);
    tmux_line(ana, "invite");
    tmux_expect_ever(ana, "^moth1:", PROCESS_SOON_MS);
    tmux_expect_none(ana, "unknown command");
}

/* --- Ctrl-C --- */

static void wait_until_busy(void)
{
    unsigned long before = job_ticks(tmux_pid(ana));
    int64_t end_ms = patience_deadline(PROCESS_SOON_MS);
    while (job_ticks(tmux_pid(ana)) < before + 10 && patience_now_ms() < end_ms) process_listen(5);
}

static void test_ctrl_c_ends_the_lua_that_runs(void **state)
{
    (void)state;
    alone();
    tmux_line(ana, "= print('begun'), task.sleep(60)");
    tmux_expect(ana, "^begun$", PROCESS_SOON_MS);
    tmux_key(ana, "C-c");
    tmux_expect(ana, "^cancelled$", PROCESS_SOON_MS);
    expect_alive("on we go");
    tmux_line(ana, "while true do end");
    wait_until_busy();
    tmux_key(ana, "C-c");
    tmux_expect(ana, "stopped at prompt:1$", PROCESS_SOON_MS);
    expect_alive("and on");
}

/* A socket that takes connections and says nothing. */
static int listen_silently(unsigned *port)
{
    struct sockaddr_in where = loopback(0);
    socklen_t length = sizeof where;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&where, sizeof where), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&where, &length), 0);
    *port = ntohs(where.sin_port);
    return fd;
}

static void test_ctrl_c_ends_a_command_that_waits(void **state)
{
    (void)state;
    char rows[ROOM];
    unsigned port;
    int silent = listen_silently(&port);
    alone();
    tmux_line(ana, "connect 127.0.0.1:%u", port);
    tmux_line(ana, "= 'behind it'");
    snprintf(rows, sizeof rows, "ana> connect 127.0.0.1:%u\nana> = 'behind it'\nana>", port);
    expect_tail(rows);
    tmux_key(ana, "C-c");
    tmux_expect(ana, "^behind it$", PROCESS_SOON_MS);
    expect_alive("on we go");
    close(silent);
}

static void test_ctrl_c_drops_the_line_being_typed(void **state)
{
    (void)state;
    alone();
    tmux_type(ana, "= print('never')");
    expect_tail("ana> = print('never')");
    tmux_key(ana, "C-c");
    tmux_expect(ana, "^ana>$", PROCESS_SOON_MS);
    tmux_key(ana, "Enter");
    expect_alive("after it");
    tmux_expect_none(ana, "^never$");
    tmux_expect_none(ana, "Ctrl-C again");
}

static void test_ctrl_c_twice_on_an_empty_line_ends_it(void **state)
{
    (void)state;
    alone();
    tmux_key(ana, "C-c");
    expect_tail("Ctrl-C again, or quit, ends moth\nana>");
    expect_alive("still here"); /* something else was done in between: it asks anew */
    tmux_key(ana, "C-c");
    expect_tail("still here\nCtrl-C again, or quit, ends moth\nana>");
    tmux_key(ana, "C-c");
    tmux_expect_end(ana, 0, PROCESS_SOON_MS);
}

/* --- several lines --- */

static void test_lua_may_go_on_over_lines(void **state)
{
    (void)state;
    alone();
    tmux_line(ana, "for i = 1, 3 do");
    expect_tail("ana> for i = 1, 3 do\n...>");
    tmux_line(ana, "print(i * 11)");
    tmux_line(ana, "end");
    expect_tail("ana> for i = 1, 3 do\n...> print(i * 11)\n...> end\n11\n22\n33\nana>");
    tmux_line(ana, "x =");
    expect_tail("ana> x =\n...>");
    tmux_key(ana, "C-c");
    tmux_expect(ana, "^ana>$", PROCESS_SOON_MS);
    expect_alive("dropped");
    tmux_line(ana, "= _");
    expect_tail("ana> = _\ndropped\nana>");
}

/* --- completion --- */

static void drop_line(void)
{
    tmux_key(ana, "C-u");
    tmux_expect(ana, "^ana>$", PROCESS_SOON_MS);
}

static void test_tab_completes_commands_peers_and_lua(void **state)
{
    (void)state;
    meet();
    tmux_type(ana, "sen");
    tmux_key(ana, "Tab");
    tmux_expect_cursor(ana, 10, 0, PROCESS_SOON_MS);
    tmux_type(ana, "e");
    tmux_key(ana, "Tab");
    expect_tail("ana> send eva");
    tmux_expect_cursor(ana, 14, 0, PROCESS_SOON_MS);
    drop_line();
    tmux_type(ana, "= node:sen");
    tmux_key(ana, "Tab");
    expect_tail("ana> = node:send(");
    tmux_expect_cursor(ana, 17, 0, PROCESS_SOON_MS);
    drop_line();
    tmux_type(ana, "= string.forma");
    tmux_key(ana, "Tab");
    tmux_expect(ana, "^ana> = string.format", PROCESS_SOON_MS);
    drop_line();
    tmux_type(ana, "help disc");
    tmux_key(ana, "Tab");
    expect_tail("ana> help disconnect");
}

static void test_tab_twice_lists_what_is_possible(void **state)
{
    (void)state;
    meet();
    tmux_type(ana, "= node:se");
    tmux_key(ana, "Tab");
    tmux_key(ana, "Tab");
    tmux_expect(ana, "^*node:send(*node:serve(", PROCESS_SOON_MS);
    expect_tail("ana> = node:se");
    process_say(eva, "send ana one");
    tmux_expect(ana, "^[00:00:00] eva: one$", PROCESS_SOON_MS);
    expect_tail("ana> = node:se");
}

/* A table whose fields are made on demand: completing asks for none. */
static void test_completion_runs_no_code(void **state)
{
    (void)state;
    alone();
    tmux_line(ana, "trap = setmetatable({ inner = 1 }, { __index = function() print('sprung') return 1 end })");
    expect_alive("it is set");
    tmux_type(ana, "= trap.in");
    tmux_key(ana, "Tab");
    expect_tail("ana> = trap.inner");
    drop_line();
    tmux_type(ana, "= trap.abc.d");
    tmux_key(ana, "Tab");
    tmux_key(ana, "Tab");
    drop_line();
    expect_alive("quiet");
    tmux_expect_none(ana, "^sprung$");
}

static void test_tab_completes_files(void **state)
{
    (void)state;
    char expected[ROOM];
    const char *path = bots_write("quietly", "");
    alone();
    tmux_resize(ana, 200, 24);
    tmux_type(ana, "load ");
    char typed[ROOM];
    snprintf(typed, sizeof typed, "%.*s", (int)(strlen(path) - strlen("etly.lua")), path);
    tmux_type(ana, typed);
    tmux_key(ana, "Tab");
    snprintf(expected, sizeof expected, "ana> load %s", path);
    expect_tail(expected);
}

/* --- history --- */

static void test_what_was_typed_survives_a_kill(void **state)
{
    (void)state;
    alone();
    expect_alive("remember me");
    tmux_signal(ana, SIGKILL);
    while (tmux_is_running(ana)) process_listen(20);
    ana = tmux_node("ana", tmux_home(ana), NULL);
    tmux_key(ana, "Up");
    expect_tail("ana> = 'remember me'");
    tmux_key(ana, "Enter");
    expect_tail("ana> = 'remember me'\nremember me\nana>");
}

/* --- talking --- */

static struct process *eva_again(unsigned port)
{
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    return process_node("eva", process_home(eva), "--listen", address, NULL);
}

static void test_what_one_says_is_marked_until_it_is_delivered(void **state)
{
    (void)state;
    meet();
    unsigned port = process_port(eva);
    process_quit(eva);
    tmux_expect(ana, "^* eva is gone", PROCESS_SOON_MS);
    tmux_line(ana, "talk eva");
    tmux_expect(ana, "^ana to eva>$", PROCESS_SOON_MS);
    tmux_line(ana, "are you there?");
    expect_tail("[00:00:00] ana: are you there?  (waiting)\nana to eva>");
    tmux_type(ana, "half a ");
    expect_tail("[00:00:00] ana: are you there?  (waiting)\nana to eva> half a");
    eva = eva_again(port);
    process_expect(eva, "] ana: are you there?$", 4 * PROCESS_SOON_MS);
    tmux_expect(ana, "^[00:00:00] ana: are you there? (delivered)$", PROCESS_SOON_MS);
    assert_int_equal(tmux_count(ana, "are you there?"), 1); /* in its place */
    tmux_type(ana, "line");
    tmux_key(ana, "Enter");
    process_expect(eva, "] ana: half a line$", PROCESS_SOON_MS);
    expect_tail("[00:00:00] ana: half a line  (delivered)\nana to eva>");
}

/*   ana --- bob --- eva     eva is away; bob, who knows her, takes a copy */
static void test_what_somebody_carries_is_marked_so(void **state)
{
    (void)state;
    struct process *bob = process_node("bob", NULL, NULL);
    eva = bots_friend("eva", bob);
    ana = tmux_node("ana", NULL, "--connect", process_address(bob), NULL);
    process_ask(eva, "= node:send('ana', 'known'):wait('delivered', 5)", "^true$", 4 * PROCESS_SOON_MS);
    process_quit(eva);
    process_expect(bob, "^* eva is gone", PROCESS_SOON_MS);
    tmux_line(ana, "talk eva");
    tmux_expect(ana, "^ana to eva>$", PROCESS_SOON_MS);
    tmux_line(ana, "read this later");
    tmux_expect(ana, "^[00:00:00] ana: read this later (carried)$", 4 * PROCESS_SOON_MS);
    eva = process_node("eva", process_home(eva), "--connect", process_address(bob), NULL);
    process_expect(eva, "] ana: read this later$", 4 * PROCESS_SOON_MS);
    tmux_expect(ana, "^[00:00:00] ana: read this later (delivered)$", PROCESS_SOON_MS);
    assert_int_equal(tmux_count(ana, "read this later"), 1);
}

/* Marks that have left the screen cannot change; a line tells. Those on it change in their places. */
static void test_marks_that_left_the_screen_are_told(void **state)
{
    (void)state;
    meet();
    unsigned port = process_port(eva);
    process_quit(eva);
    tmux_expect(ana, "^* eva is gone", PROCESS_SOON_MS);
    tmux_line(ana, "talk eva");
    tmux_expect(ana, "^ana to eva>$", PROCESS_SOON_MS);
    tmux_line(ana, "the very first");
    for (int i = 0; i < 2 * TMUX_ROWS; i++) tmux_line(ana, "then number %d", i);
    tmux_expect(ana, "^[00:00:00] ana: then number 47 (waiting)$", PROCESS_SOON_MS);
    tmux_expect_none(ana, "the very first");
    tmux_type(ana, "half a line");
    eva = eva_again(port);
    process_expect(eva, "] ana: then number 47$", 4 * PROCESS_SOON_MS);
    tmux_expect_ever(ana, "^* delivered: \"the very first\"$", PROCESS_SOON_MS);
    tmux_expect_tail(ana, "ana to eva> half a line", PROCESS_SOON_MS);
    assert_int_equal(tmux_count(ana, "(waiting)"), 0);
}

static void test_in_talk_mode_a_slash_makes_a_command(void **state)
{
    (void)state;
    meet();
    tmux_line(ana, "talk eva");
    tmux_expect(ana, "^ana to eva>$", PROCESS_SOON_MS);
    tmux_line(ana, "list");
    process_expect(eva, "] ana: list$", PROCESS_SOON_MS);
    tmux_line(ana, "= 1 + 1");
    process_expect(eva, "] ana: = 1 + 1$", PROCESS_SOON_MS);
    tmux_line(ana, "//x");
    process_expect(eva, "] ana: /x$", PROCESS_SOON_MS);
    tmux_line(ana, "/id");
    tmux_expect(ana, "^address ", PROCESS_SOON_MS);
    process_say(eva, "send ana hello");
    tmux_expect(ana, "^[00:00:00] eva: hello$", PROCESS_SOON_MS);
    expect_tail("[00:00:00] eva: hello\nana to eva>");
    tmux_line(ana, "/leave");
    tmux_expect(ana, "^ana>$", PROCESS_SOON_MS);
    expect_alive("no text any more");
    process_expect_none(eva, "no text any more", 0);
}

static void clear_screen(void)
{
    int64_t end_ms = patience_deadline(PROCESS_SOON_MS);
    tmux_key(ana, "C-l");
    while (strcmp(tmux_screen(ana), "ana>") != 0) {
        if (patience_now_ms() >= end_ms) fail_msg("the screen is not cleared:\n%s", tmux_screen(ana));
        process_listen(10);
    }
}

/* It may be refused at once, or just after the command has said that it was sent. */
static void test_whoever_sends_is_told_of_every_refusal(void **state)
{
    (void)state;
    meet();
    process_say(eva, "= node:hook('deliver', function() return false end)");
    process_ask(eva, "= 'refusing'", "^refusing$", PROCESS_SOON_MS);
    for (int i = 0; i < 100; i++) {
        clear_screen();
        tmux_line(ana, "send eva number %d", i);
        tmux_expect(ana, "refused", PROCESS_SOON_MS);
    }
}

/* --- light messages --- */

static void test_light_messages_show_only_when_asked_for(void **state)
{
    (void)state;
    meet();
    process_say(eva, "= node:emit('ana', 'text', 'unwanted')");
    process_say(eva, "send ana afterwards");
    tmux_expect(ana, "^[00:00:00] eva: afterwards$", PROCESS_SOON_MS);
    tmux_expect_none(ana, "unwanted");
    tmux_line(ana, "set light on");
    tmux_expect(ana, "^light is on$", PROCESS_SOON_MS);
    process_say(eva, "= node:emit('ana', 'text', 'wanted')");
    tmux_expect(ana, "^[00:00:00] eva*: wanted$", PROCESS_SOON_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TMUX_TEST(test_the_first_start_greets_and_the_second_does_not),
        TMUX_TEST(test_what_the_greeting_proposes_works),
        TMUX_TEST(test_ctrl_c_ends_the_lua_that_runs),
        TMUX_TEST(test_ctrl_c_ends_a_command_that_waits),
        TMUX_TEST(test_ctrl_c_drops_the_line_being_typed),
        TMUX_TEST(test_ctrl_c_twice_on_an_empty_line_ends_it),
        TMUX_TEST(test_lua_may_go_on_over_lines),
        TMUX_TEST(test_tab_completes_commands_peers_and_lua),
        TMUX_TEST(test_tab_twice_lists_what_is_possible),
        TMUX_TEST(test_completion_runs_no_code),
        TMUX_TEST(test_tab_completes_files),
        TMUX_TEST(test_what_was_typed_survives_a_kill),
        TMUX_TEST(test_what_one_says_is_marked_until_it_is_delivered),
        TMUX_TEST(test_what_somebody_carries_is_marked_so),
        TMUX_TEST(test_marks_that_left_the_screen_are_told),
        TMUX_TEST(test_in_talk_mode_a_slash_makes_a_command),
        TMUX_TEST(test_whoever_sends_is_told_of_every_refusal),
        TMUX_TEST(test_light_messages_show_only_when_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
