/* test_store_open.c -- the database of a node: what opening finds, whose files it opens, and how.
 *
 * What is promised when stands in test_store.c, what failing disks do in test_store_faults.c. */
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
    return 0;
}

static int set_up_folder(void **state)
{
    *state = kit_in_folder();
    return 0;
}

static int tear_down(void **state)
{
    kit_free(*state);
    return 0;
}

/* --- what opening finds --- */

struct found {
    struct store *store; /* borrowed */
    struct stored_message messages[16];
    struct stored_arrival arrivals[16];
    struct stored_peer peers[16];
    char texts[16][32];
    unsigned count;
};

static void on_message(void *owner, const struct stored_message *m)
{
    struct found *f = owner;
    f->messages[f->count] = *m;
    snprintf(f->texts[f->count++], 32, "%.*s", (int)m->carriers.bytes, (const char *)m->carriers.data);
}

static void on_arrival(void *owner, const struct stored_arrival *a)
{
    struct found *f = owner;
    f->arrivals[f->count++] = *a;
}

static void on_peer(void *owner, const struct stored_peer *p)
{
    struct found *f = owner;
    f->peers[f->count] = *p;
    snprintf(f->texts[f->count++], 32, "%.*s %.*s", (int)p->about.bytes, (const char *)p->about.data,
             p->advert.data ? (int)p->advert.bytes : 1, p->advert.data ? (const char *)p->advert.data : "-");
}

/* Loads what there is after a clean end and a new start. */
static struct found reload(struct kit *k)
{
    struct found f = {.count = 0};
    kit_commit(k);
    kit_reopen(k);
    return f;
}

static void messages_are_loaded_in_order_with_their_states(void **state)
{
    struct kit *k = *state;
    int64_t carried[] = {7, 2, 7, 1, 1800, UINT32_MAX, 500, NOON_MS, 1, 99, 4, 6};
    struct slice body = slice_text("inside");
    know(k, 2);
    kit_write(k, write_message(9, 2, "nine"));
    kit_write(k, write_message(5, 1, "five!"));
    kit_write(k, write_message(8, 1, "ended"));
    kit_write(k, store_write_new(STORE_MESSAGE, carried, 12, &body, 1));
    kit_write(k, write_state(9, MOTH_CARRIED, MOTH_EUNREACHABLE, "carriers"));
    kit_write(k, write_state(8, MOTH_DELIVERED, 0, NULL));
    struct found f = reload(k);
    k->store.owner = &f;
    assert_int_equal(store_load_messages(&k->store, on_message), 0);
    assert_int_equal(f.count, 3);

    const struct stored_message *five = &f.messages[0], *seven = &f.messages[1], *nine = &f.messages[2];
    assert_int_equal(five->id, 5);
    assert_int_equal(five->to.bytes[7], 1);
    assert_int_equal(five->kind, 1);
    assert_int_equal(five->flags, 2);
    assert_int_equal(five->ttl_s, 3600);
    assert_int_equal(five->retries, 5);
    assert_int_equal(five->accepted_ms, 1005);
    assert_int_equal(five->sent_ms, NOON_MS + 5);
    assert_int_equal(five->state, MOTH_QUEUED);
    assert_int_equal(five->bytes, 5);
    assert_true(id_is_zero(&five->source));
    assert_string_equal(f.texts[0], "");

    assert_int_equal(seven->id, 7);
    assert_int_equal(seven->kind, 7);
    assert_int_equal(seven->source.bytes[7], 1);
    assert_int_equal(seven->inner_id, 99);
    assert_int_equal(seven->retries, UINT32_MAX);
    assert_int_equal(seven->data_bytes, 4);
    assert_int_equal(seven->bytes, 6);

    assert_int_equal(nine->id, 9);
    assert_int_equal(nine->to.bytes[7], 2);
    assert_int_equal(nine->state, MOTH_CARRIED);
    assert_int_equal(nine->tries, 3);
    assert_int_equal(nine->silences, 4);
    assert_int_equal(nine->changed_ms, NOON_MS + 7);
    assert_string_equal(f.texts[2], "carriers");
}

