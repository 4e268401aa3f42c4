/* test_batches.c -- what is gathered between moth_begin and moth_commit comes to the disk together or not at all,
 * whatever the disk does at any call, and whatever the size of a group. Messages are in test_batches_mail.c. */
#include "data_kit.h"

#define BATCHES 14
#define CALLS_MIN 60

static struct kit *new_kit(void)
{
    return data_kit(1, NULL);
}

/* --- begin, commit, discard --- */

static void test_nothing_is_written_before_the_commit(void **state)
{
    struct kit *k = new_kit();
    (void)state;
    moth_begin(node(k));
    put(k, "s", "k", "v");
    job_put(k, "job", 1, "x");
    assert_value(k, "s", "k", "v");
    assert_jobs(k, "job ");
    assert_int_equal(kit_status(k, ANA).writes_waiting, 0);
    lab_run(k->lab, SECOND);
    restart(k, NULL);
    assert_value(k, "s", "k", NULL);
    assert_jobs(k, "");
    kit_free(k);
}

static void test_a_batch_is_one_commit(void **state)
{
    struct moth_config config = small_groups();
    struct kit *k = data_kit(1, &config);
    uint64_t commits = kit_status(k, ANA).commits, operations = kit_status(k, ANA).commit_operations;
    char key[8];
    (void)state;
    moth_begin(node(k));
    for (unsigned i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "%u", i);
        put(k, "s", key, "v");
    }
    moth_commit(node(k));
    data_settled(k);
    assert_int_equal(kit_status(k, ANA).commits, commits + 1);
    assert_int_equal(kit_status(k, ANA).commit_operations, operations + 300);
    kit_free(k);
}

static void test_of_many_writes_to_a_key_in_a_batch_only_the_last_is_written(void **state)
{
    struct kit *k = new_kit();
    (void)state;
    moth_begin(node(k));
    put(k, "s", "k", "first");
    put(k, "s", "k", NULL);
    put(k, "s", "k", "last");
    assert_value(k, "s", "k", "last");
    moth_commit(node(k));
    assert_int_equal(kit_status(k, ANA).writes_waiting, 1);
    data_settled(k);
    assert_pairs(k, "s", "k=last ");
    kit_free(k);
}

static void test_a_discard_brings_back_what_was(void **state)
{
    struct kit *k = new_kit();
    (void)state;
    put(k, "s", "disk", "1");
    uint64_t old = job_put(k, "old", 1, "x");
    data_settled(k);
    put(k, "s", "waits", "2");
    uint64_t bytes = kit_status(k, ANA).script_data_bytes;
    moth_begin(node(k));
    put(k, "s", "disk", "changed");
    put(k, "s", "waits", NULL);
    put(k, "s", "new", "3");
    uint64_t id = job_put(k, "new", 1, "x");
    job_put(k, "other", 1, "x");
    assert_int_equal(job_drop(k, old), 0);
    assert_int_equal(job_drop(k, id), 0);
    assert_pairs(k, "s", "disk=changed new=3 ");
    assert_jobs(k, "other ");
    moth_discard(node(k));
    for (unsigned i = 0; i < 2; i++) {
        assert_pairs(k, "s", "disk=1 waits=2 ");
        assert_jobs(k, "old ");
        assert_job(k, old, "old@1", "x");
        assert_int_equal(kit_status(k, ANA).script_data_bytes, bytes);
        data_settled(k);
    }
    kit_free(k);
}

static void test_a_discard_gives_back_its_room(void **state)
{
    static char big[MOTH_VALUE_MAX];
    struct kit *k = new_kit();
    struct moth_bytes value = {big, sizeof big};
    char text[8];
    int rc = 0;
    (void)state;
    moth_begin(node(k));
    for (unsigned i = 0; rc == 0; i++) {
        struct moth_bytes key = {text, (size_t)snprintf(text, sizeof text, "%u", i)};
        rc = moth_data_put(node(k), "s", &key, &value);
        if (i == 0) assert_int_equal(moth_data_put(node(k), "s", &key, &value), 0); /* counts once */
    }
    assert_int_equal(rc, MOTH_ESLOW);
    assert_in_range(kit_status(k, ANA).script_data_bytes, 64u << 20, (65u << 20) + MOTH_VALUE_MAX);
    moth_discard(node(k));
    assert_int_equal(put(k, "s", "k", "v"), 0);
    assert_pairs(k, "s", "k=v ");
    kit_free(k);
}

