/* test_store.c -- what a node keeps: numbers that never repeat, mail on its way, ids already delivered.
 *
 * The host is imagined: its one file lives in memory and can refuse to be written, its clock goes where a test puts it,
 * and slow work waits until a test lets it run (`work_run`) and then lets it be told (`work_done`), so that any moment
 * in between can be looked at. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/crypto.h"
#include "base/mem.h"
#include "node/peers.h"
#include "node/store.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES 39u
#define YEAR_MS (365ull * 24 * 3600 * 1000)
#define NOON_MS 1700000000000u
#define RESERVED_MS 60000u /* how far ahead of the clock ids are reserved */

struct world {
    struct moth_host host;
    struct store store;
    struct peers peers;
    uint64_t wall_ms, now_us;
    uint8_t file[64];
    size_t file_bytes; /* 0: there is none */
    int write_rc, read_rc;
    unsigned writes, errors, warnings;
    void (*run)(void *job), (*done)(void *job); /* work that waits; NULL: none */
    void *job;
    uint64_t limits[MOTH_LIMIT_COUNT];
};

/* --- the host --- */

static uint64_t now_us(void *context)
{
    return ((struct world *)context)->now_us;
}

static uint64_t wall_ms(void *context)
{
    return ((struct world *)context)->wall_ms;
}

static void work(void *context, void (*run)(void *job), void (*done)(void *job), void *job)
{
    struct world *w = context;
    assert_null(w->run);
    assert_null(w->done);
    w->run = run;
    w->done = done;
    w->job = job;
}

static void work_run(struct world *w)
{
    assert_non_null(w->run);
    w->run(w->job);
    w->run = NULL;
}

static void work_done(struct world *w)
{
    void (*done)(void *job) = w->done;
    assert_null(w->run);
    assert_non_null(done);
    w->done = NULL;
    done(w->job);
}

static int file_write(void *context, const char *name, const void *data, size_t bytes)
{
    struct world *w = context;
    assert_string_equal(name, "reserve");
    w->writes++;
    if (w->write_rc < 0) return w->write_rc;
    assert_true(bytes <= sizeof w->file);
    memcpy(w->file, data, bytes);
    w->file_bytes = bytes;
    return 0;
}

static int file_read(void *context, const char *name, void *data, size_t capacity, size_t *bytes)
{
    struct world *w = context;
    assert_string_equal(name, "reserve");
    if (w->read_rc < 0) return w->read_rc;
    if (w->file_bytes == 0) return MOTH_ENOT_FOUND;
    if (w->file_bytes > capacity) return MOTH_ETOO_BIG;
    memcpy(data, w->file, w->file_bytes);
    *bytes = w->file_bytes;
    return 0;
}

static void log_line(void *context, enum moth_log_level level, const char *text)
{
    struct world *w = context;
    assert_non_null(strstr(text, "home folder"));
    w->errors += level == MOTH_LOG_ERROR;
    w->warnings += level == MOTH_LOG_WARN;
}

/* --- the world --- */

static int open_store(struct world *w)
{
    return store_open(&w->store, &w->host, w->limits, 3);
}

static int set_up_closed(void **state)
{
    struct world *w = mem_new(sizeof *w);
    w->host = (struct moth_host){.context = w, .now_us = now_us, .wall_ms = wall_ms, .work = work,
                                 .file_write = file_write, .file_read = file_read, .log = log_line};
    w->wall_ms = NOON_MS;
    for (int i = 0; i < MOTH_LIMIT_COUNT; i++) w->limits[i] = moth_limit_info((enum moth_limit)i)->value;
    peers_init(&w->peers, 1000, 5);
    *state = w;
    return 0;
}

static int set_up(void **state)
{
    set_up_closed(state);
    return open_store(*state);
}

static int tear_down_closed(void **state)
{
    struct world *w = *state;
    assert_null(w->done);
    peers_fini(&w->peers);
    free(w);
    return 0;
}

static int tear_down(void **state)
{
    store_close(&((struct world *)*state)->store);
    return tear_down_closed(state);
}

static void restart(struct world *w)
{
    store_close(&w->store);
    assert_int_equal(open_store(w), 0);
}

/* Ceilings that are on the imagined disk. */
static uint64_t written_id(const struct world *w)
{
    return get_uint(w->file + 15, 8);
}

static uint64_t written_seq(const struct world *w)
{
    return get_uint(w->file + 23, 8);
}

static void write_by_hand(struct world *w, uint64_t id_ceiling, uint64_t seq_ceiling)
{
    uint8_t hash[CRYPTO_HASH_BYTES], *at = put_bytes(w->file, "moth reserve 1\n", 15);
    at = put_uint(put_uint(at, id_ceiling, 8), seq_ceiling, 8);
    crypto_sha256(slice_of(w->file, FILE_BYTES - 8), hash);
    put_bytes(at, hash, 8);
    w->file_bytes = FILE_BYTES;
}

