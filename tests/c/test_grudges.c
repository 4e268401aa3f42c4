/* test_grudges.c -- old faults of durable mail that must not come back: what somebody on the way, a bad disk or a full
 * address book once did to messages of others.
 *
 * Each test is the shortest way to one such fault. bob (1) is mostly the one who is done to. A kill is a power cut; a
 * write takes the disk 1 ms. */
#include "kit.h"

#include "node/store_db.h"
#include "node/store_disk.h"

#include <sqlite3.h>

#define ANA 0
#define BOB 1
#define EVA 2
#define KIM 3
#define JOE 4
#define MS 1000u
#define HOUR ((uint64_t)3600 * SECOND)

#define FRAME_ROOM 4096

static struct kit *line(uint64_t seed, unsigned count)
{
    struct kit *k = kit_row(seed, count);
    lab_run(k->lab, 40 * SECOND); /* the address books are saved by then */
    return k;
}

static void leaves(struct kit *k, unsigned machine)
{
    lab_kill(k->lab, machine);
    lab_run(k->lab, 5 * SECOND);
}

static struct moth_sent sent_of(const struct kit *k, uint64_t id)
{
    struct moth_sent sent;
    assert_int_equal(moth_message_get(kit_node(k, ANA), id, &sent), 0);
    return sent;
}

/* A message of `from` as anybody on its way sees it, with an age that anybody there may write. Returns its size. */
static size_t capture(struct kit *k, unsigned from, const struct outgoing *m, uint32_t age_s, uint8_t frame[FRAME_ROOM])
{
    struct moth_node *n = kit_node(k, from);
    struct envelope head = {.kind = m->kind, .flags = m->flags, .ttl_s = m->ttl_s, .id = m->id, .hop_limit = 8,
                            .age_s = age_s, .src = n->identity.id, .dst = m->to->id};
    struct aead *key;
    assert_non_null(m->body);
    assert_in_range(m->body_bytes, 1, FRAME_ROOM - ENVELOPE_HEAD_BYTES - CRYPTO_TAG_BYTES);
    assert_int_equal(keys_to(&n->keys, &m->to->id, m->to->facts->x25519_key, head.epk, &key), 0);
    return envelope_seal(&head, slice_of(m->body, m->body_bytes), key, frame);
}

/* A neighbour says anything to another. */
static void push(struct kit *k, unsigned from, unsigned to, const uint8_t *frame, size_t bytes)
{
    link_send(kit_session(k, from, to)->link, FRAME_MESSAGE, slice_of(frame, bytes), slice_of(NULL, 0));
    lab_turn(k->lab, from);
    lab_run(k->lab, 2 * MS);
}

static size_t send_and_capture(struct kit *k, const struct moth_id *to, const char *text, uint8_t frame[FRAME_ROOM])
{
    uint64_t id;
    assert_int_equal(kit_send(k, ANA, to, text, &id), 0);
    return capture(k, ANA, boxes_find(&kit_node(k, ANA)->boxes, id), 0, frame);
}

/* Somebody invented, as if their signed advert had come. NULL: no room. */
static struct peer *invent(struct moth_node *n)
{
    struct moth_id id;
    uint8_t key[32] = {9};
    n->host->random(n->host->context, &id, sizeof id);
    struct peer *p = peers_get(&n->peers, &id, true);
    if (p) peer_prove(&n->peers, p, key, key);
    return p;
}

static struct moth_config book_of(uint64_t people)
{
    struct moth_config config = {.open = true};
    config.limits[MOTH_LIMIT_KNOWN_PEERS] = people;
    return config;
}

/* --- played back --- */

/* Three days later bob's small book has no room left for ana, but his database knows what she sent. */
static void test_an_old_message_of_somebody_forgotten_is_not_shown_again(void **state)
{
    struct kit *k = kit_new(1, 2);
    struct moth_config small = book_of(3);
    uint8_t frame[FRAME_ROOM];
    (void)state;
    kit_start(k, ANA, NULL);
    assert_int_equal(lab_start(k->lab, BOB, "n1", &small), 0);
    kit_link(k, ANA, BOB);
    kit_settle(k, 2, 10 * SECOND);
    struct moth_id ana = *kit_id(k, ANA);
    size_t bytes = send_and_capture(k, kit_id(k, BOB), "once", frame);
    lab_run(k->lab, SECOND);
    assert_int_equal(k->messages[BOB], 1);
    lab_kill(k->lab, ANA);
    lab_run(k->lab, 72 * HOUR);
    for (int i = 0; i < 20; i++) invent(kit_node(k, BOB));
    assert_null(peers_find(&kit_node(k, BOB)->peers, &ana));
    kit_start(k, ANA, NULL);
    kit_link(k, ANA, BOB);
    assert_int_equal(peers_find(&kit_node(k, BOB)->peers, &ana)->row, 0); /* nothing looked her up yet */
    uint64_t before = kit_discarded(k, BOB, MOTH_EDUPLICATE);
    push(k, ANA, BOB, frame, bytes);
    lab_run(k->lab, SECOND);
    assert_int_equal(kit_discarded(k, BOB, MOTH_EDUPLICATE), before + 1);
    assert_int_equal(k->messages[BOB], 1);
    kit_free(k);
}