static void test_a_job_put_and_dropped_in_one_batch_is_never_written(void **state)
{
    struct kit *k = new_kit();
    (void)state;
    moth_begin(node(k));
    uint64_t id = job_put(k, "job", 1, "x");
    assert_int_equal(job_drop(k, id), 0);
    assert_int_equal(job_drop(k, id), MOTH_ENOT_FOUND);
    moth_commit(node(k));
    assert_int_equal(kit_status(k, ANA).writes_waiting, 0);
    assert_int_equal(kit_status(k, ANA).script_data_bytes, 0);
    assert_jobs(k, "");
    kit_free(k);
}

static void test_a_job_dropped_before_its_commit_is_gone_after_it(void **state)
{
    struct kit *k = new_kit();
    uint64_t id = job_put(k, "job", 1, "x");
    (void)state;
    assert_int_equal(job_drop(k, id), 0);
    data_settled(k);
    restart(k, NULL);
    assert_jobs(k, "");
    kit_free(k);
}

static void test_beginning_twice_and_ending_what_did_not_begin_change_nothing(void **state)
{
    struct kit *k = new_kit();
    (void)state;
    moth_commit(node(k));
    moth_discard(node(k));
    moth_begin(node(k));
    put(k, "s", "a", "1");
    moth_begin(node(k));
    put(k, "s", "b", "2");
    moth_discard(node(k));
    assert_pairs(k, "s", "");
    moth_begin(node(k));
    moth_begin(node(k));
    put(k, "s", "c", "3");
    moth_commit(node(k));
    moth_commit(node(k));
    data_settled(k);
    assert_pairs(k, "s", "c=3 ");
    kit_free(k);
}

static void test_an_open_batch_holds_back_what_is_sent_and_ends_with_the_node(void **state)
{
    struct kit *k = new_kit();
    uint64_t id;
    (void)state;
    moth_begin(node(k));
    struct moth_payload payload = {.encoding = MOTH_TEXT, .data = "x", .bytes = 1};
    assert_int_equal(moth_send(node(k), kit_id(k, ANA), &payload, NULL, &id), 0);
    put(k, "s", "k", "v");
    lab_turn(k->lab, ANA);
    assert_int_equal(kit_state(k, ANA, id), MOTH_PENDING);
    moth_discard(node(k));
    data_settled(k);
    assert_int_equal(kit_state(k, ANA, id), MOTH_DELIVERED);
    moth_begin(node(k));
    put(k, "s", "k", "v");
    kit_free(k); /* and nothing leaks */
}

/* --- power --- */

struct history { /* what was done, batch after batch: after[i] is how it looks then */
    struct model after[BATCHES + 1];
    uint64_t jobs[BATCHES + 1]; /* a bit for each batch whose job is there */
    uint64_t ids[BATCHES + 1];
    unsigned done, safe;        /* safe: at least so many must be there */
    bool failed;
};

static int change_jobs(struct kit *k, struct history *h, unsigned i, uint64_t *random)
{
    char name[8];
    struct moth_job job = {.due_ms = i, .name = name, .arguments = bytes_of("arguments")};
    unsigned drop = 1 + draw(random, BATCHES);
    snprintf(name, sizeof name, "%u", i);
    int rc = draw(random, 2) ? moth_job_put(node(k), &job, &h->ids[i]) : 0;
    if (rc == 0 && h->ids[i]) h->jobs[i] |= 1u << i;
    if (h->jobs[i] & 1u << drop && moth_job_drop(node(k), h->ids[drop]) == 0) h->jobs[i] &= ~(uint64_t)(1u << drop);
    return rc;
}

static int change_all(struct kit *k, struct history *h, unsigned i, uint64_t *random)
{
    char text[8];
    int rc = 0;
    h->after[i] = h->after[i - 1];
    h->jobs[i] = h->jobs[i - 1];
    h->ids[i] = 0;
    for (unsigned writes = 1 + draw(random, 12); rc == 0 && writes > 0; writes--)
        rc = model_change(k, &h->after[i], random);
    if (rc == 0) rc = change_jobs(k, h, i, random);
    if (rc == 0) rc = draw(random, 3) == 0 ? send(k, kit_id(k, ANA)) : 0; /* more that goes along */
    snprintf(text, sizeof text, "%u", i);
    return rc == 0 ? put(k, "count", "n", text) : rc;
}

/* Every third is tried once and discarded before. */
static void one_batch(struct kit *k, struct history *h, uint64_t *random)
{
    unsigned i = h->done + 1;
    if (draw(random, 3) == 0) {
        moth_begin(node(k));
        change_all(k, h, i, random);
        moth_discard(node(k));
    }
    moth_begin(node(k));
    int rc = change_all(k, h, i, random);
    h->failed = rc < 0;
    if (rc < 0) {
        moth_discard(node(k));
        return;
    }
    moth_commit(node(k));
    h->done = i;
}

