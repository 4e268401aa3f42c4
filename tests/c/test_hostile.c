/* test_hostile.c -- a member of the network that misbehaves: node 0 says to node 1 what no honest node would.
 *
 * Whatever it sends, node 1 lives, keeps its bounds, counts what it drops, and its link to node 2 does not notice. */
#include "kit.h"

/* Sends any frame from node 0 to node 1 over their honest link. */
static void push(struct kit *k, enum frame_kind kind, const void *body, size_t bytes)
{
    link_send(kit_session(k, 0, 1)->link, kind, slice_of(body, bytes), slice_of(NULL, 0));
    lab_turn(k->lab, 0);
    lab_run(k->lab, 50000);
}

static void test_malformed_frames_end_the_link_and_no_other(void **state)
{
    static const enum frame_kind kinds[] = {FRAME_MESSAGE, FRAME_BROADCAST, FRAME_NETWORK_UPDATE, FRAME_NETWORK_DIGEST,
                                            FRAME_PEER_LIST, FRAME_NOTICE, FRAME_PING, FRAME_PONG, FRAME_GOODBYE};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct kit *k = kit_row(40 + i, 3);
        unsigned downs = k->events[1][MOTH_EVENT_LINK_DOWN];
        push(k, kinds[i], "\x00\x05\xff", 3);
        assert_int_equal(k->events[1][MOTH_EVENT_LINK_DOWN], downs + 1);
        assert_int_equal(k->last_reason[1][MOTH_EVENT_LINK_DOWN], MOTH_EMALFORMED);
        assert_true(kit_discarded(k, 1, MOTH_EMALFORMED) > 0);
        assert_true(kit_linked(k, 1, 2));
        kit_free(k);
    }
}

static void test_an_unknown_kind_is_counted_and_passed_over(void **state)
{
    struct kit *k = kit_row(50, 2);
    (void)state;
    push(k, (enum frame_kind)99, "new", 3);
    assert_int_equal(kit_discarded(k, 1, MOTH_EUNKNOWN_KIND), 1);
    assert_true(kit_linked(k, 0, 1));
    kit_free(k);
}

/* Seals a message of node 0 for `to` as node 0 would; returns its bytes. */
static size_t seal(struct kit *k, const struct moth_id *src, unsigned to, enum envelope_kind kind, uint64_t id,
                   uint8_t hop_limit, uint8_t *out)
{
    struct moth_node *n = kit_node(k, 0);
    const struct peer *p = peers_find(&n->peers, kit_id(k, to));
    struct envelope head = {
        .hop_limit = hop_limit, .kind = (uint8_t)kind, .ttl_s = 60, .src = *src, .dst = p->id, .id = id};
    struct envelope_body body = {.encoding = ENCODING_TEXT, .type = slice_text("text"), .data = slice_text("crafted")};
    uint8_t plain[256];
    struct aead *key;
    assert_int_equal(keys_to(&n->keys, &p->id, p->facts->x25519_key, head.epk, &key), 0);
    size_t bytes = envelope_body_encode(0, &body, plain);
    return envelope_seal(&head, slice_of(plain, bytes), key, out);
}

static void test_a_replayed_light_message_counts_once(void **state)
{
    struct kit *k = kit_row(51, 2);
    uint8_t frame[512];
    (void)state;
    size_t bytes = seal(k, kit_id(k, 0), 1, ENVELOPE_LIGHT, 1000, 5, frame);
    push(k, FRAME_MESSAGE, frame, bytes);
    uint64_t before = kit_discarded(k, 1, MOTH_EDUPLICATE);
    push(k, FRAME_MESSAGE, frame, bytes);
    assert_int_equal(k->messages[1], 1);
    assert_int_equal(kit_discarded(k, 1, MOTH_EDUPLICATE), before + 1);
    kit_free(k);
}

static void test_a_replayed_durable_message_is_receipted_again_but_not_shown(void **state)
{
    struct kit *k = kit_row(52, 2);
    uint8_t frame[512];
    (void)state;
    size_t bytes = seal(k, kit_id(k, 0), 1, ENVELOPE_DATA, 1000, 5, frame);
    push(k, FRAME_MESSAGE, frame, bytes);
    uint64_t frames = kit_status(k, 1).frames_out;
    push(k, FRAME_MESSAGE, frame, bytes);
    assert_int_equal(k->messages[1], 1);
    assert_true(kit_status(k, 1).frames_out > frames);
    kit_free(k);
}

