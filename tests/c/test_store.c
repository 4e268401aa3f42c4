/* test_store.c -- the database of a node: what is promised when, and what is remembered for how long.
 *
 * What opening finds and does stands in test_store_open.c, what failing disks, lost power and damage do in
 * test_store_faults.c. */
#include "store_kit.h"

static int set_up_closed(void **state)
{
    *state = kit_on_disk(1);
    return 0;
}

static int set_up(void **state)
{
    set_up_closed(state);
    kit_open(*state);
    kit_pass(*state, SECOND);
    return 0;
}

static int tear_down(void **state)
{
    kit_free(*state);
    return 0;
}

/* --- promises --- */

static void write_is_told_only_after_its_commit(void **state)
{
    struct kit *k = *state;
    kit_write(k, write_kv(STORE_KV, "s", "k", "v"));
    assert_false(store_is_idle(&k->store));
    assert_int_equal(k->told, 0);
    assert_int_equal(kit_tick(k), UINT64_MAX);
    assert_int_equal(k->told, 0);
    assert_int_equal(kit_count(k, "script_data"), 0); /* this thread never writes */
    kit_run(k);
    assert_int_equal(kit_count(k, "script_data"), 1);
    assert_int_equal(k->told, 0);
    assert_false(store_is_idle(&k->store));
    kit_done(k);
    assert_int_equal(k->told, 1);
    assert_true(store_is_idle(&k->store));
}

static void write_is_not_told_when_its_commit_failed(void **state)
{
    struct kit *k = *state;
    kit_write(k, write_kv(STORE_KV, "s", "k", "v"));
    disk_fail_at(k->disk, disk_calls(k->disk) + 1, true);
    kit_turn(k);
    assert_int_equal(k->told, 0);
    assert_int_equal(k->store.reason, MOTH_EIO);
    disk_heal(k->disk);
    kit_pass(k, 5 * SECOND);
    kit_turn(k);
    assert_int_equal(k->told, 1);
    assert_int_equal(kit_count(k, "script_data"), 1);
}

static void writes_are_told_in_the_order_they_were_given(void **state)
{
    struct kit *k = *state;
    for (unsigned i = 0; i < SCRIPT_WRITES; i++) {
        kit_write(k, script_write(i)); /* kit_told compares */
        if (i % 10 == 0) kit_turn(k);
        kit_pass(k, i % 7 * MS);
    }
    kit_commit(k);
    assert_int_equal(k->told, SCRIPT_WRITES);
}

static void later_writes_win_over_earlier_ones(void **state)
{
    struct kit *k = *state;
    for (int i = 0; i < 10; i++) {
        char value[2] = {(char)('0' + i), '\0'};
        kit_write(k, write_kv(STORE_KV, "s", "k", value));
    }
    kit_commit(k);
    assert_int_equal(kit_ask(k, "SELECT value = CAST('9' AS BLOB) FROM script_data"), 1);
}

static void told_again(void *owner, const struct store_write *w)
{
    struct kit *k = owner;
    (void)w;
    kit_write(k, write_pair(STORE_MARK, 0, 0));
}

static void write_made_while_one_is_told_follows_all_others(void **state)
{
    struct kit *k = *state;
    struct store_write *first = write_pair(STORE_MARK, 0, 0);
    first->done = told_again;
    store_write(&k->store, first);
    kit_write(k, write_pair(STORE_MARK, 0, 0));
    kit_commit(k);
    assert_int_equal(k->told, 2);
}

static void blobs_are_copied(void **state)
{
    struct kit *k = *state;
    char value[] = "value", key[] = "key", space[] = "space";
    kit_write(k, write_kv(STORE_KV, space, key, value));
    memset(value, 'x', 5);
    memset(key, 'x', 3);
    memset(space, 'x', 5);
    kit_commit(k);
    assert_int_equal(kit_ask(k, "SELECT count(*) FROM script_data WHERE space = CAST('space' AS BLOB) AND"
                                " key = CAST('key' AS BLOB) AND value = CAST('value' AS BLOB)"), 1);
}

static void waiting_writes_are_counted(void **state)
{
    struct kit *k = *state;
    kit_write(k, write_message(1, 1, "body"));
    kit_write(k, write_message(2, 1, "body"));
    assert_int_equal(k->store.waiting, 2);
    assert_true(k->store.waiting_bytes >= 2 * sizeof(struct store_write) + 8);
    kit_commit(k);
    assert_int_equal(k->store.waiting, 0);
    assert_int_equal(k->store.waiting_bytes, 0);
}

