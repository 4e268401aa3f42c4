/* test_parts.c -- the small public parts beside a node: frames, maps and stores, from C and from Lua.
 *
 * Stores lie in the home of a loop in a folder of its own; the clock is turned by hand. What Lua sees is tested in Lua:
 * a chunk that asserts, run in a state that has nothing of moth but the parts. */
#include "moth/frame.h"
#include "moth/loop.h"
#include "moth/router.h"
#include "moth/store.h"
#include "script/bind_parts.h"

#include "base/mem.h"
#include "node/hub.h"
#include "node/lab.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <lualib.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES 128
#define CALENDAR_MS 1900000000000u

/* --- frames --- */

static void assert_frame(struct moth_frame_decoder *d, const char *text)
{
    struct moth_frame frame;
    assert_int_equal(moth_frame_decoder_next(d, &frame), 1);
    assert_int_equal(frame.bytes, strlen(text));
    assert_memory_equal(frame.data, text, strlen(text));
}

static void assert_more_needed(struct moth_frame_decoder *d)
{
    struct moth_frame frame;
    assert_int_equal(moth_frame_decoder_next(d, &frame), 0);
}

static void test_frame_a_length_is_four_bytes_big_endian(void **state)
{
    uint8_t out[3 + MOTH_FRAME_EXTRA];
    (void)state;
    assert_int_equal(moth_frame_encode(MOTH_FRAME_LENGTH, "abc", 3, out), 7);
    assert_memory_equal(out, "\0\0\0\3abc", 7);
}

static void test_frame_what_was_encoded_is_decoded_however_it_is_cut(void **state)
{
    static const enum moth_frame_mode modes[] = {MOTH_FRAME_LENGTH, MOTH_FRAME_LINE};
    (void)state;
    for (int m = 0; m < 2; m++) {
        char wire[64];
        int bytes = moth_frame_encode(modes[m], "first", 5, wire);
        bytes += moth_frame_encode(modes[m], "", 0, wire + bytes);
        bytes += moth_frame_encode(modes[m], "last", 4, wire + bytes);
        for (int at = 0; at <= bytes; at++) {
            struct moth_frame_decoder *d = moth_frame_decoder_new(modes[m], 0);
            struct moth_frame frame;
            char all[32] = "";
            for (int part = 0; part < 2; part++) {
                moth_frame_decoder_feed(d, part ? wire + at : wire, (size_t)(part ? bytes - at : at));
                while (moth_frame_decoder_next(d, &frame) > 0)
                    sprintf(all + strlen(all), "%.*s,", (int)frame.bytes, (const char *)frame.data);
            }
            assert_string_equal(all, "first,,last,");
            moth_frame_decoder_free(d);
        }
    }
}

static void test_frame_a_first_byte_counts_as_part_of_the_length(void **state)
{
    struct moth_frame frame;
    (void)state;
    struct moth_frame_decoder *d = moth_frame_decoder_new(MOTH_FRAME_LENGTH, 0);
    moth_frame_decoder_feed(d, "\1\0\0\0", 4); /* 16 MiB */
    assert_int_equal(moth_frame_decoder_next(d, &frame), MOTH_ETOO_BIG);
    moth_frame_decoder_free(d);
}

static void test_frame_one_too_big_ends_the_decoder_for_ever(void **state)
{
    struct moth_frame frame;
    (void)state;
    struct moth_frame_decoder *d = moth_frame_decoder_new(MOTH_FRAME_LENGTH, 4);
    moth_frame_decoder_feed(d, "\0\0\0\4four\0\0\0\5", 12);
    assert_frame(d, "four");
    assert_int_equal(moth_frame_decoder_next(d, &frame), MOTH_ETOO_BIG);
    moth_frame_decoder_feed(d, "\0\0\0\1x", 5);
    assert_int_equal(moth_frame_decoder_next(d, &frame), MOTH_ETOO_BIG);
    moth_frame_decoder_free(d);
}

static void test_frame_memory_grows_with_what_came_not_with_what_was_announced(void **state)
{
    (void)state;
    struct moth_frame_decoder *d = moth_frame_decoder_new(MOTH_FRAME_LENGTH, 0);
    moth_frame_decoder_feed(d, "\0\x0f\xff\xff" "abc", 7);
    assert_more_needed(d);
    assert_in_range(moth_frame_decoder_held(d), 7, 4096);
    moth_frame_decoder_free(d);
}

static void test_frame_a_line_drops_the_return_before_its_end(void **state)
{
    (void)state;
    struct moth_frame_decoder *d = moth_frame_decoder_new(MOTH_FRAME_LINE, 0);
    moth_frame_decoder_feed(d, "a\r\n\n", 4);
    assert_frame(d, "a");
    assert_frame(d, "");
    assert_more_needed(d);
    moth_frame_decoder_free(d);
    moth_frame_decoder_free(NULL);
}

static void test_frame_what_is_no_line_is_not_encoded_as_one(void **state)
{
    char out[16];
    (void)state;
    assert_int_equal(moth_frame_encode(MOTH_FRAME_LINE, "a\nb", 3, out), MOTH_EARGUMENT);
    assert_int_equal(moth_frame_encode(MOTH_FRAME_LINE, "a\r", 2, out), MOTH_EARGUMENT);
    assert_int_equal(moth_frame_encode(MOTH_FRAME_LINE, "a\rb", 3, out), 4);
}