static void test_every_flipped_byte_of_a_message_is_refused(void **state)
{
    struct kit *k = kit_row(53, 2);
    uint8_t frame[512];
    (void)state;
    for (size_t at = ENVELOPE_FIXED_AT; at < 200; at += 3) {
        size_t bytes = seal(k, kit_id(k, 0), 1, ENVELOPE_DATA, 5000 + at, 5, frame);
        if (at >= bytes) break;
        frame[at] ^= 0x40;
        if (!kit_linked(k, 0, 1)) kit_link(k, 0, 1); /* a malformed head ends the link */
        push(k, FRAME_MESSAGE, frame, bytes);
        if (!kit_linked(k, 0, 1)) kit_wait_hops(k, 0, 1, 1, 60 * SECOND);
    }
    assert_int_equal(k->messages[1], 0);
    kit_free(k);
}

static void test_a_message_in_anothers_name_is_refused(void **state)
{
    struct kit *k = kit_row(54, 3);
    uint8_t frame[512];
    (void)state;
    size_t bytes = seal(k, kit_id(k, 2), 1, ENVELOPE_DATA, 1000, 5, frame); /* node 0 speaks as node 2 */
    push(k, FRAME_MESSAGE, frame, bytes);
    assert_int_equal(k->messages[1], 0);
    assert_int_equal(kit_discarded(k, 1, MOTH_EFORGED), 1);
    kit_free(k);
}

static void test_the_hop_limit_ends_a_message(void **state)
{
    struct kit *k = kit_row(55, 3);
    uint8_t frame[512];
    (void)state;
    size_t bytes = seal(k, kit_id(k, 0), 2, ENVELOPE_DATA, 1000, 0, frame);
    push(k, FRAME_MESSAGE, frame, bytes);
    assert_int_equal(k->messages[2], 0);
    assert_int_equal(kit_discarded(k, 1, MOTH_EHOP_LIMIT), 1);
    kit_free(k);
}

static void test_a_message_of_a_kind_that_is_not_known_is_counted(void **state)
{
    struct kit *k = kit_row(56, 2);
    uint8_t frame[512];
    (void)state;
    size_t bytes = seal(k, kit_id(k, 0), 1, (enum envelope_kind)(ENVELOPE_HANDOVER + 1), 1000, 5, frame);
    push(k, FRAME_MESSAGE, frame, bytes);
    assert_int_equal(kit_discarded(k, 1, MOTH_EUNKNOWN_KIND), 1);
    kit_free(k);
}

static void test_a_forged_advert_ends_the_link(void **state)
{
    struct kit *k = kit_row(57, 3);
    uint8_t frame[4 + ADVERT_BYTES_MAX] = {0};
    struct origin *o = topology_find(kit_node(k, 0), kit_id(k, 0));
    (void)state;
    memcpy(frame + 4, o->advert->bytes, o->advert->size);
    put_uint(frame + 4 + 12, o->version.seq + 5, 8); /* a number it never signed */
    push(k, FRAME_NETWORK_UPDATE, frame, 4 + o->advert->size);
    assert_int_equal(k->last_reason[1][MOTH_EVENT_LINK_DOWN], MOTH_EFORGED);
    assert_true(kit_linked(k, 1, 2));
    kit_free(k);
}

static void test_adverts_above_the_rate_of_a_link_are_dropped(void **state)
{
    struct kit *k = kit_row(58, 2);
    uint8_t frame[4 + ADVERT_BYTES_MAX] = {0};
    struct origin *o = topology_find(kit_node(k, 0), kit_id(k, 0));
    (void)state;
    memcpy(frame + 4, o->advert->bytes, o->advert->size);
    for (int i = 0; i < 500; i++)
        link_send(kit_session(k, 0, 1)->link, FRAME_NETWORK_UPDATE, slice_of(frame, 4 + o->advert->size), slice_of(NULL, 0));
    push(k, FRAME_NETWORK_UPDATE, frame, 4 + o->advert->size);
    assert_true(kit_discarded(k, 1, MOTH_ERATE) >= 90);
    assert_true(kit_linked(k, 0, 1));
    kit_free(k);
}

/* A loopback address told over a private network would make the hearer dial itself or a neighbour's machine. */
static void test_loopback_addresses_are_not_learned_over_other_links(void **state)
{
    struct kit *k = kit_row(59, 2);
    uint8_t list[64], *at = put_uint(list, 1, 2);
    struct moth_id stranger = {{9, 9, 9}};
    struct address loopback = {.family = 4, .ip = {127, 0, 0, 1}, .port = 22};
    struct address private = {.family = 4, .ip = {10, 9, 9, 9}, .port = 22};
    (void)state;
    at = put_uint(put_id(at, &stranger), 2, 1);
    at = address_put(address_put(at, &loopback), &private);
    push(k, FRAME_PEER_LIST, list, (size_t)(at - list));
    const struct peer *p = peers_find(&kit_node(k, 1)->peers, &stranger);
    assert_non_null(p);
    assert_int_equal(p->facts->address_count, 1);
    assert_true(address_equal(&p->facts->addresses[0].address, &private));
    kit_free(k);
}

