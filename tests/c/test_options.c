/* test_options.c -- the command line: each option, each way of being wrong, and the defaults. */
#include "options.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 80

static struct options options;
static char why[OPTIONS_WHY_BYTES];

static int parse_list(char **arguments, int count)
{
    char *argv[ARGUMENTS_MAX + 1] = {(char *)(uintptr_t) "moth"};
    assert_true(count < ARGUMENTS_MAX);
    for (int i = 0; i < count; i++) argv[i + 1] = arguments[i];
    return options_parse(count + 1, argv, &options, why);
}

#define PARSE(...) \
    parse_list((char *[]){__VA_ARGS__, NULL}, (int)(sizeof((char *[]){__VA_ARGS__, NULL}) / sizeof(char *)) - 1)

static void expect_refused(int rc, const char *sentence)
{
    assert_int_equal(rc, MOTH_EARGUMENT);
    assert_string_equal(why, sentence);
}

static int set_environment(void **state)
{
    (void)state;
    setenv("HOME", "/home/somebody", 1);
    return unsetenv("XDG_DATA_HOME");
}

/* --- values --- */

static void test_every_option_is_read(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--home", "/h", "--name", "ana", "--listen", "[::1]:7", "--connect", "a:1", "--network",
                           "./key", "--open", "--advertise", "none", "--ttl", "12h", "--retries", "3"), 0);
    assert_string_equal(options.home, "/h");
    assert_string_equal(options.name, "ana");
    assert_string_equal(options.listen, "[::1]:7");
    assert_true(options.has_listen);
    assert_int_equal(options.connects, 1);
    assert_string_equal(options.connect[0], "a:1");
    assert_string_equal(options.network, "./key");
    assert_true(options.open);
    assert_string_equal(options.advertise, "none");
    assert_int_equal(options.ttl_s, 43200);
    assert_int_equal(options.retries, 3);
    assert_false(options.help || options.version);
}

static void test_a_value_may_stand_behind_an_equals_sign(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--name=ana", "--network=a=b"), 0);
    assert_string_equal(options.name, "ana");
    assert_string_equal(options.network, "a=b");
}

static void test_connect_may_be_repeated(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--connect", "a:1", "--connect=b:2", "--connect", "c:3"), 0);
    assert_int_equal(options.connects, 3);
    assert_string_equal(options.connect[2], "c:3");
}

static void test_listen_none_means_not_at_all(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--listen", "none"), 0);
    assert_null(options.listen);
    assert_true(options.has_listen);
}

static void test_help_and_version_need_nothing_else(void **state)
{
    (void)state;
    unsetenv("HOME");
    assert_int_equal(PARSE("--help"), 0);
    assert_true(options.help);
    assert_int_equal(PARSE("--version"), 0);
    assert_true(options.version);
}

