/* send.c -- what the user sends: checked, encoded once, and given to mail.c (durable) or to the way out (what is sent
 * once: light messages, requests and their answers). */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

#define TTL_S 604800u
#define LIGHT_TTL_S 60u

/* --- durable --- */

static int check_payload(const struct moth_node *n, const struct moth_payload *payload)
{
    const char *type = payload->type ? payload->type : "text";
    if (n->in_hook) return MOTH_EPERMISSION;
    if (payload->bytes > MOTH_DATA_MAX) return MOTH_ETOO_BIG;
    if (!envelope_type_is_valid(slice_text(type))) return MOTH_EARGUMENT;
    if (payload->encoding > MOTH_JSON) return MOTH_EARGUMENT;
    return 0;
}

static struct envelope_body body_of(const struct moth_node *n, const struct moth_payload *payload, uint64_t re)
{
    return (struct envelope_body){.encoding = (uint8_t)payload->encoding, .re = re, .sent_ms = node_wall_ms(n),
                                  .type = slice_text(payload->type ? payload->type : "text"),
                                  .data = slice_of(payload->data, payload->bytes)};
}

static size_t plain_bytes(const struct moth_node *n, const struct moth_payload *payload, uint64_t re)
{
    struct envelope_body body = body_of(n, payload, re);
    return envelope_body_bytes(re ? ENVELOPE_HAS_RE : 0, &body);
}

static struct outgoing *make(struct moth_node *n, struct peer *to, const struct moth_payload *payload,
                             const struct moth_send_options *options, uint64_t id)
{
    struct envelope_body body = body_of(n, payload, options->re);
    uint32_t ttl_s = options->ttl_s ? options->ttl_s : n->ttl_s ? n->ttl_s : TTL_S;
    uint32_t retries = options->retries ? options->retries : n->retries;
    struct outgoing *m = mail_new(n, to, ENVELOPE_DATA, id, &body, ttl_s);
    m->retries = retries == MOTH_RETRIES_UNLIMITED ? 0 : retries;
    m->flags |= (options->path ? ENVELOPE_HAS_PATH : 0) | (payload->is_auto ? ENVELOPE_IS_AUTO : 0);
    return m;
}

static int check_send(const struct moth_node *n, const struct peer *to, const struct moth_payload *payload,
                      const struct moth_send_options *options)
{
    int rc = check_payload(n, payload);
    if (rc < 0) return rc;
    if (n->leaving) return MOTH_ESHUTDOWN;
    if (!to) return MOTH_EUNKNOWN_PEER;
    if (to->blocked) return MOTH_EUNWANTED;
    if (options->ttl_s > MOTH_TTL_MAX_S) return MOTH_EARGUMENT;
    if ((rc = store_room(&n->store)) == MOTH_ESTORE) return rc;
    if (n->boxes.mail_count >= n->limits[MOTH_LIMIT_MAIL_COUNT]) return MOTH_EFULL;
    if (n->boxes.mail_bytes + plain_bytes(n, payload, options->re) > n->limits[MOTH_LIMIT_MAIL_BYTES])
        return MOTH_EFULL;
    return rc;
}

int moth_send(struct moth_node *n, const struct moth_id *to, const struct moth_payload *payload,
              const struct moth_send_options *options, uint64_t *id)
{
    static const struct moth_send_options defaults;
    struct peer *p = peers_find(&n->peers, to);
    if (!options) options = &defaults;
    int rc = check_send(n, p, payload, options);
    if (rc == 0) rc = reserve_next_id(&n->reserve, id);
    if (rc < 0) return rc;
    struct outgoing *m = make(n, p, payload, options, *id);
    if ((rc = mail_keep(n, m)) < 0) {
        outgoing_free(m);
        return rc;
    }
    node_due(n, node_now_us(n)); /* the commit, and what is for ourselves */
    mail_pump(n, to);
    return 0;
}

/* --- light --- */

static uint8_t flags_of(const struct envelope_body *body, const struct moth_payload *payload)
{
    return (uint8_t)((body->re ? ENVELOPE_HAS_RE : 0) | (payload->is_auto ? ENVELOPE_IS_AUTO : 0));
}

/* To ourselves: it waits for the turn, in memory. */
static void keep_light(struct moth_node *n, enum envelope_kind kind, const struct envelope_body *body, uint8_t flags,
                       uint64_t id)
{
    struct outgoing *m = mail_new(n, n->self, (uint8_t)kind, id, body, LIGHT_TTL_S);
    m->flags = flags;
    m->light = true;
    boxes_put(&n->boxes, m);
    node_due(n, node_now_us(n));
}