/* --- groups --- */

static void lone_write_goes_at_once(void **state)
{
    struct kit *k = *state;
    for (unsigned i = 0; i < 3; i++) {
        kit_write(k, write_pair(STORE_MARK, 0, 0));
        kit_turn(k);
        assert_int_equal(k->told, i + 1);
        kit_pass(k, 6 * MS);
    }
}

static void write_soon_after_another_group_waits_for_5_ms(void **state)
{
    struct kit *k = *state;
    kit_write(k, write_pair(STORE_MARK, 0, 0));
    kit_turn(k);
    uint64_t began_us = k->now_us;
    kit_pass(k, MS);
    kit_write(k, write_pair(STORE_MARK, 0, 0));
    assert_int_equal(kit_tick(k), began_us + 5 * MS);
    assert_null(k->run);
    kit_pass(k, 4 * MS - 1);
    kit_write(k, write_pair(STORE_MARK, 0, 0));
    assert_int_equal(kit_tick(k), began_us + 5 * MS);
    kit_pass(k, 1);
    assert_int_equal(kit_tick(k), UINT64_MAX);
    kit_run(k);
    kit_done(k);
    assert_int_equal(k->told, 3);
    assert_int_equal(k->store.commits, 2);
}

static void full_group_waits_for_nothing(void **state)
{
    struct kit *k = *state;
    kit_write(k, write_pair(STORE_MARK, 0, 0));
    kit_turn(k);
    for (unsigned i = 0; i < 255; i++) kit_write(k, write_pair(STORE_MARK, 0, 0));
    assert_true(kit_tick(k) > k->now_us);
    assert_null(k->run);
    kit_write(k, write_pair(STORE_MARK, 0, 0));
    kit_turn(k);
    assert_int_equal(k->told, 257);
}

static void hurried_group_waits_for_nothing(void **state)
{
    struct kit *k = *state;
    kit_write(k, write_pair(STORE_MARK, 0, 0));
    kit_turn(k);
    for (unsigned i = 0; i < 2; i++) {
        kit_write(k, write_pair(STORE_MARK, 0, 0));
        k->store.hurry = i == 0;
        kit_tick(k);
        assert_int_equal(k->run != NULL, i == 0); /* only that one */
        if (k->run) kit_run(k);
        if (k->done) kit_done(k);
    }
}

static void group_has_at_most_256_writes(void **state)
{
    static const unsigned wanted[] = {256, 512, 600};
    struct kit *k = *state;
    for (unsigned i = 0; i < 600; i++) kit_write(k, write_kv(STORE_KV, "s", "k", "v"));
    for (unsigned i = 0; i < 3; i++) {
        kit_pass(k, SECOND);
        kit_turn(k);
        assert_int_equal(k->told, wanted[i]);
    }
    assert_int_equal(k->store.commits, 3);
    assert_int_equal(k->store.operations, 600);
}

static void one_group_is_under_way_at_a_time(void **state)
{
    struct kit *k = *state;
    kit_write(k, write_pair(STORE_MARK, 0, 0));
    kit_tick(k);
    for (unsigned i = 0; i < 300; i++) kit_write(k, write_pair(STORE_MARK, 0, 0));
    kit_pass(k, SECOND);
    assert_int_equal(kit_tick(k), UINT64_MAX); /* kit_work would say it if there were a second one */
    kit_run(k);
    assert_int_equal(kit_tick(k), UINT64_MAX);
    kit_done(k);
    assert_int_equal(k->told, 1); /* what came meanwhile is not part of it */
    kit_commit(k);
    assert_int_equal(k->told, 301);
}

static void store_with_nothing_to_do_asks_for_nothing_but_its_clock(void **state)
{
    struct kit *k = *state;
    uint64_t due_us = kit_tick(k);
    assert_null(k->run);
    assert_true(due_us >= k->now_us + 60 * (uint64_t)SECOND);
    k->now_us = due_us;
    kit_turn(k);
    assert_int_equal(kit_ask(k, "SELECT clock_ms FROM meta"), store_clock_ms(&k->store));
}

/* --- again, without harm --- */

