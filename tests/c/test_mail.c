/* test_mail.c -- what a node that was told "queued" may rely on: durable mail between two or three nodes, over power
 * cuts, expiry, wrong clocks, full limits and failing disks.
 *
 * Mostly ana (0) and bob (1) on one link: with nobody else there, nobody carries (test_carry.c). A kill is a power cut;
 * a write takes the disk 1 ms, the wire takes 1 ms unless a test says otherwise. */
#include "kit.h"

#include "node/store_disk.h"

#define ANA 0
#define BOB 1
#define EVA 2
#define YEAR_MS 31536000000
#define DAY_S 86400u
#define MS 1000u

/* --- two machines --- */

/*   ana --- bob     linked, settled, everything written */
static struct kit *pair_with(uint64_t seed, const struct moth_config *ana, const struct moth_config *bob)
{
    struct kit *k = kit_new(seed, 4);
    assert_int_equal(lab_start(k->lab, ANA, "n0", ana), 0);
    assert_int_equal(lab_start(k->lab, BOB, "n1", bob), 0);
    kit_link(k, BOB, ANA);
    kit_settle(k, 2, 10 * SECOND);
    lab_run(k->lab, 40 * SECOND); /* the address books are saved by then */
    return k;
}

static struct kit *pair(uint64_t seed)
{
    return pair_with(seed, NULL, NULL);
}

/*   ana     (bob)     bob is away */
static struct kit *pair_alone(uint64_t seed, const struct moth_config *ana, struct moth_id *bob)
{
    struct kit *k = pair_with(seed, ana, NULL);
    *bob = *kit_id(k, BOB);
    lab_kill(k->lab, BOB);
    lab_run(k->lab, 5 * SECOND);
    return k;
}

static void bob_returns(struct kit *k)
{
    kit_start(k, BOB, NULL);
    kit_link(k, BOB, ANA);
}

static int send_with(struct kit *k, const struct moth_id *to, const char *text, uint32_t ttl_s, uint32_t retries,
                     uint64_t *id)
{
    struct moth_payload payload = {.encoding = MOTH_TEXT, .data = text, .bytes = strlen(text)};
    struct moth_send_options options = {.ttl_s = ttl_s, .retries = retries};
    int rc = moth_send(kit_node(k, ANA), to, &payload, &options, id);
    lab_turn(k->lab, ANA);
    return rc;
}

static uint64_t queue_one(struct kit *k, const struct moth_id *to, const char *text, uint32_t ttl_s)
{
    uint64_t id;
    assert_int_equal(send_with(k, to, text, ttl_s, 0, &id), 0);
    assert_true(kit_wait_state(k, ANA, id, MOTH_QUEUED, SECOND));
    return id;
}

static struct moth_sent sent_of(const struct kit *k, uint64_t id)
{
    struct moth_sent sent;
    assert_int_equal(moth_message_get(kit_node(k, ANA), id, &sent), 0);
    return sent;
}

static struct moth_config slow_commits(void)
{
    struct moth_config config = {.open = true};
    config.limits[MOTH_LIMIT_GROUP_MS] = 1000;
    return config;
}

/* --- the promise --- */

static void test_ten_messages_outlive_a_power_cut_and_arrive_once_in_order(void **state)
{
    struct moth_id bob;
    struct kit *k = pair_alone(1, NULL, &bob);
    (void)state;
    kit_send_row(k, ANA, &bob, 1, 10);
    lab_run(k->lab, 100 * MS);
    assert_int_equal(k->states[MOTH_QUEUED], 10);
    kit_restart(k, ANA);
    assert_int_equal(kit_status(k, ANA).mail, 10);
    bob_returns(k);
    assert_true(kit_wait_messages(k, BOB, 10, 10 * SECOND));
    lab_run(k->lab, 30 * SECOND);
    kit_assert_row(k, BOB, 1, 10);
    assert_int_equal(k->states[MOTH_DELIVERED], 10);
    assert_int_equal(kit_status(k, ANA).mail, 0);
    kit_free(k);
}

static void test_a_message_is_pending_until_its_commit_and_then_queued(void **state)
{
    struct moth_id bob;
    struct kit *k = pair_alone(2, NULL, &bob);
    uint64_t id;
    (void)state;
    assert_int_equal(kit_send(k, ANA, &bob, "later", &id), 0);
    assert_int_equal(kit_state(k, ANA, id), MOTH_PENDING);
    lab_run(k->lab, 500);
    assert_int_equal(kit_state(k, ANA, id), MOTH_PENDING);
    lab_run(k->lab, 20 * MS);
    assert_int_equal(kit_state(k, ANA, id), MOTH_QUEUED);
    assert_int_equal(kit_reason(k, ANA, id), MOTH_EUNREACHABLE);
    assert_int_equal(k->states[MOTH_QUEUED], 1);
    assert_int_equal(k->last_reason[ANA][MOTH_EVENT_STATE], MOTH_EUNREACHABLE);
    kit_free(k);
}

static void test_on_a_long_way_a_message_is_sent_and_then_delivered(void **state)
{
    struct kit *k = pair(3);
    uint64_t id;
    (void)state;
    lab_latency(k->lab, ANA, BOB, 50 * MS, 0);
    assert_int_equal(kit_send(k, ANA, kit_id(k, BOB), "far", &id), 0);
    assert_int_equal(kit_state(k, ANA, id), MOTH_PENDING); /* on its way, but no promise yet */
    lab_run(k->lab, 20 * MS);
    assert_int_equal(kit_state(k, ANA, id), MOTH_SENT);
    assert_int_equal(kit_reason(k, ANA, id), 0);
    lab_run(k->lab, 200 * MS);
    assert_int_equal(kit_state(k, ANA, id), MOTH_DELIVERED);
    assert_int_equal(k->states[MOTH_SENT], 1);
    assert_int_equal(k->states[MOTH_DELIVERED], 1);
    kit_free(k);
}

static void test_what_was_not_committed_is_gone_without_a_trace(void **state)
{
    struct moth_id bob;
    struct kit *k = pair_alone(4, NULL, &bob);
    uint64_t id, next;
    (void)state;
    assert_int_equal(kit_send(k, ANA, &bob, "never promised", &id), 0);
    kit_restart(k, ANA);
    assert_int_equal(kit_state(k, ANA, id), -1);
    assert_int_equal(kit_status(k, ANA).mail, 0);
    assert_int_equal(k->states[MOTH_QUEUED] + k->states[MOTH_SENT], 0);
    bob_returns(k);
    lab_run(k->lab, 30 * SECOND);
    assert_int_equal(k->messages[BOB], 0);
    assert_int_equal(kit_send(k, ANA, &bob, "after it", &next), 0);
    assert_true(next > id); /* even its id is not used again */
    assert_true(kit_wait_messages(k, BOB, 1, SECOND));
    kit_free(k);
}

static void test_a_receipt_before_the_commit_is_delivered_and_never_queued(void **state)
{
    struct moth_config slow = slow_commits();
    struct kit *k = pair_with(5, &slow, NULL);
    struct moth_id bob = *kit_id(k, BOB);
    uint64_t first, second;
    (void)state;
    assert_int_equal(kit_send(k, ANA, &bob, "first", &first), 0); /* a lone write goes at once ... */
    lab_run(k->lab, 50 * MS);
    unsigned told = k->states[MOTH_QUEUED] + k->states[MOTH_SENT];
    assert_int_equal(kit_send(k, ANA, &bob, "second", &second), 0); /* ... the next waits for its group */
    lab_run(k->lab, 100 * MS);
    assert_true(kit_status(k, ANA).writes_waiting > 0);
    assert_int_equal(kit_state(k, ANA, second), MOTH_DELIVERED);
    assert_int_equal(k->states[MOTH_QUEUED] + k->states[MOTH_SENT], told);
    lab_run(k->lab, 3 * SECOND);
    assert_int_equal(kit_status(k, ANA).mail, 0);
    kit_restart(k, ANA);
    assert_int_equal(kit_state(k, ANA, second), MOTH_DELIVERED);
    kit_free(k);
}

