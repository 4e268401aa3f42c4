/* scenario_program.c -- the program as its user meets it: options, first line, commands from a pipe, ends, and its
 * home. */
#include "process.h"
#include "folder.h"
#include "pattern.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_PORT 6684
#define PORTS_TRIED 100

/* --- options --- */

static void test_the_first_line_names_node_and_address(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL); /* reads the line and fails on any other form */
    assert_string_equal(process_name(ana), "ana");
    assert_true(pattern_matches(process_address(ana), "^127.0.0.1:*"));
    assert_int_not_equal(process_port(ana), 0);
    process_quit(ana);
    process_expect_none(ana, "ana (*listening", 0);
}

static void test_help_goes_to_standard_output(void **state)
{
    (void)state;
    static const char *const options[] = {"--home",    "--name", "--listen",    "--connect",
                                          "--network", "--open", "--advertise"};
    struct process *p = PROCESS_START("help", "--help");
    assert_int_equal(process_wait(p, PROCESS_SOON_MS), 0);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) assert_true(process_has_said(p, options[i]));
    process_expect(p, "--help", 0);
}

static void test_version_is_one_line(void **state)
{
    (void)state;
    struct process *p = PROCESS_START("version", "--version");
    assert_int_equal(process_wait(p, PROCESS_SOON_MS), 0);
    process_expect(p, "^moth ?*.?*$", 0);
    process_expect_none(p, "^", 0);
}

/* Expects a complaint on standard error, silence on standard output, and this status. */
static void expect_refused(struct process *p, const char *complaint, int status)
{
    assert_int_equal(process_wait(p, PROCESS_SOON_MS), status);
    process_expect_error(p, complaint, 0);
    assert_false(process_has_said(p, "listening on"));
}

static void test_an_unknown_option_is_refused(void **state)
{
    (void)state;
    expect_refused(PROCESS_START("option", "--lisen", "127.0.0.1:0"), "--lisen", 2);
    struct process *p = PROCESS_START("secret", "--netwrok=open sesame");
    expect_refused(p, "--netwrok", 2);
    assert_false(process_has_said(p, "sesame"));
}

static void test_an_option_without_its_value_is_refused(void **state)
{
    (void)state;
    expect_refused(PROCESS_START("value", "--listen"), "--listen", 2);
}

static void test_a_stray_argument_is_refused(void **state)
{
    (void)state;
    expect_refused(PROCESS_START("stray", "--home", folder_new_path("home"), "elsewhere"), "elsewhere", 2);
}

static void test_an_address_without_a_port_is_refused(void **state)
{
    (void)state;
    expect_refused(PROCESS_START("listen", "--home", folder_new_path("home"), "--listen", "nonsense"), "nonsense", 2);
    expect_refused(PROCESS_START("connect", "--home", folder_new_path("home"), "--connect", "nonsense"), "nonsense", 2);
}

static void test_a_name_with_a_blank_is_refused(void **state)
{
    (void)state;
    expect_refused(PROCESS_START("name", "--home", folder_new_path("home"), "--name", "two words"), "a name is", 2);
}

static void test_a_network_file_that_is_missing_is_refused(void **state)
{
    (void)state;
    struct process *p = PROCESS_START("network", "--home", folder_new_path("home"), "--network", "./no/such/file");
    assert_int_not_equal(process_wait(p, PROCESS_SOON_MS), 0);
    process_expect_error(p, "./no/such/file", 0);
}

/* --- addresses --- */

static void test_an_explicit_port_that_is_taken_is_an_error(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    const char *home = folder_new_path("bob");
    struct process *bob = PROCESS_START("bob", "--home", home, "--name", "bob", "--listen", process_address(ana));
    expect_refused(bob, process_address(ana), 1);
    process_quit(ana);
}

static struct process *start_on_the_default_port(const char *name)
{
    struct process *p = PROCESS_START(name, "--home", folder_new_path(name), "--name", name);
    process_expect_banner(p);
    assert_in_range(process_port(p), DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED);
    return p;
}

