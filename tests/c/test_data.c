/* test_data.c -- data of programs on one node: own writes are seen, keys are ordered, limits hold, and what was
 * committed is there after a power cut. Jobs are in test_jobs.c, what batches promise is in test_batches.c. */
#include "data_kit.h"

#include "node/store_db.h"

static struct kit *new_kit(void)
{
    return data_kit(1, NULL);
}

static struct kit *kit_with(enum moth_limit limit, uint64_t value)
{
    struct moth_config config = {.open = true};
    config.limits[limit] = value;
    return data_kit(1, &config);
}

/* --- reading what was written --- */

static void test_a_value_is_seen_at_once_and_after_its_commit_and_after_a_power_cut(void **state)
{
    struct kit *k = new_kit();
    (void)state;
    assert_value(k, "s", "k", NULL);
    assert_int_equal(put(k, "s", "k", "v"), 0);
    assert_value(k, "s", "k", "v");
    data_settled(k);
    assert_value(k, "s", "k", "v");
    restart(k, NULL);
    assert_value(k, "s", "k", "v");
    kit_free(k);
}

static void test_the_newest_of_many_writes_to_a_key_is_seen(void **state)
{
    struct kit *k = new_kit();
    char text[8];
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "%u", i);
        assert_int_equal(put(k, "s", "k", text), 0);
        assert_value(k, "s", "k", text);
        if (i % 3 == 0) lab_turn(k->lab, ANA);
        if (i % 7 == 0) lab_run(k->lab, MS);
        assert_value(k, "s", "k", text);
    }
    data_settled(k);
    assert_value(k, "s", "k", "39");
    kit_free(k);
}

static void test_a_key_that_was_taken_away_is_gone_at_once_and_for_good(void **state)
{
    struct kit *k = new_kit();
    (void)state;
    put(k, "s", "k", "v");
    put(k, "s", "other", "v");
    data_settled(k);
    assert_int_equal(put(k, "s", "k", NULL), 0);
    assert_value(k, "s", "k", NULL);
    assert_pairs(k, "s", "other=v ");
    data_settled(k);
    restart(k, NULL);
    assert_pairs(k, "s", "other=v ");
    kit_free(k);
}

static void test_taking_away_what_is_not_there_writes_nothing(void **state)
{
    struct kit *k = new_kit();
    (void)state;
    assert_int_equal(put(k, "s", "k", NULL), 0);
    put(k, "s", "k", "v");
    put(k, "s", "k", NULL);
    size_t waiting = kit_status(k, ANA).writes_waiting;
    assert_int_equal(put(k, "s", "k", NULL), 0);
    assert_int_equal(kit_status(k, ANA).writes_waiting, waiting);
    kit_free(k);
}

static void test_a_value_may_be_empty_and_hold_any_bytes(void **state)
{
    struct kit *k = new_kit();
    struct moth_bytes key = {"\0k\xff", 3}, value = {"\0\xff", 2};
    struct seen seen = {.calls = 0};
    (void)state;
    assert_int_equal(put(k, "s", "empty", ""), 0);
    assert_int_equal(moth_data_put(kit_node(k, ANA), "s", &key, &value), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_value(k, "s", "empty", "");
        assert_int_equal(moth_data_get(kit_node(k, ANA), "s", &key, see_value, &seen), 0);
        assert_int_equal(seen.value_bytes, 2);
        data_settled(k);
    }
    kit_free(k);
}

static void test_the_largest_key_value_and_space_are_taken(void **state)
{
    static char big[MOTH_VALUE_MAX], key[MOTH_KEY_MAX];
    char space[MOTH_SPACE_MAX + 1] = "";
    struct kit *k = new_kit();
    struct moth_bytes at = {key, sizeof key}, value = {big, sizeof big};
    struct seen seen;
    (void)state;
    memset(space, '-', MOTH_SPACE_MAX);
    memset(key, 'k', sizeof key);
    assert_int_equal(moth_data_put(kit_node(k, ANA), space, &at, &value), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(next(k, space, NULL, &seen), 0);
        assert_int_equal(seen.value_bytes, MOTH_VALUE_MAX);
        assert_int_equal(next(k, space, &at, &seen), MOTH_ENOT_FOUND);
        data_settled(k);
    }
    assert_int_equal(kit_status(k, ANA).script_data_bytes, MOTH_SPACE_MAX + MOTH_KEY_MAX + MOTH_VALUE_MAX);
    kit_free(k);
}

/* --- order --- */