static void test_no_receipt_leaves_before_the_recipients_commit(void **state)
{
    struct moth_config slow = slow_commits();
    struct kit *k = pair_with(6, NULL, &slow);
    struct moth_id bob = *kit_id(k, BOB);
    uint64_t id;
    (void)state;
    assert_int_equal(moth_alias(kit_node(k, BOB), kit_id(k, ANA), "friend"), 0); /* a lone write goes at once ... */
    lab_turn(k->lab, BOB);
    lab_run(k->lab, 100 * MS);
    assert_int_equal(kit_send(k, ANA, &bob, "m1", &id), 0); /* ... the next waits for its group */
    lab_run(k->lab, 100 * MS);
    assert_int_equal(kit_status(k, BOB).inbox, 1);
    assert_int_equal(kit_state(k, ANA, id), MOTH_SENT);
    assert_int_equal(k->messages[BOB], 0);
    lab_kill(k->lab, BOB);
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(kit_status(k, ANA).mail, 1);
    bob_returns(k);
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, 10 * SECOND));
    kit_assert_row(k, BOB, 1, 1);
    kit_free(k);
}

/* bob has committed and shown it; the receipt is lost with its sender, who sends it again. */
static void test_what_was_shown_is_not_shown_again_when_its_receipt_was_lost(void **state)
{
    struct kit *k = pair(7);
    struct moth_id bob = *kit_id(k, BOB);
    uint64_t id;
    (void)state;
    lab_latency(k->lab, ANA, BOB, 50 * MS, 0);
    assert_int_equal(kit_send(k, ANA, &bob, "m1", &id), 0);
    lab_run(k->lab, 80 * MS);
    assert_int_equal(k->messages[BOB], 1);
    for (int i = 0; i < 4; i++) {
        kit_restart(k, ANA);
        assert_int_equal(kit_state(k, ANA, id), MOTH_QUEUED);
        if (i % 2 == 1) kit_restart(k, BOB);
        kit_link(k, BOB, ANA);
        lab_run(k->lab, 10 * MS); /* it may be under way again */
    }
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, 20 * SECOND));
    lab_run(k->lab, 20 * SECOND);
    kit_assert_row(k, BOB, 1, 1);
    kit_free(k);
}

static void test_restarts_of_both_ends_at_any_moment_break_no_promise(void **state)
{
    struct kit *k = pair(8);
    struct moth_id bob = *kit_id(k, BOB);
    uint64_t ids[24];
    bool promised[24];
    unsigned promises = 0;
    char text[16];
    (void)state;
    for (unsigned i = 0; i < 24; i++) {
        snprintf(text, sizeof text, "m%u", i);
        assert_int_equal(kit_send(k, ANA, &bob, text, &ids[i]), 0);
        lab_run(k->lab, 1100 + 700 * i);
        promised[i] = kit_state(k, ANA, ids[i]) >= MOTH_QUEUED;
        promises += promised[i];
        kit_restart(k, i % 2 ? ANA : BOB);
        kit_link(k, BOB, ANA);
    }
    lab_run(k->lab, 120 * SECOND);
    for (unsigned i = 0; i < 24; i++) {
        snprintf(text, sizeof text, "m%u", i);
        if (promised[i]) assert_int_equal(kit_state(k, ANA, ids[i]), MOTH_DELIVERED);
        if (promised[i]) assert_true(kit_shown(k, BOB, text) >= 1);
    }
    assert_true(promises >= 12);
    assert_int_equal(kit_status(k, ANA).mail, 0);
    assert_int_equal(kit_status(k, BOB).inbox, 0);
    assert_int_equal(kit_status(k, BOB).set_aside, 0);
    kit_free(k);
}

static void test_the_order_of_one_sender_holds_over_its_restart(void **state)
{
    struct moth_id bob;
    struct kit *k = pair_alone(9, NULL, &bob);
    (void)state;
    kit_send_row(k, ANA, &bob, 1, 3);
    lab_run(k->lab, 100 * MS);
    kit_restart(k, ANA);
    kit_send_row(k, ANA, &bob, 4, 6);
    lab_run(k->lab, 100 * MS);
    kit_restart(k, ANA);
    kit_send_row(k, ANA, &bob, 7, 7);
    bob_returns(k);
    assert_true(kit_wait_messages(k, BOB, 7, 10 * SECOND));
    kit_assert_row(k, BOB, 1, 7);
    kit_free(k);
}

static void test_mail_to_oneself_outlives_a_power_cut_and_is_shown_once(void **state)
{
    struct kit *k = pair(10);
    struct moth_id ana = *kit_id(k, ANA);
    uint64_t id;
    (void)state;
    assert_int_equal(kit_send(k, ANA, &ana, "m1", &id), 0);
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, SECOND));
    lab_run(k->lab, SECOND);
    kit_restart(k, ANA);
    lab_run(k->lab, SECOND);
    kit_assert_row(k, ANA, 1, 1);
    assert_int_equal(kit_state(k, ANA, id), MOTH_DELIVERED);
    kit_free(k);
}

/* --- handlers that end the process --- */

static struct {
    const char *poison;        /* whoever is told this dies of it */
    bool died;
    unsigned told, redelivered; /* of the poison */
} crash;

static void on_crash(struct kit *k, unsigned machine, const struct moth_event *e)
{
    (void)k;
    if (e->kind != MOTH_EVENT_MESSAGE || machine != BOB) return;
    bool poison = e->message->bytes == strlen(crash.poison) &&
                  memcmp(e->message->data, crash.poison, e->message->bytes) == 0;
    if (crash.died || !poison) return; /* a dead process has no handlers */
    crash.died = true;
    crash.told++;
    crash.redelivered += e->message->redelivered;
}

/* Runs until bob has died of the poison, exactly then; or for a time. */
static bool run_to_crash(struct kit *k, uint64_t us)
{
    crash.died = false;
    for (uint64_t passed = 0; passed < us && !crash.died; passed += 100) lab_run(k->lab, 100);
    if (crash.died) lab_kill(k->lab, BOB); /* the mark has not reached the disk: that takes 1 ms */
    return crash.died;
}

static struct kit *poisoned(uint64_t seed)
{
    struct kit *k = pair(seed);
    memset(&crash, 0, sizeof crash);
    crash.poison = "poison";
    k->also = on_crash;
    return k;
}

static void test_who_died_of_a_message_is_told_it_again_as_redelivered(void **state)
{
    struct kit *k = poisoned(20);
    (void)state;
    kit_send(k, ANA, kit_id(k, BOB), "poison", NULL);
    assert_true(run_to_crash(k, SECOND));
    assert_int_equal(crash.redelivered, 0);
    kit_start(k, BOB, NULL);
    assert_true(run_to_crash(k, SECOND));
    assert_int_equal(crash.redelivered, 1);
    crash.poison = "none";
    kit_start(k, BOB, NULL);
    lab_run(k->lab, SECOND);
    assert_int_equal(kit_shown(k, BOB, "poison"), 3);
    assert_int_equal(kit_status(k, BOB).messages_redelivered, 1);
    kit_restart(k, BOB);
    lab_run(k->lab, SECOND);
    assert_int_equal(kit_shown(k, BOB, "poison"), 3); /* handled: not again */
    assert_int_equal(kit_status(k, BOB).set_aside, 0);
    kit_free(k);
}

static void see_set_aside(void *context, const struct moth_entry *entry)
{
    unsigned *count = context;
    if (entry->is_set_aside && entry->bytes == 6 && memcmp(entry->data, "poison", 6) == 0) ++*count;
}

static void test_a_message_that_ended_three_processes_is_set_aside_and_said_so(void **state)
{
    struct kit *k = poisoned(21);
    unsigned shown = 0;
    (void)state;
    kit_send(k, ANA, kit_id(k, BOB), "poison", NULL);
    for (int i = 0; i < 3; i++) {
        if (i > 0) kit_start(k, BOB, NULL);
        assert_true(run_to_crash(k, SECOND));
        assert_null(strstr(k->notes, "set aside"));
    }
    kit_start(k, BOB, NULL);
    assert_false(run_to_crash(k, SECOND));
    assert_int_equal(crash.told, 3);
    assert_int_equal(crash.redelivered, 2);
    assert_non_null(strstr(k->notes, "1: a message from n0"));
    assert_non_null(strstr(k->notes, "set aside"));
    assert_int_equal(kit_status(k, BOB).set_aside, 1);
    assert_int_equal(kit_status(k, BOB).inbox, 0);
    assert_int_equal(moth_history(kit_node(k, BOB), NULL, 10, see_set_aside, &shown), 0);
    assert_int_equal(shown, 1);
    kit_restart(k, BOB);
    assert_false(run_to_crash(k, SECOND));
    assert_int_equal(kit_status(k, BOB).set_aside, 1);
    kit_free(k);
}