/* Runs one write in a transaction of its own, beside the store. */
static void run_now(struct kit *k, struct store_write *w)
{
    struct store_totals totals = {0};
    assert_int_equal(db_commit(k->store.db, w, 1, &totals), 0);
}

static void run_twice(struct kit *k, struct store_write *w)
{
    run_now(k, w);
    uint64_t look = kit_look(k);
    run_now(k, w);
    assert_int_equal(kit_look(k), look);
    free(w);
}

static void every_write_of_a_node_may_be_repeated(void **state)
{
    struct kit *k = *state;
    for (unsigned i = 0; i < SCRIPT_WRITES; i++) run_twice(k, script_write(i));
    run_twice(k, write_pair(STORE_EXPIRE_DELIVERED, 4, 0));
    kit_check_integrity(k);
}

static void whole_groups_may_be_repeated(void **state)
{
    struct kit *k = *state;
    struct store_totals totals = {0};
    struct store_write *list[SCRIPT_WRITES];
    for (unsigned i = SCRIPT_WRITES; i-- > 0;) {
        list[i] = script_write(i);
        if (i % 20 != 19 && i + 1 < SCRIPT_WRITES) list[i]->after = list[i + 1];
    }
    for (unsigned i = 0; i < SCRIPT_WRITES; i += 20) {
        unsigned count = i + 20 < SCRIPT_WRITES ? 20 : SCRIPT_WRITES - i;
        assert_int_equal(db_commit(k->store.db, list[i], count, &totals), 0);
        uint64_t look = kit_look(k);
        assert_int_equal(db_commit(k->store.db, list[i], count, &totals), 0);
        assert_int_equal(kit_look(k), look);
    }
    for (unsigned i = 0; i < SCRIPT_WRITES; i++) free(list[i]);
}

static void give_history(struct kit *k, unsigned count)
{
    char body[201];
    memset(body, 'x', 200);
    body[200] = '\0';
    kit_write(k, write_peer(1, 0, 0, "about", NULL));
    for (unsigned i = 1; i <= count; i++) {
        kit_write(k, write_arrival(i, 1, i, 0, body));
        kit_write(k, write_pair(STORE_INBOX_STATE, i, ARRIVAL_HANDLED));
        kit_write(k, write_message(i, 1, body));
        kit_write(k, write_state(i, MOTH_DELIVERED, 0, NULL));
    }
    kit_commit(k);
}

/* The disk fails from that call of the commit on that prunes: what is there later, and what is counted? */
static void prune_with_a_failure_at(uint64_t call)
{
    struct kit *k = kit_on_disk(call);
    kit_open(k);
    give_history(k, 600);
    k->store.inbox_history = 600 * 200;
    k->store.inbox_history_max = 500 * 200;
    disk_fail_at(k->disk, disk_calls(k->disk) + call, true);
    kit_pass(k, 10 * MS);
    kit_turn(k);
    kit_pass(k, 5 * SECOND);
    kit_turn(k); /* closed and not opened: the log is not looked at before the next try */
    disk_heal(k->disk);
    kit_pass(k, 5 * SECOND);
    for (unsigned i = 0; i < 3; i++) kit_turn(k);
    kit_commit(k);
    assert_int_equal(k->store.inbox_history, 200 * kit_count(k, "inbox"));
    kit_free(k);
}

static void history_is_counted_right_when_a_prune_was_repeated(void **state)
{
    (void)state;
    for (uint64_t call = 1; call <= 100; call++) prune_with_a_failure_at(call);
}

/* --- history --- */

static void history_is_pruned_to_its_limit_oldest_first(void **state)
{
    struct kit *k = *state;
    k->store.inbox_history_max = k->store.sent_history_max = 5000;
    give_history(k, 100);
    k->store.inbox_history = k->store.sent_history = 100 * 200;
    kit_commit(k);
    kit_turn(k);
    kit_commit(k);
    assert_in_range(k->store.inbox_history, 2500, 5000); /* a limit is no reason to forget nearly all */
    assert_in_range(k->store.sent_history, 2500, 5000);
    assert_int_equal(kit_count(k, "inbox") * 200, k->store.inbox_history);
    assert_int_equal(kit_count(k, "offline_messages") * 200, k->store.sent_history);
    assert_int_equal(kit_ask(k, "SELECT max(row) FROM inbox"), 100);
    assert_int_equal(kit_ask(k, "SELECT max(id) FROM offline_messages"), 100);
    assert_int_equal(kit_ask(k, "SELECT max(row) - min(row) + 1 - count(*) FROM inbox"), 0);
    assert_int_equal(kit_count(k, "schedule_messages"), kit_count(k, "offline_messages"));
}