static void test_a_peer_list_that_breaks_off_teaches_nothing(void **state)
{
    struct kit *k = kit_row(60, 2);
    uint8_t list[64], *at = put_uint(list, 2, 2);
    struct moth_id stranger = {{9, 9, 9}};
    struct address a = {.family = 4, .ip = {10, 9, 9, 9}, .port = 22};
    (void)state;
    at = address_put(put_uint(put_id(at, &stranger), 1, 1), &a);
    push(k, FRAME_PEER_LIST, list, (size_t)(at - list));
    assert_null(peers_find(&kit_node(k, 1)->peers, &stranger));
    assert_int_equal(k->last_reason[1][MOTH_EVENT_LINK_DOWN], MOTH_EMALFORMED);
    kit_free(k);
}

/* --- an advert in the hearer's own name --- */

static void test_a_short_advert_in_our_own_name_is_refused(void **state)
{
    struct kit *k = kit_row(70, 3);
    uint8_t frame[4 + 88] = {0};
    (void)state;
    put_uint(frame + 4 + 4, 0xfeed, 8);       /* another boot */
    put_uint(frame + 4 + 12, UINT64_MAX, 8);  /* a number above any */
    memcpy(frame + 4 + 24, kit_node(k, 1)->identity.ed25519_public, 32);
    push(k, FRAME_NETWORK_UPDATE, frame, sizeof frame);
    assert_int_equal(k->last_reason[1][MOTH_EVENT_LINK_DOWN], MOTH_EMALFORMED);
    assert_true(kit_linked(k, 1, 2));
    kit_free(k);
}

/* --- bounds --- */

static void test_a_full_frame_whose_path_grows_is_too_big_for_the_next_hop(void **state)
{
    struct kit *k = kit_row(71, 3);
    struct moth_node *n = kit_node(k, 0);
    uint8_t *frame = mem_new(FRAME_BODY_MAX);
    (void)state;
    frame[0] = 10;
    frame[6] = ENVELOPE_DATA;
    frame[7] = ENVELOPE_HAS_PATH;
    memcpy(frame + 12, n->identity.id.bytes, 16);
    memcpy(frame + 28, kit_id(k, 2)->bytes, 16);
    push(k, FRAME_MESSAGE, frame, FRAME_BODY_MAX);
    lab_run(k->lab, SECOND);
    assert_int_equal(kit_discarded(k, 1, MOTH_ETOO_BIG), 1);
    assert_true(kit_linked(k, 0, 1));
    free(frame);
    kit_free(k);
}

static void test_digests_without_end_are_dropped_by_rate(void **state)
{
    struct kit *k = kit_row(72, 3);
    uint8_t body[1 + 32] = {0};
    (void)state;
    memset(body + 1, 7, 16); /* somebody unknown: an answer is wanted */
    for (int i = 0; i < 1000; i++)
        link_send(kit_session(k, 0, 1)->link, FRAME_NETWORK_DIGEST, slice_of(body, sizeof body), slice_of(NULL, 0));
    push(k, FRAME_NETWORK_DIGEST, body, sizeof body);
    assert_true(kit_discarded(k, 1, MOTH_ERATE) >= 980);
    assert_true(kit_linked(k, 0, 1));
    kit_free(k);
}

static void test_peer_lists_without_end_are_dropped_by_rate(void **state)
{
    struct kit *k = kit_row(73, 3);
    uint8_t body[2] = {0};
    (void)state;
    for (int i = 0; i < 100; i++)
        link_send(kit_session(k, 0, 1)->link, FRAME_PEER_LIST, slice_of(body, 2), slice_of(NULL, 0));
    push(k, FRAME_PEER_LIST, body, 2);
    assert_true(kit_discarded(k, 1, MOTH_ERATE) >= 95);
    kit_free(k);
}

static void test_who_asks_and_does_not_read_the_answers_is_cut_off(void **state)
{
    struct kit *k = kit_row(74, 3);
    uint8_t ping[28] = {0};
    (void)state;
    for (unsigned round = 0; round < 60 && kit_session(k, 0, 1); round++) {
        for (int i = 0; i < 8000; i++)
            link_send(kit_session(k, 0, 1)->link, FRAME_PING, slice_of(ping, sizeof ping), slice_of(NULL, 0));
        link_pause(kit_session(k, 0, 1)->link, true);
        lab_turn(k->lab, 0);
        lab_run(k->lab, 20000);
    }
    assert_true(k->events[1][MOTH_EVENT_LINK_DOWN] > 0);
    assert_int_equal(k->last_reason[1][MOTH_EVENT_LINK_DOWN], MOTH_ESLOW);
    assert_true(kit_linked(k, 1, 2));
    kit_free(k);
}

