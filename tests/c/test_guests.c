/* test_guests.c -- the node's end of attach.h, over a real socket: what a guest may say and when, what becomes of those
 * who say something else, and that none of them harms the node or each other. */
#include "guest_kit.h"
#include "guests.h"
#include "net/local.h"

#define NAP "task.sleep('30ms') " /* before what is to come later */
#define LINE_BYTES 1000000

static struct guests *guests;
static struct guest ana, eva;

static int set_up(void **state)
{
    (void)state;
    ana = eva = (struct guest){.fd = -1, .status = -1};
    if (open_node() < 0 || open_shell((struct shell_setup){.is_alone = true}) < 0) return -1;
    return guests_open(loop, shell, folder, &guests);
}

static int tear_down(void **state)
{
    (void)state;
    shell_hush(shell);
    guests_close(guests);
    guests = NULL;
    guest_fini(&ana);
    guest_fini(&eva);
    return close_node();
}

/* --- conditions --- */

static bool ana_hears(void)
{
    listen_to(&ana);
    return has(&ana.texts[ATTACH_SAY], wanted) || has(&ana.texts[ATTACH_COMPLAIN], wanted);
}

static bool eva_hears(void)
{
    listen_to(&eva);
    return has(&eva.texts[ATTACH_SAY], wanted) || has(&eva.texts[ATTACH_COMPLAIN], wanted);
}

static bool ana_is_out(void)
{
    listen_to(&ana);
    return ana.is_closed;
}

static bool ana_got_words(void)
{
    listen_to(&ana);
    return ana.counts[ATTACH_WORDS] > 0;
}

static void until_out(int status)
{
    until(ana_is_out);
    assert_int_equal(ana.status, status);
}

/* Somebody else is as well served as before. */
static void assert_eva_is_served(void)
{
    if (eva.fd < 0) enter_as(&eva, 0);
    say_line(&eva, "='all ' .. 'well'");
    until_said(eva_hears, "all well\n");
    assert_int_equal(quits, 0);
}

static void assert_was_shown_out(void)
{
    until_out(1);
    assert_true(has(&ana.texts[ATTACH_BYE], "did not understand"));
    assert_int_equal(ana.counts[ATTACH_SAY], 0);
    assert_eva_is_served();
}

/* --- as it should be --- */

static void test_a_guest_is_a_shell(void **state)
{
    (void)state;
    enter_as(&ana, 0);
    say_line(&ana, "='hello ' .. 'there'");
    say_line(&ana, "error('broken')");
    until_said(ana_hears, "hello there\n");
    until_said(ana_hears, "line 2: broken\n");
    assert_true(has(&ana.texts[ATTACH_COMPLAIN], "broken"));
    say_kind(&ana, ATTACH_FINISH, NULL, 0);
    until_out(1); /* a line failed */
    assert_int_equal(buf_bytes(&ana.texts[ATTACH_BYE]), 0);
}

static void test_bye_carries_the_status(void **state)
{
    (void)state;
    enter_as(&ana, ATTACH_IS_SINGLE | ATTACH_IS_JSON);
    say_line(&ana, "=1 + 1");
    until_out(0);
    assert_true(slice_equal(span_slice(buf_span(&ana.texts[ATTACH_SAY])), slice_text("2\n")));
}

static void test_a_terminal_gets_prompts_and_is_told_of_talking(void **state)
{
    (void)state;
    enter_as(&ana, ATTACH_IS_TERMINAL);
    until_said(ana_hears, "quit leaves this shell");
    assert_true(has(&ana.texts[ATTACH_PROMPT], "ana> "));
    say_line(&ana, "leave");
    until_said(ana_hears, "nobody is talked to");
}

static void test_an_interrupt_ends_what_runs(void **state)
{
    (void)state;
    enter_as(&ana, ATTACH_IS_TERMINAL);
    say_line(&ana, "task.sleep(600)");
    turns(5);
    say_number(&ana, ATTACH_INTERRUPT, 0, 1);
    say_line(&ana, "='next'");
    until_said(ana_hears, "next\n");
    assert_true(has(&ana.texts[ATTACH_SAY], "cancelled\n"));
}

