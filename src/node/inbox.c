/* inbox.c -- what arrives for us: opened, checked, committed, told, receipted.
 *
 * A durable message goes to the database together with its id; only after that commit its receipt leaves and handlers
 * are called, in the order of arrival. When they are done it is marked as handled, unless they hold it: then it is open
 * until they say so, and the next is told meanwhile. What was not marked when the process ended is told again, one at a
 * time, each start counted on the disk before: whoever ended three processes is set aside. What came before is not
 * shown again, but receipted again. */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

#define STARTS_MAX 3u
#define TOLD_A_TURN 256u
#define READ_AGAIN_US 100000u

/* --- arrivals: between the commit and the mark --- */

static bool is_arriving(const struct moth_node *n, const struct peer *from, uint64_t id)
{
    struct moth_id key = id_with(&from->id, id);
    const struct arrival *a = id_map_find(&n->arriving, &key);
    return a && a->from == from && a->id == id;
}

static struct arrival *arrival_new(struct moth_node *n, struct peer *from, uint64_t id, size_t bytes)
{
    struct arrival *a = mem_new(sizeof *a);
    a->from = from;
    a->id = id;
    a->bytes = bytes;
    from->held++;
    peer_deal(from)->arrived_bytes += bytes;
    n->arrived_count++;
    n->arrived_bytes += bytes;
    if (n->last_arrival) n->last_arrival->after = a;
    else n->arrivals = a;
    n->last_arrival = a;
    return a;
}

/* The first leaves the queue. */
static struct arrival *take_first(struct moth_node *n)
{
    struct arrival *a = n->arrivals;
    n->arrivals = a->after;
    if (!n->arrivals) n->last_arrival = NULL;
    a->after = NULL;
    return a;
}

static void forget(struct moth_node *n, struct arrival *a)
{
    a->from->held--;
    a->from->dealings->arrived_bytes -= a->bytes;
    n->arrived_count--;
    n->arrived_bytes -= a->bytes;
    free(a->body);
    free(a);
}

static void write_number(struct moth_node *n, enum store_kind kind, struct arrival *a, int64_t number,
                         void (*done)(void *owner, const struct store_write *w))
{
    int64_t numbers[] = {a->row, number};
    struct store_write *w = store_write_new(kind, numbers, 2, NULL, 0);
    w->done = done;
    w->subject = a;
    store_write(&n->store, w);
}

static void on_started(void *owner, const struct store_write *w)
{
    struct arrival *a = w->subject;
    a->ready = true;
    node_due(owner, node_now_us(owner));
}

static void mark(struct moth_node *n, struct arrival *a, enum arrival_state state)
{
    write_number(n, STORE_INBOX_STATE, a, state, NULL);
    n->store.inbox_history += (int64_t)a->bytes;
}

static void set_aside(struct moth_node *n, struct arrival *a)
{
    char name[PEER_DISPLAY_BYTES];
    peer_display(a->from, name);
    mark(n, a, ARRIVAL_SET_ASIDE);
    n->set_aside++;
    node_note(n, "a message from %s ended this program %u times and is set aside: no handler gets it any more; "
                 "'history' shows it", name, STARTS_MAX);
}

/* --- held by their handlers --- */

static bool is_from(const struct arrival *a, const struct moth_id *from, uint64_t id)
{
    return a->id == id && id_equal(&a->from->id, from);
}

static void put_open(struct moth_node *n, struct arrival *a)
{
    struct moth_id key = id_with(&a->from->id, a->id);
    free(a->body);
    a->body = NULL;
    a->after = id_map_find(&n->open, &key);
    id_map_put(&n->open, &key, a);
}

/* NULL: not open. */
static struct arrival *take_open(struct moth_node *n, const struct moth_id *from, uint64_t id)
{
    struct moth_id key = id_with(from, id);
    struct arrival *first = id_map_find(&n->open, &key), **at = &first;
    while (*at && !is_from(*at, from, id)) at = &(*at)->after;
    struct arrival *a = *at;
    if (!a) return NULL;
    *at = a->after;
    if (first) id_map_put(&n->open, &key, first);
    else id_map_remove(&n->open, &key);
    return a;
}

void moth_hold(struct moth_node *n, const struct moth_message *message)
{
    bool durable = message->durable && !message->broadcast;
    bool telling = n->telling && !n->telling->marked && durable;
    if (telling && is_from(n->telling, &message->from, message->id)) n->telling->open = true;
}

