/* test_image.c -- whatever is written to an image is what is read from it; what many hold is held once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/sim.h"
#include "node/store_disk_image.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE 4096u
#define FLAT_BYTES (6 * PAGE)

struct twin { /* an image and the same bytes, flat */
    struct image image;
    uint8_t flat[FLAT_BYTES];
    uint64_t random;
};

static unsigned draw(struct twin *t, unsigned below)
{
    return (unsigned)(sim_draw(&t->random) % below);
}

static void assert_alike(const struct twin *t)
{
    static uint8_t out[FLAT_BYTES];
    image_read(&t->image, 0, (struct span){out, sizeof out});
    assert_memory_equal(out, t->flat, sizeof out);
}

static void write_both(struct twin *t, size_t offset, const uint8_t *bytes, size_t count)
{
    image_write(&t->image, offset, slice_of(bytes, count));
    put_bytes(t->flat + offset, bytes, count);
}

/* Long runs of zeros, long runs of others, and now and then something that looks like a page of a table. */
static void fill(struct twin *t, uint8_t *bytes, size_t count)
{
    for (size_t at = 0, end; at < count; at = end) {
        bool zeros = draw(t, 2) == 0;
        end = at + 1 + draw(t, 100);
        for (size_t i = at; i < count && i < end; i++) bytes[i] = zeros ? 0 : (uint8_t)draw(t, 256);
    }
    if (draw(t, 2) == 0) bytes[0] = 13;
    if (count > 4 && draw(t, 2) == 0) bytes[3] = 0;
}

static void change(struct twin *t)
{
    static uint8_t bytes[FLAT_BYTES];
    size_t offset = draw(t, FLAT_BYTES), count = 1 + draw(t, (unsigned)(FLAT_BYTES - offset));
    if (draw(t, 2) == 0) {
        offset = draw(t, 6) * PAGE;
        count = PAGE;
    }
    fill(t, bytes, count);
    if (draw(t, 8) > 0) {
        write_both(t, offset, bytes, count);
        return;
    }
    image_cut(&t->image, offset);
    memset(t->flat + offset, 0, FLAT_BYTES - offset);
}

static void check_parts(const struct twin *t, size_t offset, size_t count)
{
    static uint8_t out[FLAT_BYTES];
    image_read(&t->image, offset, (struct span){out, count});
    assert_memory_equal(out, t->flat + offset, count);
}

static void live(uint64_t seed, struct moth_pool *pool)
{
    struct twin *t = mem_new(sizeof *t);
    t->random = seed;
    t->image.pool = pool;
    for (int i = 0; i < 60; i++) {
        change(t);
        assert_alike(t);
        size_t offset = draw(t, FLAT_BYTES);
        check_parts(t, offset, draw(t, (unsigned)(FLAT_BYTES - offset)));
    }
    struct image copy = {.pool = pool};
    image_copy(&t->image, &copy);
    image_fini(&t->image);
    t->image = copy;
    assert_alike(t);
    image_fini(&t->image);
    free(t);
}

static void test_image_gives_back_what_was_written(void **state)
{
    struct moth_pool *pool = pool_new();
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) live(seed, seed % 2 ? pool : NULL);
    assert_int_equal(pool_count(pool), 0);
    pool_free(pool);
}

static void test_image_is_zero_beyond_its_end(void **state)
{
    struct image m = {0};
    uint8_t out[4] = {9, 9, 9, 9};
    (void)state;
    image_read(&m, 1000000, (struct span){out, 4});
    assert_memory_equal(out, "\0\0\0\0", 4);
    image_write(&m, 10, slice_of("ab", 2));
    assert_int_equal(image_end(&m), 12);
    image_cut(&m, 11);
    assert_int_equal(image_end(&m), 11);
    image_read(&m, 9, (struct span){out, 4});
    assert_memory_equal(out, "\0a\0\0", 4);
    image_fini(&m);
}

static void test_zeros_take_no_memory(void **state)
{
    struct image m = {0};
    uint8_t page[PAGE] = {1};
    (void)state;
    page[PAGE - 1] = 2;
    for (size_t i = 0; i < 100; i++) image_write(&m, i * PAGE, slice_of(page, PAGE));
    assert_in_range(image_memory(&m), 1, 100 * 128);
    image_fini(&m);
}

