/* test_config.c -- config.lua as a program: what it may hold, what is refused and in which words, and how it is kept
 * from doing harm. */
#include "script/config.h"

#include "moth/types.h"

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

#define FOUND_BYTES 4096

static char folder[64], path[96], why[CONFIG_WHY_BYTES];
static char found[FOUND_BYTES]; /* "key[index]=text@line " of all that was given */
static int each_rc;

static int note(void *owner, const struct config_value *v)
{
    size_t used = strlen(found);
    assert_ptr_equal(owner, found);
    snprintf(found + used, sizeof found - used, "%s[%zu]=%s@%d ", v->key, v->index, v->text, v->line);
    return each_rc;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/moth-config-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/" CONFIG_FILE, folder);
    each_rc = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_bytes(const char *text, size_t bytes)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static int read_it(void)
{
    found[0] = '\0';
    return config_read(path, note, found, why);
}

static void expect_found(const char *text, const char *expected)
{
    write_bytes(text, strlen(text));
    assert_int_equal(read_it(), 0);
    assert_string_equal(found, expected);
}

static void expect_refused(const char *text, const char *sentence)
{
    write_bytes(text, strlen(text));
    assert_int_equal(read_it(), MOTH_EARGUMENT);
    assert_string_equal(why, sentence);
    assert_string_equal(found, "");
}

/* A sentence about the file itself, whose path comes in it. */
static void expect_file_refused(const char *format)
{
    char sentence[CONFIG_WHY_BYTES];
    assert_int_equal(read_it(), MOTH_EARGUMENT);
    snprintf(sentence, sizeof sentence, format, path);
    assert_string_equal(why, sentence);
}

/* --- what it may hold --- */

static void test_settings_come_in_a_fixed_order_with_their_lines(void **state)
{
    (void)state;
    expect_found("ttl = '12h'\n\nname = 'ana'\nopen = true", "name[1]=ana@3 open[1]=true@4 ttl[1]=12h@1 ");
}

static void test_lists_come_item_by_item(void **state)
{
    (void)state;
    expect_found("connect = { 'a:1', 'b:2' } load = 'x.lua'",
                 "connect[1]=a:1@1 connect[2]=b:2@1 load[1]=x.lua@1 ");
    expect_found("connect = {}", "");
}

static void test_numbers_come_as_text(void **state)
{
    (void)state;
    expect_found("ttl = 90 retries = 3.0", "ttl[1]=90@1 retries[1]=3@1 ");
    expect_found("ttl = 1.5", "ttl[1]=1.5@1 ");
}

static void test_limits_come_by_name(void **state)
{
    (void)state;
    expect_found("limits = { links = 1 << 10, adverts = 5000 }", "limits[1]=adverts=5000@1 limits[2]=links=1024@1 ");
}

static void test_what_is_computed_counts(void **state)
{
    (void)state;
    expect_found("local net = '192.0.2.'\nconnect = {}\nfor i = 1, 3 do connect[#connect + 1] = net .. i .. ':1' end",
                 "connect[1]=192.0.2.1:1@2 connect[2]=192.0.2.2:1@2 connect[3]=192.0.2.3:1@2 ");
}

static void test_the_last_value_counts_and_nil_is_none(void **state)
{
    (void)state;
    expect_found("name = 'ana'\nname = 'eva'\nttl = '1h' ttl = nil", "name[1]=eva@2 ");
}

static void test_an_empty_file_sets_nothing(void **state)
{
    (void)state;
    expect_found("", "");
    expect_found("-- nothing\n", "");
}

static void test_a_missing_file_is_not_found(void **state)
{
    (void)state;
    assert_int_equal(read_it(), MOTH_ENOT_FOUND);
    snprintf(path, sizeof path, "%s/no/folder", folder);
    assert_int_equal(read_it(), MOTH_ENOT_FOUND);
    assert_string_equal(why, "");
}

static void test_what_the_reader_refuses_ends_the_reading(void **state)
{
    (void)state;
    each_rc = MOTH_EFULL;
    write_bytes("connect = {'a:1', 'b:2'} ttl = 1", 32);
    assert_int_equal(read_it(), MOTH_EFULL);
    assert_string_equal(found, "connect[1]=a:1@1 ");
}

/* --- refusals --- */

static void test_an_unknown_key_is_refused_with_the_nearest_one(void **state)
{
    (void)state;
    expect_refused("name = 'ana'\nlissten = 'a:1'", "config.lua:2: there is no key lissten (did you mean listen?)");
    expect_refused("colour = 'on'", "config.lua:1: there is no key colour (did you mean color?)");
    expect_refused("patience = 3", "config.lua:1: there is no key patience (moth config lists all)");
    expect_refused("patience = nil", "config.lua:1: there is no key patience (moth config lists all)");
}

static void test_a_value_of_the_wrong_type_is_refused(void **state)
{
    static const struct {
        const char *text, *sentence;
    } wrong[] = {
        {"name = 7", "name is a text in quotes"},
        {"name = ''", "name is a text in quotes"},
        {"name = 'a\\0b'", "name is a text in quotes"},
        {"name = {'a'}", "name is a text in quotes"},
        {"connect = 7", "connect is a text in quotes or a list of texts"},
        {"connect = {'a:1', 7}", "connect is a text in quotes or a list of texts"},
        {"connect = {x = 'a:1'}", "connect is a text in quotes or a list of texts"},
        {"connect = {'a:1', [3] = 'b:2'}", "connect is a text in quotes or a list of texts"},
        {"open = 'yes'", "open is true or false"},
        {"open = 1", "open is true or false"},
        {"retries = '3'", "retries is a whole number"},
        {"retries = 3.5", "retries is a whole number"},
        {"ttl = true", "ttl is a time in quotes, like \"12h\", or seconds"},
        {"limits = 3", "limits is a table of whole numbers, like { links = 1024 }"},
        {"limits = {1024}", "limits is a table of whole numbers, like { links = 1024 }"},
        {"limits = {links = 'many'}", "limits is a table of whole numbers, like { links = 1024 }"},
        {"limits = {links = 1e300}", "limits is a table of whole numbers, like { links = 1024 }"},
        {"load = function() end", "load is a text in quotes or a list of texts"},
    };
    char sentence[CONFIG_WHY_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(sentence, sizeof sentence, "config.lua:1: %s", wrong[i].sentence);
        expect_refused(wrong[i].text, sentence);
    }
}

static void test_an_error_in_the_file_is_told_with_its_line(void **state)
{
    (void)state;
    expect_refused("name = 'ana'\nlisten = = 'x'", "config.lua:2: unexpected symbol near '='");
    expect_refused("\nname = 'a' .. {}", "config.lua:2: attempt to concatenate a table value");
}

static void test_names_that_were_never_set_are_an_error(void **state)
{
    (void)state;
    expect_refused("\nname = user", "config.lua:2: nothing is called user here");
    expect_refused("name = os.getenv('USER')", "config.lua:1: nothing is called os here");
    expect_refused("print('hi')", "config.lua:1: nothing is called print here");
    expect_refused("_ENV[1] = 2", "config.lua:1: settings have names");
    expect_refused("local x = _ENV[1]", "config.lua:1: nothing is called 1 here");
}

static void test_there_are_no_libraries_behind_values_either(void **state)
{
    (void)state;
    write_bytes("name = ('a'):rep(3)", 19);
    assert_int_equal(read_it(), MOTH_EARGUMENT);
    assert_non_null(strstr(why, "attempt to index a string value"));
}

static void test_a_file_that_returns_a_table_is_told_what_to_do(void **state)
{
    (void)state;
    expect_refused("return { name = 'ana' }",
                   "config.lua: it gives something back; settings are set, like name = \"ana\"");
}

static void test_a_file_that_goes_on_for_ever_is_ended(void **state)
{
    (void)state;
    expect_refused("name = 'ana'\nwhile true do end", "config.lua:2: this goes on for too long");
}

static void test_a_file_that_takes_too_much_memory_is_ended(void **state)
{
    static const char *const greedy[] = {"local s = 'x' while true do s = s .. s end",
                                         "local t = {} for i = 1, 1e6 do t[i] = {} end"};
    (void)state;
    for (size_t i = 0; i < sizeof greedy / sizeof *greedy; i++) {
        write_bytes(greedy[i], strlen(greedy[i]));
        expect_file_refused("%s takes more than 4 MiB of memory");
    }
}

static void test_bytecode_is_refused(void **state)
{
    (void)state;
    write_bytes("\x1bLua\x54", 5);
    assert_int_equal(read_it(), MOTH_EARGUMENT);
    assert_non_null(strstr(why, "binary chunk"));
}

static void test_a_sentence_is_safe_for_a_terminal_and_one_line(void **state)
{
    (void)state;
    expect_refused("_ENV['\\27[2J\\n'] = 1", "config.lua:1: there is no key \\x1b[2J\\x0a (moth config lists all)");
}

static void test_a_file_above_64_kib_is_refused(void **state)
{
    size_t bytes = (64 << 10) + 1;
    char *text = malloc(bytes);
    (void)state;
    assert_non_null(text);
    memset(text, '\n', bytes);
    write_bytes(text, bytes - 1);
    assert_int_equal(read_it(), 0);
    write_bytes(text, bytes);
    expect_file_refused("%s has more than 64 KiB");
    free(text);
}

static void test_a_file_that_others_can_write_is_refused(void **state)
{
    static const mode_t open_modes[] = {0620, 0602, 0666};
    (void)state;
    write_bytes("", 0);
    for (size_t i = 0; i < sizeof open_modes / sizeof *open_modes; i++) {
        assert_int_equal(chmod(path, open_modes[i]), 0);
        expect_file_refused("others can write %s; chmod go-w helps");
    }
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(read_it(), 0);
}

static void test_a_file_of_another_user_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0) skip();
    write_bytes("", 0);
    assert_int_equal(chown(path, 4711, 4711), 0);
    expect_file_refused("%s belongs to another user");
}