/*   (ana) --- bob --- eva     eva saw ana's message on its way, and plays it back again and again: bob's receipts for
 *                             ana, who is away, must not fill eva's box nor bob's disk                              */
static void test_what_is_played_back_makes_no_deposits(void **state)
{
    enum { times = 2000 };
    struct kit *k = line(2, 3);
    uint8_t frame[FRAME_ROOM];
    (void)state;
    size_t bytes = send_and_capture(k, kit_id(k, BOB), "once", frame);
    lab_run(k->lab, SECOND);
    leaves(k, ANA);
    lab_run(k->lab, 60 * SECOND);
    uint64_t deposits = kit_status(k, BOB).deposits_made, before = kit_discarded(k, BOB, MOTH_EDUPLICATE);
    uint64_t operations = kit_node(k, BOB)->store.operations;
    for (int i = 0; i < times; i++) push(k, EVA, BOB, frame, bytes);
    lab_run(k->lab, 5 * SECOND);
    assert_int_equal(kit_discarded(k, BOB, MOTH_EDUPLICATE), before + times);
    assert_int_equal(kit_status(k, BOB).deposits_made, deposits);
    assert_true(kit_node(k, BOB)->store.operations <= operations + 10);
    assert_int_equal(k->messages[BOB], 1);
    kit_free(k);
}

/* --- an age that somebody on the way wrote --- */

/*   ana --- bob   kim --- eva     bob carries for eva. A hand-over comes by kim, a thousand years old: eva answers
 *             \__ later __/       nothing, so bob does not forget it, and the honest one is shown              */
static void test_an_invented_age_of_a_handover_makes_nobody_forget_it(void **state)
{
    struct kit *k = line(3, 3);
    struct moth_id eva = *kit_id(k, EVA), bob = *kit_id(k, BOB);
    uint8_t frame[FRAME_ROOM];
    uint64_t id;
    (void)state;
    leaves(k, EVA);
    assert_int_equal(kit_send(k, ANA, &eva, "m1", &id), 0);
    assert_true(kit_wait_state(k, ANA, id, MOTH_CARRIED, SECOND));
    leaves(k, ANA);
    struct box *b = boxes_box(&kit_node(k, BOB)->boxes, &eva);
    size_t bytes = capture(k, BOB, b->first, UINT32_MAX, frame);
    lab_cut(k->lab, BOB, EVA, false);
    kit_start(k, EVA, NULL);
    kit_start(k, KIM, NULL);
    kit_link(k, KIM, EVA);
    lab_run(k->lab, SECOND);
    push(k, KIM, EVA, frame, bytes);
    assert_int_equal(kit_discarded(k, EVA, MOTH_ESTALE), 1);
    assert_null(peer_dealings(peers_find(&kit_node(k, EVA)->peers, &bob))->receipts);
    lab_join(k->lab, BOB, EVA);
    kit_link(k, BOB, EVA);
    assert_true(kit_wait_messages(k, EVA, 1, 10 * SECOND));
    lab_run(k->lab, SECOND);
    kit_assert_row(k, EVA, 1, 1);
    assert_int_equal(kit_status(k, BOB).handed_over, 1);
    kit_free(k);
}