static void test_frame_what_is_above_the_limit_is_not_encoded(void **state)
{
    size_t bytes = MOTH_FRAME_MAX + 1;
    char *big = mem_new(bytes), *out = mem_new(bytes + MOTH_FRAME_EXTRA);
    (void)state;
    assert_int_equal(moth_frame_encode(MOTH_FRAME_LENGTH, big, bytes, out), MOTH_ETOO_BIG);
    assert_int_equal(moth_frame_encode(MOTH_FRAME_LENGTH, big, bytes - 1, out), bytes - 1 + MOTH_FRAME_EXTRA);
    free(big);
    free(out);
}

/* --- maps --- */

static struct moth_id id(const char *name)
{
    struct moth_id out;
    moth_id_of_text(name, strlen(name), &out);
    return out;
}

static struct moth_router *map_of_me(void)
{
    struct moth_id me = id("me");
    return moth_router_new(&me, 1);
}

static int link_names(struct moth_router *r, const char *a, const char *b)
{
    struct moth_id from = id(a), to = id(b);
    return moth_router_link(r, &from, &to, 1);
}

static int unlink_names(struct moth_router *r, const char *a, const char *b)
{
    struct moth_id from = id(a), to = id(b);
    return moth_router_unlink(r, &from, &to);
}

static int next_of(struct moth_router *r, const char *name, struct moth_id *out)
{
    struct moth_id to = id(name);
    return moth_router_next_hop(r, &to, out);
}

static void assert_next(struct moth_router *r, const char *to, const char *expected)
{
    struct moth_id next, wanted = id(expected);
    assert_int_equal(next_of(r, to, &next), 0);
    assert_memory_equal(&next, &wanted, sizeof next);
}

/*   me --- ana --- eva --- kim   */
static struct moth_router *line(void)
{
    struct moth_router *r = map_of_me();
    assert_int_equal(link_names(r, "me", "ana"), 0);
    assert_int_equal(link_names(r, "eva", "ana"), 0);
    assert_int_equal(link_names(r, "eva", "kim"), 0);
    return r;
}

static void test_router_the_next_hop_follows_the_links(void **state)
{
    struct moth_id path[4], to = id("kim"), third = id("eva"), next;
    (void)state;
    struct moth_router *r = line();
    assert_next(r, "kim", "ana");
    assert_int_equal(moth_router_path(r, &to, path, 4), 4);
    assert_memory_equal(&path[2], &third, sizeof third);
    assert_int_equal(link_names(r, "me", "kim"), 0);
    assert_next(r, "kim", "kim");
    assert_int_equal(unlink_names(r, "kim", "me"), 0); /* either end first */
    assert_next(r, "kim", "ana");
    assert_int_equal(next_of(r, "me", &next), MOTH_ESELF);
    moth_router_free(r);
}

static void test_router_lists_whom_it_reaches(void **state)
{
    struct moth_route routes[3];
    struct moth_id kim = id("kim"), ana = id("ana");
    bool found = false;
    (void)state;
    struct moth_router *r = line();
    assert_int_equal(link_names(r, "far", "away"), 0);
    assert_int_equal(moth_router_routes(r, NULL, 0), 3);
    assert_int_equal(moth_router_routes(r, routes, 3), 3);
    for (int i = 0; i < 3; i++) {
        if (memcmp(&routes[i].id, &kim, sizeof kim) != 0) continue;
        found = true;
        assert_int_equal(routes[i].hops, 3);
        assert_memory_equal(&routes[i].next, &ana, sizeof ana);
    }
    assert_true(found);
    moth_router_free(r);
}

static void test_router_who_is_not_reached_is_unreachable_who_is_not_there_not_found(void **state)
{
    struct moth_id next, far = id("far");
    (void)state;
    struct moth_router *r = line();
    assert_int_equal(link_names(r, "far", "away"), 0);
    assert_int_equal(next_of(r, "far", &next), MOTH_EUNREACHABLE);
    assert_int_equal(moth_router_path(r, &far, NULL, 0), 0);
    assert_int_equal(next_of(r, "nobody", &next), MOTH_ENOT_FOUND);
    moth_router_free(r);
}

static void test_router_remove_takes_all_links_and_whom_they_held(void **state)
{
    struct moth_id next, eva = id("eva"), kim = id("kim"), ana = id("ana");
    (void)state;
    struct moth_router *r = line();
    assert_int_equal(moth_router_remove(r, &eva), 0);
    assert_false(moth_router_has(r, &eva));
    assert_false(moth_router_has(r, &kim));
    assert_true(moth_router_has(r, &ana));
    assert_int_equal(next_of(r, "kim", &next), MOTH_ENOT_FOUND);
    assert_int_equal(moth_router_remove(r, &eva), MOTH_ENOT_FOUND);
    assert_next(r, "ana", "ana");
    moth_router_free(r);
}

static void test_router_remove_of_ourselves_ends_our_links(void **state)
{
    struct moth_id me = id("me");
    (void)state;
    struct moth_router *r = line();
    assert_int_equal(moth_router_remove(r, &me), 0);
    assert_int_equal(moth_router_routes(r, NULL, 0), 0);
    assert_true(moth_router_has(r, &me));
    moth_router_free(r);
}

