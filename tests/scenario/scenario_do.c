/* scenario_do.c -- moth do: one command on a node that runs, for scripts of other programs: text or JSON, a status.
 *
 *   eva --- ana     ana is a daemon (moth run), eva a pipe; all commands are given to ana */
#include "bots.h"
#include "folder.h"
#include "once.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 1024

static struct process *ana, *eva;
static char home[512];

static void start_both(void)
{
    const char *script = bots_write("echo", "node:hear('^hi (.*)', function(m, rest) return 'hi ' .. rest end)\n");
    eva = process_node("eva", NULL, NULL);
    snprintf(home, sizeof home, "%s", folder_new_path("ana"));
    ana = PROCESS_START("ana", "run", "--home", home, "--name", "ana", "--listen", "127.0.0.1:0", "--connect",
                        process_address(eva), script);
    process_expect_banner(ana);
    process_expect(eva, "^* ana is linked (", 2 * PROCESS_SOON_MS);
    process_ask(eva, "= node:send('ana', 'known'):wait('delivered', 5)", "^true$", 2 * PROCESS_SOON_MS);
}

/* The words of a line as those of a command line; a word may be quoted. */
static int run_do(bool json, const char *line)
{
    static char text[ROOM];
    const char *argv[32] = {"do", "--home", home, json ? "--json" : NULL};
    size_t n = json ? 4 : 3;
    snprintf(text, sizeof text, "%s", line);
    for (char *at = text; *at && n < 31;) {
        bool quoted = *at == '\'';
        argv[n++] = at += quoted;
        at += strcspn(at, quoted ? "'" : " ");
        if (*at) *at++ = '\0';
        at += strspn(at, " ");
    }
    argv[n] = NULL;
    return once_moth(argv);
}

static void expect_done(bool json, const char *line)
{
    int status = run_do(json, line);
    if (status != 0) fail_msg("\"%s\" ended with %d: %s%s", line, status, once_output(), once_error());
}

static void expect_json(const char *line, const char *filter)
{
    expect_done(true, line);
    once_expect_jq(filter);
}

static void expect_failure(const char *line, const char *what)
{
    char filter[ROOM];
    if (run_do(true, line) != 1) fail_msg("\"%s\" did not end with 1: %s", line, once_output());
    snprintf(filter, sizeof filter, ".error | type == \"string\" and contains(\"%s\")", what);
    once_expect_jq(filter);
    assert_string_equal(once_error(), "");
    if (run_do(false, line) != 1) fail_msg("\"%s\" did not end with 1", line);
    assert_string_equal(once_output(), "");
    if (!strstr(once_error(), what)) fail_msg("\"%s\" says %s", line, once_error());
}

/* --- one command --- */

static void test_a_command_prints_its_answer_and_ends(void **state)
{
    (void)state;
    start_both();
    expect_done(false, "id");
    assert_non_null(strstr(once_output(), "ana"));
    assert_string_equal(once_error(), "");
    expect_done(false, "send eva good morning");
    assert_non_null(strstr(once_output(), "to eva: "));
    process_expect(eva, "] ana: good morning$", PROCESS_SOON_MS);
    expect_done(false, "send eva 'two  blanks'");
    assert_non_null(strstr(process_expect(eva, "] ana: two blanks$", PROCESS_SOON_MS), "two  blanks"));
}

static void test_what_is_said_meanwhile_is_not_in_the_answer(void **state)
{
    (void)state;
    start_both();
    process_say(eva, "send ana hi noise");
    expect_done(false, "= node:send(\"eva\", \"x\"):wait(\"delivered\", 5)");
    assert_string_equal(once_output(), "true\n");
    expect_done(false, "= task.sleep(0.3), 7"); /* it waits for what waits */
    assert_string_equal(once_output(), "nil  7\n");
}

static void test_relative_paths_begin_where_the_command_is_given(void **state)
{
    (void)state;
    start_both();
    bots_write("near", "print 'near is here'\n");
    char command[ROOM];
    snprintf(command, sizeof command, "cd '%s' && \"$PROGRAM\" do --home '%s' load near.lua", folder_path(), home);
    char *program = realpath(getenv("MOTH") ? getenv("MOTH") : "build/moth", NULL);
    setenv("PROGRAM", program, 1);
    free(program);
    assert_int_equal(once_run(NULL, (const char *const[]){"sh", "-c", command, NULL}), 0);
    expect_json("scripts", "[.[].name] | sort == [\"echo\", \"near\"]");
}

/* --- JSON --- */

static void test_status_goes_through_jq(void **state)
{
    (void)state;
    start_both();
    expect_json("status", ".name == \"ana\" and (.id | length) == 32");
    expect_json("list", "type == \"array\" and .[0].name == \"eva\" and .[0].linked == true");
    expect_json("queue", ". == []");
    expect_json("history", "type == \"array\" and length >= 1");
    expect_json("= { 1, 2, a = \"b\" }", "type == \"object\"");
}

struct example {
    const char *name, *line;
};

