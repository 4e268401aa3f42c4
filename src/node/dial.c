/* dial.c -- whom to dial, and when again; and the list of addresses that neighbours tell each other.
 *
 * What the user asked for (`connect`) is wanted until `disconnect`: it is redialled for ever, with backoff and jitter,
 * and once somebody has answered there, nobody else may; at the address of an invitation nobody else may from the
 * start. What was merely learned is dialled only when mail has no route, each address once a minute at most, and only
 * its own peer may answer.
 *
 * PEER_LIST: count u16, then for each peer: id 16, number of addresses u8, the addresses (advert.h). */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

#define BACKOFF_FIRST_US 500000u
#define BACKOFF_MAX_US 30000000u
#define LASTING_US 10000000u /* a link that held so long is redialled as if for the first time */
#define LEARNED_PAUSE_US 60000000u
#define LEARNED_DIALS_MAX 64u
#define LIST_TOLD_MAX 256u
#define LIST_TAKEN_MAX 1024u
#define LISTS_PER_SECOND 1u
#define LISTS_BURST 2u

static const uint64_t never = UINT64_MAX;

/* --- what the user wants --- */

static struct wanted *find_wanted(const struct moth_node *n, const char *address)
{
    struct wanted *w = n->wanted;
    while (w && strcmp(w->address, address) != 0) w = w->after;
    return w;
}

static struct wanted *wanted_new(struct moth_node *n, const char *address)
{
    struct wanted *w = mem_new(sizeof *w), **at = &n->wanted;
    w->address = mem_text(address);
    while (*at) at = &(*at)->after;
    *at = w;
    n->wanted_count++;
    return w;
}

static void wanted_free(struct moth_node *n, struct wanted *w)
{
    struct wanted **at = &n->wanted;
    while (*at != w) at = &(*at)->after;
    *at = w->after;
    n->wanted_count--;
    if (w->session) w->session->wanted = NULL;
    free(w->address);
    free(w);
}

/* What is under way there was not meant for `only`: an open link stays, but it is nobody's wish any more. */
static void release(struct wanted *w, const struct moth_id *only)
{
    struct session *s = w->session;
    if (!s || (s->peer && id_equal(&s->peer->id, only))) return;
    s->wanted = NULL;
    w->session = NULL;
    if (s->link->state != LINK_OPEN) link_close(s->link, MOTH_ECANCELLED);
}

static void pin(struct wanted *w, const struct moth_id *only)
{
    release(w, only);
    w->has_peer = true;
    w->peer = *only;
}

int dial_want(struct moth_node *n, const char *address, const struct moth_id *only)
{
    char host[HOST_TEXT_BYTES];
    uint16_t port;
    int rc = host_port_parse(address, host, &port);
    if (n->in_hook) return MOTH_EPERMISSION;
    if (rc < 0 || port == 0) return MOTH_EBAD_ADDRESS;
    if (n->leaving) return MOTH_ESHUTDOWN;
    struct wanted *w = find_wanted(n, address);
    if (!w && n->wanted_count >= n->limits[MOTH_LIMIT_WANTED_LINKS]) return MOTH_EFULL;
    if (!w) w = wanted_new(n, address);
    if (only) pin(w, only);
    else if (!w->has_peer || !peers_find(&n->peers, &w->peer) || !peers_find(&n->peers, &w->peer)->session)
        w->has_peer = false; /* asked for anew: whoever answers now is meant */
    w->told = false;
    w->reason = 0; /* what came of it before is no answer to this */
    w->backoff_us = w->next_us = 0;
    node_due(n, node_now_us(n));
    return 0;
}

int moth_connect(struct moth_node *n, const char *address)
{
    return dial_want(n, address, NULL);
}

void dial_part(struct moth_node *n, struct peer *p)
{
    for (struct link *l = n->links.first; l; l = l->after) {
        const struct session *s = session_of(l);
        bool wanted = s && s->wanted && s->wanted->has_peer && id_equal(&s->wanted->peer, &p->id);
        bool learned = l->has_expected && id_equal(&l->expected, &p->id);
        if (l->state != LINK_OPEN && (wanted || learned)) link_close(l, MOTH_ECANCELLED);
    }
    for (struct wanted *w = n->wanted, *after; w; w = after) {
        after = w->after;
        if (w->has_peer && id_equal(&w->peer, &p->id)) wanted_free(n, w);
    }
}

int moth_disconnect(struct moth_node *n, const struct moth_id *id)
{
    struct peer *p = peers_find(&n->peers, id);
    if (n->in_hook) return MOTH_EPERMISSION;
    if (!p) return MOTH_EUNKNOWN_PEER;
    size_t before = n->wanted_count;
    dial_part(n, p);
    bool linked = p->session != NULL;
    p->parted = true;
    for (struct link *l = n->links.first; l; l = l->after) {
        struct session *s = session_of(l);
        if (s && s->peer == p && !l->closing) session_goodbye(s, true);
    }
    return linked || n->wanted_count < before ? 0 : MOTH_ENOT_LINKED;
}