/*   ana --- (somebody) --- bob     eva is away; the deposit comes to bob with a made up age before it comes as it is */
static void test_an_invented_age_of_a_deposit_does_not_refuse_it(void **state)
{
    struct kit *k = line(4, 3);
    struct moth_id eva = *kit_id(k, EVA);
    uint8_t frame[FRAME_ROOM];
    uint64_t id;
    (void)state;
    leaves(k, EVA);
    lab_latency(k->lab, ANA, BOB, 50 * MS, 0);
    assert_int_equal(kit_send(k, ANA, &eva, "m1", &id), 0);
    const struct box *b = boxes_box(&kit_node(k, ANA)->boxes, kit_id(k, BOB));
    size_t bytes = capture(k, ANA, b->first, UINT32_MAX, frame);
    assert_int_equal(route_on_message(kit_session(k, BOB, ANA), (struct span){frame, bytes}), 0);
    lab_turn(k->lab, BOB);
    assert_int_equal(kit_discarded(k, BOB, MOTH_ESTALE), 1);
    assert_true(kit_wait_state(k, ANA, id, MOTH_CARRIED, 5 * SECOND));
    lab_run(k->lab, 5 * SECOND);
    assert_int_equal(sent_of(k, id).carriers, 1);
    assert_int_equal(kit_discarded(k, ANA, MOTH_EEXPIRED), 0);
    assert_int_equal(kit_status(k, BOB).carried, 1);
    kit_free(k);
}

/* --- disks --- */

/*         bob
 *        /    \        eva is away, bob's disk is full: he neither takes nor answers.
 *   ana --kim-- eva    kim and joe carry all the same
 *        \    /
 *         joe          */
static void test_a_carrier_with_a_full_disk_does_not_stop_the_others(void **state)
{
    enum { count = 600 };
    struct kit *k = kit_new(5, 5);
    (void)state;
    for (unsigned i = ANA; i <= JOE; i++) kit_start(k, i, NULL);
    unsigned middle[] = {BOB, KIM, JOE}, taken = 0;
    for (int i = 0; i < 3; i++) {
        kit_link(k, ANA, middle[i]);
        kit_link(k, EVA, middle[i]);
    }
    kit_settle(k, 5, 10 * SECOND);
    lab_run(k->lab, 40 * SECOND);
    struct moth_id eva = *kit_id(k, EVA);
    leaves(k, EVA);
    disk_limit(lab_disk(k->lab, BOB), 0);
    for (unsigned i = 0; i < count; i += 50) {
        kit_send_row(k, ANA, &eva, i + 1, i + 50);
        lab_run(k->lab, SECOND);
    }
    lab_run(k->lab, HOUR / 6);
    const struct box *b = boxes_box(&kit_node(k, ANA)->boxes, &eva);
    for (const struct outgoing *m = b->first; m; m = m->after) taken += m->state == MOTH_CARRIED;
    assert_int_equal(taken, count);
    assert_int_equal(kit_node(k, BOB)->store.reason, MOTH_ENO_SPACE);
    kit_free(k);
}

/* As at the end of a program: the next start does not check the whole file. */
static void end_cleanly(struct kit *k, unsigned machine)
{
    lab_run(k->lab, SECOND);
    assert_true(store_is_idle(&kit_node(k, machine)->store));
    store_close(&kit_node(k, machine)->store, true);
    lab_kill(k->lab, machine);
}

/* Starts ana with every third page damaged while she was not there; tells whether the file was set aside. */
static bool start_damaged(uint64_t seed, unsigned first_page)
{
    struct kit *k = line(seed, 2);
    struct moth_id bob = *kit_id(k, BOB);
    leaves(k, BOB);
    kit_send_row(k, ANA, &bob, 1, 200);
    end_cleanly(k, ANA);
    assert_int_equal(disk_damage(lab_disk(k->lab, ANA), "machine-0/moth.db", 3, first_page), 0);
    kit_start(k, ANA, NULL);
    bool aside = kit_node(k, ANA)->report.aside[0] != '\0';
    assert_int_equal(kit_send(k, ANA, kit_id(k, ANA), "works", NULL), 0);
    assert_true(kit_wait_messages(k, ANA, 1, SECOND));
    kit_free(k);
    return aside;
}

/* Roots are looked at when the file is opened; damage that lies deeper shows only when mail is loaded. With some seeds
 * the power cut brings the log back, which heals all of it. */
static void test_a_node_starts_whatever_was_damaged_since_its_clean_end(void **state)
{
    unsigned aside = 0, starts = 0;
    (void)state;
    for (uint64_t seed = 10; seed < 14; seed++)
        for (unsigned page = 2; page < 22; page += 2, starts++) aside += start_damaged(seed, page);
    assert_in_range(aside, 1, starts - 1);
}

/* --- starts --- */