static void test_router_a_link_to_itself_is_refused_and_one_that_is_not_there_not_ended(void **state)
{
    (void)state;
    struct moth_router *r = line();
    assert_int_equal(link_names(r, "ana", "ana"), MOTH_ESELF);
    assert_int_equal(unlink_names(r, "me", "kim"), MOTH_ENOT_FOUND);
    moth_router_free(r);
    moth_router_free(NULL);
}

static struct moth_id numbered(unsigned n)
{
    struct moth_id out = {{1}};
    memcpy(out.bytes + 8, &n, sizeof n);
    return out;
}

static void test_router_a_full_map_takes_no_node_but_still_links(void **state)
{
    struct moth_id me = numbered(0);
    (void)state;
    struct moth_router *r = moth_router_new(&me, 1);
    for (unsigned i = 1; i < MOTH_ROUTER_NODES_MAX; i++) {
        struct moth_id other = numbered(i);
        assert_int_equal(moth_router_link(r, &me, &other, 1), 0);
    }
    struct moth_id last = numbered(MOTH_ROUTER_NODES_MAX), one = numbered(1), two = numbered(2);
    assert_int_equal(moth_router_link(r, &me, &last, 1), MOTH_EFULL);
    assert_false(moth_router_has(r, &last));
    assert_int_equal(moth_router_link(r, &one, &two, 1), 0);
    assert_int_equal(moth_router_remove(r, &two), 0);
    assert_int_equal(moth_router_link(r, &me, &last, 1), 0);
    moth_router_free(r);
}

static void test_router_links_are_bounded_and_one_that_is_there_is_no_new_one(void **state)
{
    struct moth_id me = numbered(0);
    unsigned count = 0;
    (void)state;
    struct moth_router *r = moth_router_new(&me, 1);
    for (unsigned a = 0; count < MOTH_ROUTER_LINKS_MAX; a++)
        for (unsigned b = 0; b < a && count < MOTH_ROUTER_LINKS_MAX; b++, count++) {
            struct moth_id from = numbered(a), to = numbered(b);
            assert_int_equal(moth_router_link(r, &from, &to, 1), 0);
        }
    struct moth_id one = numbered(1), last = numbered(4000);
    assert_int_equal(moth_router_link(r, &one, &last, 1), MOTH_EFULL);
    assert_int_equal(moth_router_link(r, &me, &one, 2), 0);
    moth_router_free(r);
}

/* --- stores --- */

static char folder[PATH_BYTES], home[PATH_BYTES + 8];
static struct moth_loop *loop;
static struct moth_host host; /* the loop's, but for the calendar */
static uint64_t wall_ms;

static uint64_t fake_wall(void *context)
{
    (void)context;
    return wall_ms;
}

static int fail_write(void *context, const char *name, const void *data, size_t bytes)
{
    (void)context, (void)name, (void)data, (void)bytes;
    return MOTH_ENO_SPACE;
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/moth-test-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(home, sizeof home, "%s/home", folder);
    if (moth_loop_open(home, &loop) < 0) return -1;
    host = *moth_loop_host(loop);
    host.wall_ms = fake_wall;
    wall_ms = CALENDAR_MS;
    return 0;
}