static void history_below_its_limit_stays(void **state)
{
    struct kit *k = *state;
    k->store.inbox_history_max = k->store.sent_history_max = 20000;
    give_history(k, 100);
    k->store.inbox_history = k->store.sent_history = 100 * 200;
    kit_turn(k);
    kit_commit(k);
    assert_int_equal(kit_count(k, "inbox"), 100);
    assert_int_equal(kit_count(k, "offline_messages"), 100);
}

static void limit_of_history_is_shared_by_both_ways(void **state)
{
    struct kit *k = *state;
    k->limits[MOTH_LIMIT_HISTORY_BYTES] = 7000;
    kit_open(k);
    assert_int_equal(k->store.inbox_history_max, 3500);
    assert_int_equal(k->store.sent_history_max, 3500);
}

static void what_is_not_handled_or_not_ended_is_never_pruned(void **state)
{
    struct kit *k = *state;
    give_history(k, 20);
    for (unsigned i = 1; i <= 3; i++) {
        kit_write(k, write_arrival(100 + i, 1, 100 + i, 0, "not handled"));
        kit_write(k, write_message(100 + i, 1, "not ended"));
    }
    kit_write(k, write_state(101, MOTH_CARRIED, 0, NULL));
    kit_commit(k);
    k->store.inbox_history_max = k->store.sent_history_max = 1;
    k->store.inbox_history = k->store.sent_history = 4000;
    for (unsigned i = 0; i < 5; i++) kit_commit(k);
    assert_int_equal(kit_count(k, "inbox WHERE state = 0"), 3);
    assert_int_equal(kit_count(k, "offline_messages WHERE id > 100"), 3);
    assert_int_equal(kit_count(k, "schedule_messages WHERE id > 100"), 3);
    assert_int_equal(kit_count(k, "inbox"), 3);
    assert_int_equal(kit_count(k, "offline_messages"), 3);
}

static void miscounted_history_is_put_right(void **state)
{
    struct kit *k = *state;
    k->store.inbox_history = 1u << 31;
    k->store.sent_history = 1u << 31;
    for (unsigned i = 0; i < 4; i++) {
        kit_turn(k);
        kit_commit(k);
    }
    assert_int_equal(k->store.inbox_history, 0);
    assert_int_equal(k->store.sent_history, 0);
    kit_tick(k);
    assert_null(k->run);
}

static void only_peers_of_whom_nothing_is_kept_are_pruned_those_seen_first_before(void **state)
{
    struct kit *k = *state;
    int64_t carried[] = {7, 5, 7, 0, 1800, 0, 0, 0, 3, 99, 4, 6};
    struct slice body = slice_text("inside");
    for (int64_t row = 1; row <= 9; row++) kit_write(k, write_peer(row, row == 1, 1000 + row, "about", NULL));
    kit_write(k, write_message(6, 2, "mail"));
    kit_write(k, store_write_new(STORE_MESSAGE, carried, 12, &body, 1)); /* of 3 for 5 */
    kit_write(k, write_arrival(1, 4, 10, 0, "arrived"));
    kit_write(k, write_message(8, 6, "ended"));
    kit_write(k, write_state(8, MOTH_DELIVERED, 0, NULL));
    kit_write(k, write_pair(STORE_PRUNE_PEERS, 2, 0));
    kit_commit(k);
    assert_int_equal(k->last_result, 2);
    assert_int_equal(kit_count(k, "peers WHERE peer IN (7, 8)"), 0);
    kit_write(k, write_pair(STORE_PRUNE_PEERS, 100, 0));
    kit_commit(k);
    assert_int_equal(k->last_result, 1);
    assert_int_equal(kit_count(k, "peers"), 6);
}

/* --- the store's clock --- */

static void clock_counts_the_time_the_node_lives(void **state)
{
    struct kit *k = *state;
    kit_open(k);
    assert_int_equal(store_clock_ms(&k->store), 0);
    k->now_us += 90 * (uint64_t)SECOND;
    assert_int_equal(store_clock_ms(&k->store), 90000);
}