int moth_handled(struct moth_node *n, const struct moth_id *from, uint64_t id)
{
    if (n->in_hook) return MOTH_EPERMISSION;
    if (n->telling && n->telling->open && is_from(n->telling, from, id)) {
        n->telling->open = false; /* its callback goes on */
        n->telling->marked = true;
        mark(n, n->telling, ARRIVAL_HANDLED); /* now: it may belong to what the callback began, see moth_begin */
        return 0;
    }
    struct arrival *a = take_open(n, from, id);
    if (!a) return MOTH_ENOT_FOUND;
    mark(n, a, ARRIVAL_HANDLED);
    forget(n, a);
    node_due(n, node_now_us(n));
    return 0;
}

/* --- told in order --- */

/* What was told before is told again only once that is counted. False: it has to wait. */
static bool count_start(struct moth_node *n, struct arrival *a)
{
    a->asked = true;
    write_number(n, STORE_INBOX_STARTS, a, ++a->starts, on_started);
    n->store.hurry = true; /* each waits for the one before */
    return false;
}

static void tell(struct moth_node *n, struct arrival *a, const struct envelope_body *body)
{
    struct envelope e = {.kind = ENVELOPE_DATA, .flags = a->flags, .src = a->from->id, .id = a->id,
                         .hops = (uint8_t)a->hops,
                         .path = slice_of(a->path, a->path ? a->hops * ENVELOPE_PATH_BYTES : 0)};
    n->telling = a;
    inbox_deliver(n, &e, body, a->again ? INBOX_AGAIN : 0);
    n->telling = NULL;
}

/* It was told: it is done with, or its handler holds it. */
static void settle_first(struct moth_node *n)
{
    struct arrival *a = take_first(n);
    if (a->open) {
        put_open(n, a);
        return;
    }
    if (!a->marked) mark(n, a, ARRIVAL_HANDLED);
    forget(n, a);
}

static bool tell_first(struct moth_node *n)
{
    struct arrival *a = n->arrivals;
    struct envelope_body body;
    int rc = a->body ? 0 : store_inbox_body(&n->store, a->row, a->bytes, &a->body);
    if (rc == MOTH_ESTORE) {
        node_due(n, node_now_us(n) + READ_AGAIN_US);
        return false;
    }
    if (rc == MOTH_EDAMAGED) store_doubt(&n->store);
    if (rc == 0) rc = envelope_body_decode(a->flags, slice_of(a->body, a->bytes), &body);
    if (rc == 0) tell(n, a, &body);
    else node_discard(n, MOTH_EDAMAGED);
    settle_first(n);
    return true;
}

static bool advance(struct moth_node *n)
{
    struct arrival *a = n->arrivals;
    if (a->ready) return tell_first(n);
    if (!a->again || a->asked) return false; /* its commit is awaited */
    if (a->starts < STARTS_MAX) return count_start(n, a);
    set_aside(n, a);
    forget(n, take_first(n));
    return true;
}

void inbox_turn(struct moth_node *n)
{
    unsigned told = 0;
    while (n->arrivals && !n->mail_paused && told < TOLD_A_TURN && advance(n)) told++;
    if (told > 0) node_due(n, node_now_us(n)); /* the marks are to be written, and more may wait */
}

void moth_pause_mail(struct moth_node *n, bool pause)
{
    n->mail_paused = pause;
    if (!pause) node_due(n, node_now_us(n));
}

static void load_one(void *owner, const struct stored_arrival *stored)
{
    struct moth_node *n = owner;
    struct peer *from = peers_find(&n->peers, &stored->from);
    if (stored->state == ARRIVAL_SET_ASIDE) n->set_aside++;
    if (stored->state != ARRIVAL_NEW || !from) return;
    struct arrival *a = arrival_new(n, from, stored->id, stored->bytes);
    a->row = stored->row;
    a->flags = (uint8_t)stored->flags;
    a->hops = stored->hops;
    a->starts = stored->starts;
    a->again = true;
}

int inbox_load(struct moth_node *n)
{
    return store_load_arrivals(&n->store, load_one);
}

static void take_back_start(struct moth_node *n, struct arrival *a)
{
    if (a->starts > 0) write_number(n, STORE_INBOX_STARTS, a, a->starts - 1, NULL);
}

/* The process ends in good order: that its handlers did not come to an end, or to a beginning, is not the fault of
 * what they hold. */
void inbox_leave(struct moth_node *n)
{
    struct moth_id key;
    void *value;
    for (size_t at = 0; id_map_next(&n->open, &at, &key, &value);)
        for (struct arrival *a = value; a; a = a->after) take_back_start(n, a);
    for (struct arrival *a = n->arrivals; a; a = a->after)
        if (!a->again || a->asked) take_back_start(n, a);
}