static void test_one_bad_message_takes_no_innocent_one_with_it(void **state)
{
    static const char *const texts[] = {"good1", "good2", "poison", "good3", "good4"};
    struct kit *k = poisoned(22);
    struct moth_id bob = *kit_id(k, BOB);
    unsigned crashes = 0;
    (void)state;
    struct moth_payload payload = {.encoding = MOTH_TEXT};
    uint64_t id;
    for (int i = 0; i < 5; i++) { /* one turn, one group, one delivery */
        payload.data = texts[i];
        payload.bytes = strlen(texts[i]);
        assert_int_equal(moth_send(kit_node(k, ANA), &bob, &payload, NULL, &id), 0);
    }
    lab_turn(k->lab, ANA);
    while (run_to_crash(k, SECOND)) {
        crashes++;
        kit_start(k, BOB, NULL);
    }
    assert_int_equal(crashes, 3);
    assert_int_equal(kit_status(k, BOB).set_aside, 1);
    assert_int_equal(kit_status(k, BOB).inbox, 0);
    for (int i = 0; i < 5; i++) assert_true(kit_shown(k, BOB, texts[i]) >= 1);
    assert_int_equal(kit_shown(k, BOB, "good1"), kit_shown(k, BOB, "good2"));
    assert_true(kit_shown(k, BOB, "good1") <= 2); /* marked before the poison is tried again */
    kit_free(k);
}

/* --- expiry --- */

static void test_expiry_counts_the_time_switched_off(void **state)
{
    struct moth_id bob;
    struct kit *k = pair_alone(30, NULL, &bob);
    uint64_t id = queue_one(k, &bob, "short", 100);
    (void)state;
    lab_run(k->lab, 30 * SECOND);
    lab_kill(k->lab, ANA);
    lab_run(k->lab, 40 * SECOND);
    kit_start(k, ANA, NULL);
    lab_run(k->lab, 25 * SECOND);
    assert_int_equal(kit_state(k, ANA, id), MOTH_QUEUED);
    lab_run(k->lab, 6 * SECOND);
    assert_int_equal(kit_state(k, ANA, id), MOTH_EXPIRED);
    assert_int_equal(kit_reason(k, ANA, id), MOTH_EEXPIRED);
    assert_int_equal(k->states[MOTH_EXPIRED], 1);
    kit_free(k);
}

static void test_a_year_ahead_between_runs_expires_nothing_that_lives_longer_than_a_day(void **state)
{
    struct moth_id bob;
    struct kit *k = pair_alone(31, NULL, &bob);
    uint64_t id = queue_one(k, &bob, "m1", DAY_S + 3600);
    (void)state;
    lab_kill(k->lab, ANA);
    lab_clock(k->lab, ANA, YEAR_MS);
    kit_start(k, ANA, NULL);
    lab_run(k->lab, 60 * SECOND);
    assert_int_equal(kit_state(k, ANA, id), MOTH_QUEUED);
    bob_returns(k);
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, 10 * SECOND));
    kit_assert_row(k, BOB, 1, 1);
    kit_free(k);
}

static void test_a_year_behind_between_runs_keeps_nothing_for_ever(void **state)
{
    struct moth_id bob;
    struct kit *k = pair_alone(32, NULL, &bob);
    uint64_t id = queue_one(k, &bob, "short", 100);
    (void)state;
    lab_kill(k->lab, ANA);
    lab_clock(k->lab, ANA, -YEAR_MS);
    kit_start(k, ANA, NULL);
    lab_run(k->lab, 90 * SECOND);
    assert_int_equal(kit_state(k, ANA, id), MOTH_QUEUED);
    lab_run(k->lab, 11 * SECOND);
    assert_int_equal(kit_state(k, ANA, id), MOTH_EXPIRED);
    kit_free(k);
}

static void test_a_clock_that_jumps_while_running_expires_nothing_early_and_nothing_late(void **state)
{
    struct moth_id bob;
    struct kit *k = pair_alone(33, NULL, &bob);
    uint64_t brief = queue_one(k, &bob, "brief", 100), lasting = queue_one(k, &bob, "lasting", 2 * DAY_S);
    (void)state;
    lab_clock(k->lab, ANA, YEAR_MS);
    lab_run(k->lab, 40 * SECOND);
    lab_clock(k->lab, ANA, -YEAR_MS);
    lab_run(k->lab, 50 * SECOND);
    assert_int_equal(kit_state(k, ANA, brief), MOTH_QUEUED);
    lab_run(k->lab, 12 * SECOND);
    assert_int_equal(kit_state(k, ANA, brief), MOTH_EXPIRED);
    kit_restart(k, ANA); /* the clock fell back, and then it is right again */
    lab_run(k->lab, 10 * SECOND);
    lab_clock(k->lab, ANA, 0);
    kit_restart(k, ANA);
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(kit_state(k, ANA, lasting), MOTH_QUEUED);
    bob_returns(k);
    assert_true(kit_wait_state(k, ANA, lasting, MOTH_DELIVERED, 10 * SECOND));
    kit_free(k);
}

static void test_a_new_message_is_never_taken_for_an_old_one_whatever_the_clocks_say(void **state)
{
    static const int64_t ana_ms[] = {0, YEAR_MS, -YEAR_MS, 0, -YEAR_MS, YEAR_MS};
    static const int64_t bob_ms[] = {0, -YEAR_MS, 0, YEAR_MS, YEAR_MS, -YEAR_MS};
    struct kit *k = pair(34);
    struct moth_id bob = *kit_id(k, BOB);
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        lab_clock(k->lab, ANA, ana_ms[i]);
        lab_clock(k->lab, BOB, bob_ms[i]);
        kit_send_row(k, ANA, &bob, 3 * i + 1, 3 * i + 1); /* it jumped while running */
        assert_true(kit_wait_messages(k, BOB, 3 * i + 1, 10 * SECOND));
        kit_restart(k, ANA);
        kit_link(k, BOB, ANA);
        kit_send_row(k, ANA, &bob, 3 * i + 2, 3 * i + 2);
        assert_true(kit_wait_messages(k, BOB, 3 * i + 2, 10 * SECOND));
        lab_run(k->lab, SECOND);
        kit_restart(k, BOB);
        kit_link(k, BOB, ANA);
        kit_send_row(k, ANA, &bob, 3 * i + 3, 3 * i + 3);
        assert_true(kit_wait_messages(k, BOB, 3 * i + 3, 10 * SECOND));
        lab_run(k->lab, SECOND);
    }
    kit_assert_row(k, BOB, 1, 18);
    assert_int_equal(k->states[MOTH_DELIVERED], 18);
    kit_free(k);
}

/* bob commits after a second; meanwhile the link is gone, so that his receipt has to wait for it. */
static struct kit *expired_on_the_way(uint64_t seed, const struct moth_config *slow, uint64_t *id)
{
    struct kit *k = pair_with(seed, NULL, slow);
    struct moth_id bob = *kit_id(k, BOB);
    kit_send_row(k, ANA, &bob, 1, 1);
    assert_true(kit_wait_messages(k, BOB, 1, 3 * SECOND));
    lab_run(k->lab, 100 * MS);
    assert_int_equal(send_with(k, &bob, "m2", 10, 0, id), 0);
    lab_run(k->lab, 50 * MS);
    lab_cut(k->lab, ANA, BOB, false);
    lab_run(k->lab, 20 * SECOND);
    assert_int_equal(k->messages[BOB], 2);
    assert_int_equal(kit_state(k, ANA, *id), MOTH_EXPIRED);
    return k;
}