static void bodies_are_read_as_they_were_written(void **state)
{
    struct kit *k = *state;
    uint8_t *body = NULL;
    know(k, 1);
    kit_write(k, write_message(5, 1, "the body"));
    kit_write(k, write_message(6, 1, ""));
    kit_write(k, write_arrival(1, 1, 50, 0, "arrived"));
    reload(k);
    assert_int_equal(store_body(&k->store, 5, 8, &body), 0);
    assert_memory_equal(body, "the body", 8);
    free(body);
    assert_int_equal(store_body(&k->store, 6, 0, &body), 0);
    free(body);
    assert_int_equal(store_inbox_body(&k->store, 1, 7, &body), 0);
    assert_memory_equal(body, "arrived", 7);
    free(body);
    assert_int_equal(store_body(&k->store, 7, 8, &body), MOTH_ENOT_FOUND);
    assert_int_equal(store_inbox_body(&k->store, 2, 7, &body), MOTH_ENOT_FOUND);
}

static void body_of_another_length_than_expected_is_damaged(void **state)
{
    struct kit *k = *state;
    uint8_t *body = NULL;
    kit_write(k, write_message(5, 1, "the body"));
    kit_write(k, write_arrival(1, 1, 50, 0, "arrived"));
    kit_commit(k);
    assert_int_equal(store_body(&k->store, 5, 7, &body), MOTH_EDAMAGED);
    assert_int_equal(store_inbox_body(&k->store, 1, 8, &body), MOTH_EDAMAGED);
    assert_null(body);
}

static void arrivals_not_handled_are_loaded_in_order(void **state)
{
    struct kit *k = *state;
    know(k, 2);
    for (int64_t row = 4; row >= 1; row--) kit_write(k, write_arrival(row, 1 + row % 2, 10 * row, 0, "arrived"));
    kit_write(k, write_pair(STORE_INBOX_STATE, 2, ARRIVAL_HANDLED));
    kit_write(k, write_pair(STORE_INBOX_STATE, 3, ARRIVAL_SET_ASIDE));
    kit_write(k, write_pair(STORE_INBOX_STARTS, 4, 2));
    struct found f = reload(k);
    assert_int_equal(k->store.last_inbox_row, 4);
    k->store.owner = &f;
    assert_int_equal(store_load_arrivals(&k->store, on_arrival), 0);
    assert_int_equal(f.count, 3);
    assert_int_equal(f.arrivals[0].row, 1);
    assert_int_equal(f.arrivals[0].from.bytes[7], 2);
    assert_int_equal(f.arrivals[0].id, 10);
    assert_int_equal(f.arrivals[0].flags, 2);
    assert_int_equal(f.arrivals[0].hops, 3);
    assert_int_equal(f.arrivals[0].received_ms, NOON_MS + 1);
    assert_int_equal(f.arrivals[0].bytes, 7);
    assert_int_equal(f.arrivals[0].starts, 1);
    assert_int_equal(f.arrivals[0].state, ARRIVAL_NEW);
    assert_int_equal(f.arrivals[1].row, 3);
    assert_int_equal(f.arrivals[1].state, ARRIVAL_SET_ASIDE);
    assert_int_equal(f.arrivals[2].row, 4);
    assert_int_equal(f.arrivals[2].starts, 2);
}

static void peers_are_loaded_with_what_was_last_said_of_them(void **state)
{
    struct kit *k = *state;
    kit_write(k, write_peer(1, 0, 100, "first", "advert"));
    kit_write(k, write_peer(1, 0, 300, "second", NULL)); /* keeps the advert */
    kit_write(k, write_peer(2, 0, 200, "other", NULL));
    struct found f = reload(k);
    assert_int_equal(k->store.last_peer_row, 2);
    k->store.owner = &f;
    assert_int_equal(store_load_peers(&k->store, 10, on_peer), 0);
    assert_int_equal(f.count, 2);
    assert_int_equal(f.peers[0].row, 1);
    assert_int_equal(f.peers[0].id.bytes[7], 1);
    assert_string_equal(f.texts[0], "second advert");
    assert_string_equal(f.texts[1], "other -");
}