/* Nobody says connect: the address is in the book. */
static void test_mail_that_waits_is_dialled_for_after_a_restart(void **state)
{
    struct kit *k = line(20, 2);
    struct moth_id bob = *kit_id(k, BOB);
    (void)state;
    leaves(k, BOB);
    kit_send_row(k, ANA, &bob, 1, 1);
    lab_run(k->lab, SECOND);
    lab_kill(k->lab, ANA);
    kit_start(k, BOB, NULL);
    kit_start(k, ANA, NULL);
    assert_true(kit_wait_messages(k, BOB, 1, 60 * SECOND));
    kit_assert_row(k, BOB, 1, 1);
    kit_free(k);
}

static bool was_told; /* bob, of anything */

static void on_told(struct kit *k, unsigned machine, const struct moth_event *e)
{
    (void)k;
    was_told |= machine == BOB && e->kind == MOTH_EVENT_MESSAGE;
}

/* bob dies while he is told of all that came at once, and starts again. Returns how many still wait. */
static size_t dies_with_arrivals(struct kit *k, int count)
{
    struct moth_payload payload = {.encoding = MOTH_TEXT, .data = "told", .bytes = 4};
    uint64_t id;
    for (int i = 0; i < count; i++)
        assert_int_equal(moth_send(kit_node(k, ANA), kit_id(k, BOB), &payload, NULL, &id), 0);
    lab_turn(k->lab, ANA);
    was_told = false;
    k->also = on_told;
    for (int i = 0; i < 1000 && !was_told; i++) lab_run(k->lab, 100);
    lab_kill(k->lab, BOB); /* no mark has reached the disk */
    lab_kill(k->lab, ANA);
    kit_start(k, BOB, NULL);
    assert_in_range(kit_node(k, BOB)->arrived_count, count / 2, count);
    return kit_node(k, BOB)->arrived_count;
}

/* Each start is counted on the disk before its message is told, one after the other: without a pause each. */
static void test_what_is_told_again_does_not_wait_for_groups_to_gather(void **state)
{
    enum { pause_ms = 5 };
    struct kit *k = line(21, 2);
    size_t waiting = dies_with_arrivals(k, 200);
    unsigned before = k->messages[BOB];
    uint64_t began_us = lab_now_us(k->lab);
    (void)state;
    assert_true(kit_wait_messages(k, BOB, before + (unsigned)waiting, 10 * SECOND));
    assert_true(lab_now_us(k->lab) - began_us < waiting * pause_ms * MS / 2);
    kit_free(k);
}

/* --- history --- */

/* Whatever the figures say: an arrival that was not handled is no history yet. */
static void test_a_prune_takes_no_arrival_that_waits(void **state)
{
    struct kit *k = line(22, 2);
    size_t waiting = dies_with_arrivals(k, 100);
    unsigned before = k->messages[BOB];
    (void)state;
    kit_node(k, BOB)->store.recount = 0;
    kit_node(k, BOB)->store.inbox_history = 1ll << 40;
    lab_run(k->lab, 5 * SECOND);
    assert_int_equal(k->messages[BOB], before + waiting);
    assert_int_equal(kit_discarded(k, BOB, MOTH_EDAMAGED), 0);
    assert_int_equal(kit_status(k, BOB).inbox, 0);
    kit_free(k);
}

/*   bob --- ana     (eva)     what waits for eva is older than all that bob had, and stays */
static void test_a_prune_takes_no_message_that_waits(void **state)
{
    enum { history = 4000, count = 200 };
    struct kit *k = line(23, 3);
    struct moth_config small = {.open = true};
    struct moth_id eva = *kit_id(k, EVA), bob = *kit_id(k, BOB);
    uint64_t oldest, first;
    (void)state;
    leaves(k, EVA);
    small.limits[MOTH_LIMIT_HISTORY_BYTES] = history;
    lab_kill(k->lab, ANA);
    assert_int_equal(lab_start(k->lab, ANA, "n0", &small), 0);
    kit_link(k, ANA, BOB);
    lab_run(k->lab, SECOND);
    assert_int_equal(kit_send(k, ANA, &eva, "old", &oldest), 0);
    assert_int_equal(kit_send(k, ANA, &bob, "history", &first), 0);
    kit_send_row(k, ANA, &bob, 1, count);
    lab_run(k->lab, 20 * SECOND);
    lab_kill(k->lab, ANA);
    assert_int_equal(lab_start(k->lab, ANA, "n0", &small), 0);
    assert_int_equal(kit_state(k, ANA, first), -1); /* pruned */
    assert_int_equal(kit_state(k, ANA, oldest), MOTH_CARRIED);
    kit_start(k, EVA, NULL);
    kit_link(k, EVA, ANA);
    assert_true(kit_wait_state(k, ANA, oldest, MOTH_DELIVERED, 5 * SECOND));
    assert_int_equal(kit_shown(k, EVA, "old"), 1);
    kit_free(k);
}

