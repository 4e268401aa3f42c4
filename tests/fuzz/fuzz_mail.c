/* fuzz_mail.c -- what members may put inside deposits, hand-overs and receipts, and what a database may say of a peer.
 *
 * One node in a lab takes the bytes as if a neighbour had sealed them: the seal itself is the business of
 * fuzz_envelope. The first byte chooses; with its upper bit the ids and the kind inside are made plausible, so that
 * more than the first checks are reached. Whatever comes, nothing is kept that was refused, and limits hold. */
#include "node/book.c" /* for what reads a row of the address book */
#include "node/lab.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROOF_BYTES 128u
#define CARRIED_MAX 64u
#define FROM 0u
#define AT 1u
#define AWAY 2u

static struct lab *lab;
static struct moth_id away; /* whom a carrier may keep mail for */

static void start(void)
{
    struct moth_config config = {.open = true};
    config.limits[MOTH_LIMIT_CARRIED_COUNT] = CARRIED_MAX;
    if (lab) return;
    lab = lab_new(1, 3);
    lab_start(lab, FROM, "from", NULL);
    lab_start(lab, AT, "at", &config);
    lab_start(lab, AWAY, "away", NULL);
    lab_connect(lab, FROM, AT);
    lab_connect(lab, AWAY, AT);
    lab_run(lab, 2000000);
    away = lab_node(lab, AWAY)->identity.id;
    lab_kill(lab, AWAY);
    lab_run(lab, 2000000);
}

static void make_plausible(struct span data, enum envelope_kind outer)
{
    const struct identity *from = &lab_node(lab, FROM)->identity;
    const struct moth_id *dst = outer == ENVELOPE_HANDOVER ? &lab_node(lab, AT)->identity.id : &away;
    if (data.bytes < PROOF_BYTES + ENVELOPE_HEAD_BYTES) return;
    uint8_t *inner = data.data + PROOF_BYTES;
    put_bytes(put_bytes(data.data, from->ed25519_public, 32), from->x25519_public, 32);
    inner[1] = 0;
    inner[6] = inner[6] % 2 ? ENVELOPE_DATA : ENVELOPE_RECEIPT;
    inner[7] &= ENVELOPE_HAS_RE;
    put_uint(inner + 2, inner[2], 4);
    put_uint(inner + 8, 1000u + inner[8], 4);
    put_id(inner + 12, &from->id);
    put_id(inner + 28, dst);
}

static void take(uint8_t choice, struct span data)
{
    struct moth_node *n = lab_node(lab, AT);
    struct peer *from = peers_find(&n->peers, &lab_node(lab, FROM)->identity.id);
    struct envelope e = {.kind = ENVELOPE_DEPOSIT, .ttl_s = 1000, .id = 7, .age_s = choice & 8 ? UINT32_MAX : 1};
    size_t before = n->boxes.carried_count, arrived = n->arrived_count;
    int rc;
    switch (choice & 3) {
    case 0:
        if (choice & 128) make_plausible(data, ENVELOPE_DEPOSIT);
        rc = carry_take_deposit(n, from, &e, span_slice(data));
        assert(rc == 0 || n->boxes.carried_count == before);
        break;
    case 1:
        if (choice & 128) make_plausible(data, ENVELOPE_HANDOVER);
        rc = carry_take_handover(n, from, &e, data);
        assert(rc != 0 && n->arrived_count == arrived); /* no fuzzer can seal what is inside */
        break;
    case 2: receipts_take(n, from, span_slice(data)); break;
    default: {
        struct peer *p = peers_get(&n->peers, &(struct moth_id){{choice, 1}}, true);
        about_decode(n, p, span_slice(data));
        assert(p->facts->address_count <= PEER_ADDRESSES_MAX && p->facts->name_count <= PEER_NAMES_MAX);
        assert(strlen(p->facts->claimed) <= MOTH_NAME_MAX && strlen(p->facts->alias) <= MOTH_NAME_MAX);
    }
    }
    assert(n->boxes.carried_count <= CARRIED_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    start();
    if (size < 1) return 0;
    uint8_t *copy = put_bytes(mem_new(size), data, size) - size;
    take(copy[0], (struct span){copy + 1, size - 1});
    lab_turn(lab, AT);
    lab_run(lab, 2000);
    free(copy);
    return 0;
}
