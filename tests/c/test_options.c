/* test_options.c -- the command line and what config.lua adds to it: each option, each way of being wrong, the
 * subcommands, and the defaults. */
#include "options.h"

#include "near.h"
#include "script/config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGUMENTS_MAX 80

static struct options options;
static char why[OPTIONS_WHY_BYTES];

static int parse_list(char **arguments, int count)
{
    static char *argv[ARGUMENTS_MAX + 1]; /* the options borrow from it */
    assert_true(count < ARGUMENTS_MAX);
    argv[0] = (char *)(uintptr_t) "moth";
    for (int i = 0; i < count; i++) argv[i + 1] = arguments[i];
    options_free(&options);
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

static int forget(void **state)
{
    (void)state;
    options_free(&options);
    return 0;
}

/* --- values --- */

static void test_every_option_is_read(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--home", "/h", "--name", "ana", "--listen", "[::1]:7", "--connect", "a:1", "--network",
                           "./key", "--open", "--advertise", "none", "--ttl", "12h", "--retries", "3", "--color", "off",
                           "--light", "--log", "debug", "--limit", "links=1024", "--load", "bot.lua"), 0);
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
    assert_string_equal(options.color, "off");
    assert_true(options.light);
    assert_string_equal(options.log, "debug");
    assert_int_equal(options.limits[MOTH_LIMIT_LINKS], 1024);
    assert_int_equal(options.loads, 1);
    assert_string_equal(options.load[0], "bot.lua");
    assert_int_equal(options.program, PROGRAM_SHELL);
    assert_false(options.help || options.version || options.json);
}

static void test_what_is_on_can_be_switched_off_again(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--open", "--light", "--no-open", "--no-light"), 0);
    assert_false(options.open);
    assert_false(options.light);
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

static void test_help_names_every_option_and_subcommand(void **state)
{
    static const char *const names[] = {"--home", "--name", "--listen", "--connect", "--load", "--network", "--open",
                                        "--no-open", "--advertise", "--ttl", "--retries", "--color", "--light",
                                        "--no-light", "--log", "--limit", "--help", "--version", "  run ", "  attach ",
                                        "  do ", "  join ", "  doctor ", "  config "};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) assert_non_null(strstr(options_help, names[i]));
    assert_ptr_equal(options_help_of(PROGRAM_SHELL), options_help);
}

static void test_every_page_of_help_fits_a_terminal_and_has_an_example(void **state)
{
    (void)state;
    for (int i = 0; i < PROGRAM_COUNT; i++) {
        const char *page = options_help_of((enum program)i);
        assert_int_equal(strncmp(page, "usage: moth ", strlen("usage: moth ")), 0);
        assert_non_null(strstr(page, "\nexample: moth "));
        for (const char *line = page; *line; line += strcspn(line, "\n") + 1) assert_true(strcspn(line, "\n") <= 80);
    }
    assert_non_null(strstr(options_help_of(PROGRAM_DO), "--json"));
}

/* --- refusals --- */