static void clock_does_not_care_what_the_calendar_says_while_it_runs(void **state)
{
    struct kit *k = *state;
    kit_open(k);
    k->wall_ms += 365ull * DAY_MS;
    assert_int_equal(store_clock_ms(&k->store), 0);
    k->wall_ms = 0;
    assert_int_equal(store_clock_ms(&k->store), 0);
}

/* Lives ten seconds, is off for a while, and comes back: what the clock shows then. */
static uint64_t clock_after(struct kit *k, uint64_t wall_ms)
{
    kit_open(k);
    uint64_t before = store_clock_ms(&k->store);
    kit_pass(k, 10 * SECOND);
    kit_close(k);
    k->wall_ms = wall_ms;
    k->now_us = 5; /* another process, another start */
    kit_open(k);
    uint64_t clock_ms = store_clock_ms(&k->store) - before;
    kit_close(k);
    return clock_ms;
}

static void clock_counts_the_time_between_runs_by_the_calendar(void **state)
{
    struct kit *k = *state;
    assert_int_equal(clock_after(k, k->wall_ms + 10000 + 3600000), 10000 + 3600000);
    assert_int_equal(clock_after(k, k->wall_ms + 10000 + DAY_MS - 1), 10000 + DAY_MS - 1);
}

static void clock_counts_at_most_a_day_between_runs(void **state)
{
    struct kit *k = *state;
    assert_int_equal(clock_after(k, k->wall_ms + 2ull * DAY_MS), 10000 + DAY_MS);
    assert_int_equal(clock_after(k, k->wall_ms + 365ull * DAY_MS), 10000 + DAY_MS);
}

static void clock_never_goes_back_between_runs(void **state)
{
    struct kit *k = *state;
    assert_int_equal(clock_after(k, k->wall_ms - 365ull * DAY_MS), 10000);
    assert_int_equal(clock_after(k, 1), 10000);
    assert_int_equal(clock_after(k, 0), 10000);
}

static void clock_goes_on_after_the_calendar_was_a_year_ahead(void **state)
{
    struct kit *k = *state;
    assert_int_equal(clock_after(k, NOON_MS + 365ull * DAY_MS), 10000 + DAY_MS);
    assert_int_equal(clock_after(k, NOON_MS), 10000);
    assert_int_equal(clock_after(k, NOON_MS + 60000), 10000 + 60000 - 10000);
}

static void clock_survives_a_kill_with_the_last_commit(void **state)
{
    struct kit *k = *state;
    kit_pass(k, 3600 * (uint64_t)SECOND);
    kit_write(k, write_pair(STORE_MARK, 0, 0));
    kit_commit(k);
    kit_pass(k, 600 * (uint64_t)SECOND);
    uint64_t clock_ms = store_clock_ms(&k->store);
    kit_kill(k);
    kit_open(k);
    assert_int_equal(store_clock_ms(&k->store), clock_ms); /* the gap since then is in the calendar */
}

/* --- ids delivered --- */

static void delivered_ids_are_known_and_others_are_new(void **state)
{
    struct kit *k = *state;
    struct peer one = peer_of(1), two = peer_of(2);
    know(k, 2);
    assert_int_equal(delivered(k, &one, 10), 0);
    deliver(k, &one, 10);
    kit_commit(k);
    assert_int_equal(delivered(k, &one, 10), MOTH_EDUPLICATE);
    assert_int_equal(delivered(k, &one, 9), 0);
    assert_int_equal(delivered(k, &one, 11), 0);
    assert_int_equal(delivered(k, &two, 10), 0);
}

static void delivered_ids_may_come_out_of_order(void **state)
{
    struct kit *k = *state;
    struct peer p = peer_of(1);
    static const uint64_t ids[] = {50, 10, 40, 20, 60, 1};
    know(k, 1);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        assert_int_equal(delivered(k, &p, ids[i]), 0);
        deliver(k, &p, ids[i]);
        kit_commit(k);
        for (size_t j = 0; j <= i; j++) assert_int_equal(delivered(k, &p, ids[j]), MOTH_EDUPLICATE);
    }
    assert_int_equal(delivered(k, &p, 30), 0);
    assert_int_equal(delivered(k, &p, 61), 0);
}

