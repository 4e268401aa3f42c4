/* session.c -- a neighbour from handshake to end.
 *
 * Two nodes may dial each other at the same moment, and a restarted one may dial while its old link still looks alive.
 * Both ends then hold several links to one peer and must agree which one stays: the one of the newer process; of two by
 * the same dialler the newer, which only the dialler can tell; else the one dialled by the smaller id. The loser ends,
 * with all that is queued on it written, only when a frame has come over the winner. `peer->session` is the link in
 * use.
 *
 *   ping   0  4  interval_ms: how often this end pings     pong   0  8  stamp_us, given back
 *          4  8  hash of the sender's table of adverts            8  8  hash of the table
 *         12  8  stamp_us of its own clock                       16  8  wall_ms
 *         20  8  wall_ms
 *
 *   goodbye  0  1  why: 0 the node ends, 1 the user parted, 2 another process with your key took over, 3 no more links
 */
#include "node/hub.h"

#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PING_US 1000000u
#define PING_BYTES 28
#define PONG_BYTES 24
#define STALL_US 500000u
#define CLOCK_FAR_MS 600000u

enum goodbye { GOODBYE_LEAVING, GOODBYE_PART, GOODBYE_OTHER_BOOT, GOODBYE_FULL };

enum address_scope session_scope(const struct session *s)
{
    return address_scope(&s->link->conn->remote);
}

struct session *session_new(struct moth_node *n, struct link *l)
{
    struct session *s = mem_new(sizeof *s);
    s->node = n;
    s->link = l;
    s->rtt_us = -1;
    s->serial = ++n->serial;
    if (l) l->user = s;
    return s;
}

/* --- coming in --- */

