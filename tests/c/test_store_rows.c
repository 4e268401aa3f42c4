/* test_store_rows.c -- writes that belong together: committed whole or not at all, whatever the size of a group, on
 * disks that fail or lose power at any call. */
#include "store_kit.h"

#define GROUP 8
#define CALLS_MIN 200
#define BODY_ROW 20 /* more than two groups */

static int set_up(void **state)
{
    struct kit *k = kit_on_disk(1);
    k->limits[MOTH_LIMIT_GROUP] = GROUP;
    kit_open(k);
    kit_pass(k, SECOND);
    *state = k;
    return 0;
}

static int tear_down(void **state)
{
    kit_free(*state);
    return 0;
}

static void write_messages(struct kit *k, unsigned count)
{
    for (unsigned i = 0; i < count; i++) kit_write(k, write_message(1 + k->written, 1, "body"));
}

static void write_value(struct kit *k)
{
    kit_write(k, write_kv(STORE_KV, "s", "k", "v"));
}

static void write_row(struct kit *k, unsigned count)
{
    store_join(&k->store, true);
    write_messages(k, count);
    store_join(&k->store, false);
}

static void pass_and_turn(struct kit *k)
{
    kit_pass(k, 10 * MS);
    kit_turn(k);
}

/* --- groups --- */

static void row_larger_than_a_group_is_one_commit(void **state)
{
    struct kit *k = *state;
    write_row(k, 3 * GROUP);
    pass_and_turn(k);
    assert_int_equal(k->told, 3 * GROUP);
    assert_int_equal(k->store.commits, 1);
}

static void group_ends_before_a_row_that_has_no_room_in_it(void **state)
{
    struct kit *k = *state;
    write_messages(k, GROUP - 2);
    write_row(k, 3);
    write_messages(k, 1);
    pass_and_turn(k);
    assert_int_equal(k->told, GROUP - 2);
    pass_and_turn(k);
    assert_int_equal(k->told, GROUP + 2);
}

static void row_that_fits_shares_a_group_with_others(void **state)
{
    struct kit *k = *state;
    write_messages(k, 2);
    write_row(k, 3);
    write_messages(k, GROUP - 5);
    pass_and_turn(k);
    assert_int_equal(k->told, GROUP);
    assert_int_equal(k->store.commits, 1);
}

static void row_that_has_not_ended_waits(void **state)
{
    struct kit *k = *state;
    write_messages(k, 1);
    store_join(&k->store, true);
    write_messages(k, 2 * GROUP);
    for (unsigned i = 0; i < 3; i++) pass_and_turn(k);
    assert_int_equal(k->told, 1);
    assert_false(store_is_idle(&k->store));
    store_join(&k->store, false);
    pass_and_turn(k);
    assert_int_equal(k->told, 1 + 2 * GROUP);
}

static void row_may_be_added_to_while_a_group_is_written(void **state)
{
    struct kit *k = *state;
    write_messages(k, 1);
    store_join(&k->store, true);
    write_messages(k, 1);
    kit_pass(k, 10 * MS);
    kit_tick(k);
    kit_run(k);
    write_messages(k, 1);
    kit_done(k);
    assert_int_equal(k->told, 1);
    store_join(&k->store, false);
    pass_and_turn(k);
    assert_int_equal(k->told, 3);
    assert_int_equal(k->store.commits, 2);
}

static void row_of_nothing_is_nothing(void **state)
{
    struct kit *k = *state;
    write_messages(k, 1);
    write_row(k, 0);
    write_messages(k, 1);
    pass_and_turn(k);
    assert_int_equal(k->told, 2);
}

static void closing_commits_rows_that_have_ended_and_no_others(void **state)
{
    struct kit *k = *state;
    write_row(k, 3 * GROUP);
    store_join(&k->store, true);
    write_messages(k, 3);
    kit_reopen(k);
    assert_int_equal(kit_count(k, "offline_messages"), 3 * GROUP);
}

/* --- long rows --- */

static void first_sends_of_more_than_the_most_may_go_earlier(void **state)
{
    struct kit *k = *state;
    store_join(&k->store, true);
    write_messages(k, STORE_ROW_MAX);
    pass_and_turn(k);
    assert_int_equal(k->told, 0);
    write_messages(k, 1);
    pass_and_turn(k);
    assert_int_equal(k->told, STORE_ROW_MAX);
    store_join(&k->store, false);
    pass_and_turn(k);
    assert_int_equal(k->told, STORE_ROW_MAX + 1);
}

static void as_many_sends_as_the_most_stay_with_the_data(void **state)
{
    struct kit *k = *state;
    store_join(&k->store, true);
    write_messages(k, STORE_ROW_MAX);
    write_value(k);
    pass_and_turn(k);
    assert_int_equal(k->told, 0);
    store_join(&k->store, false);
    pass_and_turn(k);
    assert_int_equal(k->told, STORE_ROW_MAX + 1);
    assert_int_equal(k->store.commits, 1);
}

/* What says that something was done never comes before the rest, nor after it. */
static void what_programs_did_binds_all_that_follows(void **state)
{
    struct kit *k = *state;
    struct store_write *bound[] = {
        write_pair(STORE_INBOX_STATE, 1, ARRIVAL_HANDLED), write_kv(STORE_KV, "s", "k", "v"),
        write_kv(STORE_KV_DROP, "s", "k", ""), write_job(1, 2, "name"), write_pair(STORE_JOB_DROP, 1, 0)};
    for (unsigned i = 0; i < sizeof bound / sizeof *bound; i++) {
        unsigned told = k->told;
        store_join(&k->store, true);
        kit_write(k, bound[i]);
        write_messages(k, 2 * STORE_ROW_MAX);
        pass_and_turn(k);
        assert_int_equal(k->told, told);
        store_join(&k->store, false);
        pass_and_turn(k);
        assert_int_equal(k->told, told + 2 * STORE_ROW_MAX + 1);
    }
}