static void test_a_receipt_for_too_many_messages_is_refused(void **state)
{
    struct kit *k = kit_row(75, 2);
    struct moth_node *n = kit_node(k, 0);
    const struct peer *p = peers_find(&n->peers, kit_id(k, 1));
    uint8_t plain[4096], frame[8192], data[257 * 9] = {0};
    struct envelope head = {
        .hop_limit = 5, .kind = ENVELOPE_RECEIPT, .ttl_s = 60, .src = n->identity.id, .dst = p->id, .id = 9};
    struct envelope_body body = {.type = slice_text("receipt"), .data = slice_of(data, sizeof data)};
    struct aead *key;
    (void)state;
    assert_int_equal(keys_to(&n->keys, &p->id, p->facts->x25519_key, head.epk, &key), 0);
    size_t bytes = envelope_body_encode(0, &body, plain);
    push(k, FRAME_MESSAGE, frame, envelope_seal(&head, slice_of(plain, bytes), key, frame));
    assert_int_equal(kit_discarded(k, 1, MOTH_ETOO_BIG), 1);
    kit_free(k);
}

/* --- invented people --- */

/* An advert of somebody invented, linked to nobody, as a NETWORK_UPDATE; returns its bytes. */
static size_t invent(struct identity *who, uint32_t number, uint64_t seq, const struct address *address, uint8_t *frame)
{
    struct advert a = {.boot = 1, .seq = seq, .lifetime_s = 7200, .name = "invented"};
    uint8_t seed[32] = {0xaa};
    put_uint(seed + 1, number, 4);
    identity_from_seed(who, seed);
    memcpy(a.ed25519_key, who->ed25519_public, 32);
    memcpy(a.x25519_key, who->x25519_public, 32);
    if (address) a.addresses[a.address_count++] = *address;
    put_uint(frame, 0, 4);
    return 4 + advert_encode(&a, who->seed, frame + 4);
}

static void test_who_still_has_an_advert_is_not_forgotten_when_the_book_is_full(void **state)
{
    struct kit *k = kit_new(76, 2);
    struct moth_config small = {.open = true, .limits = {[MOTH_LIMIT_KNOWN_PEERS] = 6}};
    uint8_t frame[4 + ADVERT_BYTES_MAX];
    struct identity who;
    (void)state;
    kit_start(k, 0, NULL);
    assert_int_equal(lab_start(k->lab, 1, "n1", &small), 0);
    kit_link(k, 0, 1);
    for (uint32_t i = 0; i < 20; i++) push(k, FRAME_NETWORK_UPDATE, frame, invent(&who, i, 5, NULL, frame));
    assert_true(kit_discarded(k, 1, MOTH_EFULL) > 0);
    for (uint32_t i = 0; i < 20; i++) push(k, FRAME_NETWORK_UPDATE, frame, invent(&who, i, 6, NULL, frame));
    assert_int_equal(kit_node(k, 1)->peers.by_id.count, 6);
    assert_true(kit_linked(k, 0, 1));
    kit_free(k);
}

static void test_receipts_for_people_out_of_reach_are_bounded(void **state)
{
    enum { people = 1100 };
    struct kit *k = kit_row(77, 2);
    struct moth_node *hearer = kit_node(k, 1);
    uint8_t frame[4 + ADVERT_BYTES_MAX], plain[256], ephemeral[32] = {5}, secret[32];
    struct identity who;
    (void)state;
    hearer->leaving = true; /* who leaves leaves nothing with carriers */
    for (uint32_t i = 0; i < people; i++) {
        push(k, FRAME_NETWORK_UPDATE, frame, invent(&who, i, 5, NULL, frame));
        struct envelope head = {
            .hop_limit = 5, .kind = ENVELOPE_DATA, .ttl_s = 60, .src = who.id, .dst = hearer->identity.id, .id = 9};
        struct envelope_body body = {.encoding = ENCODING_TEXT, .type = slice_text("text"), .data = slice_text("hi")};
        crypto_x25519_public(ephemeral, head.epk);
        assert_int_equal(
            noise_k_send_key("moth envelope 1", who.x25519_secret, ephemeral, hearer->identity.x25519_public, secret),
            0);
        struct aead *key = aead_new(secret);
        size_t bytes = envelope_body_encode(0, &body, plain);
        bytes = envelope_seal(&head, slice_of(plain, bytes), key, frame);
        aead_free(key);
        push(k, FRAME_MESSAGE, frame, bytes);
    }
    lab_run(k->lab, SECOND);
    assert_int_equal(k->messages[1], people);
    assert_int_equal(hearer->receipts_waiting, 1024);
    assert_true(kit_discarded(k, 1, MOTH_EFULL) >= people - 1024);
    kit_free(k);
}