static void peers_that_matter_are_loaded_before_those_seen_last(void **state)
{
    struct kit *k = *state;
    int64_t carried[] = {7, 5, 7, 0, 1800, 0, 0, 0, 3, 99, 4, 6};
    struct slice body = slice_text("inside");
    for (int64_t row = 1; row <= 9; row++) kit_write(k, write_peer(row, row == 1, 1000 + row, "about", NULL));
    kit_write(k, write_message(6, 2, "mail"));
    kit_write(k, write_message(8, 6, "ended"));
    kit_write(k, write_state(8, MOTH_DELIVERED, 0, NULL));
    kit_write(k, store_write_new(STORE_MESSAGE, carried, 12, &body, 1)); /* of 3 for 5 */
    kit_write(k, write_arrival(1, 4, 10, 0, "not handled"));
    struct found f = reload(k);
    k->store.owner = &f;
    assert_int_equal(store_load_peers(&k->store, 7, on_peer), 0);
    static const int64_t wanted[] = {5, 4, 3, 2, 1, 9, 8};
    assert_int_equal(f.count, 7);
    for (unsigned i = 0; i < 7; i++) assert_int_equal(f.peers[i].row, wanted[i]);
}

static void row_of_a_peer_is_found_by_its_id(void **state)
{
    struct kit *k = *state;
    struct moth_id one = kit_id(1), nobody = kit_id(7);
    int64_t row = 0;
    know(k, 3);
    assert_int_equal(store_peer_row(&k->store, &one, &row), 0);
    assert_int_equal(row, 1);
    assert_int_equal(store_peer_row(&k->store, &nobody, &row), MOTH_ENOT_FOUND);
}

static void peer_has_one_row_however_often_it_is_written(void **state)
{
    struct kit *k = *state;
    struct store_write *w = write_peer(5, 0, 0, "again", NULL);
    w->numbers[0] = 9;
    know(k, 5);
    kit_write(k, w); /* the same id under another row: the first one stays */
    kit_commit(k);
    assert_int_equal(kit_count(k, "peers"), 5);
    assert_int_equal(kit_count(k, "peers WHERE peer = 9"), 0);
}

static void message_that_ended_can_be_asked_for(void **state)
{
    struct kit *k = *state;
    struct moth_sent sent;
    know(k, 1);
    kit_write(k, write_message(5, 1, "body"));
    kit_write(k, write_state(5, MOTH_EXPIRED, MOTH_EEXPIRED, NULL));
    kit_commit(k);
    assert_int_equal(store_ended(&k->store, 5, &sent), 0);
    assert_int_equal(sent.id, 5);
    assert_int_equal(sent.to.bytes[7], 1);
    assert_int_equal(sent.state, MOTH_EXPIRED);
    assert_int_equal(sent.reason, MOTH_EEXPIRED);
    assert_int_equal(sent.changed_ms, NOON_MS + 7);
    assert_int_equal(sent.accepted_ms, NOON_MS + 5);
    assert_int_equal(sent.tries, 3);
    assert_int_equal(sent.bytes, 4);
    assert_int_equal(store_ended(&k->store, 6, &sent), MOTH_ENOT_FOUND);
}

static void late_receipt_changes_only_what_expired(void **state)
{
    struct kit *k = *state;
    struct moth_sent sent;
    know(k, 1);
    for (int64_t id = 5; id <= 6; id++) kit_write(k, write_message(id, 1, "body"));
    kit_write(k, write_state(5, MOTH_EXPIRED, MOTH_EEXPIRED, NULL));
    kit_write(k, write_state(6, MOTH_CANCELLED, 0, NULL));
    for (int64_t id = 5; id <= 6; id++) kit_write(k, write_pair(STORE_MESSAGE_LATE, id, 999));
    kit_commit(k);
    assert_int_equal(store_ended(&k->store, 5, &sent), 0);
    assert_int_equal(sent.state, MOTH_DELIVERED);
    assert_int_equal(sent.reason, 0);
    assert_int_equal(sent.changed_ms, 999);
    assert_int_equal(store_ended(&k->store, 6, &sent), 0);
    assert_int_equal(sent.state, MOTH_CANCELLED);
}

