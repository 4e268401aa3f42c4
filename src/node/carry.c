/* carry.c -- mail for those who are away: asking others to keep a copy, and keeping copies for others.
 *
 * Custody is no second mechanism. A *deposit* is an ordinary durable message of ours to a carrier, with the sealed
 * envelope inside; its receipt says that the carrier committed it. A *hand-over* is an ordinary durable message of the
 * carrier to the recipient with the same inside; its receipt lets the carrier forget. Both lie in boxes like all mail.
 * Only messages of users and receipts for them are deposited, by their own sender, and at most two carriers hold a
 * copy.
 *
 *   data of both   0  128  proof: Ed25519 key 32, X25519 key 32, signature 64, as in the handshake
 *                128    n  the envelope, with its age when it was put in
 */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

#define PROOF_BYTES (32 + 32 + CRYPTO_SIGNATURE_BYTES)
#define AGE_AT 2          /* in an envelope */
#define COPIES_MAX 2u
#define CANDIDATES_MAX 8u
#define WAITING_MAX 256u  /* in the box of a carrier, before it is asked for more */
#define ANSWER_MS 60000u  /* who has not answered for so long counts as no carrier */
#define INTRODUCTIONS_PER_SECOND 1u
#define INTRODUCTIONS_BURST 200u
#define PATIENT_SHARE 2u  /* boxes may hold this part of the address book for others */

static const char deposit_type[] = "deposit", handover_type[] = "handover";

/* --- who may carry --- */

struct candidates {
    struct peer *list[CANDIDATES_MAX];
    unsigned count;
};

static void consider(struct moth_node *n, struct candidates *c, struct peer *p, const struct peer *to)
{
    if (!p || p == n->self || p == to || p->blocked || !p->has_keys || c->count == CANDIDATES_MAX) return;
    if (router_hops(n->router, &p->id) != ROUTER_UNREACHABLE) c->list[c->count++] = p;
}

/* The recipient's last known neighbours, who will see them first; when none can be reached, our own. */
static struct candidates find_candidates(struct moth_node *n, const struct peer *to)
{
    struct candidates c = {.count = 0};
    struct reader near = reader_of(to->near ? pooled_slice(to->near) : slice_of(NULL, 0));
    while (reader_left(&near) > 0) {
        struct moth_id id;
        read_id(&near, &id);
        consider(n, &c, peers_find(&n->peers, &id), to);
    }
    if (c.count > 0) return c;
    for (const struct link *l = n->links.first; l; l = l->after) {
        const struct session *s = session_of(l);
        if (s && s->peer && s->peer->session == s && s->peer->linked) consider(n, &c, s->peer, to);
    }
    return c;
}

/* --- depositing --- */

/* `proof | envelope` for the plain body of a message of ours; owned by the caller. */
static int seal_inside(struct moth_node *n, const struct peer *to, struct envelope *head, struct slice plain,
                       uint8_t **out, size_t *bytes)
{
    struct aead *key;
    int rc = to->has_keys ? keys_to(&n->keys, &to->id, to->facts->x25519_key, head->epk, &key) : MOTH_EUNREACHABLE;
    if (rc < 0) return rc;
    head->src = n->identity.id;
    head->dst = to->id;
    *out = mem_new(PROOF_BYTES + ENVELOPE_HEAD_BYTES + plain.bytes + CRYPTO_TAG_BYTES);
    uint8_t *at = put_bytes(*out, n->identity.ed25519_public, 32);
    at = put_bytes(put_bytes(at, n->identity.x25519_public, 32), n->identity.proof, CRYPTO_SIGNATURE_BYTES);
    *bytes = PROOF_BYTES + envelope_seal(head, plain, key, at);
    return 0;
}

/* A message of ours, of a kind that the node makes itself. NULL: there is no id for it now. */
static struct outgoing *make(struct moth_node *n, struct peer *to, uint8_t kind, const char *type, struct slice data,
                             uint32_t ttl_s)
{
    uint64_t id;
    struct envelope_body body = {.sent_ms = node_wall_ms(n), .type = slice_text(type), .data = data};
    return reserve_next_id(&n->reserve, &id) < 0 ? NULL : mail_new(n, to, kind, id, &body, ttl_s);
}

