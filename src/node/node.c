/* node.c -- the hub: opening, closing, the turn, and events to the owner.
 *
 * A turn does what is due, brings the routes up to date once for all changes since the last one, and only then seals
 * and writes what the turn gathered. */
#include "node/hub.h"

#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_FILE "identity"
#define LOG_AGAIN_US 60000000u
#define NOTES_PER_SECOND 1u
#define NOTES_BURST 10u
#define LOG_LINES_PER_SECOND 1u
#define LOG_LINES_BURST 20u
#define PORTS_TRIED 100

/* --- telling --- */

void node_emit(struct moth_node *n, const struct moth_event *event)
{
    bool before = n->emitting;
    n->emitting = true;
    n->on_event(n->owner, event);
    n->emitting = before;
}

bool node_may_note(struct moth_node *n)
{
    return bucket_take(&n->notes, NOTES_PER_SECOND, NOTES_BURST, node_now_us(n));
}

void node_note(struct moth_node *n, const char *format, ...)
{
    char text[LOG_LINE_BYTES], safe[LOG_LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_safe(slice_text(text), safe, sizeof safe);
    node_emit(n, &(struct moth_event){.kind = MOTH_EVENT_NOTE, .text = safe});
}

void node_discard(struct moth_node *n, int reason)
{
    n->counts.discarded[reason < 0 && reason > -MOTH_ERROR_COUNT ? -reason : -MOTH_EMALFORMED]++;
}

void moth_count_discard(struct moth_node *n, int reason)
{
    node_discard(n, reason);
}

/* What must be said at all: echoes and races are everyday life. */
static enum moth_log_level level_of(int reason)
{
    return reason == MOTH_EDUPLICATE || reason == MOTH_ESTALE || reason == MOTH_EREPLACED || reason == MOTH_ESHUTDOWN ||
                   reason == MOTH_ECLOSED || reason == MOTH_EUNWANTED || reason == MOTH_EVETOED
               ? MOTH_LOG_DEBUG
               : MOTH_LOG_WARN;
}

/* Others could fill a disk with log lines: of strangers the same reason is said once a minute, of a peer once; and
 * since peers are easily invented, a few lines a minute are all there is. */
static bool was_logged(struct session *s, int reason)
{
    struct moth_node *n = s->node;
    uint64_t now = node_now_us(n), bit = (uint64_t)1 << -reason, *last = &n->logged_us[-reason];
    if (s->peer ? (peer_dealings(s->peer)->logged & bit) != 0 : *last != 0 && now - *last < LOG_AGAIN_US) return true;
    if (!bucket_take(&n->log_lines, LOG_LINES_PER_SECOND, LOG_LINES_BURST, now)) return true;
    if (s->peer) peer_deal(s->peer)->logged |= bit;
    else *last = now;
    return false;
}

void node_discard_from(struct session *s, int reason)
{
    char name[PEER_DISPLAY_BYTES] = "a stranger";
    node_discard(s->node, reason);
    if (was_logged(s, reason)) return;
    if (s->peer) peer_display(s->peer, name);
    log_write(s->node->host, level_of(reason), "%s at %s: %s (%s)", name, s->address, moth_error_text(reason),
              s->peer ? "counted; further ones are not logged" : "the connection is closed");
}

/* --- opening --- */

static int load_identity(struct moth_node *n)
{
    const struct moth_host *host = n->host;
    uint8_t seed[32];
    size_t bytes = 0;
    int rc = host->file_read(host->context, KEY_FILE, seed, sizeof seed, &bytes);
    if (rc == MOTH_ETOO_BIG || (rc == 0 && bytes != sizeof seed)) rc = MOTH_EMALFORMED;
    if (rc == MOTH_ENOT_FOUND) {
        host->random(host->context, seed, sizeof seed);
        rc = host->file_write(host->context, KEY_FILE, seed, sizeof seed);
    }
    if (rc == 0) identity_from_seed(&n->identity, seed);
    crypto_wipe(seed, sizeof seed);
    return rc;
}

static int check_name(const char *name)
{
    return name && name_is_pinnable(name) ? 0 : MOTH_EBAD_NAME;
}

/* Loopback by number or by its one well-known name: anything else may lead out of this machine. */
static bool is_loopback(const char *listen)
{
    char host[HOST_TEXT_BYTES];
    uint16_t port;
    struct address a;
    char text[HOST_TEXT_BYTES + 10];
    if (host_port_parse(listen, host, &port) < 0) return false;
    if (strcmp(host, "localhost") == 0) return true;
    snprintf(text, sizeof text, strchr(host, ':') ? "[%s]:1" : "%s:1", host);
    return address_parse(text, &a) == 0 && address_scope(&a) == ADDRESS_LOOPBACK;
}

static int listen_from(struct moth_node *n, const struct moth_config *config, struct address *bound)
{
    char host[HOST_TEXT_BYTES], text[HOST_TEXT_BYTES + 10];
    uint16_t port;
    int rc = host_port_parse(config->listen, host, &port);
    if (rc < 0) return rc;
    for (unsigned i = 0; i < PORTS_TRIED && port + i <= 65535; i++) {
        snprintf(text, sizeof text, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port + i);
        rc = n->transport->ops->listen(n->transport, text, bound);
        if (rc != MOTH_EIN_USE || !config->listen_next_free) break;
    }
    return rc;
}

/* What others are told: what the user says, else where we listen, unless that means nothing elsewhere (0.0.0.0). */
static int choose_advertised(struct moth_node *n, const char *advertise, const struct address *bound)
{
    n->links.listen_port = bound->port;
    if (!advertise) {
        n->advertised = *bound;
        n->advertised_count = address_scope(bound) != ADDRESS_UNUSABLE;
        return 0;
    }
    if (strcmp(advertise, "none") == 0) {
        n->links.listen_port = 0;
        return 0;
    }
    int rc = address_parse(advertise, &n->advertised);
    if (rc == 0) n->advertised_count = 1;
    return rc;
}

static int start_listening(struct moth_node *n, const struct moth_config *config)
{
    struct address bound;
    char host[HOST_TEXT_BYTES];
    uint16_t port;
    if (!config->listen) return 0;
    if (host_port_parse(config->listen, host, &port) < 0) return MOTH_EBAD_ADDRESS;
    if (!config->has_network_key && !config->open && !is_loopback(config->listen)) return MOTH_EBLOCKED;
    int rc = listen_from(n, config, &bound);
    if (rc < 0) return rc;
    address_format(&bound, n->address);
    return choose_advertised(n, config->advertise, &bound);
}

static void take_config(struct moth_node *n, const struct moth_config *config)
{
    static const char open_network[] = "moth open network 1";
    memcpy(n->name, config->name, strlen(config->name) + 1);
    n->ttl_s = config->ttl_s;
    n->retries = config->retries;
    n->only_wanted = config->only_wanted;
    n->has_network_key = config->has_network_key;
    if (config->has_network_key) memcpy(n->network_key, config->network_key, 32);
    else crypto_sha256(slice_text(open_network), n->network_key);
    for (int i = 0; i < MOTH_LIMIT_COUNT; i++)
        n->limits[i] = config->limits[i] && i > MOTH_LIMIT_DATA_BYTES ? config->limits[i]
                                                                      : moth_limit_info((enum moth_limit)i)->value;
}

static void make_rooms(struct moth_node *n)
{
    uint64_t seed;
    n->host->random(n->host->context, &seed, sizeof seed);
    n->host->random(n->host->context, &n->boot, sizeof n->boot);
    n->started_us = node_now_us(n);
    n->first_turn = true;
    n->due_us = n->mail_expiry_us = n->mail_due_us = n->book_us = UINT64_MAX;
    links_init(&n->links, n->transport, n->host, &n->identity, n->network_key, n->boot, &session_events, n);
    n->links.slow_bytes = n->limits[MOTH_LIMIT_LINK_SLOW_BYTES];
    peers_init(&n->peers, n->limits[MOTH_LIMIT_KNOWN_PEERS], seed, n->host->pool);
    n->self = peers_get(&n->peers, &n->identity.id, true);
    peer_prove(&n->peers, n->self, n->identity.ed25519_public, n->identity.x25519_public);
    n->self->reachable = true;
    peer_claim(&n->peers, n->self, n->name);
    peer_pin_name(&n->peers, n->self, n->name);
    boxes_init(&n->boxes, seed);
    id_map_init(&n->arriving, seed);
    id_map_init(&n->open, seed);
    n->router = router_new(&n->identity.id, seed);
    n->seen = seen_new(n->limits[MOTH_LIMIT_SEEN], seed);
    keys_init(&n->keys, n->host, &n->identity, seed);
}

/* What keeps the database from promising, in words; and that it is over. */
static void on_condition(void *owner, int reason)
{
    struct moth_node *n = owner;
    n->carry_due = true;
    node_due(n, node_now_us(n));
    switch (reason) {
    case 0: node_note(n, "the database can be written again: messages are kept as before"); return;
    case MOTH_ENO_SPACE:
        node_note(n, "the disk is full: nothing new is accepted or promised until there is room again");
        return;
    case MOTH_EIN_USE:
        node_note(n, "another program holds the database: nothing new is promised until it lets go");
        return;
    case MOTH_EPERMISSION:
        node_note(n, "the database cannot be written: nothing new is promised; make the home folder writable");
        return;
    case MOTH_EDAMAGED:
        node_note(n, "the database is damaged: nothing new is promised; start again, and what can be read is kept");
        return;
    default: node_note(n, "the disk fails: nothing new is promised until the database can be written again");
    }
}

/* A full disk gives up its ballast for the numbers without which nothing goes. */
static int open_reserve(struct moth_node *n)
{
    int rc = reserve_open(&n->reserve, n->host);
    if (rc == MOTH_ENO_SPACE && store_give_up_ballast(n->host) == 0) rc = reserve_open(&n->reserve, n->host);
    return rc;
}

static int open_store(struct moth_node *n, bool damaged)
{
    struct store_setup setup = {.damaged = damaged, .host = n->host, .limits = n->limits, .owner = n,
                                .on_condition = on_condition};
    int rc = store_open(&n->store, &setup, &n->report);
    if (rc == MOTH_EIN_USE) rc = MOTH_ESTORE; /* in use: the port */
    if (rc == 0) rc = book_load(n);
    if (rc == 0) rc = mail_load(n);
    if (rc == 0) rc = inbox_load(n);
    if (rc == 0) rc = data_load(n);
    n->damaged = rc == MOTH_EDAMAGED;
    return rc;
}

static struct moth_node *node_new(const struct moth_config *config, const struct moth_host *host,
                                  struct moth_transport *transport, moth_on_event on_event, void *owner)
{
    struct moth_node *n = mem_new(sizeof *n);
    n->host = host;
    n->transport = transport;
    n->on_event = on_event;
    n->owner = owner;
    take_config(n, config);
    return n;
}

/* `damaged`: what the database holds could not be loaded. On failure `n` is gone. */
static int node_open(struct moth_node *n, const struct moth_config *config, bool damaged)
{
    int rc = load_identity(n);
    if (rc < 0) {
        free(n);
        return rc;
    }
    make_rooms(n);
    rc = open_reserve(n);
    if (rc == 0) rc = open_store(n, damaged);
    if (rc == 0) rc = start_listening(n, config);
    if (rc == 0) rc = topology_open(n);
    if (rc < 0) moth_node_close(n);
    return rc;
}

int moth_node_open(const struct moth_config *config, const struct moth_host *host, struct moth_transport *transport,
                   moth_on_event on_event, void *owner, struct moth_node **out)
{
    int rc = check_name(config->name);
    if (rc == 0 && config->ttl_s > MOTH_TTL_MAX_S) rc = MOTH_EARGUMENT;
    if (rc < 0) return rc;
    struct moth_node *n = node_new(config, host, transport, on_event, owner);
    rc = node_open(n, config, false);
    if (rc == MOTH_EDAMAGED) {
        n = node_new(config, host, transport, on_event, owner);
        rc = node_open(n, config, true);
    }
    if (rc == 0) *out = n;
    return rc;
}

/* --- closing --- */

void moth_node_leave(struct moth_node *n)
{
    if (n->leaving) return;
    n->leaving = true;
    node_due(n, node_now_us(n));
}

static bool mail_is_on_its_way(const struct moth_node *n)
{
    for (const struct box *b = n->boxes.first; b; b = b->after)
        if (b->to == n->self || router_hops(n->router, &b->to->id) != ROUTER_UNREACHABLE) return true;
    for (const struct receipts *r = n->receipts; r; r = r->after)
        if (router_hops(n->router, &r->to->id) != ROUTER_UNREACHABLE) return true;
    return false;
}

bool moth_node_is_quiet(const struct moth_node *n)
{
    if (n->map_changed || (!store_is_idle(&n->store) && n->store.reason == 0)) return false;
    for (const struct link *l = n->links.first; l; l = l->after)
        if (l->state == LINK_OPEN && !l->closing && !link_is_idle(l)) return false;
    return !mail_is_on_its_way(n);
}

static void free_links(struct moth_node *n)
{
    for (struct link *l = n->links.first; l; l = l->after) {
        struct session *s = session_of(l);
        if (s) sync_gone(s);
        if (s && s->peer) s->peer->held--;
        free(s);
        l->user = NULL;
    }
    links_fini(&n->links);
}

void moth_node_close(struct moth_node *n)
{
    if (!n) return;
    n->leaving = true;
    for (struct link *l = n->links.first; l; l = l->after)
        if (l->state == LINK_OPEN && session_of(l) && !l->closing) session_goodbye(session_of(l), false);
    free_links(n);
    topology_close(n);
    while (n->wanted) {
        struct wanted *after = n->wanted->after;
        free(n->wanted->address);
        free(n->wanted);
        n->wanted = after;
    }
    mail_close(n);
    receipts_close(n);
    answers_close(n);
    data_close(n);
    if (n->store.db) inbox_leave(n);
    store_close(&n->store, !n->damaged);
    inbox_close(n);
    boxes_fini(&n->boxes);
    reserve_close(&n->reserve);
    keys_fini(&n->keys);
    seen_free(n->seen);
    router_free(n->router);
    peers_fini(&n->peers);
    identity_wipe(&n->identity);
    crypto_wipe(n->network_key, sizeof n->network_key);
    free(n);
}

/* --- the turn --- */

static void do_what_is_due(struct moth_node *n, uint64_t now_us)
{
    uint64_t due[5] = {sessions_tick(n, now_us)};
    n->due_us = UINT64_MAX;
    due[1] = dial_tick(n, now_us);
    due[2] = topology_tick(n, now_us);
    due[3] = mail_tick(n, now_us);
    due[4] = book_tick(n, now_us);
    for (int i = 0; i < 5; i++) node_due(n, due[i]);
}

/* In the first turn somebody listens. */
static void tell_report(struct moth_node *n)
{
    const struct store_report *r = &n->report;
    if (r->aside[0] != '\0')
        node_note(n, "the database was damaged: it is set aside as %s in the home folder; %lld peers and %lld messages "
                     "could be read and are kept", r->aside, (long long)r->peers, (long long)r->messages);
    if (r->was_empty && n->reserve.was_used)
        node_note(n, "there is no database in the home folder, though this node is not new: waiting mail, history, "
                     "aliases and blocks that it may have held are lost");
    if (n->store.reason < 0) on_condition(n, n->store.reason);
    n->first_turn = false;
}

uint64_t moth_node_tick(struct moth_node *n)
{
    uint64_t now = node_now_us(n);
    assert(!n->ticking && !n->emitting); /* not from inside an event */
    n->ticking = true;
    if (n->first_turn) tell_report(n);
    changes_turn(n);
    if (n->due_us <= now) do_what_is_due(n, now);
    changes_turn(n);
    answers_turn(n, now);
    mail_turn(n);
    inbox_turn(n);
    receipts_turn(n);
    sync_turn(n, now);
    links_flush(&n->links);
    node_due(n, store_tick(&n->store, now)); /* last: what this turn wrote goes together */
    node_due(n, reserve_tick(&n->reserve, now));
    n->ticking = false;
    return n->due_us;
}

/* --- who we are --- */

const struct moth_id *moth_node_id(const struct moth_node *n)
{
    return &n->identity.id;
}

const char *moth_node_name(const struct moth_node *n)
{
    return n->name;
}

const char *moth_node_address(const struct moth_node *n)
{
    return n->address;
}
