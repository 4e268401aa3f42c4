/* test_store_faults.c -- the database of a node on disks that fail, fill up, lose power, and on files that are damaged.
 *
 * The script of store_kit.h runs, and something happens at one disk call of it; then at the next one; and so on for all
 * of them. Whatever it is, what is there afterwards must be a first part of the script, with all in it that was told to
 * be committed. */
#include "store_kit.h"

#define BURST 5
#define CHECKPOINTS "PRAGMA wal_autocheckpoint = 30" /* pages: some happen within the script */
#define POINTS_MIN 200

static uint64_t looks[SCRIPT_WRITES + 1];

static int set_up_looks(void **state)
{
    (void)state;
    script_looks(looks);
    return 0;
}

static int set_up(void **state)
{
    struct kit *k = kit_on_disk(1);
    kit_open(k);
    kit_pass(k, SECOND);
    *state = k;
    return 0;
}

static int set_up_folder(void **state)
{
    struct kit *k = kit_in_folder();
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

/* Writes the script from where it stands up to `end`. False: it stopped, the store cannot write. */
static bool play(struct kit *k, unsigned end)
{
    while (k->written < end) {
        for (unsigned i = 0; i < BURST && k->written < end; i++) kit_write(k, script_write(k->written));
        kit_pass(k, 6 * MS);
        kit_turn(k);
        if (k->store.reason < 0) return false;
    }
    return true;
}

/* Opens, plays half, closes, opens again, plays the rest, closes. False: something stopped it. */
static bool play_all(struct kit *k)
{
    for (unsigned half = 1; half <= 2; half++) {
        if (kit_try_open(k) < 0) return false;
        sqlite3_exec(k->store.db->writer, CHECKPOINTS, NULL, NULL, NULL);
        if (!play(k, half * SCRIPT_WRITES / 2)) return false;
        kit_close(k); /* commits what still waits, and tells nobody */
    }
    return true;
}

/* How many writes are there: the database is a first part of the script, and what was told is in it. */
static unsigned part_there(struct kit *k)
{
    uint64_t look = kit_look(k);
    unsigned n = k->told;
    while (n < k->written && look != looks[n]) n++;
    if (look != looks[n]) fail_msg("after %u of %u writes it looks like no part of them", k->told, k->written);
    return n;
}

static void check_promises(struct kit *k)
{
    kit_check_integrity(k);
    part_there(k);
}

/* --- power loss --- */

/* The power goes at that call; and again, a little later, while all is being recovered. */
static bool lose_power_at(uint64_t call, uint64_t seed)
{
    struct kit *k = kit_on_disk(seed);
    disk_cut_at(k->disk, call);
    bool reached = !play_all(k) || disk_calls(k->disk) >= call;
    kit_close(k);
    disk_restore(k->disk, true);
    disk_cut_at(k->disk, disk_calls(k->disk) + 1 + (call * 7 + seed) % 40);
    if (kit_try_open(k) == 0) kit_close(k);
    disk_restore(k->disk, true);
    disk_heal(k->disk);
    kit_open(k); /* and nothing was taken for damage */
    check_promises(k);
    kit_free(k);
    return reached;
}

static void power_loss_at_any_call_breaks_no_promise(void **state)
{
    uint64_t call = 1;
    bool reached = true;
    (void)state;
    for (; reached; call++) reached = lose_power_at(call, call);
    assert_true(call > POINTS_MIN);
}

static void process_killed_at_any_call_loses_nothing_told(void **state)
{
    (void)state;
    for (uint64_t call = 1; call < POINTS_MIN; call += 3) {
        struct kit *k = kit_on_disk(call);
        disk_cut_at(k->disk, call);
        play_all(k);
        kit_close(k);
        disk_restore(k->disk, false);
        disk_heal(k->disk);
        kit_open(k);
        check_promises(k);
        kit_free(k);
    }
}

/* The same harness must be able to fail: without syncs promises are broken. */
static void database_that_does_not_sync_breaks_promises(void **state)
{
    unsigned broken = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct kit *k = kit_on_disk(seed);
        kit_open(k);
        sqlite3_exec(k->store.db->writer, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
        play(k, SCRIPT_WRITES);
        disk_cut(k->disk);
        kit_close(k);
        disk_restore(k->disk, true);
        broken += kit_try_open(k) < 0 || k->report.aside[0] || kit_look(k) != looks[SCRIPT_WRITES];
        kit_free(k);
    }
    assert_true(broken > 5);
}

/* --- a disk that fails --- */

static void check_recovery(struct kit *k)
{
    for (unsigned i = 0; i < 4 && k->store.reason < 0; i++) {
        kit_pass(k, 5 * SECOND);
        kit_turn(k);
    }
    assert_int_equal(k->store.reason, 0);
    if (k->condition_count > 0) assert_int_equal(k->conditions[k->condition_count - 1], 0);
}

static void finish_script(struct kit *k)
{
    assert_true(play(k, SCRIPT_WRITES));
    kit_commit(k);
    assert_int_equal(kit_look(k), looks[SCRIPT_WRITES]);
    kit_reopen(k);
    assert_int_equal(kit_look(k), looks[SCRIPT_WRITES]);
    kit_check_integrity(k);
}

/* A failing call stops an open, or a group, or nothing; when the disk is well again, the store goes on by itself. */
static bool fail_at(uint64_t call, bool after)
{
    struct kit *k = kit_on_disk(call);
    disk_fail_at(k->disk, call, after);
    play_all(k);
    bool reached = disk_calls(k->disk) >= call, is_open = k->store.db != NULL;
    for (unsigned i = 0; is_open && i < 3; i++) { /* still failing */
        kit_pass(k, 5 * SECOND);
        kit_turn(k);
    }
    disk_heal(k->disk);
    if (is_open) {
        check_recovery(k);
        kit_commit(k);
        assert_int_equal(k->told, k->written);
    } else {
        kit_open(k);
        check_promises(k);
        k->written = k->told = part_there(k); /* what was lost was not promised: it is written again */
    }
    finish_script(k);
    kit_free(k);
    return reached;
}

static void failure_of_any_one_call_breaks_no_promise_and_heals(void **state)
{
    uint64_t call = 1;
    (void)state;
    while (fail_at(call, false)) call++;
    assert_true(call > POINTS_MIN);
}

static void failure_of_all_calls_from_any_on_breaks_no_promise_and_heals(void **state)
{
    uint64_t call = 1;
    (void)state;
    while (fail_at(call, true)) call++;
    assert_true(call > POINTS_MIN);
}

static void broken_disk_is_said_once_and_its_end_too(void **state)
{
    struct kit *k = *state;
    disk_fail_at(k->disk, disk_calls(k->disk) + 1, true);
    kit_write(k, write_kv(STORE_KV, "s", "k", "v"));
    kit_turn(k);
    for (unsigned i = 0; i < 5; i++) {
        assert_false(store_may_promise(&k->store));
        uint64_t retry_us = kit_tick(k);
        assert_null(k->run);
        assert_int_equal(retry_us, k->now_us + 5 * SECOND);
        kit_pass(k, 5 * SECOND);
        kit_turn(k);
    }
    assert_int_equal(k->told, 0);
    disk_heal(k->disk);
    kit_pass(k, 5 * SECOND);
    kit_turn(k);
    assert_true(store_may_promise(&k->store));
    assert_int_equal(k->told, 1);
    assert_int_equal(k->condition_count, 2);
    assert_int_equal(k->conditions[0], MOTH_EIO);
    assert_int_equal(k->conditions[1], 0);
}

static void reads_while_the_database_is_closed_are_refused_and_come_back(void **state)
{
    struct kit *k = *state;
    struct peer p = {.row = 1};
    struct moth_id id = kit_id(1);
    struct moth_sent sent;
    int64_t row;
    uint8_t *body;
    know(k, 1);
    disk_fail_at(k->disk, disk_calls(k->disk) + 1, true);
    kit_write(k, write_message(5, 1, "body"));
    kit_pass(k, SECOND);
    kit_turn(k);
    kit_pass(k, 5 * SECOND);
    kit_turn(k); /* closed, and not opened */
    assert_int_equal(store_body(&k->store, 5, 4, &body), MOTH_ESTORE);
    assert_int_equal(store_inbox_body(&k->store, 5, 4, &body), MOTH_ESTORE);
    assert_int_equal(store_peer_row(&k->store, &id, &row), MOTH_ESTORE);
    assert_int_equal(delivered(k, &p, 10), MOTH_ESTORE);
    assert_int_equal(store_ended(&k->store, 5, &sent), MOTH_ESTORE);
    assert_int_equal(store_history(&k->store, 0, NULL, NULL), MOTH_ESTORE);
    assert_int_equal(store_kv_each(&k->store, slice_text("s"), slice_text(""), NULL, NULL), MOTH_ESTORE);
    assert_int_equal(store_job_each(&k->store, NULL, NULL), MOTH_ESTORE);
    disk_heal(k->disk);
    kit_pass(k, 5 * SECOND);
    kit_tick(k);
    assert_int_equal(store_body(&k->store, 5, 4, &body), MOTH_ESTORE); /* the worker is about to open it */
    kit_run(k);
    kit_done(k);
    assert_int_equal(store_body(&k->store, 5, 4, &body), 0);
    free(body);
}

/* --- a disk that is full --- */

static void write_much(struct kit *k, unsigned count)
{
    char body[4000];
    memset(body, 'x', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    for (unsigned i = 0; i < count; i++) kit_write(k, write_message(1000 + k->written, 1, body));
}

static bool has_ballast(struct kit *k)
{
    uint64_t before = disk_bytes(k->disk);
    bool is_there = disk_move(k->disk, HOME "/ballast", HOME "/probe") == 0;
    if (is_there) assert_int_equal(disk_move(k->disk, HOME "/probe", HOME "/ballast"), 0);
    assert_int_equal(disk_bytes(k->disk), before);
    return is_there;
}

static void full_disk_takes_the_ballast_and_what_was_given_is_committed(void **state)
{
    struct kit *k = *state;
    know(k, 1);
    assert_true(has_ballast(k));
    disk_limit(k->disk, disk_bytes(k->disk) + 2000);
    write_much(k, 8);
    kit_pass(k, SECOND);
    kit_turn(k);
    assert_int_equal(k->told, k->written);
    assert_int_equal(kit_count(k, "offline_messages"), 8);
    assert_int_equal(k->store.reason, MOTH_ENO_SPACE); /* what ends can be written; nothing new is promised */
    assert_false(store_may_promise(&k->store));
    assert_false(has_ballast(k));
}

static void promises_begin_again_when_the_ballast_is_back(void **state)
{
    struct kit *k = *state;
    know(k, 1);
    disk_limit(k->disk, disk_bytes(k->disk) + 2000);
    write_much(k, 8);
    kit_pass(k, SECOND);
    for (unsigned i = 0; i < 4; i++) {
        kit_turn(k);
        assert_int_equal(k->store.reason, MOTH_ENO_SPACE);
        kit_pass(k, 5 * SECOND);
    }
    disk_limit(k->disk, UINT64_MAX);
    kit_turn(k);
    assert_true(store_may_promise(&k->store));
    assert_true(has_ballast(k));
    assert_int_equal(k->condition_count, 2);
    assert_int_equal(k->conditions[0], MOTH_ENO_SPACE);
    assert_int_equal(k->conditions[1], 0);
}

static void writes_wait_when_the_ballast_is_not_enough(void **state)
{
    struct kit *k = *state;
    know(k, 1);
    unsigned told = k->told;
    disk_limit(k->disk, disk_bytes(k->disk) + 2000);
    write_much(k, 40);
    kit_pass(k, SECOND);
    for (unsigned i = 0; i < 4; i++) {
        kit_turn(k);
        assert_int_equal(k->store.reason, MOTH_ENO_SPACE);
        assert_int_equal(k->told, told);
        kit_pass(k, 5 * SECOND);
    }
    disk_limit(k->disk, UINT64_MAX);
    kit_turn(k);
    assert_int_equal(k->told, k->written);
    assert_int_equal(kit_count(k, "offline_messages"), 40);
    assert_true(store_may_promise(&k->store));
    assert_int_equal(k->condition_count, 2);
}

static void full_disk_is_no_reason_not_to_end_mail(void **state)
{
    struct kit *k = *state;
    kit_close(k);
    k->limits[MOTH_LIMIT_BALLAST_BYTES] = 16u << 20;
    kit_open(k);
    know(k, 1);
    for (int64_t id = 1; id <= 20; id++) kit_write(k, write_message(id, 1, "body"));
    kit_commit(k);
    disk_limit(k->disk, disk_bytes(k->disk));
    for (int64_t id = 1; id <= 20; id++) {
        kit_write(k, write_pair(STORE_MESSAGE_DROP, id, 0));
        kit_pass(k, 5 * SECOND);
        kit_turn(k);
    }
    assert_int_equal(k->told, k->written);
    assert_int_equal(kit_count(k, "offline_messages"), 0);
}

static void full_disk_at_opening_takes_the_ballast(void **state)
{
    struct kit *k = *state;
    know(k, 1);
    kit_close(k);
    disk_limit(k->disk, disk_bytes(k->disk));
    kit_open(k);
    assert_int_equal(k->store.reason, MOTH_ENO_SPACE);
    assert_int_equal(kit_count(k, "peers"), 1);
    kit_write(k, write_kv(STORE_KV, "s", "k", "v"));
    disk_limit(k->disk, UINT64_MAX);
    kit_pass(k, 5 * SECOND);
    kit_turn(k);
    assert_int_equal(k->store.reason, 0);
    assert_int_equal(k->told, k->written);
}

/* The file is opened anew after an I/O error, and that needs room too. */
static void full_disk_after_a_failure_takes_the_ballast(void **state)
{
    struct kit *k = *state;
    know(k, 1);
    disk_fail_at(k->disk, disk_calls(k->disk) + 1, false);
    kit_write(k, write_kv(STORE_KV, "s", "k", "v"));
    kit_pass(k, SECOND);
    kit_turn(k);
    assert_int_equal(k->store.reason, MOTH_EIO);
    disk_heal(k->disk);
    disk_limit(k->disk, disk_bytes(k->disk) - 4096);
    for (unsigned i = 0; i < 3; i++) {
        kit_pass(k, 5 * SECOND);
        kit_turn(k);
    }
    assert_int_equal(k->told, k->written);
    assert_int_equal(k->store.reason, MOTH_ENO_SPACE);
}

static void disk_full_at_any_size_breaks_no_promise(void **state)
{
    (void)state;
    for (uint64_t bytes = 0; bytes < 260000; bytes += 3000) {
        struct kit *k = kit_on_disk(bytes + 1);
        disk_limit(k->disk, bytes);
        play_all(k);
        bool is_open = k->store.db != NULL;
        disk_limit(k->disk, UINT64_MAX);
        if (is_open) check_recovery(k);
        kit_close(k);
        kit_open(k);
        check_promises(k);
        kit_free(k);
    }
}

/* --- locked, or not to be written --- */

static sqlite3 *lock(const struct kit *k)
{
    sqlite3 *c = NULL;
    assert_int_equal(sqlite3_open(kit_path(k, "moth.db"), &c), SQLITE_OK);
    assert_int_equal(sqlite3_exec(c, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    return c;
}

static void locked_database_is_said_and_tried_again(void **state)
{
    struct kit *k = *state;
    struct peer p = {.row = 1};
    know(k, 1);
    sqlite3 *c = lock(k);
    kit_write(k, write_kv(STORE_KV, "s", "k", "v"));
    kit_pass(k, SECOND);
    kit_turn(k);
    assert_int_equal(k->store.reason, MOTH_EIN_USE);
    assert_int_equal(delivered(k, &p, 10), 0); /* it can be read all the same */
    assert_int_equal(kit_tick(k), k->now_us + SECOND);
    sqlite3_close(c);
    kit_pass(k, SECOND);
    kit_turn(k);
    assert_int_equal(k->store.reason, 0);
    assert_int_equal(k->told, k->written);
    assert_int_equal(k->condition_count, 2);
    assert_int_equal(k->conditions[0], MOTH_EIN_USE);
}

static void locked_database_does_not_open(void **state)
{
    struct kit *k = *state;
    know(k, 1);
    kit_close(k);
    sqlite3 *c = lock(k);
    assert_int_equal(kit_try_open(k), MOTH_EIN_USE);
    assert_string_equal(k->report.aside, "");
    sqlite3_close(c);
    kit_open(k);
    assert_int_equal(kit_count(k, "peers"), 1);
}

static void database_that_became_read_only_is_opened_anew(void **state)
{
    struct kit *k = *state;
    assert_int_equal(db_run(k->store.db->writer, "PRAGMA query_only = ON"), 0);
    kit_write(k, write_kv(STORE_KV, "s", "k", "v"));
    kit_turn(k);
    assert_int_equal(k->store.reason, MOTH_EPERMISSION);
    assert_int_equal(k->told, 0);
    kit_pass(k, 5 * SECOND);
    kit_turn(k);
    assert_int_equal(k->store.reason, 0);
    assert_int_equal(k->told, 1);
}

/* As somebody who is not almighty. */
static bool become_nobody(const struct kit *k)
{
    static const char *const files[] = {"", "moth.db"};
    struct stat seen;
    if (geteuid() != 0) return true;
    for (unsigned i = 0; i < 2; i++)
        if (chown(kit_path(k, files[i]), 65534, 65534) < 0) return false;
    if (seteuid(65534) < 0) return false;
    if (stat(kit_path(k, "moth.db"), &seen) == 0) return true;
    assert_int_equal(seteuid(0), 0); /* the way there is closed to others */
    return false;
}

static void read_only_database_does_not_open(void **state)
{
    struct kit *k = *state;
    know(k, 1);
    kit_close(k);
    bool is_root = geteuid() == 0;
    if (!become_nobody(k)) {
        print_message("this user may write everywhere\n");
        skip();
    }
    assert_int_equal(chmod(kit_path(k, "moth.db"), 0400), 0);
    assert_int_equal(chmod(k->folder, 0500), 0);
    int rc = kit_try_open(k);
    kit_close(k);
    chmod(k->folder, 0700);
    chmod(kit_path(k, "moth.db"), 0600);
    int again = kit_try_open(k);
    int64_t peers = again == 0 ? kit_count(k, "peers") : 0;
    kit_close(k);
    if (is_root) assert_int_equal(seteuid(0), 0);
    assert_int_equal(rc, MOTH_EPERMISSION);
    assert_int_equal(again, 0);
    assert_int_equal(peers, 1);
}

/* --- damage --- */

#define MANY 300
#define PAIRS 3000
#define IDS 6000

static void fill(struct kit *k)
{
    char body[1200];
    memset(body, 'b', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    for (int64_t row = 1; row <= MANY; row++) kit_write(k, write_peer(row, 0, 0, body, NULL));
    for (int64_t id = 1; id <= MANY; id++) kit_write(k, write_message(id, id, body));
    for (int64_t row = 1; row <= MANY; row++) kit_write(k, write_arrival(row, row, row, 0, body));
    for (int64_t i = 0; i < PAIRS; i++) {
        char key[16];
        snprintf(key, sizeof key, "key-%d", (int)i);
        kit_write(k, write_kv(STORE_KV, "space", key, "0123456789012345678901234567890123456789"));
    }
    kit_commit(k);
}

/* Many ids of few peers, as they are after the inbox was pruned. */
static void fill_delivered(struct kit *k)
{
    assert_int_equal(db_run(k->store.db->writer,
                            "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 6000)"
                            "INSERT OR IGNORE INTO delivered SELECT 1 + i % 3, (1 << 40) + i, 5 FROM c"), 0);
}

/* All that was written stands in the file itself, and the process dies. */
static void settle_and_kill(struct kit *k)
{
    assert_int_equal(db_run(k->store.db->writer, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    kit_kill(k);
}

static void damage_page(struct kit *k, unsigned page)
{
    assert_int_equal(disk_damage(k->disk, HOME "/moth.db", 1u << 20, page - 1), 0);
}

static unsigned root_of(struct kit *k, const char *table)
{
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", table);
    return (unsigned)kit_ask(k, sql);
}

static bool is_root(struct kit *k, unsigned page)
{
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM sqlite_schema WHERE rootpage = %u", page);
    return page == 1 || kit_ask(k, sql) > 0;
}

static void assert_set_aside(struct kit *k)
{
    assert_memory_equal(k->report.aside, "moth.db.damaged-", 16);
    assert_int_equal(disk_move(k->disk, kit_path(k, k->report.aside), HOME "/looked-at"), 0);
}

static void damaged_database_is_set_aside_and_the_rest_is_kept(void **state)
{
    struct kit *k = *state;
    fill(k);
    settle_and_kill(k);
    assert_int_equal(disk_damage(k->disk, HOME "/moth.db", 150, 100), 0);
    assert_int_equal(kit_try_open(k), 0);
    assert_set_aside(k);
    kit_check_integrity(k);
    assert_in_range(kit_count(k, "peers"), MANY / 2, MANY);
    assert_int_equal(k->report.peers, kit_count(k, "peers"));
    assert_int_equal(k->report.messages, kit_count(k, "offline_messages") + kit_count(k, "inbox"));
    assert_in_range(k->report.messages, MANY, 2 * MANY);
    assert_int_equal(kit_count(k, "schedule_messages"), kit_count(k, "offline_messages"));
    know(k, 3); /* and it goes on */
    kit_reopen(k);
}

struct table {
    const char *name;
    int64_t whole, least;
};

static bool keeps_most_without(struct kit *k, unsigned page)
{
    static const struct table tables[] = {
        {"peers", MANY, MANY - 10}, {"offline_messages", MANY, MANY - 20}, {"schedule_messages", MANY, MANY - 20},
        {"inbox", MANY, MANY - 20}, {"delivered", IDS + MANY, IDS - 500}, {"script_data", PAIRS, PAIRS - 200}};
    damage_page(k, page);
    assert_int_equal(kit_try_open(k), 0);
    for (unsigned i = 0; i < sizeof tables / sizeof *tables; i++) {
        int64_t left = kit_count(k, tables[i].name);
        if (left < tables[i].least || left > tables[i].whole)
            fail_msg("page %u: %d of %d in %s", page, (int)left, (int)tables[i].whole, tables[i].name);
    }
    kit_check_integrity(k);
    kit_close(k);
    return k->report.aside[0] != '\0';
}

/* Two pages of each table of messages, far apart: what lies between them is found by key. */
static void what_lies_between_two_damaged_pages_is_kept(void **state)
{
    static const char *const broken[] = {"offline_messages", "inbox"};
    struct kit *k = *state;
    fill(k);
    for (unsigned t = 0; t < 2; t++) {
        char sql[160];
        unsigned pages[2];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM dbstat WHERE name = '%s' AND pagetype = 'leaf'", broken[t]);
        if (sqlite3_exec(k->store.db->writer, sql, NULL, NULL, NULL) != SQLITE_OK) {
            print_message("this SQLite cannot tell which page belongs to which table\n");
            skip();
        }
        int64_t leaves = kit_ask(k, sql);
        assert_true(leaves >= 4);
        for (unsigned i = 0; i < 2; i++) {
            snprintf(sql, sizeof sql, "SELECT pageno FROM dbstat WHERE name = '%s' AND pagetype = 'leaf' ORDER BY path"
                     " LIMIT 1 OFFSET %d", broken[t], i == 0 ? 1 : (int)leaves - 2);
            pages[i] = (unsigned)kit_ask(k, sql);
        }
        settle_and_kill(k);
        for (unsigned i = 0; i < 2; i++) damage_page(k, pages[i]);
        assert_int_equal(kit_try_open(k), 0);
        assert_set_aside(k);
        assert_in_range(kit_count(k, broken[t]), MANY - 60, MANY);
    }
    kit_check_integrity(k);
}

/* Root pages hold the way to all others: they are another test's. */
static void one_damaged_page_costs_what_stood_on_it_and_no_more(void **state)
{
    struct kit *k = *state;
    bool roots[1000] = {false};
    unsigned found = 0;
    fill(k);
    fill_delivered(k);
    unsigned pages = (unsigned)kit_ask(k, "PRAGMA page_count");
    assert_true(pages < 1000);
    for (unsigned page = 1; page <= pages; page++) roots[page] = is_root(k, page);
    settle_and_kill(k);
    struct disk *whole = kit_disk(2);
    disk_copy(k->disk, whole);
    for (unsigned page = 2; page <= pages; page += 7) {
        if (roots[page]) continue;
        disk_copy(whole, k->disk);
        found += keeps_most_without(k, page);
    }
    disk_free(whole);
    assert_true(found > 20);
}

static void every_damaged_root_page_is_survived(void **state)
{
    struct kit *k = *state;
    unsigned pages[40], count = 0;
    fill(k);
    for (unsigned page = 1; page < 40; page++)
        if (is_root(k, page)) pages[count++] = page;
    settle_and_kill(k);
    struct disk *whole = kit_disk(2);
    disk_copy(k->disk, whole);
    for (unsigned i = 0; i < count; i++) {
        disk_copy(whole, k->disk);
        damage_page(k, pages[i]);
        assert_int_equal(kit_try_open(k), 0);
        assert_set_aside(k);
        kit_check_integrity(k);
        assert_int_equal(k->report.peers, kit_count(k, "peers"));
        know(k, 2);
        kit_close(k);
    }
    disk_free(whole);
    assert_true(count > 10);
}

static void clean_end_is_not_checked_and_an_unclean_one_is(void **state)
{
    struct kit *k = *state;
    fill(k);
    unsigned page = root_of(k, "script_data");
    kit_close(k);
    damage_page(k, page);
    kit_open(k);
    kit_kill(k);
    assert_int_equal(kit_try_open(k), 0);
    assert_set_aside(k);
}

static void unclean_end_without_damage_opens_as_it_was(void **state)
{
    struct kit *k = *state;
    fill(k);
    uint64_t look = kit_look(k);
    kit_kill(k);
    kit_open(k);
    assert_int_equal(kit_look(k), look);
}

static void damage_found_while_running_stops_promises(void **state)
{
    struct kit *k = *state;
    fill(k);
    unsigned page = root_of(k, "script_data");
    assert_int_equal(db_run(k->store.db->writer, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    kit_close(k);
    damage_page(k, page);
    kit_open(k);
    kit_write(k, write_kv(STORE_KV, "space", "key", "v"));
    kit_pass(k, SECOND);
    for (unsigned i = 0; i < 3; i++) {
        kit_turn(k);
        assert_int_equal(k->store.reason, MOTH_EDAMAGED);
        kit_pass(k, 5 * SECOND);
    }
    kit_close(k);
    assert_int_equal(kit_try_open(k), 0); /* the next start sets it aside */
    assert_set_aside(k);
    assert_int_equal(k->report.peers, MANY);
    assert_int_equal(k->report.messages, 2 * MANY);
}

/* What remembers the clock is gone; ages are counted by it. */
static void clock_is_not_behind_the_messages_after_damage(void **state)
{
    struct kit *k = *state;
    kit_pass(k, 100ull * DAY_MS * MS);
    know(k, 1);
    struct store_write *w = write_message(5, 1, "body");
    w->numbers[6] = (int64_t)store_clock_ms(&k->store);
    kit_write(k, w);
    kit_commit(k);
    unsigned page = root_of(k, "meta");
    settle_and_kill(k);
    damage_page(k, page);
    assert_int_equal(kit_try_open(k), 0);
    assert_set_aside(k);
    assert_true(store_clock_ms(&k->store) >= (uint64_t)kit_ask(k, "SELECT accepted_ms FROM offline_messages"));
}

/* What was delivered is remembered by the inbox then, and is no older than it. */
static void floor_does_not_rise_over_what_the_inbox_remembered(void **state)
{
    struct kit *k = *state;
    struct peer p = peer_of(1), after = peer_of(1);
    kit_pass(k, 100ull * DAY_MS * MS);
    know(k, 1);
    deliver(k, &p, 1000);
    kit_commit(k);
    unsigned page = root_of(k, "delivered");
    settle_and_kill(k);
    damage_page(k, page);
    assert_int_equal(kit_try_open(k), 0);
    assert_set_aside(k);
    for (unsigned i = 0; i < 3; i++) {
        kit_turn(k);
        kit_commit(k);
    }
    assert_int_equal(delivered(k, &after, 1000), MOTH_EDUPLICATE);
    assert_int_equal(delivered(k, &after, 500), 0); /* still on its way */
}

/* A start that did not get to its end: the next one must find what the first would have found. */
static void check_next_start(struct kit *k)
{
    k->wall_ms += 1000;
    assert_int_equal(kit_try_open(k), 0);
    assert_in_range(kit_count(k, "peers"), MANY - 10, MANY);
    assert_in_range(kit_count(k, "inbox"), MANY - 20, MANY);
    kit_close(k);
}

static struct disk *damaged_disk(struct kit *k)
{
    struct disk *damaged = kit_disk(2);
    fill(k);
    settle_and_kill(k);
    damage_page(k, 100);
    disk_copy(k->disk, damaged);
    return damaged;
}

static bool salvage_fails_at(struct kit *k, const struct disk *damaged, uint64_t call, bool cut)
{
    disk_copy(damaged, k->disk);
    if (cut) disk_cut_at(k->disk, disk_calls(k->disk) + call);
    else disk_fail_at(k->disk, disk_calls(k->disk) + call, true);
    bool failed = kit_try_open(k) < 0;
    kit_close(k);
    disk_restore(k->disk, cut);
    disk_heal(k->disk);
    check_next_start(k);
    return failed;
}

/* Every call at the beginning, every call at the end, and some between. */
static void stop_salvage_at_many_calls(struct kit *k, bool cut)
{
    struct disk *damaged = damaged_disk(k);
    disk_copy(damaged, k->disk);
    uint64_t before = disk_calls(k->disk);
    assert_int_equal(kit_try_open(k), 0);
    kit_close(k);
    uint64_t all = disk_calls(k->disk) - before, call = 1;
    while (salvage_fails_at(k, damaged, call, cut)) call += call < 10 || call + 60 > all ? 1 : all / 20;
    assert_true(call + 60 > all);
    disk_free(damaged);
}

static void salvage_that_failed_at_any_call_is_done_at_the_next_start(void **state)
{
    stop_salvage_at_many_calls(*state, false);
}

static void salvage_that_lost_power_at_any_call_is_done_at_the_next_start(void **state)
{
    stop_salvage_at_many_calls(*state, true);
}

static void salvage_stopped_between_any_two_moves_is_finished_at_the_next_start(void **state)
{
    struct kit *k = *state;
    struct disk *damaged = damaged_disk(k);
    bool failed = true;
    for (unsigned moves = 1; failed; moves++) {
        disk_copy(damaged, k->disk);
        k->last_move = k->moves + moves;
        failed = kit_try_open(k) < 0;
        kit_close(k);
        k->last_move = 0;
        check_next_start(k);
        assert_true(failed || moves > 4);
    }
    disk_free(damaged);
}

static void salvage_on_a_full_disk_takes_the_ballast_and_keeps_the_rest(void **state)
{
    struct kit *k = *state;
    fill(k);
    settle_and_kill(k);
    damage_page(k, 100);
    k->limits[MOTH_LIMIT_BALLAST_BYTES] = 16u << 20;
    assert_int_equal(disk_fill(k->disk, HOME "/ballast", 16u << 20), 0);
    disk_limit(k->disk, disk_bytes(k->disk) + 60000);
    assert_int_equal(kit_try_open(k), 0);
    assert_string_not_equal(k->report.aside, "");
    assert_in_range(kit_count(k, "peers"), MANY - 10, MANY);
    assert_int_equal(k->report.peers, kit_count(k, "peers"));
    assert_int_equal(k->store.reason, MOTH_ENO_SPACE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define FOLDER(name) cmocka_unit_test_setup_teardown(name, set_up_folder, tear_down)
#define ALONE(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALONE(power_loss_at_any_call_breaks_no_promise),
        ALONE(process_killed_at_any_call_loses_nothing_told),
        ALONE(database_that_does_not_sync_breaks_promises),
        ALONE(failure_of_any_one_call_breaks_no_promise_and_heals),
        ALONE(failure_of_all_calls_from_any_on_breaks_no_promise_and_heals),
        TEST(broken_disk_is_said_once_and_its_end_too),
        TEST(reads_while_the_database_is_closed_are_refused_and_come_back),
        TEST(full_disk_takes_the_ballast_and_what_was_given_is_committed),
        TEST(promises_begin_again_when_the_ballast_is_back),
        TEST(writes_wait_when_the_ballast_is_not_enough),
        TEST(full_disk_is_no_reason_not_to_end_mail),
        TEST(full_disk_at_opening_takes_the_ballast),
        TEST(full_disk_after_a_failure_takes_the_ballast),
        ALONE(disk_full_at_any_size_breaks_no_promise),
        FOLDER(locked_database_is_said_and_tried_again),
        FOLDER(locked_database_does_not_open),
        TEST(database_that_became_read_only_is_opened_anew),
        FOLDER(read_only_database_does_not_open),
        TEST(damaged_database_is_set_aside_and_the_rest_is_kept),
        TEST(one_damaged_page_costs_what_stood_on_it_and_no_more),
        TEST(what_lies_between_two_damaged_pages_is_kept),
        TEST(every_damaged_root_page_is_survived),
        TEST(clean_end_is_not_checked_and_an_unclean_one_is),
        TEST(unclean_end_without_damage_opens_as_it_was),
        TEST(damage_found_while_running_stops_promises),
        TEST(clock_is_not_behind_the_messages_after_damage),
        TEST(floor_does_not_rise_over_what_the_inbox_remembered),
        TEST(salvage_that_failed_at_any_call_is_done_at_the_next_start),
        TEST(salvage_that_lost_power_at_any_call_is_done_at_the_next_start),
        TEST(salvage_stopped_between_any_two_moves_is_finished_at_the_next_start),
        TEST(salvage_on_a_full_disk_takes_the_ballast_and_keeps_the_rest),
    };
    return cmocka_run_group_tests(tests, set_up_looks, NULL);
}
