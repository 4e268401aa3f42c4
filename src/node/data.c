/* data.c -- data of programs: keys with values, and what is gathered between moth_begin and moth_commit.
 *
 * A write is staged first, and may be forgotten; a commit gives all that is staged to the store as one row, together
 * with what was sent and marked as handled since the beginning. Reads look at what is staged, then at what waits for
 * its commit (both in the overlay), then at the disk: a program sees its own writes at once, whenever they are safe. */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

enum { SPACE, KEY, VALUE }; /* the blobs of STORE_KV and STORE_KV_DROP */

/* --- names --- */

bool data_word_is_valid(const char *word)
{
    size_t bytes = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return bytes > 0 && bytes <= MOTH_SPACE_MAX && word[bytes] == '\0';
}

struct name {
    struct slice space, key; /* borrowed */
    struct slice full;       /* both, as the overlay has them: in `room` */
    uint8_t room[MOTH_SPACE_MAX + 1 + MOTH_KEY_MAX];
};

static void set_name(struct name *name, struct slice space, struct slice key)
{
    uint8_t *at = put_bytes(name->room, space.data, space.bytes);
    *at++ = 0;
    at = put_bytes(at, key.data, key.bytes);
    name->space = space;
    name->key = key;
    name->full = slice_of(name->room, (size_t)(at - name->room));
}

static int check_name(const char *space, const struct moth_bytes *key, struct name *out)
{
    if (!data_word_is_valid(space) || key->bytes < 1 || key->bytes > MOTH_KEY_MAX) return MOTH_EARGUMENT;
    set_name(out, slice_text(space), slice_of(key->data, key->bytes));
    return 0;
}

/* --- reading --- */

int data_answer(struct moth_node *n, int rc)
{
    if (rc == MOTH_EDAMAGED) store_doubt(&n->store);
    return rc == 0 || rc == MOTH_ENOT_FOUND ? rc : MOTH_ESTORE;
}

/* The newest write to a key. */
static const struct store_write *newest(const struct overlay_entry *e)
{
    return e->staged ? e->staged : e->waiting;
}

struct taking {
    void (*take)(void *context, const struct moth_bytes *value);
    void *context;
};

/* No value is a value of no bytes, not none. */
static struct moth_bytes bytes_of(struct slice s)
{
    return (struct moth_bytes){s.data ? s.data : (const uint8_t *)"", s.bytes};
}

static void take_value(void *context, struct slice value)
{
    const struct taking *t = context;
    struct moth_bytes bytes = bytes_of(value);
    t->take(t->context, &bytes);
}

int moth_data_get(struct moth_node *n, const char *space, const struct moth_bytes *key,
                  void (*take)(void *context, const struct moth_bytes *value), void *context)
{
    struct taking taking = {take, context};
    struct name name;
    int rc = check_name(space, key, &name);
    if (rc < 0) return rc;
    const struct overlay_entry *e = overlay_find(&n->data.overlay, name.full);
    if (!e) return data_answer(n, store_kv(&n->store, name.space, name.key, take_value, &taking));
    if (newest(e)->kind == STORE_KV_DROP) return MOTH_ENOT_FOUND;
    take_value(&taking, newest(e)->blobs[VALUE]);
    return 0;
}

/* --- in order --- */

struct search { /* for the first key above another, on the disk and in the overlay */
    const struct overlay *overlay;
    struct slice space;
    const struct store_write *nearest; /* in the overlay; NULL: none */
    void (*take)(void *context, const struct moth_bytes *key, const struct moth_bytes *value);
    void *context;
    bool found;
};

static void give(struct search *s, struct slice key, struct slice value)
{
    struct moth_bytes k = bytes_of(key), v = bytes_of(value);
    s->found = true;
    s->take(s->context, &k, &v);
}

/* What the overlay knows and is nearer than its nearest has been taken away. */
static bool is_hidden(const struct search *s, struct slice key)
{
    struct name name;
    if (key.bytes > MOTH_KEY_MAX) return false;
    set_name(&name, s->space, key);
    return overlay_find(s->overlay, name.full) != NULL;
}

