/* store.c -- the memory of a node, see store.h. */
#include "node/store.h"

#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"
#include "node/peers.h"

#include <stdlib.h>

#define FILE_NAME "reserve"
#define FILE_BYTES (15 + 8 + 8 + 8)
#define ID_AHEAD_MS 60000u  /* ids are reserved this far ahead of the clock */
#define SEQ_AHEAD 4096u
#define RETRY_US 5000000u
#define ENDED_MAX 4096u
#define DELIVERED_PER_SOURCE 65536u

static const char file_label[] = "moth reserve 1\n";

struct ended {
    uint64_t id, changed_ms;
    struct moth_id to;
    enum moth_state state;
    int reason;
    unsigned tries;
    size_t bytes;
};

/* --- the reserved numbers --- */

struct reservation {
    struct store *store; /* NULL: the store was closed meanwhile */
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

static uint64_t clock_id(const struct store *s)
{
    return s->host->wall_ms(s->host->context) << 20;
}

static void reservation_run(void *job)
{
    struct reservation *r = job;
    uint8_t file[FILE_BYTES];
    file_encode(r->id_ceiling, r->seq_ceiling, file);
    r->rc = r->host->file_write(r->host->context, FILE_NAME, file, sizeof file);
}

static void reservation_take(struct store *s, const struct reservation *r)
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
    if (r->store) {
        r->store->writing = NULL;
        reservation_take(r->store, r);
    }
    free(r);
}

/* The ceilings that would leave enough room from now on. */
static struct reservation *reservation_new(struct store *s)
{
    struct reservation *r = mem_new(sizeof *r);
    uint64_t now = clock_id(s);
    *r = (struct reservation){.store = s, .host = s->host};
    r->id_ceiling = (now > s->last_id ? now : s->last_id) + ((uint64_t)ID_AHEAD_MS << 20);
    r->seq_ceiling = s->last_seq < UINT64_MAX - SEQ_AHEAD ? s->last_seq + SEQ_AHEAD : UINT64_MAX;
    if (r->id_ceiling < s->id_ceiling) r->id_ceiling = s->id_ceiling;
    return r;
}

static int reserve_at_start(struct store *s)
{
    struct reservation *r = reservation_new(s);
    reservation_run(r);
    int rc = r->rc;
    if (rc == 0) reservation_take(s, r);
    free(r);
    return rc;
}

static bool ceilings_are_near(const struct store *s)
{
    uint64_t now = clock_id(s), used = now > s->last_id ? now : s->last_id;
    return used + ((uint64_t)ID_AHEAD_MS << 19) > s->id_ceiling || s->last_seq + SEQ_AHEAD / 2 > s->seq_ceiling;
}

uint64_t store_tick(struct store *s, uint64_t now_us)
{
    if (s->writing || !s->wanted) return UINT64_MAX;
    if (s->failing && now_us < s->retry_us) return s->retry_us;
    s->writing = reservation_new(s);
    s->host->work(s->host->context, reservation_run, reservation_done, s->writing);
    return UINT64_MAX;
}

int store_next_id(struct store *s, uint64_t *id)
{
    uint64_t next = clock_id(s);
    if (ceilings_are_near(s)) s->wanted = true;
    if (s->last_id >= s->id_ceiling) return MOTH_EIO;
    if (next <= s->last_id || next > s->id_ceiling) next = s->last_id + 1;
    *id = s->last_id = next;
    return 0;
}

int store_next_seq(struct store *s, uint64_t *seq)
{
    if (ceilings_are_near(s)) s->wanted = true;
    if (s->last_seq >= s->seq_ceiling) return MOTH_EIO;
    *seq = ++s->last_seq;
    return 0;
}

void store_raise_seq(struct store *s, uint64_t at_least)
{
    if (s->last_seq >= at_least) return;
    s->last_seq = at_least;
    s->wanted = true;
}

/* --- opening and closing --- */

static int read_reserved(struct store *s)
{
    uint8_t file[FILE_BYTES];
    size_t bytes = 0;
    int rc = s->host->file_read(s->host->context, FILE_NAME, file, sizeof file, &bytes);
    if (rc == MOTH_ENOT_FOUND) return 0;
    if (rc == MOTH_ETOO_BIG) return MOTH_EMALFORMED;
    if (rc == 0) rc = file_decode(slice_of(file, bytes), &s->id_ceiling, &s->seq_ceiling);
    s->last_id = s->id_ceiling;
    s->last_seq = s->seq_ceiling;
    return rc;
}

int store_open(struct store *s, const struct moth_host *host, const uint64_t limits[MOTH_LIMIT_COUNT], uint64_t seed)
{
    *s = (struct store){.host = host,
                        .mail_max = limits[MOTH_LIMIT_MAIL_COUNT],
                        .mail_bytes_max = limits[MOTH_LIMIT_MAIL_BYTES],
                        .delivered_max = limits[MOTH_LIMIT_DELIVERED_IDS],
                        .light_max = limits[MOTH_LIMIT_LIGHT_IDS]};
    int rc = read_reserved(s);
    if (rc == 0) rc = reserve_at_start(s);
    if (rc < 0) return rc;
    id_map_init(&s->box_of, seed);
    id_map_init(&s->message_of, seed);
    s->ended = mem_array(ENDED_MAX, sizeof *s->ended);
    return 0;
}

void store_close(struct store *s)
{
    if (s->writing) s->writing->store = NULL;
    while (s->boxes) store_end(s, s->boxes->first);
    id_map_fini(&s->box_of);
    id_map_fini(&s->message_of);
    free(s->ended);
}

