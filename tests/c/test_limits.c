/* test_limits.c -- the table of every bound a node keeps.
 *
 * `status` shows it whole, so each line must be complete and say something; and what the design promised in figures is
 * what stands here. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "moth/node.h"

#include <string.h>

static const struct moth_limit_info *info(int limit)
{
    return moth_limit_info((enum moth_limit)limit);
}

static void every_limit_has_a_name_of_small_letters(void **state)
{
    (void)state;
    for (int i = 0; i < MOTH_LIMIT_COUNT; i++) {
        assert_non_null(info(i)->name);
        assert_in_range(strlen(info(i)->name), 1, 24);
        assert_int_equal(strspn(info(i)->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(info(i)->name));
    }
}

static void no_two_limits_share_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < MOTH_LIMIT_COUNT; i++)
        for (int j = 0; j < i; j++) assert_string_not_equal(info(i)->name, info(j)->name);
}

static void every_limit_has_a_unit(void **state)
{
    (void)state;
    for (int i = 0; i < MOTH_LIMIT_COUNT; i++) {
        assert_non_null(info(i)->unit);
        assert_true(strlen(info(i)->unit) > 0);
    }
}

static void every_limit_says_what_happens_there_in_half_a_line(void **state)
{
    (void)state;
    for (int i = 0; i < MOTH_LIMIT_COUNT; i++) {
        const char *text = info(i)->behaviour;
        assert_non_null(text);
        assert_in_range(strlen(text), 10, 64);
        assert_non_null(strchr(text, ' '));
        assert_int_not_equal(text[strlen(text) - 1], '.');
    }
}

static void every_limit_is_positive(void **state)
{
    (void)state;
    for (int i = 0; i < MOTH_LIMIT_COUNT; i++) assert_true(info(i)->value > 0);
}

static void every_limit_is_what_the_design_promises(void **state)
{
    static const struct {
        enum moth_limit limit;
        uint64_t value;
    } promised[] = {
        {MOTH_LIMIT_HANDSHAKE_MS, 5000},
        {MOTH_LIMIT_UNAUTHENTICATED, 256},
        {MOTH_LIMIT_UNAUTHENTICATED_PER_ADDRESS, 8},
        {MOTH_LIMIT_LINKS, 512},
        {MOTH_LIMIT_LINK_QUEUE_BYTES, 8u << 20},
        {MOTH_LIMIT_LINK_SLOW_BYTES, 1u << 20},
        {MOTH_LIMIT_PAUSE_MS, 250},
        {MOTH_LIMIT_ADVERTS, 4096},
        {MOTH_LIMIT_ADVERTS_PER_SECOND, 200},
        {MOTH_LIMIT_HOPS, 10},
        {MOTH_LIMIT_SEEN, 500000},
        {MOTH_LIMIT_BROADCASTS_PER_SECOND, 5},
        {MOTH_LIMIT_IN_FLIGHT, 256},
        {MOTH_LIMIT_DELIVERED_IDS, 10000000},
        {MOTH_LIMIT_LIGHT_IDS, 1024},
        {MOTH_LIMIT_KNOWN_PEERS, 16384},
    };
    (void)state;
    for (size_t i = 0; i < sizeof promised / sizeof *promised; i++)
        assert_int_equal(moth_limit_info(promised[i].limit)->value, promised[i].value);
}

static void limits_that_build_on_each_other_fit(void **state)
{
    (void)state;
    assert_true(info(MOTH_LIMIT_LINK_SLOW_BYTES)->value < info(MOTH_LIMIT_LINK_QUEUE_BYTES)->value);
    assert_true(info(MOTH_LIMIT_LINK_QUEUE_BYTES)->value > MOTH_DATA_MAX);
    assert_true(info(MOTH_LIMIT_MAIL_BYTES)->value > MOTH_DATA_MAX);
    assert_true(info(MOTH_LIMIT_UNAUTHENTICATED_PER_ADDRESS)->value < info(MOTH_LIMIT_UNAUTHENTICATED)->value);
    assert_true(info(MOTH_LIMIT_ADVERTS)->value < info(MOTH_LIMIT_KNOWN_PEERS)->value);
    assert_true(info(MOTH_LIMIT_LINKS)->value < info(MOTH_LIMIT_ADVERTS)->value);
    assert_true(info(MOTH_LIMIT_HOPS)->value <= MOTH_HOPS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_limit_has_a_name_of_small_letters),
        cmocka_unit_test(no_two_limits_share_a_name),
        cmocka_unit_test(every_limit_has_a_unit),
        cmocka_unit_test(every_limit_says_what_happens_there_in_half_a_line),
        cmocka_unit_test(every_limit_is_positive),
        cmocka_unit_test(every_limit_is_what_the_design_promises),
        cmocka_unit_test(limits_that_build_on_each_other_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
