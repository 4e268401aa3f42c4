/* ledger_book.c -- the questions of ledger_book.h, asked in SQL. */
#include "ledger_book.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 512
#define WORD "%15s"
#define WORD_BYTES 16

/* Ids are unsigned, SQLite's numbers are not: here as in the nodes' databases they are kept bit by bit. */
static const char tables[] =
    "CREATE TABLE sent (src, id, dst, number, PRIMARY KEY (src, id));"
    "CREATE TABLE promised (src, id, dst, PRIMARY KEY (src, id));"
    "CREATE TABLE got (row INTEGER PRIMARY KEY, dst, src, id, redelivered, text);"
    "CREATE INDEX got_of ON got (src, id, dst);"
    "CREATE TABLE stored (dst, src, id);"
    "CREATE INDEX stored_of ON stored (src, id, dst);"
    "CREATE TABLE inboxes (dst PRIMARY KEY);" /* those whose table is in `stored` */
    "CREATE TABLE names (name PRIMARY KEY, hex);"
    "CREATE VIEW missing AS SELECT p.* FROM promised p WHERE"
    " NOT EXISTS (SELECT 1 FROM got g WHERE g.src = p.src AND g.id = p.id AND g.dst = p.dst)"
    " OR (p.dst IN inboxes AND"
    " NOT EXISTS (SELECT 1 FROM stored s WHERE s.src = p.src AND s.id = p.id AND s.dst = p.dst));"
    "CREATE VIEW again AS SELECT * FROM got g WHERE EXISTS"
    " (SELECT 1 FROM got e WHERE e.src = g.src AND e.id = g.id AND e.dst = g.dst AND e.row < g.row);"
    "CREATE VIEW twice AS SELECT src, id, dst, count(*) - 1 AS more FROM stored"
    " GROUP BY src, id, dst HAVING count(*) > 1;"
    "CREATE VIEW mixed AS SELECT g.* FROM got g JOIN sent s ON s.src = g.src AND s.id = g.id"
    " WHERE g.dst <> s.dst OR g.text <> s.number;";

struct book {
    FILE *file;
    sqlite3 *db;
    uint64_t reused;
};

/* --- asking --- */

/* `types` has a letter for each value: s a text, i a number. False when it failed, or broke a rule of the tables. */
static bool run(const struct book *b, const char *sql, const char *types, ...)
{
    sqlite3_stmt *q = NULL;
    va_list values;
    if (sqlite3_prepare_v2(b->db, sql, -1, &q, NULL) != SQLITE_OK) return false;
    va_start(values, types);
    for (int i = 0; types[i]; i++) {
        if (types[i] == 's') sqlite3_bind_text(q, i + 1, va_arg(values, const char *), -1, SQLITE_TRANSIENT);
        if (types[i] == 'i') sqlite3_bind_int64(q, i + 1, va_arg(values, sqlite3_int64));
    }
    va_end(values);
    int rc = sqlite3_step(q);
    sqlite3_finalize(q);
    return rc == SQLITE_DONE;
}

/* A question without an answer must not look like "none are lost". */
static uint64_t ask(const struct book *b, const char *sql)
{
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(b->db, sql, -1, &q, NULL) != SQLITE_OK || sqlite3_step(q) != SQLITE_ROW)
        fail_msg("the book has no answer to \"%s\": %s", sql, sqlite3_errmsg(b->db));
    uint64_t answer = (uint64_t)sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return answer;
}

/* --- opening --- */