/* --- the address book --- */

static int64_t rows(const struct kit *k, const char *of)
{
    char sql[96];
    int64_t count = -1;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", of);
    assert_int_equal(db_get(kit_node(k, BOB)->store.db->reader, sql, &count), 0);
    return count;
}

/* Three thousand come and go; who has an alias, or mail of whom is remembered, stays on the disk. */
static void test_people_who_came_and_went_are_forgotten_by_the_disk_too(void **state)
{
    enum { limit = 64, a_round = 60 };
    struct kit *k = kit_new(30, 2);
    struct moth_config small = book_of(limit);
    (void)state;
    kit_start(k, ANA, NULL);
    assert_int_equal(lab_start(k->lab, BOB, "n1", &small), 0);
    kit_link(k, ANA, BOB);
    kit_settle(k, 2, 10 * SECOND);
    struct moth_id kept = invent(kit_node(k, BOB))->id, ana = *kit_id(k, ANA);
    assert_int_equal(moth_alias(kit_node(k, BOB), &kept, "kept"), 0);
    kit_send_row(k, ANA, kit_id(k, BOB), 1, 1);
    lab_run(k->lab, SECOND);
    lab_kill(k->lab, ANA);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < a_round; i++) {
            struct peer *p = invent(kit_node(k, BOB));
            if (p) book_touch(kit_node(k, BOB), p);
        }
        lab_turn(k->lab, BOB);
        lab_run(k->lab, 31 * SECOND);
        assert_in_range(rows(k, "peers"), 1, 2 * limit + a_round + 3);
    }
    assert_int_equal(rows(k, "peers WHERE kept = 1"), 1);
    int64_t row;
    assert_int_equal(store_peer_row(&kit_node(k, BOB)->store, &kept, &row), 0);
    assert_int_equal(store_peer_row(&kit_node(k, BOB)->store, &ana, &row), 0);
    kit_restart(k, BOB);
    assert_non_null(peers_find(&kit_node(k, BOB)->peers, &kept));
    kit_free(k);
}

/*   ana --x bob     bob's book is full of people whom he named or blocked: none of them makes room, also not later */
static void test_a_book_of_named_and_blocked_people_refuses_newcomers(void **state)
{
    enum { limit = 10 };
    struct kit *k = kit_new(31, 2);
    struct moth_config small = book_of(limit);
    struct moth_id people[limit - 1];
    char alias[24];
    (void)state;
    assert_int_equal(lab_start(k->lab, BOB, "n1", &small), 0);
    for (int i = 0; i < limit - 1; i++) {
        people[i] = invent(kit_node(k, BOB))->id;
        snprintf(alias, sizeof alias, "friend%d", i);
        int rc = i % 2 ? moth_block(kit_node(k, BOB), &people[i], true)
                       : moth_alias(kit_node(k, BOB), &people[i], alias);
        assert_int_equal(rc, 0);
    }
    lab_run(k->lab, SECOND);
    for (int restarted = 0; restarted < 2; restarted++) {
        kit_start(k, ANA, NULL);
        struct moth_id ana = *kit_id(k, ANA);
        uint64_t before = kit_discarded(k, BOB, MOTH_EFULL);
        lab_connect(k->lab, ANA, BOB);
        lab_run(k->lab, 10 * SECOND);
        assert_true(kit_discarded(k, BOB, MOTH_EFULL) > before);
        assert_null(peers_find(&kit_node(k, BOB)->peers, &ana));
        for (int i = 0; i < limit - 1; i++) {
            const struct peer *p = peers_find(&kit_node(k, BOB)->peers, &people[i]);
            assert_non_null(p);
            assert_true(i % 2 ? p->blocked : p->facts->alias[0] != '\0');
        }
        lab_kill(k->lab, ANA);
        lab_kill(k->lab, BOB);
        assert_int_equal(lab_start(k->lab, BOB, "n1", &small), 0);
    }
    kit_free(k);
}

/* --- receipts for nothing --- */