static void test_help_names_every_option(void **state)
{
    static const char *const names[] = {"--home", "--name", "--listen", "--connect", "--network", "--open",
                                        "--advertise", "--ttl", "--retries", "--help", "--version"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) assert_non_null(strstr(options_help, names[i]));
    for (const char *line = options_help; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
}

/* --- refusals --- */

static void test_an_unknown_option_is_refused(void **state)
{
    (void)state;
    expect_refused(PARSE("--nme", "ana"), "there is no option --nme");
    expect_refused(PARSE("-x"), "there is no option -x");
    expect_refused(PARSE("--netwrok=secret"), "there is no option --netwrok");
}

static void test_a_missing_value_is_refused(void **state)
{
    (void)state;
    expect_refused(PARSE("--name"), "--name needs a value");
    expect_refused(PARSE("--name", ""), "--name needs a value");
    expect_refused(PARSE("--network="), "--network needs a value");
}

static void test_an_option_is_no_value_unless_behind_an_equals_sign(void **state)
{
    (void)state;
    expect_refused(PARSE("--network", "--open"), "--network needs a value");
    assert_int_equal(PARSE("--network=--open"), 0);
    assert_string_equal(options.network, "--open");
    assert_int_equal(PARSE("--network", "-secret-"), 0);
}

static void test_a_value_too_many_is_refused(void **state)
{
    (void)state;
    expect_refused(PARSE("--open=yes"), "--open takes no value");
}

static void test_an_address_without_a_port_is_refused(void **state)
{
    static const char *const wrong[] = {"nonsense", "host:", ":1", "host:x", "host:1x", "host:123456", "host:-1",
                                        "host:65536"};
    char expected[OPTIONS_WHY_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *value = (char *)(uintptr_t)wrong[i];
        snprintf(expected, sizeof expected, "--listen got %s, which is neither HOST:PORT nor none", value);
        expect_refused(PARSE("--listen", value), expected);
        snprintf(expected, sizeof expected, "--advertise got %s, which is neither HOST:PORT nor none", value);
        expect_refused(PARSE("--advertise", value), expected);
        snprintf(expected, sizeof expected, "--connect got %s, which is not HOST:PORT", value);
        expect_refused(PARSE("--connect", value), expected);
    }
    expect_refused(PARSE("--connect", "none"), "--connect got none, which is not HOST:PORT");
    assert_int_equal(PARSE("--connect", "[::1]:0", "--listen=host:65535"), 0);
}

static void test_a_time_to_live_is_between_a_moment_and_thirty_days(void **state)
{
    static const char *const wrong[] = {"soon", "0", "0s", "-1h", "31d", "30d1s", "1x", "inf", "1h30"};
    char expected[OPTIONS_WHY_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(expected, sizeof expected, "--ttl got %s, which is no time like 12h or 7d, at most 30d", wrong[i]);
        expect_refused(PARSE("--ttl", (char *)(uintptr_t)wrong[i]), expected);
    }
    assert_int_equal(PARSE("--ttl=30d"), 0);
    assert_int_equal(options.ttl_s, 30 * 86400);
    assert_int_equal(PARSE("--ttl", "250ms"), 0);
    assert_int_equal(options.ttl_s, 1);
    assert_int_equal(PARSE("--ttl", "90"), 0);
    assert_int_equal(options.ttl_s, 90);
}

static void test_retries_are_a_whole_number(void **state)
{
    static const char *const wrong[] = {"-1", "x", "1.5", "3x", "1000000000"};
    char expected[OPTIONS_WHY_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(expected, sizeof expected, "--retries got %s, which is no whole number up to 999999999", wrong[i]);
        expect_refused(PARSE("--retries", (char *)(uintptr_t)wrong[i]), expected);
    }
    assert_int_equal(PARSE("--retries", "999999999"), 0);
    assert_int_equal(options.retries, 999999999);
    assert_int_equal(PARSE("--retries=0"), 0);
    assert_int_equal(options.retries, 0);
}

static void test_a_stray_argument_is_refused_and_made_safe(void **state)
{
    (void)state;
    expect_refused(PARSE("\033[2J"), "'\\x1b[2J' is not an option; commands come from standard input");
}

static void test_a_long_stray_argument_is_cut(void **state)
{
    char longest[4000];
    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(PARSE(longest), MOTH_EARGUMENT);
    assert_non_null(strstr(why, "xxx' is not an option"));
}

static void test_a_name_that_is_too_long_is_refused(void **state)
{
    (void)state;
    expect_refused(PARSE("--name", "a23456789012345678901234567890123"), "--name takes at most 32 bytes");
}

static void test_a_home_that_is_too_long_is_refused(void **state)
{
    char longest[OPTIONS_PATH_BYTES + 1];
    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    expect_refused(PARSE("--home", longest), "--home takes at most 1023 bytes");
}

static void test_more_connects_than_there_is_room_for_are_refused(void **state)
{
    char *arguments[OPTIONS_CONNECTS_MAX + 1];
    (void)state;
    for (int i = 0; i <= OPTIONS_CONNECTS_MAX; i++) arguments[i] = (char *)(uintptr_t) "--connect=a:1";
    assert_int_equal(parse_list(arguments, OPTIONS_CONNECTS_MAX), 0);
    expect_refused(parse_list(arguments, OPTIONS_CONNECTS_MAX + 1),
                   "--connect can be given 64 times; use the command connect for more");
}

/* --- defaults --- */

static void test_the_default_is_loopback_and_the_next_free_port(void **state)
{
    (void)state;
    assert_int_equal(parse_list(NULL, 0), 0);
    assert_string_equal(options.listen, "127.0.0.1:6684");
    assert_false(options.has_listen);
    assert_null(options.network);
    assert_null(options.advertise);
    assert_int_equal(options.connects, 0);
    assert_int_equal(options.ttl_s, 0);
    assert_int_equal(options.retries, 0);
    assert_string_not_equal(options.name, "");
}

static void test_the_home_is_in_the_users_data_folder(void **state)
{
    (void)state;
    assert_int_equal(parse_list(NULL, 0), 0);
    assert_string_equal(options.home, "/home/somebody/.local/share/moth");
    setenv("XDG_DATA_HOME", "/data", 1);
    assert_int_equal(parse_list(NULL, 0), 0);
    assert_string_equal(options.home, "/data/moth");
    setenv("XDG_DATA_HOME", "not/absolute", 1); /* the XDG specification: ignore it */
    assert_int_equal(parse_list(NULL, 0), 0);
    assert_string_equal(options.home, "/home/somebody/.local/share/moth");
}

static void test_a_default_home_that_is_too_long_is_refused(void **state)
{
    char longest[OPTIONS_PATH_BYTES];
    (void)state;
    memset(longest, '/', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    setenv("XDG_DATA_HOME", longest, 1);
    expect_refused(parse_list(NULL, 0), "there is no home folder to be found; name one with --home DIR");
}

static void expect_name(const char *login, const char *expected)
{
    char name[MOTH_NAME_MAX + 1];
    options_name_from_login(login, name);
    assert_string_equal(name, expected);
}

static void test_a_login_becomes_a_valid_name(void **state)
{
    (void)state;
    expect_name("ana", "ana");
    expect_name("ana.maria_2", "ana.maria_2");
    expect_name("CORP\\ana b", "CORP-ana-b");
    expect_name("", "moth");
    expect_name("long-5678901234567890123456789012345", "long-567890123456789012345678901");
}

/* Names that read as an id would be refused by the node. */
static void test_a_login_of_hex_digits_is_no_id(void **state)
{
    (void)state;
    expect_name("beef", "beef-node");
    expect_name("bee", "bee");
    expect_name("BEEFcafe0123456789012345678901234567", "BEEFcafe0123456789012345678-node");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, set_environment)
    const struct CMUnitTest tests[] = {
        TEST(test_every_option_is_read),
        TEST(test_a_value_may_stand_behind_an_equals_sign),
        TEST(test_connect_may_be_repeated),
        TEST(test_listen_none_means_not_at_all),
        TEST(test_help_and_version_need_nothing_else),
        TEST(test_help_names_every_option),
        TEST(test_an_unknown_option_is_refused),
        TEST(test_a_missing_value_is_refused),
        TEST(test_an_option_is_no_value_unless_behind_an_equals_sign),
        TEST(test_a_value_too_many_is_refused),
        TEST(test_an_address_without_a_port_is_refused),
        TEST(test_a_time_to_live_is_between_a_moment_and_thirty_days),
        TEST(test_retries_are_a_whole_number),
        TEST(test_a_stray_argument_is_refused_and_made_safe),
        TEST(test_a_long_stray_argument_is_cut),
        TEST(test_a_name_that_is_too_long_is_refused),
        TEST(test_a_home_that_is_too_long_is_refused),
        TEST(test_more_connects_than_there_is_room_for_are_refused),
        TEST(test_the_default_is_loopback_and_the_next_free_port),
        TEST(test_the_home_is_in_the_users_data_folder),
        TEST(test_a_default_home_that_is_too_long_is_refused),
        TEST(test_a_login_becomes_a_valid_name),
        TEST(test_a_login_of_hex_digits_is_no_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
