/* scenario_valgrind.c -- the line of three under valgrind: no invalid access, no leak, in a whole life from start to
 * quit.
 *
 *   ana --- bob --- eva     each of them inside valgrind
 *
 * Valgrind answers any error with the exit status 99. Skipped where it is not installed, or where MOTH is built with
 * a sanitizer, which would quarrel with it. */
#include "process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRAP "valgrind -q --error-exitcode=99 --leak-check=full"

static bool runs(const char *command)
{
    char whole[1100];
    snprintf(whole, sizeof whole, "%s >/dev/null 2>&1", command);
    return system(whole) == 0;
}

static bool is_sanitized(const char *program)
{
    char command[1024];
    snprintf(command, sizeof command, "grep -qE '__(asan|tsan)_init' '%s'", program);
    return runs(command);
}

static void skip_where_it_cannot_run(void)
{
    const char *program = getenv("MOTH") ? getenv("MOTH") : "build/moth", *why = NULL;
    if (!runs("valgrind --version")) why = "valgrind is not installed";
    else if (is_sanitized(program)) why = "the program is built with a sanitizer";
    if (!why) return;
    print_message("skipped: %s\n", why);
    skip();
}

static void talk(struct process *ana, struct process *bob, struct process *eva)
{
    process_connect(ana, bob);
    process_connect(eva, bob);
    process_ask(ana, "list", "^eva ???????? 2 bob ", PROCESS_SOON_MS);
    process_ask(eva, "list", "^ana ???????? 2 bob ", PROCESS_SOON_MS);
    process_say(ana, "send eva hello");
    process_expect(eva, "] ana: hello$", PROCESS_SOON_MS);
    process_say(eva, "send ana hello yourself");
    process_expect(ana, "] eva: hello yourself$", PROCESS_SOON_MS);
}

static void ask_about_everything(struct process *p)
{
    static const char *const commands[] = {"status", "routes", "trace eva", "graph dot", "help", "help send", "id"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) process_say(p, "%s", commands[i]);
    process_expect(p, "2 eva (", PROCESS_SOON_MS);
}

static void test_valgrind_finds_nothing_in_a_line_of_three(void **state)
{
    (void)state;
    skip_where_it_cannot_run();
    struct process *ana = process_node("ana", NULL, NULL);
    struct process *bob = process_node("bob", NULL, NULL);
    struct process *eva = process_node("eva", NULL, NULL);
    talk(ana, bob, eva);
    ask_about_everything(ana);
    process_quit(bob);
    process_say(ana, "send eva again");
    process_expect(eva, "] ana: again$", 2 * PROCESS_SOON_MS);
    process_quit(ana);
    process_quit(eva);
}

static void test_valgrind_finds_nothing_in_failed_lines(void **state)
{
    (void)state;
    skip_where_it_cannot_run();
    struct process *ana = process_node("ana", NULL, NULL);
    process_say(ana, "conect 127.0.0.1:1");
    process_expect_error(ana, "did you mean connect?", PROCESS_SOON_MS);
    process_say(ana, "send nobody hello");
    process_expect_error(ana, "nobody", PROCESS_SOON_MS);
    process_say(ana, "connect nonsense");
    process_close_stdin(ana);
    assert_int_equal(process_wait(ana, 2 * PROCESS_SOON_MS), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_valgrind_finds_nothing_in_a_line_of_three),
        PROCESS_TEST(test_valgrind_finds_nothing_in_failed_lines),
    };
    setenv("MOTH_WRAP", WRAP, 1);
    setenv("MOTH_PATIENCE", "5", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
