/* store_db.h -- the two connections behind store.h; private to the files store*.c.
 *
 * The writer belongs to whoever runs a job, the reader to the node's thread; on an imagined disk they are one. */
#ifndef NODE_STORE_DB_H
#define NODE_STORE_DB_H

#include "node/store.h"

struct sqlite3;
struct sqlite3_stmt;

#define STATEMENTS_MAX 3 /* of one write */

enum store_query {
    QUERY_BODY, QUERY_INBOX_BODY, QUERY_PEER_ROW, QUERY_FLOOR, QUERY_TOP, QUERY_DELIVERED, QUERY_ENDED,
    QUERY_HISTORY_IN, QUERY_HISTORY_OUT, QUERY_HISTORY_IN_OF, QUERY_HISTORY_OUT_OF, QUERY_KV, QUERY_KV_ONE,
    QUERY_KV_BYTES, QUERY_JOBS, QUERY_JOB, QUERY_COUNT
};

struct store_totals { /* written with every group */
    int64_t clock_ms, wall_ms, inbox_history, sent_history, delivered_count;
};

struct store_db {
    const struct moth_host *host; /* borrowed */
    struct sqlite3 *writer, *reader;
    struct sqlite3_stmt *writes[STORE_KINDS][STATEMENTS_MAX], *totals, *queries[QUERY_COUNT];
    struct store_totals read; /* as they stood when it was opened */
    int64_t last_peer_row, last_inbox_row, peer_count;
    bool was_unclean, was_empty;
};

bool store_may_read(const struct store *s); /* false: a job has the connections */

int db_error(int sqlite_rc); /* SQLite's code as one of ours */

/* Opens both connections, migrates, checks after an unclean end; a damaged file (`damaged`: it is known to be) is set
 * aside. `report` NULL: a damaged one stays and is MOTH_EDAMAGED. */
int db_open(struct store_db *db, bool damaged, struct store_report *report);
void db_close(struct store_db *db, const struct store_totals *last); /* `last` NULL: not as a clean end */
int db_run(struct sqlite3 *c, const char *sql);
int db_get(struct sqlite3 *c, const char *sql, int64_t *out); /* the number a query gives; MOTH_ENOT_FOUND: no row */
int db_schema(struct sqlite3 *c, int64_t version); /* makes an empty database of that version */
int db_connect(const struct moth_host *host, const char *name, struct sqlite3 **out);
int64_t db_newest_version(void);
int db_check_version(struct sqlite3 *c, bool *empty); /* MOTH_EDAMAGED: neither new nor one of ours; MOTH_ENEWER */

void db_rest(const struct store_db *db); /* drops what is cached of an imagined disk */

/* One transaction. */
int db_commit(struct store_db *db, struct store_write *first, unsigned count, const struct store_totals *totals);

/* Copies all that can be read of the damaged file `name` into a new database. */
int db_salvage(const struct moth_host *host, const char *name, struct sqlite3 *into);

#endif