static void test_a_new_width_is_heard(void **state)
{
    (void)state;
    enter_as(&ana, ATTACH_IS_TERMINAL);
    say_number(&ana, ATTACH_RESIZE, 30, 2);
    say_line(&ana, "print(('word '):rep(12) .. 'end')");
    until_said(ana_hears, "end\n");
    assert_true(has(&ana.texts[ATTACH_SAY], "word \n"));
}

static void test_each_completion_has_one_answer(void **state)
{
    (void)state;
    enter_as(&ana, ATTACH_IS_TERMINAL);
    complete(&ana, "hel", 0);
    until(ana_got_words);
    assert_true(has(&ana.texts[ATTACH_WORDS], "help\n"));
    complete(&ana, "zzzz", 4);
    complete(&ana, "", 0);
    say_line(&ana, "='next'");
    until_said(ana_hears, "next\n");
    assert_int_equal(ana.counts[ATTACH_WORDS], 3);
}

static void test_frames_may_come_in_any_pieces(void **state)
{
    static const char line[] = "\0\0\0\011\002='piece'";
    (void)state;
    enter_as(&ana, 0);
    for (size_t i = 0; i < sizeof line - 1; i++) {
        client_write(ana.fd, line + i, 1);
        turn();
    }
    until_said(ana_hears, "piece\n");
}

static void test_a_long_answer_comes_in_pieces_at_line_ends(void **state)
{
    (void)state;
    enter_as(&ana, 0);
    say_line(&ana, "print((('x'):rep(999) .. '\\n'):rep(600) .. 'end')");
    until_said(ana_hears, "\nend\n");
    assert_int_equal(ana.counts[ATTACH_SAY], 2);
    assert_int_equal(buf_bytes(&ana.texts[ATTACH_SAY]), 600004);
}

static void test_the_node_says_goodbye_when_it_ends(void **state)
{
    (void)state;
    enter_as(&ana, 0);
    say_line(&ana, "='ready'");
    until_said(ana_hears, "ready\n");
    shell_end(shell, 0);
    until(has_quit);
    until_out(0);
    assert_true(has(&ana.texts[ATTACH_SAY], "the node has ended\n"));
}

static void test_closing_takes_all_guests_along(void **state)
{
    (void)state;
    enter_as(&ana, 0);
    enter_as(&eva, 0);
    say_line(&ana, NAP "print('never')");
    say_line(&eva, "='ready'");
    until_said(eva_hears, "ready\n"); /* so both are in */
    guests_close(guests);
    guests = NULL;
    until(ana_is_out);
    assert_int_equal(ana.status, -1);
    assert_false(has(&ana.texts[ATTACH_SAY], "never"));
    guests_close(NULL);
}

static void test_a_home_too_long_for_a_socket_is_refused(void **state)
{
    char home[300];
    struct guests *none = NULL;
    (void)state;
    memset(home, 'x', sizeof home);
    home[0] = '/';
    home[sizeof home - 1] = '\0';
    assert_int_equal(guests_open(loop, shell, home, &none), MOTH_EARGUMENT);
    assert_null(none);
}

/* --- as it should not be --- */

static void test_hello_comes_first(void **state)
{
    (void)state;
    come(&ana);
    say_line(&ana, "stop");
    say_hello(&ana, ATTACH_VERSION, 0);
    say_line(&ana, "stop");
    assert_was_shown_out();
}

static void test_nothing_else_comes_before_hello(void **state)
{
    static const enum attach_kind kinds[] = {ATTACH_FINISH, ATTACH_INTERRUPT, ATTACH_RESIZE, ATTACH_COMPLETE};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        come(&ana);
        say_number(&ana, kinds[i], 0, 2);
        assert_was_shown_out();
        guest_fini(&ana);
    }
}