static uint64_t next_id(struct world *w)
{
    uint64_t before = w->store.last_id, id = 0;
    assert_int_equal(store_next_id(&w->store, &id), 0);
    assert_true(id > before);
    assert_true(id <= written_id(w));
    return id;
}

static uint64_t next_seq(struct world *w)
{
    uint64_t before = w->store.last_seq, seq = 0;
    assert_int_equal(store_next_seq(&w->store, &seq), 0);
    assert_true(seq > before);
    assert_true(seq <= written_seq(w));
    return seq;
}

static int try_seq(struct world *w)
{
    uint64_t seq;
    return store_next_seq(&w->store, &seq);
}

static int try_id(struct world *w)
{
    uint64_t id;
    return store_next_id(&w->store, &id);
}

static uint64_t tick(struct world *w)
{
    return store_tick(&w->store, w->now_us);
}

/* A tick, and what it starts is finished at once. */
static void tick_through(struct world *w)
{
    tick(w);
    if (w->run) work_run(w);
    if (w->done) work_done(w);
}

/* --- numbers --- */

static void store_reserves_before_it_opens(void **state)
{
    struct world *w = *state;
    assert_int_equal(w->writes, 1);
    assert_int_equal(w->file_bytes, FILE_BYTES);
    assert_memory_equal(w->file, "moth reserve 1\n", 15);
    assert_int_equal(written_id(w), (uint64_t)(NOON_MS + RESERVED_MS) << 20);
    assert_true(written_seq(w) > 0);
}

static void ids_follow_the_clock(void **state)
{
    struct world *w = *state;
    assert_int_equal(next_id(w), (uint64_t)NOON_MS << 20);
    assert_int_equal(next_id(w), ((uint64_t)NOON_MS << 20) + 1);
    w->wall_ms++;
    assert_int_equal(next_id(w), (uint64_t)(NOON_MS + 1) << 20);
}

static void ids_rise_when_the_clock_jumps_back(void **state)
{
    struct world *w = *state;
    uint64_t last = next_id(w);
    static const uint64_t clocks[] = {NOON_MS - 1, NOON_MS - 3600000, NOON_MS - YEAR_MS, 1, 0};
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        w->wall_ms = clocks[i];
        assert_int_equal(next_id(w), ++last);
    }
}

static void ids_rise_when_the_clock_jumps_a_year_ahead_and_back(void **state)
{
    struct world *w = *state;
    uint64_t last = next_id(w);
    w->wall_ms = NOON_MS + YEAR_MS;
    assert_int_equal(next_id(w), last + 1); /* not reserved that far */
    tick_through(w);
    assert_int_equal(next_id(w), (NOON_MS + YEAR_MS) << 20);
    w->wall_ms = NOON_MS;
    for (unsigned i = 0; i < 100000; i++) {
        next_id(w);
        tick_through(w);
    }
    assert_int_equal(w->store.last_id, ((NOON_MS + YEAR_MS) << 20) + 100000);
}

static void ids_rise_across_a_restart_a_year_behind(void **state)
{
    struct world *w = *state;
    uint64_t last = next_id(w);
    w->wall_ms = NOON_MS - YEAR_MS;
    for (unsigned i = 0; i < 10; i++) {
        restart(w);
        assert_true(next_id(w) > last);
        last = w->store.last_id;
    }
}

static void restart_never_repeats_a_number(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < 50; i++) {
        uint64_t id = next_id(w), seq = next_seq(w);
        w->wall_ms += i % 3 ? 100 : 0;
        restart(w);
        assert_true(next_id(w) > id);
        assert_true(next_seq(w) > seq);
    }
}

static void restart_never_repeats_a_number_whose_reservation_was_not_yet_told(void **state)
{
    struct world *w = *state;
    w->wall_ms += RESERVED_MS - 1000;
    next_id(w);
    tick(w);
    work_run(w); /* on disk, and the process dies here */
    uint64_t id = next_id(w), seq = next_seq(w);
    restart(w);
    assert_true(next_id(w) > id);
    assert_true(next_seq(w) > seq);
    work_done(w);
}

static void ceilings_are_raised_ahead_of_need(void **state)
{
    struct world *w = *state;
    for (unsigned second = 0; second < 3600; second++) {
        w->wall_ms = NOON_MS + second * 1000u;
        assert_int_equal(next_id(w), w->wall_ms << 20);
        tick_through(w);
    }
    assert_in_range(w->writes, 3600 / 60, 3600 / 25);
}

static void ceilings_are_not_raised_without_use(void **state)
{
    struct world *w = *state;
    w->wall_ms += YEAR_MS;
    assert_int_equal(tick(w), UINT64_MAX);
    assert_int_equal(w->writes, 1);
    assert_null(w->run);
}

static void ids_never_pass_the_ceiling_while_its_raise_waits(void **state)
{
    struct world *w = *state;
    w->wall_ms += RESERVED_MS;
    assert_int_equal(next_id(w), written_id(w));
    assert_int_equal(try_id(w), MOTH_EIO);
    tick(w);
    assert_int_equal(try_id(w), MOTH_EIO);
    work_run(w);
    assert_int_equal(try_id(w), MOTH_EIO); /* on disk, but nobody has said so */
    work_done(w);
    next_id(w);
}