static void test_a_late_receipt_turns_expired_into_delivered(void **state)
{
    struct moth_config slow = slow_commits();
    uint64_t id;
    struct kit *k = expired_on_the_way(35, &slow, &id);
    unsigned delivered = k->states[MOTH_DELIVERED];
    (void)state;
    lab_join(k->lab, ANA, BOB);
    kit_link(k, ANA, BOB);
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, 10 * SECOND));
    assert_int_equal(k->states[MOTH_DELIVERED], delivered + 1);
    assert_int_equal(kit_reason(k, ANA, id), 0);
    lab_run(k->lab, SECOND);
    kit_restart(k, ANA);
    assert_int_equal(kit_state(k, ANA, id), MOTH_DELIVERED);
    kit_free(k);
}

static void test_a_late_receipt_counts_even_when_the_expiry_was_before_a_restart(void **state)
{
    struct moth_config slow = slow_commits();
    uint64_t id;
    struct kit *k = expired_on_the_way(36, &slow, &id);
    (void)state;
    kit_restart(k, ANA);
    assert_int_equal(kit_state(k, ANA, id), MOTH_EXPIRED);
    lab_join(k->lab, ANA, BOB);
    kit_link(k, ANA, BOB);
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, 10 * SECOND));
    lab_run(k->lab, SECOND);
    kit_restart(k, ANA);
    assert_int_equal(kit_state(k, ANA, id), MOTH_DELIVERED);
    kit_free(k);
}

static void test_the_configured_time_to_live_holds_unless_a_send_says_otherwise(void **state)
{
    struct moth_config brief = {.open = true, .ttl_s = 20};
    struct moth_id bob;
    struct kit *k = pair_alone(37, &brief, &bob);
    uint64_t plain = queue_one(k, &bob, "plain", 0), longer = queue_one(k, &bob, "longer", 60);
    (void)state;
    lab_run(k->lab, 25 * SECOND);
    assert_int_equal(kit_state(k, ANA, plain), MOTH_EXPIRED);
    assert_int_equal(kit_state(k, ANA, longer), MOTH_QUEUED);
    lab_run(k->lab, 40 * SECOND);
    assert_int_equal(kit_state(k, ANA, longer), MOTH_EXPIRED);
    brief.ttl_s = MOTH_TTL_MAX_S + 1;
    assert_int_equal(lab_start(k->lab, EVA, "n2", &brief), MOTH_EARGUMENT);
    kit_free(k);
}

static void test_messages_live_a_week_when_nobody_says_otherwise(void **state)
{
    struct moth_id bob;
    struct kit *k = pair_alone(38, NULL, &bob);
    uint64_t id = queue_one(k, &bob, "week", 0);
    (void)state;
    lab_run(k->lab, (uint64_t)(7 * DAY_S - 60) * SECOND);
    assert_int_equal(kit_state(k, ANA, id), MOTH_QUEUED);
    lab_run(k->lab, 61 * SECOND);
    assert_int_equal(kit_state(k, ANA, id), MOTH_EXPIRED);
    kit_free(k);
}

/* --- retries --- */

/* bob's disk fails: he reads everything and receipts nothing. */
static void let_bob_not_answer(struct kit *k)
{
    disk_fail_at(lab_disk(k->lab, BOB), disk_calls(lab_disk(k->lab, BOB)) + 1, true);
    uint64_t unused;
    struct moth_payload payload = {.encoding = MOTH_TEXT, .data = "", .bytes = 0};
    moth_send(kit_node(k, BOB), kit_id(k, BOB), &payload, NULL, &unused);
    lab_turn(k->lab, BOB);
    lab_run(k->lab, SECOND);
    assert_true(kit_status(k, BOB).store_reason < 0);
}

static void test_without_a_route_no_retry_is_spent(void **state)
{
    struct moth_id bob;
    struct kit *k = pair_alone(40, NULL, &bob);
    uint64_t id;
    (void)state;
    assert_int_equal(send_with(k, &bob, "m1", 0, 1, &id), 0);
    lab_run(k->lab, 3600 * (uint64_t)SECOND);
    assert_int_equal(kit_state(k, ANA, id), MOTH_QUEUED);
    assert_int_equal(sent_of(k, id).tries, 0);
    bob_returns(k);
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, 5 * SECOND));
    kit_free(k);
}

static void test_with_a_route_spent_retries_end_a_message(void **state)
{
    struct kit *k = pair(41);
    uint64_t id;
    (void)state;
    let_bob_not_answer(k);
    assert_int_equal(send_with(k, kit_id(k, BOB), "m1", 0, 2, &id), 0);
    lab_run(k->lab, 5 * SECOND);
    assert_int_equal(kit_state(k, ANA, id), MOTH_SENT);
    lab_run(k->lab, 60 * SECOND);
    assert_int_equal(kit_state(k, ANA, id), MOTH_EXPIRED);
    assert_int_equal(kit_reason(k, ANA, id), MOTH_ERETRIES);
    assert_int_equal(sent_of(k, id).tries, 3);
    kit_free(k);
}

static void test_configured_retries_hold_unless_a_send_says_unlimited(void **state)
{
    struct moth_config config = {.open = true, .retries = 1};
    struct kit *k = pair_with(42, &config, NULL);
    uint64_t plain, endless;
    (void)state;
    let_bob_not_answer(k);
    assert_int_equal(send_with(k, kit_id(k, BOB), "m1", 0, 0, &plain), 0);
    assert_int_equal(send_with(k, kit_id(k, BOB), "m2", 0, MOTH_RETRIES_UNLIMITED, &endless), 0);
    lab_run(k->lab, 1800 * (uint64_t)SECOND);
    assert_int_equal(kit_state(k, ANA, plain), MOTH_EXPIRED);
    assert_int_equal(kit_reason(k, ANA, plain), MOTH_ERETRIES);
    assert_int_equal(kit_state(k, ANA, endless), MOTH_SENT);
    assert_true(sent_of(k, endless).tries > 5);
    kit_free(k);
}

static void test_a_restart_gives_no_new_retries(void **state)
{
    struct kit *k = pair(43);
    struct moth_id bob = *kit_id(k, BOB);
    uint64_t id;
    (void)state;
    let_bob_not_answer(k);
    assert_int_equal(send_with(k, &bob, "m1", 0, 3, &id), 0);
    for (int i = 0; i < 6 && kit_state(k, ANA, id) != MOTH_EXPIRED; i++) {
        lab_run(k->lab, 8 * SECOND);
        kit_restart(k, ANA);
        kit_link(k, ANA, BOB);
    }
    assert_true(sent_of(k, id).tries <= 10);
    assert_int_equal(kit_state(k, ANA, id), MOTH_EXPIRED);
    kit_free(k);
}

/* --- cancelling --- */

static void test_a_cancelled_message_stays_cancelled_and_does_not_arrive(void **state)
{
    struct moth_id bob;
    struct kit *k = pair_alone(45, NULL, &bob);
    uint64_t id = queue_one(k, &bob, "m0", 0);
    (void)state;
    queue_one(k, &bob, "m1", 0);
    assert_int_equal(moth_cancel(kit_node(k, ANA), id), 0);
    lab_turn(k->lab, ANA);
    assert_int_equal(kit_state(k, ANA, id), MOTH_CANCELLED);
    assert_int_equal(kit_reason(k, ANA, id), MOTH_ECANCELLED);
    assert_int_equal(k->states[MOTH_CANCELLED], 1);
    assert_int_equal(moth_cancel(kit_node(k, ANA), id), MOTH_ENOT_FOUND);
    assert_int_equal(moth_cancel(kit_node(k, ANA), 12345), MOTH_ENOT_FOUND);
    lab_run(k->lab, SECOND);
    kit_restart(k, ANA);
    assert_int_equal(kit_state(k, ANA, id), MOTH_CANCELLED);
    bob_returns(k);
    lab_run(k->lab, 20 * SECOND);
    kit_assert_row(k, BOB, 1, 1);
    kit_free(k);
}