static void test_a_default_port_that_is_taken_makes_way_to_the_next(void **state)
{
    (void)state;
    struct process *ana = start_on_the_default_port("ana"), *bob = start_on_the_default_port("bob");
    assert_int_not_equal(process_port(ana), process_port(bob));
    process_connect(ana, bob);
    process_quit(ana);
    process_quit(bob);
}

static void test_listening_beyond_this_machine_without_a_key_is_refused(void **state)
{
    (void)state;
    struct process *p = PROCESS_START("ana", "--home", folder_new_path("ana"), "--listen", "0.0.0.0:0");
    assert_int_not_equal(process_wait(p, PROCESS_SOON_MS), 0);
    process_expect_error(p, "--network*--open", 0);
    assert_false(process_has_said(p, "listening on"));
}

static void expect_listen_refused(const char *address, const char *complaint, int status)
{
    expect_refused(PROCESS_START("ana", "--home", folder_new_path("ana"), "--listen", address), complaint, status);
}

static void test_an_address_that_cannot_be_is_not_taken_for_one_beyond_this_machine(void **state)
{
    (void)state;
    expect_listen_refused("127.0.0.1:99999", "neither HOST:PORT nor none", 2);
    expect_listen_refused("::1:6684", "IPv6 in brackets", 2);
    expect_listen_refused("nowhere.invalid:6684", "may let other machines in", 1);
}

static void test_a_node_that_does_not_listen_can_dial(void **state)
{
    (void)state;
    struct process *bob = process_node("bob", NULL, NULL), *ana = process_node("ana", NULL, "--listen", "none", NULL);
    assert_int_equal(process_port(ana), 0);
    process_connect(ana, bob);
    process_say(bob, "send ana hello");
    process_expect(ana, "] bob: hello$", PROCESS_SOON_MS);
}

static void test_connecting_to_oneself_is_refused_with_a_sentence(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    process_say(ana, "connect %s", process_address(ana));
    process_expect_error(ana, "that is this node itself", 2 * PROCESS_SOON_MS);
    process_ask(ana, "status", "^links 0,", PROCESS_SOON_MS);
}

/* --- the home folder --- */

static void test_a_second_process_on_one_home_is_refused(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    struct process *twin = PROCESS_START("twin", "--home", process_home(ana), "--listen", "127.0.0.1:0");
    expect_refused(twin, process_home(ana), 1);
    process_quit(ana);
}

static void test_a_home_that_cannot_be_made_is_refused(void **state)
{
    (void)state;
    expect_refused(PROCESS_START("ana", "--home", "/proc/moth"), "no home folder can be made at /proc/moth", 1);
}

static void expect_private(const char *home, const char *name)
{
    char path[1024];
    struct stat s;
    snprintf(path, sizeof path, "%s/%s", home, name);
    assert_int_equal(stat(path, &s), 0);
    if (S_ISREG(s.st_mode)) assert_int_equal(s.st_mode & 07777, 0600);
}

static void test_the_home_is_private_to_its_owner(void **state)
{
    (void)state;
    struct stat s;
    struct process *ana = process_node("ana", NULL, NULL);
    assert_int_equal(stat(process_home(ana), &s), 0);
    assert_int_equal(s.st_mode & 07777, 0700);
    expect_private(process_home(ana), "identity");
    DIR *folder = opendir(process_home(ana));
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) expect_private(process_home(ana), entry->d_name);
    closedir(folder);
}

static void test_a_damaged_identity_is_named_and_left_alone(void **state)
{
    (void)state;
    char path[1024], text[8] = {0};
    struct process *first = process_node("ana", NULL, NULL);
    process_quit(first);
    snprintf(path, sizeof path, "%s/identity", process_home(first));
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fputs("junk", f) >= 0 && fclose(f) == 0, 1);
    struct process *second = PROCESS_START("ana", "--home", process_home(first), "--listen", "127.0.0.1:0");
    expect_refused(second, "identity", 1);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    fclose(f);
    assert_string_equal(text, "junk");
}