static void test_hello_comes_once(void **state)
{
    (void)state;
    enter_as(&ana, 0);
    say_hello(&ana, ATTACH_VERSION, 0);
    assert_was_shown_out();
}

static void test_another_version_is_told_what_helps(void **state)
{
    (void)state;
    come(&ana);
    say_hello(&ana, ATTACH_VERSION + 1, 0);
    say_line(&ana, "stop");
    until_out(1);
    assert_true(has(&ana.texts[ATTACH_BYE], "version"));
    assert_eva_is_served();
}

static void test_a_hello_cut_short_is_refused(void **state)
{
    static const uint8_t hello[] = {ATTACH_VERSION, 0, 0};
    (void)state;
    come(&ana);
    say_kind(&ana, ATTACH_HELLO, hello, sizeof hello);
    assert_was_shown_out();
}

static void test_a_folder_longer_than_any_path_is_refused(void **state)
{
    static uint8_t hello[8000] = {ATTACH_VERSION};
    (void)state;
    memset(hello + 4, 'x', sizeof hello - 4);
    come(&ana);
    say_kind(&ana, ATTACH_HELLO, hello, sizeof hello);
    assert_was_shown_out();
}

static void test_garbage_is_shown_out(void **state)
{
    (void)state;
    come(&ana);
    client_write(ana.fd, "GET / HTTP/1.1\r\n\r\n", 18);
    assert_was_shown_out();
}

static void test_a_frame_larger_than_any_is_refused_before_it_comes(void **state)
{
    static const uint8_t start[] = {0x7f, 0xff, 0xff, 0xff, ATTACH_LINE};
    (void)state;
    come(&ana);
    client_write(ana.fd, start, sizeof start);
    assert_was_shown_out();
}

static void test_an_unknown_kind_is_shown_out(void **state)
{
    static const unsigned kinds[] = {0, ATTACH_COMPLETE + 1, ATTACH_SAY, ATTACH_BYE, 255};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        enter_as(&ana, 0);
        say_kind(&ana, kinds[i], NULL, 0);
        assert_was_shown_out();
        guest_fini(&ana);
    }
}

static void test_an_empty_frame_is_shown_out(void **state)
{
    (void)state;
    enter_as(&ana, 0);
    client_write(ana.fd, "\0\0\0\0", 4);
    assert_was_shown_out();
}

static void test_numbers_of_the_wrong_size_are_shown_out(void **state)
{
    static const struct {
        enum attach_kind kind;
        unsigned bytes;
    } wrong[] = {{ATTACH_RESIZE, 1}, {ATTACH_RESIZE, 3}, {ATTACH_INTERRUPT, 2}, {ATTACH_COMPLETE, 3}};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        enter_as(&ana, 0);
        say_number(&ana, wrong[i].kind, 0, wrong[i].bytes);
        assert_was_shown_out();
        guest_fini(&ana);
    }
}

static void test_a_completion_beyond_its_line_is_shown_out(void **state)
{
    (void)state;
    enter_as(&ana, 0);
    complete(&ana, "help", 5);
    assert_was_shown_out();
}

static void test_half_a_frame_and_a_hangup_are_forgotten(void **state)
{
    (void)state;
    enter_as(&ana, 0);
    client_write(ana.fd, "\0\0\0\177\002stop", 9);
    close(ana.fd);
    ana.fd = -1;
    assert_eva_is_served();
}

static void test_who_hangs_up_ends_what_they_ran(void **state)
{
    (void)state;
    enter_as(&ana, 0);
    say_line(&ana, "print('runs') " NAP "node:quit(7)");
    until_said(ana_hears, "runs\n");
    close(ana.fd);
    ana.fd = -1;
    enter_as(&eva, 0);
    say_line(&eva, NAP NAP "print('later')");
    until_said(eva_hears, "later\n");
    assert_int_equal(quits, 0);
}