static void test_a_message_cancelled_before_its_commit_does_not_come_back(void **state)
{
    struct moth_id bob;
    struct kit *k = pair_alone(46, NULL, &bob);
    uint64_t id;
    (void)state;
    assert_int_equal(kit_send(k, ANA, &bob, "m1", &id), 0);
    assert_int_equal(moth_cancel(kit_node(k, ANA), id), 0);
    lab_turn(k->lab, ANA);
    lab_run(k->lab, SECOND);
    assert_int_equal(k->states[MOTH_QUEUED], 0);
    kit_restart(k, ANA);
    assert_int_equal(kit_status(k, ANA).mail, 0);
    assert_int_equal(kit_state(k, ANA, id), MOTH_CANCELLED);
    kit_free(k);
}

/* --- limits --- */

static void test_too_many_messages_refuse_the_next_send_until_one_ends(void **state)
{
    struct moth_config config = {.open = true};
    struct moth_id bob;
    config.limits[MOTH_LIMIT_MAIL_COUNT] = 3;
    struct kit *k = pair_alone(50, &config, &bob);
    uint64_t id = queue_one(k, &bob, "one", 0);
    (void)state;
    queue_one(k, &bob, "two", 0);
    queue_one(k, &bob, "three", 0);
    assert_int_equal(kit_send(k, ANA, &bob, "four", NULL), MOTH_EFULL);
    kit_start(k, BOB, NULL);
    lab_kill(k->lab, BOB);
    lab_kill(k->lab, ANA);
    assert_int_equal(lab_start(k->lab, ANA, "n0", &config), 0); /* those of before count */
    assert_int_equal(kit_send(k, ANA, &bob, "four", NULL), MOTH_EFULL);
    assert_int_equal(moth_cancel(kit_node(k, ANA), id), 0);
    assert_int_equal(kit_send(k, ANA, &bob, "four", NULL), 0);
    kit_free(k);
}

static void test_too_many_bytes_refuse_the_next_send(void **state)
{
    struct moth_config config = {.open = true};
    struct moth_id bob;
    char big[301] = "";
    memset(big, 'x', 300);
    config.limits[MOTH_LIMIT_MAIL_BYTES] = 700;
    struct kit *k = pair_alone(51, &config, &bob);
    (void)state;
    queue_one(k, &bob, big, 0);
    queue_one(k, &bob, big, 0);
    assert_int_equal(kit_send(k, ANA, &bob, big, NULL), MOTH_EFULL);
    assert_int_equal(kit_send(k, ANA, &bob, "small", NULL), 0);
    kit_free(k);
}

static void test_what_a_full_inbox_turns_away_stays_with_its_sender_and_comes_later(void **state)
{
    struct moth_config config = {.open = true};
    struct moth_payload payload = {.encoding = MOTH_TEXT};
    char text[16];
    uint64_t id;
    config.limits[MOTH_LIMIT_INBOX_PER_SENDER] = 100;
    struct kit *k = pair_with(52, NULL, &config);
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        payload.bytes = (size_t)snprintf(text, sizeof text, "m%u", i);
        payload.data = text;
        assert_int_equal(moth_send(kit_node(k, ANA), kit_id(k, BOB), &payload, NULL, &id), 0);
    }
    lab_turn(k->lab, ANA);
    lab_run(k->lab, 500 * MS);
    assert_true(kit_discarded(k, BOB, MOTH_EFULL) > 0);
    assert_in_range(kit_status(k, ANA).mail, 1, 19); /* not receipted */
    assert_int_equal(k->messages[BOB] + kit_status(k, ANA).mail, 20);
    lab_run(k->lab, 600 * (uint64_t)SECOND);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "m%u", i);
        assert_int_equal(kit_shown(k, BOB, text), 1);
    }
    assert_int_equal(k->states[MOTH_DELIVERED], 20);
    kit_free(k);
}

/* --- what can be asked afterwards --- */

struct page {
    unsigned count;
    char lines[32][32]; /* "> text" ours, "< text" theirs */
    enum moth_state states[32];
    struct moth_id peers[32];
};

static void add_line(void *context, const struct moth_entry *e)
{
    struct page *page = context;
    assert_in_range(page->count, 0, 31);
    snprintf(page->lines[page->count], 32, "%c %.*s", e->is_ours ? '>' : '<', (int)e->bytes, (const char *)e->data);
    page->peers[page->count] = e->peer;
    page->states[page->count++] = e->state;
}

static struct page history(const struct kit *k, unsigned machine, const struct moth_id *peer, size_t count)
{
    struct page page = {.count = 0};
    assert_int_equal(moth_history(kit_node(k, machine), peer, count, add_line, &page), 0);
    return page;
}

static void test_history_shows_both_directions_the_newest_first(void **state)
{
    struct kit *k = pair(60);
    struct moth_id bob = *kit_id(k, BOB), ana = *kit_id(k, ANA);
    (void)state;
    for (int round = 0; round < 2; round++) {
        if (round == 1) { /* the same after a restart of both */
            kit_restart(k, ANA);
            break;
        }
        kit_send(k, ANA, &bob, "hello", NULL);
        lab_run(k->lab, SECOND);
        kit_send(k, BOB, &ana, "good day", NULL);
        lab_run(k->lab, SECOND);
        kit_send(k, ANA, &bob, "how are you", NULL);
        lab_run(k->lab, SECOND);
    }
    struct page page = history(k, ANA, &bob, 10);
    assert_int_equal(page.count, 3);
    assert_string_equal(page.lines[0], "> how are you");
    assert_string_equal(page.lines[1], "< good day");
    assert_string_equal(page.lines[2], "> hello");
    assert_int_equal(page.states[0], MOTH_DELIVERED);
    page = history(k, ANA, &bob, 2);
    assert_int_equal(page.count, 2);
    assert_string_equal(page.lines[1], "< good day");
    assert_int_equal(history(k, ANA, &bob, 0).count, 0);
    assert_int_equal(history(k, ANA, &(struct moth_id){{7}}, 10).count, 0);
    kit_free(k);
}

static void test_history_shows_what_is_not_committed_yet(void **state)
{
    struct moth_id bob;
    struct kit *k = pair_alone(61, NULL, &bob);
    (void)state;
    queue_one(k, &bob, "kept", 0);
    kit_send(k, ANA, &bob, "just now", NULL);
    struct page page = history(k, ANA, &bob, 10);
    assert_int_equal(page.count, 2);
    assert_string_equal(page.lines[0], "> just now");
    assert_int_equal(page.states[0], MOTH_PENDING);
    assert_string_equal(page.lines[1], "> kept");
    assert_int_equal(page.states[1], MOTH_QUEUED);
    page = history(k, ANA, NULL, 1);
    assert_int_equal(page.count, 1);
    assert_string_equal(page.lines[0], "> just now");
    kit_free(k);
}

/* Its receipt was faster than our disk. */
static void test_history_knows_what_was_delivered_before_its_commit(void **state)
{
    struct moth_config slow = slow_commits();
    struct kit *k = pair_with(66, &slow, NULL);
    struct moth_id bob = *kit_id(k, BOB);
    (void)state;
    assert_int_equal(kit_send(k, ANA, &bob, "first", NULL), 0);
    lab_run(k->lab, 50 * MS);
    assert_int_equal(kit_send(k, ANA, &bob, "second", NULL), 0);
    assert_int_equal(kit_send(k, ANA, &bob, "third", NULL), 0);
    lab_run(k->lab, 100 * MS);
    for (int committed = 0; committed < 2; committed++) {
        struct page page = history(k, ANA, &bob, 10);
        assert_int_equal(kit_status(k, ANA).writes_waiting == 0, committed);
        assert_int_equal(page.count, 3);
        assert_string_equal(page.lines[0], "> third");
        assert_string_equal(page.lines[1], "> second");
        assert_int_equal(page.states[0], MOTH_DELIVERED);
        lab_run(k->lab, 3 * SECOND);
    }
    kit_free(k);
}