static void test_the_id_stays_over_restarts(void **state)
{
    (void)state;
    struct process *first = process_node("ana", NULL, NULL);
    process_quit(first);
    struct process *second = process_node("ana", process_home(first), NULL);
    assert_string_equal(process_id8(first), process_id8(second));
    process_signal(second, SIGKILL);
    process_wait(second, PROCESS_SOON_MS);
    struct process *third = process_node("ana", process_home(first), NULL);
    assert_string_equal(process_id8(first), process_id8(third));
}

static void test_two_homes_are_two_nodes(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL), *bob = process_node("bob", NULL, NULL);
    assert_string_not_equal(process_id8(ana), process_id8(bob));
}

static void test_the_default_home_lies_in_the_users_data_folder(void **state)
{
    (void)state;
    struct stat s;
    char path[1024];
    struct process *p = PROCESS_START("default", "--listen", "127.0.0.1:0"); /* the harness sets XDG_DATA_HOME */
    process_expect_banner(p);
    snprintf(path, sizeof path, "%s/moth/identity", folder_path());
    assert_int_equal(stat(path, &s), 0);
    process_quit(p);
}

/* --- commands from a pipe --- */

static void test_the_end_of_the_input_quits(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    process_say(ana, "  # a comment, and an empty line");
    process_say(ana, "%s", "");
    process_say(ana, "   id   ");
    process_close_stdin(ana);
    assert_int_equal(process_wait(ana, PROCESS_SOON_MS), 0);
    process_expect(ana, process_id8(ana), 0);
    process_expect_none(ana, "comment", 0);
}

static void test_a_last_line_without_its_end_counts(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    process_say_part(ana, "id");
    process_close_stdin(ana);
    assert_int_equal(process_wait(ana, PROCESS_SOON_MS), 0);
    process_expect(ana, process_id8(ana), 0);
}

static void test_a_failed_line_is_told_and_makes_the_status_1(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    process_say(ana, "id");
    process_say(ana, "send nobody hello");
    process_say(ana, "status");
    process_expect_error(ana, "line 2: *nobody", PROCESS_SOON_MS);
    process_expect(ana, "^uptime", PROCESS_SOON_MS);
    process_say(ana, "quit");
    assert_int_equal(process_wait(ana, PROCESS_SOON_MS), 1);
}

static void test_an_unknown_command_suggests_the_nearest(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    process_say(ana, "conect 127.0.0.1:1");
    process_expect_error(ana, "unknown command \"conect\"; did you mean connect?", PROCESS_SOON_MS);
    process_say(ana, "xyzzyplugh");
    process_expect_error(ana, "unknown command \"xyzzyplugh\"", PROCESS_SOON_MS);
    process_expect_none(ana, "xyzzyplugh*did you mean", 0);
}

static void test_no_prompt_and_no_colour_in_a_pipe(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    process_say(ana, "help");
    process_say(ana, "list");
    process_quit(ana);
    process_expect_none(ana, "\033", 0);
    process_expect_none(ana, "^>", 0);
}

static void test_a_refused_connection_is_a_sentence_and_is_tried_again(void **state)
{
    (void)state;
    struct process *bob = process_node("bob", NULL, NULL), *ana = process_node("ana", NULL, NULL);
    char address[96];
    snprintf(address, sizeof address, "%s", process_address(bob));
    process_quit(bob);
    process_say(ana, "connect %s", address);
    process_expect_error(ana, "cannot connect to 127.0.0.1:*refused", 2 * PROCESS_SOON_MS);
    process_node("bob", process_home(bob), "--listen", address, NULL);
    process_ask(ana, "list", "^bob ???????? 1 - ", 4 * PROCESS_SOON_MS);
}

static void test_quit_names_the_mail_that_waits_for_the_next_start(void **state)
{
    (void)state;
    struct process *bob = process_node("bob", NULL, NULL), *ana = process_node("ana", NULL, NULL);
    process_connect(ana, bob);
    process_signal(bob, SIGKILL);
    process_ask(ana, "list", "^bob * away$", PROCESS_SOON_MS);
    process_say(ana, "send bob one");
    process_say(ana, "send bob two");
    process_say(ana, "quit");
    process_expect(ana, "2 messages wait here and go on when moth runs again: bob (2)", PROCESS_SOON_MS);
    process_wait(ana, PROCESS_SOON_MS);
}