static void test_next_merges_what_waits_with_the_disk(void **state)
{
    struct kit *k = new_kit();
    (void)state;
    put(k, "s", "b", "disk");
    put(k, "s", "d", "disk");
    put(k, "s", "f", "disk");
    put(k, "t", "a", "other");
    data_settled(k);
    put(k, "s", "a", "new");
    put(k, "s", "d", "changed");
    put(k, "s", "e", "new");
    put(k, "s", "f", NULL);
    put(k, "s", "g", "new");
    assert_pairs(k, "s", "a=new b=disk d=changed e=new g=new ");
    put(k, "s", "g", NULL);
    put(k, "s", "a", NULL);
    assert_pairs(k, "s", "b=disk d=changed e=new ");
    assert_pairs(k, "t", "a=other ");
    assert_pairs(k, "none", "");
    kit_free(k);
}

static void test_next_begins_between_keys(void **state)
{
    struct kit *k = new_kit();
    struct moth_bytes from = bytes_of("bb"), empty = bytes_of("");
    struct seen seen;
    (void)state;
    put(k, "s", "a", "1");
    put(k, "s", "c", "2");
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(next(k, "s", &from, &seen), 0);
        assert_string_equal(seen.key, "c");
        assert_int_equal(next(k, "s", &empty, &seen), 0);
        assert_string_equal(seen.key, "a");
        data_settled(k);
    }
    kit_free(k);
}

static void test_many_random_writes_are_what_a_model_says(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct kit *k = data_kit(seed, NULL);
        struct model m = {{{0}}}, before = m;
        uint64_t random = seed;
        for (unsigned step = 0; step < 150; step++) {
            bool batch = draw(&random, 2) > 0, keep = draw(&random, 3) > 0;
            before = m;
            if (batch) moth_begin(kit_node(k, ANA));
            for (unsigned i = draw(&random, 9); i > 0; i--) assert_int_equal(model_change(k, &m, &random), 0);
            assert_int_equal(model_check(k, &m), kit_status(k, ANA).script_data_bytes);
            if (batch && !keep) m = before;
            if (batch && keep) moth_commit(kit_node(k, ANA));
            else moth_discard(kit_node(k, ANA)); /* nothing, where nothing began */
            if (draw(&random, 3) == 0) lab_turn(k->lab, ANA);
            if (draw(&random, 3) == 0) lab_run(k->lab, MS);
            assert_int_equal(model_check(k, &m), kit_status(k, ANA).script_data_bytes);
        }
        data_settled(k);
        restart(k, NULL);
        assert_int_equal(model_check(k, &m), kit_status(k, ANA).script_data_bytes);
        kit_free(k);
    }
}

/* --- refusals --- */

static void assert_bad_space(struct kit *k, const char *space)
{
    struct seen seen;
    struct moth_job job = {.name = space, .arguments = bytes_of("")};
    uint64_t id;
    assert_int_equal(put(k, space, "k", "v"), MOTH_EARGUMENT);
    assert_int_equal(put(k, space, "k", NULL), MOTH_EARGUMENT);
    assert_int_equal(get(k, space, "k", &seen), MOTH_EARGUMENT);
    assert_int_equal(next(k, space, NULL, &seen), MOTH_EARGUMENT);
    assert_int_equal(moth_job_put(kit_node(k, ANA), &job, &id), MOTH_EARGUMENT);
}

static void test_names_of_spaces_and_jobs_are_checked(void **state)
{
    struct kit *k = new_kit();
    char text[MOTH_SPACE_MAX + 2] = "";
    (void)state;
    memset(text, 'a', MOTH_SPACE_MAX + 1);
    assert_bad_space(k, "");
    assert_bad_space(k, text);
    assert_bad_space(k, "a b");
    assert_bad_space(k, "a/b");
    assert_bad_space(k, "\xc3\xa4");
    assert_int_equal(put(k, "aZ09._-", "k", "v"), 0);
    kit_free(k);
}

static void test_keys_are_checked(void **state)
{
    static char big[MOTH_KEY_MAX + 1];
    struct kit *k = new_kit();
    struct moth_node *n = kit_node(k, ANA);
    struct moth_bytes none = {"", 0}, long_key = {big, sizeof big}, value = bytes_of("v");
    struct seen seen;
    (void)state;
    assert_int_equal(moth_data_put(n, "s", &none, &value), MOTH_EARGUMENT);
    assert_int_equal(moth_data_put(n, "s", &long_key, &value), MOTH_EARGUMENT);
    assert_int_equal(moth_data_get(n, "s", &none, see_value, &seen), MOTH_EARGUMENT);
    assert_int_equal(moth_data_get(n, "s", &long_key, see_value, &seen), MOTH_EARGUMENT);
    assert_int_equal(moth_data_next(n, "s", &long_key, see_pair, &seen), MOTH_EARGUMENT);
    kit_free(k);
}

