/* reserve.c -- two numbers that must never repeat, see reserve.h. */
#include "node/reserve.h"

#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>

#define FILE_NAME "reserve"
#define FILE_BYTES (15 + 8 + 8 + 8)
#define ID_AHEAD_MS 60000u  /* ids are reserved this far ahead of the clock */
#define SEQ_AHEAD 4096u
#define CLOCK_MAX_MS ((UINT64_C(1) << 43) - (UINT64_C(1) << 36)) /* in the year 2246: two years are left for restarts */
#define RETRY_US 5000000u

static const char file_label[] = "moth reserve 1\n";

struct reservation {
    struct reserve *owner; /* NULL: closed meanwhile */
    const struct moth_host *host;
    uint64_t id_ceiling, seq_ceiling;
    int rc;
};

static void file_encode(uint64_t id_ceiling, uint64_t seq_ceiling, uint8_t out[FILE_BYTES])
{
    uint8_t hash[CRYPTO_HASH_BYTES], *at = put_bytes(out, file_label, 15);
    at = put_uint(at, id_ceiling, 8);
    at = put_uint(at, seq_ceiling, 8);
    crypto_sha256(slice_of(out, FILE_BYTES - 8), hash);
    put_bytes(at, hash, 8);
}

static int file_decode(struct slice file, uint64_t *id_ceiling, uint64_t *seq_ceiling)
{
    uint8_t expected[FILE_BYTES];
    if (file.bytes != FILE_BYTES || memcmp(file.data, file_label, 15) != 0) return MOTH_EMALFORMED;
    *id_ceiling = get_uint(file.data + 15, 8);
    *seq_ceiling = get_uint(file.data + 23, 8);
    file_encode(*id_ceiling, *seq_ceiling, expected);
    return memcmp(expected, file.data, FILE_BYTES) == 0 ? 0 : MOTH_EMALFORMED;
}

/* Ids stay below 2^63, whatever the clock believes: databases count in signed numbers. */
static uint64_t clock_id(const struct reserve *s)
{
    uint64_t now_ms = s->host->wall_ms(s->host->context);
    return (now_ms < CLOCK_MAX_MS ? now_ms : CLOCK_MAX_MS) << 20;
}

static void reservation_run(void *job)
{
    struct reservation *r = job;
    uint8_t file[FILE_BYTES];
    file_encode(r->id_ceiling, r->seq_ceiling, file);
    r->rc = r->host->file_write(r->host->context, FILE_NAME, file, sizeof file);
}

static void reservation_take(struct reserve *s, const struct reservation *r)
{
    if (r->rc < 0) {
        if (!s->failing)
            log_write(s->host, MOTH_LOG_ERROR,
                      "cannot write the file \"%s\" in the home folder (%s): soon no new messages "
                      "can be sent; free some space or make it writable",
                      FILE_NAME, moth_error_text(r->rc));
        s->failing = true;
        s->retry_us = s->host->now_us(s->host->context) + RETRY_US;
        return;
    }
    if (s->failing) log_write(s->host, MOTH_LOG_WARN, "the home folder can be written again");
    s->failing = false;
    s->id_ceiling = r->id_ceiling;
    s->seq_ceiling = r->seq_ceiling;
    s->wanted = s->last_seq > s->seq_ceiling; /* raised once more during the write */
}

static void reservation_done(void *job)
{
    struct reservation *r = job;
    if (r->owner) {
        r->owner->writing = NULL;
        reservation_take(r->owner, r);
    }
    free(r);
}

/* The ceilings that would leave enough room from now on. */
static struct reservation *reservation_new(struct reserve *s)
{
    struct reservation *r = mem_new(sizeof *r);
    uint64_t now = clock_id(s);
    *r = (struct reservation){.owner = s, .host = s->host};
    r->id_ceiling = (now > s->last_id ? now : s->last_id) + ((uint64_t)ID_AHEAD_MS << 20);
    r->seq_ceiling = s->last_seq < UINT64_MAX - SEQ_AHEAD ? s->last_seq + SEQ_AHEAD : UINT64_MAX;
    if (r->id_ceiling > INT64_MAX) r->id_ceiling = INT64_MAX;
    if (r->id_ceiling < s->id_ceiling) r->id_ceiling = s->id_ceiling;
    return r;
}

static int reserve_at_start(struct reserve *s)
{
    struct reservation *r = reservation_new(s);
    reservation_run(r);
    int rc = r->rc;
    if (rc == 0) reservation_take(s, r);
    free(r);
    return rc;
}

static bool ceilings_are_near(const struct reserve *s)
{
    uint64_t now = clock_id(s), used = now > s->last_id ? now : s->last_id;
    return used + ((uint64_t)ID_AHEAD_MS << 19) > s->id_ceiling || s->last_seq + SEQ_AHEAD / 2 > s->seq_ceiling;
}

uint64_t reserve_tick(struct reserve *s, uint64_t now_us)
{
    if (s->writing || !s->wanted) return UINT64_MAX;
    if (s->failing && now_us < s->retry_us) return s->retry_us;
    s->writing = reservation_new(s);
    s->host->work(s->host->context, reservation_run, reservation_done, s->writing);
    return UINT64_MAX;
}

int reserve_next_id(struct reserve *s, uint64_t *id)
{
    uint64_t next = clock_id(s);
    if (ceilings_are_near(s)) s->wanted = true;
    if (s->last_id >= s->id_ceiling) return MOTH_EIO;
    if (next <= s->last_id || next > s->id_ceiling) next = s->last_id + 1;
    *id = s->last_id = next;
    return 0;
}

int reserve_next_seq(struct reserve *s, uint64_t *seq)
{
    if (ceilings_are_near(s)) s->wanted = true;
    if (s->last_seq >= s->seq_ceiling) return MOTH_EIO;
    *seq = ++s->last_seq;
    return 0;
}

void reserve_raise_seq(struct reserve *s, uint64_t at_least)
{
    if (s->last_seq >= at_least) return;
    s->last_seq = at_least;
    s->wanted = true;
}

/* --- opening and closing --- */

static int read_reserved(struct reserve *s)
{
    uint8_t file[FILE_BYTES];
    size_t bytes = 0;
    int rc = s->host->file_read(s->host->context, FILE_NAME, file, sizeof file, &bytes);
    if (rc == MOTH_ENOT_FOUND) return 0;
    if (rc == MOTH_ETOO_BIG) return MOTH_EMALFORMED;
    if (rc == 0) rc = file_decode(slice_of(file, bytes), &s->id_ceiling, &s->seq_ceiling);
    s->was_used = rc == 0;
#ifndef PLANT_IDS_REPEAT
    s->last_id = s->id_ceiling;
#endif
#ifndef PLANT_ADVERT_RESTARTS
    s->last_seq = s->seq_ceiling;
#endif
    return rc;
}

int reserve_open(struct reserve *s, const struct moth_host *host)
{
    *s = (struct reserve){.host = host};
    int rc = read_reserved(s);
    return rc < 0 ? rc : reserve_at_start(s);
}

void reserve_close(struct reserve *s)
{
    if (s->writing) s->writing->owner = NULL;
}