struct book *book_open(const char *path)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI;
    struct book *b = calloc(1, sizeof *b);
    if (!b) abort();
    b->file = fopen(path, "r");
    if (!b->file) fail_msg("cannot read %s: %s", path, strerror(errno));
    if (sqlite3_open_v2(":memory:", &b->db, flags, NULL) != SQLITE_OK ||
        sqlite3_exec(b->db, tables, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("no book: %s", sqlite3_errmsg(b->db));
    return b;
}

void book_close(struct book *b)
{
    fclose(b->file);
    sqlite3_close(b->db);
    free(b);
}

void book_name(struct book *b, const char *name, const struct moth_id *id)
{
    char hex[MOTH_ID_TEXT_BYTES];
    moth_id_format(id, hex);
    run(b, "INSERT INTO names VALUES (?, ?)", "ss", name, hex);
}

/* --- lines --- */

static bool take_sent(struct book *b, const char *rest)
{
    char src[WORD_BYTES], dst[WORD_BYTES], number[WORD_BYTES];
    uint64_t id;
    if (sscanf(rest, WORD " %" SCNu64 " " WORD " " WORD, src, &id, dst, number) != 4) return false;
    if (!run(b, "INSERT INTO sent VALUES (?, ?, ?, ?)", "siss", src, (sqlite3_int64)id, dst, number)) b->reused++;
    return true;
}

static bool take_promised(struct book *b, const char *rest)
{
    char src[WORD_BYTES], dst[WORD_BYTES];
    uint64_t id;
    if (sscanf(rest, WORD " %" SCNu64 " " WORD, src, &id, dst) != 3) return false;
    return run(b, "INSERT OR IGNORE INTO promised VALUES (?, ?, ?)", "sis", src, (sqlite3_int64)id, dst);
}

static bool take_got(struct book *b, const char *rest)
{
    char dst[WORD_BYTES], src[WORD_BYTES], text[WORD_BYTES];
    uint64_t id;
    int redelivered;
    if (sscanf(rest, WORD " " WORD " %" SCNu64 " %d " WORD, dst, src, &id, &redelivered, text) != 5) return false;
    return run(b, "INSERT INTO got (dst, src, id, redelivered, text) VALUES (?, ?, ?, ?, ?)", "ssiis", dst, src,
               (sqlite3_int64)id, (sqlite3_int64)redelivered, text);
}

static bool take_noted(struct book *b, const char *rest)
{
    (void)b, (void)rest;
    return true;
}

static bool take_line(struct book *b, const char *line)
{
    static const struct {
        const char *word;
        bool (*take)(struct book *b, const char *rest);
    } kinds[] = {{"sent ", take_sent}, {"promised ", take_promised}, {"got ", take_got}, {"noted ", take_noted}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strncmp(line, kinds[i].word, strlen(kinds[i].word)) == 0)
            return kinds[i].take(b, line + strlen(kinds[i].word));
    return false;
}

/* A line that is just being written is left for the next time. */
bool book_read(struct book *b)
{
    char line[LINE_BYTES];
    long start = ftell(b->file);
    bool makes_sense = true;
    sqlite3_exec(b->db, "BEGIN", NULL, NULL, NULL);
    while (makes_sense && fgets(line, sizeof line, b->file) && strchr(line, '\n')) {
        makes_sense = take_line(b, line);
        if (!makes_sense) print_error("the ledger has a line that makes no sense: %s", line);
        start = ftell(b->file);
    }
    sqlite3_exec(b->db, "COMMIT", NULL, NULL, NULL);
    fseek(b->file, start, SEEK_SET);
    return makes_sense;
}

/* --- inboxes --- */

static bool copy_inbox(struct book *b, const char *receiver)
{
    return run(b,
               "INSERT INTO stored SELECT ?, coalesce(n.name, hex(p.id)), i.id FROM theirs.inbox i"
               " LEFT JOIN theirs.peers p ON p.peer = i.peer LEFT JOIN names n ON n.hex = lower(hex(p.id))",
               "s", receiver) &&
           run(b, "INSERT INTO inboxes VALUES (?)", "s", receiver);
}

bool book_read_inbox(struct book *b, const char *receiver, const char *home)
{
    char uri[LINE_BYTES];
    snprintf(uri, sizeof uri, "file:%s/moth.db?mode=ro", home);
    bool done = run(b, "ATTACH ? AS theirs", "s", uri) && copy_inbox(b, receiver);
    if (!done) print_error("the inbox of %s cannot be read: %s\n", receiver, sqlite3_errmsg(b->db));
    sqlite3_exec(b->db, "DETACH theirs", NULL, NULL, NULL);
    return done;
}

/* --- the verdict --- */

uint64_t book_missing(const struct book *b)
{
    return ask(b, "SELECT count(*) FROM missing");
}

void book_judge(const struct book *b, struct ledger_verdict *v)
{
    v->promised = ask(b, "SELECT count(*) FROM promised");
    v->lost = book_missing(b);
    v->duplicated =
        ask(b, "SELECT count(*) FROM again WHERE NOT redelivered") + ask(b, "SELECT coalesce(sum(more), 0) FROM twice");
    v->redelivered = ask(b, "SELECT count(*) FROM got WHERE redelivered");
    v->mixed = ask(b, "SELECT count(*) FROM mixed");
    v->reused = b->reused;
}

static int print_row(void *context, int count, char **values, char **names)
{
    (void)context, (void)count, (void)names;
    print_message("%s\n", values[0]);
    return 0;
}

void book_print_missing(const struct book *b)
{
    sqlite3_exec(b->db,
                 "SELECT format('lost: %s %d for %s, number %s; handled %d times, in the inbox %d times', m.src, m.id,"
                 " m.dst, (SELECT number FROM sent s WHERE s.src = m.src AND s.id = m.id),"
                 " (SELECT count(*) FROM got g WHERE g.src = m.src AND g.id = m.id),"
                 " (SELECT count(*) FROM stored t WHERE t.src = m.src AND t.id = m.id)) FROM missing m LIMIT 10;"
                 "SELECT format('duplicated: %s %d handled again by %s', src, id, dst) FROM again"
                 " WHERE NOT redelivered LIMIT 10;"
                 "SELECT format('duplicated: %s %d in the inbox of %s', src, id, dst) FROM twice LIMIT 10;"
                 "SELECT format('mixed: %s %d came to %s as %s', src, id, dst, text) FROM mixed LIMIT 10",
                 print_row, NULL, NULL);
}