/*   ana --- bob --- eva     both away from ana's view */
static void test_history_with_everybody_is_the_newest_first_even_before_the_commits(void **state)
{
    struct kit *k = kit_row(62, 3);
    struct moth_id bob = *kit_id(k, BOB), eva = *kit_id(k, EVA);
    (void)state;
    lab_cut(k->lab, ANA, BOB, false);
    lab_run(k->lab, 10 * SECOND);
    kit_send(k, ANA, &bob, "1", NULL);
    kit_send(k, ANA, &eva, "2", NULL);
    kit_send(k, ANA, &bob, "3", NULL);
    kit_send(k, ANA, &eva, "4", NULL);
    struct page page = history(k, ANA, NULL, 10);
    assert_int_equal(page.count, 4);
    assert_string_equal(page.lines[0], "> 4");
    assert_string_equal(page.lines[1], "> 3");
    assert_string_equal(page.lines[2], "> 2");
    assert_string_equal(page.lines[3], "> 1");
    page = history(k, ANA, &bob, 10);
    assert_int_equal(page.count, 2);
    assert_string_equal(page.lines[0], "> 3");
    assert_string_equal(page.lines[1], "> 1");
    lab_run(k->lab, SECOND);
    page = history(k, ANA, NULL, 3);
    assert_int_equal(page.count, 3);
    assert_string_equal(page.lines[0], "> 4");
    assert_string_equal(page.lines[2], "> 2");
    kit_free(k);
}

static void test_ended_messages_can_be_asked_for_after_a_restart(void **state)
{
    struct kit *k = pair(63);
    struct moth_id bob = *kit_id(k, BOB);
    uint64_t delivered, expired, cancelled;
    (void)state;
    assert_int_equal(kit_send(k, ANA, &bob, "delivered", &delivered), 0);
    lab_run(k->lab, SECOND);
    lab_kill(k->lab, BOB);
    lab_run(k->lab, 5 * SECOND);
    expired = queue_one(k, &bob, "expired", 10);
    cancelled = queue_one(k, &bob, "cancelled", 0);
    assert_int_equal(moth_cancel(kit_node(k, ANA), cancelled), 0);
    lab_run(k->lab, 20 * SECOND);
    kit_restart(k, ANA);
    struct moth_sent sent = sent_of(k, delivered);
    assert_int_equal(sent.state, MOTH_DELIVERED);
    assert_int_equal(sent.bytes, 9);
    assert_int_equal(sent.tries, 1);
    assert_true(id_equal(&sent.to, &bob));
    assert_string_equal(sent.name, "n1");
    assert_true(sent.changed_ms >= sent.accepted_ms && sent.accepted_ms > 1893456000000u);
    sent = sent_of(k, expired);
    assert_int_equal(sent.state, MOTH_EXPIRED);
    assert_int_equal(sent.reason, MOTH_EEXPIRED);
    sent = sent_of(k, cancelled);
    assert_int_equal(sent.state, MOTH_CANCELLED);
    assert_int_equal(sent.reason, MOTH_ECANCELLED);
    assert_int_equal(moth_mail_list(kit_node(k, ANA), NULL, 0), 0);
    kit_free(k);
}

/* --- who is known --- */

static void test_known_peers_keys_names_and_addresses_outlive_a_restart(void **state)
{
    struct kit *k = pair(70);
    struct moth_id bob = *kit_id(k, BOB), found;
    struct moth_peer peer;
    char address[MOTH_ADDRESS_TEXT_BYTES];
    uint64_t id;
    (void)state;
    lab_kill(k->lab, BOB);
    kit_restart(k, ANA);
    assert_int_equal(moth_resolve(kit_node(k, ANA), "n1", &found), 0);
    assert_true(id_equal(&found, &bob));
    assert_int_equal(moth_peer_get(kit_node(k, ANA), &bob, &peer), 0);
    assert_string_equal(peer.name, "n1");
    lab_address(BOB, address);
    assert_string_equal(peer.address, address);
    assert_false(peer.reachable);
    assert_true(peers_find(&kit_node(k, ANA)->peers, &bob)->has_keys);
    assert_int_equal(kit_send(k, ANA, &found, "m1", &id), 0);
    lab_run(k->lab, SECOND);
    assert_int_equal(kit_state(k, ANA, id), MOTH_QUEUED);
    kit_start(k, BOB, NULL); /* nobody connects: ana dials the address she has learned */
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, 120 * SECOND));
    kit_assert_row(k, BOB, 1, 1);
    kit_free(k);
}

/* bob's book has ana's keys, so what she sends opens although he never met her in this life. */
static void test_a_stranger_in_between_does_not_need_to_be_met_again(void **state)
{
    struct kit *k = kit_row(71, 3);
    struct moth_id eva = *kit_id(k, EVA);
    (void)state;
    kit_send(k, ANA, &eva, "m1", NULL);
    assert_true(kit_wait_messages(k, EVA, 1, SECOND));
    lab_run(k->lab, 40 * SECOND);
    kit_restart(k, EVA);
    kit_link(k, EVA, BOB);
    kit_send(k, ANA, &eva, "m2", NULL);
    assert_true(kit_wait_messages(k, EVA, 2, 10 * SECOND));
    kit_assert_row(k, EVA, 1, 2);
    kit_free(k);
}

static void test_an_alias_persists_wins_and_is_refused_when_taken(void **state)
{
    struct kit *k = kit_row(72, 3);
    struct moth_id bob = *kit_id(k, BOB), eva = *kit_id(k, EVA), found;
    struct moth_peer peer;
    (void)state;
    assert_int_equal(moth_alias(kit_node(k, ANA), &bob, "n2"), 0); /* what eva calls herself */
    assert_int_equal(moth_alias(kit_node(k, ANA), &eva, "n2"), MOTH_EIN_USE);
    assert_int_equal(moth_alias(kit_node(k, ANA), &eva, "n0"), MOTH_EIN_USE);
    assert_int_equal(moth_alias(kit_node(k, ANA), &eva, "no spaces"), MOTH_EBAD_NAME);
    assert_int_equal(moth_alias(kit_node(k, ANA), &(struct moth_id){{7}}, "x"), MOTH_EUNKNOWN_PEER);
    lab_turn(k->lab, ANA);
    lab_run(k->lab, SECOND);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(moth_resolve(kit_node(k, ANA), "n2", &found), 0);
        assert_true(id_equal(&found, &bob));
        assert_int_equal(moth_peer_get(kit_node(k, ANA), &bob, &peer), 0);
        assert_string_equal(peer.name, "n2");
        assert_true(peer.is_aliased);
        kit_restart(k, ANA);
    }
    assert_int_equal(moth_alias(kit_node(k, ANA), &bob, NULL), 0);
    lab_turn(k->lab, ANA);
    lab_run(k->lab, SECOND);
    kit_restart(k, ANA);
    assert_int_equal(moth_resolve(kit_node(k, ANA), "n2", &found), 0);
    assert_true(id_equal(&found, &eva));
    kit_free(k);
}

/* --- blocking --- */

static void test_a_block_ends_the_link_refuses_new_ones_and_persists(void **state)
{
    struct kit *k = pair(75);
    struct moth_id ana = *kit_id(k, ANA), bob = *kit_id(k, BOB);
    struct moth_peer peer;
    (void)state;
    assert_int_equal(moth_block(kit_node(k, BOB), &bob, true), MOTH_ESELF);
    assert_int_equal(moth_block(kit_node(k, BOB), &(struct moth_id){{7}}, true), MOTH_EUNKNOWN_PEER);
    assert_int_equal(moth_block(kit_node(k, BOB), &ana, true), 0);
    lab_turn(k->lab, BOB);
    lab_run(k->lab, SECOND);
    assert_false(kit_linked(k, ANA, BOB));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(moth_peer_get(kit_node(k, BOB), &ana, &peer), 0);
        assert_true(peer.is_blocked);
        assert_int_equal(kit_send(k, BOB, &ana, "no", NULL), MOTH_EUNWANTED);
        assert_int_equal(kit_emit(k, BOB, &ana, "no"), MOTH_EUNWANTED);
        lab_connect(k->lab, ANA, BOB);
        lab_run(k->lab, 30 * SECOND);
        assert_false(kit_linked(k, ANA, BOB));
        kit_restart(k, BOB);
    }
    assert_int_equal(moth_block(kit_node(k, BOB), &ana, false), 0);
    lab_turn(k->lab, BOB);
    lab_connect(k->lab, BOB, ANA);
    lab_run(k->lab, 60 * SECOND);
    assert_true(kit_linked(k, ANA, BOB));
    kit_restart(k, BOB);
    kit_link(k, BOB, ANA);
    assert_int_equal(kit_send(k, ANA, &bob, "m1", NULL), 0);
    assert_true(kit_wait_messages(k, BOB, 1, SECOND));
    kit_free(k);
}