static void ceiling_of_ids_is_never_lowered(void **state)
{
    struct world *w = *state;
    w->wall_ms += YEAR_MS;
    next_id(w);
    tick_through(w);
    uint64_t ceiling = written_id(w);
    w->wall_ms = NOON_MS;
    store_raise_seq(&w->store, 1u << 20);
    tick_through(w);
    assert_int_equal(w->writes, 3);
    assert_int_equal(written_id(w), ceiling);
}

static void ids_end_where_a_file_ends_them(void **state)
{
    struct world *w = *state;
    write_by_hand(w, UINT64_MAX, 7);
    assert_int_equal(open_store(w), 0);
    assert_int_equal(try_id(w), MOTH_EIO);
    assert_int_equal(try_id(w), MOTH_EIO);
    store_close(&w->store);
}

static void seqs_rise_by_one_and_the_ceiling_ahead_of_them(void **state)
{
    struct world *w = *state;
    for (uint64_t seq = 1; seq <= 20000; seq++) {
        assert_int_equal(next_seq(w), seq);
        tick_through(w);
    }
    assert_in_range(w->writes, 5, 11);
}

static void seqs_never_pass_the_ceiling(void **state)
{
    struct world *w = *state;
    while (w->store.last_seq < written_seq(w)) next_seq(w);
    assert_int_equal(try_seq(w), MOTH_EIO);
    tick_through(w);
    next_seq(w);
}

static void one_write_is_under_way_at_a_time(void **state)
{
    struct world *w = *state;
    store_raise_seq(&w->store, 1u << 20);
    tick(w);
    assert_int_equal(tick(w), UINT64_MAX);
    store_raise_seq(&w->store, 2u << 20);
    assert_int_equal(tick(w), UINT64_MAX);
    work_run(w);
    assert_int_equal(tick(w), UINT64_MAX);
    work_done(w);
    tick_through(w);
}

static void seqs_are_raised_once_the_raise_is_on_disk(void **state)
{
    struct world *w = *state;
    store_raise_seq(&w->store, 1u << 20);
    assert_int_equal(try_seq(w), MOTH_EIO);
    tick_through(w);
    assert_int_equal(next_seq(w), (1u << 20) + 1);
}

static void seqs_are_not_lowered(void **state)
{
    struct world *w = *state;
    uint64_t seq = next_seq(w);
    store_raise_seq(&w->store, seq);
    store_raise_seq(&w->store, 0);
    assert_int_equal(next_seq(w), seq + 1);
    assert_int_equal(tick(w), UINT64_MAX);
    assert_null(w->run);
}

static void raise_during_a_write_is_written_next(void **state)
{
    struct world *w = *state;
    store_raise_seq(&w->store, 1u << 20);
    tick(w);
    store_raise_seq(&w->store, 2u << 20);
    work_run(w);
    work_done(w);
    tick_through(w);
    assert_true(written_seq(w) > 2u << 20);
    assert_int_equal(next_seq(w), (2u << 20) + 1);
}

static void raise_to_the_last_seqs_ends_them_and_does_not_wrap(void **state)
{
    struct world *w = *state;
    store_raise_seq(&w->store, UINT64_MAX - 2);
    tick_through(w);
    assert_int_equal(next_seq(w), UINT64_MAX - 1);
    assert_int_equal(next_seq(w), UINT64_MAX);
    assert_int_equal(try_seq(w), MOTH_EIO);
    unsigned writes = w->writes;
    tick_through(w);
    tick_through(w);
    assert_true(w->writes <= writes + 1);
}

static void raised_seq_survives_a_restart(void **state)
{
    struct world *w = *state;
    store_raise_seq(&w->store, 1u << 20);
    tick_through(w);
    restart(w);
    assert_true(next_seq(w) > 1u << 20);
}

static void numbers_never_repeat_whatever_happens(void **state)
{
    struct world *w = *state;
    uint64_t seed = 1, id = 0, seq = 0, last_id = 0, last_seq = 0;
    for (unsigned turn = 0; turn < 50000; turn++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        unsigned dice = (unsigned)(seed >> 33);
        w->now_us += dice % 100000;
        w->wall_ms += dice % 1000;
        w->write_rc = dice / 1000 % 5 == 0 ? MOTH_EIO : w->write_rc;
        if (dice / 1000 % 5 == 1) w->write_rc = 0;
        if (dice / 5000 % 50 == 0) w->wall_ms = NOON_MS + dice % YEAR_MS;
        if (dice / 5000 % 50 == 1) store_raise_seq(&w->store, last_seq + dice % 10000);
        if (w->run && dice / 5000 % 3 == 0) work_run(w);
        if (w->done && !w->run && dice / 5000 % 3 == 1) work_done(w);
        if (dice / 5000 % 100 == 2 && w->write_rc == 0 && !w->done) restart(w);
        if (store_next_id(&w->store, &id) == 0) {
            assert_true(id > last_id && id <= written_id(w));
            last_id = id;
        }
        if (store_next_seq(&w->store, &seq) == 0) {
            assert_true(seq > last_seq && seq <= written_seq(w));
            last_seq = seq;
        }
        tick(w);
    }
    assert_true(w->writes > 100);
    if (w->run) work_run(w);
    if (w->done) work_done(w);
}