/* --- room --- */

static void what_is_gathered_takes_room(void **state)
{
    struct kit *k = *state;
    k->store.gathered_bytes = 64u << 20;
    assert_int_equal(store_room(&k->store), 0);
    k->store.gathered_bytes++;
    assert_int_equal(store_room(&k->store), MOTH_ESLOW);
    assert_int_equal(store_room_to_end(&k->store), MOTH_ESLOW);
}

static void full_disk_has_room_to_end_things_and_a_broken_one_has_not(void **state)
{
    struct kit *k = *state;
    disk_limit(k->disk, disk_bytes(k->disk));
    write_messages(k, 40);
    pass_and_turn(k);
    assert_int_equal(k->store.reason, MOTH_ENO_SPACE);
    assert_int_equal(store_room(&k->store), MOTH_ESTORE);
    assert_int_equal(store_room_to_end(&k->store), 0);
    disk_fail_at(k->disk, disk_calls(k->disk) + 1, true);
    kit_pass(k, 5 * SECOND);
    kit_turn(k);
    assert_int_equal(k->store.reason, MOTH_EIO);
    assert_int_equal(store_room_to_end(&k->store), MOTH_ESTORE);
}

/* --- disks that fail --- */

static uint64_t looks[SCRIPT_WRITES + 1];
static bool ends[SCRIPT_WRITES + 1]; /* a row ends after so many writes */

/* Rows of one write to more than two groups. */
static unsigned row_end(unsigned at)
{
    unsigned end = at + 1 + at * 7 % BODY_ROW;
    return end < SCRIPT_WRITES ? end : SCRIPT_WRITES;
}

static int set_up_looks(void **state)
{
    (void)state;
    script_looks(looks);
    for (unsigned at = 0; at < SCRIPT_WRITES; at = row_end(at)) ends[at] = true;
    ends[SCRIPT_WRITES] = true;
    return 0;
}

static bool play(struct kit *k)
{
    if (kit_try_open(k) < 0) return false;
    for (unsigned row = 1; k->written < SCRIPT_WRITES; row++) {
        unsigned end = row_end(k->written);
        store_join(&k->store, true);
        while (k->written < end) kit_write(k, script_write(k->written));
        store_join(&k->store, false);
        if (row % 3 > 0) continue; /* several rows wait at a time */
        pass_and_turn(k);
        if (k->store.reason < 0) return false;
    }
    kit_close(k);
    return true;
}

static unsigned check_rows(struct kit *k)
{
    uint64_t look = kit_look(k);
    unsigned n = k->told;
    while (n < SCRIPT_WRITES && (look != looks[n] || !ends[n])) n++;
    if (look != looks[n] || !ends[n]) fail_msg("after %u of %u writes it is no row", k->told, k->written);
    kit_check_integrity(k);
    return n;
}

static struct kit *small_groups(uint64_t seed)
{
    struct kit *k = kit_on_disk(seed);
    k->limits[MOTH_LIMIT_GROUP] = GROUP;
    return k;
}

static bool lose_power_at(uint64_t call)
{
    struct kit *k = small_groups(call);
    disk_cut_at(k->disk, call);
    bool reached = !play(k) || disk_calls(k->disk) >= call;
    kit_close(k);
    disk_restore(k->disk, true);
    disk_heal(k->disk);
    kit_open(k);
    check_rows(k);
    kit_free(k);
    return reached;
}

static void power_loss_at_any_call_leaves_whole_rows(void **state)
{
    uint64_t call = 1;
    (void)state;
    while (lose_power_at(call)) call++;
    assert_true(call > CALLS_MIN);
}

/* The commit fails, the file is opened anew, and the same rows follow. */
static bool fail_at(uint64_t call, bool after)
{
    struct kit *k = small_groups(call);
    disk_fail_at(k->disk, call, after);
    play(k);
    bool reached = disk_calls(k->disk) >= call;
    disk_heal(k->disk);
    for (unsigned i = 0; k->store.db && i < 4 && (k->store.reason < 0 || k->store.first); i++) {
        kit_pass(k, 5 * SECOND);
        kit_turn(k);
    }
    kit_close(k);
    kit_open(k);
    check_rows(k);
    kit_free(k);
    return reached;
}

static void failure_of_any_call_leaves_whole_rows(void **state)
{
    uint64_t call = 1;
    (void)state;
    while (fail_at(call, false)) call++;
    assert_true(call > CALLS_MIN);
    for (call = 1; fail_at(call, true); call += 3) continue;
    assert_true(call > CALLS_MIN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(row_larger_than_a_group_is_one_commit),
        TEST(group_ends_before_a_row_that_has_no_room_in_it),
        TEST(row_that_fits_shares_a_group_with_others),
        TEST(row_that_has_not_ended_waits),
        TEST(row_may_be_added_to_while_a_group_is_written),
        TEST(row_of_nothing_is_nothing),
        TEST(closing_commits_rows_that_have_ended_and_no_others),
        TEST(first_sends_of_more_than_the_most_may_go_earlier),
        TEST(as_many_sends_as_the_most_stay_with_the_data),
        TEST(what_programs_did_binds_all_that_follows),
        TEST(what_is_gathered_takes_room),
        TEST(full_disk_has_room_to_end_things_and_a_broken_one_has_not),
        cmocka_unit_test(power_loss_at_any_call_leaves_whole_rows),
        cmocka_unit_test(failure_of_any_call_leaves_whole_rows),
    };
    return cmocka_run_group_tests(tests, set_up_looks, NULL);
}