static void delivered_ids_survive_close_and_open(void **state)
{
    struct kit *k = *state;
    struct peer p = peer_of(1), after = peer_of(1);
    know(k, 1);
    for (uint64_t id = 10; id <= 1000; id += 10) deliver(k, &p, id);
    kit_commit(k);
    kit_reopen(k);
    for (uint64_t id = 1; id <= 1010; id++)
        assert_int_equal(delivered(k, &after, id), id % 10 == 0 && id <= 1000 ? MOTH_EDUPLICATE : 0);
    assert_int_equal(k->store.delivered_count, 100);
}

static void delivered_ids_outlive_the_message_itself(void **state)
{
    struct kit *k = *state;
    struct peer p = peer_of(1);
    know(k, 1);
    deliver(k, &p, 10);
    kit_write(k, write_pair(STORE_INBOX_STATE, 1, ARRIVAL_HANDLED));
    kit_commit(k);
    k->store.inbox_history = 1;
    k->store.inbox_history_max = 0;
    kit_turn(k);
    kit_commit(k);
    assert_int_equal(kit_count(k, "inbox"), 0);
    assert_int_equal(delivered(k, &p, 10), MOTH_EDUPLICATE);
}

/* The book forgets peers when it is full; the database does not. */
static void delivered_ids_of_a_peer_whose_row_nobody_looked_up_are_known(void **state)
{
    struct kit *k = *state;
    struct peer p = peer_of(1), again = {.id = kit_id(1)};
    know(k, 1);
    deliver(k, &p, 10);
    kit_commit(k);
    assert_int_equal(delivered(k, &again, 10), MOTH_EDUPLICATE);
    assert_int_equal(delivered(k, &again, 11), 0);
}

static void nothing_is_delivered_by_a_peer_that_is_not_in_the_database(void **state)
{
    struct peer p = {.id = kit_id(7)};
    assert_int_equal(delivered(*state, &p, 10), 0);
    assert_int_equal(delivered(*state, &p, 1), 0);
}

static void live_days(struct kit *k, unsigned days)
{
    for (unsigned i = 0; i < days; i++) {
        kit_pass(k, DAY_MS * (uint64_t)MS);
        kit_turn(k);
        kit_commit(k);
    }
}

static void delivered_ids_are_forgotten_after_60_days_and_the_floor_rises(void **state)
{
    struct kit *k = *state;
    struct peer p = peer_of(1), other = peer_of(2);
    know(k, 2);
    live_days(k, 1);
    deliver(k, &p, 10);
    live_days(k, 30);
    deliver(k, &p, 20);
    live_days(k, 29);
    assert_int_equal(delivered(k, &p, 10), MOTH_EDUPLICATE);
    live_days(k, 3);
    assert_int_equal(delivered(k, &p, 10), MOTH_ETOO_OLD);
    assert_int_equal(delivered(k, &p, 9), MOTH_ETOO_OLD);
    assert_int_equal(delivered(k, &p, 11), 0);
    assert_int_equal(delivered(k, &p, 20), MOTH_EDUPLICATE);
    assert_int_equal(delivered(k, &other, 1), 0); /* another source, another floor */
    assert_int_equal(k->store.delivered_count, 1);
    kit_reopen(k);
    struct peer after = peer_of(1);
    assert_int_equal(delivered(k, &after, 10), MOTH_ETOO_OLD);
    assert_int_equal(delivered(k, &after, 20), MOTH_EDUPLICATE);
}

static void days_of_the_calendar_forget_nothing(void **state)
{
    struct kit *k = *state;
    struct peer p = peer_of(1);
    know(k, 1);
    deliver(k, &p, 10);
    for (unsigned i = 0; i < 100; i++) {
        k->wall_ms += 365ull * DAY_MS * (i % 2 ? 1 : 2);
        kit_turn(k);
        kit_commit(k);
    }
    assert_int_equal(delivered(k, &p, 10), MOTH_EDUPLICATE);
    assert_int_equal(delivered(k, &p, 5), 0);
}

