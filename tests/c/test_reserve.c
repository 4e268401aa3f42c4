/* test_reserve.c -- two numbers that never repeat, whatever clocks, disks and restarts do.
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
#include "node/reserve.h"

#include <stdlib.h>

#define FILE_BYTES 39u
#define YEAR_MS (365ull * 24 * 3600 * 1000)
#define NOON_MS 1700000000000u
#define RESERVED_MS 60000u /* how far ahead of the clock ids are reserved */

struct world {
    struct moth_host host;
    struct reserve reserve;
    uint64_t wall_ms, now_us;
    uint8_t file[64];
    size_t file_bytes; /* 0: there is none */
    int write_rc, read_rc;
    unsigned writes, errors, warnings;
    void (*run)(void *job), (*done)(void *job); /* work that waits; NULL: none */
    void *job;
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

static int open_reserve(struct world *w)
{
    return reserve_open(&w->reserve, &w->host);
}

static int set_up_closed(void **state)
{
    struct world *w = mem_new(sizeof *w);
    w->host = (struct moth_host){.context = w, .now_us = now_us, .wall_ms = wall_ms, .work = work,
                                 .file_write = file_write, .file_read = file_read, .log = log_line};
    w->wall_ms = NOON_MS;
    *state = w;
    return 0;
}

static int set_up(void **state)
{
    set_up_closed(state);
    return open_reserve(*state);
}

static int tear_down_closed(void **state)
{
    struct world *w = *state;
    assert_null(w->done);
    free(w);
    return 0;
}

static int tear_down(void **state)
{
    reserve_close(&((struct world *)*state)->reserve);
    return tear_down_closed(state);
}

static void restart(struct world *w)
{
    reserve_close(&w->reserve);
    assert_int_equal(open_reserve(w), 0);
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
    uint64_t before = w->reserve.last_id, id = 0;
    assert_int_equal(reserve_next_id(&w->reserve, &id), 0);
    assert_true(id > before);
    assert_true(id <= written_id(w));
    return id;
}

static uint64_t next_seq(struct world *w)
{
    uint64_t before = w->reserve.last_seq, seq = 0;
    assert_int_equal(reserve_next_seq(&w->reserve, &seq), 0);
    assert_true(seq > before);
    assert_true(seq <= written_seq(w));
    return seq;
}

static int try_seq(struct world *w)
{
    uint64_t seq;
    return reserve_next_seq(&w->reserve, &seq);
}

static int try_id(struct world *w)
{
    uint64_t id;
    return reserve_next_id(&w->reserve, &id);
}

static uint64_t tick(struct world *w)
{
    return reserve_tick(&w->reserve, w->now_us);
}

/* A tick, and what it starts is finished at once. */
static void tick_through(struct world *w)
{
    tick(w);
    if (w->run) work_run(w);
    if (w->done) work_done(w);
}

/* --- numbers --- */

static void reserve_reserves_before_it_opens(void **state)
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
    assert_int_equal(w->reserve.last_id, ((NOON_MS + YEAR_MS) << 20) + 100000);
}

static void ids_rise_across_a_restart_a_year_behind(void **state)
{
    struct world *w = *state;
    uint64_t last = next_id(w);
    w->wall_ms = NOON_MS - YEAR_MS;
    for (unsigned i = 0; i < 10; i++) {
        restart(w);
        assert_true(next_id(w) > last);
        last = w->reserve.last_id;
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
    reserve_raise_seq(&w->reserve, 1u << 20);
    tick_through(w);
    assert_int_equal(w->writes, 3);
    assert_int_equal(written_id(w), ceiling);
}

static void ids_end_where_a_file_ends_them(void **state)
{
    struct world *w = *state;
    write_by_hand(w, UINT64_MAX, 7);
    assert_int_equal(open_reserve(w), 0);
    assert_int_equal(try_id(w), MOTH_EIO);
    assert_int_equal(try_id(w), MOTH_EIO);
    reserve_close(&w->reserve);
}

static void ids_stay_below_2_63_whatever_the_clock_says(void **state)
{
    struct world *w = *state;
    w->wall_ms = UINT64_MAX;
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(next_id(w) < UINT64_C(1) << 63);
        tick_through(w);
        if (i % 100 == 0) restart(w);
    }
    assert_true(written_id(w) < UINT64_C(1) << 63);
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
    while (w->reserve.last_seq < written_seq(w)) next_seq(w);
    assert_int_equal(try_seq(w), MOTH_EIO);
    tick_through(w);
    next_seq(w);
}

static void one_write_is_under_way_at_a_time(void **state)
{
    struct world *w = *state;
    reserve_raise_seq(&w->reserve, 1u << 20);
    tick(w);
    assert_int_equal(tick(w), UINT64_MAX);
    reserve_raise_seq(&w->reserve, 2u << 20);
    assert_int_equal(tick(w), UINT64_MAX);
    work_run(w);
    assert_int_equal(tick(w), UINT64_MAX);
    work_done(w);
    tick_through(w);
}

static void seqs_are_raised_once_the_raise_is_on_disk(void **state)
{
    struct world *w = *state;
    reserve_raise_seq(&w->reserve, 1u << 20);
    assert_int_equal(try_seq(w), MOTH_EIO);
    tick_through(w);
    assert_int_equal(next_seq(w), (1u << 20) + 1);
}

static void seqs_are_not_lowered(void **state)
{
    struct world *w = *state;
    uint64_t seq = next_seq(w);
    reserve_raise_seq(&w->reserve, seq);
    reserve_raise_seq(&w->reserve, 0);
    assert_int_equal(next_seq(w), seq + 1);
    assert_int_equal(tick(w), UINT64_MAX);
    assert_null(w->run);
}

