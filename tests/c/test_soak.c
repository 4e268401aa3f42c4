/* test_soak.c -- a few seeds of the soak (soak.h; torture_soak runs hundreds), those that once broke something, and the
 * proof that its ledger notices what is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "soak.h"

static void assert_kept(uint64_t seed, struct soak_verdict *v)
{
    soak_run(seed, v);
    if (v->faults > 0) fail_msg("seed %llu:\n%s", (unsigned long long)seed, v->said);
    assert_int_equal(v->lost + v->twice, 0);
}

static void test_every_promise_is_kept_whatever_breaks(void **state)
{
    struct soak_verdict v;
    unsigned promised = 0, kills = 0, blackouts = 0, again = 0;
    uint64_t handed_over = 0;
    (void)state;
    for (uint64_t seed = 2001; seed <= 2009; seed++) {
        assert_kept(seed, &v);
        promised += v.promised;
        kills += v.figures.kills;
        blackouts += v.figures.blackouts;
        again += v.again;
        handed_over += v.handed_over;
    }
    assert_true(promised > 1000 && kills > 100 && blackouts > 20 && again > 5 && handed_over > 200);
}

/* 1: own mail that the inbox knew already after a power cut was freed and then used; a carrier's receipt, faster than
 * our own disk, was told as a promise. 3: a page that could not be read while the database was checked made a good one
 * a damaged one. 1001: again, and the power went while it was salvaged: an empty one took its place. 3007: what was to
 * be told for the third time was set aside while that waited for its commit, and freed. */
static void test_seeds_that_once_broke_something(void **state)
{
    static const uint64_t seeds[] = {1, 3, 1001, 3007};
    struct soak_verdict v;
    (void)state;
    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) assert_kept(seeds[i], &v);
}

static void test_the_same_seed_gives_the_same_soak_and_another_does_not(void **state)
{
    struct soak_verdict a, b, other;
    (void)state;
    soak_run(2001, &a);
    soak_run(2001, &b);
    soak_run(2002, &other);
    assert_true(a.hash == b.hash && a.sent == b.sent && a.promised == b.promised && a.virtual_s == b.virtual_s);
    assert_true(a.hash != other.hash);
}

/* --- the ledger itself --- */

struct fake { /* message 1, of 20 bytes, from n0 to n1, accepted as id 7 */
    struct soak_ledger ledger;
    char text[20];
};

static int make_fake(void **state)
{
    struct fake *f = mem_new(sizeof *f);
    f->ledger.ids[0].bytes[0] = 1;
    f->ledger.ids[1].bytes[0] = 2;
    soak_ledger_accepted(&f->ledger, soak_ledger_new(&f->ledger, 0, 1, sizeof f->text, f->text), 7);
    *state = f;
    return 0;
}

static int free_fake(void **state)
{
    struct fake *f = *state;
    soak_ledger_free(&f->ledger);
    free(f);
    return 0;
}

static void tell(struct fake *f, enum moth_state told)
{
    soak_on_state(&f->ledger, 0, &(struct moth_sent){.id = 7, .state = told});
}

static void deliver(struct fake *f, unsigned to, uint64_t id, bool again)
{
    soak_on_message(&f->ledger, to, &(struct moth_message){.from = f->ledger.ids[0], .id = id, .redelivered = again,
                                                           .data = (const uint8_t *)f->text,
                                                           .bytes = sizeof f->text});
}

static void read_rows(struct fake *f, bool own, unsigned count)
{
    struct soak_reading r = {.ledger = &f->ledger, .machine = own ? 0 : 1};
    struct moth_entry e = {.is_ours = own, .peer = f->ledger.ids[own ? 1 : 0], .id = 7, .state = MOTH_DELIVERED,
                           .data = (const uint8_t *)f->text, .bytes = sizeof f->text};
    for (; count > 0; count--) soak_read_entry(&r, &e);
}

static unsigned faults(struct fake *f)
{
    soak_ledger_judge(&f->ledger);
    return f->ledger.faults;
}