/* --- ends --- */

static void expect_clean_end(int number)
{
    struct process *bob = process_node("bob", NULL, NULL), *ana = process_node("ana", NULL, NULL);
    process_connect(ana, bob);
    process_signal(ana, number);
    assert_int_equal(process_wait(ana, PROCESS_SOON_MS), 0);
    process_ask(bob, "list", "^ana * away$", PROCESS_SOON_MS);
    process_expect(bob, "^* ana is gone: the other end said goodbye", PROCESS_SOON_MS);
}

static void test_sigint_ends_it_cleanly(void **state)
{
    (void)state;
    expect_clean_end(SIGINT);
}

static void test_sigterm_ends_it_cleanly(void **state)
{
    (void)state;
    expect_clean_end(SIGTERM);
}

static void test_a_signal_ends_it_with_0_also_after_failed_lines(void **state)
{
    (void)state;
    struct process *ana = process_node("ana", NULL, NULL);
    process_say(ana, "send nobody hello");
    process_expect_error(ana, "line 1: ", PROCESS_SOON_MS);
    process_signal(ana, SIGTERM);
    assert_int_equal(process_wait(ana, PROCESS_SOON_MS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_the_first_line_names_node_and_address),
        PROCESS_TEST(test_help_goes_to_standard_output),
        PROCESS_TEST(test_version_is_one_line),
        PROCESS_TEST(test_an_unknown_option_is_refused),
        PROCESS_TEST(test_an_option_without_its_value_is_refused),
        PROCESS_TEST(test_a_stray_argument_is_refused),
        PROCESS_TEST(test_an_address_without_a_port_is_refused),
        PROCESS_TEST(test_a_name_with_a_blank_is_refused),
        PROCESS_TEST(test_a_network_file_that_is_missing_is_refused),
        PROCESS_TEST(test_an_explicit_port_that_is_taken_is_an_error),
        PROCESS_TEST(test_a_default_port_that_is_taken_makes_way_to_the_next),
        PROCESS_TEST(test_listening_beyond_this_machine_without_a_key_is_refused),
        PROCESS_TEST(test_an_address_that_cannot_be_is_not_taken_for_one_beyond_this_machine),
        PROCESS_TEST(test_a_node_that_does_not_listen_can_dial),
        PROCESS_TEST(test_connecting_to_oneself_is_refused_with_a_sentence),
        PROCESS_TEST(test_a_second_process_on_one_home_is_refused),
        PROCESS_TEST(test_a_damaged_identity_is_named_and_left_alone),
        PROCESS_TEST(test_a_home_that_cannot_be_made_is_refused),
        PROCESS_TEST(test_the_home_is_private_to_its_owner),
        PROCESS_TEST(test_the_id_stays_over_restarts),
        PROCESS_TEST(test_two_homes_are_two_nodes),
        PROCESS_TEST(test_the_default_home_lies_in_the_users_data_folder),
        PROCESS_TEST(test_the_end_of_the_input_quits),
        PROCESS_TEST(test_a_last_line_without_its_end_counts),
        PROCESS_TEST(test_a_failed_line_is_told_and_makes_the_status_1),
        PROCESS_TEST(test_an_unknown_command_suggests_the_nearest),
        PROCESS_TEST(test_no_prompt_and_no_colour_in_a_pipe),
        PROCESS_TEST(test_a_refused_connection_is_a_sentence_and_is_tried_again),
        PROCESS_TEST(test_quit_names_the_mail_that_waits_for_the_next_start),
        PROCESS_TEST(test_sigint_ends_it_cleanly),
        PROCESS_TEST(test_sigterm_ends_it_cleanly),
        PROCESS_TEST(test_a_signal_ends_it_with_0_also_after_failed_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
