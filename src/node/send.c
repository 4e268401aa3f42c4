/* send.c -- what the user sends: checked, encoded once, and given to mail.c (durable) or to the way out (light). */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

#define TTL_S 604800u
#define LIGHT_TTL_S 60u

static uint64_t wall_ms(const struct moth_node *n)
{
    return n->host->wall_ms(n->host->context);
}

/* --- durable --- */

static int check_payload(const struct moth_payload *payload)
{
    const char *type = payload->type ? payload->type : "text";
    if (payload->bytes > MOTH_DATA_MAX) return MOTH_ETOO_BIG;
    if (!envelope_type_is_valid(slice_text(type))) return MOTH_EARGUMENT;
    if (payload->encoding > MOTH_JSON) return MOTH_EARGUMENT;
    return 0;
}

/* The plain body as it will be sealed; owned by the caller. */
static uint8_t *encode_body(struct moth_node *n, const struct moth_payload *payload, uint64_t re, size_t *bytes)
{
    struct envelope_body body = {.encoding = (uint8_t)payload->encoding, .re = re, .sent_ms = wall_ms(n),
                                 .type = slice_text(payload->type ? payload->type : "text"),
                                 .data = slice_of(payload->data, payload->bytes)};
    uint8_t *out = mem_new(ENVELOPE_BODY_OVERHEAD_MAX + payload->bytes);
    *bytes = envelope_body_encode(re ? ENVELOPE_HAS_RE : 0, &body, out);
    return out;
}

static struct outgoing *make(struct moth_node *n, struct peer *to, const struct moth_payload *payload,
                             const struct moth_send_options *options, uint64_t id)
{
    size_t bytes;
    uint8_t *body = encode_body(n, payload, options->re, &bytes);
    struct outgoing *m = outgoing_new(id, to, ENVELOPE_DATA, slice_of(body, bytes));
    uint32_t retries = options->retries ? options->retries : n->retries;
    free(body);
    m->flags = options->re ? ENVELOPE_HAS_RE : 0;
    m->ttl_s = options->ttl_s ? options->ttl_s : n->ttl_s ? n->ttl_s : TTL_S;
    m->retries = retries == MOTH_RETRIES_UNLIMITED ? 0 : retries;
    m->accepted_ms = store_clock_ms(&n->store);
    m->sent_ms = m->changed_ms = wall_ms(n);
    m->data_bytes = payload->bytes;
    return m;
}

static int check_send(const struct moth_node *n, const struct peer *to, const struct moth_payload *payload,
                      const struct moth_send_options *options)
{
    int rc = check_payload(payload);
    if (rc < 0) return rc;
    if (n->leaving) return MOTH_ESHUTDOWN;
    if (!to) return MOTH_EUNKNOWN_PEER;
    if (to->blocked) return MOTH_EUNWANTED;
    if (options->ttl_s > MOTH_TTL_MAX_S) return MOTH_EARGUMENT;
    if (!store_may_promise(&n->store)) return MOTH_ESTORE;
    if (n->boxes.mail_count >= n->limits[MOTH_LIMIT_MAIL_COUNT]) return MOTH_EFULL;
    if (n->boxes.mail_bytes + payload->bytes > n->limits[MOTH_LIMIT_MAIL_BYTES]) return MOTH_EFULL;
    return n->store.waiting_bytes > STORE_WAITING_MAX ? MOTH_ESLOW : 0;
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

/* Light, to ourselves: it waits for the turn, in memory. */
static void keep_light(struct moth_node *n, const struct moth_payload *payload, uint64_t id)
{
    static const struct moth_send_options none;
    struct outgoing *m = make(n, n->self, payload, &none, id);
    m->light = true;
    boxes_put(&n->boxes, m);
    node_due(n, node_now_us(n));
}

/* --- light --- */

static int emit_to(struct moth_node *n, struct peer *to, const struct moth_payload *payload, uint64_t id)
{
    size_t bytes;
    if (to->blocked) return MOTH_EUNWANTED;
    if (to == n->self) {
        keep_light(n, payload, id);
        return 0;
    }
    uint8_t *body = encode_body(n, payload, 0, &bytes);
    struct envelope head = {.kind = ENVELOPE_LIGHT, .ttl_s = LIGHT_TTL_S, .id = id};
    int rc = route_seal(n, to, &head, slice_of(body, bytes));
    free(body);
    return rc;
}

static int emit_to_all(struct moth_node *n, const struct moth_payload *payload, uint64_t id)
{
    uint8_t secret[32];
    size_t bytes;
    if (!route_may_broadcast(n, &n->identity.id)) return MOTH_ERATE;
    struct envelope head = {.kind = ENVELOPE_LIGHT, .ttl_s = LIGHT_TTL_S, .id = id, .src = n->identity.id,
                            .hop_limit = ENVELOPE_HOPS_MAX};
    memcpy(head.epk, n->identity.ed25519_public, 32);
    uint8_t *body = encode_body(n, payload, 0, &bytes);
    uint8_t *out = buf_reserve(&n->scratch, ENVELOPE_HEAD_BYTES + bytes + CRYPTO_TAG_BYTES + CRYPTO_SIGNATURE_BYTES);
    envelope_broadcast_key(n->network_key, &n->identity.id, secret);
    struct aead *key = aead_new(secret);
    size_t size = envelope_broadcast_seal(&head, slice_of(body, bytes), key, n->identity.seed, out);
    aead_free(key);
    crypto_wipe(secret, sizeof secret);
    free(body);
    return route_spread(n, NULL, slice_of(out, size), slice_of(NULL, 0)) > 0 ? 0 : MOTH_EUNREACHABLE;
}

int moth_emit(struct moth_node *n, const struct moth_id *to, const struct moth_payload *payload)
{
    uint64_t id;
    struct peer *p = to ? peers_find(&n->peers, to) : NULL;
    int rc = check_payload(payload);
    if (rc == 0 && n->leaving) rc = MOTH_ESHUTDOWN;
    if (rc == 0 && to && !p) rc = MOTH_EUNKNOWN_PEER;
    if (rc == 0) rc = reserve_next_id(&n->reserve, &id);
    if (rc == 0) rc = p ? emit_to(n, p, payload, id) : emit_to_all(n, payload, id);
    if (rc < 0) node_discard(n, rc);
    else n->counts.messages_sent++;
    return rc;
}