/* Asks one carrier. Returns the deposit; NULL: not now. */
static struct outgoing *ask(struct moth_node *n, struct peer *carrier, uint64_t inner_id, struct slice data,
                            uint32_t ttl_s)
{
    struct outgoing *d = make(n, carrier, ENVELOPE_DEPOSIT, deposit_type, data, ttl_s);
    if (!d) return NULL;
    d->inner_id = inner_id;
    if (mail_keep(n, d) < 0) {
        outgoing_free(d);
        return NULL;
    }
    n->counts.deposits_made++;
    return d;
}

static bool may_answer(const struct moth_node *n, const struct carrier *c)
{
    const struct outgoing *d = boxes_find(&n->boxes, c->deposit);
    return d && store_clock_ms(&n->store) - d->accepted_ms < ANSWER_MS &&
           router_hops(n->router, &c->id) != ROUTER_UNREACHABLE;
}

static unsigned copies(const struct moth_node *n, const struct outgoing *m)
{
    unsigned count = outgoing_holders(m);
    for (unsigned i = 0; i < m->carrier_count; i++)
        count += m->carriers[i].custody == CUSTODY_ASKED && may_answer(n, &m->carriers[i]);
    return count;
}

static bool wants_carrier(const struct moth_node *n, const struct outgoing *m)
{
    return m->kind == ENVELOPE_DATA && m->carrier_count < CARRIERS_MAX && copies(n, m) < COPIES_MAX;
}

static bool has_room(const struct moth_node *n, const struct peer *carrier)
{
    const struct box *b = boxes_box(&n->boxes, &carrier->id);
    return !b || b->count < WAITING_MAX;
}

static bool may_ask(const struct moth_node *n, struct outgoing *m, const struct peer *carrier)
{
    return !outgoing_carrier(m, &carrier->id) && has_room(n, carrier);
}

/* Looked at before anything is read or sealed. */
static bool anyone_may_be_asked(const struct moth_node *n, struct outgoing *m, const struct candidates *c)
{
    if (!wants_carrier(n, m)) return false;
    for (unsigned i = 0; i < c->count; i++)
        if (may_ask(n, m, c->list[i])) return true;
    return false;
}

static int ask_all(struct moth_node *n, struct outgoing *m, const struct candidates *c, struct slice data,
                   uint32_t ttl_s)
{
    for (unsigned i = 0; i < c->count && wants_carrier(n, m); i++) {
        if (!may_ask(n, m, c->list[i])) continue;
        struct outgoing *d = ask(n, c->list[i], m->id, data, ttl_s);
        if (!d) return MOTH_ESTORE;
        outgoing_add_carrier(m, &d->to->id, CUSTODY_ASKED, d->id);
    }
    return 0;
}

/* MOTH_ESTORE, MOTH_EUNREACHABLE: nobody can be asked for anything now. */
static int ask_for(struct moth_node *n, struct outgoing *m, const struct candidates *c)
{
    uint8_t *data = NULL;
    size_t bytes = 0;
    uint32_t age_s = mail_age_s(n, m);
    struct envelope head = {.kind = ENVELOPE_DATA, .flags = m->flags, .ttl_s = m->ttl_s, .id = m->id, .age_s = age_s};
    if (age_s >= m->ttl_s || !anyone_may_be_asked(n, m, c)) return 0;
    int rc = mail_body(n, m);
    if (rc == MOTH_EDAMAGED || rc == MOTH_ENOT_FOUND) return 0; /* its turn to be sent will tell */
    if (rc == 0) rc = seal_inside(n, m->to, &head, slice_of(m->body, m->body_bytes), &data, &bytes);
    if (rc == 0) rc = ask_all(n, m, c, slice_of(data, bytes), m->ttl_s - age_s);
    if (m->committed && mail_memory_is_full(n)) outgoing_drop_body(&n->boxes, m);
    free(data);
    return rc;
}

static bool anyone_has_room(const struct moth_node *n, const struct candidates *c)
{
    for (unsigned i = 0; i < c->count; i++)
        if (has_room(n, c->list[i])) return true;
    return false;
}