static int tear_down(void **state)
{
    char command[PATH_BYTES + 16];
    (void)state;
    moth_loop_close(loop);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static struct moth_store *must_open(const char *name)
{
    struct moth_store *s = NULL;
    assert_int_equal(moth_store_open(&host, name, &s), 0);
    return s;
}

static uint64_t must_put(struct moth_store *s, const char *to, const char *text, uint64_t ttl_ms)
{
    uint64_t message = 0;
    assert_int_equal(moth_store_put(s, to, text, strlen(text), ttl_ms, &message), 0);
    return message;
}

static void assert_data(struct moth_store *s, uint64_t message, const char *text)
{
    struct moth_stored m;
    char data[64];
    assert_int_equal(moth_store_get(s, message, &m), 0);
    assert_int_equal(m.bytes, strlen(text));
    assert_int_equal(moth_store_data(s, message, data, m.bytes), 0);
    assert_memory_equal(data, text, m.bytes);
}

static size_t pending(struct moth_store *s, const char *to, struct moth_stored out[4])
{
    size_t count = 99;
    assert_int_equal(moth_store_pending(s, to, out, 4, &count), 0);
    return count;
}

static void test_store_gives_back_what_was_put(void **state)
{
    struct moth_stored m;
    (void)state;
    struct moth_store *s = must_open("mail");
    uint64_t message = must_put(s, "eva", "hello", 5000);
    assert_data(s, message, "hello");
    assert_int_equal(moth_store_get(s, message, &m), 0);
    assert_string_equal(m.to, "eva");
    assert_int_equal(m.time_ms, CALENDAR_MS);
    assert_int_equal(m.expires_ms, CALENDAR_MS + 5000);
    assert_int_equal(m.tries, 0);
    assert_int_equal(m.tried_ms, 0);
    assert_data(s, must_put(s, "eva", "", 0), "");
    moth_store_close(s);
}

static void test_store_keeps_all_when_it_is_closed_and_ids_rise_on(void **state)
{
    (void)state;
    struct moth_store *s = must_open("mail");
    uint64_t first = must_put(s, "eva", "one", 0), second = must_put(s, "eva", "two", 0);
    assert_int_equal(moth_store_delete(s, second), 0);
    moth_store_close(s);
    s = must_open("mail");
    assert_data(s, first, "one");
    assert_true(must_put(s, "eva", "three", 0) > second);
    moth_store_close(s);
}

static void test_store_lists_what_waits_for_one_or_for_all_the_oldest_first(void **state)
{
    struct moth_stored list[4];
    (void)state;
    struct moth_store *s = must_open("mail");
    uint64_t first = must_put(s, "eva", "a", 0);
    uint64_t second = must_put(s, "kim", "b", 0);
    uint64_t third = must_put(s, "eva", "c", 0);
    assert_int_equal(pending(s, "eva", list), 2);
    assert_int_equal(list[0].id, first);
    assert_int_equal(list[1].id, third);
    assert_int_equal(pending(s, NULL, list), 3);
    assert_int_equal(list[1].id, second);
    assert_int_equal(pending(s, "ana", list), 0);
    must_put(s, "eva", "d", 0);
    must_put(s, "eva", "e", 0);
    assert_int_equal(pending(s, NULL, list), 4); /* no more than asked for */
    moth_store_close(s);
}

static void test_store_counts_tries_and_when_the_last_one_was(void **state)
{
    struct moth_stored m;
    (void)state;
    struct moth_store *s = must_open("mail");
    uint64_t message = must_put(s, "eva", "a", 0);
    wall_ms += 1000;
    assert_int_equal(moth_store_tried(s, message), 0);
    wall_ms += 1000;
    assert_int_equal(moth_store_tried(s, message), 0);
    assert_int_equal(moth_store_get(s, message, &m), 0);
    assert_int_equal(m.tries, 2);
    assert_int_equal(m.tried_ms, CALENDAR_MS + 2000);
    moth_store_close(s);
}

static void test_store_expires_what_is_over_and_only_that(void **state)
{
    size_t count;
    struct moth_stored m;
    (void)state;
    struct moth_store *s = must_open("mail");
    uint64_t soon = must_put(s, "eva", "a", 1000), later = must_put(s, "eva", "b", 2000);
    uint64_t never = must_put(s, "eva", "c", 0), far = must_put(s, "eva", "d", UINT64_MAX);
    assert_int_equal(moth_store_expire(s, CALENDAR_MS + 999, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(moth_store_expire(s, CALENDAR_MS + 1000, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(moth_store_get(s, soon, &m), MOTH_ENOT_FOUND);
    assert_int_equal(moth_store_get(s, later, &m), 0);
    assert_int_equal(moth_store_expire(s, CALENDAR_MS + 1000000, &count), 0);
    assert_int_equal(count, 1);
    assert_data(s, never, "c");
    assert_data(s, far, "d");
    moth_store_close(s);
}

static void test_store_says_not_found_of_what_is_not_there(void **state)
{
    struct moth_stored m;
    char data[1];
    (void)state;
    struct moth_store *s = must_open("mail");
    assert_int_equal(moth_store_get(s, 7, &m), MOTH_ENOT_FOUND);
    assert_int_equal(moth_store_data(s, 7, data, 1), MOTH_ENOT_FOUND);
    assert_int_equal(moth_store_delete(s, 7), MOTH_ENOT_FOUND);
    assert_int_equal(moth_store_tried(s, UINT64_MAX), MOTH_ENOT_FOUND);
    moth_store_close(s);
    moth_store_close(NULL);
}

static void test_store_refuses_names_that_are_none(void **state)
{
    static const char *const names[] = {"", "a/b", "../mail", "moth", "MOTH", "mail ",
                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct moth_store *s;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(moth_store_open(&host, names[i], &s), MOTH_EBAD_NAME);
}

static void test_store_refuses_recipients_and_data_above_their_limits(void **state)
{
    uint64_t message;
    (void)state;
    char *big = mem_new(MOTH_STORE_DATA_MAX + 1);
    struct moth_store *s = must_open("mail");
    assert_int_equal(moth_store_put(s, "", "a", 1, 0, &message), MOTH_EARGUMENT);
    memset(big, 'a', MOTH_STORE_TO_MAX + 1);
    assert_int_equal(moth_store_put(s, big, "a", 1, 0, &message), MOTH_EARGUMENT);
    assert_int_equal(moth_store_put(s, "eva", big, MOTH_STORE_DATA_MAX + 1, 0, &message), MOTH_ETOO_BIG);
    assert_int_equal(moth_store_put(s, "eva", big, MOTH_STORE_DATA_MAX, 0, &message), 0);
    moth_store_close(s);
    free(big);
}

/* What it counted when it was opened is what counts. */
static void change_file(const char *name, const char *sql)
{
    char path[PATH_BYTES * 2];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/%s.db", home, name);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_store_is_full_by_bytes_and_by_count_until_something_goes(void **state)
{
    uint64_t message, first;
    (void)state;
    struct moth_store *s = must_open("mail");
    first = must_put(s, "eva", "a", 0);
    moth_store_close(s);
    change_file("mail", "UPDATE schedule_messages SET bytes = 268435455");
    s = must_open("mail");
    assert_int_equal(moth_store_put(s, "eva", "ab", 2, 0, &message), MOTH_EFULL);
    assert_int_equal(moth_store_put(s, "eva", "b", 1, 0, &message), 0);
    assert_int_equal(moth_store_put(s, "eva", "b", 1, 0, &message), MOTH_EFULL);
    moth_store_close(s);
    change_file("mail", "UPDATE schedule_messages SET bytes = 1;"
                        "WITH RECURSIVE n (i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
                        " INSERT INTO schedule_messages (id, recipient, bytes, put_time, expiry_time)"
                        " SELECT i + 1000000, 'eva', 1, 1, 0 FROM n");
    s = must_open("mail");
    assert_int_equal(moth_store_put(s, "eva", "b", 1, 0, &message), MOTH_EFULL);
    assert_int_equal(moth_store_delete(s, first), 0);
    assert_int_equal(moth_store_put(s, "eva", "b", 1, 0, &message), 0);
    moth_store_close(s);
}

static void test_store_has_one_opener(void **state)
{
    struct moth_store *second;
    (void)state;
    struct moth_store *s = must_open("mail"), *other = must_open("other");
    assert_int_equal(moth_store_open(&host, "mail", &second), MOTH_EIN_USE);
    moth_store_close(other);
    moth_store_close(s);
    s = must_open("mail");
    moth_store_close(s);
}

static void test_store_files_are_private(void **state)
{
    char path[PATH_BYTES * 2];
    struct stat about;
    (void)state;
    struct moth_store *s = must_open("mail");
    must_put(s, "eva", "a", 0);
    snprintf(path, sizeof path, "%s/mail.db", home);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    moth_store_close(s);
}

static void test_store_refuses_files_that_are_no_stores(void **state)
{
    struct moth_store *s;
    char path[PATH_BYTES * 2];
    (void)state;
    change_file("foreign", "CREATE TABLE t (x)");
    assert_int_equal(moth_store_open(&host, "foreign", &s), MOTH_EDAMAGED);
    moth_store_close(must_open("newer"));
    change_file("newer", "PRAGMA user_version = 2");
    assert_int_equal(moth_store_open(&host, "newer", &s), MOTH_ENEWER);
    snprintf(path, sizeof path, "%s/text.db", home);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++) fputs("this is no database", f);
    fclose(f);
    assert_int_equal(moth_store_open(&host, "text", &s), MOTH_EDAMAGED);
}

static void test_store_a_body_of_another_length_is_damaged(void **state)
{
    struct moth_stored m;
    char data[8];
    (void)state;
    struct moth_store *s = must_open("mail");
    uint64_t message = must_put(s, "eva", "abc", 0), other = must_put(s, "eva", "abc", 0);
    moth_store_close(s);
    change_file("mail", "UPDATE schedule_messages SET bytes = 5 WHERE id = 1;"
                        "UPDATE schedule_messages SET bytes = 5000000 WHERE id = 2");
    s = must_open("mail");
    assert_int_equal(moth_store_get(s, message, &m), 0);
    assert_int_equal(moth_store_data(s, message, data, m.bytes), MOTH_EDAMAGED);
    assert_int_equal(moth_store_get(s, other, &m), MOTH_EDAMAGED);
    moth_store_close(s);
}

static void test_store_that_cannot_be_made_says_why(void **state)
{
    struct moth_store *s;
    (void)state;
    host.file_write = fail_write;
    assert_int_equal(moth_store_open(&host, "mail", &s), MOTH_ENO_SPACE);
}

static void test_store_what_failed_leaves_nothing_and_is_counted_anew(void **state)
{
    struct moth_stored list[4];
    uint64_t message;
    (void)state;
    struct moth_store *s = must_open("mail");
    must_put(s, "eva", "a", 0);
    moth_store_close(s);
    change_file("mail", "CREATE TRIGGER t BEFORE INSERT ON schedule_messages WHEN new.recipient = 'kim'"
                        " BEGIN SELECT raise(ABORT, 'no'); END");
    s = must_open("mail");
    assert_int_equal(moth_store_put(s, "kim", "b", 1, 0, &message), MOTH_EIO);
    assert_int_equal(pending(s, NULL, list), 1);
    must_put(s, "eva", "c", 0);
    assert_int_equal(pending(s, NULL, list), 2);
    moth_store_close(s);
}

static void test_store_lies_on_an_imagined_disk_as_well(void **state)
{
    (void)state;
    struct lab *lab = lab_new(1, 1);
    assert_int_equal(lab_start(lab, 0, "ana", NULL), 0);
    host = *lab_node(lab, 0)->host;
    struct moth_store *s = must_open("mail");
    uint64_t message = must_put(s, "eva", "hello", 0);
    moth_store_close(s);
    s = must_open("mail");
    assert_data(s, message, "hello");
    moth_store_close(s);
    lab_free(lab);
}

/* --- in Lua --- */

static lua_State *L;

static int open_parts(lua_State *l)
{
    bind_parts_open(l, &host);
    lua_setglobal(l, "moth");
    return 0;
}

static int set_up_lua(void **state)
{
    int rc = set_up(state);
    if (rc != 0) return rc;
    L = luaL_newstate();
    luaL_openlibs(L);
    lua_pushcfunction(L, open_parts);
    return lua_pcall(L, 0, 0, 0) == LUA_OK ? 0 : -1;
}

static int tear_down_lua(void **state)
{
    lua_close(L);
    return tear_down(state);
}

static void check(const char *chunk)
{
    if (luaL_dostring(L, chunk) == LUA_OK) return;
    print_error("%s\n", lua_tostring(L, -1));
    fail();
}

/* A lab opens them for each of its machines, in one state. What was made by the first is used after the second. */
static void test_lua_parts_that_are_opened_anew_leave_what_was_made_before_alone(void **state)
{
    (void)state;
    check("decoder, map = moth.frame.decoder 'line', moth.router.new 'me'");
    check("store = assert(moth.store.open 'kept')");
    lua_pushcfunction(L, open_parts);
    assert_int_equal(lua_pcall(L, 0, 0, 0), LUA_OK);
    check("for i = 1, 3 do collectgarbage() end local junk = {} for i = 1, 1000 do junk[i] = { i } end");
    check("assert(decoder:feed('one\\ntwo')[1] == 'one' and decoder:feed('\\n')[1] == 'two')");
    check("map:link('me', 'you') map:link('you', 'me') map = nil collectgarbage()");
    check("assert(store:expire() == 0) store:close()");
}

static void test_lua_frames_go_there_and_back(void **state)
{
    (void)state;
    check("local d = moth.frame.decoder('length')\n"
          "local wire = moth.frame.encode('one', 'length') .. moth.frame.encode('', 'length')\n"
          "local list = {}\n"
          "for i = 1, #wire do for _, f in ipairs(d:feed(wire:sub(i, i))) do list[#list + 1] = f end end\n"
          "assert(#list == 2 and list[1] == 'one' and list[2] == '')\n"
          "d = moth.frame.decoder('line')\n"
          "list = assert(d:feed('a\\r\\nb\\nc'))\n"
          "assert(#list == 2 and list[1] == 'a' and list[2] == 'b')\n"
          "assert(d:feed('d\\n')[1] == 'cd')\n");
}

static void test_lua_frames_that_are_none_are_refused(void **state)
{
    (void)state;
    check("local d = moth.frame.decoder('line', 3)\n"
          "local list, why, code = d:feed('abcd')\n"
          "assert(list == nil and type(why) == 'string' and code == 'too_big')\n"
          "assert(select(3, d:feed('a\\n')) == 'too_big')\n"
          "assert(select(3, moth.frame.encode('a\\nb', 'line')) == 'argument')\n"
          "assert(select(3, moth.frame.encode(('x'):rep(1048577), 'length')) == 'too_big')\n"
          "assert(not pcall(moth.frame.decoder, 'word'))\n"
          "assert(not pcall(moth.frame.decoder, 'line', 0))\n"
          "assert(not pcall(moth.frame.decoder, 'line', 1048577))\n"
          "assert(not pcall(moth.frame.encode, 'a', 'word'))\n"
          "assert(not pcall(d.feed, io.stdout, 'a'))\n"
          "assert(tostring(d) == 'moth.frame.decoder' and getmetatable(d) ~= nil)\n"
          "assert(type(getmetatable(d)) == 'string')\n");
}

static void test_lua_decoders_share_a_bound_on_what_they_hold(void **state)
{
    (void)state;
    check("local all, half, code = {}, '\\0\\x0f\\xff\\xff' .. ('x'):rep(1000000), nil\n"
          "for i = 1, 100 do\n"
          "  all[i] = moth.frame.decoder('length')\n"
          "  code = select(3, all[i]:feed(half))\n"
          "  if code then break end\n"
          "end\n"
          "assert(code == 'full' and #all > 8 and #all < 40)\n"
          "assert(select(3, all[#all]:feed('x')) == 'full')\n"
          "all = nil collectgarbage() collectgarbage()\n"
          "assert(moth.frame.decoder('length'):feed(half))\n");
}

static void test_lua_a_map_speaks_of_names(void **state)
{
    (void)state;
    check("local r = moth.router.new('me')\n"
          "assert(r:link('me', 'ana') and r:link('ana', 'eva', 7) and r:link('b', 'c'))\n"
          "assert(r:next_hop('eva') == 'ana')\n"
          "assert(table.concat(r:path('eva'), ' ') == 'me ana eva')\n"
          "local p = r:peers()\n"
          "assert(#p == 2 and p[1].id == 'ana' and p[1].hops == 1 and p[2].id == 'eva' and p[2].via == 'ana')\n"
          "assert(r:unlink('eva', 'ana') and #r:peers() == 1)\n"
          "assert(r:remove('ana') and #r:peers() == 0)\n"
          "assert(tostring(r) == 'moth.router')\n");
}

static void test_lua_a_map_speaks_of_ids(void **state)
{
    (void)state;
    check("local me, a, b = ('0'):rep(32), ('a1'):rep(16), ('B2'):rep(16)\n"
          "local r = moth.router.new(me)\n"
          "assert(r:link(me, a) and r:link(a, b) and r:link(me, 'name'))\n"
          "assert(r:next_hop(b) == a and r:path(b)[3] == b:lower())\n"
          "local p = r:peers()\n"
          "assert(#p == 3 and p[1].id == a and p[2].id == b:lower() and p[3].id == 'name')\n");
}

static void test_lua_a_map_refuses_with_a_word(void **state)
{
    (void)state;
    check("local r = moth.router.new('me')\n"
          "r:link('me', 'a') r:link('b', 'c')\n"
          "local function code(...) return select(3, ...) end\n"
          "assert(code(r:link('a', 'a')) == 'self')\n"
          "assert(code(r:unlink('me', 'b')) == 'not_found')\n"
          "assert(code(r:remove('x')) == 'not_found')\n"
          "assert(code(r:next_hop('x')) == 'not_found' and code(r:next_hop('b')) == 'unreachable')\n"
          "assert(code(r:next_hop('me')) == 'self')\n"
          "assert(code(r:path('x')) == 'not_found' and code(r:path('b')) == 'unreachable')\n"
          "assert(not pcall(r.link, r, 'a', ''))\n"
          "assert(not pcall(r.link, r, 'a', ('x'):rep(65)))\n"
          "assert(not pcall(r.link, r, 'a', 'b', -1))\n"
          "assert(not pcall(r.link, r, 'a', 'b', 65536))\n"
          "assert(not pcall(r.link, r, 'a'))\n");
}

static void test_lua_maps_are_bounded_and_come_back_when_collected(void **state)
{
    (void)state;
    check("local all, code = {}, nil\n"
          "for i = 1, 100 do\n"
          "  local r, _, c = moth.router.new('me')\n"
          "  all[i], code = r, c\n"
          "  if not r then break end\n"
          "end\n"
          "assert(code == 'full' and #all == 64)\n"
          "all = nil\n"
          "assert(moth.router.new('me'))\n");
}

static void test_lua_a_map_remembers_only_names_that_are_in_it(void **state)
{
    (void)state;
    check("local r = moth.router.new('me')\n"
          "local function used() collectgarbage() collectgarbage() return collectgarbage('count') end\n"
          "r:link('me', 'hub')\n"
          "local before = used()\n"
          "for i = 1, 20000 do r:link('hub', 'n' .. i) r:unlink('hub', 'n' .. i) r:link('x' .. i, 'x' .. i) end\n"
          "for i = 1, 1000 do r:link('m' .. i, 'o' .. i) r:remove('m' .. i) end\n"
          "assert(used() - before < 100, used() - before)\n");
}

static void test_lua_a_store_keeps_messages(void **state)
{
    (void)state;
    check("local s = assert(moth.store.open('mail'))\n"
          "local id = assert(s:put{to = 'eva', data = 'a\\0b', ttl = '1h'})\n"
          "local m = assert(s:get(id))\n"
          "assert(m.id == id and m.to == 'eva' and m.data == 'a\\0b' and m.bytes == 3 and m.tries == 0)\n"
          "assert(m.time == 1900000000 and m.expires == m.time + 3600 and m.tried == nil)\n"
          "assert(s:tried(id) and s:get(id).tries == 1 and s:get(id).tried == 1900000000)\n"
          "local other = assert(s:put{to = 'kim', data = ''})\n"
          "assert(s:get(other).expires == nil and s:get(other).data == '')\n"
          "assert(#s:pending() == 2 and #s:pending('eva') == 1 and s:pending('eva')[1].id == id)\n"
          "assert(s:pending('eva')[1].data == nil)\n"
          "assert(s:expire() == 0 and s:expire(1900003600) == 1 and s:get(id) == nil)\n"
          "assert(s:delete(other) and #s:pending() == 0)\n"
          "assert(tostring(s) == 'moth.store mail')\n");
}

static void test_lua_a_store_refuses_with_a_word(void **state)
{
    (void)state;
    check("local function code(...) return select(3, ...) end\n"
          "assert(code(moth.store.open('moth')) == 'bad_name' and code(moth.store.open('a\\0b')) == 'bad_name')\n"
          "local s = assert(moth.store.open('mail'))\n"
          "assert(code(s:get(7)) == 'not_found' and code(s:delete(7)) == 'not_found')\n"
          "assert(code(s:tried(7)) == 'not_found')\n"
          "assert(code(s:put{to = '', data = 'x'}) == 'argument')\n"
          "assert(code(s:put{to = 'a\\0b', data = 'x'}) == 'argument')\n"
          "assert(code(s:put{to = 'a', data = 'x', ttl = 'soon'}) == 'argument')\n"
          "assert(code(s:put{to = 'a', data = 'x', ttl = -1}) == 'argument')\n"
          "assert(code(s:put{to = 'a', data = ('x'):rep(1000001)}) == 'too_big')\n"
          "assert(not pcall(s.put, s, {to = 'a'}) and not pcall(s.put, s, {data = 'a'}))\n"
          "assert(not pcall(s.put, s, 'a') and not pcall(s.put, s, {to = 'a', data = 'x', ttl = {}}))\n"
          "s:close() s:close()\n"
          "assert(code(s:get(1)) == 'closed' and code(s:put{to = 'a', data = 'x'}) == 'closed')\n"
          "assert(code(s:delete(1)) == 'closed' and code(s:tried(1)) == 'closed')\n"
          "assert(code(s:pending()) == 'closed' and code(s:expire(1)) == 'closed')\n"
          "assert(tostring(s) == 'moth.store (closed)')\n");
}

static void test_lua_a_store_is_shared_until_its_last_user_is_gone(void **state)
{
    (void)state;
    check("local a, b = assert(moth.store.open('mail')), assert(moth.store.open('mail'))\n"
          "local id = a:put{to = 'eva', data = 'x'}\n"
          "a:close()\n"
          "assert(b:get(id).data == 'x')\n"
          "b = nil collectgarbage() collectgarbage()\n"
          "assert(moth.store.open('mail'):get(id).data == 'x')\n");
}

static void test_lua_open_stores_are_bounded_and_come_back_when_collected(void **state)
{
    (void)state;
    check("local all, code = {}, nil\n"
          "for i = 1, 17 do all[i], _, code = moth.store.open('s' .. i) end\n"
          "assert(code == 'full' and #all == 16)\n"
          "assert(moth.store.open('s1'))\n"
          "all = nil\n"
          "assert(moth.store.open('s17'))\n");
}

static void test_lua_without_a_home_there_is_no_store(void **state)
{
    (void)state;
    host.home = NULL;
    check("assert(select(3, moth.store.open('mail')) == 'permission')");
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define LUA_TEST(f) cmocka_unit_test_setup_teardown(f, set_up_lua, tear_down_lua)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_a_length_is_four_bytes_big_endian),
        cmocka_unit_test(test_frame_what_was_encoded_is_decoded_however_it_is_cut),
        cmocka_unit_test(test_frame_a_first_byte_counts_as_part_of_the_length),
        cmocka_unit_test(test_frame_one_too_big_ends_the_decoder_for_ever),
        cmocka_unit_test(test_frame_memory_grows_with_what_came_not_with_what_was_announced),
        cmocka_unit_test(test_frame_a_line_drops_the_return_before_its_end),
        cmocka_unit_test(test_frame_what_is_no_line_is_not_encoded_as_one),
        cmocka_unit_test(test_frame_what_is_above_the_limit_is_not_encoded),
        cmocka_unit_test(test_router_the_next_hop_follows_the_links),
        cmocka_unit_test(test_router_lists_whom_it_reaches),
        cmocka_unit_test(test_router_who_is_not_reached_is_unreachable_who_is_not_there_not_found),
        cmocka_unit_test(test_router_remove_takes_all_links_and_whom_they_held),
        cmocka_unit_test(test_router_remove_of_ourselves_ends_our_links),
        cmocka_unit_test(test_router_a_link_to_itself_is_refused_and_one_that_is_not_there_not_ended),
        cmocka_unit_test(test_router_a_full_map_takes_no_node_but_still_links),
        cmocka_unit_test(test_router_links_are_bounded_and_one_that_is_there_is_no_new_one),
        STORE_TEST(test_store_gives_back_what_was_put),
        STORE_TEST(test_store_keeps_all_when_it_is_closed_and_ids_rise_on),
        STORE_TEST(test_store_lists_what_waits_for_one_or_for_all_the_oldest_first),
        STORE_TEST(test_store_counts_tries_and_when_the_last_one_was),
        STORE_TEST(test_store_expires_what_is_over_and_only_that),
        STORE_TEST(test_store_says_not_found_of_what_is_not_there),
        STORE_TEST(test_store_refuses_names_that_are_none),
        STORE_TEST(test_store_refuses_recipients_and_data_above_their_limits),
        STORE_TEST(test_store_is_full_by_bytes_and_by_count_until_something_goes),
        STORE_TEST(test_store_has_one_opener),
        STORE_TEST(test_store_files_are_private),
        STORE_TEST(test_store_refuses_files_that_are_no_stores),
        STORE_TEST(test_store_a_body_of_another_length_is_damaged),
        STORE_TEST(test_store_that_cannot_be_made_says_why),
        STORE_TEST(test_store_what_failed_leaves_nothing_and_is_counted_anew),
        STORE_TEST(test_store_lies_on_an_imagined_disk_as_well),
        LUA_TEST(test_lua_frames_go_there_and_back),
        LUA_TEST(test_lua_frames_that_are_none_are_refused),
        LUA_TEST(test_lua_decoders_share_a_bound_on_what_they_hold),
        LUA_TEST(test_lua_a_map_speaks_of_names),
        LUA_TEST(test_lua_a_map_speaks_of_ids),
        LUA_TEST(test_lua_a_map_refuses_with_a_word),
        LUA_TEST(test_lua_maps_are_bounded_and_come_back_when_collected),
        LUA_TEST(test_lua_a_map_remembers_only_names_that_are_in_it),
        LUA_TEST(test_lua_a_store_keeps_messages),
        LUA_TEST(test_lua_a_store_refuses_with_a_word),
        LUA_TEST(test_lua_a_store_is_shared_until_its_last_user_is_gone),
        LUA_TEST(test_lua_open_stores_are_bounded_and_come_back_when_collected),
        LUA_TEST(test_lua_parts_that_are_opened_anew_leave_what_was_made_before_alone),
        LUA_TEST(test_lua_without_a_home_there_is_no_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