static bool on_row(void *context, struct slice key, struct slice value)
{
    struct search *s = context;
    if (s->nearest && overlay_compare(key, s->nearest->blobs[KEY]) >= 0) return false;
    if (is_hidden(s, key)) return true;
    give(s, key, value);
    return false;
}

/* The first in the overlay above `from` that has a value. */
static const struct store_write *find_nearest(const struct search *s, struct slice from)
{
    const struct overlay_entry *e = overlay_after(s->overlay, from);
    while (e && newest(e)->kind == STORE_KV_DROP) e = e->after[0];
    return e && slice_equal(newest(e)->blobs[SPACE], s->space) ? newest(e) : NULL;
}

int moth_data_next(struct moth_node *n, const char *space, const struct moth_bytes *key,
                   void (*take)(void *context, const struct moth_bytes *key, const struct moth_bytes *value),
                   void *context)
{
    struct search s = {.overlay = &n->data.overlay, .take = take, .context = context};
    uint8_t above[MOTH_KEY_MAX + 1];
    struct name name;
    size_t bytes = key ? key->bytes : 0;
    if (!data_word_is_valid(space) || bytes > MOTH_KEY_MAX) return MOTH_EARGUMENT;
    s.space = slice_text(space);
    set_name(&name, s.space, slice_of(key ? key->data : NULL, bytes));
    s.nearest = find_nearest(&s, name.full);
    if (key) *put_bytes(above, key->data, bytes) = 0; /* the first key that can be above */
    int rc = store_kv_each(&n->store, s.space, slice_of(above, key ? bytes + 1 : 0), on_row, &s);
    if (rc < 0) return data_answer(n, rc);
    if (!s.found && s.nearest) give(&s, s.nearest->blobs[KEY], s.nearest->blobs[VALUE]);
    return s.found ? 0 : MOTH_ENOT_FOUND;
}

/* --- gathering --- */

void data_gathered(struct moth_node *n, const struct store_write *w)
{
    n->store.gathered_bytes += w->bytes;
}

bool data_fits(const struct moth_node *n, uint64_t bytes)
{
    return bytes == 0 || n->data.bytes + bytes <= n->limits[MOTH_LIMIT_SCRIPT_DATA_BYTES];
}

static void forget_if_done(struct moth_node *n, struct overlay_entry *e)
{
    if (!e->staged && e->waiting_count == 0) overlay_remove(&n->data.overlay, e);
}

static void on_written(void *owner, const struct store_write *w)
{
    struct overlay_entry *e = w->subject;
    e->waiting_count--;
    if (e->waiting == w) e->waiting = NULL;
    forget_if_done(owner, e);
}

static void stage(struct moth_node *n, const struct name *name, const struct moth_bytes *value)
{
    struct slice blobs[] = {name->space, name->key, slice_of(value->data, value->bytes)};
    struct store_write *w = store_write_new(value->data ? STORE_KV : STORE_KV_DROP, NULL, 0, blobs, 3);
    struct overlay_entry *e = overlay_add(&n->data.overlay, name->full);
    if (e->staged) {
        n->store.gathered_bytes -= e->staged->bytes;
        free(e->staged);
    } else {
        e->next_staged = n->data.staged;
        n->data.staged = e;
    }
    w->done = on_written;
    w->subject = e;
    e->staged = w;
    data_gathered(n, w);
}

/* The bytes of a key's value. MOTH_ENOT_FOUND: it is not there. */
static int find_bytes(struct moth_node *n, const struct name *name, size_t *out)
{
    const struct overlay_entry *e = overlay_find(&n->data.overlay, name->full);
    *out = 0;
    if (!e) return data_answer(n, store_kv_bytes(&n->store, name->space, name->key, out));
    *out = newest(e)->blobs[VALUE].bytes;
    return newest(e)->kind == STORE_KV ? 0 : MOTH_ENOT_FOUND;
}