static void test_what_is_no_file_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path, 0700), 0);
    expect_file_refused("%s is no regular file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes: waiting would never end */
    expect_file_refused("%s is no regular file");
}

/* --- the default --- */

static void test_the_default_sets_nothing(void **state)
{
    char *text = config_default();
    (void)state;
    expect_found(text, "");
    free(text);
}

/* What it shows is well, too: with the dashes taken away each setting is read. */
static void test_the_settings_that_the_default_shows_are_well(void **state)
{
    static const char *const keys[] = {"name", "listen", "advertise", "connect", "network", "open", "load",
                                       "ttl", "retries", "color", "light", "log", "limits"};
    char *text = config_default(), *out = calloc(1, strlen(text) + 1), *line, *rest = text;
    (void)state;
    assert_non_null(out);
    while ((line = strsep(&rest, "\n"))) {
        int end = 0;
        char first;
        bool shown = sscanf(line, "-- %*[a-z] = %c%n", &first, &end) == 1 && end > 0;
        if (shown || strncmp(line, "--   ", 5) == 0 || strcmp(line, "-- }") == 0) strcat(strcat(out, line + 3), "\n");
    }
    write_bytes(out, strlen(out));
    assert_int_equal(read_it(), 0);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "%s[1]=", keys[i]);
        assert_non_null(strstr(found, expected));
    }
    free(text);
    free(out);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_settings_come_in_a_fixed_order_with_their_lines),
        TEST(test_lists_come_item_by_item),
        TEST(test_numbers_come_as_text),
        TEST(test_limits_come_by_name),
        TEST(test_what_is_computed_counts),
        TEST(test_the_last_value_counts_and_nil_is_none),
        TEST(test_an_empty_file_sets_nothing),
        TEST(test_a_missing_file_is_not_found),
        TEST(test_what_the_reader_refuses_ends_the_reading),
        TEST(test_an_unknown_key_is_refused_with_the_nearest_one),
        TEST(test_a_value_of_the_wrong_type_is_refused),
        TEST(test_an_error_in_the_file_is_told_with_its_line),
        TEST(test_names_that_were_never_set_are_an_error),
        TEST(test_there_are_no_libraries_behind_values_either),
        TEST(test_a_file_that_returns_a_table_is_told_what_to_do),
        TEST(test_a_file_that_goes_on_for_ever_is_ended),
        TEST(test_a_file_that_takes_too_much_memory_is_ended),
        TEST(test_bytecode_is_refused),
        TEST(test_a_sentence_is_safe_for_a_terminal_and_one_line),
        TEST(test_a_file_above_64_kib_is_refused),
        TEST(test_a_file_that_others_can_write_is_refused),
        TEST(test_a_file_of_another_user_is_refused),
        TEST(test_what_is_no_file_is_refused),
        TEST(test_the_default_sets_nothing),
        TEST(test_the_settings_that_the_default_shows_are_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