void inbox_close(struct moth_node *n)
{
    struct moth_id key;
    void *value;
    while (n->arrivals) forget(n, take_first(n));
    for (size_t at = 0; id_map_next(&n->open, &at, &key, &value);)
        for (struct arrival *a = value, *after; a; a = after) {
            after = a->after;
            forget(n, a);
        }
    id_map_fini(&n->open);
    id_map_fini(&n->arriving);
}

/* --- keeping --- */

static void on_kept(void *owner, const struct store_write *w)
{
    struct moth_node *n = owner;
    struct arrival *a = w->subject;
    struct moth_id key = id_with(&a->from->id, a->id);
    a->ready = true;
    if (id_map_find(&n->arriving, &key) == a) id_map_remove(&n->arriving, &key);
    n->store.delivered_count++;
    if (a->from == n->self) mail_own_taken(n, a->id);
    else receipts_owe(n, a->from, a->id, 0, true);
    node_due(n, node_now_us(n));
}

/* The path stands behind the body; the disk does not keep it. */
static void keep_body(struct arrival *a, const struct envelope *e, struct slice plain)
{
    a->body = mem_new(plain.bytes + e->path.bytes);
    uint8_t *path = put_bytes(a->body, plain.data, plain.bytes);
    if (!e->path.data) return;
    put_bytes(path, e->path.data, e->path.bytes);
    a->path = path;
}

static int keep(struct moth_node *n, struct peer *from, const struct envelope *e, struct slice plain)
{
    int64_t peer_row = book_row(n, from);
    if (peer_row == 0) return MOTH_ESTORE;
    struct arrival *a = arrival_new(n, from, e->id, plain.bytes);
    struct moth_id key = id_with(&from->id, e->id);
    a->row = ++n->store.last_inbox_row;
    a->flags = e->flags;
    a->hops = e->hops;
    a->starts = 1;
    keep_body(a, e, plain);
    id_map_put(&n->arriving, &key, a);
    int64_t numbers[] = {a->row, peer_row, (int64_t)a->id, a->flags, a->hops,
                         (int64_t)node_wall_ms(n), ARRIVAL_NEW, a->starts, (int64_t)a->bytes,
                         store_day(&n->store)};
    struct store_write *w = store_write_new(STORE_INBOX, numbers, 10, &plain, 1);
    w->done = on_kept;
    w->subject = a;
    store_write(&n->store, w);
#ifdef PLANT_RECEIPTS_BEFORE_COMMIT
    if (from != n->self) receipts_owe(n, from, a->id, 0, true);
#endif
    struct dealings *d = peer_deal(from);
    if (e->id > d->delivered_top) d->delivered_top = e->id;
    return 0;
}

static int check_room(const struct moth_node *n, const struct peer *from, size_t bytes)
{
    int rc = store_room(&n->store);
    bool full = peer_dealings(from)->arrived_bytes + bytes > n->limits[MOTH_LIMIT_INBOX_PER_SENDER] ||
                n->arrived_bytes + bytes > n->limits[MOTH_LIMIT_INBOX_BYTES];
    return rc == 0 && full ? MOTH_EFULL : rc;
}

/* Known: receipted again, once what it was known by is committed. */
static int check_new(struct moth_node *n, struct peer *from, uint64_t id)
{
    if (is_arriving(n, from, id)) return MOTH_EDUPLICATE; /* its commit brings the receipt */
    int rc = store_delivered(&n->store, from, id);
    if (rc == MOTH_EDAMAGED) store_doubt(&n->store);
    /* Not to be left with carriers: whoever plays it back would have us write without end. */
    if (rc == MOTH_EDUPLICATE) receipts_owe(n, from, id, 0, false);
    return rc;
}

/* What can never be is refused. What cannot be now is not answered: its sender keeps it, and tries again. */
int inbox_take(struct moth_node *n, struct peer *from, const struct envelope *e, const struct envelope_body *body,
               struct slice plain)
{
    int rc;
    if (e->age_s > e->ttl_s) return MOTH_EEXPIRED; /* its sender ends it too */
    if (e->id >> 63 != 0 || e->ttl_s > MOTH_TTL_MAX_S) return MOTH_EMALFORMED;
    rc = check_new(n, from, e->id); /* first: what was taken before is not refused now */
    if (rc == 0 && from->blocked) rc = MOTH_EUNWANTED;
    if (rc == 0 && body->data.bytes > MOTH_DATA_MAX) rc = MOTH_ETOO_BIG;
    if (rc == 0) rc = check_room(n, from, plain.bytes);
    if (rc == 0) rc = inbox_admit(n, e, body, 0);
    if (rc == 0) rc = keep(n, from, e, plain);
    if (rc == MOTH_EUNWANTED || rc == MOTH_ETOO_BIG || rc == MOTH_ETOO_OLD || rc == MOTH_EVETOED)
        receipts_owe(n, from, e->id, rc, true);
    return rc;
}