static void raise_during_a_write_is_written_next(void **state)
{
    struct world *w = *state;
    reserve_raise_seq(&w->reserve, 1u << 20);
    tick(w);
    reserve_raise_seq(&w->reserve, 2u << 20);
    work_run(w);
    work_done(w);
    tick_through(w);
    assert_true(written_seq(w) > 2u << 20);
    assert_int_equal(next_seq(w), (2u << 20) + 1);
}

static void raise_to_the_last_seqs_ends_them_and_does_not_wrap(void **state)
{
    struct world *w = *state;
    reserve_raise_seq(&w->reserve, UINT64_MAX - 2);
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
    reserve_raise_seq(&w->reserve, 1u << 20);
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
        if (dice / 5000 % 50 == 1) reserve_raise_seq(&w->reserve, last_seq + dice % 10000);
        if (w->run && dice / 5000 % 3 == 0) work_run(w);
        if (w->done && !w->run && dice / 5000 % 3 == 1) work_done(w);
        if (dice / 5000 % 100 == 2 && w->write_rc == 0 && !w->done) restart(w);
        if (reserve_next_id(&w->reserve, &id) == 0) {
            assert_true(id > last_id && id <= written_id(w));
            last_id = id;
        }
        if (reserve_next_seq(&w->reserve, &seq) == 0) {
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
        assert_int_equal(open_reserve(w), MOTH_EMALFORMED);
        w->file[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(w->writes, 0); /* and left as it is, for somebody to look at */
    assert_int_equal(open_reserve(w), 0);
    reserve_close(&w->reserve);
}

static void file_of_another_length_is_refused(void **state)
{
    struct world *w = *state;
    write_by_hand(w, 5, 6);
    for (size_t bytes = 1; bytes <= sizeof w->file; bytes++) {
        w->file_bytes = bytes;
        if (bytes != FILE_BYTES) assert_int_equal(open_reserve(w), MOTH_EMALFORMED);
    }
    assert_int_equal(w->writes, 0);
}

static void file_written_by_hand_counts(void **state)
{
    struct world *w = *state;
    write_by_hand(w, (NOON_MS + YEAR_MS) << 20, 77777);
    assert_int_equal(open_reserve(w), 0);
    assert_int_equal(next_id(w), ((NOON_MS + YEAR_MS) << 20) + 1);
    assert_int_equal(next_seq(w), 77778);
    reserve_close(&w->reserve);
}

static void reserve_that_cannot_read_does_not_open(void **state)
{
    struct world *w = *state;
    w->read_rc = MOTH_EIO;
    assert_int_equal(open_reserve(w), MOTH_EIO);
    w->read_rc = MOTH_EPERMISSION;
    assert_int_equal(open_reserve(w), MOTH_EPERMISSION);
    assert_int_equal(w->writes, 0);
}

static void reserve_that_cannot_write_does_not_open(void **state)
{
    struct world *w = *state;
    w->write_rc = MOTH_EIO;
    assert_int_equal(open_reserve(w), MOTH_EIO);
    w->write_rc = MOTH_EPERMISSION;
    assert_int_equal(open_reserve(w), MOTH_EPERMISSION);
}

static void reserve_that_did_not_open_may_be_closed(void **state)
{
    struct world *w = *state;
    w->write_rc = MOTH_EIO;
    assert_int_equal(open_reserve(w), MOTH_EIO);
    reserve_close(&w->reserve);
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
    reserve_raise_seq(&w->reserve, 1u << 20);
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

static void reserve_recovers_when_the_disk_does(void **state)
{
    struct world *w = *state;
    w->write_rc = MOTH_EIO;
    reserve_raise_seq(&w->reserve, 1u << 20);
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
        reserve_raise_seq(&w->reserve, (uint64_t)i << 20);
        tick_through(w);
        w->write_rc = 0;
        w->now_us = tick(w);
        tick_through(w);
        assert_int_equal(w->errors, i);
        assert_int_equal(w->warnings, i);
    }
}

static void reserve_closes_with_a_write_not_yet_begun(void **state)
{
    struct world *w = *state;
    reserve_raise_seq(&w->reserve, 1u << 20);
    tick(w);
    reserve_close(&w->reserve);
    memset(&w->reserve, 0xaa, sizeof w->reserve);
    work_run(w);
    work_done(w);
    assert_true(written_seq(w) > 1u << 20);
}

static void reserve_closes_with_a_write_not_yet_told(void **state)
{
    struct world *w = *state;
    w->write_rc = MOTH_EIO;
    reserve_raise_seq(&w->reserve, 1u << 20);
    tick(w);
    work_run(w);
    reserve_close(&w->reserve);
    memset(&w->reserve, 0xaa, sizeof w->reserve);
    work_done(w);
    assert_int_equal(w->errors, 0);
}

#define OPEN(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CLOSED(name) cmocka_unit_test_setup_teardown(name, set_up_closed, tear_down_closed)
#define CLOSES(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_closed)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPEN(reserve_reserves_before_it_opens),
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
        OPEN(ids_stay_below_2_63_whatever_the_clock_says),
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
        CLOSED(reserve_that_cannot_read_does_not_open),
        CLOSED(reserve_that_cannot_write_does_not_open),
        CLOSED(reserve_that_did_not_open_may_be_closed),
        OPEN(failing_writes_are_told_once),
        OPEN(failed_write_is_tried_again_after_a_pause),
        OPEN(reserve_recovers_when_the_disk_does),
        OPEN(second_failure_is_told_again_after_a_recovery),
        CLOSES(reserve_closes_with_a_write_not_yet_begun),
        CLOSES(reserve_closes_with_a_write_not_yet_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