/* The sixth advert in a row waits for its origin's rate; it must still be judged by the link it came over. */
static void test_an_advert_that_waited_teaches_no_more_than_its_link_may(void **state)
{
    struct kit *k = kit_row(78, 2);
    uint8_t frame[4 + ADVERT_BYTES_MAX];
    struct identity who;
    struct address loopback = {.family = 4, .ip = {127, 0, 0, 1}, .port = 22};
    (void)state;
    for (uint64_t seq = 1; seq <= 8; seq++) {
        size_t bytes = invent(&who, 1, seq, &loopback, frame);
        link_send(kit_session(k, 0, 1)->link, FRAME_NETWORK_UPDATE, slice_of(frame, bytes), slice_of(NULL, 0));
    }
    lab_turn(k->lab, 0);
    lab_run(k->lab, 10 * SECOND);
    const struct origin *o = topology_find(kit_node(k, 1), &who.id);
    assert_int_equal(o->version.seq, 8);
    assert_int_equal(o->peer->facts->address_count, 0);
    kit_free(k);
}

static void test_an_age_that_somebody_made_up_does_not_bury_an_advert(void **state)
{
    struct kit *k = kit_row(79, 2);
    uint8_t frame[4 + ADVERT_BYTES_MAX];
    struct identity who;
    (void)state;
    push(k, FRAME_NETWORK_UPDATE, frame, invent(&who, 1, 5, NULL, frame));
    size_t bytes = invent(&who, 1, 6, NULL, frame);
    put_uint(frame, 999999, 4); /* as if it had expired long ago */
    push(k, FRAME_NETWORK_UPDATE, frame, bytes);
    const struct origin *o = topology_find(kit_node(k, 1), &who.id);
    assert_false(o->routed);
    put_uint(frame, 0, 4);
    push(k, FRAME_NETWORK_UPDATE, frame, bytes); /* an honest copy */
    assert_true(o->routed);
    uint64_t before = kit_status(k, 1).adverts_in;
    put_uint(frame, 999999, 4);
    push(k, FRAME_NETWORK_UPDATE, frame, bytes);
    assert_true(o->routed);
    assert_int_equal(kit_status(k, 1).adverts_in, before);
    kit_free(k);
}

/* --- hints --- */

static void push_hint(struct kit *k, uint64_t id)
{
    uint8_t notice[42] = {0};
    memcpy(notice, kit_id(k, 1)->bytes, 16);
    notice[16] = 5;
    notice[17] = (uint8_t)-MOTH_EUNREACHABLE;
    put_uint(notice + 34, id, 8);
    push(k, FRAME_NOTICE, notice, sizeof notice);
}

static void test_forged_hints_spend_no_retries(void **state)
{
    struct kit *k = kit_row(80, 3);
    struct moth_payload payload = {.encoding = MOTH_TEXT, .data = "x", .bytes = 1};
    struct moth_send_options options = {.retries = 2};
    struct moth_sent sent;
    uint64_t id;
    (void)state;
    lab_latency(k->lab, 1, 2, 900000, 0); /* a receipt takes nearly two seconds */
    assert_int_equal(moth_send(kit_node(k, 1), kit_id(k, 2), &payload, &options, &id), 0);
    lab_turn(k->lab, 1);
    for (int i = 0; i < 20; i++) push_hint(k, id);
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(moth_message_get(kit_node(k, 1), id, &sent), 0);
    assert_int_equal(sent.state, MOTH_DELIVERED);
    assert_true(sent.tries <= 4);
    assert_int_equal(k->messages[2], 1);
    kit_free(k);
}

/* --- limits, lowered so that they can be reached --- */

/* Node 1 has the given limits; 0 and 2 are its neighbours. */
static struct kit *row_with_limit(uint64_t seed, enum moth_limit limit, uint64_t value)
{
    struct kit *k = kit_new(seed, 8);
    struct moth_config small = {.open = true};
    small.limits[limit] = value;
    kit_start(k, 0, NULL);
    assert_int_equal(lab_start(k->lab, 1, "n1", &small), 0);
    kit_start(k, 2, NULL);
    kit_link(k, 0, 1);
    kit_link(k, 2, 1);
    kit_settle(k, 3, 10 * SECOND);
    return k;
}

/* Diallers that fall silent once connected, each from an address of its own. */
static void test_no_more_strangers_shake_hands_than_allowed(void **state)
{
    struct kit *k = kit_new(90, 8);
    struct moth_config small = {.open = true, .limits = {[MOTH_LIMIT_UNAUTHENTICATED] = 4}};
    (void)state;
    assert_int_equal(lab_start(k->lab, 0, "hub", &small), 0);
    for (unsigned i = 1; i < 8; i++) kit_start(k, i, NULL);
    lab_run(k->lab, SECOND);
    for (unsigned i = 1; i < 8; i++) lab_connect(k->lab, i, 0);
    lab_run(k->lab, 1500);
    for (unsigned i = 1; i < 8; i++) lab_freeze(k->lab, i, true);
    lab_run(k->lab, SECOND);
    assert_int_equal(kit_status(k, 0).handshaking, 4);
    assert_int_equal(kit_discarded(k, 0, MOTH_EFULL), 3);
    kit_free(k);
}