/* An address as the listings show it, of a link that nobody here asked for. */
static int disconnect_where(struct moth_node *n, const char *address)
{
    for (struct link *l = n->links.first; l; l = l->after) {
        const struct session *s = session_of(l);
        if (s && s->peer && !s->retired && strcmp(s->address, address) == 0) return moth_disconnect(n, &s->peer->id);
    }
    return MOTH_ENOT_FOUND;
}

int moth_disconnect_address(struct moth_node *n, const char *address)
{
    struct wanted *w = find_wanted(n, address);
    if (n->in_hook) return MOTH_EPERMISSION;
    if (!w) return disconnect_where(n, address);
    struct session *s = w->session;
    struct peer *p = w->has_peer ? peers_find(&n->peers, &w->peer) : NULL;
    wanted_free(n, w);
    if (p && p->session) return moth_disconnect(n, &p->id);
    if (s) link_close(s->link, MOTH_ECANCELLED);
    return 0;
}

size_t moth_wanted(const struct moth_node *n, struct moth_wanted *out, size_t capacity)
{
    size_t count = 0;
    uint64_t now = node_now_us(n);
    for (const struct wanted *w = n->wanted; w; w = w->after, count++) {
        if (count >= capacity) continue;
        const struct peer *p = w->has_peer ? peers_find(&n->peers, &w->peer) : NULL;
        struct moth_wanted *o = &out[count];
        *o = (struct moth_wanted){
            .linked = p && p->linked, .has_peer = w->has_peer, .peer = w->peer, .reason = w->reason};
        strncpy(o->address, w->address, sizeof o->address - 1);
        if (!o->linked && !w->session && w->next_us > now) o->retry_in_ms = (w->next_us - now) / 1000;
    }
    return count;
}

/* --- dialling --- */

static struct session *dial(struct moth_node *n, const char *address, const struct moth_id *expected)
{
    struct session *s = session_new(n, NULL);
    strncpy(s->address, address, sizeof s->address - 1);
    s->link = link_dial(&n->links, address, expected, s);
    n->counts.dials++;
    node_due(n, node_now_us(n)); /* so that its time limit is watched */
    return s;
}

static uint64_t jittered(struct moth_node *n, uint64_t us)
{
    uint32_t random;
    n->host->random(n->host->context, &random, sizeof random);
    return us * 3 / 4 + us / 2 * random / UINT32_MAX; /* from three quarters to five quarters */
}

static uint64_t wanted_tick(struct moth_node *n, struct wanted *w, uint64_t now_us)
{
    const struct peer *p = w->has_peer ? peers_find(&n->peers, &w->peer) : NULL;
    if (w->session || (p && p->session)) return never;
    if (w->next_us > now_us) return w->next_us;
    w->dialled_us = now_us;
    w->session = dial(n, w->address, w->has_peer ? &w->peer : NULL);
    w->session->wanted = w;
    return never;
}

uint64_t dial_tick(struct moth_node *n, uint64_t now_us)
{
    uint64_t due = never;
    if (n->leaving) return never;
    for (struct wanted *w = n->wanted; w; w = w->after) {
        uint64_t at = wanted_tick(n, w, now_us);
        if (at < due) due = at;
    }
    return due;
}

static size_t learned_dials(const struct moth_node *n, const struct peer *to, bool *to_them)
{
    size_t count = 0;
    *to_them = false;
    for (const struct link *l = n->links.first; l; l = l->after) {
        if (l->state == LINK_OPEN || l->inbound || !l->has_expected) continue;
        count++;
        if (id_equal(&l->expected, &to->id)) *to_them = true;
    }
    return count;
}

bool dial_peer(struct moth_node *n, struct peer *p)
{
    char text[MOTH_ADDRESS_TEXT_BYTES];
    uint64_t now = node_now_us(n);
    bool under_way;
    if (n->leaving || n->only_wanted || p->parted || p->blocked || p->session) return false;
    size_t dials = learned_dials(n, p, &under_way);
    if (under_way) return true;
    for (unsigned i = 0; i < p->facts->address_count && dials < LEARNED_DIALS_MAX; i++) {
        const struct known_address *k = &p->facts->addresses[i];
        if (k->dialled_us != 0 && now - k->dialled_us < LEARNED_PAUSE_US) continue;
        address_format(&k->address, text);
        peer_dialled(&n->peers, p, i, now);
        dial(n, text, &p->id);
        return true;
    }
    return false;
}

void dial_ready(struct session *s)
{
    struct wanted *w = s->wanted;
    if (!w) return;
    w->has_peer = true;
    w->peer = s->peer->id;
}

void dial_up(struct session *s)
{
    if (!s->wanted) return;
    s->wanted->reason = 0;
    s->wanted->told = false;
}

/* --- the end of a dialled link --- */

static bool is_final(int reason)
{
    return reason == MOTH_ESELF || reason == MOTH_ECLONED || reason == MOTH_EBAD_ADDRESS;
}