/* What changes something comes so late that the others still find it. */
static const struct example examples[] = {
    {"id", "id"},
    {"status", "status"},
    {"list", "list"},
    {"routes", "routes"},
    {"trace", "trace eva"},
    {"graph", "graph"},
    {"graph", "graph dot"},
    {"whois", "whois eva"},
    {"ping", "ping eva 1"},
    {"send", "send eva hello there"},
    {"queue", "queue"},
    {"queue", "queue eva"},
    {"history", "history"},
    {"history", "history eva 5"},
    {"scripts", "scripts"},
    {"top", "top"},
    {"help", "help"},
    {"help", "help send"},
    {"help", "help node.send"},
    {"set", "set"},
    {"set", "set light on"},
    {"log", "log info"},
    {"invite", "invite"},
    {"alias", "alias eva sis"},
    {"alias", "alias"},
    {"unalias", "unalias sis"},
    {"block", "block eva"},
    {"unblock", "unblock eva"},
    {"reload", "reload echo"},
    {"kill", "kill echo"},
    {"unload", "unload echo"},
    {"save", "save"},
    {"disconnect", "disconnect eva"},
    {"quit", "quit"},
};

/* Those need something that only the test knows; `talk` needs a shell, and `leave` has nobody to leave. */
static const char *const apart[] = {"connect", "join", "load", "message", "cancel", "talk", "leave", "stop"};

static bool is_tried(const char *name)
{
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        if (strcmp(examples[i].name, name) == 0) return true;
    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++)
        if (strcmp(apart[i], name) == 0) return true;
    return false;
}

static void test_every_command_of_help_answers_in_json(void **state)
{
    (void)state;
    char line[ROOM], *rest = NULL;
    start_both();
    expect_json("help", "length >= 20 and all(.[]; (.name | type) == \"string\" and (.usage | type) == \"string\")");
    char *names = strdup(once_jq(".[].name"));
    for (char *name = strtok_r(names, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest))
        if (!is_tried(name)) fail_msg("no example tries the command %s", name);
    free(names);
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        expect_json(examples[i].line, "type == \"object\" or type == \"array\"");
    snprintf(line, sizeof line, "connect %s", process_address(eva));
    expect_json(line, ".peer | length == 32");
    snprintf(line, sizeof line, "load %s", bots_write("later", ""));
    expect_json(line, "type == \"object\"");
    process_quit(eva);
    expect_json("send eva later on", ".id | type == \"string\"");
    char *id = strdup(once_jq(".id"));
    snprintf(line, sizeof line, "message %s", id);
    expect_json(line, ".id and .state");
    snprintf(line, sizeof line, "cancel %s", id);
    expect_json(line, "type == \"object\"");
    free(id);
    expect_failure("talk eva", "moth attach");
    expect_failure("leave", "");
}

static void test_an_invitation_can_be_handed_on(void **state)
{
    (void)state;
    char line[2 * ROOM];
    start_both();
    expect_done(true, "invite");
    snprintf(line, sizeof line, "join %s", once_jq("[.. | strings | select(startswith(\"moth1:\"))][0]"));
    struct process *kim = process_node("kim", NULL, NULL);
    process_say(kim, "%s", line);
    process_expect(kim, "^joined: linked to ana (", 2 * PROCESS_SOON_MS);
}

/* --- failures --- */

static void test_failures_are_errors_with_status_1(void **state)
{
    (void)state;
    start_both();
    expect_failure("send nobody hello", "nobody");
    expect_failure("whois nobody", "nobody");
    expect_failure("lsit", "did you mean list");
    expect_failure("trace", "usage: trace PEER");
    expect_failure("= error(\"on purpose\")", "on purpose");
    expect_failure("= 1 +", "");
    expect_failure("load /no/such/file.lua", "/no/such/file.lua");
    expect_failure("history eva 0", "1 to 10,000");
    expect_failure("join moth1:AAAA", "");
}

static void test_without_a_node_it_says_so(void **state)
{
    (void)state;
    snprintf(home, sizeof home, "%s", folder_new_path("nowhere"));
    assert_int_equal(run_do(false, "status"), 1);
    assert_string_equal(once_output(), "");
    assert_non_null(strstr(once_error(), "no node runs on "));
    assert_non_null(strstr(once_error(), home));
    assert_int_equal(run_do(true, "status"), 1);
    assert_int_equal(ONCE_MOTH("attach", "--home", home), 1);
    assert_non_null(strstr(once_error(), "no node runs on "));
}

static void test_a_killed_node_leaves_a_socket_that_says_so(void **state)
{
    (void)state;
    start_both();
    bots_kill(ana);
    assert_int_equal(run_do(false, "status"), 1);
    assert_non_null(strstr(once_error(), "no node runs on "));
    ana = PROCESS_START("ana", "run", "--home", home, "--name", "ana", "--listen", "127.0.0.1:0");
    process_expect_banner(ana);
    expect_done(false, "status");
}

static void test_stop_ends_the_node_and_quit_does_not(void **state)
{
    (void)state;
    start_both();
    expect_done(false, "quit");
    expect_done(false, "id");
    expect_json("stop", "type == \"object\"");
    assert_int_equal(process_wait(ana, PROCESS_SOON_MS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_a_command_prints_its_answer_and_ends),
        PROCESS_TEST(test_what_is_said_meanwhile_is_not_in_the_answer),
        PROCESS_TEST(test_relative_paths_begin_where_the_command_is_given),
        PROCESS_TEST(test_status_goes_through_jq),
        PROCESS_TEST(test_every_command_of_help_answers_in_json),
        PROCESS_TEST(test_an_invitation_can_be_handed_on),
        PROCESS_TEST(test_failures_are_errors_with_status_1),
        PROCESS_TEST(test_without_a_node_it_says_so),
        PROCESS_TEST(test_a_killed_node_leaves_a_socket_that_says_so),
        PROCESS_TEST(test_stop_ends_the_node_and_quit_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