static void test_connect_is_refused_when_enough_is_wanted(void **state)
{
    struct kit *k = row_with_limit(91, MOTH_LIMIT_WANTED_LINKS, 2);
    (void)state;
    assert_int_equal(moth_connect(kit_node(k, 1), "10.0.0.7:1"), 0);
    assert_int_equal(moth_connect(kit_node(k, 1), "10.0.0.7:2"), 0);
    assert_int_equal(moth_connect(kit_node(k, 1), "10.0.0.7:3"), MOTH_EFULL);
    assert_int_equal(moth_connect(kit_node(k, 1), "10.0.0.7:2"), 0); /* wanted already */
    kit_free(k);
}

static void test_notices_above_the_rate_are_not_sent(void **state)
{
    struct kit *k = row_with_limit(92, MOTH_LIMIT_NOTICES_PER_SECOND, 2);
    uint8_t frame[512];
    (void)state;
    for (uint64_t id = 1; id <= 20; id++) {
        size_t bytes = seal(k, kit_id(k, 0), 2, ENVELOPE_DATA, id, 5, frame);
        memset(frame + 28, 0x77, MOTH_ID_BYTES); /* for nobody */
        link_send(kit_session(k, 0, 1)->link, FRAME_MESSAGE, slice_of(frame, bytes), slice_of(NULL, 0));
    }
    lab_turn(k->lab, 0);
    lab_run(k->lab, SECOND / 10);
    assert_int_equal(kit_discarded(k, 1, MOTH_EUNREACHABLE), 20);
    assert_int_equal(kit_discarded(k, 1, MOTH_ERATE), 18);
    kit_free(k);
}

static void test_adverts_above_the_limit_replace_the_unreachable_or_are_refused(void **state)
{
    struct kit *k = row_with_limit(93, MOTH_LIMIT_ADVERTS, 4);
    uint8_t frame[4 + ADVERT_BYTES_MAX];
    struct identity who;
    (void)state;
    for (uint32_t i = 0; i < 10; i++) push(k, FRAME_NETWORK_UPDATE, frame, invent(&who, i, 5, NULL, frame));
    assert_int_equal(kit_node(k, 1)->topology.count, 5); /* our own beside four */
    assert_true(topology_find(kit_node(k, 1), kit_id(k, 0)) && topology_find(kit_node(k, 1), kit_id(k, 2)));
    for (unsigned i = 3; i < 8; i++) {
        kit_start(k, i, NULL);
        lab_connect(k->lab, i, i == 3 ? 0 : i - 1);
        lab_run(k->lab, SECOND);
    }
    assert_int_equal(kit_node(k, 1)->topology.count, 5);
    assert_true(kit_discarded(k, 1, MOTH_EFULL) > 0);
    kit_free(k);
}

static void test_invented_neighbours_do_not_fill_the_map_nor_freeze_it(void **state)
{
    struct kit *k = row_with_limit(94, MOTH_LIMIT_ADVERTS, 4);
    struct advert a = {.boot = 1, .seq = 5, .lifetime_s = 7200, .name = "invented"};
    uint8_t frame[4 + ADVERT_BYTES_MAX] = {0}, seed[32] = {0xbb};
    struct identity who;
    (void)state;
    identity_from_seed(&who, seed);
    memcpy(a.ed25519_key, who.ed25519_public, 32);
    memcpy(a.x25519_key, who.x25519_public, 32);
    for (; a.neighbour_count < 30; a.neighbour_count++) {
        a.neighbours[a.neighbour_count].cost = 1;
        put_uint(a.neighbours[a.neighbour_count].id.bytes, a.neighbour_count + 1, 4);
    }
    push(k, FRAME_NETWORK_UPDATE, frame, 4 + advert_encode(&a, who.seed, frame + 4));
    assert_true(router_count(kit_node(k, 1)->router) <= 4 * 5);
    assert_true(kit_discarded(k, 1, MOTH_EFULL) > 0);
    lab_cut(k->lab, 1, 2, false);
    assert_true(kit_wait_hops(k, 1, 2, ROUTER_UNREACHABLE, 5 * SECOND));
    kit_link(k, 2, 0); /* an honest change: still heard */
    assert_true(kit_wait_hops(k, 1, 2, 2, 5 * SECOND));
    kit_free(k);
}