static void largest_source_forgets_half_above_the_limit_of_all(void **state)
{
    struct kit *k = *state;
    struct peer one = peer_of(1), two = peer_of(2);
    know(k, 2);
    k->store.delivered_max = 100;
    for (uint64_t id = 1; id <= 60; id++) deliver(k, &one, id);
    for (uint64_t id = 1; id <= 40; id++) deliver(k, &two, id);
    kit_commit(k);
    assert_int_equal(k->store.delivered_count, 100);
    assert_int_equal(delivered(k, &one, 1), MOTH_EDUPLICATE);
    deliver(k, &two, 41);
    kit_commit(k);
    kit_turn(k);
    kit_commit(k);
    assert_int_equal(k->store.delivered_count, kit_count(k, "delivered"));
    assert_in_range(k->store.delivered_count, 69, 72);
    assert_int_equal(delivered(k, &one, 1), MOTH_ETOO_OLD);
    assert_int_equal(delivered(k, &one, 29), MOTH_ETOO_OLD);
    assert_int_equal(delivered(k, &one, 33), MOTH_EDUPLICATE);
    assert_int_equal(delivered(k, &one, 60), MOTH_EDUPLICATE);
    assert_int_equal(delivered(k, &one, 61), 0);
    for (uint64_t id = 1; id <= 41; id++) assert_int_equal(delivered(k, &two, id), MOTH_EDUPLICATE);
}

static void delivered_ids_stay_within_the_limit_of_all(void **state)
{
    struct kit *k = *state;
    struct peer peers[5];
    for (int64_t i = 0; i < 5; i++) peers[i] = peer_of(i + 1);
    know(k, 5);
    k->store.delivered_max = 10;
    for (uint64_t id = 1; id <= 200; id++) {
        deliver(k, &peers[id % 5], id);
        for (unsigned i = 0; i < 2; i++) kit_commit(k);
    }
    assert_true(kit_count(k, "delivered") <= 10);
    assert_int_equal(k->store.delivered_count, kit_count(k, "delivered"));
    for (uint64_t id = 201; id <= 210; id++) assert_int_equal(delivered(k, &peers[id % 5], id), 0);
}

/* --- closing --- */

static void everything_survives_close_and_open(void **state)
{
    struct kit *k = *state;
    for (unsigned i = 0; i < SCRIPT_WRITES; i++) kit_write(k, script_write(i));
    kit_commit(k);
    uint64_t look = kit_look(k);
    k->store.inbox_history = 123;
    k->store.sent_history = 456;
    kit_reopen(k);
    assert_int_equal(kit_look(k), look);
    assert_int_equal(k->store.inbox_history, 123);
    assert_int_equal(k->store.sent_history, 456);
    assert_int_equal(k->store.delivered_count, SCRIPT_ROUNDS);
    assert_int_equal(k->store.last_peer_row, SCRIPT_ROUNDS);
    assert_int_equal(k->store.last_inbox_row, SCRIPT_ROUNDS);
}

static void close_commits_what_waits_and_tells_nobody(void **state)
{
    struct kit *k = *state;
    for (unsigned i = 0; i < 700; i++) {
        char key[16];
        snprintf(key, sizeof key, "%u", i);
        kit_write(k, write_kv(STORE_KV, "s", key, "v"));
    }
    kit_close(k);
    assert_int_equal(k->told, 0);
    kit_open(k);
    assert_int_equal(kit_count(k, "script_data"), 700);
}

/* With a group of two under way, and one more write behind it. */
static void start_group(struct kit *k)
{
    kit_write(k, write_kv(STORE_KV, "s", "1", "v"));
    kit_write(k, write_kv(STORE_KV, "s", "2", "v"));
    kit_tick(k);
    kit_write(k, write_kv(STORE_KV, "s", "3", "v"));
}

static void close_that_is_not_to_be_clean_is_checked_by_the_next_opening(void **state)
{
    struct kit *k = *state;
    store_close(&k->store, false);
    sqlite3 *c = NULL;
    int64_t clean = 7;
    assert_int_equal(db_connect(&k->host, "moth.db", &c), 0);
    assert_int_equal(db_get(c, "SELECT clean FROM meta", &clean), 0);
    assert_int_equal(clean, 0);
    sqlite3_close(c);
    kit_open(k);
    kit_close(k);
    assert_int_equal(db_connect(&k->host, "moth.db", &c), 0);
    assert_int_equal(db_get(c, "SELECT clean FROM meta", &clean), 0);
    assert_int_equal(clean, 1);
    sqlite3_close(c);
}

static void close_with_a_group_not_yet_begun_ends_well(void **state)
{
    struct kit *k = *state;
    start_group(k);
    kit_close(k);
    memset(&k->store, 0xaa, sizeof k->store);
    kit_run(k);
    kit_done(k);
    k->store = (struct store){0};
    assert_int_equal(k->told, 0);
    kit_open(k);
    assert_int_equal(kit_count(k, "script_data"), 2);
}