/*   ana --- bob --- eva     eva blocks ana; bob passes everything on */
static void test_who_is_blocked_is_told_so_and_heard_again_when_it_ends(void **state)
{
    struct kit *k = kit_row(76, 3);
    struct moth_id ana = *kit_id(k, ANA), eva = *kit_id(k, EVA);
    uint64_t id;
    (void)state;
    assert_int_equal(moth_block(kit_node(k, EVA), &ana, true), 0);
    lab_turn(k->lab, EVA);
    assert_int_equal(kit_send(k, ANA, &eva, "durable", &id), 0);
    assert_true(kit_wait_state(k, ANA, id, MOTH_REFUSED, 5 * SECOND));
    assert_int_equal(kit_reason(k, ANA, id), MOTH_EUNWANTED);
    assert_int_equal(kit_emit(k, ANA, &eva, "light"), 0);
    assert_int_equal(kit_emit(k, ANA, NULL, "to all"), 0);
    lab_run(k->lab, SECOND);
    assert_int_equal(k->messages[EVA], 0);
    assert_int_equal(k->messages[BOB], 1);
    assert_true(kit_discarded(k, EVA, MOTH_EUNWANTED) >= 3);
    assert_int_equal(moth_block(kit_node(k, EVA), &ana, false), 0);
    lab_turn(k->lab, EVA);
    kit_send_row(k, ANA, &eva, 1, 1);
    assert_true(kit_wait_messages(k, EVA, 1, 5 * SECOND));
    kit_assert_row(k, EVA, 1, 1);
    kit_free(k);
}

/* --- disks that are full or fail --- */

enum trouble { DISK_FULL, DISK_FAILS };

static void begin(struct kit *k, unsigned machine, enum trouble trouble)
{
    struct disk *disk = lab_disk(k->lab, machine);
    if (trouble == DISK_FULL) disk_limit(disk, disk_bytes(disk));
    else disk_fail_at(disk, disk_calls(disk) + 1, true);
}

static void end(struct kit *k, unsigned machine)
{
    disk_limit(lab_disk(k->lab, machine), UINT64_MAX);
    disk_heal(lab_disk(k->lab, machine));
}

/* Sends until it is refused, as it must be soon. Returns how many were accepted. */
static unsigned send_until_refused(struct kit *k, const struct moth_id *to, unsigned first)
{
    char text[16];
    for (unsigned i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "m%u", first + i);
        int rc = kit_send(k, ANA, to, text, NULL);
        if (rc < 0) {
            assert_int_equal(rc, MOTH_ESTORE);
            return i;
        }
        lab_run(k->lab, 50 * MS);
    }
    fail_msg("the disk was full, and nothing was refused");
    return 0;
}

static void check_that_sends_are_refused(uint64_t seed, enum trouble trouble, int reason)
{
    struct moth_id bob;
    struct kit *k = pair_alone(seed, NULL, &bob);
    kit_send_row(k, ANA, &bob, 1, 5);
    lab_run(k->lab, SECOND);
    begin(k, ANA, trouble);
    unsigned accepted = 5 + send_until_refused(k, &bob, 6);
    unsigned promised = k->states[MOTH_QUEUED];
    assert_true(promised >= 5 && promised <= accepted);
    assert_int_equal(kit_status(k, ANA).store_reason, reason);
    assert_non_null(strstr(k->notes, reason == MOTH_ENO_SPACE ? "0: the disk is full" : "0: the disk fails"));
    lab_run(k->lab, 30 * SECOND);
    assert_int_equal(kit_send(k, ANA, &bob, "no", NULL), MOTH_ESTORE);
    assert_int_equal(k->states[MOTH_LOST], 0);
    end(k, ANA);
    lab_run(k->lab, 12 * SECOND);
    assert_int_equal(kit_status(k, ANA).store_reason, 0);
    assert_non_null(strstr(k->notes, "can be written again"));
    assert_int_equal(k->states[MOTH_QUEUED], accepted); /* what waited is promised now */
    kit_send_row(k, ANA, &bob, accepted + 1, accepted + 1);
    lab_run(k->lab, SECOND);
    kit_restart(k, ANA);
    bob_returns(k);
    assert_true(kit_wait_messages(k, BOB, accepted + 1, 20 * SECOND));
    kit_assert_row(k, BOB, 1, accepted + 1);
    kit_free(k);
}

static void test_a_full_disk_refuses_sends_says_so_and_recovers(void **state)
{
    (void)state;
    check_that_sends_are_refused(80, DISK_FULL, MOTH_ENO_SPACE);
}

static void test_a_failing_disk_refuses_sends_says_so_and_recovers(void **state)
{
    (void)state;
    check_that_sends_are_refused(81, DISK_FAILS, MOTH_EIO);
}

static void check_that_promises_hold_over_a_kill(uint64_t seed, enum trouble trouble)
{
    struct moth_id bob;
    struct kit *k = pair_alone(seed, NULL, &bob);
    kit_send_row(k, ANA, &bob, 1, 5);
    lab_run(k->lab, SECOND);
    begin(k, ANA, trouble);
    send_until_refused(k, &bob, 6);
    unsigned promised = k->states[MOTH_QUEUED];
    lab_kill(k->lab, ANA);
    end(k, ANA);
    kit_start(k, ANA, NULL);
    assert_true(kit_status(k, ANA).mail >= promised);
    bob_returns(k);
    assert_true(kit_wait_messages(k, BOB, promised, 20 * SECOND));
    lab_run(k->lab, 10 * SECOND);
    kit_assert_row(k, BOB, 1, k->messages[BOB]);
    kit_free(k);
}

static void test_a_power_cut_on_a_full_disk_loses_nothing_promised(void **state)
{
    (void)state;
    check_that_promises_hold_over_a_kill(82, DISK_FULL);
}

static void test_a_power_cut_on_a_failing_disk_loses_nothing_promised(void **state)
{
    (void)state;
    check_that_promises_hold_over_a_kill(83, DISK_FAILS);
}

/* Makes a machine notice its trouble. */
static void notice(struct kit *k, unsigned machine)
{
    for (int i = 0; i < 200 && kit_status(k, machine).store_reason == 0; i++) {
        kit_send(k, machine, kit_id(k, machine), "note", NULL);
        lab_run(k->lab, 50 * MS);
    }
    assert_true(kit_status(k, machine).store_reason < 0);
}

static void check_that_nothing_is_receipted(uint64_t seed, enum trouble trouble, bool killed)
{
    struct kit *k = pair(seed);
    struct moth_id bob = *kit_id(k, BOB);
    begin(k, BOB, trouble);
    notice(k, BOB);
    unsigned before = k->messages[BOB];
    kit_send_row(k, ANA, &bob, 1, 5);
    lab_run(k->lab, 60 * SECOND);
    assert_int_equal(k->messages[BOB], before);
    assert_int_equal(k->states[MOTH_DELIVERED], before); /* those are bob's own */
    assert_int_equal(kit_status(k, ANA).mail, 5);
    assert_true(kit_linked(k, ANA, BOB));
    if (killed) lab_kill(k->lab, BOB);
    end(k, BOB);
    if (killed) bob_returns(k);
    lab_run(k->lab, 200 * (uint64_t)SECOND);
    assert_int_equal(kit_status(k, ANA).mail, 0);
    for (unsigned i = 1; i <= 5; i++) {
        char text[16];
        snprintf(text, sizeof text, "m%u", i);
        assert_int_equal(kit_shown(k, BOB, text), 1);
    }
    kit_free(k);
}

static void test_a_full_disk_neither_stores_nor_receipts_until_there_is_room(void **state)
{
    (void)state;
    check_that_nothing_is_receipted(84, DISK_FULL, false);
    check_that_nothing_is_receipted(85, DISK_FULL, true);
}

static void test_a_failing_disk_neither_stores_nor_receipts_until_it_heals(void **state)
{
    (void)state;
    check_that_nothing_is_receipted(86, DISK_FAILS, false);
    check_that_nothing_is_receipted(87, DISK_FAILS, true);
}