/* --- mail --- */

static struct moth_id id_key(uint64_t id)
{
    struct moth_id key = {{0}};
    put_uint(key.bytes, id, 8);
    return key;
}

struct outgoing *outgoing_new(uint64_t id, struct peer *to, struct slice body)
{
    struct outgoing *m = mem_new(sizeof *m + body.bytes);
    m->id = id;
    m->to = to;
    m->body_bytes = body.bytes;
    put_bytes(m->body, body.data, body.bytes);
    return m;
}

static struct box *box_for(struct store *s, struct peer *to)
{
    struct box *b = store_box(s, &to->id);
    if (b) return b;
    b = mem_new(sizeof *b);
    b->to = to;
    b->after = s->boxes;
    if (s->boxes) s->boxes->before = b;
    s->boxes = b;
    id_map_put(&s->box_of, &to->id, b);
    return b;
}

int store_put(struct store *s, struct outgoing *m)
{
    if (s->mail_count >= s->mail_max || s->mail_bytes + m->body_bytes > s->mail_bytes_max) return MOTH_EFULL;
    struct box *b = box_for(s, m->to);
    struct moth_id key = id_key(m->id);
    m->before = b->last;
    if (b->last) b->last->after = m;
    else b->first = m;
    b->last = m;
    if (!b->next_send) b->next_send = m;
    id_map_put(&s->message_of, &key, m);
    s->mail_count++;
    s->mail_bytes += m->body_bytes;
    m->to->mail++;
    return 0;
}

struct outgoing *store_find(const struct store *s, uint64_t id)
{
    struct moth_id key = id_key(id);
    return id_map_find(&s->message_of, &key);
}

struct box *store_box(const struct store *s, const struct moth_id *to)
{
    return id_map_find(&s->box_of, to);
}

static void drop_box(struct store *s, struct box *b)
{
    if (b->before) b->before->after = b->after;
    else s->boxes = b->after;
    if (b->after) b->after->before = b->before;
    id_map_remove(&s->box_of, &b->to->id);
    free(b);
}

static void leave_box(struct store *s, struct outgoing *m)
{
    struct box *b = store_box(s, &m->to->id);
    if (m->before) m->before->after = m->after;
    else b->first = m->after;
    if (m->after) m->after->before = m->before;
    else b->last = m->before;
    if (b->next_send == m) b->next_send = m->after;
    if (m->in_flight) b->in_flight--;
    if (!b->first) drop_box(s, b);
}

void store_end(struct store *s, struct outgoing *m)
{
    struct moth_id key = id_key(m->id);
    s->ended[s->ended_at++ % ENDED_MAX] = (struct ended){.id = m->id, .changed_ms = m->changed_ms, .to = m->to->id,
                                                         .state = m->state, .reason = m->reason, .tries = m->tries,
                                                         .bytes = m->data_bytes};
    leave_box(s, m);
    id_map_remove(&s->message_of, &key);
    s->mail_count--;
    s->mail_bytes -= m->body_bytes;
    m->to->mail--;
    free(m);
}

static struct ended *find_ended(const struct store *s, uint64_t id)
{
    for (size_t i = 0; i < ENDED_MAX && i < s->ended_at; i++) {
        struct ended *e = &s->ended[(s->ended_at - 1 - i) % ENDED_MAX];
        if (e->id == id) return e;
    }
    return NULL;
}

bool store_end_late(struct store *s, uint64_t id, const struct peer *from, uint64_t now_ms)
{
    struct ended *e = find_ended(s, id);
    if (!e || e->state != MOTH_EXPIRED || !id_equal(&e->to, &from->id)) return false;
    e->state = MOTH_DELIVERED;
    e->reason = 0;
    e->changed_ms = now_ms;
    return true;
}

bool store_ended(const struct store *s, uint64_t id, struct moth_sent *out)
{
    const struct ended *e = find_ended(s, id);
    if (!e) return false;
    *out = (struct moth_sent){.id = e->id, .to = e->to, .state = e->state, .reason = e->reason,
                              .changed_ms = e->changed_ms, .tries = e->tries, .bytes = e->bytes};
    return true;
}

/* --- ids of others --- */

/* Above the limit of all sources together, the largest one's floor rises over half of what it holds. */
static void forget_some(struct peers *all)
{
    struct recent_ids *largest = NULL;
    struct moth_id id;
    void *value;
    for (size_t at = 0; id_map_next(&all->by_id, &at, &id, &value);) {
        struct recent_ids *r = ((struct peer *)value)->delivered;
        if (r && (!largest || r->count > largest->count)) largest = r;
    }
    if (!largest) return;
    size_t before = largest->count;
    recent_raise(largest, before / 2);
    all->delivered_count -= before - largest->count;
}

int store_delivered_add(struct store *s, struct peers *all, struct peer *from, uint64_t id)
{
    if (!from->delivered) from->delivered = recent_new(DELIVERED_PER_SOURCE);
    size_t before = from->delivered->count;
    int rc = recent_add(from->delivered, id);
    all->delivered_count = all->delivered_count - before + from->delivered->count;
    if (all->delivered_count > s->delivered_max) forget_some(all);
    return rc;
}

int store_light_add(struct store *s, struct peer *from, uint64_t id)
{
    if (!from->light) from->light = recent_new(s->light_max);
    return recent_add(from->light, id);
}