static void close_with_a_group_not_yet_told_ends_well(void **state)
{
    struct kit *k = *state;
    start_group(k);
    kit_run(k);
    kit_close(k);
    memset(&k->store, 0xaa, sizeof k->store);
    kit_done(k);
    k->store = (struct store){0};
    assert_int_equal(k->told, 0);
    kit_open(k);
    assert_int_equal(kit_count(k, "script_data"), 2);
}

static void close_with_a_group_that_fails_ends_well(void **state)
{
    struct kit *k = *state;
    start_group(k);
    kit_close(k);
    memset(&k->store, 0xaa, sizeof k->store);
    disk_fail_at(k->disk, disk_calls(k->disk) + 1, true);
    kit_run(k);
    kit_done(k);
    k->store = (struct store){0};
    disk_heal(k->disk);
    kit_open(k);
    assert_int_equal(kit_count(k, "script_data"), 0);
}

static void store_that_did_not_open_may_be_closed(void **state)
{
    struct kit *k = *state;
    disk_cut(k->disk);
    assert_int_equal(kit_try_open(k), MOTH_EIO);
    kit_close(k);
    disk_restore(k->disk, false);
    kit_open(k);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CLOSED(name) cmocka_unit_test_setup_teardown(name, set_up_closed, tear_down)
#define ALONE(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(write_is_told_only_after_its_commit),
        TEST(write_is_not_told_when_its_commit_failed),
        TEST(writes_are_told_in_the_order_they_were_given),
        TEST(later_writes_win_over_earlier_ones),
        TEST(write_made_while_one_is_told_follows_all_others),
        TEST(blobs_are_copied),
        TEST(waiting_writes_are_counted),
        TEST(lone_write_goes_at_once),
        TEST(write_soon_after_another_group_waits_for_5_ms),
        TEST(full_group_waits_for_nothing),
        TEST(hurried_group_waits_for_nothing),
        TEST(group_has_at_most_256_writes),
        TEST(one_group_is_under_way_at_a_time),
        TEST(store_with_nothing_to_do_asks_for_nothing_but_its_clock),
        TEST(every_write_of_a_node_may_be_repeated),
        TEST(whole_groups_may_be_repeated),
        ALONE(history_is_counted_right_when_a_prune_was_repeated),
        TEST(history_is_pruned_to_its_limit_oldest_first),
        TEST(history_below_its_limit_stays),
        CLOSED(limit_of_history_is_shared_by_both_ways),
        TEST(what_is_not_handled_or_not_ended_is_never_pruned),
        TEST(miscounted_history_is_put_right),
        TEST(only_peers_of_whom_nothing_is_kept_are_pruned_those_seen_first_before),
        CLOSED(clock_counts_the_time_the_node_lives),
        CLOSED(clock_does_not_care_what_the_calendar_says_while_it_runs),
        CLOSED(clock_counts_the_time_between_runs_by_the_calendar),
        CLOSED(clock_counts_at_most_a_day_between_runs),
        CLOSED(clock_never_goes_back_between_runs),
        CLOSED(clock_goes_on_after_the_calendar_was_a_year_ahead),
        TEST(clock_survives_a_kill_with_the_last_commit),
        TEST(delivered_ids_are_known_and_others_are_new),
        TEST(delivered_ids_may_come_out_of_order),
        TEST(delivered_ids_survive_close_and_open),
        TEST(delivered_ids_outlive_the_message_itself),
        TEST(delivered_ids_of_a_peer_whose_row_nobody_looked_up_are_known),
        TEST(nothing_is_delivered_by_a_peer_that_is_not_in_the_database),
        TEST(delivered_ids_are_forgotten_after_60_days_and_the_floor_rises),
        TEST(days_of_the_calendar_forget_nothing),
        TEST(largest_source_forgets_half_above_the_limit_of_all),
        TEST(delivered_ids_stay_within_the_limit_of_all),
        TEST(everything_survives_close_and_open),
        TEST(close_commits_what_waits_and_tells_nobody),
        TEST(close_that_is_not_to_be_clean_is_checked_by_the_next_opening),
        TEST(close_with_a_group_not_yet_begun_ends_well),
        TEST(close_with_a_group_not_yet_told_ends_well),
        TEST(close_with_a_group_that_fails_ends_well),
        CLOSED(store_that_did_not_open_may_be_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
