/* bare_store.c -- the floor of accepting mail: SQLite alone.
 *
 * A node makes the database and is closed again, so that the schema is whatever moth's is. Then the two statements that
 * keep a message run in groups of 256, each group committed and synced as moth's store does it, on one thread: there is
 * no node, no queue between threads, no promise to tell. */
#include "measure.h"
#include "post.h"

#include "moth.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define GROUP 256u
#define BODY_BYTES (POST_BYTES + 14) /* as it is sealed: with its type and its time */

static void make_database(const char *home)
{
    const struct moth_config config = {.name = "bare"};
    struct moth_loop *loop;
    struct moth_node *node;
    int rc = moth_loop_open(home, &loop);
    if (rc == 0) rc = moth_node_open(&config, moth_loop_host(loop), moth_loop_transport(loop), NULL, NULL, &node);
    if (rc < 0) measure_give_up("the floor's database cannot be made: %s", moth_error_text(rc));
    moth_node_close(node);
    moth_loop_close(loop);
}

static void check(sqlite3 *c, int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE) measure_give_up("the floor's database: %s", sqlite3_errmsg(c));
}

static void run(sqlite3 *c, const char *sql)
{
    check(c, sqlite3_exec(c, sql, NULL, NULL, NULL));
}

static sqlite3 *open_database(const char *home)
{
    sqlite3 *c;
    char path[700];
    snprintf(path, sizeof path, "%s/moth.db", home);
    check(NULL, sqlite3_open_v2(path, &c, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
    run(c, "PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON; PRAGMA synchronous = FULL;"
           "PRAGMA journal_size_limit = 4194304; PRAGMA journal_mode = WAL;");
    return c;
}

static sqlite3_stmt *prepare(sqlite3 *c, const char *sql)
{
    sqlite3_stmt *q;
    check(c, sqlite3_prepare_v3(c, sql, -1, SQLITE_PREPARE_PERSISTENT, &q, NULL));
    return q;
}

static void step(sqlite3 *c, sqlite3_stmt *q, const int64_t *numbers, const void *body)
{
    int count = sqlite3_bind_parameter_count(q);
    for (int i = 0; i < count && i < 12; i++) sqlite3_bind_int64(q, i + 1, numbers[i]);
    if (count > 12) sqlite3_bind_blob(q, 13, body, BODY_BYTES, SQLITE_STATIC);
    check(c, sqlite3_step(q));
    sqlite3_reset(q);
}

static void insert_all(sqlite3 *c, uint64_t count)
{
    char body[BODY_BYTES];
    memset(body, 'm', sizeof body);
    int64_t now_ms = 1700000000000, numbers[] = {0, 1, 1, 0, 604800, 0, 1000, now_ms, 0, 0, POST_BYTES, BODY_BYTES};
    sqlite3_stmt *message = prepare(c, "INSERT OR IGNORE INTO offline_messages"
                                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)");
    sqlite3_stmt *schedule = prepare(c, "INSERT OR IGNORE INTO schedule_messages"
                                        " VALUES (?1, 0, 0, 0, 0, ?7 + ?5 * 1000, 1, 0, ?8, NULL)");
    for (uint64_t i = 0; i < count; i++) {
        if (i % GROUP == 0) run(c, "BEGIN IMMEDIATE");
        numbers[0] = (now_ms << 20) + (int64_t)i;
        step(c, message, numbers, body);
        step(c, schedule, numbers, body);
        if (i % GROUP == GROUP - 1 || i == count - 1) run(c, "COMMIT");
    }
    sqlite3_finalize(message);
    sqlite3_finalize(schedule);
}

void bare_store_run(void *bare)
{
    struct bare_store *b = bare;
    make_database(b->home);
    sqlite3 *c = open_database(b->home);
    uint64_t start_ns = measure_now_ns();
    insert_all(c, b->count);
    b->took_ns = measure_now_ns() - start_ns;
    sqlite3_close(c);
}