static void run_batches(struct kit *k, struct history *h, uint64_t seed)
{
    uint64_t random = seed;
    while (h->done < BATCHES && !h->failed) {
        one_batch(k, h, &random);
        if (draw(&random, 2) == 0) lab_turn(k->lab, ANA);
        if (draw(&random, 2) == 0) lab_run(k->lab, 3 * MS);
        if (kit_status(k, ANA).writes_waiting == 0) h->safe = h->done;
    }
    lab_run(k->lab, 20 * MS);
    if (kit_status(k, ANA).writes_waiting == 0) h->safe = h->done;
}

static uint64_t jobs_there(struct kit *k)
{
    struct moth_job jobs[BATCHES];
    uint64_t bits = 0;
    size_t count = moth_jobs(node(k), jobs, BATCHES);
    for (size_t i = 0; i < count; i++) {
        char text[16];
        bits |= 1u << jobs[i].due_ms;
        snprintf(text, sizeof text, "%u@%u", (unsigned)jobs[i].due_ms, (unsigned)jobs[i].due_ms);
        assert_job(k, jobs[i].id, text, "arguments");
    }
    return bits;
}

static void check_history(struct kit *k, const struct history *h)
{
    struct seen seen;
    unsigned n = get(k, "count", "n", &seen) == 0 ? (unsigned)atoi(seen.value) : 0;
    assert_in_range(n, h->safe, h->done);
    model_check(k, &h->after[n]);
    assert_int_equal(jobs_there(k), h->jobs[n]);
}

static bool lose_power_at(uint64_t call, uint64_t seed)
{
    struct moth_config config = small_groups();
    struct kit *k = data_kit(seed, &config);
    struct history *h = mem_new(sizeof *h);
    uint64_t at = disk_calls(data_disk(k)) + call;
    disk_cut_at(data_disk(k), at);
    run_batches(k, h, seed);
    bool reached = disk_calls(data_disk(k)) >= at;
    disk_heal(data_disk(k));
    restart(k, &config);
    check_history(k, h);
    assert_null(strstr(k->notes, "damaged"));
    free(h);
    kit_free(k);
    return reached;
}

static void test_power_loss_at_any_call_leaves_whole_batches(void **state)
{
    uint64_t call = 1;
    (void)state;
    while (lose_power_at(call, call)) call++;
    assert_true(call > CALLS_MIN);
}

/* The disk fails at that call and is well again later: all is there in the end, in memory and after a restart. */
static bool fail_at(uint64_t call, bool after)
{
    struct moth_config config = small_groups();
    struct kit *k = data_kit(call, &config);
    struct history *h = mem_new(sizeof *h);
    uint64_t at = disk_calls(data_disk(k)) + call;
    disk_fail_at(data_disk(k), at, after);
    run_batches(k, h, call);
    model_check(k, &h->after[h->done]); /* also now: own writes, though they wait */
    bool reached = disk_calls(data_disk(k)) >= at;
    disk_heal(data_disk(k));
    lab_run(k->lab, 20 * SECOND);
    data_settled(k);
    h->safe = h->done;
    check_history(k, h);
    restart(k, &config);
    check_history(k, h);
    free(h);
    kit_free(k);
    return reached;
}

static void test_failure_of_any_call_loses_no_batch_and_tears_none(void **state)
{
    uint64_t call = 1;
    (void)state;
    while (fail_at(call, false)) call++;
    assert_true(call > CALLS_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_written_before_the_commit),
        cmocka_unit_test(test_a_batch_is_one_commit),
        cmocka_unit_test(test_of_many_writes_to_a_key_in_a_batch_only_the_last_is_written),
        cmocka_unit_test(test_a_discard_brings_back_what_was),
        cmocka_unit_test(test_a_discard_gives_back_its_room),
        cmocka_unit_test(test_a_job_put_and_dropped_in_one_batch_is_never_written),
        cmocka_unit_test(test_a_job_dropped_before_its_commit_is_gone_after_it),
        cmocka_unit_test(test_beginning_twice_and_ending_what_did_not_begin_change_nothing),
        cmocka_unit_test(test_an_open_batch_holds_back_what_is_sent_and_ends_with_the_node),
        cmocka_unit_test(test_power_loss_at_any_call_leaves_whole_batches),
        cmocka_unit_test(test_failure_of_any_call_loses_no_batch_and_tears_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
