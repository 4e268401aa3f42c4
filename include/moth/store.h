/* store.h -- messages kept on the disk for those who are away: a small database of its own in the home folder.
 *
 * What a node does with its mail, for protocols of your own: put what cannot be delivered, look for it when its
 * recipient comes, count the tries, delete what arrived, expire what grew old. Every call has reached the disk when it
 * returns, so it takes as long as the disk does. The file is NAME.db with the tables offline_messages and
 * schedule_messages. Nothing expires by itself. */
#ifndef MOTH_STORE_H
#define MOTH_STORE_H

#include "host.h"

#define MOTH_STORE_NAME_MAX 64         /* bytes of the name of a store */
#define MOTH_STORE_TO_MAX 64           /* bytes of the name of a recipient */
#define MOTH_STORE_DATA_MAX 1000000    /* bytes of a message */
#define MOTH_STORE_COUNT_MAX 100000    /* messages */
#define MOTH_STORE_BYTES_MAX (256u << 20) /* of all messages together */

struct moth_store;

struct moth_stored {
    uint64_t id; /* rises, and is never used again */
    char to[MOTH_STORE_TO_MAX + 1];
    size_t bytes;
    uint64_t time_ms;    /* when it was put, since 1970 */
    uint64_t expires_ms; /* since 1970; 0: never */
    uint64_t tried_ms;   /* the last time, since 1970; 0: never */
    unsigned tries;
};

/* Opens or makes the store `name` ([A-Za-z0-9._-], not "moth"), one opener at a time. `host` is borrowed until it is
 * closed. MOTH_EBAD_NAME; MOTH_EIN_USE: it is open; MOTH_ENEWER; MOTH_EDAMAGED: it is no store, or a broken one;
 * MOTH_ENO_SPACE, MOTH_EPERMISSION, MOTH_EIO. The last four can be said by all that follow. */
int moth_store_open(const struct moth_host *host, const char *name, struct moth_store **out);
void moth_store_close(struct moth_store *s); /* NULL is fine */

/* Keeps a message; `to` is a text of 1 to MOTH_STORE_TO_MAX bytes. `ttl_ms` 0: it never expires. MOTH_EARGUMENT: `to`;
 * MOTH_ETOO_BIG: the data; MOTH_EFULL: one of the limits above. */
int moth_store_put(struct moth_store *s, const char *to, const void *data, size_t bytes, uint64_t ttl_ms,
                   uint64_t *id);

/* All but the data. MOTH_ENOT_FOUND. */
int moth_store_get(struct moth_store *s, uint64_t id, struct moth_stored *out);

/* The data, of exactly `bytes` bytes (moth_store_get tells how many). MOTH_ENOT_FOUND. */
int moth_store_data(struct moth_store *s, uint64_t id, void *out, size_t bytes);

int moth_store_delete(struct moth_store *s, uint64_t id); /* MOTH_ENOT_FOUND */

/* What waits for `to` (NULL: for anybody), the oldest first: at most `capacity`; how many goes to `*count`. */
int moth_store_pending(struct moth_store *s, const char *to, struct moth_stored *out, size_t capacity, size_t *count);

int moth_store_tried(struct moth_store *s, uint64_t id); /* counts one more try, now. MOTH_ENOT_FOUND */

/* Deletes what has expired by `now_ms` (since 1970); how many goes to `*count`. */
int moth_store_expire(struct moth_store *s, uint64_t now_ms, size_t *count);

#endif