static void again_later(struct moth_node *n, struct wanted *w)
{
    w->backoff_us = w->backoff_us == 0 ? BACKOFF_FIRST_US : w->backoff_us * 2;
    if (w->backoff_us > BACKOFF_MAX_US) w->backoff_us = BACKOFF_MAX_US;
    w->next_us = node_now_us(n) + jittered(n, w->backoff_us);
    node_due(n, w->next_us);
}

static void wanted_failed(struct moth_node *n, struct wanted *w, int reason, bool was_up)
{
    bool tell = !was_up && reason != MOTH_EREPLACED && (!w->told || w->reason != reason);
    char address[sizeof ((struct moth_wanted *)0)->address] = "";
    strncpy(address, w->address, sizeof address - 1);
    w->reason = reason;
    w->told |= tell;
    again_later(n, w);
    if (is_final(reason)) wanted_free(n, w);
    if (tell) node_emit(n, &(struct moth_event){.kind = MOTH_EVENT_DIAL, .address = address, .reason = reason});
}

/* An address where somebody else answers is no longer theirs. */
static void forget_address(struct moth_node *n, const struct link *l)
{
    struct peer *p = peers_find(&n->peers, &l->expected);
    if (p) peer_forget_address(&n->peers, p, &l->conn->remote);
}

void dial_closed(struct session *s, int reason)
{
    struct wanted *w = s->wanted;
    if (reason == MOTH_EWRONG_IDENTITY && s->link->has_expected) forget_address(s->node, s->link);
    if (!w) return;
    w->session = NULL;
    if (s->peer && node_now_us(s->node) - s->link->since_us > LASTING_US) w->backoff_us = 0;
    if (!s->node->leaving) wanted_failed(s->node, w, reason, s->was_up);
}

/* --- PEER_LIST --- */

static uint8_t *list_put(uint8_t *at, const struct peer *p, enum address_scope scope)
{
    uint8_t *start = at, *count = at + MOTH_ID_BYTES;
    at = put_id(at, &p->id) + 1;
    *count = 0;
    for (unsigned i = 0; i < p->facts->address_count; i++) {
        const struct address *a = &p->facts->addresses[i].address;
        if (!address_may_cross(a, scope)) continue;
        at = address_put(at, a);
        ++*count;
    }
    return *count > 0 ? at : start;
}

void peer_list_send(struct session *s)
{
    static const size_t entry_max = MOTH_ID_BYTES + 1 + PEER_ADDRESSES_MAX * 19;
    struct moth_node *n = s->node;
    uint8_t *body = mem_new(2 + LIST_TOLD_MAX * entry_max), *at = body + 2;
    const struct peer *p;
    unsigned count = 0;
    for (size_t slot = 0; count < LIST_TOLD_MAX && (p = peers_next(&n->peers, &slot));) {
        if (p == n->self || p == s->peer || !(p->session || p->reachable)) continue;
        uint8_t *end = list_put(at, p, session_scope(s));
        count += end != at;
        at = end;
    }
    put_uint(body, count, 2);
    if (count > 0) link_send(s->link, FRAME_PEER_LIST, slice_of(body, (size_t)(at - body)), slice_of(NULL, 0));
    free(body);
}

/* Reads one entry; the addresses are learned only with `learn`, so a list can be checked whole before it
 * counts. */
static int take_entry(struct session *s, struct reader *r, bool learn)
{
    struct moth_node *n = s->node;
    struct moth_id id;
    struct peer *p = NULL;
    read_id(r, &id);
    unsigned count = (unsigned)read_uint(r, 1);
    if (count == 0 || count > PEER_ADDRESSES_MAX || id_is_zero(&id)) return MOTH_EMALFORMED;
    if (learn && !id_equal(&id, &n->identity.id)) {
        p = peers_get(&n->peers, &id, false);
        if (!p) node_discard_from(s, MOTH_EFULL);
    }
    for (unsigned i = 0; i < count; i++) {
        struct address a;
        int rc = address_read(r, &a);
        if (rc < 0) return rc;
        if (p && !peer_add_address(&n->peers, p, &a, session_scope(s), false)) node_discard(n, MOTH_EBAD_ADDRESS);
    }
    return 0;
}

static int take_list(struct session *s, struct slice body, bool learn)
{
    struct reader r = reader_of(body);
    unsigned count = (unsigned)read_uint(&r, 2);
    int rc = count > LIST_TAKEN_MAX ? MOTH_ETOO_BIG : 0;
    for (unsigned i = 0; rc == 0 && i < count; i++) rc = take_entry(s, &r, learn);
    if (rc == 0 && !reader_finished(&r)) rc = MOTH_EMALFORMED;
    return rc;
}

int peer_list_take(struct session *s, struct slice body)
{
    if (!bucket_take(&s->lists_in, LISTS_PER_SECOND, LISTS_BURST, node_now_us(s->node))) {
        node_discard_from(s, MOTH_ERATE);
        return 0;
    }
    int rc = take_list(s, body, false);
    return rc < 0 ? rc : take_list(s, body, true);
}
