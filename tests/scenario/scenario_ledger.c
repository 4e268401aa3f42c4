/* scenario_ledger.c -- nothing promised is lost: a short run of the ledger, and of the book that judges it.
 *
 * The long run is tests/torture/torture_ledger.c. */
#include "folder.h"
#include "ledger.h"
#include "ledger_book.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

/* --- the book --- */

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static struct book *open_written(const char *text)
{
    const char *path = folder_new_path("ledger");
    write_text(path, text);
    struct book *b = book_open(path);
    book_name(b, "s1", &(struct moth_id){{1}});
    assert_true(book_read(b));
    return b;
}

/* A home whose inbox holds message 7 of s1 `rows` times; who is behind a row stands in the table of peers. */
static const char *make_home(int rows)
{
    static char path[600];
    sqlite3 *db;
    const char *home = folder_new_path("home");
    assert_int_equal(mkdir(home, 0700), 0);
    snprintf(path, sizeof path, "%s/moth.db", home);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_exec(db,
                 "PRAGMA journal_mode = WAL; CREATE TABLE peers (peer INTEGER PRIMARY KEY, id BLOB);"
                 "CREATE TABLE inbox (row INTEGER PRIMARY KEY, peer INTEGER, id INTEGER);"
                 "INSERT INTO peers VALUES (3, X'01000000000000000000000000000000');",
                 NULL, NULL, NULL);
    while (rows-- > 0) sqlite3_exec(db, "INSERT INTO inbox (peer, id) VALUES (3, 7)", NULL, NULL, NULL);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return home;
}

static struct ledger_verdict judge(struct book *b)
{
    struct ledger_verdict v = {0};
    book_judge(b, &v);
    book_close(b);
    return v;
}

#define SENT "sent s1 7 e1 100\n"
#define PROMISED "promised s1 7 e1 queued\n"
#define GOT "got e1 s1 7 0 100\n"
#define GOT_AGAIN "got e1 s1 7 1 100\n"

static void test_a_promise_that_was_kept_is_clean(void **state)
{
    (void)state;
    struct book *b = open_written(SENT PROMISED "promised s1 7 e1 delivered\n" GOT);
    assert_true(book_read_inbox(b, "e1", make_home(1)));
    struct ledger_verdict v = judge(b);
    assert_int_equal(v.promised, 1);
    assert_true(ledger_is_clean(&v));
}

static void test_a_promise_without_a_message_is_lost(void **state)
{
    (void)state;
    struct book *b = open_written(SENT PROMISED "got e2 s1 8 0 100\n");
    assert_int_equal(book_missing(b), 1);
    struct ledger_verdict v = judge(b);
    assert_int_equal(v.lost, 1);
    assert_false(ledger_is_clean(&v));
}

static void test_what_was_never_promised_cannot_be_lost(void **state)
{
    (void)state;
    struct ledger_verdict v = judge(open_written(SENT "noted s1 7 is lost\n"));
    assert_int_equal(v.promised, 0);
    assert_true(ledger_is_clean(&v));
}

static void test_a_handled_message_that_is_not_in_the_inbox_is_lost(void **state)
{
    (void)state;
    struct book *b = open_written(SENT PROMISED GOT);
    assert_int_equal(book_missing(b), 0);
    assert_true(book_read_inbox(b, "e1", make_home(0)));
    struct ledger_verdict v = judge(b);
    assert_int_equal(v.lost, 1);
    assert_false(ledger_is_clean(&v));
}

static void test_a_second_row_in_the_inbox_is_a_duplicate(void **state)
{
    (void)state;
    struct book *b = open_written(SENT PROMISED GOT);
    assert_true(book_read_inbox(b, "e1", make_home(2)));
    struct ledger_verdict v = judge(b);
    assert_int_equal(v.lost, 0);
    assert_int_equal(v.duplicated, 1);
    assert_false(ledger_is_clean(&v));
}

static void test_a_message_handled_twice_is_a_duplicate(void **state)
{
    (void)state;
    struct ledger_verdict v = judge(open_written(SENT PROMISED GOT GOT));
    assert_int_equal(v.duplicated, 1);
    assert_false(ledger_is_clean(&v));
}

