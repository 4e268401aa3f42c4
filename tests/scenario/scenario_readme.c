/* scenario_readme.c -- the sessions of README.md, done for real (replay.h), and proof that doing them would show. */
#include "replay.h"
#include "tmux.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES (1 << 18)

static char why[4096];

static const char sample[] = "Some words.\n"
                             "\n"
                             "```console\n"
                             "$ moth --home /tmp/ana --name ana\n"
                             "Welcome to moth. This node is ana (3f1c08aa), listening on 127.0.0.1:6684.\n"
                             "...\n"
                             "ana> = 1 + 1\n"
                             "2\n"
                             "```\n"
                             "In a second terminal:\n"
                             "```console\n"
                             "$ moth --home /tmp/eva --name eva --connect 127.0.0.1:6684\n"
                             "...\n"
                             "* ana is linked (127.0.0.1:6684)\n"
                             "eva> send ana hello\n"
                             "to ana: ... (id 18d2c4f0a1b00001)\n"
                             "eva> for i = 1, 2 do\n"
                             "...> print(i)\n"
                             "...> end\n"
                             "1\n"
                             "2\n"
                             "```\n"
                             "Which shows at ana:\n"
                             "```console\n"
                             "[14:03:12] eva: hello\n"
                             "ana> talk eva\n"
                             "...\n"
                             "ana to eva> hi there\n"
                             "[14:03:15] ana: hi there  (delivered)\n"
                             "$ moth do --home /tmp/ana '= 6 * 7'\n"
                             "42\n"
                             "$ moth do --home /tmp/ana id\n"
                             "name     ana\n"
                             "id       3f1c08aa...\n"
                             "...\n"
                             "```\n";

/* The sample with one thing changed must be found out, at its line. */
static void expect_difference(const char *from, const char *to, const char *found)
{
    static char changed[sizeof sample + 256];
    const char *place = strstr(sample, from);
    assert_non_null(place);
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(place - sample), sample, to, place + strlen(from));
    if (replay_run(changed, why, sizeof why)) fail_msg("\"%s\" instead of \"%s\" goes unnoticed", to, from);
    if (!strstr(why, found)) fail_msg("\"%s\" instead of \"%s\" is noticed as: %s", to, from, why);
    tmux_cleanup(NULL);
}

static void test_a_session_that_is_true_passes(void **state)
{
    (void)state;
    assert_int_equal(replay_blocks(sample), 3);
    if (!replay_run(sample, why, sizeof why)) fail_msg("%s", why);
}

static void test_a_session_that_is_not_true_fails(void **state)
{
    (void)state;
    expect_difference("2\n```\nIn", "3\n```\nIn", "line 8: expected \"3\", but it is \"2\"");
    expect_difference("42\n", "43\n", "expected \"43\", but it is \"42\"");
    expect_difference("42\n", "", "expected \"\", but it is \"42\"");
    expect_difference("id       3f1c08aa", "id       3f1c08ab", "3f1c08ab");
    expect_difference("[14:03:12] eva: hello", "[14:03:12] eva: good morning", "good morning");
}

static void test_the_readme_shows_what_happens(void **state)
{
    (void)state;
    static char text[TEXT_BYTES];
    FILE *file = fopen("README.md", "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    if (replay_blocks(text) == 0) skip();
    if (!replay_run(text, why, sizeof why)) fail_msg("README.md, %s", why);
}

/* `moth` is the program under test, for the shell, too. */
static void put_moth_into_path(void)
{
    static char path[8192];
    char *moth = realpath(getenv("MOTH") ? getenv("MOTH") : "build/moth", NULL);
    snprintf(path, sizeof path, "%s:%s", moth ? dirname(moth) : ".", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    setenv("PATH", path, 1);
    free(moth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TMUX_TEST(test_a_session_that_is_true_passes),
        TMUX_TEST(test_a_session_that_is_not_true_fails),
        TMUX_TEST(test_the_readme_shows_what_happens),
    };
    put_moth_into_path();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