static bool same_host(const struct address *a, const struct address *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static int on_accept(void *owner, struct link *l)
{
    struct moth_node *n = owner;
    size_t strangers = 0, neighbours = 0;
    struct session *s = session_new(n, l);
    address_format(&l->conn->remote, s->address);
    node_due(n, l->since_us + n->limits[MOTH_LIMIT_HANDSHAKE_MS] * 1000);
    if (n->leaving) return MOTH_ESHUTDOWN;
    for (const struct link *other = n->links.first; other; other = other->after) {
        if (!other->inbound || other->state == LINK_OPEN) continue;
        strangers++;
        neighbours += same_host(&other->conn->remote, &l->conn->remote);
    }
    bool full = strangers > n->limits[MOTH_LIMIT_UNAUTHENTICATED] ||
                neighbours > n->limits[MOTH_LIMIT_UNAUTHENTICATED_PER_ADDRESS];
    return full ? MOTH_EFULL : 0;
}

/* --- which of several links to one peer stays --- */

static struct moth_id dialler(const struct session *s)
{
    return s->link->inbound ? s->peer->id : s->node->identity.id;
}

/* Above 0: `a` stays, below: `b`. 0: both were dialled by the other end, which alone knows their order and ends one. */
static int judge(const struct session *a, const struct session *b)
{
    struct moth_id dialler_a = dialler(a), dialler_b = dialler(b);
    int newer = a->serial > b->serial ? 1 : -1;
    if (a->link->boot != b->link->boot) return newer;
    if (!id_equal(&dialler_a, &dialler_b)) return -id_compare(&dialler_a, &dialler_b);
    return a->link->inbound ? 0 : newer;
}

static void say_goodbye(struct link *l, enum goodbye why, int reason)
{
    uint8_t body[1] = {(uint8_t)why};
    link_send(l, FRAME_GOODBYE, slice_of(body, 1), slice_of(NULL, 0));
    link_finish(l, reason);
}

/* A process that was restarted hears no goodbye; one that does runs beside another with its key. */
static void retire(struct session *s, const struct session *winner)
{
    s->retired = true;
    if (s->link->boot != winner->link->boot) say_goodbye(s->link, GOODBYE_OTHER_BOOT, MOTH_EREPLACED);
    else link_finish(s->link, MOTH_EREPLACED);
}

static void use(struct session *s)
{
    struct moth_node *n = s->node;
    s->peer->session = s;
    session_up(n, s->peer);
    mail_drained(n); /* what waited for the old link goes over this one */
    n->receipts_due = true;
}

static struct session *other_session(const struct session *s)
{
    for (struct link *l = s->node->links.first; l; l = l->after) {
        struct session *other = session_of(l);
        if (other && other != s && other->peer == s->peer && !other->retired && !l->closing) return other;
    }
    return NULL;
}

static void settle_between(struct session *s, struct session *other)
{
    int verdict = judge(s, other);
    if (verdict > 0) {
        if (s->peer->session == other) use(s);
        retire(other, s);
    } else if (verdict < 0 && other->carried) {
        if (s->peer->session == s) use(other);
        retire(s, other);
    }
}

/* A first frame came over `s`: of all links to this peer, those that lose against a working one end. */
static void settle(struct session *s)
{
    s->carried = true;
    for (struct link *l = s->node->links.first, *after; l && !s->retired; l = after) {
        struct session *other = session_of(l);
        after = l->after;
        if (other && other != s && other->peer == s->peer && !other->retired && !l->closing) settle_between(s, other);
    }
    session_up(s->node, s->peer);
}

/* --- ready --- */

/* Where they can be dialled, when known. */
static struct address address_of(const struct link *l)
{
    struct address at = l->conn->remote;
    if (l->inbound && l->listen_port != 0) at.port = l->listen_port;
    return at;
}

static void learn_from_handshake(struct session *s)
{
    struct link *l = s->link;
    struct address at = address_of(l);
    peer_prove(&s->node->peers, s->peer, l->ed25519_key, l->x25519_key);
    s->peer->parted = false;
    if (!l->inbound || l->listen_port != 0) peer_add_address(&s->node->peers, s->peer, &at, session_scope(s), !l->inbound);
    book_touch(s->node, s->peer);
}

static size_t open_links(const struct moth_node *n)
{
    size_t count = 0;
    for (const struct link *l = n->links.first; l; l = l->after) count += l->state == LINK_OPEN;
    return count;
}

static int on_ready(void *owner, struct link *l)
{
    struct moth_node *n = owner;
    struct session *s = session_of(l);
    if (n->leaving) return MOTH_ESHUTDOWN;
    if (open_links(n) > n->limits[MOTH_LIMIT_LINKS]) {
        say_goodbye(l, GOODBYE_FULL, MOTH_EFULL);
        return 0;
    }
    struct address at = address_of(l);
    address_format(&at, s->address);
    struct peer *p = peers_find(&n->peers, &l->peer);
    if (p && p->blocked) return MOTH_EUNWANTED;
    if (!hooks_accept(s)) return MOTH_EVETOED; /* before the address book makes room for them */
    p = peers_get(&n->peers, &l->peer, true);
    if (!p) return MOTH_EFULL;
    s->peer = p;
    p->held++;
    s->ping_us = node_now_us(n) + PING_US;
    learn_from_handshake(s);
    dial_ready(s);
    sync_ready(s);
    peer_list_send(s);
    if (!p->session) use(s);
    node_due(n, s->ping_us);
    return 0;
}

void session_up(struct moth_node *n, struct peer *p)
{
    char name[PEER_DISPLAY_BYTES];
    if (p->linked || !p->session || !p->session->carried || !topology_find(n, &p->id)) return;
    p->linked = p->session->was_up = true;
    dial_up(p->session);
    router_link(n->router, &n->identity.id, &p->id, 1);
    own_links_changed(n);
    peer_display(p, name);
    node_emit(n, &(struct moth_event){.kind = MOTH_EVENT_LINK_UP, .peer = p->id, .name = name,
                                      .address = p->session->address, .inbound = p->session->link->inbound});
}

/* --- frames --- */

static int dispatch(struct session *s, const struct frame *f)
{
    struct slice body = span_slice(f->body);
    switch (f->kind) {
    case FRAME_MESSAGE: return route_on_message(s, f->body);
    case FRAME_BROADCAST: return route_on_broadcast(s, f->body);
    case FRAME_NETWORK_UPDATE: return topology_on_update(s, body);
    case FRAME_NETWORK_DIGEST: return sync_on_digest(s, body);
    case FRAME_PEER_LIST: return peer_list_take(s, body);
    case FRAME_NOTICE: return route_on_notice(s, body);
    case FRAME_PING: return session_on_ping(s, body);
    case FRAME_PONG: return session_on_pong(s, body);
    case FRAME_GOODBYE: return session_on_goodbye(s, body);
    default: node_discard_from(s, MOTH_EUNKNOWN_KIND); return 0; /* a later version may know it */
    }
}

static int on_frame(void *owner, struct link *l, struct frame *f)
{
    struct session *s = session_of(l);
    const struct moth_node *n = owner;
    /* A neighbour that asks and does not read the answers. */
    if (link_control_queued(l) > n->limits[MOTH_LIMIT_LINK_CONTROL_BYTES]) return MOTH_ESLOW;
    if (!s->peer) return MOTH_EFULL; /* we have said goodbye already */
    if (!s->carried) settle(s);
    return dispatch(s, f);
}

/* --- pings --- */

static uint64_t ping_interval_us(const struct moth_node *n)
{
    uint64_t by_count = n->links.count * (uint64_t)1000000 / 500;
    return by_count > PING_US ? by_count : PING_US;
}

void session_ping(struct session *s)
{
    struct moth_node *n = s->node;
    uint8_t body[PING_BYTES], *at = put_uint(body, ping_interval_us(n) / 1000, 4);
    at = put_uint(at, n->topology.table_hash, 8);
    at = put_uint(at, node_now_us(n), 8);
    put_uint(at, node_wall_ms(n), 8);
    link_send(s->link, FRAME_PING, slice_of(body, sizeof body), slice_of(NULL, 0));
}

/* Says once per peer that its clock is far off; messages carry their sender's time, so people should know. */
static void compare_clock(struct session *s, uint64_t their_ms)
{
    struct moth_node *n = s->node;
    uint64_t our_ms = node_wall_ms(n);
    uint64_t apart_ms = their_ms > our_ms ? their_ms - our_ms : our_ms - their_ms;
    char name[PEER_DISPLAY_BYTES];
    if (apart_ms < CLOCK_FAR_MS || s->peer->clock_told || !s->peer->linked || !node_may_note(n)) return;
    s->peer->clock_told = true;
    peer_display(s->peer, name);
    uint64_t minutes = (apart_ms + 30000) / 60000;
    node_note(n, "the clock of %s is %" PRIu64 " h %" PRIu64 " min %s ours: the times of its messages will look wrong",
              name, minutes / 60, minutes % 60, their_ms > our_ms ? "ahead of" : "behind");
}

int session_on_ping(struct session *s, struct slice body)
{
    struct moth_node *n = s->node;
    struct reader r = reader_of(body);
    uint8_t pong[PONG_BYTES];
    uint64_t interval_us = read_uint(&r, 4) * 1000, hash = read_uint(&r, 8), stamp = read_uint(&r, 8);
    uint64_t wall_ms = read_uint(&r, 8);
    if (!reader_finished(&r)) return MOTH_EMALFORMED;
    s->their_interval_us = interval_us < 60000000u ? interval_us : 60000000u;
    put_uint(put_uint(put_uint(pong, stamp, 8), n->topology.table_hash, 8), node_wall_ms(n), 8);
    link_send(s->link, FRAME_PONG, slice_of(pong, sizeof pong), slice_of(NULL, 0));
    sync_compare(s, hash);
    compare_clock(s, wall_ms);
    return 0;
}

int session_on_pong(struct session *s, struct slice body)
{
    struct reader r = reader_of(body);
    uint64_t stamp = read_uint(&r, 8), hash = read_uint(&r, 8), wall_ms = read_uint(&r, 8);
    uint64_t now = node_now_us(s->node);
    if (!reader_finished(&r)) return MOTH_EMALFORMED;
    if (stamp <= now) s->rtt_us = (int64_t)(now - stamp);
    sync_compare(s, hash);
    compare_clock(s, wall_ms);
    return 0;
}

/* --- goodbye --- */

void session_goodbye(struct session *s, bool part)
{
    say_goodbye(s->link, part ? GOODBYE_PART : GOODBYE_LEAVING, MOTH_ECANCELLED);
}

static void note_clone(struct session *s)
{
    struct moth_node *n = s->node;
    if (n->clone_told) return;
    n->clone_told = true;
    node_note(n, "another node runs with this node's key (learned at %s): give each its own home folder", s->address);
}

int session_on_goodbye(struct session *s, struct slice body)
{
    if (body.bytes != 1) return MOTH_EMALFORMED;
    if (s->retired) return MOTH_EGOODBYE;
    switch (body.data[0]) {
    case GOODBYE_PART:
        s->peer->parted = true;
        dial_part(s->node, s->peer);
        return MOTH_EGOODBYE;
    case GOODBYE_OTHER_BOOT: note_clone(s); return MOTH_ECLONED;
    case GOODBYE_FULL: return MOTH_EPEER_FULL;
    default: return MOTH_EGOODBYE;
    }
}

/* --- slow links --- */

static void resume_feeders(struct moth_node *n, const struct session *slow)
{
    for (struct link *l = n->links.first; l; l = l->after) {
        struct session *s = session_of(l);
        if (!s || s->paused_for != slow) continue;
        s->paused_for = NULL;
        l->heard_us = node_now_us(n); /* it could not be heard */
        link_pause(l, false);
    }
}

void session_slow(struct session *s, struct session *from)
{
    struct moth_node *n = s->node;
    uint64_t now = node_now_us(n);
    if (s->slow_us == 0) s->slow_us = now;
    uint64_t until_us = s->slow_us + n->limits[MOTH_LIMIT_PAUSE_MS] * 1000;
    node_due(n, until_us);
    if (s->shedding || !from || from == s || from->paused_for) return;
    from->paused_for = s;
    link_pause(from->link, true);
}

static void on_drained(void *owner, struct link *l)
{
    struct moth_node *n = owner;
    struct session *s = session_of(l);
    if (!s) return;
    s->slow_us = 0;
    s->shedding = false;
    resume_feeders(n, s);
    node_due(n, node_now_us(n));
    mail_drained(n);
    n->receipts_due = true;
}

/* --- the end --- */

static void went_down(struct session *s, int reason)
{
    struct moth_node *n = s->node;
    struct peer *p = s->peer;
    char name[PEER_DISPLAY_BYTES];
    p->session = NULL;
    if (!p->linked) return;
    p->linked = false;
    router_unlink(n->router, &n->identity.id, &p->id);
    own_links_changed(n);
    peer_display(p, name);
    node_emit(n, &(struct moth_event){.kind = MOTH_EVENT_LINK_DOWN, .peer = p->id, .name = name, .address = s->address,
                                      .inbound = s->link->inbound, .reason = reason});
}

static void never_ready(struct session *s, int reason)
{
    if (reason == MOTH_ECLONED) note_clone(s);
    if (s->link->inbound) node_discard_from(s, reason);
    else node_discard(s->node, reason); /* whoever asked for it hears of it as an event */
}

static bool is_everyday(int reason)
{
    return reason == MOTH_EREPLACED || reason == MOTH_EGOODBYE || reason == MOTH_ECLOSED || reason == MOTH_ECANCELLED;
}

static void on_closed(void *owner, struct link *l, int reason)
{
    struct moth_node *n = owner;
    struct session *s = session_of(l);
    if (!s) return;
    for (size_t unsent = link_unsent(l); unsent > 0; unsent--) node_discard(n, MOTH_ECLOSED);
    if (!s->peer) {
        never_ready(s, reason);
    } else {
        if (!is_everyday(reason)) node_discard_from(s, reason);
        struct session *other = other_session(s);
        if (s->peer->session == s && other) use(other);
        else if (s->peer->session == s) went_down(s, reason);
    }
    resume_feeders(n, s);
    sync_gone(s);
    dial_closed(s, reason);
    node_due(n, node_now_us(n));
    if (s->peer) s->peer->held--;
    free(s);
}

const struct link_events session_events = {.on_accept = on_accept,
                                           .on_ready = on_ready,
                                           .on_frame = on_frame,
                                           .on_drained = on_drained,
                                           .on_closed = on_closed};

/* --- time --- */

static uint64_t silence_us(const struct session *s)
{
    uint64_t ours = ping_interval_us(s->node);
    return (ours > s->their_interval_us ? ours : s->their_interval_us) * 5 / 2;
}

/* A link that is open: pings, and is given up after two and a half intervals of silence. */
static uint64_t watch(struct session *s, uint64_t now_us)
{
    uint64_t dead_us = s->link->heard_us + silence_us(s);
    if (s->paused_for) dead_us = UINT64_MAX;
    if (dead_us <= now_us) {
        link_close(s->link, MOTH_EDEAD);
        return UINT64_MAX;
    }
    if (link_control_queued(s->link) > s->node->limits[MOTH_LIMIT_LINK_CONTROL_BYTES]) {
        link_close(s->link, MOTH_ESLOW);
        return UINT64_MAX;
    }
    if (s->ping_us <= now_us) {
        session_ping(s);
        s->ping_us = now_us + ping_interval_us(s->node);
    }
    return s->ping_us < dead_us ? s->ping_us : dead_us;
}

static uint64_t watch_handshake(struct link *l, uint64_t now_us, uint64_t limit_us)
{
    uint64_t end_us = l->since_us + limit_us;
    if (end_us > now_us) return end_us;
    link_close(l, l->state == LINK_DIALLING ? MOTH_ETIMEOUT : MOTH_ESTALLED);
    return UINT64_MAX;
}

static uint64_t end_pause(struct session *s, uint64_t now_us)
{
    uint64_t end_us = s->slow_us + s->node->limits[MOTH_LIMIT_PAUSE_MS] * 1000;
    if (s->slow_us == 0 || s->shedding) return UINT64_MAX;
    if (end_us > now_us) return end_us;
    s->shedding = true;
    resume_feeders(s->node, s);
    return UINT64_MAX;
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t sessions_tick(struct moth_node *n, uint64_t now_us)
{
    uint64_t due = UINT64_MAX, late_us = now_us > n->due_us ? now_us - n->due_us : 0;
    for (struct link *l = n->links.first; l; l = l->after) {
        struct session *s = session_of(l);
        if (late_us > STALL_US) l->heard_us += late_us; /* we were away, not they: read before judging */
        if (l->closing || !s) continue;
        if (l->state != LINK_OPEN) {
            due = earliest(due, watch_handshake(l, now_us, n->limits[MOTH_LIMIT_HANDSHAKE_MS] * 1000));
            continue;
        }
        due = earliest(due, watch(s, now_us));
        due = earliest(due, end_pause(s, now_us));
    }
    return due;
}
