/* handshake.c -- who is at the other end: the handshake of link.h, on a link that has just opened.
 *
 * The dialler speaks first. What the other end presents is checked before on_ready is raised: that its keys belong
 * together, that it is neither us nor another process with our key, and that it is who was expected. */
#include "net/handshake.h"

#include "base/mem.h"

#include <stdlib.h>

#define PAYLOAD_BYTES (32 + CRYPTO_SIGNATURE_BYTES + 8 + 2)
#define HANDSHAKE_BYTES_MAX 256

static const char pattern_name[] = "Noise_XXpsk0_25519_ChaChaPoly_SHA256";

void handshake_drop(struct link *l)
{
    if (l->handshake) noise_wipe(l->handshake);
    free(l->handshake);
    l->handshake = NULL;
}

static size_t payload_encode(const struct links *all, unsigned step, uint8_t out[PAYLOAD_BYTES])
{
    if (step == 0) return 0; /* the first message is readable by anyone who recorded the network key: it says nothing */
    uint8_t *at = put_bytes(out, all->identity->ed25519_public, 32);
    at = put_bytes(at, all->identity->proof, CRYPTO_SIGNATURE_BYTES);
    at = put_uint(at, all->boot, 8);
    put_uint(at, all->listen_port, 2);
    return PAYLOAD_BYTES;
}

static int handshake_write(struct link *l)
{
    uint8_t payload[PAYLOAD_BYTES], out[1 + HANDSHAKE_BYTES_MAX];
    size_t start = l->handshake->step < 2 ? 1 : 0, bytes = 0;
    size_t payload_bytes = payload_encode(l->all, l->handshake->step, payload);
    out[0] = LINK_VERSION;
    int rc = noise_write(l->handshake, slice_of(payload, payload_bytes), out + start, &bytes);
    if (rc < 0) return rc;
    l->all->bytes_out += start + bytes;
    l->all->transport->ops->send(l->conn, slice_of(out, start + bytes));
    return 0;
}

int handshake_begin(struct link *l)
{
    struct links *all = l->all;
    uint8_t ephemeral[32], prologue[5] = {'m', 'o', 't', 'h', LINK_VERSION};
    all->host->random(all->host->context, ephemeral, sizeof ephemeral);
    struct noise_setup setup = {
        .pattern = noise_pattern_find(pattern_name),
        .initiator = !l->inbound,
        .prologue = slice_of(prologue, sizeof prologue),
        .static_secret = all->identity->x25519_secret,
        .ephemeral_secret = ephemeral,
        .psks = {all->network_key, NULL},
    };
    l->handshake = mem_new(sizeof *l->handshake);
    int rc = noise_begin(l->handshake, &setup);
    crypto_wipe(ephemeral, sizeof ephemeral);
    return rc == 0 && !l->inbound ? handshake_write(l) : rc;
}

static int check_identity(struct link *l)
{
    const struct links *all = l->all;
    if (id_equal(&l->peer, &all->identity->id)) return l->boot == all->boot ? MOTH_ESELF : MOTH_ECLONED;
    if (l->has_expected && !id_equal(&l->peer, &l->expected)) return MOTH_EWRONG_IDENTITY;
    return 0;
}

static int payload_read(struct link *l, struct slice payload)
{
    struct reader r = reader_of(payload);
    uint8_t proof[CRYPTO_SIGNATURE_BYTES];
    read_copy(&r, l->ed25519_key, 32);
    read_copy(&r, proof, sizeof proof);
    l->boot = read_uint(&r, 8);
    l->listen_port = (uint16_t)read_uint(&r, 2);
    if (!reader_finished(&r)) return MOTH_EMALFORMED;
    memcpy(l->x25519_key, l->handshake->remote_static, 32);
    int rc = identity_check(l->ed25519_key, l->x25519_key, proof, &l->peer);
    return rc < 0 ? rc : check_identity(l);
}

static int handshake_done(struct link *l)
{
    struct links *all = l->all;
    noise_split(l->handshake, &l->send, &l->receive);
    handshake_drop(l);
    l->state = LINK_OPEN;
    l->since_us = all->host->now_us(all->host->context);
    all->handshakes++;
    return all->events->on_ready(all->owner, l);
}

/* The first message fails only when the other end has another network key: nothing else is in it. */
static int handshake_read(struct link *l, struct slice message)
{
    uint8_t payload[HANDSHAKE_BYTES_MAX];
    size_t payload_bytes = 0;
    unsigned step = l->handshake->step;
    int rc = noise_read(l->handshake, message, payload, &payload_bytes);
    if (rc < 0) return step == 0 ? MOTH_EWRONG_NETWORK : rc;
    if (step > 0) rc = payload_read(l, slice_of(payload, payload_bytes));
    if (rc == MOTH_ECLONED && !l->inbound) handshake_write(l); /* so that the other one is told too */
    if (rc == 0 && !noise_is_done(l->handshake)) rc = handshake_write(l);
    if (rc == 0 && noise_is_done(l->handshake)) rc = handshake_done(l);
    return rc;
}

static int check_version(struct link *l, uint8_t version)
{
    static const uint8_t ours = LINK_VERSION;
    if (version == LINK_VERSION) return 0;
    if (l->inbound) l->all->transport->ops->send(l->conn, slice_of(&ours, 1)); /* so that the dialler can say why */
    return MOTH_EVERSION;
}

size_t handshake_wants(const struct link *l)
{
    if (!l->version_seen) return 1;
    unsigned step = l->handshake->step;
    return noise_message_bytes(l->handshake->pattern, step, step == 0 ? 0 : PAYLOAD_BYTES);
}

int handshake_step(struct link *l, struct slice bytes)
{
    if (l->version_seen) return handshake_read(l, bytes);
    l->version_seen = true;
    return check_version(l, bytes.data[0]);
}