static void test_an_older_advert_is_stale(void **state)
{
    struct kit *k = kit_row(95, 2);
    uint8_t frame[4 + ADVERT_BYTES_MAX];
    struct identity who;
    (void)state;
    push(k, FRAME_NETWORK_UPDATE, frame, invent(&who, 1, 5, NULL, frame));
    uint64_t before = kit_discarded(k, 1, MOTH_ESTALE);
    push(k, FRAME_NETWORK_UPDATE, frame, invent(&who, 1, 4, NULL, frame));
    assert_int_equal(kit_discarded(k, 1, MOTH_ESTALE), before + 1);
    assert_int_equal(topology_find(kit_node(k, 1), &who.id)->version.seq, 5);
    kit_free(k);
}

/* --- messages that should not be --- */

/* Sends node 1 a sealed message with some bytes of its head changed, and tells how often `reason` was counted for
 * it. */
static uint64_t refused(struct kit *k, size_t at, const void *bytes, size_t count, int reason)
{
    uint8_t frame[512];
    size_t size = seal(k, kit_id(k, 0), 2, ENVELOPE_DATA, 77, 5, frame);
    uint64_t before = kit_discarded(k, 1, reason);
    memcpy(frame + at, bytes, count);
    push(k, FRAME_MESSAGE, frame, size);
    assert_true(kit_linked(k, 0, 1));
    return kit_discarded(k, 1, reason) - before;
}

static void test_our_own_message_that_comes_back_is_a_loop(void **state)
{
    struct kit *k = kit_row(96, 3);
    (void)state;
    assert_int_equal(refused(k, 12, kit_id(k, 1)->bytes, MOTH_ID_BYTES, MOTH_ELOOP), 1);
    kit_free(k);
}

static void test_mail_to_us_in_our_own_name_is_a_loop(void **state)
{
    struct kit *k = kit_row(97, 3);
    uint8_t both[2 * MOTH_ID_BYTES];
    (void)state;
    memcpy(both, kit_id(k, 1)->bytes, MOTH_ID_BYTES);
    memcpy(both + MOTH_ID_BYTES, kit_id(k, 1)->bytes, MOTH_ID_BYTES);
    assert_int_equal(refused(k, 12, both, sizeof both, MOTH_ELOOP), 1);
    kit_free(k);
}

static void test_a_message_whose_path_names_us_is_a_loop(void **state)
{
    struct kit *k = kit_row(98, 3);
    uint8_t frame[512];
    (void)state;
    size_t size = seal(k, kit_id(k, 0), 2, ENVELOPE_DATA, 77, 5, frame);
    frame[1] = 1; /* one hop */
    frame[7] |= ENVELOPE_HAS_PATH;
    memcpy(frame + size, kit_id(k, 1)->bytes, ENVELOPE_PATH_BYTES);
    push(k, FRAME_MESSAGE, frame, size + ENVELOPE_PATH_BYTES);
    assert_int_equal(kit_discarded(k, 1, MOTH_ELOOP), 1);
    assert_int_equal(k->messages[2], 0);
    kit_free(k);
}

static void test_mail_from_somebody_without_an_advert_is_from_an_unknown_sender(void **state)
{
    struct kit *k = kit_row(99, 3);
    uint8_t ids[2 * MOTH_ID_BYTES] = {9, 9, 9};
    (void)state;
    memcpy(ids + MOTH_ID_BYTES, kit_id(k, 1)->bytes, MOTH_ID_BYTES);
    assert_int_equal(refused(k, 12, ids, sizeof ids, MOTH_EUNKNOWN_SENDER), 1);
    kit_free(k);
}

static void test_mail_that_is_older_than_its_time_is_expired(void **state)
{
    struct kit *k = kit_row(100, 2);
    uint8_t frame[512];
    (void)state;
    size_t size = seal(k, kit_id(k, 0), 1, ENVELOPE_DATA, 77, 5, frame);
    put_uint(frame + 2, 61, 4); /* it had sixty seconds */
    push(k, FRAME_MESSAGE, frame, size);
    assert_int_equal(kit_discarded(k, 1, MOTH_EEXPIRED), 1);
    assert_int_equal(k->messages[1], 0);
    kit_free(k);
}