/* --- the file and its failures --- */

static void damaged_file_is_refused_whichever_bit_it_is(void **state)
{
    struct world *w = *state;
    write_by_hand(w, 5, 6);
    for (unsigned bit = 0; bit < 8 * FILE_BYTES; bit++) {
        w->file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(open_store(w), MOTH_EMALFORMED);
        w->file[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(w->writes, 0); /* and left as it is, for somebody to look at */
    assert_int_equal(open_store(w), 0);
    store_close(&w->store);
}

static void file_of_another_length_is_refused(void **state)
{
    struct world *w = *state;
    write_by_hand(w, 5, 6);
    for (size_t bytes = 1; bytes <= sizeof w->file; bytes++) {
        w->file_bytes = bytes;
        if (bytes != FILE_BYTES) assert_int_equal(open_store(w), MOTH_EMALFORMED);
    }
    assert_int_equal(w->writes, 0);
}

static void file_written_by_hand_counts(void **state)
{
    struct world *w = *state;
    write_by_hand(w, (NOON_MS + YEAR_MS) << 20, 77777);
    assert_int_equal(open_store(w), 0);
    assert_int_equal(next_id(w), ((NOON_MS + YEAR_MS) << 20) + 1);
    assert_int_equal(next_seq(w), 77778);
    store_close(&w->store);
}

static void store_that_cannot_read_does_not_open(void **state)
{
    struct world *w = *state;
    w->read_rc = MOTH_EIO;
    assert_int_equal(open_store(w), MOTH_EIO);
    w->read_rc = MOTH_EPERMISSION;
    assert_int_equal(open_store(w), MOTH_EPERMISSION);
    assert_int_equal(w->writes, 0);
}

static void store_that_cannot_write_does_not_open(void **state)
{
    struct world *w = *state;
    w->write_rc = MOTH_EIO;
    assert_int_equal(open_store(w), MOTH_EIO);
    w->write_rc = MOTH_EPERMISSION;
    assert_int_equal(open_store(w), MOTH_EPERMISSION);
}

static void store_that_did_not_open_may_be_closed(void **state)
{
    struct world *w = *state;
    w->write_rc = MOTH_EIO;
    assert_int_equal(open_store(w), MOTH_EIO);
    store_close(&w->store);
}

static void failing_writes_are_told_once(void **state)
{
    struct world *w = *state;
    w->write_rc = MOTH_EIO;
    w->wall_ms += RESERVED_MS;
    next_id(w);
    for (unsigned i = 0; i < 10; i++) {
        tick_through(w);
        w->now_us += 5000000;
    }
    assert_int_equal(w->writes, 11);
    assert_int_equal(w->errors, 1);
    assert_int_equal(w->warnings, 0);
    assert_int_equal(try_id(w), MOTH_EIO);
}

static void failed_write_is_tried_again_after_a_pause(void **state)
{
    struct world *w = *state;
    w->write_rc = MOTH_EIO;
    w->now_us = 7;
    store_raise_seq(&w->store, 1u << 20);
    tick_through(w);
    assert_int_equal(w->writes, 2);
    uint64_t retry_us = tick(w);
    assert_in_range(retry_us, 1000000, 60000000);
    w->now_us = retry_us - 1;
    assert_int_equal(tick(w), retry_us);
    assert_null(w->run);
    w->now_us = retry_us;
    assert_int_equal(tick(w), UINT64_MAX);
    work_run(w);
    work_done(w);
}

static void store_recovers_when_the_disk_does(void **state)
{
    struct world *w = *state;
    w->write_rc = MOTH_EIO;
    store_raise_seq(&w->store, 1u << 20);
    tick_through(w);
    assert_int_equal(try_seq(w), MOTH_EIO);
    w->write_rc = 0;
    w->now_us = tick(w);
    tick_through(w);
    assert_int_equal(next_seq(w), (1u << 20) + 1);
    assert_int_equal(w->errors, 1);
    assert_int_equal(w->warnings, 1);
    assert_int_equal(tick(w), UINT64_MAX);
}

static void second_failure_is_told_again_after_a_recovery(void **state)
{
    struct world *w = *state;
    for (unsigned i = 1; i <= 3; i++) {
        w->write_rc = MOTH_EIO;
        store_raise_seq(&w->store, (uint64_t)i << 20);
        tick_through(w);
        w->write_rc = 0;
        w->now_us = tick(w);
        tick_through(w);
        assert_int_equal(w->errors, i);
        assert_int_equal(w->warnings, i);
    }
}

static void store_closes_with_a_write_not_yet_begun(void **state)
{
    struct world *w = *state;
    store_raise_seq(&w->store, 1u << 20);
    tick(w);
    store_close(&w->store);
    memset(&w->store, 0xaa, sizeof w->store);
    work_run(w);
    work_done(w);
    assert_true(written_seq(w) > 1u << 20);
}

static void store_closes_with_a_write_not_yet_told(void **state)
{
    struct world *w = *state;
    w->write_rc = MOTH_EIO;
    store_raise_seq(&w->store, 1u << 20);
    tick(w);
    work_run(w);
    store_close(&w->store);
    memset(&w->store, 0xaa, sizeof w->store);
    work_done(w);
    assert_int_equal(w->errors, 0);
}

/* --- mail --- */

static struct peer *peer(struct world *w, uint8_t number)
{
    struct moth_id id = {{number}};
    return peers_get(&w->peers, &id, true);
}

static int put(struct world *w, uint8_t to, uint64_t id, const char *body)
{
    struct outgoing *m = outgoing_new(id, peer(w, to), slice_text(body));
    int rc = store_put(&w->store, m);
    if (rc < 0) free(m); /* still ours */
    return rc;
}

static struct box *box(const struct world *w, uint8_t to)
{
    struct moth_id id = {{to}};
    return store_box(&w->store, &id);
}

static void end(struct world *w, uint64_t id, enum moth_state state, int reason)
{
    struct outgoing *m = store_find(&w->store, id);
    assert_non_null(m);
    m->state = state;
    m->reason = reason;
    store_end(&w->store, m);
}

/* The ids of a box, in order, as "1 5 9". */
static const char *content(const struct world *w, uint8_t to)
{
    static char text[128];
    size_t used = 0;
    const struct outgoing *before = NULL;
    text[0] = '\0';
    if (!box(w, to)) return "no box";
    for (const struct outgoing *m = box(w, to)->first; m; before = m, m = m->after) {
        assert_ptr_equal(m->before, before);
        used += (size_t)snprintf(text + used, sizeof text - used, used ? " %u" : "%u", (unsigned)m->id);
    }
    assert_ptr_equal(box(w, to)->last, before);
    return text;
}

static size_t count_boxes(const struct world *w)
{
    size_t count = 0;
    const struct box *before = NULL;
    for (const struct box *b = w->store.boxes; b; before = b, b = b->after, count++)
        assert_ptr_equal(b->before, before);
    return count;
}

static void message_is_kept_as_it_was_given(void **state)
{
    struct world *w = *state;
    assert_int_equal(put(w, 1, 10, "hello"), 0);
    struct outgoing *m = store_find(&w->store, 10);
    assert_non_null(m);
    assert_ptr_equal(m->to, peer(w, 1));
    assert_int_equal(m->body_bytes, 5);
    assert_memory_equal(m->body, "hello", 5);
    assert_int_equal(m->state, MOTH_PENDING);
    assert_int_equal(peer(w, 1)->mail, 1);
}

static void message_may_be_empty(void **state)
{
    struct world *w = *state;
    assert_int_equal(put(w, 1, 10, ""), 0);
    assert_int_equal(store_find(&w->store, 10)->body_bytes, 0);
}

static void box_keeps_the_order_of_its_messages(void **state)
{
    struct world *w = *state;
    for (uint64_t id = 1; id <= 9; id++) put(w, (uint8_t)(id % 3), id, "x");
    assert_string_equal(content(w, 0), "3 6 9");
    assert_string_equal(content(w, 1), "1 4 7");
    assert_string_equal(content(w, 2), "2 5 8");
    assert_int_equal(count_boxes(w), 3);
}

static void message_leaves_its_box_from_any_place(void **state)
{
    struct world *w = *state;
    for (uint64_t id = 1; id <= 5; id++) put(w, 1, id, "x");
    end(w, 3, MOTH_DELIVERED, 0);
    assert_string_equal(content(w, 1), "1 2 4 5");
    end(w, 1, MOTH_DELIVERED, 0);
    assert_string_equal(content(w, 1), "2 4 5");
    end(w, 5, MOTH_DELIVERED, 0);
    assert_string_equal(content(w, 1), "2 4");
    assert_null(store_find(&w->store, 3));
    assert_int_equal(peer(w, 1)->mail, 2);
}

static void box_goes_with_its_last_message(void **state)
{
    struct world *w = *state;
    for (uint8_t to = 1; to <= 4; to++) put(w, to, to, "x");
    static const uint8_t order[] = {2, 4, 1, 3}; /* of the list: the middle, the start, the end, the only one */
    for (unsigned i = 0; i < 4; i++) {
        end(w, order[i], MOTH_DELIVERED, 0);
        assert_string_equal(content(w, order[i]), "no box");
        assert_int_equal(count_boxes(w), 3 - i);
    }
    put(w, 2, 9, "x");
    assert_string_equal(content(w, 2), "9");
}

static void next_to_send_is_the_first_not_in_flight(void **state)
{
    struct world *w = *state;
    put(w, 1, 1, "x");
    put(w, 1, 2, "x");
    put(w, 1, 3, "x");
    struct box *b = box(w, 1);
    assert_int_equal(b->next_send->id, 1);
    for (uint64_t id = 1; id <= 3; id++) {
        store_find(&w->store, id)->in_flight = true;
        b->in_flight++;
        b->next_send = b->next_send->after;
    }
    assert_null(b->next_send);
    put(w, 1, 4, "x");
    put(w, 1, 5, "x");
    assert_int_equal(b->next_send->id, 4);
    end(w, 2, MOTH_DELIVERED, 0);
    assert_int_equal(b->in_flight, 2);
    assert_int_equal(b->next_send->id, 4);
    end(w, 4, MOTH_CANCELLED, 0);
    assert_int_equal(b->in_flight, 2);
    assert_int_equal(b->next_send->id, 5);
    end(w, 5, MOTH_CANCELLED, 0);
    assert_null(b->next_send);
}

static void mail_is_bounded_by_count(void **state)
{
    struct world *w = *state;
    w->store.mail_max = 3;
    for (uint64_t id = 1; id <= 3; id++) assert_int_equal(put(w, (uint8_t)id, id, "x"), 0);
    assert_int_equal(put(w, 1, 4, "x"), MOTH_EFULL);
    assert_int_equal(put(w, 4, 4, "x"), MOTH_EFULL);
    assert_null(store_find(&w->store, 4));
    assert_null(box(w, 4));
    assert_int_equal(peer(w, 4)->mail, 0);
    end(w, 2, MOTH_DELIVERED, 0);
    assert_int_equal(put(w, 4, 4, "x"), 0);
}

static void mail_is_bounded_by_bytes(void **state)
{
    struct world *w = *state;
    w->store.mail_bytes_max = 10;
    assert_int_equal(put(w, 1, 1, "1234567"), 0);
    assert_int_equal(put(w, 1, 2, "1234"), MOTH_EFULL);
    assert_int_equal(put(w, 1, 2, "123"), 0);
    assert_int_equal(w->store.mail_bytes, 10);
    assert_int_equal(put(w, 1, 3, "1"), MOTH_EFULL);
    assert_int_equal(put(w, 1, 3, ""), 0);
    end(w, 1, MOTH_DELIVERED, 0);
    assert_int_equal(w->store.mail_bytes, 3);
    assert_int_equal(w->store.mail_count, 2);
    assert_int_equal(put(w, 1, 4, "1234567"), 0);
}

static void limits_come_from_the_configuration(void **state)
{
    struct world *w = *state;
    assert_int_equal(w->store.mail_max, w->limits[MOTH_LIMIT_MAIL_COUNT]);
    assert_int_equal(w->store.mail_bytes_max, w->limits[MOTH_LIMIT_MAIL_BYTES]);
    assert_int_equal(w->store.delivered_max, w->limits[MOTH_LIMIT_DELIVERED_IDS]);
    assert_int_equal(w->store.light_max, w->limits[MOTH_LIMIT_LIGHT_IDS]);
}

static void store_closes_with_mail_inside(void **state)
{
    struct world *w = *state;
    for (uint64_t id = 1; id <= 9; id++) put(w, (uint8_t)(id % 3), id, "x");
    store_close(&w->store);
    for (uint8_t to = 0; to < 3; to++) assert_int_equal(peer(w, to)->mail, 0);
}

/* --- ends --- */

static void end_of_a_message_can_be_asked_for(void **state)
{
    struct world *w = *state;
    struct moth_sent sent;
    put(w, 1, 10, "hello");
    struct outgoing *m = store_find(&w->store, 10);
    m->tries = 3;
    m->changed_ms = 77;
    m->data_bytes = 4;
    end(w, 10, MOTH_REFUSED, MOTH_ETOO_BIG);
    assert_true(store_ended(&w->store, 10, &sent));
    assert_int_equal(sent.id, 10);
    assert_int_equal(sent.to.bytes[0], 1);
    assert_int_equal(sent.state, MOTH_REFUSED);
    assert_int_equal(sent.reason, MOTH_ETOO_BIG);
    assert_int_equal(sent.changed_ms, 77);
    assert_int_equal(sent.tries, 3);
    assert_int_equal(sent.bytes, 4);
    assert_string_equal(sent.name, "");
}

static void message_that_never_ended_has_no_end(void **state)
{
    struct world *w = *state;
    struct moth_sent sent;
    put(w, 1, 10, "hello");
    assert_false(store_ended(&w->store, 10, &sent));
    assert_false(store_ended(&w->store, 11, &sent));
    assert_false(store_ended(&w->store, 0, &sent));
}

static void ends_are_remembered_in_a_ring(void **state)
{
    enum { RING = 4096 };
    struct world *w = *state;
    struct moth_sent sent;
    for (uint64_t id = 1; id <= RING + 5; id++) {
        put(w, (uint8_t)id, id, "x");
        end(w, id, MOTH_DELIVERED, 0);
        assert_true(store_ended(&w->store, id, &sent));
    }
    for (uint64_t id = 1; id <= 5; id++) assert_false(store_ended(&w->store, id, &sent));
    for (uint64_t id = 6; id <= RING + 5; id++) {
        assert_true(store_ended(&w->store, id, &sent));
        assert_int_equal(sent.id, id);
    }
}

static void late_receipt_makes_expired_delivered(void **state)
{
    struct world *w = *state;
    struct moth_sent sent;
    put(w, 1, 10, "x");
    end(w, 10, MOTH_EXPIRED, MOTH_EEXPIRED);
    assert_true(store_end_late(&w->store, 10, peer(w, 1), 99));
    assert_true(store_ended(&w->store, 10, &sent));
    assert_int_equal(sent.state, MOTH_DELIVERED);
    assert_int_equal(sent.reason, 0);
    assert_int_equal(sent.changed_ms, 99);
}

static void late_receipt_counts_once(void **state)
{
    struct world *w = *state;
    put(w, 1, 10, "x");
    end(w, 10, MOTH_EXPIRED, MOTH_EEXPIRED);
    assert_true(store_end_late(&w->store, 10, peer(w, 1), 99));
    assert_false(store_end_late(&w->store, 10, peer(w, 1), 100));
}

static void late_receipt_of_somebody_else_counts_nothing(void **state)
{
    struct world *w = *state;
    struct moth_sent sent;
    put(w, 1, 10, "x");
    end(w, 10, MOTH_EXPIRED, MOTH_EEXPIRED);
    assert_false(store_end_late(&w->store, 10, peer(w, 2), 99));
    assert_true(store_ended(&w->store, 10, &sent));
    assert_int_equal(sent.state, MOTH_EXPIRED);
}

static void late_receipt_changes_no_other_end(void **state)
{
    static const enum moth_state ends[] = {MOTH_DELIVERED, MOTH_REFUSED, MOTH_CANCELLED, MOTH_LOST};
    struct world *w = *state;
    struct moth_sent sent;
    for (unsigned i = 0; i < 4; i++) {
        put(w, 1, 10 + i, "x");
        end(w, 10 + i, ends[i], MOTH_EREFUSED);
        assert_false(store_end_late(&w->store, 10 + i, peer(w, 1), 99));
        assert_true(store_ended(&w->store, 10 + i, &sent));
        assert_int_equal(sent.state, ends[i]);
    }
}

static void late_receipt_for_an_unknown_message_counts_nothing(void **state)
{
    struct world *w = *state;
    assert_false(store_end_late(&w->store, 10, peer(w, 1), 99));
    put(w, 1, 10, "x");
    assert_false(store_end_late(&w->store, 10, peer(w, 1), 99)); /* on its way: not late at all */
}

/* --- ids of others --- */

static int delivered(struct world *w, uint8_t from, uint64_t id)
{
    return store_delivered_add(&w->store, &w->peers, peer(w, from), id);
}

static void delivered_ids_are_told_apart_by_source(void **state)
{
    struct world *w = *state;
    assert_int_equal(delivered(w, 1, 10), 0);
    assert_int_equal(delivered(w, 1, 10), MOTH_EDUPLICATE);
    assert_int_equal(delivered(w, 2, 10), 0);
    assert_int_equal(w->peers.delivered_count, 2);
}

static void delivered_ids_are_counted_also_when_a_source_forgets(void **state)
{
    struct world *w = *state;
    for (uint64_t id = 1; id <= 70000; id++) assert_int_equal(delivered(w, 1, id), 0);
    assert_int_equal(delivered(w, 1, 1), MOTH_ETOO_OLD);
    assert_int_equal(delivered(w, 1, 70000), MOTH_EDUPLICATE);
    assert_int_equal(w->peers.delivered_count, peer(w, 1)->delivered->count);
    assert_true(w->peers.delivered_count <= 65536);
}

static void largest_source_forgets_half_above_the_limit_of_all(void **state)
{
    struct world *w = *state;
    w->store.delivered_max = 100;
    for (uint64_t id = 1; id <= 60; id++) delivered(w, 1, id);
    for (uint64_t id = 1; id <= 40; id++) delivered(w, 2, id);
    peer(w, 4); /* has delivered nothing */
    assert_int_equal(w->peers.delivered_count, 100);
    assert_int_equal(delivered(w, 3, 1), 0);
    assert_int_equal(w->peers.delivered_count, 71);
    assert_int_equal(delivered(w, 1, 30), MOTH_ETOO_OLD);
    assert_int_equal(delivered(w, 1, 31), MOTH_EDUPLICATE);
    assert_int_equal(delivered(w, 2, 1), MOTH_EDUPLICATE);
    assert_int_equal(delivered(w, 3, 1), MOTH_EDUPLICATE);
}

static void delivered_ids_stay_within_the_limit_of_all(void **state)
{
    struct world *w = *state;
    w->store.delivered_max = 10;
    for (uint64_t id = 1; id <= 1000; id++) {
        assert_int_equal(delivered(w, (uint8_t)(id % 7), id), 0);
        assert_true(w->peers.delivered_count <= 10);
    }
    w->store.delivered_max = 1;
    for (uint64_t id = 2000; id <= 2100; id++) assert_int_equal(delivered(w, (uint8_t)(id % 7), id), 0);
}

static void light_ids_are_bounded_a_source(void **state)
{
    struct world *w = *state;
    for (uint64_t id = 1; id <= 1025; id++) assert_int_equal(store_light_add(&w->store, peer(w, 1), id), 0);
    assert_int_equal(store_light_add(&w->store, peer(w, 1), 1025), MOTH_EDUPLICATE);
    assert_int_equal(store_light_add(&w->store, peer(w, 1), 1), MOTH_ETOO_OLD);
    assert_int_equal(store_light_add(&w->store, peer(w, 2), 1), 0);
    assert_true(peer(w, 1)->light->count <= 1024);
}

static void light_ids_do_not_count_as_delivered(void **state)
{
    struct world *w = *state;
    assert_int_equal(store_light_add(&w->store, peer(w, 1), 10), 0);
    assert_int_equal(delivered(w, 1, 10), 0);
    assert_int_equal(w->peers.delivered_count, 1);
}

#define OPEN(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CLOSED(name) cmocka_unit_test_setup_teardown(name, set_up_closed, tear_down_closed)
#define CLOSES(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_closed)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPEN(store_reserves_before_it_opens),
        OPEN(ids_follow_the_clock),
        OPEN(ids_rise_when_the_clock_jumps_back),
        OPEN(ids_rise_when_the_clock_jumps_a_year_ahead_and_back),
        OPEN(ids_rise_across_a_restart_a_year_behind),
        OPEN(restart_never_repeats_a_number),
        OPEN(restart_never_repeats_a_number_whose_reservation_was_not_yet_told),
        OPEN(ceilings_are_raised_ahead_of_need),
        OPEN(ceilings_are_not_raised_without_use),
        OPEN(ids_never_pass_the_ceiling_while_its_raise_waits),
        OPEN(ceiling_of_ids_is_never_lowered),
        CLOSED(ids_end_where_a_file_ends_them),
        OPEN(seqs_rise_by_one_and_the_ceiling_ahead_of_them),
        OPEN(seqs_never_pass_the_ceiling),
        OPEN(one_write_is_under_way_at_a_time),
        OPEN(seqs_are_raised_once_the_raise_is_on_disk),
        OPEN(seqs_are_not_lowered),
        OPEN(raise_during_a_write_is_written_next),
        OPEN(raise_to_the_last_seqs_ends_them_and_does_not_wrap),
        OPEN(raised_seq_survives_a_restart),
        OPEN(numbers_never_repeat_whatever_happens),
        CLOSED(damaged_file_is_refused_whichever_bit_it_is),
        CLOSED(file_of_another_length_is_refused),
        CLOSED(file_written_by_hand_counts),
        CLOSED(store_that_cannot_read_does_not_open),
        CLOSED(store_that_cannot_write_does_not_open),
        CLOSED(store_that_did_not_open_may_be_closed),
        OPEN(failing_writes_are_told_once),
        OPEN(failed_write_is_tried_again_after_a_pause),
        OPEN(store_recovers_when_the_disk_does),
        OPEN(second_failure_is_told_again_after_a_recovery),
        CLOSES(store_closes_with_a_write_not_yet_begun),
        CLOSES(store_closes_with_a_write_not_yet_told),
        OPEN(message_is_kept_as_it_was_given),
        OPEN(message_may_be_empty),
        OPEN(box_keeps_the_order_of_its_messages),
        OPEN(message_leaves_its_box_from_any_place),
        OPEN(box_goes_with_its_last_message),
        OPEN(next_to_send_is_the_first_not_in_flight),
        OPEN(mail_is_bounded_by_count),
        OPEN(mail_is_bounded_by_bytes),
        OPEN(limits_come_from_the_configuration),
        CLOSES(store_closes_with_mail_inside),
        OPEN(end_of_a_message_can_be_asked_for),
        OPEN(message_that_never_ended_has_no_end),
        OPEN(ends_are_remembered_in_a_ring),
        OPEN(late_receipt_makes_expired_delivered),
        OPEN(late_receipt_counts_once),
        OPEN(late_receipt_of_somebody_else_counts_nothing),
        OPEN(late_receipt_changes_no_other_end),
        OPEN(late_receipt_for_an_unknown_message_counts_nothing),
        OPEN(delivered_ids_are_told_apart_by_source),
        OPEN(delivered_ids_are_counted_also_when_a_source_forgets),
        OPEN(largest_source_forgets_half_above_the_limit_of_all),
        OPEN(delivered_ids_stay_within_the_limit_of_all),
        OPEN(light_ids_are_bounded_a_source),
        OPEN(light_ids_do_not_count_as_delivered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