void carry_box(struct moth_node *n, struct box *b)
{
    uint64_t now = node_now_us(n);
    if (b->to == n->self || !store_may_promise(&n->store) || n->leaving) return;
    if (!b->next_deposit && now >= b->deposit_again_us) b->next_deposit = b->first; /* who did not answer? */
    if (!b->next_deposit) return;
    b->deposit_again_us = now + ANSWER_MS * 1000u;
    struct candidates c = find_candidates(n, b->to);
    if (c.count == 0) return;
    while (b->next_deposit && anyone_has_room(n, &c)) {
        struct outgoing *m = b->next_deposit;
        if (ask_for(n, m, &c) < 0) break;
        b->next_deposit = m->after;
    }
    for (unsigned i = 0; i < c.count; i++) mail_pump(n, &c.list[i]->id);
}

void carry_all(struct moth_node *n)
{
    size_t count;
    struct moth_id *ids = boxes_ids(&n->boxes, &count);
    bool anew = n->carry_anew;
    n->carry_due = n->carry_anew = false;
    for (size_t i = 0; i < count; i++) {
        struct box *b = boxes_box(&n->boxes, &ids[i]);
        if (!b || router_hops(n->router, &ids[i]) != ROUTER_UNREACHABLE) continue;
        if (anew) b->next_deposit = b->first;
        carry_box(n, b);
    }
    free(ids);
}

bool carry_receipts(struct moth_node *n, struct peer *to, struct slice plain, uint32_t ttl_s)
{
    struct envelope head = {.kind = ENVELOPE_RECEIPT, .ttl_s = ttl_s};
    struct candidates c = find_candidates(n, to);
    uint8_t *data = NULL;
    size_t bytes = 0;
    unsigned asked = 0;
    if (c.count == 0 || !store_may_promise(&n->store) || n->leaving) return false;
    if (reserve_next_id(&n->reserve, &head.id) < 0 || seal_inside(n, to, &head, plain, &data, &bytes) < 0) return false;
    for (unsigned i = 0; i < c.count && asked < COPIES_MAX; i++) {
        struct outgoing *d = has_room(n, c.list[i]) ? ask(n, c.list[i], 0, slice_of(data, bytes), ttl_s) : NULL;
        if (!d) continue;
        asked++;
        mail_pump(n, &c.list[i]->id);
    }
    free(data);
    return asked > 0;
}

/* --- how deposits end --- */

/* Who was asked and has not answered is asked no more. */
static void drop_asked(struct moth_node *n, struct outgoing *m)
{
    for (unsigned i = 0; i < m->carrier_count; i++) {
        struct carrier *c = &m->carriers[i];
        if (c->custody != CUSTODY_ASKED) continue;
        struct outgoing *d = boxes_find(&n->boxes, c->deposit);
        c->custody = CUSTODY_REFUSED;
        if (d) mail_drop(n, d);
    }
}

void carry_deposit_ended(struct moth_node *n, struct outgoing *deposit, int reason)
{
    struct outgoing *m = deposit->inner_id ? boxes_find(&n->boxes, deposit->inner_id) : NULL;
    struct carrier *c = m ? outgoing_carrier(m, &deposit->to->id) : NULL;
    if (reason < 0) node_discard(n, reason);
    if (c && c->custody == CUSTODY_ASKED && c->deposit == deposit->id) {
        c->custody = reason == 0 ? CUSTODY_TAKEN : CUSTODY_REFUSED;
        c->reason = reason;
        if (reason == 0 && m->committed && m->state < MOTH_CARRIED) mail_set_state(n, m, MOTH_CARRIED, 0);
        if (reason == 0 && outgoing_holders(m) >= COPIES_MAX) drop_asked(n, m);
        mail_write_state(n, m);
        n->carry_anew |= reason < 0; /* somebody else may be asked */
    }
    n->carry_due = true; /* for the next */
    node_due(n, node_now_us(n));
    mail_drop(n, deposit);
}

void carry_drop_deposits(struct moth_node *n, struct outgoing *m)
{
    drop_asked(n, m);
    for (unsigned i = 0; i < m->carrier_count; i++) m->carriers[i].custody = CUSTODY_REFUSED;
}

/* --- what is inside --- */

struct inside {
    const uint8_t *ed25519_key, *x25519_key, *signature; /* borrowed */
    struct slice bytes;
    struct envelope e;
};

/* The age inside is authentic, for somebody sealed it. That outside anybody on the way may have written: what is too
 * old only by that is passed over, MOTH_ESTALE, and comes again. */
