/* test_jobs.c -- jobs of programs on one node: listed, kept, dropped, and never mistaken for one another. */
#include "data_kit.h"

static struct kit *new_kit(void)
{
    return data_kit(1, NULL);
}

static void test_jobs_are_listed_by_id_and_survive(void **state)
{
    struct kit *k = new_kit();
    (void)state;
    job_put(k, "c", 300, "late");
    uint64_t gone = job_put(k, "b", 200, "gone"), a = job_put(k, "a", 100, "early");
    assert_jobs(k, "c b a ");
    assert_job(k, a, "a@100", "early");
    assert_int_equal(job_drop(k, gone), 0);
    data_settled(k);
    assert_job(k, a, "a@100", "early");
    uint64_t bytes = kit_status(k, ANA).script_data_bytes;
    restart(k, NULL);
    assert_jobs(k, "c a ");
    assert_job(k, a, "a@100", "early");
    assert_int_equal(kit_status(k, ANA).script_data_bytes, bytes);
    kit_free(k);
}

static void test_a_listing_writes_no_more_than_there_is_room_for(void **state)
{
    struct kit *k = new_kit();
    struct moth_job jobs[2] = {{.name = "", .arguments = {NULL, 0}}};
    (void)state;
    uint64_t one = job_put(k, "one", 1, "");
    job_put(k, "two", 1, "");
    assert_int_equal(moth_jobs(kit_node(k, ANA), jobs, 1), 2);
    assert_int_equal(jobs[0].id, one);
    assert_null(jobs[1].name);
    kit_free(k);
}

static void test_a_job_that_is_gone_is_not_found(void **state)
{
    struct kit *k = new_kit();
    struct seen seen = {.calls = 0};
    uint64_t id = job_put(k, "job", 1, "");
    (void)state;
    assert_int_equal(job_drop(k, id + 1), MOTH_ENOT_FOUND);
    assert_int_equal(job_drop(k, id), 0);
    assert_int_equal(job_drop(k, id), MOTH_ENOT_FOUND);
    assert_int_equal(moth_job_get(kit_node(k, ANA), id, see_job, &seen), MOTH_ENOT_FOUND);
    data_settled(k);
    assert_int_equal(job_drop(k, id), MOTH_ENOT_FOUND);
    kit_free(k);
}

static void test_ids_of_jobs_never_come_twice(void **state)
{
    struct kit *k = new_kit();
    uint64_t last = 0;
    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        uint64_t id = job_put(k, "job", 1, "");
        assert_true(id > last);
        last = id;
        if (i % 2) assert_int_equal(job_drop(k, id), 0);
        if (i % 3 == 0) data_settled(k); /* else it is lost, and its id is gone all the same */
        if (i % 4 < 2) restart(k, NULL);
    }
    kit_free(k);
}

static void test_a_job_may_have_no_arguments(void **state)
{
    struct kit *k = new_kit();
    uint64_t id = job_put(k, "job", 1, NULL);
    (void)state;
    assert_job(k, id, "job@1", "");
    data_settled(k);
    assert_job(k, id, "job@1", "");
    kit_free(k);
}

static void test_a_damaged_database_keeps_what_can_be_read_of_data_and_jobs(void **state)
{
    struct kit *k = new_kit();
    uint64_t last = 0;
    char key[16];
    (void)state;
    for (unsigned i = 0; i < 60; i++) last = job_put(k, "job", i, "0123456789");
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(key, sizeof key, "key-%u", i);
        put(k, "s", key, "0123456789012345678901234567890123456789");
    }
    data_settled(k);
    uint64_t bytes = kit_status(k, ANA).script_data_bytes;
    lab_kill(k->lab, ANA);
    assert_true(disk_bytes(data_disk(k)) / 4096 > 40);
    assert_int_equal(disk_damage(data_disk(k), "machine-0/moth.db", 9, 25), 0);
    kit_start(k, ANA, NULL);
    assert_non_null(strstr(k->notes, "the database was damaged"));
    assert_int_equal(kit_status(k, ANA).jobs, 60);
    assert_in_range(kit_status(k, ANA).script_data_bytes, bytes / 2, bytes);
    assert_true(job_put(k, "new", 1, "") > last);
    kit_free(k);
}

static void test_jobs_are_limited(void **state)
{
    struct moth_config config = {.open = true, .limits[MOTH_LIMIT_JOBS] = 2};
    struct kit *k = data_kit(1, &config);
    struct moth_job job = {.name = "more", .arguments = bytes_of("")};
    uint64_t id = job_put(k, "one", 1, ""), other;
    (void)state;
    job_put(k, "two", 1, "");
    assert_int_equal(moth_job_put(kit_node(k, ANA), &job, &other), MOTH_EFULL);
    assert_int_equal(job_drop(k, id), 0);
    job_put(k, "three", 1, "");
    assert_jobs(k, "two three ");
    kit_free(k);
}

static void test_a_job_is_due_within_63_bits(void **state)
{
    struct kit *k = new_kit();
    struct moth_job job = {.name = "job", .due_ms = UINT64_MAX, .arguments = bytes_of("")};
    uint64_t id;
    (void)state;
    assert_int_equal(moth_job_put(kit_node(k, ANA), &job, &id), MOTH_EARGUMENT);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobs_are_listed_by_id_and_survive),
        cmocka_unit_test(test_a_listing_writes_no_more_than_there_is_room_for),
        cmocka_unit_test(test_a_job_that_is_gone_is_not_found),
        cmocka_unit_test(test_ids_of_jobs_never_come_twice),
        cmocka_unit_test(test_a_job_may_have_no_arguments),
        cmocka_unit_test(test_a_damaged_database_keeps_what_can_be_read_of_data_and_jobs),
        cmocka_unit_test(test_jobs_are_limited),
        cmocka_unit_test(test_a_job_is_due_within_63_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