/* --- history, read --- */

struct reading {
    char text[256];
    unsigned most;
};

static bool on_text(void *context, const struct stored_text *t)
{
    struct reading *r = context;
    size_t used = strlen(r->text);
    snprintf(r->text + used, sizeof r->text - used, "%s%u%c%.*s ", t->is_ours ? ">" : "<", t->peer.bytes[7],
             t->state + '0', (int)t->body.bytes, (const char *)t->body.data);
    return --r->most > 0;
}

static void assert_history(struct kit *k, int64_t peer_row, unsigned most, const char *wanted)
{
    struct reading r = {.most = most};
    assert_int_equal(store_history(&k->store, peer_row, on_text, &r), 0);
    assert_string_equal(r.text, wanted);
}

static void history_is_told_newest_first_by_time(void **state)
{
    struct kit *k = *state;
    know(k, 2);
    kit_write(k, write_arrival(1, 1, 10, 0, "a"));
    kit_write(k, write_message(2, 1, "b"));
    kit_write(k, write_arrival(3, 2, 10, 0, "c"));
    kit_write(k, write_message(4, 2, "d"));
    kit_write(k, write_pair(STORE_INBOX_STATE, 3, ARRIVAL_HANDLED));
    kit_write(k, write_state(4, MOTH_DELIVERED, 0, NULL));
    kit_commit(k);
    assert_history(k, 0, 10, ">24d <21c >11b <10a ");
    assert_history(k, 0, 2, ">24d <21c ");
    assert_history(k, 1, 10, ">11b <10a ");
    assert_history(k, 2, 1, ">24d ");
    assert_history(k, 7, 10, "");
}

static void history_tells_only_what_users_said(void **state)
{
    struct kit *k = *state;
    int64_t deposit[] = {7, 1, 6, 0, 1800, 0, 0, 0, 0, 99, 4, 6};
    struct slice body = slice_text("inside");
    know(k, 1);
    kit_write(k, store_write_new(STORE_MESSAGE, deposit, 12, &body, 1));
    kit_commit(k);
    assert_history(k, 0, 10, "");
    assert_history(k, 1, 10, "");
}

/* --- data of scripts --- */

static bool on_pair(void *context, struct slice key, struct slice value)
{
    struct reading *r = context;
    size_t used = strlen(r->text);
    snprintf(r->text + used, sizeof r->text - used, "%.*s=%.*s ", (int)key.bytes, (const char *)key.data,
             (int)value.bytes, (const char *)value.data);
    return --r->most > 0;
}

static void assert_pairs(struct kit *k, const char *space, const char *from, unsigned most, const char *wanted)
{
    struct reading r = {.most = most};
    assert_int_equal(store_kv_each(&k->store, slice_text(space), slice_text(from), on_pair, &r), 0);
    assert_string_equal(r.text, wanted);
}

static void keys_are_ordered_in_their_space_and_survive(void **state)
{
    struct kit *k = *state;
    static const char *const keys[] = {"m", "a", "z", "mm", "B"};
    for (unsigned i = 0; i < 5; i++) kit_write(k, write_kv(STORE_KV, "one", keys[i], "v"));
    kit_write(k, write_kv(STORE_KV, "two", "a", "other"));
    kit_write(k, write_kv(STORE_KV, "one", "a", "new"));
    kit_write(k, write_kv(STORE_KV_DROP, "one", "z", ""));
    reload(k);
    assert_pairs(k, "one", "", 10, "B=v a=new m=v mm=v ");
    assert_pairs(k, "one", "b", 10, "m=v mm=v ");
    assert_pairs(k, "one", "a", 2, "a=new m=v ");
    assert_pairs(k, "two", "", 10, "a=other ");
    assert_pairs(k, "three", "", 10, "");
}