static void test_what_is_too_big_is_refused(void **state)
{
    static char big[MOTH_VALUE_MAX + 1];
    struct kit *k = new_kit();
    struct moth_bytes key = bytes_of("k"), value = {big, sizeof big};
    struct moth_job job = {.name = "job", .arguments = value};
    uint64_t id;
    (void)state;
    assert_int_equal(moth_data_put(kit_node(k, ANA), "s", &key, &value), MOTH_ETOO_BIG);
    assert_int_equal(moth_job_put(kit_node(k, ANA), &job, &id), MOTH_ETOO_BIG);
    assert_value(k, "s", "k", NULL);
    assert_jobs(k, "");
    kit_free(k);
}

static void test_bytes_are_limited_over_all_spaces_and_jobs(void **state)
{
    struct kit *k = kit_with(MOTH_LIMIT_SCRIPT_DATA_BYTES, 20);
    struct moth_config config = {.open = true};
    struct moth_job job = {.name = "job", .arguments = bytes_of("")};
    uint64_t id;
    (void)state;
    config.limits[MOTH_LIMIT_SCRIPT_DATA_BYTES] = 20;
    assert_int_equal(put(k, "s", "k", "01234567"), 0);  /* 10 */
    assert_int_equal(put(k, "t", "k", "012345678"), MOTH_EFULL);
    assert_int_equal(put(k, "t", "k", "01234567"), 0);  /* 20 */
    assert_int_equal(put(k, "s", "k", "012345678"), MOTH_EFULL);
    assert_int_equal(moth_job_put(kit_node(k, ANA), &job, &id), MOTH_EFULL);
    assert_value(k, "s", "k", "01234567");
    assert_int_equal(put(k, "s", "k", "76543210"), 0);
    data_settled(k);
    restart(k, &config);
    assert_int_equal(put(k, "s", "k", "012345678"), MOTH_EFULL);
    assert_int_equal(put(k, "s", "k", NULL), 0);
    id = job_put(k, "job", 1, "right"); /* 18 */
    assert_int_equal(put(k, "s", "k", "v"), MOTH_EFULL);
    assert_int_equal(job_drop(k, id), 0);
    assert_int_equal(put(k, "s", "k", "v"), 0);
    kit_free(k);
}

/* A limit that was lowered is no reason not to make room. */
static void test_values_may_shrink_above_the_limit(void **state)
{
    struct kit *k = new_kit();
    struct moth_config config = {.open = true};
    (void)state;
    config.limits[MOTH_LIMIT_SCRIPT_DATA_BYTES] = 5;
    put(k, "s", "k", "0123456789");
    data_settled(k);
    restart(k, &config);
    assert_int_equal(put(k, "s", "k", "0123456789a"), MOTH_EFULL);
    assert_int_equal(put(k, "s", "k", "012345678"), 0);
    kit_free(k);
}

static int rc_in_hook[4];

static bool write_in_hook(void *owner, const struct moth_message *message)
{
    struct kit *k = owner;
    struct moth_job job = {.name = "job", .arguments = bytes_of("")};
    uint64_t id;
    (void)message;
    rc_in_hook[0] = put(k, "s", "hook", "v");
    rc_in_hook[1] = moth_job_put(kit_node(k, ANA), &job, &id);
    rc_in_hook[2] = job_drop(k, 1);
    moth_begin(kit_node(k, ANA));
    return true;
}

static void test_a_hook_may_write_nothing(void **state)
{
    struct kit *k = new_kit();
    struct moth_hooks hooks = {.deliver = write_in_hook};
    (void)state;
    moth_set_hooks(kit_node(k, ANA), &hooks, k);
    assert_int_equal(kit_emit(k, ANA, kit_id(k, ANA), "x"), 0);
    for (unsigned i = 0; i < 3; i++) assert_int_equal(rc_in_hook[i], MOTH_EPERMISSION);
    assert_false(kit_node(k, ANA)->data.begun);
    kit_free(k);
}

/* --- disks --- */

static void test_a_full_disk_takes_away_but_keeps_nothing_new(void **state)
{
    struct kit *k = new_kit();
    struct moth_job job = {.name = "job", .arguments = bytes_of("")};
    uint64_t id = job_put(k, "job", 1, "x"), other;
    (void)state;
    put(k, "s", "k", "v");
    data_settled(k);
    kit_node(k, ANA)->store.reason = MOTH_ENO_SPACE;
    assert_int_equal(put(k, "s", "k", "w"), MOTH_ESTORE);
    assert_int_equal(moth_job_put(kit_node(k, ANA), &job, &other), MOTH_ESTORE);
    assert_int_equal(put(k, "s", "k", NULL), 0);
    assert_int_equal(job_drop(k, id), 0);
    assert_pairs(k, "s", "");
    assert_jobs(k, "");
    kit_free(k);
}