static int admit_own(struct moth_node *n, const struct outgoing *m, const struct envelope *e)
{
    struct envelope_body body;
    int rc = envelope_body_decode(m->flags, slice_of(m->body, m->body_bytes), &body);
    return rc == 0 ? inbox_admit(n, e, &body, 0) : rc;
}

/* Durable mail to ourselves. It ends with its commit, or when a hook would not have it: `m` may be gone afterwards. */
int inbox_take_own(struct moth_node *n, struct outgoing *m)
{
    struct envelope e = {.kind = ENVELOPE_DATA, .src = n->identity.id, .id = m->id, .flags = m->flags,
                         .path = slice_of("", 0)};
    if (is_arriving(n, n->self, m->id)) return MOTH_EDUPLICATE;
    int rc = store_delivered(&n->store, n->self, m->id);
    if (rc == MOTH_EDUPLICATE) mail_own_taken(n, m->id); /* the mark of its end was lost */
    if (rc == 0) rc = check_room(n, n->self, m->body_bytes);
    if (rc == 0) rc = admit_own(n, m, &e);
    if (rc == 0) return keep(n, n->self, &e, slice_of(m->body, m->body_bytes));
    if (rc == MOTH_EVETOED) mail_end(n, m, MOTH_REFUSED, rc);
    return rc;
}

/* --- arriving --- */

/* Messages, requests and replies that are told once or never. */
static int take_light(struct moth_node *n, struct peer *from, const struct envelope *e,
                      const struct envelope_body *body)
{
    if (e->kind == ENVELOPE_REPLY && body->re == 0) return MOTH_EMALFORMED;
    if (from->blocked) return MOTH_EUNWANTED;
    struct dealings *d = peer_deal(from);
    if (!d->light) d->light = recent_new(n->limits[MOTH_LIMIT_LIGHT_IDS]);
    int rc = recent_add(d->light, e->id);
    if (rc == 0) rc = inbox_admit(n, e, body, 0);
    if (rc == 0) inbox_deliver(n, e, body, 0);
    return rc;
}

static int take_opened(struct moth_node *n, struct peer *from, const struct envelope *e,
                       const struct envelope_body *body, struct span plain)
{
    struct span data = {plain.data + (body->data.data - plain.data), body->data.bytes};
    switch ((enum envelope_kind)e->kind) {
    case ENVELOPE_DATA: return inbox_take(n, from, e, body, span_slice(plain));
    case ENVELOPE_LIGHT:
    case ENVELOPE_REQUEST:
    case ENVELOPE_REPLY: return take_light(n, from, e, body);
    case ENVELOPE_RECEIPT: return receipts_take(n, from, body->data);
    case ENVELOPE_DEPOSIT: return carry_take_deposit(n, from, e, body->data);
    case ENVELOPE_HANDOVER: return carry_take_handover(n, from, e, data);
    }
    return MOTH_EUNKNOWN_KIND;
}

/* A message for us: opened where it lies. */
int inbox_accept(struct moth_node *n, struct span frame, const struct envelope *e)
{
    struct span plain = {frame.data + ENVELOPE_HEAD_BYTES, e->sealed.bytes - CRYPTO_TAG_BYTES};
    struct envelope_body body = {0};
    struct aead *key = NULL;
    struct peer *from = peers_find(&n->peers, &e->src);
    if (from == n->self) return MOTH_ELOOP;
    if (!from || !from->has_keys) return MOTH_EUNKNOWN_SENDER;
    int rc = keys_from(&n->keys, &e->src, from->facts->x25519_key, e->epk, &key);
    if (rc == 0) rc = envelope_open(e, span_slice(frame), key, plain.data, &body);
    if (rc < 0) return rc;
    keys_proven(&n->keys, &e->src, e->epk);
    return take_opened(n, from, e, &body, plain);
}

int inbox_accept_broadcast(struct moth_node *n, struct span frame, const struct envelope *e)
{
    uint8_t secret[32];
    struct envelope_body body = {0};
    const struct peer *from = peers_find(&n->peers, &e->src);
    if (from && from->blocked) return MOTH_EUNWANTED; /* it was passed on all the same */
    envelope_broadcast_key(n->network_key, &e->src, secret);
    struct aead *key = aead_new(secret);
    int rc = envelope_open(e, span_slice(frame), key, frame.data + ENVELOPE_HEAD_BYTES, &body);
    aead_free(key);
    crypto_wipe(secret, sizeof secret);
    if (rc == 0) rc = inbox_admit(n, e, &body, INBOX_BROADCAST);
    if (rc == 0) inbox_deliver(n, e, &body, INBOX_BROADCAST);
    return rc;
}