static void test_a_message_handled_again_and_marked_so_is_none(void **state)
{
    (void)state;
    struct ledger_verdict v = judge(open_written(SENT PROMISED GOT GOT_AGAIN GOT_AGAIN));
    assert_int_equal(v.duplicated, 0);
    assert_int_equal(v.redelivered, 2);
    assert_true(ledger_is_clean(&v));
}

static void test_an_unmarked_one_after_a_marked_one_is_a_duplicate(void **state)
{
    (void)state;
    struct ledger_verdict v = judge(open_written(SENT PROMISED GOT_AGAIN GOT));
    assert_int_equal(v.duplicated, 1);
}

static void test_an_id_given_twice_is_told(void **state)
{
    (void)state;
    struct ledger_verdict v = judge(open_written(SENT "sent s1 7 e2 101\n"));
    assert_int_equal(v.reused, 1);
    assert_false(ledger_is_clean(&v));
}

static void test_another_text_or_recipient_is_told(void **state)
{
    (void)state;
    struct ledger_verdict v = judge(open_written(SENT "got e1 s1 7 0 99\ngot e2 s1 7 0 100\n"));
    assert_int_equal(v.mixed, 2);
    assert_false(ledger_is_clean(&v));
}

static void test_a_home_without_a_database_is_told(void **state)
{
    (void)state;
    struct book *b = open_written(SENT PROMISED GOT);
    assert_false(book_read_inbox(b, "e1", folder_new_path("nowhere")));
    book_close(b);
}

static void test_half_a_line_waits_for_its_other_half(void **state)
{
    (void)state;
    const char *path = folder_new_path("ledger");
    write_text(path, PROMISED "got e1 s1 7 0 1");
    struct book *b = book_open(path);
    assert_true(book_read(b));
    assert_int_equal(book_missing(b), 1);
    write_text(path, "00\n");
    assert_true(book_read(b));
    assert_int_equal(book_missing(b), 0);
    book_close(b);
}

static void test_a_line_of_nonsense_is_told(void **state)
{
    (void)state;
    const char *path = folder_new_path("ledger");
    write_text(path, PROMISED "promised s1\n");
    struct book *b = book_open(path);
    assert_false(book_read(b));
    book_close(b);
}

/* --- the ledger --- */

static void expect_clean(const struct ledger_plan *plan)
{
    struct ledger_verdict v;
    ledger_run(plan, &v);
    ledger_print(&v);
    assert_true(v.kills >= plan->kills);
    assert_true(v.promised > 0);
    assert_true(ledger_is_clean(&v));
}

static void test_every_promise_outlives_the_kills(void **state)
{
    (void)state;
    expect_clean(&(struct ledger_plan){.kills = 40, .seconds = 40, .pause_ms = 400, .seed = 1});
}

static void test_every_promise_outlives_kills_and_partitions(void **state)
{
    (void)state;
    expect_clean(&(struct ledger_plan){.kills = 16, .seconds = 40, .pause_ms = 2000, .bad_lines = true, .seed = 2});
}

#define LEDGER_TEST(name) cmocka_unit_test_teardown(name, ledger_cleanup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEDGER_TEST(test_a_promise_that_was_kept_is_clean),
        LEDGER_TEST(test_a_promise_without_a_message_is_lost),
        LEDGER_TEST(test_what_was_never_promised_cannot_be_lost),
        LEDGER_TEST(test_a_handled_message_that_is_not_in_the_inbox_is_lost),
        LEDGER_TEST(test_a_second_row_in_the_inbox_is_a_duplicate),
        LEDGER_TEST(test_a_message_handled_twice_is_a_duplicate),
        LEDGER_TEST(test_a_message_handled_again_and_marked_so_is_none),
        LEDGER_TEST(test_an_unmarked_one_after_a_marked_one_is_a_duplicate),
        LEDGER_TEST(test_an_id_given_twice_is_told),
        LEDGER_TEST(test_another_text_or_recipient_is_told),
        LEDGER_TEST(test_a_home_without_a_database_is_told),
        LEDGER_TEST(test_half_a_line_waits_for_its_other_half),
        LEDGER_TEST(test_a_line_of_nonsense_is_told),
        LEDGER_TEST(test_every_promise_outlives_the_kills),
        LEDGER_TEST(test_every_promise_outlives_kills_and_partitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