static void test_a_width_of_nothing_harms_nobody(void **state)
{
    uint8_t hello[] = {ATTACH_VERSION, ATTACH_IS_TERMINAL, 0, 1};
    (void)state;
    come(&ana);
    say_kind(&ana, ATTACH_HELLO, hello, sizeof hello);
    for (unsigned width = 0; width < 4; width++) {
        say_number(&ana, ATTACH_RESIZE, width, 2);
        say_line(&ana, "list");
        say_line(&ana, "status");
        say_line(&ana, "help");
        say_line(&ana, "=('\\u{4e16}'):rep(9)");
    }
    assert_eva_is_served();
}

static void test_a_guest_that_never_reads_is_given_up(void **state)
{
    (void)state;
    enter_as(&ana, 0);
    enter_as(&eva, 0);
    say_line(&ana, "while true do print(('x'):rep(99999)) task.sleep(0) end");
    say_line(&eva, "print('in')");
    until_said(eva_hears, "in\n");
    for (unsigned i = 0; i < 3; i++) assert_eva_is_served();
    int fd = ana.fd;
    ana.fd = -1; /* not read until it is over */
    say_line(&eva, "for i = 1, 3000 do task.sleep(0) end print('long after')");
    until_said(eva_hears, "long after\n");
    ana.fd = fd;
    until(ana_is_out);
    assert_int_equal(ana.status, -1);
    assert_in_range(buf_bytes(&ana.texts[ATTACH_SAY]), 1, 2 * LOCAL_QUEUE_MAX);
}

/* Its lines wait behind one that takes long; what waits is memory of the whole node. */
static void test_a_guest_that_does_not_hold_back_is_sent_away(void **state)
{
    static char line[LINE_BYTES];
    (void)state;
    memset(line, ' ', sizeof line);
    enter_as(&ana, 0);
    say_line(&ana, "task.sleep(600)");
    for (unsigned i = 0; i < 200 && !ana_is_out(); i++) {
        uint8_t start[5];
        put_uint(put_uint(start, 1 + sizeof line, 4), ATTACH_LINE, 1);
        if (send(ana.fd, start, sizeof start, MSG_NOSIGNAL) < 0) break;
        for (size_t at = 0; at < sizeof line && !ana_is_out();) {
            ssize_t n = send(ana.fd, line + at, sizeof line - at, MSG_NOSIGNAL);
            if (n > 0) at += (size_t)n;
            else turn();
        }
    }
    until_out(1);
    assert_eva_is_served();
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_guest_is_a_shell),
        TEST(test_bye_carries_the_status),
        TEST(test_a_terminal_gets_prompts_and_is_told_of_talking),
        TEST(test_an_interrupt_ends_what_runs),
        TEST(test_a_new_width_is_heard),
        TEST(test_each_completion_has_one_answer),
        TEST(test_frames_may_come_in_any_pieces),
        TEST(test_a_long_answer_comes_in_pieces_at_line_ends),
        TEST(test_the_node_says_goodbye_when_it_ends),
        TEST(test_closing_takes_all_guests_along),
        TEST(test_a_home_too_long_for_a_socket_is_refused),
        TEST(test_hello_comes_first),
        TEST(test_nothing_else_comes_before_hello),
        TEST(test_hello_comes_once),
        TEST(test_another_version_is_told_what_helps),
        TEST(test_a_hello_cut_short_is_refused),
        TEST(test_a_folder_longer_than_any_path_is_refused),
        TEST(test_garbage_is_shown_out),
        TEST(test_a_frame_larger_than_any_is_refused_before_it_comes),
        TEST(test_an_unknown_kind_is_shown_out),
        TEST(test_an_empty_frame_is_shown_out),
        TEST(test_numbers_of_the_wrong_size_are_shown_out),
        TEST(test_a_completion_beyond_its_line_is_shown_out),
        TEST(test_half_a_frame_and_a_hangup_are_forgotten),
        TEST(test_who_hangs_up_ends_what_they_ran),
        TEST(test_a_width_of_nothing_harms_nobody),
        TEST(test_a_guest_that_never_reads_is_given_up),
        TEST(test_a_guest_that_does_not_hold_back_is_sent_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