static int put(struct moth_node *n, const struct name *name, const struct moth_bytes *value)
{
    size_t bytes, fixed = name->space.bytes + name->key.bytes;
    int found = find_bytes(n, name, &bytes);
    if (found < 0 && found != MOTH_ENOT_FOUND) return found;
    uint64_t was = found == 0 ? fixed + bytes : 0, will_be = fixed + value->bytes;
    if (!data_fits(n, will_be > was ? will_be - was : 0)) return MOTH_EFULL;
    stage(n, name, value);
    n->data.bytes += will_be - was;
    return 0;
}

static int take_away(struct moth_node *n, const struct name *name)
{
    size_t bytes;
    int rc = find_bytes(n, name, &bytes);
    if (rc < 0) return rc == MOTH_ENOT_FOUND ? 0 : rc;
    stage(n, name, &(struct moth_bytes){NULL, 0});
    n->data.bytes -= name->space.bytes + name->key.bytes + bytes;
    return 0;
}

int moth_data_put(struct moth_node *n, const char *space, const struct moth_bytes *key,
                  const struct moth_bytes *value)
{
    struct name name;
    int rc = n->in_hook ? MOTH_EPERMISSION : check_name(space, key, &name);
    if (rc == 0 && value->data && value->bytes > MOTH_VALUE_MAX) rc = MOTH_ETOO_BIG;
    if (rc == 0) rc = value->data ? store_room(&n->store) : store_room_to_end(&n->store);
    if (rc == 0) rc = value->data ? put(n, &name, value) : take_away(n, &name);
    if (rc == 0) data_settle(n);
    return rc;
}

/* --- batches --- */

static void write_staged(struct moth_node *n)
{
    for (struct overlay_entry *e = n->data.staged, *after; e; e = after) {
        after = e->next_staged;
        e->waiting = e->staged;
        e->waiting_count++;
        e->staged = NULL;
        store_write(&n->store, e->waiting);
    }
    n->data.staged = NULL;
}

static void forget_staged(struct moth_node *n)
{
    for (struct overlay_entry *e = n->data.staged, *after; e; e = after) {
        after = e->next_staged;
        free(e->staged);
        e->staged = NULL;
        forget_if_done(n, e);
    }
    n->data.staged = NULL;
}

static void end(struct moth_node *n)
{
    n->data.begun = false;
    n->store.gathered_bytes = 0;
    store_join(&n->store, false);
    node_due(n, node_now_us(n));
}

void moth_begin(struct moth_node *n)
{
    if (n->in_hook || n->data.begun) return;
    n->data.begun = true;
    n->data.bytes_before = n->data.bytes;
    store_join(&n->store, true);
}

void moth_commit(struct moth_node *n)
{
    if (n->in_hook || !n->data.begun) return;
    write_staged(n);
    jobs_write_staged(n);
    end(n);
}

void moth_discard(struct moth_node *n)
{
    if (n->in_hook || !n->data.begun) return;
    forget_staged(n);
    jobs_forget_staged(n);
    n->data.bytes = n->data.bytes_before;
    end(n);
}

/* A write without a beginning stands for itself. */
void data_settle(struct moth_node *n)
{
    if (n->data.begun) return;
    n->data.begun = true;
    moth_commit(n);
}

/* --- opening and closing --- */

int data_load(struct moth_node *n)
{
    uint64_t seed;
    n->host->random(n->host->context, &seed, sizeof seed);
    overlay_init(&n->data.overlay, seed);
    int rc = store_script_bytes(&n->store, &n->data.bytes);
    return rc == 0 ? jobs_load(n) : rc;
}

/* A batch that has not ended never was: neither its data nor its marks, nor what it sent. */
void data_close(struct moth_node *n)
{
    if (n->data.begun) {
        forget_staged(n);
        jobs_forget_staged(n);
        store_abandon_row(&n->store);
    }
    jobs_close(n);
    overlay_fini(&n->data.overlay);
}