static void test_the_ledger_is_content_with_a_kept_promise(void **state)
{
    struct fake *f = *state;
    tell(f, MOTH_QUEUED);
    deliver(f, 1, 7, false);
    deliver(f, 1, 7, true);
    tell(f, MOTH_DELIVERED);
    read_rows(f, true, 1);
    read_rows(f, false, 1);
    assert_int_equal(faults(f), 0);
    assert_int_equal(soak_ledger_promised(&f->ledger), 1);
}

static void test_the_ledger_asks_nothing_where_nothing_was_promised(void **state)
{
    struct fake *f = *state;
    tell(f, MOTH_PENDING);
    tell(f, MOTH_LOST);
    assert_int_equal(faults(f), 0);
}

static void test_the_ledger_notices_a_lost_message(void **state)
{
    struct fake *f = *state;
    tell(f, MOTH_SENT);
    deliver(f, 1, 7, false);
    read_rows(f, true, 1);
    assert_int_equal(faults(f), 1);
    assert_int_equal(f->ledger.lost, 1);
}

static void test_the_ledger_notices_what_no_handler_got(void **state)
{
    struct fake *f = *state;
    tell(f, MOTH_CARRIED);
    read_rows(f, true, 1);
    read_rows(f, false, 1);
    assert_int_equal(faults(f), 1);
}

static void test_the_ledger_notices_what_its_sender_forgot(void **state)
{
    struct fake *f = *state;
    tell(f, MOTH_QUEUED);
    deliver(f, 1, 7, false);
    read_rows(f, false, 1);
    assert_int_equal(faults(f), 1);
}

static void test_the_ledger_notices_what_comes_twice(void **state)
{
    struct fake *f = *state;
    deliver(f, 1, 7, false);
    deliver(f, 1, 7, false);
    assert_int_equal(f->ledger.twice, 1);
    read_rows(f, false, 2);
    assert_int_equal(faults(f), 2);
    assert_int_equal(f->ledger.twice, 2);
}

static void test_the_ledger_notices_what_was_never_sent(void **state)
{
    struct fake *f = *state;
    deliver(f, 0, 7, false); /* to another */
    deliver(f, 1, 8, false); /* under another id */
    f->text[0] = '2';        /* with another number */
    deliver(f, 1, 7, false);
    assert_int_equal(f->ledger.faults, 3);
}

static void test_the_ledger_notices_a_promise_that_is_taken_back(void **state)
{
    struct fake *f = *state;
    tell(f, MOTH_QUEUED);
    tell(f, MOTH_EXPIRED);
    assert_int_equal(f->ledger.faults, 1);
}

static void test_the_ledger_notices_an_id_given_twice(void **state)
{
    struct fake *f = *state;
    soak_ledger_accepted(&f->ledger, soak_ledger_new(&f->ledger, 0, 1, sizeof f->text, f->text), 7);
    assert_int_equal(f->ledger.faults, 1);
}

static void test_the_ledger_notices_reasons_that_cannot_be(void **state)
{
    struct fake *f = *state;
    f->ledger.discarded[-MOTH_EDUPLICATE] = 5;
    soak_ledger_judge_discards(&f->ledger);
    assert_int_equal(f->ledger.faults, 0);
    f->ledger.discarded[-MOTH_EFORGED] = 1;
    soak_ledger_judge_discards(&f->ledger);
    assert_int_equal(f->ledger.faults, 1);
}

#define fake_test(name) cmocka_unit_test_setup_teardown(name, make_fake, free_fake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_promise_is_kept_whatever_breaks),
        cmocka_unit_test(test_seeds_that_once_broke_something),
        cmocka_unit_test(test_the_same_seed_gives_the_same_soak_and_another_does_not),
        fake_test(test_the_ledger_is_content_with_a_kept_promise),
        fake_test(test_the_ledger_asks_nothing_where_nothing_was_promised),
        fake_test(test_the_ledger_notices_a_lost_message),
        fake_test(test_the_ledger_notices_what_no_handler_got),
        fake_test(test_the_ledger_notices_what_its_sender_forgot),
        fake_test(test_the_ledger_notices_what_comes_twice),
        fake_test(test_the_ledger_notices_what_was_never_sent),
        fake_test(test_the_ledger_notices_a_promise_that_is_taken_back),
        fake_test(test_the_ledger_notices_an_id_given_twice),
        fake_test(test_the_ledger_notices_reasons_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