/* Node 0 says that it has received what node 1 wrote to node 2. */
static void test_a_receipt_from_somebody_else_ends_nothing(void **state)
{
    struct kit *k = kit_row(101, 3);
    struct moth_node *n = kit_node(k, 0);
    const struct peer *p = peers_find(&n->peers, kit_id(k, 1));
    uint8_t plain[256], frame[512], data[9] = {0};
    struct envelope_body body = {.type = slice_text("receipt"), .data = slice_of(data, sizeof data)};
    struct envelope head = {.hop_limit = 5, .kind = ENVELOPE_RECEIPT, .ttl_s = 60, .src = n->identity.id, .dst = p->id,
                            .id = 9};
    struct moth_sent sent;
    struct aead *key;
    uint64_t id;
    (void)state;
    lab_freeze(k->lab, 2, true);
    assert_int_equal(kit_send(k, 1, kit_id(k, 2), "for 2 alone", &id), 0);
    put_uint(data, id, 8);
    assert_int_equal(keys_to(&n->keys, &p->id, p->facts->x25519_key, head.epk, &key), 0);
    size_t bytes = envelope_body_encode(0, &body, plain);
    push(k, FRAME_MESSAGE, frame, envelope_seal(&head, slice_of(plain, bytes), key, frame));
    assert_int_equal(kit_discarded(k, 1, MOTH_EMISDIRECTED), 1);
    assert_int_equal(moth_message_get(kit_node(k, 1), id, &sent), 0);
    assert_int_equal(sent.state, MOTH_SENT);
    kit_free(k);
}

static void test_a_notice_ends_at_its_hop_limit_and_does_not_turn_round(void **state)
{
    struct kit *k = kit_row(102, 3);
    uint8_t notice[42] = {0};
    (void)state;
    memcpy(notice, kit_id(k, 2)->bytes, MOTH_ID_BYTES);
    notice[17] = 1;
    push(k, FRAME_NOTICE, notice, sizeof notice);
    assert_int_equal(kit_discarded(k, 1, MOTH_EHOP_LIMIT), 1);
    notice[16] = 5;
    memcpy(notice, kit_id(k, 0)->bytes, MOTH_ID_BYTES);
    push(k, FRAME_NOTICE, notice, sizeof notice);
    assert_int_equal(kit_discarded(k, 1, MOTH_ELOOP), 1);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_frames_end_the_link_and_no_other),
        cmocka_unit_test(test_an_unknown_kind_is_counted_and_passed_over),
        cmocka_unit_test(test_a_replayed_light_message_counts_once),
        cmocka_unit_test(test_a_replayed_durable_message_is_receipted_again_but_not_shown),
        cmocka_unit_test(test_every_flipped_byte_of_a_message_is_refused),
        cmocka_unit_test(test_a_message_in_anothers_name_is_refused),
        cmocka_unit_test(test_the_hop_limit_ends_a_message),
        cmocka_unit_test(test_a_message_of_a_kind_that_is_not_known_is_counted),
        cmocka_unit_test(test_a_forged_advert_ends_the_link),
        cmocka_unit_test(test_adverts_above_the_rate_of_a_link_are_dropped),
        cmocka_unit_test(test_loopback_addresses_are_not_learned_over_other_links),
        cmocka_unit_test(test_a_peer_list_that_breaks_off_teaches_nothing),
        cmocka_unit_test(test_a_short_advert_in_our_own_name_is_refused),
        cmocka_unit_test(test_a_full_frame_whose_path_grows_is_too_big_for_the_next_hop),
        cmocka_unit_test(test_digests_without_end_are_dropped_by_rate),
        cmocka_unit_test(test_peer_lists_without_end_are_dropped_by_rate),
        cmocka_unit_test(test_who_asks_and_does_not_read_the_answers_is_cut_off),
        cmocka_unit_test(test_a_receipt_for_too_many_messages_is_refused),
        cmocka_unit_test(test_who_still_has_an_advert_is_not_forgotten_when_the_book_is_full),
        cmocka_unit_test(test_receipts_for_people_out_of_reach_are_bounded),
        cmocka_unit_test(test_an_advert_that_waited_teaches_no_more_than_its_link_may),
        cmocka_unit_test(test_an_age_that_somebody_made_up_does_not_bury_an_advert),
        cmocka_unit_test(test_forged_hints_spend_no_retries),
        cmocka_unit_test(test_no_more_strangers_shake_hands_than_allowed),
        cmocka_unit_test(test_connect_is_refused_when_enough_is_wanted),
        cmocka_unit_test(test_notices_above_the_rate_are_not_sent),
        cmocka_unit_test(test_adverts_above_the_limit_replace_the_unreachable_or_are_refused),
        cmocka_unit_test(test_invented_neighbours_do_not_fill_the_map_nor_freeze_it),
        cmocka_unit_test(test_an_older_advert_is_stale),
        cmocka_unit_test(test_our_own_message_that_comes_back_is_a_loop),
        cmocka_unit_test(test_mail_to_us_in_our_own_name_is_a_loop),
        cmocka_unit_test(test_a_message_whose_path_names_us_is_a_loop),
        cmocka_unit_test(test_mail_from_somebody_without_an_advert_is_from_an_unknown_sender),
        cmocka_unit_test(test_mail_that_is_older_than_its_time_is_expired),
        cmocka_unit_test(test_a_receipt_from_somebody_else_ends_nothing),
        cmocka_unit_test(test_a_notice_ends_at_its_hop_limit_and_does_not_turn_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