/* ana says that she has what bob never sent. Only so many make bob ask his disk; all are counted. */
static void test_receipts_for_unknown_messages_are_counted_and_ask_the_disk_only_so_often(void **state)
{
    enum { burst = 256, rounds = 8 };
    struct kit *k = line(40, 2);
    struct moth_node *n = kit_node(k, ANA);
    struct peer *bob = peers_find(&n->peers, kit_id(k, BOB));
    uint8_t data[RECEIPTS_MAX * RECEIPT_BYTES] = {0}, plain[FRAME_ROOM];
    uint64_t unknown = kit_discarded(k, BOB, MOTH_ENOT_FOUND), rate = kit_discarded(k, BOB, MOTH_ERATE), id;
    (void)state;
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < RECEIPTS_MAX; i++) put_uint(data + i * RECEIPT_BYTES, 1 + i + RECEIPTS_MAX * round, 8);
        struct envelope head = {.kind = ENVELOPE_RECEIPT, .ttl_s = 60, .id = ((uint64_t)1 << 60) + round};
        struct envelope_body body = {.type = slice_text("receipt"), .data = slice_of(data, sizeof data)};
        assert_int_equal(route_seal(n, bob, &head, slice_of(plain, envelope_body_encode(0, &body, plain))), 0);
    }
    lab_turn(k->lab, ANA);
    lab_run(k->lab, 100 * MS);
    unknown = kit_discarded(k, BOB, MOTH_ENOT_FOUND) - unknown;
    rate = kit_discarded(k, BOB, MOTH_ERATE) - rate;
    assert_in_range(unknown, burst, burst + 10);
    assert_int_equal(unknown + rate, RECEIPTS_MAX * rounds);
    assert_int_equal(kit_send(k, BOB, kit_id(k, ANA), "m1", &id), 0); /* those for what was sent are not held up */
    assert_true(kit_wait_state(k, BOB, id, MOTH_DELIVERED, SECOND));
    kit_free(k);
}

/* --- from the second review --- */

static unsigned with_a_copy(const struct kit *k, const uint64_t *ids, unsigned count)
{
    unsigned copies = 0;
    for (unsigned i = 0; i < count; i++) copies += sent_of(k, ids[i]).carriers > 0;
    return copies;
}

/*        bob (answers nothing)
 *       /   \
 *   ana       eva (away)      the messages that come after bob's box is full
 *       \   /
 *        kim                                                                     */
static void test_a_carrier_that_never_answers_stops_no_later_deposit(void **state)
{
    enum { first = 300, later = 50 };
    struct kit *k = kit_new(7, 8);
    uint64_t ids[first + later];
    (void)state;
    for (unsigned i = 0; i < 4; i++) kit_start(k, i, NULL);
    kit_link(k, BOB, ANA);
    kit_link(k, KIM, ANA);
    kit_link(k, EVA, BOB);
    kit_link(k, EVA, KIM);
    kit_settle(k, 4, 10 * SECOND);
    lab_run(k->lab, 40 * SECOND);
    struct moth_id eva = *kit_id(k, EVA);
    leaves(k, EVA);
    disk_limit(lab_disk(k->lab, BOB), 0);
    for (unsigned i = 0; i < first + later; i++) {
        if (i == first) lab_run(k->lab, 150 * SECOND); /* all were looked at once more */
        assert_int_equal(kit_send(k, ANA, &eva, "m", &ids[i]), 0);
        lab_run(k->lab, 20 * MS);
    }
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(with_a_copy(k, ids, first), first);
    assert_int_equal(with_a_copy(k, ids + first, later), later);
    kit_free(k);
}