static void test_an_unknown_option_is_refused(void **state)
{
    (void)state;
    expect_refused(PARSE("--nme", "ana"), "there is no option --nme (did you mean --name?)");
    expect_refused(PARSE("-x"), "there is no option -x");
    expect_refused(PARSE("--netwrok=secret"), "there is no option --netwrok (did you mean --network?)");
    expect_refused(PARSE("--recursive"), "there is no option --recursive");
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
    expect_refused(PARSE("do", "--json=yes", "list"), "--json takes no value");
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

static void test_a_word_that_is_no_subcommand_is_refused_with_a_hint(void **state)
{
    (void)state;
    expect_refused(PARSE("atach"), "there is no subcommand 'atach' (did you mean attach?)");
    expect_refused(PARSE("bot.lua"), "there is no subcommand 'bot.lua' (to run a script: moth run SCRIPT)");
    expect_refused(PARSE("send", "eva", "hi"),
                   "there is no subcommand 'send' (commands of a node that runs go behind do: moth do list)");
    expect_refused(PARSE(""), "there is no subcommand '' (commands of a node that runs go behind do: moth do list)");
}

static void test_a_stray_argument_is_made_safe(void **state)
{
    (void)state;
    expect_refused(PARSE("\033[2J/"), "there is no subcommand '\\x1b[2J/' (to run a script: moth run SCRIPT)");
}

static void test_a_long_stray_argument_is_cut(void **state)
{
    char longest[4000];
    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(PARSE(longest), MOTH_EARGUMENT);
    assert_non_null(strstr(why, "xxx' (commands"));
}

static void test_colours_and_levels_are_one_of_a_few_words(void **state)
{
    (void)state;
    expect_refused(PARSE("--color", "red"), "--color got red, which is not auto, on or off");
    expect_refused(PARSE("--log=loud"), "--log got loud, which is not debug, info, warn or error");
}

static void test_a_limit_has_a_name_and_a_number_within_reason(void **state)
{
    (void)state;
    expect_refused(PARSE("--limit", "links"), "--limit got links, which is not NAME=NUMBER");
    expect_refused(PARSE("--limit", "lnks=7"),
                   "--limit got lnks=7, which has the name of no limit (did you mean links?)");
    expect_refused(PARSE("--limit", "patience=7"),
                   "--limit got patience=7, which has the name of no limit (the command status lists them)");
    expect_refused(PARSE("--limit", "frame=7"),
                   "--limit got frame=7, which would change the protocol: that limit is fixed");
    expect_refused(PARSE("--limit", "links=0"), "--limit got links=0, which is no whole number from 1 to 512000");
    expect_refused(PARSE("--limit", "links="), "--limit got links=, which is no whole number from 1 to 512000");
    expect_refused(PARSE("--limit", "links=7x"), "--limit got links=7x, which is no whole number from 1 to 512000");
    expect_refused(PARSE("--limit", "links=512001"),
                   "--limit got links=512001, which is no whole number from 1 to 512000");
    expect_refused(PARSE("--limit", "links=18446744073709551617"),
                   "--limit got links=18446744073709551617, which is no whole number from 1 to 512000");
    expect_refused(PARSE("--limit", "hops=65"), "--limit got hops=65, which is no whole number from 1 to 64");
    assert_int_equal(PARSE("--limit", "links=512000", "--limit=hops=64"), 0);
    assert_int_equal(options.limits[MOTH_LIMIT_LINKS], 512000);
    assert_int_equal(options.limits[MOTH_LIMIT_HOPS], 64);
    assert_int_equal(options.limits[MOTH_LIMIT_SEEN], 0);
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

/* --- subcommands --- */

static void test_the_first_word_chooses_the_program(void **state)
{
    static const char *const names[PROGRAM_COUNT] = {NULL, "run", "attach", "do", "doctor", "join", "config", "lab"};
    (void)state;
    for (int i = 1; i < PROGRAM_COUNT; i++) {
        char *name = (char *)(uintptr_t)names[i];
        bool needs_word = i == PROGRAM_DO || i == PROGRAM_JOIN || i == PROGRAM_LAB;
        assert_int_equal(needs_word ? PARSE(name, "word") : PARSE(name), 0);
        assert_int_equal(options.program, i);
    }
}

static void test_options_may_stand_before_and_after_the_subcommand(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--home", "/h", "attach"), 0);
    assert_int_equal(options.program, PROGRAM_ATTACH);
    assert_string_equal(options.home, "/h");
    assert_int_equal(PARSE("attach", "--home=/i"), 0);
    assert_string_equal(options.home, "/i");
}

static void test_scripts_follow_run(void **state)
{
    (void)state;
    assert_int_equal(PARSE("run", "a.lua", "--name", "ana", "--load", "b.lua", "c.lua"), 0);
    assert_int_equal(options.loads, 3);
    assert_string_equal(options.load[0], "a.lua");
    assert_string_equal(options.load[2], "c.lua");
    assert_string_equal(options.name, "ana");
    assert_int_equal(PARSE("run"), 0);
    assert_int_equal(options.loads, 0);
}

static void test_what_follows_two_dashes_is_a_word(void **state)
{
    (void)state;
    assert_int_equal(PARSE("run", "--", "--odd.lua"), 0);
    assert_string_equal(options.load[0], "--odd.lua");
    assert_int_equal(PARSE("do", "--", "--json"), 0);
    assert_int_equal(options.word_count, 1);
    assert_false(options.json);
}

static void test_all_behind_the_first_word_belongs_to_the_command(void **state)
{
    (void)state;
    assert_int_equal(PARSE("do", "--json", "send", "eva", "--home", "it's"), 0);
    assert_true(options.json);
    assert_int_equal(options.word_count, 4);
    assert_string_equal(options.words[0], "send");
    assert_string_equal(options.words[2], "--home");
    assert_string_equal(options.words[3], "it's");
    assert_string_equal(options.home, "/home/somebody/.local/share/moth");
}

static void test_join_takes_one_line(void **state)
{
    (void)state;
    assert_int_equal(PARSE("join", "moth1:abc", "--name", "eva"), 0);
    assert_string_equal(options.invitation, "moth1:abc");
    expect_refused(PARSE("join"), "join needs the line that invite printed");
    expect_refused(PARSE("join", "moth1:a", "b"), "join takes one line, and no more");
}

static void test_do_needs_a_command(void **state)
{
    (void)state;
    expect_refused(PARSE("do", "--json"), "do needs a command, like: moth do list");
}

static void test_options_that_mean_nothing_to_a_subcommand_are_refused(void **state)
{
    (void)state;
    expect_refused(PARSE("attach", "--name", "ana"), "attach takes no option --name");
    expect_refused(PARSE("attach", "--json"), "attach takes no option --json");
    expect_refused(PARSE("do", "--open", "list"), "do takes no option --open");
    expect_refused(PARSE("doctor", "--connect", "a:1"), "doctor takes no option --connect");
    expect_refused(PARSE("config", "--load", "x"), "config takes no option --load");
    expect_refused(PARSE("--json"), "moth takes no option --json");
    expect_refused(PARSE("run", "--json"), "run takes no option --json");
}

static void test_words_that_mean_nothing_to_a_subcommand_are_refused(void **state)
{
    (void)state;
    expect_refused(PARSE("attach", "eva"), "attach takes nothing but options; 'eva' is none");
    expect_refused(PARSE("doctor", "eva"), "doctor takes nothing but options; 'eva' is none");
    expect_refused(PARSE("config", "eva"), "config takes nothing but options; 'eva' is none");
}

static void test_help_of_a_subcommand_can_be_asked_in_two_ways(void **state)
{
    (void)state;
    assert_int_equal(PARSE("do", "--help"), 0);
    assert_true(options.help);
    assert_int_equal(options.program, PROGRAM_DO);
    assert_int_equal(PARSE("help", "doctor"), 0);
    assert_true(options.help);
    assert_int_equal(options.program, PROGRAM_DOCTOR);
    assert_int_equal(PARSE("help"), 0);
    assert_true(options.help);
    assert_int_equal(options.program, PROGRAM_SHELL);
}

/* --- config.lua --- */

static char folder[64], option_home[80];

static int make_folder(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/moth-options-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(option_home, sizeof option_home, "--home=%s", folder);
    return set_environment(state);
}

static const char *config_path(void)
{
    static char path[96];
    snprintf(path, sizeof path, "%s/" CONFIG_FILE, folder);
    return path;
}

static int remove_folder(void **state)
{
    unlink(config_path());
    rmdir(folder);
    return forget(state);
}

static void write_config(const char *text)
{
    FILE *f = fopen(config_path(), "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(config_path(), 0600), 0);
}

static void test_every_setting_is_read_from_the_file(void **state)
{
    char path[128];
    (void)state;
    write_config("name = 'ana' listen = '[::1]:7' advertise = 'none' connect = {'a:1', 'b:2'} network = 'pass phrase'\n"
                 "open = true load = {'/abs/x.lua', 'bots/y.lua'} ttl = '12h' retries = 3 color = 'off' light = true\n"
                 "log = 'info' limits = {links = 2 * 512, hops = 12}");
    assert_int_equal(PARSE(option_home), 0);
    assert_true(options.has_config);
    assert_string_equal(options.name, "ana");
    assert_string_equal(options.listen, "[::1]:7");
    assert_true(options.has_listen);
    assert_string_equal(options.advertise, "none");
    assert_int_equal(options.connects, 2);
    assert_string_equal(options.connect[1], "b:2");
    assert_string_equal(options.network, "pass phrase");
    assert_true(options.open);
    assert_int_equal(options.loads, 2);
    assert_string_equal(options.load[0], "/abs/x.lua");
    snprintf(path, sizeof path, "%s/bots/y.lua", folder);
    assert_string_equal(options.load[1], path);
    assert_int_equal(options.ttl_s, 43200);
    assert_int_equal(options.retries, 3);
    assert_string_equal(options.color, "off");
    assert_true(options.light);
    assert_string_equal(options.log, "info");
    assert_int_equal(options.limits[MOTH_LIMIT_LINKS], 1024);
    assert_int_equal(options.limits[MOTH_LIMIT_HOPS], 12);
}

static void test_the_command_line_goes_before_the_file(void **state)
{
    (void)state;
    write_config("name = 'ana' listen = 'none' connect = {'a:1', 'b:2'} open = true light = true ttl = '1h'\n"
                 "limits = {links = 7, hops = 8} load = 'x.lua' network = 'secret' retries = 5");
    assert_int_equal(PARSE(option_home, "--name=eva", "--listen=c:3", "--connect=d:4", "--no-open", "--retries=0",
                           "--limit=links=9"), 0);
    assert_string_equal(options.name, "eva");
    assert_string_equal(options.listen, "c:3");
    assert_int_equal(options.connects, 1);
    assert_string_equal(options.connect[0], "d:4");
    assert_false(options.open);
    assert_true(options.light);
    assert_int_equal(options.ttl_s, 3600);
    assert_int_equal(options.retries, 0);
    assert_int_equal(options.limits[MOTH_LIMIT_LINKS], 9);
    assert_int_equal(options.limits[MOTH_LIMIT_HOPS], 0);
    assert_string_equal(options.network, "secret");
    assert_int_equal(PARSE("run", option_home, "mine.lua"), 0);
    assert_int_equal(options.loads, 1);
    assert_string_equal(options.load[0], "mine.lua");
}

static void test_a_path_in_the_file_begins_at_its_folder(void **state)
{
    char path[128];
    (void)state;
    write_config("network = './key'");
    assert_int_equal(PARSE(option_home), 0);
    snprintf(path, sizeof path, "%s/./key", folder);
    assert_string_equal(options.network, path);
    write_config("network = '/etc/key'");
    assert_int_equal(PARSE(option_home), 0);
    assert_string_equal(options.network, "/etc/key");
}

static void test_values_of_the_file_are_judged_like_those_of_the_command_line(void **state)
{
    static const struct {
        const char *text, *sentence;
    } wrong[] = {
        {"listen = 'x'", "config.lua:1: listen = \"x\" is neither HOST:PORT nor none"},
        {"\nadvertise = 'x'", "config.lua:2: advertise = \"x\" is neither HOST:PORT nor none"},
        {"connect = {'a:1',\n'none'}", /* Lua knows where a setting ends */
         "config.lua:2: connect = \"none\" is not HOST:PORT"},
        {"ttl = 'soon'", "config.lua:1: ttl = \"soon\" is no time like 12h or 7d, at most 30d"},
        {"ttl = 31 * 86400", "config.lua:1: ttl = \"2678400\" is no time like 12h or 7d, at most 30d"},
        {"retries = -1", "config.lua:1: retries = \"-1\" is no whole number up to 999999999"},
        {"color = 'red'", "config.lua:1: color = \"red\" is not auto, on or off"},
        {"log = '\\27[2J'", "config.lua:1: log = \"\\x1b[2J\" is not debug, info, warn or error"},
        {"limits = {links = 0}", "config.lua:1: limits = { links=0 } is no whole number from 1 to 512000"},
        {"limits = {linsk = 7}", "config.lua:1: limits = { linsk=7 } has the name of no limit (did you mean links?)"},
        {"name = 'a23456789012345678901234567890123'", "config.lua:1: name takes at most 32 bytes"},
        {"connect = {} for i = 1, 65 do connect[i] = 'a:1' end",
         "config.lua:1: connect can be given 64 times; use the command connect for more"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_config(wrong[i].text);
        expect_refused(PARSE(option_home), wrong[i].sentence);
    }
}

static void test_a_file_is_judged_even_where_the_command_line_goes_before_it(void **state)
{
    (void)state;
    write_config("listen = 'x'");
    expect_refused(PARSE(option_home, "--listen", "a:1"),
                   "config.lua:1: listen = \"x\" is neither HOST:PORT nor none");
}

static void test_a_file_that_is_wrong_keeps_a_node_from_starting_and_nobody_else(void **state)
{
    static const char sentence[] = "config.lua:1: there is no key lissten (did you mean listen?)";
    (void)state;
    write_config("lissten = 'a:1'");
    expect_refused(PARSE(option_home), sentence);
    expect_refused(PARSE("run", option_home), sentence);
    expect_refused(PARSE("join", option_home, "moth1:a"), sentence);
    assert_int_equal(PARSE("attach", option_home), 0);
    assert_string_equal(options.config_why, sentence);
    assert_int_equal(PARSE("do", option_home, "list"), 0);
    assert_int_equal(PARSE("config", option_home), 0);
    assert_int_equal(PARSE("doctor", option_home), 0);
    assert_string_equal(options.config_why, sentence);
    assert_string_equal(why, "");
    assert_int_equal(PARSE(option_home, "--help"), 0);
}

static void test_attach_has_the_colours_of_the_file(void **state)
{
    (void)state;
    write_config("color = 'off'");
    assert_int_equal(PARSE("attach", option_home), 0);
    assert_string_equal(options.color, "off");
    assert_int_equal(PARSE("attach", option_home, "--color", "on"), 0);
    assert_string_equal(options.color, "on");
}

static void test_no_file_is_fine(void **state)
{
    (void)state;
    assert_int_equal(PARSE(option_home), 0);
    assert_false(options.has_config);
    assert_string_equal(options.listen, "127.0.0.1:6684");
}

static void test_every_key_is_an_option(void **state)
{
    char *text = config_default(), key[32], option[40];
    int keys = 0;
    (void)state;
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        int end = 0;
        if (sscanf(line, "-- %31[a-z] =%n", key, &end) != 1 || end == 0 || line[3] == ' ') continue;
        snprintf(option, sizeof option, "  --%s", strcmp(key, "limits") == 0 ? "limit" : key);
        assert_non_null(strstr(options_help, option));
        keys++;
    }
    assert_int_equal(keys, 13);
    free(text);
}

static void test_every_option_that_makes_sense_in_a_file_is_a_key(void **state)
{
    char *text = config_default(), option[40], key[48];
    (void)state;
    for (const char *at = options_help; (at = strstr(at, "\n  --")); at++) {
        assert_int_equal(sscanf(at, " --%39[a-z]", option), 1);
        if (strcmp(option, "home") == 0 || strcmp(option, "help") == 0) continue;
        snprintf(key, sizeof key, "\n-- %s%s = ", option, strcmp(option, "limit") == 0 ? "s" : "");
        assert_non_null(strstr(text, key));
    }
    free(text);
}

/* --- the nearest word --- */

static const char *nearest(const char *word)
{
    struct near near = near_to(word, strlen(word));
    near_offer(&near, "attach");
    near_offer(&near, "do");
    near_offer(&near, "doctor");
    return near.nearest;
}

static void test_two_changes_are_near_and_three_are_not(void **state)
{
    (void)state;
    assert_string_equal(nearest("attach"), "attach");
    assert_string_equal(nearest("tatach"), "attach");
    assert_string_equal(nearest("attch"), "attach");
    assert_string_equal(nearest("atttachh"), "attach");
    assert_null(nearest("attaxyz"));
    assert_string_equal(nearest("od"), "do");
    assert_string_equal(nearest("d"), "do");
    assert_null(nearest("xyz"));
    assert_string_equal(nearest("docter"), "doctor");
    assert_null(nearest("doctordoctordoctordoctordoctordoctordoctor"));
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
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_environment, forget)
#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(test_every_option_is_read),
        TEST(test_a_value_may_stand_behind_an_equals_sign),
        TEST(test_connect_may_be_repeated),
        TEST(test_listen_none_means_not_at_all),
        TEST(test_help_and_version_need_nothing_else),
        TEST(test_what_is_on_can_be_switched_off_again),
        TEST(test_help_names_every_option_and_subcommand),
        TEST(test_every_page_of_help_fits_a_terminal_and_has_an_example),
        TEST(test_an_unknown_option_is_refused),
        TEST(test_a_missing_value_is_refused),
        TEST(test_an_option_is_no_value_unless_behind_an_equals_sign),
        TEST(test_a_value_too_many_is_refused),
        TEST(test_an_address_without_a_port_is_refused),
        TEST(test_a_time_to_live_is_between_a_moment_and_thirty_days),
        TEST(test_retries_are_a_whole_number),
        TEST(test_a_word_that_is_no_subcommand_is_refused_with_a_hint),
        TEST(test_a_stray_argument_is_made_safe),
        TEST(test_colours_and_levels_are_one_of_a_few_words),
        TEST(test_a_limit_has_a_name_and_a_number_within_reason),
        TEST(test_a_long_stray_argument_is_cut),
        TEST(test_a_name_that_is_too_long_is_refused),
        TEST(test_a_home_that_is_too_long_is_refused),
        TEST(test_more_connects_than_there_is_room_for_are_refused),
        TEST(test_the_first_word_chooses_the_program),
        TEST(test_options_may_stand_before_and_after_the_subcommand),
        TEST(test_scripts_follow_run),
        TEST(test_what_follows_two_dashes_is_a_word),
        TEST(test_all_behind_the_first_word_belongs_to_the_command),
        TEST(test_join_takes_one_line),
        TEST(test_do_needs_a_command),
        TEST(test_options_that_mean_nothing_to_a_subcommand_are_refused),
        TEST(test_words_that_mean_nothing_to_a_subcommand_are_refused),
        TEST(test_help_of_a_subcommand_can_be_asked_in_two_ways),
        FILE_TEST(test_every_setting_is_read_from_the_file),
        FILE_TEST(test_the_command_line_goes_before_the_file),
        FILE_TEST(test_a_path_in_the_file_begins_at_its_folder),
        FILE_TEST(test_values_of_the_file_are_judged_like_those_of_the_command_line),
        FILE_TEST(test_a_file_is_judged_even_where_the_command_line_goes_before_it),
        FILE_TEST(test_a_file_that_is_wrong_keeps_a_node_from_starting_and_nobody_else),
        FILE_TEST(test_attach_has_the_colours_of_the_file),
        FILE_TEST(test_no_file_is_fine),
        TEST(test_every_key_is_an_option),
        TEST(test_every_option_that_makes_sense_in_a_file_is_a_key),
        TEST(test_two_changes_are_near_and_three_are_not),
        TEST(test_the_default_is_loopback_and_the_next_free_port),
        TEST(test_the_home_is_in_the_users_data_folder),
        TEST(test_a_default_home_that_is_too_long_is_refused),
        TEST(test_a_login_becomes_a_valid_name),
        TEST(test_a_login_of_hex_digits_is_no_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
