/* book.c -- the address book on the disk: who is known, under which keys and names, where, and beside whom.
 *
 * What mail depends on, an alias and a block are written at once, before what needs them; who is met for the first
 * time is saved within a second, and what is learned later gathers for half a minute. The name, keys and neighbours of
 * a peer also stand in its last advert, which is kept as its origin signed it.
 *
 *   about   0   1  version: 1
 *           1   1  1: has keys, 2: blocked
 *           2  64  Ed25519 key, X25519 key
 *          66   .  texts, each with its length in a byte: alias, claimed name; then the count of pinned names, and they
 *           .   .  count of addresses; each: 1 when proven, address (advert.h)
 */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

#define VERSION 1
#define HAS_KEYS 1u
#define IS_BLOCKED 2u
#define ABOUT_MAX (66 + (2 + PEER_NAMES_MAX) * (1 + MOTH_NAME_MAX) + 2 + PEER_ADDRESSES_MAX * 20)
#define SAVE_NEW_US 1000000u
#define SAVE_US 30000000u
#define SAVED_AT_ONCE 32u
#define SAVE_PAUSE_US 125000u
#define PRUNED_AT_ONCE 1024
#define MANY_PEERS 256
#define FLOORS_MS (60 * INT64_C(86400000)) /* no message lives so long */

/* --- as bytes --- */

static uint8_t *put_text(uint8_t *at, const char *text)
{
    size_t bytes = strlen(text);
    return put_bytes(put_uint(at, bytes, 1), text, bytes);
}

static bool read_text(struct reader *r, char out[MOTH_NAME_MAX + 1])
{
    size_t bytes = (size_t)read_uint(r, 1);
    if (bytes > MOTH_NAME_MAX) return false;
    const uint8_t *text = read_raw(r, bytes);
    if (r->failed) return false;
    *put_bytes((uint8_t *)out, text, bytes) = '\0';
    return true;
}

static size_t about_encode(const struct peer *p, uint8_t out[ABOUT_MAX])
{
    const struct facts *f = p->facts;
    uint8_t *at = put_uint(out, VERSION, 1);
    at = put_uint(at, (p->has_keys ? HAS_KEYS : 0) | (p->blocked ? IS_BLOCKED : 0), 1);
    at = put_bytes(put_bytes(at, f->ed25519_key, 32), f->x25519_key, 32);
    at = put_text(put_text(at, f->alias), f->claimed);
    at = put_uint(at, f->name_count, 1);
    for (unsigned i = 0; i < f->name_count; i++) at = put_text(at, f->names[i]);
    at = put_uint(at, f->address_count, 1);
    for (unsigned i = 0; i < f->address_count; i++)
        at = address_put(put_uint(at, f->addresses[i].proven, 1), &f->addresses[i].address);
    return (size_t)(at - out);
}

static void read_names(struct moth_node *n, struct peer *p, struct reader *r)
{
    char text[MOTH_NAME_MAX + 1];
    if (read_text(r, text)) peer_set_alias(&n->peers, p, text);
    if (!read_text(r, text)) return;
    peer_claim(&n->peers, p, text);
    for (uint64_t count = read_uint(r, 1); count > 0 && read_text(r, text); count--) peer_pin_name(&n->peers, p, text);
}

static void about_decode(struct moth_node *n, struct peer *p, struct slice about)
{
    struct reader r = reader_of(about);
    uint8_t ed25519_key[32], x25519_key[32];
    if (read_uint(&r, 1) != VERSION) return;
    uint64_t bits = read_uint(&r, 1);
    read_copy(&r, ed25519_key, 32);
    read_copy(&r, x25519_key, 32);
    if (r.failed) return;
    if (bits & HAS_KEYS) peer_prove(&n->peers, p, ed25519_key, x25519_key);
    p->blocked = (bits & IS_BLOCKED) != 0;
    read_names(n, p, &r);
    for (uint64_t count = read_uint(&r, 1); count > 0 && !r.failed; count--) {
        struct address a;
        bool proven = read_uint(&r, 1) == 1;
        if (address_read(&r, &a) == 0) peer_add_address(&n->peers, p, &a, ADDRESS_LOOPBACK, proven);
    }
}

void book_learn_near(struct moth_node *n, struct peer *p, const struct advert *a)
{
    uint8_t near[PEER_NEAR_MAX * MOTH_ID_BYTES], *at = near;
    if (a->neighbour_count == 0) return; /* whoever is alone tells nobody where they will be back */
    for (unsigned i = 0; i < a->neighbour_count && i < PEER_NEAR_MAX; i++) at = put_id(at, &a->neighbours[i].id);
    pool_drop(p->near);
    p->near = pool_take(n->host->pool, slice_of(near, (size_t)(at - near)));
}

/* --- loading --- */

static void load_one(void *owner, const struct stored_peer *stored)
{
    struct moth_node *n = owner;
    struct peer *p = peers_get(&n->peers, &stored->id, true);
    if (!p) return;
    p->row = stored->row;
    if (p == n->self) return;
    about_decode(n, p, stored->about);
    struct advert *a = mem_new(sizeof *a);
    if (stored->advert.data && advert_decode(stored->advert, a) == 0) book_learn_near(n, p, a);
    free(a);
}

int book_load(struct moth_node *n)
{
    return store_load_peers(&n->store, n->limits[MOTH_LIMIT_KNOWN_PEERS] - 1, load_one);
}

/* --- saving --- */

/* With so many in the book the network is large, and where it is imagined, all its databases are in one memory. */
static void rest(struct moth_node *n)
{
    if (peers_count(&n->peers) >= MANY_PEERS) store_rest(&n->store);
}

