/* reserve.h -- two numbers that must never repeat: message ids and advert numbers.
 *
 * They are handed out only below a ceiling that was written and synced before (file "reserve" beside the key), so that
 * no restart, clock or lost database ever makes one twice. The ceiling is raised ahead of need, off the loop's thread.
 *
 * The file: "moth reserve 1\n", then id ceiling u64, advert ceiling u64, and the first 8 bytes of the SHA-256 over all
 * before. */
#ifndef NODE_RESERVE_H
#define NODE_RESERVE_H

#include "base/base.h"
#include "moth/host.h"

struct reservation; /* a write of the file that is under way */

struct reserve {
    const struct moth_host *host; /* borrowed */
    uint64_t last_id, id_ceiling, last_seq, seq_ceiling;
    struct reservation *writing; /* NULL: none */
    bool was_used;               /* the file was there: this node is not new */
    bool wanted;                 /* a ceiling came near in use: raise it */
    bool failing;                /* the last write of the file failed: said once, tried again with pauses */
    uint64_t retry_us;
};

/* Reads and raises the numbers; blocks. MOTH_EIO, MOTH_ENO_SPACE, MOTH_EPERMISSION; MOTH_EMALFORMED: the file is
 * damaged. */
int reserve_open(struct reserve *r, const struct moth_host *host);
void reserve_close(struct reserve *r); /* a write under way ends by itself */

/* MOTH_EIO: the ceiling is reached and cannot be raised now. Ids are below 2^63. */
int reserve_next_id(struct reserve *r, uint64_t *id);
int reserve_next_seq(struct reserve *r, uint64_t *seq);
void reserve_raise_seq(struct reserve *r, uint64_t at_least); /* later numbers are above it, once that is on disk */

/* Raises ceilings that have come near. Returns when it wants to be called again, UINT64_MAX: after the next use. */
uint64_t reserve_tick(struct reserve *r, uint64_t now_us);

#endif