static int read_inside(struct slice data, uint32_t outer_age_s, struct inside *out)
{
    struct reader r = reader_of(data);
    out->ed25519_key = read_raw(&r, 32);
    out->x25519_key = read_raw(&r, 32);
    out->signature = read_raw(&r, CRYPTO_SIGNATURE_BYTES);
    if (r.failed) return MOTH_EMALFORMED;
    out->bytes = slice_of(r.at, reader_left(&r));
    int rc = envelope_view(out->bytes, false, &out->e);
    if (rc < 0) return rc;
    if (out->e.kind != ENVELOPE_DATA && out->e.kind != ENVELOPE_RECEIPT) return MOTH_EMISDIRECTED;
    if (out->e.ttl_s > MOTH_TTL_MAX_S) return MOTH_EARGUMENT;
    if (out->e.age_s >= out->e.ttl_s) return MOTH_EEXPIRED;
    if (outer_age_s >= out->e.ttl_s - out->e.age_s) return MOTH_ESTALE;
    out->e.age_s += outer_age_s;
    return 0;
}

/* Keys that we know are theirs need no proof. */
static int check_proof(const struct moth_node *n, const struct inside *in)
{
    struct moth_id id;
    const struct peer *p = peers_find(&n->peers, &in->e.src);
    if (p && p->has_keys && memcmp(p->facts->ed25519_key, in->ed25519_key, 32) == 0 &&
        memcmp(p->facts->x25519_key, in->x25519_key, 32) == 0)
        return 0;
    int rc = identity_check(in->ed25519_key, in->x25519_key, in->signature, &id);
    return rc == 0 && !id_equal(&id, &in->e.src) ? MOTH_EMISDIRECTED : rc;
}

/* --- carrying --- */

static int check_room(const struct moth_node *n, const struct peer *from, size_t bytes)
{
    const struct boxes *b = &n->boxes;
    bool full = b->carried_count >= n->limits[MOTH_LIMIT_CARRIED_COUNT] ||
                b->carried_bytes + bytes > n->limits[MOTH_LIMIT_CARRIED_BYTES] ||
                peer_dealings(from)->carried_bytes + bytes > n->limits[MOTH_LIMIT_CARRIED_PER_DEPOSITOR];
    return full ? MOTH_EFULL : 0;
}

static size_t handover_bytes(struct slice data)
{
    return envelope_body_bytes(0, &(struct envelope_body){.type = slice_text(handover_type), .data = data});
}

static int keep_handover(struct moth_node *n, struct peer *from, struct peer *to, const struct inside *in,
                         struct slice data)
{
    uint8_t *copy = mem_copy(data.data, data.bytes);
    put_uint(copy + PROOF_BYTES + AGE_AT, in->e.age_s, 4);
    struct outgoing *m = make(n, to, ENVELOPE_HANDOVER, handover_type, slice_of(copy, data.bytes),
                              in->e.ttl_s - in->e.age_s);
    free(copy);
    if (!m) return MOTH_ESTORE;
    m->source = from;
    m->inner_id = in->e.id;
    int rc = mail_keep(n, m);
    if (rc < 0) outgoing_free(m);
    return rc;
}

/* What cannot be is refused for good; what cannot be now is not answered, and comes again. */
static int take_deposit(struct moth_node *n, struct peer *from, uint32_t age_s, struct slice data)
{
    struct inside in;
    if (from->blocked) return MOTH_EUNWANTED;
    int rc = read_inside(data, age_s, &in);
    if (rc < 0) return rc;
    if (!id_equal(&in.e.src, &from->id) || id_equal(&in.e.dst, &from->id)) return MOTH_EMISDIRECTED;
    if (id_equal(&in.e.dst, &n->identity.id)) return MOTH_EMISDIRECTED; /* we are here: it can be sent to us */
    if ((rc = check_proof(n, &in)) < 0) return rc;
    if (boxes_find_carried(&n->boxes, &from->id, in.e.id)) return MOTH_EDUPLICATE;
    if ((rc = check_room(n, from, handover_bytes(data))) < 0) return rc;
    struct peer *to = peers_find(&n->peers, &in.e.dst);
    if (!to || !to->has_keys) return MOTH_EUNKNOWN_PEER; /* invented recipients would fill the address book */
    if (to->mail == 0 && n->boxes.box_of.count >= n->peers.max / PATIENT_SHARE) return MOTH_EFULL;
    rc = keep_handover(n, from, to, &in, data);
    if (rc == 0) mail_pump(n, &to->id);
    return rc;
}