/* To ourselves it waits in memory until the turn. */
static bool has_room_for_light(const struct moth_node *n, size_t bytes)
{
    return n->boxes.mail_count < n->limits[MOTH_LIMIT_MAIL_COUNT] &&
           n->boxes.memory_bytes + bytes <= n->limits[MOTH_LIMIT_MAIL_MEMORY];
}

static int send_light(struct moth_node *n, struct peer *to, enum envelope_kind kind, const struct moth_payload *payload,
                      uint64_t id, uint64_t re)
{
    struct envelope_body body = body_of(n, payload, re);
    struct envelope head = {.kind = (uint8_t)kind, .flags = flags_of(&body, payload), .ttl_s = LIGHT_TTL_S, .id = id};
    size_t bytes;
    if (to->blocked) return MOTH_EUNWANTED;
    if (to == n->self && !has_room_for_light(n, payload->bytes)) return MOTH_EFULL;
    if (to == n->self) {
        keep_light(n, kind, &body, head.flags, id);
        return 0;
    }
    uint8_t *plain = mail_encode(&body, &bytes);
    int rc = route_seal(n, to, &head, slice_of(plain, bytes));
    if (rc == MOTH_EUNREACHABLE && kind == ENVELOPE_REPLY) rc = answers_keep(n, to, &head, slice_of(plain, bytes));
    free(plain);
    return rc;
}

static int emit_to_all(struct moth_node *n, const struct moth_payload *payload, uint64_t id)
{
    uint8_t secret[32];
    size_t bytes;
    if (!route_may_broadcast(n, &n->identity.id)) return MOTH_ERATE;
    struct envelope_body body = body_of(n, payload, 0);
    struct envelope head = {.kind = ENVELOPE_LIGHT, .flags = flags_of(&body, payload), .ttl_s = LIGHT_TTL_S, .id = id,
                            .src = n->identity.id, .hop_limit = ENVELOPE_HOPS_MAX};
    memcpy(head.epk, n->identity.ed25519_public, 32);
    uint8_t *plain = mail_encode(&body, &bytes);
    uint8_t *out = buf_reserve(&n->scratch, ENVELOPE_HEAD_BYTES + bytes + CRYPTO_TAG_BYTES + CRYPTO_SIGNATURE_BYTES);
    envelope_broadcast_key(n->network_key, &n->identity.id, secret);
    struct aead *key = aead_new(secret);
    size_t size = envelope_broadcast_seal(&head, slice_of(plain, bytes), key, n->identity.seed, out);
    aead_free(key);
    crypto_wipe(secret, sizeof secret);
    free(plain);
    return route_spread(n, NULL, slice_of(out, size), slice_of(NULL, 0)) > 0 ? 0 : MOTH_EUNREACHABLE;
}

/* `to` NULL: to everyone. */
static int send_once(struct moth_node *n, const struct moth_id *to, enum envelope_kind kind,
                     const struct moth_payload *payload, uint64_t re, uint64_t *id)
{
    struct peer *p = to ? peers_find(&n->peers, to) : NULL;
    int rc = check_payload(n, payload);
    if (rc == 0 && n->leaving) rc = MOTH_ESHUTDOWN;
    if (rc == 0 && to && !p) rc = MOTH_EUNKNOWN_PEER;
    if (rc == 0) rc = reserve_next_id(&n->reserve, id);
    if (rc == 0) rc = p ? send_light(n, p, kind, payload, *id, re) : emit_to_all(n, payload, *id);
    if (rc < 0) node_discard(n, rc);
    else n->counts.messages_sent++;
    return rc;
}

int moth_emit(struct moth_node *n, const struct moth_id *to, const struct moth_payload *payload)
{
    uint64_t id;
    return send_once(n, to, ENVELOPE_LIGHT, payload, 0, &id);
}

int moth_request(struct moth_node *n, const struct moth_id *to, const struct moth_payload *payload, uint64_t *id)
{
    return send_once(n, to, ENVELOPE_REQUEST, payload, 0, id);
}

int moth_answer(struct moth_node *n, const struct moth_id *to, uint64_t request, const struct moth_payload *payload)
{
    uint64_t id;
    return request == 0 ? MOTH_EARGUMENT : send_once(n, to, ENVELOPE_REPLY, payload, request, &id);
}