/* As a damaged page would: reading what was delivered fails, and nothing else does. */
static void sabotage_delivered(struct kit *k, unsigned machine)
{
    sqlite3 *c = kit_node(k, machine)->store.db->writer;
    sqlite3_db_config(c, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    assert_int_equal(db_run(c, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM"
                               " sqlite_schema WHERE name = 'peers') WHERE name = 'delivered';"
                               "PRAGMA writable_schema = RESET;"), 0);
}

/*   (ana) --- bob --- eva     eva cannot read her own database: that is no reason for bob to drop his copy */
static void test_a_recipient_with_a_damaged_database_refuses_nothing_for_good(void **state)
{
    struct kit *k = line(5, 3);
    struct moth_id eva = *kit_id(k, EVA);
    uint64_t id;
    (void)state;
    assert_int_equal(kit_send(k, ANA, &eva, "m0", &id), 0);
    lab_run(k->lab, 5 * SECOND);
    leaves(k, EVA);
    assert_int_equal(kit_send(k, ANA, &eva, "m1", &id), 0);
    assert_true(kit_wait_state(k, ANA, id, MOTH_CARRIED, 5 * SECOND));
    leaves(k, ANA);
    kit_start(k, EVA, NULL);
    sabotage_delivered(k, EVA);
    kit_link(k, EVA, BOB);
    lab_run(k->lab, 20 * SECOND);
    assert_int_equal(kit_shown(k, EVA, "m1"), 0);
    assert_int_equal(kit_status(k, BOB).carried, 1);
    assert_int_equal(kit_status(k, EVA).store_reason, MOTH_EDAMAGED); /* it is said, before anything is written */
    kit_free(k);
}

/* Whoever was delivered from is kept: a book full of them must not be written over and over for that. */
static void test_a_book_that_cannot_be_pruned_comes_to_rest(void **state)
{
    enum { people = 1500 };
    struct kit *k = kit_new(7, 4);
    struct moth_config config = {.open = true};
    struct moth_id id = {{0}};
    (void)state;
    config.limits[MOTH_LIMIT_KNOWN_PEERS] = 600;
    assert_int_equal(lab_start(k->lab, 0, "n0", &config), 0);
    struct moth_node *n = kit_node(k, 0);
    for (unsigned i = 0; i < people; i++) {
        uint8_t key[32] = {1};
        struct slice body = slice_text("hi");
        put_uint(id.bytes, 0x5000000 + i, 8);
        struct peer *p = peers_get(&n->peers, &id, true);
        assert_non_null(p);
        peer_prove(&n->peers, p, key, key);
        int64_t numbers[] = {++n->store.last_inbox_row, book_row(n, p), 1000 + i, 0, 1, 1, ARRIVAL_HANDLED, 1, 2, 0};
        store_write(&n->store, store_write_new(STORE_INBOX, numbers, 10, &body, 1));
        lab_turn(k->lab, 0);
        lab_run(k->lab, 20 * MS);
    }
    lab_run(k->lab, 120 * SECOND);
    book_touch(n, peers_find(&n->peers, &id));
    lab_turn(k->lab, 0);
    lab_run(k->lab, 120 * SECOND);
    uint64_t before = n->store.operations;
    lab_run(k->lab, 120 * SECOND);
    assert_in_range(n->store.operations - before, 0, 10);
    kit_free(k);
}

/*   ana --- bob     (eva)     all that waits is carried already */
static void test_looking_for_carriers_in_vain_reads_no_bodies(void **state)
{
    static char big[20000];
    enum { messages = 200 };
    struct moth_payload payload = {.encoding = MOTH_BYTES, .data = big, .bytes = sizeof big};
    struct moth_config config = {.open = true};
    struct kit *k = kit_new(7, 4);
    uint64_t id;
    (void)state;
    config.limits[MOTH_LIMIT_MAIL_MEMORY] = 100000;
    for (unsigned i = 0; i < 3; i++) {
        char name[] = {'n', (char)('0' + i), '\0'};
        assert_int_equal(lab_start(k->lab, i, name, &config), 0);
    }
    kit_link(k, BOB, ANA);
    kit_link(k, EVA, BOB);
    kit_settle(k, 3, 10 * SECOND);
    lab_run(k->lab, 40 * SECOND);
    struct moth_id eva = *kit_id(k, EVA);
    leaves(k, EVA);
    for (unsigned i = 0; i < messages; i++) {
        assert_int_equal(moth_send(kit_node(k, ANA), &eva, &payload, NULL, &id), 0);
        lab_turn(k->lab, ANA);
        lab_run(k->lab, 5 * MS);
    }
    lab_run(k->lab, 50 * SECOND);
    struct moth_node *ana = kit_node(k, ANA);
    assert_int_equal(kit_status(k, BOB).carried, messages);
    for (int looks = 0; looks < 3; looks++) {
        ana->carry_due = ana->carry_anew = true;
        carry_all(ana);
        assert_in_range(ana->boxes.memory_bytes, 0, 2 * 100000);
    }
    kit_free(k);
}

/* A word that is forgotten with the process is not given. */
static void test_nothing_is_agreed_to_that_a_bad_disk_would_forget(void **state)
{
    struct kit *k = line(5, 2);
    struct moth_id bob = *kit_id(k, BOB);
    uint64_t id;
    (void)state;
    leaves(k, BOB);
    assert_int_equal(kit_send(k, ANA, &bob, "m", &id), 0);
    lab_run(k->lab, SECOND);
    disk_fail_at(lab_disk(k->lab, ANA), disk_calls(lab_disk(k->lab, ANA)) + 1, true);
    kit_send(k, ANA, &bob, "this one finds out", NULL);
    lab_run(k->lab, SECOND);
    assert_true(kit_status(k, ANA).store_reason < 0);
    assert_int_equal(moth_alias(kit_node(k, ANA), &bob, "brother"), MOTH_ESTORE);
    assert_int_equal(moth_block(kit_node(k, ANA), &bob, true), MOTH_ESTORE);
    assert_int_equal(moth_cancel(kit_node(k, ANA), id), MOTH_ESTORE);
    assert_int_equal(kit_state(k, ANA, id), MOTH_QUEUED);
    disk_heal(lab_disk(k->lab, ANA));
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(moth_cancel(kit_node(k, ANA), id), 0);
    assert_int_equal(moth_block(kit_node(k, ANA), &bob, true), 0);
    kit_free(k);
}

static void test_a_database_that_is_gone_is_said(void **state)
{
    struct kit *k = line(6, 2);
    (void)state;
    assert_null(strstr(k->notes, "no database"));
    leaves(k, ANA);
    assert_int_equal(disk_move(lab_disk(k->lab, ANA), "machine-0/moth.db", NULL), 0);
    disk_move(lab_disk(k->lab, ANA), "machine-0/moth.db-wal", NULL);
    kit_start(k, ANA, NULL);
    lab_run(k->lab, SECOND);
    assert_non_null(strstr(k->notes, "0: there is no database in the home folder"));
    kit_free(k);
}

/*   ana --- bob     what ana wanted to be linked is linked again when bob is let in again */
static void test_who_is_unblocked_is_dialled_again(void **state)
{
    struct kit *k = kit_new(7, 2);
    (void)state;
    kit_start(k, ANA, NULL);
    kit_start(k, BOB, NULL);
    kit_link(k, ANA, BOB);
    lab_run(k->lab, 2 * SECOND);
    assert_int_equal(moth_block(kit_node(k, ANA), kit_id(k, BOB), true), 0);
    lab_turn(k->lab, ANA);
    lab_run(k->lab, 60 * SECOND);
    assert_false(kit_linked(k, ANA, BOB));
    assert_int_equal(moth_block(kit_node(k, ANA), kit_id(k, BOB), false), 0);
    lab_run(k->lab, 60 * SECOND);
    assert_true(kit_linked(k, ANA, BOB));
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_old_message_of_somebody_forgotten_is_not_shown_again),
        cmocka_unit_test(test_what_is_played_back_makes_no_deposits),
        cmocka_unit_test(test_an_invented_age_of_a_handover_makes_nobody_forget_it),
        cmocka_unit_test(test_an_invented_age_of_a_deposit_does_not_refuse_it),
        cmocka_unit_test(test_a_carrier_with_a_full_disk_does_not_stop_the_others),
        cmocka_unit_test(test_a_node_starts_whatever_was_damaged_since_its_clean_end),
        cmocka_unit_test(test_mail_that_waits_is_dialled_for_after_a_restart),
        cmocka_unit_test(test_what_is_told_again_does_not_wait_for_groups_to_gather),
        cmocka_unit_test(test_a_prune_takes_no_arrival_that_waits),
        cmocka_unit_test(test_a_prune_takes_no_message_that_waits),
        cmocka_unit_test(test_people_who_came_and_went_are_forgotten_by_the_disk_too),
        cmocka_unit_test(test_a_book_of_named_and_blocked_people_refuses_newcomers),
        cmocka_unit_test(test_receipts_for_unknown_messages_are_counted_and_ask_the_disk_only_so_often),
        cmocka_unit_test(test_a_carrier_that_never_answers_stops_no_later_deposit),
        cmocka_unit_test(test_a_recipient_with_a_damaged_database_refuses_nothing_for_good),
        cmocka_unit_test(test_a_book_that_cannot_be_pruned_comes_to_rest),
        cmocka_unit_test(test_looking_for_carriers_in_vain_reads_no_bodies),
        cmocka_unit_test(test_nothing_is_agreed_to_that_a_bad_disk_would_forget),
        cmocka_unit_test(test_a_database_that_is_gone_is_said),
        cmocka_unit_test(test_who_is_unblocked_is_dialled_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