/* What is wrong with what was sent, for good. Anything else is our own trouble: it is not answered, and comes again. */
static bool is_refusal(int rc)
{
    static const int refusals[] = {MOTH_EMALFORMED, MOTH_EFORGED,  MOTH_EMISDIRECTED,  MOTH_EEXPIRED,  MOTH_ETOO_OLD,
                                   MOTH_EUNWANTED,  MOTH_ETOO_BIG, MOTH_EARGUMENT,     MOTH_EHOP_LIMIT,
                                   MOTH_EUNKNOWN_KIND, MOTH_EUNKNOWN_PEER, MOTH_EVETOED};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        if (refusals[i] == rc) return true;
    return false;
}

/* Whatever is answered, even that it was here before, is answered after a commit. */
int carry_take_deposit(struct moth_node *n, struct peer *from, const struct envelope *e, struct slice data)
{
    int rc = store_room(&n->store) == 0 ? take_deposit(n, from, e->age_s, data) : MOTH_ESTORE;
    if (rc == 0 || rc == MOTH_EDUPLICATE) receipts_owe_after_commit(n, from, e->id);
    else if (is_refusal(rc) || rc == MOTH_EFULL) receipts_owe(n, from, e->id, rc, false);
    return rc;
}

/* --- being handed over to --- */

static int open_inside(struct moth_node *n, struct inside *in, uint8_t *plain, struct envelope_body *body)
{
    struct aead *key;
    int rc = keys_from(&n->keys, &in->e.src, in->x25519_key, in->e.epk, &key);
    if (rc == 0) rc = envelope_open(&in->e, in->bytes, key, plain, body);
    if (rc == 0) keys_proven(&n->keys, &in->e.src, in->e.epk);
    return rc;
}

/* Its sender, perhaps heard of for the first time: not too many of those, for others make room for them. */
static struct peer *introduce(struct moth_node *n, const struct inside *in)
{
    struct peer *src = peers_find(&n->peers, &in->e.src);
    bool known = src && src->has_keys;
    if (!known && !bucket_take(&n->introductions, INTRODUCTIONS_PER_SECOND, INTRODUCTIONS_BURST, node_now_us(n)))
        return NULL;
    if (!src) src = peers_get(&n->peers, &in->e.src, true);
    if (src && !src->has_keys) peer_prove(&n->peers, src, in->ed25519_key, in->x25519_key);
    return src;
}

/* `data` lies in memory that may be written: it is opened there. */
static int take_handover(struct moth_node *n, uint32_t age_s, struct span data)
{
    struct inside in;
    struct envelope_body body = {0};
    int rc = read_inside(span_slice(data), age_s, &in);
    if (rc < 0) return rc;
    if (!id_equal(&in.e.dst, &n->identity.id) || id_equal(&in.e.src, &n->identity.id)) return MOTH_EMISDIRECTED;
    if ((rc = check_proof(n, &in)) < 0) return rc;
    struct span plain = {data.data + PROOF_BYTES + ENVELOPE_HEAD_BYTES, in.e.sealed.bytes - CRYPTO_TAG_BYTES};
    rc = open_inside(n, &in, plain.data, &body);
    struct peer *src = rc == 0 ? introduce(n, &in) : NULL;
    if (rc == MOTH_ERATE || (rc == 0 && !src)) return MOTH_ESTORE;
    if (rc < 0) return rc;
    if (in.e.kind == ENVELOPE_RECEIPT) return receipts_take(n, src, body.data);
    in.e.path = slice_of(NULL, 0); /* the way of the copy is not known */
    return inbox_take(n, src, &in.e, &body, span_slice(plain));
}

int carry_take_handover(struct moth_node *n, struct peer *from, const struct envelope *e, struct span data)
{
    int rc = store_room(&n->store) == 0 ? take_handover(n, e->age_s, data) : MOTH_ESTORE;
    if (rc == 0 || rc == MOTH_EDUPLICATE) receipts_owe_after_commit(n, from, e->id);
    else if (is_refusal(rc)) receipts_owe(n, from, e->id, rc, false);
    return rc;
}