static void key_and_value_may_be_empty(void **state)
{
    struct kit *k = *state;
    kit_write(k, write_kv(STORE_KV, "one", "", ""));
    kit_commit(k);
    assert_pairs(k, "one", "", 10, "= ");
    struct reading r = {.most = 5};
    assert_int_equal(store_kv_each(&k->store, slice_text("one"), slice_of(NULL, 0), on_pair, &r), 0);
    assert_string_equal(r.text, "= ");
}

static bool on_job(void *context, int64_t job, uint64_t due_ms, struct slice name, struct slice arguments)
{
    struct reading *r = context;
    size_t used = strlen(r->text);
    assert_int_equal(arguments.bytes, 9);
    snprintf(r->text + used, sizeof r->text - used, "%d@%d %.*s ", (int)job, (int)due_ms, (int)name.bytes,
             (const char *)name.data);
    return --r->most > 0;
}

static void jobs_are_ordered_by_when_they_are_due_and_survive(void **state)
{
    struct kit *k = *state;
    struct reading all = {.most = 10}, first = {.most = 1};
    kit_write(k, write_job(1, 300, "late"));
    kit_write(k, write_job(2, 100, "early"));
    kit_write(k, write_job(3, 200, "gone"));
    kit_write(k, write_job(4, 100, "too"));
    kit_write(k, write_pair(STORE_JOB_DROP, 3, 0));
    reload(k);
    assert_int_equal(store_job_each(&k->store, on_job, &all), 0);
    assert_string_equal(all.text, "2@100 early 4@100 too 1@300 late ");
    assert_int_equal(store_job_each(&k->store, on_job, &first), 0);
    assert_string_equal(first.text, "2@100 early ");
}

/* --- versions --- */

static sqlite3 *connect(const struct kit *k)
{
    sqlite3 *c = NULL;
    assert_int_equal(db_connect(&k->host, "moth.db", &c), 0);
    return c;
}