static void test_a_broken_disk_refuses_and_goes_on_when_it_is_well(void **state)
{
    struct kit *k = new_kit();
    (void)state;
    put(k, "s", "old", "v");
    data_settled(k);
    disk_fail_at(data_disk(k), disk_calls(data_disk(k)) + 1, true);
    put(k, "s", "k", "v");
    lab_turn(k->lab, ANA);
    lab_run(k->lab, SECOND);
    assert_int_equal(put(k, "s", "k", "w"), MOTH_ESTORE);
    assert_int_equal(put(k, "s", "old", NULL), MOTH_ESTORE);
    assert_value(k, "s", "k", "v"); /* it waits */
    disk_heal(data_disk(k));
    lab_run(k->lab, 10 * SECOND);
    data_settled(k);
    restart(k, NULL);
    assert_pairs(k, "s", "k=v old=v ");
    kit_free(k);
}

/* Many values, so that they are not all in the cache. */
static void fill(struct kit *k)
{
    static char value[3000];
    char key[8];
    memset(value, 'v', sizeof value - 1);
    for (unsigned i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "%03u", i);
        assert_int_equal(put(k, "s", key, value), 0);
    }
    data_settled(k);
}

static void test_reads_that_fail_are_said_and_work_again(void **state)
{
    struct kit *k = new_kit();
    struct seen seen;
    uint64_t id = job_put(k, "job", 1, "x");
    (void)state;
    fill(k);
    disk_fail_at(data_disk(k), disk_calls(data_disk(k)) + 1, true);
    assert_int_equal(get(k, "s", "000", &seen), MOTH_ESTORE);
    assert_int_equal(put(k, "s", "000", "v"), MOTH_ESTORE);
    assert_int_equal(put(k, "s", "000", NULL), MOTH_ESTORE);
    assert_int_equal(next(k, "s", NULL, &seen), MOTH_ESTORE);
    assert_int_equal(moth_job_get(kit_node(k, ANA), id, see_job, &seen), MOTH_ESTORE);
    assert_int_equal(seen.calls, 0);
    disk_heal(data_disk(k));
    assert_int_equal(get(k, "s", "000", &seen), 0);
    assert_job(k, id, "job@1", "x");
    kit_free(k);
}

static void test_a_read_that_finds_damage_stops_promises(void **state)
{
    struct kit *k = new_kit();
    struct seen seen = {.calls = 0};
    int rc = 0;
    (void)state;
    fill(k);
    assert_int_equal(db_run(kit_node(k, ANA)->store.db->writer, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    assert_int_equal(disk_damage(data_disk(k), "machine-0/moth.db", 1, 25), 0);
    for (bool first = true; rc == 0; first = false)
        rc = next(k, "s", first ? NULL : &(struct moth_bytes){seen.key, seen.key_bytes}, &seen);
    assert_int_equal(rc, MOTH_ESTORE);
    lab_turn(k->lab, ANA);
    assert_int_equal(kit_status(k, ANA).store_reason, MOTH_EDAMAGED);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_value_is_seen_at_once_and_after_its_commit_and_after_a_power_cut),
        cmocka_unit_test(test_the_newest_of_many_writes_to_a_key_is_seen),
        cmocka_unit_test(test_a_key_that_was_taken_away_is_gone_at_once_and_for_good),
        cmocka_unit_test(test_taking_away_what_is_not_there_writes_nothing),
        cmocka_unit_test(test_a_value_may_be_empty_and_hold_any_bytes),
        cmocka_unit_test(test_the_largest_key_value_and_space_are_taken),
        cmocka_unit_test(test_next_merges_what_waits_with_the_disk),
        cmocka_unit_test(test_next_begins_between_keys),
        cmocka_unit_test(test_many_random_writes_are_what_a_model_says),
        cmocka_unit_test(test_names_of_spaces_and_jobs_are_checked),
        cmocka_unit_test(test_keys_are_checked),
        cmocka_unit_test(test_what_is_too_big_is_refused),
        cmocka_unit_test(test_bytes_are_limited_over_all_spaces_and_jobs),
        cmocka_unit_test(test_values_may_shrink_above_the_limit),
        cmocka_unit_test(test_a_hook_may_write_nothing),
        cmocka_unit_test(test_a_full_disk_takes_away_but_keeps_nothing_new),
        cmocka_unit_test(test_a_broken_disk_refuses_and_goes_on_when_it_is_well),
        cmocka_unit_test(test_reads_that_fail_are_said_and_work_again),
        cmocka_unit_test(test_a_read_that_finds_damage_stops_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