/* Until then it is not forgotten: met again, it would get a second row. */
static void on_saved(void *owner, const struct store_write *w)
{
    struct moth_node *n = owner;
    struct moth_id id;
    memcpy(id.bytes, w->blobs[0].data, MOTH_ID_BYTES);
    struct peer *p = peers_find(&n->peers, &id);
    if (p) p->held--;
    n->store.peer_count += w->result;
    rest(n);
}

static void save(struct moth_node *n, struct peer *p)
{
    uint8_t about[ABOUT_MAX];
    int64_t kept = p->blocked || p->facts->alias[0] != '\0';
    int64_t numbers[] = {p->row, kept, (int64_t)node_wall_ms(n)};
    struct slice blobs[] = {slice_of(p->id.bytes, MOTH_ID_BYTES), slice_of(about, about_encode(p, about)),
                            p->origin ? pooled_slice(p->origin->advert) : slice_of(NULL, 0)};
    struct store_write *w = store_write_new(STORE_PEER, numbers, 3, blobs, 3);
    w->done = on_saved;
    p->unsaved = false;
    p->held++;
    store_write(&n->store, w);
}

/* 0: it cannot be known now. */
int64_t book_row(struct moth_node *n, struct peer *p)
{
    if (p->row == 0) {
        int rc = store_peer_row(&n->store, &p->id, &p->row);
        if (rc < 0 && rc != MOTH_ENOT_FOUND) return 0;
        if (rc == MOTH_ENOT_FOUND) p->row = ++n->store.last_peer_row;
        p->unsaved = true;
    }
    if (p->unsaved) save(n, p);
    return p->row;
}

void book_touch(struct moth_node *n, struct peer *p)
{
    uint64_t due = node_now_us(n) + (p->row == 0 ? SAVE_NEW_US : SAVE_US);
    p->unsaved = true;
    if (due < n->book_us) n->book_us = due;
    node_due(n, n->book_us);
}

static void on_pruned(void *owner, const struct store_write *w)
{
    struct moth_node *n = owner;
    n->store.peer_count -= w->result;
    n->book_pruning = false;
    n->book_prune_above = w->result > 0 ? 0 : n->store.peer_count + PRUNED_AT_ONCE; /* in vain: not soon again */
}

/* Rows of people of whom nothing is kept, those not seen for longest first. */
static void prune(struct moth_node *n)
{
    int64_t numbers[] = {PRUNED_AT_ONCE, (int64_t)node_wall_ms(n) - FLOORS_MS};
    struct peer *p;
    if (n->book_pruning || n->store.peer_count <= 2 * (int64_t)n->peers.max) return;
    if (n->store.peer_count <= n->book_prune_above) return;
    for (size_t at = 0; (p = peers_next(&n->peers, &at));)
        p->unsaved = true; /* its row may go: it is written again before it is used again */
    struct store_write *w = store_write_new(STORE_PRUNE_PEERS, numbers, 2, NULL, 0);
    w->done = on_pruned;
    n->book_pruning = true;
    store_write(&n->store, w);
}

/* From where the last turn stopped; false: there are more. */
static bool save_some(struct moth_node *n)
{
    struct peer *p;
    unsigned count = 0;
    while (count < SAVED_AT_ONCE && (p = peers_next(&n->peers, &n->book_at))) {
        if (!p->unsaved || !p->has_keys) continue;
        book_row(n, p);
        count++;
    }
    rest(n);
    return count < SAVED_AT_ONCE;
}

/* A part of them a turn; the next goes on where this one stopped. */
uint64_t book_tick(struct moth_node *n, uint64_t now_us)
{
    if (n->book_us > now_us) return n->book_us;
    n->book_us = UINT64_MAX;
    if (!store_may_promise(&n->store)) return n->book_us = now_us + SAVE_NEW_US;
    prune(n);
    bool whole = n->book_at == 0;
    if (!save_some(n)) return n->book_us = now_us + SAVE_PAUSE_US;
    n->book_at = 0;
    if (!whole) n->book_us = now_us + SAVE_US; /* who was touched behind us meanwhile */
    return n->book_us;
}

/* --- what the user says of them --- */

int moth_alias(struct moth_node *n, const struct moth_id *id, const char *alias)
{
    struct peer *p = peers_find(&n->peers, id);
    if (n->in_hook) return MOTH_EPERMISSION;
    if (!p) return MOTH_EUNKNOWN_PEER;
    if (!store_may_promise(&n->store)) return MOTH_ESTORE; /* it would be forgotten */
    if (alias && alias[0] == '\0') return MOTH_EBAD_NAME;
    if (p == n->self || (alias && strcmp(alias, n->name) == 0)) return MOTH_EIN_USE;
    int rc = peer_set_alias(&n->peers, p, alias);
    if (rc < 0) return rc;
    p->unsaved = true;
    return book_row(n, p) > 0 ? 0 : MOTH_ESTORE;
}

/* What the user wanted to be connected stays wanted: once unblocked, it is dialled again. */
static void end_links(struct moth_node *n, const struct peer *p)
{
    for (struct link *l = n->links.first, *after; l; l = after) {
        const struct session *s = session_of(l);
        after = l->after;
        if (s && s->peer == p && !l->closing) link_close(l, MOTH_EUNWANTED);
    }
}

int moth_block(struct moth_node *n, const struct moth_id *id, bool block)
{
    struct peer *p = peers_find(&n->peers, id);
    if (n->in_hook) return MOTH_EPERMISSION;
    if (!p) return MOTH_EUNKNOWN_PEER;
    if (p == n->self) return MOTH_ESELF;
    if (!store_may_promise(&n->store)) return MOTH_ESTORE;
    p->blocked = block;
    p->unsaved = true;
    if (block) end_links(n, p);
    return book_row(n, p) > 0 ? 0 : MOTH_ESTORE;
}