/* It came before the failure was known: its commit fails, and it is told only when it succeeds after all. */
static void test_a_message_whose_commit_fails_is_receipted_only_after_it_succeeds(void **state)
{
    struct kit *k = pair(88);
    uint64_t id;
    (void)state;
    begin(k, BOB, DISK_FAILS);
    assert_int_equal(kit_send(k, ANA, kit_id(k, BOB), "m1", &id), 0);
    lab_run(k->lab, 30 * SECOND);
    assert_int_equal(k->messages[BOB], 0);
    assert_int_equal(kit_state(k, ANA, id), MOTH_SENT);
    end(k, BOB);
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, 10 * SECOND));
    kit_assert_row(k, BOB, 1, 1);
    kit_free(k);
}

/* One call of the disk fails, each in turn; what is promised arrives all the same, once. */
static void test_one_failing_call_of_the_disk_breaks_no_promise(void **state)
{
    (void)state;
    for (uint64_t call = 1; call <= 12; call++) {
        struct kit *k = pair(100 + call);
        struct moth_id bob = *kit_id(k, BOB);
        disk_fail_at(lab_disk(k->lab, ANA), disk_calls(lab_disk(k->lab, ANA)) + call, false);
        disk_fail_at(lab_disk(k->lab, BOB), disk_calls(lab_disk(k->lab, BOB)) + call, false);
        unsigned accepted = 0;
        for (unsigned i = 0; i < 5; i++) {
            char text[16];
            snprintf(text, sizeof text, "m%u", accepted + 1);
            accepted += kit_send(k, ANA, &bob, text, NULL) == 0;
            lab_run(k->lab, 10 * MS);
        }
        lab_run(k->lab, 60 * SECOND);
        assert_int_equal(kit_status(k, ANA).mail, 0);
        assert_int_equal(kit_status(k, ANA).store_reason, 0);
        kit_assert_row(k, BOB, 1, accepted);
        kit_free(k);
    }
}

/*   ana --- bob --- eva     bob's disk is full */
static void check_that_relaying_goes_on(uint64_t seed, enum trouble trouble)
{
    struct kit *k = kit_row(seed, 3);
    struct moth_id eva = *kit_id(k, EVA), ana = *kit_id(k, ANA);
    uint64_t id;
    begin(k, BOB, trouble);
    notice(k, BOB);
    assert_int_equal(kit_send(k, ANA, &eva, "durable", &id), 0);
    assert_true(kit_wait_state(k, ANA, id, MOTH_DELIVERED, 5 * SECOND));
    assert_int_equal(kit_emit(k, EVA, &ana, "light"), 0);
    assert_int_equal(kit_emit(k, ANA, NULL, "to all"), 0);
    lab_run(k->lab, SECOND);
    assert_int_equal(kit_shown(k, EVA, "durable"), 1);
    assert_int_equal(kit_shown(k, ANA, "light"), 1);
    assert_int_equal(kit_shown(k, BOB, "to all") + kit_shown(k, EVA, "to all"), 2);
    assert_true(kit_status(k, BOB).store_reason < 0);
    kit_free(k);
}

static void test_a_relay_with_a_full_or_failing_disk_passes_everything_on(void **state)
{
    (void)state;
    check_that_relaying_goes_on(120, DISK_FULL);
    check_that_relaying_goes_on(121, DISK_FAILS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_messages_outlive_a_power_cut_and_arrive_once_in_order),
        cmocka_unit_test(test_a_message_is_pending_until_its_commit_and_then_queued),
        cmocka_unit_test(test_on_a_long_way_a_message_is_sent_and_then_delivered),
        cmocka_unit_test(test_what_was_not_committed_is_gone_without_a_trace),
        cmocka_unit_test(test_a_receipt_before_the_commit_is_delivered_and_never_queued),
        cmocka_unit_test(test_no_receipt_leaves_before_the_recipients_commit),
        cmocka_unit_test(test_what_was_shown_is_not_shown_again_when_its_receipt_was_lost),
        cmocka_unit_test(test_restarts_of_both_ends_at_any_moment_break_no_promise),
        cmocka_unit_test(test_the_order_of_one_sender_holds_over_its_restart),
        cmocka_unit_test(test_mail_to_oneself_outlives_a_power_cut_and_is_shown_once),
        cmocka_unit_test(test_who_died_of_a_message_is_told_it_again_as_redelivered),
        cmocka_unit_test(test_a_message_that_ended_three_processes_is_set_aside_and_said_so),
        cmocka_unit_test(test_one_bad_message_takes_no_innocent_one_with_it),
        cmocka_unit_test(test_expiry_counts_the_time_switched_off),
        cmocka_unit_test(test_a_year_ahead_between_runs_expires_nothing_that_lives_longer_than_a_day),
        cmocka_unit_test(test_a_year_behind_between_runs_keeps_nothing_for_ever),
        cmocka_unit_test(test_a_clock_that_jumps_while_running_expires_nothing_early_and_nothing_late),
        cmocka_unit_test(test_a_new_message_is_never_taken_for_an_old_one_whatever_the_clocks_say),
        cmocka_unit_test(test_a_late_receipt_turns_expired_into_delivered),
        cmocka_unit_test(test_a_late_receipt_counts_even_when_the_expiry_was_before_a_restart),
        cmocka_unit_test(test_the_configured_time_to_live_holds_unless_a_send_says_otherwise),
        cmocka_unit_test(test_messages_live_a_week_when_nobody_says_otherwise),
        cmocka_unit_test(test_without_a_route_no_retry_is_spent),
        cmocka_unit_test(test_with_a_route_spent_retries_end_a_message),
        cmocka_unit_test(test_configured_retries_hold_unless_a_send_says_unlimited),
        cmocka_unit_test(test_a_restart_gives_no_new_retries),
        cmocka_unit_test(test_a_cancelled_message_stays_cancelled_and_does_not_arrive),
        cmocka_unit_test(test_a_message_cancelled_before_its_commit_does_not_come_back),
        cmocka_unit_test(test_too_many_messages_refuse_the_next_send_until_one_ends),
        cmocka_unit_test(test_too_many_bytes_refuse_the_next_send),
        cmocka_unit_test(test_what_a_full_inbox_turns_away_stays_with_its_sender_and_comes_later),
        cmocka_unit_test(test_history_shows_both_directions_the_newest_first),
        cmocka_unit_test(test_history_shows_what_is_not_committed_yet),
        cmocka_unit_test(test_history_with_everybody_is_the_newest_first_even_before_the_commits),
        cmocka_unit_test(test_history_knows_what_was_delivered_before_its_commit),
        cmocka_unit_test(test_ended_messages_can_be_asked_for_after_a_restart),
        cmocka_unit_test(test_known_peers_keys_names_and_addresses_outlive_a_restart),
        cmocka_unit_test(test_a_stranger_in_between_does_not_need_to_be_met_again),
        cmocka_unit_test(test_an_alias_persists_wins_and_is_refused_when_taken),
        cmocka_unit_test(test_a_block_ends_the_link_refuses_new_ones_and_persists),
        cmocka_unit_test(test_who_is_blocked_is_told_so_and_heard_again_when_it_ends),
        cmocka_unit_test(test_a_full_disk_refuses_sends_says_so_and_recovers),
        cmocka_unit_test(test_a_failing_disk_refuses_sends_says_so_and_recovers),
        cmocka_unit_test(test_a_power_cut_on_a_full_disk_loses_nothing_promised),
        cmocka_unit_test(test_a_power_cut_on_a_failing_disk_loses_nothing_promised),
        cmocka_unit_test(test_a_full_disk_neither_stores_nor_receipts_until_there_is_room),
        cmocka_unit_test(test_a_failing_disk_neither_stores_nor_receipts_until_it_heals),
        cmocka_unit_test(test_a_message_whose_commit_fails_is_receipted_only_after_it_succeeds),
        cmocka_unit_test(test_one_failing_call_of_the_disk_breaks_no_promise),
        cmocka_unit_test(test_a_relay_with_a_full_or_failing_disk_passes_everything_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