static void run_sql(sqlite3 *c, const char *sql)
{
    assert_int_equal(sqlite3_exec(c, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void database_of_version_1_becomes_the_newest_with_all_rows(void **state)
{
    struct kit *k = *state;
    uint8_t *body = NULL;
    sqlite3 *c = connect(k);
    assert_int_equal(db_schema(c, 1), 0);
    run_sql(c, "INSERT INTO peers (peer, id, kept, seen_ms, floor, about, advert)"
               " VALUES (3, x'00000000000000030000000000000000', 1, 7, 40, 'about', 'advert');"
               "INSERT INTO offline_messages VALUES (11, 3, 1, 0, 60, 0, 5, 6, 0, 0, 4, 4, x'62626262');"
               "INSERT INTO schedule_messages (id, last_tried, retry_count, next_try, expiry_time, state, reason,"
               " changed_ms, silences) VALUES (11, 0, 0, 0, 60005, 2, 0, 6, 0);"
               "INSERT INTO inbox VALUES (21, 3, 50, 0, 1, 9, 0, 1, 5, x'6161616161');"
               "INSERT INTO delivered VALUES (3, 50, 1);"
               "UPDATE meta SET clock_ms = 5000, wall_ms = 1699999999000, inbox_history = 17, delivered_count = 1");
    sqlite3_close(c);

    kit_open(k);
    struct peer p = peer_of(3);
    assert_int_equal(kit_ask(k, "PRAGMA user_version"), db_newest_version());
    assert_true(db_newest_version() > 1);
    assert_int_equal(store_clock_ms(&k->store), 6000);
    assert_int_equal(k->store.inbox_history, 17);
    assert_int_equal(k->store.last_peer_row, 3);
    assert_int_equal(k->store.last_inbox_row, 21);
    assert_int_equal(delivered(k, &p, 50), MOTH_EDUPLICATE);
    assert_int_equal(delivered(k, &p, 40), MOTH_ETOO_OLD);
    assert_int_equal(store_body(&k->store, 11, 4, &body), 0);
    free(body);
    assert_int_equal(store_inbox_body(&k->store, 21, 5, &body), 0);
    free(body);
    assert_int_equal(kit_ask(k, "SELECT state FROM schedule_messages WHERE id = 11"), MOTH_SENT);
    kit_write(k, write_kv(STORE_KV, "s", "k", "v"));
    kit_write(k, write_job(1, 5, "name"));
    kit_commit(k);
    kit_check_integrity(k);
}

static void migration_that_fails_at_any_call_is_done_at_the_next_start(void **state)
{
    bool failed = true;
    (void)state;
    for (uint64_t call = 1; failed; call++) {
        struct kit *k = kit_on_disk(call);
        sqlite3 *c = connect(k);
        assert_int_equal(db_schema(c, 1), 0);
        run_sql(c, "INSERT INTO delivered VALUES (3, 50, 1)");
        sqlite3_close(c);
        disk_fail_at(k->disk, disk_calls(k->disk) + call, true);
        failed = kit_try_open(k) < 0;
        kit_close(k);
        disk_heal(k->disk);
        kit_open(k);
        assert_int_equal(kit_ask(k, "PRAGMA user_version"), db_newest_version());
        assert_int_equal(kit_count(k, "delivered"), 1);
        assert_int_equal(kit_count(k, "script_data"), 0);
        kit_check_integrity(k);
        kit_free(k);
    }
}

/* --- files that are not ours --- */

static char *read_whole(const struct kit *k, const char *name, size_t *bytes)
{
    char *data = mem_new(1u << 20);
    FILE *file = fopen(kit_path(k, name), "rb");
    assert_non_null(file);
    *bytes = fread(data, 1, 1u << 20, file);
    fclose(file);
    return data;
}

static void write_whole(const struct kit *k, const char *name, const char *text)
{
    FILE *file = fopen(kit_path(k, name), "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_same_bytes(const struct kit *k, const char *name, const char *wanted, size_t wanted_bytes)
{
    size_t bytes;
    char *data = read_whole(k, name, &bytes);
    assert_int_equal(bytes, wanted_bytes);
    assert_memory_equal(data, wanted, bytes);
    free(data);
}

static void database_of_a_newer_version_is_refused_and_stays_as_it_is(void **state)
{
    struct kit *k = *state;
    size_t bytes;
    kit_open(k);
    know(k, 5);
    kit_close(k);
    sqlite3 *c = connect(k);
    run_sql(c, "PRAGMA user_version = 99; CREATE TABLE later (x); INSERT INTO later VALUES (5)");
    sqlite3_close(c);
    char *before = read_whole(k, "moth.db", &bytes);
    assert_int_equal(kit_try_open(k), MOTH_ENEWER);
    assert_string_equal(k->report.aside, "");
    assert_same_bytes(k, "moth.db", before, bytes);
    assert_int_equal(kit_try_open(k), MOTH_ENEWER);
    free(before);
}

static void text_file_is_set_aside_as_it_is(void **state)
{
    static const char text[] = "Dear diary, this is no database, but it is long enough to be looked at by one.\n";
    struct kit *k = *state;
    write_whole(k, "moth.db", text);
    assert_int_equal(kit_try_open(k), 0);
    assert_memory_equal(k->report.aside, "moth.db.damaged-1700000000", 26);
    assert_int_equal(k->report.peers, 0);
    assert_int_equal(k->report.messages, 0);
    assert_same_bytes(k, k->report.aside, text, strlen(text));
    know(k, 3);
    kit_reopen(k);
    assert_int_equal(kit_count(k, "peers"), 3);
}

static void database_of_another_program_is_set_aside(void **state)
{
    struct kit *k = *state;
    sqlite3 *c;
    int64_t answer = 0;
    assert_int_equal(sqlite3_open(kit_path(k, "moth.db"), &c), SQLITE_OK);
    run_sql(c, "CREATE TABLE peers (a, b); INSERT INTO peers VALUES (42, 43); PRAGMA user_version = 1");
    sqlite3_close(c);
    assert_int_equal(kit_try_open(k), 0);
    assert_string_not_equal(k->report.aside, "");
    assert_int_equal(k->report.peers, 0);
    assert_int_equal(kit_count(k, "peers"), 0);
    assert_int_equal(sqlite3_open(kit_path(k, k->report.aside), &c), SQLITE_OK);
    assert_int_equal(db_get(c, "SELECT a FROM peers", &answer), 0);
    assert_int_equal(answer, 42);
    sqlite3_close(c);
}

static void empty_file_is_a_new_database(void **state)
{
    struct kit *k = *state;
    write_whole(k, "moth.db", "");
    kit_open(k);
    assert_int_equal(kit_count(k, "peers"), 0);
}

static void database_said_to_be_damaged_is_set_aside_and_all_of_it_kept(void **state)
{
    struct kit *k = *state;
    for (unsigned i = 0; i < SCRIPT_WRITES; i++) kit_write(k, script_write(i));
    kit_commit(k);
    uint64_t look = kit_look(k);
    kit_close(k);
    k->damaged = true;
    assert_int_equal(kit_try_open(k), 0);
    assert_string_not_equal(k->report.aside, "");
    assert_int_equal(k->report.peers, SCRIPT_ROUNDS);
    assert_int_equal(kit_look(k), look);
    k->damaged = false;
    kit_reopen(k);
    assert_int_equal(kit_look(k), look);
}

/* --- a real folder --- */

static void connection_is_hardened(sqlite3 *c)
{
    static const struct {
        int option, wanted;
    } options[] = {{SQLITE_DBCONFIG_DEFENSIVE, 1},   {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                   {SQLITE_DBCONFIG_ENABLE_VIEW, 0}, {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
                   {SQLITE_DBCONFIG_DQS_DML, 0},     {SQLITE_DBCONFIG_DQS_DDL, 0}};
    int64_t number = 0;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        int value = -1;
        assert_int_equal(sqlite3_db_config(c, options[i].option, -1, &value), SQLITE_OK);
        assert_int_equal(value, options[i].wanted);
    }
    sqlite3_exec(c, "PRAGMA writable_schema = ON", NULL, NULL, NULL);
    assert_int_not_equal(sqlite3_exec(c, "UPDATE sqlite_schema SET sql = 'x'", NULL, NULL, NULL), SQLITE_OK);
    assert_int_not_equal(sqlite3_exec(c, "PRAGMA journal_mode = OFF; DELETE FROM sqlite_schema", NULL, NULL, NULL),
                         SQLITE_OK);
    assert_int_equal(db_get(c, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", &number), 0);
    assert_int_equal(number, 1);
    assert_int_equal(db_get(c, "PRAGMA synchronous", &number), 0);
    assert_int_equal(number, 2);
    assert_int_equal(db_get(c, "PRAGMA foreign_keys", &number), 0);
    assert_int_equal(number, 1);
    assert_int_equal(db_get(c, "PRAGMA cell_size_check", &number), 0);
    assert_int_equal(number, 1);
}

static void database_is_opened_hardened(void **state)
{
    struct kit *k = *state;
    kit_open(k);
    assert_ptr_not_equal(k->store.db->writer, k->store.db->reader);
    connection_is_hardened(k->store.db->writer);
    connection_is_hardened(k->store.db->reader);
}

static unsigned mode_of(const struct kit *k, const char *name)
{
    struct stat st;
    assert_int_equal(stat(kit_path(k, name), &st), 0);
    return st.st_mode & 0777;
}

static void private_file(const struct kit *k)
{
    write_whole(k, "moth.db", "");
    assert_int_equal(chmod(kit_path(k, "moth.db"), 0600), 0);
}

static void private_database_stays_private(void **state)
{
    struct kit *k = *state;
    private_file(k);
    kit_open(k);
    know(k, 5);
    assert_int_equal(mode_of(k, "moth.db"), 0600);
    assert_int_equal(mode_of(k, "moth.db-wal"), 0600);
    assert_int_equal(mode_of(k, "moth.db-shm"), 0600);
}

static void private_database_is_followed_by_a_private_one(void **state)
{
    struct kit *k = *state;
    private_file(k);
    write_whole(k, "moth.db", "no database at all, but a text of some length that stands in its place");
    assert_int_equal(kit_try_open(k), 0);
    assert_int_equal(mode_of(k, k->report.aside), 0600);
    assert_int_equal(mode_of(k, "moth.db"), 0600);
    assert_int_equal(mode_of(k, "moth.db-wal"), 0600);
}

static void script_in_a_real_folder_looks_as_on_an_imagined_disk(void **state)
{
    static uint64_t looks[SCRIPT_WRITES + 1];
    struct kit *k = *state;
    script_looks(looks);
    kit_open(k);
    for (unsigned i = 0; i < SCRIPT_WRITES; i++) {
        kit_write(k, script_write(i));
        if (i % 9 == 8) {
            kit_commit(k);
            assert_int_equal(kit_look(k), looks[i + 1]);
        }
    }
    kit_reopen(k);
    assert_int_equal(kit_look(k), looks[SCRIPT_WRITES]);
    kit_check_integrity(k);
}

static void reads_go_on_while_a_group_is_under_way(void **state)
{
    struct kit *k = *state;
    struct peer p = peer_of(1);
    uint8_t *body = NULL;
    kit_open(k);
    know(k, 1);
    kit_write(k, write_message(5, 1, "body"));
    kit_commit(k);
    deliver(k, &p, 10);
    kit_pass(k, SECOND);
    kit_tick(k);
    assert_int_equal(store_body(&k->store, 5, 4, &body), 0);
    free(body);
    assert_int_equal(delivered(k, &p, 11), 0);
    kit_run(k);
    assert_int_equal(delivered(k, &p, 10), MOTH_EDUPLICATE);
    kit_done(k);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CLOSED(name) cmocka_unit_test_setup_teardown(name, set_up_closed, tear_down)
#define ALONE(name) cmocka_unit_test(name)
#define FOLDER(name) cmocka_unit_test_setup_teardown(name, set_up_folder, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_are_loaded_in_order_with_their_states),
        TEST(bodies_are_read_as_they_were_written),
        TEST(body_of_another_length_than_expected_is_damaged),
        TEST(arrivals_not_handled_are_loaded_in_order),
        TEST(peers_are_loaded_with_what_was_last_said_of_them),
        TEST(peers_that_matter_are_loaded_before_those_seen_last),
        TEST(row_of_a_peer_is_found_by_its_id),
        TEST(peer_has_one_row_however_often_it_is_written),
        TEST(message_that_ended_can_be_asked_for),
        TEST(late_receipt_changes_only_what_expired),
        TEST(history_is_told_newest_first_by_time),
        TEST(history_tells_only_what_users_said),
        TEST(keys_are_ordered_in_their_space_and_survive),
        TEST(key_and_value_may_be_empty),
        TEST(jobs_are_ordered_by_when_they_are_due_and_survive),
        CLOSED(database_of_version_1_becomes_the_newest_with_all_rows),
        ALONE(migration_that_fails_at_any_call_is_done_at_the_next_start),
        FOLDER(database_of_a_newer_version_is_refused_and_stays_as_it_is),
        FOLDER(text_file_is_set_aside_as_it_is),
        FOLDER(database_of_another_program_is_set_aside),
        FOLDER(empty_file_is_a_new_database),
        TEST(database_said_to_be_damaged_is_set_aside_and_all_of_it_kept),
        FOLDER(database_is_opened_hardened),
        FOLDER(private_database_stays_private),
        FOLDER(private_database_is_followed_by_a_private_one),
        FOLDER(script_in_a_real_folder_looks_as_on_an_imagined_disk),
        FOLDER(reads_go_on_while_a_group_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