/* The whole database, as SQLite itself laid it out: 400 rows with a long value each. */
static uint8_t *database(size_t *bytes, unsigned first_row)
{
    sqlite3 *c;
    char sql[256], value[201];
    sqlite3_int64 size;
    assert_int_equal(sqlite3_open(":memory:", &c), SQLITE_OK);
    sqlite3_exec(c, "PRAGMA page_size = 4096; CREATE TABLE t (row INTEGER PRIMARY KEY, n INTEGER, value TEXT)", NULL, NULL,
                 NULL);
    for (unsigned i = 0; i < 400; i++) {
        for (unsigned j = 0; j < 200; j++) value[j] = (char)('a' + (i * 7 + j * j * 31 + i * j) % 26);
        value[0] = (char)('A' + i / 26);
        value[1] = (char)('A' + i % 26);
        value[200] = '\0';
        snprintf(sql, sizeof sql, "INSERT INTO t VALUES (%u, %u, '%s')", first_row + i, first_row * 1000 + i, value);
        assert_int_equal(sqlite3_exec(c, sql, NULL, NULL, NULL), SQLITE_OK);
    }
    unsigned char *whole = sqlite3_serialize(c, "main", &size, 0);
    *bytes = (size_t)size;
    sqlite3_close(c);
    return whole;
}

static void write_pages(struct image *m, const uint8_t *whole, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += PAGE) image_write(m, at, slice_of(whole + at, PAGE));
}

static void test_what_two_databases_keep_alike_is_held_once(void **state)
{
    struct moth_pool *pool = pool_new();
    struct image one = {.pool = pool}, two = {.pool = pool};
    size_t bytes, bytes_two;
    uint8_t *whole = database(&bytes, 1), *other = database(&bytes_two, 100000), *out = mem_new(bytes_two);
    (void)state;
    write_pages(&one, whole, bytes);
    size_t values = pool_count(pool) - bytes / PAGE; /* and the rest of each page, if it is much */
    assert_in_range(values, 370, 400);
    write_pages(&two, other, bytes_two);
    assert_in_range(pool_count(pool), 400, 400 + bytes / PAGE + bytes_two / PAGE); /* the rows stand elsewhere there */
    size_t before = pool_count(pool);
    write_pages(&two, other, bytes_two);
    assert_int_equal(pool_count(pool), before);
    assert_in_range(image_memory(&two), 1, bytes_two / 3);
    image_read(&two, 0, (struct span){out, bytes_two});
    assert_memory_equal(out, other, bytes_two);
    image_fini(&one);
    image_fini(&two);
    assert_int_equal(pool_count(pool), 0);
    pool_free(pool);
    sqlite3_free(whole);
    sqlite3_free(other);
    free(out);
}

/* Pages of a real table, with bytes changed here and there: hints may lie. */
static void test_damaged_pages_are_kept_as_they_are(void **state)
{
    struct moth_pool *pool = pool_new();
    size_t bytes;
    uint8_t *whole = database(&bytes, 1), out[PAGE];
    struct twin t = {.random = 5};
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        struct image m = {.pool = pool};
        uint8_t *page = whole + PAGE * (1 + round % (bytes / PAGE - 1));
        for (unsigned i = draw(&t, 4); i > 0; i--) page[draw(&t, round % 2 ? PAGE : 64)] = (uint8_t)draw(&t, 256);
        page[0] = 13;
        image_write(&m, 7, slice_of(page, PAGE));
        image_read(&m, 7, (struct span){out, PAGE});
        assert_memory_equal(out, page, PAGE);
        image_fini(&m);
    }
    assert_int_equal(pool_count(pool), 0);
    pool_free(pool);
    sqlite3_free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_image_gives_back_what_was_written),
        cmocka_unit_test(test_image_is_zero_beyond_its_end),
        cmocka_unit_test(test_zeros_take_no_memory),
        cmocka_unit_test(test_what_two_databases_keep_alike_is_held_once),
        cmocka_unit_test(test_damaged_pages_are_kept_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
